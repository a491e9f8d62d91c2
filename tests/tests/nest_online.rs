//! The online form of e-prop against NEST itself, run live: sparse networks of each of its
//! four neuron models that learn while they run, every potential of every neuron. What a
//! weight was when its spike arrived is in them. Fails where the peer cannot be installed.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_engine::circuit::{Builder, Rule, Value};
use saccade_engine::learning::feedback::Feedback;
use saccade_engine::learning::online::{Cells, Connection, OnlineConfig};
use saccade_engine::learning::optimizer::OptimizerConfig;
use saccade_engine::neurons::{NeuronParams, Reset};
use saccade_tests::ask_peer;
use serde_json::{Value as Json, json};

const TICKS: u32 = 2000;
const INPUTS: usize = 40;
const NEURONS: usize = 60;
const READOUTS: usize = 2;
const KAPPA: f64 = 0.95;
const C_REG: f64 = 0.5;

/// A model of NEST with what it has of its own.
struct Model {
    name: &'static str,
    adapts: bool,
    v_reset: Option<f64>,
    optimizer: OptimizerConfig,
}

impl Model {
    fn neurons(&self) -> NeuronParams {
        NeuronParams {
            tau_m_ms: 25.0,
            tau_a_ms: 80.0,
            v_th: 0.5,
            beta: 0.1,
            t_ref_ms: 0.0,
            psi_height: 1.5,
            psi_width: 0.4,
            reset: self.v_reset.map_or(Reset::AtOnce, Reset::To),
            regular_spike_arrival: true,
            ..NeuronParams::default()
        }
    }

    fn parameters(&self) -> Json {
        let p = self.neurons();
        let mut all = json!({
            "C_m": 1.0, "E_L": 0.0, "I_e": 0.0, "V_m": 0.0, "V_th": p.v_th, "tau_m": p.tau_m_ms,
            "t_ref": 0.0, "c_reg": C_REG, "f_target": 10.0, "kappa": KAPPA, "kappa_reg": 0.9,
            "surrogate_gradient_function": "piecewise_linear",
            "surrogate_gradient_height": p.psi_height, "surrogate_gradient_width": p.psi_width,
        });
        if self.adapts {
            all["adapt_beta"] = json!(p.beta);
            all["adapt_tau"] = json!(p.tau_a_ms);
            all["adaptation"] = json!(0.0);
        }
        if let Some(v_reset) = self.v_reset {
            all["V_reset"] = json!(v_reset);
        }
        all
    }

    fn optimizer(&self) -> Json {
        let mut all = json!({
            "batch_size": 1, "optimize_each_step": true, "Wmin": -100.0, "Wmax": 100.0,
        });
        match self.optimizer {
            OptimizerConfig::Sgd { eta } => {
                all["type"] = json!("gradient_descent");
                all["eta"] = json!(eta);
            }
            OptimizerConfig::Adam {
                eta,
                beta_1,
                beta_2,
                epsilon,
            } => {
                all["type"] = json!("adam");
                all["eta"] = json!(eta);
                all["beta_1"] = json!(beta_1);
                all["beta_2"] = json!(beta_2);
                all["epsilon"] = json!(epsilon);
            }
        }
        all
    }
}

fn rows(connections: &[Connection<f64>]) -> Vec<Json> {
    let row =
        |c: &Connection<f64>| json!([c.from, c.to, c.weight, f64::from(c.delay_ticks.max(1))]);
    connections.iter().map(row).collect()
}

/// Broadcast weights `[n_out, n]`, as NEST's connections from readout to neuron.
fn feedback(weights: &[f64]) -> Vec<Json> {
    let row = |(at, w): (usize, &f64)| json!([at / NEURONS, at % NEURONS, w, 1.0]);
    weights.iter().enumerate().map(row).collect()
}

