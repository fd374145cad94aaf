//! The labelled images of a run: what it trains on and what it validates on.

use crate::Error;
use crate::data::{Budget, DataError, Format, Images, Order, Source, Split, SyntheticOptions, split};
use crate::settings::{Settings, Subset};

/// Labelled images that the built-in data set has where no number is asked for.
const SYNTHETIC_TRAIN: usize = 10_000;

/// Held-out images of the built-in data set.
const SYNTHETIC_TEST: usize = 2_000;

/// The training images of a source and the parts a run uses.
pub struct Labelled {
    /// All training images.
    pub images: Images,
    /// Which of them train and which validate.
    pub split: Split,
}

impl Labelled {
    /// Reads the training images and draws the budget.
    ///
    /// # Errors
<<<<<<< HEAD
    /// [`Error::Dataset`]; also where a class has no training image.
=======
    /// [`Error::Dataset`].
>>>>>>> gold2
    pub fn read(source: &Source, settings: &Settings, format: Format) -> Result<Self, Error> {
        let images = source.read_train(format)?;
        if let Some(class) = (0..source.classes().len()).find(|&k| !images.labels.contains(&(k as i32))) {
            return Err(Error::Dataset(DataError::Layout {
                path: settings.data.as_str().into(),
                wrong: format!("no training image of class `{}`", source.classes()[class]),
                expected: "at least one of each class".into(),
            }));
        }
        let order = match settings.subset {
            Subset::First => Order::First,
            Subset::Seed => Order::Seed(settings.seed),
        };
        let split = split(&images.labels, source.classes().len(), settings.budget, order, settings.val_fraction)?;
        Ok(Self { images, split })
    }
}

impl Settings {
    /// The built-in data set of these settings: as many images as the budget needs, drawn from the seed.
    pub fn synthetic(&self) -> SyntheticOptions {
        let train = match self.budget {
            Budget::Samples(n) => n,
            Budget::PerClass(n) => n.saturating_mul(10),
            Budget::All | Budget::Fraction(_) => SYNTHETIC_TRAIN,
        };
        SyntheticOptions { seed: self.seed, train, test: SYNTHETIC_TEST }
    }
}
