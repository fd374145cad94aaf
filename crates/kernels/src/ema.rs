//! An exponential moving average: average += rate (x - average).

use crate::parallel::{self, CHUNK};
use crate::simd::vectorized;
use crate::view::{View, ViewMut};
use crate::{Device, Real, Work};

/// average += rate (x - average), elementwise; rate, one number, is 1 - decay.
pub fn step<'a, T: Real>(
    device: &Device,
    rate: impl Into<View<'a, T>>,
    x: impl Into<View<'a, T>>,
    average: impl Into<ViewMut<'a, T>>,
) {
    let (rate, x, average) = (rate.into(), x.into(), average.into());
    let _span = device.span("ema.step", || Work::memory(x.len(), 3 * x.bytes()));
    assert_eq!(x.len(), average.len(), "ema: x and average");
    assert_eq!(rate.len(), 1, "ema: rate");
    if let Some(cuda) = device.gpu() {
        return cuda::step(cuda, rate.on_gpu(), x.on_gpu(), average.on_gpu());
    }
    let (rate, x, average) = (rate.host()[0], x.host(), average.host());
    parallel::split((x, average), x.len(), CHUNK, |_, (x, average)| step_chunk(device.simd(), rate, x, average));
}

vectorized! {
    fn step_chunk<T: Real>(rate: T, x: &[T], average: &mut [T]) {
        for (average, &x) in average.iter_mut().zip(x) {
            *average += rate * (x - *average);
        }
    }
}

/// The same on a GPU.
pub mod cuda {
    use crate::cuda::{Cuda, Grid, Kernel};
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const STEP: Kernel = Kernel { module: "ema", name: "ema_step" };

    /// See [`step`](super::step).
    pub fn step(cuda: &Cuda, rate: DeviceSlice<f32>, x: DeviceSlice<f32>, average: DeviceSliceMut<f32>) {
        assert_eq!(x.len(), average.len(), "ema: x and average");
        assert_eq!(rate.len(), 1, "ema: rate");
        let n = x.len() as u64;
        // SAFETY: rate has one element, x and average have n.
        unsafe { cuda.launch(STEP, Grid::elementwise(x.len()), &[&rate, &x, &average, &n]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{LENGTHS, assert_close, both, devices, normal, over_threads};

    fn check<T: Real>() {
        for (device, n) in devices().flat_map(|device| LENGTHS.map(|n| (device.clone(), n))) {
            let (x, average) = (normal::<T>(1, n, 0.0, 1.0), normal::<T>(2, n, 3.0, 1.0));
            let got = over_threads(|| {
                let mut average = average.clone();
                step(&device, &[T::from_f64(0.25)], &x, &mut average);
                average
            });
            let want = x.iter().zip(&average).map(|(x, a)| 0.75 * a.to_f64() + 0.25 * x.to_f64());
            assert_close("average", 2.0, &got, &want.collect::<Vec<_>>());
        }
    }

    both!(matches_the_reference, check);
}
