//! Launch files in YAML: each case beside the XML that means the same, and what is refused.
//! Both columns were run with ROS 2's own `ros2 launch` (Humble) too.

use saccade_launch::launch_file::{Launch, Place, arguments, load};
use std::path::Path;

/// Loads a launch file of this name and text; errors without the folder.
fn loaded(name: &str, text: &str, args: &[(&str, &str)]) -> Result<Launch, String> {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("written");
    std::fs::write(
        folder.path().join("p.yaml"),
        "/**: {ros__parameters: {a: 1}}\n",
    )
    .expect("written");
    let inner = "<launch><arg name=\"x\" default=\"0\"/><log message=\"x is $(var x)\"/></launch>";
    std::fs::write(folder.path().join("inner.xml"), inner).expect("written");
    let inner = "launch:\n- arg: {name: x, default: '0'}\n- log: {message: x is $(var x)}\n";
    std::fs::write(folder.path().join("inner.yaml"), inner).expect("written");
    let args: Vec<_> = args
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    let shown = format!("{}/", folder.path().display());
    let mut launch = load(&path, &args).map_err(|e| e.to_string().replace(&shown, ""))?;
    // Where things stand is all that may differ.
    let nowhere = || Place {
        file: "".into(),
        line: 0,
    };
    for node in &mut launch.nodes {
        node.place = nowhere();
        for parameter in &mut node.parameters {
            if let saccade_launch::launch_file::Parameter::File(file) = parameter {
                *file = file.file_name().expect("a name").into();
            }
        }
    }
    for executable in &mut launch.executables {
        executable.place = nowhere();
    }
    Ok(launch)
}

/// XML and YAML, both without their roots.
const CASES: &[(&str, &str)] = &[
    (
        "<arg name='a' default='1' description='what'/><log message='$(var a)'/>",
        "- arg: {name: a, default: '1', description: what}\n- log: {message: $(var a)}\n",
    ),
    (
        "<arg name='a' default='x'><choice value='x'/><choice value='y'/></arg>",
        "- arg:\n    name: a\n    default: x\n    choice:\n    - value: x\n    - value: y\n",
    ),
    (
        "<let name='v' value='two words'/><set_env name='E' value='$(var v)'/>\
         <log message='$(env E) $(eval \"1 + 1\")'/><unset_env name='E'/>",
        "- let: {name: v, value: two words}\n- set_env: {name: E, value: $(var v)}\n\
         - log: {message: '$(env E) $(eval \"1 + 1\")'}\n- unset_env: {name: E}\n",
    ),
    (
        "<group><push_ros_namespace namespace='left'/><node pkg='saccade_nodes' exec='e'/></group>\
         <node pkg='p' exec='e' name='n' if='false'/><node pkg='p' exec='e' unless='0'/>",
        "- group:\n  - push_ros_namespace: {namespace: left}\n  - node: {pkg: saccade_nodes, exec: e}\n\
         - node: {pkg: p, exec: e, name: n, if: 'false'}\n- node: {pkg: p, exec: e, unless: '0'}\n",
    ),
    (
        "<group scoped='false' if='true'><let name='v' value='kept'/></group><log message='$(var v)'/>",
        "- group:\n    scoped: false\n    if: 'true'\n    children:\n    - let: {name: v, value: kept}\n\
         - log: {message: $(var v)}\n",
    ),
    (
        "<set_parameter name='s' value='1'/><set_remap from='a' to='b'/>\
         <node pkg='saccade_nodes' exec='e' name='cam' namespace='/ns' output='screen' respawn='true' \
         respawn_delay='1.5' args='--ros-args -p last:=9'>\
         <param name='rate' value='2.5'/><param name='n' value='7' type='int'/>\
         <param name='flag' value='true'/><param name='off' value='false'/><param name='text' value='7' type='str'/>\
         <param name='list' value='[1, 2]'/><param from='p.yaml'/>\
         <param name='deep'><param name='er' value='z'/><param name='est'><param name='one' value='1'/>\
         </param></param><remap from='x' to='/y'/><remap from='u' to='v'/><env name='E' value='1'/></node>",
        "- set_parameter: {name: s, value: '1'}\n- set_remap: {from: a, to: b}\n\
         - node:\n    pkg: saccade_nodes\n    exec: e\n    name: cam\n    namespace: /ns\n    output: screen\n    \
         respawn: 'true'\n    respawn_delay: 1.5\n    args: --ros-args -p last:=9\n    param:\n    \
         - {name: rate, value: 2.5}\n    - {name: n, value: 7, type: int}\n    - {name: flag, value: true}\n    - {name: 'off', value: off}\n    \
         - {name: text, value: '7', type: str}\n    - {name: list, value: [1, 2]}\n    - from: p.yaml\n    \
         - name: deep\n      param:\n      - {name: er, value: z}\n      - name: est\n        param:\n        \
         - {name: one, value: 1}\n    remap:\n    - {from: x, to: /y}\n    - from: u\n      to: v\n    \
         env:\n    - {name: E, value: '1'}\n",
    ),
    (
        "<let name='sigterm_timeout' value='1'/>\
         <executable cmd='echo $(var sigterm_timeout) \"a b\"' name='x' cwd='/' shell='true' output='both' \
         launch-prefix='nice -n 5' on_exit='shutdown'><env name='A' value='b'/></executable>",
        "- let: {name: sigterm_timeout, value: '1'}\n\
         - executable:\n    cmd: echo $(var sigterm_timeout) \"a b\"\n    name: x\n    cwd: /\n    shell: true\n    \
         output: both\n    launch-prefix: nice -n 5\n    on_exit: shutdown\n    env:\n    - {name: A, value: b}\n",
    ),
    (
        "<include file='$(dirname)/inner.xml'><arg name='x' value='5'/></include>\
         <include file='$(dirname)/inner.yaml'/>",
        "- include:\n    file: $(dirname)/inner.yaml\n    arg:\n    - {name: x, value: '5'}\n\
         - include: {file: $(dirname)/inner.xml}\n",
    ),
];

