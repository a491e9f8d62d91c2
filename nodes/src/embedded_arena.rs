//! `embedded_arena`: a small robot in the embedded simulator, behind a base's usual topics.
//!
//! What a robot's drivers offer: events, compass, odometry, scans, and `cmd_vel`. What only
//! a simulator offers: `randomise`, and ground truth, which [`crate::graph`] keeps from
//! every node but referees.

use crate::event_camera_driver::EventCameraDriver;
use crate::interface::{Endpoint, Interface, ParameterDecl, Qos, TimerDecl};
use crate::node::{Context, Health, Input, Level, Node, NodeError};
use crate::parameters::Parameters;
use saccade_msgs::Event;
use saccade_msgs::geometry_msgs::{Quaternion, Twist};
use saccade_msgs::nav_msgs::Odometry;
use saccade_msgs::rosgraph_msgs::Clock;
use saccade_msgs::saccade_msgs::randomise;
use saccade_msgs::sensor_msgs::{Imu, LaserScan};
use saccade_msgs::std_msgs::Bool;
use saccade_worlds::arena::{
    Arena, Body, Command, CompassErrors, Disturbances, Place, SCAN_NEAREST_M, SCAN_RANGE_M,
};
use std::path::Path;

/// A command that is older than this does not move the base, ns.
const COMMAND_NS: i64 = 500_000_000;
/// Rays of a scan, and how far to either side they go.
const RAYS: usize = 61;
const SCAN_RAD: f64 = 1.5;
/// Steps of the world between two readings of compass, odometry and truth; 20 ms.
const SENSOR_NS: u64 = 20_000_000;
/// Between two scans.
const SCAN_NS: u64 = 100_000_000;

/// The node's declarations.
pub static INTERFACE: Interface = Interface {
    name: "embedded_arena",
    doc: "The embedded simulator of a small robot on textured ground: slip, wind, a compass that \
          is wrong, and an event camera that looks down.",
    publishers: &[
        Endpoint::new(
            "events",
            "event_camera_msgs/msg/EventPacket",
            "The camera that looks down, encoding mono.",
        )
        .qos(Qos::SENSOR.depth(256)),
        Endpoint::new(
            "camera_info",
            "sensor_msgs/msg/CameraInfo",
            "Its calibration, at 1 Hz.",
        )
        .qos(Qos::LATCHED),
        Endpoint::new(
            "compass",
            "sensor_msgs/msg/Imu",
            "The heading with its errors, at 50 Hz; rates and accelerations are not measured.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "odom",
            "nav_msgs/msg/Odometry",
            "What the wheels did (a flyer: its thrust in still air), at 50 Hz: slip and wind are not in it.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "scan",
            "sensor_msgs/msg/LaserScan",
            "Obstacles within 5 m and 1.5 rad, at 10 Hz.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new("/clock", "rosgraph_msgs/msg/Clock", "Simulated time.").qos(Qos::SENSOR),
        Endpoint::new(
            "/ground_truth/odom",
            "nav_msgs/msg/Odometry",
            "Where the base really is, at 50 Hz; for scoring alone.",
        )
        .qos(Qos::DEFAULT.depth(128)),
    ],
    subscriptions: &[
        Endpoint::new(
            "cmd_vel",
            "geometry_msgs/msg/Twist",
            "Where to drive, or a flyer's thrust as its velocity in still air; a command holds for 0.5 s.",
        ),
        Endpoint::new("e_stop", "std_msgs/msg/Bool", "True stops the wheels.").qos(Qos::LATCHED),
    ],
    services: &[Endpoint::new(
        "randomise",
        "saccade_msgs/srv/Randomise",
        "New ground, wind, obstacles and noise from a seed; the robot is put to the origin. Label \
         and split are not used.",
    )],
    parameters: &[
        ParameterDecl::text("world", "worlds/arena.sdf", "World file (SDF)."),
        ParameterDecl::text(
            "robot",
            "wheels",
            "What carries the base: wheels, or flyer, for worlds/arena_flyer.sdf.",
        ),
        ParameterDecl::integer(
            "seed",
            1,
            (0, i64::MAX),
            "",
            "Seed of the camera's fixed pattern, and with that of `randomise` of all noise.",
        ),
        ParameterDecl::double(
            "slip",
            0.08,
            (0.0, 0.9),
            "",
            "Share of a wheel's way that slip takes, mean.",
        ),
        ParameterDecl::double(
            "slip_deviation",
            0.04,
            (0.0, 0.9),
            "",
            "Its standard deviation, for each wheel on its own.",
        ),
        ParameterDecl::double(
            "slip_time",
            1.0,
            (0.01, 1000.0),
            "s",
            "In which slip changes.",
        ),
        ParameterDecl::double(
            "wind",
            0.05,
            (0.0, 5.0),
            "m/s",
            "How fast the wind moves the base, in a direction from the seed.",
        ),
        ParameterDecl::double(
            "gusts",
            0.03,
            (0.0, 5.0),
            "m/s",
            "Standard deviation of that along each axis.",
        ),
        ParameterDecl::double(
            "gust_time",
            2.0,
            (0.01, 1000.0),
            "s",
            "In which gusts change.",
        ),
        ParameterDecl::double(
            "compass_noise",
            5.0,
            (0.0, 180.0),
            "deg",
            "Standard deviation of each reading of the compass.",
        ),
        ParameterDecl::double(
            "compass_drift",
            1.0,
            (0.0, 180.0),
            "deg",
            "Standard deviation of its slow error.",
        ),
        ParameterDecl::double(
            "drift_time",
            60.0,
            (0.01, 1e5),
            "s",
            "In which the slow error changes.",
        ),
        ParameterDecl::integer("obstacles", 0, (0, 100), "", "Pillars within 12 m."),
    ],
    timers: &[TimerDecl {
        name: "step",
        period_ns: 10_000_000,
    }],
    ..Interface::EMPTY
};

/// Makes the node and loads its world.
///
/// # Errors
/// A world that cannot be loaded.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    let value = |name: &str| parameters.double(name);
    let disturbances = Disturbances {
        slip: value("slip"),
        slip_deviation: value("slip_deviation"),
        slip_time_s: value("slip_time"),
        wind_mps: value("wind"),
        gust_mps: value("gusts"),
        gust_time_s: value("gust_time"),
    };
    let compass = CompassErrors {
        noise_rad: value("compass_noise").to_radians(),
        drift_rad: value("compass_drift").to_radians(),
        drift_time_s: value("drift_time"),
    };
    let path = parameters.text("world");
    let arena = Arena::load(
        Path::new(path),
        parameters.integer("seed") as u64,
        body(parameters)?,
        disturbances,
        compass,
        parameters.integer("obstacles") as usize,
    );
    let arena = arena.map_err(|e| NodeError::Configuration {
        node: "embedded_arena",
        reason: e.to_string(),
    })?;
    let driver = EventCameraDriver::new(arena.camera().0);
    Ok(Box::new(EmbeddedArena {
        world: path.to_owned(),
        arena,
        compass_noise_rad: compass.noise_rad,
        offset_ns: 0,
        command: None,
        e_stop: false,
        buffer: Vec::new(),
        driver,
        refused: 0,
        broken: None,
    }))
}

