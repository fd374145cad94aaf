//! Transposed convolution: the adjoint of [`conv2d`](super::conv2d()), so its forward is that one's input gradient and
//! the other way round. y[n, i s - p + ky, j s - p + kx, o] += x[n,i,j,c] w[c,ky,kx,o].

use crate::error::check;
use crate::{Backward, Grads, Real, Result, Store, Tensor, Var};
use kernels::conv_transpose2d;
use kernels::conv2d::Conv2d;

/// x `[n,h,w,c]`, w `[c,kh,kw,o]`, giving `[n,H,W,o]` with H = (h - 1) stride - 2 padding + kh + output_padding.
pub fn conv_transpose2d<T: Real>(
    x: &Var<T>,
    w: &Var<T>,
    stride: [usize; 2],
    padding: [usize; 2],
    output_padding: [usize; 2],
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
    conv_transpose2d::forward(x.device(), &mirrored, x.view(), w.view(), y.view_mut(), Store::Set);
    let (saved_x, saved_w) = (x.value().clone(), w.value().clone());
    Ok(x.tape().record(y, &[x, w], || ConvTranspose2dBackward { mirrored, x: saved_x, w: saved_w }))
}

struct ConvTranspose2dBackward<T: Real> {
    mirrored: Conv2d,
    x: Tensor<T>,
    w: Tensor<T>,
}

impl<T: Real> Backward<T> for ConvTranspose2dBackward<T> {
    fn name(&self) -> &'static str {
        "conv_transpose2d"
    }

    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        let (device, g, dy) = (dy.device(), &self.mirrored, dy.view());
        grads.add(1, |dw, store| conv_transpose2d::backward_weight(device, g, self.x.view(), dy, dw, store));
        grads.add(0, |dx, store| conv_transpose2d::backward_input(device, g, dy, self.w.view(), dx, store));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::op_test;

    op_test!(transposed_from_1x1, [[3, 1, 1, 5], [5, 4, 4, 6]], |[x, w]| {
        conv_transpose2d(x, w, [1, 1], [0, 0], [0, 0])
    });
    op_test!(transposed_4x4_stride_2, [[2, 3, 4, 5], [5, 4, 4, 3]], |[x, w]| {
        conv_transpose2d(x, w, [2, 2], [1, 1], [0, 0])
    });
    op_test!(transposed_output_padding, [[2, 3, 3, 2], [2, 3, 3, 4]], |[x, w]| {
        conv_transpose2d(x, w, [2, 2], [1, 1], [1, 1])
    });
    op_test!(transposed_uneven, [[1, 3, 4, 2], [2, 5, 2, 3]], |[x, w]| {
        conv_transpose2d(x, w, [3, 1], [1, 0], [2, 0])
    });
}
