"""Holds our message types against PyPI rosbags.

usage: rosbags_messages.py OURS THEIRS

OURS: one JSON document per line, of what Rust wrote:
  type, definition, cdr (hex), json (field values), and where ROS 1 has the
  type: ros1_definition, ros1_md5, ros1 (hex).
Every field must read as written, and rosbags must write the same bytes.

THEIRS is written: random values of every type by rosbags, one document per
line: type, json, little and big endian cdr (hex), and ros1 (hex).
"""

import functools
import json
import random
import sys

import numpy as np
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.base import Nodetype

RANDOM_VALUES = 8
DUMMY = "structure_needs_at_least_one_member"


def name_here(type_name):
    """rosbags knows `package/msg/Name` only, not services and actions."""
    package, _, name = type_name.split("/")
    return f"{package}/msg/{name}"


@functools.cache
def store_of(definition, name):
    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg(definition, name))
    return store


def plain(value, store):
    """A value made here as JSON has it."""
    if isinstance(value, (list, np.ndarray)):
        return [plain(v, store) for v in value]
    if isinstance(value, np.float32):
        return float(str(value))  # shortest digits, as Rust prints them
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "__msgtype__"):
        fields, _ = split_fields(value.__msgtype__, store)
        return {field: plain(getattr(value, field), store) for field, _ in fields}
    return value


def check(condition, text):
    if not condition:
        sys.exit(f"rosbags disagrees: {text}")


def split_fields(name, store):
    """(fields, names of what a message holds on the wire beyond them)."""
    fields = store.fielddefs[name][1]
    header = name == "std_msgs/msg/Header"
    hidden = [field for field, _ in fields if field == DUMMY or (header and field == "seq")]
    return [(field, kind) for field, kind in fields if field not in hidden], hidden


def check_message(name, ours, theirs, store, path):
    """The JSON values `ours` against the message that rosbags read."""
    fields, hidden = split_fields(name, store)
    for field in hidden:
        check(getattr(theirs, field) == 0, f"{path}.{field} is not 0")
    check(list(ours) == [field for field, _ in fields], f"{path}: fields {list(ours)} != {fields}")
    for field, kind in fields:
        check_value(kind, ours[field], getattr(theirs, field), store, f"{path}.{field}")


def check_value(kind, ours, theirs, store, path):
    nodetype, arg = kind
    if nodetype == Nodetype.NAME:
        check_message(arg, ours, theirs, store, path)
    elif nodetype == Nodetype.BASE:
        if arg[0] == "float32":
            same = np.float32(ours) == np.float32(theirs)
        elif arg[0] == "byte":
            same = ours == int(theirs) % 256  # rosidl: unsigned; rosbags: signed
        else:
            same = ours == theirs
        check(same, f"{path}: {ours!r} != {theirs!r}")
    else:
        check(len(ours) == len(theirs), f"{path}: {ours} != {theirs}")
        for i, (our, their) in enumerate(zip(ours, theirs)):
            check_value(arg[0], our, their, store, f"{path}[{i}]")


def check_against_public(name, store, public):
    """Field names, types and constants as ROS itself has them."""
    if name in public.fielddefs:
        ours, theirs = store.fielddefs[name], public.fielddefs[name]
        check(ours[1] == theirs[1], f"{name}: fields {ours[1]} != {theirs[1]}")
        check(sorted(ours[0]) == sorted(theirs[0]), f"{name}: constants {ours[0]} != {theirs[0]}")
        return True
    return False


def random_value(kind, store, rng):
    nodetype, arg = kind
    if nodetype == Nodetype.NAME:
        return random_message(arg, store, rng)
    if nodetype == Nodetype.BASE:
        return random_base(arg[0], rng)
    element, count = arg
    if nodetype == Nodetype.SEQUENCE:
        # A bound, where there is one.
        count = rng.randrange(count + 1 if count else 4)
    values = [random_value(element, store, rng) for _ in range(count)]
    if element[0] == Nodetype.BASE and element[1][0] != "string":
        name = element[1][0]
        return np.array(values, dtype={"bool": np.bool_}.get(name, name))
    return values


