//! Makes labelled data sets: what the event camera sees during microsaccades
//! over random scenes of a world.
//!
//! Scene by scene a fresh world is set up, comes to rest, and performs one
//! saccade, with the same parts in the same order as the `embedded_world` and
//! `microsaccade` nodes. Every scene follows from its own seed alone, so the
//! result does not depend on the number of threads.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::control_msgs::follow_joint_trajectory::Goal;
use saccade_msgs::saccade_msgs::{Label, SaccadePhase};
use saccade_msgs::std_msgs::Header;
use saccade_msgs::{CLASSES, Event};
use saccade_nodes::embedded_world::{EVENT_CAMERA, set_scene, trajectory_goal};
use saccade_nodes::microsaccade::{self, Movement};
use saccade_rosbags::dataset::{EVENTS_TOPIC, LABEL_TOPIC, SACCADE_TOPIC};
use saccade_rosbags::events::{EventError, Geometry, mono_packet};
use saccade_rosbags::{BagError, BagWriter};
use saccade_worlds::scenario::{SceneRequest, Split};
use saccade_worlds::sdf::{SdfError, World};
use saccade_worlds::simulation::Simulation;
use saccade_worlds::vision::Vision;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// The scene is at rest this long before the saccade, as in a grasping trial.
const PAUSE_NS: u64 = 100_000_000;
/// A sample lasts this long from the saccade's onset.
const SAMPLE_NS: u64 = 700_000_000;
/// Distance of one saccade's onset from the next on the data set's clock.
const SPACING_NS: u64 = 1_000_000_000;

/// What data set to make.
#[derive(Debug, Clone)]
pub struct Plan {
    /// World file.
    pub world: PathBuf,
    /// Samples of each class.
    pub per_class: usize,
    /// Names of the classes, as the world knows them, in the order of the scenes.
    pub classes: Vec<String>,
    /// Sizes and textures.
    pub split: Split,
    /// Seed of all scenes, and of the noise and fixed pattern of each.
    pub seed: u64,
    /// Threads; the result does not depend on it.
    pub threads: usize,
}

