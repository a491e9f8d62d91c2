//! `saccade eval path-integration`: how close to home the central complex comes.

use crate::cli::bench::clock::timed;
use crate::cli::{CliError, CliResult, Exit, print_json, print_line, write_json};
use crate::plots::{self, LineChart, Marker, Series};
use indicatif::{ProgressBar, ProgressStyle};
use saccade_engine::models::central_complex::statistics::{
    Backend, Experiment, HOME_RANGE, Model, Summary, Trial,
};
use saccade_engine::models::central_complex::{EXCHANGE_MS, FULL_RATE_HZ, NoiseLevels, Population};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// All populations together.
const ALL: &str = "all";

/// Arguments of `saccade eval path-integration`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every combination of what is listed is flown over the same routes. The table of the
published model, and where it breaks:

  saccade eval path-integration --noise 0,0.1,0.2,0.3,0.4
  saccade eval path-integration --out-steps 300,1000,3000,10000 --routes 200
  saccade eval path-integration --sideways-deg 0,45,135
  saccade eval path-integration --wind 0,0.15,0.3 --home-steps 6000

The spiking model beside them, 50 s out and 150 s home, exchanging with its body every
100 ms:

  saccade eval path-integration --model published,extended,spiking --out-steps 500 --home-steps 1500

The same neurons on an emulated SpiNNaker board, in this process, which exchanges datagrams
with the body:

  saccade eval path-integration --model spiking --backend spinnaker --out-steps 500 --home-steps 1500 --routes 20")]
pub struct PathIntegrationArgs {
    /// What steers home.
    #[arg(long = "model", value_enum, value_delimiter = ',', default_values_t = [ModelArg::Published, ModelArg::Extended])]
    models: Vec<ModelArg>,
    /// Where spiking models run.
    #[arg(long, value_enum, default_value_t = BackendArg::Cpu)]
    backend: BackendArg,
    /// Standard deviation of the noise of every cell's activity (which lies between 0 and 1);
    /// in the spiking model, of what drives it.
    #[arg(long, value_delimiter = ',', default_values_t = [0.1])]
    noise: Vec<f64>,
    /// Steps of the way out.
    #[arg(long, value_delimiter = ',', default_values_t = [1500])]
    out_steps: Vec<usize>,
    /// Steps of the way home; as many as out where it is not given.
    #[arg(long)]
    home_steps: Option<usize>,
    /// By how many degrees the agent looks to the right of where it goes.
    #[arg(long, value_delimiter = ',', allow_negative_numbers = true, default_values_t = [0.0])]
    sideways_deg: Vec<f64>,
    /// How fast the wind blows, in steps of length per step (the agent flies 0.57 home); its
    /// direction is drawn for each route.
    #[arg(long, value_delimiter = ',', default_values_t = [0.0])]
    wind: Vec<f64>,
    /// Random routes of each row.
    #[arg(long, default_value_t = 1000)]
    routes: usize,
    /// Seed of routes and noise.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for path_integration.json and pictures.
    #[arg(long)]
    report: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

/// Where spiking models run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum BackendArg {
    /// In this process.
    Cpu,
    /// On an emulated SpiNNaker board with a real one's limits, not held to its clock.
    Spinnaker,
}

impl BackendArg {
    fn backend(self) -> Backend {
        match self {
            Self::Cpu => Backend::Cpu,
            Self::Spinnaker => Backend::Spinnaker,
        }
    }
}

/// What steers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum ModelArg {
    /// The rate model of Stone et al. 2017.
    Published,
    /// The variant that holds on long ways, in noise and sideways.
    Extended,
    /// The spiking model: a column of eight neurons for every cell, memory in synapses.
    Spiking,
    /// The same, steering by where it looks.
    SpikingHeading,
    /// Nothing: what chance does.
    RandomWalk,
}

impl ModelArg {
    pub(super) fn model(self) -> Model {
        match self {
            Self::Published => Model::Published,
            Self::Extended => Model::Extended,
            Self::Spiking => Model::Spiking,
            Self::SpikingHeading => Model::SpikingHeading,
            Self::RandomWalk => Model::RandomWalk,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Published => "published",
            Self::Extended => "extended",
            Self::Spiking => "spiking",
            Self::SpikingHeading => "sp. heading",
            Self::RandomWalk => "random walk",
        }
    }
}

