//! The small part of FlatBuffers that AEDAT 4 needs: size-prefixed buffers of
//! one table with numbers, strings and vectors of structs. Nothing is trusted:
//! an offset that leads out of the buffer is an error.

/// What is wrong with a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Damage {
    /// Place in the buffer.
    pub at: usize,
    /// What should be there.
    pub expected: &'static str,
}

type Result<T> = std::result::Result<T, Damage>;

/// A table in a buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'a> {
    buffer: &'a [u8],
    at: usize,
    vtable: usize,
    vtable_len: usize,
}

impl<'a> Table<'a> {
    /// The root of a buffer that starts with its size.
    pub fn root(buffer: &'a [u8]) -> Result<Self> {
        let size = u32_at(buffer, 0)? as usize;
        if size > buffer.len() - 4 {
            return Err(Damage {
                at: 0,
                expected: "a size within the packet",
            });
        }
        let buffer = &buffer[..4 + size];
        Self::at(buffer, follow(buffer, 4)?)
    }

    /// The table at that place.
    fn at(buffer: &'a [u8], at: usize) -> Result<Self> {
        let back = i32::from_le_bytes(array(buffer, at)?);
        let vtable = i64::try_from(at).ok().map(|at| at - i64::from(back));
        let vtable = vtable.and_then(|v| usize::try_from(v).ok()).ok_or(Damage {
            at,
            expected: "the offset of a vtable",
        })?;
        Ok(Self {
            buffer,
            at,
            vtable,
            vtable_len: u16::from_le_bytes(array(buffer, vtable)?).into(),
        })
    }

    /// Place of field number `index`; `None` where it has its default.
    fn field(&self, index: usize) -> Result<Option<usize>> {
        let entry = 4 + 2 * index;
        if entry + 2 > self.vtable_len {
            return Ok(None);
        }
        let offset = u16::from_le_bytes(array(self.buffer, self.vtable.saturating_add(entry))?);
        Ok((offset != 0).then(|| self.at.saturating_add(offset.into())))
    }

    /// An `int32` field, or its default.
    pub fn i32(&self, index: usize, default: i32) -> Result<i32> {
        let Some(at) = self.field(index)? else {
            return Ok(default);
        };
        Ok(i32::from_le_bytes(array(self.buffer, at)?))
    }

    /// An `int64` field, or its default.
    pub fn i64(&self, index: usize, default: i64) -> Result<i64> {
        let Some(at) = self.field(index)? else {
            return Ok(default);
        };
        Ok(i64::from_le_bytes(array(self.buffer, at)?))
    }

    /// A field of one byte, or its default.
    pub fn u8(&self, index: usize, default: u8) -> Result<u8> {
        let Some(at) = self.field(index)? else {
            return Ok(default);
        };
        Ok(array::<1>(self.buffer, at)?[0])
    }

    /// The tables of a vector of tables.
    pub fn tables(&self, index: usize) -> Result<impl Iterator<Item = Result<Self>>> {
        let (offsets, first) = self.vector(index, 4)?;
        let buffer = self.buffer;
        let places = (0..offsets.len() / 4).map(move |i| first + 4 * i);
        Ok(places.map(move |place| Self::at(buffer, follow(buffer, place)?)))
    }

    /// The bytes of a vector (or string) of elements of `size` bytes, and their
    /// place; empty where there is none.
    pub fn vector(&self, index: usize, size: usize) -> Result<(&'a [u8], usize)> {
        let Some(at) = self.field(index)? else {
            return Ok((&[], 0));
        };
        let at = follow(self.buffer, at)?;
        let n = u32_at(self.buffer, at)? as usize;
        let first = at + 4;
        let bytes = (n.checked_mul(size))
            .and_then(|length| self.buffer.get(first..first.checked_add(length)?));
        let bytes = bytes.ok_or(Damage {
            at,
            expected: "a vector that ends within the packet",
        })?;
        Ok((bytes, first))
    }
}

fn array<const N: usize>(buffer: &[u8], at: usize) -> Result<[u8; N]> {
    let bytes = at.checked_add(N).and_then(|end| buffer.get(at..end));
    bytes.and_then(|b| b.try_into().ok()).ok_or(Damage {
        at,
        expected: "bytes within the packet",
    })
}

fn u32_at(buffer: &[u8], at: usize) -> Result<u32> {
    Ok(u32::from_le_bytes(array(buffer, at)?))
}

/// Where the offset at `at` leads.
fn follow(buffer: &[u8], at: usize) -> Result<usize> {
    Ok(at.saturating_add(u32_at(buffer, at)? as usize))
}
