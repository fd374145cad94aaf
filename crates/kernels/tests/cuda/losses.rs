//! The losses and the pseudo-label.

use crate::common::{assert_close, assert_stores, device, devices, down, normal, up, wide};
use kernels::cross_entropy::{self, Reduction, Target};
use kernels::hinge::{self, Side};
use kernels::view::View;
use kernels::{Device, Store, bce_with_logits, class_threshold, pseudo_label, softmax};

#[test]
fn cross_entropy_matches() {
    let cpu = Device::cpu();
    for (cuda, (rows, classes)) in devices()
        .into_iter()
        .flat_map(|cuda| [(1, 1), (64, 10), (1030, 3), (5, 100)].map(|shape| (cuda.clone(), shape)))
    {
        let n = rows * classes;
        let logits: Vec<f32> = normal(1, n).iter().map(|x| 3.0 * x).collect();
        let labels: Vec<i32> = (0..rows).map(|i| (i * 7 % classes) as i32).collect();
        let some: Vec<f32> = (0..rows).map(|i| [0.0, 1.0, 0.5][i % 3]).collect();
        let soft: Vec<f32> = {
            let mut soft = vec![0.0f32; n];
            softmax::forward(&cpu, rows, classes, &normal(2, n), &mut soft);
            soft
        };
        let soft64 = wide(&soft);
        let (labels_up, soft_up) = (up(&cuda, &labels), up(&cuda, &soft));
        // The target on either side: labels, smoothed ones, probabilities.
        let on_cpu = |kind: usize| match kind {
            2 => Target::Probabilities(View::from(&soft64)),
            _ => Target::Labels { labels: View::from(&labels), smoothing: f64::from(0.1 * kind as f32) },
        };
        let on_gpu = |kind: usize| match kind {
            2 => Target::Probabilities(View::Device(soft_up.slice::<f32>())),
            _ => Target::Labels { labels: View::Device(labels_up.slice()), smoothing: 0.1 * kind as f32 },
        };
        for ((weights, reduction), kind) in [None, Some(some), Some(vec![0.0; rows])]
            .into_iter()
            .flat_map(|weights| [Reduction::Kept, Reduction::All].map(|reduction| (weights.clone(), reduction)))
            .flat_map(|mode| [0, 1, 2].map(|kind| (mode.clone(), kind)))
        {
            let weights64 = weights.as_deref().map(wide);
            let (mut p64, mut loss64, mut d64) = (vec![0.0; n], vec![0.0], vec![0.0; n]);
            let (logits64, dloss) = (wide(&logits), [0.7f32]);
            let weights64 = || weights64.as_deref().map(View::from);
            let (p, loss) = (&mut p64, &mut loss64);
            cross_entropy::forward(&cpu, rows, classes, &logits64, on_cpu(kind), weights64(), reduction, p, loss);
            let (x, w) = (up(&cuda, &logits), weights.as_ref().map(|weights| up(&cuda, weights)));
            let (mut p, mut loss) = (up(&cuda, &vec![f32::NAN; n]), up(&cuda, &[f32::NAN]));
            let weights = || w.as_ref().map(|weights| weights.slice());
            let (target, out) = (on_gpu(kind), p.slice_mut());
            let x = x.slice();
            cross_entropy::cuda::forward(&cuda, rows, classes, x, target, weights(), reduction, out, loss.slice_mut());
            let got = down::<f32>(&cuda, &p);
            assert_close("probabilities", 4.0, &got, &p64);
            assert_close("loss", 8.0, &down(&cuda, &loss), &loss64);

            let (p64, dloss64) = (wide(&got), wide(&dloss));
            let (d, set) = (&mut d64, Store::Set);
            let w64 = weights64();
            cross_entropy::backward(&cpu, rows, classes, &p64, on_cpu(kind), w64, reduction, &dloss64, d, set);
            let dloss = up(&cuda, &dloss);
            assert_stores(&cuda, "dlogits", 2.0, &d64, |d, store| {
                let (p, target, dloss, w, d) = (p.slice(), on_gpu(kind), dloss.slice(), weights(), d.slice_mut());
                cross_entropy::cuda::backward(&cuda, rows, classes, p, target, w, reduction, dloss, d, store);
            });
        }
    }
}

