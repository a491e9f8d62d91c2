//! Statistics of order: Spearman's correlation, precision against recall, and the area
//! under a receiver's operating curve.

/// Ranks from 1; equal values share the mean of the ranks that they take.
pub fn mean_ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_unstable_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    while start < order.len() {
        let same = |&&k: &&usize| values[k] == values[order[start]];
        let end = start + order[start..].iter().take_while(same).count().max(1);
        for &k in &order[start..end] {
            ranks[k] = (start + 1 + end) as f64 / 2.0;
        }
        start = end;
    }
    ranks
}

/// Spearman's rank correlation, -1 to 1; none where fewer than two pairs are given or
/// all values of one side are equal.
pub fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    let n = a.len();
    if n < 2 || b.len() != n {
        return None;
    }
    // The mean rank is (n + 1) / 2 whatever the ties.
    let middle = (n + 1) as f64 / 2.0;
    let (mut ab, mut aa, mut bb) = (0.0, 0.0, 0.0);
    for (a, b) in mean_ranks(a).into_iter().zip(mean_ranks(b)) {
        let (a, b) = (a - middle, b - middle);
        ab += a * b;
        aa += a * a;
        bb += b * b;
    }
    (aa > 0.0 && bb > 0.0).then(|| ab / (aa * bb).sqrt())
}

/// Precision and recall of answers that are given where their score reaches a threshold.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PrecisionRecall {
    /// (recall, precision), from the highest threshold to the lowest.
    pub points: Vec<(f64, f64)>,
    /// Average precision: the sum of precision times the growth of recall.
    pub area: f64,
}

impl PrecisionRecall {
    /// Of answers with their scores, which are right or not; `positives` right ones could
    /// have been given. Equal scores pass a threshold together.
    pub fn of(answers: &[(f64, bool)], positives: usize) -> Self {
        let mut sorted = answers.to_vec();
        sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
        let mut curve = PrecisionRecall::default();
        if positives == 0 {
            return curve;
        }
        let (mut given, mut right, mut recall_before) = (0_usize, 0_usize, 0.0);
        for same in sorted.chunk_by(|a, b| a.0 == b.0) {
            given += same.len();
            right += same.iter().filter(|a| a.1).count();
            let precision = right as f64 / given as f64;
            let recall = right as f64 / positives as f64;
            curve.area += (recall - recall_before) * precision;
            recall_before = recall;
            curve.points.push((recall, precision));
        }
        curve
    }
}

/// Probability that a score of `high` is above one of `low`, equal ones counting half:
/// the area under the receiver's operating curve. None where one of them is empty.
pub fn roc_area(high: &[f64], low: &[f64]) -> Option<f64> {
    if high.is_empty() || low.is_empty() {
        return None;
    }
    let ranks = mean_ranks(&[high, low].concat());
    let n = high.len() as f64;
    let sum: f64 = ranks[..high.len()].iter().sum();
    Some((sum - n * (n + 1.0) / 2.0) / (n * low.len() as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What scipy 1.17.1 and scikit-learn 1.9.1 say:
    ///
    /// ```python
    /// a = [.3, 1.2, .3, -2, 5.5, .7, .3, 2.2]
    /// b = [1, .5, .9, 0, .5, 3, -1, 2]
    /// scipy.stats.spearmanr(a, b).statistic, scipy.stats.rankdata(a)
    /// s = [.9, .8, .8, .7, .6, .55, .5, .3, .3, .1]
    /// y = [1, 1, 0, 0, 1, 0, 1, 0, 1, 0]
    /// sklearn.metrics.average_precision_score(y, s), sklearn.metrics.roc_auc_score(y, s)
    /// ```
    #[test]
    fn as_scipy_and_scikit_learn() {
        let a = [0.3, 1.2, 0.3, -2.0, 5.5, 0.7, 0.3, 2.2];
        let b = [1.0, 0.5, 0.9, 0.0, 0.5, 3.0, -1.0, 2.0];
        assert_eq!(mean_ranks(&a), [3.0, 6.0, 3.0, 1.0, 8.0, 5.0, 3.0, 7.0]);
        assert!((spearman(&a, &b).unwrap() - 0.343_616_485_571_671_2).abs() < 1e-12);
        let s = [0.9, 0.8, 0.8, 0.7, 0.6, 0.55, 0.5, 0.3, 0.3, 0.1];
        let y = [1, 1, 0, 0, 1, 0, 1, 0, 1, 0].map(|y| y == 1);
        let answers: Vec<(f64, bool)> = s.into_iter().zip(y).collect();
        let curve = PrecisionRecall::of(&answers, 5);
        assert!((curve.area - 0.678_730_158_730_158_9).abs() < 1e-12);
        let of = |right| answers.iter().filter(move |a| a.1 == right).map(|a| a.0);
        let (high, low): (Vec<f64>, Vec<f64>) = (of(true).collect(), of(false).collect());
        assert!((roc_area(&high, &low).unwrap() - 0.64).abs() < 1e-12);
    }

    #[test]
    fn spearman_by_hand() {
        assert_eq!(spearman(&[1.0, 2.0, 9.0], &[5.0, 6.0, 7.0]), Some(1.0));
        assert_eq!(spearman(&[1.0, 2.0, 9.0], &[7.0, 6.0, 5.0]), Some(-1.0));
        // Ranks 1 2 3 and 1 3 2: deviations (-1, 0, 1) and (-1, 1, 0).
        assert_eq!(spearman(&[1.0, 2.0, 9.0], &[0.0, 8.0, 7.0]), Some(0.5));
        // Ranks 1.5 1.5 3 and 1 2 3: 1.5 / sqrt(1.5 * 2).
        let tied = spearman(&[4.0, 4.0, 9.0], &[1.0, 2.0, 3.0]).unwrap();
        assert!((tied - 0.75_f64.sqrt()).abs() < 1e-15);
        assert_eq!(spearman(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(spearman(&[1.0], &[1.0]), None);
    }

    #[test]
    fn precision_and_recall_by_hand() {
        // Right, wrong, right, and a fourth that nobody gave an answer for.
        let answers = [(0.5, false), (0.9, true), (0.1, true)];
        let curve = PrecisionRecall::of(&answers, 4);
        assert_eq!(curve.points, [(0.25, 1.0), (0.25, 0.5), (0.5, 2.0 / 3.0)]);
        assert!((curve.area - (0.25 + 0.25 * 2.0 / 3.0)).abs() < 1e-15);
        assert_eq!(PrecisionRecall::of(&answers, 0).area, 0.0);
        assert_eq!(roc_area(&[2.0, 3.0], &[1.0, 2.0]), Some(0.875));
        assert_eq!(roc_area(&[], &[1.0]), None);
    }
}
