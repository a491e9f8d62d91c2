//! Rays against primitives, and the rectangles primitives cover on the screen.

use super::{Camera, Light, NEAR, Pose, Rect, Shape};
use glam::{Mat3, Vec3};

/// Shadows are followed no further than this, in metres.
const MAX_SHADOW: f32 = 10.0;

/// Where the ray `o + t d` enters the primitive, as (t, face). NaN, infinite or
/// negative t means that it does not. All are written without branches so that
/// the loops over a row of pixels vectorise.
pub(super) mod hit {
    use super::Vec3;

    fn max(a: f32, b: f32) -> f32 {
        if a > b { a } else { b }
    }

    fn min(a: f32, b: f32) -> f32 {
        if a < b { a } else { b }
    }

    fn inside(t: f32, inside: bool) -> f32 {
        if inside { t } else { f32::INFINITY }
    }

    /// Where a ray meets a circle or sphere: (first t, second t), NaN for a miss.
    /// `a` is d², `b` o·d. Measured from the ray's closest point to the centre,
    /// which keeps small things far away from drowning in rounding (Haines,
    /// Günther and Akenine-Möller 2019).
    #[inline(always)]
    fn chord(a: f32, b: f32, radius: f32, distance2: impl Fn(f32) -> f32) -> (f32, f32) {
        let inv = 1.0 / a;
        let closest = -b * inv;
        let half = ((radius * radius - distance2(closest)) * inv).sqrt();
        (closest - half, closest + half)
    }

    /// [`chord`] with the infinite cylinder around z.
    #[inline(always)]
    fn chord_xy(o: Vec3, d: Vec3, radius: f32) -> (f32, f32) {
        let (a, b) = (d.x * d.x + d.y * d.y, o.x * d.x + o.y * d.y);
        chord(a, b, radius, |t| {
            let (x, y) = (o.x + t * d.x, o.y + t * d.y);
            x * x + y * y
        })
    }

    #[inline(always)]
    pub fn sphere(o: Vec3, d: Vec3, radius: f32) -> (f32, u32) {
        let t = chord(d.dot(d), o.dot(d), radius, |t| (o + d * t).length_squared());
        (t.0, 0)
    }

    /// Slabs (Kay and Kajiya 1986); the face is the axis of the slab entered last.
    #[inline(always)]
    pub fn cuboid(o: Vec3, d: Vec3, half: Vec3) -> (f32, u32) {
        let slab = |o: f32, d: f32, h: f32| {
            let (inv, h) = (1.0 / d, h.copysign(d));
            ((-h - o) * inv, (h - o) * inv)
        };
        let (x, y, z) = (
            slab(o.x, d.x, half.x),
            slab(o.y, d.y, half.y),
            slab(o.z, d.z, half.z),
        );
        let enter = max(max(x.0, y.0), z.0);
        let leave = min(min(x.1, y.1), z.1);
        let face = if enter == z.0 {
            2
        } else if enter == y.0 {
            1
        } else {
            0
        };
        (inside(enter, enter <= leave), face)
    }

    /// Face 0 is the side, 1 a flat end.
    #[inline(always)]
    pub fn cylinder(o: Vec3, d: Vec3, radius: f32, half_length: f32) -> (f32, u32) {
        let (side, side_leave) = chord_xy(o, d, radius);
        let h = half_length.copysign(d.z);
        let (end, end_leave) = ((-h - o.z) / d.z, (h - o.z) / d.z);
        let (enter, leave) = (max(end, side), min(end_leave, side_leave));
        (inside(enter, enter <= leave), u32::from(end > side))
    }

    #[inline(always)]
    pub fn capsule(o: Vec3, d: Vec3, radius: f32, half_length: f32) -> (f32, u32) {
        let (side, _) = chord_xy(o, d, radius);
        let z = o.z + side * d.z;
        let (end, _) = sphere(
            Vec3::new(o.x, o.y, o.z - half_length.copysign(z)),
            d,
            radius,
        );
        (if z.abs() <= half_length { side } else { end }, 0)
    }

    #[inline(always)]
    pub fn plane(o: Vec3, d: Vec3) -> (f32, u32) {
        (inside(-o.z / d.z, o.z > 0.0), 0)
    }
}

impl Shape {
    /// Half edge lengths of the axis-aligned box around the shape in its frame.
    pub(crate) fn half_extents(&self) -> Option<Vec3> {
        match *self {
            Self::Box { half } => Some(half),
            Self::Sphere { radius } => Some(Vec3::splat(radius)),
            Self::Cylinder {
                radius,
                half_length,
            } => Some(Vec3::new(radius, radius, half_length)),
            Self::Capsule {
                radius,
                half_length,
            } => Some(Vec3::new(radius, radius, half_length + radius)),
            Self::Plane => None,
        }
    }

    /// Radius of a sphere around the shape; `None` for the infinite plane.
    pub(crate) fn bounding_radius(&self) -> Option<f32> {
        match *self {
            Self::Sphere { radius } => Some(radius),
            Self::Capsule {
                radius,
                half_length,
            } => Some(radius + half_length),
            Self::Cylinder {
                radius,
                half_length,
            } => Some((radius * radius + half_length * half_length).sqrt()),
            Self::Box { half } => Some(half.length()),
            Self::Plane => None,
        }
    }

    /// Where the ray from `o` along `d` (both in the shape's frame) enters, as (t, face);
    /// see [`hit`].
    pub(crate) fn enters(&self, o: Vec3, d: Vec3) -> (f32, u32) {
        match *self {
            Self::Box { half } => hit::cuboid(o, d, half),
            Self::Sphere { radius } => hit::sphere(o, d, radius),
            Self::Cylinder {
                radius,
                half_length,
            } => hit::cylinder(o, d, radius, half_length),
            Self::Capsule {
                radius,
                half_length,
            } => hit::capsule(o, d, radius, half_length),
            Self::Plane => hit::plane(o, d),
        }
    }

