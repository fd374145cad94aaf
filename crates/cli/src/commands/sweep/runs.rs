//! The runs of a sweep, one after another.

use super::{Run, label};
use crate::interrupt;
use crate::output::{Output, many, warn};
use crate::progress::left;
use anyhow::anyhow;
use ecgan::Error;
use ecgan::duration::duration;
use ecgan::metrics::{EpochMetrics, Observer, Started, StepMetrics, Summary};
use ecgan::run_folder::RunFolder;
use ecgan::settings::Settings;
use ecgan::sweep::{By, Cell, Ledger, Runs, outcome};
use ecgan::train::{plan, resume, train};
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::time::{Duration, Instant};

/// Trains what is left, and adds combinations to the ledger as they are finished, also by others. Only an interruption, or a folder that
/// cannot be listed, stops the runs that are still to come. The outcome is the first run that diverged or failed, or else why the ledger has
/// not all that is finished, or else that stdout took no more.
pub fn train_all(
    output: Output,
    by: By,
    runs: &[Run],
    cells: &[&Cell],
    seeds: &[u64],
    folder: &Path,
    ledger: &mut Ledger,
    quiet: &mut Quiet,
) -> anyhow::Result<()> {
    let (mut failed, mut told) = (Vec::new(), Ok(()));
    let (mut spent, mut finished) = (Duration::ZERO, 0);
    let mut settle = |cells: &[&Cell]| Runs::list(folder)?.settle(cells, seeds, ledger);
    let mut unsettled = None;
    tell_first(&mut unsettled, settle(cells));
    for (i, run) in runs.iter().enumerate() {
        let what = format!("{}, seed {}", label(run.cell), run.seed);
        let path = Runs::list(folder)?.path(run.cell, run.seed);
        let began = Instant::now();
        match train_one(run, folder, &path, quiet) {
            Ok(summary) => {
                // Not the summary's time, of which some may be that of the process that began the run.
                (spent, finished) = (spent + began.elapsed(), finished + 1);
                let left = left(spent, finished, runs.len() - i - 1);
                // Not the best epoch's, but the last's: what the table has. Why it could not be read, settling tells.
                let last = || outcome(&path).ok().flatten().map(|found| found.last);
                let accuracy = match by {
                    By::Test => summary.test_accuracy,
                    By::Val => last().and_then(|last| last.val_accuracy),
                };
                let accuracy = accuracy.unwrap_or(f64::NAN);
                let (of, took) = (runs.len(), duration(summary.seconds));
                let line = output.line(format!(
                    "run {}/{of}  {what}: {} {accuracy:.2} %, {took}; {} left",
                    i + 1,
                    by.column(),
                    duration(left)
                ));
                told = told.and(line);
                if let Some(short) = summary.too_short() {
                    quiet.about_input(&format!("{short}: more --epochs, or the test says little"));
                }
                tell_first(&mut unsettled, settle(&[run.cell]));
            }
            Err(error @ Error::Interrupted) => return Err(error.into()),
            Err(error) => {
                warn(format!("{what}: {error}"));
                failed.push((run, what, error));
            }
        }
    }
    // Also what other processes have finished meanwhile. Where it takes all, it has what could not be added before.
    let settled = settle(cells).map_err(|last| unsettled.unwrap_or(last));
    // What another process had in hand, and has finished meanwhile, did not fail.
    let now = Runs::list(folder)?;
    let is_done = |run: &Run| now.outcome(run.cell, run.seed).is_ok_and(|found| found.is_some());
    failed.retain(|(run, _, error)| !(matches!(error, Error::Locked { .. }) && is_done(run)));
    let n = failed.len();
    match failed.into_iter().next() {
        Some((_, what, error)) => {
            settled.unwrap_or_else(warn);
            Err(anyhow!(error).context(format!("{} failed, first {what}", many(n, "run"))))
        }
        None => Ok(settled.map(|()| told)??),
    }
}

