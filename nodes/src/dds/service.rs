//! Services over DDS: a topic for requests, one for replies, and how a reply says which
//! request it answers.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use rustdds::{GUID, SampleIdentity, SequenceNumber};
use saccade_msgs::cdr::{CdrError, Encoding, Reader, Writer};

use super::names::{dds_type, service_topics};
use super::{DdsError, Mapping, Participant, Publisher, Received, Subscriber};
use crate::interface::Qos;

/// Bytes that the Cyclone mapping has before a request or reply: the second half of the
/// client's identifier, and a number.
const HEADER: usize = 16;

/// Who asked, to be told in the reply.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Caller {
    /// What stood before the request stands before the reply.
    Cyclone([u8; HEADER]),
    /// The reply says beside the message which request it answers.
    Fast(SampleIdentity),
}

/// Takes a request, and who asked; the reader stands at the request.
pub(super) fn request(
    mapping: Mapping,
    received: &Received,
) -> Result<(Caller, Reader<'_>), CdrError> {
    let mut reader = Reader::cdr(&received.cdr)?;
    let caller = match mapping {
        Mapping::Cyclone => Caller::Cyclone(header(&mut reader)?),
        Mapping::Fast => {
            let own = SampleIdentity {
                writer_guid: GUID::from_bytes(received.publisher),
                sequence_number: SequenceNumber::from(received.sequence),
            };
            // Fast DDS names here who listens for the reply, without a number.
            let writer_guid = match received.answers {
                Some(named) if named.writer_guid != GUID::default() => named.writer_guid,
                _ => own.writer_guid,
            };
            Caller::Fast(SampleIdentity { writer_guid, ..own })
        }
    };
    Ok((caller, reader))
}

fn header(reader: &mut Reader<'_>) -> Result<[u8; HEADER], CdrError> {
    let bytes = reader.take(HEADER, 1, "the header of a request")?;
    let mut header = [0; HEADER];
    header.copy_from_slice(bytes);
    Ok(header)
}

/// The server's side of a service.
pub(super) struct Server {
    pub requests: Subscriber,
    pub replies: Replies,
}

/// Where a server's replies go.
pub(super) struct Replies(Mutex<Publisher>);

impl Server {
    /// Of a node, by full name and type, `package/srv/Name`.
    pub fn new(
        participant: &mut Participant,
        node: usize,
        name: &str,
        type_name: &str,
        qos: Qos,
    ) -> Result<Self, DdsError> {
        let (rq, rr) = service_topics(name)?;
        let of = |part: &str| dds_type(&format!("{type_name}_{part}"));
        let requests = participant.subscribe_for(&[node], &rq, &of("Request")?, qos)?;
        let replies = participant.publish_for(node, &rr, &of("Response")?, qos)?;
        Ok(Server {
            requests,
            replies: Replies(Mutex::new(replies)),
        })
    }
}

impl Replies {
    /// Sends a reply, which `write` writes.
    pub fn send(&self, caller: &Caller, write: impl FnOnce(&mut Writer)) -> Result<(), DdsError> {
        let mut w = Writer::new(Encoding::Cdr);
        let answers = match caller {
            Caller::Cyclone(header) => {
                w.raw(header);
                None
            }
            Caller::Fast(identity) => Some(*identity),
        };
        write(&mut w);
        let publisher = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        publisher.send(w.into_bytes(), answers).map(|_| ())
    }
}

/// The client's side of a service.
pub(super) struct Client {
    pub replies: Subscriber,
    pub requests: Requests,
}

/// Where a client's requests go.
pub(super) struct Requests {
    mapping: Mapping,
    publisher: Mutex<Publisher>,
    /// Of our end: the publisher of requests, and the subscriber to replies.
    writer: [u8; 16],
    reader: [u8; 16],
    last: AtomicI64,
}

