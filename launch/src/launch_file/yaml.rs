//! Launch files in YAML.
//!
//! ```yaml
//! launch:
//! - arg: {name: rate, default: "100"}
//! - group:
//!     scoped: true
//!     children:
//!     - node:
//!         pkg: saccade_nodes
//!         exec: dvs_ingest
//!         param:
//!         - {name: rate, value: $(var rate)}
//! ```
//!
//! An entry with a plain value is what an attribute is in XML; one with a list of entries is
//! that many elements of its name; `children`, or a list in place of the entries, holds actions.

use super::entity::{Attribute, Entity, MAX_DEPTH};
use super::error::{LaunchFileError, Place, malformed, unsupported};
use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use std::path::Path;

/// Parses a launch file; its root, whatever it is.
pub(super) fn parse(path: &Path, text: &str) -> Result<Entity, LaunchFileError> {
    let place = |line: usize| Place {
        file: path.to_owned(),
        line: u32::try_from(line).unwrap_or(u32::MAX),
    };
    let documents = MarkedYaml::load_from_str(text)
        .map_err(|e| malformed(&place(e.marker().line()), format!("not YAML: {}", e.info())))?;
    match documents.as_slice() {
        [document] => Reader { path, text }.action(document, 0),
        [] => Err(malformed(
            &place(1),
            "an empty file; it must begin with 'launch:'",
        )),
        [_, second, ..] => {
            let reason = "a second YAML document; a launch file is one";
            Err(malformed(&place(second.span.start.line()), reason))
        }
    }
}

struct Reader<'a> {
    path: &'a Path,
    text: &'a str,
}

impl Reader<'_> {
    fn place(&self, yaml: &MarkedYaml<'_>) -> Place {
        Place {
            file: self.path.to_owned(),
            line: u32::try_from(yaml.span.start.line()).unwrap_or(u32::MAX),
        }
    }

    /// `tag: …`, the only entry of a mapping.
    fn action(&self, yaml: &MarkedYaml<'_>, depth: usize) -> Result<Entity, LaunchFileError> {
        if let YamlData::Mapping(entries) = &yaml.data
            && entries.len() == 1
            && let Some((key, value)) = entries.iter().next()
        {
            let tag = self.key(key)?;
            return self.entity(tag, self.place(key), value, depth);
        }
        let reason = "expected one action with its entries below it, such as 'node:'";
        Err(malformed(&self.place(yaml), reason))
    }

    fn entity(
        &self,
        tag: String,
        place: Place,
        yaml: &MarkedYaml<'_>,
        depth: usize,
    ) -> Result<Entity, LaunchFileError> {
        if depth > MAX_DEPTH {
            let reason = format!("elements are nested deeper than {MAX_DEPTH}");
            return Err(malformed(&place, reason));
        }
        let mut entity = Entity {
            tag,
            place,
            attributes: Vec::new(),
            children: Vec::new(),
        };
        match &yaml.data {
            YamlData::Sequence(actions) => {
                for action in actions {
                    entity.children.push(self.action(action, depth + 1)?);
                }
            }
            YamlData::Mapping(entries) => {
                for (key, value) in entries {
                    self.entry(&mut entity, key, value, depth)?;
                }
            }
            _ => {
                let reason = format!("'{}' needs 'name: value' entries or a list", entity.tag);
                return Err(malformed(&self.place(yaml), reason));
            }
        }
        Ok(entity)
    }

    fn entry(
        &self,
        entity: &mut Entity,
        key: &MarkedYaml<'_>,
        value: &MarkedYaml<'_>,
        depth: usize,
    ) -> Result<(), LaunchFileError> {
        let name = self.key(key)?;
        match &value.data {
            YamlData::Sequence(actions) if name == "children" => {
                for action in actions {
                    entity.children.push(self.action(action, depth + 1)?);
                }
            }
            YamlData::Sequence(parts) if parts.iter().any(|p| p.data.is_mapping()) => {
                for part in parts {
                    let place = self.place(part);
                    let part = self.entity(name.clone(), place, part, depth + 1)?;
                    entity.children.push(part);
                }
            }
            YamlData::Mapping(_) => {
                let reason = format!("'{name}' needs a list: put '- ' before its entries");
                return Err(malformed(&self.place(value), reason));
            }
            data => {
                let is_text = matches!(data, YamlData::Value(Scalar::String(_)))
                    && self.truth(value).is_none();
                let text = self.value(&name, value)?;
                entity.attributes.push(Attribute {
                    name,
                    text,
                    is_text,
                });
            }
        }
        Ok(())
    }

    /// What `on`, `off`, `yes` and `no` mean without quotes in YAML 1.1, which ROS 2 reads.
    fn truth(&self, yaml: &MarkedYaml<'_>) -> Option<bool> {
        let YamlData::Value(Scalar::String(text)) = &yaml.data else {
            return None;
        };
        let truth = truth_of_yaml_1_1(text)?;
        let (line, column) = (yaml.span.start.line(), yaml.span.start.col());
        let line = self.text.lines().nth(line.saturating_sub(1))?;
        let quoted = matches!(line.chars().nth(column), Some('"' | '\''));
        (!quoted).then_some(truth)
    }

    fn key(&self, yaml: &MarkedYaml<'_>) -> Result<String, LaunchFileError> {
        match &yaml.data {
            YamlData::Value(Scalar::String(text)) => Ok(text.to_string()),
            _ => Err(malformed(&self.place(yaml), "expected a name here")),
        }
    }

    /// A value as YAML has it; a list as `[a, b]`.
    fn value(&self, name: &str, yaml: &MarkedYaml<'_>) -> Result<String, LaunchFileError> {
        if let Some(truth) = self.truth(yaml) {
            return Ok(truth.to_string());
        }
        match &yaml.data {
            YamlData::Value(Scalar::String(text)) => Ok(text.to_string()),
            YamlData::Value(Scalar::Integer(i)) => Ok(i.to_string()),
            // With its point, by which it stays a floating-point number.
            YamlData::Value(Scalar::FloatingPoint(f)) => Ok(format!("{f:?}")),
            YamlData::Value(Scalar::Boolean(b)) => Ok(b.to_string()),
            YamlData::Sequence(items) => {
                let items = items.iter().map(|item| match &item.data {
                    YamlData::Value(Scalar::String(text)) => Ok(quoted(text)),
                    YamlData::Value(_) => self.value(name, item),
                    _ => Err(malformed(
                        &self.place(item),
                        format!("'{name}': a list in a list"),
                    )),
                });
                Ok(format!(
                    "[{}]",
                    items.collect::<Result<Vec<_>, _>>()?.join(", ")
                ))
            }
            YamlData::Value(Scalar::Null) => Err(malformed(
                &self.place(yaml),
                format!("'{name}' has no value"),
            )),
            _ => {
                let what = format!("the value of '{name}' (an alias or tag)");
                let expected = ["text", "number", "true", "false", "list"];
                Err(unsupported(&self.place(yaml), what, &expected))
            }
        }
    }
}

/// The truth values that YAML 1.1 has beside `true` and `false`.
pub(super) fn truth_of_yaml_1_1(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

/// A text in double quotes, as YAML and JSON have it.
pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
