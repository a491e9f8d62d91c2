//! Exploring, recording and reading samples of places through the command.

use saccade_engine::models::place::{PlaceMap, Pose};
use saccade_engine::models::predictive_coding::{
    Config, Network, PlaceNetwork, Provenance, Scaling,
};
use saccade_msgs::saccade_msgs::PlaceMap as MapMessage;
use saccade_nodes::place_samples::{TACTILE_SIZE, VISUAL_SIZE};
use std::path::Path;
use std::process::{Command, Output};

fn saccade(words: &[&str]) -> Output {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(env!("CARGO_BIN_EXE_saccade"))
        .current_dir(repository)
        .args(words)
        .output();
    output.expect("saccade runs")
}

fn document(words: &[&str]) -> serde_json::Value {
    let output = saccade(words);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{words:?}: {stderr}");
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

/// Records a way of half a minute; gives what `dataset places` says of it.
fn explore(folder: &Path, name: &str, words: &[&str]) -> serde_json::Value {
    let file = folder.join(format!("{name}.mcap"));
    let file = file.to_str().expect("UTF-8");
    let report = folder.join(format!("{name}-report"));
    let report = report.to_str().expect("UTF-8");
    let record = format!("record:={file}");
    let launch = "launch/place_recognition.launch.xml";
    let mut all = vec!["launch", "--json", "--report", report, launch, &record];
    all.extend(["minutes:=0.5", "image_width:=80"]);
    all.extend(words);
    let run = document(&all);
    assert_eq!(run["run"]["host"]["finished"], true, "{run}");
    document(&["dataset", "places", "--json", file])[0].clone()
}

/// A network that has learnt nothing: its codes differ where samples do.
fn weights(folder: &Path) -> String {
    let (seen, felt) = (VISUAL_SIZE, TACTILE_SIZE);
    let mut config = Config::for_inputs(seen, felt);
    config.visual.layers = vec![20, 10];
    config.tactile.layers = vec![20, 10];
    config.joint = 10;
    let scaling = Scaling {
        least: vec![-1.0; felt],
        greatest: vec![1.0; felt],
    };
    let network = Network::new(config, 1).expect("a network");
    let network = PlaceNetwork::new(network, scaling, Provenance::default());
    let file = folder.join("w.safetensors");
    network.and_then(|n| n.save(&file)).expect("saved");
    file.to_str().expect("UTF-8").to_owned()
}

#[test]
fn exploring_gives_samples_that_replay_and_differ_by_seed_path_and_light() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let weights = format!("weights:={}", weights(folder.path()));
    let first = explore(
        folder.path(),
        "first",
        &["seed:=1", &weights, "learn:=true"],
    );
    assert_eq!(first["samples"], 60, "{first}");
    assert_eq!(first["whisks"], 60, "{first}");
    let way_m = first["way_m"].as_f64().expect("a length");
    assert!((2.0..10.0).contains(&way_m), "{first}");
    let brightness = |p: &serde_json::Value| p["brightness"].as_f64().expect("a number");
    assert!(brightness(&first) > 0.3, "{first}");

    let lanes = explore(
        folder.path(),
        "lanes",
        &["seed:=2", "path:=lanes", "light:=dark"],
    );
    assert_ne!(lanes["x_m"], first["x_m"]);
    assert!(brightness(&lanes) < 0.05, "{lanes}");

    let recording = folder.path().join("first.mcap");
    let known = recording.to_str().expect("UTF-8");
    let report = folder.path().join("fusion");
    let fused = document(&[
        "eval",
        "place-fusion",
        "--train",
        known,
        "--weights",
        &weights["weights:=".len()..],
        "--minutes",
        "0.3",
        "--seeds",
        "5",
        "--json",
        "--report",
        report.to_str().expect("UTF-8"),
    ]);
    let run = &fused["runs"][0];
    assert_eq!(
        (&run["samples"], &fused["places"]),
        (&36.into(), &60.into()),
        "{fused}"
    );
    assert!(
        run["errors"][0]["most_m"].as_f64().expect("a length") > 0.0,
        "{fused}"
    );
    assert!(
        run["errors"][2]["mean_m"].as_f64().expect("a length") < 1.0,
        "{fused}"
    );
    assert!(report.join("fusion_error_5.png").exists());

    let replay = document(&[
        "launch",
        "--json",
        "--replay",
        recording.to_str().expect("UTF-8"),
    ]);
    assert_eq!(replay["different"], serde_json::json!({}), "{replay}");
    let equal = |topic: &str| replay["equal"][topic].as_u64().unwrap_or(0);
    assert!(equal("/whiskeye/head/theta_cmd") > 1000, "{replay}");
    assert!(equal("/whiskeye/body/cmd_vel") > 200, "{replay}");
    assert!(equal("/whiskeye/place") >= 60, "{replay}");
    assert!(equal("/whiskeye/pose") > 50, "{replay}");
}

