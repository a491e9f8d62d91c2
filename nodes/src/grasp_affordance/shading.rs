//! What light does to an object: the ball's shades, outline and shadow as a
//! whole, and the bright rims of the bottle's upper faces.
//!
//! Neither the light nor the ball's colour is known. So the edges that a ball
//! makes are worked out beforehand for a set of lights and contrasts (Lambert's
//! law, one shadow, a table without texture), and the pair that explains most of
//! the edges seen counts: with edges d and their prediction p, it is the gain
//! Σ |d|² - |d - s p|² over the ball and its shadow, that of least squares
//! against "nothing there", with the strength s that is best from 0 to 1.

use super::contour::{BALL_RADIUS, BOTTLE_PARTS, Outliner, Placement};
use super::evidence::Field;
use glam::{DVec2, DVec3};
use std::f64::consts::{PI, TAU};

/// Direct light as a share of all light.
pub(super) const DIRECT: f64 = 0.6;
/// Gradient of log brightness, per pixel, that makes an edge of length 1/2.
pub(super) const HALF_GRADIENT: f64 = 0.025;
/// Elevations of the lights tried, radians.
const ELEVATIONS: [f64; 3] = [0.7, 0.95, 1.25];
/// Azimuths tried.
const AZIMUTHS: usize = 8;
/// Logarithms of the object's to the table's reflectance tried.
pub(super) const CONTRASTS: [f64; 5] = [-2.2, -1.2, 0.15, 0.5, 0.9];
/// Points are this far apart, in radii of the ball.
const SPACING: f64 = 0.16;
/// Points lie so far from the centre at most, in radii.
const REACH: f64 = 2.2;

/// The lights tried: unit vectors to them.
pub(super) fn lights() -> impl Iterator<Item = DVec3> {
    let round = |elevation| (0..AZIMUTHS).map(move |k| (elevation, k));
    ELEVATIONS
        .into_iter()
        .flat_map(round)
        .map(|(elevation, k)| {
            let (s, c) = (TAU * k as f64 / AZIMUTHS as f64).sin_cos();
            let (up, flat) = f64::sin_cos(elevation);
            DVec3::new(flat * c, flat * s, up)
        })
}

/// Edges of the ball under one light with one contrast.
#[derive(Debug, Clone)]
struct Template {
    x: Vec<f32>,
    y: Vec<f32>,
    energy: f32,
}

/// How well a place agrees with the edges.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Agreement {
    /// Explained squares, in squared edge lengths times pixels.
    pub gain: f64,
    /// The same as a part of the squares predicted: 1 is perfect.
    pub part: f64,
}

impl Agreement {
    /// Worse than any.
    pub const NONE: Agreement = Agreement {
        gain: f64::NEG_INFINITY,
        part: f64::NEG_INFINITY,
    };
}

/// The ball's templates; positions in its radii from its centre, right and down.
#[derive(Debug, Clone)]
pub struct BallShading {
    table: f64,
    points: Vec<DVec2>,
    templates: Vec<Template>,
    seen_x: Vec<f32>,
    seen_y: Vec<f32>,
}

impl BallShading {
    /// For balls near (`x`, `y`) on a table of height `table`; `seen` is how
    /// well edges of each direction could be seen (xx, xy, yy).
    pub fn new(outliner: &Outliner, x: f64, y: f64, table: f64, seen: [f64; 3]) -> Self {
        let steps = (REACH / SPACING) as i32;
        let grid = (-steps..=steps).flat_map(|i| (-steps..=steps).map(move |j| (i, j)));
        let points: Vec<DVec2> = grid
            .map(|(i, j)| DVec2::new(f64::from(i), f64::from(j)) * SPACING)
            .filter(|p| p.length() <= REACH)
            .collect();
        let ball = Ball::new(outliner, x, y, table, 1.0);
        let mut templates = Vec::new();
        if let Some(basis) = ball.basis() {
            for light in lights() {
                for contrast in CONTRASTS {
                    templates.push(ball.template(&points, basis, light, contrast, seen));
                }
            }
        }
        let seen_x = vec![0.0; points.len()];
        let seen_y = vec![0.0; points.len()];
        BallShading {
            table,
            points,
            templates,
            seen_x,
            seen_y,
        }
    }