    /// Whether the ray from `o` along `d` (both in the shape's frame) is blocked.
    pub(super) fn blocks(&self, o: Vec3, d: Vec3) -> bool {
        let (t, _) = self.enters(o, d);
        *self != Self::Plane && t > 0.0 && t.is_finite()
    }
}

/// A world pose in the camera's frame: rotation and translation.
pub(super) fn in_camera(pose: &Pose, camera_pose: &Pose) -> (Mat3, Vec3) {
    let inverse = camera_pose.q.conjugate();
    (
        Mat3::from_quat(inverse * pose.q),
        inverse * (pose.p - camera_pose.p),
    )
}

/// The lowest point of a scene's finite primitives and planes: where shadows end.
pub(crate) fn lowest<'a>(visuals: impl Iterator<Item = (&'a Shape, &'a Pose)>) -> f32 {
    visuals
        .map(|(shape, pose)| match shape.half_extents() {
            Some(half) => {
                let up = pose.q.conjugate() * Vec3::Z;
                pose.p.z - up.abs().dot(half)
            }
            None => pose.p.z,
        })
        .fold(f32::INFINITY, f32::min)
}

/// The pixels a primitive may cover; `None` when it is outside of the image.
pub(crate) fn shape_rect(
    shape: &Shape,
    pose: &Pose,
    camera: &Camera,
    camera_pose: &Pose,
) -> Option<Rect> {
    let Some(half) = shape.half_extents() else {
        return Some(camera.full());
    };
    let (axes, centre) = in_camera(pose, camera_pose);
    box_rect(centre, axes * Mat3::from_diagonal(half), camera)
}

/// The pixels a primitive's shadow may cover; `lowest` is where shadows end (z).
pub(super) fn shadow_rect(
    shape: &Shape,
    pose: &Pose,
    light: &Light,
    lowest: f32,
    camera: &Camera,
    camera_pose: &Pose,
) -> Option<Rect> {
    let radius = shape.bounding_radius()?;
    let along = light.direction.normalize_or(Vec3::NEG_Z);
    let drop = (pose.p.z + radius - lowest).max(0.0);
    let length = (drop / (-along.z).max(1e-3)).min(MAX_SHADOW);
    let (u, v) = along.any_orthonormal_pair();
    let to_camera = Mat3::from_quat(camera_pose.q.conjugate());
    let centre = to_camera * (pose.p + along * (0.5 * length) - camera_pose.p);
    let axes = Mat3::from_cols(u * radius, v * radius, along * (0.5 * length + radius));
    box_rect(centre, to_camera * axes, camera)
}

/// The pixels a primitive and its shadow may cover.
pub(crate) fn covered_rect(
    shape: &Shape,
    pose: &Pose,
    light: &Light,
    lowest: f32,
    camera: &Camera,
    camera_pose: &Pose,
) -> Option<Rect> {
    let own = shape_rect(shape, pose, camera, camera_pose);
    let shadow = shadow_rect(shape, pose, light, lowest, camera, camera_pose);
    match (own, shadow) {
        (Some(a), Some(b)) => Some(a.union(b)),
        (a, b) => a.or(b),
    }
}

/// The pixels covered by the box `centre ± axes` (camera frame, columns are the
/// scaled half axes), clipped at the near plane, with a margin of one pixel.
fn box_rect(centre: Vec3, axes: Mat3, camera: &Camera) -> Option<Rect> {
    let corner = |i: usize| {
        let sign = |bit: usize| if i >> bit & 1 == 0 { -1.0 } else { 1.0 };
        centre + axes * Vec3::new(sign(0), sign(1), sign(2))
    };
    let corners: [Vec3; 8] = std::array::from_fn(corner);
    let mut bounds = Bounds::default();
    for (i, &a) in corners.iter().enumerate() {
        if a.z >= NEAR {
            bounds.add(a, camera);
        }
        for bit in 0..3 {
            let b = corners[i ^ (1 << bit)];
            if a.z < NEAR && b.z > NEAR {
                bounds.add(a + (b - a) * ((NEAR - a.z) / (b.z - a.z)), camera);
            }
        }
    }
    bounds.rect(camera)
}

struct Bounds {
    min: [f32; 2],
    max: [f32; 2],
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            min: [f32::INFINITY; 2],
            max: [f32::NEG_INFINITY; 2],
        }
    }
}

impl Bounds {
    fn add(&mut self, p: Vec3, camera: &Camera) {
        let z = p.z.max(NEAR);
        let uv = [
            camera.fx * p.x / z + camera.cx,
            camera.fy * p.y / z + camera.cy,
        ];
        for ((lo, hi), value) in self.min.iter_mut().zip(&mut self.max).zip(uv) {
            *lo = lo.min(value);
            *hi = hi.max(value);
        }
    }

    fn rect(&self, camera: &Camera) -> Option<Rect> {
        // Float-to-integer casts saturate and NaN gives 0: a NaN box is empty.
        let low = |v: f32| (v - 1.0).floor().max(0.0) as u32;
        let high = |v: f32, side: u32| ((v + 2.0).floor().max(0.0) as u32).min(side);
        Rect {
            x0: low(self.min[0]),
            y0: low(self.min[1]),
            x1: high(self.max[0], camera.width),
            y1: high(self.max[1], camera.height),
        }
        .intersection(camera.full())
    }
}
