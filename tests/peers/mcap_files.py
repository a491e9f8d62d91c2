"""MCAP files, written and read by PyPI mcap: what rosbags does not tell.

usage: mcap_files.py write FOLDER     {none,lz4,zstd,unchunked}.mcap
       mcap_files.py read FILE...

Both print one JSON line per file: its path, per message [topic, sequence, log
time, publish time, MD5 of its bytes], and per topic [schema name, encoding, MD5 of
the definition, QoS].
"""

import hashlib
import json
import sys
from pathlib import Path

from mcap.reader import make_reader
from mcap.writer import CompressionType, Writer

DEFINITION = b"string data\n"
QOS = "- history: 1\n  depth: 7"


def md5(data):
    return hashlib.md5(data).hexdigest()


def write_one(path, **options):
    messages, topics = [], {}
    writer = Writer(str(path), chunk_size=2000, **options)
    writer.start(profile="ros2", library="peer")
    channels = {}
    for topic in ("/a", "/b"):
        schema = writer.register_schema("std_msgs/msg/String", "ros2msg", DEFINITION)
        channels[topic] = writer.register_channel(topic, "cdr", schema, {"offered_qos_profiles": QOS})
        topics[topic] = ["std_msgs/msg/String", "ros2msg", md5(DEFINITION), QOS]
    for i in range(300):
        topic = "/b" if i % 2 else "/a"
        data = b"\0\1\0\0" + (4).to_bytes(4, "little") + b"%03d\0" % i
        log, publish, sequence = 10**18 + (i ^ 3) * 1000, 10**18 + i * 999, i * 3 % 70
        writer.add_message(channels[topic], log, data, publish, sequence)
        messages.append([topic, sequence, log, publish, md5(data)])
    writer.add_attachment(1, 1, "a.txt", "text/plain", b"attached")
    writer.add_metadata("some", {"key": "value"})
    writer.finish()
    print(json.dumps({"path": str(path), "messages": messages, "topics": topics}))


def read(path):
    messages, topics = [], {}
    with open(path, "rb") as file:
        reader = make_reader(file)
        summary = reader.get_summary()
        for channel in summary.channels.values():
            schema = summary.schemas[channel.schema_id]
            qos = channel.metadata.get("offered_qos_profiles", "")
            topics[channel.topic] = [schema.name, schema.encoding, md5(schema.data), qos]
        for _, channel, message in reader.iter_messages(log_time_order=False):
            messages.append([channel.topic, message.sequence, message.log_time, message.publish_time, md5(message.data)])
        if summary.statistics.message_count != len(messages):
            sys.exit(f"{path}: statistics say {summary.statistics.message_count}, there are {len(messages)}")
        ordered = [m.log_time for _, _, m in reader.iter_messages()]
        if ordered != sorted(m[2] for m in messages):
            sys.exit(f"{path}: its index gives {len(ordered)} messages in another order")
    print(json.dumps({"path": str(path), "messages": messages, "topics": topics}))


if sys.argv[1] == "write":
    folder = Path(sys.argv[2])
    for compression in CompressionType:
        write_one(folder / f"{compression.name.lower()}.mcap", compression=compression)
    write_one(folder / "unchunked.mcap", use_chunking=False)
else:
    for name in sys.argv[2:]:
        read(name)
