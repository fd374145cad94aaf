//! Finished runs side by side, with what the paper reports for such runs.

use crate::Error;
use crate::checkpoint::Checkpoint;
use crate::metrics::Summary;
use crate::paper::reported;
use crate::run_folder::names::{CONFIG, LAST_CHECKPOINT};
use crate::run_folder::summary_of;
use crate::settings::{Partial, Settings};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// A finished run.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    /// Its folder.
    pub run: PathBuf,
    /// Its end.
    #[serde(flatten)]
    pub summary: Summary,
    /// Test accuracy less that of the first run, in points, where both are of the same data and seed.
    pub difference: Option<f64>,
    /// The test accuracy that the paper reports for such a run, in percent.
    pub paper: Option<f64>,
}

/// The runs in these folders, in this order. One that is not finished is told of by `warning`, and left out.
///
/// # Errors
/// [`Error::BadFile`] for a folder that is no run's, or where no run is finished; [`Error::Io`].
pub fn compare(runs: &[PathBuf], warning: &mut dyn FnMut(&str)) -> Result<Vec<Compared>, Error> {
    let mut rows: Vec<Compared> = Vec::new();
    for (i, run) in runs.iter().enumerate() {
        let others = i + 1 < runs.len() || !rows.is_empty();
        if others && summary_of(run)?.is_none() && run.join(CONFIG).is_file() {
            warning(&format!("{}: not finished, and left out", run.display()));
            continue;
        }
        let (summary, paper) = read(run)?;
        let alike = |first: &&Compared| (&first.summary.data, first.summary.seed) == (&summary.data, summary.seed);
        let first = rows.first().filter(alike).and_then(|first| first.summary.test_accuracy);
        let difference = summary.test_accuracy.zip(first).map(|(ours, first)| ours - first);
        rows.push(Compared { run: run.clone(), summary, difference, paper });
    }
    Ok(rows)
}

fn read(run: &Path) -> Result<(Summary, Option<f64>), Error> {
    let Some(summary) = summary_of(run)? else {
        let problem = "no summary.json; expected the folder of a finished run".into();
        return Err(Error::BadFile { path: run.into(), problem });
    };
    let config = run.join(CONFIG);
    let settings = Settings::complete(Partial::from_file(&config)?)
        .map_err(|error| Error::BadFile { path: config, problem: error.to_string() })?;
    // How many training images the data has, the last checkpoint knows, where it is still there.
    let last = Checkpoint::read(&run.join(LAST_CHECKPOINT));
    let all = last.map_or(0, |last| last.meta.images.iter().sum());
    let paper = reported(&settings, summary.n_train + summary.n_val, all);
    Ok((summary, paper))
}
