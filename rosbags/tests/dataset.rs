//! Samples come out of a bag as the saccades and labels in it say.

use std::path::Path;

use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::saccade_msgs::{Label, SaccadePhase};
use saccade_msgs::std_msgs::Header;
use saccade_msgs::{CLASSES, Event};
use saccade_rosbags::dataset::{Dataset, EVENTS_TOPIC, LABEL_TOPIC, LabelledSample, SACCADE_TOPIC};
use saccade_rosbags::events::{Geometry, mono_packet};
use saccade_rosbags::{BagError, BagWriter};

const GEOMETRY: Geometry = Geometry {
    width: 128,
    height: 128,
};

fn header(t_us: u64) -> Header {
    Header {
        stamp: Time::from_ns(t_us as i64 * 1000),
        frame_id: String::new(),
    }
}

/// A bag that is written step by step.
struct Recorder {
    bag: BagWriter,
    seq: u64,
}

impl Recorder {
    fn new(path: &Path) -> Self {
        let bag = BagWriter::create(path).expect("creates");
        Self { bag, seq: 0 }
    }

    fn label(&mut self, t_us: u64, class_id: usize) {
        let label = Label {
            header: header(t_us),
            label: CLASSES[class_id].to_owned(),
            class_id: class_id as i32,
            learn: true,
        };
        let stamp_ns = t_us as i64 * 1000;
        self.bag
            .write(LABEL_TOPIC, stamp_ns, &label)
            .expect("writes");
    }

    fn phase(&mut self, t_us: u64, id: u32, moving: bool) {
        let phase = SaccadePhase {
            header: header(t_us),
            id,
            moving,
            axis: "pan".to_owned(),
        };
        let stamp_ns = t_us as i64 * 1000;
        self.bag
            .write(SACCADE_TOPIC, stamp_ns, &phase)
            .expect("writes");
    }

    /// A packet of one event every 10 ms in [from, to).
    fn events(&mut self, from_us: u64, to_us: u64) {
        let events: Vec<_> = (from_us..to_us).step_by(10_000).map(event).collect();
        let packet = mono_packet(&events, from_us * 1000, GEOMETRY, self.seq, "").expect("fits");
        self.seq += 1;
        let stamp_ns = to_us as i64 * 1000;
        self.bag
            .write(EVENTS_TOPIC, stamp_ns, &packet)
            .expect("writes");
    }

    fn finish(self) {
        self.bag.finish().expect("finishes");
    }
}

fn event(t_us: u64) -> Event {
    Event {
        t_us,
        x: (t_us / 10_000 % 128) as u16,
        y: 5,
        on: true,
    }
}

fn samples(path: &Path) -> Vec<LabelledSample> {
    let samples: Result<Vec<_>, BagError> = Dataset::open(path).expect("opens").collect();
    samples.expect("reads")
}

fn times(sample: &LabelledSample) -> (u64, u64, usize) {
    let t = |e: Option<&Event>| e.map_or(0, |e| e.t_us);
    (
        t(sample.events.first()),
        t(sample.events.last()),
        sample.events.len(),
    )
}

/// Three saccades: the second cut short by the third, which the recording ends.
fn record(path: &Path) {
    let mut r = Recorder::new(path);
    r.label(900_000, 2);
    // The packet reaches over the onset and is written before it.
    r.events(0, 1_020_000);
    r.phase(1_000_000, 7, true);
    r.phase(1_100_000, 7, false);
    r.events(1_020_000, 1_500_000);
    r.events(1_500_000, 2_000_000);
    r.phase(2_000_000, 8, true);
    // Written late, but stamped at the onset.
    r.label(2_000_000, 0);
    r.phase(2_050_000, 8, false);
    r.label(2_300_000, 1);
    r.events(2_000_000, 2_400_000);
    r.phase(2_400_000, 9, true);
    r.events(2_400_000, 2_600_000);
    r.finish();
}

#[test]
fn samples_run_from_onset_for_700_ms_or_to_the_next() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut fingerprints = Vec::new();
    for name in ["d.mcap", "d.bag"] {
        let path = dir.path().join(name);
        record(&path);
        let samples = samples(&path);
        let found: Vec<_> = (samples.iter())
            .map(|s| (s.id, s.label.as_str(), s.class_id, s.onset_us))
            .collect();
        assert_eq!(
            found,
            [
                (7, "pen", 2, 1_000_000),
                (8, "ball", 0, 2_000_000),
                (9, "bottle", 1, 2_400_000)
            ]
        );
        assert_eq!(times(&samples[0]), (1_000_000, 1_690_000, 70));
        assert_eq!(times(&samples[1]), (2_000_000, 2_390_000, 40));
        assert_eq!(times(&samples[2]), (2_400_000, 2_590_000, 20));
        assert_eq!(samples[0].events[3], event(1_030_000));
        assert!(samples.iter().all(|s| (s.width, s.height) == (128, 128)));
        fingerprints.push(
            Dataset::open(&path)
                .expect("opens")
                .fingerprint()
                .expect("reads"),
        );
    }
    assert_eq!(fingerprints[0], fingerprints[1]);
}

#[test]
fn a_saccade_before_any_label_is_counted() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("d.mcap");
    let mut r = Recorder::new(&path);
    r.phase(1_000, 1, true);
    r.events(1_000, 500_000);
    r.phase(600_000, 1, false);
    r.label(900_000, 1);
    r.phase(1_000_000, 2, true);
    r.finish();
    let mut dataset = Dataset::open(&path).expect("opens");
    let found: Vec<_> = dataset.by_ref().map(|s| s.expect("reads").id).collect();
    assert_eq!(found, [2]);
    assert_eq!(dataset.unlabelled(), 1);
}

#[test]
fn a_clock_that_is_set_back_starts_anew() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("d.bag");
    let mut r = Recorder::new(&path);
    for class_id in 0..3 {
        r.label(0, class_id);
        r.phase(400_000, class_id as u32, true);
        r.phase(500_000, class_id as u32, false);
        r.events(400_000, 900_000);
    }
    r.finish();
    let found = samples(&path);
    assert_eq!(found.len(), 3);
    for (i, sample) in found.iter().enumerate() {
        assert_eq!((sample.id, sample.class_id), (i as u32, i as i32));
        assert_eq!(times(sample), (400_000, 890_000, 50));
    }
}

#[test]
fn a_bag_without_the_topics_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("d.mcap");
    let mut r = Recorder::new(&path);
    r.label(0, 0);
    r.finish();
    let error = Dataset::open(&path).err().expect("no events").to_string();
    assert!(
        error.contains(EVENTS_TOPIC) && error.contains("/label ("),
        "{error}"
    );
}
