//! The DCGAN discriminator (Radford et al. 2016), with batch norm after its first layer too, as EC-GAN's notebook has it; and the
//! same layers as a classifier.

use super::{Classifier, Condition, ImageShape};
use nn::{BatchNorm2d, Builder, Conv2d, Module, Pass};
use tensor::ops::{self, Activation};
use tensor::{Real, Result, Var};

/// Channels of the first hidden layer; doubled in each further one.
const WIDTH: usize = 64;

/// The convolutions that halve the image, each with its batch norm, down to 4x4.
struct Trunk {
    hidden: Vec<(Conv2d, BatchNorm2d)>,
    condition: Option<Condition>,
}

impl Trunk {
    /// With `condition`, the class enters as further channels behind the first hidden layer's.
    fn new(b: &mut Builder, image: ImageShape, condition: Option<Condition>) -> Self {
        let mut hidden = Vec::new();
        let (mut c, mut o) = (image.channels, WIDTH);
        for layer in 0..hidden_layers(image) {
            let conv = b.scope(format!("main.{}", 3 * layer), |b| Conv2d::new(b, c, o, 4, 2, 1));
            let activation = Activation::LeakyRelu(0.2);
            let bn = b.scope(format!("main.{}", 3 * layer + 1), |b| BatchNorm2d::new(b, o, activation));
            hidden.push((conv, bn));
            let class = condition.filter(|_| layer == 0).map_or(0, |condition| condition.channels());
            (c, o) = (o + class, o * 2);
        }
        Self { hidden, condition }
    }

    /// From images to features `[n,4,4,c]`.
    fn forward<T: Real>(&self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<Var<T>> {
        let mut h = x.clone(); // [n,32,32,3]
        for (layer, (conv, bn)) in self.hidden.iter().enumerate() {
            h = bn.forward(pass, &conv.forward(pass, &h)?)?; // [n,16,16,64] [n,8,8,128] [n,4,4,256]
            if let Some(condition) = self.condition.filter(|_| layer == 0) {
                h = condition.append(pass, &h)?; // [n,16,16,64+k]
            }
        }
        Ok(h)
    }
}

fn hidden_layers(image: ImageShape) -> usize {
    (image.size / 4).ilog2() as usize
}

/// Channels of the trunk's features.
fn features(image: ImageShape) -> usize {
    WIDTH << (hidden_layers(image) - 1)
}

/// The last layer, over all of the features: from `[n,4,4,c]` to `[n,outputs]`.
struct Head(Conv2d);

impl Head {
    fn new(b: &mut Builder, image: ImageShape, outputs: usize) -> Self {
        Self(Conv2d::new(b, features(image), outputs, 4, 1, 0))
    }

    fn forward<T: Real>(&self, pass: &Pass<'_, T>, h: &Var<T>) -> Result<Var<T>> {
        let y = self.0.forward(pass, h)?; // [n,1,1,outputs]
        ops::reshape(&y, [y.shape()[0], y.shape()[3]])
    }
}

/// One logit each, `[n]`.
fn one_each<T: Real>(logits: &Var<T>) -> Result<Var<T>> {
    ops::reshape(logits, [logits.shape()[0]])
}

struct Discriminator {
    trunk: Trunk,
    output: Head,
}

/// From images `[n,size,size,channels]` to one logit each, `[n]`: positive is real. State-dict names `main.0.weight`, ...
pub fn discriminator<T: Real>(b: &mut Builder, image: ImageShape, condition: Option<Condition>) -> Box<dyn Module<T>> {
    let trunk = Trunk::new(b, image, condition);
    let output = b.scope(format!("main.{}", 3 * hidden_layers(image)), |b| Head::new(b, image, 1));
    Box::new(Discriminator { trunk, output })
}

impl<T: Real> Module<T> for Discriminator {
    fn forward(&self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<Var<T>> {
        one_each(&self.output.forward(pass, &self.trunk.forward(pass, x)?)?)
    }
}

/// The discriminator's layers as a classifier: as many outputs as classes. Its last layer's name is the discriminator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dcgan;

struct DcganClassifier {
    trunk: Trunk,
    output: Head,
}

impl Classifier for Dcgan {
    fn build<T: Real>(&self, b: &mut Builder, image: ImageShape, classes: usize) -> Box<dyn Module<T>> {
        let trunk = Trunk::new(b, image, None);
        let output = b.scope(format!("main.{}", 3 * hidden_layers(image)), |b| Head::new(b, image, classes));
        Box::new(DcganClassifier { trunk, output })
    }

    fn real_head<T: Real>(&self, b: &mut Builder, image: ImageShape, _classes: usize) -> Box<dyn Module<T>> {
        Box::new(RealHead(b.scope("real", |b| Head::new(b, image, 1))))
    }
}

impl<T: Real> Module<T> for DcganClassifier {
    fn forward(&self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<Var<T>> {
        self.output.forward(pass, &self.trunk.forward(pass, x)?)
    }

    fn forward_with_features(&self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<[Var<T>; 2]> {
        let features = self.trunk.forward(pass, x)?; // [n,4,4,256]
        let logits = self.output.forward(pass, &features)?; // [n,classes]
        Ok([features, logits])
    }
}

struct RealHead(Head);

impl<T: Real> Module<T> for RealHead {
    fn forward(&self, pass: &Pass<'_, T>, features: &Var<T>) -> Result<Var<T>> {
        one_each(&self.0.forward(pass, features)?)
    }
}
