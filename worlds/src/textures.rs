//! Procedural table textures, by name and seed.
//!
//! A texture multiplies a surface's albedo by [`Texture::factor`], which is 1 on
//! average. Seeds vary position, orientation, feature size and contrast within
//! what the name allows. Values are computed where they are needed from a hash,
//! without images, and are band-limited to the size a pixel has on the surface,
//! so that they do not flicker when the camera moves.
//!
//! [`TRAIN`] names the textures for training; [`TEST`] those that only test
//! scenes show.

use crate::render::Material;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Textures that training scenes may show.
pub const TRAIN: [&str; 8] = [
    "plain",
    "wood",
    "fine_noise",
    "stripes",
    "speckle",
    "concrete",
    "dots",
    "gradient",
];

/// Textures that only test scenes show.
pub const TEST: [&str; 4] = ["weave", "checker", "marble", "tiles"];

/// The ground under a robot that goes about: no table has it.
pub const GROUND: &str = "gravel";

/// Walls, to be told apart from the other side of a room: no table has them.
pub const WALLS: [&str; 3] = ["wall_bricks", "wall_stripes", "wall_blobs"];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Plain,
    Wood,
    FineNoise,
    Stripes,
    Speckle,
    Concrete,
    Dots,
    Gradient,
    Weave,
    Checker,
    Marble,
    Tiles,
    Gravel,
}

/// What a name allows: kind, feature size in metres, contrast (largest deviation
/// of the factor from 1), mean albedo.
struct Range {
    kind: Kind,
    size: (f32, f32),
    contrast: (f32, f32),
    albedo: [f32; 3],
}

fn range(name: &str) -> Option<Range> {
    let (kind, size, contrast, albedo) = match name {
        "plain" => (Kind::Plain, (0.05, 0.2), (0.000, 0.019), [0.55, 0.53, 0.50]),
        "wood" => (
            Kind::Wood,
            (0.012, 0.025),
            (0.065, 0.130),
            [0.50, 0.33, 0.20],
        ),
        "fine_noise" => (
            Kind::FineNoise,
            (0.010, 0.018),
            (0.052, 0.104),
            [0.45, 0.45, 0.47],
        ),
        "stripes" => (
            Kind::Stripes,
            (0.03, 0.07),
            (0.039, 0.072),
            [0.50, 0.48, 0.42],
        ),
        "speckle" => (
            Kind::Speckle,
            (0.03, 0.05),
            (0.130, 0.260),
            [0.60, 0.59, 0.57],
        ),
        "concrete" => (
            Kind::Concrete,
            (0.05, 0.10),
            (0.078, 0.143),
            [0.42, 0.42, 0.41],
        ),
        "dots" => (Kind::Dots, (0.04, 0.07), (0.052, 0.130), [0.48, 0.50, 0.55]),
        "gradient" => (
            Kind::Gradient,
            (0.4, 0.8),
            (0.130, 0.260),
            [0.55, 0.52, 0.48],
        ),
        "weave" => (
            Kind::Weave,
            (0.014, 0.024),
            (0.026, 0.058),
            [0.50, 0.45, 0.36],
        ),
        "checker" => (
            Kind::Checker,
            (0.03, 0.06),
            (0.033, 0.072),
            [0.50, 0.50, 0.48],
        ),
        "marble" => (
            Kind::Marble,
            (0.06, 0.12),
            (0.078, 0.143),
            [0.60, 0.60, 0.62],
        ),
        "tiles" => (
            Kind::Tiles,
            (0.06, 0.10),
            (0.065, 0.130),
            [0.55, 0.50, 0.45],
        ),
        "wall_bricks" => (Kind::Tiles, (0.25, 0.25), (0.6, 0.6), [0.5; 3]),
        "wall_stripes" => (Kind::Stripes, (0.3, 0.3), (0.5, 0.5), [0.5; 3]),
        "wall_blobs" => (Kind::Dots, (0.4, 0.4), (0.7, 0.7), [0.5; 3]),
        GROUND => (Kind::Gravel, (0.06, 0.09), (0.45, 0.55), [0.45, 0.43, 0.40]),
        _ => return None,
    };
    Some(Range {
        kind,
        size,
        contrast,
        albedo,
    })
}

