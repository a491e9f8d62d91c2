//! The pixel array: from luminance over time to events.

use super::log;
use super::noise::{LeakQueue, ShotNoise, standard_normal};
use super::params::{EventCameraParams, ParamError};
use crate::render::Rect;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_msgs::Event;

/// Smallest threshold a pixel can have (v2e).
const MIN_THRESHOLD: f32 = 0.01;

/// The low-pass counts as settled when its output is this close to its input.
const SETTLED: f32 = 1e-3;

/// Pixels of a row that are filtered together: those of a chunk in which nothing
/// changes are left alone.
const CHUNK: usize = 16;

/// Leak is counted from an epoch that is moved on this often, so that 32-bit floats
/// keep resolving it.
const EPOCH_US: u64 = 100_000_000;

/// State of all pixels, as arrays in row order.
///
/// The reference of a leaking pixel sinks all the time. Instead, `reference` stays
/// and `leak * (t - epoch)` is added to the level it is compared with. A reference
/// of NaN marks a pixel in reset: it takes its reference at `ready_us`.
#[derive(Debug)]
pub(super) struct PixelArray {
    width: usize,
    refractory_us: f64,
    log_eps: f32,
    /// 2π f₃dB in 1/s, 0 without low-pass.
    bandwidth: f32,
    has_leak: bool,
    on: Vec<f32>,
    off: Vec<f32>,
    /// Leak in log luminance per second.
    leak: Vec<f32>,
    reference: Vec<f32>,
    /// Luminance at the last ramp that brought a new one.
    seen: Vec<f32>,
    /// Its logarithm.
    target: Vec<f32>,
    /// Log luminance at the end of the last ramp.
    input: Vec<f32>,
    /// The same after the low-pass.
    level: Vec<f32>,
    /// (255 I + 20) / 275.
    brightness: Vec<f32>,
    ready_us: Vec<f64>,
    shot: ShotNoise,
    leaks: LeakQueue,
    leak_rng: ChaCha8Rng,
    now_us: u64,
    /// Up to when the ramps of this step have come.
    ramped_us: f64,
    epoch_us: u64,
    /// Chunks of rows whose low-pass has not settled, and a rectangle around them.
    restless: Vec<bool>,
    unsettled: Option<Rect>,
    noise_events: u64,
}

impl PixelArray {
    pub fn new(
        params: &EventCameraParams,
        width: u32,
        height: u32,
        seed: u64,
    ) -> Result<Self, ParamError> {
        params.validate()?;
        let count = width as usize * height as usize;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut threshold = |mean: f32| -> Vec<f32> {
            let sigma = params.contrast_sigma;
            (0..count)
                .map(|_| (mean + sigma * standard_normal(&mut rng)).max(MIN_THRESHOLD))
                .collect()
        };
        let on = threshold(params.contrast_on);
        let off = threshold(params.contrast_off);
        let decades = params.leak_sigma_decades;
        let leak = on
            .iter()
            .map(|on| params.leak_rate_hz * on * 10f32.powf(decades * standard_normal(&mut rng)))
            .collect();
        Ok(Self {
            width: width as usize,
            refractory_us: f64::from(params.refractory_us),
            log_eps: params.log_eps,
            bandwidth: std::f32::consts::TAU * params.cutoff_hz,
            has_leak: params.leak_rate_hz > 0.0,
            shot: ShotNoise::new(params, &on, &off),
            leaks: LeakQueue::new(params.leak_rate_hz),
            on,
            off,
            leak,
            reference: vec![0.0; count],
            seen: vec![0.0; count],
            target: vec![0.0; count],
            input: vec![0.0; count],
            level: vec![0.0; count],
            brightness: vec![0.0; count],
            ready_us: vec![0.0; count],
            leak_rng: ChaCha8Rng::seed_from_u64(0),
            now_us: 0,
            ramped_us: 0.0,
            epoch_us: 0,
            restless: vec![false; (width as usize).div_ceil(CHUNK) * height as usize],
            unsettled: None,
            noise_events: 0,
        })
    }