/// Why a data set could not be made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// The world file.
    #[error(transparent)]
    World(#[from] SdfError),
    /// A scene.
    #[error("{world}: scene {index} ({class}, seed {seed}): {reason}", world = world.display())]
    Scene {
        /// World file.
        world: PathBuf,
        /// Number of the scene, from 0.
        index: usize,
        /// Class asked for.
        class: String,
        /// The scene's seed.
        seed: u64,
        /// What is wrong.
        reason: String,
    },
    /// Events that cannot be written.
    #[error(transparent)]
    Events(#[from] EventError),
    /// The bag.
    #[error(transparent)]
    Bag(#[from] BagError),
    /// The finished bag could not be put in place.
    #[error("{path}: {source}", path = path.display())]
    Place {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// What one saccade over one scene gave. Times count from the onset.
struct Take {
    /// Events of each step that had some, µs.
    steps: Vec<Vec<Event>>,
    sensor: Geometry,
    /// End of the movement, ns.
    end_ns: u64,
}

/// What was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Made {
    /// Samples.
    pub samples: usize,
    /// Events in them.
    pub events: u64,
}

/// The saccade in words, as it goes into the data set.
pub fn saccade_text() -> String {
    format!(
        "{}, amplitude {} rad, duration {} s",
        microsaccade::AXIS,
        microsaccade::AMPLITUDE_RAD,
        microsaccade::DURATION_S
    )
}

/// Makes a data set and writes it to every one of `outs` (`.bag` is ROS 1,
/// `.mcap` is ROS 2); the files appear whole or not at all. `done` hears of
/// every sample.
///
/// # Errors
/// The world cannot be loaded, a scene cannot be made, or writing fails.
pub fn make(plan: &Plan, outs: &[PathBuf], done: impl FnMut()) -> Result<Made, MakeError> {
    let world = World::load(&plan.world)?;
    let parts: Vec<PathBuf> = outs.iter().map(|out| part_of(out)).collect();
    let made = open(&parts)
        .and_then(|bags| record_all(plan, &world, bags, done))
        .and_then(|made| place(&parts, outs).map(|()| made));
    if made.is_err() {
        for part in &parts {
            // It may not be there, which is as well.
            let _ = std::fs::remove_file(part);
        }
    }
    made
}

fn open(parts: &[PathBuf]) -> Result<Vec<BagWriter>, MakeError> {
    let one = |part: &PathBuf| {
        if let Some(folder) = part.parent() {
            std::fs::create_dir_all(folder).map_err(|source| MakeError::Place {
                path: folder.to_owned(),
                source,
            })?;
        }
        Ok(BagWriter::create(part)?)
    };
    parts.iter().map(one).collect()
}

fn place(parts: &[PathBuf], outs: &[PathBuf]) -> Result<(), MakeError> {
    for (part, out) in parts.iter().zip(outs) {
        std::fs::rename(part, out).map_err(|source| MakeError::Place {
            path: out.clone(),
            source,
        })?;
    }
    Ok(())
}

/// A name beside `out` with its extension, which tells the format.
fn part_of(out: &Path) -> PathBuf {
    let extension = out
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    out.with_extension(format!("{}.part.{extension}", std::process::id()))
}

/// The seed and class of every scene.
fn scenes(plan: &Plan) -> Vec<(u64, &str)> {
    let mut seeds = ChaCha8Rng::seed_from_u64(plan.seed);
    let count = plan.per_class.saturating_mul(plan.classes.len());
    (0..count)
        .map(|i| {
            (
                seeds.next_u64(),
                plan.classes[i % plan.classes.len()].as_str(),
            )
        })
        .collect()
}

/// Records scenes on several threads and writes them in order.
fn record_all(
    plan: &Plan,
    world: &World,
    mut bags: Vec<BagWriter>,
    mut done: impl FnMut(),
) -> Result<Made, MakeError> {
    let scenes = scenes(plan);
    let next = AtomicUsize::new(0);
    let (sender, receiver) = mpsc::sync_channel(2 * plan.threads.max(1));
    let mut made = Made {
        samples: 0,
        events: 0,
    };
    let mut packets = 0;
    std::thread::scope(|scope| {
        for _ in 0..plan.threads.max(1) {
            let (sender, next, scenes) = (sender.clone(), &next, &scenes);
            scope.spawn(move || {
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(&(seed, class)) = scenes.get(index) else {
                        return;
                    };
                    let take =
                        record(plan, world, seed, class).map_err(|reason| MakeError::Scene {
                            world: plan.world.clone(),
                            index,
                            class: class.to_owned(),
                            seed,
                            reason,
                        });
                    // Nobody listens any more once a scene has failed.
                    if sender.send((index, take)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let mut early = BTreeMap::new();
        while let Ok((index, take)) = receiver.recv() {
            early.insert(index, take);
            while let Some(take) = early.remove(&made.samples) {
                let take = take?;
                let class = scenes[made.samples].1;
                for bag in &mut bags {
                    write(bag, made.samples, class, &take, packets)?;
                }
                packets += take.steps.len() as u64;
                made.events += take.steps.iter().map(|s| s.len() as u64).sum::<u64>();
                made.samples += 1;
                done();
            }
        }
        Ok::<(), MakeError>(())
    })?;
    for bag in bags {
        bag.finish()?;
    }
    Ok(made)
}

/// One saccade over one scene.
fn record(plan: &Plan, world: &World, seed: u64, class: &str) -> Result<Take, String> {
    let mut sim = Simulation::new(world.clone());
    // Each scene is seen through a camera with a fixed pattern of its own, so
    // that nothing can be learnt from the pattern.
    let mut vision = Vision::new(&sim, seed).map_err(|e| e.to_string())?;
    let camera = Vision::camera(&sim, EVENT_CAMERA)
        .ok_or_else(|| format!("the world has no camera \"{EVENT_CAMERA}\""))?;
    let sensor = Geometry {
        width: camera.width as u16,
        height: camera.height as u16,
    };
    let request = SceneRequest {
        seed,
        label: Some(class.to_owned()),
        split: plan.split,
    };
    set_scene(&mut sim, &mut vision, &request, plan.seed)?;
    let mut events = Vec::new();
    let mut look = |sim: &Simulation, events: &mut Vec<Event>| {
        vision
            .advance(sim, EVENT_CAMERA, events)
            .map_err(|e| e.to_string())
    };
    let rested_ns = sim.now_ns() + PAUSE_NS;
    while sim.now_ns() < rested_ns {
        sim.step();
        events.clear();
        look(&sim, &mut events)?;
    }
    let onset_ns = sim.now_ns();
    start_saccade(&mut sim)?;
    let mut take = Take {
        steps: Vec::new(),
        sensor,
        end_ns: SAMPLE_NS,
    };
    while sim.now_ns() < onset_ns + SAMPLE_NS {
        sim.step();
        events.clear();
        look(&sim, &mut events)?;
        let since = |e: &Event| Event {
            t_us: e.t_us.saturating_sub(onset_ns / 1000),
            ..*e
        };
        if !events.is_empty() {
            take.steps.push(events.iter().map(since).collect());
        }
        let finished = sim
            .controller_mut("head")
            .is_some_and(|c| !c.take_finished().is_empty());
        if finished {
            take.end_ns = sim.now_ns() - onset_ns;
        }
    }
    Ok(take)
}

fn start_saccade(sim: &mut Simulation) -> Result<(), String> {
    let now_ns = sim.now_ns();
    let goal = Goal {
        trajectory: Movement::default().trajectory(),
        ..Goal::default()
    };
    let goal = trajectory_goal(&goal, 0);
    let head = sim
        .controller_mut("head")
        .ok_or("the world has no controller \"head\"")?;
    head.start(&goal, now_ns).map_err(|e| e.to_string())?;
    Ok(())
}

/// Writes a sample as the nodes would have published it.
/// Its packets are numbered from `first_packet` on.
fn write(
    bag: &mut BagWriter,
    index: usize,
    class: &str,
    take: &Take,
    first_packet: u64,
) -> Result<(), MakeError> {
    let onset_ns = (index as u64 + 1) * SPACING_NS;
    let header = |ns: u64| Header {
        stamp: Time::from_ns(ns as i64),
        frame_id: "dvs_right_optical".into(),
    };
    let label = Label {
        header: header(onset_ns),
        label: class.to_owned(),
        class_id: CLASSES
            .iter()
            .position(|c| *c == class)
            .map_or(-1, |i| i as i32),
        learn: true,
    };
    bag.write(LABEL_TOPIC, onset_ns as i64, &label)?;
    let mut phase = SaccadePhase {
        header: header(onset_ns),
        id: index as u32 + 1,
        moving: true,
        axis: saccade_text(),
    };
    bag.write(SACCADE_TOPIC, onset_ns as i64, &phase)?;
    let mut ended = false;
    for (seq, step) in (first_packet..).zip(&take.steps) {
        let shift = |e: &Event| Event {
            t_us: e.t_us + onset_ns / 1000,
            ..*e
        };
        let events: Vec<Event> = step.iter().map(shift).collect();
        let Some(first) = events.first() else {
            continue;
        };
        let at_ns = first.t_us * 1000;
        if !ended && at_ns >= onset_ns + take.end_ns {
            ended = true;
            end_phase(bag, &mut phase, onset_ns + take.end_ns)?;
        }
        let packet = mono_packet(&events, at_ns, take.sensor, seq, "dvs_right_optical")?;
        bag.write(EVENTS_TOPIC, at_ns as i64, &packet)?;
    }
    if !ended {
        end_phase(bag, &mut phase, onset_ns + take.end_ns)?;
    }
    Ok(())
}

fn end_phase(bag: &mut BagWriter, phase: &mut SaccadePhase, at_ns: u64) -> Result<(), MakeError> {
    phase.header.stamp = Time::from_ns(at_ns as i64);
    phase.moving = false;
    Ok(bag.write(SACCADE_TOPIC, at_ns as i64, phase)?)
}
