//! The backend against the emulated board: packet by packet, with no clock, and over UDP.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::*;
use crate::models::classifier::Classifier;
use crate::models::config::ClassifierConfig;
use crate::spinnaker::emulator::{
    Board, BoardSettings, ClassifierProgram, Control, Emulator, EmulatorConfig, Faults, Limits,
};

const N_IN: usize = 64;
const N_REC: usize = 60;
const TICKS: u32 = 200;

fn classifier() -> Classifier {
    let config = ClassifierConfig {
        n_in: N_IN,
        n_lif: 30,
        n_alif: 30,
        max_ticks: TICKS as usize,
        input_gain: 8.0,
        ..ClassifierConfig::default()
    };
    Classifier::new(config, 7).expect("a network")
}

/// Input spikes of tick `tick` of interval `interval`: each input at most once.
fn inputs(interval: u32, tick: u32) -> Vec<u32> {
    let n = 1 + (tick * 7 + interval) % 9;
    (0..n)
        .map(|k| (interval * 13 + tick * 5 + k * 11) % N_IN as u32)
        .collect()
}

/// Spikes of the recurrent layer in this process, tick for tick, and the readout at the end.
fn on_cpu(interval: u32) -> (Vec<Vec<u32>>, Vec<f32>) {
    let mut classifier = classifier();
    classifier.begin_interval();
    let mut hidden = Vec::new();
    for tick in 0..TICKS {
        for input in inputs(interval, tick) {
            classifier.push_spike(input).expect("an input");
        }
        classifier.tick(None).expect("no target");
        hidden.push(classifier.hidden_spikes().to_vec());
    }
    let spikes = hidden.iter().flatten().count();
    assert!(spikes > 300, "only {spikes} spikes");
    (hidden, classifier.readout().to_vec())
}

fn pair(settings: BoardSettings, pace: Pace, hold: u32) -> EmulatedBoard {
    let program = ClassifierProgram::new(classifier());
    let board = EmulatedBoard::new(program, pace, hold, settings).expect("fits");
    assert!(board.link.is_answered());
    board
}

impl EmulatedBoard {
    /// A millisecond, and the ticks that came in it.
    fn step(&mut self) -> Vec<BoardTick> {
        self.poll();
        std::iter::from_fn(|| self.next_tick()).collect()
    }

    /// An interval sent as it happens: its ticks, from the one in which it began.
    fn interval(&mut self, interval: u32) -> Vec<BoardTick> {
        assert!(self.control(true, None));
        let mut ticks = Vec::new();
        for tick in 0..TICKS {
            for input in inputs(interval, tick) {
                self.push(input, None).expect("an input");
            }
            ticks.extend(self.step());
        }
        for _ in 0..8 {
            ticks.extend(self.step());
        }
        let begins = ticks.iter().rposition(|t| t.begins).unwrap_or(0);
        ticks.split_off(begins)
    }
}

#[test]
fn the_board_fires_as_the_cpu_tick_for_tick() {
    for timed in [false, true] {
        let mut pair = pair(BoardSettings::default(), Pace::UNLIMITED, 1);
        for interval in 0..3 {
            let ticks = if timed {
                // All at once, with the ticks they are for.
                let start = pair.board.now() + 5;
                pair.link.control(true, Some(start));
                for tick in 0..TICKS {
                    for input in inputs(interval, tick) {
                        pair.link.push(input, Some(start + tick)).expect("an input");
                    }
                }
                let ticks: Vec<_> = (0..TICKS + 8).flat_map(|_| pair.step()).collect();
                let begins = ticks.iter().position(|t| t.begins).expect("it begins");
                assert_eq!(ticks[begins].tick, start);
                ticks[begins..].to_vec()
            } else {
                pair.interval(interval)
            };
            let (hidden, readout) = on_cpu(interval);
            let mut here = classifier();
            here.begin_interval();
            for (i, (tick, expected)) in ticks.iter().zip(&hidden).enumerate() {
                assert_eq!(
                    &tick.hidden, expected,
                    "tick {i} of {interval}, timed: {timed}"
                );
                here.observe(&tick.hidden).expect("its neurons");
            }
            assert!(ticks.len() >= hidden.len());
            assert_eq!(here.readout(), readout, "the same readout, to the bit");
        }
        let counts = pair.link.counts();
        assert_eq!(counts.ticks.incomplete + counts.ticks.late, 0, "{counts:?}");
        assert_eq!(counts.out.dropped + pair.board.counts().late, 0);
    }
}

/// With a real board's limits on, the pace keeps below them: nothing is lost there, what does
/// not fit is delayed, or dropped and counted here.
#[test]
fn injection_keeps_to_the_limits_of_a_board() {
    let settings = BoardSettings {
        limits: Some(Limits::REAL),
        ..BoardSettings::default()
    };
    let mut pair = pair(settings, Pace::REAL, 1);
    pair.link.control(true, None);
    let mut sent = 0_u64;
    for tick in 0..100_u32 {
        for k in 0..900 {
            sent += u64::from(
                pair.link
                    .push((tick + k) % N_IN as u32, None)
                    .expect("an input"),
            );
        }
        pair.step();
    }
    let (there, here) = (pair.board.counts(), pair.link.counts());
    assert_eq!(there.over_bandwidth + there.over_fifo, 0, "{there:?}");
    assert_eq!(here.out.events, there.events_in);
    assert_eq!(sent + 1, here.out.events + pair.link.waiting() as u64);
    assert_eq!(here.out.dropped, 90_000 - sent);
    assert!(here.out.dropped > 0 && here.out.delayed > 0, "{here:?}");
    // The pace is used: 1000 bytes are 477 events.
    assert!(here.out.events > 99 * 450, "{here:?}");
}

