//! Where a robot is, by its odometry and by the places that it recognises: particles, as in
//! Monte Carlo localisation (Dellaert et al. 1999; Thrun et al. 2001), whose measurement is a
//! list of places with scores.
//!
//! Odometry moves every particle, each with errors of its own. A recognised place is right
//! half of the time, and a wrong one may be anywhere: so a particle near one of the best
//! matches gains, but one near none of them loses no more than what an answer that says
//! nothing would cost it ([`PoseFilter::recognised`]). A few particles begin anew at the
//! places recognised, so that a robot that was carried off is found again.
//!
//! All is drawn from a seed: the same inputs give the same poses.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

use super::{Found, Pose};
use crate::error::{Result, check, check_count};

/// Side of the cells among which the fullest is looked for, m and rad.
const CELL: [f64; 3] = [0.4, 0.4, std::f64::consts::FRAC_PI_6];
/// Particles that make up the estimate lie this near to the fullest cell's mean, m and rad.
const NEAR: [f64; 2] = [0.8, 0.8];
/// Share of the particles that lie so near up to which the estimate is the mean of all, and
/// from which on it is theirs.
const AGREE: [f64; 2] = [0.15, 0.4];
/// Rounds in which the mean moves to where the particles near it are.
const ROUNDS: usize = 3;

/// What the filter believes of odometry and of places.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PoseFilterConfig {
    /// Hypotheses.
    pub particles: usize,
    /// Of all that is drawn.
    pub seed: u64,
    /// Deviation of the odometry's way, m for each root of a metre gone.
    pub way_noise: f64,
    /// Of its turning, rad for each root of a radian turned.
    pub turn_noise: f64,
    /// Of its heading, rad for each root of a metre gone.
    pub heading_noise: f64,
    /// How far off a right place is, m.
    pub place_m: f64,
    /// The same of its heading, rad.
    pub place_rad: f64,
    /// How much worse than the best a place may score for a third of its weight.
    pub score_range: f64,
    /// Share of the particles that begin anew at the places recognised, were all of these
    /// right.
    pub anew: f64,
}

impl Default for PoseFilterConfig {
    fn default() -> Self {
        PoseFilterConfig {
            particles: 500,
            seed: 1,
            way_noise: 0.1,
            turn_noise: 0.1,
            heading_noise: 0.1,
            place_m: 0.3,
            place_rad: 0.35,
            score_range: 0.02,
            anew: 0.02,
        }
    }
}

impl PoseFilterConfig {
    fn validate(&self) -> Result<()> {
        check_count("particles", self.particles, 1, 100_000)?;
        check("way_noise", self.way_noise, 0.0, 10.0)?;
        check("turn_noise", self.turn_noise, 0.0, 10.0)?;
        check("heading_noise", self.heading_noise, 0.0, 10.0)?;
        check("place_m", self.place_m, 1e-3, 100.0)?;
        check("place_rad", self.place_rad, 1e-3, 10.0)?;
        check("score_range", self.score_range, 1e-6, 2.0)?;
        check("anew", self.anew, 0.0, 0.5)
    }
}

/// A pose and the covariance of x, y and yaw.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// In the map's frame.
    pub pose: Pose,
    /// Row by row, in m and rad.
    pub covariance: [[f64; 3]; 3],
}

impl Estimate {
    /// The weighted mean of poses, and how they spread around it; headings go round. None
    /// where nothing weighs.
    pub fn of<'a>(weighted: impl Iterator<Item = (&'a Pose, f64)> + Clone) -> Option<Self> {
        let total: f64 = weighted.clone().map(|(_, w)| w).sum();
        if total <= 0.0 || !total.is_finite() {
            return None;
        }
        let mean = |value: fn(&Pose) -> f64| {
            let all = weighted.clone().map(|(p, w)| w * value(p));
            all.sum::<f64>() / total
        };
        let pose = Pose {
            x_m: mean(|p| p.x_m),
            y_m: mean(|p| p.y_m),
            theta_rad: mean(|p| p.theta_rad.sin()).atan2(mean(|p| p.theta_rad.cos())),
        };
        let mut covariance = [[0.0; 3]; 3];
        for (p, w) in weighted {
            let turn = p.theta_rad - pose.theta_rad;
            let off = [
                p.x_m - pose.x_m,
                p.y_m - pose.y_m,
                turn.sin().atan2(turn.cos()),
            ];
            for (row, a) in covariance.iter_mut().zip(off) {
                for (cell, b) in row.iter_mut().zip(off) {
                    *cell += w / total * a * b;
                }
            }
        }
        Some(Estimate { pose, covariance })
    }
}

