//! The convolutions of the classifier (ResNet-18, width 16), the discriminator and the generator, at batch 64.

use kernels::conv2d::Conv2d;

/// Images of a step.
const BATCH: usize = 64;

/// A layer and its geometry.
pub struct Layer {
    pub name: String,
    pub geometry: Conv2d,
}

/// Ordinary convolution of `size` x `size` images.
fn layer(net: &str, size: usize, c: usize, o: usize, kernel: usize, stride: usize, padding: usize) -> Layer {
    let geometry = Conv2d::new(BATCH, size, size, c, o, [kernel; 2], [stride; 2], [padding; 2]);
    Layer {
        name: format!("{net} {size}x{size} {c}-{o} k{kernel} s{stride}"),
        geometry: geometry.expect("a valid geometry"),
    }
}

/// Those of the classifier and the discriminator.
pub fn conv2d() -> Vec<Layer> {
    vec![
        layer("C", 32, 3, 16, 3, 1, 1),
        layer("C", 32, 16, 16, 3, 1, 1),
        layer("C", 32, 16, 32, 3, 2, 1),
        layer("C", 32, 16, 32, 1, 2, 0),
        layer("C", 16, 32, 32, 3, 1, 1),
        layer("C", 16, 32, 64, 3, 2, 1),
        layer("C", 16, 32, 64, 1, 2, 0),
        layer("C", 8, 64, 64, 3, 1, 1),
        layer("C", 8, 64, 128, 3, 2, 1),
        layer("C", 8, 64, 128, 1, 2, 0),
        layer("C", 4, 128, 128, 3, 1, 1),
        layer("D", 32, 3, 64, 4, 2, 1),
        layer("D", 16, 64, 128, 4, 2, 1),
        layer("D", 8, 128, 256, 4, 2, 1),
        layer("D", 4, 256, 1, 4, 1, 0),
    ]
}

/// Those of the generator.
pub fn conv_transpose2d() -> Vec<Layer> {
    let layer = |size: usize, c: usize, o: usize, stride: usize, padding: usize| {
        let geometry = Conv2d::transposed(BATCH, size, size, c, o, [4; 2], [stride; 2], [padding; 2], [0; 2]);
        Layer { name: format!("G {size}x{size} {c}-{o} k4 s{stride}"), geometry: geometry.expect("a valid geometry") }
    };
    vec![layer(1, 100, 256, 1, 0), layer(4, 256, 128, 2, 1), layer(8, 128, 64, 2, 1), layer(16, 64, 3, 2, 1)]
}
