//! Two-dimensional convolution (cross-correlation, as networks use the word) of NHWC images, and its gradients:
//!
//! `y[n, oy, ox, o] = sum over ky, kx, c of x[n, oy * stride + ky - padding, ox * stride + kx - padding, c] w[o, ky, kx, c]`
//!
//! On a CPU, Winograd's algorithm (`winograd`) where channels fill registers and the kernel is one that it serves. All else are
//! implicit matrix products over the pixels as they lie in memory (Chetlur et al. 2014, "cuDNN", section 3), without padded
//! images or multiplications by padding.

mod ahead;
mod correlate;
pub(crate) mod cpu;
pub mod cuda;
mod plan;
mod weight;
mod winograd;

use crate::view::{View, ViewMut};
use crate::{Device, Real, Store, Work};

/// The geometry of a convolution: x `[n, h, w, c]`, weights `[o, kernel, c]`, y `[n, oh, ow, o]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Conv2d {
    /// Images.
    pub n: usize,
    /// Height of x.
    pub h: usize,
    /// Width of x.
    pub w: usize,
    /// Channels of x.
    pub c: usize,
    /// Channels of y.
    pub o: usize,
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    /// Pixels of x from one pixel of y to the next, down and across.
    pub stride: [usize; 2],
    /// Zeros around x, above and below, left and right.
    pub padding: [usize; 2],
    /// Height of y.
    pub oh: usize,
    /// Width of y.
    pub ow: usize,
}

impl Conv2d {
    /// The convolution of `[n, h, w, c]` to `o` channels, or `None` where a size or stride is 0, the kernel is larger than the
    /// padded input, or a tensor larger than any memory: `oh = (h + 2 padding - kernel) / stride + 1`, rounded down.
    pub fn new(
        n: usize,
        h: usize,
        w: usize,
        c: usize,
        o: usize,
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
    ) -> Option<Self> {
        if [n, h, w, c, o, kernel[0], kernel[1], stride[0], stride[1]].contains(&0) {
            return None;
        }
        let size = |d: usize, size: usize| {
            let padded = padding[d].checked_mul(2)?.checked_add(size)?;
            Some(padded.checked_sub(kernel[d])? / stride[d] + 1)
        };
        let (oh, ow) = (size(0, h)?, size(1, w)?);
        let fits = |sizes: [usize; 4]| crate::length(&sizes).is_some();
        let all = fits([n, h, w, c]) && fits([o, kernel[0], kernel[1], c]) && fits([n, oh, ow, o]);
        all.then_some(Self { n, h, w, c, o, kernel, stride, padding, oh, ow })
    }

    /// The convolution of which the transposed convolution of `[n, h, w, c]` to `[n, H, W, o]` is the adjoint:
    /// its x is the transposed convolution's output, its y the input, and
    /// `H = (h - 1) stride - 2 padding + kernel + output_padding`. `None` where a size or stride is 0, or
    /// `output_padding` is not smaller than the stride.
    pub fn transposed(
        n: usize,
        h: usize,
        w: usize,
        c: usize,
        o: usize,
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
        output_padding: [usize; 2],
    ) -> Option<Self> {
        let size = |d: usize, size: usize| {
            let strides = size.checked_sub(1)?.checked_mul(stride[d])?;
            let full = strides.checked_add(kernel[d])?.checked_add(output_padding[d])?;
            full.checked_sub(padding[d].checked_mul(2)?).filter(|_| output_padding[d] < stride[d])
        };
        let g = Self::new(n, size(0, h)?, size(1, w)?, o, c, kernel, stride, padding)?;
        (g.oh == h && g.ow == w).then_some(g)
    }

    /// Elements of x.
    pub fn x_len(&self) -> usize {
        self.n * self.h * self.w * self.c
    }

    /// Elements of the weights.
    pub fn w_len(&self) -> usize {
        self.o * self.kernel[0] * self.kernel[1] * self.c
    }

