//! A training that is killed goes on as if nothing had happened.

use saccade_tests::{bars, until};
use std::path::Path;
use std::process::{Command, Stdio};

const EPOCHS: &str = "40";

/// `saccade train classifier` on the bars in the folder.
fn train(folder: &Path, out: &str, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_saccade"));
    command
        .args(["train", "classifier", "bars.mcap", "--epochs", EPOCHS])
        .args(["--hidden", "20", "--interval-ms", "60", "--out", out])
        .args(more)
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// Starts it four times, and each time kills it with `kill -9` some checkpoints further.
fn killed(command: impl Fn() -> Command, checkpoint: &Path) {
    let content = || std::fs::read(checkpoint).ok();
    let mut kills = 0;
    for _ in 0..4 {
        let before = content();
        let mut child = command().spawn().expect("it starts");
        // Some batches further, wherever that is in a batch, or finished.
        let mut changes = 0;
        let mut last = before;
        let done = until("a few checkpoints or the end", || {
            let now = content();
            changes += usize::from(now != last);
            last = now;
            let ended = child.try_wait().expect("its status");
            (ended.is_some() || changes >= 3).then_some(ended)
        });
        match done {
            Some(status) => assert!(status.success()),
            None => {
                child.kill().expect("killed");
                kills += 1;
            }
        }
        child.wait().expect("it ended");
    }
    assert!(kills >= 2, "it was over before it could be killed");
}

/// Killed in the middle, again and again, and the weights are those of a training
/// that nobody disturbed.
#[test]
fn a_killed_training_goes_on_to_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    bars(&folder.join("bars.mcap"), 40, 0);
    let status = train(folder, "straight.safetensors", &[]).status();
    assert!(status.expect("it starts").success());

    let kept = ["--checkpoint", "t.checkpoint", "--checkpoint-every", "0"];
    let resumed = [&kept[..], &["--resume"]].concat();
    let command = || train(folder, "resumed.safetensors", &resumed);
    killed(command, &folder.join("t.checkpoint"));
    assert!(command().status().expect("it starts").success());
    let weights = |name: &str| std::fs::read(folder.join(name)).expect("weights");
    assert!(weights("straight.safetensors") == weights("resumed.safetensors"));
}

/// The same of an experiment: every loss, answer and picture of the readout.
#[test]
fn a_killed_experiment_goes_on_to_the_same_figures() {
    let folder = tempfile::tempdir().expect("a folder");
    let experiment = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_saccade"));
        command
            .args(["experiment", "delayed-recall", "--iterations", "30"])
            .args(["--batch", "8", "--json"])
            .args(more)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command
    };
    let document = |more: &[&str]| {
        let output = experiment(more).stdout(Stdio::piped()).output();
        let output = output.expect("it starts");
        assert!(output.status.success());
        let text = serde_json::from_slice(&output.stdout);
        let mut document: serde_json::Value = text.expect("one document");
        document["wall_s"].take();
        document
    };
    let kept = ["--checkpoint", "e.ckpt", "--checkpoint-every", "0"];
    let resumed = [&kept[..], &["--resume"]].concat();
    killed(|| experiment(&resumed), &folder.path().join("e.ckpt"));
    let straight = document(&[]);
    assert_eq!(straight["loss"].as_array().map(Vec::len), Some(30));
    assert!(straight == document(&resumed));

    let refused = experiment(&[&resumed[..], &["--rule", "bptt"]].concat())
        .stderr(Stdio::piped())
        .output();
    let refused = refused.expect("it starts");
    let text = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{text}");
    assert!(text.contains("training.rule is \"eprop\" there"), "{text}");
}

#[test]
fn checkpoints_that_do_not_fit_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    bars(&folder.join("bars.mcap"), 8, 0);
    let kept = ["--checkpoint", "t.checkpoint"];
    let status = train(folder, "w.safetensors", &kept).status();
    assert!(status.expect("it starts").success());
    let said = |more: &[&str]| {
        let output = train(folder, "other.safetensors", &[&kept[..], more].concat())
            .stderr(Stdio::piped())
            .output()
            .expect("it starts");
        assert!(!folder.join("other.safetensors").exists());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), text)
    };
    let (status, text) = said(&[]);
    assert_eq!(status, Some(2), "{text}");
    assert!(
        text.contains("t.checkpoint: the file is there already"),
        "{text}"
    );
    let (status, text) = said(&["--resume", "--batch", "4"]);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("t.checkpoint"), "{text}");
    assert!(
        text.contains("training.batch is 16 there and 4 here"),
        "{text}"
    );
    let whole = std::fs::read(folder.join("t.checkpoint")).expect("read");
    std::fs::write(folder.join("t.checkpoint"), &whole[..whole.len() - 9]).expect("written");
    let (status, text) = said(&["--resume"]);
    assert_eq!(status, Some(1), "{text}");
    assert!(text.contains("not a usable checkpoint"), "{text}");
}
