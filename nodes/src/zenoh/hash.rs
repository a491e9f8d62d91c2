//! The hash of a type's description, which is part of every key expression: REP 2016,
//! `RIHS01`. It is the SHA-256 of the description and of those of all types that are in it,
//! as JSON of one canonical form (`rosidl_generator_type_description`).

use std::collections::BTreeMap;
use std::fmt::Write;

use saccade_msgs::Message;
use saccade_msgs::builtin_interfaces::Time;
use saccade_msgs::registry;
use saccade_msgs::schema::{Arity, Base, FieldType, Schema};
use sha2::{Digest, Sha256};

use crate::dds::Distribution;
use crate::ros::NetworkError;

/// What stands in the place of a hash where there are none: up to Humble.
const NONE: &str = "TypeHashNotSupported";

const NESTED: u8 = 1;
const UINT8: u8 = 3;
const INT64: u8 = 8;
/// A type's number in `type_description_interfaces/msg/FieldType` is that of one element,
/// and so much more for arrays, bounded and unbounded sequences.
const ARRAY: u8 = 48;
const BOUNDED: u8 = 96;
const SEQUENCE: u8 = 144;

/// The hash of a type, of a service, or of one of the three services and topics of an
/// action, all by ROS's name: `std_msgs/msg/String`, `std_srvs/srv/Trigger`,
/// `saccade_msgs/action/ReturnHome_SendGoal`.
///
/// # Errors
/// A type that is not in the registry.
pub fn rihs01(type_name: &str) -> Result<String, NetworkError> {
    let mut known = Known::default();
    let described = described(type_name, &mut known)?;
    let mut hash = "RIHS01_".to_owned();
    for byte in Sha256::digest(json(&described, &known.0)) {
        let _ = write!(hash, "{byte:02x}");
    }
    Ok(hash)
}

/// The hashes of a distribution, each made once.
pub(super) struct Types {
    distribution: Distribution,
    made: BTreeMap<String, String>,
}

impl Types {
    pub fn new(distribution: Distribution) -> Self {
        Types {
            distribution,
            made: BTreeMap::new(),
        }
    }

    /// What stands in key expressions for the type.
    ///
    /// # Errors
    /// As [`rihs01`].
    pub fn hash(&mut self, type_name: &str) -> Result<String, NetworkError> {
        if self.distribution == Distribution::Humble {
            return Ok(NONE.to_owned());
        }
        if let Some(hash) = self.made.get(type_name) {
            return Ok(hash.clone());
        }
        let hash = rihs01(type_name)?;
        self.made.insert(type_name.to_owned(), hash.clone());
        Ok(hash)
    }
}

/// A type with the fields of one level.
#[derive(Debug, Clone)]
struct Described {
    name: String,
    fields: Vec<Field>,
}

#[derive(Debug, Clone)]
struct Field {
    name: String,
    type_id: u8,
    /// Of an array or a bounded sequence.
    capacity: usize,
    /// Name of another type.
    nested: String,
}

impl Field {
    fn new(name: &str, type_id: u8) -> Self {
        Field {
            name: name.to_owned(),
            type_id,
            capacity: 0,
            nested: String::new(),
        }
    }

    fn nested(name: &str, nested: &str) -> Self {
        Field {
            nested: nested.to_owned(),
            ..Field::new(name, NESTED)
        }
    }
}

/// All types that are in another, by name.
#[derive(Default)]
struct Known(BTreeMap<String, Described>);

impl Known {
    /// Adds a type that has these fields.
    fn add(&mut self, name: &str, fields: Vec<Field>) {
        self.0.insert(name.to_owned(), of(name, fields));
    }

    /// Adds a type of the registry and what is in it.
    fn add_registered(&mut self, type_name: &str) -> Result<(), NetworkError> {
        self.add_schema(&schema(type_name)?);
        Ok(())
    }

    fn add_schema(&mut self, schema: &Schema) {
        let described = self.describe(schema);
        self.0.insert(described.name.clone(), described);
    }

    /// Describes a type, and adds what is in it.
    fn describe(&mut self, schema: &Schema) -> Described {
        for field in &schema.fields {
            if let Base::Message(inner) = &field.ty.base {
                self.add_schema(inner);
            }
        }
        let fields = schema.fields.iter().map(|f| field(f.name, &f.ty));
        of(schema.type_name, fields.collect())
    }
}

fn schema(type_name: &str) -> Result<Schema, NetworkError> {
    let found = registry::find(type_name);
    let found = found.ok_or_else(|| NetworkError::Unknown(type_name.to_owned()))?;
    Ok((found.schema)())
}

fn of(name: &str, mut fields: Vec<Field>) -> Described {
    if fields.is_empty() {
        // As rosidl makes structures that IDL allows.
        fields.push(Field::new("structure_needs_at_least_one_member", UINT8));
    }
    Described {
        name: name.to_owned(),
        fields,
    }
}

