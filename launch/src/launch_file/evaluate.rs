//! Walking a launch file's actions in order.

use super::element::{self, Element, elements};
use super::error::{LaunchFileError, Place, malformed, unsupported};
use super::packages::{self, push_namespace};
use super::ros_args::{self, Parameters};
use super::substitution::{Lookup, condition, substitute};
use super::{Argument, Launch, NodeAction, params_file};
use roxmltree::Node;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Depth to which files may include one another and groups be nested, so that
/// a file which includes itself ends in an error.
const MAX_DEPTH: usize = 32;

/// The actions, for error texts.
const ACTIONS: &[&str] = &[
    "arg",
    "let",
    "include",
    "group",
    "push_ros_namespace",
    "push-ros-namespace",
    "node",
    "set_parameter",
    "set_remap",
    "set_env",
    "unset_env",
    "log",
];

type Done = Result<(), LaunchFileError>;

/// What a scoped group restores at its end.
#[derive(Debug, Clone, Default)]
struct Scope {
    variables: BTreeMap<String, String>,
    /// Changes to the environment; `None`: unset.
    env: BTreeMap<String, Option<String>>,
    namespace: String,
    parameters: Vec<(String, String)>,
    remaps: Vec<(String, String)>,
}

/// The state of one evaluation.
struct Evaluator {
    scope: Scope,
    file: PathBuf,
    anonymous: Vec<String>,
    depth: usize,
    launch: Launch,
}

/// See [`super::load`].
pub(super) fn load(path: &Path, arguments: &[(String, String)]) -> Result<Launch, LaunchFileError> {
    let mut evaluator = Evaluator {
        scope: Scope {
            variables: arguments.iter().cloned().collect(),
            namespace: "/".to_owned(),
            ..Scope::default()
        },
        file: path.to_owned(),
        anonymous: Vec::new(),
        depth: 0,
        launch: Launch::default(),
    };
    let result = evaluator.file(path);
    // A misspelt argument is the likelier cause of whatever else went wrong,
    // unless the file never got as far as declaring any.
    if result.is_ok() || !evaluator.launch.arguments.is_empty() {
        check_all_declared(arguments, &evaluator.launch.arguments)?;
    }
    result?;
    Ok(evaluator.launch)
}

fn check_all_declared(given: &[(String, String)], declared: &[Argument]) -> Done {
    for (name, _) in given {
        if !declared.iter().any(|a| a.name == *name) {
            let names: Vec<_> = declared.iter().map(|a| a.name.as_str()).collect();
            let declared = if names.is_empty() {
                "none".to_owned()
            } else {
                names.join(", ")
            };
            return Err(LaunchFileError::UnknownArgument {
                name: name.clone(),
                declared,
            });
        }
    }
    Ok(())
}

impl Evaluator {
    fn file(&mut self, path: &Path) -> Done {
        let text = element::read(path)?;
        let document = element::parse(path, &text)?;
        let root = document.root_element();
        for argument in element::declared_arguments(path, root)? {
            if !self
                .launch
                .arguments
                .iter()
                .any(|a| a.name == argument.name)
            {
                self.launch.arguments.push(argument);
            }
        }
        let outer = std::mem::replace(&mut self.file, path.to_owned());
        let result = self.actions(root);
        self.file = outer;
        result
    }