fn body(parameters: &Parameters) -> Result<Body, NodeError> {
    match parameters.text("robot") {
        "wheels" => Ok(Body::Wheels),
        "flyer" => Ok(Body::Flyer),
        other => Err(NodeError::Configuration {
            node: "embedded_arena",
            reason: format!("robot is \"{other}\"; there are wheels and flyer"),
        }),
    }
}

struct EmbeddedArena {
    world: String,
    arena: Arena,
    compass_noise_rad: f64,
    /// ROS time minus simulated time.
    offset_ns: i64,
    /// And when it came.
    command: Option<(i64, Command)>,
    e_stop: bool,
    buffer: Vec<Event>,
    driver: EventCameraDriver,
    refused: u64,
    broken: Option<String>,
}

impl EmbeddedArena {
    fn step(&mut self, ctx: &mut Context<'_>) {
        let held = |(since, _): &(i64, Command)| ctx.now_ns - since <= COMMAND_NS;
        let command = self.command.filter(held).filter(|_| !self.e_stop);
        let command = command.map_or(Command::default(), |c| c.1);
        self.buffer.clear();
        let step_ns = self.arena.step_ns();
        if let Err(error) = self.arena.step(step_ns, command, &mut self.buffer) {
            if self.broken.is_none() {
                ctx.log(Level::Error, error.to_string());
            }
            self.broken = Some(error.to_string());
            return;
        }
        let (_, camera, _) = self.arena.camera();
        self.driver
            .publish(&mut self.buffer, self.offset_ns, camera, ctx);
        let now_ns = self.arena.now_ns();
        let due = |period_ns: u64| now_ns % period_ns < step_ns;
        ctx.publish("/clock", Clock { clock: ctx.stamp() });
        if due(SENSOR_NS) {
            self.sense(ctx);
        }
        if due(SCAN_NS) {
            self.scan(ctx);
        }
        if due(1_000_000_000) {
            self.inform(ctx);
        }
    }

    fn sense(&mut self, ctx: &mut Context<'_>) {
        let stamp = ctx.stamp();
        let mut imu = Imu {
            orientation: about_z(self.arena.read_compass()),
            ..Imu::default()
        };
        imu.header.stamp = stamp;
        imu.header.frame_id = "base_link".into();
        imu.orientation_covariance[8] = self.compass_noise_rad * self.compass_noise_rad;
        // Not measured, by the message's definition.
        imu.angular_velocity_covariance[0] = -1.0;
        imu.linear_acceleration_covariance[0] = -1.0;
        ctx.publish("compass", imu);
        let base = self.arena.base();
        let mut odom = odometry(base.odometer(), base.odometer_velocity());
        odom.header.stamp = stamp;
        odom.header.frame_id = "odom".into();
        ctx.publish("odom", odom);
        let mut truth = odometry(base.place(), base.velocity());
        truth.header.stamp = stamp;
        truth.header.frame_id = "world".into();
        ctx.publish("/ground_truth/odom", truth);
    }

