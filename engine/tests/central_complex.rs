//! The path integrator against reference traces of the published model, and its statistics.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use npyz::npz::NpzArchive;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use saccade_engine::models::central_complex::body::Body;
use saccade_engine::models::central_complex::statistics::{
    Backend, Experiment, Model, Summary, Trial,
};
use saccade_engine::models::central_complex::{
    Extended, ExtendedParameters, Flight, Gaussian, NoiseLevels, NoiseSource, Parameters,
    PathIntegrator, Population, RateModel, Silent, Spiking, SpikingParameters, fly, outbound,
};

const HOME_1500: Flight = Flight {
    inbound: 1500,
    sideways_rad: 0.0,
    wind: [0.0; 2],
};

/// Arrays of the reference traces, row after row.
struct Traces(NpzArchive<BufReader<File>>);

impl Traces {
    fn open() -> Option<Self> {
        let Some(dir) = std::env::var_os("SACCADE_TEST_DATA") else {
            eprintln!("NOT TESTED: central complex traces: SACCADE_TEST_DATA is not set");
            return None;
        };
        let path = PathBuf::from(dir).join("central_complex/cx_traces.npz");
        Some(Self(NpzArchive::open(path).unwrap()))
    }

    fn array(&mut self, name: &str) -> Vec<f64> {
        let array = self.0.by_name(name).unwrap();
        array.expect("the traces have it").into_vec().unwrap()
    }

    /// Heading and velocity of each step.
    fn bodies(&mut self, heading: &str, velocity: &str) -> Vec<Body> {
        let (headings, velocities) = (self.array(heading), self.array(velocity));
        let velocities = velocities.as_chunks::<2>().0;
        let both = headings.iter().zip(velocities);
        both.map(|(&heading_rad, &velocity)| Body {
            heading_rad,
            velocity,
        })
        .collect()
    }
}

/// Draws as recorded, one row per step.
struct Recorded {
    draws: Vec<f64>,
    at: usize,
}

impl NoiseSource for Recorded {
    fn draw(&mut self, _: Population, out: &mut [f64]) {
        out.copy_from_slice(&self.draws[self.at..self.at + out.len()]);
        self.at += out.len();
    }
}

/// Largest deviation of each population from the reference over a whole journey, in
/// which the model steers by itself on the way home.
fn largest_deviation(traces: &mut Traces, prefix: &str, noise: &mut impl NoiseSource) -> f64 {
    let mut name = |what: &str| traces.array(&format!("{prefix}_{what}"));
    let names = ["tl2", "cl1", "tb1", "tn1", "tn2", "mem", "cpu4", "cpu1"];
    let want: Vec<Vec<f64>> = names.iter().map(|n| name(n)).collect();
    let motor = name("motor");
    let seen = traces.bodies(&format!("{prefix}_heading"), &format!("{prefix}_velocity"));
    let mut model = RateModel::new(Parameters::default()).unwrap();
    let (mut worst, mut step) = (0.0_f64, 0);
    fly(
        &mut model,
        &seen[..1500],
        HOME_1500,
        noise,
        &mut |model, now| {
            let ours: [&[f64]; 8] = [
                &model.tl,
                &model.cl1,
                &model.tb1,
                &model.tn1,
                &model.tn2,
                &model.memory,
                &model.cpu4,
                &model.cpu1,
            ];
            let mut hold = |a: f64, b: f64| worst = worst.max((a - b).abs());
            for (ours, want) in ours.iter().zip(&want) {
                let row = &want[step * ours.len()..][..ours.len()];
                ours.iter().zip(row).for_each(|(a, b)| hold(*a, *b));
            }
            hold(now.turn_rad, motor[step]);
            // The reference wraps its headings.
            let apart = now.seen.heading_rad - seen[step].heading_rad;
            hold(apart.sin(), 0.0);
            hold(apart.cos(), 1.0);
            for k in 0..2 {
                hold(now.seen.velocity[k], seen[step].velocity[k]);
            }
            step += 1;
        },
    );
    assert_eq!(step, 3000);
    worst
}

#[test]
fn every_population_follows_the_reference_without_noise() {
    let Some(mut traces) = Traces::open() else {
        return;
    };
    let worst = largest_deviation(&mut traces, "n0", &mut Silent);
    println!("largest deviation without noise {worst:e}");
    assert!(worst < 1e-9, "{worst:e}");
}

