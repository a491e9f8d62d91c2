//! Publishes messages at their moments, and keeps count.

use super::pace::Pace;
use crate::cli::{CliError, CliResult, Exit, print_json, print_line};
use saccade_nodes::Qos;
use saccade_nodes::dds::{Participant, Publisher};
use serde::Serialize;
use std::time::{Duration, Instant};

/// Subscribers get this long to acknowledge the last messages.
const LAST_WORD: Duration = Duration::from_secs(5);

/// Then they get this long to take them: a subscriber over `rustdds` loses what it has
/// acknowledged and not yet taken when the publisher leaves.
const FAREWELL: Duration = Duration::from_secs(1);

/// Publishers on the network, and the pace they follow.
pub struct Player {
    pub pace: Pace,
    // Dropped before the participant they belong to.
    publishers: Vec<Publisher>,
    participant: Participant,
    begun: Instant,
    messages: u64,
    bytes: u64,
}

/// What was published, and how late.
#[derive(Debug, Serialize)]
pub struct Played {
    topics: usize,
    messages: u64,
    bytes: u64,
    /// How often the recording was begun.
    rounds: u64,
    wall_s: f64,
    /// How long after its moment a message had gone out, µs.
    late_p50_us: u64,
    late_p99_us: u64,
    late_max_us: u64,
    /// Topics whose reliable subscribers did not acknowledge every message.
    unacknowledged: Vec<String>,
}

impl Player {
    /// A player without publishers.
    pub fn new(participant: Participant, pace: Pace) -> Self {
        Self {
            pace,
            publishers: Vec::new(),
            participant,
            begun: Instant::now(),
            messages: 0,
            bytes: 0,
        }
    }

    /// Adds a publisher; returns its number.
    pub fn publisher(&mut self, topic: &str, type_name: &str, qos: Qos) -> Result<usize, CliError> {
        let publisher = self.participant.publish(topic, type_name, qos)?;
        self.publishers.push(publisher);
        Ok(self.publishers.len() - 1)
    }

    /// Waits for subscribers as the command line says; false if Ctrl-C came before.
    pub fn wait_for_subscribers(&mut self) -> bool {
        let wanted = self.pace.subscribers;
        let short = Duration::from_millis(10);
        while self.publishers.iter_mut().any(|p| p.matched() < wanted) {
            if self.pace.stopped() {
                return false;
            }
            std::thread::sleep(short);
        }
        let end = Instant::now() + self.pace.delay;
        while Instant::now() < end && !self.pace.stopped() {
            std::thread::sleep(short.min(end.saturating_duration_since(Instant::now())));
        }
        self.begun = Instant::now();
        !self.pace.stopped()
    }

    /// Publishes the message whose moment was waited for.
    pub fn send(&mut self, publisher: usize, cdr: Vec<u8>) -> Result<(), CliError> {
        let length = cdr.len() as u64;
        self.publishers[publisher].publish(cdr)?;
        self.pace.sent();
        self.messages += 1;
        self.bytes += length;
        Ok(())
    }

    /// Waits until subscribers have everything.
    pub fn finish(mut self) -> Played {
        let wall_s = self.begun.elapsed().as_secs_f64();
        let mut unacknowledged = Vec::new();
        for publisher in &self.publishers {
            if !publisher.wait_acknowledged(LAST_WORD) {
                unacknowledged.push(publisher.topic().to_owned());
            }
        }
        if self.publishers.iter_mut().any(|p| p.matched() > 0) {
            std::thread::sleep(FAREWELL);
        }
        let late = &self.pace.late_us;
        Played {
            topics: self.publishers.len(),
            messages: self.messages,
            bytes: self.bytes,
            rounds: self.pace.rounds,
            wall_s,
            late_p50_us: late.value_at_quantile(0.5),
            late_p99_us: late.value_at_quantile(0.99),
            late_max_us: late.max(),
            unacknowledged,
        }
    }
}

impl Played {
    /// Prints the figures; data is lost if subscribers did not acknowledge it.
    pub fn report(&self, json: bool) -> CliResult {
        if json {
            print_json(self)?;
        } else {
            print_line(format!(
                "{} messages ({} bytes) on {} topics in {:.3} s\n\
                 late by p50 {} µs, p99 {} µs, at most {} µs",
                self.messages,
                self.bytes,
                self.topics,
                self.wall_s,
                self.late_p50_us,
                self.late_p99_us,
                self.late_max_us
            ))?;
        }
        if self.unacknowledged.is_empty() {
            return Ok(Exit::Success);
        }
        eprintln!(
            "warning: subscribers have not acknowledged everything on {}",
            self.unacknowledged.join(", ")
        );
        Ok(Exit::LostData)
    }
}