#[test]
fn a_bad_network_is_counted_and_survived() {
    let faults = Faults {
        lost: 0.01,
        duplicated: 0.02,
        reordered: 0.02,
        ..Faults::default()
    };
    let settings = BoardSettings {
        faults,
        seed: 3,
        ..BoardSettings::default()
    };
    let mut pair = pair(settings, Pace::UNLIMITED, 3);
    let mut ticks = 0;
    for interval in 0..10 {
        ticks += pair.interval(interval).len();
    }
    let (there, here) = (pair.board.counts(), pair.link.counts());
    let out = there.faults_out;
    assert!(
        out.lost > 0 && out.duplicated > 0 && out.reordered > 0,
        "{out:?}"
    );
    // A packet holds a tick here: each that is lost is missed, none other.
    assert_eq!(here.ticks.incomplete, out.lost, "{here:?}");
    assert!(
        here.ticks.duplicates > 0 && here.ticks.late == 0,
        "{here:?}"
    );
    assert!(ticks > 1800 && here.malformed == 0, "{ticks}");
    pair.link.receive(&[1, 0x38, 0], 0);
    pair.link.receive(&[10, 0x40], 0);
    assert_eq!(pair.link.counts().malformed, 2);
}

/// Packets that take five ticks each way, and a network over ten cores, with gaps between
/// their keys: the same spikes, later.
#[test]
fn a_slow_line_and_many_cores_change_no_spike() {
    let settings = BoardSettings {
        limits: Some(Limits {
            neurons_per_core: 6,
            ..Limits::REAL
        }),
        faults: Faults {
            delay_ticks: 5,
            ..Faults::default()
        },
        ..BoardSettings::default()
    };
    let mut pair = pair(settings, Pace::UNLIMITED, 1);
    let hidden = &pair.board.map().populations[2];
    assert_eq!((hidden.keys[5] & 0xFF, hidden.keys[6] & 0xFF), (5, 8));
    let mut ticks = pair.interval(3);
    ticks.extend((0..10).flat_map(|_| pair.step()));
    let (expected, _) = on_cpu(3);
    let fired = ticks.iter().map(|t| &t.hidden).take(expected.len());
    assert!(fired.eq(expected.iter()));
    // A tick is handed on one tick after the next one, which came five later.
    assert_eq!(ticks[0].tick, 6);
    assert_eq!(pair.counts().link.ticks.incomplete, 0);
}

/// Boards hold eight neurons a core where these learn by e-prop there: a large network does
/// not fit, and the text says so.
#[test]
fn a_network_too_large_for_a_board_is_refused() {
    let config = ClassifierConfig {
        n_in: 4,
        n_lif: 6200,
        n_alif: 0,
        ..ClassifierConfig::default()
    };
    let large = || ClassifierProgram::new(Classifier::new(config.clone(), 7).expect("a network"));
    let settings = |limits| BoardSettings {
        limits: Some(limits),
        ..BoardSettings::default()
    };
    let new = |limits| EmulatedBoard::new(large(), Pace::REAL, 1, settings(limits)).map(|_| ());
    let error = new(Limits::EPROP).expect_err("777 cores").to_string();
    let said = ["'hidden'", "6200", "777 cores", "768"];
    assert!(said.iter().all(|s| error.contains(s)), "{error}");
    new(Limits::REAL).expect("27 cores");
}

#[test]
fn the_clock_finds_the_drift() {
    let mut clock = BoardClock::new(1000);
    assert_eq!((clock.time_us(1), clock.drift_ppm()), (None, 0.0));
    // A board that is 200 ppm slow, with delays of 0.1 to 0.9 ms.
    for tick in 1..20_000_u32 {
        let delay = 100.0 + 100.0 * f64::from(tick * 7 % 9);
        clock.packet(tick, (5e6 + f64::from(tick) * 1000.2 + delay) as u64);
    }
    assert!(
        (clock.drift_ppm() - 200.0).abs() < 5.0,
        "{}",
        clock.drift_ppm()
    );
    let at = clock.time_us(19_999).expect("seen");
    let truth = 5e6 + 19_999.0 * 1000.2 + 100.0;
    assert!((at - truth).abs() < 500.0, "{at} {truth}");
}

