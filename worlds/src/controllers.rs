//! Joint trajectory controllers with the semantics of ros2_control's
//! `joint_trajectory_controller`.
//!
//! A goal names all joints of the controller (in any order) and gives points in
//! time. Between points positions are interpolated: linearly, or by cubic splines
//! where points carry velocities. A new trajectory starts from the *desired*
//! state of the moment (`interpolate_from_desired_state` in ros2_control), so that
//! a hand that presses on something does not let go when its next goal starts. A
//! cancelled or failed goal and the emergency stop hold the desired position of
//! the moment with zero velocity, for the same reason.
//!
//! Result codes are those of `control_msgs/action/FollowJointTrajectory`.

use crate::physics::{JointState, JointTarget};

/// Points per trajectory beyond which a goal is refused.
pub const MAX_POINTS: usize = 100_000;

/// One joint of a controller, as the trajectory sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct ControlledJoint {
    /// Name.
    pub name: String,
    /// Index in the simulation's joint states.
    pub index: usize,
    /// Position limits, rad.
    pub limits: [f64; 2],
    /// Speed limit, rad/s.
    pub velocity: f64,
}

/// One point of a trajectory.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrajectoryPoint {
    /// One position per joint of the goal, rad.
    pub positions: Vec<f64>,
    /// One velocity per joint, rad/s, or none.
    pub velocities: Vec<f64>,
    /// Time from the start of the trajectory, ns.
    pub time_from_start_ns: i64,
}

/// Largest allowed deviation of one joint; zero asks for the controller's default,
/// a negative number switches the check off.
#[derive(Debug, Clone, PartialEq)]
pub struct JointTolerance {
    /// Joint.
    pub name: String,
    /// rad.
    pub position: f64,
}

/// A goal of `FollowJointTrajectory`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TrajectoryGoal {
    /// All joints of the controller, in any order.
    pub joint_names: Vec<String>,
    /// Points in order of time.
    pub points: Vec<TrajectoryPoint>,
    /// When the trajectory starts, ns; zero is now.
    pub stamp_ns: i64,
    /// Allowed deviation on the way.
    pub path_tolerance: Vec<JointTolerance>,
    /// Allowed deviation at the end.
    pub goal_tolerance: Vec<JointTolerance>,
    /// How long after the end the goal may be reached, ns; zero waits forever.
    pub goal_time_tolerance_ns: i64,
}

/// Result codes of `FollowJointTrajectory`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum ResultCode {
    /// The goal was reached.
    Successful = 0,
    /// The goal makes no sense.
    InvalidGoal = -1,
    /// The goal names other joints than the controller has.
    InvalidJoints = -2,
    /// The trajectory lies in the past.
    OldHeaderTimestamp = -3,
    /// A joint strayed from the path.
    PathToleranceViolated = -4,
    /// A joint did not arrive.
    GoalToleranceViolated = -5,
}

/// Why a goal was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum GoalError {
    /// The joints are not those of the controller.
    #[error(
        "controller {controller} moves the joints {expected:?}, the goal names {found:?}; name each of them once"
    )]
    Joints {
        /// Controller.
        controller: String,
        /// Its joints.
        expected: Vec<String>,
        /// The goal's.
        found: Vec<String>,
    },
    /// A point cannot be used.
    #[error("point {point} of the goal for controller {controller}: {problem}")]
    Point {
        /// Controller.
        controller: String,
        /// Index of the point.
        point: usize,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// The goal as a whole cannot be used.
    #[error("goal for controller {controller}: {problem}")]
    Goal {
        /// Controller.
        controller: String,
        /// What is wrong and what was expected.
        problem: String,
    },
    /// The trajectory ends before now.
    #[error(
        "goal for controller {controller} ended at {end_ns} ns, it is {now_ns} ns; send stamp 0 to start at once"
    )]
    Old {
        /// Controller.
        controller: String,
        /// End of the trajectory.
        end_ns: i64,
        /// Now.
        now_ns: i64,
    },
    /// The emergency stop is on.
    #[error("controller {controller} is stopped; release the emergency stop first")]
    Stopped {
        /// Controller.
        controller: String,
    },
}

impl GoalError {
    /// The action's code for it.
    #[must_use]
    pub fn code(&self) -> ResultCode {
        match self {
            Self::Joints { .. } => ResultCode::InvalidJoints,
            Self::Old { .. } => ResultCode::OldHeaderTimestamp,
            _ => ResultCode::InvalidGoal,
        }
    }
}

/// What became of a goal.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It ran to its end, or broke off with this code and text.
    Finished {
        /// Code.
        code: ResultCode,
        /// Which joint, how far off.
        text: String,
    },
    /// It was cancelled.
    Canceled,
    /// A newer goal took its place.
    Preempted,
    /// The emergency stop ended it.
    Stopped,
}

