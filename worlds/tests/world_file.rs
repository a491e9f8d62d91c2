//! World files: what is read, and what is refused with which words.

use proptest::prelude::*;
use saccade_worlds::sdf::{JointKind, SdfError, World};

const GRASP_TABLE: &str = include_str!("../grasp_table.sdf");

fn load() -> World {
    World::from_str("grasp_table.sdf", GRASP_TABLE).expect("the shipped world loads")
}

/// Error of the shipped world with `from` replaced by `to` once, and the line of it.
fn refused(from: &str, to: &str) -> (String, String) {
    let at = GRASP_TABLE
        .find(from)
        .expect("the text to replace is there");
    let line = GRASP_TABLE[..at].lines().count().max(1);
    let text = GRASP_TABLE.replacen(from, to, 1);
    let error = World::from_str("broken.sdf", &text).expect_err("it is refused");
    (error.to_string(), format!("broken.sdf:{line}:"))
}

#[test]
fn the_robot_has_the_makers_joints() {
    let world = load();
    let robot = &world.models[world.model("robot").expect("a robot")];
    let joint = |name: &str| {
        let found = robot.joints.iter().find(|j| j.name == name);
        found.unwrap_or_else(|| panic!("no joint {name}"))
    };
    // LWA4P data sheet and public URDF.
    assert_eq!(joint("arm_1_joint").limits, [-2.947, 2.947]);
    assert_eq!(joint("arm_3_joint").limits, [-2.694, 2.694]);
    let efforts: Vec<f32> = (1..=6)
        .map(|i| joint(&format!("arm_{i}_joint")).effort)
        .collect();
    assert_eq!(efforts, [370.0, 370.0, 176.0, 176.0, 41.6, 20.1]);
    assert!((1..=6).all(|i| joint(&format!("arm_{i}_joint")).velocity == 1.26));
    // SVH: nine joints that move by themselves, eleven that are coupled.
    let hand = robot
        .controllers
        .iter()
        .find(|c| c.name == "hand")
        .expect("a hand");
    assert_eq!(hand.joints.len(), 9);
    let coupled = robot.joints.iter().filter(|j| j.mimic.is_some()).count();
    assert_eq!(coupled, 11);
    let j13 = joint("j13").mimic.expect("coupled");
    assert_eq!(robot.joints[j13.joint].name, "Pinky");
    assert_eq!(j13.multiplier, 1.3588);
    assert!(robot.joints.iter().all(|j| j.kind != JointKind::Prismatic));
}

#[test]
fn nothing_is_stickier_than_allowed() {
    for model in &load().models {
        for link in &model.links {
            for collision in &link.collisions {
                assert!(collision.friction <= 0.8, "{}/{}", model.name, link.name);
            }
        }
    }
}

#[test]
fn an_unknown_link_is_named() {
    let (text, place) = refused("<child>arm_3_link</child>", "<child>arm_33_link</child>");
    assert!(text.starts_with(&place), "{text}");
    assert!(
        text.contains("joint \"arm_3_joint\" names the link \"arm_33_link\""),
        "{text}"
    );
}

#[test]
fn a_missing_link_is_named() {
    let (text, _) = refused("<link name=\"thumb_b\">", "<link name=\"thumb_bb\">");
    assert!(text.contains("\"thumb_b\""), "{text}");
}

#[test]
fn numbers_must_be_numbers() {
    for (from, to, word) in [
        ("<mass>0.06</mass>", "<mass>NaN</mass>", "finite number"),
        ("<mass>0.06</mass>", "<mass>-1</mass>", "positive"),
        ("<mass>0.06</mass>", "<mass></mass>", "expected 1 numbers"),
        (
            "<gravity>0 0 -9.81</gravity>",
            "<gravity>0 -9.81</gravity>",
            "expected 3 numbers",
        ),
        (
            "<radius>0.0325</radius>",
            "<radius>inf</radius>",
            "finite number",
        ),
        (
            "<lower>-2.947</lower>",
            "<lower>3</lower>",
            "lower is not below upper",
        ),
        ("<width>128</width>", "<width>1e9</width>", "1 to 4096"),
        (
            "<max_step_size>0.001<",
            "<max_step_size>0<",
            "max_step_size is 0",
        ),
    ] {
        let (text, _) = refused(from, to);
        assert!(
            text.starts_with("broken.sdf:") && text.contains(word),
            "{to}: {text}"
        );
    }
}

