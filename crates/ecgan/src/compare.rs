//! Finished runs side by side, with what the paper reports for such runs.

use crate::Error;
use crate::checkpoint::Checkpoint;
use crate::metrics::Summary;
use crate::paper::reported;
use crate::run_folder::names::{CONFIG, LAST_CHECKPOINT};
use crate::run_folder::{divergence_of, settings_of, summary_of};
use crate::sweep::place;
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// A finished run.
#[derive(Clone, Debug, Serialize)]
pub struct Compared {
    /// Its folder.
    pub run: PathBuf,
    /// Its end.
    #[serde(flatten)]
    pub summary: Summary,
    /// Test accuracy less that of the first run, in points, where both are of the same seed and data, of as many test images.
    pub difference: Option<f64>,
    /// The test accuracy that the paper reports for such a run, in percent.
    pub paper: Option<f64>,
}

/// The runs in these folders, in this order. What is no finished run, or a damaged one, is told of by `warning`, and left out.
///
/// # Errors
/// [`Error::BadFile`] where no run is finished and whole; [`Error::Io`], also for a path where nothing is.
pub fn compare(runs: &[PathBuf], warning: &mut dyn FnMut(&str)) -> Result<Vec<Compared>, Error> {
    let mut rows: Vec<Compared> = Vec::new();
    for (i, run) in runs.iter().enumerate() {
        // What a pattern names is there, be it a link that leads nowhere; what is not was named by mistake.
        fs::symlink_metadata(run).map_err(Error::io(run, "read"))?;
        let last_chance = i + 1 == runs.len() && rows.is_empty();
        match finished(run, rows.first()) {
            Ok(Some(row)) => rows.push(row),
            Ok(None) if last_chance => {
                let wrong = if run.is_dir() { "no summary.json" } else { "not a folder" };
                let problem = format!("{wrong}; expected the folder of a finished run");
                return Err(Error::BadFile { path: run.into(), problem });
            }
            Ok(None) => warning(&format!("{}: {}, and left out", run.display(), why_not(run))),
            Err(error) if last_chance => return Err(error),
            Err(error) => warning(&format!("{error}; this run is left out")),
        }
    }
    Ok(rows)
}

/// The row of a run, `None` of what is no finished one.
fn finished(run: &Path, first: Option<&Compared>) -> Result<Option<Compared>, Error> {
    let Some(summary) = run.is_dir().then(|| summary_of(run)).transpose()?.flatten() else { return Ok(None) };
    let paper = paper(run, &summary)?;
    let first = first.filter(|first| are_pairs(&first.summary, &summary)).and_then(|first| first.summary.test_accuracy);
    let difference = summary.test_accuracy.zip(first).map(|(ours, first)| ours - first);
    Ok(Some(Compared { run: run.into(), summary, difference, paper }))
}

/// Whether two runs are of one seed and tested on the same images, as far as can be told.
fn are_pairs(a: &Summary, b: &Summary) -> bool {
    a.seed == b.seed && a.n_test == b.n_test && (a.data == b.data || place(&a.data) == place(&b.data))
}

/// What something is that is no finished run.
fn why_not(path: &Path) -> String {
    match divergence_of(path) {
        _ if !path.join(CONFIG).is_file() => "not the folder of a run".into(),
        Ok(Some(divergence)) => divergence.to_string(),
        _ => "not finished".into(),
    }
}

/// What the paper reports for such a run.
fn paper(run: &Path, summary: &Summary) -> Result<Option<f64>, Error> {
    let settings = settings_of(run)?;
    // How many training images the data has, the last checkpoint knows, where it is still there.
    let last = Checkpoint::read(&run.join(LAST_CHECKPOINT));
    let all = last.map_or(0, |last| last.meta.images.iter().sum());
    Ok(reported(&settings, summary.n_train + summary.n_val, all))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_that_no_run_could_have_are_refused() {
        let run = tempfile::tempdir().unwrap();
        let counts = "\"n_train\":1,\"n_val\":0,\"n_test\":1,\"seed\":0,\"epochs\":2,\"steps\":2,\"seconds\":2.0";
        let end = "\"ended_by\":\"epochs\",\"test_accuracy\":80.0,\"best_val_accuracy\":null";
        fs::write(run.path().join("summary.json"), format!("{{\"method\":\"ec-gan\",\"data\":\"d\",{counts},{end}}}"))
            .unwrap();
        let compared = |config: &str| {
            fs::write(run.path().join(CONFIG), config).unwrap();
            compare(&[run.path().to_path_buf()], &mut |_| {}).map(|rows| rows.len()).map_err(|error| error.to_string())
        };
        assert_eq!(compared("lambda = 0.5"), Ok(1));
        let message = compared("lambda = -0.5").unwrap_err();
        assert!(message.contains("config.toml: lambda: expected"), "{message}");
    }
}
