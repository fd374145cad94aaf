//! Softmax over rows: y_j = e^(x_j - max x) / sum_k e^(x_k - max x).

use crate::parallel::{self, Rows};
use crate::simd::vectorized;
use crate::view::{View, ViewMut};
use crate::{Device, Real, Store, Work};

/// Elements of one task: exponentials cost more than memory.
pub(crate) const CHUNK: usize = 1 << 11;

/// y = softmax(x) of each row; x and y are `[rows, classes]`.
pub fn forward<'a, T: Real>(
    device: &Device,
    rows: usize,
    classes: usize,
    x: impl Into<View<'a, T>>,
    y: impl Into<ViewMut<'a, T>>,
) {
    let (x, y) = (x.into(), y.into());
    let _span = device.span("softmax.forward", || Work::memory(format!("{rows}x{classes}"), 2 * x.bytes()));
    assert!(classes > 0 && x.len() == rows * classes && y.len() == x.len(), "softmax: x and y of {rows} x {classes}");
    if let Some(cuda) = device.gpu() {
        return cuda::forward(cuda, rows, classes, x.on_gpu(), y.on_gpu());
    }
    let (x, y) = (x.host(), y.host());
    parallel::split((Rows(x, classes), Rows(y, classes)), rows, (CHUNK / classes).max(1), |_, (x, y)| {
        forward_chunk(device.simd(), classes, x.0, y.0);
    });
}

/// dx_j = y_j (dy_j - sum_k y_k dy_k) of each row.
pub fn backward<'a, T: Real>(
    device: &Device,
    rows: usize,
    classes: usize,
    y: impl Into<View<'a, T>>,
    dy: impl Into<View<'a, T>>,
    dx: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (y, dy, dx) = (y.into(), dy.into(), dx.into());
    let _span = device.span("softmax.backward", || {
        Work::memory(format!("{rows}x{classes}"), 2 * y.bytes() + store.bytes(dx.bytes()))
    });
    let fits = [y.len(), dy.len(), dx.len()].iter().all(|&len| len == rows * classes);
    assert!(classes > 0 && fits, "softmax: y, dy and dx of {rows} x {classes}");
    if let Some(cuda) = device.gpu() {
        return cuda::backward(cuda, rows, classes, y.on_gpu(), dy.on_gpu(), dx.on_gpu(), store);
    }
    let (y, dy, dx) = (y.host(), dy.host(), dx.host());
    let operands = (Rows(y, classes), Rows(dy, classes), Rows(dx, classes));
    parallel::split(operands, rows, (parallel::CHUNK / classes).max(1), |_, (y, dy, dx)| {
        backward_chunk(device.simd(), classes, y.0, dy.0, dx.0, store);
    });
}

/// The largest of a row; NaN where there is one.
#[inline(always)]
#[expect(clippy::eq_op, reason = "x != x is NaN")]
pub(crate) fn max<T: Real>(x: &[T]) -> T {
    x.iter().fold(T::NEG_INFINITY, |max, &x| if x > max || x != x { x } else { max })
}

/// y = softmax(x) of one row; returns max x and the sum that the row was divided by.
#[inline(always)]
pub(crate) fn row<T: Real>(x: &[T], y: &mut [T]) -> (T, T) {
    let max = max(x);
    let mut sum = T::ZERO;
    for (y, &x) in y.iter_mut().zip(x) {
        *y = (x - max).exp();
        sum += *y;
    }
    y.iter_mut().for_each(|y| *y = *y / sum);
    (max, sum)
}

vectorized! {
    fn forward_chunk<T: Real>(classes: usize, x: &[T], y: &mut [T]) {
        for (x, y) in x.chunks_exact(classes).zip(y.chunks_exact_mut(classes)) {
            row(x, y);
        }
    }

    fn backward_chunk<T: Real>(classes: usize, y: &[T], dy: &[T], dx: &mut [T], store: Store) {
        for ((y, dy), dx) in y.chunks_exact(classes).zip(dy.chunks_exact(classes)).zip(dx.chunks_exact_mut(classes)) {
            let dot = y.iter().zip(dy).fold(T::ZERO, |sum, (&y, &dy)| sum + y * dy);
            for ((&y, &dy), dx) in y.iter().zip(dy).zip(dx) {
                store.write(dx, y * (dy - dot));
            }
        }
    }
}

/// The same on a GPU.
pub mod cuda {
    use crate::Store;
    use crate::cuda::{Cuda, Grid, Kernel};
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const FORWARD: Kernel = Kernel { module: "softmax", name: "softmax_forward" };
    const BACKWARD: Kernel = Kernel { module: "softmax", name: "softmax_backward" };

    /// See [`forward`](super::forward).
    pub fn forward(cuda: &Cuda, rows: usize, classes: usize, x: DeviceSlice<f32>, y: DeviceSliceMut<f32>) {
        let fits = x.len() == rows * classes && y.len() == x.len();
        assert!(classes > 0 && fits, "softmax: x and y of {rows} x {classes}");
        // SAFETY: x and y are [rows, classes].
        unsafe {
            cuda.launch(FORWARD, Grid::warp_per_row(rows), &[&x, &y, &(rows as i32), &(classes as i32)]);
        }
    }

    /// See [`backward`](super::backward).
    pub fn backward(
        cuda: &Cuda,
        rows: usize,
        classes: usize,
        y: DeviceSlice<f32>,
        dy: DeviceSlice<f32>,
        dx: DeviceSliceMut<f32>,
        store: Store,
    ) {
        let fits = [y.len(), dy.len(), dx.len()].iter().all(|&len| len == rows * classes);
        assert!(classes > 0 && fits, "softmax: y, dy and dx of {rows} x {classes}");
        let (rows, classes, grid) = (rows as i32, classes as i32, Grid::warp_per_row(rows));
        // SAFETY: y, dy and dx are [rows, classes].
        unsafe { cuda.launch(BACKWARD, grid, &[&y, &dy, &dx, &rows, &classes, &store]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_stores, both, devices, nan, normal, over_threads, wide};

    const SHAPES: [(usize, usize); 6] = [(1, 1), (64, 10), (205, 10), (204, 10), (3, 5000), (4097, 4)];

    fn check<T: Real>() {
        for device in devices() {
            for (rows, classes) in SHAPES {
                let n = rows * classes;
                let mut x = normal::<T>(1, n, 0.0, 3.0);
                x[0] = T::from_f64(1000.0); // overflows without the maximum
                let mut want = Vec::new();
                for x in wide(&x).chunks(classes) {
                    let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let sum: f64 = x.iter().map(|x| (x - max).exp()).sum();
                    want.extend(x.iter().map(|x| (x - max).exp() / sum));
                }
                let y = over_threads(|| {
                    let mut y = nan(n);
                    forward(&device, rows, classes, &x, &mut y);
                    y
                });
                for (y, want) in y.iter().zip(&want) {
                    let bound = 200.0 * crate::testing::epsilon::<T>() * want + 1e-37;
                    assert!((y.to_f64() - want).abs() <= bound, "{y}, reference {want}");
                }
                let dy = normal::<T>(2, n, 0.0, 1.0);
                let mut dx = Vec::new();
                for (y, dy) in wide(&y).chunks(classes).zip(wide(&dy).chunks(classes)) {
                    let dot: f64 = y.iter().zip(dy).map(|(y, dy)| y * dy).sum();
                    dx.extend(y.iter().zip(dy).map(|(y, dy)| y * (dy - dot)));
                }
                assert_stores("dx", 8.0, &dx, |dx, store| backward(&device, rows, classes, &y, &dy, dx, store));
            }
        }
    }

    both!(matches_the_reference, check);
}
