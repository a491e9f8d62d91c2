#!/usr/bin/env python3
"""Our worlds, and the nodes with them, in a headless Gazebo (Fortress or Harmonic).

    python3 tests/gazebo/gazebo.py              all tests, where Gazebo is installed
    python3 tests/gazebo/gazebo.py messages     only that Gazebo's transport takes our messages

Each test has a partition and a server of its own, which is stepped by its world-control service
and never waited for by the wall clock; only the two with nodes (grasp, home) run freely, since
nodes do, and need a sourced ROS 2 with ros_gz_bridge and this repository's packages. The last
line says what was run; the exit status is 0 if all that was run passed, 1 otherwise, and 77 if
there is no Gazebo.
"""

import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

WORLDS = Path(__file__).resolve().parent.parent.parent / "worlds"
ARM = [f"arm_{i}_joint" for i in range(1, 7)]
HEAD = ["head_pan_joint", "head_tilt_joint", "head_roll_joint"]
LIMIT_S = 300


class Tool:
    """The command line of one Gazebo: `ign` with ignition.msgs, or `gz` with gz.msgs."""

    def __init__(self, command, simulate, prefix):
        self.command, self.simulate, self.prefix = command, simulate, prefix

    def type(self, name):
        return f"{self.prefix}.{name}"


def fortress():
    return Tool(["ign"], "gazebo", "ignition.msgs")


def find():
    """Which Gazebo there is; `ign` alone, without its `gazebo`, is none."""
    for command, tool in (("gz", Tool(["gz"], "sim", "gz.msgs")), ("ign", fortress())):
        if shutil.which(command) is None:
            continue
        asked = subprocess.run([command, tool.simulate, "--versions"], capture_output=True, text=True)
        if asked.returncode == 0 and re.search(r"\d+\.\d+", asked.stdout):
            return tool
    return None


def environment():
    partition = f"saccade_{uuid.uuid4().hex[:8]}"
    alone = {"IGN_PARTITION": partition, "GZ_PARTITION": partition}
    alone |= {"IGN_IP": "127.0.0.1", "GZ_IP": "127.0.0.1"}
    return os.environ | alone


class Transport:
    """Topics and services of one partition."""

    def __init__(self, tool, env):
        self.tool, self.env, self.echoes = tool, env, []
        # Debian has the commands, but not where its own `ign` looks for them.
        beside = Path("/usr/libexec/ignition/transport11/ign-transport-topic")
        self.topic = tool.command + ["topic"]
        if tool.command == ["ign"]:
            asked = subprocess.run(self.topic + ["--help"], capture_output=True)
            if asked.returncode != 0 and beside.exists():
                self.topic = [str(beside)]

    def works(self):
        return subprocess.run(self.topic + ["--help"], capture_output=True).returncode == 0

    def publish(self, topic, kind, text):
        words = ["-t", topic, "-m", self.tool.type(kind), "-p", text]
        done = subprocess.run(self.topic + words, env=self.env, capture_output=True, text=True, timeout=30)
        # What it cannot parse it says, and sends nothing.
        assert done.returncode == 0 and not done.stderr.replace("\n", ""), f"{topic}: {done.stderr}"

    def listen(self, topic):
        """A file into which the topic's messages go as text, from now on."""
        out = tempfile.NamedTemporaryFile("w+", suffix=".txt")
        echo = subprocess.Popen(self.topic + ["-e", "-t", topic], env=self.env, stdout=out, stderr=out)
        self.echoes.append(echo)
        return Path(out.name), out

    def request(self, service, kind, text, timeout_ms=60000):
        words = ["service", "-s", service, "--reqtype", self.tool.type(kind), "--reptype"]
        words += [self.tool.type("Boolean"), "--timeout", str(timeout_ms), "--req", text]
        done = subprocess.run(self.tool.command + words, env=self.env, capture_output=True, text=True)
        assert "data: true" in done.stdout, f"{service}: {done.stdout}{done.stderr}"

    def close(self):
        for echo in self.echoes:
            echo.terminate()
            echo.wait()


