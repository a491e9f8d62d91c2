//! How the cost of a tick grows with neurons, synapses and rate.

use super::clock::{median, timed};
use super::ours::{Contestant, OurOffline, OurOnline};
use super::problem::{Problem, Sizes};
use crate::cli::CliError;
use saccade_engine::learning::optimizer::OptimizerConfig;
use std::hint::black_box;

/// Bytes that the memory is measured with: more than the caches of most machines.
const MEMORY: usize = 1 << 28;
/// Bytes of a synapse that an arriving spike moves at least: online its weight and its
/// trace, read and written; offline its weight, and its gradient read and written.
const ONLINE_BYTES: f64 = 16.0;
const OFFLINE_BYTES: f64 = 12.0;

/// A network that was measured.
#[derive(Debug, serde::Serialize)]
pub(super) struct Point {
    network: String,
    synapses: usize,
    /// Spikes per second, of inputs and neurons together.
    spikes_hz: f64,
    online_us: f64,
    offline_us: f64,
    /// What the spikes' rows are of the bytes that a copy would have moved meanwhile.
    online_of_bandwidth: f64,
    offline_of_bandwidth: f64,
}

/// Networks in which one thing grows.
#[derive(Debug, serde::Serialize)]
pub(super) struct Sweep {
    grows: &'static str,
    points: Vec<Point>,
    /// Of the cost, fitted by least squares in logarithms.
    online_exponent: f64,
    offline_exponent: f64,
}

/// The whole table.
#[derive(Debug, serde::Serialize)]
pub(super) struct Scaling {
    /// Copying memory, reading and writing counted, in GB/s.
    copy_gb_s: f64,
    sweeps: Vec<Sweep>,
}

type Axis = fn(&Point) -> f64;

impl Scaling {
    /// Measures every network `repeats` times over a second of simulated time.
    pub fn measure(ticks: usize, repeats: usize, seed: u64) -> Result<Self, CliError> {
        let copy_gb_s = copy_gb_s(repeats);
        let sizes = |n_in, n_rec, n_out| Sizes { n_in, n_rec, n_out };
        let neurons = [64, 128, 256, 512, 1024].map(|n| (sizes(n, n, 4), 20.0));
        let synapses = [128, 512, 2048, 8192].map(|n| (sizes(n, 128, 4), 2560.0 / n as f64));
        let rates = [2.0, 8.0, 32.0, 128.0].map(|hz| (sizes(256, 256, 4), hz));
        let sweep = |grows, networks: &[(Sizes, f64)], of: Axis| {
            let point = |&(sizes, hz): &(Sizes, f64)| {
                Point::measure(sizes, hz, copy_gb_s, (ticks, repeats), seed)
            };
            let points = networks.iter().map(point).collect::<Result<Vec<_>, _>>()?;
            Ok::<_, CliError>(Sweep::of(grows, points, of))
        };
        Ok(Self {
            sweeps: vec![
                sweep("neurons (and as many inputs)", &neurons, |p| {
                    (p.synapses as f64).sqrt()
                })?,
                sweep("synapses, at the same spikes", &synapses, |p| {
                    p.synapses as f64
                })?,
                sweep("spikes", &rates, |p| p.spikes_hz)?,
            ],
            copy_gb_s,
        })
    }

    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![
            String::new(),
            format!(
                "copying memory: {:.1} GB/s, read and written",
                self.copy_gb_s
            ),
            "f32, gradient descent; µs of CPU for a tick of 1 ms, and the bytes of the spikes'"
                .into(),
            "rows as a share of what a copy would have moved meanwhile".into(),
        ];
        for sweep in &self.sweeps {
            lines.push(String::new());
            lines.push(format!(
                "{:<30} {:>9} {:>9} {:>17} {:>17}",
                sweep.grows, "synapses", "spikes/s", "online", "offline, exact"
            ));
            for p in &sweep.points {
                lines.push(format!(
                    "{:<30} {:>9} {:>9.0} {:>9.2} {:>5.0} % {:>9.2} {:>5.0} %",
                    p.network,
                    p.synapses,
                    p.spikes_hz,
                    p.online_us,
                    100.0 * p.online_of_bandwidth,
                    p.offline_us,
                    100.0 * p.offline_of_bandwidth
                ));
            }
            lines.push(format!(
                "{:<30} {:>29.2} {:>17.2}",
                "exponent", sweep.online_exponent, sweep.offline_exponent
            ));
        }
        lines
    }
}

