//! Rigid bodies, joints and contacts of a world, run by rapier3d.
//!
//! Links that hang in a single chain from the world (arm, head) are one multibody
//! in reduced coordinates: their joints cannot drift apart. Where a link branches
//! (the palm) its children are ordinary bodies held by impulse joints, which is
//! five times cheaper than one multibody of 26 degrees of freedom. Links joined by
//! fixed joints are one body.
//!
//! Every joint is driven by an implicit spring-damper towards its target, cut at
//! the joint's effort limit. Couplings (`mimic`) follow the measured position of
//! the driving joint. Nothing else acts on the bodies but contact, friction and
//! gravity.

use glam::{Mat3, Quat, Vec3};
use rapier3d::prelude as r;
use rapier3d::prelude::{
    ColliderBuilder, GenericJoint, Group, ImpulseJointHandle, InteractionGroups, JointAxis,
    MassProperties, MultibodyJointHandle, PhysicsWorld, RigidBodyBuilder, RigidBodyHandle,
};

use crate::kinematics::{Kinematics, couple};
use crate::sdf::{Collision, Inertial, Joint, JointKind, Link, Model, Pose, Shape, World};

/// Where a model is put and how large it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Placement {
    /// Pose in the world.
    pub pose: Pose,
    /// Size factor; mass goes with its cube.
    pub scale: f32,
    /// Whether it is there at all. What is not neither moves nor touches anything.
    pub present: bool,
}

/// Position, velocity and effort of a joint.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct JointState {
    /// rad or m.
    pub position: f32,
    /// rad/s or m/s.
    pub velocity: f32,
    /// Torque or force that its servo applies, N·m or N.
    pub effort: f32,
}

/// Where a joint's servo wants it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct JointTarget {
    /// rad or m.
    pub position: f32,
    /// rad/s or m/s.
    pub velocity: f32,
}

enum Handle {
    Multibody(MultibodyJointHandle),
    Impulse(ImpulseJointHandle),
}

struct JointBody {
    /// Model and joint of the world description.
    model: usize,
    joint: usize,
    handle: Handle,
    axis: JointAxis,
    /// Index of the driving joint in `Physics::joints`, factor and offset.
    mimic: Option<(usize, f32, f32)>,
    applied: JointTarget,
}

struct LinkBody {
    body: RigidBodyHandle,
    /// Body frame to link frame.
    offset: Pose,
}

/// The running rigid-body world.
pub struct Physics {
    rapier: PhysicsWorld,
    links: Vec<Vec<LinkBody>>,
    joints: Vec<JointBody>,
    /// Bodies held by impulse joints.
    fingers: Vec<RigidBodyHandle>,
    states: Vec<JointState>,
    targets: Vec<JointTarget>,
}

impl Physics {
    /// Builds the bodies at the joints' home positions; `placements` has one entry
    /// per model.
    #[must_use]
    pub fn new(world: &World, placements: &[Placement]) -> Self {
        let mut rapier = PhysicsWorld::new();
        rapier.gravity = world.gravity;
        let p = &mut rapier.integration_parameters;
        p.dt = world.step_ns as f32 * 1e-9;
        set_parameters(p);
        let mut out = Self {
            rapier,
            links: Vec::new(),
            joints: Vec::new(),
            fingers: Vec::new(),
            states: Vec::new(),
            targets: Vec::new(),
        };
        for (index, (model, placement)) in world.models.iter().zip(placements).enumerate() {
            out.add_model(index, model, *placement);
        }
        out.states = vec![JointState::default(); out.joints.len()];
        out.targets = vec![JointTarget::default(); out.joints.len()];
        for (target, joint) in out.targets.iter_mut().zip(&out.joints) {
            target.position = world.models[joint.model].joints[joint.joint].home;
        }
        out.read_states(world);
        out
    }

