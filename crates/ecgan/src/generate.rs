//! Drawing images from a generator, with the label and confidence the classifier gives each.

use crate::Error;
use crate::checkpoint::Checkpoint;
use crate::grid::{self, Images};
use crate::models::{ImageShape, noise};
use nn::Network;
use std::path::Path;
use tensor::rng::Stream;
use tensor::{Device, Tensor};

/// Images a pass.
const BATCH: usize = 64;

/// Generated images and what the classifier takes them for.
pub struct Generated {
    /// The images.
    pub images: Images,
    /// The most probable class of each.
    pub labels: Vec<usize>,
    /// Its probability.
    pub confidences: Vec<f32>,
    /// The class names.
    pub classes: Vec<String>,
}

impl Generated {
    /// One caption an image: class and confidence, as short as fits under it.
    pub fn captions(&self) -> Vec<String> {
        let letters = grid::letters(&self.images);
        let predictions = self.labels.iter().zip(&self.confidences);
        predictions.map(|(&label, &confidence)| grid::caption(&self.classes[label], confidence, letters)).collect()
    }
}

/// Draws `n` images from a checkpoint's generator; the noise is a pure function of `seed`.
///
/// # Errors
/// [`Error::Io`] and [`Error::BadFile`].
pub fn generate(checkpoint: &Path, n: usize, seed: u64, device: &Device) -> Result<Generated, Error> {
    let read = Checkpoint::read(checkpoint)?;
    let (mut generator, mut classifier) = (read.generator(device)?, read.classifier(device)?);
    let conditional = read.meta.condition.is_some();
    draw(&mut generator, &mut classifier, conditional, n, seed, read.image(), &read.meta.classes, device)
}

/// Draws `n` images; both networks use their running statistics. A conditional generator makes one of each class in turn.
pub fn draw(
    generator: &mut Network,
    classifier: &mut Network,
    conditional: bool,
    n: usize,
    seed: u64,
    image: ImageShape,
    classes: &[String],
    device: &Device,
) -> Result<Generated, Error> {
    let mut stream = Stream::Samples.start(seed);
    let (mut pixels, mut labels, mut confidences) = (Vec::new(), Vec::new(), Vec::new());
    for first in (0..n).step_by(BATCH) {
        let count = BATCH.min(n - first);
        let given: Vec<i32> = (first..first + count).map(|i| (i % classes.len()) as i32).collect();
        let given = conditional.then(|| Tensor::from_slice(device, [count], &given)).transpose()?;
        let x = generator.evaluate_given(noise(device, &mut stream, count), given.as_ref())?;
        // [-1, 1] to 0..=255, rounded; tanh never leaves the range.
        pixels.extend(x.to_vec()?.iter().map(|v| ((v + 1.0) * 127.5).round() as u8));
        // Thresholds do not matter here: labels and confidences are all that is asked for.
        let predicted =
            crate::pseudo_label::pseudo_labels(&classifier.evaluate(x)?, &Tensor::zeros(device, [classes.len()]), None);
        labels.extend(predicted.labels.to_vec()?.iter().map(|&label| label as usize));
        confidences.extend(predicted.confidence.to_vec()?);
    }
    let images = Images::new(pixels, [n, image.size, image.size, image.channels]);
    Ok(Generated { images, labels, confidences, classes: classes.to_vec() })
}
