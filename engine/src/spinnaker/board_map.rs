//! What a client must know of a board, and the SQLite database that tells it.
//!
//! The tool chain writes one for every network; clients are sent its path. Its tables and
//! views have these names in sPyNNaker 7.4.1; plain tables do as well, which is what is written
//! here.

use std::net::Ipv4Addr;
use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::command::Core;
use super::error::{Result, SpinnakerError};

/// Atoms that the populations of a database may have in all.
const MAX_ATOMS: u32 = 1 << 22;

const TABLES: &str = "
CREATE TABLE configuration_parameters(parameter_id TEXT PRIMARY KEY, value REAL);
CREATE TABLE proxy_configuration(kind TEXT, name TEXT, value TEXT);
CREATE TABLE label_event_atom_view(label TEXT, event INTEGER, atom INTEGER);
CREATE TABLE app_output_tag_view(pre_vertex_label TEXT, post_vertex_label TEXT, ip_address TEXT,
    port INTEGER, strip_sdp INTEGER, board_address TEXT, tag INTEGER, chip_x INTEGER, chip_y INTEGER);
CREATE TABLE application_vertex_placements(vertex_label TEXT, x INTEGER, y INTEGER, p INTEGER);
CREATE TABLE chip_eth_info(x INTEGER, y INTEGER, eth_x INTEGER, eth_y INTEGER, eth_ip_address TEXT);
CREATE INDEX labels ON label_event_atom_view(label);
";

/// A population of the network on the board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Population {
    /// Its name.
    pub label: String,
    /// Where events for it are sent.
    pub core: Core,
    /// The key of each of its atoms.
    pub keys: Vec<u32>,
    /// Whether its spikes leave the board.
    pub live: bool,
}

/// A board and what runs there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoardMap {
    /// Where it is.
    pub address: Ipv4Addr,
    /// Length of a tick in microseconds.
    pub tick_us: u32,
    /// How long it will run, in ms; `None`: until it is stopped.
    pub run_ms: Option<u64>,
    /// The IP tag of live output.
    pub tag: u8,
    /// The chip of that tag, y and x.
    pub tag_yx: [u8; 2],
    /// Its populations.
    pub populations: Vec<Population>,
}

impl BoardMap {
    /// The population of this label.
    ///
    /// # Errors
    /// There is none; the text lists those there are.
    pub fn population(&self, label: &str) -> Result<&Population> {
        let found = self.populations.iter().find(|p| p.label == label);
        found.ok_or_else(|| {
            let labels: Vec<_> = self.populations.iter().map(|p| p.label.as_str()).collect();
            SpinnakerError::Population {
                label: label.to_owned(),
                what: format!(
                    "the board has none of this label, but: {}",
                    labels.join(", ")
                ),
            }
        })
    }

