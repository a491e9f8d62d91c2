//! The board itself, without sockets or clocks: datagrams and ticks in, datagrams out.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, Poisson};

use super::faults::{BadLine, FaultCounts, Faults};
use super::gatherer::{FIFO, Gatherer};
use super::program::{Program, Role, Spec, Spike};
use crate::spinnaker::board_map::{BoardMap, Population};
use crate::spinnaker::command::{Core, is_command};
use crate::spinnaker::eieio::Message;
use crate::spinnaker::error::{Result, SpinnakerError};
use crate::spinnaker::sdp::{Request, SdpHeader, TAGS};

/// Core of the first population; before it are the monitors and the gatherer.
const FIRST_CORE: u8 = 3;
/// Populations that fit on the chip's cores.
const MAX_POPULATIONS: usize = 14;
/// Atoms whose keys a prefix of 16 bits tells apart.
const MAX_ATOMS: usize = 1 << 16;
/// Cores of a board of 48 chips that are left to networks.
const CORES: usize = 48 * 16;
/// The IP tag of live output.
const TAG: u8 = 1;
/// Events that may wait for their tick.
const WAITING: usize = 1 << 20;

/// What a real board can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes per tick of 1 ms through the Ethernet, both ways together.
    pub bytes_per_tick: usize,
    /// Keys that the gatherer takes in a tick.
    pub fifo: usize,
    /// Neurons that a core holds.
    pub neurons_per_core: usize,
}

impl Limits {
    /// Those of a SpiNN-5 board.
    pub const REAL: Limits = Limits {
        bytes_per_tick: 2820,
        fifo: FIFO,
        neurons_per_core: 256,
    };

    /// The same where every neuron learns by e-prop on the board.
    pub const EPROP: Limits = Limits {
        neurons_per_core: 8,
        ..Self::REAL
    };
}

/// How a board is to behave.
#[derive(Clone, Debug, Default)]
pub struct BoardSettings {
    /// Limits of a real one, or none but memory.
    pub limits: Option<Limits>,
    /// What the network does to packets, both ways.
    pub faults: Faults,
    /// Who may talk to it; empty: whoever is on this machine.
    pub allowed: Vec<IpAddr>,
    /// Seed of its Poisson sources, and of the network's faults.
    pub seed: u64,
}

/// What a board has counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct BoardCounts {
    /// Ticks done.
    pub ticks: u64,
    /// Datagrams from hosts.
    pub datagrams: u64,
    /// IP tags set.
    pub tags_set: u64,
    /// Events taken.
    pub events_in: u64,
    /// Rates of Poisson sources set.
    pub rates_set: u64,
    /// Spikes sent.
    pub events_out: u64,
    /// Packets that they were in.
    pub packets_out: u64,
    /// Datagrams that were not understood.
    pub malformed: u64,
    /// Datagrams from those who may not send any.
    pub foreign: u64,
    /// Events with a key that their core does not have.
    pub unknown_key: u64,
    /// Events that came while the simulation did not run.
    pub while_paused: u64,
    /// Events that came after the tick they were for; delivered in the next.
    pub late: u64,
    /// Events dropped because too many waited.
    pub no_room: u64,
    /// Events that the program had no use for.
    pub ignored: u64,
    /// Spikes that found the gatherer full.
    pub over_fifo: u64,
    /// Packets, of either direction, that the Ethernet could not carry.
    pub over_bandwidth: u64,
    /// Spikes that nobody had asked for.
    pub nobody_listens: u64,
    /// What became of packets from hosts on a bad line.
    pub faults_in: FaultCounts,
    /// What became of packets to hosts.
    pub faults_out: FaultCounts,
}

/// Something that sends datagrams.
pub type Send<'a> = &'a mut dyn FnMut(&[u8], SocketAddr);

