//! `$(name argument …)` in texts: parsing after the grammar of ROS 2's
//! `launch.frontend`, and evaluation.
//!
//! An argument ends at a space; one with spaces or parentheses stands in
//! single or double quotes. `\` takes the next character literally.

use super::error::{LaunchFileError, Place, malformed, unsupported};
use super::expression;

/// The substitutions this launcher knows.
pub const SUBSTITUTIONS: &[&str] = &[
    "var",
    "env",
    "find-pkg-share",
    "dirname",
    "filename",
    "eval",
    "anon",
    "not",
    "and",
    "or",
    "equals",
    "not-equals",
];

/// Depth to which substitutions may be nested, so that no file can exhaust
/// the stack.
const MAX_DEPTH: usize = 32;

/// Part of a text: as it stands, or to be replaced.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    Text(String),
    Substitution {
        name: String,
        arguments: Vec<Vec<Piece>>,
    },
}

/// What evaluation asks its surroundings for.
pub(super) trait Lookup {
    /// A launch argument or `let` variable.
    fn variable(&self, name: &str) -> Option<String>;
    /// The names [`Lookup::variable`] knows, for error texts.
    fn variables(&self) -> Vec<String>;
    /// An environment variable.
    fn environment(&self, name: &str) -> Option<String>;
    /// The folder of a package's shared files.
    fn package_share(&self, package: &str) -> Result<String, String>;
    /// The folder of the launch file.
    fn dirname(&self) -> String;
    /// The launch file's name without its folder.
    fn filename(&self) -> String;
    /// A name that is unique in this launch; the same for the same stem.
    fn anonymous(&mut self, stem: &str) -> String;
}

/// Parses and evaluates a text.
pub(super) fn substitute(
    text: &str,
    place: &Place,
    lookup: &mut dyn Lookup,
) -> Result<String, LaunchFileError> {
    evaluate(&parse(text, place)?, place, lookup)
}

/// Parses a text.
pub(super) fn parse(text: &str, place: &Place) -> Result<Vec<Piece>, LaunchFileError> {
    let mut parser = Parser {
        rest: text,
        place,
        depth: 0,
        quoted: false,
    };
    parser.pieces(Until::End)
}

/// Where a run of pieces ends.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Until {
    /// At the end of the text.
    End,
    /// At a space or `)`: an unquoted argument.
    Argument,
    /// At this quote.
    Quote(char),
}

struct Parser<'a> {
    rest: &'a str,
    place: &'a Place,
    depth: usize,
    /// Within a quoted argument, where ROS 2 takes further quotes as letters.
    quoted: bool,
}

impl Parser<'_> {
    fn pieces(&mut self, until: Until) -> Result<Vec<Piece>, LaunchFileError> {
        let mut pieces = Vec::new();
        let mut text = String::new();
        loop {
            if self.rest.starts_with("$(") {
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                }
                pieces.push(self.substitution()?);
                continue;
            }
            let Some(c) = self.rest.chars().next() else {
                if until != Until::End {
                    return Err(malformed(self.place, "a '$(' or quote is never closed"));
                }
                break;
            };
            match (until, c) {
                (Until::Argument, ' ' | ')') => break,
                (Until::Argument, '(' | '\'' | '"') => {
                    return Err(malformed(
                        self.place,
                        format!("'{c}' within an argument of '$('; put the argument in quotes"),
                    ));
                }
                (Until::Quote(quote), _) if c == quote => break,
                _ => {}
            }
            self.advance(c);
            match (c, self.rest.chars().next()) {
                ('\\', Some(escaped)) => {
                    text.push(escaped);
                    self.advance(escaped);
                }
                _ => text.push(c),
            }
        }
        if !text.is_empty() {
            pieces.push(Piece::Text(text));
        }
        Ok(pieces)
    }

    /// After `$(`: a name, then arguments, then `)`.
    fn substitution(&mut self) -> Result<Piece, LaunchFileError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let reason = format!("substitutions are nested deeper than {MAX_DEPTH}");
            return Err(malformed(self.place, reason));
        }
        self.rest = &self.rest[2..];
        let end = self
            .rest
            .find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == '-'))
            .unwrap_or(self.rest.len());
        let name = self.rest[..end].to_owned();
        self.rest = &self.rest[end..];
        if !SUBSTITUTIONS.contains(&name.as_str()) {
            return Err(unsupported(
                self.place,
                format!("substitution $({name})"),
                SUBSTITUTIONS,
            ));
        }
        let mut arguments = Vec::new();
        loop {
            match self.rest.chars().next() {
                Some(')') => break,
                Some(' ') => self.advance(' '),
                Some(_) => {
                    return Err(malformed(
                        self.place,
                        format!("a space or ')' is missing after '$({name}' or its argument"),
                    ));
                }
                None => return Err(malformed(self.place, format!("'$({name}' is never closed"))),
            }
            match self.rest.chars().next() {
                Some(')' | ' ') => {
                    return Err(malformed(
                        self.place,
                        format!("a space in '$({name}' is not followed by an argument"),
                    ));
                }
                Some(quote @ ('\'' | '"')) if !self.quoted => {
                    self.advance(quote);
                    self.quoted = true;
                    arguments.push(self.pieces(Until::Quote(quote))?);
                    self.quoted = false;
                    self.advance(quote);
                }
                _ => arguments.push(self.pieces(Until::Argument)?),
            }
        }
        self.advance(')');
        self.depth -= 1;
        Ok(Piece::Substitution { name, arguments })
    }

    fn advance(&mut self, c: char) {
        self.rest = &self.rest[c.len_utf8()..];
    }
}

