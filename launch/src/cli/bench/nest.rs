//! NEST, in the Python of a child process.

use super::ours::{Contestant, Turn};
use super::problem::{F_TARGET_HZ, KAPPA, Problem, TARGET};
use crate::cli::{CliError, Context};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::ops::Range;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

const SCRIPT: &str = include_str!("nest.py");

/// Which of NEST's two forms of e-prop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// `eprop_iaf`.
    Online,
    /// `eprop_iaf_bsshslm_2020`.
    Interval,
}

/// A network in NEST, which waits to be simulated on.
pub(super) struct Nest {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    form: Form,
    pub version: String,
}

impl Nest {
    /// Builds the problem's network in NEST.
    pub fn start(
        python: &Path,
        form: Form,
        problem: &Problem,
        interval: usize,
    ) -> Result<Self, CliError> {
        let mut child = Command::new(python)
            .args(["-c", SCRIPT])
            // One thread, as ours; and no greeting.
            .envs(
                ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PYNEST_QUIET"].map(|name| (name, "1")),
            )
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context(format!(
                "starting {} (a Python with nest-simulator: tests/peers/install.sh)",
                python.display()
            ))?;
        let (to, from) = (child.stdin.take(), child.stdout.take());
        let from = from.ok_or_else(|| CliError::failed("no pipe to the Python of NEST"))?;
        let mut nest = Self {
            child,
            to,
            from: BufReader::new(from),
            form,
            version: String::new(),
        };
        let answer = nest.ask(&document(form, problem, interval).to_string())?;
        answer["version"]
            .as_str()
            .unwrap_or("?")
            .clone_into(&mut nest.version);
        Ok(nest)
    }

    fn ask(&mut self, question: &str) -> Result<Value, CliError> {
        let doing = "asking the Python of NEST (it said why above)";
        if let Some(to) = &mut self.to {
            writeln!(to, "{question}").context(doing)?;
        }
        let mut line = String::new();
        self.from.read_line(&mut line).context(doing)?;
        if line.is_empty() {
            let status = self.child.wait()?;
            let why = format!("the Python of NEST ended ({status}); it said why above");
            return Err(CliError::failed(why));
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Nest {
    /// It ends with its input.
    fn drop(&mut self) {
        self.to = None;
        let _ = self.child.wait();
    }
}

impl Contestant for Nest {
    fn name(&self) -> String {
        let model = match self.form {
            Form::Online => "eprop_iaf",
            Form::Interval => "eprop_iaf_bsshslm_2020",
        };
        format!("NEST {} {model}", self.version)
    }

    fn run(&mut self, ticks: Range<usize>) -> Result<Turn, CliError> {
        let answer = self.ask(&ticks.len().to_string())?;
        let (Some(cpu_s), Some(spikes)) = (answer["cpu_s"].as_f64(), answer["spikes"].as_u64())
        else {
            return Err(CliError::failed(format!("NEST answered {answer}")));
        };
        Ok(Turn { cpu_s, spikes })
    }
}

/// The problem as `nest.py` reads it.
fn document(form: Form, problem: &Problem, interval: usize) -> Value {
    let sizes = problem.sizes;
    let mut spike_times = vec![Vec::new(); sizes.n_in];
    for (tick, inputs) in problem.inputs.iter().enumerate() {
        for &i in inputs {
            spike_times[i as usize].push(tick + 1);
        }
    }
    let weights = &problem.network.weights;
    json!({
        "form": if form == Form::Online { "online" } else { "interval" },
        "n_in": sizes.n_in,
        "n_rec": sizes.n_rec,
        "n_out": sizes.n_out,
        "interval": interval,
        "kappa": KAPPA,
        "c_reg": super::ours::c_reg(form == Form::Online),
        "f_target_hz": F_TARGET_HZ,
        "neurons": problem.neurons,
        "optimizer": problem.optimizer,
        "w_in": weights.w_in,
        "w_rec": weights.w_rec,
        "w_out": weights.w_out,
        "feedback": problem.network.feedback,
        "target": vec![TARGET; sizes.n_out],
        "spike_times": spike_times,
    })
}
