//! ROS 2 message types, CDR and ROS 1 encodings, schema texts.
//!
//! Every message is a plain struct in a module named after its ROS package.
//! One field list per type makes the struct, its bytes and its definition, so
//! that they cannot disagree.
//!
//! ```
//! use saccade_msgs::{Message, from_cdr, std_msgs::Header, to_cdr};
//!
//! let header = Header { frame_id: "camera".to_owned(), ..Header::default() };
//! let bytes = to_cdr(&header);
//! assert_eq!(from_cdr::<Header>(&bytes)?, header);
//! assert_eq!(Header::TYPE_NAME, "std_msgs/msg/Header");
//! # Ok::<(), saccade_msgs::cdr::CdrError>(())
//! ```

pub mod cdr;
pub mod field;
mod macros;
pub mod registry;
pub mod schema;

pub mod action_msgs;
pub mod builtin_interfaces;
pub mod control_msgs;
pub mod diagnostic_msgs;
pub mod dvs_msgs;
pub mod event_camera_msgs;
pub mod geometry_msgs;
pub mod lifecycle_msgs;
pub mod nav_msgs;
pub mod rcl_interfaces;
pub mod ros_gz_interfaces;
pub mod rosgraph_msgs;
pub mod saccade_msgs;
pub mod sensor_msgs;
pub mod std_msgs;
pub mod std_srvs;
pub mod tf2_msgs;
pub mod trajectory_msgs;
pub mod unique_identifier_msgs;
pub mod vision_msgs;
pub mod visualization_msgs;

use cdr::{CdrError, Encoding, Reader, Writer};
use schema::Schema;

/// A ROS message.
pub trait Message: Clone + std::fmt::Debug + PartialEq + Default + Send + Sync + 'static {
    /// `package/msg/Name`.
    const TYPE_NAME: &'static str;

    /// Least number of bytes a value takes, without padding.
    const MIN_SIZE: usize;

    /// The type as data.
    fn schema() -> Schema;

    /// Appends the body to `w`, CDR or ROS 1.
    fn encode(&self, w: &mut Writer);

    /// Reads a body from `r`, CDR or ROS 1.
    ///
    /// # Errors
    /// Where the bytes are not such a message.
    fn decode(r: &mut Reader<'_>) -> Result<Self, CdrError>;

    /// Appends the message as a JSON object; numbers that JSON lacks (NaN,
    /// infinities) become `null`.
    fn write_json(&self, out: &mut String);

    /// The ROS 2 definition: own fields, then after lines of 80 `=` and
    /// `MSG: package/Name` those of every type it is made of.
    #[must_use]
    fn definition() -> String {
        Self::schema().definition()
    }
}

/// A message of any type, shared between those that know which.
pub trait AnyMessage: std::any::Any + Send + Sync {
    /// `package/msg/Name`.
    fn type_name(&self) -> &'static str;

    /// Appends the body to `w`.
    fn encode_to(&self, w: &mut Writer);
}

impl<M: Message> AnyMessage for M {
    fn type_name(&self) -> &'static str {
        M::TYPE_NAME
    }

    fn encode_to(&self, w: &mut Writer) {
        self.encode(w);
    }
}

/// A message whose ROS 1 definition has the same fields, so that ROS 1 bags can
/// hold it. (`std_msgs/Header`'s additional `seq` is written as 0 and read
/// over.) Types that differ between ROS 1 and 2, such as `sensor_msgs/CameraInfo`
/// with its capital letters, do not have it.
pub trait Ros1Message: Message {
    /// ROS 1 type name, `package/Name`.
    #[must_use]
    fn ros1_type_name() -> String {
        schema::short_name(Self::TYPE_NAME)
    }

    /// The definition as a bag's connection record carries it.
    #[must_use]
    fn ros1_definition() -> String {
        Self::schema().ros1_definition()
    }

    /// The md5 that ROS 1 compares types by.
    #[must_use]
    fn ros1_md5() -> String {
        Self::schema().ros1_md5()
    }
}

/// A service: two messages.
pub trait Service: 'static {
    /// What is asked.
    type Request: Message;
    /// What is answered.
    type Response: Message;
    /// `package/srv/Name`.
    const TYPE_NAME: &'static str;
}

/// An action: three messages.
pub trait Action: 'static {
    /// What is wanted.
    type Goal: Message;
    /// What came of it.
    type Result: Message;
    /// How it goes.
    type Feedback: Message;
    /// `package/action/Name`.
    const TYPE_NAME: &'static str;
}

/// The message as CDR with its encapsulation header, little endian.
#[must_use]
pub fn to_cdr<M: Message>(message: &M) -> Vec<u8> {
    let mut w = Writer::new(Encoding::Cdr);
    message.encode(&mut w);
    w.into_bytes()
}

/// Reads CDR with its encapsulation header, little or big endian. Up to three
/// bytes of padding may follow.
///
/// # Errors
/// Where the bytes are not such a message; see [`CdrError`].
pub fn from_cdr<M: Message>(bytes: &[u8]) -> Result<M, CdrError> {
    read_all(Reader::cdr(bytes)?)
}

/// The message as ROS 1 writes it.
#[must_use]
pub fn to_ros1<M: Ros1Message>(message: &M) -> Vec<u8> {
    let mut w = Writer::new(Encoding::Ros1);
    message.encode(&mut w);
    w.into_bytes()
}

/// Reads what ROS 1 wrote.
///
/// # Errors
/// Where the bytes are not such a message; see [`CdrError`].
pub fn from_ros1<M: Ros1Message>(bytes: &[u8]) -> Result<M, CdrError> {
    read_all(Reader::ros1(bytes))
}

/// The message as a JSON object (see [`Message::write_json`]).
#[must_use]
pub fn to_json<M: Message>(message: &M) -> String {
    let mut out = String::new();
    message.write_json(&mut out);
    out
}

fn read_all<M: Message>(mut r: Reader<'_>) -> Result<M, CdrError> {
    let message = M::decode(&mut r)?;
    r.finish(M::TYPE_NAME)?;
    Ok(message)
}

/// A pixel of an event camera saw its brightness change.
///
/// 16 bytes, with the fields in this order, so that decoders can write whole
/// events with vector instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[repr(C)]
pub struct Event {
    /// Time in microseconds; from which moment is the stream's affair.
    pub t_us: u64,
    /// Column, from the left.
    pub x: u16,
    /// Row, from the top.
    pub y: u16,
    /// Whether it became brighter.
    pub on: bool,
}

/// The classes of the grasp scene, in the order of their `class_id`.
pub const CLASSES: [&str; 4] = ["ball", "bottle", "pen", "background"];
