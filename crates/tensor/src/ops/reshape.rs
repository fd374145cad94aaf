//! The same elements under another shape; the gradient takes the old shape back.

use crate::{Backward, Grads, Real, Result, Shape, Tensor, Var};

/// `x` under another shape of the same size; nothing is copied.
pub fn reshape<T: Real>(x: &Var<T>, shape: impl Into<Shape>) -> Result<Var<T>> {
    let y = x.value().reshape(shape)?;
    Ok(x.tape().record(y, &[x], || Reshape))
}

struct Reshape;

impl<T: Real> Backward<T> for Reshape {
    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        grads.give(0, dy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::op_test;

    op_test!(reshape_gradient, [[3, 4]], |[x]| reshape(x, [2, 6]));
}
