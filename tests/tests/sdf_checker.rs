//! Our world files against Gazebo Fortress's own checker, `ign sdf -k`.

use std::path::{Path, PathBuf};
use std::process::Command;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn check(file: &Path) -> String {
    let output = Command::new("ign")
        .args(["sdf", "-k"])
        .arg(file)
        .output()
        .expect("`ign` was installed by the script just now");
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn gazebo_finds_every_world_file_valid_and_a_broken_one_not() {
    let installed = Command::new(repository().join("tests/peers/install_sdformat.sh"))
        .status()
        .expect("bash runs the install script");
    assert!(
        installed.success(),
        "the SDF checker could not be installed; see above"
    );
    let worlds = repository().join("worlds");
    let mut checked = 0;
    for entry in std::fs::read_dir(&worlds).expect("worlds/ is in the repository") {
        let path = entry.expect("a readable entry").path();
        if path.extension().is_some_and(|e| e == "sdf") {
            assert!(
                check(&path).contains("Valid"),
                "{}: {}",
                path.display(),
                check(&path)
            );
            checked += 1;
        }
    }
    assert!(checked > 0, "no world file in {}", worlds.display());

    let text = std::fs::read_to_string(worlds.join("grasp_table.sdf")).expect("the grasp world");
    let broken = text.replacen("<child>", "<child>no_such_", 1);
    assert_ne!(text, broken);
    let file = std::env::temp_dir().join(format!("saccade-broken-{}.sdf", std::process::id()));
    std::fs::write(&file, broken).expect("a writable temporary folder");
    let verdict = check(&file);
    std::fs::remove_file(&file).expect("the file just written");
    assert!(
        !verdict.contains("Valid."),
        "the checker accepts anything: {verdict}"
    );
}
