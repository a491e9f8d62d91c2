use super::number::to_f64;
use super::*;
use crate::models::classifier::Classifier;
use crate::models::config::ClassifierConfig;
use crate::network::{Interval, Weights};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[test]
fn weights_by_hand() {
    // 0.75 needs 2^-15 (24576); the next finer unit would need 49152.
    let p = Projection::new(&[0.75, -0.5, 1e-5, 0.0], 2);
    assert_eq!(
        (p.exponent(), &p.weights[..]),
        (-15, &[24576, -16384, 0, 0][..])
    );
    let p = Projection::new(&[3.0, -0.5], 1);
    assert_eq!((p.exponent(), &p.weights[..]), (-13, &[24576, -4096][..]));
    let p = Projection::new(&[0.125], 1);
    assert_eq!((p.exponent(), &p.weights[..]), (-17, &[16384][..]));
    assert_eq!(p.current(16384), i64::from(ONE) / 8);
    assert_eq!(Projection::new(&[0.0], 1).weights, [0]);
}

/// One LIF and one ALIF neuron, one input, one readout, four ticks, by hand.
#[test]
fn four_ticks_by_hand() {
    let neuron = NeuronParams {
        // Decays of exactly 1/2, but that of the adaptation, 1/4.
        dt_ms: 1.0,
        tau_m_ms: 1.0 / 2.0_f64.ln(),
        tau_out_ms: 1.0 / 2.0_f64.ln(),
        tau_a_ms: 1.0 / 4.0_f64.ln(),
        v_th: 1.0,
        beta: 0.5,
        t_ref_ms: 2.0,
        regular_spike_arrival: true,
        regular_spike_arrival_out: true,
        ..NeuronParams::default()
    };
    let topology = Topology {
        n_in: 1,
        n_lif: 1,
        n_alif: 1,
        n_out: 1,
    };
    let mut network = Network::<f32>::new(topology, &neuron);
    network.weights = Weights {
        w_in: vec![1.0, 1.75],
        w_rec: vec![0.0, 0.25, -0.5, 0.0],
        w_out: vec![1.0, 0.5],
    };
    let fixed = FixedNetwork::new(&network, &neuron).unwrap();
    assert_eq!(fixed.exponents(), [-14, -15, -14]);
    let mut state = FixedState::new(&fixed);
    let at = |x: f64| from_f64(x);
    // Both reach their thresholds.
    state.step(&fixed, &[0]);
    assert_eq!(state.v(), [at(1.0), at(1.75)]);
    assert_eq!(
        (state.fired(), state.readout()),
        (&[0, 1][..], &[at(1.5)][..])
    );
    // 0.5 + 1 - 0.5 - 1 and 0.875 + 1.75 + 0.25 - 1: the second is over 1.5, but refractory.
    state.step(&fixed, &[0]);
    assert_eq!(state.v(), [at(0.0), at(1.875)]);
    assert_eq!((state.fired(), state.readout()), (&[][..], &[at(0.75)][..]));
    // Free again: 0.9375 + 1.75 is over 1 + 0.5 / 4; the first has 1 once more.
    state.step(&fixed, &[0]);
    assert_eq!(state.v(), [at(1.0), at(2.6875)]);
    assert_eq!(state.fired(), [0, 1]);
    assert_eq!(state.readout(), [at(0.375 + 1.5)]);
    state.step(&fixed, &[]);
    assert_eq!(state.v(), [at(-1.0), at(0.59375)]);
    assert_eq!(state.readout(), [at(0.9375)]);
    assert_eq!(state.saturated(), 0);
    state.begin();
    assert_eq!((state.v(), state.readout()), (&[0, 0][..], &[0][..]));
}

/// The three resets after one spike, by hand.
#[test]
fn resets_by_hand() {
    for (reset, after, next) in [
        (Reset::Late, 1.5, -0.25),
        (Reset::AtOnce, 0.5, 0.25),
        (Reset::ToZero, 0.0, 0.0),
        (Reset::To(-0.5), -0.5, -0.25),
    ] {
        let neuron = NeuronParams {
            tau_m_ms: 1.0 / 2.0_f64.ln(),
            v_th: 1.0,
            regular_spike_arrival: true,
            t_ref_ms: 0.0,
            reset,
            ..NeuronParams::default()
        };
        let topology = Topology {
            n_in: 1,
            n_lif: 1,
            n_alif: 0,
            n_out: 2,
        };
        let mut network = Network::<f32>::new(topology, &neuron);
        network.weights.w_in[0] = 1.5;
        let fixed = FixedNetwork::new(&network, &neuron).unwrap();
        let mut state = FixedState::new(&fixed);
        state.step(&fixed, &[0]);
        assert_eq!((state.fired(), state.v()[0]), (&[0][..], from_f64(after)));
        state.step(&fixed, &[]);
        assert_eq!(state.v()[0], from_f64(next), "{reset:?}");
    }
}

