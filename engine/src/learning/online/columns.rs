//! Which postsynaptic neurons the rows of a matrix of synapses lead to.

use std::ops::Range;

/// Columns of rows, and where their values lie in one array over all synapses.
#[derive(Clone, Debug)]
pub(super) enum Columns {
    /// Each row leads to all of `n` neurons, the last `n_alif` of which adapt.
    All { n: usize, n_alif: usize },
    /// Each row to some, ascending.
    Some {
        /// `starts[i]..starts[i + 1]` are the synapses of row `i`.
        starts: Vec<u32>,
        targets: Vec<u32>,
        /// The same for those of them that lead to neurons that adapt, counted by themselves.
        adapting: Vec<u32>,
    },
}

impl Columns {
    /// Rows with these targets, each ascending, of neurons that adapt from `first_alif` on.
    pub(super) fn some(rows: &[Range<usize>], targets: Vec<u32>, first_alif: usize) -> Self {
        let (mut starts, mut adapting, mut count) = (vec![0], vec![0], 0);
        for row in rows {
            let of_row = &targets[row.clone()];
            let lif = of_row.partition_point(|&j| (j as usize) < first_alif);
            count += (of_row.len() - lif) as u32;
            starts.push(row.end as u32);
            adapting.push(count);
        }
        Self::Some {
            starts,
            targets,
            adapting,
        }
    }

    /// Where the synapses of row `i` are.
    pub(super) fn of(&self, i: usize) -> Range<usize> {
        match self {
            Self::All { n, .. } => i * n..(i + 1) * n,
            Self::Some { starts, .. } => starts[i] as usize..starts[i + 1] as usize,
        }
    }

    /// Where those of them that lead to neurons that adapt are among their like.
    pub(super) fn adapting_of(&self, i: usize) -> Range<usize> {
        match self {
            Self::All { n_alif, .. } => i * n_alif..(i + 1) * n_alif,
            Self::Some { adapting, .. } => adapting[i] as usize..adapting[i + 1] as usize,
        }
    }

    /// The neurons that row `i` leads to, or none where these are all.
    pub(super) fn targets_of(&self, i: usize) -> Option<&[u32]> {
        match self {
            Self::All { .. } => None,
            Self::Some { targets, .. } => Some(&targets[self.of(i)]),
        }
    }

    /// Synapses of `rows` rows, those to neurons that adapt, and the longest row.
    pub(super) fn sizes(&self, rows: usize) -> (usize, usize, usize) {
        match self {
            Self::All { n, n_alif } => (rows * n, rows * n_alif, *n),
            Self::Some {
                targets, adapting, ..
            } => {
                let longest = (0..rows).map(|i| self.of(i).len()).max();
                let adapting = adapting.last().map_or(0, |&n| n as usize);
                (targets.len(), adapting, longest.unwrap_or(0))
            }
        }
    }
}
