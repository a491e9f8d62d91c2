//! The command from outside: exit status, what is on stdout and stderr.

use std::path::Path;
use std::process::{Command, Output};

fn saccade(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_saccade"))
        .args(args)
        .current_dir(folder)
        .env_remove("AMENT_PREFIX_PATH")
        .output()
        .expect("the command starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("UTF-8")
}

/// Runs with `files` in the working folder: status, stdout, stderr, and what
/// lies in the folder afterwards.
fn run(files: &[(&str, &str)], args: &[&str]) -> (i32, String, String, Vec<String>) {
    let folder = tempfile::tempdir().expect("temporary folder");
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).expect("written");
    }
    let output = saccade(folder.path(), args);
    let entries = std::fs::read_dir(folder.path()).expect("read");
    let mut left: Vec<_> = entries
        .map(|e| e.expect("entry").file_name().to_string_lossy().into_owned())
        .collect();
    left.sort();
    let status = output.status.code().expect("it was not killed");
    (status, text(&output.stdout), text(&output.stderr), left)
}

/// A launch file with one argument and one node that ends only with the time.
const HEAD: &str = r#"<launch>
  <arg name="period" default="1.0" description="seconds"/>
  <node pkg="saccade_nodes" exec="microsaccade" name="head">
    <param name="period" value="$(var period)"/>
  </node>
</launch>"#;

#[test]
fn wrong_usage_is_status_2_and_says_what_there_is() {
    let file = [("a.launch.xml", HEAD)];
    for (args, part) in [
        (&["lanch"][..], "unrecognized subcommand"),
        (&["launch"], "required"),
        (
            &["launch", "a.launch.xml", "perod:=2"],
            "no launch argument 'perod'; declared: period",
        ),
        (&["launch", "a.launch.xml", "period=2"], "write name:=value"),
        (
            &["launch", "a.launch.xml", "--duration", "-1"],
            "--duration",
        ),
        (
            &["launch", "a.launch.xml", "--lockstep", "--realtime"],
            "cannot be used with",
        ),
        (
            &["node", "describe", "nobody"],
            "no node 'nobody'; there are: ",
        ),
    ] {
        let (status, stdout, stderr, left) = run(&file, args);
        assert_eq!(status, 2, "{args:?}: {stderr}");
        assert!(stderr.contains(part), "{args:?}: {stderr}");
        assert!(stderr.starts_with("error: "), "{args:?}: {stderr}");
        assert_eq!((stdout.as_str(), left.len()), ("", 1), "{args:?}");
    }
}

#[test]
fn a_failure_is_status_1_names_the_place_and_leaves_nothing() {
    for (body, part) in [
        (
            "<launch>\n<node/></launch>",
            "a.launch.xml:2: <node> needs the attribute 'pkg'",
        ),
        ("<launch>", "a.launch.xml:1: not well-formed XML"),
        ("<launch/>", "nothing to run"),
        (
            "<launch>\n<node pkg=\"rviz2\" exec=\"rviz2\"/></launch>",
            "a.launch.xml:2: package 'rviz2', executable 'rviz2': AMENT_PREFIX_PATH is not set",
        ),
        (
            "<launch>\n<node pkg=\"saccade_nodes\" exec=\"nobody\"/></launch>",
            "a.launch.xml:2: saccade_nodes has no node 'nobody'; it has: ",
        ),
        (
            &HEAD.replace("\"period\" value", "\"perod\" value"),
            "no parameter 'perod'; it has: ",
        ),
        (&HEAD.replace("1.0", "NaN"), "parameter 'period' = NaN"),
        (
            &HEAD.replace("1.0", "soon"),
            "parameter 'period' = soon is not a number",
        ),
    ] {
        let args = ["launch", "a.launch.xml", "--record", "out/r.mcap"];
        let (status, stdout, stderr, left) = run(&[("a.launch.xml", body)], &args);
        assert_eq!(status, 1, "{body}: {stderr}");
        assert!(stderr.contains(part), "{body}: {stderr}");
        assert_eq!(
            (stdout.as_str(), left),
            ("", vec!["a.launch.xml".to_owned()]),
            "{body}"
        );
    }
    let (status, _, stderr, _) = run(&[], &["launch", "none.launch.xml"]);
    assert_eq!(
        (status, stderr.contains("cannot read none.launch.xml")),
        (1, true),
        "{stderr}"
    );
    let (status, _, stderr, _) = run(&[("r.mcap", "no")], &["launch", "--replay", "r.mcap"]);
    assert_eq!((status, stderr.contains("r.mcap")), (1, true), "{stderr}");
}

