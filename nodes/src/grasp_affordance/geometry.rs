//! Poses in double precision, and the pinhole camera.

use glam::{DMat3, DQuat, DVec2, DVec3};

/// A rigid transform: `self` maps coordinates of its child frame into its
/// parent frame.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pose {
    /// Origin of the child in the parent, metres.
    pub p: DVec3,
    /// Orientation of the child in the parent, unit quaternion.
    pub q: DQuat,
}

impl Pose {
    /// No displacement.
    pub const IDENTITY: Pose = Pose {
        p: DVec3::ZERO,
        q: DQuat::IDENTITY,
    };

    /// From a position and an orientation.
    pub const fn new(p: DVec3, q: DQuat) -> Self {
        Pose { p, q }
    }

    /// From metres and fixed-axis roll, pitch, yaw in radians, as SDF and URDF
    /// write them.
    pub fn from_xyz_rpy(xyz: [f64; 3], rpy: [f64; 3]) -> Self {
        let q = DQuat::from_rotation_z(rpy[2])
            * DQuat::from_rotation_y(rpy[1])
            * DQuat::from_rotation_x(rpy[0]);
        Pose {
            p: DVec3::from_array(xyz),
            q,
        }
    }

    /// The inverse transform.
    pub fn inverse(&self) -> Pose {
        let q = self.q.conjugate();
        Pose {
            p: -(q * self.p),
            q,
        }
    }

    /// A point of the child frame in the parent frame.
    pub fn transform(&self, point: DVec3) -> DVec3 {
        self.p + self.q * point
    }

    /// On the straight line (and the great arc) from `self` to `to`; `t` in 0..=1.
    pub fn interpolate(&self, to: &Pose, t: f64) -> Pose {
        Pose {
            p: self.p.lerp(to.p, t),
            q: self.q.slerp(to.q, t),
        }
    }

    /// Moved by `by` in the parent frame.
    pub fn shifted(&self, by: DVec3) -> Pose {
        Pose {
            p: self.p + by,
            q: self.q,
        }
    }

    /// Whether every number is finite and the quaternion has unit length
    /// within 1 %.
    pub fn is_valid(&self) -> bool {
        self.p.is_finite() && self.q.is_finite() && (self.q.length() - 1.0).abs() < 0.01
    }
}

impl std::ops::Mul for Pose {
    type Output = Pose;
    fn mul(self, child: Pose) -> Pose {
        Pose {
            p: self.transform(child.p),
            q: (self.q * child.q).normalize(),
        }
    }
}

/// A pinhole camera without lens distortion; optical axes (x right, y down,
/// z forward).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Camera {
    /// Focal length in pixels, horizontal.
    pub fx: f64,
    /// Focal length in pixels, vertical.
    pub fy: f64,
    /// Principal point, pixels.
    pub cx: f64,
    /// Principal point, pixels.
    pub cy: f64,
    /// Image width in pixels.
    pub width: usize,
    /// Image height in pixels.
    pub height: usize,
}

impl Camera {
    /// Pixel of a point in the optical frame (metres); `None` behind the camera.
    pub fn project(&self, point: DVec3) -> Option<DVec2> {
        (point.z > 1e-3).then(|| {
            DVec2::new(
                self.fx * point.x / point.z + self.cx,
                self.fy * point.y / point.z + self.cy,
            )
        })
    }

    /// Viewing ray of a pixel in the optical frame, with z = 1.
    pub fn ray(&self, pixel: DVec2) -> DVec3 {
        DVec3::new(
            (pixel.x - self.cx) / self.fx,
            (pixel.y - self.cy) / self.fy,
            1.0,
        )
    }

    /// The calibration matrix.
    pub fn matrix(&self) -> DMat3 {
        DMat3::from_cols(
            DVec3::new(self.fx, 0.0, 0.0),
            DVec3::new(0.0, self.fy, 0.0),
            DVec3::new(self.cx, self.cy, 1.0),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::FRAC_PI_2;

    #[test]
    fn pose_inverts_and_composes() {
        let a = Pose::from_xyz_rpy([1.0, 2.0, 3.0], [0.1, -0.7, 2.0]);
        let b = a * a.inverse();
        assert!(b.p.length() < 1e-12 && b.q.angle_between(DQuat::IDENTITY) < 1e-6);
        // Roll first: y goes to z, then yaw turns about z and leaves it.
        let r = Pose::from_xyz_rpy([0.0; 3], [FRAC_PI_2, 0.0, FRAC_PI_2]);
        assert!((r.transform(DVec3::Y) - DVec3::Z).length() < 1e-12);
    }

    #[test]
    fn camera_projects_and_back_projects() {
        let camera = Camera {
            fx: 120.0,
            fy: 110.0,
            cx: 64.0,
            cy: 60.0,
            width: 128,
            height: 128,
        };
        let point = DVec3::new(0.1, -0.2, 0.8);
        let pixel = camera.project(point).unwrap();
        assert!((pixel - DVec2::new(79.0, 32.5)).length() < 1e-12);
        assert!((camera.ray(pixel) * 0.8 - point).length() < 1e-12);
        assert!((camera.matrix() * (point / 0.8) - DVec3::new(79.0, 32.5, 1.0)).length() < 1e-12);
        assert_eq!(camera.project(DVec3::new(0.0, 0.0, -1.0)), None);
    }
}
