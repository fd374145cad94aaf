//! Spectral normalisation (Miyato et al. 2018): a weight `[rows, cols]` over an estimate of its largest singular value.
//!
//! sigma = |W^T u|, v = W^T u / sigma, y = W / sigma. With u the first left singular vector, sigma is the largest singular
//! value; u comes closer to it by power iteration, u = W v / |W v| with v = W^T u / |W^T u|, one a step of training. Since
//! d sigma / dW = u v^T, dW = (dy - <dy, y> u v^T) / sigma.

use crate::parallel;
use crate::reduce::pairwise;
use crate::simd::vectorized;
use crate::view::{View, ViewMut};
use crate::{Device, Real, Store, Work};

/// Columns of one task of a product from the left.
const COLUMNS: usize = 256;

/// Independent accumulators of an inner product.
const LANES: usize = 32;

/// Below this a length counts as 0, and nothing is divided by it.
const SHORTEST: f64 = 1e-12;

/// u = W v / |W v| with v = W^T u / |W^T u|: w is `[rows, cols]`, u `[rows]`. As in PyTorch both are of length 1: a length of
/// W W^T u is sigma^2, and would count as 0 from sigma = 1e-6 down.
pub fn iterate<'a, T: Real>(
    device: &Device,
    [rows, cols]: [usize; 2],
    w: impl Into<View<'a, T>>,
    u: impl Into<ViewMut<'a, T>>,
) {
    let (w, u) = (w.into(), u.into());
    let _span = device.span("spectral_norm.iterate", || work([rows, cols], 2 * w.bytes()));
    assert!(w.len() == rows * cols && u.len() == rows, "spectral_norm: w and u of {rows} x {cols}");
    let mut v = device.workspace::<T>(cols);
    if let Some(cuda) = device.gpu() {
        return cuda::iterate(cuda, [rows, cols], w.on_gpu(), u.on_gpu(), v.view_mut().on_gpu());
    }
    let (w, u) = (w.host(), u.host());
    from_the_left(device, cols, w, u, &mut v);
    normalise(&mut v);
    parallel::split((parallel::Rows(w, cols), &mut *u), rows, 16, |_, (w, u)| {
        u.iter_mut().zip(w.0.chunks_exact(cols)).for_each(|(u, w)| *u = inner(device.simd(), w, &v));
    });
    normalise(u);
}

/// v = W^T u / sigma, sigma = |W^T u| (one element), y = W / sigma: w and y are `[rows, cols]`, u `[rows]`, v `[cols]`.
pub fn forward<'a, T: Real>(
    device: &Device,
    [rows, cols]: [usize; 2],
    w: impl Into<View<'a, T>>,
    u: impl Into<View<'a, T>>,
    v: impl Into<ViewMut<'a, T>>,
    sigma: impl Into<ViewMut<'a, T>>,
    y: impl Into<ViewMut<'a, T>>,
) {
    let (w, u, v, sigma, y) = (w.into(), u.into(), v.into(), sigma.into(), y.into());
    let _span = device.span("spectral_norm.forward", || work([rows, cols], 2 * w.bytes() + y.bytes()));
    let fits = u.len() == rows && v.len() == cols && sigma.len() == 1 && y.len() == w.len();
    assert!(fits && w.len() == rows * cols, "spectral_norm: w, u, v, sigma and y of {rows} x {cols}");
    if let Some(cuda) = device.gpu() {
        let (v, sigma) = (v.on_gpu(), sigma.on_gpu());
        return cuda::forward(cuda, [rows, cols], w.on_gpu(), u.on_gpu(), v, sigma, y.on_gpu());
    }
    let (w, u, v, sigma, y) = (w.host(), u.host(), v.host(), sigma.host(), y.host());
    from_the_left(device, cols, w, u, v);
    sigma[0] = normalise(v);
    let factor = T::ONE / sigma[0];
    parallel::split((w, y), w.len(), parallel::CHUNK, |_, (w, y)| scaled(device.simd(), factor, w, y));
}