#[test]
fn arguments_and_nodes_can_be_looked_at() {
    let file = [("a.launch.xml", HEAD)];
    let (status, stdout, _, _) = run(&file, &["launch", "a.launch.xml", "--show-args"]);
    assert_eq!(
        (status, stdout.as_str()),
        (0, "period:=    default: '1.0'\n    seconds\n")
    );
    let (status, stdout, _, left) = run(&file, &["launch", "a.launch.xml", "period:=3", "--print"]);
    let expected = "/head  (saccade_nodes/microsaccade)\n    period: 3\n";
    assert_eq!((status, stdout.as_str(), left.len()), (0, expected, 1));
    let (status, stdout, _, _) = run(&[], &["node", "list"]);
    assert!(status == 0 && stdout.contains("microsaccade"), "{stdout}");
    let (status, stdout, _, _) = run(&[], &["node", "describe", "microsaccade"]);
    assert!(status == 0 && stdout.contains("| `period` |"), "{stdout}");
}

/// In the default build, which `test.sh` tests with the feature.
#[cfg(all(feature = "dds", not(feature = "zenoh")))]
#[test]
fn without_zenoh_the_feature_is_named() {
    let args = ["node", "event_generator", "--ros", "zenoh"];
    let (status, _, stderr, _) = run(&[], &args);
    assert_eq!(status, 2, "{stderr}");
    assert!(stderr.contains("--features zenoh"), "{stderr}");
}

#[test]
fn json_is_one_document_and_nothing_else() {
    let file = [("a.launch.xml", HEAD)];
    for args in [
        &["doctor", "--json"][..],
        &["node", "list", "--json"],
        &["node", "describe", "referee", "--json"],
        &["launch", "a.launch.xml", "--show-args", "--json"],
        &["launch", "a.launch.xml", "--print", "--json"],
        &["launch", "a.launch.xml", "--duration", "2", "--json"],
    ] {
        let (status, stdout, stderr, _) = run(&file, args);
        assert_eq!(status, 0, "{args:?}: {stderr}");
        let document: Result<serde_json::Value, _> = serde_json::from_str(&stdout);
        assert!(document.is_ok(), "{args:?}: {stdout}");
    }
}

#[test]
fn a_run_of_a_given_time_ends_and_can_be_replayed() {
    let folder = tempfile::tempdir().expect("temporary folder");
    std::fs::write(folder.path().join("a.launch.xml"), HEAD).expect("written");
    let args = [
        "launch",
        "a.launch.xml",
        "--duration",
        "2.5",
        "--record",
        "out/run.mcap",
        "--json",
    ];
    let output = saccade(folder.path(), &args);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    let document: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(document["run"]["host"]["sim_s"], 2.5, "{stdout}");
    assert!(folder.path().join("report/index.html").is_file());
    assert!(folder.path().join("out/run.mcap").is_file());
    let output = saccade(
        folder.path(),
        &["launch", "--replay", "out/run.mcap", "--json"],
    );
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(document["different"], serde_json::json!({}), "{document}");
}

