//! Hearing a topic over Zenoh.

use std::sync::Arc;
use std::time::Duration;

use ::zenoh::sample::{Locality, Sample, SampleKind};
use ::zenoh::{Session, Wait, pubsub};
use zenoh_ext::{AdvancedSubscriber, AdvancedSubscriberBuilderExt, HistoryConfig, RecoveryConfig};

use super::inbox::Inbox;
use super::{ZenohError, attachment};
use crate::interface::{Qos, Reliability};
use crate::ros::signal::Signal;
use crate::ros::{Incoming, NetworkError, Receive};

/// How long those who keep messages may take to send them.
const HISTORY: Duration = Duration::from_secs(60);

/// Receives one topic. Dropping it takes it off the network.
pub(super) struct Subscriber {
    inbox: Arc<Inbox<Sample>>,
    _in: In,
}

// Only kept.
enum In {
    Plain(#[allow(dead_code)] pubsub::Subscriber<()>),
    /// Asks those that keep messages for them.
    Late(#[allow(dead_code)] AdvancedSubscriber<()>),
}

impl Subscriber {
    /// On a key expression; messages of the same process are left out.
    ///
    /// # Errors
    /// What Zenoh refuses.
    pub fn new(
        session: &Session,
        key: String,
        qos: Qos,
        signal: Arc<Signal>,
    ) -> Result<Self, ZenohError> {
        let inbox = Inbox::new(qos.depth, signal);
        let into = inbox.clone();
        let plain = session
            .declare_subscriber(key.clone())
            .callback(move |sample| into.put(sample))
            .allowed_origin(Locality::Remote);
        let refused = |e| ZenohError::refused(format!("subscribe to `{key}`"), &e);
        let received = if qos.transient_local {
            let history = HistoryConfig::default();
            let history = history
                .detect_late_publishers()
                .max_samples(qos.depth.max(1));
            let mut late = plain.history(history).subscriber_detection();
            if qos.reliability == Reliability::Reliable {
                late = late.recovery(RecoveryConfig::default().heartbeat());
            }
            In::Late(late.query_timeout(HISTORY).wait().map_err(refused)?)
        } else {
            In::Plain(plain.wait().map_err(refused)?)
        };
        Ok(Subscriber {
            inbox,
            _in: received,
        })
    }
}

/// The message that a sample is.
pub(super) fn incoming(sample: &Sample) -> Result<Incoming, ZenohError> {
    let key = sample.key_expr().as_str();
    if sample.kind() == SampleKind::Delete {
        let key = key.to_owned();
        return Err(ZenohError::Deletion { key });
    }
    Ok(Incoming {
        of: attachment::read(sample.attachment(), key)?,
        cdr: sample.payload().to_bytes().into_owned(),
    })
}

impl Receive for Subscriber {
    fn rang(&self) -> bool {
        self.inbox.rang()
    }

    fn ring(&self) {
        self.inbox.ring();
    }

    fn take(&mut self) -> Option<Result<Incoming, NetworkError>> {
        let sample = self.inbox.take()?;
        Some(incoming(&sample).map_err(NetworkError::from))
    }
}
