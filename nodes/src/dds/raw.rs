//! Messages that `rustdds` carries as bytes, without looking at them.

use std::convert::Infallible;

use rustdds::RepresentationIdentifier as Representation;
use rustdds::bytes::Bytes;
use rustdds::no_key::{Decode, DefaultDecoder, DeserializerAdapter, SerializerAdapter};

/// Bytes of the CDR header that says how the rest is represented.
pub(super) const HEADER: usize = 4;

/// The message after its CDR header, to be sent.
pub(super) struct Body(pub Bytes);

/// A whole message as it came, with its CDR header.
pub(super) struct Whole(pub Vec<u8>);

pub(super) struct Adapter;

impl SerializerAdapter<Body> for Adapter {
    type Error = Infallible;

    fn output_encoding() -> Representation {
        Representation::CDR_LE
    }

    fn to_bytes(body: &Body) -> Result<Bytes, Infallible> {
        Ok(body.0.clone())
    }
}

impl DeserializerAdapter<Whole> for Adapter {
    type Error = Infallible;
    type Decoded = Whole;

    fn supported_encodings() -> &'static [Representation] {
        // What is only carried need not be understood.
        &[
            Representation::CDR_LE,
            Representation::CDR_BE,
            Representation::PL_CDR_LE,
            Representation::PL_CDR_BE,
            Representation::XCDR2_LE,
            Representation::XCDR2_BE,
            Representation::D_CDR2_LE,
            Representation::D_CDR2_BE,
            Representation::PL_XCDR2_LE,
            Representation::PL_XCDR2_BE,
        ]
    }

    fn transform_decoded(decoded: Whole) -> Whole {
        decoded
    }
}

impl DefaultDecoder<Whole> for Adapter {
    type Decoder = AsItIs;
    const DECODER: AsItIs = AsItIs;
}

#[derive(Clone)]
pub(super) struct AsItIs;

impl Decode<'_, Whole> for AsItIs {
    type Error = Infallible;

    fn decode_bytes(self, body: &[u8], encoding: Representation) -> Result<Whole, Infallible> {
        let mut whole = Vec::with_capacity(HEADER + body.len());
        whole.extend_from_slice(&encoding.to_bytes());
        whole.extend_from_slice(&[0, 0]);
        whole.extend_from_slice(body);
        Ok(Whole(whole))
    }
}
