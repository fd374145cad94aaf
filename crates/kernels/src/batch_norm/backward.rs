//! The gradient of batch normalisation: one pass over memory for the sums, one for dx and dresidual.
//!
//! With dz the gradient before the activation, m rows, s = 1 / sqrt(var + eps), d = x - mean:
//! dbeta = sum dz, dgamma = s sum dz d, and where mean and var are the batch's own
//! dx = gamma s (dz - dbeta / m - d s dgamma / m) (Ioffe and Szegedy 2015, section 3).

use super::{Normalize, chunk, fold, period, rows, tile};
use crate::parallel::{self, Rows};
use crate::simd::vectorized;
use crate::{Device, Real, Store};

/// Where the mean and variance of the forward pass came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchStatistics {
    /// From x itself: they have a gradient.
    Batch,
    /// From elsewhere: they are constants.
    Running,
}

/// The gradients of [`forward`](super::forward); those that are `None` are not computed.
///
/// x, y, dy, dx and dresidual are `[rows, channels]`, the rest `[channels]`. The activation's derivative goes by
/// the sign of y; with slope 1 y is not read and may be empty.
pub fn backward<T: Real>(
    device: &Device,
    normalize: Normalize<T>,
    statistics: BatchStatistics,
    x: &[T],
    y: &[T],
    dy: &[T],
    mean: &[T],
    var: &[T],
    gamma: &[T],
    dx: Option<(&mut [T], Store)>,
    dgamma: Option<(&mut [T], Store)>,
    dbeta: Option<(&mut [T], Store)>,
    dresidual: Option<(&mut [T], Store)>,
) {
    let Normalize { channels, eps, slope } = normalize;
    let m = rows(channels, x.len()) as f64;
    // With slope 1 dz = dy whatever the sign: dy stands in, so that no other operand is read.
    let y = if slope == T::ONE { dy } else { y };
    assert!(x.len() == y.len() && x.len() == dy.len(), "batch_norm: x, y and dy");
    assert!([mean, var, gamma].iter().all(|v| v.len() == channels), "batch_norm: mean, var and gamma");
    let fits = |out: &Option<(&mut [T], Store)>, len| out.as_ref().is_none_or(|(out, _)| out.len() == len);
    assert!(fits(&dx, x.len()) && fits(&dresidual, x.len()), "batch_norm: dx and dresidual");
    assert!(fits(&dgamma, channels) && fits(&dbeta, channels), "batch_norm: dgamma and dbeta");

    let through_statistics = statistics == BatchStatistics::Batch && dx.is_some();
    let sums = if through_statistics || dgamma.is_some() || dbeta.is_some() {
        sums(device, channels, slope, x, y, dy, mean)
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

    // dx = scale (dz - center - d slant)
    let scale = tile(channels, |c| T::from_f64(gamma[c].to_f64() * s(c)));
    if let Some((dx, store)) = dx {
        let (dresidual, dresidual_store) = dresidual.unzip();
        let dresidual_store = dresidual_store.unwrap_or(Store::Set);
        let constants = (statistics == BatchStatistics::Batch).then(|| {
            let center = tile(channels, |c| T::from_f64(sum_dz[c] / m));
            let slant = tile(channels, |c| T::from_f64(sum_dz_d[c] * s(c) * s(c) / m));
            (tile(channels, |c| mean[c]), center, slant)
        });
        parallel::split((x, y, dy, dx, dresidual), x.len(), chunk(channels), |_, (x, y, dy, dx, dresidual)| {
            let dresidual = dresidual.map(|dresidual| (dresidual, dresidual_store));
            match &constants {
                Some((mean, center, slant)) => {
                    dx_chunk(device.simd(), slope, &scale, mean, center, slant, x, y, dy, dx, store, dresidual);
                }
                None => scaled_chunk(device.simd(), slope, &scale, y, dy, dx, store, dresidual),
            }
        });
    } else if let Some((dresidual, store)) = dresidual {
        parallel::split((y, dy, dresidual), x.len(), chunk(channels), |_, (y, dy, dresidual)| {
            dz_chunk(device.simd(), slope, y, dy, dresidual, store);
        });
    }
}

/// Sum of dz, then sum of dz (x - mean), of each channel: chunks in parallel, then joined in order.
fn sums<T: Real>(device: &Device, channels: usize, slope: T, x: &[T], y: &[T], dy: &[T], mean: &[T]) -> Vec<f64> {
    let chunk = chunk(channels);
    let chunks = x.len().div_ceil(chunk);
    let mean = tile(channels, |c| mean[c]);
    let mut partial = device.buffer::<f64>(chunks * 2 * channels);
    let operands = (Rows(x, chunk), Rows(y, chunk), Rows(dy, chunk), Rows(&mut partial[..], 2 * channels));
    parallel::split(operands, chunks, 1, |_, (x, y, dy, partial)| {
        let period = period(channels);
        let mut wide = vec![T::ZERO; 2 * period];
        let (dz, dz_d) = wide.split_at_mut(period);
        sums_chunk(device.simd(), slope, &mean, x.0, y.0, dy.0, dz, dz_d);
        fold(channels, dz, &mut partial.0[..channels]);
        fold(channels, dz_d, &mut partial.0[channels..]);
    });
    let mut sums = vec![0.0; 2 * channels];
    fold(2 * channels, &partial, &mut sums);
    sums
}

#[inline(always)]
fn through_activation<T: Real>(slope: T, y: T, dy: T) -> T {
    if y > T::ZERO { dy } else { slope * dy }
}

#[inline(always)]
fn write_dz<T: Real>(slope: T, y: &[T], dy: &[T], dz: &mut [T], store: Store) {
    let operands = dz.iter_mut().zip(y).zip(dy);
    match store {
        Store::Set => operands.for_each(|((dz, &y), &dy)| *dz = through_activation(slope, y, dy)),
        Store::Add => operands.for_each(|((dz, &y), &dy)| *dz += through_activation(slope, y, dy)),
    }
}

vectorized! {
    fn sums_chunk<T: Real>(slope: T, mean: &[T], x: &[T], y: &[T], dy: &[T], sum_dz: &mut [T], sum_dz_d: &mut [T]) {
        let period = mean.len();
        for ((x, y), dy) in x.chunks(period).zip(y.chunks(period)).zip(dy.chunks(period)) {
            let sums = sum_dz.iter_mut().zip(sum_dz_d.iter_mut()).zip(mean);
            for ((((sum_dz, sum_dz_d), &mean), &x), (&y, &dy)) in sums.zip(x).zip(y.iter().zip(dy)) {
                let dz = through_activation(slope, y, dy);
                *sum_dz += dz;
                *sum_dz_d += dz * (x - mean);
            }
        }
    }

    fn dz_chunk<T: Real>(slope: T, y: &[T], dy: &[T], dz: &mut [T], store: Store) {
        write_dz(slope, y, dy, dz, store);
    }

    fn scaled_chunk<T: Real>(
        slope: T,
        scale: &[T],
        y: &[T],
        dy: &[T],
        dx: &mut [T],
        store: Store,
        dresidual: Option<(&mut [T], Store)>,
    ) {
        let (period, mut dresidual) = (scale.len(), dresidual);
        for (i, ((y, dy), dx)) in y.chunks(period).zip(dy.chunks(period)).zip(dx.chunks_mut(period)).enumerate() {
            if let Some((dz, store)) = &mut dresidual {
                write_dz(slope, y, dy, &mut dz[i * period..][..y.len()], *store);
            }
            let operands = dx.iter_mut().zip(scale).zip(y.iter().zip(dy));
            let value = |scale: T, y: T, dy: T| scale * through_activation(slope, y, dy);
            match store {
                Store::Set => operands.for_each(|((dx, &scale), (&y, &dy))| *dx = value(scale, y, dy)),
                Store::Add => operands.for_each(|((dx, &scale), (&y, &dy))| *dx += value(scale, y, dy)),
            }
        }
    }

    fn dx_chunk<T: Real>(
        slope: T,
        scale: &[T],
        mean: &[T],
        center: &[T],
        slant: &[T],
        x: &[T],
        y: &[T],
        dy: &[T],
        dx: &mut [T],
        store: Store,
        dresidual: Option<(&mut [T], Store)>,
    ) {
        let (period, mut dresidual) = (scale.len(), dresidual);
        let inputs = x.chunks(period).zip(y.chunks(period)).zip(dy.chunks(period));
        for (i, (((x, y), dy), dx)) in inputs.zip(dx.chunks_mut(period)).enumerate() {
            if let Some((dz, store)) = &mut dresidual {
                write_dz(slope, y, dy, &mut dz[i * period..][..y.len()], *store);
            }
            let constants = scale.iter().zip(mean).zip(center.iter().zip(slant));
            let values = constants.zip(x).zip(y.iter().zip(dy)).map(
                |((((&scale, &mean), (&center, &slant)), &x), (&y, &dy))| {
                    scale * (through_activation(slope, y, dy) - center - (x - mean) * slant)
                },
            );
            match store {
                Store::Set => dx.iter_mut().zip(values).for_each(|(dx, value)| *dx = value),
                Store::Add => dx.iter_mut().zip(values).for_each(|(dx, value)| *dx += value),
            }
        }
    }
}
