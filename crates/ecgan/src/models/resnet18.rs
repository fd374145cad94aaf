//! ResNet-18 (He et al. 2016) for small images: a 3x3 stem without pooling, four stages of two basic blocks.

use super::{Classifier, ImageShape, LinearHead};
use nn::{BasicBlock, BatchNorm2d, Builder, Conv2d, Linear, Module, Pass};
use tensor::ops::{self, Activation};
use tensor::{Real, Result, Var};

/// The paper's classifier: widths w, 2w, 4w, 8w. 16 is the published notebook's, 64 the classic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ResNet18 {
    /// Channels of the stem and the first stage.
    pub width: usize,
}

struct Layers {
    conv1: Conv2d,
    bn1: BatchNorm2d,
    blocks: Vec<BasicBlock>,
    linear: Linear,
}

impl Classifier for ResNet18 {
    fn build<T: Real>(&self, b: &mut Builder, image: ImageShape, classes: usize) -> Box<dyn Module<T>> {
        let conv1 = b.scope("conv1", |b| Conv2d::new(b, image.channels, self.width, 3, 1, 1));
        let bn1 = b.scope("bn1", |b| BatchNorm2d::new(b, self.width, Activation::Relu));
        let mut blocks = Vec::new();
        let mut c = self.width;
        for stage in 0..4 {
            let o = self.width << stage;
            for block in 0..2 {
                let stride = if stage > 0 && block == 0 { 2 } else { 1 };
                let name = format!("layer{}.{block}", stage + 1);
                blocks.push(b.scope(name, |b| BasicBlock::new(b, c, o, stride)));
                c = o;
            }
        }
        let linear = b.scope("linear", |b| Linear::new(b, c, classes));
        Box::new(Layers { conv1, bn1, blocks, linear })
    }

    fn real_head<T: Real>(&self, b: &mut Builder, _image: ImageShape, _classes: usize) -> Box<dyn Module<T>> {
        Box::new(LinearHead::new(b, self.width << 3))
    }
}

impl<T: Real> Module<T> for Layers {
    fn forward(&self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<Var<T>> {
        Ok(self.forward_with_features(pass, x)?[1].clone())
    }

    fn forward_with_features(&self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<[Var<T>; 2]> {
        let mut h = self.bn1.forward(pass, &self.conv1.forward_to_norm(pass, x)?)?; // [n,32,32,w]
        for block in &self.blocks {
            h = block.forward(pass, &h)?; // [n,32,32,w] [n,16,16,2w] [n,8,8,4w] [n,4,4,8w]
        }
        let h = ops::global_avg_pool2d(&h)?; // [n,1,1,8w]
        let features = ops::reshape(&h, [h.shape()[0], h.shape()[3]])?; // [n,8w]
        let logits = self.linear.forward(pass, &features)?; // [n,classes]
        Ok([features, logits])
    }
}
