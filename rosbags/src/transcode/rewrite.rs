//! A definition in the other dialect, and ROS 1's md5 of it.

use std::collections::{BTreeMap, BTreeSet};

use super::definition::{Arity, Base, Constant, Definitions, Dialect, Field, Line, Type};
use super::plan::HEADER;
use crate::message::ros1_type_name;

/// ROS 1 types whose fields have capital letters, which ROS 2 does not allow.
/// Their names come back on the way back, and with them the md5.
const CAPITALS: [(&str, &[&str]); 2] = [
    ("sensor_msgs/msg/CameraInfo", &["D", "K", "R", "P"]),
    ("stereo_msgs/msg/DisparityImage", &["T"]),
];

/// As ROS 2 says it: times are messages, headers have no `seq`, field names are
/// in small letters, string constants are quoted.
pub(super) fn to_ros2(definitions: &Definitions) -> Definitions {
    let mut out = definitions.clone();
    for ty in &mut out.types {
        if ty.name == HEADER {
            (ty.lines).retain(|line| !matches!(line, Line::Field(f) if f.name == "seq"));
        }
        let mut names: BTreeSet<String> = ty.fields().map(|f| f.name.clone()).collect();
        for line in &mut ty.lines {
            match line {
                Line::Field(field) => {
                    if let Base::Time(kind) = field.ty.base {
                        field.ty.base = Base::Message(time_message(kind).to_owned());
                    }
                    let small = field.name.to_ascii_lowercase();
                    if names.insert(small.clone()) {
                        field.name = small;
                    }
                }
                Line::Constant(constant) => quote(constant),
                Line::Text(_) => {}
            }
        }
    }
    add_missing(&mut out, Dialect::Ros2);
    out
}

/// As ROS 1 says it: times are built in, headers have a `seq`, there are no
/// bounds and no defaults.
pub(super) fn to_ros1(definitions: &Definitions) -> Definitions {
    let mut out = definitions.clone();
    for ty in &mut out.types {
        if ty.name == HEADER && !ty.fields().any(|f| f.name == "seq") {
            let seq = Field {
                ty: Type {
                    base: Base::Number("uint32", 4),
                    arity: Arity::One,
                },
                name: "seq".into(),
                default: String::new(),
                comment: String::new(),
            };
            ty.lines.insert(0, Line::Field(seq));
        }
        let capitals = CAPITALS.iter().find(|(name, _)| *name == ty.name);
        for line in &mut ty.lines {
            match line {
                Line::Field(field) => field_to_ros1(field, capitals.map_or(&[], |c| c.1)),
                Line::Constant(constant) => unquote(constant),
                Line::Text(_) => {}
            }
        }
    }
    let keep: Vec<_> = (out.types.iter())
        .filter(|ty| ty.name == out.root || time_kind(&ty.name).is_none())
        .cloned()
        .collect();
    out.replace(keep);
    add_missing(&mut out, Dialect::Ros1);
    out
}

fn field_to_ros1(field: &mut Field, capitals: &[&str]) {
    field.default.clear();
    match &mut field.ty.base {
        Base::String { bound } => *bound = None,
        Base::Message(name) => {
            if let Some(kind) = time_kind(name) {
                field.ty.base = Base::Time(kind);
            }
        }
        _ => {}
    }
    if let Arity::Sequence { bound } = &mut field.ty.arity {
        *bound = None;
    }
    // ROS 1's byte is signed; only its name decides about the md5.
    let capital = field.name.to_ascii_uppercase();
    if capitals.contains(&capital.as_str()) {
        field.name = capital;
    }
}

fn time_message(kind: &str) -> &'static str {
    match kind {
        "time" => "builtin_interfaces/msg/Time",
        _ => "builtin_interfaces/msg/Duration",
    }
}

fn time_kind(name: &str) -> Option<&'static str> {
    match name {
        "builtin_interfaces/msg/Time" => Some("time"),
        "builtin_interfaces/msg/Duration" => Some("duration"),
        _ => None,
    }
}

fn quote(constant: &mut Constant) {
    if matches!(constant.ty.base, Base::String { .. }) {
        let escaped = constant.value.replace('\\', "\\\\").replace('"', "\\\"");
        constant.value = format!("\"{escaped}\"");
    }
}

/// Takes the quotes off; a comment behind would become part of the string.
fn unquote(constant: &mut Constant) {
    if let Base::String { bound } = &mut constant.ty.base {
        *bound = None;
        let value = &constant.value;
        let inside = ['"', '\'']
            .iter()
            .find_map(|q| value.strip_prefix(*q)?.strip_suffix(*q));
        if let Some(inside) = inside {
            constant.value = unescape(inside);
        }
        constant.comment.clear();
    }
}

fn unescape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            '\\' => out.extend(characters.next()),
            c => out.push(c),
        }
    }
    out
}

