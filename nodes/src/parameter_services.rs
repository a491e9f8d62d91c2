//! Parameters that change while a node runs: the services of `rcl_interfaces`
//! that every node has and its host serves.
//!
//! A change comes in as any request does, as an [`Input::Request`] from another
//! node, from outside, or from the host at a time that was set
//! ([`crate::RunOptions::changes`]). So it has its place in the order of the
//! node's inputs, is recorded, and is replayed.

use crate::graph::{HOST, Instance, routed};
use crate::host::{HostError, ParameterChange};
use crate::interface::{Endpoint, Value};
use crate::network::PARAMETER_EVENTS;
use crate::node::{Context, Input, Level, NodeError};
use crate::parameter_queries;
use crate::parameters::{COMMON, Parameters};
use crate::payload::{Payload, PayloadError};
use saccade_msgs::Message;
use saccade_msgs::rcl_interfaces::{
    Parameter, ParameterEvent, ParameterValue, SetParametersResult, set_parameters,
    set_parameters_atomically,
};

/// Each for itself.
const EACH: &str = "~/set_parameters";
/// All or none.
const ALL: &str = "~/set_parameters_atomically";
const DESCRIBE: &str = "~/describe_parameters";
const GET: &str = "~/get_parameters";
const TYPES: &str = "~/get_parameter_types";
const LIST: &str = "~/list_parameters";

/// The services, with names relative to the node's own (`~`).
pub static SERVICES: &[Endpoint] = &[
    Endpoint::new(
        EACH,
        "rcl_interfaces/srv/SetParameters",
        "Changes parameters, each for itself.",
    ),
    Endpoint::new(
        ALL,
        "rcl_interfaces/srv/SetParametersAtomically",
        "Changes parameters, all or none.",
    ),
    Endpoint::new(
        DESCRIBE,
        "rcl_interfaces/srv/DescribeParameters",
        "Types, ranges and descriptions of parameters.",
    ),
    Endpoint::new(
        GET,
        "rcl_interfaces/srv/GetParameters",
        "Values of parameters.",
    ),
    Endpoint::new(
        TYPES,
        "rcl_interfaces/srv/GetParameterTypes",
        "Types of parameters.",
    ),
    Endpoint::new(
        LIST,
        "rcl_interfaces/srv/ListParameters",
        "Names of parameters.",
    ),
];

/// Whether a name is that of one of the [`SERVICES`].
pub(crate) fn is_one(name: &str) -> bool {
    SERVICES.iter().any(|s| s.name == name)
}

/// Answers a request to one of the [`SERVICES`].
pub(crate) fn serve(
    instance: &mut Instance,
    service: &'static str,
    id: u64,
    payload: &Payload,
    ctx: &mut Context<'_>,
) {
    match service {
        EACH | ALL => change(instance, service, id, payload, ctx),
        DESCRIBE => answer(
            service,
            id,
            parameter_queries::describe(instance, payload),
            ctx,
        ),
        GET => answer(service, id, parameter_queries::get(instance, payload), ctx),
        TYPES => answer(
            service,
            id,
            parameter_queries::types(instance, payload),
            ctx,
        ),
        _ => answer(service, id, parameter_queries::list(instance, payload), ctx),
    }
}

/// Answers; with nothing where the request was another's.
fn answer<M: Message>(
    service: &'static str,
    id: u64,
    response: Result<M, PayloadError>,
    ctx: &mut Context<'_>,
) {
    let response = response.unwrap_or_else(|error| {
        ctx.log(Level::Warn, format!("{service}: {error}"));
        M::default()
    });
    ctx.respond(service, id, response);
}

fn change(
    instance: &mut Instance,
    service: &'static str,
    id: u64,
    payload: &Payload,
    ctx: &mut Context<'_>,
) {
    if service == EACH {
        let results = match payload.get::<set_parameters::Request>() {
            Ok(request) => {
                let one_by_one = request.parameters.chunks(1);
                one_by_one.map(|one| set(instance, one, ctx)).collect()
            }
            Err(error) => vec![refusal(error.to_string(), ctx)],
        };
        ctx.respond(service, id, set_parameters::Response { results });
    } else {
        let result = match payload.get::<set_parameters_atomically::Request>() {
            Ok(request) => set(instance, &request.parameters, ctx),
            Err(error) => refusal(error.to_string(), ctx),
        };
        ctx.respond(service, id, set_parameters_atomically::Response { result });
    }
}

