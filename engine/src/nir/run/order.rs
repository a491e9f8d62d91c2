//! In which order the nodes of a graph run, and what comes a tick late.

use std::collections::{BTreeMap, VecDeque};

use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::graph::{DiGraph, NodeIndex};

use super::Source;
use super::parameters::delay_ticks;
use crate::error::Result;
use crate::nir::{Graph, wrong};

/// Nodes that have a state, so that a cycle through them is no equation to solve.
const STATEFUL: [&str; 6] = ["I", "IF", "LI", "LIF", "CubaLI", "CubaLIF"];

/// The order, and for each node in it where its input comes from.
pub(super) struct Order {
    pub(super) names: Vec<String>,
    pub(super) sources: Vec<Vec<Source>>,
}

/// A graph by numbers.
struct Net<'g> {
    graph: &'g Graph,
    names: Vec<&'g str>,
    edges: Vec<(usize, usize)>,
    /// Nodes that give what they took a tick or more ago.
    delays: Vec<bool>,
}

impl Order {
    /// Of a flat graph with ticks of `dt_s` seconds.
    pub(super) fn of(graph: &Graph, dt_s: f64) -> Result<Self> {
        let net = Net::of(graph, dt_s)?;
        net.refuse_equations()?;
        let late = net.late();
        // A delay outside of cycles follows what it takes from: its shape may be known there.
        let cycle = net.parts(|_, _| true);
        let mut forward = DiGraph::<(), ()>::new();
        let at: Vec<NodeIndex> = net.names.iter().map(|_| forward.add_node(())).collect();
        for (&(a, b), late) in net.edges.iter().zip(&late) {
            let waits = net.delays[b] && cycle[a] == cycle[b];
            if !late && !waits {
                forward.add_edge(at[a], at[b], ());
            }
        }
        let order = toposort(&forward, None)
            .map_err(|_| wrong("graph", "has a cycle that no rule cuts"))?;
        let mut place = vec![0; order.len()];
        for (k, node) in order.iter().enumerate() {
            place[node.index()] = k;
        }
        let mut sources = vec![Vec::new(); order.len()];
        for (&(a, b), &late) in net.edges.iter().zip(&late) {
            let unit = place[a];
            sources[place[b]].push(Source { unit, late });
        }
        let name = |node: &NodeIndex| net.names[node.index()].to_owned();
        Ok(Self {
            names: order.iter().map(name).collect(),
            sources,
        })
    }
}

impl<'g> Net<'g> {
    fn of(graph: &'g Graph, dt_s: f64) -> Result<Self> {
        let names: Vec<&str> = graph.nodes.keys().map(String::as_str).collect();
        let number: BTreeMap<&str, usize> =
            names.iter().enumerate().map(|(k, &n)| (n, k)).collect();
        let mut edges = Vec::with_capacity(graph.edges.len());
        for (from, to) in &graph.edges {
            let (a, b) = (number[from.as_str()], number[to.as_str()]);
            let place = || format!("edge {from:?} -> {to:?}");
            if graph.nodes[from].kind == "Output" {
                return Err(wrong(place(), "leads out of an Output"));
            }
            if graph.nodes[to].kind == "Input" {
                return Err(wrong(place(), "leads into an Input"));
            }
            edges.push((a, b));
        }
        let mut delays = Vec::with_capacity(names.len());
        for &name in &names {
            let ticks = delay_ticks(name, &graph.nodes[name], dt_s)?;
            delays.push(ticks.is_some_and(|ticks| ticks.iter().all(|&t| t > 0)));
        }
        let net = Self {
            graph,
            names,
            edges,
            delays,
        };
        net.refuse_loose_ends()?;
        Ok(net)
    }

    /// Every node but an Input must have something that leads to it.
    fn refuse_loose_ends(&self) -> Result<()> {
        let mut fed = vec![false; self.names.len()];
        self.edges.iter().for_each(|&(_, b)| fed[b] = true);
        let loose = |&k: &usize| !fed[k] && self.graph.nodes[self.names[k]].kind != "Input";
        match (0..self.names.len()).find(loose) {
            None => Ok(()),
            Some(k) => Err(wrong(
                format!("node {:?}", self.names[k]),
                "nothing leads to it, and it is no Input",
            )),
        }
    }

    /// The nodes of each cycle, by a number that nodes of one strongly connected part
    /// share.
    fn parts(&self, keep: impl Fn(usize, usize) -> bool) -> Vec<usize> {
        let mut cycles = DiGraph::<(), ()>::new();
        let at: Vec<NodeIndex> = self.names.iter().map(|_| cycles.add_node(())).collect();
        for &(a, b) in self.edges.iter().filter(|&&(a, b)| keep(a, b)) {
            cycles.add_edge(at[a], at[b], ());
        }
        let mut part = vec![0; self.names.len()];
        for (number, nodes) in kosaraju_scc(&cycles).iter().enumerate() {
            nodes.iter().for_each(|node| part[node.index()] = number);
        }
        part
    }

    /// A cycle of nodes that all answer at once has no order.
    fn refuse_equations(&self) -> Result<()> {
        let at_once = |k: usize| {
            !self.delays[k] && !STATEFUL.contains(&self.graph.nodes[self.names[k]].kind.as_str())
        };
        let inside = |a: usize, b: usize| at_once(a) && at_once(b);
        let part = self.parts(inside);
        let cycle = |&&(a, b): &&(usize, usize)| inside(a, b) && part[a] == part[b];
        match self.edges.iter().find(cycle) {
            None => Ok(()),
            Some(&(a, b)) => Err(wrong(
                format!("edge {:?} -> {:?}", self.names[a], self.names[b]),
                "is part of a cycle without a neuron or a delay of a tick or more; put one into it",
            )),
        }
    }

    /// For each edge whether it is a tick late: those of a cycle that lead no further away
    /// from the inputs.
    fn late(&self) -> Vec<bool> {
        let part = self.parts(|_, b| !self.delays[b]);
        let far = self.distances();
        let late =
            |&(a, b): &(usize, usize)| part[a] == part[b] && !self.delays[b] && far[b] <= far[a];
        self.edges.iter().map(late).collect()
    }

    /// Edges from the nearest input. Where none leads, from what nothing else leads to.
    fn distances(&self) -> Vec<usize> {
        let mut next = vec![Vec::new(); self.names.len()];
        self.edges.iter().for_each(|&(a, b)| next[a].push(b));
        let mut far = vec![usize::MAX; self.names.len()];
        let inputs =
            (0..self.names.len()).filter(|&k| self.graph.nodes[self.names[k]].kind == "Input");
        let mut queue: VecDeque<usize> = inputs.collect();
        queue.iter().for_each(|&k| far[k] = 0);
        let mut unreached = 0..self.names.len();
        loop {
            while let Some(a) = queue.pop_front() {
                for &b in &next[a] {
                    if far[b] == usize::MAX {
                        far[b] = far[a] + 1;
                        queue.push_back(b);
                    }
                }
            }
            match unreached.find(|&k| far[k] == usize::MAX) {
                None => return far,
                Some(k) => {
                    far[k] = 0;
                    queue.push_back(k);
                }
            }
        }
    }
}
