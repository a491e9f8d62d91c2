//! `explore`: goes about in a room, at random or on a given path, and turns away from what it
//! feels.
//!
//! It knows nothing of the room. As an animal in a new room it keeps to what it touches: along it
//! goes for a while, at a distance at which some of the whiskers of that side feel it, and then away. A
//! bump or a standstill lets it back off and turn. In the open its turns are a walk as those of
//! [`crate::wander`].
//! Waypoints are gone to by the odometry, and given up after a time.

use crate::interface::{Endpoint, Interface, ParameterDecl, Qos, TimerDecl};
use crate::node::{Context, Health, Input, Level, Node, NodeError};
use crate::parameters::Parameters;
use crate::whisk::contact;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use saccade_msgs::geometry_msgs::Twist;
use saccade_msgs::nav_msgs::Odometry;
use saccade_msgs::std_msgs::{Bool, Float32MultiArray};
use saccade_worlds::whiskeye::{COLUMNS, WHISKERS};

/// A step, s.
const STEP_S: f64 = 0.1;
/// Part of a turning rate that the next step keeps, and what is new in it, rad/s.
const KEEP: f64 = 0.9;
const NEW_RADPS: f64 = 0.35;
/// Turning away from a whisker in full contact, rad/s, and the slowing by it.
const AWAY_RADPS: f64 = 0.25;
const SLOWING: f64 = 0.15;
/// Part of a contact that is remembered in the next step: a whisk takes some.
const REMEMBERED: f64 = 0.85;
/// Contact of a side from which on it goes along what it feels, and the one it keeps to.
const NEAR: f64 = 0.5;
const KEPT: f64 = 3.0;
/// Speed to the side by the difference of the two, m/s, and at most.
const SIDEWAYS_MPS: f64 = 0.04;
const MOST_SIDEWAYS_MPS: f64 = 0.1;
/// Turning towards what it lost, rad/s, and for how many steps.
const BACK_RADPS: f64 = 0.5;
const LOST_STEPS: u32 = 15;
/// Contact of all whiskers together that is as good as a bump.
const TOO_MUCH: f64 = 14.0;
/// It is stuck when it has not moved by so much, m, in so many steps.
const STUCK_M: f64 = 0.05;
const STUCK_STEPS: u32 = 30;
/// A waypoint is reached within, m.
const REACHED_M: f64 = 0.15;
/// Most waypoints of a path.
const MOST_WAYPOINTS: usize = 10_000;

/// The node's declarations.
pub static INTERFACE: Interface = Interface {
    name: "explore",
    doc: "Goes about in a room at random or on a given path, and turns away from what it feels.",
    publishers: &[Endpoint::new(
        "body/cmd_vel",
        "geometry_msgs/msg/Twist",
        "Velocity to drive with, at 10 Hz.",
    )],
    subscriptions: &[
        Endpoint::new(
            "odom",
            "nav_msgs/msg/Odometry",
            "Where the base is by its odometry.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "body/bumper",
            "std_msgs/msg/Bool",
            "Whether it touches something.",
        )
        .qos(Qos::SENSOR),
        Endpoint::new(
            "head/xy",
            "std_msgs/msg/Float32MultiArray",
            "Deflections of the 24 whiskers, two each.",
        )
        .qos(Qos::SENSOR),
    ],
    parameters: &[
        ParameterDecl::integer("seed", 1, (0, i64::MAX), "", "Seed of the way."),
        ParameterDecl::double("speed", 0.3, (0.01, 2.0), "m/s", "How fast it goes."),
        ParameterDecl::text(
            "path",
            "random",
            "random; lanes or columns (up and down the area, along x or along y); or waypoints \
             \"x,y; x,y; ...\" in m, gone round again and again.",
        ),
        ParameterDecl::double(
            "area_x",
            2.8,
            (0.1, 1000.0),
            "m",
            "Length of the lanes' area.",
        ),
        ParameterDecl::double(
            "area_y",
            2.0,
            (0.1, 1000.0),
            "m",
            "Width of the lanes' area.",
        ),
        ParameterDecl::double("spacing", 0.4, (0.05, 100.0), "m", "From lane to lane."),
        ParameterDecl::double(
            "duration",
            0.0,
            (0.0, 1e7),
            "s",
            "After which it ends the run; 0: never.",
        ),
    ],
    timers: &[TimerDecl {
        name: "step",
        period_ns: (STEP_S * 1e9) as i64,
    }],
    ..Interface::EMPTY
};

