//! `place_recognition`: knows places again by what is seen and felt there, and learns new
//! ones.
//!
//! A sample is taken when a whisk ends its protraction, or every `period` where no whisk is
//! heard of ([`crate::place_samples`]); a network trained before makes a code of it; the
//! places whose codes are most like it say where the robot is ([`estimate`]), with odometry
//! better than alone ([`fusion`]).

mod estimate;
mod fusion;
mod health;
mod interface;
mod known;
mod services;
#[cfg(test)]
mod tests;

pub use interface::INTERFACE;

use crate::host::{Latency, Percentiles};
use crate::interface::Interface;
use crate::node::{Context, Health, Input, Level, Node, NodeError};
use crate::parameters::Parameters;
use crate::payload::{Payload, PayloadError};
use crate::place_samples::{MAX_AGE_NS, Sample, Sampler, pose_of};
use estimate::pose_message;
use fusion::Fusion;
use health::Counts;
use known::Known;
use saccade_engine::models::place::{Found, Pose, Senses};
use saccade_engine::models::predictive_coding::{Method, Quick, Recogniser};
use saccade_msgs::nav_msgs::Odometry;
use saccade_msgs::saccade_msgs::{PlaceMap as MapMessage, Places, WhiskPhase};
use saccade_msgs::sensor_msgs::Image;
use saccade_msgs::std_msgs::Float32MultiArray;
use std::time::Instant;

/// Iterations of the published method.
const ITERATIONS: usize = 500;

/// Makes the node: loads the network and the places.
///
/// # Errors
/// Files that cannot be read, weights of another robot, places of another network, and
/// words that `senses`, `method`, `code` and `weighing` do not have.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    let wrong = |reason: String| NodeError::Configuration {
        node: "place_recognition",
        reason,
    };
    let none_of = |what: &str, words: &str| {
        let value = parameters.text(what);
        wrong(format!(
            "parameter '{what}' = '{value}' is none of: {words}"
        ))
    };
    let only = match parameters.text("senses") {
        "auto" => None,
        "both" => Some(Senses::Both),
        "vision" => Some(Senses::Vision),
        "touch" => Some(Senses::Touch),
        _ => return Err(none_of("senses", "auto, both, vision, touch")),
    };
    let quick = Quick {
        weighted: match parameters.text("weighing") {
            "alike" => false,
            "reliability" => true,
            _ => return Err(none_of("weighing", "alike, reliability")),
        },
        ..Quick::default()
    };
    let method = match parameters.text("method") {
        "quick" => Method::Quick(quick),
        "warm" => Method::Quick(Quick {
            warm: true,
            ..quick
        }),
        "published" => Method::Published(ITERATIONS),
        _ => return Err(none_of("method", "quick, warm, published")),
    };
    let network = known::network(parameters.text("weights")).map_err(wrong)?;
    let network = match parameters.text("code") {
        // Reliabilities count at the joint layer.
        "auto" if quick.weighted => network.without_readout(),
        "auto" => network,
        "published" => network.without_readout(),
        _ => return Err(none_of("code", "auto, published")),
    };
    let fusion = Fusion::new(parameters).map_err(wrong)?;
    let matches = parameters.integer("matches") as usize;
    let wanted = if fusion.is_some() {
        matches.max(fusion::MATCHES)
    } else {
        matches
    };
    let places = Known::new(parameters, &network, wanted).map_err(wrong)?;
    Ok(Box::new(PlaceRecognition {
        recogniser: Recogniser::new(network, method).map_err(|e| wrong(e.to_string()))?,
        sampler: Sampler::default(),
        places,
        code: Vec::new(),
        only,
        period_ns: (parameters.double("period") * 1e9) as i64,
        learn: parameters.switch("learn"),
        asked_to_learn: parameters.switch("learn"),
        novelty_threshold: parameters.double("novelty_threshold") as f32,
        min_places: parameters.integer("min_places") as usize,
        min_deviation: parameters.double("min_deviation"),
        map_frame: parameters.text("map_frame").to_owned(),
        pose: None,
        matches,
        fusion,
        whisk_ns: None,
        last: None,
        had_both: false,
        counts: Counts::default(),
        queries: Latency::default(),
    }))
}

/// What is kept of a sample to tell of it.
#[derive(Debug, Clone, Copy)]
struct Last {
    /// That it was recognised by.
    senses: Option<Senses>,
    /// Whether the image showed nothing.
    blank: bool,
    /// Whiskers that were stuck.
    stuck: usize,
}

