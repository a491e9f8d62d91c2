//! The emulated board in this process: the same datagrams, with no sockets and no clock.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use super::{BoardTick, Link, LiveBoard, LiveCounts, Pace, State};
use crate::spinnaker::Result;
use crate::spinnaker::emulator::{
    Board, BoardCounts, BoardSettings, ClassifierProgram, LearningProgram, Program,
};

/// Length of a tick.
const TICK_US: u32 = 1000;
/// Where the host's datagrams come from; nothing is bound to it.
const HOST: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5000));

/// A board that ticks when it is told to: each [`LiveBoard::poll`] is one of its
/// milliseconds. What it does depends on what it is sent, and its seed, alone.
pub struct EmulatedBoard {
    pub(super) board: Board,
    pub(super) link: Link,
    now_us: u64,
}

impl EmulatedBoard {
    /// A running board with a classifier's recurrent layer, and a link to it. A tick is handed
    /// on when a packet has come of one `hold` ticks later.
    ///
    /// # Errors
    /// A network that does not fit onto the board, or a pace that cannot be.
    pub fn new(
        program: ClassifierProgram,
        pace: Pace,
        hold: u32,
        settings: BoardSettings,
    ) -> Result<Self> {
        let size = program.size();
        Self::with(Box::new(program), size, pace, hold, settings)
    }

    /// The same with a network that learns on the board.
    ///
    /// # Errors
    /// As [`EmulatedBoard::new`].
    pub fn learning(
        program: LearningProgram,
        pace: Pace,
        hold: u32,
        settings: BoardSettings,
    ) -> Result<Self> {
        let size = program.size();
        Self::with(Box::new(program), size, pace, hold, settings)
    }

    fn with(
        program: Box<dyn Program>,
        (n_in, n_rec): (usize, usize),
        pace: Pace,
        hold: u32,
        settings: BoardSettings,
    ) -> Result<Self> {
        let mut board = Board::new(program, Ipv4Addr::LOCALHOST, TICK_US, settings)?;
        let mut link = Link::new(board.map(), n_in, n_rec, pace, hold)?;
        let ask = link.ask();
        board.receive(&ask, HOST, &mut |answer, _| {
            link.receive(answer, 0);
        });
        board.run(true);
        Ok(Self {
            board,
            link,
            now_us: 0,
        })
    }

    /// What the board has counted.
    pub fn board_counts(&self) -> BoardCounts {
        self.board.counts()
    }
}

impl LiveBoard for EmulatedBoard {
    fn push(&mut self, input: u32, tick: Option<u32>) -> Result<bool> {
        self.link.push(input, tick)
    }

    fn control(&mut self, begin: bool, tick: Option<u32>) -> bool {
        self.link.control(begin, tick)
    }

    fn label(&mut self, class: u32, tick: Option<u32>) -> Result<bool> {
        self.link.label(class, tick)
    }

    fn classes(&self) -> usize {
        self.link.classes()
    }

    fn poll(&mut self) {
        self.now_us += u64::from(TICK_US);
        let (board, link) = (&mut self.board, &mut self.link);
        link.flush(self.now_us, &mut |datagram| {
            board.receive(datagram, HOST, &mut |_, _| {});
        });
        board.tick(&mut |packet, _| {
            link.receive(packet, self.now_us);
        });
    }

    fn next_tick(&mut self) -> Option<BoardTick> {
        self.link.next_tick()
    }

    fn poll_until(&mut self, _due: Instant) {
        self.poll();
    }

    fn wait(&self, _most: Duration) {}

    fn state(&self) -> State {
        State::Running
    }

    fn trouble(&self) -> Option<&str> {
        None
    }

    fn waiting(&self) -> usize {
        self.link.waiting()
    }

    fn drift_ppm(&self) -> f64 {
        0.0
    }

    fn counts(&self) -> LiveCounts {
        LiveCounts {
            link: self.link.counts(),
            ..LiveCounts::default()
        }
    }
}
