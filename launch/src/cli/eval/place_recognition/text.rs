//! The tables that the command prints.

use super::Document;
use super::compare::Comparison;
use super::judge::Condition;

/// All tables.
pub fn text(document: &Document) -> String {
    let mut lines = vec![heading(document)];
    for condition in Condition::ALL {
        lines.extend(condition_table(document, condition));
    }
    if !document.novelty.is_empty() {
        lines.push("\nanother arena: probability that a known place scores higher".to_owned());
        for n in &document.novelty {
            lines.push(format!("  {:<32}{:>8.3}", n.model, n.roc_area));
        }
    }
    lines.extend(costs(document));
    lines.extend(comparisons(document));
    lines.join("\n")
}

fn heading(document: &Document) -> String {
    let stored: usize = document.samples.iter().map(|s| s.0).sum();
    let asked: usize = document.samples.iter().map(|s| s.1).sum();
    format!(
        "{} sets, {stored} places stored by {}, {asked} asked; right within {} m and {}°; {:.0} s",
        document.samples.len(),
        if document.same_senses {
            "the senses of the query"
        } else {
            "both senses"
        },
        document.tolerance_m,
        document.tolerance_deg,
        document.wall_s
    )
}

fn condition_table(document: &Document, condition: Condition) -> Vec<String> {
    let rows = document.rows.iter().filter(|r| r.condition == condition);
    let mut lines: Vec<String> = rows
        .map(|row| {
            let r = &row.recognition;
            format!(
                "  {:<32}{:>9.3}{:>10.3}{:>10.3}{:>9.3}{:>10.2}{:>10.2}{:>9.1}",
                row.model,
                row.spearman,
                r.recall_at_1,
                r.recall_at_5,
                r.precision_recall_area,
                r.mean_error_m,
                r.median_error_m,
                r.mean_error_rad.to_degrees()
            )
        })
        .collect();
    let first = document.rows.iter().find(|r| r.condition == condition);
    if let Some(row) = first {
        let possible = format!(
            "\n{}: {} of {} queries have a stored place within the tolerance",
            condition.name(),
            row.recognition.possible,
            row.recognition.queries
        );
        let head = format!(
            "  {:<32}{:>9}{:>10}{:>10}{:>9}{:>10}{:>10}{:>9}",
            "", "Spearman", "recall@1", "recall@5", "PR area", "mean (m)", "median", "mean (°)"
        );
        lines.splice(0..0, [possible, head]);
    }
    lines
}

fn costs(document: &Document) -> Vec<String> {
    let mut lines = vec![
        "\ntime of a query (code and search, one thread), bytes of a place, CPU time of fitting"
            .to_owned(),
    ];
    for fit in document.fits.iter().filter(|f| f.set == 0) {
        lines.push(format!(
            "  {:<32}{:>9.3} ms{:>9.3} ms p99{:>9} B{:>10.1} s  {}",
            fit.model,
            fit.cost.median_ms,
            fit.cost.p99_ms,
            fit.cost.bytes_per_place,
            fit.fit_cpu_s,
            fit.chosen
        ));
    }
    lines
}

/// The network against each baseline; `+` and `-` mark what 95 % of the bootstrap agree on.
fn comparisons(document: &Document) -> Vec<String> {
    let shown = |c: &&Comparison| matches!(c.figure, "spearman" | "recall_at_1");
    let mut lines = Vec::new();
    for (loss, title) in [
        (
            false,
            "\nthe network less each baseline (95 % by paired bootstrap)",
        ),
        (
            true,
            "\nwhat a baseline loses with a sense, less what the network loses",
        ),
    ] {
        let of: Vec<&Comparison> = document
            .comparisons
            .iter()
            .filter(|c| c.loss == loss)
            .filter(shown)
            .collect();
        if of.is_empty() {
            continue;
        }
        lines.push(title.to_owned());
        for c in of {
            let d = &c.difference;
            let mark = match (d.low > 0.0, d.high < 0.0) {
                (true, _) => '+',
                (_, true) => '-',
                _ => ' ',
            };
            lines.push(format!(
                "  {:<32}{:<13}{:<13}{:>+8.3}  [{:+.3}, {:+.3}] {mark}",
                c.baseline,
                c.condition.name(),
                c.figure,
                d.value,
                d.low,
                d.high
            ));
        }
    }
    lines
}