/// Evaluates what [`parse`] found.
pub(super) fn evaluate(
    pieces: &[Piece],
    place: &Place,
    lookup: &mut dyn Lookup,
) -> Result<String, LaunchFileError> {
    let mut result = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => result.push_str(text),
            Piece::Substitution { name, arguments } => {
                let values = arguments
                    .iter()
                    .map(|a| evaluate(a, place, lookup))
                    .collect::<Result<Vec<_>, _>>()?;
                let values: Vec<&str> = values.iter().map(String::as_str).collect();
                result.push_str(&apply(name, &values, place, lookup)?);
            }
        }
    }
    Ok(result)
}

fn apply(
    name: &str,
    arguments: &[&str],
    place: &Place,
    lookup: &mut dyn Lookup,
) -> Result<String, LaunchFileError> {
    let fail = |reason: String| malformed(place, reason);
    let flag = |value: bool| if value { "true" } else { "false" }.to_owned();
    match (name, arguments) {
        ("var", [name]) => lookup.variable(name).ok_or_else(|| {
            let known = lookup.variables().join(", ");
            fail(format!(
                "$(var {name}): no such argument or variable here; there are: {known}"
            ))
        }),
        ("var", [name, default]) => Ok(lookup
            .variable(name)
            .unwrap_or_else(|| (*default).to_owned())),
        ("env", [name]) => lookup.environment(name).ok_or_else(|| {
            fail(format!(
                "$(env {name}): not set in the environment; set it or add a default"
            ))
        }),
        ("env", [name, default]) => Ok(lookup
            .environment(name)
            .unwrap_or_else(|| (*default).to_owned())),
        ("find-pkg-share", [package]) => lookup.package_share(package).map_err(fail),
        ("dirname", []) => Ok(lookup.dirname()),
        ("filename", []) => Ok(lookup.filename()),
        ("eval", [text]) => {
            expression::evaluate(text).map_err(|reason| fail(format!("$(eval '{text}'): {reason}")))
        }
        ("anon", [stem]) => Ok(lookup.anonymous(stem)),
        ("not", [a]) => Ok(flag(!condition(a, place)?)),
        ("and", [a, b]) => Ok(flag(condition(a, place)? & condition(b, place)?)),
        ("or", [a, b]) => Ok(flag(condition(a, place)? | condition(b, place)?)),
        ("equals", [a, b]) => Ok(flag(a == b)),
        ("not-equals", [a, b]) => Ok(flag(a != b)),
        _ => Err(fail(format!(
            "$({name}) with {} arguments; {}",
            arguments.len(),
            match name {
                "var" | "env" => "it takes a name and, if wanted, a default",
                "find-pkg-share" => "it takes a package",
                "dirname" | "filename" => "it takes none",
                "eval" => "it takes one expression: put it in quotes",
                "anon" | "not" => "it takes one",
                _ => "it takes two",
            }
        ))),
    }
}

/// A text as the truth value of `if`, `unless` and the boolean substitutions.
pub(super) fn condition(text: &str, place: &Place) -> Result<bool, LaunchFileError> {
    match text.trim().to_lowercase().as_str() {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        other => Err(malformed(
            place,
            format!("'{other}' is not true, false, 1 or 0"),
        )),
    }
}
