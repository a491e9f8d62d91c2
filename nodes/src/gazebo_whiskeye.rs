//! `gazebo_whiskeye`: WhiskEye's own topics on those that Gazebo has. Gazebo moves joints by
//! trajectories and says which bodies touch; the robot takes arrays of angles and says how
//! far each whisker is bent.

use crate::embedded_whiskeye::array;
use crate::interface::{Endpoint, Interface, ParameterDecl, Qos, TimerDecl};
use crate::node::{Context, Health, Input, Level, Node, NodeError};
use crate::parameters::Parameters;
use crate::payload::{Payload, PayloadError};
use saccade_msgs::geometry_msgs::{Pose2D, Twist};
use saccade_msgs::nav_msgs::Odometry;
use saccade_msgs::ros_gz_interfaces::{Contact, Contacts};
use saccade_msgs::sensor_msgs::JointState;
use saccade_msgs::std_msgs::{Bool, Float32MultiArray};
use saccade_msgs::trajectory_msgs::{JointTrajectory, JointTrajectoryPoint};
use saccade_worlds::whiskeye::{COLUMNS, NECK, ROWS, WHISKERS};
use std::f32::consts::{FRAC_PI_2, FRAC_PI_3};

const STEP_NS: i64 = 20_000_000;
/// A command that is older than this does not move the base, ns.
const COMMAND_NS: i64 = 500_000_000;
/// A contact is over when it has not been said again for so long, ns.
const CONTACT_NS: i64 = 100_000_000;
/// Beyond this a whisker's joint does not go, rad (the world file's limit).
const WHISKER_RAD: f32 = FRAC_PI_3;
/// Limits of the neck's joints (the world file's), rad.
const NECK_RAD: [[f32; 2]; 3] = [[0.0, 1.2217], [0.0, 2.0944], [-FRAC_PI_2, FRAC_PI_2]];

const ARRAY: &str = "std_msgs/msg/Float32MultiArray";

/// The node's declarations.
pub static INTERFACE: Interface = Interface {
    name: "gazebo_whiskeye",
    doc: "WhiskEye's own topics on those of Gazebo.",
    publishers: &[
        Endpoint::new(
            "head/theta",
            ARRAY,
            "Angles of the 24 whiskers in rad, 6 rows by 4 columns, forward is positive, at 50 Hz.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "head/xy",
            ARRAY,
            "Their deflections, two each: while a whisker touches, by how much its joint is forward of where it was sent, rad; the second is 0.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new("head/neck", ARRAY, "Lift, pitch and yaw of the neck in rad.")
            .qos(Qos::SENSOR),
        Endpoint::new(
            "body/pose",
            "geometry_msgs/msg/Pose2D",
            "Where the base is by its odometry.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "body/bumper",
            "std_msgs/msg/Bool",
            "Whether base or head touch something but the ground, at 50 Hz.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "gazebo/cmd_vel",
            "geometry_msgs/msg/Twist",
            "For Gazebo: body/cmd_vel while it is fresh and nothing stops the robot, else zero; at 50 Hz.",
        ),
        Endpoint::new(
            "gazebo/joint_trajectory",
            "trajectory_msgs/msg/JointTrajectory",
            "For Gazebo: one point, where neck and whiskers shall be, at 50 Hz.",
        ),
    ],
    subscriptions: &[
        Endpoint::new(
            "head/theta_cmd",
            ARRAY,
            "Angles for the 24 whiskers in rad; what is beyond the limits is cut.",
        ),
        Endpoint::new("head/neck_cmd", ARRAY, "Lift, pitch and yaw for the neck in rad."),
        Endpoint::new(
            "body/cmd_vel",
            "geometry_msgs/msg/Twist",
            "Where to go: x, y and yaw; a command holds for 0.5 s.",
        ),
        Endpoint::new(
            "e_stop",
            "std_msgs/msg/Bool",
            "True stops base, neck and whiskers.",
        )
        .qos(Qos::LATCHED),
        Endpoint::new(
            "joint_states",
            "sensor_msgs/msg/JointState",
            "From Gazebo: neck and whiskers.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new("odom", "nav_msgs/msg/Odometry", "From Gazebo.").qos(Qos::SENSOR),
        Endpoint::new(
            "gazebo/contacts",
            "ros_gz_interfaces/msg/Contacts",
            "From Gazebo: what touches whiskers, base and head.",
        )
        .qos(Qos::SENSOR.depth(256)),
    ],
    parameters: &[
        ParameterDecl::double("neck_lift", 0.6109, (0.0, 1.2217), "rad", "Lift until told otherwise."),
        ParameterDecl::double("neck_pitch", 0.6981, (0.0, 2.0944), "rad", "Pitch until told otherwise."),
    ],
    timers: &[TimerDecl {
        name: "step",
        period_ns: STEP_NS,
    }],
    ..Interface::EMPTY
};

/// Makes the node.
///
/// # Errors
/// None beyond what the parameters' ranges check.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    let neck = ["neck_lift", "neck_pitch"].map(|n| parameters.double(n) as f32);
    Ok(Box::new(GazeboWhiskEye {
        theta_rad: [0.0; WHISKERS],
        sent_rad: [0.0; WHISKERS],
        neck_rad: [0.0; 3],
        neck_sent_rad: [neck[0], neck[1], 0.0],
        touched_ns: [i64::MIN / 2; WHISKERS],
        bumped_ns: i64::MIN / 2,
        velocity: None,
        heard: false,
        e_stop: false,
        refused: 0,
        contacts: 0,
    }))
}

struct GazeboWhiskEye {
    theta_rad: [f32; WHISKERS],
    sent_rad: [f32; WHISKERS],
    neck_rad: [f32; 3],
    neck_sent_rad: [f32; 3],
    /// When each whisker was last said to touch something.
    touched_ns: [i64; WHISKERS],
    bumped_ns: i64,
    velocity: Option<(i64, Twist)>,
    /// Joint states have come.
    heard: bool,
    e_stop: bool,
    refused: u64,
    contacts: u64,
}

/// What of the robot a body of Gazebo is.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Part {
    Whisker(usize),
    Body,
}