/// Learns in both; the largest difference of a potential or readout, and how far a weight
/// has moved at most.
fn hold(model: &Model) -> (f64, f64) {
    let rng = &mut ChaCha8Rng::seed_from_u64(21);
    let broadcast: Vec<f64> = (0..READOUTS * NEURONS)
        .map(|_| rng.random_range(-0.5..0.5))
        .collect();
    let config = OnlineConfig {
        kappa: KAPPA,
        kappa_reg: 0.9,
        c_reg: C_REG,
        optimizer: model.optimizer.clone(),
        bounds: (-100.0, 100.0),
        feedback: Feedback::Random,
        ..OnlineConfig::default()
    };
    let mut builder = Builder::new(1.0, 3);
    let inputs = builder.inputs("inputs", INPUTS);
    let cells = Cells::Spiking {
        params: model.neurons(),
        adapting: if model.adapts { NEURONS } else { 0 },
        broadcast: Value::Each(broadcast.clone()),
    };
    let cells = builder.population("cells", NEURONS, cells);
    let readout = builder.population("readout", READOUTS, Cells::Readout { tau_ms: 20.0 });
    let normal = |spread| Value::Normal(0.0, spread);
    builder
        .project(inputs, cells, Rule::FixedIn(8))
        .weight(normal(0.3));
    builder
        .project(cells, cells, Rule::Random(0.1))
        .weight(normal(0.2));
    builder
        .project(cells, readout, Rule::Random(0.3))
        .weight(normal(0.1));
    // NEST's rule knows no delay but a step; synapses that do not learn may have any.
    builder
        .project(inputs, cells, Rule::Random(0.1))
        .weight(normal(0.3))
        .delay_ms(Value::Uniform(2.0, 9.0))
        .fixed();
    let mut online = builder.online::<f64>(&config).unwrap().as_nest();
    let start: Vec<_> = (0..4).map(|k| online.connections(k)).collect();
    // A spike that is a tick under way in NEST arrives at once here, from inputs.
    let later = |c: &Connection<f64>| Connection {
        delay_ticks: c.delay_ticks + 1,
        ..*c
    };
    let fixed: Vec<_> = start[3].iter().map(later).collect();

    let spikes: Vec<Vec<u32>> = (0..INPUTS)
        .map(|_| (0..TICKS).filter(|_| rng.random_bool(0.03)).collect())
        .collect();
    let target = |tick: u32| [(f64::from(tick) / 40.0).sin(), 0.3];
    let document = json!({
        "model": model.name,
        "parameters": model.parameters(),
        "neurons": NEURONS,
        "readouts": READOUTS,
        "readout": {"C_m": 1.0, "E_L": 0.0, "I_e": 0.0, "V_m": 0.0, "tau_m": 20.0},
        "optimizer": model.optimizer(),
        "ticks": TICKS,
        "input": spikes,
        "target": (0..TICKS).map(target).collect::<Vec<_>>(),
        "w_in": rows(&start[0]),
        "w_rec": rows(&start[1]),
        "w_out": rows(&start[2]),
        "fixed": rows(&fixed),
        "feedback": feedback(&broadcast),
    });
    let theirs = ask_peer("nest_online.py", &document);
    let table =
        |name: &str| -> Vec<Vec<f64>> { serde_json::from_value(theirs[name].clone()).unwrap() };
    let (potentials, readouts) = (table("potentials"), table("readouts"));
    let (mut worst, mut fired) = (0.0_f64, Vec::new());
    for tick in 0..TICKS {
        let fires = |&i: &u32| spikes[i as usize].binary_search(&tick).is_ok();
        let now: Vec<u32> = (0..INPUTS as u32).filter(fires).collect();
        online.tick(&now).unwrap();
        let error: Vec<f64> = online
            .readout()
            .iter()
            .zip(target(tick))
            .map(|(y, t)| y - t)
            .collect();
        let ours = online.layer().v.iter().chain(online.readout());
        let row = tick as usize;
        for (a, b) in ours.zip(potentials[row].iter().chain(&readouts[row])) {
            worst = worst.max((a - b).abs());
        }
        fired.extend(online.fired().iter().map(|&j| [tick, j]));
        online.learn(Some(&error));
    }
    let spikes_there: Vec<[u32; 2]> = serde_json::from_value(theirs["spikes"].clone()).unwrap();
    assert!(fired == spikes_there, "{}: spikes differ", model.name);
    assert!(fired.len() > 1000, "silence tests nothing: {}", fired.len());
    online.settle();
    let moved = (0..2).flat_map(|k| online.connections(k).into_iter().zip(&start[k]));
    let moved = moved
        .map(|(a, b)| (a.weight - b.weight).abs())
        .fold(0.0, f64::max);
    println!(
        "{}: all {} spikes, {} potentials and {} readouts, the largest difference {worst:e}; \
         weights moved by up to {moved:.3}",
        model.name,
        fired.len(),
        TICKS as usize * NEURONS,
        TICKS as usize * READOUTS,
    );
    (worst, moved)
}

#[test]
fn sparse_networks_learn_as_in_nest() {
    let sgd = || OptimizerConfig::Sgd { eta: 2e-4 };
    let model = |name, adapts, v_reset, optimizer| Model {
        name,
        adapts,
        v_reset,
        optimizer,
    };
    for model in [
        model("eprop_iaf", false, None, sgd()),
        model("eprop_iaf", false, None, OptimizerConfig::adam(1e-3)),
        model("eprop_iaf_adapt", true, None, sgd()),
        model("eprop_iaf_psc_delta", false, Some(-0.2), sgd()),
        model("eprop_iaf_psc_delta_adapt", true, Some(-0.2), sgd()),
    ] {
        let (worst, moved) = hold(&model);
        assert!(
            moved > 0.02,
            "{}: weights have hardly moved: {moved}",
            model.name
        );
        // What is rounded grows with the weights that learn from it; a term of the rule that
        // is left out shows as 1e-4 and more.
        assert!(worst < 1e-7, "{}: {worst:e}", model.name);
    }
}
