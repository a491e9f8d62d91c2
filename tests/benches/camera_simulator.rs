//! Our event-camera pixels against PyPI eventcv's simulator (after v2e): the same
//! images, in turns, on one core each; the best of several runs counts.
//!
//!     cargo bench -p saccade-tests --bench camera_simulator
//!
//! Both are given 8-bit grey frames, take them as sRGB, and give the events in memory.
//! They are not the same pixels (eventcv is linear in the dark, steps the low-pass once
//! per sub-interval, and cuts intervals until no pixel fires more than once in one),
//! so their events are alike in number, not one by one. With `upsample` off eventcv
//! does less: all events of an interval are spread over it.

use saccade_msgs::Event;
use saccade_tests::{peer, repository};
use saccade_worlds::event_camera::{EventCameraParams, FrameToEvents};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Instant;

const FRAMES: u32 = 200;
const FPS: u32 = 1000;
const RUNS: usize = 5;

/// Bars and blobs that move by a pixel per frame, periodic in 32 pixels.
fn frames(width: u32, height: u32) -> Vec<u8> {
    let wave = |v: u32| (v % 32) as f32 * std::f32::consts::TAU / 32.0;
    let pixel = |f, x, y| (128.0 + 60.0 * wave(x + f).sin() + 30.0 * wave(y).cos()) as u8;
    let frame = |f| (0..height).flat_map(move |y| (0..width).map(move |x| pixel(f, x, y)));
    (0..FRAMES).flat_map(frame).collect()
}

/// Luminance of an 8-bit sRGB value.
fn linear(value: u8) -> f32 {
    let v = f32::from(value) / 255.0;
    match v <= 0.04045 {
        true => v / 12.92,
        false => ((v + 0.055) / 1.055).powf(2.4),
    }
}

/// Seconds and events of ours.
fn ours(frames: &[u8], (width, height): (u32, u32), params: &EventCameraParams) -> (f64, usize) {
    let start = Instant::now();
    let table: Vec<f32> = (0..=255).map(linear).collect();
    let mut sensor = FrameToEvents::new(params, width, height, 1).expect("in range");
    let mut events: Vec<Event> = Vec::new();
    let mut luminance = Vec::new();
    for (i, frame) in frames.chunks((width * height) as usize).enumerate() {
        luminance.clear();
        luminance.extend(frame.iter().map(|&v| table[usize::from(v)]));
        let t_us = i as u64 * u64::from(1_000_000 / FPS);
        let pushed = sensor.push_luminance(t_us, &luminance, &mut events);
        pushed.expect("in order");
    }
    (start.elapsed().as_secs_f64(), events.len())
}

/// Seconds and events of eventcv.
fn theirs(path: &Path, (width, height): (u32, u32), arguments: &Value) -> (f64, usize) {
    let [width, height, fps] = [width, height, FPS].map(|n| n.to_string());
    let arguments = arguments.to_string();
    let arguments = [&width, &height, &fps, &arguments].map(Path::new);
    let told = peer("camera_simulator.py", &[&[path], &arguments[..]].concat());
    let told: Value = serde_json::from_str(&told).expect("prints JSON");
    let events = told["events"].as_u64().expect("a number") as usize;
    (told["seconds"].as_f64().expect("a number"), events)
}

/// The same sensor in our parameters and in eventcv's arguments.
fn sensors() -> [(&'static str, EventCameraParams, Value); 2] {
    let noisy = EventCameraParams {
        cutoff_hz: 200.0,
        leak_rate_hz: 1.0,
        shot_noise_rate_hz: 10.0,
        ..EventCameraParams::default()
    };
    let silent = json!({
        "sigma_thres": 0.0, "refractory_us": 0, "cutoff_hz": 0.0,
        "leak_rate_hz": 0.0, "shot_noise_rate_hz": 0.0,
    });
    // eventcv's defaults, which are named here so that both are seen.
    let theirs = json!({
        "sigma_thres": 0.03, "refractory_us": 100, "cutoff_hz": 200.0,
        "leak_rate_hz": 1.0, "shot_noise_rate_hz": 10.0,
    });
    [
        ("ideal", EventCameraParams::ideal(), silent),
        ("noisy", noisy, theirs),
    ]
}

fn compare(name: &str, size: (u32, u32), params: &EventCameraParams, arguments: &Value) {
    let frames = frames(size.0, size.1);
    let path = repository("target/camera_simulator.frames");
    std::fs::write(&path, &frames).expect("writes");
    let mut plain = arguments.clone();
    plain["upsample"] = "off".into();
    let mut best = [(f64::INFINITY, 0); 3];
    for _ in 0..RUNS {
        let found = [
            ours(&frames, size, params),
            theirs(&path, size, arguments),
            theirs(&path, size, &plain),
        ];
        for (best, (seconds, events)) in best.iter_mut().zip(found) {
            *best = (best.0.min(seconds), events);
        }
    }
    let _ = std::fs::remove_file(&path);
    let [ours, adaptive, off] = best;
    let text = |(seconds, events): (f64, usize)| {
        format!(
            "{:.0} frames/s, {:.2} Mev",
            f64::from(FRAMES) / seconds,
            events as f64 * 1e-6
        )
    };
    println!(
        "{name} {}x{}: saccade {}; eventcv {}: ratio {:.2}; eventcv with upsample off {}: ratio {:.2}",
        size.0,
        size.1,
        text(ours),
        text(adaptive),
        adaptive.0 / ours.0,
        text(off),
        off.0 / ours.0,
    );
}

fn main() {
    for size in [(128, 128), (640, 480)] {
        for (name, params, arguments) in sensors() {
            compare(name, size, &params, &arguments);
        }
    }
}
