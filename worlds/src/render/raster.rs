//! The row-by-row rasteriser and the shading of what it finds.

use super::geometry::{hit, in_camera, lowest, shadow_rect, shape_rect};
use super::{Camera, Light, NEAR, Pose, Rect, Scene, Shape, Visual, luminance};
use crate::textures::Texture;
use glam::{Mat3, Vec3};

/// Offsets of the samples from the centre of a pixel: a rotated grid, each sample
/// alone in its row and its column of a 4×4 grid.
const SAMPLES: [(f32, f32); 4] = [
    (-0.125, -0.375),
    (0.375, -0.125),
    (0.125, 0.375),
    (-0.375, 0.125),
];

/// The sample hit nothing.
const NOTHING: u32 = u32::MAX;

/// Exponent of the highlight, as a number of squarings: 2^5 = 32.
const HIGHLIGHT_SQUARINGS: u32 = 5;

/// Buffers that are kept from one image to the next. One per camera and thread.
#[derive(Debug, Default)]
pub struct Scratch {
    prims: Vec<Prim>,
    casters: Vec<Caster>,
    depth: [Vec<f32>; 4],
    key: [Vec<u32>; 4],
    row_casters: Vec<Caster>,
    row_luminance: Vec<f32>,
    row_rgb: Vec<Vec3>,
    nearest: f32,
}

impl Scratch {
    /// Depth (z, metres) of the closest surface in what was rendered last;
    /// infinite where nothing was hit.
    pub fn nearest(&self) -> f32 {
        self.nearest
    }
}

/// A value that shading is done in: luminance alone, or a colour.
pub(super) trait Tone:
    Copy + Default + std::ops::Add<Output = Self> + std::ops::Mul<f32, Output = Self>
{
    fn from_rgb(rgb: [f32; 3]) -> Self;
    fn grey(value: f32) -> Self;
    fn albedo(prim: &Prim) -> Self;
    fn row(scratch: &mut Scratch) -> &mut Vec<Self>;
}

impl Tone for f32 {
    fn from_rgb(rgb: [f32; 3]) -> Self {
        luminance(rgb)
    }
    fn grey(value: f32) -> Self {
        value
    }
    fn albedo(prim: &Prim) -> Self {
        prim.albedo_luminance
    }
    fn row(scratch: &mut Scratch) -> &mut Vec<Self> {
        &mut scratch.row_luminance
    }
}

impl Tone for Vec3 {
    fn from_rgb(rgb: [f32; 3]) -> Self {
        rgb.into()
    }
    fn grey(value: f32) -> Self {
        Self::splat(value)
    }
    fn albedo(prim: &Prim) -> Self {
        prim.albedo
    }
    fn row(scratch: &mut Scratch) -> &mut Vec<Self> {
        &mut scratch.row_rgb
    }
}

/// A primitive as seen by the camera of this image. The ray through image point
/// (x, y) is `origin + t (ray0 + x ray_x + y ray_y)` in the primitive's own frame,
/// and t is the depth along the optical axis.
#[derive(Clone, Debug)]
pub(super) struct Prim {
    shape: Shape,
    rect: Option<Rect>,
    origin: Vec3,
    ray0: Vec3,
    ray_x: Vec3,
    ray_y: Vec3,
    /// Unit vector towards the light, in the primitive's frame.
    to_light: Vec3,
    albedo: Vec3,
    albedo_luminance: f32,
    specular: f32,
    texture: Option<Texture>,
}

/// A primitive whose shadow may fall on columns `x0..x1` of rows `y0..y1`.
#[derive(Clone, Copy, Debug)]
struct Caster {
    prim: usize,
    rect: Rect,
    radius: f32,
}

