//! A convolution's geometry as its kernels are given it, with divisions by multiplication.

use super::super::{Conv2d, Pass};
use crate::Store;
use crate::cuda::by_value;
use crate::view::DeviceSlice;

/// `Conv2d` of conv2d_operands.cuh.
#[derive(Clone, Copy)]
#[repr(C)]
pub(super) struct Geometry {
    sizes: [i32; 13],
    four: [i32; 3],
    splits: i32,
    accumulate: i32,
    down: AxisDivisors,
    across: AxisDivisors,
    channels: Divisor,
    tiles: Divisor,
    by_splits: Divisor,
}
by_value!(Geometry);

impl Geometry {
    pub(super) fn new(
        pass: Pass,
        g: &Conv2d,
        [a, b]: [DeviceSlice<f32>; 2],
        tiles: usize,
        splits: usize,
        store: Store,
    ) -> Self {
        let ([kh, kw], [sh, sw], [ph, pw]) = (g.kernel, g.stride, g.padding);
        let four = |x: DeviceSlice<f32>, channels: usize| {
            i32::from(channels.is_multiple_of(4) && x.address().is_multiple_of(16))
        };
        let four = match pass {
            // A row of the weights is read across taps.
            Pass::Forward => [four(a, g.c), four(b, kh * kw * g.c), 0],
            Pass::BackwardInput => [0, four(b, g.c), four(a, g.o)],
            Pass::BackwardWeight => [four(a, g.c), 0, four(b, g.o)],
        };
        let axis = |d: usize, size: usize, out: usize| match pass {
            Pass::BackwardInput => AxisDivisors::of_phases(size, g.kernel[d], g.stride[d]),
            Pass::Forward | Pass::BackwardWeight => AxisDivisors::new(out, g.kernel[d]),
        };
        Self {
            sizes: [g.n, g.h, g.w, g.c, g.o, kh, kw, sh, sw, ph, pw, g.oh, g.ow].map(|size| size as i32),
            four,
            splits: splits as i32,
            accumulate: i32::from(store == Store::Add),
            down: axis(0, g.h, g.oh),
            across: axis(1, g.w, g.ow),
            channels: Divisor::new(if pass == Pass::BackwardInput { g.o } else { g.c }),
            tiles: Divisor::new(tiles),
            by_splits: Divisor::new(splits),
        }
    }
}

/// `AxisDivisors` of conv2d_operands.cuh.
#[derive(Clone, Copy)]
#[repr(C)]
struct AxisDivisors {
    stride: Divisor,
    pixels: [Divisor; 2],
    taps: [Divisor; 2],
}

impl AxisDivisors {
    /// All pixels by all taps.
    fn new(pixels: usize, taps: usize) -> Self {
        let [pixels, taps] = [pixels, taps].map(|n| [Divisor::new(n); 2]);
        Self { stride: Divisor::new(1), pixels, taps }
    }

    /// The pixels and taps of a phase that has more of them, and of one that has fewer.
    fn of_phases(size: usize, kernel: usize, stride: usize) -> Self {
        // A phase without any divides nothing.
        let parts = |n: usize| [n.div_ceil(stride), n / stride].map(|n| Divisor::new(n.max(1)));
        Self { stride: Divisor::new(stride), pixels: parts(size), taps: parts(kernel) }
    }
}

/// `Divisor` of conv2d_operands.cuh: magic = floor(2^32 (2^shift - d) / d) + 1, shift = ceil(log2 d).
#[derive(Clone, Copy)]
#[repr(C)]
struct Divisor {
    magic: u32,
    shift: u32,
}

impl Divisor {
    fn new(d: usize) -> Self {
        let shift = d.next_power_of_two().trailing_zeros();
        Self { magic: ((((1u64 << shift) - d as u64) << 32) / d as u64 + 1) as u32, shift }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn division_by_multiplication_is_exact() {
        for d in (1..300).chain([1023, 1024, 1025, 65_535, 1 << 20, (1 << 30) + 1]) {
            let Divisor { magic, shift } = Divisor::new(d);
            let around = (1..9).map(|i| i * d - 1).chain((1..9).map(|i| i * d));
            let numbers = (0..2000).chain([1 << 20, (1 << 30) - 1, 1 << 30, (1 << 31) - 1]).chain(around);
            for n in numbers.filter(|&n: &usize| n < 1 << 31) {
                // In u64 here, in u32 there: the sum has 32 bits.
                let sum = ((n as u64 * u64::from(magic)) >> 32) + n as u64;
                assert!(sum <= u64::from(u32::MAX) && sum >> shift == (n / d) as u64, "{n} / {d}");
            }
        }
    }
}
