//! The bare classifier: one Adam step on the cross-entropy of labelled images. EC-GAN's baseline, and its third network.

use super::{Found, RealFound};
use nn::{Adam, AdamConfig, Mode, Network};
use tensor::ops::{self, Reduction};
use tensor::{Real, Result, Tape, Tensor, Var};

/// A classifier with its optimizer.
pub struct ClassifierTrainer<T: Real = f32> {
    /// Images to logits.
    pub network: Network<T>,
    /// Its optimizer.
    pub adam: Adam<T>,
}

impl<T: Real> ClassifierTrainer<T> {
    /// An optimizer at rest for this network.
    pub fn new(network: Network<T>, config: AdamConfig) -> Self {
        let adam = Adam::new(config, network.params());
        Self { network, adam }
    }

    /// One iteration: x `[n,h,w,c]` in [-1, 1], labels `[n]`.
    pub fn step(&mut self, x: &Tensor<T>, labels: &Tensor<i32>) -> Result<Found<T>> {
        Ok(Found { gan: None, real: self.real_step(x, labels)?, fake: None })
    }

    /// The same as a part of another method's iteration.
    pub(super) fn real_step(&mut self, x: &Tensor<T>, labels: &Tensor<i32>) -> Result<RealFound<T>> {
        let (loss, real) = self.real_loss(&Tape::new(x.device()), x, labels)?;
        self.descend(loss, None)?;
        Ok(real)
    }

    /// The loss on real images, on `tape`, not yet differentiated.
    pub(super) fn real_loss(
        &mut self,
        tape: &Tape<T>,
        x: &Tensor<T>,
        labels: &Tensor<i32>,
    ) -> Result<(Var<T>, RealFound<T>)> {
        real_loss(&self.network.forward(&tape.constant(x.clone()), Mode::Train, true)?, labels)
    }

    /// Differentiates a loss and steps; where `kept`, a scalar, is given and 0, there is nothing to step by.
    pub(super) fn descend(&mut self, loss: Var<T>, kept: Option<&Tensor<T>>) -> Result<()> {
        loss.tape().backward(&loss)?;
        self.adam.step_if(kept, self.network.params_mut());
        Ok(())
    }
}

/// The loss of these logits of real images.
pub(super) fn real_loss<T: Real>(logits: &Var<T>, labels: &Tensor<i32>) -> Result<(Var<T>, RealFound<T>)> {
    let loss = ops::cross_entropy(logits, labels, None, Reduction::All)?;
    let real = RealFound { loss: loss.value().clone(), predicted: argmax(logits.value()) };
    Ok((loss, real))
}

/// The class of the largest of each row of logits `[n, classes]`.
pub fn argmax<T: Real>(logits: &Tensor<T>) -> Tensor<i32> {
    let (n, classes) = (logits.shape()[0], logits.shape()[1]);
    let mut predicted = Tensor::<i32>::uninit(logits.device(), [n]);
    kernels::reduce::argmax(logits.device(), n, classes, logits, &mut predicted);
    predicted
}
