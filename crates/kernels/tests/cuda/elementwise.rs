//! The maps: activations, sums, products with a number.

use crate::common::{LENGTHS, assert_close, assert_stores, check_map, check_map2, devices, down, normal, up};
use kernels::{Store, add, ema, leaky_relu, relu, scale, sigmoid, tanh};

#[test]
fn relu_matches() {
    check_map(0.0, relu::cuda::forward, |x| x.max(0.0));
    check_map2(1.0, relu::cuda::backward, |y, dy| if y > 0.0 { dy } else { 0.0 });
}

#[test]
fn leaky_relu_matches() {
    let slope = f64::from(0.2f32);
    check_map(1.0, |cuda, x, y| leaky_relu::cuda::forward(cuda, 0.2, x, y), |x| if x > 0.0 { x } else { slope * x });
    check_map2(
        1.0,
        |cuda, y, dy, dx, store| leaky_relu::cuda::backward(cuda, 0.2, y, dy, dx, store),
        |y, dy| if y > 0.0 { dy } else { slope * dy },
    );
}

#[test]
fn tanh_matches() {
    check_map(4.0, tanh::cuda::forward, f64::tanh);
    check_map2(4.0, tanh::cuda::backward, |y, dy| dy * (1.0 - y * y));
}

#[test]
fn sigmoid_matches() {
    check_map(4.0, sigmoid::cuda::forward, |x| 1.0 / (1.0 + (-x).exp()));
    check_map2(4.0, sigmoid::cuda::backward, |y, dy| dy * y * (1.0 - y));
}

#[test]
fn nan_stays_nan() {
    for cuda in devices() {
        let x = up(&cuda, &[f32::NAN, 1.0, f32::NAN, -1.0, f32::NAN]);
        for forward in [relu::cuda::forward, tanh::cuda::forward, sigmoid::cuda::forward] {
            let mut y = up(&cuda, &[0.0f32; 5]);
            forward(&cuda, x.slice(), y.slice_mut());
            assert_eq!(
                down::<f32>(&cuda, &y).iter().map(|y| y.is_nan()).collect::<Vec<_>>(),
                [true, false, true, false, true]
            );
        }
    }
}

#[test]
fn add_and_scale_match() {
    for (cuda, n) in devices().into_iter().flat_map(|cuda| LENGTHS.map(|n| (cuda.clone(), n))) {
        let (a, b) = (normal(1, n), normal(2, n));
        let sum: Vec<f64> = a.iter().zip(&b).map(|(&a, &b)| f64::from(a) + f64::from(b)).collect();
        let (x, mut y, mut z) = (up(&cuda, &a), up(&cuda, &b), up(&cuda, &vec![f32::NAN; n]));
        add::cuda::forward(&cuda, x.slice(), y.slice(), z.slice_mut());
        add::cuda::accumulate(&cuda, x.slice(), y.slice_mut());
        assert_close("a + b", 1.0, &down(&cuda, &z), &sum);
        assert_close("y += x", 1.0, &down(&cuda, &y), &sum);
        let scaled: Vec<f64> = a.iter().map(|&a| -1.5 * f64::from(a)).collect();
        assert_stores(&cuda, "alpha x", 1.0, &scaled, |y, store: Store| {
            scale::cuda::forward(&cuda, -1.5, x.slice(), y.slice_mut(), store);
        });
    }
}

#[test]
fn moving_averages_match() {
    for (cuda, n) in devices().into_iter().flat_map(|cuda| LENGTHS.map(|n| (cuda.clone(), n))) {
        let (x, before) = (normal(1, n), normal(2, n));
        let want: Vec<f64> = x.iter().zip(&before).map(|(&x, &a)| 0.75 * f64::from(a) + 0.25 * f64::from(x)).collect();
        let (x, mut average) = (up(&cuda, &x), up(&cuda, &before));
        let rate = up(&cuda, &[0.25f32]);
        ema::cuda::step(&cuda, rate.slice(), x.slice(), average.slice_mut());
        assert_close("average", 2.0, &down(&cuda, &average), &want);
    }
}
