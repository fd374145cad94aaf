//! A number that may change from one iteration to the next: a term's weight, an average's rate.

use tensor::{Device, Real, Tensor};

/// A number that lies where it is used, so that a recorded iteration reads what it is now.
pub struct Weight<T: Real = f32> {
    value: f64,
    tensor: Tensor<T>,
}

impl<T: Real> Weight<T> {
    /// This number.
    pub fn new(device: &Device, value: f64) -> Self {
        Self { value, tensor: Tensor::full(device, [], T::from_f64(value)) }
    }

    /// The number.
    pub fn value(&self) -> f64 {
        self.value
    }

    /// From now on this number; not within a recorded iteration.
    pub fn set(&mut self, value: f64) {
        if value != self.value {
            self.value = value;
            self.tensor.write(&[T::from_f64(value)]);
        }
    }

    /// The number where it is used; as a gradient, to begin a reverse pass with.
    pub(super) fn tensor(&self) -> Tensor<T> {
        self.tensor.clone()
    }
}
