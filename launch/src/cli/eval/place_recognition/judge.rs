//! What becomes of a descriptor's queries.

use super::models::Fitted;
use super::sets::Set;
use crate::cli::CliError;
use saccade_engine::models::place::retrieval::{Match, Recognition, Tolerance, spearman_rows};
use saccade_engine::models::place::{Likeness, PlaceMap, Samples, Senses};
use saccade_nodes::place_samples::shows_nothing;
use serde::Serialize;
use std::time::Instant;

/// Under which a place is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Condition {
    /// Eyes and whiskers.
    Both,
    /// Eyes alone.
    Vision,
    /// Whiskers alone.
    Touch,
    /// With the lights out, by both senses where the image shows something and by touch
    /// where it shows nothing, as the node does.
    Dark,
    /// The same by both, whatever the image shows.
    Misled,
}

impl Condition {
    /// All of them.
    pub const ALL: [Condition; 5] = [
        Condition::Both,
        Condition::Vision,
        Condition::Touch,
        Condition::Dark,
        Condition::Misled,
    ];

    /// What tables call it.
    pub fn name(self) -> &'static str {
        match self {
            Condition::Both => "both",
            Condition::Vision => "vision only",
            Condition::Touch => "touch only",
            Condition::Dark => "dark",
            Condition::Misled => "dark, by images that show nothing",
        }
    }

    fn senses(self) -> Senses {
        match self {
            Condition::Vision => Senses::Vision,
            Condition::Touch => Senses::Touch,
            Condition::Both | Condition::Dark | Condition::Misled => Senses::Both,
        }
    }

    /// The samples that are asked.
    pub fn samples(self, set: &Set) -> Option<&Samples> {
        match self {
            Condition::Dark | Condition::Misled => set.dark.as_ref(),
            _ => Some(&set.test),
        }
    }
}

/// What became of the queries of one set under one condition.
#[derive(Clone)]
pub struct Outcome {
    /// Each query.
    pub matches: Vec<Match>,
    /// Each query's correlation of pose distance and representation distance to the others.
    pub spearman: Vec<Option<f64>>,
}

/// All that is known of a descriptor on one set.
pub struct Judged {
    /// What tables call it.
    pub name: String,
    /// One for each of [`Condition::ALL`]; none where there are no samples.
    pub outcomes: Vec<Option<Outcome>>,
    /// Scores of the best matches in another place.
    pub novel: Option<Vec<f32>>,
    /// How alike the test samples are to each other, with both senses.
    pub among: Likeness,
}

/// Speed and size of a descriptor with all training samples in its map.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Cost {
    /// Median of a query, code and search, in ms.
    pub median_ms: f64,
    /// 99 % of them take less, in ms.
    pub p99_ms: f64,
    /// Bytes that a place takes.
    pub bytes_per_place: usize,
}

/// Asks all that there is to ask. With `same`, places are stored by the senses that the
/// queries have, otherwise by both. `frames` gives a judgement over sequences for each.
pub fn judge(
    fitted: &mut Fitted,
    set: &Set,
    tolerance: Tolerance,
    same: bool,
    frames: &[usize],
) -> Result<Vec<Judged>, CliError> {
    let descriptor = &mut fitted.descriptor;
    let lengths = [&[1], frames].concat();
    let both = descriptor.describe_all(&set.train, Senses::Both)?;
    let tested = descriptor.describe_all(&set.test, Senses::Both)?;
    let among = Likeness::of(&tested, &tested)?;
    let mut all: Vec<Judged> = Vec::new();
    for &n in &lengths {
        let name = match n {
            1 => descriptor.name().to_owned(),
            n => format!("{}, {n} frames", descriptor.name()),
        };
        all.push(Judged {
            name,
            outcomes: Vec::new(),
            novel: None,
            among: among.over_sequence(n),
        });
    }
    for condition in Condition::ALL {
        let Some(asked) = condition.samples(set) else {
            all.iter_mut().for_each(|j| j.outcomes.push(None));
            continue;
        };
        let senses = condition.senses();
        let mut codes = descriptor.describe_all(asked, senses)?;
        if condition == Condition::Dark {
            let felt = descriptor.describe_all(asked, Senses::Touch)?;
            for (i, (code, felt)) in codes.iter_mut().zip(felt).enumerate() {
                if shows_nothing(asked.visual(i)) {
                    *code = felt;
                }
            }
        }
        let stored = match same && senses != Senses::Both {
            true => &descriptor.describe_all(&set.train, senses)?,
            false => &both,
        };
        let (found, among) = (Likeness::of(&codes, stored)?, Likeness::of(&codes, &codes)?);
        for (judged, &n) in all.iter_mut().zip(&lengths) {
            let found = found.over_sequence(n);
            let among = among.over_sequence(n);
            judged.outcomes.push(Some(Outcome {
                matches: Recognition::matches(&found, asked.poses(), set.train.poses(), tolerance)?,
                spearman: spearman_rows(&among, asked.poses())?,
            }));
        }
    }
    if let Some(novel) = &set.novel {
        let codes = descriptor.describe_all(novel, Senses::Both)?;
        let found = Likeness::of(&codes, &both)?;
        for (judged, &n) in all.iter_mut().zip(&lengths) {
            let found = found.over_sequence(n);
            let best = |i: usize| found.row(i).iter().copied().fold(f32::MIN, f32::max);
            judged.novel = Some((0..found.rows()).map(best).collect());
        }
    }
    Ok(all)
}

/// Times queries one by one, with all training samples stored.
pub fn cost(fitted: &mut Fitted, set: &Set) -> Result<Cost, CliError> {
    const MOST: usize = 200;
    let descriptor = &mut fitted.descriptor;
    let mut map: Option<PlaceMap> = None;
    for i in 0..set.train.len() {
        let code = descriptor.describe(&set.train, i, Senses::Both)?;
        let map = match &mut map {
            Some(map) => map,
            none => none.insert(PlaceMap::new("", code.len(), set.train.len())?),
        };
        map.store(&code, set.train.poses()[i])?;
    }
    let Some(map) = map else {
        return Err(CliError::failed("there are no training samples"));
    };
    let mut search = map.search(5);
    let mut times_ms = Vec::new();
    for i in 0..set.test.len().min(MOST) {
        let start = Instant::now();
        let code = descriptor.describe(&set.test, i, Senses::Both)?;
        map.find(&code, &mut search)?;
        times_ms.push(1e3 * start.elapsed().as_secs_f64());
    }
    times_ms.sort_unstable_by(f64::total_cmp);
    let at = |share: f64| times_ms[(share * (times_ms.len() - 1) as f64).ceil() as usize];
    Ok(Cost {
        median_ms: at(0.5),
        p99_ms: at(0.99),
        bytes_per_place: map.bytes() / map.len().max(1),
    })
}
