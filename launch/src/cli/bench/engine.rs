//! `saccade bench engine`: how fast networks learn and decide.

use super::clock::median;
use super::inference::{self, Share};
use super::nest::{Form, Nest};
use super::ours::{Contestant, OurOffline, OurOnline};
use super::problem::{Problem, Sizes};
use super::scaling::Scaling;
use crate::cli::{CliError, CliResult, Exit, print_json, print_line};
use saccade_engine::learning::optimizer::OptimizerConfig;
use std::path::PathBuf;

/// Arguments of `saccade bench engine`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  saccade bench engine
  tests/peers/install.sh
  saccade bench engine --nest target/peers/bin/python
  saccade bench engine --net 500/500/10 --optimizer adam --repeats 9
  saccade bench engine --scaling

Everybody learns the same network (LIF, random feedback, firing-rate regularisation)
with the same weights from the same Poisson input, one thread each, in turns. A first
turn warms up and is not counted; of the others the median of the CPU time counts, in
NEST that of Simulate alone. Compare the rates: learning differs a little (see
engine/README.md), and so do the neurons of NEST's two forms.

Then the share of one core that networks take which only decide, in real time.")]
pub struct EngineArgs {
    /// A network to learn, inputs/neurons/readouts; may be given several times.
    #[arg(long, value_name = "N/N/N", default_values = ["100/100/2", "500/500/10"])]
    net: Vec<Sizes>,
    /// What changes the weights.
    #[arg(long, value_enum, default_value_t = Rule::Sgd)]
    optimizer: Rule,
    /// Rate of every input, in Hz.
    #[arg(long, default_value_t = 20.0, value_parser = rate)]
    rate: f64,
    /// Ticks of 1 ms in a turn, also the interval of the offline form.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(10..=10_000))]
    ticks: u16,
    /// Turns that count.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=100))]
    repeats: u16,
    /// Seed of weights and input.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Measure NEST too, in this Python that has it (PyPI nest-simulator).
    #[arg(long, value_name = "PYTHON")]
    nest: Option<PathBuf>,
    /// Measure instead how cost grows with neurons, synapses and rate.
    #[arg(long, conflicts_with_all = ["net", "optimizer", "rate", "nest"])]
    scaling: bool,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Rule {
    /// Gradient descent.
    Sgd,
    /// Adam.
    Adam,
}

/// A rate that a tick of 1 ms can have.
fn rate(text: &str) -> Result<f64, String> {
    let hz = text.parse().map_err(|e| format!("{e}"))?;
    match (0.1..=500.0).contains(&hz) {
        true => Ok(hz),
        false => Err("a rate is from 0.1 to 500 Hz".to_owned()),
    }
}

/// Runs `saccade bench engine`.
pub fn run(args: &EngineArgs) -> CliResult {
    let (ticks, repeats) = (usize::from(args.ticks), usize::from(args.repeats));
    if args.scaling {
        let scaling = Scaling::measure(ticks, repeats, args.seed)?;
        match args.json {
            true => print_json(&scaling)?,
            false => print_line(scaling.lines().join("\n"))?,
        }
        return Ok(Exit::Success);
    }
    let learning = args.net.iter().map(|&sizes| Learning::measure(args, sizes));
    let report = Report {
        ticks,
        repeats,
        learning: learning.collect::<Result<_, _>>()?,
        deciding: inference::measure(repeats, args.seed)?,
    };
    match args.json {
        true => print_json(&report)?,
        false => print_line(report.lines().join("\n"))?,
    }
    Ok(Exit::Success)
}

/// What the command prints.
#[derive(Debug, serde::Serialize)]
struct Report {
    /// Of a turn.
    ticks: usize,
    repeats: usize,
    learning: Vec<Learning>,
    deciding: Vec<Share>,
}

/// A network that was learnt by everybody.
#[derive(Debug, serde::Serialize)]
struct Learning {
    network: String,
    synapses: usize,
    contestants: Vec<Speed>,
}

/// How fast somebody learnt.
#[derive(Debug, serde::Serialize)]
struct Speed {
    name: String,
    /// CPU seconds for 1000 ticks: median, least and most.
    cpu_s: f64,
    least_cpu_s: f64,
    most_cpu_s: f64,
    /// Firing rate of the recurrent layer, in Hz.
    rate_hz: f64,
    /// How many times as long NEST takes in the same form; missing without NEST.
    nest_takes: Option<f64>,
    /// How many times as long NEST's online form takes.
    nest_online_takes: Option<f64>,
}

impl Learning {
    fn measure(args: &EngineArgs, sizes: Sizes) -> Result<Self, CliError> {
        let (ticks, repeats) = (usize::from(args.ticks), usize::from(args.repeats));
        let optimizer = match args.optimizer {
            Rule::Sgd => OptimizerConfig::Sgd { eta: 1e-7 },
            Rule::Adam => OptimizerConfig::adam(1e-6),
        };
        let all = ticks * (repeats + 1);
        let problem = Problem::new(sizes, optimizer, args.rate, all, args.seed);
        let (mut everybody, forms) = everybody(args, &problem)?;
        let mut turns = vec![(Vec::new(), 0); everybody.len()];
        for turn in 0..=repeats {
            for (contestant, (cpu_s, spikes)) in everybody.iter_mut().zip(&mut turns) {
                let took = contestant.run(turn * ticks..(turn + 1) * ticks)?;
                if turn > 0 {
                    cpu_s.push(took.cpu_s * 1000.0 / ticks as f64);
                    *spikes += took.spikes;
                }
            }
        }
        let seconds = (ticks * repeats) as f64 / 1000.0;
        let speed = |(name, (cpu_s, spikes)): (String, &(Vec<f64>, u64))| Speed {
            name,
            cpu_s: median(cpu_s),
            least_cpu_s: cpu_s.iter().copied().fold(f64::INFINITY, f64::min),
            most_cpu_s: cpu_s.iter().copied().fold(0.0, f64::max),
            rate_hz: *spikes as f64 / sizes.n_rec as f64 / seconds,
            nest_takes: None,
            nest_online_takes: None,
        };
        let names = everybody.iter().map(|contestant| contestant.name());
        let mut contestants: Vec<Speed> = names.zip(&turns).map(speed).collect();
        if args.nest.is_some() {
            compare(&mut contestants, forms);
        }
        Ok(Self {
            network: sizes.to_string(),
            synapses: sizes.synapses(),
            contestants,
        })
    }
}

/// Who learns, the online forms first, and how many those are.
fn everybody<'a>(
    args: &EngineArgs,
    problem: &'a Problem,
) -> Result<(Vec<Box<dyn Contestant + 'a>>, usize), CliError> {
    let ticks = usize::from(args.ticks);
    let mut online: Vec<Box<dyn Contestant + 'a>> = vec![
        Box::new(OurOnline::<f32>::new(problem)?),
        Box::new(OurOnline::<f64>::new(problem)?),
    ];
    let mut offline: Vec<Box<dyn Contestant + 'a>> = vec![
        Box::new(OurOffline::<f32>::new(problem, ticks)?),
        Box::new(OurOffline::<f64>::new(problem, ticks)?),
    ];
    if let Some(python) = &args.nest {
        eprintln!("building {} in NEST, twice", problem.sizes);
        for (form, list) in [(Form::Online, &mut online), (Form::Interval, &mut offline)] {
            list.push(Box::new(Nest::start(python, form, problem, ticks)?));
        }
    }
    let forms = online.len();
    online.append(&mut offline);
    Ok((online, forms))
}

