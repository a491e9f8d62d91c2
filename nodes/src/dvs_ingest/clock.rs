//! How a sensor's clock runs against ROS time, from when its packets came.
//!
//! A packet cannot come before its last event. So receive time minus sensor time is
//! at least the difference of the clocks, and the packets that travelled fastest
//! show it: of every second the least is kept, and through the last 64 of these the
//! line is laid that none lies below and to which they are nearest (an edge of the
//! lower convex hull, after Moon, Skelly and Towsley 1999). Jitter only adds, and so
//! does not bend it.
//!
//! A packet that comes well before the line says that a clock was set; so does a
//! second of packets that all come well after it. Then the relation is found anew.

use std::collections::VecDeque;

/// Sensor time of which the fastest packet is kept.
const BIN_NS: i64 = 1_000_000_000;
/// Seconds that the line rests on.
const BINS: usize = 64;
/// Below this many seconds no drift can be told from jitter.
const DRIFT_BINS: usize = 5;
/// No crystal is so far off.
const MAX_DRIFT: f64 = 1e-3;
/// So far from the line a packet is not late, but a clock was set.
const JUMP_NS: i64 = 100_000_000;
/// For so long packets may be that late.
const LATE_NS: i64 = 1_000_000_000;
/// Sensors stamp some events a little late (EVT3 by up to 11 us).
const BACK_NS: i64 = 1_000_000;
/// Without a later event for so long a stream that still sends stands still.
const STILL_NS: i64 = 1_000_000_000;
/// For so long after a packet went back or stood still it is reported.
const REMEMBER_NS: i64 = 10_000_000_000;

/// A fastest packet: sensor time, and receive time minus sensor time, both in
/// nanoseconds after the first packet's.
#[derive(Debug, Clone, Copy)]
struct Point {
    bin: i64,
    sensor: f64,
    delay: f64,
}

/// `delay = offset + slope * (sensor - at)`
#[derive(Debug, Clone, Copy, Default)]
struct Line {
    at: f64,
    offset: f64,
    slope: f64,
}

impl Line {
    fn delay(&self, sensor: f64) -> f64 {
        self.offset + self.slope * (sensor - self.at)
    }
}

/// What was seen of a stream's times.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClockCounts {
    /// Times that a clock was set.
    pub jumps: u64,
    /// Packets whose last event lies before that of the packet before.
    pub backwards: u64,
    /// Packets that brought no later event while ROS time went on.
    pub stalled: u64,
}

/// The relation between a sensor's clock and ROS time.
#[derive(Debug, Clone, Default)]
pub struct SensorClock {
    /// Sensor time and delay of the first packet.
    origin: Option<(i64, i64)>,
    bins: VecDeque<Point>,
    line: Line,
    packets: u64,
    counts: ClockCounts,
    /// Since when all packets have been late.
    late_since_ns: Option<i64>,
    /// Last event of the last packet.
    last_ns: Option<i64>,
    /// Latest event of all, and when it came.
    latest: Option<(i64, i64)>,
    trouble: Option<(&'static str, i64)>,
    received_ns: i64,
    /// Sum and number of distances from the line since they were asked for.
    residuals: (f64, u64),
}

impl SensorClock {
    /// Takes in that the packet with the last event at `sensor_ns` came at
    /// `received_ns`.
    pub fn packet(&mut self, sensor_ns: i64, received_ns: i64) {
        self.received_ns = received_ns;
        let went_back = self.last_ns.is_some_and(|l| l - sensor_ns > JUMP_NS);
        self.watch(sensor_ns, received_ns);
        let delay_ns = received_ns.saturating_sub(sensor_ns);
        let origin = *self.origin.get_or_insert((sensor_ns, delay_ns));
        let sensor = (sensor_ns - origin.0) as f64;
        let delay = delay_ns.saturating_sub(origin.1) as f64;
        let over = delay - self.line.delay(sensor);
        let late = over > JUMP_NS as f64;
        let late_since_ns = self.late_since_ns.filter(|_| late);
        self.late_since_ns = late.then_some(late_since_ns.unwrap_or(received_ns));
        let long_late = self
            .late_since_ns
            .is_some_and(|l| received_ns - l > LATE_NS);
        if went_back || over < -(JUMP_NS as f64) || long_late {
            self.counts.jumps += 1;
            self.origin = Some((sensor_ns, delay_ns));
            self.bins.clear();
            self.line = Line::default();
            (self.packets, self.late_since_ns, self.residuals) = (0, None, (0.0, 0));
            self.learn(0.0, 0.0);
        } else {
            self.learn(sensor, delay);
        }
        self.packets += 1;
    }

