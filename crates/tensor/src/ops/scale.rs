//! y = alpha x; dx = alpha dy.

use crate::{Backward, Grads, Real, Result, Store, Tensor, Var};

/// A tensor of any shape times a constant.
pub fn scale<T: Real>(x: &Var<T>, alpha: f64) -> Result<Var<T>> {
    let alpha = T::from_f64(alpha);
    let mut y = x.output(x.shape());
    kernels::scale::forward(x.device(), alpha, x.view(), y.view_mut(), Store::Set);
    Ok(x.tape().record(y, &[x], || Scale { alpha }))
}

struct Scale<T: Real> {
    alpha: T,
}

impl<T: Real> Backward<T> for Scale<T> {
    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        grads.add(0, |dx, store| kernels::scale::forward(dy.device(), self.alpha, dy.view(), dx, store));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::op_test;

    op_test!(scale_gradient, [[3, 5]], |[x]| scale(x, -0.3));
}
