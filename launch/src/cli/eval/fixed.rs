//! `saccade eval classifier --fixed`: what fixed point costs.

use super::weights_on;
use crate::cli::{CliResult, Context, Exit, print_json, print_line};
use saccade_engine::fixed::{Comparison, compare};
use std::path::Path;

/// Puts the data set to the weights in `f32` and in fixed point, and prints both.
pub(super) fn run(dataset: &Path, weights: &Path, interval_ms: u16, json: bool) -> CliResult {
    let (classifier, data) = weights_on(weights, dataset, interval_ms)?;
    let comparison =
        compare(&classifier, &data.samples).context(format!("weights {}", weights.display()))?;
    if json {
        print_json(&serde_json::json!({ "test": data.source, "fixed": comparison }))?;
    } else {
        print_line(text(&comparison))?;
    }
    Ok(Exit::Success)
}

fn text(c: &Comparison) -> String {
    let percent = |x: f64| format!("{:6.2} %", 100.0 * x);
    let [w_in, w_rec, w_out] = c.weight_exponents;
    [
        format!("accuracy in f32            {}   of {} samples", percent(c.accuracy_f32), c.samples),
        format!(
            "accuracy in fixed point    {}   state s16.15, weights i16 times 2^{w_in} (input), 2^{w_rec} (recurrent), 2^{w_out} (readout)",
            percent(c.accuracy_fixed)
        ),
        format!("equal decisions            {}", percent(c.equal_decisions)),
        format!("samples with equal spikes  {}   {:.1} and {:.1} spikes a sample", percent(c.equal_spikes), c.spikes[0], c.spikes[1]),
        format!("largest difference of a readout  {:.4}   the largest readout is {:.4}", c.largest_readout_difference, c.largest_readout),
        format!("saturated numbers          {}", c.saturated),
    ]
    .join("\n")
}
