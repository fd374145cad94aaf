//! Softmax, the losses and the pseudo-labels, of a batch and of a whole test set.

use crate::{normal, time};
use criterion::Criterion;
use kernels::cross_entropy::{self, Reduction};
use kernels::{Device, Store, bce_with_logits, pseudo_label, softmax};

const CLASSES: usize = 10;

pub fn run(c: &mut Criterion) {
    let device = Device::cpu();
    for rows in [64, 10_000] {
        let n = rows * CLASSES;
        let case = format!("{rows}x{CLASSES}");
        let (x, mut y, mut dx) = (normal(n), vec![0.0; n], vec![0.0; n]);
        let (mut labels, mut weights, mut confidence) = (vec![0; rows], vec![0.0; rows], vec![0.0; rows]);
        time(c, "softmax_forward", &case, 8 * n, || softmax::forward(&device, rows, CLASSES, &x, &mut y));
        time(c, "softmax_backward", &case, 12 * n, || {
            softmax::backward(&device, rows, CLASSES, &y, &x, &mut dx, Store::Set);
        });
        time(c, "pseudo_label", &case, 4 * n + 12 * rows, || {
            pseudo_label::forward(&device, rows, CLASSES, &x, 0.3, &mut labels, &mut weights, &mut confidence);
        });
        let (kept, mut loss) = (Reduction::Kept, [0.0]);
        time(c, "cross_entropy_forward", &case, 8 * n + 8 * rows, || {
            let weights = Some(&weights[..]);
            cross_entropy::forward(&device, rows, CLASSES, &x, &labels, weights, kept, &mut y, &mut loss);
        });
        time(c, "cross_entropy_backward", &case, 8 * n + 8 * rows, || {
            let weights = Some(&weights[..]);
            cross_entropy::backward(&device, rows, CLASSES, &y, &labels, weights, kept, &[1.0], &mut dx, Store::Set);
        });
    }
    let (x, mut dx, mut loss) = (normal(64), vec![0.0; 64], [0.0]);
    time(c, "bce_with_logits_forward", "64", 4 * 64, || bce_with_logits::forward(&device, &x, 1.0, &mut loss));
    time(c, "bce_with_logits_backward", "64", 8 * 64, || {
        bce_with_logits::backward(&device, &x, 1.0, &[1.0], &mut dx, Store::Set);
    });
}
