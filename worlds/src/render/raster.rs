//! The row-by-row rasteriser: what the samples of a pixel hit, and what may
//! shade it.

use super::geometry::{hit, in_camera, lowest, shadow_rect, shape_rect};
use super::shade::{Run, Shader};
use super::{Camera, Light, NEAR, Pose, Rect, Scene, Shape, Visual, luminance};
use crate::textures::Texture;
use glam::{Mat3, Vec3};
use std::ops::Range;

/// Offsets of the samples from the centre of a pixel: a rotated grid, each sample
/// alone in its row and its column of a 4×4 grid.
pub(super) const SAMPLES: [(f32, f32); 4] = [
    (-0.125, -0.375),
    (0.375, -0.125),
    (0.125, 0.375),
    (-0.375, 0.125),
];

/// The sample hit nothing.
pub(super) const NOTHING: u32 = u32::MAX;

/// Buffers that are kept from one image to the next. One per camera and thread.
#[derive(Debug, Default)]
pub struct Scratch {
    prims: Vec<Prim>,
    casters: Vec<Caster>,
    depth: [Vec<f32>; 4],
    key: [Vec<u32>; 4],
    row_casters: Vec<Caster>,
    /// Mean depth over a pixel's samples where all hit the same face, else NaN.
    mean: Vec<f32>,
    /// Pixels that differ from the backdrop.
    changed: Vec<bool>,
    /// Which of the row's casters (modulo 32) shade a part of a pixel, and which
    /// all of it.
    partly: Vec<u32>,
    wholly: Vec<u32>,
    row_luminance: Vec<f32>,
    row_rgb: Vec<Vec3>,
    backdrop_luminance: Option<Backdrop<f32>>,
    backdrop_rgb: Option<Backdrop<Vec3>>,
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
    fn backdrop(scratch: &mut Scratch) -> &mut Option<Backdrop<Self>>;
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
    fn backdrop(scratch: &mut Scratch) -> &mut Option<Backdrop<Self>> {
        &mut scratch.backdrop_luminance
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
    fn backdrop(scratch: &mut Scratch) -> &mut Option<Backdrop<Self>> {
        &mut scratch.backdrop_rgb
    }
}

/// A primitive as seen by the camera of this image. The ray through image point
/// (x, y) is `origin + t (ray0 + x ray_x + y ray_y)` in the primitive's own frame,
/// and t is the depth along the optical axis.
#[derive(Clone, Debug)]
pub(super) struct Prim {
    pub shape: Shape,
    rect: Option<Rect>,
    pub origin: Vec3,
    ray0: Vec3,
    ray_x: Vec3,
    ray_y: Vec3,
    /// Unit vector towards the light, in the primitive's frame.
    pub to_light: Vec3,
    albedo: Vec3,
    albedo_luminance: f32,
    pub specular: f32,
    pub texture: Option<Texture>,
}

/// A primitive whose shadow may fall inside of `rect`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Caster {
    pub prim: usize,
    rect: Rect,
    pub radius: f32,
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

    pub fn ray(&self, x: f32, y: f32) -> Vec3 {
        self.ray0 + self.ray_x * x + self.ray_y * y
    }

    /// The outward unit normal of a flat face, in the primitive's frame. Of two
    /// opposite faces it is the one on the camera's side that is seen.
    pub fn flat_normal(&self, face: u32) -> Option<Vec3> {
        let towards = |axis: Vec3| axis * 1f32.copysign(axis.dot(self.origin));
        match (self.shape, face) {
            (Shape::Box { .. }, 0) => Some(towards(Vec3::X)),
            (Shape::Box { .. }, 1) => Some(towards(Vec3::Y)),
            (Shape::Box { .. }, _) | (Shape::Cylinder { .. }, 1) => Some(towards(Vec3::Z)),
            (Shape::Plane, _) => Some(Vec3::Z),
            _ => None,
        }
    }

    /// The outward unit normal at `p` on a round face, in the primitive's frame.
    pub fn round_normal(&self, p: Vec3) -> Vec3 {
        let end = match self.shape {
            Shape::Capsule { half_length, .. } => half_length,
            Shape::Cylinder { .. } => f32::INFINITY,
            _ => 0.0,
        };
        // Unlike `clamp`, these take any number.
        (p - Vec3::Z * p.z.max(-end).min(end)).normalize_or(Vec3::Z)
    }