/// Against NEST, which is the last of each form; the first `forms` are online.
fn compare(speeds: &mut [Speed], forms: usize) {
    let nest_online = speeds[forms - 1].cpu_s;
    let (online, offline) = speeds.split_at_mut(forms);
    for form in [online, offline] {
        let nest = form.last().map_or(0.0, |nest| nest.cpu_s);
        for speed in form {
            speed.nest_takes = Some(nest / speed.cpu_s);
            speed.nest_online_takes = Some(nest_online / speed.cpu_s);
        }
    }
}

impl Report {
    fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let times = |x: Option<f64>| x.map_or("-".to_owned(), |x| format!("{x:.1}"));
        for learning in &self.learning {
            lines.push(format!(
                "learning {}, {} plastic synapses; ms of CPU for 1000 ticks, medians of {}",
                learning.network, learning.synapses, self.repeats
            ));
            lines.push(format!(
                "{:<34} {:>9} {:>19} {:>8} {:>10} {:>12}",
                "", "ms", "from .. to", "Hz", "NEST, same", "NEST online"
            ));
            for s in &learning.contestants {
                lines.push(format!(
                    "{:<34} {:>9.2} {:>8.2} .. {:>7.2} {:>8.2} {:>10} {:>12}",
                    s.name,
                    s.cpu_s * 1e3,
                    s.least_cpu_s * 1e3,
                    s.most_cpu_s * 1e3,
                    s.rate_hz,
                    times(s.nest_takes),
                    times(s.nest_online_takes)
                ));
            }
            lines.push(String::new());
        }
        lines.push("deciding, f32, ticks of 1 ms in real time".to_owned());
        lines.push(format!(
            "{:<42} {:>9} {:>8} {:>11}",
            "", "events/s", "Hz", "of a core"
        ));
        lines.extend(self.deciding.iter().map(Share::line));
        lines
    }
}
