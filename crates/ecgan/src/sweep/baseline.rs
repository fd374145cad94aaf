//! What the rows of a table are compared with, where it is named.

use super::{Axis, Cell};
use crate::Error;

/// A value of one axis. A row is compared with the cell that has it there, and on every other axis what the row has.
#[derive(Clone, Debug, PartialEq)]
pub struct Baseline {
    axis: String,
    label: String,
}

impl Baseline {
    /// The value of this name.
    ///
    /// # Errors
    /// [`Error::Setting`] where no axis has one, or several have, or one that gives the data: accuracies on other images are no pairs.
    pub fn new(name: &str, axes: &[Axis]) -> Result<Self, Error> {
        let has = |axis: &&Axis| axis.values.iter().any(|value| value.label == name);
        let having: Vec<&Axis> = axes.iter().filter(has).collect();
        let names = || having.iter().map(|axis| axis.name.as_str()).collect::<Vec<_>>().join(" and ");
        let (expected, got) = match having[..] {
            [axis] if axis.keys().contains("data") => (
                "a value of an axis that gives no data, so that both are tested on the same images".into(),
                name.into(),
            ),
            [axis] => return Ok(Self { axis: axis.name.clone(), label: name.into() }),
            [] => (format!("one of {}", labels(axes)), name.into()),
            _ => ("a name that one axis has".into(), format!("{name}, which {} have", names())),
        };
        Err(Error::Setting { name: "baseline", expected, got })
    }

    /// What this row is compared with.
    pub(super) fn cell<'a>(&self, row: &Cell, cells: &'a [Cell]) -> Option<&'a Cell> {
        let mut labels = row.labels.clone();
        let label = labels.iter_mut().find(|(axis, _)| *axis == self.axis);
        label?.1.clone_from(&self.label);
        cells.iter().find(|cell| cell.labels == labels)
    }
}

/// All there are, for a message.
fn labels(axes: &[Axis]) -> String {
    let mut labels: Vec<&str> = axes.iter().flat_map(|axis| &axis.values).map(|value| value.label.as_str()).collect();
    labels.sort_unstable();
    labels.dedup();
    labels.join(", ")
}
