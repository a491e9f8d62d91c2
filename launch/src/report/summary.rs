//! What came of a run's trials, in figures.

use saccade_msgs::CLASSES;
use saccade_msgs::saccade_msgs::TrialResult;
use serde::Serialize;

/// The class of an empty table.
const NOTHING: &str = "background";

/// The verdict on one trial.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Trial {
    /// Its number, from 1.
    pub trial: u32,
    /// The seed of its scene.
    pub seed: u64,
    /// What lay there.
    pub truth: String,
    /// Name of the table's texture.
    pub texture: String,
    /// What the robot decided for; empty where it did not decide.
    pub decision: String,
    /// Probability of the decision.
    pub confidence: f32,
    /// Time from the saccade's onset to the decision, s.
    pub decision_time_s: f64,
    /// What the robot did.
    pub outcome: String,
    /// Why the verdict is what it is.
    pub reason: String,
    /// The verdict.
    pub success: bool,
    /// Whether an arm joint moved.
    pub moved: bool,
    /// How high the object rose, m.
    pub lift_m: f64,
    /// How long it stayed up, s.
    pub held_s: f64,
    /// End of the trial, ROS time in s.
    pub end_s: f64,
}

impl From<&TrialResult> for Trial {
    fn from(t: &TrialResult) -> Self {
        Trial {
            trial: t.trial,
            seed: t.seed,
            truth: t.truth.clone(),
            texture: t.texture.clone(),
            decision: t.decision.clone(),
            confidence: t.confidence,
            decision_time_s: t.decision_time_s,
            outcome: t.outcome.clone(),
            reason: t.reason.clone(),
            success: t.success,
            moved: t.moved,
            lift_m: t.lift_m,
            held_s: t.held_s,
            end_s: t.header.stamp.to_ns() as f64 * 1e-9,
        }
    }
}

/// A share of successes with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    /// Successes.
    pub successes: u64,
    /// Trials.
    pub trials: u64,
    /// Their ratio; absent without trials.
    pub rate: Option<f64>,
    /// 95 % confidence interval (Wilson 1927); 0 to 1 without trials.
    pub interval: (f64, f64),
}

impl Rate {
    /// Of `successes` in `trials`.
    pub fn new(successes: u64, trials: u64) -> Self {
        let rate = (trials > 0).then(|| successes as f64 / trials as f64);
        Rate {
            successes,
            trials,
            rate,
            interval: wilson(successes, trials),
        }
    }

    fn of<'a>(trials: impl Iterator<Item = &'a Trial>, good: impl Fn(&Trial) -> bool) -> Self {
        let (mut n, mut k) = (0, 0);
        for trial in trials {
            n += 1;
            k += u64::from(good(trial));
        }
        Rate::new(k, n)
    }
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.rate {
            None => write!(f, "no trials"),
            Some(rate) => {
                let (low, high) = self.interval;
                let percent = |x: f64| 100.0 * x;
                write!(
                    f,
                    "{}/{} = {:.1} % (95 %: {:.1} to {:.1} %)",
                    self.successes,
                    self.trials,
                    percent(rate),
                    percent(low),
                    percent(high)
                )
            }
        }
    }
}

/// Wilson's score interval at 95 %.
fn wilson(successes: u64, trials: u64) -> (f64, f64) {
    if trials == 0 {
        return (0.0, 1.0);
    }
    const Z: f64 = 1.959_963_984_540_054;
    let n = trials as f64;
    let p = successes as f64 / n;
    let centre = p + Z * Z / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (
        ((centre - spread) / scale).max(0.0),
        ((centre + spread) / scale).min(1.0),
    )
}