#[derive(Serialize)]
struct Document {
    seed: u64,
    routes: usize,
    /// Where spiking models ran.
    backend: Backend,
    /// Distance that counts as home, in steps of length.
    home_range: f64,
    rows: Vec<Row>,
    /// How long all of it took, in s.
    wall_s: f64,
}

#[derive(Serialize)]
struct Row {
    model: &'static str,
    noise: f64,
    out_steps: usize,
    home_steps: usize,
    sideways_deg: f64,
    wind: f64,
    /// Closest distances, in steps of length.
    closest: Summary,
    /// Standard errors of these, by bootstrap.
    standard_error: Summary,
    /// Mean activity of the cells of each population, 0 to 1; of spiking ones 1 is 60 Hz.
    activity: BTreeMap<&'static str, f64>,
    /// Of spiking neurons, mean rate of each population, in Hz.
    rate_hz: Option<BTreeMap<&'static str, f64>>,
    /// CPU time of a step (brain, body and noise) on one core, in us.
    step_us: f64,
    /// Of spiking neurons, biological time by CPU time on one core.
    times_real_time: Option<f64>,
    #[serde(skip)]
    flown: Experiment,
}

/// Runs `saccade eval path-integration`.
///
/// # Errors
/// A parameter is out of range, or the report cannot be written.
pub fn run(args: &PathIntegrationArgs) -> CliResult {
    let start = Instant::now();
    let experiments = experiments(args);
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} rows  {msg}");
    let bar = ProgressBar::new(experiments.len() as u64)
        .with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let mut rows = Vec::new();
    for (model, noise, sideways_deg, flown) in experiments {
        bar.set_message(format!("{}, noise {noise}", model.name()));
        bar.tick();
        rows.push(row(model, noise, sideways_deg, flown)?);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let document = Document {
        seed: args.seed,
        routes: args.routes,
        backend: args.backend.backend(),
        home_range: HOME_RANGE,
        rows,
        wall_s: start.elapsed().as_secs_f64(),
    };
    if let Some(folder) = &args.report {
        write(&document, folder)?;
    }
    if args.json {
        print_json(&document)?;
    } else {
        print_line(text(&document))?;
    }
    Ok(Exit::Success)
}

fn row(model: ModelArg, noise: f64, sideways_deg: f64, flown: Experiment) -> Result<Row, CliError> {
    let trials = flown.trials()?;
    let step_us = step_us(&flown)?;
    let spiking = matches!(model, ModelArg::Spiking | ModelArg::SpikingHeading);
    let activity = activity(&trials);
    Ok(Row {
        model: model.name(),
        noise,
        out_steps: flown.out_steps,
        home_steps: flown.home_steps,
        sideways_deg,
        wind: flown.wind,
        closest: Summary::of(&trials),
        standard_error: Summary::standard_errors(&trials, flown.seed),
        rate_hz: spiking.then(|| {
            activity
                .iter()
                .map(|(k, a)| (*k, FULL_RATE_HZ * a))
                .collect()
        }),
        activity,
        step_us,
        times_real_time: spiking.then(|| f64::from(EXCHANGE_MS) * 1e3 / step_us),
        flown,
    })
}

/// CPU time of a step in us, over the first routes flown again one after the other.
fn step_us(flown: &Experiment) -> Result<f64, CliError> {
    let routes = flown.routes.min(3) as u64;
    let mut flights = Ok(());
    let cpu_s = timed(|| {
        flights = (0..routes).try_for_each(|route| flown.journey(route, &mut |_| {}).map(drop));
    });
    flights?;
    let steps = routes as f64 * (flown.out_steps + flown.home_steps) as f64;
    Ok(1e6 * cpu_s / steps)
}

/// Mean activity by population.
fn activity(trials: &[Trial]) -> BTreeMap<&'static str, f64> {
    let mean =
        |of: &dyn Fn(&Trial) -> f64| trials.iter().map(of).sum::<f64>() / trials.len() as f64;
    let each = Population::ALL.iter().enumerate();
    each.map(|(k, population)| (population.name(), mean(&|t| t.activity[k])))
        .chain([(ALL, mean(&|t| t.mean_activity))])
        .filter(|(_, mean)| mean.is_finite())
        .collect()
}

