//! What a run's folder says, also while somebody else has it.

use super::names::{CONFIG, DIVERGED, METRICS, SUMMARY};
use crate::Error;
use crate::metrics::{Divergence, EpochMetrics, Summary};
use crate::regular_file::read_if_there;
use crate::settings::{Partial, Settings};
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// `config.toml` of a run's folder, on whatever machine the run was.
///
/// # Errors
/// [`Error::Io`]; [`Error::BadFile`], also where a value is not one that a run could have.
pub(crate) fn settings_of(run: &Path) -> Result<Settings, Error> {
    let path = run.join(CONFIG);
    let settings = Settings::without_device(Partial::from_file(&path)?);
    settings.map_err(|error| Error::BadFile { path, problem: error.to_string() })
}

/// `summary.json` of a run's folder, also while somebody else has it; `None` where the run has not come to an end.
///
/// # Errors
/// [`Error::Io`] and [`Error::BadFile`].
pub fn summary_of(run: &Path) -> Result<Option<Summary>, Error> {
    json(run.join(SUMMARY), "the run counts as unfinished")
}

/// `diverged.json` of a run's folder; `None` where the run has not diverged, or has gone on since.
///
/// # Errors
/// [`Error::Io`] and [`Error::BadFile`].
pub fn divergence_of(run: &Path) -> Result<Option<Divergence>, Error> {
    json(run.join(DIVERGED), "nothing is known of a divergence")
}

/// What a file holds that may not be there; `without` is what follows from that.
///
/// # Errors
/// [`Error::Io`] and [`Error::BadFile`].
pub(crate) fn json<T: DeserializeOwned>(path: PathBuf, without: &str) -> Result<Option<T>, Error> {
    let Some(bytes) = read_if_there(&path).map_err(Error::io(&path, "read"))? else { return Ok(None) };
    serde_json::from_slice(&bytes).map(Some).map_err(|error| {
        let problem = format!("{error}; expected what `ecgan train` wrote; without the file {without}");
        Error::BadFile { path, problem }
    })
}

/// The finished epochs of a run, none where it has not come so far. A last line that was not written whole is none.
///
/// # Errors
/// [`Error::Io`]; [`Error::BadFile`] naming a line that is none of ours.
pub(crate) fn metrics_of(run: &Path) -> Result<Vec<EpochMetrics>, Error> {
    let path = run.join(METRICS);
    let bytes = read_if_there(&path).map_err(Error::io(&path, "read"))?.unwrap_or_default();
    whole_lines(&path, &bytes).map(|line| Ok(line?.1)).collect()
}

/// The lines of the metrics at `path` that were written whole, with their epochs.
pub(super) fn whole_lines<'a>(
    path: &'a Path,
    bytes: &'a [u8],
) -> impl Iterator<Item = Result<(&'a [u8], EpochMetrics), Error>> {
    let whole = bytes.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n"));
    whole.enumerate().map(|(number, line)| {
        let epoch = serde_json::from_slice(line).map_err(|error| {
            let problem = format!("line {}: {error}; expected what `ecgan train` wrote, an epoch a line", number + 1);
            Error::BadFile { path: path.into(), problem }
        })?;
        Ok((line, epoch))
    })
}
