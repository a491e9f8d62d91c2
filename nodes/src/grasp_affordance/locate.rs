//! Where the object is: the place on the table whose outline explains the
//! edges seen best.
//!
//! Texture, shadows and clutter make edges too. What tells the object's outline
//! from them is its shape: edges all along it, and of one sign (the object is
//! mostly brighter, or mostly darker, than what surrounds it), and fewer beside
//! it. Edges whose normal is across the eye's motion cannot be seen and do not
//! count. The search is coarse over the area, then the best few places are
//! refined in position, yaw and size.

use super::bottle::{BottleShading, Lit};
use super::contour::{
    BALL_RADIUS, BOTTLE_HEIGHT, Class, EdgePoint, Outliner, PEN_LENGTH, PEN_RADIUS, Placement,
};
use super::evidence::{Evidence, Field};
use super::geometry::{Camera, Pose};
use super::shading::{Agreement, BallShading, rims};
use glam::{DVec2, DVec3};
use std::f64::consts::PI;

/// Where objects may stand, in the world.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// Centre, metres.
    pub x: f64,
    /// Centre, metres.
    pub y: f64,
    /// Half the edge length, metres.
    pub half: f64,
    /// Height of the table's surface, metres.
    pub table: f64,
}

impl Area {
    /// Whether a place is in the area, with a margin in metres.
    pub fn contains(&self, x: f64, y: f64, margin: f64) -> bool {
        let reach = self.half + margin;
        (x - self.x).abs() <= reach && (y - self.y).abs() <= reach
    }
}

/// The best place found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Located {
    /// Where.
    pub place: Placement,
    /// How well its outline fits, about 0 (chance) to 1.
    pub score: f64,
    /// By how much the best fit at another place is worse, as a part.
    pub margin: f64,
}

/// Search beyond the area's edge, metres: places out there are found, so that
/// they can be refused.
const BEYOND: f64 = 0.02;
/// Coarse grid, metres.
const GRID: f64 = 0.010;
/// Coarse yaws of the pen.
const YAWS: usize = 24;
/// Coarse sizes of ball and bottle.
const SIZES: [f64; 3] = [0.90, 1.0, 1.10];
/// Sizes allowed.
const SIZE_RANGE: (f64, f64) = (0.83, 1.17);
/// Places that are refined.
const REFINED: usize = 8;
/// Places at which the light on a bottle is tried, and of these refined.
const LIKELY: usize = 64;
/// See [`LIKELY`].
const LIT: usize = 4;
/// And of these followed to where bottle and shadow fit best.
const CLIMBED: usize = 2;
/// Points at which the light is compared are so far apart, pixels.
const ROUGH: usize = 4;
/// See [`ROUGH`].
const CLOSE: usize = 2;
/// Distance from which on a place is another place, metres; and yaw, radians.
const APART: (f64, f64) = (0.025, 0.5);
/// Blur of the coarse search, pixels.
const COARSE_BLUR: f32 = 1.5;
/// Blur of the refinement, pixels.
const FINE_BLUR: f32 = 0.8;

/// Finds the object of a class; `None` when no outline lies in the image.
pub fn locate(class: Class, evidence: &Evidence, camera: &Camera, area: &Area) -> Option<Located> {
    let coarse_edges = evidence.edges.blurred(COARSE_BLUR);
    let fine_edges = evidence.edges.blurred(FINE_BLUR);
    let mut coarse = Judge::new(class, &coarse_edges, evidence, camera, area, (24, 4));
    let mut fine = Judge::new(class, &fine_edges, evidence, camera, area, (64, 1));

    let mut seeds = coarse_search(class, &mut coarse, area);
    seeds.sort_by(|a, b| b.1.total_cmp(&a.1));
    let mut found: Vec<(Placement, Agreement)> = if class == Class::Bottle {
        bottles(&seeds, &mut fine, &coarse_edges, evidence)
    } else {
        let places = distinct(&seeds, REFINED).into_iter();
        places.map(|(p, _)| refine(class, &mut fine, p)).collect()
    };
    found.sort_by(|a, b| b.1.gain.total_cmp(&a.1.gain));
    let (place, best) = *found.first()?;
    let second = found.iter().skip(1).find(|(other, _)| apart(other, &place));
    let margin = second.map_or(1.0, |(_, s)| 1.0 - s.gain / best.gain);
    best.gain.is_finite().then_some(Located {
        place,
        score: best.part,
        margin,
    })
}

