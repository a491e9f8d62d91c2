//! NumPy's legacy random numbers (`numpy.random.seed` and its draws), bit by bit.
//!
//! The reference tasks of NEST draw weights and inputs with them; with the same
//! numbers here the same seed gives the same task. Facts from the documentation of
//! `numpy.random.RandomState`, whose stream is frozen: MT19937; 53-bit doubles out
//! of two words; normal deviates by Marsaglia's polar method, in pairs of which the
//! second is kept; integers by masking one word.

use rand_mt::Mt;

/// NumPy's `RandomState`.
#[derive(Clone, Debug)]
pub struct NumpyRandom {
    words: Mt,
    /// The second deviate of the last pair.
    normal: Option<f64>,
}

impl NumpyRandom {
    /// `numpy.random.seed(seed)`.
    pub fn new(seed: u32) -> Self {
        Self {
            words: Mt::new(seed),
            normal: None,
        }
    }

    /// `rand()`: uniform in [0, 1).
    pub fn uniform(&mut self) -> f64 {
        let high = f64::from(self.words.next_u32() >> 5);
        let low = f64::from(self.words.next_u32() >> 6);
        (high * 67_108_864.0 + low) / 9_007_199_254_740_992.0
    }

    /// `uniform(low, high)`.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.uniform()
    }

    /// `randn()`: normal with mean 0 and variance 1.
    pub fn normal(&mut self) -> f64 {
        if let Some(kept) = self.normal.take() {
            return kept;
        }
        loop {
            let x1 = 2.0 * self.uniform() - 1.0;
            let x2 = 2.0 * self.uniform() - 1.0;
            let r2 = x1 * x1 + x2 * x2;
            if r2 < 1.0 && r2 != 0.0 {
                let f = (-2.0 * r2.ln() / r2).sqrt();
                self.normal = Some(f * x1);
                return f * x2;
            }
        }
    }

    /// `randint(bound)`: uniform in 0..bound; `bound` is from 1 to 2^32 - 1.
    pub fn below(&mut self, bound: u32) -> u32 {
        let most = bound.max(1) - 1;
        let mask = u32::MAX.checked_shr(most.leading_zeros()).unwrap_or(0);
        loop {
            let word = if most == 0 {
                0
            } else {
                self.words.next_u32() & mask
            };
            if word <= most {
                return word;
            }
        }
    }

    /// `choice([0, 1])`: true for 1.
    pub fn coin(&mut self) -> bool {
        self.words.next_u32() & 1 == 1
    }

    /// `choice([0, 1], p=[p0, p1])`: true for 1.
    pub fn biased_coin(&mut self, p0: f64, p1: f64) -> bool {
        let first = p0 / (p0 + p1);
        self.uniform() >= first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What NumPy 2.4 prints after `numpy.random.seed(1)`.
    #[test]
    fn draws_are_numpys() {
        let mut random = NumpyRandom::new(1);
        let uniform: Vec<f64> = (0..3).map(|_| random.uniform()).collect();
        assert_eq!(uniform, UNIFORM);
        let mut random = NumpyRandom::new(1);
        let normal: Vec<f64> = (0..3).map(|_| random.normal()).collect();
        assert_eq!(normal, NORMAL);
        let mut random = NumpyRandom::new(1);
        let coins: Vec<u8> = (0..12).map(|_| u8::from(random.coin())).collect();
        assert_eq!(coins, COINS);
        let mut random = NumpyRandom::new(1);
        let biased: Vec<u8> = (0..12)
            .map(|_| u8::from(random.biased_coin(0.3, 0.7)))
            .collect();
        assert_eq!(biased, BIASED);
        assert_eq!(NumpyRandom::new(1).between(0.5, 2.0), BETWEEN);
        let mut random = NumpyRandom::new(1);
        let below: Vec<u32> = [3, 3, 3, 3, 1, 1000, 1000, 8]
            .map(|bound| random.below(bound))
            .to_vec();
        assert_eq!(below, BELOW);
    }

    const UNIFORM: [f64; 3] = [
        0.417022004702574,
        0.7203244934421581,
        0.00011437481734488664,
    ];
    const NORMAL: [f64; 3] = [1.6243453636632417, -0.6117564136500754, -0.5281717522634557];
    const COINS: [u8; 12] = [1, 1, 0, 0, 1, 1, 1, 1, 1, 0, 0, 1];
    const BIASED: [u8; 12] = [1, 1, 0, 1, 0, 0, 0, 1, 1, 1, 1, 1];
    const BELOW: [u32; 8] = [1, 0, 0, 1, 0, 715, 645, 7];
    const BETWEEN: f64 = 1.125533007053861;
}
