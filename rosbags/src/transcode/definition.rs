//! The message definition language (`.msg`), both dialects, as recordings carry
//! it: the type's own text, then after lines of `=` and `MSG: package/Name`
//! those of the types it is made of.
//!
//! Sources: the ROS wiki's `msg` page, the ROS 2 documentation's "Interfaces"
//! page, the MCAP registry (`ros1msg`, `ros2msg`).

use std::collections::BTreeMap;

use super::TranscodeError;
use crate::message::ros2_type_name;

/// Lines at most, in one definition text.
const MAX_LINES: usize = 200_000;

/// The two versions of the language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Ros1,
    Ros2,
}

/// A definition text, taken apart.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Definitions {
    /// ROS 2 name of the type the text is of.
    pub root: String,
    /// Every type in the order of the text, the root first.
    pub types: Vec<Definition>,
    index: BTreeMap<String, usize>,
}

/// One type.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Definition {
    /// ROS 2 name, `package/msg/Name`.
    pub name: String,
    pub lines: Vec<Line>,
}

/// A line of a type's text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Line {
    Field(Field),
    Constant(Constant),
    /// Comment or nothing.
    Text(String),
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field {
    pub ty: Type,
    pub name: String,
    /// ROS 2 only: the default value as it is written, or empty.
    pub default: String,
    /// With its `#`, or empty.
    pub comment: String,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Constant {
    pub ty: Type,
    pub name: String,
    pub value: String,
    pub comment: String,
}

/// The type of a field.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Type {
    pub base: Base,
    pub arity: Arity,
}

/// The type of one element.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Base {
    /// A number by its ROS name, and its size in bytes.
    Number(&'static str, usize),
    /// ROS 1 only: `time` or `duration`, two numbers of four bytes.
    Time(&'static str),
    /// A string; ROS 2 may bound it.
    String { bound: Option<u64> },
    /// A string of wide characters (ROS 2), whose bytes are not standardised.
    WideString { bound: Option<u64> },
    /// Another type by its ROS 2 name.
    Message(String),
}

/// How many elements a field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arity {
    One,
    Array(u64),
    /// A sequence; ROS 2 may bound it.
    Sequence {
        bound: Option<u64>,
    },
}

const NUMBERS: [(&str, usize); 13] = [
    ("bool", 1),
    ("byte", 1),
    ("char", 1),
    ("int8", 1),
    ("uint8", 1),
    ("int16", 2),
    ("uint16", 2),
    ("int32", 4),
    ("uint32", 4),
    ("int64", 8),
    ("uint64", 8),
    ("float32", 4),
    ("float64", 8),
];

impl Definitions {
    /// Takes the definition text of type `root` apart.
    pub fn parse(root: &str, text: &str, dialect: Dialect) -> Result<Self, TranscodeError> {
        if text.lines().count() > MAX_LINES {
            return Err(TranscodeError::Definition {
                type_name: root.to_owned(),
                line: MAX_LINES,
                reason: format!("the definition has more than {MAX_LINES} lines"),
            });
        }
        let root = ros2_type_name(root);
        let mut definitions = Self {
            root: root.clone(),
            types: Vec::new(),
            index: BTreeMap::new(),
        };
        let mut current = Definition {
            name: root,
            lines: Vec::new(),
        };
        for (number, line) in text.lines().enumerate() {
            let trimmed = line.trim();
            if trimmed.len() >= 40 && trimmed.bytes().all(|b| b == b'=') {
                continue;
            }
            if let Some(name) = trimmed.strip_prefix("MSG:") {
                let next = Definition {
                    name: ros2_type_name(name.trim()),
                    lines: Vec::new(),
                };
                definitions.add(std::mem::replace(&mut current, next));
                continue;
            }
            let parsed = parse_line(&current.name, line, dialect).map_err(|reason| {
                let type_name = current.name.clone();
                let line = number + 1;
                TranscodeError::Definition {
                    type_name,
                    line,
                    reason,
                }
            })?;
            current.lines.push(parsed);
        }
        definitions.add(current);
        Ok(definitions)
    }

