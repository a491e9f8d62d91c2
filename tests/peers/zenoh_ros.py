"""ROS 2 over Zenoh, as `zenoh-ros2-sdk` has it: an implementation of what rmw_zenoh_cpp speaks
by people who hold it against ROS 2. Its Zenoh is `eclipse-zenoh`, whose Rust is that of our own
host; its keys, hashes, tokens and attachments are its own. Types are described to it as
`rosbags` has them for Jazzy, our own as the definitions in msgs/msg say, and the rest by hand.

usage: zenoh_ros.py router PORT
       zenoh_ros.py graph PORT DOMAIN TOPICS
       zenoh_ros.py drive PORT DOMAIN NODE
       zenoh_ros.py ask PORT DOMAIN NODE
       zenoh_ros.py watch PORT DOMAIN TOPIC

router: a router on loopback, until it is killed; prints a line when it listens.

graph: waits until a message has come on each of the comma-separated TOPICS. Prints one JSON
document: the counts, and what is wrong with topics, attachments or identifiers.

drive: publishes 20 event packets on /camera/events for dvs_ingest under the name NODE, then six
messages that are none, and waits until they are counted. Prints one JSON document.

ask: gets and sets parameters of dvs_ingest under the full name NODE. Prints one JSON document.

watch: prints a JSON line for each token that comes (`here`) or goes (`gone`), and for each
message on TOPIC (`heard`), in the whole of the domain, until it is killed.
"""

import json
import os
import pathlib
import struct
import sys
import tempfile
import threading
import time

os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")

import numpy
import xxhash
import zenoh
from rosbags.typesys import Stores, get_typestore
from zenoh_ros2_sdk import message_registry
from zenoh_ros2_sdk import ROS2Publisher, ROS2ServiceClient, ROS2Subscriber
from zenoh_ros2_sdk.attachment import Attachment
from zenoh_ros2_sdk.discovery import _parse_liveliness_keyexpr
from zenoh_ros2_sdk.message_registry import get_registry
from zenoh_ros2_sdk.qos import QosDurability, QosProfile
from zenoh_ros2_sdk.session import ZenohSession
from zenoh_ros2_sdk.utils import dds_to_ros_type

LATCHED = QosProfile(durability=QosDurability.TRANSIENT_LOCAL, history_depth=10)
BY_HAND = {
    "event_camera_msgs/msg/EventPacket":
        "std_msgs/Header header\nuint32 height\nuint32 width\nuint64 seq\nuint64 time_base\nstring encoding\n"
        "bool is_bigendian\nuint8[] events\n",
    "vision_msgs/msg/Classification": "std_msgs/Header header\nvision_msgs/ObjectHypothesis[] results\n",
    "vision_msgs/msg/ObjectHypothesis": "string class_id\nfloat64 score\n",
    "rcl_interfaces/srv/GetParameters": "string[] names\n---\nrcl_interfaces/ParameterValue[] values\n",
    "rcl_interfaces/srv/SetParameters": "rcl_interfaces/Parameter[] parameters\n---\nrcl_interfaces/SetParametersResult[] results\n",
}
PATIENCE_S = 60
PACKETS, EVENTS = 20, 50


def until(what, condition, pace=0.01):
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        found = condition()
        if found:
            return found
        time.sleep(pace)
    # Not `sys.exit`, which waits for sessions that nobody has closed.
    print(f"not in {PATIENCE_S} s: {what}", file=sys.stderr, flush=True)
    os._exit(1)