/// Makes the node.
///
/// # Errors
/// A path that is none.
pub fn create(parameters: &Parameters) -> Result<Box<dyn Node>, NodeError> {
    let path = path(parameters).map_err(|reason| NodeError::Configuration {
        node: "explore",
        reason,
    })?;
    Ok(Box::new(Explore {
        speed_mps: parameters.double("speed"),
        duration_ns: (1e9 * parameters.double("duration")) as i64,
        next: path.len().saturating_sub(1),
        path,
        patience: None,
        rng: ChaCha8Rng::seed_from_u64(parameters.integer("seed") as u64),
        at: None,
        contact: [0.0; 3],
        along: None,
        bumped: false,
        turn_radps: 0.0,
        retreat: None,
        detour: 0,
        rest: (0, [0.0; 2]),
        began_ns: None,
        retreats: 0,
        given_up: 0,
    }))
}

/// The waypoints of a path, none for a random one.
fn path(parameters: &Parameters) -> Result<Vec<[f64; 2]>, String> {
    let size = ["area_x", "area_y"].map(|name| parameters.double(name));
    let spacing = parameters.double("spacing");
    match parameters.text("path") {
        "random" => Ok(Vec::new()),
        "lanes" => lanes(size, spacing),
        "columns" => {
            let turned = lanes([size[1], size[0]], spacing)?;
            Ok(turned.into_iter().map(|[x, y]| [y, x]).collect())
        }
        text => {
            let points = text.split(';').filter(|p| !p.trim().is_empty());
            let points: Result<Vec<_>, _> = points.map(waypoint).collect();
            match points {
                Ok(points) if (1..=MOST_WAYPOINTS).contains(&points.len()) => Ok(points),
                Ok(points) => Err(format!(
                    "path has {} waypoints; give 1 to {MOST_WAYPOINTS}",
                    points.len()
                )),
                Err(wrong) => Err(format!(
                    "path: '{wrong}' is no waypoint; write random, lanes, columns or \"x,y; x,y\" in m"
                )),
            }
        }
    }
}

fn waypoint(text: &str) -> Result<[f64; 2], String> {
    let numbers: Vec<f64> = text
        .split(',')
        .filter_map(|n| n.trim().parse().ok())
        .collect();
    match numbers[..] {
        [x, y] if x.abs() < 1e6 && y.abs() < 1e6 => Ok([x, y]),
        _ => Err(text.trim().to_owned()),
    }
}

/// To and fro along x, one lane beside the other.
fn lanes([length, width]: [f64; 2], spacing: f64) -> Result<Vec<[f64; 2]>, String> {
    let count = (width / spacing + 1e-9) as usize + 1;
    if 2 * count > MOST_WAYPOINTS {
        return Err(format!("{count} lanes are too many; widen the spacing"));
    }
    let first = -0.5 * spacing * (count - 1) as f64;
    let lane = |k: usize| {
        let y = first + spacing * k as f64;
        let x = if k.is_multiple_of(2) { -0.5 } else { 0.5 } * length;
        [[x, y], [-x, y]]
    };
    Ok((0..count).flat_map(lane).collect())
}

/// Backs off, then turns.
struct Retreat {
    back: u32,
    turn: u32,
    turn_radps: f64,
}

/// Goes along something on a side: 1 is left, -1 right.
struct Along {
    side: f64,
    steps: u32,
    lost: u32,
}

struct Explore {
    speed_mps: f64,
    duration_ns: i64,
    path: Vec<[f64; 2]>,
    next: usize,
    /// Steps left for the present waypoint; `None` before the first.
    patience: Option<u32>,
    rng: ChaCha8Rng,
    /// x, y, yaw by the odometry.
    at: Option<[f64; 3]>,
    /// Of the left and of the right whiskers and of those in front, what was strongest of late.
    contact: [f64; 3],
    /// What it goes along, if anything.
    along: Option<Along>,
    bumped: bool,
    turn_radps: f64,
    retreat: Option<Retreat>,
    /// Steps left in which it goes round what it met, not yet to the waypoint.
    detour: u32,
    /// Steps since it was somewhere else, and where it is.
    rest: (u32, [f64; 2]),
    began_ns: Option<i64>,
    retreats: u64,
    given_up: u64,
}

