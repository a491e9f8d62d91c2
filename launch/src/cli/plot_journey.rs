//! `saccade plot journey`: a journey of `path_integration` out of a recording.

use super::{CliError, CliResult, Exit, print_line};
use crate::plots::{self, JourneyPage, LineChart, Series};
use crate::report::Journeys;
use saccade_msgs::Message;
use saccade_msgs::geometry_msgs::PoseWithCovarianceStamped;
use saccade_msgs::nav_msgs::{Odometry, Path};
use saccade_msgs::saccade_msgs::JourneyResult;
use saccade_msgs::std_msgs::Float32MultiArray;
use saccade_nodes::Payload;
use saccade_rosbags::{BagReader, RawMessage};
use std::path::{Path as FilePath, PathBuf};

/// Arguments of `saccade plot journey`.
#[derive(Debug, clap::Args)]
pub(super) struct JourneyArgs {
    /// A recording of launch/path_integration.launch.xml (record:=true).
    input: PathBuf,
    /// The picture (.png).
    #[arg(long, short)]
    out: PathBuf,
    /// Which of its journeys, from 1.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    journey: u32,
}

/// What a recording holds of one journey. Times are of the recording's clock, in s.
#[derive(Default)]
struct Seen {
    journeys: Journeys,
    begin: Option<(f64, f64)>,
    truth: Vec<(f64, f64)>,
    memory: Vec<(f64, f64)>,
    /// Two standard deviations around it.
    band: Vec<(f64, f64, f64)>,
    bump: Vec<(f64, Vec<f32>)>,
    cells: Vec<(f64, Vec<f32>)>,
}

/// Draws a journey and prints where it is.
pub(super) fn run(args: &JourneyArgs) -> CliResult {
    let page = page(&args.input, args.journey)?;
    plots::save(&page, &args.out)?;
    print_line(args.out.display())?;
    Ok(Exit::Success)
}

fn page(path: &FilePath, wanted: u32) -> Result<JourneyPage, CliError> {
    let mut bag = BagReader::open(path)?;
    let (mut seen, mut ended) = (Seen::default(), 0);
    while let Some(message) = bag.next_message()? {
        let over = seen.take(&message, path)?;
        if over && ended + 1 == wanted {
            break;
        }
        if over {
            ended += 1;
            seen = Seen::default();
        }
    }
    if ended + 1 < wanted || seen.truth.is_empty() {
        return Err(CliError::failed(format!(
            "{}: {ended} journeys ended and of journey {wanted} there is nothing; record one \
             with `saccade launch launch/path_integration.launch.xml record:=true`",
            path.display()
        )));
    }
    Ok(seen.page())
}

impl Seen {
    /// Takes a message; says whether it ends the journey.
    fn take(&mut self, message: &RawMessage, path: &FilePath) -> Result<bool, CliError> {
        let at_s = message.stamp_ns as f64 * 1e-9;
        let topic = message.topic();
        match message.type_name() {
            Odometry::TYPE_NAME if topic.starts_with("/ground_truth/") => {
                let odometry: Odometry = message.decode(path)?;
                let p = odometry.pose.pose.position;
                let begin = *self.begin.get_or_insert((p.x, p.y));
                let far_m = (p.x - begin.0).hypot(p.y - begin.1);
                self.truth.push((at_s, far_m));
                self.journeys.message(topic, &Payload::new(odometry));
            }
            Path::TYPE_NAME => {
                let way: Path = message.decode(path)?;
                self.journeys.message(topic, &Payload::new(way));
            }
            PoseWithCovarianceStamped::TYPE_NAME if topic.ends_with("/home_vector") => {
                let home: PoseWithCovarianceStamped = message.decode(path)?;
                let p = home.pose.pose.position;
                let far_m = p.x.hypot(p.y);
                let variance = home.pose.covariance[0].max(home.pose.covariance[7]);
                let spread_m = 2.0 * variance.max(0.0).sqrt();
                self.memory.push((at_s, far_m));
                self.band.push((at_s, far_m - spread_m, far_m + spread_m));
            }
            Float32MultiArray::TYPE_NAME if topic.ends_with("/bump") => {
                let array: Float32MultiArray = message.decode(path)?;
                self.bump.push((at_s, array.data));
            }
            Float32MultiArray::TYPE_NAME if topic.ends_with("/memory") => {
                let array: Float32MultiArray = message.decode(path)?;
                self.cells.push((at_s, array.data));
            }
            JourneyResult::TYPE_NAME => {
                let result: JourneyResult = message.decode(path)?;
                self.journeys.message(topic, &Payload::new(result));
                return Ok(true);
            }
            _ => {}
        }
        Ok(false)
    }

