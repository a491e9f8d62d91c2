//! The node with all that it talks to, driven by hand.

use super::*;

const MS: i64 = 1_000_000;
pub(super) const PLACE: Placement = Placement {
    x: 0.48,
    y: 0.03,
    yaw: 0.6,
    scale: 1.0,
};

/// The node with what is needed to drive it.
pub(super) struct Rig {
    pub(super) node: Box<dyn Node>,
    pub(super) now_ns: i64,
    pub(super) next_id: u64,
    pub(super) outputs: Vec<Output>,
    pub(super) seen: usize,
    pub(super) arm: [f64; 6],
    pub(super) hand: Hand,
    pub(super) joints_live: bool,
    pub(super) events_live: bool,
    pub(super) tf_live: bool,
    pub(super) class: Class,
    pub(super) place: Placement,
    pub(super) seq: u64,
}

impl Rig {
    pub(super) fn new() -> Self {
        Rig::with(&[])
    }

    pub(super) fn with(settings: &[(&str, Value)]) -> Self {
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

    pub(super) fn input(&mut self, input: Input) {
        let mut ctx = Context::new(
            self.now_ns,
            self.now_ns,
            &mut self.outputs,
            &mut self.next_id,
        );
        self.node.handle(input, &mut ctx);
    }

    pub(super) fn message<M: saccade_msgs::Message>(&mut self, topic: &'static str, message: M) {
        self.input(Input::Message {
            topic,
            payload: Payload::new(message),
        });
    }

    /// The eye's pose `ms` after the onset of its saccade (a circle of 100 ms).
    pub(super) fn eye(ms: f64) -> Pose {
        let t = (ms / 100.0).clamp(0.0, 1.0) * std::f64::consts::TAU;
        let (_, rest) = from_above();
        let turn =
            DQuat::from_rotation_y(0.02 * t.sin()) * DQuat::from_rotation_x(0.02 * (1.0 - t.cos()));
        Pose::new(rest.p, rest.q * turn)
    }

    pub(super) fn eye_moved(&mut self, ms: f64) {
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
    pub(super) fn events(&mut self, ms: f64) {
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
    pub(super) fn step(&mut self, saccade: Option<f64>) {
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
    pub(super) fn ask(&mut self, service: &'static str) -> bool {
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

    pub(super) fn wait(&mut self, ms: usize) {
        for _ in 0..ms {
            self.step(None);
        }
    }

    pub(super) fn goal(&mut self, id: u64) {
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
    pub(super) fn saccade(&mut self, id: u32) {
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

    pub(super) fn decide(&mut self, saccade_id: u32, class_id: i32, confidence: f32) {
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
    pub(super) fn look(&mut self, class_id: i32, confidence: f32) {
        self.wait(30);
        self.goal(100);
        self.saccade(3);
        self.decide(3, class_id, confidence);
        self.wait(30);
    }

    pub(super) fn count(&self, matches: impl Fn(&Output) -> bool) -> usize {
        self.outputs.iter().filter(|o| matches(o)).count()
    }

    pub(super) fn moved(&self) -> bool {
        self.count(|o| matches!(o, Output::SendGoal { .. })) > 0
    }

    pub(super) fn result(&self) -> Option<(GoalStatus, grasp_object::Result)> {
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

    pub(super) fn state(&self) -> String {
        let state = self.outputs.iter().rev().find_map(|o| match o {
            Output::Publish {
                topic: "state",
                payload,
            } => payload.get::<GraspState>().ok(),
            _ => None,
        });
        state.map(|s| s.state.clone()).unwrap_or_default()
    }

    pub(super) fn refused_for(&self, words: &str) {
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
    pub(super) fn sent(&mut self) -> Vec<(&'static str, u64, Vec<f64>)> {
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
    pub(super) fn obey(&mut self, short: f64) {
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
