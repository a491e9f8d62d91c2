//! Queries in real time.
//!
//! The published inference follows the descent of the squared errors in 500 short steps,
//! each of which reads all weights. [`Method::Quick`] follows the same descent:
//!
//! * A step of the causes `c` of a layer that stands for k of the published ones is taken
//!   implicitly, `(1/(2 a k) + H) Δc = (e f') W^T - e_above`, with the curvature
//!   `H = W W^T + 1` where no unit is gated: no fewer steps are needed because it is
//!   steep in some directions, and it never overshoots, for gates only flatten it.
//! * The image is read once. As long as no pixel is predicted below 0 (none is where the
//!   network is trained: pixels are not), the lowest visual layer needs of it only
//!   `x W^T`, and an implicit step is a product with a matrix of its own causes.
//!   `x W^T` may be read in 8 bits; everything smaller stays as it is.
//!
//! A query allocates nothing and runs on the thread that asks.

use serde::{Deserialize, Serialize};

use super::network::{Activity, TACTILE, VISUAL, used};
use super::place_network::PlaceNetwork;
use super::shortcut::Shortcut;
use super::stored::Precision;
use crate::error::{Error, Result, check, check_count};
use crate::models::place::Senses;

/// How a query is answered.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// As published, at most so many iterations: seconds.
    Published(usize),
    /// In a few implicit steps: milliseconds.
    Quick(Quick),
}

impl Default for Method {
    fn default() -> Self {
        Method::Quick(Quick::default())
    }
}

/// Parameters of the quick method.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quick {
    /// Of the weights that the image meets.
    pub precision: Precision,
    /// Steps at most.
    pub steps: usize,
    /// Published iterations for which all steps together stand.
    pub iterations: f64,
    /// Starts from the causes of the last query, which is right where places follow each
    /// other.
    pub warm: bool,
    /// Ends where no joint cause moves by more than this in a step.
    pub tolerance: f64,
    /// Weighs senses by their reliability where the network has learnt it
    /// ([`Reliability`](super::Reliability)): an answer that leaves more unexplained than
    /// usual is worked out once more with conductances.
    pub weighted: bool,
}

impl Default for Quick {
    fn default() -> Self {
        Quick {
            precision: Precision::I8,
            steps: 6,
            iterations: 500.0,
            warm: false,
            tolerance: 0.0,
            weighted: false,
        }
    }
}

impl Quick {
    fn validate(&self) -> Result<()> {
        check_count("steps", self.steps, 1, 10_000)?;
        check("iterations", self.iterations, 1.0, 1e6)?;
        check("tolerance", self.tolerance, 0.0, 1e6)
    }
}

/// An answer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Answer<'a> {
    /// The code of the place: what the network's readout makes of the causes, or else the
    /// joint causes.
    pub code: &'a [f32],
    /// The joint causes, the published code.
    pub joint: &'a [f32],
    /// Iterations or steps taken.
    pub steps: usize,
    /// Mean squared errors of the image and of the whiskers (scaled) before the last
    /// step, where they were used: what is new is predicted badly.
    pub residual: [Option<f64>; 2],
}

/// Answers queries with a trained network.
#[derive(Clone, Debug)]
pub struct Recogniser {
    place: PlaceNetwork,
    method: Method,
    activity: Activity<f32>,
    shortcut: Option<Box<Shortcut>>,
    /// What the readout made of the last query; empty without one.
    code: Vec<f32>,
}

