//! The three passes of every convolution of the networks; throughput counts the operations of the definition.

use crate::{device, group, layers, layers::Layer, random};
use criterion::{Criterion, Throughput};
use kernels::conv2d::{self, Conv2d};
use kernels::{Device, Store, conv_transpose2d};

/// A pass: device, geometry, two operands, output, how to write it.
type Pass = fn(&Device, &Conv2d, &[f32], &[f32], &mut [f32], Store);

/// Lengths of a pass's two operands and its output.
type Lengths = fn(&Conv2d) -> [usize; 3];

fn passes(criterion: &mut Criterion, name: &str, layers: &[Layer], pass: Pass, lengths: Lengths) {
    let device = device();
    let mut group = group(criterion, name);
    for Layer { name, geometry } in layers {
        let [a, b, out] = lengths(geometry);
        let (a, b, mut out) = (random(a), random(b), vec![0.0; out]);
        group.throughput(Throughput::Elements(geometry.flops() as u64));
        group.bench_function(name, |bencher| {
            bencher.iter(|| pass(&device, geometry, &a, &b, &mut out, Store::Set));
        });
    }
}

pub fn benches(criterion: &mut Criterion) {
    let layers = layers::conv2d();
    passes(criterion, "conv2d_forward", &layers, conv2d::forward, |g| [g.x_len(), g.w_len(), g.y_len()]);
    passes(criterion, "conv2d_backward_input", &layers, conv2d::backward_input, |g| [g.y_len(), g.w_len(), g.x_len()]);
    passes(criterion, "conv2d_backward_weight", &layers, conv2d::backward_weight, |g| {
        [g.x_len(), g.y_len(), g.w_len()]
    });
    let layers = layers::conv_transpose2d();
    let name = |pass| format!("conv_transpose2d_{pass}");
    passes(criterion, &name("forward"), &layers, conv_transpose2d::forward, |g| [g.y_len(), g.w_len(), g.x_len()]);
    passes(criterion, &name("backward_input"), &layers, conv_transpose2d::backward_input, |g| {
        [g.x_len(), g.w_len(), g.y_len()]
    });
    passes(criterion, &name("backward_weight"), &layers, conv_transpose2d::backward_weight, |g| {
        [g.y_len(), g.x_len(), g.w_len()]
    });
}
