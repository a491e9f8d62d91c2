//! The report folder of a run: `index.html` to look at, `report.json` to
//! compute with, and a folder of pictures for some trials.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use saccade_launch::report::{Collector, Run, write};
//! let collector = Collector::default();
//! // hand `collector.observer()` to the host and run it
//! let run = Run { title: "Grasping".into(), ..Run::default() };
//! let page = write("report".as_ref(), &run, &collector.take())?;
//! # Ok(())
//! # }
//! ```

mod collector;
mod html;
mod journeys;
mod pictures;
mod summary;

pub use collector::{Collector, Detail, Seen};
pub use journeys::{Journey, JourneySummary, Journeys, Track};
pub use summary::{Rate, Summary, Trial};

use crate::plots::{self, Confusion, Draw, PlotError};
use html::Pictured;
use saccade_nodes::host::RunReport;
use saccade_rosbags::write_atomic;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A picture failed.
    #[error(transparent)]
    Plot(#[from] PlotError),
    /// A file could not be written.
    #[error("writing {path}: {source}; is the folder writable and the disk not full?", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The figures could not be put into JSON.
    #[error("report.json: {0}")]
    Json(#[from] serde_json::Error),
}

/// How the run came about; goes into the report as it is.
#[derive(Debug, Default, Serialize)]
pub struct Run {
    /// Headline.
    pub title: String,
    /// The command line.
    pub command: String,
    /// `saccade`'s version.
    pub version: String,
    /// Commit of the sources, where it is known.
    pub commit: Option<String>,
    /// Arguments and other facts by name, in order; seeds are among them.
    pub arguments: Vec<(String, String)>,
    /// The recording, relative to the report's folder where it lies in it.
    pub recording: Option<String>,
    /// What the host says of the run.
    pub host: Option<RunReport>,
}

impl Run {
    /// Name and value of what is known, for people.
    fn facts(&self) -> Vec<(String, String)> {
        let mut facts = vec![
            ("command".to_owned(), self.command.clone()),
            ("version".to_owned(), self.version.clone()),
            (
                "commit".to_owned(),
                self.commit.clone().unwrap_or_else(|| "unknown".into()),
            ),
        ];
        facts.extend(self.arguments.iter().cloned());
        facts.extend(
            self.recording
                .iter()
                .map(|r| ("recording".to_owned(), r.clone())),
        );
        if let Some(host) = &self.host {
            let ratio = if host.wall_s > 0.0 {
                host.sim_s / host.wall_s
            } else {
                0.0
            };
            let dropped: u64 = host.dropped.values().sum();
            facts.extend([
                ("ended".to_owned(), host.ended.clone()),
                (
                    "time".to_owned(),
                    format!(
                        "{:.1} s in {:.1} s of wall time, {ratio:.2} x real time",
                        host.sim_s, host.wall_s
                    ),
                ),
                ("messages dropped".to_owned(), dropped.to_string()),
            ]);
        }
        facts
    }
}

#[derive(Serialize)]
struct Document<'a> {
    run: &'a Run,
    summary: &'a Summary,
    trials: &'a [Trial],
    pictures: Vec<(u32, String)>,
    journey_summary: Option<&'a JourneySummary>,
    journeys: &'a [Journey],
}

/// Writes the report into `folder` and returns the path of its page. Files
/// appear whole or not at all, the page and `report.json` last.
///
/// # Errors
/// A picture cannot be drawn or a file cannot be written.
pub fn write(folder: &Path, run: &Run, seen: &Seen) -> Result<PathBuf, ReportError> {
    let summary = Summary::new(&seen.trials);
    remove_pictures(folder);
    if !seen.trials.is_empty() {
        let picture = confusion(summary.classes.clone(), summary.confusion.clone());
        plots::save(&picture, &folder.join("confusion.png"))?;
    }
    let mut pictured = Vec::new();
    for detail in &seen.details {
        if let Some(trial) = &detail.trial {
            pictured.push(write_trial(folder, detail, trial)?);
        }
    }
    let journeys = JourneySummary::new(&seen.journeys.results);
    let tracks = write_tracks(folder, &seen.journeys.tracks)?;
    let document = Document {
        run,
        summary: &summary,
        trials: &seen.trials,
        pictures: pictured
            .iter()
            .map(|p| (p.trial.trial, p.folder.clone()))
            .collect(),
        journey_summary: journeys.as_ref(),
        journeys: &seen.journeys.results,
    };
    let json = serde_json::to_vec_pretty(&document)?;
    write_file(&folder.join("report.json"), &json)?;
    let page = folder.join("index.html");
    let html = match &journeys {
        Some(journeys) => html::journeys(run, journeys, &seen.journeys.results, &tracks),
        None => html::page(run, &summary, &seen.trials, &pictured),
    };
    write_file(&page, html.as_bytes())?;
    Ok(page)
}