impl Recogniser {
    /// Prepares for queries; the quick method inverts a matrix the size of the lowest
    /// layer for it.
    ///
    /// # Errors
    /// [`Error::Parameter`].
    pub fn new(place: PlaceNetwork, method: Method) -> Result<Self> {
        let shortcut = match method {
            Method::Published(iterations) => {
                check_count("iterations", iterations, 1, 1_000_000)?;
                None
            }
            Method::Quick(quick) => {
                quick.validate()?;
                let known = place.reliability.filter(|_| quick.weighted);
                if quick.weighted && known.is_none() {
                    return Err(Error::Parameter {
                        name: "weighted".to_owned(),
                        value: "true".to_owned(),
                        range: "false: the network has learnt no reliabilities; train it anew \
                                with them"
                            .to_owned(),
                    });
                }
                Some(Box::new(Shortcut::new(&place.network, quick, known)))
            }
        };
        let activity = place.network.activity(1);
        let code = vec![0.0; place.readout.as_ref().map_or(0, |r| r.code_len())];
        Ok(Recogniser {
            place,
            method,
            activity,
            shortcut,
            code,
        })
    }

    /// The network.
    pub fn place(&self) -> &PlaceNetwork {
        &self.place
    }

    /// How queries are answered.
    pub fn method(&self) -> Method {
        self.method
    }

    /// The code of a place. `visual` and `tactile` may be empty where they are not used.
    ///
    /// # Errors
    /// [`Error::Input`] where a size is another than the network's, a value is not finite,
    /// or an image is not within 0 to 1; the last causes are kept then.
    pub fn recognise(
        &mut self,
        visual: &[f32],
        tactile: &[f32],
        senses: Senses,
    ) -> Result<Answer<'_>> {
        let network = &self.place.network;
        let inputs = &mut self.activity.inputs;
        self.place.prepare(visual, tactile, senses, inputs)?;
        let steps = match (&mut self.shortcut, self.method) {
            (Some(shortcut), _) => shortcut.infer(network, senses, &mut self.activity),
            (None, Method::Published(most)) => network.infer(senses, most, &mut self.activity)[0],
            (None, Method::Quick(_)) => 0,
        };
        if let Some(index) = self.activity.joint.iter().position(|c| !c.is_finite()) {
            let value = self.activity.joint[index];
            self.activity.restart(network.config().start as f32);
            return Err(Error::NotFinite {
                name: "joint causes".to_owned(),
                index,
                value: f64::from(value),
            });
        }
        let mut residual = [None; 2];
        for &m in used(senses) {
            residual[m] = Some(match (&self.shortcut, m) {
                (Some(shortcut), VISUAL) => shortcut.visual_residual(),
                _ => self.activity.mean_squared(m, 0, 0),
            });
        }
        let causes = &self.activity.causes;
        let tops = [VISUAL, TACTILE].map(|m| causes[m].last().map_or(&[][..], Vec::as_slice));
        let code = match &self.place.readout {
            Some(readout) => {
                readout.read(tops, senses, &mut self.code);
                &self.code
            }
            None => &self.activity.joint,
        };
        Ok(Answer {
            code,
            joint: &self.activity.joint,
            steps,
            residual,
        })
    }

    /// What the last answer's code lets expect of eyes and whiskers (scaled), whichever of
    /// them were used.
    pub fn imagine(&self) -> [Vec<f32>; 2] {
        self.place.network.imagine(&self.activity.joint)
    }

    /// Mean squared error of what the last joint causes predict of the top of each pathway.
    pub(super) fn missed_at_the_top(&self) -> [f64; 2] {
        let tops = self.activity.causes.each_ref().map(Vec::len);
        [0, 1].map(|m| self.activity.mean_squared(m, tops[m], 0))
    }

    /// The top causes of pathway `m` in the last answer.
    pub(super) fn top_causes(&self, m: usize) -> &[f32] {
        self.activity.causes[m].last().map_or(&[], Vec::as_slice)
    }

    /// How much each sense counted at the joint layer in the last answer, 0 to 1; 1
    /// without [`Quick::weighted`].
    pub fn conductances(&self) -> [f32; 2] {
        self.shortcut
            .as_ref()
            .map_or([1.0; 2], |s| s.conductances())
    }

    /// Bytes that the quick method reads for the image.
    pub fn encoder_bytes(&self) -> Option<usize> {
        self.shortcut.as_ref().map(|s| s.encoder_bytes())
    }
}
