//! Drawing images from a generator, with the label and confidence the classifier gives each.

use crate::Error;
use crate::checkpoint::Checkpoint;
use crate::evaluate::check_finite;
use crate::grid::{self, Images};
use crate::models::{ImageShape, noise};
use crate::printable::listed;
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
                None => format!("one of {}", listed(classes)),
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
    // Thresholds do not matter here: labels and confidences are all that is asked for.
    let thresholds = Tensor::zeros(device, [classes.len()]);
    let Drawn { pixels, labels, confidences, .. } =
        draw_labelled(generator, classifier, given.as_deref(), false, &thresholds, n, seed, done)?;
    let images = Images::new(pixels, [n, image.size, image.size, image.channels]);
    Ok(Generated { images, labels, confidences, given, classes: classes.to_vec() })
}

/// Generated images and their labels.
#[derive(Default)]
pub(crate) struct Drawn {
    /// `[n, size, size, channels]`, in 0..=255.
    pub pixels: Vec<u8>,
    /// The class of each.
    pub labels: Vec<usize>,
    /// What the classifier gives that class.
    pub confidences: Vec<f32>,
    /// Whether that is above the class's threshold.
    pub kept: Vec<bool>,
}

/// Draws `n` images and labels them as a run does: with the classes `given`, one an image, to a conditional generator where these are
/// taken as `known`, else with the classifier's most probable ones; kept above `thresholds` `[classes]`. Both networks use their running
/// statistics, and the noise is a pure function of `seed`. `done` is told how many are drawn, some at a time.
pub(crate) fn draw_labelled(
    generator: &mut Network,
    classifier: &mut Network,
    given: Option<&[usize]>,
    known: bool,
    thresholds: &Tensor,
    n: usize,
    seed: u64,
    done: &mut dyn FnMut(usize),
) -> Result<Drawn, Error> {
    let device = thresholds.device();
    let mut stream = Stream::Samples.start(seed);
    let mut drawn = Drawn::default();
    for first in (0..n).step_by(BATCH) {
        let count = BATCH.min(n - first);
        let of_batch = |given: &[usize]| given[first..][..count].iter().map(|&class| class as i32).collect::<Vec<_>>();
        let given = given.map(of_batch).map(|given| Tensor::from_slice(device, [count], &given)).transpose()?;
        let x = generator.evaluate_given(noise(device, &mut stream, count), given.as_ref())?;
        drawn.pixels.extend(bytes(&x)?);
        let found = pseudo_labels(&classifier.evaluate(x)?, thresholds, given.as_ref().filter(|_| known));
        drawn.labels.extend(found.labels.to_vec()?.iter().map(|&label| label as usize));
        drawn.confidences.extend(found.confidence.to_vec()?);
        drawn.kept.extend(found.weights.to_vec()?.iter().map(|&weight| weight != 0.0));
        done(drawn.labels.len());
    }
    Ok(drawn)
}

/// Generated images in 0..=255, rounded; tanh never leaves [-1, 1].
fn bytes(x: &Tensor) -> Result<Vec<u8>, Error> {
    Ok(x.to_vec()?.iter().map(|v| ((v + 1.0) * 127.5).round() as u8).collect())
}
