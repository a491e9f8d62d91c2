//! A table scene for the examples: objects, textures, a stand-in for an arm.

use glam::{Quat, Vec3};
use saccade_worlds::render::{Light, Material, Pose, Scene, Shape, Visual};
use saccade_worlds::textures::{UnknownTexture, table_material};
use std::f32::consts::FRAC_PI_2;

/// Height of the table top in metres.
pub const TABLE: f32 = 0.75;

/// Where the objects are, in metres.
const CENTRE: Vec3 = Vec3::new(0.5, 0.0, TABLE);

/// A camera 1 m from the objects, looking down at them at 45°.
pub fn eye() -> Pose {
    Pose::looking_at(CENTRE + Vec3::new(-0.7, 0.0, 0.7), CENTRE)
}

fn visual(shape: Shape, p: Vec3, q: Quat, albedo: [f32; 3], body: u32) -> Visual {
    let material = Material {
        specular: 0.1,
        ..Material::matt(albedo)
    };
    Visual {
        shape,
        pose: Pose { p, q },
        material,
        body,
        shadow: true,
    }
}

/// The parts of an object of a class, `at` being the point on the table under it.
pub fn object(class: &str, at: Vec3, yaw: f32) -> Vec<Visual> {
    let cylinder = |radius: f32, length: f32| Shape::Cylinder {
        radius,
        half_length: 0.5 * length,
    };
    let up = |z: f32| at + Vec3::Z * z;
    let q = Quat::IDENTITY;
    match class {
        "ball" => vec![visual(
            Shape::Sphere { radius: 0.0325 },
            up(0.0325),
            q,
            [0.75, 0.18, 0.12],
            1,
        )],
        "bottle" => vec![
            visual(cylinder(0.0325, 0.14), up(0.07), q, [0.10, 0.35, 0.20], 1),
            visual(cylinder(0.013, 0.06), up(0.17), q, [0.10, 0.35, 0.20], 1),
        ],
        "pen" => {
            let lying = Quat::from_rotation_z(yaw) * Quat::from_rotation_y(FRAC_PI_2);
            vec![visual(
                cylinder(0.006, 0.14),
                up(0.006),
                lying,
                [0.05, 0.08, 0.30],
                1,
            )]
        }
        _ => vec![],
    }
}

/// Things that are none of the objects, around the area where objects lie.
#[allow(dead_code, reason = "not every example has clutter")]
pub fn clutter(count: usize, mut draw: impl FnMut(f32, f32) -> f32) -> Vec<Visual> {
    let mut thing = |i: usize| {
        let angle = draw(0.0, std::f32::consts::TAU);
        let at = CENTRE + draw(0.16, 0.25) * Vec3::new(angle.cos(), angle.sin(), 0.0);
        let size = draw(0.008, 0.03);
        let shape = match draw(0.0, 3.0) as u32 {
            0 => Shape::Box {
                half: Vec3::new(draw(0.02, 0.08), draw(0.01, 0.04), size),
            },
            1 => Shape::Cylinder {
                radius: draw(0.02, 0.05),
                half_length: size,
            },
            _ => Shape::Sphere { radius: size },
        };
        let albedo = [0; 3].map(|_| draw(0.05, 0.8));
        let turn = Quat::from_rotation_z(draw(0.0, 3.0));
        visual(shape, at + Vec3::Z * size, turn, albedo, 100 + i as u32)
    };
    (0..count).map(&mut thing).collect()
}

/// A table on a floor, of a texture, with the objects side by side.
pub fn scene(classes: &[&str], texture: &str, seed: u64) -> Result<Scene, UnknownTexture> {
    let top = Visual {
        material: table_material(texture, seed)?,
        ..visual(
            Shape::Box {
                half: Vec3::new(0.6, 0.8, 0.02),
            },
            Vec3::new(0.5, 0.0, TABLE - 0.02),
            Quat::IDENTITY,
            [0.5; 3],
            0,
        )
    };
    let floor = visual(
        Shape::Plane,
        Vec3::ZERO,
        Quat::IDENTITY,
        [0.3, 0.3, 0.32],
        0,
    );
    let mut visuals = vec![floor, top];
    for (i, class) in classes.iter().enumerate() {
        let y = 0.1 * (i as f32 - 0.5 * (classes.len() as f32 - 1.0));
        visuals.extend(object(class, CENTRE - Vec3::Y * y, 0.6));
    }
    Ok(Scene {
        visuals,
        light: Light::default(),
        sky: [0.6, 0.65, 0.7],
    })
}

/// 42 links as of an arm and a hand, most of them outside of the camera's view.
#[allow(dead_code, reason = "not every example has an arm")]
pub fn add_arm(scene: &mut Scene) {
    for i in 0..42 {
        let s = i as f32 / 41.0;
        let p = Vec3::new(
            0.1 + 0.33 * s,
            0.25 - 0.2 * s,
            TABLE + 0.15 + 0.8 * s * (1.0 - s),
        );
        let q = Quat::from_rotation_y(0.3 + s) * Quat::from_rotation_x(7.0 * s);
        let r = 0.05 - 0.04 * s;
        let shape = if i % 3 == 0 {
            Shape::Box {
                half: Vec3::new(r, r, 2.0 * r),
            }
        } else {
            Shape::Capsule {
                radius: r,
                half_length: 1.5 * r,
            }
        };
        scene
            .visuals
            .push(visual(shape, p, q, [0.7, 0.7, 0.72], 10 + i));
    }
}
