//! The `--ros-args` of a ROS 2 command line (`<node args="…">`).

use super::actions::Parameter;
use super::packages::{is_name, push_namespace};

/// What a node's ROS arguments ask for.
#[derive(Debug, Default, PartialEq)]
pub(super) struct RosArgs {
    /// `-r __node:=name`
    pub(super) name: Option<String>,
    /// `-r __ns:=/namespace`
    pub(super) namespace: Option<String>,
    /// `-r from:=to`
    pub(super) remaps: Vec<(String, String)>,
    /// `-p name:=value` and `--params-file`, in their order.
    pub(super) parameters: Vec<Parameter>,
    /// `--log-level level`; of those for one logger (`name:=level`) nothing is kept.
    pub(super) log_level: Option<String>,
}

/// Reads words such as `--ros-args -p rate:=5 -r a:=b --`.
///
/// # Errors
/// A flag without its value, an unknown flag, or an argument outside
/// `--ros-args`: our nodes take none.
pub(super) fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<RosArgs, String> {
    let mut args = RosArgs::default();
    let mut words = words.into_iter();
    let mut within = false;
    while let Some(word) = words.next() {
        match word {
            "--ros-args" => within = true,
            "--" if within => within = false,
            _ if !within => {
                return Err(format!(
                    "argument '{word}': nodes take none outside --ros-args"
                ));
            }
            "-r" | "--remap" => {
                let (from, to) = assignment(word, words.next())?;
                add_remap(&mut args, from, to)?;
            }
            "-p" | "--param" => {
                let (name, value) = assignment(word, words.next())?;
                args.parameters.push(Parameter::Value {
                    name: name.to_owned(),
                    value: value.to_owned(),
                    kind: None,
                });
            }
            "--params-file" => {
                let file = words.next().ok_or("--params-file needs a file")?;
                args.parameters.push(Parameter::File(file.into()));
            }
            "--log-level" => {
                let level = words.next().ok_or("--log-level needs a level")?;
                if !level.contains(":=") {
                    args.log_level = Some(level.to_owned());
                }
            }
            _ => {
                return Err(format!(
                    "'{word}' is not supported; supported here: -r, -p, --params-file, --log-level"
                ));
            }
        }
    }
    Ok(args)
}

fn assignment<'a>(flag: &str, word: Option<&'a str>) -> Result<(&'a str, &'a str), String> {
    word.and_then(|w| w.split_once(":="))
        .filter(|(name, _)| !name.is_empty())
        .ok_or_else(|| format!("{flag} needs name:=value, not '{}'", word.unwrap_or("")))
}

fn add_remap(args: &mut RosArgs, from: &str, to: &str) -> Result<(), String> {
    match from {
        "__node" | "__name" if !is_name(to) => return Err(format!("'{to}' is not a node name")),
        "__node" | "__name" => args.name = Some(to.to_owned()),
        "__ns" => args.namespace = Some(push_namespace("/", to)?),
        _ => args.remaps.push((from.to_owned(), to.to_owned())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ros_arguments_are_read_in_order() {
        let line = "--ros-args -r __node:=arm -r __ns:=/left -r a:=/b -p x:=1 \
                    --params-file p.yaml -p x:=2 --log-level warn --";
        let args = parse(line.split_whitespace()).expect("valid");
        let one = |value: &str| Parameter::Value {
            name: "x".into(),
            value: value.into(),
            kind: None,
        };
        assert_eq!(args.name.as_deref(), Some("arm"));
        assert_eq!(args.namespace.as_deref(), Some("/left"));
        assert_eq!(args.remaps, [("a".to_owned(), "/b".to_owned())]);
        assert_eq!(
            args.parameters,
            [one("1"), Parameter::File("p.yaml".into()), one("2"),]
        );
    }

    #[test]
    fn wrong_ros_arguments_are_refused() {
        for (line, part) in [
            ("x", "outside --ros-args"),
            ("--ros-args -p", "name:=value"),
            ("--ros-args -p x=1", "name:=value"),
            ("--ros-args -r __node:=a/b", "not a node name"),
            ("--ros-args --enclave x", "not supported"),
            ("--ros-args --params-file", "needs a file"),
            ("--ros-args -- x", "outside --ros-args"),
        ] {
            let error = parse(line.split_whitespace()).expect_err(line);
            assert!(error.contains(part), "{line}: {error}");
        }
    }
}
