//! Hyperbolic tangent: y = tanh x.
//!
//! From t = tanh(x / 32), by the eighth convergent of Lambert's continued fraction u / (1 + u^2 / (3 + u^2 / (5 + ..))),
//! and five doublings tanh 2u = 2 t / (1 + t^2), each of which damps the error before it. Arithmetic alone: it
//! vectorises, where a call of the math library for each element takes several times as long.

use crate::parallel::{self, CHUNK};
use crate::simd::vectorized;
use crate::view::{View, ViewMut};
use crate::{Device, Real, Store, Work};

/// y = tanh x.
pub fn forward<'a, T: Real>(device: &Device, x: impl Into<View<'a, T>>, y: impl Into<ViewMut<'a, T>>) {
    let (x, y) = (x.into(), y.into());
    let _span = device.span("tanh.forward", || Work::memory(x.len(), 2 * x.bytes()));
    assert_eq!(x.len(), y.len(), "tanh: x and y");
    if let Some(cuda) = device.gpu() {
        return cuda::forward(cuda, x.on_gpu(), y.on_gpu());
    }
    let (x, y) = (x.host(), y.host());
    parallel::split((x, y), x.len(), CHUNK, |_, (x, y)| forward_chunk(device.simd(), x, y));
}

/// dx = dy (1 - y^2).
pub fn backward<'a, T: Real>(
    device: &Device,
    y: impl Into<View<'a, T>>,
    dy: impl Into<View<'a, T>>,
    dx: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (y, dy, dx) = (y.into(), dy.into(), dx.into());
    let _span = device.span("tanh.backward", || Work::memory(y.len(), 2 * y.bytes() + store.bytes(dx.bytes())));
    assert!(y.len() == dy.len() && y.len() == dx.len(), "tanh: y, dy and dx");
    if let Some(cuda) = device.gpu() {
        return cuda::backward(cuda, y.on_gpu(), dy.on_gpu(), dx.on_gpu(), store);
    }
    let (y, dy, dx) = (y.host(), dy.host(), dx.host());
    parallel::split((y, dy, dx), y.len(), CHUNK, |_, (y, dy, dx)| backward_chunk(device.simd(), y, dy, dx, store));
}

/// tanh x to a few units in the last place; NaN stays NaN.
#[inline(always)]
fn tanh<T: Real>(x: T) -> T {
    let c = T::from_f64;
    // tanh 20 rounds to 1, in f64 too.
    let limit = c(20.0);
    let x = if x > limit { limit } else { x };
    let x = if x < -limit { -limit } else { x };
    let u = x * c(1.0 / 32.0);
    let s = u * u;
    let p = ((c(36.0) * s + c(6930.0)) * s + c(270_270.0)) * s + c(2_027_025.0);
    let q = (((s + c(630.0)) * s + c(51_975.0)) * s + c(945_945.0)) * s + c(2_027_025.0);
    let mut t = u * p / q;
    for _ in 0..5 {
        t = (t + t) / (T::ONE + t * t);
    }
    // Rounding must not leave [-1, 1].
    let t = if t > T::ONE { T::ONE } else { t };
    if t < -T::ONE { -T::ONE } else { t }
}

vectorized! {
    fn forward_chunk<T: Real>(x: &[T], y: &mut [T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = tanh(x);
        }
    }

    fn backward_chunk<T: Real>(y: &[T], dy: &[T], dx: &mut [T], store: Store) {
        let operands = dx.iter_mut().zip(y).zip(dy);
        match store {
            Store::Set => operands.for_each(|((dx, &y), &dy)| *dx = dy * (T::ONE - y * y)),
            Store::Add => operands.for_each(|((dx, &y), &dy)| *dx += dy * (T::ONE - y * y)),
        }
    }
}

/// The same on a GPU.
pub mod cuda {
    use crate::Store;
    use crate::cuda::{Cuda, Grid, Kernel};
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const FORWARD: Kernel = Kernel { module: "tanh", name: "tanh_forward" };
    const BACKWARD: Kernel = Kernel { module: "tanh", name: "tanh_backward" };

    /// See [`forward`](super::forward).
    pub fn forward(cuda: &Cuda, x: DeviceSlice<f32>, y: DeviceSliceMut<f32>) {
        assert_eq!(x.len(), y.len(), "tanh: x and y");
        let n = x.len() as u64;
        // SAFETY: x and y have n elements.
        unsafe { cuda.launch(FORWARD, Grid::elementwise(x.len()), &[&x, &y, &n]) }
    }

    /// See [`backward`](super::backward).
    pub fn backward(cuda: &Cuda, y: DeviceSlice<f32>, dy: DeviceSlice<f32>, dx: DeviceSliceMut<f32>, store: Store) {
        assert!(y.len() == dy.len() && y.len() == dx.len(), "tanh: y, dy and dx");
        let n = y.len() as u64;
        // SAFETY: y, dy and dx have n elements.
        unsafe { cuda.launch(BACKWARD, Grid::elementwise(y.len()), &[&y, &dy, &dx, &n, &store]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{both, check_map, check_map2};

    fn check<T: Real>() {
        let set_or_add = |device: &Device, x: &[T], y: &mut [T], store| match store {
            Store::Set => forward(device, x, y),
            Store::Add => {
                let mut value = vec![T::ZERO; x.len()];
                forward(device, x, &mut value);
                crate::add::accumulate(device, &value, y);
            }
        };
        check_map::<T>(4.0, set_or_add, |x| x.tanh());
        check_map2::<T>(4.0, |d, y, dy, dx, s| backward(d, y, dy, dx, s), |y, dy| dy * (1.0 - y * y));
    }

    both!(matches_the_reference, check);

    #[test]
    fn dense_values_stay_within_a_few_units_and_in_range() {
        fn check<T: Real>() {
            for i in -250_000..=250_000 {
                let x = T::from_f64(f64::from(i) * 1e-4);
                let (y, want) = (tanh(x).to_f64(), x.to_f64().tanh());
                let bound = 5.0 * crate::testing::epsilon::<T>() * want.abs();
                assert!((y - want).abs() <= bound && y.abs() <= 1.0, "tanh {x}: {y}, reference {want}");
            }
            for (x, y) in [(1e30, 1.0), (f64::INFINITY, 1.0), (f64::NEG_INFINITY, -1.0)] {
                assert_eq!(tanh(T::from_f64(x)).to_f64(), y);
            }
            assert!(tanh(T::from_f64(f64::NAN)).to_f64().is_nan());
        }
        check::<f32>();
        check::<f64>();
    }
}
