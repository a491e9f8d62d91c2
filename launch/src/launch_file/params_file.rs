//! ROS 2 parameter files (`<param from="…"/>`, `--params-file`).
//!
//! ```yaml
//! /**:                      # every node; or a name, or /namespace/name
//!   ros__parameters:
//!     confidence_min: 0.6
//!     reach:                # nested names are joined by dots: reach.height
//!       height: 0.1
//! ```

use super::actions::{Kind, Parameter};
use super::entity;
use super::error::{LaunchFileError, Place, malformed, unsupported};
use super::yaml::{quoted, truth_of_yaml_1_1};
use saphyr::{LoadableYamlNode, MarkedYaml, Scalar, YamlData};
use std::path::Path;

/// The parameters a file has for one node, in file order, as texts.
pub(super) fn read(path: &Path, full_name: &str) -> Result<Vec<(String, String)>, LaunchFileError> {
    let text = entity::read(path)?;
    let at = |line: usize| Place {
        file: path.to_owned(),
        line: u32::try_from(line).unwrap_or(u32::MAX),
    };
    let documents = MarkedYaml::load_from_str(&text)
        .map_err(|e| malformed(&at(e.marker().line()), format!("not YAML: {}", e.info())))?;
    let mut reader = Reader {
        at: &at,
        full_name,
        found: Vec::new(),
    };
    for document in &documents {
        reader.nodes("", document)?;
    }
    Ok(reader.found)
}

/// A parameter file of these values (files among `parameters` are left out) for the node
/// `node`, or `/**`. A value is of the type it looks like, as in ROS 2's launch, unless the
/// launch file names one, or `as_text` says that all are text.
pub fn as_file(node: &str, parameters: &[Parameter], as_text: bool) -> String {
    let mut text = format!("{}:\n  ros__parameters:\n", quoted(node));
    for parameter in parameters {
        if let Parameter::Value { name, value, kind } = parameter {
            let value = match kind {
                _ if as_text => quoted(value),
                Some(Kind::Text) => quoted(value),
                Some(Kind::Float) => value
                    .trim()
                    .parse::<f64>()
                    .map_or_else(|_| quoted(value), |number| format!("{number:?}")),
                Some(Kind::Integer | Kind::Bool) => value.trim().to_lowercase(),
                None => as_it_looks(value),
            };
            text.push_str(&format!("    {}: {value}\n", quoted(name)));
        }
    }
    text
}

/// A value as YAML: a number, truth value or list of these as it stands, anything else as text.
fn as_it_looks(value: &str) -> String {
    let trimmed = value.trim();
    if let Some(truth) = truth_of_yaml_1_1(trimmed) {
        return truth.to_string();
    }
    let plain = |yaml: &MarkedYaml<'_>| matches!(&yaml.data, YamlData::Value(value) if *value != Scalar::Null);
    match MarkedYaml::load_from_str(trimmed).as_deref() {
        Ok([document]) => match &document.data {
            YamlData::Value(Scalar::Integer(_) | Scalar::FloatingPoint(_)) => trimmed.to_owned(),
            YamlData::Value(Scalar::Boolean(b)) => b.to_string(),
            YamlData::Sequence(items) if items.iter().all(plain) && !trimmed.contains('\n') => {
                trimmed.to_owned()
            }
            _ => quoted(value),
        },
        _ => quoted(value),
    }
}

struct Reader<'a> {
    at: &'a dyn Fn(usize) -> Place,
    full_name: &'a str,
    found: Vec<(String, String)>,
}

impl Reader<'_> {
    fn place(&self, yaml: &MarkedYaml<'_>) -> Place {
        (self.at)(yaml.span.start.line())
    }

    /// Node names and namespaces, down to `ros__parameters`.
    fn nodes(&mut self, prefix: &str, yaml: &MarkedYaml<'_>) -> Result<(), LaunchFileError> {
        for (key, value) in self.mapping(yaml)? {
            if key == "ros__parameters" {
                if prefix.is_empty() {
                    let reason = "ros__parameters stands under no node name (or /**)";
                    return Err(malformed(&self.place(value), reason));
                }
                if matches(prefix, self.full_name) {
                    self.parameters("", value)?;
                }
            } else {
                let inner = format!("{}/{}", prefix, key.trim_start_matches('/'));
                self.nodes(&inner, value)?;
            }
        }
        Ok(())
    }

    fn parameters(&mut self, prefix: &str, yaml: &MarkedYaml<'_>) -> Result<(), LaunchFileError> {
        for (key, value) in self.mapping(yaml)? {
            let name = if prefix.is_empty() {
                key
            } else {
                format!("{prefix}.{key}")
            };
            if value.data.is_mapping() {
                self.parameters(&name, value)?;
            } else {
                let text = self.scalar(&name, value)?;
                self.found.push((name, text));
            }
        }
        Ok(())
    }

    fn mapping<'y, 'i>(
        &self,
        yaml: &'y MarkedYaml<'i>,
    ) -> Result<Vec<(String, &'y MarkedYaml<'i>)>, LaunchFileError> {
        match &yaml.data {
            YamlData::Mapping(entries) => entries
                .iter()
                .map(|(key, value)| Ok((self.scalar("a key", key)?, value)))
                .collect(),
            // An empty file, or a name with nothing under it.
            YamlData::Value(Scalar::Null) => Ok(Vec::new()),
            _ => Err(malformed(
                &self.place(yaml),
                "expected 'name: …' entries here",
            )),
        }
    }

    fn scalar(&self, name: &str, yaml: &MarkedYaml<'_>) -> Result<String, LaunchFileError> {
        match &yaml.data {
            YamlData::Value(Scalar::String(text)) => Ok(text.to_string()),
            YamlData::Value(Scalar::Integer(i)) => Ok(i.to_string()),
            YamlData::Value(Scalar::FloatingPoint(f)) => Ok(f.to_string()),
            YamlData::Value(Scalar::Boolean(b)) => Ok(b.to_string()),
            YamlData::Value(Scalar::Null) => {
                Err(malformed(&self.place(yaml), format!("{name} has no value")))
            }
            _ => {
                let what = format!("the value of {name} (a list, alias or tag)");
                Err(unsupported(
                    &self.place(yaml),
                    what,
                    &["text", "number", "true", "false"],
                ))
            }
        }
    }
}

