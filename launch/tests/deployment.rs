//! What the launch files need of others: Gazebo's topics through the bridge, ros2_control, the
//! robot's description, and layouts to look at it all. Each file is held against the nodes'
//! interfaces and the world files.

use saccade_launch::launch_file::{Launch, NodeAction, Parameter, load};
use saccade_nodes::host::resolve;
use saccade_nodes::{Endpoint, Interface, registry};
use saccade_worlds::sdf::{JointKind, World};
use saphyr::{LoadableYamlNode, Yaml};
use std::collections::BTreeSet;
use std::path::Path;

/// The launch files that know Gazebo, their world, and what Gazebo's side does not have:
/// topics that somebody hears and nobody needs to send.
const TASKS: [(&str, &str, &[&str]); 3] = [
    (
        "grasp",
        "grasp_table",
        &["/classifier/label", "/e_stop", "/dvs_right/no_events"],
    ),
    (
        "path_integration",
        "arena",
        &["/e_stop", "/twist", "/saccade", "/dvs_down/no_events"],
    ),
    (
        "place_recognition",
        "whiskeye_arena",
        &[
            "/whiskeye/e_stop",
            "/whiskeye/head/neck_cmd",
            "/whiskeye/place_map_in",
        ],
    ),
];

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn launch(name: &str, args: &[(&str, &str)]) -> Launch {
    let pairs: Vec<(String, String)> = args
        .iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect();
    let path = here().join(format!("{name}.launch.xml"));
    load(&path, &pairs).unwrap_or_else(|e| panic!("{e}"))
}

/// The parameters that the launch file itself gives a node.
fn given(node: &NodeAction) -> Vec<(&str, &str)> {
    let values = node.parameters.iter().filter_map(|p| match p {
        Parameter::Value { name, value, .. } => Some((name.as_str(), value.as_str())),
        Parameter::File(_) => None,
    });
    values.collect()
}

fn interface(node: &NodeAction) -> Option<&'static Interface> {
    (node.package == "saccade_nodes").then(|| registry::find(&node.exec).expect("ours").interface)
}

/// Topic and type of endpoints, after the node's remaps.
fn topics(node: &NodeAction, endpoints: &[Endpoint]) -> Vec<(String, String)> {
    let named = endpoints.iter().map(|e| {
        let full = resolve(&node.namespace, e.name);
        let rule = node
            .remaps
            .iter()
            .find(|(from, _)| from == e.name || resolve(&node.namespace, from) == full);
        let name = rule.map_or(full, |(_, to)| resolve(&node.namespace, to));
        (name, e.type_name.to_owned())
    });
    named.collect()
}

fn all_topics(
    launch: &Launch,
    of: fn(&Interface) -> &'static [Endpoint],
) -> BTreeSet<(String, String)> {
    let ours = launch.nodes.iter().filter_map(|n| Some((n, interface(n)?)));
    ours.flat_map(|(n, i)| topics(n, of(i))).collect()
}

/// An entry of a bridge's file.
#[derive(Debug, Clone, PartialEq)]
struct Bridged {
    ros: String,
    ros_type: String,
    gazebo: String,
    gazebo_type: String,
    from_gazebo: bool,
}

fn bridge(task: &str, gazebo: &str) -> Vec<Bridged> {
    let path = here().join(format!("gazebo/{task}.{gazebo}.yaml"));
    let file = text(&path);
    let documents = Yaml::load_from_str(&file).expect("YAML");
    let entries = documents[0].as_sequence().expect("a list");
    let entries = entries.iter().map(|entry| {
        let field = |name: &str| {
            let value = entry.as_mapping_get(name).and_then(|v| v.as_str());
            value
                .unwrap_or_else(|| panic!("{}: no {name}", path.display()))
                .to_owned()
        };
        assert_eq!(
            entry.as_mapping().map(|m| m.len()),
            Some(5),
            "{}",
            path.display()
        );
        Bridged {
            ros: field("ros_topic_name"),
            ros_type: field("ros_type_name"),
            gazebo: field("gz_topic_name"),
            gazebo_type: field("gz_type_name"),
            from_gazebo: match field("direction").as_str() {
                "GZ_TO_ROS" => true,
                "ROS_TO_GZ" => false,
                other => panic!("{}: direction {other}", path.display()),
            },
        }
    });
    entries.collect()
}