/// Appends definitions that are mentioned but may be left out: of the header and
/// of ROS 2's times.
fn add_missing(definitions: &mut Definitions, dialect: Dialect) {
    let implied = |name: &str| match (name, dialect) {
        (HEADER, Dialect::Ros1) => Some("uint32 seq\ntime stamp\nstring frame_id\n"),
        (HEADER, Dialect::Ros2) => Some("builtin_interfaces/Time stamp\nstring frame_id\n"),
        (name, Dialect::Ros2) => time_kind(name).map(|_| "int32 sec\nuint32 nanosec\n"),
        _ => None,
    };
    let mut at = 0;
    while at < definitions.types.len() {
        let mentioned: Vec<String> = (definitions.types[at].fields())
            .filter_map(|f| match &f.ty.base {
                Base::Message(name) if definitions.get(name).is_none() => Some(name.clone()),
                _ => None,
            })
            .collect();
        for name in mentioned {
            let parsed = implied(&name).map(|text| Definitions::parse(&name, text, dialect));
            if let Some(Ok(mut parsed)) = parsed {
                definitions.add(parsed.types.remove(0));
            }
        }
        at += 1;
    }
}

impl Definitions {
    /// The text in `dialect`; the types' names are the same in both.
    pub(super) fn text(&self, dialect: Dialect) -> String {
        let mut text = String::new();
        for (i, ty) in self.types.iter().enumerate() {
            if i > 0 {
                text += &format!("{}\nMSG: {}\n", "=".repeat(80), ros1_type_name(&ty.name));
            }
            for line in &ty.lines {
                text += &line_text(line, &ty.name, dialect);
                text.push('\n');
            }
        }
        text
    }
}

fn line_text(line: &Line, owner: &str, dialect: Dialect) -> String {
    let (start, comment) = match line {
        Line::Text(text) => return text.clone(),
        Line::Field(field) => {
            let mut start = format!("{} {}", type_text(&field.ty, owner, dialect), field.name);
            if !field.default.is_empty() {
                start += &format!(" {}", field.default);
            }
            (start, &field.comment)
        }
        Line::Constant(constant) => {
            let ty = type_text(&constant.ty, owner, dialect);
            let start = format!("{ty} {}={}", constant.name, constant.value);
            (start, &constant.comment)
        }
    };
    match comment.is_empty() {
        true => start,
        false => format!("{start} {comment}"),
    }
}

fn type_text(ty: &Type, owner: &str, dialect: Dialect) -> String {
    let bounded = |name: &str, bound: Option<u64>| match bound {
        Some(bound) => format!("{name}<={bound}"),
        None => name.to_owned(),
    };
    let base = match &ty.base {
        Base::Number(name, _) | Base::Time(name) => (*name).to_owned(),
        Base::String { bound } => bounded("string", *bound),
        Base::WideString { bound } => bounded("wstring", *bound),
        Base::Message(name) if dialect == Dialect::Ros1 && name == HEADER => "Header".to_owned(),
        Base::Message(name) => {
            let package = |name: &str| name.split('/').next().map(str::to_owned);
            let short = ros1_type_name(name);
            match package(name) == package(owner) {
                true => short.rsplit('/').next().unwrap_or_default().to_owned(),
                false => short,
            }
        }
    };
    match ty.arity {
        Arity::One => base,
        Arity::Array(count) => format!("{base}[{count}]"),
        Arity::Sequence { bound: None } => format!("{base}[]"),
        Arity::Sequence { bound: Some(bound) } => format!("{base}[<={bound}]"),
    }
}

/// ROS 1's md5 of the root type: constants first, messages replaced by their
/// md5, white space and comments gone (the ROS wiki's technical overview).
pub(super) fn md5(definitions: &Definitions) -> String {
    md5_of(definitions, &definitions.root, &mut BTreeMap::new())
}

/// The plan has been made, so no type contains itself and all are defined.
fn md5_of(definitions: &Definitions, name: &str, known: &mut BTreeMap<String, String>) -> String {
    if let Some(md5) = known.get(name) {
        return md5.clone();
    }
    let Some(ty) = definitions.get(name) else {
        return String::new();
    };
    let mut lines = Vec::new();
    for c in ty.constants() {
        let kind = type_text(&c.ty, name, Dialect::Ros1);
        lines.push(format!("{kind} {}={}", c.name, c.value));
    }
    for field in ty.fields() {
        let kind = match &field.ty.base {
            Base::Message(inner) => md5_of(definitions, inner, known),
            _ => type_text(&field.ty, name, Dialect::Ros1),
        };
        lines.push(format!("{kind} {}", field.name));
    }
    let md5 = format!("{:x}", md5::compute(lines.join("\n")));
    known.insert(name.to_owned(), md5.clone());
    md5
}
