//! Gazebo's messages as ROS's, and the other way. The numbers of the fields are those of
//! `gz-msgs` (the same from Fortress to Harmonic); what becomes of what is as `ros_gz_bridge`
//! has it.

use super::wire::{Fields, Message, Value, WireError};
use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::geometry_msgs::{Point, Pose, Quaternion, Twist, Vector3};
use saccade_msgs::nav_msgs::Odometry;
use saccade_msgs::ros_gz_interfaces::{Contact, Contacts, Entity};
use saccade_msgs::rosgraph_msgs::Clock;
use saccade_msgs::sensor_msgs::{CameraInfo, Image, Imu, JointState, LaserScan};
use saccade_msgs::std_msgs::Header;
use saccade_msgs::trajectory_msgs::{JointTrajectory, JointTrajectoryPoint};

/// A message of Gazebo that is none, or is one that ROS does not have.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum MessageError {
    /// Bytes.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// Pixels.
    #[error("an image of pixel format {0}, for which ROS has no name")]
    Pixels(u64),
    /// Size of an image.
    #[error("an image of {rows} rows of {step} bytes that has {bytes} bytes")]
    Rows {
        /// Rows that it says it has.
        rows: u32,
        /// Bytes of a row.
        step: u32,
        /// Bytes that there are.
        bytes: usize,
    },
}

type Result<T, E = MessageError> = std::result::Result<T, E>;

fn time(bytes: &[u8]) -> Result<Time, WireError> {
    let mut time = Time::default();
    for field in Fields::of(bytes) {
        match field? {
            (1, v) => time.sec = v.number()? as i32,
            (2, v) => time.nanosec = v.number()? as u32,
            _ => {}
        }
    }
    Ok(time)
}

/// A header, and the value of a name among its data.
fn header(bytes: &[u8], name: &str) -> Result<(Header, String), WireError> {
    let (mut header, mut found) = (Header::default(), String::new());
    for field in Fields::of(bytes) {
        match field? {
            (1, v) => header.stamp = time(v.bytes()?)?,
            (2, v) => {
                let (mut key, mut value) = (String::new(), None);
                for part in Fields::of(v.bytes()?) {
                    match part? {
                        (1, v) => key = v.text()?,
                        (2, v) if value.is_none() => value = Some(v.text()?),
                        _ => {}
                    }
                }
                let value = value.unwrap_or_default();
                if key == "frame_id" {
                    header.frame_id = value;
                } else if key == name {
                    found = value;
                }
            }
            _ => {}
        }
    }
    Ok((header, found))
}

fn plain(v: Value<'_>) -> Result<Header, WireError> {
    Ok(header(v.bytes()?, "")?.0)
}

/// Four numbers from field 2 on: a vector has three of them.
fn numbers(v: Value<'_>) -> Result<[f64; 4], WireError> {
    let mut numbers = [0.0; 4];
    for field in Fields::of(v.bytes()?) {
        if let (at @ 2..=5, v) = field? {
            numbers[at as usize - 2] = v.double()?;
        }
    }
    Ok(numbers)
}

fn vector(v: Value<'_>) -> Result<Vector3, WireError> {
    let [x, y, z, _] = numbers(v)?;
    Ok(Vector3 { x, y, z })
}

fn quaternion(v: Value<'_>) -> Result<Quaternion, WireError> {
    let [x, y, z, w] = numbers(v)?;
    Ok(Quaternion { x, y, z, w })
}

/// The simulated time.
pub fn clock(bytes: &[u8]) -> Result<Clock> {
    let mut clock = Clock::default();
    for field in Fields::of(bytes) {
        if let (4, v) = field? {
            clock.clock = time(v.bytes()?)?;
        }
    }
    Ok(clock)
}

/// What ROS calls a pixel format of Gazebo.
fn encoding(format: u64) -> Result<&'static str> {
    Ok(match format {
        1 => "mono8",
        2 => "mono16",
        3 => "rgb8",
        4 => "rgba8",
        5 => "bgra8",
        6 => "rgb16",
        8 => "bgr8",
        9 => "bgr16",
        13 => "32FC1",
        15 => "bayer_rggb8",
        16 => "bayer_bggr8",
        17 => "bayer_gbrg8",
        18 => "bayer_grbg8",
        other => return Err(MessageError::Pixels(other)),
    })
}

