//! The places that a robot knows: their codes, and where they are.
//!
//! Codes are kept centred and of length 1, so that Pearson's correlation with all of them
//! is one matrix times a vector, worked exactly: 400 bytes a place for a code of 100.
//!
//! A file holds, as safetensors, `codes` `[places, code size]` F32, `poses` `[places, 3]`
//! F64 (x and y in m, heading in rad) and `ids` `[places]` U64, with the name of the
//! network that made the codes in its document.

use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::Dtype;
use serde::{Deserialize, Serialize};

use super::Pose;
use super::descriptor::normalise;
use crate::error::{Error, Result, check_count};
use crate::models::tensors;
use crate::simd::multiply_vector;

const FORMAT: u32 = 1;

/// Rows that are scored before their scores are looked at.
const BLOCK: usize = 64;

/// A place that was found again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// Its number, from [`PlaceMap::store`].
    pub id: u64,
    /// Where it is.
    pub pose: Pose,
    /// Pearson's correlation of its code with the query's, -1 to 1.
    pub score: f32,
}

/// What a query needs besides the map: it is made once, and a query then allocates nothing.
#[derive(Clone, Debug)]
pub struct Search {
    code: Vec<f32>,
    found: Vec<Found>,
    wanted: usize,
}

/// Codes of places with their poses.
#[derive(Clone, Debug, PartialEq)]
pub struct PlaceMap {
    network: String,
    code_size: usize,
    capacity: usize,
    /// `[places, code size]`.
    codes: Vec<f32>,
    poses: Vec<Pose>,
    /// Rising, for places are only ever added at the end.
    ids: Vec<u64>,
    next_id: u64,
}

#[derive(Serialize, Deserialize)]
struct Document {
    format: u32,
    place_map: String,
    code_size: usize,
    next_id: u64,
}

impl PlaceMap {
    /// An empty map of at most `capacity` places, for codes of `code_size` numbers.
    /// `network` says what makes the codes, in a word that another network does not
    /// share: its name and the fingerprint of its weights.
    ///
    /// # Errors
    /// [`Error::Parameter`]: codes of 2 to 65 536 numbers, at most 10 million places.
    pub fn new(network: impl Into<String>, code_size: usize, capacity: usize) -> Result<Self> {
        check_count("place_map.code_size", code_size, 2, 65_536)?;
        check_count("place_map.capacity", capacity, 1, 10_000_000)?;
        Ok(PlaceMap {
            network: network.into(),
            code_size,
            capacity,
            codes: Vec::new(),
            poses: Vec::new(),
            ids: Vec::new(),
            next_id: 0,
        })
    }

    /// Adds a place and gives its number, which no other place of this map has or had.
    ///
    /// # Errors
    /// [`Error::PlaceMap`]: the map is full, or the code or the pose is not usable.
    pub fn store(&mut self, code: &[f32], pose: Pose) -> Result<u64> {
        if self.len() >= self.capacity {
            return Err(Error::PlaceMap(format!(
                "it is full with {} places; forget some, or make one with more room",
                self.len()
            )));
        }
        check_pose(&pose)?;
        let start = self.codes.len();
        self.codes.resize(start + self.code_size, 0.0);
        if let Err(error) = checked(code, self.code_size, &mut self.codes[start..]) {
            self.codes.truncate(start);
            return Err(error);
        }
        let id = self.next_id;
        self.next_id += 1;
        self.ids.push(id);
        self.poses.push(pose);
        Ok(id)
    }

    /// Forgets a place; false where there is none of this number. Takes time in
    /// proportion to the size of the map.
    pub fn forget(&mut self, id: u64) -> bool {
        let Ok(at) = self.ids.binary_search(&id) else {
            return false;
        };
        let size = self.code_size;
        self.codes.drain(at * size..(at + 1) * size);
        self.poses.remove(at);
        self.ids.remove(at);
        true
    }

    /// Forgets all places.
    pub fn clear(&mut self) {
        self.codes.clear();
        self.poses.clear();
        self.ids.clear();
    }

    /// What queries for the best `wanted` places need (at least one).
    pub fn search(&self, wanted: usize) -> Search {
        let wanted = wanted.clamp(1, self.capacity);
        Search {
            code: vec![0.0; self.code_size],
            found: Vec::with_capacity(wanted),
            wanted,
        }
    }