#[test]
fn what_is_no_light_no_path_or_no_recording_of_places_is_refused() {
    for (word, says) in [("light:=noon", "noon"), ("path:=straight", "straight")] {
        let output = saccade(&["launch", "launch/place_recognition.launch.xml", word]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_ne!(output.status.code(), Some(0));
        assert!(stderr.contains(says), "{stderr}");
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    let file = folder.path().join("empty.mcap");
    let empty = saccade_rosbags::BagWriter::create(&file).expect("a bag");
    empty.finish().expect("written");
    let output = saccade(&["dataset", "places", file.to_str().expect("UTF-8")]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr.contains("/whiskeye/platform/cam0"), "{stderr}");
}

#[test]
fn a_map_comes_out_of_a_recording_or_is_named() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let mut map = PlaceMap::new("some network", 4, 10).expect("a map");
    for k in 0..3 {
        let code = [k as f32, 1.0, -1.0, 0.5];
        map.store(&code, Pose::default()).expect("stored");
    }
    let good = MapMessage {
        network: "some network".into(),
        places: 3,
        data: map.to_bytes().expect("bytes"),
        ..MapMessage::default()
    };
    let recording = |name: &str, messages: &[(&str, &MapMessage)]| {
        let file = folder.path().join(name);
        let mut bag = saccade_rosbags::BagWriter::create(&file).expect("a bag");
        for (topic, message) in messages {
            bag.write(topic, 7, *message).expect("written");
        }
        bag.finish().expect("finished");
        file.to_str().expect("UTF-8").to_owned()
    };
    let out = folder.path().join("map.safetensors");
    let out = out.to_str().expect("UTF-8");
    let ask = |bag: &str| saccade(&["bag", "place-map", bag, "--json", "-o", out]);
    let empty = MapMessage::default();
    let file = recording(
        "a.mcap",
        &[("/a/place_map", &empty), ("/a/place_map", &good)],
    );
    let output = ask(&file);
    let said: serde_json::Value = serde_json::from_slice(&output.stdout).expect("a document");
    assert_eq!(said["places"], 3, "{said}");
    assert_eq!(std::fs::read(out).expect("a map"), good.data);
    // What is damaged, of several topics, or not there leaves the file as it is.
    let bad = recording(
        "b.mcap",
        &[("/a/place_map", &good), ("/a/place_map", &empty)],
    );
    let two = recording(
        "c.mcap",
        &[("/a/place_map", &good), ("/b/place_map", &good)],
    );
    let none = recording("d.mcap", &[]);
    for (file, status, says) in [
        (bad, 1, "at 7 ns"),
        (two, 2, "/b/place_map"),
        (none, 1, "save_map"),
    ] {
        let output = ask(&file);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(status), "{stderr}");
        assert!(stderr.contains(says), "{stderr}");
        assert_eq!(std::fs::read(out).expect("a map"), good.data);
    }
}