    /// Texture factor at `p`; `footprint` is the size of a pixel there in metres.
    pub fn texture(&self, p: Vec3, face: u32, footprint: f32) -> f32 {
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
    scratch.prepare(scene, camera, camera_pose, region, |_| true);
    let width = (region.x1 - region.x0) as usize;
    let mut row = std::mem::take(T::row(scratch));
    row.resize(width, T::default());
    for y in region.y0..region.y1 {
        scratch.clear_row();
        scratch.cast_row(y, region);
        scratch.finish_row(0..width);
        scratch.shadow_row(y, region, camera);
        scratch.shade(scene, camera, (region.x0, y), 0..width, &mut row);
        emit(region.x0 as usize, y as usize, &row);
    }
    *T::row(scratch) = row;
}

/// As [`render`], for a camera that has not moved since the last
/// call: what does not move is kept from image to image, and only pixels on which
/// a moving primitive or its shadow falls are cast and shaded again.
pub(super) fn render_moving<T: Tone>(
    scene: &Scene,
    camera: &Camera,
    camera_pose: &Pose,
    region: Rect,
    scratch: &mut Scratch,
    mut emit: impl FnMut(usize, usize, &[T]),
) {
    let Some(region) = region.intersection(camera.full()) else {
        scratch.nearest = f32::INFINITY;
        return;
    };
    let mut backdrop = T::backdrop(scratch).take().unwrap_or_default();
    if backdrop.is_outdated(scene, camera, camera_pose) {
        backdrop.take_picture(scene, camera, camera_pose, scratch);
    }
    scratch.nearest = backdrop.nearest;
    scratch.prepare(scene, camera, camera_pose, region, |i| backdrop.moving[i]);
    let mut row = std::mem::take(T::row(scratch));
    for y in region.y0..region.y1 {
        let start = y as usize * camera.width as usize + region.x0 as usize;
        let span = start..start + (region.x1 - region.x0) as usize;
        row.clear();
        row.extend_from_slice(&backdrop.values[span.clone()]);
        if let Some(columns) = scratch.moving_columns(y, region, &backdrop.moving) {
            scratch.load_row(&backdrop, span.start, columns.clone());
            scratch.cast_row(y, region);
            scratch.finish_row(columns.clone());
            scratch.shadow_row(y, region, camera);
            scratch.mark_changed(&backdrop, span.start, columns.clone());
            let mut done = columns.start;
            while done < columns.end {
                let changed = scratch.changed[done];
                let ahead = scratch.changed[done..columns.end].iter();
                let until = done + ahead.take_while(|c| **c == changed).count();
                if changed {
                    scratch.shade(scene, camera, (region.x0, y), done..until, &mut row);
                }
                done = until;
            }
        }
        emit(region.x0 as usize, y as usize, &row);
    }
    *T::row(scratch) = row;
    *T::backdrop(scratch) = Some(backdrop);
}

/// What a still camera sees of the primitives that do not move.
#[derive(Debug, Default)]
pub(super) struct Backdrop<T> {
    /// What it was made from.
    taken: Option<(Scene, Camera, Pose)>,
    /// Which primitives are not in it.
    moving: Vec<bool>,
    depth: [Vec<f32>; 4],
    key: [Vec<u32>; 4],
    values: Vec<T>,
    nearest: f32,
}

impl<T: Tone> Backdrop<T> {
    /// Whether the picture must be taken again; notes which primitives move.
    fn is_outdated(&mut self, scene: &Scene, camera: &Camera, camera_pose: &Pose) -> bool {
        let same_place = |(before, c, p): &&(Scene, Camera, Pose)| {
            (c, p) == (camera, camera_pose) && scene.changed_but_poses(before).is_none()
        };
        let Some((before, _, _)) = self.taken.as_ref().filter(same_place) else {
            self.moving.clear();
            self.moving.resize(scene.visuals.len(), false);
            return true;
        };
        let mut more = false;
        let pairs = before.visuals.iter().zip(&scene.visuals);
        for (moving, (a, b)) in self.moving.iter_mut().zip(pairs) {
            more |= !*moving && a.pose != b.pose;
            *moving |= a.pose != b.pose;
        }
        more
    }

