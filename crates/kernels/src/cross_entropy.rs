//! Softmax cross-entropy with a weight a row:
//! loss = sum_i w_i sum_j target_ij (ln sum_k e^logit_ik - logit_ij) / denominator.
//!
//! A target is a label, perhaps smoothed (Szegedy et al. 2016), or probabilities.
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

/// What a row's softmax should be.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a, T> {
    /// (1 - smoothing) at the label, and smoothing / classes at every class.
    Labels {
        /// `[rows]`, in 0..classes.
        labels: View<'a, i32>,
        /// From 0 to 1.
        smoothing: T,
    },
    /// These probabilities `[rows, classes]`, which sum to 1; no gradient goes to them.
    Probabilities(View<'a, T>),
}

impl<'a, T: Real> Target<'a, T> {
    /// Labels without smoothing.
    pub fn labels(labels: impl Into<View<'a, i32>>) -> Self {
        Self::Labels { labels: labels.into(), smoothing: T::ZERO }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Labels { labels, .. } => labels.bytes(),
            Self::Probabilities(targets) => targets.bytes(),
        }
    }

    fn host(self) -> HostTarget<'a, T> {
        match self {
            Self::Labels { labels, smoothing } => HostTarget::Labels(labels.host(), smoothing),
            Self::Probabilities(targets) => HostTarget::Probabilities(targets.host()),
        }
    }
}

/// A [`Target`] in the processor's memory.
#[derive(Clone, Copy)]
enum HostTarget<'a, T> {
    Labels(&'a [i32], T),
    Probabilities(&'a [T]),
}

impl<'a, T: Real> HostTarget<'a, T> {
    fn check(&self, rows: usize, classes: usize) {
        match self {
            Self::Labels(labels, _) => {
                assert!(labels.len() == rows, "cross_entropy: labels");
                let bad = labels.iter().find(|&&label| label < 0 || label as usize >= classes);
                assert!(bad.is_none(), "cross_entropy: label {bad:?} of {classes} classes");
            }
            Self::Probabilities(targets) => assert!(targets.len() == rows * classes, "cross_entropy: targets"),
        }
    }

    /// Rows `first` on.
    fn from(self, first: usize, classes: usize) -> Self {
        match self {
            Self::Labels(labels, smoothing) => Self::Labels(&labels[first..], smoothing),
            Self::Probabilities(targets) => Self::Probabilities(&targets[first * classes..]),
        }
    }

    /// sum_j target_ij (ln `sum` + `max` - logit_ij) of row i.
    #[inline(always)]
    fn loss(&self, i: usize, logits: &[T], max: T, sum: T) -> T {
        let of = |logit: T| sum.ln() + (max - logit);
        // Over many classes, f32 would lose digits.
        match *self {
            Self::Labels(labels, smoothing) if smoothing == T::ZERO => of(logits[labels[i] as usize]),
            Self::Labels(labels, smoothing) => {
                let all: f64 = logits.iter().map(|&logit| of(logit).to_f64()).sum();
                let mean = T::from_f64(all / logits.len() as f64);
                (T::ONE - smoothing) * of(logits[labels[i] as usize]) + smoothing * mean
            }
            Self::Probabilities(targets) => {
                let targets = &targets[i * logits.len()..];
                T::from_f64(logits.iter().zip(targets).map(|(&logit, &target)| (target * of(logit)).to_f64()).sum())
            }
        }
    }

    /// target_ij.
    #[inline(always)]
    fn at(&self, i: usize, j: usize, classes: usize) -> T {
        match *self {
            Self::Labels(labels, smoothing) => {
                let own = if j == labels[i] as usize { T::ONE - smoothing } else { T::ZERO };
                if smoothing == T::ZERO { own } else { own + smoothing / T::from_usize(classes) }
            }
            Self::Probabilities(targets) => targets[i * classes + j],
        }
    }
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

/// The same on a GPU.
pub mod cuda {
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
            let mut soft = nan(rows * classes);
            softmax::forward(&device, rows, classes, &normal::<T>(2, rows * classes, 0.0, 1.0), &mut soft);
            let [hard, smoothed] = [0.0, 0.1]
                .map(|smoothing| Target::Labels { labels: View::from(&labels), smoothing: T::from_f64(smoothing) });
            let targets = [hard, smoothed, Target::Probabilities(View::from(&soft))];
            for ((weighted, reduction), target) in modes.into_iter().flat_map(|mode| targets.map(|t| (mode, t))) {
                let weights = weighted.then_some(&some[..]);
                let weight = |i: usize| weights.map_or(1.0, |w| w[i].to_f64());
                let kept: f64 = (0..rows).map(weight).sum();
                let denominator = if reduction == Reduction::All { rows as f64 } else { kept };
                let (mut loss, mut dlogits) = (0.0, Vec::new());
                for (i, logits) in wide(&logits).chunks(classes).enumerate() {
                    let sum: f64 = logits.iter().map(|x| x.exp()).sum();
                    let at = |j: usize| match target {
                        Target::Labels { smoothing, .. } => {
                            let own = if j == labels[i] as usize { 1.0 - smoothing.to_f64() } else { 0.0 };
                            own + smoothing.to_f64() / classes as f64
                        }
                        Target::Probabilities(_) => soft[i * classes + j].to_f64(),
                    };
                    let terms = logits.iter().enumerate().map(|(j, x)| at(j) * (sum.ln() - x));
                    loss += weight(i) * terms.sum::<f64>() / denominator;
                    let scale = -0.7 * weight(i) / denominator;
                    dlogits.extend(logits.iter().enumerate().map(|(j, x)| scale * (x.exp() / sum - at(j))));
                }
                let mut got = over_threads(|| {
                    let mut out = nan(rows * classes + 1);
                    let (probabilities, got) = out.split_at_mut(rows * classes);
                    forward(
                        &device,
                        rows,
                        classes,
                        &logits,
                        target,
                        weights.map(View::from),
                        reduction,
                        probabilities,
                        got,
                    );
                    out
                });
                assert_close("loss", 32.0, &got.split_off(rows * classes), &[loss]);
                let dloss = [T::from_f64(-0.7)];
                assert_stores("dlogits", 8.0, &dlogits, |out, store| {
                    backward(
                        &device,
                        rows,
                        classes,
                        &got,
                        target,
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
                Target::labels(&labels),
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
                Target::labels(&labels),
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
                Target::labels(&labels),
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
            Target::labels(&labels),
            weights.map(View::from),
            Reduction::All,
            &[1.3],
            &mut dlogits,
            Store::Set,
        );
        assert_gradient("dlogits", &logits, &dlogits, |logits| 1.3 * run(logits).1);
    }
}
