//! What comes from the board: packets, put together to ticks in their order.

use std::collections::BTreeMap;

/// Ticks that may wait; a board that is so far ahead has lost us.
const PENDING: usize = 1 << 12;
/// A tick so far behind the last one is of a board that has started anew.
const RESTART: u32 = 1000;

/// A tick of the board.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoardTick {
    /// Its number on the board.
    pub tick: u32,
    /// Whether an interval began in it.
    pub begins: bool,
    /// Whether an interval ended in it.
    pub ends: bool,
    /// Recurrent neurons that fired, ascending.
    pub hidden: Vec<u32>,
    /// Output neurons that fired, ascending; none where the board does not learn.
    pub output: Vec<u32>,
    /// Error neurons that fired, ascending; none where the board does not learn.
    pub errors: Vec<u32>,
}

/// What was wrong with what came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct TickCounts {
    /// Ticks handed on.
    pub ticks: u64,
    /// Spikes of the recurrent layer in them.
    pub spikes: u64,
    /// Ticks of which nothing came, or not the heartbeat: at least one packet each was lost.
    pub incomplete: u64,
    /// Spikes that came twice.
    pub duplicates: u64,
    /// Spikes that came after their tick had been handed on.
    pub late: u64,
    /// Keys of no population of ours.
    pub unknown_key: u64,
    /// Times that the board's ticks began anew.
    pub restarts: u64,
}

/// What a key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    Hidden(u32),
    Output(u32),
    Error(u32),
    Begin,
    End,
    Heartbeat,
}

/// Ticks under way.
#[derive(Debug)]
pub(super) struct Ticks {
    /// A tick is handed on when a packet has come of one so much later.
    hold: u32,
    pending: BTreeMap<u32, (BoardTick, bool)>,
    newest: u32,
    done: Option<u32>,
    pub(super) counts: TickCounts,
}

impl Ticks {
    pub(super) fn new(hold: u32) -> Self {
        Self {
            hold,
            pending: BTreeMap::new(),
            newest: 0,
            done: None,
            counts: TickCounts::default(),
        }
    }

    /// Begins anew, as after an outage.
    pub(super) fn reset(&mut self) {
        self.pending.clear();
        self.done = None;
        self.newest = 0;
    }

    /// What a packet of this tick says.
    pub(super) fn packet(&mut self, tick: u32, said: impl Iterator<Item = Said>) {
        if self
            .done
            .is_some_and(|done| tick.saturating_add(RESTART) < done)
        {
            self.counts.restarts += 1;
            self.reset();
        }
        if self.done.is_some_and(|done| tick <= done) {
            let spike = |s: &Said| matches!(s, Said::Hidden(_) | Said::Output(_) | Said::Error(_));
            let late = said.filter(spike).count();
            self.counts.late += late as u64;
            return;
        }
        self.newest = self.newest.max(tick);
        let (under_way, complete) = self.pending.entry(tick).or_default();
        under_way.tick = tick;
        let twice = &mut self.counts.duplicates;
        let mut insert = |spikes: &mut Vec<u32>, neuron| match spikes.binary_search(&neuron) {
            Ok(_) => *twice += 1,
            Err(at) => spikes.insert(at, neuron),
        };
        for said in said {
            match said {
                Said::Hidden(neuron) => insert(&mut under_way.hidden, neuron),
                Said::Output(neuron) => insert(&mut under_way.output, neuron),
                Said::Error(neuron) => insert(&mut under_way.errors, neuron),
                Said::Begin => under_way.begins = true,
                Said::End => under_way.ends = true,
                Said::Heartbeat => *complete = true,
            }
        }
    }

    /// The next tick, once it is old enough.
    pub(super) fn next(&mut self) -> Option<BoardTick> {
        let (&tick, _) = self.pending.first_key_value()?;
        let ripe = tick <= self.newest.saturating_sub(self.hold);
        if !ripe && self.pending.len() < PENDING {
            return None;
        }
        let (_, (next, complete)) = self.pending.pop_first()?;
        let silent = self.done.map_or(0, |done| tick - done - 1);
        self.counts.incomplete += u64::from(silent) + u64::from(!complete);
        self.done = Some(tick);
        self.counts.ticks += 1;
        self.counts.spikes += next.hidden.len() as u64;
        Some(next)
    }
}
