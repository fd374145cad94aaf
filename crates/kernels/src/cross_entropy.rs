//! Softmax cross-entropy with a weight a row:
//! loss = sum_i w_i (ln sum_j e^logit_ij - logit_i,label_i) / denominator.
//!
//! A weight of 0 leaves its row out, whatever its logits are, without a gather: shapes stay fixed.

use crate::parallel::{self, Rows};
use crate::simd::vectorized;
use crate::softmax::{self, CHUNK};
use crate::view::{View, ViewMut};
use crate::{Device, Real, Store, Work};

/// What the weighted sum is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// max(sum of the weights, 1): the mean over the kept rows, 0 where none is kept.
    Kept,
    /// The number of rows, kept or not.
    All,
}

/// The loss (one element), and softmax(logits), which the backward pass takes.
///
/// logits and probabilities are `[rows, classes]`, labels `[rows]` in 0..classes, weights `[rows]` (`None` is all 1).
pub fn forward<'a, T: Real>(
    device: &Device,
    rows: usize,
    classes: usize,
    logits: impl Into<View<'a, T>>,
    labels: impl Into<View<'a, i32>>,
    weights: Option<View<'a, T>>,
    reduction: Reduction,
    probabilities: impl Into<ViewMut<'a, T>>,
    loss: impl Into<ViewMut<'a, T>>,
) {
    let (logits, labels, probabilities, loss) = (logits.into(), labels.into(), probabilities.into(), loss.into());
    let _span = device.span("cross_entropy.forward", || work(rows, classes, 2 * logits.bytes(), labels, weights));
    if let Some(cuda) = device.gpu() {
        return cuda::forward(
            cuda,
            rows,
            classes,
            logits.on_gpu(),
            labels.device(),
            weights.map(View::on_gpu),
            reduction,
            probabilities.on_gpu(),
            loss.on_gpu(),
        );
    }
    let (logits, labels, weights, probabilities, loss) =
        (logits.host(), labels.host(), weights.map(View::host), probabilities.host(), loss.host());
    check(rows, classes, logits.len(), labels, weights);
    assert!(probabilities.len() == logits.len() && loss.len() == 1, "cross_entropy: probabilities and loss");
    let chunk = (CHUNK / classes).max(1);
    let mut partial = device.workspace::<f64>(rows.div_ceil(chunk));
    let operands = (
        Rows(logits, chunk * classes),
        Rows(labels, chunk),
        weights.map(|weights| Rows(weights, chunk)),
        Rows(probabilities, chunk * classes),
        &mut partial[..],
    );
    parallel::split(operands, rows.div_ceil(chunk), 1, |_, (logits, labels, weights, probabilities, sum)| {
        let weights = weights.map(|weights| weights.0);
        forward_chunk(device.simd(), classes, logits.0, labels.0, weights, probabilities.0, &mut sum[0]);
    });
    loss[0] = T::from_f64(partial.iter().sum::<f64>() / denominator(rows, weights, reduction));
}

