"""ROS 2's names, types and quality of service for PyPI cyclonedds, on loopback."""

import os
import sys
import time
import types
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
from cyclonedds.idl.types import array, float64, int8, int32, int64, sequence, uint8, uint32, uint64
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
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


@final
@dataclass
class ParameterValue(IdlStruct, typename=ros("rcl_interfaces/msg/ParameterValue")):
    type: uint8
    bool_value: bool
    integer_value: int64
    double_value: float64
    string_value: str
    byte_array_value: sequence[uint8]
    bool_array_value: sequence[bool]
    integer_array_value: sequence[int64]
    double_array_value: sequence[float64]
    string_array_value: sequence[str]


@final
@dataclass
class Parameter(IdlStruct, typename=ros("rcl_interfaces/msg/Parameter")):
    name: str
    value: ParameterValue


@final
@dataclass
class SetParametersResult(IdlStruct, typename=ros("rcl_interfaces/msg/SetParametersResult")):
    successful: bool
    reason: str


@final
@dataclass
class ParameterEvent(IdlStruct, typename=ros("rcl_interfaces/msg/ParameterEvent")):
    stamp: Time
    node: str
    new_parameters: sequence[Parameter]
    changed_parameters: sequence[Parameter]
    deleted_parameters: sequence[Parameter]


@final
@dataclass
class FloatingPointRange(IdlStruct, typename=ros("rcl_interfaces/msg/FloatingPointRange")):
    from_value: float64
    to_value: float64
    step: float64


@final
@dataclass
class IntegerRange(IdlStruct, typename=ros("rcl_interfaces/msg/IntegerRange")):
    from_value: int64
    to_value: int64
    step: uint64


@final
@dataclass
class ParameterDescriptor(IdlStruct, typename=ros("rcl_interfaces/msg/ParameterDescriptor")):
    name: str
    type: uint8
    description: str
    additional_constraints: str
    read_only: bool
    dynamic_typing: bool
    floating_point_range: sequence[FloatingPointRange, 1]
    integer_range: sequence[IntegerRange, 1]


@final
@dataclass
class ListParametersResult(IdlStruct, typename=ros("rcl_interfaces/msg/ListParametersResult")):
    names: sequence[str]
    prefixes: sequence[str]


def message(type_name, **fields):
    """A message type: its ROS name, and its fields."""
    name = type_name.rsplit("/", 1)[1]
    body = {"__annotations__": fields, "__module__": __name__}
    made = types.new_class(name, (IdlStruct,), {"typename": ros(type_name)}, lambda namespace: namespace.update(body))
    return final(dataclass(made))


class Client:
    """Calls a service as rmw_cyclonedds_cpp does: 16 bytes before request and reply, half
    the client's identifier and a number."""

    def __init__(self, participant, name, type_name, request, response):
        part = lambda what, fields: message(f"{type_name}_{what}", client=uint64, number=int64, **fields)
        self.request, self.response = part("Request", request), part("Response", response)
        rq, rr = f"rq{name}Request", f"rr{name}Reply"
        self.writer = DataWriter(participant, Topic(participant, rq, self.request), qos=ROS)
        self.reader = DataReader(participant, Topic(participant, rr, self.response), qos=ROS)
        self.client, self.number, self.name = id(self) % 2**63, 0, name

    def send(self, *fields):
        """Sends a request; returns its number."""
        for found in (self.writer.get_matched_subscriptions, self.reader.get_matched_publications):
            until(f"a server of {self.name}", found)
        if not self.number:
            # Who has just been found may not have found us.
            time.sleep(0.2)
        self.number += 1
        self.writer.write(self.request(self.client, self.number, *fields))
        return self.number

    def reply(self, number):
        """The reply to a request."""
        for reply in until(f"a reply of {self.name}", lambda: self.reader.take(N=100)):
            if (reply.client, reply.number) == (self.client, number):
                return reply
        return self.reply(number)

    def call(self, *fields):
        return self.reply(self.send(*fields))


Duration = message("builtin_interfaces/msg/Duration", sec=int32, nanosec=uint32)
JointTrajectoryPoint = message(
    "trajectory_msgs/msg/JointTrajectoryPoint", positions=sequence[float64], velocities=sequence[float64],
    accelerations=sequence[float64], effort=sequence[float64], time_from_start=Duration,
)
JointTrajectory = message(
    "trajectory_msgs/msg/JointTrajectory", header=Header, joint_names=sequence[str],
    points=sequence[JointTrajectoryPoint],
)
# Of these types none is sent: only their empty sequences.
MultiDOFJointTrajectory = message(
    "trajectory_msgs/msg/MultiDOFJointTrajectory", header=Header, joint_names=sequence[str], points=sequence[uint32],
)
JointTolerance = message(
    "control_msgs/msg/JointTolerance", name=str, position=float64, velocity=float64, acceleration=float64,
)
FollowJointTrajectoryGoal = message(
    "control_msgs/action/FollowJointTrajectory_Goal", trajectory=JointTrajectory,
    multi_dof_trajectory=MultiDOFJointTrajectory, path_tolerance=sequence[JointTolerance],
    component_path_tolerance=sequence[uint32], goal_tolerance=sequence[JointTolerance],
    component_goal_tolerance=sequence[uint32], goal_time_tolerance=Duration,
)
FollowJointTrajectoryResult = message(
    "control_msgs/action/FollowJointTrajectory_Result", error_code=int32, error_string=str,
)
MultiDOFJointTrajectoryPoint = message(
    "trajectory_msgs/msg/MultiDOFJointTrajectoryPoint", transforms=sequence[uint32], velocities=sequence[uint32],
    accelerations=sequence[uint32], time_from_start=Duration,
)
FollowJointTrajectoryFeedback = message(
    "control_msgs/action/FollowJointTrajectory_FeedbackMessage", goal_id=array[uint8, 16], header=Header,
    joint_names=sequence[str], desired=JointTrajectoryPoint, actual=JointTrajectoryPoint, error=JointTrajectoryPoint,
    multi_dof_joint_names=sequence[str], multi_dof_desired=MultiDOFJointTrajectoryPoint,
    multi_dof_actual=MultiDOFJointTrajectoryPoint, multi_dof_error=MultiDOFJointTrajectoryPoint,
)
GoalInfo = message("action_msgs/msg/GoalInfo", goal_id=array[uint8, 16], stamp=Time)
GoalStatus = message("action_msgs/msg/GoalStatus", goal_info=GoalInfo, status=int8)
GoalStatusArray = message("action_msgs/msg/GoalStatusArray", status_list=sequence[GoalStatus])
