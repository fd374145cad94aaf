//! Softmax and cross-entropy in one, with a weight per row:
//! loss = sum_i w_i (ln sum_k e^(x_ik) - x_i,label_i) / denominator; dx_i = w_i (softmax(x_i) - onehot) dloss / denominator.

use crate::error::check;
use crate::{Backward, Grads, Real, Result, Shape, Tensor, Var};
use kernels::cross_entropy as kernel;
pub use kernels::cross_entropy::Reduction;

/// The weighted mean cross-entropy of logits `[n, classes]` against `labels` `[n]` in 0..classes, a scalar.
///
/// A row of weight 0 counts for nothing: this is how pseudo-labels below the threshold are left out, without
/// a gather. `reduction` says what the sum is divided by. Labels outside the classes are our bug and panic.
pub fn cross_entropy<T: Real>(
    logits: &Var<T>,
    labels: &Tensor<i32>,
    weights: Option<&Tensor<T>>,
    reduction: Reduction,
) -> Result<Var<T>> {
    let (s, sl) = (logits.shape(), labels.shape());
    let rows_agree = |shape: Shape| shape.len() == 1 && shape[0] == s[0];
    let fits = s.len() == 2 && s[1] > 0 && rows_agree(sl) && weights.is_none_or(|w| rows_agree(w.shape()));
    check(fits, "cross_entropy", "[n,classes], [n] labels and weights", &[&s, &sl])?;
    let mut saved =
        Saved { probabilities: logits.output(s), labels: labels.clone(), weights: weights.cloned(), reduction };
    let mut loss = logits.output([]);
    let weights = weights.map(Tensor::view);
    let (device, x, labels) = (logits.device(), logits.view(), labels.view());
    let probabilities = saved.probabilities.view_mut();
    kernel::forward(device, s[0], s[1], x, labels, weights, reduction, probabilities, loss.view_mut());
    Ok(logits.tape().record(loss, &[logits], || saved))
}

struct Saved<T: Real> {
    probabilities: Tensor<T>,
    labels: Tensor<i32>,
    weights: Option<Tensor<T>>,
    reduction: Reduction,
}

impl<T: Real> Backward<T> for Saved<T> {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        let (s, p, labels) = (self.probabilities.shape(), self.probabilities.view(), self.labels.view());
        let weights = self.weights.as_ref().map(Tensor::view);
        grads.add(0, |dx, store| {
            kernel::backward(dy.device(), s[0], s[1], p, labels, weights, self.reduction, dy.view(), dx, store)
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::op_test;

    fn loss<T: Real>(x: &Var<T>, weights: Option<[f64; 5]>, reduction: Reduction) -> Result<Var<T>> {
        let device = x.device();
        let labels = Tensor::from_slice(device, [5], &[3, 0, 2, 2, 1])?;
        let weights = weights.map(|w| Tensor::from_slice(device, [5], &w.map(T::from_f64))).transpose()?;
        cross_entropy(x, &labels, weights.as_ref(), reduction)
    }

    op_test!(mean_over_all, [[5, 4]], |[x]| loss(x, None, Reduction::All));
    op_test!(mean_over_kept, [[5, 4]], |[x]| loss(x, Some([1.0, 0.0, 1.0, 1.0, 0.0]), Reduction::Kept));
    op_test!(kept_over_all, [[5, 4]], |[x]| loss(x, Some([0.0, 0.0, 1.0, 0.0, 1.0]), Reduction::All));
}
