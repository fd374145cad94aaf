//! Elementwise sums: y = a + b, and y += x.

use crate::parallel::{self, CHUNK};
use crate::simd::vectorized;
use crate::view::{View, ViewMut};
use crate::{Device, Real, Work};

/// y = a + b.
pub fn forward<'a, T: Real>(
    device: &Device,
    a: impl Into<View<'a, T>>,
    b: impl Into<View<'a, T>>,
    y: impl Into<ViewMut<'a, T>>,
) {
    let (a, b, y) = (a.into(), b.into(), y.into());
    let _span = device.span("add.forward", || Work::memory(y.len(), 3 * y.bytes()));
    assert!(a.len() == b.len() && a.len() == y.len(), "add: a, b and y");
    if let Some(cuda) = device.gpu() {
        return cuda::forward(cuda, a.on_gpu(), b.on_gpu(), y.on_gpu());
    }
    let (a, b, y) = (a.host(), b.host(), y.host());
    parallel::split((a, b, y), a.len(), CHUNK, |_, (a, b, y)| forward_chunk(device.simd(), a, b, y));
}

/// y += x.
pub fn accumulate<'a, T: Real>(device: &Device, x: impl Into<View<'a, T>>, y: impl Into<ViewMut<'a, T>>) {
    let (x, y) = (x.into(), y.into());
    let _span = device.span("add.accumulate", || Work::memory(y.len(), 3 * y.bytes()));
    assert_eq!(x.len(), y.len(), "add: x and y");
    if let Some(cuda) = device.gpu() {
        return cuda::accumulate(cuda, x.on_gpu(), y.on_gpu());
    }
    let (x, y) = (x.host(), y.host());
    parallel::split((x, y), x.len(), CHUNK, |_, (x, y)| accumulate_chunk(device.simd(), x, y));
}

vectorized! {
    fn forward_chunk<T: Real>(a: &[T], b: &[T], y: &mut [T]) {
        for ((y, &a), &b) in y.iter_mut().zip(a).zip(b) {
            *y = a + b;
        }
    }

    pub(crate) fn accumulate_chunk<T: Real>(x: &[T], y: &mut [T]) {
        for (y, &x) in y.iter_mut().zip(x) {
            *y += x;
        }
    }
}

/// The same on a GPU.
pub mod cuda {
    use crate::cuda::{Cuda, Grid, Kernel};
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const FORWARD: Kernel = Kernel { module: "add", name: "add_forward" };
    const ACCUMULATE: Kernel = Kernel { module: "add", name: "add_accumulate" };

    /// See [`forward`](super::forward).
    pub fn forward(cuda: &Cuda, a: DeviceSlice<f32>, b: DeviceSlice<f32>, y: DeviceSliceMut<f32>) {
        assert!(a.len() == b.len() && a.len() == y.len(), "add: a, b and y");
        let n = a.len() as u64;
        // SAFETY: a, b and y have n elements.
        unsafe { cuda.launch(FORWARD, Grid::elementwise(a.len()), &[&a, &b, &y, &n]) }
    }

    /// See [`accumulate`](super::accumulate).
    pub fn accumulate(cuda: &Cuda, x: DeviceSlice<f32>, y: DeviceSliceMut<f32>) {
        assert_eq!(x.len(), y.len(), "add: x and y");
        let n = x.len() as u64;
        // SAFETY: x and y have n elements.
        unsafe { cuda.launch(ACCUMULATE, Grid::elementwise(x.len()), &[&x, &y, &n]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Store;
    use crate::testing::{both, check_map2};

    fn check<T: Real>() {
        let set_or_add = |device: &Device, a: &[T], b: &[T], y: &mut [T], store| match store {
            Store::Set => forward(device, a, b, y),
            Store::Add => {
                accumulate(device, a, &mut *y);
                accumulate(device, b, y);
            }
        };
        check_map2::<T>(2.0, set_or_add, |a, b| a + b);
    }

    both!(matches_the_reference, check);
}
