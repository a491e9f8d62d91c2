//! From the events of a saccade to an image of edges.
//!
//! An event tells that the brightness at a pixel rose (+1) or fell (-1) by a
//! threshold. Where the eye's motion is known, so is the direction `v` in which
//! the scene moved over that pixel, and a rise means that brightness increases
//! against `v`: the sum of -polarity · v over the events of a pixel is, up to
//! the threshold, the part of the brightness gradient along the motion. All
//! events are first carried to where the pixel would have looked in the eye's
//! rest pose, by the homography of a plane a little over the table, so that
//! edges stay sharp over the whole saccade.

use super::geometry::{Camera, Pose};
use glam::{DMat3, DVec2, DVec3};
use saccade_msgs::Event;

/// Poses of the camera over time.
#[derive(Debug, Clone, Default)]
pub struct CameraPath {
    /// Time (µs) and pose of the optical frame in the world, in order of time.
    samples: Vec<(u64, Pose)>,
}

impl CameraPath {
    /// Adds a sample; those not later than the last are ignored.
    pub fn push(&mut self, t_us: u64, pose: Pose) {
        if self.samples.last().is_none_or(|(last, _)| *last < t_us) {
            self.samples.push((t_us, pose));
        }
    }

    /// The pose at a time, interpolated; held at the ends. `None` when empty.
    pub fn at(&self, t_us: u64) -> Option<Pose> {
        let after = self.samples.partition_point(|(t, _)| *t <= t_us);
        match (
            self.samples.get(after.wrapping_sub(1)),
            self.samples.get(after),
        ) {
            (Some((ta, a)), Some((tb, b))) => {
                let t = (t_us - ta) as f64 / (tb - ta) as f64;
                Some(a.interpolate(b, t))
            }
            (Some((_, only)), None) | (None, Some((_, only))) => Some(*only),
            (None, None) => None,
        }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.samples.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.samples.is_empty()
    }
}

/// A planar image of edge vectors: brightness gradients along the motion,
/// compressed to a length below 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    width: usize,
    height: usize,
    x: Vec<f32>,
    y: Vec<f32>,
}

impl Field {
    /// An image without edges.
    pub(super) fn new(width: usize, height: usize) -> Self {
        Field {
            width,
            height,
            x: vec![0.0; width * height],
            y: vec![0.0; width * height],
        }
    }

    /// An image of what `edge` gives at each pixel.
    #[cfg(test)]
    pub(super) fn drawn(width: usize, height: usize, edge: impl Fn(DVec2) -> DVec2) -> Self {
        let mut field = Field::new(width, height);
        for k in 0..width * height {
            let v = edge(DVec2::new((k % width) as f64, (k / width) as f64));
            (field.x[k], field.y[k]) = (v.x as f32, v.y as f32);
        }
        field
    }

    /// Value at a pixel position, bilinear; `None` outside the image.
    pub fn at(&self, p: DVec2) -> Option<DVec2> {
        let (fx, fy) = (p.x.floor(), p.y.floor());
        if !(fx >= 0.0 && fy >= 0.0) {
            return None;
        }
        let (x, y) = (fx as usize, fy as usize);
        if x + 1 >= self.width || y + 1 >= self.height {
            return None;
        }
        let (u, v) = ((p.x - fx) as f32, (p.y - fy) as f32);
        let i = y * self.width + x;
        let mix = |plane: &[f32]| {
            let top = plane[i] * (1.0 - u) + plane[i + 1] * u;
            let low = plane[i + self.width] * (1.0 - u) + plane[i + self.width + 1] * u;
            f64::from(top * (1.0 - v) + low * v)
        };
        Some(DVec2::new(mix(&self.x), mix(&self.y)))
    }

    /// Value at the nearest pixel; nothing outside the image.
    pub fn near(&self, p: DVec2) -> DVec2 {
        let (x, y) = ((p.x + 0.5).floor(), (p.y + 0.5).floor());
        if !(x >= 0.0 && y >= 0.0 && x < self.width as f64 && y < self.height as f64) {
            return DVec2::ZERO;
        }
        let i = y as usize * self.width + x as usize;
        DVec2::new(f64::from(self.x[i]), f64::from(self.y[i]))
    }

    /// Adds a vector at a pixel position, shared between the four neighbours.
    fn splat(&mut self, p: DVec2, value: DVec2) {
        let (fx, fy) = (p.x.floor(), p.y.floor());
        if !(fx >= 0.0 && fy >= 0.0) {
            return;
        }
        let (x, y) = (fx as usize, fy as usize);
        if x + 1 >= self.width || y + 1 >= self.height {
            return;
        }
        let (u, v) = ((p.x - fx) as f32, (p.y - fy) as f32);
        let (gx, gy) = (value.x as f32, value.y as f32);
        for (dx, dy, w) in [
            (0, 0, (1.0 - u) * (1.0 - v)),
            (1, 0, u * (1.0 - v)),
            (0, 1, (1.0 - u) * v),
            (1, 1, u * v),
        ] {
            let i = (y + dy) * self.width + x + dx;
            self.x[i] += gx * w;
            self.y[i] += gy * w;
        }
    }

