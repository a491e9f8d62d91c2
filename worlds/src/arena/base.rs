//! A base on two wheels that slip, or one that flies, in the wind.

use super::noise::Wander;
use super::{SCAN_NEAREST_M, SCAN_RANGE_M};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Between the wheels, m.
const TRACK_M: f64 = 0.3;
/// Radius of the base, m.
const RADIUS_M: f64 = 0.2;
/// Time in which the wheels follow what is commanded, s.
const LAG_S: f64 = 0.1;
/// Time in which drag brings a flyer to the velocity of its air, s.
const DRAG_S: f64 = 0.5;
/// The fastest that a flyer goes through still air along each of its axes, m/s.
const FLIGHT_MPS: f64 = 1.5;
/// The fastest that a wheel turns, m/s at its rim.
const WHEEL_MPS: f64 = 1.5;
/// Obstacles keep so far from the origin, m.
const CLEAR_M: f64 = 1.0;
/// And stand within, m.
const SPREAD_M: f64 = 12.0;

/// What the base is told: forward in m/s, to the left in rad/s.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Command {
    /// Forward, m/s.
    pub forward_mps: f64,
    /// To the left, m/s; wheels cannot.
    pub left_mps: f64,
    /// To the left, rad/s.
    pub turn_radps: f64,
}

/// What carries the base.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Body {
    /// Two wheels that slip; the wind adds its velocity to theirs.
    #[default]
    Wheels,
    /// Thrust in the plane at a height that is held. Drag is linear: over the ground
    /// `dv/dt = (u + w - v) / tau`, with u what is commanded (the thrust that keeps this
    /// velocity in still air), w the air's velocity and tau = 0.5 s.
    Flyer,
}

/// What keeps the base from going where its wheels push it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Disturbances {
    /// Mean share of a wheel's way that is lost by slip.
    pub slip: f64,
    /// Its standard deviation, for each wheel on its own.
    pub slip_deviation: f64,
    /// Time in which that forgets what it was, s.
    pub slip_time_s: f64,
    /// Mean speed at which the wind moves the base, in a direction from the seed, m/s.
    pub wind_mps: f64,
    /// Standard deviation of the gusts along each axis, m/s.
    pub gust_mps: f64,
    /// Time in which gusts forget what they were, s.
    pub gust_time_s: f64,
}

/// A place on the plane.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Place {
    /// x and y, m.
    pub at_m: [f64; 2],
    /// From x to the left, rad, not wrapped.
    pub yaw_rad: f64,
}

impl Place {
    /// Goes on with these velocities (forward, to the left, turning) for `dt_s`.
    pub(crate) fn go(&mut self, [forward, left, turn]: [f64; 3], dt_s: f64) {
        let (s, c) = (self.yaw_rad + 0.5 * turn * dt_s).sin_cos();
        self.at_m[0] += dt_s * (c * forward - s * left);
        self.at_m[1] += dt_s * (s * forward + c * left);
        self.yaw_rad += turn * dt_s;
    }
}

/// A pillar.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Obstacle {
    /// Its centre, m.
    pub at_m: [f64; 2],
    /// Its radius, m.
    pub radius_m: f64,
}

impl Obstacle {
    /// Anywhere but where the robot starts.
    pub(super) fn draw(rng: &mut ChaCha8Rng) -> Self {
        let distance = rng.random_range(CLEAR_M..SPREAD_M);
        let (s, c) = rng.random_range(0.0..std::f64::consts::TAU).sin_cos();
        Obstacle {
            at_m: [distance * c, distance * s],
            radius_m: rng.random_range(0.1..0.3),
        }
    }
}

/// The base.
#[derive(Debug, Clone)]
pub struct Base {
    body: Body,
    disturbances: Disturbances,
    place: Place,
    odometer: Place,
    /// Speeds of the wheels' rims, left and right, m/s.
    wheels_mps: [f64; 2],
    /// Of a flyer: forward, left (m/s), turning (rad/s), as they would be in still air.
    flight: [f64; 3],
    /// Of a flyer over the ground, in the world's axes, m/s.
    drift_mps: [f64; 2],
    /// Over the ground: forward, left (m/s), turning (rad/s).
    velocity: [f64; 3],
    slip: [Wander; 2],
    /// Mean of the wind, m/s.
    wind_mps: [f64; 2],
    gust: [Wander; 2],
    obstacles: Vec<Obstacle>,
    bumps: u64,
    touching: bool,
}

impl Base {
    /// At the origin.
    pub fn new(body: Body, disturbances: Disturbances) -> Self {
        let d = &disturbances;
        Base {
            body,
            disturbances,
            place: Place::default(),
            odometer: Place::default(),
            wheels_mps: [0.0; 2],
            flight: [0.0; 3],
            drift_mps: [0.0; 2],
            velocity: [0.0; 3],
            slip: [Wander::new(d.slip_deviation, d.slip_time_s); 2],
            wind_mps: [0.0; 2],
            gust: [Wander::new(d.gust_mps, d.gust_time_s); 2],
            obstacles: Vec::new(),
            bumps: 0,
            touching: false,
        }
    }

    pub(super) fn reset(&mut self, yaw_rad: f64, obstacles: Vec<Obstacle>, rng: &mut ChaCha8Rng) {
        let (s, c) = rng.random_range(0.0..std::f64::consts::TAU).sin_cos();
        let wind_mps = self.disturbances.wind_mps;
        *self = Base::new(self.body, self.disturbances);
        self.place.yaw_rad = yaw_rad;
        self.wind_mps = [wind_mps * c, wind_mps * s];
        self.obstacles = obstacles;
        for wander in self.slip.iter_mut().chain(&mut self.gust) {
            wander.restart(rng);
        }
    }

