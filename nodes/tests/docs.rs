//! Every node has a page in `nodes/doc/`, and its tables are those of the code.
//!
//! A page's tables are its part from the first `###` heading to the next `##`
//! heading. `UPDATE_DOCS=1 cargo test --release -p saccade-nodes --test docs`
//! writes them anew.

use saccade_nodes::{registry, tables};
use std::path::{Path, PathBuf};

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
        let expected = tables::markdown(interface);
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
fn the_page_of_dvs_ingest_has_every_filter() {
    let page = std::fs::read_to_string(page_of("dvs_ingest")).expect("a page");
    for filter in saccade_nodes::filters::FILTERS {
        let cell = |text: &str| text.replace('|', "\\|");
        let row = format!("| `{}` | {} |\n", cell(filter.usage), cell(filter.doc));
        assert!(page.contains(&row), "the page lacks the row\n{row}");
    }
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
