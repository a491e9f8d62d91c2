//! EIEIO data messages: events on their way to and from a board.
//!
//! Byte 0 is the number of events. Byte 1, from the top bit: a key prefix follows; it is the
//! upper half of the key; a payload prefix follows; payloads are times; the type (2 bits); a
//! tag (2 bits). Then the u16 key prefix, the payload prefix (u16 or u32, as the keys), and the
//! events, all little endian. Prefixes are OR-ed to every event.
//! Source: SpiNNakerManchester's SpiNNMan 7.4.1 (`messages/eieio`), against which a test holds
//! this.

use super::error::{Result, SpinnakerError, need, u16_at, u32_at};

/// Most events that a message can count.
pub const MAX_EVENTS: usize = 255;

/// What an event of a message consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A key of 16 bits.
    Key16 = 0,
    /// A key and a payload of 16 bits each.
    Key16Payload = 1,
    /// A key of 32 bits.
    Key32 = 2,
    /// A key and a payload of 32 bits each.
    Key32Payload = 3,
}

impl Kind {
    /// All of them, in the order of their numbers.
    pub const ALL: [Kind; 4] = [
        Kind::Key16,
        Kind::Key16Payload,
        Kind::Key32,
        Kind::Key32Payload,
    ];

    fn wide(self) -> bool {
        matches!(self, Kind::Key32 | Kind::Key32Payload)
    }

    fn has_payload(self) -> bool {
        matches!(self, Kind::Key16Payload | Kind::Key32Payload)
    }

    /// Bytes of a key, and of a payload.
    fn word(self) -> usize {
        if self.wide() { 4 } else { 2 }
    }

    /// Bytes of an event.
    pub fn event_bytes(self) -> usize {
        self.word() * (1 + usize::from(self.has_payload()))
    }

    fn name(self) -> &'static str {
        match self {
            Kind::Key16 => "16-bit keys",
            Kind::Key16Payload => "16-bit keys with payloads",
            Kind::Key32 => "32-bit keys",
            Kind::Key32Payload => "32-bit keys with payloads",
        }
    }
}

/// Which half of the key a prefix is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPrefix {
    /// Bits 15 to 0.
    Lower(u16),
    /// Bits 31 to 16.
    Upper(u16),
}

impl KeyPrefix {
    fn bits(self) -> u32 {
        match self {
            KeyPrefix::Lower(bits) => bits.into(),
            KeyPrefix::Upper(bits) => u32::from(bits) << 16,
        }
    }
}

/// The header of a data message but for its count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What its events consist of.
    pub kind: Kind,
    /// A number of two bits that nobody uses.
    pub tag: u8,
    /// OR-ed to every key.
    pub key_prefix: Option<KeyPrefix>,
    /// OR-ed to every payload, or the payload of every event where they have none. Of 16 bits
    /// with 16-bit keys.
    pub payload_prefix: Option<u32>,
    /// Whether payloads are ticks.
    pub payload_is_time: bool,
}

impl Header {
    /// Keys and nothing else.
    pub const fn of(kind: Kind) -> Self {
        Self {
            kind,
            tag: 0,
            key_prefix: None,
            payload_prefix: None,
            payload_is_time: false,
        }
    }

    /// 32-bit keys that all belong to this tick: what the live packet gatherer sends.
    pub const fn at_tick(tick: u32) -> Self {
        Self {
            payload_prefix: Some(tick),
            payload_is_time: true,
            ..Self::of(Kind::Key32)
        }
    }

    /// Bytes of the header, count included.
    pub fn bytes(&self) -> usize {
        let prefix = self.payload_prefix.map_or(0, |_| self.kind.word());
        2 + 2 * usize::from(self.key_prefix.is_some()) + prefix
    }

    /// Events that go into a message of `bytes` bytes.
    pub fn capacity(&self, bytes: usize) -> usize {
        (bytes.saturating_sub(self.bytes()) / self.kind.event_bytes()).min(MAX_EVENTS)
    }

    fn flags(&self) -> u8 {
        let prefix = match self.key_prefix {
            None => 0,
            Some(KeyPrefix::Lower(_)) => 0x80,
            Some(KeyPrefix::Upper(_)) => 0xC0,
        };
        prefix
            | u8::from(self.payload_prefix.is_some()) << 5
            | u8::from(self.payload_is_time) << 4
            | (self.kind as u8) << 2
            | self.tag & 3
    }

    fn parse(bytes: &[u8]) -> Result<Self> {
        need("the EIEIO header", bytes, 0, 2)?;
        let flags = bytes[1];
        if flags & 0xC0 == 0x40 {
            return Err(SpinnakerError::Field {
                what: "the flags",
                offset: 1,
                value: flags.into(),
                expected: "those of a data message; this is a command",
            });
        }
        let kind = Kind::ALL[usize::from(flags >> 2 & 3)];
        let mut header = Header {
            tag: flags & 3,
            payload_is_time: flags & 0x10 != 0,
            ..Header::of(kind)
        };
        if flags & 0x80 != 0 {
            need("the key prefix", bytes, 2, 2)?;
            let bits = u16_at(bytes, 2);
            header.key_prefix = Some(match flags & 0x40 {
                0 => KeyPrefix::Lower(bits),
                _ => KeyPrefix::Upper(bits),
            });
        }
        if flags & 0x20 != 0 {
            let at = header.bytes();
            need("the payload prefix", bytes, at, kind.word())?;
            header.payload_prefix = Some(word_at(kind, bytes, at));
        }
        Ok(header)
    }
}

fn word_at(kind: Kind, bytes: &[u8], at: usize) -> u32 {
    if kind.wide() {
        u32_at(bytes, at)
    } else {
        u16_at(bytes, at).into()
    }
}

