//! Drawing images from a generator, with the label and confidence the classifier gives each.

use crate::Error;
use crate::checkpoint::Checkpoint;
use crate::evaluate::check_finite;
use crate::grid::{self, Images};
use crate::models::{ImageShape, noise};
use crate::pseudo_label::pseudo_labels;
use crate::settings::nearest;
use nn::Network;
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
    /// The class that a conditional generator was given for each.
    pub given: Option<Vec<usize>>,
    /// The class names.
    pub classes: Vec<String>,
}

impl Generated {
    /// One caption an image: class and confidence, as short as fits under it.
    pub fn captions(&self) -> Vec<String> {
        let letters = grid::letters(&self.images);
        let predictions = self.labels.iter().zip(&self.confidences);
        predictions.map(|(&label, &confidence)| grid::caption(&self.classes, label, confidence, letters)).collect()
    }
}

/// Draws `n` images from a checkpoint's generator; the noise is a pure function of `seed`. A conditional generator makes them
/// of the class named `only`, or of each class in turn. `done` is told how many are drawn.
///
/// # Errors
/// [`Error::Io`] and [`Error::BadFile`]; [`Error::NotFinite`]; [`Error::Setting`] where `only` is no class that this generator can be given.
pub fn generate(
    read: &Checkpoint,
    n: usize,
    seed: u64,
    only: Option<&str>,
    device: &Device,
    done: &mut dyn FnMut(usize),
) -> Result<Generated, Error> {
    let (mut generator, mut classifier) = (read.generator(device)?, read.classifier(device)?);
    let (classes, condition) = (&read.meta.classes, read.meta.condition);
    let given = match only.map(|name| (name, classes.iter().position(|class| class == name))) {
        None => condition.map(|condition| condition.in_turn(n)),
        Some((_, Some(class))) if condition.is_some() => Some(vec![class; n]),
        Some((name, class)) => {
            let expected = match class {
                Some(_) => "none: the generator of this checkpoint is not given classes (--method conditional)".into(),
                None => format!("one of {}", classes.join(", ")),
            };
            let names: Vec<&str> = classes.iter().map(String::as_str).collect();
            let near = nearest(name, &names).filter(|near| *near != name);
            let meant = near.map(|near| format!(" (did you mean {near}?)")).unwrap_or_default();
            return Err(Error::Setting { name: "class", expected, got: format!("{name}{meant}") });
        }
    };
    let drawn = draw(&mut generator, &mut classifier, given, n, seed, read.image(), classes, device, done)?;
    check_finite(&drawn.confidences)?;
    Ok(drawn)
}

/// Draws `n` images; both networks use their running statistics. A conditional generator is `given` the class of each. `done` is told
/// how many are drawn, some at a time.
pub fn draw(
    generator: &mut Network,
    classifier: &mut Network,
    given: Option<Vec<usize>>,
    n: usize,
    seed: u64,
    image: ImageShape,
    classes: &[String],
    device: &Device,
    done: &mut dyn FnMut(usize),
) -> Result<Generated, Error> {
    let (mut pixels, mut labels, mut confidences) = (Vec::new(), Vec::new(), Vec::new());
    each_batch(generator, given.as_deref(), n, seed, device, |x, _| {
        pixels.extend(bytes(&x)?);
        // Thresholds do not matter here: labels and confidences are all that is asked for.
        let predicted = pseudo_labels(&classifier.evaluate(x)?, &Tensor::zeros(device, [classes.len()]), None);
        labels.extend(predicted.labels.to_vec()?.iter().map(|&label| label as usize));
        confidences.extend(predicted.confidence.to_vec()?);
        done(confidences.len());
        Ok(())
    })?;
    let images = Images::new(pixels, [n, image.size, image.size, image.channels]);
    Ok(Generated { images, labels, confidences, given, classes: classes.to_vec() })
}

/// Gives `each` batch of `n` images that the generator makes with its running statistics: `[batch,size,size,channels]` in
/// [-1, 1], and the classes `[batch]` of those that a conditional generator is `given`, one an image. The noise is a pure
/// function of `seed`.
pub(crate) fn each_batch(
    generator: &mut Network,
    given: Option<&[usize]>,
    n: usize,
    seed: u64,
    device: &Device,
    mut each: impl FnMut(Tensor, Option<&Tensor<i32>>) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut stream = Stream::Samples.start(seed);
    for first in (0..n).step_by(BATCH) {
        let count = BATCH.min(n - first);
        let of_batch = |given: &[usize]| given[first..][..count].iter().map(|&class| class as i32).collect::<Vec<_>>();
        let given = given.map(of_batch).map(|given| Tensor::from_slice(device, [count], &given)).transpose()?;
        each(generator.evaluate_given(noise(device, &mut stream, count), given.as_ref())?, given.as_ref())?;
    }
    Ok(())
}

/// Generated images in 0..=255, rounded; tanh never leaves [-1, 1].
pub(crate) fn bytes(x: &Tensor) -> Result<Vec<u8>, Error> {
    Ok(x.to_vec()?.iter().map(|v| ((v + 1.0) * 127.5).round() as u8).collect())
}
