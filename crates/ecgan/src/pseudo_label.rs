//! Pseudo-labels: where the classifier is confident on a generated image, its own prediction is the label, or the class that
//! the image was made for, where that is known.
//!
//! label = argmax p or the known class, weight = 1 where p > threshold at it, else 0; p = softmax(logits). The weight goes into the
//! cross-entropy per row, so shapes are fixed and nothing is gathered.

use tensor::{Real, Result, Tape, Tensor, ops};

/// The labels of a batch of generated images.
pub struct PseudoLabels<T: Real> {
    /// The known class, or else the most probable one, `[n]`.
    pub labels: Tensor<i32>,
    /// 1 for kept rows, 0 for the others, `[n]`.
    pub weights: Tensor<T>,
    /// The probability of that class, `[n]`.
    pub confidence: Tensor<T>,
}

/// The temperature of [`sharpened`], as in MixMatch (Berthelot et al. 2019).
pub const TEMPERATURE: f64 = 0.5;

/// Labels `logits` `[n, classes]`, unless the classes `[n]` are known; rows at or below their label's threshold (`thresholds`
/// `[classes]`) are not kept.
pub fn pseudo_labels<T: Real>(
    logits: &Tensor<T>,
    thresholds: &Tensor<T>,
    known: Option<&Tensor<i32>>,
) -> PseudoLabels<T> {
    let (device, n, classes) = (logits.device(), logits.shape()[0], logits.shape()[1]);
    let mut labels = Tensor::uninit(device, [n]);
    let mut weights = Tensor::uninit(device, [n]);
    let mut confidence = Tensor::uninit(device, [n]);
    kernels::pseudo_label::forward(
        device,
        n,
        classes,
        logits,
        thresholds,
        known.map(Tensor::view),
        &mut labels,
        &mut weights,
        &mut confidence,
    );
    PseudoLabels { labels, weights, confidence }
}

/// Soft pseudo-labels: softmax(logits / [`TEMPERATURE`]). As they are, without the temperature, they would teach nothing:
/// the gradient of the cross-entropy is softmax(logits) less the target.
///
/// # Errors
/// Where logits are not `[n, classes]`.
pub fn sharpened<T: Real>(logits: &Tensor<T>) -> Result<Tensor<T>> {
    let tape = Tape::off(logits.device());
    let sharper = ops::scale(&tape.constant(logits.clone()), 1.0 / TEMPERATURE)?;
    Ok(ops::softmax(&sharper)?.value().clone())
}

impl<T: Real> PseudoLabels<T> {
    /// The number of kept rows, a scalar on the device.
    pub fn kept(&self) -> Tensor<T> {
        let mut kept = Tensor::uninit(self.weights.device(), []);
        kernels::reduce::sum(self.weights.device(), &self.weights, &mut kept);
        kept
    }
}
