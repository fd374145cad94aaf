//! The ledger: a line of JSON for each cell all of whose seeds are done. It grows over time and machines, a sweep skips what
//! is in it, and tables are made from it.

use super::{Identity, Outcome};
use crate::{Error, regular_file};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::{self, Read, Write};
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
            settings: cell.identity().clone(),
            images: [first.n_train, first.n_val, first.n_test],
            seeds: seeds.to_vec(),
            test_accuracy: outcomes.iter().map(|o| round(o.summary.test_accuracy.unwrap_or(f64::NAN), 4)).collect(),
            val_accuracy: list(|o| o.last.val_accuracy),
            kept_fraction: list(|o| o.last.kept_fraction),
            seconds: outcomes.iter().map(|o| round(o.summary.seconds, 1)).collect(),
        }
    }

    /// With the seeds of another line that this one has not, in ascending order.
    fn with(self, other: &Self) -> Self {
        let new = other.seeds.iter().enumerate().filter(|(_, seed)| !self.seeds.contains(seed));
        let new = new.map(|(i, seed)| (*seed, other, i));
        let mut all: Vec<_> = self.seeds.iter().enumerate().map(|(i, seed)| (*seed, &self, i)).chain(new).collect();
        all.sort_by_key(|(seed, ..)| *seed);
        Self {
            seeds: all.iter().map(|(seed, ..)| *seed).collect(),
            test_accuracy: all.iter().map(|(_, line, i)| line.test_accuracy[*i]).collect(),
            val_accuracy: all.iter().map(|(_, line, i)| line.val_accuracy[*i]).collect(),
            kept_fraction: all.iter().map(|(_, line, i)| line.kept_fraction[*i]).collect(),
            seconds: all.iter().map(|(_, line, i)| line.seconds[*i]).collect(),
            ..self.clone()
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
        let bytes = match regular_file::read(path, u64::MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            bytes => bytes.map_err(Error::io(path, "read"))?,
        };
        let whole = &bytes[..without_torn(&bytes)];
        let lines = whole.split(|&byte| byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
        let lines = lines.map(|(i, line)| {
            parse(line).map_err(|error| {
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

    /// What there is of this identity: its lines as one, by ascending seed. Of a seed in several of them the first counts.
    pub fn find(&self, identity: &Identity) -> Option<Line> {
        let mut lines = self.lines.iter().filter(|line| line.settings == *identity);
        let first = lines.next()?.clone();
        Some(lines.fold(first, Line::with))
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

fn parse(text: &[u8]) -> serde_json::Result<Line> {
    let line: Line = serde_json::from_slice(text)?;
    let Line { seeds, test_accuracy, val_accuracy, kept_fraction, seconds, .. } = &line;
    let lengths = [test_accuracy.len(), val_accuracy.len(), kept_fraction.len(), seconds.len()];
    if seeds.is_empty() || lengths.iter().any(|&length| length != seeds.len()) {
        return Err(serde::de::Error::custom("its lists have not one value for each of its seeds"));
    }
    Ok(line)
}

/// How many of these bytes are whole lines: a last one that is none and has no end was being written when its process was
/// killed.
fn without_torn(bytes: &[u8]) -> usize {
    let end = bytes.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
    let is_whole = serde_json::from_slice::<IgnoredAny>(&bytes[end..]).is_ok();
    if is_whole { bytes.len() } else { end }
}

fn append(path: &Path, line: &[u8]) -> io::Result<()> {
    let mut file = fs::OpenOptions::new().create(true).read(true).append(true).open(path)?;
    // Another process may be adding its line, which is not torn. Where files have no locks, the chance is taken.
    match file.lock() {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => {}
        locked => locked?,
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let whole = without_torn(&bytes);
    if whole < bytes.len() {
        file.set_len(whole as u64)?;
    }
    let ended = bytes[..whole].last().is_none_or(|&byte| byte == b'\n');
    file.write_all(&[if ended { b"" } else { &b"\n"[..] }, line].concat())?;
    file.sync_all()
}
