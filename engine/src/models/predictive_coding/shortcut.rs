//! The steps of the quick method (see [`super::recogniser`]).

use nalgebra::DMatrix;

use super::network::{Activity, Network, TACTILE, VISUAL, used};
use super::recogniser::Quick;
use super::reliability::Reliability;
use super::stored::Stored;
use crate::learning::predictive_coding::Connection;
use crate::models::place::Senses;
use crate::products::{View, multiply};
use crate::simd::multiply_vector;

/// What the quick method keeps.
#[derive(Clone, Debug)]
pub(super) struct Shortcut {
    quick: Quick,
    /// The lowest visual weights, `[here, below]`.
    encoder: Stored,
    /// `1/(2 a k) + 1` of the lowest visual layer.
    holds: f32,
    /// `(1/(2 a k) + H)^-1` of each layer of each pathway, `[here, here]`.
    solvers: [Vec<Vec<f32>>; 2],
    /// The same of the joint causes, for each choice of senses.
    joint_solvers: [Vec<f32>; 3],
    /// `x W^T`.
    gathered: Vec<f32>,
    /// Right side and solution of a step, as long as the largest layer.
    right: Vec<f32>,
    solution: Vec<f32>,
    visual_residual: f64,
    reliability: Option<Reliability>,
    /// Of each sense at the joint layer.
    conductances: [f32; 2],
}

const SENSES: [Senses; 3] = [Senses::Both, Senses::Vision, Senses::Touch];

impl Shortcut {
    pub fn new(network: &Network<f32>, quick: Quick, reliability: Option<Reliability>) -> Self {
        let per_step = quick.iterations / quick.steps as f64;
        let [visual, tactile, joint] = network.cause_rates();
        let stay = |rate: f64| 1.0 / (2.0 * rate * per_step).max(1e-12);
        let solvers = [(VISUAL, visual), (TACTILE, tactile)].map(|(m, rate)| {
            let layers = network.connections()[m]
                .split_last()
                .map_or(&[][..], |s| s.1);
            let each = layers.iter();
            each.map(|c| inverse(&curvature(&[c]), stay(rate) + 1.0))
                .collect()
        });
        let tops = network
            .connections()
            .each_ref()
            .map(|all| &all[all.len() - 1]);
        let joint_solvers = SENSES.map(|senses| {
            let tops: Vec<_> = used(senses).iter().map(|&m| tops[m]).collect();
            inverse(&curvature(&tops), stay(joint))
        });
        let lowest = &network.connections()[VISUAL][0];
        let (below, here) = lowest.sizes();
        let mirrored = DMatrix::from_row_slice(below, here, lowest.weights());
        let layers = network.config().pathways().map(|p| p.layers.iter());
        let layers = layers
            .into_iter()
            .flatten()
            .chain([&network.config().joint]);
        let most = layers.copied().max().unwrap_or(0);
        Shortcut {
            quick,
            // Columns of the one lie as rows of the other.
            encoder: Stored::new(mirrored.as_slice(), below, quick.precision),
            holds: (stay(visual) + 1.0) as f32,
            solvers,
            joint_solvers,
            gathered: vec![0.0; here],
            right: vec![0.0; most],
            solution: vec![0.0; most],
            visual_residual: 0.0,
            reliability,
            conductances: [1.0; 2],
        }
    }

    /// Mean squared error of the image after the last step.
    pub fn visual_residual(&self) -> f64 {
        self.visual_residual
    }

    /// How much each sense counted in the last answer.
    pub fn conductances(&self) -> [f32; 2] {
        self.conductances
    }

    /// Bytes that are read for the image.
    pub fn encoder_bytes(&self) -> usize {
        self.encoder.bytes()
    }

    /// Moves the causes of `activity` to those of its inputs. The number of steps.
    pub fn infer(
        &mut self,
        network: &Network<f32>,
        senses: Senses,
        activity: &mut Activity<f32>,
    ) -> usize {
        if !self.quick.warm {
            activity.restart(network.config().start as f32);
        }
        if used(senses).contains(&VISUAL) {
            let seen = &activity.inputs[VISUAL];
            self.encoder.times(seen, &mut self.gathered);
        }
        self.conductances = [1.0; 2];
        let steps = self.descend(network, senses, activity);
        let Some(reliability) = self.reliability.filter(|_| senses == Senses::Both) else {
            return steps;
        };
        let residual = [
            Some(self.visual_residual),
            Some(activity.mean_squared(TACTILE, 0, 0)),
        ];
        let Some(conductances) = reliability.conductances(residual) else {
            return steps;
        };
        // Once more, and from the start: what has gone astray would stay astray.
        self.conductances = conductances;
        activity.restart(network.config().start as f32);
        steps + self.descend(network, senses, activity)
    }