impl Sweep {
    fn of(grows: &'static str, points: Vec<Point>, axis: Axis) -> Self {
        let exponent = |cost: Axis| {
            let logs = points.iter().map(|p| (axis(p).ln(), cost(p).ln()));
            slope(&logs.collect::<Vec<_>>())
        };
        Self {
            grows,
            online_exponent: exponent(|p| p.online_us),
            offline_exponent: exponent(|p| p.offline_us),
            points,
        }
    }
}

impl Point {
    fn measure(
        sizes: Sizes,
        rate_hz: f64,
        copy_gb_s: f64,
        (ticks, repeats): (usize, usize),
        seed: u64,
    ) -> Result<Self, CliError> {
        let optimizer = OptimizerConfig::Sgd { eta: 1e-7 };
        let problem = Problem::new(sizes, optimizer, rate_hz, ticks * (repeats + 1), seed);
        let mut online = OurOnline::<f32>::new(&problem)?;
        let mut offline = OurOffline::<f32>::new(&problem, ticks)?;
        let (mut online_s, mut offline_s, mut fired) = (Vec::new(), Vec::new(), 0);
        for turn in 0..=repeats {
            let range = turn * ticks..(turn + 1) * ticks;
            let (a, b) = (online.run(range.clone())?, offline.run(range)?);
            if turn > 0 {
                online_s.push(a.cpu_s);
                offline_s.push(b.cpu_s);
                fired += a.spikes;
            }
        }
        let per_tick = |seconds: &[f64]| median(seconds) / ticks as f64;
        let (online_s, offline_s) = (per_tick(&online_s), per_tick(&offline_s));
        let arrived: usize = problem.inputs[ticks..].iter().map(Vec::len).sum();
        let spikes = (arrived as f64 + fired as f64) / (ticks * repeats) as f64;
        let of_bandwidth = |bytes: f64, seconds: f64| {
            bytes * spikes * sizes.n_rec as f64 / seconds * 1e-9 / copy_gb_s
        };
        Ok(Self {
            network: sizes.to_string(),
            synapses: sizes.synapses(),
            spikes_hz: 1000.0 * spikes,
            online_us: 1e6 * online_s,
            offline_us: 1e6 * offline_s,
            online_of_bandwidth: of_bandwidth(ONLINE_BYTES, online_s),
            offline_of_bandwidth: of_bandwidth(OFFLINE_BYTES, offline_s),
        })
    }
}

/// The best of several copies.
fn copy_gb_s(repeats: usize) -> f64 {
    let from = vec![1_u8; MEMORY];
    let mut to = vec![0_u8; MEMORY];
    let mut best = f64::INFINITY;
    for _ in 0..=repeats {
        best = best.min(timed(|| to.copy_from_slice(black_box(&from))));
        black_box(&to);
    }
    2.0 * MEMORY as f64 / best.max(1e-9) * 1e-9
}

/// Slope of the line through these points, by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (x, y) = points
        .iter()
        .fold((0.0, 0.0), |(x, y), p| (x + p.0 / n, y + p.1 / n));
    let both: f64 = points.iter().map(|p| (p.0 - x) * (p.1 - y)).sum();
    let one: f64 = points.iter().map(|p| (p.0 - x) * (p.0 - x)).sum();
    both / one
}

#[cfg(test)]
mod tests {
    use super::slope;

    #[test]
    fn a_slope_by_hand() {
        assert!((slope(&[(0.0, 1.0), (1.0, 3.0), (2.0, 5.0)]) - 2.0).abs() < 1e-12);
    }
}
