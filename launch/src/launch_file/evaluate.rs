//! Walking a launch file's actions in order.

use super::actions::Parameter;
use super::entity::{self, Entity};
use super::error::{LaunchFileError, malformed, unsupported};
use super::packages::{self, push_namespace};
use super::substitution::{Lookup, condition, substitute};
use super::{Argument, Launch, process};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Depth to which files may include one another and groups be nested, so that
/// a file which includes itself ends in an error.
pub(super) const MAX_DEPTH: usize = 32;

/// The actions, for error texts.
const ACTIONS: &[&str] = &[
    "arg",
    "let",
    "include",
    "group",
    "push_ros_namespace",
    "push-ros-namespace",
    "node",
    "executable",
    "set_parameter",
    "set_remap",
    "set_env",
    "unset_env",
    "log",
];

pub(super) type Done = Result<(), LaunchFileError>;
/// What runs an action.
type Run = fn(&mut Evaluator, &Entity) -> Done;

/// What a scoped group restores at its end.
#[derive(Debug, Clone, Default)]
pub(super) struct Scope {
    variables: BTreeMap<String, String>,
    /// Changes to the environment; `None`: unset.
    env: BTreeMap<String, Option<String>>,
    pub(super) namespace: String,
    pub(super) parameters: Vec<Parameter>,
    pub(super) remaps: Vec<(String, String)>,
}

