//! `saccade node`: runs one node, or tells what the nodes are, as tables. The pages in
//! `nodes/doc/` hold the same tables.

#[cfg(feature = "dds")]
mod run;

use super::{CliError, CliResult, Exit, print_json, print_line};
use saccade_nodes::{Default, Endpoint, Interface, Reliability, registry, tables};
use serde_json::{Value, json};

/// Arguments of `saccade node`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
    saccade node NAME [OPTIONS] --ros-args …  runs a node on ROS 2's network until Ctrl-C; \
    saccade node NAME --help tells more.\n\n\
    Examples:\n  \
    saccade node dvs_ingest --ros-args -r events:=/event_camera/events\n  \
    saccade node describe dvs_ingest")]
pub struct NodeArgs {
    #[command(subcommand)]
    command: NodeCommand,
}

#[derive(Debug, clap::Subcommand)]
enum NodeCommand {
    /// The nodes and what they do
    List {
        /// One JSON document on stdout
        #[arg(long)]
        json: bool,
        /// Their names and nothing else, a line each
        #[arg(long, conflicts_with = "json")]
        names: bool,
    },
    /// A node's topics, services, actions and parameters (Markdown)
    Describe {
        /// The node's name, as `saccade node list` shows it
        name: String,
        /// One JSON document on stdout
        #[arg(long)]
        json: bool,
    },
    /// A node's name: runs it
    #[cfg(feature = "dds")]
    #[command(external_subcommand)]
    Run(Vec<String>),
}

/// Runs `saccade node`.
///
/// # Errors
/// No node of that name; what keeps it from running.
pub fn run(args: NodeArgs) -> CliResult {
    match args.command {
        NodeCommand::List { json: true, .. } => {
            let all: Vec<_> = registry::interfaces()
                .map(|i| json!({"name": i.name, "doc": i.doc}))
                .collect();
            print_json(&all)?;
        }
        NodeCommand::List { names, .. } => {
            for interface in registry::interfaces() {
                match names {
                    true => print_line(interface.name)?,
                    false => print_line(format!("{:<20} {}", interface.name, interface.doc))?,
                }
            }
        }
        #[cfg(feature = "dds")]
        NodeCommand::Run(words) => return run::run(&words),
        NodeCommand::Describe { name, json } => {
            let Some(entry) = registry::find(&name) else {
                let known = registry::names().join(", ");
                return Err(CliError::usage(format!(
                    "no node '{name}'; there are: {known}"
                )));
            };
            if json {
                print_json(&document(entry.interface))?;
            } else {
                print_line(tables::markdown(entry.interface).trim_end())?;
            }
        }
    }
    Ok(Exit::Success)
}

fn document(interface: &Interface) -> Value {
    let endpoints = |list: &[Endpoint], topics: bool| -> Vec<Value> {
        list.iter()
            .map(|e| {
                let mut value = json!({"name": e.name, "type": e.type_name, "doc": e.doc});
                if topics {
                    value["qos"] = json!({
                        "reliable": e.qos.reliability == Reliability::Reliable,
                        "depth": e.qos.depth,
                        "transient_local": e.qos.transient_local,
                    });
                }
                value
            })
            .collect()
    };
    let parameters: Vec<_> = interface
        .parameters
        .iter()
        .map(|p| {
            let default = match p.default {
                Default::Bool(v) => json!(v),
                Default::Integer(v) => json!(v),
                Default::Double(v) => json!(v),
                Default::Text(v) => json!(v),
            };
            json!({
                "name": p.name, "default": default, "range": p.range, "unit": p.unit,
                "read_only": !p.live, "doc": p.doc,
            })
        })
        .collect();
    let timers: Vec<_> = interface
        .timers
        .iter()
        .map(|t| json!({"name": t.name, "period_ns": t.period_ns}))
        .collect();
    json!({
        "name": interface.name,
        "doc": interface.doc,
        "subscriptions": endpoints(interface.subscriptions, true),
        "publishers": endpoints(interface.publishers, true),
        "services": endpoints(interface.services, false),
        "clients": endpoints(interface.clients, false),
        "action_servers": endpoints(interface.action_servers, false),
        "action_clients": endpoints(interface.action_clients, false),
        "parameters": parameters,
        "timers": timers,
    })
}
