//! Hinge losses of a GAN (Lim and Ye 2017): the discriminator's mean of max(0, 1 - x) on real images and of max(0, 1 + x) on
//! generated ones, and the generator's mean of -x.

use crate::parallel;
use crate::reduce::sum_of_chunks;
use crate::simd::vectorized;
use crate::softmax::CHUNK;
use crate::view::{View, ViewMut};
use crate::{Device, Real, Store, Work};

/// Whose loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The discriminator's on real images: max(0, 1 - x).
    Real,
    /// The discriminator's on generated images: max(0, 1 + x).
    Fake,
    /// The generator's: -x.
    Generator,
}

impl Side {
    /// The loss is margin + slope x, and where it has a margin, not below 0.
    fn line(self) -> (f64, f64) {
        match self {
            Self::Real => (1.0, -1.0),
            Self::Fake => (1.0, 1.0),
            Self::Generator => (0.0, -1.0),
        }
    }
}

/// The mean loss (one element) of logits x.
pub fn forward<'a, T: Real>(device: &Device, x: impl Into<View<'a, T>>, side: Side, loss: impl Into<ViewMut<'a, T>>) {
    let (x, loss) = (x.into(), loss.into());
    let _span = device.span("hinge.forward", || Work::memory(x.len(), x.bytes() + loss.bytes()));
    assert!(!x.is_empty() && loss.len() == 1, "hinge: x and loss");
    if let Some(cuda) = device.gpu() {
        return cuda::forward(cuda, x.on_gpu(), side, loss.on_gpu());
    }
    let (x, loss) = (x.host(), loss.host());
    let (margin, slope) = side.line();
    let (margin, slope) = (T::from_f64(margin), T::from_f64(slope));
    let sum = sum_of_chunks(device, x, CHUNK, |x| forward_chunk(device.simd(), x, margin, slope));
    loss[0] = T::from_f64(sum / x.len() as f64);
}

/// dx = dloss slope / n where the loss is above 0, or has no margin.
pub fn backward<'a, T: Real>(
    device: &Device,
    x: impl Into<View<'a, T>>,
    side: Side,
    dloss: impl Into<View<'a, T>>,
    dx: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (x, dloss, dx) = (x.into(), dloss.into(), dx.into());
    let _span = device.span("hinge.backward", || Work::memory(x.len(), x.bytes() + store.bytes(dx.bytes())));
    assert!(x.len() == dx.len() && dloss.len() == 1, "hinge: x, dx and dloss");
    if let Some(cuda) = device.gpu() {
        return cuda::backward(cuda, x.on_gpu(), side, dloss.on_gpu(), dx.on_gpu(), store);
    }
    let (x, dloss, dx) = (x.host(), dloss.host(), dx.host());
    let (margin, slope) = side.line();
    let scale = T::from_f64(slope * dloss[0].to_f64() / x.len() as f64);
    let (margin, slope) = (T::from_f64(margin), T::from_f64(slope));
    parallel::split((x, dx), x.len(), CHUNK, |_, (x, dx)| {
        backward_chunk(device.simd(), x, margin, slope, scale, dx, store);
    });
}

vectorized! {
    fn forward_chunk<T: Real>(x: &[T], margin: T, slope: T) -> f64 {
        let bounded = margin != T::ZERO;
        x.iter().map(|&x| {
            let loss = margin + slope * x;
            if bounded && loss <= T::ZERO { 0.0 } else { loss.to_f64() }
        }).sum()
    }

    fn backward_chunk<T: Real>(x: &[T], margin: T, slope: T, scale: T, dx: &mut [T], store: Store) {
        let bounded = margin != T::ZERO;
        for (dx, &x) in dx.iter_mut().zip(x) {
            let flat = bounded && margin + slope * x <= T::ZERO;
            store.write(dx, if flat { T::ZERO } else { scale });
        }
    }
}

/// The same on a GPU.
pub mod cuda {
    use super::Side;
    use crate::Store;
    use crate::cuda::{Cuda, Grid, Kernel};
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const FORWARD: Kernel = Kernel { module: "hinge", name: "hinge_forward" };
    const BACKWARD: Kernel = Kernel { module: "hinge", name: "hinge_backward" };

    /// See [`forward`](super::forward).
    pub fn forward(cuda: &Cuda, x: DeviceSlice<f32>, side: Side, loss: DeviceSliceMut<f32>) {
        assert!(!x.is_empty() && loss.len() == 1, "hinge: x and loss");
        let (n, (margin, slope)) = (x.len() as u64, side.line());
        let [margin, slope] = [margin, slope].map(|v| v as f32);
        // One block, `THREADS` of hinge.cu.
        // SAFETY: x has n elements, loss one.
        unsafe { cuda.launch(FORWARD, Grid::linear(1, 1024), &[&x, &margin, &slope, &loss, &n]) }
    }

    /// See [`backward`](super::backward).
    pub fn backward(
        cuda: &Cuda,
        x: DeviceSlice<f32>,
        side: Side,
        dloss: DeviceSlice<f32>,
        dx: DeviceSliceMut<f32>,
        store: Store,
    ) {
        assert!(x.len() == dx.len() && dloss.len() == 1, "hinge: x, dx and dloss");
        let (n, (margin, slope)) = (x.len() as u64, side.line());
        let [margin, slope] = [margin, slope].map(|v| v as f32);
        // SAFETY: x and dx have n elements, dloss one.
        unsafe {
            cuda.launch(BACKWARD, Grid::elementwise(x.len()), &[&x, &margin, &slope, &dloss, &dx, &n, &store]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, assert_stores, both, devices, nan, normal, over_threads};

    fn check<T: Real>() {
        for (device, n) in devices().flat_map(|d| [1, 64, CHUNK + 1].map(|n| (d.clone(), n))) {
            let x = normal::<T>(1, n, 0.0, 2.0);
            for side in [Side::Real, Side::Fake, Side::Generator] {
                let of = |x: f64| match side {
                    Side::Real => (if x < 1.0 { 1.0 - x } else { 0.0 }, if x < 1.0 { -1.0 } else { 0.0 }),
                    Side::Fake => (if x > -1.0 { 1.0 + x } else { 0.0 }, if x > -1.0 { 1.0 } else { 0.0 }),
                    Side::Generator => (-x, -1.0),
                };
                let want = x.iter().map(|x| of(x.to_f64()).0).sum::<f64>() / n as f64;
                let loss = over_threads(|| {
                    let mut loss = nan(1);
                    forward(&device, &x, side, &mut loss);
                    loss
                });
                assert_close("loss", 16.0, &loss, &[want]);
                let dx: Vec<f64> = x.iter().map(|x| 2.5 * of(x.to_f64()).1 / n as f64).collect();
                assert_stores("dx", 4.0, &dx, |dx, store| {
                    backward(&device, &x, side, &[T::from_f64(2.5)], dx, store);
                });
            }
        }
    }

    both!(matches_the_reference, check);
}
