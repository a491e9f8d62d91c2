//! How well places are known again: from likenesses and true poses to figures.

use super::rank_statistics::{PrecisionRecall, spearman};
use super::{Likeness, Pose};
use crate::error::{Error, Result};

/// How far off an answer may be and still be right.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Metres.
    pub metres: f64,
    /// Radians.
    pub radians: f64,
}

impl Default for Tolerance {
    /// 0.3 m and 20°.
    fn default() -> Self {
        Tolerance {
            metres: 0.3,
            radians: 20_f64.to_radians(),
        }
    }
}

impl Tolerance {
    fn holds(&self, a: &Pose, b: &Pose) -> bool {
        a.metres(b) <= self.metres && a.radians(b) <= self.radians
    }
}

/// What became of one query.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Match {
    /// The stored place that is most alike; of equally alike ones the first.
    pub best: usize,
    /// How alike: the less, the more novel the place.
    pub score: f32,
    /// Metres between the query's pose and that of the best match.
    pub error_m: f64,
    /// Radians between the two headings.
    pub error_rad: f64,
    /// Whether any stored place lies within the tolerance: whether it could be right.
    pub possible: bool,
    /// Whether the best match lies within the tolerance.
    pub right_of_1: bool,
    /// Whether one of the best five does.
    pub right_of_5: bool,
}

impl Match {
    /// What became of a query with these likenesses to the stored places.
    fn of(likeness: &[f32], pose: &Pose, stored: &[Pose], tolerance: Tolerance) -> Option<Self> {
        let mut order: Vec<usize> = (0..likeness.len()).collect();
        order.sort_by(|&a, &b| likeness[b].total_cmp(&likeness[a]));
        let best = *order.first()?;
        let near = |k: &usize| tolerance.holds(pose, &stored[*k]);
        Some(Match {
            best,
            score: likeness[best],
            error_m: pose.metres(&stored[best]),
            error_rad: pose.radians(&stored[best]),
            possible: order.iter().any(near),
            right_of_1: near(&best),
            right_of_5: order.iter().take(5).any(near),
        })
    }
}

/// The figures of many queries.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize)]
pub struct Recognition {
    /// Queries, all of them.
    pub queries: usize,
    /// Those of them with a stored place within the tolerance; recalls are shares of these.
    pub possible: usize,
    /// Share of the possible whose best match is within the tolerance.
    pub recall_at_1: f64,
    /// Share of the possible with one of the best five within it.
    pub recall_at_5: f64,
    /// Average precision of the best matches, accepted by their score.
    pub precision_recall_area: f64,
    /// Mean metres from the best match, over all queries.
    pub mean_error_m: f64,
    /// Their median.
    pub median_error_m: f64,
    /// Mean radians from the best match, over all queries.
    pub mean_error_rad: f64,
    /// Their median.
    pub median_error_rad: f64,
}

impl Recognition {
    /// What became of each query.
    ///
    /// # Errors
    /// [`Error::NoSamples`] where there are not as many poses as rows or columns, or
    /// nothing is stored.
    pub fn matches(
        likeness: &Likeness,
        queries: &[Pose],
        stored: &[Pose],
        tolerance: Tolerance,
    ) -> Result<Vec<Match>> {
        let (rows, columns) = (likeness.rows(), likeness.columns());
        if rows != queries.len() || columns != stored.len() || columns == 0 {
            let (q, s) = (queries.len(), stored.len());
            return Err(Error::NoSamples(format!(
                "{rows} x {columns} likenesses for {q} queries and {s} stored places, expected one for each pair and at least one stored place"
            )));
        }
        let each = queries.iter().enumerate();
        Ok(each
            .filter_map(|(i, pose)| Match::of(likeness.row(i), pose, stored, tolerance))
            .collect())
    }

    /// The figures of these; errors and shares of nothing are NaN.
    pub fn of(matches: &[Match]) -> Self {
        let mean =
            |of: &dyn Fn(&Match) -> f64| matches.iter().map(of).sum::<f64>() / matches.len() as f64;
        let possible = matches.iter().filter(|m| m.possible).count();
        let share = |of: &dyn Fn(&Match) -> bool| {
            matches.iter().filter(|m| of(m)).count() as f64 / possible as f64
        };
        Recognition {
            queries: matches.len(),
            possible,
            recall_at_1: share(&|m| m.right_of_1),
            recall_at_5: share(&|m| m.right_of_5),
            precision_recall_area: precision_recall(matches).area,
            mean_error_m: mean(&|m| m.error_m),
            median_error_m: median(matches.iter().map(|m| m.error_m)),
            mean_error_rad: mean(&|m| m.error_rad),
            median_error_rad: median(matches.iter().map(|m| m.error_rad)),
        }
    }
}

/// Precision against recall of the best matches, accepted by their score.
pub fn precision_recall(matches: &[Match]) -> PrecisionRecall {
    let answers = matches.iter().map(|m| (f64::from(m.score), m.right_of_1));
    let possible = matches.iter().filter(|m| m.possible).count();
    PrecisionRecall::of(&answers.collect::<Vec<_>>(), possible)
}

