//! A run folder that was begun before: finding it, taking it over, and dropping what its run did past a checkpoint.

use super::names::{
    CHECKPOINTS, CONFIG, DIVERGED, EVALUATION, LAST, MISTAKES, MISTAKES_PICTURE, REPORT, SAMPLES, SUMMARY,
};
use super::read::whole_lines;
use super::{Lock, RunFolder, lock, write_bytes};
use crate::Error;
use crate::metrics::EpochMetrics;
use crate::regular_file::read_if_there;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The run folder that `path` means: the folder itself, its `config.toml` or its last checkpoint.
///
/// # Errors
/// [`Error::BadFile`] where it is none, [`Error::Io`] where nothing is there.
pub fn find(path: &Path) -> Result<PathBuf, Error> {
    // As messages have it: without a slash at the end.
    let path = &path.components().collect::<PathBuf>();
    let bad = |problem: &str| Err(Error::BadFile { path: path.to_path_buf(), problem: problem.into() });
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let folder = match fs::metadata(path).map_err(Error::io(path, "read"))?.is_dir() {
        true if name == CHECKPOINTS && !path.join(CONFIG).exists() => parent(path),
        true => path.to_path_buf(),
        false if name == CONFIG => parent(path),
        false if name == LAST => parent(&parent(path)),
        false if name.ends_with(".safetensors") => {
            return bad("a run goes on from its last.safetensors; expected the run folder");
        }
        false => return bad("expected a run folder: the folder that `ecgan train` left, with config.toml in it"),
    };
    if !folder.join(CONFIG).is_file() {
        return bad("no config.toml there; expected a run folder that `ecgan train` left");
    }
    Ok(folder)
}

/// The folder that holds `path`, as a path that can be opened.
fn parent(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
        // `last.safetensors` within `checkpoints` is one of `..`.
        Some(_) if path.as_os_str() == "." => "..".into(),
        _ => ".".into(),
    }
}

impl RunFolder {
    /// Takes over the folder of a run that was stopped, and removes the half-written files it left.
    ///
    /// # Errors
    /// [`Error::Locked`] where the run is not stopped at all; [`Error::Io`].
    pub fn open(path: &Path) -> Result<Self, Error> {
        let lock = Lock::take(path)?;
        for folder in [path.to_path_buf(), path.join(CHECKPOINTS), path.join(SAMPLES)] {
            remove_unfinished(&folder).map_err(Error::io(&folder, "clean"))?;
        }
        Ok(Self { path: path.to_path_buf(), made: Vec::new(), lock })
    }

    /// Removes what only a run has that ended, where it is there: the summary, the test and its mistakes, the report, and where it diverged.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn remove_ending(&self) -> Result<(), Error> {
        // The summary, which makes a run a finished one, first: a run that is killed in between goes on and comes here again.
        for name in [SUMMARY, EVALUATION, MISTAKES, MISTAKES_PICTURE, REPORT, DIVERGED] {
            let path = self.path.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                removed => removed.map_err(Error::io(&path, "remove"))?,
            }
        }
        Ok(())
    }

    /// Removes everything in the folder, for a run that begins anew in it; it stays ours.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn clear(&self) -> Result<(), Error> {
        for entry in fs::read_dir(&self.path).map_err(Error::io(&self.path, "read"))? {
            let entry = entry.map_err(Error::io(&self.path, "read"))?;
            let path = entry.path();
            if entry.file_name() == lock::NAME {
                continue;
            }
            // Not what a link leads to.
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let removed = if is_folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.map_err(Error::io(&path, "remove"))?;
        }
        Ok(())
    }

    /// Drops the lines of `metrics.jsonl` that are not to be kept, and a last one that was not written whole; returns
    /// those that stay.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::BadFile`] naming a line that is none of ours.
    pub fn keep_metrics(&self, keep: impl Fn(&EpochMetrics) -> bool) -> Result<Vec<EpochMetrics>, Error> {
        let path = self.metrics_file();
        let Some(bytes) = read_if_there(&path).map_err(Error::io(&path, "read"))? else { return Ok(Vec::new()) };
        let (mut kept, mut lines) = (Vec::new(), Vec::new());
        for line in whole_lines(&path, &bytes) {
            let (line, epoch) = line?;
            if keep(&epoch) {
                kept.extend_from_slice(line);
                lines.push(epoch);
            }
        }
        if kept.is_empty() {
            fs::remove_file(&path).map_err(Error::io(&path, "write"))?;
        } else if kept != bytes {
            write_bytes(&path, kept)?;
        }
        Ok(lines)
    }
}

fn remove_unfinished(folder: &Path) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        // A folder of such a name is no run's: somebody else may be filling it.
        if super::is_unfinished(&entry.file_name()) && !entry.file_type()?.is_dir() {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
