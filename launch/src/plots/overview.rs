//! One page that shows a trial: what the robot saw, what the network did with
//! it and what the arm did.

use super::event_image::place;
use super::theme::{self, px};
use super::{Area, Draw, EventImage, LineChart, PlotError, Raster};
use image::RgbImage;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, VPos};

/// A camera picture with a title and a line below.
#[derive(Debug, Clone)]
pub struct Photo {
    /// Title.
    pub title: String,
    /// Line below.
    pub caption: String,
    /// Pixels.
    pub image: RgbImage,
}

impl Draw for Photo {
    fn size(&self) -> (u32, u32) {
        (self.image.width() + 28, self.image.height() + 70)
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), PlotError> {
        let rest = theme::frame(area, &self.title, &[])?;
        place(&rest, &self.image, &self.caption, false)
    }
}

/// The page. Whatever is absent leaves its place empty and says so.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// Headline.
    pub title: String,
    /// One line below it.
    pub subtitle: String,
    /// Whether the trial went well; colours the bar beside the headline.
    pub success: bool,
    /// Camera at the start.
    pub before: Option<Photo>,
    /// Camera while the object is held.
    pub after: Option<Photo>,
    /// Events of the saccade.
    pub events: Option<EventImage>,
    /// Spikes of the classifier's hidden neurons.
    pub raster: Option<Raster>,
    /// Class evidence over time.
    pub evidence: Option<LineChart>,
    /// Joint positions over time.
    pub arm: Option<LineChart>,
}

impl Draw for Overview {
    fn size(&self) -> (u32, u32) {
        (1560, 1300)
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), PlotError> {
        let (width, _) = area.dim_in_pixel();
        let (head, body) = area.split_vertically(px(78));
        let bar = if self.success {
            theme::SERIES[2]
        } else {
            theme::SERIES[0]
        };
        theme::fill(&head, (px(14), px(14)), (px(20), px(66)), bar.filled())?;
        let style = theme::anchored(theme::bold(26), HPos::Left, VPos::Center);
        theme::write(&head, &self.title, &style, (px(34), px(28)))?;
        let style = theme::anchored(theme::colored(15, theme::FAINT), HPos::Left, VPos::Center);
        theme::write(&head, &self.subtitle, &style, (px(34), px(56)))?;

        let (pictures, rest) = body.split_vertically(px(420));
        let third = width as i32 / 3;
        let (first, others) = pictures.split_horizontally(third);
        let (second, last) = others.split_horizontally(third);
        optional(&first, "Head camera before", self.before.as_ref())?;
        optional(&second, "Events of the saccade", self.events.as_ref())?;
        optional(&last, "Head camera at the grasp", self.after.as_ref())?;
        let (network, arm) = rest.split_vertically(px(430));
        let (left, right) = network.split_horizontally(width as i32 * 11 / 20);
        optional(&left, "Spikes of the hidden neurons", self.raster.as_ref())?;
        optional(&right, "Class evidence", self.evidence.as_ref())?;
        optional(&arm, "Arm", self.arm.as_ref())
    }
}

fn optional(area: &Area<'_>, title: &str, picture: Option<&impl Draw>) -> Result<(), PlotError> {
    if let Some(picture) = picture {
        return picture.draw(area);
    }
    let rest = theme::frame(area, title, &[])?;
    let style = theme::anchored(theme::colored(14, theme::FAINT), HPos::Left, VPos::Center);
    theme::write(&rest, "nothing recorded", &style, (px(14), px(14)))
}

#[cfg(test)]
mod tests {
    use super::super::render;
    use super::*;

    #[test]
    fn a_page_without_data_still_has_its_size() {
        let page = Overview {
            title: "Trial 1".into(),
            ..Default::default()
        };
        let image = render(&page).expect("draws");
        assert_eq!(image.dimensions(), page.size());
        assert!(
            image.pixels().any(|p| p.0[0] < 100),
            "the headline is there"
        );
    }
}
