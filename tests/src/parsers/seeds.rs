//! Well-formed inputs of every parser, made here from a fixed seed: what hunts for
//! bad inputs start from, and nothing of anyone's recordings.

use std::path::Path;

use saccade_engine::models::augment::Augment;
use saccade_engine::models::classifier::Classifier;
use saccade_engine::models::config::ClassifierConfig;
use saccade_engine::models::sample::Sample;
use saccade_engine::models::training::{TrainConfig, Trainer};
use saccade_engine::nir;
use saccade_engine::spinnaker::command::{Command, Core, Region, Regions};
use saccade_engine::spinnaker::eieio::{Header as EieioHeader, KeyPrefix, Kind, Writer};
use saccade_engine::spinnaker::emulator::{Board, BoardSettings, ClassifierProgram, Relay};
use saccade_engine::spinnaker::sdp::{IpTagSet, SdpHeader};
use saccade_launch::nir_file;
use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::dvs_msgs::EventArray;
use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::registry::ENTRIES;
use saccade_msgs::std_msgs::Header;
use saccade_msgs::{Event, Message, to_cdr, to_ros1};
use saccade_rosbags::events::synthetic::Random;
use saccade_rosbags::events::{
    Compression, Encoding, EventBatch, EventWriter, Evt2Encoder, Evt3Encoder, Evt21Encoder,
    Geometry, HalfOrder, Trigger, WriteOptions, encode_mono, mono_packet,
};
use saccade_rosbags::{BagWriter, Connection, Ros1Compression, Ros1Writer};

use crate::repository;

const SENSOR: Geometry = Geometry {
    width: 34,
    height: 34,
};

/// A few events: single ones, a dense row, a silence.
fn events() -> Vec<Event> {
    let mut random = Random(1);
    let mut t_us = 3;
    let mut events = Vec::new();
    for i in 0..40 {
        t_us += [0, 7, 300, 70_000][random.below(4) as usize];
        let (x, y, on) = (random.below(34) as u16, random.below(34) as u16, i % 3 == 0);
        let row = if i % 10 == 0 { 0..34 } else { x..x + 1 };
        events.extend(row.map(|x| Event { t_us, x, y, on }));
    }
    events
}

/// A file of the events, and of triggers where its format has them.
fn event_file(name: &str, encoding: Option<Encoding>, compression: Option<Compression>) -> Vec<u8> {
    let options = WriteOptions {
        encoding,
        compression,
        ..WriteOptions::of_sensor(SENSOR)
    };
    let triggers = [false, true].map(|rising| Trigger {
        t_us: 5,
        id: 0,
        rising,
    });
    let batch = EventBatch {
        events: events(),
        triggers: triggers.to_vec(),
    };
    bytes_of(name, |path| {
        let mut writer = EventWriter::create(path, &options).expect("creates");
        writer.write(&batch).expect("writes");
        writer.finish().expect("finishes");
    })
}

/// The bytes of a file that `write` writes.
fn bytes_of(name: &str, write: impl FnOnce(&Path)) -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(name);
    write(&path);
    std::fs::read(path).expect("reads")
}

/// Streams, each behind the two bytes that take sensor and cuts.
fn streams(all: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut random = Random(2);
    all.into_iter()
        .flat_map(|stream| {
            [0, 1, 2].map(|choice| [&[choice, random.below(256) as u8], &stream[..]].concat())
        })
        .collect()
}

/// Words of all kinds.
fn words(bytes: u32, kinds: &[u64]) -> Vec<u8> {
    let mut random = Random(bytes.into());
    let (bits, mut stream) = (8 * bytes, Vec::new());
    for i in 0..60 {
        let kind = kinds[i % kinds.len()] << (bits - 4);
        let word = kind | random.below(1 << (bits - 4));
        stream.extend_from_slice(&word.to_le_bytes()[..bytes as usize]);
    }
    stream
}

/// EVT2.
pub fn evt2() -> Vec<Vec<u8>> {
    let mut encoded = Vec::new();
    Evt2Encoder::new()
        .encode(&events(), &mut encoded)
        .expect("fits");
    streams(vec![encoded, words(4, &[8, 0, 1, 0xA, 1, 0xE, 0xF, 3])])
}

