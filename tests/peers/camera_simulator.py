"""PyPI eventcv's event-camera simulator on given frames.

usage: camera_simulator.py FRAMES WIDTH HEIGHT FPS ARGUMENTS

FRAMES: 8-bit grey values, frame after frame. ARGUMENTS: JSON, for eventcv.simulate.
Prints {"seconds", "events"}, on one core; reading the frames is not measured.
"""

import json
import os
import sys
import time

# Before eventcv starts its threads.
os.environ["RAYON_NUM_THREADS"] = "1"

import eventcv  # noqa: E402
import numpy as np  # noqa: E402

path, width, height, fps, arguments = sys.argv[1:]
frames = np.fromfile(path, np.uint8).reshape(-1, int(height), int(width))
arguments = json.loads(arguments)
start = time.perf_counter()
events = eventcv.simulate(frames, fps=float(fps), **arguments)
print(json.dumps({"seconds": time.perf_counter() - start, "events": len(events)}))
