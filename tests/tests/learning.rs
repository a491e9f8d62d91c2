//! The classifier node learns two patterns from label messages, and nothing
//! without them.

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_msgs::saccade_msgs::{Decision, Label, SaccadePhase, Spikes};
use saccade_nodes::Input;
use saccade_tests::{Driven, count, published};

const TICKS: i64 = 100;
const INPUTS: u32 = 2048;
/// Each class has inputs of its own; the rest fires with either.
const OWN: u32 = 40;
const SHARED: std::ops::Range<u32> = 100..160;

/// A classifier node in an experiment, with its clock and the pattern's noise.
struct Experiment {
    node: Driven,
    now_ns: i64,
    saccade: u32,
    rng: ChaCha8Rng,
}

impl Experiment {
    fn new(parameters: &[(&str, &str)]) -> Self {
        let common = [("decide_after", "0.1"), ("seed", "3")];
        let parameters = [&common, parameters].concat();
        let node = Driven::new("eprop_classifier", &parameters);
        Experiment {
            node: node.unwrap_or_else(|e| panic!("{e}")),
            now_ns: 0,
            saccade: 0,
            rng: ChaCha8Rng::seed_from_u64(7),
        }
    }

    /// Shows pattern 0 or 1 for one saccade; `label` is the learning signal.
    fn show(&mut self, pattern: u32, label: Option<i32>) -> Decision {
        let message = Label {
            class_id: label.unwrap_or(-1),
            learn: label.is_some(),
            ..Label::default()
        };
        self.show_told(pattern, message)
    }

    /// The same with a label of one's own.
    fn show_told(&mut self, pattern: u32, message: Label) -> Decision {
        self.node.message(self.now_ns, "label", message);
        self.saccade += 1;
        self.phase(true);
        let mut last = None;
        for _ in 0..TICKS {
            let ids = self.spikes(pattern);
            let spikes = Spikes {
                size: INPUTS,
                offsets_us: vec![0; ids.len()],
                ids,
                ..Spikes::default()
            };
            self.node.message(self.now_ns, "spikes", spikes);
            self.now_ns += 1_000_000;
            let tick = Input::Timer { name: "tick" };
            let outputs = self.node.hand(self.now_ns, tick);
            let decisions = published::<Decision>(&outputs, "decision");
            last = decisions.into_iter().find(|d| d.r#final).or(last);
        }
        self.phase(false);
        let last = last.expect("a final decision after 0.1 s");
        assert_eq!(last.saccade_id, self.saccade);
        (*last).clone()
    }

    fn spikes(&mut self, pattern: u32) -> Vec<u32> {
        let own = (pattern * OWN..(pattern + 1) * OWN).map(|id| (id, 0.15));
        let all = own.chain(SHARED.map(|id| (id, 0.05)));
        all.filter(|(_, p)| self.rng.random_bool(*p))
            .map(|(id, _)| id)
            .collect()
    }

    fn phase(&mut self, moving: bool) {
        let phase = SaccadePhase {
            id: self.saccade,
            moving,
            ..SaccadePhase::default()
        };
        self.node.message(self.now_ns, "saccade", phase);
    }

    /// Teaches `classes[pattern]` for each pattern in turn.
    fn teach(&mut self, classes: [i32; 2], saccades: u32) {
        for i in 0..saccades {
            let pattern = i % 2;
            self.show(pattern, Some(classes[pattern as usize]));
        }
    }

    /// Part of 40 saccades without learning signal that are decided as `classes` say.
    fn accuracy(&mut self, classes: [i32; 2]) -> f64 {
        let right = (0..40)
            .map(|i| i % 2)
            .filter(|&pattern| self.show(pattern, None).class_id == classes[pattern as usize]);
        right.count() as f64 / 40.0
    }
}

#[test]
fn label_messages_teach_and_reteach() {
    let mut experiment = Experiment::new(&[]);
    let before = experiment.accuracy([0, 1]);
    experiment.teach([0, 1], 80);
    let after = experiment.accuracy([0, 1]);
    // The same patterns with the labels of each other: only the signal differs.
    experiment.teach([1, 0], 160);
    let swapped = experiment.accuracy([1, 0]);
    eprintln!("accuracy {before} untrained, {after} trained, {swapped} after swapped labels");
    assert!(before <= 0.6, "untrained: {before}");
    assert!(after >= 0.9, "trained: {after}");
    assert!(swapped >= 0.9, "taught the other way round: {swapped}");
    assert_eq!(count(&experiment.node.health(), "intervals learnt"), 240);
}

#[test]
fn without_learn_labels_change_nothing() {
    let probe = |parameters: &[(&str, &str)], labels: bool| {
        let mut experiment = Experiment::new(parameters);
        if labels {
            experiment.teach([0, 1], 6);
        } else {
            (0..6).for_each(|i| drop(experiment.show(i % 2, None)));
        }
        let shown: Vec<Decision> = (0..4).map(|i| experiment.show(i % 2, None)).collect();
        let learnt = count(&experiment.node.health(), "intervals learnt");
        (shown, learnt)
    };
    let untaught = probe(&[], false);
    assert_eq!(untaught.1, 0);
    assert_eq!(probe(&[("learn", "false")], true), untaught);
    // The same labels with learning on do change it: the comparison can fail.
    let taught = probe(&[], true);
    assert_eq!(taught.1, 6);
    assert_ne!(taught.0, untaught.0);
}

/// A label that is no class is no target.
#[test]
fn labels_of_no_class_teach_nothing() {
    let mut experiment = Experiment::new(&[]);
    for class in [-1, 4, i32::MAX, i32::MIN] {
        experiment.show(0, Some(class));
    }
    assert_eq!(count(&experiment.node.health(), "intervals learnt"), 0);
}

/// A name that the network does not know becomes a class of its own where there is room,
/// and the others, of which nobody says anything any more, stay.
#[test]
fn a_new_name_is_a_new_class_and_the_others_stay() {
    let parameters = [
        ("plastic", "readout"),
        ("new_classes", "1"),
        ("remember_above", "0.5"),
    ];
    let mut experiment = Experiment::new(&parameters);
    experiment.teach([0, 1], 40);
    let before = experiment.accuracy([0, 1]);
    for i in 0..20 {
        let mug = Label {
            label: "mug".into(),
            class_id: -1,
            learn: true,
            ..Label::default()
        };
        experiment.show_told(2, mug);
        experiment.show(i % 2, None);
    }
    let after = experiment.accuracy([0, 1]);
    let mugs: Vec<Decision> = (0..20).map(|_| experiment.show(2, None)).collect();
    let right = mugs
        .iter()
        .filter(|d| d.label == "mug" && d.class_id == 4)
        .count();
    eprintln!("two classes {before}, with a third {after}, {right} of 20 mugs");
    assert!(before >= 0.9 && after >= before - 0.05, "{before} {after}");
    assert!(right >= 18, "{right} of 20");
    assert_eq!(mugs[0].probabilities.len(), 5);
    // There is room for no other.
    let cup = Label {
        label: "cup".into(),
        class_id: -1,
        learn: true,
        ..Label::default()
    };
    let learnt = count(&experiment.node.health(), "intervals learnt");
    experiment.show_told(2, cup);
    assert_eq!(count(&experiment.node.health(), "intervals learnt"), learnt);
}
