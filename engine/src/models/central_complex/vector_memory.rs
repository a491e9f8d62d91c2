//! Memory of a place: where it lies, seen from home.
//!
//! An insect that finds food keeps what its path integrator held there, and later goes
//! back by the difference to what it holds now: a vector-memory neuron that inhibits the
//! memory neurons by what they held at the place (Le Moel et al., Front. Psychol. 10, 690
//! (2019)). Without it the memory pulls home; with it, to the place, from wherever the
//! agent is: a straight way between two places that it never flew.

/// What the memory held at a place, less what it holds at home, by memory neuron.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct VectorMemory(pub(crate) [f64; 16]);

impl VectorMemory {
    /// Home: nothing is inhibited.
    pub const HOME: Self = Self([0.0; 16]);
}