impl Prim {
    fn new(visual: &Visual, light: &Light, camera: &Camera, camera_pose: &Pose) -> Self {
        let (axes, centre) = in_camera(&visual.pose, camera_pose);
        let to_local: Mat3 = axes.transpose();
        let ray_x = to_local.x_axis / camera.fx;
        let ray_y = to_local.y_axis / camera.fy;
        let material = &visual.material;
        Self {
            shape: visual.shape,
            rect: shape_rect(&visual.shape, &visual.pose, camera, camera_pose),
            origin: -(to_local * centre),
            ray0: to_local.z_axis - ray_x * camera.cx - ray_y * camera.cy,
            ray_x,
            ray_y,
            to_light: visual.pose.q.conjugate() * -light.direction.normalize_or(Vec3::NEG_Z),
            albedo: material.albedo.into(),
            albedo_luminance: luminance(material.albedo),
            specular: material.specular,
            texture: material.texture,
        }
    }

    fn ray(&self, x: f32, y: f32) -> Vec3 {
        self.ray0 + self.ray_x * x + self.ray_y * y
    }

    /// Outward unit normal at `p` on the given face, in the primitive's frame.
    fn normal(&self, p: Vec3, face: u32) -> Vec3 {
        match (self.shape, face) {
            (Shape::Sphere { .. }, _) => p.normalize_or(Vec3::Z),
            (Shape::Box { .. }, 0) => Vec3::new(1f32.copysign(p.x), 0.0, 0.0),
            (Shape::Box { .. }, 1) => Vec3::new(0.0, 1f32.copysign(p.y), 0.0),
            (Shape::Box { .. } | Shape::Cylinder { .. }, _) if face > 0 => {
                Vec3::new(0.0, 0.0, 1f32.copysign(p.z))
            }
            (Shape::Capsule { half_length, .. }, _) => {
                (p - Vec3::Z * p.z.clamp(-half_length, half_length)).normalize_or(Vec3::X)
            }
            (Shape::Plane, _) => Vec3::Z,
            _ => Vec3::new(p.x, p.y, 0.0).normalize_or(Vec3::X),
        }
    }

    /// Texture factor at `p`; `footprint` is the size of a pixel there in metres.
    fn texture(&self, p: Vec3, face: u32, footprint: f32) -> f32 {
        let Some(texture) = &self.texture else {
            return 1.0;
        };
        let (u, v) = match (self.shape, face) {
            (Shape::Box { .. }, 0) => (p.y, p.z),
            (Shape::Box { .. }, 1) => (p.x, p.z),
            (Shape::Sphere { radius }, _) => (p.y.atan2(p.x) * radius, p.z),
            (Shape::Cylinder { radius, .. }, 0) | (Shape::Capsule { radius, .. }, _) => {
                (p.y.atan2(p.x) * radius, p.z)
            }
            _ => (p.x, p.y),
        };
        texture.factor(u, v, footprint)
    }
}

/// Renders `region` and hands each finished row to `emit(x0, y, values)`.
pub(super) fn render<T: Tone>(
    scene: &Scene,
    camera: &Camera,
    camera_pose: &Pose,
    region: Option<Rect>,
    scratch: &mut Scratch,
    mut emit: impl FnMut(usize, usize, &[T]),
) {
    let full = camera.full();
    scratch.nearest = f32::INFINITY;
    let Some(region) = region.unwrap_or(full).intersection(full) else {
        return;
    };
    scratch.prepare(scene, camera, camera_pose, region);
    let width = (region.x1 - region.x0) as usize;
    let mut row = std::mem::take(T::row(scratch));
    row.resize(width, T::default());
    for y in region.y0..region.y1 {
        scratch.cast_row(y, region);
        scratch.row_casters.clear();
        scratch.row_casters.extend(
            scratch
                .casters
                .iter()
                .filter(|c| (c.rect.y0..c.rect.y1).contains(&y)),
        );
        let shader = Shader {
            prims: &scratch.prims,
            casters: &scratch.row_casters,
            light: &scene.light,
            sky: T::from_rgb(scene.sky),
            pixel: 1.0 / camera.fx.min(camera.fy),
        };
        for (i, value) in row.iter_mut().enumerate() {
            let depth = std::array::from_fn(|s| scratch.depth[s][i]);
            let key = std::array::from_fn(|s| scratch.key[s][i]);
            *value = shader.pixel(region.x0 + i as u32, y, key, depth);
        }
        emit(region.x0 as usize, y as usize, &row);
    }
    *T::row(scratch) = row;
}