    fn add_model(&mut self, index: usize, model: &Model, placement: Placement) {
        let kinematics = Kinematics::new(model);
        let mut home: Vec<f32> = model.joints.iter().map(|j| j.home).collect();
        couple(model, &mut home);
        let mut poses = Vec::new();
        kinematics.forward(model, &home, &mut poses);
        let s = placement.scale;
        let scaled = |p: Pose| Pose::from_parts(p.translation * s, p.rotation);
        let poses: Vec<Pose> = poses
            .into_iter()
            .map(|p| placement.pose * scaled(p))
            .collect();

        let roots = rigid_roots(model);
        let mut links = Vec::with_capacity(model.links.len());
        for (l, &root) in roots.iter().enumerate() {
            let body = if root == l {
                let fixed = model.is_static
                    || model
                        .joints
                        .iter()
                        .any(|j| j.child == l && j.kind == JointKind::Fixed && j.parent.is_none());
                self.rapier.bodies.insert(
                    body_builder(&model.links[l], poses[l], fixed, model)
                        .enabled(placement.present),
                )
            } else {
                RigidBodyHandle::invalid()
            };
            links.push(LinkBody {
                body,
                offset: Pose::IDENTITY,
            });
        }
        for (l, &root) in roots.iter().enumerate() {
            links[l] = LinkBody {
                body: links[root].body,
                offset: poses[root].inverse() * poses[l],
            };
        }
        self.add_masses_and_shapes(index, model, &links, s);
        self.links.push(links);
        self.add_joints(index, model, &kinematics, &roots, &home, placement);
    }

    fn add_masses_and_shapes(
        &mut self,
        index: usize,
        model: &Model,
        links: &[LinkBody],
        scale: f32,
    ) {
        let mut masses: Vec<(RigidBodyHandle, MassProperties)> = Vec::new();
        for (link, at) in model.links.iter().zip(links) {
            let mass = mass_properties(&link.inertial, scale).transform_by(&at.offset);
            match masses.iter_mut().find(|(body, _)| *body == at.body) {
                Some((_, sum)) => *sum += mass,
                None => masses.push((at.body, mass)),
            }
            for collision in &link.collisions {
                let mut collider = collider(collision, at.offset, scale);
                if !model.self_collide {
                    // Rapier has 32 groups; models past that share the last one.
                    let own = Group::from_bits_truncate(1 << index.min(31));
                    collider = collider.collision_groups(InteractionGroups::new(
                        own,
                        !own,
                        r::InteractionTestMode::And,
                    ));
                }
                self.rapier.colliders.insert_with_parent(
                    collider,
                    at.body,
                    &mut self.rapier.bodies,
                );
            }
        }
        for (body, mass) in masses {
            if let Some(body) = self.rapier.bodies.get_mut(body) {
                body.set_additional_mass_properties(mass, true);
            }
        }
    }

    fn add_joints(
        &mut self,
        index: usize,
        model: &Model,
        kinematics: &Kinematics,
        roots: &[usize],
        home: &[f32],
        placement: Placement,
    ) {
        let first = self.joints.len();
        let reduced = serial_chain(model, roots);
        // Joints are kept in the model's order whatever the order of building.
        let mut built: Vec<Option<Handle>> = model.joints.iter().map(|_| None).collect();
        let world_anchor = self
            .rapier
            .bodies
            .insert(RigidBodyBuilder::fixed().pose(placement.pose));
        for j in kinematics.order() {
            let joint = &model.joints[j];
            if joint.kind == JointKind::Fixed {
                continue;
            }
            let links = &self.links[index];
            let (parent, parent_frame) = match joint.parent {
                Some(p) => (
                    links[p].body,
                    links[p].offset * model.links[p].pose.inverse(),
                ),
                None => (world_anchor, Pose::IDENTITY),
            };
            let child = &links[joint.child];
            let child_frame = child.offset * model.links[joint.child].pose.inverse();
            let data = joint_data(joint, parent_frame * joint.pose, child_frame * joint.pose);
            let child = child.body;
            built[j] = if reduced[j] {
                let handle = self
                    .rapier
                    .multibody_joints
                    .insert(parent, child, data, true);
                handle.map(Handle::Multibody)
            } else {
                let handle = self.rapier.impulse_joints.insert(parent, child, data, true);
                self.fingers.push(child);
                Some(Handle::Impulse(handle))
            };
        }
        let mut slots = vec![None; model.joints.len()];
        for (j, handle) in built.into_iter().enumerate() {
            if let Some(handle) = handle {
                slots[j] = Some(self.joints.len());
                self.joints.push(JointBody {
                    model: index,
                    joint: j,
                    handle,
                    axis: axis_of(model.joints[j].kind),
                    mimic: None,
                    applied: JointTarget {
                        position: f32::NAN,
                        velocity: 0.0,
                    },
                });
            }
        }
        for at in first..self.joints.len() {
            let mimic = model.joints[self.joints[at].joint].mimic;
            self.joints[at].mimic =
                mimic.and_then(|m| slots[m.joint].map(|driver| (driver, m.multiplier, m.offset)));
        }
        self.set_chain_home(first, home);
    }

