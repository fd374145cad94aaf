//! Stochastic gradient descent with momentum, as torch.optim.SGD (dampening 0, not Nesterov):
//! velocity = momentum velocity + g, value -= lr velocity, with g = gradient + weight_decay value.

use crate::parallel::{self, CHUNK};
use crate::simd::vectorized;
use crate::view::{View, ViewMut};
use crate::{Device, Real, Work};

/// The settings of SGD.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SgdConfig {
    /// Learning rate.
    pub lr: f64,
    /// Part of the velocity that stays.
    pub momentum: f64,
    /// Times the value, added to the gradient (L2).
    pub weight_decay: f64,
}

impl SgdConfig {
    /// Learning rate, momentum and weight decay, rounded.
    fn rounded<T: Real>(&self) -> [T; 3] {
        [self.lr, self.momentum, self.weight_decay].map(T::from_f64)
    }
}

/// A step over values, their gradients and the velocity, which is 0 at first, all of one length.
pub fn step<'a, T: Real>(
    device: &Device,
    sgd: &SgdConfig,
    values: impl Into<ViewMut<'a, T>>,
    grads: impl Into<View<'a, T>>,
    velocity: impl Into<ViewMut<'a, T>>,
) {
    let (values, grads, velocity) = (values.into(), grads.into(), velocity.into());
    let _span = device.span("sgd.step", || Work::memory(values.len(), 5 * grads.bytes()));
    let n = values.len();
    assert!(n == grads.len() && n == velocity.len(), "sgd: values, grads and velocity");
    if let Some(cuda) = device.gpu() {
        let mut settings = device.buffer(cuda::SETTINGS);
        cuda.set::<f32>(&sgd.rounded(), settings.view_mut().device());
        let settings = settings.view().device();
        return cuda::step(cuda, settings, values.on_gpu(), grads.on_gpu(), velocity.on_gpu());
    }
    let (values, grads, velocity) = (values.host(), grads.host(), velocity.host());
    parallel::split((values, grads, velocity), n, CHUNK, |_, (values, grads, velocity)| {
        step_chunk(device.simd(), sgd.rounded(), values, grads, velocity);
    });
}

vectorized! {
    fn step_chunk<T: Real>(rates: [T; 3], values: &mut [T], grads: &[T], velocity: &mut [T]) {
        let [lr, momentum, weight_decay] = rates;
        for ((value, &g), velocity) in values.iter_mut().zip(grads).zip(velocity) {
            let g = g + weight_decay * *value;
            *velocity = momentum * *velocity + g;
            *value -= lr * *velocity;
        }
    }
}

/// The same on a GPU. The settings lie there, so that a recorded step can be replayed with others.
pub mod cuda {
    use crate::cuda::{Cuda, Grid, Kernel};
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const STEP: Kernel = Kernel { module: "sgd", name: "sgd_step" };

    /// Numbers of the settings: `Sgd` of sgd.cu.
    pub const SETTINGS: usize = 3;

    /// See [`step`](super::step).
    pub fn step(
        cuda: &Cuda,
        settings: DeviceSlice<f32>,
        values: DeviceSliceMut<f32>,
        grads: DeviceSlice<f32>,
        velocity: DeviceSliceMut<f32>,
    ) {
        let n = values.len();
        assert!(n == grads.len() && n == velocity.len(), "sgd: values, grads and velocity");
        assert_eq!(settings.len(), SETTINGS, "sgd: the settings");
        let length = n as u64;
        // SAFETY: all three have n elements, and the settings are whole.
        unsafe { cuda.launch(STEP, Grid::elementwise(n), &[&settings, &values, &grads, &velocity, &length]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{LENGTHS, assert_close, both, devices, normal, over_threads, wide};

    /// Four steps of torch.optim.SGD 2.x in float64.
    fn four_steps<T: Real>() {
        let cases = [
            (0.9, 0.05, [0.2929395328125, -0.9244743701562501, 1.91019481617375, -0.2593803687499999]),
            (0.0, 0.0, [0.4, -1.13, 1.99998, -0.08]),
        ];
        for (device, (momentum, weight_decay, want)) in devices().flat_map(|d| cases.map(|case| (d.clone(), case))) {
            let sgd = SgdConfig { lr: 0.1, momentum, weight_decay };
            let mut values = [0.5, -1.25, 2.0, 0.0].map(T::from_f64);
            let mut velocity = [T::ZERO; 4];
            for t in 1..=4 {
                let t64 = f64::from(t);
                let grads = [0.1 * t64, -0.3, 1e-4 * (t64 - 2.0), 0.7 - 0.2 * t64].map(T::from_f64);
                step(&device, &sgd, &mut values, &grads, &mut velocity);
            }
            assert_close("values", 2.0, &values, &want);
        }
    }

    fn every_length<T: Real>() {
        let sgd = SgdConfig { lr: 0.1, momentum: 0.9, weight_decay: 0.05 };
        for (device, n) in devices().flat_map(|device| LENGTHS.map(|n| (device.clone(), n))) {
            let [values, grads, velocity] = [1, 2, 3].map(|stream| normal::<T>(stream, n, 0.0, 1.0));
            let got = over_threads(|| {
                let mut state = [values.clone(), velocity.clone()];
                let [values, velocity] = &mut state;
                step(&device, &sgd, values, &grads, velocity);
                state.concat()
            });
            let mut want = [wide(&values), wide(&velocity)];
            for (i, g) in wide(&grads).iter().enumerate() {
                want[1][i] = sgd.momentum * want[1][i] + g + sgd.weight_decay * want[0][i];
                want[0][i] -= sgd.lr * want[1][i];
            }
            assert_close("values, velocity", 4.0, &got, &want.concat());
        }
    }

    both!(matches_pytorch, four_steps);

    both!(matches_the_reference, every_length);
}
