//! Bytes: plain CDR (XCDR1, as ROS 2 puts on the wire) and ROS 1's packed form.
//!
//! Both are the same walk over the same fields. CDR aligns every primitive to
//! its own size, counted from after the 4-byte encapsulation header, and ends
//! strings with a NUL; ROS 1 packs everything, little endian.
//! Sources: OMG CORBA 3.4 part 2, 9.3 (CDR); OMG DDSI-RTPS 2.3, 10 (the
//! header); the ROS wiki's message serialisation notes.

/// How many bytes the encapsulation header takes.
const HEADER_LEN: usize = 4;
/// DDS implementations may pad a payload up to a multiple of four bytes.
const MAX_PADDING: usize = 3;

/// The two ways a message becomes bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// ROS 2: aligned CDR after an encapsulation header.
    Cdr,
    /// ROS 1: packed little endian, no header, `std_msgs/Header` has a `seq`.
    Ros1,
}

/// The field that is being read; errors name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// ROS type name of the message.
    pub message: &'static str,
    /// Name of the field within it.
    pub field: &'static str,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.message, self.field)
    }
}

/// Bytes that are not the message they should be. Offsets count from the first
/// byte given to the reader, encapsulation header included.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CdrError {
    /// The bytes end too early.
    #[error(
        "{place}: expected {expected} ({needed} bytes) at offset {offset}, but only {remaining} bytes remain; the message is truncated or of another type"
    )]
    Truncated {
        /// Where in the message.
        place: Place,
        /// What should have been there.
        expected: &'static str,
        /// Byte offset of the read.
        offset: usize,
        /// Bytes it takes, alignment included.
        needed: usize,
        /// Bytes left.
        remaining: usize,
    },
    /// A sequence claims more elements than the bytes left can hold.
    #[error(
        "{place}: a sequence at offset {offset} claims {count} elements of at least {min_size} bytes, but only {remaining} bytes remain; the message is corrupt or of another type"
    )]
    Count {
        /// Where in the message.
        place: Place,
        /// Byte offset after the count.
        offset: usize,
        /// The declared count.
        count: u32,
        /// Least size of an element in bytes.
        min_size: usize,
        /// Bytes left.
        remaining: usize,
    },
    /// More elements than the type allows.
    #[error(
        "{place}: a sequence before offset {offset} has {count} elements, and may have one; the message is corrupt or of another type"
    )]
    TooMany {
        /// Where in the message.
        place: Place,
        /// Byte offset after the count.
        offset: usize,
        /// The declared count.
        count: usize,
    },
    /// A string is not UTF-8.
    #[error("{place}: the {len}-byte string at offset {offset} is not UTF-8")]
    NotUtf8 {
        /// Where in the message.
        place: Place,
        /// Byte offset of the string's first byte.
        offset: usize,
        /// Its length in bytes.
        len: usize,
    },
    /// A CDR string lacks its final NUL.
    #[error(
        "{place}: expected a NUL to end the {len}-byte string at offset {offset}, found {found:#04x}"
    )]
    NotTerminated {
        /// Where in the message.
        place: Place,
        /// Byte offset of the string's first byte.
        offset: usize,
        /// Its declared length in bytes.
        len: usize,
        /// The byte in the NUL's place.
        found: u8,
    },
    /// A `bool` is neither 0 nor 1.
    #[error("{place}: expected a bool (0 or 1) at offset {offset}, found {found}")]
    NotBool {
        /// Where in the message.
        place: Place,
        /// Byte offset.
        offset: usize,
        /// The byte.
        found: u8,
    },
    /// The payload starts with another representation than plain CDR.
    #[error(
        "expected a CDR encapsulation header (00 00 or 00 01) at offset 0, found {found:02x?}; parameter lists and XCDR2 are not read"
    )]
    Encapsulation {
        /// The header's first bytes (fewer than four where the payload is shorter).
        found: Vec<u8>,
    },
    /// More bytes than the message and its padding.
    #[error(
        "{message}: the message ends at offset {offset}, but {remaining} more bytes follow; it is of another type or another version of it"
    )]
    Trailing {
        /// ROS type name.
        message: &'static str,
        /// Where the message ended.
        offset: usize,
        /// Bytes after it.
        remaining: usize,
    },
}

