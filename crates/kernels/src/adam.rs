//! Adam (Kingma and Ba 2015) with weight decay added to the gradient, step by step as torch.optim.Adam:
//! m += (1 - beta1)(g - m), v = beta2 v + (1 - beta2) g^2,
//! value -= lr / (1 - beta1^t) m / (sqrt(v) / sqrt(1 - beta2^t) + eps).

use crate::cuda::CudaError;
use crate::parallel::{self, CHUNK};
use crate::pool::Buffer;
use crate::simd::vectorized;
use crate::view::{View, ViewMut};
use crate::{Device, Real, Work};

/// Adam's settings, in f64 whatever the values are: 1 - 0.999 of an f32 would be off by 1e-5 of itself.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamConfig {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the mean of gradients, and of that of their squares.
    pub betas: [f64; 2],
    /// Added to the root.
    pub eps: f64,
    /// Times the value, added to the gradient (L2).
    pub weight_decay: f64,
}

impl AdamConfig {
    /// DCGAN's betas (0.5, 0.999), eps 1e-8.
    pub fn dcgan(lr: f64, weight_decay: f64) -> Self {
        Self { lr, betas: [0.5, 0.999], eps: 1e-8, weight_decay }
    }
}

/// The settings and the number of steps taken, which lie where the steps are: a recorded step reads them there.
pub struct Steps {
    t: u64,
    config: AdamConfig,
    /// On a GPU, the state as [`cuda::state`] has it; `t` is not kept then.
    state: Option<Buffer<f64>>,
}

impl Steps {
    /// After `t` steps.
    pub fn new(device: &Device, config: AdamConfig, t: u64) -> Self {
        let state = device.gpu().map(|cuda| {
            let mut state = device.buffer(cuda::STATE);
            cuda.set(&cuda::state(&config, t), state.view_mut().device());
            state
        });
        Self { t, config, state }
    }

    /// Counts on from `t` steps. On a GPU it is uploaded, so not in a recorded step.
    pub fn set_taken(&mut self, device: &Device, t: u64) {
        self.t = t;
        self.upload(device, cuda::T, t as f64);
    }

    /// Steps by this learning rate from now on; as [`Steps::set_taken`].
    pub fn set_lr(&mut self, device: &Device, lr: f64) {
        if lr != self.config.lr {
            self.config.lr = lr;
            self.upload(device, cuda::LR, lr);
        }
    }

    /// Changes one number of the state on a GPU.
    fn upload(&mut self, device: &Device, at: usize, value: f64) {
        if let (Some(cuda), Some(state)) = (device.gpu(), &mut self.state) {
            cuda.set(&[value], state.view_mut().slice(at..at + 1).device());
        }
    }

    /// Steps taken so far.
    pub fn taken(&self, device: &Device) -> Result<u64, CudaError> {
        match (device.gpu(), &self.state) {
            (Some(cuda), Some(state)) => Ok(cuda.download(state.view().device())?[cuda::T] as u64),
            _ => Ok(self.t),
        }
    }
}

/// One step over values, their gradients, which it sets to 0, and the two moments, all of one length. Where `kept`, one
/// number, is given and 0, nothing happens but to the gradients: not even the step is counted.
pub fn step<'a, T: Real>(
    device: &Device,
    steps: &mut Steps,
    values: impl Into<ViewMut<'a, T>>,
    grads: impl Into<ViewMut<'a, T>>,
    m: impl Into<ViewMut<'a, T>>,
    v: impl Into<ViewMut<'a, T>>,
    kept: Option<View<'a, T>>,
) {
    let (values, grads, m, v) = (values.into(), grads.into(), m.into(), v.into());
    let _span = device.span("adam.step", || Work::memory(values.len(), 8 * grads.bytes()));
    let n = values.len();
    assert!(n == grads.len() && n == m.len() && n == v.len(), "adam: values, grads, m and v");
    assert!(kept.is_none_or(|kept| kept.len() == 1), "adam: kept is one number");
    if let (Some(cuda), Some(state)) = (device.gpu(), &mut steps.state) {
        cuda::advance(cuda, state.view_mut().device(), kept.map(View::on_gpu));
        let state = state.view().device();
        return cuda::step(cuda, state, values.on_gpu(), grads.on_gpu(), m.on_gpu(), v.on_gpu());
    }
    let grads = grads.host();
    if kept.is_none_or(|kept| kept.host()[0] != T::ZERO) {
        steps.t += 1;
        update(device, &steps.config, steps.t, values.host(), grads, m.host(), v.host());
    } else {
        parallel::split(grads, n, CHUNK, |_, grads| grads.fill(T::ZERO));
    }
}

