//! Softmax and cross-entropy in one, with a weight per row:
//! loss = sum_i w_i sum_j t_ij (ln sum_k e^(x_ik) - x_ij) / denominator; dx_i = w_i (softmax(x_i) - t_i) dloss / denominator.

use crate::error::check;
use crate::{Backward, Grads, Real, Result, Shape, Tensor, Var};
use kernels::cross_entropy as kernel;
pub use kernels::cross_entropy::Reduction;

/// What the softmax of each row should be.
#[derive(Clone)]
pub enum Target<T: Real> {
    /// The class of these labels `[n]`, of whose 1 a part, from 0 to 1, is spread over all classes (Szegedy et al. 2016).
    Labels(Tensor<i32>, f64),
    /// These probabilities `[n, classes]`; they get no gradient.
    Probabilities(Tensor<T>),
}

impl<T: Real> Target<T> {
    /// Labels as they are.
    pub fn labels(labels: &Tensor<i32>) -> Self {
        Self::Labels(labels.clone(), 0.0)
    }

    fn shape(&self) -> Shape {
        match self {
            Self::Labels(labels, _) => labels.shape(),
            Self::Probabilities(targets) => targets.shape(),
        }
    }

    fn view(&self) -> kernel::Target<'_, T> {
        match self {
            Self::Labels(labels, part) => {
                kernel::Target::Labels { labels: labels.view(), smoothing: T::from_f64(*part) }
            }
            Self::Probabilities(targets) => kernel::Target::Probabilities(targets.view()),
        }
    }
}

/// The weighted mean cross-entropy of logits `[n, classes]` against `target`, a scalar.
///
/// A row of weight 0 counts for nothing: this is how pseudo-labels below the threshold are left out, without
/// a gather. `reduction` says what the sum is divided by. Labels outside the classes are the caller's bug: they panic, on a GPU the
/// loss is NaN.
pub fn cross_entropy<T: Real>(
    logits: &Var<T>,
    target: Target<T>,
    weights: Option<&Tensor<T>>,
    reduction: Reduction,
) -> Result<Var<T>> {
    let (s, st) = (logits.shape(), target.shape());
    let rows_agree = |shape: Shape| shape.len() == 1 && shape[0] == s[0];
    let target_fits = if let Target::Labels(..) = target { rows_agree(st) } else { st == s };
    let fits = s.len() == 2 && s.numel() > 0 && target_fits && weights.is_none_or(|w| rows_agree(w.shape()));
    check(
        fits,
        "cross_entropy",
        "[n,classes], [n] labels (or probabilities of logits' shape) and weights",
        &[&s, &st],
    )?;
    let mut saved = Saved { probabilities: logits.output(s), target, weights: weights.cloned(), reduction };
    let mut loss = logits.output([]);
    let weights = weights.map(Tensor::view);
    let (device, x, target) = (logits.device(), logits.view(), saved.target.view());
    let probabilities = saved.probabilities.view_mut();
    kernel::forward(device, s[0], s[1], x, target, weights, reduction, probabilities, loss.view_mut());
    Ok(logits.tape().record(loss, &[logits], || saved))
}

struct Saved<T: Real> {
    probabilities: Tensor<T>,
    target: Target<T>,
    weights: Option<Tensor<T>>,
    reduction: Reduction,
}

impl<T: Real> Backward<T> for Saved<T> {
    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        let (s, p, target) = (self.probabilities.shape(), self.probabilities.view(), self.target.view());
        let weights = self.weights.as_ref().map(Tensor::view);
        grads.add(0, |dx, store| {
            kernel::backward(dy.device(), s[0], s[1], p, target, weights, self.reduction, dy.view(), dx, store)
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
        cross_entropy(x, Target::labels(&labels), weights.as_ref(), reduction)
    }

    fn smoothed<T: Real>(x: &Var<T>) -> Result<Var<T>> {
        let labels = Tensor::from_slice(x.device(), [3], &[3, 0, 2])?;
        cross_entropy(x, Target::Labels(labels, 0.1), None, Reduction::All)
    }

    fn soft<T: Real>(x: &Var<T>) -> Result<Var<T>> {
        let targets = [0.1, 0.2, 0.3, 0.4, 0.7, 0.0, 0.1, 0.2, 0.0, 1.0, 0.0, 0.0].map(T::from_f64);
        let targets = Tensor::from_slice(x.device(), [3, 4], &targets)?;
        let weights = Tensor::from_slice(x.device(), [3], &[T::ONE, T::ZERO, T::ONE])?;
        cross_entropy(x, Target::Probabilities(targets), Some(&weights), Reduction::Kept)
    }

    op_test!(mean_over_all, [[5, 4]], |[x]| loss(x, None, Reduction::All));
    op_test!(mean_over_kept, [[5, 4]], |[x]| loss(x, Some([1.0, 0.0, 1.0, 1.0, 0.0]), Reduction::Kept));
    op_test!(smoothed_labels, [[3, 4]], |[x]| smoothed(x));
    op_test!(towards_probabilities, [[3, 4]], |[x]| soft(x));
    op_test!(kept_over_all, [[5, 4]], |[x]| loss(x, Some([0.0, 0.0, 1.0, 0.0, 1.0]), Reduction::All));
}