/// Writes one message body.
#[derive(Debug, Clone)]
pub struct Writer {
    bytes: Vec<u8>,
    encoding: Encoding,
}

impl Writer {
    /// An empty body; for CDR it starts with the little-endian header.
    #[must_use]
    pub fn new(encoding: Encoding) -> Self {
        Self::reuse(Vec::new(), encoding)
    }

    /// As [`Writer::new`], into a buffer whose content is dropped and whose
    /// memory is used again.
    #[must_use]
    pub fn reuse(mut bytes: Vec<u8>, encoding: Encoding) -> Self {
        bytes.clear();
        if encoding == Encoding::Cdr {
            bytes.extend_from_slice(&[0, 1, 0, 0]);
        }
        Self { bytes, encoding }
    }

    /// What is being written.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// The bytes so far, header included.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Pads with zeros to a multiple of `size`, at most 8 (CDR only).
    #[inline]
    pub fn align(&mut self, size: usize) {
        if self.encoding == Encoding::Cdr {
            let body = self.bytes.len() - HEADER_LEN;
            let padding = body.next_multiple_of(size) - body;
            self.bytes.extend_from_slice(&[0; 8][..padding]);
        }
    }

    /// Copies bytes as they are.
    #[inline]
    pub fn raw(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    /// Makes room for `extra` further bytes.
    pub fn reserve(&mut self, extra: usize) {
        self.bytes.reserve(extra);
    }

    /// The length of a sequence or string.
    ///
    /// # Panics
    /// Where `len` does not fit a `u32`: no ROS message can hold that.
    pub fn count(&mut self, len: usize) {
        let count = u32::try_from(len).expect("a ROS sequence holds fewer than 2^32 elements");
        self.align(4);
        self.raw(&count.to_le_bytes());
    }

    /// A string.
    pub fn string(&mut self, text: &str) {
        match self.encoding {
            Encoding::Cdr => {
                self.count(text.len() + 1);
                self.raw(text.as_bytes());
                self.raw(&[0]);
            }
            Encoding::Ros1 => {
                self.count(text.len());
                self.raw(text.as_bytes());
            }
        }
    }
}

/// Reads one message body.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
    /// Where alignment counts from.
    origin: usize,
    big_endian: bool,
    encoding: Encoding,
    place: &'static Place,
}

const START: Place = Place {
    message: "message",
    field: "start",
};

impl<'a> Reader<'a> {
    /// A reader after the encapsulation header of `bytes`.
    ///
    /// # Errors
    /// [`CdrError::Encapsulation`] where that is not plain CDR, little or big
    /// endian.
    pub fn cdr(bytes: &'a [u8]) -> Result<Self, CdrError> {
        let big_endian = match bytes {
            [0, 0, _, _, ..] => true,
            [0, 1, _, _, ..] => false,
            _ => {
                let found = bytes.iter().take(HEADER_LEN).copied().collect();
                return Err(CdrError::Encapsulation { found });
            }
        };
        Ok(Self {
            bytes,
            offset: HEADER_LEN,
            origin: HEADER_LEN,
            big_endian,
            encoding: Encoding::Cdr,
            place: &START,
        })
    }

