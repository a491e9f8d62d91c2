//! A plan carried out on the bytes of a message.

use super::TranscodeError;
use super::plan::{Action, Plan, Step};

/// Zero-size elements at most in a sequence, which no bytes bound.
const MAX_EMPTY: u64 = 1 << 16;
/// A message may not grow beyond this.
const MAX_MESSAGE: usize = 1 << 30;
/// Bytes of the encapsulation header.
const HEADER_LEN: usize = 4;
/// DDS implementations may pad a payload up to a multiple of four bytes.
const MAX_PADDING: usize = 3;

/// ROS 1 to little-endian CDR; true if a header had a `seq` other than 0.
pub(super) fn ros1_to_cdr(
    plan: &Plan,
    data: &[u8],
    out: &mut Vec<u8>,
) -> Result<bool, TranscodeError> {
    out.clear();
    out.extend_from_slice(&[0, 1, 0, 0]);
    let mut walk = Walk {
        plan,
        data,
        at: 0,
        origin: 0,
        ros1: true,
        big_endian: false,
        out,
        seq: false,
    };
    walk.steps(&plan.steps)?;
    walk.finish(0)?;
    Ok(walk.seq)
}

/// CDR of either byte order to ROS 1; the `seq` of headers becomes 0.
pub(super) fn cdr_to_ros1(
    plan: &Plan,
    data: &[u8],
    out: &mut Vec<u8>,
) -> Result<(), TranscodeError> {
    out.clear();
    let big_endian = match data {
        [0, 0, _, _, ..] => true,
        [0, 1, _, _, ..] => false,
        _ => {
            let found = &data[..data.len().min(HEADER_LEN)];
            return Err(TranscodeError::Bytes {
                field: "the message".into(),
                offset: 0,
                size: data.len(),
                reason: format!("expected a CDR header (00 00 or 00 01), found {found:02x?}"),
            });
        }
    };
    let mut walk = Walk {
        plan,
        data,
        at: HEADER_LEN,
        origin: HEADER_LEN,
        ros1: false,
        big_endian,
        out,
        seq: false,
    };
    walk.steps(&plan.steps)?;
    walk.finish(MAX_PADDING)
}

struct Walk<'a> {
    plan: &'a Plan,
    data: &'a [u8],
    at: usize,
    /// Where alignment of the input counts from.
    origin: usize,
    /// Whether the input is ROS 1 and the output CDR, or the other way round.
    ros1: bool,
    /// Of the input.
    big_endian: bool,
    out: &'a mut Vec<u8>,
    seq: bool,
}

