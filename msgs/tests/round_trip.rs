//! Every message type against random and broken bytes.

mod random;

use proptest::prelude::*;
use random::{Random, random_cdr};
use saccade_msgs::registry::ENTRIES;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_type_reads_and_writes_the_same_bytes(seed: u64) {
        for entry in ENTRIES {
            let schema = (entry.schema)();
            let little = random_cdr(&schema, seed, false);
            prop_assert_eq!((entry.cdr_to_cdr)(&little), Ok(little.clone()), "{}", entry.type_name);
            let big = random_cdr(&schema, seed, true);
            prop_assert_eq!((entry.cdr_to_cdr)(&big), Ok(little.clone()), "{} big endian", entry.type_name);
            if let Some(ros1) = entry.ros1 {
                let packed = (ros1.from_cdr)(&little).unwrap();
                prop_assert_eq!((ros1.to_cdr)(&packed), Ok(little.clone()), "{} ROS 1", entry.type_name);
            }
        }
    }

    #[test]
    fn every_truncation_is_an_error(seed: u64) {
        for entry in ENTRIES {
            let whole = random_cdr(&(entry.schema)(), seed, false);
            for len in 0..whole.len() {
                prop_assert!((entry.cdr_to_cdr)(&whole[..len]).is_err(), "{} cut to {len} bytes", entry.type_name);
            }
            if let Some(ros1) = entry.ros1 {
                let whole = (ros1.from_cdr)(&whole).unwrap();
                for len in 0..whole.len() {
                    prop_assert!((ros1.to_cdr)(&whole[..len]).is_err(), "{} ROS 1 cut to {len}", entry.type_name);
                }
            }
        }
    }

    #[test]
    fn broken_bytes_never_panic(seed: u64) {
        let mut random = Random(seed);
        for entry in ENTRIES {
            let mut bytes = random_cdr(&(entry.schema)(), seed, seed % 2 == 0);
            for _ in 0..1 + random.next() % 4 {
                let at = 4 + (random.next() as usize) % (bytes.len() - 4);
                bytes[at] = random.next() as u8;
            }
            // Either is right; what is read must be written.
            if let Ok(read) = (entry.cdr_to_cdr)(&bytes) {
                prop_assert!((entry.cdr_to_cdr)(&read).is_ok());
            }
        }
    }
}
