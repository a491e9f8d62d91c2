//! What does not fit is refused before anything runs or is written, with an
//! error that names the place.

use std::path::Path;

use saccade_engine::models::classifier::Classifier;
use saccade_engine::models::config::ClassifierConfig;
use saccade_nodes::graph::Graph;
use saccade_nodes::{NodeSpec, RunOptions, lockstep, replay};
use saccade_rosbags::{BagReader, BagWriter};
use saccade_tests::{Driven, repository, seeing_graph};
use saccade_worlds::simulation::Simulation;

/// The graph is refused with a text that holds all of `parts`.
fn assert_refused(specs: &[NodeSpec], parts: &[&str]) {
    let error = match Graph::build(specs) {
        Ok(_) => panic!("accepted, expected {parts:?}"),
        Err(error) => error.to_string(),
    };
    for part in parts {
        assert!(error.contains(part), "`{part}` is not in: {error}");
    }
}

fn named(exec: &str, name: &str) -> NodeSpec {
    NodeSpec {
        name: name.to_owned(),
        ..NodeSpec::new(exec)
    }
}

#[test]
fn nodes_that_do_not_fit_together() {
    let node = NodeSpec::new;
    assert_refused(
        &[node("dvs_ingest"), named("microsaccade", "dvs_ingest")],
        &["/dvs_ingest"],
    );
    assert_refused(
        &[node("dvs_digest")],
        &["dvs_digest", "dvs_ingest", "microsaccade"],
    );
    assert_refused(
        &[node("dvs_ingest").remap("evnts", "/camera")],
        &["/dvs_ingest", "evnts", "events", "spikes"],
    );
    assert_refused(
        &[
            node("dvs_ingest").remap("events", "/in"),
            node("eprop_classifier").remap("spikes", "/in"),
        ],
        &[
            "/in",
            "/eprop_classifier",
            "event_camera_msgs/msg/EventPacket",
            "saccade_msgs/msg/Spikes",
        ],
    );
    assert_refused(
        &[
            named("microsaccade", "left").remap("saccade", "/left"),
            named("microsaccade", "right"),
        ],
        &["/left", "/right", "/trigger"],
    );
    // The same in two namespaces is two services.
    let left = NodeSpec {
        namespace: "/left".into(),
        ..node("microsaccade")
    };
    assert!(Graph::build(&[left, node("microsaccade")]).is_ok());
}

#[test]
fn ground_truth_is_for_the_referee_alone() {
    assert_refused(
        &[NodeSpec::new("eprop_classifier").remap("label", "/ground_truth/object")],
        &["/eprop_classifier", "/ground_truth/object"],
    );
    let nested = NodeSpec {
        namespace: "/ground_truth".into(),
        ..NodeSpec::new("dvs_ingest")
    };
    assert_refused(&[nested], &["/ground_truth/events"]);
    assert!(Graph::build(&[NodeSpec::new("referee")]).is_ok());
}

#[test]
fn parameters_that_cannot_be() {
    let cases = [
        ("microsaccade", "amplitude", "NaN"),
        ("microsaccade", "amplitude", "inf"),
        ("microsaccade", "duration", "-1"),
        ("microsaccade", "duration", "soon"),
        ("eprop_classifier", "learning_rate", "nan"),
        ("eprop_classifier", "learn", "perhaps"),
        ("eprop_classifier", "seed", "-1"),
        ("eprop_classifier", "seed", "1e99"),
        ("dvs_ingest", "out", "0"),
        ("dvs_ingest", "out", "2.5"),
        ("dvs_ingest", "out", "99999999999999999999"),
        ("dvs_ingest", "no_such", "1"),
        ("referee", "split", "everything"),
    ];
    for (exec, name, value) in cases {
        let spec = NodeSpec::new(exec).parameter(name, value);
        assert_refused(&[spec], &[&format!("/{exec}"), name]);
    }
    // In range one by one, but not together.
    let spec = NodeSpec::new("dvs_ingest").parameter("window", 65);
    assert_refused(&[spec], &["/dvs_ingest", "window", "65"]);
    let spec = NodeSpec::new("eprop_classifier").parameter("decide_after", 9.0);
    assert_refused(&[spec], &["decide_after", "9"]);
    for interval in ["2", "0.0004"] {
        let spec = NodeSpec::new("eprop_classifier").parameter("interval", interval);
        assert_refused(&[spec], &["interval", interval]);
    }
}

#[test]
fn weights_of_another_topology() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("w.safetensors");
    let shown = path.display().to_string();
    let refused = |parts: &[&str]| {
        let spec = NodeSpec::new("eprop_classifier").parameter("weights", path.display());
        assert_refused(&[spec], parts);
    };
    refused(&["/eprop_classifier", &shown]);

    let small = ClassifierConfig {
        n_in: 8,
        n_lif: 3,
        n_alif: 3,
        max_ticks: 400,
        ..ClassifierConfig::default()
    };
    let three = ClassifierConfig {
        n_out: 3,
        ..small.clone()
    };
    Classifier::new(three, 1).unwrap().save(&path).unwrap();
    refused(&[&shown, "3 classes", "expected 4"]);

    let mut bytes = Classifier::new(small, 1).unwrap().to_bytes().unwrap();
    let key = br#"\"n_in\":8"#;
    let at = bytes.windows(key.len()).position(|w| w == key).unwrap();
    bytes[at + key.len() - 1] = b'9';
    std::fs::write(&path, &bytes).unwrap();
    refused(&[&shown, "w_in", "[8, 6]", "[9, 6]"]);

    bytes.truncate(bytes.len() / 2);
    std::fs::write(&path, &bytes).unwrap();
    refused(&[&shown]);
}