def random_base(name, rng):
    if name == "string":
        return "".join(rng.choice('aZ0 "\\\t\u00e9\u4e2d\U0001f916') for _ in range(rng.randrange(8)))
    if name == "bool":
        return rng.random() < 0.5
    if name == "float32":
        return float(str(np.float32(rng.gauss(0, 1) * 10 ** rng.uniform(-30, 30))))
    if name == "float64":
        return rng.gauss(0, 1) * 10 ** rng.uniform(-300, 300)
    if name == "byte":
        return rng.randrange(128)  # where signed and unsigned agree
    bits = int(name.lstrip("uint"))
    low = 0 if name.startswith("u") else -(2 ** (bits - 1))
    return rng.choice([low, low + 2**bits - 1, rng.randrange(low, low + 2**bits)])


def random_message(name, store, rng):
    fields, hidden = split_fields(name, store)
    values = {field: random_value(kind, store, rng) for field, kind in fields}
    return store.types[name](**values, **dict.fromkeys(hidden, 0))


def main(ours_path, theirs_path):
    humble, noetic = get_typestore(Stores.ROS2_HUMBLE), get_typestore(Stores.ROS1_NOETIC)
    rng = random.Random(5)
    seen, as_public, ros1_seen, ros1_as_public = set(), set(), set(), set()
    with open(ours_path, encoding="utf-8") as ours, open(theirs_path, "w", encoding="utf-8") as theirs:
        for line in ours:
            doc = json.loads(line)
            name = name_here(doc["type"])
            store = store_of(doc["definition"], name)
            cdr = bytes.fromhex(doc["cdr"])
            message = store.deserialize_cdr(cdr, name)
            check_message(name, doc["json"], message, store, doc["type"])
            again = bytes(store.serialize_cdr(message, name))
            check(again == cdr, f"{doc['type']}: it writes {again.hex()}, we {cdr.hex()}")
            store1 = None
            if "ros1" in doc:
                store1 = store_of(doc["ros1_definition"], name)
                raw = bytes.fromhex(doc["ros1"])
                message = store1.deserialize_ros1(raw, name)
                check_message(name, doc["json"], message, store1, f"{doc['type']} in ROS 1")
                again = bytes(store1.serialize_ros1(message, name))
                check(again == raw, f"{doc['type']}: it writes ROS 1 {again.hex()}, we {raw.hex()}")
                md5 = store1.generate_msgdef(name, ros_version=1)[1]
                check(md5 == doc["ros1_md5"], f"{doc['type']}: md5 {md5}, ours {doc['ros1_md5']}")
            if doc["type"] in seen:
                continue
            seen.add(doc["type"])
            if "/msg/" in doc["type"] and check_against_public(name, store, humble):
                as_public.add(doc["type"])
            if store1 is not None:
                ros1_seen.add(doc["type"])
                if name in noetic.fielddefs:
                    md5 = noetic.generate_msgdef(name, ros_version=1)[1]
                    check(md5 == doc["ros1_md5"], f"{doc['type']}: ROS 1's md5 {md5}, ours {doc['ros1_md5']}")
                    ros1_as_public.add(doc["type"])
            for _ in range(RANDOM_VALUES):
                theirs.write(json.dumps(random_document(doc["type"], store, store1, rng)) + "\n")
    print(json.dumps({
        "types": len(seen), "as_in_humble": len(as_public),
        "ros1_types": len(ros1_seen), "as_in_noetic": len(ros1_as_public),
        "not_in_humble": sorted(seen - as_public), "not_in_noetic": sorted(ros1_seen - ros1_as_public),
    }))


def random_document(type_name, store, store1, rng):
    name = name_here(type_name)
    state = rng.getstate()
    message = random_message(name, store, rng)
    doc = {
        "type": type_name,
        "json": plain(message, store),
        "little": bytes(store.serialize_cdr(message, name)).hex(),
        "big": bytes(store.serialize_cdr(message, name, little_endian=False)).hex(),
    }
    if store1 is not None:
        rng.setstate(state)  # the same values again
        doc["ros1"] = bytes(store1.serialize_ros1(random_message(name, store1, rng), name)).hex()
    return doc


main(sys.argv[1], sys.argv[2])
