//! Launch files in XML.

use super::entity::{Attribute, Entity, MAX_DEPTH};
use super::error::{LaunchFileError, Place, malformed};
use roxmltree::{Document, Node, ParsingOptions};
use std::path::Path;

/// Parses a launch file; its root, whatever it is.
pub(super) fn parse(path: &Path, text: &str) -> Result<Entity, LaunchFileError> {
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
    entity(path, document.root_element(), 0)
}

/// An element with what is in it; text between elements is refused, since nothing would
/// become of it.
fn entity(path: &Path, node: Node<'_, '_>, depth: usize) -> Result<Entity, LaunchFileError> {
    let place_of = |node: Node<'_, '_>| Place {
        file: path.to_owned(),
        line: node.document().text_pos_at(node.range().start).row,
    };
    let place = place_of(node);
    if depth > MAX_DEPTH {
        let reason = format!("elements are nested deeper than {MAX_DEPTH}");
        return Err(malformed(&place, reason));
    }
    let mut children = Vec::new();
    for child in node.children() {
        match child.text() {
            Some(text) if child.is_text() && !text.trim().is_empty() => {
                let reason = format!("text '{}' between elements", text.trim());
                return Err(malformed(&place_of(child), reason));
            }
            _ if child.is_element() => children.push(entity(path, child, depth + 1)?),
            _ => {}
        }
    }
    let attributes = node.attributes().map(|a| Attribute {
        name: a.name().to_owned(),
        text: a.value().to_owned(),
        is_text: true,
    });
    Ok(Entity {
        tag: node.tag_name().name().to_owned(),
        place,
        attributes: attributes.collect(),
        children,
    })
}
