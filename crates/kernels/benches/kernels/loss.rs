//! Softmax, the losses and the pseudo-labels, of a batch and of a whole test set.

use crate::{Bench, Work::Bytes, normal};
use kernels::cross_entropy::{self, Reduction};
use kernels::view::View;
use kernels::{Store, bce_with_logits, pseudo_label, softmax};

const CLASSES: usize = 10;

pub fn run(bench: &mut Bench) {
    let device = bench.device.clone();
    for rows in [64, 10_000] {
        let n = rows * CLASSES;
        let case = format!("{rows}x{CLASSES}");
        let (x, mut y, mut dx) = (normal(n), vec![0.0; n], vec![0.0; n]);
        let (mut labels, mut weights, mut confidence) = (vec![0; rows], vec![0.0; rows], vec![0.0; rows]);
        bench.time("softmax_forward", &case, Bytes(8 * n), || softmax::forward(&device, rows, CLASSES, &x, &mut y));
        bench.time("softmax_backward", &case, Bytes(12 * n), || {
            softmax::backward(&device, rows, CLASSES, &y, &x, &mut dx, Store::Set);
        });
        bench.time("pseudo_label", &case, Bytes(4 * n + 12 * rows), || {
            pseudo_label::forward(&device, rows, CLASSES, &x, 0.3, &mut labels, &mut weights, &mut confidence);
        });
        let (kept, mut loss) = (Reduction::Kept, [0.0]);
        bench.time("cross_entropy_forward", &case, Bytes(8 * n + 8 * rows), || {
            let weights = Some(&weights[..]);
            cross_entropy::forward(
                &device,
                rows,
                CLASSES,
                &x,
                &labels,
                weights.map(View::from),
                kept,
                &mut y,
                &mut loss,
            );
        });
        bench.time("cross_entropy_backward", &case, Bytes(8 * n + 8 * rows), || {
            let weights = Some(&weights[..]);
            cross_entropy::backward(
                &device,
                rows,
                CLASSES,
                &y,
                &labels,
                weights.map(View::from),
                kept,
                &[1.0],
                &mut dx,
                Store::Set,
            );
        });
    }
    let (x, mut dx, mut loss) = (normal(64), vec![0.0; 64], [0.0]);
    bench
        .time("bce_with_logits_forward", "64", Bytes(4 * 64), || bce_with_logits::forward(&device, &x, 1.0, &mut loss));
    bench.time("bce_with_logits_backward", "64", Bytes(8 * 64), || {
        bce_with_logits::backward(&device, &x, 1.0, &[1.0], &mut dx, Store::Set);
    });
}
