//! What can stand in a message: numbers, strings, messages, and sequences and
//! fixed arrays of them.

use crate::Message;
use crate::cdr::{CdrError, Encoding, Reader, Writer};
use crate::schema::{Arity, Base, FieldType};

/// The type of a message's field. Implemented for the ROS primitives, every
/// [`Message`], and `Vec<T>` and `[T; N]` of them.
pub trait Field: Sized {
    /// Least number of bytes a value takes, without padding.
    const MIN_SIZE: usize;

    /// The type as ROS writes it.
    fn ros_type() -> FieldType;

    /// The value ROS gives to a field nobody set.
    fn zero() -> Self;

    /// Appends the value to a message body.
    fn put(&self, w: &mut Writer);

    /// Reads a value from a message body.
    ///
    /// # Errors
    /// Where the bytes are not such a value.
    fn get(r: &mut Reader<'_>) -> Result<Self, CdrError>;

    /// Appends the value as JSON; numbers that JSON lacks (NaN, infinities)
    /// become `null`.
    fn json(&self, out: &mut String);

    /// Appends many values without their count.
    fn put_slice(values: &[Self], w: &mut Writer) {
        for value in values {
            value.put(w);
        }
    }

    /// Reads `count` values; the caller has checked the count against the bytes
    /// left (see [`Reader::count`]).
    ///
    /// # Errors
    /// Where the bytes are not such values.
    fn get_vec(r: &mut Reader<'_>, count: usize) -> Result<Vec<Self>, CdrError> {
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            values.push(Self::get(r)?);
        }
        Ok(values)
    }
}

macro_rules! number {
    ($($rust:ident $ros:literal $json:expr;)*) => {$(
        impl Field for $rust {
            const MIN_SIZE: usize = size_of::<$rust>();

            fn ros_type() -> FieldType {
                FieldType::primitive($ros)
            }

            fn zero() -> Self {
                Self::default()
            }

            #[inline]
            fn put(&self, w: &mut Writer) {
                w.align(Self::MIN_SIZE);
                w.raw(&self.to_le_bytes());
            }

            #[inline]
            fn get(r: &mut Reader<'_>) -> Result<Self, CdrError> {
                Ok(Self::from_le_bytes(r.number($ros)?))
            }

            fn json(&self, out: &mut String) {
                let text: fn(&$rust) -> String = $json;
                out.push_str(&text(self));
            }

            // No padding before the elements of an empty sequence: so do
            // Fast CDR and Cyclone DDS.
            fn put_slice(values: &[Self], w: &mut Writer) {
                if values.is_empty() {
                    return;
                }
                w.align(Self::MIN_SIZE);
                w.reserve(size_of_val(values));
                for value in values {
                    w.raw(&value.to_le_bytes());
                }
            }

            fn get_vec(r: &mut Reader<'_>, count: usize) -> Result<Vec<Self>, CdrError> {
                if count == 0 {
                    return Ok(Vec::new());
                }
                let len = count.saturating_mul(Self::MIN_SIZE);
                let bytes = r.take(len, Self::MIN_SIZE, concat!($ros, "[]"))?;
                let (numbers, _) = bytes.as_chunks::<{ size_of::<$rust>() }>();
                Ok(if r.big_endian() {
                    numbers.iter().map(|n| Self::from_be_bytes(*n)).collect()
                } else {
                    numbers.iter().map(|n| Self::from_le_bytes(*n)).collect()
                })
            }
        }
    )*};
}

fn finite<T: std::fmt::Debug>(value: &T, finite: bool) -> String {
    if finite {
        format!("{value:?}")
    } else {
        "null".to_owned()
    }
}

number! {
    i8 "int8" i8::to_string;
    u16 "uint16" u16::to_string;
    i16 "int16" i16::to_string;
    u32 "uint32" u32::to_string;
    i32 "int32" i32::to_string;
    u64 "uint64" u64::to_string;
    i64 "int64" i64::to_string;
    f32 "float32" |v| finite(v, v.is_finite());
    f64 "float64" |v| finite(v, v.is_finite());
}

/// Bytes are copied in bulk: images and event packets consist of them.
impl Field for u8 {
    const MIN_SIZE: usize = 1;

    fn ros_type() -> FieldType {
        FieldType::primitive("uint8")
    }

    fn zero() -> Self {
        0
    }

    fn put(&self, w: &mut Writer) {
        w.raw(&[*self]);
    }

    fn get(r: &mut Reader<'_>) -> Result<Self, CdrError> {
        r.number("uint8").map(|[byte]| byte)
    }

    fn json(&self, out: &mut String) {
        out.push_str(&self.to_string());
    }

    fn put_slice(values: &[Self], w: &mut Writer) {
        w.raw(values);
    }

    fn get_vec(r: &mut Reader<'_>, count: usize) -> Result<Vec<Self>, CdrError> {
        r.take(count, 1, "uint8[]").map(<[u8]>::to_vec)
    }
}

impl Field for bool {
    const MIN_SIZE: usize = 1;

    fn ros_type() -> FieldType {
        FieldType::primitive("bool")
    }

    fn zero() -> Self {
        false
    }

    fn put(&self, w: &mut Writer) {
        w.raw(&[u8::from(*self)]);
    }

    fn get(r: &mut Reader<'_>) -> Result<Self, CdrError> {
        r.bool()
    }

