//! `eprop_classifier`: a recurrent spiking network that decides while events
//! arrive, and learns by e-prop while label messages tell it what it sees.
//!
//! The network ticks once a millisecond from a saccade's onset on. Spikes that
//! arrive are delivered at the next tick. Running decisions are published
//! every `decision_period`, the final one after `decide_after` or when the
//! saccade ends, whichever comes first. With `backend` `spinnaker` the recurrent layer is on a
//! board, whose ticks come when they come; the rest is the same.

mod board;
mod interface;
mod learning;
mod queue;
#[cfg(test)]
mod tests;

pub use interface::INTERFACE;

use crate::interface::Interface;
use crate::node::{Context, Health, Input, Level, Node, NodeError};
use crate::parameters::Parameters;
use board::{Board, Heard};
use learning::{Asked, Learner};
use queue::Queue;
use saccade_engine::models::classifier::Classifier;
use saccade_engine::models::config::ClassifierConfig;
use saccade_msgs::CLASSES;
use saccade_msgs::saccade_msgs::{Activity, Decision, Label, SaccadePhase, Spikes};
use saccade_msgs::vision_msgs::{Classification, ObjectHypothesis};
use std::path::Path;

/// Ticks between [`Activity`] messages.
const ACTIVITY_TICKS: usize = 5;

/// Makes the node and loads its weights.
///
/// # Errors
/// Weights that cannot be read or are of another topology.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    let wrong = |reason: String| NodeError::Configuration {
        node: "eprop_classifier",
        reason,
    };
    let weights = parameters.text("weights");
    let classifier = if weights.is_empty() {
        let seed = parameters.integer("seed") as u64;
        Classifier::new(ClassifierConfig::default(), seed).map_err(|e| wrong(e.to_string()))?
    } else {
        Classifier::load(Path::new(weights))
            .map_err(|e| wrong(format!("weights '{weights}': {e}")))?
    };
    let config = classifier.config();
    if config.n_out != CLASSES.len() {
        return Err(wrong(format!(
            "weights '{weights}' know {} classes, expected {} ({}); train them on such a data set",
            config.n_out,
            CLASSES.len(),
            CLASSES.join(", ")
        )));
    }
    let decide_ticks = (parameters.double("decide_after") * 1e3).round() as usize;
    if decide_ticks > config.max_ticks {
        return Err(wrong(format!(
            "parameter 'decide_after' = {} s is beyond the {} ticks these weights were made for",
            parameters.double("decide_after"),
            config.max_ticks
        )));
    }
    let interval = parameters.double("interval");
    let interval_ticks = (interval * 1e3).round() as usize;
    if interval_ticks > config.max_ticks || (interval > 0.0 && interval_ticks == 0) {
        return Err(wrong(format!(
            "parameter 'interval' = {interval} s is not from 1 to the {} ticks of 1 ms these \
             weights were made for (0 waits for onsets)",
            config.max_ticks
        )));
    }
    let learner = Learner::new(parameters, &classifier, !weights.is_empty()).map_err(wrong)?;
    let board = Board::new(parameters, &classifier).map_err(wrong)?;
    if board.is_some() && !learner.readout_only() {
        return Err(wrong(
            "parameter 'plastic' = 'all' with backend 'spinnaker': the board's weights stay; \
             'readout' learns here"
                .into(),
        ));
    }
    Ok(Box::new(EpropClassifier {
        board,
        probabilities: vec![0.0; config.n_out],
        inputs: config.n_in as u32,
        hidden: (config.n_lif + config.n_alif) as u32,
        classifier,
        learner,
        decide_ticks,
        period_ticks: ((parameters.double("decision_period") * 1e3).round() as usize).max(1),
        interval_ticks,
        queue: Queue::new(),
        active: false,
        decided: false,
        saccade: 0,
        onset_ns: 0,
        target: None,
        events: 0,
        spikes_out: Spikes::default(),
        counts: Counts::default(),
    }))
}

#[derive(Debug, Default, Clone, Copy)]
struct Counts {
    ticks: u64,
    spikes: u64,
    idle: u64,
    overflow: u64,
    wrong_size: u64,
    refused: u64,
    left: u64,
    decisions: u64,
    spoilt: u64,
    learnt: u64,
    hidden: u64,
}

