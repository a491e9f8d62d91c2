"""NIR graphs of several layers, and NumPy running them: python nir_runs.py FOLDER

Writes graphs by PyPI's nir into FOLDER, NAME.nir, and NAME.json with input and what some
nodes give for it: {"exact": {node: [tick][...]}, "euler": ..., "inputs": {node: ...}}.
Every graph is run by code for it alone: the exact solution is a matrix exponential,
convolutions are sums over windows.
Before, it reads ours.nir, shapes checked, and writes the type of each node into ours.json.
"""

import json
import sys
from pathlib import Path

import nir
import numpy as np

DT = 0.001
TICKS = 300


def exponential(matrix):
    """exp(matrix), by its series for a small part of it."""
    small, total, term = matrix / 1024, np.eye(len(matrix)), np.eye(len(matrix))
    for k in range(1, 20):
        term = term @ small / k
        total = total + term
    for _ in range(10):
        total = total @ total
    return total


class Neuron:
    """I, LI, IF, LIF, CubaLI and CubaLIF as linear systems of (v, i, x, 1)."""

    def __init__(self, node, integration):
        self.node = node
        shape = np.shape(node.r)
        self.v = np.array(getattr(node, "v_leak", np.zeros(shape)), float)
        self.i = np.zeros(shape)
        kind = type(node).__name__
        self.spiking = kind in ("IF", "LIF", "CubaLIF")
        steps = []
        for k in np.ndindex(*shape):
            r, a = node.r[k], np.zeros((4, 4))
            if kind in ("I", "IF"):
                a[0, 2] = r
            elif kind in ("LI", "LIF"):
                a[0] = np.array([-1, 0, r, node.v_leak[k]]) / node.tau[k]
            else:
                a[0] = np.array([-1, r, 0, node.v_leak[k]]) / node.tau_mem[k]
                a[1] = np.array([0, -1, node.w_in[k], 0]) / node.tau_syn[k]
            steps.append(exponential(a * DT) if integration == "exact" else np.eye(4) + a * DT)
        self.steps = np.array(steps).reshape(*shape, 4, 4)

    def __call__(self, x):
        state = np.stack([self.v, self.i, np.broadcast_to(x, self.v.shape), np.ones_like(self.v)], -1)
        state = np.einsum("...ab,...b->...a", self.steps, state)
        self.v, self.i = state[..., 0], state[..., 1]
        if not self.spiking:
            return self.v.copy()
        z = self.v > self.node.v_threshold
        self.v = np.where(z, self.node.v_reset, self.v)
        return z.astype(float)


