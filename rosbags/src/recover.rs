//! Everything readable of a recording that is unfinished, cut off or damaged.

use std::io::Read;
use std::path::Path;

use serde::Serialize;

use crate::convert::{ConvertReport, Pipeline};
use crate::error::{BagError, Result};
use crate::format::{Format, detect};
use crate::mcap::McapSalvage;
use crate::message::RawMessage;
use crate::options::WriteOptions;
use crate::packed;
use crate::ros1::Ros1Salvage;
use crate::rosbag2::{METADATA, Metadata, present_files};
use crate::sqlite::SqliteSalvage;

/// Places that are described; more are counted.
const PLACES: usize = 20;

/// What was found to be missing or damaged.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Losses {
    /// Messages that are lost, as far as an index or the numbers of rows tell.
    pub messages: u64,
    /// Whether the recording was never finished: it has no index, or no
    /// `metadata.yaml`. By itself that loses nothing.
    pub unfinished: bool,
    /// Messages taken from chunks whose data is damaged: they may be, too.
    pub suspect: u64,
    /// Where something is missing or damaged: the first 20.
    pub places: Vec<String>,
    /// How many more there are.
    pub more_places: u64,
}

impl Losses {
    pub(crate) fn place(&mut self, text: String) {
        match self.places.len() < PLACES {
            true => self.places.push(text),
            false => self.more_places += 1,
        }
    }

    fn add(&mut self, other: Losses) {
        self.messages += other.messages;
        self.unfinished |= other.unfinished;
        self.suspect += other.suspect;
        self.more_places += other.more_places;
        for place in other.places {
            self.place(place);
        }
    }
}

/// What was recovered, and what was not.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct RecoverReport {
    /// What was written.
    #[serde(flatten)]
    pub written: ConvertReport,
    /// What was missing or damaged.
    pub damage: Losses,
}

/// Writes everything readable of a recording into a whole one, whose format follows
/// its name. `progress` is told the number of messages read.
///
/// # Errors
/// If the result exists, nothing of the recording can be read, or writing fails.
pub fn recover(
    input: &Path,
    output: &Path,
    options: &WriteOptions,
    progress: &mut dyn FnMut(u64),
) -> Result<RecoverReport> {
    let mut damage = Losses::default();
    let mut options = options.clone();
    let metadata = match input.is_dir() {
        true => read_metadata(&input.join(METADATA), &mut damage),
        false => None,
    };
    let files = match input.is_dir() {
        true => present_files(input)?,
        false => vec![input.to_owned()],
    };
    if let Some(metadata) = &metadata {
        options.custom_data.extend(metadata.custom_data.clone());
        options.ros_distro.clone_from(&metadata.ros_distro);
    }
    let mut pipeline = Pipeline::create(output, &options)?;
    let mut read = 0;
    for file in &files {
        let taken = salvage(file, &mut |message| {
            read += 1;
            progress(read);
            pipeline.push(message)
        });
        match taken {
            Ok(losses) => damage.add(losses),
            Err(Stop::Output(error)) => return Err(error),
            Err(Stop::Input(error)) if files.len() == 1 => return Err(error),
            Err(Stop::Input(error)) => damage.place(error.to_string()),
        }
    }
    if let Some(metadata) = metadata {
        damage.messages = damage.messages.max(metadata.messages.saturating_sub(read));
    }
    Ok(RecoverReport {
        written: pipeline.finish()?,
        damage,
    })
}

fn read_metadata(path: &Path, damage: &mut Losses) -> Option<Metadata> {
    match Metadata::read(path) {
        Ok(metadata) => {
            for name in &metadata.paths {
                if !path.with_file_name(name).exists() {
                    damage.place(format!(
                        "{}: it names {name}, which is not there",
                        path.display()
                    ));
                }
            }
            Some(metadata)
        }
        Err(_) if !path.exists() => {
            damage.unfinished = true;
            None
        }
        Err(error) => {
            damage.place(error.to_string());
            None
        }
    }
}

/// Why a file's messages end before their time.
enum Stop {
    Input(BagError),
    Output(BagError),
}

/// Hands on every readable message of one file.
fn salvage(
    path: &Path,
    push: &mut dyn FnMut(RawMessage) -> Result<()>,
) -> std::result::Result<Losses, Stop> {
    let (format, _) = detect(path).map_err(Stop::Input)?;
    let unpacked = packed::unpack_damaged(path).map_err(Stop::Input)?;
    let mut losses = Losses::default();
    let file = match &unpacked {
        Some((_, file, broken)) => {
            if let Some(error) = broken {
                losses.place(error.to_string());
            }
            file
        }
        None => path,
    };
    match format {
        Format::Ros1Bag => {
            let mut bag = Ros1Salvage::open(file).map_err(Stop::Input)?;
            while let Some(message) = bag.next_message().map_err(Stop::Input)? {
                push(message).map_err(Stop::Output)?;
            }
            losses.add(bag.losses());
        }
        Format::Mcap => {
            let mut bag = McapSalvage::open(file).map_err(Stop::Input)?;
            while let Some(message) = bag.next_message().map_err(Stop::Input)? {
                push(message).map_err(Stop::Output)?;
            }
            losses.add(bag.losses());
        }
        Format::Sqlite => {
            let mut bag = SqliteSalvage::open(file).map_err(Stop::Input)?;
            while let Some(message) = bag.next_message() {
                push(message).map_err(Stop::Output)?;
            }
            losses.add(bag.losses());
        }
        _ => {
            return Err(Stop::Input(BagError::Unsupported {
                path: path.to_owned(),
                what: "an event-camera file in place of a bag".into(),
                remedy: "open it as a source of events".into(),
            }));
        }
    }
    Ok(losses)
}

/// Unpacks as much of a chunk as there is, up to `limit` bytes; says where it breaks
/// off.
pub(crate) fn unpack_prefix(
    compression: &str,
    data: &[u8],
    limit: u64,
) -> (Vec<u8>, Option<String>) {
    // One byte more, so that the decoder comes to the checksum at the end.
    let mut bytes = Vec::new();
    let read = match compression {
        "none" => {
            let end = data.len().min(usize::try_from(limit).unwrap_or(usize::MAX));
            bytes.extend_from_slice(&data[..end]);
            Ok(0)
        }
        "bz2" => bzip2::read::MultiBzDecoder::new(data)
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes),
        "lz4" => lz4_flex::frame::FrameDecoder::new(data)
            .take(limit.saturating_add(1))
            .read_to_end(&mut bytes),
        "zstd" => match zstd::Decoder::with_buffer(data) {
            Ok(decoder) => decoder
                .take(limit.saturating_add(1))
                .read_to_end(&mut bytes),
            Err(error) => Err(error),
        },
        other => Err(std::io::Error::other(format!(
            "compression `{other}` is not known"
        ))),
    };
    let broken = read.err().map(|e| {
        format!(
            "its {compression} data breaks off after {} unpacked bytes: {e}",
            bytes.len()
        )
    });
    bytes.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
    (bytes, broken)
}