/// Seed 1 is NEST's own task: the losses that NEST's test lists, in the one document
/// on stdout and in the folder, with pictures beside it.
#[test]
fn an_experiment_prints_nests_losses() {
    let args = [
        "experiment",
        "sine-regression",
        "--iterations",
        "2",
        "--json",
        "--out",
        "sine",
    ];
    let folder = tempfile::tempdir().expect("temporary folder");
    let output = saccade(folder.path(), &args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    for (k, nest) in [101.964_356_999_041, 103.466_731_126_205]
        .into_iter()
        .enumerate()
    {
        let loss = document["loss"][k].as_f64().expect("a loss");
        assert!((loss / nest - 1.0).abs() < 1e-12, "{loss} {nest}");
    }
    assert_eq!(document["readout"].as_array().map(Vec::len), Some(1000));
    let file = std::fs::read(folder.path().join("sine/curves.json")).expect("written");
    let file: serde_json::Value = serde_json::from_slice(&file).expect("JSON");
    assert_eq!(file, document);
    for picture in ["loss.png", "rate.png", "readout.png"] {
        let bytes = std::fs::read(folder.path().join("sine").join(picture)).expect("written");
        assert!(bytes.starts_with(b"\x89PNG"), "{picture}");
    }
}

/// All rules side by side, with what can be had without a network, in one document and
/// one chart.
#[test]
fn an_experiment_compares_the_learning_rules() {
    let args = [
        "experiment",
        "yin-yang",
        "--compare",
        "--iterations",
        "3",
        "--seeds",
        "2",
        "--json",
        "--out",
        "rules",
    ];
    let folder = tempfile::tempdir().expect("temporary folder");
    let output = saccade(folder.path(), &args);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let file = std::fs::read(folder.path().join("rules/curves.json")).expect("written");
    let file: serde_json::Value = serde_json::from_slice(&file).expect("JSON");
    assert_eq!(file, document);
    let rows = document["rules"].as_array().expect("rules");
    let names: Vec<&str> = rows.iter().filter_map(|row| row["rule"].as_str()).collect();
    assert_eq!(names, ["eprop", "error-neurons", "erbp", "bptt"]);
    for row in rows {
        assert_eq!(row["right"].as_array().map(Vec::len), Some(2));
        assert_eq!(row["curve"].as_array().map(Vec::len), Some(3));
    }
    let cosine = |rule: usize| rows[rule]["cosine_to_bptt"][0].as_f64().expect("a cosine");
    assert!((cosine(3) - 1.0).abs() < 1e-6, "{}", cosine(3));
    assert!(cosine(2) < cosine(0) && cosine(0) < 0.99);
    // Published: 64.3 %.
    let linear = document["baselines"]["linear"].as_f64().expect("a share");
    assert!((0.60..0.68).contains(&linear), "{linear}");
    let bytes = std::fs::read(folder.path().join("rules/compare.png")).expect("written");
    assert!(bytes.starts_with(b"\x89PNG"));
}

/// One rule: what is printed, and the pictures.
#[test]
fn an_experiment_is_learnt_by_the_rule_that_is_named() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let learn = |more: &[&str]| {
        let args = ["experiment", "random-manifold", "--iterations", "2"];
        saccade(folder.path(), &[&args, more].concat())
    };
    let output = learn(&["--rule", "erbp", "--classes", "3", "-o", "two"]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    let printed = text(&output.stdout);
    assert!(printed.contains("random-manifold by eRBP, seed 1, 2 iterations"));
    assert!(printed.contains("% of 300 right"), "{printed}");
    assert!(printed.contains("33.3 % by chance"), "{printed}");
    for picture in ["loss", "rate", "accuracy", "readout", "raster"] {
        let path = folder.path().join(format!("two/{picture}.png"));
        let bytes = std::fs::read(path).expect("written");
        assert!(bytes.starts_with(b"\x89PNG"), "{picture}");
    }
    for wrong in [&["--classes", "1"][..], &["--rule", "x"], &["--seeds", "2"]] {
        assert_eq!(learn(wrong).status.code(), Some(2), "{wrong:?}");
    }
}

/// The same seed flies the same routes; a parameter out of range is named.
#[test]
fn path_integration_is_reported_with_pictures() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let args = |more: &[&'static str]| {
        let fixed = ["eval", "path-integration", "--routes", "20", "--json"];
        [&fixed, more].concat()
    };
    let out = saccade(
        folder.path(),
        &args(&["--noise", "0.1,0.3", "--report", "bee"]),
    );
    assert!(out.status.success(), "{}", text(&out.stderr));
    let document: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let rows = document["rows"].as_array().expect("rows");
    let mean = |k: usize| rows[k]["closest"]["mean"].as_f64().expect("a mean");
    assert_eq!(rows.len(), 4);
    assert!(mean(0) < 6.0, "published, noise 0.1: {}", mean(0));
    assert!(mean(2) > 3.0 * mean(0), "published, noise 0.3: {}", mean(2));
    for picture in ["closest_vs_noise", "routes_0", "home_vector_3"] {
        let path = folder.path().join(format!("bee/{picture}.png"));
        let bytes = std::fs::read(path).expect("written");
        assert!(bytes.starts_with(b"\x89PNG"), "{picture}");
    }
    let again = saccade(folder.path(), &args(&["--noise", "0.1"]));
    let again: serde_json::Value = serde_json::from_slice(&again.stdout).expect("JSON");
    for same in ["closest", "standard_error", "activity"] {
        assert_eq!(again["rows"][0][same], rows[0][same], "{same}");
    }

    let short = [
        "--model",
        "spiking",
        "--out-steps",
        "200",
        "--home-steps",
        "20",
    ];
    let out = saccade(folder.path(), &args(&short));
    let document: serde_json::Value = serde_json::from_slice(&out.stdout).expect("JSON");
    let row = &document["rows"][0];
    let there = saccade(
        folder.path(),
        &args(&[&short[..], &["--backend", "spinnaker"]].concat()),
    );
    let there: serde_json::Value = serde_json::from_slice(&there.stdout).expect("JSON");
    assert_eq!(there["backend"], "spinnaker");
    for same in ["closest", "standard_error", "activity", "rate_hz"] {
        assert_eq!(there["rows"][0][same], row[same], "{same} on the board");
    }
    let number = |of: &serde_json::Value| of.as_f64().expect("a number");
    assert!(
        (10.0..50.0).contains(&number(&row["rate_hz"]["CPU4"])),
        "{row}"
    );
    let slow = number(&row["step_us"]) * number(&row["times_real_time"]);
    assert!((slow - 1e5).abs() < 1.0, "{row}");

    let out = saccade(folder.path(), &args(&["--noise", "nan"]));
    assert_eq!(out.status.code(), Some(1));
    let said = text(&out.stderr);
    assert!(said.contains("noise.tl") && said.contains("NaN"), "{said}");
}

