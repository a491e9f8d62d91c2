//! Launch files, the `saccade` command and its launcher.
//!
//! - [`launch_file`] reads ROS 2's XML launch format;
//! - [`cli`] holds the `saccade` command, one file per subcommand;
//! - [`report`] writes the folder a run leaves behind, [`plots`] draws.

pub mod cli;
pub mod launch_file;
pub mod plots;
pub mod report;
