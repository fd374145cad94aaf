//! Finished runs side by side, with what the paper reports for such runs.

use crate::Error;
use crate::checkpoint::Checkpoint;
use crate::metrics::Summary;
use crate::paper::reported;
use crate::run_folder::names::{CONFIG, LAST_CHECKPOINT};
use crate::run_folder::{divergence_of, settings_of, summary_of};
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
    /// Test accuracy less that of the first run, in points, where both are of the same data and seed.
    pub difference: Option<f64>,
    /// The test accuracy that the paper reports for such a run, in percent.
    pub paper: Option<f64>,
}

/// The runs in these folders, in this order. What is no finished run is told of by `warning`, and left out.
///
/// # Errors
/// [`Error::BadFile`] where no run is finished, or one is damaged; [`Error::Io`], also for a path where nothing is.
pub fn compare(runs: &[PathBuf], warning: &mut dyn FnMut(&str)) -> Result<Vec<Compared>, Error> {
    let mut rows: Vec<Compared> = Vec::new();
    for (i, run) in runs.iter().enumerate() {
        let is_folder = run.is_dir();
        // What a pattern names is there, be it a link that leads nowhere; what is not was named by mistake.
        fs::symlink_metadata(run).map_err(Error::io(run, "read"))?;
        let Some(summary) = is_folder.then(|| summary_of(run)).transpose()?.flatten() else {
            if i + 1 == runs.len() && rows.is_empty() {
                let wrong = if is_folder { "no summary.json" } else { "not a folder" };
                let problem = format!("{wrong}; expected the folder of a finished run");
                return Err(Error::BadFile { path: run.into(), problem });
            }
            warning(&format!("{}: {}, and left out", run.display(), why_not(run)?));
            continue;
        };
        let paper = paper(run, &summary)?;
        let alike = |first: &&Compared| (&first.summary.data, first.summary.seed) == (&summary.data, summary.seed);
        let first = rows.first().filter(alike).and_then(|first| first.summary.test_accuracy);
        let difference = summary.test_accuracy.zip(first).map(|(ours, first)| ours - first);
        rows.push(Compared { run: run.clone(), summary, difference, paper });
    }
    Ok(rows)
}

/// What something is that is no finished run.
fn why_not(path: &Path) -> Result<String, Error> {
    if !path.join(CONFIG).is_file() {
        return Ok("not the folder of a run".into());
    }
    Ok(divergence_of(path)?.map_or_else(|| "not finished".into(), |divergence| divergence.to_string()))
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