fn experiments(args: &PathIntegrationArgs) -> Vec<(ModelArg, f64, f64, Experiment)> {
    let mut all = Vec::new();
    for &out_steps in &args.out_steps {
        for &wind in &args.wind {
            for &sideways_deg in &args.sideways_deg {
                for &noise in &args.noise {
                    for &model in &args.models {
                        let flown = Experiment {
                            model: model.model(),
                            backend: args.backend.backend(),
                            noise: NoiseLevels::uniform(noise),
                            out_steps,
                            home_steps: args.home_steps.unwrap_or(out_steps),
                            sideways_rad: sideways_deg.to_radians(),
                            wind,
                            routes: args.routes,
                            seed: args.seed,
                        };
                        all.push((model, noise, sideways_deg, flown));
                    }
                }
            }
        }
    }
    all
}

fn text(document: &Document) -> String {
    let mut lines = vec![
        format!(
            "closest distance to home over {} random routes, in steps, ± standard error; seed {}, {:.1} s{}",
            document.routes,
            document.seed,
            document.wall_s,
            match document.backend {
                Backend::Cpu => "",
                Backend::Spinnaker => "; spiking models on an emulated SpiNNaker board",
            }
        ),
        format!(
            "{:<12}{:>6}{:>8}{:>10}{:>7}{:>20}{:>10}{:>10}{:>12}{:>8}",
            "model",
            "noise",
            "out",
            "sideways",
            "wind",
            "mean",
            "median",
            "95 %",
            "within 20",
            "tau"
        ),
    ];
    for row in &document.rows {
        let (c, e) = (&row.closest, &row.standard_error);
        let mean = format!("{:.2} ± {:.2}", c.mean, e.mean);
        lines.push(format!(
            "{:<12}{:>6}{:>8}{:>9}°{:>7}{:>20}{:>10.2}{:>10.2}{:>10.1} %{:>8.3}",
            row.model,
            row.noise,
            row.out_steps,
            row.sideways_deg,
            row.wind,
            mean,
            c.median,
            c.percentile_95,
            100.0 * c.within_home_range,
            c.tau
        ));
    }
    lines.extend(activities(document));
    lines.join("\n")
}

/// How active each population was, and how long a step took.
fn activities(document: &Document) -> Vec<String> {
    let names = Population::ALL.iter().map(|p| p.name()).chain([ALL]);
    let mut head = format!(
        "{:<12}{:>6}{:>8}{:>10}{:>7}",
        "model", "noise", "out", "sideways", "wind"
    );
    head.extend(names.clone().map(|name| format!("{name:>9}")));
    let mut lines = vec![
        String::new(),
        "mean activity of the cells, 0 to 1 (of spiking neurons their rate), and the CPU time of a step"
            .to_owned(),
        head + "    step (us)",
    ];
    for row in &document.rows {
        let mut line = format!(
            "{:<12}{:>6}{:>8}{:>9}°{:>7}",
            row.model, row.noise, row.out_steps, row.sideways_deg, row.wind
        );
        line.extend(
            names
                .clone()
                .map(|name| match (&row.rate_hz, row.activity.get(name)) {
                    (Some(rates), Some(_)) => format!("{:>6.1} Hz", rates[name]),
                    (None, Some(activity)) => format!("{activity:>9.3}"),
                    (_, None) => format!("{:>9}", "-"),
                }),
        );
        line.push_str(&format!("{:>13.1}", row.step_us));
        if let Some(times) = row.times_real_time {
            line.push_str(&format!("   {times:.0} x real time"));
        }
        lines.push(line);
    }
    lines
}

fn write(document: &Document, folder: &Path) -> Result<(), CliError> {
    write_json(document, &folder.join("path_integration.json"))?;
    for (name, chart) in closest_charts(document) {
        plots::save(&chart, &folder.join(name))?;
    }
    for (k, row) in document.rows.iter().enumerate() {
        plots::save(&routes_chart(row)?, &folder.join(format!("routes_{k}.png")))?;
        if row.flown.model != Model::RandomWalk {
            let chart = home_vector_chart(row)?;
            plots::save(&chart, &folder.join(format!("home_vector_{k}.png")))?;
        }
    }
    Ok(())
}

