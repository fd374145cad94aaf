use super::*;
use crate::testing::{assert_close, assert_stores, both, devices, nan, normal, over_threads, wide};

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
                backward(&device, rows, classes, &got, target, weights.map(View::from), reduction, &dloss, out, store);
            });
        }
    }
}

both!(matches_the_reference, check);

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
