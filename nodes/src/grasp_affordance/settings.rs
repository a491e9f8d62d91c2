//! The node's parameters.

use super::guard::WorkBox;
use super::locate::Area;
use super::plan::Workspace;
use super::trajectory::Scaling;
use crate::interface::ParameterDecl;
use crate::parameters::Parameters;

/// Declarations, in the order of the page.
pub const PARAMETERS: &[ParameterDecl] = &[
    ParameterDecl::switch("dry_run", false, "Plan and publish, but move nothing."),
    ParameterDecl::text("world_frame", "world", "Frame of table and arm."),
    ParameterDecl::double(
        "confidence_min",
        0.8,
        (0.0, 1.0),
        "",
        "Least confidence of a decision to act on.",
    ),
    ParameterDecl::integer(
        "looks",
        3,
        (1, 20),
        "",
        "How often to look, at most, while in doubt about class or place; then the goal is refused.",
    ),
    ParameterDecl::double(
        "stale_events_s",
        0.1,
        (0.001, 10.0),
        "s",
        "Oldest events to decide on.",
    ),
    ParameterDecl::double(
        "stale_joints_s",
        0.1,
        (0.001, 10.0),
        "s",
        "Oldest joint states to plan with and to go on moving with.",
    ),
    ParameterDecl::integer(
        "events_min",
        500,
        (1, 10_000_000),
        "",
        "Fewest events of a saccade to locate an object with.",
    ),
    ParameterDecl::double(
        "score_min",
        0.15,
        (-1.0, 2.0),
        "",
        "Worst fit of the object's outline to the events, 1 being perfect.",
    ),
    ParameterDecl::double(
        "margin_min",
        0.0,
        (0.0, 1.0),
        "",
        "By how much the fit must be better than at any other place.",
    ),
    ParameterDecl::double(
        "area_x",
        0.45,
        (-2.0, 2.0),
        "m",
        "Centre of the object area.",
    ),
    ParameterDecl::double(
        "area_y",
        0.0,
        (-2.0, 2.0),
        "m",
        "Centre of the object area.",
    ),
    ParameterDecl::double(
        "area_size",
        0.2,
        (0.02, 1.0),
        "m",
        "Edge length of the object area.",
    ),
    ParameterDecl::double(
        "area_margin",
        0.015,
        (0.0, 0.2),
        "m",
        "Objects found so far outside the area are still taken.",
    ),
    ParameterDecl::double(
        "table_height",
        0.75,
        (0.0, 2.0),
        "m",
        "Height of the table's surface.",
    ),
    ParameterDecl::double(
        "mount_x",
        0.0,
        (-2.0, 2.0),
        "m",
        "Where the arm is mounted.",
    ),
    ParameterDecl::double(
        "mount_y",
        0.0,
        (-2.0, 2.0),
        "m",
        "Where the arm is mounted.",
    ),
    ParameterDecl::double(
        "mount_z",
        0.75,
        (0.0, 2.0),
        "m",
        "Where the arm is mounted.",
    ),
    ParameterDecl::double(
        "velocity_scaling",
        0.4,
        (0.01, 1.0),
        "",
        "Share of the joints' velocity limits to use; the reports' robot used 0.25.",
    ),
    ParameterDecl::double(
        "acceleration_scaling",
        0.5,
        (0.01, 1.0),
        "",
        "Share of the joints' acceleration limits to use.",
    ),
    ParameterDecl::double(
        "speed_scaling",
        1.0,
        (0.01, 1.0),
        "",
        "Of arm and hand on top of that: trajectories sent from now on take so much longer.",
    )
    .live(),
    ParameterDecl::double(
        "box_x_min",
        -2.0,
        (-5.0, 5.0),
        "m",
        "The hand stays in this box.",
    ),
    ParameterDecl::double(
        "box_x_max",
        2.0,
        (-5.0, 5.0),
        "m",
        "The hand stays in this box.",
    ),
    ParameterDecl::double(
        "box_y_min",
        -2.0,
        (-5.0, 5.0),
        "m",
        "The hand stays in this box.",
    ),
    ParameterDecl::double(
        "box_y_max",
        2.0,
        (-5.0, 5.0),
        "m",
        "The hand stays in this box.",
    ),
    ParameterDecl::double(
        "box_z_min",
        -2.0,
        (-5.0, 5.0),
        "m",
        "The hand stays in this box.",
    ),
    ParameterDecl::double(
        "box_z_max",
        4.0,
        (-5.0, 5.0),
        "m",
        "The hand stays in this box.",
    ),
    ParameterDecl::double(
        "gentle_scaling",
        0.8,
        (0.05, 1.0),
        "",
        "Share of that velocity near and with the object.",
    ),
    ParameterDecl::double(
        "hand_speed",
        0.8,
        (0.05, 1.0),
        "rad/s",
        "Mean speed of the fastest joint of the hand.",
    ),
    ParameterDecl::double(
        "clearance",
        0.01,
        (0.0, 0.2),
        "m",
        "Least distance of arm and hand from table and object on free motions.",
    ),
    ParameterDecl::double(
        "lift_height",
        0.15,
        (0.02, 0.4),
        "m",
        "How far the object is lifted.",
    ),
    ParameterDecl::double("hold_s", 2.0, (0.0, 60.0), "s", "How long it is held."),
    ParameterDecl::double(
        "contact_gap",
        0.02,
        (0.005, 1.0),
        "rad",
        "A finger joint that stays so far from where it was sent has contact.",
    ),
    ParameterDecl::integer(
        "contact_joints",
        2,
        (1, 7),
        "",
        "So many finger joints in contact are a grasp.",
    ),
    ParameterDecl::double(
        "settle_s",
        0.2,
        (0.0, 5.0),
        "s",
        "Wait after closing and after opening the hand.",
    ),
    ParameterDecl::double(
        "look_timeout_s",
        2.0,
        (0.1, 60.0),
        "s",
        "A saccade that is not over by then is given up.",
    ),
    ParameterDecl::double(
        "decision_timeout_s",
        1.0,
        (0.01, 60.0),
        "s",
        "How long after the saccade to wait for its final decision.",
    ),
    ParameterDecl::double(
        "motion_timeout_s",
        2.0,
        (0.1, 60.0),
        "s",
        "A motion that is so late is given up.",
    ),
];

