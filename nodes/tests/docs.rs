//! Every node has a page in `nodes/doc/`, and its tables are those of the code.
//!
//! A page's tables are its part from the first `###` heading to the next `##`
//! heading. `UPDATE_DOCS=1 cargo test --release -p saccade-nodes --test docs`
//! writes them anew.

use saccade_nodes::{Default, Endpoint, Interface, ParameterDecl, registry};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// The tables of a node's page.
fn tables(interface: &Interface) -> String {
    let endpoints = [
        ("Publishes", interface.publishers),
        ("Subscribes to", interface.subscriptions),
        ("Services offered", interface.services),
        ("Services called", interface.clients),
        ("Actions offered", interface.action_servers),
        ("Actions used", interface.action_clients),
    ];
    let mut sections: Vec<String> = endpoints
        .iter()
        .filter(|(_, rows)| !rows.is_empty())
        .map(|(title, rows)| endpoint_table(title, rows))
        .collect();
    if !interface.parameters.is_empty() {
        sections.push(parameter_table(interface.parameters));
    }
    sections.join("\n")
}

fn endpoint_table(title: &str, rows: &[Endpoint]) -> String {
    let mut out = format!("### {title}\n\n| name | type | description |\n|---|---|---|\n");
    for row in rows {
        writeln!(
            out,
            "| `{}` | `{}` | {} |",
            row.name,
            row.type_name,
            cell(row.doc)
        )
        .expect("a String takes everything");
    }
    out
}

fn parameter_table(rows: &[ParameterDecl]) -> String {
    let mut out = String::from(
        "### Parameters\n\n| name | default | range | unit | description |\n|---|---|---|---|---|\n",
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
        writeln!(
            out,
            "| `{}` | {default} | {range} | {} | {} |",
            row.name,
            row.unit,
            cell(row.doc)
        )
        .expect("a String takes everything");
    }
    out
}

/// Text within a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// A page cut into what is before its tables, the tables, and what follows.
fn cut(page: &str) -> (&str, &str, &str) {
    let begin = heading(page, "### ").unwrap_or(page.len());
    let end = heading(&page[begin..], "## ").map_or(page.len(), |at| begin + at);
    (&page[..begin], &page[begin..end], &page[end..])
}

/// Where the first line that starts with `mark` begins.
fn heading(text: &str, mark: &str) -> Option<usize> {
    if text.starts_with(mark) {
        return Some(0);
    }
    text.find(&format!("\n{mark}")).map(|at| at + 1)
}

fn page_of(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("doc")
        .join(format!("{name}.md"))
}

fn update(path: &Path, page: &str, expected: &str) {
    let (before, _, after) = cut(page);
    let gap = if after.is_empty() { "" } else { "\n" };
    let page = format!("{}\n\n{expected}{gap}{after}", before.trim_end());
    std::fs::write(path, page).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
}

#[test]
fn every_nodes_page_has_the_tables_of_its_interface() {
    let mut wrong = Vec::new();
    for interface in registry::interfaces() {
        let path = page_of(interface.name);
        let page = match std::fs::read_to_string(&path) {
            Ok(page) => page,
            Err(error) => {
                wrong.push(format!("{}: {error}", path.display()));
                continue;
            }
        };
        let expected = tables(interface);
        if std::env::var_os("UPDATE_DOCS").is_some_and(|v| v == "1") {
            update(&path, &page, &expected);
            continue;
        }
        if !page.starts_with(&format!("# {}\n", interface.name)) {
            wrong.push(format!(
                "{}: does not begin with the node's name",
                path.display()
            ));
        }
        let (_, found, _) = cut(&page);
        let mut lines = found.trim_end().lines();
        if let Some(line) = expected
            .trim_end()
            .lines()
            .find(|e| lines.next() != Some(*e))
        {
            wrong.push(format!("{}: expected {line:?}", path.display()));
        } else if let Some(line) = lines.next() {
            wrong.push(format!("{}: {line:?} is too much", path.display()));
        }
    }
    assert!(
        wrong.is_empty(),
        "pages that disagree with the code (UPDATE_DOCS=1 writes their tables anew):\n{}",
        wrong.join("\n")
    );
}

#[test]
fn a_page_is_cut_at_its_headings() {
    let page = "# n\n\ntext\n\n## Interface\n\n### Publishes\n\n| a |\n\n## After\n\nend\n";
    let (before, tables, after) = cut(page);
    assert_eq!(before, "# n\n\ntext\n\n## Interface\n\n");
    assert_eq!(tables, "### Publishes\n\n| a |\n\n");
    assert_eq!(after, "## After\n\nend\n");
    assert_eq!(cut("# n\n"), ("# n\n", "", ""));
}

#[test]
fn ranges_bars_and_empty_defaults_are_written_out() {
    let rows = [
        ParameterDecl::integer("seed", 1, (0, i64::MAX), "", "a | b"),
        ParameterDecl::text("weights", "", "File."),
        ParameterDecl::double("rate", 0.5, (0.0, 1e3), "Hz", "Rate."),
    ];
    let table = parameter_table(&rows);
    let lines: Vec<_> = table.lines().skip(4).collect();
    assert_eq!(
        lines,
        [
            "| `seed` | 1 | 0 to 9223372036854775807 |  | a \\| b |",
            "| `weights` | \"\" |  |  | File. |",
            "| `rate` | 0.5 | 0 to 1000 | Hz | Rate. |",
        ]
    );
}