/// The particles.
#[derive(Clone, Debug)]
pub struct PoseFilter {
    config: PoseFilterConfig,
    rng: ChaCha8Rng,
    /// None as long as nothing says where it begins.
    particles: Vec<Pose>,
    weights: Vec<f64>,
    drawn: Vec<Pose>,
    odometer: Option<Pose>,
}

impl PoseFilter {
    /// It knows nothing yet: [`PoseFilter::begin`], or the first places recognised, say
    /// where it begins.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`].
    pub fn new(config: PoseFilterConfig) -> Result<Self> {
        config.validate()?;
        Ok(PoseFilter {
            config,
            rng: ChaCha8Rng::seed_from_u64(config.seed),
            particles: Vec::new(),
            weights: Vec::new(),
            drawn: Vec::new(),
            odometer: None,
        })
    }

    /// Begins at a pose, wrong by about so much.
    pub fn begin(&mut self, pose: Pose, deviation_m: f64, deviation_rad: f64) {
        self.particles.clear();
        for _ in 0..self.config.particles {
            let particle = scattered(&pose, deviation_m, deviation_rad, &mut self.rng);
            self.particles.push(particle);
        }
    }

    /// Whether it has begun.
    pub fn has_begun(&self) -> bool {
        !self.particles.is_empty()
    }

    /// Takes what the odometer says now; particles go what it went since it said
    /// something last.
    pub fn moved(&mut self, odometer: Pose) {
        let Some(before) = self.odometer.replace(odometer) else {
            return;
        };
        let turned = wrapped(odometer.theta_rad - before.theta_rad);
        let (dx, dy) = (odometer.x_m - before.x_m, odometer.y_m - before.y_m);
        let (s, c) = before.theta_rad.sin_cos();
        // In the robot's own frame before it went.
        let (ahead, left) = (c * dx + s * dy, c * dy - s * dx);
        let way = ahead.hypot(left);
        let off_m = self.config.way_noise * way.sqrt();
        let off_rad = (self.config.turn_noise.powi(2) * turned.abs()
            + self.config.heading_noise.powi(2) * way)
            .sqrt();
        for p in &mut self.particles {
            let mut noise = || self.rng.sample::<f64, _>(StandardNormal);
            let (ahead, left) = (ahead + off_m * noise(), left + off_m * noise());
            let turned = turned + off_rad * noise();
            let (s, c) = p.theta_rad.sin_cos();
            p.x_m += c * ahead - s * left;
            p.y_m += s * ahead + c * left;
            p.theta_rad = wrapped(p.theta_rad + turned);
        }
    }

    /// Takes the places that what is sensed is most like, the best first. A share `wrong` of
    /// such answers (0 to 1) says nothing of where the robot is.
    pub fn recognised(&mut self, found: &[Found], wrong: f64) {
        let Some(best) = found.first().map(|f| f64::from(f.score)) else {
            return;
        };
        let worth = |f: &Found| ((f64::from(f.score) - best) / self.config.score_range).exp();
        let worths: Vec<f64> = found.iter().map(worth).collect();
        let total: f64 = worths.iter().sum();
        if self.particles.is_empty() {
            for _ in 0..self.config.particles {
                let particle = self.at_a_place(found, &worths, total);
                self.particles.push(particle);
            }
            return;
        }
        let (place_m, place_rad) = (self.config.place_m, self.config.place_rad);
        // As wrong as can be is still no reason to believe nothing at all.
        let wrong = wrong.clamp(1e-6, 1.0);
        self.weights.clear();
        for p in &self.particles {
            let near = found.iter().zip(&worths).map(|(f, w)| {
                let off = (p.metres(&f.pose) / place_m).powi(2)
                    + (p.radians(&f.pose) / place_rad).powi(2);
                w / total * (-0.5 * off).exp()
            });
            self.weights.push(wrong + (1.0 - wrong) * near.sum::<f64>());
        }
        self.draw_anew(found, &worths, total, 1.0 - wrong);
    }

    /// As many particles as before, each in proportion to its weight (in one sweep with
    /// one random number), but some at the places recognised, the fewer the less these are
    /// right.
    fn draw_anew(&mut self, found: &[Found], worths: &[f64], total: f64, right: f64) {
        let n = self.particles.len();
        let anew = (self.config.anew * right * n as f64).round() as usize;
        let kept = n - anew;
        let step = self.weights.iter().sum::<f64>() / kept.max(1) as f64;
        let mut at = step * self.rng.random::<f64>();
        let (mut i, mut up_to) = (0, self.weights[0]);
        self.drawn.clear();
        for _ in 0..kept {
            while up_to < at && i + 1 < n {
                i += 1;
                up_to += self.weights[i];
            }
            self.drawn.push(self.particles[i]);
            at += step;
        }
        for _ in 0..anew {
            let particle = self.at_a_place(found, worths, total);
            self.drawn.push(particle);
        }
        std::mem::swap(&mut self.particles, &mut self.drawn);
    }

