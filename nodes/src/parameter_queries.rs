//! The services of `rcl_interfaces` that only look at parameters: which there are, of
//! which type, with which values and ranges.

use crate::graph::Instance;
use crate::interface::{ParameterDecl, Value};
use crate::parameter_services::message_of;
use crate::payload::{Payload, PayloadError};
use saccade_msgs::rcl_interfaces::{
    FloatingPointRange, IntegerRange, ListParametersResult, ParameterDescriptor, ParameterValue,
    describe_parameters, get_parameter_types, get_parameters, list_parameters,
};

/// What stands between the parts of a name.
const SEPARATOR: char = '.';

/// The answer to `~/describe_parameters`; of a name that is no parameter only the name.
pub(crate) fn describe(
    instance: &Instance,
    request: &Payload,
) -> Result<describe_parameters::Response, PayloadError> {
    let request = request.get::<describe_parameters::Request>()?;
    let descriptors = request.names.iter().map(|name| match find(instance, name) {
        Some((declaration, value)) => descriptor(declaration, value),
        None => ParameterDescriptor {
            name: name.clone(),
            ..ParameterDescriptor::default()
        },
    });
    Ok(describe_parameters::Response {
        descriptors: descriptors.collect(),
    })
}

/// The answer to `~/get_parameters`; of a name that is no parameter a value not set.
pub(crate) fn get(
    instance: &Instance,
    request: &Payload,
) -> Result<get_parameters::Response, PayloadError> {
    let request = request.get::<get_parameters::Request>()?;
    let values = request.names.iter().map(|name| value(instance, name));
    Ok(get_parameters::Response {
        values: values.collect(),
    })
}

/// The answer to `~/get_parameter_types`.
pub(crate) fn types(
    instance: &Instance,
    request: &Payload,
) -> Result<get_parameter_types::Response, PayloadError> {
    let request = request.get::<get_parameter_types::Request>()?;
    let types = request.names.iter().map(|n| value(instance, n).r#type);
    Ok(get_parameter_types::Response {
        types: types.collect(),
    })
}

/// The answer to `~/list_parameters`.
pub(crate) fn list(
    instance: &Instance,
    request: &Payload,
) -> Result<list_parameters::Response, PayloadError> {
    let request = request.get::<list_parameters::Request>()?;
    let mut result = ListParametersResult::default();
    for (declaration, _) in instance.parameters.iter() {
        let name = declaration.name;
        let of_any = |p: &String| is_below(name, p, request.depth);
        let wanted = if request.prefixes.is_empty() {
            is_as_deep(name, request.depth)
        } else {
            request.prefixes.iter().any(of_any)
        };
        if !wanted {
            continue;
        }
        result.names.push(name.to_owned());
        if let Some((prefix, _)) = name.rsplit_once(SEPARATOR)
            && !result.prefixes.iter().any(|p| p == prefix)
        {
            result.prefixes.push(prefix.to_owned());
        }
    }
    Ok(list_parameters::Response { result })
}

/// Whether a name has at most `depth` parts; 0: any number.
fn is_as_deep(name: &str, depth: u64) -> bool {
    depth == 0 || (name.split(SEPARATOR).count() as u64) <= depth
}

/// Whether a name is `prefix`, or has at most `depth` parts after it.
fn is_below(name: &str, prefix: &str, depth: u64) -> bool {
    match name.strip_prefix(prefix) {
        Some("") => true,
        Some(rest) => (rest.strip_prefix(SEPARATOR)).is_some_and(|rest| is_as_deep(rest, depth)),
        None => false,
    }
}

fn find<'a>(instance: &'a Instance, name: &str) -> Option<(&'static ParameterDecl, &'a Value)> {
    instance.parameters.iter().find(|(d, _)| d.name == name)
}

fn value(instance: &Instance, name: &str) -> ParameterValue {
    match find(instance, name) {
        Some((declaration, value)) => message_of(declaration.name, value).value,
        None => ParameterValue::default(),
    }
}

