//! `wander`: goes about at random, as the published model's agent does on its way out.
//!
//! Turns are those of Stone et al., Curr. Biol. 27, 3069 (2017): in each step 0.4 times
//! the last one, and a draw of 0.1 rad (a von Mises distribution of kappa 100). The speed
//! goes from one random value to the next.

use crate::interface::{Endpoint, Interface, ParameterDecl, TimerDecl};
use crate::node::{Context, GoalStatus, Health, Input, Level, Node, NodeError};
use crate::parameters::Parameters;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_msgs::geometry_msgs::Twist;
use saccade_msgs::saccade_msgs::wander;

/// A step, s.
const STEP_S: f64 = 0.1;
/// Part of a turn that the next step keeps.
const KEEP: f64 = 0.4;
/// Deviation of what is new in it, rad.
const NEW_RAD: f64 = 0.1;
/// Steps from one speed to the next.
const SPEED_STEPS: u32 = 50;
/// The slowest speed as a part of the fastest.
const SLOWEST: f64 = 0.4;

/// The node's declarations.
pub static INTERFACE: Interface = Interface {
    name: "wander",
    doc: "Goes about at random, as the bee's agent does on its way out.",
    publishers: &[Endpoint::new(
        "cmd_vel",
        "geometry_msgs/msg/Twist",
        "Velocity to drive with; only while a goal is under way, and a last zero at its end.",
    )],
    action_servers: &[Endpoint::new(
        "wander",
        "saccade_msgs/action/Wander",
        "Goes a random way of a length, which is that of the commands: slip makes it shorter.",
    )],
    parameters: &[
        ParameterDecl::double("speed", 0.4, (0.01, 10.0), "m/s", "The fastest it goes."),
        ParameterDecl::double("max_turn", 1.5, (0.01, 20.0), "rad/s", "The fastest turn."),
    ],
    timers: &[TimerDecl {
        name: "step",
        period_ns: (STEP_S * 1e9) as i64,
    }],
    ..Interface::EMPTY
};

/// Makes the node.
///
/// # Errors
/// None beyond what the parameters' ranges check.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    Ok(Box::new(Wander {
        speed_mps: parameters.double("speed"),
        max_turn_radps: parameters.double("max_turn"),
        walk: None,
        walks: 0,
    }))
}

/// A goal under way.
struct Walk {
    id: u64,
    rng: ChaCha8Rng,
    length_m: f64,
    gone_m: f64,
    turn_rad: f64,
    /// Speeds at the ends of the present stretch, as parts of the fastest.
    speeds: [f64; 2],
    step: u32,
}

struct Wander {
    speed_mps: f64,
    max_turn_radps: f64,
    walk: Option<Walk>,
    walks: u64,
}

/// Near enough to normal: the sum of twelve uniform draws.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    (0..12).map(|_| rng.random::<f64>()).sum::<f64>() - 6.0
}

impl Wander {
    fn step(&mut self, ctx: &mut Context<'_>) {
        let Some(walk) = &mut self.walk else { return };
        if walk.step.is_multiple_of(SPEED_STEPS) {
            walk.speeds = [walk.speeds[1], walk.rng.random_range(SLOWEST..1.0)];
        }
        let part = f64::from(walk.step % SPEED_STEPS) / f64::from(SPEED_STEPS);
        walk.step += 1;
        walk.turn_rad = KEEP * walk.turn_rad + NEW_RAD * normal(&mut walk.rng);
        let speed = walk.speeds[0] + part * (walk.speeds[1] - walk.speeds[0]);
        let mut twist = Twist::default();
        twist.linear.x = speed * self.speed_mps;
        twist.angular.z = (walk.turn_rad / STEP_S).clamp(-self.max_turn_radps, self.max_turn_radps);
        walk.gone_m += twist.linear.x * STEP_S;
        let feedback = wander::Feedback {
            length_m: walk.gone_m,
        };
        ctx.feedback("wander", walk.id, feedback);
        if walk.gone_m >= walk.length_m {
            self.end(GoalStatus::Succeeded, ctx);
        } else {
            ctx.publish("cmd_vel", twist);
        }
    }

