//! How each class is grasped, as tables, and the arm's way there and back.

use super::contour::{BALL_RADIUS, BOTTLE_HEIGHT, Class, PEN_RADIUS, Placement};
use super::geometry::Pose;
use super::kinematics::{Arm, Capsule, Joints, cost};
use super::trajectory::{Scaling, Trajectory, straight, timed};
use glam::{DQuat, DVec3};
use std::f64::consts::{FRAC_PI_2, PI};

/// Joints of the hand in the order of every [`Hand`].
pub const HAND_JOINTS: [&str; 9] = [
    "Finger_Spread",
    "Index_Finger_Distal",
    "Index_Finger_Proximal",
    "Middle_Finger_Distal",
    "Middle_Finger_Proximal",
    "Pinky",
    "Ring_Finger",
    "Thumb_Flexion",
    "Thumb_Opposition",
];
/// Positions of the hand's joints, radians.
pub type Hand = [f64; 9];
/// Where each hand joint ends; all begin at 0.
pub const HAND_LIMITS: Hand = [
    0.5829, 1.334, 0.79849, 1.334, 0.79849, 0.98175, 0.98175, 0.9704, 0.9879,
];
/// The hand at rest.
pub const HAND_OPEN: Hand = [0.0; 9];
/// The arm at rest: stretched upwards, out of the eye's sight.
pub const HOME: Joints = [0.0; 6];
/// The tool frame (the hand's base) in the frame of joint 6, metres.
pub const TOOL: [f64; 3] = [0.0, 0.0, 0.116];

/// How a class is grasped. Poses are those of the tool in the object's frame:
/// its origin on the table under the object's centre, z up, x along the pen.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// What it is for.
    pub class: Class,
    /// Tool position for the nominal object, metres.
    pub xyz: [f64; 3],
    /// How much each coordinate grows with the object's size, m per unit.
    pub growth: [f64; 3],
    /// Tool orientation, roll, pitch, yaw.
    pub rpy: [f64; 3],
    /// The object's frame may be turned by these about z, radians.
    pub turns: &'static [f64],
    /// From the grasp to the pre-grasp, metres.
    pub approach: [f64; 3],
    /// The hand on its way.
    pub preshape: Hand,
    /// Where the fingers are sent to close; contact stops them before.
    pub close: Hand,
    /// Time for closing, seconds.
    pub close_s: f64,
}

/// Directions all around, every 15 degrees, those near the arm's own first.
const AROUND: [f64; 24] = {
    let mut out = [0.0; 24];
    let mut k = 0;
    while k < 24 {
        out[k] = (k as f64 - 12.0) * PI / 12.0;
        k += 1;
    }
    out
};

/// The ball: from above, palm down over it.
pub const BALL: Recipe = Recipe {
    class: Class::Ball,
    xyz: [0.0, -0.04, 0.12],
    growth: [0.0, 0.0, BALL_RADIUS],
    rpy: [PI, 0.0, 0.0],
    turns: &AROUND,
    approach: [0.0, 0.0, 0.10],
    preshape: [0.32, 0.20, 0.06, 0.05, 0.0, 0.04, 0.03, 0.20, 0.09],
    close: [0.32, 0.78, 0.20, 0.76, 0.14, 0.88, 0.88, 0.49, 0.09],
    close_s: 1.0,
};

/// The bottle: from the side at half height.
pub const BOTTLE: Recipe = Recipe {
    class: Class::Bottle,
    xyz: [-0.10, 0.0, 0.08],
    growth: [0.0; 3],
    rpy: [0.0, FRAC_PI_2, 0.0],
    turns: &AROUND,
    approach: [-0.10, 0.0, 0.0],
    preshape: [0.43, 0.20, 0.06, 0.05, 0.0, 0.04, 0.03, 0.20, 0.9879],
    close: [0.43, 0.80, 0.50, 0.75, 0.50, 0.69, 0.61, 0.39, 0.9879],
    close_s: 1.0,
};

/// The pen: from above, fingers across it.
pub const PEN: Recipe = Recipe {
    class: Class::Pen,
    xyz: [0.0, -0.03, 0.16],
    growth: [0.0, 0.0, PEN_RADIUS],
    rpy: [PI, 0.0, 0.0],
    turns: &[0.0, PI],
    approach: [0.0, 0.0, 0.10],
    preshape: [0.27, 0.32, 0.17, 0.37, 0.04, 0.0, 0.0, 0.27, 0.89],
    close: [0.27, 0.51, 0.69, 0.62, 0.57, 0.24, 0.32, 0.45, 0.95],
    close_s: 1.0,
};

