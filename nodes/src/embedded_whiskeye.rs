//! `embedded_whiskeye`: WhiskEye in the embedded simulator, behind the robot's own topics.
//!
//! Names are those of the public WhiskEye simulator, below a namespace `whiskeye`, with
//! standard messages besides. What only a simulator offers: `randomise`, faults, and ground
//! truth, which [`crate::graph`] keeps from every node but referees.

use crate::embedded_arena::odometry;
use crate::event_camera_driver::calibration;
use crate::interface::{Endpoint, Interface, ParameterDecl, Qos, TimerDecl};
use crate::node::{Context, Health, Input, Level, Node, NodeError};
use crate::parameters::Parameters;
use saccade_msgs::geometry_msgs::{Pose2D, Twist};
use saccade_msgs::rosgraph_msgs::Clock;
use saccade_msgs::saccade_msgs::randomise;
use saccade_msgs::sensor_msgs::{Image, Imu, JointState};
use saccade_msgs::std_msgs::{Bool, Float32MultiArray, MultiArrayDimension};
use saccade_worlds::whiskeye::{
    COLUMNS, Command, Daylight, NECK, OdometryErrors, ROWS, Senses, WHISKERS, WhiskEye,
};
use std::path::Path;

/// A command that is older than this does not move the base, ns.
const COMMAND_NS: i64 = 500_000_000;
/// Between two joint states.
const JOINTS_NS: u64 = 100_000_000;
/// Topics of the two cameras, and of their calibrations.
const IMAGES: [&str; 2] = ["platform/cam0", "platform/cam1"];
const INFOS: [&str; 2] = ["platform/cam0/camera_info", "platform/cam1/camera_info"];

const ARRAY: &str = "std_msgs/msg/Float32MultiArray";

/// The node's declarations.
pub static INTERFACE: Interface = Interface {
    name: "embedded_whiskeye",
    doc: "The embedded simulator of WhiskEye: a base that goes any way, a neck, two cameras and \
          24 whiskers between walls and objects.",
    publishers: &[
        Endpoint::new(
            "head/theta",
            ARRAY,
            "Angles of the 24 whiskers in rad, 6 rows by 4 columns, forward is positive, at 50 Hz.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "head/xy",
            ARRAY,
            "Their deflections, two each: bent forward, bent upward; rad of a contact at the tip.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "head/neck",
            ARRAY,
            "Lift, pitch and yaw of the neck in rad.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "platform/cam0",
            "sensor_msgs/msg/Image",
            "The left camera, rgb8.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "platform/cam1",
            "sensor_msgs/msg/Image",
            "The right camera, rgb8, where there are two.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "platform/cam0/camera_info",
            "sensor_msgs/msg/CameraInfo",
            "Calibration of the left camera, with every image.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "platform/cam1/camera_info",
            "sensor_msgs/msg/CameraInfo",
            "Calibration of the right camera, with every image.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "body/pose",
            "geometry_msgs/msg/Pose2D",
            "Where the base is by its odometry, at 50 Hz.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "body/imu_body",
            "sensor_msgs/msg/Imu",
            "Turning rate and level acceleration, at 50 Hz; orientation is not measured.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "body/bumper",
            "std_msgs/msg/Bool",
            "Whether base or head touch something, at 50 Hz.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "odom",
            "nav_msgs/msg/Odometry",
            "The same as body/pose with the velocity: it drifts.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "joint_states",
            "sensor_msgs/msg/JointState",
            "Neck and whiskers by the names of the world file, at 10 Hz.",
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
            "head/theta_cmd",
            ARRAY,
            "Angles for the 24 whiskers in rad; what is beyond the limits is cut.",
        ),
        Endpoint::new(
            "head/neck_cmd",
            ARRAY,
            "Lift, pitch and yaw for the neck in rad.",
        ),
        Endpoint::new(
            "body/cmd_vel",
            "geometry_msgs/msg/Twist",
            "Where to go: x, y and yaw; a command holds for 0.5 s.",
        ),
        Endpoint::new(
            "e_stop",
            "std_msgs/msg/Bool",
            "True stops base, neck and whiskers.",
        )
        .qos(Qos::LATCHED),
    ],
    services: &[Endpoint::new(
        "randomise",
        "saccade_msgs/srv/Randomise",
        "Puts the robot anywhere by a seed, with new noise. Label and split are not used.",
    )],
    parameters: &[
        ParameterDecl::text("world", "worlds/whiskeye_arena.sdf", "World file (SDF)."),
        ParameterDecl::integer(
            "seed",
            1,
            (0, i64::MAX),
            "",
            "Seed of the place to start at and of all noise.",
        ),
        ParameterDecl::text("light", "day", "day, dusk (6 % of it) or dark (none).").live(),
        ParameterDecl::switch("cameras_work", true, "Off: the cameras are gone.").live(),
        ParameterDecl::switch(
            "whiskers_work",
            true,
            "Off: the whiskers stay where they are and feel nothing.",
        )
        .live(),
        ParameterDecl::integer("cameras", 1, (0, 2), "", "How many cameras there are."),
        ParameterDecl::double(
            "camera_rate",
            5.0,
            (0.1, 50.0),
            "Hz",
            "Images of each camera.",
        ),
        ParameterDecl::integer(
            "image_width",
            160,
            (16, 1280),
            "pixels",
            "Columns of the images; WhiskEye's own are 640. Rows follow from the world file.",
        ),
        ParameterDecl::double(
            "image_noise",
            0.015,
            (0.0, 1.0),
            "",
            "Standard deviation of a pixel, part of full scale.",
        ),
        ParameterDecl::double(
            "angle_noise",
            0.003,
            (0.0, 1.0),
            "rad",
            "Standard deviation of a whisker's measured angle.",
        ),
        ParameterDecl::double(
            "xy_noise",
            0.005,
            (0.0, 1.0),
            "",
            "Standard deviation of a deflection.",
        ),
        ParameterDecl::double(
            "odom_scale",
            0.05,
            (0.0, 0.9),
            "",
            "Standard deviation of the share by which the odometry measures speeds wrong.",
        ),
        ParameterDecl::double(
            "odom_turn",
            0.01,
            (0.0, 1.0),
            "rad/s",
            "Standard deviation of its error in turning, while the base moves.",
        ),
    ],
    timers: &[TimerDecl {
        name: "step",
        period_ns: 20_000_000,
    }],
    ..Interface::EMPTY
};

