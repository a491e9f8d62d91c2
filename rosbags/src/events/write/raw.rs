//! Prophesee RAW and DAT files.

use saccade_msgs::Event;

use super::super::{
    EventBatch, EventError, Evt2Encoder, Evt3Encoder, Evt21Encoder, Geometry, HalfOrder,
    RawEncoding, Trigger,
};
use super::{Encode, Encoded};

/// An encoder of one of the EVT encodings.
pub(super) enum Evt {
    Two(Evt2Encoder),
    TwoOne(Evt21Encoder),
    Three(Evt3Encoder),
}

impl Evt {
    /// The encoder of that encoding; `None` for DAT, which has no words but events.
    pub fn new(encoding: RawEncoding) -> Option<Self> {
        match encoding {
            RawEncoding::Evt2 => Some(Self::Two(Evt2Encoder::new())),
            RawEncoding::Evt21(order) => Some(Self::TwoOne(Evt21Encoder::new(order))),
            RawEncoding::Evt3 => Some(Self::Three(Evt3Encoder::new())),
            RawEncoding::Dat => None,
        }
    }

    /// Appends the words of a batch, each trigger after the events that are not
    /// later. Returns how many triggers cannot be said.
    pub fn batch(&mut self, batch: &EventBatch, out: &mut Vec<u8>) -> Result<u64, EventError> {
        let (mut done, mut lost) = (0, 0);
        for &trigger in &batch.triggers {
            let rest = &batch.events[done..];
            let later = rest.iter().position(|e| e.t_us > trigger.t_us);
            let n = later.unwrap_or(rest.len());
            self.events(&rest[..n], out)
                .map_err(|e| e.after(done as u64))?;
            done += n;
            lost += u64::from(!self.trigger(trigger, out));
        }
        self.events(&batch.events[done..], out)
            .map_err(|e| e.after(done as u64))?;
        Ok(lost)
    }

    fn events(&mut self, events: &[Event], out: &mut Vec<u8>) -> Result<(), EventError> {
        match self {
            Self::Two(encoder) => encoder.encode(events, out),
            Self::TwoOne(encoder) => encoder.encode(events, out),
            Self::Three(encoder) => encoder.encode(events, out),
        }
    }

    fn trigger(&mut self, trigger: Trigger, out: &mut Vec<u8>) -> bool {
        match self {
            Self::Two(encoder) => encoder.encode_trigger(trigger, out),
            Self::TwoOne(encoder) => encoder.encode_trigger(trigger, out),
            Self::Three(encoder) => encoder.encode_trigger(trigger, out),
        }
    }

    /// Has the next event tell all state anew.
    pub fn tell_anew(&mut self) {
        match self {
            Self::Two(encoder) => encoder.tell_anew(),
            Self::TwoOne(encoder) => encoder.tell_anew(),
            Self::Three(encoder) => encoder.tell_anew(),
        }
    }
}

/// Writes what follows the header of a RAW or DAT file.
pub(super) struct RawWriter {
    evt: Option<Evt>,
    last_us: u64,
}

impl RawWriter {
    /// Puts the header into `out`.
    pub fn new(encoding: RawEncoding, geometry: Option<Geometry>, out: &mut Vec<u8>) -> Self {
        out.extend(header(encoding, geometry).as_bytes());
        if encoding == RawEncoding::Dat {
            out.extend([0x0C, 8]);
        }
        Self {
            evt: Evt::new(encoding),
            last_us: 0,
        }
    }

    fn dat(&mut self, events: &[Event], out: &mut Vec<u8>) -> Result<(), EventError> {
        for (i, e) in events.iter().enumerate() {
            let why = if e.x > 0x3FFF || e.y > 0x3FFF {
                "addresses go up to 16383"
            } else if e.t_us >> 32 != 0 {
                "times go up to 2^32 us (71 min)"
            } else if self.last_us.saturating_sub(e.t_us) >= 1 << 31 {
                "time steps back by 36 min or more"
            } else {
                self.last_us = e.t_us;
                let address = u32::from(e.x) | u32::from(e.y) << 14 | u32::from(e.on) << 28;
                out.extend_from_slice(&(u64::from(address) << 32 | e.t_us).to_le_bytes());
                continue;
            };
            return Err(EventError::unencodable(i, *e, "dat", why));
        }
        Ok(())
    }
}

impl Encode for RawWriter {
    fn batch(&mut self, batch: &EventBatch, out: &mut Vec<u8>) -> Encoded<u64> {
        match &mut self.evt {
            Some(evt) => Ok(evt.batch(batch, out)?),
            None => {
                self.dat(&batch.events, out)?;
                Ok(batch.triggers.len() as u64)
            }
        }
    }
}

fn header(encoding: RawEncoding, geometry: Option<Geometry>) -> String {
    let mut lines = Vec::new();
    let size = geometry.map(|g| (g.width, g.height));
    let (version, name) = match encoding {
        RawEncoding::Dat => {
            lines.push("Data file containing CD events.".to_owned());
            lines.push("Version 2".to_owned());
            if let Some((width, height)) = size {
                lines.extend([format!("Height {height}"), format!("Width {width}")]);
            }
            return percent(&lines);
        }
        RawEncoding::Evt2 => ("2.0", "EVT2"),
        RawEncoding::Evt21(HalfOrder::LittleEndian) => ("2.1", "EVT21"),
        RawEncoding::Evt21(HalfOrder::Swapped) => ("2.1", "EVT21;endianness=legacy"),
        RawEncoding::Evt3 => ("3.0", "EVT3"),
    };
    let sizes = size.map_or(String::new(), |(w, h)| format!(";height={h};width={w}"));
    lines.extend([format!("evt {version}"), format!("format {name}{sizes}")]);
    lines.extend(size.map(|(w, h)| format!("geometry {w}x{h}")));
    lines.push("end".to_owned());
    percent(&lines)
}

fn percent(lines: &[String]) -> String {
    lines.iter().map(|line| format!("% {line}\n")).collect()
}
