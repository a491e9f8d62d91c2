//! The online form against the reference losses and surrogate gradients of NEST 3.10's
//! `test_eprop_plasticity.py`, with its tolerance.

use saccade_engine::experiments::numpy_random::NumpyRandom;
use saccade_engine::learning::feedback::Feedback;
use saccade_engine::learning::online::{Online, OnlineConfig};
use saccade_engine::learning::optimizer::OptimizerConfig;
use saccade_engine::network::{Network, Topology};
use saccade_engine::neurons::{Dynamics, Layer, NeuronParams, Reset, Surrogate};
use saccade_engine::real::Real;

const TICKS: usize = 100;
const ITERATIONS: usize = 5;
/// 1 - kappa.
const SCALE: f64 = 1.0 - 0.97;

/// What the reference's network is made of.
#[derive(Clone, Copy, PartialEq)]
enum Model {
    Iaf,
    IafAdapt,
    IafPscDelta,
    IafPscDeltaAdapt,
}

impl Model {
    fn adapts(self) -> bool {
        matches!(self, Self::IafAdapt | Self::IafPscDeltaAdapt)
    }

    fn delta(self) -> bool {
        matches!(self, Self::IafPscDelta | Self::IafPscDeltaAdapt)
    }
}

/// 100 inputs, 100 neurons, one readout that must stay at 0 while frozen noise comes in.
fn regression<R: Real>(model: Model) -> (Network<R>, Vec<Vec<u32>>) {
    let (n_lif, n_alif) = if model.adapts() { (0, 100) } else { (100, 0) };
    let topology = Topology {
        n_in: 100,
        n_lif,
        n_alif,
        n_out: 1,
    };
    let params = NeuronParams {
        tau_m_ms: 30.0,
        tau_out_ms: 30.0,
        // Of `eprop_iaf_psc_delta_adapt` NEST's defaults are taken.
        tau_a_ms: if model.delta() { 10.0 } else { 2000.0 },
        v_th: if model.delta() { 0.5 } else { 0.03 },
        beta: if model.delta() { 1.0 } else { 0.0174 },
        t_ref_ms: 0.0,
        psi_height: 10.0,
        psi_width: 0.03,
        reset: match model.delta() {
            true => Reset::To(-0.5),
            false => Reset::AtOnce,
        },
        regular_spike_arrival: true,
        regular_spike_arrival_out: true,
        ..NeuronParams::default()
    };
    let mut network = Network::new(topology, &params);
    let mut random = NumpyRandom::new(1);
    // In single precision, as there.
    let mut draw = |count: usize, scale: &dyn Fn(f32) -> f32| -> Vec<R> {
        let weight = |normal: f64| f64::from(scale((normal / 10.0) as f32));
        let weights = (0..count).map(|_| R::of(weight(random.normal())));
        weights.collect()
    };
    let less = |w: f32| w * SCALE as f32;
    let (inner, back): (&dyn Fn(f32) -> f32, &dyn Fn(f32) -> f32) = match model.delta() {
        true => (&|w| w, &|w| w / SCALE as f32),
        false => (&less, &less),
    };
    network.weights.w_in = draw(100 * 100, inner);
    network.weights.w_rec = draw(100 * 100, inner);
    network.weights.w_out = draw(100, &less);
    network.feedback = Some(draw(100, back));
    let diagonal = network.weights.w_rec.iter_mut().step_by(101);
    diagonal.for_each(|w| *w = R::ZERO);
    let inputs = (0..TICKS)
        .map(|_| (0..100).filter(|_| random.uniform() < 0.05).collect())
        .collect();
    (network, inputs)
}

fn config(model: Model, optimizer: OptimizerConfig) -> OnlineConfig {
    OnlineConfig {
        kappa: 0.97,
        kappa_reg: 0.97,
        c_reg: match model.delta() {
            true => 2.0 / 100.0 / (SCALE * SCALE),
            false => 3.0,
        },
        f_target_hz: 10.0,
        cutoff_ticks: Some(100),
        optimizer,
        bounds: (-100.0, 100.0),
        feedback: Feedback::Random,
    }
}

fn adam() -> OptimizerConfig {
    OptimizerConfig::Adam {
        eta: 1e-4 * SCALE * SCALE,
        beta_1: 0.9,
        beta_2: 0.999,
        epsilon: 1e-7,
    }
}

fn sgd() -> OptimizerConfig {
    let eta = 1e-4 * SCALE * SCALE;
    OptimizerConfig::Sgd { eta }
}

