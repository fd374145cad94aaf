//! Adam and SGD, step by step and as a recorded step whose counters lie on the device; weights by spectral norm.

use crate::common::{LENGTHS, assert_close, assert_stores, device, devices, down, normal, up, wide};
use kernels::adam::{self, AdamConfig, Steps};
use kernels::pool::Buffer;
use kernels::sgd::{self, SgdConfig};
use kernels::view::{View, ViewMut};
use kernels::{Device, Real, Store, spectral_norm};

const ADAM: AdamConfig = AdamConfig { lr: 2e-3, betas: [0.5, 0.999], eps: 1e-8, weight_decay: 1e-2 };

/// Step after step with the same gradients; the learning rate is halved before the last, and one is left out before that.
fn steps<T: Real>(device: &Device, values: &[T], grads: &[T], run: &mut dyn FnMut(&mut dyn FnMut())) -> [Vec<T>; 3] {
    let n = values.len();
    let up = |x: &[T]| {
        let mut buffer = device.buffer::<T>(x.len());
        match buffer.view_mut() {
            ViewMut::Host(to) => to.copy_from_slice(x),
            ViewMut::Device(to) => device.gpu().unwrap().upload(x, to).unwrap(),
        }
        buffer
    };
    let down = |x: &Buffer<T>| match x.view() {
        View::Host(x) => x.to_vec(),
        View::Device(x) => device.gpu().unwrap().download(x).unwrap(),
    };
    let (mut a, mut m, mut v) = (up(values), up(&vec![T::ZERO; n]), up(&vec![T::ZERO; n]));
    let (mut left, mut kept) = (up(grads), up(&[T::from_f64(3.0)]));
    let mut steps = Steps::new(device, ADAM, 0);
    for (i, lr) in [ADAM.lr, ADAM.lr, ADAM.lr, ADAM.lr / 2.0].into_iter().enumerate() {
        steps.set_lr(device, lr);
        match (left.view_mut(), kept.view_mut()) {
            (ViewMut::Device(left), ViewMut::Device(kept)) => {
                device.gpu().unwrap().upload(grads, left).unwrap();
                device.gpu().unwrap().upload(&[T::from_usize(i % 2 + i / 3)], kept).unwrap();
            }
            (left, kept) => {
                left.host().copy_from_slice(grads);
                kept.host()[0] = T::from_usize(i % 2 + i / 3);
            }
        }
        run(&mut || {
            let (a, g, m, v) = (a.view_mut(), left.view_mut(), m.view_mut(), v.view_mut());
            adam::step(device, &mut steps, a, g, m, v, (i > 0).then(|| kept.view()));
        });
    }
    assert_eq!(steps.taken(device).unwrap(), 3);
    assert!(down(&left).iter().all(|&g| g == T::ZERO), "gradients are 0 afterwards");
    [down(&a), down(&m), down(&v)]
}

#[test]
fn adam_matches_launched_and_recorded() {
    for (cuda, n) in devices().into_iter().flat_map(|cuda| LENGTHS.map(|n| (cuda.clone(), n))) {
        let (values, grads) = (normal(1, n), normal(2, n));
        let want = steps::<f64>(&Device::cpu(), &wide(&values), &wide(&grads), &mut |step| step());
        let device = device(&cuda);
        let launched = steps(&device, &values, &grads, &mut |step| step());
        let recorded = steps(&device, &values, &grads, &mut |step| cuda.capture(step).unwrap().replay());
        for (what, ((launched, recorded), want)) in
            ["values", "m", "v"].iter().zip(launched.iter().zip(&recorded).zip(&want))
        {
            assert_close(what, 8.0, launched, want);
            assert_eq!(launched, recorded, "{what}: bits");
        }
    }
}