    pub fn now_us(&self) -> u64 {
        self.now_us
    }

    pub fn noise_events(&self) -> u64 {
        self.noise_events
    }

    /// ON and OFF thresholds.
    #[cfg(test)]
    pub fn thresholds(&self) -> (&[f32], &[f32]) {
        (&self.on, &self.off)
    }

    /// Every pixel has seen `luminance` for long: no events, references taken.
    pub fn reset(&mut self, t_us: u64, noise_seed: u64, luminance: &[f32]) {
        self.leak_rng = ChaCha8Rng::seed_from_u64(noise_seed);
        self.shot.restart(t_us, noise_seed);
        self.leaks.invalidate();
        self.now_us = t_us;
        self.ramped_us = t_us as f64;
        self.epoch_us = t_us;
        self.restless.fill(false);
        self.unsettled = None;
        self.seen.copy_from_slice(luminance);
        for (i, &luminance) in luminance.iter().enumerate() {
            let luminance = sane(luminance);
            let level = log::ln(self.log_eps + luminance);
            self.target[i] = level;
            self.input[i] = level;
            self.level[i] = level;
            self.brightness[i] = brightness(luminance);
            self.ready_us[i] = 0.0;
            let phase = if self.has_leak {
                self.leak_rng.random::<f32>()
            } else {
                0.0
            };
            self.reference[i] = level - phase * self.on[i];
        }
    }

    /// Starts a step that ends at `t_us`: shot noise.
    pub fn begin_step(&mut self, t_us: u64, out: &mut Vec<Event>) {
        self.ramped_us = self.now_us as f64;
        while let Some(shot) = self.shot.next_before(t_us as f64, &self.brightness) {
            let in_reset =
                self.reference[shot.pixel].is_nan() && self.ready_us[shot.pixel] > shot.t_us;
            if !in_reset {
                self.fire(shot.pixel, shot.t_us, shot.on, out);
                self.noise_events += 1;
                self.reference[shot.pixel] = f32::NAN;
                self.ready_us[shot.pixel] = shot.t_us + self.refractory_us;
            }
        }
    }

    /// The luminance goes, linearly in its logarithm, from what it was at the last
    /// ramp's end (or the step's start) to `luminance` at `t_us`. Only pixels in
    /// `region` may have changed; `luminance` is the whole image.
    pub fn ramp(&mut self, t_us: f64, luminance: &[f32], region: Rect, out: &mut Vec<Event>) {
        let region = self.unsettled.map_or(region, |r| r.union(region));
        self.follow(t_us, Some(luminance), region, out);
    }

