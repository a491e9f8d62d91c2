//! Learning that is kept in a file, so that it can go on after an interruption.

use super::{CliError, Context};
use crate::checkpoint::Checkpoint;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where learning is kept.
#[derive(Debug, clap::Args)]
pub struct KeepArgs {
    /// File to keep the learning in, so that it can go on after an interruption of any kind;
    /// written at least every --checkpoint-every seconds. Where several networks learn, one
    /// for each, named after it.
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Seconds between two checkpoints at most; 0 is after every change of the weights.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 30,
        requires = "checkpoint"
    )]
    checkpoint_every: u64,
    /// Go on from --checkpoint, to the same weights, to the bit, as without the
    /// interruption. Data, parameters and seed must be the same. Begins anew where the
    /// file is not there yet.
    #[arg(long, requires = "checkpoint")]
    resume: bool,
}

impl KeepArgs {
    /// The checkpoint asked for, with its folder made.
    pub fn kept(&self) -> Result<Option<Checkpoint>, CliError> {
        let file = self.checkpoint.as_ref();
        file.map(|path| self.kept_in(path.clone())).transpose()
    }

    /// That of one of several networks: of `a.ckpt` and `erbp-3` in `a-erbp-3.ckpt`.
    pub fn kept_of(&self, one: &str) -> Result<Option<Checkpoint>, CliError> {
        let file = self.checkpoint.as_ref();
        file.map(|path| {
            let mut name = path.file_stem().unwrap_or_default().to_owned();
            name.push(format!("-{one}"));
            if let Some(extension) = path.extension() {
                name.push(".");
                name.push(extension);
            }
            self.kept_in(path.with_file_name(name))
        })
        .transpose()
    }

    fn kept_in(&self, path: PathBuf) -> Result<Checkpoint, CliError> {
        goes_on(&path, self.resume)?;
        Ok(Checkpoint {
            path,
            every: Duration::from_secs(self.checkpoint_every),
            resume: self.resume,
        })
    }
}

/// Holds a checkpoint's file against `--resume`, and makes its folder; whether to go on
/// from it.
pub fn goes_on(path: &Path, resume: bool) -> Result<bool, CliError> {
    let there = path.exists();
    match (there, resume) {
        (true, false) => {
            return Err(CliError::usage(format!(
                "--checkpoint {}: the file is there already; go on from it with --resume, or remove it",
                path.display()
            )));
        }
        (false, true) => eprintln!("{} is not there yet: begins anew", path.display()),
        _ => (),
    }
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).context(format!("making {}", folder.display()))?;
    }
    Ok(there)
}
