use super::*;
use crate::ops::{Activation, Statistics, add, batch_norm, conv_transpose2d, conv2d, linear, scale};
use crate::testing::{compare, gpus};
use crate::{Named, Params};

/// A convolution's weights are written aside, while batch norm, given the same dy, changes it where it lies.
#[test]
fn what_runs_aside_reads_dy_as_it_was() {
    let numbers = |step: usize| (0..64).map(|i| (i * step % 11) as f32 - 4.5).collect::<Vec<_>>();
    let (x, dy) = (numbers(3), numbers(7));
    let gradient = |device: &Device| {
        let [x, dy] = [&x, &dy].map(|values| Tensor::from_slice(device, [2, 4, 4, 2], values).unwrap());
        let mut params = Params::new(Named::new(device, [("w", [2, 1, 1, 2].into())]));
        params.values_mut().write(Named::<f32>::id(0), &[0.5, -1.0, 2.0, 0.25]);
        let tape = Tape::new(device);
        let [x, one] = [tape.input(x), tape.constant(Tensor::full(device, [2], 1.0))];
        let norm = batch_norm(&x, &one, &one, None, Statistics::Batch(None), Activation::Relu, 1e-5).unwrap();
        let y = add(&norm, &conv2d(&x, &params.bind(&tape, true)[0], [1, 1], [0, 0]).unwrap()).unwrap();
        tape.backward_from(vec![(&y, dy)]).unwrap();
        params.gradient(&params.values().entries()[0]).unwrap().into_iter().map(f64::from).collect::<Vec<_>>()
    };
    let products = |o: usize, c: usize| x.chunks(2).zip(dy.chunks(2)).map(|(x, dy)| f64::from(x[c] * dy[o])).sum();
    let want: Vec<f64> = [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(o, c)| products(o, c)).to_vec();
    for device in gpus().into_iter().chain([Device::cpu()]) {
        compare(&gradient(&device), &want, 1e-5).unwrap_or_else(|difference| panic!("{device}: {difference}"));
    }
}

/// Two convolutions with batch norms, the first of an image whose gradient nobody wants and the second's weights an op's output,
/// and a third: what the lanes of one leave free the next takes.
#[test]
fn a_chain_of_convolutions_has_the_gradients_of_a_cpu() {
    let gradient = |device: &Device| {
        let mut params = Params::new(Named::new(device, ["a", "b", "c"].map(|name| (name, [4, 3, 3, 4].into()))));
        let numbers = |len: usize, step| (0..len).map(|i| (i * step % 17) as f32 / 8.0 - 1.0).collect::<Vec<_>>();
        for (index, step) in [3, 5, 7].into_iter().enumerate() {
            params.values_mut().write(Named::<f32>::id(index), &numbers(144, step));
        }
        let tensor = |step| Tensor::from_slice(device, [2, 6, 6, 4], &numbers(288, step)).unwrap();
        let tape = Tape::new(device);
        let (weights, one) = (params.bind(&tape, true), tape.constant(Tensor::full(device, [4], 1.0)));
        let scaled = scale(&weights[1], 0.5).unwrap();
        let mut h = tape.constant(tensor(11));
        for w in [&weights[0], &scaled, &weights[2]] {
            let y = conv2d(&h, w, [1, 1], [1, 1]).unwrap();
            h = batch_norm(&y, &one, &one, None, Statistics::Batch(None), Activation::LeakyRelu(0.2), 1e-5).unwrap();
        }
        tape.backward_from(vec![(&h, tensor(13))]).unwrap();
        let parts = params.values().entries().iter().map(|entry| params.gradient(entry).unwrap());
        parts.flatten().map(f64::from).collect::<Vec<_>>()
    };
    let want = gradient(&Device::cpu());
    assert!(want.iter().filter(|gradient| gradient.abs() > 1e-2).count() > 400);
    for device in gpus() {
        compare(&gradient(&device), &want, 2e-5).unwrap_or_else(|difference| panic!("{device}: {difference}"));
    }
}

/// Only the gradient of the weights takes x. Where they are frozen, its memory is free once nobody else has it.
#[test]
fn what_only_frozen_weights_would_need_is_not_kept() {
    type Layer = fn(&Var<f32>, &Var<f32>) -> Result<Var<f32>>;
    let image = ([2, 5, 7, 16].into(), [16, 3, 3, 16].into());
    let of_rows: Layer = |x, w| linear(x, w, &x.tape().constant(Tensor::zeros(x.device(), [3])));
    let layers: [(Layer, (Shape, Shape)); 3] = [
        (|x, w| conv2d(x, w, [1, 1], [1, 1]), image),
        (|x, w| conv_transpose2d(x, w, [2, 2], [1, 1], [1, 1]), image),
        (of_rows, ([50, 70].into(), [3, 70].into())),
    ];
    for (index, (layer, (of_x, of_w))) in layers.into_iter().enumerate() {
        let [frozen, trained] = [true, false].map(|frozen| {
            let device = Device::cpu();
            let tape = Tape::new(&device);
            let x = tape.input(Tensor::full(&device, of_x, 0.5));
            let w = Tensor::full(&device, of_w, 0.25);
            let w = if frozen { tape.constant(w) } else { tape.input(w) };
            let y = layer(&x, &w).unwrap();
            let slot = x.slot;
            drop(x);
            let allocations = device.pool().allocations();
            let x = Var { slot, ..tape.constant(Tensor::uninit(&device, of_x)) };
            assert_eq!(device.pool().allocations() == allocations, frozen, "layer {index}");
            let dy = Tensor::full(&device, y.shape(), 1.0);
            tape.backward_from(vec![(&y, dy)]).unwrap().get(&x).unwrap().as_slice().to_vec()
        });
        assert_eq!(frozen, trained, "layer {index}");
    }
}

/// Whose gradient would get lost, or go to another value's.
#[test]
fn values_of_another_tape_are_refused() {
    let device = Device::cpu();
    let x = |tape: &Tape<f32>| tape.input(Tensor::full(&device, [2], 1.0));
    let (one, other, off) = (Tape::new(&device), Tape::new(&device), Tape::off(&device));
    let old = x(&one);
    let refused =
        |a: &Var<f32>, b: &Var<f32>| std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| add(a, b))).is_err();
    assert!(refused(&old, &x(&other)) && refused(&x(&off), &old));
    assert!(!refused(&old, &x(&one)) && !refused(&x(&off), &x(&off)));
    let y = add(&old, &x(&one)).unwrap();
    one.backward_from(vec![(&y, Tensor::full(&device, [2], 1.0))]).unwrap();
    assert!(refused(&old, &old), "it is of a pass that is over");
    let new = x(&one);
    assert!(refused(&old, &new), "whatever has come since");
    let again = one.backward_from(vec![(&y, Tensor::full(&device, [2], 1.0))]).err().unwrap().to_string();
    assert_eq!(again, "backward: expected an output of this tape since its last reverse pass, got [[2]]");
    let sum = add(&new, &new).unwrap();
    assert!(other.backward_from(vec![(&sum, Tensor::full(&device, [2], 1.0))]).is_err(), "it is of another tape");
    let gradients = one.backward_from(vec![(&sum, Tensor::full(&device, [2], 1.0))]).unwrap();
    assert_eq!(gradients.get(&new).unwrap().as_slice(), [2.0, 2.0]);
    assert!(gradients.get(&old).is_none() && gradients.get(&x(&other)).is_none());
}