def windows(x, w, bias, stride, around, dilation, groups):
    """A convolution of [channels, height, width]."""
    x = np.pad(x, ((0, 0), around[0], around[1]))
    span = [(n - 1) * d + 1 for n, d in zip(w.shape[2:], dilation)]
    size = [(n - s) // t + 1 for n, s, t in zip(x.shape[1:], span, stride)]
    out = np.zeros((w.shape[0], *size))
    inner, outer = w.shape[1], w.shape[0] // groups
    for to in range(w.shape[0]):
        group = to // outer
        for row in range(size[0]):
            for column in range(size[1]):
                y0, x0 = row * stride[0], column * stride[1]
                part = x[
                    group * inner : (group + 1) * inner,
                    y0 : y0 + span[0] : dilation[0],
                    x0 : x0 + span[1] : dilation[1],
                ]
                out[to, row, column] = np.sum(part * w[to]) + bias[to]
    return out


def lif(rng, n, kind=nir.LIF):
    """Cells that all differ."""
    own = {
        "r": rng.uniform(0.5, 2, n),
        "v_leak": rng.uniform(-0.2, 0.1, n),
        "v_threshold": rng.uniform(0.3, 0.6, n),
        "v_reset": rng.uniform(-0.3, 0.2, n),
    }
    if kind is nir.CubaLIF:
        times = {"tau_mem": rng.uniform(0.005, 0.02, n), "tau_syn": rng.uniform(0.002, 0.01, n)}
        return nir.CubaLIF(**own, **times, w_in=rng.uniform(0.5, 2, n))
    return nir.LIF(**own, tau=rng.uniform(0.005, 0.02, n))


def deep(rng):
    """Three spiking layers, one of them recurrent, one with synaptic currents."""
    nodes = {
        "in": nir.Input(np.array([12])),
        "a": nir.Affine(rng.normal(0, 4, (8, 12)), rng.normal(0.2, 0.2, 8)),
        "cuba": lif(rng, 8, nir.CubaLIF),
        "b": nir.Linear(rng.normal(0, 4, (10, 8))),
        "lif": lif(rng, 10),
        "rec": nir.Linear(rng.normal(0, 1, (10, 10))),
        "c": nir.Linear(rng.normal(0, 60, (6, 10)).astype(np.float32)),
        "if": nir.IF(r=rng.uniform(5, 9, 6), v_threshold=rng.uniform(0.3, 0.6, 6), v_reset=np.full(6, -0.1)),
        "d": nir.Linear(rng.normal(0, 1, (3, 6))),
        "li": nir.LI(tau=rng.uniform(0.01, 0.03, 3), r=rng.uniform(1, 2, 3), v_leak=rng.normal(0, 0.1, 3)),
        "out": nir.Output(np.array([3])),
    }
    chain = ["in", "a", "cuba", "b", "lif", "c", "if", "d", "li", "out"]
    edges = list(zip(chain, chain[1:])) + [("lif", "rec"), ("rec", "lif")]

    def run(inputs, integration):
        cells = {k: Neuron(nodes[k], integration) for k in ("cuba", "lif", "if", "li")}
        z = np.zeros(10)
        for x in inputs["in"]:
            cuba = cells["cuba"](nodes["a"].weight @ x + nodes["a"].bias)
            z = cells["lif"](nodes["b"].weight @ cuba + nodes["rec"].weight @ z)
            spikes = cells["if"](nodes["c"].weight.astype(float) @ z)
            li = cells["li"](nodes["d"].weight @ spikes)
            yield {"cuba": cuba, "lif": z, "if": spikes, "out": li}

    return nodes, edges, {"in": (12,)}, run


def images(rng):
    """Convolutions and pools of an image."""
    conv = nir.Conv2d((9, 8), rng.normal(0, 2, (4, 2, 3, 2)), (2, 1), (1, 0), (1, 2), 1, rng.normal(0, 0.3, 4))
    same = nir.Conv2d((5, 6), rng.normal(0, 3, (4, 2, 2, 3)), 1, "same", (2, 1), 2, np.zeros(4))
    shape = (4, 5, 6)
    cells = nir.IF(r=np.full(shape, 300.0), v_threshold=rng.uniform(0.3, 0.9, shape), v_reset=np.zeros(shape))
    nodes = {
        "in": nir.Input(np.array([2, 9, 8])),
        "conv": conv,
        "cells": cells,
        "same": same,
        "average": nir.AvgPool2d(np.array([2, 3]), np.array([2, 2]), np.array([1, 1])),
        "sum": nir.SumPool2d(np.array([2, 2]), np.array([1, 2]), np.array([0, 0])),
        "flat": nir.Flatten({"input": np.array([4, 2, 1])}, 0, -1),
        "w": nir.Linear(rng.normal(0, 1, (5, 8))),
        "cuba": nir.CubaLI(
            tau_mem=rng.uniform(0.01, 0.03, 5),
            tau_syn=np.full(5, 0.004),
            r=np.full(5, 2.0),
            v_leak=np.zeros(5),
            w_in=np.full(5, 1.5),
        ),
        "out": nir.Output(np.array([5])),
    }
    chain = list(nodes)

    def pool(x, kernel, stride, around):
        ones, n = np.ones((len(x), 1, *kernel)), len(x)
        return windows(x, ones, np.zeros(n), stride, around, (1, 1), n)

    def run(inputs, integration):
        spiking, readout = Neuron(cells, integration), Neuron(nodes["cuba"], integration)
        for x in inputs["in"]:
            a = windows(x, conv.weight, conv.bias, (2, 1), ((1, 1), (0, 0)), (1, 2), 1)
            z = spiking(a)
            b = windows(z, same.weight, same.bias, (1, 1), ((1, 1), (1, 1)), (2, 1), 2)
            c = pool(b, (2, 3), (2, 2), ((1, 1), (1, 1))) / 6
            d = pool(c, (2, 2), (1, 2), ((0, 0), (0, 0)))
            y = readout(nodes["w"].weight @ d.flatten())
            yield {"conv": a, "cells": z, "same": b, "average": c, "sum": d, "out": y}

    return nodes, list(zip(chain, chain[1:])), {"in": (2, 9, 8)}, run


def loops(rng):
    """Two inputs; layers that drive each other, one in a graph of its own, with delays."""
    block = nir.NIRGraph(
        {
            "input": nir.Input(np.array([7])),
            "w": nir.Linear(rng.normal(0, 3, (5, 7))),
            "second": lif(rng, 5),
            "output": nir.Output(np.array([5])),
        },
        [("input", "w"), ("w", "second"), ("second", "output")],
    )
    nodes = {
        "left": nir.Input(np.array([4])),
        "right": nir.Input(np.array([7])),
        "w": nir.Linear(rng.normal(0, 4, (7, 4))),
        "gain": nir.Scale(rng.uniform(1, 3, 7)),
        "first": lif(rng, 7),
        "block": block,
        "back": nir.Linear(rng.normal(0, 1, (7, 5))),
        "wait": nir.Delay(np.array([0.003, 0.001, 0.01, 0.002, 0.004, 0.005, 0.003])),
        "echo": nir.Linear(rng.normal(0, 0.7, (7, 7))),
        "sum": nir.I(r=np.full(5, 20.0)),
        "above": nir.Threshold(np.full(5, 0.5)),
        "out": nir.Output(np.array([5])),
    }
    edges = [
        ("left", "w"),
        ("w", "first"),
        ("right", "gain"),
        ("gain", "first"),
        ("first", "block"),
        ("block", "back"),
        ("back", "first"),
        ("first", "wait"),
        ("wait", "echo"),
        ("echo", "first"),
        ("block", "sum"),
        ("sum", "above"),
        ("above", "out"),
    ]

    def run(inputs, integration):
        first, second = Neuron(nodes["first"], integration), Neuron(block.nodes["second"], integration)
        total = Neuron(nodes["sum"], integration)
        history, back = [np.zeros(7)] * TICKS, np.zeros(7)
        ticks = np.round(nodes["wait"].delay / DT).astype(int)
        for left, right in zip(inputs["left"], inputs["right"]):
            late = np.array([history[-n][k] for k, n in enumerate(ticks)])
            x = nodes["w"].weight @ left + nodes["gain"].scale * right
            a = first(x + back + nodes["echo"].weight @ late)
            history.append(a)
            b = second(block.nodes["w"].weight @ a)
            back = nodes["back"].weight @ b
            y = total(b)
            yield {"first": a, "block/second": b, "sum": y, "out": (y > 0.5).astype(float)}

    return nodes, edges, {"left": (4,), "right": (7,)}, run


def main():
    folder = Path(sys.argv[1])
    ours = nir.read(folder / "ours.nir")
    (folder / "ours.json").write_text(json.dumps({k: type(n).__name__ for k, n in ours.nodes.items()}))
    for name, make in [("deep", deep), ("images", images), ("loops", loops)]:
        rng = np.random.default_rng(5)
        nodes, edges, shapes, run = make(rng)
        # nir 1.0.8 takes the height of a kernel for its width where it infers shapes.
        graph = nir.NIRGraph(nodes, edges, type_check=name != "images")
        nir.write(folder / f"{name}.nir", graph)
        inputs = {node: (rng.random((TICKS, *shape)) < 0.15).astype(float) for node, shape in shapes.items()}
        told = {"inputs": {node: values.reshape(TICKS, -1).tolist() for node, values in inputs.items()}}
        for integration in ("exact", "euler"):
            ticks = list(run(inputs, integration))
            told[integration] = {k: [tick[k].flatten().tolist() for tick in ticks] for k in ticks[0]}
        (folder / f"{name}.json").write_text(json.dumps(told))


main()
