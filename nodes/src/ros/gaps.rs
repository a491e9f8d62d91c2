//! Messages that are missing in their publishers' numbers.

use std::collections::BTreeMap;

/// Publishers of which something is remembered.
pub(super) const MAX_PUBLISHERS: usize = 4096;

/// Number of the last message of each publisher.
#[derive(Debug, Default)]
pub(crate) struct Gaps {
    last: BTreeMap<[u8; 16], i64>,
}

impl Gaps {
    /// How many of this publisher's messages are missing before its message `number`, since
    /// the first that came. None where a middleware does not number them.
    pub fn before(&mut self, publisher: [u8; 16], number: i64) -> u64 {
        if self.last.len() >= MAX_PUBLISHERS && !self.last.contains_key(&publisher) {
            self.last.clear();
        }
        let last = self.last.entry(publisher).or_insert(number);
        let missing = number.saturating_sub(*last).saturating_sub(1);
        *last = number.max(*last);
        u64::try_from(missing).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_between_is_missing() {
        let mut gaps = Gaps::default();
        let [a, b] = [[1; 16], [2; 16]];
        let before = [
            (a, 7),
            (a, 8),
            (b, 3),
            (a, 11),
            (b, 4),
            (a, 9),
            (a, 12),
            (b, 9),
        ];
        let missing = before.map(|(publisher, number)| gaps.before(publisher, number));
        assert_eq!(missing, [0, 0, 0, 2, 0, 0, 0, 4]);
        // Not numbered, and numbers that are nonsense.
        let odd = [0, 0, -1, i64::MIN, i64::MAX, i64::MIN];
        let missing = odd.map(|number| gaps.before([3; 16], number));
        assert_eq!(missing, [0, 0, 0, 0, i64::MAX as u64 - 1, 0]);
    }

    #[test]
    fn memory_is_bounded() {
        let mut gaps = Gaps::default();
        for n in 0..3 * MAX_PUBLISHERS as u128 {
            gaps.before(n.to_le_bytes(), 1);
            assert!(gaps.last.len() <= MAX_PUBLISHERS);
        }
    }
}
