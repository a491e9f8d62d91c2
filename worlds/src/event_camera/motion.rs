//! Bounds on how far the image moves between two sets of poses.

use super::EventCameraError;
use crate::render::{self, Camera, Pose, Rect, Scene, Visual};

/// Poses of the camera and of all visuals at one moment.
#[derive(Debug, Default)]
pub(super) struct Snapshot {
    pub camera: Pose,
    poses: Vec<Pose>,
}

/// How far the image moved, and where.
#[derive(Debug)]
pub(super) struct Motion {
    /// Bound on the displacement of any point of the image, in pixels.
    pub pixels: f32,
    /// What changed; `None` if nothing visible did.
    pub change: Option<Change>,
}

/// Which part of an image shows something new.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Change {
    /// The camera moved: all of it.
    Whole,
    /// Bodies moved before a still camera, in this rectangle.
    Bodies(Rect),
}

impl Snapshot {
    pub fn set(&mut self, scene: &Scene, camera_pose: &Pose) {
        self.camera = *camera_pose;
        self.poses.clear();
        self.poses.extend(scene.visuals.iter().map(|v| v.pose));
    }

    /// Gives `between` the poses a fraction `s` of the way from here to `scene`.
    pub fn interpolate(&self, scene: &Scene, s: f32, between: &mut Scene) {
        let ends = self.poses.iter().zip(&scene.visuals);
        for (visual, (before, now)) in between.visuals.iter_mut().zip(ends) {
            visual.pose = before.interpolate(&now.pose, s);
        }
    }

    /// As [`Snapshot::motion_to`], in pixels and without looking where on the screen
    /// things are: at least as much, and quick to find.
    pub fn bound_to(
        &self,
        scene: &Scene,
        camera_pose: &Pose,
        camera: &Camera,
        nearest: f32,
    ) -> f32 {
        let nearest = nearest.max(render::NEAR);
        let scale = BodyScale::new(scene, camera, nearest);
        let moved = scene.visuals.iter().zip(&self.poses);
        let moved = moved.filter(|(visual, before)| visual.pose != **before);
        let by_bodies = moved.map(|(visual, before)| scale.pixels(visual, before, camera_pose));
        camera_motion_px(camera, &self.camera, camera_pose, nearest) + by_bodies.fold(0.0, f32::max)
    }

    /// Bounds the motion from these poses to those of `scene` and `camera_pose`.
    /// `nearest` is the depth of the closest surface in view, in metres.
    ///
    /// For the camera's own motion see [`camera_motion_px`]. A body's points move by
    /// at most its centre's way plus its rotation times its radius.
    pub fn motion_to(
        &self,
        scene: &Scene,
        camera_pose: &Pose,
        camera: &Camera,
        nearest: f32,
    ) -> Motion {
        let nearest = nearest.max(render::NEAR);
        let by_camera = camera_motion_px(camera, &self.camera, camera_pose, nearest);
        let scale = BodyScale::new(scene, camera, nearest);

        let lowest = render::lowest(scene.visuals.iter().map(|v| (&v.shape, &v.pose)));
        let (mut by_bodies, mut region) = (0f32, None::<Rect>);
        for (visual, before) in scene.visuals.iter().zip(&self.poses) {
            if visual.pose == *before {
                continue;
            }
            let rect = |pose, from| {
                if visual.shadow {
                    let light = &scene.light;
                    render::covered_rect(&visual.shape, pose, light, lowest, camera, from)
                } else {
                    render::shape_rect(&visual.shape, pose, camera, from)
                }
            };
            let covered = match (rect(before, &self.camera), rect(&visual.pose, camera_pose)) {
                (Some(a), Some(b)) => a.union(b),
                (Some(a), None) | (None, Some(a)) => a,
                (None, None) => continue,
            };
            region = Some(region.map_or(covered, |r| r.union(covered)));
            by_bodies = by_bodies.max(scale.pixels(visual, before, camera_pose));
        }
        let change = if by_camera > CAMERA_STILL_PX {
            Some(Change::Whole)
        } else {
            region.map(Change::Bodies)
        };
        Motion {
            pixels: by_camera + by_bodies,
            change,
        }
    }
}

