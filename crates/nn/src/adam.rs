//! Adam (Kingma and Ba 2015) with L2 weight decay in the gradient, as PyTorch's `Adam(weight_decay=)`:
//! g += weight_decay p; m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2; p -= lr m' / (sqrt v' + eps), m' and v' bias-corrected.

use tensor::{Params, Real, Tensor};

/// Adam's settings.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamConfig {
    /// Learning rate.
    pub lr: f64,
    /// Decay of the two moments.
    pub betas: [f64; 2],
    /// Added to the root of the second moment.
    pub eps: f64,
    /// L2 penalty, added to the gradient.
    pub weight_decay: f64,
}

impl AdamConfig {
    /// DCGAN's betas (0.5, 0.999), eps 1e-8.
    pub fn dcgan(lr: f64, weight_decay: f64) -> Self {
        Self { lr, betas: [0.5, 0.999], eps: 1e-8, weight_decay }
    }
}

/// The optimizer of one network: its moments, flat as the parameters.
pub struct Adam<T: Real = f32> {
    /// The settings.
    pub config: AdamConfig,
    /// Steps taken.
    pub t: u64,
    /// First moment, laid out as the flat parameters.
    pub m: Tensor<T>,
    /// Second moment.
    pub v: Tensor<T>,
}

impl<T: Real> Adam<T> {
    /// Moments of 0 for these parameters.
    pub fn new(config: AdamConfig, params: &Params<T>) -> Self {
        let flat = params.values().flat();
        let [m, v] = [0, 1].map(|_| Tensor::zeros(flat.device(), flat.shape()));
        Self { config, t: 0, m, v }
    }

    /// One step from the gathered gradients, which are then 0.
    pub fn step(&mut self, params: &mut Params<T>) {
        self.t += 1;
        let AdamConfig { lr, betas: [beta1, beta2], eps, weight_decay } = self.config;
        let kernel = kernels::adam::Adam { lr, beta1, beta2, eps, weight_decay };
        let device = self.m.device().clone();
        params.with_gradients(|values, gradients| {
            let (m, v) = (self.m.as_mut_slice(), self.v.as_mut_slice());
            kernels::adam::step(&device, &kernel, self.t, values, gradients, m, v);
            gradients.fill(T::ZERO);
        });
    }
}
