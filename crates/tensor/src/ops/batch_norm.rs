//! Batch normalisation with what usually follows it, in one op (Ioffe and Szegedy 2015):
//! y = act(gamma (x - mean) / sqrt(var + eps) + beta [+ residual]), mean and variance per channel.
//!
//! The fused forms read and write memory once instead of two or three times.

use crate::error::check;
use crate::tape::Moments;
use crate::{Backward, Grads, Real, Result, Tensor, Var};
use kernels::batch_norm::{self as kernel, BatchStatistics, Normalize, Running};
use kernels::view::{View, ViewMut};

/// What follows the normalisation (and the residual's addition).
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// max(v, 0).
    Relu,
    /// v where v > 0, slope * v elsewhere; slope > 0.
    LeakyRelu(f64),
}

impl Activation {
    fn slope(self) -> f64 {
        match self {
            Activation::Identity => 1.0,
            Activation::Relu => 0.0,
            Activation::LeakyRelu(slope) => slope,
        }
    }
}

/// A layer's running statistics, `[c]` each, updated as PyTorch does: `running = 0.9 running + 0.1 batch`, the
/// batch's variance unbiased.
pub struct RunningStatistics<'a, T: Real> {
    /// Mean per channel.
    pub mean: ViewMut<'a, T>,
    /// Variance per channel.
    pub var: ViewMut<'a, T>,
    /// The weight of the new batch, 0.1 in PyTorch.
    pub momentum: f64,
}

