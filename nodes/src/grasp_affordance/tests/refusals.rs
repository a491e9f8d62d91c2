//! When nothing must move.

use super::*;

#[test]
fn nothing_moves_on_background() {
    let mut rig = Rig::new();
    rig.look(3, 0.99);
    rig.wait(3000);
    let (status, result) = rig.result().unwrap();
    assert_eq!(
        (status, result.outcome.as_str()),
        (GoalStatus::Succeeded, "background")
    );
    assert!(!result.success && !rig.moved());
}

#[test]
fn in_doubt_it_looks_again_and_refuses_in_the_end() {
    let looks = |rig: &Rig| {
        rig.count(|o| {
            matches!(
                o,
                Output::Call {
                    service: "microsaccade",
                    ..
                }
            )
        })
    };
    let mut rig = Rig::with(&[("looks", Value::Integer(3))]);
    rig.look(2, 0.5);
    assert!(rig.result().is_none() && looks(&rig) == 2);
    // A decision on the first saccade that comes late counts for nothing.
    rig.decide(3, 2, 0.99);
    assert!(!rig.moved());
    rig.saccade(4);
    rig.decide(4, 2, 0.99);
    rig.wait(30);
    assert!(rig.moved() && looks(&rig) == 2);

    let mut rig = Rig::with(&[("looks", Value::Integer(3))]);
    rig.look(2, 0.5);
    for id in [4, 5] {
        rig.saccade(id);
        rig.decide(id, 2, 0.5);
        rig.wait(30);
    }
    rig.refused_for("confidence");
    assert!(!rig.moved() && looks(&rig) == 3);
}

#[test]
fn nothing_moves_on_low_or_absurd_confidence() {
    for confidence in [0.3, 0.0, -1.0, f32::NAN] {
        let mut rig = Rig::new();
        rig.look(2, confidence);
        rig.refused_for("confidence");
    }
}

#[test]
fn nothing_moves_on_another_saccades_or_no_decision() {
    let mut rig = Rig::new();
    rig.wait(30);
    rig.goal(100);
    rig.saccade(3);
    rig.decide(2, 2, 0.9);
    rig.wait(1500);
    rig.refused_for("no final decision");
}

#[test]
fn nothing_moves_on_stale_events_joints_or_frames() {
    for what in ["events", "joint states", "eye"] {
        let mut rig = Rig::new();
        rig.wait(30);
        rig.goal(100);
        rig.saccade(3);
        match what {
            "events" => rig.events_live = false,
            "joint states" => rig.joints_live = false,
            _ => {
                let mut late = Rig::new();
                late.tf_live = false;
                rig = late;
                rig.wait(30);
                rig.goal(100);
                rig.saccade(3);
            }
        }
        if what != "eye" {
            rig.wait(150);
        }
        rig.decide(3, 2, 0.9);
        rig.wait(300);
        rig.refused_for(what);
    }
}

#[test]
fn nothing_moves_without_calibration() {
    let mut rig = Rig::new();
    rig.message("camera_info", CameraInfo::default());
    rig.look(2, 0.9);
    rig.refused_for("no calibration");
}

#[test]
fn nothing_moves_for_what_is_not_seen_or_out_of_the_area() {
    let mut rig = Rig::new();
    rig.place = Placement {
        x: 0.5,
        y: 0.12,
        ..PLACE
    };
    rig.look(2, 0.9);
    rig.refused_for("outside the area");
    let mut rig = Rig::with(&[("score_min", Value::Double(1.9))]);
    rig.look(2, 0.9);
    rig.refused_for("no pen found");
    let mut rig = Rig::with(&[("events_min", Value::Integer(1_000_000))]);
    rig.look(2, 0.9);
    rig.refused_for("events in the saccade");
}

#[test]
fn nothing_moves_out_of_reach() {
    let mut rig = Rig::with(&[("mount_x", Value::Double(-1.0))]);
    rig.look(2, 0.9);
    rig.refused_for("no inverse kinematics");
}

#[test]
fn nothing_moves_after_an_e_stop_until_it_is_released_and_reset() {
    let mut rig = Rig::new();
    rig.message("e_stop", Bool { data: true });
    rig.wait(30);
    rig.goal(100);
    rig.wait(10);
    rig.refused_for("e-stop");
    assert!(!rig.ask("reset"), "it is still pressed");
    rig.message("e_stop", Bool { data: false });
    rig.goal(100);
    rig.wait(10);
    rig.refused_for("call the service 'reset' first");
    assert!(rig.node.health().warning.unwrap().contains("reset"));
    assert!(rig.ask("reset"));
    rig.look(2, 0.9);
    assert!(rig.moved());
}

#[test]
fn nothing_moves_when_the_eye_does_not() {
    let mut rig = Rig::new();
    rig.wait(30);
    rig.goal(100);
    rig.input(Input::Response {
        service: "microsaccade",
        id: 1,
        payload: None,
    });
    rig.refused_for("no microsaccade");
    let mut rig = Rig::new();
    rig.wait(30);
    rig.goal(100);
    rig.wait(2500);
    rig.refused_for("did not come to its end");
}

#[test]
fn a_dry_run_plans_and_moves_nothing() {
    let mut rig = Rig::with(&[("dry_run", Value::Bool(true))]);
    rig.look(2, 0.9);
    assert_eq!(rig.result().unwrap().1.outcome, "planned");
    assert_eq!(
        rig.count(|o| matches!(
            o,
            Output::Publish {
                topic: "planned",
                ..
            }
        )),
        1
    );
    assert!(!rig.moved());
    let marked = rig.outputs.iter().find_map(|o| match o {
        Output::Publish {
            topic: "markers",
            payload,
        } => payload
            .get::<saccade_msgs::visualization_msgs::MarkerArray>()
            .ok(),
        _ => None,
    });
    let marked = marked.expect("the plan is drawn");
    let ways = marked.markers.iter().filter(|m| m.ns == "way");
    assert!(ways.clone().count() == 6 && ways.clone().all(|m| m.points.len() > 1));
    // The way begins where the arm is, and ends at rest.
    let ends =
        |m: &saccade_msgs::visualization_msgs::Marker| (m.points[0], m.points[m.points.len() - 1]);
    let ways: Vec<_> = ways.map(ends).collect();
    assert!((ways[0].0.x - ways[5].1.x).abs() < 1e-6 && (ways[0].0.z - ways[5].1.z).abs() < 1e-6);
}

#[test]
fn a_dry_run_does_not_bring_the_arm_home_either() {
    let mut rig = Rig::with(&[("dry_run", Value::Bool(true))]);
    rig.arm[0] += 0.5;
    rig.look(2, 0.9);
    assert_eq!(rig.result().unwrap().1.outcome, "planned");
    assert!(!rig.moved());
}
