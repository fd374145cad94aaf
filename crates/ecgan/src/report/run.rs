//! Reads a run folder, finished or not.

use crate::Error;
use crate::checkpoint::Checkpoint;
use crate::metrics::{Divergence, EpochMetrics, Evaluation, Summary};
use crate::run_folder::names::{CONFIG, EVALUATION, LAST_CHECKPOINT, SAMPLES, epoch_of_samples};
use crate::run_folder::{divergence_of, json, metrics_of, settings_of, summary_of};
use crate::settings::Settings;
use std::fs;
use std::path::{Path, PathBuf};

/// What becomes of a report without a file.
const LEFT_OUT: &str = "the report leaves the test out";

/// What a run left.
pub struct Run {
    /// The folder.
    pub path: PathBuf,
    /// As resolved.
    pub settings: Settings,
    /// Its finished epochs.
    pub epochs: Vec<EpochMetrics>,
    /// The classes' names; numbers where nothing tells the names yet.
    pub classes: Vec<String>,
    /// `None` where the run is not finished.
    pub summary: Option<Summary>,
    /// Where it diverged, if that has ended it.
    pub divergence: Option<Divergence>,
    /// The final test.
    pub evaluation: Option<Evaluation>,
    /// Sample grids by epoch.
    pub samples: Vec<(usize, PathBuf)>,
}

impl Run {
    /// Reads `path`.
    pub fn read(path: &Path) -> Result<Self, Error> {
        fs::metadata(path).map_err(Error::io(path, "read"))?;
        if !path.join(CONFIG).is_file() {
            let problem = "no config.toml in it; expected the folder of a run, such as runs/0001-ec-gan-synthetic";
            return Err(Error::BadFile { path: path.to_path_buf(), problem: problem.to_owned() });
        }
        let epochs = metrics_of(path)?;
        let evaluation: Option<Evaluation> = json(path.join(EVALUATION), LEFT_OUT)?;
        if evaluation.as_ref().is_some_and(|found| !is_square(found)) {
            let problem =
                format!("its confusion matrix has not a row and a column a class; without the file {LEFT_OUT}");
            return Err(Error::BadFile { path: path.join(EVALUATION), problem });
        }
        Ok(Self {
            path: path.to_path_buf(),
            settings: settings_of(path)?,
            classes: classes(path, &epochs, evaluation.as_ref()),
            summary: summary_of(path)?,
            divergence: divergence_of(path)?,
            evaluation,
            samples: samples(&path.join(SAMPLES), epochs.last().map_or(0, |last| last.epoch)),
            epochs,
        })
    }

    /// The last finished epoch.
    pub fn last(&self) -> Option<&EpochMetrics> {
        self.epochs.last()
    }

    /// The folder's own name.
    pub fn name(&self) -> String {
        let full = self.path.canonicalize().unwrap_or_else(|_| self.path.clone());
        full.file_name().unwrap_or(full.as_os_str()).to_string_lossy().into_owned()
    }

    /// The best epoch by the validation part, the first of equals. One that a limit cut short counts where there is no other, as for
    /// the run's checkpoint.
    pub fn best(&self) -> Option<(usize, f64)> {
        let whole = match &self.epochs[..] {
            [first, .., before, last] if last.step.saturating_sub(before.step) < first.step => self.epochs.len() - 1,
            [first, last] if last.step.saturating_sub(first.step) < first.step => 1,
            all => all.len(),
        };
        let measured = self.epochs[..whole].iter().filter_map(|epoch| Some((epoch.epoch, epoch.val_accuracy?)));
        measured.fold(None, |best: Option<(usize, f64)>, this| best.filter(|best| best.1 >= this.1).or(Some(this)))
    }
}

fn is_square(Evaluation { per_class, confusion, .. }: &Evaluation) -> bool {
    let classes = per_class.len();
    confusion.len() == classes && confusion.iter().all(|row| row.len() == classes)
}

fn classes(run: &Path, epochs: &[EpochMetrics], evaluation: Option<&Evaluation>) -> Vec<String> {
    if let Some(evaluation) = evaluation {
        return evaluation.per_class.iter().map(|class| class.class.clone()).collect();
    }
    // An unfinished run: its checkpoint knows them, and where there is none yet, numbers do.
    if let Ok(checkpoint) = Checkpoint::read(&run.join(LAST_CHECKPOINT)) {
        return checkpoint.meta.classes;
    }
    let kept = epochs.last().and_then(|epoch| epoch.kept_per_class.as_ref()).map_or(0, Vec::len);
    (0..kept).map(|k| format!("class {k}")).collect()
}

/// `epoch-NNNN.png` up to the epoch `last`, in order: a run that went on from an older checkpoint may have later ones.
fn samples(folder: &Path, last: usize) -> Vec<(usize, PathBuf)> {
    let mut found: Vec<(usize, PathBuf)> = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((epoch_of_samples(&entry.file_name().to_string_lossy())?, entry.path())))
        .filter(|(epoch, _)| *epoch <= last)
        .collect();
    found.sort();
    found
}
