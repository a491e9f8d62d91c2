//! rcl's context and nodes, and waiting for what comes to them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use r2r_rcl as rcl;

use super::ends::{Client, ClientEnd, Service, ServiceEnd, Subscription, SubscriptionEnd};
use super::types::Types;
use super::{RclError, c_string, check};

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// rcl's context, shut down with the last that uses it.
pub(super) struct ContextHandle(Mutex<Box<rcl::rcl_context_t>>);

// SAFETY: rcl's contexts may be used in any thread; making and ending what belongs to one
// is done under its lock.
unsafe impl Send for ContextHandle {}
// SAFETY: as above.
unsafe impl Sync for ContextHandle {}

impl ContextHandle {
    fn as_ptr(&self) -> *mut rcl::rcl_context_t {
        &raw mut **lock(&self.0)
    }
}

impl Drop for ContextHandle {
    fn drop(&mut self) {
        let mut context = lock(&self.0);
        // SAFETY: it was initialised, and nothing that belongs to it is left.
        unsafe {
            rcl::rcl_shutdown(&raw mut **context);
            rcl::rcl_context_fini(&raw mut **context);
        }
    }
}

/// rcl's node, ended with the last that belongs to it.
pub(super) struct NodeHandle {
    raw: Mutex<Box<rcl::rcl_node_t>>,
    // Ended after it.
    _context: Arc<ContextHandle>,
}

// SAFETY: as `ContextHandle`: making and ending what belongs to a node is done under its lock.
unsafe impl Send for NodeHandle {}
// SAFETY: as above.
unsafe impl Sync for NodeHandle {}

/// A node, shared by what belongs to it.
pub(super) type Node = Arc<NodeHandle>;

impl NodeHandle {
    /// Does something to the node, or to what belongs to it, while nobody else does.
    pub fn with<T>(&self, act: impl FnOnce(*mut rcl::rcl_node_t) -> T) -> T {
        let mut node = lock(&self.raw);
        act(&raw mut **node)
    }
}

impl Drop for NodeHandle {
    fn drop(&mut self) {
        // SAFETY: it was initialised, and nothing that belongs to it is left.
        self.with(|node| unsafe { rcl::rcl_node_fini(node) });
    }
}

/// Something that rcl can wait for, and whether something may have come to it: shared by
/// who waits and who takes.
pub(super) struct Watched<T> {
    pub end: Arc<T>,
    rang: Arc<AtomicBool>,
}

impl<T> Watched<T> {
    pub fn new(end: T) -> Self {
        Watched {
            end: Arc::new(end),
            rang: Arc::default(),
        }
    }

    /// Whether it has rung since this was asked before.
    pub fn rang(&self) -> bool {
        self.rang.swap(false, Ordering::AcqRel)
    }

    pub fn ring(&self) {
        self.rang.store(true, Ordering::Release);
    }
}

// Not derived: what is at the end is shared, not copied.
impl<T> Clone for Watched<T> {
    fn clone(&self) -> Self {
        Watched {
            end: self.end.clone(),
            rang: self.rang.clone(),
        }
    }
}

/// Our part of ROS 2's graph.
pub(super) struct Context {
    wait_set: Option<WaitSet>,
    subscriptions: Vec<Watched<SubscriptionEnd>>,
    clients: Vec<Watched<ClientEnd>>,
    services: Vec<Watched<ServiceEnd>>,
    types: Types,
    handle: Arc<ContextHandle>,
}

impl Context {
    /// As the environment says, or in this domain.
    ///
    /// # Errors
    /// What rcl or the middleware refuses.
    pub fn new(domain: Option<u16>) -> Result<Self, RclError> {
        // SAFETY: everything is initialised in the order that rcl asks for before it is used,
        // and the context has its place on the heap from the beginning.
        unsafe {
            let mut options = rcl::rcl_get_zero_initialized_init_options();
            let allocator = rcl::rcutils_get_default_allocator();
            let code = rcl::rcl_init_options_init(&mut options, allocator);
            check(code, || "begin with rcl".into())?;
            let mut set = Ok(());
            if let Some(domain) = domain {
                let code = rcl::rcl_init_options_set_domain_id(&mut options, domain.into());
                set = check(code, || format!("set domain {domain}"));
            }
            let mut context = Box::new(rcl::rcl_get_zero_initialized_context());
            let made = set.and_then(|()| {
                let code = rcl::rcl_init(0, std::ptr::null(), &options, &raw mut *context);
                check(code, || "join ROS 2".into())
            });
            rcl::rcl_init_options_fini(&mut options);
            made?;
            Ok(Context {
                handle: Arc::new(ContextHandle(Mutex::new(context))),
                types: Types::default(),
                wait_set: None,
                subscriptions: Vec::new(),
                clients: Vec::new(),
                services: Vec::new(),
            })
        }
    }

    /// The types that are installed.
    pub fn types(&mut self) -> &mut Types {
        &mut self.types
    }

