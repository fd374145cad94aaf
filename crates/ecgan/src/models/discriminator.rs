//! The DCGAN discriminator (Radford et al. 2016), with batch norm after its first layer too, as EC-GAN's notebook has it, or with
//! spectral norm in its place; and the same layers as a classifier.

use super::{Classifier, Condition, ImageShape};
use crate::settings::NormD;
use nn::{BatchNorm2d, Builder, Conv2d, Module, Pass, SpectralConv2d};
use tensor::ops::{self, Activation};
use tensor::{Named, Real, Result, Var};

/// Channels of the first hidden layer; doubled in each further one.
const WIDTH: usize = 64;

const ACTIVATION: Activation = Activation::LeakyRelu(0.2);

/// A convolution that halves the image, with what keeps it in bounds and the activation.
enum Hidden {
    BatchNorm(Conv2d, BatchNorm2d),
    SpectralNorm(SpectralConv2d),
}

impl Hidden {
    /// The `layer`-th, from `c` to `o` channels.
    fn new(b: &mut Builder, layer: usize, c: usize, o: usize, norm: NormD) -> Self {
        let at = layer * modules_of_hidden(norm);
        match norm {
            NormD::Batch => {
                let conv = b.scope(format!("main.{at}"), |b| Conv2d::new(b, c, o, 4, 2, 1));
                Self::BatchNorm(conv, b.scope(format!("main.{}", at + 1), |b| BatchNorm2d::new(b, o, ACTIVATION)))
            }
            NormD::Spectral => Self::SpectralNorm(
                b.scope(format!("main.{at}"), |b| SpectralConv2d::new(b, [c, o], 4, 2, 1, ACTIVATION)),
            ),
        }
    }

    fn forward<T: Real>(&self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<Var<T>> {
        match self {
            Self::BatchNorm(conv, bn) => bn.forward(pass, &conv.forward_to_norm(pass, x)?),
            Self::SpectralNorm(conv) => conv.forward(pass, x),
        }
    }
}

/// Modules of a hidden layer in PyTorch's `Sequential`: convolution, batch norm, activation.
pub(crate) fn modules_of_hidden(norm: NormD) -> usize {
    match norm {
        NormD::Batch => 3,
        NormD::Spectral => 2,
    }
}

/// The convolutions that halve the image, down to 4x4.
struct Trunk {
    hidden: Vec<Hidden>,
    condition: Option<Condition>,
}

impl Trunk {
    /// With `condition`, the class enters as further channels behind the first hidden layer's.
    fn new(b: &mut Builder, image: ImageShape, condition: Option<Condition>, norm: NormD) -> Self {
        let mut hidden = Vec::new();
        let (mut c, mut o) = (image.channels, WIDTH);
        for layer in 0..hidden_layers(image) {
            hidden.push(Hidden::new(b, layer, c, o, norm));
            let class = condition.filter(|_| layer == 0).map_or(0, |condition| condition.channels());
            (c, o) = (o + class, o * 2);
        }
        Self { hidden, condition }
    }

    /// From images to features `[n,4,4,c]`.
    fn forward<T: Real>(&self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<Var<T>> {
        let mut h = x.clone(); // [n,32,32,3]
        for (layer, hidden) in self.hidden.iter().enumerate() {
            h = hidden.forward(pass, &h)?; // [n,16,16,64] [n,8,8,128] [n,4,4,256]
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
    output: Output,
}

/// The last layer of a discriminator.
enum Output {
    Plain(Head),
    SpectralNorm(SpectralConv2d),
}

/// From images `[n,size,size,channels]` to one logit each, `[n]`: positive is real. State-dict names `main.0.weight`, ..; with
/// spectral norm those of PyTorch's `spectral_norm`, `main.0.weight_orig` and `weight_u`; its `weight_v`, which follows from them, is in
/// exported files alone.
pub fn discriminator<T: Real>(
    b: &mut Builder,
    image: ImageShape,
    condition: Option<Condition>,
    norm: NormD,
) -> Box<dyn Module<T>> {
    let trunk = Trunk::new(b, image, condition, norm);
    let output = b.scope(format!("main.{}", modules_of_hidden(norm) * hidden_layers(image)), |b| match norm {
        NormD::Batch => Output::Plain(Head::new(b, image, 1)),
        NormD::Spectral => {
            Output::SpectralNorm(SpectralConv2d::new(b, [features(image), 1], 4, 1, 0, Activation::Identity))
        }
    });
    Box::new(Discriminator { trunk, output })
}

impl<T: Real> Module<T> for Discriminator {
    fn forward(&self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<Var<T>> {
        let features = self.trunk.forward(pass, x)?; // [n,4,4,256]
        one_each(&match &self.output {
            Output::Plain(head) => head.forward(pass, &features)?,
            Output::SpectralNorm(conv) => conv.forward(pass, &features)?,
        })
    }

    fn prepare(&self, params: &Named<T>, buffers: &mut Named<T>) {
        for hidden in &self.trunk.hidden {
            if let Hidden::SpectralNorm(conv) = hidden {
                conv.prepare(params, buffers);
            }
        }
        if let Output::SpectralNorm(conv) = &self.output {
            conv.prepare(params, buffers);
        }
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
        let trunk = Trunk::new(b, image, None, NormD::Batch);
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
