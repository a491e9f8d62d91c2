"""The unmodified clients of sPyNNaker against a board that runs the relay network.

Argument: the file for what was received. Prints the ports on which the clients wait for
notifications, then a line for each thing that has happened, and reads what to do next:

    run N16 N32   at the next start: send so many events with 16-bit and with 32-bit keys,
                  wait until each has come back, print "done"
    poisson       set the rates of all sources, wait for spikes, silence them, print "silent"
    expect N      wait until N spikes of the sources have come, print "there"
    end           write what was received, as u32 (run, tick, atom), and stop
"""

import array
import sys
import threading
import time

from spynnaker.pyNN.connections import (
    SpynnakerLiveSpikesConnection, SpynnakerPoissonControlConnection)

ATOMS = 1000
SOURCES = 40
# Events under way at once: what a socket's buffer holds by far.
WINDOW = 8000
PATIENCE = 120

received = array.array("I")
poisson = []
sent = 0
runs = 0
news = threading.Condition()
started = threading.Event()


def say(*words):
    print(*words, flush=True)


def on_spikes(label, tick, atoms):
    with news:
        if label == "out":
            for atom in atoms:
                received.extend((runs, tick, atom))
        else:
            poisson.extend(atoms)
        news.notify_all()


def wait(what, condition):
    with news:
        if not news.wait_for(condition, PATIENCE):
            say(f"not in {PATIENCE} s: {what}; {len(received) // 3} of {sent} received,"
                f" {len(poisson)} of the sources")
            sys.exit(1)


def under_way():
    return sent - len(received) // 3


def run(connection, narrow, wide):
    global sent
    first = 0
    # Six packets a call: after as many the client pauses for 0.1 s.
    for events, packet, full in ((narrow, 127, False), (wide, 63, True)):
        while events > 0:
            n = min(events, 6 * packet)
            wait("events under way", lambda: under_way() + n <= WINDOW)
            sent += n
            connection.send_spikes(
                "inj", [(first + i) % ATOMS for i in range(n)], send_full_keys=full)
            first += n
            events -= n
    for atom in range(20):
        sent += 1
        connection.send_spike("inj", atom)
    wait("all events", lambda: under_way() == 0)


def on_init(label, n, run_ms, step_ms):
    say("init", label, n, run_ms, step_ms)


live = SpynnakerLiveSpikesConnection(
    receive_labels=["out", "poisson"], send_labels=["inj"],
    local_host="127.0.0.1", local_port=None)
control = SpynnakerPoissonControlConnection(
    poisson_labels=["poisson"], local_host="127.0.0.1", local_port=None)
live.add_init_callback("inj", on_init)
live.add_receive_callback("out", on_spikes)
live.add_receive_callback("poisson", on_spikes)
live.add_start_resume_callback("inj", lambda *_: started.set())
live.add_pause_stop_callback("inj", lambda *_: say("paused"))
say("ports", live.local_port, control.local_port)

for line in sys.stdin:
    words = line.split()
    if words[0] == "run":
        if not started.wait(PATIENCE):
            say("not started")
            sys.exit(1)
        started.clear()
        run(live, int(words[1]), int(words[2]))
        runs += 1
        say("done")
    elif words[0] == "poisson":
        before = len(poisson)
        control.set_rates("poisson", [(i, 10.5 * i) for i in range(SOURCES)])
        wait("spikes of the sources", lambda: len(poisson) >= before + 200)
        control.set_rates("poisson", [(i, 0.0) for i in range(SOURCES)])
        say("silent")
    elif words[0] == "expect":
        wait("the sources' spikes", lambda: len(poisson) == int(words[1]))
        say("there", *sorted(set(poisson)))
    else:
        break

with open(sys.argv[1], "wb") as file:
    received.tofile(file)
live.close()
control.close()
say("ended")
