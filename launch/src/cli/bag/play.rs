//! `saccade bag play`: a recording, live again.

use crate::cli::live::{NetworkArgs, PaceArgs, Player, QosArgs, Turn};
use crate::cli::{CliError, CliResult, Context, stop};
use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::rosgraph_msgs::Clock;
use saccade_msgs::{Message, registry, to_cdr};
use saccade_nodes::dds::qos_from_yaml;
use saccade_nodes::{Qos, Reliability};
use saccade_rosbags::{BagReader, Connection, RawMessage, Serialization, Transcoder};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Arguments of `saccade bag play`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
    Topics have the quality of service they were recorded with; ROS 1 messages go out as ROS 2 \
    ones.\n\n\
    Examples:\n  \
    saccade bag play run.mcap --clock\n  \
    saccade bag play run.bag --rate 0.5 --topics /events /imu --remap /events:=/dvs/events")]
pub struct PlayArgs {
    /// The recording: ROS 1 bag, rosbag2 (.db3, .mcap) or rosbag2 directory.
    file: PathBuf,
    /// Play these topics only.
    #[arg(long, value_name = "TOPIC", num_args = 1..)]
    topics: Vec<String>,
    /// Publish a topic under another name.
    #[arg(long, value_name = "FROM:=TO")]
    remap: Vec<String>,
    /// Publish the recording's time on /clock, this many times a second.
    #[arg(long, value_name = "HZ", num_args = 0..=1, default_missing_value = "40")]
    clock: Option<f64>,
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

const CLOCK_TOPIC: &str = "/clock";

/// Runs `saccade bag play`.
pub fn run(args: &PlayArgs) -> CliResult {
    let pace = args.pace.pace(stop::on_ctrl_c()?)?;
    let plan = Plan::new(args, &BagReader::open(&args.file)?.connections()?)?;
    let participant = args.network.join("saccade_bag_play")?;
    let mut player = Player::new(participant, pace);
    let mut topics = BTreeMap::new();
    for (topic, planned) in plan.topics {
        let number = player.publisher(&planned.name, &planned.type_name, planned.qos)?;
        topics.insert(topic, (number, planned));
    }
    let clock = match args.clock {
        Some(hz) => Some(Ticks {
            publisher: player.publisher(CLOCK_TOPIC, Clock::TYPE_NAME, Qos::DEFAULT)?,
            period_ns: (1e9 / hz).round() as u64,
        }),
        None => None,
    };
    if player.wait_for_subscribers() {
        while player.pace.next_round() {
            play(args, &topics, clock.as_ref(), &mut player)?;
        }
    }
    player.finish().report(args.json)
}

/// Which topics are played, and how.
struct Plan {
    /// By their name in the recording.
    topics: BTreeMap<String, Planned>,
}

struct Planned {
    /// Name to publish under.
    name: String,
    type_name: String,
    qos: Qos,
    way: Way,
}

impl Plan {
    fn new(args: &PlayArgs, connections: &[std::sync::Arc<Connection>]) -> Result<Self, CliError> {
        if let Some(hz) = args.clock.filter(|hz| !(0.1..=1000.0).contains(hz)) {
            return Err(CliError::usage(format!(
                "--clock {hz}: expected 0.1 to 1000 Hz"
            )));
        }
        let remaps = remaps(&args.remap)?;
        let known = |topic: &String| connections.iter().any(|c| c.topic == *topic);
        if let Some(absent) = args.topics.iter().chain(remaps.keys()).find(|t| !known(t)) {
            let has: Vec<_> = connections.iter().map(|c| c.topic.as_str()).collect();
            let has = has.join(", ");
            let file = args.file.display();
            return Err(CliError::failed(format!(
                "{file}: no topic {absent}; it has {has}"
            )));
        }
        let mut topics = BTreeMap::new();
        for connection in connections {
            let chosen = args.topics.is_empty() || args.topics.contains(&connection.topic);
            let name = remaps.get(&connection.topic).unwrap_or(&connection.topic);
            if !chosen || (args.clock.is_some() && name == CLOCK_TOPIC) {
                continue;
            }
            let in_topic = || format!("topic {}", connection.topic);
            let planned = Planned {
                name: name.clone(),
                type_name: connection.type_name.clone(),
                qos: args
                    .qos
                    .over(recorded_qos(&connection.qos).context(in_topic())?),
                way: Way::of(connection).context(in_topic())?,
            };
            topics.insert(connection.topic.clone(), planned);
        }
        Ok(Self { topics })
    }
}

fn remaps(arguments: &[String]) -> Result<BTreeMap<String, String>, CliError> {
    let pair = |argument: &String| {
        let wrong = || CliError::usage(format!("--remap {argument}: write /from:=/to"));
        let (from, to) = argument.split_once(":=").ok_or_else(wrong)?;
        Ok((from.to_owned(), to.to_owned()))
    };
    arguments.iter().map(pair).collect()
}

/// As the publishers had it that were recorded; where nothing is known, reliable.
fn recorded_qos(yaml: &str) -> Result<Qos, CliError> {
    let profiles = qos_from_yaml(yaml)
        .map_err(|e| CliError::failed(format!("its QoS cannot be read: {e}")))?;
    let depth = profiles.iter().map(|qos| qos.depth).max().unwrap_or(0);
    let mut qos = Qos::common(&profiles, depth.clamp(10, 1000));
    let reliable = |p: &Qos| p.reliability == Reliability::Reliable;
    if profiles.iter().any(reliable) {
        // Subscribers of either kind match it.
        qos.reliability = Reliability::Reliable;
    }
    Ok(qos)
}

/// How messages become what DDS carries, little-endian CDR.
enum Way {
    /// They are, or with the registry's help become it.
    Cdr,
    /// From ROS 1.
    Ros1(Box<Transcoder>),
}

impl Way {
    fn of(connection: &Connection) -> Result<Self, CliError> {
        Ok(match connection.serialization {
            Serialization::Cdr => Self::Cdr,
            Serialization::Ros1 => {
                Self::Ros1(Box::new(Transcoder::new(connection, Serialization::Cdr)?))
            }
        })
    }