/// A name that is in none of [`TRAIN`], [`TEST`], [`WALLS`] and [`GROUND`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no texture is called `{0}`: choose one of {train}, {test}, {walls}, {GROUND}", train = TRAIN.join(", "), test = TEST.join(", "), walls = WALLS.join(", "))]
pub struct UnknownTexture(pub String);

/// One texture: a function of the position on the surface.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Texture {
    kind: Kind,
    seed: u32,
    rotation: (f32, f32),
    offset: (f32, f32),
    /// 1 / feature size in metres.
    per_size: f32,
    contrast: f32,
}

impl Texture {
    /// The texture `name` as the seed has it.
    ///
    /// # Errors
    /// [`UnknownTexture`] for a name that nobody draws.
    pub fn new(name: &str, seed: u64) -> Result<Self, UnknownTexture> {
        let range = range(name).ok_or_else(|| UnknownTexture(name.to_owned()))?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draw = |(lo, hi): (f32, f32)| lo + (hi - lo) * rng.random::<f32>();
        let angle = draw((0.0, std::f32::consts::TAU));
        Ok(Self {
            kind: range.kind,
            rotation: (angle.cos(), angle.sin()),
            offset: (draw((0.0, 64.0)), draw((0.0, 64.0))),
            per_size: 1.0 / draw(range.size),
            contrast: draw(range.contrast),
            seed: rng.random(),
        })
    }

    /// What the albedo is multiplied by at (`u`, `v`) metres on the surface, where
    /// a pixel is `footprint` metres wide. At least 0.02.
    pub fn factor(&self, u: f32, v: f32, footprint: f32) -> f32 {
        let (c, s) = self.rotation;
        let inv = self.per_size;
        let x = (c * u - s * v) * inv + self.offset.0;
        let y = (s * u + c * v) * inv + self.offset.1;
        let value = self.value(x, y, footprint * inv);
        (1.0 + self.contrast * value).max(0.02)
    }

    /// The pattern, about -1 to 1, in units of the feature size; `w` is the width
    /// of a pixel in these units.
    fn value(&self, x: f32, y: f32, w: f32) -> f32 {
        let seed = self.seed;
        match self.kind {
            Kind::Plain => noise(x, y, w, seed),
            Kind::Wood => {
                // Grain: noise drawn out along x, over slow bands that wander.
                let wander = noise(0.06 * x, 0.25 * y, 0.25 * w, seed ^ 1);
                let grain = noise(0.08 * x, y + 2.0 * wander, w, seed);
                let band = wave(0.2 * y + 1.2 * wander, 0.2 * w, 0.5, 0.5);
                0.7 * grain + 0.3 * band
            }
            Kind::FineNoise => {
                0.7 * noise(x, y, w, seed) + 0.5 * noise(2.1 * x, 2.1 * y, 2.1 * w, seed ^ 1)
            }
            Kind::Stripes => wave(y, w, 0.5, 0.12),
            Kind::Speckle => spots(x, y, w, seed, (0.04, 0.16), 0.4),
            Kind::Concrete => octaves(x, y, w, seed, 4),
            Kind::Dots => {
                let (dx, dy) = (from_nearest(x), from_nearest(y));
                disc((dx * dx + dy * dy).sqrt(), 0.22, w) - 0.15
            }
            Kind::Gradient => {
                // A soft shade as of a lamp that is out of view, plus faint noise.
                0.8 * (2.2 * y).sin() + 0.06 * noise(30.0 * x, 30.0 * y, 30.0 * w, seed)
            }
            Kind::Weave => {
                // Threads over and under, alternately.
                let over = (floor(x) ^ floor(y)) & 1 == 0;
                let across = if over { x } else { y } - 0.5;
                let bulge = 1.0 - 8.0 * from_nearest(across).powi(2);
                bulge * fade(w) - 0.33 * fade(w)
            }
            Kind::Checker => wave(0.5 * x, 0.5 * w, 0.5, 0.0) * wave(0.5 * y, 0.5 * w, 0.5, 0.0),
            Kind::Marble => {
                let warp = octaves(x, y, w, seed, 3);
                let vein = (0.7 * x + 1.8 * warp).sin().abs();
                0.5 * warp + 0.6 - 1.2 * (1.0 - vein).powi(4).min(1.0)
            }
            Kind::Gravel => {
                // Patches light and dark, with edges in every direction.
                let height =
                    noise(x, y, w, seed) + 0.6 * noise(2.1 * x, 2.1 * y, 2.1 * w, seed ^ 1);
                (4.0 * height).clamp(-1.0, 1.0)
            }
            Kind::Tiles => {
                // Tiles of slightly different shades between narrow dark joints.
                let shade = lattice(floor(x), floor(y), seed);
                let joint = wave(x, w, 0.94, 0.0).min(wave(y, w, 0.94, 0.0));
                0.15 * shade + 0.5 * joint - 0.35
            }
        }
    }
}

