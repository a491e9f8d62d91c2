//! The outlines of the objects as the camera sees them.
//!
//! An object is a union of convex parts; a part is the convex hull of a few
//! points of its surface. Its outline is the hull of their projections; where
//! parts overlap, what lies inside another part is no outline.

use super::geometry::{Camera, Pose};
use glam::{DVec2, DVec3};
use std::f64::consts::TAU;

/// The classes that can be grasped, with the class ids of the decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A sphere.
    Ball = 0,
    /// Standing upright.
    Bottle = 1,
    /// Lying.
    Pen = 2,
}

impl Class {
    /// From a decision's class id; `None` for the background and anything unknown.
    pub fn from_id(id: i64) -> Option<Class> {
        match id {
            0 => Some(Class::Ball),
            1 => Some(Class::Bottle),
            2 => Some(Class::Pen),
            _ => None,
        }
    }

    /// As in `saccade_msgs::CLASSES`.
    pub fn name(self) -> &'static str {
        match self {
            Class::Ball => "ball",
            Class::Bottle => "bottle",
            Class::Pen => "pen",
        }
    }
}

/// Radius of the nominal ball, metres.
pub const BALL_RADIUS: f64 = 0.0325;
/// Radius of the nominal pen, metres.
pub const PEN_RADIUS: f64 = 0.006;
/// Length of the nominal pen, metres.
pub const PEN_LENGTH: f64 = 0.140;
/// The nominal bottle's body, shoulder and neck: foot and lid height over the
/// table and radius, metres.
pub const BOTTLE_PARTS: [(f64, f64, f64); 3] = [
    (0.0, 0.135, 0.0325),
    (0.135, 0.155, 0.024),
    (0.155, 0.200, 0.014),
];
/// Height of the nominal bottle, metres.
pub const BOTTLE_HEIGHT: f64 = 0.200;

/// An object's place on the table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// Centre on the table, world, metres.
    pub x: f64,
    /// Centre on the table, world, metres.
    pub y: f64,
    /// Direction of the pen's axis, radians, 0..π; 0 for the others.
    pub yaw: f64,
    /// Size relative to the nominal object.
    pub scale: f64,
}

/// A point of an outline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EdgePoint {
    /// Pixels.
    pub p: DVec2,
    /// Unit normal, away from the object.
    pub n: DVec2,
}

/// Points on a circle of a part.
const CIRCLE: usize = 16;

/// Draws outlines; keeps its buffers.
#[derive(Debug, Clone)]
pub struct Outliner {
    camera: Camera,
    /// Optical frame from world.
    view: Pose,
    /// Camera centre, world.
    eye: DVec3,
    table: f64,
    corners: Vec<DVec2>,
    hulls: Vec<Vec<DVec2>>,
}

impl Outliner {
    /// For a camera whose optical frame lies at `pose` in the world, over a
    /// table of height `table`.
    pub fn new(camera: Camera, pose: &Pose, table: f64) -> Self {
        Outliner {
            camera,
            view: pose.inverse(),
            eye: pose.p,
            table,
            corners: Vec::new(),
            hulls: Vec::new(),
        }
    }

    /// Pixel of a world point.
    pub fn project(&self, point: DVec3) -> Option<DVec2> {
        self.camera.project(self.view.transform(point))
    }

    /// The outline of an object in about `count` evenly spaced points, written
    /// to `out`; empty when a part lies behind the camera.
    pub fn outline(
        &mut self,
        class: Class,
        place: &Placement,
        count: usize,
        out: &mut Vec<EdgePoint>,
    ) {
        out.clear();
        let mut parts = 0;
        match class {
            Class::Ball => parts += usize::from(self.ball(place)),
            Class::Pen => parts += usize::from(self.pen(place)),
            Class::Bottle => {
                for (k, part) in BOTTLE_PARTS.iter().enumerate() {
                    if !self.cylinder(k, place, *part) {
                        return;
                    }
                    parts += 1;
                }
            }
        }
        let hulls = &self.hulls[..parts];
        let length: f64 = hulls.iter().map(|h| perimeter(h)).sum();
        let spacing = length / count as f64;
        for (k, hull) in hulls.iter().enumerate() {
            walk(hull, spacing, |edge| {
                let hidden = hulls
                    .iter()
                    .enumerate()
                    .any(|(i, h)| i != k && inside(h, edge.p));
                if !hidden {
                    out.push(edge);
                }
            });
        }
    }

    /// Where a pixel looks: unit vector, world.
    pub fn ray(&self, pixel: DVec2) -> DVec3 {
        let c = &self.camera;
        let (x, y) = ((pixel.x - c.cx) / c.fx, (pixel.y - c.cy) / c.fy);
        self.view.q.conjugate() * DVec3::new(x, y, 1.0).normalize()
    }

