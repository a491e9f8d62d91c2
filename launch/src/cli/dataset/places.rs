//! `saccade dataset places`: what recordings of a robot that sees and feels hold.

use crate::cli::{CliResult, Exit, print_json, print_line};
use saccade_engine::models::place::Samples;
use saccade_nodes::place_samples::{Counts, Topics, read};
use saccade_nodes::whisk::contact;
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Side of the squares in which places are counted, m.
const SQUARE_M: f64 = 0.5;

#[derive(Serialize)]
struct Places {
    file: String,
    samples: usize,
    #[serde(flatten)]
    counts: Counts,
    /// Least and largest x and y, m.
    x_m: [f64; 2],
    y_m: [f64; 2],
    /// Squares of half a metre that were visited.
    squares: usize,
    /// Way from sample to sample, m.
    way_m: f64,
    /// Part of the samples in which a whisker touches something.
    touching: f64,
    /// Mean of all that was seen, 0 to 1.
    brightness: f64,
}

/// Runs `saccade dataset places`.
pub(super) fn run(files: &[PathBuf], json: bool) -> CliResult {
    let mut all = Vec::new();
    for file in files {
        let (samples, counts) = read(file, &Topics::default())?;
        all.push(Places::of(file, &samples, counts));
    }
    let lost = all.iter().any(|p| p.counts.refused > 0);
    if json {
        print_json(&all)?;
    } else {
        for places in &all {
            print_line(places.text())?;
        }
    }
    Ok(if lost { Exit::LostData } else { Exit::Success })
}

impl Places {
    fn of(file: &Path, samples: &Samples, counts: Counts) -> Self {
        let poses = samples.poses();
        let range = |of: fn(&saccade_engine::models::place::Pose) -> f64| {
            let values = poses.iter().map(of);
            let ends = values.fold([f64::INFINITY, f64::NEG_INFINITY], |[a, b], v| {
                [a.min(v), b.max(v)]
            });
            if poses.is_empty() { [0.0; 2] } else { ends }
        };
        let square = |v: f64| (v / SQUARE_M).floor() as i64;
        let squares: BTreeSet<_> = poses
            .iter()
            .map(|p| (square(p.x_m), square(p.y_m)))
            .collect();
        let n = samples.len().max(1) as f64;
        let touches = |i: &usize| {
            let tactile = samples.tactile(*i);
            let deflections = &tactile[tactile.len() / 3..];
            // Whiskers that drew back from a contact feel nothing any more; they stay behind.
            let angles = &tactile[..tactile.len() / 3];
            let farthest = angles.iter().copied().fold(f32::MIN, f32::max);
            deflections
                .chunks_exact(2)
                .any(|xy| contact(xy[0], xy[1]) > 0.0)
                || angles.iter().any(|a| farthest - a > 0.2)
        };
        let light = |i: usize| samples.visual(i).iter().map(|v| f64::from(*v)).sum::<f64>();
        Places {
            file: file.display().to_string(),
            samples: samples.len(),
            counts,
            x_m: range(|p| p.x_m),
            y_m: range(|p| p.y_m),
            squares: squares.len(),
            way_m: poses.windows(2).map(|w| w[0].metres(&w[1])).sum(),
            touching: (0..samples.len()).filter(touches).count() as f64 / n,
            brightness: (0..samples.len()).map(light).sum::<f64>()
                / n
                / samples.sizes().0.max(1) as f64,
        }
    }

    fn text(&self) -> String {
        let counts = &self.counts;
        format!(
            "{}\nsamples      {} of {} whisks ({} without image, {} without touch, {} without pose; {} messages refused)\n\
             places       x {:.2} to {:.2} m, y {:.2} to {:.2} m, {} squares of {SQUARE_M} m, way {:.1} m\n\
             senses       {:.0} % of the samples touch something, mean brightness {:.3}",
            self.file,
            self.samples,
            counts.whisks,
            counts.unseen,
            counts.unfelt,
            counts.without_pose,
            counts.refused,
            self.x_m[0],
            self.x_m[1],
            self.y_m[0],
            self.y_m[1],
            self.squares,
            self.way_m,
            100.0 * self.touching,
            self.brightness
        )
    }
}
