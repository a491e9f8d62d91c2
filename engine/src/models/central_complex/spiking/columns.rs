//! Columns of leaky integrate-and-fire neurons.
//!
//! ```text
//! tau_m dv/dt = -v + 0.9 + 1.05 u + b        fires at v = 1, then v = 0 for 2 ms
//! ```
//!
//! `u` is what drives a column, in units of activity, `b` a bias from -0.3 to 0.3 that
//! differs between its neurons: it keeps them from firing together and bends the sharp
//! threshold of one neuron into the soft one of a column. A spike adds to its column's
//! trace, which decays with the synapses' time constant and is what the columns behind
//! it see from the next tick on: within a column all neurons have the same targets and
//! weights. Rows of memory lie over the columns, so that the arithmetic is the same for
//! neighbouring numbers.
//!
//! The flow neurons, TN1 and TN2, do not leak and have neither bias nor refractory time,
//! and what exceeds their threshold is kept: they fire in proportion to what drives them,
//! whatever its size. How far a way went is a sum over its speeds, and a curve that bends
//! counts a slow part as more than it is.

use crate::real::Real;
use crate::simd::vectorised;

/// Neurons of a column.
pub const NEURONS: usize = 8;
/// Rate of each neuron of a column whose activity is 1.
pub const FULL_RATE_HZ: f64 = 60.0;
/// All columns, and three that never fire to fill up a vector.
pub(super) const COLUMNS: usize = 120;

/// The first column of each population.
pub(super) mod at {
    pub const TL: usize = 0;
    pub const CL1: usize = 16;
    pub const TB1: usize = 32;
    pub const TN2: usize = 40;
    pub const TN1: usize = 42;
    pub const DRIVE: usize = 44;
    pub const CPU4: usize = 45;
    pub const PONTINE: usize = 61;
    pub const CPU1: usize = 77;
    /// What goes into the ring of the direction of travel.
    pub const PFN: usize = 93;
    /// The ring itself.
    pub const TRAVEL: usize = 109;
    /// Columns in use.
    pub const END: usize = 117;
}

/// Columns of flow neurons.
const FLOW: usize = at::DRIVE - at::TN2;

/// Ticks (ms) after a spike in which a neuron stays at rest.
const REFRACTORY: f64 = 2.0;
/// Current of a neuron that nothing drives (its threshold is 1), and gain of what does.
const AT_REST: f32 = 0.9;
const GAIN: f32 = 1.05;
/// Largest bias of a neuron.
const SPREAD: f32 = 0.3;
/// Time constant, in ms, of the synapses from the drive.
const TAU_DRIVE_MS: f32 = 100.0;

/// Time constants in ms.
pub(super) struct TimeConstants {
    pub membrane_ms: f32,
    pub synapse_ms: f32,
    /// Of the synapses from CPU4.
    pub recall_ms: f32,
}

#[derive(Clone, Debug)]
pub(super) struct Columns {
    /// Potentials, `[neuron, column]` like all that belongs to a neuron.
    potential: [[f32; COLUMNS]; NEURONS],
    /// Ticks until the neuron leaves rest.
    rest: [[f32; COLUMNS]; NEURONS],
    bias: [f32; NEURONS],
    /// Potentials of the flow neurons, 0 to 1; those in `potential` stay below threshold.
    sum: [[f32; FLOW]; NEURONS],
    decay: f32,
    /// Decay of a trace in a tick, and what a spike adds to it.
    keep: [f32; COLUMNS],
    add: [f32; COLUMNS],
    /// 1 for each neuron that fired in the last tick, else 0.
    pub(super) fired: [[f32; COLUMNS]; NEURONS],
    /// Traces in units of activity.
    pub(super) trace: [f32; COLUMNS],
    /// Spikes since it was last set to 0.
    pub(super) count: [f32; COLUMNS],
}

impl Columns {
    /// Neurons at potentials drawn from 0 to 1, the memory's at its level at home.
    pub(super) fn new(time: &TimeConstants, mut draw: impl FnMut() -> f32) -> Self {
        let tau = |column: usize| match column {
            at::DRIVE => TAU_DRIVE_MS,
            at::CPU4..at::PONTINE => time.recall_ms,
            _ => time.synapse_ms,
        };
        let keep: [f32; COLUMNS] = std::array::from_fn(|column| (-1.0 / tau(column)).exp());
        let full = FULL_RATE_HZ as f32 * 1e-3 * NEURONS as f32;
        let decay = (-1.0 / time.membrane_ms).exp();
        Self {
            potential: std::array::from_fn(|_| std::array::from_fn(|_| draw())),
            rest: [[0.0; COLUMNS]; NEURONS],
            sum: std::array::from_fn(|_| std::array::from_fn(|_| draw())),
            bias: std::array::from_fn(|k| SPREAD * ((2 * k + 1) as f32 / NEURONS as f32 - 1.0)),
            decay,
            keep,
            add: keep.map(|keep| (1.0 - keep) / full),
            fired: [[0.0; COLUMNS]; NEURONS],
            trace: std::array::from_fn(|column| match column {
                at::DRIVE => 1.0,
                at::CPU4..at::CPU1 => 0.5,
                _ => 0.0,
            }),
            count: [0.0; COLUMNS],
        }
    }