/// An emulated board with its program.
pub struct Board {
    program: Box<dyn Program>,
    specs: Vec<Spec>,
    map: BoardMap,
    settings: BoardSettings,
    tags: [Option<SocketAddr>; TAGS],
    running: bool,
    now: u32,
    bytes: usize,
    inbox: Vec<Spike>,
    timed: BTreeMap<u32, Vec<Spike>>,
    waiting: usize,
    fired: Vec<Spike>,
    gatherer: Gatherer,
    /// Spikes per tick of each atom, for populations of Poisson sources.
    rates: Vec<Vec<f64>>,
    rng: ChaCha8Rng,
    /// Bad lines, where there are faults.
    line_in: Option<BadLine>,
    line_out: Option<BadLine>,
    counts: BoardCounts,
}

impl Board {
    /// A board at `address` that runs `program`, paused, before its first tick.
    ///
    /// # Errors
    /// Populations that do not fit.
    pub fn new(
        program: Box<dyn Program>,
        address: Ipv4Addr,
        tick_us: u32,
        settings: BoardSettings,
    ) -> Result<Self> {
        let specs = program.populations();
        let populations = place(&specs, settings.limits)?;
        let rates = specs.iter().map(|spec| match spec.role {
            Role::Poisson => vec![0.0; spec.atoms],
            _ => Vec::new(),
        });
        let bad = |faults: Faults, seed| {
            (faults != Faults::default()).then(|| BadLine::new(faults, seed))
        };
        Ok(Self {
            rates: rates.collect(),
            map: BoardMap {
                address,
                tick_us,
                run_ms: None,
                tag: TAG,
                tag_yx: [0, 0],
                populations,
            },
            specs,
            program,
            tags: [None; TAGS],
            running: false,
            now: 0,
            bytes: 0,
            inbox: Vec::new(),
            timed: BTreeMap::new(),
            waiting: 0,
            fired: Vec::new(),
            gatherer: Gatherer::new(settings.limits.map_or(WAITING, |l| l.fifo)),
            rng: ChaCha8Rng::seed_from_u64(settings.seed),
            line_in: bad(settings.faults, settings.seed ^ 1),
            line_out: bad(settings.faults, settings.seed ^ 2),
            counts: BoardCounts::default(),
            settings,
        })
    }

    /// What clients must know of it.
    pub fn map(&self) -> &BoardMap {
        &self.map
    }

    /// The last tick done.
    pub fn now(&self) -> u32 {
        self.now
    }

    /// Starts, resumes or pauses the simulation.
    pub fn run(&mut self, running: bool) {
        self.running = running;
    }

    /// What it has counted.
    pub fn counts(&self) -> BoardCounts {
        BoardCounts {
            over_fifo: self.gatherer.overflow,
            faults_in: self
                .line_in
                .as_ref()
                .map_or_else(FaultCounts::default, |l| l.counts),
            faults_out: self
                .line_out
                .as_ref()
                .map_or_else(FaultCounts::default, |l| l.counts),
            ignored: self.program.ignored(),
            ..self.counts
        }
    }

    /// Takes a datagram from a host.
    pub fn receive(&mut self, datagram: &[u8], from: SocketAddr, send: Send<'_>) {
        self.counts.datagrams += 1;
        let allowed = &self.settings.allowed;
        if !(allowed.contains(&from.ip()) || allowed.is_empty() && from.ip().is_loopback()) {
            self.counts.foreign += 1;
            return;
        }
        let Ok((header, body)) = SdpHeader::parse(datagram) else {
            self.counts.malformed += 1;
            return;
        };
        if (header.port(), header.core().p) == (0, 0) {
            return self.monitor(&header, body, from, send);
        }
        if !self.carry(datagram.len()) {
            return;
        }
        let Some(mut line) = self.line_in.take() else {
            return self.inject(&header, body);
        };
        line.pass(self.now, datagram, &mut |datagram| self.take(datagram));
        self.line_in = Some(line);
    }

    /// Takes a datagram that a bad line has let through.
    fn take(&mut self, datagram: &[u8]) {
        if let Ok((header, body)) = SdpHeader::parse(datagram) {
            self.inject(&header, body);
        }
    }

