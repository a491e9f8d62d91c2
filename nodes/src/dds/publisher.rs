//! Publishing messages as bytes.

use std::collections::BTreeSet;
use std::time::Duration;

use rustdds::bytes::Bytes;
use rustdds::dds::WriteError;
use rustdds::no_key::DataWriter;
use rustdds::with_key::WriteOptionsBuilder;
use rustdds::{DataWriterStatus, GUID, RTPSEntity, SampleIdentity, StatusEvented, Timestamp};

use super::DdsError;
use super::raw::{Adapter, Body, HEADER};

/// Publishes on one topic. Dropping it takes it off the network.
pub struct Publisher {
    topic: String,
    writer: DataWriter<Body, Adapter>,
    matched: BTreeSet<GUID>,
}

impl Publisher {
    pub(super) fn new(topic: &str, writer: DataWriter<Body, Adapter>) -> Self {
        Self {
            topic: topic.to_owned(),
            writer,
            matched: BTreeSet::new(),
        }
    }

    /// The topic.
    pub fn topic(&self) -> &str {
        &self.topic
    }

    /// Sends a message in little-endian CDR with its header. A reliable publisher
    /// waits, as long as [`Options`](super::Options) say, while its subscribers have not
    /// acknowledged the 1024 messages before; the others never wait.
    ///
    /// # Errors
    /// If the bytes are no such message, subscribers do not keep up, or DDS fails.
    pub fn publish(&self, cdr: Vec<u8>) -> Result<(), DdsError> {
        self.send(cdr, None).map(|_| ())
    }

    /// As [`Publisher::publish`], said to answer a message where there is one; returns the
    /// number of the message.
    pub(super) fn send(
        &self,
        cdr: Vec<u8>,
        answers: Option<SampleIdentity>,
    ) -> Result<i64, DdsError> {
        if !matches!(cdr.as_slice(), [0, 1, _, _, ..]) {
            return Err(DdsError::NoCdr {
                topic: self.topic.clone(),
                found: format!("{:02x?}", &cdr[..cdr.len().min(HEADER)]),
            });
        }
        let body = Body(Bytes::from(cdr).slice(HEADER..));
        let options = WriteOptionsBuilder::new()
            .source_timestamp(Timestamp::now())
            .related_sample_identity_opt(answers)
            .build();
        let written = self.writer.write_with_options(body, options);
        let topic = || self.topic.clone();
        match written {
            Ok(identity) => Ok(identity.sequence_number.into()),
            Err(WriteError::WouldBlock { .. }) => Err(DdsError::Blocked { topic: topic() }),
            Err(other) => Err(DdsError::Publish {
                topic: topic(),
                reason: other.to_string(),
            }),
        }
    }

    /// Waits until every reliable subscriber has acknowledged everything; false
    /// if that took longer than `limit`. Of a best-effort publisher it is true.
    pub fn wait_acknowledged(&self, limit: Duration) -> bool {
        (self.writer.wait_for_acknowledgments(limit)).unwrap_or(false)
    }

    /// Subscribers of other participants known now.
    pub fn matched(&mut self) -> usize {
        self.look();
        self.matched.len()
    }

    /// Whether there is such a subscriber, by its identifier.
    pub(super) fn is_matched(&mut self, which: impl Fn(&[u8; 16]) -> bool) -> bool {
        self.look();
        self.matched.iter().any(|guid| which(&guid.to_bytes()))
    }

    /// Takes in who has come and gone.
    fn look(&mut self) {
        while let Some(status) = self.writer.try_recv_status() {
            if let DataWriterStatus::PublicationMatched {
                current, reader, ..
            } = status
                && reader.prefix != self.writer.guid().prefix
            {
                if current.count_change() < 0 {
                    self.matched.remove(&reader);
                } else {
                    self.matched.insert(reader);
                }
            }
        }
    }

    pub(super) fn guid(&self) -> [u8; 16] {
        self.writer.guid().to_bytes()
    }
}
