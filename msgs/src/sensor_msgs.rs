//! Cameras, joints and inertial sensors.

use crate::geometry_msgs::{Quaternion, Vector3};
use crate::macros::message;
use crate::std_msgs::Header;

message! {
    /// An uncompressed picture, upper row first.
    #[derive(Eq, Hash)]
    pub struct Image = "sensor_msgs/msg/Image" {
        /// When it was taken, in which optical frame.
        header: Header,
        /// Rows.
        height: u32,
        /// Columns.
        width: u32,
        /// Pixel format: `rgb8`, `mono8`, ...
        encoding: String,
        /// 1 where pixels of several bytes are big endian.
        is_bigendian: u8,
        /// Bytes from one row to the next.
        step: u32,
        /// `step * height` bytes.
        data: Vec<u8>,
    }
}

message! {
    /// A compressed picture.
    #[derive(Eq, Hash)]
    pub struct CompressedImage = "sensor_msgs/msg/CompressedImage" {
        /// When it was taken, in which optical frame.
        header: Header,
        /// `png`, `jpeg`, ...
        format: String,
        /// The compressed file.
        data: Vec<u8>,
    }
}

message! {
    /// A camera's calibration.
    pub struct CameraInfo = "sensor_msgs/msg/CameraInfo" {
        /// When, in which optical frame.
        header: Header,
        /// Rows.
        height: u32,
        /// Columns.
        width: u32,
        /// Model of the distortion: `plumb_bob`, ...
        distortion_model: String,
        /// Its parameters.
        d: Vec<f64>,
        /// Row-major 3x3 of the raw picture: fx 0 cx, 0 fy cy, 0 0 1; in pixels.
        k: [f64; 9],
        /// Row-major 3x3 rotation that rectifies.
        r: [f64; 9],
        /// Row-major 3x4 projection of the rectified picture, in pixels.
        p: [f64; 12],
        /// Columns taken together.
        binning_x: u32,
        /// Rows taken together.
        binning_y: u32,
        /// The part of the sensor that is read.
        roi: RegionOfInterest,
    }
}

message! {
    /// A part of a picture, in pixels; all zero is the whole.
    #[derive(Copy, Eq, Hash)]
    pub struct RegionOfInterest = "sensor_msgs/msg/RegionOfInterest" {
        /// First column.
        x_offset: u32,
        /// First row.
        y_offset: u32,
        /// Rows.
        height: u32,
        /// Columns.
        width: u32,
        /// Whether rectifying cuts to this part.
        do_rectify: bool,
    }
}

message! {
    /// The state of joints; each list is as long as `name` or empty.
    pub struct JointState = "sensor_msgs/msg/JointState" {
        /// When.
        header: Header,
        /// Joint names.
        name: Vec<String>,
        /// In rad or m.
        position: Vec<f64>,
        /// In rad/s or m/s.
        velocity: Vec<f64>,
        /// In Nm or N.
        effort: Vec<f64>,
    }
}

message! {
    /// An inertial measurement. Covariances are row-major 3x3; a first element of
    /// -1 says that the quantity is not measured.
    pub struct Imu = "sensor_msgs/msg/Imu" {
        /// When, in which frame.
        header: Header,
        /// Rotation of the sensor.
        orientation: Quaternion,
        /// In rad^2.
        orientation_covariance: [f64; 9],
        /// In rad/s.
        angular_velocity: Vector3,
        /// In (rad/s)^2.
        angular_velocity_covariance: [f64; 9],
        /// In m/s^2.
        linear_acceleration: Vector3,
        /// In (m/s^2)^2.
        linear_acceleration_covariance: [f64; 9],
    }
}

message! {
    /// Distances that a scanner measured in one sweep of a plane.
    pub struct LaserScan = "sensor_msgs/msg/LaserScan" {
        /// When the first ray was measured; angles are about its frame's z axis.
        header: Header,
        /// Direction of the first ray, in rad; 0 is along x.
        angle_min: f32,
        /// Direction of the last ray, in rad.
        angle_max: f32,
        /// From one ray to the next, in rad.
        angle_increment: f32,
        /// From one ray to the next, in s.
        time_increment: f32,
        /// From one scan to the next, in s.
        scan_time: f32,
        /// Shortest distance that is measured, in m.
        range_min: f32,
        /// Longest distance that is measured, in m.
        range_max: f32,
        /// Distances in m; what lies outside of the range is to be left out.
        ranges: Vec<f32>,
        /// Intensities in the device's own units; may be empty.
        intensities: Vec<f32>,
    }
}