    /// Shortens every vector g to g / (|g| + half), so that strong edges do not
    /// outweigh many weak ones.
    fn compress(&mut self, half: f32) {
        for (x, y) in self.x.iter_mut().zip(&mut self.y) {
            let scale = 1.0 / (x.hypot(*y) + half);
            *x *= scale;
            *y *= scale;
        }
    }

    /// Smoothed by a Gaussian of `sigma` pixels.
    pub fn blurred(&self, sigma: f32) -> Field {
        let reach = (2.5 * sigma).ceil() as usize;
        let kernel: Vec<f32> = (0..=reach)
            .map(|k| (-0.5 * (k as f32 / sigma).powi(2)).exp())
            .collect();
        let sum = kernel[0] + 2.0 * kernel[1..].iter().sum::<f32>();
        let kernel: Vec<f32> = kernel.iter().map(|k| k / sum).collect();
        let plane = |data: &[f32]| {
            let rows = smooth(data, self.width, self.height, 1, self.width, &kernel);
            smooth(&rows, self.height, self.width, self.width, 1, &kernel)
        };
        Field {
            width: self.width,
            height: self.height,
            x: plane(&self.x),
            y: plane(&self.y),
        }
    }
}

/// Convolves `lines` lines of `length` samples; samples are `step` apart, lines `stride`.
fn smooth(
    data: &[f32],
    length: usize,
    lines: usize,
    step: usize,
    stride: usize,
    kernel: &[f32],
) -> Vec<f32> {
    let mut out = vec![0.0; data.len()];
    for line in 0..lines {
        for i in 0..length {
            let mut sum = kernel[0] * data[line * stride + i * step];
            for (k, weight) in kernel.iter().enumerate().skip(1) {
                if i >= k {
                    sum += weight * data[line * stride + (i - k) * step];
                }
                if i + k < length {
                    sum += weight * data[line * stride + (i + k) * step];
                }
            }
            out[line * stride + i * step] = sum;
        }
    }
    out
}

/// What a saccade showed.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The eye's rest pose, that of the first event: optical frame in the world.
    pub rest: Pose,
    /// Edge vectors in the image of the rest pose.
    pub edges: Field,
    /// ∫ v vᵀ/|v| dt at the image centre, scaled to a largest eigenvalue of 1
    /// (xx, xy, yy): how well edges of each normal could be seen.
    pub seen: [f64; 3],
    /// Events taken in.
    pub events: usize,
    /// Way of the image during the saccade, pixels.
    pub way_px: f64,
}

/// Duration that shares one camera pose, µs.
const BIN_US: u64 = 1000;
/// Slowest image motion at which events count, pixels per bin: below it they
/// are noise.
const SLOWEST: f64 = 0.02;
/// Events at a pixel that make half of the largest edge.
const HALF_EDGE: f32 = 2.0;

/// Collects the events of a saccade (in order of time) into an image of edges,
/// given the camera's path. `height` is that of the plane the events are taken
/// to lie on, in the world. `None` without poses or when the eye did not move.
pub fn gather(
    events: &[Event],
    path: &CameraPath,
    camera: &Camera,
    height: f64,
) -> Option<Evidence> {
    let first = events.first()?;
    let rest = path.at(first.t_us)?;
    let mut edges = Field::new(camera.width, camera.height);
    let (mut xx, mut xy, mut yy, mut way) = (0.0, 0.0, 0.0, 0.0);
    let mut taken = 0;
    let centre = DVec2::new(camera.cx, camera.cy);
    for bin in events.chunk_by(|a, b| a.t_us / BIN_US == b.t_us / BIN_US) {
        let t = bin[0].t_us / BIN_US * BIN_US;
        let (now, next) = (path.at(t + BIN_US / 2)?, path.at(t + BIN_US * 3 / 2)?);
        let to_rest = homography(camera, &now, &rest, height);
        // Where the scene at a pixel goes within a bin.
        let flow = homography(camera, &now, &next, height);
        let v = apply(&flow, centre) - centre;
        let speed = v.length();
        if speed < SLOWEST {
            continue;
        }
        xx += v.x * v.x / speed;
        xy += v.x * v.y / speed;
        yy += v.y * v.y / speed;
        way += speed;
        for event in bin {
            let pixel = DVec2::new(f64::from(event.x), f64::from(event.y));
            let v = apply(&flow, pixel) - pixel;
            let direction = v.normalize_or_zero();
            let sign = if event.on { -1.0 } else { 1.0 };
            edges.splat(apply(&to_rest, pixel), direction * sign);
            taken += 1;
        }
    }
    if taken == 0 {
        return None;
    }
    edges.compress(HALF_EDGE);
    let largest = 0.5 * (xx + yy) + (0.25 * (xx - yy).powi(2) + xy * xy).sqrt();
    let seen = [xx / largest, xy / largest, yy / largest];
    Some(Evidence {
        rest,
        edges,
        seen,
        events: taken,
        way_px: way,
    })
}

