use super::*;
use crate::embedded_whiskeye::array;
use crate::node::Output;
use crate::place_samples::{TACTILE_SIZE, VISUAL_SIZE, reduce};
use saccade_engine::models::place::Samples;
use saccade_engine::models::predictive_coding::{Config, PlaceNetwork, Schedule};
use saccade_msgs::Message;
use saccade_msgs::geometry_msgs::PoseWithCovarianceStamped;
use saccade_msgs::std_srvs::{set_bool, trigger};
use saccade_msgs::tf2_msgs::TFMessage;
use saccade_worlds::whiskeye::WHISKERS;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

const MS: i64 = 1_000_000;
const PLACES: usize = 10;

/// What is seen at a place, coarse enough for any size.
fn image(place: usize, width: u32, height: u32) -> Image {
    let (mut data, k) = (Vec::new(), place as f32);
    for y in 0..height {
        for x in 0..width {
            let (x, y) = (x as f32 / width as f32, y as f32 / height as f32);
            for c in 0..3 {
                let phase = (3.0 + k) * x + (7.0 - 0.9 * k) * y + 1.7 * k * (1.0 + c as f32);
                data.push((127.0 + 100.0 * phase.sin()) as u8);
            }
        }
    }
    Image {
        width,
        height,
        step: 3 * width,
        encoding: "rgb8".into(),
        data,
        ..Image::default()
    }
}

/// Angles and deflections at a place.
fn touch(place: usize) -> [Vec<f32>; 2] {
    let wave = |n: usize, m: f32| -> Vec<f32> {
        let value = |i| 0.5 + 0.3 * ((i * (place + 2)) as f32 * m + place as f32).sin();
        (0..n).map(value).collect()
    };
    [wave(WHISKERS, 0.37), wave(2 * WHISKERS, 0.23)]
}

fn pose(place: usize) -> Pose {
    Pose {
        x_m: place as f64,
        y_m: 0.5,
        theta_rad: 0.1,
    }
}

/// The bytes of a small network that knows such places.
fn weights(seed: u64) -> Vec<u8> {
    let mut samples = Samples::new(VISUAL_SIZE, TACTILE_SIZE);
    for k in 0..PLACES {
        let visual = reduce(&image(k, 80, 45));
        (samples.push(&visual, &touch(k).concat(), pose(k))).expect("a sample");
    }
    let mut config = Config::for_inputs(VISUAL_SIZE, TACTILE_SIZE);
    config.visual.layers = vec![24, 16];
    config.tactile.layers = vec![20, 16];
    config.joint = 16;
    let schedule = Schedule {
        epochs: 60,
        minibatch: PLACES,
        ..Schedule::default()
    };
    let mut go_on = |_: &_| ControlFlow::Continue(());
    let network = PlaceNetwork::train(&samples, &config, &schedule, seed, &mut go_on);
    network.expect("a network").to_bytes().expect("bytes")
}

/// The network of all rigs, learnt once.
fn small() -> &'static [u8] {
    static WEIGHTS: OnceLock<Vec<u8>> = OnceLock::new();
    WEIGHTS.get_or_init(|| weights(1))
}

/// What the node asks, without the node.
fn recogniser() -> Recogniser {
    let network = PlaceNetwork::from_bytes(small()).expect("a network");
    Recogniser::new(network, Method::default()).expect("a recogniser")
}

struct Rig {
    folder: tempfile::TempDir,
    parameters: Parameters,
    node: Box<dyn Node>,
    now_ns: i64,
    outputs: Vec<Output>,
    next_id: u64,
}

impl Rig {
    fn new(set: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("w.safetensors");
        std::fs::write(&file, small()).expect("written");
        let mut all = vec![("weights", file.to_str().expect("UTF-8"))];
        all.extend(set);
        let parameters = parameters(&all);
        Rig {
            folder,
            node: create(&parameters).expect("a node"),
            parameters,
            now_ns: 0,
            outputs: Vec::new(),
            next_id: 0,
        }
    }

