//! The same on a GPU.

use super::{Reduction, Target};
use crate::Store;
use crate::cuda::{BLOCK, Cuda, Grid, Kernel};
use crate::view::{DeviceSlice, DeviceSliceMut, View};

const FORWARD: Kernel = Kernel { module: "cross_entropy", name: "cross_entropy_forward" };
const BACKWARD: Kernel = Kernel { module: "cross_entropy", name: "cross_entropy_backward" };

/// Labels, or else probabilities, and the smoothing of labels.
type Parts<'a> = (Option<DeviceSlice<'a, i32>>, Option<DeviceSlice<'a, f32>>, f32);

fn parts<T: crate::Real>(target: Target<'_, T>) -> Parts<'_> {
    match target {
        Target::Labels { labels, smoothing } => (Some(labels.device()), None, smoothing.to_f64() as f32),
        Target::Probabilities(targets) => (None, Some(View::on_gpu(targets)), 0.0),
    }
}

/// See [`forward`](super::forward). Labels are not read back to be checked: one that is no class makes the loss NaN.
pub fn forward<T: crate::Real>(
    cuda: &Cuda,
    rows: usize,
    classes: usize,
    logits: DeviceSlice<f32>,
    target: Target<'_, T>,
    weights: Option<DeviceSlice<f32>>,
    reduction: Reduction,
    probabilities: DeviceSliceMut<f32>,
    loss: DeviceSliceMut<f32>,
) {
    let parts = parts(target);
    check(rows, classes, [logits.len(), probabilities.len()], &parts, &weights, loss.len());
    let (labels, targets, smoothing) = parts;
    let (rows, classes, kept) = (rows as i32, classes as i32, i32::from(reduction == Reduction::Kept));
    // One block, `THREADS` of cross_entropy.cu.
    let grid = Grid::linear(1, 1024);
    // SAFETY: the lengths were checked.
    unsafe {
        cuda.launch(
            FORWARD,
            grid,
            &[&logits, &labels, &targets, &smoothing, &weights, &probabilities, &loss, &rows, &classes, &kept],
        );
    }
}

/// See [`backward`](super::backward).
pub fn backward<T: crate::Real>(
    cuda: &Cuda,
    rows: usize,
    classes: usize,
    probabilities: DeviceSlice<f32>,
    target: Target<'_, T>,
    weights: Option<DeviceSlice<f32>>,
    reduction: Reduction,
    dloss: DeviceSlice<f32>,
    dlogits: DeviceSliceMut<f32>,
    store: Store,
) {
    let parts = parts(target);
    check(rows, classes, [probabilities.len(), dlogits.len()], &parts, &weights, dloss.len());
    let (labels, targets, smoothing) = parts;
    let grid = Grid::linear((rows * classes).div_ceil(BLOCK as usize), BLOCK);
    let (rows, classes, kept) = (rows as i32, classes as i32, i32::from(reduction == Reduction::Kept));
    // SAFETY: the lengths were checked.
    unsafe {
        cuda.launch(
            BACKWARD,
            grid,
            &[
                &probabilities,
                &labels,
                &targets,
                &smoothing,
                &weights,
                &dloss,
                &dlogits,
                &rows,
                &classes,
                &kept,
                &store,
            ],
        );
    }
}

fn check(
    rows: usize,
    classes: usize,
    matrices: [usize; 2],
    (labels, targets, _): &Parts<'_>,
    weights: &Option<DeviceSlice<f32>>,
    loss: usize,
) {
    let fits = matrices == [rows * classes; 2];
    assert!(rows > 0 && classes > 0 && fits, "cross_entropy: logits and probabilities of {rows} x {classes}");
    let fits = labels.is_none_or(|labels| labels.len() == rows)
        && targets.is_none_or(|targets| targets.len() == rows * classes)
        && weights.is_none_or(|w| w.len() == rows);
    assert!(fits && loss == 1, "cross_entropy: targets, weights and loss");
}