fn world_text() -> String {
    std::fs::read_to_string(repository("worlds/grasp_table.sdf")).unwrap()
}

/// `text` without the first element that starts with `start`.
fn without(text: &str, start: &str, end: &str) -> String {
    let from = text
        .find(start)
        .unwrap_or_else(|| panic!("no {start} in the world"));
    let length = text[from..].find(end).expect("the element ends") + end.len();
    format!("{}{}", &text[..from], &text[from + length..])
}

#[test]
fn worlds_with_unknown_and_missing_links() {
    let good = world_text();
    Simulation::from_str("good.sdf", &good).unwrap_or_else(|e| panic!("{e}"));
    let unknown = good.replacen("<child>arm_2_link</child>", "<child>arm_9_link</child>", 1);
    assert_ne!(good, unknown);
    let missing = without(&good, "<link name=\"arm_2_link\">", "</link>");
    let nan = good.replacen(
        "<gravity>0 0 -9.81</gravity>",
        "<gravity>0 0 nan</gravity>",
        1,
    );
    assert_ne!(good, nan);
    let torn = good[..good.len() / 2].to_owned();
    for (text, parts) in [
        (unknown, &["arm_9_link"][..]),
        (missing, &["arm_2_link"]),
        (nan, &["gravity", "nan"]),
        (torn, &[]),
    ] {
        let Err(error) = Simulation::from_str("bad.sdf", &text) else {
            panic!("accepted, expected {parts:?}");
        };
        let error = error.to_string();
        for part in [&["bad.sdf:"], parts].concat() {
            assert!(error.contains(part), "`{part}` is not in: {error}");
        }
    }
}

/// A run that cannot start leaves nothing behind.
#[test]
fn a_broken_world_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let world = folder.path().join("broken.sdf");
    let record = folder.path().join("run.mcap");
    let text = world_text().replace("<child>arm_2_link</child>", "<child>arm_9_link</child>");
    std::fs::write(&world, text).unwrap();
    let spec = NodeSpec::new("embedded_world").parameter("world", world.display());
    let options = RunOptions {
        record: Some(record.clone()),
        ..RunOptions::default()
    };
    let error = lockstep::run(&[spec], options).unwrap_err().to_string();
    assert!(
        error.contains("broken.sdf") && error.contains("arm_9_link"),
        "{error}"
    );
    assert!(!record.exists());
}

/// Reads a whole bag; the first error.
fn read(path: &Path) -> Result<usize, String> {
    let mut count = 0;
    for message in BagReader::open(path).map_err(|e| e.to_string())? {
        message.map_err(|e| e.to_string())?;
        count += 1;
    }
    Ok(count)
}

#[test]
fn truncated_recordings_name_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let whole = folder.path().join("whole.mcap");
    let options = RunOptions {
        record: Some(whole.clone()),
        duration_ns: Some(200_000_000),
        ..RunOptions::default()
    };
    lockstep::run(&seeing_graph(1), options).unwrap();
    let bag = folder.path().join("whole.bag");
    let mut writer = BagWriter::create(&bag).unwrap();
    for message in BagReader::open(&whole).unwrap() {
        let message = message.unwrap();
        if message.topic() == "/events" {
            let packet: saccade_msgs::event_camera_msgs::EventPacket =
                message.decode(&whole).unwrap();
            writer.write("/events", message.stamp_ns, &packet).unwrap();
        }
    }
    writer.finish().unwrap();
    assert!(read(&whole).unwrap() > 100 && read(&bag).unwrap() > 10);

    for file in [&whole, &bag] {
        let bytes = std::fs::read(file).unwrap();
        let name = if file == &whole {
            "cut.mcap"
        } else {
            "cut.bag"
        };
        let cut = folder.path().join(name);
        for part in [0, 1, 10, 50, 90, 99] {
            std::fs::write(&cut, &bytes[..bytes.len() * part / 100]).unwrap();
            let error = read(&cut).expect_err(name);
            assert!(error.contains(name), "{part} %: {error}");
            if file == &whole {
                let error = replay::run(&cut).expect_err(name).to_string();
                assert!(error.contains(name), "{part} %: {error}");
            }
        }
    }
    // A whole bag that is no recording of ours.
    let error = replay::run(&bag).unwrap_err().to_string();
    assert!(error.contains("whole.bag"), "{error}");
}

#[test]
fn an_unwritable_recording_names_the_file() {
    let options = RunOptions {
        record: Some("no/such/folder/run.mcap".into()),
        duration_ns: Some(1),
        ..RunOptions::default()
    };
    let error = lockstep::run(&[NodeSpec::new("dvs_ingest")], options).unwrap_err();
    assert!(
        error.to_string().contains("no/such/folder/run.mcap"),
        "{error}"
    );
    assert!(Driven::new("dvs_ingest", &[]).is_ok());
}
