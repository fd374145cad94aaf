//! The paper's other design: one trunk with two heads, Dc for the classes and Dd for real or generated.
//!
//! L = CE(Dc(x), y) + lambda (BCE(Dd(x), 1) + BCE(Dd(G(z)), 0)),  L_G = BCE(Dd(G(z)), 1): both heads train the trunk, and
//! the classes are not trained on generated images.
//!
//! Trunk and Dc are a [`ClassifierTrainer`], so that what comes out is a classifier as any other; Dd alone is the
//! discriminator, a network from the classifier's features to one logit.

use super::both::backward_both;
use super::classifier::real_loss;
use super::{ClassifierTrainer, Found, Gan, Noise, RealFound, Weight};
use crate::settings::FakeStatistics;
use nn::Mode;
use tensor::ops::Side;
use tensor::{Real, Result, Tape, Tensor, Var};

/// The networks with their optimizers.
pub struct Shared<T: Real = f32> {
    /// Batch norm on generated images.
    pub fake_statistics: FakeStatistics,
    /// The generator, and Dd.
    pub gan: Gan<T>,
    /// Trunk and Dc.
    pub classifier: ClassifierTrainer<T>,
    /// The weight of real or generated in the trunk's loss now; at 0 there is no GAN at all.
    pub lambda: Weight<T>,
}

impl<T: Real> Shared<T> {
    /// These networks together.
    pub fn new(fake_statistics: FakeStatistics, lambda: f64, gan: Gan<T>, classifier: ClassifierTrainer<T>) -> Self {
        let lambda = Weight::new(&classifier.device(), lambda);
        Self { fake_statistics, gan, classifier, lambda }
    }

    /// One iteration: x `[n,h,w,c]` in [-1, 1], labels `[n]`; `noise` draws if needed.
    pub fn step(&mut self, x: &Tensor<T>, labels: &Tensor<i32>, noise: impl FnOnce() -> Noise<T>) -> Result<Found<T>> {
        if self.lambda.value() == 0.0 {
            return self.classifier.step(x, labels);
        }
        let fakes = self.gan.fakes(&noise().z, None)?;
        let (real, [loss_d_real, loss_d_fake]) = self.trunk_step(x, labels, fakes.value())?;
        let loss_g = self.generator_step(fakes)?;
        Ok(Found { gan: Some([loss_d_real, loss_d_fake, loss_g]), real, fake: None })
    }

    /// The step of trunk and heads.
    fn trunk_step(
        &mut self,
        x: &Tensor<T>,
        labels: &Tensor<i32>,
        fakes: &Tensor<T>,
    ) -> Result<(RealFound<T>, [Tensor<T>; 2])> {
        let lambda = self.lambda.tensor();
        let fake_mode = self.fake_statistics.mode();
        let Self { gan, classifier, .. } = self;
        let (real, loss_d_real) = {
            let x = Tape::new(x.device()).constant(x.clone());
            let [features, logits] = classifier.network.forward_with_features(&x, Mode::Train, true)?;
            let (loss, real) = real_loss(&logits, labels, classifier.smoothing)?;
            let loss_d = gan.loss.of(&gan.discriminator.forward(&features, Mode::Train, true)?, Side::Real)?;
            backward_both(&loss, (&loss_d, Some(&lambda)))?;
            (real, loss_d.value().clone())
        };
        let loss_d_fake = {
            let x = Tape::new(fakes.device()).constant(fakes.clone());
            let [features, _] = classifier.network.forward_with_features(&x, fake_mode, true)?;
            let loss_d = gan.loss.of(&gan.discriminator.forward(&features, Mode::Train, true)?, Side::Fake)?;
            loss_d.tape().backward_from(vec![(&loss_d, lambda)])?;
            loss_d.value().clone()
        };
        classifier.step_from_gradients(None);
        classifier.follow();
        gan.adam_d.step(gan.discriminator.params_mut());
        Ok((real, [loss_d_real, loss_d_fake]))
    }

    /// The generator's step against the updated trunk.
    fn generator_step(&mut self, fakes: Var<T>) -> Result<Tensor<T>> {
        let fake_mode = self.fake_statistics.mode();
        let Self { gan, classifier, .. } = self;
        let [features, _] = classifier.network.forward_with_features(&fakes, fake_mode, false)?;
        let loss = gan.loss.of(&gan.discriminator.forward(&features, Mode::Train, false)?, Side::Generator)?;
        fakes.tape().backward(&loss)?;
        gan.step_generator();
        Ok(loss.value().clone())
    }
}
