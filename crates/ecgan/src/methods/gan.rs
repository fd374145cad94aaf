//! Generator and discriminator with their optimizers, and their steps:
//! L_D = BCE(D(x), 1) + BCE(D(G(z)), 0), then L_G = BCE(D(G(z)), 1) against the updated D, or the hinge losses
//! L_D = max(0, 1 - D(x)) + max(0, 1 + D(G(z))), L_G = -D(G(z)); D may see its images augmented.

use super::both::{backward_both, forward_both, one_after_the_other};
use super::{Average, Noise};
use crate::settings::GanLoss;
use nn::{Adam, AdamConfig, Mode, Network};
use tensor::ops::{self, Policy, Side};
use tensor::{Real, Result, Tape, Tensor, Var};

/// The two networks of a GAN.
pub struct Gan<T: Real = f32> {
    /// Whose losses.
    pub loss: GanLoss,
    /// What happens to the images that the discriminator sees.
    pub diff_augment: Option<Policy>,
    /// Noise to images.
    pub generator: Network<T>,
    /// The generator's optimizer.
    pub adam_g: Adam<T>,
    /// The generator's moving average, from which is drawn.
    pub average: Option<Average<T>>,
    /// Images to one logit; for the methods with one trunk, its features to one logit.
    pub discriminator: Network<T>,
    /// The discriminator's optimizer.
    pub adam_d: Adam<T>,
}

/// Settings of a GAN.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GanConfig {
    /// Optimizer of the generator.
    pub adam_g: AdamConfig,
    /// Optimizer of the discriminator.
    pub adam_d: AdamConfig,
    /// Whose losses.
    pub loss: GanLoss,
    /// What happens to the images that the discriminator sees.
    pub diff_augment: Option<Policy>,
}

impl GanConfig {
    /// The paper's losses, no augmentation.
    pub fn plain(adam_g: AdamConfig, adam_d: AdamConfig) -> Self {
        Self { adam_g, adam_d, loss: GanLoss::Bce, diff_augment: None }
    }
}

impl<T: Real> Gan<T> {
    /// Optimizers at rest for these networks.
    pub fn new(config: GanConfig, generator: Network<T>, discriminator: Network<T>) -> Self {
        let adam_g = Adam::new(config.adam_g, generator.params());
        let adam_d = Adam::new(config.adam_d, discriminator.params());
        let GanConfig { loss, diff_augment, .. } = config;
        Self { loss, diff_augment, generator, adam_g, average: None, discriminator, adam_d }
    }

    /// G(z), on a tape of its own; `labels` are given to a conditional generator.
    pub(super) fn fakes(&mut self, z: &Tensor<T>, labels: Option<&Tensor<i32>>) -> Result<Var<T>> {
        let tape = Tape::new(z.device());
        self.generator.forward_given(&tape.constant(z.clone()), labels, Mode::Train, true)
    }

    /// What the discriminator sees of images, the `part`-th of the three batches that it sees in an iteration.
    pub(super) fn seen(&self, images: &Var<T>, noise: &Noise<T>, part: usize) -> Result<Var<T>> {
        match (self.diff_augment, &noise.drawn) {
            (Some(policy), Some(drawn)) => {
                let n = images.shape()[0];
                ops::diff_augment(images, &drawn.part(part * n * ops::DRAWN, [n, ops::DRAWN]), policy)
            }
            _ => Ok(images.clone()),
        }
    }

    /// The generator's step, and its average's.
    pub(super) fn step_generator(&mut self) {
        self.adam_g.step(self.generator.params_mut());
        if let Some(average) = &mut self.average {
            average.follow(&self.generator);
        }
    }

    /// The discriminator's step, then, with the fakes on the generator's tape, the generator's. The three losses.
    ///
    /// `labels` are those of the real images and of the fakes, which a conditional discriminator is given; `both` are the
    /// batches as one, where they may pass so.
    pub(super) fn step(
        &mut self,
        x: &Tensor<T>,
        labels: Option<&Tensor<i32>>,
        fakes: Var<T>,
        both: Option<&Tensor<T>>,
        noise: &Noise<T>,
    ) -> Result<[Tensor<T>; 3]> {
        let off = Tape::off(x.device());
        let seen = |x: &Tensor<T>, part| {
            Ok::<_, tensor::Error>(self.seen(&off.constant(x.clone()), noise, part)?.value().clone())
        };
        let (x, fake, loss) = (seen(x, 0)?, seen(fakes.value(), 1)?, self.loss);
        self.discriminator.prepare();
        let [loss_d_real, loss_d_fake] = match both {
            Some(both) => {
                let augmented = self.diff_augment.map(|_| one_after_the_other(&x, &fake));
                let both = augmented.as_ref().unwrap_or(both);
                let [real, fake] = forward_both(&mut self.discriminator, both, labels, true)?;
                let (real, fake) = (loss.of(&real, Side::Real)?, loss.of(&fake, Side::Fake)?);
                backward_both(&real, (&fake, None))?;
                [real, fake].map(|loss| loss.value().clone())
            }
            None => {
                // The gradient of the sum, one loss after the other: half the memory of both at once.
                let mut loss_d = |x: &Tensor<T>, side| {
                    let x = Tape::new(x.device()).constant(x.clone());
                    let logits = self.discriminator.forward_given(&x, labels, Mode::Train, true)?;
                    let loss = loss.of(&logits, side)?;
                    loss.tape().backward(&loss)?;
                    Ok::<_, tensor::Error>(loss.value().clone())
                };
                [loss_d(&x, Side::Real)?, loss_d(&fake, Side::Fake)?]
            }
        };
        self.adam_d.step(self.discriminator.params_mut());

        let loss_g = {
            let seen = self.seen(&fakes, noise, 2)?;
            let logits = self.discriminator.forward_given(&seen, labels, Mode::Train, false)?;
            let loss = loss.of(&logits, Side::Generator)?;
            fakes.tape().backward(&loss)?;
            loss.value().clone()
        };
        self.step_generator();
        Ok([loss_d_real, loss_d_fake, loss_g])
    }
}

impl GanLoss {
    /// The mean loss of logits.
    pub(super) fn of<T: Real>(self, logits: &Var<T>, side: Side) -> Result<Var<T>> {
        match (self, side) {
            (GanLoss::Hinge, side) => ops::hinge(logits, side),
            (GanLoss::Bce, Side::Real | Side::Generator) => ops::bce_with_logits(logits, 1.0),
            (GanLoss::Bce, Side::Fake) => ops::bce_with_logits(logits, 0.0),
        }
    }
}
