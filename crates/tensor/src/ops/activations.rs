//! Elementwise activations whose derivative follows from their output: y = f(x), dx = f'(x) dy.

use crate::error::check;
use crate::{Backward, Device, Grads, Real, Result, Store, Tensor, Var};
use kernels::view::{View, ViewMut};

/// y = max(x, 0), any shape.
pub fn relu<T: Real>(x: &Var<T>) -> Result<Var<T>> {
    let forward = |device: &Device, x: View<T>, y: ViewMut<T>| kernels::relu::forward(device, x, y);
    activation(x, forward, |device, y, dy, dx, store| kernels::relu::backward(device, y, dy, dx, store))
}

/// y = x where x > 0, slope * x elsewhere; `slope` > 0 (the reverse reads x's sign from y's). Any shape.
pub fn leaky_relu<T: Real>(x: &Var<T>, slope: f64) -> Result<Var<T>> {
    let (given, slope) = (slope, T::from_f64(slope));
    check(slope > T::ZERO, "leaky_relu", format!("a slope above 0, not {given}"), &[&x.shape()])?;
    let forward = |device: &Device, x: View<T>, y: ViewMut<T>| kernels::leaky_relu::forward(device, slope, x, y);
    activation(x, forward, move |device, y, dy, dx, store| {
        kernels::leaky_relu::backward(device, slope, y, dy, dx, store);
    })
}

/// y = tanh x, any shape.
pub fn tanh<T: Real>(x: &Var<T>) -> Result<Var<T>> {
    let forward = |device: &Device, x: View<T>, y: ViewMut<T>| kernels::tanh::forward(device, x, y);
    activation(x, forward, |device, y, dy, dx, store| kernels::tanh::backward(device, y, dy, dx, store))
}

/// y = 1 / (1 + e^-x), any shape.
pub fn sigmoid<T: Real>(x: &Var<T>) -> Result<Var<T>> {
    let forward = |device: &Device, x: View<T>, y: ViewMut<T>| kernels::sigmoid::forward(device, x, y);
    activation(x, forward, |device, y, dy, dx, store| kernels::sigmoid::backward(device, y, dy, dx, store))
}

/// `forward` writes y from x, `reverse` dx from y and dy.
fn activation<T: Real>(
    x: &Var<T>,
    forward: impl FnOnce(&Device, View<T>, ViewMut<T>),
    reverse: impl FnOnce(&Device, View<T>, View<T>, ViewMut<T>, Store) + 'static,
) -> Result<Var<T>> {
    let mut y = x.output(x.shape());
    forward(x.device(), x.view(), y.view_mut());
    Ok(x.tape().record(y.clone(), &[x], || ActivationBackward { y, reverse }))
}

struct ActivationBackward<T: Real, F> {
    y: Tensor<T>,
    reverse: F,
}

impl<T: Real, F: FnOnce(&Device, View<T>, View<T>, ViewMut<T>, Store)> Backward<T> for ActivationBackward<T, F> {
    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        let Self { y, reverse } = *self;
        grads.add(0, |dx, store| reverse(dy.device(), y.view(), dy.view(), dx, store));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::op_test;

    op_test!(relu_gradient, [[3, 5]], |[x]| relu(x));
    op_test!(leaky_relu_gradient, [[3, 5]], |[x]| leaky_relu(x, 0.2));
    op_test!(tanh_gradient, [[2, 3, 4]], |[x]| tanh(x));
    op_test!(sigmoid_gradient, [[17]], |[x]| sigmoid(x));
}
