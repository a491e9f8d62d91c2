//! The bytes of Gazebo's messages: Protocol Buffers, version 3 (protobuf.dev, "Encoding"). A
//! message is fields, each a number and a value; what is not known is passed over, what is
//! missing has the value zero.

/// Bytes that are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no protobuf message: {0}")]
pub struct WireError(&'static str);

const CUT: WireError = WireError("it ends within a field");

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// A whole number, a switch or one of an enumeration.
    Number(u64),
    /// A `double`.
    Double(f64),
    /// A `float`.
    Single(f32),
    /// Text, bytes, another message, or numbers in a row.
    Bytes(&'a [u8]),
}

impl<'a> Value<'a> {
    pub fn number(self) -> Result<u64, WireError> {
        match self {
            Value::Number(n) => Ok(n),
            _ => Err(WireError("a field that should be a whole number is none")),
        }
    }

    pub fn double(self) -> Result<f64, WireError> {
        match self {
            Value::Double(x) => Ok(x),
            _ => Err(WireError("a field that should be a double is none")),
        }
    }

    pub fn bytes(self) -> Result<&'a [u8], WireError> {
        match self {
            Value::Bytes(bytes) => Ok(bytes),
            _ => Err(WireError("a field that should have bytes has none")),
        }
    }

    pub fn text(self) -> Result<String, WireError> {
        let text = std::str::from_utf8(self.bytes()?);
        Ok(text
            .map_err(|_| WireError("a text is not UTF-8"))?
            .to_owned())
    }

    /// Adds the doubles of a repeated field, in a row or one by one.
    pub fn doubles(self, to: &mut Vec<f64>) -> Result<(), WireError> {
        let Value::Bytes(bytes) = self else {
            to.push(self.double()?);
            return Ok(());
        };
        let (doubles, []) = bytes.as_chunks::<8>() else {
            return Err(CUT);
        };
        to.extend(doubles.iter().map(|b| f64::from_le_bytes(*b)));
        Ok(())
    }
}

/// The fields of a message, in the order of its bytes.
pub struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    pub fn of(message: &'a [u8]) -> Self {
        Fields(message)
    }

    fn varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0;
        for i in 0..10 {
            let (byte, rest) = self.0.split_first().ok_or(CUT)?;
            self.0 = rest;
            value |= u64::from(byte & 0x7F) << (7 * i);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(WireError("a number has more than ten bytes"))
    }

    fn take(&mut self, count: u64) -> Result<&'a [u8], WireError> {
        let count = usize::try_from(count).map_err(|_| CUT)?;
        let (taken, rest) = self.0.split_at_checked(count).ok_or(CUT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn chunk<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(CUT)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn field(&mut self) -> Result<(u64, Value<'a>), WireError> {
        let key = self.varint()?;
        let value = match key & 7 {
            0 => Value::Number(self.varint()?),
            1 => Value::Double(f64::from_le_bytes(self.chunk()?)),
            2 => {
                let count = self.varint()?;
                Value::Bytes(self.take(count)?)
            }
            5 => Value::Single(f32::from_le_bytes(self.chunk()?)),
            _ => return Err(WireError("a field has a kind that version 3 does not have")),
        };
        Ok((key >> 3, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(u64, Value<'a>), WireError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.0 = &[];
        }
        Some(field)
    }
}

/// A message under way.
#[derive(Debug, Default)]
pub struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    pub fn number(mut self, field: u64, value: i64) -> Self {
        self.varint(field << 3);
        self.varint(value as u64);
        self
    }

    pub fn double(mut self, field: u64, value: f64) -> Self {
        self.varint(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }

    /// Doubles in a row.
    pub fn doubles(self, field: u64, values: &[f64]) -> Self {
        let row: Vec<u8> = values.iter().flat_map(|x| x.to_le_bytes()).collect();
        self.bytes(field, &row)
    }

    /// A message in the message.
    pub fn message(self, field: u64, inner: Message) -> Self {
        self.bytes(field, &inner.0)
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_as_the_specification_has_them() {
        // Its own examples: 150 in field 1, "testing" in field 2.
        let message = Message::default().number(1, 150).bytes(2, b"testing");
        let bytes = message.into_bytes();
        assert_eq!(bytes, b"\x08\x96\x01\x12\x07testing");
        let fields: Result<Vec<_>, _> = Fields::of(&bytes).collect();
        let expected = [(1, Value::Number(150)), (2, Value::Bytes(b"testing"))];
        assert_eq!(fields.expect("a message"), expected);
        let minus = Message::default().number(3, -1).into_bytes();
        let fields: Result<Vec<_>, _> = Fields::of(&minus).collect();
        assert_eq!(fields, Ok(vec![(3, Value::Number(u64::MAX))]));
    }

    #[test]
    fn bytes_that_are_no_message_are_refused() {
        for bad in [
            &b"\x08"[..],
            b"\x09\0\0",
            b"\x12\x05abc",
            b"\x0b",
            &[0x88; 12],
        ] {
            let read: Result<Vec<_>, _> = Fields::of(bad).collect();
            assert!(read.is_err(), "{bad:x?}");
        }
    }
}
