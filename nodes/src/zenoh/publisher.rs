//! Publishing over Zenoh.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use ::zenoh::matching::MatchingStatus;
use ::zenoh::qos::CongestionControl;
use ::zenoh::sample::Locality;
use ::zenoh::{Session, Wait, pubsub};
use zenoh_ext::{AdvancedPublisher, AdvancedPublisherBuilderExt, CacheConfig, MissDetectionConfig};

use super::session::Entity;
use super::{ZenohError, attachment};
use crate::interface::{Qos, Reliability};
use crate::ros::{Identity, NetworkError, Publish};

/// How soon a reliable subscriber is told the number of the last message, to see that it
/// has missed it.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// Publishes on a topic.
pub(super) struct Publisher {
    out: Out,
    entity: Entity,
    last: AtomicI64,
    heard: Arc<AtomicBool>,
}

enum Out {
    Plain(pubsub::Publisher<'static>),
    /// Keeps the last messages for those who come late.
    Kept(AdvancedPublisher<'static>),
}

impl Publisher {
    /// On the entity's key expression.
    ///
    /// # Errors
    /// What Zenoh refuses.
    pub fn new(session: &Session, entity: Entity, qos: Qos) -> Result<Self, ZenohError> {
        let refused = |e| ZenohError::refused(format!("publish on `{}`", entity.key), &e);
        let heard = Arc::new(AtomicBool::new(false));
        let plain = session
            .declare_publisher(entity.key.clone())
            // A node must not wait for the network; `rmw_zenoh_cpp` drops as well.
            .congestion_control(CongestionControl::Drop)
            // Nodes of this process have been given it.
            .allowed_destination(Locality::Remote);
        let out = if qos.transient_local {
            let mut kept = plain.cache(CacheConfig::default().max_samples(qos.depth.max(1)));
            if qos.reliability == Reliability::Reliable {
                let missed = MissDetectionConfig::default().sporadic_heartbeat(HEARTBEAT);
                kept = kept.sample_miss_detection(missed);
            }
            let kept = kept.publisher_detection().wait().map_err(refused)?;
            let listener = kept.matching_listener().callback(listen(&heard));
            listener.background().wait().map_err(refused)?;
            note(&heard, kept.matching_status().wait().map_err(refused)?);
            Out::Kept(kept)
        } else {
            let plain = plain.wait().map_err(refused)?;
            let listener = plain.matching_listener().callback(listen(&heard));
            listener.background().wait().map_err(refused)?;
            note(&heard, plain.matching_status().wait().map_err(refused)?);
            Out::Plain(plain)
        };
        Ok(Publisher {
            out,
            entity,
            last: AtomicI64::new(0),
            heard,
        })
    }
}

/// Keeps `heard` as it is from now on.
pub(super) fn listen(heard: &Arc<AtomicBool>) -> impl Fn(MatchingStatus) + Send + Sync + 'static {
    let heard = heard.clone();
    move |status| heard.store(status.matching(), Ordering::Relaxed)
}

/// What there was before one listened. A listener that was quicker is not contradicted.
pub(super) fn note(heard: &AtomicBool, status: MatchingStatus) {
    if status.matching() {
        heard.store(true, Ordering::Relaxed);
    }
}

impl Publish for Publisher {
    fn publish(&self, cdr: Vec<u8>) -> Result<(), NetworkError> {
        let of = Identity {
            writer: self.entity.gid,
            number: self.last.fetch_add(1, Ordering::Relaxed) + 1,
            ..Identity::default()
        };
        let attachment = attachment::encode(&of);
        let put = match &self.out {
            Out::Plain(out) => out.put(cdr).attachment(attachment).wait(),
            Out::Kept(out) => out.put(cdr).attachment(attachment).wait(),
        };
        let what = || format!("publish on `{}`", self.entity.key);
        put.map_err(|e| ZenohError::refused(what(), &e).into())
    }

    fn is_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }
}