impl Scratch {
    fn prepare(&mut self, scene: &Scene, camera: &Camera, camera_pose: &Pose, region: Rect) {
        let light = &scene.light;
        let floor = lowest(scene.visuals.iter().map(|v| (&v.shape, &v.pose)));
        let clip = |rect: Option<Rect>| rect.and_then(|r| r.intersection(region));
        self.prims.clear();
        self.casters.clear();
        for (prim, visual) in scene.visuals.iter().enumerate() {
            let mut p = Prim::new(visual, light, camera, camera_pose);
            p.rect = clip(p.rect);
            self.prims.push(p);
            let (shape, pose) = (&visual.shape, &visual.pose);
            let rect = clip(shadow_rect(shape, pose, light, floor, camera, camera_pose));
            if let (Some(rect), Some(radius)) = (rect, shape.bounding_radius()) {
                self.casters.push(Caster { prim, rect, radius });
            }
        }
        let width = (region.x1 - region.x0) as usize;
        self.depth.iter_mut().for_each(|d| d.resize(width, 0.0));
        self.key.iter_mut().for_each(|k| k.resize(width, 0));
    }

    /// Finds the nearest face at each of the samples of row `y`.
    fn cast_row(&mut self, y: u32, region: Rect) {
        self.depth.iter_mut().for_each(|d| d.fill(f32::INFINITY));
        self.key.iter_mut().for_each(|k| k.fill(NOTHING));
        for (index, prim) in self.prims.iter().enumerate() {
            let Some(rect) = prim.rect.filter(|r| (r.y0..r.y1).contains(&y)) else {
                continue;
            };
            let columns = (rect.x0 - region.x0) as usize..(rect.x1 - region.x0) as usize;
            for (s, (dx, dy)) in SAMPLES.into_iter().enumerate() {
                let first = prim.ray(rect.x0 as f32 + dx, y as f32 + dy);
                let depth = &mut self.depth[s][columns.clone()];
                let key = &mut self.key[s][columns.clone()];
                prim.cast(first, (index as u32) << 2, depth, key);
            }
        }
        for depth in &self.depth {
            let row = depth
                .iter()
                .fold(f32::INFINITY, |a, &b| if b < a { b } else { a });
            self.nearest = self.nearest.min(row);
        }
    }
}

impl Prim {
    /// Merges this primitive's hits along a row into `depth` and `key`.
    fn cast(&self, first: Vec3, tag: u32, depth: &mut [f32], key: &mut [u32]) {
        let (o, step) = (self.origin, self.ray_x);
        match self.shape {
            Shape::Box { half } => {
                merge(first, step, tag, depth, key, |d| hit::cuboid(o, d, half));
            }
            Shape::Sphere { radius } => {
                merge(first, step, tag, depth, key, |d| hit::sphere(o, d, radius));
            }
            Shape::Cylinder {
                radius,
                half_length,
            } => merge(first, step, tag, depth, key, |d| {
                hit::cylinder(o, d, radius, half_length)
            }),
            Shape::Capsule {
                radius,
                half_length,
            } => merge(first, step, tag, depth, key, |d| {
                hit::capsule(o, d, radius, half_length)
            }),
            Shape::Plane => merge(first, step, tag, depth, key, |d| hit::plane(o, d)),
        }
    }
}

#[inline(always)]
fn merge(
    first: Vec3,
    step: Vec3,
    tag: u32,
    depth: &mut [f32],
    key: &mut [u32],
    hit: impl Fn(Vec3) -> (f32, u32),
) {
    for (i, (depth, key)) in depth.iter_mut().zip(key).enumerate() {
        let (t, face) = hit(first + step * (i as i32 as f32));
        let closer = t > NEAR && t < *depth;
        *depth = if closer { t } else { *depth };
        *key = if closer { tag | face } else { *key };
    }
}

