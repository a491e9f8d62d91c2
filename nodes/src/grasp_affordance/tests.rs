//! The state machine without any host: inputs in, outputs looked at.

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

const MS: i64 = 1_000_000;
const PLACE: Placement = Placement {
    x: 0.48,
    y: 0.03,
    yaw: 0.6,
    scale: 1.0,
};

/// The node with what is needed to drive it.
struct Rig {
    node: Box<dyn Node>,
    now_ns: i64,
    next_id: u64,
    outputs: Vec<Output>,
    seen: usize,
    arm: [f64; 6],
    hand: Hand,
    joints_live: bool,
    events_live: bool,
    tf_live: bool,
    class: Class,
    place: Placement,
    seq: u64,
}

impl Rig {
    fn new() -> Self {
        Rig::with(&[])
    }

    fn with(settings: &[(&str, Value)]) -> Self {
        let mut parameters = Parameters::defaults(&INTERFACE);
        parameters.set("looks", Value::Integer(1)).unwrap();
        for (name, value) in settings {
            parameters.set(name, value.clone()).unwrap();
        }
        let mut rig = Rig {
            node: create(&parameters).unwrap(),
            now_ns: 1_000 * MS,
            next_id: 0,
            outputs: Vec::new(),
            seen: 0,
            arm: HOME,
            hand: plan::HAND_OPEN,
            joints_live: true,
            events_live: true,
            tf_live: true,
            class: Class::Pen,
            place: PLACE,
            seq: 0,
        };
        rig.input(Input::Start);
        let (camera, _) = from_above();
        let mut info = CameraInfo {
            width: 128,
            height: 128,
            ..CameraInfo::default()
        };
        info.header.frame_id = "eye".into();
        info.k = [
            camera.fx, 0.0, camera.cx, 0.0, camera.fy, camera.cy, 0.0, 0.0, 1.0,
        ];
        rig.message("camera_info", info);
        rig
    }

    fn input(&mut self, input: Input) {
        let mut ctx = Context::new(
            self.now_ns,
            self.now_ns,
            &mut self.outputs,
            &mut self.next_id,
        );
        self.node.handle(input, &mut ctx);
    }

    fn message<M: saccade_msgs::Message>(&mut self, topic: &'static str, message: M) {
        self.input(Input::Message {
            topic,
            payload: Payload::new(message),
        });
    }

    /// The eye's pose `ms` after the onset of its saccade (a circle of 100 ms).
    fn eye(ms: f64) -> Pose {
        let t = (ms / 100.0).clamp(0.0, 1.0) * std::f64::consts::TAU;
        let (_, rest) = from_above();
        let turn =
            DQuat::from_rotation_y(0.02 * t.sin()) * DQuat::from_rotation_x(0.02 * (1.0 - t.cos()));
        Pose::new(rest.p, rest.q * turn)
    }

    fn eye_moved(&mut self, ms: f64) {
        let eye = Rig::eye(ms);
        let mut t = TransformStamped {
            child_frame_id: "eye".into(),
            ..Default::default()
        };
        t.header.frame_id = "world".into();
        t.header.stamp = Time::from_ns(self.now_ns);
        let (v, q) = (&mut t.transform.translation, &mut t.transform.rotation);
        (v.x, v.y, v.z) = (eye.p.x, eye.p.y, eye.p.z);
        (q.x, q.y, q.z, q.w) = (eye.q.x, eye.q.y, eye.q.z, eye.q.w);
        self.message(
            "tf",
            TFMessage {
                transforms: vec![t],
            },
        );
    }

    /// Events of a bright object's outline over the last millisecond.
    fn events(&mut self, ms: f64) {
        let (camera, _) = from_above();
        let mut edge = Vec::new();
        let mut points = |ms: f64| {
            let mut outliner = Outliner::new(camera, &Rig::eye(ms), 0.75);
            outliner.outline(self.class, &self.place, 160, &mut edge);
            edge.clone()
        };
        let (before, after) = (points(ms - 1.0), points(ms));
        let mut packet = EventPacket {
            width: 128,
            height: 128,
            seq: self.seq,
            time_base: (self.now_ns - MS) as u64,
            encoding: "mono".into(),
            ..EventPacket::default()
        };
        packet.header.stamp = Time::from_ns(self.now_ns);
        self.seq += 1;
        for (k, (a, b)) in before.iter().zip(&after).enumerate() {
            let out: f64 = (b.p - a.p).dot(b.n);
            if out.abs() > 0.02 && (k + ms as usize).is_multiple_of(2) {
                let p: DVec2 = b.p.round();
                let event = Event {
                    t_us: ((self.now_ns - MS / 2) / 1000) as u64,
                    x: p.x as u16,
                    y: p.y as u16,
                    on: out > 0.0,
                };
                packet.events.extend(mono(&event, packet.time_base));
            }
        }
        self.message("events", packet);
    }

    /// A millisecond passes; `saccade` is the time since its onset, if any.
    fn step(&mut self, saccade: Option<f64>) {
        self.now_ns += MS;
        if self.joints_live {
            let mut joints = JointState::default();
            joints.header.stamp = Time::from_ns(self.now_ns);
            joints.name = ARM_JOINTS
                .iter()
                .chain(&HAND_JOINTS)
                .map(|n| n.to_string())
                .collect();
            joints.position = self.arm.iter().chain(&self.hand).copied().collect();
            self.message("joint_states", joints);
        }
        if self.tf_live {
            self.eye_moved(saccade.unwrap_or(0.0));
        }
        if self.events_live {
            self.events(saccade.unwrap_or(0.0));
        }
        if self.now_ns % (10 * MS) == 0 {
            self.input(Input::Timer { name: "step" });
        }
    }

