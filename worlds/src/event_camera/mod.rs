//! An event camera: what its pixels do, and when the scene must be rendered for it.
//!
//! # Pixel
//!
//! After ESIM (Rebecq, Gehrig and Scaramuzza 2018) and v2e (Hu, Liu and Delbruck
//! 2021). I is linear luminance, 1.0 being white.
//!
//! | part | model |
//! |---|---|
//! | brightness | L = ln(eps + I), linear in time between two samples |
//! | bandwidth | first-order low-pass of L with rate 2π f₃dB (255 I + 20)/275, solved exactly for the linear input (v2e takes an Euler step) |
//! | event | where the filtered L crosses reference ± threshold, time by linear interpolation |
//! | thresholds | per pixel and polarity N(C, sigma), drawn once, at least 0.01 |
//! | refractory period | after an event the pixel is held in reset; at the end of the period its reference is the brightness *then*: changes meanwhile are lost, as in the sensor. With a period of 0 the reference moves by exactly one threshold |
//! | leak | the reference sinks by leak rate × ON threshold per second, so that a pixel in constant light fires ON at the leak rate; rates vary from pixel to pixel (log-normal); phases are uniform at reset |
//! | shot noise | per polarity a Poisson process of rate R/2 (1 - 0.75 i) C/threshold, i = (255 I + 20)/275; a noise event resets the pixel as any event does |
//!
//! Every part can be switched off by setting its parameter to 0. Shot noise is drawn
//! event by event over the whole array, and leaking pixels are looked up only when
//! one is due, so an unchanging scene costs next to nothing.
//!
//! # When the scene is rendered
//!
//! [`EventCamera::advance`] bounds how far the image has moved since it was last
//! rendered, from the poses of the camera and the visuals. Below
//! [`EventCameraParams::min_motion_px`] (2.5 times that where only bodies moved)
//! nothing is rendered. Above
//! [`EventCameraParams::max_motion_px`] in one step, the step is cut into parts with
//! interpolated poses. If only bodies moved, only the rectangle around them and
//! their shadows is rendered.
//!
//! # Limits
//!
//! * What a skipped step would have shown appears in the next step that renders, so
//!   events may be late by the time the image takes to move by `min_motion_px`.
//! * Inside a step the filtered brightness is taken as linear, so with the low-pass
//!   on, times are exact only for steps shorter than its time constant.
//! * Poses and nothing else may change between resets: light, materials and the
//!   list of visuals are fixed.
//! * A shot noise event takes precedence over a brightness event of the same pixel
//!   in the same step.
//! * No lens, no row arbitration, no read-out latency or bus saturation, no hot
//!   pixels, no temperature.

mod frames;
mod log;
mod motion;
mod noise;
mod params;
mod pixels;

pub use frames::{FrameError, FrameToEvents};
pub use params::{EventCameraParams, ParamError};

use crate::render::{self, Camera, Pose, Rect, RenderError, Scene, Scratch};
pub(crate) use motion::{CAMERA_STILL_PX, camera_motion_px};
use motion::{Change, Snapshot};
pub(crate) use noise::standard_normal;
use pixels::PixelArray;
use saccade_msgs::Event;

