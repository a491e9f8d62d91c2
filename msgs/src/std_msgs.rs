//! The header of stamped messages, and single values.

use crate::builtin_interfaces::Time;
use crate::macros::message;

message! {
    /// When and in which frame.
    #[derive(Eq, Hash)]
    pub struct Header = "std_msgs/msg/Header" {
        /// When the data were taken.
        stamp: Time,
        /// The coordinate frame they are in.
        frame_id: std::string::String,
    }
}

message! {
    /// A text.
    #[derive(Eq, Hash)]
    pub struct String = "std_msgs/msg/String" {
        /// The text.
        data: std::string::String,
    }
}

message! {
    /// A truth value.
    #[derive(Copy, Eq, Hash)]
    pub struct Bool = "std_msgs/msg/Bool" {
        /// The value.
        data: bool,
    }
}

message! {
    /// A count.
    #[derive(Copy, Eq, Hash)]
    pub struct UInt32 = "std_msgs/msg/UInt32" {
        /// The number.
        data: u32,
    }
}

message! {
    /// A number.
    #[derive(Copy)]
    pub struct Float64 = "std_msgs/msg/Float64" {
        /// The number.
        data: f64,
    }
}

message! {
    /// Numbers in as many dimensions as `layout` says.
    pub struct Float64MultiArray = "std_msgs/msg/Float64MultiArray" {
        /// The shape.
        layout: MultiArrayLayout,
        /// The numbers, last dimension fastest.
        data: Vec<f64>,
    }
}

message! {
    /// Single-precision numbers in as many dimensions as `layout` says.
    pub struct Float32MultiArray = "std_msgs/msg/Float32MultiArray" {
        /// The shape.
        layout: MultiArrayLayout,
        /// The numbers, last dimension fastest.
        data: Vec<f32>,
    }
}

message! {
    /// The shape of a multi-array.
    pub struct MultiArrayLayout = "std_msgs/msg/MultiArrayLayout" {
        /// Its dimensions, outermost first.
        dim: Vec<MultiArrayDimension>,
        /// Elements before the first one.
        data_offset: u32,
    }
}

message! {
    /// A dimension of a multi-array.
    pub struct MultiArrayDimension = "std_msgs/msg/MultiArrayDimension" {
        /// What it counts.
        label: std::string::String,
        /// Its size.
        size: u32,
        /// Elements from one of its slices to the next, times its size.
        stride: u32,
    }
}

message! {
    /// A colour, each part from 0 to 1.
    #[derive(Copy)]
    pub struct ColorRGBA = "std_msgs/msg/ColorRGBA" {
        /// Red.
        r: f32,
        /// Green.
        g: f32,
        /// Blue.
        b: f32,
        /// Opacity.
        a: f32,
    }
}
