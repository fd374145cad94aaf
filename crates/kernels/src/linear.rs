//! The linear layer `y = x w^T + b`: x `[rows, inputs]`, w `[outputs, inputs]`, b `[outputs]`, y `[rows, outputs]`.

use crate::gemm::{Transpose, gemm};
use crate::simd::vectorized;
use crate::view::{View, ViewMut};
use crate::{Device, Real, Store, Work};

/// `y = x w^T + b`.
pub fn forward<'a, T: Real>(
    device: &Device,
    rows: usize,
    inputs: usize,
    outputs: usize,
    x: impl Into<View<'a, T>>,
    w: impl Into<View<'a, T>>,
    b: Option<View<'a, T>>,
    y: impl Into<ViewMut<'a, T>>,
) {
    let (x, w, mut y) = (x.into(), w.into(), y.into());
    let _span = device.span("linear.forward", || work([rows, inputs, outputs], x.bytes() + w.bytes() + y.bytes()));
    assert_eq!(y.len(), rows * outputs, "linear: y is [rows, outputs] = [{rows}, {outputs}]");
    let store = match b {
        Some(b) => {
            assert_eq!(b.len(), outputs, "linear: b is [outputs] = [{outputs}]");
            bias(device, rows, outputs, b, y.reborrow());
            Store::Add
        }
        None => Store::Set,
    };
    gemm(device, Transpose::No, Transpose::Yes, rows, outputs, inputs, x, w, y, store);
}

/// `y = b` in each row.
fn bias<T: Real>(device: &Device, rows: usize, outputs: usize, b: View<T>, y: ViewMut<T>) {
    match device.gpu() {
        Some(cuda) => cuda::bias(cuda, rows, outputs, b.on_gpu(), y.on_gpu(), Store::Set),
        None => y.host().chunks_exact_mut(outputs.max(1)).for_each(|y| y.copy_from_slice(b.host())),
    }
}

/// `dx (=|+=) dy w`.
pub fn backward_input<'a, T: Real>(
    device: &Device,
    rows: usize,
    inputs: usize,
    outputs: usize,
    dy: impl Into<View<'a, T>>,
    w: impl Into<View<'a, T>>,
    dx: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (dy, w, dx) = (dy.into(), w.into(), dx.into());
    let bytes = dy.bytes() + w.bytes() + store.bytes(dx.bytes());
    let _span = device.span("linear.backward_input", || work([rows, inputs, outputs], bytes));
    gemm(device, Transpose::No, Transpose::No, rows, inputs, outputs, dy, w, dx, store);
}

/// `dw (=|+=) dy^T x`.
pub fn backward_weight<'a, T: Real>(
    device: &Device,
    rows: usize,
    inputs: usize,
    outputs: usize,
    x: impl Into<View<'a, T>>,
    dy: impl Into<View<'a, T>>,
    dw: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (x, dy, dw) = (x.into(), dy.into(), dw.into());
    let bytes = x.bytes() + dy.bytes() + store.bytes(dw.bytes());
    let _span = device.span("linear.backward_weight", || work([rows, inputs, outputs], bytes));
    gemm(device, Transpose::Yes, Transpose::No, outputs, inputs, rows, dy, x, dw, store);
}

/// `db (=|+=)` the column sums of dy, rows in order.
pub fn backward_bias<'a, T: Real>(
    device: &Device,
    rows: usize,
    outputs: usize,
    dy: impl Into<View<'a, T>>,
    db: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (dy, db) = (dy.into(), db.into());
    let _span = device.span("linear.backward_bias", || {
        Work::memory(format!("{rows}x{outputs}"), dy.bytes() + store.bytes(db.bytes()))
    });
    assert_eq!(dy.len(), rows * outputs, "linear: dy is [rows, outputs] = [{rows}, {outputs}]");
    assert_eq!(db.len(), outputs, "linear: db is [outputs] = [{outputs}]");
    if let Some(cuda) = device.gpu() {
        return cuda::backward_bias(cuda, rows, outputs, dy.on_gpu(), db.on_gpu(), store);
    }
    let (dy, db) = (dy.host(), db.host());
    if store == Store::Set {
        db.fill(T::ZERO);
    }
    add_rows(device.simd(), dy, db);
}

/// Every pass of a layer multiplies the same three sizes.
fn work([rows, inputs, outputs]: [usize; 3], bytes: usize) -> Work {
    Work { shape: format!("{rows} {inputs}-{outputs}"), ..Work::gemm([rows, outputs, inputs], bytes) }
}

vectorized! {
    /// Adds every row of `x` to `sum`, in order.
    fn add_rows<T: Real>(x: &[T], sum: &mut [T]) {
        for row in x.chunks_exact(sum.len().max(1)) {
            for (sum, &x) in sum.iter_mut().zip(row) {
                *sum += x;
            }
        }
    }
}

