//! y = x w^T + b; dx = dy w, dw = dy^T x, db = the column sums of dy.

use crate::error::check;
use crate::{Backward, Grads, Real, Result, Tensor, Var};
use kernels::linear;

/// A fully connected layer: x `[n, inputs]`, w `[outputs, inputs]`, b `[outputs]`, giving `[n, outputs]`.
pub fn linear<T: Real>(x: &Var<T>, w: &Var<T>, b: &Var<T>) -> Result<Var<T>> {
    let (sx, sw, sb) = (x.shape(), w.shape(), b.shape());
    let fits = sx.len() == 2 && sw.len() == 2 && sb.len() == 1 && sx[1] == sw[1] && sb[0] == sw[0];
    check(fits, "linear", "[n,inputs], [outputs,inputs], [outputs]", &[&sx, &sw, &sb])?;
    let (n, outputs, inputs) = (sx[0], sw[0], sw[1]);
    let mut y = x.output([n, outputs]);
    let bias = Some(b.view());
    linear::forward(x.device(), n, inputs, outputs, x.view(), w.view(), bias, y.view_mut());
    Ok(x.tape().record(y, &[x, w, b], || Linear { x: x.kept_for(w), w: w.value().clone() }))
}

struct Linear<T: Real> {
    /// Kept where w has a gradient.
    x: Option<Tensor<T>>,
    w: Tensor<T>,
}

impl<T: Real> Backward<T> for Linear<T> {
    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        let (n, outputs, inputs) = (dy.shape()[0], self.w.shape()[0], self.w.shape()[1]);
        let (device, w, dy) = (dy.device(), self.w.view(), dy.view());
        let x = || self.x.as_ref().expect("kept where w has a gradient").view();
        grads.add(0, |dx, store| linear::backward_input(device, n, inputs, outputs, dy, w, dx, store));
        grads.add(1, |dw, store| linear::backward_weight(device, n, inputs, outputs, x(), dy, dw, store));
        grads.add(2, |db, store| linear::backward_bias(device, n, outputs, dy, db, store));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::op_test;

    op_test!(linear_gradient, [[5, 7], [3, 7], [3]], |[x, w, b]| linear(x, w, b));
    op_test!(linear_wide, [[9, 33], [18, 33], [18]], |[x, w, b]| linear(x, w, b));
}
