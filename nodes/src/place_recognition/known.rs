//! The network and the places that it knows.

use crate::parameters::Parameters;
use crate::place_samples::{TACTILE_SIZE, VISUAL_SIZE};
use saccade_engine::models::place::{PlaceMap, Search};
use saccade_engine::models::predictive_coding::PlaceNetwork;
use std::path::Path;

/// A network that sees and feels what the sampler gives.
pub fn network(weights: &str) -> Result<PlaceNetwork, String> {
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
pub struct Known {
    /// All of them.
    pub map: PlaceMap,
    /// What looking them up needs.
    pub search: Search,
    /// As the file has them.
    pub of_file: Option<PlaceMap>,
    /// Most of them.
    pub max_places: usize,
}

impl Known {
    /// Those of the file that `map` names, or none yet; a query is answered by the best
    /// `wanted`.
    pub fn new(
        parameters: &Parameters,
        network: &PlaceNetwork,
        wanted: usize,
    ) -> Result<Self, String> {
        let name = network.fingerprint().map_err(|e| e.to_string())?;
        let max_places = parameters.integer("max_places") as usize;
        let file = parameters.text("map");
        let code_size = network.code_len();
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
            search: map.search(wanted),
            map,
            of_file,
            max_places,
        })
    }

    /// Takes a map that came as a message.
    pub fn replace(&mut self, bytes: &[u8]) -> Result<(), String> {
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
