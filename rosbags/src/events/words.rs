//! Cuts a stream of bytes that comes in pieces into words of `N` bytes.

/// Keeps the bytes of a word whose end has not come yet.
#[derive(Debug, Clone, Default)]
pub(super) struct Words<const N: usize>
where
    [u8; N]: Default,
{
    carry: [u8; N],
    held: usize,
}

impl<const N: usize> Words<N>
where
    [u8; N]: Default,
{
    /// Hands what was held and `bytes` to `decode` as whole words.
    pub fn feed(&mut self, mut bytes: &[u8], mut decode: impl FnMut(&[[u8; N]])) {
        if self.held > 0 {
            let take = (N - self.held).min(bytes.len());
            let (now, later) = bytes.split_at(take);
            self.carry[self.held..self.held + take].copy_from_slice(now);
            self.held += take;
            bytes = later;
            if self.held < N {
                return;
            }
            self.held = 0;
            decode(&[self.carry]);
        }
        let (words, rest) = bytes.as_chunks::<N>();
        if !words.is_empty() {
            decode(words);
        }
        self.carry[..rest.len()].copy_from_slice(rest);
        self.held = rest.len();
    }

    /// Drops what is held and says how many bytes that was.
    pub fn drop_rest(&mut self) -> u64 {
        std::mem::take(&mut self.held) as u64
    }
}
