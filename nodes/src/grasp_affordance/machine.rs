//! The state machine: what the robot does next, and why. What comes in and how
//! goals end is here; what is done on the way is in `looking` and `moving`.

mod looking;
mod moving;
mod stopping;

use super::contour::Class;
use super::evidence::gather;
use super::geometry::Pose;
use super::guard;
use super::kinematics::{Arm, distance};
use super::locate::{Located, locate};
use super::plan::{self, HAND_OPEN, HOME, Hand, Plan, Recipe, TOOL};
use super::report;
use super::senses::Senses;
use super::settings::Settings;
use super::tf::TfError;
use super::trajectory::Trajectory;
use crate::node::{Context, GoalStatus, Level};
use saccade_msgs::control_msgs::follow_joint_trajectory as fjt;
use saccade_msgs::saccade_msgs::{Decision, GraspState, SaccadePhase, grasp_object};
use saccade_msgs::std_srvs::trigger;
use saccade_msgs::trajectory_msgs::JointTrajectory;

/// What the node is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing asked for.
    Idle,
    /// The arm is not at rest: it goes there before looking.
    Recovering,
    /// A microsaccade is under way; events are collected.
    Looking,
    /// Waiting for the final decision.
    Deciding,
    /// Finding the object.
    Locating,
    /// Finding a way to it.
    Planning,
    /// Arm to the pre-grasp, hand to the pre-shape.
    Reaching,
    /// Arm to the grasp.
    Descending,
    /// Fingers close until contact.
    Closing,
    /// Straight up.
    Lifting,
    /// Standing still with the object.
    Holding,
    /// Straight down.
    PuttingBack,
    /// Fingers open.
    Opening,
    /// Arm to the pre-grasp.
    Retreating,
    /// Arm and hand to rest.
    Homing,
    /// Stopped in the middle of a motion.
    Stopped,
}

impl State {
    /// Name on `state`.
    pub fn name(self) -> &'static str {
        match self {
            State::Idle => "idle",
            State::Recovering => "recovering",
            State::Looking => "looking",
            State::Deciding => "deciding",
            State::Locating => "locating",
            State::Planning => "planning",
            State::Reaching => "reaching",
            State::Descending => "descending",
            State::Closing => "closing",
            State::Lifting => "lifting",
            State::Holding => "holding",
            State::PuttingBack => "putting_back",
            State::Opening => "opening",
            State::Retreating => "retreating",
            State::Homing => "homing",
            State::Stopped => "stopped",
        }
    }

    /// Whether arm or hand may be moving.
    fn moves(self) -> bool {
        !matches!(
            self,
            State::Idle
                | State::Looking
                | State::Deciding
                | State::Locating
                | State::Planning
                | State::Stopped
        )
    }
}

/// Own name of the action served.
pub const ACTION: &str = "grasp_object";
/// Own names of the services offered.
pub const STOP: &str = "stop";
/// See [`STOP`].
pub const RESET: &str = "reset";
/// Own names of the actions used.
pub const CONTROLLERS: [&str; 2] = ["arm_controller", "hand_controller"];
const ARM: usize = 0;
const HAND: usize = 1;
/// The arm is at rest within this, radians.
const AT_HOME: f64 = 0.05;
/// Hand joints that bend fingers and thumb.
const FLEXION: std::ops::RangeInclusive<usize> = 1..=7;
/// The state is published this often, ns.
const STATE_PERIOD_NS: i64 = 500_000_000;

/// The saccade a decision is awaited for.
#[derive(Debug, Clone, Copy)]
struct Saccade {
    id: u32,
    onset_ns: i64,
    end_ns: Option<i64>,
}

/// How a goal ended.
#[derive(Debug, Clone)]
struct Verdict {
    success: bool,
    outcome: &'static str,
    reason: String,
}

impl Verdict {
    fn failed(reason: impl Into<String>) -> Self {
        Verdict {
            success: false,
            outcome: "failed",
            reason: reason.into(),
        }
    }
}

/// One goal.
#[derive(Debug, Clone)]
struct Task {
    goal: u64,
    deadline_ns: i64,
    /// Looks begun.
    looks: u32,
    saccade: Option<Saccade>,
    /// Final decision of `saccade`.
    decision: Option<Decision>,
    /// Since when after the onset the present label has stood, seconds.
    stands: Option<(i32, f32)>,
    class: Option<Class>,
    found: Option<Located>,
    plan: Option<Plan>,
    /// Set once the outcome is known while the arm is still out.
    verdict: Option<Verdict>,
}