#[test]
fn a_class_is_taught_live_if_the_scenes_show_it() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let weights = saccade_tests::repository("launch/weights/grasp.safetensors");
    let weights = weights.to_str().expect("a path of text");
    saccade_tests::bars(&folder.path().join("lesson.mcap"), 12, 0);
    saccade_tests::bars(&folder.path().join("test.mcap"), 8, 4);
    let eval = |more: &[&str]| {
        let common = ["eval", "live-class", "--lesson", "lesson.mcap"];
        let args = [&common[..], &["--weights", weights, "--json"], more].concat();
        saccade(folder.path(), &args)
    };
    let taught = eval(&[
        "--test",
        "test.mcap",
        "--label",
        "pen",
        "--presentations",
        "2",
    ]);
    assert_eq!(taught.status.code(), Some(0), "{}", text(&taught.stderr));
    let results: serde_json::Value = serde_json::from_slice(&taught.stdout).expect("JSON");
    assert_eq!(
        (&results["told"], &results["dropped"]),
        (&2.into(), &0.into())
    );
    for (class, row) in (0..4).zip(results["confusion"].as_array().expect("rows")) {
        let scenes: u64 = row
            .as_array()
            .expect("counts")
            .iter()
            .filter_map(|n| n.as_u64())
            .sum();
        assert_eq!(scenes, 2, "class {class}: {results}");
    }
    let file = saccade_tests::repository("launch/live_class.launch.xml");
    let arguments = ["lesson:=lesson.mcap", "test:=test.mcap", "label:=pen"];
    let file = file.to_str().expect("a path of text");
    let launch = [
        &["launch", file, "presentations:=2", "--json"],
        &arguments[..],
    ]
    .concat();
    let launched = saccade(folder.path(), &launch);
    let report: serde_json::Value = serde_json::from_slice(&launched.stdout).expect("JSON");
    let ended = &report["run"]["host"]["ended"];
    assert_eq!(
        ended,
        "15 saccades shown, 2 told",
        "{}",
        text(&launched.stderr)
    );
    for (more, part) in [
        (["--test", "test.mcap"], "no scene shows 'mug'"),
        (
            ["--test", "lesson.mcap"],
            "--lesson and --test hold the same samples",
        ),
    ] {
        let refused = eval(&more);
        assert_eq!(refused.status.code(), Some(1));
        assert!(
            text(&refused.stderr).contains(part),
            "{}",
            text(&refused.stderr)
        );
    }
}
