//! What the eye sees of a standing bottle and the table, and what the light
//! does not reach.

use super::super::contour::{BOTTLE_HEIGHT, BOTTLE_PARTS};
use super::super::shading::DIRECT;
use glam::{DVec2, DVec3};

/// What a pixel shows.
#[derive(Debug, Clone, Copy)]
pub enum Spot {
    /// Of the table, relative to the bottle's foot, in sizes of the nominal one.
    Table(DVec2),
    /// Of the bottle, with this normal.
    Bottle(DVec3),
}

impl Spot {
    /// Whether it is not of the table.
    pub fn is_bottle(self) -> bool {
        matches!(self, Spot::Bottle(_))
    }
}

/// Where a pixel looks.
#[derive(Debug, Clone, Copy)]
pub struct Ray {
    /// Unit vector, world.
    along: DVec3,
    /// Way over the table for each metre down; very far above the horizon.
    slope: DVec2,
}

impl Ray {
    /// Along a unit vector.
    pub fn new(along: DVec3) -> Self {
        let slope = if along.z < -1e-6 {
            along.truncate() / -along.z
        } else {
            DVec2::splat(1e6)
        };
        Ray { along, slope }
    }
}

/// Log brightness where so much of the direct light arrives.
pub fn level(direct: f64) -> f64 {
    (1.0 - DIRECT + DIRECT * direct).ln()
}

/// What a ray from the eye meets; lengths in sizes of the nominal bottle, from
/// its foot.
pub fn spot(eye: DVec3, ray: &Ray) -> Spot {
    let table = Spot::Table(eye.truncate() + ray.slope * eye.z);
    let ray = ray.along;
    // Most rays pass beside the widest part.
    let (e, r) = (eye.truncate(), ray.truncate());
    let beside = e.perp_dot(r);
    if beside * beside >= BOTTLE_PARTS[0].2.powi(2) * r.length_squared() {
        return table;
    }
    let mut near = f64::INFINITY;
    let mut normal = DVec3::Z;
    for (low, high, radius) in BOTTLE_PARTS {
        if let Some((t, n)) = hit(eye, ray, (low, high, radius))
            && t < near
        {
            (near, normal) = (t, n);
        }
    }
    if near.is_finite() {
        return Spot::Bottle(normal);
    }
    table
}

/// Where a ray enters a standing cylinder through its wall or its lid: how far
/// along, and the normal.
fn hit(eye: DVec3, ray: DVec3, (low, high, radius): (f64, f64, f64)) -> Option<(f64, DVec3)> {
    let (e, r) = (eye.truncate(), ray.truncate());
    let (a, b) = (r.length_squared(), e.dot(r));
    let root = b * b - a * (e.length_squared() - radius * radius);
    if root <= 0.0 {
        return None;
    }
    let lid = (high - eye.z) / ray.z;
    if lid > 0.0 && ray.z < 0.0 && (e + r * lid).length_squared() < radius * radius {
        return Some((lid, DVec3::Z));
    }
    let t = (-b - root.sqrt()) / a;
    let at = eye + ray * t;
    let met = t > 0.0 && at.z >= low && at.z <= high;
    met.then(|| (t, (at.truncate() / radius).extend(0.0)))
}

/// Whether the bottle stands between a place on the table and the light.
pub fn shaded(at: DVec2, light: DVec3) -> bool {
    // Way over the table for each metre up.
    let slope = light.truncate() / light.z;
    let widest = BOTTLE_PARTS[0].2;
    let along = at.dot(slope);
    if along > 0.0 && at.length_squared() > widest * widest {
        return false;
    }
    let steep = slope.length_squared();
    if along < -(BOTTLE_HEIGHT * steep + widest * steep.sqrt()) {
        return false;
    }
    BOTTLE_PARTS.iter().any(|(low, high, radius)| {
        let z = (-along / steep.max(1e-9)).clamp(*low, *high);
        (at + slope * z).length_squared() < radius * radius
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From 1 m away and 1 m up.
    fn look(at: DVec3) -> Spot {
        let eye = DVec3::new(0.0, 1.0, 1.0);
        spot(eye, &Ray::new((at - eye).normalize()))
    }

    #[test]
    fn walls_face_the_eye_and_lids_the_sky() {
        let Spot::Bottle(wall) = look(DVec3::new(0.0, 0.0325, 0.06)) else {
            panic!("the eye looks at the wall");
        };
        assert!((wall - DVec3::Y).length() < 1e-9, "{wall}");
        let Spot::Bottle(lid) = look(DVec3::new(0.0, 0.0, 0.2)) else {
            panic!("the eye looks at the lid");
        };
        assert_eq!(lid, DVec3::Z);
        // Beside the neck, over the body, the eye sees past it.
        let Spot::Table(past) = look(DVec3::new(0.02, 0.0, 0.19)) else {
            panic!("the neck is narrower than that");
        };
        let there = DVec2::new(0.02, -0.19) / 0.81;
        assert!((past - there).length() < 1e-9, "{past}");
    }

    #[test]
    fn the_shadow_begins_at_the_foot_and_has_a_neck() {
        // The light comes from +x at 45 degrees: the shadow is as long as high.
        let light = DVec3::new(1.0, 0.0, 1.0).normalize();
        assert!(shaded(DVec2::new(-0.06, 0.03), light));
        assert!(!shaded(DVec2::new(0.06, 0.0), light), "towards the light");
        assert!(!shaded(DVec2::new(-0.06, 0.034), light), "beside the body");
        assert!(shaded(DVec2::new(-0.19, 0.012), light));
        assert!(!shaded(DVec2::new(-0.19, 0.02), light), "beside the neck");
        assert!(!shaded(DVec2::new(-0.22, 0.0), light), "beyond the lid");
        // Straight from above there is none but under the bottle.
        assert!(!shaded(DVec2::new(0.0, 0.034), DVec3::Z));
    }

    #[test]
    fn above_the_horizon_nothing_is_shaded() {
        let Spot::Table(at) = look(DVec3::new(0.3, 0.0, 1.2)) else {
            panic!("beside the bottle");
        };
        assert!(!shaded(at, DVec3::new(-0.5, 0.0, 0.8).normalize()));
    }
}