    /// Width and height of the image, pixels.
    pub fn size(&self) -> (usize, usize) {
        (self.camera.width, self.camera.height)
    }

    /// The camera's centre, world.
    pub fn eye(&self) -> DVec3 {
        self.eye
    }

    /// The circle at which rays from the eye touch a sphere.
    fn rim(&mut self, centre: DVec3, radius: f64) -> bool {
        let to_eye = self.eye - centre;
        let d = to_eye.length();
        if d <= radius * 1.05 {
            return false;
        }
        let axis = to_eye / d;
        let (u, v) = axis.any_orthonormal_pair();
        let middle = centre + axis * (radius * radius / d);
        let r = radius * (1.0 - (radius / d).powi(2)).sqrt();
        // The polygon is widened so that it has the circle's mean radius.
        let r = r * (1.0 + 0.5 * (TAU / (2.0 * CIRCLE as f64)).powi(2) / 3.0);
        self.ring(middle, u * r, v * r)
    }

    fn ring(&mut self, middle: DVec3, u: DVec3, v: DVec3) -> bool {
        for k in 0..CIRCLE {
            let (s, c) = (TAU * k as f64 / CIRCLE as f64).sin_cos();
            match self.project(middle + u * c + v * s) {
                Some(pixel) => self.corners.push(pixel),
                None => return false,
            }
        }
        true
    }

    fn ball(&mut self, at: &Placement) -> bool {
        let radius = BALL_RADIUS * at.scale;
        self.corners.clear();
        self.rim(DVec3::new(at.x, at.y, self.table + radius), radius) && self.close(0)
    }

    fn pen(&mut self, at: &Placement) -> bool {
        let radius = PEN_RADIUS * at.scale;
        let half = PEN_LENGTH * at.scale / 2.0 - radius;
        let along = DVec3::new(at.yaw.cos(), at.yaw.sin(), 0.0) * half;
        let middle = DVec3::new(at.x, at.y, self.table + radius);
        self.corners.clear();
        self.rim(middle + along, radius) && self.rim(middle - along, radius) && self.close(0)
    }

    fn cylinder(&mut self, part: usize, at: &Placement, size: (f64, f64, f64)) -> bool {
        let (low, high, radius) = size;
        self.corners.clear();
        for z in [low, high] {
            let middle = DVec3::new(at.x, at.y, self.table + z * at.scale);
            let r = radius * at.scale;
            if !self.ring(middle, DVec3::X * r, DVec3::Y * r) {
                return false;
            }
        }
        self.close(part)
    }

    /// Makes the hull of the collected corners the outline of a part.
    fn close(&mut self, part: usize) -> bool {
        if self.hulls.len() <= part {
            self.hulls.resize(part + 1, Vec::new());
        }
        hull(&mut self.corners, &mut self.hulls[part]);
        self.hulls[part].len() >= 3
    }
}

/// Convex hull, monotone chain; counter-clockwise in x right, y up (so clockwise
/// as seen in an image).
fn hull(points: &mut [DVec2], out: &mut Vec<DVec2>) {
    points.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
    out.clear();
    let turn = |a: DVec2, b: DVec2, c: DVec2| (b - a).perp_dot(c - a);
    let mut add = |p: DVec2, floor: usize| {
        while out.len() >= floor + 2 && turn(out[out.len() - 2], out[out.len() - 1], p) <= 1e-9 {
            out.pop();
        }
        out.push(p);
        out.len()
    };
    let mut floor = 0;
    for p in points.iter() {
        floor = add(*p, 0);
    }
    let floor = floor.saturating_sub(1);
    for p in points.iter().rev().skip(1) {
        add(*p, floor);
    }
    out.pop();
}

fn perimeter(hull: &[DVec2]) -> f64 {
    (0..hull.len())
        .map(|i| hull[i].distance(hull[(i + 1) % hull.len()]))
        .sum()
}

/// Points every `spacing` pixels along a hull.
fn walk(hull: &[DVec2], spacing: f64, mut visit: impl FnMut(EdgePoint)) {
    let mut next = 0.5 * spacing;
    for i in 0..hull.len() {
        let (a, b) = (hull[i], hull[(i + 1) % hull.len()]);
        let length = a.distance(b);
        if length > 0.0 {
            let along = (b - a) / length;
            while next < length {
                visit(EdgePoint {
                    p: a + along * next,
                    n: DVec2::new(along.y, -along.x),
                });
                next += spacing;
            }
        }
        next -= length;
    }
}

