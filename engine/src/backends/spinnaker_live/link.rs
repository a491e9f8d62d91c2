//! The talk with a board, without sockets or clocks.

use std::collections::HashMap;

use super::clock::BoardClock;
use super::pace::{Outgoing, Pace, PaceCounts, Pacer};
use super::ticks::{BoardTick, Said, TickCounts, Ticks};
use crate::spinnaker::board_map::{BoardMap, Population};
use crate::spinnaker::eieio::Message;
use crate::spinnaker::emulator::{BEGIN, END, classifier_populations};
use crate::spinnaker::sdp::{IpTagSet, tag_answer};
use crate::spinnaker::{Result, SpinnakerError};

/// The populations that take events, with their keys.
#[derive(Debug)]
struct Target {
    core: crate::spinnaker::command::Core,
    keys: Vec<u32>,
}

impl Target {
    fn of(population: &Population) -> Self {
        Self {
            core: population.core,
            keys: population.keys.clone(),
        }
    }

    /// The event of an atom, for a tick or for the next; `None` where there is no such atom.
    fn event(&self, atom: u32, tick: Option<u32>) -> Option<Outgoing> {
        let &key = self.keys.get(atom as usize)?;
        Some(Outgoing {
            core: self.core,
            // With a tick a key is sent whole, else its number in the population.
            key: if tick.is_some() { key } else { atom },
            tick,
        })
    }
}

/// What has come and gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct LinkCounts {
    /// On the way out.
    pub out: PaceCounts,
    /// Ticks that came.
    pub ticks: TickCounts,
    /// Datagrams that were not understood.
    pub malformed: u64,
}

/// A classifier's recurrent layer on a board: events to it, ticks from it.
#[derive(Debug)]
pub struct Link {
    input: Target,
    control: Target,
    /// Where the board learns.
    label: Option<Target>,
    said: HashMap<u32, Said>,
    tag: IpTagSet,
    answered: Option<u16>,
    clock: BoardClock,
    pacer: Pacer,
    ticks: Ticks,
    unknown_key: u64,
    malformed: u64,
}

impl Link {
    /// To the board of `map`, for a network with so many inputs and recurrent neurons. A tick
    /// is handed on when a packet has come of one `hold` ticks later.
    ///
    /// # Errors
    /// The board runs another network, or the pace cannot be.
    pub fn new(map: &BoardMap, n_in: usize, n_rec: usize, pace: Pace, hold: u32) -> Result<Self> {
        pace.validate()?;
        let mut found = Vec::new();
        for spec in classifier_populations(n_in, n_rec) {
            let population = map.population(spec.label)?;
            if population.keys.len() != spec.atoms {
                return Err(SpinnakerError::Population {
                    label: spec.label.to_owned(),
                    what: format!(
                        "{} atoms on the board, {} in these weights; load the same network there",
                        population.keys.len(),
                        spec.atoms
                    ),
                });
            }
            found.push(population);
        }
        let [input, control, hidden, heartbeat] = found[..] else {
            return Err(SpinnakerError::Setting("four populations".into()));
        };
        let mut said: HashMap<u32, Said> = HashMap::new();
        let neurons = hidden.keys.iter().zip(0..);
        said.extend(neurons.map(|(&key, neuron)| (key, Said::Hidden(neuron))));
        said.insert(control.keys[BEGIN as usize], Said::Begin);
        said.insert(control.keys[END as usize], Said::End);
        said.insert(heartbeat.keys[0], Said::Heartbeat);
        let label = teaching(map, &mut said)?;
        Ok(Self {
            input: Target::of(input),
            control: Target::of(control),
            label: label.map(Target::of),
            said,
            tag: IpTagSet {
                yx: map.tag_yx,
                tag: map.tag,
                sequence: 0,
                strip: true,
                to: None,
            },
            answered: None,
            clock: BoardClock::new(map.tick_us),
            pacer: Pacer::new(pace),
            ticks: Ticks::new(hold),
            unknown_key: 0,
            malformed: 0,
        })
    }

    /// Queues an input spike, for a tick or for the next. Whether there was room.
    ///
    /// # Errors
    /// The network has no such input.
    pub fn push(&mut self, input: u32, tick: Option<u32>) -> Result<bool> {
        let event = self.input.event(input, tick);
        let event = event.ok_or_else(|| no_atom("input", input, &self.input))?;
        Ok(self.pacer.push(event))
    }

