//! Pseudo-labels: where the classifier is confident on a generated image, its own prediction is the label.
//!
//! label = argmax p, weight = 1 where max p > threshold, else 0; p = softmax(logits). The weight goes into the
//! cross-entropy per row, so shapes are fixed and nothing is gathered.

use tensor::{Real, Tensor};

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
        logits.as_slice(),
        T::from_f64(threshold),
        labels.as_mut_slice(),
        weights.as_mut_slice(),
        confidence.as_mut_slice(),
    );
    PseudoLabels { labels, weights, confidence }
}

impl<T: Real> PseudoLabels<T> {
    /// Kept rows by label.
    pub fn kept_per_class(&self, classes: usize) -> Vec<u64> {
        let mut counts = vec![0; classes];
        for (&label, &weight) in self.labels.as_slice().iter().zip(self.weights.as_slice()) {
            counts[label as usize] += u64::from(weight != T::ZERO);
        }
        counts
    }
}