def definitions(folder):
    """Writes what the types are, where the SDK looks before it asks the network."""
    store = get_typestore(Stores.ROS2_JAZZY)
    texts = {name: store.generate_msgdef(name, ros_version=2)[0].split("=" * 80)[0] for name in store.fielddefs}
    ours = pathlib.Path(__file__).parent.parent.parent / "msgs" / "msg"
    texts |= {f"saccade_msgs/msg/{file.stem}": file.read_text() for file in ours.glob("*.msg")}
    for name, text in (texts | BY_HAND).items():
        package, kind, own = name.split("/")
        parts = {f"{own}.{kind}": text}
        if kind == "srv":
            request, response = text.split("---\n")
            parts |= {f"{own}_Request.msg": request, f"{own}_Response.msg": response}
        place = pathlib.Path(folder) / package / kind
        place.mkdir(parents=True, exist_ok=True)
        for file, part in parts.items():
            (place / file).write_text(part)
    # What is not there is not looked for on the network.
    message_registry.get_repository_for_package = lambda package: None
    get_registry(folder)


def tokens(session, domain):
    """Key expressions of all that is in the graph."""
    found = session.liveliness.get(f"@ros2_lv/{domain}/**", timeout=2.0)
    return [str(reply.ok.key_expr) for reply in found if reply.ok is not None]


def identifier(token):
    """As rmw_zenoh_cpp makes it: the lower half first."""
    return xxhash.xxh3_128_intdigest(token.encode()).to_bytes(16, "little")


def definition(type_name):
    return get_registry().get_msg_file_path(type_name).read_text()


class Heard:
    """A subscriber of the SDK, with what it was given."""

    def __init__(self, topic, type_name, domain, qos=None):
        self.messages = []
        # The registry has to know what the type is made of first.
        assert get_registry().load_message_type(type_name), type_name
        self.subscriber = ROS2Subscriber(
            topic, type_name, self.messages.append, msg_definition=definition(type_name), domain_id=domain, qos=qos)
        self.latched = qos is LATCHED

    def come(self):
        """The messages, if there are any. Of what is latched it asks again: the SDK asks once for
        the publishers that there are, and is now and then answered that there are none."""
        if self.latched and not self.messages:
            self.subscriber._query_historical_data()
        return self.messages


class Attachments:
    """What is said beside all messages of a domain, and what is wrong with it."""

    def __init__(self, session, domain):
        self.last, self.wrong, self.count, self.missed = {}, [], 0, 0
        self.subscriber = session.session.declare_subscriber(f"{domain}/**", self.check)

    def check(self, sample):
        self.count += 1
        key, bytes_ = str(sample.key_expr), sample.attachment.to_bytes() if sample.attachment else b""
        try:
            said = Attachment.from_bytes(bytes_)
        except ValueError as error:
            self.wrong.append(f"{key}: {error}")
            return
        last = self.last.get(said.gid, (key, said.sequence_id - 1))
        if len(bytes_) != 33 or len(said.gid) != 16:
            self.wrong.append(f"{key}: {len(bytes_)} bytes")
        if abs(time.time_ns() - said.timestamp_ns) > 10e9:
            self.wrong.append(f"{key}: sent at {said.timestamp_ns}")
        # A publisher drops what the link does not take: numbers may be missing, and never come twice.
        if last[0] != key or said.sequence_id <= last[1]:
            self.wrong.append(f"{key}: {said.sequence_id} after {last}")
        self.missed += said.sequence_id - last[1] - 1
        self.last[said.gid] = (key, said.sequence_id)


