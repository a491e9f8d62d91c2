//! A ray-cast renderer for scenes made of a few dozen primitives.
//!
//! Made for event cameras: what counts is that edges move smoothly from one
//! sample to the next and that a 128×128 view of a table with an arm over it
//! costs well under a millisecond, not that the picture is pretty.
//!
//! * Each pixel is sampled at four points of a rotated grid, so that a straight
//!   edge passes through five grey levels whatever its direction. Surfaces are
//!   shaded once per pixel where all four samples hit the same face, and once
//!   per sample elsewhere.
//! * Primitives are culled by the rectangle they cover on the screen; rays are
//!   tested only inside of it, row by row, against a depth buffer of one row.
//! * Light: one directional light, a Lambert term, an ambient term, a small
//!   Blinn-Phong highlight, and hard shadows that every primitive but a
//!   [`Shape::Plane`] casts.
//! * Luminance is linear: 1.0 is a white diffuse surface at irradiance 1.
//!
//! # Limits
//!
//! No meshes, no reflections, no transparency, no inter-reflection, no lens
//! distortion, no motion blur. Only surfaces seen from outside are drawn: a
//! camera inside a box does not see the box. Surfaces closer than
//! [`NEAR`] are not seen.
//!
//! ```
//! use saccade_worlds::render::*;
//! use glam::{Quat, Vec3};
//!
//! let ball = Visual {
//!     shape: Shape::Sphere { radius: 0.1 },
//!     pose: Pose { p: Vec3::new(0.0, 0.0, 1.0), q: Quat::IDENTITY },
//!     material: Material::matt([0.8, 0.1, 0.1]),
//!     body: 0,
//!     shadow: true,
//! };
//! let scene = Scene { visuals: vec![ball], light: Light::default(), sky: [0.5; 3] };
//! let camera = Camera::from_horizontal_fov(32, 32, 0.5);
//! let mut image = vec![0.0; 32 * 32];
//! render_luminance(&scene, &camera, &Pose::IDENTITY, None, &mut Scratch::default(), &mut image)?;
//! assert!(image[16 * 32 + 16] != image[0], "the ball is in the middle");
//! # Ok::<(), RenderError>(())
//! ```

mod geometry;
mod raster;
mod shade;

pub(crate) use geometry::{covered_rect, lowest, shape_rect};
pub use raster::Scratch;

use crate::textures::Texture;
use glam::{Quat, Vec3};

/// Surfaces closer to the camera than this are not seen, in metres of depth.
pub const NEAR: f32 = 0.01;

/// The most pixels along one side of an image.
pub const MAX_SIDE: u32 = 8192;

/// A rigid pose: rotate by `q`, then translate by `p` (metres).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    /// Translation in metres.
    pub p: Vec3,
    /// Rotation, a unit quaternion.
    pub q: Quat,
}

impl Default for Pose {
    fn default() -> Self {
        Self::IDENTITY
    }
}

impl Pose {
    /// No translation, no rotation.
    pub const IDENTITY: Self = Self {
        p: Vec3::ZERO,
        q: Quat::IDENTITY,
    };

    /// A pose at `eye` whose optical axis (z) points at `target`, with the image's
    /// x axis horizontal (world z up). Looking straight up or down, x is world x.
    pub fn looking_at(eye: Vec3, target: Vec3) -> Self {
        let z = (target - eye).normalize_or(Vec3::X);
        let x = z.cross(Vec3::Z).normalize_or(Vec3::X);
        let y = z.cross(x);
        let q = Quat::from_mat3(&glam::Mat3::from_cols(x, y, z)).normalize();
        Self { p: eye, q }
    }

    /// The point `local`, given in this pose's frame, in the parent's frame.
    pub fn apply(&self, local: Vec3) -> Vec3 {
        self.p + self.q * local
    }

    /// The pose `local`, given in this pose's frame, in the parent's frame.
    pub fn compose(&self, local: &Self) -> Self {
        Self {
            p: self.apply(local.p),
            q: self.q * local.q,
        }
    }

