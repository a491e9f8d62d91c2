//! `gz_bridge`: Gazebo's topics without ROS, for machines that have Gazebo and no
//! `ros_gz_bridge`. Bytes come and go over Gazebo's own transport ([`transport`], feature
//! `gz-transport`), and are read and written here ([`messages`], [`wire`]).

mod messages;
mod wire;

#[cfg(feature = "gz-transport")]
pub mod transport;
#[cfg(not(feature = "gz-transport"))]
#[path = "absent.rs"]
mod transport;

use crate::interface::{Endpoint, Interface, ParameterDecl, Qos, TimerDecl};
use crate::node::{Context, Health, Input, Level, Node, NodeError};
use crate::parameters::Parameters;
use crate::payload::{Payload, PayloadError};
use messages::MessageError;
use saccade_msgs::geometry_msgs::Twist;
use saccade_msgs::trajectory_msgs::JointTrajectory;
use transport::Link;

/// How often it is seen what has come.
const POLL_NS: i64 = 2_000_000;

/// The node's declarations.
pub static INTERFACE: Interface = Interface {
    name: "gz_bridge",
    doc: "Gazebo's topics over its own transport, without ROS.",
    publishers: &[
        Endpoint::new("/clock", "rosgraph_msgs/msg/Clock", "The simulated time."),
        Endpoint::new("image", "sensor_msgs/msg/Image", "A camera's pictures.").qos(Qos::SENSOR),
        Endpoint::new(
            "camera_info",
            "sensor_msgs/msg/CameraInfo",
            "The camera's calibration.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "joint_states",
            "sensor_msgs/msg/JointState",
            "Where a model's joints are.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "contacts",
            "ros_gz_interfaces/msg/Contacts",
            "What touches what; without forces.",
        )
        .qos(Qos::SENSOR.depth(256)),
        Endpoint::new("imu", "sensor_msgs/msg/Imu", "Turn and acceleration.").qos(Qos::SENSOR),
        Endpoint::new("odom", "nav_msgs/msg/Odometry", "Where a base is.").qos(Qos::SENSOR),
        Endpoint::new(
            "scan",
            "sensor_msgs/msg/LaserScan",
            "Distances around; of several rows the middle one.",
        )
        .qos(Qos::SENSOR),
    ],
    subscriptions: &[
        Endpoint::new(
            "cmd_vel",
            "geometry_msgs/msg/Twist",
            "For Gazebo: where a base shall go.",
        ),
        Endpoint::new(
            "joint_trajectory",
            "trajectory_msgs/msg/JointTrajectory",
            "For Gazebo: where joints shall be.",
        ),
    ],
    parameters: &[
        topic(
            "gz_clock",
            "Gazebo's topic for `/clock`; empty: not bridged.",
        ),
        topic("gz_image", "Gazebo's topic for `image`."),
        topic("gz_camera_info", "Gazebo's topic for `camera_info`."),
        topic("gz_joint_states", "Gazebo's topic for `joint_states`."),
        topic("gz_contacts", "Gazebo's topic for `contacts`."),
        topic("gz_imu", "Gazebo's topic for `imu`."),
        topic("gz_odom", "Gazebo's topic for `odom`."),
        topic("gz_scan", "Gazebo's topic for `scan`."),
        topic("gz_cmd_vel", "Gazebo's topic for `cmd_vel`."),
        topic(
            "gz_joint_trajectory",
            "Gazebo's topic for `joint_trajectory`.",
        ),
    ],
    timers: &[TimerDecl {
        name: "poll",
        period_ns: POLL_NS,
    }],
    ..Interface::EMPTY
};

const fn topic(name: &'static str, doc: &'static str) -> ParameterDecl {
    ParameterDecl::text(name, "", doc)
}

/// What becomes of a message of Gazebo.
type Hand = fn(&[u8], &mut Context<'_>) -> Result<(), MessageError>;

/// What is heard of Gazebo: the parameter, Gazebo's type, and what becomes of it.
const HEARD: [(&str, &str, Hand); 8] = [
    ("gz_clock", "Clock", |b, ctx| {
        ctx.publish("/clock", messages::clock(b)?);
        Ok(())
    }),
    ("gz_image", "Image", |b, ctx| {
        ctx.publish("image", messages::image(b)?);
        Ok(())
    }),
    ("gz_camera_info", "CameraInfo", |b, ctx| {
        ctx.publish("camera_info", messages::camera_info(b)?);
        Ok(())
    }),
    ("gz_joint_states", "Model", |b, ctx| {
        ctx.publish("joint_states", messages::joint_states(b)?);
        Ok(())
    }),
    ("gz_contacts", "Contacts", |b, ctx| {
        ctx.publish("contacts", messages::contacts(b)?);
        Ok(())
    }),
    ("gz_imu", "IMU", |b, ctx| {
        ctx.publish("imu", messages::imu(b)?);
        Ok(())
    }),
    ("gz_odom", "Odometry", |b, ctx| {
        ctx.publish("odom", messages::odometry(b)?);
        Ok(())
    }),
    ("gz_scan", "LaserScan", |b, ctx| {
        ctx.publish("scan", messages::scan(b)?);
        Ok(())
    }),
];

struct GzBridge {
    link: Link,
    /// What becomes of the messages of each subscription.
    hands: Vec<Hand>,
    cmd_vel: Option<usize>,
    joint_trajectory: Option<usize>,
    received: u64,
    sent: u64,
    unsent: u64,
    refused: u64,
}

/// Makes the node, and joins Gazebo's partition.
///
/// # Errors
/// A program without the feature `gz-transport`, names that Gazebo's transport refuses, no
/// topic at all.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    let bridge = GzBridge::open(parameters).map_err(|reason| NodeError::Configuration {
        node: "gz_bridge",
        reason,
    })?;
    Ok(Box::new(bridge))
}

