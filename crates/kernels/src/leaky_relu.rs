//! Leaky rectified linear unit: y = x where x > 0, else slope x (Maas et al. 2013), slope > 0.

use crate::parallel::{self, CHUNK};
use crate::simd::vectorized;
use crate::view::{View, ViewMut};
use crate::{Device, Real, Store, Work};

/// y = x where x > 0, else slope x.
pub fn forward<'a, T: Real>(device: &Device, slope: T, x: impl Into<View<'a, T>>, y: impl Into<ViewMut<'a, T>>) {
    let (x, y) = (x.into(), y.into());
    let _span = device.span("leaky_relu.forward", || Work::memory(x.len(), 2 * x.bytes()));
    assert_eq!(x.len(), y.len(), "leaky_relu: x and y");
    if let Some(cuda) = device.gpu() {
        return cuda::forward(cuda, slope.to_f64() as f32, x.on_gpu(), y.on_gpu());
    }
    let (x, y) = (x.host(), y.host());
    parallel::split((x, y), x.len(), CHUNK, |_, (x, y)| forward_chunk(device.simd(), slope, x, y));
}

/// dx = dy where y > 0, else slope dy: y has the sign of x, and the derivative at 0 is the slope, as in PyTorch.
pub fn backward<'a, T: Real>(
    device: &Device,
    slope: T,
    y: impl Into<View<'a, T>>,
    dy: impl Into<View<'a, T>>,
    dx: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (y, dy, dx) = (y.into(), dy.into(), dx.into());
    let _span = device.span("leaky_relu.backward", || Work::memory(y.len(), 2 * y.bytes() + store.bytes(dx.bytes())));
    assert!(slope > T::ZERO, "leaky_relu: y has the sign of x only for a positive slope, got {slope}");
    assert!(y.len() == dy.len() && y.len() == dx.len(), "leaky_relu: y, dy and dx");
    if let Some(cuda) = device.gpu() {
        return cuda::backward(cuda, slope.to_f64() as f32, y.on_gpu(), dy.on_gpu(), dx.on_gpu(), store);
    }
    let (y, dy, dx) = (y.host(), dy.host(), dx.host());
    parallel::split((y, dy, dx), y.len(), CHUNK, |_, (y, dy, dx)| {
        backward_chunk(device.simd(), slope, y, dy, dx, store);
    });
}

vectorized! {
    fn forward_chunk<T: Real>(slope: T, x: &[T], y: &mut [T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y = if x > T::ZERO { x } else { slope * x };
        }
    }

    fn backward_chunk<T: Real>(slope: T, y: &[T], dy: &[T], dx: &mut [T], store: Store) {
        let operands = dx.iter_mut().zip(y).zip(dy);
        match store {
            Store::Set => operands.for_each(|((dx, &y), &dy)| *dx = if y > T::ZERO { dy } else { slope * dy }),
            Store::Add => operands.for_each(|((dx, &y), &dy)| *dx += if y > T::ZERO { dy } else { slope * dy }),
        }
    }
}

/// The same on a GPU.
pub mod cuda {
    use crate::Store;
    use crate::cuda::{Cuda, Grid, Kernel};
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const FORWARD: Kernel = Kernel { module: "leaky_relu", name: "leaky_relu_forward" };
    const BACKWARD: Kernel = Kernel { module: "leaky_relu", name: "leaky_relu_backward" };

    /// See [`forward`](super::forward).
    pub fn forward(cuda: &Cuda, slope: f32, x: DeviceSlice<f32>, y: DeviceSliceMut<f32>) {
        assert_eq!(x.len(), y.len(), "leaky_relu: x and y");
        let n = x.len() as u64;
        // SAFETY: x and y have n elements.
        unsafe { cuda.launch(FORWARD, Grid::elementwise(x.len()), &[&x, &y, &n, &slope]) }
    }

    /// See [`backward`](super::backward).
    pub fn backward(
        cuda: &Cuda,
        slope: f32,
        y: DeviceSlice<f32>,
        dy: DeviceSlice<f32>,
        dx: DeviceSliceMut<f32>,
        store: Store,
    ) {
        assert!(slope > 0.0, "leaky_relu: y has the sign of x only for a positive slope, got {slope}");
        assert!(y.len() == dy.len() && y.len() == dx.len(), "leaky_relu: y, dy and dx");
        let n = y.len() as u64;
        // SAFETY: y, dy and dx have n elements.
        unsafe { cuda.launch(BACKWARD, Grid::elementwise(y.len()), &[&y, &dy, &dx, &n, &slope, &store]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{both, check_map, check_map2};

    fn check<T: Real>() {
        let slope = T::from_f64(0.2);
        let reference = |x: f64, dy: f64| if x > 0.0 { dy } else { slope.to_f64() * dy };
        let set = |device: &Device, x: &[T], y: &mut [T], store| match store {
            Store::Set => forward(device, slope, x, y),
            Store::Add => backward(device, slope, x, x, y, store), // slope x again: the sign of x is that of y
        };
        check_map::<T>(1.0, set, |x| reference(x, x));
        check_map2::<T>(1.0, |device, y, dy, dx, store| backward(device, slope, y, dy, dx, store), reference);
    }

    both!(matches_the_reference, check);
}
