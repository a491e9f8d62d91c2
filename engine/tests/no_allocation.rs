//! A tick allocates nothing: in the encoder, in the classifier with and without a label,
//! in a network that learns online, in a circuit and in a NIR graph; nor does a query of a place, or of
//! a map of places.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_engine::circuit::{Builder, Lif, Rule, Synapse, Value};
use saccade_engine::encoder::{Encoder, EncoderConfig};
use saccade_engine::learning::feedback::Feedback;
use saccade_engine::learning::online::{Cells, Online, OnlineConfig};
use saccade_engine::learning::optimizer::{Optimizer, OptimizerConfig};
use saccade_engine::models::central_complex::{
    Gaussian, NoiseLevels, PathIntegrator, Spiking, SpikingParameters,
};
use saccade_engine::models::classifier::Classifier;
use saccade_engine::models::config::ClassifierConfig;
use saccade_engine::models::place::{PlaceMap, Pose, Samples, Senses};
use saccade_engine::models::predictive_coding::{
    Config, Method, Network, PlaceNetwork, Provenance, Readout, ReadoutConfig, Recogniser, Scaling,
};
use saccade_engine::neurons::NeuronParams;
use saccade_engine::nir::{Integration, Runner, export};

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; counting touches
// only a thread-local integer that needs no allocation.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are passed on.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn a_tick_of_a_nir_graph_allocates_nothing() {
    let config = ClassifierConfig {
        n_alif: 0,
        ..ClassifierConfig::default()
    };
    let graph = export(&Classifier::new(config, 1).unwrap(), false).unwrap();
    let mut runner = Runner::new(&graph, None, Integration::Exact).unwrap();
    let (_, shape) = runner.inputs().next().unwrap();
    let inputs = vec![1.0; shape[0]];
    let before = ALLOCATIONS.with(Cell::get);
    for _ in 0..20 {
        runner.set_input(0, &inputs).unwrap();
        runner.tick();
    }
    assert_eq!(ALLOCATIONS.with(Cell::get), before);
    assert!(runner.output(0).unwrap().iter().any(|y| *y != 0.0));
}

#[test]
fn a_step_of_the_spiking_path_integrator_allocates_nothing() {
    let rng = ChaCha8Rng::seed_from_u64(3);
    let mut model = Spiking::new(&SpikingParameters::default(), rng.clone()).unwrap();
    let mut noise = Gaussian::new(NoiseLevels::default(), rng).unwrap();
    let before = ALLOCATIONS.with(Cell::get);
    let turns: f64 = (0..5)
        .map(|_| model.step(0.3, [0.1, 0.4], &mut noise))
        .sum();
    assert_eq!(ALLOCATIONS.with(Cell::get), before);
    assert!(turns.is_finite() && model.home_vector().distance > 0.0);
}

#[test]
fn a_query_of_a_place_map_allocates_nothing() {
    let code = |k: usize| -> Vec<f32> { (0..100).map(|i| ((i * i * k + i) % 17) as f32).collect() };
    let mut map = PlaceMap::new("net", 100, 1000).unwrap();
    for k in 1..500 {
        map.store(&code(k), Pose::default()).unwrap();
    }
    let (mut search, query) = (map.search(10), code(33));
    let before = ALLOCATIONS.with(Cell::get);
    let found = map.find(&query, &mut search).unwrap().len();
    assert_eq!(ALLOCATIONS.with(Cell::get), before);
    assert_eq!(found, 10);
}

#[test]
fn a_query_of_the_place_network_allocates_nothing() {
    let mut config = Config::for_inputs(500, 12);
    config.visual.layers = vec![60, 30];
    let network = Network::new(config, 1).unwrap();
    let scaling = Scaling {
        least: vec![0.0; 12],
        greatest: vec![1.0; 12],
    };
    let place = PlaceNetwork::new(network, scaling, Provenance::default()).unwrap();
    let mut samples = Samples::new(500, 12);
    for i in 0..8 {
        let of = |k: usize| 0.5 + 0.4 * ((i * (k + 3)) as f32).sin();
        let (seen, felt): (Vec<f32>, Vec<f32>) =
            ((0..500).map(of).collect(), (0..12).map(of).collect());
        samples.push(&seen, &felt, Pose::default()).unwrap();
    }
    let readout = Readout::learn(&place, &samples, ReadoutConfig::default()).unwrap();
    let place = place.with_readout(readout);
    let mut recogniser = Recogniser::new(place, Method::default()).unwrap();
    let (seen, felt) = ([0.3; 500], [0.6; 12]);
    let before = ALLOCATIONS.with(Cell::get);
    for senses in [Senses::Both, Senses::Vision, Senses::Touch] {
        let answer = recogniser.recognise(&seen, &felt, senses).unwrap();
        assert!(answer.steps > 0);
    }
    assert_eq!(ALLOCATIONS.with(Cell::get), before);
}

