//! The spikes of an interval, tick by tick, in one block of memory.

/// A log of spikes: the ids of every tick, one tick after the other.
#[derive(Clone, Debug, Default)]
pub struct SpikeLog {
    ids: Vec<u32>,
    /// `ends[s]` is where tick `s` ends in `ids`.
    ends: Vec<u32>,
}

impl SpikeLog {
    /// A log that holds `ticks` ticks and `spikes` spikes without allocating again.
    pub fn with_capacity(ticks: usize, spikes: usize) -> Self {
        Self {
            ids: Vec::with_capacity(spikes),
            ends: Vec::with_capacity(ticks),
        }
    }

    /// Forgets everything; keeps the memory.
    pub fn clear(&mut self) {
        self.ids.clear();
        self.ends.clear();
    }

    /// Appends a tick with these spikes.
    pub fn push_tick(&mut self, spikes: &[u32]) {
        self.ids.extend_from_slice(spikes);
        self.ends.push(self.ids.len() as u32);
    }

    /// Ticks in the log.
    pub fn ticks(&self) -> usize {
        self.ends.len()
    }

    /// All spikes of the log, tick after tick.
    pub fn all(&self) -> &[u32] {
        &self.ids
    }

    /// Spikes of tick `s`; none where the log does not reach.
    pub fn tick(&self, s: usize) -> &[u32] {
        let Some(&end) = self.ends.get(s) else {
            return &[];
        };
        let start = s.checked_sub(1).map_or(0, |p| self.ends[p]);
        &self.ids[start as usize..end as usize]
    }

    /// Makes this the log of `spikes` given as (tick, id) in any order: stable
    /// within a tick, ticks at or beyond `ticks` are left out. `scratch` is
    /// working memory.
    pub fn fill(&mut self, ticks: usize, spikes: &[(u16, u32)], scratch: &mut Vec<u32>) {
        scratch.clear();
        scratch.resize(ticks + 1, 0);
        for &(tick, _) in spikes {
            if usize::from(tick) < ticks {
                scratch[usize::from(tick) + 1] += 1;
            }
        }
        for s in 0..ticks {
            scratch[s + 1] += scratch[s];
        }
        self.clear();
        self.ends.extend_from_slice(&scratch[1..]);
        self.ids.resize(scratch[ticks] as usize, 0);
        // `scratch[s]` is now where the next spike of tick `s` goes.
        for &(tick, id) in spikes {
            if usize::from(tick) < ticks {
                let next = &mut scratch[usize::from(tick)];
                self.ids[*next as usize] = id;
                *next += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_come_back() {
        let mut log = SpikeLog::default();
        log.push_tick(&[3, 1]);
        log.push_tick(&[]);
        log.push_tick(&[7]);
        assert_eq!((log.tick(0), log.tick(1)), (&[3, 1][..], &[][..]));
        assert_eq!((log.tick(2), log.tick(3)), (&[7][..], &[][..]));
        assert_eq!(log.all(), [3, 1, 7]);
    }

    #[test]
    fn fill_sorts_by_tick_and_cuts_the_end() {
        let mut log = SpikeLog::default();
        log.fill(
            3,
            &[(2, 9), (0, 4), (7, 5), (2, 8), (0, 1)],
            &mut Vec::new(),
        );
        assert_eq!(log.ticks(), 3);
        assert_eq!(log.tick(0), [4, 1]);
        assert_eq!(log.tick(1), [0_u32; 0]);
        assert_eq!(log.tick(2), [9, 8]);
    }
}