/// A table top of the texture `name`, its colour varied by the seed as well.
///
/// # Errors
/// [`UnknownTexture`] for a name that is not in [`TRAIN`] or [`TEST`].
pub fn table_material(name: &str, seed: u64) -> Result<Material, UnknownTexture> {
    let texture = Texture::new(name, seed)?;
    let base = range(name)
        .ok_or_else(|| UnknownTexture(name.to_owned()))?
        .albedo;
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(1);
    let lightness = 0.7 + 0.6 * rng.random::<f32>();
    let albedo = base.map(|c| (c * lightness * (0.95 + 0.1 * rng.random::<f32>())).min(0.95));
    Ok(Material {
        albedo,
        texture: Some(texture),
        specular: 0.0,
    })
}

/// Attenuation of features one unit wide under a pixel `w` wide: full until a
/// quarter, none from one.
fn fade(w: f32) -> f32 {
    ((1.0 - w) * (4.0 / 3.0)).clamp(0.0, 1.0)
}

/// Multipliers of a lattice point's coordinates in its hash.
const HASH: (u32, u32) = (0x9E37_79B1, 0x85EB_CA77);

/// Uniform in -1 to 1 from the sum of a lattice point's multiplied coordinates.
fn scatter(mut h: u32) -> f32 {
    h = (h ^ (h >> 15)).wrapping_mul(0x2C1B_3C6D);
    h = (h ^ (h >> 12)).wrapping_mul(0x297A_2D39);
    h as i32 as f32 * (1.0 / 2_147_483_648.0)
}

/// Uniform in -1 to 1, for a lattice point.
fn lattice(x: i32, y: i32, seed: u32) -> f32 {
    let x = (x as u32).wrapping_mul(HASH.0);
    let y = (y as u32).wrapping_mul(HASH.1);
    scatter(x.wrapping_add(y).wrapping_add(seed))
}

/// The integer below, without a call into the C library.
#[inline]
fn floor(x: f32) -> i32 {
    let towards_zero = x as i32;
    towards_zero.wrapping_sub(i32::from(towards_zero as f32 > x))
}

/// `x` less the nearest integer.
fn from_nearest(x: f32) -> f32 {
    x - floor(x + 0.5) as f32
}

/// Value noise on the unit lattice, faded out where pixels are too wide for it.
#[inline]
fn noise(x: f32, y: f32, w: f32, seed: u32) -> f32 {
    let amount = fade(0.5 * w);
    if amount <= 0.0 {
        return 0.0;
    }
    let (ix, iy) = (floor(x), floor(y));
    let (fx, fy) = (ix as f32, iy as f32);
    let smooth = |t: f32| t * t * (3.0 - 2.0 * t);
    let (sx, sy) = (smooth(x - fx), smooth(y - fy));
    let mix = |a: f32, b: f32, s: f32| a + (b - a) * s;
    let corner = (ix as u32)
        .wrapping_mul(HASH.0)
        .wrapping_add((iy as u32).wrapping_mul(HASH.1))
        .wrapping_add(seed);
    let below = corner.wrapping_add(HASH.1);
    let edge = |h: u32| mix(scatter(h), scatter(h.wrapping_add(HASH.0)), sx);
    let (top, bottom) = (edge(corner), edge(below));
    mix(top, bottom, sy) * amount
}

/// Octaves of value noise, each twice as fine and 0.6 times as strong.
fn octaves(x: f32, y: f32, w: f32, seed: u32, count: u32) -> f32 {
    let (mut sum, mut scale, mut strength) = (0.0, 1.0, 0.6);
    for octave in 0..count {
        sum += strength * noise(scale * x, scale * y, scale * w, seed ^ octave);
        scale *= 2.03;
        strength *= 0.6;
    }
    1.3 * sum
}

