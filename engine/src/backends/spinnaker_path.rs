//! The spiking path integrator on an emulated SpiNNaker board in this process: the body here,
//! the neurons there, and between them nothing but the board's datagrams.
//!
//! Here heading and velocity become spikes of compass and flow, which leave as events for the
//! board's next tick, and the spikes of `CPU1` that come back become a turn. The board is
//! given its ticks by hand, so that a journey takes as long as it computes. There is no
//! client over UDP.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use crate::models::central_complex::{
    COMPASS_BUNDLES, EXCHANGE_MS, FLOW_BUNDLES, HomeVector, NEURONS, NoiseSource, PathIntegrator,
    Population, Readout, Senses, Spiking, VectorMemory, cells, skip_circuit,
};
use crate::spinnaker::Result;
use crate::spinnaker::board_map::Population as Placed;
use crate::spinnaker::eieio::{Header, Message, Writer};
use crate::spinnaker::emulator::{
    Board, BoardCounts, BoardSettings, CentralComplexProgram, Spike, central_complex as program,
};
use crate::spinnaker::sdp::{IpTagSet, SDP_HEADER, SdpHeader};

/// Length of a tick.
const TICK_US: u32 = 1000;
/// Where the host's datagrams come from; nothing is bound to it.
const HOST: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 5000));
/// Bytes of a message, without the header of its datagram.
const MESSAGE: usize = 272;
const DATAGRAM: usize = 2 + SDP_HEADER + MESSAGE;
/// Populations whose spikes come back.
const POPULATIONS: usize = Population::ALL.len();
/// Cells of the largest of them.
const MOST_CELLS: usize = 16;

/// A [`Spiking`] model whose neurons are on a board.
pub struct OnBoard {
    senses: Senses,
    readout: Readout,
    board: Board,
    /// Keys and core of compass and flow.
    inputs: [Placed; 2],
    /// Keys of the populations that fire.
    outputs: Vec<Placed>,
    /// Spikes of the last exchange, each with its tick; populations as in
    /// [`Population::ALL`].
    fired: Vec<(u32, Spike)>,
    /// Activities of the cells in the last exchange.
    activity: [[f64; MOST_CELLS]; POPULATIONS],
}

impl OnBoard {
    /// The senses of `model` here, its neurons on a running board. They draw their noise
    /// there, from `noise`; given a copy of the one that [`PathIntegrator::step`] is given,
    /// they do as the model does in this process.
    ///
    /// # Errors
    /// The settings leave no room for the network.
    pub fn new<N: NoiseSource + Send + 'static>(
        model: Spiking,
        noise: N,
        settings: BoardSettings,
    ) -> Result<Self> {
        let neurons = CentralComplexProgram::new(model.clone(), noise);
        let mut board = Board::new(Box::new(neurons), Ipv4Addr::LOCALHOST, TICK_US, settings)?;
        let placed = |population: u16| board.map().populations[usize::from(population)].clone();
        let inputs = [placed(program::COMPASS), placed(program::FLOW)];
        let outputs = (program::FIRST..).take(POPULATIONS).map(placed).collect();
        let ask = IpTagSet {
            yx: board.map().tag_yx,
            tag: board.map().tag,
            sequence: 0,
            strip: true,
            to: None,
        };
        board.receive(&ask.to_bytes(), HOST, &mut |_, _| {});
        board.run(true);
        let (senses, readout) = model.into_body();
        Ok(Self {
            senses,
            readout,
            board,
            inputs,
            outputs,
            fired: Vec::with_capacity(1 << 13),
            activity: [[0.0; MOST_CELLS]; POPULATIONS],
        })
    }

    /// What the board has counted.
    pub fn board_counts(&self) -> BoardCounts {
        self.board.counts()
    }

    /// Spikes of the last exchange in the order in which they came: the board's tick, the
    /// position among [`Population::ALL`], and the neuron.
    pub fn fired(&self) -> &[(u32, Spike)] {
        &self.fired
    }

    /// A millisecond: spikes go there, spikes come back.
    fn tick(&mut self) {
        let spikes = self.senses.tick();
        let [compass, flow] = &self.inputs;
        send::<COMPASS_BUNDLES>(&mut self.board, compass, &spikes.compass);
        send::<FLOW_BUNDLES>(&mut self.board, flow, &spikes.flow);
        let (outputs, fired) = (&self.outputs, &mut self.fired);
        self.board
            .tick(&mut |packet, _| take(packet, outputs, fired));
    }

    fn count(&mut self) {
        let mut counts = [[0.0_f32; MOST_CELLS]; POPULATIONS];
        for (_, spike) in &self.fired {
            counts[usize::from(spike.population)][spike.atom as usize / NEURONS] += 1.0;
        }
        self.activity = counts.map(|cells| cells.map(crate::models::central_complex::activity));
    }

    fn cpu4(&self) -> [f64; 16] {
        self.activity[Population::Cpu4 as usize]
    }
}

