//! Parsers of what goes to and from a SpiNNaker board.

use std::net::Ipv4Addr;

use saccade_engine::backends::spinnaker_live::{Link, Pace};
use saccade_engine::spinnaker::board_map::BoardMap;
use saccade_engine::spinnaker::command::{Command, is_command};
use saccade_engine::spinnaker::eieio::{Kind, Message, Writer};
use saccade_engine::spinnaker::emulator::{Board, BoardSettings, ClassifierProgram};
use saccade_engine::spinnaker::sdp::{Request, SdpHeader, tag_answer};

use super::seeds;

/// EIEIO: what could be read is written, and reads the same.
pub fn eieio(input: &[u8]) {
    if is_command(input) {
        let Ok(command) = Command::parse(input) else {
            return;
        };
        let mut buffer = vec![0; input.len() + 64];
        // A path too long is read, and not written.
        if let Ok(n) = command.encode(&mut buffer) {
            let again = Command::parse(&buffer[..n]).expect("reads what it wrote");
            assert_eq!(again, command);
        }
    } else if let Ok(message) = Message::parse(input) {
        let wide = matches!(message.header.kind, Kind::Key32 | Kind::Key32Payload);
        let paid = matches!(message.header.kind, Kind::Key16Payload | Kind::Key32Payload);
        let mut buffer = vec![0; input.len()];
        let mut writer = Writer::new(&mut buffer, message.header).expect("as long as it was");
        for event in message.events() {
            let key = if wide { event.key } else { event.key & 0xFFFF };
            let payload = event.payload.filter(|_| paid);
            writer.push(key, payload).expect("as long as it was");
        }
        let n = writer.finish();
        let again = Message::parse(&buffer[..n]).expect("reads what it wrote");
        assert!(again.events().eq(message.events()), "other events");
        assert_eq!(again.events_at_injector(None).count(), message.count());
    }
}

/// SDP datagrams: to the monitor, or from a board.
pub fn sdp(input: &[u8]) {
    let _ = tag_answer(input);
    let Ok((header, body)) = SdpHeader::parse(input) else {
        return;
    };
    assert_eq!(header.to_bytes()[2..], input[2..10]);
    if let Ok(request) = Request::parse(&header, body)
        && let Request::IpTagSet(set) = request
    {
        let datagram = set.to_bytes();
        let (header, body) = SdpHeader::parse(&datagram).expect("reads what it wrote");
        assert_eq!(Request::parse(&header, body).expect("reads"), request);
    }
}

/// Datagrams, each behind a byte of its length: all go to a board, and to whoever listens to
/// one. Ticks go by, and every event that the board took has been counted.
pub fn spinnaker_board(input: &[u8]) {
    let program = Box::new(ClassifierProgram::new(seeds::tiny_classifier()));
    let settings = BoardSettings::default();
    let board = Board::new(program, Ipv4Addr::LOCALHOST, 1000, settings);
    let mut board = board.expect("a small network fits");
    let mut link = Link::new(board.map(), 4, 3, Pace::REAL, 1).expect("the same network");
    board.run(true);
    let host = (Ipv4Addr::LOCALHOST, 5000).into();
    let (mut rest, mut given) = (input, 0);
    while let [length, after @ ..] = rest {
        let (datagram, after) = after.split_at(after.len().min(usize::from(*length)));
        rest = after;
        given += 1;
        link.receive(datagram, given * 100);
        board.receive(datagram, host, &mut |answer, _| {
            assert_eq!(answer.len(), 18)
        });
        board.tick(&mut |packet, _| {
            link.receive(packet, given * 100);
        });
        while link.next_tick().is_some() {}
    }
    let counts = board.counts();
    assert_eq!((counts.datagrams, counts.ticks), (given, given));
    assert_eq!(counts.foreign + counts.over_fifo, 0);
}

/// The database of a board's network.
pub fn board_database(input: &[u8]) {
    let path = super::whole::file("board.sqlite3", input);
    match BoardMap::read(&path) {
        Ok(map) => assert!(map.populations.len() < 1 << 16),
        Err(error) => assert!(error.to_string().contains("board.sqlite3"), "{error}"),
    }
}
