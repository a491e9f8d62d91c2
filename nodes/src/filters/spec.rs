//! The text of a chain of filters.

use super::{
    Filter, FilterError, arbiter, background, decimate, hot_pixel, mask, orientation, polarity,
    rate, refractory, region,
};
use saccade_rosbags::events::Geometry;

/// What the name `default` in a text stands for: the cheap and sure first, so that
/// what follows has less to do and is not fooled by it.
pub const DEFAULT: &str = "hot,background,refractory";

/// Most filters of a chain.
const MAX_FILTERS: usize = 32;
/// Longest side of a sensor whose pixels have a state each.
const MAX_SIDE: u16 = 8192;

/// How a filter is written, and what it does.
#[derive(Debug, Clone, Copy)]
pub struct FilterDoc {
    /// Its name.
    pub name: &'static str,
    /// How it is written; what stands in brackets may be left out.
    pub usage: &'static str,
    /// What it does.
    pub doc: &'static str,
}

macro_rules! filters {
    ($($name:literal, $usage:literal, $doc:literal;)*) => {
        /// Every filter.
        pub static FILTERS: &[FilterDoc] = &[$(FilterDoc {
            name: $name,
            usage: $usage,
            doc: $doc,
        },)*];
    };
}

filters! {
    "hot", "hot[=WINDOW[:RATE[:RATIO]]], as in hot=1s:100hz:5",
        "Hot pixels: silent from when a pixel fires, within a window, faster than the rate and ratio times as often as its neighbours do, until it has kept below the rate for a window.";
    "background", "background[=TIME], as in background=10ms",
        "Background activity: removes events of which none of the eight neighbours has had one within the time before.";
    "refractory", "refractory[=TIME], as in refractory=1ms",
        "Removes a pixel's events so soon after its last one that passed.";
    "roi", "roi=X:Y:WIDTHxHEIGHT, as in roi=10:20:100x80",
        "Keeps what is in the region; addresses stay.";
    "crop", "crop=X:Y:WIDTHxHEIGHT, as in crop=10:20:100x80",
        "Keeps what is in the region, which becomes the sensor.";
    "mask", "mask=X:Y[+X:Y...] or mask=FILE (a PNG of the sensor's size, black where events are removed, or lines of x and y)",
        "Removes the events of given pixels.";
    "decimate", "decimate=N, as in decimate=4",
        "Keeps each N-th event.";
    "subsample", "subsample=N, as in subsample=2",
        "Keeps each N-th pixel of each N-th row; addresses are divided by N.";
    "flip_x", "flip_x",
        "Left becomes right.";
    "flip_y", "flip_y",
        "Top becomes bottom.";
    "transpose", "transpose",
        "Columns become rows.";
    "polarity", "polarity=on, polarity=off or polarity=invert",
        "Keeps the events of one polarity, or exchanges them.";
    "arbiter", "arbiter[=MIN[:RATIO[:TIME]]], as in arbiter=160:4:10ms",
        "Artefacts of the row arbiter: removes the events of a row at one time stamp if they are so many (a quarter of its pixels) and so many times what a neighbouring row has had at once within the time. Holds the events of the last time stamp back until the next.";
    "rate", "rate=EVENTS_PER_SECOND[:TIME], as in rate=2M or rate=500k:1ms",
        "Lets no more events pass than a bucket holds that fills at this rate and overflows at what it takes in the time.";
}

/// A filter, read from its text and in range, before its geometry is known.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Spec {
    Hot(hot_pixel::Config),
    Background { us: u64 },
    Refractory { us: u64 },
    Roi(region::Region),
    Crop(region::Region),
    Mask(mask::Config),
    Decimate { n: u32 },
    Subsample { n: u16 },
    Orientation(orientation::Config),
    Polarity(polarity::Config),
    Arbiter(arbiter::Config),
    Rate(rate::Config),
}

