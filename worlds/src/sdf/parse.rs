//! From XML elements to a [`World`].

use glam::Vec3;

use super::frames::{Frame, resolve};
use super::xml::El;
use super::{
    Area, Collision, Controller, EventCamera, Inertial, Joint, JointKind, Light, Link, Mimic,
    Model, Pose, Role, SdfError, Sensor, Servo, Shape, Visual, World,
};

/// No scene of ours comes near; refused before anything is allocated.
const MAX_LINKS: usize = 1000;
const MAX_IMAGE: f64 = 4096.0;
/// Sensors that files carry for Gazebo: the embedded worlds feel and measure on their own.
const GAZEBO_SENSORS: [&str; 3] = ["contact", "gpu_lidar", "imu"];

pub fn world(file: &str, text: &str) -> Result<World, SdfError> {
    let document = roxmltree::Document::parse(text).map_err(|source| SdfError::Xml {
        file: file.to_owned(),
        source,
    })?;
    let root = El::new(file, document.root_element());
    if root.tag() != "sdf" {
        return Err(root.error("the root element must be <sdf>", "give an SDF world file"));
    }
    check_version(root)?;
    let world = root.need("world")?;
    let name = world.need_attribute("name")?;
    let gravity = match world.child("gravity") {
        Some(g) => g.vec3()?,
        None => Vec3::new(0.0, 0.0, -9.8),
    };
    let mut out = World {
        name: name.to_owned(),
        gravity,
        step_ns: step_ns(world)?,
        lights: world
            .children("light")
            .map(light)
            .collect::<Result<_, _>>()?,
        models: Vec::new(),
        area: world.own("area").next().map(area).transpose()?,
    };
    for element in world.children("model") {
        let parsed = model(element)?;
        element.unique(&parsed.name, out.models.iter().map(|m| m.name.as_str()))?;
        out.models.push(parsed);
    }
    Ok(out)
}

fn check_version(root: El<'_, '_>) -> Result<(), SdfError> {
    let version = root.need_attribute("version")?;
    let parts: Vec<u32> = version.split('.').filter_map(|p| p.parse().ok()).collect();
    match parts.as_slice() {
        [1, minor] if *minor <= 9 => Ok(()),
        _ => Err(root.error(
            format!("version \"{version}\"; expected SDF 1.9 or lower"),
            "write version=\"1.9\"",
        )),
    }
}

fn step_ns(world: El<'_, '_>) -> Result<u64, SdfError> {
    let own = world.own("step").next();
    let (place, name, step) = match (own, world.child("physics")) {
        (Some(step), _) => (step, "the step", step.numbers::<1>()?[0]),
        (None, Some(physics)) => {
            let step = physics.number_or("max_step_size", 0.001)?;
            (physics, "max_step_size", step)
        }
        (None, None) => return Ok(1_000_000),
    };
    if !(1e-5..=0.02).contains(&step) {
        return Err(place.error(
            format!("{name} is {step} s; expected 0.00001 to 0.02"),
            "write 0.001",
        ));
    }
    Ok((step * 1e9).round() as u64)
}

fn light(element: El<'_, '_>) -> Result<Light, SdfError> {
    if element.attribute("type") != Some("directional") {
        return Err(element.error(
            "expected type=\"directional\"",
            "the embedded world has directional lights only",
        ));
    }
    Ok(Light {
        name: element.need_attribute("name")?.to_owned(),
        direction: element.need("direction")?.unit_vec3()?,
        diffuse: color(element, "diffuse")?.unwrap_or([1.0; 3]),
    })
}

fn color(element: El<'_, '_>, tag: &'static str) -> Result<Option<[f32; 3]>, SdfError> {
    let Some(child) = element.child(tag) else {
        return Ok(None);
    };
    // The fourth number, opacity, may be left out and is not used.
    let rgb = match child.numbers::<4>() {
        Ok([r, g, b, _]) => [r, g, b],
        Err(_) => child.numbers::<3>()?,
    };
    if rgb.iter().any(|c| !(0.0..=1.0).contains(c)) {
        return Err(child.error("expected colours between 0 and 1", "write r g b a"));
    }
    Ok(Some(rgb.map(|c| c as f32)))
}

