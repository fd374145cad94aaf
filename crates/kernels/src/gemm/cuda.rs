//! Matrix products on a GPU: the passes of a convolution of images of one pixel, with its tiles and its kernels.

use super::Transpose;
use crate::Store;
use crate::conv2d::Conv2d;
use crate::conv2d::cuda::{self as conv2d, Pass};
use crate::cuda::{Cuda, Precision};
use crate::view::{DeviceSlice, DeviceSliceMut};

/// Elements of workspace that [`gemm`] of these sizes takes.
pub fn workspace(ta: Transpose, tb: Transpose, m: usize, n: usize, k: usize) -> usize {
    pass(ta, tb, [m, n, k]).map_or(0, |(pass, g)| conv2d::workspace(pass, &g))
}

/// `c (=|+=) op(a) op(b)`: see [`gemm`](super::gemm). At most one operand is transposed, as in a linear layer; no size
/// is 0 (there is nothing to do then, and `k = 0` is not a layer). The workspace has at least [`workspace`] elements.
pub fn gemm(
    cuda: &Cuda,
    precision: Precision,
    (ta, tb): (Transpose, Transpose),
    [m, n, k]: [usize; 3],
    a: DeviceSlice<f32>,
    b: DeviceSlice<f32>,
    c: DeviceSliceMut<f32>,
    store: Store,
    workspace: DeviceSliceMut<f32>,
) {
    let (pass, g) = pass(ta, tb, [m, n, k]).expect("gemm: sizes from 1, at most one operand transposed");
    // The weight gradient is dy^T x, and takes x first.
    let operands = if pass == Pass::BackwardWeight { [b, a] } else { [a, b] };
    conv2d::run(cuda, precision, pass, conv2d::Schedule::of(pass, &g), &g, operands, c, store, workspace);
}

/// The pass whose product it is: with images of one pixel y = x w^T, dx = dy w, dw = dy^T x.
fn pass(ta: Transpose, tb: Transpose, [m, n, k]: [usize; 3]) -> Option<(Pass, Conv2d)> {
    let (pass, [images, c, o]) = match (ta, tb) {
        (Transpose::No, Transpose::Yes) => (Pass::Forward, [m, k, n]),
        (Transpose::No, Transpose::No) => (Pass::BackwardInput, [m, n, k]),
        (Transpose::Yes, Transpose::No) => (Pass::BackwardWeight, [k, n, m]),
        (Transpose::Yes, Transpose::Yes) => return None,
    };
    Some((pass, Conv2d::new(images, 1, 1, c, o, [1, 1], [1, 1], [0, 0])?))
}
