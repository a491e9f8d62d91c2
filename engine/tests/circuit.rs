//! Circuits: neurons and synapses against closed forms and by hand, what a builder
//! refuses, and that a seed gives one circuit.

use saccade_engine::circuit::{Builder, Circuit, Inputs, Lif, Population, Rule, Synapse, Value};

/// One input, one neuron that never fires.
fn one_neuron(dt_ms: f64, lif: Lif, synapse: Synapse) -> (Circuit<f64>, Inputs, Population) {
    let mut model = Builder::new(dt_ms, 1);
    let input = model.inputs("input", 1);
    let cell = model.population("cell", 1, lif);
    model
        .project(input, cell, Rule::OneToOne)
        .synapse(synapse)
        .weight(3.0);
    (model.build().unwrap(), input, cell)
}

fn silent() -> Lif {
    Lif {
        v_th_mv: 1e5,
        ..Lif::default()
    }
}

/// Potential at the end of `ms`, the spike arriving in the first tick.
fn after(dt_ms: f64, ms: f64, synapse: Synapse) -> f64 {
    let (mut circuit, input, cell) = one_neuron(dt_ms, silent(), synapse);
    circuit.spike(input, &[0]).unwrap();
    // The tick in which it arrives, and `ms` after it.
    for _ in 0..=(ms / dt_ms).round() as u32 {
        circuit.tick();
    }
    circuit.potentials(cell)[0]
}

/// `v = E_L + w tau_s/(tau_s - tau_m) (exp(-t/tau_s) - exp(-t/tau_m))`, at any step.
#[test]
fn a_current_is_exact() {
    for dt_ms in [0.1, 0.5, 2.0] {
        let exact = -70.0 + 3.0 * 2.0 / (2.0 - 10.0) * ((-8.0_f64 / 2.0).exp() - (-0.8_f64).exp());
        let v = after(dt_ms, 8.0, Synapse::Current { tau_ms: 2.0 });
        assert!((v - exact).abs() < 1e-12, "{v} {exact}");
        // Equal time constants: w t/tau exp(-t/tau).
        let exact = -70.0 + 3.0 * 0.8 * (-0.8_f64).exp();
        let v = after(dt_ms, 8.0, Synapse::Current { tau_ms: 10.0 });
        assert!((v - exact).abs() < 1e-12, "{v} {exact}");
    }
}

/// Against steps 64 times finer; a quarter of the error at half the step.
#[test]
fn a_conductance_is_of_second_order() {
    let synapse = Synapse::Conductance {
        tau_ms: 5.0,
        reversal_mv: 0.0,
    };
    let fine = after(1.0 / 64.0, 8.0, synapse);
    assert!(fine > -60.0, "the conductance must matter: {fine}");
    let error = |dt_ms| (after(dt_ms, 8.0, synapse) - fine).abs();
    let (coarse, half) = (error(1.0), error(0.5));
    println!(
        "errors at 1, 0.5 and 0.1 ms: {coarse:e}, {half:e}, {:e} mV",
        error(0.1)
    );
    assert!((3.6..4.4).contains(&(coarse / half)), "{}", coarse / half);
    // It draws towards its reversal potential, and not beyond.
    let strong = Synapse::Conductance {
        tau_ms: 1e5,
        reversal_mv: -80.0,
    };
    let v = after(0.1, 300.0, strong);
    let goal = (-70.0 + 3.0 * -80.0) / 4.0;
    assert!((v - goal).abs() < 0.1, "{v}, {goal}");
}

