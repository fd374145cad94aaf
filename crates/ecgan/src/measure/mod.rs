//! Measures of a run's generator: how far its images are from real ones, whether they are copies of those trained on, and how good
//! the labels are that the run gives them.
//!
//! Distances are between features, the numbers before a classifier's last layer. Those of another classifier, the judge,
//! are better than the run's own, which was trained against these images; and the judge can say whether labels are right. With the
//! weights of an Inception v3 they are the usual ones.

mod features;
mod files;
mod frechet;
pub mod inception;
mod judge;
mod kernel_distance;
mod labels;
mod linear_algebra;
mod neighbours;
mod pairs;

pub use features::Features;
pub use frechet::frechet_distance;
pub use kernel_distance::{KernelDistance, kernel_distance, squared_discrepancy};
pub use labels::{Agreement, ClassLabels, Label, Labels};
pub use neighbours::{Nearest, Neighbours, nearest, nearest_others};

use crate::Error;
use crate::checkpoint::Checkpoint;
use crate::data::Images;
use crate::data_place::{Written, check_outside};
use crate::evaluate::{Split, check_finite, on_data};
use crate::generate::draw_labelled;
use crate::settings::{ClassThreshold, FakeLabels, Settings, SplitName};
use features::of_classifier;
use inception::Inception;
use nn::Network;
use serde::Serialize;
use std::path::Path;
use tensor::{Device, Tensor};

/// What to measure, and against which images.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// A run's checkpoint with generator and classifier.
    pub checkpoint: &'a Path,
    /// The checkpoint of another classifier of the same classes and images.
    pub judge: Option<&'a Path>,
    /// A data set with the run's classes; the run's own where none is given.
    pub data: Option<&'a str>,
    /// Which real images, as in [`crate::evaluate::evaluate_read`].
    pub split: SplitName,
    /// Generated images, 2 at least.
    pub n: usize,
    /// Of the noise, and of the kernel distance's subsets.
    pub seed: u64,
    /// Weights of an Inception v3, which then gives the features.
    pub inception: Option<&'a Path>,
    /// Files that will be written of the result, and the settings that name them: none may be inside the data.
    pub outputs: &'a [(&'static str, &'a Path)],
}

/// Whose features distances are taken in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FeaturesOf {
    /// The classifier of the run that is measured.
    OwnClassifier,
    /// The judge.
    Judge,
    /// Inception v3, of which the distances are known as FID and KID.
    Inception,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Measures {
    /// Generated images.
    pub n_generated: usize,
    /// Real ones.
    pub n_real: usize,
    /// Which the real ones are.
    pub split: SplitName,
    /// Of the noise and the subsets.
    pub seed: u64,
    /// Whose features they were compared in.
    pub features_of: FeaturesOf,
    /// Numbers of an image there.
    pub feature_count: usize,
    /// [`frechet_distance`].
    pub frechet_distance: f64,
    /// [`kernel_distance`].
    pub kernel_distance: KernelDistance,
    /// Whether images are copies.
    pub neighbours: Neighbours,
    /// The labels that the run would train on.
    pub pseudo_labels: Labels,
}

/// The measures, and what they are of.
pub struct Measured {
    /// The measures.
    pub measures: Measures,
    /// The generated images, labelled as the run labels them.
    pub generated: Images,
    /// What holds the real images.
    pub reals: Images,
    /// Which of them are of the split.
    pub real_indices: Vec<usize>,
    /// Of each generated image the nearest real one, by its place in `real_indices`.
    pub nearest: Vec<Nearest>,
    /// Their features.
    pub of_generated: Features,
    /// Those of the real images, in the order of `real_indices`.
    pub of_real: Features,
}

/// What [`measure`] tells while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A sentence about what is odd about the data.
    Warning(&'a str),
    /// How many of the images have gone through the Inception v3, which takes minutes.
    Images {
        /// So many.
        done: usize,
        /// Of so many.
        of: usize,
    },
}

