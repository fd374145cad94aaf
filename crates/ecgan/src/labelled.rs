//! The labelled images of a run: what it trains on and what it validates on.

use crate::Error;
use crate::data::{
    Budget, Chosen, Format, Images, Listing, Order, Part, Source, Split, SyntheticOptions, default_limit, split,
};
use crate::settings::{Sampling, Settings, Subset};
use crate::training_images::TrainingImages;
use kernels::philox::Philox;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Labelled images that the built-in data set has where no number is asked for.
const SYNTHETIC_TRAIN: usize = 10_000;

/// Held-out images of the built-in data set.
const SYNTHETIC_TEST: usize = 2_000;

/// The labelled budget of a run.
pub struct Labelled {
    /// Its images; those beyond the budget are never decoded.
    pub images: Images,
    /// Which of them train and which validate.
    pub split: Split,
    /// The training images that the data has, before the budget is drawn.
    pub all: TrainingImages,
    /// What a user should know of how they were chosen, a sentence each.
    pub warnings: Vec<String>,
}

impl Labelled {
    /// Draws the budget by the labels and decodes its images, at once where they fit into the memory they may take.
    ///
    /// Where the data set has a validation part of its own, that is what validates, whole, and the budget trains.
    ///
    /// # Errors
    /// [`Error::Dataset`]; also where a class has no training image.
    pub fn read(source: &Source, settings: &Settings, format: Format) -> Result<Self, Error> {
        let train = source.listing(Part::Train)?;
        let all = TrainingImages::of(&*train, source.classes().len());
        let mut warnings = Vec::new();
        let (chosen, split) = draw(source, settings, train, &mut warnings)?;
        let limit = settings.memory_limit.map_or_else(default_limit, |mib| mib.saturating_mul(1 << 20));
        Ok(Self { images: Images::read(chosen, format, limit)?, split, all, warnings })
    }

    /// The training images of an epoch, in its order.
    pub(crate) fn order(&self, sampling: Sampling, random: &mut Philox) -> Vec<usize> {
        let mut order = match sampling {
            Sampling::Natural => self.split.train.clone(),
            Sampling::Balanced => balanced(&self.split.train, &self.images.labels, random),
        };
        random.shuffle(&mut order);
        order
    }
}

/// As many as `train` has, of each of its classes equally many (but for what is left over, which goes to the last ones): drawn anew,
/// and none more than once more often than another of its class.
fn balanced(train: &[usize], labels: &[i32], random: &mut Philox) -> Vec<usize> {
    let mut classes: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
    train.iter().for_each(|&index| classes.entry(labels[index]).or_default().push(index));
    let (n, of) = (train.len(), classes.len());
    let shares = classes.into_values().enumerate().flat_map(|(k, mut images)| {
        random.shuffle(&mut images);
        let share = n * (k + 1) / of - n * k / of;
        images.into_iter().cycle().take(share).collect::<Vec<_>>()
    });
    shares.collect()
}

/// A data set whose labels are known, and none of whose images is decoded.
pub(crate) struct Listed {
    source: Source,
    train: Arc<dyn Listing>,
    n_test: usize,
}

impl Listed {
    /// That of these settings.
    ///
    /// # Errors
    /// [`Error::Dataset`].
    pub fn open(settings: &Settings) -> Result<Self, Error> {
        let source = Source::open(&settings.data, &settings.synthetic())?;
        let train = source.listing(Part::Train)?;
        let n_test = source.listing(Part::Test)?.labels().len();
        Ok(Self { source, train, n_test })
    }

    /// How many images a run of these settings trains on, validates on and is tested on.
    ///
    /// # Errors
    /// [`Error::Dataset`] where it cannot have them.
    pub fn count(&self, settings: &Settings) -> Result<[usize; 3], Error> {
        let (_, split) = draw(&self.source, settings, self.train.clone(), &mut Vec::new())?;
        Ok([split.train.len(), split.val.len(), self.n_test])
    }
}