    /// Between `self` (`s` = 0) and `other` (`s` = 1): linear in position,
    /// spherical in rotation.
    pub fn interpolate(&self, other: &Self, s: f32) -> Self {
        Self {
            p: self.p.lerp(other.p, s),
            q: self.q.slerp(other.q, s),
        }
    }

    /// Whether all seven numbers are finite.
    pub fn is_finite(&self) -> bool {
        self.p.is_finite() && self.q.is_finite()
    }
}

/// A convex primitive, centred on its frame's origin; lengths in metres.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Shape {
    /// A box with half edge lengths `half`.
    Box {
        /// Half edge lengths along x, y, z.
        half: Vec3,
    },
    /// A sphere.
    Sphere {
        /// Radius.
        radius: f32,
    },
    /// A cylinder with flat ends along z.
    Cylinder {
        /// Radius.
        radius: f32,
        /// Half of the length.
        half_length: f32,
    },
    /// A cylinder along z with half spheres on its ends.
    Capsule {
        /// Radius of the cylinder and the half spheres.
        radius: f32,
        /// Half of the length of the cylindrical part.
        half_length: f32,
    },
    /// The infinite plane z = 0, seen from z > 0. Casts no shadow.
    Plane,
}

/// How a surface looks.
#[derive(Clone, Debug, PartialEq)]
pub struct Material {
    /// Diffuse reflectance (linear red, green, blue), 0 to 1.
    pub albedo: [f32; 3],
    /// Multiplies the albedo.
    pub texture: Option<Texture>,
    /// Strength of the highlight, 0 for none.
    pub specular: f32,
}

impl Material {
    /// A matt surface without texture.
    pub const fn matt(albedo: [f32; 3]) -> Self {
        Self {
            albedo,
            texture: None,
            specular: 0.0,
        }
    }
}

/// One primitive of a scene.
#[derive(Clone, Debug, PartialEq)]
pub struct Visual {
    /// Its shape.
    pub shape: Shape,
    /// Where it is in the world.
    pub pose: Pose,
    /// How it looks.
    pub material: Material,
    /// Which rigid body it belongs to (the renderer does not use it).
    pub body: u32,
    /// Whether it casts a shadow.
    pub shadow: bool,
}

/// A directional light and an ambient one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Light {
    /// The direction in which the light travels (need not be normalised).
    pub direction: Vec3,
    /// Irradiance on a surface that faces the light.
    pub intensity: f32,
    /// Irradiance from everywhere.
    pub ambient: f32,
}

impl Default for Light {
    /// From above and to one side, 0.7 direct and 0.3 ambient.
    fn default() -> Self {
        Self {
            direction: Vec3::new(-0.3, 0.4, -1.0),
            intensity: 0.7,
            ambient: 0.3,
        }
    }
}

/// A pinhole camera. Optical frame: x right, y down, z forward;
/// u = fx X/Z + cx, and integer (u, v) are the centres of pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Camera {
    /// Image width in pixels.
    pub width: u32,
    /// Image height in pixels.
    pub height: u32,
    /// Focal length in pixels, horizontal.
    pub fx: f32,
    /// Focal length in pixels, vertical.
    pub fy: f32,
    /// Principal point, horizontal, in pixels.
    pub cx: f32,
    /// Principal point, vertical, in pixels.
    pub cy: f32,
}

impl Camera {
    /// Square pixels, principal point in the middle, `fov` radians from the left
    /// edge of the image to the right edge.
    pub fn from_horizontal_fov(width: u32, height: u32, fov: f32) -> Self {
        let f = 0.5 * width as f32 / (0.5 * fov).tan();
        Self {
            width,
            height,
            fx: f,
            fy: f,
            cx: 0.5 * (width as f32 - 1.0),
            cy: 0.5 * (height as f32 - 1.0),
        }
    }

    /// Number of pixels.
    pub fn pixels(&self) -> usize {
        self.width as usize * self.height as usize
    }

