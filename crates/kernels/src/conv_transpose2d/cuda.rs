//! Transposed convolution on a GPU: the mirrored passes of [`conv2d::cuda`](crate::conv2d::cuda).

use crate::Store;
use crate::conv2d::Conv2d;
use crate::conv2d::cuda::{self as conv2d, Pass};
use crate::cuda::{Cuda, Precision};
use crate::view::{DeviceSlice, DeviceSliceMut};

/// Elements of workspace that a pass of the transposed convolution takes.
pub fn workspace(pass: Pass, g: &Conv2d) -> usize {
    let mirrored = match pass {
        Pass::Forward => Pass::BackwardInput,
        Pass::BackwardInput => Pass::Forward,
        Pass::BackwardWeight => Pass::BackwardWeight,
    };
    conv2d::workspace(mirrored, g)
}

/// See [`forward`](super::forward) and, for the workspace, [`workspace`].
pub fn forward(
    cuda: &Cuda,
    precision: Precision,
    g: &Conv2d,
    x: DeviceSlice<f32>,
    w: DeviceSlice<f32>,
    y: DeviceSliceMut<f32>,
    store: Store,
    workspace: DeviceSliceMut<f32>,
) {
    conv2d::backward_input(cuda, precision, g, x, w, y, store, workspace);
}

/// See [`backward_input`](super::backward_input) and, for the workspace, [`workspace`].
pub fn backward_input(
    cuda: &Cuda,
    precision: Precision,
    g: &Conv2d,
    dy: DeviceSlice<f32>,
    w: DeviceSlice<f32>,
    dx: DeviceSliceMut<f32>,
    store: Store,
    workspace: DeviceSliceMut<f32>,
) {
    conv2d::forward(cuda, precision, g, dy, w, dx, store, workspace);
}

/// See [`backward_weight`](super::backward_weight) and, for the workspace, [`workspace`].
pub fn backward_weight(
    cuda: &Cuda,
    precision: Precision,
    g: &Conv2d,
    x: DeviceSlice<f32>,
    dy: DeviceSlice<f32>,
    dw: DeviceSliceMut<f32>,
    store: Store,
    workspace: DeviceSliceMut<f32>,
) {
    conv2d::backward_weight(cuda, precision, g, dy, x, dw, store, workspace);
}
