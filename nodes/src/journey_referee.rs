//! `journey_referee`: the experimenter of journeys, not a part of the robot. It sets up a
//! ground, sends the robot out at random and home again, and judges from ground truth.
//!
//! Nothing it knows reaches the robot: it calls `randomise` and `set_home`, and sends goals
//! that hold a seed and a length.

use crate::interface::{Endpoint, Interface, ParameterDecl, Qos, TimerDecl};
use crate::node::{Context, Health, Input, Level, Node, NodeError};
use crate::parameters::Parameters;
use crate::payload::Payload;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_msgs::nav_msgs::Odometry;
use saccade_msgs::saccade_msgs::{JourneyResult, randomise, return_home, wander};
use saccade_msgs::std_srvs::trigger;

/// The robot's sensors have spoken before home is set, ns.
const PAUSE_NS: i64 = 500_000_000;

/// The node's declarations.
pub static INTERFACE: Interface = Interface {
    name: "journey_referee",
    doc: "Runs journeys out and home: random ground, wander, return, verdict from ground truth.",
    publishers: &[Endpoint::new(
        "journeys",
        "saccade_msgs/msg/JourneyResult",
        "One verdict per journey.",
    )],
    subscriptions: &[Endpoint::new(
        "/ground_truth/odom",
        "nav_msgs/msg/Odometry",
        "Where the robot really is.",
    )
    .qos(Qos::DEFAULT.depth(128))],
    clients: &[
        Endpoint::new(
            "randomise",
            "saccade_msgs/srv/Randomise",
            "Sets up a ground.",
        ),
        Endpoint::new(
            "set_home",
            "std_srvs/srv/Trigger",
            "Tells the robot that home is here.",
        ),
    ],
    action_clients: &[
        Endpoint::new("wander", "saccade_msgs/action/Wander", "The way out."),
        Endpoint::new(
            "return_home",
            "saccade_msgs/action/ReturnHome",
            "The way home.",
        ),
    ],
    parameters: &[
        ParameterDecl::integer(
            "trials",
            10,
            (1, 1_000_000),
            "",
            "How many journeys, then the run ends.",
        ),
        ParameterDecl::integer("seed", 1, (0, i64::MAX), "", "Seed of grounds and ways."),
        ParameterDecl::double(
            "length",
            38.0,
            (0.1, 1e5),
            "m",
            "Way out as it is commanded; slip makes it shorter.",
        ),
        ParameterDecl::double(
            "tolerance",
            0.03,
            (0.0, 10.0),
            "",
            "It is home within this share of the way out.",
        ),
        ParameterDecl::double(
            "timeout",
            600.0,
            (1.0, 1e5),
            "s",
            "The way home may take so long.",
        ),
    ],
    timers: &[TimerDecl {
        name: "step",
        period_ns: 10_000_000,
    }],
    ..Interface::EMPTY
};

/// Makes the node.
///
/// # Errors
/// None beyond what the parameters' ranges check.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    Ok(Box::new(Referee {
        trials: parameters.integer("trials") as u32,
        seeds: ChaCha8Rng::seed_from_u64(parameters.integer("seed") as u64),
        length_m: parameters.double("length"),
        tolerance: parameters.double("tolerance"),
        timeout_s: parameters.double("timeout"),
        journey: 0,
        seed: 0,
        stage: Stage::Idle,
        home_m: None,
        at_m: None,
        lengths_m: [0.0; 2],
        turn_m: 0.0,
        succeeded: 0,
    }))
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    Idle,
    Randomising { call: u64 },
    Pausing { until_ns: i64 },
    Settling { call: u64 },
    Out { goal: u64 },
    Home { goal: u64, since_ns: i64 },
}

struct Referee {
    trials: u32,
    seeds: ChaCha8Rng,
    length_m: f64,
    tolerance: f64,
    timeout_s: f64,
    journey: u32,
    seed: u64,
    stage: Stage,
    home_m: Option<[f64; 2]>,
    at_m: Option<[f64; 2]>,
    /// Of the way out and the way home.
    lengths_m: [f64; 2],
    /// Distance from home at the turn.
    turn_m: f64,
    succeeded: u32,
}

impl Referee {
    fn next_journey(&mut self, ctx: &mut Context<'_>) {
        if self.journey == self.trials {
            ctx.shutdown(format!("{} journeys done", self.trials));
            self.stage = Stage::Idle;
            return;
        }
        self.journey += 1;
        self.seed = self.seeds.next_u64();
        self.lengths_m = [0.0; 2];
        (self.home_m, self.at_m) = (None, None);
        let request = randomise::Request {
            seed: self.seed,
            ..Default::default()
        };
        self.stage = Stage::Randomising {
            call: ctx.call("randomise", request),
        };
    }

    fn step(&mut self, ctx: &mut Context<'_>) {
        match self.stage {
            Stage::Idle => self.next_journey(ctx),
            Stage::Pausing { until_ns } if ctx.now_ns >= until_ns => {
                self.stage = Stage::Settling {
                    call: ctx.call("set_home", trigger::Request {}),
                };
            }
            Stage::Home { goal, since_ns }
                if (ctx.now_ns - since_ns) as f64 * 1e-9 > self.timeout_s + 1.0 =>
            {
                ctx.cancel_goal("return_home", goal);
                self.judge("timeout", ctx);
            }
            _ => {}
        }
    }

