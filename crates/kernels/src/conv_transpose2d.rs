//! Transposed convolution of NHWC images: the adjoint of an ordinary one, so each pass is the mirrored pass of
//! [`conv2d`] with the roles of input and output exchanged, on the CPU and on a GPU.
//!
//! The geometry is [`Conv2d::transposed`]: its y is this operation's input `[n, h, w, i]`, its x the output
//! `[n, H, W, o]`. Weights are `[i, kh, kw, o]`.

use crate::conv2d::{self, Conv2d, Pass};
use crate::view::{View, ViewMut};
use crate::{Device, Real, Store, Work};

/// `y[n, iy * stride + ky - padding, .., o] (=|+=) sum of x[n, iy, ix, i] w[i, ky, kx, o]`.
pub fn forward<'a, T: Real>(
    device: &Device,
    g: &Conv2d,
    x: impl Into<View<'a, T>>,
    w: impl Into<View<'a, T>>,
    y: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (x, w, y) = (x.into(), w.into(), y.into());
    let bytes = x.bytes() + w.bytes() + store.bytes(y.bytes());
    let _span = device.span("conv_transpose2d.forward", || Work::conv_transpose2d(g, bytes));
    conv2d::backward_input(device, g, x, w, y, store);
}

/// [`forward`] with the moments of y's parts (of pass `BackwardInput`), as [`conv2d::forward_with_parts`] has them.
pub fn forward_with_parts<'a, T: Real>(
    device: &Device,
    g: &Conv2d,
    x: impl Into<View<'a, T>>,
    w: impl Into<View<'a, T>>,
    y: impl Into<ViewMut<'a, T>>,
    parts: impl Into<ViewMut<'a, T>>,
) {
    let (x, w, y, parts) = (x.into(), w.into(), y.into(), parts.into());
    let bytes = x.bytes() + w.bytes() + y.bytes() + parts.bytes();
    let _span = device.span("conv_transpose2d.forward", || Work::conv_transpose2d(g, bytes));
    conv2d::run_with_parts(device, Pass::BackwardInput, g, [x, w], y, parts);
}

/// The gradient of the input.
pub fn backward_input<'a, T: Real>(
    device: &Device,
    g: &Conv2d,
    dy: impl Into<View<'a, T>>,
    w: impl Into<View<'a, T>>,
    dx: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (dy, w, dx) = (dy.into(), w.into(), dx.into());
    let bytes = dy.bytes() + w.bytes() + store.bytes(dx.bytes());
    let _span = device.span("conv_transpose2d.backward_input", || Work::conv_transpose2d(g, bytes));
    conv2d::forward(device, g, dy, w, dx, store);
}

/// The gradient of the weights.
pub fn backward_weight<'a, T: Real>(
    device: &Device,
    g: &Conv2d,
    x: impl Into<View<'a, T>>,
    dy: impl Into<View<'a, T>>,
    dw: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (x, dy, dw) = (x.into(), dy.into(), dw.into());
    let bytes = x.bytes() + dy.bytes() + store.bytes(dw.bytes());
    let _span = device.span("conv_transpose2d.backward_weight", || Work::conv_transpose2d(g, bytes));
    conv2d::backward_weight(device, g, dy, x, dw, store);
}
