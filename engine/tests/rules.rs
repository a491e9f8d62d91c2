//! Every rule learns the tasks that sequences are held out of, and not by accident: with
//! the labels shuffled, or with nothing fed back to the recurrent neurons, it does not.

use saccade_engine::experiments::{
    DelayedRecall, Experiment, Problem, RandomManifold, Sequence, Target, YinYang,
};
use saccade_engine::learning::bptt::Paths;
use saccade_engine::learning::error_neurons::ErrorNeuronParams;
use saccade_engine::learning::feedback::Feedback;
use saccade_engine::learning::rule::Rule;

#[derive(Clone, Copy, PartialEq)]
enum With {
    Everything,
    ShuffledLabels,
    NoFeedback,
}

/// Gives each sequence of a batch the target of another.
fn shuffle(batch: &mut [Sequence]) {
    let targets: Vec<_> = batch.iter().map(|s| s.target.clone()).collect();
    let n = targets.len();
    for (k, sequence) in batch.iter_mut().enumerate() {
        sequence.target = targets[(k * 7 + 3) % n].clone();
    }
}

/// Share of the held-out sequences that are right after learning.
fn learn(mut problem: impl Problem, rule: Rule, with: With, iterations: u32) -> f64 {
    let mut task = problem.task().clone();
    if with == With::NoFeedback {
        task.feedback.fill(0.0);
        task.feedback_kind = Feedback::Random;
    }
    let mut experiment = Experiment::<f32>::with_rule(&task, rule).expect("a task");
    for iteration in 0..iterations {
        let left = f64::from(iterations - iteration) / f64::from(iterations);
        experiment.set_rate_factor(left).expect("within 0..1");
        let mut batch = problem.batch();
        if with == With::ShuffledLabels {
            shuffle(&mut batch);
        }
        experiment.iterate(&batch).expect("learns");
    }
    let answers = experiment.evaluate(problem.held_out()).expect("answers");
    let right = answers.right as f64 / answers.sequences as f64;
    println!("{rule:?}: {:.1} % right", 100.0 * right);
    right
}

const ERROR_NEURONS: ErrorNeuronParams = ErrorNeuronParams {
    size: 10,
    threshold: 1.0,
    tau_ms: 10.0,
};

/// A linear classifier gets 63 % right, a readout of untrained neurons 62 %.
#[test]
fn yin_yang_is_learnt_by_every_rule() {
    let right = |rule, with| learn(YinYang::new(1, 32), rule, with, 200);
    for rule in [
        Rule::Eprop,
        Rule::ErrorNeurons(ERROR_NEURONS),
        Rule::Bptt(Paths::default()),
    ] {
        assert!(right(rule, With::Everything) > 0.8);
    }
    assert!(right(Rule::Eprop, With::NoFeedback) < 0.7);
    assert!(right(Rule::Eprop, With::ShuffledLabels) < 0.5);
}

/// A network that says nothing is right by chance, not always.
#[test]
fn a_silent_network_decides_for_the_first_class() {
    let problem = YinYang::new(1, 32);
    let mut task = problem.task().clone();
    task.weights
        .parts_mut()
        .into_iter()
        .for_each(|part| part.fill(0.0));
    let mut experiment = Experiment::<f32>::with_rule(&task, Rule::Eprop).expect("a task");
    let answers = experiment.evaluate(problem.held_out()).expect("answers");
    let first = |s: &&Sequence| matches!(s.target, Target::Class(0));
    let share = problem.held_out().iter().filter(first).count();
    assert!(share > 0 && share < answers.sequences);
    assert_eq!(answers.right, share);
}

/// eRBP takes longer.
#[test]
fn yin_yang_is_learnt_by_erbp() {
    let rule = Rule::Erbp(ERROR_NEURONS);
    let right = |with| learn(YinYang::new(1, 32), rule, with, 400);
    assert!(right(With::Everything) > 0.68);
    assert!(right(With::NoFeedback) < 0.62);
    assert!(right(With::ShuffledLabels) < 0.5);
}

/// Ten classes; a linear classifier gets 56 % right.
#[test]
fn manifolds_are_told_apart() {
    let right = |with| {
        let problem = RandomManifold::new(1, 10, 32).expect("ten classes");
        learn(problem, Rule::Eprop, with, 100)
    };
    assert!(right(With::Everything) > 0.65);
    assert!(right(With::NoFeedback) < 0.4);
    assert!(right(With::ShuffledLabels) < 0.3);
}

/// Two symbols; a linear classifier gets 72 % right.
#[test]
fn a_symbol_is_remembered() {
    let right = |with| learn(DelayedRecall::new(1, 32), Rule::Eprop, with, 150);
    assert!(right(With::Everything) > 0.8);
    assert!(right(With::NoFeedback) < 0.6);
}