/// Step `t`, 1 for the first; the gradients are 0 after it.
fn update<T: Real>(
    device: &Device,
    adam: &AdamConfig,
    t: u64,
    values: &mut [T],
    grads: &mut [T],
    m: &mut [T],
    v: &mut [T],
) {
    let n = values.len();
    let [beta1, beta2] = adam.betas;
    let correction = |beta: f64| 1.0 - beta.powf(t as f64);
    let rates = Rates {
        step_size: T::from_f64(adam.lr / correction(beta1)),
        root_v: T::from_f64(correction(beta2).sqrt()),
        rest1: T::from_f64(1.0 - beta1),
        beta2: T::from_f64(beta2),
        rest2: T::from_f64(1.0 - beta2),
        eps: T::from_f64(adam.eps),
        weight_decay: T::from_f64(adam.weight_decay),
    };
    parallel::split((values, grads, m, v), n, CHUNK, |_, (values, grads, m, v)| {
        step_chunk(device.simd(), &rates, values, grads, m, v);
    });
}

/// What a step computes once, in f64, rounded.
struct Rates<T> {
    step_size: T,
    root_v: T,
    rest1: T,
    beta2: T,
    rest2: T,
    eps: T,
    weight_decay: T,
}

vectorized! {
    fn step_chunk<T: Real>(rates: &Rates<T>, values: &mut [T], grads: &mut [T], m: &mut [T], v: &mut [T]) {
        let Rates { step_size, root_v, rest1, beta2, rest2, eps, weight_decay } = *rates;
        for (((value, grad), m), v) in values.iter_mut().zip(grads).zip(m).zip(v) {
            let g = *grad + weight_decay * *value;
            *grad = T::ZERO;
            *m += rest1 * (g - *m);
            *v = beta2 * *v + rest2 * g * g;
            *value -= step_size * (*m / (v.sqrt() / root_v + eps));
        }
    }
}

/// The same on a GPU. The settings and the step's number lie there, so that a recorded step can be replayed.
pub mod cuda {
    use super::AdamConfig;
    use crate::cuda::{Cuda, Grid, Kernel};
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const ADVANCE: Kernel = Kernel { module: "adam", name: "adam_advance" };
    const STEP: Kernel = Kernel { module: "adam", name: "adam_step" };

    /// Numbers of a state: `Adam` of adam.cu.
    pub const STATE: usize = 8;
    /// Which of them is the number of steps taken.
    pub const T: usize = 0;
    /// And the learning rate.
    pub const LR: usize = 1;

    /// The state to upload after `t` steps.
    pub fn state(adam: &AdamConfig, t: u64) -> [f64; STATE] {
        let [beta1, beta2] = adam.betas;
        [t as f64, adam.lr, beta1, beta2, adam.eps, adam.weight_decay, f64::NAN, f64::NAN]
    }

    /// Begins a step: t += 1, and what follows from t and the learning rate. Where `kept`, one number, is given and 0, the
    /// step that follows is to be left out.
    pub fn advance(cuda: &Cuda, state: DeviceSliceMut<f64>, kept: Option<DeviceSlice<f32>>) {
        assert_eq!(state.len(), STATE, "adam: the state");
        assert!(kept.is_none_or(|kept| kept.len() == 1), "adam: kept is one number");
        // SAFETY: the state is whole, kept is one number or null.
        unsafe { cuda.launch(ADVANCE, Grid::linear(1, 1), &[&state, &kept]) }
    }

