//! Recognised places and odometry together: where the robot is in the map, and with it where
//! odometry's own frame lies there.

use super::estimate::pose_message;
use crate::node::Context;
use crate::parameters::Parameters;
use saccade_engine::models::place::{Estimate, Found, Pose, PoseFilter, PoseFilterConfig, Senses};
use saccade_msgs::geometry_msgs::{Transform, TransformStamped};
use saccade_msgs::nav_msgs::Odometry;
use saccade_msgs::tf2_msgs::TFMessage;

/// Matches that are weighed, however many are published.
pub const MATCHES: usize = 20;
/// How exact odometry's first pose is taken to be, m and rad.
const BEGIN: f64 = 0.05;

/// What is kept from sample to sample.
pub struct Fusion {
    filter: PoseFilter,
    /// Begins where odometry says; otherwise where places say.
    from_odometry: bool,
    /// Shares of the answers that say nothing of where the robot is.
    wrong: f64,
    wrong_by_touch: f64,
    broadcasts: bool,
    /// Odometry at the last sample, and what the filter made of it.
    anchor: Option<(Pose, Estimate)>,
    odom_frame: String,
}

impl Fusion {
    /// As the parameters want it; none where they want none.
    ///
    /// # Errors
    /// Words that `fusion` and `fusion_begin` do not have, or values out of range.
    pub fn new(parameters: &Parameters) -> Result<Option<Self>, String> {
        let none_of = |what: &str, words: &str| {
            let value = parameters.text(what);
            Err(format!(
                "parameter '{what}' = '{value}' is none of: {words}"
            ))
        };
        let from_odometry = match parameters.text("fusion_begin") {
            "odometry" => true,
            "places" => false,
            _ => return none_of("fusion_begin", "odometry, places"),
        };
        match parameters.text("fusion") {
            "none" => return Ok(None),
            "particles" => {}
            _ => return none_of("fusion", "none, particles"),
        }
        let config = PoseFilterConfig {
            particles: parameters.integer("particles") as usize,
            seed: parameters.integer("seed") as u64,
            way_noise: parameters.double("way_noise"),
            turn_noise: parameters.double("turn_noise"),
            heading_noise: parameters.double("heading_noise"),
            ..PoseFilterConfig::default()
        };
        Ok(Some(Fusion {
            filter: PoseFilter::new(config).map_err(|e| e.to_string())?,
            from_odometry,
            wrong: parameters.double("wrong"),
            wrong_by_touch: parameters.double("wrong_by_touch"),
            broadcasts: parameters.switch("tf_broadcast"),
            anchor: None,
            odom_frame: String::new(),
        }))
    }

    /// Takes a sample's time: odometry then (none where it is silent), and the places
    /// recognised by these senses (none where nothing was). The pose in the map.
    pub fn sample(
        &mut self,
        odometer: Option<Pose>,
        recognised: Option<(Senses, &[Found])>,
    ) -> Option<Estimate> {
        if let Some(odometer) = odometer {
            self.filter.moved(odometer);
            if self.from_odometry && !self.filter.has_begun() {
                self.filter.begin(odometer, BEGIN, BEGIN);
            }
        }
        if let Some((senses, found)) = recognised
            && (self.filter.has_begun() || !self.from_odometry)
        {
            let wrong = match senses {
                Senses::Both | Senses::Vision => self.wrong,
                Senses::Touch => self.wrong_by_touch,
            };
            self.filter.recognised(found, wrong);
        }
        let estimate = self.filter.estimate()?;
        if let Some(odometer) = odometer {
            self.anchor = Some((odometer, estimate));
        }
        Some(estimate)
    }

    /// What odometry says, in the map's frame, as of the last sample. None before there
    /// was one.
    pub fn corrected(
        &mut self,
        odometry: &Odometry,
        now: &Pose,
        map_frame: &str,
    ) -> Option<Odometry> {
        self.odom_frame.clone_from(&odometry.header.frame_id);
        let (_, estimate) = self.anchor.as_ref()?;
        let mut message = odometry.clone();
        message.header.frame_id = map_frame.to_owned();
        message.pose.pose = pose_message(&after(&self.shift()?, now));
        message.pose.covariance = super::estimate::covariance(estimate);
        Some(message)
    }

    /// Where odometry's frame lies in the map's.
    fn shift(&self) -> Option<Pose> {
        let (odometer, estimate) = self.anchor.as_ref()?;
        let theta_rad = estimate.pose.theta_rad - odometer.theta_rad;
        let turned = after(
            &Pose {
                x_m: 0.0,
                y_m: 0.0,
                theta_rad,
            },
            odometer,
        );
        Some(Pose {
            x_m: estimate.pose.x_m - turned.x_m,
            y_m: estimate.pose.y_m - turned.y_m,
            theta_rad,
        })
    }

    /// Publishes the pose of the last sample, and the transform.
    pub fn publish(&self, estimate: &Estimate, map_frame: &str, ctx: &mut Context<'_>) {
        let mut message = super::estimate::message(estimate);
        message.header.stamp = ctx.stamp();
        map_frame.clone_into(&mut message.header.frame_id);
        ctx.publish("fused_pose", message);
        let Some(shift) = self
            .shift()
            .filter(|_| self.broadcasts && !self.odom_frame.is_empty())
        else {
            return;
        };
        let pose = pose_message(&shift);
        let mut transform = TransformStamped {
            child_frame_id: self.odom_frame.clone(),
            transform: Transform {
                rotation: pose.orientation,
                ..Transform::default()
            },
            ..TransformStamped::default()
        };
        transform.header.stamp = ctx.stamp();
        map_frame.clone_into(&mut transform.header.frame_id);
        let there = &mut transform.transform.translation;
        (there.x, there.y) = (shift.x_m, shift.y_m);
        ctx.publish(
            "/tf",
            TFMessage {
                transforms: vec![transform],
            },
        );
    }
}

/// A pose of a frame that lies at `frame`.
fn after(frame: &Pose, pose: &Pose) -> Pose {
    let (s, c) = frame.theta_rad.sin_cos();
    Pose {
        x_m: frame.x_m + c * pose.x_m - s * pose.y_m,
        y_m: frame.y_m + s * pose.x_m + c * pose.y_m,
        theta_rad: frame.theta_rad + pose.theta_rad,
    }
}
