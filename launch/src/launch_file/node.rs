//! The actions `node` and `executable`.

use super::PACKAGE;
use super::actions::{Executable, Kind, NodeAction, Parameter};
use super::entity::Entity;
use super::error::{LaunchFileError, Place, malformed, unsupported};
use super::evaluate::{Done, Evaluator, MAX_DEPTH};
use super::packages::{self, push_namespace};
use super::ros_args::{self, RosArgs};

impl Evaluator {
    pub(super) fn executable(&mut self, e: &Entity) -> Done {
        let command = self.words(e, e.required("cmd")?)?;
        if command.first().is_none_or(String::is_empty) {
            return Err(malformed(&e.place, "'cmd' names no program"));
        }
        let mut env = Vec::new();
        for child in &e.children {
            child.check(&["name", "value"], &[])?;
            env.push(self.pair(child, "name", "value")?);
        }
        let process = self.process(e, "name")?;
        self.launch.executables.push(Executable {
            place: e.place.clone(),
            command,
            env,
            process,
        });
        Ok(())
    }

    pub(super) fn node(&mut self, e: &Entity) -> Done {
        let fail = |reason: String| malformed(&e.place, reason);
        let package = self.text(e, "pkg")?;
        let exec = self.text(e, "exec")?;
        let args = self.words(e, e.attribute("args").unwrap_or_default())?;
        let ros_args = self.words(e, e.attribute("ros_args").unwrap_or_default())?;
        // Our own nodes take nothing but ROS arguments; what other programs take is theirs.
        let (ours, arguments, ros_arguments) = if package == PACKAGE {
            let words = args.iter().map(String::as_str).chain(["--ros-args"]);
            let words = words.chain(ros_args.iter().map(String::as_str));
            let ours = ros_args::parse(words).map_err(fail)?;
            (ours, Vec::new(), Vec::new())
        } else {
            (RosArgs::default(), args, ros_args)
        };
        let given = ours.name.or(self.optional(e, "name")?);
        if let Some(name) = given.as_ref().filter(|name| !packages::is_name(name)) {
            let reason = format!("'{name}' is not a node name (letters, digits, _)");
            return Err(fail(reason));
        }
        let inner = self.optional(e, "namespace")?.unwrap_or_default();
        let namespace = push_namespace(&self.scope.namespace, &inner).map_err(fail)?;
        let mut node = NodeAction {
            place: e.place.clone(),
            package,
            name: given.clone().unwrap_or_else(|| exec.clone()),
            named: given.is_some(),
            exec,
            namespace: ours.namespace.unwrap_or(namespace),
            parameters: self.scope.parameters.clone(),
            remaps: self.scope.remaps.clone(),
            arguments,
            ros_arguments,
            env: Vec::new(),
            process: self.process(e, "exec_name")?,
        };
        self.node_children(e, &mut node)?;
        for parameter in ours.parameters {
            node.parameters.push(match parameter {
                Parameter::File(file) => Parameter::File(self.relative_to_launch_file(file)),
                value => value,
            });
        }
        node.remaps.extend(ours.remaps);
        self.launch.nodes.push(node);
        Ok(())
    }

    fn node_children(&mut self, e: &Entity, node: &mut NodeAction) -> Done {
        for child in &e.children {
            match child.tag.as_str() {
                "remap" => {
                    child.check(&["from", "to"], &[])?;
                    node.remaps.push(self.pair(child, "from", "to")?);
                }
                "env" => {
                    child.check(&["name", "value"], &[])?;
                    node.env.push(self.pair(child, "name", "value")?);
                }
                _ => self.param("", child, node)?,
            }
        }
        Ok(())
    }

    /// `<param name value [type]/>`, `<param from/>`, or a `param` of `param`s,
    /// whose names are joined by dots.
    fn param(&mut self, prefix: &str, param: &Entity, node: &mut NodeAction) -> Done {
        param.check(&["name", "value", "type", "from"], &["param"])?;
        let nested = &param.children;
        let has = |name: &str| param.attribute(name).is_some();
        match (has("from"), has("name"), has("value"), nested.is_empty()) {
            (true, false, false, true) if prefix.is_empty() => {
                let from = self.path(param, "from")?;
                if let Err(source) = from.metadata() {
                    return Err(LaunchFileError::Read { file: from, source });
                }
                node.parameters.push(Parameter::File(from));
            }
            (false, true, true, true) => {
                let (name, value) = self.pair(param, "name", "value")?;
                let kind = param.attribute("type");
                let kind = kind.map(|kind| typed(&name, &value, kind, &param.place));
                let name = format!("{prefix}{name}");
                let kind = kind.transpose()?;
                node.parameters.push(Parameter::Value { name, value, kind });
            }
            (false, true, false, false) => {
                if prefix.matches('.').count() > MAX_DEPTH {
                    let reason = format!("params are nested deeper than {MAX_DEPTH}");
                    return Err(malformed(&param.place, reason));
                }
                let name = self.text(param, "name")?;
                for inner in nested {
                    self.param(&format!("{prefix}{name}."), inner, node)?;
                }
            }
            _ => {
                let reason = "<param> needs either 'name' and 'value', 'name' and nested \
                              <param>, or 'from'";
                return Err(malformed(&param.place, reason));
            }
        }
        Ok(())
    }
}

/// The type that `type` names, if the value is of it.
fn typed(name: &str, value: &str, kind: &str, place: &Place) -> Result<Kind, LaunchFileError> {
    let (found, fits) = match kind {
        "str" => (Kind::Text, true),
        "int" => (Kind::Integer, value.trim().parse::<i64>().is_ok()),
        "float" => (Kind::Float, value.trim().parse::<f64>().is_ok()),
        "bool" => {
            let words = ["true", "True", "false", "False"];
            (Kind::Bool, words.contains(&value.trim()))
        }
        _ => {
            let what = format!("type '{kind}' of a <param>");
            return Err(unsupported(place, what, &["str", "int", "float", "bool"]));
        }
    };
    if fits {
        Ok(found)
    } else {
        let reason = format!("parameter '{name}': '{value}' is not of type {kind}");
        Err(malformed(place, reason))
    }
}
