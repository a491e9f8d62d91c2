"""A foreign DDS on the topics that saccade plays and records.

usage: cyclonedds_live.py receive DOMAIN COUNT
       cyclonedds_live.py send DOMAIN COUNT
       cyclonedds_live.py nodes DOMAIN NAME

receive: waits for COUNT event packets on /event_camera/events; prints one JSON
line for each: its fields, with the MD5 of its events and of its CDR bytes after the header.

send: waits for subscribers to /chatter (std_msgs/String, reliable) and /events
(event_camera_msgs/EventPacket, best effort), publishes COUNT messages on each,
waits until /chatter's are acknowledged, and prints one JSON line for each:
topic and CDR bytes (hex).

nodes: waits until a node called NAME is announced on ros_discovery_info, and
prints the names of the topics that have readers or writers.
"""

import hashlib
import json
import sys
import time

from cyclonedds_ros import (
    LATCHED, RELIABLE, EventPacket, Header, ParticipantEntitiesInfo, String, Time, until,
)

from cyclonedds.builtin import BuiltinDataReader, BuiltinTopicDcpsPublication, BuiltinTopicDcpsSubscription
from cyclonedds.core import Policy, Qos
from cyclonedds.domain import DomainParticipant
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration

domain, rest = int(sys.argv[2]), sys.argv[3]


def md5(data):
    return hashlib.md5(bytes(data)).hexdigest()


def receive(participant, count):
    topic = Topic(participant, "rt/event_camera/events", EventPacket)
    reader = DataReader(participant, topic, qos=LATCHED)
    got = 0
    while got < count:
        for packet in until(f"packet {got} of {count}", lambda: reader.take(N=100)):
            got += 1
            header = packet.header
            print(json.dumps({
                "stamp": [header.stamp.sec, header.stamp.nanosec], "frame_id": header.frame_id,
                "height": packet.height, "width": packet.width, "seq": packet.seq,
                "time_base": packet.time_base, "encoding": packet.encoding,
                "is_bigendian": packet.is_bigendian, "length": len(packet.events),
                "events": md5(packet.events), "body": md5(packet.serialize()[4:]),
            }))


def packet(i):
    return EventPacket(
        Header(Time(1700000000 + i, i), "camera"), 480, 640, i, 5_000_000, "mono", False,
        [(i * 7 + k) % 256 for k in range(8 * (i % 50))],
    )


def send(participant, count):
    best_effort = Qos(Policy.Reliability.BestEffort, Policy.History.KeepLast(1000))
    reliable = Qos(RELIABLE, Policy.History.KeepAll)
    chatter = DataWriter(participant, Topic(participant, "rt/chatter", String), qos=reliable)
    events = DataWriter(participant, Topic(participant, "rt/events", EventPacket), qos=best_effort)
    for writer in (chatter, events):
        until("subscribers", lambda: writer.get_matched_subscriptions())
    # They know of the writers a little later; until then best effort is lost, and nobody's fault.
    time.sleep(1)
    for i in range(count):
        for topic, writer, message in (
            ("/chatter", chatter, String("x" * (i % 9) + f" {i} \u00e4")), ("/events", events, packet(i)),
        ):
            writer.write(message)
            print(json.dumps({"topic": topic, "cdr": bytes(message.serialize()).hex()}))
    until("acknowledgements", lambda: chatter.wait_for_acks(duration(seconds=1)))
    # rustdds loses what it has acknowledged and not yet handed over when the writer leaves.
    time.sleep(1)


def nodes(participant, name):
    topic = Topic(participant, "ros_discovery_info", ParticipantEntitiesInfo)
    reader = DataReader(participant, topic, qos=LATCHED)
    endpoints = [
        BuiltinDataReader(participant, kind)
        for kind in (BuiltinTopicDcpsPublication, BuiltinTopicDcpsSubscription)
    ]

    def announced():
        infos = [node for info in reader.read(N=100) for node in info.node_entities_info_seq]
        return [n for n in infos if n.node_name == name and n.writer_gid_seq]

    node = until(f"node {name}", announced)[-1]
    gids = {bytes(gid.data) for gid in node.writer_gid_seq}

    def seen():
        found = [e for r in endpoints for e in r.read(N=1000) if e.key.bytes in gids]
        return found if len(found) == len(gids) else None

    topics = sorted((e.topic_name, e.type_name) for e in until("its endpoints", seen))
    print(json.dumps({"namespace": node.node_namespace, "topics": topics}))


participant = DomainParticipant(domain)
{"receive": lambda: receive(participant, int(rest)), "send": lambda: send(participant, int(rest)),
 "nodes": lambda: nodes(participant, rest)}[sys.argv[1]]()
