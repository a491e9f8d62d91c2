//! SDP headers, and the one SCP request that live input and output need: setting an IP tag.
//!
//! A datagram to a board is two zero bytes, the SDP header (flags, tag, destination
//! `port << 5 | core`, source the same, destination y and x, source y and x) and its data:
//! EIEIO for an application's core, SCP (u16 command, u16 sequence, three u32 arguments) for
//! the monitor, which is port 0 of core 0. Source: SpiNNMan 7.4.1 (`messages/sdp`,
//! `messages/scp`), SARK's `scp_iptag`.

use std::net::Ipv4Addr;

use super::command::Core;
use super::error::{Result, SpinnakerError, need, u16_at, u32_at};

/// UDP port on which a board takes SDP.
pub const SCAMP_PORT: u16 = 17893;
/// Bytes of an SDP header.
pub const SDP_HEADER: usize = 8;
/// Longest datagram that a board takes: the padding, SDP's header, SCP's, and 256 bytes.
pub const MAX_DATAGRAM: usize = 282;
/// IP tags of a board.
pub const TAGS: usize = 8;

/// Flags of a packet that wants no answer.
const NO_REPLY: u8 = 0x07;
/// The bit that asks for one.
const REPLY: u8 = 0x80;
/// Port and core that stand for the host.
const HOST: u8 = 0xFF;
const CMD_IPTAG: u16 = 26;
const IPTAG_SET: u32 = 1;
const RC_OK: u16 = 0x80;
/// "Command not known."
const RC_COMMAND: u16 = 0x83;
const USE_SENDER: u32 = 1 << 30;
const STRIP: u32 = 1 << 28;

/// Header of an SDP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SdpHeader {
    /// 0x07, with bit 7 where an answer is wanted.
    pub flags: u8,
    /// IP tag on which it leaves the board.
    pub tag: u8,
    /// Destination, `port << 5 | core`.
    pub to: u8,
    /// Source, the same.
    pub from: u8,
    /// Destination chip, y and x.
    pub to_yx: [u8; 2],
    /// Source chip, y and x.
    pub from_yx: [u8; 2],
}

impl SdpHeader {
    /// For data to an application's core.
    pub fn to_core(core: Core) -> Self {
        Self {
            flags: NO_REPLY,
            tag: 0,
            // Any port but 0, which is the monitor's.
            to: 1 << 5 | core.p & 31,
            from: 0,
            to_yx: [core.y, core.x],
            from_yx: [0, 0],
        }
    }

    /// Port of the destination.
    pub fn port(&self) -> u8 {
        self.to >> 5
    }

    /// Core of the destination.
    pub fn core(&self) -> Core {
        Core {
            y: self.to_yx[0],
            x: self.to_yx[1],
            p: self.to & 31,
        }
    }

    /// The datagram's first ten bytes: padding and header.
    pub fn to_bytes(&self) -> [u8; 2 + SDP_HEADER] {
        let [ty, tx] = self.to_yx;
        let [fy, fx] = self.from_yx;
        [
            0, 0, self.flags, self.tag, self.to, self.from, ty, tx, fy, fx,
        ]
    }

    /// Reads a datagram: its header and what follows.
    ///
    /// # Errors
    /// It is cut off, or longer than a board takes.
    pub fn parse(datagram: &[u8]) -> Result<(Self, &[u8])> {
        if datagram.len() > MAX_DATAGRAM {
            return Err(SpinnakerError::Field {
                what: "the datagram, its length",
                offset: 0,
                value: datagram.len().try_into().unwrap_or(u32::MAX),
                expected: "at most 282 bytes; send fewer events in one",
            });
        }
        need("the SDP header", datagram, 2, SDP_HEADER)?;
        let d = datagram;
        let header = Self {
            flags: d[2],
            tag: d[3],
            to: d[4],
            from: d[5],
            to_yx: [d[6], d[7]],
            from_yx: [d[8], d[9]],
        };
        Ok((header, &datagram[2 + SDP_HEADER..]))
    }
}

