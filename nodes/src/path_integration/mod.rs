//! `path_integration`: keeps the way home as the bee's central complex does, and steers
//! home by it, or to another place that it was told to remember.
//!
//! Headings and velocities are taken as they come ([`senses`]); a timer gives their means
//! to the model ([`brain`]) and drives by what it says ([`homing`]). The robot stands
//! whenever a sensor is lost, stuck or not to be believed; the model goes on with what
//! there is.

mod brain;
mod estimate;
mod homing;
mod interface;
mod places;
mod senses;
mod settings;
#[cfg(test)]
mod tests;

pub use interface::INTERFACE;

use crate::interface::Interface;
use crate::node::{Context, GoalStatus, Health, Input, Level, Node, NodeError};
use crate::parameters::Parameters;
use crate::payload::{Payload, PayloadError};
use brain::Brain;
use estimate::{Spread, Track};
use homing::Goal;
use places::Places;
use saccade_msgs::geometry_msgs::{TwistStamped, TwistWithCovarianceStamped};
use saccade_msgs::nav_msgs::Odometry;
use saccade_msgs::saccade_msgs::named_place;
use saccade_msgs::sensor_msgs::{Imu, LaserScan};
use saccade_msgs::std_msgs::Bool;
use saccade_msgs::std_srvs::trigger;
use senses::{Senses, wrap};
use settings::{Settings, Source};

/// Slower than this, a robot has no direction of travel, m/s.
const STILL_MPS: f64 = 0.05;
/// Between two paths, ns.
const PATH_NS: i64 = 1_000_000_000;

/// Makes the node.
///
/// # Errors
/// `model`, `motion` or `drive` is none of its words.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    Ok(Box::new(PathIntegration {
        settings: Settings::new(parameters)?,
        brain: settings::brain(parameters)?,
        senses: Senses::new(settings::limits(parameters)),
        places: Places::default(),
        home_set: true,
        e_stop: false,
        yaw_rad: 0.0,
        travel_rad: 0.0,
        last_ns: None,
        turning_radps: 0.0,
        spread: Spread::default(),
        track: Track::new(),
        path_ns: i64::MIN,
        goal: None,
        fault: None,
        steps: 0,
        jumps: 0,
        blind_ns: 0,
    }))
}

struct PathIntegration {
    settings: Settings,
    brain: Brain,
    senses: Senses,
    places: Places,
    home_set: bool,
    e_stop: bool,
    /// Last heading, carried on by the measured turn where the compass is lost.
    yaw_rad: f64,
    /// Last direction of travel of a holonomic robot, in the world's axes.
    travel_rad: f64,
    /// When the last step was.
    last_ns: Option<i64>,
    /// The turn commanded last.
    turning_radps: f64,
    spread: Spread,
    track: Track,
    path_ns: i64,
    goal: Option<Goal>,
    /// What is wrong, as it was told last.
    fault: Option<&'static str>,
    steps: u64,
    jumps: u64,
    /// Time without motion or compass, ns.
    blind_ns: i64,
}

impl PathIntegration {
    fn step(&mut self, ctx: &mut Context<'_>) {
        let now_ns = ctx.now_ns;
        let dt_ns = self.last_ns.map(|last| now_ns - last);
        self.last_ns = Some(now_ns);
        let jumped = dt_ns.is_some_and(|dt| dt < 0 || dt > self.settings.clock_jump_ns);
        if jumped {
            self.clock_jumped(dt_ns.unwrap_or(0), ctx);
        }
        let dt_s = match dt_ns {
            Some(dt) if dt > 0 && !jumped => dt as f64 * 1e-9,
            _ => return self.tell_fault(self.fault_now(now_ns), ctx),
        };
        let turn_rad = self.integrate(dt_s, now_ns);
        self.steps += 1;
        let fault = self.fault_now(now_ns);
        self.tell_fault(fault, ctx);
        self.publish(ctx);
        if self.goal.is_some() {
            self.go(turn_rad, dt_s, fault, ctx);
        }
    }

    /// Time before and after has nothing to do with one another: nothing of before is
    /// used, and a goal begins to count anew.
    fn clock_jumped(&mut self, dt_ns: i64, ctx: &mut Context<'_>) {
        self.jumps += 1;
        let seconds = dt_ns as f64 * 1e-9;
        ctx.log(
            Level::Warn,
            format!("the clock jumped by {seconds:.3} s; what was sensed before is forgotten"),
        );
        self.senses.forget();
        self.path_ns = i64::MIN;
        if let Some(goal) = &mut self.goal {
            goal.since_ns = goal.since_ns.saturating_add(dt_ns);
            goal.waiting = None;
            self.stand(ctx);
        }
    }

