//! EIEIO and SCP against SpiNNMan, the library below SpiNNFrontEndCommon and sPyNNaker.

use saccade_engine::spinnaker::command::{Command, Core, Region, Regions};
use saccade_engine::spinnaker::eieio::{Header, KeyPrefix, Kind, Message, Writer};
use saccade_engine::spinnaker::sdp::{IpTagSet, Request, SdpHeader};
use saccade_rosbags::events::synthetic::Random;
use saccade_tests::peer;
use serde_json::{Value, json};

/// A message as the peer is given it, and what it is to make of it.
struct Case {
    asked: Value,
    /// Bytes that the library writes of the fields.
    written: Vec<u8>,
    /// Fields that it reads in our bytes.
    read: Value,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn case(is: &str, fields: Value, bytes: Vec<u8>, read: Value) -> Case {
    Case {
        asked: json!({"is": is, "fields": fields, "hex": hex(&bytes)}),
        written: bytes,
        read,
    }
}

/// A random message, with its fields as the library calls them.
fn data(random: &mut Random) -> Case {
    let kind = Kind::ALL[random.below(4) as usize];
    let wide = matches!(kind, Kind::Key32 | Kind::Key32Payload);
    let paid = matches!(kind, Kind::Key16Payload | Kind::Key32Payload);
    let most = if wide { u32::MAX } else { u32::from(u16::MAX) };
    let mut word = |at: u64| (random.below(u64::from(most) + 1) as u32, random.below(at));
    let (bits, prefix) = word(3);
    let header = Header {
        kind,
        tag: word(4).1 as u8,
        key_prefix: match prefix {
            0 => None,
            1 => Some(KeyPrefix::Lower(bits as u16)),
            _ => Some(KeyPrefix::Upper(bits as u16)),
        },
        payload_prefix: Some(word(2)).filter(|p| p.1 == 1).map(|p| p.0),
        payload_is_time: word(2).1 == 1,
    };
    let mut buffer = [0; 1500];
    let mut writer = Writer::new(&mut buffer, header).expect("fits");
    let mut elements = Vec::new();
    for _ in 0..word(120).1 {
        let event = (word(1).0, Some(word(1).0).filter(|_| paid));
        writer.push(event.0, event.1).expect("fits");
        elements.push(event);
    }
    let n = writer.finish();
    let message = Message::parse(&buffer[..n]).expect("reads what it wrote");
    let read: Vec<_> = message.events().map(|e| (e.key, e.payload)).collect();
    let upper = prefix == 2;
    let mut fields = json!({
        "type": kind as u8, "tag": header.tag, "prefix": (prefix > 0).then_some(bits as u16),
        "upper": upper, "payload_base": header.payload_prefix, "time": header.payload_is_time,
    });
    let mut expected = fields.clone();
    fields["elements"] = json!(elements);
    expected["read"] = json!(read);
    case("data", fields, buffer[..n].to_vec(), expected)
}

fn command(is: &str, command: &Command<'_>, fields: Value, read: Value) -> Case {
    let mut buffer = [0; 2000];
    let n = command.encode(&mut buffer).expect("fits");
    assert_eq!(&Command::parse(&buffer[..n]).expect("reads"), command);
    case(is, fields, buffer[..n].to_vec(), read)
}

fn buffer_commands(random: &mut Random) -> Vec<Case> {
    let mut byte = || random.below(256) as u8;
    let core = Core {
        x: byte(),
        y: byte(),
        p: byte() & 31,
    };
    let (region, sequence, space) = (byte() & 15, byte(), u32::from(byte()) << 20);
    let asks = json!({"x": core.x, "y": core.y, "p": core.p, "region_id": region,
                      "sequence_no": sequence, "space_available": space});
    let request = Command::RequestBuffers {
        core,
        region,
        sequence,
        space,
    };
    // The library writes a request to read with x and y exchanged: the same here.
    let square = Core { y: core.x, ..core };
    let one = Region {
        channel: byte(),
        region: byte(),
        address: space,
        bytes: 77,
    };
    let read = |address: bool, list: &[Region]| {
        let of = |f: fn(&Region) -> u32| list.iter().map(f).collect::<Vec<_>>();
        let mut all = json!({"sequence_no": sequence, "channel": of(|r| r.channel.into()),
                             "region_id": of(|r| r.region.into()), "space": of(|r| r.bytes)});
        if address {
            all["x"] = square.x.into();
            all["y"] = square.y.into();
            all["p"] = square.p.into();
            all["start_address"] = json!(of(|r| r.address));
        }
        all
    };
    let three = [one; 3];
    let done = three.map(|r| Region { address: 0, ..r });
    let to_read = Command::RequestReadData {
        core: square,
        sequence,
        regions: Regions::new(&three),
    };
    let was_read = Command::DataRead {
        sequence,
        regions: Regions::new(&done),
    };
    let ack = Command::DataReadAck { sequence };
    vec![
        command("request_buffers", &request, asks.clone(), asks),
        command(
            "request_read",
            &to_read,
            read(true, &three),
            read(true, &three),
        ),
        command(
            "data_read",
            &was_read,
            read(false, &done),
            read(false, &done),
        ),
        command(
            "data_read_ack",
            &ack,
            json!({"sequence_no": sequence}),
            Value::Null,
        ),
    ]
}

fn plain_commands(random: &mut Random) -> Vec<Case> {
    let plain = [
        ("padding", Command::EventPadding),
        ("event_stop", Command::EventStop),
        ("stop_requests", Command::StopSendingRequests),
        ("start_requests", Command::StartSendingRequests),
        ("stop_pause", Command::StopPause),
        ("start_resume", Command::StartResume),
    ];
    let mut cases: Vec<_> = (plain.iter())
        .map(|(is, c)| command(is, c, json!({}), json!({"command": c.id()})))
        .collect();
    let path = "/tmp/ä board/input_output_database.sqlite3";
    for path in [Some(path), None] {
        let told = Command::Database(path);
        cases.push(command(
            "database",
            &told,
            json!({"path": path}),
            Value::Null,
        ));
    }
    let inner = data(random);
    let sequenced = Command::SequencedData {
        region: 3,
        sequence: 200,
        data: &inner.written,
    };
    let fields = json!({"region_id": 3, "sequence_no": 200, "message": inner.asked["fields"]});
    cases.push(command("sequenced_data", &sequenced, fields, Value::Null));
    cases
}

/// The library's request is ours, and it takes our answer.
fn ip_tag(tag: u8, x: u8, y: u8) -> Case {
    let set = IpTagSet {
        yx: [y, x],
        tag,
        sequence: 0,
        strip: true,
        to: None,
    };
    let request = set.to_bytes();
    let (header, body) = SdpHeader::parse(&request).expect("reads");
    let answer = Request::parse(&header, body)
        .expect("reads")
        .answer(&header);
    Case {
        asked: json!({"is": "ip_tag_set", "fields": {"x": x, "y": y, "tag": tag},
                      "hex": hex(&answer)}),
        written: request.to_vec(),
        read: Value::Null,
    }
}

#[test]
fn the_library_writes_and_reads_the_same() {
    let mut random = Random(5);
    let mut cases: Vec<Case> = (0..2000).map(|_| data(&mut random)).collect();
    for _ in 0..50 {
        cases.extend(buffer_commands(&mut random));
        cases.extend(plain_commands(&mut random));
    }
    cases.extend((0..8).map(|tag| ip_tag(tag, 3 * tag, 5 * tag)));
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("messages.json");
    let asked: Vec<_> = cases.iter().map(|case| &case.asked).collect();
    std::fs::write(&path, serde_json::to_vec(&asked).expect("writes")).expect("writes");
    let answers = peer("spinnaker_codec.py", &[&path]);
    let answers: Vec<Value> = serde_json::from_str(&answers).expect("a JSON list");
    assert_eq!(answers.len(), cases.len());
    for (case, answer) in cases.iter().zip(answers) {
        assert_eq!(answer["hex"], hex(&case.written), "{}", case.asked);
        assert_eq!(answer["read"], case.read, "{}", case.asked);
    }
}
