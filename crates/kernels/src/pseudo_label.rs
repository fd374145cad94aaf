//! Pseudo-labels with a confidence threshold (Lee 2013; Haque 2021): each row's most likely class, and a weight of 1
//! where its probability exceeds that class's threshold, else 0. Where the classes are known, only the weight is found.

use crate::parallel::{self, Rows};
use crate::simd::vectorized;
use crate::softmax::{self, CHUNK};
use crate::view::{View, ViewMut};
use crate::{Device, Real, Work};

/// Of each row of logits `[rows, classes]`: labels = `known`, or else argmax (the lowest on ties), confidence = the softmax
/// there, and weights = 1 where confidence > thresholds (`[classes]`) at that label, else 0. A row with a NaN gets a NaN confidence and weight 0.
pub fn forward<'a, T: Real>(
    device: &Device,
    rows: usize,
    classes: usize,
    logits: impl Into<View<'a, T>>,
    thresholds: impl Into<View<'a, T>>,
    known: Option<View<'a, i32>>,
    labels: impl Into<ViewMut<'a, i32>>,
    weights: impl Into<ViewMut<'a, T>>,
    confidence: impl Into<ViewMut<'a, T>>,
) {
    let (logits, thresholds) = (logits.into(), thresholds.into());
    let (labels, weights, confidence) = (labels.into(), weights.into(), confidence.into());
    let _span = device.span("pseudo_label.forward", || {
        Work::memory(
            format!("{rows}x{classes}"),
            logits.bytes() + labels.bytes() + weights.bytes() + confidence.bytes(),
        )
    });
    assert!(classes > 0 && logits.len() == rows * classes, "pseudo_label: logits of {rows} x {classes}");
    assert_eq!(thresholds.len(), classes, "pseudo_label: a threshold a class");
    let fits = labels.len() == rows && weights.len() == rows && confidence.len() == rows;
    assert!(fits && known.is_none_or(|known| known.len() == rows), "pseudo_label: labels, weights and confidence");
    if let Some(cuda) = device.gpu() {
        return cuda::forward(
            cuda,
            rows,
            classes,
            logits.on_gpu(),
            thresholds.on_gpu(),
            known.map(View::device),
            labels.device(),
            weights.on_gpu(),
            confidence.on_gpu(),
        );
    }
    let (logits, thresholds) = (logits.host(), thresholds.host());
    let (labels, weights, confidence) = (labels.host(), weights.host(), confidence.host());
    let operands = (Rows(logits, classes), known.map(View::host), labels, weights, confidence);
    parallel::split(operands, rows, (CHUNK / classes).max(1), |_, (logits, known, labels, weights, confidence)| {
        forward_chunk(device.simd(), classes, logits.0, thresholds, known, labels, weights, confidence);
    });
}

vectorized! {
    fn forward_chunk<T: Real>(
        classes: usize,
        logits: &[T],
        thresholds: &[T],
        known: Option<&[i32]>,
        labels: &mut [i32],
        weights: &mut [T],
        confidence: &mut [T],
    ) {
        let outputs = labels.iter_mut().zip(weights).zip(confidence);
        for (i, (logits, ((label, weight), confidence))) in logits.chunks_exact(classes).zip(outputs).enumerate() {
            let max = softmax::max(logits);
            // A row with a NaN has no maximum; its label stays in range.
            let first = || logits.iter().position(|&x| x == max).unwrap_or(0) as i32;
            *label = known.map_or_else(first, |known| known[i]);
            let own = if known.is_some() { (logits[*label as usize] - max).exp() } else { T::ONE };
            *confidence = own / logits.iter().fold(T::ZERO, |sum, &x| sum + (x - max).exp());
            *weight = if *confidence > thresholds[*label as usize] { T::ONE } else { T::ZERO };
        }
    }
}

