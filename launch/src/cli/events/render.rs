//! `saccade events render`: pictures of a recording.

use super::Recording;
use super::info::{duration_s, verdict};
use crate::cli::{CliError, CliResult, print_line};
use crate::plots::{self, EventImage};
use indicatif::{ProgressBar, ProgressStyle};
use saccade_rosbags::events::{EventBatch, EventInfo, EventSource, info};
use std::path::{Path, PathBuf};

/// Arguments of `saccade events render`.
#[derive(Debug, clap::Args)]
pub struct RenderArgs {
    #[command(flatten)]
    recording: Recording,
    /// A .png for one picture, anything else is a folder for frames.
    #[arg(long, short)]
    out: PathBuf,
    /// Time that one frame shows, in milliseconds.
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
    let (file, topic) = (&args.recording.file, args.recording.topic.as_deref());
    let picture = args.out.extension();
    if picture.is_some_and(|e| e.eq_ignore_ascii_case("png")) {
        return draw(file, topic, &args.out);
    }
    let window_ms = args.fps.map_or(args.window_ms, |fps| 1e3 / fps);
    if !(window_ms.is_finite() && (0.001..=1e9).contains(&window_ms)) {
        return Err(CliError::usage(format!(
            "a frame of {window_ms} ms; --window-ms must be between 0.001 and 1e9, --fps above 0"
        )));
    }
    let window_us = ((window_ms * 1e3).round() as u64).max(1);
    let survey = Survey::of(file, topic)?;
    let windows = (survey.last_us.saturating_sub(survey.first_us)) / window_us + 1;
    let mut frames = Frames {
        folder: &args.out,
        image: survey.image.clone(),
        first_us: survey.first_us,
        window_us,
        left: args.max_frames,
        number: 0,
        progress: progress(windows.min(args.max_frames)),
    };
    let all = survey.picture(file, topic, |batch| frames.add(batch))?;
    frames.write()?;
    frames.progress.finish_and_clear();
    let overview = args.out.join("overview.png");
    plots::save(&all, &overview)?;
    let of = if windows > frames.number {
        format!(" of {windows}")
    } else {
        String::new()
    };
    print_line(format!(
        "{}{of} frames, {}",
        frames.number,
        overview.display()
    ))?;
    Ok(verdict(&survey.info))
}

/// Draws all events of a recording into one picture.
///
/// # Errors
/// The recording cannot be read, holds no events, or writing fails.
pub fn draw(file: &Path, topic: Option<&str>, out: &Path) -> CliResult {
    let survey = Survey::of(file, topic)?;
    let image = survey.picture(file, topic, |_| Ok(()))?;
    plots::save(&image, out)?;
    print_line(out.display())?;
    Ok(verdict(&survey.info))
}

/// A first pass over a recording, which finds the sensor's size and any damage
/// before a file is written.
struct Survey {
    info: EventInfo,
    first_us: u64,
    last_us: u64,
    /// An empty image of the sensor.
    image: EventImage,
}

impl Survey {
    fn of(file: &Path, topic: Option<&str>) -> Result<Self, CliError> {
        let info = info(file, topic)?;
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
        file: &Path,
        topic: Option<&str>,
        mut also: impl FnMut(&EventBatch) -> Result<(), plots::PlotError>,
    ) -> Result<EventImage, CliError> {
        let mut image = self.image.clone();
        let mut source = EventSource::open(file, topic)?;
        let mut batch = EventBatch::default();
        while source.next_batch(&mut batch)? {
            image.add(batch.events.iter().copied());
            also(&batch)?;
        }
        Ok(image)
    }
}

fn progress(frames: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} frames {eta}");
    ProgressBar::new(frames).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Frames of one window each, numbered without gaps from the first event on.
struct Frames<'a> {
    folder: &'a Path,
    image: EventImage,
    first_us: u64,
    window_us: u64,
    /// Frames that may still be written.
    left: u64,
    number: u64,
    progress: ProgressBar,
}

impl Frames<'_> {
    /// Events that step back in time stay in the frame that is open.
    fn add(&mut self, batch: &EventBatch) -> Result<(), plots::PlotError> {
        for &event in &batch.events {
            if self.left == 0 {
                return Ok(());
            }
            let window = event.t_us.saturating_sub(self.first_us) / self.window_us;
            while window > self.number && self.left > 0 {
                self.write()?;
            }
            self.image.add([event]);
        }
        Ok(())
    }

    fn write(&mut self) -> Result<(), plots::PlotError> {
        if self.left == 0 {
            return Ok(());
        }
        let path = self.folder.join(format!("frame_{:06}.png", self.number));
        plots::save_png(&self.image.enlarged(), &path)?;
        self.image.clear();
        self.left -= 1;
        self.number += 1;
        self.progress.inc(1);
        Ok(())
    }
}