    /// Queues a spike of a class's label neuron, for a tick or for the next. Whether there
    /// was room.
    ///
    /// # Errors
    /// The board does not learn, or has no such class.
    pub fn label(&mut self, class: u32, tick: Option<u32>) -> Result<bool> {
        let Some(label) = &self.label else {
            return Err(SpinnakerError::Population {
                label: "label".into(),
                what: "the board has none, its network does not learn; put one there that does \
                       (an emulator: `--learn`)"
                    .into(),
            });
        };
        let event = label.event(class, tick);
        let event = event.ok_or_else(|| no_atom("label", class, label))?;
        Ok(self.pacer.push(event))
    }

    /// Classes that have a label on the board; 0 where it does not learn.
    pub fn classes(&self) -> usize {
        self.label.as_ref().map_or(0, |label| label.keys.len())
    }

    /// Queues the begin or the end of an interval, for a tick or for the next. Whether there
    /// was room.
    pub fn control(&mut self, begin: bool, tick: Option<u32>) -> bool {
        let atom = if begin { BEGIN } else { END };
        let event = self.control.event(atom, tick);
        event.is_some_and(|event| self.pacer.push(event))
    }

    /// The request that output comes to whoever sends it; each call is another one.
    pub fn ask(&mut self) -> [u8; 26] {
        self.tag.sequence = self.tag.sequence.wrapping_add(1);
        self.tag.to_bytes()
    }

    /// Whether the last [`Link::ask`] has been answered.
    pub fn is_answered(&self) -> bool {
        self.answered == Some(self.tag.sequence)
    }

    /// Takes a datagram from the board; whether ticks were in it.
    pub fn receive(&mut self, datagram: &[u8], now_us: u64) -> bool {
        if let Some(sequence) = tag_answer(datagram) {
            self.answered = Some(sequence);
            return false;
        }
        let Ok(message) = Message::parse(datagram) else {
            self.malformed += 1;
            return false;
        };
        let Some(tick) = message.tick() else {
            self.malformed += 1;
            return false;
        };
        self.clock.packet(tick, now_us);
        let (said, unknown) = (&self.said, &mut self.unknown_key);
        let known = message.events().filter_map(|event| {
            let what = said.get(&event.key).copied();
            *unknown += u64::from(what.is_none());
            what
        });
        self.ticks.packet(tick, known);
        true
    }

    /// Sends what the board can take now.
    pub fn flush(&mut self, now_us: u64, send: &mut dyn FnMut(&[u8])) {
        self.pacer.flush(now_us, send);
    }

    /// The board's next tick, once it is complete as far as can be known.
    pub fn next_tick(&mut self) -> Option<BoardTick> {
        self.ticks.next()
    }

    /// Events that wait to be sent.
    pub fn waiting(&self) -> usize {
        self.pacer.waiting()
    }

    /// The board was gone: what waits is dropped and counted, its ticks may begin anew.
    pub fn forget(&mut self, tick_us: u32) {
        self.pacer.clear();
        self.ticks.reset();
        self.clock = BoardClock::new(tick_us);
    }

    /// The board's ticks against local time.
    pub fn clock(&self) -> &BoardClock {
        &self.clock
    }

    /// What has come and gone.
    pub fn counts(&self) -> LinkCounts {
        LinkCounts {
            out: self.pacer.counts,
            ticks: TickCounts {
                unknown_key: self.unknown_key,
                ..self.ticks.counts
            },
            malformed: self.malformed,
        }
    }
}

fn no_atom(label: &str, atom: u32, target: &Target) -> SpinnakerError {
    SpinnakerError::Population {
        label: label.into(),
        what: format!("no atom {atom}, there are {}", target.keys.len()),
    }
}

/// The populations of a board that learns: what the keys of `output` and `error` say, and
/// where labels go. `None` where the board has no labels.
fn teaching<'a>(
    map: &'a BoardMap,
    said: &mut HashMap<u32, Said>,
) -> Result<Option<&'a Population>> {
    let Ok(label) = map.population("label") else {
        return Ok(None);
    };
    let (output, error) = (map.population("output")?, map.population("error")?);
    if output.keys.len() != label.keys.len() {
        return Err(SpinnakerError::Population {
            label: "output".into(),
            what: format!(
                "{} atoms, there are {} labels; each class needs one of both",
                output.keys.len(),
                label.keys.len()
            ),
        });
    }
    let outputs = output.keys.iter().zip(0..);
    said.extend(outputs.map(|(&key, neuron)| (key, Said::Output(neuron))));
    let errors = error.keys.iter().zip(0..);
    said.extend(errors.map(|(&key, neuron)| (key, Said::Error(neuron))));
    Ok(Some(label))
}
