//! Transcoding held against `saccade-msgs`, whose types encode themselves, and
//! against random types and messages.

use proptest::prelude::*;
use saccade_msgs::{registry, saccade_msgs::Label};

use super::definition::{Definitions, Dialect};
use super::{TranscodeError, Transcoder, rewrite};
use crate::message::{Connection, Serialization};

fn connection(type_name: &str, text: &str, serialization: Serialization) -> Connection {
    let (definition_encoding, definition) = match serialization {
        Serialization::Cdr => ("ros2msg", text),
        Serialization::Ros1 => ("ros1msg", text),
    };
    Connection {
        topic: "/t".into(),
        type_name: type_name.into(),
        definition: definition.into(),
        definition_encoding: definition_encoding.into(),
        serialization,
        qos: String::new(),
        md5: String::new(),
    }
}

fn transcode(from: &Connection, to: Serialization, data: &[u8]) -> Result<Vec<u8>, TranscodeError> {
    let mut out = Vec::new();
    Transcoder::new(from, to)?.transcode(data, &mut out)?;
    Ok(out)
}

#[test]
fn our_types_have_the_md5_and_the_definition_that_they_say() {
    let mut both = 0;
    for entry in registry::ENTRIES {
        let schema = (entry.schema)();
        let from = connection(entry.type_name, &schema.definition(), Serialization::Cdr);
        let made = Transcoder::new(&from, Serialization::Ros1);
        let made = made.unwrap_or_else(|e| panic!("{}: {e}", entry.type_name));
        if entry.ros1.is_none() {
            continue;
        }
        both += 1;
        assert_eq!(
            made.connection().md5,
            schema.ros1_md5(),
            "{}",
            entry.type_name
        );
        // Back again the definition says the same, but for default values.
        let back = Transcoder::new(made.connection(), Serialization::Cdr).expect("plans");
        let parse = |text: &str| {
            let mut parsed =
                Definitions::parse(entry.type_name, text, Dialect::Ros2).expect("parses");
            parsed.types.sort_by(|a, b| a.name.cmp(&b.name));
            let fields = |ty: &super::definition::Definition| {
                let fields = ty.fields().map(|f| (f.name.clone(), f.ty.clone()));
                let constants = ty.constants().map(|c| (c.name.clone(), c.value.clone()));
                (
                    ty.name.clone(),
                    fields.collect::<Vec<_>>(),
                    constants.collect::<Vec<_>>(),
                )
            };
            parsed.types.iter().map(fields).collect::<Vec<_>>()
        };
        assert_eq!(
            parse(&back.connection().definition),
            parse(&schema.definition())
        );
    }
    assert!(both > 40);
}

