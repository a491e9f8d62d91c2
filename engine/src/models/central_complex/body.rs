//! The agent of the published model: a point with drag.

/// Drag of the published agent, per step.
pub const DRAG: f64 = 0.15;
/// Acceleration on the way home, per step.
pub const ACCELERATION: f64 = 0.1;

/// Heading and velocity; see the [module docs](super) for the convention.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Body {
    /// Heading in rad, not wrapped.
    pub heading_rad: f64,
    /// Velocity (x, y), in steps of length per step of time.
    pub velocity: [f64; 2],
}

impl Body {
    /// A step: the turn, then the thrust along the new heading, then the drag.
    #[must_use]
    pub fn moved(self, turn_rad: f64, acceleration: f64) -> Self {
        let heading_rad = self.heading_rad + turn_rad;
        let thrust = [heading_rad.sin(), heading_rad.cos()];
        let velocity = [0, 1].map(|k| {
            let v = self.velocity[k] + acceleration * thrust[k];
            v - DRAG * v
        });
        Self {
            heading_rad,
            velocity,
        }
    }
}