    fn json(&self, out: &mut String) {
        out.push_str(if *self { "true" } else { "false" });
    }
}

impl Field for String {
    const MIN_SIZE: usize = 4;

    fn ros_type() -> FieldType {
        FieldType::primitive("string")
    }

    fn zero() -> Self {
        String::new()
    }

    fn put(&self, w: &mut Writer) {
        w.string(self);
    }

    fn get(r: &mut Reader<'_>) -> Result<Self, CdrError> {
        r.string()
    }

    fn json(&self, out: &mut String) {
        out.push('"');
        for c in self.chars() {
            match c {
                '"' | '\\' => out.extend(['\\', c]),
                c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
                c => out.push(c),
            }
        }
        out.push('"');
    }
}

impl<T: Field> Field for Vec<T> {
    const MIN_SIZE: usize = 4;

    fn ros_type() -> FieldType {
        FieldType {
            arity: Arity::Sequence,
            ..T::ros_type()
        }
    }

    fn zero() -> Self {
        Vec::new()
    }

    fn put(&self, w: &mut Writer) {
        w.count(self.len());
        T::put_slice(self, w);
    }

    fn get(r: &mut Reader<'_>) -> Result<Self, CdrError> {
        let count = r.count(T::MIN_SIZE)?;
        T::get_vec(r, count)
    }

    fn json(&self, out: &mut String) {
        json_array(self, out);
    }
}

/// A sequence that is bounded to one.
impl<T: Field> Field for Option<T> {
    const MIN_SIZE: usize = 4;

    fn ros_type() -> FieldType {
        FieldType {
            arity: Arity::AtMostOne,
            ..T::ros_type()
        }
    }

    fn zero() -> Self {
        None
    }

    fn put(&self, w: &mut Writer) {
        w.count(usize::from(self.is_some()));
        T::put_slice(self.as_slice(), w);
    }

    fn get(r: &mut Reader<'_>) -> Result<Self, CdrError> {
        let count = r.count(T::MIN_SIZE)?;
        if count > 1 {
            return Err(CdrError::TooMany {
                place: r.place(),
                offset: r.offset(),
                count,
            });
        }
        (count == 1).then(|| T::get(r)).transpose()
    }

    fn json(&self, out: &mut String) {
        json_array(self.as_slice(), out);
    }
}

impl<T: Field, const N: usize> Field for [T; N] {
    const MIN_SIZE: usize = N * T::MIN_SIZE;

    fn ros_type() -> FieldType {
        FieldType {
            arity: Arity::Array(N),
            ..T::ros_type()
        }
    }

    fn zero() -> Self {
        std::array::from_fn(|_| T::zero())
    }

    fn put(&self, w: &mut Writer) {
        T::put_slice(self, w);
    }

    fn get(r: &mut Reader<'_>) -> Result<Self, CdrError> {
        let mut values = Self::zero();
        for value in &mut values {
            *value = T::get(r)?;
        }
        Ok(values)
    }

    fn json(&self, out: &mut String) {
        json_array(self, out);
    }
}

impl<M: Message> Field for M {
    const MIN_SIZE: usize = <M as Message>::MIN_SIZE;

    fn ros_type() -> FieldType {
        FieldType {
            base: Base::Message(Box::new(M::schema())),
            arity: Arity::One,
        }
    }

    fn zero() -> Self {
        M::default()
    }

    fn put(&self, w: &mut Writer) {
        self.encode(w);
    }

    fn get(r: &mut Reader<'_>) -> Result<Self, CdrError> {
        M::decode(r)
    }

    fn json(&self, out: &mut String) {
        self.write_json(out);
    }
}

fn json_array<T: Field>(values: &[T], out: &mut String) {
    out.push('[');
    for (i, value) in values.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        value.json(out);
    }
    out.push(']');
}

/// What ROS adds to a message of a given type on the wire that is not a field
/// of its struct: the `seq` of a ROS 1 header, the dummy byte of a ROS 2
/// message without fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hidden {
    /// `std_msgs/Header` in ROS 1 starts with a `uint32 seq`.
    Ros1Seq,
    /// An empty message in ROS 2 holds one `uint8`.
    EmptyStruct,
}

impl Hidden {
    /// What is hidden in a message with this name and this many fields.
    #[must_use]
    pub const fn of(type_name: &str, fields: usize) -> Option<Hidden> {
        if fields == 0 {
            Some(Hidden::EmptyStruct)
        } else if matches!(type_name.as_bytes(), b"std_msgs/msg/Header") {
            Some(Hidden::Ros1Seq)
        } else {
            None
        }
    }

    /// Writes it, as zero.
    pub fn put(self, w: &mut Writer) {
        match (self, w.encoding()) {
            (Hidden::Ros1Seq, Encoding::Ros1) => 0u32.put(w),
            (Hidden::EmptyStruct, Encoding::Cdr) => 0u8.put(w),
            _ => {}
        }
    }

    /// Reads over it.
    ///
    /// # Errors
    /// [`CdrError::Truncated`].
    pub fn get(self, r: &mut Reader<'_>) -> Result<(), CdrError> {
        match (self, r.encoding()) {
            (Hidden::Ros1Seq, Encoding::Ros1) => u32::get(r).map(drop),
            (Hidden::EmptyStruct, Encoding::Cdr) => u8::get(r).map(drop),
            _ => Ok(()),
        }
    }
}
