//! HDF5 as Prophesee lays it out: `/CD/events`, an array of records x, y, p and t
//! (µs), and `/EXT_TRIGGER/events` with p, t and id; the attribute `geometry` of
//! the file tells the sensor as `1280x720`. The crate `hdf5-pure` reads arrays
//! that are not packed, or packed with gzip. What Prophesee's own tools write is
//! packed with their filter ECF (0x8ECF), for which there is no crate.

use std::path::{Path, PathBuf};

use hdf5_pure::{AttrValue, Dataset, Datatype, DatatypeByteOrder, File};

use super::bytes::FileReader;
use super::npy::{Field, to_event};
use super::text::{P_NAMES, T_NAMES, X_NAMES, Y_NAMES};
use super::{DecodeCounts, EventBatch, Geometry, Trigger};
use crate::error::{BagError, Result};

const EVENTS: &str = "CD/events";
const TRIGGERS: &str = "EXT_TRIGGER/events";
/// Prophesee's filter.
const ECF: u16 = 0x8ECF;
/// Shuffle, deflate, checksum: what the crate undoes.
const FILTERS: [u16; 3] = [1, 2, 3];
/// Records that are read at once.
const PER_BATCH: u64 = 1 << 14;
/// Bytes of a chunk and of a record at most.
const MAX_CHUNK: u64 = 1 << 28;
const MAX_RECORD: u64 = 1 << 16;

/// Reads the events and triggers of an HDF5 file: all triggers come before the
/// events.
pub(super) struct Hdf5Reader {
    path: PathBuf,
    events: Records<4>,
    triggers: Option<Records<3>>,
    geometry: Option<Geometry>,
    counts: DecodeCounts,
}

/// An array of records and the place of some fields in them.
struct Records<const N: usize> {
    name: &'static str,
    dataset: Dataset,
    fields: [Field; N],
    size: usize,
    /// Records in all, and the next one.
    number: u64,
    next: u64,
}

impl Hdf5Reader {
    /// Opens a file.
    pub fn open(path: &Path) -> Result<Self> {
        let broken = |e: hdf5_pure::Error| damaged(path, "a whole HDF5 file", e);
        let file = File::open_streaming(path).map_err(broken)?;
        let events = [X_NAMES, Y_NAMES, P_NAMES, T_NAMES];
        let Some(events) = Records::open(path, &file, EVENTS, events)? else {
            return Err(BagError::Unsupported {
                path: path.to_owned(),
                what: format!("HDF5 without an array /{EVENTS}"),
                remedy: "that is where Prophesee's layout has the events".into(),
            });
        };
        let triggers = [P_NAMES, T_NAMES, &["id"]];
        let attributes = file.root().attrs().map_err(broken)?;
        let geometry = match attributes.get("geometry") {
            Some(
                AttrValue::String(text)
                | AttrValue::AsciiString(text)
                | AttrValue::VarLenString(text)
                | AttrValue::VarLenAsciiString(text)
                | AttrValue::StringSized { value: text, .. }
                | AttrValue::AsciiStringSized { value: text, .. },
            ) => geometry(text),
            _ => None,
        };
        Ok(Self {
            path: path.to_owned(),
            events,
            triggers: Records::open(path, &file, TRIGGERS, triggers)?,
            geometry,
            counts: DecodeCounts::default(),
        })
    }
}

impl<const N: usize> Records<N> {
    /// The array of that name, if it is there.
    fn open(
        path: &Path,
        file: &File,
        name: &'static str,
        wanted: [&[&str]; N],
    ) -> Result<Option<Self>> {
        let group = name.split('/').next().unwrap_or(name);
        let broken = |e: hdf5_pure::Error| damaged(path, format!("the array /{name}"), e);
        if !file
            .root()
            .groups()
            .map_err(broken)?
            .iter()
            .any(|g| g == group)
        {
            return Ok(None);
        }
        let dataset = file.dataset(name).map_err(broken)?;
        check_packing(path, name, &dataset)?;
        let odd = |expected: &str, found: String| {
            BagError::corrupt(path, 0, format!("/{name} with {expected}"), found)
        };
        let shape = dataset.shape().map_err(broken)?;
        let [number] = shape[..] else {
            return Err(odd("one dimension", format!("{shape:?}")));
        };
        let size = dataset.element_size().map_err(broken)?;
        let chunk = dataset.chunk_shape().map_err(broken)?.unwrap_or_default();
        let chunk = chunk
            .iter()
            .try_fold(size, |bytes, &n| bytes.checked_mul(n));
        if size > MAX_RECORD || chunk.is_none_or(|bytes| bytes > MAX_CHUNK) {
            let found = format!("{size} and {chunk:?}");
            return Err(odd(
                "records of at most 64 KiB in chunks of at most 256 MiB",
                found,
            ));
        }
        let kind = dataset.datatype().map_err(broken)?;
        let find = |names: &[&str]| field(&kind, names, size);
        let fields = wanted.map(find);
        if fields.iter().any(Option::is_none) {
            let expected = format!("records of integers {wanted:?}");
            return Err(odd(
                &expected,
                format!("{kind:?}").chars().take(200).collect(),
            ));
        }
        Ok(Some(Self {
            name,
            dataset,
            fields: fields.map(|f| f.unwrap_or_default()),
            size: size as usize,
            number,
            next: 0,
        }))
    }