#[test]
fn a_tick_allocates_nothing() {
    let mut encoder = Encoder::new(EncoderConfig::default()).unwrap();
    let mut classifier = Classifier::new(ClassifierConfig::default(), 1).unwrap();
    let adam = OptimizerConfig::default();
    let mut adam = Optimizer::new(adam, &classifier.network().topology).unwrap();
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut spikes = 0;
    for interval in 0..2 {
        let before = ALLOCATIONS.with(Cell::get);
        encoder.begin_interval();
        classifier.begin_interval();
        // Beyond `max_ticks` too: what is no longer recorded must not grow either.
        for tick in 0..1100 {
            for _ in 0..200 {
                let (x, y) = (rng.random_range(0..128), rng.random_range(0..128));
                encoder.push(x, y, rng.random()).unwrap();
            }
            for &id in encoder.tick() {
                classifier.push_spike(id).unwrap();
            }
            classifier.tick((tick > 50).then_some(2)).unwrap();
            spikes += classifier.hidden_spikes().len();
        }
        assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
        classifier.learn().unwrap();
        classifier.apply(&mut adam, 1.0).unwrap();
        if interval == 0 {
            assert!(spikes > 1000, "a silent network tests nothing: {spikes}");
        }
    }
}

#[test]
fn a_tick_that_learns_online_allocates_nothing() {
    let config = ClassifierConfig {
        n_in: 64,
        feedback: Feedback::Random,
        ..ClassifierConfig::default()
    };
    let classifier = Classifier::new(config, 1).unwrap();
    let adaptive = Feedback::Adaptive { decay: 1e-4 };
    let sgd = OptimizerConfig::Sgd { eta: 1e-4 };
    for (optimizer, feedback) in [
        (OptimizerConfig::adam(1e-4), adaptive),
        (sgd.clone(), adaptive),
        (sgd, Feedback::Random),
    ] {
        let config = OnlineConfig {
            optimizer,
            feedback,
            c_reg: 1.0,
            kappa_reg: 0.9,
            ..OnlineConfig::default()
        };
        let mut online = Online::new(classifier.network().clone(), &config).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut spikes = 0;
        let before = ALLOCATIONS.with(Cell::get);
        for _ in 0..400 {
            // Some of them twice.
            let mut inputs = [0_u32; 100];
            inputs.fill_with(|| rng.random_range(0..64));
            online.tick(&inputs[..12 + inputs[0] as usize]).unwrap();
            online.learn(Some(&[0.1, -0.1, 0.2, -0.2]));
            spikes += online.fired().len();
        }
        assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
        assert!(spikes > 400, "a silent network tests nothing: {spikes}");
    }
}

/// Rows with addresses, rows of a matrix, delays and two populations.
#[test]
fn a_tick_of_a_sparse_network_that_learns_allocates_nothing() {
    let mut model = Builder::new(1.0, 3);
    let input = model.inputs("input", 20);
    let params = NeuronParams::default();
    let first = model.population("first", 80, Cells::spiking(params.clone()));
    let second = model.population("second", 40, Cells::spiking(params));
    let readout = model.population("readout", 2, Cells::Readout { tau_ms: 20.0 });
    model
        .project(input, first, Rule::Random(0.5))
        .weight(Value::Normal(2.0, 2.0));
    model
        .project(first, first, Rule::FixedIn(8))
        .weight(Value::Normal(0.0, 2.0))
        .delay_ms(Value::Uniform(1.0, 9.0));
    model
        .project(first, second, Rule::Random(0.2))
        .weight(Value::Normal(2.0, 2.0));
    model.project(second, readout, Rule::AllToAll).weight(0.1);
    for optimizer in [
        OptimizerConfig::Sgd { eta: 1e-4 },
        OptimizerConfig::adam(1e-4),
    ] {
        let config = OnlineConfig {
            optimizer,
            feedback: Feedback::Random,
            ..OnlineConfig::default()
        };
        let mut online = model.online::<f32>(&config).unwrap();
        let mut spikes = [0, 0];
        let before = ALLOCATIONS.with(Cell::get);
        for tick in 0..600_u32 {
            online
                .tick(&[tick % 20, tick * 3 % 20, tick * 7 % 20])
                .unwrap();
            online.learn(Some(&[0.1, -0.1]));
            spikes[0] += online.fired_of(first).len();
            spikes[1] += online.fired_of(second).len();
        }
        assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
        assert!(
            spikes.iter().all(|&n| n > 400),
            "silence tests nothing: {spikes:?}"
        );
    }
}

#[test]
fn a_tick_of_a_circuit_allocates_nothing() {
    let mut model = Builder::new(1.0, 3);
    let input = model.inputs("input", 20);
    let cells = model.population("cells", 100, Lif::default());
    let synapse = Synapse::Conductance {
        tau_ms: 5.0,
        reversal_mv: 0.0,
    };
    model.project(input, cells, Rule::Random(0.5)).weight(9.0);
    model
        .project(cells, cells, Rule::FixedIn(10))
        .synapse(synapse)
        .weight(0.1)
        .delay_ms(Value::Uniform(1.0, 9.0));
    let mut circuit = model.build::<f32>().unwrap();
    let mut spikes = 0;
    let before = ALLOCATIONS.with(Cell::get);
    for tick in 0..400_u32 {
        circuit.spike(input, &[tick % 20, tick * 3 % 20]).unwrap();
        circuit.tick();
        spikes += circuit.fired(cells).len();
    }
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0);
    assert!(spikes > 400, "a silent circuit tests nothing: {spikes}");
}
