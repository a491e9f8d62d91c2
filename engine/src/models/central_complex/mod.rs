//! The bee's central complex as a path integrator: it keeps the way home while it goes
//! out at random, and steers home by it.
//!
//! Stone et al., Curr. Biol. 27, 3069 (2017), the final model of their public
//! implementation (`CXRatePontin`). A step takes the heading `theta` (0 is +y, clockwise
//! positive; of a ROS yaw it is `pi/2 - yaw`) and the velocity `v` over the ground. With
//! `phi_i = 2 pi (i mod 8)/8`, `W_jk = (1 - cos(2 pi (k-j)/8))/2` and
//! `s(x) = clip(1/(1 + exp(-x)) + n, 0, 1)`, `n` the noise of the population:
//!
//! ```text
//! TL_i   = s(6.8 cos(theta - phi_i) - 3.0)                                        16
//! CL1_i  = s(-3.0 TL_i + 0.5)                                                     16
//! TB1_j  = s(5 [0.667 (CL1_j + CL1_{j+8}) - 0.333 sum_k W_jk TB1_k(t-1)])          8
//! flow_0 = v . (sin(theta + 45 deg), cos(theta + 45 deg)),   flow_1 with -45 deg
//! TN1    = clip((1 - flow)/2 + n, 0, 1)                                            2
//! TN2    = clip(flow + n, 0, 1)                                                    2
//! m_i    = clip(m_i + g clip(TN2_{i<8 ? 0 : 1} - TB1_{i mod 8}, 0, 1) - 0.125 g, 0, 1)   16
//! CPU4_i = s(5 m_i - 2.5);   P_i = s(5 CPU4_i - 2.5)                               16 each
//! CPU1_i   = s(7.5 [0.5 CPU4_{8+(i-1)%8} - 0.5 P_{8+(i+3)%8} - TB1_i] + 1)        i = 0..7
//! CPU1_8+i = s(7.5 [0.5 CPU4_{(i+1)%8}   - 0.5 P_{(i+5)%8}   - TB1_i] + 1)
//! turn   = 0.25 (sum CPU1_0..7 - sum CPU1_8..15)                                  rad
//! ```
//!
//! `TL` cells see the compass, `TB1` cells hold the heading as a bump of activity, `TN`
//! cells see the optic flow, `CPU4` cells remember, in `m`, how far the way went in each
//! direction; the pontine cells (`P`) and `CPU1` compare that with the heading. The
//! `CPU1` cells 0 and 15 are those called CPU1b: what reaches them from the pontine
//! cells is drawn with noise of its own. `TN1` leads nowhere in this variant.
//!
//! A velocity of 1 is 1 step of length per step of time; the model is tuned to the
//! speeds of its agent ([`body`]), about 0.57 inbound.
//!
//! [`Extended`] is a variant that holds where this model breaks, [`Spiking`] one of
//! spiking neurons; [`statistics`] flies many routes with any of them, and [`places`] to
//! places that they remember.

pub mod body;
mod extended;
mod home_vector;
mod noise;
pub mod places;
mod rate;
mod route;
mod spiking;
pub mod statistics;
mod vector_memory;

pub use extended::{Extended, ExtendedParameters};
pub use home_vector::HomeVector;
pub use noise::{Gaussian, NoiseLevels, NoiseSource, Population, Silent};
pub use rate::{Parameters, RateModel};
pub use route::{Flight, Journey, RandomWalk, Step, fly, outbound};
#[cfg(feature = "spinnaker")]
pub(crate) use spiking::{
    AxonSpikes, COMPASS_BUNDLES, Circuit, FLOW_BUNDLES, Readout, Senses, activity, cells,
    skip_circuit, skip_senses,
};
pub use spiking::{EXCHANGE_MS, FULL_RATE_HZ, NEURONS, Spiking, SpikingParameters};
pub use vector_memory::VectorMemory;

/// What keeps the way home and steers by it.
pub trait PathIntegrator {
    /// One step: takes heading (rad) and velocity (x, y) over the ground, returns the
    /// turn in rad, clockwise positive. Allocates nothing.
    fn step<N: NoiseSource>(&mut self, heading_rad: f64, velocity: [f64; 2], noise: &mut N) -> f64
    where
        Self: Sized;

    /// The home vector that the memory holds.
    fn home_vector(&self) -> HomeVector;

    /// Where it is, to come back to.
    fn remember(&self) -> VectorMemory;

    /// Steers to this place from now on.
    fn go_to(&mut self, place: VectorMemory);

    /// Activities of a population's cells in the last step, 0 to 1; empty where there is
    /// no such population.
    fn activity(&self, population: Population) -> &[f64];
}
