//! The three passes of every convolution of the networks.

use crate::layers::{Convolution, Layers};
use crate::{Bench, Work, normal};
use kernels::conv2d::{self, Conv2d};
use kernels::{Device, Store, conv_transpose2d};

/// A pass: device, geometry, two operands, output, how to write it.
type Pass = fn(&Device, &Conv2d, &[f32], &[f32], &mut [f32], Store);

/// Lengths of a pass's two operands and its output.
type Lengths = fn(&Conv2d) -> [usize; 3];

pub fn run(bench: &mut Bench) {
    let device = bench.device.clone();
    let Layers { batch, conv2d, conv_transpose2d, .. } = Layers::read();
    let mut time = |kernel: &str, layer: &Convolution, g: &Conv2d, pass: Pass, lengths: Lengths| {
        let [a, b, out] = lengths(g);
        let (a, b, mut out) = (normal(a), normal(b), vec![0.0; out]);
        bench.time(kernel, &layer.name(), Work::Flops(g.flops()), || pass(&device, g, &a, &b, &mut out, Store::Set));
    };
    for layer in &conv2d {
        let g = &layer.direct(batch);
        time(
            "conv2d_forward",
            layer,
            g,
            |d, g, a, b, out, s| conv2d::forward(d, g, a, b, out, s),
            |g| [g.x_len(), g.w_len(), g.y_len()],
        );
        time(
            "conv2d_backward_input",
            layer,
            g,
            |d, g, a, b, out, s| conv2d::backward_input(d, g, a, b, out, s),
            |g| [g.y_len(), g.w_len(), g.x_len()],
        );
        time(
            "conv2d_backward_weight",
            layer,
            g,
            |d, g, a, b, out, s| conv2d::backward_weight(d, g, a, b, out, s),
            |g| [g.x_len(), g.y_len(), g.w_len()],
        );
    }
    use conv_transpose2d::{backward_input, backward_weight, forward};
    for layer in &conv_transpose2d {
        let g = &layer.transposed(batch);
        time(
            "conv_transpose2d_forward",
            layer,
            g,
            |d, g, a, b, out, s| forward(d, g, a, b, out, s),
            |g| [g.y_len(), g.w_len(), g.x_len()],
        );
        time(
            "conv_transpose2d_backward_input",
            layer,
            g,
            |d, g, a, b, out, s| backward_input(d, g, a, b, out, s),
            |g| [g.x_len(), g.w_len(), g.y_len()],
        );
        time(
            "conv_transpose2d_backward_weight",
            layer,
            g,
            |d, g, a, b, out, s| backward_weight(d, g, a, b, out, s),
            |g| [g.y_len(), g.x_len(), g.w_len()],
        );
    }
}