struct Shader<'a, T> {
    prims: &'a [Prim],
    casters: &'a [Caster],
    light: &'a Light,
    sky: T,
    /// Angular size of a pixel, in radians.
    pixel: f32,
}

impl<T: Tone> Shader<'_, T> {
    fn pixel(&self, x: u32, y: u32, key: [u32; 4], depth: [f32; 4]) -> T {
        let points = SAMPLES.map(|(dx, dy)| (x as f32 + dx, y as f32 + dy));
        if key == [NOTHING; 4] {
            return self.sky;
        }
        if key == [key[0]; 4] {
            let centre = (x as f32, y as f32);
            let mean_depth = 0.25 * depth.iter().sum::<f32>();
            return self.shade(x, key[0], centre, mean_depth, || {
                let lit = (0..4).filter(|&s| self.lit(x, key[s] >> 2, points[s], depth[s]));
                0.25 * lit.count() as f32
            });
        }
        let mut sum = T::default();
        for s in 0..4 {
            let value = if key[s] == NOTHING {
                self.sky
            } else {
                self.shade(x, key[s], points[s], depth[s], || {
                    f32::from(u8::from(self.lit(x, key[s] >> 2, points[s], depth[s])))
                })
            };
            sum = sum + value * 0.25;
        }
        sum
    }

    /// The light from face `key` at image point `at` and the given depth;
    /// `visible` tells which part of the directional light arrives.
    fn shade(&self, x: u32, key: u32, at: (f32, f32), depth: f32, visible: impl Fn() -> f32) -> T {
        let (prim, face) = (&self.prims[(key >> 2) as usize], key & 3);
        let ray = prim.ray(at.0, at.1);
        let p = prim.origin + ray * depth;
        let normal = prim.normal(p, face);
        let incidence = normal.dot(prim.to_light);
        let reached = if incidence <= 0.0 {
            0.0
        } else if self.shaded_column(x) {
            visible()
        } else {
            1.0
        };
        let direct = self.light.intensity * reached;
        let mut irradiance = self.light.ambient + direct * incidence.max(0.0);
        if prim.texture.is_some() {
            let cos = (normal.dot(ray) / ray.length()).abs().max(0.05);
            let footprint = depth * self.pixel / cos.sqrt();
            irradiance *= prim.texture(p, face, footprint);
        }
        let diffuse = T::albedo(prim) * irradiance;
        if prim.specular > 0.0 && direct > 0.0 {
            let half = (prim.to_light - ray.normalize()).normalize_or(normal);
            let mut lobe = normal.dot(half).max(0.0);
            for _ in 0..HIGHLIGHT_SQUARINGS {
                lobe *= lobe;
            }
            return diffuse + T::grey(prim.specular * direct * lobe);
        }
        diffuse
    }

    fn shaded_column(&self, x: u32) -> bool {
        self.casters
            .iter()
            .any(|c| (c.rect.x0..c.rect.x1).contains(&x))
    }

    /// Whether nothing stands between the light and the point of primitive
    /// `receiver` seen at image point `at`. Primitives are convex: none shadows
    /// itself where it faces the light.
    fn lit(&self, x: u32, receiver: u32, at: (f32, f32), depth: f32) -> bool {
        !self.casters.iter().any(|caster| {
            if caster.prim == receiver as usize || !(caster.rect.x0..caster.rect.x1).contains(&x) {
                return false;
            }
            let prim = &self.prims[caster.prim];
            let p = prim.origin + prim.ray(at.0, at.1) * depth;
            let towards = -p.dot(prim.to_light);
            let off_axis = p.dot(p) - towards * towards;
            towards > -caster.radius
                && off_axis < caster.radius * caster.radius
                && prim.shape.blocks(p, prim.to_light)
        })
    }
}