    /// The whole image.
    pub fn full(&self) -> Rect {
        Rect {
            x0: 0,
            y0: 0,
            x1: self.width,
            y1: self.height,
        }
    }

    /// Checks what a world file can get wrong.
    ///
    /// # Errors
    /// [`RenderError::Camera`] for sides of 0 or above [`MAX_SIDE`], focal lengths
    /// that are not positive, or numbers that are not finite.
    pub fn validate(&self) -> Result<(), RenderError> {
        let side = |s: u32| (1..=MAX_SIDE).contains(&s);
        let focal = |f: f32| f.is_finite() && f > 0.0;
        let ok = side(self.width)
            && side(self.height)
            && focal(self.fx)
            && focal(self.fy)
            && self.cx.is_finite()
            && self.cy.is_finite();
        ok.then_some(()).ok_or(RenderError::Camera(*self))
    }
}

/// A rectangle of pixels, from (`x0`, `y0`) to before (`x1`, `y1`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    /// First column.
    pub x0: u32,
    /// First row.
    pub y0: u32,
    /// One past the last column.
    pub x1: u32,
    /// One past the last row.
    pub y1: u32,
}

impl Rect {
    /// The smallest rectangle around both.
    pub fn union(self, other: Self) -> Self {
        Self {
            x0: self.x0.min(other.x0),
            y0: self.y0.min(other.y0),
            x1: self.x1.max(other.x1),
            y1: self.y1.max(other.y1),
        }
    }

    /// What both have in common, if anything.
    pub fn intersection(self, other: Self) -> Option<Self> {
        let r = Self {
            x0: self.x0.max(other.x0),
            y0: self.y0.max(other.y0),
            x1: self.x1.min(other.x1),
            y1: self.y1.min(other.y1),
        };
        (r.x0 < r.x1 && r.y0 < r.y1).then_some(r)
    }

    /// Whether all of `other` lies in this one.
    pub fn contains(&self, other: &Self) -> bool {
        self.x0 <= other.x0 && self.y0 <= other.y0 && self.x1 >= other.x1 && self.y1 >= other.y1
    }

    /// Number of pixels.
    pub fn area(&self) -> u64 {
        u64::from(self.x1.saturating_sub(self.x0)) * u64::from(self.y1.saturating_sub(self.y0))
    }
}

/// What is drawn: primitives, light and the luminance where there is nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct Scene {
    /// The primitives.
    pub visuals: Vec<Visual>,
    /// The light.
    pub light: Light,
    /// Colour (linear) where no primitive is hit.
    pub sky: [f32; 3],
}

impl Scene {
    /// What differs from the scene `before` other than the poses of visuals, if
    /// anything.
    pub(crate) fn changed_but_poses(&self, before: &Self) -> Option<&'static str> {
        if before.visuals.len() != self.visuals.len() {
            return Some("the list of visuals");
        }
        if (before.light, before.sky) != (self.light, self.sky) {
            return Some("the light");
        }
        let same = |(a, b): (&Visual, &Visual)| {
            a.shape == b.shape && a.material == b.material && a.shadow == b.shadow
        };
        let all = before.visuals.iter().zip(&self.visuals).all(same);
        (!all).then_some("a shape or a material")
    }
}

/// What can be wrong with a request to render.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RenderError {
    /// The camera's numbers make no sense.
    #[error(
        "camera {0:?}: width and height must be 1 to {MAX_SIDE}, fx and fy positive, all finite"
    )]
    Camera(Camera),
    /// The output slice has not one value per pixel (and channel).
    #[error("image buffer has {got} values, the camera's image needs {expected}")]
    BufferSize {
        /// Length of the slice.
        got: usize,
        /// Length it must have.
        expected: usize,
    },
}

/// Relative luminance of a linear colour (ITU-R BT.709).
pub fn luminance(rgb: [f32; 3]) -> f32 {
    0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]
}

