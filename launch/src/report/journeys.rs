//! Journeys out and home: what is kept of them, their figures, and their picture.

use super::summary::Rate;
use crate::plots::{LineChart, Series};
use saccade_msgs::Message;
use saccade_msgs::nav_msgs::{Odometry, Path};
use saccade_msgs::saccade_msgs::JourneyResult;
use saccade_nodes::Payload;
use serde::Serialize;

/// Places of a track closer together than this are left out, m.
const SPACING_M: f64 = 0.05;
/// Most places of a track.
const MOST_PLACES: usize = 100_000;
/// Tracks that are kept: the first successes, and the first failures.
const KEPT: usize = 2;

/// The verdict on one journey.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Journey {
    /// Its number, from 1.
    pub journey: u32,
    /// The seed of its ground, wind and noise.
    pub seed: u64,
    /// Length of the way out, m.
    pub out_length_m: f64,
    /// Distance from home at the turn, m.
    pub out_distance_m: f64,
    /// Length of the way home, m.
    pub home_length_m: f64,
    /// Distance from home at the end, m.
    pub end_distance_m: f64,
    /// The same as a share of the way out.
    pub error: f64,
    /// From the turn to the end, s.
    pub home_time_s: f64,
    /// What the robot says.
    pub outcome: String,
    /// Why the verdict is what it is.
    pub reason: String,
    /// The verdict.
    pub success: bool,
}

impl From<&JourneyResult> for Journey {
    fn from(j: &JourneyResult) -> Self {
        Journey {
            journey: j.journey,
            seed: j.seed,
            out_length_m: j.out_length_m,
            out_distance_m: j.out_distance_m,
            home_length_m: j.home_length_m,
            end_distance_m: j.end_distance_m,
            error: j.error,
            home_time_s: j.home_time_s,
            outcome: j.outcome.clone(),
            reason: j.reason.clone(),
            success: j.success,
        }
    }
}

impl Journey {
    /// Names of the columns of [`Journey::line`].
    pub fn heading() -> String {
        format!(
            "{:>7}  {:>7}  {:>7}  {:>7}  {:>7}  {:>7}  {:<8}why",
            "journey", "out", "away", "home", "missed", "error", "result"
        )
    }

    /// The journey in one line.
    pub fn line(&self) -> String {
        format!(
            "{:>7}  {:>5.1} m  {:>5.1} m  {:>5.1} m  {:>5.2} m  {:>5.2} %  {:<8}{}",
            self.journey,
            self.out_length_m,
            self.out_distance_m,
            self.home_length_m,
            self.end_distance_m,
            100.0 * self.error,
            if self.success { "home" } else { "FAILED" },
            self.reason
        )
    }
}

/// Figures of many journeys.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JourneySummary {
    /// Came home.
    pub home: Rate,
    /// Mean distance from home at the end, as a share of the way out.
    pub error_mean: f64,
    /// Its median.
    pub error_median: f64,
    /// What 95 % stay below.
    pub error_95: f64,
    /// Mean length of the ways out, m.
    pub out_length_mean_m: f64,
    /// The shortest of them.
    pub out_length_least_m: f64,
    /// Mean distance from home at the turn, m.
    pub out_distance_mean_m: f64,
    /// Length of all ways home over the distances they had to go.
    pub detour: f64,
}

impl JourneySummary {
    /// Of these; `None` where there is none.
    pub fn new(journeys: &[Journey]) -> Option<Self> {
        let n = journeys.len();
        if n == 0 {
            return None;
        }
        let sum = |f: fn(&Journey) -> f64| journeys.iter().map(f).sum::<f64>();
        let mut errors: Vec<f64> = journeys.iter().map(|j| j.error).collect();
        errors.sort_by(f64::total_cmp);
        let rank = |share: f64| errors[((share * n as f64).ceil() as usize).clamp(1, n) - 1];
        let home = journeys.iter().filter(|j| j.success).count();
        let least = |least: f64, j: &Journey| least.min(j.out_length_m);
        Some(JourneySummary {
            home: Rate::new(home as u64, n as u64),
            error_mean: sum(|j| j.error) / n as f64,
            error_median: rank(0.5),
            error_95: rank(0.95),
            out_length_mean_m: sum(|j| j.out_length_m) / n as f64,
            out_length_least_m: journeys.iter().fold(f64::INFINITY, least),
            out_distance_mean_m: sum(|j| j.out_distance_m) / n as f64,
            detour: sum(|j| j.home_length_m) / sum(|j| j.out_distance_m),
        })
    }

    /// For people.
    pub fn lines(&self) -> Vec<String> {
        let percent = |x: f64| 100.0 * x;
        vec![
            format!("came home    {}", self.home),
            format!(
                "missed by    {:.2} % of the way out on average, median {:.2} %, 95 % below {:.2} %",
                percent(self.error_mean),
                percent(self.error_median),
                percent(self.error_95)
            ),
            format!(
                "ways out     {:.1} m on average, {:.1} m at least; turned {:.1} m from home",
                self.out_length_mean_m, self.out_length_least_m, self.out_distance_mean_m
            ),
            format!("ways home    {:.2} times the distance", self.detour),
        ]
    }
}

/// The way of one journey, in m from where it began.
#[derive(Debug, Clone, Default)]
pub struct Track {
    /// The verdict.
    pub journey: Option<Journey>,
    truth: Vec<(f64, f64)>,
    memory: Vec<(f64, f64)>,
}