    fn go(&self, message: RawMessage) -> Result<Vec<u8>, CliError> {
        let place = || format!("{} at {} ns", message.topic(), message.stamp_ns);
        match (self, registry::find(message.type_name())) {
            (Self::Ros1(transcoder), _) => {
                let mut data = Vec::new();
                (transcoder.transcode(&message.data, &mut data)).context(place())?;
                Ok(data)
            }
            (Self::Cdr, Some(entry)) if message.data.starts_with(&[0, 0]) => {
                (entry.cdr_to_cdr)(&message.data).context(place())
            }
            (Self::Cdr, _) => Ok(message.data),
        }
    }
}

/// The clock's share of a round.
struct Ticks {
    publisher: usize,
    period_ns: u64,
}

/// One round.
fn play(
    args: &PlayArgs,
    topics: &BTreeMap<String, (usize, Planned)>,
    clock: Option<&Ticks>,
    player: &mut Player,
) -> Result<(), CliError> {
    let mut first_ns = None;
    let mut tick_ns = player.pace.begin_ns();
    for message in BagReader::open(&args.file)? {
        let message = message?;
        let first_ns = *first_ns.get_or_insert(message.stamp_ns);
        let at_ns = message.stamp_ns.saturating_sub(first_ns).max(0) as u64;
        while let Some(clock) = clock.filter(|_| tick_ns <= at_ns) {
            if player.pace.wait(tick_ns) == Turn::End {
                return Ok(());
            }
            let time = Time::from_ns(first_ns.saturating_add_unsigned(tick_ns));
            player.send(clock.publisher, to_cdr(&Clock { clock: time }))?;
            tick_ns = tick_ns.saturating_add(clock.period_ns.max(1));
        }
        let Some((publisher, planned)) = topics.get(message.topic()) else {
            continue;
        };
        match player.pace.wait(at_ns) {
            Turn::Skip => continue,
            Turn::End => break,
            Turn::Send => player.send(*publisher, planned.way.go(message)?)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use saccade_nodes::dds::qos_to_yaml;

    #[test]
    fn topics_have_the_qos_they_were_recorded_with() {
        let played = |profiles: &[Qos]| recorded_qos(&qos_to_yaml(profiles)).expect("profiles");
        assert_eq!(played(&[Qos::SENSOR]), Qos::SENSOR);
        assert_eq!(played(&[Qos::LATCHED]), Qos::LATCHED.depth(10));
        assert_eq!(played(&[Qos::SENSOR, Qos::LATCHED]), Qos::DEFAULT.depth(64));
        assert_eq!(recorded_qos("").expect("nothing"), Qos::DEFAULT);
    }
}
