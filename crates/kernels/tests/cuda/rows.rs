//! What works on rows: the places of maxima, softmax, pooling, the bias of the linear layer.

use crate::common::{LENGTHS, assert_close, assert_stores, device, devices, down, normal, up, wide};
use kernels::avg_pool2d::{self, AvgPool2d};
use kernels::class_planes::{self, ClassPlanes, Coding};
use kernels::{Device, Store, linear, reduce, softmax};

const SHAPES: [(usize, usize); 7] = [(1, 1), (64, 10), (7, 10), (9, 33), (1, 100), (3, 64), (130, 2)];

#[test]
fn sums_match() {
    for (cuda, n) in devices().into_iter().flat_map(|cuda| LENGTHS.map(|n| (cuda.clone(), n))) {
        for n in [n, 8 * n] {
            let x: Vec<f32> = normal(1, n).iter().map(|x| 5.0 + x).collect();
            let want: f64 = wide(&x).iter().sum();
            let (x, mut out) = (up(&cuda, &x), up(&cuda, &[f32::NAN]));
            reduce::sum::<f32>(&device(&cuda), x.slice(), out.slice_mut());
            assert_close(&format!("sum of {n}"), 8.0, &down(&cuda, &out), &[want]);
        }
    }
}

#[test]
fn rows_match() {
    let cpu = Device::cpu();
    for (cuda, (rows, cols)) in devices().into_iter().flat_map(|cuda| SHAPES.map(|shape| (cuda.clone(), shape))) {
        let mut x = normal(1, rows * cols);
        let last = cols - 1;
        (x[0], x[last]) = (50.0, 50.0); // a tie in row 0
        x[rows * cols - 1] = f32::NEG_INFINITY;
        if rows > 4 {
            x[cols] = f32::NAN; // in front of row 1
            x[2 * cols + 1] = f32::NAN; // within row 2
        }
        let mut labels = vec![0; rows];
        reduce::argmax(&cpu, rows, cols, &wide(&x), &mut labels);

        let (device, x) = (device(&cuda), up(&cuda, &x));
        let mut at = up(&cuda, &vec![-1; rows]);
        reduce::argmax::<f32>(&device, rows, cols, x.slice(), at.slice_mut());
        assert_eq!(down::<i32>(&cuda, &at), labels, "argmax of {rows} x {cols} on {cuda:?}");
    }
}

#[test]
fn softmax_matches() {
    let cpu = Device::cpu();
    for (cuda, (rows, classes)) in devices().into_iter().flat_map(|cuda| SHAPES.map(|shape| (cuda.clone(), shape))) {
        let n = rows * classes;
        let mut x = normal(1, n);
        x[0] = 100.0; // e^100 overflows
        let (mut y64, mut dx64) = (vec![0.0; n], vec![0.0; n]);
        softmax::forward(&cpu, rows, classes, &wide(&x), &mut y64);
        let (x, mut y) = (up(&cuda, &x), up(&cuda, &vec![f32::NAN; n]));
        softmax::cuda::forward(&cuda, rows, classes, x.slice(), y.slice_mut());
        let got = down::<f32>(&cuda, &y);
        assert_close("y", 4.0, &got, &y64);

        let dy = normal(2, n);
        softmax::backward(&cpu, rows, classes, &wide(&got), &wide(&dy), &mut dx64, Store::Set);
        let dy = up(&cuda, &dy);
        assert_stores(&cuda, "dx", 8.0, &dx64, |dx, store| {
            softmax::cuda::backward(&cuda, rows, classes, y.slice(), dy.slice(), dx.slice_mut(), store);
        });
    }
}

