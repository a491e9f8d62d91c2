"""Runs a circuit of ours in NEST, for its spikes or potentials.

usage: nest_circuit.py CIRCUIT OUT

CIRCUIT: one JSON document, as `tests/tests/nest.rs` writes it: `model` (a NEST
model), its `parameters`, `dt_ms`, `ticks`, `neurons`, `input` (for each input the
ticks in which it spikes) and synapses as `[from, to, weight, delay_ms]`, from
inputs (`input_synapses`) and between neurons (`synapses`). OUT is written:
`spikes`, `[tick, neuron]` in order, and `potentials` of neuron 0, tick by tick.
"""

import json
import sys

import nest
import numpy as np


def connect(sources, targets, synapses):
    if not synapses:
        return
    pre, post, weight, delay = (np.array(column) for column in zip(*synapses))
    nest.Connect(
        np.array(sources.tolist())[pre],
        np.array(targets.tolist())[post],
        "one_to_one",
        {"synapse_model": "static_synapse", "weight": weight, "delay": delay},
    )


def main():
    with open(sys.argv[1]) as file:
        circuit = json.load(file)
    dt = circuit["dt_ms"]
    nest.verbosity = nest.VerbosityLevel.WARNING
    nest.ResetKernel()
    nest.set(resolution=dt, total_num_virtual_procs=1)
    neurons = nest.Create(circuit["model"], circuit["neurons"], circuit["parameters"])
    inputs = nest.Create("spike_generator", len(circuit["input"]))
    # A generator's spike of step k leaves in the step before.
    times = [[round((t + 1) * dt, 6) for t in ticks] for ticks in circuit["input"]]
    inputs.set([{"spike_times": t} for t in times])
    connect(inputs, neurons, circuit["input_synapses"])
    connect(neurons, neurons, circuit["synapses"])
    recorder = nest.Create("spike_recorder")
    nest.Connect(neurons, recorder)
    meter = nest.Create("multimeter", params={"interval": dt, "record_from": ["V_m"]})
    nest.Connect(meter, neurons[0])
    # A little longer: what is measured comes in with the next slice.
    nest.Simulate((circuit["ticks"] + 100) * dt)
    events = recorder.get("events")
    ticks = np.round(events["times"] / dt).astype(int) - 1
    at = np.stack([ticks, events["senders"] - neurons[0].global_id], axis=1)
    at = at[ticks < circuit["ticks"]]
    document = {
        "spikes": at[np.lexsort((at[:, 1], at[:, 0]))].tolist(),
        "potentials": meter.get("events")["V_m"].tolist(),
    }
    with open(sys.argv[2], "w") as file:
        json.dump(document, file)


main()