struct EpropClassifier {
    /// Where the recurrent layer is, if not here.
    board: Option<Board>,
    classifier: Classifier,
    learner: Learner,
    probabilities: Vec<f32>,
    inputs: u32,
    hidden: u32,
    decide_ticks: usize,
    period_ticks: usize,
    interval_ticks: usize,
    queue: Queue,
    active: bool,
    decided: bool,
    saccade: u32,
    onset_ns: i64,
    target: Option<usize>,
    events: u64,
    spikes_out: Spikes,
    counts: Counts,
}

impl EpropClassifier {
    fn begin(&mut self, saccade: u32, ctx: &mut Context<'_>) {
        self.classifier.begin_interval();
        self.counts.left += self.queue.clear();
        self.saccade = saccade;
        self.active = true;
        if self.board.as_mut().is_some_and(|board| !board.begin()) {
            self.spoil(ctx);
        }
        self.decided = false;
        self.onset_ns = ctx.now_ns;
        self.events = 0;
        self.spikes_out = Spikes {
            population: "hidden".into(),
            size: self.hidden,
            ..std::mem::take(&mut self.spikes_out)
        };
    }

    fn enqueue(&mut self, spikes: &Spikes, ctx: &mut Context<'_>) {
        if spikes.size != self.inputs {
            self.counts.wrong_size += 1;
            if self.counts.wrong_size == 1 {
                let (got, expected) = (spikes.size, self.inputs);
                ctx.log(
                    Level::Error,
                    format!(
                        "spikes of a population of {got}, the network has {expected} inputs; \
                         set dvs_ingest's 'out' to what the weights were trained with"
                    ),
                );
            }
            return;
        }
        if !self.active {
            self.counts.idle += spikes.ids.len() as u64;
            return;
        }
        let untimed = spikes.ids.len().saturating_sub(spikes.offsets_us.len());
        self.counts.refused += untimed as u64;
        // A spike beyond the interval would hold up the queue.
        let end_us = self.classifier.config().max_ticks as u32 * 1000;
        let ahead = (self.queue).ahead(spikes.header.stamp.to_ns(), ctx.now_ns);
        for (input, offset_us) in spikes.ids.iter().zip(&spikes.offsets_us) {
            if *input >= self.inputs || *offset_us >= end_us {
                self.counts.refused += 1;
                continue;
            }
            let wait = u64::from(offset_us / 1000).saturating_sub(ahead);
            let due_tick = self.counts.ticks + 1 + wait;
            if !self.queue.push(due_tick, *input, ctx.origin_ns) {
                self.counts.overflow += 1;
            }
        }
    }

    fn tick(&mut self, ctx: &mut Context<'_>) {
        if self.interval_ticks > 0
            && (!self.active || self.classifier.ticks() >= self.interval_ticks)
        {
            if self.active {
                self.finish(ctx);
            }
            self.begin(self.saccade + 1, ctx);
        }
        if self.active {
            self.deliver(ctx);
        }
        if self.board.is_some() {
            self.hear(ctx);
        } else if self.active {
            // The target was checked against the classes when it came.
            let _ = self.classifier.tick(self.target);
            self.ticked(ctx);
        }
    }

    /// Gives the layer the spikes that are due.
    fn deliver(&mut self, ctx: &mut Context<'_>) {
        self.counts.ticks += 1;
        let mut oldest_ns = i64::MAX;
        while let Some(waiting) = self.queue.due(self.counts.ticks) {
            oldest_ns = oldest_ns.min(waiting.origin_ns);
            // Out of range cannot be: that was checked when it came; merged ones are counted.
            match &mut self.board {
                Some(board) => board.push(waiting.input),
                None => drop(self.classifier.push_spike(waiting.input)),
            }
            self.counts.spikes += 1;
            self.events += 1;
        }
        if oldest_ns < i64::MAX {
            ctx.latency_since("packet to engine", oldest_ns);
        }
    }

    /// Takes the ticks that have come from the board.
    fn hear(&mut self, ctx: &mut Context<'_>) {
        let Some(board) = &mut self.board else { return };
        board.poll();
        if self.active && board.trouble().is_some() {
            return self.spoil(ctx);
        }
        while let Some(heard) = self.board.as_mut().and_then(Board::next) {
            let hidden = match heard {
                Heard::Begins(hidden) => {
                    self.classifier.begin_interval();
                    hidden
                }
                Heard::Tick(hidden) => hidden,
            };
            // Neurons that there are: the board's network is this one.
            let _ = self.classifier.observe(&hidden);
            self.ticked(ctx);
        }
    }

