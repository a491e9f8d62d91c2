//! The ROS 2 package made of this folder has the same types as the crate.

use saccade_msgs::registry::{ENTRIES, find};
use std::path::Path;

/// Definition lines without comments, white space as definitions have it.
fn lines(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| line.split('#').next().unwrap_or_default())
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .filter(|line| !line.is_empty())
        .collect()
}

/// (type name, lines) of every part of every interface file.
fn interface_files() -> Vec<(String, Vec<String>)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let cmake = std::fs::read_to_string(root.join("CMakeLists.txt")).unwrap();
    let mut parts = Vec::new();
    for (kind, suffixes) in [
        ("msg", &[""][..]),
        ("srv", &["_Request", "_Response"]),
        ("action", &["_Goal", "_Result", "_Feedback"]),
    ] {
        for file in std::fs::read_dir(root.join(kind)).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            assert!(
                cmake.contains(&format!("\"{kind}/{name}.{kind}\"")),
                "{name} is missing in CMakeLists.txt"
            );
            let text = std::fs::read_to_string(&path).unwrap();
            let texts: Vec<_> = text.split("---\n").collect();
            assert_eq!(texts.len(), suffixes.len(), "{path:?}");
            for (text, suffix) in texts.iter().zip(suffixes) {
                parts.push((format!("saccade_msgs/{kind}/{name}{suffix}"), lines(text)));
            }
        }
    }
    parts
}

#[test]
fn interface_files_and_types_are_the_same() {
    let files = interface_files();
    for (type_name, lines_of_file) in &files {
        let entry =
            find(type_name).unwrap_or_else(|| panic!("{type_name} has a file but no Rust type"));
        assert_eq!(
            lines_of_file,
            &lines(&(entry.schema)().own_text()),
            "{type_name}"
        );
    }
    for entry in ENTRIES
        .iter()
        .filter(|entry| entry.type_name.starts_with("saccade_msgs/"))
    {
        assert!(
            files.iter().any(|(name, _)| name == entry.type_name),
            "{} has no file",
            entry.type_name
        );
    }
}