struct PlaceRecognition {
    recogniser: Recogniser,
    sampler: Sampler,
    places: Known,
    /// Of the last sample.
    code: Vec<f32>,
    /// The senses to use, where not any.
    only: Option<Senses>,
    period_ns: i64,
    learn: bool,
    /// What the parameter said last; the service may have said something else since.
    asked_to_learn: bool,
    novelty_threshold: f32,
    min_places: usize,
    min_deviation: f64,
    map_frame: String,
    /// Odometry, and when it said so.
    pose: Option<(i64, Pose)>,
    /// How many are published.
    matches: usize,
    fusion: Option<Fusion>,
    /// When the last whisk ended.
    whisk_ns: Option<i64>,
    last: Option<Last>,
    /// Whether it ever recognised by both.
    had_both: bool,
    counts: Counts,
    /// Wall time of coding and looking up, ns.
    queries: Latency,
}

impl PlaceRecognition {
    fn timer(&mut self, ctx: &mut Context<'_>) {
        let whisks = self
            .whisk_ns
            .is_some_and(|at_ns| (0..=MAX_AGE_NS).contains(&(ctx.now_ns - at_ns)));
        if !whisks {
            self.sample(ctx);
        }
    }

    fn whisk(&mut self, phase: &WhiskPhase, ctx: &mut Context<'_>) {
        if !phase.protracting {
            self.whisk_ns = Some(ctx.now_ns);
            self.sample(ctx);
        }
    }

    /// What there is to recognise by, of what may be used.
    fn senses_of(&self, sample: &Sample) -> Option<Senses> {
        let there = sample.senses()?;
        match self.only {
            None => Some(there),
            Some(only) if only == there || there == Senses::Both => Some(only),
            Some(_) => None,
        }
    }

    /// Takes a sample, recognises it, learns it, and says where the robot is.
    fn sample(&mut self, ctx: &mut Context<'_>) {
        self.counts.samples += 1;
        let sample = self.sampler.take(ctx.now_ns);
        let recognised = self.recognise(&sample, ctx);
        let odometer = self.fresh_pose(ctx.now_ns);
        let recognition = (recognised.as_ref()).map(|(senses, found)| (*senses, &found[..]));
        let fused = (self.fusion.as_mut()).and_then(|f| f.sample(odometer, recognition));
        if let Some((senses, found)) = &recognised {
            let pose = fused.map(|e| e.pose).or(odometer);
            self.tell(found, *senses, pose, ctx);
        }
        if let (Some(fusion), Some(fused)) = (&self.fusion, &fused) {
            fusion.publish(fused, &self.map_frame, ctx);
        }
    }

    /// Odometry, if it is not older than a second.
    fn fresh_pose(&self, now_ns: i64) -> Option<Pose> {
        let fresh = |at_ns: i64| (0..=MAX_AGE_NS).contains(&(now_ns - at_ns));
        self.pose.filter(|(at_ns, _)| fresh(*at_ns)).map(|p| p.1)
    }

    /// The senses that were used, and the places that are most like a sample.
    fn recognise(
        &mut self,
        sample: &Sample,
        ctx: &mut Context<'_>,
    ) -> Option<(Senses, Vec<Found>)> {
        let senses = self.senses_of(sample);
        self.counts.blank += u64::from(sample.blank);
        let before = self.last.replace(Last {
            senses,
            blank: sample.blank,
            stuck: sample.stuck,
        });
        let changed = before.is_none_or(|before| before.senses != senses);
        let Some(senses) = senses else {
            self.counts.senseless += 1;
            if changed {
                ctx.log(Level::Warn, self.lost(sample));
            }
            return None;
        };
        if changed {
            ctx.log(Level::Info, format!("recognises by {}", name(senses)));
        }
        let begun = Instant::now();
        let visual = sample.visual.as_deref().unwrap_or(&[]);
        let tactile = sample.tactile.as_deref().unwrap_or(&[]);
        let result = match self.recogniser.recognise(visual, tactile, senses) {
            Ok(answer) => {
                self.code.clear();
                self.code.extend_from_slice(answer.code);
                (self.places.map).find(&self.code, &mut self.places.search)
            }
            Err(error) => Err(error),
        };
        let found = match result {
            Ok(found) => found.to_vec(),
            Err(error) => {
                self.not_coded(&error.to_string(), ctx);
                return None;
            }
        };
        let nanoseconds = i64::try_from(begun.elapsed().as_nanos()).unwrap_or(i64::MAX);
        self.queries.add(nanoseconds);
        self.counts.recognised[senses as usize] += 1;
        self.had_both |= senses == Senses::Both;
        Some((senses, found))
    }

    fn not_coded(&mut self, error: &str, ctx: &mut Context<'_>) {
        self.counts.uncoded += 1;
        if self.counts.uncoded == 1 {
            ctx.log(Level::Warn, format!("a sample has no place: {error}"));
        }
    }

