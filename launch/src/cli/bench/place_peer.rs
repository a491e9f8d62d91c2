//! Who learns a slice of the published training: we, and NumPy in a child process.

use super::place_recognition::Slice;
use crate::cli::{CliError, Context};
use rustix::time::{ClockId, clock_gettime};
use saccade_engine::models::predictive_coding::{
    Activity, Network, Next, Settled, TACTILE, VISUAL,
};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

/// What a turn took.
#[derive(Debug, Clone, Copy)]
pub(super) struct Took {
    pub wall_s: f64,
    pub cpu_s: f64,
}

/// Somebody who learns, turn after turn.
pub(super) trait Learner {
    fn name(&self) -> &str;
    /// All samples once.
    fn turn(&mut self) -> Result<Took, CliError>;
    /// Share of the rows of the largest weights that were read, where it is known.
    fn rows_read(&self) -> Option<f64> {
        None
    }
    /// Joint causes of all samples after the last turn.
    fn joint(&self) -> Vec<f32>;
}

/// The engine, on threads of its own.
pub(super) struct Ours {
    name: String,
    network: Network<f32>,
    settled: Settled<f32>,
    samples: Vec<Activity<f32>>,
    cause_steps: usize,
    pool: rayon::ThreadPool,
}

impl Ours {
    /// On so many threads; 0 for as many as there are cores.
    pub fn new(slice: &Slice, threads: usize) -> Result<Self, CliError> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
        let pool = pool.build().context("starting threads")?;
        let start = |i: usize| {
            let mut activity = slice.network.activity(1);
            for m in [VISUAL, TACTILE] {
                activity.inputs[m].copy_from_slice(slice.input(m, i));
            }
            activity
        };
        Ok(Self {
            name: format!("ours, threads: {}", pool.current_num_threads()),
            network: slice.network.clone(),
            settled: Settled::new(&slice.network),
            samples: (0..slice.samples).map(start).collect(),
            cause_steps: slice.cause_steps,
            pool,
        })
    }
}

impl Learner for Ours {
    fn name(&self) -> &str {
        &self.name
    }

    fn turn(&mut self) -> Result<Took, CliError> {
        let cpu_s = || {
            let now = clock_gettime(ClockId::ProcessCPUTime);
            now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
        };
        let (wall, cpu) = (Instant::now(), cpu_s());
        let (network, settled) = (&mut self.network, &mut self.settled);
        let (samples, steps) = (&mut self.samples, self.cause_steps);
        self.pool.install(|| {
            for i in 0..samples.len() {
                let (before, rest) = samples.split_at_mut(i);
                let Some((activity, after)) = rest.split_first_mut() else {
                    continue;
                };
                // Turn by turn in the same order.
                let next = after.first().or(before.first()).map(|next| Next {
                    seen: &next.inputs[VISUAL],
                    causes: &next.causes[VISUAL][0],
                });
                settled.learn(network, activity, steps, next);
            }
        });
        Ok(Took {
            wall_s: wall.elapsed().as_secs_f64(),
            cpu_s: cpu_s() - cpu,
        })
    }

    fn rows_read(&self) -> Option<f64> {
        Some(self.settled.share_read())
    }

    fn joint(&self) -> Vec<f32> {
        self.samples.iter().flat_map(|a| a.joint.clone()).collect()
    }
}

/// NumPy, in the Python of a child process.
pub(super) struct Numpy {
    name: String,
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    joint: Vec<f32>,
}

impl Numpy {
    /// With one thread, or as it comes.
    pub fn start(python: &Path, slice: &Slice, one_thread: bool) -> Result<Self, CliError> {
        let mut command = Command::new(python);
        command.args(["-c", include_str!("place_numpy.py")]);
        if one_thread {
            command.envs(
                ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"].map(|n| (n, "1")),
            );
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context(format!(
                "starting {} (a Python with numpy: tests/peers/install.sh)",
                python.display()
            ))?;
        let (to, from) = (child.stdin.take(), child.stdout.take());
        let from = from.ok_or_else(|| CliError::failed("no pipe to the Python of NumPy"))?;
        let mut numpy = Self {
            name: String::new(),
            child,
            to,
            from: BufReader::new(from),
            joint: Vec::new(),
        };
        let answer = numpy.ask(&question(slice))?;
        let version = answer["version"].as_str().unwrap_or("?");
        let threads = if one_thread {
            "one thread"
        } else {
            "as it comes"
        };
        numpy.name = format!("NumPy {version}, {threads}");
        Ok(numpy)
    }

    fn ask(&mut self, question: &[u8]) -> Result<Value, CliError> {
        let doing = "asking the Python of NumPy (it said why above)";
        if let Some(to) = &mut self.to {
            to.write_all(question)
                .and_then(|()| to.flush())
                .context(doing)?;
        }
        let mut line = String::new();
        self.from.read_line(&mut line).context(doing)?;
        if line.is_empty() {
            let status = self.child.wait()?;
            let why = format!("the Python of NumPy ended ({status}); it said why above");
            return Err(CliError::failed(why));
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Learner for Numpy {
    fn name(&self) -> &str {
        &self.name
    }

    fn turn(&mut self) -> Result<Took, CliError> {
        let answer = self.ask(b"\n")?;
        self.joint = serde_json::from_value(answer["joint"].clone())?;
        match (answer["wall_s"].as_f64(), answer["cpu_s"].as_f64()) {
            (Some(wall_s), Some(cpu_s)) => Ok(Took { wall_s, cpu_s }),
            _ => Err(CliError::failed(format!("NumPy answered {answer}"))),
        }
    }

    fn joint(&self) -> Vec<f32> {
        self.joint.clone()
    }
}

impl Drop for Numpy {
    /// It ends with its input.
    fn drop(&mut self) {
        self.to = None;
        let _ = self.child.wait();
    }
}

/// The slice as `place_numpy.py` reads it.
fn question(slice: &Slice) -> Vec<u8> {
    let connections = slice.network.connections();
    let shapes = connections
        .each_ref()
        .map(|path| path.iter().map(|c| c.sizes()).collect::<Vec<_>>());
    let config = slice.network.config();
    let document = json!({
        "samples": slice.samples,
        "cause_steps": slice.cause_steps,
        "start": config.start,
        "weights": shapes,
        "inputs": [config.visual.input, config.tactile.input],
        "rates": {
            "visual": config.visual.cause_rate,
            "tactile": config.tactile.cause_rate,
            "joint": config.joint_cause_rate,
            "visual_weights": config.visual.weight_rate,
            "tactile_weights": config.tactile.weight_rate,
            "joint_weights": config.joint_weight_rate,
        },
    });
    let mut question = document.to_string().into_bytes();
    question.push(b'\n');
    let weights = connections.iter().flatten().map(|c| c.weights());
    let inputs = slice.inputs.iter().map(Vec::as_slice);
    for values in weights.chain(inputs) {
        question.extend(values.iter().flat_map(|x| x.to_le_bytes()));
    }
    question
}