#[test]
fn a_row_of_weight_0_is_left_out_whatever_it_holds() {
    for cuda in devices() {
        let (x, labels, weights) =
            (up(&cuda, &[1.0f32, 2.0, f32::NAN, 1.0]), up(&cuda, &[0, 0]), up(&cuda, &[1.0f32, 0.0]));
        let (w, kept, set) = (|| Some(weights.slice()), Reduction::Kept, Store::Set);
        let run = |labels: &[i32]| {
            let (mut p, mut loss) = (up(&cuda, &[0.0f32; 4]), up(&cuda, &[f32::NAN]));
            let (labels, out) = (up(&cuda, labels), p.slice_mut());
            let target = Target::<f32>::labels(labels.slice::<i32>());
            cross_entropy::cuda::forward(&cuda, 2, 2, x.slice(), target, w(), kept, out, loss.slice_mut());
            (p, down::<f32>(&cuda, &loss))
        };
        let (p, loss) = run(&[0, 0]);
        assert_close("loss", 4.0, &loss, &[(1.0 + 1f64.exp()).ln()]);
        let (mut d, dloss) = (up(&cuda, &[f32::NAN; 4]), up(&cuda, &[1.0f32]));
        let (p, target) = (p.slice(), Target::<f32>::labels(labels.slice::<i32>()));
        cross_entropy::cuda::backward(&cuda, 2, 2, p, target, w(), kept, dloss.slice(), d.slice_mut(), set);
        assert_eq!(down::<f32>(&cuda, &d)[2..], [0.0, 0.0]);
        assert!(run(&[2, 0]).1[0].is_nan(), "a label that is no class");
    }
}

#[test]
fn bce_with_logits_matches() {
    let cpu = Device::cpu();
    for (cuda, n) in devices().into_iter().flat_map(|cuda| [1, 3, 64, 1025, 2100].map(|n| (cuda.clone(), n))) {
        let mut x: Vec<f32> = normal(1, n).iter().map(|x| 4.0 * x).collect();
        x[0] = -120.0; // e^120 overflows
        for target in [0.0f32, 0.9, 1.0] {
            let (x64, target64) = (wide(&x), f64::from(target));
            let (mut loss64, mut dx64) = (vec![0.0], vec![0.0; n]);
            bce_with_logits::forward(&cpu, &x64, target64, &mut loss64);
            bce_with_logits::backward(&cpu, &x64, target64, &[f64::from(1.5f32)], &mut dx64, Store::Set);
            let (x, mut loss, dloss) = (up(&cuda, &x), up(&cuda, &[f32::NAN]), up(&cuda, &[1.5f32]));
            bce_with_logits::cuda::forward(&cuda, x.slice(), target, loss.slice_mut());
            assert_close("loss", 4.0, &down(&cuda, &loss), &loss64);
            assert_stores(&cuda, "dx", 4.0, &dx64, |dx, store| {
                bce_with_logits::cuda::backward(&cuda, x.slice(), target, dloss.slice(), dx.slice_mut(), store);
            });
        }
    }
}

