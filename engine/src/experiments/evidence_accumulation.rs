//! Evidence accumulation: a decision on what was seen some time ago.

use super::numpy_random::NumpyRandom;
use super::{Problem, Sequence, Target, Task};
use crate::learning::eprop::EpropConfig;
use crate::learning::feedback::Feedback;
use crate::learning::optimizer::OptimizerConfig;
use crate::network::{Topology, Weights};
use crate::neurons::NeuronParams;

const CUES: usize = 7;
/// Steps from one cue to the next: a pause of 50, then the cue.
const CUE: usize = 150;
const PAUSE: usize = 50;
/// Steps between the last cue and the question.
const DELAY: usize = 1050;
/// Steps in which the question is asked and the answer counts.
const RECALL: usize = 150;
const TICKS: usize = CUES * CUE + DELAY + RECALL;
const TOPOLOGY: Topology = Topology {
    n_in: 40,
    n_lif: 50,
    n_alif: 50,
    n_out: 2,
};
/// Inputs of each of the four groups: left, right, question, noise.
const GROUP: usize = TOPOLOGY.n_in / 4;

/// Seven cues, each left or right, a second of delay, then the question on which
/// side there were more. 40 inputs, 50 LIF and 50 ALIF neurons, two readouts.
/// Parameters of NEST's `test_eprop_bsshslm_2020_plasticity.py`; seed 1 is its task.
#[derive(Clone, Debug)]
pub struct EvidenceAccumulation {
    task: Task,
    random: NumpyRandom,
    batch: usize,
}

impl EvidenceAccumulation {
    /// The task that a seed gives, with `batch` sequences in an iteration.
    pub fn new(seed: u32, batch: usize) -> Self {
        let mut random = NumpyRandom::new(seed);
        let (n_in, n, n_out) = (TOPOLOGY.n_in, TOPOLOGY.n_rec(), TOPOLOGY.n_out);
        let w_in = super::normal(&mut random, n_in * n, n_in);
        let mut w_rec = super::normal(&mut random, n * n, n);
        w_rec.iter_mut().step_by(n + 1).for_each(|w| *w = 0.0);
        // Glorot's uniform distribution.
        let limit = (3.0 / ((n + n_out) as f64 / 2.0)).sqrt();
        let w_out = (0..n * n_out)
            .map(|_| super::in_single_precision(random.between(-limit, limit)))
            .collect();
        let drawn = super::normal(&mut random, n * n_out, 1);
        let feedback = (0..n_out * n).map(|at| drawn[at % n * n_out + at / n]);
        Self {
            task: task(Weights { w_in, w_rec, w_out }, feedback.collect()),
            random,
            batch,
        }
    }
}

impl Problem for EvidenceAccumulation {
    fn task(&self) -> &Task {
        &self.task
    }

    fn batch(&mut self) -> Vec<Sequence> {
        let random = &mut self.random;
        let (rare, often) = (f64::from(0.3_f32), f64::from(0.7_f32));
        let mostly_left: Vec<bool> = (0..self.batch).map(|_| random.coin()).collect();
        let cues: Vec<[bool; CUES]> = mostly_left
            .into_iter()
            .map(|left| {
                let (p0, p1) = if left { (often, rare) } else { (rare, often) };
                [(); CUES].map(|()| random.biased_coin(p0, p1))
            })
            .collect();
        cues.into_iter()
            .map(|cues| Sequence {
                inputs: inputs(&cues, random),
                target: Target::Class(usize::from(cues.iter().filter(|cue| **cue).count() > 3)),
            })
            .collect()
    }
}

/// Spikes of a sequence.
fn inputs(cues: &[bool; CUES], random: &mut NumpyRandom) -> Vec<Vec<u32>> {
    let mut steps: Vec<Vec<u32>> = (0..TICKS)
        .map(|s| {
            let mut fired = Vec::new();
            for id in 0..TOPOLOGY.n_in {
                if probability(s, id / GROUP, cues) > random.uniform() {
                    fired.push(id as u32);
                }
            }
            fired
        })
        .collect();
    // NEST loses the spikes of the first step.
    steps[0].clear();
    steps
}

/// Probability that an input of a group spikes in a step.
fn probability(s: usize, group: usize, cues: &[bool; CUES]) -> f64 {
    let shown = cues.get(s / CUE).filter(|_| s % CUE >= PAUSE);
    let active = match group {
        0 => shown == Some(&false),
        1 => shown == Some(&true),
        2 => s >= TICKS - RECALL,
        _ => return 0.04 / 4.0,
    };
    if active { 0.04 } else { 0.0 }
}

fn task(weights: Weights<f64>, feedback: Vec<f64>) -> Task {
    let (tau_m_ms, tau_a_ms) = (20.0_f64, 2000.0_f64);
    Task {
        topology: TOPOLOGY,
        neurons: NeuronParams {
            tau_m_ms,
            tau_out_ms: 20.0,
            tau_a_ms,
            v_th: 0.6,
            beta: 1.7 * (1.0 - (-1.0 / tau_a_ms).exp()) / (1.0 - (-1.0 / tau_m_ms).exp()),
            t_ref_ms: 5.0,
            psi_height: 0.3 / 0.6,
            psi_width: 0.6,
            regular_spike_arrival: true,
            ..NeuronParams::default()
        },
        eprop: EpropConfig {
            c_reg: 300.0,
            f_target_hz: 10.0,
            average_gradient: true,
        },
        optimizer: OptimizerConfig::adam(5e-3),
        bounds: (-100.0, 100.0),
        ticks: TICKS,
        window: RECALL,
        weights,
        feedback_kind: Feedback::Random,
        feedback,
    }
}
