//! Rectified linear unit: y = max(x, 0) (Nair and Hinton 2010).

use crate::parallel::{self, CHUNK};
use crate::simd::vectorized;
use crate::view::{View, ViewMut};
use crate::{Device, Real, Store, Work};

/// y = max(x, 0); NaN stays NaN.
pub fn forward<'a, T: Real>(device: &Device, x: impl Into<View<'a, T>>, y: impl Into<ViewMut<'a, T>>) {
    let (x, y) = (x.into(), y.into());
    let _span = device.span("relu.forward", || Work::memory(x.len(), 2 * x.bytes()));
    assert_eq!(x.len(), y.len(), "relu: x and y");
    if let Some(cuda) = device.gpu() {
        return cuda::forward(cuda, x.on_gpu(), y.on_gpu());
    }
    let (x, y) = (x.host(), y.host());
    parallel::split((x, y), x.len(), CHUNK, |_, (x, y)| forward_chunk(device.simd(), x, y));
}

/// dx = dy where y > 0, else 0.
pub fn backward<'a, T: Real>(
    device: &Device,
    y: impl Into<View<'a, T>>,
    dy: impl Into<View<'a, T>>,
    dx: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (y, dy, dx) = (y.into(), dy.into(), dx.into());
    let _span = device.span("relu.backward", || Work::memory(y.len(), 2 * y.bytes() + store.bytes(dx.bytes())));
    assert!(y.len() == dy.len() && y.len() == dx.len(), "relu: y, dy and dx");
    if let Some(cuda) = device.gpu() {
        return cuda::backward(cuda, y.on_gpu(), dy.on_gpu(), dx.on_gpu(), store);
    }
    let (y, dy, dx) = (y.host(), dy.host(), dx.host());
    parallel::split((y, dy, dx), y.len(), CHUNK, |_, (y, dy, dx)| backward_chunk(device.simd(), y, dy, dx, store));
}

vectorized! {
    fn forward_chunk<T: Real>(x: &[T], y: &mut [T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = if x <= T::ZERO { T::ZERO } else { x };
        }
    }

    fn backward_chunk<T: Real>(y: &[T], dy: &[T], dx: &mut [T], store: Store) {
        let operands = dx.iter_mut().zip(y).zip(dy);
        match store {
            Store::Set => operands.for_each(|((dx, &y), &dy)| *dx = if y > T::ZERO { dy } else { T::ZERO }),
            Store::Add => operands.for_each(|((dx, &y), &dy)| *dx += if y > T::ZERO { dy } else { T::ZERO }),
        }
    }
}

/// The same on a GPU.
pub mod cuda {
    use crate::Store;
    use crate::cuda::{Cuda, Grid, Kernel};
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const FORWARD: Kernel = Kernel { module: "relu", name: "relu_forward" };
    const BACKWARD: Kernel = Kernel { module: "relu", name: "relu_backward" };

    /// See [`forward`](super::forward).
    pub fn forward(cuda: &Cuda, x: DeviceSlice<f32>, y: DeviceSliceMut<f32>) {
        assert_eq!(x.len(), y.len(), "relu: x and y");
        let n = x.len() as u64;
        // SAFETY: x and y have n elements.
        unsafe { cuda.launch(FORWARD, Grid::elementwise(x.len()), &[&x, &y, &n]) }
    }

    /// See [`backward`](super::backward).
    pub fn backward(cuda: &Cuda, y: DeviceSlice<f32>, dy: DeviceSlice<f32>, dx: DeviceSliceMut<f32>, store: Store) {
        assert!(y.len() == dy.len() && y.len() == dx.len(), "relu: y, dy and dx");
        let n = y.len() as u64;
        // SAFETY: y, dy and dx have n elements.
        unsafe { cuda.launch(BACKWARD, Grid::elementwise(y.len()), &[&y, &dy, &dx, &n, &store]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{LENGTHS, check_map2, devices, normal, over_threads, wide};

    fn forward_is_exact<T: Real>() {
        for device in devices() {
            for n in LENGTHS {
                let x = normal::<T>(1, n, 0.0, 1.0);
                let y = over_threads(|| {
                    let mut y = crate::testing::nan(n);
                    forward(&device, &x, &mut y);
                    y
                });
                assert_eq!(wide(&y), wide(&x).iter().map(|&x| x.max(0.0)).collect::<Vec<_>>());
            }
            let mut y = [T::ZERO];
            forward(&device, &[T::from_f64(f64::NAN)], &mut y);
            assert!(y[0].to_f64().is_nan(), "divergence stays visible");
        }
    }

    #[test]
    fn matches_the_reference() {
        forward_is_exact::<f32>();
        forward_is_exact::<f64>();
        let reference = |y: f64, dy: f64| if y > 0.0 { dy } else { 0.0 };
        check_map2::<f32>(1.0, |d, y, dy, dx, s| backward(d, y, dy, dx, s), reference);
        check_map2::<f64>(1.0, |d, y, dy, dx, s| backward(d, y, dy, dx, s), reference);
    }
}
