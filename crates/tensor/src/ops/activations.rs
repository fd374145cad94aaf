//! Elementwise activations whose derivative follows from their output: y = f(x), dx = f'(x) dy.

use crate::{Backward, Grads, Real, Result, Tensor, Var};

/// y = max(x, 0), any shape.
pub fn relu<T: Real>(x: &Var<T>) -> Result<Var<T>> {
    let mut y = x.output(x.shape());
    kernels::relu::forward(x.device(), x.view(), y.view_mut());
    Ok(x.tape().record(y.clone(), &[x], || Relu { y }))
}

struct Relu<T: Real> {
    y: Tensor<T>,
}

impl<T: Real> Backward<T> for Relu<T> {
    fn name(&self) -> &'static str {
        "relu"
    }

    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        grads.add(0, |dx, store| kernels::relu::backward(dy.device(), self.y.view(), dy.view(), dx, store));
    }
}

/// y = x where x > 0, slope * x elsewhere; `slope` > 0 (the reverse reads x's sign from y's). Any shape.
pub fn leaky_relu<T: Real>(x: &Var<T>, slope: f64) -> Result<Var<T>> {
    let slope = T::from_f64(slope);
    let mut y = x.output(x.shape());
    kernels::leaky_relu::forward(x.device(), slope, x.view(), y.view_mut());
    Ok(x.tape().record(y.clone(), &[x], || LeakyRelu { y, slope }))
}

struct LeakyRelu<T: Real> {
    y: Tensor<T>,
    slope: T,
}

impl<T: Real> Backward<T> for LeakyRelu<T> {
    fn name(&self) -> &'static str {
        "leaky_relu"
    }

    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        let Self { y, slope } = *self;
        grads.add(0, |dx, store| kernels::leaky_relu::backward(dy.device(), slope, y.view(), dy.view(), dx, store));
    }
}

/// y = tanh x, any shape.
pub fn tanh<T: Real>(x: &Var<T>) -> Result<Var<T>> {
    let mut y = x.output(x.shape());
    kernels::tanh::forward(x.device(), x.view(), y.view_mut());
    Ok(x.tape().record(y.clone(), &[x], || Tanh { y }))
}

struct Tanh<T: Real> {
    y: Tensor<T>,
}

impl<T: Real> Backward<T> for Tanh<T> {
    fn name(&self) -> &'static str {
        "tanh"
    }

    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        grads.add(0, |dx, store| kernels::tanh::backward(dy.device(), self.y.view(), dy.view(), dx, store));
    }
}

/// y = 1 / (1 + e^-x), any shape.
pub fn sigmoid<T: Real>(x: &Var<T>) -> Result<Var<T>> {
    let mut y = x.output(x.shape());
    kernels::sigmoid::forward(x.device(), x.view(), y.view_mut());
    Ok(x.tape().record(y.clone(), &[x], || Sigmoid { y }))
}

struct Sigmoid<T: Real> {
    y: Tensor<T>,
}

impl<T: Real> Backward<T> for Sigmoid<T> {
    fn name(&self) -> &'static str {
        "sigmoid"
    }

    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        grads.add(0, |dx, store| kernels::sigmoid::backward(dy.device(), self.y.view(), dy.view(), dx, store));
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
