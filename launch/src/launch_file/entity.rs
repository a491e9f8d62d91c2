//! Actions as a launch file has them, whether in XML or YAML: a tag, attributes, and what
//! stands below, each checked against what it may contain.

use super::Argument;
use super::error::{LaunchFileError, Place, malformed, unsupported};
use super::{xml, yaml};
use std::path::Path;

/// No launch or parameter file is this long (bytes); a larger one is a
/// mistake and is not read into memory.
const MAX_FILE: u64 = 4 << 20;

/// Depth to which elements may be nested, so that no file can exhaust the stack.
pub(super) const MAX_DEPTH: usize = 256;

/// Every action may be conditional.
const CONDITIONS: [&str; 2] = ["if", "unless"];

/// What may stand in YAML as a number, truth value or list; ROS 2 takes only text elsewhere.
const NOT_TEXT: [(&str, &str); 5] = [
    ("group", "scoped"),
    ("executable", "shell"),
    ("node", "shell"),
    ("executable", "respawn_delay"),
    ("node", "respawn_delay"),
];

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

/// Reads a launch file: YAML by its extension, otherwise XML.
///
/// # Errors
/// A file that cannot be read or is neither; one in Python; a root that is not `launch`.
pub(super) fn load(path: &Path) -> Result<Entity, LaunchFileError> {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or("");
    if extension == "py" {
        return Err(LaunchFileError::Python(path.to_owned()));
    }
    let text = read(path)?;
    let root = match extension {
        "yaml" | "yml" => yaml::parse(path, &text)?,
        _ => xml::parse(path, &text)?,
    };
    if root.tag != "launch" {
        let reason = format!("the root is <{}>, not <launch>", root.tag);
        return Err(malformed(&root.place, reason));
    }
    for attribute in &root.attributes {
        if attribute.name != "version" {
            let what = format!("attribute '{}' of <launch>", attribute.name);
            return Err(unsupported(&root.place, what, &["version"]));
        }
    }
    Ok(root)
}

/// An attribute as written.
#[derive(Debug)]
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) text: String,
    /// Whether it is text in the file; in YAML it may be a number, `true` or a list.
    pub(super) is_text: bool,
}

/// An action or a part of one.
#[derive(Debug)]
pub(super) struct Entity {
    pub(super) tag: String,
    pub(super) place: Place,
    pub(super) attributes: Vec<Attribute>,
    pub(super) children: Vec<Entity>,
}

impl Entity {
    /// Refuses attributes other than `allowed` and the conditions, and children other than
    /// `children`.
    pub(super) fn check(&self, allowed: &[&str], children: &[&str]) -> Result<(), LaunchFileError> {
        let tag = &self.tag;
        for attribute in &self.attributes {
            let name = attribute.name.as_str();
            if !allowed.contains(&name) && !CONDITIONS.contains(&name) {
                let supported: Vec<_> = allowed.iter().chain(&CONDITIONS).copied().collect();
                let what = format!("attribute '{name}' of <{tag}>");
                return Err(unsupported(&self.place, what, &supported));
            }
            let any = NOT_TEXT.contains(&(tag, name)) || (tag == "param" && name == "value");
            if !attribute.is_text && !any {
                let reason = format!(
                    "'{name}' of '{tag}' must be text, as in ROS 2: put {} in quotes",
                    attribute.text
                );
                return Err(malformed(&self.place, reason));
            }
        }
        for child in &self.children {
            if !children.contains(&child.tag.as_str()) {
                let what = format!("element <{}> in <{tag}>", child.tag);
                return Err(unsupported(&child.place, what, children));
            }
        }
        Ok(())
    }

    /// An attribute as written.
    pub(super) fn attribute(&self, name: &str) -> Option<&str> {
        let found = self.attributes.iter().find(|a| a.name == name);
        found.map(|a| a.text.as_str())
    }

    /// An attribute that must be there.
    pub(super) fn required(&self, name: &str) -> Result<&str, LaunchFileError> {
        self.attribute(name).ok_or_else(|| {
            let reason = format!("<{}> needs the attribute '{name}'", self.tag);
            malformed(&self.place, reason)
        })
    }
}

/// Every `arg` declared in a file (those within an `include` are passed on,
/// not declared).
pub(super) fn declared_arguments(root: &Entity) -> Result<Vec<Argument>, LaunchFileError> {
    let mut found: Vec<Argument> = Vec::new();
    collect_arguments(root, &mut found)?;
    Ok(found)
}

fn collect_arguments(entity: &Entity, found: &mut Vec<Argument>) -> Result<(), LaunchFileError> {
    for child in &entity.children {
        if child.tag == "arg" && entity.tag != "include" {
            let argument = declared_argument(child)?;
            if !found.iter().any(|a| a.name == argument.name) {
                found.push(argument);
            }
        }
        collect_arguments(child, found)?;
    }
    Ok(())
}

/// Reads one `arg` declaration.
pub(super) fn declared_argument(entity: &Entity) -> Result<Argument, LaunchFileError> {
    entity.check(&["name", "default", "description"], &["choice"])?;
    let mut choices = Vec::new();
    for choice in &entity.children {
        choice.check(&["value"], &[])?;
        choices.push(choice.required("value")?.to_owned());
    }
    Ok(Argument {
        name: entity.required("name")?.to_owned(),
        default: entity.attribute("default").map(str::to_owned),
        description: entity
            .attribute("description")
            .unwrap_or_default()
            .to_owned(),
        choices,
    })
}