    fn handle(&mut self, input: Input) {
        let mut ctx = Context::new(
            self.now_ns,
            self.now_ns,
            &mut self.outputs,
            &mut self.next_id,
        );
        self.node.handle(input, &mut ctx);
    }

    fn send<M: Message>(&mut self, topic: &'static str, message: M) {
        let payload = Payload::new(message);
        self.handle(Input::Message { topic, payload });
    }

    fn sent<M: Message>(&self, wanted: &str) -> Vec<Arc<M>> {
        let of = |o: &Output| match o {
            Output::Publish { topic, payload } if *topic == wanted => payload.get::<M>().ok(),
            _ => None,
        };
        self.outputs.iter().filter_map(of).collect()
    }

    /// A whisk at a place; `moves` is how far whiskers go.
    fn feel(&mut self, place: usize, moves: f32) {
        let [theta, xy] = touch(place);
        for step in 0..5 {
            self.now_ns += 50 * MS;
            let back = moves * (4 - step) as f32 / 4.0;
            let theta = theta.iter().map(|t| t - back).collect();
            self.send("head/theta", array(theta, &[]));
            let xy = if moves > 0.0 {
                xy.clone()
            } else {
                vec![0.0; 48]
            };
            self.send("head/xy", array(xy, &[]));
        }
    }

    fn odometry(&mut self, place: usize) {
        let mut odometry = Odometry::default();
        odometry.pose.pose = pose_message(&pose(place));
        self.send("odom", odometry);
    }

    /// A sample when a whisk ends: what was published of it.
    fn end_whisk(&mut self) -> Option<Arc<Places>> {
        self.outputs.clear();
        self.now_ns += 50 * MS;
        self.send("head/whisk", WhiskPhase::default());
        self.sent("place").pop()
    }

    fn visit(&mut self, place: usize) -> Option<Arc<Places>> {
        self.send("image", image(place, 80, 45));
        self.odometry(place);
        self.feel(place, 0.4);
        self.end_whisk()
    }

    /// Learns all places, and then no more.
    fn learn_all(&mut self) {
        self.learn(true);
        for k in 0..PLACES {
            self.visit(k);
        }
        self.learn(false);
    }

    fn learn(&mut self, data: bool) {
        let payload = Payload::new(set_bool::Request { data });
        self.handle(Input::Request {
            service: "learn",
            id: 1,
            payload,
        });
    }

    fn ask(&mut self, service: &'static str) -> (bool, String) {
        self.outputs.clear();
        let payload = Payload::new(trigger::Request {});
        self.handle(Input::Request {
            service,
            id: 7,
            payload,
        });
        let answer = self.outputs.iter().find_map(|o| match o {
            Output::Respond { payload, id: 7, .. } => payload.get::<trigger::Response>().ok(),
            _ => None,
        });
        let answer = answer.expect("an answer");
        (answer.success, answer.message.clone())
    }

    fn count(&self, what: &str) -> u64 {
        let values = self.node.health().values;
        let value = values.iter().find(|(k, _)| k == what);
        value.and_then(|v| v.1.parse().ok()).expect(what)
    }

    fn warning(&self) -> String {
        self.node.health().warning.unwrap_or_default()
    }
}

/// Odometry that has drifted by a metre and a quarter turn since it began in the map's frame.
fn drifted(place: usize) -> Odometry {
    let (true_pose, mut odometry) = (pose(place), Odometry::default());
    odometry.header.frame_id = "odom".into();
    odometry.pose.pose = pose_message(&Pose {
        x_m: 1.0 - true_pose.y_m,
        y_m: true_pose.x_m,
        theta_rad: true_pose.theta_rad + std::f64::consts::FRAC_PI_2,
    });
    odometry
}