/// dlogits_ij = dloss w_i (probability_ij - [j = label_i]) / denominator.
pub fn backward<'a, T: Real>(
    device: &Device,
    rows: usize,
    classes: usize,
    probabilities: impl Into<View<'a, T>>,
    labels: impl Into<View<'a, i32>>,
    weights: Option<View<'a, T>>,
    reduction: Reduction,
    dloss: impl Into<View<'a, T>>,
    dlogits: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (probabilities, labels, dloss, dlogits) = (probabilities.into(), labels.into(), dloss.into(), dlogits.into());
    let _span = device.span("cross_entropy.backward", || {
        work(rows, classes, probabilities.bytes() + store.bytes(dlogits.bytes()), labels, weights)
    });
    if let Some(cuda) = device.gpu() {
        return cuda::backward(
            cuda,
            rows,
            classes,
            probabilities.on_gpu(),
            labels.device(),
            weights.map(View::on_gpu),
            reduction,
            dloss.on_gpu(),
            dlogits.on_gpu(),
            store,
        );
    }
    let (probabilities, labels, weights, dloss, dlogits) =
        (probabilities.host(), labels.host(), weights.map(View::host), dloss.host(), dlogits.host());
    check(rows, classes, probabilities.len(), labels, weights);
    assert!(dlogits.len() == probabilities.len() && dloss.len() == 1, "cross_entropy: dlogits and dloss");
    let scale = dloss[0].to_f64() / denominator(rows, weights, reduction);
    let operands = (Rows(probabilities, classes), labels, weights, Rows(dlogits, classes));
    let chunk = (parallel::CHUNK / classes).max(1);
    parallel::split(operands, rows, chunk, |_, (probabilities, labels, weights, dlogits)| {
        backward_chunk(device.simd(), classes, scale, probabilities.0, labels, weights, dlogits.0, store);
    });
}

/// `matrices` are the bytes of what is `[rows, classes]`.
fn work<T: Real>(rows: usize, classes: usize, matrices: usize, labels: View<i32>, weights: Option<View<T>>) -> Work {
    Work::memory(format!("{rows}x{classes}"), matrices + labels.bytes() + weights.map_or(0, |w| w.bytes()))
}

fn check<T: Real>(rows: usize, classes: usize, logits: usize, labels: &[i32], weights: Option<&[T]>) {
    assert!(rows > 0 && classes > 0 && logits == rows * classes, "cross_entropy: logits of {rows} x {classes}");
    assert!(labels.len() == rows && weights.is_none_or(|w| w.len() == rows), "cross_entropy: labels and weights");
    let bad = labels.iter().find(|&&label| label < 0 || label as usize >= classes);
    assert!(bad.is_none(), "cross_entropy: label {bad:?} of {classes} classes");
}

fn denominator<T: Real>(rows: usize, weights: Option<&[T]>, reduction: Reduction) -> f64 {
    match (reduction, weights) {
        (Reduction::Kept, Some(weights)) => weights.iter().map(|w| w.to_f64()).sum::<f64>().max(1.0),
        _ => rows as f64,
    }
}

vectorized! {
    fn forward_chunk<T: Real>(
        classes: usize,
        logits: &[T],
        labels: &[i32],
        weights: Option<&[T]>,
        probabilities: &mut [T],
        total: &mut f64,
    ) {
        *total = 0.0;
        let rows = logits.chunks_exact(classes).zip(probabilities.chunks_exact_mut(classes)).zip(labels);
        for (i, ((logits, probabilities), &label)) in rows.enumerate() {
            let (max, sum) = softmax::row(logits, probabilities);
            let weight = weights.map_or(T::ONE, |weights| weights[i]);
            if weight != T::ZERO {
                *total += (weight * (sum.ln() + (max - logits[label as usize]))).to_f64();
            }
        }
    }

    fn backward_chunk<T: Real>(
        classes: usize,
        scale: f64,
        probabilities: &[T],
        labels: &[i32],
        weights: Option<&[T]>,
        dlogits: &mut [T],
        store: Store,
    ) {
        let rows = probabilities.chunks_exact(classes).zip(dlogits.chunks_exact_mut(classes)).zip(labels);
        for (i, ((probabilities, dlogits), &label)) in rows.enumerate() {
            let weight = weights.map_or(T::ONE, |weights| weights[i]);
            if weight == T::ZERO {
                dlogits.iter_mut().for_each(|dlogit| store.write(dlogit, T::ZERO));
                continue;
            }
            let scale = T::from_f64(scale * weight.to_f64());
            for (j, (&probability, dlogit)) in probabilities.iter().zip(dlogits).enumerate() {
                let target = if j == label as usize { T::ONE } else { T::ZERO };
                store.write(dlogit, scale * (probability - target));
            }
        }
    }
}

