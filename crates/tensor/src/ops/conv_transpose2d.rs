//! Transposed convolution: the adjoint of [`conv2d`](super::conv2d()), so its forward is that one's input gradient and
//! the other way round. y[n, i s - p + ky, j s - p + kx, o] += x[n,i,j,c] w[c,ky,kx,o].

use crate::error::check;
use crate::tape::Moments;
use crate::{Backward, Grads, Real, Result, Store, Tensor, Var};
use kernels::conv_transpose2d;
use kernels::conv2d::{Conv2d, Parts, Pass};

/// x `[n,h,w,c]`, w `[c,kh,kw,o]`, giving `[n,H,W,o]` with H = (h - 1) stride - 2 padding + kh + output_padding.
pub fn conv_transpose2d<T: Real>(
    x: &Var<T>,
    w: &Var<T>,
    stride: [usize; 2],
    padding: [usize; 2],
    output_padding: [usize; 2],
) -> Result<Var<T>> {
    apply(x, w, stride, padding, output_padding, false)
}

/// The same for a batch norm by the batch's own statistics to follow: where they can be found on the way, they go with the
/// output.
pub fn conv_transpose2d_with_statistics<T: Real>(
    x: &Var<T>,
    w: &Var<T>,
    stride: [usize; 2],
    padding: [usize; 2],
    output_padding: [usize; 2],
) -> Result<Var<T>> {
    apply(x, w, stride, padding, output_padding, true)
}

fn apply<T: Real>(
    x: &Var<T>,
    w: &Var<T>,
    stride: [usize; 2],
    padding: [usize; 2],
    output_padding: [usize; 2],
    statistics: bool,
) -> Result<Var<T>> {
    let (sx, sw) = (x.shape(), w.shape());
    let mirrored = (sx.len() == 4 && sw.len() == 4 && sx[3] == sw[0])
        .then(|| Conv2d::transposed(sx[0], sx[1], sx[2], sx[3], sw[3], [sw[1], sw[2]], stride, padding, output_padding))
        .flatten();
    let expected = "[n,h,w,c], [c,kh,kw,o], padding within the kernel's reach, output padding below the stride";
    check(mirrored.is_some(), "conv_transpose2d", expected, &[&sx, &sw])?;
    let mirrored = mirrored.expect("checked");
    // The mirrored convolution goes from y to x: its input is what this op puts out.
    let mut y = x.output([mirrored.n, mirrored.h, mirrored.w, mirrored.c]);
    let device = x.device();
    let parts = if statistics { Parts::of(device, Pass::BackwardInput, &mirrored, 1) } else { None };
    let moments = parts.map(|Parts { count, rows }| {
        let mut parts = x.output([count, 2, mirrored.c]);
        conv_transpose2d::forward_with_parts(device, &mirrored, x.view(), w.view(), y.view_mut(), &mut parts);
        Moments::Parts { parts, rows, groups: 1 }
    });
    if moments.is_none() {
        conv_transpose2d::forward(device, &mirrored, x.view(), w.view(), y.view_mut(), Store::Set);
    }
    let op = || ConvTranspose2dBackward { mirrored, x: x.kept_for(w), w: w.value().clone() };
    let y = x.tape().record(y, &[x, w], op);
    Ok(y.with_moments(moments))
}

struct ConvTranspose2dBackward<T: Real> {
    mirrored: Conv2d,
    /// Kept where w has a gradient.
    x: Option<Tensor<T>>,
    w: Tensor<T>,
}

impl<T: Real> Backward<T> for ConvTranspose2dBackward<T> {
    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        let (device, g, w) = (dy.device(), &self.mirrored, self.w.view());
        let x = || self.x.as_ref().expect("kept where w has a gradient").view();
        grads.add_aside(
            &dy,
            (1, |dw, store| conv_transpose2d::backward_weight(device, g, x(), dy.view(), dw, store)),
            (0, |dx, store| conv_transpose2d::backward_input(device, g, dy.view(), w, dx, store)),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Activation, Statistics, batch_norm};
    use crate::testing::op_test;

    op_test!(transposed_from_1x1, [[3, 1, 1, 5], [5, 4, 4, 6]], |[x, w]| {
        conv_transpose2d(x, w, [1, 1], [0, 0], [0, 0])
    });
    op_test!(transposed_4x4_stride_2, [[2, 3, 4, 5], [5, 4, 4, 3]], |[x, w]| {
        conv_transpose2d(x, w, [2, 2], [1, 1], [0, 0])
    });
    op_test!(transposed_with_statistics_and_norm, [[8, 4, 4, 1], [1, 4, 4, 16], [16], [16]], |[x, w, g, b]| {
        let y = conv_transpose2d_with_statistics(x, w, [2, 2], [1, 1], [0, 0])?;
        assert_eq!(y.moments().is_some(), x.device().gpu().is_some());
        batch_norm(&y, g, b, None, Statistics::Batch(None), Activation::Relu, 1e-5)
    });
    op_test!(transposed_output_padding, [[2, 3, 3, 2], [2, 3, 3, 4]], |[x, w]| {
        conv_transpose2d(x, w, [2, 2], [1, 1], [1, 1])
    });
    op_test!(transposed_uneven, [[1, 3, 4, 2], [2, 5, 2, 3]], |[x, w]| {
        conv_transpose2d(x, w, [3, 1], [1, 0], [2, 0])
    });
}
