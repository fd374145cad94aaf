//! What a `--data` argument names: the built-in set, or a folder recognised by its contents.

use super::images::Chosen;
use super::near::{has_folders_or_images, near};
use super::{
    DataError, Format, Found, Images, Listing, Part, Reader, SyntheticOptions, cifar, folder, idx, svhn, synthetic,
};
use crate::settings::SYNTHETIC;
use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

/// How a folder of one format is recognised.
struct Recogniser {
    /// What it looks for, for the message when nothing fits.
    looked_for: &'static str,
    /// `None` where the folder is not of this format; an error where it is, but is not usable. The number is how many classes
    /// are needed at least, where a format may have any.
    recognise: fn(&Path, usize) -> Result<Option<Found>, DataError>,
}

/// The known formats, tried in this order.
const FORMATS: &[Recogniser] = &[
    Recogniser { looked_for: folder::LOOKED_FOR, recognise: folder::recognise },
    Recogniser { looked_for: svhn::LOOKED_FOR, recognise: |path, _| svhn::recognise(path) },
    Recogniser { looked_for: cifar::LOOKED_FOR_10, recognise: |path, _| cifar::recognise_10(path) },
    Recogniser { looked_for: cifar::LOOKED_FOR_100, recognise: |path, _| cifar::recognise_100(path) },
    Recogniser { looked_for: idx::LOOKED_FOR, recognise: idx::recognise },
    Recogniser { looked_for: folder::LOOKED_FOR_UNSPLIT, recognise: folder::recognise_unsplit },
];

/// Classes that a run needs to tell apart.
const TO_TRAIN: usize = 2;

/// Where a checkpoint knows the classes, its images may be of one of them.
const TO_MEASURE: usize = 1;

/// What `--data` takes.
const EXPECTED: &str = "a data folder or `synthetic`";

/// A data set that was found. Files were listed, and none was opened but for the names of the classes; each part is opened
/// when it is asked for.
pub struct Source {
    format: &'static str,
    classes: Vec<String>,
    warnings: Vec<String>,
    reader: Box<dyn Reader>,
}

/// A data set as it is, usable or not.
pub(crate) struct Opened {
    pub(crate) source: Source,
    /// As [`Found`] has them.
    pub(super) refusals: Vec<DataError>,
    pub(super) unread: Vec<(Part, DataError)>,
}

impl Opened {
    fn usable(self) -> Result<Source, DataError> {
        let unread = self.unread.into_iter().map(|(_, error)| error);
        unread.chain(self.refusals).next().map_or(Ok(self.source), Err)
    }
}

impl Source {
    /// Opens `data`: the word `synthetic` for the built-in house-number digits (`synthetic` then says which and how
    /// many; a folder of that name is `./synthetic`), or a folder, recognised by what it contains.
    ///
    /// A part may be missing: [`Source::require`] tells.
    ///
    /// # Errors
    /// A folder that is missing or unreadable, of no known format, or of a known one but not usable.
    pub fn open(data: &str, synthetic: &SyntheticOptions) -> Result<Self, DataError> {
        Self::look(data, synthetic)?.usable()
    }

    /// The same where nothing is trained on it, so that its images may all be of one class.
    pub(crate) fn open_to_measure(data: &str, synthetic: &SyntheticOptions) -> Result<Self, DataError> {
        Self::find(data, synthetic, TO_MEASURE)?.usable()
    }

    /// [`Source::open`] for somebody who only looks: what no run could use is told, not refused.
    pub(crate) fn look(data: &str, synthetic: &SyntheticOptions) -> Result<Opened, DataError> {
        Self::find(data, synthetic, TO_TRAIN)
    }

    fn find(data: &str, synthetic: &SyntheticOptions, least: usize) -> Result<Opened, DataError> {
        if data == SYNTHETIC {
            return Ok(Self::opened(synthetic::found(synthetic)?));
        }
        Self::find_in(Path::new(data), least)
    }

    /// [`Source::open`] of a folder, whatever it is called.
    pub(super) fn open_folder(path: &Path) -> Result<Self, DataError> {
        Self::find_in(path, TO_TRAIN)?.usable()
    }

    fn find_in(path: &Path, least: usize) -> Result<Opened, DataError> {
        let full = path.canonicalize().map_err(|e| match e.kind() {
            ErrorKind::NotFound => DataError::unfit(path, "no such folder", EXPECTED),
            _ => DataError::io(path, e),
        })?;
        if !full.is_dir() {
            return Err(DataError::unfit(path, "not a folder", EXPECTED));
        }
        for format in FORMATS {
            if let Some(found) = (format.recognise)(path, least)? {
                return Ok(Self::opened(found));
            }
        }
        let looked_for = if has_folders_or_images(path) {
            [folder::LOOKED_FOR, folder::LOOKED_FOR_UNSPLIT].join("; or ")
        } else {
            FORMATS.iter().map(|f| f.looked_for).collect::<Vec<_>>().join("; ")
        };
        let is_set =
            |folder: &Path| FORMATS.iter().any(|format| matches!((format.recognise)(folder, TO_TRAIN), Ok(Some(_))));
        Err(DataError::Unrecognised { path: path.into(), near: near(path, is_set), looked_for })
    }