def graph(session, domain, topics):
    topics = topics.split(",")
    attachments = Attachments(session, domain)

    def published():
        found = [_parse_liveliness_keyexpr(t) for t in tokens(session, domain)]
        found = {f["qualified_name"]: f for f in found if f and f["kind"] == "MP"}
        return found if set(topics) <= set(found) else None

    found = until("publishers of all topics", published, pace=0.2)
    heard, hashes = {}, {}
    for topic in topics:
        type_name = dds_to_ros_type(found[topic]["dds_type"])
        latched = found[topic]["qos"].split(":")[1] == "1"
        heard[topic] = Heard(topic, type_name, domain, LATCHED if latched else None)
        if heard[topic].subscriber.type_hash != found[topic]["type_hash"]:
            hashes[topic] = [type_name, found[topic]["type_hash"], heard[topic].subscriber.type_hash]
    end = time.monotonic() + PATIENCE_S
    while not all(h.come() for h in heard.values()) and time.monotonic() < end:
        time.sleep(0.1)
    end = time.monotonic() + PATIENCE_S
    # An answer may lack some while all are busy: what stays missing is missing.
    everything, strangers, names = set(), None, {"MP": set(), "NN": set()}
    while (strangers is None or strangers or names["MP"] - names["NN"]) and time.monotonic() < end:
        everything.update(tokens(session, domain))
        known = {identifier(token) for token in everything}
        strangers = [key for gid, (key, _) in list(attachments.last.items()) if gid not in known]
        names = {k: {t.split("/")[8] for t in everything if t.split("/")[5] == k} for k in ("MP", "NN")}
    print(json.dumps({
        "counts": {topic: len(h.messages) for topic, h in heard.items()},
        "silent": [topic for topic, h in heard.items() if not h.messages],
        "hashes": hashes, "attachments": attachments.wrong[:10], "strangers": strangers,
        "checked": attachments.count, "missed": attachments.missed,
        "nodes": sorted(names["NN"]),
    }))


def packet(publisher, i):
    """A `mono` packet of EVENTS events, one a microsecond: as event_camera_codecs has it."""
    store = publisher.session_mgr.store
    stamp = store.types["builtin_interfaces/msg/Time"](sec=1700000000, nanosec=i * 1_000_000)
    header = store.types["std_msgs/msg/Header"](stamp=stamp, frame_id="camera")
    events = bytearray()
    for k in range(EVENTS):
        x, y = 290 + k, 230 + i
        word = (k * 1000) & 0xFFFFFFFF | (x & 0xFFFF) << 32 | (y & 0x7FFF) << 48 | (k & 1) << 63
        events += word.to_bytes(8, "little")
    publisher.publish(header=header, height=480, width=640, seq=i, time_base=1_000_000_000 + i * 1_000_000,
                      encoding="mono", is_bigendian=False, events=numpy.frombuffer(bytes(events), numpy.uint8))


def bad(publisher):
    """Six that are no event packets, or not as rmw_zenoh_cpp sends them."""
    put = publisher.session_mgr.session
    attachment = Attachment(1, time.time_ns(), bytes(range(16))).to_bytes()
    other = struct.pack("<HHI", 0x0100, 0, 7)
    put.put(publisher.keyexpr, other)
    put.put(publisher.keyexpr, other, attachment=b"short")
    put.put(publisher.keyexpr, other, attachment=Attachment(1, time.time_ns(), bytes(15)).to_bytes() + b"\0")
    put.put(publisher.keyexpr, b"", attachment=attachment)
    put.put(publisher.keyexpr, other, attachment=attachment)
    put.delete(publisher.keyexpr, attachment=attachment)
    return 6


def drive(session, domain, name):
    node = until("the node", lambda: [t for t in tokens(session, domain) if t.endswith(f"/{name}")], pace=0.2)
    own = until("its endpoints", lambda: [t for t in tokens(session, domain) if f"/{name}/%" in t], pace=0.2)
    assert get_registry().load_message_type("event_camera_msgs/msg/EventPacket")
    spikes = Heard(f"/{name}_spikes", "saccade_msgs/msg/Spikes", domain)
    diagnostics = Heard("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray", domain)
    events = ROS2Publisher("/camera/events", "event_camera_msgs/msg/EventPacket",
                           msg_definition=definition("event_camera_msgs/msg/EventPacket"), domain_id=domain)

    def heard():
        packet(events, 0)
        return spikes.messages

    until("first spikes", heard, pace=0.1)
    for i in range(1, PACKETS + 1):
        before = len(spikes.messages)
        packet(events, i)
        until("spikes", lambda: len(spikes.messages) > before)
    sent = bad(events)

    def counters():
        said = [m.status[0].values for m in diagnostics.messages]
        said = {v.key: v.value for v in said[-1]} if said else {}
        return said if int(said.get("refused events", 0)) >= sent else None

    said = until("that they are refused", counters, pace=0.1)
    # Who comes late is given what was logged.
    log = Heard("/rosout", "rcl_interfaces/msg/Log", domain, LATCHED)
    until("its log", log.come, pace=0.2)
    kinds = [t.split("/")[5] for t in own]
    print(json.dumps({
        "token": node[0], "kinds": {kind: kinds.count(kind) for kind in set(kinds)},
        "spikes": sum(len(m.ids) for m in spikes.messages), "sequences": [m.seq for m in spikes.messages],
        "sent": sent, "counters": said, "log": [[m.level, m.name, m.msg] for m in log.messages],
    }))