class Server:
    """A paused server; time passes by `step` alone."""

    def __init__(self, tool, world):
        self.name, self.env = world, environment()
        self.transport = Transport(tool, self.env)
        command = tool.command + [tool.simulate, "-s", "-v", "1", "--headless-rendering"]
        self.process = subprocess.Popen(
            command + [str(WORLDS / f"{world}.sdf")], env=self.env, start_new_session=True
        )
        self.stats, self.kept = self.transport.listen(f"/world/{world}/stats")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.transport.close()
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()

    def iterations(self):
        found = re.findall(r"^iterations: (\d+)", self.stats.read_text(), re.M)
        return int(found[-1]) if found else 0

    def step(self, count):
        goal = self.iterations() + count
        self.transport.request(
            f"/world/{self.name}/control", "WorldControl", f"pause: true, multi_step: {count}"
        )
        until = time.monotonic() + LIMIT_S
        while self.iterations() < goal:
            assert time.monotonic() < until, f"{count} steps take longer than {LIMIT_S} s"
            time.sleep(0.2)


def trajectory(names, positions, seconds):
    head = " ".join(f'joint_names: "{n}"' for n in names)
    at = " ".join(f"positions: {p}" for p in positions)
    return f"{head} points {{ {at} time_from_start {{ sec: {seconds} }} }}"


def last_positions(file):
    """Joint positions of the last whole message of a joint state publisher."""
    out = {}
    for joint in re.finditer(r"^joint \{\n(.*?)^\}", file.read_text(), re.M | re.S):
        name = re.search(r'^  name: "([^"]+)"', joint.group(1), re.M)
        axis = re.search(r"axis1 \{(.*?)^  \}", joint.group(1), re.M | re.S)
        if name and axis:
            at = re.search(r"^    position: (\S+)", axis.group(1), re.M)
            # Zero is not written.
            out[name.group(1)] = float(at.group(1)) if at else 0.0
    return out


def arm_reaches_a_joint_goal(tool):
    goal = [-1.0, 0.1, 1.44, 0.48, 1.18, 0.88]
    with Server(tool, "grasp_table") as server:
        states, kept = server.transport.listen("/robot/joint_states")
        server.step(100)
        # In parts: the controller goes for its setpoint at once, however far that is.
        for k in range(1, 21):
            at = [g * k / 20 for g in goal]
            server.transport.publish("/arm/joint_trajectory", "JointTrajectory", trajectory(ARM, at, 0))
            server.step(100)
        server.step(1000)
        at = last_positions(states)
        for name, wanted in zip(ARM, goal):
            assert abs(at[name] - wanted) < 0.02, f"{name} is at {at[name]}, not {wanted}"


def head_saccades(tool):
    with Server(tool, "grasp_table") as server:
        states, kept = server.transport.listen("/head/joint_states")
        server.step(100)
        for goal in ([0.03, 0.0, 0.015], [0.015, 0.026, -0.015], [0.0, 0.0, 0.0]):
            server.transport.publish("/head/joint_trajectory", "JointTrajectory", trajectory(HEAD, goal, 0))
            server.step(300)
            at = last_positions(states)
            for name, wanted in zip(HEAD, goal):
                assert abs(at[name] - wanted) < 0.005, f"{name} is at {at[name]}, not {wanted}"


def whiskers_touch(tool):
    with Server(tool, "whiskeye_arena") as server:
        contacts, kept = server.transport.listen("/whiskeye/contacts")
        server.step(200)
        assert "whisker_" not in contacts.read_text(), "whiskers touch on the open floor"
        # Before the north wall, head on.
        half = math.sqrt(0.5)
        pose = f'name: "whiskeye", position: {{x: -1.4, y: 1.15, z: 0.0}}, orientation: {{z: {half}, w: {half}}}'
        server.transport.request("/world/whiskeye_arena/set_pose", "Pose", pose)
        server.step(200)
        text = contacts.read_text()
        assert re.search(r"whiskeye::whisker_\d\d::c0", text), "no whisker touches the wall"
        assert "north" in text, "what they touch is not the wall"


def robot_drives(tool):
    with Server(tool, "arena") as server:
        odom, kept = server.transport.listen("/ground_truth/odom")
        server.step(200)
        server.transport.publish("/cmd_vel", "Twist", "linear {x: 0.3}")
        server.step(1500)
        x = re.findall(r"position \{\n\s*x: (\S+)", odom.read_text())
        assert x and float(x[-1]) > 0.5, f"after 3 s at 0.3 m/s it is at {x[-1:]}"


