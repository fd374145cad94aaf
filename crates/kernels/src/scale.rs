//! Product with a number: y = alpha x.

use crate::parallel::{self, CHUNK};
use crate::simd::vectorized;
use crate::view::{View, ViewMut};
use crate::{Device, Real, Store, Work};

/// y = alpha x.
pub fn forward<'a, T: Real>(
    device: &Device,
    alpha: T,
    x: impl Into<View<'a, T>>,
    y: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (x, y) = (x.into(), y.into());
    let _span = device.span("scale.forward", || Work::memory(x.len(), x.bytes() + store.bytes(y.bytes())));
    assert_eq!(x.len(), y.len(), "scale: x and y");
    if let Some(cuda) = device.gpu() {
        return cuda::forward(cuda, alpha.to_f64() as f32, x.on_gpu(), y.on_gpu(), store);
    }
    let (x, y) = (x.host(), y.host());
    parallel::split((x, y), x.len(), CHUNK, |_, (x, y)| forward_chunk(device.simd(), alpha, x, y, store));
}

vectorized! {
    fn forward_chunk<T: Real>(alpha: T, x: &[T], y: &mut [T], store: Store) {
        let operands = y.iter_mut().zip(x);
        match store {
            Store::Set => operands.for_each(|(y, &x)| *y = alpha * x),
            Store::Add => operands.for_each(|(y, &x)| *y += alpha * x),
        }
    }
}

/// The same on a GPU.
pub mod cuda {
    use crate::Store;
    use crate::cuda::{Cuda, Grid, Kernel};
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const FORWARD: Kernel = Kernel { module: "scale", name: "scale_forward" };

    /// See [`forward`](super::forward).
    pub fn forward(cuda: &Cuda, alpha: f32, x: DeviceSlice<f32>, y: DeviceSliceMut<f32>, store: Store) {
        assert_eq!(x.len(), y.len(), "scale: x and y");
        let n = x.len() as u64;
        // SAFETY: x and y have n elements.
        unsafe { cuda.launch(FORWARD, Grid::elementwise(x.len()), &[&alpha, &x, &y, &n, &store]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{both, check_map};

    fn check<T: Real>() {
        let alpha = T::from_f64(-1.7);
        check_map::<T>(2.0, |device, x, y, store| forward(device, alpha, x, y, store), |x| alpha.to_f64() * x);
    }

    both!(matches_the_reference, check);
}
