//! What light does to a standing bottle: its shades, outline and shadow as a
//! whole.
//!
//! A bottle's shadow on the table is as long and as narrow as the bottle, and
//! under some lights its outline is a bottle's. What tells them apart is that
//! the one begins at the foot of the other. As with the ball, the edges of
//! bottle and shadow together are worked out for a set of lights and contrasts,
//! and the pair that explains most of the edges seen counts (see
//! [`super::shading`]). Shadows on the bottle itself are left out.

mod optics;
mod window;

use super::contour::{Class, EdgePoint, Outliner, Placement};
use super::evidence::Field;
use super::shading::{CONTRASTS, HALF_GRADIENT, lights};
use glam::{DQuat, DVec2, DVec3};
use optics::{Ray, Spot, level, shaded, spot};
use std::f64::consts::PI;
use window::Grid;

/// Points of the outline that tell how large the window is.
const OUTLINE: usize = 24;
/// Ends of the climb: where the steps have become so many times smaller.
const HALVINGS: u32 = 4;
/// Lowest light taken for possible, radians over the table.
const LOWEST: f64 = 0.5;
/// Least and largest logarithm of bottle's to table's reflectance.
const DARKEST: f64 = -3.0;
/// See [`DARKEST`].
const BRIGHTEST: f64 = 1.5;
/// A step that gains less than this part is none.
const WORTH: f64 = 1.002;
/// Most rounds of the climb with steps of one length.
const ROUNDS: u32 = 12;

/// The light and the bottle's contrast that explain most.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Lit {
    /// Explained squares, in squared edge lengths times pixels.
    pub gain: f64,
    /// Unit vector to the light, world.
    pub light: DVec3,
    /// Logarithm of bottle's to table's reflectance.
    pub contrast: f64,
}

/// Judges places of a bottle by the light on it; keeps its buffers.
pub struct BottleShading<'a> {
    outliner: Outliner,
    outline: Vec<EdgePoint>,
    edges: &'a Field,
    seen: [f64; 3],
    table: f64,
    spacing: usize,
    grid: Grid,
    points: Vec<Point>,
    /// Pixels beside points: where they look, what they show, and their log
    /// brightness but for the bottle's contrast.
    rays: Vec<Ray>,
    spots: Vec<Spot>,
    levels: Vec<f64>,
    /// Points at which the bottle, its shade or its shadow make an edge.
    active: Vec<u32>,
    /// Number of the pixel at each place of the window.
    numbers: Vec<u32>,
}

/// Where gradients are compared.
#[derive(Debug, Clone, Copy)]
struct Point {
    /// Edge seen.
    here: DVec2,
    /// Numbers of the pixels right, left, below and above.
    beside: [u32; 4],
}

/// The number of a pixel that has none yet.
const UNSEEN: u32 = u32::MAX;

impl<'a> BottleShading<'a> {
    /// For `edges` of a saccade that showed those of each direction as well as
    /// `seen` (xx, xy, yy) tells, over a table of height `table`. They are
    /// compared at points `spacing` pixels apart.
    pub fn new(
        outliner: &Outliner,
        edges: &'a Field,
        seen: [f64; 3],
        table: f64,
        spacing: usize,
    ) -> Self {
        BottleShading {
            outliner: outliner.clone(),
            outline: Vec::new(),
            edges,
            seen,
            table,
            spacing,
            grid: Grid::default(),
            points: Vec::new(),
            rays: Vec::new(),
            spots: Vec::new(),
            levels: Vec::new(),
            active: Vec::new(),
            numbers: Vec::new(),
        }
    }

    /// Looks at the window around a bottle; false when that lies outside of the
    /// image.
    fn look_at(&mut self, place: &Placement) -> bool {
        let (outline, outliner) = (&mut self.outline, &mut self.outliner);
        outliner.outline(Class::Bottle, place, OUTLINE, outline);
        let Some(grid) = Grid::around(outline, outliner.size(), self.spacing) else {
            return false;
        };
        self.grid = grid;
        self.rays.clear();
        self.points.clear();
        let (across, down) = grid.window();
        self.numbers.clear();
        self.numbers.resize(across * down, UNSEEN);
        for j in 0..grid.down {
            for i in 0..grid.across {
                let (x, y) = (1 + i * grid.step, 1 + j * grid.step);
                let beside = [(x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)];
                let beside = beside.map(|(x, y)| self.number(x, y, across));
                let here = self.edges.near(grid.pixel(x, y));
                self.points.push(Point { here, beside });
            }
        }
        true
    }

    /// Number of the pixel at a place of the window, which is made when new.
    fn number(&mut self, x: usize, y: usize, across: usize) -> u32 {
        let slot = &mut self.numbers[y * across + x];
        if *slot == UNSEEN {
            *slot = self.rays.len() as u32;
            let along = self.outliner.ray(self.grid.pixel(x, y));
            self.rays.push(Ray::new(along));
        }
        *slot
    }

