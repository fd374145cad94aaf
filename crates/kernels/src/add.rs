//! Elementwise sums: y = a + b, and y += x.

use crate::parallel::{self, CHUNK};
use crate::simd::vectorized;
use crate::{Device, Real, Work};

/// y = a + b.
pub fn forward<T: Real>(device: &Device, a: &[T], b: &[T], y: &mut [T]) {
    let _span = device.span("add.forward", || Work::memory(y.len(), 3 * size_of_val(y)));
    assert!(a.len() == b.len() && a.len() == y.len(), "add: a, b and y");
    parallel::split((a, b, y), a.len(), CHUNK, |_, (a, b, y)| forward_chunk(device.simd(), a, b, y));
}

/// y += x.
pub fn accumulate<T: Real>(device: &Device, x: &[T], y: &mut [T]) {
    let _span = device.span("add.accumulate", || Work::memory(y.len(), 3 * size_of_val(y)));
    assert_eq!(x.len(), y.len(), "add: x and y");
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
    use crate::testing::check_map2;

    fn check<T: Real>() {
        let set_or_add = |device: &Device, a: &[T], b: &[T], y: &mut [T], store| match store {
            Store::Set => forward(device, a, b, y),
            Store::Add => {
                accumulate(device, a, y);
                accumulate(device, b, y);
            }
        };
        check_map2::<T>(2.0, set_or_add, |a, b| a + b);
    }

    #[test]
    fn matches_the_reference() {
        check::<f32>();
        check::<f64>();
    }
}
