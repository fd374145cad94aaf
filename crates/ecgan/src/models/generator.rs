//! The DCGAN generator (Radford et al. 2016): noise to images by transposed convolutions.

use super::{Condition, ImageShape, NOISE};
use nn::{BatchNorm2d, Builder, ConvTranspose2d, Module, Pass};
use tensor::ops::{self, Activation};
use tensor::{Real, Result, Var};

/// Channels of the last hidden layer; doubled in each layer before it.
const WIDTH: usize = 64;

struct Generator {
    hidden: Vec<(ConvTranspose2d, BatchNorm2d)>,
    output: ConvTranspose2d,
    condition: Option<Condition>,
}

/// From z `[n,1,1,100]` to images `[n,size,size,channels]` in (-1, 1). State-dict names `main.0.weight`, ... With
/// `condition`, the class stands behind the noise.
pub fn generator<T: Real>(b: &mut Builder, image: ImageShape, condition: Option<Condition>) -> Box<dyn Module<T>> {
    // 4x4 after the first layer, doubled by each further one.
    let hidden_layers = (image.size / 4).ilog2() as usize;
    let mut hidden = Vec::new();
    let (mut c, mut o) = (NOISE + condition.map_or(0, Condition::channels), WIDTH << (hidden_layers - 1));
    for layer in 0..hidden_layers {
        let (stride, padding) = if layer == 0 { (1, 0) } else { (2, 1) };
        let conv = b.scope(format!("main.{}", 3 * layer), |b| ConvTranspose2d::new(b, c, o, 4, stride, padding));
        let bn = b.scope(format!("main.{}", 3 * layer + 1), |b| BatchNorm2d::new(b, o, Activation::Relu));
        hidden.push((conv, bn));
        (c, o) = (o, o / 2);
    }
    let name = format!("main.{}", 3 * hidden_layers);
    let output = b.scope(name, |b| ConvTranspose2d::new(b, c, image.channels, 4, 2, 1));
    Box::new(Generator { hidden, output, condition })
}

impl<T: Real> Module<T> for Generator {
    fn forward(&self, pass: &Pass<'_, T>, z: &Var<T>) -> Result<Var<T>> {
        let mut h = match self.condition {
            None => z.clone(),                             // [n,1,1,100]
            Some(condition) => condition.append(pass, z)?, // [n,1,1,100+k]
        };
        for (conv, bn) in &self.hidden {
            h = bn.forward(pass, &conv.forward_to_norm(pass, &h)?)?; // [n,4,4,256] [n,8,8,128] [n,16,16,64]
        }
        ops::tanh(&self.output.forward(pass, &h)?) // [n,32,32,3]
    }
}