def ros_has(package):
    if shutil.which("ros2") is None:
        return False
    return subprocess.run(["ros2", "pkg", "prefix", package], capture_output=True).returncode == 0


def with_nodes(arguments, run):
    env = environment() | {"ROS_LOCALHOST_ONLY": "1", "ROS_DOMAIN_ID": str(100 + os.getpid() % 100)}
    launch = ["ros2", "launch", "saccade_bringup"] + arguments + ["simulator:=gazebo"]
    started = subprocess.Popen(launch, env=env, start_new_session=True)
    try:
        return run(lambda action, kind, goal: subprocess.run(
            ["ros2", "action", "send_goal", action, kind, goal],
            env=env, capture_output=True, text=True, timeout=LIMIT_S,
        ).stdout)
    finally:
        started.send_signal(2)
        try:
            started.wait(30)
        except subprocess.TimeoutExpired:
            started.kill()


def object_is_grasped(_):
    def run(send):
        time.sleep(20)  # until the arm's first states are there; a goal before is refused
        said = send("/grasp_object", "saccade_msgs/action/GraspObject", "{timeout_s: 200.0}")
        assert "outcome: grasped" in said, said

    with_nodes(["grasp.launch.xml", "object:=ball"], run)


def robot_comes_home(_):
    def run(send):
        time.sleep(20)
        said = send("/wander", "saccade_msgs/action/Wander", "{seed: 1, length_m: 5.0}")
        assert "success: true" in said, said
        said = send("/return_home", "saccade_msgs/action/ReturnHome", "{}")
        assert "success: true" in said, said

    with_nodes(["path_integration.launch.xml"], run)


def messages():
    """Every message these tests send, through the real transport and back as text."""
    transport = Transport(fortress(), environment())
    if not transport.works():
        print("NOT RUN: Gazebo's transport is not installed (Debian: ignition-transport-cli)")
        return 77
    sent = [
        ("JointTrajectory", trajectory(ARM, [0.5] * 6, 2), ["arm_6_joint", "positions: 0.5", "sec: 2"]),
        ("Twist", "linear {x: 0.3}", ["x: 0.3"]),
        ("WorldControl", "pause: true, multi_step: 100", ["pause: true", "multi_step: 100"]),
        ("Pose", 'name: "ball", position: {x: 0.45, y: 0.0, z: 0.76}', ['name: "ball"', "z: 0.76"]),
    ]
    try:
        for kind, text, expected in sent:
            file, kept = transport.listen(f"/test/{kind}")
            until = time.monotonic() + 20
            # Who listens is found after a while: sent until it is heard.
            while not all(e in file.read_text() for e in expected):
                assert time.monotonic() < until, f"{kind}: {file.read_text()!r}"
                transport.publish(f"/test/{kind}", kind, text)
        # And what is read of Gazebo's answers is read of its own text.
        states, kept = transport.listen("/test/states")
        joint = 'joint { name: "arm_1_joint" axis1 { position: 0.5 } } joint { name: "j" axis1 { } }'
        until = time.monotonic() + 20
        while last_positions(states) != {"arm_1_joint": 0.5, "j": 0.0}:
            assert time.monotonic() < until, states.read_text()
            transport.publish("/test/states", "Model", joint)
    finally:
        transport.close()
    names = ", ".join(s[0] for s in sent)
    print(f"RUN: messages through ignition-transport: {names}, Model")
    return 0


def main():
    if sys.argv[1:] == ["messages"]:
        return messages()
    tool = find()
    if tool is None:
        print("NOT RUN: neither `gz sim` nor `ign gazebo` is installed")
        return 77
    tests = [arm_reaches_a_joint_goal, head_saccades, whiskers_touch, robot_drives]
    left_out = [object_is_grasped, robot_comes_home]
    if ros_has("ros_gz_bridge") and ros_has("saccade_bringup"):
        tests, left_out = tests + left_out, []
    failed = []
    for test in tests:
        try:
            test(tool)
            print(f"ok      {test.__name__}", flush=True)
        except Exception as error:
            failed.append(test.__name__)
            print(f"FAILED  {test.__name__}: {error}", flush=True)
    for test in left_out:
        print(f"NOT RUN {test.__name__}: needs ros2, ros_gz_bridge and saccade_bringup")
    print(f"RUN: {len(tests)}, failed: {len(failed)}, not run: {len(left_out)}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
