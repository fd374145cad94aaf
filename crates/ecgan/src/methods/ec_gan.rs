//! EC-GAN (Haque 2020): a DCGAN beside an external classifier, which learns from the generated images too.
//!
//! L_D = BCE(D(x), 1) + BCE(D(G(z)), 0),  L_G = BCE(D(G(z)), 1),
//! L_C = CE(C(x), y) + lambda CE(C(G(z)), argmax C(G(z))) where max softmax C(G(z)) > threshold.
//!
//! With conditional networks, D(x, y) and G(z, y), a generated image has the class it was made for, and
//! L_C = CE(C(x), y) + lambda CE(C(G(z, y)), y) where softmax C(G(z, y)) at y > threshold (as SEC-CGAN, arXiv 2212.13589).

use super::both::{backward_both, forward_both, one_after_the_other};
use super::classifier::real_loss;
use super::{ClassifierTrainer, FakeFound, Found, Gan, Noise, RealFound, Thresholds, Weight};
use crate::pseudo_label::{PseudoLabels, pseudo_labels, sharpened};
use crate::settings::{ClassifierUpdate, FakeLabels, FakeStatistics};
use nn::Mode;
use tensor::ops::{self, Reduction, Target};
use tensor::{Real, Result, Tape, Tensor, Var};

/// The method's settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EcGanConfig {
    /// What the classifier learns about a generated image.
    pub fake_labels: FakeLabels,
    /// What the sum over the kept generated images is divided by.
    pub fake_mean: Reduction,
    /// One summed step or two.
    pub update: ClassifierUpdate,
    /// Batch norm on generated images.
    pub fake_statistics: FakeStatistics,
    /// Whether the classifier learns from images of the generator's moving average.
    pub fakes_from_average: bool,
    /// Whether generator and discriminator are given the class: that of the batch's real images for those made beside them.
    pub conditional: bool,
    /// Whether real and generated images pass through a network as one batch where they may: the same numbers but for
    /// rounding, in half as many kernels, which is what a GPU's time goes to, and in twice the memory.
    pub joint: bool,
}

/// The three networks with their optimizers.
pub struct EcGan<T: Real = f32> {
    /// The settings.
    pub config: EcGanConfig,
    /// Generator and discriminator.
    pub gan: Gan<T>,
    /// Images to logits, with its optimizer.
    pub classifier: ClassifierTrainer<T>,
    /// The weight of the generated images in the classifier's loss now; at 0 the classifier does not see them at all.
    pub lambda: Weight<T>,
    /// The threshold of each class now: the confidence above which a generated image is kept.
    pub thresholds: Thresholds<T>,
}

impl<T: Real> EcGan<T> {
    /// These networks together.
    pub fn new(
        config: EcGanConfig,
        lambda: f64,
        thresholds: Thresholds<T>,
        gan: Gan<T>,
        classifier: ClassifierTrainer<T>,
    ) -> Self {
        let lambda = Weight::new(&classifier.device(), lambda);
        Self { config, gan, classifier, lambda, thresholds }
    }

    /// One iteration: x `[n,h,w,c]` in [-1, 1], labels `[n]`.
    ///
    /// The same generated images, made before the generator's update, serve all three networks, unless the classifier's are from the
    /// generator's average. With them at hand the
    /// classifier's step and the other two do not depend on each other.
    pub fn step(&mut self, x: &Tensor<T>, labels: &Tensor<i32>, noise: &Noise<T>) -> Result<Found<T>> {
        let Self { config, gan, classifier, lambda, thresholds } = self;
        let given = config.conditional.then_some(labels);
        let fakes = gan.fakes(&noise.z, given)?;
        let images = match &mut gan.average {
            Some(average) if config.fakes_from_average => average.network.evaluate_given(noise.z.clone(), given)?,
            _ => fakes.value().clone(),
        };
        let both = config.joint.then(|| one_after_the_other(x, &images));
        let (gan, found) = x.device().concurrently(
            || gan.step(x, given, fakes, both.as_ref().filter(|_| !config.fakes_from_average), noise),
            || {
                let found = classifier_step(config, classifier, lambda, thresholds, x, labels, &images, both.as_ref());
                classifier.follow();
                found
            },
        );
        let (gan, (real, fake)) = (gan?, found?);
        Ok(Found { gan: Some(gan), real, fake })
    }
}