/// What turns the motion of bodies into motion of the image.
struct BodyScale {
    /// Pixels per metre across, at a depth of one metre.
    focal: f32,
    /// How much faster than a body its shadow on a level floor may move.
    shadow_stretch: f32,
    nearest: f32,
}

impl BodyScale {
    fn new(scene: &Scene, camera: &Camera, nearest: f32) -> Self {
        Self {
            focal: camera.fx.max(camera.fy) * (1.0 + corner(camera)),
            shadow_stretch: 1.0 / (-scene.light.direction.normalize_or_zero().z).max(0.2),
            nearest,
        }
    }

    /// Bound on the motion of any point of a body or its shadow, that was at `before`.
    fn pixels(&self, visual: &Visual, before: &Pose, camera_pose: &Pose) -> f32 {
        let radius = visual.shape.bounding_radius().unwrap_or(1.0);
        let (way, angle) = displacement(before, &visual.pose);
        let depth = camera_pose.q.conjugate() * (visual.pose.p - camera_pose.p);
        let depth = (depth.z - radius)
            .max(self.nearest.min(0.5))
            .max(render::NEAR);
        let moved = self.focal * (way + angle * radius);
        let shadow = moved * self.shadow_stretch / self.nearest;
        (moved / depth).max(if visual.shadow { shadow } else { 0.0 })
    }
}

/// Bound on how far a still scene's image moves when the camera does, in pixels;
/// `nearest` is the depth of the closest surface in metres.
///
/// A rotation by θ moves a point at tan-radius r from the optical axis by at most
/// f θ (1 + r²) pixels, a translation by d moves a point at depth z by at most
/// f d (1 + r)/z.
pub(crate) fn camera_motion_px(camera: &Camera, from: &Pose, to: &Pose, nearest: f32) -> f32 {
    let (focal, corner) = (camera.fx.max(camera.fy), corner(camera));
    let (way, angle) = displacement(from, to);
    focal * (angle * (1.0 + corner * corner) + way * (1.0 + corner) / nearest)
}

/// Largest tan-radius in the image.
fn corner(camera: &Camera) -> f32 {
    let reach = |c: f32, side: u32| c.abs().max((side as f32 - c).abs());
    (reach(camera.cx, camera.width) / camera.fx).hypot(reach(camera.cy, camera.height) / camera.fy)
}

/// A camera that trembles by less than this, as one on a controlled joint does, is
/// taken as still: only the rectangle around moving bodies is rendered. The motion
/// adds up until the image is rendered as a whole.
pub(crate) const CAMERA_STILL_PX: f32 = 0.05;

/// Distance in metres and angle in radians between two poses.
fn displacement(a: &Pose, b: &Pose) -> (f32, f32) {
    if a == b {
        return (0.0, 0.0);
    }
    // |q1 - q2| = 2 sin(θ/4): unlike an arccosine it is exact for small angles.
    let same_sign = if a.q.dot(b.q) < 0.0 { -b.q } else { b.q };
    let chord = (glam::Vec4::from(a.q) - glam::Vec4::from(same_sign)).length();
    let angle = 4.0 * (0.5 * chord).min(1.0).asin();
    ((b.p - a.p).length(), angle)
}

/// Whether all poses are finite.
pub(super) fn check_finite(scene: &Scene, camera_pose: &Pose) -> Result<(), EventCameraError> {
    if !camera_pose.is_finite() {
        return Err(EventCameraError::NotFinite("the event camera".into()));
    }
    match scene.visuals.iter().position(|v| !v.pose.is_finite()) {
        Some(i) => Err(EventCameraError::NotFinite(format!(
            "visual {i} (body {})",
            scene.visuals[i].body
        ))),
        None => Ok(()),
    }
}