    /// How well a ball at a place explains the edges; only every `stride`th
    /// template is tried.
    pub fn fit(
        &mut self,
        place: &Placement,
        outliner: &Outliner,
        edges: &Field,
        stride: usize,
    ) -> Agreement {
        let ball = Ball::new(outliner, place.x, place.y, self.table, place.scale);
        let Some([c, eu, ev]) = ball.basis() else {
            return Agreement::NONE;
        };
        let slots = self.seen_x.iter_mut().zip(&mut self.seen_y);
        for (p, (x, y)) in self.points.iter().zip(slots) {
            let here = edges.near(c + eu * p.x + ev * p.y);
            (*x, *y) = (here.x as f32, here.y as f32);
        }
        let area = eu.perp_dot(ev).abs() * SPACING * SPACING;
        let mut best = Agreement::NONE;
        for template in self.templates.iter().step_by(stride) {
            let both = dot(&template.x, &self.seen_x) + dot(&template.y, &self.seen_y);
            // Edges may be fainter than predicted, not stronger.
            let strength = (both / template.energy).clamp(0.0, 1.0);
            let gain = strength * (2.0 * both - strength * template.energy);
            if f64::from(gain) * area > best.gain {
                best = Agreement {
                    gain: f64::from(gain) * area,
                    part: f64::from(gain / template.energy),
                };
            }
        }
        best
    }
}

