//! What a message has beside its bytes: number, time and sender, as `zenoh-ext` serialises
//! two `int64` and an array of 16 bytes.

use std::time::{SystemTime, UNIX_EPOCH};

use ::zenoh::bytes::ZBytes;

use super::ZenohError;
use crate::ros::Identity;

/// Number, time, the sender's length, the sender.
const LENGTH: usize = 8 + 8 + 1 + 16;
const SENDER: usize = 16;

/// Of a message that is sent now.
pub(super) fn encode(of: &Identity) -> Vec<u8> {
    encode_at(of, now_ns())
}

fn encode_at(of: &Identity, time_ns: i64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(LENGTH);
    bytes.extend(of.number.to_le_bytes());
    bytes.extend(time_ns.to_le_bytes());
    bytes.push(SENDER as u8);
    bytes.extend(of.writer);
    bytes
}

/// Who sent a message, and its number there. `key` is for the error.
///
/// # Errors
/// If there is no attachment, or none of this form.
pub(super) fn read(attachment: Option<&ZBytes>, key: &str) -> Result<Identity, ZenohError> {
    let wrong = |found: String| ZenohError::Attachment {
        key: key.to_owned(),
        found,
    };
    let Some(attachment) = attachment else {
        return Err(wrong("none".to_owned()));
    };
    decode(&attachment.to_bytes()).map_err(wrong)
}

fn decode(bytes: &[u8]) -> Result<Identity, String> {
    let found = || format!("one of {} bytes", bytes.len());
    if bytes.len() != LENGTH {
        return Err(found());
    }
    let (number, rest) = bytes.split_first_chunk::<8>().ok_or_else(found)?;
    let (_time, rest) = rest.split_first_chunk::<8>().ok_or_else(found)?;
    let (length, sender) = rest.split_first().ok_or_else(found)?;
    if usize::from(*length) != SENDER {
        return Err(format!("one with a sender of {length} bytes"));
    }
    let mut of = Identity {
        number: i64::from_le_bytes(*number),
        ..Identity::default()
    };
    of.writer.copy_from_slice(sender);
    Ok(of)
}

fn now_ns() -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |t| i64::try_from(t.as_nanos()).unwrap_or(i64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_as_zenoh_ext_serialises_it() {
        let of = Identity {
            writer: std::array::from_fn(|i| i as u8),
            number: 7,
            ..Identity::default()
        };
        let bytes = encode_at(&of, -2);
        assert_eq!(
            bytes,
            zenoh_ext::z_serialize(&(7_i64, -2_i64, of.writer.to_vec()))
                .to_bytes()
                .as_ref()
        );
        assert_eq!(decode(&bytes), Ok(of));
    }

    #[test]
    fn random_bytes_are_refused_or_read_and_never_a_panic() {
        let mut read = 0;
        for _ in 0..10_000 {
            let mut bytes = vec![0; rand::random_range(0..=2 * LENGTH)];
            bytes.fill_with(rand::random);
            if bytes.len() == LENGTH && rand::random() {
                bytes[16] = SENDER as u8;
            }
            read += usize::from(decode(&bytes).is_ok());
        }
        assert!(read > 0);
    }

    #[test]
    fn what_is_none_says_what_it_is() {
        let good = encode_at(&Identity::default(), 0);
        for length in 0..=64 {
            let mut bytes = good.clone();
            bytes.resize(length, 3);
            let read = decode(&bytes);
            assert_eq!(read.is_ok(), length == LENGTH, "{length}: {read:?}");
        }
        let mut other = good;
        other[16] = 15;
        assert!(decode(&other).unwrap_err().contains("15 bytes"));
        let none = read(None, "0/a").unwrap_err().to_string();
        assert!(none.contains("0/a") && none.contains("none"), "{none}");
    }
}
