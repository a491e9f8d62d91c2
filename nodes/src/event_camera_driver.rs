//! What the driver of an event camera says, for the cameras that simulators have.

use crate::node::{Context, Level};
use saccade_msgs::Event;
use saccade_msgs::sensor_msgs::CameraInfo;
use saccade_rosbags::events::{Geometry, mono_packet};
use saccade_worlds::render::Camera;

/// Publishes a camera's `events` and `camera_info`, and counts.
pub(crate) struct EventCameraDriver {
    frame_id: String,
    packets: u64,
    events: u64,
}

impl EventCameraDriver {
    /// Of the camera with this name in the world file.
    pub(crate) fn new(camera: &str) -> Self {
        EventCameraDriver {
            frame_id: format!("{camera}_optical"),
            packets: 0,
            events: 0,
        }
    }

    /// Takes the events of a step from simulated to ROS time, `offset_ns` later, and
    /// publishes them as a packet, where there are any.
    pub(crate) fn publish(
        &mut self,
        events: &mut [Event],
        offset_ns: i64,
        camera: &Camera,
        ctx: &mut Context<'_>,
    ) {
        let offset_us = offset_ns / 1000;
        for event in events.iter_mut() {
            event.t_us = event.t_us.saturating_add_signed(offset_us);
        }
        let Some(first) = events.first() else {
            return;
        };
        self.events += events.len() as u64;
        let sensor = Geometry {
            width: camera.width as u16,
            height: camera.height as u16,
        };
        let base_ns = first.t_us * 1000;
        match mono_packet(events, base_ns, sensor, self.packets, &self.frame_id) {
            Ok(packet) => {
                self.packets += 1;
                ctx.publish("events", packet);
            }
            Err(error) => ctx.log(Level::Error, error.to_string()),
        }
    }

    /// Publishes the calibration: a pinhole without distortion.
    pub(crate) fn inform(&self, camera: &Camera, ctx: &mut Context<'_>) {
        let mut info = calibration(camera);
        info.header.stamp = ctx.stamp();
        info.header.frame_id = self.frame_id.clone();
        ctx.publish("camera_info", info);
    }

    /// For the node's health.
    pub(crate) fn counts(&self) -> [(&'static str, u64); 2] {
        [("packets", self.packets), ("events", self.events)]
    }
}

/// What a camera without distortion has for a calibration.
pub(crate) fn calibration(camera: &Camera) -> CameraInfo {
    let [fx, fy, cx, cy] = [camera.fx, camera.fy, camera.cx, camera.cy].map(f64::from);
    CameraInfo {
        height: camera.height,
        width: camera.width,
        distortion_model: "plumb_bob".into(),
        d: vec![0.0; 5],
        k: [fx, 0.0, cx, 0.0, fy, cy, 0.0, 0.0, 1.0],
        r: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        p: [fx, 0.0, cx, 0.0, 0.0, fy, cy, 0.0, 0.0, 0.0, 1.0, 0.0],
        ..CameraInfo::default()
    }
}