/// Draws the tracks; names of the files.
fn write_tracks(folder: &Path, tracks: &[Track]) -> Result<Vec<String>, ReportError> {
    let mut names = Vec::new();
    for track in tracks {
        let Some(journey) = &track.journey else {
            continue;
        };
        let verdict = if journey.success { "home" } else { "failure" };
        let name = format!("journey_{:04}_{verdict}.png", journey.journey);
        plots::save(&track.chart(), &folder.join(&name))?;
        names.push(name);
    }
    Ok(names)
}

/// Removes the pictures of an earlier report in this folder, those that its
/// `report.json` lists and nothing else.
fn remove_pictures(folder: &Path) {
    let Ok(text) = std::fs::read(folder.join("report.json")) else {
        return;
    };
    let old: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
    let pictures = old["pictures"].as_array().map_or(&[][..], Vec::as_slice);
    for name in pictures.iter().filter_map(|p| p[1].as_str()) {
        if name.starts_with("trial_") && !name.contains(['/', '\\']) {
            // What cannot be removed stays: the new page does not show it.
            let _ = std::fs::remove_dir_all(folder.join(name));
        }
    }
}

/// The confusion matrix of a run.
pub fn confusion(classes: Vec<String>, counts: Vec<Vec<u64>>) -> Confusion {
    Confusion {
        title: "Decisions by what lay there".into(),
        classes,
        counts,
    }
}

fn write_trial(folder: &Path, detail: &Detail, trial: &Trial) -> Result<Pictured, ReportError> {
    let verdict = if trial.success { "success" } else { "failure" };
    let name = format!("trial_{:04}_{}_{verdict}", trial.trial, trial.truth);
    let at = folder.join(&name);
    let overview = pictures::overview(detail, trial);
    let mut names = Vec::new();
    let mut save = |picture: Option<&dyn DynDraw>, name: &str| -> Result<(), PlotError> {
        if let Some(picture) = picture {
            picture.save(&at.join(name))?;
            names.push(name.to_owned());
        }
        Ok(())
    };
    save(Some(&overview), "overview.png")?;
    save(
        overview.before.as_ref().map(|p| p as _),
        "camera_before.png",
    )?;
    save(overview.after.as_ref().map(|p| p as _), "camera_after.png")?;
    save(overview.events.as_ref().map(|p| p as _), "events.png")?;
    save(overview.raster.as_ref().map(|p| p as _), "raster.png")?;
    save(overview.evidence.as_ref().map(|p| p as _), "evidence.png")?;
    save(overview.arm.as_ref().map(|p| p as _), "arm.png")?;
    Ok(Pictured {
        trial: trial.clone(),
        folder: name,
        pictures: names,
    })
}

/// Any picture, to save several kinds in a row.
trait DynDraw {
    fn save(&self, path: &Path) -> Result<(), PlotError>;
}

impl<T: Draw> DynDraw for T {
    fn save(&self, path: &Path) -> Result<(), PlotError> {
        plots::save(self, path)
    }
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), ReportError> {
    write_atomic(path, bytes).map_err(|source| ReportError::Write {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_holds_every_trial_and_pictures_of_some() {
        let folder = tempfile::tempdir().expect("a folder");
        let collector = Collector::default();
        collector::tests::play(&collector, 1_000_000_000, "ball", true);
        collector::tests::play(&collector, 4_000_000_000, "ball", true);
        let run = Run {
            title: "<b>".into(),
            command: "saccade launch".into(),
            ..Run::default()
        };
        let page = write(folder.path(), &run, &collector.take()).expect("written");
        let html = std::fs::read_to_string(page).expect("the page");
        assert!(html.contains("<h1>&lt;b&gt;</h1>"), "titles are escaped");
        let json = std::fs::read(folder.path().join("report.json")).expect("report.json");
        let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
        assert_eq!(json["trials"].as_array().map(Vec::len), Some(2));
        assert_eq!(json["summary"]["grasped"]["successes"], 2);
        let pictures = folder.path().join("trial_0000_ball_success");
        for name in [
            "overview",
            "camera_before",
            "camera_after",
            "events",
            "raster",
            "evidence",
            "arm",
        ] {
            let path = pictures.join(format!("{name}.png"));
            image::open(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        }
        let left = std::fs::read_dir(&pictures).expect("folder").count();
        assert_eq!(left, 7, "no temporary file is left");
        write(folder.path(), &run, &Seen::default()).expect("written again");
        assert!(!pictures.exists(), "pictures of the report before are gone");
    }

    #[test]
    fn a_run_without_trials_has_a_report_too() {
        let folder = tempfile::tempdir().expect("a folder");
        write(folder.path(), &Run::default(), &Seen::default()).expect("written");
        assert!(folder.path().join("index.html").exists());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let error = write(&file.path().join("x"), &Run::default(), &Seen::default())
            .expect_err("a file is no folder");
        assert!(error.to_string().contains("report.json"), "{error}");
    }
}