/// Finds a bottle among the places that look like one: a shadow may have a
/// bottle's outline, so what counts is how much of the edges a bottle and its
/// shadow explain together. `part` remains that of the outline, of which there
/// must be enough all the same.
fn bottles(
    seeds: &[(Placement, f64)],
    judge: &mut Judge,
    edges: &Field,
    evidence: &Evidence,
) -> Vec<(Placement, Agreement)> {
    let outliner = judge.outliner.clone();
    let shading =
        |spacing| BottleShading::new(&outliner, edges, evidence.seen, judge.table, spacing);
    let (mut rough, mut light) = (shading(ROUGH), shading(CLOSE));
    let mut likely: Vec<(Placement, Lit)> = Vec::with_capacity(LIKELY);
    for (place, _) in distinct(seeds, LIKELY) {
        likely.extend(rough.fit(&place, 2).map(|lit| (place, lit)));
    }
    likely.sort_by(|a, b| b.1.gain.total_cmp(&a.1.gain));
    let mut lit: Vec<(Placement, Lit)> = Vec::with_capacity(LIT);
    for (place, _) in likely.iter().take(LIT) {
        let (place, _) = refine(Class::Bottle, judge, *place);
        lit.extend(light.fit(&place, 1).map(|lit| (place, lit)));
    }
    lit.sort_by(|a, b| b.1.gain.total_cmp(&a.1.gain));
    // The outline alone is drawn towards the shadow.
    for (place, lit) in lit.iter_mut().take(CLIMBED) {
        (*place, *lit) = light.climb(*place, *lit, SIZE_RANGE);
    }
    let agreed = |(place, lit): (Placement, Lit)| {
        let part = judge.score(Class::Bottle, &place).part;
        let gain = lit.gain;
        (place, Agreement { gain, part })
    };
    lit.into_iter().map(agreed).collect()
}

/// Scores of every place of the coarse grid.
fn coarse_search(class: Class, judge: &mut Judge, area: &Area) -> Vec<(Placement, f64)> {
    let reach = area.half + BEYOND;
    let steps = (2.0 * reach / GRID).round() as usize;
    let mut out = Vec::new();
    for i in 0..=steps {
        for j in 0..=steps {
            let x = area.x - reach + GRID * i as f64;
            let y = area.y - reach + GRID * j as f64;
            match class {
                Class::Pen => {
                    for k in 0..YAWS {
                        let yaw = PI * k as f64 / YAWS as f64;
                        let place = Placement {
                            x,
                            y,
                            yaw,
                            scale: 1.0,
                        };
                        out.push((place, judge.strip(&place)));
                    }
                }
                Class::Ball | Class::Bottle => {
                    for scale in SIZES {
                        let place = Placement {
                            x,
                            y,
                            yaw: 0.0,
                            scale,
                        };
                        out.push((place, judge.score(class, &place).gain));
                    }
                }
            }
        }
    }
    out
}

/// The best `count` places that are apart from each other.
fn distinct(sorted: &[(Placement, f64)], count: usize) -> Vec<(Placement, f64)> {
    let mut kept: Vec<(Placement, f64)> = Vec::with_capacity(count);
    for (place, score) in sorted {
        if kept.len() == count || *score == f64::NEG_INFINITY {
            break;
        }
        if kept.iter().all(|(k, _)| apart_by(k, place, 0.6)) {
            kept.push((*place, *score));
        }
    }
    kept
}

fn apart(a: &Placement, b: &Placement) -> bool {
    apart_by(a, b, 1.0)
}

