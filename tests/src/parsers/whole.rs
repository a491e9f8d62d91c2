//! Parsers of whole files and texts.

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use saccade_engine::models::classifier::Classifier;
use saccade_engine::models::training::Trainer;
use saccade_engine::nir::{Integration, Runner};
use saccade_launch::{launch_file, nir_file};
use saccade_msgs::registry::ENTRIES;
use saccade_nodes::{Parameters, registry};
use saccade_rosbags::events::{
    Aedat2Convention, EventBatch, EventSource, Geometry, ReadOptions, info_with,
};
use saccade_rosbags::{BagReader, Format, detect};
use saccade_worlds::sdf::World;

use super::seeds;

/// A file `name` with this content, in a folder that lives as long as the thread.
pub(super) fn file(name: &str, content: &[u8]) -> PathBuf {
    thread_local! {
        static FOLDER: OnceCell<tempfile::TempDir> = const { OnceCell::new() };
    }
    FOLDER.with(|folder| {
        let folder = folder.get_or_init(|| tempfile::tempdir().expect("a folder"));
        let path = folder.path().join(name);
        std::fs::write(&path, content).expect("writes");
        path
    })
}

/// Reads all events of a file twice, and finds the same number of them.
fn events(path: &Path, options: ReadOptions) {
    let read = || {
        let mut source = EventSource::open_with(path, None, options)?;
        let (mut batch, mut events) = (EventBatch::default(), 0);
        while source.next_batch(&mut batch)? {
            let sensor = source.geometry().unwrap_or(Geometry::UNBOUNDED);
            let inside =
                |x, y| sensor == Geometry::UNBOUNDED || x < sensor.width && y < sensor.height;
            assert!(batch.events.iter().all(|e| inside(e.x, e.y)), "outside");
            events += batch.events.len() as u64;
        }
        Ok::<_, saccade_rosbags::BagError>(events)
    };
    match (read(), info_with(path, None, options)) {
        (Ok(events), Ok(info)) => assert_eq!(events, info.events),
        (Err(error), Err(_)) => assert!(!error.to_string().is_empty()),
        (Err(e), Ok(_)) | (Ok(_), Err(e)) => panic!("read once, not twice: {e}"),
    }
}

/// Reads a file of events, if it is of this format: a hunt is to stay with it.
fn event_file(name: &str, format: Format, input: &[u8], options: ReadOptions) {
    let path = file(name, input);
    if detect(&path).is_ok_and(|(found, _)| found == format) {
        events(&path, options);
    }
}

/// Prophesee RAW and DAT.
pub fn raw(input: &[u8]) {
    event_file("a.raw", Format::Prophesee, input, ReadOptions::default());
}

/// AEDAT 3.1.
pub fn aedat3(input: &[u8]) {
    event_file("a.aedat", Format::Aedat3, input, ReadOptions::default());
}

/// AEDAT 4.
pub fn aedat4(input: &[u8]) {
    event_file("a.aedat4", Format::Aedat4, input, ReadOptions::default());
}

/// Event Stream.
pub fn es(input: &[u8]) {
    event_file("a.es", Format::EventStream, input, ReadOptions::default());
}

/// N-MNIST.
pub fn nmnist(input: &[u8]) {
    event_file("a.bin", Format::Nmnist, input, ReadOptions::default());
}

/// Lines of text.
pub fn text(input: &[u8]) {
    event_file("a.csv", Format::Text, input, ReadOptions::default());
}

/// NumPy arrays.
pub fn npy(input: &[u8]) {
    event_file("a.npy", Format::Npy, input, ReadOptions::default());
}

/// NumPy archives.
pub fn npz(input: &[u8]) {
    event_file("a.npz", Format::Npz, input, ReadOptions::default());
}

/// Prophesee's HDF5.
pub fn hdf5(input: &[u8]) {
    event_file("a.hdf5", Format::Hdf5, input, ReadOptions::default());
}

/// AEDAT 2, as both conventions have it.
pub fn aedat2(input: &[u8]) {
    for aedat2 in [Aedat2Convention::default(), Aedat2Convention::Jaer] {
        event_file("a.aedat", Format::Aedat2, input, ReadOptions { aedat2 });
    }
}

/// Reads connections and messages of a bag, and its events if it has some.
fn bag(name: &str, format: Format, input: &[u8]) {
    let path = file(name, input);
    if !detect(&path).is_ok_and(|(found, _)| found == format) {
        return;
    }
    let read = || {
        let mut bag = BagReader::open(&path)?;
        let _ = bag.connections();
        while bag.next_message()?.is_some() {}
        Ok::<_, saccade_rosbags::BagError>(())
    };
    if let Err(error) = read() {
        assert!(error.to_string().contains(name), "{error}");
    }
    events(&path, ReadOptions::default());
}

