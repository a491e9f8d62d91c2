//! What a node holds, checked.

use crate::error::Result;
use crate::nir::{Array, Node, Value, wrong};

/// A node with its name, to read parameters of.
#[derive(Clone, Copy)]
pub(super) struct Reading<'g> {
    pub(super) name: &'g str,
    pub(super) node: &'g Node,
}

impl<'g> Reading<'g> {
    pub(super) fn place(&self, parameter: &str) -> String {
        format!("{}.{parameter}", self.name)
    }

    /// An error about the node.
    pub(super) fn wrong(&self, what: impl Into<String>) -> crate::Error {
        wrong(format!("node {:?} ({})", self.name, self.node.kind), what)
    }

    /// Numbers, all finite.
    pub(super) fn array(&self, parameter: &str) -> Result<&'g Array> {
        match self.optional(parameter)? {
            Some(array) => Ok(array),
            None => Err(wrong(self.place(parameter), "is missing")),
        }
    }

    /// The same, where they may be missing.
    pub(super) fn optional(&self, parameter: &str) -> Result<Option<&'g Array>> {
        match self.node.parameters.get(parameter) {
            None => Ok(None),
            Some(Value::Text(text)) => Err(wrong(
                self.place(parameter),
                format!("is {text:?}, expected numbers"),
            )),
            Some(Value::Array(array)) => match array.values.iter().find(|v| !v.is_finite()) {
                Some(v) => Err(wrong(self.place(parameter), format!("holds {v}"))),
                None => Ok(Some(array)),
            },
        }
    }

    /// A list of whole numbers from 0 to 2^24.
    pub(super) fn counts(&self, parameter: &str) -> Result<Vec<usize>> {
        let whole = |&v: &f64| {
            if v >= 0.0 && v.fract() == 0.0 && v <= f64::from(1 << 24) {
                return Ok(v as usize);
            }
            let what = format!("holds {v}, expected whole numbers from 0 to 2^24");
            Err(wrong(self.place(parameter), what))
        };
        self.array(parameter)?.values.iter().map(whole).collect()
    }

    /// One number for height and one for width, or one for both.
    pub(super) fn pair(&self, parameter: &str) -> Result<[usize; 2]> {
        match self.counts(parameter)?[..] {
            [both] => Ok([both, both]),
            [height, width] => Ok([height, width]),
            ref other => {
                let what = format!("has {} numbers, expected one or two", other.len());
                Err(wrong(self.place(parameter), what))
            }
        }
    }

    /// A number for each of `count` elements, out of as many or of a single one.
    pub(super) fn spread(&self, parameter: &str, count: usize) -> Result<Vec<f64>> {
        let array = self.array(parameter)?;
        match array.values.len() {
            1 => Ok(vec![array.values[0]; count]),
            n if n == count => Ok(array.values.clone()),
            _ => Err(wrong(
                self.place(parameter),
                format!("has shape {:?}, expected {count} numbers", array.shape),
            )),
        }
    }

    /// The same, all above 0.
    pub(super) fn positive(&self, parameter: &str, count: usize) -> Result<Vec<f64>> {
        let numbers = self.spread(parameter, count)?;
        match numbers.iter().position(|&v| v <= 0.0) {
            None => Ok(numbers),
            Some(k) => Err(wrong(
                self.place(parameter),
                format!("[{k}] is {}, it must be above 0", numbers[k]),
            )),
        }
    }
}

/// Numbers of a shape; `None` where they are more than can be counted.
pub(super) fn count(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1_usize, |all, &n| all.checked_mul(n))
}

/// Ticks of delay of each element of a Delay; `None` for other nodes.
///
/// # Errors
/// A delay that is no whole number of ticks, or longer than 2^24 of them.
pub(super) fn delay_ticks(name: &str, node: &Node, dt_s: f64) -> Result<Option<Vec<usize>>> {
    if node.kind != "Delay" {
        return Ok(None);
    }
    let reading = Reading { name, node };
    let ticks = |&delay: &f64| {
        let ticks = delay / dt_s;
        // Delays stand in files as 32-bit floats too.
        if (ticks - ticks.round()).abs() > 1e-6 * ticks.max(1.0) {
            let what = format!(
                "holds {delay} s, which is {ticks:.6} ticks of {dt_s} s; take ticks that divide it"
            );
            return Err(wrong(reading.place("delay"), what));
        }
        if !(0.0..=f64::from(1 << 24)).contains(&ticks.round()) {
            let what = format!("holds {delay} s; 0 to 2^24 ticks of {dt_s} s are possible");
            return Err(wrong(reading.place("delay"), what));
        }
        Ok(ticks.round() as usize)
    };
    let delays = reading.array("delay")?.values.iter();
    Ok(Some(delays.map(ticks).collect::<Result<_>>()?))
}