    /// Whether the Ethernet has room for a packet of this length in this tick.
    fn carry(&mut self, bytes: usize) -> bool {
        let room = (self.settings.limits).is_none_or(|l| self.bytes + bytes <= l.bytes_per_tick);
        if room {
            self.bytes += bytes;
        } else {
            self.counts.over_bandwidth += 1;
        }
        room
    }

    fn monitor(&mut self, header: &SdpHeader, body: &[u8], from: SocketAddr, send: Send<'_>) {
        let Ok(request) = Request::parse(header, body) else {
            self.counts.malformed += 1;
            return;
        };
        if let Request::IpTagSet(set) = request {
            let to = set.to.map(|(address, port)| (address, port).into());
            self.tags[usize::from(set.tag)] = Some(to.unwrap_or(from));
            self.counts.tags_set += 1;
        }
        send(&request.answer(header), from);
    }

    fn inject(&mut self, header: &SdpHeader, body: &[u8]) {
        let core = header.core();
        let known = |p: &Population| p.core == core;
        let Some(own) = self.map.populations.iter().position(known) else {
            self.counts.malformed += 1;
            return;
        };
        if is_command(body) {
            // Buffers are the tool chain's business; there are none here.
            return;
        }
        let Ok(message) = Message::parse(body) else {
            self.counts.malformed += 1;
            return;
        };
        for event in message.events_at_injector(Some(own as u16 + 1)) {
            let atom = event.key & 0xFFFF;
            let owned = event.key >> 16 == own as u32 + 1;
            if !owned || atom as usize >= self.map.populations[own].keys.len() {
                self.counts.unknown_key += 1;
            } else if !self.running {
                self.counts.while_paused += 1;
            } else if let Some(spec) = self.specs.get(own) {
                let takes = matches!(spec.role, Role::Input | Role::Echo);
                let time = event.payload.filter(|_| message.header.payload_is_time);
                match takes {
                    true => self.deliver(own, atom, time),
                    false => self.counts.unknown_key += 1,
                }
            } else {
                self.set_rate(own, atom, event.payload);
            }
        }
    }

    fn deliver(&mut self, population: usize, atom: u32, time: Option<u32>) {
        if self.waiting >= WAITING {
            self.counts.no_room += 1;
            return;
        }
        self.counts.events_in += 1;
        self.waiting += 1;
        let spike = Spike {
            population: population as u16,
            atom,
        };
        match time {
            Some(tick) if tick > self.now => self.timed.entry(tick).or_default().push(spike),
            Some(_) => {
                self.counts.late += 1;
                self.inbox.push(spike);
            }
            None => self.inbox.push(spike),
        }
    }

    /// A rate in Hz as u16.16 for a source of the population that `control` is for.
    fn set_rate(&mut self, control: usize, atom: u32, rate: Option<u32>) {
        let label = &self.map.populations[control].label;
        let sources = label.strip_suffix("_control");
        let of = |spec: &Spec| Some(spec.label) == sources;
        match (self.specs.iter().position(of), rate) {
            (Some(population), Some(rate)) => {
                let per_tick = f64::from(rate) / 65536.0 * f64::from(self.map.tick_us) * 1e-6;
                self.rates[population][atom as usize] = per_tick;
                self.counts.rates_set += 1;
            }
            _ => self.counts.unknown_key += 1,
        }
    }

    /// One tick: events that have arrived go to the program, its spikes to whoever listens.
    pub fn tick(&mut self, send: Send<'_>) {
        if !self.running {
            return;
        }
        if let Some(mut line) = self.line_in.take() {
            line.arrive(self.now, &mut |datagram| self.take(datagram));
            self.line_in = Some(line);
        }
        self.now = self.now.wrapping_add(1);
        self.counts.ticks += 1;
        if let Some(due) = self.timed.remove(&self.now) {
            self.inbox.extend(due);
        }
        self.fired.clear();
        self.program.tick(&self.inbox, &mut self.fired);
        for spike in &self.inbox {
            if self.specs[usize::from(spike.population)].role == Role::Echo {
                self.fired.push(*spike);
            }
        }
        self.waiting -= self.inbox.len();
        self.inbox.clear();
        self.poisson();
        for spike in &self.fired {
            let keys = &self.map.populations[usize::from(spike.population)].keys;
            self.gatherer.push(keys[spike.atom as usize]);
        }
        self.flush(send);
        self.bytes = 0;
    }

