//! Every filter against a slow one that is plainly right, whatever the batches.

use super::*;
use proptest::prelude::*;
use std::collections::HashMap;

const SENSOR: Geometry = Geometry {
    width: 16,
    height: 12,
};

/// Events whose times mostly rise, now and then step back a little, and gather on
/// few pixels, so that every filter has something to do.
fn streams() -> impl Strategy<Value = Vec<Event>> {
    let event = (0..40u64, 0..16u16, 0..12u16, any::<bool>(), 0..10u8);
    prop::collection::vec(event, 0..400).prop_map(|steps| {
        let mut t_us = 5_000u64;
        let place = |(step, x, y, on, kind)| {
            t_us = match kind {
                0 => t_us - 11,
                1..4 => t_us,
                _ => t_us + step,
            };
            let (x, y) = if kind >= 8 { (3, 4) } else { (x, y) };
            let y = if (1..4).contains(&kind) { 7 } else { y };
            Event { t_us, x, y, on }
        };
        steps.into_iter().map(place).collect()
    })
}

/// Runs a chain over batches that end at `cuts`.
fn run(text: &str, events: &[Event], cuts: &[usize]) -> (Vec<Event>, Chain) {
    let mut chain = Chain::parse(text, SENSOR).unwrap_or_else(|e| panic!("{e}"));
    let mut out = Vec::new();
    let mut begin = 0;
    let mut cuts: Vec<_> = cuts.iter().map(|c| c % (events.len() + 1)).collect();
    cuts.sort_unstable();
    for end in cuts {
        let mut batch = events[begin..end].to_vec();
        chain.process(&mut batch);
        out.append(&mut batch);
        assert_eq!(
            chain.taken(),
            out.len() as u64 + chain.removed() + chain.held()
        );
        begin = end;
    }
    let mut batch = events[begin..].to_vec();
    chain.finish(&mut batch);
    out.append(&mut batch);
    (out, chain)
}

type Oracle = Box<dyn FnMut(&Event) -> Option<Event>>;

fn keep(mut passes: impl FnMut(&Event) -> bool + 'static) -> Oracle {
    Box::new(move |e| passes(e).then_some(*e))
}

fn apart(a: u64, b: u64) -> u64 {
    a.max(b) - a.min(b)
}

fn neighbours(x: u16, y: u16) -> impl Iterator<Item = (u16, u16)> {
    let around = (-1..=1i32).flat_map(|dy| (-1..=1i32).map(move |dx| (dx, dy)));
    around.filter(|d| *d != (0, 0)).filter_map(move |(dx, dy)| {
        let (x, y) = (i32::from(x) + dx, i32::from(y) + dy);
        Some((u16::try_from(x).ok()?, u16::try_from(y).ok()?))
    })
}

/// The filters, each with the plain way to say what it does to an event.
fn oracles() -> Vec<(&'static str, Oracle)> {
    let mut last = HashMap::new();
    let refractory = keep(move |e| {
        let at = (e.x, e.y);
        let passes = last.get(&at).is_none_or(|t| apart(*t, e.t_us) >= 50);
        if passes {
            last.insert(at, e.t_us);
        }
        passes
    });
    let mut seen = HashMap::new();
    let background = keep(move |e| {
        let near = |at| seen.get(&at).is_some_and(|t| apart(*t, e.t_us) <= 30);
        let passes = neighbours(e.x, e.y).any(near);
        seen.insert((e.x, e.y), e.t_us);
        passes
    });
    let mut n = 0;
    let decimate = keep(move |_| {
        n += 1;
        n % 3 == 1
    });
    let inside = |e: &Event| (3..13).contains(&e.x) && (4..9).contains(&e.y);
    let map = |f: fn(Event) -> Event| -> Oracle { Box::new(move |e| Some(f(*e))) };
    vec![
        ("refractory=50us", refractory),
        ("background=30us", background),
        ("decimate=3", decimate),
        ("roi=3:4:10x5", keep(inside)),
        (
            "crop=3:4:10x5",
            Box::new(move |e| {
                inside(e).then(|| Event {
                    x: e.x - 3,
                    y: e.y - 4,
                    ..*e
                })
            }),
        ),
        (
            "mask=3:4+0:7",
            keep(|e| (e.x, e.y) != (3, 4) && (e.x, e.y) != (0, 7)),
        ),
        (
            "subsample=3",
            Box::new(|e| {
                (e.x % 3 == 0 && e.y % 3 == 0).then_some(Event {
                    x: e.x / 3,
                    y: e.y / 3,
                    ..*e
                })
            }),
        ),
        ("flip_x", map(|e| Event { x: 15 - e.x, ..e })),
        ("flip_y", map(|e| Event { y: 11 - e.y, ..e })),
        (
            "transpose",
            map(|e| Event {
                x: e.y,
                y: e.x,
                ..e
            }),
        ),
        ("polarity=on", keep(|e| e.on)),
        ("polarity=off", keep(|e| !e.on)),
        ("polarity=invert", map(|e| Event { on: !e.on, ..e })),
        ("hot=1ms:4000hz:2", hot_oracle()),
        ("rate=100k:100us", rate_oracle()),
    ]
}

