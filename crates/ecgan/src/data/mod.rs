//! Labelled images from a folder or from a seed.
//!
//! ```text
//! Source::open      what is there: format, classes, warnings   (files listed, nothing decoded)
//! Labelled::read    the labelled budget: labels, and which train and which validate (`split`)
//! Images            u8 [n, size, size, channels] of the budget (held in memory, or decoded ahead of use: `read_ahead`)
//! augment           f32 [-1, 1] batches
//! ```
//! A format is one file of this folder: a `recognise` function, a `Reader`, and a line in `source::FORMATS`.

mod cifar;
mod error;
pub mod fetch;
mod files;
mod fit;
mod folder;
mod idx;
mod images;
pub mod inspect;
mod mat;
mod memory;
mod near;
mod read_ahead;
mod source;
mod split;
mod svhn;
mod synthetic;

pub use error::DataError;
pub(crate) use files::Files;
pub use files::image_files;
pub(crate) use folder::{Layout, decoded, is_part_name, layout};
pub use folder::{decoder_panics, read_image};
pub(crate) use images::Chosen;
pub use images::{Format, Images};
pub(crate) use memory::{default_limit, free as free_memory};
pub use source::Source;
pub use split::{Budget, Order, Split, split};
pub use synthetic::SyntheticOptions;

use fit::{Raw, fit};
use std::ffi::OsStr;
use std::fmt;
use std::sync::Arc;

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// What a run trains on.
    Train,
    /// What chooses the best checkpoint, where a data set has such images of its own.
    Val,
    /// What measures a run, once it is done.
    Test,
}

impl Part {
    /// All of them, in the order in which people name them.
    pub const ALL: [Self; 3] = [Self::Train, Self::Val, Self::Test];

    /// The part's name, as it occurs in folder and file names.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Val => "val",
            Self::Test => "test",
        }
    }
}

/// A data set that was recognised.
trait Reader: Send + Sync {
    /// Whether the data set has this part, with an image in it as far as the list of files tells: what is missing, where
    /// it has not. Opens no file.
    fn check(&self, part: Part) -> Result<(), DataError>;

    /// Opens one part, which [`Reader::check`] has found to be there. It has an image at least.
    fn open(&self, part: Part) -> Result<Arc<dyn Listing>, DataError>;

    /// What is wrong with each file of a part that lies in several, as [`Reader::open`] ends at the first; nothing where that says all.
    fn problems(&self, _part: Part) -> Vec<DataError> {
        Vec::new()
    }
}

/// One part of a data set: its labels are known, an image is decoded when it is asked for.
pub(crate) trait Listing: Send + Sync {
    /// `[n]`, in file order: indices into the class names.
    fn labels(&self) -> &[i32];

    /// Image `index` by the name under which its owner finds it.
    fn name(&self, index: usize) -> String;

    /// The name of its file within its folder, where images are files of their own: their order goes by these names.
    fn file_name(&self, _index: usize) -> Option<&OsStr> {
        None
    }

    /// Image `index` as stored.
    fn stored(&self, index: usize) -> Result<Raw<'_>, DataError>;

    /// Writes image `index` into `out`, `[size, size, channels]` of `format`.
    fn decode(&self, index: usize, format: Format, out: &mut [u8]) -> Result<(), DataError> {
        fit(&self.stored(index)?, format, out);
        Ok(())
    }
}

/// Its size only: an image is decoded when it is asked for.
impl fmt::Debug for dyn Listing {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Listing [{}]", self.labels().len())
    }
}

/// What a recogniser found.
struct Found {
    /// The format, for people.
    format: &'static str,
    /// Class names; a label is an index into them.
    classes: Vec<String>,
    /// What is odd but usable, a sentence each.
    warnings: Vec<String>,
    /// What no run can use it for, although it can be looked at.
    refusals: Vec<DataError>,
    /// Folders of classes that cannot be read, which no run can use either, and the part that each belongs to.
    unread: Vec<(Part, DataError)>,
    reader: Box<dyn Reader>,
}

impl Found {
    fn new(format: &'static str, classes: Vec<String>, reader: Box<dyn Reader>) -> Self {
        Self { format, classes, warnings: Vec::new(), refusals: Vec::new(), unread: Vec::new(), reader }
    }
}

/// The class names of data sets of digits.
fn digits() -> Vec<String> {
    (0..10).map(|digit| digit.to_string()).collect()
}