    /// A reader of a ROS 1 body.
    #[must_use]
    pub fn ros1(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            offset: 0,
            origin: 0,
            big_endian: false,
            encoding: Encoding::Ros1,
            place: &START,
        }
    }

    /// What is being read.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Whether numbers are big endian.
    #[must_use]
    pub fn big_endian(&self) -> bool {
        self.big_endian
    }

    /// Says which field comes next, for errors.
    #[inline]
    pub fn at(&mut self, place: &'static Place) {
        self.place = place;
    }

    /// The field being read.
    #[must_use]
    pub fn place(&self) -> Place {
        *self.place
    }

    /// Bytes from the first one given to the next one read.
    #[must_use]
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Bytes not read yet.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.offset
    }

    /// `len` bytes after padding to a multiple of `align` (CDR only).
    ///
    /// # Errors
    /// [`CdrError::Truncated`], naming `expected`.
    #[inline]
    pub fn take(
        &mut self,
        len: usize,
        align: usize,
        expected: &'static str,
    ) -> Result<&'a [u8], CdrError> {
        let start = match self.encoding {
            Encoding::Cdr => self.origin + (self.offset - self.origin).next_multiple_of(align),
            Encoding::Ros1 => self.offset,
        };
        let taken = start
            .checked_add(len)
            .and_then(|end| self.bytes.get(start..end));
        let Some(taken) = taken else {
            return Err(CdrError::Truncated {
                place: *self.place,
                expected,
                offset: self.offset,
                needed: len.saturating_add(start - self.offset),
                remaining: self.remaining(),
            });
        };
        self.offset = start + len;
        Ok(taken)
    }

    /// `N` bytes, aligned to `N`.
    ///
    /// # Errors
    /// [`CdrError::Truncated`].
    #[inline]
    pub fn number<const N: usize>(&mut self, expected: &'static str) -> Result<[u8; N], CdrError> {
        let mut number = [0; N];
        number.copy_from_slice(self.take(N, N, expected)?);
        if self.big_endian {
            number.reverse();
        }
        Ok(number)
    }

    /// The count of a sequence whose elements take at least `min_size` bytes:
    /// never more than the bytes left can hold.
    ///
    /// # Errors
    /// [`CdrError::Truncated`], [`CdrError::Count`].
    pub fn count(&mut self, min_size: usize) -> Result<usize, CdrError> {
        let count = u32::from_le_bytes(self.number("a sequence length (uint32)")?);
        let fits = (count as usize)
            .checked_mul(min_size)
            .is_some_and(|bytes| bytes <= self.remaining());
        if !fits {
            return Err(CdrError::Count {
                place: *self.place,
                offset: self.offset,
                count,
                min_size,
                remaining: self.remaining(),
            });
        }
        Ok(count as usize)
    }

    /// A string. An empty CDR string may come with or without its NUL.
    ///
    /// # Errors
    /// Where it is cut off, not UTF-8, or lacks its NUL.
    pub fn string(&mut self) -> Result<String, CdrError> {
        let len = self.count(1)?;
        let offset = self.offset;
        let bytes = self.take(len, 1, "string")?;
        let text = match (self.encoding, bytes) {
            (Encoding::Ros1, _) | (Encoding::Cdr, []) => bytes,
            (Encoding::Cdr, [text @ .., 0]) => text,
            (Encoding::Cdr, [.., found]) => {
                return Err(CdrError::NotTerminated {
                    place: *self.place,
                    offset,
                    len,
                    found: *found,
                });
            }
        };
        std::str::from_utf8(text)
            .map(str::to_owned)
            .map_err(|_| CdrError::NotUtf8 {
                place: *self.place,
                offset,
                len,
            })
    }

    /// A `bool`.
    ///
    /// # Errors
    /// Where there is no byte, or it is neither 0 nor 1.
    #[inline]
    pub fn bool(&mut self) -> Result<bool, CdrError> {
        let offset = self.offset;
        match self.number("bool")? {
            [0] => Ok(false),
            [1] => Ok(true),
            [found] => Err(CdrError::NotBool {
                place: *self.place,
                offset,
                found,
            }),
        }
    }

    /// Checks that `message` used up all bytes but the padding of a DDS payload.
    ///
    /// # Errors
    /// [`CdrError::Trailing`].
    pub fn finish(&self, message: &'static str) -> Result<(), CdrError> {
        let allowed = match self.encoding {
            Encoding::Cdr => MAX_PADDING,
            Encoding::Ros1 => 0,
        };
        if self.remaining() > allowed {
            return Err(CdrError::Trailing {
                message,
                offset: self.offset,
                remaining: self.remaining(),
            });
        }
        Ok(())
    }
}