fn area(element: El<'_, '_>) -> Result<Area, SdfError> {
    let center = element.numbers_attribute::<3>("center")?;
    let size = element.numbers_attribute::<2>("size")?;
    for x in size {
        element.check_positive(x)?;
    }
    Ok(Area {
        center: Vec3::from(center.map(|x| x as f32)),
        size: size.map(|x| x as f32),
    })
}

fn model(element: El<'_, '_>) -> Result<Model, SdfError> {
    let name = element.need_attribute("name")?.to_owned();
    let link_elements: Vec<_> = element.children("link").collect();
    let joint_elements: Vec<_> = element.children("joint").collect();
    if link_elements.is_empty() {
        return Err(element.error("has no <link>", "add at least one link"));
    }
    if link_elements.len() > MAX_LINKS || joint_elements.len() > MAX_LINKS {
        return Err(element.error(
            format!("more than {MAX_LINKS} links or joints"),
            "split the model",
        ));
    }
    let mut frames = Vec::new();
    for &link in &link_elements {
        let name = link.need_attribute("name")?;
        link.unique(name, frames.iter().map(|f: &Frame<'_, '_>| f.name.as_str()))?;
        frames.push(Frame::read(link, name, None)?);
    }
    for &joint in &joint_elements {
        let name = joint.need_attribute("name")?;
        joint.unique(name, frames.iter().map(|f| f.name.as_str()))?;
        frames.push(Frame::read(joint, name, Some(joint.need("child")?.text()))?);
    }
    let poses = resolve(&frames)?;
    let (link_poses, joint_poses) = poses.split_at(link_elements.len());

    let mut links = Vec::with_capacity(link_elements.len());
    for (&element, &pose) in link_elements.iter().zip(link_poses) {
        links.push(link(element, pose)?);
    }
    let joints = joints(&joint_elements, joint_poses, &links)?;
    let controllers = element
        .own("controller")
        .map(|c| controller(c, &joints))
        .collect::<Result<_, _>>()?;
    Ok(Model {
        name,
        is_static: element.boolean_or("static", false)?,
        self_collide: element.boolean_or("self_collide", false)?,
        pose: element.local_pose()?,
        links,
        joints,
        controllers,
        role: role(element)?,
    })
}

fn role(element: El<'_, '_>) -> Result<Role, SdfError> {
    if let Some(object) = element.own("object").next() {
        let class = object.need_attribute("class")?.to_owned();
        let on_request = match object.attribute("on_request") {
            None | Some("false") => false,
            Some("true") => true,
            Some(other) => {
                let what = format!("on_request is \"{other}\"");
                return Err(object.error(what, "write true or false"));
            }
        };
        return Ok(Role::Object { class, on_request });
    }
    Ok(Role::Fixture)
}

fn link(element: El<'_, '_>, pose: Pose) -> Result<Link, SdfError> {
    let decay = element.child("velocity_decay");
    let decay = match decay {
        Some(d) => [d.number_or("linear", 0.0)?, d.number_or("angular", 0.0)?],
        None => [0.0; 2],
    };
    if decay.iter().any(|&d| d < 0.0) {
        return Err(element.error("velocity_decay is negative", "write zero or more"));
    }
    Ok(Link {
        name: element.need_attribute("name")?.to_owned(),
        pose,
        inertial: element
            .child("inertial")
            .map_or(Ok(Inertial::default()), inertial)?,
        gravity: element.boolean_or("gravity", true)?,
        velocity_decay: decay.map(|d| d as f32),
        collisions: element
            .children("collision")
            .map(collision)
            .collect::<Result<_, _>>()?,
        visuals: element
            .children("visual")
            .map(visual)
            .collect::<Result<_, _>>()?,
        sensors: element
            .children("sensor")
            .filter(|s| !GAZEBO_SENSORS.contains(&s.attribute("type").unwrap_or("")))
            .map(sensor)
            .collect::<Result<_, _>>()?,
    })
}

