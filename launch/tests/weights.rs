//! Weights through the command: to NIR and back, and in fixed point.

use npyz::WriterBuilder;
use saccade_engine::models::classifier::Classifier;
use saccade_engine::models::config::ClassifierConfig;
use saccade_tests::{bars, repository};
use serde_json::Value as Json;
use std::path::Path;
use std::process::Command;

/// Status, stdout and stderr of `saccade`.
fn saccade(folder: &Path, args: &[&str]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_saccade"))
        .args(args)
        .current_dir(folder)
        .output()
        .expect("the command starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let status = output.status.code().expect("it was not killed");
    (status, text(&output.stdout), text(&output.stderr))
}

fn json(stdout: &str) -> Json {
    serde_json::from_str(stdout).expect("one document")
}

/// The shipped weights, half of whose neurons adapt.
#[test]
fn weights_go_to_nir_and_come_back_to_the_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let shipped = repository("launch/weights/grasp.safetensors");
    let shipped = shipped.to_str().expect("UTF-8");

    let (status, _, stderr) = saccade(folder, &["weights", "export", shipped, "w.nir"]);
    assert_eq!(status, 1, "{stderr}");
    assert!(stderr.contains("100 of the 200 neurons"), "{stderr}");
    assert!(stderr.contains("--lossy"), "{stderr}");
    assert!(!folder.join("w.nir").exists());

    let (status, stdout, stderr) = saccade(
        folder,
        &["weights", "export", shipped, "w.nir", "--lossy", "--json"],
    );
    assert_eq!(status, 0, "{stderr}");
    let said = json(&stdout)["metadata_only"].clone();
    assert_eq!(said.as_array().map(Vec::len), Some(3), "{stdout}");
    assert!(
        stderr.contains("note: in the metadata only: the refractory time of 3 ms"),
        "{stderr}"
    );

    let back = ["weights", "import", "w.nir", "back.safetensors"];
    let (status, _, stderr) = saccade(folder, &back);
    assert_eq!((status, stderr.as_str()), (0, ""));
    let same = std::fs::read(shipped).expect("read")
        == std::fs::read(folder.join("back.safetensors")).expect("read");
    assert!(same, "the weights that came back are others");

    let (_, stdout, _) = saccade(folder, &["weights", "info", "w.nir", "--json"]);
    let document = json(&stdout);
    assert_eq!(document["imports"], "yes");
    assert_eq!(document["nodes"].as_array().map(Vec::len), Some(7));
    let (_, stdout, _) = saccade(folder, &["weights", "info", shipped]);
    assert!(
        stdout.contains("2048 inputs, 100 LIF, 100 ALIF, 4 classes"),
        "{stdout}"
    );
    let (status, _, stderr) = saccade(folder, &["weights", "import", shipped, "x.safetensors"]);
    assert_eq!(status, 1, "{stderr}");
    assert!(stderr.contains("grasp.safetensors"), "{stderr}");
}

/// A `.npy` file of 64-bit floats.
fn npy(path: &Path, shape: &[u64], values: impl Iterator<Item = f64>) {
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::<f64>::new().default_dtype();
    let mut writer = options
        .shape(shape)
        .writer(&mut bytes)
        .begin_nd()
        .expect("in range");
    writer.extend(values).expect("writes");
    writer.finish().expect("writes");
    std::fs::write(path, bytes).expect("writes");
}

fn numbers(path: &Path) -> (Vec<u64>, Vec<f64>) {
    let bytes = std::fs::read(path).expect("written");
    let file = npyz::NpyFile::new(&bytes[..]).expect("NumPy's format");
    (
        file.shape().to_vec(),
        file.into_vec().expect("64-bit floats"),
    )
}