impl GzBridge {
    fn open(parameters: &Parameters) -> Result<Self, String> {
        let mut link = Link::open()?;
        let mut hands = Vec::new();
        for (parameter, kind, hand) in HEARD {
            let topic = parameters.text(parameter).trim();
            if !topic.is_empty() {
                link.subscribe(topic, kind)
                    .map_err(|e| format!("{parameter}: {e}"))?;
                hands.push(hand);
            }
        }
        let mut say = |parameter: &str, kind: &str| {
            let topic = parameters.text(parameter).trim();
            if topic.is_empty() {
                return Ok(None);
            }
            let publisher = link.advertise(topic, kind);
            publisher.map(Some).map_err(|e| format!("{parameter}: {e}"))
        };
        let cmd_vel = say("gz_cmd_vel", "Twist")?;
        let joint_trajectory = say("gz_joint_trajectory", "JointTrajectory")?;
        if hands.is_empty() && cmd_vel.is_none() && joint_trajectory.is_none() {
            return Err(
                "no topic of Gazebo is named: set gz_clock, gz_image or another".to_owned(),
            );
        }
        Ok(GzBridge {
            link,
            hands,
            cmd_vel,
            joint_trajectory,
            received: 0,
            sent: 0,
            unsent: 0,
            refused: 0,
        })
    }

    fn poll(&mut self, ctx: &mut Context<'_>) {
        while let Some((subscription, bytes)) = self.link.take() {
            self.received += 1;
            let done = (self.hands.get(subscription)).map_or(Ok(()), |hand| hand(&bytes, ctx));
            if let Err(error) = done {
                self.refuse(&error.to_string(), ctx);
            }
        }
    }

    fn command(&mut self, topic: &str, payload: &Payload) -> Result<(), PayloadError> {
        let to = match topic {
            "cmd_vel" => self.cmd_vel,
            _ => self.joint_trajectory,
        };
        let Some(to) = to else {
            return Ok(());
        };
        let message = match topic {
            "cmd_vel" => messages::twist(&*payload.get::<Twist>()?),
            _ => messages::joint_trajectory(&*payload.get::<JointTrajectory>()?),
        };
        match self.link.publish(to, &message) {
            true => self.sent += 1,
            false => self.unsent += 1,
        }
        Ok(())
    }

    fn refuse(&mut self, why: &str, ctx: &mut Context<'_>) {
        self.refused += 1;
        // One that comes a thousand times a second would fill the log.
        if self.refused.is_power_of_two() {
            let count = self.refused;
            ctx.log(
                Level::Warn,
                format!("a message is passed over ({count} so far): {why}"),
            );
        }
    }
}

impl Node for GzBridge {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        match input {
            // What came while it was at rest is of the past.
            Input::Start => while self.link.take().is_some() {},
            Input::Timer { .. } => self.poll(ctx),
            Input::Message { topic, payload } => {
                if let Err(error) = self.command(topic, &payload) {
                    self.refuse(&error.to_string(), ctx);
                }
            }
            _ => {}
        }
    }

    /// A base that was told to go stands.
    fn deactivate(&mut self, _ctx: &mut Context<'_>) {
        if let Some(to) = self.cmd_vel {
            self.link.publish(to, &messages::twist(&Twist::default()));
        }
    }

    fn real_time_only(&self) -> bool {
        true
    }

    fn health(&self) -> Health {
        let values = [
            ("received", self.received),
            ("sent", self.sent),
            ("not sent", self.unsent),
            ("dropped from Gazebo", self.link.dropped()),
            ("refused", self.refused),
        ];
        let nothing = !self.hands.is_empty() && self.received == 0;
        Health {
            warning: nothing.then(|| "nothing has come from Gazebo".to_owned()),
            values: values.map(|(k, v)| (k.to_owned(), v.to_string())).to_vec(),
        }
    }
}
