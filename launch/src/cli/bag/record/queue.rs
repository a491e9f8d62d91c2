//! Between the network, which does not wait, and the disk, which may have to be
//! waited for.

use crate::cli::CliError;
use saccade_rosbags::{McapWriter, RawMessage};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Bounds of what waits for the disk.
const MAX_MESSAGES: usize = 1 << 16;
const MAX_BYTES: u64 = 1 << 28;

/// Hands messages to a thread that writes them.
pub struct Queue {
    sender: SyncSender<RawMessage>,
    /// Bytes that wait.
    waiting: Arc<AtomicU64>,
    dropped: AtomicU64,
    thread: JoinHandle<saccade_rosbags::Result<()>>,
}

impl Queue {
    /// Creates the file and the thread. Every `flush`, what was written is made readable.
    pub fn create(path: &Path, flush: Duration) -> Result<Self, CliError> {
        let writer = McapWriter::create(path)?;
        let (sender, receiver) = sync_channel(MAX_MESSAGES);
        let waiting = Arc::new(AtomicU64::new(0));
        let counter = Arc::clone(&waiting);
        let thread = std::thread::Builder::new()
            .name("bag writer".into())
            .spawn(move || write(writer, &receiver, &counter, flush))?;
        Ok(Self {
            sender,
            waiting,
            dropped: AtomicU64::new(0),
            thread,
        })
    }

    /// Appends a message; drops and counts it if there is no room.
    pub fn push(&self, message: RawMessage) {
        let length = message.data.len() as u64;
        let waiting = self.waiting.fetch_add(length, Ordering::Relaxed);
        let sent = if waiting > MAX_BYTES {
            Err(TrySendError::Full(message))
        } else {
            self.sender.try_send(message)
        };
        if sent.is_err() {
            self.waiting.fetch_sub(length, Ordering::Relaxed);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Whether the file cannot be written any more; [`Self::finish`] tells why.
    pub fn has_failed(&self) -> bool {
        self.thread.is_finished()
    }

    /// Writes what waits and completes the file; returns how many messages were dropped.
    pub fn finish(self) -> Result<u64, CliError> {
        drop(self.sender);
        match self.thread.join() {
            Ok(written) => written?,
            Err(_) => {
                return Err(CliError::failed(
                    "the thread that writes the bag broke down",
                ));
            }
        }
        Ok(self.dropped.into_inner())
    }
}

/// The thread.
fn write(
    mut writer: McapWriter,
    messages: &Receiver<RawMessage>,
    waiting: &AtomicU64,
    flush: Duration,
) -> saccade_rosbags::Result<()> {
    // When the oldest message came that is not yet readable.
    let mut since: Option<Instant> = None;
    loop {
        let left = since.map_or(flush, |at| flush.saturating_sub(at.elapsed()));
        match messages.recv_timeout(left) {
            Ok(message) => {
                waiting.fetch_sub(message.data.len() as u64, Ordering::Relaxed);
                writer.write_raw(&message)?;
                since.get_or_insert_with(Instant::now);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return writer.finish(),
        }
        if since.is_some_and(|at| at.elapsed() >= flush) {
            writer.flush()?;
            since = None;
        }
    }
}