    /// Puts multibodies, which start at zero, to their home positions.
    fn set_chain_home(&mut self, first: usize, home: &[f32]) {
        for joint in &self.joints[first..] {
            let Handle::Multibody(handle) = joint.handle else {
                continue;
            };
            let Some((multibody, link)) = self.rapier.multibody_joints.get_mut(handle) else {
                continue;
            };
            // Fixes the root first, which changes the number of coordinates.
            multibody.forward_kinematics(&self.rapier.bodies, true);
            let mut shift = vec![0.0; multibody.ndofs()];
            if let Some(dof) = dof_of(multibody, link) {
                shift[dof] = home[joint.joint];
            }
            multibody.apply_displacements(&shift);
            multibody.forward_kinematics(&self.rapier.bodies, true);
            multibody.update_rigid_bodies(&mut self.rapier.bodies, true);
        }
    }

    /// Runs one step with the targets set before.
    pub fn step(&mut self, world: &World) {
        self.apply_targets(world);
        self.rapier.integration_parameters.num_solver_iterations = if self.fingers_touch() {
            SUBSTEPS_TOUCHING
        } else {
            SUBSTEPS_FREE
        };
        self.rapier.step();
        self.read_states(world);
    }

    /// Whether a body that hangs in an impulse joint (a finger) touches something, or
    /// will within milliseconds.
    fn fingers_touch(&self) -> bool {
        let is_finger = |collider| {
            let parent = self.rapier.colliders.get(collider).and_then(|c| c.parent());
            parent.is_some_and(|p| self.fingers.contains(&p))
        };
        self.rapier.narrow_phase.contact_pairs().any(|pair| {
            // Points are found some millimetres before they touch.
            pair.manifolds().iter().any(|m| !m.points.is_empty())
                && (is_finger(pair.collider1) || is_finger(pair.collider2))
        })
    }

    fn apply_targets(&mut self, world: &World) {
        for at in 0..self.joints.len() {
            let target = match self.joints[at].mimic {
                Some((driver, factor, offset)) => JointTarget {
                    position: factor * self.states[driver].position + offset,
                    // The driver's velocity of one step ago would excite the chain.
                    velocity: 0.0,
                },
                None => self.targets[at],
            };
            let body = &mut self.joints[at];
            if target == body.applied {
                continue;
            }
            body.applied = target;
            let joint = &world.models[body.model].joints[body.joint];
            let set = |data: &mut GenericJoint| {
                data.set_motor(
                    body.axis,
                    target.position.clamp(joint.limits[0], joint.limits[1]),
                    target.velocity.clamp(-joint.velocity, joint.velocity),
                    joint.servo.stiffness,
                    joint.servo.damping,
                );
            };
            match body.handle {
                Handle::Impulse(handle) => {
                    if let Some(j) = self.rapier.impulse_joints.get_mut(handle, false) {
                        set(&mut j.data);
                    }
                }
                Handle::Multibody(handle) => {
                    if let Some((multibody, id)) = self.rapier.multibody_joints.get_mut(handle)
                        && let Some(link) = multibody.link_mut(id)
                    {
                        set(&mut link.joint.data);
                    }
                }
            }
        }
    }