/// The parameters' values.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Plan only.
    pub dry_run: bool,
    /// Frame of table and arm.
    pub world_frame: String,
    /// Least confidence.
    pub confidence_min: f64,
    /// `looks`.
    pub looks: u32,
    /// Oldest events.
    pub stale_events_ns: i64,
    /// Oldest joint states.
    pub stale_joints_ns: i64,
    /// Fewest events.
    pub events_min: usize,
    /// Worst fit.
    pub score_min: f64,
    /// Least margin over other places.
    pub margin_min: f64,
    /// Where objects may be.
    pub area: Area,
    /// And so far beyond, metres.
    pub area_margin: f64,
    /// Mount of the arm, world, metres.
    pub mount: [f64; 3],
    /// What bounds the motions.
    pub space: Workspace,
    /// Where the hand may be.
    pub work_box: WorkBox,
    /// Of every trajectory sent.
    pub speed_scaling: f64,
    /// How long to hold.
    pub hold_ns: i64,
    /// Of the hand's fastest joint, rad/s.
    pub hand_speed: f64,
    /// Gap that is contact, radians.
    pub contact_gap: f64,
    /// Joints in contact that are a grasp.
    pub contact_joints: usize,
    /// Wait after moving the fingers.
    pub settle_ns: i64,
    /// For a saccade.
    pub look_timeout_ns: i64,
    /// For a decision.
    pub decision_timeout_ns: i64,
    /// Beyond a motion's own duration.
    pub motion_timeout_ns: i64,
}

impl Settings {
    /// Reads them.
    pub fn new(p: &Parameters) -> Self {
        let ns = |name: &str| (p.double(name) * 1e9) as i64;
        let table = p.double("table_height");
        Settings {
            dry_run: p.switch("dry_run"),
            world_frame: p.text("world_frame").to_owned(),
            confidence_min: p.double("confidence_min"),
            looks: p.integer("looks") as u32,
            stale_events_ns: ns("stale_events_s"),
            stale_joints_ns: ns("stale_joints_s"),
            events_min: p.integer("events_min").max(1) as usize,
            score_min: p.double("score_min"),
            margin_min: p.double("margin_min"),
            area: Area {
                x: p.double("area_x"),
                y: p.double("area_y"),
                half: p.double("area_size") / 2.0,
                table,
            },
            area_margin: p.double("area_margin"),
            mount: ["mount_x", "mount_y", "mount_z"].map(|n| p.double(n)),
            space: Workspace {
                table,
                margin: p.double("clearance"),
                lift: p.double("lift_height"),
                scaling: Scaling {
                    velocity: p.double("velocity_scaling"),
                    acceleration: p.double("acceleration_scaling"),
                },
                gentle: p.double("gentle_scaling"),
            },
            work_box: WorkBox {
                low: ["box_x_min", "box_y_min", "box_z_min"]
                    .map(|n| p.double(n))
                    .into(),
                high: ["box_x_max", "box_y_max", "box_z_max"]
                    .map(|n| p.double(n))
                    .into(),
            },
            speed_scaling: p.double("speed_scaling"),
            hold_ns: ns("hold_s"),
            hand_speed: p.double("hand_speed"),
            contact_gap: p.double("contact_gap"),
            contact_joints: p.integer("contact_joints").max(1) as usize,
            settle_ns: ns("settle_s"),
            look_timeout_ns: ns("look_timeout_s"),
            decision_timeout_ns: ns("decision_timeout_s"),
            motion_timeout_ns: ns("motion_timeout_s"),
        }
    }
}
