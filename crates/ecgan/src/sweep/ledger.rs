//! The ledger: a line of JSON for each cell all of whose seeds are done. It grows over time and machines, a sweep skips what
//! is in it, and tables are made from it.

use super::{Cell, Identity, Outcome};
use crate::Error;
use crate::regular_file::read_if_there;
use crate::run_folder::where_there_are_locks;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::fs;
use std::io::{Read, Write};
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
    pub fn new(cell: &Cell, seeds: &[u64], outcomes: &[Outcome]) -> Self {
        let first = &outcomes[0].summary;
        let round = |value: f64, places: i32| (value * 10f64.powi(places)).round() / 10f64.powi(places);
        let list = |of: fn(&Outcome) -> Option<f64>| outcomes.iter().map(|o| of(o).map(|v| round(v, 4))).collect();
        Self {
            data: cell.settings.data_name(),
            cell: cell.labels.clone(),
            settings: cell.identity().clone(),
            images: [first.n_train, first.n_val, first.n_test],
            seeds: seeds.to_vec(),
            test_accuracy: outcomes.iter().map(|o| round(o.test_accuracy, 4)).collect(),
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
        let bytes = read_if_there(path).map_err(Error::io(path, "read"))?.unwrap_or_default();
        Ok(Self { path: Some(path.into()), lines: lines(path, &bytes[..without_torn(&bytes)])? })
    }

    /// Checks that lines can be added to a file, which is there then, as the folders on the way to it are: before the work whose outcome is
    /// to be added.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn check_can_grow(path: &Path) -> Result<(), Error> {
        to_grow(path).map(drop)
    }

    /// Gives `work` a ledger while no other process adds to it, so that what is made of it is made of all that there is.
    ///
    /// # Errors
    /// As [`Ledger::open`]; those of `work`.
    pub fn locked<T, E: From<Error>>(path: &Path, work: impl FnOnce(&Self) -> Result<T, E>) -> Result<T, E> {
        let file = fs::File::open(path).ok();
        // Shared: files that are open for reading have no other lock everywhere, and those that add wait for it.
        file.as_ref()
            .map_or(Ok(()), |file| where_there_are_locks(file.lock_shared()))
            .map_err(Error::io(path, "lock"))?;
        work(&Self::open(path)?)
    }

    pub(super) fn lines_of(&self, identity: &Identity) -> impl Iterator<Item = &Line> {
        self.lines.iter().filter(move |line| line.settings == *identity)
    }

    /// Whether a cell with this identity has all these seeds.
    pub fn has(&self, identity: &Identity, seeds: &[u64]) -> bool {
        self.find(identity).is_some_and(|line| seeds.iter().all(|seed| line.seeds.contains(seed)))
    }

    /// What there is of this identity: its lines as one, by ascending seed. Of a seed in several of them the first counts.
    pub fn find(&self, identity: &Identity) -> Option<Line> {
        let mut lines = self.lines_of(identity);
        let first = lines.next()?.clone();
        Some(lines.fold(first, Line::with))
    }

    /// How many other combinations it has than these cells.
    pub(super) fn beside(&self, cells: &[Cell]) -> usize {
        let is_other = |line: &&Line| cells.iter().all(|cell| cell.identity() != &line.settings);
        self.lines.iter().filter(is_other).map(|line| line.settings.to_string()).collect::<HashSet<_>>().len()
    }

    /// Adds a line, to the file too, in the place of a last one without its end; none where another process has added the same
    /// meanwhile.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub fn add(&mut self, line: Line) -> Result<(), Error> {
        match self.path.clone() {
            Some(path) => self.append(&path, line),
            None => {
                self.lines.push(line);
                Ok(())
            }
        }
    }

    fn append(&mut self, path: &Path, line: Line) -> Result<(), Error> {
        let io = |error| Error::io(path, "write")(error);
        let mut file = to_grow(path)?;
        // Another process may be adding its line, which is not torn.
        where_there_are_locks(file.lock()).map_err(io)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let whole = without_torn(&bytes);
        self.lines = lines(path, &bytes[..whole])?;
        if self.has(&line.settings, &line.seeds) {
            return Ok(());
        }
        let text = serde_json::to_string(&line).expect("numbers and words are JSON") + "\n";
        let ended = bytes[..whole].last().is_none_or(|&byte| byte == b'\n');
        let text = if ended { text } else { format!("\n{text}") };
        let written = if whole < bytes.len() { file.set_len(whole as u64) } else { Ok(()) };
        written.and_then(|()| file.write_all(text.as_bytes())).and_then(|()| file.sync_all()).map_err(io)?;
        self.lines.push(line);
        Ok(())
    }
}

/// Opens a ledger that lines are to be added to.
fn to_grow(path: &Path) -> Result<fs::File, Error> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    folder.map_or(Ok(()), |folder| fs::create_dir_all(folder).map_err(Error::io(folder, "create")))?;
    fs::OpenOptions::new().create(true).read(true).append(true).open(path).map_err(Error::io(path, "write"))
}

/// The lines of a ledger's text.
fn lines(path: &Path, text: &[u8]) -> Result<Vec<Line>, Error> {
    let lines = text.split(|&byte| byte == b'\n').enumerate().filter(|(_, line)| !line.trim_ascii().is_empty());
    let lines = lines.map(|(i, line)| {
        parse(line).map_err(|error| {
            let expected = "expected what `ecgan sweep` wrote, a finished combination a line";
            Error::BadFile { path: path.into(), problem: format!("line {}: {error}; {expected}", i + 1) }
        })
    });
    lines.collect()
}

fn parse(text: &[u8]) -> serde_json::Result<Line> {
    let line: Line = serde_json::from_slice(text)?;
    let Line { seeds, test_accuracy, val_accuracy, kept_fraction, seconds, .. } = &line;
    let lengths = [test_accuracy.len(), val_accuracy.len(), kept_fraction.len(), seconds.len()];
    if seeds.is_empty() || lengths.iter().any(|&length| length != seeds.len()) {
        return Err(serde::de::Error::custom("its lists have not one value for each of its seeds"));
    }
    if seeds.iter().collect::<HashSet<_>>().len() != seeds.len() {
        return Err(serde::de::Error::custom("a seed is there twice"));
    }
    let accuracies = test_accuracy.iter().chain(val_accuracy.iter().flatten());
    if let Some(wrong) = accuracies.copied().find(|accuracy| !(0.0..=100.0).contains(accuracy)) {
        return Err(serde::de::Error::custom(format!("an accuracy of {wrong} %")));
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