/// State of one joint as a trajectory controller sees it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Feedback {
    /// Where it should be.
    pub desired: JointTarget,
    /// Where it is.
    pub actual: JointState,
}

impl Feedback {
    /// Desired minus actual position, rad.
    #[must_use]
    pub fn error(&self) -> f32 {
        self.desired.position - self.actual.position
    }
}

struct Knot {
    t_ns: i64,
    position: f64,
    velocity: Option<f64>,
}

struct Active {
    id: u64,
    start_ns: i64,
    end_ns: i64,
    /// Per joint of the controller.
    knots: Vec<Vec<Knot>>,
    path_tolerance: Vec<f64>,
    goal_tolerance: Vec<f64>,
    goal_time_tolerance_ns: i64,
}

/// A trajectory controller.
pub struct TrajectoryController {
    name: String,
    action: String,
    joints: Vec<ControlledJoint>,
    path_tolerance: f64,
    goal_tolerance: f64,
    feedback: Vec<Feedback>,
    active: Option<Active>,
    stopped: bool,
    last_id: u64,
    finished: Vec<(u64, Outcome)>,
}

impl TrajectoryController {
    /// A controller at rest at `positions` (one per joint).
    #[must_use]
    pub fn new(
        name: String,
        action: String,
        joints: Vec<ControlledJoint>,
        path_tolerance: f64,
        goal_tolerance: f64,
        positions: &[f32],
    ) -> Self {
        let feedback = positions
            .iter()
            .map(|&position| Feedback {
                desired: JointTarget {
                    position,
                    velocity: 0.0,
                },
                actual: JointState {
                    position,
                    ..JointState::default()
                },
            })
            .collect();
        Self {
            name,
            action,
            joints,
            path_tolerance,
            goal_tolerance,
            feedback,
            active: None,
            stopped: false,
            last_id: 0,
            finished: Vec::new(),
        }
    }

    /// Name, as in the world file.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Name of its action.
    #[must_use]
    pub fn action(&self) -> &str {
        &self.action
    }

    /// Its joints, in the order of [`TrajectoryController::feedback`].
    #[must_use]
    pub fn joints(&self) -> &[ControlledJoint] {
        &self.joints
    }

    /// Desired and actual state per joint.
    #[must_use]
    pub fn feedback(&self) -> &[Feedback] {
        &self.feedback
    }

    /// The goal that is running.
    #[must_use]
    pub fn active(&self) -> Option<u64> {
        self.active.as_ref().map(|a| a.id)
    }

    /// Takes the goals that ended since the last call, oldest first.
    pub fn take_finished(&mut self) -> Vec<(u64, Outcome)> {
        std::mem::take(&mut self.finished)
    }

    /// Starts a goal and returns its number; a running goal is preempted.
    ///
    /// # Errors
    ///
    /// [`GoalError`] if the goal cannot be run; a running goal goes on.
    pub fn start(&mut self, goal: &TrajectoryGoal, now_ns: u64) -> Result<u64, GoalError> {
        let active = self.check(goal, now_ns as i64)?;
        self.end(Outcome::Preempted);
        let id = active.id;
        self.last_id = id;
        self.active = Some(active);
        Ok(id)
    }

    /// Cancels the running goal and holds the position.
    pub fn cancel(&mut self) {
        self.end(Outcome::Canceled);
    }

    /// Emergency stop: holds the position at once and refuses goals until released.
    pub fn set_stopped(&mut self, stopped: bool) {
        if stopped {
            self.end(Outcome::Stopped);
        }
        self.stopped = stopped;
    }

    fn end(&mut self, outcome: Outcome) {
        if let Some(active) = self.active.take() {
            self.finished.push((active.id, outcome));
        }
        for f in &mut self.feedback {
            f.desired.velocity = 0.0;
        }
    }

