//! Softmax, the losses and the pseudo-labels, of a batch and of a whole test set.

use crate::{Bench, Work::Bytes};
use kernels::cross_entropy::{self, Reduction, Target};
use kernels::{Store, bce_with_logits, pseudo_label, softmax};

const CLASSES: usize = 10;

pub fn run(bench: &mut Bench) {
    let device = bench.device.clone();
    let one = bench.filled(1.0, 1);
    for rows in [64, 10_000] {
        let n = rows * CLASSES;
        let case = format!("{rows}x{CLASSES}");
        let (x, mut y, mut dx) = (bench.normal(n), bench.filled(0.0, n), bench.filled(0.0, n));
        let (mut labels, mut weights, mut confidence) =
            (bench.filled(0, rows), bench.filled(0.0, rows), bench.filled(0.0, rows));
        bench.time("softmax_forward", &case, Bytes(8 * n), || softmax::forward(&device, rows, CLASSES, &x, &mut y));
        bench.time("softmax_backward", &case, Bytes(12 * n), || {
            softmax::backward(&device, rows, CLASSES, &y, &x, &mut dx, Store::Set);
        });
        bench.time("pseudo_label", &case, Bytes(4 * n + 12 * rows), || {
            pseudo_label::forward(
                &device,
                rows,
                CLASSES,
                &x,
                &[0.3; CLASSES],
                None,
                &mut labels,
                &mut weights,
                &mut confidence,
            );
        });
        let (kept, mut loss) = (Reduction::Kept, bench.filled(0.0, 1));
        bench.time("cross_entropy_forward", &case, Bytes(8 * n + 8 * rows), || {
            let (target, weights) = (Target::labels(&labels), Some(weights.view()));
            cross_entropy::forward(&device, rows, CLASSES, &x, target, weights, kept, &mut y, &mut loss);
        });
        bench.time("cross_entropy_backward", &case, Bytes(8 * n + 8 * rows), || {
            cross_entropy::backward(
                &device,
                rows,
                CLASSES,
                &y,
                Target::labels(&labels),
                Some(weights.view()),
                kept,
                &one,
                &mut dx,
                Store::Set,
            );
        });
    }
    let (x, mut dx, mut loss) = (bench.normal(64), bench.filled(0.0, 64), bench.filled(0.0, 1));
    bench
        .time("bce_with_logits_forward", "64", Bytes(4 * 64), || bce_with_logits::forward(&device, &x, 1.0, &mut loss));
    bench.time("bce_with_logits_backward", "64", Bytes(8 * 64), || {
        bce_with_logits::backward(&device, &x, 1.0, &one, &mut dx, Store::Set);
    });
}
