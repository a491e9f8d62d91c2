//! The place network against reference vectors, its trainings, and its answers in real time.

mod rooms;

use std::fs::File;
use std::io::BufReader;
use std::ops::ControlFlow;
use std::path::PathBuf;

use npyz::npz::NpzArchive;
use rooms::Eye;
use saccade_engine::Error;
use saccade_engine::learning::predictive_coding::Connection;
use saccade_engine::models::place::{Samples, Senses};
use saccade_engine::models::predictive_coding::{
    Config, Method, Network, Next, PlaceNetwork, Precision, Quick, Recogniser, Schedule, Settled,
    TACTILE, Trainer, VISUAL,
};
use saccade_engine::real::Real;

/// Arrays of the reference vectors.
struct Vectors(NpzArchive<BufReader<File>>);

impl Vectors {
    fn open() -> Option<Self> {
        let Some(dir) = std::env::var_os("SACCADE_TEST_DATA") else {
            eprintln!("NOT TESTED: place network vectors: SACCADE_TEST_DATA is not set");
            return None;
        };
        let path = PathBuf::from(dir).join("place_recognition/multimodal_pc_vectors.npz");
        Some(Self(NpzArchive::open(path).unwrap()))
    }

    /// Row after row.
    fn array(&mut self, name: &str) -> Vec<f64> {
        let array = self.0.by_name(name).unwrap().expect("the vectors have it");
        match name {
            "lr" => array.into_vec::<f64>().unwrap(),
            _ => array
                .into_vec::<f32>()
                .unwrap()
                .into_iter()
                .map(f64::from)
                .collect(),
        }
    }

    fn config(&mut self) -> Config {
        let rates = self.array("lr");
        let mut config = Config::for_inputs(24, 9);
        config.visual.layers = vec![12, 7];
        config.tactile.layers = vec![6, 4];
        config.joint = 5;
        (config.visual.cause_rate, config.tactile.cause_rate) = (rates[0], rates[1]);
        (config.visual.weight_rate, config.tactile.weight_rate) = (rates[3], rates[4]);
        (config.joint_cause_rate, config.joint_weight_rate) = (rates[2], rates[5]);
        config
    }
}

/// `[here, below]` of the vectors to `[below, here]` of a connection.
fn mirrored(values: &[f64], here: usize) -> Vec<f64> {
    let below = values.len() / here;
    let at = |k: usize| values[(k % here) * below + k / here];
    (0..values.len()).map(at).collect()
}

/// Largest difference, relative to the largest reference value of the array.
fn apart<R: Real>(ours: &[R], reference: &[f64]) -> (f64, f64) {
    assert_eq!(ours.len(), reference.len());
    let largest = reference.iter().fold(0.0_f64, |m, x| m.max(x.abs()));
    let pairs = ours.iter().zip(reference);
    let worst = pairs
        .map(|(a, b)| (a.to_f64() - b).abs())
        .fold(0.0, f64::max);
    (worst, worst / largest)
}

const LAYERS: [[(&str, usize); 3]; 2] = [
    [("W1_0", 12), ("W1_1", 7), ("WM_0", 5)],
    [("W2_0", 6), ("W2_1", 4), ("WM_1", 5)],
];

