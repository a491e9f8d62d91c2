//! An experiment put into a file between two iterations, and taken up from it.
//!
//! The file is like that of a training (`models::checkpoint`): numbers in F64,
//! which hold those of either precision, a document and a digest. The sequences are not
//! in it: whoever goes on draws those of the iterations done once more.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Experiment;
use crate::error::{Error, Result};
use crate::models::checkpoint::{Identity, f64s, opened, read_f64s, sealed};
use crate::models::tensors;
use crate::network::Weights;
use crate::real::Real;

const FORMAT: u32 = 1;
const KIND: &str = "experiment";
const WEIGHTS: [&str; 3] = ["w_in", "w_rec", "w_out"];
const MEAN: [&str; 3] = ["mean.w_in", "mean.w_rec", "mean.w_out"];
const SQUARE: [&str; 3] = ["square.w_in", "square.w_rec", "square.w_out"];
const FEEDBACK: &str = "feedback";
const COURSE: &str = "course";

#[derive(Serialize, Deserialize)]
struct Document {
    format: u32,
    checkpoint: String,
    #[serde(flatten)]
    identity: Identity,
    /// Steps of the optimizer.
    steps: u64,
    /// Numbers in the course.
    course: usize,
}

impl<R: Real> Experiment<R> {
    /// The experiment as it is now, as the bytes of a checkpoint. `about` is all that its
    /// meaning depends on beside the seed, `course` what the caller remembers of the
    /// iterations done.
    ///
    /// # Errors
    /// [`Error::Checkpoint`] where it cannot be said in `safetensors`.
    pub fn checkpoint(&self, seed: u64, about: &impl Serialize, course: &[f64]) -> Result<Vec<u8>> {
        let document = Document {
            format: FORMAT,
            checkpoint: KIND.to_owned(),
            identity: identity(seed, about)?,
            steps: self.optimizer.steps(),
            course: course.len(),
        };
        let mut sets = vec![(WEIGHTS, &self.network.weights)];
        if let Some([mean, square]) = self.optimizer.moments() {
            sets.extend([(MEAN, mean), (SQUARE, square)]);
        }
        let mut list = vec![f64s(COURSE, vec![course.len()], course)];
        let mut put = |name, values: &[R]| {
            let wide: Vec<f64> = values.iter().map(|v| v.to_f64()).collect();
            list.push(f64s(name, vec![wide.len()], &wide));
        };
        for (names, weights) in sets {
            for (name, part) in names.into_iter().zip(weights.parts()) {
                put(name, part);
            }
        }
        if let Some(feedback) = &self.network.feedback {
            put(FEEDBACK, feedback);
        }
        sealed(list, &document)
    }

    /// Goes on where a checkpoint was made, to the same bits as without the interruption,
    /// and returns the course. Call it on the experiment at its start.
    ///
    /// # Errors
    /// [`Error::OtherTraining`] names the first thing in which the checkpoint is that of
    /// another experiment; [`Error::Checkpoint`] where it is damaged.
    pub fn resume(&mut self, seed: u64, about: &impl Serialize, bytes: &[u8]) -> Result<Vec<f64>> {
        let (file, found): (_, Document) = opened(bytes, KIND, FORMAT)?;
        identity(seed, about)?.hold_against(&found.identity)?;
        let read = |name, values: &mut [R]| {
            let wide = read_f64s(&file, name, &[values.len()])?;
            for (value, wide) in values.iter_mut().zip(wide) {
                *value = R::of(wide);
            }
            Ok::<(), Error>(())
        };
        let read_all = |names: [&'static str; 3], mut weights: Weights<R>| {
            for (name, part) in names.into_iter().zip(weights.parts_mut()) {
                read(name, part)?;
            }
            Ok::<_, Error>(weights)
        };
        let empty = || Weights::zeros(&self.network.topology);
        let moments = match self.optimizer.moments() {
            Some(_) => Some([read_all(MEAN, empty())?, read_all(SQUARE, empty())?]),
            None => None,
        };
        let weights = read_all(WEIGHTS, empty())?;
        if let Some(feedback) = &mut self.network.feedback {
            read(FEEDBACK, feedback)?;
        }
        self.network.weights = weights;
        self.optimizer.restore(found.steps, moments);
        read_f64s(&file, COURSE, &[found.course])
    }