impl Spec {
    fn parse(text: &str) -> Result<Self, FilterError> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name.trim(), Some(value.trim())),
            None => (text, None),
        };
        let Some(doc) = FILTERS.iter().find(|f| f.name == name) else {
            let known: Vec<_> = FILTERS.iter().map(|f| f.name).collect();
            return Err(FilterError::Unknown {
                name: name.to_owned(),
                known: known.join(", "),
            });
        };
        let mut values = Values::new(text, value, doc.usage);
        let spec = match name {
            "hot" => Spec::Hot(hot_pixel::Config::parse(&mut values)?),
            "background" => Spec::Background {
                us: values.microseconds(10_000)?,
            },
            "refractory" => Spec::Refractory {
                us: values.microseconds(1000)?,
            },
            "roi" => Spec::Roi(region::Region::parse(&mut values)?),
            "crop" => Spec::Crop(region::Region::parse(&mut values)?),
            "mask" => Spec::Mask(mask::Config::parse(&mut values)?),
            "decimate" => Spec::Decimate {
                n: values.number("each N-th", 1, 1_000_000, None)? as u32,
            },
            "subsample" => Spec::Subsample {
                n: values.number("each N-th", 1, MAX_SIDE.into(), None)? as u16,
            },
            "polarity" => Spec::Polarity(polarity::Config::parse(&mut values)?),
            "arbiter" => Spec::Arbiter(arbiter::Config::parse(&mut values)?),
            "rate" => Spec::Rate(rate::Config::parse(&mut values)?),
            _ => Spec::Orientation(orientation::Config::named(name)),
        };
        values.end()?;
        Ok(spec)
    }

    /// The filter's name.
    pub fn name(&self) -> &'static str {
        match self {
            Spec::Hot(_) => "hot",
            Spec::Background { .. } => "background",
            Spec::Refractory { .. } => "refractory",
            Spec::Roi(_) => "roi",
            Spec::Crop(_) => "crop",
            Spec::Mask(_) => "mask",
            Spec::Decimate { .. } => "decimate",
            Spec::Subsample { .. } => "subsample",
            Spec::Orientation(config) => config.name(),
            Spec::Polarity(_) => "polarity",
            Spec::Arbiter(_) => "arbiter",
            Spec::Rate(_) => "rate",
        }
    }

    /// The filter for events of this geometry.
    pub fn build(&self, geometry: Geometry) -> Result<Box<dyn Filter>, FilterError> {
        let every_pixel = matches!(
            self,
            Spec::Hot(_) | Spec::Background { .. } | Spec::Refractory { .. } | Spec::Mask(_)
        );
        if every_pixel && (geometry.width > MAX_SIDE || geometry.height > MAX_SIDE) {
            return Err(FilterError::TooManyPixels {
                written: self.name().to_owned(),
                sensor: geometry,
                limit: MAX_SIDE,
            });
        }
        Ok(match self {
            Spec::Hot(config) => Box::new(hot_pixel::HotPixel::new(*config, geometry)),
            Spec::Background { us } => Box::new(background::Background::new(*us, geometry)),
            Spec::Refractory { us } => Box::new(refractory::Refractory::new(*us, geometry)),
            Spec::Roi(region) => Box::new(region::Roi::new(region.checked("roi", geometry)?)),
            Spec::Crop(region) => Box::new(region::Crop::new(region.checked("crop", geometry)?)),
            Spec::Mask(config) => Box::new(mask::Mask::new(config, geometry)?),
            Spec::Decimate { n } => Box::new(decimate::Decimate::new(*n)),
            Spec::Subsample { n } => Box::new(decimate::Subsample::new(*n, geometry)),
            Spec::Orientation(config) => Box::new(orientation::Orientation::new(*config, geometry)),
            Spec::Polarity(config) => Box::new(*config),
            Spec::Arbiter(config) => Box::new(arbiter::Arbiter::new(*config, geometry)),
            Spec::Rate(config) => Box::new(rate::Rate::new(*config)),
        })
    }
}

/// A chain of filters, read from its text; the files it names have been read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ChainSpec(pub(super) Vec<Spec>);