/// Mean over the samples of Spearman's correlation of pose distance and representation
/// distance to all others: the figure of Struckmeier et al. 2019. A sample's distance to
/// itself, 0 in both, is left out. None where no row has one.
///
/// # Errors
/// [`Error::NoSamples`] where the likenesses are not those of every pair of poses.
pub fn mean_spearman(likeness: &Likeness, poses: &[Pose]) -> Result<Option<f64>> {
    let rows = spearman_rows(likeness, poses)?;
    let known: Vec<f64> = rows.into_iter().flatten().collect();
    let n = known.len();
    Ok((n > 0).then(|| known.iter().sum::<f64>() / n as f64))
}

/// The correlations that [`mean_spearman`] is the mean of, one for each sample.
///
/// # Errors
/// As [`mean_spearman`].
pub fn spearman_rows(likeness: &Likeness, poses: &[Pose]) -> Result<Vec<Option<f64>>> {
    let n = poses.len();
    if likeness.rows() != n || likeness.columns() != n {
        let (rows, columns) = (likeness.rows(), likeness.columns());
        let what = format!("{rows} x {columns} likenesses of {n} samples, expected {n} x {n}");
        return Err(Error::NoSamples(what));
    }
    let row = |i: usize| {
        let others = || (0..n).filter(move |&k| k != i);
        let apart: Vec<f64> = others().map(|k| poses[i].distance(&poses[k])).collect();
        let row = likeness.row(i);
        let unlike: Vec<f64> = others().map(|k| 1.0 - f64::from(row[k])).collect();
        spearman(&apart, &unlike)
    };
    Ok((0..n).map(row).collect())
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_unstable_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        n if n % 2 == 0 => f64::midpoint(sorted[n / 2 - 1], sorted[n / 2]),
        n => sorted[n / 2],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x_m: f64, theta_rad: f64) -> Pose {
        Pose {
            x_m,
            theta_rad,
            ..Pose::default()
        }
    }

    /// Three stored places 1 m apart; four queries, worked out by hand.
    #[test]
    fn four_queries_by_hand() {
        let stored = [at(0.0, 0.0), at(1.0, 0.0), at(2.0, 0.0)];
        // Near 0; near 1 but best at 2; near none; near 2 but looking elsewhere (30°).
        let queries = [at(0.1, 0.0), at(1.2, 0.0), at(1.5, 0.0), at(2.0, 0.5)];
        let rows = vec![0.9, 0.5, 0.1, 0.2, 0.6, 0.7, 0.1, 0.2, 0.3, -0.5, 0.0, 0.8];
        let likeness = Likeness::from_rows(rows, 3).unwrap();
        let tolerance = Tolerance::default();
        let matches = Recognition::matches(&likeness, &queries, &stored, tolerance).unwrap();
        let best: Vec<usize> = matches.iter().map(|m| m.best).collect();
        assert_eq!(best, [0, 2, 2, 2]);
        let right: Vec<(bool, bool, bool)> = matches
            .iter()
            .map(|m| (m.possible, m.right_of_1, m.right_of_5))
            .collect();
        let none = (false, false, false);
        assert_eq!(right, [(true, true, true), (true, false, true), none, none]);
        assert!((matches[1].error_m - 0.8).abs() < 1e-12);
        assert!((matches[3].error_rad - 0.5).abs() < 1e-12);
        let figures = Recognition::of(&matches);
        assert_eq!((figures.queries, figures.possible), (4, 2));
        assert_eq!(figures.recall_at_1, 0.5);
        assert_eq!(figures.recall_at_5, 1.0);
        // Scores 0.9 right, 0.8 and 0.7 and 0.3 wrong, two possible: 0.5 * 1.
        assert_eq!(figures.precision_recall_area, 0.5);
        assert!((figures.mean_error_m - (0.1 + 0.8 + 0.5) / 4.0).abs() < 1e-12);
        assert!((figures.median_error_m - 0.3).abs() < 1e-12);
    }

    #[test]
    fn a_sample_is_not_compared_with_itself() {
        let poses = [at(0.0, 0.0), at(1.0, 0.0), at(3.0, 0.0)];
        // Rows without themselves: 0: 1 3 against .2 .7; 1: 1 2 against .2 .1; 2: 3 2
        // against .7 .1. So 1, -1 and 1.
        let likeness = vec![1.0, 0.8, 0.3, 0.8, 1.0, 0.9, 0.3, 0.9, 1.0];
        let likeness = Likeness::from_rows(likeness, 3).unwrap();
        let mean = mean_spearman(&likeness, &poses).unwrap().unwrap();
        assert!((mean - 1.0 / 3.0).abs() < 1e-12);
        assert!(mean_spearman(&likeness, &poses[..2]).is_err());
    }

    #[test]
    fn poses_that_do_not_fit_are_refused() {
        let likeness = Likeness::from_rows(vec![0.0; 4], 2).unwrap();
        let poses = [Pose::default(); 3];
        let tolerance = Tolerance::default();
        let refused = Recognition::matches(&likeness, &poses, &poses[..2], tolerance);
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("2 x 2 likenesses for 3 queries"), "{text}");
        assert!(Recognition::of(&[]).recall_at_1.is_nan());
    }
}
