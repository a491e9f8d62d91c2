"""Runs a network of `saccade bench engine` in NEST and times it.

stdin: a JSON document in one line, as `nest.rs` writes it, then a line for each turn, how
many steps. stdout: a JSON document in a line for each line: the version of NEST; then the
seconds of CPU that `Simulate` took, and the spikes of the recurrent layer.
"""

import json
import os
import sys
import time

# NEST greets on stdout, which is for answers.
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)

import nest
import numpy as np


def say(document):
    print(json.dumps(document), file=answers, flush=True)


def neurons(task):
    """The recurrent layer and the readout, of the form that is asked for."""
    p, online = task["neurons"], task["form"] == "online"
    common = {"C_m": 1.0, "E_L": 0.0, "I_e": 0.0, "V_m": 0.0}
    recurrent = common | {
        "tau_m": p["tau_m_ms"],
        "V_th": p["v_th"],
        "t_ref": p["t_ref_ms"],
        "surrogate_gradient_function": "piecewise_linear",
        "surrogate_gradient_height": p["psi_height"],
        "surrogate_gradient_width": p["psi_width"],
        "c_reg": task["c_reg"],
        "f_target": task["f_target_hz"],
    }
    readout = common | {"tau_m": p["tau_out_ms"]}
    if online:
        recurrent |= {"kappa": task["kappa"], "kappa_reg": task["kappa"]}
        models = "eprop_iaf", "eprop_readout"
    else:
        recurrent |= {"regular_spike_arrival": True}
        readout |= {"regular_spike_arrival": True, "loss": "mean_squared_error"}
        models = "eprop_iaf_bsshslm_2020", "eprop_readout_bsshslm_2020"
    layer = nest.Create(models[0], task["n_rec"], recurrent)
    return layer, nest.Create(models[1], task["n_out"], readout)


def connect(task, inputs, layer, readout):
    """Plastic synapses and feedback."""

    def matrix(name, rows):
        return np.array(task[name]).reshape(rows, -1)

    online = task["form"] == "online"
    suffix = "" if online else "_bsshslm_2020"
    optimizer = dict(task["optimizer"])
    kind = {"sgd": "gradient_descent", "adam": "adam"}[optimizer.pop("kind")]
    optimizer |= {"type": kind, "batch_size": 1, "Wmin": -100.0, "Wmax": 100.0}
    if online:
        optimizer["optimize_each_step"] = True
    nest.SetDefaults("eprop_synapse" + suffix, {"optimizer": optimizer})
    rule = {"rule": "all_to_all", "allow_autapses": False}
    plastic = {"synapse_model": "eprop_synapse" + suffix, "delay": 1.0}
    if not online:
        plastic["tau_m_readout"] = task["neurons"]["tau_out_ms"]
    ways = [(inputs, layer, "w_in"), (layer, layer, "w_rec"), (layer, readout, "w_out")]
    for source, target, name in ways:
        weight = matrix(name, len(source)).T
        nest.Connect(source, target, rule, plastic | {"weight": weight})
    feedback = {
        "synapse_model": "eprop_learning_signal_connection" + suffix,
        "delay": 1.0,
        "weight": matrix("feedback", len(readout)).T,
    }
    nest.Connect(readout, layer, rule, feedback)


def stimulate(task, inputs, readout):
    """Input spikes, and a target that stays the same."""
    generators = nest.Create("spike_generator", task["n_in"])
    generators.set([{"spike_times": np.array(t, dtype=float)} for t in task["spike_times"]])
    one_to_one = {"rule": "one_to_one"}
    static = {"synapse_model": "static_synapse", "delay": 1.0}
    nest.Connect(generators, inputs, one_to_one, static)

    def constant(values, receptor, rule):
        teacher = nest.Create("step_rate_generator", len(values))
        teacher.set([{"amplitude_times": [1.0], "amplitude_values": [v]} for v in values])
        way = {"synapse_model": "rate_connection_delayed", "delay": 1.0}
        nest.Connect(teacher, readout, rule, way | {"receptor_type": receptor})

    constant(task["target"], 2, one_to_one)
    if task["form"] == "online":
        constant([1.0], 1, {"rule": "all_to_all"})


def main():
    task = json.loads(sys.stdin.readline())
    nest.verbosity = nest.VerbosityLevel.ERROR
    nest.ResetKernel()
    nest.set(resolution=1.0, total_num_virtual_procs=1, print_time=False)
    if task["form"] == "interval":
        interval = float(task["interval"])
        nest.set(
            eprop_update_interval=interval,
            eprop_learning_window=interval,
            eprop_reset_neurons_on_update=True,
        )
    inputs = nest.Create("parrot_neuron", task["n_in"])
    layer, readout = neurons(task)
    connect(task, inputs, layer, readout)
    stimulate(task, inputs, readout)
    recorder = nest.Create("spike_recorder")
    nest.Connect(layer, recorder)
    say({"version": nest.__version__})
    before = 0
    for line in sys.stdin:
        start = time.process_time()
        nest.Simulate(float(line))
        seconds = time.process_time() - start
        spikes = recorder.n_events
        say({"cpu_s": seconds, "spikes": spikes - before})
        before = spikes


main()
