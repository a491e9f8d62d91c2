//! The network among the descriptors of places.

use super::recogniser::{Method, Recogniser};
use crate::error::Result;
use crate::models::place::{Descriptor, Samples, Senses};

impl Descriptor for Recogniser {
    fn name(&self) -> &str {
        "predictive coding"
    }

    fn describe(&mut self, samples: &Samples, i: usize, senses: Senses) -> Result<Vec<f32>> {
        let answer = self.recognise(samples.visual(i), samples.tactile(i), senses)?;
        Ok(answer.code.to_vec())
    }

    /// The published inference goes through samples in batches, which is
    /// many times as fast and gives the same codes but for rounding.
    fn describe_all(&mut self, samples: &Samples, senses: Senses) -> Result<Vec<Vec<f32>>> {
        if let Method::Published(iterations) = self.method() {
            return self.place().infer(samples, senses, iterations);
        }
        (0..samples.len())
            .map(|i| self.describe(samples, i, senses))
            .collect()
    }

    fn imagine(&mut self, samples: &Samples, i: usize, senses: Senses) -> Result<Option<Vec<f32>>> {
        self.recognise(samples.visual(i), samples.tactile(i), senses)?;
        let [seen, _] = Recogniser::imagine(self);
        Ok(Some(seen))
    }
}