fn inertial(element: El<'_, '_>) -> Result<Inertial, SdfError> {
    let mass = element.positive("mass")? as f32;
    let pose = element.local_pose()?;
    let Some(tensor) = element.child("inertia") else {
        return Ok(Inertial {
            mass,
            pose,
            ..Inertial::default()
        });
    };
    let (ixx, iyy, izz) = (
        tensor.positive("ixx")?,
        tensor.positive("iyy")?,
        tensor.positive("izz")?,
    );
    // No distribution of mass breaks the triangle inequality.
    if ixx + iyy < izz * 0.999 || iyy + izz < ixx * 0.999 || izz + ixx < iyy * 0.999 {
        return Err(tensor.error(
            format!("moments {ixx} {iyy} {izz} belong to no body"),
            "each must be at most the sum of the other two",
        ));
    }
    let off = [
        tensor.number_or("ixy", 0.0)?,
        tensor.number_or("ixz", 0.0)?,
        tensor.number_or("iyz", 0.0)?,
    ];
    Ok(Inertial {
        mass,
        pose,
        inertia: [ixx, iyy, izz, off[0], off[1], off[2]].map(|x| x as f32),
    })
}

fn collision(element: El<'_, '_>) -> Result<Collision, SdfError> {
    let ode = element
        .child("surface")
        .and_then(|s| s.child("friction"))
        .and_then(|f| f.child("ode"));
    let friction = match ode {
        Some(ode) => {
            let mu = ode.number_or("mu", 1.0)?;
            if mu < 0.0 {
                return Err(ode.error(format!("mu is {mu}"), "write zero or more"));
            }
            mu as f32
        }
        None => 1.0,
    };
    Ok(Collision {
        name: element.need_attribute("name")?.to_owned(),
        pose: element.local_pose()?,
        shape: shape(element.need("geometry")?)?,
        friction,
    })
}

fn visual(element: El<'_, '_>) -> Result<Visual, SdfError> {
    let material = element.child("material");
    Ok(Visual {
        name: element.need_attribute("name")?.to_owned(),
        pose: element.local_pose()?,
        shape: shape(element.need("geometry")?)?,
        diffuse: match material {
            Some(m) => color(m, "diffuse")?.unwrap_or([0.7; 3]),
            None => [0.7; 3],
        },
        texture: element.own("texture").next().map(|t| t.text().to_owned()),
    })
}

fn shape(geometry: El<'_, '_>) -> Result<Shape, SdfError> {
    let radius = |e: El<'_, '_>| Ok::<f32, SdfError>(e.positive("radius")? as f32);
    let length = |e: El<'_, '_>| Ok::<f32, SdfError>(e.positive("length")? as f32);
    if let Some(e) = geometry.child("box") {
        let size = e.need("size")?;
        let xyz = size.numbers::<3>()?;
        for x in xyz {
            size.check_positive(x)?;
        }
        return Ok(Shape::Box {
            size: Vec3::from(xyz.map(|x| x as f32)),
        });
    }
    if let Some(e) = geometry.child("sphere") {
        return Ok(Shape::Sphere { radius: radius(e)? });
    }
    if let Some(e) = geometry.child("cylinder") {
        return Ok(Shape::Cylinder {
            radius: radius(e)?,
            length: length(e)?,
        });
    }
    if let Some(e) = geometry.child("capsule") {
        return Ok(Shape::Capsule {
            radius: radius(e)?,
            length: length(e)?,
        });
    }
    if let Some(e) = geometry.child("plane") {
        let size = match e.child("size") {
            Some(s) => s.numbers::<2>()?,
            None => [1.0; 2],
        };
        return Ok(Shape::Plane {
            normal: e.child("normal").map_or(Ok(Vec3::Z), El::unit_vec3)?,
            size: size.map(|x| x as f32),
        });
    }
    Err(geometry.error(
        "no shape that the embedded world knows",
        "use box, sphere, cylinder, capsule or plane",
    ))
}