/// The state of one evaluation.
pub(super) struct Evaluator {
    pub(super) scope: Scope,
    file: PathBuf,
    anonymous: Vec<String>,
    depth: usize,
    /// Processes, or nodes that would be one, so far.
    pub(super) started: usize,
    pub(super) launch: Launch,
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
        started: 0,
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
        let root = entity::load(path)?;
        for argument in entity::declared_arguments(&root)? {
            let known = &mut self.launch.arguments;
            if !known.iter().any(|a| a.name == argument.name) {
                known.push(argument);
            }
        }
        let outer = std::mem::replace(&mut self.file, path.to_owned());
        let result = self.actions(&root);
        self.file = outer;
        result
    }

    fn actions(&mut self, parent: &Entity) -> Done {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let reason = format!("includes and groups are nested deeper than {MAX_DEPTH}");
            return Err(malformed(&parent.place, reason));
        }
        for child in &parent.children {
            self.action(child)?;
        }
        self.depth -= 1;
        Ok(())
    }

    fn action(&mut self, e: &Entity) -> Done {
        let with_process = |own: &[&'static str]| -> Vec<&'static str> {
            own.iter().chain(&process::ATTRIBUTES).copied().collect()
        };
        let (attributes, children, run): (Vec<&str>, &[&str], Run) = match e.tag.as_str() {
            "arg" => (
                vec!["name", "default", "description"],
                &["choice"],
                Self::arg,
            ),
            "let" => (vec!["name", "value"], &[], Self::let_),
            "include" => (vec!["file"], &["arg", "let"], Self::include),
            "group" => (vec!["scoped"], ACTIONS, Self::group),
            "push_ros_namespace" | "push-ros-namespace" => {
                (vec!["namespace"], &[], Self::push_namespace)
            }
            "node" => {
                let own = [
                    "pkg",
                    "exec",
                    "name",
                    "namespace",
                    "args",
                    "ros_args",
                    "exec_name",
                ];
                (with_process(&own), &["param", "remap", "env"], Self::node)
            }
            "executable" => (with_process(&["cmd", "name"]), &["env"], Self::executable),
            "set_parameter" => (vec!["name", "value"], &[], Self::set_parameter),
            "set_remap" => (vec!["from", "to"], &[], Self::set_remap),
            "set_env" => (vec!["name", "value"], &[], Self::set_env),
            "unset_env" => (vec!["name"], &[], Self::unset_env),
            "log" => (vec!["message", "level"], &[], Self::log),
            other => {
                return Err(unsupported(&e.place, format!("action <{other}>"), ACTIONS));
            }
        };
        e.check(&attributes, children)?;
        self.when(e, run)
    }

    /// Runs an action if its `if` and `unless` allow it.
    fn when(&mut self, e: &Entity, run: Run) -> Done {
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

    fn arg(&mut self, e: &Entity) -> Done {
        let argument = entity::declared_argument(e)?;
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

    fn let_(&mut self, e: &Entity) -> Done {
        let (name, value) = self.pair(e, "name", "value")?;
        self.scope.variables.insert(name, value);
        Ok(())
    }

    /// As in ROS 2, an included file sees and changes the includer's
    /// variables; a scoped group around the include prevents the latter.
    fn include(&mut self, e: &Entity) -> Done {
        let file = self.path(e, "file")?;
        for passed in &e.children {
            passed.check(&["name", "value"], &[])?;
            self.when(passed, Self::let_)?;
        }
        if !file.is_file() {
            let reason = format!("included file {} does not exist", file.display());
            return Err(malformed(&e.place, reason));
        }
        self.file(&file)
    }

    fn group(&mut self, e: &Entity) -> Done {
        // ROS 2 wants a literal here, and scopes unless told otherwise.
        let scoped = e
            .attribute("scoped")
            .map_or(Ok(true), |text| condition(text, &e.place))?;
        let outer = scoped.then(|| self.scope.clone());
        self.actions(e)?;
        if let Some(outer) = outer {
            self.scope = outer;
        }
        Ok(())
    }

    fn push_namespace(&mut self, e: &Entity) -> Done {
        let namespace = self.text(e, "namespace")?;
        self.scope.namespace = push_namespace(&self.scope.namespace, &namespace)
            .map_err(|reason| malformed(&e.place, reason))?;
        Ok(())
    }

    fn set_parameter(&mut self, e: &Entity) -> Done {
        let (name, value) = self.pair(e, "name", "value")?;
        let kind = None;
        let parameter = Parameter::Value { name, value, kind };
        self.scope.parameters.push(parameter);
        Ok(())
    }

    fn set_remap(&mut self, e: &Entity) -> Done {
        let pair = self.pair(e, "from", "to")?;
        self.scope.remaps.push(pair);
        Ok(())
    }

    fn set_env(&mut self, e: &Entity) -> Done {
        let (name, value) = self.pair(e, "name", "value")?;
        self.scope.env.insert(name, Some(value));
        Ok(())
    }

    fn unset_env(&mut self, e: &Entity) -> Done {
        let name = self.text(e, "name")?;
        self.scope.env.insert(name, None);
        Ok(())
    }

    fn log(&mut self, e: &Entity) -> Done {
        let message = self.text(e, "message")?;
        self.launch.messages.push(message);
        Ok(())
    }

    /// What `set_env` and `unset_env` have done so far.
    pub(super) fn changed_environment(&self) -> Vec<(String, Option<String>)> {
        let changed = self.scope.env.iter();
        changed.map(|(n, v)| (n.clone(), v.clone())).collect()
    }

    pub(super) fn variable_text(&self, name: &str) -> Option<&str> {
        self.scope.variables.get(name).map(String::as_str)
    }

    /// Two required attributes, substituted.
    pub(super) fn pair(
        &mut self,
        e: &Entity,
        first: &str,
        second: &str,
    ) -> Result<(String, String), LaunchFileError> {
        Ok((self.text(e, first)?, self.text(e, second)?))
    }

    /// A required attribute, substituted.
    pub(super) fn text(&mut self, e: &Entity, name: &str) -> Result<String, LaunchFileError> {
        let text = e.required(name)?;
        self.substituted(e, text)
    }

    pub(super) fn optional(
        &mut self,
        e: &Entity,
        name: &str,
    ) -> Result<Option<String>, LaunchFileError> {
        e.attribute(name)
            .map(|text| self.substituted(e, text))
            .transpose()
    }

    /// A required attribute as a path.
    pub(super) fn path(&mut self, e: &Entity, name: &str) -> Result<PathBuf, LaunchFileError> {
        let path = PathBuf::from(self.text(e, name)?);
        Ok(self.relative_to_launch_file(path))
    }

    /// Where a launch file names another, it means one beside itself. (ROS 2
    /// takes the working folder; write `$(dirname)/…` to mean the same in both.)
    pub(super) fn relative_to_launch_file(&self, path: PathBuf) -> PathBuf {
        self.file
            .parent()
            .map_or_else(|| path.clone(), |folder| folder.join(&path))
    }

    fn substituted(&mut self, e: &Entity, text: &str) -> Result<String, LaunchFileError> {
        substitute(text, &e.place, self)
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
        let folder = folder.unwrap_or(Path::new("."));
        // Whole, or a path that is put together with it would be taken from here once more.
        let whole = std::path::absolute(folder);
        whole.as_deref().unwrap_or(folder).display().to_string()
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
