//! The runs in a sweep's folder: found by what they are known by, and what the finished ones found.

use super::folder::RUNS;
use super::{Cell, Ledger, Line};
use crate::Error;
use crate::metrics::{EpochMetrics, Summary};
use crate::run_folder::names::{METRICS, SUMMARY};
use crate::run_folder::{metrics_of, summary_of};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};

/// What separates a run's labels, in the name of its folder, from what it is known by.
const SEED: &str = "-seed";

/// The folders of a sweep's runs, as they were when they were listed.
#[derive(Debug)]
pub struct Runs {
    folder: PathBuf,
    /// By what they are known by, and seed.
    found: HashMap<String, BTreeMap<u64, PathBuf>>,
}

impl Runs {
    /// Those below a sweep's folder.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn list(sweep: &Path) -> Result<Self, Error> {
        let folder = sweep.join(RUNS);
        let mut found: HashMap<String, BTreeMap<u64, PathBuf>> = HashMap::new();
        if folder.is_dir() {
            for entry in fs::read_dir(&folder).map_err(Error::io(&folder, "read"))? {
                let entry = entry.map_err(Error::io(&folder, "read"))?;
                if let Some((seed, key)) = parts(&entry.file_name().to_string_lossy()) {
                    found.entry(key.into()).or_default().insert(seed, entry.path());
                }
            }
        }
        Ok(Self { folder, found })
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// The folder of one run: where one with this identity and seed is, or else a new name.
    pub fn path(&self, cell: &Cell, seed: u64) -> PathBuf {
        let new = || self.folder.join(format!("{}{SEED}{seed}-{}", cell.plain_labels(), cell.key()));
        self.get(cell, seed).map_or_else(new, Path::to_path_buf)
    }

    fn get(&self, cell: &Cell, seed: u64) -> Option<&Path> {
        self.found.get(cell.key())?.get(&seed).map(PathBuf::as_path)
    }

    /// All runs with this key, of whatever seed.
    pub(super) fn of(&self, key: &str) -> impl Iterator<Item = &Path> {
        self.found.get(key).into_iter().flat_map(BTreeMap::values).map(PathBuf::as_path)
    }

    /// What a run found; `None` where it is not finished.
    ///
    /// # Errors
    /// As [`outcome`].
    pub fn outcome(&self, cell: &Cell, seed: u64) -> Result<Option<Outcome>, Error> {
        self.get(cell, seed).map_or(Ok(None), outcome)
    }

    /// Adds the cells all of whose seeds are done to the ledger, also those after one that cannot be added.
    ///
    /// # Errors
    /// As [`outcome`] and [`Ledger::add`]: the first.
    pub fn settle(&self, cells: &[&Cell], seeds: &[u64], ledger: &mut Ledger) -> Result<(), Error> {
        let mut settled = Ok(());
        for cell in cells {
            settled = settled.and(self.settle_one(cell, seeds, ledger));
        }
        settled
    }

    fn settle_one(&self, cell: &Cell, seeds: &[u64], ledger: &mut Ledger) -> Result<(), Error> {
        if ledger.has(cell.identity(), seeds) {
            return Ok(());
        }
        // The first seed that is not done ends the search.
        let outcomes = seeds.iter().map(|&seed| self.outcome(cell, seed).transpose());
        match outcomes.collect::<Option<Result<Vec<_>, _>>>() {
            Some(outcomes) => ledger.add(Line::new(cell, seeds, &outcomes?)),
            None => Ok(()),
        }
    }
}

/// Seed and key, from the name of a run's folder.
fn parts(name: &str) -> Option<(u64, &str)> {
    let (seed, key) = name.rsplit_once(SEED)?.1.split_once('-')?;
    Some((seed.parse().ok()?, key))
}

/// What a finished run found.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Its summary.
    pub summary: Summary,
    /// Of the last weights, in percent.
    pub test_accuracy: f64,
    /// Its last epoch.
    pub last: EpochMetrics,
}

/// What a run's folder says; `None` where it is not finished.
///
/// # Errors
/// [`Error::BadFile`] where its files are not what a run writes.
pub fn outcome(run: &Path) -> Result<Option<Outcome>, Error> {
    let Some(summary) = summary_of(run)? else { return Ok(None) };
    let bad = |path: &Path, problem: String| Error::BadFile { path: path.into(), problem };
    let anew = "without the run's folder a sweep trains it anew";
    let Some(test_accuracy) = summary.test_accuracy else {
        return Err(bad(&run.join(SUMMARY), format!("no test_accuracy; {anew}")));
    };
    let no_epoch = || bad(&run.join(METRICS), format!("no epoch; expected a line each; {anew}"));
    let last = metrics_of(run)?.pop().ok_or_else(no_epoch)?;
    Ok(Some(Outcome { summary, test_accuracy, last }))
}