fn sensor(element: El<'_, '_>) -> Result<Sensor, SdfError> {
    let name = element.need_attribute("name")?.to_owned();
    if element.attribute("type") != Some("camera") {
        return Err(element.error(
            format!(
                "sensor of type \"{}\"",
                element.attribute("type").unwrap_or("")
            ),
            "the embedded world has cameras; contact, imu and gpu_lidar are left to Gazebo",
        ));
    }
    let camera = element.need("camera")?;
    let image = camera.need("image")?;
    let mut pixels = [0; 2];
    for (slot, tag) in pixels.iter_mut().zip(["width", "height"]) {
        let n = image.number(tag)?;
        if !(1.0..=MAX_IMAGE).contains(&n) || n.fract() != 0.0 {
            return Err(image.error(
                format!("{tag} is {n}; expected a whole number from 1 to {MAX_IMAGE}"),
                "write the size in pixels",
            ));
        }
        *slot = n as usize;
    }
    let fov = camera.number("horizontal_fov")?;
    if !(0.01..3.1).contains(&fov) {
        return Err(camera.error(
            format!("horizontal_fov is {fov} rad; expected 0.01 to 3.1"),
            "write the angle in radians",
        ));
    }
    let rate_hz = element.number_or("update_rate", 30.0)?;
    element.check_positive(rate_hz)?;
    Ok(Sensor {
        name,
        pose: element.local_pose()?,
        rate_hz,
        image: pixels,
        horizontal_fov: fov as f32,
        topic: element.child("topic").map_or("", El::text).to_owned(),
        event_camera: element
            .own("event_camera")
            .next()
            .map(event_camera)
            .transpose()?,
    })
}

fn event_camera(element: El<'_, '_>) -> Result<EventCamera, SdfError> {
    let number = |name: &str, default: f64| {
        let x = element.number_attribute_or(name, default)?;
        if x < 0.0 {
            return Err(element.error(format!("{name} is {x}"), "write zero or more"));
        }
        Ok(x)
    };
    Ok(EventCamera {
        threshold_on: element.check_positive(number("threshold_on", 0.15)?)? as f32,
        threshold_off: element.check_positive(number("threshold_off", 0.15)?)? as f32,
        threshold_sigma: number("threshold_sigma", 0.03)? as f32,
        refractory_us: number("refractory_us", 100.0)? as u32,
        leak_rate_hz: number("leak_rate_hz", 0.1)? as f32,
        shot_noise_rate_hz: number("shot_noise_rate_hz", 0.5)? as f32,
    })
}

fn joints(elements: &[El<'_, '_>], poses: &[Pose], links: &[Link]) -> Result<Vec<Joint>, SdfError> {
    let mut out: Vec<Joint> = Vec::with_capacity(elements.len());
    for (&element, &pose) in elements.iter().zip(poses) {
        let joint = joint(element, pose, links)?;
        if out.iter().any(|j| j.child == joint.child) {
            return Err(element.error(
                format!("link \"{}\" has two parent joints", links[joint.child].name),
                "let every link be the child of one joint; closed chains are not run",
            ));
        }
        out.push(joint);
    }
    for (index, &element) in elements.iter().enumerate() {
        let mimic = element
            .own("mimic")
            .next()
            .map(|m| mimic(m, &out))
            .transpose()?;
        if mimic.is_some_and(|m| m.joint == index) {
            return Err(element.error("the joint is coupled to itself", "name another joint"));
        }
        out[index].mimic = mimic;
    }
    for (joint, element) in out.iter().zip(elements) {
        if joint.mimic.is_some_and(|m| out[m.joint].mimic.is_some()) {
            return Err(element.error(
                "coupled to a joint that is itself coupled",
                "couple it to the driving joint",
            ));
        }
        check_tree(*element, joint, &out)?;
    }
    Ok(out)
}

/// Refuses joints that go round in a circle.
fn check_tree(element: El<'_, '_>, joint: &Joint, all: &[Joint]) -> Result<(), SdfError> {
    let mut at = joint.parent;
    for _ in 0..=all.len() {
        match at {
            None => return Ok(()),
            Some(link) => {
                at = all.iter().find(|j| j.child == link).and_then(|j| j.parent);
            }
        }
    }
    Err(element.error(
        "the joints go round in a circle",
        "let the chain of parents end at the world or at a free link",
    ))
}

