//! Linear maps. What is 0 costs nothing: most signals are spikes.

use super::parameters::{Reading, count};
use crate::error::Result;
use crate::nir::{Value, wrong};

/// A matrix with a bias.
#[derive(Debug)]
pub(super) struct Matrix {
    /// `[from, to]`: a spike takes one row.
    weights: Vec<f64>,
    bias: Vec<f64>,
}

impl Matrix {
    /// Reads a Linear or an Affine; gives the shape of its output as well.
    pub(super) fn read(reading: &Reading<'_>) -> Result<(Self, Vec<usize>)> {
        let weight = reading.array("weight")?;
        let &[to, from] = &weight.shape[..] else {
            let what = format!("has shape {:?}, expected [to, from]", weight.shape);
            return Err(wrong(reading.place("weight"), what));
        };
        if to == 0 {
            return Err(wrong(reading.place("weight"), "leads to nothing"));
        }
        let bias = match reading.node.kind.as_str() {
            "Affine" => reading.spread("bias", to)?,
            _ => vec![0.0; to],
        };
        let at = |k: usize| weight.values[k % to * from + k / to];
        let weights = (0..from * to).map(at).collect();
        Ok((Self { weights, bias }, vec![to]))
    }

    pub(super) fn takes(&self) -> usize {
        self.weights.len() / self.bias.len()
    }

    pub(super) fn apply(&self, into: &[f64], out: &mut [f64]) {
        out.copy_from_slice(&self.bias);
        let rows = self.weights.chunks_exact(self.bias.len());
        for (&x, row) in into.iter().zip(rows).filter(|(x, _)| **x != 0.0) {
            out.iter_mut().zip(row).for_each(|(y, w)| *y += w * x);
        }
    }
}

/// A convolution (as in neural networks: a cross-correlation) or a pooling, which is one.
#[derive(Debug)]
pub(super) struct Filter {
    /// `[channels out, channels in of a group, height, width]`.
    kernel: Vec<f64>,
    /// One for each channel out.
    bias: Vec<f64>,
    /// Channels in of a group.
    inner: usize,
    groups: usize,
    kernel_size: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    /// Zeros before the first row and column.
    before: [usize; 2],
    size_in: [usize; 2],
    size_out: [usize; 2],
}

impl Filter {
    /// Reads a Conv1d, Conv2d, SumPool2d or AvgPool2d that takes this shape; gives the
    /// shape of its output as well.
    pub(super) fn read(reading: &Reading<'_>, into: &[usize]) -> Result<(Self, Vec<usize>)> {
        if reading.node.kind.ends_with("Pool2d") {
            return Self::pool(reading, into);
        }
        let one = reading.node.kind == "Conv1d";
        let dimensions = if one { 3 } else { 4 };
        let weight = reading.array("weight")?;
        if weight.shape.len() != dimensions || weight.values.is_empty() {
            let what = format!(
                "has shape {:?}, expected {dimensions} lengths above 0: channels out, channels in, and of the kernel",
                weight.shape
            );
            return Err(wrong(reading.place("weight"), what));
        }
        let groups = match reading.counts("groups")?[..] {
            [groups] if groups > 0 && weight.shape[0].is_multiple_of(groups) => groups,
            _ => {
                let what = format!("must divide the {} channels out", weight.shape[0]);
                return Err(wrong(reading.place("groups"), what));
            }
        };
        let channels = weight.shape[1] * groups;
        let [_, height, width] = Self::image(reading, into, channels, one)?;
        let kernel_size = match weight.shape[2..] {
            [width] => [1, width],
            [height, width] => [height, width],
            _ => return Err(reading.wrong("has a kernel of no size")),
        };
        // One dimension is a height of 1.
        let flat = |[height, width]: [usize; 2], neutral: usize| {
            if one {
                [neutral, width]
            } else {
                [height, width]
            }
        };
        let stride = flat(reading.pair("stride")?, 1);
        let dilation = flat(reading.pair("dilation")?, 1);
        let around = match reading.node.parameters.get("padding") {
            Some(Value::Text(text)) => named_padding(reading, text, kernel_size, stride, dilation)?,
            _ => flat(reading.pair("padding")?, 0).map(|p| [p, p]),
        };
        let bias = reading.spread("bias", weight.shape[0])?;
        let filter = Self {
            kernel: weight.values.clone(),
            bias,
            inner: weight.shape[1],
            groups,
            kernel_size,
            stride,
            dilation,
            before: around.map(|[before, _]| before),
            size_in: [height, width],
            size_out: [0; 2],
        };
        let (filter, [height, width]) = filter.sized(reading, around)?;
        let out = weight.shape[0];
        let shape = if one {
            vec![out, width]
        } else {
            vec![out, height, width]
        };
        Ok((filter, shape))
    }

    fn pool(reading: &Reading<'_>, into: &[usize]) -> Result<(Self, Vec<usize>)> {
        let &[channels, height, width] = into else {
            let what = format!("takes channels, height and width, but {into:?} comes in");
            return Err(reading.wrong(what));
        };
        let kernel_size = reading.pair("kernel_size")?;
        let window = kernel_size[0] * kernel_size[1];
        if window == 0 || window > 1 << 20 || channels == 0 {
            return Err(reading.wrong(format!("has a window of {kernel_size:?} on {into:?}")));
        }
        let each = match reading.node.kind.as_str() {
            "AvgPool2d" => 1.0 / window as f64,
            _ => 1.0,
        };
        let around = reading.pair("padding")?.map(|p| [p, p]);
        let filter = Self {
            // The same for all channels.
            kernel: vec![each; window],
            bias: vec![0.0; channels],
            inner: 1,
            groups: channels,
            kernel_size,
            stride: reading.pair("stride")?,
            dilation: [1, 1],
            before: around.map(|[before, _]| before),
            size_in: [height, width],
            size_out: [0; 2],
        };
        let (filter, [height, width]) = filter.sized(reading, around)?;
        Ok((filter, vec![channels, height, width]))
    }