    fn at_a_place(&mut self, found: &[Found], worths: &[f64], total: f64) -> Pose {
        let mut at = total * self.rng.random::<f64>();
        let mut chosen = &found[0];
        for (f, w) in found.iter().zip(worths) {
            chosen = f;
            at -= w;
            if at <= 0.0 {
                break;
            }
        }
        let (m, rad) = (self.config.place_m, self.config.place_rad);
        scattered(&chosen.pose, m, rad, &mut self.rng)
    }

    /// Where the robot is: the mean of the particles around the fullest spot, and how all
    /// of them spread around that. None before it has begun.
    pub fn estimate(&self) -> Option<Estimate> {
        let mut cells: BTreeMap<[i64; 3], Vec<&Pose>> = BTreeMap::new();
        for p in &self.particles {
            let values = [p.x_m, p.y_m, p.theta_rad];
            let cell = [0, 1, 2].map(|k| (values[k] / CELL[k]).floor() as i64);
            cells.entry(cell).or_default().push(p);
        }
        // Of equally full ones the last, whichever that is: always the same.
        let fullest = cells.values().max_by_key(|c| c.len())?;
        let even = |poses: &[&Pose]| Estimate::of(poses.iter().map(|p| (*p, 1.0)));
        let mut pose = even(fullest)?.pose;
        let mut count = 0;
        for _ in 0..ROUNDS {
            let near = |p: &&Pose| p.metres(&pose) < NEAR[0] && p.radians(&pose) < NEAR[1];
            let around: Vec<&Pose> = self.particles.iter().filter(near).collect();
            count = around.len();
            pose = even(&around).map_or(pose, |e| e.pose);
        }
        // The fullest spot of a wide cloud is where chance wants it.
        let share = count as f64 / self.particles.len() as f64;
        let trusted = ((share - AGREE[0]) / (AGREE[1] - AGREE[0])).clamp(0.0, 1.0);
        if trusted < 1.0 {
            let all = Estimate::of(self.particles.iter().map(|p| (p, 1.0)))?.pose;
            let both = [(&pose, trusted), (&all, 1.0 - trusted)];
            pose = Estimate::of(both.into_iter())?.pose;
        }
        Some(Estimate {
            pose,
            covariance: self.spread(&pose),
        })
    }

    fn spread(&self, pose: &Pose) -> [[f64; 3]; 3] {
        let mut covariance = [[0.0; 3]; 3];
        for p in &self.particles {
            let off = [
                p.x_m - pose.x_m,
                p.y_m - pose.y_m,
                wrapped(p.theta_rad - pose.theta_rad),
            ];
            for (row, a) in covariance.iter_mut().zip(off) {
                for (cell, b) in row.iter_mut().zip(off) {
                    *cell += a * b / self.particles.len() as f64;
                }
            }
        }
        covariance
    }
}

fn scattered(pose: &Pose, metres: f64, radians: f64, rng: &mut ChaCha8Rng) -> Pose {
    let mut noise = || rng.sample::<f64, _>(StandardNormal);
    Pose {
        x_m: pose.x_m + metres * noise(),
        y_m: pose.y_m + metres * noise(),
        theta_rad: wrapped(pose.theta_rad + radians * noise()),
    }
}