/// EVT2.1.
pub fn evt21() -> Vec<Vec<u8>> {
    let mut encoded = Vec::new();
    Evt21Encoder::new(HalfOrder::LittleEndian)
        .encode(&events(), &mut encoded)
        .expect("fits");
    streams(vec![encoded, words(8, &[8, 0, 1, 0xA, 1, 0xE, 0xF, 3])])
}

/// EVT3.
pub fn evt3() -> Vec<Vec<u8>> {
    let mut encoded = Vec::new();
    Evt3Encoder::new()
        .encode(&events(), &mut encoded)
        .expect("fits");
    let kinds = [8, 6, 0, 2, 3, 4, 4, 5, 6, 2, 2, 0xA, 8, 7, 0xD, 0xE, 0xF, 1];
    streams(vec![encoded, words(2, &kinds)])
}

/// The events of DAT.
pub fn dat() -> Vec<Vec<u8>> {
    streams(vec![words(8, &[0, 1])])
}

/// Packets of every encoding.
pub fn packets() -> Vec<Vec<u8>> {
    let mut mono = Vec::new();
    encode_mono(&events(), 0, &mut mono).expect("fits");
    let kinds = [0, 1, 2, 4, 5, 3, 8, 6];
    let streams = [
        words(2, &kinds),
        words(4, &kinds),
        words(8, &kinds),
        mono,
        words(8, &[0, 1]),
        words(2, &[0, 1, 3, 2, 3, 4, 5, 5]),
    ];
    let packets = |(encoding, stream): (usize, Vec<u8>)| {
        let pieces = stream.chunks(100).enumerate().flat_map(|(i, piece)| {
            let head = [
                encoding as u8 | [0, 0x20, 0x10][i % 3],
                1,
                piece.len() as u8,
            ];
            [&head[..], piece].concat()
        });
        pieces.collect()
    };
    streams.into_iter().enumerate().map(packets).collect()
}

/// RAW of all kinds, and DAT.
pub fn file_raw() -> Vec<Vec<u8>> {
    use Encoding::{Evt2, Evt3, Evt21, Evt21Legacy};
    let raw = [Evt2, Evt3, Evt21, Evt21Legacy].map(|e| event_file("a.raw", Some(e), None));
    [&raw[..], &[event_file("a.dat", None, None)]].concat()
}

/// AEDAT 2.
pub fn file_aedat2() -> Vec<Vec<u8>> {
    let file = |camera: &str| {
        let head = format!("#!AER-DAT2.0\r\n# AEChip: {camera}\r\n");
        let mut random = Random(3);
        let records = (0..40u32).flat_map(|t| {
            let address = random.below(1 << 15) as u32;
            [address.to_be_bytes(), (t * 100).to_be_bytes()].concat()
        });
        head.into_bytes().into_iter().chain(records).collect()
    };
    vec![file("DVS128"), file("Davis346red")]
}

/// AEDAT 3.1.
pub fn file_aedat3() -> Vec<Vec<u8>> {
    vec![event_file("a.aedat", None, None)]
}

/// AEDAT 4, of each packing.
pub fn file_aedat4() -> Vec<Vec<u8>> {
    use Compression::{Lz4, None, Zstd};
    [None, Lz4, Zstd]
        .map(|c| event_file("a.aedat4", Option::None, Some(c)))
        .to_vec()
}

/// Event Stream.
pub fn file_es() -> Vec<Vec<u8>> {
    vec![event_file("a.es", None, None)]
}

/// N-MNIST.
pub fn file_nmnist() -> Vec<Vec<u8>> {
    let overflows = vec![1, 240, 0, 0, 0, 3, 4, 0x80, 1, 2];
    vec![event_file("a.bin", None, None), overflows]
}

/// Lines of text.
pub fn file_text() -> Vec<Vec<u8>> {
    let seconds = b"# comment\nx,y,polarity,timestamp\n1 2 on 0.5\n3;4;-1;1e0\n\n5\t6\tTrue\t1.5\n";
    vec![event_file("a.csv", None, None), seconds.to_vec()]
}

