//! EIEIO commands: the notification protocol between tool chain and clients, and the board's
//! buffers.
//!
//! A u16 `0x4000 | id`, then what the command needs, little endian.
//! Source: SpiNNMan 7.4.1 (`messages/eieio/command_messages`). What it writes of
//! [`Command::RequestReadData`] has x and y exchanged, and the first address in every request;
//! this writes what it reads.

use super::error::{Result, SpinnakerError, need, u16_at, u32_at};

/// Longest database path that the notification protocol carries, in bytes.
pub const MAX_PATH: usize = 298;
/// Most regions that a buffer command names.
pub const MAX_REGIONS: usize = 7;

/// A core of the machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Core {
    /// Column of the chip.
    pub x: u8,
    /// Row of the chip.
    pub y: u8,
    /// Processor on the chip, 0 to 31.
    pub p: u8,
}

/// A recording region in a buffer command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Region {
    /// Channel of the recording.
    pub channel: u8,
    /// Number of the region.
    pub region: u8,
    /// Where the data starts; 0 in [`Command::DataRead`].
    pub address: u32,
    /// Bytes to be read, or that were read.
    pub bytes: u32,
}

/// Up to seven regions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Regions {
    count: u8,
    regions: [Region; MAX_REGIONS],
}

impl Regions {
    /// These; those after the seventh are left out.
    pub fn new(regions: &[Region]) -> Self {
        let mut list = Self::default();
        for (to, from) in list.regions.iter_mut().zip(regions) {
            *to = *from;
            list.count += 1;
        }
        list
    }

    /// The regions.
    pub fn as_slice(&self) -> &[Region] {
        &self.regions[..usize::from(self.count)]
    }
}

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// Where the database is; without a path: that it has been read.
    Database(Option<&'a str>),
    /// Fills a buffer.
    EventPadding,
    /// The end of all buffers.
    EventStop,
    /// Stop asking for more.
    StopSendingRequests,
    /// Ask for more again.
    StartSendingRequests,
    /// The board has room for more input.
    RequestBuffers {
        /// Who asks.
        core: Core,
        /// Region with room.
        region: u8,
        /// Number of the request.
        sequence: u8,
        /// Bytes there is room for.
        space: u32,
    },
    /// Input to be kept until its time.
    SequencedData {
        /// Region to put it in.
        region: u8,
        /// Number of the packet.
        sequence: u8,
        /// An EIEIO data message.
        data: &'a [u8],
    },
    /// The board has data to be read.
    RequestReadData {
        /// Who asks.
        core: Core,
        /// Number of the request.
        sequence: u8,
        /// What is to be read.
        regions: Regions,
    },
    /// The host has read data.
    DataRead {
        /// Number of the request.
        sequence: u8,
        /// What was read.
        regions: Regions,
    },
    /// The simulation stops or pauses.
    StopPause,
    /// The simulation starts or resumes.
    StartResume,
    /// The host has seen a request to read.
    DataReadAck {
        /// Number of the request.
        sequence: u8,
    },
}

/// Whether a packet is a command and not a data message.
pub fn is_command(bytes: &[u8]) -> bool {
    bytes.get(1).is_some_and(|flags| flags & 0xC0 == 0x40)
}

impl<'a> Command<'a> {
    /// Number of the command.
    pub fn id(&self) -> u16 {
        match self {
            Command::Database(_) => 1,
            Command::EventPadding => 2,
            Command::EventStop => 3,
            Command::StopSendingRequests => 4,
            Command::StartSendingRequests => 5,
            Command::RequestBuffers { .. } => 6,
            Command::SequencedData { .. } => 7,
            Command::RequestReadData { .. } => 8,
            Command::DataRead { .. } => 9,
            Command::StopPause => 10,
            Command::StartResume => 11,
            Command::DataReadAck { .. } => 12,
        }
    }