    /// The best of all lights and contrasts for a bottle at `place`; only every
    /// `stride`th of each is tried. `None` when it is not in the image.
    pub fn fit(&mut self, place: &Placement, stride: usize) -> Option<Lit> {
        if !self.look_at(place) {
            return None;
        }
        self.draw(place);
        let mut best: Option<Lit> = None;
        for light in lights().step_by(stride) {
            self.shine(light);
            for contrast in CONTRASTS.into_iter().skip(stride - 1).step_by(stride) {
                let gain = self.gain(contrast);
                if best.is_none_or(|b| gain > b.gain) {
                    best = Some(Lit {
                        gain,
                        light,
                        contrast,
                    });
                }
            }
        }
        best
    }

    /// Climbs from a place that was fitted to the best near by, and to its
    /// light: single steps in each direction, halved when none helps.
    pub fn climb(&mut self, start: Placement, lit: Lit, sizes: (f64, f64)) -> (Placement, Lit) {
        if !self.look_at(&start) {
            return (start, lit);
        }
        let (mut place, mut best) = (start, lit);
        let mut part = 1.0;
        for _ in 0..=HALVINGS {
            for _ in 0..ROUNDS {
                let before = best.gain;
                for axis in 0..3 {
                    for sign in [1.0, -1.0] {
                        let there = moved(&place, axis, sign * part, sizes);
                        self.draw(&there);
                        self.shine(best.light);
                        let gain = self.gain(best.contrast);
                        if gain > best.gain {
                            (place, best.gain) = (there, gain);
                            break;
                        }
                    }
                }
                self.draw(&place);
                for axis in 0..3 {
                    for sign in [1.0, -1.0] {
                        let other = turned(&best, axis, sign * part);
                        self.shine(other.light);
                        let gain = self.gain(other.contrast);
                        if gain > best.gain {
                            best = Lit { gain, ..other };
                            break;
                        }
                    }
                }
                if best.gain <= before * WORTH {
                    break;
                }
            }
            part *= 0.5;
        }
        (place, best)
    }

    /// What the pixels show of a bottle at `place`.
    fn draw(&mut self, place: &Placement) {
        let foot = DVec3::new(place.x, place.y, self.table);
        let eye = (self.outliner.eye() - foot) / place.scale;
        self.spots.clear();
        self.spots
            .extend(self.rays.iter().map(|ray| spot(eye, ray)));
    }

    /// Lights what was drawn.
    fn shine(&mut self, light: DVec3) {
        // Brightness of the table takes two values only.
        let [dark, bright] = [0.0, light.z].map(level);
        self.levels.clear();
        self.levels
            .extend(self.spots.iter().map(|spot| match *spot {
                Spot::Table(at) if shaded(at, light) => dark,
                Spot::Table(_) => bright,
                Spot::Bottle(normal) => level(normal.dot(light).max(0.0)),
            }));
        let (spots, levels) = (&self.spots, &self.levels);
        let differ = |a: u32, b: u32| {
            let (a, b) = (a as usize, b as usize);
            levels[a] != levels[b] || spots[a].is_bottle() != spots[b].is_bottle()
        };
        self.active.clear();
        for (k, Point { beside, .. }) in self.points.iter().enumerate() {
            if differ(beside[0], beside[1]) || differ(beside[2], beside[3]) {
                self.active.push(k as u32);
            }
        }
    }

    /// The gain of what was lit, with this contrast.
    fn gain(&self, contrast: f64) -> f64 {
        let [xx, xy, yy] = self.seen;
        let level = |k: u32| {
            let own = if self.spots[k as usize].is_bottle() {
                contrast
            } else {
                0.0
            };
            self.levels[k as usize] + own
        };
        let (mut both, mut energy) = (0.0, 1e-9);
        for k in &self.active {
            let Point { here, beside } = self.points[*k as usize];
            let [right, left, below, above] = beside.map(level);
            let g = 0.5 * DVec2::new(right - left, below - above);
            let g = DVec2::new(xx * g.x + xy * g.y, xy * g.x + yy * g.y);
            let g = g / (g.length() + HALF_GRADIENT);
            both += g.dot(here);
            energy += g.length_squared();
        }
        // Edges may be fainter than predicted, not stronger.
        let strength = (both / energy).clamp(0.0, 1.0);
        strength * (2.0 * both - strength * energy) * (self.grid.step * self.grid.step) as f64
    }
}

/// A place a step (5 mm, or 4 % in size) further along an axis.
fn moved(place: &Placement, axis: usize, step: f64, sizes: (f64, f64)) -> Placement {
    let mut there = *place;
    match axis {
        0 => there.x += 0.005 * step,
        1 => there.y += 0.005 * step,
        _ => there.scale = (there.scale + 0.04 * step).clamp(sizes.0, sizes.1),
    }
    there
}

