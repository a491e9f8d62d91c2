"""A foreign DDS that drives a running node of ours.

usage: cyclonedds_node.py drive DOMAIN NODE
       cyclonedds_node.py ask DOMAIN NODE
       cyclonedds_node.py move DOMAIN NAME
       cyclonedds_node.py manage DOMAIN NODE

drive: waits for dvs_ingest under the name NODE, publishes 20 event packets on
/camera/events, then one that is none, and waits until it is counted on /diagnostics.
Prints one JSON document: the node's endpoints, what it published on /NODE_spikes and
told on /rosout to who came late, and its last counters.

ask: calls the services of dvs_ingest under the full name NODE, for its parameters and its
own, as rmw_cyclonedds_cpp does. Prints one JSON document with the answers.

move: sends the joint trajectory controller NAME of the arm a goal, one that it refuses,
and one that it cancels. Prints one JSON document with what became of them.

manage: takes event_generator under the full name NODE, which is not configured, through its
states. Prints one JSON document with how that went, and whether it was heard in each.
"""

import json
import sys
import time

from cyclonedds_ros import (
    BEST_EFFORT, LATCHED, ROS, Client, DiagnosticArray, Duration, EventPacket, FollowJointTrajectoryFeedback,
    FollowJointTrajectoryGoal, FollowJointTrajectoryResult, GoalInfo, GoalStatusArray, Header, JointTrajectory,
    JointTrajectoryPoint, ListParametersResult, Log, MultiDOFJointTrajectory, Parameter, ParameterDescriptor,
    ParameterEvent, ParameterValue, ParticipantEntitiesInfo, SetParametersResult, Spikes, Time, TornPacket, message,
    until,
)

from cyclonedds.domain import DomainParticipant
from cyclonedds.idl.types import array, int8, sequence, uint8, uint64
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


def text_parameter(name, text):
    return Parameter(name, ParameterValue(4, False, 0, 0.0, text, [], [], [], [], []))


def ask(domain, node):
    participant = DomainParticipant(domain)
    events = DataReader(participant, Topic(participant, "rt/parameter_events", ParameterEvent), qos=ROS)
    names = {"names": sequence[str]}

    def client(service, request, response):
        kind = "".join(part.capitalize() for part in service.split("_"))
        return Client(participant, f"{node}/{service}", f"rcl_interfaces/srv/{kind}", request, response)

    def set_client(service, response):
        return client(service, {"parameters": sequence[Parameter]}, response)

    listed = client("list_parameters", {"prefixes": sequence[str], "depth": uint64},
                    {"result": ListParametersResult}).call([], 0)
    described = client("describe_parameters", names, {"descriptors": sequence[ParameterDescriptor]})
    described = described.call(["out", "surface_tau", "filters"]).descriptors
    types = client("get_parameter_types", names, {"types": sequence[uint8]}).call(["filters", "nothing"])
    until("its parameter events", events.get_matched_publications)
    each = set_client("set_parameters", {"results": sequence[SetParametersResult]})
    results = each.call([text_parameter("filters", "flip_x"), text_parameter("filters", "nonsense"),
                         text_parameter("out", "8")]).results
    event = until("that parameters changed", lambda: events.take(N=10))[0]
    both = set_client("set_parameters_atomically", {"result": SetParametersResult})
    refused = both.call([text_parameter("filters", "flip_y"), text_parameter("out", "8")]).result
    get = client("get_parameters", names, {"values": sequence[ParameterValue]})
    values = get.call(["filters", "out"]).values
    trigger = Client(participant, f"{node.rsplit('/', 1)[0]}/hot_pixels", "std_srvs/srv/Trigger",
                     {"structure_needs_at_least_one_member": uint8}, {"success": bool, "message": str})
    own = trigger.call(0)
    print(json.dumps({
        "names": listed.result.names, "types": list(types.types),
        "described": [[d.name, d.type, d.read_only, [[r.from_value, r.to_value] for r in
                       [*d.integer_range, *d.floating_point_range]]] for d in described],
        "set": [[r.successful, r.reason] for r in results],
        "event": [event.node, [[p.name, p.value.string_value] for p in event.changed_parameters]],
        "atomically": [refused.successful, refused.reason],
        "values": [values[0].string_value, values[1].integer_value],
        "own": [own.success, own.message],
    }))