    /// Renders the whole image of what does not move.
    fn take_picture(
        &mut self,
        scene: &Scene,
        camera: &Camera,
        camera_pose: &Pose,
        scratch: &mut Scratch,
    ) {
        let full = camera.full();
        let width = camera.width as usize;
        self.depth.iter_mut().for_each(Vec::clear);
        self.key.iter_mut().for_each(Vec::clear);
        self.values.resize(camera.pixels(), T::default());
        scratch.nearest = f32::INFINITY;
        scratch.prepare(scene, camera, camera_pose, full, |i| !self.moving[i]);
        scratch.casters.retain(|c| !self.moving[c.prim]);
        for y in 0..camera.height {
            scratch.clear_row();
            scratch.cast_row(y, full);
            scratch.finish_row(0..width);
            scratch.shadow_row(y, full, camera);
            let row = &mut self.values[y as usize * width..][..width];
            scratch.shade(scene, camera, (0, y), 0..width, row);
            for s in 0..4 {
                self.depth[s].extend_from_slice(&scratch.depth[s][..width]);
                self.key[s].extend_from_slice(&scratch.key[s][..width]);
            }
        }
        self.nearest = scratch.nearest;
        self.taken = Some((scene.clone(), *camera, *camera_pose));
    }
}

impl Scratch {
    /// Brings primitives and lights into the camera's frame; only those that `cast`
    /// says are looked for, but all may throw shadows.
    fn prepare(
        &mut self,
        scene: &Scene,
        camera: &Camera,
        camera_pose: &Pose,
        region: Rect,
        cast: impl Fn(usize) -> bool,
    ) {
        let light = &scene.light;
        let floor = lowest(scene.visuals.iter().map(|v| (&v.shape, &v.pose)));
        let clip = |rect: Option<Rect>| rect.and_then(|r| r.intersection(region));
        self.prims.clear();
        self.casters.clear();
        for (prim, visual) in scene.visuals.iter().enumerate() {
            let mut p = Prim::new(visual, light, camera, camera_pose);
            p.rect = clip(p.rect).filter(|_| cast(prim));
            self.prims.push(p);
            let (shape, pose) = (&visual.shape, &visual.pose);
            if !visual.shadow {
                continue;
            }
            let rect = clip(shadow_rect(shape, pose, light, floor, camera, camera_pose));
            if let (Some(rect), Some(radius)) = (rect, shape.bounding_radius()) {
                self.casters.push(Caster { prim, rect, radius });
            }
        }
        let width = (region.x1 - region.x0) as usize;
        let padded = width.next_multiple_of(LANES);
        self.depth.iter_mut().for_each(|d| d.resize(padded, 0.0));
        self.key.iter_mut().for_each(|k| k.resize(padded, 0));
        self.mean.resize(width, 0.0);
        self.partly.resize(width, 0);
        self.wholly.resize(width, 0);
        self.changed.resize(width, false);
    }

    /// Empties the row's depth buffer.
    fn clear_row(&mut self) {
        self.depth.iter_mut().for_each(|d| d.fill(f32::INFINITY));
        self.key.iter_mut().for_each(|k| k.fill(NOTHING));
    }

    /// Fills `columns` of the row's depth buffer from the backdrop, in which the row
    /// begins at `start`.
    fn load_row<T>(&mut self, backdrop: &Backdrop<T>, start: usize, columns: Range<usize>) {
        let there = start + columns.start..start + columns.end;
        for s in 0..4 {
            self.depth[s][columns.clone()].copy_from_slice(&backdrop.depth[s][there.clone()]);
            self.key[s][columns.clone()].copy_from_slice(&backdrop.key[s][there.clone()]);
        }
    }

    /// Columns of row `y`, from the region's left, in which something that moves or
    /// its shadow may be.
    fn moving_columns(&self, y: u32, region: Rect, moving: &[bool]) -> Option<Range<usize>> {
        let bodies = self.prims.iter().filter_map(|p| p.rect);
        let shadows = self.casters.iter().filter(|c| moving[c.prim]);
        let rects = bodies.chain(shadows.map(|c| c.rect));
        let all = rects
            .filter(|r| (r.y0..r.y1).contains(&y))
            .reduce(Rect::union)?;
        Some((all.x0 - region.x0) as usize..(all.x1 - region.x0) as usize)
    }