fn joint(element: El<'_, '_>, pose: Pose, links: &[Link]) -> Result<Joint, SdfError> {
    let kind = match element.attribute("type") {
        Some("fixed") => JointKind::Fixed,
        Some("revolute") => JointKind::Revolute,
        Some("prismatic") => JointKind::Prismatic,
        other => {
            return Err(element.error(
                format!("joint of type \"{}\"", other.unwrap_or("")),
                "the embedded world has fixed, revolute and prismatic joints",
            ));
        }
    };
    let find = |tag: &'static str| {
        let child = element.need(tag)?;
        links
            .iter()
            .position(|l| l.name == child.text())
            .ok_or_else(|| {
                child.error(
                    format!(
                        "joint \"{}\" names the link \"{}\", which the model does not have",
                        element.attribute("name").unwrap_or(""),
                        child.text()
                    ),
                    "name a link of the same model, or add the link",
                )
            })
    };
    let parent = match element.need("parent")?.text() {
        "world" => None,
        _ => Some(find("parent")?),
    };
    let mut joint = Joint {
        name: element.need_attribute("name")?.to_owned(),
        kind,
        parent,
        child: find("child")?,
        pose,
        axis: Vec3::Z,
        limits: [0.0; 2],
        effort: 0.0,
        velocity: 0.0,
        servo: Servo {
            stiffness: 0.0,
            damping: 0.0,
        },
        home: 0.0,
        mimic: None,
    };
    if kind != JointKind::Fixed {
        axis(element.need("axis")?, &mut joint)?;
        joint.servo = servo(element, joint.effort)?;
        if let Some(home) = element.own("home").next() {
            joint.home = home.numbers::<1>()?[0] as f32;
            if !(joint.limits[0]..=joint.limits[1]).contains(&joint.home) {
                return Err(home.error(
                    format!("{} is outside the joint's limits", joint.home),
                    "write a position within the limits",
                ));
            }
        }
    }
    Ok(joint)
}

fn axis(element: El<'_, '_>, joint: &mut Joint) -> Result<(), SdfError> {
    let xyz = element.need("xyz")?;
    if xyz.attribute("expressed_in").is_some_and(|f| !f.is_empty()) {
        return Err(xyz.error(
            "expressed_in is not read",
            "give the axis in the joint frame",
        ));
    }
    joint.axis = xyz.unit_vec3()?;
    let limit = element.need("limit")?;
    joint.limits = [limit.number("lower")? as f32, limit.number("upper")? as f32];
    if joint.limits[0] >= joint.limits[1] {
        return Err(limit.error("lower is not below upper", "swap or widen the limits"));
    }
    joint.effort = limit.positive("effort")? as f32;
    joint.velocity = limit.positive("velocity")? as f32;
    Ok(())
}

fn servo(element: El<'_, '_>, effort: f32) -> Result<Servo, SdfError> {
    let Some(servo) = element.own("servo").next() else {
        // Full effort at 0.02 rad, well damped.
        let stiffness = effort / 0.02;
        return Ok(Servo {
            stiffness,
            damping: stiffness * 0.05,
        });
    };
    let number = |name| servo.check_positive(servo.numbers_attribute::<1>(name)?[0]);
    Ok(Servo {
        stiffness: number("stiffness")? as f32,
        damping: number("damping")? as f32,
    })
}

fn mimic(element: El<'_, '_>, joints: &[Joint]) -> Result<Mimic, SdfError> {
    let name = element.need_attribute("joint")?;
    let joint = joints.iter().position(|j| j.name == name).ok_or_else(|| {
        element.error(
            format!("coupled to the joint \"{name}\", which the model does not have"),
            "name a joint of the same model",
        )
    })?;
    Ok(Mimic {
        joint,
        multiplier: element.number_attribute_or("multiplier", 1.0)? as f32,
        offset: element.number_attribute_or("offset", 0.0)? as f32,
    })
}

fn controller(element: El<'_, '_>, joints: &[Joint]) -> Result<Controller, SdfError> {
    let mut out = Vec::new();
    for name in element.need_attribute("joints")?.split_whitespace() {
        let index = joints.iter().position(|j| j.name == name).ok_or_else(|| {
            element.error(
                format!("commands the joint \"{name}\", which the model does not have"),
                "name joints of the same model",
            )
        })?;
        if joints[index].kind == JointKind::Fixed || joints[index].mimic.is_some() {
            return Err(element.error(
                format!("commands the joint \"{name}\", which is fixed or coupled"),
                "name joints that move by themselves",
            ));
        }
        out.push(index);
    }
    Ok(Controller {
        name: element.need_attribute("name")?.to_owned(),
        action: element.need_attribute("action")?.to_owned(),
        joints: out,
        path_tolerance: element.number_attribute_or("path_tolerance", 0.0)?,
        goal_tolerance: element.number_attribute_or("goal_tolerance", 0.0)?,
    })
}
