//! Golden vectors of the real library, and what is written comes back.

use proptest::prelude::*;

use super::command::{Command, Core, Region, Regions, is_command};
use super::eieio::{Event, Header, KeyPrefix, Kind, Message, Writer};
use super::sdp::{IpTagSet, Request, SdpHeader, tag_answer};

fn message(header: Header, events: &[(u32, Option<u32>)]) -> Vec<u8> {
    let mut buffer = [0; 2100];
    let mut writer = Writer::new(&mut buffer, header).expect("fits");
    for &(key, payload) in events {
        writer.push(key, payload).expect("fits");
    }
    let n = writer.finish();
    buffer[..n].to_vec()
}

#[test]
fn golden_vectors_of_the_library() {
    let upper = Some(KeyPrefix::Upper(2));
    let cases = [
        (
            Header::at_tick(0x1122_3344),
            (0x0002_0001, None),
            "0138443322110100 0200",
        ),
        (
            Header {
                key_prefix: upper,
                ..Header::of(Kind::Key16)
            },
            (5, None),
            "01c002000500",
        ),
        (
            Header::of(Kind::Key32Payload),
            (0x0003_0001, Some(0x000A_8000)),
            "010c0100030000800a00",
        ),
        (
            Header {
                key_prefix: upper,
                payload_prefix: Some(7),
                payload_is_time: true,
                ..Header::of(Kind::Key16Payload)
            },
            (5, Some(0)),
            "01f402000700 05000000",
        ),
    ];
    for (header, (key, payload), hex) in cases {
        let bytes = message(header, &[(key, payload)]);
        assert_eq!(text(&bytes), hex.replace(' ', ""));
        let read = Message::parse(&bytes).expect("reads");
        assert_eq!(read.header, header);
    }
    assert_eq!(encoded(&Command::StopPause), [0x0A, 0x40]);
    assert_eq!(encoded(&Command::StartResume), [0x0B, 0x40]);
    assert_eq!(encoded(&Command::Database(None)), [0x01, 0x40]);
    let set = IpTagSet {
        yx: [0, 0],
        tag: 1,
        sequence: 0,
        strip: true,
        to: None,
    };
    let hex = "000087ff00ff000000001a000000010001500000000000000000";
    assert_eq!(text(&set.to_bytes()), hex);
}

fn text(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn encoded(command: &Command<'_>) -> Vec<u8> {
    let mut buffer = [0; 512];
    let n = command.encode(&mut buffer).expect("fits");
    buffer[..n].to_vec()
}

/// A 16-bit key with no upper half goes to the upper half of the key on the board.
#[test]
fn an_injector_reads_keys_as_the_board_does() {
    let read = |header, own| {
        let bytes = message(header, &[(5, None)]);
        let message = Message::parse(&bytes).expect("reads");
        message.events_at_injector(own).next().expect("one").key
    };
    let narrow = Header::of(Kind::Key16);
    let with = |prefix| Header {
        key_prefix: Some(prefix),
        ..narrow
    };
    assert_eq!(read(narrow, Some(3)), 0x0003_0005);
    assert_eq!(read(narrow, None), 0x0005_0000);
    assert_eq!(read(with(KeyPrefix::Upper(9)), Some(3)), 0x0009_0005);
    assert_eq!(read(with(KeyPrefix::Lower(9)), Some(3)), 0x0005_0009);
    assert_eq!(read(Header::of(Kind::Key32), None), 5);
}

#[test]
fn a_tag_is_set_and_answered() {
    let set = IpTagSet {
        yx: [1, 2],
        tag: 3,
        sequence: 7,
        strip: true,
        to: Some(([127, 0, 0, 1].into(), 17895)),
    };
    let datagram = set.to_bytes();
    let (header, body) = SdpHeader::parse(&datagram).expect("reads");
    let request = Request::parse(&header, body).expect("reads");
    assert_eq!(request, Request::IpTagSet(set));
    let answer = request.answer(&header);
    assert_eq!(text(&answer[2..10]), "07ffff0001020102");
    assert_eq!(tag_answer(&answer), Some(7));
    let mut other = datagram;
    other[10] = 27;
    let (header, body) = SdpHeader::parse(&other).expect("reads");
    let request = Request::parse(&header, body).expect("reads");
    assert_eq!(tag_answer(&request.answer(&header)), None, "not known");
}

#[test]
fn what_does_not_fit_says_where_and_what_to_do() {
    let error = Message::parse(&[2, 0x38, 1, 0, 0, 0, 9, 0, 0, 0, 1]);
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("byte 6") && error.contains("8 bytes"),
        "{error}"
    );
    let error = Message::parse(&[10, 0x40]).unwrap_err().to_string();
    assert!(error.contains("command"), "{error}");
    let mut buffer = [0; 6];
    let mut writer = Writer::new(&mut buffer, Header::of(Kind::Key16)).expect("fits");
    let error = writer.push(0x1_0000, None).unwrap_err().to_string();
    assert!(
        error.contains("0x10000") && error.contains("32 bits"),
        "{error}"
    );
    writer.push(1, None).expect("fits");
    assert!(writer.push(1, Some(1)).is_err(), "no room for a payload");
    writer.push(2, None).expect("fits");
    let error = writer.push(3, None).unwrap_err().to_string();
    assert!(error.contains("full with 2"), "{error}");
    let error = Command::parse(&[13, 0x40]).unwrap_err().to_string();
    assert!(error.contains("0x400d"), "{error}");
    let long = "x".repeat(299);
    let error = Command::Database(Some(&long)).encode(&mut [0; 512]);
    assert!(error.unwrap_err().to_string().contains("299"));
    let error = SdpHeader::parse(&[0; 283]).unwrap_err().to_string();
    assert!(error.contains("282"), "{error}");
}

