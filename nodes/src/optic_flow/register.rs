//! The motion between two slices of events, in pixels per second.
//!
//! A slice is the signed sum of its events, each moved along by the motion so far to the
//! middle of the slice: a surface of ON less OFF. Two successive slices show the same
//! edges; what shift and turn lays the earlier one on the later one is found by least
//! squares over all pixels (Lucas & Kanade 1981), a few times over. A local plane through
//! the times of neighbouring events, the other way that is in use, is misled where an edge
//! makes each pixel fire several times.
//!
//! Cost: a pass over the events and some over the pixels for each slice.

use saccade_msgs::Event;

/// Rounds of least squares for each slice.
const ROUNDS: usize = 4;
/// Pixels at the border that are left out: what enters there was not seen before.
const MARGIN: usize = 4;
/// Largest step of one round, in pixels.
const LONGEST: f64 = 1.5;

/// How an image moves: velocity at the principal point in pixels/s (right, down), and turn
/// in rad/s (from right to down).
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct ImageMotion {
    /// Right and down, pixels/s.
    pub velocity: [f64; 2],
    /// From right to down, rad/s.
    pub turn: f64,
}

impl ImageMotion {
    /// Where the point at (`x`, `y`) from the principal point is after `dt_s`.
    fn moved(&self, x: f64, y: f64, dt_s: f64) -> [f64; 2] {
        let (s, c) = (self.turn * dt_s).sin_cos();
        let [u, v] = self.velocity.map(|w| w * dt_s);
        [c * x - s * y + u, s * x + c * y + v]
    }
}

/// A motion, and its covariance: the velocities in (pixels/s)^2, the turn in (rad/s)^2.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// The motion.
    pub motion: ImageMotion,
    /// Of right, down and turn.
    pub variance: [f64; 3],
}

/// What a slice showed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Seen {
    /// How the image moves.
    Motion(Measured),
    /// That it stands.
    Still,
    /// Nothing to tell from: the first slice of a motion, or no texture.
    Nothing,
}

/// A slice of events.
#[derive(Debug, Clone, Default)]
struct Slice {
    middle_us: f64,
    events: Vec<Event>,
}

/// Finds the motion from slice to slice.
#[derive(Debug)]
pub struct Register {
    size: [usize; 2],
    centre: [f64; 2],
    before: Slice,
    now: Slice,
    motion: ImageMotion,
    images: [Vec<f32>; 2],
    scratch: Vec<f32>,
}

impl Register {
    /// For a sensor of so many columns and rows with this principal point.
    pub fn new(size: [usize; 2], centre: [f64; 2]) -> Self {
        let image = vec![0.0; size[0] * size[1]];
        Register {
            size,
            centre,
            before: Slice::default(),
            now: Slice::default(),
            motion: ImageMotion::default(),
            images: [image.clone(), image.clone()],
            scratch: image,
        }
    }

    /// Forgets what it saw.
    pub fn forget(&mut self) {
        self.before.events.clear();
        self.now.events.clear();
        self.motion = ImageMotion::default();
    }

    /// Takes an event of the present slice.
    pub fn push(&mut self, event: Event) {
        self.now.events.push(event);
    }

    /// Events of the present slice.
    pub fn events(&self) -> usize {
        self.now.events.len()
    }

    /// Ends the slice that began at `begin_us`. What makes fewer than `least` events stands.
    pub fn end(&mut self, begin_us: u64, end_us: u64, least: usize) -> Seen {
        self.now.middle_us = 0.5 * (begin_us as f64 + end_us as f64);
        let seen = if self.now.events.len() < least {
            self.motion = ImageMotion::default();
            Seen::Still
        } else if self.before.events.len() < least {
            Seen::Nothing
        } else {
            self.register().map_or(Seen::Nothing, Seen::Motion)
        };
        std::mem::swap(&mut self.before, &mut self.now);
        self.now.events.clear();
        seen
    }

