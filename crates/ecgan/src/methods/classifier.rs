//! The bare classifier: one Adam step on the cross-entropy of labelled images. EC-GAN's baseline, and its third network.

use super::{Average, Found, RealFound};
use nn::{Adam, AdamConfig, Mode, Network};
use tensor::ops::{self, Reduction, Target};
use tensor::{Device, Real, Result, Tape, Tensor, Var};

/// A classifier with its optimizer.
pub struct ClassifierTrainer<T: Real = f32> {
    /// Images to logits.
    pub network: Network<T>,
    /// Its optimizer.
    pub adam: Adam<T>,
    /// Its moving average, which is then what is measured and used.
    pub average: Option<Average<T>>,
    /// What part of a label is spread over all classes.
    pub smoothing: f64,
}

impl<T: Real> ClassifierTrainer<T> {
    /// An optimizer at rest for this network.
    pub fn new(network: Network<T>, config: AdamConfig) -> Self {
        let adam = Adam::new(config, network.params());
        Self { network, adam, average: None, smoothing: 0.0 }
    }

    /// What training leaves: the average, where there is one.
    pub fn product(&mut self) -> &mut Network<T> {
        self.average.as_mut().map_or(&mut self.network, |average| &mut average.network)
    }

    pub(super) fn device(&self) -> Device {
        self.network.params().values().flat().device().clone()
    }

    /// One iteration: x `[n,h,w,c]` in [-1, 1], labels `[n]`.
    pub fn step(&mut self, x: &Tensor<T>, labels: &Tensor<i32>) -> Result<Found<T>> {
        let real = self.real_step(x, labels)?;
        self.follow();
        Ok(Found { gan: None, real, fake: None })
    }

    /// The same as a part of another method's iteration.
    pub(super) fn real_step(&mut self, x: &Tensor<T>, labels: &Tensor<i32>) -> Result<RealFound<T>> {
        let (loss, real) = self.real_loss(&Tape::new(x.device()), x, labels)?;
        let one = Tensor::full(x.device(), [], T::ONE);
        self.descend(loss, one, None)?;
        Ok(real)
    }

    /// The loss on real images, on `tape`, not yet differentiated.
    pub(super) fn real_loss(
        &mut self,
        tape: &Tape<T>,
        x: &Tensor<T>,
        labels: &Tensor<i32>,
    ) -> Result<(Var<T>, RealFound<T>)> {
        let logits = self.network.forward(&tape.constant(x.clone()), Mode::Train, true)?;
        real_loss(&logits, labels, self.smoothing)
    }

    /// Differentiates a loss times `weight`, a scalar, and steps; where `kept`, a scalar, is given and 0, there is nothing to
    /// step by.
    pub(super) fn descend(&mut self, loss: Var<T>, weight: Tensor<T>, kept: Option<&Tensor<T>>) -> Result<()> {
        loss.tape().backward_from(vec![(&loss, weight)])?;
        self.step_from_gradients(kept);
        Ok(())
    }

    /// The optimizer's step.
    pub(super) fn step_from_gradients(&mut self, kept: Option<&Tensor<T>>) {
        self.adam.step_if(kept, self.network.params_mut());
    }

    /// The average's step: once an iteration, after the last of the optimizer's, of which some may be left out.
    pub(super) fn follow(&mut self) {
        if let Some(average) = &mut self.average {
            average.follow(&self.network);
        }
    }
}

/// The loss of these logits of real images.
pub(super) fn real_loss<T: Real>(
    logits: &Var<T>,
    labels: &Tensor<i32>,
    smoothing: f64,
) -> Result<(Var<T>, RealFound<T>)> {
    let loss = ops::cross_entropy(logits, Target::Labels(labels.clone(), smoothing), None, Reduction::All)?;
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
