//! Our worlds in a headless Gazebo, where one is installed (`tests/gazebo/`), and the messages of
//! those tests through Gazebo's real transport, which Debian has.

use saccade_tests::repository;
use std::process::Command;

/// Runs the script; its exit status and what it printed.
fn script(words: &[&str]) -> (Option<i32>, String) {
    let output = Command::new("python3")
        .arg(repository("tests/gazebo/gazebo.py"))
        .args(words)
        .output()
        .expect("Python runs the script");
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (output.status.code(), text)
}

#[test]
fn gazebos_transport_takes_our_messages() {
    let installed = Command::new(repository("tests/peers/install_sdformat.sh"))
        .status()
        .expect("bash runs the install script");
    assert!(installed.success(), "it could not be installed; see above");
    let (status, text) = script(&["messages"]);
    assert!(
        status == Some(0) && text.contains("RUN: messages"),
        "{text}"
    );
}

#[test]
fn our_worlds_run_in_gazebo() {
    let (status, text) = script(&[]);
    if status == Some(77) {
        assert!(text.contains("NOT RUN"), "{text}");
        eprintln!("NOT TESTED: worlds in Gazebo; {text}");
        return;
    }
    eprintln!("{text}");
    assert_eq!(status, Some(0), "{text}");
}