fn descriptor(declaration: &ParameterDecl, value: &Value) -> ParameterDescriptor {
    let mut descriptor = ParameterDescriptor {
        name: declaration.name.to_owned(),
        r#type: message_of(declaration.name, value).value.r#type,
        description: declaration.doc.to_owned(),
        read_only: !declaration.live,
        ..ParameterDescriptor::default()
    };
    if !declaration.unit.is_empty() {
        descriptor.additional_constraints = format!("in {}", declaration.unit);
    }
    match (value, declaration.range) {
        (Value::Double(_), Some((from_value, to_value))) => {
            descriptor.floating_point_range = Some(FloatingPointRange {
                from_value,
                to_value,
                step: 0.0,
            });
        }
        (Value::Integer(_), Some((low, high))) => {
            descriptor.integer_range = Some(IntegerRange {
                // Saturates where the range goes up to the greatest of all.
                from_value: low as i64,
                to_value: high as i64,
                step: 1,
            });
        }
        _ => {}
    }
    descriptor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::Graph;
    use crate::host::NodeSpec;

    fn instance() -> Instance {
        let (_, mut instances) =
            Graph::build(&[NodeSpec::new("dvs_ingest")]).unwrap_or_else(|e| panic!("{e}"));
        instances.remove(0)
    }

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|n| (*n).to_owned()).collect()
    }

    #[test]
    fn what_parameters_are_is_what_was_declared() {
        let instance = instance();
        let ask = names(&["out", "filters", "surface_tau", "nothing"]);
        let request = Payload::new(describe_parameters::Request { names: ask.clone() });
        let found = describe(&instance, &request)
            .expect("an answer")
            .descriptors;
        let brief: Vec<_> = found
            .iter()
            .map(|d| (d.name.as_str(), d.r#type, d.read_only))
            .collect();
        let expected = [
            ("out", 2, true),
            ("filters", 4, false),
            ("surface_tau", 3, true),
            ("nothing", 0, false),
        ];
        assert_eq!(brief, expected);
        let range = found[0].integer_range.as_ref().expect("a range");
        assert_eq!((range.from_value, range.to_value), (1, 512));
        assert!(found[2].floating_point_range.is_some() && found[3].integer_range.is_none());
        assert_eq!(found[2].additional_constraints, "in ms");

        let request = Payload::new(get_parameters::Request { names: ask.clone() });
        let values = get(&instance, &request).expect("an answer").values;
        assert_eq!((values[0].r#type, values[0].integer_value), (2, 32));
        assert_eq!(values[3].r#type, 0);
        let request = Payload::new(get_parameter_types::Request { names: ask });
        let types = types(&instance, &request).expect("an answer").types;
        assert_eq!(types, [2, 4, 3, 0]);
        assert!(
            get(
                &instance,
                &Payload::new(list_parameters::Request::default())
            )
            .is_err()
        );
    }

    #[test]
    fn names_are_listed_by_prefix_and_depth() {
        for (name, prefix, depth, below) in [
            ("a.b.c", "a", 0, true),
            ("a.b.c", "a", 2, true),
            ("a.b.c", "a", 1, false),
            ("a.b.c", "a.b", 1, true),
            ("ab.c", "a", 0, false),
            ("a", "a", 1, true),
            ("a", "a.b", 0, false),
        ] {
            assert_eq!(
                is_below(name, prefix, depth),
                below,
                "{name} {prefix} {depth}"
            );
        }
        let instance = instance();
        let count = |prefixes: &[&str]| {
            let request = list_parameters::Request {
                prefixes: names(prefixes),
                depth: 0,
            };
            let answer = list(&instance, &Payload::new(request)).expect("an answer");
            answer.result.names.len()
        };
        let common = crate::parameters::COMMON.len();
        assert_eq!(count(&[]), instance.interface.parameters.len() + common);
        assert_eq!((count(&["filters"]), count(&["none"])), (1, 0));
    }
}