    /// Writes the checkpoint to a file, whole or not at all.
    ///
    /// # Errors
    /// As [`Experiment::checkpoint`]; [`Error::Io`].
    pub fn save_checkpoint(
        &self,
        seed: u64,
        about: &impl Serialize,
        course: &[f64],
        path: &Path,
    ) -> Result<()> {
        tensors::write(path, &self.checkpoint(seed, about, course)?)
    }

    /// Goes on from the file of a checkpoint.
    ///
    /// # Errors
    /// As [`Experiment::resume`]; [`Error::Io`].
    pub fn load_checkpoint(
        &mut self,
        seed: u64,
        about: &impl Serialize,
        path: &Path,
    ) -> Result<Vec<f64>> {
        self.resume(seed, about, &tensors::read(path)?)
    }
}

fn identity(seed: u64, about: &impl Serialize) -> Result<Identity> {
    Identity::new(seed, &(), about, String::new())
}

#[cfg(test)]
mod tests {
    use super::super::{DelayedRecall, Problem, Sequence, SineRegression};
    use super::*;
    use crate::learning::feedback::Feedback;

    /// Three iterations, interrupted after each of them or not.
    fn learnt<R: Real>(
        mut problem: impl Problem,
        kind: Feedback,
        interrupted: bool,
    ) -> (Vec<f64>, Vec<u8>) {
        let mut task = problem.task().clone();
        task.feedback_kind = kind;
        let begin = || Experiment::<R>::new(&task).expect("a task");
        let mut experiment = begin();
        let mut losses = Vec::new();
        for _ in 0..3 {
            let batch: Vec<Sequence> = problem.batch();
            losses.push(experiment.iterate(&batch).expect("learns").loss);
            if interrupted {
                let bytes = experiment.checkpoint(5, &"a task", &losses).expect("kept");
                experiment = begin();
                losses = experiment.resume(5, &"a task", &bytes).expect("goes on");
            }
        }
        let end = experiment.checkpoint(5, &"a task", &losses);
        (losses, end.expect("kept"))
    }

    #[test]
    fn an_experiment_resumed_after_every_iteration_is_the_same_to_the_bit() {
        let adaptive = Feedback::Adaptive { decay: 0.01 };
        for kind in [Feedback::Symmetric, Feedback::Random, adaptive] {
            let recall = |interrupted| learnt::<f32>(DelayedRecall::new(3, 2), kind, interrupted);
            assert!(recall(false) == recall(true), "{kind:?}");
        }
        let sine =
            |interrupted| learnt::<f64>(SineRegression::new(1), Feedback::Random, interrupted);
        assert!(sine(false) == sine(true));
    }

    #[test]
    fn another_experiment_and_damage_are_refused() {
        let task = DelayedRecall::new(3, 2).task().clone();
        let mut experiment = Experiment::<f32>::new(&task).expect("a task");
        let bytes = experiment
            .checkpoint(5, &("recall", 2), &[1.0])
            .expect("kept");
        let mut said = |seed, about: &(&str, u32), bytes: &[u8]| {
            let refused = experiment.resume(seed, about, bytes);
            refused.expect_err("refused").to_string()
        };
        let text = said(6, &("recall", 2), &bytes);
        assert!(text.contains("seed is 5 there and 6 here"), "{text}");
        let text = said(5, &("recall", 3), &bytes);
        assert!(text.contains("training is"), "{text}");
        for at in (0..bytes.len()).step_by(101) {
            let mut spoilt = bytes.clone();
            spoilt[at] ^= 1;
            said(5, &("recall", 2), &spoilt);
            said(5, &("recall", 2), &bytes[..at]);
        }
        assert_eq!(
            experiment
                .resume(5, &("recall", 2), &bytes)
                .expect("goes on"),
            [1.0]
        );
    }
}
