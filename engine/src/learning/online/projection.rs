//! The synapses from some neurons to others: weights, delays, and spikes on their way.

use std::ops::Range;

use super::OnlineConfig;
use super::columns::Columns;
use super::past::Rule;
use super::synapses::{Due, Kind, Synapses};
use crate::real::Real;
use crate::simd::{add_rows, add_scaled};

/// Where spikes come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pre {
    /// These inputs.
    Inputs { first: u32, n: u32 },
    /// A population.
    Cells(usize),
}

/// One synapse as it is described.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Connection<R> {
    /// Presynaptic input or neuron.
    pub from: u32,
    /// Postsynaptic neuron or readout.
    pub to: u32,
    /// Ticks from a spike to its arrival.
    pub delay_ticks: u32,
    /// Weight.
    pub weight: R,
}

/// Sizes of the two sides: presynaptic, postsynaptic, and how many of these adapt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) pre: usize,
    pub(super) post: usize,
    pub(super) n_alif: usize,
}

/// A projection as it runs. A row is the synapses of one presynaptic neuron that have one delay.
#[derive(Clone, Debug)]
pub(super) struct Projection<R> {
    pub(super) from: Pre,
    /// Index of what it leads to.
    pub(super) to: usize,
    /// Whether its weights learn.
    pub(super) plastic: bool,
    pub(super) synapses: Synapses<R>,
    pub(super) weights: Vec<R>,
    /// `rows[i]..rows[i + 1]` are the rows of neuron `i`.
    rows: Vec<u32>,
    /// Delay of each row in ticks.
    delays: Vec<u32>,
    /// Rows at which a spike arrives in this tick (`now % slots`) and the next ones.
    slots: Vec<Vec<u32>>,
    /// The tick after that in which each neuron spiked last, or 0.
    sent: Vec<u64>,
}

impl<R: Real> Projection<R> {
    /// `connections` ascending by presynaptic neuron, delay and postsynaptic neuron. Where
    /// they have one delay and are many of those that could be, they are stored as a matrix
    /// with holes, whose rows need no addresses.
    pub(super) fn new(
        (from, to, kind): (Pre, usize, Kind),
        sizes: Sizes,
        connections: &[Connection<R>],
        rule: &Rule<R>,
        config: &OnlineConfig,
    ) -> Self {
        let same_row = |a: &Connection<R>, b: &Connection<R>| {
            (a.from, a.delay_ticks) == (b.from, b.delay_ticks)
        };
        let same = |a: &Connection<R>, b: &Connection<R>| same_row(a, b) && a.to == b.to;
        let delay = connections.first().map_or(0, |c| c.delay_ticks);
        let pairs = connections.array_windows();
        let simple = connections.iter().all(|c| c.delay_ticks == delay)
            && pairs.clone().all(|[a, b]| !same(a, b));
        let dense =
            simple && MATRIX_FROM * connections.len() as f64 >= (sizes.pre * sizes.post) as f64;
        let (mut weights, mut absent) = (Vec::new(), Vec::new());
        let (columns, of_rows): (Columns, Vec<(u32, u32)>) = if dense {
            weights.resize(sizes.pre * sizes.post, R::ZERO);
            let mut present = vec![false; weights.len()];
            for c in connections {
                let at = c.from as usize * sizes.post + c.to as usize;
                (weights[at], present[at]) = (c.weight, true);
            }
            let all = 0..present.len() as u32;
            absent.extend(all.filter(|&at| !present[at as usize]));
            let (n, n_alif) = (sizes.post, sizes.n_alif);
            let rows = (0..sizes.pre as u32).map(|i| (i, delay));
            (Columns::All { n, n_alif }, rows.collect())
        } else {
            weights.extend(connections.iter().map(|c| c.weight));
            let (mut ranges, mut rows): (Vec<Range<usize>>, _) = (Vec::new(), Vec::new());
            for row in connections.chunk_by(same_row) {
                let start = ranges.last().map_or(0, |r| r.end);
                ranges.push(start..start + row.len());
                rows.push((row[0].from, row[0].delay_ticks));
            }
            let targets = connections.iter().map(|c| c.to).collect();
            let first_alif = sizes.post - sizes.n_alif;
            (Columns::some(&ranges, targets, first_alif), rows)
        };
        let longest = of_rows.iter().map(|&(_, delay)| delay).max().unwrap_or(0);
        let slot = || Vec::with_capacity(of_rows.len());
        let first_row = |i: u32| of_rows.partition_point(|&(from, _)| from < i) as u32;
        Self {
            from,
            to,
            plastic: true,
            synapses: Synapses::new(kind, of_rows.len(), columns, &absent, rule, config),
            weights,
            rows: (0..=sizes.pre as u32).map(first_row).collect(),
            delays: of_rows.iter().map(|&(_, delay)| delay).collect(),
            slots: (0..=longest).map(|_| slot()).collect(),
            sent: vec![0; sizes.pre],
        }
    }

