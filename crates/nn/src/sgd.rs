//! Stochastic gradient descent with momentum, as PyTorch's `SGD(momentum=, weight_decay=)`:
//! g += weight_decay p; u = momentum u + g; p -= lr u. u is 0 at first.

use kernels::sgd::SgdConfig;
use tensor::{Params, Real, Tensor};

/// The optimizer of one network: its velocity, flat as the parameters.
pub struct Sgd<T: Real = f32> {
    /// The settings.
    pub config: SgdConfig,
    /// The last update, before the learning rate; laid out as the flat parameters. All that a step depends on.
    pub velocity: Tensor<T>,
}

impl<T: Real> Sgd<T> {
    /// At rest.
    pub fn new(config: SgdConfig, params: &Params<T>) -> Self {
        let flat = params.values().flat();
        Self { config, velocity: Tensor::zeros(flat.device(), flat.shape()) }
    }

    /// One step from the gathered gradients, which are then 0.
    pub fn step(&mut self, params: &mut Params<T>) {
        let device = self.velocity.device().clone();
        params.with_gradients(|values, mut gradients| {
            kernels::sgd::step(&device, &self.config, values, gradients.shared(), &mut self.velocity);
            kernels::fill::constant(&device, T::ZERO, gradients.reborrow());
        });
    }
}
