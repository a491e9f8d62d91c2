//! `gz_bridge` against Gazebo's real transport, with Debian's `ign topic` at the other end.
//!
//! The tests run in processes of their own, in a partition of their own, on loopback.

use saccade_msgs::geometry_msgs::{Twist, Vector3};
use saccade_msgs::nav_msgs::Odometry;
use saccade_msgs::ros_gz_interfaces::Contacts;
use saccade_msgs::rosgraph_msgs::Clock;
use saccade_msgs::sensor_msgs::{CameraInfo, Image, Imu, JointState, LaserScan};
use saccade_msgs::trajectory_msgs::{JointTrajectory, JointTrajectoryPoint};
use saccade_nodes::gz_bridge::transport::Link;
use saccade_nodes::{Context, Input, Node, Output, Parameters, Payload, registry};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(30);
/// Set in the processes of the tests themselves.
const WITHIN: &str = "SACCADE_GZ_TEST";

/// Runs a test again in a process with a partition; whether this is that process.
///
/// A process that dies of a signal has a second try: one run in 22 ended in libzmq, in a thread
/// of the transport, while publishers came and went. What the test finds wrong has none.
fn is_alone(test: &str) -> bool {
    if std::env::var_os(WITHIN).is_some() {
        return true;
    }
    for attempt in 1..=2 {
        let partition = format!("saccade_{test}_{}_{attempt}", std::process::id());
        let status = Command::new(std::env::current_exe().expect("this program"))
            .args(["--exact", test, "--nocapture"])
            .env(WITHIN, "1")
            .envs([("IGN_PARTITION", &partition), ("GZ_PARTITION", &partition)])
            .envs([("IGN_IP", "127.0.0.1"), ("GZ_IP", "127.0.0.1")])
            .status()
            .expect("it starts");
        if status.success() {
            return false;
        }
        eprintln!("{test}, attempt {attempt}: {status}");
        assert!(status.code().is_none(), "{test} failed; see above");
    }
    panic!("{test} died twice of a signal");
}

/// Debian has the command, but not where its own `ign` looks for it.
fn ign_topic() -> Command {
    Command::new("/usr/libexec/ignition/transport11/ign-transport-topic")
}

/// Publishes a message once, as its text.
fn say(topic: &str, kind: &str, text: &str) {
    let kind = format!("ignition.msgs.{kind}");
    let said = ign_topic()
        .args(["-t", topic, "-m", &kind, "-p", text])
        .output();
    let said = said.expect("ign topic runs; tests/peers/install_sdformat.sh installs it");
    // What it cannot read it says, and sends nothing.
    let errors = String::from_utf8_lossy(&said.stderr).trim().to_owned();
    assert!(
        said.status.success() && errors.is_empty(),
        "{topic}: {errors}"
    );
}

/// What `ign topic` hears.
struct Echo(Child, Receiver<String>);

impl Echo {
    fn of(topic: &str) -> Self {
        let child = ign_topic()
            .args(["-e", "-t", topic])
            .stdout(Stdio::piped())
            .spawn();
        let mut child = child.expect("ign topic runs");
        let out = BufReader::new(child.stdout.take().expect("it is piped"));
        let (to, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = to.send(line.trim().to_owned());
            }
        });
        Echo(child, lines)
    }
}

impl Drop for Echo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn bridge(topics: &[(&str, &str)]) -> Result<Box<dyn Node>, String> {
    let entry = registry::find("gz_bridge").expect("it is registered");
    let mut parameters = Parameters::defaults(entry.interface);
    for (name, value) in topics {
        parameters.set_text(name, value).expect("a parameter");
    }
    (entry.create)(&parameters).map_err(|e| e.to_string())
}

fn drive(node: &mut dyn Node, input: Input) -> Vec<Output> {
    let (mut outputs, mut id) = (Vec::new(), 0);
    node.handle(input, &mut Context::new(7, 7, &mut outputs, &mut id));
    outputs
}

