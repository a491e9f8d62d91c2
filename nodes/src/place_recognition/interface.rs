//! What the node declares.

use crate::interface::{Endpoint, Interface, ParameterDecl, Qos, TimerDecl};

/// The node's declarations.
pub static INTERFACE: Interface = Interface {
    name: "place_recognition",
    doc: "Knows places again by what is seen and felt there, and learns new ones.",
    publishers: &[
        Endpoint::new(
            "place",
            "saccade_msgs/msg/Places",
            "The code of what is sensed, the known places most like it, and how new it is.",
        ),
        Endpoint::new(
            "pose",
            "geometry_msgs/msg/PoseWithCovarianceStamped",
            "Where the robot is by them: their mean, the more alike the heavier, and covariance \
             of x, y and yaw from how they spread.",
        ),
        Endpoint::new(
            "place_map",
            "saccade_msgs/msg/PlaceMap",
            "All places, as the bytes of a map file, when `save_map` asks for them.",
        )
        .qos(Qos::LATCHED),
        Endpoint::new(
            "fused_pose",
            "geometry_msgs/msg/PoseWithCovarianceStamped",
            "With `fusion`: where the robot is by places and odometry, at every sample.",
        ),
        Endpoint::new(
            "fused_odom",
            "nav_msgs/msg/Odometry",
            "With `fusion`: odometry in the map's frame, corrected as of the last sample.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "/tf",
            "tf2_msgs/msg/TFMessage",
            "With `fusion` and `tf_broadcast`: where odometry's frame lies in the map's.",
        )
        .qos(Qos::DEFAULT.depth(100)),
    ],
    subscriptions: &[
        Endpoint::new(
            "image",
            "sensor_msgs/msg/Image",
            "What is seen, of any size: it is averaged over areas to 80 x 45.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "head/theta",
            "std_msgs/msg/Float32MultiArray",
            "Angles of the 24 whiskers, rad.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "head/xy",
            "std_msgs/msg/Float32MultiArray",
            "Their deflections, two each.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "head/whisk",
            "saccade_msgs/msg/WhiskPhase",
            "At the end of a protraction a sample is taken.",
        ),
        Endpoint::new(
            "odom",
            "nav_msgs/msg/Odometry",
            "Where the robot takes itself to be; a place is learnt with it.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "place_map_in",
            "saccade_msgs/msg/PlaceMap",
            "Places to know instead of those that are known, as `place_map` gives them.",
        )
        .qos(Qos::LATCHED),
    ],
    services: &[
        Endpoint::new(
            "learn",
            "std_srvs/srv/SetBool",
            "Whether new places are learnt from now on.",
        ),
        Endpoint::new(
            "forget",
            "std_srvs/srv/Trigger",
            "All places are forgotten.",
        ),
        Endpoint::new(
            "save_map",
            "std_srvs/srv/Trigger",
            "Publishes the places on `place_map`.",
        ),
        Endpoint::new(
            "load_map",
            "std_srvs/srv/Trigger",
            "Back to the places of the file that `map` names.",
        ),
    ],
    parameters: PARAMETERS,
    timers: &[TimerDecl {
        name: "sample",
        period_ns: 500_000_000,
    }],
    ..Interface::EMPTY
};

static PARAMETERS: &[ParameterDecl] = &[
    ParameterDecl::text(
        "weights",
        "",
        "File of the network that codes places; it must be given.",
    ),
    ParameterDecl::text(
        "map",
        "",
        "File of places that this network has coded; without one none is known at first.",
    ),
    ParameterDecl::text(
        "senses",
        "auto",
        "auto takes what there is; both, vision and touch take nothing else.",
    ),
    ParameterDecl::text(
        "method",
        "quick",
        "How a sample is coded: quick (milliseconds), warm (quick, begun at the last code) or \
         published (500 iterations).",
    ),
    ParameterDecl::text(
        "code",
        "auto",
        "What a place is known by: auto is the slow features that the weights have learnt (the \
         joint causes where they have learnt none, or with `weighing` by reliability), published \
         the joint causes.",
    ),
    ParameterDecl::text(
        "weighing",
        "alike",
        "How senses count where both are there: alike, or by their reliability, which weights \
         trained with `--reliability` have learnt; not with `published`.",
    ),
    ParameterDecl::double(
        "period",
        0.5,
        (0.02, 60.0),
        "s",
        "Between samples while no whisk is heard of.",
    ),
    ParameterDecl::switch("learn", false, "Whether new places are learnt.").live(),
    ParameterDecl::double(
        "novelty_threshold",
        0.07,
        (0.0, 1.0),
        "",
        "What is newer than this is learnt.",
    )
    .live(),
    ParameterDecl::integer(
        "min_places",
        1,
        (0, 1_000_000),
        "",
        "As long as fewer are known, every sample is learnt.",
    ),
    ParameterDecl::integer(
        "max_places",
        100_000,
        (1, 1_000_000),
        "",
        "Most places; beyond, nothing more is learnt.",
    ),
    ParameterDecl::integer(
        "matches",
        5,
        (1, 100),
        "",
        "Known places that are published, and of which the pose is the mean.",
    ),
    ParameterDecl::double(
        "min_deviation",
        0.05,
        (0.001, 10.0),
        "m",
        "Deviation of x and y that is added to the spread, for places have an extent; of yaw \
         as many rad.",
    ),
    ParameterDecl::text("map_frame", "map", "Frame of the places' poses."),
    ParameterDecl::text(
        "fusion",
        "none",
        "particles joins the places recognised with odometry; none does not.",
    ),
    ParameterDecl::text(
        "fusion_begin",
        "odometry",
        "Where particles begin: where odometry says (odometry), or at the first places \
         recognised (places).",
    ),
    ParameterDecl::integer("particles", 500, (10, 100_000), "", "How many."),
    ParameterDecl::integer("seed", 1, (0, i64::MAX), "", "Seed of what particles draw."),
    ParameterDecl::double(
        "way_noise",
        0.1,
        (0.0, 10.0),
        "m/√m",
        "Deviation of the odometry's way.",
    ),
    ParameterDecl::double(
        "turn_noise",
        0.1,
        (0.0, 10.0),
        "rad/√rad",
        "Deviation of its heading by turning.",
    ),
    ParameterDecl::double(
        "heading_noise",
        0.1,
        (0.0, 10.0),
        "rad/√m",
        "Deviation of its heading by going.",
    ),
    ParameterDecl::double(
        "wrong",
        0.5,
        (0.001, 1.0),
        "",
        "Share of the answers, by both senses or vision, that say nothing of where the robot is.",
    ),
    ParameterDecl::double(
        "wrong_by_touch",
        0.9,
        (0.001, 1.0),
        "",
        "The same by touch alone: in the dark, or without a camera.",
    ),
    ParameterDecl::switch(
        "tf_broadcast",
        true,
        "Whether `fusion` publishes the transform from the map's frame to odometry's.",
    ),
];
