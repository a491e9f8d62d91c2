use super::*;

const STILL: Disturbances = Disturbances {
    slip: 0.0,
    slip_deviation: 0.0,
    slip_time_s: 1.0,
    wind_mps: 0.0,
    gust_mps: 0.0,
    gust_time_s: 1.0,
};
const TRUE: CompassErrors = CompassErrors {
    noise_rad: 0.0,
    drift_rad: 0.0,
    drift_time_s: 60.0,
};

fn arena(disturbances: Disturbances, compass: CompassErrors, obstacles: usize) -> Arena {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("arena.sdf");
    let mut arena =
        Arena::load(&file, 1, Body::Wheels, disturbances, compass, obstacles).expect("the world");
    arena.reset(3).expect("a journey");
    arena
}

fn go(arena: &mut Arena, seconds: f64, forward_mps: f64, turn_radps: f64) -> Vec<Event> {
    let mut events = Vec::new();
    let command = Command {
        forward_mps,
        turn_radps,
        ..Command::default()
    };
    for _ in 0..(seconds * 1e9) as u64 / arena.step_ns() {
        let step_ns = arena.step_ns();
        arena.step(step_ns, command, &mut events).expect("a step");
    }
    events
}

#[test]
fn without_disturbances_it_goes_where_it_is_sent() {
    let mut arena = arena(STILL, TRUE, 0);
    let yaw_rad = arena.base().place().yaw_rad;
    assert_eq!(arena.read_compass(), yaw_rad);
    go(&mut arena, 10.0, 0.4, 0.0);
    let at_m = arena.base().place().at_m;
    // The wheels need a tenth of a second to come up to speed.
    let way_m = 0.4 * (10.0 - 0.1);
    assert!((at_m[0] - way_m * yaw_rad.cos()).abs() < 0.01, "{at_m:?}");
    assert!((at_m[1] - way_m * yaw_rad.sin()).abs() < 0.01, "{at_m:?}");
    go(&mut arena, 5.0, 0.0, 0.5);
    let turned = arena.base().place().yaw_rad - yaw_rad;
    assert!((turned - 0.5 * 4.9).abs() < 0.03, "{turned}");
}

#[test]
fn slip_shortens_wind_shifts_and_the_odometer_sees_neither() {
    let slip = Disturbances { slip: 0.1, ..STILL };
    let mut arena = arena(slip, TRUE, 0);
    go(&mut arena, 10.0, 0.4, 0.0);
    let length = |p: &Place| p.at_m[0].hypot(p.at_m[1]);
    let (real, said) = (
        length(arena.base().place()),
        length(arena.base().odometer()),
    );
    assert!((real / said - 0.9).abs() < 1e-6, "{real} of {said}");

    let wind = Disturbances {
        wind_mps: 0.05,
        ..STILL
    };
    let mut arena = super::tests::arena(wind, TRUE, 0);
    go(&mut arena, 10.0, 0.0, 0.0);
    assert!((length(arena.base().place()) - 0.5).abs() < 1e-6);
    assert_eq!(length(arena.base().odometer()), 0.0);
}

#[test]
fn the_compass_is_as_wrong_as_it_is_set() {
    let errors = CompassErrors {
        noise_rad: 0.1,
        drift_rad: 0.2,
        drift_time_s: 0.5,
    };
    let mut arena = arena(STILL, errors, 0);
    let yaw_rad = arena.base().place().yaw_rad;
    let n = 4000;
    let mut sums = (0.0, 0.0, 0.0);
    for _ in 0..n {
        // A still camera is cheap.
        go(&mut arena, 0.05, 0.0, 0.0);
        let (a, b) = (
            arena.read_compass() - yaw_rad,
            arena.read_compass() - yaw_rad,
        );
        sums = (sums.0 + a, sums.1 + a * a, sums.2 + a * b);
    }
    let [mean, square, together] = [sums.0, sums.1, sums.2].map(|s| s / f64::from(n));
    // 4000 samples that forget in ten: about 200 independent ones.
    assert!(mean.abs() < 0.05, "{mean}");
    assert!((square - 0.05).abs() < 0.015, "{square}");
    assert!((together - 0.04).abs() < 0.015, "{together}");
}