    pub(super) fn step(&mut self, dt_s: f64, command: Command, rng: &mut ChaCha8Rng) {
        for wander in self.slip.iter_mut().chain(&mut self.gust) {
            wander.step(dt_s, rng);
        }
        let wind = [0, 1].map(|k| self.wind_mps[k] + self.gust[k].value());
        match self.body {
            Body::Wheels => self.roll(dt_s, command, wind),
            Body::Flyer => self.fly(dt_s, command, wind),
        }
        self.move_on(dt_s);
    }

    fn roll(&mut self, dt_s: f64, command: Command, wind: [f64; 2]) {
        let half = 0.5 * TRACK_M * command.turn_radps;
        let wanted = [command.forward_mps - half, command.forward_mps + half];
        let follow = 1.0 - (-dt_s / LAG_S).exp();
        for (wheel, wanted) in self.wheels_mps.iter_mut().zip(wanted) {
            *wheel += follow * (wanted.clamp(-WHEEL_MPS, WHEEL_MPS) - *wheel);
        }
        let motion = |[l, r]: [f64; 2]| [0.5 * (l + r), 0.0, (r - l) / TRACK_M];
        self.odometer.go(motion(self.wheels_mps), dt_s);
        let slipped = |k: usize| {
            let slip = (self.disturbances.slip + self.slip[k].value()).clamp(0.0, 0.9);
            self.wheels_mps[k] * (1.0 - slip)
        };
        self.velocity = motion([slipped(0), slipped(1)]);
        let (s, c) = self.place.yaw_rad.sin_cos();
        self.velocity[0] += c * wind[0] + s * wind[1];
        self.velocity[1] += c * wind[1] - s * wind[0];
    }

    /// The equation of [`Body::Flyer`], solved for a step in which thrust and air stay.
    fn fly(&mut self, dt_s: f64, command: Command, wind: [f64; 2]) {
        let drag = 1.0 - (-dt_s / DRAG_S).exp();
        let turn = 1.0 - (-dt_s / LAG_S).exp();
        let thrust = [command.forward_mps, command.left_mps];
        let thrust = thrust.map(|u| u.clamp(-FLIGHT_MPS, FLIGHT_MPS));
        self.flight[0] += drag * (thrust[0] - self.flight[0]);
        self.flight[1] += drag * (thrust[1] - self.flight[1]);
        self.flight[2] += turn * (command.turn_radps - self.flight[2]);
        self.odometer.go(self.flight, dt_s);
        let (s, c) = self.place.yaw_rad.sin_cos();
        let pushed = [c * thrust[0] - s * thrust[1], s * thrust[0] + c * thrust[1]];
        for (k, drift) in self.drift_mps.iter_mut().enumerate() {
            *drift += drag * (pushed[k] + wind[k] - *drift);
        }
        let [x, y] = self.drift_mps;
        self.velocity = [c * x + s * y, c * y - s * x, self.flight[2]];
    }

    /// Goes on, but not into an obstacle.
    fn move_on(&mut self, dt_s: f64) {
        let mut next = self.place;
        next.go(self.velocity, dt_s);
        let touches = self.obstacles.iter().any(|o| {
            let (before, after) = (
                distance(self.place.at_m, o.at_m),
                distance(next.at_m, o.at_m),
            );
            after < o.radius_m + RADIUS_M && after < before
        });
        if touches {
            next.at_m = self.place.at_m;
            (self.velocity[0], self.velocity[1]) = (0.0, 0.0);
            self.drift_mps = [0.0; 2];
            self.bumps += u64::from(!self.touching);
        }
        self.touching = touches;
        self.place = next;
    }

    /// Distance to the nearest obstacle in a direction of the robot's frame, m.
    pub(super) fn ray_m(&self, angle_rad: f64) -> f64 {
        let (s, c) = (self.place.yaw_rad + angle_rad).sin_cos();
        let hit = |o: &Obstacle| {
            let [x, y] = [0, 1].map(|k| o.at_m[k] - self.place.at_m[k]);
            let (along, aside) = (c * x + s * y, c * y - s * x);
            let half = o.radius_m * o.radius_m - aside * aside;
            (half >= 0.0).then(|| along - half.sqrt())
        };
        let ahead = self.obstacles.iter().filter_map(hit);
        let seen = ahead.filter(|d| (SCAN_NEAREST_M..=SCAN_RANGE_M).contains(d));
        seen.fold(f64::INFINITY, f64::min)
    }

    /// Where it really is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Where it would be if no wheel slipped and no wind blew.
    pub fn odometer(&self) -> &Place {
        &self.odometer
    }

    /// Its real velocity: forward and to the left in m/s, to the left in rad/s.
    pub fn velocity(&self) -> [f64; 3] {
        self.velocity
    }

    /// Its velocity by its wheels, or in still air: forward and to the left in m/s, to the
    /// left in rad/s.
    pub fn odometer_velocity(&self) -> [f64; 3] {
        let [l, r] = self.wheels_mps;
        match self.body {
            Body::Wheels => [0.5 * (l + r), 0.0, (r - l) / TRACK_M],
            Body::Flyer => self.flight,
        }
    }

    /// How often it ran into something.
    pub fn bumps(&self) -> u64 {
        self.bumps
    }
}

fn distance(a: [f64; 2], b: [f64; 2]) -> f64 {
    (a[0] - b[0]).hypot(a[1] - b[1])
}
