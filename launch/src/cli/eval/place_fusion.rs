//! `saccade eval place-fusion`: where a robot is after a long way, by odometry, by the
//! places that it recognises, and by both.

use super::place_codes::{mean, network, quantile, samples};
use crate::cli::launch::{node_spec, refuse};
use crate::cli::{CliError, CliResult, Context, Exit, print_json, print_line, stop, write_json};
use crate::launch_file;
use crate::plots::{self, LineChart, Series};
use saccade_engine::models::place::{PlaceMap, Pose, Senses};
use saccade_engine::models::predictive_coding::{Method, Recogniser};
use saccade_msgs::geometry_msgs::PoseWithCovarianceStamped;
use saccade_msgs::nav_msgs::Odometry;
use saccade_nodes::host::Observer;
use saccade_nodes::payload::Payload;
use saccade_nodes::place_samples::{Topics, planar, pose_of};
use saccade_nodes::{RunOptions, lockstep};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Stretches of the way that the table over time has.
const STRETCHES: usize = 6;
/// How much of the way is drawn on the map, s.
const DRAWN_S: f64 = 60.0;
/// Squared distance in standard deviations within which 95 % of errors of x and y lie.
const WITHIN_95: f64 = 5.991;

/// Arguments of `saccade eval place-fusion`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The places of --train are stored with the poses of its ground truth (or, with --poses odometry,
with those that its own drifting odometry said). Then the robot explores on another way, in
simulated time, begun where its odometry says, and nothing tells it where it is but odometry and
places. Errors of odometry are drawn anew with a memory of 20 s: deviations are --odom-scale of
the speeds, and --odom-turn in rad/s while it moves.

  saccade eval place-fusion --train train.mcap --weights place.safetensors --report fusion
  saccade eval place-fusion --train train.mcap --weights place.safetensors path:=lanes \\
      steer_by:=fused_odom")]
pub struct PlaceFusionArgs {
    /// Recording whose places are known.
    #[arg(long)]
    train: PathBuf,
    /// The trained network.
    #[arg(long)]
    weights: PathBuf,
    /// Launch file of the exploration.
    #[arg(long, default_value = "launch/place_recognition.launch.xml")]
    launch: PathBuf,
    /// More arguments of the launch file.
    #[arg(value_name = "NAME:=VALUE")]
    arguments: Vec<String>,
    /// Seeds of the ways, other than that of --train.
    #[arg(long, value_delimiter = ',', default_values_t = [21])]
    seeds: Vec<u64>,
    /// How long it explores.
    #[arg(long, default_value_t = 30.0)]
    minutes: f64,
    /// Deviation of the share by which odometry measures speeds wrong.
    #[arg(long, default_value_t = 0.05)]
    odom_scale: f64,
    /// Deviation of its error in turning, rad/s.
    #[arg(long, default_value_t = 0.01)]
    odom_turn: f64,
    /// By what the known places have their poses.
    #[arg(long, value_enum, default_value = "truth")]
    poses: Poses,
    /// Folder for place_fusion.json and pictures.
    #[arg(long)]
    report: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
enum Poses {
    /// A surveyed map.
    Truth,
    /// A map as odometry drew it.
    Odometry,
}

/// Where the robot is, and what says so.
const SOURCES: [&str; 3] = ["dead reckoning", "places alone", "places and odometry"];

/// A moment at which a sample was taken.
#[derive(Debug, Clone, Copy, Serialize)]
struct Moment {
    t_s: f64,
    /// x, y (m) and yaw (rad).
    truth: [f64; 3],
    /// The same by each of [`SOURCES`]; none where places say nothing.
    said: [Option<[f64; 3]>; 3],
    /// Whether the truth lies within the 95 % that the fused pose's covariance says.
    within: Option<bool>,
}

impl Moment {
    fn error_m(&self, source: usize) -> Option<f64> {
        let [x, y, _] = self.said[source]?;
        Some((x - self.truth[0]).hypot(y - self.truth[1]))
    }

