//! `saccade dataset`: labelled microsaccades, and samples of places.

mod places;

use super::{CliError, CliResult, Exit, print_json, print_line};
use crate::dataset::{Made, Plan, make, saccade_text};
use indicatif::{ProgressBar, ProgressStyle};
use saccade_msgs::CLASSES;
use saccade_rosbags::dataset::Dataset;
use saccade_worlds::scenario::Split;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Arguments of `saccade dataset`.
#[derive(Debug, clap::Args)]
pub struct DatasetArgs {
    #[command(subcommand)]
    command: DatasetCommand,
}

#[derive(Debug, clap::Subcommand)]
enum DatasetCommand {
    /// Record labelled microsaccades over random scenes of a world.
    Make(MakeArgs),
    /// What recordings of `launch/place_recognition.launch.xml` hold: samples of places, one per
    /// whisk, with what was left out.
    Places {
        /// Recordings (.bag, .mcap, .db3 or a rosbag2 folder).
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// One JSON document on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Samples, classes, events and fingerprint of a data set.
    Info {
        /// The data set (.bag, .mcap or .db3).
        file: PathBuf,
        /// One JSON document on stdout.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
struct MakeArgs {
    /// World file.
    #[arg(long, default_value = "worlds/grasp_table.sdf")]
    world: PathBuf,
    /// Samples of each class.
    #[arg(long, default_value_t = 50)]
    per_class: usize,
    /// Classes, in the order of their scenes. Others than these four, a `mug` for instance,
    /// are for teaching a robot that runs (`saccade eval live-class`).
    #[arg(long, value_delimiter = ',', default_values_t = CLASSES.map(str::to_owned))]
    classes: Vec<String>,
    /// Sizes and table textures: `train` and `test` have none in common.
    #[arg(long, value_enum, default_value_t = SplitName::Train)]
    split: SplitName,
    /// Seed of the scenes and of the camera's noise.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where to write: .bag is a ROS 1 bag, .mcap a ROS 2 one. May be given
    /// several times.
    #[arg(long, short, required = true)]
    out: Vec<PathBuf>,
    /// Threads; the result does not depend on it. Default: all cores.
    #[arg(long)]
    threads: Option<usize>,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum SplitName {
    Train,
    Test,
    Any,
}

/// Runs `saccade dataset`.
///
/// # Errors
/// The world or the data set cannot be read, or writing fails.
pub fn run(args: DatasetArgs) -> CliResult {
    match args.command {
        DatasetCommand::Make(args) => run_make(&args),
        DatasetCommand::Places { files, json } => places::run(&files, json),
        DatasetCommand::Info { file, json } => {
            let info = DatasetInfo::read(&file)?;
            if json {
                print_json(&info)?;
            } else {
                print_line(info.text())?;
            }
            Ok(Exit::Success)
        }
    }
}

#[derive(Serialize)]
struct MadeDocument {
    files: Vec<PathBuf>,
    saccade: String,
    #[serde(flatten)]
    made: Made,
}

fn run_make(args: &MakeArgs) -> CliResult {
    for out in &args.out {
        if !matches!(
            out.extension().and_then(|e| e.to_str()),
            Some("bag" | "mcap")
        ) {
            return Err(CliError::usage(format!(
                "--out {}: the name must end in .bag (ROS 1) or .mcap (ROS 2)",
                out.display()
            )));
        }
    }
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let plan = Plan {
        world: args.world.clone(),
        per_class: args.per_class,
        classes: args.classes.clone(),
        split: match args.split {
            SplitName::Train => Split::Train,
            SplitName::Test => Split::Test,
            SplitName::Any => Split::Any,
        },
        seed: args.seed,
        threads: args.threads.unwrap_or_else(cores),
    };
    let bar = ProgressBar::new((plan.per_class.saturating_mul(plan.classes.len())) as u64);
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} scenes, {eta} left");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let made = make(&plan, &args.out, || bar.inc(1))?;
    bar.finish_and_clear();
    let document = MadeDocument {
        files: args.out.clone(),
        saccade: saccade_text(),
        made,
    };
    if args.json {
        print_json(&document)?;
    } else {
        let names: Vec<_> = args.out.iter().map(|o| o.display().to_string()).collect();
        print_line(format!(
            "{}: {} samples, {} events\nsaccade: {}",
            names.join(", "),
            made.samples,
            made.events,
            document.saccade
        ))?;
    }
    Ok(Exit::Success)
}

/// A data set in figures.
#[derive(Debug, Serialize)]
struct DatasetInfo {
    file: String,
    samples: u64,
    width: u16,
    height: u16,
    /// XXH3-64 over all samples, 16 hexadecimal digits.
    fingerprint: String,
    unlabelled: u64,
    classes: Vec<ClassInfo>,
}

#[derive(Debug, Serialize)]
struct ClassInfo {
    label: String,
    class_id: i32,
    samples: u64,
    events_min: usize,
    events_mean: f64,
    events_max: usize,
}

impl DatasetInfo {
    fn read(path: &Path) -> saccade_rosbags::Result<Self> {
        let mut dataset = Dataset::open(path)?;
        let mut info = DatasetInfo {
            file: path.display().to_string(),
            samples: 0,
            width: 0,
            height: 0,
            fingerprint: format!("{:016x}", dataset.fingerprint()?),
            unlabelled: 0,
            classes: Vec::new(),
        };
        for sample in dataset.by_ref() {
            let sample = sample?;
            info.samples += 1;
            (info.width, info.height) = (sample.width, sample.height);
            let found = info.classes.iter().position(|c| c.label == sample.label);
            let n = sample.events.len();
            let class = match found {
                Some(i) => &mut info.classes[i],
                None => {
                    info.classes.push(ClassInfo {
                        label: sample.label,
                        class_id: sample.class_id,
                        samples: 0,
                        events_min: n,
                        events_mean: 0.0,
                        events_max: n,
                    });
                    let last = info.classes.len() - 1;
                    &mut info.classes[last]
                }
            };
            class.samples += 1;
            class.events_min = class.events_min.min(n);
            class.events_max = class.events_max.max(n);
            class.events_mean += (n as f64 - class.events_mean) / class.samples as f64;
        }
        info.unlabelled = dataset.unlabelled();
        info.classes.sort_by_key(|c| c.class_id);
        Ok(info)
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{}\nsamples      {} ({} without label left out)\nsensor       {} x {}\nfingerprint  {}\n",
            self.file, self.samples, self.unlabelled, self.width, self.height, self.fingerprint
        );
        for c in &self.classes {
            text += &format!(
                "  {:<12} {:>5} samples, events {} to {}, mean {:.0}\n",
                c.label, c.samples, c.events_min, c.events_max, c.events_mean
            );
        }
        text.pop();
        text
    }
}
