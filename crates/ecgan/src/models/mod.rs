//! The three networks, and the trait by which a classifier of your own takes the third one's place.

mod built_in;
mod condition;
mod discriminator;
mod generator;
mod resnet18;

pub use built_in::BuiltIn;
pub use condition::Condition;
pub(crate) use discriminator::modules_of_hidden;
pub use discriminator::{Dcgan, discriminator};
pub use generator::generator;
pub use resnet18::ResNet18;

use kernels::philox::Philox;
use nn::{Builder, Linear, Module, Pass};
use tensor::{Device, Real, Result, Tensor, Var, ops};

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

    /// Makes a further head for the methods in which the classifier is the discriminator too: the module that maps the
    /// classifier's features ([`Module::forward_with_features`]) to one logit each `[n]`, real or generated.
    ///
    /// By default it is linear over features `[n,classes]`, which the output is where an architecture has no others.
    fn real_head<T: Real>(&self, b: &mut Builder, _image: ImageShape, classes: usize) -> Box<dyn Module<T>> {
        Box::new(LinearHead::new(b, classes))
    }

    /// Whether the settings say all about it, so that a checkpoint can be read without it: of one of your own they do not.
    fn is_built_in(&self) -> bool {
        false
    }
}

/// From features `[n,f]` to one logit each, `[n]`. State-dict names `real.weight` and `real.bias`.
struct LinearHead(Linear);

impl LinearHead {
    fn new(b: &mut Builder, features: usize) -> Self {
        Self(b.scope("real", |b| Linear::new(b, features, 1)))
    }
}

impl<T: Real> Module<T> for LinearHead {
    fn forward(&self, pass: &Pass<'_, T>, features: &Var<T>) -> Result<Var<T>> {
        let logits = self.0.forward(pass, features)?; // [n,1]
        ops::reshape(&logits, [logits.shape()[0]])
    }
}

/// Standard normal noise z `[batch,1,1,100]`, the stream's next values.
pub fn noise(device: &Device, stream: &mut Philox, batch: usize) -> Tensor {
    let mut z = Tensor::uninit(device, [batch, 1, 1, NOISE]);
    kernels::fill::normal(device, stream, 0.0, 1.0, &mut z);
    z
}
