//! How each class is grasped, as tables, and the arm's way there and back.

use super::contour::{BALL_RADIUS, BOTTLE_HEIGHT, Class, PEN_RADIUS, Placement};
use super::geometry::Pose;
use super::kinematics::{Arm, Capsule, Joints, cost};
use super::trajectory::{Scaling, Trajectory, straight, timed};
use glam::{DMat3, DQuat, DVec3};
use std::f64::consts::PI;

/// One degree in radians.
const DEGREE: f64 = PI / 180.0;

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
/// The arm at rest: beside the object area, out of the eye's sight.
pub const HOME: Joints = [-1.0, 0.1, 1.44, 0.48, 1.18, 0.88];
/// The tool frame (the hand's base) in the frame of joint 6, metres.
pub const TOOL: [f64; 3] = [0.0, 0.0, 0.116];

/// Where the hand comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// From above, fingers pointing away from the arm.
    Above,
    /// From above, fingers across the object's own direction.
    Across,
    /// From the side, away from the arm, index finger up.
    Beside,
}

/// How a class is grasped. The hand comes along a direction d, its fingers
/// point to e, at a right angle to d. The palm's normal (y of the hand's base)
/// is tilted by `alpha` from d against e; z of the base is where straight
/// fingers point.
#[derive(Debug, Clone, Copy)]
pub struct Recipe {
    /// What it is for.
    pub class: Class,
    /// Which d and e.
    pub from: From,
    /// e (or, from the side, d) may be turned by these about the vertical,
    /// radians; the better ones first.
    pub turns: &'static [f64],
    /// Angle between d and the palm's normal, radians.
    pub alpha: f64,
    /// The grasp centre in the hand: along d × e, e and d, metres.
    pub point: [f64; 3],
    /// Height of the grasp centre over the table, metres.
    pub height: f64,
    /// Way along d from the pre-grasp to the grasp, metres.
    pub approach: f64,
    /// The hand on its way.
    pub open: Hand,
    /// Way-points of the closing hand after `open`; the last is where the
    /// fingers are sent, and contact stops them before.
    pub closing: &'static [Hand],
}

/// The ball: from above, slanting, fingers around its far side.
pub const BALL: Recipe = Recipe {
    class: Class::Ball,
    from: From::Above,
    turns: &[0.0, -0.5, 0.5, -1.0, 1.0],
    alpha: 40.0 * DEGREE,
    point: [-0.022, 0.086, 0.135],
    height: 0.031,
    approach: 0.10,
    open: [0.55, 0.0, 0.15, 0.15, 0.05, 0.1, 0.1, 0.25, 0.9],
    closing: &[[0.55, 0.85, 0.6, 1.05, 0.5, 0.4, 0.6, 0.45, 0.9]],
};

/// The bottle: from the side at the body, index finger up.
pub const BOTTLE: Recipe = Recipe {
    class: Class::Bottle,
    from: From::Beside,
    turns: &[0.3, 0.0, 0.6, -0.3, 0.9, 1.2, -0.6, -0.9],
    alpha: 40.0 * DEGREE,
    point: [0.0, 0.055, 0.135],
    height: 0.065,
    approach: 0.14,
    open: [0.1, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.9],
    closing: &[[0.1, 0.7, 0.75, 0.75, 0.75, 0.8, 0.8, 0.6, 0.9]],
};

/// The pen: from above, thumb against index and middle finger across it. The
/// way-points keep the fingertips level, just over the table.
pub const PEN: Recipe = Recipe {
    class: Class::Pen,
    from: From::Across,
    turns: &[0.0, PI, 0.2, -0.2, PI + 0.2, PI - 0.2],
    alpha: 32.0 * DEGREE,
    point: [-0.013, 0.104, 0.119],
    height: 0.006,
    approach: 0.08,
    open: [0.0, 0.704, 0.125, 0.908, 0.008, 0.95, 0.95, 0.48, 0.9],
    closing: &[
        [0.0, 0.818, 0.19, 1.003, 0.087, 0.95, 0.95, 0.48, 0.9],
        [0.0, 0.892, 0.291, 1.066, 0.196, 0.95, 0.95, 0.48, 0.9],
        [0.0, 0.923, 0.391, 1.093, 0.299, 0.95, 0.95, 0.48, 0.9],
        [0.0, 0.926, 0.506, 1.098, 0.414, 0.95, 0.95, 0.48, 0.9],
    ],
};

/// The recipe of a class.
pub fn recipe(class: Class) -> &'static Recipe {
    match class {
        Class::Ball => &BALL,
        Class::Bottle => &BOTTLE,
        Class::Pen => &PEN,
    }
}

/// A grasp of an object.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grasp {
    /// Tool pose, world.
    pub tool: Pose,
    /// Unit vector along which the hand comes, world.
    pub direction: DVec3,
}

