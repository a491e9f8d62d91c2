//! What `ros_gz_bridge` says of Gazebo that ROS has no message for: contacts.

use crate::geometry_msgs::{Vector3, Wrench};
use crate::macros::message;
use crate::std_msgs::{Header, String as Text, UInt32};

message! {
    /// Something in the world, by number or name.
    #[derive(Eq, Hash)]
    pub struct Entity = "ros_gz_interfaces/msg/Entity" {
        /// Its number, 0 where it goes by its name.
        id: u64,
        /// Its name with those above it: `model::link::collision`.
        name: String,
        /// What it is: a constant from `NONE` on.
        r#type: u8,
    }
    const {
        /// Not said.
        NONE: u8 = 0,
        /// A light.
        LIGHT: u8 = 1,
        /// A model.
        MODEL: u8 = 2,
        /// A link.
        LINK: u8 = 3,
        /// Something seen.
        VISUAL: u8 = 4,
        /// Something that collides.
        COLLISION: u8 = 5,
        /// A sensor.
        SENSOR: u8 = 6,
        /// A joint.
        JOINT: u8 = 7,
    }
}

message! {
    /// Force and torque between two bodies.
    pub struct JointWrench = "ros_gz_interfaces/msg/JointWrench" {
        /// When.
        header: Header,
        /// Name of the first body.
        body_1_name: Text,
        /// Number of the first body.
        body_1_id: UInt32,
        /// Name of the second body.
        body_2_name: Text,
        /// Number of the second body.
        body_2_id: UInt32,
        /// What the first one feels.
        body_1_wrench: Wrench,
        /// What the second one feels.
        body_2_wrench: Wrench,
    }
}

message! {
    /// Two things that touch.
    pub struct Contact = "ros_gz_interfaces/msg/Contact" {
        /// One of them.
        collision1: Entity,
        /// The other.
        collision2: Entity,
        /// Where, m, in the world.
        positions: Vec<Vector3>,
        /// Along what, one for each position.
        normals: Vec<Vector3>,
        /// How deep, m, one for each position.
        depths: Vec<f64>,
        /// How hard, one for each position.
        wrenches: Vec<JointWrench>,
    }
}

message! {
    /// All that touches one sensor now.
    pub struct Contacts = "ros_gz_interfaces/msg/Contacts" {
        /// When.
        header: Header,
        /// The contacts.
        contacts: Vec<Contact>,
    }
}
