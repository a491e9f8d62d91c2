//! Publishers, subscriptions, and both sides of services.

use std::cell::UnsafeCell;

use r2r_rcl as rcl;

use super::context::{Node, Watched};
use super::types::{Bytes, Message, MessageSupport, ServiceKind, borrowed};
use super::{RclError, c_string, check};
use crate::ros::{Ask, Identity, Incoming, NetworkError, Publish, Receive, Reply};

/// One of rcl's ends: how it is made and ended differs, how it is kept does not.
macro_rules! end {
    ($(#[$doc:meta])* $end:ident, $raw:ident, $zero:ident, $fini:ident) => {
        $(#[$doc])*
        pub(super) struct $end {
            raw: Box<UnsafeCell<rcl::$raw>>,
            node: Node,
        }

        // SAFETY: rcl allows what is done here (publish, take, send) in any thread; what it
        // does not, making and ending, is done under the node's lock.
        unsafe impl Send for $end {}
        // SAFETY: as above.
        unsafe impl Sync for $end {}

        impl $end {
            /// Made by `init`, with its place on the heap.
            fn new(
                node: &Node,
                what: impl FnOnce() -> String,
                init: impl FnOnce(*mut rcl::$raw, *mut rcl::rcl_node_t) -> rcl::rcl_ret_t,
            ) -> Result<Self, RclError> {
                // SAFETY: it only returns a value.
                let raw = Box::new(UnsafeCell::new(unsafe { rcl::$zero() }));
                check(node.with(|n| init(raw.get(), n)), what)?;
                let node = node.clone();
                Ok($end { raw, node })
            }

            /// For rcl, as long as this lives.
            pub fn as_ptr(&self) -> *mut rcl::$raw {
                self.raw.get()
            }
        }

        impl Drop for $end {
            fn drop(&mut self) {
                let raw = self.as_ptr();
                // SAFETY: it was initialised with this node, and is ended once.
                self.node.with(|n| unsafe { rcl::$fini(raw, n) });
            }
        }
    };
}

end!(
    /// Where messages go.
    PublisherEnd, rcl_publisher_t, rcl_get_zero_initialized_publisher, rcl_publisher_fini
);
end!(
    /// Where messages come.
    SubscriptionEnd, rcl_subscription_t, rcl_get_zero_initialized_subscription, rcl_subscription_fini
);
end!(
    /// A service's server.
    ServiceEnd, rcl_service_t, rcl_get_zero_initialized_service, rcl_service_fini
);
end!(
    /// A service's client.
    ClientEnd, rcl_client_t, rcl_get_zero_initialized_client, rcl_client_fini
);

/// Publishes on a topic.
pub(super) struct Publisher(PublisherEnd);

impl Publisher {
    /// Of a node.
    ///
    /// # Errors
    /// A name that ROS does not allow.
    pub fn new(
        node: &Node,
        topic: &str,
        support: MessageSupport,
        qos: rcl::rmw_qos_profile_t,
    ) -> Result<Self, RclError> {
        let name = c_string(topic)?;
        let what = || format!("publish on {topic}");
        let end = PublisherEnd::new(node, what, |raw, node| {
            // SAFETY: everything that is pointed to outlives the call, and the type for good.
            unsafe {
                let mut options = rcl::rcl_publisher_get_default_options();
                options.qos = qos;
                rcl::rcl_publisher_init(raw, node, support.0, name.as_ptr(), &options)
            }
        })?;
        Ok(Publisher(end))
    }
}

impl Publish for Publisher {
    fn publish(&self, mut cdr: Vec<u8>) -> Result<(), NetworkError> {
        let bytes = borrowed(&mut cdr);
        let none = std::ptr::null_mut();
        // SAFETY: rcl reads the bytes, which outlive the call, and does not keep them.
        let code = unsafe { rcl::rcl_publish_serialized_message(self.0.as_ptr(), &bytes, none) };
        Ok(check(code, || "publish".into())?)
    }

    fn is_heard(&self) -> bool {
        let mut count = 0;
        // SAFETY: the publisher was initialised.
        let code =
            unsafe { rcl::rcl_publisher_get_subscription_count(self.0.as_ptr(), &mut count) };
        check(code, || "count subscriptions".into()).is_err() || count > 0
    }
}

/// Takes messages of a topic.
pub(super) struct Subscription {
    at: Watched<SubscriptionEnd>,
    bytes: Bytes,
}

impl Subscription {
    /// Of a node; messages of the same process are left out.
    ///
    /// # Errors
    /// A name that ROS does not allow.
    pub fn new(
        node: &Node,
        topic: &str,
        support: MessageSupport,
        qos: rcl::rmw_qos_profile_t,
    ) -> Result<Self, RclError> {
        let name = c_string(topic)?;
        let what = || format!("subscribe to {topic}");
        let end = SubscriptionEnd::new(node, what, |raw, node| {
            // SAFETY: everything that is pointed to outlives the call, and the type for good.
            unsafe {
                let mut options = rcl::rcl_subscription_get_default_options();
                options.qos = qos;
                options.rmw_subscription_options.ignore_local_publications = true;
                let made =
                    rcl::rcl_subscription_init(raw, node, support.0, name.as_ptr(), &options);
                rcl::rcl_subscription_options_fini(&mut options);
                made
            }
        })?;
        Ok(Subscription {
            at: Watched::new(end),
            bytes: Bytes::new()?,
        })
    }

    /// For who waits.
    pub fn watched(&self) -> Watched<SubscriptionEnd> {
        self.at.clone()
    }
}

impl Receive for Subscription {
    fn rang(&self) -> bool {
        self.at.rang()
    }

    fn ring(&self) {
        self.at.ring();
    }

    fn take(&mut self) -> Option<Result<Incoming, NetworkError>> {
        // SAFETY: it only returns a value.
        let mut info = unsafe { rcl::rmw_get_zero_initialized_message_info() };
        let none = std::ptr::null_mut();
        let bytes = self.bytes.as_mut_ptr();
        // SAFETY: all that is pointed to is ours and outlives the call.
        let code = unsafe {
            rcl::rcl_take_serialized_message(self.at.end.as_ptr(), bytes, &mut info, none)
        };
        if code == rcl::RCL_RET_SUBSCRIPTION_TAKE_FAILED as i32 {
            return None;
        }
        if let Err(error) = check(code, || "take a message".into()) {
            return Some(Err(error.into()));
        }
        let mut writer = [0; 16];
        writer.copy_from_slice(&info.publisher_gid.data[..16]);
        Some(Ok(Incoming {
            cdr: self.bytes.to_vec(),
            of: Identity {
                writer,
                number: info.publication_sequence_number as i64,
                ..Identity::default()
            },
        }))
    }
}

/// A side of a service, shared by who sends and who takes.
pub(super) struct Side<T> {
    at: Watched<T>,
    kind: ServiceKind,
}

/// Takes requests, and sends replies.
pub(super) type Service = Side<ServiceEnd>;
/// Sends requests, and takes replies.
pub(super) type Client = Side<ClientEnd>;

// Not derived: what is at the end is shared, not copied.
impl<T> Clone for Side<T> {
    fn clone(&self) -> Self {
        Side {
            at: self.at.clone(),
            kind: self.kind,
        }
    }
}

impl<T> Side<T> {
    fn made(end: T, kind: ServiceKind) -> Self {
        let at = Watched::new(end);
        Side { at, kind }
    }

    /// For who waits.
    pub fn watched(&self) -> Watched<T> {
        self.at.clone()
    }
}

impl Service {
    /// Of a node.
    ///
    /// # Errors
    /// A name that ROS does not allow.
    pub fn new(
        node: &Node,
        name: &str,
        kind: ServiceKind,
        qos: rcl::rmw_qos_profile_t,
    ) -> Result<Self, RclError> {
        let c_name = c_string(name)?;
        let what = || format!("serve {name}");
        let end = ServiceEnd::new(node, what, |raw, node| {
            // SAFETY: everything that is pointed to outlives the call, and the type for good.
            unsafe {
                let mut options = rcl::rcl_service_get_default_options();
                options.qos = qos;
                rcl::rcl_service_init(raw, node, kind.support, c_name.as_ptr(), &options)
            }
        })?;
        Ok(Self::made(end, kind))
    }
}

impl Reply for Service {
    fn reply(&self, caller: &Identity, mut cdr: Vec<u8>) -> Result<(), NetworkError> {
        let message = Message::read(self.kind.response, &mut cdr)?;
        let mut of = rcl::rmw_request_id_t {
            writer_guid: caller.writer.map(|b| b as _),
            sequence_number: caller.number,
        };
        // SAFETY: the message is of the service's type, and outlives the call.
        let code =
            unsafe { rcl::rcl_send_response(self.at.end.as_ptr(), &mut of, message.as_ptr()) };
        Ok(check(code, || "reply".into())?)
    }
}

impl Receive for Service {
    fn rang(&self) -> bool {
        self.at.rang()
    }

    fn ring(&self) {
        self.at.ring();
    }

    fn take(&mut self) -> Option<Result<Incoming, NetworkError>> {
        let end = self.at.end.as_ptr();
        take(
            self.kind.request,
            rcl::RCL_RET_SERVICE_TAKE_FAILED,
            |id, message| {
                // SAFETY: the message is of the service's type, and outlives the call.
                unsafe { rcl::rcl_take_request(end, id, message.as_ptr()) }
            },
        )
    }
}

/// Takes a request or reply with `from`, which returns `nothing` where there is none.
fn take(
    kind: super::types::Structure,
    nothing: u32,
    from: impl FnOnce(&mut rcl::rmw_request_id_t, &Message) -> rcl::rcl_ret_t,
) -> Option<Result<Incoming, NetworkError>> {
    let taken = || -> Result<Option<Incoming>, RclError> {
        let mut id = rcl::rmw_request_id_t {
            writer_guid: [0; 16],
            sequence_number: 0,
        };
        let message = Message::new(kind)?;
        let code = from(&mut id, &message);
        if code == nothing as i32 {
            return Ok(None);
        }
        check(code, || "take a request or reply".into())?;
        Ok(Some(Incoming {
            cdr: message.write()?,
            of: Identity {
                writer: id.writer_guid.map(|b| b as u8),
                number: id.sequence_number,
                ..Identity::default()
            },
        }))
    };
    taken().map_err(NetworkError::from).transpose()
}

impl Client {
    /// Of a node.
    ///
    /// # Errors
    /// A name that ROS does not allow.
    pub fn new(node: &Node, name: &str, kind: ServiceKind) -> Result<Self, RclError> {
        let c_name = c_string(name)?;
        let what = || format!("call {name}");
        let end = ClientEnd::new(node, what, |raw, node| {
            // SAFETY: everything that is pointed to outlives the call, and the type for good.
            unsafe {
                let options = rcl::rcl_client_get_default_options();
                rcl::rcl_client_init(raw, node, kind.support, c_name.as_ptr(), &options)
            }
        })?;
        Ok(Self::made(end, kind))
    }
}

impl Ask for Client {
    fn is_heard(&self) -> bool {
        let mut heard = false;
        let client = self.at.end.as_ptr();
        let code = (self.at.end.node).with(|node| {
            // SAFETY: node and client were initialised, and live as long as this.
            unsafe { rcl::rcl_service_server_is_available(node, client, &mut heard) }
        });
        check(code, || "look for a server".into()).is_ok() && heard
    }

    fn ask(&self, mut cdr: Vec<u8>) -> Result<i64, NetworkError> {
        let message = Message::read(self.kind.request, &mut cdr)?;
        let mut number = 0;
        // SAFETY: the message is of the service's type, and outlives the call.
        let code =
            unsafe { rcl::rcl_send_request(self.at.end.as_ptr(), message.as_ptr(), &mut number) };
        check(code, || "send a request".into())?;
        Ok(number)
    }
}

impl Receive for Client {
    fn rang(&self) -> bool {
        self.at.rang()
    }

    fn ring(&self) {
        self.at.ring();
    }

    fn take(&mut self) -> Option<Result<Incoming, NetworkError>> {
        let end = self.at.end.as_ptr();
        take(
            self.kind.response,
            rcl::RCL_RET_CLIENT_TAKE_FAILED,
            |id, message| {
                // SAFETY: the message is of the service's type, and outlives the call.
                unsafe { rcl::rcl_take_response(end, id, message.as_ptr()) }
            },
        )
    }
}
