//! Launch files, the `saccade` command and its launcher.
//!
//! - [`launch_file`] reads ROS 2's launch formats, [`processes`] runs programs as they ask;
//! - [`cli`] holds the `saccade` command, one file per subcommand;
//! - [`report`] writes the folder a run leaves behind, [`plots`] draws;
//! - [`dataset`] makes data sets, [`experiment`] trains and tests on them.

pub mod checkpoint;
pub mod cli;
pub mod dataset;
pub mod experiment;
pub mod launch_file;
pub mod nir_file;
pub mod plots;
pub mod processes;
pub mod report;