    /// Counts streams that run backwards or stand still.
    fn watch(&mut self, sensor_ns: i64, received_ns: i64) {
        let last_ns = self.last_ns.replace(sensor_ns).unwrap_or(sensor_ns);
        let (latest_ns, at_ns) = self.latest.unwrap_or((sensor_ns, received_ns));
        if last_ns - sensor_ns > BACK_NS {
            self.counts.backwards += 1;
            self.trouble = Some(("the stream goes back in time", received_ns));
            self.latest = Some((sensor_ns, received_ns));
        } else if sensor_ns > latest_ns || self.latest.is_none() {
            self.latest = Some((sensor_ns, received_ns));
        } else if received_ns - at_ns > STILL_NS {
            self.counts.stalled += 1;
            self.trouble = Some(("the stream's time stands still", received_ns));
        }
    }

    fn learn(&mut self, sensor: f64, delay: f64) {
        let bin = sensor as i64 / BIN_NS;
        let point = Point { bin, sensor, delay };
        match self.bins.back_mut() {
            Some(last) if bin <= last.bin => {
                if delay < last.delay {
                    *last = point;
                }
            }
            _ => {
                if self.bins.len() == BINS {
                    self.bins.pop_front();
                }
                self.bins.push_back(point);
                self.line = fit(&self.bins);
            }
        }
        let over = delay - self.line.delay(sensor);
        if over < 0.0 {
            self.line.offset += over;
        }
        self.residuals.0 += over.max(0.0);
        self.residuals.1 += 1;
    }

    /// ROS time at a time of the sensor's; `None` before the first packet.
    pub fn to_ros_ns(&self, sensor_ns: i64) -> Option<i64> {
        let (first_ns, delay_ns) = self.origin?;
        let delay = self.line.delay(sensor_ns.saturating_sub(first_ns) as f64);
        Some(
            sensor_ns
                .saturating_add(delay_ns)
                .saturating_add(delay.round() as i64),
        )
    }

    /// The sensor's time at a ROS time; `None` before the first packet.
    pub fn to_sensor_ns(&self, ros_ns: i64) -> Option<i64> {
        let (first_ns, delay_ns) = self.origin?;
        let sensor = ros_ns.saturating_sub(delay_ns).saturating_sub(first_ns) as f64;
        let Line { at, offset, slope } = self.line;
        let sensor = (sensor - offset + slope * at) / (1.0 + slope);
        Some(first_ns.saturating_add(sensor.round() as i64))
    }

    /// How much faster ROS time runs, in millionths.
    pub fn drift_ppm(&self) -> f64 {
        self.line.slope * 1e6
    }

    /// Last event seen.
    pub fn last_ns(&self) -> Option<i64> {
        self.last_ns
    }

    /// Packets since the last jump.
    pub fn packets(&self) -> u64 {
        self.packets
    }

    /// What was seen so far.
    pub fn counts(&self) -> ClockCounts {
        self.counts
    }

    /// Mean time by which packets were later than the fastest, since the last call.
    pub fn take_residual_ns(&mut self) -> i64 {
        let (sum, n) = std::mem::take(&mut self.residuals);
        (sum / n.max(1) as f64).round() as i64
    }

    /// What is wrong with the stream's times, or was shortly before the last packet.
    pub fn trouble(&self) -> Option<&'static str> {
        let (what, at_ns) = self.trouble?;
        (self.received_ns - at_ns < REMEMBER_NS).then_some(what)
    }
}

/// The line below all points and nearest to them.
fn fit(points: &VecDeque<Point>) -> Line {
    let mean = points.iter().map(|p| p.sensor).sum::<f64>() / points.len().max(1) as f64;
    let slope = if points.len() < DRIFT_BINS {
        0.0
    } else {
        hull_slope(points, mean).clamp(-MAX_DRIFT, MAX_DRIFT)
    };
    let below = |p: &Point| p.delay - slope * (p.sensor - mean);
    Line {
        at: mean,
        offset: points.iter().map(below).fold(f64::INFINITY, f64::min),
        slope,
    }
}