/// The same on a GPU.
pub mod cuda {
    use crate::cuda::{Cuda, Grid, Kernel};
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const FORWARD: Kernel = Kernel { module: "pseudo_label", name: "pseudo_label_forward" };

    /// See [`forward`](super::forward).
    pub fn forward(
        cuda: &Cuda,
        rows: usize,
        classes: usize,
        logits: DeviceSlice<f32>,
        thresholds: DeviceSlice<f32>,
        known: Option<DeviceSlice<i32>>,
        labels: DeviceSliceMut<i32>,
        weights: DeviceSliceMut<f32>,
        confidence: DeviceSliceMut<f32>,
    ) {
        assert!(classes > 0 && logits.len() == rows * classes, "pseudo_label: logits of {rows} x {classes}");
        assert_eq!(thresholds.len(), classes, "pseudo_label: a threshold a class");
        let fits = labels.len() == rows && weights.len() == rows && confidence.len() == rows;
        assert!(fits && known.is_none_or(|known| known.len() == rows), "pseudo_label: labels, weights and confidence");
        let (rows, classes, grid) = (rows as i32, classes as i32, Grid::warp_per_row(rows));
        // SAFETY: logits are [rows, classes], thresholds [classes], the outputs [rows].
        unsafe {
            cuda.launch(
                FORWARD,
                grid,
                &[&logits, &thresholds, &known, &labels, &weights, &confidence, &rows, &classes],
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, both, devices, nan, normal, over_threads, wide};

    fn check<T: Real>() {
        for device in devices() {
            for (rows, classes) in [(1, 1), (64, 10), (204, 10), (1000, 10), (3, 300)] {
                let mut logits = normal::<T>(1, rows * classes, 0.0, 3.0);
                let (first, last) = (0, classes - 1);
                (logits[first], logits[last]) = (T::from_f64(20.0), T::from_f64(20.0)); // a tie in row 0
                let thresholds: Vec<T> = (0..classes).map(|c| T::from_f64([0.7, 0.3, 0.5][c % 3])).collect();
                let given: Vec<i32> = (0..rows).map(|i| (3 * i % classes) as i32).collect();
                for known in [None, Some(&given)] {
                    let got = over_threads(|| {
                        let (mut labels, mut weights, mut confidence) = (vec![-1; rows], nan(rows), nan(rows));
                        let (l, w, c) = (&mut labels, &mut weights, &mut confidence);
                        forward(&device, rows, classes, &logits, &thresholds, known.map(View::from), l, w, c);
                        [labels.iter().map(|&label| T::from_f64(label.into())).collect(), weights, confidence].concat()
                    });
                    let mut want = [vec![], vec![], vec![]];
                    for (i, x) in wide(&logits).chunks(classes).enumerate() {
                        let max = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                        let likeliest = x.iter().position(|&x| x == max).expect("the maximum");
                        let label = known.map_or(likeliest, |known| known[i] as usize);
                        let confidence = (x[label] - max).exp() / x.iter().map(|x| (x - max).exp()).sum::<f64>();
                        want[0].push(label as f64);
                        want[1].push(if confidence > thresholds[label].to_f64() { 1.0 } else { 0.0 });
                        want[2].push(confidence);
                    }
                    assert_close("labels, weights, confidence", 32.0, &got, &want.concat());
                }
            }
        }
    }

    both!(matches_the_reference, check);

    #[test]
    fn the_threshold_is_strict_and_nan_is_not_kept() {
        for device in devices() {
            let (mut labels, mut weights, mut confidence) = ([-1; 3], [9.0f32; 3], [9.0; 3]);
            let logits = [0.0, 0.0, 0.0, 1e-3, f32::NAN, 5.0];
            forward(&device, 3, 2, &logits, &[0.5; 2], None, &mut labels, &mut weights, &mut confidence);
            assert_eq!((labels, weights), ([0, 1, 0], [0.0, 1.0, 0.0]));
            assert!(confidence[0] == 0.5 && confidence[2].is_nan());
        }
    }
}