    fn actions(&mut self, parent: Node<'_, '_>) -> Done {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let place = element::place_of(&self.file, parent);
            let reason = format!("includes and groups are nested deeper than {MAX_DEPTH}");
            return Err(malformed(&place, reason));
        }
        for node in elements(&self.file, parent)? {
            self.action(node)?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn action(&mut self, node: Node<'_, '_>) -> Done {
        let file = self.file.clone();
        let checked = |attributes: &[&str], children: &[&str]| {
            Element::checked(&file, node, attributes, children)
        };
        match node.tag_name().name() {
            "arg" => {
                let e = checked(&["name", "default", "description"], &["choice"])?;
                self.when(&e, Self::arg)
            }
            "let" => self.when(&checked(&["name", "value"], &[])?, Self::let_),
            "include" => self.when(&checked(&["file"], &["arg", "let"])?, Self::include),
            "group" => self.when(&checked(&["scoped"], ACTIONS)?, Self::group),
            "push_ros_namespace" | "push-ros-namespace" => {
                self.when(&checked(&["namespace"], &[])?, Self::push_namespace)
            }
            "node" => {
                let attributes = [
                    "pkg",
                    "exec",
                    "name",
                    "namespace",
                    "args",
                    "ros_args",
                    "output",
                    "respawn",
                    "respawn_delay",
                ];
                self.when(
                    &checked(&attributes, &["param", "remap", "env"])?,
                    Self::node,
                )
            }
            "set_parameter" => self.when(&checked(&["name", "value"], &[])?, |s, e| {
                let pair = s.pair(e, "name", "value")?;
                s.scope.parameters.push(pair);
                Ok(())
            }),
            "set_remap" => self.when(&checked(&["from", "to"], &[])?, |s, e| {
                let pair = s.pair(e, "from", "to")?;
                s.scope.remaps.push(pair);
                Ok(())
            }),
            "set_env" => self.when(&checked(&["name", "value"], &[])?, |s, e| {
                let (name, value) = s.pair(e, "name", "value")?;
                s.scope.env.insert(name, Some(value));
                Ok(())
            }),
            "unset_env" => self.when(&checked(&["name"], &[])?, |s, e| {
                let name = s.text(e, "name")?;
                s.scope.env.insert(name, None);
                Ok(())
            }),
            "log" => self.when(&checked(&["message", "level"], &[])?, |s, e| {
                let message = s.text(e, "message")?;
                s.launch.messages.push(message);
                Ok(())
            }),
            other => {
                let place = element::place_of(&self.file, node);
                Err(unsupported(&place, format!("action <{other}>"), ACTIONS))
            }
        }
    }

    /// Runs an action if its `if` and `unless` allow it.
    fn when(&mut self, e: &Element<'_, '_>, run: fn(&mut Self, &Element<'_, '_>) -> Done) -> Done {
        let active = match (e.attribute("if"), e.attribute("unless")) {
            (Some(_), Some(_)) => {
                return Err(malformed(&e.place, "'if' and 'unless' on the same action"));
            }
            (Some(text), None) => condition(&self.substituted(e, text)?, &e.place)?,
            (None, Some(text)) => !condition(&self.substituted(e, text)?, &e.place)?,
            (None, None) => true,
        };
        if active { run(self, e) } else { Ok(()) }
    }

    fn arg(&mut self, e: &Element<'_, '_>) -> Done {
        let argument = element::declared_argument(&self.file, e.node)?;
        let name = argument.name;
        if !self.scope.variables.contains_key(&name) {
            let Some(default) = argument.default else {
                return Err(LaunchFileError::MissingArgument {
                    place: e.place.clone(),
                    name,
                });
            };
            let value = self.substituted(e, &default)?;
            self.scope.variables.insert(name.clone(), value);
        }
        let value = self.scope.variables.get(&name).cloned().unwrap_or_default();
        if !argument.choices.is_empty() && !argument.choices.contains(&value) {
            return Err(LaunchFileError::NotAChoice {
                place: e.place.clone(),
                name,
                value,
                choices: argument.choices.join(", "),
            });
        }
        if !self.launch.values.iter().any(|(n, _)| *n == name) {
            self.launch.values.push((name, value));
        }
        Ok(())
    }

    fn let_(&mut self, e: &Element<'_, '_>) -> Done {
        let (name, value) = self.pair(e, "name", "value")?;
        self.scope.variables.insert(name, value);
        Ok(())
    }

    /// As in ROS 2, an included file sees and changes the includer's
    /// variables; a scoped group around the include prevents the latter.
    fn include(&mut self, e: &Element<'_, '_>) -> Done {
        let file = self.path(e, "file")?;
        for child in elements(&self.file, e.node)? {
            let passed = Element::checked(&self.file, child, &["name", "value"], &[])?;
            self.when(&passed, Self::let_)?;
        }
        if !file.is_file() {
            let reason = format!("included file {} does not exist", file.display());
            return Err(malformed(&e.place, reason));
        }
        self.file(&file)
    }

    fn group(&mut self, e: &Element<'_, '_>) -> Done {
        // ROS 2 wants a literal here, and scopes unless told otherwise.
        let scoped = e
            .attribute("scoped")
            .map_or(Ok(true), |text| condition(text, &e.place))?;
        let outer = scoped.then(|| self.scope.clone());
        self.actions(e.node)?;
        if let Some(outer) = outer {
            self.scope = outer;
        }
        Ok(())
    }

    fn push_namespace(&mut self, e: &Element<'_, '_>) -> Done {
        let namespace = self.text(e, "namespace")?;
        self.scope.namespace = push_namespace(&self.scope.namespace, &namespace)
            .map_err(|reason| malformed(&e.place, reason))?;
        Ok(())
    }

    fn node(&mut self, e: &Element<'_, '_>) -> Done {
        let fail = |reason: String| malformed(&e.place, reason);
        let package = self.text(e, "pkg")?;
        let exec = self.text(e, "exec")?;
        let ros_args = self.ros_args(e)?;
        let name = match (ros_args.name, self.optional(e, "name")?) {
            (Some(name), _) | (None, Some(name)) => name,
            (None, None) => exec.clone(),
        };
        if !packages::is_name(&name) {
            return Err(fail(format!(
                "'{name}' is not a node name (letters, digits, _)"
            )));
        }
        let inner = self.optional(e, "namespace")?.unwrap_or_default();
        let mut namespace = push_namespace(&self.scope.namespace, &inner).map_err(fail)?;
        namespace = ros_args.namespace.unwrap_or(namespace);
        let respawn = match self.optional(e, "respawn")? {
            Some(text) => condition(&text, &e.place)?,
            None => false,
        };
        let mut node = NodeAction {
            place: e.place.clone(),
            package,
            exec,
            name,
            namespace,
            parameters: self.scope.parameters.clone(),
            remaps: self.scope.remaps.clone(),
            env: Vec::new(),
            respawn,
        };
        self.node_children(e, &mut node)?;
        for source in ros_args.parameters {
            match source {
                Parameters::One(name, value) => node.parameters.push((name, value)),
                Parameters::File(file) => {
                    let file = self.relative_to_launch_file(file);
                    node.parameters
                        .extend(params_file::read(&file, &node.full_name())?);
                }
            }
        }
        node.remaps.extend(ros_args.remaps);
        self.launch.nodes.push(node);
        Ok(())
    }

    fn node_children(&mut self, e: &Element<'_, '_>, node: &mut NodeAction) -> Done {
        let file = self.file.clone();
        for child in elements(&file, e.node)? {
            match child.tag_name().name() {
                "remap" => {
                    let remap = Element::checked(&file, child, &["from", "to"], &[])?;
                    node.remaps.push(self.pair(&remap, "from", "to")?);
                }
                "env" => {
                    let env = Element::checked(&file, child, &["name", "value"], &[])?;
                    node.env.push(self.pair(&env, "name", "value")?);
                }
                _ => self.param("", child, node)?,
            }
        }
        Ok(())
    }

    /// `<param name value [type]/>`, `<param from/>`, or a `param` of `param`s,
    /// whose names are joined by dots.
    fn param(&mut self, prefix: &str, child: Node<'_, '_>, node: &mut NodeAction) -> Done {
        let file = self.file.clone();
        let attributes = ["name", "value", "type", "from"];
        let param = Element::checked(&file, child, &attributes, &["param"])?;
        let nested = elements(&file, child)?;
        let has = |name: &str| param.attribute(name).is_some();
        match (has("from"), has("name"), has("value"), nested.is_empty()) {
            (true, false, false, true) if prefix.is_empty() => {
                let from = self.path(&param, "from")?;
                let name = node.full_name();
                node.parameters.extend(params_file::read(&from, &name)?);
            }
            (false, true, true, true) => {
                let (name, value) = self.pair(&param, "name", "value")?;
                if let Some(kind) = param.attribute("type") {
                    check_type(&name, &value, kind, &param.place)?;
                }
                node.parameters.push((format!("{prefix}{name}"), value));
            }
            (false, true, false, false) => {
                if prefix.matches('.').count() > MAX_DEPTH {
                    let reason = format!("params are nested deeper than {MAX_DEPTH}");
                    return Err(malformed(&param.place, reason));
                }
                let name = self.text(&param, "name")?;
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

    fn ros_args(&mut self, e: &Element<'_, '_>) -> Result<ros_args::RosArgs, LaunchFileError> {
        let args = self.optional(e, "args")?.unwrap_or_default();
        let ros_args = self.optional(e, "ros_args")?.unwrap_or_default();
        let words = args
            .split_whitespace()
            .chain(["--ros-args"])
            .chain(ros_args.split_whitespace());
        ros_args::parse(words).map_err(|reason| malformed(&e.place, reason))
    }

    /// Two required attributes, substituted.
    fn pair(
        &mut self,
        e: &Element<'_, '_>,
        first: &str,
        second: &str,
    ) -> Result<(String, String), LaunchFileError> {
        Ok((self.text(e, first)?, self.text(e, second)?))
    }

    /// A required attribute, substituted.
    fn text(&mut self, e: &Element<'_, '_>, name: &str) -> Result<String, LaunchFileError> {
        let text = e.required(name)?;
        self.substituted(e, text)
    }

    fn optional(
        &mut self,
        e: &Element<'_, '_>,
        name: &str,
    ) -> Result<Option<String>, LaunchFileError> {
        e.attribute(name)
            .map(|text| self.substituted(e, text))
            .transpose()
    }

    /// A required attribute as a path.
    fn path(&mut self, e: &Element<'_, '_>, name: &str) -> Result<PathBuf, LaunchFileError> {
        let path = PathBuf::from(self.text(e, name)?);
        Ok(self.relative_to_launch_file(path))
    }

    /// Where a launch file names another, it means one beside itself. (ROS 2
    /// takes the working folder; write `$(dirname)/…` to mean the same in both.)
    fn relative_to_launch_file(&self, path: PathBuf) -> PathBuf {
        self.file
            .parent()
            .map_or_else(|| path.clone(), |folder| folder.join(&path))
    }

    fn substituted(&mut self, e: &Element<'_, '_>, text: &str) -> Result<String, LaunchFileError> {
        substitute(text, &e.place, self)
    }
}

fn check_type(name: &str, value: &str, kind: &str, place: &Place) -> Done {
    let fits = match kind {
        "str" => true,
        "int" => value.trim().parse::<i64>().is_ok(),
        "float" => value.trim().parse::<f64>().is_ok(),
        "bool" => matches!(value.trim(), "true" | "True" | "false" | "False"),
        _ => {
            let what = format!("type '{kind}' of a <param>");
            return Err(unsupported(place, what, &["str", "int", "float", "bool"]));
        }
    };
    if fits {
        Ok(())
    } else {
        Err(malformed(
            place,
            format!("parameter '{name}': '{value}' is not of type {kind}"),
        ))
    }
}

impl Lookup for Evaluator {
    fn variable(&self, name: &str) -> Option<String> {
        self.scope.variables.get(name).cloned()
    }

    fn variables(&self) -> Vec<String> {
        self.scope.variables.keys().cloned().collect()
    }

    fn environment(&self, name: &str) -> Option<String> {
        match self.scope.env.get(name) {
            Some(changed) => changed.clone(),
            None => std::env::var(name).ok(),
        }
    }

    fn package_share(&self, package: &str) -> Result<String, String> {
        packages::share_folder(package, &self.file)
    }

    fn dirname(&self) -> String {
        let folder = self.file.parent().filter(|f| !f.as_os_str().is_empty());
        folder.unwrap_or(Path::new(".")).display().to_string()
    }

    fn filename(&self) -> String {
        self.file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    /// Numbered, not random as in ROS 2, so that runs stay reproducible.
    fn anonymous(&mut self, stem: &str) -> String {
        let known = self.anonymous.iter().position(|s| s == stem);
        let number = known.unwrap_or_else(|| {
            self.anonymous.push(stem.to_owned());
            self.anonymous.len() - 1
        });
        format!("{stem}_{}", number + 1)
    }
}