    /// A type that is already there keeps its first definition; but a text that
    /// starts with `MSG:` names the root once more.
    pub fn add(&mut self, definition: Definition) {
        match self.index.get(&definition.name) {
            Some(&at) => {
                let blank =
                    |line: &Line| matches!(line, Line::Text(text) if text.trim().is_empty());
                if self.types[at].lines.iter().all(blank) {
                    self.types[at] = definition;
                }
            }
            None => {
                self.index.insert(definition.name.clone(), self.types.len());
                self.types.push(definition);
            }
        }
    }

    /// Replaces all types.
    pub fn replace(&mut self, types: Vec<Definition>) {
        self.types.clear();
        self.index.clear();
        for definition in types {
            self.add(definition);
        }
    }

    /// A type by its ROS 2 name.
    pub fn get(&self, name: &str) -> Option<&Definition> {
        self.index.get(name).map(|&at| &self.types[at])
    }
}

impl Definition {
    /// The fields in order.
    pub fn fields(&self) -> impl Iterator<Item = &Field> {
        self.lines.iter().filter_map(|line| match line {
            Line::Field(field) => Some(field),
            _ => None,
        })
    }

    /// The constants in order.
    pub fn constants(&self) -> impl Iterator<Item = &Constant> {
        self.lines.iter().filter_map(|line| match line {
            Line::Constant(constant) => Some(constant),
            _ => None,
        })
    }
}

fn parse_line(owner: &str, line: &str, dialect: Dialect) -> Result<Line, String> {
    let text = line.trim();
    if text == "---" {
        return Err("a service or an action is no message".to_owned());
    }
    if text.is_empty() || text.starts_with('#') {
        return Ok(Line::Text(line.trim_end().to_owned()));
    }
    let (type_text, rest) = text
        .split_once(|c: char| c.is_ascii_whitespace())
        .ok_or_else(|| format!("expected `type name`, found `{text}`"))?;
    let ty = parse_type(owner, type_text)?;
    let rest = rest.trim_start();
    let name_length = rest
        .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .unwrap_or(rest.len());
    let (name, after) = rest.split_at(name_length);
    if name.is_empty() {
        return Err(format!("expected a name after `{type_text}` in `{text}`"));
    }
    if let Some(value) = after.trim_start().strip_prefix('=') {
        return Ok(Line::Constant(constant(ty, name, value, dialect)));
    }
    let (default, comment) = split_comment(after);
    Ok(Line::Field(Field {
        ty,
        name: name.to_owned(),
        default: default.trim().to_owned(),
        comment: comment.to_owned(),
    }))
}

/// A string constant of ROS 1 runs to the end of its line, `#`, quotes and all.
fn constant(ty: Type, name: &str, value: &str, dialect: Dialect) -> Constant {
    let (value, comment) = match (&ty.base, dialect) {
        (Base::String { .. }, Dialect::Ros1) => (value, ""),
        _ => split_comment(value),
    };
    Constant {
        ty,
        name: name.to_owned(),
        value: value.trim().to_owned(),
        comment: comment.to_owned(),
    }
}

/// Splits at the first `#` that stands outside of quotes.
fn split_comment(text: &str) -> (&str, &str) {
    let mut quote = None;
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match quote {
            _ if escaped => escaped = false,
            Some(_) if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '#' => return (&text[..at], &text[at..]),
            None if c == '"' || c == '\'' => quote = Some(c),
            None => {}
        }
    }
    (text, "")
}

fn parse_type(owner: &str, text: &str) -> Result<Type, String> {
    let (element, arity) = match text.find('[') {
        None => (text, Arity::One),
        Some(at) => {
            let inside = text[at + 1..]
                .strip_suffix(']')
                .ok_or_else(|| format!("expected `]` at the end of `{text}`"))?;
            (&text[..at], parse_arity(inside)?)
        }
    };
    let (name, bound) = match element.split_once("<=") {
        Some((name, bound)) => (name, Some(number(bound)?)),
        None => (element, None),
    };
    let base = match name {
        "string" => Base::String { bound },
        "wstring" => Base::WideString { bound },
        _ if bound.is_some() => return Err(format!("only strings have bounds, not `{element}`")),
        "time" => Base::Time("time"),
        "duration" => Base::Time("duration"),
        _ => match NUMBERS.iter().find(|(n, _)| *n == name) {
            Some((name, size)) => Base::Number(name, *size),
            None => Base::Message(resolve(owner, name)?),
        },
    };
    Ok(Type { base, arity })
}

