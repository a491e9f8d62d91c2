use super::*;
use crate::embedded_whiskeye::array;
use saccade_engine::models::place::Samples;
use saccade_msgs::nav_msgs::Odometry;
use saccade_msgs::saccade_msgs::WhiskPhase;
use saccade_rosbags::BagWriter;
use std::path::Path;

fn image(width: u32, height: u32, encoding: &str, pixel: impl Fn(u32, u32) -> Vec<u8>) -> Image {
    let mut data = Vec::new();
    for y in 0..height {
        for x in 0..width {
            data.extend(pixel(x, y));
        }
    }
    Image {
        width,
        height,
        step: (data.len() / height as usize) as u32,
        encoding: encoding.into(),
        data,
        ..Image::default()
    }
}

#[test]
fn images_of_every_size_keep_their_areas_and_colours() {
    for (width, height) in [(80, 45), (160, 120), (640, 480), (97, 61), (40, 20), (1, 1)] {
        let even = image(width, height, "rgb8", |_, _| vec![51, 102, 204]);
        let small = reduce(&even);
        assert_eq!(small.len(), VISUAL_SIZE);
        for pixel in small.chunks(3) {
            for (value, expected) in pixel.iter().zip([0.2, 0.4, 0.8]) {
                assert!(
                    (value - expected).abs() < 1e-5,
                    "{width} x {height}: {pixel:?}"
                );
            }
        }
    }
    // Left black, right white: the mean is that of the areas, the edge where it was.
    let halves = image(97, 61, "mono8", |x, _| vec![if x < 48 { 0 } else { 255 }]);
    let small = reduce(&halves);
    let mean: f32 = small.iter().sum::<f32>() / VISUAL_SIZE as f32;
    assert!((mean - 49.0 / 97.0).abs() < 1e-4, "{mean}");
    assert_eq!((small[3 * 38], small[3 * 41]), (0.0, 1.0));
    // 80 x 45 is taken as it is.
    let same = image(80, 45, "rgb8", |x, y| vec![x as u8, y as u8, 7]);
    assert!((reduce(&same)[3 * (80 * 31 + 17)] - 17.0 / 255.0).abs() < 1e-6);
    for (encoding, pixel) in [
        ("bgr8", vec![0, 0, 255]),
        ("rgba8", vec![255, 0, 0, 9]),
        ("bgra8", vec![0, 0, 255, 9]),
    ] {
        let red = image(80, 45, encoding, |_, _| pixel.clone());
        assert_eq!(reduce(&red)[..3], [1.0, 0.0, 0.0], "{encoding}");
    }
}

#[test]
fn images_that_cannot_be_are_refused_and_the_one_before_stays() {
    let mut sampler = Sampler::default();
    let good = image(80, 45, "rgb8", |_, _| vec![255; 3]);
    sampler.image(0, Arc::new(good.clone())).expect("good");
    let wrong = [
        (
            Image {
                encoding: "yuv422".into(),
                ..good.clone()
            },
            "publish rgb8",
        ),
        (
            Image {
                width: 0,
                ..good.clone()
            },
            "sides",
        ),
        (
            Image {
                height: u32::MAX,
                ..good.clone()
            },
            "sides",
        ),
        (
            Image {
                step: 10,
                ..good.clone()
            },
            "240 bytes",
        ),
        (
            Image {
                height: 46,
                ..good.clone()
            },
            "that takes 11040 bytes",
        ),
        (Image::default(), "encoding"),
    ];
    for (wrong, says) in wrong {
        let error = sampler
            .image(0, Arc::new(wrong))
            .expect_err(says)
            .to_string();
        assert!(error.contains(says), "{error}");
    }
    assert_eq!(sampler.refused(), 6);
    assert!(sampler.take(0).visual.is_some_and(|v| v[0] == 1.0));
}

const MS: i64 = 1_000_000;

