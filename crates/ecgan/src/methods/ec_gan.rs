//! EC-GAN (Haque 2020): a DCGAN beside an external classifier, which learns from the generated images too.
//!
//! L_D = BCE(D(x), 1) + BCE(D(G(z)), 0),  L_G = BCE(D(G(z)), 1),
//! L_C = CE(C(x), y) + lambda CE(C(G(z)), argmax C(G(z))) where max softmax C(G(z)) > threshold.

use super::classifier::real_loss;
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
    /// Whether real and generated images pass through a network as one batch where they may: the same numbers but for
    /// rounding, in half as many kernels, which is what a GPU's time goes to, and in twice the memory.
    pub joint: bool,
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
        let both = if self.config.joint { Some(one_after_the_other(x, &images)?) } else { None };
        let both = both.as_ref();
        let Self { config, generator, adam_g, discriminator, adam_d, classifier } = self;
        let (gan, found) = x.device().concurrently(
            || gan_step([discriminator, generator], [adam_d, adam_g], x, fakes, both),
            || classifier_step(config, classifier, x, labels, &images, both),
        );
        let (gan, (real, fake)) = (gan?, found?);
        Ok(Found { gan: Some(gan), real, fake })
    }
}

/// Both batches as one.
fn one_after_the_other<T: Real>(x: &Tensor<T>, images: &Tensor<T>) -> Result<Tensor<T>> {
    let (s, device) = (x.shape(), x.device());
    let mut both = Tensor::uninit(device, [2 * s[0], s[1], s[2], s[3]]);
    let (first, second) = both.view_mut().split_at(x.numel());
    kernels::fill::copy(device, x, first);
    kernels::fill::copy(device, images, second);
    Ok(both)
}

/// The outputs of both batches in one pass.
fn forward_both<T: Real>(network: &mut Network<T>, both: &Tensor<T>, second_updates: bool) -> Result<[Var<T>; 2]> {
    let tape = Tape::new(both.device());
    let y = network.forward(&tape.constant(both.clone()), Mode::Both { second_updates }, true)?;
    let n = both.shape()[0];
    Ok([ops::rows(&y, 0..n / 2)?, ops::rows(&y, n / 2..n)?])
}

/// The gradient of a + b, both on one tape.
fn backward_both<T: Real>(a: &Var<T>, b: &Var<T>) -> Result<()> {
    let one = || Tensor::full(a.device(), [], T::ONE);
    a.tape().backward_from(vec![(a, one()), (b, one())]).map(|_| ())
}

/// The discriminator's step, then, with the fakes on the generator's tape, the generator's against the updated
/// discriminator. The three losses.
fn gan_step<T: Real>(
    [discriminator, generator]: [&mut Network<T>; 2],
    [adam_d, adam_g]: [&mut Adam<T>; 2],
    x: &Tensor<T>,
    fakes: Var<T>,
    both: Option<&Tensor<T>>,
) -> Result<[Tensor<T>; 3]> {
    let [loss_d_real, loss_d_fake] = match both {
        Some(both) => {
            let [real, fake] = forward_both(discriminator, both, true)?;
            let (real, fake) = (ops::bce_with_logits(&real, 1.0)?, ops::bce_with_logits(&fake, 0.0)?);
            backward_both(&real, &fake)?;
            [real, fake].map(|loss| loss.value().clone())
        }
        None => {
            // The gradient of the sum, one loss after the other: half the memory of both at once.
            let mut loss_d = |x: &Tensor<T>, target| {
                let tape = Tape::new(x.device());
                let logits = discriminator.forward(&tape.constant(x.clone()), Mode::Train, true)?;
                let loss = ops::bce_with_logits(&logits, target)?;
                tape.backward(&loss)?;
                Ok::<_, tensor::Error>(loss.value().clone())
            };
            [loss_d(x, 1.0)?, loss_d(fakes.value(), 0.0)?]
        }
    };
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
    both: Option<&Tensor<T>>,
) -> Result<(RealFound<T>, Option<FakeFound<T>>)> {
    let EcGanConfig { lambda, update, fake_statistics, .. } = *config;
    if lambda == 0.0 {
        return Ok((classifier.real_step(x, labels)?, None));
    }
    match (update, both) {
        (ClassifierUpdate::Summed, Some(both)) if fake_statistics != FakeStatistics::Running => {
            let [logits, fake_logits] =
                forward_both(&mut classifier.network, both, fake_statistics == FakeStatistics::Shared)?;
            let (loss, real) = real_loss(&logits, labels)?;
            let (fake_loss, fake) = fake_loss_of(config, &fake_logits)?;
            backward_both(&loss, &ops::scale(&fake_loss, lambda)?)?;
            classifier.adam.step(classifier.network.params_mut());
            Ok((real, Some(fake)))
        }
        (ClassifierUpdate::Summed, _) => {
            // As in the discriminator's step.
            let (loss, real) = classifier.real_loss(&Tape::new(x.device()), x, labels)?;
            loss.tape().backward(&loss)?;
            drop(loss);
            let (fake_loss, fake) = fake_loss(config, classifier, &Tape::new(x.device()), fakes)?;
            classifier.descend(ops::scale(&fake_loss, lambda)?, None)?;
            Ok((real, Some(fake)))
        }
        (ClassifierUpdate::TwoSteps, _) => {
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
    fake_loss_of(config, &logits)
}

/// The pseudo-label loss (without lambda) of these logits of generated images.
fn fake_loss_of<T: Real>(config: &EcGanConfig, logits: &Var<T>) -> Result<(Var<T>, FakeFound<T>)> {
    let pseudo = pseudo_labels(logits.value(), config.threshold);
    let loss = ops::cross_entropy(logits, &pseudo.labels, Some(&pseudo.weights), Reduction::Kept)?;
    let found = FakeFound { loss: loss.value().clone(), pseudo, classes: logits.shape()[1] };
    Ok((loss, found))
}
