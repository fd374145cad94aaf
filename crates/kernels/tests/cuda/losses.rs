//! The losses and the pseudo-label.

use crate::common::{assert_close, assert_stores, devices, down, normal, up, wide};
use kernels::cross_entropy::{self, Reduction};
use kernels::view::View;
use kernels::{Device, Store, bce_with_logits, pseudo_label};

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
        for (weights, reduction) in [None, Some(some), Some(vec![0.0; rows])]
            .into_iter()
            .flat_map(|weights| [Reduction::Kept, Reduction::All].map(|reduction| (weights.clone(), reduction)))
        {
            let weights64 = weights.as_deref().map(wide);
            let (mut p64, mut loss64, mut d64) = (vec![0.0; n], vec![0.0], vec![0.0; n]);
            let (logits64, dloss) = (wide(&logits), [0.7f32]);
            let weights64 = weights64.as_deref();
            cross_entropy::forward(
                &cpu,
                rows,
                classes,
                &logits64,
                &labels,
                weights64.map(View::from),
                reduction,
                &mut p64,
                &mut loss64,
            );
            let x = (up(&cuda, &logits), up(&cuda, &labels), weights.as_ref().map(|weights| up(&cuda, weights)));
            let (mut p, mut loss) = (up(&cuda, &vec![f32::NAN; n]), up(&cuda, &[f32::NAN]));
            let weights = || x.2.as_ref().map(|weights| weights.slice());
            cross_entropy::cuda::forward(
                &cuda,
                rows,
                classes,
                x.0.slice(),
                x.1.slice(),
                weights(),
                reduction,
                p.slice_mut(),
                loss.slice_mut(),
            );
            let got = down::<f32>(&cuda, &p);
            assert_close("probabilities", 4.0, &got, &p64);
            assert_close("loss", 8.0, &down(&cuda, &loss), &loss64);

            let (p64, dloss64) = (wide(&got), wide(&dloss));
            cross_entropy::backward(
                &cpu,
                rows,
                classes,
                &p64,
                &labels,
                weights64.map(View::from),
                reduction,
                &dloss64,
                &mut d64,
                Store::Set,
            );
            let dloss = up(&cuda, &dloss);
            assert_stores(&cuda, "dlogits", 2.0, &d64, |d, store| {
                let (p, labels, dloss) = (p.slice(), x.1.slice(), dloss.slice());
                let d = d.slice_mut();
                cross_entropy::cuda::backward(&cuda, rows, classes, p, labels, weights(), reduction, dloss, d, store);
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
            cross_entropy::cuda::forward(&cuda, 2, 2, x.slice(), labels.slice(), w(), kept, out, loss.slice_mut());
            (p, down::<f32>(&cuda, &loss))
        };
        let (p, loss) = run(&[0, 0]);
        assert_close("loss", 4.0, &loss, &[(1.0 + 1f64.exp()).ln()]);
        let (mut d, dloss) = (up(&cuda, &[f32::NAN; 4]), up(&cuda, &[1.0f32]));
        let (p, labels) = (p.slice(), labels.slice());
        cross_entropy::cuda::backward(&cuda, 2, 2, p, labels, w(), kept, dloss.slice(), d.slice_mut(), set);
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
        let threshold = 0.4f32;
        let (mut labels64, mut weights64, mut confidence64) = (vec![-1; rows], vec![0.0; rows], vec![0.0; rows]);
        pseudo_label::forward(
            &cpu,
            rows,
            classes,
            &wide(&logits),
            threshold.into(),
            &mut labels64,
            &mut weights64,
            &mut confidence64,
        );
        let logits = up(&cuda, &logits);
        let (mut labels, mut outputs) =
            (up(&cuda, &vec![-1; rows]), [(); 2].map(|()| up(&cuda, &vec![f32::NAN; rows])));
        let [weights, confidence] = &mut outputs;
        let (x, l) = (logits.slice(), labels.slice_mut());
        let (w, c) = (weights.slice_mut(), confidence.slice_mut());
        pseudo_label::cuda::forward(&cuda, rows, classes, x, threshold, l, w, c);
        assert_eq!(down::<i32>(&cuda, &labels), labels64);
        assert_close("weights", 0.0, &down(&cuda, &outputs[0]), &weights64);
        for (got, want) in down::<f32>(&cuda, &outputs[1]).into_iter().zip(confidence64) {
            let near = (f64::from(got) - want).abs() < 1e-6 && (want - f64::from(threshold)).abs() > 1e-5;
            assert!(near || (got.is_nan() && want.is_nan()), "confidence {got}, reference {want}");
        }
    }
}