/// dw (=|+=) (dy - <dy, y> u v^T) / sigma.
pub fn backward<'a, T: Real>(
    device: &Device,
    [rows, cols]: [usize; 2],
    y: impl Into<View<'a, T>>,
    u: impl Into<View<'a, T>>,
    v: impl Into<View<'a, T>>,
    sigma: impl Into<View<'a, T>>,
    dy: impl Into<View<'a, T>>,
    dw: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (y, u, v, sigma, dy, dw) = (y.into(), u.into(), v.into(), sigma.into(), dy.into(), dw.into());
    let bytes = y.bytes() + 2 * dy.bytes() + store.bytes(dw.bytes());
    let _span = device.span("spectral_norm.backward", || work([rows, cols], bytes));
    let fits = u.len() == rows && v.len() == cols && sigma.len() == 1 && dy.len() == y.len() && dw.len() == y.len();
    assert!(fits && y.len() == rows * cols, "spectral_norm: y, u, v, sigma, dy and dw of {rows} x {cols}");
    let mut dots = device.workspace::<T>(rows);
    if let Some(cuda) = device.gpu() {
        let (y, u, v, sigma) = (y.on_gpu(), u.on_gpu(), v.on_gpu(), sigma.on_gpu());
        let dots = dots.view_mut().on_gpu();
        return cuda::backward(cuda, [rows, cols], y, u, v, sigma, dy.on_gpu(), dots, dw.on_gpu(), store);
    }
    let (y, u, v, sigma, dy, dw) = (y.host(), u.host(), v.host(), sigma.host(), dy.host(), dw.host());
    let lines = (parallel::Rows(y, cols), parallel::Rows(dy, cols), &mut dots[..]);
    parallel::split(lines, rows, 16, |_, (y, dy, dots)| {
        let lines = y.0.chunks_exact(cols).zip(dy.0.chunks_exact(cols));
        dots.iter_mut().zip(lines).for_each(|(dot, (y, dy))| *dot = inner(device.simd(), y, dy));
    });
    let dot = dots.iter().map(|dot| dot.to_f64()).sum::<f64>();
    let factor = T::ONE / sigma[0];
    let lines = (parallel::Rows(dy, cols), u, parallel::Rows(dw, cols));
    parallel::split(lines, rows, 16, |_, (dy, u, dw)| {
        let lines = dy.0.chunks_exact(cols).zip(u).zip(dw.0.chunks_exact_mut(cols));
        for ((dy, &u), dw) in lines {
            backward_row(device.simd(), factor, T::from_f64(dot * u.to_f64()), v, dy, dw, store);
        }
    });
}

fn work([rows, cols]: [usize; 2], bytes: usize) -> Work {
    Work::memory(format!("{rows}x{cols}"), bytes)
}

/// v = W^T u.
fn from_the_left<T: Real>(device: &Device, cols: usize, w: &[T], u: &[T], v: &mut [T]) {
    parallel::split(v, cols, COLUMNS, |start, v: &mut [T]| left_columns(device.simd(), cols, start, w, u, v));
}

/// x = x / |x|; returns |x|.
fn normalise<T: Real>(x: &mut [T]) -> T {
    let length = x.iter().map(|x| x.to_f64() * x.to_f64()).sum::<f64>().sqrt();
    // Not by `max`, which would make a number of NaN.
    let length = if length < SHORTEST { SHORTEST } else { length };
    x.iter_mut().for_each(|x| *x = T::from_f64(x.to_f64() / length));
    T::from_f64(length)
}

vectorized! {
    /// v_j = the sum over i of u_i w_ij, for the columns from `start`.
    fn left_columns<T: Real>(cols: usize, start: usize, w: &[T], u: &[T], v: &mut [T]) {
        v.fill(T::ZERO);
        for (&u, w) in u.iter().zip(w.chunks_exact(cols)) {
            v.iter_mut().zip(&w[start..]).for_each(|(v, &w)| *v += u * w);
        }
    }

    fn inner<T: Real>(a: &[T], b: &[T]) -> T {
        let mut lanes = [T::ZERO; LANES];
        for (a, b) in a.chunks(LANES).zip(b.chunks(LANES)) {
            lanes.iter_mut().zip(a.iter().zip(b)).for_each(|(lane, (&a, &b))| *lane += a * b);
        }
        pairwise(lanes)
    }

    fn scaled<T: Real>(factor: T, x: &[T], y: &mut [T]) {
        y.iter_mut().zip(x).for_each(|(y, &x)| *y = factor * x);
    }

    fn backward_row<T: Real>(factor: T, along: T, v: &[T], dy: &[T], dw: &mut [T], store: Store) {
        for (dw, (&dy, &v)) in dw.iter_mut().zip(dy.iter().zip(v)) {
            store.write(dw, factor * (dy - along * v));
        }
    }
}

/// The same on a GPU.
pub mod cuda {
    use crate::Store;
    use crate::cuda::{BLOCK, Cuda, Grid, Kernel};
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const COLUMNS: Kernel = Kernel { module: "spectral_norm", name: "spectral_norm_columns" };
    const DOTS: Kernel = Kernel { module: "spectral_norm", name: "spectral_norm_dots" };
    const UNIT: Kernel = Kernel { module: "spectral_norm", name: "spectral_norm_unit" };
    const FORWARD: Kernel = Kernel { module: "spectral_norm", name: "spectral_norm_forward" };
    const BACKWARD: Kernel = Kernel { module: "spectral_norm", name: "spectral_norm_backward" };