    fn page(self) -> JourneyPage {
        let begin_s = self.truth.first().map_or(0.0, |t| t.0);
        let since = |points: Vec<(f64, f64)>| -> Vec<(f64, f64)> {
            points.into_iter().map(|(t, y)| (t - begin_s, y)).collect()
        };
        let mut memory = Series::new(
            2,
            "by the memory, ± 2 standard deviations",
            since(self.memory),
        );
        let band = self.band.into_iter();
        memory.band = band
            .map(|(t, low, high)| (t - begin_s, low, high))
            .collect();
        let distance = LineChart {
            title: "Distance from home".into(),
            x_label: "time (s)".into(),
            y_label: "distance (m)".into(),
            series: vec![memory, Series::new(0, "true", since(self.truth))],
            ..LineChart::default()
        };
        JourneyPage {
            track: self.journeys.last_track().chart(),
            distance,
            bump: plots::strip(
                "Heading neurons (TB1)",
                "a row for each of the eight, time to the right as above; dark for little: \
                 they are low where the robot looks",
                &self.bump,
            ),
            memory: plots::strip(
                "Memory neurons (CPU4)",
                "a row for each of the sixteen, two rings of eight; all alike at home",
                &self.cells,
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use saccade_rosbags::BagWriter;

    /// Two journeys of a few messages, the second with no end.
    fn recording(path: &FilePath) {
        let mut bag = BagWriter::mcap(path).expect("creates");
        for second in 0..20_i64 {
            let at_ns = second * 1_000_000_000;
            let mut truth = Odometry::default();
            truth.pose.pose.position.x = (second % 10) as f64;
            bag.write("/ground_truth/odom", at_ns, &truth)
                .expect("writes");
            let mut home = PoseWithCovarianceStamped::default();
            home.pose.pose.position.y = (second % 10) as f64 + 0.5;
            home.pose.covariance[7] = 4.0;
            bag.write("/home_vector", at_ns, &home).expect("writes");
            for (topic, n) in [("/bump", 8), ("/memory", 16)] {
                let array = Float32MultiArray {
                    data: vec![second as f32; n],
                    ..Float32MultiArray::default()
                };
                bag.write(topic, at_ns, &array).expect("writes");
            }
            if second == 9 {
                let result = JourneyResult {
                    journey: 1,
                    out_length_m: 5.0,
                    ..JourneyResult::default()
                };
                bag.write("/journeys", at_ns, &result).expect("writes");
            }
        }
        bag.finish().expect("finishes");
    }

    #[test]
    fn a_recording_has_a_page_for_each_journey() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.mcap");
        recording(&path);
        for (journey, title) in [(1, "Journey 1: 5.0 m out"), (2, "")] {
            let page = page(&path, journey).expect("is there");
            assert!(page.track.title.starts_with(title), "{}", page.track.title);
            let [memory, truth] = &page.distance.series[..] else {
                panic!("two curves");
            };
            assert_eq!(truth.points[9], (9.0, 9.0));
            assert_eq!(memory.points[9], (9.0, 9.5));
            assert_eq!(memory.band[9], (9.0, 5.5, 13.5));
            let first = f64::from(journey - 1) * 10.0;
            assert_eq!(page.bump.values[0], first);
            assert!(plots::render(&page).is_ok());
        }
        let error = page(&path, 3).expect_err("there is none");
        let error = format!("{error:?}");
        assert!(error.contains("journey 3"), "{error}");
    }
}
