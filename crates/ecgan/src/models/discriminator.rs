//! The DCGAN discriminator (Radford et al. 2016), with batch norm after its first layer too, as EC-GAN's notebook has it.

use super::ImageShape;
use nn::{BatchNorm2d, Builder, Conv2d, Module, Pass};
use tensor::ops::{self, Activation};
use tensor::{Real, Result, Var};

/// Channels of the first layer; doubled in each further one.
const WIDTH: usize = 64;

struct Discriminator {
    hidden: Vec<(Conv2d, BatchNorm2d)>,
    output: Conv2d,
}

/// From images `[n,size,size,channels]` to one logit each, `[n]`: positive is real. State-dict names `main.0.weight`, ...
pub fn discriminator<T: Real>(b: &mut Builder, image: ImageShape) -> Box<dyn Module<T>> {
    // Each layer halves the image, down to 4x4.
    let hidden_layers = (image.size / 4).ilog2() as usize;
    let mut hidden = Vec::new();
    let (mut c, mut o) = (image.channels, WIDTH);
    for layer in 0..hidden_layers {
        let conv = b.scope(format!("main.{}", 3 * layer), |b| Conv2d::new(b, c, o, 4, 2, 1));
        let activation = Activation::LeakyRelu(0.2);
        let bn = b.scope(format!("main.{}", 3 * layer + 1), |b| BatchNorm2d::new(b, o, activation));
        hidden.push((conv, bn));
        (c, o) = (o, o * 2);
    }
    let output = b.scope(format!("main.{}", 3 * hidden_layers), |b| Conv2d::new(b, c, 1, 4, 1, 0));
    Box::new(Discriminator { hidden, output })
}

impl<T: Real> Module<T> for Discriminator {
    fn forward(&self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<Var<T>> {
        let mut h = x.clone(); // [n,32,32,3]
        for (conv, bn) in &self.hidden {
            h = bn.forward(pass, &conv.forward(pass, &h)?)?; // [n,16,16,64] [n,8,8,128] [n,4,4,256]
        }
        let logits = self.output.forward(pass, &h)?; // [n,1,1,1]
        ops::reshape(&logits, [logits.shape()[0]])
    }
}