/// Trains as the reference was trained; the largest differences of anything, absolute
/// and relative.
fn deviation<R: Real + saccade_engine::Multiply>(vectors: &mut Vectors) -> (f64, f64) {
    let config = vectors.config();
    let connections = LAYERS.map(|layers| {
        let one = |(name, here): (&str, usize)| {
            let weights = mirrored(&vectors.array(&format!("{name}_init")), here);
            let below = weights.len() / here;
            Connection::from_weights(below, here, weights.into_iter().map(R::of).collect())
        };
        layers.into_iter().map(one).collect()
    });
    let mut network = Network::<R>::from_connections(config, connections).unwrap();
    let inputs = ["X1", "X2"].map(|name| vectors.array(name));
    let trajectory = vectors.array("cm_traj");
    let mut halves = [network.activity(3), network.activity(3)];
    for (h, half) in halves.iter_mut().enumerate() {
        for m in [VISUAL, TACTILE] {
            let n = inputs[m].len() / 2;
            let of = inputs[m][h * n..(h + 1) * n].iter();
            half.inputs[m] = of.map(|&x| R::of(x)).collect();
        }
    }
    let mut worst = (0.0_f64, 0.0_f64);
    let mut hold = |ours: &[R], reference: &[f64]| {
        let (absolute, relative) = apart(ours, reference);
        worst = (worst.0.max(absolute), worst.1.max(relative));
    };
    for minibatch in 0..8 {
        let half = &mut halves[minibatch % 2];
        for _ in 0..20 {
            network.errors(Senses::Both, half);
            network.move_causes(Senses::Both, half, [1.0; 3], |_| true);
        }
        network.errors(Senses::Both, half);
        network.learn(half, 1.0, false);
        let joint = halves.each_ref().map(|half| half.joint.clone()).concat();
        hold(&joint, &trajectory[minibatch * 30..(minibatch + 1) * 30]);
    }
    for (m, layers) in LAYERS.into_iter().enumerate() {
        for (i, (name, here)) in layers.into_iter().enumerate() {
            let weights = network.connections()[m][i].weights();
            hold(
                weights,
                &mirrored(&vectors.array(&format!("{name}_final")), here),
            );
        }
        for i in 0..2 {
            let both = halves.each_ref().map(|half| half.causes[m][i].clone());
            hold(&both.concat(), &vectors.array(&format!("c{}_{i}", m + 1)));
        }
    }
    hold(
        &halves.each_ref().map(|half| half.joint.clone()).concat(),
        &vectors.array("cm"),
    );
    worst
}

#[test]
fn causes_and_weights_follow_the_reference_vectors() {
    let Some(mut vectors) = Vectors::open() else {
        return;
    };
    let (absolute, _) = deviation::<f32>(&mut vectors);
    assert!(absolute < 1e-5, "f32: {absolute:e}");
    let (_, relative) = deviation::<f64>(&mut vectors);
    assert!(relative < 1e-6, "f64: {relative:e}");
    eprintln!("place network vectors: f32 to {absolute:.1e}, f64 to {relative:.1e} relative");
}

const EYE: Eye = Eye {
    height: 8,
    width: 16,
    colours: 1,
};
const WHISKERS: usize = 12;

fn small() -> Config {
    let mut config = Config::for_inputs(EYE.height * EYE.width * EYE.colours, WHISKERS);
    config.visual.layers = vec![40, 20];
    config.tactile.layers = vec![10, 8];
    config.joint = 10;
    // Inputs are 84 times fewer, and so is what moves the causes.
    config.visual.cause_rate *= 20.0;
    config.visual.weight_rate *= 20.0;
    config
}

fn room(count: usize, seed: usize) -> Samples {
    rooms::samples(EYE, WHISKERS, count, seed)
}

fn brief() -> Schedule {
    Schedule {
        epochs: 3,
        minibatch: 16,
        ..Schedule::default()
    }
}

fn trained(samples: &Samples, schedule: &Schedule) -> PlaceNetwork {
    let go_on = &mut |_: &_| ControlFlow::Continue(());
    PlaceNetwork::train(samples, &small(), schedule, 3, go_on).unwrap()
}

#[test]
fn a_training_resumed_after_every_epoch_is_the_same_to_the_bit() {
    let samples = room(40, 1);
    let straight = trained(&samples, &brief());
    let mut trainer = Trainer::new(&samples, &small(), &brief(), 3).unwrap();
    let mut bytes = trainer.checkpoint().unwrap();
    while trainer.epoch() < 3 {
        trainer = Trainer::resume(&samples, &small(), &brief(), 3, &bytes).unwrap();
        let report = trainer.run_epoch().unwrap();
        assert_eq!(trainer.reports().last(), Some(&report));
        bytes = trainer.checkpoint().unwrap();
    }
    assert_eq!(trainer.finish().unwrap(), straight);

    let refused = |samples: &Samples, config: &Config, seed, bytes: &[u8]| {
        let resumed = Trainer::resume(samples, config, &brief(), seed, bytes);
        resumed.err().expect("refused").to_string()
    };
    let text = refused(&samples, &small(), 4, &bytes);
    assert!(text.contains("seed is 3 there and 4 here"), "{text}");
    let text = refused(&room(40, 2), &small(), 3, &bytes);
    assert!(text.contains("fingerprint of the samples"), "{text}");
    let mut other = small();
    other.joint_cause_rate *= 2.0;
    let text = refused(&samples, &other, 3, &bytes);
    assert!(text.contains("network.joint_cause_rate"), "{text}");
    let text = refused(&samples, &small(), 3, &straight.to_bytes().unwrap());
    assert!(text.contains("no checkpoint"), "{text}");
    let text = PlaceNetwork::from_bytes(&bytes).unwrap_err().to_string();
    assert!(text.contains("the checkpoint of a training"), "{text}");
    for at in (0..bytes.len()).step_by(701) {
        let mut spoilt = bytes.clone();
        spoilt[at] ^= 1;
        let resumed = Trainer::resume(&samples, &small(), &brief(), 3, &spoilt);
        assert!(resumed.is_err(), "bit flipped at {at}");
    }
}

