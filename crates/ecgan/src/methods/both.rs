//! Real and generated images through a network as one batch: the same numbers but for rounding, in half as many kernels.

use nn::{Mode, Network};
use tensor::{Element, Real, Result, Tape, Tensor, Var, ops};

/// Both batches as one.
pub(super) fn one_after_the_other<T: Element>(a: &Tensor<T>, b: &Tensor<T>) -> Tensor<T> {
    let mut shape = a.shape().to_vec();
    shape[0] *= 2;
    let mut both = Tensor::uninit(a.device(), &shape[..]);
    let (first, second) = both.view_mut().split_at(a.numel());
    kernels::fill::copy(a.device(), a, first);
    kernels::fill::copy(a.device(), b, second);
    both
}

/// The outputs of both batches in one pass; `labels` are those of either.
pub(super) fn forward_both<T: Real>(
    network: &mut Network<T>,
    both: &Tensor<T>,
    labels: Option<&Tensor<i32>>,
    second_updates: bool,
) -> Result<[Var<T>; 2]> {
    let (tape, n) = (Tape::new(both.device()), both.shape()[0]);
    let labels = labels.map(|labels| one_after_the_other(labels, labels));
    let x = tape.constant(both.clone());
    let y = network.forward_given(&x, labels.as_ref(), Mode::Both { second_updates }, true)?;
    Ok([ops::rows(&y, 0..n / 2)?, ops::rows(&y, n / 2..n)?])
}

/// The gradient of a + w b, both on one tape; w is 1 where it is not given.
pub(super) fn backward_both<T: Real>(a: &Var<T>, (b, w): (&Var<T>, Option<&Tensor<T>>)) -> Result<()> {
    let one = || Tensor::full(a.device(), [], T::ONE);
    a.tape().backward_from(vec![(a, one()), (b, w.cloned().unwrap_or_else(one))]).map(|_| ())
}