    /// A step of the model; the turn in rad that it asks for, to the left positive.
    fn integrate(&mut self, dt_s: f64, now_ns: i64) -> f64 {
        let motion = self.senses.take_motion();
        let (heading_rad, heading_variance) = self.senses.take_heading();
        let sees_motion = self.senses.motion_fault(now_ns).is_none();
        let measured_radps = if sees_motion { motion.turn_radps } else { 0.0 };
        self.senses
            .turned(dt_s * measured_radps.abs().max(self.turning_radps.abs()));
        self.yaw_rad = if self.senses.compass_fault(now_ns).is_none() {
            heading_rad
        } else {
            wrap(self.yaw_rad + measured_radps * dt_s)
        };
        let mut way_m = [0.0; 2];
        if sees_motion {
            let [forward, left] = motion.velocity_mps.map(|v| v * dt_s);
            let (s, c) = self.yaw_rad.sin_cos();
            way_m = [c * forward - s * left, s * forward + c * left];
            self.spread
                .step(way_m, heading_variance, motion.variance, dt_s);
        } else {
            self.spread.blind(self.settings.speed_mps * dt_s);
        }
        if self.fault_now(now_ns).is_some() {
            self.blind_ns += (dt_s * 1e9) as i64;
        }
        if let Some(goal) = &mut self.goal {
            goal.travelled_m += way_m[0].hypot(way_m[1]);
        }
        if !self.settings.holonomic {
            return self.brain.step(self.yaw_rad, way_m);
        }
        // The models steer by where a robot looks; one that goes any way is told to look
        // where it goes.
        if way_m[0].hypot(way_m[1]) > STILL_MPS * dt_s {
            self.travel_rad = way_m[1].atan2(way_m[0]);
        }
        self.brain.step(self.travel_rad, way_m)
    }