    fn scan(&mut self, ctx: &mut Context<'_>) {
        let mut scan = LaserScan {
            angle_min: -SCAN_RAD as f32,
            angle_max: SCAN_RAD as f32,
            angle_increment: (2.0 * SCAN_RAD / (RAYS - 1) as f64) as f32,
            scan_time: SCAN_NS as f32 * 1e-9,
            range_min: SCAN_NEAREST_M as f32,
            range_max: SCAN_RANGE_M as f32,
            ranges: self.arena.scan(SCAN_RAD, RAYS),
            ..LaserScan::default()
        };
        scan.header.stamp = ctx.stamp();
        scan.header.frame_id = "base_link".into();
        ctx.publish("scan", scan);
    }

    fn inform(&self, ctx: &mut Context<'_>) {
        let (_, camera, _) = self.arena.camera();
        self.driver.inform(camera, ctx);
    }

    fn randomise(&mut self, request: &randomise::Request) -> randomise::Response {
        self.command = None;
        match self.arena.reset(request.seed) {
            Ok(()) => {
                self.broken = None;
                randomise::Response {
                    success: true,
                    ..Default::default()
                }
            }
            Err(error) => randomise::Response {
                message: error.to_string(),
                ..Default::default()
            },
        }
    }

    fn drive(&mut self, twist: &Twist, now_ns: i64) {
        let (forward_mps, turn_radps) = (twist.linear.x, twist.angular.z);
        let left_mps = twist.linear.y;
        if ![forward_mps, left_mps, turn_radps]
            .iter()
            .all(|v| v.is_finite())
        {
            self.refused += 1;
            self.command = None;
            return;
        }
        let command = Command {
            forward_mps,
            left_mps,
            turn_radps,
        };
        self.command = Some((now_ns, command));
    }
}

/// A place and a velocity (forward, left, turning) as a message.
pub(crate) fn odometry(place: &Place, [forward, left, turn]: [f64; 3]) -> Odometry {
    let mut message = Odometry {
        child_frame_id: "base_link".into(),
        ..Odometry::default()
    };
    let pose = &mut message.pose.pose;
    (pose.position.x, pose.position.y) = (place.at_m[0], place.at_m[1]);
    pose.orientation = about_z(place.yaw_rad);
    let twist = &mut message.twist.twist;
    (twist.linear.x, twist.linear.y, twist.angular.z) = (forward, left, turn);
    message
}

fn about_z(yaw_rad: f64) -> Quaternion {
    let (z, w) = (0.5 * yaw_rad).sin_cos();
    Quaternion {
        z,
        w,
        ..Quaternion::default()
    }
}

impl Node for EmbeddedArena {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        match input {
            Input::Start => {
                self.offset_ns = ctx.now_ns - self.arena.now_ns() as i64;
                ctx.set_timer("step", Some(self.arena.step_ns() as i64));
                ctx.log(Level::Info, format!("world {}", self.world));
                self.inform(ctx);
            }
            Input::Timer { .. } => self.step(ctx),
            Input::Request {
                service,
                id,
                payload,
            } => {
                let response = match payload.get::<randomise::Request>() {
                    Ok(request) => self.randomise(&request),
                    Err(error) => randomise::Response {
                        message: error.to_string(),
                        ..Default::default()
                    },
                };
                ctx.respond(service, id, response);
            }
            Input::Message { topic, payload } => {
                let taken = match topic {
                    "cmd_vel" => payload.get().map(|t| self.drive(&t, ctx.now_ns)),
                    _ => payload.get::<Bool>().map(|stop| self.e_stop = stop.data),
                };
                if let Err(error) = taken {
                    ctx.log(Level::Warn, error.to_string());
                }
            }
            _ => {}
        }
    }

    fn health(&self) -> Health {
        let stats = self.arena.stats();
        let [packets, events] = self.driver.counts();
        let values = [
            packets,
            events,
            ("noise events", stats.noise_events),
            ("renders", stats.renders),
            ("commands refused", self.refused),
            ("bumps", self.arena.base().bumps()),
            ("simulated (ms)", self.arena.now_ns() / 1_000_000),
        ];
        Health {
            warning: self.broken.clone(),
            values: values.map(|(k, v)| (k.to_owned(), v.to_string())).to_vec(),
        }
    }

    fn profile(&self) -> Vec<(&'static str, f64)> {
        vec![("rendering", self.arena.time().as_secs_f64())]
    }
}