/// A square wave of period 1, +1 for the part `duty` and -1 for the rest, with
/// edges as wide as a pixel (`w`) or `soft`, whichever is wider.
fn wave(x: f32, w: f32, duty: f32, soft: f32) -> f32 {
    let from_middle = from_nearest(x).abs();
    let edge = (0.5 * duty - from_middle) / (0.5 * w.max(soft).max(1e-6));
    let mean = 2.0 * duty - 1.0;
    mean + (edge.clamp(-1.0, 1.0) - mean) * fade(w)
}

/// 1 inside of a circle, 0 outside, for a point `r` from its centre.
fn disc(r: f32, radius: f32, w: f32) -> f32 {
    ((radius - r) / w.max(1e-6) + 0.5).clamp(0.0, 1.0) * fade(w)
}

/// Spots, one per cell at most, of random place, size and sign.
fn spots(x: f32, y: f32, w: f32, seed: u32, radius: (f32, f32), share: f32) -> f32 {
    let (ix, iy) = (floor(x), floor(y));
    let (fx, fy) = (ix as f32, iy as f32);
    let draw = |k: u32| 0.5 + 0.5 * lattice(ix, iy, seed ^ k);
    if draw(1) > share {
        return 0.0;
    }
    let r = radius.0 + (radius.1 - radius.0) * draw(2);
    // The spot stays inside of its cell.
    let place = |k: u32| r + (1.0 - 2.0 * r) * draw(k);
    let (dx, dy) = (x - fx - place(3), y - fy - place(4));
    let distance = (dx * dx + dy * dy).sqrt();
    let sign = if draw(5) < 0.7 { -1.0 } else { 1.0 };
    sign * disc(distance, r, w)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> impl Iterator<Item = &'static str> {
        TRAIN.into_iter().chain(TEST).chain(WALLS).chain([GROUND])
    }

    #[test]
    fn every_name_gives_a_texture_and_no_name_is_both_train_and_test() {
        for name in all() {
            Texture::new(name, 1).unwrap();
        }
        assert!(TEST.iter().all(|name| !TRAIN.contains(name)));
        let error = Texture::new("velvet", 1).unwrap_err();
        assert!(error.to_string().contains("velvet") && error.to_string().contains("concrete"));
    }

    #[test]
    fn factors_stay_in_bounds_and_have_a_mean_near_one() {
        for name in all() {
            let (mut sum, mut lo, mut hi) = (0.0, f32::INFINITY, 0f32);
            for seed in 0..16 {
                let t = Texture::new(name, seed).unwrap();
                for i in 0..10_000 {
                    let (u, v) = ((i % 100) as f32 * 0.0047, (i / 100) as f32 * 0.0051);
                    let f = t.factor(u, v, 0.001);
                    sum += f64::from(f);
                    lo = lo.min(f);
                    hi = hi.max(f);
                }
            }
            let mean = sum / 160_000.0;
            assert!((mean - 1.0).abs() < 0.1, "{name}: mean {mean}");
            assert!(lo > 0.3 && hi < 1.7, "{name}: {lo} to {hi}");
        }
    }

    #[test]
    fn seeds_differ_and_repeat() {
        for name in all() {
            let a = Texture::new(name, 1).unwrap();
            assert_eq!(a, Texture::new(name, 1).unwrap());
            assert_ne!(a, Texture::new(name, 2).unwrap());
            assert_ne!(table_material(name, 1), table_material(name, 2));
        }
    }

    #[test]
    fn wide_pixels_see_no_fine_pattern() {
        for name in [
            "fine_noise",
            "stripes",
            "dots",
            "weave",
            "checker",
            "speckle",
        ] {
            let t = Texture::new(name, 3).unwrap();
            let values: Vec<f32> = (0..100)
                .map(|i| t.factor(i as f32 * 0.013, 0.4, 0.5))
                .collect();
            let spread = values
                .iter()
                .fold(0f32, |s, v| s.max((v - values[0]).abs()));
            assert!(spread < 1e-3, "{name}: {spread}");
        }
    }
}
