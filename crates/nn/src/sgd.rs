//! Stochastic gradient descent with momentum, as PyTorch's `SGD(momentum=, weight_decay=)`:
//! g += weight_decay p; u = momentum u + g (u = g at first); p -= lr u.

use kernels::sgd::SgdConfig;
use tensor::{Params, Real, Tensor};

/// The optimizer of one network: its velocity, flat as the parameters.
pub struct Sgd<T: Real = f32> {
    /// The settings.
    pub config: SgdConfig,
    /// Whether a step was taken.
    started: bool,
    /// The last update, before the learning rate; laid out as the flat parameters.
    pub velocity: Tensor<T>,
}

impl<T: Real> Sgd<T> {
    /// At rest.
    pub fn new(config: SgdConfig, params: &Params<T>) -> Self {
        let flat = params.values().flat();
        Self { config, started: false, velocity: Tensor::zeros(flat.device(), flat.shape()) }
    }

    /// One step from the gathered gradients, which are then 0.
    pub fn step(&mut self, params: &mut Params<T>) {
        let first = !std::mem::replace(&mut self.started, true);
        let device = self.velocity.device().clone();
        params.with_gradients(|values, mut gradients| {
            kernels::sgd::step(&device, &self.config, first, values, gradients.shared(), &mut self.velocity);
            kernels::fill::constant(&device, T::ZERO, gradients.reborrow());
        });
    }
}
