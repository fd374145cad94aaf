//! The three passes of every convolution of the networks.

use crate::layers::{Convolution, Layers};
use crate::operand::Operand;
use crate::{Bench, Work};
use kernels::conv2d::{self, Conv2d};
use kernels::{Device, Store, conv_transpose2d};

/// A pass: device, geometry, two operands, output, how to write it.
type Pass = fn(&Device, &Conv2d, &Operand<f32>, &Operand<f32>, &mut Operand<f32>, Store);

/// The length of an operand.
type Length = fn(&Conv2d) -> usize;

pub fn run(bench: &mut Bench) {
    let device = bench.device.clone();
    let Layers { batch, conv2d, conv_transpose2d, .. } = Layers::read();
    let mut time = |kernel: &str, layer: &Convolution, g: &Conv2d, pass: Pass, lengths: [Length; 3]| {
        let [a, b, out] = lengths.map(|length| length(g));
        let (a, b, mut out) = (bench.normal(a), bench.normal(b), bench.filled(0.0, out));
        bench.time(kernel, &layer.name(), Work::Flops(g.flops()), || pass(&device, g, &a, &b, &mut out, Store::Set));
    };
    for layer in &conv2d {
        let g = &layer.direct(batch);
        let [x, w, y]: [Length; 3] = [Conv2d::x_len, Conv2d::w_len, Conv2d::y_len];
        use conv2d::{backward_input, backward_weight, forward};
        time("conv2d_forward", layer, g, |d, g, x, w, y, s| forward(d, g, x, w, y, s), [x, w, y]);
        time("conv2d_backward_input", layer, g, |d, g, dy, w, dx, s| backward_input(d, g, dy, w, dx, s), [y, w, x]);
        time("conv2d_backward_weight", layer, g, |d, g, x, dy, dw, s| backward_weight(d, g, x, dy, dw, s), [x, y, w]);
    }
    for layer in &conv_transpose2d {
        let g = &layer.transposed(batch);
        // The convolution of `g` runs the other way.
        let [x, w, y]: [Length; 3] = [Conv2d::y_len, Conv2d::w_len, Conv2d::x_len];
        use conv_transpose2d::{backward_input, backward_weight, forward};
        let group = |pass: &str| format!("conv_transpose2d_{pass}");
        time(&group("forward"), layer, g, |d, g, x, w, y, s| forward(d, g, x, w, y, s), [x, w, y]);
        time(&group("backward_input"), layer, g, |d, g, dy, w, dx, s| backward_input(d, g, dy, w, dx, s), [y, w, x]);
        time(&group("backward_weight"), layer, g, |d, g, x, dy, dw, s| backward_weight(d, g, x, dy, dw, s), [x, y, w]);
    }
}
