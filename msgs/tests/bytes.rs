//! Bytes worked out by hand.

use saccade_msgs::builtin_interfaces::{Duration, Time};
use saccade_msgs::cdr::CdrError;
use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::saccade_msgs::{Exchange, Label, Spikes};
use saccade_msgs::std_msgs::{Float64MultiArray, Header};
use saccade_msgs::std_srvs::trigger;
use saccade_msgs::{
    Message, Ros1Message, dvs_msgs, from_cdr, from_ros1, sensor_msgs, std_msgs, to_cdr, to_ros1,
};

fn header() -> Header {
    Header {
        stamp: Time {
            sec: 1,
            nanosec: 0x0203,
        },
        frame_id: "cam".to_owned(),
    }
}

#[test]
fn a_header_in_cdr() {
    let bytes = [
        0, 1, 0, 0, // little-endian CDR
        1, 0, 0, 0, // sec
        3, 2, 0, 0, // nanosec
        4, 0, 0, 0, b'c', b'a', b'm', 0,
    ];
    assert_eq!(to_cdr(&header()), bytes);
    assert_eq!(from_cdr::<Header>(&bytes), Ok(header()));
}

#[test]
fn big_endian_is_read() {
    let bytes = [
        0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 2, 3, 0, 0, 0, 4, b'c', b'a', b'm', 0,
    ];
    assert_eq!(from_cdr::<Header>(&bytes), Ok(header()));
    let ids = [
        &[0u8, 0, 0, 0][..],
        &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], // stamp, empty frame without NUL
        &[0, 0, 0, 2, b'p', 0, 0, 0],          // population, padding
        &[0, 0, 0, 7],                         // size, ends at 24
        &[0, 0, 0, 0, 0, 0, 0, 9],             // seq
        &[0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 1, 0], // ids
        &[0, 0, 0, 0],                         // offsets
    ]
    .concat();
    let spikes = from_cdr::<Spikes>(&ids).unwrap();
    assert_eq!(
        (spikes.size, spikes.seq, spikes.ids, spikes.offsets_us.len()),
        (7, 9, vec![5, 256], 0)
    );
    assert_eq!(spikes.population, "p");
}

#[test]
fn alignment_counts_from_after_the_header() {
    let array = Float64MultiArray {
        data: vec![1.0],
        ..Float64MultiArray::default()
    };
    let bytes = to_cdr(&array);
    // dim count, data_offset, data count: 12 bytes; the double starts at 16.
    assert_eq!(bytes.len(), 4 + 16 + 8);
    assert_eq!(&bytes[4 + 16..], 1.0f64.to_le_bytes());
    // No element, no padding.
    assert_eq!(to_cdr(&Float64MultiArray::default()).len(), 4 + 12);
}

#[test]
fn an_empty_message_holds_one_byte() {
    assert_eq!(to_cdr(&trigger::Request {}), [0, 1, 0, 0, 0]);
    assert_eq!(
        from_cdr::<trigger::Request>(&[0, 1, 0, 0, 0, 0, 0, 0]),
        Ok(trigger::Request {})
    );
    assert!(from_cdr::<trigger::Request>(&[0, 1, 0, 0]).is_err());
}

#[test]
fn ros1_is_packed_and_has_a_seq() {
    let array = dvs_msgs::EventArray {
        header: header(),
        height: 2,
        width: 3,
        events: vec![dvs_msgs::Event {
            x: 1,
            y: 2,
            ts: Time { sec: 4, nanosec: 5 },
            polarity: true,
        }],
    };
    let mut bytes = vec![0, 0, 0, 0, 1, 0, 0, 0, 3, 2, 0, 0, 3, 0, 0, 0];
    bytes.extend(b"cam");
    bytes.extend([2, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0]);
    bytes.extend([1, 0, 2, 0, 4, 0, 0, 0, 5, 0, 0, 0, 1]);
    assert_eq!(to_ros1(&array), bytes);
    bytes[0] = 77; // a bag's headers count
    assert_eq!(from_ros1::<dvs_msgs::EventArray>(&bytes), Ok(array));
    bytes.push(0);
    assert!(matches!(
        from_ros1::<dvs_msgs::EventArray>(&bytes),
        Err(CdrError::Trailing { .. })
    ));
}

#[test]
fn ros1_md5s_are_those_of_ros() {
    // As `rosmsg md5` prints them for the public definitions.
    assert_eq!(Header::ros1_md5(), "2176decaecbce78abc3b96ef049fabed");
    assert_eq!(
        std_msgs::String::ros1_md5(),
        "992ce8a1687cec8c8bd883ec73ca41d1"
    );
    assert_eq!(
        sensor_msgs::Image::ros1_md5(),
        "060021388200f6f0f447d0fcd9c64743"
    );
    assert_eq!(
        sensor_msgs::JointState::ros1_md5(),
        "3066dcd76a6cfaef579bd0f34173e9fd"
    );
    assert_eq!(EventPacket::ros1_md5(), "8a6101b351a64529ac77bd8b71074e52");
    assert_eq!(
        dvs_msgs::EventArray::ros1_md5(),
        "5e8beee5a6c107e504c2e78903c224b8"
    );
}