    fn answered(&mut self, id: u64, payload: Option<&Payload>, ctx: &mut Context<'_>) {
        let stage = self.stage;
        if stage == (Stage::Randomising { call: id }) {
            match payload.map(Payload::get::<randomise::Response>) {
                Some(Ok(response)) if response.success => {
                    let until_ns = ctx.now_ns + PAUSE_NS;
                    self.stage = Stage::Pausing { until_ns };
                }
                Some(Ok(response)) => ctx.shutdown(format!("no ground: {}", response.message)),
                Some(Err(error)) => ctx.shutdown(format!("no ground: {error}")),
                None => ctx.shutdown("no ground: nobody serves 'randomise'; is a world running?"),
            }
        } else if stage == (Stage::Settling { call: id }) {
            match payload.map(Payload::get::<trigger::Response>) {
                Some(Ok(response)) if response.success => self.set_out(ctx),
                Some(Ok(response)) => ctx.shutdown(format!("no home: {}", response.message)),
                Some(Err(error)) => ctx.shutdown(format!("no home: {error}")),
                None => ctx.shutdown("no home: nobody serves 'set_home'; is path_integration up?"),
            }
        }
    }

    fn set_out(&mut self, ctx: &mut Context<'_>) {
        self.home_m = self.at_m;
        let goal = wander::Goal {
            seed: self.seed,
            length_m: self.length_m,
        };
        self.stage = Stage::Out {
            goal: ctx.send_goal("wander", goal),
        };
    }

    fn turn_back(&mut self, ctx: &mut Context<'_>) {
        self.turn_m = self.distance_m();
        let goal = return_home::Goal {
            timeout_s: self.timeout_s,
            place: String::new(),
        };
        self.stage = Stage::Home {
            goal: ctx.send_goal("return_home", goal),
            since_ns: ctx.now_ns,
        };
    }

    fn distance_m(&self) -> f64 {
        match (self.home_m, self.at_m) {
            (Some(home), Some(at)) => (home[0] - at[0]).hypot(home[1] - at[1]),
            _ => f64::INFINITY,
        }
    }

    fn see(&mut self, truth: &Odometry) {
        let p = truth.pose.pose.position;
        let at_m = [p.x, p.y];
        if let Some(before) = self.at_m.replace(at_m) {
            let way_m = (before[0] - at_m[0]).hypot(before[1] - at_m[1]);
            match self.stage {
                Stage::Out { .. } => self.lengths_m[0] += way_m,
                Stage::Home { .. } => self.lengths_m[1] += way_m,
                _ => {}
            }
        }
    }

    fn judge(&mut self, outcome: &str, ctx: &mut Context<'_>) {
        let end_m = self.distance_m();
        let error = end_m / self.lengths_m[0];
        let near = error <= self.tolerance;
        let home_time_s = match self.stage {
            Stage::Home { since_ns, .. } => (ctx.now_ns - since_ns) as f64 * 1e-9,
            _ => 0.0,
        };
        let reason = match (near, outcome == "home") {
            (true, true) => "came home",
            (true, false) => "near home, but does not know it",
            (false, true) => "takes another place for home",
            (false, false) => "did not come home",
        };
        let success = near && outcome == "home";
        let mut result = JourneyResult {
            journey: self.journey,
            seed: self.seed,
            out_length_m: self.lengths_m[0],
            out_distance_m: self.turn_m,
            home_length_m: self.lengths_m[1],
            end_distance_m: end_m,
            error,
            home_time_s,
            outcome: outcome.into(),
            reason: reason.into(),
            success,
            ..JourneyResult::default()
        };
        result.header.stamp = ctx.stamp();
        self.succeeded += u32::from(success);
        ctx.publish("journeys", result);
        self.next_journey(ctx);
    }
}

impl Node for Referee {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        match input {
            Input::Timer { .. } => self.step(ctx),
            Input::Message { payload, .. } => match payload.get::<Odometry>() {
                Ok(truth) => self.see(&truth),
                Err(error) => ctx.log(Level::Warn, error.to_string()),
            },
            Input::Response { id, payload, .. } => self.answered(id, payload.as_ref(), ctx),
            Input::GoalResponse {
                id,
                accepted: false,
                ..
            } => match self.stage {
                Stage::Out { goal } if goal == id => {
                    ctx.shutdown("nobody wanders: is the node 'wander' running?");
                }
                Stage::Home { goal, .. } if goal == id => self.judge("rejected", ctx),
                _ => {}
            },
            Input::GoalResult { id, payload, .. } => match self.stage {
                Stage::Out { goal } if goal == id => self.turn_back(ctx),
                Stage::Home { goal, .. } if goal == id => {
                    match payload.get::<return_home::Result>() {
                        Ok(result) => self.judge(&result.outcome.clone(), ctx),
                        Err(error) => ctx.log(Level::Error, error.to_string()),
                    }
                }
                _ => {}
            },
            _ => {}
        }
    }

    fn health(&self) -> Health {
        Health {
            warning: None,
            values: vec![
                ("journey".into(), self.journey.to_string()),
                ("succeeded".into(), self.succeeded.to_string()),
            ],
        }
    }
}
