"""Round trips over PyPI cyclonedds on loopback, between two processes.

argument: DOMAIN. Reads lines "SIZE COUNT", answers each with a line: the times of COUNT
round trips of SIZE bytes in microseconds, as a JSON list.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass

os.environ["CYCLONEDDS_URI"] = """<CycloneDDS><Domain>
<General><AllowMulticast>false</AllowMulticast>
<Interfaces><NetworkInterface address="127.0.0.1"/></Interfaces></General>
<Discovery><ParticipantIndex>auto</ParticipantIndex><MaxAutoParticipantIndex>10</MaxAutoParticipantIndex>
<Peers><Peer address="127.0.0.1"/></Peers></Discovery></Domain></CycloneDDS>"""

from cyclonedds.core import Policy, Qos, ReadCondition, SampleState, ViewState, InstanceState, WaitSet
from cyclonedds.domain import DomainParticipant
from cyclonedds.idl import IdlStruct
from cyclonedds.idl.annotations import final
from cyclonedds.idl.types import sequence, uint8
from cyclonedds.pub import DataWriter
from cyclonedds.sub import DataReader
from cyclonedds.topic import Topic
from cyclonedds.util import duration


@final
@dataclass
class Bytes(IdlStruct, typename="std_msgs::msg::dds_::Bytes_"):
    data: sequence[uint8]


def ends(domain, out, back):
    participant = DomainParticipant(domain)
    qos = Qos(Policy.Reliability.Reliable(duration(seconds=10)), Policy.History.KeepLast(10))
    writer = DataWriter(participant, Topic(participant, out, Bytes), qos=qos)
    reader = DataReader(participant, Topic(participant, back, Bytes), qos=qos)
    waitset = WaitSet(participant)
    waitset.attach(ReadCondition(reader, ViewState.Any | SampleState.NotRead | InstanceState.Any))
    while not (writer.get_matched_subscriptions() and reader.get_matched_publications()):
        time.sleep(0.01)

    def take():
        while not (taken := reader.take(N=1)):
            waitset.wait(duration(seconds=1))
            if os.getppid() == 1:
                sys.exit()
        return taken[0]

    return writer, take


def echo(domain):
    writer, take = ends(domain, "rt/back", "rt/out")
    while True:
        writer.write(take())


def ping(domain):
    other = subprocess.Popen([sys.executable, "-c", SOURCE, str(domain), "echo"])
    try:
        writer, take = ends(domain, "rt/out", "rt/back")
        for line in sys.stdin:
            size, count = map(int, line.split())
            message, times = Bytes(bytes(size)), []
            for _ in range(count):
                begun = time.perf_counter()
                writer.write(message)
                take()
                times.append((time.perf_counter() - begun) * 1e6)
            print(json.dumps(times), flush=True)
    finally:
        other.kill()
        other.wait()


SOURCE = os.environ["SACCADE_BENCH_ROS"]
(echo if sys.argv[2:] == ["echo"] else ping)(int(sys.argv[1]))
