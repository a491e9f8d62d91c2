//! What `saccade launch` starts as processes: real ones, from outside.
#![cfg(unix)]

use saccade_tests::until;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

// The lines and parameter files expected here are those of ROS 2's own `ros2 launch` (Humble),
// which wrote one parameter file for each value, and `set_parameter` as `-p`.

/// A launch file in a folder of its own, not yet started.
struct Case {
    folder: tempfile::TempDir,
    command: Command,
}

impl Case {
    fn new(body: &str) -> Self {
        let folder = tempfile::tempdir().expect("temporary folder");
        let file = folder.path().join("a.launch.xml");
        let body = body.replace('&', "&amp;");
        std::fs::write(&file, format!("<launch>\n{body}</launch>")).expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_saccade"));
        command
            .args(["launch", "a.launch.xml"])
            .current_dir(folder.path())
            .env("TMPDIR", folder.path())
            .env_remove("AMENT_PREFIX_PATH")
            .env_remove("OVERRIDE_LAUNCH_PROCESS_OUTPUT")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        Case { folder, command }
    }

    fn args(mut self, args: &[&str]) -> Self {
        self.command.args(args);
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn spawn(&mut self) -> Child {
        self.command.spawn().expect("it starts")
    }

    /// Runs it: status, stdout, stderr.
    fn run(&mut self) -> (i32, String, String) {
        said(&self.command.output().expect("it runs"))
    }

    /// What a process writes into a file of the folder, once it is there.
    fn written(&self, name: &str) -> String {
        let path = self.path(name);
        until(name, || {
            let text = std::fs::read_to_string(&path).ok()?;
            text.ends_with('\n').then(|| text.trim().to_owned())
        })
    }
}

fn said(output: &Output) -> (i32, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    let status = output.status.code().expect("it was not killed");
    (status, text(&output.stdout), text(&output.stderr))
}

fn signal(process: u32, signal: &str) {
    let sent = Command::new("kill")
        .args([signal, &process.to_string()])
        .status();
    assert!(sent.expect("kill").success());
}

/// Whether a process runs: a zombie does not.
fn runs(process: &str) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat")).is_ok_and(|stat| {
        !stat
            .rsplit(')')
            .next()
            .unwrap_or("")
            .trim_start()
            .starts_with('Z')
    })
}

#[test]
fn output_goes_where_it_shall_under_its_names() {
    let print = "sh -c 'echo out; echo err >&2; printf end'";
    let mut case = Case::new(&format!(
        "<executable cmd=\"{print}\" output=\"screen\"/>\n\
         <executable cmd=\"{print}\" name=\"logged\"/>\n\
         <executable cmd=\"{print}\" output=\"both\"/>\n"
    ));
    let (status, stdout, stderr) = case.run();
    assert_eq!(status, 0, "{stderr}");
    for (line, shown) in [("sh-1", true), ("logged-2", false), ("sh-3", true)] {
        for text in ["out", "end"] {
            let line = format!("[{line}] {text}\n");
            assert_eq!(stdout.contains(&line), shown, "{line}: {stdout}");
        }
        assert!(stderr.contains(&format!("[{line}] err\n")), "{stderr}");
        let finished = format!("process      {line}: finished\n");
        assert!(stdout.contains(&finished), "{stdout}");
    }
    let log = std::fs::read_to_string(case.path("report/launch.log")).expect("a log");
    for (line, logged) in [("sh-1", false), ("logged-2", true), ("sh-3", true)] {
        assert_eq!(log.contains(&format!("[{line}] out\n")), logged, "{log}");
        assert_eq!(log.contains(&format!("[{line}] err\n")), logged, "{log}");
        assert!(
            log.contains(&format!("[INFO] [{line}]: process started with pid [")),
            "{log}"
        );
    }
}

#[test]
fn lines_of_several_processes_stay_whole() {
    let long = "x".repeat(300);
    let print = format!("sh -c 'for i in $0 $(seq 400); do echo $i.{long}; done' begin");
    let body: String = (0..4)
        .map(|_| {
            format!(
                "<executable cmd=\"{}\" output=\"screen\"/>\n",
                print.replace("$(", "\\$(")
            )
        })
        .collect();
    let (status, stdout, stderr) = Case::new(&body).run();
    assert_eq!(status, 0, "{stderr}");
    let mut next = [0; 5];
    for line in stdout.lines().filter(|l| l.contains("xx")) {
        let (name, text) = line.split_once("] ").expect("a name");
        let number: usize = name.trim_start_matches("[sh-").parse().expect("a number");
        let expected = match next[number] {
            0 => format!("begin.{long}"),
            i => format!("{i}.{long}"),
        };
        assert_eq!(text, expected);
        next[number] += 1;
    }
    assert_eq!(next, [0, 401, 401, 401, 401]);
}

