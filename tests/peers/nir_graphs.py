"""NIR graphs in PyPI's nir: python nir_graphs.py FOLDER

Of FOLDER it reads ours.nir and inputs.json (a list of input spikes for each tick), and
writes into it
  read.json   what nir reads of ours.nir
  again.nir   ours.nir as nir writes it
  run.json    spikes and readout of ours.nir, by NIR's equations and its metadata
  hand.nir, hand.json   a graph made by hand here, and its spikes and readout
  every.nir   a node of every type
"""

import json
import sys
from pathlib import Path

import nir
import numpy as np


def told(value):
    if isinstance(value, dict):
        return {key: told(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return {"shape": list(value.shape), "values": value.astype(float).flatten().tolist()}
    return value.item() if isinstance(value, np.generic) else value


def simulate(graph, names, dt, inputs):
    """The exact solution between ticks; what the metadata of the LIF ask for, and NIR's
    reset to v_reset without."""
    lif, li = graph.nodes[names["lif"]], graph.nodes[names["li"]]
    w_in, w_rec, w_out = (graph.nodes[names[k]].weight.astype(float) for k in ("w_in", "w_rec", "w_out"))
    params = {k: getattr(lif, k).astype(float) for k in ("tau", "r", "v_leak", "v_threshold", "v_reset")}
    reset = lif.metadata.get("reset", "to v_reset")
    t_ref = round(float(lif.metadata.get("t_ref", 0.0)) / dt)
    alpha, kappa = np.exp(-dt / params["tau"]), np.exp(-dt / li.tau.astype(float))
    v, y = params["v_leak"].copy(), li.v_leak.astype(float)
    z, left = np.zeros(len(v)), np.zeros(len(v))
    spikes, readout = [], []
    for now in inputs:
        x = np.zeros(w_in.shape[1])
        x[now] = 1.0
        current = w_in @ x + w_rec @ z
        rest = params["v_leak"] + params["r"] * current
        v = rest + (v - rest) * alpha
        if reset == "subtract v_threshold, dt after the spike":
            v = v - params["v_threshold"] * z
        left = np.maximum(left - 1, 0)
        z = ((v > params["v_threshold"]) & (left == 0)).astype(float)
        left = np.where(z > 0, t_ref, left)
        if reset == "subtract v_threshold":
            v = v - params["v_threshold"] * z
        elif reset == "to v_reset":
            v = np.where(z > 0, params["v_reset"], v)
        rest = li.v_leak + li.r * (w_out @ z)
        y = rest + (y - rest) * kappa
        spikes.append(np.flatnonzero(z).tolist())
        readout.append(y.tolist())
    return {"spikes": spikes, "readout": readout}


def by_hand(n_in):
    rng = np.random.default_rng(3)
    n, n_out = 12, 3
    single = np.float32
    nodes = {
        "in": nir.Input(np.array([n_in])),
        "fc1": nir.Affine(weight=rng.normal(0, 9, (n, n_in)).astype(single), bias=np.zeros(n, single)),
        "lif1.lif": nir.LIF(
            tau=np.full(n, 0.012),
            r=rng.uniform(0.5, 2, n),
            v_leak=np.full(n, -0.1),
            v_threshold=rng.uniform(0.3, 0.6, n),
            v_reset=np.full(n, -0.1),
        ),
        "lif1.w_rec": nir.Linear(weight=rng.normal(0, 0.5, (n, n))),
        "fc2": nir.Linear(weight=rng.normal(0, 1, (n_out, n)).astype(single)),
        "li": nir.LI(tau=np.full(n_out, 0.03, single), r=np.full(n_out, 2.0, single), v_leak=np.zeros(n_out, single)),
        "out": nir.Output(np.array([n_out])),
    }
    edges = [
        ("lif1.lif", "lif1.w_rec"),
        ("in", "fc1"),
        ("fc1", "lif1.lif"),
        ("lif1.w_rec", "lif1.lif"),
        ("lif1.lif", "fc2"),
        ("fc2", "li"),
        ("li", "out"),
    ]
    return nir.NIRGraph(nodes, edges)


def every():
    one = np.ones(2)
    nodes = [
        nir.Affine(weight=np.ones((2, 2)), bias=one),
        nir.AvgPool2d(kernel_size=np.array([2, 2]), stride=np.array([1, 1]), padding=np.array([0, 0])),
        nir.Conv1d(input_shape=8, weight=np.ones((1, 1, 3)), stride=1, padding=0, dilation=1, groups=1, bias=one[:1]),
        nir.Conv2d(
            input_shape=(8, 8), weight=np.ones((1, 1, 3, 3)), stride=1, padding="same", dilation=1, groups=1, bias=one[:1]
        ),
        nir.CubaLI(tau_syn=one, tau_mem=one, r=one, v_leak=one),
        nir.CubaLIF(tau_syn=one, tau_mem=one, r=one, v_leak=one, v_threshold=one),
        nir.Delay(delay=one),
        nir.Flatten(input_type={"input": np.array([2, 2])}, start_dim=0, end_dim=-1),
        nir.I(r=one),
        nir.IF(r=one, v_threshold=one),
        nir.LI(tau=one, r=one, v_leak=one),
        nir.LIF(tau=one, r=one, v_leak=one, v_threshold=one),
        nir.Linear(weight=np.ones((2, 2))),
        nir.Scale(scale=one),
        nir.SumPool2d(kernel_size=np.array([2, 2]), stride=np.array([1, 1]), padding=np.array([0, 0])),
        nir.Threshold(threshold=one),
    ]
    named = {type(node).__name__.lower(): node for node in nodes}
    named["nirgraph"] = nir.NIRGraph.from_list(nir.Linear(weight=np.ones((2, 2))))
    return nir.NIRGraph(named, [("affine", "linear")], type_check=False)


def main():
    folder = Path(sys.argv[1])
    inputs = json.loads((folder / "inputs.json").read_text())
    ours = nir.read(folder / "ours.nir")
    (folder / "read.json").write_text(json.dumps(told(ours.to_dict())))
    nir.write(folder / "again.nir", ours)
    names = {name: name for name in ("w_in", "lif", "w_rec", "w_out", "li")}
    run = simulate(ours, names, float(ours.metadata["dt"]), inputs)
    (folder / "run.json").write_text(json.dumps(run))
    hand = by_hand(ours.nodes["w_in"].weight.shape[1])
    nir.write(folder / "hand.nir", hand)
    names = {"w_in": "fc1", "lif": "lif1.lif", "w_rec": "lif1.w_rec", "w_out": "fc2", "li": "li"}
    run = simulate(hand, names, 0.001, inputs)
    (folder / "hand.json").write_text(json.dumps(run))
    nir.write(folder / "every.nir", every())


main()
