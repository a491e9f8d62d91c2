//! The report as a page that any browser shows from the folder.

use super::summary::Trial;
use super::{Journey, JourneySummary, Run, Summary};
use std::fmt::Write;

const STYLE: &str = "\
body{font:16px/1.5 system-ui,sans-serif;color:#1f2933;max-width:1180px;margin:2.5rem auto;padding:0 1.2rem}\
h1{font-size:1.7rem;margin:0}h2{font-size:1.2rem;margin:2.4rem 0 .8rem}p.sub{color:#64707d;margin:.2rem 0 1.6rem}\
.tiles{display:flex;flex-wrap:wrap;gap:1rem}.tile{border:1px solid #e4e8ed;border-radius:10px;padding:.8rem 1.1rem;min-width:11rem}\
.tile b{display:block;font-size:1.6rem}.tile span{color:#64707d;font-size:.9rem}\
table{border-collapse:collapse;width:100%;font-size:.92rem}th{text-align:left;color:#64707d;font-weight:500}\
td,th{padding:.35rem .6rem;border-bottom:1px solid #e4e8ed}td.n{text-align:right;font-variant-numeric:tabular-nums}\
.ok{color:#00805c;font-weight:600}.no{color:#c05000;font-weight:600}\
img{max-width:100%;border:1px solid #e4e8ed;border-radius:8px}details{margin:.8rem 0}summary{cursor:pointer}code{font-size:.9em}";

/// A trial that has a folder of pictures.
pub struct Pictured {
    /// Index into the trials.
    pub trial: Trial,
    /// Folder, relative to the page.
    pub folder: String,
    /// Names of the pictures in it, the overview first.
    pub pictures: Vec<String>,
}

/// The page.
pub fn page(run: &Run, summary: &Summary, trials: &[Trial], pictured: &[Pictured]) -> String {
    let mut html = head(run);
    html += "<div class=\"tiles\">";
    tile(&mut html, "grasped", &summary.grasped);
    for (class, rate) in &summary.by_class {
        tile(&mut html, class, rate);
    }
    tile(&mut html, "right decisions", &summary.classified);
    tile(
        &mut html,
        "motions with nothing there",
        &summary.false_motions,
    );
    html += "</div>";
    if let Some(median) = summary.decision_time_median_s {
        let _ = write!(
            html,
            "<p>Median time from saccade onset to decision: {:.0} ms.</p>",
            1e3 * median
        );
    }
    if !trials.is_empty() {
        html += "<p><img src=\"confusion.png\" alt=\"confusion matrix\" width=\"520\"></p>";
    }
    for p in pictured {
        let _ = write!(html, "<h2>{}</h2>", escape(&headline(&p.trial)));
        for (i, name) in p.pictures.iter().enumerate() {
            let source = format!("{}/{name}", p.folder);
            if i == 0 {
                let _ = write!(
                    html,
                    "<a href=\"{source}\"><img src=\"{source}\" alt=\"overview\"></a><details><summary>Single pictures</summary>"
                );
            } else {
                let _ = write!(
                    html,
                    "<p><img src=\"{source}\" alt=\"{}\" loading=\"lazy\"></p>",
                    escape(name)
                );
            }
        }
        html += "</details>";
    }
    table(&mut html, trials);
    foot(&mut html, run);
    html
}

/// The page of a run of journeys; `tracks` are names of pictures.
pub fn journeys(
    run: &Run,
    summary: &JourneySummary,
    journeys: &[Journey],
    tracks: &[String],
) -> String {
    let mut html = head(run);
    html += "<div class=\"tiles\">";
    tile(&mut html, "came home", &summary.home);
    html += "</div>";
    for line in summary.lines() {
        let _ = write!(html, "<p>{}</p>", escape(&line));
    }
    for name in tracks {
        let _ = write!(html, "<p><img src=\"{name}\" alt=\"track\"></p>");
    }
    html += "<h2>Journeys</h2><table><tr><th>#</th><th>out</th><th>away</th><th>home</th><th>missed</th>\
             <th>error</th><th>verdict</th><th>why</th><th>seed</th></tr>";
    for j in journeys {
        let class = if j.success { "ok" } else { "no" };
        let _ = write!(
            html,
            "<tr><td class=\"n\">{}</td><td class=\"n\">{:.1} m</td><td class=\"n\">{:.1} m</td>\
             <td class=\"n\">{:.1} m</td><td class=\"n\">{:.2} m</td><td class=\"n\">{:.2} %</td>\
             <td class=\"{class}\">{}</td><td>{}</td><td class=\"n\">{}</td></tr>",
            j.journey,
            j.out_length_m,
            j.out_distance_m,
            j.home_length_m,
            j.end_distance_m,
            100.0 * j.error,
            escape(&j.outcome),
            escape(&j.reason),
            j.seed
        );
    }
    html += "</table>";
    foot(&mut html, run);
    html
}

fn head(run: &Run) -> String {
    format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{0}</title><style>{STYLE}</style>\
         <h1>{0}</h1><p class=\"sub\"><code>{1}</code></p>",
        escape(&run.title),
        escape(&run.command)
    )
}

fn foot(html: &mut String, run: &Run) {
    *html += "<h2>How it was run</h2><table>";
    for (name, value) in run.facts() {
        let _ = write!(
            html,
            "<tr><th>{}</th><td>{}</td></tr>",
            escape(&name),
            escape(&value)
        );
    }
    *html += "</table><p class=\"sub\">Everything above in figures: <a href=\"report.json\">report.json</a></p></html>\n";
}

fn tile(html: &mut String, name: &str, rate: &super::Rate) {
    let value = rate
        .rate
        .map_or("–".into(), |r| format!("{:.1} %", 100.0 * r));
    let (low, high) = rate.interval;
    let _ = write!(
        html,
        "<div class=\"tile\"><span>{}</span><b>{value}</b><span>{} of {} · 95 %: {:.1}–{:.1} %</span></div>",
        escape(name),
        rate.successes,
        rate.trials,
        100.0 * low,
        100.0 * high
    );
}

fn headline(trial: &Trial) -> String {
    let verdict = if trial.success { "success" } else { "failure" };
    format!(
        "Trial {}: {}, {verdict} ({})",
        trial.trial, trial.truth, trial.reason
    )
}

fn table(html: &mut String, trials: &[Trial]) {
    *html += "<h2>Trials</h2><table><tr><th>#</th><th>truth</th><th>decision</th><th>confidence</th><th>time</th>\
              <th>verdict</th><th>why</th><th>lifted</th><th>held</th><th>texture</th><th>seed</th></tr>";
    for t in trials {
        let (class, word) = if t.success {
            ("ok", "success")
        } else {
            ("no", "failure")
        };
        let _ = write!(
            html,
            "<tr><td class=\"n\">{}</td><td>{}</td><td>{}</td><td class=\"n\">{:.2}</td><td class=\"n\">{:.0} ms</td>\
             <td class=\"{class}\">{word}</td><td>{}</td><td class=\"n\">{:.3} m</td><td class=\"n\">{:.2} s</td>\
             <td>{}</td><td class=\"n\">{}</td></tr>",
            t.trial,
            escape(&t.truth),
            escape(if t.decision.is_empty() {
                "none"
            } else {
                &t.decision
            }),
            t.confidence,
            1e3 * t.decision_time_s,
            escape(&t.reason),
            t.lift_m,
            t.held_s,
            escape(&t.texture),
            t.seed
        );
    }
    *html += "</table>";
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