/// A picture.
pub fn image(bytes: &[u8]) -> Result<Image> {
    let (mut image, mut format) = (Image::default(), 0);
    for field in Fields::of(bytes) {
        match field? {
            (1, v) => image.header = plain(v)?,
            (2, v) => image.width = v.number()? as u32,
            (3, v) => image.height = v.number()? as u32,
            (4, v) => image.step = v.number()? as u32,
            (5, v) => image.data = v.bytes()?.to_vec(),
            (6, v) => format = v.number()?,
            _ => {}
        }
    }
    image.encoding = encoding(format)?.to_owned();
    let (rows, step, bytes) = (image.height, image.step, image.data.len());
    if u64::from(rows) * u64::from(step) != bytes as u64 {
        return Err(MessageError::Rows { rows, step, bytes });
    }
    Ok(image)
}

/// The first of a message's repeated doubles.
fn first<const N: usize>(v: Value<'_>, number: u64) -> Result<[f64; N], WireError> {
    let mut all = Vec::new();
    for field in Fields::of(v.bytes()?) {
        match field? {
            (n, v) if n == number => v.doubles(&mut all)?,
            _ => {}
        }
    }
    let mut some = [0.0; N];
    some.iter_mut().zip(all).for_each(|(to, x)| *to = x);
    Ok(some)
}

/// A camera's calibration.
pub fn camera_info(bytes: &[u8]) -> Result<CameraInfo> {
    let mut info = CameraInfo {
        distortion_model: "plumb_bob".to_owned(),
        ..CameraInfo::default()
    };
    let mut rectification = Vec::new();
    for field in Fields::of(bytes) {
        match field? {
            (1, v) => info.header = plain(v)?,
            (2, v) => info.width = v.number()? as u32,
            (3, v) => info.height = v.number()? as u32,
            (4, v) => {
                for field in Fields::of(v.bytes()?) {
                    match field? {
                        (1, v) => {
                            let models = ["plumb_bob", "rational_polynomial", "equidistant"];
                            let model = models.get(v.number()? as usize).copied();
                            info.distortion_model = model.unwrap_or_default().to_owned();
                        }
                        (2, v) => v.doubles(&mut info.d)?,
                        _ => {}
                    }
                }
            }
            (5, v) => info.k = first(v, 1)?,
            (6, v) => info.p = first(v, 1)?,
            (7, v) => v.doubles(&mut rectification)?,
            _ => {}
        }
    }
    info.r
        .iter_mut()
        .zip(rectification)
        .for_each(|(to, x)| *to = x);
    Ok(info)
}

/// Where a model's joints are: those that say so.
pub fn joint_states(bytes: &[u8]) -> Result<JointState> {
    let mut states = JointState::default();
    for field in Fields::of(bytes) {
        match field? {
            (1, v) => states.header = plain(v)?,
            (6, v) => {
                let (mut name, mut axis) = (String::new(), None);
                for field in Fields::of(v.bytes()?) {
                    match field? {
                        (2, v) => name = v.text()?,
                        (10, v) => axis = Some(v.bytes()?),
                        _ => {}
                    }
                }
                let Some(axis) = axis else {
                    continue;
                };
                let [mut position, mut velocity, mut force] = [0.0; 3];
                for field in Fields::of(axis) {
                    match field? {
                        (10, v) => position = v.double()?,
                        (11, v) => velocity = v.double()?,
                        (12, v) => force = v.double()?,
                        _ => {}
                    }
                }
                states.name.push(name);
                states.position.push(position);
                states.velocity.push(velocity);
                states.effort.push(force);
            }
            _ => {}
        }
    }
    Ok(states)
}

fn entity(v: Value<'_>) -> Result<Entity, WireError> {
    let mut entity = Entity::default();
    for field in Fields::of(v.bytes()?) {
        match field? {
            (2, v) => entity.id = v.number()?,
            (3, v) => entity.name = v.text()?,
            (4, v) => entity.r#type = v.number()? as u8,
            _ => {}
        }
    }
    Ok(entity)
}

/// What touches what; how hard is left out.
pub fn contacts(bytes: &[u8]) -> Result<Contacts> {
    let mut contacts = Contacts::default();
    for field in Fields::of(bytes) {
        match field? {
            (1, v) => contacts.header = plain(v)?,
            (2, v) => {
                let mut contact = Contact::default();
                for field in Fields::of(v.bytes()?) {
                    match field? {
                        (2, v) => contact.collision1 = entity(v)?,
                        (3, v) => contact.collision2 = entity(v)?,
                        (4, v) => contact.positions.push(vector(v)?),
                        (5, v) => contact.normals.push(vector(v)?),
                        (6, v) => v.doubles(&mut contact.depths)?,
                        _ => {}
                    }
                }
                contacts.contacts.push(contact);
            }
            _ => {}
        }
    }
    Ok(contacts)
}