/// A whisk: angles to and fro about each whisker's, with these deflections.
fn whisk(sampler: &mut Sampler, from_ns: i64, sweep: impl Fn(usize) -> f32, xy: f32) -> Sample {
    for step in 0..20 {
        let now_ns = from_ns + step * 20 * MS;
        let theta: Vec<f32> = (0..WHISKERS)
            .map(|i| sweep(i) * step as f32 / 20.0)
            .collect();
        sampler.theta(now_ns, &theta).expect("angles");
        sampler
            .xy(now_ns, &[xy; 2 * WHISKERS])
            .expect("deflections");
    }
    sampler.take(from_ns + 400 * MS)
}

#[test]
fn a_sample_has_the_latest_of_each_sense_and_only_while_it_is_fresh() {
    let mut sampler = Sampler::default();
    assert_eq!(sampler.take(0).senses(), None);
    let halves = image(160, 120, "rgb8", |x, _| {
        vec![if x < 80 { 0 } else { 255 }; 3]
    });
    sampler.image(0, Arc::new(halves)).expect("an image");
    let sample = whisk(&mut sampler, 0, |i| 0.5 + 0.01 * i as f32, 0.01);
    assert_eq!(sample.senses(), Some(Senses::Both));
    let tactile = sample.tactile.expect("felt");
    assert_eq!(tactile.len(), TACTILE_SIZE);
    assert!((tactile[23] - 0.73 * 0.95).abs() < 1e-6);
    assert_eq!(tactile[24..], [0.01; 48]);
    // The camera is gone for more than a second.
    let sample = whisk(&mut sampler, 1000 * MS, |_| 0.5, 0.0);
    assert_eq!(sample.senses(), Some(Senses::Touch));
    // And the whiskers.
    assert_eq!(sampler.take(2500 * MS).senses(), None);
}

/// Noise and an even colour are no sight, of any brightness; a dim edge in noise is.
#[test]
fn an_image_that_shows_nothing_is_not_seen() {
    let mut random = 1_u64;
    let mut noise = |most: u64| {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (random >> 33) % most
    };
    let mut noisy = |base: u8, edge: u8, most: u64| {
        let mut it = image(160, 120, "rgb8", |x, _| {
            vec![if x < 80 { base } else { base + edge }; 3]
        });
        it.data.iter_mut().for_each(|v| *v += noise(most) as u8);
        it
    };
    for (base, edge, most, nothing) in [
        (0, 0, 1, true),
        (255 - 8, 0, 8, true),
        (0, 0, 8, true),
        (100, 0, 40, true),
        (0, 3, 8, false),
        (100, 20, 40, false),
    ] {
        let it = noisy(base, edge, most);
        assert_eq!(shows_nothing(&reduce(&it)), nothing, "{base} {edge} {most}");
        let mut sampler = Sampler::default();
        sampler.image(0, Arc::new(it)).expect("an image");
        let sample = whisk(&mut sampler, 0, |_| 0.5, 0.01);
        assert_eq!((sample.blank, sample.visual.is_some()), (nothing, true));
        let senses = if nothing { Senses::Touch } else { Senses::Both };
        assert_eq!(sample.senses(), Some(senses));
    }
    assert!(shows_nothing(&[0.1, 0.5]));
}

#[test]
fn whiskers_that_are_stuck_are_told_from_those_that_touch() {
    let mut sampler = Sampler::default();
    let sample = whisk(&mut sampler, 0, |_| 0.02, 0.01);
    assert_eq!((sample.stuck, sample.tactile), (WHISKERS, None));
    // As still, but pressed against something.
    let sample = whisk(&mut sampler, 400 * MS, |_| 0.02, 0.2);
    assert_eq!((sample.stuck, sample.tactile.is_some()), (0, true));
    // Half of them may be.
    let sample = whisk(
        &mut sampler,
        800 * MS,
        |i| if i < 12 { 0.02 } else { 0.6 },
        0.01,
    );
    assert_eq!((sample.stuck, sample.tactile.is_some()), (12, true));
    let sample = whisk(
        &mut sampler,
        1200 * MS,
        |i| if i < 13 { 0.02 } else { 0.6 },
        0.01,
    );
    assert_eq!((sample.stuck, sample.tactile.is_some()), (13, false));
}

