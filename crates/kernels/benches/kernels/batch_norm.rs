//! Batch normalisation at the networks' layers, in training: its passes, and whole, alone or with ReLU after it, with
//! and without residual.

use crate::layers::Layers;
use crate::operand::Operand;
use crate::{Bench, Work::Bytes};
use kernels::batch_norm::{self, BatchStatistics, Normalize, Running, statistics};
use kernels::view::{View, ViewMut};
use kernels::{Device, Store};

/// act(v) = v where v > 0, else slope v.
const NONE: f32 = 1.0;
const RELU: f32 = 0.0;

pub fn run(bench: &mut Bench) {
    let device = bench.device.clone();
    let Layers { batch, batch_norm, .. } = Layers::read();
    for layer in batch_norm {
        let shape = format!("{batch}x{0}x{0}x{1}", layer.size, layer.c);
        let n = batch * layer.size * layer.size * layer.c;
        forward(bench, &device, &shape, n, layer.c);
        backward(bench, &device, &shape, n, layer.c);
    }
}

fn forward(bench: &mut Bench, device: &Device, shape: &str, n: usize, channels: usize) {
    let (x, residual, gamma, beta) = (bench.normal(n), bench.normal(n), bench.normal(channels), bench.normal(channels));
    let (mut mean, mut var, mut y) = (bench.filled(0.0, channels), bench.filled(1.0, channels), bench.filled(0.0, n));
    let (mut running_mean, mut running_var) = (bench.filled(0.0, channels), bench.filled(1.0, channels));
    bench.time("batch_norm_statistics", shape, Bytes(4 * n), || {
        statistics(device, channels, &x, &mut mean, &mut var, None)
    });
    bench.time("batch_norm_normalize", shape, Bytes(8 * n), || {
        let relu = Normalize { channels, eps: 1e-5, slope: RELU };
        batch_norm::forward(device, relu, &x, [&mean, &var, &gamma, &beta], None, &mut y);
    });
    let mut whole = |slope, residual: Option<&Operand<f32>>| {
        let running =
            Running { momentum: 0.1, mean: (&mut running_mean).into(), var: (&mut running_var).into(), groups: 1 };
        statistics(device, channels, &x, &mut mean, &mut var, Some(running));
        let normalize = Normalize { channels, eps: 1e-5, slope };
        batch_norm::forward(device, normalize, &x, [&mean, &var, &gamma, &beta], residual.map(View::from), &mut y);
    };
    bench.time("batch_norm_forward", shape, Bytes(12 * n), || whole(NONE, None));
    bench.time("batch_norm_relu_forward", shape, Bytes(12 * n), || whole(RELU, None));
    bench.time("batch_norm_add_relu_forward", shape, Bytes(16 * n), || whole(RELU, Some(&residual)));
}

fn backward(bench: &mut Bench, device: &Device, shape: &str, n: usize, channels: usize) {
    // dy becomes dx where it lies: with gamma 1 it stays of its size from one repetition to the next.
    let (x, y, mut dy, gamma, beta) =
        (bench.normal(n), bench.normal(n), bench.normal(n), bench.filled(1.0, channels), bench.normal(channels));
    let (mean, var, mut dresidual) = (bench.filled(0.0, channels), bench.filled(1.0, channels), bench.filled(0.0, n));
    let (mut dgamma, mut dbeta) = (bench.filled(0.0, channels), bench.filled(0.0, channels));
    let mut gradient = |slope, y: Option<&Operand<f32>>, dresidual: Option<&mut Operand<f32>>| {
        let normalize = Normalize { channels, eps: 1e-5, slope };
        let [dgamma, dbeta] = [&mut dgamma, &mut dbeta].map(|out| Some((out.into(), Store::Set)));
        let (y, dresidual) = (y.map(View::from), dresidual.map(ViewMut::from));
        let (constants, batch) = ([&mean, &var, &gamma, &beta], BatchStatistics::Batch);
        batch_norm::backward(device, normalize, batch, &x, y, &mut dy, constants, dgamma, dbeta, dresidual);
    };
    // Two passes, the sums' and dx's.
    bench.time("batch_norm_backward", shape, Bytes(20 * n), || gradient(NONE, None, None));
    bench.time("batch_norm_relu_backward", shape, Bytes(20 * n), || gradient(RELU, None, None));
    bench.time("batch_norm_add_relu_backward", shape, Bytes(32 * n), || gradient(RELU, Some(&y), Some(&mut dresidual)));
}
