//! One sample at a time without reading all weights in every step.
//!
//! In the published schedule the causes of a sample move a little, 20 times, between two
//! changes of the weights. What the lowest visual layer misses is then linear in what its
//! causes have moved by, Δ, for every pixel whose prediction cannot have changed its sign:
//! `z_j` moves by at most `|w_j| |Δ|`. With the curvature `G = Σ w_j^T w_j`, kept up to
//! date, the steps after the first need
//!
//! ```text
//! (e f') W^T = before - G Δ + sum over the other pixels of w_j (z_j - z_j before + d_j - d_j before)
//! ```
//!
//! where the other pixels are those predicted below 0 or near it, and `d = e f'`. It is the
//! published step; only the rounding differs. How near is so chosen that what is read of
//! unsettled pixels and, where causes move further than they may, of all of them is least.
//! Where most pixels are unsettled, as with weights just drawn, all weights are read.
//!
//! What is missed at the end, the change of the weights by it, and what the next sample
//! misses at its beginning are one pass over the weights, if the next sample is known.
//!
//! The curvature changes with the weights by two rows' products with the causes; trainings
//! make a new one of these in each epoch, against the rounding.

use rayon::prelude::*;

use super::network::{Activity, Network, VISUAL};
use crate::learning::predictive_coding::{Connection, Errors, Presented};
use crate::models::place::Senses;
use crate::products::{Multiply, View, multiply};
use crate::simd::{add_scaled, gather_unsettled, multiply_vector};

/// Rows that a thread takes at a time. Part of the definition of the result.
const CHUNK: usize = 256;
/// Above this share of unsettled pixels reading all is as quick.
const MOST_UNSETTLED: f64 = 0.7;
/// Shares of the pixels predicted above 0 that may be unsettled, from many to few.
const SHARES: [f64; 6] = [0.6, 0.3, 0.15, 0.08, 0.04, 0.01];

/// What is known of the lowest visual layer.
#[derive(Clone, Debug)]
pub struct Settled<R> {
    /// `G`, `[here, here]`.
    curvature: Vec<R>,
    /// `|w_j|^2`, `[below]`.
    squares: Vec<R>,
    /// Causes and `z` when all weights were read last, and what moved the causes.
    causes: Vec<R>,
    z: Vec<R>,
    gradient: Vec<R>,
    /// How far causes may move from there until a pixel's sign changes, `[below]`.
    reach: Vec<R>,
    /// Working memory to sort it.
    sorted: Vec<R>,
    /// How far causes may move from there.
    radius: f64,
    /// Steps since then.
    steps: u32,
    /// How far they went in a step.
    pace: f64,
    unsettled: Vec<u32>,
    /// Since then, and `G` times it.
    moved: Vec<R>,
    bent: Vec<R>,
    /// Of each chunk of unsettled pixels.
    parts: Vec<Vec<R>>,
    ahead: Ahead<R>,
    /// Rows of weights read, and those that the plain way would have read.
    read: [u64; 2],
}

/// What the sample that was said to come next misses, with the weights as they are now.
#[derive(Clone, Debug)]
struct Ahead<R> {
    known: bool,
    seen: Vec<R>,
    causes: Vec<R>,
    errors: Errors<R>,
}

/// A sample that comes after another: its image, and its lowest visual causes.
#[derive(Clone, Copy, Debug)]
pub struct Next<'a, R> {
    /// `[visual input]`.
    pub seen: &'a [R],
    /// `[lowest visual layer]`.
    pub causes: &'a [R],
}

impl<R: Multiply> Settled<R> {
    /// For a network as it is.
    pub fn new(network: &Network<R>) -> Self {
        let lowest = &network.connections()[VISUAL][0];
        let (below, here) = lowest.sizes();
        let zeros = |n: usize| vec![R::ZERO; n];
        let mut settled = Settled {
            curvature: zeros(here * here),
            squares: zeros(below),
            causes: zeros(here),
            z: zeros(below),
            gradient: zeros(here),
            reach: zeros(below),
            sorted: Vec::with_capacity(below),
            radius: 0.0,
            steps: 0,
            pace: 1e-2,
            unsettled: Vec::with_capacity(below),
            moved: zeros(here),
            bent: zeros(here),
            parts: vec![zeros(here); below.div_ceil(CHUNK)],
            ahead: Ahead {
                known: false,
                seen: zeros(below),
                causes: zeros(here),
                errors: lowest.working_memory(1),
            },
            read: [0; 2],
        };
        settled.renew(lowest);
        settled
    }

