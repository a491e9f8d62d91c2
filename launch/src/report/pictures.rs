//! The pictures of one trial.

use super::collector::{Detail, SACCADE_NS};
use super::summary::Trial;
use crate::plots::{EventImage, LineChart, Marker, Overview, Photo, Raster, Series, Span, theme};
use image::RgbImage;
use saccade_msgs::sensor_msgs::Image;

/// Later the image moves back over itself, and ON and OFF would mix to grey.
const SHOWN_MS: u64 = 100;
/// Least height of the arm's chart, so that an arm at rest is seen to rest.
const LEAST_RAD: f64 = 1.0;

/// Everything that can be drawn of a trial.
pub fn overview(detail: &Detail, trial: &Trial) -> Overview {
    let decided = match trial.decision.as_str() {
        "" => "no decision".to_owned(),
        name => format!("decided {name} after {:.0} ms", 1e3 * trial.decision_time_s),
    };
    let verdict = if trial.success { "success" } else { "failure" };
    Overview {
        title: format!(
            "Trial {}: {}, {decided}, {verdict}",
            trial.trial, trial.truth
        ),
        subtitle: format!(
            "{} · confidence {:.2} · lifted {:.3} m, held {:.2} s · texture {} · seed {}",
            trial.reason, trial.confidence, trial.lift_m, trial.held_s, trial.texture, trial.seed
        ),
        success: trial.success,
        before: photo(
            "Head camera before the grasp",
            detail.before.as_deref(),
            detail,
        ),
        after: photo(after_title(detail), detail.after.as_deref(), detail),
        events: event_image(detail),
        raster: raster(detail, trial),
        evidence: evidence(detail, trial),
        arm: arm(detail),
    }
}

fn after_title(detail: &Detail) -> &'static str {
    let held = detail.states.iter().any(|s| s.1 == "holding");
    if held {
        "Head camera, end of holding"
    } else {
        "Head camera at the end"
    }
}

fn start_ns(detail: &Detail) -> i64 {
    detail.range_ns.map_or(0, |r| r.0)
}

fn photo(title: &str, image: Option<&Image>, detail: &Detail) -> Option<Photo> {
    let image = image?;
    let since = (image.header.stamp.to_ns() - start_ns(detail)) as f64 * 1e-9;
    Some(Photo {
        title: title.to_owned(),
        caption: format!(
            "{}×{} pixels · {since:.2} s after the trial's start",
            image.width, image.height
        ),
        image: pixels(image)?,
    })
}

/// Pixels of an `rgb8` or `mono8` image; `None` where the fields contradict
/// one another.
pub fn pixels(image: &Image) -> Option<RgbImage> {
    let (width, height, step) = (
        image.width as usize,
        image.height as usize,
        image.step as usize,
    );
    let channels = match image.encoding.as_str() {
        "rgb8" | "bgr8" => 3,
        "mono8" => 1,
        _ => return None,
    };
    let row_bytes = width.checked_mul(channels)?;
    if width == 0
        || height == 0
        || step < row_bytes
        || image.data.len() < step.checked_mul(height)?
    {
        return None;
    }
    let mut bytes = Vec::with_capacity(width * height * 3);
    for row in image.data.chunks(step).take(height) {
        match image.encoding.as_str() {
            "rgb8" => bytes.extend_from_slice(&row[..row_bytes]),
            "bgr8" => bytes.extend(
                row[..row_bytes]
                    .chunks_exact(3)
                    .flat_map(|p| [p[2], p[1], p[0]]),
            ),
            _ => bytes.extend(row[..row_bytes].iter().flat_map(|&v| [v; 3])),
        }
    }
    RgbImage::from_raw(image.width, image.height, bytes)
}

fn event_image(detail: &Detail) -> Option<EventImage> {
    if detail.events.is_empty() {
        return None;
    }
    let title = format!("Events of the saccade's first {SHOWN_MS} ms");
    let mut image = EventImage::new(title, detail.sensor.0, detail.sensor.1).ok()?;
    let end_us = u64::try_from(detail.onset_ns? / 1000).ok()? + SHOWN_MS * 1000;
    image.add(detail.events.iter().filter(|e| e.t_us < end_us).copied());
    Some(image)
}

/// Milliseconds since the saccade's onset.
fn since_onset_ms(detail: &Detail, t_ns: i64) -> f64 {
    (t_ns - detail.onset_ns.unwrap_or(0)) as f64 * 1e-6
}

fn raster(detail: &Detail, trial: &Trial) -> Option<Raster> {
    if detail.neurons == 0 || detail.onset_ns.is_none() {
        return None;
    }
    let decided = Marker {
        at: 1e3 * trial.decision_time_s,
        label: "decided".into(),
    };
    Some(Raster {
        title: "Spikes of the recurrent neurons".into(),
        x_label: "time since saccade onset (ms)".into(),
        spikes: detail
            .spikes
            .iter()
            .map(|&(t, id)| (since_onset_ms(detail, t), id))
            .collect(),
        neurons: detail.neurons,
        range_ms: (0.0, saccade_ms(detail)),
        groups: Vec::new(),
        times: if trial.decision.is_empty() {
            Vec::new()
        } else {
            vec![decided]
        },
    })
}

