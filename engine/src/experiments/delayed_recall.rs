//! Delayed recall (store and recall): one symbol of many is to be remembered.

use super::numpy_random::NumpyRandom;
use super::{Problem, Sequence, Target, Task};
use crate::learning::eprop::EpropConfig;
use crate::learning::feedback::Feedback;
use crate::learning::optimizer::OptimizerConfig;
use crate::network::{Topology, Weights};
use crate::neurons::NeuronParams;

/// Steps for which a symbol is shown.
const SHOWN: usize = 100;
/// Symbols in a sequence, before the recall.
const SYMBOLS: usize = 6;
/// The symbol to be remembered is one of the first.
const STORED: u32 = 3;
const TICKS: usize = (SYMBOLS + 1) * SHOWN;
const HELD_OUT: usize = 500;
const TOPOLOGY: Topology = Topology {
    n_in: 40,
    n_lif: 20,
    n_alif: 20,
    n_out: 2,
};
/// Inputs of each of the four groups: symbol 0, symbol 1, store, recall.
const GROUP: usize = TOPOLOGY.n_in / 4;

/// Six symbols, each 0 or 1, for 100 ms each. With one of the first three comes the sign
/// to store it; at the end, at least 300 ms later, comes the sign to recall it, and the
/// other symbols are to be ignored. 40 inputs, 20 LIF and 20 ALIF neurons. After Bellec
/// et al., NeurIPS 2018, and the store-recall task of Nat. Commun. 11, 3625, 2020.
#[derive(Clone, Debug)]
pub struct DelayedRecall {
    task: Task,
    held_out: Vec<Sequence>,
    random: NumpyRandom,
    batch: usize,
}

impl DelayedRecall {
    /// The task that a seed gives, with `batch` sequences in an iteration.
    pub fn new(seed: u32, batch: usize) -> Self {
        let mut random = NumpyRandom::new(seed);
        let (n_in, n, n_out) = (TOPOLOGY.n_in, TOPOLOGY.n_rec(), TOPOLOGY.n_out);
        let w_in = super::normal(&mut random, n_in * n, n_in);
        let mut w_rec = super::normal(&mut random, n * n, n);
        w_rec.iter_mut().step_by(n + 1).for_each(|w| *w = 0.0);
        let w_out = super::normal(&mut random, n * n_out, n);
        let feedback = super::normal(&mut random, n_out * n, n);
        let held_out = (0..HELD_OUT).map(|_| sequence(&mut random)).collect();
        Self {
            task: task(Weights { w_in, w_rec, w_out }, feedback),
            held_out,
            random,
            batch,
        }
    }
}

impl Problem for DelayedRecall {
    fn task(&self) -> &Task {
        &self.task
    }

    fn batch(&mut self) -> Vec<Sequence> {
        (0..self.batch)
            .map(|_| sequence(&mut self.random))
            .collect()
    }

    fn held_out(&self) -> &[Sequence] {
        &self.held_out
    }
}

fn sequence(random: &mut NumpyRandom) -> Sequence {
    let symbols = [(); SYMBOLS].map(|()| random.coin());
    let stored = random.below(STORED) as usize;
    let active = |group: usize, s: usize| match (group, symbols.get(s / SHOWN)) {
        (0 | 1, Some(&symbol)) => usize::from(symbol) == group,
        (2, _) => s / SHOWN == stored,
        (3, symbol) => symbol.is_none(),
        _ => false,
    };
    let inputs = (0..TICKS)
        .map(|s| {
            let on = (0..TOPOLOGY.n_in).filter(|id| active(id / GROUP, s));
            let on = on.filter(|_| random.uniform() < 0.05);
            on.map(|id| id as u32).collect()
        })
        .collect();
    Sequence {
        inputs,
        target: Target::Class(usize::from(symbols[stored])),
    }
}

fn task(weights: Weights<f64>, feedback: Vec<f64>) -> Task {
    Task {
        topology: TOPOLOGY,
        neurons: NeuronParams {
            tau_m_ms: 20.0,
            tau_out_ms: 20.0,
            tau_a_ms: 600.0,
            v_th: 0.6,
            beta: 0.1,
            t_ref_ms: 5.0,
            psi_height: 0.5,
            psi_width: 0.6,
            regular_spike_arrival: true,
            ..NeuronParams::default()
        },
        eprop: EpropConfig {
            c_reg: 10.0,
            f_target_hz: 10.0,
            average_gradient: true,
        },
        optimizer: OptimizerConfig::adam(1e-2),
        bounds: (-100.0, 100.0),
        ticks: TICKS,
        window: SHOWN,
        weights,
        feedback_kind: Feedback::Symmetric,
        feedback,
    }
}