    /// Elements of y.
    pub fn y_len(&self) -> usize {
        self.n * self.oh * self.ow * self.o
    }

    /// Floating-point operations of one pass by the definition, padding included: two for each product.
    pub fn flops(&self) -> usize {
        2 * self.y_len() * self.kernel[0] * self.kernel[1] * self.c
    }

    /// Whether the kernel covers the image: the passes are products of `[n, h w c]`, `[o, h w c]` and `[n, o]`.
    fn is_dense(&self) -> bool {
        self.kernel == [self.h, self.w] && self.padding == [0, 0]
    }

    /// Panics unless a pass's operands and result, in the order in which it names them, have the elements they should.
    fn check(&self, pass: Pass, [a, b]: [usize; 2], out: usize) {
        // The fields are public, and the kernels go by them.
        let &Self { n, h, w, c, o, kernel, stride, padding, .. } = self;
        assert!(
            Self::new(n, h, w, c, o, kernel, stride, padding) == Some(*self),
            "conv2d {pass:?}: no geometry: {self:?}"
        );
        let (x, w, y) = match pass {
            Pass::Forward => (a, b, out),
            Pass::BackwardInput => (out, b, a),
            Pass::BackwardWeight => (a, out, b),
        };
        assert_eq!(x, self.x_len(), "conv2d {pass:?}: x is [n, h, w, c] of {self:?}");
        assert_eq!(w, self.w_len(), "conv2d {pass:?}: w is [o, kh, kw, c] of {self:?}");
        assert_eq!(y, self.y_len(), "conv2d {pass:?}: y is [n, oh, ow, o] of {self:?}");
    }

    fn input(&self) -> Side {
        Side { pixels: self.h * self.w, channels: self.c }
    }

    fn output(&self) -> Side {
        Side { pixels: self.oh * self.ow, channels: self.o }
    }
}

/// One side of the product: its pixels, `channels` numbers each, in images of `pixels` of them.
#[derive(Clone, Copy)]
struct Side {
    pixels: usize,
    channels: usize,
}

impl Side {
    /// Numbers in an image.
    fn image(self) -> usize {
        self.pixels * self.channels
    }
}

/// A pass of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pass {
    /// See [`forward`].
    Forward,
    /// See [`backward_input`].
    BackwardInput,
    /// See [`backward_weight`].
    BackwardWeight,
}

impl Pass {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Forward, Self::BackwardInput, Self::BackwardWeight];
}

/// A pass where the operands are.
fn run<T: Real>(device: &Device, pass: Pass, g: &Conv2d, operands: [View<T>; 2], out: ViewMut<T>, store: Store) {
    match device.gpu() {
        Some(cuda) => cuda::pass(device, cuda, pass, g, operands, out, store, None),
        None => T::conv2d(device, pass, g, operands.map(View::host), out.host(), store),
    }
}

/// Parts of the rows `[pixels, channels]` of a result, equally long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parts {
    /// How many.
    pub count: usize,
    /// Rows of each.
    pub rows: usize,
}

impl Parts {
    /// Those in which a GPU can find the moments of the result of a forward pass, or of one that is a transposed convolution's
    /// (`BackwardInput`), for a batch norm of so many groups of equally many rows. `None` elsewhere, and where parts would not be
    /// whole, or not lie in one group each.
    pub fn of(device: &Device, pass: Pass, g: &Conv2d, groups: usize) -> Option<Self> {
        device.gpu().and_then(|_| cuda::parts(pass, g, groups, device.precision()))
    }
}

/// `y = x * w`, and of each of the [`Parts`] of y, in order, the mean of each channel and the sum of squared deviations from it,
/// `[parts, 2, o]`, for [`batch_norm::statistics_of_parts`](crate::batch_norm::statistics_of_parts).
///
/// # Panics
/// Where `parts` is not of this length; on tensor cores also where an operand does not begin at 16 bytes, as all of a pool's buffers do.
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
    let _span = device.span("conv2d.forward", || Work::conv2d(g, bytes));
    run_with_parts(device, Pass::Forward, g, [x, w], y, parts);
}