    /// A ramp over `region`, which holds all that is unsettled; without a `luminance`
    /// it stays as it was. Chunks at rest are left to [`PixelArray::leak_until`].
    fn follow(&mut self, t_us: f64, luminance: Option<&[f32]>, region: Rect, out: &mut Vec<Event>) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the machine has AVX2, all that the function asks for.
            return unsafe { self.follow_avx2(t_us, luminance, region, out) };
        }
        self.follow_portable(t_us, luminance, region, out);
    }

    /// The same code, compiled for twice as wide vectors. The numbers are the same:
    /// nothing is contracted or reordered.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn follow_avx2(
        &mut self,
        t_us: f64,
        luminance: Option<&[f32]>,
        region: Rect,
        out: &mut Vec<Event>,
    ) {
        self.follow_portable(t_us, luminance, region, out);
    }

    #[inline(always)]
    fn follow_portable(
        &mut self,
        t_us: f64,
        luminance: Option<&[f32]>,
        region: Rect,
        out: &mut Vec<Event>,
    ) {
        let region = self.whole_chunks(region);
        let (t0_us, dt_s) = (self.ramped_us, ((t_us - self.ramped_us) * 1e-6) as f32);
        self.ramped_us = t_us;
        let mut unsettled: Option<Rect> = None;
        for y in region.y0..region.y1 {
            for x0 in (region.x0..region.x1).step_by(CHUNK) {
                let x1 = (x0 + CHUNK as u32).min(region.x1);
                let start = y as usize * self.width;
                let at = start + x0 as usize..start + x1 as usize;
                let changed = luminance.is_some_and(|l| self.take(&l[at.clone()], at.clone()));
                let chunk = y as usize * self.width.div_ceil(CHUNK) + x0 as usize / CHUNK;
                if !changed && !self.restless[chunk] {
                    continue;
                }
                let mut level = [0.0; CHUNK];
                let level = &mut level[..at.len()];
                level.copy_from_slice(&self.level[at.clone()]);
                let restless = self.filter(at.clone(), dt_s, level);
                self.compare(at.clone(), t0_us, t_us, level, out);
                self.restless[chunk] = restless;
                if restless {
                    let here = Rect {
                        x0,
                        y0: y,
                        x1,
                        y1: y + 1,
                    };
                    unsettled = Some(unsettled.map_or(here, |u| u.union(here)));
                } else {
                    self.queue_leaks(at);
                }
            }
        }
        self.unsettled = unsettled;
    }

    /// The region drawn out to whole chunks.
    fn whole_chunks(&self, region: Rect) -> Rect {
        let x0 = region.x0 as usize / CHUNK * CHUNK;
        let x1 = (region.x1 as usize).next_multiple_of(CHUNK).min(self.width);
        Rect {
            x0: x0 as u32,
            x1: x1 as u32,
            ..region
        }
    }

    /// Takes in new luminances of the pixels `at`; false if they are the old ones.
    #[inline(always)]
    fn take(&mut self, luminance: &[f32], at: std::ops::Range<usize>) -> bool {
        let seen = &mut self.seen[at.clone()];
        let differ = |(a, b): (&f32, &f32)| u32::from(a.to_bits() != b.to_bits());
        if seen.iter().zip(luminance).map(differ).sum::<u32>() == 0 {
            return false;
        }
        seen.copy_from_slice(luminance);
        let pixels = self.target[at.clone()]
            .iter_mut()
            .zip(&mut self.brightness[at]);
        for ((target, bright), &i) in pixels.zip(luminance) {
            let i = sane(i);
            *target = log::ln(self.log_eps + i);
            *bright = brightness(i);
        }
        true
    }

    /// The low-pass of the pixels `at` (or none, without a bandwidth): turns their
    /// levels into `new` ones. Whether any has not settled.
    ///
    /// Exact for an input that is linear in time. With x = rate Δt, e = exp(-x) and
    /// g = (1 - e)/x: y1 = e y0 + (g - e) u0 + (1 - g) u1.
    #[inline(always)]
    fn filter(&mut self, at: std::ops::Range<usize>, dt_s: f32, new: &mut [f32]) -> bool {
        let targets = &self.target[at.clone()];
        let inputs = &mut self.input[at.clone()];
        if self.bandwidth <= 0.0 {
            inputs.copy_from_slice(targets);
            new.copy_from_slice(targets);
            return false;
        }
        let rate = self.bandwidth * dt_s;
        let mut restless = 0;
        let pixels = inputs.iter_mut().zip(targets).zip(&self.brightness[at]);
        for (new, ((input, &target), &b)) in new.iter_mut().zip(pixels) {
            let x = rate * b;
            let e = log::exp_minus(x);
            let series = 1.0 - x * (0.5 - x * (1.0 / 6.0));
            let g = if x > 0.01 { (1.0 - e) / x } else { series };
            *new = e * *new + (g - e) * *input + (1.0 - g) * target;
            *input = target;
            restless |= u32::from((*new - target).abs() > SETTLED);
        }
        restless != 0
    }

    /// Sends the events of the pixels `at`, whose levels go to `new`, and stores these.
    #[inline(always)]
    fn compare(
        &mut self,
        at: std::ops::Range<usize>,
        t0_us: f64,
        t1_us: f64,
        new: &[f32],
        out: &mut Vec<Event>,
    ) {
        let since = ((t1_us - self.epoch_us as f64) * 1e-6) as f32;
        let pixels = new.iter().zip(&self.leak[at.clone()]);
        let thresholds = self.on[at.clone()].iter().zip(&self.off[at.clone()]);
        let loud = pixels.zip(&self.reference[at.clone()]).zip(thresholds).map(
            |(((&level, &leak), &reference), (&on, &off))| {
                let end = level + leak * since;
                // False for a pixel in reset, too.
                let quiet = (end < reference + on) & (end > reference - off);
                u32::from(!quiet)
            },
        );
        if loud.sum::<u32>() > 0 {
            for (i, &level) in at.clone().zip(new) {
                let end = level + self.leak[i] * since;
                let reference = self.reference[i];
                let quiet = end < reference + self.on[i] && end > reference - self.off[i];
                if !quiet {
                    self.cross(i, t0_us, t1_us, level, out);
                }
            }
        }
        self.level[at].copy_from_slice(new);
    }

    /// Follows one pixel whose level goes to `level` at `t1_us`.
    #[inline(never)]
    fn cross(&mut self, i: usize, t0_us: f64, t1_us: f64, level: f32, out: &mut Vec<Event>) {
        let leak = |t_us: f64| self.leak[i] * ((t_us - self.epoch_us as f64) * 1e-6) as f32;
        let (start, end) = (self.level[i] + leak(t0_us), level + leak(t1_us));
        let at = |t_us: f64| start + (end - start) * ((t_us - t0_us) / (t1_us - t0_us)) as f32;
        let (on, off) = (self.on[i], self.off[i]);
        let mut t = t0_us;
        let mut reference = self.reference[i];
        if reference.is_nan() {
            let ready = self.ready_us[i];
            if ready >= t1_us {
                return;
            }
            reference = if ready <= t0_us {
                self.level[i] + leak(ready)
            } else {
                at(ready)
            };
            t = ready.max(t0_us);
        }
        loop {
            let target = if end >= reference + on {
                reference + on
            } else if end <= reference - off {
                reference - off
            } else {
                break;
            };
            let part = f64::from((target - start) / (end - start));
            // A target just outside of the ramp is rounding; NaN a ramp that is flat.
            t = (t0_us + part * (t1_us - t0_us)).max(t).min(t1_us);
            self.fire(i, t, target > reference, out);
            reference = target;
            if self.refractory_us > 0.0 {
                t += self.refractory_us;
                self.ready_us[i] = t;
                if t >= t1_us {
                    reference = f32::NAN;
                    break;
                }
                reference = at(t);
            }
        }
        self.reference[i] = reference;
    }

    /// Ends the step at `t_us`: lets the low-pass settle and pixels leak.
    pub fn end_step(&mut self, t_us: u64, out: &mut Vec<Event>) {
        if let Some(region) = self.unsettled
            && self.ramped_us < t_us as f64
        {
            self.follow(t_us as f64, None, region, out);
        }
        self.now_us = t_us;
        if self.has_leak {
            self.leak_until(t_us, out);
            if t_us - self.epoch_us > EPOCH_US {
                self.move_epoch(t_us);
            }
        }
    }

    /// Notes those of the pixels `at`, which have come to rest, that leak to an event
    /// before the next scan.
    fn queue_leaks(&mut self, at: std::ops::Range<usize>) {
        if !self.has_leak {
            return;
        }
        let since = ((self.leaks.until_us() - self.epoch_us as f64) * 1e-6) as f32;
        for i in at {
            let level = self.level[i] + self.leak[i] * since;
            let threshold = self.reference[i] + self.on[i];
            if level >= threshold || threshold.is_nan() {
                self.leaks.push(self.leak_due(i).1, i);
            }
        }
    }

    /// Leak events of pixels whose light did not change.
    fn leak_until(&mut self, t_us: u64, out: &mut Vec<Event>) {
        let t1_us = t_us as f64;
        if self.leaks.wants_scan(t1_us) {
            self.queue_leaks(0..self.reference.len());
        }
        while let Some(i) = self.leaks.pop(t1_us) {
            let (reference, due) = self.leak_due(i);
            if due > t1_us {
                // At least a nanosecond on, or rounding could bring it up again and
                // again within this step.
                self.leaks.push(due.max(t1_us + 2e-3), i);
                continue;
            }
            self.fire(i, due, true, out);
            self.noise_events += 1;
            self.reference[i] = reference + self.on[i];
            if self.refractory_us > 0.0 {
                self.reference[i] = f32::NAN;
                self.ready_us[i] = due + self.refractory_us;
            }
            self.leaks.push(self.leak_due(i).1, i);
        }
    }

    /// The reference of a pixel in constant light, and when it leaks to an event.
    fn leak_due(&self, i: usize) -> (f32, f64) {
        let (leak, epoch) = (self.leak[i], self.epoch_us as f64);
        let mut reference = self.reference[i];
        let mut earliest = 0.0;
        if reference.is_nan() {
            earliest = self.ready_us[i];
            reference = self.level[i] + leak * ((earliest - epoch) * 1e-6) as f32;
        }
        let since_s = f64::from(reference + self.on[i] - self.level[i]) / f64::from(leak);
        (reference, (epoch + since_s * 1e6).max(earliest))
    }

    fn move_epoch(&mut self, t_us: u64) {
        let moved_s = ((t_us - self.epoch_us) as f64 * 1e-6) as f32;
        for (reference, leak) in self.reference.iter_mut().zip(&self.leak) {
            *reference -= leak * moved_s;
        }
        self.epoch_us = t_us;
    }

    fn fire(&self, i: usize, t_us: f64, on: bool, out: &mut Vec<Event>) {
        out.push(Event {
            t_us: t_us as u64,
            x: (i % self.width) as u16,
            y: (i / self.width) as u16,
            on,
        });
    }
}