    /// A spike of neuron `i` in tick `now` is on its way; a second one is the same.
    pub(super) fn send(&mut self, i: u32, now: u64) {
        let sent = &mut self.sent[i as usize];
        if std::mem::replace(sent, now + 1) == now + 1 {
            return;
        }
        let slots = self.slots.len() as u64;
        for row in self.rows[i as usize]..self.rows[i as usize + 1] {
            let arrives = now + u64::from(self.delays[row as usize]);
            self.slots[(arrives % slots) as usize].push(row);
        }
    }

    /// Adds the rows to `due` at which spikes arrive in this tick, or whose turn it is.
    pub(super) fn due(&mut self, part: usize, now: u64, end: u64, due: &mut Vec<Due>) {
        let slot = (now % self.slots.len() as u64) as usize;
        for &row in &self.slots[slot] {
            self.synapses.due(part, row, end, due);
        }
        self.synapses.late_rows(part, now, end, due);
    }

    /// What arrives in this tick, times `factor`, is added to `acc`, the rows having caught
    /// up.
    pub(super) fn arrive(&mut self, now: u64, factor: R, acc: &mut [R], rule: &Rule<R>) {
        let slot = (now % self.slots.len() as u64) as usize;
        let mut rows = std::mem::take(&mut self.slots[slot]);
        if self.plastic {
            for &row in &rows {
                self.synapses.spike(row as usize, now, rule);
            }
        }
        self.deliver(&rows, factor, acc);
        // The slot is that of a later tick now.
        rows.clear();
        self.slots[slot] = rows;
    }

    /// How many rows there are.
    pub(super) fn rows(&self) -> usize {
        self.delays.len()
    }

    /// Adds the weights of these rows, times `factor`, to what arrives.
    fn deliver(&self, rows: &[u32], factor: R, acc: &mut [R]) {
        match self.synapses.columns() {
            Columns::All { .. } if factor == R::ONE => add_rows(acc, &self.weights, rows),
            Columns::All { n, .. } => {
                for &row in rows {
                    add_scaled(acc, factor, &self.weights[row as usize * n..][..*n]);
                }
            }
            columns => {
                for &row in rows {
                    let targets = columns.targets_of(row as usize).unwrap_or_default();
                    let weights = &self.weights[columns.of(row as usize)];
                    for (&j, &w) in targets.iter().zip(weights) {
                        acc[j as usize] += factor * w;
                    }
                }
            }
        }
    }

    /// The error of the readouts goes back to the neurons that reach them, `signal`.
    pub(super) fn send_back(&self, error: &[R], signal: &mut [R]) {
        for (i, l) in signal.iter_mut().enumerate() {
            for row in self.rows_of(i) {
                let weights = &self.weights[self.synapses.columns().of(row)];
                match self.synapses.columns().targets_of(row) {
                    None => {
                        for (&w, &e) in weights.iter().zip(error) {
                            *l += w * e;
                        }
                    }
                    Some(targets) => {
                        for (&w, &k) in weights.iter().zip(targets) {
                            *l += w * error[k as usize];
                        }
                    }
                }
            }
        }
    }

    /// The weights, which were `before`, shrink to `keep`; the feedback, `[n_out, n]`, moves
    /// as they have moved.
    pub(super) fn lead(&mut self, before: &[R], keep: R, feedback: &mut [R]) {
        let n = self.rows.len() - 1;
        for i in 0..n {
            for row in self.rows_of(i) {
                let columns = self.synapses.columns();
                let targets = columns.targets_of(row);
                for (k, at) in columns.of(row).enumerate() {
                    let k = targets.map_or(k, |targets| targets[k] as usize);
                    feedback[k * n + i] += self.weights[at] - before[at];
                    self.weights[at] *= keep;
                }
            }
        }
        self.synapses.remeasure();
    }

    fn rows_of(&self, i: usize) -> Range<usize> {
        self.rows[i] as usize..self.rows[i + 1] as usize
    }

    /// Its synapses with these weights, in the order of [`Self::weights`].
    pub(super) fn connections(&self, weights: &[R]) -> Vec<Connection<R>> {
        let (mut all, columns) = (Vec::new(), self.synapses.columns());
        for from in 0..self.rows.len() - 1 {
            for row in self.rows_of(from) {
                let (targets, absent) = (columns.targets_of(row), self.synapses.absent_of(row));
                for (k, &weight) in weights[columns.of(row)].iter().enumerate() {
                    let to = targets.map_or(k as u32, |targets| targets[k]);
                    if absent.binary_search(&to).is_err() {
                        all.push(Connection {
                            from: from as u32,
                            to,
                            delay_ticks: self.delays[row],
                            weight,
                        });
                    }
                }
            }
        }
        all
    }

    /// Writes its weights to a matrix, row-major `[pre, post]`.
    pub(super) fn write(&self, matrix: &mut [R]) {
        let n_post = matrix.len() / (self.rows.len() - 1).max(1);
        for c in self.connections(&self.weights) {
            matrix[c.from as usize * n_post + c.to as usize] = c.weight;
        }
    }
}

/// All synapses that could be are at most so many times those that are, where they are
/// stored as a matrix: addresses make a synapse some three times as dear.
const MATRIX_FROM: f64 = 3.0;
