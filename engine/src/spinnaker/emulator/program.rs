//! What runs on the emulated cores.

/// What a population is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Takes events from the host.
    Input,
    /// Takes events from the host, and its spikes leave the board again.
    Echo,
    /// Its spikes leave the board.
    Output,
    /// Poisson sources, silent until the host sets their rates through the population
    /// `<label>_control`; their spikes leave the board.
    Poisson,
}

/// A population that a program has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Its name.
    pub label: &'static str,
    /// Number of its neurons.
    pub atoms: usize,
    /// What it is for.
    pub role: Role,
}

/// A spike of an atom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spike {
    /// Position of its population among [`Program::populations`].
    pub population: u16,
    /// The atom in its population.
    pub atom: u32,
}

/// A network on the board.
pub trait Program: Send {
    /// Its populations; always the same.
    fn populations(&self) -> Vec<Spec>;

    /// One tick: takes the events that have arrived, in their order, and adds the spikes of
    /// its outputs to `fired`.
    fn tick(&mut self, arrived: &[Spike], fired: &mut Vec<Spike>);

    /// Events that it had no use for, since it was made.
    fn ignored(&self) -> u64 {
        0
    }
}

/// Answers every spike `i` of `inj` with one of atom `(7 i + 3) mod n` of `out` in the same
/// tick; for tests and measurements.
#[derive(Clone, Debug)]
pub struct Relay {
    /// Atoms of either population.
    pub n: usize,
    /// Poisson sources in the population `poisson`.
    pub sources: usize,
}

impl Program for Relay {
    fn populations(&self) -> Vec<Spec> {
        let spec = |label, atoms, role| Spec { label, atoms, role };
        vec![
            spec("inj", self.n, Role::Input),
            spec("out", self.n, Role::Output),
            spec("poisson", self.sources, Role::Poisson),
        ]
    }

    fn tick(&mut self, arrived: &[Spike], fired: &mut Vec<Spike>) {
        let n = self.n as u32;
        fired.extend(arrived.iter().map(|spike| Spike {
            population: 1,
            atom: (7 * spike.atom + 3) % n,
        }));
    }
}
