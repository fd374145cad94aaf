//! An exponential moving average of a network's weights and statistics, which generalises better than the last ones
//! (Polyak and Juditsky 1992; for a generator Yazici et al. 2019).

use nn::Network;
use tensor::Real;

/// A network that follows another one.
pub struct Average<T: Real = f32> {
    /// The average.
    pub network: Network<T>,
    decay: f64,
}

impl<T: Real> Average<T> {
    /// Of a network with the same initial numbers; each step keeps `decay` of the average.
    pub fn new(network: Network<T>, decay: f64) -> Self {
        Self { network, decay }
    }

    /// Moves towards `from`: average = decay average + (1 - decay) from, weights and running statistics alike.
    pub(super) fn follow(&mut self, from: &Network<T>) {
        let rate = T::from_f64(1.0 - self.decay);
        let network = &mut self.network;
        let device = from.params().values().flat().device().clone();
        kernels::ema::step(&device, rate, from.params().values().flat(), network.params_mut().values_mut().flat_mut());
        kernels::ema::step(&device, rate, from.buffers().flat(), network.buffers_mut().flat_mut());
    }
}
