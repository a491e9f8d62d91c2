//! How the error of the readouts reaches the recurrent neurons.
//!
//! ```text
//! L_j = sum_k B_kj E_k
//! symmetric   B = W_out^T
//! random      B fixed (broadcast; Lillicrap et al. 2016)
//! adaptive    B starts random and changes as W_out does:
//!             W_out = (1 - d)(W_out + D),  B = (1 - d)(B + D^T)
//! ```
//!
//! with `D` the change of the readout weights in an update and `d` a small decay. The
//! difference of the two shrinks by `1 - d` in every update, so that B becomes
//! `W_out^T` without any synapse knowing another's weight (Kolen & Pollack 1994;
//! "adaptive e-prop" in Bellec et al. 2020).

use serde::{Deserialize, Serialize};

use crate::error::{Result, check};
use crate::network::Network;
use crate::real::Real;

/// What becomes of the feedback weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Feedback {
    /// The transposed readout weights.
    #[default]
    Symmetric,
    /// Those of [`Network::feedback`], for ever.
    Random,
    /// Those of [`Network::feedback`], which follow the readout weights.
    Adaptive {
        /// Decay `d` of both in every update.
        decay: f64,
    },
}

impl Feedback {
    /// Checks every parameter against its range.
    ///
    /// # Errors
    /// [`crate::Error::Parameter`] names the first one that lies outside.
    pub fn validate(&self) -> Result<()> {
        match *self {
            Self::Adaptive { decay } => check("feedback.decay", decay, 0.0, 1.0),
            _ => Ok(()),
        }
    }

    /// Keeps the readout weights as they are before an update, where
    /// [`Feedback::follow`] needs them.
    pub fn remember<R: Real>(self, network: &Network<R>, before: &mut Vec<R>) {
        if let Self::Adaptive { .. } = self {
            before.clone_from(&network.weights.w_out);
        }
    }

    /// After an update of the readout weights, which were `before` (`[n_rec, n_out]`).
    /// Changes nothing unless the feedback is adaptive.
    pub fn follow<R: Real>(self, network: &mut Network<R>, before: &[R]) {
        let (Self::Adaptive { decay }, Some(feedback)) = (self, &mut network.feedback) else {
            return;
        };
        let keep = R::of(1.0 - decay);
        let (n, n_out) = (network.topology.n_rec(), network.topology.n_out);
        for j in 0..n {
            for k in 0..n_out {
                let w = &mut network.weights.w_out[j * n_out + k];
                let b = &mut feedback[k * n + j];
                *b = keep * (*b + (*w - before[j * n_out + k]));
                *w *= keep;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::Topology;
    use crate::neurons::NeuronParams;

    #[test]
    fn adaptive_feedback_by_hand() {
        let topology = Topology {
            n_in: 1,
            n_lif: 2,
            n_alif: 0,
            n_out: 2,
        };
        let mut network = Network::<f64>::new(topology, &NeuronParams::default());
        let before = [1.0, 2.0, 3.0, 4.0];
        network.weights.w_out = vec![1.0, 2.5, 3.0, 3.0];
        network.feedback = Some(vec![10.0, 20.0, 30.0, 40.0]);
        Feedback::Adaptive { decay: 0.5 }.follow(&mut network, &before);
        assert_eq!(network.weights.w_out, [0.5, 1.25, 1.5, 1.5]);
        // Change +0.5 of (j 0, k 1) goes to B[1][0], -1 of (1, 1) to B[1][1].
        assert_eq!(network.feedback.unwrap(), [5.0, 10.0, 15.25, 19.5]);
    }

    #[test]
    fn random_feedback_stays() {
        let topology = Topology {
            n_in: 1,
            n_lif: 1,
            n_alif: 0,
            n_out: 1,
        };
        let mut network = Network::<f64>::new(topology, &NeuronParams::default());
        network.feedback = Some(vec![3.0]);
        network.weights.w_out = vec![2.0];
        Feedback::Random.follow(&mut network, &[1.0]);
        assert_eq!(
            (network.weights.w_out[0], network.feedback.unwrap()[0]),
            (2.0, 3.0)
        );
    }
}
