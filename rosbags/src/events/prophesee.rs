//! Prophesee RAW and DAT files: a header, then words or events to the end.

use super::bytes::{Bytes, FileReader};
use super::{
    DatDecoder, DecodeCounts, EventBatch, Evt2Decoder, Evt3Decoder, Evt21Decoder, Geometry,
    RawEncoding, RawHeader,
};
use crate::error::Result;

/// Reads a RAW or DAT file.
pub(super) struct PropheseeReader {
    bytes: Bytes,
    geometry: Option<Geometry>,
    decoder: Decoder,
}

enum Decoder {
    Evt2(Evt2Decoder),
    Evt21(Evt21Decoder),
    Evt3(Evt3Decoder),
    Dat(DatDecoder),
}

impl PropheseeReader {
    /// Reads the header; returns the format's name too.
    pub fn open(mut bytes: Bytes) -> Result<(&'static str, Self)> {
        let path = bytes.path().to_owned();
        let header = RawHeader::parse(&path, bytes.peek(RawHeader::MAX)?)?;
        bytes.advance(header.data_offset as usize);
        let geometry = header.geometry.unwrap_or(Geometry::UNBOUNDED);
        let (name, decoder) = match header.encoding {
            RawEncoding::Evt2 => ("raw/evt2", Decoder::Evt2(Evt2Decoder::new(geometry))),
            RawEncoding::Evt21(order) => (
                "raw/evt21",
                Decoder::Evt21(Evt21Decoder::new(geometry, order)),
            ),
            RawEncoding::Evt3 => ("raw/evt3", Decoder::Evt3(Evt3Decoder::new(geometry))),
            RawEncoding::Dat => ("dat", Decoder::Dat(DatDecoder::new(geometry))),
        };
        let reader = Self {
            bytes,
            geometry: header.geometry,
            decoder,
        };
        Ok((name, reader))
    }
}

impl FileReader for PropheseeReader {
    fn next_batch(&mut self, batch: &mut EventBatch) -> Result<bool> {
        let here = self.bytes.peek(1)?;
        let n = here.len();
        match &mut self.decoder {
            Decoder::Evt2(d) if n == 0 => d.finish(),
            Decoder::Evt21(d) if n == 0 => d.finish(),
            Decoder::Evt3(d) if n == 0 => d.finish(),
            Decoder::Dat(d) if n == 0 => d.finish(),
            Decoder::Evt2(d) => d.decode(here, batch),
            Decoder::Evt21(d) => d.decode(here, batch),
            Decoder::Evt3(d) => d.decode(here, batch),
            Decoder::Dat(d) => d.decode(here, batch),
        }
        self.bytes.advance(n);
        Ok(n > 0)
    }

    fn geometry(&self) -> Option<Geometry> {
        self.geometry
    }

    fn counts(&self) -> DecodeCounts {
        match &self.decoder {
            Decoder::Evt2(d) => d.counts(),
            Decoder::Evt21(d) => d.counts(),
            Decoder::Evt3(d) => d.counts(),
            Decoder::Dat(d) => d.counts(),
        }
    }
}
