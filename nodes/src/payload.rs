//! A message on its way between nodes: typed inside one process, CDR bytes
//! where it crosses a middleware or a file.

use saccade_msgs::Message;
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
        source: saccade_msgs::cdr::CdrError,
    },
}

trait AnyMessage: Any + Send + Sync {
    fn type_name(&self) -> &'static str;
    fn to_cdr(&self) -> Vec<u8>;
}

impl<M: Message> AnyMessage for M {
    fn type_name(&self) -> &'static str {
        M::TYPE_NAME
    }
    fn to_cdr(&self) -> Vec<u8> {
        saccade_msgs::to_cdr(self)
    }
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

    /// The message as CDR bytes, encoded now where it is typed.
    pub fn cdr(&self) -> Cow<'_, [u8]> {
        match &self.0 {
            Repr::Typed(m) => Cow::Owned(m.to_cdr()),
            Repr::Cdr { bytes, .. } => Cow::Borrowed(bytes),
        }
    }
}

impl std::fmt::Debug for Payload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Payload({})", self.type_name())
    }
}
