//! What was sensed, as it is.

use super::standard::{Spread, Standard};
use crate::error::Result;
use crate::models::place::{Descriptor, Samples, Senses};

/// Every value standardised over the samples fitted to; the code is as long as a sample.
#[derive(Clone, Debug)]
pub struct Raw {
    standard: Standard,
}

impl Raw {
    /// Fits means and spreads; `touch` is touch's share in a code's variance, 0 to 1.
    ///
    /// # Errors
    /// Fewer than two samples, or a share outside its range.
    pub fn fit(samples: &Samples, touch: f64) -> Result<Self> {
        let standard = Standard::fit(samples, Spread::OfValue)?.weighed(touch)?;
        Ok(Raw { standard })
    }
}

impl Descriptor for Raw {
    fn name(&self) -> &str {
        "raw"
    }

    fn describe(&mut self, samples: &Samples, i: usize, senses: Senses) -> Result<Vec<f32>> {
        let mut code = vec![0.0; self.standard.len()];
        self.standard.row(samples, i, senses, &mut code)?;
        Ok(code)
    }
}
