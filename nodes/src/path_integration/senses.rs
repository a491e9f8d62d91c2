//! What the robot knows of its heading and its motion, and how old that is.
//!
//! Nothing that is not finite, not plausible or not new gets in; everything refused is
//! counted by its reason. What was accepted since the last step is averaged.

use saccade_msgs::geometry_msgs::{Quaternion, Twist};
use saccade_msgs::sensor_msgs::{Imu, LaserScan};
use std::collections::BTreeMap;

/// Stamps may lie so far ahead of our clock, ns.
const FUTURE_NS: i64 = 100_000_000;
/// A rotation's length may be off 1 by so much.
const UNIT: f64 = 0.1;
/// What a sudden change of velocity may be, beside the acceleration, m/s.
const JERK_MPS: f64 = 0.2;

/// Limits of what is believed.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// What is older is lost, ns.
    pub timeout_ns: i64,
    /// The fastest that the robot can be, m/s.
    pub speed_mps: f64,
    /// The fastest that it can turn, rad/s.
    pub turn_radps: f64,
    /// The most that its velocity can change, m/s^2.
    pub acceleration_mps2: f64,
    /// Variance of a heading that comes without one, rad^2.
    pub heading_variance: f64,
    /// Variance of a velocity that comes without one, (m/s)^2.
    pub velocity_variance: f64,
    /// A compass that says the same for so long is stuck...
    pub stuck_ns: i64,
    /// ...if the robot turned by so much meanwhile, rad.
    pub stuck_turn_rad: f64,
}

/// Why a message was not taken; the name of its counter.
type Refused = &'static str;

/// A heading, or a velocity, in one step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Motion {
    /// Forward and to the left, m/s.
    pub velocity_mps: [f64; 2],
    /// To the left, rad/s.
    pub turn_radps: f64,
    /// Of each velocity, (m/s)^2.
    pub variance: f64,
}

/// Compass, motion and scanner.
#[derive(Debug)]
pub struct Senses {
    limits: Limits,
    /// Messages refused, by sense and reason.
    pub refused: BTreeMap<&'static str, u64>,
    compass_ns: Option<i64>,
    yaw_rad: f64,
    yaw_variance: f64,
    /// Since when the compass says the same, and how far the robot turned since, rad.
    same: (i64, f64),
    headings: (f64, f64),
    motion_ns: Option<i64>,
    motion: Motion,
    motions: Vec<Motion>,
    scan_ns: Option<i64>,
    nearest_m: f64,
}

/// Most motions between two steps; what comes beyond is refused.
const MOST: usize = 10_000;

impl Senses {
    /// Nothing is known yet.
    pub fn new(limits: Limits) -> Self {
        let motion = Motion {
            velocity_mps: [0.0; 2],
            turn_radps: 0.0,
            variance: limits.velocity_variance,
        };
        Senses {
            limits,
            refused: BTreeMap::new(),
            compass_ns: None,
            yaw_rad: 0.0,
            yaw_variance: limits.heading_variance,
            same: (0, 0.0),
            headings: (0.0, 0.0),
            motion_ns: None,
            motion,
            motions: Vec::new(),
            scan_ns: None,
            nearest_m: f64::INFINITY,
        }
    }

    /// Everything is old: the clock was set.
    pub fn forget(&mut self) {
        self.compass_ns = None;
        self.motion_ns = None;
        self.scan_ns = None;
        self.headings = (0.0, 0.0);
        self.motions.clear();
    }

    /// Takes a heading.
    pub fn compass(&mut self, imu: &Imu, now_ns: i64) {
        let refusal = self.take_compass(imu, now_ns);
        self.count(refusal);
    }

