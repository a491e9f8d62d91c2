//! e-prop against NEST itself, run live: 40 iterations of its two reference tasks,
//! every spike. Fails where the peer cannot be installed.

use saccade_engine::experiments::{
    EvidenceAccumulation, Experiment, Problem, Sequence, SineRegression, Target, Task,
};
use saccade_tests::peer;
use serde_json::{Value, json};

const ITERATIONS: usize = 40;

/// A task as `nest_eprop.py` reads it.
fn document(task: &Task, sequences: &[Sequence]) -> Value {
    let n_out = task.topology.n_out;
    let sequences: Vec<Value> = sequences
        .iter()
        .map(|sequence| {
            let target = match &sequence.target {
                Target::Signal(signal) => signal.clone(),
                Target::Class(class) => (0..task.ticks * n_out)
                    .map(|at| f64::from(u8::from(at % n_out == *class)))
                    .collect(),
            };
            json!({"inputs": sequence.inputs, "target": target})
        })
        .collect();
    json!({
        "n_in": task.topology.n_in,
        "n_lif": task.topology.n_lif,
        "n_alif": task.topology.n_alif,
        "n_out": n_out,
        "ticks": task.ticks,
        "window": task.window,
        "loss": if n_out == 1 { "mean_squared_error" } else { "cross_entropy" },
        "neurons": task.neurons,
        "eprop": task.eprop,
        "optimizer": task.optimizer,
        "bounds": [task.bounds.0, task.bounds.1],
        "w_in": task.weights.w_in,
        "w_rec": task.weights.w_rec,
        "w_out": task.weights.w_out,
        "feedback": task.feedback,
        "sequences": sequences,
    })
}

/// What NEST makes of it.
fn nest(task: &Task, sequences: &[Sequence]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let (ask, answer) = (folder.path().join("task"), folder.path().join("answer"));
    std::fs::write(&ask, document(task, sequences).to_string()).unwrap();
    peer("nest_eprop.py", &[&ask, &answer]);
    serde_json::from_slice(&std::fs::read(&answer).unwrap()).unwrap()
}

/// Spikes of the last sequence as `nest_eprop.py` writes them.
fn spikes(experiment: &Experiment<f64>) -> Vec<u64> {
    let n = experiment.network().topology.n_rec();
    let log = experiment.interval().spikes();
    let step = |s| {
        log.tick(s)
            .iter()
            .map(move |&j| (s * n) as u64 + u64::from(j))
    };
    (0..log.ticks()).flat_map(step).collect()
}

/// Every iteration as NEST has it; returns how many the textbook rule shares with NEST.
fn hold(mut problem: impl Problem) -> usize {
    let task = problem.task().clone();
    let sequences: Vec<Sequence> = (0..ITERATIONS).flat_map(|_| problem.batch()).collect();
    let theirs = nest(&task, &sequences);
    let mut experiment = Experiment::<f64>::new(&task).unwrap();
    let mut textbook = Experiment::<f64>::new(&task).unwrap();
    let (mut shared, mut worst, mut fired) = (0, 0.0_f64, 0);
    for (k, sequence) in sequences.iter().enumerate() {
        let batch = std::slice::from_ref(sequence);
        let ours = experiment.iterate_as_nest(batch, sequences.get(k + 1));
        let loss = theirs["losses"][k].as_f64().unwrap();
        worst = worst.max((ours.unwrap().loss / loss - 1.0).abs());
        assert!(
            worst < 1e-9,
            "iteration {k}: the losses differ by {worst:e}"
        );
        let spikes_there: Vec<u64> = serde_json::from_value(theirs["spikes"][k].clone()).unwrap();
        assert!(
            spikes(&experiment) == spikes_there,
            "iteration {k}: spikes differ"
        );
        fired += spikes_there.len();
        textbook.iterate(batch).unwrap();
        if shared == k && spikes(&textbook) == spikes_there {
            shared += 1;
        }
    }
    println!(
        "{ITERATIONS} iterations, {fired} spikes: none differs, the losses by at most {worst:e}; \
         the textbook rule parts from NEST after {shared}"
    );
    shared
}

/// If the textbook rule did not part from NEST, the artefact would not have been tested.
#[test]
fn sine_regression_spike_for_spike() {
    assert_eq!(hold(SineRegression::new(1)), 8);
}

#[test]
fn evidence_accumulation_spike_for_spike() {
    assert_eq!(hold(EvidenceAccumulation::new(1, 1)), 15);
}
