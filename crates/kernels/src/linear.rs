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
    use crate::{Simd, philox::Philox};

    fn random(seed: u64, len: usize) -> Vec<f64> {
        let mut stream = Philox::new(seed, 0);
        (0..len).map(|_| f64::from(stream.range(-1.0, 1.0))).collect()
    }

    #[test]
    fn every_pass_agrees_with_its_formula() {
        let (rows, inputs, outputs) = (13, 37, 10);
        let (x, w, b, dy) =
            (random(1, rows * inputs), random(2, outputs * inputs), random(3, outputs), random(4, rows * outputs));
        let near = |got: &[f64], want: &dyn Fn(usize) -> f64| {
            got.iter().enumerate().all(|(i, got)| (got - want(i)).abs() < 1e-13 * (rows + inputs) as f64)
        };
        let sum = |n: usize, term: &dyn Fn(usize) -> f64| (0..n).map(term).sum::<f64>();
        for device in Simd::available().into_iter().map(|simd| Device::cpu_with(simd).unwrap()) {
            let y64 = |i: usize| sum(inputs, &|k| x[i / outputs * inputs + k] * w[i % outputs * inputs + k]);
            let mut y = vec![f64::NAN; rows * outputs];
            forward(&device, rows, inputs, outputs, &x, &w, None, &mut y);
            assert!(near(&y, &y64));
            forward(&device, rows, inputs, outputs, &x, &w, Some(View::from(&b)), &mut y);
            assert!(near(&y, &|i| y64(i) + b[i % outputs]));

            let mut dx = vec![f64::NAN; rows * inputs];
            backward_input(&device, rows, inputs, outputs, &dy, &w, &mut dx, Store::Set);
            assert!(near(&dx, &|i| sum(outputs, &|o| dy[i / inputs * outputs + o] * w[o * inputs + i % inputs])));

            let mut dw = vec![f64::NAN; outputs * inputs];
            backward_weight(&device, rows, inputs, outputs, &x, &dy, &mut dw, Store::Set);
            assert!(near(&dw, &|i| sum(rows, &|r| dy[r * outputs + i / inputs] * x[r * inputs + i % inputs])));

            let mut db = vec![f64::NAN; outputs];
            backward_bias(&device, rows, outputs, &dy, &mut db, Store::Set);
            backward_bias(&device, rows, outputs, &dy, &mut db, Store::Add);
            assert!(near(&db, &|o| 2.0 * sum(rows, &|r| dy[r * outputs + o])));
        }
    }
}
