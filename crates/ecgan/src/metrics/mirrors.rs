//! What mirrors `metrics.jsonl` in other formats: `metrics.csv`, and TensorBoard's events where they are asked for.

use super::{EpochMetrics, csv};
use crate::Error;
use crate::run_folder::names::METRICS_TABLE;
use crate::run_folder::{RunFolder, write_bytes};
use crate::tensorboard::Events;
use std::fs;
use std::io::Write;
use std::path::PathBuf;

/// Grows with `metrics.jsonl`, a line at a time.
pub struct Mirrors {
    csv: PathBuf,
    classes: usize,
    events: Option<Events>,
}

impl Mirrors {
    /// Begins with the lines of `metrics.jsonl` that stand: none in a new run, those up to the checkpoint in a resumed
    /// one. What the mirrors said beyond them is gone.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn start(
        folder: &RunFolder,
        classes: &[String],
        kept: &[EpochMetrics],
        tensorboard: bool,
    ) -> Result<Self, Error> {
        let csv = folder.path().join(METRICS_TABLE);
        let text = kept.iter().fold(csv::header(classes), |text, epoch| text + &csv::row(epoch, classes.len()));
        write_bytes(&csv, text)?;
        let events = tensorboard.then(|| Events::start(folder.path(), classes, kept)).transpose()?;
        Ok(Self { csv, classes: classes.len(), events })
    }

    /// Adds an epoch, whose sample grid is written already.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn epoch(&self, epoch: &EpochMetrics) -> Result<(), Error> {
        let line = csv::row(epoch, self.classes);
        fs::OpenOptions::new()
            .append(true)
            .open(&self.csv)
            .and_then(|mut file| file.write_all(line.as_bytes()))
            .map_err(Error::io(&self.csv, "write"))?;
        self.events.as_ref().map_or(Ok(()), |events| events.epoch(epoch))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Method;

    #[test]
    fn a_resumed_run_drops_what_was_beyond_its_checkpoint() {
        let here = tempfile::tempdir().unwrap();
        let folder =
            RunFolder::create(Some(&here.path().join("run")), here.path(), Method::Classifier, "data").unwrap();
        let epoch = |n| EpochMetrics { epoch: n, step: 4 * n as u64, ..EpochMetrics::default() };
        let classes = ["a".to_owned()];
        let csv = || fs::read_to_string(folder.path().join(METRICS_TABLE)).unwrap();
        let column = |text: &str| text.lines().map(|l| l.split(',').next().unwrap().to_owned()).collect::<Vec<_>>();
        let first = Mirrors::start(&folder, &classes, &[], false).unwrap();
        (1..=3).for_each(|n| first.epoch(&epoch(n)).unwrap());
        assert_eq!(column(&csv()), ["epoch", "1", "2", "3"]);
        let second = Mirrors::start(&folder, &classes, &[epoch(1)], false).unwrap();
        second.epoch(&epoch(2)).unwrap();
        assert_eq!(column(&csv()), ["epoch", "1", "2"]);
    }
}