    fn end(&mut self, status: GoalStatus, ctx: &mut Context<'_>) {
        let Some(walk) = self.walk.take() else { return };
        ctx.publish("cmd_vel", Twist::default());
        let result = wander::Result {
            success: status == GoalStatus::Succeeded,
            length_m: walk.gone_m,
        };
        ctx.finish_goal("wander", walk.id, status, result);
    }

    fn begin(&mut self, id: u64, goal: &wander::Goal) -> bool {
        let fits = goal.length_m > 0.0 && goal.length_m < 1e6;
        if self.walk.is_some() || !fits {
            return false;
        }
        self.walks += 1;
        let mut rng = ChaCha8Rng::seed_from_u64(goal.seed);
        let first = rng.random_range(SLOWEST..1.0);
        self.walk = Some(Walk {
            id,
            rng,
            length_m: goal.length_m,
            gone_m: 0.0,
            turn_rad: 0.0,
            speeds: [0.0, first],
            step: 0,
        });
        true
    }
}

impl Node for Wander {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        match input {
            Input::Timer { .. } => self.step(ctx),
            Input::Goal {
                action,
                id,
                payload,
            } => {
                let accepted = match payload.get::<wander::Goal>() {
                    Ok(goal) => self.begin(id, &goal),
                    Err(error) => {
                        ctx.log(Level::Warn, error.to_string());
                        false
                    }
                };
                ctx.answer_goal(action, id, accepted);
            }
            Input::Cancel { id, .. } if self.walk.as_ref().is_some_and(|w| w.id == id) => {
                self.end(GoalStatus::Canceled, ctx);
            }
            _ => {}
        }
    }

    fn deactivate(&mut self, ctx: &mut Context<'_>) {
        self.end(GoalStatus::Aborted, ctx);
    }

    fn health(&self) -> Health {
        Health {
            warning: None,
            values: vec![("walks".into(), self.walks.to_string())],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Output;
    use crate::payload::Payload;

    #[test]
    fn it_goes_the_length_asked_for_and_stands() {
        let mut node = create(&Parameters::defaults(&INTERFACE)).expect("defaults are valid");
        let (mut outputs, mut id) = (Vec::new(), 0);
        let goal = |length_m| Input::Goal {
            action: "wander",
            id: 3,
            payload: Payload::new(wander::Goal { seed: 1, length_m }),
        };
        let mut give = |input| {
            let mut ctx = Context::new(0, 0, &mut outputs, &mut id);
            node.handle(input, &mut ctx);
            std::mem::take(&mut outputs)
        };
        for (length_m, taken) in [
            (f64::NAN, false),
            (-1.0, false),
            (10.0, true),
            (10.0, false),
        ] {
            let answer = give(goal(length_m));
            let accepted = matches!(answer[..], [Output::AnswerGoal { accepted: true, .. }]);
            assert_eq!(accepted, taken, "{length_m} m");
        }
        let (mut way_m, mut turned_rad, mut ended) = (0.0, 0.0, None);
        for _ in 0..10_000 {
            for output in give(Input::Timer { name: "step" }) {
                match output {
                    Output::Publish { payload, .. } => {
                        let twist = payload.get::<Twist>().expect("a twist");
                        assert!((0.0..=0.4).contains(&twist.linear.x));
                        way_m += twist.linear.x * STEP_S;
                        turned_rad += twist.angular.z.abs() * STEP_S;
                        if ended.is_none() && twist.linear.x == 0.0 {
                            ended = Some(way_m);
                        }
                    }
                    Output::FinishGoal { status, .. } => {
                        assert_eq!(status, GoalStatus::Succeeded);
                        let way_m = ended.expect("it stands first");
                        assert!((9.9..10.0).contains(&way_m), "{way_m}");
                        assert!(turned_rad > 5.0);
                        return;
                    }
                    _ => {}
                }
            }
        }
        panic!("it did not end");
    }
}
