//! `saccade bag` as a user runs it.

use saccade_msgs::saccade_msgs::Label;
use saccade_msgs::std_msgs::Header;
use saccade_rosbags::{BagReader, BagWriter};
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};

fn saccade(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_saccade"))
        .arg("bag")
        .args(args)
        .current_dir(folder)
        .output()
        .expect("the command starts")
}

/// Runs with `--json`: exit status and document.
fn document(folder: &Path, args: &[&str]) -> (i32, Value) {
    let output = saccade(folder, &[args, &["--json"]].concat());
    let document = serde_json::from_slice(&output.stdout);
    let document = document.unwrap_or_else(|e| panic!("{args:?}: {e}: {output:?}"));
    (output.status.code().expect("it was not killed"), document)
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Two topics of 50 messages each.
fn recording(folder: &Path) {
    let mut bag = BagWriter::create(&folder.join("a.mcap")).expect("creates");
    for i in 0..50 {
        let label = Label {
            class_id: i,
            ..Label::default()
        };
        let stamp_ns = 1_000_000_000 + i64::from(i) * 100_000_000;
        bag.write("/label", stamp_ns, &label).expect("writes");
        bag.write("/dvs/header", stamp_ns, &Header::default())
            .expect("writes");
    }
    bag.finish().expect("finishes");
}

#[test]
fn a_recording_goes_through_every_format() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    recording(folder);
    for (from, to, options) in [
        ("a.mcap", "b.bag", &["--compression", "bz2"][..]),
        (
            "b.bag",
            "c",
            &[
                "--storage",
                "sqlite",
                "--compression",
                "message",
                "--split-duration",
                "1",
            ],
        ),
        ("c", "d.db3", &[]),
        (
            "d.db3",
            "e",
            &["--compression", "file", "--split-size", "1K"],
        ),
        ("e", "f.mcap", &["--compression", "lz4"]),
    ] {
        let (status, report) = document(folder, &[&["convert", from, to], options].concat());
        assert_eq!(status, 0, "{to}");
        assert_eq!(
            (&report["messages"], &report["lost"]),
            (&json!(100), &json!(0)),
            "{to}"
        );
        let (status, info) = document(folder, &["info", to]);
        assert_eq!((status, &info["messages"]), (0, &json!(100)));
        assert_eq!(info["duration_s"], 4.9);
        assert_eq!(info["topics"][1]["topic"], "/label");
        assert_eq!(info["topics"][1]["messages"], 50);
    }
    let (_, info) = document(folder, &["info", "e"]);
    assert_eq!(
        (&info["format"], &info["compression"]),
        (&json!("mcap"), &json!("file (zstd)"))
    );
    assert!(info["files"].as_array().expect("files").len() > 5);
    let said = text(&saccade(folder, &["info", "c"]));
    assert!(
        said.contains("rosbag2 directory of 5 db3 files") && said.contains("message (zstd)"),
        "{said}"
    );
    let messages = |name: &str| -> Vec<Vec<u8>> {
        let bag = BagReader::open(&folder.join(name)).expect("opens");
        bag.map(|m| m.expect("reads").data).collect()
    };
    assert_eq!(messages("a.mcap"), messages("f.mcap"));
    let said = text(&saccade(folder, &["info", "a.mcap"]));
    assert!(said.contains("reliable, volatile, keep_last 10"), "{said}");
}

#[test]
fn parts_wrong_usage_and_failures() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    recording(folder);
    let part = [
        "convert",
        "a.mcap",
        "b.db3",
        "--topics",
        "/dvs/*",
        "--start",
        "1",
        "--duration",
        "2",
    ];
    let (status, report) = document(folder, &part);
    assert_eq!(
        (status, &report["messages"], &report["left_out"]),
        (0, &json!(21), &json!(79))
    );
    for (args, status, part) in [
        (&["convert", "a.mcap", "b.db3"][..], 2, "exists already"),
        (
            &["convert", "a.mcap", "c.db3", "--split-size", "0"],
            2,
            "number of bytes",
        ),
        (&["convert", "a.mcap", "c.db3", "--start=-1"], 2, "--start"),
        (&["convert", "a.mcap", "c.txt"], 1, ".mcap, .db3 or .bag"),
        (
            &["convert", "a.mcap", "c.mcap", "--split-size", "1M"],
            1,
            "one file",
        ),
        (
            &["convert", "a.mcap", "c.mcap", "--topics", "/none"],
            1,
            "/label",
        ),
        (&["convert", "none.mcap", "c.mcap"], 1, "none.mcap"),
        (&["recover", "none.mcap", "c.mcap"], 1, "none.mcap"),
        (&["info", "none.mcap"], 1, "none.mcap"),
    ] {
        let output = saccade(folder, args);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{args:?}: {stderr}");
        assert!(stderr.contains(part), "{args:?}: {stderr}");
        assert!(output.stdout.is_empty(), "{args:?}");
    }
    let left = std::fs::read_dir(folder).expect("lists").count();
    assert_eq!(left, 2, "a failure leaves nothing");
}

#[test]
fn what_is_lost_is_said_and_the_status_is_3() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    recording(folder);
    let whole = std::fs::read(folder.join("a.mcap")).expect("reads");
    // Without its index nothing is lost; cut in its only chunk, messages are.
    let index = (0..whole.len()).rfind(|at| whole[*at..].starts_with(b"saccade_msgs/msg/Label"));
    let index = index.expect("the schema in the summary");
    std::fs::write(folder.join("killed.mcap"), &whole[..index]).expect("writes");
    let (status, report) = document(folder, &["recover", "killed.mcap", "whole.mcap"]);
    assert_eq!(
        (&report["messages"], &report["damage"]["unfinished"]),
        (&json!(100), &json!(true))
    );
    assert!(
        status == 0
            || !report["damage"]["places"]
                .as_array()
                .expect("places")
                .is_empty()
    );
    std::fs::write(folder.join("cut.mcap"), &whole[..600]).expect("writes");
    let output = saccade(folder, &["recover", "cut.mcap", "cut.bag"]);
    assert_eq!(output.status.code(), Some(3), "{output:?}");
    assert!(text(&output).contains("cut.mcap"), "{output:?}");
    let output = saccade(folder, &["info", "cut.mcap"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}
