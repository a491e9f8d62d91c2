//! What the parameters say.

use super::brain::{Brain, Kind};
use super::senses::Limits;
use crate::node::NodeError;
use crate::parameters::Parameters;

/// Turn at which a compass that says the same is stuck, rad.
const STUCK_TURN_RAD: f64 = 0.35;
/// The fastest turn that is believed, rad/s.
const PLAUSIBLE_TURN_RADPS: f64 = 20.0;
/// Deviation of a heading that comes without covariance, rad.
const HEADING_RAD: f64 = 0.1;
/// Deviation of a velocity that comes without covariance, m/s.
const VELOCITY_MPS: f64 = 0.05;

/// Where the motion comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Source {
    Odom,
    Flow,
    Twist,
}

/// What is set and does not change.
pub(super) struct Settings {
    pub source: Source,
    pub holonomic: bool,
    pub step_ns: i64,
    pub speed_mps: f64,
    pub min_speed_mps: f64,
    pub max_turn_radps: f64,
    pub home_radius_m: f64,
    pub approach_m: f64,
    pub timeout_ns: i64,
    pub patience_ns: i64,
    pub clock_jump_ns: i64,
    pub obstacle_m: f64,
    pub obstacle_rad: f64,
    pub drift_rad: f64,
    pub base_frame: String,
}

impl Settings {
    /// Of these parameters.
    ///
    /// # Errors
    /// `motion` or `drive` is none of its words.
    pub fn new(parameters: &Parameters) -> Result<Self, NodeError> {
        Ok(Self {
            source: match parameters.text("motion") {
                "odom" => Source::Odom,
                "flow" => Source::Flow,
                "twist" => Source::Twist,
                _ => return Err(none_of(parameters, "motion", "odom, flow, twist")),
            },
            holonomic: match parameters.text("drive") {
                "unicycle" => false,
                "holonomic" => true,
                _ => return Err(none_of(parameters, "drive", "unicycle, holonomic")),
            },
            step_ns: nanoseconds(parameters.double("step_period")),
            speed_mps: parameters.double("speed"),
            min_speed_mps: parameters.double("min_speed"),
            max_turn_radps: parameters.double("max_turn"),
            home_radius_m: parameters.double("home_radius"),
            approach_m: parameters.double("approach"),
            timeout_ns: nanoseconds(parameters.double("timeout")),
            patience_ns: nanoseconds(parameters.double("patience")),
            clock_jump_ns: nanoseconds(parameters.double("clock_jump")),
            obstacle_m: parameters.double("obstacle_distance"),
            obstacle_rad: parameters.double("obstacle_angle"),
            drift_rad: parameters.double("compass_drift"),
            base_frame: parameters.text("base_frame").to_owned(),
        })
    }
}

/// The model, at home.
///
/// # Errors
/// `model` is none of its words, or the engine refuses a level of noise.
pub(super) fn brain(parameters: &Parameters) -> Result<Brain, NodeError> {
    let kind = Kind::from_name(parameters.text("model"))
        .ok_or_else(|| none_of(parameters, "model", "rate, extended, spiking"))?;
    Brain::new(
        kind,
        parameters.double("speed"),
        parameters.double("step_period"),
        parameters.double("noise"),
        parameters.integer("seed") as u64,
    )
    .map_err(|e| wrong(e.to_string()))
}

/// What of the senses is believed.
pub(super) fn limits(parameters: &Parameters) -> Limits {
    Limits {
        timeout_ns: nanoseconds(parameters.double("sensor_timeout")),
        speed_mps: parameters.double("plausible_speed"),
        turn_radps: PLAUSIBLE_TURN_RADPS,
        acceleration_mps2: parameters.double("plausible_acceleration"),
        heading_variance: HEADING_RAD * HEADING_RAD,
        velocity_variance: VELOCITY_MPS * VELOCITY_MPS,
        stuck_ns: nanoseconds(parameters.double("stuck_time")),
        stuck_turn_rad: STUCK_TURN_RAD,
    }
}

/// Seconds as nanoseconds.
pub(super) fn nanoseconds(seconds: f64) -> i64 {
    (seconds * 1e9) as i64
}

fn wrong(reason: String) -> NodeError {
    NodeError::Configuration {
        node: "path_integration",
        reason,
    }
}

fn none_of(parameters: &Parameters, what: &str, words: &str) -> NodeError {
    let value = parameters.text(what);
    wrong(format!(
        "parameter '{what}' = '{value}' is none of: {words}"
    ))
}
