//! Maps and sums over activations.

use crate::{Bench, Work::Bytes};
use kernels::avg_pool2d::AvgPool2d;
use kernels::philox::Philox;
use kernels::{Store, add, avg_pool2d, fill, leaky_relu, reduce, relu, scale, sigmoid, tanh};

/// [n, h, w, c] of activations, largest first.
const SHAPES: [[usize; 4]; 4] = [[64, 32, 32, 64], [64, 32, 32, 16], [64, 16, 16, 32], [64, 8, 8, 128]];

pub fn run(bench: &mut Bench) {
    let device = bench.device.clone();
    for shape in SHAPES {
        let n: usize = shape.iter().product();
        let case = shape.map(|d| d.to_string()).join("x");
        let (a, b, mut y) = (bench.normal(n), bench.normal(n), bench.filled(0.0f32, n));
        bench.time("relu_forward", &case, Bytes(8 * n), || relu::forward(&device, &a, &mut y));
        bench.time("relu_backward", &case, Bytes(12 * n), || relu::backward(&device, &a, &b, &mut y, Store::Set));
        bench.time("leaky_relu_forward", &case, Bytes(8 * n), || leaky_relu::forward(&device, 0.2, &a, &mut y));
        bench.time("leaky_relu_backward", &case, Bytes(12 * n), || {
            leaky_relu::backward(&device, 0.2, &a, &b, &mut y, Store::Set);
        });
        bench.time("scale_forward", &case, Bytes(8 * n), || scale::forward(&device, 0.5, &a, &mut y, Store::Set));
        bench.time("add_forward", &case, Bytes(12 * n), || add::forward(&device, &a, &b, &mut y));
        bench.time("add_accumulate", &case, Bytes(12 * n), || add::accumulate(&device, &a, &mut y));
        let mut sum = bench.filled(0.0, 1);
        bench.time("sum", &case, Bytes(4 * n), || reduce::sum(&device, &a, &mut sum));
        bench.time("fill_constant", &case, Bytes(4 * n), || fill::constant(&device, 0.0, &mut y));
    }
    let (x, mut y) = (bench.normal(64 * 32 * 32 * 3), bench.filled(0.0f32, 64 * 32 * 32 * 3));
    let (shape, n, dy) = ("64x32x32x3", x.len(), bench.normal(64 * 32 * 32 * 3));
    bench.time("tanh_forward", shape, Bytes(8 * n), || tanh::forward(&device, &x, &mut y));
    bench.time("tanh_backward", shape, Bytes(12 * n), || tanh::backward(&device, &x, &dy, &mut y, Store::Set));
    bench.time("sigmoid_forward", shape, Bytes(8 * n), || sigmoid::forward(&device, &x, &mut y));
    bench.time("sigmoid_backward", shape, Bytes(12 * n), || sigmoid::backward(&device, &x, &dy, &mut y, Store::Set));

    let g = AvgPool2d { n: 64, h: 4, w: 4, c: 512, kernel: [4, 4] };
    let (mut x, mut y) = (bench.normal(64 * 16 * 512), bench.normal(64 * 512));
    let bytes = 4 * (x.len() + y.len());
    bench.time("avg_pool2d_forward", "64x4x4x512", Bytes(bytes), || avg_pool2d::forward(&device, &g, &x, &mut y));
    bench.time("avg_pool2d_backward", "64x4x4x512", Bytes(bytes), || {
        avg_pool2d::backward(&device, &g, &y, &mut x, Store::Set)
    });

    for n in [64 * 100, 1 << 20] {
        let (mut philox, mut out) = (Philox::new(1, 0), bench.filled(0.0f32, n));
        bench.time("fill_normal", &n.to_string(), Bytes(4 * n), || {
            fill::normal(&device, &mut philox, 0.0, 1.0, &mut out)
        });
        bench.time("fill_uniform", &n.to_string(), Bytes(4 * n), || {
            fill::uniform(&device, &mut philox, 0.0, 1.0, &mut out)
        });
    }
}
