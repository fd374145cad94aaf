//! `report.html`: what a run did, on one page that needs nothing else: curves, samples, the test, settings, and what
//! looks odd.
//!
//! ```text
//! run        reads the run folder                              findings   what looks odd, and what to do about it
//! plot       axes and lines as SVG   curves, heat, reliability  draw with it
//! page       the page and its sections   classes, samples, recipe
//! wilson     what chance leaves open of a rate
//! ```

mod classes;
mod curves;
mod findings;
mod heat;
mod html;
mod page;
mod plot;
mod recipe;
mod reliability;
mod run;
mod samples;
#[cfg(test)]
mod tests;
mod wilson;

use crate::Error;
use crate::data_place::{Written, check_outside};
use crate::metrics::Observer;
use crate::run_folder::names::REPORT;
use crate::run_folder::{settings_of, write_bytes};
pub(crate) use html::Escaped;
pub(crate) use plot::round_step;
use run::Run;
use std::path::Path;

/// Writes the report of the run in the folder `run`, finished or not, to `out`.
///
/// # Errors
/// [`Error::BadFile`] where `run` is no run folder or a file in it is damaged; [`Error::Io`].
pub fn write(run: &Path, out: &Path) -> Result<(), Error> {
    write_bytes(out, page::page(&Run::read(run)?))
}

/// Writes the curves of losses and accuracies alone, as an SVG picture, to `out`.
///
/// # Errors
/// As [`write()`].
pub fn write_curves(run: &Path, out: &Path) -> Result<(), Error> {
    write_bytes(out, curves::picture(&Run::read(run)?))
}

/// Checks that `path`, which the setting `name` gives, is not inside the data folder of the run in the folder `run`, where that is
/// known.
///
/// # Errors
/// [`Error::Setting`] where it is.
pub fn check_outside_data(run: &Path, name: &'static str, path: &Path) -> Result<(), Error> {
    // What is wrong with the settings, reading the run says.
    settings_of(run).map_or(Ok(()), |settings| check_outside(name, path, &settings.data, Written::File))
}

/// Writes `report.html` into the folder of a run that is done; where that fails, the run is no worse for it.
pub fn write_or_warn(run: &Path, observer: &mut dyn Observer) {
    if let Err(error) = write(run, &run.join(REPORT)) {
        observer.warning(&format!("the run is complete, only its report could not be written: {error}"));
    }
}
