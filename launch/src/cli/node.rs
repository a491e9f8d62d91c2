//! `saccade node`: what the nodes are, as tables. The pages in `nodes/doc/`
//! hold the same tables.

use super::{CliError, CliResult, Exit, print_json, print_line};
use saccade_nodes::{Default, Endpoint, Interface, ParameterDecl, Reliability, registry};
use serde_json::{Value, json};
use std::fmt::Write;

/// Arguments of `saccade node`.
#[derive(Debug, clap::Args)]
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
    },
    /// A node's topics, services, actions and parameters (Markdown)
    Describe {
        /// The node's name, as `saccade node list` shows it
        name: String,
        /// One JSON document on stdout
        #[arg(long)]
        json: bool,
    },
}

/// Runs `saccade node`.
///
/// # Errors
/// No node of that name.
pub fn run(args: NodeArgs) -> CliResult {
    match args.command {
        NodeCommand::List { json: true } => {
            let all: Vec<_> = registry::interfaces()
                .map(|i| json!({"name": i.name, "doc": i.doc}))
                .collect();
            print_json(&all)?;
        }
        NodeCommand::List { json: false } => {
            for interface in registry::interfaces() {
                print_line(format!("{:<20} {}", interface.name, interface.doc))?;
            }
        }
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
                print_line(markdown(entry.interface).trim_end())?;
            }
        }
    }
    Ok(Exit::Success)
}

/// The tables of a node's page.
pub fn markdown(interface: &Interface) -> String {
    let mut page = String::new();
    let sections = [
        ("Subscribes to", "topic", interface.subscriptions),
        ("Publishes", "topic", interface.publishers),
        ("Offers services", "service", interface.services),
        ("Calls services", "service", interface.clients),
        ("Offers actions", "action", interface.action_servers),
        ("Calls actions", "action", interface.action_clients),
    ];
    for (title, kind, endpoints) in sections {
        if !endpoints.is_empty() {
            endpoint_table(&mut page, title, kind, endpoints);
        }
    }
    if !interface.parameters.is_empty() {
        page.push_str(
            "## Parameters\n\n| parameter | default | range | what |\n|---|---|---|---|\n",
        );
        for parameter in interface.parameters {
            parameter_row(&mut page, parameter);
        }
        page.push('\n');
    }
    page
}

// Writing to a String cannot fail, hence the ignored results below.

fn endpoint_table(page: &mut String, title: &str, kind: &str, endpoints: &[Endpoint]) {
    let topics = kind == "topic";
    let (qos_head, qos_rule) = if topics { (" QoS |", "---|") } else { ("", "") };
    let _ = writeln!(
        page,
        "## {title}\n\n| {kind} | type |{qos_head} what |\n|---|---|{qos_rule}---|"
    );
    for endpoint in endpoints {
        let qos = if topics {
            format!(" {} |", qos(endpoint))
        } else {
            String::new()
        };
        let _ = writeln!(
            page,
            "| `{}` | `{}` |{qos} {} |",
            endpoint.name, endpoint.type_name, endpoint.doc
        );
    }
    page.push('\n');
}

fn qos(endpoint: &Endpoint) -> String {
    let reliability = match endpoint.qos.reliability {
        Reliability::Reliable => "reliable",
        Reliability::BestEffort => "best effort",
    };
    let latched = if endpoint.qos.transient_local {
        ", transient local"
    } else {
        ""
    };
    format!("{reliability}, depth {}{latched}", endpoint.qos.depth)
}

fn parameter_row(page: &mut String, parameter: &ParameterDecl) {
    let unit = if parameter.unit.is_empty() {
        String::new()
    } else {
        format!(" {}", parameter.unit)
    };
    let default = match parameter.default {
        Default::Text("") => "empty".to_owned(),
        Default::Text(text) => format!("`{text}`"),
        Default::Bool(b) => b.to_string(),
        Default::Integer(i) => format!("{i}{unit}"),
        Default::Double(d) => format!("{d}{unit}"),
    };
    let range = match (parameter.range, parameter.default) {
        (Some((low, high)), _) => format!("{low} to {high}{unit}"),
        (None, Default::Bool(_)) => "true, false".to_owned(),
        (None, _) => "-".to_owned(),
    };
    let _ = writeln!(
        page,
        "| `{}` | {default} | {range} | {} |",
        parameter.name, parameter.doc
    );
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
                "name": p.name, "default": default, "range": p.range, "unit": p.unit, "doc": p.doc,
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

#[cfg(test)]
mod tests {
    use super::*;
    use saccade_nodes::Qos;

    #[test]
    fn a_page_has_a_table_for_each_kind_that_is_there() {
        static INTERFACE: Interface = Interface {
            name: "n",
            doc: "d",
            publishers: &[Endpoint::new("out", "p/msg/T", "what").qos(Qos::LATCHED)],
            services: &[Endpoint::new("ask", "p/srv/S", "why")],
            parameters: &[ParameterDecl::double("a", 0.5, (0.0, 1.0), "m", "length")],
            ..Interface::EMPTY
        };
        assert_eq!(
            markdown(&INTERFACE),
            "## Publishes\n\n| topic | type | QoS | what |\n|---|---|---|---|\n\
             | `out` | `p/msg/T` | reliable, depth 1, transient local | what |\n\n\
             ## Offers services\n\n| service | type | what |\n|---|---|---|\n\
             | `ask` | `p/srv/S` | why |\n\n\
             ## Parameters\n\n| parameter | default | range | what |\n|---|---|---|---|\n\
             | `a` | 0.5 m | 0 to 1 m | length |\n\n"
        );
    }
}
