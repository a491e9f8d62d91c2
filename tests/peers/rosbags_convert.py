"""Bags of every form, written and read by PyPI rosbags.

usage: rosbags_convert.py write FOLDER     {none,bz2,lz4}.bag and rosbag2 directories
       rosbags_convert.py read BAG...

Both print one JSON line per bag: its path, and per topic the type, the number of
messages, the MD5 of their bytes, the MD5 of their log times and values (but for
header.seq, which only ROS 1 has), and the QoS profiles. `read` deserialises by the
definitions in the bag; rosbags itself holds these against the bag's md5 sums and
type hashes.
"""

import dataclasses
import hashlib
import json
import random
import sys
from pathlib import Path

import numpy as np
from rosbags.highlevel import AnyReader
from rosbags.interfaces import (
    Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime,
)
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.base import Nodetype

INNER = """# What a thing is made of
bool flag
char letter
byte raw
int8[3] small
string[] words
float32[2] pair
builtin_interfaces/Time[] times
"""
THING = """std_msgs/Header header
int64 BIG=-7  # a constant
string NAME="plain"
demo_msgs/Inner one
demo_msgs/Inner[] some
demo_msgs/Inner[2] two
std_msgs/Empty nothing
uint8 tail
float64[] numbers
builtin_interfaces/Duration wait
string text
uint16 last
"""
TYPES = {"demo_msgs/msg/Inner": INNER, "demo_msgs/msg/Thing": THING}
TOPICS = {"/things": "demo_msgs/msg/Thing", "/imu": "sensor_msgs/msg/Imu", "/map_frame": "std_msgs/msg/String",
          "/silent": "std_msgs/msg/Header"}
MESSAGES = 120
NONE = QosTime(9223372036, 854775807)


def qos(depth, reliability, durability):
    return Qos(QosHistory.KEEP_LAST, depth, reliability, durability, NONE, NONE, QosLiveliness.AUTOMATIC, NONE, False)


PROFILES = {
    "/things": [qos(10, QosReliability.RELIABLE, QosDurability.VOLATILE),
                qos(5, QosReliability.BEST_EFFORT, QosDurability.VOLATILE)],
    "/map_frame": [qos(1, QosReliability.RELIABLE, QosDurability.TRANSIENT_LOCAL)],
}


def store_of(stores):
    store = get_typestore(stores)
    for name, text in TYPES.items():
        store.register(get_types_from_msg(text, name))
    return store


def fields_of(name, store):
    return [f for f in store.fielddefs[name][1] if f[0] != "structure_needs_at_least_one_member"]


def random_number(name, rng):
    if name == "bool":
        return bool(rng.randrange(2))
    if name.startswith("float"):
        return float(np.float32(rng.uniform(-1e6, 1e6)))
    bits = int(name.lstrip("uint") or 8)
    low = 0 if name.startswith("u") else -(1 << bits - 1)
    return rng.randrange(low, low + (1 << bits))


def random_value(node, arg, store, rng, deep=0):
    if node == Nodetype.BASE:
        if arg[0] == "string":
            return "".join(rng.choice("aé✓ #\"") for _ in range(rng.randrange(9)))
        if arg[0] in ("byte", "octet"):
            return rng.randrange(128)  # signed in ROS 1, unsigned in ROS 2
        return random_number({"char": "uint8"}.get(arg[0], arg[0]), rng)
    if node == Nodetype.NAME:
        return random_message(arg, store, rng)
    (inner, inner_arg), count = arg
    count = count if node == Nodetype.ARRAY else rng.randrange(4)
    values = [random_value(inner, inner_arg, store, rng) for _ in range(count)]
    if inner == Nodetype.BASE and inner_arg[0] != "string":
        kind = {"byte": "uint8", "octet": "uint8", "char": "uint8"}.get(inner_arg[0], inner_arg[0])
        return np.array(values, dtype=np.dtype(kind))
    return values


