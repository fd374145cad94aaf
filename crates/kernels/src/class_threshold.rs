//! A confidence threshold a class, lower for classes that the classifier sees less of (the local thresholds of FreeMatch,
//! Wang et al. 2023): thresholds_c = threshold p_c / max p, where p is a moving average of the mean probability of each class.

use crate::view::{View, ViewMut};
use crate::{Device, Real, Work};

/// p = decay p + (1 - decay) mean over rows of `probabilities` `[rows, classes]`, then thresholds_c = threshold p_c / max p;
/// p (`average`) and thresholds are `[classes]`. Where a row is not a number it counts as 0.
pub fn step<'a, T: Real>(
    device: &Device,
    [rows, classes]: [usize; 2],
    probabilities: impl Into<View<'a, T>>,
    decay: T,
    threshold: T,
    average: impl Into<ViewMut<'a, T>>,
    thresholds: impl Into<ViewMut<'a, T>>,
) {
    let (probabilities, average, thresholds) = (probabilities.into(), average.into(), thresholds.into());
    let _span =
        device.span("class_threshold.step", || Work::memory(format!("{rows}x{classes}"), probabilities.bytes()));
    let fits = average.len() == classes && thresholds.len() == classes && probabilities.len() == rows * classes;
    assert!(rows > 0 && classes > 0 && fits, "class_threshold: probabilities, average and thresholds");
    if let Some(cuda) = device.gpu() {
        let [decay, threshold] = [decay, threshold].map(|v| v.to_f64() as f32);
        let (average, thresholds) = (average.on_gpu(), thresholds.on_gpu());
        return cuda::step(cuda, [rows, classes], probabilities.on_gpu(), decay, threshold, average, thresholds);
    }
    let (probabilities, average, thresholds) = (probabilities.host(), average.host(), thresholds.host());
    let mut largest = T::ZERO;
    for (class, average) in average.iter_mut().enumerate() {
        let column = probabilities[class..].iter().step_by(classes).filter(|p| **p >= T::ZERO);
        let mean = T::from_f64(column.map(|p| p.to_f64()).sum::<f64>() / rows as f64);
        *average += (T::ONE - decay) * (mean - *average);
        largest = if *average > largest { *average } else { largest };
    }
    for (t, &average) in thresholds.iter_mut().zip(&*average) {
        // Where nothing was ever seen of any class, all are equal.
        *t = if largest > T::ZERO { threshold * (average / largest) } else { threshold };
    }
}

/// The same on a GPU.
pub mod cuda {
    use crate::cuda::{Cuda, Grid, Kernel};
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const STEP: Kernel = Kernel { module: "class_threshold", name: "class_threshold_step" };

    /// See [`step`](super::step).
    pub fn step(
        cuda: &Cuda,
        [rows, classes]: [usize; 2],
        probabilities: DeviceSlice<f32>,
        decay: f32,
        threshold: f32,
        average: DeviceSliceMut<f32>,
        thresholds: DeviceSliceMut<f32>,
    ) {
        let fits = average.len() == classes && thresholds.len() == classes && probabilities.len() == rows * classes;
        assert!(rows > 0 && classes > 0 && fits, "class_threshold: probabilities, average and thresholds");
        let (rows, classes) = (rows as i32, classes as i32);
        // One block, `THREADS` of class_threshold.cu.
        // SAFETY: probabilities are [rows, classes], average and thresholds [classes].
        unsafe {
            cuda.launch(
                STEP,
                Grid::linear(1, 1024),
                &[&probabilities, &decay, &threshold, &average, &thresholds, &rows, &classes],
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, both, devices, nan, normal, over_threads, wide};

    fn check<T: Real>() {
        for (device, size) in devices().flat_map(|d| [[1, 1], [64, 10], [7, 2], [33, 300]].map(|s| (d.clone(), s))) {
            let [rows, classes] = size;
            let p: Vec<T> =
                normal::<T>(1, rows * classes, 0.5, 0.1).iter().map(|p| T::from_f64(p.to_f64().abs())).collect();
            let before: Vec<T> = (0..classes).map(|c| T::from_f64(0.1 + c as f64 / classes as f64)).collect();
            let got = over_threads(|| {
                let (mut average, mut thresholds) = (before.clone(), nan(classes));
                let [decay, threshold] = [0.75, 0.7].map(T::from_f64);
                step(&device, size, &p, decay, threshold, &mut average, &mut thresholds);
                [average, thresholds].concat()
            });
            let mean = |c: usize| wide(&p).chunks(classes).map(|p| p[c]).sum::<f64>() / rows as f64;
            let average: Vec<f64> = (0..classes).map(|c| 0.75 * before[c].to_f64() + 0.25 * mean(c)).collect();
            let largest = average.iter().copied().fold(0.0, f64::max);
            let thresholds = average.iter().map(|a| 0.7 * a / largest).collect::<Vec<_>>();
            assert_close("average, thresholds", 8.0, &got, &[average.clone(), thresholds].concat());
        }
    }

    both!(matches_the_reference, check);

    #[test]
    fn rows_that_are_not_numbers_are_left_out() {
        for device in devices() {
            let (mut average, mut thresholds) = ([0.5f32, 0.5], [f32::NAN; 2]);
            let p = [0.75, 0.25, f32::NAN, f32::NAN];
            step(&device, [2, 2], &p, 0.0, 0.8, &mut average, &mut thresholds);
            assert_eq!((average, thresholds), ([0.375, 0.125], [0.8, 0.8 / 3.0]));
        }
    }
}
