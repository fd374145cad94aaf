//! Adam and SGD, step by step and as a recorded step whose counters lie on the device.

use crate::common::{LENGTHS, assert_close, devices, down, normal, up, wide};
use kernels::adam::{self, Adam};
use kernels::sgd::{self, Sgd};
use kernels::{Device, Real};
use std::cell::RefCell;

const ADAM: Adam = Adam { lr: 2e-3, beta1: 0.5, beta2: 0.999, eps: 1e-8, weight_decay: 1e-2 };

/// Three steps on the CPU in f64, the learning rate halved before the third: values, m, v.
fn three_steps(values: &[f32], grads: &[f32]) -> [Vec<f64>; 3] {
    let [mut values, grads] = [values, grads].map(wide);
    let [mut m, mut v] = [(); 2].map(|()| vec![0.0; values.len()]);
    for t in 1..=3 {
        let adam = if t == 3 { Adam { lr: ADAM.lr / 2.0, ..ADAM } } else { ADAM };
        adam::step(&Device::cpu(), &adam, t, &mut values, &grads, &mut m, &mut v);
    }
    [values, m, v]
}

#[test]
fn adam_matches_launched_and_replayed() {
    for (cuda, n) in devices().into_iter().flat_map(|cuda| LENGTHS.map(|n| (cuda.clone(), n))) {
        let (values, grads) = (normal(1, n), normal(2, n));
        let want = three_steps(&values, &grads);
        let grads = up(&cuda, &grads);
        let state = RefCell::new(up(&cuda, &adam::cuda::state(&ADAM, 0)));
        let [a, m, v] = [values, vec![0.0; n], vec![0.0; n]].map(|x| RefCell::new(up(&cuda, &x)));
        let step = || {
            let (mut a, mut m, mut v) = (a.borrow_mut(), m.borrow_mut(), v.borrow_mut());
            adam::cuda::advance(&cuda, state.borrow_mut().slice_mut());
            let (a, m, v) = (a.slice_mut(), m.slice_mut(), v.slice_mut());
            adam::cuda::step(&cuda, state.borrow().slice(), a, grads.slice(), m, v);
        };
        step();
        let graph = cuda.capture(step).unwrap();
        graph.replay();
        let lr = adam::cuda::LR..=adam::cuda::LR;
        cuda.upload(&[ADAM.lr / 2.0], state.borrow_mut().slice_mut().slice(lr)).unwrap();
        graph.replay();
        for (what, (got, want)) in ["values", "m", "v"].iter().zip([&a, &m, &v].into_iter().zip(&want)) {
            assert_close(what, 8.0, &down(&cuda, &got.borrow()), want);
        }
        assert_eq!(down::<f64>(&cuda, &state.borrow())[adam::cuda::T], 3.0);
    }
}

#[test]
fn sgd_matches() {
    let sgd = Sgd { lr: 0.1f32, momentum: 0.9, weight_decay: 0.05 };
    let sgd64 = Sgd { lr: sgd.lr.to_f64(), momentum: sgd.momentum.to_f64(), weight_decay: sgd.weight_decay.to_f64() };
    for (cuda, n) in devices().into_iter().flat_map(|cuda| LENGTHS.map(|n| (cuda.clone(), n))) {
        let (values, grads) = (normal(1, n), normal(2, n));
        let ([mut values64, grads64], mut velocity64) = ([&values, &grads].map(|x| wide(x)), vec![f64::NAN; n]);
        let (settings, grads) = (up(&cuda, &sgd::cuda::settings(&sgd)), up(&cuda, &grads));
        let (mut values, mut velocity) = (up(&cuda, &values), up(&cuda, &vec![f32::NAN; n]));
        for first in [true, false, false] {
            sgd::step(&Device::cpu(), &sgd64, first, &mut values64, &grads64, &mut velocity64);
            let (a, v) = (values.slice_mut(), velocity.slice_mut());
            sgd::cuda::step(&cuda, settings.slice(), first, a, grads.slice(), v);
        }
        assert_close("values", 4.0, &down(&cuda, &values), &values64);
        assert_close("velocity", 4.0, &down(&cuda, &velocity), &velocity64);
    }
}