    /// Calls a service of the node; whether it succeeded.
    fn ask(&mut self, service: &'static str) -> bool {
        let payload = Payload::new(trigger::Request::default());
        self.input(Input::Request {
            service,
            id: 9,
            payload,
        });
        let answer = self.outputs.iter().rev().find_map(|o| match o {
            Output::Respond { payload, .. } => payload.get::<trigger::Response>().ok(),
            _ => None,
        });
        answer.expect("it is answered").success
    }

    fn wait(&mut self, ms: usize) {
        for _ in 0..ms {
            self.step(None);
        }
    }

    fn goal(&mut self, id: u64) {
        let goal = grasp_object::Goal {
            trial: 7,
            timeout_s: 0.0,
        };
        self.input(Input::Goal {
            action: "grasp_object",
            id,
            payload: Payload::new(goal),
        });
    }

    /// Answers the call for a saccade and performs it.
    fn saccade(&mut self, id: u32) {
        let response = trigger::Response {
            success: true,
            message: id.to_string(),
        };
        let payload = Some(Payload::new(response));
        self.input(Input::Response {
            service: "microsaccade",
            id: 1,
            payload,
        });
        for moving in [true, false] {
            let mut phase = SaccadePhase {
                id,
                moving,
                ..SaccadePhase::default()
            };
            phase.header.stamp = Time::from_ns(self.now_ns);
            self.message("saccade", phase);
            if moving {
                (1..=100).for_each(|ms| self.step(Some(f64::from(ms))));
            }
        }
    }

    fn decide(&mut self, saccade_id: u32, class_id: i32, confidence: f32) {
        let label = saccade_msgs::CLASSES[class_id as usize].to_owned();
        let mut decision = Decision {
            saccade_id,
            label,
            class_id,
            confidence,
            ..Decision::default()
        };
        decision.since_onset_s = 0.06;
        self.message("decision", decision.clone());
        decision.r#final = true;
        decision.since_onset_s = 0.1;
        self.message("decision", decision);
    }

    /// Looks and decides for `class_id`.
    fn look(&mut self, class_id: i32, confidence: f32) {
        self.wait(30);
        self.goal(100);
        self.saccade(3);
        self.decide(3, class_id, confidence);
        self.wait(30);
    }

    fn count(&self, matches: impl Fn(&Output) -> bool) -> usize {
        self.outputs.iter().filter(|o| matches(o)).count()
    }

    fn moved(&self) -> bool {
        self.count(|o| matches!(o, Output::SendGoal { .. })) > 0
    }

    fn result(&self) -> Option<(GoalStatus, grasp_object::Result)> {
        self.outputs.iter().rev().find_map(|o| match o {
            Output::FinishGoal {
                status, payload, ..
            } => Some((
                *status,
                (*payload.get::<grasp_object::Result>().unwrap()).clone(),
            )),
            _ => None,
        })
    }

    fn state(&self) -> String {
        let state = self.outputs.iter().rev().find_map(|o| match o {
            Output::Publish {
                topic: "state",
                payload,
            } => payload.get::<GraspState>().ok(),
            _ => None,
        });
        state.map(|s| s.state.clone()).unwrap_or_default()
    }

    fn refused_for(&self, words: &str) {
        let (status, result) = self.result().expect("the goal ended");
        assert_eq!(
            (status, result.outcome.as_str()),
            (GoalStatus::Aborted, "refused")
        );
        assert!(
            result.reason.contains(words),
            "'{}' does not say '{words}'",
            result.reason
        );
        assert!(!result.success);
        assert!(!self.moved(), "something moved");
        assert_eq!(self.state(), "idle");
    }

    /// Goals sent since the last call, as (action, id, positions of the last point).
    fn sent(&mut self) -> Vec<(&'static str, u64, Vec<f64>)> {
        let new = &self.outputs[self.seen..];
        self.seen = self.outputs.len();
        let goals = new.iter().filter_map(|o| match o {
            Output::SendGoal {
                action,
                id,
                payload,
            } => {
                let goal = payload.get::<fjt::Goal>().unwrap();
                let last = goal.trajectory.points.last().unwrap();
                Some((*action, *id, last.positions.clone()))
            }
            _ => None,
        });
        goals.collect()
    }

    /// Lets the controllers do what they were sent, fingers being stopped
    /// `short` of their goals by an object.
    fn obey(&mut self, short: f64) {
        for (action, id, positions) in self.sent() {
            self.input(Input::GoalResponse {
                action,
                id,
                accepted: true,
            });
            self.wait(20);
            if action == "arm_controller" {
                self.arm.copy_from_slice(&positions);
            } else {
                self.hand.copy_from_slice(&positions);
                if self.state() == "closing" {
                    self.hand
                        .iter_mut()
                        .for_each(|q| *q = (*q - short).max(0.0));
                }
            }
            self.wait(5);
            let payload = Payload::new(fjt::Result::default());
            self.input(Input::GoalResult {
                action,
                id,
                status: GoalStatus::Succeeded,
                payload,
            });
        }
        self.wait(50);
    }
}

/// An event as encoding `mono` has it.
fn mono(event: &Event, base_ns: u64) -> [u8; 8] {
    let after = event.t_us * 1000 - base_ns;
    let word =
        u64::from(event.on) << 63 | u64::from(event.y) << 48 | u64::from(event.x) << 32 | after;
    word.to_le_bytes()
}

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