/// What the bridge can turn into what, of what we use (ros_gz_bridge's own table).
const PAIRS: [(&str, &str); 10] = [
    ("rosgraph_msgs/msg/Clock", "Clock"),
    ("sensor_msgs/msg/Image", "Image"),
    ("sensor_msgs/msg/CameraInfo", "CameraInfo"),
    ("sensor_msgs/msg/JointState", "Model"),
    ("sensor_msgs/msg/Imu", "IMU"),
    ("sensor_msgs/msg/LaserScan", "LaserScan"),
    ("nav_msgs/msg/Odometry", "Odometry"),
    ("geometry_msgs/msg/Twist", "Twist"),
    ("trajectory_msgs/msg/JointTrajectory", "JointTrajectory"),
    ("ros_gz_interfaces/msg/Contacts", "Contacts"),
];

#[test]
fn the_bridges_of_both_gazebos_are_the_same_but_for_the_types_prefix() {
    for (task, _, _) in TASKS {
        let (fortress, harmonic) = (bridge(task, "fortress"), bridge(task, "harmonic"));
        assert_eq!(fortress.len(), harmonic.len());
        for (old, new) in fortress.into_iter().zip(harmonic) {
            let name = old
                .gazebo_type
                .strip_prefix("ignition.msgs.")
                .expect("Fortress's");
            assert_eq!(new.gazebo_type.strip_prefix("gz.msgs."), Some(name));
            let pair = PAIRS.iter().find(|p| p.0 == old.ros_type);
            assert_eq!(pair.map(|p| p.1), Some(name), "{}", old.ros_type);
            let gazebo_type = old.gazebo_type.clone();
            assert_eq!(Bridged { gazebo_type, ..new }, old);
        }
    }
}

/// Every topic of Gazebo's that a world names crosses the bridge, and no other.
#[test]
fn the_bridges_topics_are_those_of_the_worlds() {
    for (task, world, _) in TASKS {
        let sdf = text(&here().join(format!("../worlds/{world}.sdf")));
        let document = roxmltree::Document::parse(&sdf).expect("XML");
        let mut offered: BTreeSet<String> = ["/clock".to_owned()].into();
        for node in document.descendants() {
            if !["topic", "odom_topic"].contains(&node.tag_name().name()) {
                continue;
            }
            let name = node.text().expect("a name").to_owned();
            assert!(name.starts_with('/'), "{world}: {name}");
            let sensor = node.parent().expect("it is in something");
            if sensor.attribute("type") == Some("camera") {
                // Gazebo puts the calibration beside the image.
                let folder = name.rsplit_once('/').expect("a folder").0;
                offered.insert(format!("{folder}/camera_info"));
            }
            offered.insert(name);
        }
        let bridged = bridge(task, "fortress").into_iter().map(|b| b.gazebo);
        let bridged: BTreeSet<String> = bridged.collect();
        assert_eq!(offered, bridged, "{task}");
    }
}

/// What each node hears is sent by a node or the bridge, with that type; what crosses to
/// Gazebo is sent by a node.
#[test]
fn in_gazebo_everybody_is_heard() {
    for (task, _, nobody) in TASKS {
        for gazebo in ["fortress", "harmonic"] {
            let mut args = vec![
                ("simulator", "gazebo"),
                ("gazebo", gazebo),
                ("server", "false"),
            ];
            if task == "place_recognition" {
                args.push(("weights", "some.safetensors"));
            }
            let launch = launch(task, &args);
            let foreign = |exec: &str| launch.nodes.iter().find(|n| n.exec == exec);
            let node = foreign("parameter_bridge").expect("the bridge");
            let parameters = given(node);
            let file = parameters.iter().find(|p| p.0 == "config_file");
            let file = file.expect("its file").1;
            assert!(
                file.ends_with(&format!("gazebo/{task}.{gazebo}.yaml")),
                "{file}"
            );
            let by_gazebo = |n: &&NodeAction| given(n).contains(&("use_sim_time", "true"));
            let times = launch.nodes.iter().filter(by_gazebo);
            assert_eq!(
                times.count(),
                launch.nodes.len(),
                "{task}: all go by Gazebo's time"
            );

            let bridge = bridge(task, gazebo);
            let mut sent = all_topics(&launch, |i| i.publishers);
            let crosses = bridge.iter().filter(|b| b.from_gazebo);
            sent.extend(crosses.map(|b| (b.ros.clone(), b.ros_type.clone())));
            if foreign("robot_state_publisher").is_some() {
                for topic in ["/tf", "/tf_static"] {
                    sent.insert((topic.to_owned(), "tf2_msgs/msg/TFMessage".to_owned()));
                }
            }
            for heard in all_topics(&launch, |i| i.subscriptions) {
                let alone = nobody.contains(&heard.0.as_str());
                assert_ne!(sent.contains(&heard), alone, "{task}: {heard:?}");
            }
            for out in bridge.into_iter().filter(|b| !b.from_gazebo) {
                let wanted = (out.ros, out.ros_type);
                let ours = all_topics(&launch, |i| i.publishers);
                assert!(ours.contains(&wanted), "{task}: nobody sends {wanted:?}");
            }
            let served = all_topics(&launch, |i| i.action_servers);
            for called in all_topics(&launch, |i| i.action_clients) {
                assert!(served.contains(&called), "{task}: nobody serves {called:?}");
            }
        }
    }
}