fn field(name: &str, ty: &FieldType) -> Field {
    let mut field = match &ty.base {
        Base::Message(schema) => Field::nested(name, schema.type_name),
        Base::Primitive(primitive) => Field::new(name, number(primitive)),
    };
    let (more, capacity) = match ty.arity {
        Arity::One => (0, 0),
        Arity::Array(n) => (ARRAY, n),
        Arity::AtMostOne => (BOUNDED, 1),
        Arity::Sequence => (SEQUENCE, 0),
    };
    field.type_id += more;
    field.capacity = capacity;
    field
}

/// A primitive's number in `FieldType`; `char` of a definition is a `uint8`.
fn number(primitive: &str) -> u8 {
    match primitive {
        "int8" => 2,
        "uint8" | "char" => UINT8,
        "int16" => 4,
        "uint16" => 5,
        "int32" => 6,
        "uint32" => 7,
        "int64" => INT64,
        "uint64" => 9,
        "float32" => 10,
        "float64" => 11,
        "bool" => 15,
        "byte" => 16,
        "string" => 17,
        // Of none of the messages here.
        _ => 0,
    }
}

/// Describes what a name stands for, and adds what is in it.
fn described(type_name: &str, known: &mut Known) -> Result<Described, NetworkError> {
    if registry::find(type_name).is_some() {
        return Ok(known.describe(&schema(type_name)?));
    }
    if let Some(action) = type_name.strip_suffix("_FeedbackMessage") {
        let fields = part_of_action(action, "Feedback", "feedback", known)?;
        return Ok(of(type_name, fields));
    }
    if let Some(action) = type_name.strip_suffix("_SendGoal") {
        known.add_registered(Time::TYPE_NAME)?;
        let request = part_of_action(action, "Goal", "goal", known)?;
        let response = vec![
            Field::new("accepted", 15),
            Field::nested("stamp", Time::TYPE_NAME),
        ];
        known.add(&format!("{type_name}_Request"), request);
        known.add(&format!("{type_name}_Response"), response);
    } else if let Some(action) = type_name.strip_suffix("_GetResult") {
        let result = part_of_action(action, "Result", "result", known)?.swap_remove(1);
        known.add_registered(UUID)?;
        known.add(
            &format!("{type_name}_Request"),
            vec![Field::nested("goal_id", UUID)],
        );
        let response = vec![Field::new("status", 2), result];
        known.add(&format!("{type_name}_Response"), response);
    } else {
        known.add_registered(&format!("{type_name}_Request"))?;
        known.add_registered(&format!("{type_name}_Response"))?;
    }
    service(type_name, known)
}

const UUID: &str = "unique_identifier_msgs/msg/UUID";

/// The goal's identifier and a part of an action.
fn part_of_action(
    action: &str,
    part: &str,
    name: &str,
    known: &mut Known,
) -> Result<Vec<Field>, NetworkError> {
    let part = format!("{action}_{part}");
    known.add_registered(UUID)?;
    known.add_registered(&part)?;
    Ok(vec![
        Field::nested("goal_id", UUID),
        Field::nested(name, &part),
    ])
}

/// A service is described by its request, its response and the event that tells of both.
fn service(type_name: &str, known: &mut Known) -> Result<Described, NetworkError> {
    const INFO: &str = "service_msgs/msg/ServiceEventInfo";
    let [request, response, event] =
        ["Request", "Response", "Event"].map(|part| format!("{type_name}_{part}"));
    known.add_registered(Time::TYPE_NAME)?;
    let client = Field {
        capacity: 16,
        ..Field::new("client_gid", UINT8 + ARRAY)
    };
    let info = vec![
        Field::new("event_type", UINT8),
        Field::nested("stamp", Time::TYPE_NAME),
        client,
        Field::new("sequence_number", INT64),
    ];
    known.add(INFO, info);
    let at_most_one = |name: &str, of: &str| Field {
        type_id: NESTED + BOUNDED,
        capacity: 1,
        ..Field::nested(name, of)
    };
    let fields = vec![
        Field::nested("info", INFO),
        at_most_one("request", &request),
        at_most_one("response", &response),
    ];
    known.add(&event, fields);
    let fields = vec![
        Field::nested("request_message", &request),
        Field::nested("response_message", &response),
        Field::nested("event_message", &event),
    ];
    Ok(of(type_name, fields))
}

/// The canonical form: keys in this order, a space after each comma and colon, the other
/// types sorted by name.
fn json(described: &Described, others: &BTreeMap<String, Described>) -> String {
    let others: Vec<_> = others.values().map(type_json).collect();
    format!(
        "{{\"type_description\": {}, \"referenced_type_descriptions\": [{}]}}",
        type_json(described),
        others.join(", ")
    )
}

fn type_json(described: &Described) -> String {
    let fields: Vec<_> = described.fields.iter().map(field_json).collect();
    let (name, fields) = (&described.name, fields.join(", "));
    format!("{{\"type_name\": \"{name}\", \"fields\": [{fields}]}}")
}

fn field_json(field: &Field) -> String {
    let Field {
        name,
        type_id,
        capacity,
        nested,
    } = field;
    format!(
        "{{\"name\": \"{name}\", \"type\": {{\"type_id\": {type_id}, \"capacity\": {capacity}, \
         \"string_capacity\": 0, \"nested_type_name\": \"{nested}\"}}}}"
    )
}

#[cfg(test)]
#[path = "hash_tests.rs"]
mod tests;
