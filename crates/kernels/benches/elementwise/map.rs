//! Maps over activations, and the copy to measure them against.

use crate::{normal, time};
use criterion::Criterion;
use kernels::avg_pool2d::AvgPool2d;
use kernels::parallel::{CHUNK, split};
use kernels::philox::Philox;
use kernels::{Device, Store, add, avg_pool2d, fill, reduce, relu, tanh};

/// [n, h, w, c] of activations, largest first.
const SHAPES: [[usize; 4]; 4] = [[64, 32, 32, 64], [64, 32, 32, 16], [64, 16, 16, 32], [64, 8, 8, 128]];

pub fn run(c: &mut Criterion) {
    let device = Device::cpu();
    for shape in SHAPES {
        let n: usize = shape.iter().product();
        let case = shape.map(|d| d.to_string()).join("x");
        let (a, b, mut y) = (normal(n), normal(n), vec![0.0f32; n]);
        time(c, "copy", &case, 8 * n, || split((&a[..], &mut y[..]), n, CHUNK, |_, (a, y)| y.copy_from_slice(a)));
        time(c, "relu_forward", &case, 8 * n, || relu::forward(&device, &a, &mut y));
        time(c, "relu_backward", &case, 12 * n, || relu::backward(&device, &a, &b, &mut y, Store::Set));
        time(c, "add_forward", &case, 12 * n, || add::forward(&device, &a, &b, &mut y));
        time(c, "add_accumulate", &case, 12 * n, || add::accumulate(&device, &a, &mut y));
        let mut sum = [0.0];
        time(c, "sum", &case, 4 * n, || reduce::sum(&device, &a, &mut sum));
        time(c, "fill_constant", &case, 4 * n, || fill::constant(&device, 0.0, &mut y));
    }
    let (x, mut y) = (normal(64 * 32 * 32 * 3), vec![0.0f32; 64 * 32 * 32 * 3]);
    time(c, "tanh_forward", "64x32x32x3", 8 * x.len(), || tanh::forward(&device, &x, &mut y));

    let g = AvgPool2d { n: 64, h: 4, w: 4, c: 512, kernel: [4, 4] };
    let (mut x, mut y) = (normal(64 * 16 * 512), normal(64 * 512));
    let bytes = 4 * (x.len() + y.len());
    time(c, "avg_pool2d_forward", "64x4x4x512", bytes, || avg_pool2d::forward(&device, &g, &x, &mut y));
    time(c, "avg_pool2d_backward", "64x4x4x512", bytes, || avg_pool2d::backward(&device, &g, &y, &mut x, Store::Set));

    for n in [64 * 100, 1 << 20] {
        let (mut philox, mut out) = (Philox::new(1, 0), vec![0.0f32; n]);
        time(c, "fill_normal", &n.to_string(), 4 * n, || fill::normal(&device, &mut philox, 0.0, 1.0, &mut out));
        time(c, "fill_uniform", &n.to_string(), 4 * n, || fill::uniform(&device, &mut philox, 0.0, 1.0, &mut out));
    }
}