def text_parameter(store, name, text):
    value = store.types["rcl_interfaces/msg/ParameterValue"](
        type=4, bool_value=False, integer_value=0, double_value=0.0, string_value=text,
        byte_array_value=numpy.empty(0, numpy.uint8), bool_array_value=numpy.empty(0, bool),
        integer_array_value=numpy.empty(0, numpy.int64), double_array_value=numpy.empty(0), string_array_value=[])
    return store.types["rcl_interfaces/msg/Parameter"](name=name, value=value)


def ask(session, domain, node):
    services = [f"%{node.strip('/').replace('/', '%')}%{name}_parameters/" for name in ("get", "set")]
    until("its services", lambda: all(any(s in t for t in tokens(session, domain)) for s in services), pace=0.2)

    def client(service):
        kind = "".join(part.capitalize() for part in service.split("_"))
        return ROS2ServiceClient(f"{node}/{service}", f"rcl_interfaces/srv/{kind}", domain_id=domain)

    get, set_ = client("get_parameters"), client("set_parameters")
    # The first of a new client may come before the route to the server is known.
    before = until("an answer", lambda: get.call(names=["filters", "out"]))
    parameters = [text_parameter(session.store, name, text) for name, text in
                  (("filters", "flip_x"), ("filters", "nonsense"), ("out", "8"))]
    results = set_.call(parameters=parameters).results
    after = get.call(names=["filters"]).values
    answers = [len(get.call(names=["out"]).values) for _ in range(50)]
    print(json.dumps({
        "before": [[v.type, v.string_value, v.integer_value] for v in before.values],
        "set": [[bool(r.successful), r.reason] for r in results],
        "after": [v.string_value for v in after], "answers": sum(answers),
    }))


def watch(session, domain, topic):
    lock = threading.Lock()

    def say(what, which):
        with lock:
            try:
                print(json.dumps([what, str(which)]), flush=True)
            except BrokenPipeError:  # Nobody is interested any more.
                os._exit(0)

    def token(sample):
        say("here" if sample.kind == zenoh.SampleKind.PUT else "gone", sample.key_expr)

    kept = [
        session.liveliness.declare_subscriber(f"@ros2_lv/{domain}/**", token, history=True),
        session.session.declare_subscriber(f"{domain}{topic}/**", lambda sample: say("heard", sample.key_expr)),
    ]
    say("ready", topic)
    while kept:
        time.sleep(1)


def router(port):
    config = zenoh.Config()
    for key, value in (("mode", "router"), ("listen/endpoints", [f"tcp/127.0.0.1:{port}"]),
                       ("scouting/multicast/enabled", False)):
        config.insert_json5(key, json.dumps(value))
    session = zenoh.open(config)
    print(json.dumps(["router", str(session.info.zid())]), flush=True)
    while session:
        time.sleep(1)


def main(command, port, *rest):
    if command == "router":
        return router(port)
    domain, *rest = rest
    with tempfile.TemporaryDirectory() as folder:
        session = ZenohSession.get_instance("127.0.0.1", int(port))
        definitions(folder)
        {"graph": graph, "drive": drive, "ask": ask, "watch": watch}[command](session, int(domain), *rest)
        session.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