#[test]
fn what_leaves_the_range_stays_at_its_end_and_is_counted() {
    let neuron = NeuronParams {
        regular_spike_arrival: true,
        ..NeuronParams::default()
    };
    let topology = Topology {
        n_in: 2,
        n_lif: 1,
        n_alif: 0,
        n_out: 2,
    };
    let mut network = Network::<f32>::new(topology, &neuron);
    network.weights.w_in.copy_from_slice(&[60_000.0, -60_000.0]);
    let fixed = FixedNetwork::new(&network, &neuron).unwrap();
    let mut state = FixedState::new(&fixed);
    state.step(&fixed, &[0]);
    assert_eq!(state.saturated(), 0);
    state.step(&fixed, &[0]);
    assert_eq!((state.v()[0], state.saturated()), (i32::MAX, 1));
    network.weights.w_out[1] = -1e5;
    let error = FixedNetwork::new(&network, &neuron)
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("largest weight of w_out (in s16.15) is 100000"),
        "{error}"
    );
    network.weights.w_out[1] = 0.0;
    let loud = NeuronParams {
        v_th: 1e5,
        ..neuron
    };
    let error = FixedNetwork::new(&network, &loud).unwrap_err().to_string();
    assert!(error.contains("v_th (in s16.15) is 100000"), "{error}");
}

/// A random network of LIF and ALIF neurons, 400 ticks. The reference computes in `f64`
/// with the weights as they were, and takes over the spikes of the fixed point, so that
/// the distance of the potentials obeys
///
/// ```text
/// d[s] <= alpha d[s-1] + P (n_in 2^(e_in-1) + n_rec 2^(e_rec-1) + 2 u) + 3 u
/// ```
///
/// with `u = 2^-16` (half a unit) for every rounding: two sums to s16.15 and two products
/// and the threshold, and with `n` spikes arriving, each with half a unit of its weight.
/// Rounding of factors is below `2^-31 |v|`. A spike may differ from what the reference's
/// potential says only where that is as near to the threshold as the bound.
#[test]
fn potentials_stay_within_the_derived_bound() {
    let config = ClassifierConfig {
        n_in: 60,
        n_lif: 25,
        n_alif: 25,
        max_ticks: 400,
        input_gain: 5.0,
        ..ClassifierConfig::default()
    };
    let neuron = config.neuron.clone();
    let classifier = Classifier::new(config, 4).unwrap();
    let network = classifier.network();
    let fixed = FixedNetwork::new(network, &neuron).unwrap();
    let mut state = FixedState::new(&fixed);
    let mut float = Interval::new(network, 400, 400 * 60);
    let mut same_ticks = 0;

    let u = 2.0_f64.powi(-16);
    let decay = |tau: f64| (-neuron.dt_ms / tau).exp();
    let (alpha, rho, n) = (decay(neuron.tau_m_ms), decay(neuron.tau_a_ms), 50);
    let half = |e: i32| 2.0_f64.powi(e - 1);
    let [e_in, e_rec, _] = fixed.exponents();
    let mut rng = ChaCha8Rng::seed_from_u64(8);
    let (mut v, mut a, mut z) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
    let t_ref = (neuron.t_ref_ms / neuron.dt_ms).round() as u32;
    let mut refractory = vec![0_u32; n];
    let (mut bound, mut a_bound, mut worst, mut spikes) = (0.0, 0.0, 0.0_f64, 0);
    for s in 0..400 {
        let inputs: Vec<u32> = (0..60).filter(|_| rng.random::<f64>() < 0.05).collect();
        let fired: Vec<u32> = state.fired().to_vec();
        state.step(&fixed, &inputs);
        float.step(network, &inputs);
        if same_ticks == s && float.fired() == state.fired() {
            same_ticks += 1;
        }

        let arriving = inputs.len() as f64 * half(e_in) + fired.len() as f64 * half(e_rec);
        bound = alpha * bound + (1.0 - alpha) * (arriving + 2.0 * u) + 3.0 * u + 1e-8;
        a_bound = rho * a_bound + u + 1e-8;
        for j in 0..n {
            let row = |w: &[f32], from: &[u32]| -> f64 {
                from.iter().map(|&i| f64::from(w[i as usize * n + j])).sum()
            };
            let current = row(&network.weights.w_in, &inputs) + row(&network.weights.w_rec, &fired);
            v[j] = alpha * v[j] + (1.0 - alpha) * current - neuron.v_th * z[j];
            a[j] = rho * a[j] + z[j];
            let difference = (v[j] - to_f64(i64::from(state.v()[j]))).abs();
            assert!(difference <= bound, "tick {s}: {difference} {bound}");
            worst = worst.max(difference / bound);
            let beta = if j < 25 { 0.0 } else { neuron.beta };
            let margin = v[j] - neuron.v_th - beta * a[j];
            let spike = state.fired().contains(&(j as u32));
            let doubt = bound + beta * a_bound + 2.0 * u;
            assert!(!spike || margin >= -doubt, "tick {s}: fired at {margin}");
            let left = refractory[j].saturating_sub(1);
            let held = left > 0;
            assert!(
                spike || held || margin <= doubt,
                "tick {s}: silent at {margin}"
            );
            refractory[j] = if spike { t_ref } else { left };
            z[j] = f64::from(u8::from(spike));
        }
        spikes += state.fired().len();
    }
    assert!(spikes > 500, "{spikes} spikes are no test");
    assert!(worst > 0.05, "the bound is far off: {worst}");
    // And with the engine's own f32, spike for spike at first.
    assert!(same_ticks >= 50, "{same_ticks} ticks with the same spikes");
    assert_eq!(state.saturated(), 0);
}
