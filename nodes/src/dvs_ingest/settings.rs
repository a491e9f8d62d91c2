//! The node's parameters, as it uses them.

use crate::filters::ChainSpec;
use crate::node::NodeError;
use crate::parameters::Parameters;
use saccade_engine::encoder::{Code, Encoder, EncoderConfig, Placement};
use saccade_rosbags::events::Geometry;
use saccade_worlds::event_camera::EventCameraParams;

/// Parameters that were read, but not held against a sensor yet.
pub struct Settings {
    pub filters: ChainSpec,
    pub gap_ns: i64,
    pub pixels: EventCameraParams,
    pub image_seed: u64,
    out: u16,
    window: u16,
    attention: bool,
    history: usize,
    code: Code,
}

/// The node cannot be as it is asked to be.
pub fn refused(reason: String) -> NodeError {
    NodeError::Configuration {
        node: "dvs_ingest",
        reason,
    }
}

impl Settings {
    /// Reads the parameters, and the files that filters name.
    pub fn read(parameters: &Parameters) -> Result<Self, NodeError> {
        let filters = ChainSpec::parse(parameters.text("filters"));
        Ok(Settings {
            filters: filters.map_err(|e| refused(format!("parameter 'filters': {e}")))?,
            gap_ns: parameters.integer("gap") * 1_000_000,
            pixels: pixels_of(parameters),
            image_seed: parameters.integer("image_seed") as u64,
            out: parameters.integer("out") as u16,
            window: parameters.integer("window") as u16,
            attention: parameters.switch("attention"),
            history: parameters.integer("history") as usize,
            code: code_of(parameters)?,
        })
    }

    /// The encoder of a sensor, or of what the filters leave of it.
    pub fn encoder(&self, sensor: Geometry) -> Result<Encoder, String> {
        let Geometry { width, height } = sensor;
        let automatic = (width.min(height) / 2 / self.out).max(1) * self.out;
        let default = EncoderConfig::default();
        let placement = match default.placement {
            Placement::Attention {
                min_events,
                iterations,
                smoothing_ticks,
                ..
            } if self.attention => Placement::Attention {
                history: self.history,
                min_events: min_events.min(self.history),
                iterations,
                smoothing_ticks,
            },
            _ => Placement::Centre,
        };
        let config = EncoderConfig {
            sensor_width: width,
            sensor_height: height,
            window: if self.window == 0 {
                automatic
            } else {
                self.window
            },
            out: self.out,
            placement,
            code: self.code,
            ..default
        };
        Encoder::new(config).map_err(|e| e.to_string())
    }
}

fn code_of(parameters: &Parameters) -> Result<Code, NodeError> {
    match parameters.text("code") {
        "address" => Ok(Code::Address),
        "count" => Ok(Code::Count {
            events: parameters.integer("count_events") as u32,
            bin_ticks: parameters.integer("count_bin") as u32,
        }),
        "time_surface" => Ok(Code::TimeSurface {
            tau_ticks: parameters.double("surface_tau") as f32,
            period_ticks: parameters.double("surface_period") as f32,
        }),
        other => Err(refused(format!(
            "parameter 'code' = '{other}' is none of address, count, time_surface"
        ))),
    }
}

fn pixels_of(parameters: &Parameters) -> EventCameraParams {
    let number = |name| parameters.double(name) as f32;
    EventCameraParams {
        contrast_on: number("image_contrast_on"),
        contrast_off: number("image_contrast_off"),
        contrast_sigma: number("image_contrast_sigma"),
        refractory_us: number("image_refractory_us"),
        cutoff_hz: number("image_cutoff"),
        leak_rate_hz: number("image_leak_rate"),
        leak_sigma_decades: number("image_leak_sigma"),
        shot_noise_rate_hz: number("image_shot_noise_rate"),
        ..EventCameraParams::default()
    }
}
