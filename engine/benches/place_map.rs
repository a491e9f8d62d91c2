//! Queries of a place map of 10 to 100 000 places:
//! `cargo bench -p saccade-engine --bench place_map`.
//!
//! Codes lie about points on a surface of eight dimensions, as those of places do that
//! follow each other; the queries are stored codes with noise.

use std::time::Instant;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use saccade_engine::models::place::{PlaceMap, Pose};

const CODE: usize = 100;
const CAUSES: usize = 8;
const QUERIES: usize = 200;

/// Codes of places: causes mixed and bent.
struct Places {
    mixing: Vec<f32>,
    rng: ChaCha8Rng,
}

impl Places {
    fn new() -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mixing = (0..CODE * CAUSES).map(|_| rng.sample(StandardNormal));
        Places {
            mixing: mixing.collect(),
            rng: ChaCha8Rng::seed_from_u64(2),
        }
    }

    fn place(&mut self) -> Vec<f32> {
        let causes: [f32; CAUSES] = std::array::from_fn(|_| self.rng.sample(StandardNormal));
        let rows = self.mixing.chunks_exact(CAUSES);
        rows.map(|row| {
            row.iter()
                .zip(&causes)
                .map(|(m, c)| m * c)
                .sum::<f32>()
                .tanh()
        })
        .collect()
    }

    fn near(&mut self, code: &[f32]) -> Vec<f32> {
        let mut noisy = |v: &f32| v + 0.2 * self.rng.sample::<f32, _>(StandardNormal);
        code.iter().map(&mut noisy).collect()
    }
}

/// Median and 99th percentile in us.
fn percentiles(mut times_us: Vec<f64>) -> (f64, f64) {
    times_us.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| times_us[(share * (times_us.len() - 1) as f64) as usize];
    (at(0.5), at(0.99))
}

fn row(places: usize) -> saccade_engine::Result<()> {
    let mut world = Places::new();
    let codes: Vec<Vec<f32>> = (0..places).map(|_| world.place()).collect();
    let mut map = PlaceMap::new("bench", CODE, places)?;
    let start = Instant::now();
    for code in &codes {
        map.store(code, Pose::default())?;
    }
    let stored_us = 1e6 * start.elapsed().as_secs_f64() / places as f64;

    let asked: Vec<usize> = (0..QUERIES).map(|k| k * places / QUERIES).collect();
    let queries: Vec<Vec<f32>> = asked.iter().map(|&i| world.near(&codes[i])).collect();
    let mut search = map.search(5);
    let (mut times_us, mut right) = (Vec::new(), 0);
    for (query, &i) in queries.iter().zip(&asked) {
        let start = Instant::now();
        let found = map.find(query, &mut search)?;
        times_us.push(1e6 * start.elapsed().as_secs_f64());
        right += usize::from(found[0].id == i as u64);
    }
    let (median, p99) = percentiles(times_us);
    println!(
        "{places:>8}{:>10}{:>11.1}{median:>12.1}{p99:>11.1}{stored_us:>12.2}",
        map.bytes() / places,
        100.0 * right as f64 / QUERIES as f64,
    );
    Ok(())
}

fn main() -> saccade_engine::Result<()> {
    println!(
        "{:>8}{:>10}{:>11}{:>12}{:>11}{:>12}",
        "places", "B/place", "right (%)", "query (us)", "p99", "store (us)"
    );
    for places in [10, 100, 1000, 10_000, 100_000] {
        row(places)?;
    }
    Ok(())
}