    fn take_compass(&mut self, imu: &Imu, now_ns: i64) -> Result<(), Refused> {
        if imu.orientation_covariance[0] == -1.0 {
            return Err("compass without orientation");
        }
        let yaw_rad = yaw(&imu.orientation).ok_or("compass not a rotation")?;
        let stamp_ns = self.stamp(imu.header.stamp.to_ns(), self.compass_ns, now_ns);
        let stamp_ns = stamp_ns.map_err(|e| ["compass late", "compass ahead", "compass old"][e])?;
        let variance = imu.orientation_covariance[8];
        let known = variance.is_finite() && variance > 0.0;
        self.yaw_variance = if known {
            variance
        } else {
            self.limits.heading_variance
        };
        if yaw_rad != self.yaw_rad || self.compass_ns.is_none() {
            self.same = (stamp_ns, 0.0);
        }
        self.yaw_rad = yaw_rad;
        self.compass_ns = Some(stamp_ns);
        let (sin, cos) = yaw_rad.sin_cos();
        self.headings.0 += sin;
        self.headings.1 += cos;
        Ok(())
    }

    /// Takes a velocity over the ground, in the robot's axes; `covariance` is that of a
    /// `TwistWithCovariance`.
    pub fn twist(&mut self, stamp_ns: i64, twist: &Twist, covariance: Option<f64>, now_ns: i64) {
        let refusal = self.take_twist(stamp_ns, twist, covariance, now_ns);
        self.count(refusal);
    }

    fn take_twist(
        &mut self,
        stamp_ns: i64,
        twist: &Twist,
        covariance: Option<f64>,
        now_ns: i64,
    ) -> Result<(), Refused> {
        let velocity_mps = [twist.linear.x, twist.linear.y];
        let turn_radps = twist.angular.z;
        if !(velocity_mps[0].is_finite() && velocity_mps[1].is_finite() && turn_radps.is_finite()) {
            return Err("motion not finite");
        }
        let stamp_ns = self.stamp(stamp_ns, self.motion_ns, now_ns);
        let stamp_ns = stamp_ns.map_err(|e| ["motion late", "motion ahead", "motion old"][e])?;
        let [x, y] = velocity_mps;
        if x.hypot(y) > self.limits.speed_mps || turn_radps.abs() > self.limits.turn_radps {
            return Err("motion too fast");
        }
        if let Some(last_ns) = self.motion_ns {
            let since_s = (stamp_ns - last_ns) as f64 * 1e-9;
            let change = (x - self.motion.velocity_mps[0]).hypot(y - self.motion.velocity_mps[1]);
            // The longer nothing was taken, the more may have changed: it comes back.
            if change > JERK_MPS + self.limits.acceleration_mps2 * since_s {
                return Err("motion jumped");
            }
        }
        if self.motions.len() == MOST {
            return Err("motion too often");
        }
        let given = covariance.filter(|v| v.is_finite() && *v > 0.0);
        self.motion = Motion {
            velocity_mps,
            turn_radps,
            variance: given.unwrap_or(self.limits.velocity_variance),
        };
        self.motions.push(self.motion);
        self.motion_ns = Some(stamp_ns);
        Ok(())
    }

    /// Takes a scan: what lies nearest within `angle_rad` of straight ahead.
    pub fn scan(&mut self, scan: &LaserScan, angle_rad: f64, now_ns: i64) {
        let refusal = self.take_scan(scan, angle_rad, now_ns);
        self.count(refusal);
    }

    fn take_scan(&mut self, scan: &LaserScan, angle_rad: f64, now_ns: i64) -> Result<(), Refused> {
        let stamp_ns = self.stamp(scan.header.stamp.to_ns(), self.scan_ns, now_ns);
        let stamp_ns = stamp_ns.map_err(|e| ["scan late", "scan ahead", "scan old"][e])?;
        let (first, step) = (f64::from(scan.angle_min), f64::from(scan.angle_increment));
        if !(first.is_finite() && step.is_finite()) {
            return Err("scan not finite");
        }
        let ahead = scan.ranges.iter().enumerate().filter_map(|(i, &range)| {
            let angle = first + i as f64 * step;
            (wrap(angle).abs() <= angle_rad).then_some(f64::from(range))
        });
        // REP 117: -inf is too close to measure, +inf is nothing, NaN is no measurement.
        let mut measured = ahead.filter(|range| !range.is_nan()).peekable();
        if measured.peek().is_none() {
            return Err("scan without a ray ahead");
        }
        self.nearest_m = measured.fold(f64::INFINITY, f64::min);
        self.scan_ns = Some(stamp_ns);
        Ok(())
    }