    /// Marks those of the `columns` that differ from the backdrop, in which the row
    /// begins at `start`, or have the shadow of something that moves on them.
    fn mark_changed<T>(&mut self, backdrop: &Backdrop<T>, start: usize, columns: Range<usize>) {
        let mut shadows = 0;
        for (j, caster) in self.row_casters.iter().enumerate() {
            shadows |= u32::from(backdrop.moving[caster.prim]) << (j % 32);
        }
        let there = start + columns.start..start + columns.end;
        let before: [&[u32]; 4] = std::array::from_fn(|s| &backdrop.key[s][there.clone()]);
        let now: [&[u32]; 4] = std::array::from_fn(|s| &self.key[s][columns.clone()]);
        let marks = self.partly[columns.clone()]
            .iter()
            .zip(&self.wholly[columns.clone()]);
        let changed = self.changed[columns].iter_mut().zip(marks);
        for (i, (changed, (partly, wholly))) in changed.enumerate() {
            let differs = (0..4).fold(0, |d, s| d | (now[s][i] ^ before[s][i]));
            *changed = differs | ((partly | wholly) & shadows) != 0;
        }
    }

    /// Shades the pixels `columns` of the row at `corner`, as cast before.
    fn shade<T: Tone>(
        &self,
        scene: &Scene,
        camera: &Camera,
        corner: (u32, u32),
        columns: Range<usize>,
        row: &mut [T],
    ) {
        let shader = Shader {
            prims: &self.prims,
            casters: &self.row_casters,
            light: &scene.light,
            sky: T::from_rgb(scene.sky),
            pixel: pixel_angle(camera),
            y: corner.1 as f32,
        };
        let mut done = columns.start;
        while done < columns.end {
            let key = self.key[0][done];
            let same = |(k, mean): &(&u32, &f32)| **k == key && mean.is_finite();
            let ahead = self.key[0][done..columns.end].iter();
            let count = ahead.zip(&self.mean[done..]).take_while(same).count();
            let x = corner.0 as usize + done;
            if count > 0 {
                let run = Run {
                    key,
                    x,
                    depth: &self.mean[done..done + count],
                    wholly: &self.wholly[done..done + count],
                    partly: &self.partly[done..done + count],
                    samples: |i: usize| std::array::from_fn(|s| self.depth[s][done + i]),
                };
                shader.run(&run, &mut row[done..done + count]);
            } else {
                let key = std::array::from_fn(|s| self.key[s][done]);
                let depth = std::array::from_fn(|s| self.depth[s][done]);
                row[done] = shader.mixed(x as f32, key, self.partly[done], depth);
            }
            done += count.max(1);
        }
    }

    /// Merges the nearest face at each of the samples of row `y` into the depth
    /// buffer, with what vector instructions the machine has.
    fn cast_row(&mut self, y: u32, region: Rect) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the machine has AVX2, all that the function asks for.
            return unsafe { self.cast_row_avx2(y, region) };
        }
        self.cast_row_portable(y, region);
    }

    /// The same code, compiled for twice as wide vectors. The numbers are the same:
    /// nothing is contracted or reordered.
    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn cast_row_avx2(&mut self, y: u32, region: Rect) {
        self.cast_row_portable(y, region);
    }

    #[inline(always)]
    fn cast_row_portable(&mut self, y: u32, region: Rect) {
        for (index, prim) in self.prims.iter().enumerate() {
            let Some(rect) = prim.rect.filter(|r| (r.y0..r.y1).contains(&y)) else {
                continue;
            };
            let begin = (rect.x0 - region.x0) as usize / LANES * LANES;
            let end = ((rect.x1 - region.x0) as usize).next_multiple_of(LANES);
            let columns = begin..end;
            let x0 = region.x0 + begin as u32;
            for (s, (dx, dy)) in SAMPLES.into_iter().enumerate() {
                let start = prim.ray(dx, y as f32 + dy);
                let depth = &mut self.depth[s][columns.clone()];
                let key = &mut self.key[s][columns.clone()];
                prim.cast(start, x0, (index as u32) << 2, depth, key);
            }
        }
    }

    /// Finds, in `columns` of the row, the pixels all of whose samples hit the same
    /// face, and what is nearest.
    fn finish_row(&mut self, columns: Range<usize>) {
        let [d0, d1, d2, d3] = self.depth.each_ref().map(|d| &d[columns.clone()]);
        let [k0, k1, k2, k3] = self.key.each_ref().map(|k| &k[columns.clone()]);
        let mut nearest = [f32::INFINITY; 4];
        for (i, mean) in self.mean[columns].iter_mut().enumerate() {
            let same = (k0[i] == k1[i]) & (k2[i] == k3[i]) & (k0[i] == k2[i]);
            *mean = 0.25 * ((d0[i] + d1[i]) + (d2[i] + d3[i]));
            for (nearest, d) in nearest.iter_mut().zip([d0[i], d1[i], d2[i], d3[i]]) {
                *nearest = if d < *nearest { d } else { *nearest };
            }
            *mean = if same { *mean } else { f32::NAN };
        }
        let nearest = nearest.into_iter().fold(f32::INFINITY, f32::min);
        self.nearest = self.nearest.min(nearest);
    }

    /// Finds the primitives whose shadows fall on each pixel of row `y`.
    fn shadow_row(&mut self, y: u32, region: Rect, camera: &Camera) {
        self.row_casters.clear();
        let in_row = |c: &&Caster| (c.rect.y0..c.rect.y1).contains(&y);
        self.row_casters.extend(self.casters.iter().filter(in_row));
        self.partly.fill(0);
        self.wholly.fill(0);
        for (j, caster) in self.row_casters.iter().enumerate() {
            let columns =
                (caster.rect.x0 - region.x0) as usize..(caster.rect.x1 - region.x0) as usize;
            let row = ShadowRow {
                prim: &self.prims[caster.prim],
                index: caster.prim as u32,
                radius: caster.radius,
                start: self.prims[caster.prim].ray(0.0, y as f32),
                x0: caster.rect.x0,
                // The samples of a pixel are less than that apart, relative to
                // their depth, on all but grazing surfaces.
                slack: 2.0 * pixel_angle(camera),
                bit: 1 << (j % 32),
                depth: &self.mean[columns.clone()],
                key: &self.key[0][columns.clone()],
            };
            row.mark(&mut self.partly[columns.clone()], &mut self.wholly[columns]);
        }
    }
}