/// Our own bridge carries what the bridge of ROS does, topic by topic. (The arm needs
/// robot_state_publisher beside it, which is ROS's.)
#[test]
fn our_own_bridge_has_the_topics_of_the_bridge_of_ros() {
    for (task, _, _) in TASKS.into_iter().skip(1) {
        let mut args = vec![
            ("simulator", "gazebo"),
            ("server", "false"),
            ("bridge_by", "gz_bridge"),
        ];
        if task == "place_recognition" {
            args.push(("weights", "some.safetensors"));
        }
        let launch = launch(task, &args);
        assert!(launch.nodes.iter().all(|n| n.package == "saccade_nodes"));
        let mut bridged = Vec::new();
        for node in launch.nodes.iter().filter(|n| n.exec == "gz_bridge") {
            let interface = interface(node).expect("ours");
            let given = given(node);
            for (endpoints, from_gazebo) in [
                (interface.publishers, true),
                (interface.subscriptions, false),
            ] {
                for (endpoint, (ros, ros_type)) in endpoints.iter().zip(topics(node, endpoints)) {
                    let parameter = format!("gz_{}", endpoint.name.trim_start_matches('/'));
                    if let Some((_, gazebo)) = given.iter().find(|(name, _)| *name == parameter) {
                        bridged.push((ros, ros_type, (*gazebo).to_owned(), from_gazebo));
                    }
                }
            }
        }
        let file = bridge(task, "fortress").into_iter();
        let mut wanted: Vec<_> = file
            .map(|b| (b.ros, b.ros_type, b.gazebo, b.from_gazebo))
            .collect();
        bridged.sort();
        wanted.sort();
        assert_eq!(bridged, wanted, "{task}");
    }
}

fn world() -> World {
    World::load(&here().join("../worlds/grasp_table.sdf")).expect("the world")
}

fn numbers(list: &str) -> Vec<f64> {
    list.split_whitespace()
        .map(|v| v.parse().expect("a number"))
        .collect()
}

/// The URDF is the world's robot: joints, limits, axes, couplings and where they are.
#[test]
fn the_description_is_the_worlds_robot() {
    let urdf = text(&here().join("urdf/robot.urdf"));
    let urdf = roxmltree::Document::parse(&urdf).expect("XML");
    let sdf = text(&here().join("../worlds/grasp_table.sdf"));
    let sdf = roxmltree::Document::parse(&sdf).expect("XML");
    let joints = |d: &roxmltree::Document<'_>, tag: &str| -> Vec<String> {
        let joints = d.descendants().filter(|n| n.has_tag_name(tag));
        let joints = joints.filter(|n| n.attribute("type").is_some());
        joints
            .map(|n| n.attribute("name").expect("a name").to_owned())
            .collect()
    };
    let named = |d: &'static str, name: &str| format!("{d} joint {name}");
    let mut checked = 0;
    for model in world().models.iter().filter(|m| !m.joints.is_empty()) {
        for joint in &model.joints {
            let find = |d: &'_ roxmltree::Document<'_>| {
                let found = d.descendants().find(|n| {
                    n.has_tag_name("joint")
                        && n.attribute("type").is_some()
                        && n.attribute("name") == Some(&joint.name)
                });
                found.map(|n| n.range())
            };
            let urdf_joint = urdf.descendants().find(|n| Some(n.range()) == find(&urdf));
            let sdf_joint = sdf.descendants().find(|n| Some(n.range()) == find(&sdf));
            let (u, s) = (
                urdf_joint.unwrap_or_else(|| panic!("{}", named("no", &joint.name))),
                sdf_joint.expect("it was read from there"),
            );
            let child = |n: roxmltree::Node<'_, '_>, tag: &str, attribute: &str| -> String {
                let found = n.children().find(|c| c.has_tag_name(tag));
                let found = found.and_then(|c| c.attribute(attribute).map(str::to_owned));
                found.unwrap_or_else(|| panic!("{}: {tag} {attribute}", joint.name))
            };
            let inner = |tag: &str| {
                let found = s.descendants().find(|c| c.has_tag_name(tag));
                found.and_then(|c| c.text()).unwrap_or("").to_owned()
            };
            assert_eq!(child(u, "parent", "link"), inner("parent"));
            assert_eq!(child(u, "child", "link"), inner("child"));
            let mut place = numbers(&child(u, "origin", "xyz"));
            place.extend(numbers(&child(u, "origin", "rpy")));
            let told = match inner("parent").as_str() {
                "world" => {
                    let p = model.pose.translation;
                    vec![p.x.into(), p.y.into(), p.z.into(), 0.0, 0.0, 0.0]
                }
                _ => numbers(&inner("pose")),
            };
            let apart = place
                .iter()
                .zip(&told)
                .map(|(a, b): (&f64, &f64)| (a - b).abs());
            assert!(
                place.len() == told.len() && apart.fold(0.0, f64::max) < 1e-6,
                "{}",
                joint.name
            );
            if joint.kind == JointKind::Revolute {
                assert_eq!(numbers(&child(u, "axis", "xyz")), numbers(&inner("xyz")));
                for tag in ["lower", "upper", "effort", "velocity"] {
                    assert_eq!(
                        numbers(&child(u, "limit", tag)),
                        numbers(&inner(tag)),
                        "{tag}"
                    );
                }
            }
            if let Some(mimic) = &joint.mimic {
                assert_eq!(child(u, "mimic", "joint"), model.joints[mimic.joint].name);
                let factor = numbers(&child(u, "mimic", "multiplier"))[0];
                assert!((factor - f64::from(mimic.multiplier)).abs() < 1e-6);
            }
            checked += 1;
        }
    }
    // The frames of the two cameras are the rest.
    assert_eq!(joints(&urdf, "joint").len(), checked + 2);
}

