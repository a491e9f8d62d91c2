//! Reading the XML: files, places, attributes and children that are checked
//! against what an element may have.

use super::Argument;
use super::error::{LaunchFileError, Place, malformed, unsupported};
use roxmltree::{Document, Node, ParsingOptions};
use std::path::Path;

/// No launch or parameter file is this long (bytes); a larger one is a
/// mistake and is not read into memory.
const MAX_FILE: u64 = 4 << 20;

/// Every action may be conditional.
const CONDITIONS: [&str; 2] = ["if", "unless"];

/// Reads a text file of reasonable size.
pub(super) fn read(path: &Path) -> Result<String, LaunchFileError> {
    let fail = |source| LaunchFileError::Read {
        file: path.to_owned(),
        source,
    };
    let length = std::fs::metadata(path).map_err(fail)?.len();
    if length > MAX_FILE {
        let reason = format!("{length} bytes is more than the {MAX_FILE} such a file may have");
        return Err(fail(std::io::Error::new(
            std::io::ErrorKind::FileTooLarge,
            reason,
        )));
    }
    std::fs::read_to_string(path).map_err(fail)
}

/// Parses a launch file and checks its root.
pub(super) fn parse<'a>(path: &Path, text: &'a str) -> Result<Document<'a>, LaunchFileError> {
    let options = ParsingOptions {
        nodes_limit: 100_000,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options).map_err(|error| {
        let place = Place {
            file: path.to_owned(),
            line: error.pos().row,
        };
        malformed(&place, format!("not well-formed XML: {error}"))
    })?;
    let root = document.root_element();
    let place = place_of(path, root);
    if root.tag_name().name() != "launch" {
        let reason = format!("the root is <{}>, not <launch>", root.tag_name().name());
        return Err(malformed(&place, reason));
    }
    for attribute in root.attributes() {
        if attribute.name() != "version" {
            let what = format!("attribute '{}' of <launch>", attribute.name());
            return Err(unsupported(&place, what, &["version"]));
        }
    }
    Ok(document)
}

/// Where an element begins.
pub(super) fn place_of(path: &Path, node: Node<'_, '_>) -> Place {
    let line = node.document().text_pos_at(node.range().start).row;
    Place {
        file: path.to_owned(),
        line,
    }
}

/// One element with what it may contain checked.
pub(super) struct Element<'a, 'i> {
    pub(super) node: Node<'a, 'i>,
    pub(super) place: Place,
}

impl<'a, 'i> Element<'a, 'i> {
    /// Wraps an element, refusing attributes other than `allowed` and the
    /// conditions, and child elements other than `children`.
    pub(super) fn checked(
        path: &Path,
        node: Node<'a, 'i>,
        allowed: &[&str],
        children: &[&str],
    ) -> Result<Self, LaunchFileError> {
        let place = place_of(path, node);
        let tag = node.tag_name().name();
        for attribute in node.attributes() {
            let name = attribute.name();
            if !allowed.contains(&name) && !CONDITIONS.contains(&name) {
                let supported: Vec<_> = allowed.iter().chain(&CONDITIONS).copied().collect();
                return Err(unsupported(
                    &place,
                    format!("attribute '{name}' of <{tag}>"),
                    &supported,
                ));
            }
        }
        for child in elements(path, node)? {
            let name = child.tag_name().name();
            if !children.contains(&name) {
                let what = format!("element <{name}> in <{tag}>");
                return Err(unsupported(&place_of(path, child), what, children));
            }
        }
        Ok(Element { node, place })
    }

    pub(super) fn tag(&self) -> &'a str {
        self.node.tag_name().name()
    }

    /// An attribute as written.
    pub(super) fn attribute(&self, name: &str) -> Option<&'a str> {
        self.node.attribute(name)
    }

    /// An attribute that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&'a str, LaunchFileError> {
        self.attribute(name).ok_or_else(|| {
            malformed(
                &self.place,
                format!("<{}> needs the attribute '{name}'", self.tag()),
            )
        })
    }
}

/// The child elements; text between elements is refused, since nothing would
/// become of it.
pub(super) fn elements<'a, 'i>(
    path: &Path,
    node: Node<'a, 'i>,
) -> Result<Vec<Node<'a, 'i>>, LaunchFileError> {
    let mut found = Vec::new();
    for child in node.children() {
        match child.text() {
            Some(text) if child.is_text() && !text.trim().is_empty() => {
                let reason = format!("text '{}' between elements", text.trim());
                return Err(malformed(&place_of(path, child), reason));
            }
            _ if child.is_element() => found.push(child),
            _ => {}
        }
    }
    Ok(found)
}

/// Every `arg` declared in a file (those within an `include` are passed on,
/// not declared).
pub(super) fn declared_arguments(
    path: &Path,
    root: Node<'_, '_>,
) -> Result<Vec<Argument>, LaunchFileError> {
    let is_passed_on = |n: &Node<'_, '_>| n.parent().is_some_and(|p| p.has_tag_name("include"));
    let mut found: Vec<Argument> = Vec::new();
    for node in root
        .descendants()
        .filter(|n| n.has_tag_name("arg") && !is_passed_on(n))
    {
        let argument = declared_argument(path, node)?;
        if !found.iter().any(|a| a.name == argument.name) {
            found.push(argument);
        }
    }
    Ok(found)
}

/// Reads one `arg` declaration.
pub(super) fn declared_argument(
    path: &Path,
    node: Node<'_, '_>,
) -> Result<Argument, LaunchFileError> {
    let element = Element::checked(path, node, &["name", "default", "description"], &["choice"])?;
    let mut choices = Vec::new();
    for child in elements(path, node)? {
        let choice = Element::checked(path, child, &["value"], &[])?;
        choices.push(choice.required("value")?.to_owned());
    }
    Ok(Argument {
        name: element.required("name")?.to_owned(),
        default: element.attribute("default").map(str::to_owned),
        description: element
            .attribute("description")
            .unwrap_or_default()
            .to_owned(),
        choices,
    })
}
