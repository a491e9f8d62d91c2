//! Parameter values of one node, checked against its declarations.

use crate::interface::{Interface, ParameterDecl, Value};

/// Whether a node's time is that of `/clock`.
pub const USE_SIM_TIME: &str = "use_sim_time";
/// Whether a node begins at work.
pub const AUTOSTART: &str = "autostart";

/// Parameters that every node has after its own.
pub static COMMON: [ParameterDecl; 2] = [
    ParameterDecl::switch(
        USE_SIM_TIME,
        false,
        "Take the time from /clock (rosgraph_msgs/Clock) and not from this machine; in \
         lockstep time is simulated anyway.",
    )
    .live(),
    ParameterDecl::switch(
        AUTOSTART,
        true,
        "Begin at work, as a plain node; otherwise unconfigured, to wait for ~/change_state.",
    ),
];

/// Why a parameter was refused.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ParameterError {
    /// No such parameter.
    #[error("node {node}: no parameter '{name}'; it has: {known}")]
    Unknown {
        /// Node name.
        node: String,
        /// What was asked for.
        name: String,
        /// The declared names.
        known: String,
    },
    /// Wrong type.
    #[error("node {node}: parameter '{name}' = {value} is not {expected}")]
    Type {
        /// Node name.
        node: String,
        /// Parameter name.
        name: String,
        /// The refused value.
        value: String,
        /// The declared type.
        expected: &'static str,
    },
    /// It may only be set when the node is made.
    #[error(
        "node {node}: parameter '{name}' is read-only; set it where the node is started. Free to change are: {live}"
    )]
    ReadOnly {
        /// Node name.
        node: String,
        /// Parameter name.
        name: String,
        /// Those that may change.
        live: String,
    },
    /// Outside the declared range, or not a number.
    #[error("node {node}: parameter '{name}' = {value}{unit} is outside {low} to {high}{unit}")]
    Range {
        /// Node name.
        node: String,
        /// Parameter name.
        name: String,
        /// The refused value.
        value: f64,
        /// Lower bound.
        low: f64,
        /// Upper bound.
        high: f64,
        /// " m", " s", or "".
        unit: String,
    },
}

/// The parameters of one node instance: every declared one has a valid value.
#[derive(Debug, Clone)]
pub struct Parameters {
    interface: &'static Interface,
    values: Vec<Value>,
}

impl Parameters {
    /// All defaults.
    pub fn defaults(interface: &'static Interface) -> Self {
        let values = declared(interface).map(|p| p.default.value()).collect();
        Parameters { interface, values }
    }

    /// Sets a parameter from the text of a command line, launch or YAML file.
    ///
    /// # Errors
    /// Unknown name, text that is not of the declared type, or out of range.
    pub fn set_text(&mut self, name: &str, text: &str) -> Result<(), ParameterError> {
        let decl = self.declaration(name)?;
        let parsed = match decl.default.value() {
            Value::Bool(_) => match text.trim() {
                "true" | "True" | "1" | "on" | "yes" => Some(Value::Bool(true)),
                "false" | "False" | "0" | "off" | "no" => Some(Value::Bool(false)),
                _ => None,
            },
            Value::Integer(_) => text.trim().parse().ok().map(Value::Integer),
            Value::Double(_) => text.trim().parse().ok().map(Value::Double),
            Value::Text(_) => Some(Value::Text(text.to_owned())),
        };
        match parsed {
            Some(value) => self.set(name, value),
            None => Err(self.type_error(decl, text.to_owned())),
        }
    }