#[test]
fn every_population_follows_the_reference_with_its_noise() {
    let Some(mut traces) = Traces::open() else {
        return;
    };
    let draws = traces.array("n01_draws");
    let mut noise = Recorded { draws, at: 0 };
    let worst = largest_deviation(&mut traces, "n01", &mut noise);
    assert_eq!(noise.at, noise.draws.len(), "every draw has been used");
    println!("largest deviation with noise {worst:e}");
    assert!(worst < 1e-9, "{worst:e}");
}

#[test]
fn twenty_routes_come_as_close_as_the_reference() {
    let Some(mut traces) = Traces::open() else {
        return;
    };
    let want = traces.array("closest_noise0");
    let bodies = traces.bodies("routes_heading", "routes_velocity");
    for (route, want) in bodies.chunks(1500).zip(want) {
        let mut model = RateModel::new(Parameters::default()).unwrap();
        let closest = fly(&mut model, route, HOME_1500, &mut Silent, &mut |_, _| {}).closest();
        assert!((closest - want).abs() < 1e-6, "{closest}, reference {want}");
    }
}

/// Median distance between where the memory says home is and where it is, at the end of
/// random ways out.
fn error_of_home_vector<M: PathIntegrator>(make: impl Fn() -> M, routes: u64, steps: usize) -> f64 {
    let mut errors: Vec<f64> = (0..routes)
        .map(|seed| {
            let rng = ChaCha8Rng::seed_from_u64(seed);
            let route = outbound(steps, &mut rng.clone()).unwrap();
            let mut model = make();
            let mut noise = Gaussian::new(NoiseLevels::default(), rng).unwrap();
            let stay = Flight {
                inbound: 0,
                sideways_rad: 0.0,
                wind: [0.0; 2],
            };
            let journey = fly(&mut model, &route, stay, &mut noise, &mut |_, _| {});
            let (p, home) = (journey.out[steps - 1], model.home_vector());
            let (sin, cos) = home.heading_rad.sin_cos();
            (p[0] + home.distance * sin).hypot(p[1] + home.distance * cos)
        })
        .collect();
    errors.sort_by(f64::total_cmp);
    errors[errors.len() / 2]
}

/// Of ways some 175 long; the reference's median error is 9.3.
#[test]
fn the_home_vector_points_home() {
    let published =
        error_of_home_vector(|| RateModel::new(Parameters::default()).unwrap(), 60, 1500);
    let extended = error_of_home_vector(
        || Extended::new(&ExtendedParameters::default()).unwrap(),
        60,
        1500,
    );
    println!("median error of the home vector {published}, extended {extended}");
    assert!(published < 12.0, "published {published}");
    assert!(extended < published, "extended {extended}");
}

/// Of ways some 100 long.
#[test]
fn the_home_vector_of_the_spiking_model_points_home() {
    let make = || {
        let rng = ChaCha8Rng::seed_from_u64(9);
        Spiking::new(&SpikingParameters::default(), rng).unwrap()
    };
    let error = error_of_home_vector(make, 11, 500);
    println!("median error of the spiking model's home vector {error}");
    assert!(error < 12.0, "{error}");
}

/// 50 s out, 150 s home, at the nominal noise: every route comes home, as straight as the
/// rate model's and at the rate of insects' neurons.
#[test]
fn spiking_neurons_come_home() {
    let flown = Experiment {
        out_steps: 500,
        routes: 12,
        ..experiment(Model::Spiking, 0.1)
    };
    let trials = flown.trials().unwrap();
    let summary = Summary::of(&trials);
    println!("spiking neurons: {summary:?}");
    assert_eq!(summary.within_home_range, 1.0, "{summary:?}");
    assert!(summary.mean < 3.0 && summary.tau < 1.5, "{summary:?}");
    // All but the neurons for flow backwards, where hardly anything does.
    let each = |t: &Trial| Population::ALL.into_iter().zip(t.activity);
    let rates = (trials.iter().flat_map(each))
        .filter(|(population, _)| *population != Population::Tn1)
        .map(|(_, activity)| 60.0 * activity);
    let mean = trials.iter().map(|t| 60.0 * t.mean_activity).sum::<f64>() / 12.0;
    println!("mean rate {mean} Hz");
    assert!((27.0..33.0).contains(&mean), "{mean} Hz");
    for rate in rates {
        assert!(
            (3.0..60.0).contains(&rate),
            "a population fires at {rate} Hz"
        );
    }
}