#[test]
fn seeds_repeat_and_differ() {
    let rough = Disturbances {
        slip: 0.1,
        slip_deviation: 0.05,
        wind_mps: 0.05,
        gust_mps: 0.03,
        ..STILL
    };
    let run = |seed| {
        let mut arena = arena(rough, TRUE, 3);
        arena.reset(seed).expect("a journey");
        let events = go(&mut arena, 0.5, 0.4, 0.2);
        (*arena.base().place(), events)
    };
    let (place, events) = run(5);
    assert!(events.len() > 500, "{} events", events.len());
    assert!(run(5) == (place, events), "one seed, one run");
    assert_ne!(place, run(6).0);
}

#[test]
fn an_obstacle_is_scanned_and_stops_it() {
    let mut arena = arena(STILL, TRUE, 0);
    let place = *arena.base().place();
    let (s, c) = place.yaw_rad.sin_cos();
    let obstacle = Obstacle {
        at_m: [2.0 * c, 2.0 * s],
        radius_m: 0.3,
    };
    arena
        .base
        .reset(place.yaw_rad, vec![obstacle], &mut arena.rng);
    let scan = arena.scan(1.0, 5);
    assert!((scan[2] - 1.7).abs() < 1e-3, "{scan:?}");
    assert!(scan[0].is_infinite() && scan[4].is_infinite());
    go(&mut arena, 10.0, 0.4, 0.0);
    let at_m = arena.base().place().at_m;
    let left_m = 2.0 - at_m[0].hypot(at_m[1]);
    assert!((0.5..0.51).contains(&left_m), "{left_m}");
    assert_eq!(arena.base().bumps(), 1);
}

/// Against the equation's solution from rest, v(t) = (u + w) (1 - exp(-t / tau)), and its
/// integral, (u + w) (t - tau (1 - exp(-t / tau))).
#[test]
fn a_flyer_follows_its_thrust_and_the_air_by_drag() {
    let windy = Disturbances {
        wind_mps: 0.2,
        // What wheels would lose.
        slip: 0.5,
        ..STILL
    };
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("arena_flyer.sdf");
    for thrust in [[0.0, 0.0], [0.4, 0.0], [0.1, -0.3]] {
        let mut arena =
            Arena::load(&file, 1, Body::Flyer, windy, TRUE, 0).expect("the flyer's world");
        assert!((arena.camera().2 - 0.5).abs() < 1e-6, "held at its height");
        arena.reset(3).expect("a journey");
        let (s, c) = arena.base().place().yaw_rad.sin_cos();
        let command = Command {
            forward_mps: thrust[0],
            left_mps: thrust[1],
            turn_radps: 0.0,
        };
        let (step_ns, mut events) = (arena.step_ns(), Vec::new());
        let steps = 100;
        for _ in 0..steps {
            arena.step(step_ns, command, &mut events).expect("a step");
        }
        let t_s = f64::from(steps) * step_ns as f64 * 1e-9;
        let risen = 1.0 - (-t_s / 0.5).exp();
        let [forward, left, turn] = arena.base().velocity();
        let own = [c * thrust[0] - s * thrust[1], s * thrust[0] + c * thrust[1]];
        let over_ground = [c * forward - s * left, s * forward + c * left];
        // What the thrust does not explain is the air's, whatever its direction.
        let air = [0, 1].map(|k| over_ground[k] / risen - own[k]);
        assert!((air[0].hypot(air[1]) - 0.2).abs() < 1e-9, "{air:?}");
        assert_eq!(turn, 0.0);
        let way_s = t_s - 0.5 * risen;
        for k in [0, 1] {
            let wanted = (own[k] + air[k]) * way_s;
            let at_m = arena.base().place().at_m[k];
            // Steps of 20 ms, each with the velocity at its end.
            assert!((at_m - wanted).abs() < 0.01, "{at_m}, not {wanted}");
        }
    }
}
