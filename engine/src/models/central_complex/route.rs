//! Random ways out, the way home, and how straight it was.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::body::Body;
use super::home_vector::HomeVector;
use super::noise::{NoiseSource, Population};
use super::vector_memory::VectorMemory;
use super::{PathIntegrator, body};
use crate::error::{Result, check_count};

/// Concentration of the random turns.
const KAPPA: f64 = 100.0;
/// Share of a turn that goes into the next one.
const PERSISTENCE: f64 = 0.4;
/// Highest acceleration on the way out.
const TOP_ACCELERATION: f64 = 0.15;
/// Steps between two random accelerations.
const KEY_STEPS: usize = 50;

/// Heading and velocity of each step of a random way out, from rest at the nest: turns
/// are von Mises noise through a low-pass filter, the acceleration a cubic spline
/// through uniform draws.
///
/// # Errors
/// [`crate::Error::Parameter`] for fewer than 200 steps (the spline needs four knots) or
/// more than ten million.
pub fn outbound(steps: usize, rng: &mut ChaCha8Rng) -> Result<Vec<Body>> {
    check_count("route.steps", steps, 4 * KEY_STEPS, 10_000_000)?;
    let mut turn = 0.0;
    let mut turns: Vec<f64> = Vec::with_capacity(steps);
    for _ in 0..steps {
        turn = wander(turn, rng);
        turns.push(turn);
    }
    turns[0] = 0.0;
    let keys = steps / KEY_STEPS;
    let keys: Vec<f64> = (0..keys)
        .map(|_| rng.random_range(0.0..TOP_ACCELERATION))
        .collect();
    let acceleration = Spline::new(keys);
    let mut body = Body::default();
    let mut route = vec![body];
    for (t, &turn) in turns.iter().enumerate().skip(1) {
        body = body.moved(turn, acceleration.at(t as f64 / (steps - 1) as f64));
        route.push(body);
    }
    Ok(route)
}

/// A random turn after the last one, in rad.
fn wander(turn: f64, rng: &mut ChaCha8Rng) -> f64 {
    PERSISTENCE * turn + von_mises(rng, KAPPA)
}

/// Knows nothing of home and goes on as on the way out: what chance does.
#[derive(Clone, Debug)]
pub struct RandomWalk {
    turn: f64,
    rng: ChaCha8Rng,
}

impl RandomWalk {
    /// A walk drawn from `rng`.
    pub fn new(rng: ChaCha8Rng) -> Self {
        Self { turn: 0.0, rng }
    }
}

impl PathIntegrator for RandomWalk {
    fn step<N: NoiseSource>(&mut self, _: f64, _: [f64; 2], _: &mut N) -> f64 {
        self.turn = wander(self.turn, &mut self.rng);
        self.turn
    }

    fn home_vector(&self) -> HomeVector {
        HomeVector {
            heading_rad: 0.0,
            distance: 0.0,
        }
    }

    fn remember(&self) -> VectorMemory {
        VectorMemory::HOME
    }

    fn go_to(&mut self, _: VectorMemory) {}

    fn activity(&self, _: Population) -> &[f64] {
        &[]
    }
}

/// What the model sees and does in a step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Heading and velocity that went in.
    pub seen: Body,
    /// The turn that came out, in rad.
    pub turn_rad: f64,
}

/// A way out and home.
#[derive(Clone, Debug, PartialEq)]
pub struct Journey {
    /// Position (x, y) after each step out, in steps of length from the nest.
    pub out: Vec<[f64; 2]>,
    /// Position after each step home.
    pub home: Vec<[f64; 2]>,
}

impl Journey {
    /// Distance from the nest at the turning point.
    pub fn turning_distance(&self) -> f64 {
        self.out.last().map_or(0.0, |p| length(*p))
    }

    /// Closest distance to the nest on the way home.
    pub fn closest(&self) -> f64 {
        let distances = self.home.iter().map(|p| length(*p));
        distances.fold(f64::INFINITY, f64::min)
    }

    /// Distance still left, as a share of the turning distance, after a way home as long
    /// as that distance: 0 for an agent that goes straight home.
    pub fn left(&self) -> f64 {
        let turning = self.turning_distance();
        let (mut way, mut nearest) = (0.0, turning);
        let mut before = self.out.last().copied().unwrap_or_default();
        for &p in &self.home {
            way += length([p[0] - before[0], p[1] - before[1]]);
            nearest = nearest.min(length(p));
            before = p;
            if way >= turning {
                break;
            }
        }
        nearest / turning.max(f64::MIN_POSITIVE)
    }
}

