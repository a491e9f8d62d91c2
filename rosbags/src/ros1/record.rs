//! Records and their `name=value` headers.

use std::path::Path;

use crate::error::{BagError, Result};

/// The fields of a record header; borrowed from the record's bytes.
pub(super) struct Fields<'a> {
    path: &'a Path,
    offset: u64,
    fields: Vec<(&'a [u8], &'a [u8])>,
}

impl<'a> Fields<'a> {
    /// Parses a record header, or the data of a connection record, that starts
    /// at byte `offset` of the file `path`.
    pub fn parse(path: &'a Path, offset: u64, bytes: &'a [u8]) -> Result<Self> {
        let mut fields = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let at = offset + (bytes.len() - rest.len()) as u64;
            let Some((field, after)) = split_sized(rest) else {
                return Err(BagError::corrupt(
                    path,
                    at,
                    "a length and a header field of that length",
                    format!("{} bytes up to the end of the header", rest.len()),
                ));
            };
            let Some(equals) = field.iter().position(|&b| b == b'=') else {
                return Err(BagError::corrupt(
                    path,
                    at,
                    "a header field `name=value`",
                    crate::error::printable(&field[..field.len().min(40)]),
                ));
            };
            fields.push((&field[..equals], &field[equals + 1..]));
            rest = after;
        }
        Ok(Self {
            path,
            offset,
            fields,
        })
    }

    pub fn optional(&self, name: &str) -> Option<&'a [u8]> {
        let found = self.fields.iter().find(|(n, _)| *n == name.as_bytes())?;
        Some(found.1)
    }

    fn bytes(&self, name: &str) -> Result<&'a [u8]> {
        self.optional(name).ok_or_else(|| {
            let has: Vec<_> = self
                .fields
                .iter()
                .map(|(n, _)| n.escape_ascii().to_string())
                .collect();
            BagError::corrupt(
                self.path,
                self.offset,
                format!("a record header with field `{name}`"),
                format!("fields [{}]", has.join(", ")),
            )
        })
    }

    fn array<const N: usize>(&self, name: &str) -> Result<[u8; N]> {
        let bytes = self.bytes(name)?;
        bytes.try_into().map_err(|_| {
            BagError::corrupt(
                self.path,
                self.offset,
                format!("{N} bytes in header field `{name}`"),
                format!("{} bytes", bytes.len()),
            )
        })
    }

    pub fn op(&self) -> Result<u8> {
        Ok(self.array::<1>("op")?[0])
    }

    pub fn u32(&self, name: &str) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array(name)?))
    }

    pub fn u64(&self, name: &str) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array(name)?))
    }

    /// A ROS 1 time, as ns.
    pub fn time_ns(&self, name: &str) -> Result<i64> {
        let raw = self.u64(name)?;
        Ok(i64::from(raw as u32) * 1_000_000_000 + (raw >> 32) as i64)
    }

    /// Text; bytes that are not UTF-8 (an accent in somebody's comment) are replaced.
    pub fn text(&self, name: &str) -> Result<String> {
        Ok(String::from_utf8_lossy(self.bytes(name)?).into_owned())
    }
}

/// Splits `{u32 length, bytes}` off the front; `None` if it does not fit.
pub(super) fn split_sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

/// Appends a header built of `fields`, with its length in front.
pub(super) fn put_header(out: &mut Vec<u8>, fields: &[(&str, &[u8])]) {
    let length: usize = fields.iter().map(|(n, v)| 4 + n.len() + 1 + v.len()).sum();
    out.extend_from_slice(&(length as u32).to_le_bytes());
    for (name, value) in fields {
        out.extend_from_slice(&((name.len() + 1 + value.len()) as u32).to_le_bytes());
        out.extend_from_slice(name.as_bytes());
        out.push(b'=');
        out.extend_from_slice(value);
    }
}

/// Appends a whole record.
pub(super) fn put_record(out: &mut Vec<u8>, fields: &[(&str, &[u8])], data: &[u8]) {
    put_header(out, fields);
    out.extend_from_slice(&(data.len() as u32).to_le_bytes());
    out.extend_from_slice(data);
}