/// Sends spikes of bundles for the next tick, one after the other through a bundle's axons.
fn send<const N: usize>(board: &mut Board, to: &Placed, spikes: &[f32; N]) {
    let mut atoms = spikes
        .iter()
        .enumerate()
        .flat_map(|(bundle, &n)| (0..n as usize).map(move |k| NEURONS * bundle + k % NEURONS))
        .peekable();
    let header = Header::at_tick(board.now() + 1);
    while atoms.peek().is_some() {
        let mut datagram = [0; DATAGRAM];
        let (head, message) = datagram.split_at_mut(2 + SDP_HEADER);
        head.copy_from_slice(&SdpHeader::to_core(to.core).to_bytes());
        // The message holds the header and 66 keys of 32 bits: nothing is refused.
        let Ok(mut writer) = Writer::new(message, header) else {
            return;
        };
        while !writer.is_full() {
            let Some(atom) = atoms.next() else { break };
            let _ = writer.push(to.keys[atom], None);
        }
        let n = writer.finish();
        board.receive(&datagram[..2 + SDP_HEADER + n], HOST, &mut |_, _| {});
    }
}

/// Takes the spikes of a packet from the board; what is none of `outputs` is left out.
fn take(packet: &[u8], outputs: &[Placed], fired: &mut Vec<(u32, Spike)>) {
    let Ok(message) = Message::parse(packet) else {
        return;
    };
    let Some(tick) = message.tick() else { return };
    for event in message.events() {
        let of = |p: &Placed| p.keys.binary_search(&event.key).ok();
        let own = outputs
            .iter()
            .enumerate()
            .find_map(|(i, p)| Some((i, of(p)?)));
        if let Some((population, atom)) = own {
            let (population, atom) = (population as u16, atom as u32);
            fired.push((tick, Spike { population, atom }));
        }
    }
}

impl PathIntegrator for OnBoard {
    fn step<N: NoiseSource>(&mut self, heading_rad: f64, velocity: [f64; 2], noise: &mut N) -> f64 {
        self.senses.see(heading_rad, velocity, noise);
        skip_circuit(noise);
        self.fired.clear();
        for _ in 0..EXCHANGE_MS {
            self.tick();
        }
        self.count();
        self.readout.turn(self.activity(Population::Cpu1))
    }

    /// As the memory neurons fired in the last exchange: their weights are on the board.
    fn home_vector(&self) -> HomeVector {
        self.readout.home_vector(&self.cpu4())
    }

    /// As [`PathIntegrator::home_vector`], as well as the spikes of 100 ms say it.
    fn remember(&self) -> VectorMemory {
        VectorMemory(self.cpu4().map(|x| x - 0.5))
    }

    /// Does nothing: the board has no input for a place, it steers home.
    fn go_to(&mut self, _: VectorMemory) {}

