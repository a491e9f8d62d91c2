#!/usr/bin/env python3
"""Sets up a classifier's recurrent layer on a SpiNNaker board, for the node eprop_classifier.

Needs sPyNNaker (pip install "sPyNNaker==1!7.4.1") and a board that ~/.spynnaker.cfg names:

    ./classifier_on_board.py launch/weights/grasp.safetensors
    saccade launch launch/grasp.launch.xml --realtime backend:=spinnaker board:=notified

The node is told when the network is loaded, and where its database is; then the network runs
until Ctrl-C, or for --minutes. With --virtual nothing is loaded: the network is built and mapped
onto a board that is not there, and what that took is printed.

What is not as in our engine, because sPyNNaker's neurons have nothing like it:

* a spike sets the potential to 0, here it takes the threshold off;
* the potential stands still in the refractory time, here it goes on;
* the threshold of an adaptive neuron stays, a current of the same size drives it down, and
  follows with the membrane's time constant (IF_curr_delta_ca2_adaptive);
* the begin of an interval clears nothing: leave a second between saccades, in which the
  membrane (20 ms) and the adaptation (200 ms) decay.

What that does to the accuracy, `saccade spinnaker eval` says with the board.
"""

import argparse
import atexit
import json
import math
import os
import struct
import sys
import tempfile

import numpy

#: Cores beside the neurons' that hold one population each.
NEURONS_PER_CORE = 64
#: Weights closer to 0 than this share of the largest are not sent to the board.
NOTHING = 1 / 65536


class Weights:
    """A classifier as `saccade train` writes it (safetensors)."""

    def __init__(self, path):
        with open(path, "rb") as file:
            data = file.read()
        if len(data) < 8:
            raise ValueError(f"{path}: {len(data)} bytes are no safetensors file")
        size, = struct.unpack_from("<Q", data)
        if size > len(data) - 8:
            raise ValueError(f"{path}: its header of {size} bytes is cut off, or it is "
                             "no safetensors file")
        header = json.loads(data[8:8 + size])
        said = json.loads(header.get("__metadata__", {}).get("saccade", "{}"))
        if said.get("network") != "classifier":
            raise ValueError(f"{path}: no weights of a classifier; `saccade train classifier` "
                             "writes such a file")
        self.config = said["config"]
        self.neuron = self.config["neuron"]
        tensors = data[8 + size:]

        def tensor(name):
            begin, end = header[name]["data_offsets"]
            values = numpy.frombuffer(tensors[begin:end], "<f4")
            return values.reshape(header[name]["shape"])

        self.w_in, self.w_rec = tensor("w_in"), tensor("w_rec")
        if self.neuron["regular_spike_arrival"]:
            # Each spike counts in full there: as if its weight were so much larger here.
            gain = 1 / (1 - math.exp(-self.neuron["dt_ms"] / self.neuron["tau_m_ms"]))
            self.w_in, self.w_rec = self.w_in * gain, self.w_rec * gain

    def cell(self, sim):
        """The neuron model: R = tau_m / C_m = 1, so that a weight is what it is here."""
        n, neuron = self.config, self.neuron
        # A current of so much shifts the resting potential as a spike shifts the threshold.
        shift = [0.0] * n["n_lif"] + [neuron["beta"]] * n["n_alif"]
        return sim.extra_models.IFCurrDeltaCa2Adaptive(
            tau_m=neuron["tau_m_ms"], cm=neuron["tau_m_ms"], v_rest=0.0, v_reset=0.0,
            v_thresh=neuron["v_th"], tau_refrac=neuron["t_ref_ms"],
            tau_ca2=neuron["tau_a_ms"], i_alpha=shift)


def connections(weights):
    """Rows of source, target, weight in nA, delay in ms; without what weighs nothing."""
    source, target = numpy.nonzero(abs(weights) > NOTHING * abs(weights).max())
    ones = numpy.ones(len(source))
    return numpy.column_stack((source, target, weights[source, target], ones))


def build(sim, weights, port):
    """The populations that the node knows: input, control, hidden, heartbeat."""
    n_in, n_rec = weights.w_in.shape
    tell = {"database_notify_port_num": port}
    injector = sim.external_devices.SpikeInjector
    inputs = sim.Population(n_in, injector(**tell), label="input")
    control = sim.Population(2, injector(**tell), label="control")
    hidden = sim.Population(n_rec, weights.cell(sim), label="hidden",
                            initial_values={"v": 0.0, "i_ca2": 0.0})
    # Driven so far that it fires in every tick.
    always = sim.IF_curr_exp(tau_m=1.0, cm=1.0, v_rest=0.0, v_reset=0.0, v_thresh=1.0,
                             tau_refrac=0.0, i_offset=1000.0)
    heartbeat = sim.Population(1, always, label="heartbeat")
    for source, matrix in ((inputs, weights.w_in), (hidden, weights.w_rec)):
        excite = numpy.maximum(matrix, 0)
        inhibit = numpy.minimum(matrix, 0)
        for part, receptor in ((excite, "excitatory"), (inhibit, "inhibitory")):
            rows = connections(part)
            if len(rows):
                sim.Projection(source, hidden, sim.FromListConnector(rows),
                               receptor_type=receptor)
    for population in (control, hidden, heartbeat):
        sim.external_devices.activate_live_output_for(population, **tell)
    return [inputs, control, hidden, heartbeat]


def main():
    """Runs the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", help="weights of `saccade train classifier`")
    parser.add_argument("--port", type=int, default=19999,
                        help="port on which the node waits to be told (default: %(default)s)")
    parser.add_argument("--minutes", type=float,
                        help="how long the network runs (default: until Ctrl-C)")
    parser.add_argument("--virtual", action="store_true",
                        help="map the network only, onto a board that is not there")
    args = parser.parse_args()
    try:
        weights = Weights(args.weights)
    except (OSError, ValueError, KeyError) as error:
        sys.exit(f"{parser.prog}: {error}")
    if args.virtual:
        no_board()
    import pyNN.spiNNaker as sim
    run(sim, weights, args)


def no_board():
    """Settings of a board that is not there, in a folder that goes when the program ends."""
    folder = tempfile.TemporaryDirectory()
    # Before sPyNNaker asks for the same, so that it is done after that.
    atexit.register(folder.cleanup)
    with open(os.path.join(folder.name, ".spynnaker.cfg"), "w", encoding="utf-8") as file:
        file.write("[Machine]\nvirtual_board = True\nversion = 5\n")
    # sPyNNaker reads its settings at home, and writes its reports where it is.
    os.environ["HOME"] = folder.name
    os.chdir(folder.name)


def run(sim, weights, args):
    """Builds the network and lets it run."""
    sim.setup(timestep=weights.neuron["dt_ms"])
    sim.set_number_of_neurons_per_core(sim.extra_models.IFCurrDeltaCa2Adaptive,
                                       NEURONS_PER_CORE)
    for population in build(sim, weights, args.port):
        print(f"{population.label:<10} {population.size} atoms")
    if args.virtual:
        sim.run(10)  # ms
        from spynnaker.pyNN.data import SpynnakerDataView
        print(f"{SpynnakerDataView.get_n_placements()} cores of a board that is not there, with "
              "those of monitors")
        # What was told reads the database, which goes with the folder; for a real board the
        # tool chain waits by itself.
        SpynnakerDataView.get_notification_protocol().wait_for_confirmation()
    elif args.minutes:
        sim.run(60000 * args.minutes)
    else:
        sim.external_devices.run_forever()
    sim.end()


if __name__ == "__main__":
    main()
