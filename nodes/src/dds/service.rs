//! Services over DDS: a topic for requests, one for replies, and how a reply says which
//! request it answers.

use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, Ordering};

use rustdds::{GUID, SampleIdentity, SequenceNumber};
use saccade_msgs::cdr::CdrError;

use super::raw::HEADER as CDR_HEADER;
use super::{Mapping, Publisher, Received, Subscriber};
use crate::ros::{Ask, Identity, Incoming, NetworkError, Receive, Reply};

/// Bytes that the Cyclone mapping has before a request or reply: the second half of the
/// client's identifier, and a number.
const HEADER: usize = 16;

/// A request, and whom to answer.
fn request(mapping: Mapping, mut received: Received) -> Result<Incoming, CdrError> {
    let of = match mapping {
        Mapping::Cyclone => take_header(&mut received.cdr)?,
        Mapping::Fast => Identity {
            // Fast DDS names here who listens for the reply, without a number.
            writer: match received.answers {
                Some(named) if named.writer_guid != GUID::default() => named.writer_guid.to_bytes(),
                _ => received.publisher,
            },
            number: received.sequence,
            ..Identity::default()
        },
    };
    Ok(Incoming {
        cdr: received.cdr,
        of: Identity {
            participant: prefix(&received.publisher),
            ..of
        },
    })
}

/// What all identifiers of a participant begin with.
fn prefix(guid: &[u8; 16]) -> [u8; 12] {
    let mut prefix = [0; 12];
    prefix.copy_from_slice(&guid[..12]);
    prefix
}

/// Whether a reader is the one that a caller listens with: the one that it names, and else
/// one of its participant, which is as much as a request says.
fn listens(caller: &Identity, reader: &[u8; 16]) -> bool {
    // The last byte is the kind of an endpoint; these are readers with and without a key.
    match caller.writer[15] & 0x3f {
        0x04 | 0x07 => *reader == caller.writer,
        _ => prefix(reader) == caller.participant,
    }
}

/// Takes the header out of a message. It is as long as the widest alignment twice, so that
/// what follows is aligned as before.
fn take_header(cdr: &mut Vec<u8>) -> Result<Identity, CdrError> {
    let mut reader = saccade_msgs::cdr::Reader::cdr(cdr)?;
    let header = reader.take(HEADER, 1, "the header of a request")?;
    let (client, number) = header.split_at(8);
    let mut of = Identity::default();
    of.writer[..8].copy_from_slice(client);
    let mut bytes = [0; 8];
    bytes.copy_from_slice(number);
    of.number = i64::from_le_bytes(bytes);
    cdr.drain(CDR_HEADER..CDR_HEADER + HEADER);
    Ok(of)
}

/// A message with the header put in.
fn with_header(cdr: &[u8], of: &Identity) -> Vec<u8> {
    let (front, rest) = cdr.split_at(CDR_HEADER.min(cdr.len()));
    [front, &of.writer[..8], &of.number.to_le_bytes(), rest].concat()
}

/// The requests to a service.
pub(super) struct Requests {
    pub mapping: Mapping,
    pub subscriber: Subscriber,
}

impl Receive for Requests {
    fn rang(&self) -> bool {
        self.subscriber.rang()
    }

    fn ring(&self) {
        self.subscriber.ring();
    }

    fn take(&mut self) -> Option<Result<Incoming, NetworkError>> {
        let received = self.subscriber.take()?;
        Some(request(self.mapping, received).map_err(NetworkError::from))
    }
}

/// Where a server's replies go.
pub(super) struct Replies {
    pub mapping: Mapping,
    pub publisher: Publisher,
}

impl Reply for Mutex<Replies> {
    fn reply(&self, caller: &Identity, cdr: Vec<u8>) -> Result<(), NetworkError> {
        let replies = super::lock(self);
        let (cdr, answers) = match replies.mapping {
            Mapping::Cyclone => (with_header(&cdr, caller), None),
            Mapping::Fast => {
                let identity = SampleIdentity {
                    writer_guid: GUID::from_bytes(caller.writer),
                    sequence_number: SequenceNumber::from(caller.number),
                };
                (cdr, Some(identity))
            }
        };
        replies.publisher.send(cdr, answers)?;
        Ok(())
    }

    fn is_heard(&self, caller: &Identity) -> bool {
        let mut replies = super::lock(self);
        (replies.publisher).is_matched(|reader| listens(caller, reader))
    }
}

/// What both sides of a client know: its publisher of requests, its subscriber to replies.
#[derive(Clone, Copy)]
pub(super) struct Ends {
    pub mapping: Mapping,
    pub writer: [u8; 16],
    pub reader: [u8; 16],
}

/// A client's side of a service.
pub(super) struct Client {
    ends: Ends,
    publisher: Mutex<Publisher>,
    last: AtomicI64,
}

impl Client {
    /// With its publisher of requests.
    pub fn new(ends: Ends, publisher: Publisher) -> Self {
        Client {
            ends,
            publisher: Mutex::new(publisher),
            last: AtomicI64::new(0),
        }
    }
}

