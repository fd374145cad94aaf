//! y = a + b for equal shapes; both gradients are dy.

use crate::error::check;
use crate::{Backward, Grads, Real, Result, Tensor, Var};

/// Elementwise sum of two tensors of one shape.
pub fn add<T: Real>(a: &Var<T>, b: &Var<T>) -> Result<Var<T>> {
    check(a.shape() == b.shape(), "add", "two equal shapes", &[&a.shape(), &b.shape()])?;
    let mut y = a.output(a.shape());
    kernels::add::forward(a.device(), a.view(), b.view(), y.view_mut());
    Ok(a.tape().record(y, &[a, b], || Add))
}

struct Add;

impl<T: Real> Backward<T> for Add {
    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        grads.give(0, dy.clone());
        grads.give(1, dy);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::op_test;
    use crate::{Device, Tape};

    op_test!(add_gradient, [[3, 5], [3, 5]], |[a, b]| add(a, b));
    op_test!(add_to_itself, [[3, 5]], |[a]| add(a, a));

    #[test]
    fn shapes_must_be_equal() {
        let tape = Tape::<f32>::off(&Device::cpu());
        let [a, b] = [[2, 3], [3, 2]].map(|shape| tape.constant(Tensor::zeros(tape.device(), shape)));
        let message = add(&a, &b).err().unwrap().to_string();
        assert_eq!(message, "add: expected two equal shapes, got [[2, 3], [3, 2]]");
    }
}
