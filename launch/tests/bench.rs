//! `saccade bench engine`, small: what it prints, not how fast anything is.

use saccade_tests::peer_command;
use serde_json::Value;
use std::process::Command;

/// What the command prints as JSON.
fn bench(args: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_saccade"))
        .args(["bench", "engine", "--json"])
        .args(args)
        .output()
        .expect("saccade runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

/// Everybody learns the same, whatever the time it takes.
#[test]
fn nest_is_measured_on_the_same_network() {
    let python = peer_command("nest_eprop.py").get_program().to_owned();
    let python = python.to_str().expect("a path of text");
    for optimizer in ["sgd", "adam"] {
        let report = bench(&[
            "--net",
            "60/30/2",
            "--rate",
            "40",
            "--ticks",
            "500",
            "--repeats",
            "2",
            "--nest",
            python,
            "--optimizer",
            optimizer,
        ]);
        let contestants = report["learning"][0]["contestants"].as_array();
        let contestants = contestants.expect("contestants");
        let names: Vec<_> = contestants.iter().map(|c| c["name"].as_str()).collect();
        let expected = [
            "online f32",
            "online f64",
            "NEST 3.10.0 eprop_iaf",
            "offline, exact, f32",
            "offline, exact, f64",
            "NEST 3.10.0 eprop_iaf_bsshslm_2020",
        ];
        assert_eq!(names, expected.map(Some));
        for form in contestants.chunks(3) {
            let rate = |k: usize| form[k]["rate_hz"].as_f64().expect("a rate");
            println!("{optimizer}: {}, {} and {} Hz", rate(0), rate(1), rate(2));
            assert!(rate(2) > 3.0, "a silent network tests nothing");
            for k in 0..2 {
                assert!((rate(k) / rate(2) - 1.0).abs() < 0.05, "{form:?}");
                assert!(form[k]["nest_takes"].as_f64().is_some_and(|x| x > 0.0));
            }
        }
        let deciding = report["deciding"].as_array().expect("networks that decide");
        assert_eq!(deciding.len(), 3);
        for share in deciding {
            assert!(
                share["rate_hz"].as_f64().is_some_and(|hz| hz > 1.0),
                "{share}"
            );
        }
    }
}

#[test]
fn sizes_and_rates_that_cannot_be_are_refused() {
    for (args, wanted) in [
        (["--net", "100/100"], "is not inputs/neurons/readouts"),
        (["--net", "9999999/9/9"], "from 1 to 16384 inputs"),
        (["--rate", "NaN"], "from 0.1 to 500 Hz"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_saccade"))
            .args(["bench", "engine"])
            .args(args)
            .output()
            .expect("saccade runs");
        assert_eq!(output.status.code(), Some(2));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(wanted), "{said}");
    }
}
