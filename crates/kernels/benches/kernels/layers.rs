//! The layers of the classifier (ResNet-18, width 16), the discriminator and the generator, and the batch norms of
//! widths 16 and 64, from `layers.json`, which the programs beside us read too (`benchmarks/peers`).

use kernels::conv2d::Conv2d;
use serde::Deserialize;

/// `layers.json`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layers {
    /// Images of a step.
    pub batch: usize,
    pub conv2d: Vec<Convolution>,
    pub conv_transpose2d: Vec<Convolution>,
    pub batch_norm: Vec<BatchNorm>,
}

/// A convolution, ordinary or transposed, of `size` x `size` images from `c` to `o` channels.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Convolution {
    net: String,
    size: usize,
    c: usize,
    o: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
}

/// A batch norm of `size` x `size` images of `c` channels.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchNorm {
    pub size: usize,
    pub c: usize,
}

impl Layers {
    pub fn read() -> Self {
        serde_json::from_str(include_str!("../layers.json")).expect("benches/layers.json")
    }
}

impl Convolution {
    /// Its shape in the tables.
    pub fn name(&self) -> String {
        let Self { net, size, c, o, kernel, stride, .. } = self;
        format!("{net} {size}x{size} {c}-{o} k{kernel} s{stride}")
    }

    /// The geometry of an ordinary convolution.
    pub fn direct(&self, batch: usize) -> Conv2d {
        let &Self { size, c, o, kernel, stride, padding, .. } = self;
        Conv2d::new(batch, size, size, c, o, [kernel; 2], [stride; 2], [padding; 2]).expect("a valid geometry")
    }

    /// The geometry of the convolution that a transposed one is the adjoint of.
    pub fn transposed(&self, batch: usize) -> Conv2d {
        let &Self { size, c, o, kernel, stride, padding, .. } = self;
        Conv2d::transposed(batch, size, size, c, o, [kernel; 2], [stride; 2], [padding; 2], [0; 2])
            .expect("a valid geometry")
    }
}
