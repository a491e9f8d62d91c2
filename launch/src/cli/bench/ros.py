"""Round trips of raw bytes over PyPI cyclonedds on loopback, between two processes.

What Python needs to make a message of bytes is not measured: they are written and taken as
they are.

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

from cyclonedds._clayer import ddspy_take, ddspy_write
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

    everything = SampleState.Any | ViewState.Any | InstanceState.Any

    def write(raw):
        if (code := ddspy_write(writer._ref, raw)) < 0:
            raise RuntimeError(f"writing {len(raw)} bytes: {code}")

    def take():
        while not (taken := ddspy_take(reader._ref, everything, 1)):
            waitset.wait(duration(seconds=1))
            if os.getppid() == 1:
                sys.exit()
        if isinstance(taken, int):
            raise RuntimeError(f"taking a message: {taken}")
        return taken[0][0]

    return write, take


def echo(domain):
    write, take = ends(domain, "rt/back", "rt/out")
    while True:
        write(take())


def ping(domain):
    other = subprocess.Popen([sys.executable, "-c", SOURCE, str(domain), "echo"])
    try:
        write, take = ends(domain, "rt/out", "rt/back")
        for line in sys.stdin:
            size, count = map(int, line.split())
            raw, times = Bytes(bytes(size)).serialize(), []
            raw = raw.ljust(-len(raw) % 4 + len(raw), b"\0")
            for _ in range(count):
                begun = time.perf_counter()
                write(raw)
                back = take()
                times.append((time.perf_counter() - begun) * 1e6)
            # What came back last, as the type has it: nothing was lost on the way.
            assert len(Bytes.deserialize(back).data) == size
            print(json.dumps(times), flush=True)
    finally:
        other.kill()
        other.wait()


SOURCE = os.environ["SACCADE_BENCH_ROS"]
(echo if sys.argv[2:] == ["echo"] else ping)(int(sys.argv[1]))