    /// The steps. Their number.
    fn descend(
        &mut self,
        network: &Network<f32>,
        senses: Senses,
        activity: &mut Activity<f32>,
    ) -> usize {
        for step in 1..=self.quick.steps {
            network.errors_from([1, 0], senses, activity);
            if used(senses).contains(&VISUAL) {
                self.step_lowest(activity);
            }
            self.step_layers(senses, activity);
            let moved = self.step_joint(senses, activity);
            if moved <= self.quick.tolerance {
                return step;
            }
        }
        self.quick.steps
    }

    /// The lowest visual layer, and what it misses of the image: with the solution, the
    /// right side says what `c W W^T` is.
    fn step_lowest(&mut self, activity: &mut Activity<f32>) {
        let causes = &mut activity.causes[VISUAL][0];
        let right = &mut self.right[..causes.len()];
        for ((r, &c), &b) in right.iter_mut().zip(&*causes).zip(&self.gathered) {
            *r = self.holds * c + b;
        }
        activity.errors[VISUAL][1].move_below(0, 1.0, right);
        multiply_vector(&self.solvers[VISUAL][0], right, causes);
        let seen = &activity.inputs[VISUAL];
        let mut squared: f64 = seen.iter().map(|&x| f64::from(x * x)).sum();
        for ((&r, &c), &b) in right.iter().zip(&*causes).zip(&self.gathered) {
            let back = r - self.holds * c;
            squared += f64::from(c * (back - 2.0 * b));
        }
        self.visual_residual = squared.max(0.0) / seen.len() as f64;
    }

    /// All other layers below the joint one.
    fn step_layers(&mut self, senses: Senses, activity: &mut Activity<f32>) {
        for &m in used(senses) {
            let lowest = usize::from(m == VISUAL);
            let errors = &activity.errors[m];
            for (layer, causes) in activity.causes[m].iter_mut().enumerate().skip(lowest) {
                let right = &mut self.right[..causes.len()];
                right.fill(0.0);
                errors[layer].move_here(0, 1.0, right);
                errors[layer + 1].move_below(0, 1.0, right);
                let solution = &mut self.solution[..causes.len()];
                multiply_vector(&self.solvers[m][layer], right, solution);
                causes.iter_mut().zip(solution).for_each(|(c, s)| *c += *s);
            }
        }
    }

    /// The joint causes. How far the one went that went the furthest.
    fn step_joint(&mut self, senses: Senses, activity: &mut Activity<f32>) -> f64 {
        let n = activity.joint.len();
        let (right, solution) = (&mut self.right[..n], &mut self.solution[..n]);
        right.fill(0.0);
        for &m in used(senses) {
            let errors = &activity.errors[m];
            // At most 1, which flattens the curvature: no step overshoots by it.
            errors[errors.len() - 1].move_here(0, self.conductances[m], right);
        }
        let which = SENSES.iter().position(|&s| s == senses).unwrap_or(0);
        multiply_vector(&self.joint_solvers[which], right, solution);
        let mut furthest = 0.0_f32;
        for (c, s) in activity.joint.iter_mut().zip(solution) {
            *c += *s;
            furthest = furthest.max(s.abs());
        }
        f64::from(furthest)
    }
}

/// The sum of `W W^T` over connections of the same causes, `[here, here]`.
fn curvature(connections: &[&Connection<f32>]) -> Vec<f32> {
    let here = connections.first().map_or(0, |c| c.sizes().1);
    let mut sum = vec![0.0; here * here];
    for connection in connections {
        let (below, here) = connection.sizes();
        let weights = View::new(connection.weights(), below, here);
        multiply(1.0, weights.transposed(), weights, 1.0, &mut sum);
    }
    sum
}

/// The inverse of a curvature plus so much of the identity, which makes it definite.
fn inverse(curvature: &[f32], more: f64) -> Vec<f32> {
    let n = curvature.len().isqrt();
    let mut matrix = DMatrix::from_row_slice(n, n, curvature);
    for i in 0..n {
        matrix[(i, i)] += more as f32;
    }
    let inverse = matrix.cholesky().map(|c| c.inverse());
    // Not definite only where weights are so large that rounding drowns the rest: there
    // a step that stays where it is does no harm.
    inverse.map_or_else(|| vec![0.0; n * n], |m| m.as_slice().to_vec())
}
