"""A foreign DDS that drives a running node of ours.

usage: cyclonedds_node.py drive DOMAIN NODE

drive: waits for dvs_ingest under the name NODE, publishes 20 event packets on
/camera/events, then one that is none, and waits until it is counted on /diagnostics.
Prints one JSON document: the node's endpoints, what it published on /NODE_spikes and
told on /rosout to who came late, and its last counters.
"""

import json
import sys

from cyclonedds_ros import (
    BEST_EFFORT, LATCHED, ROS, DiagnosticArray, EventPacket, Header, Log, ParticipantEntitiesInfo,
    Spikes, Time, TornPacket, until,
)

from cyclonedds.domain import DomainParticipant
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic

PACKETS, EVENTS = 20, 50


def packet(i):
    """A `mono` packet of EVENTS events, one a microsecond: as event_camera_codecs has it."""
    events = bytearray()
    for k in range(EVENTS):
        x, y = 290 + k, 230 + i
        word = (k * 1000) & 0xFFFFFFFF | (x & 0xFFFF) << 32 | (y & 0x7FFF) << 48 | (k & 1) << 63
        events += word.to_bytes(8, "little")
    return EventPacket(
        Header(Time(1700000000, i * 1_000_000), "camera"), 480, 640, i, 1_000_000_000 + i * 1_000_000,
        "mono", False, list(events),
    )


def announced(reader, name):
    infos = [node for info in reader.read(N=100) for node in info.node_entities_info_seq]
    found = [n for n in infos if n.node_name == name and n.writer_gid_seq and n.reader_gid_seq]
    return found[-1] if found else None


def counters(reader):
    """The counters of the last message on /diagnostics, if there is one."""
    taken = reader.take(N=100)
    return {v.key: v.value for v in taken[-1].status[0].values} if taken else None


def drive(domain, name):
    participant = DomainParticipant(domain)
    reader = DataReader(participant, Topic(participant, "ros_discovery_info", ParticipantEntitiesInfo), qos=LATCHED)
    node = until("the node", lambda: announced(reader, name))
    spikes = DataReader(participant, Topic(participant, f"rt/{name}_spikes", Spikes), qos=BEST_EFFORT)
    diagnostics = DataReader(participant, Topic(participant, "rt/diagnostics", DiagnosticArray), qos=ROS)
    events = DataWriter(participant, Topic(participant, "rt/camera/events", EventPacket), qos=ROS)
    for endpoint in (events.get_matched_subscriptions, spikes.get_matched_publications):
        until("its endpoints", endpoint)

    def heard():
        # Best effort: who is not yet known to the other is not heard.
        events.write(packet(0))
        return spikes.take(N=100)

    until("first spikes", heard, pace=0.05)
    got = []
    for i in range(1, PACKETS + 1):
        events.write(packet(i))
        got += until("spikes", lambda: spikes.take(N=100))
    # The same type name, other bytes.
    other = DomainParticipant(domain)
    torn = DataWriter(other, Topic(other, "rt/camera/events", TornPacket), qos=ROS)
    until("its subscriber", torn.get_matched_subscriptions)

    def refused():
        # Best effort: until it knows the publisher it does not listen.
        torn.write(TornPacket(7))
        found = counters(diagnostics)
        return found if found and found.get("refused events") else None

    found = until("that it is refused", refused)
    rosout = DataReader(participant, Topic(participant, "rt/rosout", Log), qos=LATCHED)
    log = until("its log", lambda: rosout.take(N=100))
    print(json.dumps({
        "namespace": node.node_namespace,
        "readers": len(node.reader_gid_seq), "writers": len(node.writer_gid_seq),
        "spikes": sum(len(s.ids) for s in got), "sequences": [s.seq for s in got],
        "counters": found, "log": [[line.level, line.name, line.msg] for line in log],
    }))


{"drive": drive}[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])
