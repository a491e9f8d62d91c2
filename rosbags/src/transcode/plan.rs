//! A type as a list of steps, the same for both encodings.

use super::TranscodeError;
use super::definition::{Arity, Base, Definitions, Field};

/// Steps at most in a plan: nested messages are unrolled.
const MAX_STEPS: usize = 1 << 16;
/// Messages within messages at most.
const MAX_DEPTH: usize = 64;
/// Elements at most of a fixed array of messages or strings.
const MAX_ARRAY: u64 = 1 << 24;
/// `std_msgs/Header`, which has one field more in ROS 1.
pub(super) const HEADER: &str = "std_msgs/msg/Header";

/// What to do with a message, field by field.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub steps: Vec<Step>,
    /// Name of each step's field, for errors.
    pub names: Vec<String>,
}

/// One step. `name` is the index of the field's name.
#[derive(Debug, Clone)]
pub(super) struct Step {
    pub name: usize,
    pub action: Action,
}

#[derive(Debug, Clone)]
pub(super) enum Action {
    /// `count` numbers of `size` bytes.
    Numbers { size: usize, count: u64 },
    /// A count, then as many numbers of `size` bytes.
    NumberSequence { size: usize },
    /// A string.
    String,
    /// `count` times what is inside, or where it is `None` as often as a count
    /// in front says. What is inside takes at least these many bytes.
    Repeat {
        count: Option<u64>,
        body: Vec<Step>,
        min_ros1: u64,
        min_cdr: u64,
    },
    /// The `seq` of a header: ROS 1 only.
    Seq,
    /// The byte of a message without fields: CDR only.
    Empty,
}

impl Plan {
    /// Plans the messages of the text's own type.
    pub fn new(definitions: &Definitions) -> Result<Self, TranscodeError> {
        let mut planner = Planner {
            definitions,
            names: Vec::new(),
            steps: 0,
        };
        let steps = planner.message(&definitions.root, &[])?;
        Ok(Self {
            steps,
            names: planner.names,
        })
    }
}

struct Planner<'a> {
    definitions: &'a Definitions,
    names: Vec<String>,
    steps: usize,
}

impl<'a> Planner<'a> {
    /// The steps of a message; `within` are the types around it.
    fn message(&mut self, name: &'a str, within: &[&'a str]) -> Result<Vec<Step>, TranscodeError> {
        let outer = within.last().copied().unwrap_or(name);
        let fail = |reason: String| TranscodeError::Type {
            type_name: outer.to_owned(),
            field: name.to_owned(),
            reason,
        };
        if within.contains(&name) || within.len() >= MAX_DEPTH {
            return Err(fail(
                "the type contains itself, or is nested too deep".into(),
            ));
        }
        let mut within = within.to_vec();
        within.push(name);
        let definition = self.definitions.get(name);
        let mut steps = Vec::new();
        // These two need no definition: ROS 1 has them built in.
        let known = matches!(
            name,
            "builtin_interfaces/msg/Time" | "builtin_interfaces/msg/Duration"
        );
        let Some(definition) = definition else {
            if known {
                steps.push(self.step(
                    name,
                    "sec, nanosec",
                    Action::Numbers { size: 4, count: 2 },
                )?);
                return Ok(steps);
            }
            if name == HEADER {
                return self.header(name);
            }
            return Err(fail("the definition text does not define it".into()));
        };
        let mut fields = definition.fields().peekable();
        if name == HEADER {
            steps.push(self.step(name, "seq", Action::Seq)?);
            let is_seq = |f: &&Field| f.name == "seq" && f.ty.base == Base::Number("uint32", 4);
            fields.next_if(is_seq);
        } else if fields.peek().is_none() {
            steps.push(self.step(name, "(no fields)", Action::Empty)?);
        }
        for field in fields {
            self.field(name, field, &within, &mut steps)?;
        }
        Ok(steps)
    }

    /// A header whose definition is left out, as it may be.
    fn header(&mut self, name: &str) -> Result<Vec<Step>, TranscodeError> {
        Ok(vec![
            self.step(name, "seq", Action::Seq)?,
            self.step(name, "stamp", Action::Numbers { size: 4, count: 2 })?,
            self.step(name, "frame_id", Action::String)?,
        ])
    }

    fn field(
        &mut self,
        owner: &'a str,
        field: &'a Field,
        within: &[&'a str],
        steps: &mut Vec<Step>,
    ) -> Result<(), TranscodeError> {
        let fail = |reason: &str| TranscodeError::Type {
            type_name: owner.to_owned(),
            field: field.name.clone(),
            reason: reason.to_owned(),
        };
        let body = match &field.ty.base {
            Base::Number(_, size) => {
                let size = *size;
                let action = match field.ty.arity {
                    Arity::One => Action::Numbers { size, count: 1 },
                    Arity::Array(count) => Action::Numbers { size, count },
                    Arity::Sequence { .. } => Action::NumberSequence { size },
                };
                steps.push(self.step(owner, &field.name, action)?);
                return Ok(());
            }
            Base::Time(_) => {
                let action = Action::Numbers { size: 4, count: 2 };
                vec![self.step(owner, &field.name, action)?]
            }
            Base::String { .. } => vec![self.step(owner, &field.name, Action::String)?],
            Base::Message(name) => self.message(name, within)?,
            Base::WideString { .. } => {
                return Err(fail(
                    "it is a wstring, whose bytes differ between DDS implementations",
                ));
            }
        };
        let count = match field.ty.arity {
            Arity::One => {
                steps.extend(body);
                return Ok(());
            }
            Arity::Array(count) if count > MAX_ARRAY => return Err(fail("the array is too long")),
            Arity::Array(count) => Some(count),
            Arity::Sequence { .. } => None,
        };
        let (min_ros1, min_cdr) = (min_size(&body, true), min_size(&body, false));
        let action = Action::Repeat {
            count,
            body,
            min_ros1,
            min_cdr,
        };
        steps.push(self.step(owner, &field.name, action)?);
        Ok(())
    }

    fn step(&mut self, owner: &str, field: &str, action: Action) -> Result<Step, TranscodeError> {
        self.steps += 1;
        if self.steps > MAX_STEPS {
            return Err(TranscodeError::Type {
                type_name: owner.to_owned(),
                field: field.to_owned(),
                reason: format!("the message has more than {MAX_STEPS} fields"),
            });
        }
        self.names.push(format!("{owner}.{field}"));
        Ok(Step {
            name: self.names.len() - 1,
            action,
        })
    }
}

/// Least number of bytes a message takes, without padding.
fn min_size(steps: &[Step], ros1: bool) -> u64 {
    let sizes = steps.iter().map(|step| match &step.action {
        Action::Numbers { size, count } => count.saturating_mul(*size as u64),
        Action::NumberSequence { .. } | Action::String | Action::Repeat { count: None, .. } => 4,
        Action::Repeat {
            count: Some(count),
            min_ros1,
            min_cdr,
            ..
        } => count.saturating_mul(if ros1 { *min_ros1 } else { *min_cdr }),
        Action::Seq => 4 * u64::from(ros1),
        Action::Empty => u64::from(!ros1),
    });
    sizes.fold(0, u64::saturating_add)
}
