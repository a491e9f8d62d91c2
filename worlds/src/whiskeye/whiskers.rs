//! 24 whiskers: what a straight whisker must bend by to go past what it meets.
//!
//! A whisker is a straight rod on a springy hinge, turned about one axis by its motor. Where
//! the rod would go through something, the hinge bends away from the surface, in the plane of
//! rod and surface normal, by the smallest angle φ at which the rod is clear: before a wall
//! at distance h, and β from its normal, acos(h / L) - β. What the base feels is the moment,
//! as of a cantilever pushed aside by φ at distance a (M = 3 E I φ / a), in units of a contact
//! at the tip: φ L / a, where a is not taken below a quarter of the length L. So deflection
//! grows with the depth of penetration and with the lever.

use glam::{Quat, Vec3};

use super::surroundings::Surroundings;
use crate::sdf::{Joint, Model, Pose, Shape};

/// From above, three on the left and three on the right.
pub const ROWS: usize = 6;
/// From the front.
pub const COLUMNS: usize = 4;
/// Row by row.
pub const WHISKERS: usize = ROWS * COLUMNS;

/// The most that a whisker bends, rad; one that cannot get clear bends so far.
pub const MOST_RAD: f32 = 1.2;
/// The most that the sensor says, in units of a contact at the tip.
pub const MOST_XY: f32 = 2.0;
/// Steps in which the clear angle is looked for, and halvings of the last one.
const STEPS: usize = 8;
const HALVINGS: usize = 10;

/// A whisker as it stands on the head at angle 0.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Whisker {
    /// Its base, in the head's frame, m.
    pub base: Vec3,
    /// Its direction, unit.
    pub along: Vec3,
    /// The motor turns it about this, unit; a positive angle brings it forward.
    pub axis: Vec3,
    /// Its length, m.
    pub length_m: f32,
    /// Least and largest angle, rad.
    pub limits_rad: [f32; 2],
    /// The fastest turn, rad/s.
    pub speed_radps: f32,
}

impl Whisker {
    /// Of a model's joint, whose child link's x axis is along the whisker and has a visual as
    /// long as it is.
    pub fn of(model: &Model, head: usize, joint: &Joint) -> Option<Self> {
        let child = &model.links[joint.child];
        let at = model.links[head].pose.inverse() * child.pose;
        let hinge = model.links[head].pose.inverse() * joint.pose;
        let length_m = child.visuals.iter().find_map(|visual| match visual.shape {
            Shape::Cylinder { length, .. } => Some(length),
            _ => None,
        })?;
        Some(Whisker {
            base: at.translation,
            along: at.rotation * Vec3::X,
            axis: hinge.rotation * joint.axis,
            length_m,
            limits_rad: joint.limits,
            speed_radps: joint.velocity,
        })
    }

    /// Its direction at an angle, and that in which its tip goes as the angle grows, both
    /// unit, in the head's frame.
    fn directions(&self, theta_rad: f32) -> (Vec3, Vec3) {
        let along = Quat::from_axis_angle(self.axis, theta_rad) * self.along;
        (along, self.axis.cross(along))
    }

    /// What its base feels at an angle: how the whisker is bent, forward and upward (in the
    /// head's frame), in rad of a contact at the tip. Zero where it touches nothing.
    pub fn deflection(
        &self,
        head: &Pose,
        theta_rad: f32,
        world: &Surroundings,
        near: &[usize],
    ) -> [f32; 2] {
        let (along, forward) = self.directions(theta_rad);
        let up = self.axis * if self.axis.z < 0.0 { -1.0 } else { 1.0 };
        let base = head.translation + head.rotation * self.base;
        let [along, forward, up] = [along, forward, up].map(|v| head.rotation * v);
        let Some(hit) = world.ray(near, base, along, self.length_m) else {
            return [0.0; 2];
        };
        // Head-on the whisker buckles backward.
        let across = hit.normal - along * along.dot(hit.normal);
        let aside = if across.length() > 1e-3 {
            across.normalize()
        } else {
            -forward
        };
        let meets = |bend: f32| {
            let (s, c) = bend.sin_cos();
            world
                .ray(near, base, along * c + aside * s, self.length_m)
                .map(|hit| hit.at_m)
        };
        let (bend, at_m) = clear(hit.at_m, meets);
        let lever = self.length_m / at_m.max(0.25 * self.length_m);
        let moment = (bend * lever).min(MOST_XY);
        [moment * aside.dot(forward), moment * aside.dot(up)]
    }
}

/// The smallest bend at which the whisker meets nothing, and where it last did, from its first
/// contact and what it `meets` at a bend.
fn clear(first_m: f32, meets: impl Fn(f32) -> Option<f32>) -> (f32, f32) {
    let (mut low, mut at_m, mut high) = (0.0, first_m, None);
    for step in 1..=STEPS {
        let bend = MOST_RAD * step as f32 / STEPS as f32;
        match meets(bend) {
            Some(m) => (low, at_m) = (bend, m),
            None => {
                high = Some(bend);
                break;
            }
        }
    }
    let Some(mut high) = high else {
        return (MOST_RAD, at_m);
    };
    for _ in 0..HALVINGS {
        let bend = 0.5 * (low + high);
        match meets(bend) {
            Some(m) => (low, at_m) = (bend, m),
            None => high = bend,
        }
    }
    (high, at_m)
}
