//! Gazebo's transport: topics as bytes of a named type, over the library that Gazebo itself
//! uses. What comes is kept, in its order, until it is asked for.

use std::collections::VecDeque;
use std::ffi::{CString, c_char, c_long, c_void};
use std::ptr::NonNull;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Messages of a topic that may wait; the oldest give way.
const DEPTH: usize = 64;

#[cfg(gz_names)]
const PACKAGE: &str = "gz.msgs.";
#[cfg(not(gz_names))]
const PACKAGE: &str = "ignition.msgs.";

/// The link as `shim.cc` has it.
#[repr(C)]
struct Raw {
    _opaque: [u8; 0],
}

type Heard = extern "C" fn(*mut c_void, usize, *const c_char, usize);

unsafe extern "C" {
    fn saccade_gz_open(heard: Heard, context: *mut c_void) -> *mut Raw;
    fn saccade_gz_close(link: *mut Raw);
    fn saccade_gz_subscribe(
        link: *mut Raw,
        topic: *const c_char,
        kind: *const c_char,
        subscription: usize,
    ) -> bool;
    fn saccade_gz_advertise(link: *mut Raw, topic: *const c_char, kind: *const c_char) -> c_long;
    fn saccade_gz_publish(
        link: *mut Raw,
        publisher: usize,
        data: *const c_char,
        size: usize,
    ) -> bool;
}

/// What has come on the topics, by their numbers.
#[derive(Default)]
struct Heap {
    waiting: VecDeque<(usize, Vec<u8>)>,
    dropped: u64,
}

/// A member of the partition that `IGN_PARTITION` (`GZ_PARTITION`) names.
pub struct Link {
    raw: NonNull<Raw>,
    // The library writes into it from its own thread, through a pointer: it must not move.
    heap: Box<Mutex<Heap>>,
    subscriptions: usize,
}

// SAFETY: the library's node may be used from any thread, and `&mut self` has one at a time.
unsafe impl Send for Link {}

fn lock(heap: &Mutex<Heap>) -> MutexGuard<'_, Heap> {
    heap.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Called by the library's thread for each message.
extern "C" fn heard(context: *mut c_void, subscription: usize, data: *const c_char, size: usize) {
    if context.is_null() || data.is_null() {
        return;
    }
    // SAFETY: the context is the `heap` of a link that has not been closed: closing waits for
    // a call under way and lets none begin after it (`Ear` in `shim.cc`).
    let heap = unsafe { &*context.cast::<Mutex<Heap>>() };
    // SAFETY: the library hands over `size` bytes that are its own until this returns.
    let bytes = unsafe { std::slice::from_raw_parts(data.cast::<u8>(), size) };
    let mut heap = lock(heap);
    let of_topic = |(number, _): &(usize, Vec<u8>)| *number == subscription;
    if heap.waiting.iter().filter(|m| of_topic(m)).count() >= DEPTH
        && let Some(oldest) = heap.waiting.iter().position(of_topic)
    {
        heap.waiting.remove(oldest);
        heap.dropped += 1;
    }
    heap.waiting.push_back((subscription, bytes.to_vec()));
}

impl Link {
    /// Joins.
    ///
    /// # Errors
    /// If the library cannot open its sockets.
    pub fn open() -> Result<Self, String> {
        let heap = Box::<Mutex<Heap>>::default();
        let context = std::ptr::from_ref::<Mutex<Heap>>(&heap).cast_mut();
        // SAFETY: `heard` has the signature that the shim calls, and the context lives as long
        // as the link, which closes before it is dropped.
        let raw = unsafe { saccade_gz_open(heard, context.cast()) };
        let raw = NonNull::new(raw).ok_or("Gazebo's transport cannot be opened")?;
        Ok(Link {
            raw,
            heap,
            subscriptions: 0,
        })
    }

    /// Hears a topic with messages of a type, `Clock`; returns the number that its messages have.
    ///
    /// # Errors
    /// A name that the library refuses.
    pub fn subscribe(&mut self, topic: &str, kind: &str) -> Result<usize, String> {
        let (name, kind) = names(topic, kind)?;
        let number = self.subscriptions;
        // SAFETY: the link is open, and both texts end with a zero and live through the call.
        let done = unsafe {
            saccade_gz_subscribe(self.raw.as_ptr(), name.as_ptr(), kind.as_ptr(), number)
        };
        if !done {
            return Err(format!(
                "Gazebo's transport refuses to subscribe to `{topic}`"
            ));
        }
        self.subscriptions += 1;
        Ok(number)
    }

    /// Announces messages of a type on a topic; returns the publisher's number.
    ///
    /// # Errors
    /// A name that the library refuses.
    pub fn advertise(&mut self, topic: &str, kind: &str) -> Result<usize, String> {
        let (name, kind) = names(topic, kind)?;
        // SAFETY: as in `subscribe`.
        let number =
            unsafe { saccade_gz_advertise(self.raw.as_ptr(), name.as_ptr(), kind.as_ptr()) };
        let refused = |_| format!("Gazebo's transport refuses to publish on `{topic}`");
        usize::try_from(number).map_err(refused)
    }

    /// Sends a message; false if the library does not.
    pub fn publish(&mut self, publisher: usize, message: &[u8]) -> bool {
        let (data, size) = (message.as_ptr().cast(), message.len());
        // SAFETY: the link is open, `data` has `size` bytes, and the shim checks the number.
        unsafe { saccade_gz_publish(self.raw.as_ptr(), publisher, data, size) }
    }

    /// The oldest message that waits, with the number of its topic.
    pub fn take(&mut self) -> Option<(usize, Vec<u8>)> {
        lock(&self.heap).waiting.pop_front()
    }

    /// Messages that were not taken in time.
    pub fn dropped(&self) -> u64 {
        lock(&self.heap).dropped
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // SAFETY: it was opened, and is not used after.
        unsafe { saccade_gz_close(self.raw.as_ptr()) };
    }
}

fn names(topic: &str, kind: &str) -> Result<(CString, CString), String> {
    let text = |text: String| {
        CString::new(text).map_err(|_| format!("topic `{topic}` has a zero byte in it"))
    };
    Ok((text(topic.to_owned())?, text(format!("{PACKAGE}{kind}"))?))
}
