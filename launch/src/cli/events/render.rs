//! `saccade events render`: pictures of a recording.

use super::frames::Frames;
use super::info::{duration_s, verdict};
use super::{Aedat2, Recording};
use crate::cli::{CliError, CliResult, print_line};
use crate::plots::{self, EventImage};
use saccade_rosbags::events::{EventBatch, EventInfo, info_with};
use std::path::{Path, PathBuf};

/// Arguments of `saccade events render`.
#[derive(Debug, clap::Args)]
pub struct RenderArgs {
    #[command(flatten)]
    recording: Recording,
    /// A .png for one picture of all events, a .gif for a film, a .mcap or .bag for
    /// a topic of images (sensor_msgs/Image on /event_image, stamped with the
    /// events' time); anything else is a folder for frames.
    #[arg(long, short)]
    out: PathBuf,
    /// Time that one frame shows, in milliseconds (a film shows each as
    /// long, but at least 20 ms).
    #[arg(long, default_value_t = 33.0, conflicts_with = "fps")]
    window_ms: f64,
    /// Frames per second of recording; another way to say --window-ms.
    #[arg(long)]
    fps: Option<f64>,
    /// Frames to write at most, from the start of the recording.
    #[arg(long, default_value_t = 300)]
    max_frames: u64,
}

/// Runs `saccade events render`.
pub fn run(args: &RenderArgs) -> CliResult {
    let picture = args.out.extension();
    if picture.is_some_and(|e| e.eq_ignore_ascii_case("png")) {
        return draw_recording(&args.recording, &args.out);
    }
    let window_ms = args.fps.map_or(args.window_ms, |fps| 1e3 / fps);
    if !(window_ms.is_finite() && (0.001..=1e9).contains(&window_ms)) {
        return Err(CliError::usage(format!(
            "a frame of {window_ms} ms; --window-ms must be between 0.001 and 1e9, --fps above 0"
        )));
    }
    let window_us = ((window_ms * 1e3).round() as u64).max(1);
    let survey = Survey::of(&args.recording)?;
    let windows = (survey.last_us.saturating_sub(survey.first_us)) / window_us + 1;
    let mut frames = Frames::new(&args.out, &survey, window_us, windows.min(args.max_frames))?;
    let all = survey.picture(&args.recording, |batch| frames.add(batch))?;
    let number = frames.finish()?;
    let mut made = args.out.clone();
    if made.is_dir() {
        made.push("overview.png");
        plots::save(&all, &made)?;
    }
    let of = if windows > number {
        format!(" of {windows}")
    } else {
        String::new()
    };
    print_line(format!("{number}{of} frames, {}", made.display()))?;
    Ok(verdict(&survey.info))
}

/// Draws all events of a recording into one picture.
///
/// # Errors
/// The recording cannot be read, holds no events, or writing fails.
pub fn draw(file: &Path, topic: Option<&str>, out: &Path) -> CliResult {
    let recording = Recording {
        file: file.to_owned(),
        topic: topic.map(str::to_owned),
        aedat2: Aedat2::default(),
    };
    draw_recording(&recording, out)
}

fn draw_recording(recording: &Recording, out: &Path) -> CliResult {
    let survey = Survey::of(recording)?;
    let image = survey.picture(recording, |_| Ok(()))?;
    plots::save(&image, out)?;
    print_line(out.display())?;
    Ok(verdict(&survey.info))
}

/// A first pass over a recording, which finds the sensor's size and any damage
/// before a file is written.
pub(super) struct Survey {
    info: EventInfo,
    pub(super) first_us: u64,
    last_us: u64,
    /// An empty image of the sensor.
    pub(super) image: EventImage,
}

impl Survey {
    fn of(recording: &Recording) -> Result<Self, CliError> {
        let file = &recording.file;
        let info = info_with(file, recording.topic.as_deref(), recording.options())?;
        let (Some(first_us), Some(last_us)) = (info.t_first_us, info.t_last_us) else {
            return Err(CliError::failed(format!(
                "{}: no events in it, so there is nothing to render",
                file.display()
            )));
        };
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let title = format!("{name}, {:.3} s", duration_s(&info));
        let image = EventImage::new(title, u32::from(info.width), u32::from(info.height))?;
        Ok(Survey {
            info,
            first_us,
            last_us,
            image,
        })
    }

    /// The second pass: all events in one image; `also` gets every batch.
    fn picture(
        &self,
        recording: &Recording,
        mut also: impl FnMut(&EventBatch) -> Result<(), CliError>,
    ) -> Result<EventImage, CliError> {
        let mut image = self.image.clone();
        let mut source = recording.open()?;
        let mut batch = EventBatch::default();
        while source.next_batch(&mut batch)? {
            image.add(batch.events.iter().copied());
            also(&batch)?;
        }
        Ok(image)
    }
}
