//! Places that the robot remembers by name.

use super::brain::Place;
use saccade_msgs::saccade_msgs::named_place;
use std::collections::BTreeMap;

/// Most places.
const MOST: usize = 64;
/// Longest name, bytes.
const LONGEST_NAME: usize = 64;

/// The places, by name.
#[derive(Default)]
pub struct Places(BTreeMap<String, Place>);

impl Places {
    /// The place of this name.
    ///
    /// # Errors
    /// Says which places there are where it is none of them.
    pub fn find(&self, name: &str) -> Result<Place, String> {
        let known = || match self.0.is_empty() {
            true => "none is; call remember_place there".to_owned(),
            false => self.0.keys().cloned().collect::<Vec<_>>().join(", "),
        };
        let place = self.0.get(name).copied();
        place.ok_or_else(|| format!("no place '{name}' is remembered: {}", known()))
    }

    /// Keeps a place, in the stead of one of that name.
    pub fn remember(&mut self, name: &str, place: Place) -> named_place::Response {
        let message = if name.is_empty() || name.len() > LONGEST_NAME {
            format!("a name has 1 to {LONGEST_NAME} bytes; empty is home")
        } else if self.0.len() == MOST && !self.0.contains_key(name) {
            format!("{MOST} places are remembered already; call forget_place")
        } else {
            self.0.insert(name.to_owned(), place);
            return said(true, format!("'{name}' is here"));
        };
        said(false, message)
    }

    /// Forgets a place.
    pub fn forget(&mut self, name: &str) -> named_place::Response {
        match self.find(name) {
            Err(why) => said(false, why),
            Ok(_) => {
                self.0.remove(name);
                said(true, format!("'{name}' is forgotten"))
            }
        }
    }

    /// Forgets all: they were seen from a home that is no more.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

/// An answer.
pub fn said(success: bool, message: String) -> named_place::Response {
    named_place::Response { success, message }
}
