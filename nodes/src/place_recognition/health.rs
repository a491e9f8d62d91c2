//! What the node counts, and what it warns of.

use super::{Last, PlaceRecognition};
use crate::node::Health;
use crate::place_samples::Sample;
use saccade_engine::models::place::Senses;

/// What is counted.
#[derive(Debug, Default, Clone, Copy)]
pub struct Counts {
    pub samples: u64,
    /// By [`Senses`]: both, vision, touch.
    pub recognised: [u64; 3],
    pub senseless: u64,
    pub blank: u64,
    pub uncoded: u64,
    pub learnt: u64,
    pub poseless: u64,
    pub incomplete: u64,
    pub full: u64,
    pub maps_refused: u64,
}

impl PlaceRecognition {
    /// Why a sample has nothing to be recognised by.
    pub(super) fn lost(&self, sample: &Sample) -> String {
        let eyes = match (&sample.visual, sample.blank) {
            (Some(_), false) => "the camera works",
            (Some(_), true) => "the image shows nothing (is it dark, or the lens covered?)",
            (None, _) => "no image came for a second",
        };
        let whiskers = match (&sample.tactile, sample.stuck) {
            (Some(_), _) => "the whiskers work".to_owned(),
            (None, 0) => "no whiskers were heard of for a second".to_owned(),
            (None, stuck) => format!("{stuck} whiskers are stuck"),
        };
        format!("no place is told: {eyes}, {whiskers}")
    }

    pub(super) fn warning(&self) -> Option<String> {
        let unseen = match self.last {
            Some(Last { blank: true, .. }) => "images show nothing (dark, or a covered lens)",
            _ => "no images",
        };
        match self.last {
            Some(Last {
                senses: None,
                stuck,
                ..
            }) => Some(match stuck {
                0 => "neither sees nor feels: no place is told".to_owned(),
                n => format!("{n} whiskers are stuck, {unseen}: no place is told"),
            }),
            Some(Last {
                senses: Some(Senses::Touch),
                ..
            }) if self.only.is_none() => Some(format!("{unseen}: recognises by touch alone")),
            Some(Last {
                senses: Some(Senses::Vision),
                stuck,
                ..
            }) if self.only.is_none() && stuck > 0 => Some(format!(
                "{stuck} whiskers are stuck: recognises by vision alone"
            )),
            _ if self.learn && self.counts.full > 0 => {
                let most = self.places.max_places;
                Some(format!("there is no room for more than {most} places"))
            }
            _ => None,
        }
    }

    pub(super) fn health_now(&self) -> Health {
        let c = self.counts;
        let stuck = self.last.map_or(0, |last| last.stuck as u64);
        let values: [(&str, u64); 15] = [
            ("places known", self.places.map.len() as u64),
            ("samples", c.samples),
            ("recognised by both", c.recognised[0]),
            ("recognised by vision", c.recognised[1]),
            ("recognised by touch", c.recognised[2]),
            ("samples with nothing to go by", c.senseless),
            ("images that show nothing", c.blank),
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
}