#[test]
fn yaml_means_what_its_xml_does() {
    for (xml, yaml) in CASES {
        let left = loaded("a.launch.xml", &format!("<launch>{xml}</launch>"), &[]).expect(xml);
        let right = loaded("a.launch.yaml", &format!("launch:\n{yaml}"), &[]).expect(yaml);
        assert_eq!(left, right, "{yaml}");
    }
    let text = "launch:\n- arg: {name: a}\n- log: {message: $(var a)}\n";
    let launch = loaded("a.yml", text, &[("a", "given")]).expect("valid");
    assert_eq!(launch.messages, ["given"]);
    assert!(loaded("a.yml", text, &[]).is_err_and(|e| e.contains("a.yml:2: launch argument 'a'")));
}

#[test]
fn declared_arguments_are_those_of_xml() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("a.launch.yaml");
    let text = "launch:\n- arg: {name: a, description: what}\n- group:\n  - arg: {name: b, default: $(var a)}\n\
                - include: {file: x, arg: [{name: c, value: '1'}]}\n";
    std::fs::write(&path, text).expect("written");
    let found = arguments(&path).expect("valid");
    let names: Vec<_> = found
        .iter()
        .map(|a| (a.name.as_str(), a.default.as_deref()))
        .collect();
    assert_eq!(names, [("a", None), ("b", Some("$(var a)"))]);
}