#[test]
fn places_and_odometry_say_together_where_the_robot_is() {
    let mut taught = Rig::new(&[("novelty_threshold", "0.001")]);
    taught.learn_all();
    taught.ask("save_map");
    let map = taught.sent::<MapMessage>("place_map").remove(0);
    let mut rig = Rig::new(&[
        ("fusion", "particles"),
        ("fusion_begin", "places"),
        ("map_frame", "room"),
    ]);
    rig.send("place_map_in", map.as_ref().clone());
    for k in [0, 1, 2, 3, 4, 5, 6, 7, 8] {
        rig.send("image", image(k, 80, 45));
        rig.send("odom", drifted(k));
        rig.feel(k, 0.4);
        rig.end_whisk();
    }
    let fused = rig
        .sent::<PoseWithCovarianceStamped>("fused_pose")
        .remove(0);
    let there = &fused.pose.pose.position;
    assert!(
        (there.x - 8.0).abs() < 0.4 && (there.y - 0.5).abs() < 0.4,
        "{fused:?}"
    );
    assert_eq!(fused.header.frame_id, "room");
    // The transform takes odometry to that pose, and so does the corrected odometry.
    let tf = &rig.sent::<TFMessage>("/tf").remove(0).transforms[0];
    assert_eq!(
        (tf.header.frame_id.as_str(), tf.child_frame_id.as_str()),
        ("room", "odom")
    );
    let (odometry, t) = (drifted(8).pose.pose, &tf.transform);
    let yaw = 2.0 * t.rotation.z.atan2(t.rotation.w);
    let (s, c) = yaw.sin_cos();
    let x = t.translation.x + c * odometry.position.x - s * odometry.position.y;
    let y = t.translation.y + s * odometry.position.x + c * odometry.position.y;
    assert!(
        (x - there.x).abs() < 1e-9 && (y - there.y).abs() < 1e-9,
        "{tf:?}"
    );
    rig.outputs.clear();
    rig.send("odom", drifted(9));
    let corrected = rig.sent::<Odometry>("fused_odom").remove(0);
    assert_eq!(corrected.header.frame_id, "room");
    assert!(
        (corrected.pose.pose.position.x - there.x - 1.0).abs() < 0.3,
        "{corrected:?}"
    );
    // Without senses it goes on by odometry alone.
    rig.now_ns += 2000 * MS;
    rig.send("odom", drifted(9));
    assert_eq!(rig.end_whisk(), None);
    let blind = rig
        .sent::<PoseWithCovarianceStamped>("fused_pose")
        .remove(0);
    assert!((blind.pose.pose.position.x - 9.0).abs() < 0.5, "{blind:?}");

    // Begun where odometry says, and without a transform.
    let mut rig = Rig::new(&[("fusion", "particles"), ("tf_broadcast", "false")]);
    rig.odometry(4);
    rig.now_ns += 100 * MS;
    rig.end_whisk();
    let pose = rig
        .sent::<PoseWithCovarianceStamped>("fused_pose")
        .remove(0);
    assert!((pose.pose.pose.position.x - 4.0).abs() < 0.1, "{pose:?}");
    assert!(rig.sent::<TFMessage>("/tf").is_empty());
}

fn parameters(set: &[(&str, &str)]) -> Parameters {
    let mut parameters = Parameters::defaults(&INTERFACE);
    for (name, value) in set {
        parameters.set_text(name, value).expect("in range");
    }
    parameters
}

fn refused(set: &[(&str, &str)]) -> String {
    let refused = create(&parameters(set)).err();
    refused.expect("refused").to_string()
}

/// How many of all places are taken for themselves, by their best match.
fn known_again(ask: impl FnMut(usize) -> Option<Arc<Places>>) -> usize {
    let right = |(k, place): &(usize, Option<Arc<Places>>)| {
        let place = place.as_ref().expect("a place");
        place.poses[0].position.x == *k as f64
    };
    (0..PLACES).zip((0..PLACES).map(ask)).filter(right).count()
}

