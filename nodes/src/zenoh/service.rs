//! Services over Zenoh: a request is a query to whoever serves, and its replies are the
//! query's.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::zenoh::query::{
    ConsolidationMode, Querier, Query, QueryTarget, Queryable, Reply as ZenohReply,
};
use ::zenoh::sample::Locality;
use ::zenoh::{Session, Wait};

use super::inbox::{Inbox, lock};
use super::publisher::{listen, note};
use super::session::Entity;
use super::subscriber::incoming;
use super::{ZenohError, attachment};
use crate::interface::Qos;
use crate::ros::signal::Signal;
use crate::ros::{Ask, Identity, Incoming, NetworkError, Receive, Reply};

/// Requests that are kept to be answered; the oldest give way, and their callers hear that
/// nobody answers.
const MAX_OPEN: usize = 1024;
/// Replies that wait to be taken.
const MAX_REPLIES: usize = 1000;
/// How long a query lives: an action's result is asked for when it begins. (`rmw_zenoh_cpp`
/// has no end to it at all.)
const PATIENCE: Duration = Duration::from_secs(30 * 24 * 3600);

/// A service's requests, and where replies go.
#[derive(Clone)]
pub(super) struct Server(Arc<Served>);

struct Served {
    inbox: Arc<Inbox<Query>>,
    open: Mutex<VecDeque<(Identity, Query)>>,
    entity: Entity,
    _queryable: Queryable<()>,
}

impl Server {
    /// On the entity's key expression.
    ///
    /// # Errors
    /// What Zenoh refuses.
    pub fn new(
        session: &Session,
        entity: Entity,
        qos: Qos,
        signal: Arc<Signal>,
    ) -> Result<Self, ZenohError> {
        let inbox = Inbox::new(qos.depth, signal);
        let into = inbox.clone();
        let queryable = session
            .declare_queryable(entity.key.clone())
            // Clients ask complete ones only.
            .complete(true)
            .allowed_origin(Locality::Remote)
            .callback(move |query| into.put(query))
            .wait();
        let refused = |e| ZenohError::refused(format!("serve `{}`", entity.key), &e);
        Ok(Server(Arc::new(Served {
            inbox,
            open: Mutex::default(),
            _queryable: queryable.map_err(refused)?,
            entity,
        })))
    }

    fn request(&self, query: Query) -> Result<Incoming, ZenohError> {
        let served = &self.0;
        let of = attachment::read(query.attachment(), &served.entity.key)?;
        let cdr = query.payload().map(|p| p.to_bytes().into_owned());
        let mut open = lock(&served.open);
        if open.len() >= MAX_OPEN {
            open.pop_front();
        }
        open.push_back((of, query));
        Ok(Incoming {
            cdr: cdr.unwrap_or_default(),
            of,
        })
    }
}

impl Receive for Server {
    fn rang(&self) -> bool {
        self.0.inbox.rang()
    }

    fn ring(&self) {
        self.0.inbox.ring();
    }

    fn take(&mut self) -> Option<Result<Incoming, NetworkError>> {
        let query = self.0.inbox.take()?;
        Some(self.request(query).map_err(NetworkError::from))
    }
}

impl Reply for Server {
    fn reply(&self, caller: &Identity, cdr: Vec<u8>) -> Result<(), NetworkError> {
        let served = &self.0;
        let found = {
            let mut open = lock(&served.open);
            let at = open.iter().position(|(of, _)| of == caller);
            at.and_then(|at| open.remove(at))
        };
        let what = || format!("reply on `{}`", served.entity.key);
        let Some((of, query)) = found else {
            return Err(ZenohError::refused(what(), &"the request is no longer known").into());
        };
        let attachment = attachment::encode(&of);
        let reply = query.reply(served.entity.key.clone(), cdr);
        let sent = reply.attachment(attachment).wait();
        sent.map_err(|e| ZenohError::refused(what(), &e).into())
    }
}

/// The replies to a client's requests, and where these go.
#[derive(Clone)]
pub(super) struct Client(Arc<Called>);

struct Called {
    inbox: Arc<Inbox<ZenohReply>>,
    querier: Querier<'static>,
    found: Arc<AtomicBool>,
    last: AtomicI64,
    entity: Entity,
}

impl Client {
    /// On the entity's key expression.
    ///
    /// # Errors
    /// What Zenoh refuses.
    pub fn new(session: &Session, entity: Entity, signal: Arc<Signal>) -> Result<Self, ZenohError> {
        let refused = |e| ZenohError::refused(format!("call `{}`", entity.key), &e);
        let querier = session
            .declare_querier(entity.key.clone())
            .target(QueryTarget::AllComplete)
            .consolidation(ConsolidationMode::None)
            .allowed_destination(Locality::Remote)
            .timeout(PATIENCE)
            .wait()
            .map_err(refused)?;
        let found = Arc::new(AtomicBool::new(false));
        let listener = querier.matching_listener().callback(listen(&found));
        listener.background().wait().map_err(refused)?;
        note(&found, querier.matching_status().wait().map_err(refused)?);
        Ok(Client(Arc::new(Called {
            inbox: Inbox::new(MAX_REPLIES, signal),
            querier,
            found,
            last: AtomicI64::new(0),
            entity,
        })))
    }

    fn reply(&self, reply: &ZenohReply) -> Result<Incoming, ZenohError> {
        match reply.result() {
            Ok(sample) => incoming(sample),
            Err(error) => Err(ZenohError::NoReply {
                service: self.0.entity.key.clone(),
                reason: String::from_utf8_lossy(&error.payload().to_bytes()).into_owned(),
            }),
        }
    }
}

impl Ask for Client {
    fn is_heard(&self) -> bool {
        self.0.found.load(Ordering::Relaxed)
    }

    fn ask(&self, cdr: Vec<u8>) -> Result<i64, NetworkError> {
        let called = &self.0;
        let number = called.last.fetch_add(1, Ordering::Relaxed) + 1;
        let of = Identity {
            writer: called.entity.gid,
            number,
            ..Identity::default()
        };
        let inbox = called.inbox.clone();
        let query = called.querier.get().payload(cdr);
        let query = query.attachment(attachment::encode(&of));
        let asked = query.callback(move |reply| inbox.put(reply)).wait();
        let what = || format!("call `{}`", called.entity.key);
        asked.map_err(|e| ZenohError::refused(what(), &e))?;
        Ok(number)
    }
}

impl Receive for Client {
    fn rang(&self) -> bool {
        self.0.inbox.rang()
    }

    fn ring(&self) {
        self.0.inbox.ring();
    }

    fn take(&mut self) -> Option<Result<Incoming, NetworkError>> {
        loop {
            let reply = self.0.inbox.take()?;
            match self.reply(&reply) {
                // A reply that says it answers somebody else.
                Ok(incoming) if incoming.of.writer != self.0.entity.gid => {}
                other => return Some(other.map_err(NetworkError::from)),
            }
        }
    }
}
