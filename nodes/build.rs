//! Builds what calls Gazebo's transport, where the feature `gz-transport` asks for it.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    #[cfg(feature = "gz-transport")]
    gazebo::build();
}

#[cfg(feature = "gz-transport")]
mod gazebo {
    use std::process::Command;

    /// What pkg-config calls the library: that of Harmonic, of Garden, and of Fortress.
    const NAMES: [&str; 3] = ["gz-transport13", "gz-transport12", "ignition-transport11"];

    pub fn build() {
        println!("cargo:rerun-if-changed=src/gz_bridge/shim.cc");
        println!("cargo:rerun-if-env-changed=PKG_CONFIG_PATH");
        let Some((name, words)) = NAMES.iter().find_map(|n| Some((n, ask(n)?))) else {
            let names = NAMES.join(", ");
            println!(
                "cargo:error=pkg-config knows none of {names}, which the feature gz-transport is \
                 built with; on Debian: apt-get install pkg-config libignition-transport-dev"
            );
            std::process::exit(1);
        };
        let mut shim = cc::Build::new();
        shim.cpp(true).file("src/gz_bridge/shim.cc");
        if name.starts_with("gz") {
            shim.define("SACCADE_GZ", None);
            println!("cargo:rustc-cfg=gz_names");
        }
        println!("cargo:rustc-check-cfg=cfg(gz_names)");
        shim.std("c++17");
        let mut words = words.iter();
        let mut link = Vec::new();
        while let Some(word) = words.next() {
            match word.as_bytes() {
                [b'-', b'L', ..] => link.push(format!("search={}", &word[2..])),
                [b'-', b'l', ..] => link.push(format!("lib={}", &word[2..])),
                // Their warnings are not ours.
                [b'-', b'I', ..] => {
                    shim.flag("-isystem").flag(&word[2..]);
                }
                b"-isystem" => {
                    if let Some(folder) = words.next() {
                        shim.flag("-isystem").flag(folder);
                    }
                }
                [b'-', b'D', ..] => {
                    shim.flag(word);
                }
                _ => {}
            }
        }
        // After the shim, which needs them.
        shim.compile("saccade_gz");
        for word in link {
            match word.split_once('=') {
                Some(("search", folder)) => println!("cargo:rustc-link-search=native={folder}"),
                Some((_, library)) => println!("cargo:rustc-link-lib=dylib={library}"),
                None => {}
            }
        }
    }

    /// Flags to compile and link with a library, where it is there.
    fn ask(name: &str) -> Option<Vec<String>> {
        let output = Command::new("pkg-config")
            .args(["--cflags", "--libs", name])
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        let words = text.split_whitespace().map(str::to_owned).collect();
        output.status.success().then_some(words)
    }
}