    /// Gives up an interval of which the board says nothing: no decision is better than one
    /// on half of it.
    fn spoil(&mut self, ctx: &mut Context<'_>) {
        self.active = false;
        self.counts.spoilt += 1;
        if let Some(board) = &mut self.board {
            board.end();
            let why = (board.trouble()).unwrap_or_else(|| "the board said nothing of it".into());
            let text = format!("saccade {} gets no decision: {why}", self.saccade);
            ctx.log(Level::Warn, text);
        }
    }

    fn merged(&self) -> u64 {
        match &self.board {
            Some(board) => board.counts.merged,
            None => self.classifier.merged_spikes(),
        }
    }

    /// What is to be done after a tick of the layer.
    fn ticked(&mut self, ctx: &mut Context<'_>) {
        self.collect_spikes(ctx.now_ns);
        let ticks = self.classifier.ticks();
        if ticks.is_multiple_of(ACTIVITY_TICKS) {
            self.publish_activity(ctx);
        }
        if !self.decided && ticks >= self.decide_ticks {
            self.decide(true, ctx);
        } else if ticks.is_multiple_of(self.period_ticks) {
            self.publish_spikes(ctx);
            if !self.decided {
                self.decide(false, ctx);
            }
        }
        if ticks >= self.classifier.config().max_ticks {
            self.finish(ctx);
        }
    }

    fn collect_spikes(&mut self, now_ns: i64) {
        if self.spikes_out.ids.is_empty() {
            self.spikes_out.header.stamp = saccade_msgs::builtin_interfaces::Time::from_ns(now_ns);
        }
        let offset_us = ((now_ns - self.spikes_out.header.stamp.to_ns()).max(0) / 1000) as u32;
        for id in self.classifier.hidden_spikes() {
            self.counts.hidden += 1;
            self.spikes_out.ids.push(*id);
            self.spikes_out.offsets_us.push(offset_us);
        }
    }

    fn publish_spikes(&mut self, ctx: &mut Context<'_>) {
        if self.spikes_out.ids.is_empty() {
            return;
        }
        let next = Spikes {
            population: self.spikes_out.population.clone(),
            size: self.hidden,
            seq: self.spikes_out.seq + 1,
            ..Spikes::default()
        };
        ctx.publish(
            "hidden_spikes",
            std::mem::replace(&mut self.spikes_out, next),
        );
    }

    fn publish_activity(&mut self, ctx: &mut Context<'_>) {
        self.classifier.probabilities(&mut self.probabilities);
        let mut activity = Activity {
            classes: self.learner.names().to_vec(),
            evidence: self.classifier.readout().to_vec(),
            probabilities: self.probabilities.clone(),
            rate_hz: self.classifier.hidden_spikes().len() as f32 / (self.hidden as f32 * 1e-3),
            tick: self.counts.ticks,
            ..Activity::default()
        };
        activity.header.stamp = ctx.stamp();
        ctx.publish("activity", activity);
    }

    fn decide(&mut self, last: bool, ctx: &mut Context<'_>) {
        self.classifier.probabilities(&mut self.probabilities);
        let decision = self.classifier.decision();
        self.counts.decisions += 1;
        self.decided |= last;
        let mut message = Decision {
            saccade_id: self.saccade,
            label: self.learner.names()[decision.class].clone(),
            class_id: decision.class as i32,
            confidence: decision.confidence,
            probabilities: self.probabilities.clone(),
            r#final: last,
            since_onset_s: (ctx.now_ns - self.onset_ns) as f32 / 1e9,
            events: self.events,
            ..Decision::default()
        };
        message.header.stamp = ctx.stamp();
        ctx.publish("decision", message);
        if last {
            let results = self
                .learner
                .names()
                .iter()
                .zip(&self.probabilities)
                .map(|(class, p)| ObjectHypothesis {
                    class_id: class.clone(),
                    score: f64::from(*p),
                });
            let mut all = Classification {
                results: results.collect(),
                ..Classification::default()
            };
            all.header.stamp = ctx.stamp();
            ctx.publish("classification", all);
        }
    }