/// Makes the node and loads its world.
///
/// # Errors
/// A world that cannot be loaded, or a light that is none.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    let value = |name: &str| parameters.double(name);
    let senses = Senses {
        odometry: OdometryErrors {
            scale: value("odom_scale"),
            turn_radps: value("odom_turn"),
        },
        image_width: parameters.integer("image_width") as u32,
        image_noise: value("image_noise") as f32,
        angle_noise_rad: value("angle_noise") as f32,
        xy_noise: value("xy_noise") as f32,
    };
    let path = parameters.text("world");
    let seed = parameters.integer("seed") as u64;
    let mut robot = WhiskEye::load(Path::new(path), senses, seed).map_err(|e| wrong(&e))?;
    robot.set_light(light(parameters)?);
    let cameras = robot.cameras().count();
    Ok(Box::new(EmbeddedWhiskEye {
        path: path.to_owned(),
        cameras: cameras.min(parameters.integer("cameras") as usize),
        camera_ns: (1e9 / value("camera_rate")) as u64,
        cameras_work: parameters.switch("cameras_work"),
        whiskers_work: parameters.switch("whiskers_work"),
        robot,
        theta_rad: None,
        neck_rad: None,
        velocity: None,
        before: [0.0; 3],
        e_stop: false,
        images: 0,
        refused: 0,
        broken: None,
    }))
}

fn wrong(error: &dyn std::error::Error) -> NodeError {
    NodeError::Configuration {
        node: "embedded_whiskeye",
        reason: error.to_string(),
    }
}

fn light(parameters: &Parameters) -> Result<Daylight, NodeError> {
    let light = parameters.text("light").parse::<Daylight>();
    light.map_err(|e| wrong(&e))
}

struct EmbeddedWhiskEye {
    path: String,
    robot: WhiskEye,
    cameras: usize,
    camera_ns: u64,
    cameras_work: bool,
    whiskers_work: bool,
    theta_rad: Option<[f32; WHISKERS]>,
    neck_rad: Option<[f32; 3]>,
    /// And when it came.
    velocity: Option<(i64, [f64; 3])>,
    /// Velocity of the step before: the accelerometer's.
    before: [f64; 3],
    e_stop: bool,
    images: u64,
    refused: u64,
    broken: Option<String>,
}

