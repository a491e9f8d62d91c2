//! From what a pixel's samples hit to its luminance or colour.

use super::Light;
use super::raster::{Caster, NOTHING, Prim, SAMPLES, Tone};

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

impl<T: Tone> Shader<'_, T> {
    /// A pixel all of whose samples hit face `key`.
    pub fn uniform(
        &self,
        x: f32,
        key: u32,
        mean_depth: f32,
        (wholly, partly): (u32, u32),
        depth: impl Fn() -> [f32; 4],
    ) -> T {
        self.shade(key, (x, self.y), mean_depth, || {
            if wholly != 0 {
                return 0.0;
            }
            if partly == 0 {
                return 1.0;
            }
            let samples = SAMPLES.iter().zip(depth());
            let lit = samples.filter(|((dx, dy), depth)| {
                self.lit(key >> 2, (x + dx, self.y + dy), *depth, partly)
            });
            0.25 * lit.count() as f32
        })
    }

    /// A pixel whose samples hit different faces.
    pub fn mixed(&self, x: f32, key: [u32; 4], casters: u32, depth: [f32; 4]) -> T {
        let mut sum = T::default();
        for s in 0..4 {
            let at = (x + SAMPLES[s].0, self.y + SAMPLES[s].1);
            let value = if key[s] == NOTHING {
                self.sky
            } else {
                self.shade(key[s], at, depth[s], || {
                    f32::from(u8::from(self.lit(key[s] >> 2, at, depth[s], casters)))
                })
            };
            sum = sum + value * 0.25;
        }
        sum
    }

    /// The light from face `key` at image point `at` and the given depth;
    /// `visible` tells which part of the directional light arrives.
    fn shade(&self, key: u32, at: (f32, f32), depth: f32, visible: impl Fn() -> f32) -> T {
        let (prim, face) = (&self.prims[(key >> 2) as usize], key & 3);
        let ray = prim.ray(at.0, at.1);
        let p = prim.origin + ray * depth;
        let normal = prim.normal(p, face);
        let incidence = normal.dot(prim.to_light).max(0.0);
        let reached = if incidence > 0.0 { visible() } else { 0.0 };
        let direct = self.light.intensity * reached;
        let mut irradiance = self.light.ambient + direct * incidence;
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