/// A light a step (0.2 rad, or 0.4 in contrast) further.
fn turned(lit: &Lit, axis: usize, step: f64) -> Lit {
    let mut other = *lit;
    match axis {
        0 => other.light = DQuat::from_rotation_z(0.2 * step) * lit.light,
        1 => {
            let flat = lit.light.truncate().normalize_or(DVec2::X);
            let up = (lit.light.z.asin() + 0.2 * step).clamp(LOWEST, 0.5 * PI);
            other.light = (flat * up.cos()).extend(up.sin());
        }
        _ => other.contrast = (other.contrast + 0.4 * step).clamp(DARKEST, BRIGHTEST),
    }
    other
}

#[cfg(test)]
mod tests {
    use super::super::geometry::{Camera, Pose};
    use super::*;
    use glam::DMat3;

    const TABLE: f64 = 0.75;

    fn at(x: f64, y: f64) -> Placement {
        Placement {
            x,
            y,
            yaw: 0.0,
            scale: 1.0,
        }
    }

    /// From (0.45, 0.62) m, 0.72 m over the table, down at 45 degrees.
    fn outliner() -> Outliner {
        let camera = Camera {
            fx: 260.0,
            fy: 260.0,
            cx: 63.5,
            cy: 63.5,
            width: 128,
            height: 128,
        };
        let down = DVec3::new(0.0, -0.62, -0.65).normalize();
        let axes = DMat3::from_cols(DVec3::NEG_X, down.cross(DVec3::NEG_X), down);
        let pose = Pose::new(DVec3::new(0.45, 0.62, 1.47), DQuat::from_mat3(&axes));
        Outliner::new(camera, &pose, TABLE)
    }

    /// The edges of a bottle and its shadow, each pixel's worked out.
    fn edges(outliner: &Outliner, place: &Placement, light: DVec3, contrast: f64) -> Field {
        let foot = DVec3::new(place.x, place.y, TABLE);
        let eye = (outliner.eye() - foot) / place.scale;
        let bright = |p: DVec2| match spot(eye, &Ray::new(outliner.ray(p))) {
            Spot::Table(at) if shaded(at, light) => level(0.0),
            Spot::Table(_) => level(light.z),
            Spot::Bottle(normal) => level(normal.dot(light).max(0.0)) + contrast,
        };
        Field::drawn(128, 128, |p| {
            let g = DVec2::new(
                bright(p + DVec2::X) - bright(p - DVec2::X),
                bright(p + DVec2::Y) - bright(p - DVec2::Y),
            ) * 0.5;
            g / (g.length() + HALF_GRADIENT)
        })
    }

    /// A dark bottle whose shadow lies beside it, away from the eye.
    #[test]
    fn a_bottle_explains_more_than_its_shadow_does() {
        let outliner = outliner();
        let place = at(0.47, -0.03);
        let light = DVec3::new(0.6, 0.45, 0.66).normalize();
        let edges = edges(&outliner, &place, light, -1.7);
        let mut shading = BottleShading::new(&outliner, &edges, [1.0, 0.0, 1.0], TABLE, 2);
        let right = shading.fit(&place, 1).unwrap();
        assert!(
            right.light.dot(light) > 0.9 && right.contrast < -1.0,
            "{right:?}"
        );
        for along in [0.04, 0.06, 0.09] {
            let shadow = at(0.47 - 0.8 * along, -0.03 - 0.6 * along);
            let wrong = shading.fit(&shadow, 1).unwrap();
            assert!(right.gain > 2.0 * wrong.gain, "{right:?}, {wrong:?}");
        }
    }

    #[test]
    fn the_climb_ends_where_bottle_and_shadow_are() {
        let outliner = outliner();
        let place = at(0.44, 0.02);
        let light = DVec3::new(0.5, -0.6, 0.8).normalize();
        let edges = edges(&outliner, &place, light, 0.3);
        let mut shading = BottleShading::new(&outliner, &edges, [1.0, 0.0, 1.0], TABLE, 2);
        let start = at(0.435, 0.032);
        let lit = shading.fit(&start, 1).unwrap();
        let (end, found) = shading.climb(start, lit, (0.83, 1.17));
        let off = (end.x - place.x).hypot(end.y - place.y);
        assert!(off < 0.003 && (end.scale - 1.0).abs() < 0.03, "{end:?}");
        assert!(
            found.gain > lit.gain && found.light.dot(light) > 0.99,
            "{found:?}"
        );
    }

    #[test]
    fn outside_of_the_image_nothing_is_explained() {
        let outliner = outliner();
        let nothing = Field::new(128, 128);
        let mut shading = BottleShading::new(&outliner, &nothing, [1.0, 0.0, 1.0], TABLE, 2);
        assert_eq!(shading.fit(&at(2.0, -1.0), 1), None);
        assert_eq!(shading.fit(&at(0.45, 0.0), 1).unwrap().gain, 0.0);
    }
}
