//! Binary cross-entropy on logits, against one target for all:
//! loss = mean of max(x, 0) - x t + ln(1 + e^-|x|), which is -t ln s(x) - (1 - t) ln(1 - s(x)) without overflow.

use crate::parallel;
use crate::reduce::sum_of_chunks;
use crate::simd::vectorized;
use crate::softmax::CHUNK;
use crate::view::{View, ViewMut};
use crate::{Device, Real, Store, Work};

/// The mean loss (one element) of logits x against `target` in \[0, 1\].
pub fn forward<'a, T: Real>(device: &Device, x: impl Into<View<'a, T>>, target: T, loss: impl Into<ViewMut<'a, T>>) {
    let (x, loss) = (x.into(), loss.into());
    let _span = device.span("bce_with_logits.forward", || Work::memory(x.len(), x.bytes() + loss.bytes()));
    assert!(!x.is_empty() && loss.len() == 1, "bce_with_logits: x and loss");
    if let Some(cuda) = device.gpu() {
        return cuda::forward(cuda, x.on_gpu(), target.to_f64() as f32, loss.on_gpu());
    }
    let (x, loss) = (x.host(), loss.host());
    let sum = sum_of_chunks(device, x, CHUNK, |x| forward_chunk(device.simd(), x, target));
    loss[0] = T::from_f64(sum / x.len() as f64);
}

/// dx = dloss (1 / (1 + e^-x) - target) / n.
pub fn backward<'a, T: Real>(
    device: &Device,
    x: impl Into<View<'a, T>>,
    target: T,
    dloss: impl Into<View<'a, T>>,
    dx: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (x, dloss, dx) = (x.into(), dloss.into(), dx.into());
    let _span = device.span("bce_with_logits.backward", || Work::memory(x.len(), x.bytes() + store.bytes(dx.bytes())));
    assert!(x.len() == dx.len() && dloss.len() == 1, "bce_with_logits: x, dx and dloss");
    if let Some(cuda) = device.gpu() {
        return cuda::backward(cuda, x.on_gpu(), target.to_f64() as f32, dloss.on_gpu(), dx.on_gpu(), store);
    }
    let (x, dloss, dx) = (x.host(), dloss.host(), dx.host());
    let scale = T::from_f64(dloss[0].to_f64() / x.len() as f64);
    parallel::split((x, dx), x.len(), CHUNK, |_, (x, dx)| backward_chunk(device.simd(), x, target, scale, dx, store));
}

vectorized! {
    fn forward_chunk<T: Real>(x: &[T], target: T) -> f64 {
        x.iter().map(|&x| (x.max(T::ZERO) - x * target + (-x.abs()).exp().ln_1p()).to_f64()).sum()
    }

    fn backward_chunk<T: Real>(x: &[T], target: T, scale: T, dx: &mut [T], store: Store) {
        for (dx, &x) in dx.iter_mut().zip(x) {
            store.write(dx, scale * (T::ONE / (T::ONE + (-x).exp()) - target));
        }
    }
}

/// The same on a GPU.
pub mod cuda {
    use crate::Store;
    use crate::cuda::{Cuda, Grid, Kernel};
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const FORWARD: Kernel = Kernel { module: "bce_with_logits", name: "bce_with_logits_forward" };
    const BACKWARD: Kernel = Kernel { module: "bce_with_logits", name: "bce_with_logits_backward" };

    /// See [`forward`](super::forward).
    pub fn forward(cuda: &Cuda, x: DeviceSlice<f32>, target: f32, loss: DeviceSliceMut<f32>) {
        assert!(!x.is_empty() && loss.len() == 1, "bce_with_logits: x and loss");
        let n = x.len() as u64;
        // One block, `THREADS` of bce_with_logits.cu.
        // SAFETY: x has n elements, loss one.
        unsafe { cuda.launch(FORWARD, Grid::linear(1, 1024), &[&x, &target, &loss, &n]) }
    }

    /// See [`backward`](super::backward).
    pub fn backward(
        cuda: &Cuda,
        x: DeviceSlice<f32>,
        target: f32,
        dloss: DeviceSlice<f32>,
        dx: DeviceSliceMut<f32>,
        store: Store,
    ) {
        assert!(x.len() == dx.len() && dloss.len() == 1, "bce_with_logits: x, dx and dloss");
        let n = x.len() as u64;
        // SAFETY: x and dx have n elements, dloss one.
        unsafe { cuda.launch(BACKWARD, Grid::elementwise(x.len()), &[&x, &target, &dloss, &dx, &n, &store]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, assert_stores, both, devices, nan, normal, over_threads};

    fn check<T: Real>() {
        for (device, n) in devices().flat_map(|d| [1, 64, CHUNK, CHUNK + 1, 5 * CHUNK - 1].map(|n| (d.clone(), n))) {
            let mut x = normal::<T>(1, n, 0.0, 4.0);
            for (x, edge) in x.iter_mut().zip([500.0, -500.0, 0.0]) {
                *x = T::from_f64(edge);
            }
            for target in [0.0, 1.0, 0.9].map(T::from_f64) {
                let t = target.to_f64();
                let term = |x: f64| x.max(0.0) - x * t + (-x.abs()).exp().ln_1p();
                let want = x.iter().map(|x| term(x.to_f64())).sum::<f64>() / n as f64;
                let loss = over_threads(|| {
                    let mut loss = nan(1);
                    forward(&device, &x, target, &mut loss);
                    loss
                });
                assert_close("loss", 16.0, &loss, &[want]);
                let dx: Vec<f64> = x.iter().map(|x| 2.5 * (1.0 / (1.0 + (-x.to_f64()).exp()) - t) / n as f64).collect();
                let dloss = [T::from_f64(2.5)];
                assert_stores("dx", 4.0, &dx, |dx, store| backward(&device, &x, target, &dloss, dx, store));
            }
        }
    }

    both!(matches_the_reference, check);
}
