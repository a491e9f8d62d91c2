//! An interface as Markdown tables: what `saccade node describe` prints and
//! the pages in `nodes/doc/` hold.

use crate::interface::{Default, Endpoint, Interface, ParameterDecl, Qos, Reliability};

/// The tables of a node's page.
pub fn markdown(interface: &Interface) -> String {
    let endpoints = [
        ("Publishes", interface.publishers, true),
        ("Subscribes to", interface.subscriptions, true),
        ("Services offered", interface.services, false),
        ("Services called", interface.clients, false),
        ("Actions offered", interface.action_servers, false),
        ("Actions used", interface.action_clients, false),
    ];
    let mut sections: Vec<String> = endpoints
        .iter()
        .filter(|(_, rows, _)| !rows.is_empty())
        .map(|(title, rows, topics)| endpoint_table(title, rows, *topics))
        .collect();
    if !interface.parameters.is_empty() {
        sections.push(parameter_table(interface.parameters));
    }
    sections.join("\n")
}

fn endpoint_table(title: &str, rows: &[Endpoint], topics: bool) -> String {
    let (head, rule) = if topics { (" QoS |", "---|") } else { ("", "") };
    let mut out =
        format!("### {title}\n\n| name | type |{head} description |\n|---|---|{rule}---|\n");
    for row in rows {
        let qos = if topics {
            format!(" {} |", qos(row.qos))
        } else {
            String::new()
        };
        let doc = cell(row.doc);
        out += &format!("| `{}` | `{}` |{qos} {doc} |\n", row.name, row.type_name);
    }
    out
}

fn qos(qos: Qos) -> String {
    let reliability = match qos.reliability {
        Reliability::Reliable => "reliable",
        Reliability::BestEffort => "best effort",
    };
    let latched = if qos.transient_local { ", latched" } else { "" };
    let lifespan = match qos.lifespan_ns {
        Some(ns) => format!(", {} ms", ns as f64 * 1e-6),
        None => String::new(),
    };
    format!("{reliability}, {}{latched}{lifespan}", qos.depth)
}

fn parameter_table(rows: &[ParameterDecl]) -> String {
    let mut out = String::from(
        "### Parameters\n\n| name | default | range | unit | live | description |\n|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let default = match row.default {
            Default::Bool(v) => v.to_string(),
            Default::Integer(v) => v.to_string(),
            Default::Double(v) => v.to_string(),
            Default::Text(v) => format!("\"{v}\""),
        };
        let range = match (row.range, row.default) {
            (None, _) => String::new(),
            // Ranges are kept as floats, which show 2^63 - 1 as 2^63.
            (Some((low, high)), Default::Integer(_)) => {
                format!("{} to {}", low as i64, high as i64)
            }
            (Some((low, high)), _) => format!("{low} to {high}"),
        };
        let doc = cell(row.doc);
        out += &format!(
            "| `{}` | {default} | {range} | {} | {} | {doc} |\n",
            row.name,
            row.unit,
            if row.live { "yes" } else { "" },
        );
    }
    out
}

/// Text within a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_bars_and_empty_defaults_are_written_out() {
        let rows = [
            ParameterDecl::integer("seed", 1, (0, i64::MAX), "", "a | b"),
            ParameterDecl::text("weights", "", "File."),
            ParameterDecl::double("rate", 0.5, (0.0, 1e3), "Hz", "Rate.").live(),
        ];
        let table = parameter_table(&rows);
        let lines: Vec<_> = table.lines().skip(4).collect();
        assert_eq!(
            lines,
            [
                "| `seed` | 1 | 0 to 9223372036854775807 |  |  | a \\| b |",
                "| `weights` | \"\" |  |  |  | File. |",
                "| `rate` | 0.5 | 0 to 1000 | Hz | yes | Rate. |",
            ]
        );
    }

    #[test]
    fn topics_show_their_quality_of_service() {
        let rows = [Endpoint::new("out", "p/msg/T", "What.").qos(Qos::LATCHED)];
        let table = endpoint_table("Publishes", &rows, true);
        assert!(
            table.contains("| name | type | QoS | description |\n|---|---|---|---|\n"),
            "{table}"
        );
        assert!(
            table.contains("| `out` | `p/msg/T` | reliable, 1, latched | What. |\n"),
            "{table}"
        );
        let table = endpoint_table("Services offered", &rows, false);
        assert!(table.contains("| `out` | `p/msg/T` | What. |\n"), "{table}");
    }
}
