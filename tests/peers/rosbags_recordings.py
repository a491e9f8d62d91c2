"""Reads our recordings with PyPI rosbags, and makes bags of events for us.

usage: rosbags_recordings.py read BAG...
       rosbags_recordings.py write FOLDER

read: every message is deserialised by the definitions in the bag, and must
serialise again to the bytes it came from, but for padding. Prints one JSON line per bag: topic ->
[type, messages, MD5 of all their bytes without padding].

write: random events as packets of `mono` on /mono and `evt3` on /evt3, encoded
here from the formats' descriptions, into {none,bz2,lz4}.bag, sqlite/ and mcap/.
Prints the JSON of what a reader must find.
"""

import hashlib
import json
import random
import struct
import sys
from pathlib import Path

import numpy as np
from rosbags.highlevel import AnyReader
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

NAME = "event_camera_msgs/msg/EventPacket"
DEFINITION = """std_msgs/Header header
uint32 height
uint32 width
uint64 seq
uint64 time_base
string encoding
bool is_bigendian
uint8[] events
"""
WIDTH, HEIGHT = 320, 240
PACKETS, EVENTS = 40, 250


def read(path):
    topics = {}
    with AnyReader([Path(path)]) as reader:
        for connection, _, raw in reader.messages():
            raw = bytes(raw)
            kind, store = connection.msgtype, reader.typestore
            message = reader.deserialize(raw, kind)
            ros1 = Path(path).suffix == ".bag"
            serialize = store.serialize_ros1 if ros1 else store.serialize_cdr
            again = bytes(serialize(message, kind))
            # DDS pads messages to four bytes.
            if raw not in (again, again + b"\0", again + b"\0\0", again + b"\0\0\0"):
                sys.exit(f"{path}: {connection.topic}: rosbags writes {again.hex()}, we {raw.hex()}")
            entry = topics.setdefault(connection.topic, [kind, 0, hashlib.md5()])
            entry[1] += 1
            entry[2].update(again)
    return {topic: [kind, n, md5.hexdigest()] for topic, (kind, n, md5) in topics.items()}


def events_of(rng, packet):
    """(t in us, x, y, on) of one packet, in order of time."""
    times = sorted(rng.randrange(10_000) for _ in range(EVENTS))
    return [
        (5_000_000 + packet * 10_000 + t, rng.randrange(WIDTH), rng.randrange(HEIGHT), rng.randrange(2))
        for t in times
    ]


def mono(events):
    base = events[0][0] * 1000
    words = (on << 63 | y << 48 | x << 32 | (t * 1000 - base) for t, x, y, on in events)
    return base, b"".join(struct.pack("<Q", word) for word in words)


def evt3(events):
    words = []
    for t, x, y, on in events:
        words += [0x8 << 12 | t >> 12 & 0xFFF, 0x6 << 12 | t & 0xFFF, y, 0x2 << 12 | on << 11 | x]
    return 0, struct.pack(f"<{len(words)}H", *words)


def message(store, seq, encoding, encoded):
    base, data = encoded
    header = {"stamp": store.types["builtin_interfaces/msg/Time"](5 + seq // 100, seq), "frame_id": "camera"}
    if "seq" in store.types["std_msgs/msg/Header"].__dataclass_fields__:
        header["seq"] = seq
    return store.types[NAME](
        header=store.types["std_msgs/msg/Header"](**header), height=HEIGHT, width=WIDTH, seq=seq,
        time_base=base, encoding=encoding, is_bigendian=False, events=np.frombuffer(data, np.uint8),
    )


def fill(writer, store, serialize, packets):
    with writer:
        for encoding, encode in (("mono", mono), ("evt3", evt3)):
            connection = writer.add_connection(f"/{encoding}", NAME, typestore=store)
            for seq, events in enumerate(packets):
                data = serialize(message(store, seq, encoding, encode(events)), NAME)
                writer.write(connection, events[0][0] * 1000, data)


def write(folder):
    rng = random.Random(9)
    packets = [events_of(rng, packet) for packet in range(PACKETS)]
    store = get_typestore(Stores.ROS1_NOETIC)
    store.register(get_types_from_msg(DEFINITION, NAME))
    for compression in (None, Writer1.CompressionFormat.BZ2, Writer1.CompressionFormat.LZ4):
        writer = Writer1(folder / f"{compression.name.lower() if compression else 'none'}.bag")
        if compression:
            writer.set_compression(compression)
        fill(writer, store, store.serialize_ros1, packets)
    store = get_typestore(Stores.ROS2_HUMBLE)
    store.register(get_types_from_msg(DEFINITION, NAME))
    for name, plugin in (("sqlite", StoragePlugin.SQLITE3), ("mcap", StoragePlugin.MCAP)):
        writer = Writer2(folder / name, version=9, storage_plugin=plugin)
        fill(writer, store, store.serialize_cdr, packets)
    t, x, y, on = (sum(column) for column in zip(*(event for events in packets for event in events)))
    return {"packets": PACKETS, "events": PACKETS * EVENTS, "on": on, "sum_x": x, "sum_y": y, "sum_t_us": t}


if sys.argv[1] == "read":
    for bag in sys.argv[2:]:
        print(json.dumps(read(bag)))
else:
    print(json.dumps(write(Path(sys.argv[2]))))