    /// v = W^T u, a thread a column.
    fn columns(cuda: &Cuda, size: [usize; 2], w: DeviceSlice<f32>, u: DeviceSlice<f32>, v: &DeviceSliceMut<f32>) {
        let [rows, cols] = size.map(|n| n as i32);
        // SAFETY: w is [rows, cols], u [rows], v [cols].
        unsafe {
            cuda.launch(COLUMNS, Grid::linear(size[1].div_ceil(BLOCK as usize), BLOCK), &[&w, &u, v, &rows, &cols])
        }
    }

    /// x = x / |x|, and where asked for, |x|: one block, `THREADS` of spectral_norm.cu.
    fn unit(cuda: &Cuda, x: &DeviceSliceMut<f32>, length: &Option<DeviceSliceMut<f32>>) {
        let n = x.len() as i32;
        // SAFETY: x has n elements, length one.
        unsafe { cuda.launch(UNIT, Grid::linear(1, 1024), &[x, length, &n]) }
    }

    /// See [`iterate`](super::iterate); `v` `[cols]` is working memory.
    pub fn iterate(cuda: &Cuda, size: [usize; 2], w: DeviceSlice<f32>, u: DeviceSliceMut<f32>, v: DeviceSliceMut<f32>) {
        let [rows, cols] = size.map(|n| n as i32);
        assert!(w.len() == size[0] * size[1] && u.len() == size[0] && v.len() == size[1], "spectral_norm: w, u and v");
        columns(cuda, size, w, u.shared(), &v);
        unit(cuda, &v, &None);
        // The rows of w are multiplied by the same v.
        let stride = 0i32;
        // SAFETY: w is [rows, cols], v [cols], u [rows].
        unsafe { cuda.launch(DOTS, Grid::warp_per_row(size[0]), &[&w, &v, &u, &rows, &cols, &stride]) }
        unit(cuda, &u, &None);
    }

    /// See [`forward`](super::forward).
    pub fn forward(
        cuda: &Cuda,
        size: [usize; 2],
        w: DeviceSlice<f32>,
        u: DeviceSlice<f32>,
        v: DeviceSliceMut<f32>,
        sigma: DeviceSliceMut<f32>,
        y: DeviceSliceMut<f32>,
    ) {
        let fits = u.len() == size[0] && v.len() == size[1] && sigma.len() == 1 && y.len() == w.len();
        assert!(fits && w.len() == size[0] * size[1], "spectral_norm: w, u, v, sigma and y");
        columns(cuda, size, w, u, &v);
        let (n, sigma) = (w.len() as u64, Some(sigma));
        unit(cuda, &v, &sigma);
        // SAFETY: w and y have n elements, sigma one.
        unsafe { cuda.launch(FORWARD, Grid::elementwise(w.len()), &[&w, &sigma, &y, &n]) }
    }

