//! Pixels that are left out: a list in the text, in a file, or an image.

use super::spec::Values;
use super::{Filter, FilterError, retain};
use saccade_msgs::Event;
use saccade_rosbags::events::Geometry;
use std::path::Path;
use std::sync::Arc;

/// Longest list of pixels that is read, in bytes.
const MAX_LIST: u64 = 64 << 20;
/// Longest side of an image that is read.
const MAX_SIDE: u32 = 8192;

/// Which pixels.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Config {
    written: String,
    pixels: Arc<Pixels>,
}

#[derive(Debug, PartialEq)]
enum Pixels {
    /// Those that are left out.
    List(Vec<(u16, u16)>),
    /// For each, row by row, whether it stays.
    Image {
        width: u32,
        height: u32,
        stays: Vec<bool>,
    },
}

impl Config {
    pub fn parse(values: &mut Values<'_>) -> Result<Self, FilterError> {
        let Some(text) = values.whole().filter(|t| !t.is_empty()) else {
            return Err(values.error("no pixels"));
        };
        let listed: Option<Vec<_>> = text.split('+').map(|p| pixel(p, ':')).collect();
        let pixels = match listed {
            Some(list) => Pixels::List(list),
            None => read(text).map_err(|why| FilterError::File {
                path: text.to_owned(),
                why,
            })?,
        };
        Ok(Config {
            written: format!("mask={text}"),
            pixels: Arc::new(pixels),
        })
    }
}

/// Column and row with `between` between them.
fn pixel(text: &str, between: char) -> Option<(u16, u16)> {
    let (x, y) = text.trim().split_once(between)?;
    Some((x.trim().parse().ok()?, y.trim().parse().ok()?))
}

fn read(path: &str) -> Result<Pixels, String> {
    let png = Path::new(path)
        .extension()
        .is_some_and(|e| e.eq_ignore_ascii_case("png"));
    if png {
        read_image(path)
    } else {
        read_list(path)
    }
}

fn read_image(path: &str) -> Result<Pixels, String> {
    let mut reader = image::ImageReader::open(path).map_err(|e| e.to_string())?;
    reader.set_format(image::ImageFormat::Png);
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    reader.limits(limits);
    let image = reader.decode().map_err(|e| e.to_string())?.to_luma8();
    Ok(Pixels::Image {
        width: image.width(),
        height: image.height(),
        stays: image.as_raw().iter().map(|v| *v >= 128).collect(),
    })
}

/// Lines of column and row with space, comma or colon between them; `#` begins a remark.
fn read_list(path: &str) -> Result<Pixels, String> {
    let size = std::fs::metadata(path).map_err(|e| e.to_string())?.len();
    if size > MAX_LIST {
        return Err(format!(
            "{size} bytes are no list of pixels (at most {MAX_LIST})"
        ));
    }
    let text = std::fs::read_to_string(path).map_err(|e| e.to_string())?;
    let mut list = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        let found = [' ', ',', ':', '\t']
            .into_iter()
            .find_map(|c| pixel(line, c));
        list.push(found.ok_or_else(|| {
            format!(
                "line {}: '{line}' is not column and row, as in '10 20'",
                n + 1
            )
        })?);
    }
    Ok(Pixels::List(list))
}

/// The filter.
pub(super) struct Mask {
    width: usize,
    stays: Vec<bool>,
}

impl Mask {
    pub fn new(config: &Config, sensor: Geometry) -> Result<Self, FilterError> {
        let (columns, rows) = (usize::from(sensor.width), usize::from(sensor.height));
        let stays = match &*config.pixels {
            Pixels::List(list) => {
                let mut stays = vec![true; columns * rows];
                for &(x, y) in list {
                    if x >= sensor.width || y >= sensor.height {
                        return Err(FilterError::OutsideSensor {
                            written: config.written.clone(),
                            column: x.into(),
                            row: y.into(),
                            sensor,
                        });
                    }
                    stays[usize::from(y) * columns + usize::from(x)] = false;
                }
                stays
            }
            Pixels::Image {
                width,
                height,
                stays,
            } => {
                if (*width, *height) != (sensor.width.into(), sensor.height.into()) {
                    return Err(FilterError::MaskSize {
                        written: config.written.clone(),
                        width: *width,
                        height: *height,
                        sensor,
                    });
                }
                stays.clone()
            }
        };
        Ok(Mask {
            width: columns,
            stays,
        })
    }
}

impl Filter for Mask {
    fn process(&mut self, events: &mut Vec<Event>) {
        let (width, stays) = (self.width, &self.stays);
        retain(events, |e| {
            stays[usize::from(e.y) * width + usize::from(e.x)]
        });
    }
}
