"""A foreign DDS that reads every topic of a running graph.

usage: cyclonedds_graph.py DOMAIN TOPICS

TOPICS is a JSON file, [{"name", "type", "definition", "reliable", "latched"}, ...]: as the nodes
declare them, with the types' definitions as recordings have them (ros2msg). Waits until a
message has come on each, and prints one JSON document: the counts, and what is wrong with
the topics that nobody publishes or of which no message can be read.
"""

import json
import re
import sys
import time
import types
from dataclasses import dataclass

from cyclonedds_ros import RELIABLE, ros

from cyclonedds.core import Policy, Qos
from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.annotations import final
from cyclonedds.idl.types import (
    array, float32, float64, int8, int16, int32, int64, sequence, uint8, uint16, uint32, uint64,
)
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic

PRIMITIVES = {
    "bool": bool, "byte": uint8, "char": uint8, "string": str, "float32": float32, "float64": float64, "int8": int8,
    "int16": int16, "int32": int32, "int64": int64, "uint8": uint8, "uint16": uint16, "uint32": uint32, "uint64": uint64,
}
FIELD = re.compile(r"([\w/]+)(?:<=\d+)?(\[[<=\d]*\])?\s+(\w+)(\s*=.*)?")
PATIENCE_S = 60


def sections(definition, type_name):
    """The lines of each type in a definition, by its name `package/Name`."""
    found, name = {}, short(type_name)
    for line in definition.splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("MSG:"):
            name = short(line[4:].strip())
        elif line and not line.startswith("==="):
            found.setdefault(name, []).append(line)
    return found


def short(name):
    return name.replace("/msg/", "/")


def made(name, texts, known):
    """The type of a name, from the texts of all that it is made of."""
    if name not in known:
        package, own = name.split("/")
        fields = {}
        for line in texts.get(name, []):
            of, several, field, constant = FIELD.match(line).groups()
            if constant:
                continue
            if of in PRIMITIVES:
                kind = PRIMITIVES[of]
            else:
                kind = made(short(of if "/" in of else f"{package}/{of}"), texts, known)
            length = re.sub(r"\D", "", several or "")
            if several and length and "<" not in several:
                kind = array[kind, int(length)]
            elif several:
                kind = sequence[kind]
            fields[field] = kind
        body = {"__annotations__": fields or {"structure_needs_at_least_one_member": uint8}, "__module__": __name__}
        typename = {"typename": ros(f"{package}/msg/{own}")}
        made_type = types.new_class(own, (IdlStruct,), typename, lambda space: space.update(body))
        known[name] = final(dataclass(made_type))
    return known[name]


def main(domain, path):
    participant = DomainParticipant(domain)
    readers, counts, wrong = {}, {}, {}
    for topic in json.load(open(path)):
        kind = made(short(topic["type"]), sections(topic["definition"], topic["type"]), {})
        durability = Policy.Durability.TransientLocal if topic["latched"] else Policy.Durability.Volatile
        reliability = RELIABLE if topic["reliable"] else Policy.Reliability.BestEffort
        qos = Qos(reliability, durability, Policy.History.KeepLast(100))
        readers[topic["name"]] = DataReader(participant, Topic(participant, f"rt{topic['name']}", kind), qos=qos)
        counts[topic["name"]] = 0
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end and not all(counts.values()):
        for name, reader in readers.items():
            try:
                counts[name] += len(reader.take(N=100))
            except Exception as error:  # Whatever it is: it could not be read.
                wrong[name] = str(error)
        time.sleep(0.01)
    for name, reader in readers.items():
        if not counts[name]:
            published = len(reader.get_matched_publications())
            wrong.setdefault(name, f"no message, {published} publishers")
    print(json.dumps({"counts": counts, "wrong": wrong}))


main(int(sys.argv[1]), sys.argv[2])