impl ChainSpec {
    /// Reads `name=value,name,...`. An empty text is a chain without a filter;
    /// `default` stands for [`DEFAULT`].
    ///
    /// # Errors
    /// A name that no filter has, a value that cannot be read or is out of range,
    /// a mask that cannot be read.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        let mut specs = Vec::new();
        for part in text.split(',').map(str::trim) {
            match part {
                "" if text.trim().is_empty() => {}
                "default" => {
                    for part in DEFAULT.split(',') {
                        specs.push(Spec::parse(part)?);
                    }
                }
                part => specs.push(Spec::parse(part)?),
            }
            if specs.len() > MAX_FILTERS {
                return Err(FilterError::TooMany {
                    count: text.split(',').count(),
                    limit: MAX_FILTERS,
                });
            }
        }
        Ok(ChainSpec(specs))
    }
}

/// The values of a filter, separated by colons, as they are taken one by one.
pub(super) struct Values<'a> {
    written: &'a str,
    rest: Option<&'a str>,
    usage: &'static str,
}

impl<'a> Values<'a> {
    fn new(written: &'a str, rest: Option<&'a str>, usage: &'static str) -> Self {
        Values {
            written,
            rest,
            usage,
        }
    }

    /// An error about this filter.
    pub fn error(&self, why: impl Into<String>) -> FilterError {
        FilterError::Value {
            written: self.written.to_owned(),
            why: why.into(),
            usage: self.usage,
        }
    }

    /// All that is left, as it was written.
    pub fn whole(&mut self) -> Option<&'a str> {
        self.rest.take()
    }

    /// The next value.
    pub fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.take()?;
        match rest.split_once(':') {
            Some((value, rest)) => {
                self.rest = Some(rest);
                Some(value.trim())
            }
            None => Some(rest),
        }
    }

    fn end(&self) -> Result<(), FilterError> {
        match self.rest {
            None => Ok(()),
            Some(rest) => Err(self.error(format!("'{rest}' is too much"))),
        }
    }

    /// A whole number from `low` to `high`; without a default it must be there.
    pub fn number(
        &mut self,
        what: &str,
        low: u64,
        high: u64,
        default: Option<u64>,
    ) -> Result<u64, FilterError> {
        let Some(text) = self.next() else {
            return default.ok_or_else(|| self.error(format!("no value for {what}")));
        };
        let (digits, factor) = match text.as_bytes().last() {
            Some(b'k') => (&text[..text.len() - 1], 1000),
            Some(b'M') => (&text[..text.len() - 1], 1_000_000),
            _ => (text, 1),
        };
        let value = digits.parse::<u64>().ok();
        let value = value.and_then(|n| n.checked_mul(factor));
        match value {
            Some(n) if (low..=high).contains(&n) => Ok(n),
            Some(n) => Err(self.error(format!("{what} = {n} is outside {low} to {high}"))),
            None => Err(self.error(format!("{what} = '{text}' is not a whole number"))),
        }
    }

    /// A number with the suffix `hz`.
    pub fn hertz(&mut self, default: f64) -> Result<f64, FilterError> {
        let Some(text) = self.next() else {
            return Ok(default);
        };
        let lower = text.to_ascii_lowercase();
        match lower.strip_suffix("hz").map(str::parse::<f64>) {
            Some(Ok(rate)) if (0.001..=1e6).contains(&rate) => Ok(rate),
            _ => Err(self.error(format!(
                "rate '{text}' is not a number of hz from 0.001 to 1000000"
            ))),
        }
    }

    /// A time with its unit, from 1 us to 1000 s, in microseconds.
    pub fn microseconds(&mut self, default: u64) -> Result<u64, FilterError> {
        const UNITS: [(&str, f64); 4] = [("us", 1.0), ("µs", 1.0), ("ms", 1e3), ("s", 1e6)];
        let Some(text) = self.next() else {
            return Ok(default);
        };
        let with_unit = UNITS.iter().find_map(|(unit, us)| {
            let number = text.strip_suffix(unit)?.trim_end().parse::<f64>().ok()?;
            Some(number * us)
        });
        match with_unit {
            Some(us) if (1.0..=1e9).contains(&us) => Ok(us.round() as u64),
            Some(_) => Err(self.error(format!("time '{text}' is outside 1us to 1000s"))),
            None => Err(self.error(format!(
                "time '{text}' is not a number with one of the units us, ms, s"
            ))),
        }
    }
}
