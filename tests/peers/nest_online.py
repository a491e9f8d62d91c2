"""Lets NEST learn a network of ours online, for its potentials, spikes and readouts.

usage: nest_online.py NETWORK OUT

NETWORK: one JSON document, as `tests/tests/nest.rs` writes it: `model` (of the neurons)
with its `parameters`, those of the readouts (`readout`), the `optimizer` in NEST's names,
`ticks`, `input` (for each input the ticks in which it spikes), `target` (for each tick and
readout), and synapses as `[from, to, weight, delay_ms]`: `w_in`, `w_rec`, `w_out` and
`feedback` (from readouts), which learn, and `fixed` (from inputs), which do not. OUT is
written: `potentials` and `readouts`, tick by tick, and `spikes`, `[tick, neuron]`.
"""

import json
import sys

import nest
import numpy as np

# A spike that a generator is given at 1 reaches the neurons at 2, and the readout one
# step later what they fire then; what is recorded bears the time of a step's end.
FIRST_NEURONS = 3
FIRST_READOUT = 4


def connect(sources, targets, synapses, model):
    if not synapses:
        return
    pre, post, weight, delay = (np.array(column) for column in zip(*synapses))
    nest.Connect(
        np.array(sources.tolist())[pre],
        np.array(targets.tolist())[post],
        "one_to_one",
        {"synapse_model": model, "weight": weight, "delay": delay},
    )


def table(meter, name, n, first, ticks):
    """What was recorded, `[ticks, n]`."""
    events = meter.get("events")
    order = np.lexsort((events["senders"], events["times"]))
    times = np.round(events["times"][order]).astype(int) - first
    kept = (times >= 0) & (times < ticks)
    return events[name][order][kept].reshape(ticks, n).tolist()


def main():
    with open(sys.argv[1]) as file:
        network = json.load(file)
    ticks = network["ticks"]
    nest.verbosity = nest.VerbosityLevel.WARNING
    nest.ResetKernel()
    nest.set(resolution=1.0, total_num_virtual_procs=1)
    inputs = nest.Create("parrot_neuron", len(network["input"]))
    layer = nest.Create(network["model"], network["neurons"], network["parameters"])
    readout = nest.Create("eprop_readout", network["readouts"], network["readout"])
    nest.SetDefaults("eprop_synapse", {"optimizer": network["optimizer"]})
    connect(inputs, layer, network["w_in"], "eprop_synapse")
    connect(inputs, layer, network["fixed"], "static_synapse")
    connect(layer, layer, network["w_rec"], "eprop_synapse")
    connect(layer, readout, network["w_out"], "eprop_synapse")
    connect(readout, layer, network["feedback"], "eprop_learning_signal_connection")

    generators = nest.Create("spike_generator", len(network["input"]))
    generators.set([{"spike_times": np.array(t) + 1.0} for t in network["input"]])
    one_to_one = {"rule": "one_to_one"}
    nest.Connect(generators, inputs, one_to_one, {"delay": 1.0})
    way = {"synapse_model": "rate_connection_delayed", "delay": 1.0}
    teacher = nest.Create("step_rate_generator", network["readouts"])
    starts = np.arange(ticks) + float(FIRST_READOUT - 1)
    columns = np.array(network["target"]).T
    teacher.set([{"amplitude_times": starts, "amplitude_values": c} for c in columns])
    nest.Connect(teacher, readout, one_to_one, way | {"receptor_type": 2})
    window = nest.Create("step_rate_generator")
    window.set({"amplitude_times": [float(FIRST_READOUT - 1)], "amplitude_values": [1.0]})
    nest.Connect(window, readout, "all_to_all", way | {"receptor_type": 1})

    potentials = nest.Create("multimeter", params={"record_from": ["V_m"]})
    answers = nest.Create("multimeter", params={"record_from": ["readout_signal"]})
    spikes = nest.Create("spike_recorder")
    nest.Connect(potentials, layer)
    nest.Connect(answers, readout)
    nest.Connect(layer, spikes)
    nest.Simulate(float(ticks + 10))
    events = spikes.get("events")
    at = np.round(events["times"]).astype(int) - FIRST_NEURONS
    who = events["senders"] - layer[0].global_id
    fired = np.stack([at, who], axis=1)[at < ticks]
    document = {
        "potentials": table(potentials, "V_m", len(layer), FIRST_NEURONS, ticks),
        "readouts": table(answers, "readout_signal", len(readout), FIRST_READOUT, ticks),
        "spikes": fired[np.lexsort((fired[:, 1], fired[:, 0]))].tolist(),
    }
    with open(sys.argv[2], "w") as file:
        json.dump(document, file)


main()