fn parse_arity(inside: &str) -> Result<Arity, String> {
    if inside.is_empty() {
        return Ok(Arity::Sequence { bound: None });
    }
    match inside.strip_prefix("<=") {
        Some(bound) => Ok(Arity::Sequence {
            bound: Some(number(bound)?),
        }),
        None => match number(inside)? {
            0 => Err("an array has at least one element".to_owned()),
            count => Ok(Arity::Array(count)),
        },
    }
}

fn number(text: &str) -> Result<u64, String> {
    text.trim()
        .parse()
        .map_err(|_| format!("expected a number of elements, found `{text}`"))
}

/// The ROS 2 name of a type that `owner` mentions.
fn resolve(owner: &str, name: &str) -> Result<String, String> {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '/';
    if name.is_empty() || !name.chars().all(legal) {
        return Err(format!("`{name}` is no type name"));
    }
    let package = owner.split('/').next().unwrap_or_default();
    Ok(match name {
        "Header" => "std_msgs/msg/Header".to_owned(),
        _ if name.contains('/') => ros2_type_name(name),
        _ => format!("{package}/msg/{name}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, dialect: Dialect) -> Definitions {
        Definitions::parse("demo_msgs/Thing", text, dialect).unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn both_dialects_of_a_line() {
        let text = "# a comment\n\nstring<=10[<=3] names # few\nfloat64 x 1.5\n\
                    string A='with' # real\nstring B=\"a # b\" # real\nint8 C = -3 # three\n\
                    Header header\nOther[2] o\nother_msgs/Far far\ntime[] t";
        let definitions = parse(text, Dialect::Ros2);
        let lines = &definitions.types[0].lines;
        let field = |at: usize| match &lines[at] {
            Line::Field(field) => field.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(field(2).ty.base, Base::String { bound: Some(10) });
        assert_eq!(field(2).ty.arity, Arity::Sequence { bound: Some(3) });
        assert_eq!(field(2).comment, "# few");
        assert_eq!(field(3).default, "1.5");
        let values: Vec<_> = (definitions.types[0].constants())
            .map(|c| (c.name.as_str(), c.value.as_str(), c.comment.as_str()))
            .collect();
        assert_eq!(
            values,
            [
                ("A", "'with'", "# real"),
                ("B", "\"a # b\"", "# real"),
                ("C", "-3", "# three")
            ]
        );
        let ros1 = parse("string A=\"with\" # in it", Dialect::Ros1);
        let value = ros1.types[0].constants().next().map(|c| c.value.as_str());
        assert_eq!(value, Some("\"with\" # in it"));
        assert_eq!(
            field(7).ty.base,
            Base::Message("std_msgs/msg/Header".into())
        );
        assert_eq!(
            field(8).ty.base,
            Base::Message("demo_msgs/msg/Other".into())
        );
        assert_eq!(field(8).ty.arity, Arity::Array(2));
        assert_eq!(field(9).ty.base, Base::Message("other_msgs/msg/Far".into()));
        assert_eq!(field(10).ty.base, Base::Time("time"));
    }

    #[test]
    fn sections_by_either_name_and_a_leading_one() {
        let rule = "=".repeat(80);
        let text = format!(
            "{rule}\nMSG: demo_msgs/msg/Thing\nInner i\n{rule}\nMSG: demo_msgs/Inner\nint8 x\n"
        );
        let definitions = parse(&text, Dialect::Ros2);
        assert_eq!(definitions.root, "demo_msgs/msg/Thing");
        assert_eq!(definitions.types.len(), 2);
        assert_eq!(definitions.types[0].fields().count(), 1);
        assert!(definitions.get("demo_msgs/msg/Inner").is_some());
    }

    #[test]
    fn nonsense_names_its_line() {
        for (text, part) in [
            ("int32\n", "expected `type name`"),
            ("int32 x\nint32[ y", "`]`"),
            ("int32[x] y", "a number of elements"),
            ("int32<=4 y", "only strings"),
            ("a$b y", "no type name"),
            ("int32 =5", "expected a name"),
            ("int32[0] x", "at least one"),
        ] {
            let error = Definitions::parse("demo_msgs/Thing", text, Dialect::Ros2).expect_err(text);
            let said = error.to_string();
            assert!(said.contains(part) && said.contains("line"), "{said}");
        }
    }
}
