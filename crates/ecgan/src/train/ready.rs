//! What a run needs before its first iteration, and what keeps it from one: told now, not after hours of training.

use super::{Feed, Iterations};
use crate::Error;
use crate::data::{Format, Part, Source, free_memory};
use crate::labelled::Labelled;
use crate::metrics::Observer;
use crate::models::{Classifier, ImageShape};
use crate::networks::Networks;
use crate::settings::Settings;
use nn::Builder;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use tensor::Device;

/// What a run needs before its first iteration: data found and read, networks drawn, the device open.
pub(super) struct Ready {
    pub(super) device: Device,
    pub(super) source: Source,
    pub(super) image: ImageShape,
    pub(super) labelled: Labelled,
    pub(super) batch: usize,
    pub(super) iterations: Iterations,
}

impl Ready {
    pub(super) fn new(
        architecture: &impl Classifier,
        settings: &Settings,
        observer: &mut dyn Observer,
    ) -> Result<Self, Error> {
        // Whoever put them together by hand.
        settings.validate()?;
        let device = settings.open_device()?;
        let source = Source::open(&settings.data, &settings.synthetic())?;
        source.warnings().iter().for_each(|warning| observer.about_input(warning));
        let classes = source.classes().len();
        settings.warnings(classes).iter().for_each(|warning| observer.about_input(warning));
        let image = ImageShape { channels: settings.channels, size: settings.image_size };
        let format = Format { size: image.size, channels: image.channels };
        source.require(Part::Test)?; // now, not after hours of training
        let labelled = Labelled::read(&source, settings, format)?;
        labelled.warnings.iter().for_each(|warning| observer.about_input(warning));
        check_test(&source, settings, format, observer)?;
        if observer.interrupted() {
            return Err(Error::Interrupted);
        }
        let n = labelled.split.train.len();
        let batch = settings.batch.min(n);
        if batch < settings.batch {
            observer.about_input(&format!("batch {} lowered to {batch}: that is all training images", settings.batch));
        }
        if device.gpu().is_none() {
            let mut classifier = Builder::default();
            architecture.build::<f32>(&mut classifier, image, classes);
            check_memory(classifier.numel(), free_memory())?;
        }
        let networks = Networks::new(&device, settings, architecture, image, classes);
        let Settings { augment, seed, no_graph, .. } = *settings;
        let feed = Feed { batch, augment, seed, classes, record: !no_graph, resident: None };
        let iterations = Iterations::new(&device, networks, &labelled.images, feed)?;
        Ok(Self { device, source, image, labelled, batch, iterations })
    }
}

/// Decodes the test images, each by itself: one that is damaged is found now, not after hours of training. What is in them is left to
/// the test. A process that trains several runs does so once.
fn check_test(source: &Source, settings: &Settings, format: Format, observer: &dyn Observer) -> Result<(), Error> {
    static CHECKED: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    const BATCH: usize = 64;
    let set = format!("{format:?} {}", settings.data);
    let checked = || CHECKED.lock().unwrap_or_else(PoisonError::into_inner);
    if source.is_drawn() || checked().contains(&set) {
        return Ok(());
    }
    let images = source.read_test(format)?;
    let all: Vec<usize> = (0..images.len()).collect();
    for part in images.in_batches(&all, BATCH) {
        images.batch(part)?;
        if observer.interrupted() {
            return Err(Error::Interrupted);
        }
    }
    checked().insert(set);
    Ok(())
}

/// Refuses a classifier of so many numbers where `free` bytes are too few for it: an allocation that fails ends the process
/// without a word of what to do.
fn check_memory(numbers: usize, free: Option<usize>) -> Result<(), Error> {
    // Weights, gradients, and Adam's two moments.
    let needed = numbers.saturating_mul(4 * size_of::<f32>());
    match free.filter(|&free| needed > free) {
        None => Ok(()),
        Some(free) => Err(Error::Setting {
            name: "width",
            expected: format!("a classifier that fits into the {} MiB of memory that are free", free >> 20),
            got: format!("one that takes {} MiB while it trains", needed >> 20),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_classifier_beyond_the_memory_is_refused() {
        check_memory(1 << 20, Some(16 << 20)).unwrap();
        check_memory(usize::MAX, None).unwrap();
        let message = check_memory(1 << 20, Some((16 << 20) - 1)).unwrap_err().to_string();
        let expected = "width: expected a classifier that fits into the 15 MiB of memory that are free, got one that takes 16 MiB while it trains";
        assert_eq!(message, expected);
    }
}
