//! What the node declares.

use crate::interface::{Endpoint, Interface, ParameterDecl, Qos, TimerDecl};

/// The node's declarations.
pub static INTERFACE: Interface = Interface {
    name: "path_integration",
    doc: "Keeps the way home from compass and motion as the bee's central complex does, and \
          steers home by it.",
    publishers: &[
        Endpoint::new(
            "cmd_vel",
            "geometry_msgs/msg/Twist",
            "Velocity to drive with, in the robot's frame; only while a goal is under way, and a \
             last zero at its end.",
        ),
        Endpoint::new(
            "home_vector",
            "geometry_msgs/msg/PoseWithCovarianceStamped",
            "Home as the robot sees it: position in m (x forward, y to the left), orientation \
             towards it, covariance of x and y. A pose, because viewers draw it and planners take \
             it as a goal, with a covariance, because a memory drifts.",
        ),
        Endpoint::new(
            "path",
            "nav_msgs/msg/Path",
            "The way since home was set as the memory has it, in the frame `home`, once a second.",
        ),
        Endpoint::new(
            "bump",
            "std_msgs/msg/Float32MultiArray",
            "The eight heading neurons (TB1), 0 to 1; low where the robot looks.",
        ),
        Endpoint::new(
            "memory",
            "std_msgs/msg/Float32MultiArray",
            "The sixteen memory neurons (CPU4), 0 to 1; 0.5 at home.",
        ),
    ],
    subscriptions: &[
        Endpoint::new(
            "compass",
            "sensor_msgs/msg/Imu",
            "Heading: the orientation, with its covariance about z. From whatever sensor: \
             magnetic, sky light, sun.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "odom",
            "nav_msgs/msg/Odometry",
            "Velocity over the ground where `motion` is odom; the pose is not used, so that its \
             jumps do no harm.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "flow",
            "geometry_msgs/msg/TwistWithCovarianceStamped",
            "The same where `motion` is flow, from `optic_flow`.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "twist",
            "geometry_msgs/msg/TwistStamped",
            "The same where `motion` is twist, from anything that knows no covariance.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "scan",
            "sensor_msgs/msg/LaserScan",
            "What is in the way, where `obstacle_distance` is above 0.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "e_stop",
            "std_msgs/msg/Bool",
            "True ends a goal at once, and none is taken until false comes.",
        )
        .qos(Qos::LATCHED),
    ],
    services: &[
        Endpoint::new(
            "set_home",
            "std_srvs/srv/Trigger",
            "Home is here; the places are forgotten.",
        ),
        Endpoint::new(
            "reset_home",
            "std_srvs/srv/Trigger",
            "Home is forgotten: goals are refused until it is set.",
        ),
        Endpoint::new(
            "remember_place",
            "saccade_msgs/srv/NamedPlace",
            "The place of this name is here. Places are kept until home is set or reset.",
        ),
        Endpoint::new(
            "forget_place",
            "saccade_msgs/srv/NamedPlace",
            "There is no place of this name any more.",
        ),
    ],
    action_servers: &[Endpoint::new(
        "return_home",
        "saccade_msgs/action/ReturnHome",
        "Goes home, or to a place by its name.",
    )],
    parameters: PARAMETERS,
    timers: &[TimerDecl {
        name: "step",
        period_ns: 100_000_000,
    }],
    ..Interface::EMPTY
};

static PARAMETERS: &[ParameterDecl] = &[
    ParameterDecl::text(
        "model",
        "extended",
        "What keeps the way home: rate (as published), extended (holds on long ways, in noise \
         and sideways) or spiking (neurons that spike, the memory in their synapses).",
    ),
    ParameterDecl::text(
        "motion",
        "flow",
        "Where the velocity over the ground comes from: odom, flow or twist.",
    ),
    ParameterDecl::text(
        "drive",
        "unicycle",
        "unicycle turns to where it goes; holonomic keeps its heading and goes any way.",
    ),
    ParameterDecl::double(
        "step_period",
        0.1,
        (0.01, 1.0),
        "s",
        "A step of the model; the model's time constants count steps.",
    ),
    ParameterDecl::double(
        "speed",
        0.4,
        (0.01, 10.0),
        "m/s",
        "On the way home. It also fixes the scale: at this speed the model sees 0.57 of its \
         steps of length per step.",
    ),
    ParameterDecl::double(
        "min_speed",
        0.1,
        (0.0, 10.0),
        "m/s",
        "What it slows down to near home.",
    ),
    ParameterDecl::double("max_turn", 1.5, (0.01, 20.0), "rad/s", "The fastest turn."),
    ParameterDecl::double(
        "home_radius",
        0.15,
        (0.001, 100.0),
        "m",
        "Home is reached within this distance by the memory.",
    ),
    ParameterDecl::double(
        "approach",
        3.0,
        (0.0, 1e4),
        "m",
        "Within this distance by the memory it steers by the home vector rather than by the \
         cells; 0: never.",
    ),
    ParameterDecl::double(
        "timeout",
        600.0,
        (0.1, 1e5),
        "s",
        "A goal without a time of its own is given up after this.",
    ),
    ParameterDecl::double(
        "patience",
        10.0,
        (0.0, 1e4),
        "s",
        "A goal is given up after waiting this long for a sensor.",
    ),
    ParameterDecl::double(
        "sensor_timeout",
        0.3,
        (0.01, 10.0),
        "s",
        "A sensor that was not heard for this long is lost, and the robot stands.",
    ),
    ParameterDecl::double(
        "clock_jump",
        1.0,
        (0.1, 60.0),
        "s",
        "A step that comes this much after the one before, or before it, is a jump of the clock.",
    ),
    ParameterDecl::double(
        "stuck_time",
        1.0,
        (0.05, 60.0),
        "s",
        "A compass that says the same for this long while the robot turns by 0.35 rad is stuck.",
    ),
    ParameterDecl::double(
        "plausible_speed",
        2.0,
        (0.01, 100.0),
        "m/s",
        "Faster motion is not believed.",
    ),
    ParameterDecl::double(
        "plausible_acceleration",
        5.0,
        (0.01, 1000.0),
        "m/s^2",
        "Motion that changes faster (and by more than 0.2 m/s) is not believed.",
    ),
    ParameterDecl::double(
        "obstacle_distance",
        0.0,
        (0.0, 10.0),
        "m",
        "Nothing may lie nearer ahead, or the robot only turns; 0 needs no scanner.",
    ),
    ParameterDecl::double(
        "obstacle_angle",
        0.6,
        (0.01, 3.2),
        "rad",
        "What counts as ahead, to either side.",
    ),
    ParameterDecl::double(
        "compass_drift",
        0.05,
        (0.0, 3.2),
        "rad",
        "Slow error of the compass that no covariance tells, for that of the home vector.",
    ),
    ParameterDecl::double(
        "noise",
        0.0,
        (0.0, 1.0),
        "",
        "Standard deviation of the noise of every cell's activity.",
    ),
    ParameterDecl::integer("seed", 1, (0, i64::MAX), "", "Seed of that noise."),
    ParameterDecl::text("base_frame", "base_link", "Frame of the robot."),
];
