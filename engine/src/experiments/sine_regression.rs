//! Sine regression: frozen noise in, a sum of four sines out.

use super::numpy_random::NumpyRandom;
use super::{Problem, Sequence, Target, Task};
use crate::learning::eprop::EpropConfig;
use crate::learning::feedback::Feedback;
use crate::learning::optimizer::OptimizerConfig;
use crate::network::{Topology, Weights};
use crate::neurons::NeuronParams;

const TICKS: usize = 1000;
const TOPOLOGY: Topology = Topology {
    n_in: 100,
    n_lif: 100,
    n_alif: 0,
    n_out: 1,
};
/// Periods of the sines in steps.
const PERIODS: [f64; 4] = [1000.0, 500.0, 333.0, 200.0];

/// 100 inputs at 50 Hz, the same spikes in every iteration; 100 LIF neurons; one
/// readout that follows a sum of four sines over 1000 steps. Parameters of NEST's
/// `test_eprop_bsshslm_2020_plasticity.py`; seed 1 is its task.
#[derive(Clone, Debug)]
pub struct SineRegression {
    task: Task,
    sequence: Sequence,
}

impl SineRegression {
    /// The task that a seed gives.
    pub fn new(seed: u32) -> Self {
        let random = &mut NumpyRandom::new(seed);
        let (n_in, n) = (TOPOLOGY.n_in, TOPOLOGY.n_rec());
        let w_in = super::normal(random, n_in * n, n_in);
        let mut w_rec = super::normal(random, n * n, n);
        w_rec.iter_mut().step_by(n + 1).for_each(|w| *w = 0.0);
        let w_out = super::normal(random, n, n);
        let feedback = super::normal(random, n, n);
        let mut inputs: Vec<Vec<u32>> = (0..TICKS)
            .map(|_| {
                let ids = 0..n_in as u32;
                ids.filter(|_| random.uniform() < 0.05).collect()
            })
            .collect();
        // NEST loses the spikes of the first step.
        inputs[0].clear();
        let target = Target::Signal(sines(random, TICKS));
        Self {
            task: task(Weights { w_in, w_rec, w_out }, feedback),
            sequence: Sequence { inputs, target },
        }
    }
}

impl Problem for SineRegression {
    fn task(&self) -> &Task {
        &self.task
    }

    fn batch(&mut self) -> Vec<Sequence> {
        vec![self.sequence.clone()]
    }
}

fn task(weights: Weights<f64>, feedback: Vec<f64>) -> Task {
    Task {
        topology: TOPOLOGY,
        neurons: NeuronParams {
            tau_m_ms: 30.0,
            tau_out_ms: 30.0,
            v_th: 0.03,
            beta: 0.0,
            t_ref_ms: 0.0,
            psi_height: 10.0,
            psi_width: 0.03,
            ..NeuronParams::default()
        },
        eprop: EpropConfig {
            c_reg: 300.0,
            f_target_hz: 10.0,
            average_gradient: false,
        },
        optimizer: OptimizerConfig::Sgd { eta: 1e-4 },
        bounds: (-100.0, 100.0),
        ticks: TICKS,
        window: TICKS,
        weights,
        feedback_kind: Feedback::Random,
        feedback,
    }
}

/// Sum of sines of random amplitude and phase, from 0 and at most 1 high.
pub(super) fn sines(random: &mut NumpyRandom, ticks: usize) -> Vec<f64> {
    let amplitudes = PERIODS.map(|_| random.between(0.5, 2.0));
    let phases = PERIODS.map(|_| random.between(0.0, std::f64::consts::TAU));
    let mut sum = vec![0.0; ticks];
    for ((amplitude, phase), period) in amplitudes.into_iter().zip(phases).zip(PERIODS) {
        // Whole periods that fit; as in the original, 333 gives three.
        let turns = (ticks as f64 / period).floor();
        let step = std::f64::consts::TAU * turns / (ticks - 1) as f64;
        for (s, value) in sum.iter_mut().enumerate() {
            *value += amplitude * (phase + s as f64 * step).sin();
        }
    }
    let first = sum[0];
    sum.iter_mut().for_each(|value| *value -= first);
    let height = sum
        .iter()
        .fold(1e-6_f64, |most, value| most.max(value.abs()));
    sum.iter_mut().for_each(|value| *value /= height);
    sum
}