/// Counters for `/diagnostics`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    /// Goals taken.
    pub goals: u64,
    /// Of these: grasped.
    pub grasped: u64,
    /// Nothing there.
    pub background: u64,
    /// Refused before any motion.
    pub refused: u64,
    /// Grasp tried in vain.
    pub failed: u64,
    /// Stopped or cancelled.
    pub stopped: u64,
}

/// The machine.
pub struct Machine {
    settings: Settings,
    arm: Arm,
    /// What is known.
    pub senses: Senses,
    /// What it does.
    pub state: State,
    /// Why.
    pub reason: String,
    /// Counters.
    pub counts: Counts,
    since_ns: i64,
    published_ns: i64,
    task: Option<Task>,
    /// Running goals of arm and hand.
    running: [Option<u64>; 2],
    /// An e-stop has been pressed since the last reset.
    latched: bool,
    /// When the present motion is late.
    late_ns: i64,
    /// When both goals had ended.
    ended_ns: Option<i64>,
}

impl Machine {
    /// At rest.
    pub fn new(settings: Settings) -> Self {
        let base = Pose::from_xyz_rpy(settings.mount, [0.0; 3]);
        Machine {
            arm: Arm::new(base, Pose::from_xyz_rpy(TOOL, [0.0; 3])),
            settings,
            senses: Senses::default(),
            state: State::Idle,
            reason: "started".to_owned(),
            counts: Counts::default(),
            since_ns: 0,
            published_ns: i64::MIN / 2,
            task: None,
            running: [None; 2],
            latched: false,
            late_ns: 0,
            ended_ns: None,
        }
    }

    // What comes in ------------------------------------------------------

    /// A goal of `grasp_object`.
    pub fn goal(&mut self, id: u64, goal: &grasp_object::Goal, ctx: &mut Context<'_>) {
        if self.task.is_some() {
            ctx.answer_goal(ACTION, id, false);
            ctx.log(Level::Warn, "goal refused: one is under way");
            return;
        }
        ctx.answer_goal(ACTION, id, true);
        self.counts.goals += 1;
        let limit = if goal.timeout_s.is_finite() && goal.timeout_s > 0.0 {
            (goal.timeout_s.min(1e6) * 1e9) as i64
        } else {
            i64::MAX / 2
        };
        self.task = Some(Task {
            goal: id,
            deadline_ns: ctx.now_ns.saturating_add(limit),
            looks: 0,
            saccade: None,
            decision: None,
            stands: None,
            class: None,
            found: None,
            plan: None,
            verdict: None,
        });
        if let Some(reason) = self.unfit(ctx.now_ns) {
            self.refuse(reason, ctx);
            return;
        }
        match self.senses.arm {
            Some(arm) if distance(&arm.value, &HOME) > AT_HOME && !self.settings.dry_run => {
                self.recover(ctx);
            }
            _ => self.look(format!("goal for trial {}", goal.trial), ctx),
        }
    }

    /// A goal shall end.
    pub fn cancel(&mut self, id: u64, ctx: &mut Context<'_>) {
        if self.task.as_ref().is_some_and(|t| t.goal == id) {
            self.stop(
                "cancelled by the client",
                "canceled",
                GoalStatus::Canceled,
                ctx,
            );
        }
    }

    /// The microsaccade service answered.
    pub fn triggered(&mut self, response: Option<&trigger::Response>, ctx: &mut Context<'_>) {
        if self.state != State::Looking {
            return;
        }
        match response {
            Some(r) if r.success => {}
            Some(r) => self.refuse(format!("no microsaccade: {}", r.message), ctx),
            None => self.refuse("no microsaccade: nobody serves 'microsaccade'", ctx),
        }
    }