def move(domain, name):
    participant = DomainParticipant(domain)
    goal_id = array[uint8, 16]
    fjt = "control_msgs/action/FollowJointTrajectory"
    goals = Client(participant, f"{name}/_action/send_goal", f"{fjt}_SendGoal",
                   {"goal_id": goal_id, "goal": FollowJointTrajectoryGoal}, {"accepted": bool, "stamp": Time})
    results = Client(participant, f"{name}/_action/get_result", f"{fjt}_GetResult",
                     {"goal_id": goal_id}, {"status": int8, "result": FollowJointTrajectoryResult})
    cancels = Client(participant, f"{name}/_action/cancel_goal", "action_msgs/srv/CancelGoal",
                     {"goal_info": GoalInfo}, {"return_code": int8, "goals_canceling": sequence[GoalInfo]})
    feedback = DataReader(participant, Topic(participant, f"rt{name}/_action/feedback",
                                             FollowJointTrajectoryFeedback), qos=ROS)
    joints = [f"arm_{i}_joint" for i in range(1, 7)]

    def goal(joints, seconds):
        none = Header(Time(0, 0), "")
        point = JointTrajectoryPoint([0.1] * len(joints), [], [], [], Duration(seconds, 0))
        return FollowJointTrajectoryGoal(
            JointTrajectory(none, joints, [point]), MultiDOFJointTrajectory(none, [], []), [], [], [], [],
            Duration(1, 0),
        )

    ids = [[i] * 16 for i in (1, 2, 3)]
    taken = goals.call(ids[0], goal(joints, 3)).accepted
    heard = until("feedback", lambda: feedback.take(N=1))[0]
    done = results.call(ids[0])
    refused = goals.call(ids[1], goal(["elbow"], 1)).accepted
    unknown = results.call(ids[1])
    goals.call(ids[2], goal(joints, 50))
    cancelled = cancels.call(GoalInfo(ids[2], Time(0, 0)))
    ended = results.call(ids[2])
    again = cancels.call(GoalInfo(ids[2], Time(0, 0)))
    # To who comes late.
    status = DataReader(participant, Topic(participant, f"rt{name}/_action/status", GoalStatusArray), qos=LATCHED)
    states = until("status", lambda: status.take(N=10))[-1].status_list
    print(json.dumps({
        "taken": taken, "feedback": [list(heard.goal_id), heard.joint_names], "done": [done.status, done.result.error_code],
        "refused": refused, "unknown": unknown.status,
        "cancelled": [cancelled.return_code, [list(g.goal_id) for g in cancelled.goals_canceling]],
        "ended": ended.status, "again": again.return_code,
        "states": [[list(s.goal_info.goal_id), s.status] for s in states],
    }))


def manage(domain, node):
    participant = DomainParticipant(domain)
    state = message("lifecycle_msgs/msg/State", id=uint8, label=str)
    transition = message("lifecycle_msgs/msg/Transition", id=uint8, label=str)
    way = dict(transition=transition, start_state=state, goal_state=state)
    description = message("lifecycle_msgs/msg/TransitionDescription", **way)
    event = message("lifecycle_msgs/msg/TransitionEvent", timestamp=uint64, **way)
    events = DataReader(participant, Topic(participant, "rt/events", EventPacket), qos=BEST_EFFORT)
    told = DataReader(participant, Topic(participant, f"rt{node}/transition_event", event), qos=ROS)

    def client(service, kind, response, **request):
        request = request or {"structure_needs_at_least_one_member": uint8}
        return Client(participant, f"{node}/{service}", f"lifecycle_msgs/srv/{kind}", request, response)

    get = client("get_state", "GetState", {"current_state": state})
    change = client("change_state", "ChangeState", {"success": bool}, transition=transition)
    kind, ways = "GetAvailableTransitions", {"available_transitions": sequence[description]}
    possible = client("get_available_transitions", kind, ways)
    graph = client("get_transition_graph", kind, ways).call(0).available_transitions
    states = client("get_available_states", "GetAvailableStates", {"available_states": sequence[state]})
    until("its transition events", told.get_matched_publications)
    seen = []

    def see(*asked):
        done = change.call(transition(*asked)).success if asked else None
        # What was under way has come.
        time.sleep(0.3)
        events.take(N=1000)
        time.sleep(0.3)
        heard = bool(events.take(N=1000))
        seen.append([done, get.call(0).current_state.label, heard])

    see()
    for asked in [(3, ""), (0, "configure"), (3, ""), (0, "deactivate"), (3, ""), (0, "shutdown")]:
        see(*asked)
        if len(seen) == 3:
            here = [t.transition.label for t in possible.call(0).available_transitions]
    print(json.dumps({
        "seen": seen, "here": here, "graph": [[t.transition.id, t.start_state.id, t.goal_state.id] for t in graph],
        "states": [[s.id, s.label] for s in states.call(0).available_states],
        "told": [[e.start_state.label, e.transition.label, e.goal_state.label] for e in told.take(N=100)],
    }))


{"drive": drive, "ask": ask, "manage": manage, "move": move}[sys.argv[1]](int(sys.argv[2]), *sys.argv[3:])