/// Whether a file's node name means this node: parts must be equal, `*`
/// stands for one part, `**` for any number of them.
fn matches(pattern: &str, full_name: &str) -> bool {
    fn parts(pattern: &[&str], name: &[&str]) -> bool {
        match (pattern, name) {
            ([], []) => true,
            (["**", rest @ ..], _) => (0..=name.len()).any(|skip| parts(rest, &name[skip..])),
            ([p, rest @ ..], [n, others @ ..]) => (*p == "*" || p == n) && parts(rest, others),
            _ => false,
        }
    }
    let split = |text: &'_ str| -> Vec<String> {
        text.split('/')
            .filter(|p| !p.is_empty())
            .map(str::to_owned)
            .collect()
    };
    let (pattern, name) = (split(pattern), split(full_name));
    let pattern: Vec<&str> = pattern.iter().map(String::as_str).collect();
    let name: Vec<&str> = name.iter().map(String::as_str).collect();
    // A bare name means the node of that name in any namespace only where it
    // is in none; rcl demands the namespace otherwise.
    parts(&pattern, &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str, node: &str) -> Result<Vec<(String, String)>, String> {
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        std::fs::write(file.path(), text).expect("written");
        let shown = file.path().display().to_string();
        read(file.path(), node).map_err(|e| e.to_string().replace(&shown, "FILE"))
    }

    #[test]
    fn values_of_the_node_and_the_wildcards_are_taken_in_file_order() {
        let text = "/**:\n  ros__parameters:\n    a: 1\n    deep: {x: 0.5, y: true}\n\
                    arm:\n  ros__parameters: {a: two}\n\
                    left:\n  arm:\n    ros__parameters:\n      a: \"3\"\n\
                    /left/*:\n  ros__parameters:\n    b: 4\n";
        let pairs = |list: &[(&str, &str)]| -> Vec<(String, String)> {
            list.iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
                .collect()
        };
        let shared = [("a", "1"), ("deep.x", "0.5"), ("deep.y", "true")];
        let mut arm = pairs(&shared);
        arm.extend(pairs(&[("a", "two")]));
        assert_eq!(read_text(text, "/arm"), Ok(arm));
        let mut left = pairs(&shared);
        left.extend(pairs(&[("a", "3"), ("b", "4")]));
        assert_eq!(read_text(text, "/left/arm"), Ok(left));
        assert_eq!(read_text(text, "/right/hand"), Ok(pairs(&shared)));
        assert_eq!(read_text("", "/arm"), Ok(Vec::new()));
    }

    #[test]
    fn a_file_has_each_value_in_its_type() {
        let one = |name: &str, value: &str, kind| Parameter::Value {
            name: name.to_owned(),
            value: value.to_owned(),
            kind,
        };
        let parameters = [
            one("a", "1", None),
            one("b", "1", Some(Kind::Text)),
            one("c", "1", Some(Kind::Float)),
            one("d.e", "True", None),
            one("f", "a: b", None),
            one("g", "[1, 2]", None),
            one("h", "off", None),
            one("i", "two\n\"words\"", None),
            one("j", "", None),
        ];
        let file = as_file("/n", &parameters, false);
        let expected = "\"/n\":\n  ros__parameters:\n    \"a\": 1\n    \"b\": \"1\"\n    \
                        \"c\": 1.0\n    \"d.e\": true\n    \"f\": \"a: b\"\n    \"g\": [1, 2]\n    \
                        \"h\": false\n    \"i\": \"two\\n\\\"words\\\"\"\n    \"j\": \"\"\n";
        assert_eq!(file, expected);
        // As text every value comes back as it was.
        let file = as_file("/n", &parameters, true);
        let values: Vec<_> = read_text(&file, "/n").expect("valid");
        assert_eq!(values.len(), parameters.len());
        for ((name, value), parameter) in values.iter().zip(&parameters) {
            assert_eq!(
                one(name, value, None),
                match parameter {
                    Parameter::Value { name, value, .. } => one(name, value, None),
                    other => other.clone(),
                }
            );
        }
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        for (text, expected) in [
            ("a: [\n", "FILE:"),
            (
                "a:\n  ros__parameters:\n    x: [1, 2]\n",
                "FILE:3: the value of x",
            ),
            ("a:\n  ros__parameters:\n    x:\n", "FILE:3: x has no value"),
            ("ros__parameters:\n  x: 1\n", "stands under no node name"),
            ("- 1\n", "FILE:1: expected 'name: …' entries"),
            ("a: 5\n", "FILE:1: expected 'name: …' entries"),
            ("a: &x\n  ros__parameters: *x\n", "FILE:"),
        ] {
            let error = read_text(text, "/a").expect_err(text);
            assert!(error.contains(expected), "{text:?}: {error}");
        }
        let deep = format!("a: {}", "[".repeat(50_000));
        assert!(read_text(&deep, "/a").is_err());
        let deep = format!("a: {}", "{a: ".repeat(50_000));
        assert!(read_text(&deep, "/a").is_err());
    }
}
