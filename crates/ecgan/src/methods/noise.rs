//! What an iteration draws.

use tensor::{Real, Tensor};

/// The random numbers of an iteration, augmentation of the real images apart.
pub struct Noise<T: Real = f32> {
    /// z `[n,1,1,100]`, standard normal.
    pub z: Tensor<T>,
    /// `[3n,8]`, uniform in [0, 1): the augmentation of the three batches that the discriminator sees.
    pub drawn: Option<Tensor<T>>,
}

impl<T: Real> Noise<T> {
    /// For a discriminator that sees its images as they are.
    pub fn plain(z: Tensor<T>) -> Self {
        Self { z, drawn: None }
    }
}