/// The recipe of a class.
pub fn recipe(class: Class) -> &'static Recipe {
    match class {
        Class::Ball => &BALL,
        Class::Bottle => &BOTTLE,
        Class::Pen => &PEN,
    }
}

impl Recipe {
    /// Tool pose of the grasp of an object, with its frame turned by `turn`.
    pub fn grasp(&self, place: &Placement, table: f64, turn: f64) -> Pose {
        let frame = self.frame(place, table, turn);
        let grown = DVec3::from_array(self.growth) * (place.scale - 1.0);
        let tool = Pose::from_xyz_rpy(self.xyz, self.rpy).shifted(grown);
        frame * tool
    }

    /// From the grasp to the pre-grasp in the world.
    pub fn approach(&self, place: &Placement, table: f64, turn: f64) -> DVec3 {
        self.frame(place, table, turn).q * DVec3::from_array(self.approach)
    }

    fn frame(&self, place: &Placement, table: f64, turn: f64) -> Pose {
        let yaw = if self.class == Class::Pen {
            place.yaw
        } else {
            0.0
        };
        let p = DVec3::new(place.x, place.y, table);
        Pose::new(p, DQuat::from_rotation_z(yaw + turn))
    }
}

/// What stands around the arm's way.
#[derive(Debug, Clone, Copy)]
pub struct Workspace {
    /// Height of the table's surface, metres.
    pub table: f64,
    /// Least distance of arm and hand from table and object on free motions, metres.
    pub margin: f64,
    /// How far the object is lifted, metres.
    pub lift: f64,
    /// Speed.
    pub scaling: Scaling,
    /// Speed with the object and close to it, as a fraction of the above.
    pub gentle: f64,
}

/// The whole motion, planned before anything moves.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Tool pose at the grasp, world.
    pub grasp: Pose,
    /// From the present posture to the pre-grasp.
    pub reach: Trajectory,
    /// To the grasp.
    pub descend: Trajectory,
    /// Up with the object.
    pub lift: Trajectory,
    /// Down again.
    pub put_back: Trajectory,
    /// To the pre-grasp.
    pub retreat: Trajectory,
    /// To rest.
    pub home: Trajectory,
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// The grasp is out of the arm's reach or limits.
    #[error(
        "no inverse kinematics for {class} at ({x:.3}, {y:.3}) m: {tried} poses tried, all out of reach or limits"
    )]
    Unreachable {
        /// Class.
        class: &'static str,
        /// Place.
        x: f64,
        /// Place.
        y: f64,
        /// How many.
        tried: usize,
    },
    /// Solutions exist but the way is blocked.
    #[error(
        "no clear way to {class} at ({x:.3}, {y:.3}) m: {postures} postures reach it, but none approaches, lifts and returns within the limits and clear of table and object"
    )]
    Blocked {
        /// Class.
        class: &'static str,
        /// Place.
        x: f64,
        /// Place.
        y: f64,
        /// How many.
        postures: usize,
    },
}

/// Postures tried, best first, before giving up.
const TRIED: usize = 24;
/// Joint step between clearance checks, radians.
const CHECK_STEP: f64 = 0.05;

/// Plans the whole motion from the arm's present posture.
///
/// # Errors
/// When no posture reaches the grasp or none has a clear way.
pub fn plan(
    arm: &Arm,
    class: Class,
    place: &Placement,
    start: &Joints,
    space: &Workspace,
) -> Result<Plan, PlanError> {
    let recipe = recipe(class);
    let mut postures: Vec<(f64, Joints, f64)> = Vec::new();
    for turn in recipe.turns {
        for joints in arm.inverse(&recipe.grasp(place, space.table, *turn)) {
            postures.push((cost(&joints, start), joints, *turn));
        }
    }
    let (name, x, y) = (class.name(), place.x, place.y);
    if postures.is_empty() {
        return Err(PlanError::Unreachable {
            class: name,
            x,
            y,
            tried: recipe.turns.len(),
        });
    }
    postures.sort_by(|a, b| a.0.total_cmp(&b.0));
    for (_, joints, turn) in postures.iter().take(TRIED) {
        let approach = recipe.approach(place, space.table, *turn);
        if let Some(plan) = plan_through(arm, class, place, start, joints, approach, space) {
            return Ok(plan);
        }
    }
    Err(PlanError::Blocked {
        class: name,
        x,
        y,
        postures: postures.len(),
    })
}

