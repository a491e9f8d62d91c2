//! How an emulated board behaves, as the command line says it.

use crate::cli::{CliError, Context};
use saccade_engine::models::classifier::Classifier;
use saccade_engine::models::config::ClassifierConfig;
use saccade_engine::models::spike_taught::{SpikeTaught, SpikeTaughtConfig};
use saccade_engine::spinnaker::emulator::{BoardSettings, ClassifierProgram, Faults, Limits};
use std::net::IpAddr;
use std::path::Path;

/// What stands for a network with random weights.
pub const UNTRAINED: &str = "untrained";

/// Arguments of commands with an emulated board.
#[derive(Debug, Clone, PartialEq, clap::Args)]
#[command(next_help_heading = "The emulated board")]
pub struct BoardArgs {
    /// Carry and hold no more than a real board does
    #[arg(long)]
    real_limits: bool,
    /// Neurons that a core of it holds: 8 where all learn by e-prop there
    #[arg(long, value_name = "N", requires = "real_limits", value_parser = clap::value_parser!(u16).range(1..))]
    neurons_per_core: Option<u16>,
    /// Compute a classifier in fixed point (16-bit weights, s16.15 state)
    #[arg(long)]
    pub fixed: bool,
    /// Share of packets that are lost, either way
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    lose: f64,
    /// Share of packets that come twice
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    duplicate: f64,
    /// Share of packets that come after the next one
    #[arg(long, value_name = "SHARE", default_value_t = 0.0)]
    reorder: f64,
    /// Ticks that all packets take longer, each way
    #[arg(long, value_name = "TICKS", default_value_t = 0, value_parser = clap::value_parser!(u32).range(..=10_000))]
    delay_ticks: u32,
    /// Seed of Poisson sources and faults, and of the weights of an untrained network
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Default for BoardArgs {
    fn default() -> Self {
        Self {
            real_limits: false,
            neurons_per_core: None,
            fixed: false,
            lose: 0.0,
            duplicate: 0.0,
            reorder: 0.0,
            delay_ticks: 0,
            seed: 1,
        }
    }
}

impl BoardArgs {
    /// What the board is made with; `allowed` may talk to it.
    ///
    /// # Errors
    /// Shares that are none.
    pub fn settings(&self, allowed: Vec<IpAddr>) -> Result<BoardSettings, CliError> {
        let shares = [
            ("--lose", self.lose),
            ("--duplicate", self.duplicate),
            ("--reorder", self.reorder),
        ];
        for (name, share) in shares {
            if !(0.0..=0.5).contains(&share) {
                return Err(CliError::usage(format!(
                    "{name} {share} is outside of 0..=0.5"
                )));
            }
        }
        let per_core = self.neurons_per_core.map(usize::from);
        let real = Limits {
            neurons_per_core: per_core.unwrap_or(Limits::REAL.neurons_per_core),
            ..Limits::REAL
        };
        Ok(BoardSettings {
            limits: self.real_limits.then_some(real),
            faults: Faults {
                lost: self.lose,
                duplicated: self.duplicate,
                reordered: self.reorder,
                delay_ticks: self.delay_ticks,
            },
            allowed,
            seed: self.seed,
        })
    }

    /// Ticks after which packets have come in their order, or are lost.
    pub fn hold(&self) -> u32 {
        if self.reorder > 0.0 { 3 } else { 1 }
    }

    /// A network that learns on the board: from these weights, or `untrained`.
    ///
    /// # Errors
    /// Weights that cannot be read; fixed point, in which nothing is learnt.
    pub fn pupil(&self, network: &str) -> Result<SpikeTaught, CliError> {
        if self.fixed {
            return Err(CliError::usage(
                "--fixed computes with weights that stay; a network that learns needs floats",
            ));
        }
        let teaching = SpikeTaughtConfig::default();
        if network == UNTRAINED {
            let pupil = SpikeTaught::new(ClassifierConfig::default(), teaching, self.seed);
            return pupil.context("an untrained network");
        }
        let doing = || format!("loading {network} (weights of a classifier, or `{UNTRAINED}`)");
        let classifier = Classifier::load(Path::new(network)).context(doing())?;
        SpikeTaught::of(&classifier, teaching).context(doing())
    }

    /// The recurrent layer of a classifier, in the arithmetic asked for.
    ///
    /// # Errors
    /// Weights that fixed point cannot hold.
    pub fn program(&self, classifier: Classifier) -> saccade_engine::Result<ClassifierProgram> {
        match self.fixed {
            true => ClassifierProgram::fixed(classifier),
            false => Ok(ClassifierProgram::new(classifier)),
        }
    }
}
