//! What stands in the world, for whiskers to feel and the body to run into.

use glam::{Quat, Vec3};
use rapier3d::parry::query;
use rapier3d::parry::shape::SharedShape;

use crate::render::Shape;
use crate::sdf::{self, Model, Pose};
use crate::vision::shape_of;

/// Shapes that do not move.
pub struct Surroundings {
    things: Vec<Thing>,
}

struct Thing {
    /// For rays, and where it is.
    shape: Shape,
    pose: Pose,
    /// For contacts; a floor has none. Its own pose, since parry's axes differ.
    solid: Option<(SharedShape, Pose)>,
}

/// Where a ray meets a surface.
#[derive(Debug, Clone, Copy)]
pub struct Hit {
    /// Along the ray, m; 0 where it begins inside.
    pub at_m: f32,
    /// The surface's unit normal, towards where the ray comes from.
    pub normal: Vec3,
}

impl Surroundings {
    /// Of what these models collide with.
    pub fn new<'a>(models: impl Iterator<Item = &'a Model>) -> Self {
        let mut things = Vec::new();
        for model in models {
            for link in &model.links {
                for collision in &link.collisions {
                    let at = model.pose * link.pose * collision.pose;
                    let (shape, turn) = shape_of(collision.shape);
                    let solid = solid_of(collision.shape);
                    things.push(Thing {
                        shape,
                        pose: turned(at, turn),
                        solid: solid.map(|(solid, turn)| (solid, turned(at, turn))),
                    });
                }
            }
        }
        Surroundings { things }
    }

    /// Those that come nearer than `radius_m` to a point, into `near`.
    pub fn near(&self, point: Vec3, radius_m: f32, near: &mut Vec<usize>) {
        near.clear();
        near.extend(self.things.iter().enumerate().filter_map(|(i, thing)| {
            let reach_m = thing
                .shape
                .bounding_radius()
                .map_or(f32::INFINITY, |r| r + radius_m);
            (thing.pose.translation.distance(point) < reach_m).then_some(i)
        }));
    }

    /// The first of the `near` ones that a ray of unit direction meets within `most_m`.
    pub fn ray(&self, near: &[usize], from: Vec3, along: Vec3, most_m: f32) -> Option<Hit> {
        let hits = near
            .iter()
            .filter_map(|&i| self.things[i].ray(from, along, most_m));
        hits.min_by(|a, b| a.at_m.total_cmp(&b.at_m))
    }

    /// The level way out of the deepest contact of a body with one of the `near` ones, m.
    pub fn push(&self, near: &[usize], body: &SharedShape, pose: &Pose) -> Option<Vec3> {
        let solids = near.iter().filter_map(|&i| self.things[i].solid.as_ref());
        let deepest = solids
            .filter_map(|(solid, at)| query::contact(pose, &*body.0, at, &*solid.0, 0.0).ok()?)
            .filter(|contact| contact.dist < 0.0)
            .min_by(|a, b| a.dist.total_cmp(&b.dist))?;
        let level = Vec3::new(-deepest.normal1.x, -deepest.normal1.y, 0.0);
        // Straight from above or below any level way will do.
        let away = level.try_normalize().unwrap_or(Vec3::X);
        Some(away * (-deepest.dist / level.length().max(0.5)))
    }
}

impl Thing {
    fn ray(&self, from: Vec3, along: Vec3, most_m: f32) -> Option<Hit> {
        let o = self.pose.inverse_transform_point(from);
        let d = self.pose.inverse_transform_vector(along);
        let (t, face) = self.shape.enters(o, d);
        if !t.is_finite() || t > most_m {
            return None;
        }
        if t < 0.0 {
            // Behind, unless it is behind the other way too.
            let inside = self.shape != Shape::Plane && self.shape.enters(o, -d).0 < 0.0;
            return inside.then_some(Hit {
                at_m: 0.0,
                normal: -along,
            });
        }
        let normal = normal(&self.shape, face, o + d * t, d);
        Some(Hit {
            at_m: t,
            normal: self.pose.transform_vector(normal),
        })
    }
}

/// The unit normal at `p` on a face that a ray enters along `d`, in the shape's frame.
fn normal(shape: &Shape, face: u32, p: Vec3, d: Vec3) -> Vec3 {
    let against = |axis: Vec3| axis * -1f32.copysign(axis.dot(d));
    let round = match (*shape, face) {
        (Shape::Box { .. }, 0) => return against(Vec3::X),
        (Shape::Box { .. }, 1) => return against(Vec3::Y),
        (Shape::Box { .. }, _) | (Shape::Plane, _) | (Shape::Cylinder { .. }, 1) => {
            return against(Vec3::Z);
        }
        (Shape::Cylinder { .. }, _) => Vec3::new(p.x, p.y, 0.0),
        (Shape::Sphere { .. }, _) => p,
        (Shape::Capsule { half_length, .. }, _) => {
            p - Vec3::Z * p.z.clamp(-half_length, half_length)
        }
    };
    round.normalize_or(-d)
}

/// The shape for contacts, and the turn that brings parry's axis (y) to the file's (z).
pub fn solid_of(shape: sdf::Shape) -> Option<(SharedShape, Quat)> {
    let up = Quat::from_rotation_x(std::f32::consts::FRAC_PI_2);
    match shape {
        sdf::Shape::Box { size } => {
            let half = 0.5 * size;
            Some((SharedShape::cuboid(half.x, half.y, half.z), Quat::IDENTITY))
        }
        sdf::Shape::Sphere { radius } => Some((SharedShape::ball(radius), Quat::IDENTITY)),
        sdf::Shape::Cylinder { radius, length } => {
            Some((SharedShape::cylinder(0.5 * length, radius), up))
        }
        sdf::Shape::Capsule { radius, length } => {
            Some((SharedShape::capsule_z(0.5 * length, radius), Quat::IDENTITY))
        }
        sdf::Shape::Plane { .. } => None,
    }
}

/// A pose with a turn about its own axes after it.
pub fn turned(at: Pose, turn: Quat) -> Pose {
    Pose::from_parts(at.translation, at.rotation * turn)
}