    fn opened(found: Found) -> Opened {
        let Found { format, classes, warnings, refusals, unread, reader } = found;
        Opened { source: Self { format, classes, warnings, reader }, refusals, unread }
    }

    /// Class names; a label is an index into them.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// What is odd about the data but does not stop a run, a sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// What kind of files the images lie in, for people.
    pub fn format(&self) -> &'static str {
        self.format
    }

    /// Whether it is drawn as it is used, so that nothing of it can be damaged.
    pub(crate) fn is_drawn(&self) -> bool {
        self.format == synthetic::FORMAT
    }

    /// Whether it has no parts of its own, so that a fifth of it serves as the test.
    pub fn is_unsplit(&self) -> bool {
        self.format == folder::UNSPLIT
    }

    /// What is odd about the data for somebody who uses all of it: nothing is kept apart then.
    pub(crate) fn warnings_of_all(&self) -> impl Iterator<Item = &String> {
        self.warnings.iter().filter(|warning| !warning.contains(folder::KEPT))
    }

    /// Whether the data set has this part.
    pub fn has(&self, part: Part) -> bool {
        self.reader.check(part).is_ok()
    }

    /// Refuses a data set that lacks this part, or has no image in it. Opens no file.
    ///
    /// # Errors
    /// What is missing.
    pub fn require(&self, part: Part) -> Result<(), DataError> {
        self.reader.check(part)
    }

    /// One part: its labels, and its images when they are asked for.
    pub(crate) fn listing(&self, part: Part) -> Result<Arc<dyn Listing>, DataError> {
        self.reader.check(part)?;
        self.reader.open(part)
    }

    /// What is wrong with each file of a part that could not be opened for the `first`.
    pub(super) fn problems(&self, part: Part, first: DataError) -> Vec<DataError> {
        let all = self.reader.problems(part);
        if all.is_empty() { vec![first] } else { all }
    }

    /// Decodes all training images, in file order.
    ///
    /// # Errors
    /// A damaged or unfitting file, or a `format` other than 32 or 64 pixels with 1 or 3 channels.
    pub fn read_train(&self, format: Format) -> Result<Images, DataError> {
        self.read(Part::Train, format, usize::MAX)
    }

    /// The test images, in file order; they are decoded as they are used, which is once or twice. Errors as
    /// [`Source::read_train`], but for damaged images, which are met when they are used.
    pub fn read_test(&self, format: Format) -> Result<Images, DataError> {
        self.read(Part::Test, format, 0)
    }

    /// Every image, part by part, decoded as they are used. Errors as [`Source::read_test`].
    pub(crate) fn read_all(&self, format: Format) -> Result<Images, DataError> {
        format.check()?;
        let there = Part::ALL.into_iter().filter(|&part| self.has(part));
        let parts = there.map(|part| self.listing(part)).collect::<Result<Vec<_>, _>>()?;
        let of_part = |(part, listing): (usize, &Arc<dyn Listing>)| {
            let indices = 0..listing.labels().len();
            indices.map(move |index| (part, index)).collect::<Vec<_>>()
        };
        let order = parts.iter().enumerate().flat_map(of_part).collect();
        Images::read(Chosen { parts, order }, format, 0)
    }

    fn read(&self, part: Part, format: Format, limit: usize) -> Result<Images, DataError> {
        format.check()?;
        Images::read(Chosen::all(self.listing(part)?), format, limit)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Source").field("format", &self.format).field("classes", &self.classes).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPTIONS: SyntheticOptions = SyntheticOptions { seed: 1, train: 20, test: 10 };

    fn message(path: &Path) -> String {
        Source::open(path.to_str().unwrap(), &OPTIONS).unwrap_err().to_string()
    }

    #[test]
    fn a_folder_without_data_says_what_was_looked_for() {
        let folder = tempfile::tempdir().unwrap();
        let message = message(folder.path());
        for part in [folder.path().to_str().unwrap(), "train/<class>/", "train_32x32.mat"] {
            assert!(message.contains(part), "{message}");
        }
    }

    #[test]
    fn a_missing_folder_and_a_file_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("digits");
        let missing = "digits: no such folder; expected a data folder or `synthetic`";
        assert!(message(&file).ends_with(missing), "{}", message(&file));
        std::fs::write(&file, "x").unwrap();
        assert!(message(&file).contains("digits: not a folder"), "{}", message(&file));
    }

    #[test]
    fn the_built_in_set_has_ten_digits() {
        let source = Source::open("synthetic", &OPTIONS).unwrap();
        assert_eq!(source.classes().join(""), "0123456789");
        let format = Format { size: 32, channels: 1 };
        assert_eq!(source.read_train(format).unwrap().len(), 20);
        assert_eq!(source.read_test(format).unwrap().len(), 10);
        let message = source.read_test(Format { size: 33, channels: 3 }).unwrap_err().to_string();
        assert!(message.contains("33x33") && message.contains("32 or 64"), "{message}");
    }
}