/// The same on a GPU.
pub mod cuda {
    use super::Reduction;
    use crate::Store;
    use crate::cuda::{BLOCK, Cuda, Grid, Kernel};
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const FORWARD: Kernel = Kernel { module: "cross_entropy", name: "cross_entropy_forward" };
    const BACKWARD: Kernel = Kernel { module: "cross_entropy", name: "cross_entropy_backward" };

    /// See [`forward`](super::forward). Labels are not read back to be checked: one that is no class makes the loss NaN.
    pub fn forward(
        cuda: &Cuda,
        rows: usize,
        classes: usize,
        logits: DeviceSlice<f32>,
        labels: DeviceSlice<i32>,
        weights: Option<DeviceSlice<f32>>,
        reduction: Reduction,
        probabilities: DeviceSliceMut<f32>,
        loss: DeviceSliceMut<f32>,
    ) {
        check(rows, classes, [logits.len(), probabilities.len()], &labels, &weights, loss.len());
        let (rows, classes, kept) = (rows as i32, classes as i32, i32::from(reduction == Reduction::Kept));
        // One block, `THREADS` of cross_entropy.cu.
        let grid = Grid::linear(1, 1024);
        // SAFETY: the lengths were checked.
        unsafe {
            cuda.launch(FORWARD, grid, &[&logits, &labels, &weights, &probabilities, &loss, &rows, &classes, &kept]);
        }
    }

    /// See [`backward`](super::backward).
    pub fn backward(
        cuda: &Cuda,
        rows: usize,
        classes: usize,
        probabilities: DeviceSlice<f32>,
        labels: DeviceSlice<i32>,
        weights: Option<DeviceSlice<f32>>,
        reduction: Reduction,
        dloss: DeviceSlice<f32>,
        dlogits: DeviceSliceMut<f32>,
        store: Store,
    ) {
        check(rows, classes, [probabilities.len(), dlogits.len()], &labels, &weights, dloss.len());
        let grid = Grid::linear((rows * classes).div_ceil(BLOCK as usize), BLOCK);
        let (rows, classes, kept) = (rows as i32, classes as i32, i32::from(reduction == Reduction::Kept));
        // SAFETY: the lengths were checked.
        unsafe {
            cuda.launch(
                BACKWARD,
                grid,
                &[&probabilities, &labels, &weights, &dloss, &dlogits, &rows, &classes, &kept, &store],
            );
        }
    }

    fn check(
        rows: usize,
        classes: usize,
        matrices: [usize; 2],
        labels: &DeviceSlice<i32>,
        weights: &Option<DeviceSlice<f32>>,
        loss: usize,
    ) {
        let fits = matrices == [rows * classes; 2];
        assert!(rows > 0 && classes > 0 && fits, "cross_entropy: logits and probabilities of {rows} x {classes}");
        let fits = labels.len() == rows && weights.is_none_or(|w| w.len() == rows);
        assert!(fits && loss == 1, "cross_entropy: labels, weights and loss");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, assert_gradient, assert_stores, devices, nan, normal, over_threads, wide};

    fn labels(rows: usize, classes: usize) -> Vec<i32> {
        (0..rows).map(|i| (i * 7 % classes) as i32).collect()
    }

