//! Convolution as deep learning has it (cross-correlation):
//! y[n,i,j,o] = sum over ky,kx,c of x[n, i s - p + ky, j s - p + kx, c] w[o,ky,kx,c]. No bias.

use crate::error::check;
use crate::tape::Moments;
use crate::{Backward, Grads, Real, Result, Store, Tensor, Var};
use kernels::conv2d::{self, Conv2d, Parts, Pass};

/// x `[n,h,w,c]`, w `[o,kh,kw,c]`, giving `[n,oh,ow,o]` with oh = (h + 2 padding - kh) / stride + 1, rounded down.
pub fn conv2d<T: Real>(x: &Var<T>, w: &Var<T>, stride: [usize; 2], padding: [usize; 2]) -> Result<Var<T>> {
    apply(x, w, stride, padding, None)
}

/// The same for a batch norm by the own statistics of each of so many groups of rows to follow: where they can be found on the
/// way, they go with the output.
pub fn conv2d_with_statistics<T: Real>(
    x: &Var<T>,
    w: &Var<T>,
    stride: [usize; 2],
    padding: [usize; 2],
    groups: usize,
) -> Result<Var<T>> {
    apply(x, w, stride, padding, Some(groups))
}

fn apply<T: Real>(
    x: &Var<T>,
    w: &Var<T>,
    stride: [usize; 2],
    padding: [usize; 2],
    groups: Option<usize>,
) -> Result<Var<T>> {
    let (sx, sw) = (x.shape(), w.shape());
    let geometry = (sx.len() == 4 && sw.len() == 4 && sx[3] == sw[3])
        .then(|| Conv2d::new(sx[0], sx[1], sx[2], sx[3], sw[0], [sw[1], sw[2]], stride, padding))
        .flatten();
    let expected = "[n,h,w,c], [o,kh,kw,c], the kernel within the padded input";
    check(geometry.is_some(), "conv2d", expected, &[&sx, &sw])?;
    let g = geometry.expect("checked");
    let mut y = x.output([g.n, g.oh, g.ow, g.o]);
    let (device, xs, ws, ys) = (x.device(), x.view(), w.view(), y.view_mut());
    let moments = if let Some((groups, Parts { count, rows })) =
        groups.and_then(|groups| Some((groups, Parts::of(device, Pass::Forward, &g, groups)?)))
    {
        let mut parts = x.output([count, 2, g.o]);
        conv2d::forward_with_parts(device, &g, xs, ws, ys, &mut parts);
        Some(Moments::Parts { parts, rows, groups })
    } else if groups == Some(1) {
        let (mut mean, mut var) = (x.output([g.o]), x.output([g.o]));
        let found = conv2d::forward_with_statistics(device, &g, xs, ws, ys, &mut mean, &mut var);
        found.then_some(Moments::Whole { mean, var })
    } else {
        conv2d::forward(device, &g, xs, ws, ys, Store::Set);
        None
    };
    let op = || Conv2dBackward { geometry: g, x: x.kept_for(w), w: w.value().clone() };
    let y = x.tape().record(y, &[x, w], op);
    Ok(y.with_moments(moments))
}

struct Conv2dBackward<T: Real> {
    geometry: Conv2d,
    /// Kept where w has a gradient.
    x: Option<Tensor<T>>,
    w: Tensor<T>,
}

impl<T: Real> Backward<T> for Conv2dBackward<T> {
    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        let (device, g, w) = (dy.device(), &self.geometry, self.w.view());
        let x = || self.x.as_ref().expect("kept where w has a gradient").view();
        grads.add_aside(
            &dy,
            (1, |dw, store| conv2d::backward_weight(device, g, x(), dy.view(), dw, store)),
            (0, |dx, store| conv2d::backward_input(device, g, dy.view(), w, dx, store)),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::{Activation, Statistics, batch_norm};
    use crate::testing::op_test;
    use crate::{Device, Tape};

    op_test!(conv_with_statistics_and_norm, [[2, 6, 4, 16], [16, 3, 3, 16], [16], [16]], |[x, w, g, b]| {
        let y = conv2d_with_statistics(x, w, [1, 1], [1, 1], 1)?;
        assert!(y.moments().is_some() || x.device().gpu().is_some());
        batch_norm(&y, g, b, None, Statistics::Batch(None), Activation::LeakyRelu(0.2), 1e-5)
    });
    op_test!(conv_with_statistics_of_groups, [[8, 8, 4, 2], [20, 3, 3, 2], [20], [20]], |[x, w, g, b]| {
        let y = conv2d_with_statistics(x, w, [1, 1], [1, 1], 2)?;
        assert_eq!(y.moments().is_some(), x.device().gpu().is_some());
        batch_norm(&y, g, b, None, Statistics::Groups(2, None), Activation::Relu, 1e-5)
    });
    op_test!(conv_3x3, [[2, 5, 6, 3], [4, 3, 3, 3]], |[x, w]| conv2d(x, w, [1, 1], [1, 1]));
    op_test!(conv_3x3_stride_2, [[2, 6, 5, 3], [4, 3, 3, 3]], |[x, w]| conv2d(x, w, [2, 2], [1, 1]));
    op_test!(conv_4x4_stride_2, [[1, 8, 8, 2], [5, 4, 4, 2]], |[x, w]| conv2d(x, w, [2, 2], [1, 1]));
    op_test!(conv_4x4_to_1x1, [[3, 4, 4, 5], [2, 4, 4, 5]], |[x, w]| conv2d(x, w, [1, 1], [0, 0]));
    op_test!(conv_1x1_stride_2, [[2, 5, 4, 17], [3, 1, 1, 17]], |[x, w]| conv2d(x, w, [2, 2], [0, 0]));
    op_test!(conv_with_itself, [[2, 1, 1, 3]], |[x]| conv2d(x, x, [1, 1], [0, 0]));
    op_test!(conv_uneven, [[1, 7, 6, 2], [3, 5, 2, 2]], |[x, w]| conv2d(x, w, [2, 1], [2, 0]));
    op_test!(conv_stride_3, [[2, 8, 7, 1], [16, 2, 3, 1]], |[x, w]| conv2d(x, w, [3, 3], [0, 2]));

    #[test]
    fn a_kernel_larger_than_the_input_is_refused() {
        let tape = Tape::<f32>::off(&Device::cpu());
        let x = tape.constant(Tensor::zeros(tape.device(), [1, 2, 2, 3]));
        let w = tape.constant(Tensor::zeros(tape.device(), [4, 5, 5, 3]));
        let message = conv2d(&x, &w, [1, 1], [1, 1]).err().unwrap().to_string();
        assert_eq!(
            message,
            "conv2d: expected [n,h,w,c], [o,kh,kw,c], the kernel within the padded input, got [[1, 2, 2, 3], [4, 5, 5, 3]]"
        );
    }
}
