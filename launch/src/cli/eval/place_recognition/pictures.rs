//! Dissimilarities, precision against recall, where the robot took itself to be, and what
//! it imagined.

use super::judge::{Condition, Judged};
use super::models::Fitted;
use super::sets::Set;
use crate::cli::CliError;
use crate::plots::{self, Heatmap, LineChart, Photo, Series};
use image::{Rgb, RgbImage};
use saccade_engine::models::place::retrieval::precision_recall;
use saccade_engine::models::place::{Pose, Senses};
use std::path::Path;

/// Samples that are imagined.
const IMAGINED: usize = 6;

/// All pictures but those of [`reconstructions`]; matrices and maps are of the first set.
pub fn write(sets: &[Set], judged: &[Vec<Judged>], folder: &Path) -> Result<(), CliError> {
    let Some(set) = sets.first() else {
        return Ok(());
    };
    plots::save(
        &pose_distances(set.test.poses()),
        &folder.join("dissimilarity_poses.png"),
    )?;
    for of_model in judged {
        let Some(first) = of_model.first() else {
            continue;
        };
        let file = format!("dissimilarity_{}.png", file_name(&first.name));
        plots::save(&dissimilarities(first), &folder.join(file))?;
        for condition in Condition::ALL {
            if let Some(map) = map(first, condition, set) {
                let file = format!("map_{}_{}.png", file_name(&first.name), word(condition));
                plots::save(&map, &folder.join(file))?;
            }
        }
    }
    for condition in Condition::ALL {
        if let Some(chart) = precision_recall_chart(judged, condition) {
            let file = format!("precision_recall_{}.png", word(condition));
            plots::save(&chart, &folder.join(file))?;
        }
    }
    Ok(())
}

fn file_name(name: &str) -> String {
    name.to_lowercase().replace(", ", "_").replace(' ', "_")
}

fn word(condition: Condition) -> String {
    file_name(condition.name())
}

fn pose_distances(poses: &[Pose]) -> Heatmap {
    let distances = poses
        .iter()
        .flat_map(|a| poses.iter().map(|b| a.distance(b)));
    Heatmap {
        title: "Pose distances".into(),
        caption: "test samples, in the order of the way; 0.3 |Δθ| + |Δxy|".into(),
        values: distances.collect(),
        columns: poses.len(),
    }
}

fn dissimilarities(judged: &Judged) -> Heatmap {
    let n = judged.among.rows();
    let rows = (0..n).flat_map(|i| judged.among.row(i));
    Heatmap {
        title: format!("Dissimilarities, {}", judged.name),
        caption: "test samples, in the order of the way; 1 - Pearson".into(),
        values: rows.map(|r| 1.0 - f64::from(*r)).collect(),
        columns: n,
    }
}

/// A curve for every model, over the queries of all sets together.
fn precision_recall_chart(judged: &[Vec<Judged>], condition: Condition) -> Option<LineChart> {
    let at = Condition::ALL.iter().position(|c| *c == condition)?;
    let mut series = Vec::new();
    for of_model in judged {
        let name = &of_model.first()?.name;
        let outcomes = of_model.iter().filter_map(|set| set.outcomes[at].as_ref());
        let matches: Vec<_> = outcomes.flat_map(|o| &o.matches).copied().collect();
        let curve = precision_recall(&matches);
        let name = format!("{name} ({:.2})", curve.area);
        series.push(Series::new(series.len(), name, curve.points));
    }
    let drawn = series.iter().any(|s| !s.points.is_empty());
    drawn.then(|| LineChart {
        title: format!("Precision against recall, {}", condition.name()),
        x_label: "recall".into(),
        y_label: "precision".into(),
        x_range: Some((0.0, 1.0)),
        y_range: Some((0.0, 1.05)),
        series,
        ..LineChart::default()
    })
}

/// The stored way, the way asked for, and a line from each pose to where the robot took
/// itself to be.
fn map(judged: &Judged, condition: Condition, set: &Set) -> Option<LineChart> {
    let at = Condition::ALL.iter().position(|c| *c == condition)?;
    let outcome = judged.outcomes[at].as_ref()?;
    let asked = condition.samples(set)?;
    let point = |p: &Pose| (p.x_m, p.y_m);
    let stored = set.train.poses();
    let pairs = asked.poses().iter().zip(&outcome.matches);
    let errors =
        pairs.flat_map(|(pose, m)| [point(pose), point(&stored[m.best]), (f64::NAN, f64::NAN)]);
    Some(LineChart {
        title: format!("{}, {}", judged.name, condition.name()),
        x_label: "x (m)".into(),
        y_label: "y (m)".into(),
        series: vec![
            Series::new(3, "stored", stored.iter().map(point).collect()),
            Series::new(0, "from true to estimated", errors.collect()),
            Series::new(1, "asked", asked.poses().iter().map(point).collect()),
        ],
        ..LineChart::default()
    })
}

/// What was seen at some test samples, and what a descriptor makes of it from both senses,
/// from vision and from touch. Nothing where its codes say nothing of images.
pub fn reconstructions(fitted: &mut Fitted, set: &Set, folder: &Path) -> Result<(), CliError> {
    let descriptor = &mut fitted.descriptor;
    let mut rows: Vec<Vec<Vec<f32>>> = vec![Vec::new(); 4];
    let step = set.test.len().div_ceil(IMAGINED);
    for i in (0..set.test.len()).step_by(step) {
        rows[0].push(set.test.visual(i).to_vec());
        for (k, senses) in [Senses::Both, Senses::Vision, Senses::Touch]
            .into_iter()
            .enumerate()
        {
            match descriptor.imagine(&set.test, i, senses)? {
                Some(image) => rows[k + 1].push(image),
                None => return Ok(()),
            }
        }
    }
    let photo = Photo {
        title: format!(
            "What is seen, and what it looks like to the {}",
            descriptor.name()
        ),
        caption: "seen; by both senses, by vision, by touch alone".into(),
        image: mosaic(&rows, set),
    };
    let file = format!("imagined_{}.png", file_name(descriptor.name()));
    Ok(plots::save(&photo, &folder.join(file))?)
}

/// Images in rows, each enlarged.
fn mosaic(rows: &[Vec<Vec<f32>>], set: &Set) -> RgbImage {
    const SCALE: usize = 2;
    const GAP: usize = 4;
    let image = set.image();
    let (width, height) = (SCALE * image.width + GAP, SCALE * image.height + GAP);
    let columns = rows.first().map_or(0, Vec::len);
    let size = ((columns * width) as u32, (rows.len() * height) as u32);
    RgbImage::from_fn(size.0, size.1, |x, y| {
        let (x, y) = (x as usize, y as usize);
        let pixel = (y % height / SCALE, x % width / SCALE);
        if pixel.0 >= image.height || pixel.1 >= image.width {
            return Rgb([255; 3]);
        }
        let values = &rows[y / height][x / width];
        let first = (pixel.0 * image.width + pixel.1) * image.colours;
        let level = |k: usize| {
            let at = first + k.min(image.colours - 1);
            let value = values.get(at).copied().unwrap_or_default();
            (255.0 * value.clamp(0.0, 1.0)).round() as u8
        };
        Rgb([0, 1, 2].map(level))
    })
}
