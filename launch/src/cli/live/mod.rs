//! What the commands share that publish and subscribe on ROS 2's network.

mod pace;
mod player;

pub use pace::{PaceArgs, Turn};
pub use player::Player;

use super::CliError;
use saccade_nodes::dds::{Options, Participant, Reach};
use saccade_nodes::network::Connect;
use saccade_nodes::{Qos, Reliability};

/// How nodes reach other ROS 2 processes.
#[derive(Debug, Clone, Copy, PartialEq, clap::ValueEnum)]
pub enum Middleware {
    /// DDS in pure Rust; nothing of ROS need be installed
    Dds,
    /// Zenoh in pure Rust, as rmw_zenoh_cpp speaks it; nothing of ROS need be installed but
    /// a router
    Zenoh,
    /// The ROS 2 that is installed and sourced
    #[cfg(feature = "rcl")]
    Rcl,
}

impl Middleware {
    /// What a program uses that was built for a ROS 2: that one. Else what
    /// `RMW_IMPLEMENTATION` says, or DDS.
    pub fn usual() -> Self {
        #[cfg(feature = "rcl")]
        return Self::Rcl;
        #[cfg(not(feature = "rcl"))]
        match std::env::var("RMW_IMPLEMENTATION").as_deref() {
            Ok("rmw_zenoh_cpp") => Self::Zenoh,
            _ => Self::Dds,
        }
    }
}

/// Whom a command talks to.
#[derive(Debug, clap::Args)]
pub struct NetworkArgs {
    /// ROS domain [default: what ROS_DOMAIN_ID says, or 0].
    #[arg(long, value_name = "ID", value_parser = clap::value_parser!(u16).range(..=232))]
    domain: Option<u16>,
    /// Reach other machines, not only this one (as ROS_LOCALHOST_ONLY=0 and
    /// ROS_AUTOMATIC_DISCOVERY_RANGE=SUBNET do).
    #[arg(long)]
    network: bool,
}

impl NetworkArgs {
    /// Joins the domain as a node of this name.
    pub fn join(&self, node: &str) -> Result<Participant, CliError> {
        let options = self.options(node)?;
        eprintln!("{node}: {}", Self::describe(&options));
        Ok(Participant::join(&options)?)
    }

    /// What the command line and the environment say.
    pub fn options(&self, node: &str) -> Result<Options, CliError> {
        let mut options = Options::from_env(node, self.network.then_some(Reach::Network))?;
        options.domain = self.domain.unwrap_or(options.domain);
        Ok(options)
    }

    /// The same for `saccade node`, on its command line.
    pub fn words(&self, by: Middleware) -> Vec<String> {
        use clap::ValueEnum;
        let by = by.to_possible_value();
        let by = by.map_or_else(String::new, |v| v.get_name().to_owned());
        let mut words = vec!["--ros".to_owned(), by];
        if let Some(domain) = self.domain {
            words.extend(["--domain".to_owned(), domain.to_string()]);
        }
        words.extend(self.network.then(|| "--network".to_owned()));
        words
    }

    /// What connects nodes with other processes, and whom that reaches, in words.
    pub fn connection(&self, by: Middleware) -> Result<(Connect, String), CliError> {
        match by {
            Middleware::Dds => {
                let options = self.options("")?;
                let whom = Self::describe(&options);
                Ok((saccade_nodes::dds::connect(options), whom))
            }
            Middleware::Zenoh if self.network => Err(CliError::usage(
                "--network is for --ros dds; Zenoh reaches what its router and \
                 ZENOH_SESSION_CONFIG_URI say",
            )),
            #[cfg(feature = "zenoh")]
            Middleware::Zenoh => {
                let mut options = saccade_nodes::zenoh::Options::from_env()?;
                options.domain = self.domain.unwrap_or(options.domain);
                let domain = options.domain;
                let whom = format!("domain {domain} over Zenoh; others are found by a router");
                Ok((saccade_nodes::zenoh::connect(options), whom))
            }
            #[cfg(not(feature = "zenoh"))]
            Middleware::Zenoh => Err(CliError::usage(
                "this program was built without Zenoh: `cargo build --release --features zenoh` \
                 builds it with it, and --ros dds needs no RMW_IMPLEMENTATION=rmw_zenoh_cpp",
            )),
            #[cfg(feature = "rcl")]
            Middleware::Rcl if self.network => Err(CliError::usage(
                "--network is for --ros dds; rcl reaches what ROS_LOCALHOST_ONLY and \
                 ROS_AUTOMATIC_DISCOVERY_RANGE say",
            )),
            #[cfg(feature = "rcl")]
            Middleware::Rcl => {
                let connect = saccade_nodes::rcl::connect(self.domain);
                Ok((connect, "the ROS 2 that is sourced".to_owned()))
            }
        }
    }

    /// Whom one talks to, in words.
    fn describe(options: &Options) -> String {
        let reach = match options.reach {
            Reach::Localhost => "this machine",
            Reach::Network => "the network",
        };
        let note = match options.distribution {
            Some(_) => "",
            None => {
                "\nnote: not announced as a node, for which ROS_DISTRO would have to say to \
                 whom; topics work all the same"
            }
        };
        format!("domain {} of {reach}{note}", options.domain)
    }
}

/// Another quality of service than the usual.
#[derive(Debug, clap::Args)]
pub struct QosArgs {
    /// Whether publishers wait for subscribers that ask for it.
    #[arg(long, value_enum)]
    reliability: Option<ReliabilityArg>,
    /// Whether who subscribes later gets the messages before.
    #[arg(long, value_enum)]
    durability: Option<DurabilityArg>,
    /// How many messages are kept for them.
    #[arg(long, value_name = "MESSAGES", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    depth: Option<u32>,
}

#[derive(Debug, Clone, Copy, PartialEq, clap::ValueEnum)]
enum ReliabilityArg {
    Reliable,
    BestEffort,
}

#[derive(Debug, Clone, Copy, PartialEq, clap::ValueEnum)]
enum DurabilityArg {
    Volatile,
    TransientLocal,
}

impl QosArgs {
    /// `usual`, where the command line does not say otherwise.
    pub fn over(&self, usual: Qos) -> Qos {
        Qos {
            reliability: match self.reliability {
                None => usual.reliability,
                Some(ReliabilityArg::Reliable) => Reliability::Reliable,
                Some(ReliabilityArg::BestEffort) => Reliability::BestEffort,
            },
            transient_local: match self.durability {
                None => usual.transient_local,
                Some(durability) => durability == DurabilityArg::TransientLocal,
            },
            depth: self.depth.map_or(usual.depth, |depth| depth as usize),
            ..usual
        }
    }
}