/// Slope of the lower convex hull's edge over `mean`.
fn hull_slope(points: &VecDeque<Point>, mean: f64) -> f64 {
    let slope = |a: &Point, b: &Point| (b.delay - a.delay) / (b.sensor - a.sensor);
    let mut hull: Vec<Point> = Vec::with_capacity(points.len());
    for point in points {
        while let [.., a, b] = hull[..]
            && slope(&a, &b) >= slope(&b, point)
        {
            hull.pop();
        }
        hull.push(*point);
    }
    let edge = hull.windows(2).find(|e| e[1].sensor >= mean);
    edge.map_or(0.0, |e| slope(&e[0], &e[1]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    /// A sensor that is `ppm` slow, `offset_ns` behind, whose packets travel for
    /// `fastest_ns` and, mostly, much longer.
    struct Camera {
        rng: ChaCha8Rng,
        ppm: f64,
        offset_ns: i64,
    }

    const FASTEST_NS: i64 = 300_000;

    impl Camera {
        fn new(ppm: f64) -> Self {
            Camera {
                rng: ChaCha8Rng::seed_from_u64(4),
                ppm,
                offset_ns: 1_700_000_000_000_000_000,
            }
        }

        fn ros_ns(&self, sensor_ns: i64) -> i64 {
            sensor_ns + self.offset_ns + (sensor_ns as f64 * self.ppm * 1e-6) as i64
        }

        /// Packets of 4 ms, late by 2 ms on average, and now and then by a lot.
        fn run(&mut self, clock: &mut SensorClock, from_ms: i64, to_ms: i64) {
            for t_ms in (from_ms..to_ms).step_by(4) {
                let sensor_ns = t_ms * 1_000_000;
                let mut jitter = -2e6 * (1.0 - self.rng.random::<f64>()).ln();
                if self.rng.random_bool(0.01) {
                    jitter += 50e6;
                }
                let received_ns = self.ros_ns(sensor_ns) + FASTEST_NS + jitter as i64;
                clock.packet(sensor_ns, received_ns);
            }
        }
    }

    fn error_ns(camera: &Camera, clock: &SensorClock, t_ms: i64) -> i64 {
        let sensor_ns = t_ms * 1_000_000;
        let ros_ns = clock.to_ros_ns(sensor_ns).expect("packets came");
        let back_ns = clock.to_sensor_ns(ros_ns).expect("packets came");
        assert!((back_ns - sensor_ns).abs() <= 1, "{back_ns} {sensor_ns}");
        ros_ns - camera.ros_ns(sensor_ns) - FASTEST_NS
    }

    #[test]
    fn offset_and_drift_are_found_below_the_jitter() {
        for ppm in [0.0, 60.0, -120.0] {
            let (mut camera, mut clock) = (Camera::new(ppm), SensorClock::default());
            camera.run(&mut clock, 0, 1000);
            // Drift cannot be told yet, and makes some 0.1 ms in a second.
            let early = error_ns(&camera, &clock, 1000);
            assert!(early.abs() < 200_000, "{ppm} ppm: off by {early} ns");
            camera.run(&mut clock, 1000, 100_000);
            let late = error_ns(&camera, &clock, 100_000);
            assert!(late.abs() < 50_000, "{ppm} ppm: off by {late} ns");
            let drift = clock.drift_ppm();
            assert!((drift - ppm).abs() < 2.0, "{ppm} ppm: {drift}");
            let residual = clock.take_residual_ns();
            assert!((2_000_000..3_000_000).contains(&residual), "{residual}");
            assert_eq!(clock.counts(), ClockCounts::default());
            assert_eq!(clock.trouble(), None);
        }
    }

    #[test]
    fn clocks_that_are_set_are_noticed() {
        // The sensor starts again; ROS time is set back; ROS time is set forward.
        let (mut camera, mut clock) = (Camera::new(20.0), SensorClock::default());
        camera.run(&mut clock, 0, 20_000);
        camera.offset_ns += 20_000_000_000;
        camera.run(&mut clock, 0, 10_000);
        assert_eq!((clock.counts().jumps, clock.counts().backwards), (1, 1));
        assert!(clock.trouble().is_some_and(|t| t.contains("goes back")));
        camera.offset_ns -= 300_000_000;
        camera.run(&mut clock, 10_000, 20_000);
        assert_eq!(clock.counts().jumps, 2);
        camera.offset_ns += 500_000_000;
        camera.run(&mut clock, 20_000, 40_000);
        assert_eq!(clock.counts().jumps, 3);
        let error = error_ns(&camera, &clock, 40_000);
        assert!(error.abs() < 100_000, "off by {error} ns");
        assert_eq!(clock.counts().backwards, 1);
        assert_eq!(clock.trouble(), None, "it is long ago");
    }

    #[test]
    fn a_stream_that_stands_still_is_reported() {
        let mut clock = SensorClock::default();
        for i in 0..50 {
            clock.packet(5_000_000_000, 7_000_000_000 + i * 100_000_000);
        }
        assert_eq!(clock.counts().stalled, 39);
        assert!(clock.trouble().is_some_and(|t| t.contains("stands still")));
        // Times that step back by microseconds are the sensor's way.
        let mut clock = SensorClock::default();
        for i in 0..500 {
            clock.packet(i * 1_000_000 - (i % 3) * 1_005_000, i * 1_000_000);
        }
        assert_eq!(clock.counts().stalled, 0);
    }
}
