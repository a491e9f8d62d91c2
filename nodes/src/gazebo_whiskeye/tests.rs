//! Gazebo's side is played; what the robot's topics then say.

use super::*;
use crate::node::Output;

struct Rig {
    node: Box<dyn Node>,
    now_ns: i64,
    outputs: Vec<Output>,
    next_id: u64,
}

impl Rig {
    fn new() -> Self {
        let node = create(&Parameters::defaults(&INTERFACE)).expect("defaults are valid");
        Rig {
            node,
            now_ns: 1_000_000_000,
            outputs: Vec::new(),
            next_id: 0,
        }
    }

    fn input(&mut self, input: Input) {
        let (now_ns, outputs) = (self.now_ns, &mut self.outputs);
        let mut ctx = Context::new(now_ns, now_ns, outputs, &mut self.next_id);
        self.node.handle(input, &mut ctx);
    }

    fn message<M: saccade_msgs::Message>(&mut self, topic: &'static str, message: M) {
        self.input(Input::Message {
            topic,
            payload: Payload::new(message),
        });
    }

    fn step(&mut self) {
        self.now_ns += STEP_NS;
        self.outputs.clear();
        self.input(Input::Timer { name: "step" });
    }

    fn joints(&mut self, angle: f64) {
        let mut joints = JointState::default();
        for w in 0..WHISKERS {
            joints
                .name
                .push(format!("whisker_{}{}_joint", w / COLUMNS, w % COLUMNS));
            joints.position.push(angle);
        }
        self.message("joint_states", joints);
    }

    fn contact(&mut self, one: &str, other: &str) {
        let mut contact = Contact::default();
        contact.collision1.name = one.into();
        contact.collision2.name = other.into();
        let contacts = vec![contact];
        self.message(
            "gazebo/contacts",
            Contacts {
                contacts,
                ..Contacts::default()
            },
        );
    }

    fn said<M: saccade_msgs::Message + Clone>(&self, wanted: &str) -> M {
        let found = self.outputs.iter().rev().find_map(|o| match o {
            Output::Publish { topic, payload } if *topic == wanted => payload.get::<M>().ok(),
            _ => None,
        });
        M::clone(&*found.unwrap_or_else(|| panic!("nothing on {wanted}")))
    }

    fn xy(&self) -> Vec<f32> {
        self.said::<Float32MultiArray>("head/xy").data
    }
}

#[test]
fn a_whisker_that_touches_says_how_far_it_is_bent() {
    let mut rig = Rig::new();
    let ahead = Float32MultiArray {
        data: vec![0.5; WHISKERS],
        ..Default::default()
    };
    rig.message("head/theta_cmd", ahead);
    rig.joints(0.2);
    rig.step();
    assert!(rig.xy().iter().all(|v| *v == 0.0), "late is not touched");
    rig.contact("whiskeye::whisker_12::c0", "north::link::c0");
    rig.step();
    let xy = rig.xy();
    let bent = 2 * (COLUMNS + 2);
    assert!(
        (xy[bent] + 0.3).abs() < 1e-6,
        "it is held back: {}",
        xy[bent]
    );
    let others = xy.iter().enumerate().filter(|(i, _)| *i != bent);
    assert!(others.into_iter().all(|(_, v)| *v == 0.0));
    for _ in 0..6 {
        rig.step();
    }
    assert!(rig.xy().iter().all(|v| *v == 0.0), "a contact ends");
}

#[test]
fn the_bumper_knows_the_ground_and_the_robot_itself() {
    let mut rig = Rig::new();
    rig.joints(0.0);
    for (one, other, bumped) in [
        ("ground::link::c0", "whiskeye::base_link::c0", false),
        ("whiskeye::whisker_00::c0", "whiskeye::head::c0", false),
        ("west::link::c0", "whiskeye::base_link::c0", true),
    ] {
        rig.contact(one, other);
        rig.step();
        assert_eq!(
            rig.said::<Bool>("body/bumper").data,
            bumped,
            "{one} {other}"
        );
    }
    assert!(rig.xy().iter().all(|v| *v == 0.0));
}

#[test]
fn the_base_stops_on_an_old_command_and_on_the_e_stop() {
    let mut rig = Rig::new();
    rig.joints(0.1);
    let mut twist = Twist::default();
    twist.linear.x = 0.3;
    let drives = |rig: &mut Rig| {
        rig.step();
        rig.said::<Twist>("gazebo/cmd_vel").linear.x
    };
    rig.message("body/cmd_vel", twist);
    assert_eq!(drives(&mut rig), 0.3);
    rig.now_ns += COMMAND_NS;
    assert_eq!(drives(&mut rig), 0.0);
    rig.message("body/cmd_vel", twist);
    rig.outputs.clear();
    rig.message("e_stop", Bool { data: true });
    assert_eq!(rig.said::<Twist>("gazebo/cmd_vel").linear.x, 0.0, "at once");
    rig.message("body/cmd_vel", twist);
    let ahead = Float32MultiArray {
        data: vec![0.5; WHISKERS],
        ..Default::default()
    };
    rig.message("head/theta_cmd", ahead);
    assert_eq!(drives(&mut rig), 0.0);
    let sent = rig.said::<JointTrajectory>("gazebo/joint_trajectory");
    assert_eq!(sent.joint_names.len(), 3 + WHISKERS);
    assert!(
        sent.points[0].positions[3..]
            .iter()
            .all(|a| (a - 0.1).abs() < 1e-6)
    );
}

#[test]
fn commands_are_cut_at_the_limits_and_nonsense_is_counted() {
    let mut rig = Rig::new();
    for data in [vec![9.0; WHISKERS], vec![f32::NAN; WHISKERS], vec![0.0; 3]] {
        rig.message(
            "head/theta_cmd",
            Float32MultiArray {
                data,
                ..Default::default()
            },
        );
    }
    rig.message("head/theta_cmd", Bool { data: true });
    rig.step();
    let sent = rig.said::<JointTrajectory>("gazebo/joint_trajectory");
    let cut = f64::from(WHISKER_RAD);
    assert!(sent.points[0].positions[3..].iter().all(|a| *a == cut));
    assert!(
        rig.node
            .health()
            .values
            .contains(&("refused".into(), "3".into()))
    );
}