#[test]
fn values_that_are_none_are_refused() {
    let mut sampler = Sampler::default();
    whisk(&mut sampler, 0, |_| 0.5, 0.0);
    let mut theta = [0.0; WHISKERS];
    theta[5] = f32::NAN;
    let error = sampler.theta(400 * MS, &theta).expect_err("not a number");
    assert!(
        error.to_string().contains("angles: value 5 is NaN"),
        "{error}"
    );
    let error = sampler.xy(400 * MS, &[0.0; 47]).expect_err("too few");
    assert!(
        error.to_string().contains("47 values, expected 48"),
        "{error}"
    );
    assert_eq!(sampler.refused(), 2);
    // The readings before still count, until they are too old.
    assert!(sampler.take(500 * MS).tactile.is_some());
    assert!(sampler.take(1500 * MS).tactile.is_none());
}

/// A recording of so many whisks; without the topics that begin with `without`.
fn record(path: &Path, whisks: i64, without: &str) {
    let mut bag = BagWriter::create(path).expect("a bag");
    let topics = Topics::default();
    let has = |topic: &String| without.is_empty() || !topic.starts_with(without);
    for w in 0..whisks {
        let from_ns = 1 + w * 500 * MS;
        let picture = image(80, 45, "rgb8", |_, _| vec![w as u8; 3]);
        if has(&topics.image) {
            bag.write(&topics.image, from_ns, &picture)
                .expect("written");
        }
        for step in 0..13 {
            let now_ns = from_ns + step * 20 * MS;
            let mut odometry = Odometry::default();
            odometry.pose.pose.position.x = w as f64 + 0.01 * step as f64;
            odometry.pose.pose.orientation.z = 1.0;
            odometry.pose.pose.orientation.w = 0.0;
            let theta = array(vec![0.1 * step as f32; WHISKERS], &[]);
            let xy = array(vec![0.01 * w as f32; 2 * WHISKERS], &[]);
            if has(&topics.theta) {
                bag.write(&topics.theta, now_ns, &theta).expect("written");
            }
            bag.write(&topics.xy, now_ns, &xy).expect("written");
            bag.write(&topics.pose, now_ns, &odometry).expect("written");
        }
        for (protracting, at_ns) in [(false, from_ns + 240 * MS), (true, from_ns + 480 * MS)] {
            let phase = WhiskPhase {
                protracting,
                ..WhiskPhase::default()
            };
            bag.write(&topics.whisk, at_ns, &phase).expect("written");
        }
    }
    bag.finish().expect("a whole bag");
}

#[test]
fn a_recording_gives_a_sample_for_each_whisk_whatever_its_format() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut all: Vec<Samples> = Vec::new();
    for name in ["a.mcap", "a.bag", "a.db3"] {
        let path = folder.path().join(name);
        record(&path, 3, "");
        let (samples, counts) = read(&path, &Topics::default()).expect(name);
        assert_eq!(
            counts,
            Counts {
                whisks: 3,
                ..Counts::default()
            }
        );
        all.push(samples);
    }
    assert!(all[0] == all[1] && all[0] == all[2]);
    let samples = &all[0];
    assert_eq!(samples.len(), 3);
    assert_eq!(samples.sizes(), (VISUAL_SIZE, TACTILE_SIZE));
    assert!((samples.visual(2)[0] - 2.0 / 255.0).abs() < 1e-6);
    assert!((samples.tactile(2)[0] - 1.2).abs() < 1e-6 && samples.tactile(2)[24] == 0.02);
    let pose = samples.poses()[2];
    assert!(
        (pose.x_m - 2.12).abs() < 1e-9
            && (pose.theta_rad.abs() - std::f64::consts::PI).abs() < 1e-9
    );
}

#[test]
fn a_topic_that_is_missing_is_named_with_the_remedy() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.mcap");
    record(&path, 1, "/whiskeye/head/theta");
    let error = read(&path, &Topics::default())
        .expect_err("a topic is missing")
        .to_string();
    for word in [
        "`/whiskeye/head/theta`",
        "Float32MultiArray",
        "place_recognition.launch.xml",
        "/whiskeye/head/xy",
    ] {
        assert!(error.contains(word), "{error}");
    }
}