impl Explore {
    fn step(&mut self, ctx: &mut Context<'_>) {
        let began_ns = *self.began_ns.get_or_insert(ctx.now_ns);
        if self.duration_ns > 0 && ctx.now_ns - began_ns >= self.duration_ns {
            ctx.publish("body/cmd_vel", Twist::default());
            ctx.shutdown("explored as long as it was to");
            return;
        }
        let [left, right, _] = self.contact;
        if self.retreat.is_none() && (self.bumped || left + right > TOO_MUCH || self.stands()) {
            self.draw_retreat(left, right);
        }
        let [forward, aside, turn] = match &mut self.retreat {
            Some(retreat) if retreat.back > 0 => {
                retreat.back -= 1;
                [-0.5 * self.speed_mps, 0.0, 0.0]
            }
            Some(retreat) if retreat.turn > 0 => {
                retreat.turn -= 1;
                [0.0, 0.0, retreat.turn_radps]
            }
            _ => {
                self.retreat = None;
                self.go()
            }
        };
        self.contact = self.contact.map(|c| REMEMBERED * c);
        self.bumped = false;
        let mut twist = Twist::default();
        (twist.linear.x, twist.linear.y) = (forward, aside);
        twist.angular.z = turn;
        ctx.publish("body/cmd_vel", twist);
    }

    /// Forward, sideways and turning speed where nothing is the matter.
    fn go(&mut self) -> [f64; 3] {
        let [left, right, _] = self.contact;
        let slowed = self.speed_mps / (1.0 + SLOWING * (left + right));
        let away = AWAY_RADPS * (right - left);
        if let (Some(at), false) = (self.at, self.path.is_empty()) {
            let (forward, turn) = self.head_for_waypoint(at);
            if self.detour == 0 {
                return [forward * slowed, 0.0, turn + away];
            }
            self.detour -= 1;
            return [slowed, 0.0, away];
        }
        if let Some([aside, turn]) = self.keep_along() {
            return [slowed, aside, turn];
        }
        let fresh: f64 = (0..12).map(|_| self.rng.random::<f64>()).sum::<f64>() - 6.0;
        self.turn_radps = KEEP * self.turn_radps + (1.0 - KEEP * KEEP).sqrt() * NEW_RADPS * fresh;
        [slowed, 0.0, self.turn_radps + away]
    }

    /// Sideways and turning speed along what it touches, until it has done so for long enough
    /// or has lost it.
    fn keep_along(&mut self) -> Option<[f64; 2]> {
        let [left, right, front] = self.contact;
        if self.along.is_none() && left.max(right) > NEAR {
            self.along = Some(Along {
                side: if left > right { 1.0 } else { -1.0 },
                steps: self.rng.random_range(40..160),
                lost: 0,
            });
        }
        let along = self.along.as_mut()?;
        let felt = if along.side > 0.0 { left } else { right };
        along.lost = if felt > NEAR { 0 } else { along.lost + 1 };
        along.steps = along.steps.saturating_sub(1);
        let (side, lost) = (along.side, along.lost);
        if along.steps == 0 {
            self.draw_retreat(left, right);
        }
        if self.retreat.is_some() || lost > LOST_STEPS {
            self.along = None;
            return None;
        }
        let aside = (SIDEWAYS_MPS * (KEPT - felt)).clamp(-MOST_SIDEWAYS_MPS, MOST_SIDEWAYS_MPS);
        let back = if lost > 0 { BACK_RADPS } else { 0.0 };
        Some([side * aside, side * (back - AWAY_RADPS * front)])
    }

    /// Part of the speed, and turning, towards the next waypoint.
    fn head_for_waypoint(&mut self, [x, y, yaw]: [f64; 3]) -> (f64, f64) {
        let to = |p: [f64; 2]| [p[0] - x, p[1] - y];
        let mut way = to(self.path[self.next]);
        let there = way[0].hypot(way[1]) < REACHED_M;
        if there || self.patience.is_none_or(|p| p == 0) {
            self.given_up += u64::from(!there && self.patience.is_some());
            self.next = (self.next + 1) % self.path.len();
            way = to(self.path[self.next]);
            let seconds = 3.0 + 2.0 * way[0].hypot(way[1]) / self.speed_mps;
            self.patience = Some((seconds / STEP_S) as u32);
        }
        self.patience = self.patience.map(|p| p.saturating_sub(1));
        let (s, c) = (way[1].atan2(way[0]) - yaw).sin_cos();
        (c.max(0.0), 1.5 * s.atan2(c))
    }

