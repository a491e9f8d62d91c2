//! `saccade weights`: what trained weights are, between them and NIR, and NIR graphs run.

use super::weights_run::{self, RunArgs};
use super::{CliError, CliResult, Context, Exit, print_json, print_line};
use crate::nir_file;
use saccade_engine::models::classifier::Classifier;
use saccade_engine::models::config::ClassifierConfig;
use saccade_engine::nir::{self, Graph, Value};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Arguments of `saccade weights`.
#[derive(Debug, clap::Args)]
pub struct WeightsArgs {
    #[command(subcommand)]
    command: WeightsCommand,
}

#[derive(Debug, clap::Subcommand)]
enum WeightsCommand {
    /// What is in a weights file or a NIR file.
    Info(InfoArgs),
    /// Write weights as a NIR graph, the field's interchange format.
    ///
    /// What NIR's equations do not say (ticks, reset by subtraction, refractory time,
    /// everything else of ours) is kept in the graph's metadata: `saccade weights import`
    /// gives the same file back, to the bit. Programs that know the equations alone
    /// leave it out; it is listed on stderr.
    Export(ExportArgs),
    /// Make weights of a NIR graph.
    ///
    /// Runs graphs of one LIF layer, recurrent or not, between Linear or Affine nodes
    /// without bias, and one LI readout; others are refused by the name of the node
    /// (`saccade weights run` runs them).
    Import(ImportArgs),
    /// Run any NIR graph on inputs out of NumPy files, without learning.
    ///
    /// Every node that NIR 1.0 has, several layers, graphs in graphs and cycles.
    Run(RunArgs),
}

#[derive(Debug, clap::Args)]
struct InfoArgs {
    /// Weights (.safetensors) or NIR (HDF5).
    file: PathBuf,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct ExportArgs {
    /// Weights (.safetensors).
    weights: PathBuf,
    /// NIR file to write.
    nir: PathBuf,
    /// Write adaptive neurons (ALIF), for which NIR has no node, as LIF. Their adaptation
    /// is in the metadata only.
    #[arg(long)]
    lossy: bool,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct ImportArgs {
    /// NIR file.
    nir: PathBuf,
    /// Weights to write (.safetensors).
    weights: PathBuf,
    /// Length of a tick where the graph does not say one, in milliseconds.
    #[arg(long, default_value_t = 1.0)]
    dt_ms: f64,
    /// One JSON document on stdout.
    #[arg(long)]
    json: bool,
}

/// Runs `saccade weights`.
///
/// # Errors
/// A file cannot be read or written, or what is in it has no counterpart.
pub fn run(args: WeightsArgs) -> CliResult {
    match args.command {
        WeightsCommand::Info(args) => info(&args),
        WeightsCommand::Export(args) => export(&args),
        WeightsCommand::Import(args) => import(&args),
        WeightsCommand::Run(args) => weights_run::run(&args),
    }
}

fn load_nir(path: &Path) -> Result<Graph, CliError> {
    nir_file::read(path).context(path.display().to_string())
}

fn load_weights(path: &Path) -> Result<Classifier, CliError> {
    Classifier::load(path).context(format!("weights {}", path.display()))
}

#[derive(Serialize)]
struct Exported<'a> {
    nir: &'a Path,
    nodes: usize,
    edges: usize,
    /// What NIR's equations do not say.
    metadata_only: Vec<String>,
}

fn export(args: &ExportArgs) -> CliResult {
    let classifier = load_weights(&args.weights)?;
    let graph = nir::export(&classifier, args.lossy).context(format!(
        "{} to NIR (`--lossy` allows it; `saccade train --alif-percent 0` trains without)",
        args.weights.display()
    ))?;
    nir_file::write(&args.nir, &graph).context(args.nir.display().to_string())?;
    let unsaid = nir::unsaid(classifier.config());
    for said in &unsaid {
        eprintln!("note: in the metadata only: {}", said.what);
    }
    let document = Exported {
        nir: &args.nir,
        nodes: graph.nodes.len(),
        edges: graph.edges.len(),
        metadata_only: unsaid.into_iter().map(|u| u.what).collect(),
    };
    if args.json {
        print_json(&document)?;
    } else {
        let (nodes, edges) = (document.nodes, document.edges);
        print_line(format!(
            "{}: {nodes} nodes, {edges} edges",
            args.nir.display()
        ))?;
    }
    Ok(Exit::Success)
}

#[derive(Serialize)]
struct ImportedDocument<'a> {
    weights: &'a Path,
    /// Whether the graph had our configuration in its metadata.
    exported_by_saccade: bool,
    config: &'a ClassifierConfig,
}