/// A graph runs on a NumPy file; what does not fit is refused by name.
#[test]
fn a_graph_runs_on_arrays() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let config = ClassifierConfig {
        n_in: 6,
        n_lif: 5,
        n_alif: 0,
        max_ticks: 20,
        input_gain: 9.0,
        ..ClassifierConfig::default()
    };
    let classifier = Classifier::new(config, 1).expect("in range");
    let weights = folder.join("w.safetensors");
    classifier.save(&weights).expect("writes");
    let (status, _, stderr) = saccade(folder, &["weights", "export", "w.safetensors", "w.nir"]);
    assert_eq!(status, 0, "{stderr}");
    let spikes = (0..300_u32).map(|k| f64::from(u8::from(k * 7 % 5 == 0)));
    npy(&folder.join("x.npy"), &[50, 6], spikes);

    let run = ["weights", "run", "w.nir", "--input", "x.npy", "--json"];
    let out = ["-o", "y.npy", "-o", "lif=z.npy"];
    let (status, stdout, stderr) = saccade(folder, &[&run[..], &out[..]].concat());
    assert_eq!(status, 0, "{stderr}");
    let document = json(&stdout);
    assert_eq!(document["ticks"], 50);
    let (shape, readout) = numbers(&folder.join("y.npy"));
    assert_eq!(shape, [50, 4]);
    assert!(readout.iter().any(|y| *y != 0.0));
    let (shape, fired) = numbers(&folder.join("z.npy"));
    assert_eq!(shape, [50, 5]);
    let mean = fired.iter().sum::<f64>() / 250.0;
    assert!(mean > 0.0 && fired.iter().all(|z| [0.0, 1.0].contains(z)));
    let nodes = document["nodes"].as_array().expect("a list");
    let lif = nodes.iter().find(|n| n["node"] == "lif").expect("told");
    assert!((lif["mean"].as_f64().expect("a number") - mean).abs() < 1e-12);

    npy(&folder.join("wide.npy"), &[10, 7], (0..70).map(f64::from));
    npy(&folder.join("nan.npy"), &[1, 6], [f64::NAN; 6].into_iter());
    std::fs::write(
        folder.join("cut.npy"),
        &std::fs::read(folder.join("x.npy")).expect("there")[..500],
    )
    .expect("writes");
    for (args, status, says) in [
        (
            vec!["--input", "wide.npy"],
            1,
            "[10, 7], expected [ticks] and [6]",
        ),
        (vec!["--input", "nan.npy"], 1, "number 0 is NaN"),
        (vec!["--input", "cut.npy"], 1, "cut.npy"),
        (vec!["--input", "w.nir"], 1, "w.nir"),
        (
            vec!["--input", "other=x.npy"],
            2,
            "the graph's inputs are input",
        ),
        (
            vec!["--input", "x.npy", "-o", "no=y.npy"],
            2,
            "no such node; there are",
        ),
        (
            vec!["--input", "x.npy", "--dt-ms", "0"],
            1,
            "the length of a tick",
        ),
    ] {
        let args = [&["weights", "run", "w.nir"][..], &args[..]].concat();
        let (found, _, stderr) = saccade(folder, &args);
        assert_eq!(found, status, "{args:?}: {stderr}");
        assert!(stderr.contains(says), "{args:?}: {stderr}");
    }
}

/// What `--fixed` says of `f32` is what `eval` says without it. How close fixed point
/// comes is tested in the engine. The network has no ALIF, and NIR nothing to lose.
#[test]
fn a_trained_network_in_fixed_point_and_as_nir() {
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    bars(&folder.join("bars.mcap"), 20, 0);
    let train = ["train", "classifier", "bars.mcap", "--out", "w.safetensors"];
    let of = ["--epochs", "4", "--hidden", "20", "--interval-ms", "60"];
    let of = [&of[..], &["--alif-percent", "0"]].concat();
    let (status, _, stderr) = saccade(folder, &[&train[..], &of[..]].concat());
    assert_eq!(status, 0, "{stderr}");
    let eval = [
        "eval",
        "classifier",
        "bars.mcap",
        "--weights",
        "w.safetensors",
    ];
    let eval = [&eval[..], &["--interval-ms", "60", "--json"]].concat();
    let (_, stdout, _) = saccade(folder, &eval);
    let accuracy = json(&stdout)["accuracy_mean"].clone();
    let (status, stdout, stderr) = saccade(folder, &[&eval[..], &["--fixed"]].concat());
    assert_eq!(status, 0, "{stderr}");
    let fixed = json(&stdout)["fixed"].clone();
    assert_eq!(fixed["accuracy_f32"], accuracy);
    assert_eq!(
        (&fixed["samples"], &fixed["saturated"]),
        (&Json::from(20), &Json::from(0))
    );
    let number = |name: &str| fixed[name].as_f64().expect("a number");
    assert!(
        fixed["spikes"][1].as_f64().expect("a number") > 1.0,
        "{fixed}"
    );
    assert!(
        number("largest_readout_difference") < number("largest_readout"),
        "{fixed}"
    );

    let (status, _, stderr) = saccade(folder, &["weights", "export", "w.safetensors", "w.nir"]);
    assert_eq!(status, 0, "{stderr}");
    let (_, stdout, _) = saccade(folder, &["weights", "info", "w.nir", "--json"]);
    let document = json(&stdout);
    assert_eq!(document["imports"], "yes");
    assert_eq!(document["metadata"]["dt"], 0.001);
}