/// One primitive's shadow on a part of a row.
struct ShadowRow<'a> {
    prim: &'a Prim,
    index: u32,
    radius: f32,
    start: Vec3,
    x0: u32,
    slack: f32,
    bit: u32,
    depth: &'a [f32],
    key: &'a [u32],
}

impl ShadowRow<'_> {
    fn mark(&self, partly: &mut [u32], wholly: &mut [u32]) {
        let l = self.prim.to_light;
        match self.prim.shape {
            Shape::Box { half } => self.each(partly, wholly, |p, grow| {
                hit::cuboid(p, l, (half + Vec3::splat(grow)).max(Vec3::ZERO)).0
            }),
            Shape::Sphere { radius } => self.each(partly, wholly, |p, grow| {
                hit::sphere(p, l, (radius + grow).max(0.0)).0
            }),
            Shape::Cylinder {
                radius,
                half_length,
            } => self.each(partly, wholly, |p, grow| {
                hit::cylinder(
                    p,
                    l,
                    (radius + grow).max(0.0),
                    (half_length + grow).max(0.0),
                )
                .0
            }),
            Shape::Capsule {
                radius,
                half_length,
            } => self.each(partly, wholly, |p, grow| {
                hit::capsule(p, l, (radius + grow).max(0.0), half_length).0
            }),
            Shape::Plane => {}
        }
    }

    /// Tests the middle of each pixel against the primitive grown and shrunk by the
    /// distance of a pixel's samples. `hit(p, grow)` is where the ray from `p` to
    /// the light enters the grown primitive.
    #[inline(always)]
    fn each(&self, partly: &mut [u32], wholly: &mut [u32], hit: impl Fn(Vec3, f32) -> f32) {
        let pixels = self.depth.iter().zip(self.key).zip(partly).zip(wholly);
        for (i, (((&depth, &key), partly), wholly)) in pixels.enumerate() {
            let x = (self.x0 as i32 + i as i32) as f32;
            let p = self.prim.origin + (self.start + self.prim.ray_x * x) * depth;
            let grow = self.slack * depth;
            let (outer, inner) = (hit(p, grow), hit(p, -grow));
            // A point inside of the grown primitive is behind its entry.
            let inside = -2.0 * (self.radius + grow);
            let other = key >> 2 != self.index;
            let maybe = (outer > inside) & (outer < f32::INFINITY) & other;
            let surely = (inner > 0.0) & (inner < f32::INFINITY) & other;
            // Where samples differ in what they hit, any of them may be in shadow.
            *partly |= if maybe | depth.is_nan() { self.bit } else { 0 };
            *wholly |= if surely { self.bit } else { 0 };
        }
    }
}

/// Angle between two neighbouring pixels in the middle of the image, in radians.
fn pixel_angle(camera: &Camera) -> f32 {
    1.0 / camera.fx.min(camera.fy)
}