fn length(p: [f64; 2]) -> f64 {
    p[0].hypot(p[1])
}

/// The way home.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flight {
    /// Its steps.
    pub inbound: usize,
    /// By how much the agent looks to the right of where it goes, in rad, out and home.
    pub sideways_rad: f64,
    /// Wind (x, y) out and home, in steps of length per step of time: the agent flies in
    /// the air, the wind carries it, and what it sees is its velocity over the ground.
    pub wind: [f64; 2],
}

/// Leads a model along a way out, then lets it steer home. `watch` hears of every step.
pub fn fly<M: PathIntegrator>(
    model: &mut M,
    route: &[Body],
    flight: Flight,
    noise: &mut impl NoiseSource,
    watch: &mut impl FnMut(&M, Step),
) -> Journey {
    let mut position = [0.0; 2];
    let ground = |body: &Body| [0, 1].map(|k| body.velocity[k] + flight.wind[k]);
    let mut advance = |body: &Body| {
        let velocity = ground(body);
        position = [0, 1].map(|k| position[k] + velocity[k]);
        position
    };
    let mut see = |body: &Body| {
        let seen = Body {
            heading_rad: body.heading_rad + flight.sideways_rad,
            velocity: ground(body),
        };
        let turn_rad = model.step(seen.heading_rad, seen.velocity, noise);
        watch(model, Step { seen, turn_rad });
        turn_rad
    };
    let mut journey = Journey {
        out: Vec::with_capacity(route.len()),
        home: Vec::with_capacity(flight.inbound),
    };
    for body in route {
        see(body);
        journey.out.push(advance(body));
    }
    // The last state is seen once more, as in the published runs.
    let mut body = route.last().copied().unwrap_or_default();
    for _ in 0..flight.inbound {
        journey.home.push(advance(&body));
        body = body.moved(see(&body), body::ACCELERATION);
    }
    journey
}

/// A draw from the von Mises distribution around 0 (Best & Fisher 1979).
fn von_mises(rng: &mut ChaCha8Rng, kappa: f64) -> f64 {
    let tau = 1.0 + (1.0 + 4.0 * kappa * kappa).sqrt();
    let rho = (tau - (2.0 * tau).sqrt()) / (2.0 * kappa);
    let r = (1.0 + rho * rho) / (2.0 * rho);
    loop {
        let z = (std::f64::consts::PI * rng.random::<f64>()).cos();
        let f = (1.0 + r * z) / (r + z);
        let c = kappa * (r - f);
        let u = 1.0 - rng.random::<f64>();
        if c * (2.0 - c) > u || (c / u).ln() + 1.0 >= c {
            let angle = f.clamp(-1.0, 1.0).acos();
            return if rng.random() { angle } else { -angle };
        }
    }
}

/// A cubic spline through equally spaced values over [0, 1], with continuous third
/// derivative at the second and the last but one knot ("not a knot").
struct Spline {
    values: Vec<f64>,
    /// Second derivatives, times the square of the spacing.
    second: Vec<f64>,
}

impl Spline {
    /// Takes at least four values.
    fn new(values: Vec<f64>) -> Self {
        let n = values.len();
        let bend = |i: usize| 6.0 * (values[i - 1] - 2.0 * values[i] + values[i + 1]);
        // Not a knot: s[0] = 2 s[1] - s[2], so that the first and last inner equations
        // lose an unknown, 6 s[1] = bend(1); between them it is tridiagonal.
        let mut second = vec![0.0; n];
        second[1] = bend(1) / 6.0;
        second[n - 2] = bend(n - 2) / 6.0;
        let mut factor = vec![0.0; n];
        for i in 2..n - 2 {
            let pivot = 4.0 - factor[i - 1];
            factor[i] = 1.0 / pivot;
            second[i] = (bend(i) - second[i - 1]) / pivot;
        }
        for i in (2..n - 2).rev() {
            second[i] -= factor[i] * second[i + 1];
        }
        second[0] = 2.0 * second[1] - second[2];
        second[n - 1] = 2.0 * second[n - 2] - second[n - 3];
        Self { values, second }
    }

    /// The value at `x` from 0 to 1.
    fn at(&self, x: f64) -> f64 {
        let last = self.values.len() - 1;
        let x = x * last as f64;
        let i = (x as usize).min(last - 1);
        let (b, a) = (x - i as f64, (i + 1) as f64 - x);
        let cubic = |s: f64, t: f64| s * (t * t * t - t) / 6.0;
        a * self.values[i]
            + b * self.values[i + 1]
            + cubic(self.second[i], a)
            + cubic(self.second[i + 1], b)
    }
}
