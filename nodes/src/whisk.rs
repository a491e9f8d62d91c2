//! `whisk`: moves the whiskers to and fro, and back at once where they touch.
//!
//! All whiskers go together, from `back` to `forward` and back again, a cosine. Rapid
//! cessation of protraction: each whisker's upper limit goes from `forward` towards -60° with
//! the strongest contact that it had since the cycle began, contact = clip((|xy| - 0.04) · 5,
//! 0, 1), as in the public WhiskEye controller.

use crate::embedded_whiskeye::array;
use crate::interface::{Endpoint, Interface, ParameterDecl, Qos, TimerDecl};
use crate::node::{Context, Health, Input, Level, Node, NodeError};
use crate::parameters::Parameters;
use saccade_msgs::saccade_msgs::WhiskPhase;
use saccade_msgs::std_msgs::Float32MultiArray;
use saccade_worlds::whiskeye::{COLUMNS, ROWS, WHISKERS};

/// A step, s.
const STEP_S: f64 = 0.02;
/// A deflection that is no contact yet, and how fast contact grows beyond it.
const SILENT_XY: f32 = 0.04;
const GAIN: f32 = 5.0;
/// Where the upper limit goes under full contact, degrees.
const CEASED_DEG: f32 = -60.0;

/// The node's declarations.
pub static INTERFACE: Interface = Interface {
    name: "whisk",
    doc: "Whisks: moves WhiskEye's whiskers to and fro, and back at once where they touch.",
    publishers: &[
        Endpoint::new(
            "head/theta_cmd",
            "std_msgs/msg/Float32MultiArray",
            "Angles for the 24 whiskers in rad, at 50 Hz.",
        ),
        Endpoint::new(
            "head/whisk",
            "saccade_msgs/msg/WhiskPhase",
            "The whiskers begin to go forward, or have done so: then a whisk is sampled.",
        ),
    ],
    subscriptions: &[Endpoint::new(
        "head/xy",
        "std_msgs/msg/Float32MultiArray",
        "Deflections of the 24 whiskers, two each.",
    )
    .qos(Qos::SENSOR)],
    parameters: &[
        ParameterDecl::double("rate", 2.0, (0.1, 10.0), "Hz", "Whisks per second."),
        ParameterDecl::double("back", -30.0, (-60.0, 60.0), "deg", "Where whiskers begin."),
        ParameterDecl::double(
            "forward",
            45.0,
            (-60.0, 60.0),
            "deg",
            "Where whiskers go that touch nothing.",
        ),
        ParameterDecl::switch("cessation", true, "Whether contact ends protraction."),
    ],
    timers: &[TimerDecl {
        name: "step",
        period_ns: (STEP_S * 1e9) as i64,
    }],
    ..Interface::EMPTY
};

/// Makes the node.
///
/// # Errors
/// `back` that is not behind `forward`.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    let [back, forward] = ["back", "forward"].map(|name| parameters.double(name));
    if back >= forward {
        return Err(NodeError::Configuration {
            node: "whisk",
            reason: format!("back is {back}, forward {forward} degrees; make back the smaller"),
        });
    }
    Ok(Box::new(Whisk {
        cycle: 1.0 / (STEP_S * parameters.double("rate")),
        back_rad: back.to_radians() as f32,
        forward_rad: forward.to_radians() as f32,
        cessation: parameters.switch("cessation"),
        steps: 0,
        contact: [0.0; WHISKERS],
        refused: 0,
    }))
}

struct Whisk {
    /// Steps in a cycle, a fraction left.
    cycle: f64,
    back_rad: f32,
    forward_rad: f32,
    cessation: bool,
    steps: u64,
    /// The strongest of the cycle.
    contact: [f32; WHISKERS],
    refused: u64,
}

/// How much of a contact a deflection is, 0 to 1; none where it is not a number.
pub fn contact(x: f32, y: f32) -> f32 {
    let beyond = (x.hypot(y) - SILENT_XY) * GAIN;
    if beyond > 0.0 { beyond.min(1.0) } else { 0.0 }
}

impl Whisk {
    fn step(&mut self, ctx: &mut Context<'_>) {
        let at = self.steps as f64 / self.cycle;
        let before = (self.steps.saturating_sub(1)) as f64 / self.cycle;
        // Half cycles: even ones go forward.
        let half = (2.0 * at) as u64;
        if self.steps == 0 || half != (2.0 * before) as u64 {
            let protracting = half.is_multiple_of(2);
            if protracting {
                self.contact = [0.0; WHISKERS];
            }
            let mut phase = WhiskPhase {
                id: at as u32,
                protracting,
                ..WhiskPhase::default()
            };
            phase.header.stamp = ctx.stamp();
            phase.header.frame_id = "head".into();
            ctx.publish("head/whisk", phase);
        }
        self.steps += 1;
        let part = 0.5 - 0.5 * (std::f64::consts::TAU * at).cos();
        let free = self.back_rad + part as f32 * (self.forward_rad - self.back_rad);
        let ceased = CEASED_DEG.to_radians();
        let limit = |contact: f32| self.forward_rad + contact * (ceased - self.forward_rad);
        let theta = self.contact.iter().map(|c| free.min(limit(*c)));
        let theta = array(theta.collect(), &[("row", ROWS), ("column", COLUMNS)]);
        ctx.publish("head/theta_cmd", theta);
    }