/// NumPy arrays.
pub fn file_npy() -> Vec<Vec<u8>> {
    vec![event_file("a.npy", None, None)]
}

/// NumPy archives.
pub fn file_npz() -> Vec<Vec<u8>> {
    use Compression::{Deflate, None};
    [None, Deflate]
        .map(|c| event_file("a.npz", Option::None, Some(c)))
        .to_vec()
}

/// Prophesee's HDF5.
pub fn file_hdf5() -> Vec<Vec<u8>> {
    use Compression::{Deflate, None};
    [None, Deflate]
        .map(|c| event_file("a.hdf5", Option::None, Some(c)))
        .to_vec()
}

fn event_packets() -> [EventPacket; 3] {
    [0, 1, 2].map(|seq| mono_packet(&events()[..20], 0, SENSOR, seq, "cam").expect("fits"))
}

fn event_array() -> EventArray {
    let event = |e: &Event| saccade_msgs::dvs_msgs::Event {
        x: e.x,
        y: e.y,
        ts: Time::from_ns(e.t_us as i64 * 1000),
        polarity: e.on,
    };
    EventArray {
        header: Header::default(),
        height: 34,
        width: 34,
        events: events()[..20].iter().map(event).collect(),
    }
}

/// ROS 1 bags, of each compression.
pub fn bag_ros1() -> Vec<Vec<u8>> {
    use Ros1Compression::{Bz2, Lz4, None};
    let file = |compression| {
        bytes_of("a.bag", |path| {
            let mut bag = Ros1Writer::create(path, compression).expect("creates");
            let connection = Connection::ros1::<EventPacket>("/events");
            for (stamp_ns, packet) in (5..).zip(event_packets()) {
                let written = bag.write_raw(&connection, stamp_ns, &to_ros1(&packet));
                written.expect("writes");
            }
            bag.finish().expect("finishes");
        })
    };
    let arrays = bytes_of("a.bag", |path| {
        let mut bag = BagWriter::create(path).expect("creates");
        bag.write("/events", 5, &event_array()).expect("writes");
        bag.finish().expect("finishes");
    });
    vec![file(None), file(Bz2), file(Lz4), arrays]
}

/// MCAP.
pub fn bag_mcap() -> Vec<Vec<u8>> {
    let file = bytes_of("a.mcap", |path| {
        let mut bag = BagWriter::create(path).expect("creates");
        for (stamp_ns, packet) in (5..).zip(event_packets()) {
            bag.write("/events", stamp_ns, &packet).expect("writes");
        }
        bag.finish().expect("finishes");
    });
    vec![file]
}

/// rosbag2 SQLite.
pub fn bag_sqlite() -> Vec<Vec<u8>> {
    let schema = "PRAGMA page_size = 512;
        CREATE TABLE topics(id INTEGER PRIMARY KEY, name TEXT NOT NULL, type TEXT NOT NULL,
            serialization_format TEXT NOT NULL, offered_qos_profiles TEXT NOT NULL);
        CREATE TABLE messages(id INTEGER PRIMARY KEY, topic_id INTEGER NOT NULL,
            timestamp INTEGER NOT NULL, data BLOB NOT NULL);";
    let file = bytes_of("a.db3", |path| {
        let database = rusqlite::Connection::open(path).expect("creates");
        database.execute_batch(schema).expect("creates");
        let topic = "INSERT INTO topics VALUES (1, '/events', ?1, 'cdr', '')";
        database
            .execute(topic, [EventPacket::TYPE_NAME])
            .expect("writes");
        for packet in event_packets() {
            let message = "INSERT INTO messages (topic_id, timestamp, data) VALUES (1, 5, ?1)";
            let written = database.execute(message, [to_cdr(&packet)]);
            written.expect("writes");
        }
    });
    vec![file]
}

