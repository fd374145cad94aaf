//! Logistic function: y = 1 / (1 + e^-x).

use crate::parallel::{self, CHUNK};
use crate::simd::vectorized;
use crate::view::{View, ViewMut};
use crate::{Device, Real, Store, Work};

/// y = 1 / (1 + e^-x).
pub fn forward<'a, T: Real>(device: &Device, x: impl Into<View<'a, T>>, y: impl Into<ViewMut<'a, T>>) {
    let (x, y) = (x.into(), y.into());
    let _span = device.span("sigmoid.forward", || Work::memory(x.len(), 2 * x.bytes()));
    assert_eq!(x.len(), y.len(), "sigmoid: x and y");
    if let Some(cuda) = device.gpu() {
        return cuda::forward(cuda, x.on_gpu(), y.on_gpu());
    }
    let (x, y) = (x.host(), y.host());
    parallel::split((x, y), x.len(), CHUNK / 8, |_, (x, y)| forward_chunk(device.simd(), x, y));
}

/// dx = dy y (1 - y).
pub fn backward<'a, T: Real>(
    device: &Device,
    y: impl Into<View<'a, T>>,
    dy: impl Into<View<'a, T>>,
    dx: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (y, dy, dx) = (y.into(), dy.into(), dx.into());
    let _span = device.span("sigmoid.backward", || Work::memory(y.len(), 2 * y.bytes() + store.bytes(dx.bytes())));
    assert!(y.len() == dy.len() && y.len() == dx.len(), "sigmoid: y, dy and dx");
    if let Some(cuda) = device.gpu() {
        return cuda::backward(cuda, y.on_gpu(), dy.on_gpu(), dx.on_gpu(), store);
    }
    let (y, dy, dx) = (y.host(), dy.host(), dx.host());
    parallel::split((y, dy, dx), y.len(), CHUNK, |_, (y, dy, dx)| backward_chunk(device.simd(), y, dy, dx, store));
}

vectorized! {
    fn forward_chunk<T: Real>(x: &[T], y: &mut [T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = T::ONE / (T::ONE + (-x).exp());
        }
    }

    fn backward_chunk<T: Real>(y: &[T], dy: &[T], dx: &mut [T], store: Store) {
        let operands = dx.iter_mut().zip(y).zip(dy);
        match store {
            Store::Set => operands.for_each(|((dx, &y), &dy)| *dx = dy * y * (T::ONE - y)),
            Store::Add => operands.for_each(|((dx, &y), &dy)| *dx += dy * y * (T::ONE - y)),
        }
    }
}

/// The same on a GPU.
pub mod cuda {
    use crate::Store;
    use crate::cuda::{Cuda, Grid, Kernel};
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const FORWARD: Kernel = Kernel { module: "sigmoid", name: "sigmoid_forward" };
    const BACKWARD: Kernel = Kernel { module: "sigmoid", name: "sigmoid_backward" };

    /// See [`forward`](super::forward).
    pub fn forward(cuda: &Cuda, x: DeviceSlice<f32>, y: DeviceSliceMut<f32>) {
        assert_eq!(x.len(), y.len(), "sigmoid: x and y");
        let n = x.len() as u64;
        // SAFETY: x and y have n elements.
        unsafe { cuda.launch(FORWARD, Grid::elementwise(x.len()), &[&x, &y, &n]) }
    }

    /// See [`backward`](super::backward).
    pub fn backward(cuda: &Cuda, y: DeviceSlice<f32>, dy: DeviceSlice<f32>, dx: DeviceSliceMut<f32>, store: Store) {
        assert!(y.len() == dy.len() && y.len() == dx.len(), "sigmoid: y, dy and dx");
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
        check_map::<T>(4.0, set_or_add, |x| 1.0 / (1.0 + (-x).exp()));
        check_map2::<T>(4.0, |d, y, dy, dx, s| backward(d, y, dy, dx, s), |y, dy| dy * y * (1.0 - y));
    }

    both!(matches_the_reference, check);
}
