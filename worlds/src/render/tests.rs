use super::*;
use proptest::prelude::*;

/// Light from nowhere: every surface has the luminance of its albedo.
const FLAT: Light = Light {
    direction: Vec3::NEG_Z,
    intensity: 0.0,
    ambient: 1.0,
};

fn white(shape: Shape, pose: Pose) -> Visual {
    Visual {
        shape,
        pose,
        material: Material::matt([1.0; 3]),
        body: 0,
        shadow: true,
    }
}

fn at(x: f32, y: f32, z: f32) -> Pose {
    Pose {
        p: Vec3::new(x, y, z),
        q: Quat::IDENTITY,
    }
}

fn scene(visuals: Vec<Visual>) -> Scene {
    Scene {
        visuals,
        light: FLAT,
        sky: [0.0; 3],
    }
}

fn image(scene: &Scene, camera: &Camera, pose: &Pose) -> Vec<f32> {
    let mut out = vec![0.0; camera.pixels()];
    render_luminance(scene, camera, pose, None, &mut Scratch::default(), &mut out).unwrap();
    out
}

/// A camera so far away, with so long a lens, that it projects in parallel:
/// 100 pixels per metre at 100 m.
fn telephoto() -> Camera {
    Camera {
        width: 100,
        height: 100,
        fx: 10_000.0,
        fy: 10_000.0,
        cx: 49.5,
        cy: 49.5,
    }
}

#[test]
fn silhouettes_have_the_areas_of_geometry() {
    use std::f32::consts::{FRAC_PI_2, PI};
    let sideways = Quat::from_rotation_x(FRAC_PI_2);
    let cases = [
        (Shape::Sphere { radius: 0.3 }, Quat::IDENTITY, PI * 0.09),
        (
            Shape::Box {
                half: Vec3::new(0.2, 0.1, 0.3),
            },
            Quat::IDENTITY,
            0.08,
        ),
        (
            Shape::Box {
                half: Vec3::new(0.2, 0.1, 0.3),
            },
            sideways,
            0.24,
        ),
        (
            Shape::Cylinder {
                radius: 0.2,
                half_length: 0.3,
            },
            Quat::IDENTITY,
            PI * 0.04,
        ),
        (
            Shape::Cylinder {
                radius: 0.2,
                half_length: 0.3,
            },
            sideways,
            0.24,
        ),
        (
            Shape::Capsule {
                radius: 0.1,
                half_length: 0.2,
            },
            sideways,
            0.08 + PI * 0.01,
        ),
    ];
    for (shape, q, area) in cases {
        let pose = Pose {
            p: Vec3::new(0.013, 0.007, 100.0),
            q,
        };
        let pixels: f32 = image(
            &scene(vec![white(shape, pose)]),
            &telephoto(),
            &Pose::IDENTITY,
        )
        .iter()
        .sum();
        let got = pixels * 1e-4;
        assert!(
            (got - area).abs() < 0.02 * area,
            "{shape:?}: {got} m², not {area}"
        );
    }
}

#[test]
fn an_edge_moves_evenly_in_either_direction() {
    for q in [
        Quat::IDENTITY,
        Quat::from_rotation_z(std::f32::consts::FRAC_PI_2),
    ] {
        let mut previous = f32::NEG_INFINITY;
        let start = covered(q, 0.0);
        for i in 0..=40 {
            let shift = i as f32 * 0.05;
            let moved = covered(q, shift) - start;
            assert!(
                (moved - shift).abs() < 0.13,
                "moved {moved} px, not {shift}"
            );
            assert!(moved >= previous);
            previous = moved;
        }
    }

    /// Pixels per row that a half plane covers when shifted by `shift` pixels.
    fn covered(q: Quat, shift: f32) -> f32 {
        let half = Vec3::new(10.0, 10.0, 0.1);
        let pose = Pose {
            p: q * Vec3::new(-10.0 + 0.01 * shift, 0.0, 0.0) + Vec3::Z * 100.0,
            q,
        };
        let visual = white(Shape::Box { half }, pose);
        image(&scene(vec![visual]), &telephoto(), &Pose::IDENTITY)
            .iter()
            .sum::<f32>()
            / 100.0
    }
}

#[test]
fn shading_is_lambert_and_shadows_leave_only_ambient_light() {
    let light = Light {
        direction: Vec3::new(0.6, 0.0, -0.8),
        intensity: 0.5,
        ambient: 0.2,
    };
    let mut table = white(Shape::Plane, Pose::IDENTITY);
    table.material.albedo = [0.5; 3];
    let ball = white(Shape::Sphere { radius: 0.1 }, at(0.0, 0.0, 0.4));
    let scene = Scene {
        visuals: vec![table, ball],
        light,
        sky: [0.0; 3],
    };
    let luminance_at = |target: Vec3| {
        let camera = Camera::from_horizontal_fov(3, 3, 0.01);
        image(
            &scene,
            &camera,
            &Pose::looking_at(Vec3::new(1.5, -1.0, 1.0), target),
        )[4]
    };
    // The shadow of a ball 0.4 m up falls 0.3 m along the light.
    let (lit, shaded) = (0.5 * (0.2 + 0.5 * 0.8), 0.5 * 0.2);
    assert!((luminance_at(Vec3::new(0.3, 0.0, 0.0)) - shaded).abs() < 1e-4);
    assert!((luminance_at(Vec3::new(0.0, 0.5, 0.0)) - lit).abs() < 1e-4);
    assert!((luminance_at(Vec3::new(-0.3, 0.0, 0.0)) - lit).abs() < 1e-4);
}

