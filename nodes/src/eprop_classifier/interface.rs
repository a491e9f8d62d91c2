//! What `eprop_classifier` publishes, hears and takes as parameters.

use crate::interface::{Endpoint, Interface, ParameterDecl, Qos, TimerDecl};

/// The node's declarations.
pub static INTERFACE: Interface = Interface {
    name: "eprop_classifier",
    doc: "Recurrent LIF/ALIF network that classifies while events arrive and learns with e-prop.",
    publishers: &[
        Endpoint::new(
            "decision",
            "saccade_msgs/msg/Decision",
            "Running decisions, then the final one.",
        )
        .qos(Qos::DEFAULT.depth(64)),
        Endpoint::new(
            "classification",
            "vision_msgs/msg/Classification",
            "The final decision, all classes with scores.",
        ),
        Endpoint::new(
            "activity",
            "saccade_msgs/msg/Activity",
            "Readout and probabilities every 5 ms during a saccade.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "hidden_spikes",
            "saccade_msgs/msg/Spikes",
            "Spikes of the recurrent layer, one message per decision period.",
        )
        .qos(Qos::SENSOR.depth(256)),
    ],
    subscriptions: &[
        Endpoint::new("spikes", "saccade_msgs/msg/Spikes", "Input spikes.")
            .qos(Qos::SENSOR.depth(256)),
        Endpoint::new(
            "saccade",
            "saccade_msgs/msg/SaccadePhase",
            "An onset starts an interval, its end ends it.",
        )
        .qos(Qos::DEFAULT.depth(32)),
        Endpoint::new(
            "label",
            "saccade_msgs/msg/Label",
            "The learning signal: what lies there, while `learn` is true.",
        ),
    ],
    parameters: &[
        ParameterDecl::text(
            "weights",
            "",
            "Weights file (safetensors) of `saccade train`; empty starts untrained.",
        ),
        ParameterDecl::integer(
            "seed",
            1,
            (0, i64::MAX),
            "",
            "Seed of the weights where none are loaded, and of what is varied in rehearsal.",
        ),
        ParameterDecl::switch(
            "learn",
            true,
            "Label messages change weights at the end of a saccade; without one nothing does.",
        ),
        ParameterDecl::text(
            "plastic",
            "",
            "What labels change: `readout` (other classes stay, by rehearsal) or `all` weights; \
             empty is `readout` where weights are loaded, else `all`.",
        ),
        ParameterDecl::integer(
            "new_classes",
            0,
            (0, 64),
            "",
            "So many names that the network does not know yet may be taught.",
        ),
        ParameterDecl::integer(
            "rehearsal",
            64,
            (1, 10_000),
            "",
            "Intervals of each class that `readout` keeps and rehearses.",
        ),
        ParameterDecl::double(
            "remember_above",
            0.8,
            (0.0, 1.0),
            "",
            "Intervals decided with this confidence, with no label, are kept to be rehearsed.",
        ),
        ParameterDecl::double(
            "learning_rate",
            0.002,
            (0.0, 1.0),
            "",
            "Adam's step size where `all` weights learn.",
        ),
        ParameterDecl::double(
            "average",
            0.9,
            (0.0, 0.999),
            "",
            "Decay per label of the running average that decides where `all` weights learn.",
        ),
        ParameterDecl::double(
            "decide_after",
            0.3,
            (0.01, 10.0),
            "s",
            "The final decision falls this long after onset.",
        ),
        ParameterDecl::double(
            "decision_period",
            0.01,
            (0.001, 1.0),
            "s",
            "Between running decisions.",
        ),
        ParameterDecl::double(
            "interval",
            0.0,
            (0.0, 60.0),
            "s",
            "Without saccade messages: start a new interval this often; 0 waits for an onset.",
        ),
        ParameterDecl::text(
            "backend",
            "cpu",
            "Where the recurrent layer runs: `cpu`, here, or `spinnaker`, on a board.",
        ),
        ParameterDecl::text(
            "board",
            "emulated",
            "For `spinnaker`: `emulated`, in this process; `notified`, by sPyNNaker when it starts; \
             or the file of the board's database.",
        ),
        ParameterDecl::text(
            "board_host",
            "127.0.0.1",
            "Address of this machine to which a board outside of this process sends.",
        ),
        ParameterDecl::integer(
            "board_port",
            19999,
            (0, 65535),
            "",
            "Port on which a board's start is notified; 0 is any.",
        ),
        ParameterDecl::switch(
            "board_fixed_point",
            true,
            "The emulated board computes as a real one: 16-bit weights, s16.15 state.",
        ),
        ParameterDecl::switch(
            "board_limits",
            true,
            "The emulated board carries no more than a real one does.",
        ),
    ],
    timers: &[TimerDecl {
        name: "tick",
        period_ns: 1_000_000,
    }],
    ..Interface::EMPTY
};