    /// Makes a node.
    ///
    /// # Errors
    /// A name that no node can have.
    pub fn node(&self, namespace: &str, name: &str) -> Result<Node, RclError> {
        let (c_name, c_namespace) = (c_string(name)?, c_string(namespace)?);
        // SAFETY: the strings outlive the call; the node has its place on the heap from the
        // beginning, and keeps the context.
        unsafe {
            let mut raw = Box::new(rcl::rcl_get_zero_initialized_node());
            let mut options = rcl::rcl_node_get_default_options();
            // The host publishes /rosout itself.
            options.enable_rosout = false;
            let code = rcl::rcl_node_init(
                &raw mut *raw,
                c_name.as_ptr(),
                c_namespace.as_ptr(),
                self.handle.as_ptr(),
                &options,
            );
            rcl::rcl_node_options_fini(&mut options);
            check(code, || format!("make node {name} in {namespace}"))?;
            Ok(Arc::new(NodeHandle {
                raw: Mutex::new(raw),
                _context: self.handle.clone(),
            }))
        }
    }

    /// Waits for these from now on.
    pub fn watch_subscription(&mut self, subscription: &Subscription) {
        self.subscriptions.push(subscription.watched());
    }

    /// As [`Context::watch_subscription`].
    pub fn watch_client(&mut self, client: &Client) {
        self.clients.push(client.watched());
    }

    /// As [`Context::watch_subscription`].
    pub fn watch_service(&mut self, service: &Service) {
        self.services.push(service.watched());
    }

    /// All has been made that will be waited for.
    ///
    /// # Errors
    /// What rcl refuses.
    pub fn ready(&mut self) -> Result<(), RclError> {
        let sizes = [
            &self.subscriptions.len(),
            &self.clients.len(),
            &self.services.len(),
        ];
        self.wait_set = Some(WaitSet::new(&self.handle, sizes.map(|n| *n))?);
        Ok(())
    }

    /// Waits until something has come, at most for `limit`.
    pub fn wait(&mut self, limit: Duration) {
        let waited = match &mut self.wait_set {
            Some(set) => set.wait(limit, &self.subscriptions, &self.clients, &self.services),
            None => Ok(()),
        };
        if waited.is_err() {
            // Nothing can be told here; without waiting the thread would take a core.
            std::thread::sleep(limit);
        }
    }
}

/// What rcl waits for.
struct WaitSet {
    raw: rcl::rcl_wait_set_t,
    _context: Arc<ContextHandle>,
}

// SAFETY: it is used in one thread at a time, by `&mut`.
unsafe impl Send for WaitSet {}

impl WaitSet {
    /// For so many subscriptions, clients and services.
    fn new(context: &Arc<ContextHandle>, sizes: [usize; 3]) -> Result<Self, RclError> {
        let [subscriptions, clients, services] = sizes;
        // SAFETY: the set is initialised by the call, and keeps the context.
        unsafe {
            let mut raw = rcl::rcl_get_zero_initialized_wait_set();
            let code = rcl::rcl_wait_set_init(
                &mut raw,
                subscriptions,
                0,
                0,
                clients,
                services,
                0,
                context.as_ptr(),
                rcl::rcutils_get_default_allocator(),
            );
            check(code, || "make a wait set".into())?;
            Ok(WaitSet {
                raw,
                _context: context.clone(),
            })
        }
    }

    fn wait(
        &mut self,
        limit: Duration,
        subscriptions: &[Watched<SubscriptionEnd>],
        clients: &[Watched<ClientEnd>],
        services: &[Watched<ServiceEnd>],
    ) -> Result<(), RclError> {
        let set = &raw mut self.raw;
        let none = std::ptr::null_mut();
        let timeout = i64::try_from(limit.as_nanos()).unwrap_or(i64::MAX);
        // SAFETY: the set was made for so many of each, and all of them live as long as
        // the slices. rcl_wait sets to null what has nothing.
        let code = unsafe {
            check(rcl::rcl_wait_set_clear(set), || "clear a wait set".into())?;
            for s in subscriptions {
                let code = rcl::rcl_wait_set_add_subscription(set, s.end.as_ptr(), none);
                check(code, || "wait for a subscription".into())?;
            }
            for c in clients {
                let code = rcl::rcl_wait_set_add_client(set, c.end.as_ptr(), none);
                check(code, || "wait for a client".into())?;
            }
            for s in services {
                let code = rcl::rcl_wait_set_add_service(set, s.end.as_ptr(), none);
                check(code, || "wait for a service".into())?;
            }
            rcl::rcl_wait(set, timeout)
        };
        if code == rcl::RCL_RET_TIMEOUT as i32 {
            return Ok(());
        }
        check(code, || "wait".into())?;
        // SAFETY: the arrays have as many entries as were added.
        unsafe {
            ring(subscriptions, self.raw.subscriptions);
            ring(clients, self.raw.clients);
            ring(services, self.raw.services);
        }
        Ok(())
    }
}

/// Rings the bells of those that are left in the set.
///
/// # Safety
/// `left` has as many entries as `watched`.
unsafe fn ring<T, R>(watched: &[Watched<T>], left: *mut *const R) {
    for (i, watched) in watched.iter().enumerate() {
        // SAFETY: by this function's contract.
        if unsafe { !(*left.add(i)).is_null() } {
            watched.ring();
        }
    }
}

impl Drop for WaitSet {
    fn drop(&mut self) {
        // SAFETY: it was initialised, and is ended once.
        unsafe { rcl::rcl_wait_set_fini(&mut self.raw) };
    }
}
