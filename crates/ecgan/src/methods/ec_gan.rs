//! EC-GAN (Haque 2020): a DCGAN beside an external classifier, which learns from the generated images too.
//!
//! L_D = BCE(D(x), 1) + BCE(D(G(z)), 0),  L_G = BCE(D(G(z)), 1),
//! L_C = CE(C(x), y) + lambda CE(C(G(z)), argmax C(G(z))) where max softmax C(G(z)) > threshold.

use super::{ClassifierTrainer, FakeFound, Found, RealFound};
use crate::pseudo_label::pseudo_labels;
use crate::settings::{ClassifierUpdate, FakeStatistics};
use nn::{Adam, AdamConfig, Mode, Network};
use tensor::ops::{self, Reduction};
use tensor::{Real, Result, Tape, Tensor, Var};

/// The method's settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct EcGanConfig {
    /// Weight of the generated images in the classifier's loss; at 0 the classifier does not see them at all.
    pub lambda: f64,
    /// Confidence above which a generated image is kept.
    pub threshold: f64,
    /// One summed step or two.
    pub update: ClassifierUpdate,
    /// Batch norm on generated images.
    pub fake_statistics: FakeStatistics,
    /// Optimizer of the generator.
    pub adam_g: AdamConfig,
    /// Optimizer of the discriminator.
    pub adam_d: AdamConfig,
}

/// The three networks with their optimizers.
pub struct EcGan<T: Real = f32> {
    /// The settings.
    pub config: EcGanConfig,
    /// Noise to images.
    pub generator: Network<T>,
    /// The generator's optimizer.
    pub adam_g: Adam<T>,
    /// Images to one logit.
    pub discriminator: Network<T>,
    /// The discriminator's optimizer.
    pub adam_d: Adam<T>,
    /// Images to logits, with its optimizer.
    pub classifier: ClassifierTrainer<T>,
}

impl<T: Real> EcGan<T> {
    /// Optimizers at rest for these networks.
    pub fn new(
        config: EcGanConfig,
        generator: Network<T>,
        discriminator: Network<T>,
        classifier: ClassifierTrainer<T>,
    ) -> Self {
        let adam_g = Adam::new(config.adam_g, generator.params());
        let adam_d = Adam::new(config.adam_d, discriminator.params());
        Self { config, generator, adam_g, discriminator, adam_d, classifier }
    }

    /// One iteration: x `[n,h,w,c]` in [-1, 1], labels `[n]`, noise z `[n,1,1,100]`.
    ///
    /// The same generated images, made before the generator's update, serve all three networks. With them at hand the
    /// classifier's step and the other two do not depend on each other.
    pub fn step(&mut self, x: &Tensor<T>, labels: &Tensor<i32>, z: &Tensor<T>) -> Result<Found<T>> {
        let tape = Tape::new(x.device());
        let fakes = self.generator.forward(&tape.constant(z.clone()), Mode::Train, true)?;
        let images = fakes.value().clone();
        let Self { config, generator, adam_g, discriminator, adam_d, classifier } = self;
        let (gan, found) = x.device().concurrently(
            || gan_step([discriminator, generator], [adam_d, adam_g], x, fakes),
            || classifier_step(config, classifier, x, labels, &images),
        );
        let (gan, (real, fake)) = (gan?, found?);
        Ok(Found { gan: Some(gan), real, fake })
    }
}

/// The discriminator's step, then, with the fakes on the generator's tape, the generator's against the updated
/// discriminator. The three losses.
fn gan_step<T: Real>(
    [discriminator, generator]: [&mut Network<T>; 2],
    [adam_d, adam_g]: [&mut Adam<T>; 2],
    x: &Tensor<T>,
    fakes: Var<T>,
) -> Result<[Tensor<T>; 3]> {
    // The gradient of the sum, one loss after the other: half the memory of both at once.
    let mut loss_d = |x: &Tensor<T>, target| {
        let tape = Tape::new(x.device());
        let logits = discriminator.forward(&tape.constant(x.clone()), Mode::Train, true)?;
        let loss = ops::bce_with_logits(&logits, target)?;
        tape.backward(&loss)?;
        Ok::<_, tensor::Error>(loss.value().clone())
    };
    let (loss_d_real, loss_d_fake) = (loss_d(x, 1.0)?, loss_d(fakes.value(), 0.0)?);
    adam_d.step(discriminator.params_mut());

    let loss_g = {
        let logits = discriminator.forward(&fakes, Mode::Train, false)?;
        let loss = ops::bce_with_logits(&logits, 1.0)?;
        fakes.tape().backward(&loss)?;
        loss.value().clone()
    };
    adam_g.step(generator.params_mut());
    Ok([loss_d_real, loss_d_fake, loss_g])
}

/// The classifier's step on the real images and on the fakes.
fn classifier_step<T: Real>(
    config: &EcGanConfig,
    classifier: &mut ClassifierTrainer<T>,
    x: &Tensor<T>,
    labels: &Tensor<i32>,
    fakes: &Tensor<T>,
) -> Result<(RealFound<T>, Option<FakeFound<T>>)> {
    let EcGanConfig { lambda, update, .. } = *config;
    if lambda == 0.0 {
        return Ok((classifier.real_step(x, labels)?, None));
    }
    match update {
        ClassifierUpdate::Summed => {
            // As in the discriminator's step.
            let (loss, real) = classifier.real_loss(&Tape::new(x.device()), x, labels)?;
            loss.tape().backward(&loss)?;
            drop(loss);
            let (fake_loss, fake) = fake_loss(config, classifier, &Tape::new(x.device()), fakes)?;
            classifier.descend(ops::scale(&fake_loss, lambda)?, None)?;
            Ok((real, Some(fake)))
        }
        ClassifierUpdate::TwoSteps => {
            let real = classifier.real_step(x, labels)?;
            let (fake_loss, fake) = fake_loss(config, classifier, &Tape::new(x.device()), fakes)?;
            // With nothing kept the second step is left out whole: no decay, no moments, no t.
            let kept = fake.pseudo.kept();
            // Where the number is at hand, the reverse pass, which would find zeros, is left out too.
            if kept.at_hand().is_none_or(|kept| kept[0] != T::ZERO) {
                classifier.descend(ops::scale(&fake_loss, lambda)?, Some(&kept))?;
            }
            Ok((real, Some(fake)))
        }
    }
}

/// The pseudo-label loss (without lambda), on `tape`, not yet differentiated.
fn fake_loss<T: Real>(
    config: &EcGanConfig,
    classifier: &mut ClassifierTrainer<T>,
    tape: &Tape<T>,
    fakes: &Tensor<T>,
) -> Result<(Var<T>, FakeFound<T>)> {
    let mode = match config.fake_statistics {
        FakeStatistics::Shared => Mode::Train,
        FakeStatistics::Frozen => Mode::FrozenStatistics,
        FakeStatistics::Running => Mode::RunningStatistics,
    };
    let logits = classifier.network.forward(&tape.constant(fakes.clone()), mode, true)?;
    let pseudo = pseudo_labels(logits.value(), config.threshold);
    let loss = ops::cross_entropy(&logits, &pseudo.labels, Some(&pseudo.weights), Reduction::Kept)?;
    let found = FakeFound { loss: loss.value().clone(), pseudo, classes: logits.shape()[1] };
    Ok((loss, found))
}