#[test]
fn pooling_matches() {
    let shapes = [
        AvgPool2d { n: 2, h: 4, w: 4, c: 512, kernel: [4, 4] },
        AvgPool2d { n: 2, h: 9, w: 10, c: 17, kernel: [2, 2] },
        AvgPool2d { n: 1, h: 7, w: 8, c: 3, kernel: [3, 5] },
        AvgPool2d { n: 5, h: 1, w: 1, c: 1, kernel: [1, 1] },
    ];
    let cpu = Device::cpu();
    for (cuda, g) in devices().into_iter().flat_map(|cuda| shapes.map(|g| (cuda.clone(), g))) {
        let (x, dy) = (normal(1, g.n * g.h * g.w * g.c), normal(2, g.n * g.oh() * g.ow() * g.c));
        let (mut y64, mut dx64) = (vec![0.0; dy.len()], vec![0.0; x.len()]);
        avg_pool2d::forward(&cpu, &g, &wide(&x), &mut y64);
        avg_pool2d::backward(&cpu, &g, &wide(&dy), &mut dx64, Store::Set);
        let (x, mut y) = (up(&cuda, &x), up(&cuda, &vec![f32::NAN; dy.len()]));
        avg_pool2d::cuda::forward(&cuda, &g, x.slice(), y.slice_mut());
        assert_close("y", 8.0, &down(&cuda, &y), &y64);
        let dy = up(&cuda, &dy);
        assert_stores(&cuda, "dx", 2.0, &dx64, |dx, store| {
            avg_pool2d::cuda::backward(&cuda, &g, dy.slice(), dx.slice_mut(), store);
        });
    }
}

#[test]
fn the_linear_bias_matches() {
    for (cuda, (rows, outputs)) in devices().into_iter().flat_map(|cuda| SHAPES.map(|shape| (cuda.clone(), shape))) {
        let (b, dy) = (normal(1, outputs), normal(2, rows * outputs));
        let want: Vec<f64> = (0..rows * outputs).map(|i| b[i % outputs].into()).collect();
        let mut db64 = vec![0.0; outputs];
        linear::backward_bias(&Device::cpu(), rows, outputs, &wide(&dy), &mut db64, Store::Set);
        let (b, dy) = (up(&cuda, &b), up(&cuda, &dy));
        assert_stores(&cuda, "y", 1.0, &want, |y, store| {
            linear::cuda::bias(&cuda, rows, outputs, b.slice(), y.slice_mut(), store);
        });
        assert_stores(&cuda, "db", 16.0, &db64, |db, store| {
            linear::cuda::backward_bias(&cuda, rows, outputs, dy.slice(), db.slice_mut(), store);
        });
    }
}

#[test]
fn class_planes_match() {
    for (cuda, (n, pixels, c, classes)) in devices()
        .into_iter()
        .flat_map(|cuda| [(3, 16, 5, 4), (64, 1, 100, 10), (2, 256, 64, 2)].map(|shape| (cuda.clone(), shape)))
    {
        for coding in [Coding::Scalar, Coding::OneHot] {
            let g = ClassPlanes { n, pixels, c, classes, coding };
            let labels: Vec<i32> = (0..n).map(|i| ((5 * i + 1) % classes) as i32).collect();
            let (x, dy) = (normal(1, n * pixels * c), normal(2, n * pixels * g.channels()));
            let (mut y64, mut dx64) = (vec![0.0; dy.len()], vec![0.0; x.len()]);
            class_planes::forward(&Device::cpu(), &g, &wide(&x), &labels, &mut y64);
            class_planes::backward(&Device::cpu(), &g, &wide(&dy), &mut dx64, Store::Set);
            let (x, dy, labels) = (up(&cuda, &x), up(&cuda, &dy), up(&cuda, &labels));
            let mut y = up(&cuda, &vec![f32::NAN; y64.len()]);
            class_planes::cuda::forward(&cuda, &g, x.slice(), labels.slice(), y.slice_mut());
            assert_close("y", 1.0, &down(&cuda, &y), &y64);
            assert_stores(&cuda, "dx", 1.0, &dx64, |dx, store| {
                class_planes::cuda::backward(&cuda, &g, dy.slice(), dx.slice_mut(), store);
            });
        }
    }
}