/// ROS 1 bags.
pub fn ros1(input: &[u8]) {
    bag("a.bag", Format::Ros1Bag, input);
}

/// MCAP.
pub fn mcap(input: &[u8]) {
    bag("a.mcap", Format::Mcap, input);
}

/// rosbag2 SQLite.
pub fn sqlite(input: &[u8]) {
    bag("a.db3", Format::Sqlite, input);
}

/// Messages, the first byte takes the type: what could be read is written, and
/// what was written is read, the same.
pub fn messages(input: &[u8]) {
    let [kind, body @ ..] = input else {
        return;
    };
    let entry = &ENTRIES[usize::from(*kind) % ENTRIES.len()];
    if let Ok(cdr) = (entry.cdr_to_cdr)(body) {
        let again = (entry.cdr_to_cdr)(&cdr).expect("reads what it wrote");
        assert_eq!(again, cdr, "{}", entry.type_name);
        (entry.cdr_to_json)(body).expect("reads what it read");
    }
    if let Some(ros1) = entry.ros1
        && let Ok(cdr) = (ros1.to_cdr)(body)
    {
        let again = (ros1.from_cdr)(&cdr).and_then(|body| (ros1.to_cdr)(&body));
        assert_eq!(
            again.expect("reads what it wrote"),
            cdr,
            "{}",
            entry.type_name
        );
    }
}

/// Launch files, as XML and as YAML.
pub fn launch_file(input: &[u8]) {
    for name in ["a.launch.xml", "a.launch.yaml"] {
        let path = file(name, input);
        let _ = launch_file::arguments(&path);
        if let Err(error) = launch_file::load(&path, &[]) {
            assert!(!error.to_string().is_empty());
        }
    }
}

/// Parameter files, read by a launch file.
pub fn params_file(input: &[u8]) {
    file("params.yaml", input);
    let launch = br#"<launch><node pkg="saccade_nodes" exec="dvs_ingest" name="n" namespace="/a">
        <param from="$(dirname)/params.yaml"/></node></launch>"#;
    let path = file("params.launch.xml", launch);
    let launch = launch_file::load(&path, &[]).expect("a launch file");
    if let Err(error) = launch.nodes[0].parameter_values() {
        let text = error.to_string();
        assert!(text.contains("params.yaml"), "{text}");
    }
}

/// Parameters of nodes: lines of `name value`, given to every node.
pub fn parameters(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else {
        return;
    };
    let _ = launch_file::parse_assignment(text);
    for interface in registry::interfaces() {
        let mut parameters = Parameters::defaults(interface);
        for line in text.lines() {
            let (name, value) = line.split_once(' ').unwrap_or((line, ""));
            if let Err(error) = parameters.set_text(name, value) {
                assert!(error.to_string().contains(name), "{error}");
            }
        }
    }
}

/// Worlds.
pub fn world(input: &[u8]) {
    if let Ok(text) = std::str::from_utf8(input)
        && let Err(error) = World::from_str("a.sdf", text)
    {
        assert!(error.to_string().contains("a.sdf"), "{error}");
    }
}

/// Weights of the classifier: what could be read is written and read again.
pub fn weights(input: &[u8]) {
    if let Ok(classifier) = Classifier::from_bytes(input) {
        let bytes = classifier.to_bytes().expect("writes what it read");
        let again = Classifier::from_bytes(&bytes).expect("reads what it wrote");
        assert_eq!(again.to_bytes().expect("writes"), bytes);
    }
}

/// A checkpoint of the training of the seed: one that is taken is that one, however its
/// header is laid out.
pub fn checkpoint(input: &[u8]) {
    let (samples, config, training) = seeds::training();
    if let Ok(trainer) = Trainer::resume(&samples, &config, &training, 1, input) {
        let written = trainer.checkpoint().expect("writes what it read");
        assert!(seeds::checkpoint().contains(&written), "another checkpoint");
    }
}

/// A NIR file: what could be read is written and read again, imports or not, and runs or
/// not.
pub fn nir(input: &[u8]) {
    if let Ok(graph) = nir_file::from_bytes(input.to_vec()) {
        // Damage makes names that cannot be written.
        if let Ok(bytes) = nir_file::to_bytes(&graph) {
            let again = nir_file::from_bytes(bytes).expect("reads what it wrote");
            assert_eq!(again.nodes.len(), graph.nodes.len());
            assert_eq!(again.edges.len(), graph.edges.len());
        }
        // Refusals are expected.
        let _ = saccade_engine::nir::import(&graph, 1.0);
        if let Ok(mut runner) = Runner::new(&graph, None, Integration::Exact) {
            runner.tick();
            runner.tick();
        }
    }
}