#[test]
fn capital_letters_go_and_come_back() {
    let ros1 = "Header header\nfloat64[] D # distortion\nfloat64[9] K\nstring A=\"x\" # y\n";
    let from = connection("sensor_msgs/msg/CameraInfo", ros1, Serialization::Ros1);
    let there = Transcoder::new(&from, Serialization::Cdr).expect("plans");
    let text = &there.connection().definition;
    assert!(text.contains("float64[] d # distortion"), "{text}");
    assert!(
        text.contains("std_msgs/Header header") && text.contains("int32 sec"),
        "{text}"
    );
    assert!(text.contains(r#"string A="\"x\" # y""#), "{text}");
    let back = Transcoder::new(there.connection(), Serialization::Ros1).expect("plans");
    let definitions = Definitions::parse("sensor_msgs/msg/CameraInfo", ros1, Dialect::Ros1);
    let md5 = rewrite::md5(&rewrite::to_ros1(&definitions.expect("parses")));
    assert_eq!(back.connection().md5, md5);
    assert!(
        back.connection()
            .definition
            .contains("float64[] D # distortion")
    );
}

#[test]
fn known_md5_sums_of_ros1() {
    // As ROS 1 Noetic's own tools print them.
    for (name, text, md5) in [
        ("std_msgs/Empty", "", "d41d8cd98f00b204e9800998ecf8427e"),
        (
            "std_msgs/Header",
            "uint32 seq\ntime stamp\nstring frame_id\n",
            "2176decaecbce78abc3b96ef049fabed",
        ),
        (
            "std_msgs/String",
            "string data\n",
            "992ce8a1687cec8c8bd883ec73ca41d1",
        ),
    ] {
        let definitions = Definitions::parse(name, text, Dialect::Ros1).expect("parses");
        assert_eq!(rewrite::md5(&definitions), md5, "{name}");
    }
}

#[test]
fn headers_and_empty_messages_differ() {
    let header = connection(
        "std_msgs/msg/Header",
        "uint32 seq\ntime stamp\nstring frame_id",
        Serialization::Ros1,
    );
    let mut ros1 = vec![7, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, b'c'];
    let coder = Transcoder::new(&header, Serialization::Cdr).expect("plans");
    let mut cdr = Vec::new();
    assert_eq!(coder.transcode(&ros1, &mut cdr), Ok(true));
    assert_eq!(
        cdr,
        [0, 1, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, b'c', 0]
    );
    let back = transcode(coder.connection(), Serialization::Ros1, &cdr).expect("is one");
    ros1[0] = 0;
    assert_eq!(back, ros1);
    let empty = connection("std_msgs/msg/Empty", "", Serialization::Ros1);
    assert_eq!(
        transcode(&empty, Serialization::Cdr, &[]),
        Ok(vec![0, 1, 0, 0, 0])
    );
    let empty = connection("std_msgs/msg/Empty", "", Serialization::Cdr);
    for cdr in [
        &[0, 1, 0, 0, 0][..],
        &[0, 1, 0, 0, 0, 0, 0, 0],
        &[0, 1, 0, 0],
    ] {
        assert_eq!(
            transcode(&empty, Serialization::Ros1, cdr),
            Ok(vec![]),
            "{cdr:?}"
        );
    }
}

#[test]
fn big_endian_cdr() {
    let text = "int16 a\nfloat64[2] b\nuint32[] c\nstring d";
    let from = connection("demo_msgs/msg/Thing", text, Serialization::Cdr);
    let mut data = vec![0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0];
    data.extend(1.5f64.to_be_bytes());
    data.extend((-2.0f64).to_be_bytes());
    data.extend([0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0, 2, b'x', 0]);
    let mut expected = vec![2, 1];
    expected.extend(1.5f64.to_le_bytes());
    expected.extend((-2.0f64).to_le_bytes());
    expected.extend([1, 0, 0, 0, 9, 0, 0, 0, 1, 0, 0, 0, b'x']);
    assert_eq!(transcode(&from, Serialization::Ros1, &data), Ok(expected));
}

#[test]
fn what_cannot_be_is_refused_with_a_reason() {
    let rule = "=".repeat(80);
    let deep = format!("A a\nA b\n{rule}\nMSG: d/A\nB a\nB b\n{rule}\nMSG: d/B\nThing x\n");
    let wide = (b'A'..=b'Y').map(|c| {
        let next = char::from(c + 1);
        format!("{rule}\nMSG: d/{}\n{next} a\n{next} b\n", char::from(c))
    });
    let wide = format!(
        "A a\n{}{rule}\nMSG: d/Z\nint8 x\n",
        wide.collect::<String>()
    );
    for (text, part) in [
        ("wstring w", "wstring"),
        ("Missing m", "does not define"),
        (deep.as_str(), "contains itself"),
        (wide.as_str(), "more than 65536 fields"),
        ("int8 a\n---\nint8 b", "service"),
    ] {
        let from = connection("d/msg/Thing", text, Serialization::Cdr);
        let error = Transcoder::new(&from, Serialization::Ros1).expect_err(part);
        assert!(error.to_string().contains(part), "{error}");
    }
    let unknown = connection("d/msg/Thing", "", Serialization::Cdr);
    let unknown = Connection {
        definition_encoding: String::new(),
        ..unknown
    };
    let error = Transcoder::new(&unknown, Serialization::Ros1).expect_err("unknown");
    assert!(
        error.to_string().contains("no definition of d/msg/Thing"),
        "{error}"
    );
    let idl = Connection {
        definition: "module".into(),
        definition_encoding: "ros2idl".into(),
        ..unknown
    };
    let error = Transcoder::new(&idl, Serialization::Ros1).expect_err("IDL");
    assert!(error.to_string().contains("ros2idl"), "{error}");
}

#[test]
fn counts_are_held_against_the_bytes() {
    let from = connection("d/msg/Thing", "float64[] x", Serialization::Ros1);
    let error =
        transcode(&from, Serialization::Cdr, &[255, 255, 255, 127, 0]).expect_err("too many");
    assert!(
        error.to_string().contains("claims 2147483647 elements"),
        "{error}"
    );
    // Elements without bytes are bounded by themselves.
    let rule = "=".repeat(80);
    let text = format!("E[] x\n{rule}\nMSG: d/E\n");
    let from = connection("d/msg/Thing", &text, Serialization::Ros1);
    assert!(transcode(&from, Serialization::Cdr, &[255, 255, 255, 127]).is_err());
    assert_eq!(
        transcode(&from, Serialization::Cdr, &[2, 0, 0, 0]),
        Ok(vec![0, 1, 0, 0, 2, 0, 0, 0, 0, 0])
    );
}

/// A random type: its definition, and a random message of it in ROS 1's bytes,
/// written here without the plan.
#[derive(Debug, Clone)]
enum Kind {
    Number(&'static str, usize),
    Text,
    Time,
    Header,
    Inner(Vec<(Kind, Many)>),
}

#[derive(Debug, Clone, Copy)]
enum Many {
    One,
    Array(u8),
    Sequence(u8),
}

fn kind() -> impl Strategy<Value = Kind> {
    let leaf = prop_oneof![
        Just(Kind::Number("uint8", 1)),
        Just(Kind::Number("int16", 2)),
        Just(Kind::Number("float32", 4)),
        Just(Kind::Number("uint64", 8)),
        Just(Kind::Text),
        Just(Kind::Time),
        Just(Kind::Header),
    ];
    leaf.prop_recursive(3, 24, 5, |inner| {
        prop::collection::vec((inner, many()), 0..5).prop_map(Kind::Inner)
    })
}

fn many() -> impl Strategy<Value = Many> {
    prop_oneof![
        3 => Just(Many::One),
        1 => (1u8..4).prop_map(Many::Array),
        1 => (0u8..4).prop_map(Many::Sequence),
    ]
}

/// Writes the fields of a type into `sections` as number `me`, and one message.
fn write_type(fields: &[(Kind, Many)], sections: &mut Vec<String>, me: usize) {
    for (i, (kind, many)) in fields.iter().enumerate() {
        let name = match kind {
            Kind::Number(name, _) => (*name).to_owned(),
            Kind::Text => "string".into(),
            Kind::Time => "time".into(),
            Kind::Header => "Header".into(),
            Kind::Inner(fields) => {
                let next = sections.len();
                sections.push(String::new());
                write_type(fields, sections, next);
                format!("T{next}")
            }
        };
        let suffix = match many {
            Many::One => String::new(),
            Many::Array(n) => format!("[{n}]"),
            Many::Sequence(_) => "[]".into(),
        };
        sections[me] += &format!("{name}{suffix} f{i}\n");
    }
}

fn write_message(fields: &[(Kind, Many)], random: &mut impl FnMut() -> u8, out: &mut Vec<u8>) {
    for (kind, many) in fields {
        let n = match many {
            Many::One => 1,
            Many::Array(n) => *n,
            Many::Sequence(n) => {
                out.extend(u32::from(*n).to_le_bytes());
                *n
            }
        };
        for _ in 0..n {
            let text = |random: &mut dyn FnMut() -> u8, out: &mut Vec<u8>| {
                let length = random() % 6;
                out.extend(u32::from(length).to_le_bytes());
                out.extend((0..length).map(|_| random()));
            };
            match kind {
                Kind::Number(_, size) => out.extend((0..*size).map(|_| random())),
                Kind::Text => text(random, out),
                Kind::Time => out.extend((0..8).map(|_| random())),
                Kind::Header => {
                    out.extend([0; 4]);
                    out.extend((0..8).map(|_| random()));
                    text(random, out);
                }
                Kind::Inner(fields) => write_message(fields, random, out),
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn there_and_back_is_the_same(fields in prop::collection::vec((kind(), many()), 0..6), seed: u64) {
        let mut sections = vec![String::new()];
        write_type(&fields, &mut sections, 0);
        let rule = "=".repeat(80);
        let mut text = sections[0].clone();
        for (i, section) in sections.iter().enumerate().skip(1) {
            text += &format!("{rule}\nMSG: demo_msgs/T{i}\n{section}");
        }
        let mut state = seed | 1;
        let mut random = || {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            (state >> 56) as u8
        };
        let mut data = Vec::new();
        write_message(&fields, &mut random, &mut data);
        let from = connection("demo_msgs/msg/Root", &text, Serialization::Ros1);
        let there = Transcoder::new(&from, Serialization::Cdr).expect("plans");
        let mut cdr = Vec::new();
        prop_assert!(!there.transcode(&data, &mut cdr).expect("is one"));
        let back = Transcoder::new(there.connection(), Serialization::Ros1).expect("plans");
        let mut again = Vec::new();
        back.transcode(&cdr, &mut again).expect("is one");
        prop_assert_eq!(&again, &data);
        // Cut or changed bytes are an error or another message, never a panic.
        for cut in 0..data.len() {
            let _ = there.transcode(&data[..cut], &mut cdr);
        }
        let whole = cdr.clone();
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0xFF;
            let _ = back.transcode(&changed, &mut again);
            let _ = back.transcode(&whole[..at], &mut again);
        }
    }

    #[test]
    fn any_text_parses_or_fails(text in "[ -~\\n]{0,200}", rule in "(=){0,90}") {
        let text = format!("{text}\n{rule}\nMSG: {text}");
        for serialization in [Serialization::Cdr, Serialization::Ros1] {
            let from = connection("a/msg/B", &text, serialization);
            let _ = Transcoder::new(&from, Serialization::Ros1);
            let _ = Transcoder::new(&from, Serialization::Cdr);
        }
    }
}

#[test]
fn labels_as_saccade_msgs_writes_them() {
    let label = Label {
        class_id: -3,
        label: "pen".into(),
        learn: true,
        ..Label::default()
    };
    let cdr = saccade_msgs::to_cdr(&label);
    let ros1 = saccade_msgs::to_ros1(&label);
    let from = Connection::cdr::<Label>("/label");
    assert_eq!(
        transcode(&from, Serialization::Ros1, &cdr),
        Ok(ros1.clone())
    );
    let from = Connection::ros1::<Label>("/label");
    assert_eq!(transcode(&from, Serialization::Cdr, &ros1), Ok(cdr));
}
