//! Ctrl-C.

use super::{CliError, Context};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A terminal signals all its processes, and `ros2 launch` may do so again: within this
/// time it is the same Ctrl-C.
const SAME: Duration = Duration::from_secs(1);

/// What Ctrl-C (and SIGTERM) sets, so that the command ends in good order. A second
/// one, a second later at least, ends the process at once, and kills what it started.
///
/// # Errors
/// The handler cannot be installed.
pub fn on_ctrl_c() -> Result<Arc<AtomicBool>, CliError> {
    let stop = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&stop);
    let mut first = None;
    ctrlc::set_handler(move || {
        set.store(true, Ordering::Relaxed);
        if first.get_or_insert_with(Instant::now).elapsed() >= SAME {
            crate::processes::kill_all();
            std::process::exit(130);
        }
    })
    .context("listening to Ctrl-C")?;
    Ok(stop)
}