/// The plan that grasps in one posture; `None` when it is blocked.
fn plan_through(
    arm: &Arm,
    class: Class,
    place: &Placement,
    start: &Joints,
    grasp_joints: &Joints,
    approach: DVec3,
    space: &Workspace,
) -> Option<Plan> {
    let grasp = arm.forward(grasp_joints);
    let back = straight(arm, grasp_joints, &grasp.shifted(approach))?;
    let up = straight(arm, grasp_joints, &grasp.shifted(DVec3::Z * space.lift))?;
    let pre = *back.last()?;
    let object = body(class, place, space.table);
    let reach = [*start, pre];
    let home = [pre, HOME];
    let near = |path: &[Joints]| is_clear(arm, path, space, None);
    // The pre-grasp itself is the recipe's business: the way there and back
    // must come no closer than it does.
    let [_, _, hand] = arm.capsules(&pre);
    let least = hand.distance(&object).min(hand.height_over(space.table)) - 0.002;
    let allowed = Workspace {
        margin: space.margin.min(least),
        ..*space
    };
    let far = |path: &[Joints]| is_clear(arm, path, &allowed, Some(&object));
    if !(near(&back) && near(&up) && far(&reach) && far(&home)) {
        return None;
    }
    let gentle = Scaling {
        velocity: space.scaling.velocity * space.gentle,
        ..space.scaling
    };
    let reversed = |path: &[Joints]| path.iter().rev().copied().collect::<Vec<_>>();
    Some(Plan {
        grasp,
        reach: timed(&reach, space.scaling),
        descend: timed(&reversed(&back), gentle),
        lift: timed(&up, gentle),
        put_back: timed(&reversed(&up), gentle),
        retreat: timed(&back, gentle),
        home: timed(&home, space.scaling),
    })
}

/// The way home from a posture in which a motion was stopped: straight up as
/// far as it goes, then to rest. `None` when even that is not clear.
pub fn recovery(arm: &Arm, start: &Joints, space: &Workspace) -> Option<Plan> {
    let tool = arm.forward(start);
    [0.15, 0.10, 0.05, 0.0].iter().find_map(|height| {
        let up = straight(arm, start, &tool.shifted(DVec3::Z * *height))?;
        let home = [*up.last()?, HOME];
        // The start may be where no margin is left: down there, up is the way out.
        if !is_clear(
            arm,
            &home,
            &Workspace {
                margin: 0.0,
                ..*space
            },
            None,
        ) {
            return None;
        }
        let gentle = Scaling {
            velocity: space.scaling.velocity * space.gentle,
            ..space.scaling
        };
        Some(Plan {
            grasp: tool,
            reach: Trajectory::default(),
            descend: Trajectory::default(),
            lift: Trajectory::default(),
            put_back: Trajectory::default(),
            retreat: timed(&up, gentle),
            home: timed(&home, space.scaling),
        })
    })
}

/// Whether the joint lines between way-points keep the margins: arm and hand
/// from the table and, on free motions, from the object. Close to the object
/// the hand's own distance is the recipe's business.
pub fn is_clear(arm: &Arm, path: &[Joints], space: &Workspace, object: Option<&Capsule>) -> bool {
    path.windows(2).all(|pair| {
        let way = super::kinematics::distance(&pair[0], &pair[1]);
        let steps = (way / CHECK_STEP).ceil().max(1.0) as usize;
        (0..=steps).all(|k| {
            let t = k as f64 / steps as f64;
            let joints: Joints =
                std::array::from_fn(|j| pair[0][j] + (pair[1][j] - pair[0][j]) * t);
            let [_, fore, hand] = arm.capsules(&joints);
            let checked: &[Capsule] = if object.is_some() {
                &[fore, hand]
            } else {
                &[fore]
            };
            checked.iter().all(|c| {
                c.height_over(space.table) >= space.margin
                    && object.is_none_or(|o| c.distance(o) >= space.margin)
            })
        })
    })
}

/// The object as an obstacle.
fn body(class: Class, place: &Placement, table: f64) -> Capsule {
    let s = place.scale;
    let foot = DVec3::new(place.x, place.y, table);
    match class {
        Class::Ball => {
            let centre = foot + DVec3::Z * BALL_RADIUS * s;
            Capsule {
                a: centre,
                b: centre,
                radius: BALL_RADIUS * s,
            }
        }
        Class::Bottle => Capsule {
            a: foot,
            b: foot + DVec3::Z * (BOTTLE_HEIGHT * s - BALL_RADIUS),
            radius: BALL_RADIUS * s,
        },
        Class::Pen => {
            let along = DVec3::new(place.yaw.cos(), place.yaw.sin(), 0.0) * 0.064 * s;
            let centre = foot + DVec3::Z * PEN_RADIUS * s;
            Capsule {
                a: centre - along,
                b: centre + along,
                radius: PEN_RADIUS * s,
            }
        }
    }
}