/// ros2_control moves the joints of the world's controllers, under the names that
/// robot.launch.xml calls them by.
#[test]
fn the_controllers_are_the_worlds() {
    let file = text(&here().join("config/controllers.yaml"));
    let documents = Yaml::load_from_str(&file).expect("YAML");
    let urdf = text(&here().join("urdf/robot.urdf"));
    let urdf = roxmltree::Document::parse(&urdf).expect("XML");
    let launch = launch("robot", &[("control", "mock")]);
    let called = all_topics(&launch, |i| i.action_clients);
    let mut seen = 0;
    for model in &world().models {
        for controller in &model.controllers {
            let name = controller
                .action
                .rsplit('/')
                .nth(1)
                .expect("it is in the action");
            let action = format!("/{name}/follow_joint_trajectory");
            assert!(
                called.iter().any(|c| c.0 == action),
                "nobody calls {action}"
            );
            let part = documents[0].as_mapping_get(name).expect(name);
            let part = part.as_mapping_get("ros__parameters").expect("parameters");
            let listed = part
                .as_mapping_get("joints")
                .and_then(|j| j.as_sequence())
                .expect("joints");
            let listed: Vec<&str> = listed.iter().filter_map(|j| j.as_str()).collect();
            let joints: Vec<&str> = controller
                .joints
                .iter()
                .map(|j| model.joints[*j].name.as_str())
                .collect();
            assert_eq!(listed, joints, "{name}");
            for joint in joints {
                let has = |n: roxmltree::Node<'_, '_>| {
                    n.has_tag_name("joint")
                        && n.attribute("name") == Some(joint)
                        && n.parent().is_some_and(|p| p.has_tag_name("ros2_control"))
                };
                assert!(urdf.descendants().any(has), "{joint} has no hardware");
            }
            seen += 1;
        }
    }
    assert_eq!(seen, 3);
    let spawned = launch.nodes.iter().find(|n| n.exec == "spawner");
    assert!(spawned.is_some(), "controllers are started");
}

/// A robot is only moved when asked to, slowly, and within a box.
#[test]
fn a_robot_begins_with_a_dry_run() {
    let launch = launch("robot", &[]);
    let grasp = launch
        .nodes
        .iter()
        .find(|n| n.exec == "grasp_affordance")
        .expect("it grasps");
    let parameter = |name: &str| {
        let found = given(grasp).into_iter().find(|p| p.0 == name);
        found.unwrap_or_else(|| panic!("{name} is not set")).1
    };
    assert_eq!(parameter("dry_run"), "true");
    assert!(parameter("speed_scaling").parse::<f64>().expect("a number") <= 0.25);
    let mut node = saccade_nodes::Parameters::defaults(&saccade_nodes::grasp_affordance::INTERFACE);
    for (name, value) in given(grasp) {
        node.set_text(name, value).unwrap_or_else(|e| panic!("{e}"));
    }
    saccade_nodes::grasp_affordance::create(&node).expect("the box has room");
    let drivers = |camera: &str| {
        let launch = self::launch("robot", &[("camera_driver", camera)]);
        let drivers = launch.nodes.iter().filter(|n| n.exec == "driver_node");
        drivers.map(|n| n.package.clone()).collect::<Vec<_>>()
    };
    assert_eq!(drivers("libcaer"), ["libcaer_driver"]);
    assert_eq!(drivers("metavision"), ["metavision_driver"]);
    assert!(drivers("none").is_empty());
}

