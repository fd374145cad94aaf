//! What a `--data` argument names: the built-in set, or a folder recognised by its contents.

use super::{DataError, Format, Found, Images, Part, Reader, SyntheticOptions, folder, svhn, synthetic};
use std::fmt;
use std::path::Path;

/// How a folder of one format is recognised.
struct Recogniser {
    /// What it looks for, for the message when nothing fits.
    looked_for: &'static str,
    /// `None` where the folder is not of this format; an error where it is, but is not usable.
    recognise: fn(&Path) -> Result<Option<Found>, DataError>,
}

/// The known formats, tried in this order.
const FORMATS: &[Recogniser] = &[
    Recogniser { looked_for: folder::LOOKED_FOR, recognise: folder::recognise },
    Recogniser { looked_for: svhn::LOOKED_FOR, recognise: svhn::recognise },
];

/// A data set that was found. Files were listed but not decoded; each part is decoded when it is asked for.
pub struct Source {
    name: String,
    classes: Vec<String>,
    warnings: Vec<String>,
    reader: Box<dyn Reader>,
}

impl Source {
    /// Opens `data`: the word `synthetic` for the built-in house-number digits (`synthetic` then says which and how
    /// many; a folder of that name is `./synthetic`), or a folder, recognised by what it contains.
    ///
    /// # Errors
    /// A folder that is missing or unreadable, of no known format, or of a known one but not usable.
    pub fn open(data: &str, synthetic: &SyntheticOptions) -> Result<Self, DataError> {
        if data == "synthetic" {
            return Ok(Self::new("synthetic".into(), synthetic::found(synthetic)?));
        }
        let path = Path::new(data);
        let full = path.canonicalize().map_err(|e| DataError::io(path, e))?;
        if !full.is_dir() {
            return Err(DataError::layout(path, "not a folder", "a folder with a data set, or the word `synthetic`"));
        }
        let name = full.file_name().map_or("data".into(), |name| name.to_string_lossy().into_owned());
        for format in FORMATS {
            if let Some(found) = (format.recognise)(path)? {
                return Ok(Self::new(name, found));
            }
        }
        let looked_for = FORMATS.iter().map(|f| f.looked_for).collect::<Vec<_>>().join("; ");
        Err(DataError::Unrecognised { path: path.into(), looked_for })
    }

    fn new(name: String, found: Found) -> Self {
        Self { name, classes: found.classes, warnings: found.warnings, reader: found.reader }
    }

    /// A short name for run folders: the folder's own, or `synthetic`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Class names; a label is an index into them.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// What is odd about the data but does not stop a run, a sentence each.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Decodes the training images, in file order.
    ///
    /// # Errors
    /// A damaged or unfitting file, or a `format` other than 32 or 64 pixels with 1 or 3 channels.
    pub fn read_train(&self, format: Format) -> Result<Images, DataError> {
        self.read(Part::Train, format)
    }

    /// Decodes the test images, in file order. Errors as [`Source::read_train`].
    pub fn read_test(&self, format: Format) -> Result<Images, DataError> {
        self.read(Part::Test, format)
    }

    fn read(&self, part: Part, format: Format) -> Result<Images, DataError> {
        format.check()?;
        self.reader.read(part, format)
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_struct("Source").field("name", &self.name).field("classes", &self.classes).finish_non_exhaustive()
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
        assert!(message(&file).contains("digits"));
        std::fs::write(&file, "x").unwrap();
        assert!(message(&file).contains("digits: not a folder"), "{}", message(&file));
    }

    #[test]
    fn the_built_in_set_has_ten_digits() {
        let source = Source::open("synthetic", &OPTIONS).unwrap();
        assert_eq!((source.name(), source.classes().join("")), ("synthetic", "0123456789".into()));
        let format = Format { size: 32, channels: 1 };
        assert_eq!(source.read_train(format).unwrap().len(), 20);
        assert_eq!(source.read_test(format).unwrap().len(), 10);
        let message = source.read_test(Format { size: 33, channels: 3 }).unwrap_err().to_string();
        assert!(message.contains("33x33") && message.contains("32 or 64"), "{message}");
    }
}
