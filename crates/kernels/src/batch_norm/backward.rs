//! The gradient of batch normalisation: one pass over memory for the sums, one that turns dy into dx where it lies.
//!
//! With dz the gradient before the activation, m rows, s = 1 / sqrt(var + eps), d = x - mean:
//! dbeta = sum dz, dgamma = s sum dz d, and where mean and var are the batch's own
//! dx = gamma s (dz - dbeta / m - d s dgamma / m) (Ioffe and Szegedy 2015, section 3).

use super::{Normalize, chunk, cuda, fold, groups, period, rows, shape, tile};
use crate::parallel::{self, Rows};
use crate::simd::vectorized;
use crate::view::{View, ViewMut};
use crate::{Device, Real, Store, Work};

/// Where the mean and variance of the forward pass came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchStatistics {
    /// From x itself: they have a gradient.
    Batch,
    /// From elsewhere: they are constants.
    Running,
}

/// Turns dy into the gradient of x; the other gradients of [`forward`](super::forward) are computed where not `None`.
///
/// x, y, dy and dresidual are `[rows, channels]`, the rest `[channels]`. The activation's derivative goes by the sign
/// of its operand: that of y, or, without a residual, that of x normalised once more, which costs no memory traffic.
/// So y is needed only where the forward pass had a residual, and with y alone comes dresidual.
pub fn backward<'a, T: Real>(
    device: &Device,
    normalize: Normalize<T>,
    statistics: BatchStatistics,
    x: impl Into<View<'a, T>>,
    y: Option<View<'a, T>>,
    dy: impl Into<ViewMut<'a, T>>,
    [mean, var, gamma, beta]: [impl Into<View<'a, T>>; 4],
    dgamma: Option<(ViewMut<'a, T>, Store)>,
    dbeta: Option<(ViewMut<'a, T>, Store)>,
    dresidual: Option<ViewMut<'a, T>>,
) {
    let (x, dy) = (x.into(), dy.into());
    let [mean, var, gamma, beta] = [mean.into(), var.into(), gamma.into(), beta.into()];
    let _span = device.span("batch_norm.backward", || work(normalize, x, y.is_some(), dresidual.is_some()));
    let channels = normalize.channels;
    let groups = groups(channels, x.len(), mean.len());
    assert!(x.len() == dy.len() && y.is_none_or(|y| y.len() == x.len()), "batch_norm: x, y and dy");
    let fit = var.len() == mean.len() && gamma.len() == channels && beta.len() == channels;
    assert!(fit, "batch_norm: mean, var, gamma and beta");
    assert!(
        dresidual.as_ref().is_none_or(|d| y.is_some() && d.len() == x.len()),
        "batch_norm: dresidual, which takes y"
    );
    let fits = |out: &Option<(ViewMut<T>, Store)>| out.as_ref().is_none_or(|(out, _)| out.len() == channels);
    assert!(fits(&dgamma) && fits(&dbeta), "batch_norm: dgamma and dbeta");

    if let Some(cuda) = device.gpu() {
        let mut workspace = device.workspace::<f32>(cuda::workspace(channels, x.len(), groups));
        let workspace = workspace.view_mut().device();
        let vectors = [mean, var, gamma, beta].map(View::on_gpu);
        let [dgamma, dbeta] = [dgamma, dbeta].map(|out| out.map(|(out, store)| (out.on_gpu(), store)));
        let (x, y, dy, dresidual) = (x.on_gpu(), y.map(View::on_gpu), dy.on_gpu(), dresidual.map(ViewMut::on_gpu));
        let normalize = normalize.narrow();
        return cuda::backward(cuda, normalize, statistics, x, y, dy, vectors, dgamma, dbeta, dresidual, workspace);
    }
    let (x, y, dy, dresidual) = (x.host(), y.map(View::host), dy.host(), dresidual.map(ViewMut::host));
    let vectors = [mean, var, gamma, beta].map(View::host);
    let [dgamma, dbeta] = [dgamma, dbeta].map(|out| out.map(|(out, store)| (out.host(), store)));
    T::batch_norm_backward(device, normalize, statistics, x, y, dy, vectors, dgamma, dbeta, dresidual);
}

/// [`backward`] on a CPU.
pub(crate) fn cpu<T: Real>(
    device: &Device,
    normalize: Normalize<T>,
    statistics: BatchStatistics,
    x: &[T],
    y: Option<&[T]>,
    dy: &mut [T],
    [mean, var, gamma, beta]: [&[T]; 4],
    mut dgamma: Option<(&mut [T], Store)>,
    mut dbeta: Option<(&mut [T], Store)>,
    mut dresidual: Option<&mut [T]>,
) {
    let channels = normalize.channels;
    let groups = mean.len() / channels;
    let len = x.len() / groups;
    for group in 0..groups {
        let of_group = group * len..(group + 1) * len;
        let [mean, var] = [mean, var].map(|v| &v[group * channels..][..channels]);
        // The groups' gradients of gamma and beta add up.
        backward_of_group(
            device,
            normalize,
            statistics,
            &x[of_group.clone()],
            y.map(|y| &y[of_group.clone()]),
            &mut dy[of_group.clone()],
            [mean, var, gamma, beta],
            dgamma.as_mut().map(|(out, store)| (&mut **out, if group == 0 { *store } else { Store::Add })),
            dbeta.as_mut().map(|(out, store)| (&mut **out, if group == 0 { *store } else { Store::Add })),
            dresidual.as_mut().map(|d| &mut d[of_group]),
        );
    }
}

/// The gradients of one group.
fn backward_of_group<T: Real>(
    device: &Device,
    normalize: Normalize<T>,
    statistics: BatchStatistics,
    x: &[T],
    y: Option<&[T]>,
    dy: &mut [T],
    [mean, var, gamma, beta]: [&[T]; 4],
    dgamma: Option<(&mut [T], Store)>,
    dbeta: Option<(&mut [T], Store)>,
    dresidual: Option<&mut [T]>,
) {
    let Normalize { channels, eps, slope } = normalize;
    let m = rows(channels, x.len()) as f64;
    // As the forward pass computes them, so that the sign is the same.
    let operand = Operand {
        slope,
        mean: &tile(channels, |c| mean[c]),
        scale: &tile(channels, |c| gamma[c] / (var[c] + eps).sqrt()),
        beta: &tile(channels, |c| beta[c]),
    };
    let sums = if statistics == BatchStatistics::Batch || dgamma.is_some() || dbeta.is_some() {
        sums(device, channels, operand, x, y, dy)
    } else {
        vec![0.0; 2 * channels]
    };
    let (sum_dz, sum_dz_d) = sums.split_at(channels);
    let s = |c: usize| 1.0 / (var[c].to_f64() + eps.to_f64()).sqrt();
    if let Some((dgamma, store)) = dgamma {
        (0..channels).for_each(|c| store.write(&mut dgamma[c], T::from_f64(sum_dz_d[c] * s(c))));
    }
    if let Some((dbeta, store)) = dbeta {
        (0..channels).for_each(|c| store.write(&mut dbeta[c], T::from_f64(sum_dz[c])));
    }

    // dx = factor (dz - center - d slant)
    let factor = tile(channels, |c| T::from_f64(gamma[c].to_f64() * s(c)));
    let constant = |value: &dyn Fn(usize) -> f64| {
        tile(channels, |c| if statistics == BatchStatistics::Batch { T::from_f64(value(c)) } else { T::ZERO })
    };
    let center = constant(&|c| sum_dz[c] / m);
    let slant = constant(&|c| sum_dz_d[c] * s(c) * s(c) / m);
    parallel::split((x, y, dy, dresidual), x.len(), chunk(channels), |_, (x, y, dy, dresidual)| {
        dx_chunk(device.simd(), operand, [&factor, &center, &slant], x, y, dy, dresidual);
    });
}

fn work<T: Real>(normalize: Normalize<T>, x: View<T>, with_y: bool, with_residual: bool) -> Work {
    let suffix = if with_residual { " + residual" } else { "" };
    // x and dy read, and y where its sign is needed; dx and dresidual written; four values a channel.
    let wide = 3 + usize::from(with_y) + usize::from(with_residual);
    let bytes = wide * x.bytes() + 4 * normalize.channels * size_of::<T>();
    Work::memory(shape(normalize.channels, x.len()) + suffix, bytes)
}

/// What the activation's operand is made of, repeated over a wide row: (x - mean) scale + beta.
#[derive(Clone, Copy)]
struct Operand<'a, T> {
    slope: T,
    mean: &'a [T],
    scale: &'a [T],
    beta: &'a [T],
}

/// Sum of dz, then sum of dz (x - mean), of each channel: chunks in parallel, then joined in order.
fn sums<T: Real>(
    device: &Device,
    channels: usize,
    operand: Operand<T>,
    x: &[T],
    y: Option<&[T]>,
    dy: &[T],
) -> Vec<f64> {
    let chunk = chunk(channels);
    let chunks = x.len().div_ceil(chunk);
    let mut partial = device.workspace::<f64>(chunks * 2 * channels);
    let y = y.map(|y| Rows(y, chunk));
    let operands = (Rows(x, chunk), y, Rows(dy, chunk), Rows(&mut partial[..], 2 * channels));
    parallel::split(operands, chunks, 1, |_, (x, y, dy, partial)| {
        let period = period(channels);
        let mut wide = vec![T::ZERO; 2 * period];
        let (dz, dz_d) = wide.split_at_mut(period);
        sums_chunk(device.simd(), operand, x.0, y.map(|y| y.0), dy.0, dz, dz_d);
        fold(channels, dz, &mut partial.0[..channels]);
        fold(channels, dz_d, &mut partial.0[channels..]);
    });
    let mut sums = vec![0.0; 2 * channels];
    fold(2 * channels, &partial, &mut sums);
    sums
}

/// By a factor, not as one of two results, of which one is dy as it was: in its place the compiler would store the other
/// under a mask, which with AVX2 takes Zen tens of cycles.
#[inline(always)]
fn through_activation<T: Real>(slope: T, v: T, dy: T) -> T {
    dy * if v > T::ZERO { T::ONE } else { slope }
}

vectorized! {
    fn sums_chunk<T: Real>(
        operand: Operand<'_, T>,
        x: &[T],
        y: Option<&[T]>,
        dy: &[T],
        sum_dz: &mut [T],
        sum_dz_d: &mut [T],
    ) {
        let Operand { slope, mean, scale, beta } = operand;
        let period = mean.len();
        for (i, (x, dy)) in x.chunks(period).zip(dy.chunks(period)).enumerate() {
            let sums = sum_dz.iter_mut().zip(sum_dz_d.iter_mut()).zip(mean).zip(x.iter().zip(dy));
            match y {
                Some(y) => {
                    for ((((sum_dz, sum_dz_d), &mean), (&x, &dy)), &y) in sums.zip(&y[i * period..]) {
                        let dz = through_activation(slope, y, dy);
                        *sum_dz += dz;
                        *sum_dz_d += dz * (x - mean);
                    }
                }
                None => {
                    for ((((sum_dz, sum_dz_d), &mean), (&x, &dy)), (&scale, &beta)) in sums.zip(scale.iter().zip(beta)) {
                        let dz = through_activation(slope, (x - mean) * scale + beta, dy);
                        *sum_dz += dz;
                        *sum_dz_d += dz * (x - mean);
                    }
                }
            }
        }
    }

    fn dx_chunk<T: Real>(
        operand: Operand<'_, T>,
        constants: [&[T]; 3],
        x: &[T],
        y: Option<&[T]>,
        dy: &mut [T],
        dresidual: Option<&mut [T]>,
    ) {
        let Operand { slope, mean, scale, beta } = operand;
        let ([factor, center, slant], period, mut dresidual) = (constants, mean.len(), dresidual);
        for (i, (x, dy)) in x.chunks(period).zip(dy.chunks_mut(period)).enumerate() {
            let constants = factor.iter().zip(center).zip(mean.iter().zip(slant));
            let Some(y) = y else {
                let elements = dy.iter_mut().zip(x).zip(constants.zip(scale.iter().zip(beta)));
                for ((dy, &x), (((&factor, &center), (&mean, &slant)), (&scale, &beta))) in elements {
                    let d = x - mean;
                    let dz = through_activation(slope, d * scale + beta, *dy);
                    *dy = factor * (dz - center - d * slant);
                }
                continue;
            };
            dy.iter_mut().zip(&y[i * period..]).for_each(|(dy, &y)| *dy = through_activation(slope, y, *dy));
            if let Some(dresidual) = &mut dresidual {
                dresidual[i * period..][..dy.len()].copy_from_slice(dy);
            }
            for ((dy, &x), ((&factor, &center), (&mean, &slant))) in dy.iter_mut().zip(x).zip(constants) {
                *dy = factor * (*dy - center - (x - mean) * slant);
            }
        }
    }
}
