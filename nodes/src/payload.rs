//! A message on its way between nodes: typed inside one process, CDR bytes
//! where it crosses a middleware or a file.

use saccade_msgs::cdr::{CdrError, Encoding, Reader, Writer};
use saccade_msgs::{AnyMessage, Message, registry};
use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

/// Why a payload could not be read as the wanted type.
#[derive(Debug, thiserror::Error)]
pub enum PayloadError {
    /// Another type is on the topic.
    #[error("message is a {found}, expected {expected}; check remaps and the publisher's type")]
    Type {
        /// What came.
        found: String,
        /// What the subscriber declared.
        expected: &'static str,
    },
    /// The bytes do not decode.
    #[error("{type_name}: {source}")]
    Cdr {
        /// Declared type.
        type_name: &'static str,
        /// Where and why.
        source: CdrError,
    },
    /// A type this program was not built with.
    #[error("{0} is no type this program knows")]
    Unknown(&'static str),
}

#[derive(Clone)]
enum Repr {
    Typed(Arc<dyn AnyMessage>),
    Cdr {
        type_name: Arc<str>,
        bytes: Arc<[u8]>,
    },
}

/// A message, shared and immutable. Cloning costs a reference count.
#[derive(Clone)]
pub struct Payload(Repr);

impl Payload {
    /// Wraps a typed message; nothing is encoded.
    pub fn new<M: Message>(message: M) -> Self {
        Payload(Repr::Typed(Arc::new(message)))
    }

    /// Wraps CDR bytes (with their 4-byte encapsulation header).
    pub fn from_cdr(type_name: impl Into<Arc<str>>, bytes: impl Into<Arc<[u8]>>) -> Self {
        Payload(Repr::Cdr {
            type_name: type_name.into(),
            bytes: bytes.into(),
        })
    }

    /// Decodes a message that came from outside, CDR with its header.
    ///
    /// # Errors
    /// A type that is not known, or bytes that are no such message.
    pub fn decode(type_name: &'static str, bytes: &[u8]) -> Result<Self, PayloadError> {
        let wrong = |source| PayloadError::Cdr { type_name, source };
        let mut reader = Reader::cdr(bytes).map_err(wrong)?;
        Self::read(type_name, &mut reader)
    }

    /// Decodes the last part of a message that came from outside.
    ///
    /// # Errors
    /// As [`Payload::decode`].
    pub fn read(type_name: &'static str, reader: &mut Reader<'_>) -> Result<Self, PayloadError> {
        let wrong = |source| PayloadError::Cdr { type_name, source };
        let entry = registry::find(type_name).ok_or(PayloadError::Unknown(type_name))?;
        let message = (entry.decode)(reader).map_err(wrong)?;
        reader.finish(type_name).map_err(wrong)?;
        Ok(Payload(Repr::Typed(message)))
    }

    /// A message of which nobody has set a field; `None` where the type is not known.
    pub fn default_of(type_name: &str) -> Option<Self> {
        registry::find(type_name).map(|entry| Payload(Repr::Typed((entry.default)())))
    }

    /// ROS type name.
    pub fn type_name(&self) -> &str {
        match &self.0 {
            Repr::Typed(m) => m.type_name(),
            Repr::Cdr { type_name, .. } => type_name,
        }
    }

    /// The message as `M`: a shared reference where it is typed already, a
    /// decoded copy where it came as bytes.
    ///
    /// # Errors
    /// Another type, or bytes that do not decode.
    pub fn get<M: Message>(&self) -> Result<Arc<M>, PayloadError> {
        let wrong = || PayloadError::Type {
            found: self.type_name().to_owned(),
            expected: M::TYPE_NAME,
        };
        match &self.0 {
            Repr::Typed(m) => {
                let any: Arc<dyn Any + Send + Sync> = m.clone();
                any.downcast().map_err(|_| wrong())
            }
            Repr::Cdr { type_name, bytes } => {
                if type_name.as_ref() != M::TYPE_NAME {
                    return Err(wrong());
                }
                saccade_msgs::from_cdr(bytes)
                    .map(Arc::new)
                    .map_err(|source| PayloadError::Cdr {
                        type_name: M::TYPE_NAME,
                        source,
                    })
            }
        }
    }

    /// Appends the message's body to `w`.
    pub fn encode(&self, w: &mut Writer) {
        match &self.0 {
            Repr::Typed(m) => m.encode_to(w),
            // Bytes that are no such message leave nothing, which who receives it refuses.
            Repr::Cdr { type_name, bytes } => {
                let decode = registry::find(type_name).map(|entry| entry.decode);
                let reader = Reader::cdr(bytes).ok();
                if let (Some(decode), Some(mut reader)) = (decode, reader)
                    && let Ok(message) = decode(&mut reader)
                {
                    message.encode_to(w);
                }
            }
        }
    }

    /// The message as CDR bytes, encoded now where it is typed.
    pub fn cdr(&self) -> Cow<'_, [u8]> {
        match &self.0 {
            Repr::Typed(m) => {
                let mut w = Writer::new(Encoding::Cdr);
                m.encode_to(&mut w);
                Cow::Owned(w.into_bytes())
            }
            Repr::Cdr { bytes, .. } => Cow::Borrowed(bytes),
        }
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Payload({})", self.type_name())
    }
}