    fn read_states(&mut self, world: &World) {
        for at in 0..self.joints.len() {
            let body = &self.joints[at];
            let (position, velocity) = match body.handle {
                Handle::Impulse(handle) => self.impulse_state(handle, body.axis),
                Handle::Multibody(handle) => self.multibody_state(handle, body.axis),
            };
            let joint = &world.models[body.model].joints[body.joint];
            // The servo is integrated implicitly, so its torque is that of the
            // state it leads to.
            let effort = if body.applied.position.is_nan() {
                0.0
            } else {
                joint.servo.stiffness * (body.applied.position - position)
                    + joint.servo.damping * (body.applied.velocity - velocity)
            };
            self.states[at] = JointState {
                position,
                velocity,
                effort: effort.clamp(-joint.effort, joint.effort),
            };
        }
    }

    fn impulse_state(&self, handle: ImpulseJointHandle, axis: JointAxis) -> (f32, f32) {
        let Some(joint) = self.rapier.impulse_joints.get(handle) else {
            return (0.0, 0.0);
        };
        let (Some(a), Some(b)) = (
            self.rapier.bodies.get(joint.body1()),
            self.rapier.bodies.get(joint.body2()),
        ) else {
            return (0.0, 0.0);
        };
        let frame_a = *a.position() * joint.data.local_frame1;
        let frame_b = *b.position() * joint.data.local_frame2;
        let along = frame_a.rotation * Vec3::X;
        let between = frame_a.inverse() * frame_b;
        if axis == JointAxis::LinX {
            let v =
                b.velocity_at_point(frame_b.translation) - a.velocity_at_point(frame_b.translation);
            (between.translation.x, v.dot(along))
        } else {
            let q = between.rotation;
            let angle = 2.0 * q.x.atan2(q.w);
            let turn = std::f32::consts::TAU;
            let wrapped = if angle > 0.5 * turn {
                angle - turn
            } else if angle < -0.5 * turn {
                angle + turn
            } else {
                angle
            };
            (wrapped, (b.angvel() - a.angvel()).dot(along))
        }
    }

    fn multibody_state(&self, handle: MultibodyJointHandle, axis: JointAxis) -> (f32, f32) {
        let Some((multibody, id)) = self.rapier.multibody_joints.get(handle) else {
            return (0.0, 0.0);
        };
        let Some(link) = multibody.link(id) else {
            return (0.0, 0.0);
        };
        let velocity = multibody.joint_velocity(link);
        (
            link.joint().coords()[axis as usize],
            velocity.get(0).copied().unwrap_or(0.0),
        )
    }

    /// Joints that move, as (model, joint) of the description, in the order of
    /// [`Physics::states`].
    pub fn joints(&self) -> impl ExactSizeIterator<Item = (usize, usize)> + '_ {
        self.joints.iter().map(|j| (j.model, j.joint))
    }

    /// State of every moving joint.
    #[must_use]
    pub fn states(&self) -> &[JointState] {
        &self.states
    }

    /// Gives states and targets of all joints to `f`; targets of coupled joints are
    /// not used.
    pub fn with_targets(&mut self, f: impl FnOnce(&[JointState], &mut [JointTarget])) {
        f(&self.states, &mut self.targets);
    }

    /// Pose of a link in the world.
    #[must_use]
    pub fn link_pose(&self, model: usize, link: usize) -> Pose {
        let at = &self.links[model][link];
        match self.rapier.bodies.get(at.body) {
            Some(body) => *body.position() * at.offset,
            None => at.offset,
        }
    }

    /// Linear and angular velocity of a link.
    #[must_use]
    pub fn link_velocity(&self, model: usize, link: usize) -> (Vec3, Vec3) {
        match self.rapier.bodies.get(self.links[model][link].body) {
            Some(body) => (body.linvel(), body.angvel()),
            None => (Vec3::ZERO, Vec3::ZERO),
        }
    }

    /// Sum of the normal contact forces between two models over the last step, N.
    #[must_use]
    pub fn contact_force(&self, a: usize, b: usize) -> f32 {
        let mut impulse = 0.0;
        let owner =
            |body: RigidBodyHandle, model: usize| self.links[model].iter().any(|l| l.body == body);
        for link in &self.links[b] {
            let Some(body) = self.rapier.bodies.get(link.body) else {
                continue;
            };
            for &collider in body.colliders() {
                for pair in self.rapier.narrow_phase.contact_pairs_with(collider) {
                    let other = if pair.collider1 == collider {
                        pair.collider2
                    } else {
                        pair.collider1
                    };
                    let parent = self.rapier.colliders.get(other).and_then(|c| c.parent());
                    if parent.is_some_and(|p| owner(p, a)) {
                        impulse += pair.total_impulse_magnitude();
                    }
                }
            }
        }
        impulse / self.rapier.integration_parameters.dt
    }
}