    /// Sets a parameter.
    ///
    /// # Errors
    /// Unknown name, wrong type, out of range or NaN.
    pub fn set(&mut self, name: &str, value: Value) -> Result<(), ParameterError> {
        let decl = *self.declaration(name)?;
        // An integer where a double is declared is what people write in YAML.
        let value = match (decl.default.value(), value) {
            (Value::Double(_), Value::Integer(i)) => Value::Double(i as f64),
            (_, v) => v,
        };
        if std::mem::discriminant(&decl.default.value()) != std::mem::discriminant(&value) {
            return Err(self.type_error(&decl, format!("{value:?}")));
        }
        let number = match value {
            Value::Double(d) => Some(d),
            Value::Integer(i) => Some(i as f64),
            _ => None,
        };
        if let (Some(number), Some((low, high))) = (number, decl.range) {
            // Written so that NaN fails.
            if !(low..=high).contains(&number) {
                return Err(ParameterError::Range {
                    node: self.interface.name.to_owned(),
                    name: name.to_owned(),
                    value: number,
                    low,
                    high,
                    unit: if decl.unit.is_empty() {
                        String::new()
                    } else {
                        format!(" {}", decl.unit)
                    },
                });
            }
        }
        if let Some(slot) = self.slot(name) {
            self.values[slot] = value;
        }
        Ok(())
    }

    /// These parameters with some changed while the node runs.
    ///
    /// # Errors
    /// As [`Parameters::set`], and for one that is read-only; nothing is changed then.
    pub fn changed(&self, changes: &[(&str, Value)]) -> Result<Self, ParameterError> {
        let mut changed = self.clone();
        for (name, value) in changes {
            if !self.declaration(name)?.live {
                let live = declared(self.interface).filter(|p| p.live);
                return Err(ParameterError::ReadOnly {
                    node: self.interface.name.to_owned(),
                    name: (*name).to_owned(),
                    live: listed(live.map(|p| p.name)),
                });
            }
            changed.set(name, value.clone())?;
        }
        Ok(changed)
    }

    /// A number. Asking for a name the node did not declare is a bug of the
    /// node, found by its first test; it reads as NaN.
    pub fn double(&self, name: &str) -> f64 {
        match self.get(name) {
            Some(Value::Double(v)) => *v,
            Some(Value::Integer(v)) => *v as f64,
            _ => f64::NAN,
        }
    }

    /// A whole number (0 if undeclared).
    pub fn integer(&self, name: &str) -> i64 {
        match self.get(name) {
            Some(Value::Integer(v)) => *v,
            _ => 0,
        }
    }

    /// A switch (off if undeclared).
    pub fn switch(&self, name: &str) -> bool {
        matches!(self.get(name), Some(Value::Bool(true)))
    }

    /// A text ("" if undeclared).
    pub fn text(&self, name: &str) -> &str {
        match self.get(name) {
            Some(Value::Text(v)) => v,
            _ => "",
        }
    }

    /// Name and value of each, in declared order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static ParameterDecl, &Value)> {
        declared(self.interface).zip(&self.values)
    }

    /// A parameter's value, if it is declared.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.slot(name).map(|i| &self.values[i])
    }

    fn slot(&self, name: &str) -> Option<usize> {
        declared(self.interface).position(|p| p.name == name)
    }

    fn declaration(&self, name: &str) -> Result<&'static ParameterDecl, ParameterError> {
        declared(self.interface)
            .find(|p| p.name == name)
            .ok_or_else(|| ParameterError::Unknown {
                node: self.interface.name.to_owned(),
                name: name.to_owned(),
                known: listed(declared(self.interface).map(|p| p.name)),
            })
    }

    fn type_error(&self, decl: &ParameterDecl, value: String) -> ParameterError {
        ParameterError::Type {
            node: self.interface.name.to_owned(),
            name: decl.name.to_owned(),
            value,
            expected: match decl.default.value() {
                Value::Bool(_) => "true or false",
                Value::Integer(_) => "a whole number",
                Value::Double(_) => "a number",
                Value::Text(_) => "a text",
            },
        }
    }
}

/// A node's own parameters and those that every node has.
fn declared(interface: &Interface) -> impl Iterator<Item = &'static ParameterDecl> + use<> {
    interface.parameters.iter().chain(&COMMON)
}

/// Names with commas between them.
fn listed<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.collect();
    if names.is_empty() {
        "none".into()
    } else {
        names.join(", ")
    }
}
