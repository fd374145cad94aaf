//! Logistic function: y = 1 / (1 + e^-x).

use crate::parallel::{self, CHUNK};
use crate::simd::vectorized;
use crate::{Device, Real, Store, Work};

/// y = 1 / (1 + e^-x).
pub fn forward<T: Real>(device: &Device, x: &[T], y: &mut [T]) {
    let _span = device.span("sigmoid.forward", || Work::memory(x.len(), 2 * size_of_val(x)));
    assert_eq!(x.len(), y.len(), "sigmoid: x and y");
    parallel::split((x, y), x.len(), CHUNK / 8, |_, (x, y)| forward_chunk(device.simd(), x, y));
}

/// dx = dy y (1 - y).
pub fn backward<T: Real>(device: &Device, y: &[T], dy: &[T], dx: &mut [T], store: Store) {
    let _span =
        device.span("sigmoid.backward", || Work::memory(y.len(), 2 * size_of_val(y) + store.bytes(size_of_val(dx))));
    assert!(y.len() == dy.len() && y.len() == dx.len(), "sigmoid: y, dy and dx");
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
    use crate::testing::{assert_gradient, check_map, check_map2, normal};

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
        check_map2::<T>(4.0, backward, |y, dy| dy * y * (1.0 - y));
    }

    #[test]
    fn matches_the_reference() {
        check::<f32>();
        check::<f64>();
    }

    #[test]
    fn gradient() {
        let device = Device::cpu();
        let (x, dy) = (normal::<f64>(1, 40, 0.0, 1.0), normal::<f64>(2, 40, 0.0, 1.0));
        let run = |x: &[f64]| {
            let mut y = vec![0.0; x.len()];
            forward(&device, x, &mut y);
            y
        };
        let mut dx = vec![0.0; 40];
        backward(&device, &run(&x), &dy, &mut dx, Store::Set);
        assert_gradient("dx", &x, &dx, |x| run(x).iter().zip(&dy).map(|(y, dy)| y * dy).sum());
    }
}
