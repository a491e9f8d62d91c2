"""Runs tasks of ours in NEST, for its losses and spikes.

usage: nest_eprop.py TASK OUT

TASK: one JSON document, as `tests/tests/nest.rs` writes it: sizes, parameters,
initial weights (row-major, one row per presynaptic neuron; feedback one row per
readout) and sequences (`inputs`: the inputs that spike in each step; `target`: a
value for each step and readout). OUT is written: `losses`, one per sequence, and
`spikes`, for each sequence `step * n_rec + neuron`, ascending.
"""

import json
import sys

import nest
import numpy as np

# A spike that a generator is given at 1 reaches the recurrent layer at 2, and
# what that fires is recorded at 3; the readout answers a step later.
FIRST_SPIKE = 3
FIRST_READOUT = 4


def neurons(task):
    """Creates the recurrent layer and the readout."""
    p, ticks = task["neurons"], float(task["ticks"])
    common = {"C_m": 1.0, "E_L": 0.0, "I_e": 0.0, "V_m": 0.0}
    recurrent = common | {
        "tau_m": p["tau_m_ms"],
        "V_th": p["v_th"],
        "t_ref": p["t_ref_ms"],
        "regular_spike_arrival": p["regular_spike_arrival"],
        "surrogate_gradient_function": "piecewise_linear",
        "surrogate_gradient_height": p["psi_height"],
        "surrogate_gradient_width": p["psi_width"],
        "c_reg": task["eprop"]["c_reg"],
        "f_target": task["eprop"]["f_target_hz"],
        "flush_event_send_interval": ticks,
    }
    layer = nest.Create("eprop_iaf_bsshslm_2020", task["n_lif"], recurrent)
    if task["n_alif"]:
        adaptive = recurrent | {
            "adapt_tau": p["tau_a_ms"],
            "adapt_beta": p["beta"],
            "adaptation": 0.0,
        }
        layer += nest.Create("eprop_iaf_adapt_bsshslm_2020", task["n_alif"], adaptive)
    readout = common | {
        "tau_m": p["tau_out_ms"],
        "loss": task["loss"],
        "regular_spike_arrival": p["regular_spike_arrival_out"],
    }
    return layer, nest.Create("eprop_readout_bsshslm_2020", task["n_out"], readout)


def optimizer(task):
    """The optimizer in NEST's names."""
    config, (low, high) = dict(task["optimizer"]), task["bounds"]
    kind = {"sgd": "gradient_descent", "adam": "adam"}[config.pop("kind")]
    return config | {"type": kind, "batch_size": 1, "Wmin": low, "Wmax": high}


def connect(task, inputs, layer, readout):
    """Plastic synapses, feedback, and between the readouts what a softmax needs."""

    def matrix(name, rows):
        return np.array(task[name]).reshape(rows, -1)

    rule = {"rule": "all_to_all", "allow_autapses": False}
    common = {
        "optimizer": optimizer(task),
        "average_gradient": task["eprop"]["average_gradient"],
    }
    nest.SetDefaults("eprop_synapse_bsshslm_2020", common)
    plastic = {
        "synapse_model": "eprop_synapse_bsshslm_2020",
        "delay": 1.0,
        "tau_m_readout": task["neurons"]["tau_out_ms"],
    }
    ways = [(inputs, layer, "w_in"), (layer, layer, "w_rec"), (layer, readout, "w_out")]
    for source, target, name in ways:
        weight = matrix(name, len(source)).T
        nest.Connect(source, target, rule, plastic | {"weight": weight})
    feedback = {
        "synapse_model": "eprop_learning_signal_connection_bsshslm_2020",
        "delay": 1.0,
        "weight": matrix("feedback", len(readout)).T,
    }
    nest.Connect(readout, layer, rule, feedback)
    if task["loss"] == "cross_entropy":
        rate = {"synapse_model": "rate_connection_delayed", "delay": 1.0, "receptor_type": 1}
        nest.Connect(readout, readout, rule, rate | {"weight": 1.0})


def stimulate(task, inputs, readout):
    """What the inputs and the readouts are given."""
    steps = [fired for sequence in task["sequences"] for fired in sequence["inputs"]]
    times = [[] for _ in range(task["n_in"])]
    for step, fired in enumerate(steps):
        for i in fired:
            times[i].append(step + 1.0)
    generators = nest.Create("spike_generator", task["n_in"])
    generators.set([{"spike_times": t} for t in times])
    one_to_one, static = {"rule": "one_to_one"}, {"synapse_model": "static_synapse", "delay": 1.0}
    nest.Connect(generators, inputs, one_to_one, static)
    targets = np.concatenate([s["target"] for s in task["sequences"]])
    targets = targets.reshape(-1, task["n_out"])
    teacher = nest.Create("step_rate_generator", task["n_out"])
    starts = np.arange(len(steps)) + float(FIRST_READOUT)
    teacher.set([{"amplitude_times": starts, "amplitude_values": t} for t in targets.T])
    way = {"synapse_model": "rate_connection_delayed", "delay": 1.0, "receptor_type": 2}
    nest.Connect(teacher, readout, one_to_one, way)
    return len(steps), targets


def losses(task, recorded, targets):
    """The loss of every sequence, as NEST's examples have it."""
    shape = (len(task["sequences"]), task["ticks"], task["n_out"])
    y, target = recorded.reshape(shape), targets.reshape(shape)
    if task["loss"] == "mean_squared_error":
        return 0.5 * ((y - target) ** 2).sum(axis=1).mean(axis=1)
    y, target = y[:, -task["window"] :], target[:, -task["window"] :]
    return -(target * np.log(y)).sum(axis=2).mean(axis=1)


def spikes(task, recorder, layer):
    """For every sequence `step * n_rec + neuron`."""
    events, n = recorder.get("events"), len(layer)
    steps = np.round(events["times"]).astype(int) - FIRST_SPIKE
    at = steps * n + events["senders"] - layer[0].global_id
    length = task["ticks"] * n
    in_order = np.sort(at[at < length * len(task["sequences"])])
    ends = np.searchsorted(in_order, length * np.arange(1, len(task["sequences"])))
    parts = np.split(in_order, ends)
    return [(part - k * length).tolist() for k, part in enumerate(parts)]


def main():
    with open(sys.argv[1]) as file:
        task = json.load(file)
    nest.verbosity = nest.VerbosityLevel.WARNING
    nest.ResetKernel()
    nest.set(
        resolution=1.0,
        total_num_virtual_procs=1,
        eprop_update_interval=float(task["ticks"]),
        eprop_learning_window=float(task["window"]),
        eprop_reset_neurons_on_update=True,
    )
    inputs = nest.Create("parrot_neuron", task["n_in"])
    layer, readout = neurons(task)
    connect(task, inputs, layer, readout)
    steps, targets = stimulate(task, inputs, readout)
    span = {"start": float(FIRST_READOUT), "stop": float(FIRST_READOUT + steps)}
    meter = nest.Create("multimeter", params=span | {"record_from": ["readout_signal"]})
    recorder = nest.Create("spike_recorder")
    nest.Connect(meter, readout)
    nest.Connect(layer, recorder)
    nest.Simulate(float(steps + FIRST_READOUT + 1))
    events = meter.get("events")
    order = np.lexsort((events["senders"], events["times"]))
    recorded = events["readout_signal"][order]
    document = {
        "losses": losses(task, recorded, targets).tolist(),
        "spikes": spikes(task, recorder, layer),
    }
    with open(sys.argv[2], "w") as file:
        json.dump(document, file)


main()