#[test]
fn another_network_is_refused_by_name() {
    let program = Box::new(ClassifierProgram::new(classifier()));
    let settings = BoardSettings::default();
    let board = Board::new(program, Ipv4Addr::LOCALHOST, 1000, settings).expect("fits");
    let error = Link::new(board.map(), N_IN, 61, Pace::REAL, 1).expect_err("61");
    let error = error.to_string();
    assert!(
        error.contains("'hidden'") && error.contains("60") && error.contains("61"),
        "{error}"
    );
    let slow = Pace {
        burst: 10.0,
        ..Pace::REAL
    };
    assert!(Link::new(board.map(), N_IN, N_REC, slow, 1).is_err());
}

/// Polls until a condition holds.
fn until(live: &mut SpinnakerLive, what: &str, mut done: impl FnMut(&mut SpinnakerLive) -> bool) {
    let begun = Instant::now();
    loop {
        live.poll();
        if done(live) {
            return;
        }
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "not in a minute: {what}"
        );
        live.wait(Duration::from_millis(1));
    }
}

fn emulate(address: Ipv4Addr, notify: Vec<SocketAddr>, database: &Path) -> Option<Running> {
    let config = EmulatorConfig {
        address,
        notify,
        ..EmulatorConfig::new(database.to_owned())
    };
    let program = Box::new(ClassifierProgram::new(classifier()));
    let emulator = Emulator::new(config, program).ok()?;
    let control = Arc::new(Control::default());
    let seen = Arc::clone(&control);
    Some(Running {
        control,
        thread: std::thread::spawn(move || emulator.run(&seen)),
    })
}

struct Running {
    control: Arc<Control>,
    thread: std::thread::JoinHandle<crate::spinnaker::emulator::Report>,
}

impl Running {
    fn stop(self) -> crate::spinnaker::emulator::Report {
        self.control.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("no panic")
    }
}

/// An interval over UDP, its spikes sent ahead with the ticks they are for. `None` where the
/// machine was too busy for them to be in time.
fn over_udp(live: &mut SpinnakerLive, interval: u32) -> Option<Vec<BoardTick>> {
    let mut now = 0;
    until(live, "ticks", |live| {
        while let Some(tick) = live.next_tick() {
            now = tick.tick;
        }
        now > 0
    });
    let start = now + 100;
    let mut taken = live.control(true, Some(start));
    for tick in 0..TICKS {
        for input in inputs(interval, tick) {
            taken &= live.push(input, Some(start + tick)).expect("an input");
        }
    }
    let mut ticks: Vec<BoardTick> = Vec::new();
    until(live, "the interval's end", |live| {
        ticks.extend(std::iter::from_fn(|| live.next_tick()));
        let over = ticks.last().is_some_and(|t| t.tick >= start + TICKS);
        over || !taken || live.state() != State::Running
    });
    let begins = ticks.iter().position(|t| t.begins)?;
    let ticks = ticks.split_off(begins);
    let whole = ticks.len() as u32 >= TICKS && ticks[0].tick == start;
    // What came late was delivered late: the board has counted it.
    whole.then_some(ticks)
}

/// A whole life with a board: found by notification, an interval as in this process, an
/// outage with a board that starts anew, and another interval.
#[test]
fn over_udp_through_an_outage() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = folder.path().join("board.sqlite3");
    let mut live = SpinnakerLive::new(LiveConfig {
        local: Ipv4Addr::LOCALHOST,
        notify_port: Some(0),
        database: None,
        n_in: N_IN,
        n_rec: N_REC,
        pace: Pace::UNLIMITED,
        hold: 1,
    })
    .expect("sockets");
    assert_eq!(live.state(), State::Unknown);
    assert!(!live.push(1, None).expect("an input"), "nobody is there");
    let notify = vec![live.notify_address().expect("a port")];
    let id = std::process::id();
    let board = (1..100).find_map(|n| {
        let address = Ipv4Addr::new(127, (id >> 8) as u8 | 2, id as u8, n);
        Some((address, emulate(address, notify.clone(), &database)?))
    });
    let (address, mut board) = board.expect("a free address");
    for outage in 0..2 {
        until(&mut live, "a running board", |l| {
            l.state() == State::Running
        });
        let (hidden, _) = on_cpu(outage);
        // A machine busy with other work lets spikes come too late for their tick.
        let same = (0..5).any(|_| {
            let ticks = over_udp(&mut live, outage).unwrap_or_default();
            let fired = ticks.iter().map(|t| &t.hidden).take(hidden.len());
            fired.eq(hidden.iter())
        });
        assert!(same, "other spikes in each of five attempts");
        let report = board.stop();
        assert_eq!(report.board.malformed + report.board.unknown_key, 0);
        until(&mut live, "the outage", |l| l.state() == State::Silent);
        // Another board comes, and nobody tells.
        let begun = Instant::now();
        board = loop {
            if let Some(board) = emulate(address, Vec::new(), &database) {
                break board;
            }
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "the port is not free"
            );
        };
    }
    until(&mut live, "the third board", |l| {
        l.state() == State::Running
    });
    board.stop();
    let counts = live.counts();
    assert!(
        counts.databases == 1 && counts.not_running >= 1,
        "{counts:?}"
    );
    // The first board said that it stops; the second one did not.
    assert!(counts.outages >= 1, "{counts:?}");
    assert_eq!(
        counts.send_failed + counts.link.ticks.unknown_key,
        0,
        "{counts:?}"
    );
}
