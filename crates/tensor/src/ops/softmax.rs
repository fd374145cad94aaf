//! y_j = e^(x_j) / sum e^(x_k) over each row; dx = y (dy - sum dy_k y_k).

use crate::error::check;
use crate::{Backward, Grads, Real, Result, Tensor, Var};

/// Rows of probabilities: x `[n, classes]`, giving the same shape.
pub fn softmax<T: Real>(x: &Var<T>) -> Result<Var<T>> {
    let s = x.shape();
    check(s.len() == 2 && s[1] > 0, "softmax", "[n,classes]", &[&s])?;
    let mut y = x.output(s);
    kernels::softmax::forward(x.device(), s[0], s[1], x.view(), y.view_mut());
    Ok(x.tape().record(y.clone(), &[x], || Softmax { y }))
}

struct Softmax<T: Real> {
    y: Tensor<T>,
}

impl<T: Real> Backward<T> for Softmax<T> {
    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        let (n, classes, y) = (self.y.shape()[0], self.y.shape()[1], self.y.view());
        grads.add(0, |dx, store| kernels::softmax::backward(dy.device(), n, classes, y, dy.view(), dx, store));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::op_test;

    op_test!(softmax_gradient, [[4, 7]], |[x]| softmax(x));
}
