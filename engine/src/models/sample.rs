//! Labelled samples: the input spikes of one interval.

use xxhash_rust::xxh3::Xxh3;

use super::config::ClassifierConfig;
use crate::error::{Error, Result};

/// The input spikes of one interval (one saccade) and what they show.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    /// Spikes as (tick since onset, input), in any order.
    pub spikes: Vec<(u16, u32)>,
    /// Length of the interval in ticks.
    pub ticks: usize,
    /// Class.
    pub label: usize,
    /// Weight of the sample in training, usually 1.
    pub weight: f32,
}

/// Checks samples against a network.
///
/// # Errors
/// [`Error::NoSamples`] where there is none; [`Error::Sample`] names the first
/// sample with a spike, length, label or weight that does not fit.
pub fn validate(samples: &[Sample], config: &ClassifierConfig) -> Result<()> {
    if samples.is_empty() {
        return Err(Error::NoSamples("there are no samples".to_owned()));
    }
    for (index, sample) in samples.iter().enumerate() {
        let bad = |what| Err(Error::Sample { index, what });
        if sample.ticks == 0 || sample.ticks > config.max_ticks {
            let max = config.max_ticks;
            return bad(format!(
                "has {} ticks, expected 1..={max} (max_ticks)",
                sample.ticks
            ));
        }
        if sample.label >= config.n_out {
            return bad(format!(
                "has label {}, the network has {} classes",
                sample.label, config.n_out
            ));
        }
        if !(sample.weight >= 0.0 && sample.weight <= 1e6) {
            return bad(format!("has weight {}, expected 0..=1e6", sample.weight));
        }
        let beyond = |&(tick, id): &(u16, u32)| {
            id as usize >= config.n_in || usize::from(tick) >= sample.ticks
        };
        if let Some((tick, id)) = sample.spikes.iter().copied().find(beyond) {
            return bad(format!(
                "has a spike of input {id} at tick {tick}, expected inputs under {} and ticks under {}",
                config.n_in, sample.ticks
            ));
        }
    }
    Ok(())
}

/// XXH3-64 of all samples in their order, as 16 hexadecimal digits.
pub fn fingerprint(samples: &[Sample]) -> String {
    let mut hash = Xxh3::new();
    for sample in samples {
        hash.update(&(sample.label as u64).to_le_bytes());
        hash.update(&(sample.ticks as u64).to_le_bytes());
        hash.update(&sample.weight.to_le_bytes());
        hash.update(&(sample.spikes.len() as u64).to_le_bytes());
        for &(tick, id) in &sample.spikes {
            hash.update(&tick.to_le_bytes());
            hash.update(&id.to_le_bytes());
        }
    }
    format!("{:016x}", hash.digest())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Sample {
        Sample {
            spikes: vec![(0, 1), (4, 2047)],
            ticks: 5,
            label: 3,
            weight: 1.0,
        }
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let config = ClassifierConfig::default();
        validate(&[sample()], &config).unwrap();
        type Spoil = fn(&mut Sample);
        let cases: [(&str, Spoil); 5] = [
            ("input 2048", |s| s.spikes[1].1 = 2048),
            ("tick 5", |s| s.spikes[0].0 = 5),
            ("label 4", |s| s.label = 4),
            ("5000 ticks", |s| s.ticks = 5000),
            ("weight NaN", |s| s.weight = f32::NAN),
        ];
        for (what, spoil) in cases {
            let mut spoilt = sample();
            spoil(&mut spoilt);
            let text = validate(&[sample(), spoilt], &config)
                .unwrap_err()
                .to_string();
            assert!(
                text.starts_with("sample 1: ") && text.contains(what),
                "{text}"
            );
        }
    }

    #[test]
    fn fingerprints_differ_where_samples_differ() {
        let mut other = sample();
        other.spikes[0].1 = 2;
        assert_ne!(fingerprint(&[sample()]), fingerprint(&[other]));
        assert_eq!(fingerprint(&[sample()]), fingerprint(&[sample()]));
    }
}
