//! Where `grasp_affordance` finds objects, against ground truth, over random scenes
//! with sizes and textures that the classifier was not trained on. Nothing moves but
//! the head: the errors are printed, `--nocapture` shows them.

use std::sync::{Arc, Mutex};

use saccade_msgs::geometry_msgs::PoseStamped;
use saccade_msgs::saccade_msgs::{Decision, ObjectTruth};
use saccade_nodes::{NodeSpec, Observer, Payload, RunOptions, lockstep};
use saccade_tests::{repository, seeing_graph};

const TRIALS: usize = 40;

/// One object found.
struct Found {
    label: String,
    /// Distance on the table, mm, and from the camera's side to its far side, mm.
    error_mm: f64,
    away_mm: f64,
    scale: f64,
}

#[derive(Default)]
struct Seen {
    truth: Option<ObjectTruth>,
    decided: String,
    found: Vec<Found>,
}

struct Watch(Arc<Mutex<Seen>>);

impl Observer for Watch {
    fn message(&mut self, _now_ns: i64, _node: &str, topic: &str, payload: &Payload) {
        let Ok(mut seen) = self.0.lock() else { return };
        match topic {
            "/ground_truth/object" => {
                seen.truth = payload.get::<ObjectTruth>().ok().map(|t| (*t).clone());
            }
            "/decision" => {
                if let Ok(decision) = payload.get::<Decision>() {
                    seen.decided.clone_from(&decision.label);
                }
            }
            "/object_pose" => {
                let (Ok(pose), Some(truth)) = (payload.get::<PoseStamped>(), seen.truth.clone())
                else {
                    return;
                };
                // What was taken for something else has no right place.
                if seen.decided == truth.label {
                    let (found, there) = (&pose.pose.position, &truth.pose.position);
                    let (dx, dy) = (found.x - there.x, found.y - there.y);
                    seen.found.push(Found {
                        label: truth.label,
                        error_mm: 1e3 * dx.hypot(dy),
                        away_mm: -1e3 * dy,
                        scale: truth.scale,
                    });
                }
            }
            _ => {}
        }
    }
}

/// Looks at random scenes, with objects of one class (empty: of all), and prints
/// and returns what was found, the worst last.
fn look(seed: u64, label: &str) -> Vec<Found> {
    let weights = repository("launch/weights/grasp.safetensors");
    let mut specs = seeing_graph(5);
    specs[2] = NodeSpec::new("eprop_classifier").parameter("weights", weights.display());
    specs[3] = NodeSpec::new("microsaccade").remap("trigger", "/head/microsaccade");
    let grasp = NodeSpec::new("grasp_affordance").parameter("dry_run", true);
    specs.push(grasp.remap("microsaccade", "/head/microsaccade"));
    let referee = NodeSpec::new("referee")
        .parameter("trials", TRIALS)
        .parameter("label", label);
    specs.push(referee.parameter("seed", seed).parameter("split", "test"));

    let seen = Arc::new(Mutex::new(Seen::default()));
    let options = RunOptions {
        observer: Box::new(Watch(Arc::clone(&seen))),
        ..RunOptions::default()
    };
    lockstep::run(&specs, options).unwrap_or_else(|e| panic!("{e}"));

    let mut found = std::mem::take(&mut seen.lock().expect("the run is over").found);
    found.sort_by(|a, b| a.error_mm.total_cmp(&b.error_mm));
    for f in &found {
        println!(
            "{:10} x{:.2}  {:5.1} mm, {:5.1} mm of it away from the eye",
            f.label, f.scale, f.error_mm, f.away_mm
        );
    }
    found
}

#[test]
fn objects_are_found_within_millimetres() {
    let found = look(77, "");
    let errors: Vec<f64> = found.iter().map(|f| f.error_mm).collect();
    assert!(errors.len() > TRIALS / 2, "{} objects found", errors.len());
    let median = errors[errors.len() / 2];
    let far = errors.iter().filter(|e| **e > 15.0).count();
    println!(
        "{} found, median {median:.1} mm, {far} off by more than 15 mm",
        errors.len()
    );
    assert!(median < 5.0, "median {median:.1} mm");
    assert!(
        10 * far <= errors.len(),
        "{far} of {} off by more than 15 mm",
        errors.len()
    );
}

/// Among these scenes are three in which outlines alone lead into the shadow, 31 to
/// 68 mm off.
#[test]
fn bottles_are_not_taken_for_their_shadows() {
    let found = look(901, "bottle");
    assert!(found.len() > TRIALS - 3, "{} bottles found", found.len());
    let worst = found.last().map_or(0.0, |f| f.error_mm);
    assert!(worst < 20.0, "{worst:.1} mm");
}
