//! A message type as data, and the texts ROS makes of it: the definition that
//! bags and MCAP files carry, and the md5 that ROS 1 compares.

use crate::field::Hidden;

/// A message type.
#[derive(Debug, Clone, PartialEq)]
pub struct Schema {
    /// `package/msg/Name` (or `/srv/`, `/action/`).
    pub type_name: &'static str,
    /// Constants in order.
    pub constants: Vec<Constant>,
    /// Fields in order.
    pub fields: Vec<FieldSchema>,
}

/// A constant of a message type.
#[derive(Debug, Clone, PartialEq)]
pub struct Constant {
    /// Name in capitals.
    pub name: &'static str,
    /// ROS primitive.
    pub ros_type: &'static str,
    /// The value as text.
    pub value: String,
}

/// A field of a message type.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldSchema {
    /// Name.
    pub name: &'static str,
    /// Type.
    pub ty: FieldType,
    /// Default value where it is not zero.
    pub default: Option<&'static str>,
}

/// The type of a field.
#[derive(Debug, Clone, PartialEq)]
pub struct FieldType {
    /// Type of one element.
    pub base: Base,
    /// How many there are.
    pub arity: Arity,
}

impl FieldType {
    /// One primitive by its ROS name.
    #[must_use]
    pub fn primitive(name: &'static str) -> Self {
        Self {
            base: Base::Primitive(name),
            arity: Arity::One,
        }
    }

    /// The same with another name for the primitive: `byte` is a `uint8`.
    #[must_use]
    pub fn renamed(self, name: &'static str) -> Self {
        Self {
            base: Base::Primitive(name),
            ..self
        }
    }
}

/// The type of one element.
#[derive(Debug, Clone, PartialEq)]
pub enum Base {
    /// `float64`, `string`, ...
    Primitive(&'static str),
    /// Another message.
    Message(Box<Schema>),
}

/// How many elements a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arity {
    /// Exactly one.
    One,
    /// `T[]`.
    Sequence,
    /// `T[<=1]`.
    AtMostOne,
    /// `T[n]`.
    Array(usize),
}

impl std::fmt::Display for Arity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Arity::One => Ok(()),
            Arity::Sequence => f.write_str("[]"),
            Arity::AtMostOne => f.write_str("[<=1]"),
            Arity::Array(n) => write!(f, "[{n}]"),
        }
    }
}

/// The two versions of the definition language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Version {
    Ros1,
    Ros2,
}

impl Schema {
    /// `package/Name`: how definitions name a type, and ROS 1's own type name.
    #[must_use]
    pub fn short_name(&self) -> String {
        short_name(self.type_name)
    }

    /// The ROS 2 definition of this type alone.
    #[must_use]
    pub fn own_text(&self) -> String {
        self.text(Version::Ros2)
    }

    /// The ROS 2 definition with those of all types it is made of.
    #[must_use]
    pub fn definition(&self) -> String {
        self.full_text(Version::Ros2)
    }

    /// The ROS 1 definition with those of all types it is made of, as a bag's
    /// connection record carries it.
    #[must_use]
    pub fn ros1_definition(&self) -> String {
        self.full_text(Version::Ros1)
    }

    /// ROS 1's md5 of the type (algorithm: the ROS wiki's technical overview,
    /// "ROS messages"): constants first, messages replaced by their md5, white
    /// space and comments gone.
    #[must_use]
    pub fn ros1_md5(&self) -> String {
        let mut lines: Vec<String> = self
            .constants
            .iter()
            .map(|c| format!("{} {}={}", c.ros_type, c.name, c.value))
            .collect();
        if self.has_seq() {
            lines.push("uint32 seq".to_owned());
        }
        for field in &self.fields {
            let line = match &field.ty.base {
                Base::Message(schema) => match ros1_primitive(schema) {
                    Some(name) => format!("{name}{} {}", field.ty.arity, field.name),
                    None => format!("{} {}", schema.ros1_md5(), field.name),
                },
                Base::Primitive(name) => format!("{name}{} {}", field.ty.arity, field.name),
            };
            lines.push(line);
        }
        format!("{:x}", md5::compute(lines.join("\n")))
    }

    fn has_seq(&self) -> bool {
        Hidden::of(self.type_name, self.fields.len()) == Some(Hidden::Ros1Seq)
    }

    fn text(&self, version: Version) -> String {
        let mut text = String::new();
        for c in &self.constants {
            text.push_str(&format!("{} {}={}\n", c.ros_type, c.name, c.value));
        }
        if version == Version::Ros1 && self.has_seq() {
            text.push_str("uint32 seq\n");
        }
        for field in &self.fields {
            let base = match &field.ty.base {
                Base::Primitive(name) => (*name).to_owned(),
                Base::Message(schema) => match (version, ros1_primitive(schema)) {
                    (Version::Ros1, Some(name)) => name.to_owned(),
                    _ => schema.short_name(),
                },
            };
            text.push_str(&format!("{base}{} {}", field.ty.arity, field.name));
            if let (Version::Ros2, Some(default)) = (version, field.default) {
                text.push_str(&format!(" {default}"));
            }
            text.push('\n');
        }
        text
    }

    fn full_text(&self, version: Version) -> String {
        let mut text = self.text(version);
        let mut dependencies = Vec::new();
        self.dependencies(version, &mut dependencies);
        for schema in dependencies {
            text.push_str(&"=".repeat(80));
            text.push_str(&format!("\nMSG: {}\n", schema.short_name()));
            text.push_str(&schema.text(version));
        }
        text
    }

    /// Every message this one is made of, once each, in order of first use.
    fn dependencies<'a>(&'a self, version: Version, found: &mut Vec<&'a Schema>) {
        for field in &self.fields {
            let Base::Message(schema) = &field.ty.base else {
                continue;
            };
            let primitive = version == Version::Ros1 && ros1_primitive(schema).is_some();
            if !primitive && !found.iter().any(|f| f.type_name == schema.type_name) {
                found.push(schema);
                schema.dependencies(version, found);
            }
        }
    }
}

/// `package/Name` of `package/msg/Name`.
#[must_use]
pub fn short_name(type_name: &str) -> String {
    let mut parts = type_name.split('/');
    let package = parts.next().unwrap_or_default();
    let name = parts.next_back().unwrap_or_default();
    format!("{package}/{name}")
}

/// In ROS 1 a time is a primitive.
fn ros1_primitive(schema: &Schema) -> Option<&'static str> {
    match schema.type_name {
        "builtin_interfaces/msg/Time" => Some("time"),
        "builtin_interfaces/msg/Duration" => Some("duration"),
        _ => None,
    }
}