#[test]
fn pseudo_labels_match() {
    let cpu = Device::cpu();
    for (cuda, (rows, classes)) in
        devices().into_iter().flat_map(|cuda| [(1, 1), (64, 10), (9, 33), (13, 100)].map(|shape| (cuda.clone(), shape)))
    {
        let mut logits: Vec<f32> = normal(3, rows * classes).iter().map(|x| 2.0 * x).collect();
        if rows > 4 {
            logits[classes..2 * classes].fill(0.5); // a tie of all
            logits[2 * classes + 1] = f32::NAN;
        }
        let thresholds: Vec<f32> = (0..classes).map(|c| [0.4, 0.25, 0.6][c % 3]).collect();
        let (thresholds64, thresholds_up) = (wide(&thresholds), up(&cuda, &thresholds));
        let given: Vec<i32> = (0..rows).map(|i| (3 * i % classes) as i32).collect();
        let (logits64, logits, on_gpu) = (wide(&logits), up(&cuda, &logits), up(&cuda, &given));
        for known in [false, true] {
            let (mut labels64, mut weights64, mut confidence64) = (vec![-1; rows], vec![0.0; rows], vec![0.0; rows]);
            let (l, w, c) = (&mut labels64, &mut weights64, &mut confidence64);
            let labels_known = known.then(|| View::from(&given));
            pseudo_label::forward(&cpu, rows, classes, &logits64, &thresholds64, labels_known, l, w, c);
            let (mut labels, mut outputs) =
                (up(&cuda, &vec![-1; rows]), [(); 2].map(|()| up(&cuda, &vec![f32::NAN; rows])));
            let [weights, confidence] = &mut outputs;
            let (x, l) = (logits.slice::<f32>(), labels.slice_mut::<i32>());
            let (w, c) = (weights.slice_mut(), confidence.slice_mut());
            let labels_known = known.then(|| View::Device(on_gpu.slice::<i32>()));
            pseudo_label::forward(
                &device(&cuda),
                rows,
                classes,
                x,
                thresholds_up.slice::<f32>(),
                labels_known,
                l,
                w,
                c,
            );
            assert_eq!(down::<i32>(&cuda, &labels), labels64);
            assert_close("weights", 0.0, &down(&cuda, &outputs[0]), &weights64);
            for ((got, want), label) in down::<f32>(&cuda, &outputs[1]).into_iter().zip(confidence64).zip(&labels64) {
                let near = (f64::from(got) - want).abs() < 1e-6 && (want - thresholds64[*label as usize]).abs() > 1e-5;
                assert!(near || (got.is_nan() && want.is_nan()), "confidence {got}, reference {want}");
            }
        }
    }
}

#[test]
fn thresholds_by_class_match() {
    let cpu = Device::cpu();
    for (cuda, [rows, classes]) in
        devices().into_iter().flat_map(|cuda| [[1, 1], [64, 10], [5, 1100]].map(|shape| (cuda.clone(), shape)))
    {
        let mut p = vec![0.0f32; rows * classes];
        softmax::forward(&cpu, rows, classes, &normal(1, rows * classes), &mut p);
        if rows > 4 {
            p[classes..2 * classes].fill(f32::NAN);
        }
        let average: Vec<f32> = (0..classes).map(|c| (0.1 + c as f32) / classes as f32).collect();
        let (mut average64, mut thresholds64) = (wide(&average), vec![0.0; classes]);
        let size = [rows, classes];
        class_threshold::step(
            &cpu,
            size,
            &wide(&p),
            f64::from(0.9f32),
            f64::from(0.7f32),
            &mut average64,
            &mut thresholds64,
        );
        let (p, mut average, mut thresholds) =
            (up(&cuda, &p), up(&cuda, &average), up(&cuda, &vec![f32::NAN; classes]));
        class_threshold::cuda::step(&cuda, size, p.slice(), 0.9, 0.7, average.slice_mut(), thresholds.slice_mut());
        assert_close("average", 4.0, &down(&cuda, &average), &average64);
        assert_close("thresholds", 4.0, &down(&cuda, &thresholds), &thresholds64);
    }
}

#[test]
fn hinge_matches() {
    let cpu = Device::cpu();
    for (cuda, n) in devices().into_iter().flat_map(|cuda| [1, 3, 64, 1025].map(|n| (cuda.clone(), n))) {
        let x: Vec<f32> = normal(1, n).iter().map(|x| 2.0 * x).collect();
        for side in [Side::Real, Side::Fake, Side::Generator] {
            let (mut loss64, mut dx64) = (vec![0.0], vec![0.0; n]);
            hinge::forward(&cpu, &wide(&x), side, &mut loss64);
            hinge::backward(&cpu, &wide(&x), side, &[1.5f64], &mut dx64, Store::Set);
            let (x, mut loss, dloss) = (up(&cuda, &x), up(&cuda, &[f32::NAN]), up(&cuda, &[1.5f32]));
            hinge::cuda::forward(&cuda, x.slice(), side, loss.slice_mut());
            assert_close("loss", 4.0, &down(&cuda, &loss), &loss64);
            assert_stores(&cuda, "dx", 2.0, &dx64, |dx, store| {
                hinge::cuda::backward(&cuda, x.slice(), side, dloss.slice(), dx.slice_mut(), store);
            });
        }
    }
}