    /// The stamp, or our time where it is 0, if it is not older than the timeout (0), not
    /// ahead (1) and not before the last one (2).
    fn stamp(&self, stamp_ns: i64, last_ns: Option<i64>, now_ns: i64) -> Result<i64, usize> {
        let stamp_ns = if stamp_ns == 0 { now_ns } else { stamp_ns };
        if now_ns.saturating_sub(stamp_ns) > self.limits.timeout_ns {
            return Err(0);
        }
        if stamp_ns.saturating_sub(now_ns) > FUTURE_NS {
            return Err(1);
        }
        if last_ns.is_some_and(|last| stamp_ns <= last) {
            return Err(2);
        }
        Ok(stamp_ns)
    }

    fn count(&mut self, taken: Result<(), Refused>) {
        if let Err(reason) = taken {
            *self.refused.entry(reason).or_insert(0) += 1;
        }
    }

    /// The robot turned by so much (measured or commanded) in a step.
    pub fn turned(&mut self, rad: f64) {
        self.same.1 += rad.abs();
    }

    /// What is wrong with the compass, if anything.
    pub fn compass_fault(&self, now_ns: i64) -> Option<&'static str> {
        let fresh = |t: &i64| now_ns.saturating_sub(*t) <= self.limits.timeout_ns;
        match self.compass_ns.filter(fresh) {
            None => Some("no compass"),
            Some(t)
                if t - self.same.0 >= self.limits.stuck_ns
                    && self.same.1 >= self.limits.stuck_turn_rad =>
            {
                Some("compass stuck")
            }
            Some(_) => None,
        }
    }

    /// What is wrong with the motion, if anything.
    pub fn motion_fault(&self, now_ns: i64) -> Option<&'static str> {
        let fresh = |t: &i64| now_ns.saturating_sub(*t) <= self.limits.timeout_ns;
        self.motion_ns
            .filter(fresh)
            .is_none()
            .then_some("no motion")
    }

    /// What is wrong with the scanner, if anything.
    pub fn scan_fault(&self, now_ns: i64) -> Option<&'static str> {
        let fresh = |t: &i64| now_ns.saturating_sub(*t) <= self.limits.timeout_ns;
        self.scan_ns.filter(fresh).is_none().then_some("no scan")
    }

    /// Nearest thing straight ahead in the last scan, m.
    pub fn nearest_m(&self) -> f64 {
        self.nearest_m
    }

    /// Mean heading since the last call (the last heading where none came) and its
    /// variance.
    pub fn take_heading(&mut self) -> (f64, f64) {
        let (sin, cos) = std::mem::take(&mut self.headings);
        if sin != 0.0 || cos != 0.0 {
            (sin.atan2(cos), self.yaw_variance)
        } else {
            (self.yaw_rad, self.yaw_variance)
        }
    }

    /// Mean motion since the last call, the last one where none came.
    pub fn take_motion(&mut self) -> Motion {
        let n = self.motions.len() as f64;
        if n == 0.0 {
            return self.motion;
        }
        let mean = |f: fn(&Motion) -> f64| self.motions.iter().map(f).sum::<f64>() / n;
        let motion = Motion {
            velocity_mps: [mean(|m| m.velocity_mps[0]), mean(|m| m.velocity_mps[1])],
            turn_radps: mean(|m| m.turn_radps),
            variance: mean(|m| m.variance) / n,
        };
        self.motions.clear();
        motion
    }
}

/// The rotation about the vertical; `None` for what is no rotation.
fn yaw(q: &Quaternion) -> Option<f64> {
    let length = (q.x * q.x + q.y * q.y + q.z * q.z + q.w * q.w).sqrt();
    // NaN is not near 1.
    let unit = (length - 1.0).abs() <= UNIT;
    unit.then(|| {
        let (x, y, z, w) = (q.x / length, q.y / length, q.z / length, q.w / length);
        (2.0 * (w * z + x * y)).atan2(1.0 - 2.0 * (y * y + z * z))
    })
}

/// The angle between -pi and pi.
pub fn wrap(angle: f64) -> f64 {
    use std::f64::consts::{PI, TAU};
    (angle + PI).rem_euclid(TAU) - PI
}