    fn feel(&mut self, xy: &[f32]) {
        if xy.len() != 2 * WHISKERS {
            self.refused += 1;
            return;
        }
        for (strongest, xy) in self.contact.iter_mut().zip(xy.chunks_exact(2)) {
            if self.cessation {
                *strongest = strongest.max(contact(xy[0], xy[1]));
            }
        }
    }
}

impl Node for Whisk {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        match input {
            Input::Timer { .. } => self.step(ctx),
            Input::Message { payload, .. } => match payload.get::<Float32MultiArray>() {
                Ok(xy) => self.feel(&xy.data),
                Err(error) => ctx.log(Level::Warn, error.to_string()),
            },
            _ => {}
        }
    }

    fn health(&self) -> Health {
        let whisks = (self.steps as f64 / self.cycle) as u64;
        let values = [("whisks", whisks), ("deflections refused", self.refused)];
        Health {
            warning: None,
            values: values.map(|(k, v)| (k.to_owned(), v.to_string())).to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::Output;
    use crate::payload::Payload;

    /// Commands and phases of a second, with the deflection of whisker 3 by its angle.
    fn second(rate: &str, feel: impl Fn(f32) -> f32) -> (Vec<Vec<f32>>, Vec<(i64, bool)>) {
        let mut parameters = Parameters::defaults(&INTERFACE);
        parameters.set_text("rate", rate).expect("in range");
        let mut node = create(&parameters).expect("valid");
        let (mut outputs, mut id) = (Vec::new(), 0);
        let (mut commands, mut phases) = (Vec::new(), Vec::new());
        for step in 0..50 {
            let now_ns = step * 20_000_000;
            let mut ctx = Context::new(now_ns, now_ns, &mut outputs, &mut id);
            node.handle(Input::Timer { name: "step" }, &mut ctx);
            for output in std::mem::take(&mut outputs) {
                let Output::Publish { topic, payload } = output else {
                    continue;
                };
                if topic == "head/whisk" {
                    let phase = payload.get::<WhiskPhase>().expect("a phase");
                    phases.push((now_ns / 1_000_000, phase.protracting));
                } else {
                    let theta = payload.get::<Float32MultiArray>().expect("angles");
                    commands.push(theta.data.clone());
                }
            }
            let mut xy = vec![0.0; 2 * WHISKERS];
            xy[6] = feel(commands.last().expect("a command")[3]);
            let mut ctx = Context::new(now_ns, now_ns, &mut outputs, &mut id);
            let payload = Payload::new(array(xy, &[]));
            node.handle(
                Input::Message {
                    topic: "head/xy",
                    payload,
                },
                &mut ctx,
            );
        }
        (commands, phases)
    }

    #[test]
    fn whiskers_go_to_and_fro() {
        let (commands, phases) = second("2", |_| 0.0);
        let first: Vec<f32> = commands.iter().map(|c| c[0].to_degrees()).collect();
        assert!((first[0] + 30.0).abs() < 0.01 && (first[25] + 30.0).abs() < 0.01);
        let most = first.iter().copied().fold(f32::MIN, f32::max);
        assert!((44.0..=45.001).contains(&most), "{most}");
        let expected = [(0, true), (260, false), (500, true), (760, false)];
        assert_eq!(phases, expected);
        let (_, phases) = second("8", |_| 0.0);
        assert_eq!(phases.len(), 16, "{phases:?}");
    }

    #[test]
    fn contact_ends_protraction_of_what_touches_alone() {
        // It touches from 10 degrees on, the harder the farther.
        let (commands, _) = second("2", |theta| (-3.0 * (theta - 0.17)).min(0.0));
        let most = |i: usize| {
            commands
                .iter()
                .map(|c| c[i].to_degrees())
                .fold(f32::MIN, f32::max)
        };
        assert!(most(3) < 25.0, "{}", most(3));
        assert!(most(2) > 44.0);
        // Lightly touched it stays below what it would be, and begins anew next time.
        let least = commands.iter().map(|c| c[3]).fold(f32::MAX, f32::min);
        assert!(least.to_degrees() < -30.0, "it draws back: {least}");
        assert!((commands[25][3].to_degrees() + 30.0).abs() < 0.01);
    }

    #[test]
    fn contact_is_clipped_and_no_number_is_none() {
        assert_eq!(contact(0.03, 0.0), 0.0);
        assert!((contact(0.0, -0.14) - 0.5).abs() < 1e-6);
        assert_eq!(contact(3.0, 3.0), 1.0);
        assert_eq!(contact(f32::NAN, 0.0), 0.0);
    }
}
