//! From what a pixel's samples hit to its luminance or colour.

use super::Light;
use super::raster::{Caster, NOTHING, Prim, SAMPLES, Tone};
use glam::Vec3;

/// Exponent of the highlight, as a number of squarings: 2^5 = 32.
const HIGHLIGHT_SQUARINGS: u32 = 5;

pub(super) struct Shader<'a, T> {
    pub prims: &'a [Prim],
    pub casters: &'a [Caster],
    pub light: &'a Light,
    pub sky: T,
    /// Angular size of a pixel, in radians.
    pub pixel: f32,
    /// The row.
    pub y: f32,
}

/// Neighbouring pixels of a row all of whose samples hit the same face.
pub(super) struct Run<'a, F> {
    pub key: u32,
    /// Column of the first.
    pub x: usize,
    /// Mean depth of the samples.
    pub depth: &'a [f32],
    /// Casters that shade all of a pixel, and those that shade a part of it.
    pub wholly: &'a [u32],
    pub partly: &'a [u32],
    /// Depths of the samples of the i-th pixel.
    pub samples: F,
}

impl<T: Tone> Shader<'_, T> {
    /// Shades a run of pixels.
    pub fn run(&self, run: &Run<impl Fn(usize) -> [f32; 4]>, out: &mut [T]) {
        let (prim, face) = (&self.prims[(run.key >> 2) as usize], run.key & 3);
        let flat = prim.flat_normal(face);
        let pixels = run.depth.iter().zip(run.wholly).zip(run.partly).zip(out);
        for (i, (((&depth, &wholly), &partly), out)) in pixels.enumerate() {
            let x = (run.x + i) as f32;
            *out = self.shade((prim, face, flat), (x, self.y), depth, || {
                if wholly != 0 {
                    return 0.0;
                }
                if partly == 0 {
                    return 1.0;
                }
                let samples = SAMPLES.iter().zip((run.samples)(i));
                let lit = samples.filter(|((dx, dy), depth)| {
                    self.lit(run.key >> 2, (x + dx, self.y + dy), *depth, partly)
                });
                0.25 * lit.count() as f32
            });
        }
    }

    /// A pixel whose samples hit different faces.
    pub fn mixed(&self, x: f32, key: [u32; 4], casters: u32, depth: [f32; 4]) -> T {
        let mut sum = T::default();
        for s in 0..4 {
            let at = (x + SAMPLES[s].0, self.y + SAMPLES[s].1);
            let value = if key[s] == NOTHING {
                self.sky
            } else {
                let (prim, face) = (&self.prims[(key[s] >> 2) as usize], key[s] & 3);
                let flat = prim.flat_normal(face);
                self.shade((prim, face, flat), at, depth[s], || {
                    f32::from(u8::from(self.lit(key[s] >> 2, at, depth[s], casters)))
                })
            };
            sum = sum + value * 0.25;
        }
        sum
    }

    /// The light from a face (with its normal, if flat) at image point `at` and the
    /// given depth; `visible` tells which part of the directional light arrives.
    #[inline(always)]
    fn shade(
        &self,
        (prim, face, flat): (&Prim, u32, Option<Vec3>),
        at: (f32, f32),
        depth: f32,
        visible: impl Fn() -> f32,
    ) -> T {
        let ray = prim.ray(at.0, at.1);
        let p = prim.origin + ray * depth;
        let normal = flat.unwrap_or_else(|| prim.round_normal(p));
        let incidence = normal.dot(prim.to_light).max(0.0);
        let reached = if incidence > 0.0 { visible() } else { 0.0 };
        let direct = self.light.intensity * reached;
        let mut irradiance = self.light.ambient + direct * incidence;
        if prim.texture.is_some() {
            // A pixel is a square of side depth × angle, drawn out by 1/cos.
            let cos = normal.dot(ray);
            let stretch2 = ray.length_squared() / (cos * cos).max(1e-3);
            let footprint = depth * self.pixel * stretch2.sqrt().sqrt();
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

    /// Whether nothing stands between the light and the point of primitive
    /// `receiver` seen at image point `at`; only `casters` need be looked at.
    /// Primitives are convex: none shades itself where it faces the light.
    fn lit(&self, receiver: u32, at: (f32, f32), depth: f32, casters: u32) -> bool {
        let mut rest = casters;
        while rest != 0 {
            let group = rest.trailing_zeros() as usize;
            rest &= rest - 1;
            for caster in self.casters.iter().skip(group).step_by(32) {
                let prim = &self.prims[caster.prim];
                let p = prim.origin + prim.ray(at.0, at.1) * depth;
                let behind = p.dot(prim.to_light);
                let off_axis = p.length_squared() - behind * behind;
                if behind < caster.radius
                    && off_axis < caster.radius * caster.radius
                    && caster.prim != receiver as usize
                    && prim.shape.blocks(p, prim.to_light)
                {
                    return false;
                }
            }
        }
        true
    }
}
