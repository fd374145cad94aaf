//! Adam (Kingma and Ba 2015) with L2 weight decay in the gradient, as PyTorch's `Adam(weight_decay=)`:
//! g += weight_decay p; m = b1 m + (1-b1) g; v = b2 v + (1-b2) g^2; p -= lr m' / (sqrt v' + eps), m' and v' bias-corrected.

use kernels::adam::{AdamConfig, Steps};
use tensor::{Params, Real, Result, Tensor};

/// The optimizer of one network: its moments, flat as the parameters.
pub struct Adam<T: Real = f32> {
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
        Self { steps: Steps::new(flat.device(), config, 0), m, v }
    }

    /// Steps by this learning rate from now on; not within a recorded step.
    pub fn set_lr(&mut self, lr: f64) {
        self.steps.set_lr(self.m.device(), lr);
    }

    /// Steps taken.
    ///
    /// # Errors
    /// What failed on a GPU since the last report.
    pub fn t(&self) -> Result<u64> {
        Ok(self.steps.taken(self.m.device())?)
    }

    /// Counts on from `t` steps; not within a recorded step.
    pub fn set_t(&mut self, t: u64) {
        self.steps.set_taken(self.m.device(), t);
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