#[test]
fn learning_lowers_the_errors_and_callbacks_may_end_it() {
    let samples = room(60, 1);
    let mut reports = Vec::new();
    let schedule = Schedule {
        epochs: 30,
        ..brief()
    };
    let place = PlaceNetwork::train(&samples, &small(), &schedule, 1, &mut |report| {
        reports.push(*report);
        match report.epoch {
            20 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    assert_eq!(place.unwrap().provenance().epochs, 20);
    let (first, last) = (reports[0], reports[19]);
    assert!(last.visual < 0.2 * first.visual, "{first:?} {last:?}");
    assert!(last.tactile < 0.5 * first.tactile, "{first:?} {last:?}");
}

#[test]
fn a_training_that_diverges_says_so() {
    let samples = room(20, 1);
    let schedule = Schedule {
        cause_gain: 1e4,
        ..Schedule::published()
    };
    let mut config = small();
    config.visual.cause_rate = 1.0;
    let go_on = &mut |_: &_| ControlFlow::Continue(());
    let diverged = PlaceNetwork::train(&samples, &config, &schedule, 1, go_on);
    let text = diverged.unwrap_err().to_string();
    assert!(text.contains("the training diverges"), "{text}");
}

/// What a modality that is off has seen or felt does not matter, and is not looked at.
#[test]
fn a_missing_modality_has_no_part_in_the_answer() {
    let samples = room(30, 1);
    let place = trained(&samples, &brief());
    let (seen, felt) = (samples.visual(0), samples.tactile(0));
    for method in [Method::Published(50), Method::default()] {
        let mut recogniser = Recogniser::new(place.clone(), method).unwrap();
        let mut ask = |seen: &[f32], felt: &[f32], senses| {
            let answer = recogniser.recognise(seen, felt, senses).unwrap();
            (answer.joint.to_vec(), answer.residual)
        };
        let both = ask(seen, felt, Senses::Both);
        let vision = ask(seen, &[], Senses::Vision);
        let touch = ask(&[], felt, Senses::Touch);
        assert_eq!(vision, ask(seen, &[f32::NAN; WHISKERS], Senses::Vision));
        assert!(both.0 != vision.0 && both.0 != touch.0 && vision.0 != touch.0);
        assert!(vision.1[TACTILE].is_none() && touch.1[VISUAL].is_none());
        assert!(both.1.iter().all(Option::is_some));
        assert_eq!(
            both,
            ask(seen, felt, Senses::Both),
            "no memory of what came between"
        );
    }
}

#[test]
fn what_cannot_be_is_refused_and_changes_nothing() {
    let samples = room(30, 1);
    let place = trained(&samples, &brief());
    let mut recogniser = Recogniser::new(place, Method::default()).unwrap();
    let (seen, felt) = (samples.visual(0), samples.tactile(0));
    let mut spoilt = seen.to_vec();
    spoilt[7] = f32::NAN;
    let mut bright = seen.to_vec();
    bright[9] = 255.0;
    let mut torn = felt.to_vec();
    torn[3] = f32::INFINITY;
    let cases: [(&[f32], &[f32], &str); 5] = [
        (&spoilt, felt, "visual value 7 is NaN"),
        (&bright, felt, "visual value 9 is 255"),
        (seen, &torn, "tactile value 3 is inf"),
        (
            &seen[1..],
            felt,
            "127 visual values, the network was trained on 128",
        ),
        (seen, &[], "0 tactile values, the network was trained on 12"),
    ];
    for (seen, felt, says) in cases {
        let refused = recogniser.recognise(seen, felt, Senses::Both).unwrap_err();
        assert!(matches!(refused, Error::Input(_)));
        assert!(refused.to_string().contains(says), "{refused}");
    }
    // A whisker that is stuck far out counts no more than one a range out.
    let mut stuck = felt.to_vec();
    stuck[0] = 1e9;
    let answer = recogniser.recognise(seen, &stuck, Senses::Both).unwrap();
    assert!(answer.joint.iter().all(|c| c.abs() < 10.0));
}

/// So many steps as published iterations, each as short, are the published inference: what
/// differs is of the second order in the step, and pixels predicted below 0.
#[test]
fn quick_steps_follow_the_published_descent() {
    let schedule = Schedule {
        epochs: 40,
        ..brief()
    };
    let place = trained(&room(60, 1), &schedule);
    let queries = room(10, 2);
    let mut published = Recogniser::new(place.clone(), Method::Published(500)).unwrap();
    let mut off = [0.0_f64; 2];
    for (off, steps) in off.iter_mut().zip([500, 10]) {
        let quick = Quick {
            steps,
            precision: Precision::F32,
            ..Quick::default()
        };
        let mut quick = Recogniser::new(place.clone(), Method::Quick(quick)).unwrap();
        for i in 0..queries.len() {
            for senses in [Senses::Both, Senses::Vision, Senses::Touch] {
                let (seen, felt) = (queries.visual(i), queries.tactile(i));
                let want = published.recognise(seen, felt, senses).unwrap();
                let have = quick.recognise(seen, felt, senses).unwrap();
                let far = have.joint.iter().zip(want.joint);
                *off = far
                    .map(|(a, b)| f64::from((a - b).abs()))
                    .fold(*off, f64::max);
            }
        }
    }
    eprintln!("joint causes of 500 and 10 quick steps are off by {off:?}");
    assert!(off[0] < 0.02 && off[1] < 0.1, "{off:?}");
}

/// Reading only what may have changed its gate is the published training, with weights just
/// drawn, where all has to be read, and later, where little has.
#[test]
fn settled_gates_change_nothing_but_the_rounding() {
    let samples = room(12, 1);
    let mut plain = Network::<f64>::new(small(), 5).unwrap();
    let mut quick = plain.clone();
    let mut settled = Settled::new(&quick);
    let mut alone = quick.clone();
    let mut settled_alone = Settled::new(&alone);
    let mut shares = Vec::new();
    let mut each: Vec<_> = (0..12)
        .map(|i| {
            let mut activity = plain.activity(1);
            let numbers = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect();
            activity.inputs = [numbers(samples.visual(i)), numbers(samples.tactile(i))];
            [activity.clone(), activity.clone(), activity]
        })
        .collect();
    for round in 0..60 {
        for i in 0..12 {
            // Now and then what comes is not what was said.
            let said = each[if round % 7 == 3 { 5 } else { (i + 1) % 12 }][1].clone();
            let next = Next {
                seen: &said.inputs[0],
                causes: &said.causes[0][0],
            };
            let [a, b, c] = &mut each[i];
            for _ in 0..20 {
                plain.errors(Senses::Both, a);
                plain.move_causes(Senses::Both, a, [1.0; 3], |_| true);
            }
            plain.errors(Senses::Both, a);
            plain.learn(a, 1.0, false);
            settled.learn(&mut quick, b, 20, Some(next));
            settled_alone.learn(&mut alone, c, 20, None);
            assert!(apart(&b.joint, &a.joint).1 < 1e-10);
        }
        shares.push(settled.share_read());
    }
    for (a, b) in plain
        .connections()
        .iter()
        .flatten()
        .zip(quick.connections().iter().flatten())
    {
        assert!(apart(b.weights(), a.weights()).1 < 1e-10);
    }
    assert_eq!(alone, quick, "to the bit");
    assert!(shares[59] < 0.7 * shares[0], "{shares:?}");
}