    /// Writes the database, whole or not at all.
    ///
    /// # Errors
    /// Names the file.
    pub fn write(&self, path: &Path) -> Result<()> {
        let mut part = path.as_os_str().to_owned();
        part.push(".part");
        let part = Path::new(&part);
        let wrong = |e: &dyn std::fmt::Display| SpinnakerError::Database {
            path: path.to_owned(),
            what: format!("cannot be written: {e}"),
        };
        match std::fs::remove_file(part) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(wrong(&e)),
            _ => {}
        }
        self.fill(part).map_err(|e| wrong(&e))?;
        std::fs::rename(part, path).map_err(|e| wrong(&e))
    }

    fn fill(&self, path: &Path) -> rusqlite::Result<()> {
        let mut db = Connection::open(path)?;
        // A database that the next start makes anew needs no journal.
        db.pragma_update(None, "journal_mode", "OFF")?;
        db.pragma_update(None, "synchronous", "OFF")?;
        let all = db.transaction()?;
        all.execute_batch(TABLES)?;
        let run_ms = self.run_ms.map_or(-1.0, |ms| ms as f64);
        let parameters = [
            ("machine_time_step", f64::from(self.tick_us)),
            ("time_scale_factor", 1.0),
            ("runtime", run_ms),
        ];
        for (name, value) in parameters {
            all.execute(
                "INSERT INTO configuration_parameters VALUES(?1, ?2)",
                params![name, value],
            )?;
        }
        let address = self.address.to_string();
        all.execute(
            "INSERT INTO chip_eth_info VALUES(0, 0, 0, 0, ?1)",
            [&address],
        )?;
        let mut event = all.prepare("INSERT INTO label_event_atom_view VALUES(?1, ?2, ?3)")?;
        for population in &self.populations {
            let Core { x, y, p } = population.core;
            all.execute(
                "INSERT INTO application_vertex_placements VALUES(?1, ?2, ?3, ?4)",
                params![population.label, x, y, p],
            )?;
            for (key, atom) in population.keys.iter().zip(0_u32..) {
                event.execute(params![population.label, key, atom])?;
            }
            if population.live {
                let [y, x] = self.tag_yx;
                all.execute(
                    "INSERT INTO app_output_tag_view \
                     VALUES(?1, 'LiveSpikeReceiver', '0.0.0.0', 17895, 1, ?2, ?3, ?4, ?5)",
                    params![population.label, address, self.tag, x, y],
                )?;
            }
        }
        drop(event);
        all.commit()
    }

    /// Reads the database of a board.
    ///
    /// # Errors
    /// Names the file, and what is wrong with it.
    pub fn read(path: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let read = Connection::open_with_flags(path, flags).and_then(|db| Self::query(&db));
        let read = read.map_err(|e| e.to_string()).and_then(|map| map);
        read.map_err(|what| SpinnakerError::Database {
            path: path.to_owned(),
            what: format!("{what}; expected the database of a network that sPyNNaker has loaded"),
        })
    }

    fn query(db: &Connection) -> rusqlite::Result<std::result::Result<Self, String>> {
        let parameter = |name: &str| {
            db.query_row(
                "SELECT CAST(value AS REAL) FROM configuration_parameters WHERE parameter_id = ?1",
                [name],
                |row| row.get::<_, f64>(0),
            )
            .optional()
        };
        let address: Option<String> = db
            .query_row(
                "SELECT eth_ip_address FROM chip_eth_info WHERE x = 0 AND y = 0",
                [],
                |row| row.get(0),
            )
            .optional()?;
        let Some(address) = address.and_then(|text| text.parse::<Ipv4Addr>().ok()) else {
            return Ok(Err("chip 0, 0 has no IPv4 address".into()));
        };
        let tick_us = parameter("machine_time_step")?.unwrap_or(0.0);
        if !(1.0..=1e6).contains(&tick_us) {
            return Ok(Err(format!("machine_time_step is {tick_us} us")));
        }
        let run_ms = parameter("runtime")?.filter(|ms| *ms >= 0.0);
        let (tag, tag_yx) = db
            .query_row(
                "SELECT tag, chip_y, chip_x FROM app_output_tag_view \
                 WHERE post_vertex_label LIKE 'LiveSpikeReceiver%' LIMIT 1",
                [],
                |row| Ok((row.get(0)?, [row.get(1)?, row.get(2)?])),
            )
            .optional()?
            .unwrap_or((0, [0, 0]));
        let populations = match populations(db)? {
            Ok(populations) => populations,
            Err(what) => return Ok(Err(what)),
        };
        Ok(Ok(Self {
            address,
            tick_us: tick_us as u32,
            run_ms: run_ms.map(|ms| ms as u64),
            tag,
            tag_yx,
            populations,
        }))
    }
}

fn populations(db: &Connection) -> rusqlite::Result<std::result::Result<Vec<Population>, String>> {
    let mut list: Vec<Population> = Vec::new();
    let mut placements = db.prepare(
        "SELECT vertex_label, x, y, p, EXISTS(SELECT 1 FROM app_output_tag_view \
         WHERE pre_vertex_label = vertex_label) FROM application_vertex_placements",
    )?;
    let mut rows = placements.query([])?;
    while let Some(row) = rows.next()? {
        let label: String = row.get(0)?;
        // Of a population on several cores the first is used, as the tool chain's client does.
        if !list.iter().any(|p| p.label == label) {
            list.push(Population {
                label,
                core: Core {
                    x: row.get(1)?,
                    y: row.get(2)?,
                    p: row.get(3)?,
                },
                keys: Vec::new(),
                live: row.get(4)?,
            });
        }
    }
    let total: i64 = db.query_row("SELECT count(*) FROM label_event_atom_view", [], |row| {
        row.get(0)
    })?;
    if total > MAX_ATOMS.into() {
        return Ok(Err(format!("{total} atoms, at most {MAX_ATOMS} are taken")));
    }
    let mut events =
        db.prepare("SELECT atom, event FROM label_event_atom_view WHERE label = ?1 ORDER BY atom")?;
    for population in &mut list {
        let mut rows = events.query([&population.label])?;
        while let Some(row) = rows.next()? {
            let atom: u32 = row.get(0)?;
            if atom as usize != population.keys.len() {
                let label = &population.label;
                return Ok(Err(format!(
                    "population '{label}': atom {atom} where {} was to come",
                    population.keys.len()
                )));
            }
            population.keys.push(row.get(1)?);
        }
    }
    Ok(Ok(list))
}