#[test]
fn definitions_bring_what_they_are_made_of() {
    let line = "=".repeat(80);
    assert_eq!(
        Label::definition(),
        format!(
            "std_msgs/Header header\nstring label\nint32 class_id\nbool learn\n\
             {line}\nMSG: std_msgs/Header\nbuiltin_interfaces/Time stamp\nstring frame_id\n\
             {line}\nMSG: builtin_interfaces/Time\nint32 sec\nuint32 nanosec\n"
        )
    );
    assert_eq!(
        std_msgs::Header::ros1_definition(),
        "uint32 seq\ntime stamp\nstring frame_id\n"
    );
    // Keywords of Rust are names in ROS.
    let exchange = Exchange::schema().own_text();
    assert!(exchange.starts_with("uint8 REQUEST=0\n"), "{exchange}");
    assert!(exchange.contains("\nstring type\n"), "{exchange}");
}

#[test]
fn json_names_every_field() {
    let json = saccade_msgs::to_json(&header());
    assert_eq!(
        json,
        r#"{"stamp":{"sec":1,"nanosec":515},"frame_id":"cam"}"#
    );
    assert_eq!(saccade_msgs::to_json(&trigger::Request {}), "{}");
    let text = std_msgs::String {
        data: "a\"\\\n\u{1}é".to_owned(),
    };
    assert_eq!(
        saccade_msgs::to_json(&text),
        "{\"data\":\"a\\\"\\\\\\u000a\\u0001é\"}"
    );
}

#[test]
fn absurd_counts_are_refused_before_anything_is_allocated() {
    let mut bytes = to_cdr(&EventPacket {
        events: vec![1, 2, 3],
        ..EventPacket::default()
    });
    let count = bytes.len() - 7;
    bytes[count..count + 4].copy_from_slice(&u32::MAX.to_le_bytes());
    let error = from_cdr::<EventPacket>(&bytes).unwrap_err();
    assert!(
        matches!(
            error,
            CdrError::Count {
                count: u32::MAX,
                remaining: 3,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(
        error
            .to_string()
            .contains("event_camera_msgs/msg/EventPacket.events"),
        "{error}"
    );
}

#[test]
fn malformed_bytes_are_named() {
    let find = |bytes: &[u8]| from_cdr::<Label>(bytes).unwrap_err();
    assert!(matches!(find(&[]), CdrError::Encapsulation { .. }));
    assert!(matches!(
        find(&[0, 3, 0, 0, 0]),
        CdrError::Encapsulation { .. }
    ));
    let good = to_cdr(&Label {
        header: header(),
        label: "pen".to_owned(),
        class_id: 2,
        learn: true,
    });

    let mut bad = good.clone();
    *bad.last_mut().unwrap() = 2;
    assert!(matches!(find(&bad), CdrError::NotBool { found: 2, .. }));
    let mut bad = good.clone();
    bad[4 + 12] = 0xff; // in frame_id
    assert!(matches!(
        find(&bad),
        CdrError::NotUtf8 {
            offset: 16,
            len: 4,
            ..
        }
    ));
    let mut bad = good.clone();
    bad[4 + 15] = b'x'; // its NUL
    assert!(matches!(
        find(&bad),
        CdrError::NotTerminated { found: b'x', .. }
    ));
    let mut padded = good.clone();
    padded.extend([0; 3]);
    assert!(from_cdr::<Label>(&padded).is_ok());
    padded.push(0);
    assert!(matches!(
        find(&padded),
        CdrError::Trailing { remaining: 4, .. }
    ));
}

#[test]
fn times_convert() {
    for ns in [
        0,
        1,
        -1,
        999_999_999,
        -1_000_000_001,
        1_700_000_000_123_456_789,
    ] {
        assert_eq!(Time::from_ns(ns).to_ns(), ns);
        assert_eq!(Duration::from_ns(ns).to_ns(), ns);
    }
    assert_eq!(
        Duration::from_ns(-1),
        Duration {
            sec: -1,
            nanosec: 999_999_999
        }
    );
    assert_eq!(
        Time::from_ns(i64::MAX),
        Time {
            sec: i32::MAX,
            nanosec: 999_999_999
        }
    );
    assert_eq!(
        Time::from_ns(i64::MIN),
        Time {
            sec: i32::MIN,
            nanosec: 0
        }
    );
}
