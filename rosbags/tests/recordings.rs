//! Real recordings, figure by figure. They are found through the environment
//! variable SACCADE_TEST_DATA and are not part of the project.

use std::path::PathBuf;

use saccade_rosbags::events::{EventInfo, info};

/// Path of a recording; `None`, said loudly, where there are none.
fn recording(name: &str) -> Option<PathBuf> {
    match std::env::var_os("SACCADE_TEST_DATA") {
        Some(dir) => Some(PathBuf::from(dir).join("events").join(name)),
        None => {
            eprintln!("NOT TESTED: {name}: SACCADE_TEST_DATA is not set");
            None
        }
    }
}

fn read(name: &str) -> Option<EventInfo> {
    let path = recording(name)?;
    Some(info(&path, None).unwrap_or_else(|e| panic!("{e}")))
}

/// Nothing was left out, misread or lost.
fn assert_clean(info: &EventInfo) {
    assert_eq!(info.unknown_words, 0, "{info:?}");
    assert_eq!(info.outside, 0, "{info:?}");
    assert_eq!(info.unsynced, 0, "{info:?}");
    assert_eq!(info.torn_bytes, 0, "{info:?}");
    assert_eq!(info.lost_packets, 0, "{info:?}");
    assert_eq!(info.seq_restarts, 0, "{info:?}");
}

#[test]
fn evt3_from_a_ros1_bag_and_from_sqlite() {
    for name in ["test_events_1.bag", "test_events_1.db3"] {
        let Some(info) = read(name) else { return };
        assert_clean(&info);
        assert_eq!((info.width, info.height), (640, 480));
        assert_eq!((info.events, info.on), (343_474, 125_183));
        assert_eq!((info.sum_x, info.sum_y), (116_731_888, 80_879_209));
        assert_eq!(info.sum_t_us, 2_851_601_611_994);
        assert_eq!((info.triggers, info.triggers_rising), (4157, 2079));
        assert_eq!((info.seq_first, info.seq_last), (Some(5590), Some(6106)));
        assert_eq!(info.packets, 517);
    }
}

#[test]
fn libcaer_cmp_from_mcap() {
    let Some(info) = read("test_events_2_0.mcap") else {
        return;
    };
    assert_clean(&info);
    assert_eq!(info.format, "mcap/libcaer_cmp");
    assert_eq!((info.width, info.height), (346, 260));
    assert_eq!((info.events, info.on), (571_266, 211_043));
    assert_eq!((info.sum_x, info.sum_y), (118_469_679, 78_763_572));
    assert_eq!((info.seq_first, info.seq_last), (Some(101), Some(200)));
    assert_eq!(info.packets, 100);
}

#[test]
fn evt3_with_triggers_from_sqlite() {
    let Some(info) = read("test_data_evt3_trigger_0.db3") else {
        return;
    };
    assert_clean(&info);
    assert_eq!((info.width, info.height), (1280, 720));
    assert_eq!((info.events, info.on), (82_469, 41_439));
    assert_eq!((info.sum_x, info.sum_y), (42_078_718, 31_656_267));
    assert_eq!(info.sum_t_us * 1000, 1_222_326_831_810_000);
    assert_eq!((info.triggers, info.packets), (2, 105));
}

#[test]
fn raw_evt3_with_times_that_step_back() {
    let Some(info) = read("sample_evt3.raw") else {
        return;
    };
    assert_clean(&info);
    assert_eq!((info.width, info.height), (1280, 720));
    assert_eq!(info.events, 219_596);
    assert_eq!(info.t_last_us, Some(11_727_457));
    // TIME_LOW steps back nine times, by 3 to 11 us, each time before an event has
    // taken the higher value; a decoder that sees wraps ends 37 ms later.
    assert_eq!(info.backward_steps, 0);
    assert_eq!(info.t_first_us, Some(11_718_656));
}

#[test]
fn raw_evt2() {
    let Some(info) = read("sample_evt2.raw") else {
        return;
    };
    assert_clean(&info);
    assert_eq!(info.events, 539_481);
}

#[test]
fn dat() {
    let Some(info) = read("sample_ncars.dat") else {
        return;
    };
    assert_clean(&info);
    assert_eq!((info.events, info.on), (2009, 1350));
    assert_eq!(info.t_last_us, Some(99_952));
}

#[test]
fn aedat4() {
    let Some(info) = read("sample.aedat4") else {
        return;
    };
    assert_clean(&info);
    assert_eq!(info.format, "aedat4");
    assert_eq!((info.width, info.height), (320, 240));
    // As PyPI `aedat` 2.3.0 reads it.
    assert_eq!((info.events, info.on), (111_954, 55_023));
    assert_eq!((info.sum_x, info.sum_y), (18_342_405, 15_105_898));
    assert_eq!(info.sum_t_us, 179_746_344_603_429_281_628);
}

#[test]
fn n_mnist() {
    let Some(info) = read("sample_nmnist.bin") else {
        return;
    };
    assert_clean(&info);
    assert_eq!((info.width, info.height), (34, 34));
    assert_eq!(info.events, 4325);
    assert_eq!(
        (info.t_first_us, info.t_last_us),
        (Some(654), Some(311_175))
    );
}
