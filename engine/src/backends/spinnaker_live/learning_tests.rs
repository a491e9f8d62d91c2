//! Learning on the emulated board, through its datagrams, against the same model here.

use super::{BoardTick, EmulatedBoard, LiveBoard, Pace};
use crate::learning::optimizer::OptimizerConfig;
use crate::models::classifier::Classifier;
use crate::models::config::ClassifierConfig;
use crate::models::spike_taught::{SpikeTaught, SpikeTaughtConfig};
use crate::spinnaker::emulator::{BoardSettings, ClassifierProgram, LearningProgram, Limits};

const N_IN: usize = 64;
const TICKS: u32 = 150;
const SAMPLES: u32 = 12;
/// Ticks between a sample's last spike and the end of its interval.
const AFTER: u32 = 4;

fn config() -> ClassifierConfig {
    ClassifierConfig {
        n_in: N_IN,
        n_lif: 20,
        n_alif: 20,
        max_ticks: (TICKS + AFTER) as usize,
        input_gain: 8.0,
        ..ClassifierConfig::default()
    }
}

fn model() -> SpikeTaught {
    let teaching = SpikeTaughtConfig {
        // Low, so that the answers of an untaught network are spikes too.
        output_threshold: 0.1,
        optimizer: OptimizerConfig::adam(0.02),
        ..SpikeTaughtConfig::default()
    };
    SpikeTaught::new(config(), teaching, 7).expect("a network")
}

/// Inputs of a tick of a sample, ascending.
fn inputs(sample: u32, tick: u32) -> Vec<u32> {
    let n = if tick < TICKS {
        1 + (tick * 7 + sample) % 9
    } else {
        0
    };
    let mut all: Vec<u32> = (0..n)
        .map(|k| (sample * 13 + tick * 5 + k * 11) % N_IN as u32)
        .collect();
    all.sort_unstable();
    all
}

/// The class whose label fires; the last sample has none.
fn label(sample: u32, tick: u32) -> Option<u32> {
    (sample + 1 < SAMPLES && tick < TICKS && tick.is_multiple_of(20)).then_some(sample % 4)
}

type Spikes = [Vec<u32>; 3];

/// Spikes of hidden, output and error neurons in this process, sample for sample.
fn here(model: &mut SpikeTaught) -> Vec<Vec<Spikes>> {
    let sample = |sample| {
        model.begin();
        let tick = |tick| {
            let label = label(sample, tick);
            let tick = model.tick(&inputs(sample, tick), label.as_slice());
            tick.expect("known atoms");
            [model.hidden(), model.output(), model.errors()].map(<[u32]>::to_vec)
        };
        let ticks = (0..TICKS + AFTER).map(tick).collect();
        model.end();
        ticks
    };
    (0..SAMPLES).map(sample).collect()
}

fn settings() -> BoardSettings {
    BoardSettings {
        limits: Some(Limits::EPROP),
        ..BoardSettings::default()
    }
}

#[test]
fn a_board_that_learns_fires_as_the_model_tick_for_tick() {
    let mut reference = model();
    let expected = here(&mut reference);
    assert_eq!(reference.changes(), (u64::from(SAMPLES) - 1, 0));
    for population in 0..3 {
        let spikes = expected.iter().flatten().map(|t| t[population].len());
        assert!(
            spikes.sum::<usize>() > 50,
            "population {population} is silent"
        );
    }
    // It has learnt something: the first sample would be another one now.
    assert_ne!(here(&mut reference)[0], expected[0]);

    let program = LearningProgram::new(model());
    let mut board = EmulatedBoard::learning(program, Pace::REAL, 1, settings()).expect("fits");
    assert_eq!(board.classes(), 4);
    for (sample, expected) in (0..).zip(&expected) {
        let mut ticks: Vec<BoardTick> = Vec::new();
        assert!(board.control(true, None));
        for tick in 0..TICKS + AFTER {
            for input in inputs(sample, tick) {
                assert!(board.push(input, None).expect("an input"));
            }
            if let Some(class) = label(sample, tick) {
                assert!(board.label(class, None).expect("a class"));
            }
            board.poll();
            ticks.extend(std::iter::from_fn(|| board.next_tick()));
        }
        assert!(board.control(false, None));
        for _ in 0..4 {
            board.poll();
            ticks.extend(std::iter::from_fn(|| board.next_tick()));
        }
        let begins = ticks.iter().position(|t| t.begins).expect("it begins");
        let ends = ticks.iter().position(|t| t.ends).expect("it ends");
        assert_eq!(ends - begins, expected.len());
        for (at, (tick, expected)) in ticks[begins..ends].iter().zip(expected).enumerate() {
            let fired = [&tick.hidden, &tick.output, &tick.errors];
            assert_eq!(fired, expected.each_ref(), "tick {at} of sample {sample}");
        }
    }
    let (there, here) = (board.board_counts(), board.counts().link);
    assert_eq!(
        there.over_bandwidth + there.over_fifo + there.ignored,
        0,
        "{there:?}"
    );
    assert_eq!(here.out.delayed + here.ticks.incomplete, 0, "{here:?}");
}

#[test]
fn labels_that_are_not_there_are_refused() {
    let program = LearningProgram::new(model());
    let mut board = EmulatedBoard::learning(program, Pace::REAL, 1, settings()).expect("fits");
    let error = board.label(4, None).expect_err("four classes").to_string();
    assert!(
        error.contains("'label'") && error.contains("no atom 4, there are 4"),
        "{error}"
    );

    let program = ClassifierProgram::new(Classifier::new(config(), 7).expect("a network"));
    let mut board = EmulatedBoard::new(program, Pace::REAL, 1, settings()).expect("fits");
    assert_eq!(board.classes(), 0);
    let error = board.label(0, None).expect_err("no labels").to_string();
    assert!(
        error.contains("does not learn") && error.contains("--learn"),
        "{error}"
    );
}
