//! The board by hand: no sockets, no clock.

use std::net::SocketAddr;

use super::*;
use crate::spinnaker::eieio::{Header, Kind, Message, Writer};
use crate::spinnaker::sdp::{IpTagSet, SdpHeader};

const HOST: &str = "127.0.0.1:5000";

fn host() -> SocketAddr {
    HOST.parse().expect("an address")
}

fn board(settings: BoardSettings) -> Board {
    let relay = Relay {
        n: 1000,
        sources: 4,
    };
    let mut board = Board::new(Box::new(relay), Ipv4Addr::LOCALHOST, 1000, settings).expect("fits");
    let set = IpTagSet {
        yx: [0, 0],
        tag: 1,
        sequence: 0,
        strip: true,
        to: None,
    };
    board.receive(&set.to_bytes(), host(), &mut |_, _| {});
    board.run(true);
    board
}

/// A datagram of events for the population `label`.
fn events(board: &Board, label: &str, header: Header, list: &[(u32, Option<u32>)]) -> Vec<u8> {
    let core = board.map().population(label).expect("there").core;
    let mut datagram = SdpHeader::to_core(core).to_bytes().to_vec();
    let mut buffer = [0; 272];
    let mut writer = Writer::new(&mut buffer, header).expect("fits");
    for &(key, payload) in list {
        writer.push(key, payload).expect("fits");
    }
    let n = writer.finish();
    datagram.extend(&buffer[..n]);
    datagram
}

/// Spikes that come out of a tick, with its number.
fn tick(board: &mut Board) -> Vec<(u32, u32)> {
    let mut out = Vec::new();
    board.tick(&mut |packet, to| {
        assert_eq!(to, host());
        let message = Message::parse(packet).expect("a data message");
        assert!(message.count() <= PACKET_KEYS);
        let tick = message.tick().expect("a tick");
        out.extend(message.events().map(|e| (tick, e.key)));
    });
    out
}

#[test]
fn events_come_back_with_their_tick() {
    let mut board = board(BoardSettings::default());
    let narrow: Vec<_> = (0..120).map(|i| (i, None)).collect();
    let datagram = events(&board, "inj", Header::of(Kind::Key16), &narrow);
    assert!(tick(&mut board).is_empty());
    board.receive(&datagram, host(), &mut |_, _| panic!("no answer"));
    let wide = [
        (0x0001_0005, None),
        (0x0002_0005, None),
        (0x0001_03E8, None),
    ];
    let datagram = events(&board, "inj", Header::of(Kind::Key32), &wide);
    board.receive(&datagram, host(), &mut |_, _| panic!("no answer"));
    let mut expected: Vec<_> = (0..120)
        .map(|i| (2, 0x0002_0000 + (7 * i + 3) % 1000))
        .collect();
    expected.push((2, 0x0002_0000 + 38));
    assert_eq!(tick(&mut board), expected);
    assert!(tick(&mut board).is_empty());
    let counts = board.counts();
    assert_eq!((counts.events_in, counts.events_out), (121, 121));
    assert_eq!((counts.unknown_key, counts.packets_out), (2, 2));
}

#[test]
fn events_with_a_time_wait_for_it() {
    let mut board = board(BoardSettings::default());
    for (at, atom) in [(3, 1), (0, 2), (2, 3)] {
        let datagram = events(
            &board,
            "inj",
            Header::at_tick(at),
            &[(0x1_0000 + atom, None)],
        );
        board.receive(&datagram, host(), &mut |_, _| {});
    }
    let of = |atom: u32| 0x2_0000 + 7 * atom + 3;
    assert_eq!(tick(&mut board), [(1, of(2))], "late: in the next tick");
    assert_eq!(tick(&mut board), [(2, of(3))]);
    assert_eq!(tick(&mut board), [(3, of(1))]);
    assert_eq!(board.counts().late, 1);
}

#[test]
fn a_real_board_has_limits() {
    let settings = BoardSettings {
        limits: Some(Limits::REAL),
        ..BoardSettings::default()
    };
    let mut board = board(settings);
    let list: Vec<_> = (0..127).map(|i| (i, None)).collect();
    let datagram = events(&board, "inj", Header::of(Kind::Key16), &list);
    for _ in 0..20 {
        board.receive(&datagram, host(), &mut |_, _| {});
    }
    // 10 datagrams of 266 bytes are carried; a packet of 64 keys does not fit any more.
    assert_eq!(board.counts().events_in, 1270);
    assert!(tick(&mut board).is_empty());
    let counts = board.counts();
    assert_eq!(counts.over_fifo, 1270 - 256);
    assert_eq!(counts.over_bandwidth, 10 + 4);
    for _ in 0..2 {
        board.receive(&datagram, host(), &mut |_, _| {});
    }
    assert_eq!(tick(&mut board).len(), 254, "the next tick has room again");
}

