//! The engine against NEST itself, run live: 40 iterations of its two e-prop tasks and a
//! circuit of 100 neurons, every spike; conductances, every potential. Fails where the
//! peer cannot be installed.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_engine::circuit::{Builder, Lif, Rule, Synapse, Value};
use saccade_engine::experiments::{
    EvidenceAccumulation, Experiment, Problem, Sequence, SineRegression, Target, Task,
};
use saccade_tests::ask_peer;
use serde_json::{Value as Json, json};

const ITERATIONS: usize = 40;

/// A task as `nest_eprop.py` reads it.
fn document(task: &Task, sequences: &[Sequence]) -> Json {
    let n_out = task.topology.n_out;
    let sequences: Vec<Json> = sequences
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
    let theirs = ask_peer("nest_eprop.py", &document(&task, &sequences));
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

/// Synapses as arrays: pairs, weights and delays of a tenth of a millisecond and more.
struct Arrays {
    pairs: Vec<(u32, u32)>,
    weights: Vec<f64>,
    delays_ms: Vec<f64>,
}

impl Arrays {
    /// Each pair with probability `p`, from `from..to` to 100 neurons.
    fn draw(from: u32, to: u32, p: f64, weight: f64, rng: &mut ChaCha8Rng) -> Self {
        let all = (from..to).flat_map(|i| (0..100).map(move |j| (i, j)));
        let pairs: Vec<_> = all.filter(|_| rng.random_bool(p)).collect();
        Self {
            weights: pairs
                .iter()
                .map(|_| weight * rng.random_range(0.5..1.5))
                .collect(),
            delays_ms: pairs
                .iter()
                .map(|_| f64::from(rng.random_range(1..50)) / 10.0)
                .collect(),
            pairs,
        }
    }

    fn rows(&self) -> impl Iterator<Item = Json> {
        let numbers = self.weights.iter().zip(&self.delays_ms);
        self.pairs
            .iter()
            .zip(numbers)
            .map(|((i, j), (w, d))| json!([i, j, w, d]))
    }

    fn project(
        &self,
        model: &mut Builder,
        from: impl Into<saccade_engine::circuit::Source>,
        to: saccade_engine::circuit::Population,
        tau_ms: f64,
    ) {
        model
            .project(from, to, Rule::Pairs(self.pairs.clone()))
            .synapse(Synapse::Current { tau_ms })
            .weight(Value::Each(self.weights.clone()))
            .delay_ms(Value::Each(self.delays_ms.clone()));
    }
}

/// 80 exciting and 20 inhibiting neurons with currents and delays of their own, as
/// NEST's `iaf_psc_exp`, for half a second.
#[test]
fn a_circuit_of_currents_spike_for_spike() {
    let rng = &mut ChaCha8Rng::seed_from_u64(11);
    let ticks = 5000;
    let input: Vec<Vec<u32>> = (0..50)
        .map(|_| (0..ticks).filter(|_| rng.random_bool(0.004)).collect())
        .collect();
    let incoming = Arrays::draw(0, 50, 0.3, 18.0, rng);
    let exciting = Arrays::draw(0, 80, 0.1, 12.0, rng);
    let inhibiting = Arrays::draw(80, 100, 0.3, -20.0, rng);

    let mut model = Builder::new(0.1, 1);
    let noise = model.inputs("noise", 50);
    let cells = model.population("cells", 100, Lif::default());
    incoming.project(&mut model, noise, cells, 2.0);
    exciting.project(&mut model, cells, cells, 2.0);
    inhibiting.project(&mut model, cells, cells, 6.0);
    let mut circuit = model.build::<f64>().unwrap();
    let (mut ours, mut potentials) = (Vec::new(), Vec::new());
    for tick in 0..ticks {
        let fires = |&i: &u32| input[i as usize].binary_search(&tick).is_ok();
        let fired: Vec<u32> = (0..50).filter(fires).collect();
        circuit.spike(noise, &fired).unwrap();
        circuit.tick();
        ours.extend(circuit.fired(cells).iter().map(|&j| [tick, j]));
        potentials.push(circuit.potentials(cells)[0]);
    }
    let theirs = ask_peer(
        "nest_circuit.py",
        &json!({
            "model": "iaf_psc_exp",
            // With C_m = tau_m a current of 1 holds the membrane 1 mV above rest.
            "parameters": {
                "C_m": 10.0, "tau_m": 10.0, "E_L": -70.0, "V_m": -70.0, "V_th": -55.0,
                "V_reset": -70.0, "t_ref": 2.0, "tau_syn_ex": 2.0, "tau_syn_in": 6.0,
            },
            "dt_ms": 0.1,
            "ticks": ticks,
            "neurons": 100,
            "input": input,
            "input_synapses": incoming.rows().collect::<Vec<_>>(),
            "synapses": exciting.rows().chain(inhibiting.rows()).collect::<Vec<_>>(),
        }),
    );
    let spikes: Vec<[u32; 2]> = serde_json::from_value(theirs["spikes"].clone()).unwrap();
    assert!(
        spikes.len() > 500,
        "a silent circuit tests nothing: {}",
        spikes.len()
    );
    assert!(
        ours == spikes,
        "{} spikes here, {} there",
        ours.len(),
        spikes.len()
    );
    let worst = largest_difference(&potentials, &theirs["potentials"]);
    println!(
        "{} spikes, none differs; potentials differ by at most {worst:e} mV",
        ours.len()
    );
    assert!(worst < 1e-9, "{worst:e} mV");
}

/// NEST's potentials start with the end of the first tick.
fn largest_difference(ours: &[f64], theirs: &Json) -> f64 {
    let theirs: Vec<f64> = serde_json::from_value(theirs.clone()).unwrap();
    assert!(theirs.len() >= ours.len());
    let pairs = ours.iter().zip(&theirs);
    pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// One neuron below threshold, drawn up and down by conductances, as `iaf_cond_exp`.
#[test]
fn conductances_potential_by_potential() {
    let rng = &mut ChaCha8Rng::seed_from_u64(12);
    let ticks = 3000;
    let input: Vec<Vec<u32>> = (0..2)
        .map(|_| (0..ticks).filter(|_| rng.random_bool(0.02)).collect())
        .collect();
    let mut model = Builder::new(0.1, 1);
    let inputs = model.inputs("inputs", 2);
    let silent = Lif {
        v_th_mv: 1000.0,
        ..Lif::default()
    };
    let cell = model.population("cell", 1, silent);
    for (i, tau_ms, reversal_mv, weight) in [(0, 2.0, 0.0, 0.8), (1, 8.0, -85.0, 0.5)] {
        model
            .project(inputs, cell, Rule::Pairs(vec![(i, 0)]))
            .synapse(Synapse::Conductance {
                tau_ms,
                reversal_mv,
            })
            .weight(weight)
            .delay_ms(1.0);
    }
    let mut circuit = model.build::<f64>().unwrap();
    let mut potentials = Vec::new();
    for tick in 0..ticks {
        let fires = |&i: &u32| input[i as usize].binary_search(&tick).is_ok();
        circuit
            .spike(inputs, &(0..2).filter(fires).collect::<Vec<_>>())
            .unwrap();
        circuit.tick();
        potentials.push(circuit.potentials(cell)[0]);
    }
    let theirs = ask_peer(
        "nest_circuit.py",
        &json!({
            "model": "iaf_cond_exp",
            // With g_L = 1 a weight is in leak conductances; C_m = tau_m g_L.
            "parameters": {
                "C_m": 10.0, "g_L": 1.0, "E_L": -70.0, "V_m": -70.0, "V_th": 1000.0,
                "V_reset": -70.0, "t_ref": 2.0, "E_ex": 0.0, "E_in": -85.0,
                "tau_syn_ex": 2.0, "tau_syn_in": 8.0,
            },
            "dt_ms": 0.1,
            "ticks": ticks,
            "neurons": 1,
            "input": input,
            "input_synapses": [[0, 0, 0.8, 1.0], [1, 0, -0.5, 1.0]],
            "synapses": [],
        }),
    );
    let worst = largest_difference(&potentials, &theirs["potentials"]);
    let highest = potentials.iter().copied().fold(-100.0, f64::max);
    println!("potentials up to {highest:.1} mV differ by at most {worst:e} mV");
    assert!(highest > -60.0, "the conductances must matter");
    assert!(worst < 3e-3, "{worst:e} mV");
}