    /// The places most like this code, the best first; fewer than wanted where the map has
    /// fewer. Of equally alike ones the older comes first.
    ///
    /// # Errors
    /// [`Error::PlaceMap`]: the code is not usable, or `search` is that of another map.
    pub fn find<'a>(&self, code: &[f32], search: &'a mut Search) -> Result<&'a [Found]> {
        let size = self.code_size;
        if search.code.len() != size {
            let what = "the search was made for a map of another code size".to_owned();
            return Err(Error::PlaceMap(what));
        }
        checked(code, self.code_size, &mut search.code)?;
        search.found.clear();
        let mut scores = [0.0; BLOCK];
        for (block, rows) in self.codes.chunks(BLOCK * size).enumerate() {
            let scores = &mut scores[..rows.len() / size];
            multiply_vector(rows, &search.code, scores);
            for (k, &score) in scores.iter().enumerate() {
                let full = search.found.len() == search.wanted;
                if !full || search.found.last().is_some_and(|worst| score > worst.score) {
                    let at = block * BLOCK + k;
                    let (id, pose) = (self.ids[at], self.poses[at]);
                    search.insert(Found { id, pose, score });
                }
            }
        }
        Ok(&search.found)
    }

    /// What makes its codes.
    pub fn network(&self) -> &str {
        &self.network
    }

    /// Numbers of a code.
    pub fn code_size(&self) -> usize {
        self.code_size
    }

    /// Number of places.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// Number and pose of every place, in the order in which they were stored.
    pub fn places(&self) -> impl Iterator<Item = (u64, Pose)> {
        self.ids.iter().copied().zip(self.poses.iter().copied())
    }

    /// Bytes that its places take.
    pub fn bytes(&self) -> usize {
        size_of_val(&self.codes[..]) + size_of_val(&self.poses[..]) + size_of_val(&self.ids[..])
    }
}

impl Search {
    /// Puts a place where its score belongs, behind equal ones, and drops the worst where
    /// there are too many. The room is there.
    fn insert(&mut self, place: Found) {
        if self.found.len() == self.wanted {
            self.found.pop();
        }
        let at = self.found.partition_point(|f| f.score >= place.score);
        self.found.insert(at, place);
    }
}

/// Files.
impl PlaceMap {
    /// Writes it into a file, whole or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] names the file.
    pub fn save(&self, path: &Path) -> Result<()> {
        tensors::write(path, &self.to_bytes()?)
    }

    /// Reads a map that this very network made.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::PlaceMap`] where it is no map, one of another network
    /// (named), or has more than `capacity` places.
    pub fn load(path: &Path, network: &str, capacity: usize) -> Result<Self> {
        Self::from_bytes(&tensors::read(path)?, network, capacity)
    }

