"""Learns the network of `saccade bench place-recognition` in NumPy and times it.

stdin: a JSON document in one line, as `place_peer.rs` writes it, then the weights and the
inputs it names as little-endian f32, then a line for each turn. stdout: a JSON document in
a line for each line: NumPy's version; then the seconds of a turn, and all joint causes.
"""

import json
import sys
import time

import numpy as np

source = sys.stdin.buffer
task = json.loads(source.readline())


def take(*shape):
    count = int(np.prod(shape))
    return np.frombuffer(source.read(4 * count), "<f4").reshape(shape).copy()


# A row for each cause, so that causes stand before the weights.
weights = [[np.ascontiguousarray(take(*shape).T) for shape in path] for path in task["weights"]]
samples = task["samples"]
inputs = [take(samples, size) for size in task["inputs"]]
rates = {k: np.float32(2 * v) for k, v in task["rates"].items()}
start = np.float32(task["start"])
layers = [[np.full((samples, len(w)), start) for w in path[:-1]] for path in weights]
joint = np.full((samples, len(weights[0][-1])), start)


def errors(sample, m):
    """What is missed from layer to layer, and the same gated."""
    one = slice(sample, sample + 1)
    causes = [c[one] for c in layers[m]] + [joint[one]]
    below = [inputs[m][one]] + causes[:-1]
    missed, gated = [], []
    for w, c, x in zip(weights[m], causes, below):
        z = c @ w
        positive = z > 0
        e = x - np.where(positive, z, np.float32(0.2) * z)
        missed.append(e)
        gated.append(np.where(positive, e, np.float32(0.2) * e))
    return missed, gated


def learn(sample):
    one = slice(sample, sample + 1)
    for _ in range(task["cause_steps"]):
        both = [errors(sample, m) for m in (0, 1)]
        for m, (missed, gated) in enumerate(both):
            rate = rates[("visual", "tactile")[m]]
            for i, c in enumerate(layers[m]):
                c[one] += rate * (gated[i] @ weights[m][i].T - missed[i + 1])
        joint[one] += rates["joint"] * sum(g[-1] @ weights[m][-1].T for m, (_, g) in enumerate(both))
    for m in (0, 1):
        _, gated = errors(sample, m)
        name = ("visual", "tactile")[m]
        for i, w in enumerate(weights[m]):
            top = i == len(weights[m]) - 1
            c = joint[one] if top else layers[m][i][one]
            rate = rates["joint_weights" if top else name + "_weights"]
            w += (rate * c).T * gated[i]


print(json.dumps({"version": np.__version__}), flush=True)
for _ in source:
    wall, cpu = time.perf_counter(), time.process_time()
    for sample in range(samples):
        learn(sample)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    print(json.dumps({"wall_s": wall, "cpu_s": cpu, "joint": joint.ravel().tolist()}), flush=True)