    fn check(&self, goal: &TrajectoryGoal, now_ns: i64) -> Result<Active, GoalError> {
        if self.stopped {
            return Err(GoalError::Stopped {
                controller: self.name.clone(),
            });
        }
        let columns = self.columns(&goal.joint_names)?;
        let problem = |problem: String| GoalError::Goal {
            controller: self.name.clone(),
            problem,
        };
        if goal.points.is_empty() || goal.points.len() > MAX_POINTS {
            return Err(problem(format!(
                "it has {} points; expected 1 to {MAX_POINTS}",
                goal.points.len()
            )));
        }
        if goal.goal_time_tolerance_ns < 0 || goal.stamp_ns < 0 {
            return Err(problem("a time is negative; expected zero or more".into()));
        }
        for (i, point) in goal.points.iter().enumerate() {
            let previous = i.checked_sub(1).map(|p| goal.points[p].time_from_start_ns);
            self.check_point(point, previous, goal.joint_names.len(), &columns)
                .map_err(|problem| GoalError::Point {
                    controller: self.name.clone(),
                    point: i,
                    problem,
                })?;
        }
        let start_ns = if goal.stamp_ns == 0 {
            now_ns
        } else {
            goal.stamp_ns
        };
        let last_ns = goal.points.last().map_or(0, |p| p.time_from_start_ns);
        let end_ns = start_ns.checked_add(last_ns);
        let Some(end_ns) = end_ns else {
            return Err(problem("it ends beyond the range of time".into()));
        };
        if end_ns < now_ns {
            return Err(GoalError::Old {
                controller: self.name.clone(),
                end_ns,
                now_ns,
            });
        }
        let knots = self.knots(goal, &columns, now_ns - start_ns);
        self.check_speed(&knots).map_err(problem)?;
        let problem = |problem: String| GoalError::Goal {
            controller: self.name.clone(),
            problem,
        };
        let path_tolerance = self
            .tolerances(&goal.path_tolerance, self.path_tolerance)
            .map_err(problem)?;
        let problem = |problem: String| GoalError::Goal {
            controller: self.name.clone(),
            problem,
        };
        let goal_tolerance = self
            .tolerances(&goal.goal_tolerance, self.goal_tolerance)
            .map_err(problem)?;
        Ok(Active {
            id: self.last_id + 1,
            start_ns,
            end_ns,
            knots,
            path_tolerance,
            goal_tolerance,
            goal_time_tolerance_ns: goal.goal_time_tolerance_ns,
        })
    }

    /// For every joint of the controller its column in the goal.
    fn columns(&self, names: &[String]) -> Result<Vec<usize>, GoalError> {
        let columns: Option<Vec<usize>> = self
            .joints
            .iter()
            .map(|j| names.iter().position(|n| *n == j.name))
            .collect();
        columns
            .filter(|c| c.len() == names.len())
            .ok_or_else(|| GoalError::Joints {
                controller: self.name.clone(),
                expected: self.joints.iter().map(|j| j.name.clone()).collect(),
                found: names.iter().take(64).cloned().collect(),
            })
    }

    fn check_point(
        &self,
        point: &TrajectoryPoint,
        previous_ns: Option<i64>,
        n: usize,
        columns: &[usize],
    ) -> Result<(), String> {
        if point.positions.len() != n {
            return Err(format!(
                "{} positions for {n} joints",
                point.positions.len()
            ));
        }
        if !point.velocities.is_empty() && point.velocities.len() != n {
            return Err(format!(
                "{} velocities for {n} joints; give one each or none",
                point.velocities.len()
            ));
        }
        let t = point.time_from_start_ns;
        if t < 0 || previous_ns.is_some_and(|p| t <= p) {
            return Err(format!(
                "time_from_start is {t} ns; expected times that grow"
            ));
        }
        for (joint, &column) in self.joints.iter().zip(columns) {
            let q = point.positions[column];
            let [low, high] = joint.limits;
            // NaN is in no range.
            if !(low - 1e-6..=high + 1e-6).contains(&q) {
                return Err(format!(
                    "position {q} of {} is outside its limits {low} to {high}",
                    joint.name
                ));
            }
            if let Some(v) = point.velocities.get(column)
                && (v.is_nan() || v.abs() > joint.velocity * 1.001)
            {
                return Err(format!(
                    "velocity {v} of {} is beyond its limit {}",
                    joint.name, joint.velocity
                ));
            }
        }
        Ok(())
    }

    fn tolerances(&self, given: &[JointTolerance], default: f64) -> Result<Vec<f64>, String> {
        if let Some(unknown) = given
            .iter()
            .find(|t| t.position.is_nan() || self.joints.iter().all(|j| j.name != t.name))
        {
            return Err(format!(
                "tolerance {} for \"{}\"; expected a number for a joint of the controller",
                unknown.position, unknown.name
            ));
        }
        Ok(self
            .joints
            .iter()
            .map(|joint| {
                let position = given
                    .iter()
                    .find(|t| t.name == joint.name)
                    .map_or(0.0, |t| t.position);
                match position {
                    p if p > 0.0 => p,
                    p if p == 0.0 && default > 0.0 => default,
                    _ => f64::INFINITY,
                }
            })
            .collect())
    }