impl Track {
    /// The way out, the way home, and what the memory held.
    pub fn chart(&self) -> LineChart {
        let out_m = self.journey.as_ref().map_or(0.0, |j| j.out_length_m);
        let mut gone_m = 0.0;
        let steps = self.truth.windows(2);
        let turn = steps.take_while(|w| {
            let out = gone_m < out_m - 0.5 * SPACING_M;
            gone_m += (w[1].0 - w[0].0).hypot(w[1].1 - w[0].1);
            out
        });
        let turn = (turn.count() + 1).min(self.truth.len());
        let all = self.truth.iter().chain(&self.memory);
        let (mut low, mut high) = ([0.0_f64; 2], [0.0_f64; 2]);
        for &(x, y) in all {
            low = [low[0].min(x), low[1].min(y)];
            high = [high[0].max(x), high[1].max(y)];
        }
        // The same scale along both axes, as far as the picture is a square.
        let half = 0.55 * (high[0] - low[0]).max(high[1] - low[1]).max(1.0);
        let range = |k: usize| {
            let middle = 0.5 * (low[k] + high[k]);
            Some((middle - half, middle + half))
        };
        let title = self.journey.as_ref().map_or(String::new(), |j| {
            format!(
                "Journey {}: {:.1} m out, missed home by {:.2} m ({:.2} %)",
                j.journey,
                j.out_length_m,
                j.end_distance_m,
                100.0 * j.error
            )
        });
        LineChart {
            title,
            x_label: "x (m)".into(),
            y_label: "y (m)".into(),
            x_range: range(0),
            y_range: range(1),
            series: vec![
                Series::new(0, "out", self.truth[..turn].to_vec()),
                Series::new(1, "home", self.truth[turn.saturating_sub(1)..].to_vec()),
                Series::new(2, "by the memory", self.memory.clone()),
            ],
            ..LineChart::default()
        }
    }
}

/// What was seen of journeys.
#[derive(Debug, Default)]
pub struct Journeys {
    /// Verdicts in order.
    pub results: Vec<Journey>,
    /// The tracks of some.
    pub tracks: Vec<Track>,
    current: Track,
}

impl Journeys {
    /// Takes a message that a node published; a verdict is handed back.
    pub fn message(&mut self, topic: &str, payload: &Payload) {
        match payload.type_name() {
            Odometry::TYPE_NAME if topic.starts_with("/ground_truth/") => {
                if let Ok(odometry) = payload.get::<Odometry>() {
                    let p = odometry.pose.pose.position;
                    let far = self
                        .current
                        .truth
                        .last()
                        .is_none_or(|(x, y)| (x - p.x).hypot(y - p.y) >= SPACING_M);
                    if far && self.current.truth.len() < MOST_PLACES {
                        self.current.truth.push((p.x, p.y));
                    }
                }
            }
            Path::TYPE_NAME => {
                if let Ok(path) = payload.get::<Path>() {
                    let places = path.poses.iter().take(MOST_PLACES);
                    let places = places.map(|p| (p.pose.position.x, p.pose.position.y));
                    self.current.memory = places.collect();
                }
            }
            JourneyResult::TYPE_NAME => {
                if let Ok(result) = payload.get::<JourneyResult>() {
                    self.finish(Journey::from(result.as_ref()));
                }
            }
            _ => {}
        }
    }

    /// The track that was kept last, or the one under way where none was.
    pub fn last_track(&self) -> &Track {
        self.tracks.last().unwrap_or(&self.current)
    }

    fn finish(&mut self, journey: Journey) {
        let mut track = std::mem::take(&mut self.current);
        let alike = |t: &&Track| {
            t.journey
                .as_ref()
                .is_some_and(|j| j.success == journey.success)
        };
        if self.tracks.iter().filter(alike).count() < KEPT {
            track.journey = Some(journey.clone());
            self.tracks.push(track);
        }
        self.results.push(journey);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saccade_msgs::geometry_msgs::PoseStamped;

    /// 10 m out along x and half of it back.
    fn play(journeys: &mut Journeys, number: u32, error: f64) {
        for step in 0..150 {
            let x = f64::from(if step < 100 { step } else { 200 - step }) * 0.1;
            let mut truth = Odometry::default();
            truth.pose.pose.position.x = x;
            journeys.message("/ground_truth/odom", &Payload::new(truth.clone()));
            truth.pose.pose.position.x = 1000.0;
            journeys.message("/odom", &Payload::new(truth));
        }
        let mut path = Path::default();
        path.poses.push(PoseStamped::default());
        journeys.message("/path", &Payload::new(path));
        let result = JourneyResult {
            journey: number,
            out_length_m: 9.9,
            out_distance_m: 10.0,
            home_length_m: 5.0,
            error,
            success: error < 0.03,
            ..JourneyResult::default()
        };
        journeys.message("/journeys", &Payload::new(result));
    }

    #[test]
    fn figures_and_tracks_of_journeys() {
        let mut journeys = Journeys::default();
        assert_eq!(JourneySummary::new(&journeys.results), None);
        for number in 1..=20 {
            play(&mut journeys, number, f64::from(number) * 0.01);
        }
        let summary = JourneySummary::new(&journeys.results).expect("journeys");
        assert_eq!((summary.home.successes, summary.home.trials), (2, 20));
        assert!((summary.error_mean - 0.105).abs() < 1e-12);
        assert_eq!((summary.error_median, summary.error_95), (0.1, 0.19));
        assert_eq!((summary.out_length_least_m, summary.detour), (9.9, 0.5));
        assert_eq!(journeys.tracks.len(), 4, "two successes, two failures");
        let chart = journeys.tracks[0].chart();
        let last = |k: usize| chart.series[k].points.last().copied();
        assert_eq!(chart.series[0].points.len(), 100);
        assert!(last(0).is_some_and(|(x, _)| x == 9.9));
        assert!(last(1).is_some_and(|(x, _)| (x - 5.1).abs() < 1e-9));
        assert_eq!(last(2), Some((0.0, 0.0)));
    }
}