/// A delta synapse, delay 3 ticks, refractory time 2 ticks, adapting threshold; by hand.
#[test]
fn spikes_by_hand() {
    let lif = Lif {
        tau_m_ms: 10.0,
        e_l_mv: 0.0,
        v_th_mv: 10.0,
        v_reset_mv: -1.0,
        t_ref_ms: 2.0,
        beta_mv: 5.0,
        tau_a_ms: 20.0,
        i_e_mv: 0.0,
    };
    let mut model = Builder::new(1.0, 1);
    let input = model.inputs("input", 1);
    let first = model.population("first", 1, lif.clone());
    let second = model.population("second", 1, lif);
    model.project(input, first, Rule::AllToAll).weight(12.0);
    model
        .project(first, second, Rule::AllToAll)
        .weight(12.0)
        .delay_ms(3.0);
    let mut circuit = model.build::<f64>().unwrap();
    let (mut fired, mut v, mut v_second) = ([vec![], vec![]], vec![], vec![]);
    for tick in 0..12 {
        if [0, 2, 3, 5].contains(&tick) {
            circuit.spike(input, &[0]).unwrap();
        }
        circuit.tick();
        for (fired, population) in fired.iter_mut().zip([first, second]) {
            if circuit.fired(population) == [0] {
                fired.push(tick);
            }
        }
        v.push(circuit.potentials(first)[0]);
        v_second.push(circuit.potentials(second)[0]);
    }
    // 12 >= 10 fires at 0; 2 is refractory and lost. At 3 v is 12 - exp(-0.1) = 11.1,
    // below the threshold of 10 + 5 exp(-2/20) = 14.5 (the adaptation has decayed for
    // two ticks); at 5, with 12 more, it is above.
    assert_eq!(v[..3], [-1.0, -1.0, -1.0]);
    let at_3 = 12.0 - (-0.1_f64).exp();
    assert!((v[3] - at_3).abs() < 1e-14);
    assert!((v[4] - at_3 * (-0.1_f64).exp()).abs() < 1e-14);
    // The second hears the first three ticks later: it fires at 3, and at 8 is at
    // 12 - exp(-0.3), three ticks after it was let go, below 10 + 5 exp(-4/20).
    assert_eq!(fired, [vec![0, 5], vec![3]]);
    assert!((v_second[8] - (12.0 - (-0.3_f64).exp())).abs() < 1e-14);
}

fn drawn(seed: u64, more: bool) -> Vec<usize> {
    let mut model = Builder::new(0.5, seed);
    let input = model.inputs("input", 10);
    let cells = model.population("cells", 50, Lif::default());
    let delays = Value::Uniform(0.5, 5.0);
    model.project(input, cells, Rule::Random(0.5)).weight(12.0);
    model
        .project(cells, cells, Rule::FixedIn(8))
        .weight(6.0)
        .delay_ms(delays);
    if more {
        let far = model.population("far", 5, Lif::default());
        model.project(cells, far, Rule::Random(0.3));
    }
    let mut circuit = model.build::<f32>().unwrap();
    let mut counts = vec![];
    for tick in 0..200_u32 {
        circuit.spike(input, &[tick % 10, tick * 3 % 10]).unwrap();
        circuit.tick();
        counts.push(circuit.fired(cells).len());
    }
    counts
}

#[test]
fn a_seed_is_a_circuit() {
    let one = drawn(1, false);
    assert!(one.iter().sum::<usize>() > 200);
    assert_eq!(one, drawn(1, false));
    assert_eq!(
        one,
        drawn(1, true),
        "what is added changes nothing before it"
    );
    assert_ne!(one, drawn(2, false));
}

#[test]
fn what_cannot_be_is_refused() {
    type Wrong = fn(&mut Builder, Inputs, Population);
    let wrong: [(Wrong, &str); 6] = [
        (
            |m, i, c| drop(m.project(i, c, Rule::FixedIn(9)).clone()),
            "projection in -> cells: parameter fixed in-degree is 9",
        ),
        (
            |m, _, c| drop(m.project(c, c, Rule::AllToAll).delay_ms(0.2).clone()),
            "projection cells -> cells: parameter delay_ms is 0.2",
        ),
        (
            |m, i, c| drop(m.project(i, c, Rule::AllToAll).weight(f64::NAN).clone()),
            "parameter weight is NaN",
        ),
        (
            |m, i, c| {
                drop(
                    m.project(i, c, Rule::AllToAll)
                        .weight(Value::Each(vec![1.0]))
                        .clone(),
                )
            },
            "parameter weights given is 1, it must be within 12..=12",
        ),
        (
            |m, i, c| drop(m.project(i, c, Rule::AllToAll).delay_ms(1e5).clone()),
            "",
        ),
        (
            |m, _, _| {
                let bad = Lif {
                    v_reset_mv: 0.0,
                    ..Lif::default()
                };
                m.population("hot", 3, bad);
            },
            "population hot: parameter v_reset_mv is 0",
        ),
    ];
    for (make, says) in wrong {
        let mut model = Builder::new(1.0, 1);
        let inputs = model.inputs("in", 3);
        let cells = model.population("cells", 4, Lif::default());
        make(&mut model, inputs, cells);
        let built = model.build::<f32>();
        if says.is_empty() {
            // A long delay is memory, and allowed: 100 000 ticks of 4 neurons.
            assert_eq!(built.unwrap().synapses(), 12);
            continue;
        }
        let text = built.unwrap_err().to_string();
        assert!(text.contains(says), "{text}");
    }
    let mut model = Builder::new(1.0, 1);
    let inputs = model.inputs("in", 3);
    let mut circuit = model.build::<f32>().unwrap();
    assert!(circuit.spike(inputs, &[3]).is_err());
}
