//! Binary cross-entropy on logits, sigmoid and loss in one:
//! loss = mean of max(x,0) - x t + ln(1 + e^-|x|); dx = (sigmoid(x) - t) dloss / n.

use crate::error::check;
use crate::{Backward, Grads, Real, Result, Tensor, Var};
use kernels::bce_with_logits as kernel;

/// The mean over all elements of `logits` (any shape) against one target in \[0, 1\], a scalar.
pub fn bce_with_logits<T: Real>(logits: &Var<T>, target: f64) -> Result<Var<T>> {
    let target = T::from_f64(target);
    check(logits.value().numel() > 0, "bce_with_logits", "a logit to take the mean of", &[&logits.shape()])?;
    let mut loss = logits.output([]);
    kernel::forward(logits.device(), logits.view(), target, loss.view_mut());
    Ok(logits.tape().record(loss, &[logits], || BceWithLogits { logits: logits.value().clone(), target }))
}

struct BceWithLogits<T: Real> {
    logits: Tensor<T>,
    target: T,
}

impl<T: Real> Backward<T> for BceWithLogits<T> {
    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        let x = self.logits.view();
        grads.add(0, |dx, store| kernel::backward(dy.device(), x, self.target, dy.view(), dx, store));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::op_test;

    op_test!(towards_real, [[6, 1]], |[x]| bce_with_logits(x, 1.0));
    op_test!(towards_fake, [[6, 1]], |[x]| bce_with_logits(x, 0.0));
    op_test!(towards_smoothed, [[6, 1]], |[x]| bce_with_logits(x, 0.9));
}
