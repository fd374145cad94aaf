//! Labelled images from a folder or from a seed.
//!
//! ```text
//! Source::open   what is there: name, classes, warnings     (nothing decoded)
//! read_train     Images: u8 [n, size, size, channels]       (decoded, resized, in file order)
//! split          the labelled budget: indices for training and validation
//! augment::batch f32 [-1, 1] batches
//! ```
//! A format is one file of this folder: a `recognise` function, a `Reader`, and a line in `source::FORMATS`.

mod error;
mod fit;
mod folder;
mod images;
mod mat;
mod source;
mod split;
mod svhn;
mod synthetic;

pub use error::DataError;
pub use folder::read_image;
pub use images::{Format, Images};
pub use source::Source;
pub use split::{Budget, Order, Split, split};
pub use synthetic::SyntheticOptions;

/// The two parts every data set has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Train,
    Test,
}

impl Part {
    /// The part's name, as it occurs in folder and file names.
    fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Test => "test",
        }
    }
}

/// A data set that was recognised, ready to be decoded.
trait Reader: Send + Sync {
    /// Decodes one part.
    fn read(&self, part: Part, format: Format) -> Result<Images, DataError>;
}

/// What a recogniser found.
struct Found {
    /// Class names; a label is an index into them.
    classes: Vec<String>,
    /// What is odd but usable, a sentence each.
    warnings: Vec<String>,
    reader: Box<dyn Reader>,
}