    fn register(&mut self) -> Option<Measured> {
        let between_s = (self.now.middle_us - self.before.middle_us) * 1e-6;
        if between_s <= 0.0 {
            return None;
        }
        let mut fit = None;
        for _ in 0..ROUNDS {
            // Both as they would look in the middle of the later one.
            self.draw();
            let found = self.least_squares()?;
            let step = found.0.map(|d| d.clamp(-LONGEST, LONGEST) / between_s);
            self.motion.velocity[0] += step[0];
            self.motion.velocity[1] += step[1];
            self.motion.turn += (found.0[2] / between_s).clamp(-2.0, 2.0);
            fit = Some(found.1);
        }
        let variance = fit?.map(|v| v / (between_s * between_s));
        let finite =
            self.motion.velocity.iter().all(|v| v.is_finite()) && self.motion.turn.is_finite();
        if !finite {
            self.motion = ImageMotion::default();
            return None;
        }
        Some(Measured {
            motion: self.motion,
            variance,
        })
    }

    fn draw(&mut self) {
        let target_us = self.now.middle_us;
        let (motion, size, centre) = (self.motion, self.size, self.centre);
        let slices = [&self.before, &self.now];
        for (image, slice) in self.images.iter_mut().zip(slices) {
            image.fill(0.0);
            for event in &slice.events {
                let dt_s = (target_us - event.t_us as f64) * 1e-6;
                let (x, y) = (
                    f64::from(event.x) - centre[0],
                    f64::from(event.y) - centre[1],
                );
                let [x, y] = motion.moved(x, y, dt_s);
                let sign = if event.on { 1.0 } else { -1.0 };
                splat(image, size, x + centre[0], y + centre[1], sign);
            }
            // Slices differ in length, and so in how many events an edge makes.
            let scale = 1.0 / (slice.events.len().max(1) as f32);
            for value in image.iter_mut() {
                *value *= scale;
            }
            smooth(image, &mut self.scratch, size);
        }
    }

    /// The shift (right, down) and turn that lay the first image on the second, and their
    /// variances.
    fn least_squares(&self) -> Option<([f64; 3], [f64; 3])> {
        let [width, height] = self.size;
        let [before, now] = &self.images;
        let mut h = [[0.0; 3]; 3];
        let mut g = [0.0; 3];
        let (mut squares, mut count) = (0.0, 0.0);
        for y in MARGIN..height.saturating_sub(MARGIN) {
            for x in MARGIN..width.saturating_sub(MARGIN) {
                let i = y * width + x;
                let mean = |k: usize| f64::from(before[k] + now[k]);
                let dx = 0.25 * (mean(i + 1) - mean(i - 1));
                let dy = 0.25 * (mean(i + width) - mean(i - width));
                let (rx, ry) = (x as f64 - self.centre[0], y as f64 - self.centre[1]);
                let row = [dx, dy, rx * dy - ry * dx];
                let rest = f64::from(before[i] - now[i]);
                for a in 0..3 {
                    g[a] += row[a] * rest;
                    for b in 0..3 {
                        h[a][b] += row[a] * row[b];
                    }
                }
                squares += rest * rest;
                count += 1.0;
            }
        }
        let inverse = inverse(h)?;
        let found = inverse.map(|row| (0..3).map(|k| row[k] * g[k]).sum());
        // Smoothing makes about nine neighbours one.
        let noise = 9.0 * squares / count;
        Some((found, [0, 1, 2].map(|k| inverse[k][k] * noise)))
    }
}

/// Adds `value` to the four pixels around a point.
fn splat(image: &mut [f32], [width, height]: [usize; 2], x: f64, y: f64, value: f32) {
    let (x0, y0) = (x.floor(), y.floor());
    if x0 < 0.0 || y0 < 0.0 || x0 >= (width - 1) as f64 || y0 >= (height - 1) as f64 {
        return;
    }
    let (fx, fy) = ((x - x0) as f32, (y - y0) as f32);
    let i = y0 as usize * width + x0 as usize;
    image[i] += value * (1.0 - fx) * (1.0 - fy);
    image[i + 1] += value * fx * (1.0 - fy);
    image[i + width] += value * (1.0 - fx) * fy;
    image[i + width + 1] += value * fx * fy;
}

/// Binomial smoothing by 1 4 6 4 1 in both directions; two pixels at the border are lost.
fn smooth(image: &mut [f32], scratch: &mut [f32], [width, height]: [usize; 2]) {
    scratch.fill(0.0);
    let five = |a: &[f32], i: usize, step: usize| {
        0.0625 * (a[i - 2 * step] + a[i + 2 * step])
            + 0.25 * (a[i - step] + a[i + step])
            + 0.375 * a[i]
    };
    for y in 0..height {
        for x in 2..width - 2 {
            scratch[y * width + x] = five(image, y * width + x, 1);
        }
    }
    image.fill(0.0);
    for y in 2..height - 2 {
        for x in 2..width - 2 {
            image[y * width + x] = five(scratch, y * width + x, width);
        }
    }
}

