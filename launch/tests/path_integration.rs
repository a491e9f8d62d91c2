//! A journey through the command: out at random, home by events and compass.

use std::path::Path;
use std::process::Command;

fn document(words: &[&str], report: &Path) -> serde_json::Value {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(env!("CARGO_BIN_EXE_saccade"))
        .current_dir(repository)
        .args(["launch", "--json"])
        .args(words)
        .arg("--report")
        .arg(report)
        .output()
        .expect("saccade runs");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

/// A short journey comes home, leaves a picture, and its recording replays to the byte.
#[test]
fn a_journey_comes_home_and_replays() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let words = [
        "launch/path_integration.launch.xml",
        "trials:=1",
        "seed:=1",
        "length:=8",
        "record:=true",
    ];
    let run = document(&words, folder.path());
    let journey = &run["journeys"][0];
    let length_m = journey["out_length_m"].as_f64().expect("a length");
    assert!((6.0..8.0).contains(&length_m), "{journey}");
    // 3 % are of ways of 30 m and more; this one ends before the errors average out.
    assert_eq!(journey["outcome"], "home", "{journey}");
    let missed_m = journey["end_distance_m"].as_f64().expect("a distance");
    assert!(missed_m < 0.9, "{journey}");
    let home_m = journey["home_length_m"].as_f64().expect("a length");
    assert!(home_m < 2.0 * length_m, "{journey}");
    let pictures = std::fs::read_dir(folder.path()).expect("a report");
    let names = pictures.map(|f| f.expect("a file").file_name());
    let names: Vec<_> = names.map(|n| n.to_string_lossy().into_owned()).collect();
    assert!(
        names.iter().any(|n| n.starts_with("journey_0001")),
        "{names:?}"
    );

    let recording = folder.path().join("recording.mcap");
    let recording = recording.to_str().expect("UTF-8");
    let replay = document(&["--replay", recording], folder.path());
    assert_eq!(replay["different"], serde_json::json!({}), "{replay}");
    assert!(replay["equal"]["/cmd_vel"].as_u64() > Some(100), "{replay}");
}

/// A flyer, which the wind carries along whatever its heading is, comes home over a short way.
#[test]
fn a_flyer_comes_home() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let words = [
        "launch/path_integration.launch.xml",
        "robot:=flyer",
        "trials:=1",
        "seed:=1",
        "length:=8",
        "record:=false",
    ];
    let run = document(&words, folder.path());
    let journey = &run["journeys"][0];
    assert_eq!(journey["outcome"], "home", "{journey}");
    let missed_m = journey["end_distance_m"].as_f64().expect("a distance");
    assert!(missed_m < 0.9, "{journey}");
}