/// A pass on a GPU, with the moments of its result's parts.
pub(crate) fn run_with_parts<T: Real>(
    device: &Device,
    pass: Pass,
    g: &Conv2d,
    operands: [View<T>; 2],
    out: ViewMut<T>,
    parts: ViewMut<T>,
) {
    let cuda = device.gpu().expect("parts are found on a GPU");
    cuda::pass(device, cuda, pass, g, operands, out, Store::Set, Some(parts));
}

/// `y (=|+=) x * w`.
pub fn forward<'a, T: Real>(
    device: &Device,
    g: &Conv2d,
    x: impl Into<View<'a, T>>,
    w: impl Into<View<'a, T>>,
    y: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (x, w, y) = (x.into(), w.into(), y.into());
    let _span = device.span("conv2d.forward", || Work::conv2d(g, x.bytes() + w.bytes() + store.bytes(y.bytes())));
    run(device, Pass::Forward, g, [x, w], y, store);
}

/// `y = x * w`, and the mean and biased variance of each channel of y, as [`batch_norm::statistics`] has them, from parts
/// of y that are still in the cache. Returns whether it could: by some algorithms, and on a GPU, there are no such parts, and mean
/// and variance are left alone. (A GPU has [`forward_with_parts`].)
///
/// [`batch_norm::statistics`]: crate::batch_norm::statistics
#[must_use]
pub fn forward_with_statistics<'a, T: Real>(
    device: &Device,
    g: &Conv2d,
    x: impl Into<View<'a, T>>,
    w: impl Into<View<'a, T>>,
    y: impl Into<ViewMut<'a, T>>,
    mean: impl Into<ViewMut<'a, T>>,
    var: impl Into<ViewMut<'a, T>>,
) -> bool {
    let (x, w, y) = (x.into(), w.into(), y.into());
    if device.gpu().is_some() {
        forward(device, g, x, w, y, Store::Set);
        return false;
    }
    let _span = device.span("conv2d.forward", || Work::conv2d(g, x.bytes() + w.bytes() + y.bytes()));
    let moments = [mean.into().host(), var.into().host()];
    T::conv2d_with_statistics(device, g, [x.host(), w.host()], y.host(), moments)
}

/// The gradient of the input: `dx[n, iy, ix, c] (=|+=) sum of dy[n, oy, ox, o] w[o, ky, kx, c]` over the output pixels
/// and taps with `oy * stride + ky - padding = iy`, and so across.
pub fn backward_input<'a, T: Real>(
    device: &Device,
    g: &Conv2d,
    dy: impl Into<View<'a, T>>,
    w: impl Into<View<'a, T>>,
    dx: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (dy, w, dx) = (dy.into(), w.into(), dx.into());
    let _span =
        device.span("conv2d.backward_input", || Work::conv2d(g, dy.bytes() + w.bytes() + store.bytes(dx.bytes())));
    run(device, Pass::BackwardInput, g, [dy, w], dx, store);
}

/// The gradient of the weights:
/// `dw[o, ky, kx, c] (=|+=) sum over n, oy, ox of dy[n, oy, ox, o] x[n, oy * stride + ky - padding, .., c]`.
pub fn backward_weight<'a, T: Real>(
    device: &Device,
    g: &Conv2d,
    x: impl Into<View<'a, T>>,
    dy: impl Into<View<'a, T>>,
    dw: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (x, dy, dw) = (x.into(), dy.into(), dw.into());
    let _span =
        device.span("conv2d.backward_weight", || Work::conv2d(g, x.bytes() + dy.bytes() + store.bytes(dw.bytes())));
    run(device, Pass::BackwardWeight, g, [x, dy], dw, store);
}

#[cfg(test)]
mod tests;