/// Luminance as a sensor could see it: NaN and negative are dark.
#[inline(always)]
fn sane(luminance: f32) -> f32 {
    let positive = if luminance > 0.0 { luminance } else { 0.0 };
    if positive < 1e6 { positive } else { 1e6 }
}

/// v2e's rescaled intensity, with white at 1.0 in and out.
#[inline(always)]
fn brightness(luminance: f32) -> f32 {
    (255.0 * luminance + 20.0) * (1.0 / 275.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The one `unsafe` of this file: wide vectors give the bits of narrow ones.
    #[test]
    fn events_are_the_same_whatever_the_width_of_vectors() {
        let (width, height) = (37, 11);
        let full = Rect {
            x0: 0,
            y0: 0,
            x1: width,
            y1: height,
        };
        let params = EventCameraParams::default();
        let make = || {
            let mut pixels = PixelArray::new(&params, width, height, 3).expect("a camera");
            pixels.reset(0, 4, &[0.4; 37 * 11]);
            pixels
        };
        let (mut native, mut portable) = (make(), make());
        let (mut a, mut b) = (Vec::new(), Vec::new());
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        for step in 1..200 {
            let t_us = f64::from(step) * 1000.0;
            // Some of the image changes; later it is left to settle.
            let image: Option<Vec<f32>> = (step % 3 == 0).then(|| {
                let dark = rng.random_range(0.0..0.5f32);
                (0..37 * 11)
                    .map(|i| if i % 64 < 40 { 0.4 } else { dark })
                    .collect()
            });
            native.follow(t_us, image.as_deref(), full, &mut a);
            portable.follow_portable(t_us, image.as_deref(), full, &mut b);
            assert_eq!(a, b, "step {step}");
            let bits = |p: &PixelArray| p.level.iter().map(|l| l.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(&native), bits(&portable), "step {step}");
        }
        assert!(a.len() > 500, "{} events", a.len());
    }
}