    /// See [`backward`](super::backward); `dots` `[rows]` is working memory.
    pub fn backward(
        cuda: &Cuda,
        size: [usize; 2],
        y: DeviceSlice<f32>,
        u: DeviceSlice<f32>,
        v: DeviceSlice<f32>,
        sigma: DeviceSlice<f32>,
        dy: DeviceSlice<f32>,
        dots: DeviceSliceMut<f32>,
        dw: DeviceSliceMut<f32>,
        store: Store,
    ) {
        let fits = u.len() == size[0] && v.len() == size[1] && sigma.len() == 1 && dots.len() == size[0];
        assert!(fits && y.len() == size[0] * size[1], "spectral_norm: y, u, v, sigma and dots");
        assert!(dy.len() == y.len() && dw.len() == y.len(), "spectral_norm: dy and dw");
        let [rows, cols] = size.map(|n| n as i32);
        let stride = cols;
        // SAFETY: y, dy and dw are [rows, cols], u and dots [rows], v [cols], sigma one element.
        unsafe {
            cuda.launch(DOTS, Grid::warp_per_row(size[0]), &[&y, &dy, &dots, &rows, &cols, &stride]);
            let grid = Grid::warp_per_row(size[0]);
            cuda.launch(BACKWARD, grid, &[&dy, &dots, &u, &v, &sigma, &dw, &rows, &cols, &store]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, assert_stores, both, devices, nan, normal, over_threads, wide};

    /// W^T u and its length.
    fn reference([_, cols]: [usize; 2], w: &[f64], u: &[f64]) -> (Vec<f64>, f64) {
        let v: Vec<f64> = (0..cols).map(|j| u.iter().zip(w.chunks(cols)).map(|(u, w)| u * w[j]).sum()).collect();
        let length = v.iter().map(|v| v * v).sum::<f64>().sqrt();
        (v.iter().map(|v| v / length).collect(), length)
    }

    fn check<T: Real>() {
        for (device, size) in devices().flat_map(|d| [[1, 1], [1, 70], [37, 300], [64, 33]].map(|s| (d.clone(), s))) {
            let [rows, cols] = size;
            let w = normal::<T>(1, rows * cols, 0.1, 0.3);
            let u: Vec<T> = {
                let u = normal::<T>(2, rows, 0.2, 1.0);
                let length = wide(&u).iter().map(|u| u * u).sum::<f64>().sqrt();
                u.iter().map(|u| T::from_f64(u.to_f64() / length)).collect()
            };
            let (w64, u64) = (wide(&w), wide(&u));
            let got = over_threads(|| {
                let mut u = u.clone();
                iterate(&device, size, &w, &mut u);
                u
            });
            let (v64, length) = reference(size, &w64, &u64);
            let transposed: Vec<f64> = (0..cols).flat_map(|j| w64.chunks(cols).map(move |w| w[j])).collect();
            assert_close("u", 64.0, &got, &reference([cols, rows], &transposed, &v64).0);

            let got = over_threads(|| {
                let (mut v, mut sigma, mut y) = (nan(cols), nan(1), nan(rows * cols));
                forward(&device, size, &w, &u, &mut v, &mut sigma, &mut y);
                [v, sigma, y].concat()
            });
            let y64: Vec<f64> = w64.iter().map(|w| w / length).collect();
            assert_close("v, sigma, y", 64.0, &got, &[v64.clone(), vec![length], y64.clone()].concat());

            let dy = normal::<T>(3, rows * cols, 0.0, 1.0);
            let dot: f64 = wide(&dy).iter().zip(&y64).map(|(dy, y)| dy * y).sum();
            let along = |i: usize| u64[i / cols] * v64[i % cols];
            let want: Vec<f64> = wide(&dy).iter().enumerate().map(|(i, dy)| (dy - dot * along(i)) / length).collect();
            let (v, sigma, y) = (&got[..cols], &got[cols..=cols], &got[cols + 1..]);
            assert_stores("dw", 256.0, &want, |dw, store| {
                backward(&device, size, y, &u, v, sigma, &dy, dw, store);
            });
        }
    }

    both!(matches_the_reference, check);

    #[test]
    fn iterations_find_the_largest_singular_value() {
        let (device, size) = (Device::cpu(), [3, 4]);
        // Singular values 3, 2 and 1, turned among the rows.
        let (c, s) = (0.6, 0.8);
        let w = [3.0 * c, 2.0 * s, 0.0, 0.0, -3.0 * s, 2.0 * c, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0f64];
        let mut u = [0.1, 0.2, 0.3];
        for _ in 0..40 {
            iterate(&device, size, &w, &mut u);
        }
        let (mut v, mut sigma, mut y) = ([0.0; 4], [0.0], [0.0; 12]);
        forward(&device, size, &w, &u, &mut v, &mut sigma, &mut y);
        assert!((sigma[0] - 3.0).abs() < 1e-12, "{sigma:?}");
    }

    fn of_small_weights<T: Real>() {
        for device in devices() {
            let w = normal::<T>(1, 40 * 90, 0.0, 1.0);
            let small: Vec<T> = w.iter().map(|w| T::from_f64(w.to_f64() * 1e-9)).collect();
            let [large, u] = [&w, &small].map(|w| {
                let mut u = vec![T::from_f64(1.0 / 40f64.sqrt()); 40];
                (0..3).for_each(|_| iterate(&device, [40, 90], w, &mut u));
                u
            });
            assert_close("u", 64.0, &u, &wide(&large));
            let length = wide(&u).iter().map(|u| u * u).sum::<f64>();
            assert!((length - 1.0).abs() < 1e-5, "{length}");
        }
    }

    both!(a_direction_of_small_weights_has_length_1, of_small_weights);

    #[test]
    fn nothing_is_divided_by_nothing() {
        let device = Device::cpu();
        let mut u = [1.0f32, 0.0];
        iterate(&device, [2, 2], &[0.0; 4], &mut u);
        let (mut v, mut sigma, mut y) = ([0.0; 2], [0.0], [0.0; 4]);
        forward(&device, [2, 2], &[0.0; 4], &u, &mut v, &mut sigma, &mut y);
        assert!(u.iter().chain(&v).chain(&y).all(|v| *v == 0.0), "{u:?} {v:?} {y:?}");
    }
}
