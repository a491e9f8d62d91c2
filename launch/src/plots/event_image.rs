//! Events summed into a picture.

use super::theme::{self, px};
use super::{Area, Draw, PlotError};
use image::{Rgb, RgbImage};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use saccade_msgs::Event;

/// Events per pixel and polarity over some time.
#[derive(Debug, Clone)]
pub struct EventImage {
    /// Title.
    pub title: String,
    width: u32,
    height: u32,
    on: Vec<u32>,
    off: Vec<u32>,
    outside: u64,
}

/// Pixels of the largest sensor there is, several times over; a header that
/// claims more is not believed.
const MAX_PIXELS: u64 = 1 << 26;

impl EventImage {
    /// An empty image of `width` x `height` pixels.
    ///
    /// # Errors
    /// A sensor without pixels or with absurdly many.
    pub fn new(title: impl Into<String>, width: u32, height: u32) -> Result<Self, PlotError> {
        let title = title.into();
        let pixels = u64::from(width) * u64::from(height);
        if pixels == 0 || pixels > MAX_PIXELS {
            return Err(PlotError::Empty {
                title,
                reason: format!("a sensor of {width} x {height} pixels"),
            });
        }
        let empty = vec![0; pixels as usize];
        Ok(EventImage {
            title,
            width,
            height,
            on: empty.clone(),
            off: empty,
            outside: 0,
        })
    }

    /// Adds events; those outside the sensor are counted apart.
    pub fn add(&mut self, events: impl IntoIterator<Item = Event>) {
        for e in events {
            let (x, y) = (u32::from(e.x), u32::from(e.y));
            if x >= self.width || y >= self.height {
                self.outside += 1;
                continue;
            }
            let counts = if e.on { &mut self.on } else { &mut self.off };
            counts[(y * self.width + x) as usize] += 1;
        }
    }

    /// Forgets all events.
    pub fn clear(&mut self) {
        self.on.fill(0);
        self.off.fill(0);
        self.outside = 0;
    }

    /// Number of (ON, OFF) events in it.
    pub fn counts(&self) -> (u64, u64) {
        let sum = |c: &[u32]| c.iter().map(|&n| u64::from(n)).sum();
        (sum(&self.on), sum(&self.off))
    }

    /// Events that lay outside the sensor.
    pub fn outside(&self) -> u64 {
        self.outside
    }

    /// [`EventImage::pixels`], small sensors enlarged by a whole factor.
    pub fn enlarged(&self) -> RgbImage {
        let factor = enlargement(self.width, self.height);
        let (width, height) = (self.width * factor, self.height * factor);
        image::imageops::resize(
            &self.pixels(),
            width,
            height,
            image::imageops::FilterType::Nearest,
        )
    }

    /// One pixel a pixel: dark where nothing happened, ON and OFF in their
    /// colours and mixed where both occurred, brighter (logarithmically) where
    /// there were more.
    pub fn pixels(&self) -> RgbImage {
        let most = self
            .on
            .iter()
            .zip(&self.off)
            .map(|(a, b)| a.saturating_add(*b));
        // A few hot pixels must not darken the rest.
        let full = (robust_maximum(most) + 1.0).ln();
        let mut image = RgbImage::new(self.width, self.height);
        for (pixel, (&on, &off)) in image.pixels_mut().zip(self.on.iter().zip(&self.off)) {
            let total = f64::from(on) + f64::from(off);
            let strength = if total == 0.0 {
                0.0
            } else {
                0.15 + 0.85 * ((total + 1.0).ln() / full).min(1.0)
            };
            let share = if total == 0.0 {
                0.0
            } else {
                f64::from(on) / total
            };
            *pixel = mix(strength, share);
        }
        image
    }
}

/// By how much a picture of `width` x `height` pixels is enlarged to suit a screen.
fn enlargement(width: u32, height: u32) -> u32 {
    (900 / width.max(height).max(1)).max(1)
}

/// The 99.5th percentile of the pixels with events.
fn robust_maximum(counts: impl Iterator<Item = u32>) -> f64 {
    let mut active: Vec<u32> = counts.filter(|&n| n > 0).collect();
    if active.is_empty() {
        return 1.0;
    }
    let index = (active.len() - 1) * 995 / 1000;
    f64::from(*active.select_nth_unstable(index).1)
}