    /// What keeps the robot from driving, if anything.
    fn fault_now(&self, now_ns: i64) -> Option<&'static str> {
        let scans = self.settings.obstacle_m > 0.0;
        (self.senses.compass_fault(now_ns))
            .or_else(|| self.senses.motion_fault(now_ns))
            .or_else(|| self.senses.scan_fault(now_ns).filter(|_| scans))
    }

    fn tell_fault(&mut self, fault: Option<&'static str>, ctx: &mut Context<'_>) {
        if fault == self.fault {
            return;
        }
        // Before the first step nothing was there to be lost.
        match fault {
            Some(what) if self.steps > 0 => ctx.log(Level::Warn, format!("{what}: not driving")),
            None if self.steps > 0 => ctx.log(Level::Info, "all sensors are there again"),
            _ => {}
        }
        self.fault = fault;
    }

    fn publish(&mut self, ctx: &mut Context<'_>) {
        let stamp = ctx.stamp();
        let home_m = self.brain.home_m();
        if self.home_set {
            let message = estimate::home_vector(
                home_m,
                &self.spread,
                self.settings.drift_rad,
                self.yaw_rad,
                stamp,
                &self.settings.base_frame,
            );
            ctx.publish("home_vector", message);
            self.track.add(home_m.map(|x| -x), self.yaw_rad, stamp);
            if ctx.now_ns.saturating_sub(self.path_ns) >= PATH_NS {
                self.path_ns = ctx.now_ns;
                ctx.publish("path", self.track.message(stamp));
            }
        }
        ctx.publish("bump", estimate::activities("TB1", self.brain.bump()));
        ctx.publish("memory", estimate::activities("CPU4", self.brain.memory()));
    }

    fn home(&mut self, service: &str) -> trigger::Response {
        if self.goal.is_some() {
            return trigger::Response {
                success: false,
                message: "a goal is under way; cancel it first".into(),
            };
        }
        if let Err(error) = self.brain.settle() {
            return trigger::Response {
                success: false,
                message: error.to_string(),
            };
        }
        self.home_set = service == "set_home";
        self.places.clear();
        self.spread = Spread::default();
        self.track = Track::new();
        self.path_ns = i64::MIN;
        let message = if self.home_set {
            "home is here"
        } else {
            "home is forgotten"
        };
        trigger::Response {
            success: true,
            message: message.into(),
        }
    }

    /// Answers a service about places.
    fn place(&mut self, service: &str, payload: &Payload) -> named_place::Response {
        let name = match payload.get::<named_place::Request>() {
            Ok(request) => request.name.clone(),
            Err(error) => return places::said(false, error.to_string()),
        };
        match service {
            "forget_place" => self.places.forget(&name),
            _ if !self.home_set => {
                places::said(false, "no home is set; call set_home there".into())
            }
            _ => self.places.remember(&name, self.brain.place()),
        }
    }

    fn hear(
        &mut self,
        topic: &str,
        payload: &Payload,
        ctx: &mut Context<'_>,
    ) -> Result<(), PayloadError> {
        let now_ns = ctx.now_ns;
        match (topic, self.settings.source) {
            ("compass", _) => self.senses.compass(&*payload.get::<Imu>()?, now_ns),
            ("odom", Source::Odom) => {
                let m = payload.get::<Odometry>()?;
                let stamp_ns = m.header.stamp.to_ns();
                let variance = Some(m.twist.covariance[0]);
                self.senses
                    .twist(stamp_ns, &m.twist.twist, variance, now_ns);
            }
            ("flow", Source::Flow) => {
                let m = payload.get::<TwistWithCovarianceStamped>()?;
                let stamp_ns = m.header.stamp.to_ns();
                let variance = Some(m.twist.covariance[0]);
                self.senses
                    .twist(stamp_ns, &m.twist.twist, variance, now_ns);
            }
            ("twist", Source::Twist) => {
                let m = payload.get::<TwistStamped>()?;
                let stamp_ns = m.header.stamp.to_ns();
                self.senses.twist(stamp_ns, &m.twist, None, now_ns);
            }
            ("scan", _) => {
                let scan = payload.get::<LaserScan>()?;
                self.senses.scan(&scan, self.settings.obstacle_rad, now_ns);
            }
            ("e_stop", _) => {
                self.e_stop = payload.get::<Bool>()?.data;
                if self.e_stop {
                    self.end(GoalStatus::Aborted, "stopped", "e_stop is on".into(), ctx);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Node for PathIntegration {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        match input {
            Input::Start => ctx.set_timer("step", Some(self.settings.step_ns)),
            Input::Timer { .. } => self.step(ctx),
            Input::Message { topic, payload } => {
                if let Err(error) = self.hear(topic, &payload, ctx) {
                    ctx.log(Level::Warn, error.to_string());
                }
            }
            Input::Request {
                service: service @ ("set_home" | "reset_home"),
                id,
                ..
            } => {
                let response = self.home(service);
                ctx.respond(service, id, response);
            }
            Input::Request {
                service,
                id,
                payload,
            } => {
                let response = self.place(service, &payload);
                ctx.respond(service, id, response);
            }
            Input::Goal {
                action,
                id,
                payload,
            } => self.begin(action, id, &payload, ctx),
            Input::Cancel { id, .. } if self.goal.as_ref().is_some_and(|g| g.id == id) => {
                self.end(GoalStatus::Canceled, "cancelled", "as asked".into(), ctx);
            }
            _ => {}
        }
    }

    fn deactivate(&mut self, ctx: &mut Context<'_>) {
        let reason = "the node is deactivated".to_owned();
        self.end(GoalStatus::Aborted, "stopped", reason, ctx);
        self.senses.forget();
        self.last_ns = None;
    }

    fn health(&self) -> Health {
        let [x, y] = self.brain.home_m();
        let mut values = vec![
            ("steps".to_owned(), self.steps.to_string()),
            ("home (m)".into(), format!("{:.3}", x.hypot(y))),
            ("places".into(), self.places.len().to_string()),
            ("clock jumps".into(), self.jumps.to_string()),
            ("blind (ms)".into(), (self.blind_ns / 1_000_000).to_string()),
        ];
        let refused = self.senses.refused.iter();
        values.extend(refused.map(|(what, n)| (format!("refused: {what}"), n.to_string())));
        let waiting = self.fault.filter(|_| self.steps > 0);
        Health {
            warning: waiting
                .map(|what| format!("{what}: not driving"))
                .or_else(|| self.e_stop.then(|| "e_stop is on".into())),
            values,
        }
    }
}
