//! Hinge losses of a GAN: the mean of max(0, 1 - x), of max(0, 1 + x), or of -x.

use crate::error::check;
use crate::{Backward, Grads, Real, Result, Tensor, Var};
use kernels::hinge as kernel;

pub use kernels::hinge::Side;

/// The mean over all elements of `logits` (any shape), a scalar.
pub fn hinge<T: Real>(logits: &Var<T>, side: Side) -> Result<Var<T>> {
    check(logits.value().numel() > 0, "hinge", "a logit to take the mean of", &[&logits.shape()])?;
    let mut loss = logits.output([]);
    kernel::forward(logits.device(), logits.view(), side, loss.view_mut());
    Ok(logits.tape().record(loss, &[logits], || Hinge { logits: logits.value().clone(), side }))
}

struct Hinge<T: Real> {
    logits: Tensor<T>,
    side: Side,
}

impl<T: Real> Backward<T> for Hinge<T> {
    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        let x = self.logits.view();
        grads.add(0, |dx, store| kernel::backward(dy.device(), x, self.side, dy.view(), dx, store));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::op_test;

    op_test!(hinge_of_real, [[9, 1]], |[x]| hinge(x, Side::Real));
    op_test!(hinge_of_fake, [[9, 1]], |[x]| hinge(x, Side::Fake));
    op_test!(hinge_of_generator, [[9, 1]], |[x]| hinge(x, Side::Generator));
}
