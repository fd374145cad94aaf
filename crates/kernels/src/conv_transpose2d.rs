//! Transposed convolution of NHWC images: the adjoint of an ordinary one, so each pass is the mirrored pass of
//! [`conv2d`] with the roles of input and output exchanged.
//!
//! The geometry is [`Conv2d::transposed`]: its y is this operation's input `[n, h, w, i]`, its x the output
//! `[n, H, W, o]`. Weights are `[i, kh, kw, o]`.

pub mod cuda;

use crate::conv2d::{self, Conv2d};
use crate::{Device, Real, Store, Work};

/// `y[n, iy * stride + ky - padding, .., o] (=|+=) sum of x[n, iy, ix, i] w[i, ky, kx, o]`.
pub fn forward<T: Real>(device: &Device, g: &Conv2d, x: &[T], w: &[T], y: &mut [T], store: Store) {
    let _span = device.span("conv_transpose2d.forward", || Work::conv_transpose2d(g, [x, w], y, store));
    conv2d::backward_input(device, g, x, w, y, store);
}

/// The gradient of the input.
pub fn backward_input<T: Real>(device: &Device, g: &Conv2d, dy: &[T], w: &[T], dx: &mut [T], store: Store) {
    let _span = device.span("conv_transpose2d.backward_input", || Work::conv_transpose2d(g, [dy, w], dx, store));
    conv2d::forward(device, g, dy, w, dx, store);
}

/// The gradient of the weights.
pub fn backward_weight<T: Real>(device: &Device, g: &Conv2d, x: &[T], dy: &[T], dw: &mut [T], store: Store) {
    let _span = device.span("conv_transpose2d.backward_weight", || Work::conv_transpose2d(g, [x, dy], dw, store));
    conv2d::backward_weight(device, g, dy, x, dw, store);
}