#[test]
fn nearer_surfaces_hide_farther_ones_whatever_their_order() {
    let near = white(Shape::Sphere { radius: 0.1 }, at(0.0, 0.0, 1.0));
    let mut far = white(
        Shape::Box {
            half: Vec3::splat(0.5),
        },
        at(0.0, 0.0, 3.0),
    );
    far.material.albedo = [0.5; 3];
    let camera = Camera::from_horizontal_fov(33, 33, 0.3);
    let a = image(
        &scene(vec![near.clone(), far.clone()]),
        &camera,
        &Pose::IDENTITY,
    );
    let b = image(&scene(vec![far, near]), &camera, &Pose::IDENTITY);
    assert_eq!(a, b);
    assert_eq!((a[16 * 33 + 16], a[0]), (1.0, 0.5));
}

#[test]
fn the_inside_and_what_is_behind_are_not_seen() {
    let around = white(
        Shape::Box {
            half: Vec3::splat(1.0),
        },
        Pose::IDENTITY,
    );
    let behind = white(Shape::Sphere { radius: 0.5 }, at(0.0, 0.0, -2.0));
    let below = white(Shape::Plane, at(0.0, 0.0, 1.0));
    let camera = Camera::from_horizontal_fov(16, 16, 1.0);
    let pixels = image(
        &scene(vec![around, behind, below]),
        &camera,
        &Pose::IDENTITY,
    );
    assert_eq!(pixels, vec![0.0; 256]);
}

#[test]
fn a_surface_through_the_camera_is_clipped_not_lost() {
    // A floor slab that reaches from behind the camera to far before it.
    let floor = white(
        Shape::Box {
            half: Vec3::new(5.0, 0.1, 5.0),
        },
        at(0.0, 1.1, 0.0),
    );
    let camera = Camera::from_horizontal_fov(16, 16, 1.5);
    let pixels = image(&scene(vec![floor]), &camera, &Pose::IDENTITY);
    assert_eq!((pixels[15 * 16 + 8], pixels[8]), (1.0, 0.0));
}

#[test]
fn wrong_sizes_and_cameras_are_errors() {
    let scene = scene(vec![]);
    let mut camera = Camera::from_horizontal_fov(8, 8, 1.0);
    let mut scratch = Scratch::default();
    let mut render = |camera: &Camera, out: &mut [f32]| {
        render_luminance(&scene, camera, &Pose::IDENTITY, None, &mut scratch, out)
    };
    let error = render(&camera, &mut [0.0; 63]).unwrap_err();
    assert_eq!(
        error,
        RenderError::BufferSize {
            got: 63,
            expected: 64
        }
    );
    camera.fx = f32::NAN;
    assert!(matches!(
        render(&camera, &mut [0.0; 64]),
        Err(RenderError::Camera(_))
    ));
}

fn any_pose() -> impl Strategy<Value = Pose> {
    (
        prop::array::uniform3(-0.6f32..0.6),
        prop::array::uniform3(-3.0f32..3.0),
    )
        .prop_map(|(p, r)| Pose {
            p: Vec3::from(p) + Vec3::Z,
            q: Quat::from_euler(glam::EulerRot::XYZ, r[0], r[1], r[2]),
        })
}

fn any_shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        prop::array::uniform3(0.02f32..0.4).prop_map(|h| Shape::Box { half: h.into() }),
        (0.02f32..0.4).prop_map(|radius| Shape::Sphere { radius }),
        (0.02f32..0.3, 0.02f32..0.5).prop_map(|(radius, half_length)| Shape::Cylinder {
            radius,
            half_length
        }),
        (0.02f32..0.3, 0.02f32..0.5).prop_map(|(radius, half_length)| Shape::Capsule {
            radius,
            half_length
        }),
    ]
}