/// Neurons that spike too come home sideways and against the wind, where the published
/// model does not.
#[test]
fn spiking_neurons_come_home_sideways_and_in_wind() {
    let base = Experiment {
        out_steps: 500,
        routes: 12,
        ..experiment(Model::Spiking, 0.1)
    };
    let sideways = Experiment {
        sideways_rad: 135.0_f64.to_radians(),
        ..base.clone()
    };
    let windy = Experiment { wind: 0.2, ..base };
    for flown in [sideways, windy] {
        let summary = Summary::of(&flown.trials().unwrap());
        println!("{flown:?}: {summary:?}");
        assert_eq!(summary.within_home_range, 1.0, "{flown:?}: {summary:?}");
    }
}

fn experiment(model: Model, noise: f64) -> Experiment {
    Experiment {
        model,
        backend: Backend::Cpu,
        noise: NoiseLevels::uniform(noise),
        out_steps: 1500,
        home_steps: 1500,
        sideways_rad: 0.0,
        wind: 0.0,
        routes: 300,
        seed: 4,
    }
}

/// Against the reference table (1000 routes each): every figure within 4 standard errors
/// of the difference, ours by bootstrap, the table's as ours for its number of routes.
#[test]
fn statistics_are_those_of_the_reference() {
    for (noise, table) in [
        (0.0, [11.9, 6.1, 38.0, 0.789, 1.164]),
        (0.1, [2.51, 1.80, 6.87, 0.999, 1.156]),
        (0.2, [5.52, 3.94, 15.2, 0.974, 1.397]),
        (0.3, [28.3, 19.9, 82.3, 0.502, 2.471]),
        (0.4, [102.8, 90.7, 245.0, 0.142, 5.043]),
    ] {
        let trials = experiment(Model::Published, noise).trials().unwrap();
        let ours = Summary::of(&trials).figures();
        let errors = Summary::standard_errors(&trials, 1).figures();
        let share = (1.0 + trials.len() as f64 / 1000.0).sqrt();
        for k in 0..5 {
            // A share of all or nothing has no bootstrap error; one route more has.
            let error = errors[k].max([0.0, 0.0, 0.0, 1.0 / 300.0, 0.0][k]) * share;
            let apart = (ours[k] - table[k]) / error;
            println!(
                "noise {noise}, figure {k}: {:.3}, table {}, {apart:.1} se",
                ours[k], table[k]
            );
            assert!(
                apart.abs() < 4.0,
                "noise {noise}, figure {k}: {ours:?}, table {table:?}"
            );
        }
    }
}

/// The variant where the published model fails: at least three times as close to home.
#[test]
fn the_extended_model_holds_where_the_published_one_breaks() {
    let hard = [
        (
            "noise 0.3",
            Experiment {
                routes: 60,
                ..experiment(Model::Published, 0.3)
            },
        ),
        (
            "10 000 steps",
            Experiment {
                out_steps: 10_000,
                home_steps: 10_000,
                routes: 12,
                ..experiment(Model::Published, 0.1)
            },
        ),
        (
            "135 deg sideways",
            Experiment {
                sideways_rad: 135.0_f64.to_radians(),
                routes: 40,
                ..experiment(Model::Published, 0.1)
            },
        ),
        (
            "wind of half its speed, with time to come back",
            Experiment {
                wind: 0.3,
                home_steps: 6000,
                routes: 24,
                ..experiment(Model::Published, 0.1)
            },
        ),
    ];
    for (what, published) in hard {
        let extended = Experiment {
            model: Model::Extended,
            ..published.clone()
        };
        let [published, extended] =
            [published, extended].map(|e| Summary::of(&e.trials().unwrap()).mean);
        println!("{what}: {published:.2}, extended {extended:.2}");
        assert!(
            3.0 * extended < published,
            "{what}: {published}, extended {extended}"
        );
    }
}