/// Writes a message into a buffer of the caller's.
#[derive(Debug)]
pub struct Writer<'a> {
    buffer: &'a mut [u8],
    header: Header,
    used: usize,
    count: usize,
    capacity: usize,
}

impl<'a> Writer<'a> {
    /// A message with no events yet.
    ///
    /// # Errors
    /// The buffer does not hold the header, or a payload prefix not its field.
    pub fn new(buffer: &'a mut [u8], header: Header) -> Result<Self> {
        let used = header.bytes();
        if buffer.len() < used {
            return Err(SpinnakerError::Buffer {
                what: "the EIEIO header",
                needed: used,
                found: buffer.len(),
            });
        }
        let mut writer = Self {
            capacity: header.capacity(buffer.len()),
            buffer,
            header,
            used,
            count: 0,
        };
        writer.buffer[..2].copy_from_slice(&[0, header.flags()]);
        if let Some(KeyPrefix::Lower(bits) | KeyPrefix::Upper(bits)) = header.key_prefix {
            writer.buffer[2..4].copy_from_slice(&bits.to_le_bytes());
        }
        if let Some(prefix) = header.payload_prefix {
            writer.word("payload prefix", used - header.kind.word(), prefix)?;
        }
        Ok(writer)
    }

    fn word(&mut self, what: &'static str, at: usize, value: u32) -> Result<()> {
        let kind = self.header.kind;
        if kind.wide() {
            self.buffer[at..at + 4].copy_from_slice(&value.to_le_bytes());
            return Ok(());
        }
        let Ok(narrow) = u16::try_from(value) else {
            return Err(SpinnakerError::Event {
                index: self.count,
                what,
                value,
                kind: kind.name(),
                remedy: "use one of 32 bits",
            });
        };
        self.buffer[at..at + 2].copy_from_slice(&narrow.to_le_bytes());
        Ok(())
    }

    /// Appends an event, as it is on the wire, before prefixes.
    ///
    /// # Errors
    /// The message is full, or its type cannot carry the event; it stays as it was.
    pub fn push(&mut self, key: u32, payload: Option<u32>) -> Result<()> {
        if self.is_full() {
            return Err(SpinnakerError::Full { events: self.count });
        }
        let kind = self.header.kind;
        if payload.is_some() != kind.has_payload() {
            return Err(SpinnakerError::Event {
                index: self.count,
                what: "payload",
                value: payload.unwrap_or(0),
                kind: kind.name(),
                remedy: "give a payload exactly where the type has one",
            });
        }
        self.word("key", self.used, key)?;
        if let Some(payload) = payload {
            self.word("payload", self.used + kind.word(), payload)?;
        }
        self.used += kind.event_bytes();
        self.count += 1;
        Ok(())
    }

    /// Whether no other event fits.
    pub fn is_full(&self) -> bool {
        self.count >= self.capacity
    }

    /// Events in the message.
    pub fn events(&self) -> usize {
        self.count
    }

    /// Completes the message; returns its length in bytes.
    pub fn finish(self) -> usize {
        // No more than `MAX_EVENTS`.
        self.buffer[0] = self.count as u8;
        self.used
    }
}

/// An event with its prefixes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event {
    /// What fired.
    pub key: u32,
    /// The payload; a tick where the header says that payloads are times.
    pub payload: Option<u32>,
}

/// A data message in bytes of the caller's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its header.
    pub header: Header,
    body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Reads the header, and checks that all events are there. Bytes after them are padding.
    ///
    /// # Errors
    /// The message is cut off, or is a command.
    pub fn parse(bytes: &'a [u8]) -> Result<Self> {
        let header = Header::parse(bytes)?;
        let (at, needed) = (
            header.bytes(),
            usize::from(bytes[0]) * header.kind.event_bytes(),
        );
        need("the events", bytes, at, needed)?;
        Ok(Self {
            header,
            body: &bytes[at..at + needed],
        })
    }

    /// Number of events.
    pub fn count(&self) -> usize {
        self.body.len() / self.header.kind.event_bytes()
    }

    /// The tick of all events where the header has one.
    pub fn tick(&self) -> Option<u32> {
        self.header
            .payload_prefix
            .filter(|_| self.header.payload_is_time)
    }

    /// The events as a host reads them.
    pub fn events(&self) -> impl Iterator<Item = Event> + 'a {
        self.with_prefix(self.header.key_prefix.map_or(0, KeyPrefix::bits), 0)
    }

    /// The events as an injector on the board reads them: `own` is the upper half of its keys,
    /// used where the message has no prefix, and a 16-bit key with no upper half anywhere
    /// moves up itself.
    pub fn events_at_injector(&self, own: Option<u16>) -> impl Iterator<Item = Event> + 'a {
        let prefix = self.header.key_prefix.or(own.map(KeyPrefix::Upper));
        let upper = matches!(prefix, Some(KeyPrefix::Upper(_)));
        let shift = if self.header.kind.wide() || upper {
            0
        } else {
            16
        };
        self.with_prefix(prefix.map_or(0, KeyPrefix::bits), shift)
    }

    fn with_prefix(&self, prefix: u32, shift: u32) -> impl Iterator<Item = Event> + use<'a> {
        let Header {
            kind,
            payload_prefix,
            ..
        } = self.header;
        self.body
            .chunks_exact(kind.event_bytes())
            .map(move |event| Event {
                key: word_at(kind, event, 0) << shift | prefix,
                payload: if kind.has_payload() {
                    Some(word_at(kind, event, kind.word()) | payload_prefix.unwrap_or(0))
                } else {
                    payload_prefix
                },
            })
    }
}
