"""Readers of event files that PyPI has, each as fast as its documentation offers.

As a program (`saccade events bench FILE --peers PYTHON`) it measures them:

    peers.py FILE FORMAT WIDTH HEIGHT

prints one JSON document per line: first the names of the peers that are installed
and read FORMAT (evt2, evt3, dat, aedat4, es), and their versions. Then it takes
lines with a peer's name from stdin and answers each with {"seconds": ...}, or,
for `NAME sums`, with what the peer found: {"events", "on", "sum_x", "sum_y",
"sum_t_us"}, and "checksum" where xxhash is installed: XXH3-64 over the events
as little-endian records (t_us u64, x u16, y u16, p u8).
"""

import functools
import importlib.metadata
import json
import os
import sys
import time

# Peers that would spread over all cores have one, as we use one.
os.environ |= {"RAYON_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}

# A reader is (batches, columns): batches(path, sensor) yields what the peer gives,
# with time, column, row and polarity of every event in memory; columns(batch, sensor)
# makes t (us), x, y, p arrays of it, which is not measured.


def named(batch, _sensor):
    return batch["t"], batch["x"], batch["y"], batch["p"]


def faery(module, *arguments):
    def batches(path, sensor):
        import faery

        with getattr(faery, module).Decoder(path, *(a(sensor) for a in arguments)) as decoder:
            for packet in decoder:
                yield packet

    def columns(packet, sensor):
        if isinstance(packet, tuple):  # aedat4: track, events
            packet = packet[1]
        if isinstance(packet, dict):  # evt: events, triggers
            if "events" not in packet:
                return EMPTY
            packet = packet["events"]
        fields = [name for name in ("p", "on", "payload") if name in packet.dtype.fields]
        y = sensor[1] - 1 - packet["y"] if module == "es" else packet["y"]
        return packet["t"], packet["x"], y, packet[fields[0]]

    return batches, columns


EMPTY = ((), (), (), ())


def expelliarmus(encoding):
    def batches(path, _sensor):
        from expelliarmus import Wizard

        yield Wizard(encoding=encoding).read(path)

    return batches, named


def eventcv_batches(path, sensor):
    import eventcv

    yield eventcv.load(path, sensor_size=sensor)


def eventcv_columns(stream, _sensor):
    events = stream.numpy()
    return events[:, 2], events[:, 0], events[:, 1], events[:, 3]


def evt3_batches(path, _sensor):
    import evt3

    yield from evt3.decode_file_batches(path)


def dv_batches(path, _sensor):
    import dv_processing

    recording = dv_processing.io.MonoCameraRecording(path)
    while (batch := recording.getNextEventBatch()) is not None:
        yield batch


def dv_columns(store, _sensor):
    events = store.numpy()
    return events["timestamp"], events["x"], events["y"], events["polarity"]


def aedat_batches(path, _sensor):
    import aedat

    for packet in aedat.Decoder(path):
        if "events" in packet:
            yield packet["events"]


def es_batches(path, _sensor):
    import event_stream

    with event_stream.Decoder(path) as decoder:
        yield from decoder


def es_columns(batch, sensor):
    return batch["t"], batch["x"], sensor[1] - 1 - batch["y"], batch["on"]


def sensor_of(sensor):
    return sensor


def version(name):
    return lambda _sensor: name


READERS = {
    "evt2": {
        "expelliarmus": expelliarmus("evt2"),
        "eventcv": (eventcv_batches, eventcv_columns),
        "faery": faery("evt", sensor_of, version("evt2")),
    },
    "evt3": {
        "evt3": (evt3_batches, lambda b, _: (b.timestamp, b.x, b.y, b.polarity)),
        "expelliarmus": expelliarmus("evt3"),
        "eventcv": (eventcv_batches, eventcv_columns),
        "faery": faery("evt", sensor_of, version("evt3")),
    },
    "dat": {
        "expelliarmus": expelliarmus("dat"),
        "eventcv": (eventcv_batches, eventcv_columns),
        "faery": faery("dat", sensor_of, version("dat2")),
    },
    "aedat4": {
        "dv-processing": (dv_batches, dv_columns),
        "aedat": (aedat_batches, named),
        "eventcv": (eventcv_batches, eventcv_columns),
        "faery": faery("aedat"),
    },
    "es": {
        "event-stream": (es_batches, es_columns),
        "faery": faery("es", lambda _sensor: 0),
    },
}


def installed(kind):
    """Name -> version of the peers that are installed and read this format."""
    found = {}
    for name in READERS[kind]:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


def records(batch, columns, sensor):
    """A batch as packed little-endian records (t_us u64, x u16, y u16, p u8)."""
    import numpy as np

    t, x, y, p = columns(batch, sensor)
    out = np.empty(len(t), dtype=[("t", "<u8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")])
    # As the peers have it: a payload is 1 for ON, a polarity of -1 or 0 is OFF.
    for name, column in (("t", t), ("x", x), ("y", y), ("p", np.asarray(p) > 0)):
        out[name] = column
    return out


def sums(reader, path, sensor):
    batches, columns = reader
    try:
        import xxhash

        checksum = xxhash.xxh3_64()
    except ImportError:
        checksum = None
    total = {"events": 0, "on": 0, "sum_x": 0, "sum_y": 0, "sum_t_us": 0}
    for batch in batches(path, sensor):
        events = records(batch, columns, sensor)
        total["events"] += len(events)
        for name, field in (("on", "p"), ("sum_x", "x"), ("sum_y", "y"), ("sum_t_us", "t")):
            total[name] += int(events[field].sum(dtype="u8"))
        if checksum:
            checksum.update(events.tobytes())
    if checksum:
        total["checksum"] = f"{checksum.intdigest():016x}"
    return total


def seconds(reader, path, sensor):
    batches, _ = reader
    start = time.perf_counter()
    for _batch in batches(path, sensor):
        pass
    return time.perf_counter() - start


def answer(line, kind, path, sensor):
    name, *what = line.split()
    reader = READERS[kind][name]
    try:
        if what:
            return sums(reader, path, sensor)
        return {"seconds": seconds(reader, path, sensor)}
    except Exception as error:  # whatever a peer may raise is an answer about it
        return {"error": f"{type(error).__name__}: {error}"[:200]}


def main(path, kind, width, height):
    say = functools.partial(print, flush=True)
    say(json.dumps(installed(kind) if kind in READERS else {}))
    for line in sys.stdin:
        say(json.dumps(answer(line, kind, path, (int(width), int(height)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