/// The budget by the labels of the training images.
fn draw(
    source: &Source,
    settings: &Settings,
    train: Arc<dyn Listing>,
    warnings: &mut Vec<String>,
) -> Result<(Chosen, Split), Error> {
    let order = match settings.subset {
        Subset::First => Order::First,
        Subset::Seed => Order::Seed(settings.seed),
    };
    let val = own_validation(source, settings, warnings)?;
    let val_fraction = if val.is_some() { 0.0 } else { settings.val_fraction };
    let split = split(&settings.data, train.labels(), source.classes(), settings.budget, order, val_fraction)?;
    Ok(choose(train, val, split))
}

/// The validation part that the data set has, unless none is wanted.
fn own_validation(
    source: &Source,
    settings: &Settings,
    warnings: &mut Vec<String>,
) -> Result<Option<Arc<dyn Listing>>, Error> {
    if !source.has(Part::Val) {
        return Ok(None);
    }
    if settings.val_fraction == 0.0 {
        warnings.push("the data set's own validation images are not used, as val_fraction is 0".into());
        return Ok(None);
    }
    let val = source.listing(Part::Val)?;
    let n = val.labels().len();
    warnings.push(format!(
        "the data set's own {n} validation images choose the best checkpoint, beside the labelled budget; val_fraction \
         draws none (0: no validation)"
    ));
    Ok(Some(val))
}

/// The budget alone, in file order, and the split in its numbers; after it a validation part of its own.
fn choose(train: Arc<dyn Listing>, val: Option<Arc<dyn Listing>>, split: Split) -> (Chosen, Split) {
    let mut order: Vec<(usize, bool)> = split.train.iter().map(|&index| (index, false)).collect();
    order.extend(split.val.iter().map(|&index| (index, true)));
    order.sort_unstable();
    let of = |wanted| (0..order.len()).filter(|&i| order[i].1 == wanted).collect::<Vec<usize>>();
    let (in_train, mut in_val) = (of(false), of(true));
    let mut images: Vec<(usize, usize)> = order.iter().map(|&(index, _)| (0, index)).collect();
    let mut parts = vec![train];
    if let Some(val) = val {
        let n = val.labels().len();
        in_val.extend(images.len()..images.len() + n);
        images.extend((0..n).map(|index| (1, index)));
        parts.push(val);
    }
    (Chosen { parts, order: images }, Split { train: in_train, val: in_val })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_balanced_epoch_has_of_each_class_equally_many_and_of_each_image_nearly() {
        // 2 of class 0, 5 of class 2, 14 of class 5; image 0 does not train.
        let labels: Vec<i32> = [5].into_iter().chain([0; 2]).chain([2; 5]).chain([5; 14]).collect();
        let train: Vec<usize> = (1..labels.len()).collect();
        let mut random = Philox::new(1, 2);
        let mut epoch = || balanced(&train, &labels, &mut random);
        let (first, second) = (epoch(), epoch());
        assert_eq!(first.len(), 21);
        let count = |order: &[usize], index| order.iter().filter(|&&i| i == index).count();
        let mut of_classes = [0; 6];
        first.iter().for_each(|&index| of_classes[labels[index] as usize] += 1);
        assert_eq!(of_classes, [7, 0, 7, 0, 0, 7]);
        assert!(train.iter().all(|&i| {
            [vec![3, 4], vec![1, 2], vec![0, 1]][[0, 2, 5].iter().position(|c| *c == labels[i]).unwrap()]
                .contains(&count(&first, i))
        }));
        assert_eq!(count(&first, 0), 0);
        let large = |order: &[usize]| {
            order.iter().copied().filter(|&i| labels[i] == 5).collect::<std::collections::BTreeSet<_>>()
        };
        assert_ne!(large(&first), large(&second), "another epoch, others of a large class");
        // What is left over.
        assert_eq!(balanced(&train[..4], &labels, &mut random).len(), 4);
    }
}