/// Eight sums side by side, for SIMD.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (a8, a_rest) = a.as_chunks::<8>();
    let (b8, b_rest) = b.as_chunks::<8>();
    let mut sums = [0.0f32; 8];
    for (a, b) in a8.iter().zip(b8) {
        for k in 0..8 {
            sums[k] += a[k] * b[k];
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// Correlation, -1 to 1, of the edges with those of the bottle's rims: their
/// upper faces are brighter than the walls below.
pub fn rims(
    place: &Placement,
    outliner: &Outliner,
    table: f64,
    edges: &Field,
    [xx, xy, yy]: [f64; 3],
) -> f64 {
    // The image's own energy is bounded below, so that nothing on nothing is
    // no agreement.
    let (mut both, mut model, mut image) = (0.0, 1e-9, 1e-2);
    for (_, top, radius) in BOTTLE_PARTS {
        rim(outliner, place, table, (top, radius), |p, g| {
            let g = DVec2::new(xx * g.x + xy * g.y, xy * g.x + yy * g.y);
            let here = edges.near(p);
            both += here.dot(g);
            model += g.length_squared();
            image += here.length_squared();
        });
    }
    both / (model * image).sqrt()
}

/// A ball on the table as seen by the eye.
struct Ball<'a> {
    outliner: &'a Outliner,
    centre: DVec3,
    radius: f64,
    table: f64,
    u: DVec3,
    v: DVec3,
}

impl<'a> Ball<'a> {
    fn new(outliner: &'a Outliner, x: f64, y: f64, table: f64, scale: f64) -> Self {
        let radius = BALL_RADIUS * scale;
        let centre = DVec3::new(x, y, table + radius);
        let w = (outliner.eye() - centre).normalize();
        let u = DVec3::Z.cross(w).normalize_or(DVec3::X);
        Ball {
            outliner,
            centre,
            radius,
            table,
            u,
            v: u.cross(w),
        }
    }

    /// Its centre in the image and how far one radius goes along u and v.
    fn basis(&self) -> Option<[DVec2; 3]> {
        let c = self.outliner.project(self.centre)?;
        let eu = self.outliner.project(self.centre + self.u * self.radius)? - c;
        let ev = self.outliner.project(self.centre + self.v * self.radius)? - c;
        Some([c, eu, ev])
    }

    /// Log brightness at an offset of (a, b) radii, `light` pointing to the
    /// light, `contrast` being the logarithm of the reflectances' ratio.
    fn brightness(&self, a: f64, b: f64, light: DVec3, contrast: f64) -> f64 {
        let eye = self.outliner.eye();
        let aim = self.centre + (self.u * a + self.v * b) * self.radius;
        let ray = (aim - eye).normalize();
        let mut own = 0.0;
        let direct = if let Some(t) = self.hit(eye, ray) {
            let normal = (eye + ray * t - self.centre) / self.radius;
            own = contrast;
            normal.dot(light).max(0.0)
        } else {
            let ground = eye + ray * ((self.table - eye.z) / ray.z);
            if self.hit(ground, light).is_some() {
                0.0
            } else {
                light.z
            }
        };
        (1.0 - DIRECT + DIRECT * direct).ln() + own
    }

    fn hit(&self, from: DVec3, ray: DVec3) -> Option<f64> {
        let to = self.centre - from;
        let along = to.dot(ray);
        let beside = to.length_squared() - along * along;
        let inside = self.radius * self.radius - beside;
        (inside > 0.0 && along > 0.0).then(|| along - inside.sqrt())
    }

    fn template(
        &self,
        points: &[DVec2],
        [_, eu, ev]: [DVec2; 3],
        light: DVec3,
        contrast: f64,
        [xx, xy, yy]: [f64; 3],
    ) -> Template {
        // Differences over two pixels: what pixels and blur make of a step.
        let (sa, sb) = (1.0 / eu.length(), 1.0 / ev.length());
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for p in points {
            let at = |da: f64, db: f64| self.brightness(p.x + da, p.y + db, light, contrast);
            let ga = 0.5 * (at(sa, 0.0) - at(-sa, 0.0));
            let gb = 0.5 * (at(0.0, sb) - at(0.0, -sb));
            let g = eu.normalize_or_zero() * ga + ev.normalize_or_zero() * gb;
            let g = DVec2::new(xx * g.x + xy * g.y, xy * g.x + yy * g.y);
            let g = g / (g.length() + HALF_GRADIENT);
            x.push(g.x as f32);
            y.push(g.y as f32);
        }
        let energy = dot(&x, &x) + dot(&y, &y);
        Template { x, y, energy }
    }
}

/// The near half of a horizontal rim: its face is brighter than the wall below.
fn rim(
    outliner: &Outliner,
    at: &Placement,
    table: f64,
    (height, radius): (f64, f64),
    mut visit: impl FnMut(DVec2, DVec2),
) {
    const COUNT: usize = 9;
    let middle = DVec3::new(at.x, at.y, table + height * at.scale);
    let towards = (outliner.eye() - middle)
        .truncate()
        .normalize_or(DVec2::X)
        .extend(0.0);
    let across = DVec3::Z.cross(towards);
    for k in 0..COUNT {
        let (s, c) = (PI * ((k as f64 + 0.5) / COUNT as f64 - 0.5)).sin_cos();
        let there = (towards * c + across * s) * radius * at.scale;
        let inner = outliner.project(middle + there * 0.9);
        if let (Some(p), Some(inner)) = (outliner.project(middle + there), inner) {
            visit(p, (inner - p).normalize_or_zero());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::contour::tests::from_above;
    use super::*;

    fn outliner() -> Outliner {
        let (camera, pose) = from_above();
        Outliner::new(camera, &pose, 0.75)
    }

    #[test]
    fn a_ball_is_brightest_where_it_faces_the_light() {
        let outliner = outliner();
        let ball = Ball::new(&outliner, 0.5, 0.0, 0.75, 1.0);
        // Seen from above, u is across the view: the light from +u brightens +u.
        let light = (ball.u + DVec3::Z).normalize();
        let at = |a: f64| ball.brightness(a, 0.0, light, 0.0);
        assert!(at(0.6) > at(-0.6) + 0.3);
        // The shadow falls to the other side, and the table is lit elsewhere.
        assert!((at(2.0) - (0.4 + 0.6 * light.z).ln()).abs() < 1e-9);
        assert!((at(-1.5) - 0.4f64.ln()).abs() < 1e-9);
        // Only the ball has its own colour.
        assert!((ball.brightness(0.6, 0.0, light, 0.5) - at(0.6) - 0.5).abs() < 1e-12);
        assert_eq!(ball.brightness(2.0, 0.0, light, 0.5), at(2.0));
    }

    #[test]
    fn nothing_seen_is_no_gain() {
        let outliner = outliner();
        let mut ball = BallShading::new(&outliner, 0.5, 0.0, 0.75, [1.0, 0.0, 1.0]);
        assert_eq!(ball.templates.len(), 3 * 8 * 5);
        let place = Placement {
            x: 0.5,
            y: 0.0,
            yaw: 0.0,
            scale: 1.0,
        };
        let found = ball.fit(&place, &outliner, &Field::new(128, 128), 1);
        assert_eq!((found.gain, found.part), (0.0, 0.0));
    }

    #[test]
    fn dots_are_summed_to_the_last() {
        let a: Vec<f32> = (0..19).map(|k| k as f32).collect();
        assert_eq!(dot(&a, &a), (0..19).map(|k| (k * k) as f32).sum::<f32>());
    }
}