/// A message of every type, and some with contents.
pub fn messages() -> Vec<Vec<u8>> {
    let kind = |name: &str| ENTRIES.iter().position(|e| e.type_name == name);
    let of = |name: &str, body: Vec<u8>| {
        let kind = kind(name).expect("a type of the registry") as u8;
        [vec![kind], body].concat()
    };
    let empty = (0..ENTRIES.len()).map(|kind| [&[kind as u8, 0, 1, 0, 0][..], &[0; 400]].concat());
    let packet = &event_packets()[0];
    let full = [
        of(EventPacket::TYPE_NAME, to_cdr(packet)),
        of(EventPacket::TYPE_NAME, to_ros1(packet)),
        of(EventArray::TYPE_NAME, to_cdr(&event_array())),
        of(EventArray::TYPE_NAME, to_ros1(&event_array())),
    ];
    empty.chain(full).collect()
}

/// Launch files.
pub fn launch_file() -> Vec<Vec<u8>> {
    let grasp = std::fs::read(repository("launch/grasp.launch.xml")).expect("reads");
    let all = br#"<launch>
  <arg name="a" default="$(eval '1 + 2 * 3 &lt;= 7 and not False')" description="d"/>
  <let name="b" value="$(env HOME x)$(var a)"/>
  <group scoped="true" if="$(var a)"><push_ros_namespace namespace="n"/>
    <node pkg="saccade_nodes" exec="dvs_ingest" name="$(anon x)" args="--ros-args -p out:=8 -r a:=b" respawn="true">
      <param name="p"><param name="q" value="1.5" type="float"/></param>
      <remap from="events" to="/e"/><env name="E" value="1"/></node></group>
  <log message="$(dirname) $(filename)" level="info"/></launch>"#;
    vec![grasp, all.to_vec()]
}

/// Parameter files.
pub fn params_file() -> Vec<Vec<u8>> {
    let file = b"/**:\n  ros__parameters:\n    out: 8\n    deep:\n      list: [1, 2.5, true, \"x\"]\n/a/n:\n  ros__parameters: {window: 64}\n";
    vec![file.to_vec()]
}

/// Lines of parameters.
pub fn parameters() -> Vec<Vec<u8>> {
    let of = |interface: &saccade_nodes::Interface| {
        let line = |p: &saccade_nodes::ParameterDecl| format!("{} {:?}\n", p.name, p.range);
        interface.parameters.iter().map(line).collect::<String>()
    };
    let all = saccade_nodes::registry::interfaces().map(|i| of(i).into_bytes());
    let values = b"out 8\nwindow -1\nattention true\nhistory 1e3\nout nan\nperiod:=0.5\n";
    all.chain([values.to_vec()]).collect()
}

/// Worlds: the grasping table, and a small one.
pub fn world() -> Vec<Vec<u8>> {
    let table = std::fs::read(repository("worlds/grasp_table.sdf")).expect("reads");
    let small = br#"<?xml version="1.0"?><sdf version="1.7"><world name="w"><gravity>0 0 -9.8</gravity>
<model name="m"><pose>0 0 1 0 0 0</pose><static>false</static><link name="l"><inertial><mass>1</mass>
<inertia><ixx>1</ixx><iyy>1</iyy><izz>1</izz></inertia></inertial>
<collision name="c"><geometry><box><size>1 1 1</size></box></geometry></collision>
<visual name="v"><geometry><sphere><radius>0.5</radius></sphere></geometry></visual></link>
<link name="k"/><joint name="j" type="revolute"><parent>l</parent><child>k</child>
<axis><xyz>0 0 1</xyz><limit><lower>-1</lower><upper>1</upper></limit></axis></joint></model></world></sdf>"#;
    vec![table, small.to_vec()]
}

fn small() -> ClassifierConfig {
    ClassifierConfig {
        n_in: 8,
        n_lif: 2,
        n_alif: 2,
        n_out: 2,
        ..ClassifierConfig::default()
    }
}

/// Weights of a small classifier.
pub fn weights() -> Vec<Vec<u8>> {
    let classifier = Classifier::new(small(), 1).expect("in range");
    vec![classifier.to_bytes().expect("finite")]
}

