//! Softmax cross-entropy with a weight a row:
//! loss = sum_i w_i sum_j target_ij (ln sum_k e^logit_ik - logit_ij) / denominator.
//!
//! A target is a label, perhaps smoothed (Szegedy et al. 2016), or probabilities.
//!
//! A weight of 0 leaves its row out, whatever its logits are, without a gather: shapes stay fixed.

pub mod cuda;
mod target;
#[cfg(test)]
mod tests;

pub use target::Target;

use crate::parallel::{self, Rows};
use crate::simd::vectorized;
use crate::softmax::{self, CHUNK};
use crate::view::{View, ViewMut};
use crate::{Device, Real, Store, Work};
use target::HostTarget;

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
/// logits and probabilities are `[rows, classes]`, weights `[rows]` (`None` is all 1).
pub fn forward<'a, T: Real>(
    device: &Device,
    rows: usize,
    classes: usize,
    logits: impl Into<View<'a, T>>,
    target: Target<'a, T>,
    weights: Option<View<'a, T>>,
    reduction: Reduction,
    probabilities: impl Into<ViewMut<'a, T>>,
    loss: impl Into<ViewMut<'a, T>>,
) {
    let (logits, probabilities, loss) = (logits.into(), probabilities.into(), loss.into());
    let _span = device.span("cross_entropy.forward", || work(rows, classes, 2 * logits.bytes(), target, weights));
    if let Some(cuda) = device.gpu() {
        return cuda::forward(
            cuda,
            rows,
            classes,
            logits.on_gpu(),
            target,
            weights.map(View::on_gpu),
            reduction,
            probabilities.on_gpu(),
            loss.on_gpu(),
        );
    }
    let (logits, target, weights, probabilities, loss) =
        (logits.host(), target.host(), weights.map(View::host), probabilities.host(), loss.host());
    check(rows, classes, logits.len(), target, weights);
    assert!(probabilities.len() == logits.len() && loss.len() == 1, "cross_entropy: probabilities and loss");
    let chunk = (CHUNK / classes).max(1);
    let mut partial = device.workspace::<f64>(rows.div_ceil(chunk));
    let operands = (
        Rows(logits, chunk * classes),
        weights.map(|weights| Rows(weights, chunk)),
        Rows(probabilities, chunk * classes),
        &mut partial[..],
    );
    parallel::split(operands, rows.div_ceil(chunk), 1, |part, (logits, weights, probabilities, sum)| {
        let (weights, target) = (weights.map(|weights| weights.0), target.from(part * chunk, classes));
        forward_chunk(device.simd(), classes, logits.0, target, weights, probabilities.0, &mut sum[0]);
    });
    loss[0] = T::from_f64(partial.iter().sum::<f64>() / denominator(rows, weights, reduction));
}

/// dlogits_ij = dloss w_i (probability_ij - target_ij) / denominator.
pub fn backward<'a, T: Real>(
    device: &Device,
    rows: usize,
    classes: usize,
    probabilities: impl Into<View<'a, T>>,
    target: Target<'a, T>,
    weights: Option<View<'a, T>>,
    reduction: Reduction,
    dloss: impl Into<View<'a, T>>,
    dlogits: impl Into<ViewMut<'a, T>>,
    store: Store,
) {
    let (probabilities, dloss, dlogits) = (probabilities.into(), dloss.into(), dlogits.into());
    let _span = device.span("cross_entropy.backward", || {
        work(rows, classes, probabilities.bytes() + store.bytes(dlogits.bytes()), target, weights)
    });
    if let Some(cuda) = device.gpu() {
        return cuda::backward(
            cuda,
            rows,
            classes,
            probabilities.on_gpu(),
            target,
            weights.map(View::on_gpu),
            reduction,
            dloss.on_gpu(),
            dlogits.on_gpu(),
            store,
        );
    }
    let (probabilities, target, weights, dloss, dlogits) =
        (probabilities.host(), target.host(), weights.map(View::host), dloss.host(), dlogits.host());
    check(rows, classes, probabilities.len(), target, weights);
    assert!(dlogits.len() == probabilities.len() && dloss.len() == 1, "cross_entropy: dlogits and dloss");
    let scale = dloss[0].to_f64() / denominator(rows, weights, reduction);
    let operands = (Rows(probabilities, classes), weights, Rows(dlogits, classes));
    let chunk = (parallel::CHUNK / classes).max(1);
    parallel::split(operands, rows, chunk, |first, (probabilities, weights, dlogits)| {
        let target = target.from(first, classes);
        backward_chunk(device.simd(), classes, scale, probabilities.0, target, weights, dlogits.0, store);
    });
}

/// `matrices` are the bytes of what is `[rows, classes]`.
fn work<T: Real>(rows: usize, classes: usize, matrices: usize, target: Target<T>, weights: Option<View<T>>) -> Work {
    Work::memory(format!("{rows}x{classes}"), matrices + target.bytes() + weights.map_or(0, |w| w.bytes()))
}

fn check<T: Real>(rows: usize, classes: usize, logits: usize, target: HostTarget<T>, weights: Option<&[T]>) {
    assert!(rows > 0 && classes > 0 && logits == rows * classes, "cross_entropy: logits of {rows} x {classes}");
    assert!(weights.is_none_or(|w| w.len() == rows), "cross_entropy: weights");
    target.check(rows, classes);
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
        target: HostTarget<'_, T>,
        weights: Option<&[T]>,
        probabilities: &mut [T],
        total: &mut f64,
    ) {
        *total = 0.0;
        let rows = logits.chunks_exact(classes).zip(probabilities.chunks_exact_mut(classes));
        for (i, (logits, probabilities)) in rows.enumerate() {
            let (max, sum) = softmax::row(logits, probabilities);
            let weight = weights.map_or(T::ONE, |weights| weights[i]);
            if weight != T::ZERO {
                *total += (weight * target.loss(i, logits, max, sum)).to_f64();
            }
        }
    }

    fn backward_chunk<T: Real>(
        classes: usize,
        scale: f64,
        probabilities: &[T],
        target: HostTarget<'_, T>,
        weights: Option<&[T]>,
        dlogits: &mut [T],
        store: Store,
    ) {
        let rows = probabilities.chunks_exact(classes).zip(dlogits.chunks_exact_mut(classes));
        for (i, (probabilities, dlogits)) in rows.enumerate() {
            let weight = weights.map_or(T::ONE, |weights| weights[i]);
            if weight == T::ZERO {
                dlogits.iter_mut().for_each(|dlogit| store.write(dlogit, T::ZERO));
                continue;
            }
            let scale = T::from_f64(scale * weight.to_f64());
            for (j, (&probability, dlogit)) in probabilities.iter().zip(dlogits).enumerate() {
                store.write(dlogit, scale * (probability - target.at(i, j, classes)));
            }
        }
    }
}
