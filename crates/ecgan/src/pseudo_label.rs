//! Pseudo-labels: where the classifier is confident on a generated image, its own prediction is the label.
//!
//! label = argmax p, weight = 1 where max p > threshold, else 0; p = softmax(logits). The weight goes into the
//! cross-entropy per row, so shapes are fixed and nothing is gathered.

use tensor::{Real, Result, Tensor};

/// The classifier's own labels for a batch of generated images.
pub struct PseudoLabels<T: Real> {
    /// The most probable class, `[n]`.
    pub labels: Tensor<i32>,
    /// 1 for kept rows, 0 for the others, `[n]`.
    pub weights: Tensor<T>,
    /// The probability of the most probable class, `[n]`.
    pub confidence: Tensor<T>,
}

/// Labels `logits` `[n, classes]`; rows at or below the threshold are not kept.
pub fn pseudo_labels<T: Real>(logits: &Tensor<T>, threshold: f64) -> PseudoLabels<T> {
    let (device, n, classes) = (logits.device(), logits.shape()[0], logits.shape()[1]);
    let mut labels = Tensor::uninit(device, [n]);
    let mut weights = Tensor::uninit(device, [n]);
    let mut confidence = Tensor::uninit(device, [n]);
    kernels::pseudo_label::forward(
        device,
        n,
        classes,
        logits,
        T::from_f64(threshold),
        &mut labels,
        &mut weights,
        &mut confidence,
    );
    PseudoLabels { labels, weights, confidence }
}

impl<T: Real> PseudoLabels<T> {
    /// The number of kept rows, a scalar on the device.
    pub fn kept(&self) -> Tensor<T> {
        let mut kept = Tensor::uninit(self.weights.device(), []);
        kernels::reduce::sum(self.weights.device(), &self.weights, &mut kept);
        kept
    }

    /// Kept rows by label.
    ///
    /// # Errors
    /// What failed on a GPU since the last report.
    pub fn kept_per_class(&self, classes: usize) -> Result<Vec<u64>> {
        let mut counts = vec![0; classes];
        for (label, weight) in self.labels.to_vec()?.into_iter().zip(self.weights.to_vec()?) {
            counts[label as usize] += u64::from(weight != T::ZERO);
        }
        Ok(counts)
    }
}