/// All trials of a run in figures.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Summary {
    /// Grasps over all trials with an object; refusal, wrong class, timeout
    /// and drop count as failures.
    pub grasped: Rate,
    /// The same by class.
    pub by_class: Vec<(String, Rate)>,
    /// Trials with nothing on the table in which an arm joint moved.
    pub false_motions: Rate,
    /// Those of them in which the decision was `background`.
    pub motions_after_background: u64,
    /// Right decisions over all trials.
    pub classified: Rate,
    /// Decisions by truth: row = truth, column = decision, the last column is
    /// no decision; classes in the order of `classes`.
    pub confusion: Vec<Vec<u64>>,
    /// Class names.
    pub classes: Vec<String>,
    /// Median time from the saccade's onset to a decision, s.
    pub decision_time_median_s: Option<f64>,
    /// The longest such time, s.
    pub decision_time_max_s: Option<f64>,
}

impl Summary {
    /// Sums trials up.
    pub fn new(trials: &[Trial]) -> Self {
        let classes: Vec<String> = CLASSES.iter().map(|c| (*c).to_owned()).collect();
        let objects = || trials.iter().filter(|t| t.truth != NOTHING);
        let nothing = || trials.iter().filter(|t| t.truth == NOTHING);
        let by_class = classes.iter().filter(|c| *c != NOTHING).map(|c| {
            (
                c.clone(),
                Rate::of(objects().filter(|t| t.truth == *c), |t| t.success),
            )
        });
        let column = |name: &str| {
            classes
                .iter()
                .position(|c| c == name)
                .unwrap_or(classes.len())
        };
        let mut confusion = vec![vec![0; classes.len() + 1]; classes.len()];
        for trial in trials {
            if let Some(row) = confusion.get_mut(column(&trial.truth)) {
                row[column(&trial.decision)] += 1;
            }
        }
        let mut times: Vec<f64> = trials
            .iter()
            .filter(|t| !t.decision.is_empty())
            .map(|t| t.decision_time_s)
            .collect();
        times.sort_by(f64::total_cmp);
        Summary {
            grasped: Rate::of(objects(), |t| t.success),
            by_class: by_class.collect(),
            false_motions: Rate::of(nothing(), |t| t.moved),
            motions_after_background: nothing()
                .filter(|t| t.moved && t.decision == NOTHING)
                .count() as u64,
            classified: Rate::of(trials.iter(), |t| t.decision == t.truth),
            confusion,
            classes,
            decision_time_median_s: times.get(times.len() / 2).copied(),
            decision_time_max_s: times.last().copied(),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub fn trial(truth: &str, decision: &str, success: bool) -> Trial {
        let message = TrialResult {
            truth: truth.into(),
            decision: decision.into(),
            success,
            moved: success,
            decision_time_s: 0.2,
            ..TrialResult::default()
        };
        Trial::from(&message)
    }

    #[test]
    fn interval_agrees_with_published_values() {
        // Newcombe 1998, table I, method 3 (Wilson): 81/263, 15/148, 0/20, 1/29.
        for (k, n, low, high) in [
            (81, 263, 0.2553, 0.3662),
            (15, 148, 0.0624, 0.1605),
            (0, 20, 0.0, 0.1611),
            (1, 29, 0.0061, 0.1718),
        ] {
            let (a, b) = wilson(k, n);
            assert!(
                (a - low).abs() < 5e-5 && (b - high).abs() < 5e-5,
                "{k}/{n}: {a} {b}"
            );
        }
        assert_eq!(wilson(0, 0), (0.0, 1.0));
    }

    #[test]
    fn refusals_and_wrong_classes_count_as_failures() {
        let trials = [
            trial("ball", "ball", true),
            trial("ball", "", false),
            trial("pen", "ball", false),
            trial("background", "background", true),
            trial("background", "pen", true),
        ];
        let summary = Summary::new(&trials);
        assert_eq!((summary.grasped.successes, summary.grasped.trials), (1, 3));
        assert_eq!(
            (
                summary.false_motions.successes,
                summary.false_motions.trials
            ),
            (2, 2)
        );
        assert_eq!(summary.motions_after_background, 1);
        assert_eq!(summary.classified.successes, 2);
        assert_eq!(summary.confusion[0], [1, 0, 0, 0, 1]);
        assert_eq!(summary.confusion[2], [1, 0, 0, 0, 0]);
        assert_eq!(summary.by_class[1].1.rate, None);
    }
}
