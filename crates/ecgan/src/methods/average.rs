//! An exponential moving average of a network's weights and statistics, which generalises better than the last ones
//! (Polyak and Juditsky 1992; for a generator Yazici et al. 2019).

use super::Weight;
use nn::Network;
use tensor::Real;

/// A network that follows another one.
pub struct Average<T: Real = f32> {
    /// The average.
    pub network: Network<T>,
    rate: Weight<T>,
}

impl<T: Real> Average<T> {
    /// Of a network with the same initial numbers; each step keeps `decay` of the average.
    pub fn new(network: Network<T>, decay: f64) -> Self {
        let rate = Weight::new(network.params().values().flat().device(), 1.0 - decay);
        Self { network, rate }
    }

    /// Keeps this part of the average from now on; not within a recorded iteration.
    pub fn set_decay(&mut self, decay: f64) {
        self.rate.set(1.0 - decay);
    }

    /// Moves towards `from`: average = decay average + (1 - decay) from, weights and running statistics alike.
    pub(super) fn follow(&mut self, from: &Network<T>) {
        let Self { network, rate } = self;
        let rate = &rate.tensor();
        let device = from.params().values().flat().device().clone();
        kernels::ema::step(&device, rate, from.params().values().flat(), network.params_mut().values_mut().flat_mut());
        kernels::ema::step(&device, rate, from.buffers().flat(), network.buffers_mut().flat_mut());
    }
}

/// What an average keeps in the step after `steps` others: `decay`, but at first less, (1 + steps) / (10 + steps), as
/// TensorFlow's ExponentialMovingAverage has it. Else the numbers before training would stay in it for 1 / (1 - decay) steps, more
/// than a short run on a small set has; and a variance of 1 that is not the batches' makes running statistics of no use.
pub fn decay_after(decay: f64, steps: u64) -> f64 {
    decay.min((1.0 + steps as f64) / (10.0 + steps as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_before_training_is_soon_forgotten() {
        let left = |decay, steps| (0..steps).map(|step| decay_after(decay, step)).product::<f64>();
        assert!(left(0.999, 30) < 1e-6, "{}", left(0.999, 30));
        assert_eq!([0, 9].map(|step| decay_after(0.999, step)), [0.1, 10.0 / 19.0]);
        assert_eq!(decay_after(0.99, 10_000), 0.99);
        assert_eq!(decay_after(0.0, 5), 0.0);
    }
}
