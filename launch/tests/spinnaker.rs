//! The emulated board through the command.

use std::net::UdpSocket;
use std::process::{Command, Output};

fn saccade(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_saccade"))
        .args(arguments)
        .output()
        .expect("runs")
}

/// A loopback address with the board's port free.
fn free_address() -> String {
    let id = std::process::id();
    let mut all = (1..100).map(|n| format!("127.{}.{}.{n}", id >> 8 & 0xFF | 4, id & 0xFF));
    let free = all.find(|address| UdpSocket::bind((address.as_str(), 17893)).is_ok());
    free.expect("a free address")
}

#[test]
fn a_board_runs_and_is_measured() {
    let address = free_address();
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("board.sqlite3");
    let emulate = |network: &str, more: &[&str]| {
        let path = database.to_str().expect("text");
        let all = ["spinnaker", "emulate", network, "--address", &address];
        let all = [&all, &["--database", path, "--json"][..], more].concat();
        saccade(&all)
    };
    let run = emulate(
        "relay",
        &["--at-once", "--run-ticks", "20", "--cycles", "2"],
    );
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&report["cycles"], &report["board"]["ticks"]),
        (&2.into(), &40.into())
    );
    assert!(run.status.success() && database.exists(), "{text}");

    let bench = [
        "bench",
        "spinnaker",
        "--address",
        &address,
        "--json",
        "--trips",
        "20",
    ];
    let bench = saccade(&[&bench[..], &["--rate", "20000", "--seconds", "1"]].concat());
    let text = String::from_utf8_lossy(&bench.stdout).into_owned();
    let report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        (&report["lost"], &report["trips"]),
        (&0.into(), &20.into()),
        "{text}"
    );
    assert!(report["events_sent"].as_u64() >= Some(20_000), "{text}");

    let wrong = emulate("no/weights.safetensors", &["--at-once"]);
    let text = String::from_utf8_lossy(&wrong.stderr).into_owned();
    assert_eq!(wrong.status.code(), Some(1));
    assert!(
        text.contains("no/weights.safetensors") && text.contains("relay"),
        "{text}"
    );
    let wrong = emulate("relay", &["--lose", "2"]);
    assert_eq!(wrong.status.code(), Some(2));

    // A network that learns has the populations for it; one that knows nothing must learn.
    let learns = ["--learn", "--real-limits", "--neurons-per-core", "8"];
    let runs = emulate(
        "untrained",
        &[&learns[..], &["--at-once", "--run-ticks", "20"]].concat(),
    );
    let text = String::from_utf8_lossy(&runs.stderr).into_owned();
    assert!(runs.status.success(), "{text}");
    for more in [&["--learn", "--fixed"][..], &[]] {
        let wrong = emulate("untrained", &[more, &["--at-once"]].concat());
        let text = String::from_utf8_lossy(&wrong.stderr).into_owned();
        assert_eq!(wrong.status.code(), Some(2), "{text}");
    }
}
