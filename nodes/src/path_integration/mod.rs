//! `path_integration`: keeps the way home as the bee's central complex does, and steers
//! home by it.
//!
//! Headings and velocities are taken as they come ([`senses`]); a timer gives their means
//! to the model ([`brain`]) and drives by what it says. The robot stands whenever a sensor
//! is lost, stuck or not to be believed; the model goes on with what there is.

mod brain;
mod estimate;
mod interface;
mod senses;
#[cfg(test)]
mod tests;

pub use interface::INTERFACE;

use crate::interface::Interface;
use crate::node::{Context, GoalStatus, Health, Input, Level, Node, NodeError};
use crate::parameters::Parameters;
use crate::payload::{Payload, PayloadError};
use brain::{Brain, Kind};
use estimate::{Spread, Track, seen_from};
use saccade_msgs::geometry_msgs::{Twist, TwistStamped, TwistWithCovarianceStamped};
use saccade_msgs::nav_msgs::Odometry;
use saccade_msgs::saccade_msgs::return_home;
use saccade_msgs::sensor_msgs::{Imu, LaserScan};
use saccade_msgs::std_msgs::Bool;
use saccade_msgs::std_srvs::trigger;
use senses::{Limits, Senses, wrap};

/// Turn at which a compass that says the same is stuck, rad.
const STUCK_TURN_RAD: f64 = 0.35;
/// The fastest turn that is believed, rad/s.
const PLAUSIBLE_TURN_RADPS: f64 = 20.0;
/// Deviation of a heading that comes without covariance, rad.
const HEADING_RAD: f64 = 0.1;
/// Deviation of a velocity that comes without covariance, m/s.
const VELOCITY_MPS: f64 = 0.05;
/// Near home the robot would be there in this time, s; it slows down for it.
const APPROACH_S: f64 = 1.5;
/// Turn by an angle aside of home, near it, 1/s.
const APPROACH_GAIN: f64 = 2.0;
/// Slower than this, a robot has no direction of travel, m/s.
const STILL_MPS: f64 = 0.05;
/// Between two paths, ns.
const PATH_NS: i64 = 1_000_000_000;

/// Where the motion comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Source {
    Odom,
    Flow,
    Twist,
}

