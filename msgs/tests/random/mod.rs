//! Random messages of any type, written from the schema by an encoder of its
//! own, so that the crate's is not held against itself.

use saccade_msgs::schema::{Arity, Base, FieldType, Schema};

/// A stream of random numbers (SplitMix64).
pub struct Random(pub u64);

impl Random {
    /// The next one.
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// A random message as CDR.
pub fn random_cdr(schema: &Schema, seed: u64, big_endian: bool) -> Vec<u8> {
    let mut encoder = Encoder {
        body: Vec::new(),
        big_endian,
        random: Random(seed),
    };
    encoder.message(schema);
    [vec![0, u8::from(!big_endian), 0, 0], encoder.body].concat()
}

struct Encoder {
    body: Vec<u8>,
    big_endian: bool,
    random: Random,
}

impl Encoder {
    fn message(&mut self, schema: &Schema) {
        if schema.fields.is_empty() {
            self.body.push(0);
        }
        for field in &schema.fields {
            self.field(&field.ty);
        }
    }

    fn field(&mut self, ty: &FieldType) {
        let count = match ty.arity {
            Arity::One => 1,
            Arity::Array(n) => n,
            Arity::Sequence | Arity::AtMostOne => {
                let most = if ty.arity == Arity::AtMostOne { 2 } else { 4 };
                let count = self.random.below(most);
                self.number(count, 4);
                count as usize
            }
        };
        for _ in 0..count {
            match &ty.base {
                Base::Message(schema) => self.message(schema),
                Base::Primitive(name) => self.primitive(name),
            }
        }
    }

    fn primitive(&mut self, name: &str) {
        match name {
            "string" => self.string(),
            "bool" => {
                let bit = self.random.below(2);
                self.number(bit, 1);
            }
            // Finite ones: JSON has no others.
            "float32" => {
                let value = (self.random.next() as i32 as f32) * 1.3e-5;
                self.number(u64::from(value.to_bits()), 4);
            }
            "float64" => {
                let value = (self.random.next() as i64 as f64) * 1.7e-9;
                self.number(value.to_bits(), 8);
            }
            _ => {
                let bits = self.random.next();
                self.number(bits, size_of_integer(name));
            }
        }
    }

    fn string(&mut self) {
        let len = self.random.below(6) as usize;
        let text: String = (0..len)
            .map(|_| ['a', 'Z', '"', '\\', '\n', 'é', '中', '🤖'][self.random.below(8) as usize])
            .collect();
        self.number(text.len() as u64 + 1, 4);
        self.body.extend(text.as_bytes());
        self.body.push(0);
    }

    fn number(&mut self, bits: u64, size: usize) {
        while !self.body.len().is_multiple_of(size) {
            self.body.push(0);
        }
        let mut bytes = bits.to_le_bytes()[..size].to_vec();
        if self.big_endian {
            bytes.reverse();
        }
        self.body.extend(bytes);
    }
}

fn size_of_integer(name: &str) -> usize {
    match name {
        "uint8" | "int8" | "byte" | "char" => 1,
        "uint16" | "int16" => 2,
        "uint32" | "int32" => 4,
        "uint64" | "int64" => 8,
        other => panic!("{other} is not a ROS integer"),
    }
}