impl Recipe {
    /// Where the fingers are sent to close.
    pub fn closed(&self) -> &Hand {
        self.closing.last().unwrap_or(&self.open)
    }

    /// The grasp of an object by an arm mounted at `mount`, turned by `turn`.
    pub fn grasp(&self, place: &Placement, table: f64, mount: DVec3, turn: f64) -> Grasp {
        let at = DVec3::new(place.x, place.y, table + self.height);
        let away = (at - mount).with_z(0.0).normalize_or(DVec3::X);
        let turned = |v: DVec3| DQuat::from_rotation_z(turn) * v;
        let (d, e) = match self.from {
            From::Above => (DVec3::NEG_Z, turned(away)),
            From::Across => {
                let across = DVec3::new(-place.yaw.sin(), place.yaw.cos(), 0.0);
                let outwards = if across.dot(away) < 0.0 {
                    -across
                } else {
                    across
                };
                (DVec3::NEG_Z, turned(outwards))
            }
            From::Beside => {
                let d = turned(away);
                (d, DVec3::NEG_Z.cross(d))
            }
        };
        let (sin, cos) = self.alpha.sin_cos();
        let (y, z) = (d * cos - e * sin, d * sin + e * cos);
        let q = DQuat::from_mat3(&DMat3::from_cols(y.cross(z), y, z)).normalize();
        let [x, along_e, along_d] = self.point;
        let local = DVec3::new(
            x,
            cos * along_d - sin * along_e,
            sin * along_d + cos * along_e,
        );
        Grasp {
            tool: Pose::new(at - q * local, q),
            direction: d,
        }
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

impl Plan {
    /// All motions of the arm in their order.
    pub fn parts(&self) -> [&Trajectory; 6] {
        [
            &self.reach,
            &self.descend,
            &self.lift,
            &self.put_back,
            &self.retreat,
            &self.home,
        ]
    }

    /// How long they take, seconds.
    pub fn duration(&self) -> f64 {
        self.parts().iter().map(|t| t.duration()).sum()
    }
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

/// How much less a turn is liked than the one listed before it.
const TURN_COST: f64 = 0.3;
/// Postures tried, best first, before giving up.
const TRIED: usize = 24;
/// Heights over the pre-grasp from which the hand may come, metres.
const RAISES: [f64; 2] = [0.0, 0.12];
/// Margin from the table near the object, metres.
const CLOSE: f64 = 0.005;
/// So many clear ways are compared for the shortest.
const COMPARED: usize = 6;
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
    let mut postures: Vec<(f64, Joints, DVec3)> = Vec::new();
    for (rank, turn) in recipe.turns.iter().enumerate() {
        let grasp = recipe.grasp(place, space.table, arm.mount(), *turn);
        for joints in arm.inverse(&grasp.tool) {
            let dislike = cost(&joints, start) + TURN_COST * rank as f64;
            postures.push((dislike, joints, grasp.direction * -recipe.approach));
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
    let object = body(class, place, space.table);
    let ways = postures.iter().take(TRIED).filter_map(|(_, joints, back)| {
        // Straight from afar or, where that way is blocked, from above.
        RAISES
            .iter()
            .find_map(|raise| plan_through(arm, &object, start, joints, (*back, *raise), space))
    });
    let best = ways
        .take(COMPARED)
        .min_by(|a, b| a.duration().total_cmp(&b.duration()));
    if let Some(best) = best {
        return Ok(best);
    }
    Err(PlanError::Blocked {
        class: name,
        x,
        y,
        postures: postures.len(),
    })
}

/// The plan that grasps in one posture, coming from `back` of the grasp and
/// `raise` over that; `None` when it is blocked.
fn plan_through(
    arm: &Arm,
    object: &Capsule,
    start: &Joints,
    grasp_joints: &Joints,
    (back, raise): (DVec3, f64),
    space: &Workspace,
) -> Option<Plan> {
    let grasp = arm.forward(grasp_joints);
    let afar = grasp.shifted(back);
    let mut back = straight(arm, grasp_joints, &afar)?;
    if raise > 0.0 {
        let high = straight(arm, back.last()?, &afar.shifted(DVec3::Z * raise))?;
        back.extend_from_slice(&high[1..]);
    }
    let up = straight(arm, grasp_joints, &grasp.shifted(DVec3::Z * space.lift))?;
    let pre = *back.last()?;
    let reach = [*start, pre];
    let home = [pre, HOME];
    // A wrist beside a low grasp passes close over the table on purpose.
    let close = Workspace {
        margin: space.margin.min(CLOSE),
        ..*space
    };
    let near = |path: &[Joints]| is_clear(arm, path, &close, None);
    // The pre-grasp itself is the recipe's business: the way there and back
    // must come no closer than it does.
    let [_, _, _, hand] = arm.capsules(&pre);
    let least = hand.distance(object).min(hand.height_over(space.table)) - 0.002;
    let allowed = Workspace {
        margin: space.margin.min(least),
        ..*space
    };
    let far = |path: &[Joints]| is_clear(arm, path, &allowed, Some(object));
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
            let [_, elbow, fore, hand] = arm.capsules(&joints);
            let checked: &[Capsule] = if object.is_some() {
                &[elbow, fore, hand]
            } else {
                &[elbow, fore]
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

#[cfg(test)]
mod tests {
    use super::super::kinematics::{distance, within_limits};
    use super::*;

    const TABLE: f64 = 0.75;

    fn arm() -> Arm {
        let base = Pose::from_xyz_rpy([0.0, 0.0, TABLE], [0.0; 3]);
        Arm::new(base, Pose::from_xyz_rpy(TOOL, [0.0; 3]))
    }

    fn space() -> Workspace {
        Workspace {
            table: TABLE,
            margin: 0.01,
            lift: 0.15,
            scaling: Scaling {
                velocity: 0.4,
                acceleration: 0.5,
            },
            gentle: 0.8,
        }
    }

    /// Every place of the area, yaw and size has a plan, and every plan keeps
    /// the limits, ends where it should and begins where the arm is.
    #[test]
    fn the_whole_area_is_graspable() {
        let arm = arm();
        let (mut planned, mut longest) = (0, 0.0f64);
        for class in [Class::Ball, Class::Bottle, Class::Pen] {
            for i in 0..=8 {
                for j in 0..=8 {
                    for yaw in [0.1, 0.7, 1.3, 1.9, 2.5, 3.0] {
                        let place = Placement {
                            x: 0.45 - 0.1 + 0.025 * f64::from(i),
                            y: -0.1 + 0.025 * f64::from(j),
                            yaw,
                            scale: 0.85 + 0.05 * f64::from((i + j) % 7),
                        };
                        let plan = plan(&arm, class, &place, &HOME, &space());
                        let plan = plan.unwrap_or_else(|e| panic!("{e}, yaw {yaw}"));
                        planned += 1;
                        let parts = plan.parts();
                        let mut at = HOME;
                        for part in parts {
                            let (first, last) = (part.points[0], part.end().unwrap());
                            assert!(part.points.iter().all(|p| within_limits(&p.q)));
                            let starts_here = distance(&first.q, &at) < 1e-9
                                || part.points[0].q == plan.descend.end().copied().unwrap();
                            assert!(starts_here);
                            at = *last;
                        }
                        assert!(distance(&at, &HOME) < 1e-9);
                        longest = longest.max(plan.duration());
                        if class != Class::Pen {
                            break;
                        }
                    }
                }
            }
        }
        assert_eq!(planned, 81 * 8);
        assert!(longest < 30.0, "the longest motion takes {longest} s");
    }

    #[test]
    fn the_grasp_point_of_the_hand_comes_to_the_object() {
        let place = Placement {
            x: 0.45,
            y: 0.05,
            yaw: 0.4,
            scale: 1.0,
        };
        for recipe in [&BALL, &BOTTLE, &PEN] {
            let grasp = recipe.grasp(&place, TABLE, DVec3::ZERO, 0.0);
            let y = grasp.tool.q * DVec3::Y;
            assert!((y.dot(grasp.direction) - recipe.alpha.cos()).abs() < 1e-9);
            let point = DVec3::new(0.45, 0.05, TABLE + recipe.height);
            let [x, e, d] = recipe.point;
            let reach = (point - grasp.tool.p).length();
            assert!((reach - DVec3::new(x, e, d).length()).abs() < 1e-9);
            assert!((point - grasp.tool.p).dot(grasp.direction) - d < 1e-9);
        }
        // The pen's fingers bend across it.
        let grasp = PEN.grasp(&place, TABLE, DVec3::ZERO, 0.0);
        let along = DVec3::new(0.4f64.cos(), 0.4f64.sin(), 0.0);
        assert!((grasp.tool.q * DVec3::Z).dot(along).abs() < 1e-9);
    }

    #[test]
    fn an_arm_that_is_stopped_low_has_a_way_home() {
        let arm = arm();
        let place = Placement {
            x: 0.45,
            y: 0.0,
            yaw: 0.5,
            scale: 1.0,
        };
        for class in [Class::Ball, Class::Bottle, Class::Pen] {
            let plan = plan(&arm, class, &place, &HOME, &space()).unwrap();
            let low = plan.descend.end().unwrap();
            let way = recovery(&arm, low, &space()).unwrap();
            assert!(distance(way.home.end().unwrap(), &HOME) < 1e-9);
            assert!(arm.forward(way.retreat.end().unwrap()).p.z > arm.forward(low).p.z + 0.04);
        }
    }
}
