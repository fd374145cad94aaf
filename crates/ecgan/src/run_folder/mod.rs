//! The folder of a run: `config.toml`, `metrics.jsonl` and its mirrors, `samples/`, `checkpoints/`, `summary.json`, `evaluation.json`,
//! `mistakes.csv`, `mistakes.png` and `report.html`;
//! `diverged.json` of one that ended so.

mod atomic;
mod lock;
pub mod names;
mod new_folder;
mod png;
mod read;
mod reopen;

pub(crate) use atomic::{check_can_write, sync_folder};
pub use atomic::{write_atomically, write_bytes};
pub(crate) use lock::{is_at, where_there_are_locks};
pub use new_folder::NewFolder;
pub(crate) use png::is_our_png;
pub use png::{png, write_png};
pub use read::{divergence_of, summary_of};
pub(crate) use read::{json, metrics_of, settings_of};
pub use reopen::find;

use crate::Error;
use crate::metrics::{Divergence, Ending, EpochMetrics, Evaluation, Summary};
use crate::mistakes::Mistakes;
use crate::settings::{Method, Settings};
use crate::shell::quoted_path;
use image::RgbImage;
use lock::Lock;
use names::{
    BEST_CHECKPOINT, CONFIG, DIVERGED, EVALUATION, LAST_CHECKPOINT, METRICS, MISTAKES, MISTAKES_PICTURE, REAL_SAMPLES,
    SUMMARY,
};
use serde::Serialize;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// What is left of a run's folder where the process ends before training begins.
#[derive(Debug)]
pub struct Traces {
    /// Folders that were made for the run, innermost first.
    made: Vec<PathBuf>,
    lock: PathBuf,
}

impl Traces {
    /// Removes the lock, and the folders as far as nothing has been written into them. The process must end then.
    pub fn remove(&self) {
        let _ = fs::remove_file(&self.lock);
        remove_if_empty(&self.made);
    }
}

/// Removes folders, innermost first, up to one that is not empty.
fn remove_if_empty(folders: &[PathBuf]) {
    // `remove_dir` refuses a folder that holds something, which is what is wanted.
    let _ = folders.iter().try_for_each(fs::remove_dir);
}

/// The folder of one run, which no other process writes to while this lives. Files in it appear whole, under their final names, or not at all; only
/// `metrics.jsonl` and what mirrors it grow, a line at a time.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
    /// Folders that were made for this run, innermost first.
    made: Vec<PathBuf>,
    lock: Lock,
}

impl RunFolder {
    /// Creates `out`, or else `NNNN-<method>-<data>` in `runs_root` with the number after the highest there.
    ///
    /// # Errors
    /// [`Error::Occupied`] where `out` is a file or a folder that is not empty, [`Error::Locked`] where another run
    /// begins in it; [`Error::Io`].
    pub fn create(out: Option<&Path>, runs_root: &Path, method: Method, data_name: &str) -> Result<Self, Error> {
        match out {
            Some(path) => claim(path),
            None => number(runs_root, &format!("{method}-{}", plain(data_name))),
        }
    }

    /// What there is to remove where the process ends before training begins.
    pub fn traces(&self) -> Traces {
        Traces { made: self.made.clone(), lock: self.lock.path().to_path_buf() }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `checkpoints/last.safetensors`.
    pub fn last_checkpoint(&self) -> PathBuf {
        self.path.join(LAST_CHECKPOINT)
    }

    /// `checkpoints/best.safetensors`: best by the validation part.
    pub fn best_checkpoint(&self) -> PathBuf {
        self.path.join(BEST_CHECKPOINT)
    }

    /// `checkpoints/epoch-NNNN.safetensors`: one that stays.
    pub fn epoch_checkpoint(&self, epoch: u64) -> PathBuf {
        self.path.join(names::epoch_checkpoint(epoch))
    }

    /// `config.toml`; once it is there, the run can be resumed.
    pub fn config_file(&self) -> PathBuf {
        self.path.join(CONFIG)
    }

    /// `metrics.jsonl`.
    pub fn metrics_file(&self) -> PathBuf {
        self.path.join(METRICS)
    }

    /// Writes `config.toml`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_config(&self, settings: &Settings) -> Result<(), Error> {
        write_bytes(&self.config_file(), settings.to_toml())
    }

    /// Appends one line to `metrics.jsonl` and syncs it: a checkpoint of this epoch never lasts without it.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn append_metrics(&self, epoch: &EpochMetrics) -> Result<(), Error> {
        let path = self.metrics_file();
        let mut line = serde_json::to_string(epoch).expect("numbers are JSON");
        line.push('\n');
        fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(line.as_bytes()).and_then(|()| file.sync_all()))
            .map_err(Error::io(&path, "write"))
    }

    /// Writes `samples/epoch-NNNN.png`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_samples(&self, epoch: usize, grid: &RgbImage) -> Result<(), Error> {
        write_png(&self.path.join(names::epoch_samples(epoch)), grid)
    }

    /// Writes `samples/real.png`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_reals(&self, grid: &RgbImage) -> Result<(), Error> {
        write_png(&self.path.join(REAL_SAMPLES), grid)
    }

    /// Writes `summary.json`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_summary(&self, summary: &Summary) -> Result<(), Error> {
        self.write_json(SUMMARY, summary)
    }

    /// Writes `evaluation.json`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_evaluation(&self, evaluation: &Evaluation) -> Result<(), Error> {
        self.write_json(EVALUATION, evaluation)
    }

    /// Writes `mistakes.csv`, and `mistakes.png` where there is one to show.
    ///
    /// # Errors
    /// [`Error::Io`]; an image that cannot be decoded any more.
    pub fn write_mistakes(&self, mistakes: &Mistakes) -> Result<(), Error> {
        let [table, picture] = [MISTAKES, MISTAKES_PICTURE].map(|name| self.path.join(name));
        write_bytes(&table, mistakes.csv())?;
        mistakes.picture()?.map_or(Ok(()), |image| write_png(&picture, &image))
    }

    /// Writes `diverged.json`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_divergence(&self, divergence: &Divergence) -> Result<(), Error> {
        self.write_json(DIVERGED, divergence)
    }

    fn write_json(&self, name: &str, value: &impl Serialize) -> Result<(), Error> {
        write_atomically(&self.path.join(name), |file| {
            serde_json::to_writer_pretty(&mut *file, value)?;
            file.write_all(b"\n")
        })
    }

    /// Removes the folders made for this run as far as nothing has been written into them, so that a run that could
    /// not begin leaves no trace.
    pub fn discard_if_empty(self) {
        let Self { made, lock, .. } = self;
        drop(lock);
        remove_if_empty(&made);
    }
}

