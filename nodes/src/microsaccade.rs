//! `microsaccade`: makes the head perform a microsaccade when asked.
//!
//! The movement is the same whatever lies on the table: three legs along a
//! triangle in pan and tilt with a little roll, back to where it began, so
//! that edges of every orientation move across the sensor. Its size and
//! duration are parameters. The reports name three head joints and a service
//! but neither axis, amplitude nor duration (report 000 §8.2); these are ours.

use crate::interface::{Endpoint, Interface, ParameterDecl, Qos, TimerDecl};
use crate::node::{Context, GoalStatus, Health, Input, Level, Node, NodeError};
use crate::parameters::Parameters;
use crate::payload::Payload;
use saccade_msgs::builtin_interfaces::Duration;
use saccade_msgs::control_msgs::follow_joint_trajectory as fjt;
use saccade_msgs::saccade_msgs::SaccadePhase;
use saccade_msgs::std_srvs::trigger;
use saccade_msgs::trajectory_msgs::{JointTrajectory, JointTrajectoryPoint};

/// Head joints in the order of the trajectory.
pub const HEAD_JOINTS: [&str; 3] = ["head_pan_joint", "head_tilt_joint", "head_roll_joint"];
/// The default's three legs, for the data set's documentation.
pub const AXIS: &str = "triangle in pan and tilt with roll";
/// Default amplitude in radians.
pub const AMPLITUDE_RAD: f64 = 0.03;
/// Default duration of the whole movement in seconds.
pub const DURATION_S: f64 = 0.3;

/// The node's declarations.
pub static INTERFACE: Interface = Interface {
    name: "microsaccade",
    doc: "Makes the head perform a microsaccade on request and says when it begins and ends.",
    publishers: &[Endpoint::new(
        "saccade",
        "saccade_msgs/msg/SaccadePhase",
        "Onset (`moving` true) and end (`moving` false) of each saccade.",
    )
    .qos(Qos::DEFAULT.depth(32))],
    services: &[Endpoint::new(
        "trigger",
        "std_srvs/srv/Trigger",
        "Performs one saccade; refused while one is under way.",
    )],
    action_clients: &[Endpoint::new(
        "head_controller",
        "control_msgs/action/FollowJointTrajectory",
        "The head's joint_trajectory_controller.",
    )],
    parameters: &[
        ParameterDecl::double(
            "amplitude",
            AMPLITUDE_RAD,
            (0.002, 0.2),
            "rad",
            "Side of the triangle.",
        ),
        ParameterDecl::double(
            "duration",
            DURATION_S,
            (0.03, 2.0),
            "s",
            "From onset to rest.",
        ),
        ParameterDecl::double(
            "roll",
            0.5,
            (0.0, 2.0),
            "",
            "Roll amplitude as a part of `amplitude`.",
        ),
        ParameterDecl::double("rest_pan", 0.0, (-3.2, 3.2), "rad", "Pan angle at rest."),
        ParameterDecl::double("rest_tilt", 0.0, (-1.6, 1.6), "rad", "Tilt angle at rest."),
        ParameterDecl::double("rest_roll", 0.0, (-1.6, 1.6), "rad", "Roll angle at rest."),
        ParameterDecl::double(
            "period",
            0.0,
            (0.0, 60.0),
            "s",
            "Saccades on its own this often; 0: only when asked.",
        ),
    ],
    timers: &[TimerDecl {
        name: "period",
        period_ns: 1_000_000_000,
    }],
    ..Interface::EMPTY
};

/// Makes the node.
///
/// # Errors
/// None beyond what the parameters' ranges check.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    Ok(Box::new(Microsaccade {
        movement: Movement {
            amplitude_rad: parameters.double("amplitude"),
            duration_s: parameters.double("duration"),
            roll: parameters.double("roll"),
            rest_rad: ["rest_pan", "rest_tilt", "rest_roll"].map(|n| parameters.double(n)),
        },
        period_ns: (parameters.double("period") * 1e9) as i64,
        count: 0,
        refused: 0,
        failed: 0,
        goal: None,
    }))
}

/// Shape of a microsaccade.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Movement {
    /// Side of the triangle, rad.
    pub amplitude_rad: f64,
    /// From onset to rest, s.
    pub duration_s: f64,
    /// Roll as a part of the amplitude.
    pub roll: f64,
    /// Pan, tilt, roll at rest, rad.
    pub rest_rad: [f64; 3],
}

impl Default for Movement {
    fn default() -> Self {
        Movement {
            amplitude_rad: AMPLITUDE_RAD,
            duration_s: DURATION_S,
            roll: 0.5,
            rest_rad: [0.0; 3],
        }
    }
}

impl Movement {
    /// Way points as offsets from rest, in amplitudes: (pan, tilt, roll).
    const CORNERS: [[f64; 3]; 3] = [[1.0, 0.0, 1.0], [0.5, 0.866, -1.0], [0.0, 0.0, 0.0]];

