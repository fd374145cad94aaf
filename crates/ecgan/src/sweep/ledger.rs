//! The ledger: a line of JSON for each cell all of whose seeds are done. It grows over time and machines, a sweep skips what
//! is in it, and tables are made from it.

use super::{Identity, Outcome};
use crate::{Error, regular_file};
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// One cell, finished.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// The data's name.
    pub data: String,
    /// Its values on the axes of the sweep that ran it.
    pub cell: Vec<(String, String)>,
    /// What differs from preset `paper`.
    pub settings: Identity,
    /// Labelled images trained on, of validation and of the test.
    pub images: [usize; 3],
    /// The seeds, to which the following lists belong.
    pub seeds: Vec<u64>,
    /// Of the last weights, in percent.
    pub test_accuracy: Vec<f64>,
    /// Of the last weights on the validation part, in percent; `None` without one.
    pub val_accuracy: Vec<Option<f64>>,
    /// The part of the fakes that counted in the last epoch; `None` without a GAN.
    pub kept_fraction: Vec<Option<f64>>,
    /// Time of each run.
    pub seconds: Vec<f64>,
}

impl Line {
    /// From the outcomes of a cell's seeds.
    ///
    /// # Panics
    /// Without an outcome.
    pub fn new(cell: &super::Cell, seeds: &[u64], outcomes: &[Outcome]) -> Self {
        let first = &outcomes[0].summary;
        let round = |value: f64, places: i32| (value * 10f64.powi(places)).round() / 10f64.powi(places);
        let list = |of: fn(&Outcome) -> Option<f64>| outcomes.iter().map(|o| of(o).map(|v| round(v, 4))).collect();
        Self {
            data: cell.settings.data_name(),
            cell: cell.labels.clone(),
            settings: cell.identity(),
            images: [first.n_train, first.n_val, first.n_test],
            seeds: seeds.to_vec(),
            test_accuracy: outcomes.iter().map(|o| round(o.summary.test_accuracy.unwrap_or(f64::NAN), 4)).collect(),
            val_accuracy: list(|o| o.last.val_accuracy),
            kept_fraction: list(|o| o.last.kept_fraction),
            seconds: outcomes.iter().map(|o| round(o.summary.seconds, 1)).collect(),
        }
    }
}

/// A file of such lines.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    path: Option<PathBuf>,
    /// What it holds.
    pub lines: Vec<Line>,
}

impl Ledger {
    /// Reads a ledger, empty where there is no such file yet.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::BadFile`] naming the line that is none.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let text = match regular_file::read_to_string(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text.map_err(Error::io(path, "read"))?,
        };
        // A line without its end was being written when its process was killed.
        let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n')).enumerate();
        let lines = whole.filter(|(_, line)| !line.trim().is_empty()).map(|(i, line)| {
            serde_json::from_str(line).map_err(|error| {
                let expected = "expected what `ecgan sweep` wrote, a finished combination a line";
                Error::BadFile { path: path.into(), problem: format!("line {}: {error}; {expected}", i + 1) }
            })
        });
        Ok(Self { path: Some(path.into()), lines: lines.collect::<Result<_, _>>()? })
    }

    /// Whether a cell with this identity has all these seeds.
    pub fn has(&self, identity: &Identity, seeds: &[u64]) -> bool {
        self.find(identity).is_some_and(|line| seeds.iter().all(|seed| line.seeds.contains(seed)))
    }

    /// The line of this identity, the one with most seeds.
    pub fn find(&self, identity: &Identity) -> Option<&Line> {
        self.lines.iter().filter(|line| line.settings == *identity).max_by_key(|line| line.seeds.len())
    }

    /// Adds a line, to the file too, in the place of a last one without its end.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn add(&mut self, line: Line) -> Result<(), Error> {
        if let Some(path) = &self.path {
            let text = serde_json::to_string(&line).expect("numbers and words are JSON") + "\n";
            append(path, text.as_bytes()).map_err(Error::io(path, "write"))?;
        }
        self.lines.push(line);
        Ok(())
    }
}

fn append(path: &Path, line: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().create(true).read(true).append(true).open(path)?;
    let text = fs::read(path)?;
    let whole = text.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    if whole < text.len() {
        file.set_len(whole as u64)?;
    }
    file.write_all(line)?;
    file.sync_all()
}