#[test]
fn a_process_is_started_with_what_the_file_says() {
    let mut case = Case::new(
        &"<arg name=\"who\" default=\"two words\"/>\n\
         <set_env name=\"A\" value=\"a\"/><set_env name=\"B\" value=\"b\"/><unset_env name=\"GONE\"/>\n\
         <executable cmd=\"sh -c 'echo $A$B$C ${GONE-gone} $(pwd) $0 $1' '' $(var who)\" \
         cwd=\"/\" output=\"screen\"><env name=\"B\" value=\"B\"/><env name=\"C\" value=\"$(var who)\"/>\
         </executable>\n\
         <executable cmd=\"echo $HOME | tr a-z A-Z\" name=\"joined\" shell=\"true\" output=\"screen\"/>\n\
         <executable cmd=\"prefixed\" launch-prefix=\"echo 'the prefix'\" output=\"screen\"/>\n"
        .replace("$(pwd)", "\\$(pwd)"),
    );
    case.command.env("GONE", "there").env("HOME", "/some/home");
    let (status, stdout, stderr) = case.run();
    assert_eq!(status, 0, "{stderr}");
    for line in [
        "[sh-1] aBtwo words gone / two words\n",
        "[joined-2] /SOME/HOME\n",
        "[echo-3] the prefix prefixed\n",
    ] {
        assert!(stdout.contains(line), "{line}: {stdout}");
    }
}

#[test]
fn a_program_of_another_package_is_found_and_given_its_parameters() {
    let mut case = Case::new(
        "<set_parameter name=\"shared\" value=\"1\"/>\n\
         <group><push_ros_namespace namespace=\"left\"/>\n\
         <node pkg=\"other\" exec=\"talk\" name=\"talker\" args=\"-x 'a b'\" ros_args=\"--log-level warn\" \
         output=\"screen\"><param name=\"rate\" value=\"5\" type=\"float\"/>\
         <param name=\"text\" value=\"5\" type=\"str\"/><param from=\"p.yaml\"/>\
         <param name=\"deep\"><param name=\"list\" value=\"[1, 2]\"/></param>\
         <remap from=\"chatter\" to=\"/said\"/></node></group>\n\
         <node pkg=\"other\" exec=\"talk\" exec_name=\"plain\" output=\"screen\"/>\n",
    );
    let folder = case.path("install/lib/other");
    std::fs::create_dir_all(&folder).expect("made");
    let program = folder.join("talk");
    let script = "#!/bin/sh\nfor word in \"$@\"; do echo \"<$word>\"; case $word in *.yaml) cat $word;; esac; done\n";
    std::fs::write(&program, script).expect("written");
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("made a program");
    std::fs::write(case.path("p.yaml"), "/**: {ros__parameters: {a: 1}}\n").expect("written");
    case.command.env(
        "AMENT_PREFIX_PATH",
        format!("/nowhere:{}", case.path("install").display()),
    );
    let (status, stdout, stderr) = case.run();
    assert_eq!(status, 0, "{stderr}");
    let of = |name: &str| -> Vec<String> {
        let lines = stdout.lines().filter_map(|l| l.strip_prefix(name));
        // Files by their names alone.
        let short = |l: &str| match l.rsplit_once('/') {
            Some((_, file)) if file.ends_with(".yaml>") => format!("<{file}"),
            _ => l.to_owned(),
        };
        lines.map(short).collect()
    };
    let expected = "<-x>|<a b>|<--ros-args>|<--log-level>|<warn>|<--ros-args>|<-r>|<__node:=talker>|\
        <-r>|<__ns:=/left>|<--params-file>|<1_talker.yaml>|\"/left/talker\":|  ros__parameters:|\
        \x20   \"shared\": 1|    \"rate\": 5.0|    \"text\": \"5\"|<--params-file>|<p.yaml>|\
        /**: {ros__parameters: {a: 1}}|<--params-file>|<2_talker.yaml>|\"/left/talker\":|\
        \x20 ros__parameters:|    \"deep.list\": [1, 2]|<-r>|<chatter:=/said>";
    assert_eq!(of("[talk-1] ").join("|"), expected);
    let expected =
        "<--ros-args>|<--params-file>|<3_talk.yaml>|\"/**\":|  ros__parameters:|    \"shared\": 1";
    assert_eq!(of("[plain-2] ").join("|"), expected);
    // The files made for them are gone.
    let entries = std::fs::read_dir(case.folder.path()).expect("read");
    let mut left: Vec<_> = entries.map(|e| e.expect("entry").file_name()).collect();
    left.sort();
    assert_eq!(left, ["a.launch.xml", "install", "p.yaml", "report"]);
}