    /// Takes the curvature of the weights as they are.
    fn renew(&mut self, lowest: &Connection<R>) {
        let (below, here) = lowest.sizes();
        let weights = View::new(lowest.weights(), below, here);
        multiply(
            R::ONE,
            weights.transposed(),
            weights,
            R::ZERO,
            &mut self.curvature,
        );
        for (square, row) in self.squares.iter_mut().zip(lowest.weights().chunks(here)) {
            *square = row.iter().fold(R::ZERO, |sum, &w| sum + w * w);
        }
    }

    /// Share of the rows of weights that were read, of those that the plain way reads.
    pub fn share_read(&self) -> f64 {
        self.read[0] as f64 / self.read[1].max(1) as f64
    }

    /// One sample of a batch of one: `steps` steps of the causes, then one of the weights,
    /// at the configured rates. `next` is the sample that comes after it, if that is known:
    /// it saves time, and changes nothing, also where another comes. Between two calls
    /// nobody else may change the network.
    pub fn learn(
        &mut self,
        network: &mut Network<R>,
        activity: &mut Activity<R>,
        steps: usize,
        next: Option<Next<'_, R>>,
    ) {
        assert_eq!(activity.batch(), 1, "one sample at a time");
        let below = self.z.len() as u64;
        for step in 0..steps {
            if step == 0 || !self.is_near(activity) {
                let known = step == 0 && self.take_ahead(activity);
                network.errors_from([usize::from(known), 0], Senses::Both, activity);
                self.read[0] += if known { 0 } else { below };
                self.begin(activity);
            } else {
                network.errors_from([1, 0], Senses::Both, activity);
                self.gather(&network.connections()[VISUAL][0], activity);
                self.read[0] += self.unsettled.len() as u64;
            }
            network.move_causes(Senses::Both, activity, [1.0; 3], |_| true);
        }
        self.read[0] += below;
        self.read[1] += below * (steps as u64 + 1);
        self.learn_weights(network, activity, next);
    }

    /// What is missed now changes the weights.
    fn learn_weights(
        &mut self,
        network: &mut Network<R>,
        activity: &mut Activity<R>,
        next: Option<Next<'_, R>>,
    ) {
        let weight_rate = network.config().visual.weight_rate;
        let Some(next) = next else {
            self.ahead.known = false;
            network.errors(Senses::Both, activity);
            self.follow(weight_rate, activity);
            return network.learn(activity, 1.0, false);
        };
        self.ahead.seen.copy_from_slice(next.seen);
        self.ahead.causes.copy_from_slice(next.causes);
        self.ahead.known = true;
        let now = Presented {
            causes: &activity.causes[VISUAL][0],
            target: &activity.inputs[VISUAL],
            errors: &mut activity.errors[VISUAL][0],
        };
        let ahead = Presented {
            causes: &self.ahead.causes,
            target: &self.ahead.seen,
            errors: &mut self.ahead.errors,
        };
        let rate = R::of(2.0 * weight_rate);
        network
            .lowest_visual()
            .errors_around_learning(rate, now, ahead);
        network.errors_from([1, 0], Senses::Both, activity);
        self.follow(weight_rate, activity);
        network.learn_from([1, 0], activity, 1.0, false);
    }

    /// Takes what is missed at the lowest layer, if it is known of just this sample.
    fn take_ahead(&mut self, activity: &mut Activity<R>) -> bool {
        let Ahead {
            known,
            seen,
            causes,
            errors,
        } = &mut self.ahead;
        let known = std::mem::take(known)
            && *causes == activity.causes[VISUAL][0]
            && *seen == activity.inputs[VISUAL];
        if known {
            std::mem::swap(errors, &mut activity.errors[VISUAL][0]);
        }
        known
    }

    /// All weights have just been read.
    fn begin(&mut self, activity: &Activity<R>) {
        self.causes.copy_from_slice(&activity.causes[VISUAL][0]);
        let errors = &activity.errors[VISUAL][0];
        errors.copy_potentials(&activity.inputs[VISUAL], &mut self.z);
        self.gradient.copy_from_slice(errors.gradient());
        for ((reach, &z), &square) in self.reach.iter_mut().zip(&self.z).zip(&self.squares) {
            // A little less, for the squares are rounded.
            *reach = z / (R::of(1.001) * square.positive().sqrt() + R::of(1e-30));
        }
        self.radius = self.best_radius();
        self.steps = 0;
        self.unsettled.clear();
        let radius = R::of(self.radius);
        let unsettled = self.reach.iter().enumerate().filter(|(_, r)| **r <= radius);
        self.unsettled.extend(unsettled.map(|(j, _)| j as u32));
    }