    /// Whether it has been where it is for too long.
    fn stands(&mut self) -> bool {
        let Some([x, y, _]) = self.at else {
            return false;
        };
        let (steps, from) = &mut self.rest;
        *steps += 1;
        if (x - from[0]).hypot(y - from[1]) > STUCK_M {
            self.rest = (0, [x, y]);
        }
        self.rest.0 > STUCK_STEPS
    }

    /// Away from the side that feels more; anywhere where none does.
    fn draw_retreat(&mut self, left: f64, right: f64) {
        let anywhere = if self.rng.random() { 1.0 } else { -1.0 };
        let side = if left == right {
            anywhere
        } else {
            (right - left).signum()
        };
        self.retreats += 1;
        self.rest.0 = 0;
        self.turn_radps = 0.0;
        self.along = None;
        self.detour = self.rng.random_range(10..25);
        self.retreat = Some(Retreat {
            back: self.rng.random_range(5..12),
            turn: self.rng.random_range(5..25),
            turn_radps: side * self.rng.random_range(0.7..1.4),
        });
    }

    fn feel(&mut self, xy: &[f32]) {
        if xy.len() != 2 * WHISKERS {
            return;
        }
        let halves = xy.chunks_exact(WHISKERS).map(|side| {
            let contacts = side.chunks_exact(2).map(|xy| contact(xy[0], xy[1]));
            contacts.map(f64::from).sum::<f64>()
        });
        let front = xy
            .chunks_exact(2 * COLUMNS)
            .map(|row| contact(row[0], row[1]));
        let front = front.map(f64::from).sum();
        for (most, now) in self.contact.iter_mut().zip(halves.chain([front])) {
            *most = most.max(now);
        }
    }

    fn see(&mut self, odom: &Odometry) {
        let pose = &odom.pose.pose;
        let at = [
            pose.position.x,
            pose.position.y,
            2.0 * pose.orientation.z.atan2(pose.orientation.w),
        ];
        // The last good one stays.
        if at.iter().all(|v| v.is_finite()) {
            self.at = Some(at);
        }
    }
}

impl Node for Explore {
    fn interface(&self) -> &'static Interface {
        &INTERFACE
    }

    fn handle(&mut self, input: Input, ctx: &mut Context<'_>) {
        match input {
            Input::Timer { .. } => self.step(ctx),
            Input::Message { topic, payload } => {
                let taken = match topic {
                    "odom" => payload.get().map(|odom| self.see(&odom)),
                    "body/bumper" => payload.get::<Bool>().map(|b| self.bumped |= b.data),
                    _ => payload
                        .get::<Float32MultiArray>()
                        .map(|xy| self.feel(&xy.data)),
                };
                if let Err(error) = taken {
                    ctx.log(Level::Warn, error.to_string());
                }
            }
            _ => {}
        }
    }

    fn deactivate(&mut self, ctx: &mut Context<'_>) {
        ctx.publish("body/cmd_vel", Twist::default());
        (self.at, self.along, self.retreat) = (None, None, None);
        (self.contact, self.bumped, self.began_ns) = ([0.0; 3], false, None);
    }

    fn health(&self) -> Health {
        let values = [
            ("retreats", self.retreats),
            ("waypoints given up", self.given_up),
        ];
        Health {
            warning: None,
            values: values.map(|(k, v)| (k.to_owned(), v.to_string())).to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path_of(text: &str) -> Result<Vec<[f64; 2]>, String> {
        let mut parameters = Parameters::defaults(&INTERFACE);
        parameters.set_text("path", text).expect("a text");
        path(&parameters)
    }

    #[test]
    fn paths_are_read_and_what_is_none_is_named() {
        assert_eq!(path_of("random"), Ok(Vec::new()));
        assert_eq!(path_of("1,2; -0.5, 3"), Ok(vec![[1.0, 2.0], [-0.5, 3.0]]));
        let lanes = path_of("lanes").expect("lanes");
        assert_eq!(lanes.len(), 12);
        let expected = [[-1.4, -1.0], [1.4, -1.0], [1.4, -0.6]];
        let near = |(a, b): (&[f64; 2], [f64; 2])| (a[0] - b[0]).hypot(a[1] - b[1]) < 1e-9;
        assert!(lanes.iter().zip(expected).all(near), "{lanes:?}");
        assert!(
            path_of("columns")
                .expect("columns")
                .iter()
                .all(|p| (p[1].abs() - 1.0).abs() < 1e-9)
        );
        for wrong in ["straight", "1,2,3", "1;2", "", "1,NaN"] {
            let error = path_of(wrong).expect_err(wrong);
            assert!(error.contains("path"), "{error}");
        }
    }
}