/// The number of the whisker whose link or joint has this name.
fn whisker(name: &str) -> Option<usize> {
    let digits = name.strip_prefix("whisker_")?;
    let digits = digits.strip_suffix("_joint").unwrap_or(digits);
    let [row, column] = digits.as_bytes() else {
        return None;
    };
    let (row, column) = (
        row.wrapping_sub(b'0') as usize,
        column.wrapping_sub(b'0') as usize,
    );
    (row < ROWS && column < COLUMNS).then_some(row * COLUMNS + column)
}

/// Of names such as `whiskeye::whisker_00::c0`, also with a world before them.
fn part(name: &str) -> Option<Part> {
    name.split("::").find_map(|word| match word {
        "base_link" | "head" => Some(Part::Body),
        word => whisker(word).map(Part::Whisker),
    })
}

impl GazeboWhiskEye {
    fn touch(&mut self, contact: &Contact, now_ns: i64) {
        let names = [&contact.collision1.name, &contact.collision2.name];
        let parts = names.map(|n| part(n));
        let ground = names
            .iter()
            .any(|n| n.split("::").any(|word| word == "ground"));
        // What the robot does to itself is not touch.
        if parts.iter().all(Option::is_some) {
            return;
        }
        match parts.into_iter().flatten().next() {
            Some(Part::Whisker(w)) => self.touched_ns[w] = now_ns,
            Some(Part::Body) if !ground => self.bumped_ns = now_ns,
            _ => return,
        }
        self.contacts += 1;
    }

    fn joints(&mut self, message: &JointState) {
        for (name, position) in message.name.iter().zip(&message.position) {
            let position = *position as f32;
            if let Some(w) = whisker(name) {
                self.theta_rad[w] = position;
            } else if let Some(n) = NECK.iter().position(|n| n == name) {
                self.neck_rad[n] = position;
            } else {
                continue;
            }
            self.heard = true;
        }
    }

    /// Takes numbers within limits; another number of them, or one that is none, is refused.
    fn command<const N: usize>(
        refused: &mut u64,
        to: &mut [f32; N],
        data: &[f32],
        limits: impl Fn(usize) -> [f32; 2],
    ) {
        if data.len() != N || data.iter().any(|v| !v.is_finite()) {
            *refused += 1;
            return;
        }
        for (k, (to, value)) in to.iter_mut().zip(data).enumerate() {
            let [low, high] = limits(k);
            *to = value.clamp(low, high);
        }
    }