impl Ask for Client {
    fn is_heard(&self) -> bool {
        super::lock(&self.publisher).matched() > 0
    }

    fn ask(&self, cdr: Vec<u8>) -> Result<i64, NetworkError> {
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let (cdr, named) = match self.ends.mapping {
            Mapping::Cyclone => {
                let mut of = Identity {
                    number,
                    ..Identity::default()
                };
                of.writer[..8].copy_from_slice(&self.ends.writer[8..]);
                (with_header(&cdr, &of), None)
            }
            Mapping::Fast => {
                let reader = SampleIdentity {
                    writer_guid: GUID::from_bytes(self.ends.reader),
                    sequence_number: SequenceNumber::UNKNOWN,
                };
                (cdr, Some(reader))
            }
        };
        let sent = super::lock(&self.publisher).send(cdr, named)?;
        Ok(match self.ends.mapping {
            Mapping::Cyclone => number,
            Mapping::Fast => sent,
        })
    }
}

/// The replies to a client.
pub(super) struct Answers {
    pub ends: Ends,
    pub subscriber: Subscriber,
}

impl Answers {
    /// A reply, if it answers one of our requests.
    fn reply(&self, mut received: Received) -> Result<Option<Incoming>, CdrError> {
        let Ends {
            mapping,
            writer,
            reader,
        } = self.ends;
        let of = match mapping {
            Mapping::Cyclone => {
                let of = take_header(&mut received.cdr)?;
                (of.writer[..8] == writer[8..]).then_some(of)
            }
            Mapping::Fast => received.answers.and_then(|named| {
                let to = named.writer_guid.to_bytes();
                [writer, reader].contains(&to).then(|| Identity {
                    writer: to,
                    number: named.sequence_number.into(),
                    ..Identity::default()
                })
            }),
        };
        let cdr = received.cdr;
        Ok(of.map(|of| Incoming { cdr, of }))
    }
}

impl Receive for Answers {
    fn rang(&self) -> bool {
        self.subscriber.rang()
    }

    fn ring(&self) {
        self.subscriber.ring();
    }

    fn take(&mut self) -> Option<Result<Incoming, NetworkError>> {
        loop {
            let received = self.subscriber.take()?;
            match self.reply(received) {
                Ok(None) => {} // To another client.
                Ok(Some(incoming)) => return Some(Ok(incoming)),
                Err(error) => return Some(Err(error.into())),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Payload;
    use saccade_msgs::registry::ENTRIES;

    fn received(cdr: Vec<u8>) -> Received {
        Received {
            cdr,
            received_ns: 0,
            published_ns: None,
            sequence: 7,
            publisher: [9; 16],
            answers: None,
        }
    }

    #[test]
    fn the_caller_is_who_sent_it_or_whom_it_names() {
        let mut cdr = vec![0, 1, 0, 0];
        cdr.extend(0..16);
        cdr.push(1);
        let mut message = received(cdr.clone());
        let incoming = request(Mapping::Cyclone, message.clone()).expect("a request");
        assert_eq!(incoming.of.writer[..8], cdr[4..12]);
        assert_eq!(incoming.of.number.to_le_bytes(), cdr[12..20]);
        assert_eq!(incoming.cdr, [0, 1, 0, 0, 1]);
        assert_eq!(with_header(&incoming.cdr, &incoming.of), cdr);

        let identity = |writer, number| Identity {
            writer: [writer; 16],
            number,
            participant: [9; 12],
        };
        let incoming = request(Mapping::Fast, message.clone()).expect("a request");
        assert_eq!(incoming.of, identity(9, 7));
        message.answers = Some(SampleIdentity {
            writer_guid: GUID::from_bytes([5; 16]),
            sequence_number: SequenceNumber::UNKNOWN,
        });
        let incoming = request(Mapping::Fast, message).expect("a request");
        assert_eq!(incoming.of, identity(5, 7));
    }

    /// SplitMix64, so that the bytes are the same each time.
    fn random(seed: &mut u64) -> u64 {
        *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *seed;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z ^ (z >> 27)
    }

    #[test]
    fn random_bytes_are_refused_or_read_and_never_a_panic() {
        let mut seed = 1;
        for entry in ENTRIES {
            for _ in 0..10_000 {
                let length = random(&mut seed) as usize % 96;
                let mut cdr = vec![0, random(&mut seed) as u8 & 1, 0, 0];
                // Mostly small numbers: lengths that may be meant.
                cdr.extend((0..length).map(|_| {
                    let r = random(&mut seed);
                    if r & 0x300 == 0 { r as u8 } else { r as u8 & 3 }
                }));
                let message = received(cdr);
                let _ = Payload::decode(entry.type_name, &message.cdr);
                if let Ok(incoming) = request(Mapping::Cyclone, message) {
                    let _ = Payload::decode(entry.type_name, &incoming.cdr);
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod late;
