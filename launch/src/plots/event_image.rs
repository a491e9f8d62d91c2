//! Events summed into a picture.

use super::theme::{self, px};
use super::{Area, Draw, PlotError};
use image::RgbImage;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};
use saccade_msgs::Event;
use saccade_nodes::event_canvas::EventCanvas;

/// Events per pixel and polarity over some time, with a title.
#[derive(Debug, Clone)]
pub struct EventImage {
    /// Title.
    pub title: String,
    canvas: EventCanvas,
}

impl EventImage {
    /// An empty image of `width` x `height` pixels.
    ///
    /// # Errors
    /// A sensor without pixels or with absurdly many.
    pub fn new(title: impl Into<String>, width: u32, height: u32) -> Result<Self, PlotError> {
        let title = title.into();
        match EventCanvas::new(width, height) {
            Some(canvas) => Ok(EventImage { title, canvas }),
            None => Err(PlotError::Empty {
                title,
                reason: format!("a sensor of {width} x {height} pixels"),
            }),
        }
    }

    /// Adds events; those outside the sensor are counted apart.
    pub fn add(&mut self, events: impl IntoIterator<Item = Event>) {
        self.canvas.add(events);
    }

    /// Forgets all events.
    pub fn clear(&mut self) {
        self.canvas.clear();
    }

    /// One pixel a pixel: [`EventCanvas::rgb`].
    pub fn pixels(&self) -> RgbImage {
        let (width, height) = self.canvas.size();
        // The canvas has three bytes for each pixel.
        RgbImage::from_raw(width, height, self.canvas.rgb()).unwrap_or_default()
    }

    /// [`EventImage::pixels`], small sensors enlarged by a whole factor.
    pub fn enlarged(&self) -> RgbImage {
        let (width, height) = self.canvas.size();
        let factor = enlargement(width, height);
        image::imageops::resize(
            &self.pixels(),
            width * factor,
            height * factor,
            image::imageops::FilterType::Nearest,
        )
    }
}

/// By how much a picture of `width` x `height` pixels is enlarged to suit a screen.
fn enlargement(width: u32, height: u32) -> u32 {
    (900 / width.max(height).max(1)).max(1)
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
        let (width, height) = self.canvas.size();
        let factor = enlargement(width, height);
        let side = |n: u32| (n * factor).min(1400);
        ((side(width) + 28).max(420), side(height) + 70)
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), PlotError> {
        let (on, off) = self.canvas.counts();
        let (width, height) = self.canvas.size();
        let legend = [("ON".to_owned(), theme::ON), ("OFF".to_owned(), theme::OFF)];
        let rest = theme::frame(area, &self.title, &legend)?;
        let mut caption = format!("{width}×{height} pixels · {on} ON · {off} OFF events");
        let outside = self.canvas.outside();
        if outside > 0 {
            caption += &format!(" · {outside} outside the sensor");
        }
        place(&rest, &self.pixels(), &caption, true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::render;
    use super::*;

    #[test]
    fn an_image_is_drawn_and_an_absurd_sensor_refused() {
        let mut image = EventImage::new("e", 4, 3).expect("a sensor");
        let event = |x| Event {
            t_us: 0,
            x,
            y: 2,
            on: true,
        };
        image.add([event(1), event(4)]);
        let on = image.pixels().get_pixel(1, 2).0;
        assert_eq!(on, saccade_nodes::event_canvas::ON);
        assert_eq!(image.enlarged().dimensions(), (900, 675));
        assert!(render(&image).is_ok());
        assert!(EventImage::new("e", u32::MAX, u32::MAX).is_err());
    }
}
