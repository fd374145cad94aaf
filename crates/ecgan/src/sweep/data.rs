//! That one sweep is of one data set a name. A run is known by the name of its data alone, as folders differ between machines; two
//! sets of one name are told apart by where they lie.

use super::{Cell, Runs, key};
use crate::Error;
use crate::data::Source;
use crate::labelled::count;
use crate::run_folder::summary_of;
use crate::settings::{Partial, SYNTHETIC, Settings};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf, absolute};

/// Where a data set lies, from whatever folder one looks; `None` of the built-in one.
pub(super) fn place(data: &str) -> Option<PathBuf> {
    let path = Path::new(data);
    (data != SYNTHETIC).then(|| path.canonicalize().or_else(|_| absolute(path)).unwrap_or_else(|_| path.into()))
}

/// Refuses cells of two data sets of one name, as they would share their runs and comparators.
pub(super) fn check_names(cells: &[Cell]) -> Result<(), Error> {
    let mut known = HashMap::new();
    for data in cells.iter().map(|cell| &cell.settings.data) {
        let place = place(data);
        let name = place.as_deref().map_or(Some(SYNTHETIC.as_ref()), Path::file_name).map(ToOwned::to_owned);
        let (first, there) = known.entry(name).or_insert((data, place.clone()));
        if *there != place {
            let expected = "folders that differ in their own names, by which runs are known".into();
            return Err(Error::Setting { name: "data", expected, got: format!("{first} and {data}") });
        }
    }
    Ok(())
}

impl Runs {
    /// Refuses runs of these cells and of their bare classifiers, of whatever seed, that were trained on another data set of the same
    /// name: the table would have them. Where the folder that a run names is gone, it was moved if there are as many images now as
    /// the run had.
    ///
    /// # Errors
    /// [`Error::Setting`] that names both; [`Error::Dataset`] where the images cannot be counted.
    pub fn check_data(&self, cells: &[&Cell]) -> Result<(), Error> {
        let mut moved = HashSet::new();
        for cell in cells {
            let (now, bare) = (place(&cell.settings.data), key(&cell.bare_identity()));
            for run in self.of(cell.key()).chain(self.of(&bare)) {
                let Some((data, images)) = trained_on(run) else { continue };
                let was = place(&data);
                if was == now || moved.contains(&was) {
                    continue;
                }
                let gone = was.as_deref().is_some_and(|was| !was.exists());
                match images {
                    // When it goes on, what is there is compared with its checkpoint.
                    None if gone => {}
                    Some(images) if gone && count_now(&cell.settings)?.is_none_or(|now| now == images) => {
                        moved.insert(was);
                    }
                    _ => return Err(other_data(run, &data, cell)),
                }
            }
        }
        Ok(())
    }
}

fn other_data(run: &Path, was: &str, cell: &Cell) -> Error {
    let expected =
        format!("{was}, on which {} was trained (another data set of its name needs another --out)", run.display());
    Error::Setting { name: "data", expected, got: cell.settings.data.clone() }
}

/// The data that a run names, and where it is finished its images of training, validation and test. Files that are damaged say
/// nothing here.
fn trained_on(run: &Path) -> Option<(String, Option<[usize; 3]>)> {
    match summary_of(run) {
        Ok(Some(summary)) => Some((summary.data, Some([summary.n_train, summary.n_val, summary.n_test]))),
        _ => Partial::from_file(&run.join("config.toml")).ok()?.data.map(|data| (data, None)),
    }
}

/// The images that a run of these settings would have; `None` where there is no such folder either.
fn count_now(settings: &Settings) -> Result<Option<[usize; 3]>, Error> {
    if place(&settings.data).is_some_and(|folder| !folder.exists()) {
        return Ok(None);
    }
    count(&Source::open(&settings.data, &settings.synthetic())?, settings).map(Some)
}