/// Maps pixels of a camera at `from` to pixels of the same camera at `to`, for
/// points of the plane z = `height` of the world (plane-induced homography).
fn homography(camera: &Camera, from: &Pose, to: &Pose, height: f64) -> DMat3 {
    let relative = to.inverse() * *from;
    let normal = from.q.conjugate() * DVec3::Z;
    let distance = height - from.p.z;
    let k = camera.matrix();
    let spread = DMat3::from_cols(
        relative.p * normal.x / distance,
        relative.p * normal.y / distance,
        relative.p * normal.z / distance,
    );
    k * (DMat3::from_quat(relative.q) + spread) * k.inverse()
}

fn apply(h: &DMat3, p: DVec2) -> DVec2 {
    let v = *h * p.extend(1.0);
    v.truncate() / v.z
}

#[cfg(test)]
mod tests {
    use super::super::contour::tests::from_above;
    use super::*;
    use glam::DQuat;

    #[test]
    fn the_path_interpolates_and_holds() {
        let mut path = CameraPath::default();
        assert!(path.at(5).is_none());
        path.push(100, Pose::IDENTITY);
        path.push(200, Pose::IDENTITY.shifted(DVec3::X));
        path.push(150, Pose::IDENTITY.shifted(DVec3::Y));
        assert_eq!(path.at(150).unwrap().p, DVec3::X * 0.5);
        assert_eq!(path.at(0).unwrap().p, DVec3::ZERO);
        assert_eq!(path.at(900).unwrap().p, DVec3::X);
        assert_eq!(path.len(), 2);
    }

    #[test]
    fn homography_carries_points_of_the_plane() {
        let (camera, pose) = from_above();
        let moved = Pose::new(
            pose.p + DVec3::new(0.01, -0.02, 0.03),
            pose.q * DQuat::from_rotation_y(0.05) * DQuat::from_rotation_x(-0.04),
        );
        let h = homography(&camera, &pose, &moved, 0.77);
        let point = DVec3::new(0.53, 0.04, 0.77);
        let a = camera.project(pose.inverse().transform(point)).unwrap();
        let b = camera.project(moved.inverse().transform(point)).unwrap();
        assert!((apply(&h, a) - b).length() < 1e-9);
    }

    /// A vertical edge (dark left, bright right) over which the eye sweeps
    /// there and back: as many on as off events, and one gradient to the right.
    #[test]
    fn events_of_both_directions_make_one_gradient() {
        let (camera, pose) = from_above();
        let mut path = CameraPath::default();
        let mut events = Vec::new();
        let sweep = |ms: u64| 0.03 * (std::f64::consts::PI * ms as f64 / 100.0).sin();
        let at = |ms: u64| Pose::new(pose.p, pose.q * DQuat::from_rotation_y(sweep(ms)));
        let edge = DVec3::new(0.5, 0.0, 0.75);
        let column = |ms: u64| camera.project(at(ms).inverse().transform(edge)).unwrap().x;
        for ms in 0..=100u64 {
            path.push(1000 * ms, at(ms));
            if ms == 0 {
                continue;
            }
            // The edge passes pixel centres between two milliseconds.
            let (a, b) = (column(ms - 1), column(ms));
            for x in (a.min(b).ceil() as u16)..=(a.max(b).floor() as u16) {
                for y in 30..100 {
                    // Moving left, the bright side takes the pixel over.
                    events.push(Event {
                        t_us: 1000 * ms - 500,
                        x,
                        y,
                        on: b < a,
                    });
                }
            }
        }
        let seen = gather(&events, &path, &camera, 0.75).unwrap();
        assert!(
            seen.seen[0] > 0.99 && seen.seen[2] < 0.01,
            "{:?}",
            seen.seen
        );
        let on_edge = seen.edges.at(DVec2::new(63.5, 60.0)).unwrap();
        assert!(on_edge.x > 0.4 && on_edge.y.abs() < 0.05, "{on_edge}");
        let beside = seen.edges.at(DVec2::new(68.5, 60.0)).unwrap();
        assert!(beside.length() < 0.05, "{beside}");
    }

    #[test]
    fn without_motion_there_is_no_evidence() {
        let (camera, pose) = from_above();
        let mut path = CameraPath::default();
        path.push(0, pose);
        let events = [Event {
            t_us: 5,
            x: 3,
            y: 4,
            on: true,
        }];
        assert!(gather(&events, &path, &camera, 0.75).is_none());
        assert!(gather(&[], &path, &camera, 0.75).is_none());
        assert!(gather(&events, &CameraPath::default(), &camera, 0.75).is_none());
    }
}