fn apart_by(a: &Placement, b: &Placement, factor: f64) -> bool {
    let turn = (a.yaw - b.yaw).abs();
    let turn = turn.min(PI - turn);
    (a.x - b.x).hypot(a.y - b.y) > APART.0 * factor || turn > APART.1 * factor
}

/// Climbs to the best place near by: single steps in each direction, halved
/// when none helps.
fn refine(class: Class, judge: &mut Judge, start: Placement) -> (Placement, Agreement) {
    let mut best = (start, judge.score(class, &start));
    let (mut step, mut turn, mut grow) = (0.005, 0.06, 0.04);
    while step > 0.000_4 {
        let mut better = false;
        for k in 0..8 {
            let mut place = best.0;
            let sign = if k % 2 == 0 { 1.0 } else { -1.0 };
            match k / 2 {
                0 => place.x += sign * step,
                1 => place.y += sign * step,
                2 => place.scale = (place.scale + sign * grow).clamp(SIZE_RANGE.0, SIZE_RANGE.1),
                _ if class == Class::Pen => place.yaw = (place.yaw + sign * turn).rem_euclid(PI),
                _ => continue,
            }
            let score = judge.score(class, &place);
            if score.gain > best.1.gain {
                best = (place, score);
                better = true;
            }
        }
        if !better {
            step *= 0.5;
            turn *= 0.5;
            grow *= 0.5;
        }
    }
    best
}

/// Judges places against the edges.
struct Judge<'a> {
    edges: &'a Field,
    seen: [f64; 3],
    outliner: Outliner,
    points: Vec<EdgePoint>,
    /// Of the ball only.
    shading: Option<BallShading>,
    count: usize,
    /// Only every so-manieth template of the ball is tried.
    stride: usize,
    table: f64,
}

/// How far beside the outline edges count against it, pixels.
const BESIDE: f64 = 3.5;
/// Smallest share of the outline that must lie in the image.
const VISIBLE: f64 = 0.7;

impl<'a> Judge<'a> {
    fn new(
        class: Class,
        edges: &'a Field,
        evidence: &Evidence,
        camera: &Camera,
        area: &Area,
        (count, stride): (usize, usize),
    ) -> Self {
        let outliner = Outliner::new(*camera, &evidence.rest, area.table);
        let shading = (class == Class::Ball)
            .then(|| BallShading::new(&outliner, area.x, area.y, area.table, evidence.seen));
        Judge {
            edges,
            seen: evidence.seen,
            outliner,
            points: Vec::new(),
            shading,
            count,
            stride,
            table: area.table,
        }
    }

    /// How visible an edge of this normal was, 0 to 1.
    fn weight(&self, n: DVec2) -> f64 {
        let [xx, xy, yy] = self.seen;
        (xx * n.x + xy * n.y).hypot(xy * n.x + yy * n.y)
    }

    /// How well an object at a place explains the edges.
    fn score(&mut self, class: Class, place: &Placement) -> Agreement {
        if let Some(shading) = &mut self.shading {
            return shading.fit(place, &self.outliner, self.edges, self.stride);
        }
        let mut points = std::mem::take(&mut self.points);
        self.outliner.outline(class, place, self.count, &mut points);
        let mut score = self.fit(class, &points);
        self.points = points;
        if class == Class::Bottle {
            let rims = rims(place, &self.outliner, self.table, self.edges, self.seen);
            score = 0.5 * (score + rims);
        }
        Agreement {
            gain: score,
            part: score,
        }
    }

