//! How a motion under way is stopped, and what comes after.

use super::*;

/// Both running goals cancelled, nothing sent after, and a new goal recovers.
fn stops(cause: impl Fn(&mut Rig), status: GoalStatus, outcome: &str, words: &str) {
    let mut rig = Rig::new();
    rig.look(2, 0.9);
    assert_eq!(rig.sent().len(), 2, "arm and hand move");
    rig.wait(100);
    cause(&mut rig);
    rig.wait(20);
    let cancelled = rig.count(|o| matches!(o, Output::CancelGoal { .. }));
    let (ended, result) = rig.result().expect("the goal ended");
    assert_eq!((ended, result.outcome.as_str()), (status, outcome));
    assert!(result.reason.contains(words), "{}", result.reason);
    assert!(cancelled >= 1 && rig.state() == "stopped");
    assert!(rig.node.health().warning.unwrap().contains(words));
    assert!(rig.sent().is_empty());
}

#[test]
fn cancelling_stops_arm_and_hand_at_once() {
    let cancel = |rig: &mut Rig| {
        rig.input(Input::Cancel {
            action: "grasp_object",
            id: 100,
        })
    };
    stops(cancel, GoalStatus::Canceled, "canceled", "cancelled");
}

#[test]
fn the_e_stop_stops_arm_and_hand_at_once() {
    let press = |rig: &mut Rig| rig.message("e_stop", Bool { data: true });
    stops(press, GoalStatus::Aborted, "stopped", "e-stop");
    let call = |rig: &mut Rig| assert!(rig.ask("stop"));
    stops(call, GoalStatus::Aborted, "stopped", "service 'stop'");
    // Within the input itself: no tick of the machine lies between.
    let mut rig = Rig::new();
    rig.look(2, 0.9);
    let before = rig.outputs.len();
    rig.message("e_stop", Bool { data: true });
    let after = &rig.outputs[before..];
    let cancelled = after
        .iter()
        .filter(|o| matches!(o, Output::CancelGoal { .. }));
    assert_eq!(cancelled.count(), 2, "arm and hand");
}

/// The messages on the arm's trajectories that were sent: (seconds, fastest joint in rad/s).
fn arm_ways(rig: &Rig) -> Vec<(f64, f64)> {
    let ways = rig.outputs.iter().filter_map(|o| match o {
        Output::SendGoal {
            action: "arm_controller",
            payload,
            ..
        } => {
            let goal = payload.get::<fjt::Goal>().unwrap();
            let points = &goal.trajectory.points;
            let seconds = points.last().unwrap().time_from_start.to_ns() as f64 / 1e9;
            let fastest = points.iter().flat_map(|p| &p.velocities);
            Some((seconds, fastest.fold(0.0f64, |m, v| m.max(v.abs()))))
        }
        _ => None,
    });
    ways.collect()
}

#[test]
fn every_goal_keeps_to_the_box_and_the_speed() {
    let mut rig = Rig::with(&[("box_x_max", Value::Double(0.4))]);
    rig.look(2, 0.9);
    rig.refused_for("workspace box");
    assert!(!rig.moved());
    let error = {
        let mut parameters = Parameters::defaults(&INTERFACE);
        parameters.set("box_z_min", Value::Double(4.5)).unwrap();
        create(&parameters).err().expect("no room").to_string()
    };
    assert!(error.contains("has no room"), "{error}");

    let mut rig = Rig::new();
    rig.look(2, 0.9);
    let whole = arm_ways(&rig)[0];
    let mut rig = Rig::with(&[("speed_scaling", Value::Double(0.5))]);
    rig.look(2, 0.9);
    let half = arm_ways(&rig)[0];
    assert!((half.0 - 2.0 * whole.0).abs() < 0.01, "{half:?} {whole:?}");
    assert!((half.1 - 0.5 * whole.1).abs() < 0.01);
    // Slower still for what is sent from now on.
    let mut parameters = Parameters::defaults(&INTERFACE);
    parameters.set("speed_scaling", Value::Double(0.1)).unwrap();
    rig.node.change(&parameters).unwrap();
    while arm_ways(&rig).len() < 2 {
        rig.obey(0.0);
    }
    assert!(arm_ways(&rig)[1].1 <= 0.1 * 0.4 * 1.26 + 1e-9);
}

#[test]
fn stale_joint_states_stop_the_motion() {
    let lose = |rig: &mut Rig| {
        rig.joints_live = false;
        rig.wait(150);
    };
    stops(lose, GoalStatus::Aborted, "stopped", "joint states");
}

#[test]
fn rejected_and_failed_trajectories_stop_the_motion() {
    let ids = |rig: &Rig| {
        let goals = rig.outputs.iter().filter_map(|o| match o {
            Output::SendGoal { action, id, .. } => Some((*action, *id)),
            _ => None,
        });
        goals.collect::<Vec<_>>()
    };
    let reject = |rig: &mut Rig| {
        let (action, id) = ids(rig)[0];
        rig.input(Input::GoalResponse {
            action,
            id,
            accepted: false,
        });
    };
    stops(
        reject,
        GoalStatus::Aborted,
        "failed",
        "refused the trajectory",
    );
    let fail = |rig: &mut Rig| {
        let (action, id) = ids(rig)[1];
        let result = fjt::Result {
            error_code: fjt::Result::PATH_TOLERANCE_VIOLATED,
            error_string: "arm_2_joint is off".into(),
        };
        let payload = Payload::new(result);
        rig.input(Input::GoalResult {
            action,
            id,
            status: GoalStatus::Aborted,
            payload,
        });
    };
    stops(fail, GoalStatus::Aborted, "failed", "arm_2_joint is off");
    stops(
        |rig| rig.wait(30_000),
        GoalStatus::Aborted,
        "failed",
        "in time",
    );
}

#[test]
fn after_a_stop_a_new_goal_brings_the_arm_home_first() {
    let mut rig = Rig::new();
    rig.look(2, 0.9);
    rig.obey(0.0);
    rig.input(Input::Cancel {
        action: "grasp_object",
        id: 100,
    });
    assert_eq!(rig.state(), "stopped");
    rig.sent();
    rig.goal(101);
    assert_eq!(rig.state(), "recovering");
    for _ in 0..20 {
        rig.obey(0.0);
    }
    assert!(distance(&rig.arm, &HOME) < 1e-9 && rig.state() == "looking");
}

#[test]
fn a_second_goal_is_not_taken_while_one_is_under_way() {
    let mut rig = Rig::new();
    rig.wait(30);
    rig.goal(100);
    rig.goal(101);
    assert_eq!(
        rig.count(|o| matches!(
            o,
            Output::AnswerGoal {
                id: 101,
                accepted: false,
                ..
            }
        )),
        1
    );
}
