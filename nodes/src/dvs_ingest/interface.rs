//! What the node declares.

use crate::interface::{Endpoint, Interface, ParameterDecl, Qos};

/// The node's declarations.
pub static INTERFACE: Interface = Interface {
    name: "dvs_ingest",
    doc: "Decodes event packets of any common encoding, or makes events of images, filters them and turns them into input spikes.",
    publishers: &[
        Endpoint::new(
            "spikes",
            "saccade_msgs/msg/Spikes",
            "Input spikes, one message per packet; ids are polarity x row x column.",
        )
        .qos(Qos::SENSOR.depth(256)),
        Endpoint::new(
            "clock_relation",
            "saccade_msgs/msg/ClockRelation",
            "Once a second, of a sensor with a clock of its own: how it runs against ROS time, and what was lost.",
        ),
        Endpoint::new(
            "image_events",
            "event_camera_msgs/msg/EventPacket",
            "The events made of images, before the filters, encoding mono: for nodes that take an event camera.",
        )
        .qos(Qos::SENSOR.depth(256)),
    ],
    subscriptions: &[
        Endpoint::new(
            "events",
            "event_camera_msgs/msg/EventPacket",
            "The event camera.",
        )
        .qos(Qos::SENSOR.depth(256).lifespan_ms(50)),
        Endpoint::new(
            "image",
            "sensor_msgs/msg/Image",
            "A camera that makes no events; they are made of its images. Only one of `events` and `image` is heard: the one that speaks first.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "saccade",
            "saccade_msgs/msg/SaccadePhase",
            "At each onset the attention window is placed anew.",
        )
        .qos(Qos::DEFAULT.depth(32)),
    ],
    services: &[Endpoint::new(
        "hot_pixels",
        "std_srvs/srv/Trigger",
        "The pixels that the filter `hot` silences, as lines of column and row; the filter `mask` reads them.",
    )],
    parameters: PARAMETERS,
    ..Interface::EMPTY
};

const PARAMETERS: &[ParameterDecl] = &[
    ParameterDecl::text(
        "filters",
        "",
        "Filters in their order, as in roi=10:20:100x80,refractory=500us; see below.",
    )
    .live(),
    ParameterDecl::integer(
        "out",
        32,
        (1, 512),
        "",
        "Cells along a side of the encoder's grid.",
    ),
    ParameterDecl::integer(
        "window",
        64,
        (0, 8192),
        "px",
        "Side of the window; 0 takes half of the sensor's shorter side.",
    ),
    ParameterDecl::switch(
        "attention",
        true,
        "The window follows the events; otherwise it stays central.",
    ),
    ParameterDecl::integer(
        "history",
        1000,
        (1, 100_000),
        "events",
        "Events that place the window.",
    ),
    ParameterDecl::text(
        "code",
        "address",
        "How events become spikes: address, count or time_surface.",
    ),
    ParameterDecl::integer(
        "count_events",
        4,
        (1, 65_535),
        "events",
        "Code count: events of an input to a spike.",
    ),
    ParameterDecl::integer(
        "count_bin",
        10,
        (1, 65_536),
        "ms",
        "Code count: after this the count begins anew.",
    ),
    ParameterDecl::double(
        "surface_tau",
        30.0,
        (0.1, 1e5),
        "ms",
        "Code time_surface: time constant.",
    ),
    ParameterDecl::double(
        "surface_period",
        10.0,
        (1.0, 1e4),
        "ms",
        "Code time_surface: time between the spikes of an input whose surface is 1.",
    ),
    ParameterDecl::integer(
        "gap",
        100,
        (1, 3_600_000),
        "ms",
        "Times without events that are longer than this are counted as gaps.",
    )
    .live(),
    ParameterDecl::double(
        "image_contrast_on",
        0.2,
        (0.01, 5.0),
        "",
        "Of images: mean ON threshold, in log luminance.",
    ),
    ParameterDecl::double(
        "image_contrast_off",
        0.2,
        (0.01, 5.0),
        "",
        "Of images: mean OFF threshold, in log luminance.",
    ),
    ParameterDecl::double(
        "image_contrast_sigma",
        0.03,
        (0.0, 1.0),
        "",
        "Of images: standard deviation of thresholds between pixels.",
    ),
    ParameterDecl::double(
        "image_refractory_us",
        100.0,
        (0.0, 1e6),
        "us",
        "Of images: refractory period of a pixel.",
    ),
    ParameterDecl::double(
        "image_cutoff",
        300.0,
        (0.0, 1e6),
        "Hz",
        "Of images: bandwidth of a white pixel; 0 switches the low-pass off.",
    ),
    ParameterDecl::double(
        "image_leak_rate",
        0.1,
        (0.0, 1000.0),
        "Hz",
        "Of images: mean rate of a pixel's leak events.",
    ),
    ParameterDecl::double(
        "image_leak_sigma",
        0.1,
        (0.0, 1.0),
        "decades",
        "Of images: spread of leak rates between pixels.",
    ),
    ParameterDecl::double(
        "image_shot_noise_rate",
        0.1,
        (0.0, 1000.0),
        "Hz",
        "Of images: rate of a dark pixel's shot noise.",
    ),
    ParameterDecl::integer(
        "image_seed",
        1,
        (0, i64::MAX),
        "",
        "Of images: seed of the pixels' fixed pattern and of the noise.",
    ),
];
