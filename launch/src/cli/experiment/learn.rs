//! One task learnt by one rule from one seed.

use super::course::Course;
use super::{CliError, RuleName, RunArgs, Task};
use crate::checkpoint::Checkpoint;
use crate::plots::{Group, Raster};
use indicatif::{ProgressBar, ProgressStyle};
use saccade_engine::experiments::{Experiment, Iteration, Problem, Sequence, Target, baseline};
use saccade_engine::real::Real;
use serde::Serialize;
use std::time::Instant;

/// Sequences that the linear classifier is fitted to.
const BASELINE_SEQUENCES: usize = 4000;
/// How often the held-out sequences are looked at.
const LOOKS: u32 = 20;
/// Held-out sequences that the cosine is taken over.
const COSINE_SEQUENCES: usize = 64;

/// What an experiment gives.
#[derive(Debug, Serialize)]
pub(super) struct Document {
    pub task: &'static str,
    pub rule: RuleName,
    pub seed: u32,
    pub iterations: u32,
    sequences_per_iteration: usize,
    /// Loss of each iteration, before its change of the weights.
    pub loss: Vec<f64>,
    /// Mean firing rate of the recurrent layer in Hz.
    pub rate_hz: Vec<f64>,
    /// Share of right answers, where there is a question.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accuracy: Vec<f64>,
    /// How the held-out sequences were answered, where the task has such.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held_out: Option<HeldOut>,
    /// What can be had of them without a network.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baselines: Option<Baselines>,
    /// Readout in the window of the last sequence, step by step.
    pub readout: Vec<Vec<f64>>,
    /// What it should have been, where that is a signal.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub target: Vec<f64>,
    /// How long the iterations took, in s.
    pub wall_s: f64,
}

/// Answers to sequences that were never learnt from.
#[derive(Debug, Serialize)]
pub(super) struct HeldOut {
    pub sequences: usize,
    pub looks: Vec<Look>,
    /// Cosine between what the rule descends and the gradient of backpropagation through
    /// time, over some of the sequences, before and after learning.
    pub cosine_to_bptt: [f64; 2],
}

impl HeldOut {
    /// Share of right answers after learning.
    pub fn right(&self) -> f64 {
        self.looks.last().map_or(f64::NAN, |look| look.right)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Look {
    /// After this many changes of the weights.
    pub iteration: u32,
    /// Share of right answers.
    pub right: f64,
    pub loss: f64,
}

/// What can be had without a network, as shares of right answers.
#[derive(Debug, Clone, Copy, Serialize)]
pub(super) struct Baselines {
    pub chance: f64,
    /// Logistic regression on the counts and mean times of each input's spikes.
    pub linear: f64,
}

/// Learns a task. Where there are held-out sequences the learning rate falls to zero
/// along the way, so that the last weights are not those of an unlucky step.
pub(super) fn learn(
    task: Task,
    seed: u32,
    rule: RuleName,
    args: &RunArgs,
    kept: Option<&Checkpoint>,
) -> Result<(Document, Raster), CliError> {
    let mut problem = task.problem(seed)?;
    let about = About {
        task,
        rule,
        population: args.population,
        iterations: args.iterations.unwrap_or(task.default_iterations()),
    };
    match problem.held_out().is_empty() {
        true => Run::<f64>::new(about, seed, kept, &*problem)?.learn(&mut *problem),
        // Nothing to be held against to the last digit: single precision.
        false => Run::<f32>::new(about, seed, kept, &*problem)?.learn(&mut *problem),
    }
}

/// All that a run depends on beside its seed.
#[derive(Debug, Clone, Copy, Serialize)]
struct About {
    task: Task,
    rule: RuleName,
    population: u16,
    iterations: u32,
}

struct Run<'a, R> {
    experiment: Experiment<R>,
    about: About,
    seed: u32,
    kept: Option<&'a Checkpoint>,
}

impl<'a, R: Real> Run<'a, R> {
    fn new(
        about: About,
        seed: u32,
        kept: Option<&'a Checkpoint>,
        problem: &dyn Problem,
    ) -> Result<Self, CliError> {
        let rule = about.rule.rule(about.population);
        Ok(Self {
            experiment: Experiment::with_rule(problem.task(), rule)?,
            about,
            seed,
            kept,
        })
    }