impl EmbeddedWhiskEye {
    fn step(&mut self, ctx: &mut Context<'_>) {
        let held = |(since, _): &(i64, [f64; 3])| ctx.now_ns - since <= COMMAND_NS;
        let moves = !self.e_stop;
        let velocity = self.velocity.filter(held).filter(|_| moves);
        let command = Command {
            velocity: velocity.map_or([0.0; 3], |v| v.1),
            neck_rad: self.neck_rad.filter(|_| moves),
            theta_rad: self.theta_rad.filter(|_| moves && self.whiskers_work),
        };
        let step_ns = self.robot.world().step_ns;
        self.robot.step(step_ns, &command);
        ctx.publish("/clock", Clock { clock: ctx.stamp() });
        self.touch(ctx);
        self.motion(step_ns, ctx);
        let now_ns = self.robot.now_ns();
        let due = |period_ns: u64| now_ns % period_ns.max(step_ns) < step_ns;
        if due(JOINTS_NS) {
            self.joints(ctx);
        }
        if due(self.camera_ns) && self.cameras_work {
            for camera in 0..self.cameras {
                self.look(camera, ctx);
            }
        }
    }

    fn touch(&self, ctx: &mut Context<'_>) {
        let (theta, xy) = self.robot.felt();
        let mut xy = xy.to_vec();
        if !self.whiskers_work {
            xy.fill(0.0);
        }
        let rows = ("row", ROWS);
        let columns = ("column", COLUMNS);
        ctx.publish("head/theta", array(theta.to_vec(), &[rows, columns]));
        ctx.publish("head/xy", array(xy, &[rows, columns, ("xy", 2)]));
        ctx.publish(
            "head/neck",
            array(self.robot.neck().to_vec(), &[("joint", 3)]),
        );
    }

    fn motion(&mut self, step_ns: u64, ctx: &mut Context<'_>) {
        let stamp = ctx.stamp();
        let body = self.robot.body();
        let said = body.odometer();
        ctx.publish(
            "body/pose",
            Pose2D {
                x: said.at_m[0],
                y: said.at_m[1],
                theta: said.yaw_rad,
            },
        );
        ctx.publish(
            "body/bumper",
            Bool {
                data: body.touching(),
            },
        );
        let mut imu = Imu::default();
        imu.header.stamp = stamp;
        imu.header.frame_id = "base_link".into();
        // Not measured, by the message's definition.
        imu.orientation_covariance[0] = -1.0;
        imu.angular_velocity.z = body.measured_velocity()[2];
        let velocity = body.velocity();
        let per_s = 1e9 / step_ns as f64;
        imu.linear_acceleration.x = (velocity[0] - self.before[0]) * per_s;
        imu.linear_acceleration.y = (velocity[1] - self.before[1]) * per_s;
        ctx.publish("body/imu_body", imu);
        for (topic, frame, place, velocity) in [
            ("odom", "odom", said, body.measured_velocity()),
            ("/ground_truth/odom", "world", body.place(), velocity),
        ] {
            let mut message = odometry(place, velocity);
            message.header.stamp = stamp;
            message.header.frame_id = frame.into();
            ctx.publish(topic, message);
        }
        self.before = velocity;
    }

    fn joints(&self, ctx: &mut Context<'_>) {
        let neck = NECK.map(str::to_owned).into_iter().zip(self.robot.neck());
        let (theta, _) = self.robot.felt();
        let name = |i: usize| format!("whisker_{}{}_joint", i / COLUMNS, i % COLUMNS);
        let whiskers = theta.iter().enumerate().map(|(i, angle)| (name(i), *angle));
        let mut joints = JointState::default();
        joints.header.stamp = ctx.stamp();
        for (name, angle) in neck.chain(whiskers) {
            joints.name.push(name);
            joints.position.push(f64::from(angle));
        }
        ctx.publish("joint_states", joints);
    }