#[test]
fn places_that_were_learnt_are_known_again_and_new_ones_are_new() {
    let mut rig = Rig::new(&[("novelty_threshold", "0.001")]);
    let first = rig.visit(0).expect("a place");
    assert_eq!((first.novelty, first.learnt, first.known), (1.0, false, 0));
    assert!(first.code.len() == 16 && rig.sent::<PoseWithCovarianceStamped>("pose").is_empty());
    rig.learn_all();
    assert_eq!(rig.count("places known"), PLACES as u64);
    assert_eq!(known_again(|k| rig.visit(k)), PLACES);
    let place = rig.visit(3).expect("a place");
    assert!(place.novelty < 1e-5 && !place.learnt, "{place:?}");
    assert_eq!(
        (place.ids[0], place.ids.len(), place.scores.len()),
        (3, 5, 5)
    );
    assert_eq!(
        (place.senses.as_str(), place.header.frame_id.as_str()),
        ("both", "map")
    );
    let pose = rig.sent::<PoseWithCovarianceStamped>("pose").remove(0);
    assert!((pose.pose.pose.position.x - 3.0).abs() < 0.1, "{pose:?}");
    assert!(pose.pose.covariance[0] > 0.002 && pose.pose.covariance[35] > 0.002);
    // What is known is not learnt once more.
    rig.learn(true);
    assert!(!rig.visit(3).expect("a place").learnt);
    assert_eq!(rig.count("places known"), PLACES as u64);
}

#[test]
fn each_sense_will_do_where_the_other_is_gone() {
    let mut rig = Rig::new(&[("novelty_threshold", "0.001")]);
    rig.learn_all();
    // The camera is gone for more than a second; nothing so felt is learnt.
    rig.learn(true);
    rig.now_ns += 2000 * MS;
    let mut alone = recogniser();
    for k in 0..PLACES {
        rig.odometry(k);
        rig.feel(k, 0.4);
        let place = rig.end_whisk().expect("a place");
        let answer = alone.recognise(&[], &touch(k).concat(), Senses::Touch);
        assert_eq!(place.code, answer.expect("a code").joint);
        assert_eq!((place.senses.as_str(), place.poses.len()), ("touch", 5));
    }
    assert!(rig.warning().contains("touch alone"), "{}", rig.warning());
    assert_eq!(rig.count("recognised by touch"), PLACES as u64);
    assert_eq!(rig.count("places known"), PLACES as u64);
    assert!(rig.count("not learnt, a sense was gone") > 0);
    rig.learn(false);
    // It comes back, of another size, and the whiskers stick.
    for k in 0..PLACES {
        rig.send("image", image(k, 160, 120));
        rig.feel(k, 0.0);
        let place = rig.end_whisk().expect("a place");
        let seen = reduce(&image(k, 160, 120));
        let answer = alone.recognise(&seen, &[], Senses::Vision);
        assert_eq!(place.code, answer.expect("a code").joint);
        assert_eq!((place.senses.as_str(), place.poses.len()), ("vision", 5));
    }
    let all_stuck = format!("{WHISKERS} whiskers are stuck: recognises by vision");
    assert!(rig.warning().contains(&all_stuck), "{}", rig.warning());
    // Both are gone.
    rig.now_ns += 2000 * MS;
    assert_eq!(rig.end_whisk(), None);
    assert!(rig.sent::<PoseWithCovarianceStamped>("pose").is_empty());
    assert!(
        rig.warning().contains("no place is told"),
        "{}",
        rig.warning()
    );
    assert_eq!(rig.count("samples with nothing to go by"), 1);
    // And come back.
    assert_eq!(rig.visit(2).expect("a place").senses, "both");
    assert_eq!(rig.warning(), "");
}