    fn error_deg(&self, source: usize) -> Option<f64> {
        let turn = self.said[source]?[2] - self.truth[2];
        Some(turn.sin().atan2(turn.cos()).abs().to_degrees())
    }
}

#[derive(Debug, Serialize)]
struct Errors {
    source: &'static str,
    mean_m: f64,
    median_m: f64,
    p95_m: f64,
    most_m: f64,
    mean_deg: f64,
    /// Mean of each stretch of the way.
    over_time_m: Vec<f64>,
}

#[derive(Debug, Serialize)]
struct Document {
    minutes: f64,
    odom_scale: f64,
    odom_turn: f64,
    poses: Poses,
    places: usize,
    arguments: Vec<String>,
    runs: Vec<Run>,
}

#[derive(Debug, Serialize)]
struct Run {
    seed: u64,
    samples: usize,
    way_m: f64,
    wall_s: f64,
    errors: Vec<Errors>,
    /// Share of the moments at which the truth lay within what the covariance says holds
    /// for 95 %.
    within_95: f64,
    #[serde(skip)]
    moments: Vec<Moment>,
}

/// Listens to what the robot takes itself to be, and to where it is.
#[derive(Default)]
struct Notes {
    truth: Option<Pose>,
    odometry: Option<Pose>,
    places: Option<Pose>,
    moments: Vec<Moment>,
}

struct Watcher(Arc<Mutex<Notes>>);

impl Observer for Watcher {
    fn message(&mut self, now_ns: i64, _node: &str, topic: &str, payload: &Payload) {
        // The lock is poisoned only if this very thread has panicked.
        let Ok(mut notes) = self.0.lock() else { return };
        let odometry = || payload.get::<Odometry>().ok().and_then(|o| pose_of(&o));
        match topic {
            "/ground_truth/odom" => notes.truth = odometry(),
            "/whiskeye/odom" => notes.odometry = odometry(),
            "/whiskeye/pose" => {
                let pose = payload.get::<PoseWithCovarianceStamped>();
                notes.places = pose.ok().and_then(|p| planar(&p.pose.pose));
            }
            "/whiskeye/fused_pose" => {
                if let Ok(fused) = payload.get::<PoseWithCovarianceStamped>() {
                    notes.moment(now_ns, &fused);
                }
            }
            _ => {}
        }
    }
}

impl Notes {
    fn moment(&mut self, now_ns: i64, fused: &PoseWithCovarianceStamped) {
        let (Some(truth), Some(pose)) = (self.truth, planar(&fused.pose.pose)) else {
            return;
        };
        let three = |p: Pose| [p.x_m, p.y_m, p.theta_rad];
        let c = &fused.pose.covariance;
        let (xx, xy, yy) = (c[0], c[1], c[7]);
        let (dx, dy) = (truth.x_m - pose.x_m, truth.y_m - pose.y_m);
        let squared = (yy * dx * dx - 2.0 * xy * dx * dy + xx * dy * dy) / (xx * yy - xy * xy);
        self.moments.push(Moment {
            t_s: now_ns as f64 * 1e-9,
            truth: three(truth),
            said: [self.odometry, self.places.take(), Some(pose)].map(|p| p.map(three)),
            within: squared.is_finite().then_some(squared < WITHIN_95),
        });
    }
}

/// Runs `saccade eval place-fusion`.
///
/// # Errors
/// Recording, weights or launch file cannot be read or do not fit, or writing fails.
pub fn run(args: &PlaceFusionArgs) -> CliResult {
    let folder = tempfile::tempdir().context("making a temporary folder")?;
    let file = folder.path().join("places.safetensors");
    let places = store(args, &file)?;
    let mut runs = Vec::new();
    let stop = stop::on_ctrl_c()?;
    for &seed in &args.seeds {
        eprintln!("exploring for {} minutes, seed {seed}", args.minutes);
        runs.push(explore(args, seed, &file, &stop)?);
        if stop.load(Ordering::Relaxed) {
            break;
        }
    }
    let document = Document {
        minutes: args.minutes,
        odom_scale: args.odom_scale,
        odom_turn: args.odom_turn,
        poses: args.poses,
        places,
        arguments: args.arguments.clone(),
        runs,
    };
    if let Some(folder) = &args.report {
        write_json(&document, &folder.join("place_fusion.json"))?;
        draw(&document, folder)?;
    }
    match args.json {
        true => print_json(&document)?,
        false => print_line(document.text())?,
    }
    Ok(Exit::Success)
}

/// Stores the places of the recording in a file; how many.
fn store(args: &PlaceFusionArgs, file: &Path) -> Result<usize, CliError> {
    let topics = match args.poses {
        Poses::Truth => Topics::default(),
        Poses::Odometry => Topics {
            pose: "/whiskeye/odom".into(),
            ..Topics::default()
        },
    };
    let stored = samples(&args.train, &topics)?;
    let network = network(&args.weights)?;
    let mut map = PlaceMap::new(network.fingerprint()?, network.code_len(), stored.len())?;
    let mut recogniser = Recogniser::new(network, Method::default())?;
    for (i, pose) in stored.poses().iter().enumerate() {
        let (visual, tactile) = (stored.visual(i), stored.tactile(i));
        let answer = recogniser.recognise(visual, tactile, Senses::Both)?;
        map.store(answer.code, *pose)?;
    }
    map.save(file)?;
    Ok(map.len())
}

fn explore(
    args: &PlaceFusionArgs,
    seed: u64,
    map: &Path,
    stop: &Arc<AtomicBool>,
) -> Result<Run, CliError> {
    let mut arguments: Vec<(String, String)> = [
        ("seed", seed.to_string()),
        ("minutes", args.minutes.to_string()),
        ("odom_scale", args.odom_scale.to_string()),
        ("odom_turn", args.odom_turn.to_string()),
        ("weights", args.weights.display().to_string()),
        ("map", map.display().to_string()),
        ("fusion", "particles".to_owned()),
        // A quarter of the pixels; samples are averages of 80 x 45 all the same.
        ("image_width", "80".to_owned()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec();
    for text in &args.arguments {
        arguments.push(launch_file::parse_assignment(text).map_err(refuse)?);
    }
    let launch = launch_file::load(&args.launch, &arguments).map_err(refuse)?;
    let specs: Vec<_> = launch
        .nodes
        .iter()
        .map(node_spec)
        .collect::<Result<_, _>>()?;
    let notes = Arc::new(Mutex::new(Notes::default()));
    let options = RunOptions {
        observer: Box::new(Watcher(notes.clone())),
        stop: stop.clone(),
        ..RunOptions::default()
    };
    let report = lockstep::run(&specs, options)?;
    let notes = notes
        .lock()
        .map_err(|_| CliError::failed("the observer of the run has failed"))?;
    if notes.moments.is_empty() {
        return Err(CliError::failed(format!(
            "the run ({}) gave no fused pose; explore for longer, or look at {}",
            report.ended,
            args.launch.display()
        )));
    }
    Ok(Run::of(seed, report.wall_s, notes.moments.clone()))
}

impl Run {
    fn of(seed: u64, wall_s: f64, moments: Vec<Moment>) -> Self {
        let steps = moments.windows(2).map(|w| {
            let [a, b] = [w[0].truth, w[1].truth];
            (b[0] - a[0]).hypot(b[1] - a[1])
        });
        let within: Vec<bool> = moments.iter().filter_map(|m| m.within).collect();
        Run {
            seed,
            samples: moments.len(),
            way_m: steps.sum(),
            wall_s,
            errors: (0..SOURCES.len())
                .map(|k| Errors::of(k, &moments))
                .collect(),
            within_95: within.iter().filter(|w| **w).count() as f64 / within.len().max(1) as f64,
            moments,
        }
    }
}

impl Errors {
    fn of(source: usize, moments: &[Moment]) -> Self {
        let metres = |moments: &[Moment]| -> Vec<f64> {
            let all = moments.iter().filter_map(|m| m.error_m(source));
            all.collect()
        };
        let all = metres(moments);
        let degrees: Vec<f64> = moments.iter().filter_map(|m| m.error_deg(source)).collect();
        let stretch = moments.len().div_ceil(STRETCHES).max(1);
        Errors {
            source: SOURCES[source],
            mean_m: mean(&all),
            median_m: quantile(&all, 0.5),
            p95_m: quantile(&all, 0.95),
            most_m: quantile(&all, 1.0),
            mean_deg: mean(&degrees),
            over_time_m: moments.chunks(stretch).map(|m| mean(&metres(m))).collect(),
        }
    }
}

impl Document {
    fn text(&self) -> String {
        let mut lines = vec![format!(
            "{} places known by {}; {} minutes by odometry that is wrong by {} % in speeds and {} rad/s in turning (deviations, with a memory of 20 s)",
            self.places,
            match self.poses {
                Poses::Truth => "where they really are",
                Poses::Odometry => "where odometry took them to be",
            },
            self.minutes,
            100.0 * self.odom_scale,
            self.odom_turn,
        )];
        for run in &self.runs {
            lines.push(format!(
                "\nseed {}: {} samples, {:.0} m, {:.0} s by the wall clock; errors of position",
                run.seed, run.samples, run.way_m, run.wall_s
            ));
            lines.push(format!(
                "  {:<22}{:>9}{:>9}{:>9}{:>9}{:>9}   mean of each {:.0} minutes",
                "",
                "mean m",
                "median",
                "p95",
                "most",
                "mean °",
                self.minutes / STRETCHES as f64
            ));
            for e in &run.errors {
                let over: String = e.over_time_m.iter().map(|m| format!("{m:>7.2}")).collect();
                lines.push(format!(
                    "  {:<22}{:>9.2}{:>9.2}{:>9.2}{:>9.2}{:>9.1}  {over}",
                    e.source, e.mean_m, e.median_m, e.p95_m, e.most_m, e.mean_deg
                ));
            }
            lines.push(format!(
                "  within what the covariance says holds for 95 %: {:.1} %",
                100.0 * run.within_95
            ));
        }
        lines.join("\n")
    }
}

fn draw(document: &Document, folder: &Path) -> Result<(), CliError> {
    for run in &document.runs {
        let of = |source: usize| {
            let points = run.moments.iter();
            points
                .map(|m| (m.t_s / 60.0, m.error_m(source).unwrap_or(f64::NAN)))
                .collect()
        };
        let chart = LineChart {
            title: format!("Error of position, seed {}", run.seed),
            x_label: "min".into(),
            y_label: "m".into(),
            // Places alone are drawn on the map: as a curve they hide the others.
            series: vec![
                Series::new(1, SOURCES[0], of(0)),
                Series::new(0, SOURCES[2], of(2)),
            ],
            ..LineChart::default()
        };
        plots::save(
            &chart,
            &folder.join(format!("fusion_error_{}.png", run.seed)),
        )?;
        let end = run.moments.last().map_or(0.0, |m| m.t_s);
        let last: Vec<&Moment> = (run.moments.iter())
            .filter(|m| m.t_s > end - DRAWN_S)
            .collect();
        let way = |source: usize| -> Vec<(f64, f64)> {
            let each = last.iter().map(|m| m.said[source]);
            each.map(|p| p.map_or((f64::NAN, f64::NAN), |p| (p[0], p[1])))
                .collect()
        };
        let truth = last.iter().map(|m| (m.truth[0], m.truth[1])).collect();
        let chart = LineChart {
            title: format!(
                "The last minute of {:.0}, seed {}",
                document.minutes, run.seed
            ),
            x_label: "x (m)".into(),
            y_label: "y (m)".into(),
            series: vec![
                Series::new(1, SOURCES[0], way(0)),
                Series::new(0, SOURCES[2], way(2)),
                Series::new(2, "truth", truth),
            ],
            ..LineChart::default()
        };
        plots::save(&chart, &folder.join(format!("fusion_map_{}.png", run.seed)))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_by_hand() {
        let moment = |t_s: f64, x: f64| Moment {
            t_s,
            truth: [0.0, 0.0, 3.1],
            said: [Some([x, 0.0, -3.1]), None, Some([0.0, 1.0, 3.1])],
            within: Some(x < 2.0),
        };
        let run = Run::of(1, 0.0, vec![moment(0.0, 1.0), moment(1.0, 3.0)]);
        let e = &run.errors;
        assert_eq!((e[0].mean_m, e[0].most_m, e[2].p95_m), (2.0, 3.0, 1.0));
        assert_eq!(e[0].over_time_m, [1.0, 3.0]);
        assert!((e[0].mean_deg - (2.0 * (std::f64::consts::PI - 3.1)).to_degrees()).abs() < 1e-9);
        assert!(e[1].mean_m.is_nan() && run.within_95 == 0.5 && run.way_m == 0.0);
    }
}