/// The same angle from -pi to pi.
fn wrapped(angle: f64) -> f64 {
    angle.sin().atan2(angle.cos())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x_m: f64, y_m: f64, theta_rad: f64) -> Pose {
        Pose {
            x_m,
            y_m,
            theta_rad,
        }
    }

    fn found(pose: Pose, score: f32) -> Found {
        Found { id: 0, pose, score }
    }

    /// A circle of 1 m radius, one turn in 100 steps, by an odometer that turns 3 % too far.
    fn circle(step: usize, turns_too_far: f64) -> Pose {
        let (mut pose, turn) = (
            at(1.0, 0.0, std::f64::consts::FRAC_PI_2),
            0.02 * std::f64::consts::PI,
        );
        for _ in 0..step {
            pose.theta_rad += turn * (1.0 + turns_too_far);
            pose.x_m += turn * pose.theta_rad.cos();
            pose.y_m += turn * pose.theta_rad.sin();
        }
        pose
    }

    fn filter() -> PoseFilter {
        PoseFilter::new(PoseFilterConfig::default()).expect("in range")
    }

    /// Of three answers one is right, one is half a room off and one is never the same.
    fn answers(truth: &Pose, step: usize) -> Vec<Found> {
        let k = step as f64;
        let wild = at(4.0 * (7.0 * k).sin(), 4.0 * (3.0 * k).cos(), k);
        let mut all = vec![found(wild, 0.99), found(*truth, 0.985)];
        if step.is_multiple_of(3) {
            all.remove(1);
        }
        all
    }

    #[test]
    fn places_that_are_half_wrong_hold_a_drifting_odometer() {
        let mut filter = filter();
        filter.begin(circle(0, 0.0), 0.05, 0.05);
        let mut sum = 0.0;
        for step in 0..500 {
            let truth = circle(step, 0.0);
            filter.moved(circle(step, 0.03));
            filter.recognised(&answers(&truth, step), 0.5);
            let estimate = filter.estimate().expect("it has begun");
            sum += estimate.pose.metres(&truth);
        }
        assert!(sum / 500.0 < 0.25, "{sum}");
        let dead = circle(499, 0.03).metres(&circle(499, 0.0));
        assert!(dead > 0.85, "{dead}");
    }

    #[test]
    fn who_is_carried_off_is_found_again_and_nobody_told_where_it_began() {
        let mut filter = filter();
        assert_eq!(filter.estimate(), None);
        let far = |step| {
            let near = circle(step, 0.0);
            match step {
                0..60 => near,
                _ => at(near.x_m + 5.0, near.y_m, near.theta_rad),
            }
        };
        let mut off = Vec::new();
        for step in 0..160 {
            // The odometer does not feel that the robot is lifted.
            filter.moved(circle(step, 0.0));
            filter.recognised(&answers(&far(step), step), 0.5);
            let estimate = filter.estimate().expect("it has begun");
            off.push(estimate.pose.metres(&far(step)));
        }
        assert!(off[59] < 0.4 && off[61] > 4.0 && off[159] < 0.4, "{off:?}");
    }

    /// Where no hypothesis stands out, the estimate does not jump to where chance has put a
    /// few more particles.
    #[test]
    fn the_estimate_of_a_wide_cloud_does_not_jump() {
        let mut filter = filter();
        filter.begin(circle(0, 0.0), 0.05, 0.05);
        let (mut last, mut farthest) = (circle(0, 0.0), 0.0_f64);
        for step in 0..1000 {
            filter.moved(circle(step, 0.0));
            // An answer that is taken to be wild.
            filter.recognised(&[found(at(9.0, 9.0, 0.0), 0.9)], 1.0);
            let estimate = filter.estimate().expect("it has begun").pose;
            if step > 500 {
                farthest = farthest.max(estimate.metres(&last));
            }
            last = estimate;
        }
        assert!(farthest < 0.6, "{farthest} m in a step of 0.06 m");
    }

    #[test]
    fn doubt_grows_without_places_and_the_same_seed_says_the_same() {
        let run = || {
            let mut filter = filter();
            filter.begin(circle(0, 0.0), 0.01, 0.01);
            let each = (0..100).map(|step| {
                filter.moved(circle(step, 0.0));
                filter.estimate().expect("it has begun")
            });
            each.collect::<Vec<_>>()
        };
        let all = run();
        assert!(all[99].covariance[0][0] > 10.0 * all[1].covariance[0][0]);
        assert_eq!(all, run());
        let none = PoseFilterConfig {
            particles: 0,
            ..PoseFilterConfig::default()
        };
        assert!(PoseFilter::new(none).is_err());
    }

    #[test]
    fn means_weigh_and_headings_go_round() {
        assert_eq!(Estimate::of([].into_iter()), None);
        let poses = [at(0.0, 0.0, 3.0), at(3.0, 0.0, -3.0)];
        let e = Estimate::of(poses.iter().zip([2.0, 1.0])).expect("two poses");
        assert!((e.pose.x_m - 1.0).abs() < 1e-12, "{e:?}");
        assert!(e.pose.theta_rad.abs() > 3.0, "{e:?}");
        // 2/3 (1 m)^2 + 1/3 (2 m)^2.
        assert!((e.covariance[0][0] - 2.0).abs() < 1e-12, "{e:?}");
        assert!(
            e.covariance[2][2] < 0.1 && e.covariance[0][2] > 0.0,
            "{e:?}"
        );
    }
}