    fn fit(&self, class: Class, points: &[EdgePoint]) -> f64 {
        let (mut signed, mut unsigned, mut beside) = (0.0, 0.0, 0.0);
        let (mut weights, mut all) = (1e-9, 1e-9);
        for edge in points {
            let weight = self.weight(edge.n);
            all += weight;
            let Some(here) = self.edges.at(edge.p) else {
                continue;
            };
            weights += weight;
            let along = here.dot(edge.n);
            signed += along;
            unsigned += along.abs();
            let outside = self.edges.at(edge.p + edge.n * BESIDE).unwrap_or_default();
            beside += outside.dot(edge.n).abs();
            if class == Class::Bottle {
                let inner = self.edges.at(edge.p - edge.n * BESIDE).unwrap_or_default();
                beside += inner.dot(edge.n).abs();
            }
        }
        if weights < VISIBLE * all {
            return f64::NEG_INFINITY;
        }
        let share = if class == Class::Bottle { 0.25 } else { 0.5 };
        (0.5 * (signed.abs() + unsigned) - share * beside) / weights
    }

    /// The coarse score of a pen: edges of opposite direction on both sides of
    /// its axis.
    fn strip(&self, place: &Placement) -> f64 {
        let radius = PEN_RADIUS * place.scale;
        let half = 0.45 * PEN_LENGTH * place.scale;
        let middle = DVec3::new(place.x, place.y, self.table + radius);
        let along = DVec3::new(place.yaw.cos(), place.yaw.sin(), 0.0) * half;
        let across = DVec3::new(-place.yaw.sin(), place.yaw.cos(), 0.0) * radius;
        let ends = (
            self.outliner.project(middle + along),
            self.outliner.project(middle - along),
            self.outliner.project(middle + across),
            self.outliner.project(middle),
        );
        let (Some(a), Some(b), Some(side), Some(centre)) = ends else {
            return f64::NEG_INFINITY;
        };
        let offset = side - centre;
        let n = (b - a).perp().normalize_or_zero();
        let offset = n * offset.dot(n);
        let n = n * offset.dot(n).signum();
        let (mut sum, mut inside) = (0.0, 0);
        const SAMPLES: usize = 12;
        for k in 0..SAMPLES {
            let p = a.lerp(b, (k as f64 + 0.5) / SAMPLES as f64);
            if let (Some(left), Some(right)) =
                (self.edges.at(p + offset), self.edges.at(p - offset))
            {
                sum += (left - right).dot(n);
                inside += 1;
            }
        }
        if (inside as f64) < VISIBLE * SAMPLES as f64 {
            return f64::NEG_INFINITY;
        }
        // Thin normals count less where the motion hides them, but a pen along
        // the motion must not be lost: the weight is bounded below.
        sum.abs() / (inside as f64 * self.weight(n).max(0.3))
    }
}

/// Pose of an object for display: its centre, x along the pen.
pub fn object_pose(class: Class, place: &Placement, table: f64) -> Pose {
    let height = match class {
        Class::Ball => BALL_RADIUS,
        Class::Bottle => BOTTLE_HEIGHT / 2.0,
        Class::Pen => PEN_RADIUS,
    };
    let p = DVec3::new(place.x, place.y, table + height * place.scale);
    Pose::new(p, glam::DQuat::from_rotation_z(place.yaw))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(x: f64, y: f64, yaw: f64) -> Placement {
        Placement {
            x,
            y,
            yaw,
            scale: 1.0,
        }
    }

    #[test]
    fn the_area_has_an_edge_and_a_margin() {
        let area = Area {
            x: 0.5,
            y: 0.0,
            half: 0.1,
            table: 0.75,
        };
        assert!(area.contains(0.59, -0.09, 0.0));
        assert!(!area.contains(0.61, 0.0, 0.0) && area.contains(0.61, 0.0, 0.02));
    }

    #[test]
    fn places_are_apart_by_distance_or_by_the_pens_direction() {
        assert!(apart(&at(0.5, 0.0, 0.0), &at(0.53, 0.0, 0.0)));
        assert!(!apart(&at(0.5, 0.0, 0.0), &at(0.51, 0.0, 0.1)));
        // A direction of nearly π is nearly 0.
        assert!(!apart(&at(0.5, 0.0, 0.05), &at(0.5, 0.0, PI - 0.05)));
        assert!(apart(&at(0.5, 0.0, 0.0), &at(0.5, 0.0, 1.5)));
    }
}
