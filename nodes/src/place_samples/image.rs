//! An image of any size as a sample sees it.

use super::{SampleError, VISUAL, VISUAL_SIZE};
use saccade_msgs::sensor_msgs::Image;

/// The longest side of an image that is taken.
const MOST_SIDE: u32 = 8192;

/// Bytes of a pixel and where red, green and blue are in it.
fn layout(encoding: &str) -> Option<(usize, [usize; 3])> {
    match encoding {
        "rgb8" => Some((3, [0, 1, 2])),
        "bgr8" => Some((3, [2, 1, 0])),
        "rgba8" => Some((4, [0, 1, 2])),
        "bgra8" => Some((4, [2, 1, 0])),
        "mono8" => Some((1, [0, 0, 0])),
        _ => None,
    }
}

/// Whether [`reduce`] can take it.
pub(super) fn check(image: &Image) -> Result<(), SampleError> {
    let wrong = |problem: String| SampleError::Image {
        width: image.width,
        height: image.height,
        encoding: image.encoding.clone(),
        step: image.step,
        bytes: image.data.len(),
        problem,
    };
    let Some((bytes, _)) = layout(&image.encoding) else {
        return Err(wrong(
            "this encoding is not known; publish rgb8, bgr8, rgba8, bgra8 or mono8".into(),
        ));
    };
    let side = |s: u32| (1..=MOST_SIDE).contains(&s);
    if !side(image.width) || !side(image.height) {
        return Err(wrong(format!("sides of 1 to {MOST_SIDE} are taken")));
    }
    let (step, row) = (image.step as usize, image.width as usize * bytes);
    if step < row {
        return Err(wrong(format!("a row has {row} bytes")));
    }
    let needed = step * (image.height as usize - 1) + row;
    if image.data.len() < needed {
        return Err(wrong(format!("that takes {needed} bytes")));
    }
    Ok(())
}

/// An image that [`super::Sampler::image`] has taken, averaged over areas to 80 x 45 pixels
/// whatever its own sides are, red, green and blue, each 0 to 1. Of any other: black.
pub fn reduce(image: &Image) -> Vec<f32> {
    let mut out = vec![0.0; VISUAL_SIZE];
    let (Ok(()), Some((bytes, colours))) = (check(image), layout(&image.encoding)) else {
        return out;
    };
    let [rows, columns, _] = VISUAL;
    let (down, across) = (
        shares(image.height as usize, rows),
        shares(image.width as usize, columns),
    );
    let mut line = vec![0.0; image.width as usize * 3];
    for (down, out) in down.iter().zip(out.chunks_exact_mut(columns * 3)) {
        line.fill(0.0);
        for (y, share) in down.shares() {
            let row = &image.data[y * image.step as usize..];
            for (sum, pixel) in line.chunks_exact_mut(3).zip(row.chunks(bytes)) {
                for (sum, colour) in sum.iter_mut().zip(colours) {
                    *sum += share * f32::from(pixel[colour]);
                }
            }
        }
        for (across, out) in across.iter().zip(out.chunks_exact_mut(3)) {
            for (x, share) in across.shares() {
                for (k, out) in out.iter_mut().enumerate() {
                    *out += share / 255.0 * line[3 * x + k];
                }
            }
        }
        out.iter_mut().for_each(|v| *v = v.clamp(0.0, 1.0));
    }
    out
}

/// How much pixels two apart must have in common, as a correlation. Of noise they have
/// nothing (0.00 with a deviation of 0.02 over so many pixels); of WhiskEye's arenas by day
/// and at dusk, the dullest wall included, 0.46 and more.
const IN_COMMON: f64 = 0.1;

/// Whether what [`reduce`] gave shows nothing: darkness, or a covered lens. That is not told
/// by its brightness, for cameras adapt, but by whether its pixels have anything to do with
/// those two rows and columns away (neighbours may be parts of one pixel of the camera).
pub fn shows_nothing(visual: &[f32]) -> bool {
    let [rows, columns, colours] = VISUAL;
    let grey: Vec<f64> = visual
        .chunks_exact(colours)
        .map(|pixel| pixel.iter().map(|&v| f64::from(v)).sum())
        .collect();
    if grey.len() != rows * columns {
        return true;
    }
    let mean = grey.iter().sum::<f64>() / grey.len() as f64;
    let at = |y: usize, x: usize| grey[y * columns + x] - mean;
    let (mut in_common, mut pairs, mut variance) = (0.0, 0_u32, 0.0);
    for y in 0..rows {
        for x in 0..columns {
            variance += at(y, x).powi(2) / grey.len() as f64;
            if x >= 2 {
                in_common += at(y, x) * at(y, x - 2);
                pairs += 1;
            }
            if y >= 2 {
                in_common += at(y, x) * at(y - 2, x);
                pairs += 1;
            }
        }
    }
    // What rounding leaves of an even image is no variance.
    variance < 1e-9 || in_common / f64::from(pairs) < IN_COMMON * variance
}

/// A stretch of pixels, the first and the last of which may be in it by a part.
struct Stretch {
    first: usize,
    from: f32,
    to: f32,
    last: usize,
}

impl Stretch {
    /// Its pixels and which share of the stretch each is.
    fn shares(&self) -> impl Iterator<Item = (usize, f32)> {
        let length = self.to - self.from;
        (self.first..=self.last).map(move |i| {
            let part = self.to.min(i as f32 + 1.0) - self.from.max(i as f32);
            (i, part / length)
        })
    }
}

/// `size` pixels in `count` equal stretches.
fn shares(size: usize, count: usize) -> Vec<Stretch> {
    let stretch = |i: usize| {
        // In whole numbers, so that ends that fall on pixels' edges do.
        let (first, end) = (i * size / count, ((i + 1) * size).div_ceil(count));
        Stretch {
            first,
            from: (i * size) as f32 / count as f32,
            to: ((i + 1) * size) as f32 / count as f32,
            last: end - 1,
        }
    };
    (0..count).map(stretch).collect()
}
