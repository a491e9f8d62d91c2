//! A base that goes any way, and what it believes of its way.

use glam::{Quat, Vec3};
use rand_chacha::ChaCha8Rng;
use rapier3d::parry::shape::SharedShape;

use super::surroundings::Surroundings;
use crate::arena::Place;
use crate::arena::noise::Wander;
use crate::sdf::Pose;

/// Time in which the base follows what is commanded, s.
const LAG_S: f64 = 0.1;
/// The fastest it goes, m/s, and turns, rad/s.
const FASTEST: [f64; 3] = [1.0, 1.0, 3.0];
/// Pushes out of things in a step, at most.
const PUSHES: usize = 4;
/// Time in which errors of the odometry forget what they were, s.
const ERROR_TIME_S: f64 = 20.0;

/// How wrong the odometry is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct OdometryErrors {
    /// Standard deviation of the share by which a speed is measured wrong.
    pub scale: f64,
    /// Standard deviation of the turning rate's error, rad/s.
    pub turn_radps: f64,
}

/// A part of the robot that runs into things: its shape and its pose in the base's frame.
pub type Part<'a> = (&'a SharedShape, Pose);

/// The base.
#[derive(Debug, Clone)]
pub struct Body {
    place: Place,
    odometer: Place,
    /// Forward, left (m/s), turning (rad/s), as the wheels push.
    wheels: [f64; 3],
    velocity: [f64; 3],
    measured: [f64; 3],
    scale: [Wander; 2],
    turn: Wander,
    touching: bool,
    bumps: u64,
}

impl Body {
    /// At a place, where the odometer begins too.
    pub fn new(place: Place, errors: OdometryErrors, rng: &mut ChaCha8Rng) -> Self {
        let wander = |deviation, rng: &mut ChaCha8Rng| {
            let mut wander = Wander::new(deviation, ERROR_TIME_S);
            wander.restart(rng);
            wander
        };
        Body {
            place,
            odometer: place,
            wheels: [0.0; 3],
            velocity: [0.0; 3],
            measured: [0.0; 3],
            scale: [wander(errors.scale, rng), wander(errors.scale, rng)],
            turn: wander(errors.turn_radps, rng),
            touching: false,
            bumps: 0,
        }
    }

    /// Goes on as commanded (forward, left, turning), but out of what its parts run into.
    pub fn step(
        &mut self,
        dt_s: f64,
        command: [f64; 3],
        parts: &[Part<'_>],
        world: &Surroundings,
        rng: &mut ChaCha8Rng,
    ) {
        let follow = 1.0 - (-dt_s / LAG_S).exp();
        for k in 0..3 {
            self.wheels[k] += follow * (command[k].clamp(-FASTEST[k], FASTEST[k]) - self.wheels[k]);
        }
        let before = self.place;
        self.place.go(self.wheels, dt_s);
        let touching = self.push_out(parts, world);
        self.bumps += u64::from(touching && !self.touching);
        self.touching = touching;
        let moved = [0, 1].map(|k| (self.place.at_m[k] - before.at_m[k]) / dt_s);
        let turned = (self.place.yaw_rad - before.yaw_rad) / dt_s;
        let (s, c) = (before.yaw_rad + 0.5 * turned * dt_s).sin_cos();
        self.velocity = [
            c * moved[0] + s * moved[1],
            c * moved[1] - s * moved[0],
            turned,
        ];
        self.measure(dt_s, rng);
    }

    /// Odometry of the wheels' encoders under a base that may be held: they do not slip when
    /// it is, they are held too.
    fn measure(&mut self, dt_s: f64, rng: &mut ChaCha8Rng) {
        for wander in self.scale.iter_mut().chain([&mut self.turn]) {
            wander.step(dt_s, rng);
        }
        let [forward, left, turn] = self.velocity;
        // Standing wheels say so.
        let moving = forward.hypot(left) > 1e-3 || turn.abs() > 1e-3;
        let drift = if moving { self.turn.value() } else { 0.0 };
        let [a, b] = [0, 1].map(|k| 1.0 + self.scale[k].value());
        self.measured = [forward * a, left * a, turn * b + drift];
        self.odometer.go(self.measured, dt_s);
    }

    fn push_out(&mut self, parts: &[Part<'_>], world: &Surroundings) -> bool {
        let mut near = Vec::new();
        let mut touched = false;
        for _ in 0..PUSHES {
            let base = base_pose(&self.place);
            let deepest = parts.iter().filter_map(|(shape, part)| {
                let pose = base * *part;
                world.near(
                    pose.translation,
                    shape.compute_local_bounding_sphere().radius(),
                    &mut near,
                );
                world.push(&near, shape, &pose)
            });
            let Some(push) = deepest.max_by(|a, b| a.length().total_cmp(&b.length())) else {
                break;
            };
            touched = true;
            self.place.at_m[0] += f64::from(push.x);
            self.place.at_m[1] += f64::from(push.y);
        }
        touched
    }

    /// Whether a part touches something at its place.
    pub fn touches(&self, parts: &[Part<'_>], world: &Surroundings) -> bool {
        self.clone().push_out(parts, world)
    }

    /// Where it really is.
    pub fn place(&self) -> &Place {
        &self.place
    }

    /// Where it is by its odometry.
    pub fn odometer(&self) -> &Place {
        &self.odometer
    }

    /// Its real velocity: forward and to the left in m/s, to the left in rad/s.
    pub fn velocity(&self) -> [f64; 3] {
        self.velocity
    }

    /// The same by its odometry.
    pub fn measured_velocity(&self) -> [f64; 3] {
        self.measured
    }

    /// Whether it touches something.
    pub fn touching(&self) -> bool {
        self.touching
    }

    /// How often it ran into something.
    pub fn bumps(&self) -> u64 {
        self.bumps
    }
}

/// The base's pose in the world.
pub fn base_pose(place: &Place) -> Pose {
    let at = Vec3::new(place.at_m[0] as f32, place.at_m[1] as f32, 0.0);
    Pose::from_parts(at, Quat::from_rotation_z(place.yaw_rad as f32))
}