/// Windows from the first event on; times before the window belong to it.
fn hot_oracle() -> Oracle {
    let (window_us, limit, ratio) = (1000, 4, 2);
    let mut start = None;
    let mut window = 0u64;
    // Counts of a pixel by window, and since when it is hot.
    let mut counts: HashMap<(u16, u16, u64), u64> = HashMap::new();
    let mut hot: HashMap<(u16, u16), u64> = HashMap::new();
    keep(move |e| {
        let begin = *start.get_or_insert(e.t_us);
        window = window.max(e.t_us.saturating_sub(begin) / window_us);
        let (x, y) = (e.x, e.y);
        *counts.entry((x, y, window)).or_default() += 1;
        let of = |x, y, w| counts.get(&(x, y, w)).copied().unwrap_or(0);
        let here = of(x, y, window);
        if let Some(since) = hot.get(&(x, y)) {
            // Stays hot if every window since, up to the last, was over the limit.
            if (*since..window).any(|w| of(x, y, w) < limit) {
                hot.remove(&(x, y));
            }
        }
        let around: u64 = neighbours(x, y).map(|(x, y)| of(x, y, window)).sum();
        if here >= limit && here * 8 > around * ratio {
            hot.entry((x, y)).or_insert(window);
        }
        !hot.contains_key(&(x, y))
    })
}

/// In whole events times 10^6: 100 events a millisecond, ten at most at once.
fn rate_oracle() -> Oracle {
    let (mut credit, mut last) = (10_000_000u64, None);
    keep(move |e| {
        let before = *last.get_or_insert(e.t_us);
        if e.t_us > before {
            credit = (credit + (e.t_us - before) * 100_000).min(10_000_000);
            last = Some(e.t_us);
        }
        let passes = credit >= 1_000_000;
        credit -= u64::from(passes) * 1_000_000;
        passes
    })
}

/// Each run of events of one time, as a whole.
fn arbiter_oracle(events: &[Event]) -> Vec<Event> {
    let (min, ratio, lately) = (3, 2, 30);
    let mut out = Vec::new();
    let mut bursts: HashMap<u16, (usize, u64)> = HashMap::new();
    for group in events.chunk_by(|a, b| a.t_us == b.t_us) {
        let t = group[0].t_us;
        let count = |y| group.iter().filter(|e| e.y == y).count();
        let level = |y: u16| {
            let before = bursts.get(&y).filter(|(_, at)| apart(*at, t) <= lately);
            count(y).max(before.map_or(0, |(n, _)| *n))
        };
        let bad = |y: u16| {
            let around = level(y.wrapping_sub(1)).max(level(y + 1));
            count(y) >= min && count(y) > ratio * around
        };
        out.extend(group.iter().filter(|e| !bad(e.y)));
        let rows: Vec<_> = (0..12).filter(|y| count(*y) > 0 && !bad(*y)).collect();
        let counted: Vec<_> = rows.iter().map(|y| (*y, count(*y))).collect();
        // Groups that can neither be an artefact nor excuse one leave no trace.
        if group.len() >= min / ratio {
            bursts.extend(counted.into_iter().map(|(y, n)| (y, (n, t))));
        }
    }
    out
}

