//! Figures over all sets, and how sure a difference from the network is.

use super::judge::{Condition, Judged, Outcome};
use crate::cli::CliError;
use saccade_engine::models::place::bootstrap::{Drawn, Interval, intervals};
use saccade_engine::models::place::rank_statistics::roc_area;
use saccade_engine::models::place::retrieval::{Match, Recognition};
use serde::Serialize;

/// Draws of the bootstrap.
const DRAWS: usize = 1000;

/// What is compared; more is better.
const FIGURES: [&str; 5] = [
    "spearman",
    "recall_at_1",
    "recall_at_5",
    "precision_recall_area",
    "minus_mean_error_m",
];

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// A descriptor under a condition.
#[derive(Serialize)]
pub struct Row {
    /// What tables call the descriptor.
    pub model: String,
    /// The condition.
    pub condition: Condition,
    /// Mean correlation of pose distance and representation distance.
    pub spearman: f64,
    /// The other figures, over all queries of all sets.
    pub recognition: Recognition,
    /// Spearman and recall@1 of each set by itself.
    pub each_set: Vec<(f64, f64)>,
}

/// The network against a baseline.
#[derive(Serialize)]
pub struct Comparison {
    /// The baseline.
    pub baseline: String,
    /// The condition.
    pub condition: Condition,
    /// What is compared.
    pub figure: &'static str,
    /// The network's figure less the baseline's; or, of a `loss`, what the baseline loses
    /// from both senses to this one more than the network does.
    pub difference: Interval,
    /// Whether this is about the loss.
    pub loss: bool,
}

/// How well another place is told from a known one by the score of the best match.
#[derive(Serialize)]
pub struct Novelty {
    /// What tables call the descriptor.
    pub model: String,
    /// Probability that a known place scores higher than one of the other arena.
    pub roc_area: f64,
}

fn outcomes(judged: &[Judged], condition: Condition) -> Option<Vec<&Outcome>> {
    let at = Condition::ALL.iter().position(|c| *c == condition)?;
    judged.iter().map(|j| j.outcomes[at].as_ref()).collect()
}

/// The figures of a descriptor, a row for each condition that was asked.
pub fn rows(judged: &[Judged]) -> Vec<Row> {
    let row = |condition: Condition| {
        let outcomes = outcomes(judged, condition)?;
        let all: Vec<Match> = outcomes.iter().flat_map(|o| o.matches.clone()).collect();
        let known = |o: &&Outcome| o.spearman.iter().flatten().copied().collect::<Vec<f64>>();
        let spearman: Vec<Vec<f64>> = outcomes.iter().map(known).collect();
        let each = outcomes.iter().zip(&spearman);
        Some(Row {
            model: judged.first()?.name.clone(),
            condition,
            spearman: mean(&spearman.concat()),
            recognition: Recognition::of(&all),
            each_set: each
                .map(|(o, s)| (mean(s), Recognition::of(&o.matches).recall_at_1))
                .collect(),
        })
    };
    Condition::ALL.into_iter().filter_map(row).collect()
}

/// [`FIGURES`] of the samples drawn.
fn figures(outcomes: &[&Outcome], drawn: &[Drawn]) -> [f64; FIGURES.len()] {
    let matches: Vec<Match> = drawn.iter().map(|d| outcomes[d.0].matches[d.1]).collect();
    let rows = drawn.iter().filter_map(|d| outcomes[d.0].spearman[d.1]);
    let of = Recognition::of(&matches);
    [
        mean(&rows.collect::<Vec<f64>>()),
        of.recall_at_1,
        of.recall_at_5,
        of.precision_recall_area,
        -of.mean_error_m,
    ]
}

fn less(a: [f64; FIGURES.len()], b: [f64; FIGURES.len()]) -> [f64; FIGURES.len()] {
    std::array::from_fn(|k| a[k] - b[k])
}

/// The network against a baseline, in every figure under every condition, and in what they
/// lose when a sense goes.
pub fn compare(
    network: &[Judged],
    baseline: &[Judged],
    seed: u64,
) -> Result<Vec<Comparison>, CliError> {
    let mut all = Vec::new();
    let name = baseline.first().map(|b| b.name.clone()).unwrap_or_default();
    let with_both = outcomes(network, Condition::Both).zip(outcomes(baseline, Condition::Both));
    for condition in Condition::ALL {
        let Some((a, b)) = outcomes(network, condition).zip(outcomes(baseline, condition)) else {
            continue;
        };
        let sizes: Vec<usize> = a.iter().map(|o| o.matches.len()).collect();
        let mut add = |differences: [Interval; FIGURES.len()], loss| {
            let named = FIGURES.into_iter().zip(differences);
            all.extend(named.map(|(figure, difference)| Comparison {
                baseline: name.clone(),
                condition,
                figure,
                difference,
                loss,
            }));
        };
        let ahead = |drawn: &[Drawn]| less(figures(&a, drawn), figures(&b, drawn));
        add(intervals(&sizes, DRAWS, seed, ahead)?, false);
        // The dark has samples of its own: nothing to pair them with.
        let one_sense = matches!(condition, Condition::Vision | Condition::Touch);
        if let (true, Some((a_both, b_both))) = (one_sense, &with_both) {
            let spared = |drawn: &[Drawn]| {
                let lost = |both, one| less(figures(both, drawn), figures(one, drawn));
                less(lost(b_both, &b), lost(a_both, &a))
            };
            add(intervals(&sizes, DRAWS, seed, spared)?, true);
        }
    }
    Ok(all)
}

/// How well a descriptor tells the other arena; none where there is none.
pub fn novelty(judged: &[Judged]) -> Option<Novelty> {
    let (mut known, mut novel) = (Vec::new(), Vec::new());
    for set in judged {
        let both = set.outcomes.first()?.as_ref()?;
        known.extend(both.matches.iter().map(|m| f64::from(m.score)));
        novel.extend(set.novel.as_ref()?.iter().map(|s| f64::from(*s)));
    }
    Some(Novelty {
        model: judged.first()?.name.clone(),
        roc_area: roc_area(&known, &novel)?,
    })
}
