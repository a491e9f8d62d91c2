//! Receptive fields of the lowest visual layer (Fig. 17 of the Human Brain Project's report
//! on deep predictive coding; Dora, Bohte and Pennartz 2021, doi 10.3389/fncom.2021.666131).
//!
//! Its causes are populations in a grid over the image, each over a patch of its own; patches
//! of neighbours overlap. A unit has no weights outside its patch, and the rules stay as they
//! are: what has no synapse neither predicts nor learns.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, check_count};

/// Where the populations are, and what they see.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fields {
    /// Rows, columns and colours of the image.
    pub image: [usize; 3],
    /// Rows and columns of populations.
    pub grid: [usize; 2],
    /// Rows and columns of a patch.
    pub patch: [usize; 2],
}

impl Fields {
    /// 5 x 8 populations over patches of a third of the rows and a quarter of the columns.
    pub fn over(image: [usize; 3]) -> Self {
        Fields {
            image,
            grid: [5, 8],
            patch: [image[0].div_ceil(3), image[1].div_ceil(4)],
        }
    }

    /// Checks the sizes against each other and against a layer of `units` over `input`
    /// values.
    ///
    /// # Errors
    /// [`Error::Parameter`] names what does not fit.
    pub fn validate(&self, input: usize, units: usize) -> Result<()> {
        for k in 0..2 {
            check_count("fields.image", self.image[k], 1, 1 << 16)?;
            check_count("fields.grid", self.grid[k], 1, 1 << 10)?;
            check_count("fields.patch", self.patch[k], 1, self.image[k])?;
        }
        check_count("fields.image", self.image[2], 1, 16)?;
        let values: usize = self.image.iter().product();
        let populations: usize = self.grid.iter().product();
        let wrong = |name: &str, value: usize, range: String| {
            Err(Error::Parameter {
                name: name.to_owned(),
                value: value.to_string(),
                range,
            })
        };
        if values != input {
            return wrong(
                "values of fields.image",
                values,
                format!("{input}, the input"),
            );
        }
        if !units.is_multiple_of(populations) {
            let range = format!("a multiple of the {populations} populations of fields.grid");
            return wrong("units of the lowest visual layer", units, range);
        }
        Ok(())
    }

    /// The first row or column that population `at` sees along an axis.
    fn first(&self, axis: usize, at: usize) -> usize {
        let room = self.image[axis] - self.patch[axis];
        match self.grid[axis] {
            1 => room / 2,
            n => (at * room + (n - 1) / 2) / (n - 1),
        }
    }

    /// Takes away all weights `[below, units]` outside the patches.
    pub(super) fn mask<R: Copy + Default>(&self, units: usize, weights: &mut [R]) {
        let [rows, columns] = self.grid;
        let each = units / (rows * columns);
        let [height, width] = self.patch;
        for (value, row) in weights.chunks_mut(units).enumerate() {
            let pixel = value / self.image[2];
            let at = [pixel / self.image[1], pixel % self.image[1]];
            for (population, weights) in row.chunks_mut(each).enumerate() {
                let top = self.first(0, population / columns);
                let left = self.first(1, population % columns);
                let sees =
                    (top..top + height).contains(&at[0]) && (left..left + width).contains(&at[1]);
                if !sees {
                    weights.fill(R::default());
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patches_cover_the_image_and_overlap() {
        let fields = Fields {
            image: [4, 6, 2],
            grid: [2, 3],
            patch: [3, 3],
        };
        fields.validate(48, 12).unwrap();
        assert!(fields.validate(48, 13).is_err() && fields.validate(47, 12).is_err());
        let mut weights = vec![1.0_f32; 48 * 12];
        fields.mask(12, &mut weights);
        let sees = |row: usize, column: usize, unit: usize| {
            let value = (row * 6 + column) * 2;
            assert_eq!(weights[value * 12 + unit], weights[(value + 1) * 12 + unit]);
            weights[value * 12 + unit] == 1.0
        };
        // Population 0 (units 0 and 1) sees rows 0 to 2 and columns 0 to 2, the last
        // (units 10 and 11) rows 1 to 3 and columns 3 to 5, the second columns 2 to 4.
        assert!(sees(0, 0, 1) && sees(2, 2, 0) && !sees(3, 0, 0) && !sees(0, 3, 1));
        assert!(sees(3, 5, 11) && sees(1, 3, 10) && !sees(0, 5, 11) && !sees(3, 2, 10));
        assert!(sees(0, 2, 2) && sees(0, 4, 3) && !sees(0, 1, 2));
        for value in 0..48 {
            assert!(weights[value * 12..][..12].contains(&1.0), "{value}");
        }
    }

    #[test]
    fn absurd_sizes_are_refused() {
        let fields = Fields {
            image: [usize::MAX, 2, 3],
            ..Fields::over([45, 80, 3])
        };
        assert!(fields.validate(10, 40).is_err());
        let fields = Fields::over([45, 80, 3]);
        assert_eq!(fields.patch, [15, 20]);
        fields.validate(10_800, 1000).unwrap();
    }
}