/// Turn and acceleration.
pub fn imu(bytes: &[u8]) -> Result<Imu> {
    let mut imu = Imu::default();
    for field in Fields::of(bytes) {
        match field? {
            (1, v) => imu.header = plain(v)?,
            (3, v) => imu.orientation = quaternion(v)?,
            (4, v) => imu.angular_velocity = vector(v)?,
            (5, v) => imu.linear_acceleration = vector(v)?,
            _ => {}
        }
    }
    Ok(imu)
}

/// Where a base is, and how it goes.
pub fn odometry(bytes: &[u8]) -> Result<Odometry> {
    let mut odometry = Odometry::default();
    for field in Fields::of(bytes) {
        match field? {
            (1, v) => {
                let (header, child) = header(v.bytes()?, "child_frame_id")?;
                (odometry.header, odometry.child_frame_id) = (header, child);
            }
            (2, v) => odometry.pose.pose = pose(v)?,
            (3, v) => {
                for field in Fields::of(v.bytes()?) {
                    match field? {
                        (2, v) => odometry.twist.twist.linear = vector(v)?,
                        (3, v) => odometry.twist.twist.angular = vector(v)?,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    Ok(odometry)
}

fn pose(v: Value<'_>) -> Result<Pose, WireError> {
    let mut pose = Pose::default();
    for field in Fields::of(v.bytes()?) {
        match field? {
            (4, v) => {
                let Vector3 { x, y, z } = vector(v)?;
                pose.position = Point { x, y, z };
            }
            (5, v) => pose.orientation = quaternion(v)?,
            _ => {}
        }
    }
    Ok(pose)
}

/// Distances around: of several rows the middle one.
pub fn scan(bytes: &[u8]) -> Result<LaserScan> {
    let mut scan = LaserScan::default();
    let (mut count, mut rows) = (0, 1);
    let (mut ranges, mut intensities) = (Vec::new(), Vec::new());
    for field in Fields::of(bytes) {
        match field? {
            (1, v) => scan.header = plain(v)?,
            (4, v) => scan.angle_min = v.double()? as f32,
            (5, v) => scan.angle_max = v.double()? as f32,
            (6, v) => scan.angle_increment = v.double()? as f32,
            (7, v) => scan.range_min = v.double()? as f32,
            (8, v) => scan.range_max = v.double()? as f32,
            (9, v) => count = v.number()? as usize,
            (13, v) => rows = v.number()? as usize,
            (14, v) => v.doubles(&mut ranges)?,
            (15, v) => v.doubles(&mut intensities)?,
            _ => {}
        }
    }
    let middle = |all: &[f64]| -> Vec<f32> {
        let before = count.saturating_mul(rows / 2);
        let row = all.iter().skip(before).take(count);
        row.map(|x| *x as f32).collect()
    };
    (scan.ranges, scan.intensities) = (middle(&ranges), middle(&intensities));
    Ok(scan)
}

fn vector_message(v: &Vector3) -> Message {
    Message::default()
        .double(2, v.x)
        .double(3, v.y)
        .double(4, v.z)
}

/// A velocity, for Gazebo.
pub fn twist(twist: &Twist) -> Vec<u8> {
    let linear = vector_message(&twist.linear);
    let angular = vector_message(&twist.angular);
    Message::default()
        .message(2, linear)
        .message(3, angular)
        .into_bytes()
}

/// A trajectory, for Gazebo.
pub fn joint_trajectory(trajectory: &JointTrajectory) -> Vec<u8> {
    let Time { sec, nanosec } = trajectory.header.stamp;
    let stamp = Message::default()
        .number(1, sec.into())
        .number(2, nanosec.into());
    let mut message = Message::default().message(1, Message::default().message(1, stamp));
    for name in &trajectory.joint_names {
        message = message.bytes(2, name.as_bytes());
    }
    for point in &trajectory.points {
        message = message.message(3, trajectory_point(point));
    }
    message.into_bytes()
}

fn trajectory_point(point: &JointTrajectoryPoint) -> Message {
    let after = &point.time_from_start;
    let after = Message::default()
        .number(2, after.sec.into())
        .number(3, after.nanosec.into());
    Message::default()
        .doubles(1, &point.positions)
        .doubles(2, &point.velocities)
        .doubles(3, &point.accelerations)
        .doubles(4, &point.effort)
        .message(5, after)
}

#[cfg(test)]
#[path = "messages_tests.rs"]
mod tests;