    /// Channels, height and width of what comes in: as the shape has them, or, of another
    /// shape with as many numbers, as the node's `input_shape` says.
    fn image(
        reading: &Reading<'_>,
        into: &[usize],
        channels: usize,
        one: bool,
    ) -> Result<[usize; 3]> {
        let image = match (into, one) {
            (&[channels, width], true) => Some([channels, 1, width]),
            (&[channels, height, width], false) => Some([channels, height, width]),
            _ => None,
        };
        let said = match (reading.node.parameters.contains_key("input_shape"), one) {
            (false, _) => None,
            (true, true) => Some([channels, 1, reading.pair("input_shape")?[1]]),
            (true, false) => {
                let [height, width] = reading.pair("input_shape")?;
                Some([channels, height, width])
            }
        };
        let taken = image.or(said.filter(|said| count(said) == count(into)));
        match taken {
            Some(taken) if taken[0] == channels && said.is_none_or(|said| said == taken) => {
                Ok(taken)
            }
            _ => Err(reading.wrong(format!(
                "takes {channels} channels{}, but {into:?} comes in",
                said.map_or_else(String::new, |s| format!(" of {:?}", &s[1..]))
            ))),
        }
    }

    /// With the size of its output.
    fn sized(
        mut self,
        reading: &Reading<'_>,
        around: [[usize; 2]; 2],
    ) -> Result<(Self, [usize; 2])> {
        for (axis, around) in around.iter().enumerate() {
            let all = self.size_in[axis] + around[0] + around[1];
            let span = (self.kernel_size[axis] - 1)
                .checked_mul(self.dilation[axis])
                .map(|span| span + 1);
            let fits = span.is_some_and(|span| span <= all);
            if !fits || self.stride[axis] == 0 || self.dilation[axis] == 0 {
                let what = format!(
                    "a kernel of {:?} (stride {:?}, dilation {:?}) does not fit on {:?}",
                    self.kernel_size, self.stride, self.dilation, self.size_in
                );
                return Err(reading.wrong(what));
            }
            let span = span.unwrap_or_default();
            self.size_out[axis] = (all - span) / self.stride[axis] + 1;
        }
        let size = self.size_out;
        Ok((self, size))
    }

    pub(super) fn apply(&self, into: &[f64], out: &mut [f64]) {
        let (size_in, size_out) = (area(self.size_in), area(self.size_out));
        for (channel, bias) in out.chunks_exact_mut(size_out).zip(&self.bias) {
            channel.fill(*bias);
        }
        let outer = self.bias.len() / self.groups;
        for (k, &x) in into.iter().enumerate().filter(|(_, x)| **x != 0.0) {
            let (channel, at) = (k / size_in, k % size_in);
            let (group, inner) = (channel / self.inner, channel % self.inner);
            let at = [at / self.size_in[1], at % self.size_in[1]];
            for to in group * outer..(group + 1) * outer {
                let window = area(self.kernel_size);
                let kernel = match self.kernel.len() == window {
                    true => &self.kernel[..],
                    false => &self.kernel[(to * self.inner + inner) * window..][..window],
                };
                self.spread(x, at, kernel, &mut out[to * size_out..][..size_out]);
            }
        }
    }

    /// Adds what one number gives to one channel.
    fn spread(&self, x: f64, at: [usize; 2], kernel: &[f64], out: &mut [f64]) {
        for row in 0..self.kernel_size[0] {
            let Some(y) = self.target(0, at[0], row) else {
                continue;
            };
            let weights = &kernel[row * self.kernel_size[1]..][..self.kernel_size[1]];
            for (column, weight) in weights.iter().enumerate() {
                if let Some(column) = self.target(1, at[1], column) {
                    out[y * self.size_out[1] + column] += weight * x;
                }
            }
        }
    }

    /// Where a place of the input falls to through a place of the kernel.
    fn target(&self, axis: usize, at: usize, kernel: usize) -> Option<usize> {
        let shifted = (at + self.before[axis]).checked_sub(kernel * self.dilation[axis])?;
        let target = shifted / self.stride[axis];
        let hits = shifted.is_multiple_of(self.stride[axis]) && target < self.size_out[axis];
        hits.then_some(target)
    }
}

fn area([height, width]: [usize; 2]) -> usize {
    height * width
}

/// Zeros before and after each axis, for the names that PyTorch has.
fn named_padding(
    reading: &Reading<'_>,
    name: &str,
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
) -> Result<[[usize; 2]; 2]> {
    match name {
        "valid" => Ok([[0; 2]; 2]),
        "same" if stride == [1, 1] => Ok([0, 1].map(|axis| {
            let all = (kernel[axis] - 1).saturating_mul(dilation[axis]);
            [all / 2, all - all / 2]
        })),
        "same" => Err(reading.wrong(format!("has padding \"same\" with a stride of {stride:?}"))),
        _ => Err(wrong(
            reading.place("padding"),
            format!("is {name:?}, expected numbers, \"same\" or \"valid\""),
        )),
    }
}
