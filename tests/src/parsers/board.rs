//! Parsers of what goes to and from a SpiNNaker board.

use saccade_engine::spinnaker::command::{Command, is_command};
use saccade_engine::spinnaker::eieio::{Kind, Message, Writer};
use saccade_engine::spinnaker::sdp::{Request, SdpHeader, tag_answer};

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
