//! `saccade doctor`: what is installed, and what will be used.

use super::{CliResult, Exit, print_json, print_line};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Arguments of `saccade doctor`.
#[derive(Debug, clap::Args)]
pub struct DoctorArgs {
    /// One JSON document on stdout
    #[arg(long)]
    json: bool,
}

/// One thing looked for.
#[derive(Debug, Serialize)]
struct Finding {
    /// What was looked for.
    what: &'static str,
    /// What is there; `None`: nothing.
    found: Option<String>,
    /// Whether this version of Saccade makes use of it.
    used: bool,
    /// For what, or why not.
    note: &'static str,
}

/// Runs `saccade doctor`.
///
/// # Errors
/// Only when stdout cannot be written.
pub fn run(args: DoctorArgs) -> CliResult {
    let findings = [
        cpu(),
        vector_units(),
        ros(),
        middlewares(),
        gazebo(),
        gpu(),
        spinnaker(),
    ];
    if args.json {
        print_json(&findings)?;
        return Ok(Exit::Success);
    }
    for finding in &findings {
        let used = if finding.used { "used" } else { "not used" };
        let found = finding.found.as_deref().unwrap_or("not found");
        print_line(format!("{:<14} {found}", finding.what))?;
        print_line(format!("{:<14} {used}: {}", "", finding.note))?;
    }
    Ok(Exit::Success)
}

fn cpu() -> Finding {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let system = format!("{} {}", std::env::consts::OS, std::env::consts::ARCH);
    Finding {
        what: "processor",
        found: Some(format!("{cores} cores, {system}")),
        used: true,
        note: "everything runs here: nodes, engine and the embedded world",
    }
}

#[cfg(target_arch = "x86_64")]
fn vector_units() -> Finding {
    let units = [
        ("sse4.2", is_x86_feature_detected!("sse4.2")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
    ];
    let found: Vec<_> = units
        .iter()
        .filter(|(_, there)| *there)
        .map(|(name, _)| *name)
        .collect();
    Finding {
        what: "vector units",
        found: (!found.is_empty()).then(|| found.join(", ")),
        used: true,
        note: "the engine chooses its code for them at run time",
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn vector_units() -> Finding {
    Finding {
        what: "vector units",
        found: None,
        used: false,
        note: "looked for on x86-64 only; the engine's portable code runs",
    }
}

fn ros() -> Finding {
    let distribution = std::env::var("ROS_DISTRO").ok();
    let command = in_path(&["ros2"]).map(|p| p.display().to_string());
    let found = match (distribution, command) {
        (Some(name), Some(path)) => Some(format!("{name}, {path}")),
        (Some(name), None) => Some(format!("{name}, but no ros2 in PATH")),
        (None, Some(path)) => Some(format!(
            "{path}, but ROS_DISTRO is not set: source its setup"
        )),
        (None, None) => None,
    };
    Finding {
        what: "ROS 2",
        found,
        used: cfg!(feature = "rcl"),
        note: "launch files run without it, and nodes reach others by a middleware of our own; \
               --ros rcl, in a program built for it, runs them on it",
    }
}

fn middlewares() -> Finding {
    let built = [
        ("dds", cfg!(feature = "dds")),
        ("zenoh", cfg!(feature = "zenoh")),
        ("rcl", cfg!(feature = "rcl")),
    ];
    let built: Vec<_> = (built.iter().filter(|(_, there)| *there))
        .map(|(name, _)| *name)
        .collect();
    Finding {
        what: "middlewares",
        found: (!built.is_empty()).then(|| built.join(", ")),
        used: !built.is_empty(),
        note: "what --ros takes in this program; zenoh and rcl are features of its build",
    }
}

fn gazebo() -> Finding {
    Finding {
        what: "Gazebo",
        found: in_path(&["gz", "ign"]).map(|p| p.display().to_string()),
        used: false,
        note: "worlds run in the embedded simulator; this version has no Gazebo bridge yet",
    }
}

fn gpu() -> Finding {
    let nvidia = Path::new("/proc/driver/nvidia/version").exists();
    Finding {
        what: "GPU",
        found: nvidia.then(|| "NVIDIA driver".to_owned()),
        used: false,
        note: "nothing here computes or renders on a GPU",
    }
}

fn spinnaker() -> Finding {
    Finding {
        what: "SpiNNaker",
        found: None,
        used: false,
        note: "not looked for; `saccade spinnaker emulate` is a board on this machine",
    }
}

/// The first of these programs that `PATH` has.
fn in_path(programs: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    programs
        .iter()
        .flat_map(|program| folders.iter().map(move |folder| folder.join(program)))
        .find(|candidate| candidate.is_file())
}
