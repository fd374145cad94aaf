//! Adam (Kingma and Ba 2015) with L2 weight decay in the gradient, as PyTorch's `Adam(weight_decay=)`:
//! g += weight_decay p; m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2; p -= lr m' / (sqrt v' + eps), m' and v' bias-corrected.

use kernels::adam::Steps;
use tensor::{Params, Real, Result, Tensor};

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

    fn kernel(self) -> kernels::adam::Adam {
        let Self { lr, betas: [beta1, beta2], eps, weight_decay } = self;
        kernels::adam::Adam { lr, beta1, beta2, eps, weight_decay }
    }
}

/// The optimizer of one network: its moments, flat as the parameters.
pub struct Adam<T: Real = f32> {
    config: AdamConfig,
    steps: Steps,
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
        Self { config, steps: Steps::new(flat.device(), config.kernel(), 0), m, v }
    }

    /// The settings.
    pub fn config(&self) -> AdamConfig {
        self.config
    }

    /// Steps by this learning rate from now on; not within a recorded step.
    pub fn set_lr(&mut self, lr: f64) {
        self.config.lr = lr;
        self.steps.set(self.m.device(), self.config.kernel());
    }

    /// Steps taken.
    ///
    /// # Errors
    /// What failed on a GPU since the last report.
    pub fn t(&self) -> Result<u64> {
        Ok(self.steps.taken(self.m.device())?)
    }

    /// Counts on from `t` steps.
    pub fn set_t(&mut self, t: u64) {
        self.steps = Steps::new(self.m.device(), self.config.kernel(), t);
    }

    /// One step from the gathered gradients, which are then 0.
    pub fn step(&mut self, params: &mut Params<T>) {
        self.step_if(None, params);
    }

    /// One step where `kept`, a scalar, is not 0; else the gradients become 0 and that is all.
    pub fn step_if(&mut self, kept: Option<&Tensor<T>>, params: &mut Params<T>) {
        let device = self.m.device().clone();
        params.with_gradients(|values, gradients| {
            let kept = kept.map(Tensor::view);
            kernels::adam::step(&device, &mut self.steps, values, gradients, &mut self.m, &mut self.v, kept);
        });
    }
}