    /// The bytes of its file.
    ///
    /// # Errors
    /// [`Error::PlaceMap`] where they cannot be laid out.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let document = Document {
            format: FORMAT,
            place_map: self.network.clone(),
            code_size: self.code_size,
            next_id: self.next_id,
        };
        let document =
            serde_json::to_string(&document).map_err(|e| Error::PlaceMap(e.to_string()))?;
        let numbers = self.poses.iter().flat_map(|p| [p.x_m, p.y_m, p.theta_rad]);
        let poses = numbers.flat_map(f64::to_le_bytes).collect();
        let ids = self.ids.iter().flat_map(|id| id.to_le_bytes()).collect();
        let n = self.len();
        let all = [
            tensors::f32s("codes", vec![n, self.code_size], &self.codes),
            ("poses", Dtype::F64, vec![n, 3], poses),
            ("ids", Dtype::U64, vec![n], ids),
        ];
        tensors::serialize(&all, document).map_err(Error::PlaceMap)
    }

    /// The map in the bytes of a file.
    ///
    /// # Errors
    /// As [`PlaceMap::load`].
    pub fn from_bytes(bytes: &[u8], network: &str, capacity: usize) -> Result<Self> {
        let (file, document) = tensors::open(bytes).map_err(Error::PlaceMap)?;
        let document: Document = serde_json::from_str(&document)
            .map_err(|e| Error::PlaceMap(format!("this is a file of another kind: {e}")))?;
        if document.format != FORMAT {
            return Err(Error::PlaceMap(format!(
                "format version {}, this program reads version {FORMAT}",
                document.format
            )));
        }
        if document.place_map != network {
            return Err(Error::PlaceMap(format!(
                "its places were coded by the network {}, this one is {network}; load the map that this network made, or learn the places anew",
                document.place_map
            )));
        }
        let mut map = PlaceMap::new(network, document.code_size, capacity)?;
        map.read(&file, document.next_id)?;
        Ok(map)
    }

    /// Takes the places of a file, checking each as if it were stored now.
    fn read(&mut self, file: &SafeTensors<'_>, next_id: u64) -> Result<()> {
        let n = file.tensor("ids").ok();
        let n = n.and_then(|ids| ids.shape().first().copied()).unwrap_or(0);
        if n > self.capacity {
            let room = self.capacity;
            let what = format!("it has {n} places, there is room for {room}");
            return Err(Error::PlaceMap(what));
        }
        let (ids, _) = tensors::bytes(file, "ids", Dtype::U64, &[n])?.as_chunks::<8>();
        let (poses, _) = tensors::bytes(file, "poses", Dtype::F64, &[n, 3])?.as_chunks::<24>();
        let codes = tensors::read_f32s(file, "codes", &[n, self.code_size])?;
        let rows = codes.chunks_exact(self.code_size);
        for ((id, pose), code) in ids.iter().zip(poses).zip(rows) {
            let (pose, _) = pose.as_chunks::<8>();
            let pose = Pose {
                x_m: f64::from_le_bytes(pose[0]),
                y_m: f64::from_le_bytes(pose[1]),
                theta_rad: f64::from_le_bytes(pose[2]),
            };
            let id = u64::from_le_bytes(*id);
            if id < self.next_id || id >= next_id {
                return Err(Error::PlaceMap(format!(
                    "place {} has the number {id}, expected {}..{next_id}: the file is damaged",
                    self.len(),
                    self.next_id
                )));
            }
            self.next_id = id;
            self.store(code, pose)?;
        }
        self.next_id = next_id;
        Ok(())
    }
}

fn check_pose(pose: &Pose) -> Result<()> {
    if [pose.x_m, pose.y_m, pose.theta_rad]
        .iter()
        .all(|v| v.is_finite())
    {
        return Ok(());
    }
    let what = format!("the pose of a place is {pose:?}, expected finite numbers");
    Err(Error::PlaceMap(what))
}

/// Writes the code into `row`, its mean taken off and of length 1.
fn checked(code: &[f32], size: usize, row: &mut [f32]) -> Result<()> {
    if code.len() != size {
        let n = code.len();
        let what = format!("a code has {n} numbers, those of this map have {size}");
        return Err(Error::PlaceMap(what));
    }
    if let Some(i) = code.iter().position(|v| !v.is_finite()) {
        let value = code[i];
        let what = format!("number {i} of a code is {value}, expected a finite one");
        return Err(Error::PlaceMap(what));
    }
    if normalise(code, row) {
        return Ok(());
    }
    let what = format!(
        "all numbers of a code are {}: it says nothing about a place",
        code[0]
    );
    Err(Error::PlaceMap(what))
}

#[cfg(test)]
mod tests {
    use super::super::pearson;
    use super::*;

    fn at(x_m: f64) -> Pose {
        Pose {
            x_m,
            ..Pose::default()
        }
    }

    /// Codes that are neither orthogonal nor alike.
    fn code(k: u32) -> Vec<f32> {
        (0..13_u32)
            .map(|i| ((k + 1) * (i + 3) * 7919 % 101) as f32 - 20.0)
            .collect()
    }

    fn map_of(places: u32) -> PlaceMap {
        let mut map = PlaceMap::new("net-a", 13, 500).unwrap();
        for k in 0..places {
            map.store(&code(k), at(f64::from(k))).unwrap();
        }
        map
    }