/// Substeps of a step while a finger touches something. With less than two substeps
/// of two sweeps, the impulses that squeeze a light object between motor-driven
/// fingers do not converge and the grip is lost.
const SUBSTEPS_TOUCHING: usize = 2;

/// Substeps while the hand moves freely.
const SUBSTEPS_FREE: usize = 1;

fn set_parameters(p: &mut r::IntegrationParameters) {
    p.num_internal_pgs_iterations = 2;
    p.num_internal_stabilization_iterations = 2;
    p.warmstart_joints = true;
    // Rapier's defaults suit furniture at 60 Hz; these suit a pen at 1 kHz.
    p.contact_softness = r::SpringCoefficients::new(200.0, 5.0);
    p.static_contact_softness = r::SpringCoefficients::new(200.0, 5.0);
    p.normalized_prediction_distance = 0.003;
    p.normalized_allowed_linear_error = 0.0002;
    p.contact_recycling = false;
    // Else the recovery of penetration lets a squeezed object creep out.
    p.friction_in_bias_pass = true;
    p.friction_model = r::FrictionModel::Coulomb;
    p.normalized_max_corrective_velocity = 0.5;
}

fn body_builder(link: &Link, pose: Pose, fixed: bool, model: &Model) -> RigidBodyBuilder {
    if fixed {
        return RigidBodyBuilder::fixed().pose(pose);
    }
    RigidBodyBuilder::dynamic()
        .pose(pose)
        .gravity_scale(if link.gravity { 1.0 } else { 0.0 })
        .linear_damping(link.velocity_decay[0])
        .angular_damping(link.velocity_decay[1])
        .can_sleep(model.joints.is_empty())
}

/// For every link the link whose body it is part of.
fn rigid_roots(model: &Model) -> Vec<usize> {
    (0..model.links.len())
        .map(|link| {
            let mut at = link;
            while let Some(parent) = model
                .joints
                .iter()
                .find(|j| j.child == at && j.kind == JointKind::Fixed)
                .and_then(|j| j.parent)
            {
                at = parent;
            }
            at
        })
        .collect()
}

/// For every joint whether it lies in a single chain that starts at the world.
fn serial_chain(model: &Model, roots: &[usize]) -> Vec<bool> {
    let moving = |j: &Joint| j.kind != JointKind::Fixed;
    let mut out = vec![false; model.joints.len()];
    let is_fixed = |body: usize| {
        model.is_static
            || model
                .joints
                .iter()
                .any(|j| j.child == body && j.kind == JointKind::Fixed && j.parent.is_none())
    };
    let starts = model
        .joints
        .iter()
        .enumerate()
        .filter(|(_, j)| moving(j) && j.parent.is_none_or(|p| is_fixed(roots[p])));
    for (start, _) in starts {
        let mut at = start;
        loop {
            out[at] = true;
            let body = roots[model.joints[at].child];
            let mut next = model
                .joints
                .iter()
                .enumerate()
                .filter(|(_, j)| moving(j) && j.parent.is_some_and(|p| roots[p] == body));
            match (next.next(), next.next()) {
                (Some((only, _)), None) => at = only,
                _ => break,
            }
        }
    }
    out
}