proptest! {
    #[test]
    fn a_primitive_changes_nothing_outside_of_its_rectangle(
        shape in any_shape(),
        pose in any_pose(),
        eye in prop::array::uniform3(-1.5f32..1.5),
        light in (-1.0f32..1.0, -1.0f32..1.0),
    ) {
        let eye = Pose::looking_at(Vec3::from(eye) + Vec3::Z * 1.7, Vec3::Z * 0.8);
        let camera = Camera::from_horizontal_fov(40, 30, 0.9);
        let mut with = scene(vec![white(Shape::Plane, Pose::IDENTITY), white(shape, pose)]);
        with.light = Light { direction: Vec3::new(light.0, light.1, -1.0), intensity: 0.7, ambient: 0.2 };
        let mut without = with.clone();
        without.visuals.pop();
        let lowest = lowest(with.visuals.iter().map(|v| (&v.shape, &v.pose)));
        let rect = covered_rect(&shape, &pose, &with.light, lowest, &camera, &eye);
        let (a, b) = (image(&with, &camera, &eye), image(&without, &camera, &eye));
        for (i, (a, b)) in a.iter().zip(&b).enumerate() {
            let (x, y) = (i as u32 % 40, i as u32 / 40);
            let inside = rect.is_some_and(|r| (r.x0..r.x1).contains(&x) && (r.y0..r.y1).contains(&y));
            prop_assert!(inside || a == b, "pixel ({}, {}) outside of {:?}", x, y, rect);
        }
    }

    #[test]
    fn a_region_is_a_part_of_the_whole_image(
        pose in any_pose(),
        corner in (0u32..30, 0u32..20),
        size in (1u32..20, 1u32..20),
    ) {
        let camera = Camera::from_horizontal_fov(40, 30, 0.9);
        let shape = Shape::Capsule { radius: 0.2, half_length: 0.2 };
        let mut scene = scene(vec![white(shape, pose), white(Shape::Plane, at(0.0, 0.0, -1.0))]);
        scene.light = Light::default();
        let eye = Pose::looking_at(Vec3::new(0.0, -1.0, 2.0), Vec3::Z);
        let whole = image(&scene, &camera, &eye);
        let region = Rect { x0: corner.0, y0: corner.1, x1: corner.0 + size.0, y1: corner.1 + size.1 };
        let mut part = vec![-1.0; camera.pixels()];
        render_luminance(&scene, &camera, &eye, Some(region), &mut Scratch::default(), &mut part)?;
        for (i, (whole, part)) in whole.iter().zip(&part).enumerate() {
            let (x, y) = (i as u32 % 40, i as u32 / 40);
            let inside = (region.x0..region.x1).contains(&x) && (region.y0..region.y1).contains(&y);
            prop_assert_eq!(*part, if inside { *whole } else { -1.0 });
        }
    }

    #[test]
    fn what_moves_before_a_still_camera_is_drawn_as_if_all_were_drawn(
        still in any_shape(),
        still_pose in any_pose(),
        shape in any_shape(),
        poses in prop::collection::vec(any_pose(), 1..5),
        shadow in any::<bool>(),
    ) {
        let camera = Camera::from_horizontal_fov(40, 30, 0.9);
        let mut scene = scene(vec![
            white(still, still_pose),
            white(shape, poses[0]),
            white(Shape::Plane, at(0.0, 0.0, -1.0)),
        ]);
        scene.light = Light::default();
        scene.visuals[1].shadow = shadow;
        let eye = Pose::looking_at(Vec3::new(0.0, -2.0, 3.0), Vec3::Z);
        let mut scratch = Scratch::default();
        for pose in poses {
            scene.visuals[1].pose = pose;
            let mut out = vec![0.0; camera.pixels()];
            render_moving_luminance(&scene, &camera, &eye, camera.full(), &mut scratch, &mut out)?;
            prop_assert_eq!(out, image(&scene, &camera, &eye));
        }
    }

    #[test]
    fn whatever_the_numbers_rendering_does_not_panic(
        numbers in prop::array::uniform8(any::<f32>()),
        corner in any::<[u32; 4]>(),
    ) {
        let [a, b, c, d, e, f, g, h] = numbers;
        let pose = Pose { p: Vec3::new(a, b, c), q: Quat::from_xyzw(d, e, f, g) };
        let shapes = [
            Shape::Box { half: Vec3::new(h, a, b) },
            Shape::Cylinder { radius: h, half_length: a },
            Shape::Capsule { radius: h, half_length: b },
            Shape::Sphere { radius: c },
            Shape::Plane,
        ];
        let scene = Scene {
            visuals: shapes.iter().map(|s| white(*s, pose)).collect(),
            light: Light { direction: Vec3::new(d, e, f), intensity: g, ambient: h },
            sky: [a, b, c],
        };
        let camera = Camera::from_horizontal_fov(9, 7, 0.9);
        let region = Rect { x0: corner[0], y0: corner[1], x1: corner[2], y1: corner[3] };
        let mut out = vec![0; 9 * 7 * 3];
        for region in [None, Some(region)] {
            render_rgb(&scene, &camera, &Pose::IDENTITY, region, &mut Scratch::default(), &mut out)?;
        }
        let (mut scratch, whole) = (Scratch::default(), camera.full());
        for _ in 0..2 {
            render_moving_luminance(&scene, &camera, &Pose::IDENTITY, whole, &mut scratch, &mut [0.0; 9 * 7])?;
        }
    }
}
