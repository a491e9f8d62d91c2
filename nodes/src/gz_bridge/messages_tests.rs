//! Messages put together by hand, and bytes at random.

use super::*;

fn stamped(frame: &str) -> Message {
    let stamp = Message::default().number(1, 3).number(2, 500);
    let data = Message::default()
        .bytes(1, b"frame_id")
        .bytes(2, frame.as_bytes());
    Message::default().message(1, stamp).message(2, data)
}

#[test]
fn an_image_keeps_its_rows() {
    let make = |format, bytes: &[u8]| {
        let image = Message::default().message(1, stamped("eye")).number(2, 2);
        let image = image
            .number(3, 2)
            .number(4, 6)
            .bytes(5, bytes)
            .number(6, format);
        super::image(&image.into_bytes())
    };
    let image = make(3, &[7; 12]).expect("an image");
    assert_eq!((image.width, image.height, image.step), (2, 2, 6));
    assert_eq!(
        (image.encoding.as_str(), image.header.frame_id.as_str()),
        ("rgb8", "eye")
    );
    assert_eq!(
        image.header.stamp,
        Time {
            sec: 3,
            nanosec: 500
        }
    );
    let short = MessageError::Rows {
        rows: 2,
        step: 6,
        bytes: 11,
    };
    assert_eq!(make(3, &[7; 11]), Err(short));
    assert_eq!(make(7, &[7; 12]), Err(MessageError::Pixels(7)));
}

#[test]
fn joints_without_an_axis_are_left_out() {
    let axis = Message::default().double(10, 0.5).double(11, -1.0);
    let turning = Message::default().bytes(2, b"neck").message(10, axis);
    let fixed = Message::default().bytes(2, b"base").number(4, 7);
    let model = Message::default().message(6, fixed).message(6, turning);
    let states = joint_states(&model.into_bytes()).expect("a model");
    assert_eq!(states.name, ["neck"]);
    assert_eq!((states.position, states.velocity), (vec![0.5], vec![-1.0]));
}

#[test]
fn of_a_scan_of_several_rows_the_middle_one_is_taken() {
    let scan = Message::default().number(9, 2).number(13, 3);
    let scan = scan.doubles(14, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(
        super::scan(&scan.into_bytes()).expect("a scan").ranges,
        [3.0, 4.0]
    );
}

/// SplitMix64, so that the bytes are the same each time.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *seed;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z ^ (z >> 27)
}

#[test]
fn random_bytes_are_refused_or_read_and_never_a_panic() {
    let mut seed = 1;
    for _ in 0..10_000 {
        let length = random(&mut seed) as usize % 64;
        // Mostly small numbers: fields and lengths that may be meant.
        let bytes = (0..length).map(|_| match random(&mut seed) {
            r if r & 0x300 == 0 => r as u8,
            r => r as u8 & 0x7B & (r >> 16) as u8,
        });
        let bytes: Vec<u8> = bytes.collect();
        let _ = (
            clock(&bytes),
            image(&bytes),
            camera_info(&bytes),
            scan(&bytes),
        );
        let _ = (
            joint_states(&bytes),
            contacts(&bytes),
            imu(&bytes),
            odometry(&bytes),
        );
    }
}