/// Which statistics normalise.
pub enum Statistics<'a, T: Real> {
    /// The batch's own; the running ones, if given, are updated.
    Batch(Option<RunningStatistics<'a, T>>),
    /// Each group's own, where the batch is this many groups of equally many rows, one after the other; the running ones, if
    /// given, are updated by the first so many groups in turn.
    Groups(usize, Option<(RunningStatistics<'a, T>, usize)>),
    /// Given ones, constants to the gradient: `mean` and `var` `[c]`.
    Given(View<'a, T>, View<'a, T>),
}

/// x `[.., c]` (all but the last dimension are the batch), gamma and beta `[c]`, residual of x's shape.
pub fn batch_norm<T: Real>(
    x: &Var<T>,
    gamma: &Var<T>,
    beta: &Var<T>,
    residual: Option<&Var<T>>,
    statistics: Statistics<'_, T>,
    activation: Activation,
    eps: f64,
) -> Result<Var<T>> {
    let groups = checked([x, gamma, beta], residual, &statistics, activation)?;
    let s = x.shape();
    let normalize =
        Normalize { channels: s[s.len() - 1], eps: T::from_f64(eps), slope: T::from_f64(activation.slope()) };
    let (kind, [mean, var]) = normalizing(x, groups, statistics);
    let mut y = x.output(s);
    kernel::forward(
        x.device(),
        normalize,
        x.view(),
        [mean.view(), var.view(), gamma.view(), beta.view()],
        residual.map(Var::view),
        y.view_mut(),
    );
    let mut inputs = vec![x, gamma, beta];
    inputs.extend(residual);
    Ok(x.tape().record(y.clone(), &inputs, || BatchNorm {
        normalize,
        kind,
        x: x.value().clone(),
        y: residual.map(|_| y),
        mean,
        var,
        gamma: gamma.value().clone(),
        beta: beta.value().clone(),
    }))
}

/// How many groups have statistics of their own, if all of it fits.
fn checked<T: Real>(
    [x, gamma, beta]: [&Var<T>; 3],
    residual: Option<&Var<T>>,
    statistics: &Statistics<'_, T>,
    activation: Activation,
) -> Result<usize> {
    let s = x.shape();
    let c = s.last().copied().unwrap_or(0);
    let rows = s.numel() / c.max(1);
    let per_channel = |v: &Var<T>| v.shape()[..] == [c];
    let lengths = match statistics {
        Statistics::Batch(Some(r)) | Statistics::Groups(_, Some((r, _))) => [r.mean.len(), r.var.len()],
        Statistics::Given(mean, var) => [mean.len(), var.len()],
        Statistics::Batch(None) | Statistics::Groups(_, None) => [c; 2],
    };
    let fits = c > 0
        && per_channel(gamma)
        && per_channel(beta)
        && residual.is_none_or(|r| r.shape() == s)
        && lengths == [c; 2];
    check(
        fits,
        "batch_norm",
        "[..,c], [c], [c], residual as x, statistics of c channels",
        &[&s, &gamma.shape(), &beta.shape()],
    )?;
    let positive =
        !matches!(activation, Activation::LeakyRelu(slope) if slope.is_nan() || T::from_f64(slope) <= T::ZERO);
    check(positive, "batch_norm", format!("a slope above 0 in {activation:?}"), &[&s])?;
    let groups = if let Statistics::Groups(groups, _) = *statistics { groups } else { 1 };
    check(
        rows > 0 && groups > 0 && rows.is_multiple_of(groups),
        "batch_norm",
        format!("rows for {groups} groups"),
        &[&s],
    )?;
    if !matches!(statistics, Statistics::Given(..)) {
        // PyTorch refuses this too: the variance of one value is 0, and every output would be beta.
        check(rows > groups, "batch_norm", "more than one value per channel to take statistics of", &[&s])?;
    }
    Ok(groups)
}

/// Mean and variance that normalise, `[groups * c]` each, and whose they are; the batch's own move the running ones.
fn normalizing<T: Real>(x: &Var<T>, groups: usize, statistics: Statistics<'_, T>) -> (BatchStatistics, [Tensor<T>; 2]) {
    let (device, s) = (x.device(), x.shape());
    let c = s[s.len() - 1];
    let rows = s.numel() / c;
    let [mut mean, mut var] = [(); 2].map(|()| x.output([groups * c]));
    let (running, moving) = match statistics {
        Statistics::Given(running_mean, running_var) => {
            kernels::fill::copy(device, running_mean, &mut mean);
            kernels::fill::copy(device, running_var, &mut var);
            return (BatchStatistics::Running, [mean, var]);
        }
        Statistics::Batch(running) => (running, 1),
        Statistics::Groups(_, None) => (None, 0),
        Statistics::Groups(_, Some((running, moving))) => (Some(running), moving),
    };
    let running =
        running.map(|r| Running { momentum: T::from_f64(r.momentum), mean: r.mean, var: r.var, groups: moving });
    // They come with x where they were found on the way.
    match x.moments() {
        Some(Moments::Whole { mean: of_mean, var: of_var }) if groups == 1 => {
            (mean, var) = (of_mean.clone(), of_var.clone());
            if let Some(Running { momentum, mean: to_mean, var: to_var, groups: 1.. }) = running {
                kernel::update_running(device, rows, momentum, &mean, &var, to_mean, to_var);
            }
        }
        Some(Moments::Parts { parts, rows: rows_of_part, groups: of_groups }) if groups == *of_groups => {
            kernel::statistics_of_parts(device, c, rows, parts, *rows_of_part, &mut mean, &mut var, running);
        }
        _ => kernel::statistics(device, c, x.view(), &mut mean, &mut var, running),
    }
    (BatchStatistics::Batch, [mean, var])
}

struct BatchNorm<T: Real> {
    normalize: Normalize<T>,
    kind: BatchStatistics,
    x: Tensor<T>,
    /// Kept where there was a residual, which the sign of the activation's operand depends on.
    y: Option<Tensor<T>>,
    mean: Tensor<T>,
    var: Tensor<T>,
    gamma: Tensor<T>,
    beta: Tensor<T>,
}

impl<T: Real> Backward<T> for BatchNorm<T> {
    fn backward(self: Box<Self>, dy: Tensor<T>, grads: &mut Grads<'_, T>) {
        let device = dy.device().clone();
        let (mut dx, shape) = (dy, self.x.shape());
        dx.unshare();
        let mut dresidual = (self.y.is_some() && grads.wants(3)).then(|| Tensor::uninit(&device, shape));
        grads.add_two([1, 2], |dgamma, dbeta| {
            kernel::backward(
                &device,
                self.normalize,
                self.kind,
                self.x.view(),
                self.y.as_ref().map(Tensor::view),
                dx.view_mut(),
                [&self.mean, &self.var, &self.gamma, &self.beta].map(Tensor::view),
                dgamma,
                dbeta,
                dresidual.as_mut().map(Tensor::view_mut),
            );
        });
        for (i, gradient) in [(0, Some(dx)), (3, dresidual)] {
            if let Some(gradient) = gradient {
                grads.give(i, gradient);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::op_test;

    const EPS: f64 = 1e-5;

    fn batch<T: Real>(x: [&Var<T>; 3], residual: Option<&Var<T>>, activation: Activation) -> Result<Var<T>> {
        batch_norm(x[0], x[1], x[2], residual, Statistics::Batch(None), activation, EPS)
    }

    fn groups<T: Real>(n: usize, x: [&Var<T>; 3], residual: Option<&Var<T>>) -> Result<Var<T>> {
        batch_norm(x[0], x[1], x[2], residual, Statistics::Groups(n, None), Activation::Relu, EPS)
    }

    fn given<T: Real>(x: [&Var<T>; 3], residual: Option<&Var<T>>, activation: Activation) -> Result<Var<T>> {
        let up = |v: [f64; 3]| Tensor::from_slice(x[0].device(), [3], &v.map(T::from_f64)).expect("three");
        let (mean, var) = (up([0.3, -0.2, 0.1]), up([0.5, 1.5, 2.5]));
        batch_norm(x[0], x[1], x[2], residual, Statistics::Given(mean.view(), var.view()), activation, EPS)
    }

    op_test!(batch_identity, [[2, 3, 2, 3], [3], [3]], |[x, g, b]| batch([x, g, b], None, Activation::Identity));
    op_test!(batch_relu, [[4, 5, 3], [3], [3]], |[x, g, b]| batch([x, g, b], None, Activation::Relu));
    op_test!(batch_leaky, [[9, 3], [3], [3]], |[x, g, b]| batch([x, g, b], None, Activation::LeakyRelu(0.2)));
    op_test!(batch_add_relu, [[4, 5, 3], [3], [3], [4, 5, 3]], |[x, g, b, r]| {
        batch([x, g, b], Some(r), Activation::Relu)
    });
    op_test!(batch_add_leaky, [[4, 5, 3], [3], [3], [4, 5, 3]], |[x, g, b, r]| {
        batch([x, g, b], Some(r), Activation::LeakyRelu(0.2))
    });
    op_test!(batch_add_to_itself, [[4, 5, 3], [3], [3]], |[x, g, b]| batch([x, g, b], Some(x), Activation::Relu));
    op_test!(groups_relu, [[4, 5, 3], [3], [3]], |[x, g, b]| groups(2, [x, g, b], None));
    op_test!(groups_add_relu, [[6, 2, 3], [3], [3], [6, 2, 3]], |[x, g, b, r]| groups(3, [x, g, b], Some(r)));
    op_test!(given_identity, [[4, 5, 3], [3], [3]], |[x, g, b]| given([x, g, b], None, Activation::Identity));
    op_test!(given_relu, [[4, 5, 3], [3], [3]], |[x, g, b]| given([x, g, b], None, Activation::Relu));
    op_test!(given_add_relu, [[4, 5, 3], [3], [3], [4, 5, 3]], |[x, g, b, r]| {
        given([x, g, b], Some(r), Activation::Relu)
    });
}
