"""Reads bags with PyPI rosbags, and writes some for us to read.

usage: peer.py read BAG...     one JSON line per message of each bag
       peer.py write FOLDER    theirs_{none,bz2,lz4}.bag, theirs_sqlite/, theirs_mcap/
"""

import json
import sys
from pathlib import Path

import numpy as np
from rosbags.highlevel import AnyReader
from rosbags.rosbag1 import Writer as Writer1
from rosbags.rosbag2 import StoragePlugin
from rosbags.rosbag2 import Writer as Writer2
from rosbags.typesys import Stores, get_types_from_msg, get_typestore

DEFINITION = """std_msgs/Header header
uint32 height
uint32 width
uint64 seq
uint64 time_base
string encoding
bool is_bigendian
uint8[] events
"""
NAME = "event_camera_msgs/msg/EventPacket"
TOPIC = "/events"
PACKETS = 500


def read(paths):
    for path in paths:
        with AnyReader([Path(path)]) as reader:
            for connection, stamp_ns, raw in reader.messages():
                packet = reader.deserialize(raw, connection.msgtype)
                line = {
                    "bag": path,
                    "topic": connection.topic,
                    "type": connection.msgtype,
                    "stamp_ns": stamp_ns,
                    "frame_id": packet.header.frame_id,
                    "seq": int(packet.seq),
                    "encoding": packet.encoding,
                    "events": bytes(packet.events).hex(),
                }
                print(json.dumps(line))


def packet_of(store, seq):
    header = {"stamp": store.types["builtin_interfaces/msg/Time"](seq, 5), "frame_id": "cam"}
    fields = store.types["std_msgs/msg/Header"].__dataclass_fields__
    if "seq" in fields:
        header["seq"] = seq
    return store.types[NAME](
        header=store.types["std_msgs/msg/Header"](**header),
        height=3,
        width=4,
        seq=seq,
        time_base=1000 * seq,
        encoding="mono",
        is_bigendian=False,
        events=np.arange(seq % 7 * 8, dtype=np.uint8),
    )


def write(folder):
    folder = Path(folder)
    store = get_typestore(Stores.ROS1_NOETIC)
    store.register(get_types_from_msg(DEFINITION, NAME))
    for compression in (None, Writer1.CompressionFormat.BZ2, Writer1.CompressionFormat.LZ4):
        name = compression.name.lower() if compression else "none"
        writer = Writer1(folder / f"theirs_{name}.bag")
        if compression:
            writer.set_compression(compression)
        with writer:
            connection = writer.add_connection(TOPIC, NAME, typestore=store)
            for seq in range(PACKETS):
                data = store.serialize_ros1(packet_of(store, seq), NAME)
                writer.write(connection, seq * 1_000_000, data)
    store = get_typestore(Stores.ROS2_HUMBLE)
    store.register(get_types_from_msg(DEFINITION, NAME))
    for name, plugin in (("sqlite", StoragePlugin.SQLITE3), ("mcap", StoragePlugin.MCAP)):
        with Writer2(folder / f"theirs_{name}", version=9, storage_plugin=plugin) as writer:
            connection = writer.add_connection(TOPIC, NAME, typestore=store)
            for seq in range(PACKETS):
                data = store.serialize_cdr(packet_of(store, seq), NAME)
                writer.write(connection, seq * 1_000_000, data)


if __name__ == "__main__":
    if sys.argv[1] == "read":
        read(sys.argv[2:])
    else:
        write(sys.argv[2])