    fn step(&mut self, ctx: &mut Context<'_>) {
        let rows = ("row", ROWS);
        let columns = ("column", COLUMNS);
        if self.heard {
            let recent = |ns: i64| ctx.now_ns - ns <= CONTACT_NS;
            let bent = |w: usize| match recent(self.touched_ns[w]) {
                true => self.theta_rad[w] - self.sent_rad[w],
                false => 0.0,
            };
            let xy = (0..WHISKERS).flat_map(|w| [bent(w), 0.0]).collect();
            let bumped = recent(self.bumped_ns);
            ctx.publish(
                "head/theta",
                array(self.theta_rad.to_vec(), &[rows, columns]),
            );
            ctx.publish("head/xy", array(xy, &[rows, columns, ("xy", 2)]));
            ctx.publish("head/neck", array(self.neck_rad.to_vec(), &[("joint", 3)]));
            ctx.publish("body/bumper", Bool { data: bumped });
        }
        let held = |(since, _): &(i64, Twist)| ctx.now_ns - since <= COMMAND_NS;
        let velocity = self.velocity.filter(held).filter(|_| !self.e_stop);
        ctx.publish(
            "gazebo/cmd_vel",
            velocity.map_or_else(Twist::default, |v| v.1),
        );
        self.send(ctx);
    }

    fn send(&self, ctx: &mut Context<'_>) {
        let name = |w: usize| format!("whisker_{}{}_joint", w / COLUMNS, w % COLUMNS);
        let names = NECK
            .map(str::to_owned)
            .into_iter()
            .chain((0..WHISKERS).map(name));
        let angles = self.neck_sent_rad.iter().chain(&self.sent_rad);
        let mut message = JointTrajectory {
            joint_names: names.collect(),
            points: vec![JointTrajectoryPoint {
                positions: angles.map(|a| f64::from(*a)).collect(),
                ..JointTrajectoryPoint::default()
            }],
            ..JointTrajectory::default()
        };
        message.header.stamp = ctx.stamp();
        ctx.publish("gazebo/joint_trajectory", message);
    }

    fn message(
        &mut self,
        topic: &str,
        payload: &Payload,
        ctx: &mut Context<'_>,
    ) -> Result<(), PayloadError> {
        match topic {
            "head/theta_cmd" if !self.e_stop => {
                let data = &payload.get::<Float32MultiArray>()?.data;
                let limits = |_| [-WHISKER_RAD, WHISKER_RAD];
                Self::command(&mut self.refused, &mut self.sent_rad, data, limits);
            }
            "head/neck_cmd" if !self.e_stop => {
                let data = &payload.get::<Float32MultiArray>()?.data;
                Self::command(&mut self.refused, &mut self.neck_sent_rad, data, |k| {
                    NECK_RAD[k]
                });
            }
            "body/cmd_vel" => {
                let twist = *payload.get::<Twist>()?;
                let finite = [twist.linear.x, twist.linear.y, twist.angular.z];
                if finite.iter().all(|v| v.is_finite()) {
                    self.velocity = Some((ctx.now_ns, twist));
                } else {
                    self.refused += 1;
                }
            }
            "e_stop" => {
                self.e_stop = payload.get::<Bool>()?.data;
                if self.e_stop {
                    // Where they are now is where they stay.
                    self.velocity = None;
                    if self.heard {
                        self.sent_rad = self.theta_rad;
                        self.neck_sent_rad = self.neck_rad;
                    }
                    ctx.publish("gazebo/cmd_vel", Twist::default());
                    self.send(ctx);
                }
            }
            "joint_states" => self.joints(&*payload.get()?),
            "odom" => {
                let odom = payload.get::<Odometry>()?;
                let (p, q) = (odom.pose.pose.position, odom.pose.pose.orientation);
                let theta =
                    (2.0 * (q.w * q.z + q.x * q.y)).atan2(1.0 - 2.0 * (q.y * q.y + q.z * q.z));
                ctx.publish(
                    "body/pose",
                    Pose2D {
                        x: p.x,
                        y: p.y,
                        theta,
                    },
                );
            }
            "gazebo/contacts" => {
                for contact in &payload.get::<Contacts>()?.contacts {
                    self.touch(contact, ctx.now_ns);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl Node for GazeboWhiskEye {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        match input {
            Input::Message { topic, payload } => {
                if let Err(error) = self.message(topic, &payload, ctx) {
                    self.refused += 1;
                    ctx.log(Level::Warn, error.to_string());
                }
            }
            Input::Timer { .. } => self.step(ctx),
            _ => {}
        }
    }

    fn health(&self) -> Health {
        let number = |name: &str, n: u64| (name.to_owned(), n.to_string());
        Health {
            warning: (!self.heard).then(|| "no joint states of neck and whiskers yet".to_owned()),
            values: vec![
                number("contacts", self.contacts),
                number("refused", self.refused),
            ],
        }
    }
}

#[cfg(test)]
mod tests;
