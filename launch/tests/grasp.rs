//! The whole loop through the command: scenes, saccades, decisions, grasps.

use std::path::Path;
use std::process::{Command, Output};

fn grasp(report: &Path, more: &[&str]) -> Output {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    Command::new(env!("CARGO_BIN_EXE_saccade"))
        .current_dir(repository)
        .args(["launch", "launch/grasp.launch.xml", "--json", "--report"])
        .arg(report)
        .args(more)
        .output()
        .expect("saccade runs")
}

fn document(output: &Output) -> serde_json::Value {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

/// Objects are grasped, an empty table is left alone, and a second run is the first
/// one to the byte, recording and all; its replay says the same.
#[test]
fn trials_end_as_they_should_and_runs_repeat_to_the_byte() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let args = ["trials:=3", "seed:=1", "record:=true"];
    let (first, second) = (folder.path().join("a"), folder.path().join("b"));
    let (a, b) = std::thread::scope(|threads| {
        let a = threads.spawn(|| document(&grasp(&first, &args)));
        let b = threads.spawn(|| document(&grasp(&second, &args)));
        (a.join().expect("a run"), b.join().expect("a run"))
    });

    let trials = a["trials"].as_array().expect("a list of trials");
    assert_eq!(trials.len(), 3, "{a}");
    for trial in trials {
        // Of these scenes two have an object; seeds nobody tuned on are for the
        // measurement, not for this test.
        let empty = trial["truth"] == "background";
        assert_eq!(trial["success"], true, "{trial}");
        assert_eq!(trial["moved"], !empty, "{trial}");
    }
    assert!(trials.iter().any(|t| t["truth"] == "background"));
    assert_eq!(a["trials"], b["trials"]);
    for what in ["topics", "dropped", "unhandled", "sim_s"] {
        assert_eq!(a["run"]["host"][what], b["run"]["host"][what], "{what}");
    }
    let read = |report: &Path| std::fs::read(report.join("recording.mcap")).expect("a recording");
    assert!(read(&first) == read(&second), "the recordings differ");

    let replay = Command::new(env!("CARGO_BIN_EXE_saccade"))
        .args(["launch", "--json", "--replay"])
        .arg(first.join("recording.mcap"))
        .output()
        .expect("saccade runs");
    let replay = document(&replay);
    assert_eq!(replay["different"], serde_json::json!({}), "{replay}");
}

/// Ctrl-C ends a run in good order: the recording is complete as far as it goes.
#[cfg(unix)]
#[test]
fn an_interrupted_run_closes_its_recording() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let report = folder.path().join("report");
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut child = Command::new(env!("CARGO_BIN_EXE_saccade"))
        .current_dir(repository)
        .args([
            "launch",
            "launch/grasp.launch.xml",
            "trials:=1000",
            "record:=true",
            "--json",
        ])
        .arg("--report")
        .arg(&report)
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .expect("saccade runs");
    let recording = report.join("recording.mcap");
    // Some of the run has come to the disk, under whatever name while it is written.
    let some = || {
        let files = std::fs::read_dir(&report).into_iter().flatten().flatten();
        files
            .map(|f| f.metadata().map_or(0, |m| m.len()))
            .sum::<u64>()
            > 100_000
    };
    while !some() {
        assert!(
            child.try_wait().expect("a child").is_none(),
            "it ended by itself"
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.expect("kill runs").success());
    let output = child.wait_with_output().expect("a child");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        document["run"]["host"]["ended"], "interrupted",
        "{document}"
    );
    let info = Command::new(env!("CARGO_BIN_EXE_saccade"))
        .args(["bag", "info", "--json"])
        .arg(&recording)
        .output()
        .expect("saccade runs");
    let info: serde_json::Value = serde_json::from_slice(&info.stdout).expect("JSON");
    assert!(info["messages"].as_u64().is_some_and(|n| n > 100), "{info}");
}
