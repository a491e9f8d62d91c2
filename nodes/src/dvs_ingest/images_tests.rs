//! Images, by themselves and through the node.

use super::tests::{Driven, packet, published};
use super::*;
use crate::node::Output;
use glam::{Quat, Vec3};
use proptest::prelude::*;
use saccade_msgs::saccade_msgs::Spikes;
use saccade_worlds::event_camera::{EventCamera, EventCameraParams, FrameToEvents};
use saccade_worlds::render::{Camera, Light, Material, Pose, Scene, Shape, Visual};

const SIDE: u32 = 32;

/// A dark half plane whose edge is at column `u`, before a bright sky.
fn edge(u: f32) -> Scene {
    Scene {
        visuals: vec![Visual {
            shape: Shape::Box {
                half: Vec3::new(10.0, 10.0, 0.1),
            },
            pose: Pose {
                p: Vec3::new(0.01 * (u - 15.5) - 10.0, 0.0, 100.1),
                q: Quat::IDENTITY,
            },
            material: Material::matt([0.2; 3]),
            body: 0,
            shadow: true,
        }],
        light: Light {
            direction: Vec3::NEG_Z,
            intensity: 0.0,
            ambient: 1.0,
        },
        sky: [0.8; 3],
    }
}

/// What the world's event camera sees of a moving edge: its images, and its events.
fn seen_by_the_world(params: &EventCameraParams, seed: u64) -> (Vec<(u64, Vec<f32>)>, Vec<Event>) {
    let camera = Camera {
        width: SIDE,
        height: SIDE,
        fx: 10_000.0,
        fy: 10_000.0,
        cx: 15.5,
        cy: 15.5,
    };
    let mut world = EventCamera::new(params, camera, seed).expect("a camera");
    let mut events = Vec::new();
    world
        .reset(0, seed, &edge(4.0), &Pose::IDENTITY)
        .expect("a scene");
    let mut images = vec![(0, world.luminance().to_vec())];
    for step in 1..=200u64 {
        let scene = edge(4.0 + step as f32 * 0.1);
        let t_us = step * 1000;
        world
            .advance(t_us, &scene, &Pose::IDENTITY, &mut events)
            .expect("a step");
        images.push((t_us, world.luminance().to_vec()));
    }
    (images, events)
}

fn image(t_us: u64, encoding: &str, pixel_bytes: u32, data: Vec<u8>) -> Image {
    let mut image = Image {
        width: SIDE,
        height: SIDE,
        encoding: encoding.to_owned(),
        step: SIDE * pixel_bytes,
        data,
        ..Image::default()
    };
    image.header.stamp = Time::from_ns(t_us as i64 * 1000);
    image
}

#[test]
fn images_give_the_events_of_the_worlds_camera() {
    let params = EventCameraParams {
        min_motion_px: 0.0,
        ..EventCameraParams::default()
    };
    let (images, expected) = seen_by_the_world(&params, 5);
    assert!(expected.len() > 1000, "{} events", expected.len());
    let mut made = Vec::new();
    let mut source = Images::new(params.clone(), 5).expect("pixels");
    for (t_us, luminance) in &images {
        let data = luminance.iter().flat_map(|v| v.to_le_bytes()).collect();
        source
            .push(&image(*t_us, "32FC1", 4, data), &mut made)
            .expect("an image");
    }
    assert!(
        made == expected,
        "{} events, {} of the world",
        made.len(),
        expected.len()
    );

    // What an 8-bit camera sees of it, by the world's pixels and by ours.
    let grey = |v: &f32| (v * 255.0).round() as u8;
    let mut by_world = FrameToEvents::new(&params, SIDE, SIDE, 5).expect("pixels");
    let mut source = Images::new(params, 5).expect("pixels");
    let (mut expected, mut made) = (Vec::new(), Vec::new());
    for (t_us, luminance) in &images {
        let data: Vec<u8> = luminance.iter().map(grey).collect();
        by_world
            .push_grey(*t_us, &data, &mut expected)
            .expect("an image");
        source
            .push(&image(*t_us, "mono8", 1, data), &mut made)
            .expect("an image");
    }
    assert!(expected.len() > 1000 && made == expected);
}