/// What can be wrong with a call to an [`EventCamera`].
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EventCameraError {
    /// A parameter is out of range.
    #[error(transparent)]
    Param(#[from] ParamError),
    /// The camera's numbers make no sense.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// `advance` before the first `reset`.
    #[error("the event camera has no reference image yet: call reset before advance")]
    NotReset,
    /// Time went backwards.
    #[error("advance to {to_us} us, but the event camera is at {now_us} us already")]
    TimeBackwards {
        /// Time asked for, in microseconds.
        to_us: u64,
        /// Time reached before, in microseconds.
        now_us: u64,
    },
    /// More than poses changed.
    #[error("{0} changed since the event camera's last reset: call reset after such a change")]
    SceneChanged(&'static str),
    /// A pose is NaN or infinite.
    #[error("the pose of {0} is not finite: the simulation has diverged")]
    NotFinite(String),
}

/// What an event camera has done since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Calls of [`EventCamera::advance`].
    pub steps: u64,
    /// Images or parts of images rendered.
    pub renders: u64,
    /// Pixels rendered.
    pub pixels: u64,
    /// Events sent, noise included.
    pub events: u64,
    /// Events of leak in constant light, and of shot noise.
    pub noise_events: u64,
}

/// How much further than a camera's own motion bodies may move before a still camera
/// until they are rendered again: with the default, half a pixel, ESIM's bound.
const BODY_MOTION: f32 = 2.5;

/// An event camera that looks at a [`Scene`].
#[derive(Debug)]
pub struct EventCamera {
    camera: Camera,
    params: EventCameraParams,
    pixels: PixelArray,
    luminance: Vec<f32>,
    scratch: Scratch,
    /// Poses the luminance image was rendered from.
    sampled: Snapshot,
    /// Poses at the end of the last step.
    last: Snapshot,
    /// The scene at the last reset, its poses overwritten within steps.
    between: Option<Scene>,
    /// Depth of the closest surface in the last whole image.
    nearest: f32,
    stats: Stats,
}

impl EventCamera {
    /// A camera whose fixed pattern (thresholds, leak rates) is drawn from `seed`.
    ///
    /// # Errors
    /// A parameter out of range or an impossible camera.
    pub fn new(
        params: &EventCameraParams,
        camera: Camera,
        seed: u64,
    ) -> Result<Self, EventCameraError> {
        camera.validate()?;
        let pixels = PixelArray::new(params, camera.width, camera.height, seed)?;
        Ok(Self {
            camera,
            params: params.clone(),
            pixels,
            luminance: vec![0.0; camera.pixels()],
            scratch: Scratch::default(),
            sampled: Snapshot::default(),
            last: Snapshot::default(),
            between: None,
            nearest: f32::INFINITY,
            stats: Stats::default(),
        })
    }

    /// The camera model.
    pub fn camera(&self) -> &Camera {
        &self.camera
    }

    /// What has been done so far.
    pub fn stats(&self) -> Stats {
        Stats {
            noise_events: self.pixels.noise_events(),
            ..self.stats
        }
    }

    /// The luminance image that was rendered last, row by row.
    pub fn luminance(&self) -> &[f32] {
        &self.luminance
    }

    /// Looks at the scene anew, without events: after the world was reset, or after
    /// light, materials or the list of visuals changed. Noise starts again from
    /// `noise_seed`, so that what follows depends on nothing before.
    ///
    /// # Errors
    /// A pose that is not finite.
    pub fn reset(
        &mut self,
        t_us: u64,
        noise_seed: u64,
        scene: &Scene,
        camera_pose: &Pose,
    ) -> Result<(), EventCameraError> {
        motion::check_finite(scene, camera_pose)?;
        self.render(scene, camera_pose, Change::Whole)?;
        self.pixels.reset(t_us, noise_seed, &self.luminance);
        self.sampled.set(scene, camera_pose);
        self.last.set(scene, camera_pose);
        self.between = Some(scene.clone());
        Ok(())
    }

    /// Goes on to time `t_us`, at which the visuals and the camera have the poses
    /// given, having moved smoothly since the last call. Appends the events of the
    /// step to `out`, sorted by time, then row, then column.
    ///
    /// # Errors
    /// Before the first [`EventCamera::reset`]; for time going backwards; for a
    /// scene of which more than poses changed; for poses that are not finite. The
    /// camera's state is then as before.
    pub fn advance(
        &mut self,
        t_us: u64,
        scene: &Scene,
        camera_pose: &Pose,
        out: &mut Vec<Event>,
    ) -> Result<(), EventCameraError> {
        let Some(mut between) = self.between.take() else {
            return Err(EventCameraError::NotReset);
        };
        let result = self.step(t_us, scene, camera_pose, &mut between, out);
        self.between = Some(between);
        result
    }

    fn step(
        &mut self,
        t_us: u64,
        scene: &Scene,
        camera_pose: &Pose,
        between: &mut Scene,
        out: &mut Vec<Event>,
    ) -> Result<(), EventCameraError> {
        let t0_us = self.pixels.now_us();
        if t_us < t0_us {
            return Err(EventCameraError::TimeBackwards {
                to_us: t_us,
                now_us: t0_us,
            });
        }
        if let Some(what) = scene.changed_but_poses(between) {
            return Err(EventCameraError::SceneChanged(what));
        }
        motion::check_finite(scene, camera_pose)?;
        self.stats.steps += 1;
        let first = out.len();
        self.pixels.begin_step(t_us, out);
        if t_us > t0_us
            && let Some(change) = self.what_to_render(scene, camera_pose)
        {
            let parts = self.parts(scene, camera_pose);
            for part in 1..parts {
                let s = part as f32 / parts as f32;
                self.last.interpolate(scene, s, between);
                let pose = self.last.camera.interpolate(camera_pose, s);
                self.sample(
                    t0_us as f64 + (t_us - t0_us) as f64 * f64::from(s),
                    between,
                    &pose,
                    change,
                    out,
                )?;
            }
            self.sample(t_us as f64, scene, camera_pose, change, out)?;
            // What was not rendered still shows the camera's old pose.
            let seen_from = match change {
                Change::Whole => *camera_pose,
                Change::Bodies(_) => self.sampled.camera,
            };
            self.sampled.set(scene, &seen_from);
        }
        self.pixels.end_step(t_us, out);
        self.last.set(scene, camera_pose);
        sort(t0_us, &mut out[first..]);
        self.stats.events += (out.len() - first) as u64;
        Ok(())
    }

    /// What has to be rendered again, if anything.
    fn what_to_render(&self, scene: &Scene, camera_pose: &Pose) -> Option<Change> {
        let (camera, nearest) = (&self.camera, self.nearest);
        let bound = self.sampled.bound_to(scene, camera_pose, camera, nearest);
        let turned = camera_motion_px(camera, &self.sampled.camera, camera_pose, nearest);
        let patience = if turned > CAMERA_STILL_PX {
            1.0
        } else {
            BODY_MOTION
        };
        let least = self.params.min_motion_px * patience;
        if bound < least {
            return None;
        }
        let motion = self.sampled.motion_to(scene, camera_pose, camera, nearest);
        (motion.pixels > 0.0 && motion.pixels >= least).then_some(motion.change)?
    }

    /// How many parts this step must be cut into.
    fn parts(&self, scene: &Scene, camera_pose: &Pose) -> u32 {
        let motion = self
            .last
            .motion_to(scene, camera_pose, &self.camera, self.nearest);
        let parts = (motion.pixels / self.params.max_motion_px).ceil();
        (parts as u32).clamp(1, self.params.max_parts)
    }

    fn sample(
        &mut self,
        t_us: f64,
        scene: &Scene,
        camera_pose: &Pose,
        change: Change,
        out: &mut Vec<Event>,
    ) -> Result<(), EventCameraError> {
        let region = self.render(scene, camera_pose, change)?;
        self.pixels.ramp(t_us, &self.luminance, region, out);
        Ok(())
    }

    /// Renders what changed, and says which part of the image that is.
    fn render(
        &mut self,
        scene: &Scene,
        camera_pose: &Pose,
        change: Change,
    ) -> Result<Rect, RenderError> {
        let (camera, scratch, image) = (&self.camera, &mut self.scratch, &mut self.luminance);
        match change {
            Change::Whole => {
                render::render_luminance(scene, camera, camera_pose, None, scratch, image)?;
                self.nearest = scratch.nearest();
            }
            Change::Bodies(region) => {
                // All parts of the image are seen from one place.
                let seen_from = &self.sampled.camera;
                render::render_moving_luminance(scene, camera, seen_from, region, scratch, image)?;
                self.nearest = self.nearest.min(scratch.nearest());
            }
        }
        let region = match change {
            Change::Whole => self.camera.full(),
            Change::Bodies(region) => region,
        };
        self.stats.renders += 1;
        self.stats.pixels += region.area();
        Ok(region)
    }
}

/// Sorts the events of a step, which begins at `t0_us`, by time, then row, then
/// column, then polarity: as one number each, because that is compared fastest.
fn sort(t0_us: u64, events: &mut [Event]) {
    events.sort_unstable_by_key(|e| {
        let place = u64::from(e.y) << 15 | u64::from(e.x) << 1 | u64::from(e.on);
        e.t_us.saturating_sub(t0_us) << 30 | place
    });
}

#[cfg(test)]
mod tests;
