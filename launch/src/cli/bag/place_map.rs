//! `saccade bag place-map`: the places that a node has published, as a map file.

use crate::cli::{CliError, CliResult, Context, Exit, print_json, print_line};
use saccade_engine::models::place::PlaceMap;
use saccade_msgs::Message;
use saccade_msgs::saccade_msgs::PlaceMap as MapMessage;
use saccade_rosbags::{BagReader, write_atomic};
use serde::Serialize;
use std::path::PathBuf;

/// Most places of a map.
const MOST_PLACES: usize = 10_000_000;

/// Arguments of `saccade bag place-map`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The node place_recognition publishes its places when its service save_map is asked. The last map
of the recording is written, whole or not at all, and can then be the node's parameter map:

  saccade bag place-map run.mcap -o places.safetensors
  saccade launch launch/place_recognition.launch.xml weights:=w.safetensors map:=places.safetensors")]
pub struct PlaceMapArgs {
    /// Recording (.bag, .mcap, .db3 or a directory of rosbag2).
    recording: PathBuf,
    /// Map file to write.
    #[arg(long, short, default_value = "places.safetensors")]
    out: PathBuf,
    /// Topic of the map, where there are several.
    #[arg(long)]
    topic: Option<String>,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    out: PathBuf,
    topic: String,
    /// When it was recorded.
    stamp_ns: i64,
    places: usize,
    /// Fingerprint of the network that made the codes.
    network: String,
}

/// Runs `saccade bag place-map`.
///
/// # Errors
/// The recording cannot be read, has no map or several, the map is damaged, or writing
/// fails.
pub fn run(args: &PlaceMapArgs) -> CliResult {
    let mut bag = BagReader::open(&args.recording)?;
    let topic = topic(args, &mut bag)?;
    let mut last: Option<(i64, MapMessage)> = None;
    while let Some(message) = bag.next_message()? {
        if message.topic() == topic {
            last = Some((message.stamp_ns, message.decode(&args.recording)?));
        }
    }
    let file = args.recording.display();
    let (stamp_ns, message) = last.ok_or_else(|| {
        CliError::failed(format!(
            "{file}: nothing was published on {topic}; call the node's service save_map while recording"
        ))
    })?;
    // A map that no node could read is not written.
    let map = PlaceMap::from_bytes(&message.data, &message.network, MOST_PLACES)
        .context(format!("{file}: the map on {topic} at {stamp_ns} ns"))?;
    write_atomic(&args.out, &message.data)?;
    let document = Document {
        out: args.out.clone(),
        topic,
        stamp_ns,
        places: map.len(),
        network: message.network,
    };
    match args.json {
        true => print_json(&document)?,
        false => print_line(format!(
            "{}: {} places of {}, coded by network {}",
            document.out.display(),
            document.places,
            document.topic,
            document.network
        ))?,
    }
    Ok(Exit::Success)
}

/// The topic asked for, or the only one that has maps.
fn topic(args: &PlaceMapArgs, bag: &mut BagReader) -> Result<String, CliError> {
    let file = args.recording.display();
    let connections = bag.connections()?;
    let maps = connections
        .iter()
        .filter(|c| c.type_name == MapMessage::TYPE_NAME);
    let mut topics: Vec<&str> = maps.map(|c| c.topic.as_str()).collect();
    topics.sort_unstable();
    topics.dedup();
    let list = topics.join(", ");
    match (&args.topic, topics.as_slice()) {
        (Some(topic), _) if topics.contains(&topic.as_str()) => Ok(topic.clone()),
        (Some(topic), _) => Err(CliError::failed(format!(
            "{file}: no topic {topic} of type {}; it has: [{list}]",
            MapMessage::TYPE_NAME
        ))),
        (None, [topic]) => Ok((*topic).to_owned()),
        (None, []) => Err(CliError::failed(format!(
            "{file}: no topic of type {}; call the node's service save_map while recording",
            MapMessage::TYPE_NAME
        ))),
        (None, _) => Err(CliError::usage(format!(
            "{file}: maps are on [{list}]; name one of them by --topic"
        ))),
    }
}