    fn activity(&self, population: Population) -> &[f64] {
        &self.activity[population as usize][..cells(population)]
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::models::central_complex::{
        Flight, Gaussian, NoiseLevels, SpikingParameters, fly, outbound,
    };
    use crate::spinnaker::emulator::Limits;

    fn rng(seed: u64) -> ChaCha8Rng {
        ChaCha8Rng::seed_from_u64(seed)
    }

    fn settings() -> BoardSettings {
        BoardSettings {
            limits: Some(Limits::REAL),
            ..BoardSettings::default()
        }
    }

    /// Spikes of the model in this process, in the order in which a board sends them.
    fn on_cpu(
        cpu: &mut Spiking,
        seen: crate::models::central_complex::body::Body,
        noise: &mut Gaussian,
        ticks_before: u32,
    ) -> (f64, Vec<(u32, Spike)>) {
        let (mut fired, mut tick) = (Vec::new(), ticks_before);
        let turn = cpu.step_watched(seen.heading_rad, seen.velocity, noise, |circuit| {
            tick += 1;
            for (population, own) in (0..).zip(Population::ALL) {
                let atoms = circuit.fired(own);
                fired.extend(atoms.map(|atom| (tick, Spike { population, atom })));
            }
        });
        (turn, fired)
    }

    /// Out and home through a board with a real one's limits: every spike of every neuron in
    /// its tick, every turn to the bit, and it comes home.
    #[test]
    fn a_journey_through_the_board_is_that_of_the_cpu() {
        let mut cpu = Spiking::new(&SpikingParameters::default(), rng(41)).unwrap();
        let noise = Gaussian::new(NoiseLevels::uniform(0.1), rng(42)).unwrap();
        let mut board = OnBoard::new(cpu.clone(), noise.clone(), settings()).unwrap();
        let (mut at_body, mut at_cpu) = (noise.clone(), noise);
        let way = outbound(500, &mut rng(43)).unwrap();
        let flight = Flight {
            inbound: 700,
            sideways_rad: 0.0,
            wind: [0.0; 2],
        };
        let (mut exchanges, mut spikes) = (0, 0);
        let journey = fly(
            &mut board,
            &way,
            flight,
            &mut at_body,
            &mut |board, step| {
                let before = EXCHANGE_MS * exchanges;
                let (turn, fired) = on_cpu(&mut cpu, step.seen, &mut at_cpu, before);
                assert_eq!(board.fired(), fired, "exchange {exchanges}");
                assert_eq!(step.turn_rad.to_bits(), turn.to_bits(), "{exchanges}");
                for population in Population::ALL {
                    let name = population.name();
                    assert_eq!(
                        board.activity(population),
                        cpu.activity(population),
                        "{name}"
                    );
                }
                exchanges += 1;
                spikes += fired.len();
            },
        );
        let counts = board.board_counts();
        println!("{spikes} spikes, closest {}, {counts:?}", journey.closest());
        assert_eq!((exchanges, counts.ticks), (1200, 120_000));
        assert!(spikes > 1_000_000, "{spikes}");
        let dropped = counts.over_fifo + counts.over_bandwidth + counts.late + counts.unknown_key;
        assert_eq!(dropped, 0, "{counts:?}");
        assert!(journey.turning_distance() > 40.0 && journey.closest() < 20.0);
    }

    /// A board that draws other noise fires otherwise: the comparison above can fail.
    #[test]
    fn other_noise_on_the_board_gives_other_spikes() {
        let cpu = Spiking::new(&SpikingParameters::default(), rng(41)).unwrap();
        let noise = |seed| Gaussian::new(NoiseLevels::uniform(0.1), rng(seed)).unwrap();
        let fired = |seed| {
            let mut board = OnBoard::new(cpu.clone(), noise(seed), settings()).unwrap();
            board.step(0.3, [0.1, 0.4], &mut noise(1));
            board.fired().to_vec()
        };
        assert_eq!(fired(1), fired(1));
        assert_ne!(fired(1), fired(2));
    }
}