impl Client {
    /// Of a node, by the service's full name and type, `package/srv/Name`.
    pub fn new(
        participant: &mut Participant,
        node: usize,
        name: &str,
        type_name: &str,
        mapping: Mapping,
    ) -> Result<Self, DdsError> {
        let (rq, rr) = service_topics(name)?;
        let of = |part: &str| dds_type(&format!("{type_name}_{part}"));
        let publisher = participant.publish_for(node, &rq, &of("Request")?, Qos::DEFAULT)?;
        let replies = participant.subscribe_for(&[node], &rr, &of("Response")?, Qos::DEFAULT)?;
        let requests = Requests {
            mapping,
            writer: publisher.guid(),
            reader: replies.guid(),
            publisher: Mutex::new(publisher),
            last: AtomicI64::new(0),
        };
        Ok(Client { replies, requests })
    }
}

impl Requests {
    /// Whether a server is there to hear a request.
    pub fn is_heard(&self) -> bool {
        let mut publisher = self
            .publisher
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        publisher.matched() > 0
    }

    /// Sends a request, which `write` writes; returns its number, which the reply has too.
    pub fn send(&self, write: impl FnOnce(&mut Writer)) -> Result<i64, DdsError> {
        let mut w = Writer::new(Encoding::Cdr);
        let number = self.last.fetch_add(1, Ordering::Relaxed) + 1;
        let named = match self.mapping {
            Mapping::Cyclone => {
                w.raw(&self.writer[8..]);
                w.raw(&number.to_le_bytes());
                None
            }
            Mapping::Fast => Some(SampleIdentity {
                writer_guid: GUID::from_bytes(self.reader),
                sequence_number: SequenceNumber::UNKNOWN,
            }),
        };
        write(&mut w);
        let publisher = self
            .publisher
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let sent = publisher.send(w.into_bytes(), named)?;
        Ok(match self.mapping {
            Mapping::Cyclone => number,
            Mapping::Fast => sent,
        })
    }

    /// The number of the request that a reply answers, if that was one of ours; the reader
    /// stands at the reply.
    pub fn reply<'a>(&self, received: &'a Received) -> Result<Option<(i64, Reader<'a>)>, CdrError> {
        let mut reader = Reader::cdr(&received.cdr)?;
        let number = match self.mapping {
            Mapping::Cyclone => {
                let header = header(&mut reader)?;
                let (client, number) = header.split_at(8);
                let mut bytes = [0; 8];
                bytes.copy_from_slice(number);
                (client == &self.writer[8..]).then(|| i64::from_le_bytes(bytes))
            }
            Mapping::Fast => received.answers.and_then(|identity| {
                let ours = [self.writer, self.reader].contains(&identity.writer_guid.to_bytes());
                ours.then(|| identity.sequence_number.into())
            }),
        };
        Ok(number.map(|n| (n, reader)))
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
        let mut message = received(cdr);
        let (caller, mut reader) = request(Mapping::Cyclone, &message).expect("a request");
        assert_eq!(caller, Caller::Cyclone(std::array::from_fn(|i| i as u8)));
        let payload = Payload::read("std_srvs/srv/SetBool_Request", &mut reader);
        assert!(payload.is_ok(), "{payload:?}");

        let identity = |guid, number: i64| SampleIdentity {
            writer_guid: GUID::from_bytes([guid; 16]),
            sequence_number: number.into(),
        };
        let (caller, _) = request(Mapping::Fast, &message).expect("a request");
        assert_eq!(caller, Caller::Fast(identity(9, 7)));
        message.answers = Some(SampleIdentity {
            sequence_number: SequenceNumber::UNKNOWN,
            ..identity(5, 0)
        });
        let (caller, _) = request(Mapping::Fast, &message).expect("a request");
        assert_eq!(caller, Caller::Fast(identity(5, 7)));
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
                if let Ok((_, mut reader)) = request(Mapping::Cyclone, &message) {
                    let _ = Payload::read(entry.type_name, &mut reader);
                }
                let _ = Payload::decode(entry.type_name, &message.cdr);
            }
        }
    }
}
