"""ROS 2's names, types and quality of service for PyPI cyclonedds, on loopback."""

import os
import sys
import time
from dataclasses import dataclass

# Loopback only, without multicast: what a test machine surely has.
os.environ["CYCLONEDDS_URI"] = """<CycloneDDS><Domain>
<General><AllowMulticast>false</AllowMulticast>
<Interfaces><NetworkInterface address="127.0.0.1"/></Interfaces></General>
<Discovery><ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>10</MaxAutoParticipantIndex>
<Peers><Peer address="127.0.0.1"/></Peers></Discovery></Domain></CycloneDDS>"""

from cyclonedds.core import Policy, Qos
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.annotations import final
from cyclonedds.idl.types import array, int32, sequence, uint8, uint32, uint64
from cyclonedds.util import duration

DEADLINE = time.monotonic() + 50


def ros(name):
    package, kind, name = name.split("/")
    return f"{package}::{kind}::dds_::{name}_"


@final
@dataclass
class Time(IdlStruct, typename=ros("builtin_interfaces/msg/Time")):
    sec: int32
    nanosec: uint32


@final
@dataclass
class Header(IdlStruct, typename=ros("std_msgs/msg/Header")):
    stamp: Time
    frame_id: str


@final
@dataclass
class EventPacket(IdlStruct, typename=ros("event_camera_msgs/msg/EventPacket")):
    header: Header
    height: uint32
    width: uint32
    seq: uint64
    time_base: uint64
    encoding: str
    is_bigendian: bool
    events: sequence[uint8]


@final
@dataclass
class String(IdlStruct, typename=ros("std_msgs/msg/String")):
    data: str


@final
@dataclass
class Gid(IdlStruct, typename=ros("rmw_dds_common/msg/Gid")):
    data: array[uint8, 16]


@final
@dataclass
class NodeEntitiesInfo(IdlStruct, typename=ros("rmw_dds_common/msg/NodeEntitiesInfo")):
    node_namespace: str
    node_name: str
    reader_gid_seq: sequence[Gid]
    writer_gid_seq: sequence[Gid]


@final
@dataclass
class ParticipantEntitiesInfo(IdlStruct, typename=ros("rmw_dds_common/msg/ParticipantEntitiesInfo")):
    gid: Gid
    node_entities_info_seq: sequence[NodeEntitiesInfo]


def until(what, condition, pace=0.002):
    """Waits for a condition; that it takes long is an error, not a result."""
    while not (value := condition()):
        if time.monotonic() > DEADLINE:
            sys.exit(f"nothing within 50 s: {what}")
        time.sleep(pace)
    return value


RELIABLE = Policy.Reliability.Reliable(duration(seconds=10))
LATCHED = Qos(RELIABLE, Policy.Durability.TransientLocal, Policy.History.KeepAll)
BEST_EFFORT = Qos(Policy.Reliability.BestEffort, Policy.History.KeepLast(1000))
# ROS 2's default.
ROS = Qos(RELIABLE, Policy.History.KeepLast(10))


@final
@dataclass
class TornPacket(IdlStruct, typename=ros("event_camera_msgs/msg/EventPacket")):
    """None, under the same name."""
    number: int32


@final
@dataclass
class Spikes(IdlStruct, typename=ros("saccade_msgs/msg/Spikes")):
    header: Header
    population: str
    size: uint32
    seq: uint64
    ids: sequence[uint32]
    offsets_us: sequence[uint32]


@final
@dataclass
class KeyValue(IdlStruct, typename=ros("diagnostic_msgs/msg/KeyValue")):
    key: str
    value: str


@final
@dataclass
class DiagnosticStatus(IdlStruct, typename=ros("diagnostic_msgs/msg/DiagnosticStatus")):
    level: uint8
    name: str
    message: str
    hardware_id: str
    values: sequence[KeyValue]


@final
@dataclass
class DiagnosticArray(IdlStruct, typename=ros("diagnostic_msgs/msg/DiagnosticArray")):
    header: Header
    status: sequence[DiagnosticStatus]


@final
@dataclass
class Log(IdlStruct, typename=ros("rcl_interfaces/msg/Log")):
    stamp: Time
    level: uint8
    name: str
    msg: str
    file: str
    function: str
    line: uint32