/// Changes all of the parameters, or none.
fn set(
    instance: &mut Instance,
    parameters: &[Parameter],
    ctx: &mut Context<'_>,
) -> SetParametersResult {
    match try_set(instance, parameters) {
        Ok(()) => {
            let shown: Vec<_> = parameters.iter().map(shown).collect();
            ctx.log(
                Level::Info,
                format!("parameters changed: {}", shown.join(", ")),
            );
            ctx.publish(
                PARAMETER_EVENTS,
                ParameterEvent {
                    stamp: ctx.stamp(),
                    node: instance.name.clone(),
                    changed_parameters: parameters.to_vec(),
                    ..ParameterEvent::default()
                },
            );
            SetParametersResult {
                successful: true,
                reason: String::new(),
            }
        }
        Err(reason) => refusal(reason, ctx),
    }
}

fn try_set(instance: &mut Instance, parameters: &[Parameter]) -> Result<(), String> {
    let mut changes = Vec::with_capacity(parameters.len());
    for parameter in parameters {
        changes.push((parameter.name.as_str(), value_of(parameter)?));
    }
    let changed = instance.parameters.changed(&changes);
    let changed = changed.map_err(|e| e.to_string())?;
    let is_common = |name: &str| COMMON.iter().any(|p| p.name == name);
    if changes.iter().any(|(name, _)| !is_common(name)) {
        let taken = instance.node.change(&changed);
        taken.map_err(|e| e.to_string())?;
    }
    instance.parameters = changed;
    Ok(())
}

fn refusal(reason: String, ctx: &mut Context<'_>) -> SetParametersResult {
    ctx.log(Level::Warn, format!("parameters stay: {reason}"));
    SetParametersResult {
        successful: false,
        reason,
    }
}

fn shown(parameter: &Parameter) -> String {
    let value = match value_of(parameter) {
        Ok(Value::Bool(v)) => v.to_string(),
        Ok(Value::Integer(v)) => v.to_string(),
        Ok(Value::Double(v)) => v.to_string(),
        Ok(Value::Text(v)) => format!("\"{v}\""),
        Err(why) => why,
    };
    format!("{} = {value}", parameter.name)
}

/// The value, of one of the four scalar types.
fn value_of(parameter: &Parameter) -> Result<Value, String> {
    let value = &parameter.value;
    match value.r#type {
        1 => Ok(Value::Bool(value.bool_value)),
        2 => Ok(Value::Integer(value.integer_value)),
        3 => Ok(Value::Double(value.double_value)),
        4 => Ok(Value::Text(value.string_value.clone())),
        other => Err(format!(
            "parameter '{}' has a value of type {other}; only bool (1), integer (2), double (3) and string (4) are in use",
            parameter.name
        )),
    }
}