/// In the dark the robot goes by touch, says so, and sees again when the light is back.
#[test]
fn an_image_that_shows_nothing_is_no_sight() {
    let mut rig = Rig::new(&[("novelty_threshold", "0.001")]);
    rig.learn_all();
    let mut dark = image(3, 160, 120);
    let bytes = dark
        .data
        .iter_mut()
        .zip([3_u8, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5].iter().cycle());
    bytes.for_each(|(value, noise)| *value = *noise);
    rig.send("image", dark);
    rig.feel(3, 0.4);
    let dark = rig.end_whisk().expect("a place by touch");
    assert_eq!(dark.senses, "touch");
    assert_eq!(rig.count("images that show nothing"), 1);
    assert!(
        rig.warning().contains("images show nothing"),
        "{}",
        rig.warning()
    );
    // With the whiskers still as well there is nothing to go by.
    rig.feel(3, 0.0);
    assert_eq!(rig.end_whisk(), None);
    assert!(
        rig.warning()
            .contains("whiskers are stuck, images show nothing"),
        "{}",
        rig.warning()
    );
    assert_eq!(rig.visit(3).expect("a place").senses, "both");
    assert_eq!(rig.warning(), "");
    // The code is that of a robot whose camera is gone.
    rig.now_ns += 1000 * MS;
    rig.feel(3, 0.4);
    let gone = rig.end_whisk().expect("a place by touch");
    assert_eq!((&gone.senses, &gone.code), (&dark.senses, &dark.code));
    assert_ne!(rig.visit(3).expect("a place").code, dark.code);
}

#[test]
fn any_camera_will_do_without_whiskers() {
    for senses in ["auto", "vision"] {
        let mut rig = Rig::new(&[("senses", senses), ("learn", "true"), ("period", "0.1")]);
        rig.handle(Input::Start);
        let period = rig.outputs.iter().find_map(|o| match o {
            Output::SetTimer { period_ns, .. } => *period_ns,
            _ => None,
        });
        assert_eq!(period, Some(100 * MS));
        rig.send("image", image(4, 320, 240));
        rig.odometry(4);
        rig.handle(Input::Timer { name: "sample" });
        let place = rig.sent::<Places>("place").remove(0);
        assert!(place.learnt && place.senses == "vision", "{place:?}");
    }
    // Where whisks are heard of the timer does nothing.
    let mut rig = Rig::new(&[("senses", "vision")]);
    assert_eq!(rig.visit(0).expect("a place").senses, "vision");
    rig.handle(Input::Timer { name: "sample" });
    assert_eq!(rig.count("samples"), 1);
    // Touch alone does not take what is seen.
    let mut rig = Rig::new(&[("senses", "touch")]);
    rig.send("image", image(0, 80, 45));
    assert_eq!(rig.end_whisk(), None);
    assert_eq!(rig.visit(0).expect("a place").senses, "touch");
}

#[test]
fn what_is_no_image_or_no_number_is_refused_and_counted() {
    let mut rig = Rig::new(&[]);
    let bad = Image {
        encoding: "yuv422".into(),
        ..image(0, 80, 45)
    };
    rig.send("image", bad.clone());
    let logged = |o: &Output| matches!(o, Output::Log(line) if line.text.contains("yuv422"));
    assert!(rig.outputs.iter().any(logged), "{:?}", rig.outputs);
    rig.outputs.clear();
    rig.send("image", bad);
    rig.send("head/theta", array(vec![f32::NAN; WHISKERS], &[]));
    rig.send("head/xy", array(vec![0.0; 3], &[]));
    assert!(rig.outputs.is_empty(), "told once: {:?}", rig.outputs);
    assert_eq!(rig.count("messages refused"), 4);
    assert_eq!(rig.end_whisk(), None);
    let mut odometry = Odometry::default();
    odometry.pose.pose.position.x = f64::NAN;
    rig.learn(true);
    rig.send("odom", odometry);
    rig.send("image", image(0, 80, 45));
    assert!(!rig.end_whisk().expect("a place").learnt);
    assert_eq!(rig.count("not learnt, no fresh odometry"), 1);
    rig.send("image", WhiskPhase::default());
    assert!(matches!(rig.outputs.last(), Some(Output::Log(_))));
}

