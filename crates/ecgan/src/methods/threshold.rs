//! The confidence above which a generated image counts: the same for every class, or lower for classes that the classifier
//! sees less of among generated images (the local thresholds of FreeMatch, Wang et al. 2023).

use crate::settings::ClassThreshold;
use tensor::{Device, Real, Result, Tape, Tensor, ops};

/// What the moving average of the classes' probabilities keeps of itself each iteration.
const DECAY: f64 = 0.99;

/// A threshold a class, where they are used.
pub struct Thresholds<T: Real = f32> {
    threshold: f64,
    /// The thresholds, `[classes]`.
    now: Tensor<T>,
    /// A moving average of the mean probability of each class over generated images, `[classes]`.
    average: Option<Tensor<T>>,
}

impl<T: Real> Thresholds<T> {
    /// The same for every class, to begin with.
    pub fn new(device: &Device, classes: usize, threshold: f64, kind: ClassThreshold) -> Self {
        let full = |value| Tensor::full(device, [classes], T::from_f64(value));
        let average = (kind == ClassThreshold::Balanced).then(|| full(1.0 / classes as f64));
        Self { threshold, now: full(threshold), average }
    }

    /// The thresholds for generated images with these logits `[n, classes]`, which count in the average.
    pub(super) fn of(&mut self, logits: &Tensor<T>) -> Result<&Tensor<T>> {
        if let Some(average) = &mut self.average {
            let off = Tape::off(logits.device());
            let probabilities = ops::softmax(&off.constant(logits.clone()))?;
            let (size, device) = ([logits.shape()[0], logits.shape()[1]], logits.device());
            let (decay, threshold) = (T::from_f64(DECAY), T::from_f64(self.threshold));
            let probabilities = probabilities.value();
            kernels::class_threshold::step(device, size, probabilities, decay, threshold, average, &mut self.now);
        }
        Ok(&self.now)
    }

    /// The average, where there is one: what a run goes on from.
    pub fn average(&self) -> Option<&Tensor<T>> {
        self.average.as_ref()
    }

    /// The average, to restore.
    pub fn average_mut(&mut self) -> Option<&mut Tensor<T>> {
        self.average.as_mut()
    }
}
