//! Patch-normalised images, as SeqSLAM compares them (Milford & Wyeth 2012).

use serde::{Deserialize, Serialize};

use super::standard::{Spread, Standard, check_sizes};
use crate::error::{Error, Result, check_count};
use crate::models::place::{Descriptor, Samples, Senses};

/// Added to the standard deviation of a patch, so that a blank wall stays blank.
const FLAT: f64 = 0.01;

/// What images are cut into.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PatchConfig {
    /// Width of the image in pixels.
    pub width: usize,
    /// Its height.
    pub height: usize,
    /// Values of a pixel.
    pub colours: usize,
    /// Width and height of a patch in pixels; those at the right and at the bottom are as
    /// large as there is room for.
    pub patch: usize,
    /// Touch's share in a code's variance.
    pub touch: f64,
}

impl Default for PatchConfig {
    fn default() -> Self {
        PatchConfig {
            width: 80,
            height: 45,
            colours: 3,
            patch: 8,
            touch: 0.5,
        }
    }
}

/// The grey image with each patch at mean 0 and a standard deviation of 1, and what was
/// felt, standardised.
#[derive(Clone, Debug)]
pub struct PatchNormalised {
    config: PatchConfig,
    standard: Standard,
}

impl PatchNormalised {
    /// Fits means and spreads of touch; vision needs none.
    ///
    /// # Errors
    /// Fewer than two samples, a parameter out of range, or an image of another size.
    pub fn fit(samples: &Samples, config: PatchConfig) -> Result<Self> {
        let c = &config;
        for (name, value) in [("width", c.width), ("height", c.height), ("patch", c.patch)] {
            check_count(&format!("baseline.{name}"), value, 1, 10_000)?;
        }
        check_count("baseline.colours", c.colours, 1, 4)?;
        let (expected, found) = (c.width * c.height * c.colours, samples.sizes().0);
        if expected != found {
            return Err(Error::NoSamples(format!(
                "images of {} x {} x {} have {expected} values, the samples have {found}",
                c.height, c.width, c.colours
            )));
        }
        let standard = Standard::fit(samples, Spread::OfValue)?.weighed(config.touch)?;
        Ok(PatchNormalised { config, standard })
    }

    /// The normalised grey image times `weight`.
    fn image(&self, visual: &[f32], weight: f64) -> Vec<f32> {
        let PatchConfig {
            width,
            height,
            colours,
            patch,
            ..
        } = self.config;
        let pixels = visual.chunks_exact(colours);
        let grey = pixels.map(|p| p.iter().map(|&v| f64::from(v)).sum::<f64>() / colours as f64);
        let grey: Vec<f64> = grey.collect();
        let mut image = vec![0.0; grey.len()];
        for top in (0..height).step_by(patch) {
            for left in (0..width).step_by(patch) {
                let rows = top..(top + patch).min(height);
                let columns = left..(left + patch).min(width);
                let inside = || {
                    let columns = columns.clone();
                    rows.clone()
                        .flat_map(move |y| columns.clone().map(move |x| y * width + x))
                };
                let n = (rows.len() * columns.len()) as f64;
                let mean = inside().map(|k| grey[k]).sum::<f64>() / n;
                let variance = inside().map(|k| (grey[k] - mean).powi(2)).sum::<f64>() / n;
                for k in inside() {
                    image[k] = (weight * (grey[k] - mean) / (variance.sqrt() + FLAT)) as f32;
                }
            }
        }
        image
    }
}

impl Descriptor for PatchNormalised {
    fn name(&self) -> &str {
        "patch-normalised"
    }

    fn describe(&mut self, samples: &Samples, i: usize, senses: Senses) -> Result<Vec<f32>> {
        let (visual, all) = (self.standard.visual(), self.standard.len());
        check_sizes(samples, i, (visual, all - visual))?;
        let pixels = self.config.width * self.config.height;
        let mut code = match senses {
            Senses::Touch => vec![0.0; pixels],
            _ => {
                let weight = ((1.0 - self.config.touch) / pixels as f64).sqrt();
                self.image(samples.visual(i), weight)
            }
        };
        let mut row = vec![0.0; all];
        self.standard.row(samples, i, senses, &mut row)?;
        code.extend_from_slice(&row[visual..]);
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::place::Pose;

    #[test]
    fn patches_by_hand() {
        // 3 x 2 pixels, patches of 2: a square one, and a column of two.
        let config = PatchConfig {
            width: 3,
            height: 2,
            colours: 1,
            patch: 2,
            touch: 0.0,
        };
        let mut samples = Samples::new(6, 1);
        let image = [0.1, 0.3, 0.5, 0.3, 0.1, 0.5];
        samples.push(&image, &[1.0], Pose::default()).unwrap();
        samples.push(&[0.0; 6], &[3.0], Pose::default()).unwrap();
        let mut fit = PatchNormalised::fit(&samples, config).unwrap();
        let code = fit.describe(&samples, 0, Senses::Both).unwrap();
        // Mean 0.2, standard deviation 0.1; the column is flat. Weight 1/sqrt(6).
        let one = 0.1 / 0.11 / 6_f64.sqrt();
        let expected = [-one, one, 0.0, one, -one, 0.0, 0.0];
        for (code, expected) in code.iter().zip(expected) {
            assert!((f64::from(*code) - expected).abs() < 1e-6);
        }
        assert_eq!(code.len(), 7);
        assert_eq!(
            fit.describe(&samples, 0, Senses::Touch).unwrap()[..6],
            [0.0; 6]
        );
        let wrong = PatchConfig { width: 4, ..config };
        let error = PatchNormalised::fit(&samples, wrong).unwrap_err();
        assert!(
            error
                .to_string()
                .contains("have 8 values, the samples have 6")
        );
    }
}
