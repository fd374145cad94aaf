//! The basic block of ResNet-18 (He et al. 2016): y = relu(bn2(conv2(relu(bn1(conv1(x))))) + shortcut(x)).

use crate::{BatchNorm2d, Builder, Conv2d, Pass};
use tensor::ops::Activation;
use tensor::{Real, Result, Var};

/// Two 3x3 convolutions and a shortcut, which is a strided 1x1 convolution where the shape changes.
#[derive(Clone, Copy, Debug)]
pub struct BasicBlock {
    conv1: Conv2d,
    bn1: BatchNorm2d,
    conv2: Conv2d,
    bn2: BatchNorm2d,
    shortcut: Option<(Conv2d, BatchNorm2d)>,
}

impl BasicBlock {
    /// From `c` to `o` channels; `stride` in the first convolution.
    pub fn new(b: &mut Builder, c: usize, o: usize, stride: usize) -> Self {
        let conv1 = b.scope("conv1", |b| Conv2d::new(b, c, o, 3, stride, 1));
        let bn1 = b.scope("bn1", |b| BatchNorm2d::new(b, o, Activation::Relu));
        let conv2 = b.scope("conv2", |b| Conv2d::new(b, o, o, 3, 1, 1));
        let bn2 = b.scope("bn2", |b| BatchNorm2d::new(b, o, Activation::Relu));
        let shortcut = (stride != 1 || c != o).then(|| {
            let conv = b.scope("shortcut.0", |b| Conv2d::new(b, c, o, 1, stride, 0));
            (conv, b.scope("shortcut.1", |b| BatchNorm2d::new(b, o, Activation::Identity)))
        });
        Self { conv1, bn1, conv2, bn2, shortcut }
    }

    /// `[n,h,w,c]` to `[n, h/stride, w/stride, o]`.
    pub fn forward<T: Real>(&self, pass: &Pass<'_, T>, x: &Var<T>) -> Result<Var<T>> {
        let h = self.bn1.forward(pass, &self.conv1.forward_to_norm(pass, x)?)?;
        let h = self.conv2.forward_to_norm(pass, &h)?;
        match &self.shortcut {
            None => self.bn2.forward_add(pass, &h, x),
            Some((conv, bn)) => self.bn2.forward_add(pass, &h, &bn.forward(pass, &conv.forward_to_norm(pass, x)?)?),
        }
    }
}
