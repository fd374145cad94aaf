//! That one sweep is of one data set a name. A run is known by the name of its data alone, as folders differ between machines; two
//! sets of one name are told apart by where they lie, on one machine, and by their numbers of images.

use super::{Cell, Ledger, Runs, key};
use crate::Error;
use crate::labelled::Listed;
use crate::run_folder::names::CONFIG;
use crate::run_folder::summary_of;
use crate::settings::{Partial, SYNTHETIC, Settings};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf, absolute};

/// Where a data set lies, from whatever folder one looks; `None` of the built-in one.
pub(crate) fn place(data: &str) -> Option<PathBuf> {
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
    /// Refuses runs of these cells and of their bare classifiers, of whatever seed, that were trained on other data of the same name, and
    /// lines of the ledger that are: the table would have them. Two sets lie in different places, or have other numbers of images;
    /// where the folder that a run names is gone, it was moved if there are as many images now as the run had.
    ///
    /// # Errors
    /// [`Error::Setting`] that names both.
    pub fn check_data(&self, cells: &[&Cell], ledger: &Ledger, sets: &mut Sets) -> Result<(), Error> {
        for cell in cells {
            let (place_now, images_now) = (place(&cell.settings.data), sets.count_now(&cell.settings));
            let other = |images: [usize; 3]| images_now.is_some_and(|now| now != images);
            for identity in [cell.identity(), &cell.bare_identity()] {
                if let Some(images) = ledger.lines_of(identity).map(|line| line.images).find(|images| other(*images)) {
                    return Err(other_images("the ledger has", images, images_now, cell));
                }
                for run in self.of(&key(identity)) {
                    let Some((data, images)) = trained_on(run) else { continue };
                    let was = place(&data);
                    let gone = was.as_deref().is_some_and(|was| !was.exists());
                    match images {
                        _ if was != place_now && !gone => return Err(other_data(run, &data, cell)),
                        Some(images) if other(images) && gone => return Err(other_data(run, &data, cell)),
                        Some(images) if other(images) => {
                            return Err(other_images(&format!("{} had", run.display()), images, images_now, cell));
                        }
                        // When one that is not finished goes on, what is there is compared with its checkpoint.
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }
}

fn other_images(whose: &str, was: [usize; 3], now: Option<[usize; 3]>, cell: &Cell) -> Error {
    let count = |[train, val, test]: [usize; 3]| format!("{train} training, {val} validation and {test} test images");
    let got = format!("{} with {}", cell.settings.data, now.map(count).unwrap_or_default());
    let expected = format!("{}, which {whose} (other images need another --out and ledger)", count(was));
    Error::Setting { name: "data", expected, got }
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
        _ => Partial::from_file(&run.join(CONFIG)).ok()?.data.map(|data| (data, None)),
    }
}

/// Data sets that were looked into, each once.
#[derive(Default)]
pub struct Sets(HashMap<String, Listed>);

impl Sets {
    /// Refuses a cell that could not be trained for want of images.
    ///
    /// # Errors
    /// [`Error::Dataset`].
    pub fn check(&mut self, cell: &Cell) -> Result<(), Error> {
        self.count(&cell.settings).map(drop)
    }

    fn count(&mut self, settings: &Settings) -> Result<[usize; 3], Error> {
        let drawn = (settings.data == SYNTHETIC).then(|| settings.synthetic());
        match self.0.entry(format!("{drawn:?} {}", settings.data)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(Listed::open(settings)?),
        }
        .count(settings)
    }

    /// The images that a run of these settings would have; `None` where it could have none, as the folder is gone, say.
    fn count_now(&mut self, settings: &Settings) -> Option<[usize; 3]> {
        self.count(settings).ok()
    }
}
