//! YAML as rosbag2 uses it: read with bounds, written with care for strings.

use saphyr::{LoadableYamlNode, Scalar, Yaml};

/// No metadata text may be longer than this.
pub(crate) const MAX_TEXT: usize = 1 << 24;
/// Indentation at most: it bounds how deep values lie within each other.
const MAX_INDENT: usize = 200;

/// The first document of a text.
pub(crate) fn load(text: &str) -> Result<Yaml<'_>, String> {
    if text.len() > MAX_TEXT {
        return Err(format!("the text is longer than {MAX_TEXT} bytes"));
    }
    for (i, line) in text.lines().enumerate() {
        let indent = line.find(|c: char| !matches!(c, ' ' | '-' | '?' | ':' | '\t'));
        if indent.unwrap_or(line.len()) > MAX_INDENT {
            return Err(format!("line {} is indented too deep", i + 1));
        }
    }
    let documents = Yaml::load_from_str(text).map_err(|e| e.to_string())?;
    documents
        .into_iter()
        .next()
        .ok_or_else(|| "it is empty".to_owned())
}

/// A value of a mapping.
pub(crate) fn get<'a, 'i>(yaml: &'a Yaml<'i>, key: &str) -> Result<&'a Yaml<'i>, String> {
    yaml.as_mapping_get(key)
        .ok_or_else(|| format!("`{key}` is missing"))
}

/// A number of a mapping.
pub(crate) fn integer(yaml: &Yaml<'_>, key: &str) -> Result<i64, String> {
    let value = get(yaml, key)?;
    (value.as_integer()).ok_or_else(|| format!("`{key}` is not a whole number"))
}

/// A text of a mapping; nothing, and a number that means text, are texts too.
pub(crate) fn text(yaml: &Yaml<'_>, key: &str) -> Result<String, String> {
    scalar(get(yaml, key)?).ok_or_else(|| format!("`{key}` is not a text"))
}

/// A scalar as text.
pub(crate) fn scalar(yaml: &Yaml<'_>) -> Option<String> {
    match yaml {
        Yaml::Value(Scalar::String(text)) => Some(text.to_string()),
        Yaml::Value(Scalar::Null) => Some(String::new()),
        Yaml::Value(Scalar::Integer(n)) => Some(n.to_string()),
        Yaml::Value(Scalar::FloatingPoint(n)) => Some(n.to_string()),
        Yaml::Value(Scalar::Boolean(b)) => Some(b.to_string()),
        _ => None,
    }
}

/// The items of a list of a mapping; nothing is an empty list.
pub(crate) fn list<'a, 'i>(yaml: &'a Yaml<'i>, key: &str) -> Result<&'a [Yaml<'i>], String> {
    match get(yaml, key)? {
        Yaml::Sequence(items) => Ok(items),
        Yaml::Value(Scalar::Null) => Ok(&[]),
        _ => Err(format!("`{key}` is not a list")),
    }
}

/// A text in double quotes.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_survive_quoting() {
        let text = "a: \"b\"\\\n\t# \u{7}\u{85}é✓ '";
        let document = format!("key: {}\n", quoted(text));
        let yaml = load(&document).expect("parses");
        assert_eq!(super::text(&yaml, "key").as_deref(), Ok(text));
    }

    #[test]
    fn deep_or_exploding_texts_are_refused() {
        assert!(load(&"- ".repeat(1_000_000)).is_err());
        assert!(load(&"[".repeat(1_000_000)).is_err());
        assert!(load(&"? ".repeat(1_000_000)).is_err());
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for i in 1..12 {
            let inner = vec![format!("*a{}", i - 1); 10].join(", ");
            bomb += &format!("a{i}: &a{i} [{inner}]\n");
        }
        assert!(load(&bomb).is_err());
        assert!(load("").is_err());
    }
}