/// Draws images as [`crate::generate::generate`] does and measures them.
///
/// `event` is told what is odd, and how far the slow part is. The bits depend on device and SIMD path, not on threads.
///
/// # Errors
/// [`Error::Io`], [`Error::BadFile`] and [`Error::Dataset`]; also where the judge is not of the run's classes and images.
/// [`Error::Setting`] for fewer than two images, for an output inside the data, and for the validation part of a run that had
/// none.
pub fn measure(options: &Options<'_>, device: &Device, event: &mut dyn FnMut(Event<'_>)) -> Result<Measured, Error> {
    let Options { n, seed, split, .. } = *options;
    if n < 2 {
        return Err(Error::Setting { name: "n", expected: "at least 2 images".into(), got: n.to_string() });
    }
    let read = Checkpoint::read(options.checkpoint)?;
    let settings = on_data(&read, options.data)?;
    options.outputs.iter().try_for_each(|(name, path)| check_outside(name, path, &settings.data, Written::File))?;
    let (mut generator, mut classifier) = (read.generator(device)?, read.classifier(device)?);
    let mut judge = options.judge.map(|path| judge::read(path, &read, device)).transpose()?;
    if let Some(judge) = &judge
        && judge.state_dict()? == classifier.state_dict()?
    {
        event(Event::Warning(
            "the judge is the run's own classifier, in whose eyes its labels are right: take another one",
        ));
    }
    // In f64, and what Inception has, on the processor.
    let cpu = if device.gpu().is_some() { &Device::cpu() } else { device };
    let inception = options.inception.map(|path| Inception::read(path, cpu)).transpose()?;
    let warning = &mut |message: &str| event(Event::Warning(message));
    let Split { images: reals, indices: real_indices, .. } = Split::read(&read, &settings, split, warning)?;
    if real_indices.len() < 2 {
        let expected = "a part with at least 2 images".into();
        return Err(Error::Setting { name: "split", expected, got: format!("{split} with {}", real_indices.len()) });
    }
    let (generated, labels) = draw(&mut generator, &mut classifier, &read, &settings, n, seed, device)?;
    let all: Vec<usize> = (0..n).collect();
    let features_of = match (&inception, &judge) {
        (Some(_), _) => FeaturesOf::Inception,
        (None, Some(_)) => FeaturesOf::Judge,
        (None, None) => FeaturesOf::OwnClassifier,
    };
    let network = judge.as_mut().unwrap_or(&mut classifier);
    let (of_generated, judged) = of_classifier(network, &generated, &all, device)?;
    let [of_generated, of_real] = match &inception {
        Some(inception) => of_inception(inception, [(&generated, &all), (&reals, &real_indices)], event)?,
        None => [of_generated, of_classifier(network, &reals, &real_indices, device)?.0],
    };
    if !of_generated.values.iter().chain(&of_real.values).all(|v| v.is_finite()) {
        let whose = options.inception.or(options.judge).unwrap_or(options.checkpoint);
        let problem = "the features of the images are not finite".into();
        return Err(Error::BadFile { path: whose.into(), problem });
    }
    let nearest = nearest(&of_generated, &of_real, cpu);
    let neighbours = Neighbours::new(&nearest, &nearest_others(&of_real, cpu));
    if neighbours.closer_than == 0.0 {
        event(Event::Warning(
            "more than 1 % of the real images have the same features as another of them (copies?), so that no generated image \
             can be closer: closer_fraction says nothing here",
        ));
    }
    let judged = options.judge.map(|_| &judged[..]);
    let measures = Measures {
        n_generated: n,
        n_real: real_indices.len(),
        split,
        seed,
        features_of,
        feature_count: of_real.d,
        frechet_distance: frechet_distance(&of_generated, &of_real, cpu),
        kernel_distance: kernel_distance(&of_generated, &of_real, seed, cpu),
        neighbours,
        pseudo_labels: Labels::new(&labels, judged, &read.meta.classes, settings.threshold),
    };
    Ok(Measured { measures, generated, reals, real_indices, nearest, of_generated, of_real })
}

/// The features that an Inception v3 has of two sets of images, each given with which of them.
fn of_inception(
    inception: &Inception,
    [a, b]: [(&Images, &[usize]); 2],
    event: &mut dyn FnMut(Event<'_>),
) -> Result<[Features; 2], Error> {
    let (first, of) = (a.1.len(), a.1.len() + b.1.len());
    let mut done = |done| event(Event::Images { done, of });
    let of_a = inception.features(a.0, a.1, &mut done)?;
    let of_b = inception.features(b.0, b.1, &mut |images| done(first + images))?;
    Ok([of_a, of_b])
}

/// The threshold of each class where the run stood.
fn thresholds(read: &Checkpoint, settings: &Settings) -> Result<Vec<f32>, Error> {
    let threshold = settings.threshold as f32;
    if settings.class_threshold == ClassThreshold::Same {
        return Ok(vec![threshold; read.meta.classes.len()]);
    }
    let average = read.class_average()?;
    let largest = average.iter().copied().fold(f32::MIN_POSITIVE, f32::max);
    Ok(average.iter().map(|p| threshold * (p / largest)).collect())
}

/// Generated images, and the label of each with which a run of these settings would train on it.
fn draw(
    generator: &mut Network,
    classifier: &mut Network,
    read: &Checkpoint,
    settings: &Settings,
    n: usize,
    seed: u64,
    device: &Device,
) -> Result<(Images, Vec<Label>), Error> {
    let given = read.meta.condition.map(|condition| condition.in_turn(n));
    let known = settings.fake_labels == FakeLabels::Known;
    let thresholds = thresholds(read, settings)?;
    let thresholds = Tensor::from_slice(device, [thresholds.len()], &thresholds)?;
    let drawn = draw_labelled(generator, classifier, given.as_deref(), known, &thresholds, n, seed, &mut |_| {})?;
    check_finite(&drawn.confidences)?;
    let classes = drawn.labels.iter().map(|&class| class as i32).collect();
    let labels = drawn.labels.iter().zip(drawn.kept).map(|(&class, kept)| Label { class, kept }).collect();
    Ok((Images::held(drawn.pixels, classes, read.meta.image_size, read.meta.channels), labels))
}