/// How long there was something to see after the onset, ms.
fn saccade_ms(detail: &Detail) -> f64 {
    let last = detail
        .probabilities
        .last()
        .map(|p| since_onset_ms(detail, p.0));
    last.unwrap_or(SACCADE_NS as f64 * 1e-6).max(10.0)
}

fn evidence(detail: &Detail, trial: &Trial) -> Option<LineChart> {
    if detail.probabilities.is_empty() {
        return None;
    }
    let curve = |k: usize| {
        let value = |(t, p): &(i64, Vec<f32>)| {
            (
                since_onset_ms(detail, *t),
                p.get(k).map_or(f64::NAN, |v| f64::from(*v)),
            )
        };
        detail.probabilities.iter().map(value).collect()
    };
    let series = detail
        .classes
        .iter()
        .enumerate()
        .map(|(k, name)| Series::new(k, name, curve(k)));
    let time = (!trial.decision.is_empty()).then(|| Marker {
        at: 1e3 * trial.decision_time_s,
        label: format!("decided: {} ({:.2})", trial.decision, trial.confidence),
    });
    Some(LineChart {
        title: "Class evidence".into(),
        x_label: "time since saccade onset (ms)".into(),
        y_label: "probability".into(),
        x_range: Some((0.0, saccade_ms(detail))),
        y_range: Some((0.0, 1.0)),
        series: series.collect(),
        times: time.into_iter().collect(),
        ..LineChart::default()
    })
}

fn arm(detail: &Detail) -> Option<LineChart> {
    if detail.joints.is_empty() {
        return None;
    }
    let start = start_ns(detail);
    let seconds = |t: i64| (t - start) as f64 * 1e-9;
    let curve = |k: usize| {
        let value = |(t, q): &(i64, Vec<f64>)| (seconds(*t), q.get(k).copied().unwrap_or(f64::NAN));
        detail.joints.iter().map(value).collect()
    };
    let short = |name: &str| name.trim_end_matches("_joint").to_owned();
    let series = detail
        .joint_names
        .iter()
        .enumerate()
        .map(|(k, n)| Series::new(k, short(n), curve(k)));
    let end = detail.range_ns.map_or(start, |r| r.1);
    let ends = detail.states.iter().skip(1).map(|s| s.0).chain([end]);
    let spans = detail
        .states
        .iter()
        .zip(ends)
        .enumerate()
        .map(|(i, ((from, name), to))| Span {
            range: (seconds(*from), seconds(to)),
            label: name.clone(),
            color: theme::series_color(i + 1),
        });
    Some(LineChart {
        title: "Arm joints and states of the grasp".into(),
        x_label: "time since the trial's start (s)".into(),
        y_label: "position (rad)".into(),
        x_range: Some((0.0, seconds(end))),
        y_range: Some(joint_range(detail)),
        series: series.collect(),
        spans: spans.collect(),
        ..LineChart::default()
    })
}

/// The joints' positions with some room around, rad.
fn joint_range(detail: &Detail) -> (f64, f64) {
    let all = || {
        detail
            .joints
            .iter()
            .flat_map(|(_, q)| q)
            .copied()
            .filter(|q| q.is_finite())
    };
    let (low, high) = all().fold((f64::INFINITY, f64::NEG_INFINITY), |r, q| {
        (r.0.min(q), r.1.max(q))
    });
    if low > high {
        return (-LEAST_RAD / 2.0, LEAST_RAD / 2.0);
    }
    let half = (0.55 * (high - low)).max(LEAST_RAD / 2.0);
    ((low + high) / 2.0 - half, (low + high) / 2.0 + half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_converted_and_nonsense_is_refused() {
        let image = |encoding: &str, step, data: Vec<u8>| Image {
            width: 2,
            height: 1,
            step,
            encoding: encoding.into(),
            data,
            ..Image::default()
        };
        let rgb =
            pixels(&image("rgb8", 7, vec![1, 2, 3, 4, 5, 6, 0])).expect("padded rows are fine");
        assert_eq!(rgb.into_raw(), [1, 2, 3, 4, 5, 6]);
        let bgr = pixels(&image("bgr8", 6, vec![1, 2, 3, 4, 5, 6])).expect("fits");
        assert_eq!(bgr.into_raw(), [3, 2, 1, 6, 5, 4]);
        assert!(pixels(&image("rgb8", 6, vec![0; 5])).is_none());
        assert!(pixels(&image("rgb8", 3, vec![0; 6])).is_none());
        assert!(pixels(&image("16UC1", 4, vec![0; 4])).is_none());
        let huge = Image {
            width: u32::MAX,
            height: u32::MAX,
            step: u32::MAX,
            encoding: "mono8".into(),
            ..Image::default()
        };
        assert!(pixels(&huge).is_none());
    }
}
