//! What can be wrong with a chain of filters.

use saccade_rosbags::events::Geometry;

/// Why there is no such chain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// No filter has this name.
    #[error(
        "no filter '{name}'; there are: {known}. Filters are written as name or name=value, with commas between them"
    )]
    Unknown {
        /// What was written.
        name: String,
        /// What there is.
        known: String,
    },
    /// A filter's value cannot be read, or is out of range.
    #[error("filter '{written}': {why}; write {usage}")]
    Value {
        /// The filter as it was written.
        written: String,
        /// What is wrong.
        why: String,
        /// How it is written.
        usage: &'static str,
    },
    /// A region or pixel is not on the sensor.
    #[error(
        "filter '{written}' reaches to column {column}, row {row}, but the sensor, or what the filters before leave of it, is {}x{}",
        .sensor.width, .sensor.height
    )]
    OutsideSensor {
        /// The filter as it was written.
        written: String,
        /// Last column it names.
        column: u32,
        /// Last row it names.
        row: u32,
        /// What the filter is given.
        sensor: Geometry,
    },
    /// A mask of another size.
    #[error(
        "filter '{written}': the image is {width}x{height}, but the sensor, or what the filters before leave of it, is {}x{}",
        .sensor.width, .sensor.height
    )]
    MaskSize {
        /// The filter as it was written.
        written: String,
        /// Columns of the image.
        width: u32,
        /// Rows of the image.
        height: u32,
        /// What the filter is given.
        sensor: Geometry,
    },
    /// A filter that remembers every pixel, before too many of them.
    #[error(
        "filter '{written}' keeps a state for every pixel, of {}x{} at most {limit}x{limit}: give the sensor's true size, or crop first",
        .sensor.width, .sensor.height
    )]
    TooManyPixels {
        /// The filter as it was written.
        written: String,
        /// What the filter is given.
        sensor: Geometry,
        /// The longest side.
        limit: u16,
    },
    /// A mask that cannot be read.
    #[error("mask {path}: {why}")]
    File {
        /// The file.
        path: String,
        /// What is wrong, and where.
        why: String,
    },
    /// Too many filters.
    #[error("a chain of {count} filters; at most {limit} are useful")]
    TooMany {
        /// How many.
        count: usize,
        /// How many there may be.
        limit: usize,
    },
}