/// A goal under way.
struct Goal {
    id: u64,
    since_ns: i64,
    timeout_ns: i64,
    travelled_m: f64,
    /// Since when it waits, and for what.
    waiting: Option<(i64, &'static str)>,
    blocked: bool,
    /// Direction in which a holonomic robot goes, in the world's axes, rad.
    course_rad: f64,
}

/// What is set and does not change.
struct Settings {
    source: Source,
    holonomic: bool,
    step_ns: i64,
    speed_mps: f64,
    min_speed_mps: f64,
    max_turn_radps: f64,
    home_radius_m: f64,
    approach_m: f64,
    timeout_ns: i64,
    patience_ns: i64,
    clock_jump_ns: i64,
    obstacle_m: f64,
    obstacle_rad: f64,
    drift_rad: f64,
    base_frame: String,
}

/// Makes the node.
///
/// # Errors
/// `model`, `motion` or `drive` is none of its words.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    let wrong = |reason: String| NodeError::Configuration {
        node: "path_integration",
        reason,
    };
    let none_of = |what: &str, words: &str| {
        let value = parameters.text(what);
        wrong(format!(
            "parameter '{what}' = '{value}' is none of: {words}"
        ))
    };
    let kind = Kind::from_name(parameters.text("model"))
        .ok_or_else(|| none_of("model", "rate, extended, spiking"))?;
    let settings = Settings {
        source: match parameters.text("motion") {
            "odom" => Source::Odom,
            "flow" => Source::Flow,
            "twist" => Source::Twist,
            _ => return Err(none_of("motion", "odom, flow, twist")),
        },
        holonomic: match parameters.text("drive") {
            "unicycle" => false,
            "holonomic" => true,
            _ => return Err(none_of("drive", "unicycle, holonomic")),
        },
        step_ns: nanoseconds(parameters.double("step_period")),
        speed_mps: parameters.double("speed"),
        min_speed_mps: parameters.double("min_speed"),
        max_turn_radps: parameters.double("max_turn"),
        home_radius_m: parameters.double("home_radius"),
        approach_m: parameters.double("approach"),
        timeout_ns: nanoseconds(parameters.double("timeout")),
        patience_ns: nanoseconds(parameters.double("patience")),
        clock_jump_ns: nanoseconds(parameters.double("clock_jump")),
        obstacle_m: parameters.double("obstacle_distance"),
        obstacle_rad: parameters.double("obstacle_angle"),
        drift_rad: parameters.double("compass_drift"),
        base_frame: parameters.text("base_frame").to_owned(),
    };
    let brain = Brain::new(
        kind,
        settings.speed_mps,
        parameters.double("step_period"),
        parameters.double("noise"),
        parameters.integer("seed") as u64,
    )
    .map_err(|e| wrong(e.to_string()))?;
    let limits = Limits {
        timeout_ns: nanoseconds(parameters.double("sensor_timeout")),
        speed_mps: parameters.double("plausible_speed"),
        turn_radps: PLAUSIBLE_TURN_RADPS,
        acceleration_mps2: parameters.double("plausible_acceleration"),
        heading_variance: HEADING_RAD * HEADING_RAD,
        velocity_variance: VELOCITY_MPS * VELOCITY_MPS,
        stuck_ns: nanoseconds(parameters.double("stuck_time")),
        stuck_turn_rad: STUCK_TURN_RAD,
    };
    Ok(Box::new(PathIntegration {
        settings,
        brain,
        senses: Senses::new(limits),
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

fn nanoseconds(seconds: f64) -> i64 {
    (seconds * 1e9) as i64
}

struct PathIntegration {
    settings: Settings,
    brain: Brain,
    senses: Senses,
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

    /// Drives the goal on by one step, or ends it.
    fn go(&mut self, turn_rad: f64, dt_s: f64, fault: Option<&'static str>, ctx: &mut Context<'_>) {
        let now_ns = ctx.now_ns;
        let home_m = self.brain.home_m();
        let distance_m = home_m[0].hypot(home_m[1]);
        let patience_ns = self.settings.patience_ns;
        let Some(goal) = &mut self.goal else { return };
        if now_ns - goal.since_ns > goal.timeout_ns {
            let reason = format!("not home within {} s", goal.timeout_ns as f64 / 1e9);
            return self.end(GoalStatus::Aborted, "timeout", reason, ctx);
        }
        if let Some(what) = fault {
            let (since_ns, _) = *goal.waiting.get_or_insert((now_ns, what));
            goal.waiting = Some((since_ns, what));
            if now_ns - since_ns > patience_ns {
                let reason = format!("{what} for {} s", patience_ns as f64 / 1e9);
                return self.end(GoalStatus::Aborted, "lost", reason, ctx);
            }
            self.stand(ctx);
        } else {
            goal.waiting = None;
            if distance_m <= self.settings.home_radius_m {
                let reason = format!("{distance_m:.3} m from home by the memory");
                return self.end(GoalStatus::Succeeded, "home", reason, ctx);
            }
            self.drive(turn_rad, dt_s, home_m, ctx);
        }
        self.feed_back(home_m, ctx);
    }

    fn drive(&mut self, turn_rad: f64, dt_s: f64, home_m: [f64; 2], ctx: &mut Context<'_>) {
        let s = &self.settings;
        let Some(goal) = &mut self.goal else { return };
        let distance_m = home_m[0].hypot(home_m[1]);
        let towards_rad = match s.holonomic {
            true => goal.course_rad,
            false => self.yaw_rad,
        };
        let aside_rad = wrap(home_m[1].atan2(home_m[0]) - towards_rad);
        let near = distance_m < s.approach_m;
        let turn_radps = if near {
            APPROACH_GAIN * aside_rad
        } else {
            turn_rad / dt_s
        };
        let turn_radps = turn_radps.clamp(-s.max_turn_radps, s.max_turn_radps);
        goal.blocked = s.obstacle_m > 0.0 && self.senses.nearest_m() < s.obstacle_m;
        let least = s.min_speed_mps.min(s.speed_mps);
        let mut speed_mps = (distance_m / APPROACH_S).clamp(least, s.speed_mps);
        if near {
            speed_mps *= aside_rad.cos().max(0.0);
        }
        if goal.blocked {
            speed_mps = 0.0;
        }
        let mut command = Twist::default();
        if s.holonomic {
            goal.course_rad = wrap(goal.course_rad + turn_radps * dt_s);
            let (sin, cos) = (goal.course_rad - self.yaw_rad).sin_cos();
            (command.linear.x, command.linear.y) = (speed_mps * cos, speed_mps * sin);
        } else {
            command.linear.x = speed_mps;
            command.angular.z = turn_radps;
        }
        self.turning_radps = command.angular.z;
        ctx.publish("cmd_vel", command);
    }

    /// Stops the robot.
    fn stand(&mut self, ctx: &mut Context<'_>) {
        self.turning_radps = 0.0;
        ctx.publish("cmd_vel", Twist::default());
    }

    fn feed_back(&self, home_m: [f64; 2], ctx: &mut Context<'_>) {
        let Some(goal) = &self.goal else { return };
        let [x, y] = seen_from(self.yaw_rad, home_m);
        let state = match goal.waiting {
            Some((_, what)) => what,
            None if goal.blocked => "blocked",
            None => "homing",
        };
        let feedback = return_home::Feedback {
            distance_m: x.hypot(y),
            direction_rad: y.atan2(x),
            state: state.into(),
        };
        ctx.feedback("return_home", goal.id, feedback);
    }

    fn end(&mut self, status: GoalStatus, outcome: &str, reason: String, ctx: &mut Context<'_>) {
        let Some(goal) = self.goal.take() else { return };
        self.stand(ctx);
        let [x, y] = self.brain.home_m();
        if status == GoalStatus::Aborted {
            ctx.log(Level::Warn, format!("gave up going home: {reason}"));
        }
        let result = return_home::Result {
            success: status == GoalStatus::Succeeded,
            outcome: outcome.into(),
            reason,
            distance_m: x.hypot(y),
            travelled_m: goal.travelled_m,
            duration_s: (ctx.now_ns - goal.since_ns) as f64 * 1e-9,
        };
        ctx.finish_goal("return_home", goal.id, status, result);
    }

    fn begin(&mut self, action: &'static str, id: u64, payload: &Payload, ctx: &mut Context<'_>) {
        let timeout_s = match payload.get::<return_home::Goal>() {
            Ok(goal) => goal.timeout_s,
            Err(error) => {
                ctx.log(Level::Warn, error.to_string());
                return ctx.answer_goal(action, id, false);
            }
        };
        let fault = self.fault_now(ctx.now_ns);
        let refusal = match timeout_s {
            _ if self.goal.is_some() => Some("a goal is under way"),
            _ if !self.home_set => Some("no home is set; call set_home there"),
            _ if self.e_stop => Some("e_stop is on"),
            t if !(0.0..=1e9).contains(&t) => Some("timeout_s is not 0 to 1e9 s"),
            _ => fault,
        };
        if let Some(why) = refusal {
            ctx.log(Level::Warn, format!("goal refused: {why}"));
            return ctx.answer_goal(action, id, false);
        }
        let timeout_ns = match nanoseconds(timeout_s) {
            0 => self.settings.timeout_ns,
            ns => ns,
        };
        self.goal = Some(Goal {
            id,
            since_ns: ctx.now_ns,
            timeout_ns,
            travelled_m: 0.0,
            waiting: None,
            blocked: false,
            course_rad: self.travel_rad,
        });
        ctx.answer_goal(action, id, true);
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
            Input::Request { service, id, .. } => {
                let response = self.home(service);
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