/// Warns of the first error at once, and not after hours of training only.
fn tell_first(unsettled: &mut Option<Error>, settled: Result<(), Error>) {
    if let Err(error) = settled
        && unsettled.is_none()
    {
        warn(format!("{error}; the runs go on, and what is finished is added once it can be"));
        *unsettled = Some(error);
    }
}

/// One run: from its last checkpoint where it was stopped, or else from its beginning.
fn train_one(run: &Run, folder: &Path, path: &Path, quiet: &mut Quiet) -> Result<Summary, Error> {
    let settings = run.cell.with_seed(run.seed, path.into());
    if !path.exists() {
        let run_folder = RunFolder::create(Some(path), folder, settings.method, &settings.data_name())?;
        let trained = kernels::on_a_worker(|| train(&settings, &run_folder, quiet));
        run_folder.discard_if_empty();
        return trained;
    }
    // Another process may be at work in it, and has the lock then.
    let run_folder = RunFolder::open(path)?;
    if run_folder.config_file().exists() {
        match kernels::on_a_worker(|| resume(&settings, &run_folder, quiet)) {
            // What is there is damaged, hence of no use; what else is wrong would be wrong with a new run too.
            Err(Error::BadFile { path: bad, problem }) if bad.starts_with(path) => {
                warn(format!("{}: {problem}; the run cannot go on and begins anew", bad.display()));
            }
            trained => return trained,
        }
    }
    run_folder.clear()?;
    kernels::on_a_worker(|| train(&settings, &run_folder, quiet))
}

/// How long these runs take, from timed iterations of each combination that may take another time, as a sentence.
pub fn expected(runs: &[Run], found: &Runs, quiet: &mut Quiet) -> Result<String, Error> {
    let mut of_cells = HashMap::new();
    let mut seconds = 0.0;
    for run in runs {
        seconds += match of_cells.entry(work(&run.cell.settings)) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(new) => {
                // The data as the run will name it, so that what is odd about it is told once.
                let settings = run.cell.with_seed(run.seed, found.path(run.cell, run.seed));
                *new.insert(kernels::on_a_worker(|| plan(&settings, 0, quiet))?.seconds)
            }
        };
    }
    Ok(format!("about {} on this device", duration(seconds)))
}

/// The settings but for numbers that change what is learned, and not how long that takes.
fn work(settings: &Settings) -> String {
    // Without lambda, C is spared the fakes.
    let lambda = if settings.lambda > 0.0 { 1.0 } else { 0.0 };
    Settings { lambda, threshold: 0.0, lr: 1.0, lr_c: 1.0, ..settings.clone() }.to_toml()
}

/// Says nothing but warnings while runs train; what is odd about data or settings, which it is for many of them, once.
#[derive(Default)]
pub struct Quiet {
    told: BTreeSet<String>,
}

impl Observer for Quiet {
    fn started(&mut self, _: &Started) {}

    fn warning(&mut self, message: &str) {
        warn(message);
    }

    fn about_input(&mut self, message: &str) {
        if self.told.insert(message.to_owned()) {
            warn(message);
        }
    }

    fn step(&mut self, _: &StepMetrics) {}

    fn epoch(&mut self, _: &EpochMetrics) {}

    fn interrupted(&self) -> bool {
        interrupt::requested()
    }
}

#[cfg(test)]
mod tests {
    use super::work;
    use ecgan::settings::{Partial, Settings};

    #[test]
    fn combinations_are_timed_together_that_take_the_same_time() {
        let given = |given: Partial| work(&Settings::resolve(given).unwrap());
        let usual = given(Partial::default());
        let like = Partial { lambda: Some(0.9), threshold: Some(0.1), lr: Some(0.5), ..Partial::default() };
        assert_eq!(given(like), usual);
        for other in [
            Partial { lambda: Some(0.0), ..Partial::default() },
            Partial { batch: Some(7), ..Partial::default() },
            Partial { epochs: Some(7), ..Partial::default() },
        ] {
            assert_ne!(given(other), usual);
        }
    }
}