prop_compose! {
    fn headers()(kind in 0..4_usize, tag in 0..4_u8, key in any::<Option<(bool, u16)>>(),
                 payload in any::<Option<u16>>(), time in any::<bool>()) -> Header {
        Header {
            kind: Kind::ALL[kind],
            tag,
            key_prefix: key.map(|(upper, bits)| match upper {
                true => KeyPrefix::Upper(bits),
                false => KeyPrefix::Lower(bits),
            }),
            payload_prefix: payload.map(u32::from),
            payload_is_time: time,
        }
    }
}

fn regions() -> impl Strategy<Value = Regions> {
    prop::collection::vec(any::<(u8, u8, u32)>(), 0..8).prop_map(|list| {
        let list: Vec<_> = list
            .iter()
            .map(|&(channel, region, bytes)| Region {
                channel,
                region,
                address: 0,
                bytes,
            })
            .collect();
        Regions::new(&list)
    })
}

proptest! {
    #[test]
    fn messages_come_back(header in headers(),
                          events in prop::collection::vec(any::<(u16, u16)>(), 0..256)) {
        let paid = matches!(header.kind, Kind::Key16Payload | Kind::Key32Payload);
        let events: Vec<_> = events.iter()
            .map(|&(key, payload)| (u32::from(key), paid.then_some(payload.into())))
            .collect();
        let bytes = message(header, &events[..events.len().min(255)]);
        prop_assert!(!is_command(&bytes));
        let read = Message::parse(&bytes).unwrap();
        prop_assert_eq!((read.header, read.count()), (header, events.len().min(255)));
        let prefix = match header.key_prefix {
            None => 0,
            Some(KeyPrefix::Lower(bits)) => bits.into(),
            Some(KeyPrefix::Upper(bits)) => u32::from(bits) << 16,
        };
        for (event, (key, payload)) in read.events().zip(events) {
            let payload = match (payload, header.payload_prefix) {
                (Some(payload), prefix) => Some(payload | prefix.unwrap_or(0)),
                (None, prefix) => prefix,
            };
            prop_assert_eq!(event, Event { key: key | prefix, payload });
        }
        for end in 0..bytes.len() {
            prop_assert!(Message::parse(&bytes[..end]).is_err());
        }
    }

    #[test]
    fn commands_come_back(path in "[ -~]{1,298}", core in any::<(u8, u8)>(), p in 0..32_u8,
                          region in 0..16_u8, sequence in any::<u8>(), space in any::<u32>(),
                          data in prop::collection::vec(any::<u8>(), 0..200), regions in regions()) {
        let core = Core { x: core.0, y: core.1, p };
        let commands = [
            Command::Database(Some(&path)),
            Command::Database(None),
            Command::EventPadding,
            Command::EventStop,
            Command::StopSendingRequests,
            Command::StartSendingRequests,
            Command::RequestBuffers { core, region, sequence, space },
            Command::SequencedData { region, sequence, data: &data },
            Command::RequestReadData { core, sequence, regions },
            Command::DataRead { sequence, regions },
            Command::StopPause,
            Command::StartResume,
            Command::DataReadAck { sequence },
        ];
        for command in commands {
            let bytes = encoded(&command);
            prop_assert!(is_command(&bytes));
            prop_assert_eq!(Command::parse(&bytes).unwrap(), command);
        }
    }

    #[test]
    fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(message) = Message::parse(&bytes) {
            prop_assert_eq!(message.events().count(), usize::from(bytes[0]));
        }
        let _ = Command::parse(&bytes);
        if let Ok((header, body)) = SdpHeader::parse(&bytes) {
            let _ = Request::parse(&header, body);
        }
        let _ = tag_answer(&bytes);
    }
}
