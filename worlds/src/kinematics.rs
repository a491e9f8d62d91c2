//! Forward kinematics of a model from its joint positions.

use glam::{Quat, Vec3};

use crate::sdf::{Joint, JointKind, Model, Pose};

/// Motion of a joint at `position`, in its own frame.
#[must_use]
pub fn joint_motion(joint: &Joint, position: f32) -> Pose {
    match joint.kind {
        JointKind::Fixed => Pose::IDENTITY,
        JointKind::Revolute => Pose::from_rotation(Quat::from_axis_angle(joint.axis, position)),
        JointKind::Prismatic => Pose::from_translation(joint.axis * position),
    }
}

/// A model's chain of frames, ready for forward kinematics.
#[derive(Debug, Clone)]
pub struct Kinematics {
    /// Joints from the root outwards: index of the joint, parent frame to joint
    /// frame, joint frame to child link.
    order: Vec<(usize, Pose, Pose)>,
    /// Pose of links without a parent joint.
    rest: Vec<Pose>,
}

impl Kinematics {
    /// Sorts the joints of a model, which form a tree (checked on loading).
    #[must_use]
    pub fn new(model: &Model) -> Self {
        let mut placed: Vec<bool> = (0..model.links.len())
            .map(|l| model.joints.iter().all(|j| j.child != l))
            .collect();
        let mut order = Vec::with_capacity(model.joints.len());
        while order.len() < model.joints.len() {
            let before = order.len();
            for (index, joint) in model.joints.iter().enumerate() {
                if !placed[joint.child] && joint.parent.is_none_or(|p| placed[p]) {
                    placed[joint.child] = true;
                    let parent = joint.parent.map_or(Pose::IDENTITY, |p| model.links[p].pose);
                    order.push((
                        index,
                        parent.inverse() * joint.pose,
                        joint.pose.inverse() * model.links[joint.child].pose,
                    ));
                }
            }
            if order.len() == before {
                break;
            }
        }
        Self {
            order,
            rest: model.links.iter().map(|l| l.pose).collect(),
        }
    }

    /// Joint indices from the root outwards.
    pub fn order(&self) -> impl Iterator<Item = usize> + '_ {
        self.order.iter().map(|(index, _, _)| *index)
    }

    /// Poses of all links in the model frame for joint `positions` (coupled joints
    /// included, in the model's order).
    pub fn forward(&self, model: &Model, positions: &[f32], links: &mut Vec<Pose>) {
        links.clear();
        links.extend_from_slice(&self.rest);
        for (index, to_joint, to_child) in &self.order {
            let joint = &model.joints[*index];
            let parent = joint.parent.map_or(Pose::IDENTITY, |p| links[p]);
            links[joint.child] =
                parent * *to_joint * joint_motion(joint, positions[*index]) * *to_child;
        }
    }

    /// Axis of a revolute or prismatic joint and a point on it in the model frame,
    /// given the pose of its child link.
    #[must_use]
    pub fn axis(&self, model: &Model, joint: usize, links: &[Pose]) -> (Vec3, Vec3) {
        let j = &model.joints[joint];
        let to_child = j.pose.inverse() * model.links[j.child].pose;
        // The joint frame after its own motion; the axis is not moved by it.
        let frame = links[j.child] * to_child.inverse();
        (frame.rotation * j.axis, frame.translation)
    }
}

/// Positions of all joints from those of the driving ones: couplings filled in.
pub fn couple(model: &Model, positions: &mut [f32]) {
    for (index, joint) in model.joints.iter().enumerate() {
        if let Some(mimic) = joint.mimic {
            positions[index] = mimic.multiplier * positions[mimic.joint] + mimic.offset;
        }
    }
}