    /// Publishes what is known of a sample, after learning it at this pose where it is new.
    fn tell(&mut self, found: &[Found], senses: Senses, pose: Option<Pose>, ctx: &mut Context<'_>) {
        let found = &found[..found.len().min(self.matches)];
        // Of an empty map all is new.
        let best = found.first().map_or(0.0, |f| f.score);
        let novelty = (1.0 - best).clamp(0.0, 1.0);
        let learnt = self.learn && self.store(novelty, senses, pose, ctx);
        let mut message = Places {
            senses: name(senses).to_owned(),
            code: self.code.clone(),
            novelty,
            ids: found.iter().map(|f| f.id).collect(),
            scores: found.iter().map(|f| f.score).collect(),
            poses: found.iter().map(|f| pose_message(&f.pose)).collect(),
            known: self.places.map.len() as u64,
            learnt,
            ..Places::default()
        };
        message.header.stamp = ctx.stamp();
        message.header.frame_id.clone_from(&self.map_frame);
        ctx.publish("place", message);
        if let Some(estimate) = estimate::estimate(found, self.min_deviation) {
            let mut message = estimate::message(&estimate);
            message.header.stamp = ctx.stamp();
            message.header.frame_id.clone_from(&self.map_frame);
            ctx.publish("pose", message);
        }
    }

    /// Keeps the last sample as a place if it is new; whether it was kept.
    fn store(
        &mut self,
        novelty: f32,
        senses: Senses,
        pose: Option<Pose>,
        ctx: &mut Context<'_>,
    ) -> bool {
        let known = self.places.map.len();
        if known >= self.min_places && novelty <= self.novelty_threshold {
            return false;
        }
        // Without a sense that it had, any place looks new.
        if self.had_both && senses != Senses::Both {
            self.counts.incomplete += 1;
            return false;
        }
        let Some(pose) = pose else {
            self.counts.poseless += 1;
            return false;
        };
        if known >= self.places.max_places {
            self.counts.full += 1;
            return false;
        }
        match self.places.map.store(&self.code, pose) {
            Ok(_) => self.counts.learnt += 1,
            Err(error) => {
                self.not_coded(&error.to_string(), ctx);
                return false;
            }
        }
        true
    }

    fn odometry(&mut self, odometry: &Odometry, ctx: &mut Context<'_>) {
        let Some(pose) = pose_of(odometry) else {
            return;
        };
        self.pose = Some((ctx.now_ns, pose));
        let corrected =
            (self.fusion.as_mut()).and_then(|f| f.corrected(odometry, &pose, &self.map_frame));
        if let Some(corrected) = corrected {
            ctx.publish("fused_odom", corrected);
        }
    }

    fn message(
        &mut self,
        topic: &str,
        payload: &Payload,
        ctx: &mut Context<'_>,
    ) -> Result<(), PayloadError> {
        let now_ns = ctx.now_ns;
        let taken = match topic {
            "image" => self.sampler.image(now_ns, payload.get::<Image>()?),
            "head/theta" => {
                let theta = payload.get::<Float32MultiArray>()?;
                self.sampler.theta(now_ns, &theta.data)
            }
            "head/xy" => {
                let xy = payload.get::<Float32MultiArray>()?;
                self.sampler.xy(now_ns, &xy.data)
            }
            "head/whisk" => {
                self.whisk(payload.get::<WhiskPhase>()?.as_ref(), ctx);
                Ok(())
            }
            "odom" => {
                self.odometry(payload.get::<Odometry>()?.as_ref(), ctx);
                Ok(())
            }
            _ => {
                self.load(payload.get::<MapMessage>()?.as_ref(), ctx);
                Ok(())
            }
        };
        // The first of a row of refusals says what is wrong, the others are counted.
        if let Err(error) = taken
            && self.sampler.refused() == 1
        {
            ctx.log(Level::Warn, format!("{topic} is not taken: {error}"));
        }
        Ok(())
    }
}

fn name(senses: Senses) -> &'static str {
    match senses {
        Senses::Both => "both",
        Senses::Vision => "vision",
        Senses::Touch => "touch",
    }
}

impl Node for PlaceRecognition {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        match input {
            Input::Start => ctx.set_timer("sample", Some(self.period_ns)),
            Input::Timer { .. } => self.timer(ctx),
            Input::Message { topic, payload } => {
                if let Err(error) = self.message(topic, &payload, ctx) {
                    ctx.log(Level::Warn, error.to_string());
                }
            }
            Input::Request {
                service,
                id,
                payload,
            } => self.serve(service, id, &payload, ctx),
            _ => {}
        }
    }

    fn change(&mut self, parameters: &Parameters) -> Result<(), NodeError> {
        self.novelty_threshold = parameters.double("novelty_threshold") as f32;
        let asked = parameters.switch("learn");
        if std::mem::replace(&mut self.asked_to_learn, asked) != asked {
            self.learn = asked;
        }
        Ok(())
    }

    fn deactivate(&mut self, _: &mut Context<'_>) {
        self.sampler.forget();
        (self.pose, self.whisk_ns) = (None, None);
    }

    fn learns(&self) -> bool {
        true
    }

    fn health(&self) -> Health {
        self.health_now()
    }

    fn timings(&self) -> Vec<(&'static str, Percentiles)> {
        vec![("a query", self.queries.percentiles())]
    }
}