    /// A millisecond, in which `input` drives the columns; CPU4 neurons are driven by
    /// their weight times `drive` besides.
    pub(super) fn tick(
        &mut self,
        input: &[f32; COLUMNS],
        weights: &[[f32; 16]; NEURONS],
        drive: f32,
    ) {
        let rise = 1.0 - self.decay;
        let mut current = input.map(|u| rise * (AT_REST + GAIN * u));
        current[at::END..].fill(0.0);
        current[at::TN2..at::DRIVE].fill(0.0);
        let drive = rise * GAIN * drive;
        let memory: [f32; 16] = std::array::from_fn(|i| current[at::CPU4 + i]);
        let mut spikes = [0.0; COLUMNS];
        for (k, weights) in weights.iter().enumerate() {
            for i in 0..16 {
                current[at::CPU4 + i] = memory[i] + drive * weights[i];
            }
            fire(
                &mut self.potential[k],
                &mut self.rest[k],
                &mut self.fired[k],
                &mut spikes,
                &current,
                self.decay,
                rise * self.bias[k],
            );
        }
        self.integrate(input, &mut spikes);
        for (g, spikes) in spikes.iter().enumerate() {
            self.count[g] += spikes;
            let trace = self.keep[g] * self.trace[g] + self.add[g] * spikes;
            self.trace[g] = trace.unless_below(f32::TINY);
        }
    }

    /// The flow neurons' millisecond.
    fn integrate(&mut self, input: &[f32; COLUMNS], spikes: &mut [f32; COLUMNS]) {
        for (sum, fired) in self.sum.iter_mut().zip(&mut self.fired) {
            for (i, v) in sum.iter_mut().enumerate() {
                let column = at::TN2 + i;
                *v += FULL_RATE_HZ as f32 * 1e-3 * input[column].max(0.0);
                let fires = *v >= 1.0;
                *v -= if fires { 1.0 } else { 0.0 };
                fired[column] = if fires { 1.0 } else { 0.0 };
                spikes[column] += fired[column];
            }
        }
    }
}

vectorised! {
    /// One neuron of every column: a millisecond of its potential; `spikes` counts.
    fn fire<R: Real>(
        potential: &mut [R],
        rest: &mut [R],
        fired: &mut [R],
        spikes: &mut [R],
        current: &[R],
        decay: R,
        bias: R,
    ) {
        let (zero, one, refractory) = (R::ZERO, R::ONE, R::of(REFRACTORY));
        let neurons = potential.iter_mut().zip(rest).zip(fired).zip(spikes).zip(current);
        for ((((potential, rest), fired), spikes), current) in neurons {
            let v = decay * *potential + (*current + bias);
            let v = if *rest > zero { zero } else { v };
            let fires = v >= one;
            *potential = if fires { zero } else { v };
            *rest = if fires { refractory } else { *rest - one };
            *fired = if fires { one } else { zero };
            *spikes += *fired;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Without weights a neuron fires as the closed form says: the time from rest to
    /// threshold, `tau ln(i / (i - 1))`, and 2 ms.
    #[test]
    fn neurons_fire_at_the_rate_of_the_closed_form() {
        let time = TimeConstants {
            membrane_ms: 20.0,
            synapse_ms: 20.0,
            recall_ms: 20.0,
        };
        let mut columns = Columns::new(&time, || 0.0);
        let mut spikes = [0.0; NEURONS];
        for _ in 0..20_000 {
            columns.tick(&[1.0; COLUMNS], &[[0.0; 16]; NEURONS], 0.0);
            for (sum, fired) in spikes.iter_mut().zip(&columns.fired) {
                *sum += fired[at::TL];
            }
        }
        for (k, spikes) in spikes.iter().enumerate() {
            let current = f64::from(AT_REST + GAIN + columns.bias[k]);
            let ticks = (20.0 * (current / (current - 1.0)).ln()).ceil();
            let want = 20_000.0 / (ticks + REFRACTORY);
            assert!(
                (f64::from(*spikes) - want).abs() <= 1.0,
                "neuron {k}: {spikes}, {want}"
            );
        }
        let fillers = &columns.count[at::END..];
        assert!(fillers.iter().all(|n| *n == 0.0));
    }

    /// A column's activity follows what drives it: silent at 0, 1 at 1.
    #[test]
    fn a_column_answers_nearly_in_proportion() {
        let time = TimeConstants {
            membrane_ms: 20.0,
            synapse_ms: 20.0,
            recall_ms: 20.0,
        };
        for (u, want) in [
            (-0.3, 0.0),
            (0.25, 0.35),
            (0.5, 0.6),
            (0.75, 0.8),
            (1.0, 1.0),
        ] {
            let mut columns = Columns::new(&time, || 0.5);
            for _ in 0..10_000 {
                columns.tick(&[u; COLUMNS], &[[0.0; 16]; NEURONS], 0.0);
            }
            let full = FULL_RATE_HZ as f32 * 10.0 * NEURONS as f32;
            let activity = columns.count[at::CPU1] / full;
            assert!((activity - want).abs() < 0.08, "{u}: {activity}, {want}");
        }
    }

    /// Twice the flow, twice the spikes, to the spike that may be under way.
    #[test]
    fn flow_neurons_answer_in_proportion() {
        let time = TimeConstants {
            membrane_ms: 20.0,
            synapse_ms: 20.0,
            recall_ms: 20.0,
        };
        for u in [-0.5, 0.0, 0.01, 0.1, 0.2, 0.4, 0.8] {
            let mut columns = Columns::new(&time, || 0.5);
            for _ in 0..10_000 {
                columns.tick(&[u; COLUMNS], &[[0.0; 16]; NEURONS], 0.0);
            }
            let want = FULL_RATE_HZ as f32 * 10.0 * u.max(0.0);
            for count in &columns.count[at::TN2..at::DRIVE] {
                let each = count / NEURONS as f32;
                assert!((each - want).abs() <= 1.0, "{u}: {each}, {want}");
            }
        }
    }
}