    /// Hands the next records to `take`; false at the end.
    fn next(&mut self, path: &Path, mut take: impl FnMut([i128; N])) -> Result<bool> {
        let n = PER_BATCH.min(self.number - self.next);
        if n == 0 {
            return Ok(false);
        }
        let bytes = self.dataset.read_raw_rows(self.next, n).map_err(|e| {
            let expected = format!("/{} from record {} on", self.name, self.next);
            damaged(path, expected, e)
        })?;
        for record in bytes.chunks_exact(self.size) {
            take(self.fields.map(|field| field.get(record)));
        }
        self.next += n;
        Ok(true)
    }
}

/// Refuses arrays that are packed in a way the crate does not know.
fn check_packing(path: &Path, name: &str, dataset: &Dataset) -> Result<()> {
    let filters = dataset.filters();
    let Some(filter) = filters.iter().find(|f| !FILTERS.contains(f)) else {
        return Ok(());
    };
    let (known, remedy) = match *filter {
        ECF => (
            " (Prophesee's ECF)",
            "no Rust library undoes it: convert the file to RAW or DAT with Prophesee's \
             metavision tools, or with h5repack and their plugin (`h5repack -f GZIP=4 IN OUT`)",
        ),
        _ => ("", "pack it with gzip: `h5repack -f GZIP=4 IN OUT`"),
    };
    Err(BagError::Unsupported {
        path: path.to_owned(),
        what: format!("/{name} packed with the HDF5 filter {filter:#06X}{known}"),
        remedy: remedy.into(),
    })
}

/// The integer with one of these names in a record.
fn field(kind: &Datatype, names: &[&str], size: u64) -> Option<Field> {
    let Datatype::Compound { members, .. } = kind else {
        return None;
    };
    let named = |name: &str| names.contains(&name.to_ascii_lowercase().as_str());
    let member = members.iter().find(|m| named(&m.name))?;
    let mut kind = &member.datatype;
    if let Datatype::Enumeration { base_type, .. } = kind {
        kind = base_type; // bool
    }
    let Datatype::FixedPoint {
        size: bytes,
        byte_order,
        layout,
    } = kind
    else {
        return None;
    };
    let whole = matches!(bytes, 1 | 2 | 4 | 8) && layout.bit_offset == 0;
    let inside = member.byte_offset.checked_add((*bytes).into())? <= size;
    (whole && inside && u32::from(layout.bit_precision) == 8 * bytes).then_some(Field {
        at: member.byte_offset as usize,
        size: *bytes as usize,
        signed: layout.signed,
        big_endian: *byte_order == DatatypeByteOrder::BigEndian,
    })
}

fn geometry(text: &str) -> Option<Geometry> {
    let (width, height) = text.trim_end_matches('\0').split_once('x')?;
    Some(Geometry {
        width: width.trim().parse().ok().filter(|&n| n > 0)?,
        height: height.trim().parse().ok().filter(|&n| n > 0)?,
    })
}

fn damaged(path: &Path, expected: impl Into<String>, error: hdf5_pure::Error) -> BagError {
    BagError::corrupt(path, 0, expected, error.to_string())
}

impl FileReader for Hdf5Reader {
    fn next_batch(&mut self, batch: &mut EventBatch) -> Result<bool> {
        let mut wrong = None;
        if let Some(triggers) = &mut self.triggers
            && triggers.next(&self.path, |[p, t, id]| {
                match (u64::try_from(t), u8::try_from(id)) {
                    (Ok(t_us), Ok(id)) => batch.triggers.push(Trigger {
                        t_us,
                        id,
                        rising: p > 0,
                    }),
                    _ => wrong = wrong.take().or(Some(format!("t {t} us, id {id}"))),
                }
            })?
        {
            let what = "triggers with times from 0 on and ids to 255";
            return wrong.map_or(Ok(true), |found| {
                Err(BagError::corrupt(&self.path, 0, what, found))
            });
        }
        let sensor = self.geometry.unwrap_or(Geometry::UNBOUNDED);
        let counts = &mut self.counts;
        let more = self
            .events
            .next(&self.path, |[x, y, p, t]| match to_event(t, x, y, p) {
                Ok(event) => super::bytes::push(event, sensor, batch, counts),
                Err(None) => counts.outside += 1,
                Err(Some(found)) => wrong = wrong.take().or(Some(found)),
            })?;
        wrong.map_or(Ok(more), |found| {
            let what = format!("times from 0 on before record {}", self.events.next);
            Err(BagError::corrupt(&self.path, 0, what, found))
        })
    }

    fn geometry(&self) -> Option<Geometry> {
        self.geometry
    }

    fn counts(&self) -> DecodeCounts {
        self.counts
    }
}