/// `None` where the matrix (symmetric, not negative) is as good as singular.
fn inverse(m: [[f64; 3]; 3]) -> Option<[[f64; 3]; 3]> {
    let minor = |a: usize, b: usize| {
        let (r, s) = ((a + 1) % 3, (a + 2) % 3);
        let (t, u) = ((b + 1) % 3, (b + 2) % 3);
        m[r][t] * m[s][u] - m[r][u] * m[s][t]
    };
    let det = (0..3).map(|b| m[0][b] * minor(0, b)).sum::<f64>();
    let size = m[0][0] * m[1][1] * m[2][2];
    if det.is_nan() || det <= 1e-6 * size || size <= 0.0 {
        return None;
    }
    Some(std::array::from_fn(|a| {
        std::array::from_fn(|b| minor(b, a) / det)
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Random dots that move: an event where a dot enters a pixel (ON), and where it
    /// leaves one (OFF).
    fn dots(motion: ImageMotion, slices: u64) -> Vec<(u64, Vec<Event>)> {
        let (mut state, size, centre) = (7u64, 48.0, 23.5);
        let mut random = || {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (state >> 33) as f64 / f64::from(1u32 << 31)
        };
        let mut at: Vec<[f64; 2]> = (0..300)
            .map(|_| [0, 1].map(|_| (random() - 0.5) * 1.6 * size))
            .collect();
        let mut last: Vec<Option<(u16, u16)>> = vec![None; at.len()];
        let mut out = Vec::new();
        for slice in 0..slices {
            let mut events = Vec::new();
            for ms in 0..40 {
                let t_us = (slice * 40 + ms) * 1000;
                for (p, last) in at.iter_mut().zip(&mut last) {
                    *p = motion.moved(p[0], p[1], 1e-3);
                    let [x, y] = *p;
                    let (x, y) = ((x + centre).round(), (y + centre).round());
                    let inside = |v: f64| (0.0..size).contains(&v);
                    let now = (inside(x) && inside(y)).then_some((x as u16, y as u16));
                    if now != *last {
                        let event = |on: bool| move |(x, y)| Event { t_us, x, y, on };
                        events.extend(last.map(event(false)));
                        events.extend(now.map(event(true)));
                    }
                    *last = now;
                }
            }
            out.push(((slice + 1) * 40_000, events));
        }
        out
    }

    #[test]
    fn a_known_motion_is_found() {
        for (velocity, turn) in [
            ([40.0, 0.0], 0.0),
            ([0.0, -30.0], 0.0),
            ([25.0, 25.0], 0.5),
            ([0.0, 10.0], -1.0),
        ] {
            let motion = ImageMotion { velocity, turn };
            let mut register = Register::new([48, 48], [23.5, 23.5]);
            let mut found = Vec::new();
            for (end_us, events) in dots(motion, 20) {
                events.into_iter().for_each(|e| register.push(e));
                if let Seen::Motion(measured) = register.end(end_us - 40_000, end_us, 20) {
                    found.push(measured.motion);
                }
            }
            // Of the first slice with something before it, not much is known.
            let found = &found[3..];
            let mean =
                |f: fn(&ImageMotion) -> f64| found.iter().map(f).sum::<f64>() / found.len() as f64;
            let (u, v) = (mean(|m| m.velocity[0]), mean(|m| m.velocity[1]));
            let wrong = (u - velocity[0]).hypot(v - velocity[1]);
            assert!(wrong < 1.5, "{u}, {v} for {velocity:?}");
            let turned = mean(|m| m.turn);
            assert!((turned - turn).abs() < 0.06, "{turned} for {turn}");
        }
    }

    #[test]
    fn few_events_are_no_motion() {
        let mut register = Register::new([48, 48], [23.5, 23.5]);
        assert_eq!(register.end(0, 40_000, 20), Seen::Still);
        for i in 0..50 {
            register.push(Event {
                t_us: 50_000,
                x: i % 48,
                y: 10,
                on: true,
            });
        }
        assert_eq!(register.end(40_000, 80_000, 20), Seen::Nothing);
        assert_eq!(register.events(), 0);
    }
}
