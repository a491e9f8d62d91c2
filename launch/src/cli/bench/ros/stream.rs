//! How many events go through to another process.

use super::ends::{Heard, LIMIT, Other, PACKETS, Role, camera, find, join};
use crate::cli::{CliError, Context};
use saccade_msgs::Event;
use saccade_nodes::Reliability;
use saccade_rosbags::events::{Geometry, mono_packet};
use serde::Serialize;
use std::time::{Duration, Instant};

/// A packet of events: how many, and for how long.
const PACKET: (usize, Duration) = (20_000, Duration::from_millis(1));

/// Packets of a stream.
#[derive(Debug, Serialize)]
pub(super) struct Stream {
    pub sent: u64,
    pub received: u64,
    /// Missing by the publisher's numbers: before the first, between, and after the last that
    /// came.
    pub lost: u64,
    /// Neither received nor lost.
    pub uncounted: i64,
    events_per_s: f64,
}

/// 20 million events a second from this process to another, for some seconds.
pub(super) fn measure(
    domain: u16,
    seconds: u64,
    reliability: Reliability,
) -> Result<Stream, CliError> {
    let mut participant = join(domain)?;
    let mut publisher = participant.publish("/events", PACKETS, camera(reliability))?;
    let listener = Other::start(
        match reliability {
            Reliability::Reliable => Role::HearReliably,
            Reliability::BestEffort => Role::Hear,
        },
        domain,
    )?;
    find(&mut publisher)?;
    let message = packet()?;
    let sent = seconds * 1000;
    let begun = Instant::now();
    for i in 0..sent {
        let due = begun + PACKET.1 * i as u32;
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        publisher.publish(message.clone())?;
    }
    publisher.wait_acknowledged(LIMIT);
    let took = begun.elapsed().as_secs_f64();
    // For what is still on its way.
    std::thread::sleep(Duration::from_millis(500));
    let line = listener.end()?;
    let heard: Heard = serde_json::from_str(&line).context("hearing what the listener heard")?;
    let outside = match heard.first {
        0 => sent,
        first => (first as u64 - 1) + sent.saturating_sub(heard.last as u64),
    };
    let lost = heard.missing + outside;
    Ok(Stream {
        sent,
        received: heard.received,
        lost,
        uncounted: sent as i64 - (heard.received + lost) as i64,
        events_per_s: (sent * PACKET.0 as u64) as f64 / took,
    })
}

fn packet() -> Result<Vec<u8>, CliError> {
    let geometry = Geometry {
        width: 1280,
        height: 720,
    };
    let event = |i: usize| Event {
        t_us: (i / 20) as u64,
        x: (i * 31 % 1280) as u16,
        y: (i * 17 % 720) as u16,
        on: i.is_multiple_of(2),
    };
    let events: Vec<_> = (0..PACKET.0).map(event).collect();
    let packet = mono_packet(&events, 0, geometry, 0, "camera")?;
    Ok(saccade_msgs::to_cdr(&packet))
}

impl Stream {
    pub fn line(&self, name: &str) -> String {
        let rate = self.events_per_s / 1e6;
        format!(
            "events, {name:<11}: {rate:.1} Mev/s, {} packets sent, {} received, {} lost, {} \
             uncounted",
            self.sent, self.received, self.lost, self.uncounted
        )
    }
}