/// Characters of a name within that of a folder. Of four bytes each, those of one name leave room for what is put before it;
/// whoever joins several has to see to the length of the whole.
const LONGEST_NAME: usize = 50;

/// Whether a run could begin in `path`, given as its `out`.
///
/// # Errors
/// [`Error::Occupied`] and [`Error::Io`].
pub fn check_out(path: &Path) -> Result<(), Error> {
    check_free("out", path, is_ours).map_err(|error| match error {
        Error::Occupied { name, path, problem } if goes_on(&path) => {
            let again = format!("a run is there: `ecgan train --resume {}` goes on with it", quoted_path(&path));
            Error::Occupied { name, path, problem: format!("{problem}; {again}") }
        }
        error => error,
    })
}

/// Whether a run was begun in this folder that has more to do. (One that diverged would diverge again.)
fn goes_on(path: &Path) -> bool {
    let is_there = |name| path.join(name).exists();
    let is_done = || match summary_of(path) {
        Ok(summary) => summary.is_some_and(|summary| summary.ended_by != Ending::MaxTime),
        Err(_) => true,
    };
    is_there(CONFIG) && !is_there(DIVERGED) && !is_done()
}

fn claim(path: &Path) -> Result<RunFolder, Error> {
    check_out(path)?;
    let made = missing(path);
    fs::create_dir_all(path).map_err(Error::io(path, "create"))?;
    let lock = Lock::take(path)?;
    // What another run wrote between our look and our lock.
    check_out(path)?;
    Ok(RunFolder { path: path.to_path_buf(), made, lock })
}

/// What a run leaves that was killed before it wrote anything.
fn is_ours(name: &OsStr) -> bool {
    name == lock::NAME || is_unfinished(name)
}

/// Whether a file or folder of this name was being written when its process was killed.
fn is_unfinished(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with(atomic::UNFINISHED)
}

/// The folders of `path` that are not there, innermost first.
fn missing(path: &Path) -> Vec<PathBuf> {
    let named = path.ancestors().filter(|folder| !folder.as_os_str().is_empty());
    named.take_while(|folder| !folder.exists()).map(Path::to_path_buf).collect()
}

/// Whether `path`, given by the setting `name`, is free to be written to: not there yet, or an empty folder, but for what was
/// being written when a process was killed.
///
/// # Errors
/// [`Error::Occupied`] where it is not, [`Error::Io`] where it cannot be read.
pub fn check_new_or_empty(name: &'static str, path: &Path) -> Result<(), Error> {
    check_free(name, path, is_unfinished)
}

/// The same, but for files whose names are `ignored`.
fn check_free(name: &'static str, path: &Path, ignored: fn(&OsStr) -> bool) -> Result<(), Error> {
    let occupied = |problem: &str| Err(Error::Occupied { name, path: path.to_path_buf(), problem: problem.into() });
    let counted = |entry: &io::Result<fs::DirEntry>| entry.as_ref().is_ok_and(|entry| !ignored(&entry.file_name()));
    match fs::read_dir(path).map(|entries| entries.filter(counted).count()) {
        Ok(0) => Ok(()),
        Ok(_) => occupied("is not empty"),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => occupied("is not a folder"),
        Err(error) => Err(Error::io(path, "read")(error)),
    }
}

fn number(runs_root: &Path, name: &str) -> Result<RunFolder, Error> {
    let mut made = missing(runs_root);
    fs::create_dir_all(runs_root).map_err(Error::io(runs_root, "create"))?;
    let entries = fs::read_dir(runs_root).map_err(Error::io(runs_root, "read"))?;
    let taken = entries.flatten().filter_map(|entry| leading_number(&entry.file_name().to_string_lossy()));
    let path = first_free(runs_root, name, taken.max().map_or(1, |last| last + 1))?;
    made.insert(0, path.clone());
    let lock = Lock::take(&path)?;
    Ok(RunFolder { path, made, lock })
}

/// `create_dir` is what makes a number ours: where another run was faster, the next one is tried.
fn first_free(runs_root: &Path, name: &str, mut number: u64) -> Result<PathBuf, Error> {
    loop {
        let path = runs_root.join(format!("{number:04}-{name}"));
        match fs::create_dir(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(Error::io(&path, "create")(error)),
        }
    }
}

fn leading_number(name: &str) -> Option<u64> {
    let (digits, _) = name.split_once('-')?;
    let number: u64 = digits.parse().ok()?;
    (number < u64::MAX).then_some(number)
}

/// A folder name without what a shell or a path would take apart, and of a length that file systems take.
pub(crate) fn plain(name: &str) -> String {
    let plain = |c: char| if c.is_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '_' };
    let name: String = name.chars().map(plain).take(LONGEST_NAME).collect();
    if name.trim_matches('.').is_empty() { "data".into() } else { name }
}

#[cfg(test)]
mod tests;