fn mix(strength: f64, on_share: f64) -> Rgb<u8> {
    let channel = |night: u8, on: u8, off: u8| {
        let color = f64::from(on) * on_share + f64::from(off) * (1.0 - on_share);
        (f64::from(night) + (color - f64::from(night)) * strength).round() as u8
    };
    Rgb([
        channel(theme::NIGHT.0, theme::ON.0, theme::OFF.0),
        channel(theme::NIGHT.1, theme::ON.1, theme::OFF.1),
        channel(theme::NIGHT.2, theme::ON.2, theme::OFF.2),
    ])
}

/// Draws `image` as large as fits into `area`, centred at its top, and writes
/// `caption` below it. `sharp` keeps pixels square instead of smoothing.
pub(super) fn place(
    area: &Area<'_>,
    image: &RgbImage,
    caption: &str,
    sharp: bool,
) -> Result<(), PlotError> {
    let (width, height) = area.dim_in_pixel();
    let (room_w, room_h) = (width as i32 - px(28), height as i32 - px(34));
    let ratio = (f64::from(room_w) / f64::from(image.width()))
        .min(f64::from(room_h) / f64::from(image.height()));
    let w = (f64::from(image.width()) * ratio) as u32;
    let h = (f64::from(image.height()) * ratio) as u32;
    if room_w <= 0 || room_h <= 0 || w == 0 || h == 0 {
        return Err(PlotError::Empty {
            title: caption.to_owned(),
            reason: "no room for the picture".into(),
        });
    }
    let filter = match sharp {
        true => image::imageops::FilterType::Nearest,
        false => image::imageops::FilterType::Triangle,
    };
    let scaled = image::imageops::resize(image, w, h, filter);
    let corner = (width as i32 - w as i32) / 2;
    for (x, y, pixel) in scaled.enumerate_pixels() {
        let [r, g, b] = pixel.0;
        area.draw_pixel((corner + x as i32, y as i32), &RGBColor(r, g, b))
            .map_err(|e| PlotError::drawing(caption, e))?;
    }
    let style = theme::anchored(theme::colored(12, theme::FAINT), HPos::Center, VPos::Center);
    theme::write(area, caption, &style, (width as i32 / 2, h as i32 + px(15)))
}

impl Draw for EventImage {
    fn size(&self) -> (u32, u32) {
        let factor = enlargement(self.width, self.height);
        let side = |n: u32| (n * factor).min(1400);
        ((side(self.width) + 28).max(420), side(self.height) + 70)
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), PlotError> {
        let (on, off) = self.counts();
        let legend = [("ON".to_owned(), theme::ON), ("OFF".to_owned(), theme::OFF)];
        let rest = theme::frame(area, &self.title, &legend)?;
        let mut caption = format!(
            "{}×{} pixels · {on} ON · {off} OFF events",
            self.width, self.height
        );
        if self.outside > 0 {
            caption += &format!(" · {} outside the sensor", self.outside);
        }
        place(&rest, &self.pixels(), &caption, true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::render;
    use super::*;

    fn event(x: u16, y: u16, on: bool) -> Event {
        Event { t_us: 0, x, y, on }
    }

    #[test]
    fn events_land_on_their_pixels_in_their_colours() {
        let mut image = EventImage::new("e", 4, 3).expect("a sensor");
        image.add([event(1, 2, true), event(3, 0, false), event(4, 0, true)]);
        assert_eq!((image.counts(), image.outside()), ((1, 1), 1));
        let pixels = image.pixels();
        let bright = |c: RGBColor| Rgb([c.0, c.1, c.2]);
        assert_eq!(*pixels.get_pixel(1, 2), bright(theme::ON));
        assert_eq!(*pixels.get_pixel(3, 0), bright(theme::OFF));
        assert_eq!(*pixels.get_pixel(0, 0), bright(theme::NIGHT));
        assert!(render(&image).is_ok());
    }

    #[test]
    fn an_absurd_sensor_is_refused_without_allocating() {
        assert!(EventImage::new("e", 0, 5).is_err());
        assert!(EventImage::new("e", u32::MAX, u32::MAX).is_err());
    }
}