    /// The radius for which the least is read in a step: the unsettled pixels, and all of
    /// them each time the causes have moved so far.
    fn best_radius(&mut self) -> f64 {
        self.sorted.clear();
        let above = self.reach.iter().filter(|r| **r > R::ZERO);
        self.sorted.extend(above);
        let order = |a: &R, b: &R| a.to_f64().total_cmp(&b.to_f64());
        let (mut best, mut least) = (0.0, f64::INFINITY);
        let mut rest = &mut self.sorted[..];
        let above = rest.len() as f64;
        for share in SHARES {
            let n = (share * above) as usize;
            if n >= rest.len() {
                continue;
            }
            let (nearer, &mut reach, _) = rest.select_nth_unstable_by(n, order);
            rest = nearer;
            // What is not above 0 is read whatever the radius is.
            let read = n as f64 / self.z.len() as f64 + self.pace / reach.to_f64();
            if read < least {
                (best, least) = (reach.to_f64(), read);
            }
        }
        best
    }

    fn measure(&mut self, activity: &Activity<R>) {
        let causes = activity.causes[VISUAL][0].iter().zip(&self.causes);
        for (moved, (&now, &then)) in self.moved.iter_mut().zip(causes) {
            *moved = now - then;
        }
    }

    fn way(&self) -> f64 {
        let squares = self.moved.iter().map(|m| m.to_f64() * m.to_f64());
        squares.sum::<f64>().sqrt()
    }

    /// Whether what is known still holds after one more step.
    fn is_near(&mut self, activity: &Activity<R>) -> bool {
        self.measure(activity);
        let way = self.way();
        self.steps += 1;
        self.pace = way / f64::from(self.steps);
        let few = self.unsettled.len() as f64 <= MOST_UNSETTLED * self.z.len() as f64;
        way <= self.radius && few
    }

    /// What moves the causes, as it would be after reading all weights.
    fn gather(&mut self, lowest: &Connection<R>, activity: &mut Activity<R>) {
        let here = self.moved.len();
        let (moved, z) = (&self.moved, &self.z);
        let seen = &activity.inputs[VISUAL];
        let rows = self.curvature.par_chunks(CHUNK * here);
        rows.zip(self.bent.par_chunks_mut(CHUNK))
            .for_each(|(rows, bent)| multiply_vector(rows, moved, bent));
        let chunks = self.unsettled.par_chunks(CHUNK);
        chunks.zip(&mut self.parts).for_each(|(pixels, part)| {
            part.fill(R::ZERO);
            gather_unsettled(lowest.weights(), pixels, moved, z, seen, part);
        });
        let gradient = activity.errors[VISUAL][0].gradient_mut();
        gradient.copy_from_slice(&self.gradient);
        add_scaled(gradient, -R::ONE, &self.bent);
        for part in &self.parts[..self.unsettled.len().div_ceil(CHUNK)] {
            add_scaled(gradient, R::ONE, part);
        }
    }

    /// Changes the curvature as the weights are about to be changed:
    /// `W += r c^T d` makes it `G + r (c^T g + g^T c) + r^2 |d|^2 c^T c`, `g = d W^T`.
    fn follow(&mut self, weight_rate: f64, activity: &Activity<R>) {
        let rate = R::of(2.0 * weight_rate);
        let errors = &activity.errors[VISUAL][0];
        let (causes, gradient) = (&activity.causes[VISUAL][0], errors.gradient());
        let here = causes.len();
        errors.copy_potentials(&activity.inputs[VISUAL], &mut self.z);
        let length = causes.iter().fold(R::ZERO, |sum, &c| sum + c * c);
        let mut gated = R::ZERO;
        let squares = self.squares.iter_mut().zip(&self.z);
        for ((square, &z), d) in squares.zip(errors.gated()) {
            *square += rate * d * (R::of(2.0) * z + rate * d * length);
            gated += d * d;
        }
        let more = rate * rate * gated;
        let rows = self.curvature.par_chunks_mut(here).with_min_len(64);
        rows.zip(causes).zip(gradient).for_each(|((row, &c), &g)| {
            add_scaled(row, rate * g + more * c, causes);
            add_scaled(row, rate * c, gradient);
        });
    }
}