/// The bias on a GPU; the products are GEMMs.
pub mod cuda {
    use crate::Store;
    use crate::cuda::{BLOCK, Cuda, Grid, Kernel};
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const BIAS: Kernel = Kernel { module: "linear", name: "linear_bias" };
    const BACKWARD_BIAS: Kernel = Kernel { module: "linear", name: "linear_backward_bias" };

    /// `y (=|+=) b` in each of `rows` rows.
    pub fn bias(cuda: &Cuda, rows: usize, outputs: usize, b: DeviceSlice<f32>, y: DeviceSliceMut<f32>, store: Store) {
        assert_eq!(y.len(), rows * outputs, "linear: y is [rows, outputs] = [{rows}, {outputs}]");
        assert_eq!(b.len(), outputs, "linear: b is [outputs] = [{outputs}]");
        let grid = Grid::linear(y.len().div_ceil(BLOCK as usize), BLOCK);
        // SAFETY: the lengths were checked.
        unsafe { cuda.launch(BIAS, grid, &[&b, &y, &(rows as i32), &(outputs as i32), &store]) }
    }

    /// See [`backward_bias`](super::backward_bias).
    pub fn backward_bias(
        cuda: &Cuda,
        rows: usize,
        outputs: usize,
        dy: DeviceSlice<f32>,
        db: DeviceSliceMut<f32>,
        store: Store,
    ) {
        assert_eq!(dy.len(), rows * outputs, "linear: dy is [rows, outputs] = [{rows}, {outputs}]");
        assert_eq!(db.len(), outputs, "linear: db is [outputs] = [{outputs}]");
        // 32 columns a block, 32 threads a column.
        let grid = Grid { threads: [32, 32, 1], ..Grid::linear(outputs.div_ceil(32), 1) };
        // SAFETY: the lengths were checked.
        unsafe { cuda.launch(BACKWARD_BIAS, grid, &[&dy, &db, &(rows as i32), &(outputs as i32), &store]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, assert_stores, both, devices, nan, over_threads, uniform, wide};

    fn check<T: Real>() {
        // A single row and column, and enough of both for several tasks.
        let sizes = [[1, 1, 1], [13, 37, 10], [200, 300, 70]];
        for (device, [rows, inputs, outputs]) in devices().flat_map(|device| sizes.map(|size| (device.clone(), size))) {
            let (x, w) = (uniform::<T>(1, rows * inputs), uniform::<T>(2, outputs * inputs));
            let (b, dy) = (uniform::<T>(3, outputs), uniform::<T>(4, rows * outputs));
            let [x64, w64, b64, dy64] = [&x, &w, &b, &dy].map(|v| wide(v));
            let units = (rows + inputs + outputs) as f64;
            let dot = |n: usize, term: &dyn Fn(usize) -> f64| (0..n).map(term).sum::<f64>();

            let products = (0..rows * outputs)
                .map(|i| dot(inputs, &|k| x64[i / outputs * inputs + k] * w64[i % outputs * inputs + k]))
                .collect::<Vec<_>>();
            for bias in [None, Some(&b)] {
                let y = over_threads(|| {
                    let mut y = nan(rows * outputs);
                    forward(&device, rows, inputs, outputs, &x, &w, bias.map(View::from), &mut y);
                    y
                });
                let of_bias = |i: usize| bias.map_or(0.0, |_| b64[i % outputs]);
                let want = products.iter().enumerate().map(|(i, xw)| xw + of_bias(i)).collect::<Vec<_>>();
                assert_close("y", units, &y, &want);
            }

            let want = (0..rows * inputs)
                .map(|i| dot(outputs, &|o| dy64[i / inputs * outputs + o] * w64[o * inputs + i % inputs]))
                .collect::<Vec<_>>();
            assert_stores("dx", units, &want, |dx, store| {
                backward_input(&device, rows, inputs, outputs, &dy, &w, dx, store);
            });
            let want = (0..outputs * inputs)
                .map(|i| dot(rows, &|r| dy64[r * outputs + i / inputs] * x64[r * inputs + i % inputs]))
                .collect::<Vec<_>>();
            assert_stores("dw", units, &want, |dw, store| {
                backward_weight(&device, rows, inputs, outputs, &x, &dy, dw, store);
            });
            let want = (0..outputs).map(|o| dot(rows, &|r| dy64[r * outputs + o])).collect::<Vec<_>>();
            assert_stores("db", units, &want, |db, store| {
                backward_bias(&device, rows, outputs, &dy, db, store);
            });
        }
    }

    both!(every_pass_agrees_with_its_formula, check);
}