fn mass_properties(inertial: &Inertial, scale: f32) -> MassProperties {
    let [xx, yy, zz, xy, xz, yz] = inertial.inertia.map(|i| i * scale.powi(5));
    let tensor = Mat3::from_cols(
        Vec3::new(xx, xy, xz),
        Vec3::new(xy, yy, yz),
        Vec3::new(xz, yz, zz),
    );
    let turn = Mat3::from_quat(inertial.pose.rotation);
    MassProperties::with_inertia_matrix(
        inertial.pose.translation * scale,
        inertial.mass * scale.powi(3),
        turn * tensor * turn.transpose(),
    )
}

/// Half the width and half the thickness of what stands for a plane, m.
const GROUND: f32 = 50.0;
const SLAB: f32 = 0.5;

fn collider(collision: &Collision, offset: Pose, scale: f32) -> ColliderBuilder {
    let local = Pose::from_parts(collision.pose.translation * scale, collision.pose.rotation);
    let mut pose = offset * local;
    // Rapier's cylinders stand along y.
    let z_to_y = Pose::from_rotation(Quat::from_rotation_x(std::f32::consts::FRAC_PI_2));
    let builder = match collision.shape.scaled(scale) {
        Shape::Box { size } => ColliderBuilder::cuboid(size.x / 2.0, size.y / 2.0, size.z / 2.0),
        Shape::Sphere { radius } => ColliderBuilder::ball(radius),
        Shape::Capsule { radius, length } => ColliderBuilder::capsule_z(length / 2.0, radius),
        Shape::Cylinder { radius, length } => {
            pose *= z_to_y;
            ColliderBuilder::cylinder(length / 2.0, radius)
        }
        Shape::Plane { normal, .. } => {
            // A slab, not a half space, whose endless bounding box would have every
            // collider of the world tested against it.
            pose *= Pose::from_rotation(Quat::from_rotation_arc(Vec3::Y, normal))
                * Pose::from_translation(Vec3::NEG_Y * SLAB);
            ColliderBuilder::cuboid(GROUND, SLAB, GROUND)
        }
    };
    builder
        .position(pose)
        .density(0.0)
        .friction(collision.friction)
        .friction_combine_rule(r::CoefficientCombineRule::Min)
        .restitution(0.0)
}

fn axis_of(kind: JointKind) -> JointAxis {
    match kind {
        JointKind::Prismatic => JointAxis::LinX,
        _ => JointAxis::AngX,
    }
}

fn joint_data(joint: &Joint, in_parent: Pose, in_child: Pose) -> GenericJoint {
    let to_x = Pose::from_rotation(Quat::from_rotation_arc(Vec3::X, joint.axis));
    let free = axis_of(joint.kind);
    let mask = match joint.kind {
        JointKind::Prismatic => r::JointAxesMask::LIN_X,
        _ => r::JointAxesMask::ANG_X,
    };
    let mut data = GenericJoint::new(!mask & r::JointAxesMask::all());
    data.set_local_frame1(in_parent * to_x);
    data.set_local_frame2(in_child * to_x);
    data.set_contacts_enabled(false);
    data.set_motor_model(free, r::MotorModel::ForceBased);
    data.set_motor(
        free,
        joint.home,
        0.0,
        joint.servo.stiffness,
        joint.servo.damping,
    );
    data.set_motor_max_force(free, joint.effort);
    data
}

/// Index of a link's coordinate in the multibody's vectors.
fn dof_of(multibody: &r::Multibody, link: usize) -> Option<usize> {
    let mut dof = 0;
    for (i, l) in multibody.links().enumerate() {
        let n = l.joint().ndofs();
        if i == link {
            return (n == 1).then_some(dof);
        }
        dof += n;
    }
    None
}