    /// The trajectory: each leg starts and ends at rest.
    pub fn trajectory(&self) -> JointTrajectory {
        let leg_s = self.duration_s / Self::CORNERS.len() as f64;
        let points = Self::CORNERS.iter().enumerate().map(|(i, corner)| {
            let scale = [1.0, 1.0, self.roll].map(|s| s * self.amplitude_rad);
            JointTrajectoryPoint {
                positions: (0..3)
                    .map(|k| self.rest_rad[k] + corner[k] * scale[k])
                    .collect(),
                velocities: vec![0.0; 3],
                time_from_start: Duration::from_ns(((i + 1) as f64 * leg_s * 1e9) as i64),
                ..JointTrajectoryPoint::default()
            }
        });
        JointTrajectory {
            joint_names: HEAD_JOINTS.map(str::to_owned).to_vec(),
            points: points.collect(),
            ..JointTrajectory::default()
        }
    }
}

struct Microsaccade {
    movement: Movement,
    period_ns: i64,
    count: u32,
    refused: u64,
    failed: u64,
    goal: Option<u64>,
}

impl Microsaccade {
    fn begin(&mut self, ctx: &mut Context<'_>) -> trigger::Response {
        if self.goal.is_some() {
            self.refused += 1;
            return trigger::Response {
                success: false,
                message: "a saccade is under way".into(),
            };
        }
        self.count += 1;
        let goal = fjt::Goal {
            trajectory: self.movement.trajectory(),
            ..fjt::Goal::default()
        };
        self.goal = Some(ctx.send_goal("head_controller", goal));
        trigger::Response {
            success: true,
            message: self.count.to_string(),
        }
    }

    fn announce(&self, moving: bool, ctx: &mut Context<'_>) {
        let mut phase = SaccadePhase {
            id: self.count,
            moving,
            axis: AXIS.into(),
            ..SaccadePhase::default()
        };
        phase.header.stamp = ctx.stamp();
        ctx.publish("saccade", phase);
    }

    fn ended(&mut self, status: GoalStatus, payload: &Payload, ctx: &mut Context<'_>) {
        self.goal = None;
        if status != GoalStatus::Succeeded {
            self.failed += 1;
            let why = payload
                .get::<fjt::Result>()
                .map_or_else(|e| e.to_string(), |r| r.error_string.clone());
            ctx.log(
                Level::Warn,
                format!("saccade {} did not end as planned: {why}", self.count),
            );
        }
        self.announce(false, ctx);
    }
}

impl Node for Microsaccade {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        match input {
            Input::Start => {
                let period_ns = (self.period_ns > 0).then_some(self.period_ns);
                ctx.set_timer("period", period_ns);
            }
            Input::Timer { .. } => {
                self.begin(ctx);
            }
            Input::Request { service, id, .. } => {
                let response = self.begin(ctx);
                ctx.respond(service, id, response);
            }
            Input::GoalResponse { id, accepted, .. } if Some(id) == self.goal => {
                if accepted {
                    self.announce(true, ctx);
                } else {
                    self.goal = None;
                    self.failed += 1;
                    ctx.log(Level::Error, "the head's controller refused the saccade");
                }
            }
            Input::GoalResult {
                id,
                status,
                payload,
                ..
            } if Some(id) == self.goal => {
                self.ended(status, &payload, ctx);
            }
            _ => {}
        }
    }

    fn deactivate(&mut self, _: &mut Context<'_>) {
        // The host cancels it; how it ends is not waited for.
        self.goal = None;
    }

    fn health(&self) -> Health {
        Health {
            warning: (self.failed > 0).then(|| format!("{} saccades failed", self.failed)),
            values: vec![
                ("saccades".into(), self.count.to_string()),
                ("refused".into(), self.refused.to_string()),
                ("failed".into(), self.failed.to_string()),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_movement_returns_to_rest_and_takes_its_time() {
        let movement = Movement {
            rest_rad: [0.1, -0.2, 0.0],
            ..Movement::default()
        };
        let trajectory = movement.trajectory();
        let last = trajectory.points.last().expect("three points");
        assert_eq!(last.positions, movement.rest_rad);
        assert_eq!(last.time_from_start.to_ns(), 300_000_000);
        assert_eq!(trajectory.points[0].positions[0], 0.1 + AMPLITUDE_RAD);
    }

    #[test]
    fn a_second_request_is_refused_while_the_first_is_under_way() {
        let mut node = create(&Parameters::defaults(&INTERFACE)).expect("defaults are valid");
        let (mut outputs, mut id) = (Vec::new(), 0);
        let request = || Input::Request {
            service: "trigger",
            id: 7,
            payload: Payload::new(trigger::Request::default()),
        };
        for _ in 0..2 {
            node.handle(request(), &mut Context::new(0, 0, &mut outputs, &mut id));
        }
        let answers: Vec<bool> = outputs
            .iter()
            .filter_map(|o| match o {
                crate::Output::Respond { payload, .. } => Some(
                    payload
                        .get::<trigger::Response>()
                        .expect("a trigger response")
                        .success,
                ),
                _ => None,
            })
            .collect();
        assert_eq!(answers, [true, false]);
    }
}