/// Every topic that a layout shows is published in its task, with a type that is shown so.
#[test]
fn layouts_show_what_there_is() {
    for (task, _, _) in TASKS {
        let mut known = all_topics(&launch(task, &[]), |i| i.publishers);
        if task == "place_recognition" {
            known = all_topics(&launch(task, &[("weights", "w")]), |i| i.publishers);
        }
        let type_of = |topic: &str| {
            let found = known.iter().find(|k| k.0 == topic);
            found
                .unwrap_or_else(|| panic!("{task}: nobody publishes {topic}"))
                .1
                .clone()
        };
        let mut shown = 0;
        for (class, topic) in rviz(&here().join(format!("rviz/{task}.rviz"))) {
            if topic == "/robot_description" {
                continue; // robot_state_publisher's
            }
            let kind = type_of(&topic);
            let name = kind.rsplit('/').next().expect("a name");
            let fits = match class.as_str() {
                "Pose" => name == "PoseStamped",
                "PoseWithCovariance" => name == "PoseWithCovarianceStamped",
                class => name == class,
            };
            assert!(fits, "{task}: {class} cannot show {kind}");
            shown += 1;
        }
        for topic in foxglove(&here().join(format!("foxglove/{task}.json"))) {
            if topic != "/diagnostics" {
                type_of(&topic);
            }
            shown += 1;
        }
        assert!(shown >= 6, "{task}");
    }
}

/// Class and topic of each display of RViz.
fn rviz(path: &Path) -> Vec<(String, String)> {
    let file = text(path);
    let documents = Yaml::load_from_str(&file).expect("YAML");
    let manager = documents[0]
        .as_mapping_get("Visualization Manager")
        .expect("a manager");
    let displays = manager
        .as_mapping_get("Displays")
        .and_then(|d| d.as_sequence())
        .expect("displays");
    let shown = displays.iter().filter_map(|d| {
        let class = d.as_mapping_get("Class")?.as_str()?;
        let topic = d
            .as_mapping_get("Topic")
            .or(d.as_mapping_get("Description Topic"))?;
        let topic = topic.as_mapping_get("Value")?.as_str()?;
        Some((class.rsplit('/').next()?.to_owned(), topic.to_owned()))
    });
    shown.collect()
}

/// Every topic that a layout of Foxglove names: of strings that begin with '/', the part
/// before the first '.', which begins a path in the message.
fn foxglove(path: &Path) -> BTreeSet<String> {
    fn walk(value: &serde_json::Value, out: &mut BTreeSet<String>) {
        let mut note = |s: &str| {
            if let Some(topic) = s.split('.').next().filter(|t| t.starts_with('/')) {
                out.insert(topic.to_owned());
            }
        };
        match value {
            serde_json::Value::String(s) => note(s),
            serde_json::Value::Array(list) => list.iter().for_each(|v| walk(v, out)),
            serde_json::Value::Object(map) => {
                map.keys().for_each(|k| note(k));
                map.values().for_each(|v| walk(v, out));
            }
            _ => {}
        }
    }
    let layout: serde_json::Value = serde_json::from_str(&text(path)).expect("JSON");
    let panels: BTreeSet<&String> = layout["configById"]
        .as_object()
        .expect("panels")
        .keys()
        .collect();
    let placed = layout["layout"].to_string();
    assert!(
        panels.iter().all(|p| placed.contains(p.as_str())),
        "{}",
        path.display()
    );
    let mut out = BTreeSet::new();
    walk(&layout["configById"], &mut out);
    out
}

/// `ros2 launch PACKAGE FILE` looks for the file in all folders that the package installs, and
/// refuses a name that it finds twice.
#[test]
fn no_two_launch_files_have_the_same_name() {
    let mut names = BTreeSet::new();
    let mut folders = vec![here().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("lists") {
            let entry = entry.expect("lists");
            let name = entry.file_name().to_string_lossy().into_owned();
            if entry.path().is_dir() {
                folders.push(entry.path());
            } else if name.contains(".launch.") {
                assert!(names.insert(name.clone()), "{name} is there twice");
            }
        }
    }
    assert!(names.contains("grasp.launch.xml"), "{names:?}");
}
