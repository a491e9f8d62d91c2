//! `place_recognition`: knows places again by what is seen and felt there, and learns new
//! ones.
//!
//! A sample is taken when a whisk ends its protraction, or every `period` where no whisk is
//! heard of ([`crate::place_samples`]); a network trained before makes a code of it; the
//! places whose codes are most like it say where the robot is ([`estimate`]).

mod estimate;
mod interface;
#[cfg(test)]
mod tests;

pub use interface::INTERFACE;

use crate::interface::Interface;
use crate::node::{Context, Health, Input, Level, Node, NodeError};
use crate::parameters::Parameters;
use crate::payload::{Payload, PayloadError};
use crate::place_samples::{MAX_AGE_NS, Sample, Sampler, TACTILE_SIZE, VISUAL_SIZE, pose_of};
use estimate::pose_message;
use hdrhistogram::Histogram;
use saccade_engine::models::place::{Found, PlaceMap, Pose, Search, Senses};
use saccade_engine::models::predictive_coding::{Method, PlaceNetwork, Quick, Recogniser};
use saccade_msgs::nav_msgs::Odometry;
use saccade_msgs::saccade_msgs::{PlaceMap as MapMessage, Places, WhiskPhase};
use saccade_msgs::sensor_msgs::Image;
use saccade_msgs::std_msgs::Float32MultiArray;
use saccade_msgs::std_srvs::{set_bool, trigger};
use std::path::Path;
use std::time::Instant;

/// Iterations of the published method.
const ITERATIONS: usize = 500;
/// Longest query that is told apart, ns.
const LONGEST_NS: u64 = 60_000_000_000;

/// Makes the node: loads the network and the places.
///
/// # Errors
/// Files that cannot be read, weights of another robot, places of another network, and
/// words that `senses` and `method` do not have.
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
    let quick = Quick::default();
    let method = match parameters.text("method") {
        "quick" => Method::Quick(quick),
        "warm" => Method::Quick(Quick {
            warm: true,
            ..quick
        }),
        "published" => Method::Published(ITERATIONS),
        _ => return Err(none_of("method", "quick, warm, published")),
    };
    let network = network(parameters.text("weights")).map_err(wrong)?;
    let places = Known::new(parameters, &network).map_err(wrong)?;
    let queries = Histogram::new_with_bounds(1, LONGEST_NS, 3).map_err(|e| wrong(e.to_string()))?;
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
        whisk_ns: None,
        last: None,
        had_both: false,
        counts: Counts::default(),
        queries,
    }))
}

/// A network that sees and feels what the sampler gives.
fn network(weights: &str) -> Result<PlaceNetwork, String> {
    if weights.is_empty() {
        let what = "parameter 'weights' is empty; name the file of a network trained on samples \
                    of places";
        return Err(what.to_owned());
    }
    let network =
        PlaceNetwork::load(Path::new(weights)).map_err(|e| format!("weights '{weights}': {e}"))?;
    let (seen, felt) = (
        network.config().visual.input,
        network.config().tactile.input,
    );
    if (seen, felt) != (VISUAL_SIZE, TACTILE_SIZE) {
        return Err(format!(
            "weights '{weights}' are of a network that sees {seen} and feels {felt} values, \
             samples of places have {VISUAL_SIZE} and {TACTILE_SIZE}; train one on such samples"
        ));
    }
    Ok(network)
}

/// The places that are known.
struct Known {
    map: PlaceMap,
    search: Search,
    /// As the file has them.
    of_file: Option<PlaceMap>,
    max_places: usize,
}

impl Known {
    fn new(parameters: &Parameters, network: &PlaceNetwork) -> Result<Self, String> {
        let name = network.fingerprint().map_err(|e| e.to_string())?;
        let max_places = parameters.integer("max_places") as usize;
        let file = parameters.text("map");
        let code_size = network.config().joint;
        let empty = PlaceMap::new(name.as_str(), code_size, max_places);
        let map = empty.map_err(|e| e.to_string())?;
        let of_file = match file {
            "" => None,
            _ => {
                let map = PlaceMap::load(Path::new(file), &name, max_places);
                let map = map.map_err(|e| format!("map '{file}': {e}"))?;
                check_size(&map, code_size).map_err(|e| format!("map '{file}': {e}"))?;
                Some(map)
            }
        };
        let map = of_file.clone().unwrap_or(map);
        Ok(Known {
            search: map.search(parameters.integer("matches") as usize),
            map,
            of_file,
            max_places,
        })
    }

