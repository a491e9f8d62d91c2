//! `saccade events play`: any recording of events as live packets.

use crate::cli::live::{NetworkArgs, PaceArgs, Player, QosArgs, Turn};
use crate::cli::{CliError, CliResult, stop};
use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::event_camera_msgs::EventPacket;
use saccade_msgs::{Message, to_cdr};
use saccade_nodes::Qos;
use saccade_rosbags::events::{PacketOptions, PacketSource, TimedPacket};
use std::time::{Instant, SystemTime};

/// Arguments of `saccade events play`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
    EVT2, EVT2.1 and EVT3 files pass word for word, as a camera driver sends them: a packet goes \
    out when its last event has happened, stamped with that moment; events have the camera's own \
    times. A decoder is in step from the first packet on; with --start-offset, EVT3 needs up to \
    4 ms. Packets of a bag pass as they are. Other files become packets of `mono` with the \
    recording's times.\n\n\
    Examples:\n  \
    saccade events play recording.raw\n  \
    saccade events play recording.raw --loop --rate 0.1 --topic /dvs/events\n  \
    saccade events play bag.mcap --from /dvs/events --reliability best-effort")]
pub struct PlayArgs {
    /// The recording.
    file: std::path::PathBuf,
    /// Topic of events to read, where a bag has several.
    #[arg(long, value_name = "TOPIC")]
    from: Option<String>,
    /// Topic to publish on.
    #[arg(long, default_value = "/event_camera/events")]
    topic: String,
    /// Optical frame in the headers of packets made here.
    #[arg(long, default_value = "event_camera")]
    frame_id: String,
    /// Milliseconds of events in a packet made here.
    #[arg(long, default_value_t = 1.0)]
    packet_ms: f64,
    #[command(flatten)]
    pace: PaceArgs,
    #[command(flatten)]
    qos: QosArgs,
    #[command(flatten)]
    network: NetworkArgs,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

/// Reliable, and deep enough for a second of packets: subscribers of either kind match it.
const QOS: Qos = Qos::DEFAULT.depth(1000);

/// Runs `saccade events play`.
pub fn run(args: &PlayArgs) -> CliResult {
    if !(0.001..=4000.0).contains(&args.packet_ms) {
        let text = format!("--packet-ms {}: expected 0.001 to 4000", args.packet_ms);
        return Err(CliError::usage(text));
    }
    let pace = args.pace.pace(stop::on_ctrl_c()?)?;
    // A recording that cannot be read shall not appear on the network.
    let mut source = args.open()?;
    let participant = args.network.join("saccade_events_play")?;
    let mut player = Player::new(participant, pace);
    let qos = args.qos.over(QOS);
    player.publisher(&args.topic, EventPacket::TYPE_NAME, qos)?;
    let mut torn = 0;
    if player.wait_for_subscribers() {
        while player.pace.next_round() {
            play(&mut source, &mut player)?;
            torn = source.torn_bytes();
            source = args.open()?;
        }
    }
    if torn > 0 {
        eprintln!("note: {torn} bytes at the end of the file are no whole word, and left out");
    }
    player.finish().report(args.json)
}

impl PlayArgs {
    fn open(&self) -> saccade_rosbags::Result<PacketSource> {
        let options = PacketOptions {
            packet_us: (self.packet_ms * 1e3).round() as u64,
            frame_id: self.frame_id.clone(),
        };
        PacketSource::open(&self.file, self.from.as_deref(), options)
    }
}

/// One round.
fn play(source: &mut PacketSource, player: &mut Player) -> Result<(), CliError> {
    let made = source.makes_packets();
    while let Some(TimedPacket { due_us, mut packet }) = source.next_packet()? {
        match player.pace.wait(due_us.saturating_mul(1000)) {
            Turn::Skip => continue,
            Turn::End => break,
            Turn::Send => {}
        }
        if made {
            packet.header.stamp = wall_clock(player.pace.due());
        }
        player.send(0, to_cdr(&packet))?;
    }
    Ok(())
}

/// A moment as ROS time.
fn wall_clock(moment: Instant) -> Time {
    let now = SystemTime::now() - moment.elapsed();
    let since = now.duration_since(SystemTime::UNIX_EPOCH);
    Time::from_ns(since.map_or(0, |d| i64::try_from(d.as_nanos()).unwrap_or(i64::MAX)))
}