def random_message(name, store, rng):
    """The same for the same state of `rng` whatever the store: seq is 0."""
    if name.startswith("builtin_interfaces"):
        return store.types[name](rng.randrange(1 << 31), rng.randrange(10**9))
    values = {}
    for field, (node, arg) in fields_of(name, store):
        if name == "std_msgs/msg/Header" and field == "seq":
            values[field] = 0
        else:
            values[field] = random_value(node, arg, store, rng)
    kind = store.types[name]
    extra = {f.name: 0 for f in dataclasses.fields(kind)
             if f.name == "structure_needs_at_least_one_member"}
    return kind(**values, **extra)


def plain(value):
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "__msgtype__"):
        skip = {"structure_needs_at_least_one_member", "__msgtype__"}
        if value.__msgtype__ == "std_msgs/msg/Header":
            skip.add("seq")
        return [plain(getattr(value, f.name)) for f in dataclasses.fields(value) if f.name not in skip]
    return value


class Tally:
    def __init__(self):
        self.topics = {}

    def topic(self, connection, profiles):
        entry = self.topics.setdefault(connection.topic, [connection.msgtype, 0, hashlib.md5(), hashlib.md5(), []])
        entry[4] = [[q.history.value, q.depth, q.reliability.value, q.durability.value] for q in profiles]
        return entry

    def message(self, entry, stamp, raw, message):
        entry[1] += 1
        entry[2].update(bytes(raw))
        entry[3].update(json.dumps([stamp, plain(message)]).encode())

    def line(self, path):
        topics = {t: {"type": k, "messages": n, "bytes": b.hexdigest(), "values": v.hexdigest(), "qos": q}
                  for t, (k, n, b, v, q) in self.topics.items()}
        print(json.dumps({"path": str(path), "topics": topics}))


def fill(path, writer, store, ros1):
    tally = Tally()
    rng = random.Random(5)
    with writer:
        connections = {}
        for topic, kind in TOPICS.items():
            profiles = PROFILES.get(topic, [])
            if ros1:
                latching = 1 if topic == "/map_frame" else None
                connection = writer.add_connection(topic, kind, typestore=store, latching=latching)
            else:
                connection = writer.add_connection(topic, kind, typestore=store, offered_qos_profiles=profiles)
            connections[topic] = (connection, tally.topic(connection, profiles))
        for i in range(MESSAGES):
            topic = list(TOPICS)[i % 3]
            connection, entry = connections[topic]
            message = random_message(TOPICS[topic], store, rng)
            serialize = store.serialize_ros1 if ros1 else store.serialize_cdr
            raw = serialize(message, TOPICS[topic])
            stamp = 1_700_000_000_000_000_000 + i * 7_000_001
            writer.write(connection, stamp, raw)
            tally.message(entry, stamp, raw, message)
    tally.line(path)


def write(folder):
    store = store_of(Stores.ROS1_NOETIC)
    for compression in (None, Writer1.CompressionFormat.BZ2, Writer1.CompressionFormat.LZ4):
        path = folder / f"{compression.name.lower() if compression else 'none'}.bag"
        writer = Writer1(path)
        if compression:
            writer.set_compression(compression)
        fill(path, writer, store, True)
    store = store_of(Stores.ROS2_HUMBLE)
    for version in (8, 9):
        for plugin in StoragePlugin:
            for mode in CompressionMode:
                sqlite = plugin == StoragePlugin.SQLITE3
                if mode == (CompressionMode.STORAGE if sqlite else CompressionMode.MESSAGE):
                    continue
                path = folder / f"{plugin.name}_{version}_{mode.name}".lower()
                writer = Writer2(path, version=version, storage_plugin=plugin)
                if mode != CompressionMode.NONE:
                    writer.set_compression(mode, CompressionFormat.ZSTD)
                fill(path, writer, store, False)


def read(path):
    tally = Tally()
    with AnyReader([path]) as reader:
        entries = {}
        for connection in reader.connections:
            profiles = getattr(connection.ext, "offered_qos_profiles", [])
            if getattr(connection.ext, "latching", None):
                profiles = PROFILES["/map_frame"]
            entries[connection.topic] = tally.topic(connection, profiles)
        for connection, stamp, raw in reader.messages():
            message = reader.deserialize(raw, connection.msgtype)
            tally.message(entries[connection.topic], stamp, raw, message)
    tally.line(path)


if sys.argv[1] == "write":
    write(Path(sys.argv[2]))
else:
    for bag in sys.argv[2:]:
        read(Path(bag))