#[test]
fn what_is_not_run_is_refused() {
    for (from, to, word) in [
        (
            "<sdf version=\"1.9\"",
            "<sdf version=\"1.11\"",
            "1.9 or lower",
        ),
        (
            "type=\"revolute\"",
            "type=\"ball\"",
            "fixed, revolute and prismatic",
        ),
        (
            "<capsule><radius>0.05</radius><length>0.17</length></capsule>",
            "<mesh/>",
            "no shape",
        ),
        (
            "<child>arm_2_link</child>",
            "<child>arm_1_link</child>",
            "two parent joints",
        ),
        (
            "mimic joint=\"Pinky\"",
            "mimic joint=\"Nobody\"",
            "\"Nobody\"",
        ),
        ("joints=\"head_pan_joint", "joints=\"neck", "\"neck\""),
        (
            "<link name=\"arm_2_link\">",
            "<link name=\"arm_1_link\">",
            "taken already",
        ),
        (
            "<parent>arm_base_link</parent>",
            "<parent>arm_6_link</parent>",
            "circle",
        ),
    ] {
        let (text, _) = refused(from, to);
        assert!(text.contains(word), "{to}: {text}");
    }
}

#[test]
fn a_truncated_file_is_no_xml() {
    let error = World::from_str("cut.sdf", &GRASP_TABLE[..GRASP_TABLE.len() / 2]);
    assert!(matches!(error, Err(SdfError::Xml { .. })));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = World::load("no/such.sdf".as_ref()).expect_err("not there");
    assert!(error.to_string().starts_with("no/such.sdf"), "{error}");
}

/// Gazebo's own checker, where it is installed.
#[test]
fn gazebos_checker_finds_nothing() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/grasp_table.sdf");
    match std::process::Command::new("ign")
        .args(["sdf", "-k", path])
        .output()
    {
        Ok(out) if out.stdout.starts_with(b"I cannot find") => {
            eprintln!("DID NOT RUN: `ign sdf` needs Debian's libsdformat-dev");
        }
        Ok(out) => assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), "Valid."),
        Err(_) => eprintln!("DID NOT RUN: no `ign`; install ignition-tools and libsdformat-dev"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Bytes lost anywhere give a world or an error, never a panic.
    #[test]
    fn damage_never_panics(at in 0..GRASP_TABLE.len(), lost in 1usize..40) {
        let text: String = GRASP_TABLE
            .char_indices()
            .filter(|(i, _)| !(at..at + lost).contains(i))
            .map(|(_, c)| c)
            .collect();
        let _ = World::from_str("damaged.sdf", &text);
    }
}

/// What Gazebo needs is in every file, in the words that Fortress and Harmonic both take,
/// and none of it reaches the embedded world.
#[test]
fn every_world_carries_what_gazebo_needs() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("the folder of the worlds") {
        let path = entry.expect("an entry").path();
        if path.extension().is_none_or(|e| e != "sdf") {
            continue;
        }
        seen += 1;
        let text = std::fs::read_to_string(&path).expect("a world file");
        let name = path.display().to_string();
        for system in [
            "Physics",
            "UserCommands",
            "SceneBroadcaster",
            "Sensors",
            "Contact",
        ] {
            let class = format!("name=\"ignition::gazebo::systems::{system}\"");
            assert!(text.contains(&class), "{name}: no {system}");
        }
        for plugin in text.match_indices("<plugin ") {
            let rest = &text[plugin.0..];
            let tag = &rest[..rest.find('>').expect("it ends")];
            assert!(
                tag.contains("filename=\"ignition-gazebo-") && tag.contains("-system\""),
                "{name}: {tag}"
            );
        }
        for word in [
            "<render_engine",
            "<sub_topic",
            "<initial_position",
            "gz-sim",
        ] {
            assert!(!text.contains(word), "{name}: {word}");
        }
        let world = World::from_str(&name, &text).expect("it loads");
        for link in world.models.iter().flat_map(|m| &m.links) {
            assert!(link.sensors.iter().all(|s| s.image[0] > 0), "cameras only");
        }
    }
    assert_eq!(seen, 5);
}

#[test]
fn the_embedded_world_has_a_step_of_its_own() {
    let text = GRASP_TABLE.replacen(
        "<gravity>",
        "<saccade:step>0.004</saccade:step><gravity>",
        1,
    );
    let world = World::from_str("step.sdf", &text).expect("it loads");
    assert_eq!(world.step_ns, 4_000_000);
    let text = text.replacen("0.004", "0.5", 1);
    let error = World::from_str("step.sdf", &text).expect_err("too long");
    assert!(error.to_string().contains("the step is 0.5 s"), "{error}");
}