fn inside(hull: &[DVec2], p: DVec2) -> bool {
    (0..hull.len()).all(|i| {
        let (a, b) = (hull[i], hull[(i + 1) % hull.len()]);
        (b - a).perp_dot(p - a) > 0.0
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use glam::{DMat3, DQuat};
    use std::f64::consts::PI;

    /// 0.75 m over the table, looking straight down, x right, y down = world x, -y.
    pub(crate) fn from_above() -> (Camera, Pose) {
        let camera = Camera {
            fx: 240.0,
            fy: 240.0,
            cx: 63.5,
            cy: 63.5,
            width: 128,
            height: 128,
        };
        (
            camera,
            Pose::new(DVec3::new(0.5, 0.0, 1.5), DQuat::from_rotation_x(PI)),
        )
    }

    fn outline(class: Class, place: Placement) -> Vec<EdgePoint> {
        let (camera, pose) = from_above();
        let mut out = Vec::new();
        Outliner::new(camera, &pose, 0.75).outline(class, &place, 60, &mut out);
        out
    }

    #[test]
    fn a_ball_is_a_circle_of_its_tangent_cone() {
        let place = Placement {
            x: 0.5,
            y: 0.0,
            yaw: 0.0,
            scale: 1.0,
        };
        let d: f64 = 0.75 - BALL_RADIUS;
        let expected = 240.0 * BALL_RADIUS / (d * d - BALL_RADIUS * BALL_RADIUS).sqrt();
        let points = outline(Class::Ball, place);
        assert!(points.len() >= 58);
        for e in &points {
            let from_centre = e.p - DVec2::new(63.5, 63.5);
            assert!((from_centre.length() - expected).abs() < 0.15);
            assert!(
                e.n.dot(from_centre.normalize()) > 0.97,
                "normals point outwards"
            );
        }
    }

    #[test]
    fn a_pen_is_a_strip_along_its_yaw() {
        let place = Placement {
            x: 0.52,
            y: 0.03,
            yaw: 0.6,
            scale: 1.1,
        };
        let points = outline(Class::Pen, place);
        // Image y is -world y, so the yaw turns the other way.
        let along = DVec2::new(0.6f64.cos(), -(0.6f64.sin()));
        let scale = 240.0 / (0.75 - PEN_RADIUS * 1.1);
        let centre = DVec2::new(63.5 + 0.02 * scale, 63.5 - 0.03 * scale);
        let reach = points
            .iter()
            .map(|e| (e.p - centre).dot(along).abs())
            .fold(0.0, f64::max);
        let width = points
            .iter()
            .map(|e| (e.p - centre).perp_dot(along).abs())
            .fold(0.0, f64::max);
        assert!(
            (reach - PEN_LENGTH * 1.1 / 2.0 * scale).abs() < 0.5,
            "{reach}"
        );
        assert!((width - PEN_RADIUS * 1.1 * scale).abs() < 0.2, "{width}");
    }

    #[test]
    fn a_bottle_has_a_neck() {
        // Seen from the side, at the height of the table, 1 m away.
        let place = Placement {
            x: 0.5,
            y: 0.0,
            yaw: 0.0,
            scale: 1.0,
        };
        let axes = DMat3::from_cols(DVec3::X, DVec3::NEG_Z, DVec3::Y);
        let pose = Pose::new(DVec3::new(0.5, -1.0, 0.75), DQuat::from_mat3(&axes));
        let mut points = Vec::new();
        let camera = Camera {
            cy: 120.0,
            ..from_above().0
        };
        Outliner::new(camera, &pose, 0.75).outline(Class::Bottle, &place, 200, &mut points);
        let half_width = |height: f64| {
            let row = 120.0 - 240.0 * height;
            let near = points.iter().filter(|e| (e.p.y - row).abs() < 1.0);
            near.map(|e| (e.p.x - 63.5).abs()).fold(0.0, f64::max)
        };
        assert!(
            (half_width(0.06) - 240.0 * 0.0325).abs() < 0.2,
            "{}",
            half_width(0.06)
        );
        assert!(
            (half_width(0.18) - 240.0 * 0.0140).abs() < 0.2,
            "{}",
            half_width(0.18)
        );
        // Lid and foot, and nothing across the body where the parts meet.
        let inner = points.iter().filter(|e| (e.p.x - 63.5).abs() < 2.0);
        assert!(inner.clone().count() > 0);
        assert!(
            inner
                .into_iter()
                .all(|e| e.p.y > 118.0 || e.p.y < 120.0 - 240.0 * 0.19)
        );
    }

    #[test]
    fn a_place_behind_the_camera_has_no_outline() {
        let (camera, pose) = from_above();
        let behind = Pose::new(pose.p, DQuat::IDENTITY);
        let mut out = vec![];
        let place = Placement {
            x: 0.5,
            y: 0.0,
            yaw: 0.0,
            scale: 1.0,
        };
        for class in [Class::Ball, Class::Bottle, Class::Pen] {
            Outliner::new(camera, &behind, 0.75).outline(class, &place, 60, &mut out);
            assert!(out.is_empty());
        }
    }
}