    /// Where the learning begins: at its start, or where it was interrupted. `some` are
    /// those that the cosine is taken over.
    fn begin(&mut self, some: &[Sequence]) -> Result<Course, CliError> {
        let kept = self.kept.filter(|kept| kept.resume && kept.path.exists());
        let Some(kept) = kept else {
            return Ok(Course::new(self.cosine(some)?));
        };
        let (seed, about) = (self.seed.into(), &self.about);
        let numbers = self.experiment.load_checkpoint(seed, about, &kept.path);
        let numbers = numbers.map_err(|source| kept.failed(source))?;
        Course::of(&numbers).ok_or_else(|| {
            let path = kept.path.display();
            CliError::failed(format!("checkpoint {path}: its course does not add up"))
        })
    }

    fn keep(&self, course: &Course) -> Result<(), CliError> {
        if let Some(kept) = self.kept {
            let (seed, about) = (self.seed.into(), &self.about);
            self.experiment
                .save_checkpoint(seed, about, &course.numbers(), &kept.path)
                .map_err(|source| kept.failed(source))?;
        }
        Ok(())
    }

    fn learn(mut self, problem: &mut dyn Problem) -> Result<(Document, Raster), CliError> {
        let About {
            task,
            rule,
            iterations,
            ..
        } = self.about;
        let held_out = problem.held_out().to_vec();
        let some = &held_out[..held_out.len().min(COSINE_SEQUENCES)];
        let mut course = self.begin(some)?;
        let bar = progress(iterations, rule);
        // What was drawn before the interruption is drawn again.
        for _ in &course.done {
            problem.batch();
            bar.inc(1);
        }
        let mut last = Target::Class(0);
        let mut saved = Instant::now();
        for iteration in course.done.len() as u32 + 1..=iterations {
            let start = Instant::now();
            if !held_out.is_empty() {
                let left = f64::from(iterations + 1 - iteration) / f64::from(iterations);
                self.experiment.set_rate_factor(left)?;
            }
            let batch = problem.batch();
            course.done.push(self.experiment.iterate(&batch)?);
            course.wall_s += start.elapsed().as_secs_f64();
            bar.inc(1);
            if let Some(sequence) = batch.last() {
                last.clone_from(&sequence.target);
            }
            let due = iteration == iterations || iteration % iterations.div_ceil(LOOKS) == 0;
            if due && !held_out.is_empty() {
                course.looks.push(self.look(iteration, &held_out)?);
            }
            bar.set_message(message(course.done.last(), course.looks.last()));
            // Not after the last one, whose sequence is shown below.
            if self.kept.is_some_and(|k| saved.elapsed() >= k.every) && iteration < iterations {
                self.keep(&course)?;
                saved = Instant::now();
            }
        }
        bar.finish_and_clear();
        let held_out = match held_out.is_empty() {
            true => None,
            false => Some(HeldOut {
                sequences: held_out.len(),
                looks: course.looks,
                cosine_to_bptt: [course.at_first, self.cosine(some)?],
            }),
        };
        // Readout and raster show a sequence as it is after learning, where one is held out.
        let target = match last {
            Target::Signal(signal) => signal,
            Target::Class(_) => Vec::new(),
        };
        let done = &course.done;
        let column = |f: fn(&Iteration) -> f64| done.iter().map(f).collect::<Vec<f64>>();
        let document = Document {
            task: task.name(),
            rule,
            seed: self.seed,
            iterations,
            sequences_per_iteration: done.first().map_or(0, |i| i.sequences),
            loss: column(|i| i.loss),
            rate_hz: column(|i| i.rate_hz),
            accuracy: match target.is_empty() {
                true => column(|i| i.right as f64 / i.sequences as f64),
                false => Vec::new(),
            },
            held_out,
            baselines: None,
            readout: self.readout(),
            target,
            wall_s: course.wall_s,
        };
        let raster = self.raster(&document);
        Ok((document, raster))
    }

    fn look(&mut self, iteration: u32, held_out: &[Sequence]) -> Result<Look, CliError> {
        let answers = self.experiment.evaluate(held_out)?;
        Ok(Look {
            iteration,
            right: answers.right as f64 / answers.sequences as f64,
            loss: answers.loss,
        })
    }

    fn cosine(&mut self, sequences: &[Sequence]) -> Result<f64, CliError> {
        if sequences.is_empty() {
            return Ok(f64::NAN);
        }
        Ok(self.experiment.cosine_to_bptt(sequences)?)
    }

    fn readout(&self) -> Vec<Vec<f64>> {
        let n_out = self.experiment.network().topology.n_out;
        let rows = self.experiment.readouts().chunks_exact(n_out);
        rows.map(|row| row.iter().map(|y| y.to_f64()).collect())
            .collect()
    }

