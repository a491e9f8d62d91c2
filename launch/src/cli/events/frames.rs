//! Frames of a recording: a folder of pictures, a film, or a topic of images.

use super::render::Survey;
use crate::cli::{CliError, Context};
use crate::plots::{self, EventImage};
use image::codecs::gif::{GifEncoder, Repeat};
use image::{Delay, DynamicImage, Frame};
use indicatif::{ProgressBar, ProgressStyle};
use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::sensor_msgs::Image;
use saccade_msgs::std_msgs::Header;
use saccade_rosbags::BagWriter;
use saccade_rosbags::events::EventBatch;
use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Topic of the images in a bag.
const TOPIC: &str = "/event_image";

/// Frames of one window each, numbered without gaps from the first event on.
pub(super) struct Frames {
    sink: Sink,
    image: EventImage,
    first_us: u64,
    window_us: u64,
    /// Frames that may still be written.
    left: u64,
    number: u64,
    progress: ProgressBar,
}

/// Viewers show frames of a film that are shorter than this at a pace of their own.
const SHORTEST_SHOWN_US: u64 = 20_000;

/// Where frames go.
enum Sink {
    Folder(PathBuf),
    Film(Film),
    Bag(Box<BagWriter>),
}

impl Sink {
    fn create(out: &Path) -> Result<Self, CliError> {
        let extension = out.extension().unwrap_or_default().to_ascii_lowercase();
        Ok(match extension.to_str() {
            Some("gif") => Sink::Film(Film::create(out)?),
            Some("mcap" | "bag") => Sink::Bag(Box::new(BagWriter::create(out)?)),
            _ => Sink::Folder(out.to_owned()),
        })
    }
}

impl Frames {
    /// At most `frames` frames of `window_us` each.
    pub(super) fn new(
        out: &Path,
        survey: &Survey,
        window_us: u64,
        frames: u64,
    ) -> Result<Self, CliError> {
        let style = ProgressStyle::with_template("{bar:40} {pos}/{len} frames {eta}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        Ok(Frames {
            sink: Sink::create(out)?,
            image: survey.image.clone(),
            first_us: survey.first_us,
            window_us,
            left: frames,
            number: 0,
            progress: ProgressBar::new(frames).with_style(style),
        })
    }

    /// Events that step back in time stay in the frame that is open.
    pub(super) fn add(&mut self, batch: &EventBatch) -> Result<(), CliError> {
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

    /// Writes the frame that is open and closes the file; how many frames there are.
    pub(super) fn finish(mut self) -> Result<u64, CliError> {
        self.write()?;
        self.progress.finish_and_clear();
        match self.sink {
            Sink::Folder(_) => {}
            Sink::Film(film) => film.finish()?,
            Sink::Bag(bag) => bag.finish()?,
        }
        Ok(self.number)
    }

    fn write(&mut self) -> Result<(), CliError> {
        if self.left == 0 {
            return Ok(());
        }
        match &mut self.sink {
            Sink::Folder(folder) => {
                let path = folder.join(format!("frame_{:06}.png", self.number));
                plots::save_png(&self.image.enlarged(), &path)?;
            }
            Sink::Film(film) => film.add(&self.image, self.window_us.max(SHORTEST_SHOWN_US))?,
            Sink::Bag(bag) => {
                let end_us = self.first_us + (self.number + 1) * self.window_us;
                let stamp_ns = i64::try_from(end_us)
                    .unwrap_or(i64::MAX)
                    .saturating_mul(1000);
                bag.write(TOPIC, stamp_ns, &message(&self.image, stamp_ns))?;
            }
        }
        self.image.clear();
        self.left -= 1;
        self.number += 1;
        self.progress.inc(1);
        Ok(())
    }
}

/// The image as a ROS message.
fn message(image: &EventImage, stamp_ns: i64) -> Image {
    let pixels = image.pixels();
    Image {
        header: Header {
            stamp: Time::from_ns(stamp_ns),
            frame_id: "event_camera".to_owned(),
        },
        height: pixels.height(),
        width: pixels.width(),
        encoding: "rgb8".to_owned(),
        is_bigendian: 0,
        step: 3 * pixels.width(),
        data: pixels.into_raw(),
    }
}

/// A film that plays for ever; it has its name when it is complete.
struct Film {
    path: PathBuf,
    partial: PathBuf,
    encoder: GifEncoder<BufWriter<File>>,
}

impl Film {
    fn create(path: &Path) -> Result<Self, CliError> {
        let partial = path.with_extension("gif.partial");
        let file = File::create(&partial).context(format!("making {}", partial.display()))?;
        let mut encoder = GifEncoder::new_with_speed(BufWriter::new(file), 10);
        encoder.set_repeat(Repeat::Infinite)?;
        Ok(Film {
            path: path.to_owned(),
            partial,
            encoder,
        })
    }

    fn add(&mut self, image: &EventImage, shown_us: u64) -> Result<(), CliError> {
        let pixels = DynamicImage::from(image.enlarged()).into_rgba8();
        let delay = Delay::from_saturating_duration(Duration::from_micros(shown_us));
        let frame = Frame::from_parts(pixels, 0, 0, delay);
        let written = self.encoder.encode_frame(frame);
        written.context(format!("writing {}", self.partial.display()))
    }

    fn finish(self) -> Result<(), CliError> {
        drop(self.encoder);
        let name = self.path.display().to_string();
        std::fs::rename(&self.partial, &self.path).context(format!("writing {name}"))
    }
}