/// Renders linear luminance, row by row, into `out` (`width * height` values).
/// With a `region`, only pixels inside of it are written.
///
/// # Errors
/// [`RenderError`] for an impossible camera or a slice of the wrong length.
pub fn render_luminance(
    scene: &Scene,
    camera: &Camera,
    camera_pose: &Pose,
    region: Option<Rect>,
    scratch: &mut Scratch,
    out: &mut [f32],
) -> Result<(), RenderError> {
    check(camera, out.len(), camera.pixels())?;
    let width = camera.width as usize;
    raster::render::<f32>(scene, camera, camera_pose, region, scratch, |x0, y, row| {
        out[y * width + x0..][..row.len()].copy_from_slice(row);
    });
    Ok(())
}

/// As [`render_luminance`] for a camera that stands still: what has not moved since
/// the first call from this pose is kept in `scratch` and not rendered again. The
/// picture is the same, but for surfaces at exactly the same depth.
///
/// # Errors
/// [`RenderError`] for an impossible camera or a slice of the wrong length.
pub fn render_moving_luminance(
    scene: &Scene,
    camera: &Camera,
    camera_pose: &Pose,
    region: Rect,
    scratch: &mut Scratch,
    out: &mut [f32],
) -> Result<(), RenderError> {
    check(camera, out.len(), camera.pixels())?;
    let width = camera.width as usize;
    raster::render_moving::<f32>(scene, camera, camera_pose, region, scratch, |x0, y, row| {
        out[y * width + x0..][..row.len()].copy_from_slice(row);
    });
    Ok(())
}

/// Renders an sRGB-encoded image into `out` (`width * height * 3` bytes, rgb8).
/// With a `region`, only pixels inside of it are written.
///
/// # Errors
/// [`RenderError`] for an impossible camera or a slice of the wrong length.
pub fn render_rgb(
    scene: &Scene,
    camera: &Camera,
    camera_pose: &Pose,
    region: Option<Rect>,
    scratch: &mut Scratch,
    out: &mut [u8],
) -> Result<(), RenderError> {
    check(camera, out.len(), camera.pixels() * 3)?;
    let width = camera.width as usize;
    raster::render::<Vec3>(scene, camera, camera_pose, region, scratch, |x0, y, row| {
        encode(row, &mut out[(y * width + x0) * 3..]);
    });
    Ok(())
}

/// As [`render_rgb`] for a camera that stands still, see [`render_moving_luminance`].
///
/// # Errors
/// [`RenderError`] for an impossible camera or a slice of the wrong length.
pub fn render_moving_rgb(
    scene: &Scene,
    camera: &Camera,
    camera_pose: &Pose,
    scratch: &mut Scratch,
    out: &mut [u8],
) -> Result<(), RenderError> {
    check(camera, out.len(), camera.pixels() * 3)?;
    let (width, full) = (camera.width as usize, camera.full());
    raster::render_moving::<Vec3>(scene, camera, camera_pose, full, scratch, |x0, y, row| {
        encode(row, &mut out[(y * width + x0) * 3..]);
    });
    Ok(())
}

fn encode(row: &[Vec3], bytes: &mut [u8]) {
    for (byte, value) in bytes.chunks_exact_mut(3).zip(row) {
        byte.copy_from_slice(&value.to_array().map(srgb));
    }
}

fn check(camera: &Camera, got: usize, expected: usize) -> Result<(), RenderError> {
    camera.validate()?;
    if got != expected {
        return Err(RenderError::BufferSize { got, expected });
    }
    Ok(())
}

/// The sRGB transfer function (IEC 61966-2-1) from a table of 4096 steps.
fn srgb(linear: f32) -> u8 {
    static TABLE: std::sync::LazyLock<[u8; 4096]> = std::sync::LazyLock::new(|| {
        std::array::from_fn(|i| {
            let c = i as f32 / 4095.0;
            let encoded = if c <= 0.003_130_8 {
                12.92 * c
            } else {
                1.055 * c.powf(1.0 / 2.4) - 0.055
            };
            (255.0 * encoded).round() as u8
        })
    });
    TABLE[(linear.clamp(0.0, 1.0) * 4095.0) as usize]
}

#[cfg(test)]
mod tests;