    fn check<T: Real>() {
        let modes = [(false, Reduction::Kept), (true, Reduction::Kept), (true, Reduction::All)];
        let shapes = [(1, 1), (64, 10), (204, 10), (205, 10), (613, 10), (3, 5000)];
        for (device, (rows, classes)) in devices().flat_map(|device| shapes.map(|shape| (device.clone(), shape))) {
            let logits = normal::<T>(1, rows * classes, 0.0, 3.0);
            let labels = labels(rows, classes);
            let some = [T::ONE, T::ZERO, T::ONE].repeat(rows)[..rows].to_vec();
            for (weighted, reduction) in modes {
                let weights = weighted.then_some(&some[..]);
                let weight = |i: usize| weights.map_or(1.0, |w| w[i].to_f64());
                let kept: f64 = (0..rows).map(weight).sum();
                let denominator = if reduction == Reduction::All { rows as f64 } else { kept };
                let (mut loss, mut dlogits) = (0.0, Vec::new());
                for (i, logits) in wide(&logits).chunks(classes).enumerate() {
                    let sum: f64 = logits.iter().map(|x| x.exp()).sum();
                    loss += weight(i) * (sum.ln() - logits[labels[i] as usize]) / denominator;
                    let target = |j| if j == labels[i] as usize { 1.0 } else { 0.0 };
                    let scale = -0.7 * weight(i) / denominator;
                    dlogits.extend(logits.iter().enumerate().map(|(j, x)| scale * (x.exp() / sum - target(j))));
                }
                let mut got = over_threads(|| {
                    let mut out = nan(rows * classes + 1);
                    let (probabilities, got) = out.split_at_mut(rows * classes);
                    forward(
                        &device,
                        rows,
                        classes,
                        &logits,
                        &labels,
                        weights.map(View::from),
                        reduction,
                        probabilities,
                        got,
                    );
                    out
                });
                assert_close("loss", 8.0, &got.split_off(rows * classes), &[loss]);
                let dloss = [T::from_f64(-0.7)];
                assert_stores("dlogits", 8.0, &dlogits, |out, store| {
                    backward(
                        &device,
                        rows,
                        classes,
                        &got,
                        &labels,
                        weights.map(View::from),
                        reduction,
                        &dloss,
                        out,
                        store,
                    );
                });
            }
        }
    }

    #[test]
    fn matches_the_reference() {
        check::<f32>();
        check::<f64>();
    }

    #[test]
    fn no_weight_is_no_loss_and_no_gradient_whatever_the_logits() {
        for (device, reduction) in devices().zip([Reduction::Kept, Reduction::All, Reduction::Kept]) {
            let logits = [f32::NAN, 1.0, f32::INFINITY, 2.0, 1e30, -1e30];
            let (mut probabilities, mut loss, mut dlogits) = (nan::<f32>(6), nan::<f32>(1), nan::<f32>(6));
            let (labels, weights) = ([0, 1, 1], [0.0; 3]);
            forward(
                &device,
                3,
                2,
                &logits,
                &labels,
                Some(View::from(&weights)),
                reduction,
                &mut probabilities,
                &mut loss,
            );
            let weights = Some(&weights[..]);
            backward(
                &device,
                3,
                2,
                &probabilities,
                &labels,
                weights.map(View::from),
                reduction,
                &[1.0],
                &mut dlogits,
                Store::Set,
            );
            assert_eq!((loss, dlogits), (vec![0.0], vec![0.0; 6]));
        }
    }

    #[test]
    fn gradient() {
        let (device, labels) = (Device::cpu(), [3, 0, 2]);
        let logits = normal::<f64>(1, 12, 0.0, 1.0);
        let weights = [1.0, 0.0, 1.0];
        let run = |logits: &[f64]| {
            let (mut probabilities, mut loss) = (nan::<f64>(12), nan::<f64>(1));
            let weights = Some(&weights[..]);
            forward(
                &device,
                3,
                4,
                logits,
                &labels,
                weights.map(View::from),
                Reduction::All,
                &mut probabilities,
                &mut loss,
            );
            (probabilities, loss[0])
        };
        let mut dlogits = nan(12);
        let (probabilities, weights) = (run(&logits).0, Some(&weights[..]));
        backward(
            &device,
            3,
            4,
            &probabilities,
            &labels,
            weights.map(View::from),
            Reduction::All,
            &[1.3],
            &mut dlogits,
            Store::Set,
        );
        assert_gradient("dlogits", &logits, &dlogits, |logits| 1.3 * run(logits).1);
    }
}
