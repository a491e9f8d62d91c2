//! Graphs in graphs as one.

use super::{Graph, Node, wrong};
use crate::error::Result;

/// Graphs that lie in each other at most.
pub const MAX_DEPTH: usize = 16;
/// Edges of a flat graph at most.
const MAX_EDGES: usize = 1 << 20;

impl Graph {
    /// The same network without graphs as nodes: the nodes of a graph `a` are `a/...`, and
    /// edges to and from `a` lead to what its Input leads to and from what leads to its
    /// Output.
    ///
    /// # Errors
    /// [`crate::Error::Nir`] where an edge names no node, a graph that edges lead to has
    /// not exactly one Input or one Output, or graphs lie in each other too deeply.
    pub fn flattened(&self) -> Result<Graph> {
        let mut flat = Graph {
            metadata: self.metadata.clone(),
            ..Graph::default()
        };
        let mut doors = Vec::new();
        lay_out(self, "", 0, &mut flat, &mut doors)?;
        for door in doors {
            open(&mut flat, &door)?;
        }
        Ok(flat)
    }
}

/// Adds nodes and edges of a graph to the flat one; Inputs and Outputs of inner graphs
/// are told as doors.
fn lay_out(
    graph: &Graph,
    prefix: &str,
    depth: usize,
    flat: &mut Graph,
    doors: &mut Vec<String>,
) -> Result<()> {
    if depth > MAX_DEPTH {
        let what = format!("lies {depth} graphs deep, at most {MAX_DEPTH} are read");
        return Err(wrong(format!("graph {prefix:?}"), what));
    }
    for (name, node) in &graph.nodes {
        let full = format!("{prefix}{name}");
        match &node.inner {
            Some(inner) => lay_out(inner, &format!("{full}/"), depth + 1, flat, doors)?,
            None => {
                if depth > 0 && ["Input", "Output"].contains(&node.kind.as_str()) {
                    doors.push(full.clone());
                }
                flat.nodes.insert(full, node.clone());
            }
        }
    }
    for (from, to) in &graph.edges {
        let edge = format!("edge {from:?} -> {to:?}");
        let from = end(graph, &edge, prefix, from, "Output")?;
        let to = end(graph, &edge, prefix, to, "Input")?;
        flat.edges.push((from, to));
    }
    Ok(())
}

/// The node of the flat graph that an end of an edge is; of an inner graph its only node
/// of type `door`.
fn end(graph: &Graph, edge: &str, prefix: &str, name: &str, door: &str) -> Result<String> {
    let Some(node) = graph.nodes.get(name) else {
        return Err(wrong(edge, format!("there is no node {name:?}")));
    };
    let Some(inner) = &node.inner else {
        return Ok(format!("{prefix}{name}"));
    };
    let is_door = |(_, node): &(&String, &Node)| node.kind == door;
    let mut found = inner.nodes.iter().filter(is_door);
    match (found.next(), found.next()) {
        (Some((inner, _)), None) => Ok(format!("{prefix}{name}/{inner}")),
        (first, _) => {
            let count = if first.is_some() {
                "more than one"
            } else {
                "no"
            };
            let what = format!("the graph {name:?} has {count} {door}; it needs one");
            Err(wrong(edge, what))
        }
    }
}

/// Takes a door out: what leads to it leads to all that it leads to.
fn open(flat: &mut Graph, door: &str) -> Result<()> {
    flat.nodes.remove(door);
    let (at, rest): (Vec<_>, Vec<_>) = std::mem::take(&mut flat.edges)
        .into_iter()
        .partition(|(from, to)| from == door || to == door);
    flat.edges = rest;
    let from: Vec<&String> = at.iter().filter(|e| e.1 == door).map(|e| &e.0).collect();
    let to: Vec<&String> = at.iter().filter(|e| e.0 == door).map(|e| &e.1).collect();
    if flat.edges.len() + from.len() * to.len() > MAX_EDGES {
        let what = format!("makes more than {MAX_EDGES} edges of what leads through it");
        return Err(wrong(format!("node {door:?}"), what));
    }
    for a in from {
        let edges = to.iter().map(|&b| (a.clone(), b.clone()));
        flat.edges.extend(edges);
    }
    Ok(())
}
