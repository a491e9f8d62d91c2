//! Goals: the way home, or to a place that is remembered.

use super::PathIntegration;
use super::brain::Place;
use super::estimate::seen_from;
use super::senses::wrap;
use super::settings::nanoseconds;
use crate::node::{Context, GoalStatus, Level};
use crate::payload::Payload;
use saccade_msgs::geometry_msgs::Twist;
use saccade_msgs::saccade_msgs::return_home;

/// Near home the robot would be there in this time, s; it slows down for it.
const APPROACH_S: f64 = 1.5;
/// Turn by an angle aside of home, near it, 1/s.
const APPROACH_GAIN: f64 = 2.0;
/// A holonomic robot for which home lies further aside than this goes away from it.
const AWAY_RAD: f64 = 2.4;

/// A goal under way.
pub(super) struct Goal {
    pub id: u64,
    /// Where to; nothing: home.
    pub place: Option<Place>,
    pub since_ns: i64,
    pub timeout_ns: i64,
    pub travelled_m: f64,
    /// Since when it waits, and for what.
    pub waiting: Option<(i64, &'static str)>,
    pub blocked: bool,
    /// Direction in which a holonomic robot goes, in the world's axes, rad.
    pub course_rad: f64,
}

impl Goal {
    /// Where it lies, seen from a robot that sees home there (m, in the world's axes).
    fn seen_from(&self, home_m: [f64; 2]) -> [f64; 2] {
        let place_m = self.place.as_ref().map_or([0.0; 2], |p| p.home_m);
        [home_m[0] - place_m[0], home_m[1] - place_m[1]]
    }
}

impl PathIntegration {
    /// Drives the goal on by one step, or ends it.
    pub(super) fn go(
        &mut self,
        turn_rad: f64,
        dt_s: f64,
        fault: Option<&'static str>,
        ctx: &mut Context<'_>,
    ) {
        let now_ns = ctx.now_ns;
        let Some(goal) = &mut self.goal else { return };
        let goal_m = goal.seen_from(self.brain.home_m());
        let distance_m = goal_m[0].hypot(goal_m[1]);
        let patience_ns = self.settings.patience_ns;
        if now_ns - goal.since_ns > goal.timeout_ns {
            let reason = format!("not there within {} s", goal.timeout_ns as f64 / 1e9);
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
                let outcome = if goal.place.is_some() {
                    "there"
                } else {
                    "home"
                };
                let reason = format!("{distance_m:.3} m away by the memory");
                return self.end(GoalStatus::Succeeded, outcome, reason, ctx);
            }
            self.drive(turn_rad, dt_s, goal_m, ctx);
        }
        self.feed_back(goal_m, ctx);
    }

    fn drive(&mut self, turn_rad: f64, dt_s: f64, goal_m: [f64; 2], ctx: &mut Context<'_>) {
        let s = &self.settings;
        let Some(goal) = &mut self.goal else { return };
        let distance_m = goal_m[0].hypot(goal_m[1]);
        let towards_rad = match s.holonomic {
            true => goal.course_rad,
            false => self.yaw_rad,
        };
        let aside_rad = wrap(goal_m[1].atan2(goal_m[0]) - towards_rad);
        let near = distance_m < s.approach_m;
        // Nothing turns the body of a robot that goes any way: once it goes straight away from
        // home, where the cells pull alike from both sides, it would go on.
        let away = s.holonomic && aside_rad.abs() > AWAY_RAD;
        let turn_radps = if near || away {
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
    pub(super) fn stand(&mut self, ctx: &mut Context<'_>) {
        self.turning_radps = 0.0;
        ctx.publish("cmd_vel", Twist::default());
    }

    fn feed_back(&self, goal_m: [f64; 2], ctx: &mut Context<'_>) {
        let Some(goal) = &self.goal else { return };
        let [x, y] = seen_from(self.yaw_rad, goal_m);
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

    pub(super) fn end(
        &mut self,
        status: GoalStatus,
        outcome: &str,
        reason: String,
        ctx: &mut Context<'_>,
    ) {
        let Some(goal) = self.goal.take() else { return };
        self.stand(ctx);
        let [x, y] = goal.seen_from(self.brain.home_m());
        self.brain.head_for(None);
        if status == GoalStatus::Aborted {
            ctx.log(Level::Warn, format!("gave up on the way: {reason}"));
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

    pub(super) fn begin(
        &mut self,
        action: &'static str,
        id: u64,
        payload: &Payload,
        ctx: &mut Context<'_>,
    ) {
        let asked = match payload.get::<return_home::Goal>() {
            Ok(asked) => asked,
            Err(error) => {
                ctx.log(Level::Warn, error.to_string());
                return ctx.answer_goal(action, id, false);
            }
        };
        let place = match self.may_go(&asked, ctx.now_ns) {
            Ok(place) => place,
            Err(why) => {
                ctx.log(Level::Warn, format!("goal refused: {why}"));
                return ctx.answer_goal(action, id, false);
            }
        };
        let timeout_s = asked.timeout_s;
        let timeout_ns = match nanoseconds(timeout_s) {
            0 => self.settings.timeout_ns,
            ns => ns,
        };
        self.brain.head_for(place.as_ref());
        self.goal = Some(Goal {
            id,
            place,
            since_ns: ctx.now_ns,
            timeout_ns,
            travelled_m: 0.0,
            waiting: None,
            blocked: false,
            course_rad: self.travel_rad,
        });
        ctx.answer_goal(action, id, true);
    }

    /// The place asked for (nothing: home), or why it does not go there.
    fn may_go(&self, asked: &return_home::Goal, now_ns: i64) -> Result<Option<Place>, String> {
        let refusal = match asked.timeout_s {
            _ if self.goal.is_some() => Some("a goal is under way"),
            _ if !self.home_set => Some("no home is set; call set_home there"),
            _ if self.e_stop => Some("e_stop is on"),
            t if !(0.0..=1e9).contains(&t) => Some("timeout_s is not 0 to 1e9 s"),
            _ => self.fault_now(now_ns),
        };
        match refusal {
            Some(why) => Err(why.to_owned()),
            None if asked.place.is_empty() => Ok(None),
            None => self.places.find(&asked.place).map(Some),
        }
    }
}