/// Half the squared error of each iteration, as NEST's recorder sees it: a tick late.
fn losses<R: Real>(mut online: Online<R>, inputs: &[Vec<u32>]) -> Vec<f64> {
    let mut squares = vec![0.0];
    for tick in 0..TICKS * ITERATIONS {
        online.tick(&inputs[tick % TICKS]).unwrap();
        let error = [online.readout()[0]];
        online.learn(Some(&error));
        squares.push(error[0].to_f64() * error[0].to_f64());
    }
    let iterations = squares.chunks_exact(TICKS);
    iterations.map(|s| 0.5 * s.iter().sum::<f64>()).collect()
}

fn deviation(what: &str, ours: &[f64], theirs: &[f64]) -> f64 {
    assert_eq!(ours.len(), theirs.len());
    let pairs = ours.iter().zip(theirs);
    let worst = pairs.map(|(a, b)| (a / b - 1.0).abs()).fold(0.0, f64::max);
    println!("{what}: {ours:?}, largest relative deviation {worst:e}");
    worst
}

const LIF_ADAM: [f64; 5] = [
    0.140_004_918_913_86,
    0.287_358_180_297_52,
    0.222_637_136_998_6,
    0.230_150_724_313_84,
    0.175_652_481_706_94,
];
const ALIF_SGD: [f64; 5] = [
    0.022_425_844_874_53,
    0.019_167_537_915_22,
    0.005_714_939_356_52,
    0.000_378_753_761_95,
    0.000_378_231_575_78,
];

const DELTA: [f64; 5] = [
    0.270_396_317_491_59,
    0.513_902_043_752_29,
    0.534_738_598_338_66,
    0.536_084_748_022_02,
    0.493_235_802_442_01,
];
const DELTA_ADAPT: [f64; 5] = [
    0.164_166_461_826_75,
    0.279_521_592_828_3,
    0.299_375_155_243_41,
    0.261_609_575_004_33,
    0.263_845_142_150_24,
];

#[test]
fn reference_losses() {
    for (name, model, optimizer, theirs) in [
        ("eprop_iaf", Model::Iaf, adam(), LIF_ADAM),
        ("eprop_iaf_adapt", Model::IafAdapt, sgd(), ALIF_SGD),
        ("eprop_iaf_psc_delta", Model::IafPscDelta, sgd(), DELTA),
        (
            "eprop_iaf_psc_delta_adapt",
            Model::IafPscDeltaAdapt,
            sgd(),
            DELTA_ADAPT,
        ),
    ] {
        let (network, inputs) = regression::<f64>(model);
        let online = Online::new(network, &config(model, optimizer)).unwrap();
        let textbook = losses(online.clone(), &inputs);
        let as_nest = losses(online.as_nest(), &inputs);
        deviation(&format!("{name}, textbook"), &textbook, &theirs);
        assert!(deviation(&format!("{name}, as NEST"), &as_nest, &theirs) < 1e-8);
    }
}

/// One neuron, six input spikes; the last five of twenty steps.
#[test]
fn surrogate_gradients() {
    for (surrogate, theirs) in [
        (
            Surrogate::PiecewiseLinear,
            [
                0.210_301_009_027_59,
                0.189_336_596_199_24,
                0.170_367_211_025,
                0.153_203_001_522_21,
                0.137_672_182_513_07,
            ],
        ),
        (
            Surrogate::Exponential,
            [
                0.280_117_768_486_15,
                0.268_615_581_059_99,
                0.258_615_530_465_49,
                0.249_888_320_852_99,
                0.242_245_691_059_44,
            ],
        ),
        (
            Surrogate::FastSigmoid,
            [
                0.200_441_132_016_21,
                0.190_208_042_999_44,
                0.181_609_347_039_5,
                0.174_321_676_132_32,
                0.168_099_035_226_04,
            ],
        ),
        (
            Surrogate::Arctan,
            [
                0.374_334_987_863_04,
                0.360_738_127_447_84,
                0.348_521_650_763_7,
                0.337_593_166_594_35,
                0.327_841_810_497_28,
            ],
        ),
    ] {
        let d = Dynamics::<f64>::new(&NeuronParams {
            tau_m_ms: 10.0,
            v_th: 0.6,
            t_ref_ms: 3.0,
            psi_height: 0.5,
            psi_width: 1.0 / 1.7,
            surrogate,
            reset: Reset::AtOnce,
            regular_spike_arrival: true,
            ..NeuronParams::default()
        });
        let mut layer = Layer::new(1, 0, 0.0);
        let mut psi = Vec::new();
        // A generator's spike at t reaches the neuron in step t + 1; 19 are recorded.
        for step in 0..19 {
            let arrives = [1, 2, 3, 5, 9, 11].contains(&(step - 1));
            layer.current[0] = if arrives { 0.3 } else { 0.0 };
            let mut now = [0.0];
            layer.step(&d, &mut now);
            psi.push(now[0]);
        }
        let last = &psi[psi.len() - 5..];
        assert!(deviation(&format!("{surrogate:?}"), last, &theirs) < 1e-8);
    }
}