#[test]
fn what_cannot_be_started_says_why() {
    for (body, prefixes, status, part) in [
        (
            "<node pkg=\"other\" exec=\"talk\"/>",
            "/nowhere:/nor/here",
            1,
            "a.launch.xml:2: package 'other', executable 'talk': none of the prefixes in \
             AMENT_PREFIX_PATH has lib/other: /nowhere:/nor/here",
        ),
        (
            "<executable cmd=\"no-such-program-anywhere -x\"/>",
            "",
            1,
            "[no-such-program-anywhere-1]: cannot start 'no-such-program-anywhere': No such file",
        ),
        (
            "<executable cmd=\"sh -c 'exit 7'\"/>",
            "",
            1,
            "process has died [pid ",
        ),
        (
            "<executable cmd=\"sleep 9\"/><node pkg=\"saccade_nodes\" exec=\"microsaccade\"/>",
            "",
            2,
            "starts processes beside the nodes (sleep-1), which run by the wall clock: add --realtime",
        ),
    ] {
        let mut case = Case::new(body);
        case.command.env("AMENT_PREFIX_PATH", prefixes);
        let (code, _, stderr) = case.run();
        assert!(stderr.contains(part), "{body}: {stderr}");
        assert_eq!(code, status, "{body}: {stderr}");
    }
}

#[test]
fn what_dies_is_started_again_until_a_required_process_ends() {
    let mut case = Case::new(
        "<executable cmd=\"sh -c 'echo up; exit 3'\" output=\"screen\" respawn=\"true\" respawn_delay=\"0.1\"/>\n\
         <executable cmd=\"sleep 1000\"/>\n\
         <executable cmd=\"sleep 2\" on_exit=\"shutdown\"/>\n",
    );
    let begun = Instant::now();
    let (status, stdout, stderr) = case.run();
    assert!(begun.elapsed() < Duration::from_secs(10), "{stderr}");
    let starts = stdout.matches("[sh-1] up\n").count();
    assert!(starts >= 3, "{starts}: {stdout}");
    assert!(stdout.contains("process      sh-1: "), "{stdout}");
    // The last one may have been stopped before it said anything.
    let counted = [starts, starts + 1].map(|n| format!(", started {n} times\n"));
    assert!(counted.iter().any(|c| stdout.contains(c)), "{stdout}");
    assert!(
        stdout.contains("process      sleep-2: stopped\n"),
        "{stdout}"
    );
    assert!(stdout.contains("ended: sleep-3 has ended"), "{stdout}");
    assert!(
        stderr.contains("[sleep-3]: was required: shutting everything down"),
        "{stderr}"
    );
    assert_eq!(status, 0, "{stderr}");

    let mut case = Case::new(
        "<executable cmd=\"sleep 1000\"/>\n\
         <executable cmd=\"sh -c 'echo $$ > pid; exec sleep 1000'\" on_exit=\"shutdown\"/>\n",
    );
    let child = case.spawn();
    signal(case.written("pid").parse().expect("a number"), "-KILL");
    let (status, stdout, _) = said(&child.wait_with_output().expect("it ends"));
    assert_eq!(status, 1, "{stdout}");
    assert!(
        stdout.contains("process      sh-2: killed by signal 9\n"),
        "{stdout}"
    );
    assert!(
        stdout.contains("process      sleep-1: stopped\n"),
        "{stdout}"
    );
}