/// Mean closest distance against whatever was listed more than once.
fn closest_charts(document: &Document) -> Vec<(&'static str, LineChart)> {
    /// File, name and value of an axis.
    type Axis = (&'static str, &'static str, fn(&Row) -> f64);
    let axes: [Axis; 4] = [
        ("closest_vs_noise.png", "noise", |r| r.noise),
        ("closest_vs_distance.png", "steps out", |r| {
            r.out_steps as f64
        }),
        ("closest_vs_sideways.png", "heading off the way (°)", |r| {
            r.sideways_deg
        }),
        ("closest_vs_wind.png", "wind (steps per step)", |r| r.wind),
    ];
    let mut charts = Vec::new();
    for (file, x_label, x) in axes {
        let varies =
            |x: fn(&Row) -> f64| document.rows.iter().any(|r| x(r) != x(&document.rows[0]));
        if !varies(x) {
            continue;
        }
        // A line for every model and combination of whatever else was listed.
        let others = axes.iter().filter(|a| a.0 != file && varies(a.2));
        let others: Vec<&Axis> = others.collect();
        let mut series: Vec<Series> = Vec::new();
        for row in &document.rows {
            let name = others
                .iter()
                .fold(row.model.to_owned(), |name, (_, what, x)| {
                    format!("{name}, {what} {}", x(row))
                });
            let at = series.iter().position(|s| s.name == name);
            let at = at.unwrap_or_else(|| {
                series.push(Series::new(series.len(), name, Vec::new()));
                series.len() - 1
            });
            let (y, error) = (row.closest.mean, 2.0 * row.standard_error.mean);
            series[at].points.push((x(row), y));
            series[at].band.push((x(row), y - error, y + error));
        }
        let chart = LineChart {
            title: format!("Closest distance to home, {} routes", document.routes),
            x_label: x_label.into(),
            y_label: "mean ± 2 standard errors (steps)".into(),
            series,
            levels: vec![Marker {
                at: HOME_RANGE,
                label: "home".into(),
            }],
            ..LineChart::default()
        };
        charts.push((file, chart));
    }
    charts
}

fn title(row: &Row) -> String {
    format!(
        "{}, noise {}, {} steps out, {}° sideways, wind {}",
        row.model, row.noise, row.out_steps, row.sideways_deg, row.wind
    )
}

/// The first route: out, home, and the nest.
fn routes_chart(row: &Row) -> Result<LineChart, CliError> {
    let journey = row.flown.journey(0, &mut |_| {})?;
    let points = |way: &[[f64; 2]]| way.iter().map(|p| (p[0], p[1])).collect::<Vec<_>>();
    let (out, home) = (points(&journey.out), points(&journey.home));
    let all = || out.iter().chain(&home).chain(std::iter::once(&(0.0, 0.0)));
    let range = |f: fn(&(f64, f64)) -> f64| {
        let low = all().map(f).fold(f64::INFINITY, f64::min);
        (low, all().map(f).fold(f64::NEG_INFINITY, f64::max))
    };
    let (x, y) = (range(|p| p.0), range(|p| p.1));
    let nest: Vec<(f64, f64)> = (0..=32)
        .map(|k| (std::f64::consts::TAU * f64::from(k) / 32.0).sin_cos())
        .map(|(s, c)| (HOME_RANGE * c, HOME_RANGE * s))
        .collect();
    Ok(LineChart {
        title: title(row),
        x_label: "x (steps)".into(),
        y_label: "y (steps)".into(),
        x_range: Some((x.0 - HOME_RANGE, x.1 + HOME_RANGE)),
        y_range: Some((y.0 - HOME_RANGE, y.1 + HOME_RANGE)),
        series: vec![
            Series::new(0, "out", out),
            Series::new(1, "home", home),
            Series::new(2, "home range", nest),
        ],
        ..LineChart::default()
    })
}

/// Distance home that the memory holds on the first route, and the true one.
fn home_vector_chart(row: &Row) -> Result<LineChart, CliError> {
    let mut held = Vec::new();
    let journey = row
        .flown
        .journey(0, &mut |home| held.push(home.home_vector()))?;
    let steps = || (1..).map(f64::from);
    let way = journey.out.iter().chain(&journey.home);
    let truth = steps().zip(way.map(|p| p[0].hypot(p[1]))).collect();
    let held = steps().zip(held.iter().map(|h| h.distance)).collect();
    Ok(LineChart {
        title: title(row),
        x_label: "step".into(),
        y_label: "distance from home (steps)".into(),
        series: vec![
            Series::new(0, "memory", held),
            Series::new(1, "truth", truth),
        ],
        times: vec![Marker {
            at: row.out_steps as f64,
            label: "turns home".into(),
        }],
        ..LineChart::default()
    })
}
