//! What is made of a board's ticks, with a board that says what it is told to.

use super::board::{Board, Heard};
use saccade_engine::backends::spinnaker_live::{BoardTick, LiveBoard, LiveCounts, State};
use saccade_engine::spinnaker::Result;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What a board will say, what it was sent, and whether it runs.
#[derive(Default)]
struct Script {
    ticks: VecDeque<BoardTick>,
    sent: Vec<u32>,
    begins: u32,
    silent: bool,
}

struct Scripted(Arc<Mutex<Script>>);

impl LiveBoard for Scripted {
    fn push(&mut self, input: u32, _tick: Option<u32>) -> Result<bool> {
        self.0.lock().expect("one thread").sent.push(input);
        Ok(true)
    }

    fn control(&mut self, begin: bool, _tick: Option<u32>) -> bool {
        let mut script = self.0.lock().expect("one thread");
        script.begins += u32::from(begin);
        !script.silent
    }

    fn label(&mut self, _class: u32, _tick: Option<u32>) -> Result<bool> {
        Ok(false)
    }

    fn classes(&self) -> usize {
        0
    }

    fn poll(&mut self) {}

    fn poll_until(&mut self, _due: Instant) {}

    fn wait(&self, _most: Duration) {}

    fn next_tick(&mut self) -> Option<BoardTick> {
        self.0.lock().expect("one thread").ticks.pop_front()
    }

    fn state(&self) -> State {
        match self.0.lock().expect("one thread").silent {
            true => State::Silent,
            false => State::Running,
        }
    }

    fn trouble(&self) -> Option<&str> {
        Some("it was unplugged")
    }

    fn waiting(&self) -> usize {
        0
    }

    fn drift_ppm(&self) -> f64 {
        0.0
    }

    fn counts(&self) -> LiveCounts {
        LiveCounts::default()
    }
}

fn board() -> (Board, Arc<Mutex<Script>>) {
    let script = Arc::new(Mutex::new(Script::default()));
    (
        Board::with(Box::new(Scripted(script.clone())), true),
        script,
    )
}

fn say(script: &Mutex<Script>, tick: u32, begins: bool, hidden: &[u32]) {
    script
        .lock()
        .expect("one thread")
        .ticks
        .push_back(BoardTick {
            tick,
            begins,
            hidden: hidden.to_vec(),
            ..BoardTick::default()
        });
}

fn all(board: &mut Board) -> Vec<Heard> {
    std::iter::from_fn(|| board.next()).collect()
}

#[test]
fn ticks_before_the_begin_are_of_another_interval_and_lost_ones_are_silent() {
    let (mut board, script) = board();
    say(&script, 3, true, &[7]);
    assert_eq!(all(&mut board), [], "nobody has asked");
    assert!(board.begin());
    say(&script, 4, false, &[1]);
    say(&script, 5, true, &[2]);
    say(&script, 6, false, &[3]);
    say(&script, 9, false, &[4]);
    let expected = [
        Heard::Begins(vec![2]),
        Heard::Tick(vec![3]),
        Heard::Tick(vec![]),
        Heard::Tick(vec![]),
        Heard::Tick(vec![4]),
    ];
    assert_eq!(all(&mut board), expected);
    assert_eq!(board.counts.silent, 2);
    // Half way through a gap the interval ends.
    say(&script, 12, false, &[5]);
    assert_eq!(board.next(), Some(Heard::Tick(vec![])));
    board.end();
    assert_eq!(all(&mut board), []);
}

#[test]
fn a_lost_begin_is_sent_again_and_inputs_go_once_a_tick() {
    let (mut board, script) = board();
    assert!(board.begin());
    for input in [9, 4, 9] {
        board.push(input);
    }
    for _ in 0..50 {
        board.poll();
    }
    assert_eq!(script.lock().expect("one thread").sent, [4, 9]);
    assert_eq!(script.lock().expect("one thread").begins, 3);
    assert_eq!((board.counts.merged, board.counts.repeated), (1, 2));
    say(&script, 5, true, &[]);
    say(&script, 25, true, &[1]);
    // Both came in the end: what was in between is forgotten.
    let expected = [Heard::Begins(vec![]), Heard::Begins(vec![1])];
    assert_eq!(all(&mut board), expected);
    for _ in 0..50 {
        board.poll();
    }
    assert_eq!(board.counts.repeated, 2, "it has begun");
}

#[test]
fn a_board_that_is_gone_takes_nothing_and_says_why() {
    let (mut board, script) = board();
    assert_eq!(board.trouble(), None);
    script.lock().expect("one thread").silent = true;
    assert!(!board.begin());
    let why = board.trouble().expect("it is silent");
    assert_eq!(why, "the board does not answer: it was unplugged");
}