#[test]
fn ctrl_c_ends_everything_even_who_does_not_listen() {
    let deaf = |name: &str, signals: &str| {
        format!(
            "<executable cmd=\"sh -c 'trap : {signals}; sleep 1000 & echo $! > {name}; \
             while :; do sleep 0.05; done'\" name=\"{name}\"/>\n"
        )
    };
    let mut case = Case::new(&format!(
        "<let name=\"sigterm_timeout\" value=\"0.4\"/><let name=\"sigkill_timeout\" value=\"0.3\"/>\n\
         <executable cmd=\"sleep 1000\" name=\"hearing\"/>\n{}{}",
        deaf("no_int", "INT"),
        deaf("no_term", "INT TERM"),
    ));
    let child = case.spawn();
    let grandchildren: Vec<_> = ["no_int", "no_term"].map(|n| case.written(n)).into();
    assert!(grandchildren.iter().all(|pid| runs(pid)));
    signal(child.id(), "-INT");
    let (status, stdout, stderr) = said(&child.wait_with_output().expect("it ends"));
    assert_eq!(status, 0, "{stderr}");
    for (name, signals) in [
        ("hearing-1", &["SIGINT"][..]),
        ("no_int-2", &["SIGINT", "SIGTERM"]),
        ("no_term-3", &["SIGINT", "SIGTERM", "SIGKILL"]),
    ] {
        for signal in ["SIGINT", "SIGTERM", "SIGKILL"] {
            let sent = stderr.lines().any(|l| {
                l.contains(&format!("[{name}]")) && l.ends_with(&format!("sending {signal}"))
            });
            assert_eq!(sent, signals.contains(&signal), "{name} {signal}: {stderr}");
        }
        assert!(
            stdout.contains(&format!("process      {name}: stopped\n")),
            "{stdout}"
        );
    }
    assert!(stdout.contains("ended: interrupted"), "{stdout}");
    for pid in grandchildren {
        assert!(!runs(&pid), "{pid}");
    }
}

#[test]
fn what_a_process_leaves_behind_ends_with_it() {
    // A shell lets what it starts in the background ignore SIGINT: SIGTERM ends it.
    let mut case = Case::new(
        "<let name=\"sigterm_timeout\" value=\"0.2\"/>\n\
         <executable cmd=\"sh -c 'sleep 1000 & echo $! > left'\"/>\n",
    );
    let (status, stdout, stderr) = case.run();
    assert_eq!(status, 0, "{stderr}");
    assert!(stdout.contains("process      sh-1: finished\n"), "{stdout}");
    assert!(!runs(&case.written("left")));
}

#[test]
fn stdout_is_one_document_where_that_is_asked_for() {
    let mut case =
        Case::new("<executable cmd=\"echo hello\" output=\"screen\"/>\n").args(&["--json"]);
    let (status, stdout, stderr) = case.run();
    assert_eq!(status, 0, "{stderr}");
    assert!(stderr.contains("[echo-1] hello\n"), "{stderr}");
    let document: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    let expected = serde_json::json!([{"name": "echo-1", "starts": 1, "how": "finished"}]);
    assert_eq!(document["processes"].as_array().map(Vec::len), Some(1));
    for key in ["name", "starts", "how"] {
        assert_eq!(document["processes"][0][key], expected[0][key]);
    }
}

#[test]
fn nodes_of_this_process_run_beside_others_and_take_them_along() {
    let body =
        "<executable cmd=\"sleep 1000\"/>\n<node pkg=\"saccade_nodes\" exec=\"microsaccade\"/>\n";
    let mut case = Case::new(body).args(&["--realtime", "--duration", "0.5"]);
    let begun = Instant::now();
    let (status, stdout, stderr) = case.run();
    assert_eq!(status, 0, "{stderr}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{stderr}");
    assert!(
        stdout.contains("process      sleep-1: stopped\n"),
        "{stdout}"
    );
    assert!(stdout.contains("ended: time is up"), "{stdout}");
    assert!(Path::new(&case.path("report/index.html")).is_file());
}

#[test]
fn only_what_simulates_goes_at_a_pace() {
    let node = "<node pkg=\"saccade_nodes\" exec=\"event_generator\"/>";
    let foreign = "<executable cmd=\"true\"/>";
    for (body, args, wanted) in [
        (node, &["--pace", "0.5"][..], "--pace needs --realtime or"),
        (
            &format!("{node}{foreign}"),
            &["--realtime", "--pace", "0.5"],
            "a.launch.xml starts true-2, whose clock cannot be slowed",
        ),
        (node, &["--realtime", "--pace", "2"], "`2` is no pace"),
    ] {
        let (status, _, errors) = Case::new(body).args(args).run();
        assert!(status == 2 && errors.contains(wanted), "{status}: {errors}");
    }
    // Ways: all nodes in one process, and each in its own.
    let args = ["--pace", "0.25", "--duration", "0.5", "--json"];
    for way in [
        "--realtime",
        #[cfg(feature = "dds")]
        "--processes",
    ] {
        let (status, out, errors) = Case::new(node).args(&[&args[..], &[way]].concat()).run();
        assert_eq!(status, 0, "{errors}");
        let document: serde_json::Value = serde_json::from_str(&out).expect("one document");
        let host = &document["run"]["host"];
        let seconds = |name: &str| host[name].as_f64().expect("a number");
        assert!(seconds("wall_s") >= 2.0, "{host}");
        let pace = document["times_real_time"].as_f64().expect("a number");
        assert!((pace - 0.25).abs() < 0.02, "{host}");
    }
}