/// Samples and parameters of a small training.
pub fn training() -> (Vec<Sample>, ClassifierConfig, TrainConfig) {
    let sample = |label: u32| Sample {
        spikes: (0..20).map(|k| (k, u32::from(k) % 4 + 4 * label)).collect(),
        ticks: 20,
        label: label as usize,
        weight: 1.0,
    };
    let config = ClassifierConfig {
        max_ticks: 20,
        ..small()
    };
    let training = TrainConfig {
        epochs: 2,
        augment: Augment {
            width: 2,
            height: 2,
            shift: 0,
            ..Augment::default()
        },
        ..TrainConfig::default()
    };
    ((0..8).map(|k| sample(k % 2)).collect(), config, training)
}

/// Its checkpoint after an epoch.
pub fn checkpoint() -> Vec<Vec<u8>> {
    let (samples, config, training) = training();
    let mut trainer = Trainer::new(&samples, &config, &training, 1).expect("in range");
    trainer.run_epoch().expect("trains");
    vec![trainer.checkpoint().expect("writes")]
}

/// The small classifier as a NIR graph, that of another program, and images in a graph in
/// a graph.
pub fn file_nir() -> Vec<Vec<u8>> {
    let classifier = Classifier::new(small(), 1).expect("in range");
    let ours = nir::export(&classifier, true).expect("exports");
    let mut others = ours.clone();
    others.metadata.clear();
    [ours, others, images()]
        .map(|graph| nir_file::to_bytes(&graph).expect("writes"))
        .into()
}

/// A convolution, a pool and cells in a graph in a graph, with a delay back.
fn images() -> nir::Graph {
    let array = |shape: &[usize], value: f64| {
        let (shape, count) = (shape.to_vec(), shape.iter().product());
        nir::Value::from(nir::Array {
            shape,
            ..nir::Array::uniform(count, value)
        })
    };
    let node = |kind: &str, parameters: &[(&str, nir::Value)]| nir::Node {
        kind: kind.to_owned(),
        parameters: (parameters.iter().map(|(k, v)| ((*k).to_owned(), v.clone()))).collect(),
        metadata: nir::Values::new(),
        inner: None,
    };
    let end = |kind: &str| {
        let mut shape = nir::Array::uniform(3, 3.0);
        shape.values[0] = 1.0;
        node(kind, &[("shape", shape.into())])
    };
    let graph = |nodes: Vec<(&str, nir::Node)>, edges: &[(&str, &str)]| nir::Graph {
        nodes: nodes.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
        edges: (edges
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned())))
        .collect(),
        metadata: nir::Values::new(),
    };
    let conv = [
        ("weight", array(&[1, 1, 2, 2], 1.0)),
        ("stride", array(&[2], 1.0)),
        ("padding", "same".into()),
        ("dilation", array(&[2], 1.0)),
        ("groups", nir::Array::scalar(1.0).into()),
        ("bias", array(&[1], 0.1)),
    ];
    let pool = [
        ("kernel_size", array(&[2], 1.0)),
        ("stride", array(&[2], 1.0)),
        ("padding", array(&[2], 0.0)),
    ];
    let cells = ["tau_syn", "tau_mem", "r", "v_leak", "v_threshold", "w_in"];
    let cells = cells.map(|name| (name, array(&[1, 3, 3], 0.5)));
    let inner = graph(
        vec![
            ("input", end("Input")),
            ("conv", node("Conv2d", &conv)),
            ("pool", node("AvgPool2d", &pool)),
            ("cells", node("CubaLIF", &cells)),
            (
                "wait",
                node("Delay", &[("delay", array(&[1, 3, 3], 0.002))]),
            ),
            ("output", end("Output")),
        ],
        &[
            ("input", "conv"),
            ("conv", "pool"),
            ("pool", "cells"),
            ("cells", "wait"),
            ("wait", "cells"),
            ("cells", "output"),
        ],
    );
    let block = nir::Node {
        inner: Some(inner),
        ..node("NIRGraph", &[])
    };
    graph(
        vec![
            ("in", end("Input")),
            ("block", block),
            ("out", end("Output")),
        ],
        &[("in", "block"), ("block", "out")],
    )
}

