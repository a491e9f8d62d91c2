//! What a robot saw and felt at the places it has been to.

use crate::error::{Error, Result};

/// Where a sample was taken.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Pose {
    /// Metres, in the map's frame.
    pub x_m: f64,
    /// Metres, in the map's frame.
    pub y_m: f64,
    /// Radians, anticlockwise from the x axis.
    pub theta_rad: f64,
}

impl Pose {
    /// Metres between the two.
    pub fn metres(&self, other: &Pose) -> f64 {
        (self.x_m - other.x_m).hypot(self.y_m - other.y_m)
    }

    /// Radians between the two headings, 0 to pi.
    pub fn radians(&self, other: &Pose) -> f64 {
        let turn = std::f64::consts::TAU;
        let d = (self.theta_rad - other.theta_rad).rem_euclid(turn);
        d.min(turn - d)
    }

    /// 0.3 |Δθ| + |Δxy|, the pose distance of Struckmeier et al. 2019.
    pub fn distance(&self, other: &Pose) -> f64 {
        0.3 * self.radians(other) + self.metres(other)
    }
}

/// The modalities a query may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Senses {
    /// Eyes and whiskers.
    Both,
    /// Eyes only.
    Vision,
    /// Whiskers only.
    Touch,
}

/// Samples, a row each of both modalities and the pose.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Samples {
    visual: Vec<f32>,
    tactile: Vec<f32>,
    poses: Vec<Pose>,
    visual_size: usize,
    tactile_size: usize,
}

impl Samples {
    /// None yet, of so many values per sample: `visual_size` from 0 to 1 (height ×
    /// width × colours, rows first), `tactile_size` in the sensors' own units.
    pub fn new(visual_size: usize, tactile_size: usize) -> Self {
        Samples {
            visual_size,
            tactile_size,
            ..Samples::default()
        }
    }

    /// Adds a sample.
    ///
    /// # Errors
    /// [`Error::NoSamples`] where a size differs or a value is not finite.
    pub fn push(&mut self, visual: &[f32], tactile: &[f32], pose: Pose) -> Result<()> {
        for (what, row, size) in [
            ("visual", visual, self.visual_size),
            ("tactile", tactile, self.tactile_size),
        ] {
            if row.len() != size {
                let n = row.len();
                return Err(Error::NoSamples(format!(
                    "a sample has {n} {what} values, expected {size}"
                )));
            }
            if let Some(i) = row.iter().position(|x| !x.is_finite()) {
                let value = row[i];
                return Err(Error::NoSamples(format!(
                    "{what} value {i} of a sample is {value}, expected a finite number"
                )));
            }
        }
        if ![pose.x_m, pose.y_m, pose.theta_rad]
            .iter()
            .all(|v| v.is_finite())
        {
            return Err(Error::NoSamples(format!(
                "a sample's pose is {pose:?}, expected finite numbers"
            )));
        }
        self.visual.extend_from_slice(visual);
        self.tactile.extend_from_slice(tactile);
        self.poses.push(pose);
        Ok(())
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.poses.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.poses.is_empty()
    }

    /// Values per sample, visual and tactile.
    pub fn sizes(&self) -> (usize, usize) {
        (self.visual_size, self.tactile_size)
    }

    /// What sample `i` saw.
    pub fn visual(&self, i: usize) -> &[f32] {
        &self.visual[i * self.visual_size..(i + 1) * self.visual_size]
    }

    /// What sample `i` felt.
    pub fn tactile(&self, i: usize) -> &[f32] {
        &self.tactile[i * self.tactile_size..(i + 1) * self.tactile_size]
    }

    /// Where they were taken.
    pub fn poses(&self) -> &[Pose] {
        &self.poses
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    #[test]
    fn headings_differ_by_the_shorter_way() {
        let at = |theta_rad| Pose {
            theta_rad,
            ..Pose::default()
        };
        assert!((at(PI - 0.1).radians(&at(0.1 - PI)) - 0.2).abs() < 1e-12);
        let far = Pose {
            x_m: 3.0,
            y_m: 4.0,
            theta_rad: 1.0,
        };
        assert!((at(0.0).distance(&far) - 5.3).abs() < 1e-12);
    }

    #[test]
    fn rows_of_another_size_and_not_finite_values_are_refused() {
        let mut samples = Samples::new(2, 1);
        samples.push(&[0.1, 0.2], &[3.0], Pose::default()).unwrap();
        for (visual, tactile, says) in [
            (vec![0.1], vec![3.0], "1 visual values, expected 2"),
            (vec![0.1, 0.2], vec![f32::NAN], "tactile value 0"),
        ] {
            let refused = samples.push(&visual, &tactile, Pose::default());
            assert!(refused.unwrap_err().to_string().contains(says));
        }
        assert_eq!(samples.len(), 1);
        assert_eq!(samples.visual(0), [0.1, 0.2]);
    }
}