#[test]
fn a_map_goes_out_and_comes_in_and_is_that_of_its_network() {
    let mut rig = Rig::new(&[("novelty_threshold", "0.001")]);
    assert!(rig.ask("load_map").1.contains("place_map_in"));
    rig.learn_all();
    assert!(rig.ask("save_map").0);
    let map = rig.sent::<MapMessage>("place_map").remove(0);
    assert_eq!(map.places, PLACES as u64);
    assert_eq!(rig.ask("forget"), (true, "10 places forgotten".to_owned()));
    assert_eq!(rig.visit(0).expect("a place").known, 0);
    rig.send("place_map_in", map.as_ref().clone());
    assert_eq!(known_again(|k| rig.visit(k)), PLACES);
    let broken = MapMessage {
        data: map.data[..map.data.len() / 2].to_vec(),
        ..MapMessage::default()
    };
    rig.send("place_map_in", broken);
    assert_eq!(rig.count("maps refused"), 1);
    assert_eq!(rig.count("places known"), PLACES as u64, "the last stays");

    // As a file, for a node made anew; forgotten places come back from it.
    let file = rig.folder.path().join("places.safetensors");
    std::fs::write(&file, &map.data).expect("written");
    let file = file.to_str().expect("UTF-8");
    let mut second = Rig::new(&[("map", file)]);
    assert_eq!(second.count("places known"), PLACES as u64);
    second.ask("forget");
    assert_eq!(second.ask("load_map"), (true, "10 places".to_owned()));
    assert_eq!(known_again(|k| second.visit(k)), PLACES);

    let other: PathBuf = rig.folder.path().join("other.safetensors");
    std::fs::write(&other, weights(2)).expect("written");
    let other = other.to_str().expect("UTF-8");
    let says = refused(&[("weights", other), ("map", file)]);
    assert!(says.contains(file) && says.contains(&map.network), "{says}");
    assert!(says.contains("learn the places anew"), "{says}");
    let says = refused(&[("weights", other), ("map", other)]);
    assert!(
        says.contains("another kind") || says.contains("file"),
        "{says}"
    );
}

#[test]
fn what_is_set_wrong_is_named() {
    assert!(refused(&[]).contains("parameter 'weights' is empty"));
    assert!(refused(&[("senses", "smell")]).contains("'smell' is none of: auto, both"));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("w.safetensors");
    std::fs::write(&file, small()).expect("written");
    let file = file.to_str().expect("UTF-8");
    let says = refused(&[("weights", file), ("fusion", "glue")]);
    assert!(
        says.contains("'glue' is none of: none, particles"),
        "{says}"
    );
    let says = refused(&[("weights", file), ("weighing", "reliability")]);
    assert!(says.contains("has learnt no reliabilities"), "{says}");
    assert!(refused(&[("weights", file), ("code", "slow")]).contains("'slow' is none of: auto"));
    assert!(refused(&[("method", "slow")]).contains("'slow' is none of: quick"));
    let missing = refused(&[("weights", "no/such.safetensors")]);
    assert!(missing.contains("no/such.safetensors"), "{missing}");
}

#[test]
fn learning_may_be_set_while_it_runs_and_the_room_is_bounded() {
    let mut rig = Rig::new(&[("max_places", "2"), ("min_places", "5")]);
    assert!(!rig.visit(0).expect("a place").learnt);
    rig.parameters.set_text("learn", "true").expect("a switch");
    let parameters = rig.parameters.clone();
    rig.node.change(&parameters).expect("live");
    let learnt: Vec<bool> = (0..4)
        .map(|k| rig.visit(k).expect("a place").learnt)
        .collect();
    assert_eq!(learnt, [true, true, false, false]);
    assert!(rig.warning().contains("no room for more than 2 places"));
    // The service decides until the parameter changes again.
    rig.learn(false);
    rig.node.change(&parameters).expect("live");
    assert!(!rig.visit(5).expect("a place").learnt);
    assert_eq!(rig.count("not learnt, no room"), 2);
}

#[test]
fn the_same_inputs_give_the_same_places() {
    let run = || {
        let mut rig = Rig::new(&[("learn", "true"), ("method", "warm")]);
        let mut all = Vec::new();
        for k in [0, 1, 2, 1, 5, 0] {
            all.push(rig.visit(k).expect("a place"));
        }
        all
    };
    assert_eq!(run(), run());
}