    /// A saccade began or ended.
    pub fn phase(&mut self, phase: &SaccadePhase, ctx: &mut Context<'_>) {
        let (State::Looking, Some(task)) = (self.state, &mut self.task) else {
            return;
        };
        let at_ns = match phase.header.stamp.to_ns() {
            0 => ctx.now_ns,
            stamp => stamp,
        };
        match (&mut task.saccade, phase.moving) {
            (slot, true) => {
                *slot = Some(Saccade {
                    id: phase.id,
                    onset_ns: at_ns,
                    end_ns: None,
                });
                task.decision = None;
                task.stands = None;
            }
            (Some(saccade), false) if saccade.id == phase.id => {
                saccade.end_ns = Some(at_ns);
                let reason = format!("saccade {} over", phase.id);
                self.enter(State::Deciding, reason, ctx);
                self.decide(ctx);
            }
            _ => {}
        }
    }

    /// The classifier decided.
    pub fn decision(&mut self, decision: &Decision, ctx: &mut Context<'_>) {
        let Some(task) = &mut self.task else { return };
        let (Some(saccade), None) = (task.saccade, &task.decision) else {
            return;
        };
        if saccade.id != decision.saccade_id || task.plan.is_some() {
            return;
        }
        let sure = f64::from(decision.confidence) >= self.settings.confidence_min;
        task.stands = match task.stands {
            Some((id, since)) if id == decision.class_id && sure => Some((id, since)),
            _ if sure => Some((decision.class_id, decision.since_onset_s)),
            _ => None,
        };
        if decision.r#final {
            task.decision = Some(decision.clone());
            if self.state == State::Deciding {
                self.decide(ctx);
            }
        }
    }

    /// A controller took a goal or refused it.
    pub fn taken(&mut self, id: u64, accepted: bool, ctx: &mut Context<'_>) {
        if let (Some(which), false) = (self.which(id), accepted) {
            self.running[which] = None;
            let reason = format!("{} refused the trajectory", CONTROLLERS[which]);
            self.stop(reason, "failed", GoalStatus::Aborted, ctx);
        }
    }

    /// A controller's goal ended.
    pub fn ended(
        &mut self,
        id: u64,
        status: GoalStatus,
        result: Option<&fjt::Result>,
        ctx: &mut Context<'_>,
    ) {
        let Some(which) = self.which(id) else { return };
        self.running[which] = None;
        // Fingers that meet an object do not arrive: that is contact, not failure.
        let blocked = result.is_some_and(|r| r.error_code == fjt::Result::GOAL_TOLERANCE_VIOLATED)
            && which == HAND
            && self.state == State::Closing;
        if status != GoalStatus::Succeeded && !blocked {
            let why = result.map_or("", |r| r.error_string.as_str());
            let reason = format!("{} failed ({status:?}): {why}", CONTROLLERS[which]);
            self.stop(reason, "failed", GoalStatus::Aborted, ctx);
            return;
        }
        if self.running == [None; 2] {
            self.ended_ns = Some(ctx.now_ns);
            self.advance(ctx);
        }
    }

    /// Every 10 ms.
    pub fn tick(&mut self, ctx: &mut Context<'_>) {
        if ctx.now_ns - self.published_ns >= STATE_PERIOD_NS {
            self.publish_state(self.state, ctx);
        }
        let Some(task) = &self.task else { return };
        if ctx.now_ns >= task.deadline_ns {
            self.stop(
                "the goal's time is over",
                "timeout",
                GoalStatus::Aborted,
                ctx,
            );
            return;
        }
        match self.state {
            State::Looking if ctx.now_ns - self.since_ns > self.settings.look_timeout_ns => {
                self.refuse("the microsaccade did not come to its end in time", ctx);
            }
            State::Deciding => self.decide(ctx),
            State::Locating => self.locate(ctx),
            state if state.moves() => self.watch(ctx),
            _ => {}
        }
    }

    // Ends ---------------------------------------------------------------

    /// Ends the goal before anything moved.
    fn refuse(&mut self, reason: impl Into<String>, ctx: &mut Context<'_>) {
        let verdict = Verdict {
            success: false,
            outcome: "refused",
            reason: reason.into(),
        };
        self.finish(verdict, GoalStatus::Aborted, ctx);
    }

    /// Ends the goal; a machine that was moving is stopped, else idle.
    fn finish(&mut self, verdict: Verdict, status: GoalStatus, ctx: &mut Context<'_>) {
        self.senses.recording = false;
        // The way home ends at rest; any other end in motion is a stop.
        let at_rest =
            !self.state.moves() || (self.state == State::Homing && self.ended_ns.is_some());
        let state = if at_rest { State::Idle } else { State::Stopped };
        self.enter(state, verdict.reason.clone(), ctx);
        let Some(task) = self.task.take() else { return };
        let counter = match verdict.outcome {
            "grasped" => &mut self.counts.grasped,
            "background" => &mut self.counts.background,
            "refused" | "planned" => &mut self.counts.refused,
            "failed" => &mut self.counts.failed,
            _ => &mut self.counts.stopped,
        };
        *counter += 1;
        let decided = task.decision.as_ref();
        let result = grasp_object::Result {
            success: verdict.success,
            label: decided.map(|d| d.label.clone()).unwrap_or_default(),
            outcome: verdict.outcome.to_owned(),
            reason: verdict.reason,
            decision_time_s: decided.map_or(0.0, |d| match task.stands {
                Some((id, since)) if id == d.class_id => f64::from(since),
                _ => f64::from(d.since_onset_s),
            }),
            confidence: decided.map_or(0.0, |d| d.confidence),
        };
        ctx.finish_goal(ACTION, task.goal, status, result);
    }

    // Helpers ------------------------------------------------------------

    fn enter(&mut self, state: State, reason: impl Into<String>, ctx: &mut Context<'_>) {
        let previous = self.state;
        self.state = state;
        self.reason = reason.into();
        self.since_ns = ctx.now_ns;
        self.ended_ns = None;
        ctx.log(Level::Info, format!("{}: {}", state.name(), self.reason));
        self.publish_state(previous, ctx);
        if let Some(task) = &self.task {
            let feedback = grasp_object::Feedback {
                state: state.name().to_owned(),
            };
            ctx.feedback(ACTION, task.goal, feedback);
        }
    }

    fn publish_state(&mut self, previous: State, ctx: &mut Context<'_>) {
        self.published_ns = ctx.now_ns;
        let class = self.task.as_ref().and_then(|t| t.class);
        let mut message = GraspState {
            state: self.state.name().to_owned(),
            previous: previous.name().to_owned(),
            reason: self.reason.clone(),
            label: class.map_or_else(String::new, |c| c.name().to_owned()),
            ..GraspState::default()
        };
        message.header.stamp = ctx.stamp();
        ctx.publish("state", message);
    }

    fn which(&self, id: u64) -> Option<usize> {
        self.running.iter().position(|r| *r == Some(id))
    }

    fn send_arm(&mut self, trajectory: &Trajectory, ctx: &mut Context<'_>) {
        if trajectory.points.len() < 2 {
            self.ended_ns = Some(ctx.now_ns);
            return;
        }
        if let Some(at) = self.settings.work_box.left_at(&self.arm, trajectory) {
            self.stop(left_box(at), "failed", GoalStatus::Aborted, ctx);
            return;
        }
        let (scaling, most) = (self.settings.speed_scaling, self.settings.space.scaling);
        let way = guard::slowed(trajectory, scaling, most.velocity);
        let message = report::arm_trajectory(&[&way]);
        self.send(ARM, message, way.duration(), ctx);
    }

    fn send_hand(&mut self, poses: &[Hand], ctx: &mut Context<'_>) {
        let from = self.senses.hand.map_or(HAND_OPEN, |h| h.value);
        let speed = self.settings.hand_speed * self.settings.speed_scaling;
        let (trajectory, duration_s) = report::hand_trajectory(&from, poses, speed);
        self.send(HAND, trajectory, duration_s, ctx);
    }

    fn send(
        &mut self,
        which: usize,
        trajectory: JointTrajectory,
        duration_s: f64,
        ctx: &mut Context<'_>,
    ) {
        // Not reached: a dry run ends with the plan. What sends is the place to be sure.
        if self.settings.dry_run {
            return;
        }
        let goal = fjt::Goal {
            trajectory,
            ..fjt::Goal::default()
        };
        let id = ctx.send_goal(CONTROLLERS[which], goal);
        let late_ns = ctx.now_ns + (duration_s * 1e9) as i64 + self.settings.motion_timeout_ns;
        self.late_ns = if self.running == [None; 2] {
            late_ns
        } else {
            self.late_ns.max(late_ns)
        };
        self.running[which] = Some(id);
        self.ended_ns = None;
    }
}

/// Why a way is not gone.
fn left_box(at: glam::DVec3) -> String {
    format!(
        "the hand would leave the workspace box at ({:.3}, {:.3}, {:.3}) m",
        at.x, at.y, at.z
    )
}
