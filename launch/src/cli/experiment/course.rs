//! What a run of an experiment has come to: numbers for its checkpoint, and back.

use super::learn::Look;
use saccade_engine::experiments::Iteration;

/// Numbers of an iteration, and of a look at the held-out sequences.
const ITERATION: usize = 4;
const LOOK: usize = 3;

/// The iterations done, and what was seen on the way.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Course {
    /// Cosine to backpropagation through time before learning.
    pub at_first: f64,
    /// How long the iterations took, in s.
    pub wall_s: f64,
    pub done: Vec<Iteration>,
    pub looks: Vec<Look>,
}

impl Course {
    pub fn new(at_first: f64) -> Self {
        Self {
            at_first,
            wall_s: 0.0,
            done: Vec::new(),
            looks: Vec::new(),
        }
    }

    pub fn numbers(&self) -> Vec<f64> {
        let mut numbers = vec![self.at_first, self.wall_s, self.done.len() as f64];
        for i in &self.done {
            numbers.extend([i.loss, i.right as f64, i.sequences as f64, i.rate_hz]);
        }
        for l in &self.looks {
            numbers.extend([f64::from(l.iteration), l.right, l.loss]);
        }
        numbers
    }

    /// What [`Course::numbers`] gave; none where they are others.
    pub fn of(numbers: &[f64]) -> Option<Self> {
        let (&[at_first, wall_s, count], rest) = numbers.split_first_chunk()?;
        let length = (count as usize).checked_mul(ITERATION)?;
        let (done, looks) = rest.split_at_checked(length)?;
        let (done, (looks, over)) = (done.as_chunks::<ITERATION>().0, looks.as_chunks::<LOOK>());
        let iteration = |&[loss, right, sequences, rate_hz]: &[f64; ITERATION]| Iteration {
            loss,
            right: right as usize,
            sequences: sequences as usize,
            rate_hz,
        };
        let look = |&[iteration, right, loss]: &[f64; LOOK]| Look {
            iteration: iteration as u32,
            right,
            loss,
        };
        over.is_empty().then(|| Self {
            at_first,
            wall_s,
            done: done.iter().map(iteration).collect(),
            looks: looks.iter().map(look).collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_comes_back() {
        let mut course = Course::new(0.5);
        course.wall_s = 1.25;
        for n in 0..3 {
            course.done.push(Iteration {
                loss: 0.1 * f64::from(n),
                right: n as usize,
                sequences: 32,
                rate_hz: 12.5,
            });
        }
        course.looks.push(Look {
            iteration: 2,
            right: 0.75,
            loss: 0.3,
        });
        let numbers = course.numbers();
        assert_eq!(Course::of(&numbers), Some(course));
        assert_eq!(Course::of(&numbers[..numbers.len() - 1]), None);
        assert_eq!(Course::of(&numbers[..2]), None);
        assert_eq!(Course::of(&[0.0, 0.0, 1e300]), None);
    }
}