/// EIEIO: messages of every type, and every command that has content.
pub fn eieio() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for kind in Kind::ALL {
        let paid = matches!(kind, Kind::Key16Payload | Kind::Key32Payload);
        let bare = EieioHeader::of(kind);
        let prefixed = EieioHeader {
            key_prefix: Some(KeyPrefix::Upper(2)),
            payload_prefix: Some(7),
            payload_is_time: true,
            ..bare
        };
        for header in [bare, prefixed] {
            let mut buffer = [0; 64];
            let mut writer = Writer::new(&mut buffer, header).expect("fits");
            for key in 0..5 {
                writer.push(key, paid.then_some(300)).expect("fits");
            }
            let n = writer.finish();
            all.push(buffer[..n].to_vec());
        }
    }
    let core = Core { x: 1, y: 2, p: 3 };
    let region = Region {
        channel: 1,
        region: 2,
        address: 0x6000_0000,
        bytes: 64,
    };
    let data = all[0].clone();
    let (sequence, regions) = (4, Regions::new(&[region; 2]));
    let commands = [
        Command::Database(Some("/tmp/board.sqlite3")),
        Command::StopPause,
        Command::RequestBuffers {
            core,
            region: 1,
            sequence,
            space: 256,
        },
        Command::SequencedData {
            region: 1,
            sequence,
            data: &data,
        },
        Command::RequestReadData {
            core,
            sequence,
            regions,
        },
        Command::DataRead { sequence, regions },
        Command::DataReadAck { sequence },
    ];
    for command in commands {
        let mut buffer = [0; 128];
        let n = command.encode(&mut buffer).expect("fits");
        all.push(buffer[..n].to_vec());
    }
    all
}

/// SDP: a request to the monitor, and events for a core.
pub fn sdp() -> Vec<Vec<u8>> {
    let set = IpTagSet {
        yx: [0, 0],
        tag: 1,
        sequence: 5,
        strip: true,
        to: None,
    };
    let mut events = SdpHeader::to_core(Core { x: 0, y: 0, p: 3 })
        .to_bytes()
        .to_vec();
    events.extend(&eieio()[0]);
    vec![set.to_bytes().to_vec(), events]
}

/// The smallest network that a board may run.
pub fn tiny_classifier() -> Classifier {
    let config = ClassifierConfig {
        n_in: 4,
        n_lif: 2,
        n_alif: 1,
        max_ticks: 10,
        learn_from_tick: 1,
        ..ClassifierConfig::default()
    };
    Classifier::new(config, 1).expect("a network")
}

/// Datagrams to a board, each behind a byte of its length.
pub fn spinnaker_board() -> Vec<Vec<u8>> {
    let event = |p, header, key: u32| {
        let mut datagram = SdpHeader::to_core(Core { x: 0, y: 0, p })
            .to_bytes()
            .to_vec();
        let mut buffer = [0; 16];
        let mut writer = Writer::new(&mut buffer, header).expect("fits");
        writer.push(key, None).expect("fits");
        let n = writer.finish();
        datagram.extend(&buffer[..n]);
        datagram
    };
    let narrow = EieioHeader::of(Kind::Key16);
    // The tag, an interval's begin, an input now, one for a tick, output of a board, the end.
    let datagrams = [
        sdp()[0].clone(),
        event(4, narrow, 0),
        event(3, narrow, 2),
        event(3, EieioHeader::at_tick(6), 0x1_0001),
        eieio()[5].clone(),
        event(4, narrow, 1),
    ];
    let framed = datagrams.iter().flat_map(|d| {
        let length = [d.len() as u8];
        length.into_iter().chain(d.iter().copied())
    });
    vec![framed.collect()]
}

/// Databases of boards.
pub fn board_database() -> Vec<Vec<u8>> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.sqlite3");
    let relay = Relay { n: 3, sources: 1 };
    let address = std::net::Ipv4Addr::LOCALHOST;
    let classifier = ClassifierProgram::new(tiny_classifier());
    let of = |program| Board::new(program, address, 1000, BoardSettings::default());
    let boards = [of(Box::new(relay)), of(Box::new(classifier))];
    let database = |board: Board| {
        board.map().write(&path).expect("writes");
        std::fs::read(&path).expect("reads")
    };
    boards.map(|b| database(b.expect("fits"))).to_vec()
}