fn import(args: &ImportArgs) -> CliResult {
    if args.weights.extension().is_none_or(|e| e != "safetensors") {
        return Err(CliError::usage(format!(
            "{}: the name must end in .safetensors",
            args.weights.display()
        )));
    }
    let graph = load_nir(&args.nir)?;
    let nir::Imported { classifier, ours } =
        nir::import(&graph, args.dt_ms).context(args.nir.display().to_string())?;
    classifier.save(&args.weights)?;
    let config = classifier.config();
    if !ours {
        eprintln!(
            "note: no metadata of saccade: LIF as in NIR's equations on ticks of {} ms; \
             the weights do not say how their input is encoded",
            config.neuron.dt_ms
        );
    }
    if args.json {
        print_json(&ImportedDocument {
            weights: &args.weights,
            exported_by_saccade: ours,
            config,
        })?;
    } else {
        print_line(format!("{}: {}", args.weights.display(), sizes(config)))?;
    }
    Ok(Exit::Success)
}

fn sizes(config: &ClassifierConfig) -> String {
    format!(
        "{} inputs, {} LIF, {} ALIF, {} classes",
        config.n_in, config.n_lif, config.n_alif, config.n_out
    )
}

fn info(args: &InfoArgs) -> CliResult {
    let mut start = [0; 8];
    let mut file =
        std::fs::File::open(&args.file).context(format!("reading {}", args.file.display()))?;
    let hdf5 =
        std::io::Read::read_exact(&mut file, &mut start).is_ok() && nir_file::is_hdf5(&start);
    if hdf5 {
        return nir_info(args);
    }
    let classifier = load_weights(&args.file)?;
    let (config, provenance) = (classifier.config(), classifier.provenance());
    let nir: Vec<String> = nir::unsaid(config).into_iter().map(|u| u.what).collect();
    let text = |json: &str| serde_json::from_str(json).unwrap_or(serde_json::Value::Null);
    if args.json {
        print_json(&serde_json::json!({
            "format": "safetensors",
            "config": config,
            "encoder": text(&provenance.encoder),
            "seed": provenance.seed,
            "dataset_fingerprint": provenance.dataset_fingerprint,
            "training": text(&provenance.training),
            "not_in_nir": nir,
        }))?;
        return Ok(Exit::Success);
    }
    print_line(format!("network      {}", sizes(config)))?;
    print_line(format!(
        "neurons      {}",
        serde_json::to_string(&config.neuron)?
    ))?;
    print_line(format!(
        "feedback     {}",
        serde_json::to_string(&config.feedback)?
    ))?;
    print_line(format!("sharpness    {}", config.decision_sharpness))?;
    print_line(format!("encoder      {}", provenance.encoder))?;
    print_line(format!("seed         {}", provenance.seed))?;
    print_line(format!("data set     {}", provenance.dataset_fingerprint))?;
    print_line(format!("training     {}", provenance.training))?;
    for what in nir {
        print_line(format!("not in NIR   {what}"))?;
    }
    Ok(Exit::Success)
}

fn nir_info(args: &InfoArgs) -> CliResult {
    let graph = load_nir(&args.file)?;
    let said = |result: Result<(), saccade_engine::Error>| match result {
        Ok(()) => "yes".to_owned(),
        Err(error) => error.to_string(),
    };
    let imports = said(nir::import(&graph, 1.0).map(|_| ()));
    let runs = said(nir::Runner::new(&graph, None, nir::Integration::Exact).map(|_| ()));
    // Graphs in graphs are shown as they run.
    let graph = graph.flattened().unwrap_or(graph);
    if args.json {
        let nodes = graph.nodes.iter().map(|(name, node)| {
            serde_json::json!({
                "name": name,
                "type": node.kind,
                "parameters": shapes(&node.parameters),
                "metadata": shapes(&node.metadata),
            })
        });
        print_json(&serde_json::json!({
            "format": "nir",
            "nodes": nodes.collect::<Vec<_>>(),
            "edges": graph.edges,
            "metadata": shapes(&graph.metadata),
            "imports": imports,
            "runs": runs,
        }))?;
        return Ok(Exit::Success);
    }
    for (name, node) in &graph.nodes {
        let shapes = shapes(&node.parameters);
        print_line(format!(
            "node      {name} {} {}",
            node.kind,
            serde_json::to_string(&shapes)?
        ))?;
    }
    for (from, to) in &graph.edges {
        print_line(format!("edge      {from} -> {to}"))?;
    }
    let metadata: Vec<&str> = graph.metadata.keys().map(String::as_str).collect();
    print_line(format!("metadata  {}", metadata.join(", ")))?;
    print_line(format!("imports   {imports}"))?;
    print_line(format!("runs      {runs}"))?;
    Ok(Exit::Success)
}

/// Texts and single numbers as they are, the shapes of arrays.
fn shapes(values: &nir::Values) -> serde_json::Map<String, serde_json::Value> {
    let shown = |value: &Value| match value {
        Value::Text(text) => serde_json::json!(text),
        Value::Array(array) if array.shape.is_empty() => serde_json::json!(array.values.first()),
        Value::Array(array) => serde_json::json!({ "shape": array.shape }),
    };
    values
        .iter()
        .map(|(name, value)| (name.clone(), shown(value)))
        .collect()
}