#[test]
fn every_pixel_format_says_the_same() {
    // A row of 3 pixels with 5 bytes of padding; the last row may lack them.
    let value = |x: u32, y: u32| (x * 40 + y * 90 + 7) as u8;
    type Bytes<'a> = &'a dyn Fn(u8) -> Vec<u8>;
    let formats: [(&str, u8, Bytes<'_>); 9] = [
        ("mono8", 0, &|v| vec![v]),
        ("mono16", 0, &|v| {
            (u16::from(v) * 257).to_le_bytes().to_vec()
        }),
        ("mono16", 1, &|v| {
            (u16::from(v) * 257).to_be_bytes().to_vec()
        }),
        ("rgb8", 0, &|v| vec![v; 3]),
        ("bgr8", 0, &|v| vec![v; 3]),
        ("rgba8", 0, &|v| vec![v, v, v, 255]),
        ("bgra8", 0, &|v| vec![v, v, v, 9]),
        ("32FC1", 0, &|v| {
            (f32::from(v) / 255.0).to_le_bytes().to_vec()
        }),
        ("32FC1", 1, &|v| {
            (f32::from(v) / 255.0).to_be_bytes().to_vec()
        }),
    ];
    for (encoding, big, bytes) in formats {
        let mut data = Vec::new();
        for y in 0..2 {
            (0..3).for_each(|x| data.extend(bytes(value(x, y))));
            data.extend(if y == 0 { &[1, 2, 3, 4, 5][..] } else { &[] });
        }
        let mut image = Image {
            width: 3,
            height: 2,
            encoding: encoding.to_owned(),
            is_bigendian: big,
            step: 3 * bytes(0).len() as u32 + 5,
            data,
            ..Image::default()
        };
        let mut out = vec![9.0];
        luminance(&image, &mut out).unwrap_or_else(|e| panic!("{encoding}: {e}"));
        assert_eq!(out.len(), 6, "{encoding}");
        for (i, v) in out.iter().enumerate() {
            let expected = f32::from(value(i as u32 % 3, i as u32 / 3)) / 255.0;
            assert!((v - expected).abs() < 1e-6, "{encoding}: {v} {expected}");
        }
        image.data.pop();
        let error = luminance(&image, &mut out).expect_err("short");
        assert!(error.to_string().contains("bytes of data"), "{error}");
        image.step = 2;
        assert!(luminance(&image, &mut out).is_err());
    }
    // Red is not blue.
    let red = |encoding: &str, data: [u8; 3]| {
        let image = Image {
            width: 1,
            height: 1,
            encoding: encoding.to_owned(),
            step: 3,
            data: data.to_vec(),
            ..Image::default()
        };
        let mut out = Vec::new();
        luminance(&image, &mut out).map(|()| out[0])
    };
    assert_eq!(red("rgb8", [255, 0, 0]), Ok(0.2126));
    assert_eq!(red("bgr8", [0, 0, 255]), Ok(0.2126));
    let error = red("bayer_rggb8", [0; 3]).expect_err("no such format");
    assert!(error.to_string().contains("known are mono8"), "{error}");
    let absurd = Image {
        width: u32::MAX,
        height: u32::MAX,
        encoding: "mono8".into(),
        ..Image::default()
    };
    assert!(luminance(&absurd, &mut Vec::new()).is_err());
}

proptest! {
    /// Whatever a message says of its image, it is read within its data or refused.
    #[test]
    fn any_message_is_an_image_or_an_error(
        width in prop_oneof![0..5u32, any::<u32>()],
        height in prop_oneof![0..5u32, any::<u32>()],
        step in prop_oneof![0..40u32, any::<u32>()],
        encoding in prop::sample::select(vec!["mono8", "mono16", "rgb8", "bgra8", "32FC1", "yuv"]),
        is_bigendian in any::<u8>(),
        data in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let image = Image {
            width, height, step, is_bigendian, data, encoding: encoding.to_owned(), ..Image::default()
        };
        let mut out = Vec::new();
        if luminance(&image, &mut out).is_ok() {
            prop_assert_eq!(out.len() as u64, u64::from(width) * u64::from(height));
        }
    }
}

#[test]
fn a_camera_of_images_becomes_spikes() {
    let (images, _) = seen_by_the_world(&EventCameraParams::default(), 5);
    let mut node = Driven::new(&[("window", "32"), ("attention", "false")]);
    let (mut spikes, mut passed_on) = (0, Vec::new());
    let mut decoder = PacketDecoder::new();
    for (t_us, luminance) in images.iter().step_by(10) {
        let data = luminance.iter().map(|v| (v * 255.0) as u8).collect();
        let outputs = node.send(*t_us as i64 * 1000, "image", image(*t_us, "mono8", 1, data));
        let messages = published::<Spikes>(&outputs, "spikes");
        spikes += messages.iter().map(|s| s.ids.len()).sum::<usize>();
        for packet in published::<EventPacket>(&outputs, "image_events") {
            let mut batch = EventBatch::default();
            decoder
                .decode(PacketView::from(&packet), &mut batch)
                .expect("a packet");
            passed_on.extend(batch.events);
        }
    }
    assert!(spikes > 500, "{spikes} spikes");
    assert_eq!(passed_on.len() as u64, node.count("events"));
    assert!(passed_on.is_sorted_by_key(|e| e.t_us));
    assert_eq!(node.count("images"), 21);
    assert_eq!(
        node.count("spikes") + node.count("merged"),
        node.count("events")
    );
    // The other source is not heard, and it is said once.
    let outputs = node.send(0, "events", packet("evt3", 0, 0, Vec::new()));
    assert!(matches!(
        &outputs[..],
        [Output::Log(line)] if line.level == Level::Error
    ));
    // Back in time it begins anew; nonsense is refused.
    node.send(0, "image", image(50, "mono8", 1, vec![0; 1024]));
    assert_eq!(node.count("images begun anew"), 1);
    node.send(0, "image", image(60, "mono8", 1, vec![0; 10]));
    node.send(0, "image", image(50, "mono8", 1, vec![0; 1024]));
    assert_eq!(node.count("images refused"), 2);
}