pub(crate) fn message_of(name: &str, value: &Value) -> Parameter {
    let mut message = ParameterValue::default();
    match value {
        Value::Bool(v) => (message.r#type, message.bool_value) = (1, *v),
        Value::Integer(v) => (message.r#type, message.integer_value) = (2, *v),
        Value::Double(v) => (message.r#type, message.double_value) = (3, *v),
        Value::Text(v) => {
            message.r#type = 4;
            message.string_value = v.clone();
        }
    }
    Parameter {
        name: name.to_owned(),
        value: message,
    }
}

/// The host's own requests `(when, to which node, what)`, the first one last.
pub(crate) fn schedule(
    changes: &[ParameterChange],
    instances: &[Instance],
) -> Result<Vec<(i64, usize, Input)>, HostError> {
    let mut scheduled = Vec::with_capacity(changes.len());
    for (i, change) in changes.iter().enumerate() {
        let Some(to) = instances.iter().position(|n| n.name == change.node) else {
            let known: Vec<_> = instances.iter().map(|n| n.name.as_str()).collect();
            return Err(HostError::Graph(format!(
                "parameters of {} shall change, but no node is called so; there are: {}",
                change.node,
                known.join(", ")
            )));
        };
        let wrap = |source| HostError::Node {
            name: change.node.clone(),
            source: NodeError::Parameter(source),
        };
        let mut texts = Parameters::defaults(instances[to].interface);
        let mut parameters = Vec::with_capacity(change.parameters.len());
        for (name, text) in &change.parameters {
            texts.set_text(name, text).map_err(wrap)?;
            let value = texts.get(name).map(|value| message_of(name, value));
            parameters.extend(value);
        }
        let input = Input::Request {
            service: ALL,
            id: routed(HOST, i as u64),
            payload: Payload::new(set_parameters_atomically::Request { parameters }),
        };
        scheduled.push((change.after_ns, to, input));
    }
    // Hosts take from the end: of changes at one moment, the first one given comes first.
    scheduled.reverse();
    scheduled.sort_by_key(|s| std::cmp::Reverse(s.0));
    Ok(scheduled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::{NodeSpec, RunOptions};
    use crate::slot::Slot;
    use crate::{Output, graph::Graph, lockstep, realtime, replay};
    use saccade_msgs::Message;

    fn parameters(values: &[(&str, Value)]) -> Vec<Parameter> {
        values.iter().map(|(n, v)| message_of(n, v)).collect()
    }

    fn ingest() -> Slot {
        let specs = [NodeSpec::new("dvs_ingest")];
        let (_, mut instances) = Graph::build(&specs).unwrap_or_else(|e| panic!("{e}"));
        Slot::new(instances.remove(0), 0)
    }

    /// Asks and returns the answer; a request leaves an answer and a line of the log for
    /// each result.
    fn ask<Q: Message, A: Message>(slot: &mut Slot, service: &'static str, request: Q) -> A {
        let input = Input::Request {
            service,
            id: 7,
            payload: Payload::new(request),
        };
        let outputs = slot.drive(input, 0, 0);
        let answer_of = |output: &Output| match output {
            Output::Respond { id: 7, payload, .. } => payload.get::<A>().ok(),
            _ => None,
        };
        let answers: Vec<_> = outputs.iter().filter_map(answer_of).collect();
        assert_eq!(answers.len(), 1, "{outputs:?}");
        (*answers[0]).clone()
    }

    #[test]
    fn each_for_itself_or_all_or_none() {
        let mut slot = ingest();
        let values = parameters(&[
            ("filters", Value::Text("polarity=on".into())),
            ("gap", Value::Integer(0)),
            ("out", Value::Integer(16)),
            ("nothing", Value::Bool(true)),
            ("filters", Value::Integer(3)),
        ]);
        let request = set_parameters::Request {
            parameters: values.clone(),
        };
        let answer: set_parameters::Response = ask(&mut slot, EACH, request);
        let reasons: Vec<_> = answer.results.iter().map(|r| r.reason.as_str()).collect();
        let successes: Vec<_> = answer.results.iter().map(|r| r.successful).collect();
        assert_eq!(successes, [true, false, false, false, false], "{reasons:?}");
        for (reason, part) in reasons.iter().zip([
            "",
            "outside 1",
            "read-only",
            "no parameter",
            "is not a text",
        ]) {
            assert!(reason.contains(part), "{reason}");
        }
        let now = &slot.instance.parameters;
        assert_eq!(
            (now.text("filters"), now.integer("gap")),
            ("polarity=on", 100)
        );

        let both = |gap| {
            let parameters = parameters(&[
                ("filters", Value::Text("flip_x".into())),
                ("gap", Value::Integer(gap)),
            ]);
            set_parameters_atomically::Request { parameters }
        };
        let answer: set_parameters_atomically::Response = ask(&mut slot, ALL, both(0));
        assert!(!answer.result.successful);
        assert_eq!(slot.instance.parameters.text("filters"), "polarity=on");
        let answer: set_parameters_atomically::Response = ask(&mut slot, ALL, both(5));
        assert!(answer.result.successful, "{}", answer.result.reason);
        let now = &slot.instance.parameters;
        assert_eq!((now.text("filters"), now.integer("gap")), ("flip_x", 5));
    }

    #[test]
    fn requests_that_are_none_are_answered() {
        let mut slot = ingest();
        let mut array = parameters(&[("filters", Value::Bool(true))]);
        array[0].value.r#type = 9;
        let request = set_parameters_atomically::Request { parameters: array };
        let answer: set_parameters_atomically::Response = ask(&mut slot, ALL, request);
        assert!(
            answer.result.reason.contains("type 9"),
            "{}",
            answer.result.reason
        );
        let other = set_parameters::Request::default();
        let answer: set_parameters_atomically::Response = ask(&mut slot, ALL, other);
        assert!(!answer.result.successful);
    }

    /// The world's camera and the filters that change under it.
    fn nodes() -> Vec<NodeSpec> {
        let world = concat!(env!("CARGO_MANIFEST_DIR"), "/../worlds/grasp_table.sdf");
        vec![
            NodeSpec::new("embedded_world")
                .parameter("world", world)
                .parameter("camera_rate", 0.0),
            NodeSpec::new("dvs_ingest").parameter("attention", false),
            NodeSpec::new("microsaccade").parameter("period", 0.2),
        ]
    }

    fn changes() -> Vec<ParameterChange> {
        let change = |after_ms: i64, filters: &str| ParameterChange {
            after_ns: after_ms * 1_000_000,
            node: "/dvs_ingest".into(),
            parameters: vec![("filters".into(), filters.into())],
        };
        vec![
            change(330, "polarity=on"),
            // Of two changes at one moment the later one in the list holds.
            change(250, "decimate=7"),
            change(250, "decimate=2"),
            change(300, "roi=9:9:999x9"),
        ]
    }

    fn removed(report: &crate::RunReport) -> Vec<(String, String)> {
        let (_, health) = report
            .health
            .iter()
            .find(|(n, _)| n == "/dvs_ingest")
            .expect("it ran");
        let of_filters = |(k, v): &(String, String)| k.starts_with("removed") && v != "0";
        health
            .values
            .iter()
            .filter(|v| of_filters(v))
            .cloned()
            .collect()
    }

    #[test]
    fn changes_take_part_in_a_run_and_in_its_replay() {
        let folder = tempfile::tempdir().expect("a folder");
        let options = |name: &str, ms: i64| RunOptions {
            record: Some(folder.path().join(name)),
            duration_ns: Some(ms * 1_000_000),
            changes: changes(),
            ..RunOptions::default()
        };
        let report = lockstep::run(&nodes(), options("lockstep.mcap", 400)).expect("it runs");
        let removed_then = removed(&report);
        // In all, and by the filter that is there at the end.
        assert!(
            matches!(&removed_then[..], [(all, n), (on, m)]
                if all == "removed by filters" && on == "removed: polarity" && n != m),
            "{removed_then:?}"
        );
        let again = lockstep::run(&nodes(), options("again.mcap", 400)).expect("it runs");
        assert_eq!(removed(&again), removed_then);
        let read = |name: &str| std::fs::read(folder.path().join(name)).expect("a recording");
        assert!(read("lockstep.mcap") == read("again.mcap"));
        realtime::run(&nodes(), options("realtime.mcap", 1000)).expect("it runs");
        for name in ["lockstep.mcap", "realtime.mcap"] {
            let report = replay::run(&folder.path().join(name)).expect("it replays");
            assert!(report.identical(), "{name}: {report:?}");
            assert!(report.equal["/spikes"] > 10, "{name}: {report:?}");
        }
    }

    #[test]
    fn changes_that_cannot_be_are_found_before_the_run() {
        for (node, name, text, part) in [
            ("/nobody", "filters", "", "there are: /embedded_world"),
            ("/dvs_ingest", "gap", "soon", "is not a whole number"),
        ] {
            let options = RunOptions {
                duration_ns: Some(1),
                changes: vec![ParameterChange {
                    after_ns: 0,
                    node: node.into(),
                    parameters: vec![(name.into(), text.into())],
                }],
                ..RunOptions::default()
            };
            let error = lockstep::run(&nodes(), options).expect_err("it is refused");
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
