//! The state machine without any host: inputs in, outputs looked at.

mod refusals;
mod rig;
mod stops;

use super::contour::tests::from_above;
use super::contour::{Class, Outliner, Placement};
use super::geometry::Pose;
use super::kinematics::distance;
use super::plan::{self, HAND_JOINTS, HOME, Hand};
use super::senses::ARM_JOINTS;
use super::*;
use crate::interface::Value;
use crate::node::{GoalStatus, Output};
use glam::{DQuat, DVec2};
use rig::{PLACE, Rig};
use saccade_msgs::Event;
use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::control_msgs::follow_joint_trajectory as fjt;
use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::geometry_msgs::TransformStamped;
use saccade_msgs::saccade_msgs::{Decision, GraspState, SaccadePhase, grasp_object};
use saccade_msgs::sensor_msgs::{CameraInfo, JointState};
use saccade_msgs::std_msgs::Bool;
use saccade_msgs::std_srvs::trigger;
use saccade_msgs::tf2_msgs::TFMessage;

#[test]
fn a_grasp_goes_through_all_its_states() {
    let mut rig = Rig::new();
    rig.look(2, 0.9);
    let mut states = vec![rig.state()];
    for _ in 0..200 {
        rig.obey(0.1);
        if states.last() != Some(&rig.state()) {
            states.push(rig.state());
        }
        if rig.result().is_some() {
            break;
        }
    }
    assert_eq!(
        states.join(" "),
        "reaching descending closing lifting holding putting_back opening retreating homing idle"
    );
    let (status, result) = rig.result().unwrap();
    assert_eq!(
        (status, result.outcome.as_str()),
        (GoalStatus::Succeeded, "grasped")
    );
    assert!(result.success && result.label == "pen" && result.confidence == 0.9);
    assert!(
        (result.decision_time_s - 0.06).abs() < 1e-6,
        "when the label first stood"
    );
    assert!(distance(&rig.arm, &HOME) < 1e-9);
    let pose = rig.outputs.iter().find_map(|o| match o {
        Output::Publish {
            topic: "object_pose",
            payload,
        } => payload
            .get::<saccade_msgs::geometry_msgs::PoseStamped>()
            .ok(),
        _ => None,
    });
    let p = pose.unwrap().pose.position;
    assert!((p.x - PLACE.x).hypot(p.y - PLACE.y) < 0.004, "{p:?}");
}

#[test]
fn fingers_that_close_on_nothing_fail_and_the_arm_goes_home() {
    let mut rig = Rig::new();
    rig.look(2, 0.9);
    for _ in 0..40 {
        rig.obey(0.0);
    }
    let (_, result) = rig.result().unwrap();
    assert!(!result.success && result.outcome == "failed", "{result:?}");
    assert!(result.reason.contains("closed on nothing"));
    assert!(distance(&rig.arm, &HOME) < 1e-9 && rig.state() == "idle");
}

#[test]
fn unusable_messages_are_counted() {
    let mut rig = Rig::new();
    rig.message("decision", Bool { data: true });
    let health = rig.node.health();
    assert!(
        health
            .values
            .contains(&("unusable_messages".into(), "1".into()))
    );
}