    fn poisson(&mut self) {
        for (population, rates) in self.rates.iter().enumerate() {
            for (atom, &rate) in rates.iter().enumerate() {
                let spikes = Poisson::new(rate).map_or(0.0, |p| p.sample(&mut self.rng));
                for _ in 0..(spikes as usize).min(WAITING.saturating_sub(self.fired.len())) {
                    self.fired.push(Spike {
                        population: population as u16,
                        atom: atom as u32,
                    });
                }
            }
        }
    }

    fn flush(&mut self, send: Send<'_>) {
        let listener = self.tags[usize::from(TAG)];
        let limit = self.settings.limits.map(|l| l.bytes_per_tick);
        let (counts, bytes, line) = (&mut self.counts, &mut self.bytes, &mut self.line_out);
        let now = self.now;
        self.gatherer.flush(now, |packet, keys| {
            let Some(to) = listener else {
                counts.nobody_listens += keys as u64;
                return;
            };
            if limit.is_some_and(|most| *bytes + packet.len() > most) {
                counts.over_bandwidth += 1;
                return;
            }
            *bytes += packet.len();
            counts.events_out += keys as u64;
            counts.packets_out += 1;
            match line {
                Some(line) => line.pass(now, packet, &mut |packet| send(packet, to)),
                None => send(packet, to),
            }
        });
        if let (Some(line), Some(to)) = (line, listener) {
            line.arrive(now, &mut |packet| send(packet, to));
        }
    }
}

/// Puts populations on cores and gives them keys; the controls of Poisson sources come last.
fn place(specs: &[Spec], limits: Option<Limits>) -> Result<Vec<Population>> {
    let controls = specs.iter().filter(|s| s.role == Role::Poisson);
    let controls = controls.map(|s| (format!("{}_control", s.label), s.atoms, Role::Input));
    let all = specs.iter().map(|s| (s.label.to_owned(), s.atoms, s.role));
    let mut populations = Vec::new();
    let mut cores = 0;
    for (i, (label, atoms, role)) in all.chain(controls).enumerate() {
        // Injectors hold no neurons.
        let per_core = match role {
            Role::Output => limits.map_or(MAX_ATOMS, |l| l.neurons_per_core),
            Role::Input | Role::Echo | Role::Poisson => MAX_ATOMS,
        };
        cores += atoms.div_ceil(per_core);
        let base = (i as u32 + 1) << 16;
        let keys = keys(base, atoms, per_core);
        let what = if i >= MAX_POPULATIONS {
            format!("a chip has cores for {MAX_POPULATIONS} populations; give it fewer")
        } else if keys.last().is_some_and(|&key| key >> 16 != i as u32 + 1) {
            format!(
                "{atoms} atoms, {per_core} a core, have more than the {MAX_ATOMS} keys that are \
                 told apart; use a smaller network"
            )
        } else if limits.is_some() && cores > CORES {
            format!(
                "with its {atoms} atoms, {per_core} a core, the network needs {cores} cores, a \
                 board has {CORES}; use a smaller network, or more boards"
            )
        } else {
            let core = Core {
                x: 0,
                y: 0,
                p: FIRST_CORE + i as u8,
            };
            populations.push(Population {
                label,
                core,
                keys,
                live: role != Role::Input,
            });
            continue;
        };
        return Err(SpinnakerError::Population { label, what });
    }
    Ok(populations)
}

/// Keys of a population's atoms. Each core has a block of its own, whose size is a power of
/// two, as the tool chain gives them out: where cores are not full, keys have gaps.
fn keys(base: u32, atoms: usize, per_core: usize) -> Vec<u32> {
    let block = per_core.next_power_of_two();
    (0..atoms)
        .map(|atom| base + (atom / per_core * block + atom % per_core) as u32)
        .collect()
}
