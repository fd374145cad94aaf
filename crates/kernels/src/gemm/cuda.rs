//! Matrix products on a GPU: the passes of a convolution of images of one pixel, with its tiles and its kernels.

use super::Transpose;
use crate::conv2d::Conv2d;
use crate::conv2d::{Pass, cuda as conv2d};
use crate::cuda::Cuda;
use crate::view::{View, ViewMut};
use crate::{Device, Real, Store};

/// `c (=|+=) op(a) op(b)`: see [`gemm`](super::gemm).
pub(super) fn gemm<T: Real>(
    device: &Device,
    cuda: &Cuda,
    (ta, tb): (Transpose, Transpose),
    [m, n, k]: [usize; 3],
    a: View<T>,
    b: View<T>,
    c: ViewMut<T>,
    store: Store,
) {
    let (pass, g) = pass(ta, tb, [m, n, k]).expect("gemm: sizes from 1, at most one operand transposed");
    // The weight gradient is dy^T x, and takes x first.
    let operands = if pass == Pass::BackwardWeight { [b, a] } else { [a, b] };
    conv2d::pass(device, cuda, pass, &g, operands, c, store, None);
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