    /// Splines from the desired state of the moment, `elapsed_ns` into the
    /// trajectory, through the points that are still to come.
    fn knots(&self, goal: &TrajectoryGoal, columns: &[usize], elapsed_ns: i64) -> Vec<Vec<Knot>> {
        columns
            .iter()
            .zip(&self.feedback)
            .map(|(&column, f)| {
                let smooth = goal.points.iter().any(|p| !p.velocities.is_empty());
                let first = Knot {
                    t_ns: elapsed_ns.max(0),
                    position: f64::from(f.desired.position),
                    velocity: smooth.then_some(f64::from(f.desired.velocity)),
                };
                let from_ns = first.t_ns;
                let rest = goal
                    .points
                    .iter()
                    .filter(|p| p.time_from_start_ns > from_ns)
                    .map(|p| Knot {
                        t_ns: p.time_from_start_ns,
                        position: p.positions[column],
                        velocity: p.velocities.get(column).copied(),
                    });
                std::iter::once(first).chain(rest).collect()
            })
            .collect()
    }

    /// Refuses trajectories whose mean speed between two points is beyond the limit.
    fn check_speed(&self, knots: &[Vec<Knot>]) -> Result<(), String> {
        for (joint, knots) in self.joints.iter().zip(knots) {
            for pair in knots.windows(2) {
                let span = (pair[1].t_ns - pair[0].t_ns) as f64 * 1e-9;
                let speed = (pair[1].position - pair[0].position).abs() / span;
                if speed > joint.velocity * 1.01 {
                    return Err(format!(
                        "{} would move at {speed:.2} rad/s, its limit is {} rad/s; give it more time",
                        joint.name, joint.velocity
                    ));
                }
            }
        }
        Ok(())
    }

    /// Advances to `now_ns`: reads states, checks tolerances, sets targets.
    pub fn update(&mut self, now_ns: u64, states: &[JointState], targets: &mut [JointTarget]) {
        for (joint, f) in self.joints.iter().zip(&mut self.feedback) {
            f.actual = states[joint.index];
        }
        self.check_running(now_ns as i64);
        if let Some(active) = &self.active {
            let t_ns = now_ns as i64 - active.start_ns;
            for (knots, f) in active.knots.iter().zip(&mut self.feedback) {
                f.desired = sample(knots, t_ns);
            }
        }
        for (joint, f) in self.joints.iter().zip(&self.feedback) {
            targets[joint.index] = f.desired;
        }
    }

    fn check_running(&mut self, now_ns: i64) {
        let Some(active) = &self.active else {
            return;
        };
        let over = now_ns >= active.end_ns;
        let tolerance = if over {
            &active.goal_tolerance
        } else {
            &active.path_tolerance
        };
        let astray = self
            .joints
            .iter()
            .zip(&self.feedback)
            .zip(tolerance)
            .find(|((_, f), t)| f.error().is_nan() || f64::from(f.error().abs()) > **t);
        let text = astray.map(|((joint, f), t)| {
            format!(
                "{} is {:.4} rad off; allowed are {t} rad",
                joint.name,
                f.error()
            )
        });
        let late = active.goal_time_tolerance_ns > 0
            && now_ns > active.end_ns.saturating_add(active.goal_time_tolerance_ns);
        let (code, text) = match (over, text) {
            (true, None) => (ResultCode::Successful, String::new()),
            (true, Some(text)) if late => (ResultCode::GoalToleranceViolated, text),
            (false, Some(text)) => (ResultCode::PathToleranceViolated, text),
            _ => return,
        };
        // The end of a good trajectory is where the last point says, not where the
        // last sample was.
        if over {
            for (knots, f) in active.knots.iter().zip(&mut self.feedback) {
                f.desired.position = knots
                    .last()
                    .map_or(f.desired.position, |k| k.position as f32);
            }
        }
        self.end(Outcome::Finished { code, text });
    }
}

fn sample(knots: &[Knot], t_ns: i64) -> JointTarget {
    let after = knots.partition_point(|k| k.t_ns <= t_ns);
    let Some(a) = after.checked_sub(1).map(|i| &knots[i]) else {
        return JointTarget {
            position: knots[0].position as f32,
            velocity: 0.0,
        };
    };
    let Some(b) = knots.get(after) else {
        return JointTarget {
            position: a.position as f32,
            velocity: 0.0,
        };
    };
    let span = (b.t_ns - a.t_ns) as f64 * 1e-9;
    let s = (t_ns - a.t_ns) as f64 * 1e-9 / span;
    let d = b.position - a.position;
    let (position, velocity) = match (a.velocity, b.velocity) {
        (Some(va), Some(vb)) => {
            // Cubic Hermite spline.
            let (s2, s3) = (s * s, s * s * s);
            let p = a.position
                + (3.0 * s2 - 2.0 * s3) * d
                + span * ((s3 - 2.0 * s2 + s) * va + (s3 - s2) * vb);
            let v = (6.0 * s - 6.0 * s2) * d / span
                + (3.0 * s2 - 4.0 * s + 1.0) * va
                + (3.0 * s2 - 2.0 * s) * vb;
            (p, v)
        }
        _ => (a.position + s * d, d / span),
    };
    JointTarget {
        position: position as f32,
        velocity: velocity as f32,
    }
}