#[test]
fn poisson_sources_fire_as_often_as_they_are_told() {
    let mut board = board(BoardSettings::default());
    let key = board
        .map()
        .population("poisson_control")
        .expect("there")
        .keys[0];
    let rates = [(key + 1, Some(100 << 16)), (key + 3, Some(2500 << 16))];
    let datagram = events(
        &board,
        "poisson_control",
        Header::of(Kind::Key32Payload),
        &rates,
    );
    board.receive(&datagram, host(), &mut |_, _| {});
    let mut fired = [0_i64; 4];
    for _ in 0..10_000 {
        for (_, key) in tick(&mut board) {
            fired[(key & 0xFFFF) as usize] += 1;
        }
    }
    // Ten seconds; within four standard deviations.
    assert_eq!((fired[0], fired[2]), (0, 0));
    assert!((fired[1] - 1000).abs() < 127, "{fired:?}");
    assert!((fired[3] - 25_000).abs() < 633, "{fired:?}");
    assert_eq!(board.counts().rates_set, 2);
}

#[test]
fn what_is_not_for_it_is_counted() {
    let mut board = board(BoardSettings::default());
    let none: Send<'_> = &mut |_, _| panic!("no answer");
    board.receive(&[1, 2, 3], host(), none);
    let good = events(&board, "inj", Header::of(Kind::Key16), &[(1, None)]);
    let mut cut = good.clone();
    cut.pop();
    board.receive(&cut, host(), none);
    board.receive(&good, "10.0.0.7:5000".parse().expect("one"), none);
    let mut elsewhere = good.clone();
    elsewhere[4] = 1 << 5 | 17;
    board.receive(&elsewhere, host(), none);
    let out = events(&board, "out", Header::of(Kind::Key16), &[(1, None)]);
    board.receive(&out, host(), none);
    board.run(false);
    board.receive(&good, host(), none);
    let counts = board.counts();
    assert_eq!((counts.malformed, counts.foreign), (3, 1));
    assert_eq!((counts.unknown_key, counts.while_paused), (1, 1));
    assert_eq!((counts.events_in, counts.datagrams), (0, 7));
    assert!(tick(&mut board).is_empty() && board.now() == 0);
}

#[test]
fn faults_of_the_network_are_counted() {
    let faults = Faults {
        lost: 0.1,
        duplicated: 0.1,
        reordered: 0.1,
        ..Faults::default()
    };
    let settings = BoardSettings {
        faults,
        ..BoardSettings::default()
    };
    let mut board = board(settings);
    let datagram = events(&board, "inj", Header::of(Kind::Key16), &[(1, None)]);
    let mut received = 0;
    for _ in 0..1000 {
        board.receive(&datagram, host(), &mut |_, _| {});
        received += tick(&mut board).len() as u64;
    }
    let counts = board.counts();
    let c = counts.faults_in;
    // One may be held back still.
    let arrived = 1000 - c.lost + c.duplicated - counts.events_in;
    assert!(arrived <= 1, "{counts:?}");
    assert!(
        c.lost > 50 && c.duplicated > 50 && c.reordered > 50,
        "{c:?}"
    );
    assert!(received != counts.events_in, "{received}");
}

#[test]
fn the_database_comes_back_and_settings_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("board.sqlite3");
    let board = board(BoardSettings::default());
    board.map().write(&path).expect("writes");
    let read = crate::spinnaker::board_map::BoardMap::read(&path).expect("reads");
    assert_eq!(&read, board.map());
    let labels: Vec<_> = read.populations.iter().map(|p| p.label.as_str()).collect();
    assert_eq!(labels, ["inj", "out", "poisson", "poisson_control"]);
    let error = read.population("hidden").unwrap_err().to_string();
    assert!(
        error.contains("hidden") && error.contains("poisson_control"),
        "{error}"
    );
    std::fs::write(&path, b"no database").expect("writes");
    let error = crate::spinnaker::board_map::BoardMap::read(&path)
        .unwrap_err()
        .to_string();
    assert!(error.contains("board.sqlite3"), "{error}");
    let relay = || {
        Box::new(Relay {
            n: 1 << 17,
            sources: 0,
        })
    };
    let config = EmulatorConfig::new(path.clone());
    let error = Emulator::new(config, relay())
        .err()
        .expect("too large")
        .to_string();
    assert!(
        error.contains("'inj'") && error.contains("65536"),
        "{error}"
    );
    let open = EmulatorConfig {
        address: Ipv4Addr::UNSPECIFIED,
        ..EmulatorConfig::new(path)
    };
    let error = Emulator::new(open, relay())
        .err()
        .expect("open to all")
        .to_string();
    assert!(
        error.contains("0.0.0.0") && error.contains("who may"),
        "{error}"
    );
}