    /// Takes a map that came as a message.
    fn replace(&mut self, bytes: &[u8]) -> Result<(), String> {
        let map = PlaceMap::from_bytes(bytes, self.map.network(), self.max_places);
        let map = map.map_err(|e| e.to_string())?;
        check_size(&map, self.map.code_size())?;
        self.map = map;
        Ok(())
    }
}

fn check_size(map: &PlaceMap, code_size: usize) -> Result<(), String> {
    let found = map.code_size();
    match found == code_size {
        true => Ok(()),
        false => Err(format!(
            "its codes have {found} numbers, those of the network {code_size}: it is damaged"
        )),
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    samples: u64,
    /// By [`Senses`]: both, vision, touch.
    recognised: [u64; 3],
    senseless: u64,
    uncoded: u64,
    learnt: u64,
    poseless: u64,
    incomplete: u64,
    full: u64,
    maps_refused: u64,
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
    pose: Option<(i64, Pose)>,
    /// When the last whisk ended.
    whisk_ns: Option<i64>,
    /// The last sample: its senses, and how many whiskers were stuck.
    last: Option<(Option<Senses>, usize)>,
    /// Whether it ever recognised by both.
    had_both: bool,
    counts: Counts,
    /// Wall time of coding and looking up, ns.
    queries: Histogram<u64>,
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

    /// Takes a sample, recognises it and learns it.
    fn sample(&mut self, ctx: &mut Context<'_>) {
        self.counts.samples += 1;
        let sample = self.sampler.take(ctx.now_ns);
        let senses = self.senses_of(&sample);
        let before = self.last.replace((senses, sample.stuck));
        let changed = before.is_none_or(|(before, _)| before != senses);
        let Some(senses) = senses else {
            self.counts.senseless += 1;
            if changed {
                ctx.log(Level::Warn, self.lost(&sample));
            }
            return;
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
                self.code.extend_from_slice(answer.joint);
                (self.places.map).find(&self.code, &mut self.places.search)
            }
            Err(error) => Err(error),
        };
        let found = match result {
            Ok(found) => found.to_vec(),
            Err(error) => return self.not_coded(&error.to_string(), ctx),
        };
        let nanoseconds = u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX);
        self.queries.saturating_record(nanoseconds);
        self.counts.recognised[senses as usize] += 1;
        self.had_both |= senses == Senses::Both;
        self.tell(&found, senses, ctx);
    }

    fn not_coded(&mut self, error: &str, ctx: &mut Context<'_>) {
        self.counts.uncoded += 1;
        if self.counts.uncoded == 1 {
            ctx.log(Level::Warn, format!("a sample has no place: {error}"));
        }
    }

    /// Publishes what is known of a sample, after learning it where it is new.
    fn tell(&mut self, found: &[Found], senses: Senses, ctx: &mut Context<'_>) {
        // Of an empty map all is new.
        let best = found.first().map_or(0.0, |f| f.score);
        let novelty = (1.0 - best).clamp(0.0, 1.0);
        let learnt = self.learn && self.store(novelty, senses, ctx);
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
    fn store(&mut self, novelty: f32, senses: Senses, ctx: &mut Context<'_>) -> bool {
        let known = self.places.map.len();
        if known >= self.min_places && novelty <= self.novelty_threshold {
            return false;
        }
        // Without a sense that it had, any place looks new.
        if self.had_both && senses != Senses::Both {
            self.counts.incomplete += 1;
            return false;
        }
        let fresh = |at_ns: i64| (0..=MAX_AGE_NS).contains(&(ctx.now_ns - at_ns));
        let Some((_, pose)) = self.pose.filter(|(at_ns, _)| fresh(*at_ns)) else {
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

    /// Why a sample has nothing to be recognised by.
    fn lost(&self, sample: &Sample) -> String {
        let eyes = match sample.visual {
            Some(_) => "the camera works",
            None => "no image came for a second",
        };
        let whiskers = match (&sample.tactile, sample.stuck) {
            (Some(_), _) => "the whiskers work".to_owned(),
            (None, 0) => "no whiskers were heard of for a second".to_owned(),
            (None, stuck) => format!("{stuck} whiskers are stuck"),
        };
        format!("no place is told: {eyes}, {whiskers}")
    }

    fn serve(&mut self, service: &'static str, id: u64, payload: &Payload, ctx: &mut Context<'_>) {
        if service == "learn" {
            let answer = match payload.get::<set_bool::Request>() {
                Ok(request) => {
                    self.learn = request.data;
                    let message = if self.learn {
                        "learns"
                    } else {
                        "does not learn"
                    };
                    (true, message.to_owned())
                }
                Err(error) => (false, error.to_string()),
            };
            let (success, message) = answer;
            return ctx.respond(service, id, set_bool::Response { success, message });
        }
        let (success, message) = match self.asked(service, ctx) {
            Ok(message) => (true, message),
            Err(message) => (false, message),
        };
        ctx.respond(service, id, trigger::Response { success, message });
    }

    fn asked(&mut self, service: &str, ctx: &mut Context<'_>) -> Result<String, String> {
        let known = self.places.map.len();
        match service {
            "forget" => {
                self.places.map.clear();
                Ok(format!("{known} places forgotten"))
            }
            "save_map" => {
                let mut message = MapMessage {
                    network: self.places.map.network().to_owned(),
                    places: known as u64,
                    data: self.places.map.to_bytes().map_err(|e| e.to_string())?,
                    ..MapMessage::default()
                };
                message.header.stamp = ctx.stamp();
                message.header.frame_id.clone_from(&self.map_frame);
                ctx.publish("place_map", message);
                Ok(format!("{known} places published on place_map"))
            }
            _ => {
                let Some(map) = &self.places.of_file else {
                    let what = "parameter 'map' named no file; publish a map on place_map_in";
                    return Err(what.to_owned());
                };
                self.places.map = map.clone();
                Ok(format!("{} places", self.places.map.len()))
            }
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
                if let Some(pose) = pose_of(payload.get::<Odometry>()?.as_ref()) {
                    self.pose = Some((now_ns, pose));
                }
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

    fn load(&mut self, message: &MapMessage, ctx: &mut Context<'_>) {
        match self.places.replace(&message.data) {
            Ok(()) => {
                let text = format!("knows {} places from now on", self.places.map.len());
                ctx.log(Level::Info, text);
            }
            Err(error) => {
                self.counts.maps_refused += 1;
                let text = format!("the map on place_map_in is not taken: {error}");
                ctx.log(Level::Error, text);
            }
        }
    }

    fn warning(&self) -> Option<String> {
        match self.last {
            Some((None, stuck)) => Some(match stuck {
                0 => "neither sees nor feels: no place is told".to_owned(),
                n => format!("{n} whiskers are stuck, and no image may stand in: no place is told"),
            }),
            Some((Some(Senses::Touch), _)) if self.only.is_none() => {
                Some("no images: recognises by touch alone".to_owned())
            }
            Some((Some(Senses::Vision), stuck)) if self.only.is_none() && stuck > 0 => Some(
                format!("{stuck} whiskers are stuck: recognises by vision alone"),
            ),
            _ if self.learn && self.counts.full > 0 => {
                let most = self.places.max_places;
                Some(format!("there is no room for more than {most} places"))
            }
            _ => None,
        }
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

    fn health(&self) -> Health {
        let c = self.counts;
        let stuck = self.last.map_or(0, |(_, stuck)| stuck as u64);
        let values: [(&str, u64); 14] = [
            ("places known", self.places.map.len() as u64),
            ("samples", c.samples),
            ("recognised by both", c.recognised[0]),
            ("recognised by vision", c.recognised[1]),
            ("recognised by touch", c.recognised[2]),
            ("samples with nothing to go by", c.senseless),
            ("samples without a code", c.uncoded),
            ("messages refused", self.sampler.refused()),
            ("whiskers stuck", stuck),
            ("places learnt", c.learnt),
            ("not learnt, no fresh odometry", c.poseless),
            ("not learnt, a sense was gone", c.incomplete),
            ("not learnt, no room", c.full),
            ("maps refused", c.maps_refused),
        ];
        Health {
            warning: self.warning(),
            values: values.map(|(k, v)| (k.to_owned(), v.to_string())).to_vec(),
        }
    }

    fn profile(&self) -> Vec<(&'static str, f64)> {
        let seconds = |ns: u64| ns as f64 * 1e-9;
        vec![
            ("a query, p50", seconds(self.queries.value_at_quantile(0.5))),
            (
                "a query, p99",
                seconds(self.queries.value_at_quantile(0.99)),
            ),
        ]
    }
}