    /// Reads a command.
    ///
    /// # Errors
    /// It is cut off, is none, or has a number that is not known.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        need("the command", bytes, 0, 2)?;
        let word = u16_at(bytes, 0);
        let wrong = |expected| SpinnakerError::Field {
            what: "the command",
            offset: 0,
            value: word.into(),
            expected,
        };
        if !is_command(bytes) {
            return Err(wrong("0x4000 and a number; this is a data message"));
        }
        let rest = &bytes[2..];
        Ok(match word & 0x3FFF {
            1 => Command::Database(path(rest)?),
            2 => Command::EventPadding,
            3 => Command::EventStop,
            4 => Command::StopSendingRequests,
            5 => Command::StartSendingRequests,
            6 => request_buffers(bytes)?,
            7 => {
                need("the sequenced data", bytes, 2, 2)?;
                Command::SequencedData {
                    region: rest[0],
                    sequence: rest[1],
                    data: &rest[2..],
                }
            }
            8 => request_read(bytes)?,
            9 => data_read(bytes)?,
            10 => Command::StopPause,
            11 => Command::StartResume,
            12 => {
                need("the acknowledgement", bytes, 2, 1)?;
                Command::DataReadAck { sequence: rest[0] }
            }
            _ => return Err(wrong("a number of 1 to 12")),
        })
    }

    /// Writes the command into a buffer of the caller's; returns its length in bytes.
    ///
    /// # Errors
    /// The buffer is too small, or a path too long.
    pub fn encode(&self, buffer: &mut [u8]) -> Result<usize> {
        let mut out = Out { buffer, used: 0 };
        out.bytes(&(0x4000 | self.id()).to_le_bytes())?;
        match *self {
            Command::Database(Some(path)) => {
                if path.len() > MAX_PATH {
                    return Err(SpinnakerError::PathTooLong {
                        path: path.to_owned(),
                        bytes: path.len(),
                        most: MAX_PATH,
                    });
                }
                out.bytes(path.as_bytes())?;
            }
            Command::RequestBuffers {
                core,
                region,
                sequence,
                space,
            } => {
                out.bytes(&[core.y, core.x, core.p << 3, 0, region & 15, sequence])?;
                out.bytes(&space.to_le_bytes())?;
            }
            Command::SequencedData {
                region,
                sequence,
                data,
            } => {
                out.bytes(&[region, sequence])?;
                out.bytes(data)?;
            }
            Command::RequestReadData {
                core,
                sequence,
                regions,
            } => {
                out.bytes(&[core.y, core.x, core.p << 3 | regions.count, sequence])?;
                for (i, r) in regions.as_slice().iter().enumerate() {
                    out.bytes(&[0, 0][..2 * usize::from(i > 0)])?;
                    out.bytes(&[r.channel, r.region])?;
                    out.bytes(&r.address.to_le_bytes())?;
                    out.bytes(&r.bytes.to_le_bytes())?;
                }
            }
            Command::DataRead { sequence, regions } => {
                out.bytes(&[regions.count, sequence])?;
                for r in regions.as_slice() {
                    out.bytes(&[0, 0, r.channel, r.region])?;
                    out.bytes(&r.bytes.to_le_bytes())?;
                }
            }
            Command::DataReadAck { sequence } => out.bytes(&[sequence])?,
            _ => {}
        }
        Ok(out.used)
    }
}

struct Out<'b> {
    buffer: &'b mut [u8],
    used: usize,
}

impl Out<'_> {
    fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        let (needed, found) = (self.used + bytes.len(), self.buffer.len());
        let Some(to) = self.buffer.get_mut(self.used..needed) else {
            return Err(SpinnakerError::Buffer {
                what: "the command",
                needed,
                found,
            });
        };
        to.copy_from_slice(bytes);
        self.used = needed;
        Ok(())
    }
}

fn path(rest: &[u8]) -> Result<Option<&str>> {
    if rest.is_empty() {
        return Ok(None);
    }
    let text = std::str::from_utf8(rest).map_err(|e| SpinnakerError::Path {
        offset: 2 + e.valid_up_to(),
    })?;
    Ok(Some(text))
}

fn request_buffers(bytes: &[u8]) -> Result<Command<'_>> {
    need("the request for buffers", bytes, 2, 10)?;
    Ok(Command::RequestBuffers {
        core: Core {
            y: bytes[2],
            x: bytes[3],
            p: bytes[4] >> 3,
        },
        region: bytes[6] & 15,
        sequence: bytes[7],
        space: u32_at(bytes, 8),
    })
}

fn request_read(bytes: &[u8]) -> Result<Command<'_>> {
    need("the request to read", bytes, 2, 4)?;
    let mut regions = Regions {
        count: bytes[4] & 7,
        ..Regions::default()
    };
    let mut at = 6;
    for (i, r) in regions.regions[..usize::from(regions.count)]
        .iter_mut()
        .enumerate()
    {
        at += 2 * usize::from(i > 0);
        need("a region to read", bytes, at, 10)?;
        *r = Region {
            channel: bytes[at],
            region: bytes[at + 1],
            address: u32_at(bytes, at + 2),
            bytes: u32_at(bytes, at + 6),
        };
        at += 10;
    }
    Ok(Command::RequestReadData {
        core: Core {
            y: bytes[2],
            x: bytes[3],
            p: bytes[4] >> 3,
        },
        sequence: bytes[5],
        regions,
    })
}

fn data_read(bytes: &[u8]) -> Result<Command<'_>> {
    need("what was read", bytes, 2, 2)?;
    let mut regions = Regions {
        count: bytes[2] & 7,
        ..Regions::default()
    };
    let mut at = 4;
    for r in &mut regions.regions[..usize::from(regions.count)] {
        need("a region that was read", bytes, at, 8)?;
        *r = Region {
            channel: bytes[at + 2],
            region: bytes[at + 3],
            address: 0,
            bytes: u32_at(bytes, at + 4),
        };
        at += 8;
    }
    Ok(Command::DataRead {
        sequence: bytes[3],
        regions,
    })
}