    /// The spikes of the last sequence that was run.
    fn raster(&self, document: &Document) -> Raster {
        let topology = self.experiment.network().topology;
        let dt_ms = self.experiment.network().dynamics.dt_ms;
        let interval = self.experiment.interval();
        let (n_in, n_lif) = (topology.n_in as u32, topology.n_lif as u32);
        let spikes = (0..interval.recorded()).flat_map(|s| {
            let inputs = interval.inputs().tick(s).iter().copied();
            let recurrent = interval.spikes().tick(s).iter().map(|j| n_in + j);
            inputs
                .chain(recurrent)
                .map(move |id| (s as f64 * dt_ms, id))
        });
        let group = |name: &str, first, len| Group {
            name: name.to_owned(),
            first,
            len,
        };
        let groups = [
            group("inputs", 0, n_in),
            group("LIF", n_in, n_lif),
            group("ALIF", n_in + n_lif, topology.n_alif as u32),
        ];
        Raster {
            title: format!(
                "{}, {}: the last sequence",
                document.task,
                document.rule.text()
            ),
            x_label: "time since the sequence's start (ms)".into(),
            spikes: spikes.collect(),
            neurons: n_in + topology.n_rec() as u32,
            range_ms: (0.0, interval.recorded() as f64 * dt_ms),
            groups: groups.into_iter().filter(|group| group.len > 0).collect(),
            times: Vec::new(),
        }
    }
}

fn progress(iterations: u32, rule: RuleName) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} iterations  {msg}  {eta} left");
    ProgressBar::new(u64::from(iterations))
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        .with_prefix(rule.text())
}

fn message(iteration: Option<&Iteration>, look: Option<&Look>) -> String {
    let mut text = match iteration {
        Some(i) => format!("loss {:.4}  {:.1} Hz", i.loss, i.rate_hz),
        None => String::new(),
    };
    if let Some(look) = look {
        text += &format!("  {:.1} % of the held-out right", 100.0 * look.right);
    }
    text
}

/// Chance, and what a linear classifier gets right of the same held-out sequences; nothing
/// where the task has no such.
pub(super) fn baselines(task: Task, seed: u32) -> Result<Option<Baselines>, CliError> {
    let mut problem = task.problem(seed)?;
    if problem.held_out().is_empty() {
        return Ok(None);
    }
    let mut train = Vec::new();
    while train.len() < BASELINE_SEQUENCES {
        train.extend(problem.batch());
    }
    let classes = problem.task().topology.n_out;
    Ok(Some(Baselines {
        chance: 1.0 / classes as f64,
        linear: baseline::linear_accuracy(&train, problem.held_out(), classes),
    }))
}

impl Document {
    /// What is printed: the first losses in full, to hold against others', and the end.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!(
            "{} by {}, seed {}, {} iterations of {} sequences, {:.1} s",
            self.task,
            self.rule.text(),
            self.seed,
            self.iterations,
            self.sequences_per_iteration,
            self.wall_s
        )];
        let first = self.loss.iter().take(5).map(|l| format!("{l:.12}"));
        let first: Vec<String> = first.collect();
        lines.push(format!("first losses  {}", first.join("  ")));
        let (loss, rate) = (last_ten(&self.loss), last_ten(&self.rate_hz));
        let mut end = format!("last ten      loss {loss:.6}, {rate:.1} Hz");
        if !self.accuracy.is_empty() {
            end += &format!(", {:.1} % right", 100.0 * last_ten(&self.accuracy));
        }
        lines.push(end);
        if let Some(held_out) = &self.held_out {
            lines.push(format!(
                "held out      {:.1} % of {} right",
                100.0 * held_out.right(),
                held_out.sequences
            ));
            let [first, last] = held_out.cosine_to_bptt;
            lines.push(format!(
                "gradient      cosine to backpropagation through time {first:.3} before learning, {last:.3} after"
            ));
        }
        if let Some(Baselines { chance, linear }) = self.baselines {
            lines.push(format!(
                "without it    {:.1} % by a linear classifier of the inputs, {:.1} % by chance",
                100.0 * linear,
                100.0 * chance
            ));
        }
        lines
    }
}

/// Mean of the last ten values, or of as many as there are.
pub(super) fn last_ten(values: &[f64]) -> f64 {
    let last = &values[values.len().saturating_sub(10)..];
    last.iter().sum::<f64>() / last.len().max(1) as f64
}