#[test]
fn sgd_matches() {
    let sgd = SgdConfig { lr: 0.1, momentum: 0.9, weight_decay: 0.05 };
    for (cuda, n) in devices().into_iter().flat_map(|cuda| LENGTHS.map(|n| (cuda.clone(), n))) {
        let (values, grads) = (normal(1, n), normal(2, n));
        let ([mut values64, grads64], mut velocity64) = ([&values, &grads].map(|x| wide(x)), vec![0.0; n]);
        let (device, grads) = (device(&cuda), up(&cuda, &grads));
        let (mut values, mut velocity) = (up(&cuda, &values), up(&cuda, &vec![0.0f32; n]));
        for _ in 0..3 {
            sgd::step(&Device::cpu(), &sgd, &mut values64, &grads64, &mut velocity64);
            let (a, v) = (values.slice_mut(), velocity.slice_mut());
            sgd::step::<f32>(&device, &sgd, a, grads.slice(), v);
        }
        assert_close("values", 4.0, &down(&cuda, &values), &values64);
        assert_close("velocity", 4.0, &down(&cuda, &velocity), &velocity64);
    }
}

#[test]
fn spectral_norm_matches() {
    let cpu = Device::cpu();
    let sizes = [[1, 1], [1, 70], [37, 300], [64, 48], [128, 1100]];
    for (cuda, size) in devices().into_iter().flat_map(|cuda| sizes.map(|size| (cuda.clone(), size))) {
        let [rows, cols] = size;
        let (w, dy) = (normal(1, rows * cols), normal(2, rows * cols));
        let mut u = normal(3, rows);
        let length = u.iter().map(|u| u * u).sum::<f32>().sqrt();
        u.iter_mut().for_each(|u| *u /= length);
        let (w64, mut u64) = (wide(&w), wide(&u));
        let (w_up, mut u_up) = (up(&cuda, &w), up(&cuda, &u));
        spectral_norm::iterate(&cpu, size, &w64, &mut u64);
        spectral_norm::iterate::<f32>(&device(&cuda), size, w_up.slice(), u_up.slice_mut());
        let u = down::<f32>(&cuda, &u_up);
        assert_close("u", 16.0, &u, &u64);

        let (mut v64, mut sigma64, mut y64) = (vec![0.0; cols], vec![0.0], vec![0.0; rows * cols]);
        spectral_norm::forward(&cpu, size, &w64, &wide(&u), &mut v64, &mut sigma64, &mut y64);
        let [mut v, mut sigma, mut y] = [cols, 1, rows * cols].map(|n| up(&cuda, &vec![f32::NAN; n]));
        let (v_mut, sigma_mut, y_mut) = (v.slice_mut(), sigma.slice_mut(), y.slice_mut());
        spectral_norm::cuda::forward(&cuda, size, w_up.slice(), u_up.slice(), v_mut, sigma_mut, y_mut);
        assert_close("v", 16.0, &down(&cuda, &v), &v64);
        assert_close("sigma", 16.0, &down(&cuda, &sigma), &sigma64);
        assert_close("y", 16.0, &down(&cuda, &y), &y64);

        let (mut dw64, dy_up) = (vec![0.0; rows * cols], up(&cuda, &dy));
        spectral_norm::backward(&cpu, size, &y64, &wide(&u), &v64, &sigma64, &wide(&dy), &mut dw64, Store::Set);
        assert_stores(&cuda, "dw", 64.0, &dw64, |dw, store| {
            let (y, dy, dw) = (y.slice::<f32>(), dy_up.slice::<f32>(), dw.slice_mut::<f32>());
            let (u, v, sigma) = (u_up.slice::<f32>(), v.slice::<f32>(), sigma.slice::<f32>());
            spectral_norm::backward::<f32>(&device(&cuda), size, y, u, v, sigma, dy, dw, store);
        });
    }
}

#[test]
fn a_direction_of_small_weights_has_length_1() {
    for cuda in devices() {
        let w = normal(1, 37 * 300);
        let small: Vec<f32> = w.iter().map(|w| w * 1e-9).collect();
        let (small, mut u) = (up(&cuda, &small), up(&cuda, &[1.0 / 37f32.sqrt(); 37]));
        let mut u64 = vec![1.0 / 37f64.sqrt(); 37];
        for _ in 0..3 {
            spectral_norm::iterate(&Device::cpu(), [37, 300], &wide(&w), &mut u64);
            spectral_norm::iterate::<f32>(&device(&cuda), [37, 300], small.slice(), u.slice_mut());
        }
        assert_close("u", 16.0, &down(&cuda, &u), &u64);
    }
}
