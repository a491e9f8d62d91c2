//! How ROS 2 names topics and types in DDS: `/a/b` is `rt/a/b`, and
//! `std_msgs/msg/String` is `std_msgs::msg::dds_::String_`.

use super::DdsError;

/// `rmw` refuses longer topic names.
const MAX_TOPIC: usize = 247;

/// The DDS name of a topic.
///
/// # Errors
/// If the name is not absolute, or no name ROS 2 allows.
pub fn dds_topic(topic: &str) -> Result<String, DdsError> {
    let fail = |why| DdsError::Name {
        what: "topic",
        name: topic.to_owned(),
        why,
    };
    let Some(tokens) = topic.strip_prefix('/') else {
        return Err(fail("it must be absolute: begin with `/`"));
    };
    if topic.len() > MAX_TOPIC {
        return Err(fail("it is longer than 247 bytes"));
    }
    for token in tokens.split('/') {
        check_token("topic", topic, token)?;
    }
    Ok(format!("rt{topic}"))
}

/// The DDS names of a service's topics of requests and of replies.
///
/// # Errors
/// As [`dds_topic`].
pub fn service_topics(service: &str) -> Result<(String, String), DdsError> {
    dds_topic(service)?;
    Ok((format!("rq{service}Request"), format!("rr{service}Reply")))
}

/// The topic that a DDS name stands for; `None` for what is no topic of ROS 2
/// (services, actions' inner topics are topics, DDS's own).
pub fn ros_topic(dds: &str) -> Option<&str> {
    dds.strip_prefix("rt").filter(|name| name.starts_with('/'))
}

/// The DDS name of a type.
///
/// # Errors
/// If the name has not the form `package/msg/Name`.
pub fn dds_type(type_name: &str) -> Result<String, DdsError> {
    let parts: Vec<_> = type_name.split('/').collect();
    let [package, kind, name] = parts.as_slice() else {
        return Err(DdsError::Name {
            what: "type",
            name: type_name.to_owned(),
            why: "expected `package/msg/Name`",
        });
    };
    for part in &parts {
        check_token("type", type_name, part)?;
    }
    Ok(format!("{package}::{kind}::dds_::{name}_"))
}

/// The type that a DDS name stands for; `None` for what is no type of ROS 2.
pub fn ros_type(dds: &str) -> Option<String> {
    let (front, name) = dds.rsplit_once("::")?;
    let (package, kind) = front.strip_suffix("::dds_")?.rsplit_once("::")?;
    let plain = !package.contains("::") && !package.is_empty() && !kind.is_empty();
    let name = name.strip_suffix('_').filter(|name| !name.is_empty())?;
    plain.then(|| format!("{package}/{kind}/{name}"))
}

/// Letters, digits and underscores, not beginning with a digit.
pub(crate) fn check_token(what: &'static str, name: &str, token: &str) -> Result<(), DdsError> {
    let why = match token.as_bytes() {
        [] => "a part of it is empty",
        [first, ..] if first.is_ascii_digit() => "a part of it begins with a digit",
        bytes
            if bytes
                .iter()
                .all(|b| b.is_ascii_alphanumeric() || *b == b'_') =>
        {
            return Ok(());
        }
        _ => "only letters, digits and underscores are allowed",
    };
    Err(DdsError::Name {
        what,
        name: name.to_owned(),
        why,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways() {
        assert_eq!(
            dds_topic("/event_camera/events").unwrap(),
            "rt/event_camera/events"
        );
        assert_eq!(
            ros_topic("rt/event_camera/events"),
            Some("/event_camera/events")
        );
        let (rq, rr) = service_topics("/eye/get_parameters").unwrap();
        assert_eq!(
            (rq.as_str(), rr.as_str()),
            ("rq/eye/get_parametersRequest", "rr/eye/get_parametersReply")
        );
        assert_eq!(ros_topic("rq/add_two_intsRequest"), None);
        assert_eq!(ros_topic("ros_discovery_info"), None);
        let dds = dds_type("std_msgs/msg/String").unwrap();
        assert_eq!(dds, "std_msgs::msg::dds_::String_");
        assert_eq!(ros_type(&dds).as_deref(), Some("std_msgs/msg/String"));
        for none in [
            "HelloWorld",
            "a::dds_::B_",
            "::msg::dds_::B_",
            "a::msg::dds_::_",
        ] {
            assert_eq!(ros_type(none), None, "{none}");
        }
    }

    #[test]
    fn what_ros_does_not_allow_is_refused() {
        let long = format!("/{}", "a".repeat(247));
        for topic in ["events", "/", "/a//b", "/a/", "/1a", "/a b", "/ä", &long] {
            assert!(dds_topic(topic).is_err(), "{topic}");
        }
        for name in ["std_msgs/String", "a/msg/", "a/msg/b/c", "", "a/msg/B::C"] {
            assert!(dds_type(name).is_err(), "{name}");
        }
    }
}