    fn look(&mut self, camera: usize, ctx: &mut Context<'_>) {
        let data = match self.robot.look(camera) {
            Ok(data) => data,
            Err(error) => {
                if self.broken.is_none() {
                    ctx.log(Level::Error, error.to_string());
                }
                self.broken = Some(error.to_string());
                return;
            }
        };
        let Some((name, optics)) = self.robot.cameras().nth(camera) else {
            return;
        };
        let mut info = calibration(optics);
        info.header.stamp = ctx.stamp();
        info.header.frame_id = format!("{name}_optical");
        let image = Image {
            header: info.header.clone(),
            height: optics.height,
            width: optics.width,
            encoding: "rgb8".into(),
            step: 3 * optics.width,
            data,
            ..Image::default()
        };
        self.images += 1;
        ctx.publish(IMAGES[camera], image);
        ctx.publish(INFOS[camera], info);
    }

    /// Takes a command of so many numbers; what is not finite, or another number of them, is
    /// refused and counted.
    fn command<const N: usize>(&mut self, array: &Float32MultiArray) -> Option<[f32; N]> {
        let numbers = <[f32; N]>::try_from(array.data.as_slice());
        let numbers = numbers.ok().filter(|n| n.iter().all(|x| x.is_finite()));
        self.refused += u64::from(numbers.is_none());
        numbers
    }

    fn drive(&mut self, twist: &Twist, now_ns: i64) {
        let velocity = [twist.linear.x, twist.linear.y, twist.angular.z];
        let finite = velocity.iter().all(|v| v.is_finite());
        self.refused += u64::from(!finite);
        self.velocity = finite.then_some((now_ns, velocity));
    }

    fn randomise(&mut self, request: &randomise::Request) -> randomise::Response {
        (self.velocity, self.neck_rad, self.theta_rad) = (None, None, None);
        let reset = self.robot.reset(request.seed);
        randomise::Response {
            success: reset.is_ok(),
            message: reset.err().map(|e| e.to_string()).unwrap_or_default(),
            ..Default::default()
        }
    }
}

/// Numbers in these dimensions, the last one fastest.
pub(crate) fn array(data: Vec<f32>, shape: &[(&str, usize)]) -> Float32MultiArray {
    let mut array = Float32MultiArray {
        data,
        ..Float32MultiArray::default()
    };
    for (k, (label, size)) in shape.iter().enumerate() {
        let stride: usize = shape[k..].iter().map(|(_, size)| size).product();
        array.layout.dim.push(MultiArrayDimension {
            label: (*label).to_owned(),
            size: *size as u32,
            stride: stride as u32,
        });
    }
    array
}

impl Node for EmbeddedWhiskEye {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        match input {
            Input::Start => {
                ctx.set_timer("step", Some(self.robot.world().step_ns as i64));
                ctx.log(Level::Info, format!("world {}", self.path));
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
                let array = || payload.get::<Float32MultiArray>();
                let taken = match topic {
                    "head/theta_cmd" => array().map(|a| {
                        self.theta_rad = self.command(&a).or(self.theta_rad);
                    }),
                    "head/neck_cmd" => array().map(|a| {
                        self.neck_rad = self.command(&a).or(self.neck_rad);
                    }),
                    "body/cmd_vel" => payload.get().map(|t| self.drive(&t, ctx.now_ns)),
                    _ => payload.get::<Bool>().map(|stop| self.e_stop = stop.data),
                };
                if let Err(error) = taken {
                    ctx.log(Level::Warn, error.to_string());
                }
            }
            _ => {}
        }
    }

    fn change(&mut self, parameters: &Parameters) -> Result<(), NodeError> {
        self.robot.set_light(light(parameters)?);
        self.cameras_work = parameters.switch("cameras_work");
        self.whiskers_work = parameters.switch("whiskers_work");
        Ok(())
    }

    fn health(&self) -> Health {
        let values = [
            ("images", self.images),
            ("bumps", self.robot.body().bumps()),
            ("commands refused", self.refused),
            ("simulated (ms)", self.robot.now_ns() / 1_000_000),
        ];
        Health {
            warning: self.broken.clone(),
            values: values.map(|(k, v)| (k.to_owned(), v.to_string())).to_vec(),
        }
    }

    fn profile(&self) -> Vec<(&'static str, f64)> {
        let [touch, images] = self.robot.time().map(|t| t.as_secs_f64());
        vec![("touch", touch), ("rendering", images)]
    }
}
