//! The sum of everything, and the place of each row's maximum.

use crate::parallel::{self, CHUNK, Rows};
use crate::simd::vectorized;
use crate::view::{View, ViewMut};
use crate::{Device, Real, Work};

/// Independent accumulators of a sum: enough for four vectors of the widest path.
const LANES: usize = 64;

/// out = sum of x (one element): 64 running sums over each chunk, those pairwise, chunks in order in f64.
pub fn sum<'a, T: Real>(device: &Device, x: impl Into<View<'a, T>>, out: impl Into<ViewMut<'a, T>>) {
    let (x, out) = (x.into(), out.into());
    let _span = device.span("reduce.sum", || Work::memory(x.len(), x.bytes() + out.bytes()));
    assert_eq!(out.len(), 1, "sum: out");
    if let Some(cuda) = device.gpu() {
        let mut partial = device.workspace::<f32>(cuda::partials(x.len()));
        return cuda::sum(cuda, x.on_gpu(), partial.view_mut().device(), out.on_gpu());
    }
    out.host()[0] = T::from_f64(sum_of_chunks(device, x.host(), CHUNK, |x| lane_sum(device.simd(), x).to_f64()));
}

/// The sum of what `sum` gives for each chunk of x, in order.
pub(crate) fn sum_of_chunks<T: Real>(device: &Device, x: &[T], chunk: usize, sum: impl Fn(&[T]) -> f64 + Sync) -> f64 {
    let chunks = x.len().div_ceil(chunk);
    let mut partial = device.workspace::<f64>(chunks);
    parallel::split((Rows(x, chunk), &mut partial[..]), chunks, 1, |_, (x, partial)| {
        partial.iter_mut().for_each(|partial| *partial = sum(x.0));
    });
    partial.iter().sum()
}

/// out_i = the j of the largest x_ij, the lowest such j; nothing is larger than a NaN, nor a NaN than anything, so one in front is taken and others are passed over.
pub fn argmax<'a, T: Real>(
    device: &Device,
    rows: usize,
    cols: usize,
    x: impl Into<View<'a, T>>,
    out: impl Into<ViewMut<'a, i32>>,
) {
    let (x, out) = (x.into(), out.into());
    let _span = device.span("reduce.argmax", || Work::memory(format!("{rows}x{cols}"), x.bytes() + out.bytes()));
    assert!(cols > 0 && x.len() == rows * cols && out.len() == rows, "argmax: x and out of {rows} x {cols}");
    if let Some(cuda) = device.gpu() {
        return cuda::argmax(cuda, rows, cols, x.on_gpu(), out.device());
    }
    let (x, out) = (x.host(), out.host());
    parallel::split((Rows(x, cols), out), rows, (CHUNK / cols).max(1), |_, (x, out)| {
        out.iter_mut().zip(x.0.chunks_exact(cols)).for_each(|(out, x)| *out = first_largest(device.simd(), x));
    });
}

/// The sum of running sums, halves upon halves; N is a power of two.
#[inline(always)]
pub(crate) fn pairwise<T: Real, const N: usize>(mut lanes: [T; N]) -> T {
    let mut half = N / 2;
    while half > 0 {
        for i in 0..half {
            lanes[i] += lanes[i + half];
        }
        half /= 2;
    }
    lanes[0]
}

vectorized! {
    fn lane_sum<T: Real>(x: &[T]) -> T {
        let mut lanes = [T::ZERO; LANES];
        for x in x.chunks(LANES) {
            lanes.iter_mut().zip(x).for_each(|(lane, &x)| *lane += x);
        }
        pairwise(lanes)
    }

    fn first_largest<T: Real>(x: &[T]) -> i32 {
        let mut best = 0;
        for (j, &value) in x.iter().enumerate() {
            if value > x[best] {
                best = j;
            }
        }
        best as i32
    }
}

/// The same on a GPU.
pub mod cuda {
    use crate::cuda::{BLOCK, Cuda, Grid, Kernel};
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const SUM_PARTIAL: Kernel = Kernel { module: "reduce", name: "reduce_sum_partial" };
    const SUM_FINAL: Kernel = Kernel { module: "reduce", name: "reduce_sum_final" };
    const ARGMAX: Kernel = Kernel { module: "reduce", name: "reduce_argmax" };

    /// Elements that one partial sum covers, `SUM_CHUNK` of reduce.cu.
    const SUM_CHUNK: usize = 8192;

    /// How many partial sums [`sum`] of `n` elements needs.
    pub fn partials(n: usize) -> usize {
        n.div_ceil(SUM_CHUNK)
    }

    /// See [`sum`](super::sum): chunks of 8,192 each by a tree, those in f64. `partial` is working memory.
    pub fn sum(cuda: &Cuda, x: DeviceSlice<f32>, partial: DeviceSliceMut<f32>, out: DeviceSliceMut<f32>) {
        assert!(out.len() == 1 && partial.len() == partials(x.len()), "sum: out and partial");
        let (n, count) = (x.len() as u64, partial.len() as u64);
        // SAFETY: x has n elements, partial one for each chunk, out one.
        unsafe {
            cuda.launch(SUM_PARTIAL, Grid::linear(partial.len(), BLOCK), &[&x, &partial, &n]);
            cuda.launch(SUM_FINAL, Grid::linear(1, BLOCK), &[&partial, &out, &count]);
        }
    }

    /// See [`argmax`](super::argmax).
    pub fn argmax(cuda: &Cuda, rows: usize, cols: usize, x: DeviceSlice<f32>, out: DeviceSliceMut<i32>) {
        assert!(cols > 0 && x.len() == rows * cols && out.len() == rows, "argmax: x and out of {rows} x {cols}");
        // SAFETY: x is [rows, cols], out [rows].
        unsafe { cuda.launch(ARGMAX, Grid::warp_per_row(rows), &[&x, &out, &(rows as i32), &(cols as i32)]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{LENGTHS, both, devices, epsilon, exact_sum, nan, normal, over_threads, wide};

    fn check<T: Real>() {
        for device in devices() {
            for n in LENGTHS {
                let x = normal::<T>(1, n, 5.0, 1.0);
                let got = over_threads(|| {
                    let mut out = nan(1);
                    sum(&device, &x, &mut out);
                    out
                });
                let want = exact_sum(wide(&x));
                let error = (got[0].to_f64() - want).abs();
                assert!(error <= 4.0 * epsilon::<T>() * want, "sum of {n}: {}, reference {want}", got[0]);
            }
            for (rows, cols) in [(1, 1), (64, 10), (1639, 10), (5, 20_000), (3, 63), (3, 65)] {
                let mut x = normal::<T>(1, rows * cols, 0.0, 1.0);
                let (first, last) = (0, cols - 1);
                (x[first], x[last]) = (T::from_f64(50.0), T::from_f64(50.0)); // a tie in row 0
                let got = over_threads(|| {
                    let mut labels = vec![-1; rows];
                    argmax(&device, rows, cols, &x, &mut labels);
                    labels
                });
                let max = |x: &[f64]| x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let first = |x: &[f64]| x.iter().position(|&v| v == max(x)).expect("the maximum") as i32;
                assert_eq!(got, wide(&x).chunks(cols).map(first).collect::<Vec<_>>(), "argmax of {rows} x {cols}");
            }
        }
    }

    both!(matches_the_reference, check);
}
