//! The bare classifier: one Adam step on the cross-entropy of labelled images. EC-GAN's baseline, and its third network.

use super::RealStep;
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
    pub fn step(&mut self, x: &Tensor<T>, labels: &Tensor<i32>) -> Result<RealStep> {
        let tape = Tape::new(x.device());
        let (loss, real) = self.real_loss(&tape, x, labels)?;
        self.descend(loss)?;
        Ok(real)
    }

    /// The loss on real images, on `tape`, not yet differentiated.
    pub(super) fn real_loss(
        &mut self,
        tape: &Tape<T>,
        x: &Tensor<T>,
        labels: &Tensor<i32>,
    ) -> Result<(Var<T>, RealStep)> {
        let logits = self.network.forward(&tape.constant(x.clone()), Mode::Train, true)?;
        let loss = ops::cross_entropy(&logits, labels, None, Reduction::All)?;
        let real = RealStep { loss: loss.value().item().to_f64(), correct: correct(logits.value(), labels) };
        Ok((loss, real))
    }

    /// Differentiates a loss and steps.
    pub(super) fn descend(&mut self, loss: Var<T>) -> Result<()> {
        loss.tape().backward(&loss)?;
        self.adam.step(self.network.params_mut());
        Ok(())
    }
}

/// Rows whose largest logit is the label's.
pub fn correct<T: Real>(logits: &Tensor<T>, labels: &Tensor<i32>) -> usize {
    let (n, classes) = (logits.shape()[0], logits.shape()[1]);
    let mut predicted = Tensor::<i32>::uninit(logits.device(), [n]);
    kernels::reduce::argmax(logits.device(), n, classes, logits.as_slice(), predicted.as_mut_slice());
    predicted.as_slice().iter().zip(labels.as_slice()).filter(|(a, b)| a == b).count()
}