/// The classifier's step on the real images and on the fakes, for which the labels are those they were made for.
fn classifier_step<T: Real>(
    config: &EcGanConfig,
    classifier: &mut ClassifierTrainer<T>,
    lambda: &Weight<T>,
    thresholds: &mut Thresholds<T>,
    x: &Tensor<T>,
    labels: &Tensor<i32>,
    fakes: &Tensor<T>,
    both: Option<&Tensor<T>>,
) -> Result<(RealFound<T>, Option<FakeFound<T>>)> {
    let EcGanConfig { update, fake_statistics, .. } = *config;
    if lambda.value() == 0.0 {
        return Ok((classifier.real_step(x, labels)?, None));
    }
    let weight = lambda.tensor();
    match (update, both) {
        (ClassifierUpdate::Summed, Some(both)) if fake_statistics != FakeStatistics::Running => {
            let updates = fake_statistics == FakeStatistics::Shared;
            let [logits, fake_logits] = forward_both(&mut classifier.network, both, None, updates)?;
            let (loss, real) = real_loss(&logits, labels, classifier.smoothing)?;
            let (fake_loss, fake) = fake_loss_of(config, thresholds, &fake_logits, labels)?;
            backward_both(&loss, (&fake_loss, Some(&weight)))?;
            classifier.step_from_gradients(None);
            Ok((real, Some(fake)))
        }
        (ClassifierUpdate::Summed, _) => {
            // As in the discriminator's step.
            let (loss, real) = classifier.real_loss(&Tape::new(x.device()), x, labels)?;
            loss.tape().backward(&loss)?;
            drop(loss);
            let (fake_loss, fake) = fake_loss(config, classifier, thresholds, fakes, labels)?;
            if found_none(&fake.pseudo.kept()) {
                drop(fake_loss);
                classifier.step_from_gradients(None);
            } else {
                classifier.descend(fake_loss, weight, None)?;
            }
            Ok((real, Some(fake)))
        }
        (ClassifierUpdate::TwoSteps, _) => {
            let real = classifier.real_step(x, labels)?;
            let (fake_loss, fake) = fake_loss(config, classifier, thresholds, fakes, labels)?;
            // With nothing kept the second step is left out whole: no decay, no moments, no t.
            let kept = fake.pseudo.kept();
            if !found_none(&kept) {
                classifier.descend(fake_loss, weight, Some(&kept))?;
            }
            Ok((real, Some(fake)))
        }
    }
}

/// Whether it is at hand, as on a processor, that no fake is kept: then the reverse pass, which would find zeros, is left out.
fn found_none<T: Real>(kept: &Tensor<T>) -> bool {
    kept.at_hand().is_some_and(|kept| kept[0] == T::ZERO)
}

/// The loss on generated images (without lambda), not yet differentiated.
fn fake_loss<T: Real>(
    config: &EcGanConfig,
    classifier: &mut ClassifierTrainer<T>,
    thresholds: &mut Thresholds<T>,
    fakes: &Tensor<T>,
    labels: &Tensor<i32>,
) -> Result<(Var<T>, FakeFound<T>)> {
    let tape = Tape::new(fakes.device());
    let logits = classifier.network.forward(&tape.constant(fakes.clone()), config.fake_statistics.mode(), true)?;
    fake_loss_of(config, thresholds, &logits, labels)
}

/// The loss (without lambda) of these logits of generated images.
fn fake_loss_of<T: Real>(
    config: &EcGanConfig,
    thresholds: &mut Thresholds<T>,
    logits: &Var<T>,
    labels: &Tensor<i32>,
) -> Result<(Var<T>, FakeFound<T>)> {
    let known = (config.fake_labels == FakeLabels::Known).then_some(labels);
    let pseudo: PseudoLabels<T> = pseudo_labels(logits.value(), thresholds.of(logits.value())?, known);
    let target = match config.fake_labels {
        FakeLabels::Soft => Target::Probabilities(sharpened(logits.value())?),
        FakeLabels::Pseudo | FakeLabels::Known => Target::labels(&pseudo.labels),
    };
    let loss = ops::cross_entropy(logits, target, Some(&pseudo.weights), config.fake_mean)?;
    let found = FakeFound { loss: loss.value().clone(), pseudo };
    Ok((loss, found))
}

impl FakeStatistics {
    /// What batch norm does with a batch of generated images.
    pub(super) fn mode(self) -> Mode {
        match self {
            FakeStatistics::Shared => Mode::Train,
            FakeStatistics::Frozen => Mode::FrozenStatistics,
            FakeStatistics::Running => Mode::RunningStatistics,
        }
    }
}