proptest! {
    #[test]
    fn every_filter_does_what_the_plain_one_does(
        events in streams(),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
    ) {
        for (text, mut oracle) in oracles() {
            let expected: Vec<_> = events.iter().filter_map(&mut oracle).collect();
            let (out, chain) = run(text, &events, &cuts);
            prop_assert_eq!(&out, &expected, "{}", text);
            prop_assert_eq!(chain.taken(), events.len() as u64);
            prop_assert_eq!(chain.removed(), (events.len() - out.len()) as u64);
            prop_assert_eq!(chain.held(), 0);
            let Geometry { width, height } = chain.geometry();
            prop_assert!(out.iter().all(|e| e.x < width && e.y < height));
        }
        let (out, _) = run("arbiter=3:2:30us", &events, &cuts);
        prop_assert_eq!(out, arbiter_oracle(&events));
    }

    /// Nothing that is written is a panic.
    #[test]
    fn any_text_is_a_chain_or_an_error(
        text in "(hot|roi|crop|rate|arbiter|mask|decimate|transpose|x)?[=:,x+.a-z0-9µ -]{0,20}",
        anything in ".{0,30}",
    ) {
        for text in [text, anything] {
            if let Ok(mut chain) = Chain::parse(&text, SENSOR) {
                chain.finish(&mut vec![event(3, 15, 11), event(u64::MAX, 0, 0), event(0, 0, 0)]);
            }
        }
    }

    #[test]
    fn a_chain_is_its_filters_one_after_the_other_whatever_the_batches(
        events in streams(),
        cuts in prop::collection::vec(any::<usize>(), 0..6),
        order in prop::sample::subsequence(vec![
            "hot=1ms:4000hz:2", "arbiter=3:2:30us", "transpose", "crop=1:2:8x6",
            "background=100us", "flip_x", "subsample=2", "rate=100k:100us",
        ], 0..=8).prop_shuffle(),
    ) {
        // In some orders the crop does not fit.
        let text = order.join(",");
        if let Ok(chain) = Chain::parse(&text, SENSOR) {
            let (out, _) = run(&text, &events, &cuts);
            let mut geometry = SENSOR;
            let mut expected = events.clone();
            for filter in &order {
                let mut alone = Chain::parse(filter, geometry).expect("fits");
                alone.finish(&mut expected);
                geometry = alone.geometry();
            }
            prop_assert_eq!(&out, &expected, "{}", text);
            prop_assert_eq!(chain.geometry(), geometry);
        }
    }
}

fn event(t_us: u64, x: u16, y: u16) -> Event {
    Event {
        t_us,
        x,
        y,
        on: true,
    }
}

#[test]
fn a_hot_pixel_is_learnt_listed_and_freed() {
    let mut chain = Chain::parse("hot=1s:10hz:5", SENSOR).expect("a chain");
    // It fires at 100 Hz, its neighbours now and then.
    let second = |s: u64| (0..100).map(move |i| event(s * 1_000_000 + i * 10_000, 5, 5));
    let mut batch: Vec<_> = second(0).collect();
    batch.push(event(999_999, 6, 5));
    chain.process(&mut batch);
    assert_eq!(
        batch.len(),
        9 + 1,
        "nine before it is known, and the neighbour's"
    );
    assert_eq!(chain.silenced(), [(5, 5)]);
    let mut batch: Vec<_> = second(1).collect();
    chain.process(&mut batch);
    assert!(batch.is_empty(), "it stays hot");
    let mut batch = vec![event(2_500_000, 5, 5), event(3_500_000, 5, 5)];
    chain.process(&mut batch);
    assert_eq!(batch, [event(3_500_000, 5, 5)], "free after a quiet window");
    assert!(chain.silenced().is_empty());
    assert_eq!(chain.counts()[0].removed, 91 + 100 + 1);
}

/// A clock that is set back by hours must not silence the camera for hours.
#[test]
fn filters_survive_a_clock_that_is_set_back() {
    for text in [
        "refractory=10ms",
        "background=10ms",
        "hot",
        "rate=1k:5ms",
        "arbiter",
    ] {
        let mut chain = Chain::parse(text, SENSOR).expect("a chain");
        let burst = |t_us| {
            vec![
                event(t_us, 4, 4),
                event(t_us + 1, 5, 4),
                event(t_us + 2, 4, 5),
            ]
        };
        let mut before = burst(9_000_000_000);
        chain.process(&mut before);
        let mut after = burst(1000);
        chain.finish(&mut after);
        assert!(after.len() >= 2, "{text}: {after:?}");
    }
}