    /// See [`step`](super::step); [`advance`] comes before it. The gradients are 0 afterwards.
    pub fn step(
        cuda: &Cuda,
        state: DeviceSlice<f64>,
        values: DeviceSliceMut<f32>,
        grads: DeviceSliceMut<f32>,
        m: DeviceSliceMut<f32>,
        v: DeviceSliceMut<f32>,
    ) {
        let n = values.len();
        assert!(n == grads.len() && n == m.len() && n == v.len(), "adam: values, grads, m and v");
        assert_eq!(state.len(), STATE, "adam: the state");
        // SAFETY: all four have n elements, and the state is whole.
        unsafe { cuda.launch(STEP, Grid::elementwise(n), &[&state, &values, &grads, &m, &v, &(n as u64)]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{LENGTHS, assert_close, both, devices, normal, over_threads, wide};

    const CONFIG: AdamConfig = AdamConfig { lr: 0.01, betas: [0.5, 0.999], eps: 1e-8, weight_decay: 0.05 };

    /// Four steps of torch.optim.Adam 2.x in float64 with these settings.
    fn four_steps<T: Real>() {
        for device in devices() {
            let mut values = [0.5, -1.25, 2.0, 0.0].map(T::from_f64);
            let (mut m, mut v) = ([T::ZERO; 4], [T::ZERO; 4]);
            for t in 1..=4 {
                let t64 = t as f64;
                let mut grads = [0.1 * t64, -0.3, 1e-4 * (t64 - 2.0), 0.7 - 0.2 * t64].map(T::from_f64);
                update(&device, &CONFIG, t, &mut values, &mut grads, &mut m, &mut v);
            }
            let want = [0.45644517201538504, -1.21001880437651, 1.9600548474899784, -0.026673955953134616];
            assert_close("values", 4.0, &values, &want);
            let want = [0.32857549820493126, -0.33878148415269815, 0.09280693243524486, 0.04282262603335442];
            assert_close("m", 2.0, &m, &want);
            let want = [0.0003500111752117976, 0.0005226674158008752, 3.938354118493529e-05, 0.00035882695207996513];
            assert_close("v", 1.0, &v, &want);
        }
    }

    fn every_length<T: Real>() {
        for (device, n) in devices().flat_map(|device| LENGTHS.map(|n| (device.clone(), n))) {
            let [values, grads, m] = [1, 2, 3].map(|stream| normal::<T>(stream, n, 0.0, 1.0));
            let v = normal::<T>(4, n, 5.0, 0.5);
            let got = over_threads(|| {
                let mut state = [values.clone(), m.clone(), v.clone()];
                let [values, m, v] = &mut state;
                update(&device, &CONFIG, 7, values, &mut grads.clone(), m, v);
                state.concat()
            });
            let AdamConfig { lr, betas: [beta1, beta2], eps, weight_decay } = CONFIG;
            let mut want = [wide(&values), wide(&m), wide(&v)];
            for (i, g) in wide(&grads).iter().enumerate() {
                let g = g + weight_decay * want[0][i];
                want[1][i] = beta1 * want[1][i] + (1.0 - beta1) * g;
                want[2][i] = beta2 * want[2][i] + (1.0 - beta2) * g * g;
                let (m, v) = (want[1][i] / (1.0 - beta1.powi(7)), want[2][i] / (1.0 - beta2.powi(7)));
                want[0][i] -= lr * m / (v.sqrt() + eps);
            }
            assert_close("values, m, v", 4.0, &got, &want.concat());
        }
    }

    #[test]
    fn a_step_counts_zeroes_the_gradients_and_is_left_out_where_nothing_is_kept() {
        for device in devices() {
            let mut steps = Steps::new(&device, CONFIG, 4);
            let start: [Vec<f32>; 4] = [1, 2, 3, 4].map(|stream| normal(stream, 100, 1.0, 0.1));
            let [mut values, mut grads, mut m, mut v] = start.clone();
            step(&device, &mut steps, &mut values, &mut grads, &mut m, &mut v, Some(View::from(&[0.0f32])));
            assert_eq!((&values, &m, &v, steps.taken(&device)), (&start[0], &start[2], &start[3], Ok(4)));
            assert!(grads.iter().all(|&g| g == 0.0));
            grads.copy_from_slice(&start[1]);
            step(&device, &mut steps, &mut values, &mut grads, &mut m, &mut v, Some(View::from(&[2.0f32])));
            let [mut want, mut g, mut want_m, mut want_v] = start;
            update(&device, &CONFIG, 5, &mut want, &mut g, &mut want_m, &mut want_v);
            assert_eq!((values, m, v, steps.taken(&device)), (want, want_m, want_v, Ok(5)));
            assert!(grads.iter().all(|&g| g == 0.0));
        }
    }

    both!(matches_pytorch, four_steps);

    both!(matches_the_reference, every_length);
}
