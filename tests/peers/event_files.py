"""Reads and writes event files with PyPI's readers and writers of them.

usage: event_files.py JOBS

JOBS: one JSON document per line, {"way", "peer", "format", "file", "events",
"width", "height"}. With the way "read" the peer reads `file`, and what it found is
written into `events` as packed little-endian records (t_us u64, x u16, y u16, p u8);
with "write" the peer writes the records in `events` into `file`. For every job a line
is printed: "done", or what the peer said against it.
"""

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[2] / "launch/src/cli/events/bench"))
import peers  # noqa: E402

RECORDS = np.dtype([("t", "<u8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")])


def as_fields(events, fields):
    """The records with other types and order of fields (NumPy would go by position)."""
    out = np.empty(len(events), fields)
    for name, _ in fields:
        out[name] = events["p" if name == "payload" else name]
    return out


# Readers of formats that are not measured.


def faery_csv(path, sensor):
    import faery

    arguments = (path, sensor, True, ord(","), 0, 1, 2, 3, 1.0, 0, b"1", b"0", False)
    with faery.csv.Decoder(*arguments) as decoder:
        yield from decoder


def numpy_text(path, _sensor):
    yield np.loadtxt(path, delimiter=",", skiprows=1, dtype=RECORDS)


def numpy_npy(path, _sensor):
    yield np.load(path)


def numpy_npz(path, _sensor):
    file = np.load(path)
    yield file["events"] if "events" in file else {name: file[name] for name in "txyp"}


def h5py_events(path, _sensor):
    import h5py

    with h5py.File(path) as file:
        yield file["CD/events"][:]


def eventcv_bag(path, sensor):
    import eventcv

    yield eventcv.load(path, sensor_size=sensor, topic="/events")


EVENTCV = (peers.eventcv_batches, peers.eventcv_columns)
READERS = {
    **peers.READERS,
    "text": {
        "faery": (faery_csv, peers.named),
        "numpy": (numpy_text, peers.named),
        "eventcv": EVENTCV,
    },
    "npy": {"numpy": (numpy_npy, peers.named)},
    "npz": {"numpy": (numpy_npz, peers.named), "eventcv": EVENTCV},
    "hdf5": {"h5py": (h5py_events, peers.named), "eventcv": EVENTCV},
    "evt21": {"faery": peers.faery("evt", peers.sensor_of, peers.version("evt2.1"))},
    "bag": {"eventcv": (eventcv_bag, peers.eventcv_columns)},
}


def read(job, sensor):
    batches, columns = READERS[job["format"].split("_")[0]][job["peer"]]
    found = [peers.records(b, columns, sensor) for b in batches(job["file"], sensor)]
    np.concatenate(found or [np.empty(0, RECORDS)]).tofile(job["events"])


# Writers: functions of path, format, sensor, events.


def write_faery(path, kind, sensor, events):
    import faery

    as_faery = events.astype(faery.EVENTS_DTYPE)
    if kind in ("evt2", "evt3"):
        with faery.evt.Encoder(path, kind, False, sensor, False) as encoder:
            encoder.write({"events": as_faery})
    elif kind == "dat":
        fields = [("t", "<u8"), ("x", "<u2"), ("y", "<u2"), ("payload", "u1")]
        with faery.dat.Encoder(path, "dat2", "cd", False, sensor) as encoder:
            encoder.write(as_fields(events, fields))
    elif kind == "es":
        as_faery["y"] = sensor[1] - 1 - as_faery["y"]
        with faery.es.Encoder(path, "dvs", False, sensor) as encoder:
            encoder.write(as_faery)
    elif kind == "text":
        with faery.csv.Encoder(path, ord(","), True, sensor, False) as encoder:
            encoder.write(as_faery)
    else:
        packing = {"aedat4": None, "aedat4_lz4": ("lz4", 1), "aedat4_zstd": ("zstd", 3)}[kind]
        stream = faery.events_stream_from_array(as_faery, sensor)
        stream.to_file(path, compression=packing)


def write_expelliarmus(path, kind, _sensor, events):
    from expelliarmus import Wizard

    fields = [("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1")]
    Wizard(encoding=kind).save(path, as_fields(events, fields))


def write_event_stream(path, _kind, sensor, events):
    import event_stream

    as_theirs = events.astype(event_stream.dvs_dtype)
    as_theirs["y"] = sensor[1] - 1 - as_theirs["y"]
    with event_stream.Encoder(path, "dvs", *sensor) as encoder:
        encoder.write(as_theirs)


def write_dv(path, kind, sensor, events):
    import dv_processing as dv

    packing = {
        "aedat4": dv.CompressionType.NONE,
        "aedat4_lz4": dv.CompressionType.LZ4,
        "aedat4_zstd": dv.CompressionType.ZSTD,
    }[kind]
    config = dv.io.MonoCameraWriter.EventOnlyConfig("DVS", sensor, packing)
    writer = dv.io.MonoCameraWriter(path, config)
    for start in range(0, len(events), 10_000):
        store = dv.EventStore()
        for t, x, y, p in events[start : start + 10_000].tolist():
            store.push_back(t, x, y, bool(p))
        writer.writeEvents(store)


def write_eventcv(path, _kind, sensor, events):
    import eventcv

    columns = [events[name].astype("i8") for name in "xytp"]
    stream = eventcv.from_numpy(np.stack(columns, 1), sensor_size=sensor, time_unit="us")
    stream.save(path)


def write_numpy(path, kind, _sensor, events):
    if kind == "npy":
        fields = [("x", "<i2"), ("y", ">i4"), ("t", "<i8"), ("p", "?")]
        np.save(path, as_fields(events, fields))
    elif kind == "npz":
        np.savez_compressed(path, **{name: events[name] for name in "txyp"})
    else:
        np.savetxt(path, events, fmt="%d", delimiter=" ")


def write_h5py(path, kind, sensor, events):
    import h5py

    offsets = {"names": ["x", "y", "p", "t"], "offsets": [0, 2, 4, 8], "itemsize": 16}
    fields = np.dtype({**offsets, "formats": ["<u2", "<u2", "<i2", "<i8"]})
    records = np.zeros(len(events), fields)
    for name in "xypt":
        records[name] = events[name]
    packing = {"compression": "gzip", "shuffle": True} if kind == "hdf5_deflate" else {}
    with h5py.File(path, "w") as file:
        file.attrs["geometry"] = "{}x{}".format(*sensor)
        file.create_dataset("CD/events", data=records, **packing)


WRITERS = {
    "faery": write_faery,
    "expelliarmus": write_expelliarmus,
    "event-stream": write_event_stream,
    "dv-processing": write_dv,
    "eventcv": write_eventcv,
    "numpy": write_numpy,
    "h5py": write_h5py,
}


def write(job, sensor):
    events = np.fromfile(job["events"], RECORDS)
    WRITERS[job["peer"]](job["file"], job["format"], sensor, events)


for line in Path(sys.argv[1]).read_text(encoding="utf-8").splitlines():
    job = json.loads(line)
    try:
        {"read": read, "write": write}[job["way"]](job, (job["width"], job["height"]))
        print("done")
    except BaseException as error:  # faery's panics are no Exceptions
        print(" ".join(f"{type(error).__name__}: {error}".split())[:200])