/// The request that live output on an IP tag goes to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpTagSet {
    /// Chip with the Ethernet connection, y and x.
    pub yx: [u8; 2],
    /// The tag.
    pub tag: u8,
    /// Number of the request, which the answer repeats.
    pub sequence: u16,
    /// Whether output leaves without SDP headers.
    pub strip: bool,
    /// Where it goes; `None`: to whoever sends this.
    pub to: Option<(Ipv4Addr, u16)>,
}

impl IpTagSet {
    /// The request as a datagram.
    pub fn to_bytes(&self) -> [u8; 26] {
        let header = SdpHeader {
            flags: NO_REPLY | REPLY,
            tag: 0xFF,
            to: 0,
            from: HOST,
            to_yx: self.yx,
            from_yx: self.yx,
        };
        let sender = if self.to.is_none() { USE_SENDER } else { 0 };
        let strip = if self.strip { STRIP } else { 0 };
        let (address, port) = self.to.unwrap_or((Ipv4Addr::UNSPECIFIED, 0));
        let argument = sender | strip | IPTAG_SET << 16 | u32::from(self.tag);
        let mut out = [0; 26];
        out[..10].copy_from_slice(&header.to_bytes());
        out[10..12].copy_from_slice(&CMD_IPTAG.to_le_bytes());
        out[12..14].copy_from_slice(&self.sequence.to_le_bytes());
        out[14..18].copy_from_slice(&argument.to_le_bytes());
        out[18..22].copy_from_slice(&u32::from(port).to_le_bytes());
        out[22..].copy_from_slice(&address.octets());
        out
    }
}

/// A request to the monitor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Set an IP tag.
    IpTagSet(IpTagSet),
    /// Anything else.
    Unknown {
        /// Number of the command.
        command: u16,
        /// Number of the request.
        sequence: u16,
    },
}

impl Request {
    /// Reads what follows the SDP header of a packet to the monitor.
    ///
    /// # Errors
    /// It is cut off.
    pub fn parse(header: &SdpHeader, body: &[u8]) -> Result<Self> {
        need("the SCP request", body, 0, 4)?;
        let (command, sequence) = (u16_at(body, 0), u16_at(body, 2));
        if command != CMD_IPTAG {
            return Ok(Request::Unknown { command, sequence });
        }
        need("the arguments", body, 4, 12)?;
        let [argument, port, address] = [4, 8, 12].map(|at| u32_at(body, at));
        if argument >> 16 & 15 != IPTAG_SET || argument as u8 as usize >= TAGS {
            return Ok(Request::Unknown { command, sequence });
        }
        let address = Ipv4Addr::from(address.to_le_bytes());
        Ok(Request::IpTagSet(IpTagSet {
            yx: header.to_yx,
            tag: argument as u8,
            sequence,
            strip: argument & STRIP != 0,
            to: (argument & USE_SENDER == 0).then_some((address, port as u16)),
        }))
    }

    /// The monitor's answer as a datagram: "ok" with the tag, or "command not known".
    pub fn answer(&self, header: &SdpHeader) -> [u8; 18] {
        let back = SdpHeader {
            flags: header.flags & !REPLY,
            to: header.from,
            from: header.to,
            to_yx: header.from_yx,
            from_yx: header.to_yx,
            ..*header
        };
        let (code, sequence, value) = match *self {
            Request::IpTagSet(set) => (RC_OK, set.sequence, u32::from(set.tag)),
            Request::Unknown { sequence, .. } => (RC_COMMAND, sequence, 0),
        };
        let mut out = [0; 18];
        out[..10].copy_from_slice(&back.to_bytes());
        out[10..12].copy_from_slice(&code.to_le_bytes());
        out[12..14].copy_from_slice(&sequence.to_le_bytes());
        out[14..].copy_from_slice(&value.to_le_bytes());
        out
    }
}

/// Whether a datagram from a board is the "ok" to a tag request, and to which one.
pub fn tag_answer(datagram: &[u8]) -> Option<u16> {
    let answer = datagram.len() == 18
        && datagram[2] == NO_REPLY
        && datagram[4] == HOST
        && u16_at(datagram, 10) == RC_OK;
    answer.then(|| u16_at(datagram, 12))
}