#[test]
fn texts_that_are_no_chain_teach() {
    let cases = [
        ("sharpen", "no filter 'sharpen'; there are: hot, background"),
        ("roi=10:20:100x80", "reaches to column 109, row 99"),
        ("roi=10:20:100x80", "is 16x12"),
        ("crop=2:2:4x4,roi=0:0:5x4", "is 4x4"),
        ("transpose,roi=0:0:13x4", "is 12x16"),
        (
            "roi=1:2",
            "no value for WIDTHxHEIGHT; write roi=X:Y:WIDTHxHEIGHT",
        ),
        ("roi=1:2:0x3", "whole numbers from 1"),
        ("refractory=500", "units us, ms, s"),
        ("refractory=0us", "outside 1us to 1000s"),
        ("refractory=nans", "outside 1us to 1000s"),
        ("refractory=1ms:2", "'2' is too much"),
        ("decimate", "no value for each N-th"),
        ("decimate=0", "outside 1 to 1000000"),
        ("flip_x=1", "'1' is too much; write flip_x"),
        ("polarity=both", "write polarity=on"),
        ("hot=1s:1khz", "number of hz"),
        ("hot=1us:1hz", "it must be 2 to"),
        ("mask=16:0", "reaches to column 16, row 0"),
        ("mask=/nowhere/mask.png", "mask /nowhere/mask.png"),
        ("rate=-1", "not a whole number"),
        ("refractory,,hot", "no filter ''"),
    ];
    for (text, part) in cases {
        let error = Chain::parse(text, SENSOR).err();
        let error = error
            .unwrap_or_else(|| panic!("{text} is taken"))
            .to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    let error = Chain::parse("hot", Geometry::UNBOUNDED)
        .err()
        .expect("too large");
    assert!(error.to_string().contains("65535x65535"), "{error}");
    let many = ["decimate=1"; 33].join(",");
    assert!(Chain::parse(&many, SENSOR).is_err());
    assert!(Chain::parse(" ", SENSOR).expect("no filter").is_empty());
    let default = Chain::parse("default", SENSOR).expect("a chain");
    assert_eq!(default.counts().len(), 3);
}

#[test]
fn masks_come_from_lists_and_images() {
    let folder = tempfile::tempdir().expect("a folder");
    let list = folder.path().join("hot.txt");
    std::fs::write(&list, "# hot\n3 4\n5,6 # another\n").expect("written");
    let image = folder.path().join("mask.png");
    let black = |x, y| (x, y) == (3, 4) || (x, y) == (5, 6);
    let pixel = |x, y| image::Luma([if black(x, y) { 0u8 } else { 255 }]);
    image::ImageBuffer::from_fn(16, 12, pixel)
        .save(&image)
        .expect("written");
    for path in [&list, &image] {
        let mut chain = Chain::parse(&format!("mask={}", path.display()), SENSOR).expect("a chain");
        let mut events = vec![event(1, 3, 4), event(2, 4, 4), event(3, 5, 6)];
        chain.process(&mut events);
        assert_eq!(events, [event(2, 4, 4)]);
        let small = Geometry {
            width: 4,
            height: 3,
        };
        let error = Chain::parse(&format!("mask={}", path.display()), small);
        let error = error.err().expect("does not fit").to_string();
        assert!(error.contains("is 4x3"), "{error}");
    }
    std::fs::write(&list, "3 4\nx\n").expect("written");
    let error = Chain::parse(&format!("mask={}", list.display()), SENSOR).err();
    assert!(error.is_some_and(|e| e.to_string().contains("line 2: 'x'")));
}

#[test]
fn filters_that_stay_keep_what_they_know() {
    let mut chain = Chain::parse("refractory=1ms,decimate=2", SENSOR).expect("a chain");
    let mut events = vec![event(100, 1, 1), event(200, 2, 1)];
    chain.process(&mut events);
    let decimated = chain.removed();
    let new = ChainSpec::parse("polarity=on,refractory=1ms").expect("a chain");
    chain.change(&new).expect("fits");
    let mut events = vec![event(300, 1, 1), event(300, 3, 1)];
    chain.process(&mut events);
    assert_eq!(events, [event(300, 3, 1)], "the refractory time goes on");
    assert_eq!(chain.removed(), decimated + 1);
    // What does not fit changes nothing.
    let new = ChainSpec::parse("refractory=1ms,roi=10:10:10x10").expect("a chain");
    assert!(chain.change(&new).is_err());
    let names: Vec<_> = chain.counts().into_iter().map(|c| c.name).collect();
    assert_eq!(names, ["polarity", "refractory"]);
}

#[test]
fn events_off_the_sensor_are_removed_and_counted() {
    let mut chain = Chain::parse("hot,flip_x", SENSOR).expect("a chain");
    let mut events = vec![event(1, 16, 0), event(2, 15, 11), event(3, 0, 12)];
    chain.process(&mut events);
    assert_eq!(events, [event(2, 0, 11)]);
    assert_eq!((chain.outside(), chain.removed()), (2, 2));
}
