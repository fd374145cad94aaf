//! A convolution in bounds by its weight alone, for discriminators without batch norm (Miyato et al. 2018).

use crate::builder::{Builder, Init};
use crate::network::Pass;
use tensor::ops::{self, Activation, Statistics};
use tensor::{Named, ParamId, Real, Result, Tensor, Var};

/// A convolution with bias and activation, whose weight is divided by an estimate of its largest singular value:
/// y = act(conv(x, W / |W^T u|) + b). The direction u comes closer to the first left singular vector by one step of power
/// iteration each iteration, and begins with a length that is not 1: before the first [`prepare`](Self::prepare) the divisor is as much larger.
#[derive(Clone, Copy, Debug)]
pub struct SpectralConv2d {
    weight: ParamId,
    bias: ParamId,
    u: ParamId,
    /// The weight as a matrix: output channels, and all else.
    size: [usize; 2],
    stride: [usize; 2],
    padding: [usize; 2],
    activation: Activation,
}

impl SpectralConv2d {
    /// From `c` to `o` channels with a square kernel; parameters `weight_orig` and `bias`, buffer `weight_u`.
    pub fn new(
        b: &mut Builder,
        [c, o]: [usize; 2],
        kernel: usize,
        stride: usize,
        padding: usize,
        activation: Activation,
    ) -> Self {
        let columns = c * kernel * kernel;
        let init = Init::Uniform(1.0 / (columns as f64).sqrt());
        Self {
            weight: b.param("weight_orig", [o, kernel, kernel, c], init),
            bias: b.param("bias", [o], init),
            u: b.buffer("weight_u", [o], Init::Uniform(1.0)),
            size: [o, columns],
            stride: [stride; 2],
            padding: [padding; 2],
            activation,
        }
    }

    /// One step of power iteration, after which u has length 1: before the passes of an iteration.
    pub fn prepare<T: Real>(&self, params: &Named<T>, buffers: &mut Named<T>) {
        let w = params.get(self.weight);
        kernels::spectral_norm::iterate(w.device(), self.size, &w, buffers.view_mut(self.u));
    }

    /// `[n,h,w,c]` to `[n,oh,ow,o]`.
    pub fn forward<T: Real>(&self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<Var<T>> {
        let u = pass.buffers().get(self.u);
        let weight = ops::spectral_norm(pass.param(self.weight), &u)?;
        let y = ops::conv2d(x, &weight, self.stride, self.padding)?;
        // Bias and activation in one pass over memory: batch norm by given statistics that change nothing.
        let full = |value| Tensor::full(x.device(), [self.size[0]], value);
        let (zeros, ones) = (full(T::ZERO), full(T::ONE));
        let statistics = Statistics::Given(zeros.view(), ones.view());
        let gamma = x.tape().constant(ones.clone());
        ops::batch_norm(&y, &gamma, pass.param(self.bias), None, statistics, self.activation, 0.0)
    }
}