#[test]
fn what_is_wrong_is_refused_with_its_line() {
    for (text, part) in [
        (
            "",
            "a.launch.yaml:1: an empty file; it must begin with 'launch:'",
        ),
        (
            "robot: []\n",
            "a.launch.yaml:1: the root is <robot>, not <launch>",
        ),
        ("- 1\n", "a.launch.yaml:1: expected one action"),
        ("launch: []\n---\nlaunch: []\n", "a second YAML document"),
        ("launch:\n- node: {pkg: p\n", "a.launch.yaml:"),
        (
            "launch:\n- arg: {name: a, default: 1}\n",
            "a.launch.yaml:2: 'default' of 'arg' must be text, as in ROS 2: put 1 in quotes",
        ),
        (
            "launch:\n- node: {pkg: p, exec: e, respawn: true}\n",
            "'respawn' of 'node' must be text",
        ),
        (
            "launch:\n- node: {pkg: p, exec: e, if: true}\n",
            "'if' of 'node' must be text",
        ),
        (
            "launch:\n- arg: {name: on}\n",
            "'name' of 'arg' must be text, as in ROS 2: put true in quotes",
        ),
        (
            "launch:\n- log: {message: a}\n\n- nodes: {pkg: p}\n",
            "a.launch.yaml:4: action <nodes> is not supported",
        ),
        (
            "launch:\n- node:\n    pkg: p\n    exec: e\n    nam: x\n",
            "a.launch.yaml:2: attribute 'nam' of <node>",
        ),
        (
            "launch:\n- node: {pkg: p}\n",
            "a.launch.yaml:2: <node> needs the attribute 'exec'",
        ),
        (
            "launch:\n- node:\n    pkg: p\n    exec: e\n    param: {name: a, value: 1}\n",
            "a.launch.yaml:5: 'param' needs a list: put '- '",
        ),
        (
            "launch:\n- node:\n    pkg: p\n    exec: e\n    parm:\n    - {name: a}\n",
            "a.launch.yaml:6: element <parm> in <node>",
        ),
        (
            "launch:\n- node: {pkg: p, exec: e, name: }\n",
            "a.launch.yaml:2: 'name' has no value",
        ),
        (
            "launch:\n- node: {pkg: p, exec: e, name: ~}\n",
            "a.launch.yaml:2: 'name' has no value",
        ),
        ("launch:\n- node\n", "a.launch.yaml:2: expected one action"),
        ("launch:\n- node:\n", "'node' needs 'name: value' entries"),
        (
            "launch:\n- node: {pkg: p, exec: e}\n  arg: {name: a}\n",
            "a.launch.yaml:2: expected one action",
        ),
        (
            "launch:\n- 1: {name: a}\n",
            "a.launch.yaml:2: expected a name",
        ),
        (
            "launch:\n- let: {name: a, value: [b, c]}\n",
            "'value' of 'let' must be text, as in ROS 2: put [\"b\", \"c\"]",
        ),
        (
            "launch:\n- node: {pkg: p, exec: e, param: [{name: x, value: [[1]]}]}\n",
            "'value': a list in a list",
        ),
        (
            "launch:\n- log: {message: $(var x)}\n",
            "a.launch.yaml:2: $(var x): no such argument",
        ),
        (
            "launch: {speed: fast, children: []}\n",
            "attribute 'speed' of <launch>",
        ),
        (
            "launch:\n- include: {file: b.launch.py}\n",
            "included file b.launch.py does not exist",
        ),
    ] {
        let error = loaded("a.launch.yaml", text, &[]).expect_err(text);
        assert!(error.contains(part), "{text}: {error}");
    }
    let deep = format!("launch:\n- {}", "group: [{".repeat(5000));
    assert!(loaded("a.launch.yaml", &deep, &[]).is_err());
    let open = "{group: [".repeat(400) + &"]}".repeat(400);
    let deep = loaded("a.launch.yaml", &format!("launch:\n- {open}\n"), &[]);
    assert!(deep.is_err(), "{deep:?}");
}

#[test]
fn python_is_refused_with_what_to_do_instead() {
    let error = loaded("a.launch.py", "import launch\n", &[]).expect_err("python");
    for part in [
        "a.launch.py: a launch file in Python",
        "'ros2 launch'",
        ".launch.yaml",
    ] {
        assert!(error.contains(part), "{error}");
    }
    let error = arguments(Path::new("none.launch.py")).expect_err("python");
    assert!(error.to_string().contains("in Python"), "{error}");
}

proptest::proptest! {
    /// Whatever the text, evaluation ends without a panic.
    #[test]
    fn no_text_panics(text in "[\\[\\]{}:,&*!|>'\"$()\\- a-z0-9\n]{0,60}") {
        let _ = loaded("a.launch.yaml", &text, &[]);
        let _ = loaded("a.launch.yaml", &format!("launch:\n- {text}"), &[]);
    }
}
