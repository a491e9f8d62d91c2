//! `saccade eval food-places`: ways between places that the central complex remembers.

use super::path_integration::ModelArg;
use crate::cli::{CliError, CliResult, Exit, print_json, print_line, write_json};
use crate::plots::{self, LineChart, Series};
use saccade_engine::models::central_complex::NoiseLevels;
use saccade_engine::models::central_complex::places::{Foraging, LEGS, Trip};
use saccade_engine::models::central_complex::statistics::HOME_RANGE;
use serde::Serialize;
use std::path::PathBuf;

/// Arguments of `saccade eval food-places`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Every trip goes out to two food places, each from home, and keeps a vector memory at each;
then from the second straight to the first, back, and home. A leg ends within 20 steps of
its place.

  saccade eval food-places --routes 200 --seed 9 --report food")]
pub struct FoodPlacesArgs {
    /// What steers.
    #[arg(long = "model", value_enum, value_delimiter = ',', default_values_t = [ModelArg::Published, ModelArg::Extended, ModelArg::Spiking, ModelArg::RandomWalk])]
    models: Vec<ModelArg>,
    /// Standard deviation of the noise of every cell's activity.
    #[arg(long, value_delimiter = ',', default_values_t = [0.1])]
    noise: Vec<f64>,
    /// Steps of each way out.
    #[arg(long, default_value_t = 500)]
    out_steps: usize,
    /// Most steps of a leg.
    #[arg(long, default_value_t = 1500)]
    leg_steps: usize,
    /// Trips of each row.
    #[arg(long, default_value_t = 200)]
    routes: usize,
    /// Seed of ways and noise.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder for food_places.json and a picture of each model's first trip.
    #[arg(long)]
    report: Option<PathBuf>,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Document {
    seed: u64,
    trips: usize,
    out_steps: usize,
    /// Distance at which a place counts as found, in steps of length.
    home_range: f64,
    rows: Vec<Row>,
}

#[derive(Serialize)]
struct Row {
    model: &'static str,
    noise: f64,
    legs: Vec<LegRow>,
    /// Median way from the second place to the first by way of home, over the straight one.
    by_home: f64,
    #[serde(skip)]
    first: Trip,
}

#[derive(Serialize)]
struct LegRow {
    leg: &'static str,
    /// Share of trips that came within `home_range` of the place.
    found: f64,
    /// Median distance at the leg's begin, in steps of length.
    straight: f64,
    /// Median way of those that found it, over the straight one; nothing where none did.
    detour: Option<f64>,
}

/// Runs `saccade eval food-places`.
///
/// # Errors
/// A parameter is out of range, or the report cannot be written.
pub fn run(args: &FoodPlacesArgs) -> CliResult {
    let mut rows = Vec::new();
    for &noise in &args.noise {
        for &model in &args.models {
            rows.push(row(args, model, noise)?);
        }
    }
    let document = Document {
        seed: args.seed,
        trips: args.routes,
        out_steps: args.out_steps,
        home_range: HOME_RANGE,
        rows,
    };
    if let Some(folder) = &args.report {
        write_json(&document, &folder.join("food_places.json"))?;
        for (k, row) in document.rows.iter().enumerate() {
            plots::save(&chart(row), &folder.join(format!("trip_{k}.png")))?;
        }
    }
    if args.json {
        print_json(&document)?;
    } else {
        print_line(text(&document))?;
    }
    Ok(Exit::Success)
}

fn row(args: &FoodPlacesArgs, model: ModelArg, noise: f64) -> Result<Row, CliError> {
    let foraging = Foraging {
        model: model.model(),
        noise: NoiseLevels::uniform(noise),
        out_steps: args.out_steps,
        leg_steps: args.leg_steps,
        trips: args.routes,
        seed: args.seed,
    };
    let mut trips = foraging.fly()?;
    let legs = (0..LEGS.len()).map(|k| leg(&trips, k)).collect();
    let by_home = trips.iter().map(|t| t.by_home() / t.legs[0].straight);
    Ok(Row {
        model: model.name(),
        noise,
        legs,
        by_home: median(by_home.collect()).unwrap_or(f64::NAN),
        first: trips.swap_remove(0),
    })
}

fn leg(trips: &[Trip], k: usize) -> LegRow {
    let legs = || trips.iter().map(|trip| &trip.legs[k]);
    let found = legs().filter(|leg| leg.found());
    LegRow {
        leg: LEGS[k],
        found: found.clone().count() as f64 / trips.len() as f64,
        straight: median(legs().map(|leg| leg.straight).collect()).unwrap_or(f64::NAN),
        // A leg that begins within the range of its place has no way to speak of.
        detour: median(
            found
                .filter(|leg| leg.straight > 2.0 * HOME_RANGE)
                .map(|leg| leg.way() / (leg.straight - HOME_RANGE))
                .collect(),
        ),
    }
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied()
}

fn text(document: &Document) -> String {
    let mut lines = vec![
        format!(
            "{} trips to two food places {} steps out; a place is found within {} steps; seed {}",
            document.trips, document.out_steps, document.home_range, document.seed
        ),
        format!(
            "{:<12}{:>6}  {:<16}{:>8}{:>11}{:>10}",
            "model", "noise", "leg", "found", "straight", "detour"
        ),
    ];
    for row in &document.rows {
        for leg in &row.legs {
            let detour = leg.detour.map_or("-".to_owned(), |d| format!("{d:.2}"));
            lines.push(format!(
                "{:<12}{:>6}  {:<16}{:>6.1} %{:>11.1}{:>10}",
                row.model,
                row.noise,
                leg.leg,
                100.0 * leg.found,
                leg.straight,
                detour
            ));
        }
    }
    if let Some(row) = document.rows.first() {
        lines.push(format!(
            "detour: way to the edge of that range by the straight one, median of those that found \
             it. From the second place to the first by way of home it would be {:.2}.",
            row.by_home
        ));
    }
    lines.join("\n")
}

/// The first trip.
fn chart(row: &Row) -> LineChart {
    let points = |way: &[[f64; 2]]| way.iter().map(|p| (p[0], p[1])).collect::<Vec<_>>();
    let outs = row
        .first
        .out
        .iter()
        .zip(["out to the first", "out to the second"]);
    let legs = row.first.legs.iter().zip(LEGS);
    let ways: Vec<_> = outs
        .map(|(way, name)| (points(way), name))
        .chain(legs.map(|(leg, name)| (points(&leg.track), name)))
        .collect();
    let range = |f: fn(&(f64, f64)) -> f64| {
        let all = || ways.iter().flat_map(|(way, _)| way.iter().map(f));
        let low = all().fold(f64::INFINITY, f64::min);
        let high = all().fold(f64::NEG_INFINITY, f64::max);
        Some((low - HOME_RANGE, high + HOME_RANGE))
    };
    LineChart {
        title: format!("{}, noise {}: two food places", row.model, row.noise),
        x_label: "x (steps)".into(),
        y_label: "y (steps)".into(),
        x_range: range(|p| p.0),
        y_range: range(|p| p.1),
        series: ways
            .iter()
            .enumerate()
            .map(|(k, (way, name))| Series::new(k, (*name).to_owned(), way.clone()))
            .collect(),
        ..LineChart::default()
    }
}
