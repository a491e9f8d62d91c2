//! The launch format, case by case: what evaluates to what, and what is
//! refused with which words.

use saccade_launch::launch_file::{Launch, Output, arguments, load};
use std::path::Path;

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
        .collect()
}

/// Writes `files` (name, text) and loads the first.
fn load_files(files: &[(&str, &str)], args: &[(&str, &str)]) -> Result<Launch, String> {
    let folder = tempfile::tempdir().expect("temporary folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("has a parent")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    let shown = format!("{}/", folder.path().display());
    load(&folder.path().join(files[0].0), &pairs(args))
        .map_err(|e| e.to_string().replace(&shown, ""))
}

/// Loads one file with this body, which begins on line 1.
fn body(body: &str, args: &[(&str, &str)]) -> Result<Launch, String> {
    load_files(
        &[("a.launch.xml", &format!("<launch>{body}</launch>"))],
        args,
    )
}

/// The value `text` has where `x` is `1` and `name` is `two words`.
fn value_of(text: &str) -> Result<String, String> {
    let quoted = text
        .replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;");
    let text = format!(
        "<arg name=\"x\" default=\"1\"/><let name=\"name\" value=\"two words\"/>\
         <let name=\"x-ref\" value=\"x\"/>\
         <set_env name=\"SACCADE_TEST_SET\" value=\"yes\"/>\
         <log message=\"{quoted}\"/>"
    );
    body(&text, &[]).map(|l| l.messages.concat())
}

/// What evaluates and what does not was compared with ROS 2's own `launch`
/// (3.7), except `$(filename)` and `$(anon)`, which depend on the file and on
/// chance there.
#[test]
fn substitutions() {
    for (text, expected) in [
        ("plain", "plain"),
        ("a $(var x) b", "a 1 b"),
        ("$(var name)/$(var x)", "two words/1"),
        ("$(var $(var x-ref))", "1"),
        ("$(var missing 'a default')", "a default"),
        ("$(var 'x')", "1"),
        ("$(env SACCADE_TEST_SET)", "yes"),
        ("$(env SACCADE_TEST_NOT_SET none)", "none"),
        ("$(env SACCADE_TEST_NOT_SET '')", ""),
        ("$(filename)", "a.launch.xml"),
        ("$(eval '$(var x) + 1')", "2"),
        ("$(eval \"'$(var x)' == '1'\")", "True"),
        ("$(eval '(1 + 2) * 3')", "9"),
        ("$(eval \"'$(var name)'\")", "two words"),
        ("$(not true)", "false"),
        ("$(and true $(not false))", "true"),
        ("$(or 0 false)", "false"),
        ("$(equals $(var x) 1)", "true"),
        ("$(not-equals $(var x) 1)", "false"),
        ("$(anon cam) $(anon arm) $(anon cam)", "cam_1 arm_2 cam_1"),
        ("\\$(var x)", "$(var x)"),
        ("costs 5$ (net)", "costs 5$ (net)"),
        ("it's \"quoted\"", "it's \"quoted\""),
    ] {
        assert_eq!(value_of(text).as_deref(), Ok(expected), "{text}");
    }
    for (text, part) in [
        (
            "$(var missing)",
            "a.launch.xml:1: $(var missing): no such argument",
        ),
        ("$(env SACCADE_TEST_NOT_SET)", "not set in the environment"),
        ("$(var x", "never closed"),
        ("$(var 'x)", "never closed"),
        ("$(var 'x'y)", "a space or ')' is missing"),
        ("$(var (x))", "put the argument in quotes"),
        (
            "$(var  x)",
            "a space in '$(var' is not followed by an argument",
        ),
        (
            "$(var x )",
            "a space in '$(var' is not followed by an argument",
        ),
        ("$(eval \"$(var 'x')\")", "put the argument in quotes"),
        (
            "$(nonsense)",
            "substitution $(nonsense) is not supported; supported here: var, env",
        ),
        ("$(command ls)", "substitution $(command) is not supported"),
        ("$(eval 1 + 2)", "put it in quotes"),
        ("$(eval 'open(1)')", "'open' is not known"),
        ("$(and true)", "with 1 arguments; it takes two"),
        ("$(not maybe)", "'maybe' is not true, false, 1 or 0"),
        (
            "$(find-pkg-share no_such_package)",
            "package 'no_such_package' is neither",
        ),
        ("$(find-pkg-share ../x)", "not a package name"),
    ] {
        let error = value_of(text).expect_err(text);
        assert!(error.contains(part), "{text}: {error}");
    }
    let deep = "$(not ".repeat(10_000);
    assert!(value_of(&deep).is_err_and(|e| e.contains("nested deeper")));
}

#[test]
fn arguments_are_taken_in_order_and_checked() {
    let text = "<arg name=\"a\"/><arg name=\"b\" default=\"$(var a)2\"/>\
                <arg name=\"c\" default=\"x\"><choice value=\"x\"/><choice value=\"y\"/></arg>\
                <log message=\"$(var a) $(var b) $(var c)\"/>";
    let said = |args: &[(&str, &str)]| body(text, args).map(|l| l.messages.concat());
    assert_eq!(said(&[("a", "1")]).as_deref(), Ok("1 12 x"));
    assert_eq!(
        said(&[("a", "1"), ("b", "3"), ("c", "y")]).as_deref(),
        Ok("1 3 y")
    );
    for (args, part) in [
        (
            &[][..],
            "a.launch.xml:1: launch argument 'a' has no default",
        ),
        (
            &[("a", "1"), ("c", "z")][..],
            "'c' is 'z'; it must be one of: x, y",
        ),
        (
            &[("aa", "1")][..],
            "no launch argument 'aa'; declared: a, b, c",
        ),
    ] {
        let error = said(args).expect_err(part);
        assert!(error.contains(part), "{error}");
    }
    let launch = body(text, &[("a", "1")]).expect("valid");
    assert_eq!(launch.values, pairs(&[("a", "1"), ("b", "12"), ("c", "x")]));
}

#[test]
fn declared_arguments_need_no_values() {
    let folder = tempfile::tempdir().expect("temporary folder");
    let path = folder.path().join("a.launch.xml");
    let text = "<launch><arg name=\"a\" description=\"what\"/><group><arg name=\"b\" \
                default=\"$(var a)\"/></group><include file=\"x\"><arg name=\"c\" value=\"1\"/>\
                </include></launch>";
    std::fs::write(&path, text).expect("written");
    let found = arguments(&path).expect("valid");
    assert_eq!(found.len(), 2);
    assert_eq!(
        (found[0].name.as_str(), found[0].description.as_str()),
        ("a", "what")
    );
    assert_eq!(found[1].default.as_deref(), Some("$(var a)"));
}

#[test]
fn a_node_collects_what_is_said_about_it() {
    let yaml = "/**: {ros__parameters: {rate: 10}}\n/left/cam: {ros__parameters: {gain: 2.5}}\n";
    let text = "<launch>\n<push_ros_namespace namespace=\"left\"/>\n\
         <set_parameter name=\"global\" value=\"1\"/>\n<set_remap from=\"g\" to=\"/g\"/>\n\
         <node pkg=\"saccade_nodes\" exec=\"e\" name=\"cam\" output=\"screen\" respawn=\"true\"\n\
         args=\"--ros-args -p last:=9 -r x:=/y\">\n\
         <param from=\"$(dirname)/p.yaml\"/><param name=\"rate\" value=\"20\" type=\"int\"/>\n\
         <param name=\"deep\"><param name=\"er\" value=\"z\"/></param>\n\
         <remap from=\"a\" to=\"/b\"/><env name=\"E\" value=\"1\"/>\n</node></launch>";
    let folder = tempfile::tempdir().expect("temporary folder");
    std::fs::write(folder.path().join("p.yaml"), yaml).expect("written");
    let file = folder.path().join("a.launch.xml");
    std::fs::write(&file, text).expect("written");
    let launch = load(&file, &[]).expect("valid");
    let node = &launch.nodes[0];
    assert_eq!(node.place.line, 5);
    assert_eq!(node.full_name(), "/left/cam");
    assert_eq!(
        (
            node.exec.as_str(),
            node.process.respawn,
            node.process.output
        ),
        ("e", true, Output::Screen)
    );
    let expected = [
        ("global", "1"),
        ("rate", "10"),
        ("gain", "2.5"),
        ("rate", "20"),
        ("deep.er", "z"),
        ("last", "9"),
    ];
    assert_eq!(node.parameter_values().expect("valid"), pairs(&expected));
    assert_eq!(node.remaps, pairs(&[("g", "/g"), ("a", "/b"), ("x", "/y")]));
    assert_eq!(node.env, pairs(&[("E", "1")]));
    let plain = body("<node pkg=\"p\" exec=\"e\"/>", &[]).expect("valid");
    assert_eq!(plain.nodes[0].full_name(), "/e");
}

#[test]
fn groups_scope_and_conditions_select() {
    let text = "<arg name=\"on\" default=\"true\"/>\
         <let name=\"v\" value=\"outer\"/>\
         <group if=\"$(var on)\"><push-ros-namespace namespace=\"a\"/>\
           <let name=\"v\" value=\"inner\"/><set_env name=\"SACCADE_TEST_V\" value=\"1\"/>\
           <node pkg=\"p\" exec=\"first\"/></group>\
         <group scoped=\"false\"><push-ros-namespace namespace=\"b\"/></group>\
         <node pkg=\"p\" exec=\"second\"/>\
         <node pkg=\"p\" exec=\"third\" unless=\"$(var on)\" namespace=\"/c\"/>\
         <log message=\"$(var v)$(env SACCADE_TEST_V -)\"/>";
    let names = |args: &[(&str, &str)]| -> Vec<String> {
        let launch = body(text, args).expect("valid");
        assert_eq!(launch.messages, ["outer-"]);
        launch.nodes.iter().map(|n| n.full_name()).collect()
    };
    assert_eq!(names(&[]), ["/a/first", "/b/second"]);
    assert_eq!(names(&[("on", "0")]), ["/b/second", "/c/third"]);
}

#[test]
fn includes_pass_arguments_and_are_found_beside_the_includer() {
    let outer = "<launch><arg name=\"who\" default=\"me\"/>\
         <include file=\"$(dirname)/sub/b.xml\"><arg name=\"x\" value=\"$(var who)\"/></include>\
         <include file=\"sub/b.xml\" if=\"false\"/></launch>";
    let inner = "<launch><arg name=\"x\" default=\"0\"/><arg name=\"y\" default=\"$(var x)!\"/>\
         <log message=\"$(var y) $(filename)\"/></launch>";
    let files = [("a.xml", outer), ("sub/b.xml", inner)];
    let said = |args: &[(&str, &str)]| load_files(&files, args).map(|l| l.messages.concat());
    assert_eq!(said(&[]).as_deref(), Ok("me! b.xml"));
    assert_eq!(
        said(&[("who", "you"), ("y", "z")]).as_deref(),
        Ok("z b.xml")
    );
    assert!(said(&[("z", "1")]).is_err_and(|e| e.contains("declared: who, x, y")));
}

#[test]
fn packages_are_found_in_the_workspace_above_the_launch_file() {
    let files = [
        (
            "bringup/a.xml",
            "<launch><log message=\"$(find-pkg-share my_worlds)\"/></launch>",
        ),
        (
            "worlds/package.xml",
            "<package><name> my_worlds </name></package>",
        ),
    ];
    let found = load_files(&files, &[]).expect("found").messages.concat();
    assert!(Path::new(&found).ends_with("worlds"), "{found}");
}

#[test]
fn what_is_wrong_is_refused_with_its_place() {
    for (text, part) in [
        (
            "\n<nodes/>",
            "a.launch.xml:2: action <nodes> is not supported",
        ),
        (
            "\n<executable/>",
            "a.launch.xml:2: <executable> needs the attribute 'cmd'",
        ),
        ("<executable cmd=\" \"/>", "names no program"),
        (
            "<executable cmd=\"sh -c 'a\"/>",
            "' is never closed in: sh -c 'a",
        ),
        (
            "<executable cmd=\"a\" output=\"tv\"/>",
            "output 'tv' is not supported",
        ),
        (
            "<executable cmd=\"a\" on_exit=\"cry\"/>",
            "on_exit 'cry' is not supported",
        ),
        (
            "<executable cmd=\"a\" respawn_delay=\"-1\"/>",
            "respawn_delay '-1' is not",
        ),
        ("<executable cmd=\"a\" shell=\"yes\"/>", "'yes' is not true"),
        ("<node pkg=\"p\"/>", "<node> needs the attribute 'exec'"),
        (
            "<node pkg=\"p\" exec=\"e\" nam=\"x\"/>",
            "attribute 'nam' of <node> is not supported",
        ),
        (
            "<node pkg=\"p\" exec=\"e\" name=\"a/b\"/>",
            "'a/b' is not a node name",
        ),
        (
            "<node pkg=\"p\" exec=\"e\" namespace=\"1\"/>",
            "'1' is not a name",
        ),
        (
            "<node pkg=\"saccade_nodes\" exec=\"e\" args=\"-x\"/>",
            "nodes take none outside --ros-args",
        ),
        (
            "<node pkg=\"p\" exec=\"e\"><parm/></node>",
            "element <parm> in <node>",
        ),
        (
            "<node pkg=\"p\" exec=\"e\"><param name=\"x\"/></node>",
            "<param> needs either",
        ),
        (
            "<node pkg=\"p\" exec=\"e\"><param name=\"x\" value=\"1.5\" type=\"int\"/></node>",
            "'1.5' is not of type int",
        ),
        (
            "<node pkg=\"p\" exec=\"e\"><param from=\"no.yaml\"/></node>",
            "cannot read no.yaml",
        ),
        (
            "<log message=\"a\" if=\"true\" unless=\"true\"/>",
            "'if' and 'unless'",
        ),
        (
            "<log message=\"a\" if=\"yes\"/>",
            "'yes' is not true, false, 1 or 0",
        ),
        ("<group scoped=\"maybe\"/>", "'maybe' is not true"),
        (
            "<include file=\"no.xml\"/>",
            "included file no.xml does not exist",
        ),
        (
            "<include file=\"$(dirname)/a.launch.xml\"/>",
            "nested deeper than 32",
        ),
        ("stray text", "text 'stray text' between elements"),
        ("\n\n<a><b></a>", "a.launch.xml:3: not well-formed XML"),
        ("&x;", "not well-formed XML"),
    ] {
        let error = body(text, &[]).expect_err(text);
        assert!(error.contains(part), "{text}: {error}");
    }
    assert!(load_files(&[("a.xml", "<robot/>")], &[]).is_err_and(|e| e.contains("not <launch>")));
    assert!(load_files(&[("a.xml", "")], &[]).is_err_and(|e| e.contains("not well-formed")));
    let deep = "<group>".repeat(1000) + &"</group>".repeat(1000);
    assert!(body(&deep, &[]).is_err_and(|e| e.contains("nested deeper")));
    let missing = load(Path::new("no/such.launch.xml"), &[]).expect_err("missing");
    assert!(
        missing
            .to_string()
            .contains("cannot read no/such.launch.xml")
    );
}

proptest::proptest! {
    /// Whatever the text, evaluation ends without a panic.
    #[test]
    fn no_text_panics(text in "[$()'\"\\\\ a-z0-9+*/<=-]{0,40}") {
        let _ = value_of(&text);
        let _ = value_of(&format!("$(eval '{text}')"));
        let _ = value_of(&format!("$(eval \"{text}\")"));
    }
}
