//! The three networks, and the trait by which a classifier of your own takes the third one's place.

mod discriminator;
mod generator;
mod resnet18;

pub use discriminator::discriminator;
pub use generator::generator;
pub use resnet18::ResNet18;

use kernels::philox::Philox;
use nn::{Builder, Module};
use tensor::{Device, Real, Tensor};

/// Length of the generator's noise vector.
pub const NOISE: usize = 100;

/// What images look like to a network: square, NHWC, values in [-1, 1].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ImageShape {
    /// 1 (grey) or 3 (RGB).
    pub channels: usize,
    /// Height and width: 32 or 64.
    pub size: usize,
}

/// An architecture that EC-GAN can train as its external classifier.
///
/// It is generic over the element type so that one definition serves training in `f32` and checks in `f64`.
pub trait Classifier {
    /// Makes the layers, and returns the module that maps images `[n,size,size,channels]` to logits `[n,classes]`.
    fn build<T: Real>(&self, b: &mut Builder, image: ImageShape, classes: usize) -> Box<dyn Module<T>>;
}

/// Standard normal noise z `[batch,1,1,100]`, the stream's next values.
pub fn noise(device: &Device, stream: &mut Philox, batch: usize) -> Tensor {
    let mut z = Tensor::uninit(device, [batch, 1, 1, NOISE]);
    kernels::fill::normal(device, stream, 0.0, 1.0, &mut z);
    z
}