    /// Ends the interval: decides if that is still to be done, then learns.
    fn finish(&mut self, ctx: &mut Context<'_>) {
        if !self.active {
            return;
        }
        if self.board.is_some() && self.classifier.ticks() == 0 {
            return self.spoil(ctx);
        }
        if !self.decided {
            self.decide(true, ctx);
        }
        self.publish_spikes(ctx);
        self.active = false;
        if let Some(board) = &mut self.board {
            board.end();
        }
        match self.learner.ended(&mut self.classifier, self.target) {
            Ok(n) => self.counts.learnt += n,
            Err(error) => ctx.log(Level::Error, error.to_string()),
        }
    }

    fn labelled(&mut self, label: &Label, ctx: &mut Context<'_>) {
        let known = self.learner.names().len();
        let asked = self.learner.asked(label, &mut self.classifier);
        self.target = match asked {
            Asked::Class(class) => Some(class),
            Asked::Nothing | Asked::Unknown => None,
        };
        if self.learner.names().len() > known {
            // The network starts anew with its new class, at the next onset.
            if std::mem::take(&mut self.active) && !self.decided {
                let text = format!("saccade {} gets no decision: a class came in", self.saccade);
                ctx.log(Level::Warn, text);
            }
            if let Some(board) = &mut self.board {
                board.end();
            }
            self.probabilities.resize(known + 1, 0.0);
            let name = &label.label;
            ctx.log(Level::Info, format!("new class '{name}' ({known})"));
        }
        if asked == Asked::Unknown {
            let (name, id) = (&label.label, label.class_id);
            ctx.log(
                Level::Warn,
                format!(
                    "label '{name}' ({id}) is no class of this network; not learnt \
                     (parameter 'new_classes' makes room)"
                ),
            );
        }
    }
}

impl Node for EpropClassifier {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        let result = match input {
            Input::Timer { .. } => {
                self.tick(ctx);
                Ok(())
            }
            Input::Message {
                topic: "spikes",
                payload,
            } => payload
                .get::<Spikes>()
                .map(|spikes| self.enqueue(&spikes, ctx)),
            Input::Message {
                topic: "saccade",
                payload,
            } => payload.get::<SaccadePhase>().map(|phase| {
                self.finish(ctx);
                if phase.moving {
                    self.begin(phase.id, ctx);
                }
            }),
            Input::Message {
                topic: "label",
                payload,
            } => payload
                .get::<Label>()
                .map(|label| self.labelled(&label, ctx)),
            _ => Ok(()),
        };
        if let Err(error) = result {
            ctx.log(Level::Warn, error.to_string());
        }
    }

    fn deactivate(&mut self, _: &mut Context<'_>) {
        self.active = false;
        self.counts.left += self.queue.clear();
        if let Some(board) = &mut self.board {
            board.end();
        }
    }

    fn learns(&self) -> bool {
        true
    }

    fn real_time_only(&self) -> bool {
        self.board.as_ref().is_some_and(|board| !board.here)
    }

    fn health(&self) -> Health {
        let c = self.counts;
        let mut values: Vec<(&str, u64)> = vec![
            ("ticks", c.ticks),
            ("input spikes delivered", c.spikes),
            ("input spikes between saccades", c.idle),
            ("input spikes merged", self.merged()),
            ("input spikes dropped at a full queue", c.overflow),
            ("input spikes left at a saccade's end", c.left),
            ("input spikes refused", c.refused),
            ("messages of another population", c.wrong_size),
            ("hidden spikes", c.hidden),
            ("decisions", c.decisions),
            ("intervals learnt", c.learnt),
            ("intervals kept for rehearsal", self.learner.kept()),
            ("waiting spikes", self.queue.len() as u64),
        ];
        let board = self.board.as_ref();
        values.extend(board.into_iter().flat_map(|b| b.health(c.spoilt)));
        let warning = if c.wrong_size > 0 {
            Some("spikes of another population arrive".to_owned())
        } else if c.refused > 0 {
            Some(format!(
                "{} spikes without a time or out of range were refused",
                c.refused
            ))
        } else if c.overflow > 0 {
            Some(format!("{} spikes were dropped", c.overflow))
        } else {
            board.and_then(Board::trouble)
        };
        Health {
            warning,
            values: (values.into_iter())
                .map(|(k, v)| (k.to_owned(), v.to_string()))
                .collect(),
        }
    }
}