/// Says a text until the node publishes something of it, which is returned.
fn heard(node: &mut dyn Node, on: &str, topic: &str, kind: &str, text: &str) -> Payload {
    let begun = Instant::now();
    loop {
        // Who listens is found after a while.
        say(topic, kind, text);
        let until = Instant::now() + Duration::from_millis(200);
        while Instant::now() < until {
            for output in drive(node, Input::Timer { name: "poll" }) {
                match output {
                    Output::Publish { topic, payload } if topic == on => return payload,
                    Output::Publish { .. } => {}
                    other => panic!("{other:?}"),
                }
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        assert!(begun.elapsed() < LIMIT, "{topic} was not heard");
    }
}

const HEADER: &str =
    r#"header { stamp { sec: 12 nsec: 500 } data { key: "frame_id" value: "eye" } }"#;

#[test]
fn what_gazebo_says_is_what_the_node_publishes() {
    if !is_alone("what_gazebo_says_is_what_the_node_publishes") {
        return;
    }
    let mut node = bridge(&[
        ("gz_clock", "/clock"),
        ("gz_image", "/a/image"),
        ("gz_camera_info", "/a/info"),
        ("gz_joint_states", "/a/joints"),
        ("gz_contacts", "/a/contacts"),
        ("gz_imu", "/a/imu"),
        ("gz_odom", "/a/odom"),
        ("gz_scan", "/a/scan"),
    ])
    .expect("a bridge");
    let mut hear = |on: &str, topic: &str, kind: &str, text: &str| {
        heard(
            node.as_mut(),
            on,
            topic,
            kind,
            &text.replace("HEADER", HEADER),
        )
    };
    let time = "real { sec: 1 } sim { sec: 12 nsec: 345 }";
    let clock = hear("/clock", "/clock", "Clock", time);
    let clock = clock.get::<Clock>().expect("a clock").clock;
    assert_eq!((clock.sec, clock.nanosec), (12, 345));

    let text = r#"HEADER width: 2 height: 1 step: 6 data: "abcdef" pixel_format_type: RGB_INT8"#;
    let image = hear("image", "/a/image", "Image", text);
    let image = image.get::<Image>().expect("an image");
    assert_eq!((image.width, image.height, image.step), (2, 1, 6));
    assert_eq!(
        (image.encoding.as_str(), image.data.as_slice()),
        ("rgb8", &b"abcdef"[..])
    );
    let stamp = image.header.stamp;
    assert_eq!(
        (stamp.sec, stamp.nanosec, image.header.frame_id.as_str()),
        (12, 500, "eye")
    );

    let text = "width: 4 height: 3 distortion { k: 0.1 k: 0.2 } intrinsics { k: 5 k: 0 k: 2 } \
                projection { p: 7 } rectification_matrix: 1 rectification_matrix: 0.5";
    let info = hear("camera_info", "/a/info", "CameraInfo", text);
    let info = info.get::<CameraInfo>().expect("a calibration");
    assert_eq!(
        (info.width, info.height, info.d.as_slice()),
        (4, 3, &[0.1, 0.2][..])
    );
    assert_eq!(
        (&info.k[..3], info.p[0], &info.r[..2]),
        (&[5.0, 0.0, 2.0][..], 7.0, &[1.0, 0.5][..])
    );

    let text = r#"joint { name: "a" axis1 { position: 0.5 velocity: -1 force: 2 } } joint { name: "b" axis1 { } }"#;
    let states = hear("joint_states", "/a/joints", "Model", text);
    let states = states.get::<JointState>().expect("states");
    assert_eq!(
        (states.name.join(" ").as_str(), &states.position[..]),
        ("a b", &[0.5, 0.0][..])
    );
    assert_eq!(
        (&states.velocity[..], &states.effort[..]),
        (&[-1.0, 0.0][..], &[2.0, 0.0][..])
    );

    let text = r#"contact { collision1 { id: 4 name: "w::c" type: COLLISION } collision2 { name: "wall" }
                  position { x: 1 z: 3 } normal { y: 1 } depth: 0.25 }"#;
    let contacts = hear("contacts", "/a/contacts", "Contacts", text);
    let contacts = contacts.get::<Contacts>().expect("contacts");
    let [contact] = contacts.contacts.as_slice() else {
        panic!("{contacts:?}");
    };
    let names = [&contact.collision1.name, &contact.collision2.name];
    assert_eq!(
        (names, contact.collision1.id, contact.collision1.r#type),
        ([&"w::c".to_owned(), &"wall".to_owned()], 4, 5)
    );
    assert_eq!(
        (contact.positions[0], contact.depths.as_slice()),
        (
            Vector3 {
                x: 1.0,
                y: 0.0,
                z: 3.0
            },
            &[0.25][..]
        )
    );

    let text = "HEADER orientation { z: 0.6 w: 0.8 } angular_velocity { z: -2 } linear_acceleration { x: 9 }";
    let imu = hear("imu", "/a/imu", "IMU", text);
    let imu = imu.get::<Imu>().expect("an IMU");
    assert_eq!(
        (
            imu.orientation.z,
            imu.orientation.w,
            imu.angular_velocity.z,
            imu.linear_acceleration.x
        ),
        (0.6, 0.8, -2.0, 9.0)
    );

    let text = r#"header { data { key: "child_frame_id" value: "base" } } pose { position { x: 3 }
                  orientation { w: 1 } } twist { linear { x: 0.5 } angular { z: 0.1 } }"#;
    let odom = hear("odom", "/a/odom", "Odometry", text);
    let odom = odom.get::<Odometry>().expect("an odometry");
    assert_eq!(
        (odom.child_frame_id.as_str(), odom.pose.pose.position.x),
        ("base", 3.0)
    );
    assert_eq!(
        (odom.twist.twist.linear.x, odom.twist.twist.angular.z),
        (0.5, 0.1)
    );

    let text = "HEADER angle_min: -1 angle_max: 1 angle_step: 1 range_max: 8 count: 3 vertical_count: 1 ranges: 1 ranges: 2 ranges: inf";
    let scan = hear("scan", "/a/scan", "LaserScan", text);
    let scan = scan.get::<LaserScan>().expect("a scan");
    assert_eq!(
        (&scan.ranges[..], scan.range_max),
        (&[1.0, 2.0, f32::INFINITY][..], 8.0)
    );

    let health = node.health();
    assert!(health.warning.is_none(), "{health:?}");
    assert!(
        health.values.contains(&("refused".into(), "0".into())),
        "{health:?}"
    );
}

/// Has the node say a message until `ign topic` has heard all that is expected.
fn said(node: &mut dyn Node, on: &'static str, payload: &Payload, topic: &str, expected: &[&str]) {
    let echo = Echo::of(topic);
    let (begun, mut lines) = (Instant::now(), Vec::new());
    while !expected.iter().all(|e| lines.iter().any(|l| l == e)) {
        let payload = payload.clone();
        assert!(drive(node, Input::Message { topic: on, payload }).is_empty());
        std::thread::sleep(Duration::from_millis(100));
        lines.extend(echo.1.try_iter());
        assert!(begun.elapsed() < LIMIT, "{topic}: {lines:?}");
    }
}

#[test]
fn commands_reach_gazebo() {
    if !is_alone("commands_reach_gazebo") {
        return;
    }
    let topics = [("gz_cmd_vel", "/a/cmd"), ("gz_joint_trajectory", "/a/arm")];
    let mut node = bridge(&topics).expect("a bridge");
    let mut twist = Twist::default();
    (twist.linear.x, twist.angular.z) = (0.3, -0.5);
    let expected = ["x: 0.3", "z: -0.5"];
    said(
        node.as_mut(),
        "cmd_vel",
        &Payload::new(twist),
        "/a/cmd",
        &expected,
    );

    let mut point = JointTrajectoryPoint {
        positions: vec![0.5, 1.5],
        velocities: vec![0.25, 0.0],
        ..JointTrajectoryPoint::default()
    };
    point.time_from_start.sec = 2;
    let trajectory = JointTrajectory {
        joint_names: vec!["shoulder".into(), "elbow".into()],
        points: vec![point],
        ..JointTrajectory::default()
    };
    let names = [r#"joint_names: "shoulder""#, r#"joint_names: "elbow""#];
    let numbers = [
        "positions: 0.5",
        "positions: 1.5",
        "velocities: 0.25",
        "sec: 2",
    ];
    let payload = Payload::new(trajectory);
    let expected = [&names[..], &numbers].concat();
    said(
        node.as_mut(),
        "joint_trajectory",
        &payload,
        "/a/arm",
        &expected,
    );

    // At rest the base stands.
    let echo = Echo::of("/a/cmd");
    std::thread::sleep(Duration::from_secs(1));
    let (mut outputs, mut id) = (Vec::new(), 0);
    node.deactivate(&mut Context::new(7, 7, &mut outputs, &mut id));
    let line = echo
        .1
        .recv_timeout(Duration::from_secs(5))
        .expect("it is told");
    // Zeros are not said.
    assert!(!line.contains("0.3"), "{line}");
}

#[test]
fn links_hear_each_other_in_order_and_are_closed_under_fire() {
    if !is_alone("links_hear_each_other_in_order_and_are_closed_under_fire") {
        return;
    }
    let (mut here, mut there) = (Link::open().expect("a link"), Link::open().expect("a link"));
    there.subscribe("/a/numbers", "Image").expect("a topic");
    let publisher = here.advertise("/a/numbers", "Image").expect("a topic");
    // Field 2 is the width: a number of up to three bytes.
    let number = |i: u32| vec![16, i as u8 | 0x80, (i >> 7) as u8 | 0x80, (i >> 14) as u8];
    let begun = Instant::now();
    while there.take().is_none() {
        assert!(here.publish(publisher, &number(0)) && begun.elapsed() < LIMIT);
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(200));
    while there.take().is_some() {}
    let mut taken = Vec::new();
    for i in 1..=2000 {
        assert!(here.publish(publisher, &number(i)));
        let begun = Instant::now();
        // No more than can wait.
        while (taken.len() as u32) + 32 < i && begun.elapsed() < LIMIT {
            taken.extend(there.take().map(|(_, bytes)| bytes));
        }
    }
    let begun = Instant::now();
    while taken.len() < 2000 && begun.elapsed() < LIMIT {
        taken.extend(there.take().map(|(_, bytes)| bytes));
    }
    let sent: Vec<_> = (1..=2000).map(number).collect();
    assert!(taken == sent, "{} came, or in another order", taken.len());
    assert_eq!(there.dropped(), 0);

    // What is not taken is dropped, the oldest first, and counted.
    for i in 0..100 {
        assert!(here.publish(publisher, &number(i)));
    }
    let begun = Instant::now();
    while there.dropped() < 36 && begun.elapsed() < LIMIT {
        std::thread::sleep(Duration::from_millis(5));
    }
    let first = there.take().expect("64 of them");
    assert_eq!((first.1, there.dropped()), (number(36), 36));

    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                here.publish(publisher, &number(1));
            }
        });
        for _ in 0..20 {
            let mut passing = Link::open().expect("a link");
            passing.subscribe("/a/numbers", "Image").expect("a topic");
            let begun = Instant::now();
            while passing.take().is_none() && begun.elapsed() < Duration::from_millis(100) {}
        }
        stop.store(true, Ordering::Relaxed);
    });
}

#[test]
fn what_cannot_be_bridged_is_refused() {
    if !is_alone("what_cannot_be_bridged_is_refused") {
        return;
    }
    for (topics, wanted) in [
        (&[][..], "no topic of Gazebo is named"),
        (
            &[("gz_image", "two words")],
            "gz_image: Gazebo's transport refuses",
        ),
        (
            &[("gz_cmd_vel", "two words")],
            "gz_cmd_vel: Gazebo's transport refuses",
        ),
    ] {
        let error = bridge(topics).err().expect("no bridge");
        assert!(error.contains(wanted), "{error}");
    }
}