    #[test]
    fn the_best_are_those_of_pearson_in_order() {
        // More than one block of rows, and no whole number of fours.
        let map = map_of(99);
        let mut search = map.search(7);
        let query: Vec<f32> = code(17).iter().map(|v| 3.0 * v + (v * 0.3).sin()).collect();
        let found = map.find(&query, &mut search).unwrap();
        let mut all: Vec<(f32, u64)> = (0..99)
            .map(|k| (pearson(&query, &code(k)), u64::from(k)))
            .collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0));
        assert_eq!(found.len(), 7);
        assert_eq!(found[0].id, 17);
        for (found, (score, _)) in found.iter().zip(&all) {
            assert!((found.score - score).abs() < 1e-5);
            assert_eq!(found.pose.x_m, found.id as f64);
        }
    }

    #[test]
    fn what_is_forgotten_is_not_found_and_numbers_are_not_used_again() {
        let mut map = map_of(3);
        assert!(map.forget(1));
        assert!(!map.forget(1));
        let mut search = map.search(5);
        let found = map.find(&code(1), &mut search).unwrap();
        assert!(found.len() == 2 && found.iter().all(|f| f.id != 1));
        assert_eq!(map.store(&code(1), at(9.0)).unwrap(), 3);
        let found = map.find(&code(1), &mut search).unwrap();
        assert_eq!((found[0].id, found[0].pose), (3, at(9.0)));
        map.clear();
        assert!(map.find(&code(1), &mut search).unwrap().is_empty());
        // Equal codes: the older one first.
        for _ in 0..3 {
            map.store(&code(5), at(0.0)).unwrap();
        }
        let ids = map.find(&code(5), &mut search).unwrap().iter();
        assert_eq!(ids.map(|f| f.id).collect::<Vec<_>>(), [4, 5, 6]);
    }

    #[test]
    fn what_says_nothing_or_does_not_fit_is_refused() {
        let mut map = PlaceMap::new("net-a", 13, 1).unwrap();
        let mut search = map.search(1);
        let mut broken = code(0);
        broken[4] = f32::NAN;
        for (code, says) in [
            (vec![0.5; 13], "it says nothing"),
            (vec![1.0; 3], "has 3 numbers, those of this map have 13"),
            (broken, "number 4 of a code is NaN"),
        ] {
            let store = map.store(&code, at(0.0)).unwrap_err().to_string();
            let find = map.find(&code, &mut search).unwrap_err().to_string();
            assert!(store.contains(says) && find.contains(says), "{store}");
        }
        assert!(map.store(&code(0), at(f64::NAN)).is_err());
        map.store(&code(0), at(0.0)).unwrap();
        let full = map.store(&code(1), at(0.0)).unwrap_err().to_string();
        assert!(full.contains("full with 1 places"), "{full}");
        assert_eq!(map.find(&code(0), &mut search).unwrap().len(), 1);
    }

    #[test]
    fn a_file_comes_back_the_same_for_its_network_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("places.safetensors");
        let mut map = map_of(20);
        map.forget(0);
        map.forget(19);
        map.save(&path).unwrap();
        let back = PlaceMap::load(&path, "net-a", 500).unwrap();
        assert_eq!((back.len(), back.next_id), (18, 20));
        assert!(back.places().eq(map.places()));
        let (mut a, mut b) = (map.search(18), back.search(18));
        let pairs = map.find(&code(7), &mut a).unwrap().iter();
        for (a, b) in pairs.zip(back.find(&code(7), &mut b).unwrap()) {
            assert!(a.id == b.id && (a.score - b.score).abs() < 1e-6);
        }

        let error = PlaceMap::load(&path, "net-b", 500).unwrap_err().to_string();
        assert!(
            error.contains("net-a") && error.contains("net-b"),
            "{error}"
        );
        let error = PlaceMap::load(&path, "net-a", 5).unwrap_err().to_string();
        assert!(error.contains("18 places, there is room for 5"), "{error}");
    }

    #[test]
    fn damaged_files_are_errors() {
        let bytes = map_of(4).to_bytes().unwrap();
        for end in 0..bytes.len() {
            assert!(
                PlaceMap::from_bytes(&bytes[..end], "net-a", 9).is_err(),
                "{end}"
            );
        }
        let empty = PlaceMap::new("net-a", 13, 9).unwrap().to_bytes().unwrap();
        assert!(PlaceMap::from_bytes(&empty, "net-a", 9).unwrap().is_empty());
    }
}