impl Prim {
    /// Merges this primitive's hits along a row into `depth` and `key`.
    #[inline(always)]
    fn cast(&self, start: Vec3, x0: u32, tag: u32, depth: &mut [f32], key: &mut [u32]) {
        let (o, step) = (self.origin, self.ray_x);
        match self.shape {
            Shape::Box { half } => {
                merge(start, step, x0, tag, depth, key, |d| {
                    hit::cuboid(o, d, half)
                });
            }
            Shape::Sphere { radius } => {
                merge(start, step, x0, tag, depth, key, |d| {
                    hit::sphere(o, d, radius)
                });
            }
            Shape::Cylinder {
                radius,
                half_length,
            } => merge(start, step, x0, tag, depth, key, |d| {
                hit::cylinder(o, d, radius, half_length)
            }),
            Shape::Capsule {
                radius,
                half_length,
            } => merge(start, step, x0, tag, depth, key, |d| {
                hit::capsule(o, d, radius, half_length)
            }),
            Shape::Plane => merge(start, step, x0, tag, depth, key, |d| hit::plane(o, d)),
        }
    }
}

/// Pixels of a row that are cast together. Rows are kept in whole groups of these.
const LANES: usize = 8;

/// Takes the hits that are closer than what is there. Written without conditional
/// stores, in groups of fixed size, so that it becomes vector instructions.
#[inline(always)]
fn merge(
    start: Vec3,
    step: Vec3,
    x0: u32,
    tag: u32,
    depth: &mut [f32],
    key: &mut [u32],
    hit: impl Fn(Vec3) -> (f32, u32),
) {
    let groups = depth
        .as_chunks_mut::<LANES>()
        .0
        .iter_mut()
        .zip(key.as_chunks_mut::<LANES>().0);
    for (g, (depth, key)) in groups.enumerate() {
        let first = (x0 as i32 + (g * LANES) as i32) as f32;
        let (mut t, mut face) = ([0.0; LANES], [0; LANES]);
        for i in 0..LANES {
            (t[i], face[i]) = hit(start + step * (first + i as f32));
        }
        let (depth_before, key_before) = (*depth, *key);
        for i in 0..LANES {
            let closer = (t[i] > NEAR) & (t[i] < depth_before[i]);
            depth[i] = if closer { t[i] } else { depth_before[i] };
            key[i] = if closer { tag | face[i] } else { key_before[i] };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::Material;
    use glam::Quat;

    /// The one `unsafe` of this file: wide vectors give the bits of narrow ones.
    #[test]
    fn rows_are_the_same_whatever_the_width_of_vectors() {
        let shapes = [
            Shape::Box {
                half: Vec3::new(0.3, 0.1, 0.2),
            },
            Shape::Sphere { radius: 0.3 },
            Shape::Cylinder {
                radius: 0.2,
                half_length: 0.3,
            },
            Shape::Capsule {
                radius: 0.1,
                half_length: 0.4,
            },
            Shape::Plane,
        ];
        let visuals = shapes.into_iter().enumerate().map(|(i, shape)| Visual {
            shape,
            pose: Pose {
                p: Vec3::new(0.3 * i as f32 - 0.6, 0.1, 0.1 * i as f32 - 0.4),
                q: Quat::from_euler(glam::EulerRot::XYZ, i as f32, 0.3, 0.1),
            },
            material: Material::matt([0.5; 3]),
            body: 0,
            shadow: true,
        });
        let scene = Scene {
            visuals: visuals.collect(),
            light: Light::default(),
            sky: [0.0; 3],
        };
        let camera = Camera::from_horizontal_fov(61, 47, 0.9);
        let eye = Pose::looking_at(Vec3::new(0.2, -2.0, 1.5), Vec3::ZERO);
        let mut scratch = Scratch::default();
        scratch.prepare(&scene, &camera, &eye, camera.full(), |_| true);
        let bits = |s: &Scratch| {
            let depth = s.depth.iter().flatten().map(|d| d.to_bits());
            depth
                .chain(s.key.iter().flatten().copied())
                .collect::<Vec<_>>()
        };
        let mut hits = 0;
        for y in 0..camera.height {
            scratch.clear_row();
            scratch.cast_row(y, camera.full());
            let native = bits(&scratch);
            scratch.clear_row();
            scratch.cast_row_portable(y, camera.full());
            assert_eq!(native, bits(&scratch), "row {y}");
            hits += scratch.key[0].iter().filter(|k| **k != NOTHING).count();
        }
        assert!(hits > 300, "{hits} hits");
    }
}
