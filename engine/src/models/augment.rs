//! Variations of a sample, drawn anew every time it is presented in training.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check};

/// How samples vary in training. Inputs are `(channel, row, column)` in row-major
/// order, as the encoder numbers them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Augment {
    /// Width of the grid of inputs in cells.
    pub width: usize,
    /// Height of the grid of inputs in cells.
    pub height: usize,
    /// Largest shift of the grid in cells, along each axis; what leaves it is lost.
    pub shift: usize,
    /// Whether to mirror left and right in half of the cases.
    pub flip_horizontal: bool,
    /// Whether to mirror up and down in half of the cases.
    pub flip_vertical: bool,
    /// Largest share of spikes left out; the share is drawn per presentation.
    pub drop: f64,
    /// Largest displacement of a spike in time, in ticks. Two spikes of an input that
    /// come into one tick by it count as two.
    pub jitter_ticks: u16,
    /// Largest common delay of all spikes, in ticks.
    pub delay_ticks: u16,
}

impl Default for Augment {
    fn default() -> Self {
        Self {
            width: 32,
            height: 32,
            shift: 3,
            flip_horizontal: true,
            flip_vertical: false,
            drop: 0.3,
            jitter_ticks: 1,
            delay_ticks: 5,
        }
    }
}

impl Augment {
    /// No variation at all.
    pub fn none() -> Self {
        Self {
            shift: 0,
            flip_horizontal: false,
            drop: 0.0,
            jitter_ticks: 0,
            delay_ticks: 0,
            ..Self::default()
        }
    }

    /// Checks the parameters against the inputs of the network.
    ///
    /// # Errors
    /// [`Error::Parameter`] names the first one that does not fit.
    pub fn validate(&self, n_in: usize) -> Result<()> {
        check("augment.drop", self.drop, 0.0, 1.0)?;
        let moves = self.shift > 0 || self.flip_horizontal || self.flip_vertical;
        let cells = self.width.checked_mul(self.height).unwrap_or(0);
        if moves && (cells == 0 || !n_in.is_multiple_of(cells)) {
            return Err(Error::Parameter {
                name: "augment.width x augment.height".to_owned(),
                value: format!("{}x{}", self.width, self.height),
                range: format!("a grid of which {n_in} inputs are a multiple"),
            });
        }
        Ok(())
    }

    /// Writes a variation of `spikes` within `ticks` ticks to `out`.
    pub(super) fn apply(
        &self,
        spikes: &[(u16, u32)],
        ticks: usize,
        rng: &mut ChaCha8Rng,
        out: &mut Vec<(u16, u32)>,
    ) {
        out.clear();
        let place = Placement::draw(self, rng);
        let delay = i32::from(rng.random_range(0..=self.delay_ticks));
        let keep = 1.0 - self.drop * rng.random::<f64>();
        // A 16-bit number decides each; the other 16 bits of the draw give the jitter.
        let keep = (keep * 65536.0) as u32;
        let (jitter, last) = (i32::from(self.jitter_ticks), ticks as i32 - 1);
        for &(tick, id) in spikes {
            let draw = rng.random::<u32>();
            if draw & 0xffff >= keep {
                continue;
            }
            let Some(id) = place.of(id) else { continue };
            let moved = ((draw >> 16) as i32 * (2 * jitter + 1)) >> 16;
            let tick = (i32::from(tick) + delay + moved - jitter).max(0);
            if tick <= last {
                out.push((tick as u16, id));
            }
        }
    }
}

/// Where the cells of the grid go in one presentation.
struct Placement {
    width: i32,
    height: i32,
    shift: [i32; 2],
    flip: [bool; 2],
    /// Whether every cell stays where it is.
    still: bool,
}

impl Placement {
    fn draw(augment: &Augment, rng: &mut ChaCha8Rng) -> Self {
        let k = augment.shift as i32;
        let shift = [rng.random_range(-k..=k), rng.random_range(-k..=k)];
        let coin = [rng.random_bool(0.5), rng.random_bool(0.5)];
        let flip = [
            augment.flip_horizontal && coin[0],
            augment.flip_vertical && coin[1],
        ];
        Self {
            width: augment.width as i32,
            height: augment.height as i32,
            shift,
            flip,
            still: shift == [0, 0] && flip == [false, false],
        }
    }

    /// The input to which `id` goes, `None` where it leaves the grid.
    fn of(&self, id: u32) -> Option<u32> {
        if self.still {
            return Some(id);
        }
        let (w, h) = (self.width, self.height);
        let cell = id as i32 % (w * h);
        let (x, y) = (cell % w, cell / w);
        let x = if self.flip[0] { w - 1 - x } else { x } + self.shift[0];
        let y = if self.flip[1] { h - 1 - y } else { y } + self.shift[1];
        let inside = (0..w).contains(&x) && (0..h).contains(&y);
        inside.then(|| (id as i32 - cell + y * w + x) as u32)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn none_changes_nothing() {
        let spikes = [(0, 5), (9, 2047)];
        let mut out = Vec::new();
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        Augment::none().apply(&spikes, 10, &mut rng, &mut out);
        assert_eq!(out, spikes);
    }

    /// Spikes stay in their channel and within the interval, and shifts reach both ends.
    #[test]
    fn variations_stay_inside() {
        let augment = Augment {
            width: 8,
            height: 4,
            shift: 2,
            flip_horizontal: true,
            drop: 0.5,
            jitter_ticks: 3,
            delay_ticks: 4,
            ..Augment::default()
        };
        augment.validate(64).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        let mut out = Vec::new();
        let (mut seen, mut ticks) = (vec![false; 64], vec![false; 20]);
        for _ in 0..2000 {
            augment.apply(&[(10, 32 + 8 + 4)], 20, &mut rng, &mut out);
            for &(tick, id) in &out {
                seen[id as usize] = true;
                ticks[usize::from(tick)] = true;
            }
        }
        // Row 1 moves to rows 0..=3, column 4 (mirrored: 3) to columns 1..=6.
        for (id, seen) in seen.into_iter().enumerate() {
            let (x, y) = (id % 8, id / 8 % 4);
            assert_eq!(seen, id >= 32 && (1..=6).contains(&x) && y <= 3, "{id}");
        }
        for (tick, seen) in ticks.into_iter().enumerate() {
            assert_eq!(seen, (7..=17).contains(&tick), "{tick}");
        }
    }

    #[test]
    fn a_grid_that_does_not_fit_is_refused() {
        let error = Augment::default().validate(2000).unwrap_err().to_string();
        assert!(error.contains("32x32") && error.contains("2000"), "{error}");
    }
}