impl<'a> Walk<'a> {
    fn steps(&mut self, steps: &[Step]) -> Result<(), TranscodeError> {
        for step in steps {
            self.step(step)?;
        }
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<(), TranscodeError> {
        match &step.action {
            Action::Numbers { size, count } => self.numbers(step, *size, *count),
            Action::NumberSequence { size } => {
                let count = self.count(step, *size as u64)?;
                self.numbers(step, *size, count)
            }
            Action::String => self.string(step),
            Action::Repeat {
                count,
                body,
                min_ros1,
                min_cdr,
            } => {
                let least = if self.ros1 { *min_ros1 } else { *min_cdr };
                let count = match *count {
                    Some(count) if count.saturating_mul(least) <= self.left() => count,
                    Some(count) => {
                        let reason =
                            format!("{count} elements of at least {least} bytes do not fit");
                        return Err(self.error(step, self.at, reason));
                    }
                    None => self.count(step, least)?,
                };
                self.repeat(step, count, body)
            }
            Action::Seq if self.ros1 => {
                let seq = self.take(step, 4, 1)?;
                self.seq |= seq != [0; 4];
                Ok(())
            }
            Action::Seq => {
                self.out.extend_from_slice(&[0; 4]);
                Ok(())
            }
            Action::Empty if self.ros1 => {
                self.out.push(0);
                Ok(())
            }
            // Some writers leave the byte out where nothing follows.
            Action::Empty if self.at == self.data.len() => Ok(()),
            Action::Empty => self.take(step, 1, 1).map(drop),
        }
    }

    /// Every turn takes bytes or makes some, so that this ends.
    fn repeat(&mut self, step: &Step, count: u64, body: &[Step]) -> Result<(), TranscodeError> {
        for _ in 0..count {
            if self.out.len() > MAX_MESSAGE {
                let reason = format!("the message grows beyond {MAX_MESSAGE} bytes");
                return Err(self.error(step, self.at, reason));
            }
            self.steps(body)?;
        }
        Ok(())
    }

    fn numbers(&mut self, step: &Step, size: usize, count: u64) -> Result<(), TranscodeError> {
        if count == 0 {
            return Ok(());
        }
        let length = usize::try_from(count)
            .ok()
            .and_then(|n| n.checked_mul(size))
            .ok_or_else(|| self.error(step, self.at, format!("{count} numbers do not fit")))?;
        let bytes = self.take(step, length, size)?;
        self.align(size);
        let start = self.out.len();
        self.out.extend_from_slice(bytes);
        if self.big_endian && size > 1 {
            for number in self.out[start..].chunks_exact_mut(size) {
                number.reverse();
            }
        }
        Ok(())
    }

    fn string(&mut self, step: &Step) -> Result<(), TranscodeError> {
        let start = self.at;
        let length = self.read_count(step)?;
        let bytes = self.take(step, length as usize, 1)?;
        if self.ros1 {
            self.put_count(length.saturating_add(1));
            self.out.extend_from_slice(bytes);
            self.out.push(0);
            return Ok(());
        }
        let text = match bytes {
            [] => bytes,
            [text @ .., 0] => text,
            [.., last] => {
                let reason = format!("expected a NUL at the end of the string, found {last:#04x}");
                return Err(self.error(step, start, reason));
            }
        };
        self.put_count(text.len() as u32);
        self.out.extend_from_slice(text);
        Ok(())
    }

    /// Carries a sequence's count over, held against the bytes that are left.
    fn count(&mut self, step: &Step, least: u64) -> Result<u64, TranscodeError> {
        let start = self.at;
        let count = self.read_count(step)?;
        let fits = match least {
            0 => u64::from(count) <= MAX_EMPTY,
            _ => u64::from(count).saturating_mul(least) <= self.left(),
        };
        if !fits {
            let reason = format!(
                "a sequence claims {count} elements of at least {least} bytes, {} bytes are left",
                self.left()
            );
            return Err(self.error(step, start, reason));
        }
        self.put_count(count);
        Ok(u64::from(count))
    }

    fn read_count(&mut self, step: &Step) -> Result<u32, TranscodeError> {
        let mut count = [0; 4];
        count.copy_from_slice(self.take(step, 4, 4)?);
        Ok(match self.big_endian {
            true => u32::from_be_bytes(count),
            false => u32::from_le_bytes(count),
        })
    }

    fn put_count(&mut self, count: u32) {
        self.align(4);
        self.out.extend_from_slice(&count.to_le_bytes());
    }

    /// Pads the output, where it is CDR, to a multiple of `size`.
    fn align(&mut self, size: usize) {
        if self.ros1 {
            let length = (self.out.len() - HEADER_LEN).next_multiple_of(size);
            self.out.resize(HEADER_LEN + length, 0);
        }
    }

    /// The next bytes; of CDR those after the padding to a multiple of `size`.
    fn take(
        &mut self,
        step: &Step,
        length: usize,
        size: usize,
    ) -> Result<&'a [u8], TranscodeError> {
        let start = match self.ros1 {
            true => self.at,
            false => self.origin + (self.at - self.origin).next_multiple_of(size),
        };
        let end = start.checked_add(length);
        let Some(bytes) = end.and_then(|end| self.data.get(start..end)) else {
            let reason =
                format!("{length} bytes are needed; the message is cut off or of another type");
            return Err(self.error(step, self.at, reason));
        };
        self.at = start + length;
        Ok(bytes)
    }

    fn left(&self) -> u64 {
        (self.data.len() - self.at) as u64
    }

    fn finish(&self, padding: usize) -> Result<(), TranscodeError> {
        if self.data.len() - self.at > padding {
            return Err(TranscodeError::Bytes {
                field: "the end of the message".into(),
                offset: self.at,
                size: self.data.len(),
                reason: "more bytes follow; the message is of another type than its definition"
                    .into(),
            });
        }
        Ok(())
    }

    fn error(&self, step: &Step, offset: usize, reason: String) -> TranscodeError {
        TranscodeError::Bytes {
            field: self.plan.names[step.name].clone(),
            offset,
            size: self.data.len(),
            reason,
        }
    }
}
