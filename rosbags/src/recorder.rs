//! Recording from a thread of its own, so that whoever hands over messages never
//! waits for the disk.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::message::{Connection, RawMessage};
use crate::options::WriteOptions;
use crate::writer::BagWriter;

/// How a recorder works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecorderOptions {
    /// How the recording is written.
    pub write: WriteOptions,
    /// What was handed over is readable after at most this long, even if the program
    /// is killed.
    pub flush_every: Duration,
    /// Messages that may wait at most.
    pub queue_messages: usize,
    /// Bytes that may wait at most.
    pub queue_bytes: u64,
}

impl Default for RecorderOptions {
    fn default() -> Self {
        Self {
            write: WriteOptions::default(),
            flush_every: Duration::from_secs(1),
            queue_messages: 16_384,
            queue_bytes: 256 << 20,
        }
    }
}

/// What a recorder has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RecorderReport {
    /// Messages written.
    pub written: u64,
    /// Messages that found the queue full.
    pub dropped: u64,
}

/// Records messages. What was written and flushed survives the program's death by
/// any signal (though not that of the operating system): an MCAP file is read as
/// it is or by [`crate::recover`], SQLite with the log beside it, a ROS 1 bag
/// (`NAME.active`) by [`crate::recover`], a directory with or without its
/// `metadata.yaml`.
pub struct BagRecorder {
    queue: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<Result<u64>>>,
    waiting_bytes: Arc<AtomicU64>,
    limit_bytes: u64,
    dropped: u64,
}

enum Job {
    Connection(Arc<Connection>),
    Message(RawMessage),
}

impl BagRecorder {
    /// Creates the recording, whose format follows its name, and starts the thread.
    ///
    /// # Errors
    /// If the recording cannot be created, or the thread not started.
    pub fn create(path: &Path, options: &RecorderOptions) -> Result<Self> {
        let writer = BagWriter::create_with(path, &options.write)?;
        let (queue, jobs) = sync_channel(options.queue_messages);
        let waiting_bytes = Arc::new(AtomicU64::new(0));
        let waiting = waiting_bytes.clone();
        let every = options.flush_every;
        let thread = std::thread::Builder::new()
            .name("recorder".into())
            .spawn(move || run(writer, &jobs, &waiting, every))
            .map_err(|e| crate::error::BagError::io(path, "start the thread that writes", e))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
            waiting_bytes,
            limit_bytes: options.queue_bytes,
            dropped: 0,
        })
    }

    /// Adds a topic before its first message. It waits where the queue is full.
    ///
    /// # Errors
    /// What has stopped the writing thread.
    pub fn add_connection(&mut self, connection: Arc<Connection>) -> Result<()> {
        let sent = self
            .queue
            .as_ref()
            .map(|q| q.send(Job::Connection(connection)));
        match sent {
            Some(Ok(())) => Ok(()),
            _ => self.stopped(),
        }
    }

    /// Hands a message over; false if the queue is full, and the message dropped and
    /// counted.
    ///
    /// # Errors
    /// What has stopped the writing thread.
    pub fn push(&mut self, message: RawMessage) -> Result<bool> {
        let size = message.data.len() as u64;
        let waiting = self.waiting_bytes.fetch_add(size, Ordering::Relaxed);
        // A message that is larger than the whole queue goes through an empty one.
        let full = waiting > 0 && waiting + size > self.limit_bytes;
        let sent = match (&self.queue, full) {
            (Some(queue), false) => queue.try_send(Job::Message(message)),
            (_, true) => Err(TrySendError::Full(Job::Message(message))),
            (None, _) => Err(TrySendError::Disconnected(Job::Message(message))),
        };
        match sent {
            Ok(()) => Ok(true),
            Err(error) => {
                self.waiting_bytes.fetch_sub(size, Ordering::Relaxed);
                self.dropped += 1;
                match error {
                    TrySendError::Full(_) => Ok(false),
                    TrySendError::Disconnected(_) => self.stopped().map(|()| false),
                }
            }
        }
    }

    /// Messages that found the queue full.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Writes what waits, and completes the recording.
    ///
    /// # Errors
    /// If writing failed.
    pub fn finish(mut self) -> Result<RecorderReport> {
        self.queue = None;
        let written = match self.thread.take() {
            Some(thread) => join(thread)?,
            None => 0,
        };
        Ok(RecorderReport {
            written,
            dropped: self.dropped,
        })
    }

    fn stopped(&mut self) -> Result<()> {
        self.queue = None;
        match self.thread.take() {
            Some(thread) => join(thread).map(drop),
            None => Ok(()),
        }
    }
}

impl Drop for BagRecorder {
    /// A recording that was not finished is completed all the same.
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            let _ = join(thread);
        }
    }
}

fn join(thread: JoinHandle<Result<u64>>) -> Result<u64> {
    thread
        .join()
        .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn run(
    mut writer: BagWriter,
    jobs: &Receiver<Job>,
    waiting: &AtomicU64,
    every: Duration,
) -> Result<u64> {
    let mut written = 0;
    // When the oldest message that is not flushed yet must be.
    let mut due: Option<Instant> = None;
    loop {
        let now = Instant::now();
        if due.is_some_and(|due| due <= now) {
            writer.flush()?;
            due = None;
        }
        let wait = due.map_or(every, |due| due.saturating_duration_since(now));
        match jobs.recv_timeout(wait) {
            Ok(Job::Connection(connection)) => writer.add_connection(&connection)?,
            Ok(Job::Message(message)) => {
                writer.write_raw(&message)?;
                waiting.fetch_sub(message.data.len() as u64, Ordering::Relaxed);
                written += 1;
                due.get_or_insert_with(|| Instant::now() + every);
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                writer.finish()?;
                return Ok(written);
            }
        }
    }
}
