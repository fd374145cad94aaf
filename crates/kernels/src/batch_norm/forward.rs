//! The normalising pass.

use super::{Normalize, chunk, cuda, groups, shape, tile};
use crate::parallel;
use crate::simd::vectorized;
use crate::view::{View, ViewMut};
use crate::{Device, Real, Work};

/// y = act(gamma (x - mean) / sqrt(var + eps) + beta [+ residual]).
///
/// x, y and residual are `[rows, channels]`, gamma and beta `[channels]`, mean and var, a batch's or the running ones,
/// `[groups, channels]`.
pub fn forward<'a, T: Real>(
    device: &Device,
    normalize: Normalize<T>,
    x: impl Into<View<'a, T>>,
    [mean, var, gamma, beta]: [impl Into<View<'a, T>>; 4],
    residual: Option<View<'a, T>>,
    y: impl Into<ViewMut<'a, T>>,
) {
    let (x, y) = (x.into(), y.into());
    let [mean, var, gamma, beta] = [mean.into(), var.into(), gamma.into(), beta.into()];
    let _span = device.span("batch_norm.forward", || work(normalize.channels, x, residual));
    let channels = normalize.channels;
    groups(channels, x.len(), mean.len()); // asserts that they fit
    assert!(x.len() == y.len() && residual.is_none_or(|r| r.len() == x.len()), "batch_norm: x, residual and y");
    let fit = var.len() == mean.len() && gamma.len() == channels && beta.len() == channels;
    assert!(fit, "batch_norm: mean, var, gamma and beta");
    if let Some(cuda) = device.gpu() {
        let vectors = [mean, var, gamma, beta].map(View::on_gpu);
        return cuda::forward(cuda, normalize.narrow(), x.on_gpu(), vectors, residual.map(View::on_gpu), y.on_gpu());
    }
    let vectors = [mean, var, gamma, beta].map(View::host);
    T::batch_norm_forward(device, normalize, x.host(), vectors, residual.map(View::host), y.host());
}

/// [`forward`] on a CPU.
pub(crate) fn cpu<T: Real>(
    device: &Device,
    Normalize { channels, eps, slope }: Normalize<T>,
    x: &[T],
    [mean, var, gamma, beta]: [&[T]; 4],
    residual: Option<&[T]>,
    y: &mut [T],
) {
    let len = x.len() / (mean.len() / channels);
    for (group, y) in y.chunks_exact_mut(len).enumerate() {
        let of_group = group * len..(group + 1) * len;
        let (x, residual) = (&x[of_group.clone()], residual.map(|r| &r[of_group]));
        let [mean, var] = [mean, var].map(|v| &v[group * channels..][..channels]);
        // x - mean is exact where x is near its mean; x * scale + shift would lose what the mean is larger by.
        let mean = tile(channels, |c| mean[c]);
        let scale = tile(channels, |c| gamma[c] / (var[c] + eps).sqrt());
        let beta = tile(channels, |c| beta[c]);
        parallel::split((x, residual, y), len, chunk(channels), |_, (x, residual, y)| {
            normalize_chunk(device.simd(), slope, &mean, &scale, &beta, x, residual, y);
        });
    }
}

fn work<T: Real>(channels: usize, x: View<T>, residual: Option<View<T>>) -> Work {
    let suffix = if residual.is_some() { " + residual" } else { "" };
    let bytes = 2 * x.bytes() + residual.map_or(0, |r| r.bytes()) + 4 * channels * size_of::<T>();
    Work::memory(shape(channels, x.len()) + suffix, bytes)
}

vectorized! {
    fn normalize_chunk<T: Real>(
        slope: T,
        mean: &[T],
        scale: &[T],
        beta: &[T],
        x: &[T],
        residual: Option<&[T]>,
        y: &mut [T],
    ) {
        let act = |v: T| if v > T::ZERO { v } else { slope * v };
        let period = mean.len();
        for (i, (y, x)) in y.chunks_mut(period).zip(x.chunks(period)).enumerate() {
            let operands = x.iter().zip(mean).zip(scale).zip(beta).map(|(((&x, &mean), &scale), &beta)| (x - mean) * scale + beta);
            match residual {
                None => y.iter_mut().zip(operands).for_each(|(y, v)| *y = act(v)),
                Some(residual) => {
                    let residual = &residual[i * period..][..x.len()];
                    y.iter_mut().zip(operands).zip(residual).for_each(|((y, v), &residual)| *y = act(v + residual));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, both, devices, nan, normal, over_threads};

    fn check<T: Real>() {
        for device in devices() {
            for (channels, rows) in [(1, 1), (3, 86), (16, 1024), (16, 1025), (10, 5000), (300, 170)] {
                let n = rows * channels;
                let (x, residual) = (normal::<T>(1, n, 2.0, 3.0), normal::<T>(2, n, 0.0, 1.0));
                let [mean, gamma, beta] = [(3, 2.0), (4, 1.0), (5, 0.0)].map(|(s, m)| normal::<T>(s, channels, m, 0.3));
                let var: Vec<T> = normal::<T>(6, channels, 9.0, 0.5);
                for (slope, residual) in [(1.0, None), (0.0, Some(&residual[..])), (0.2, None), (0.0, None)] {
                    let normalize = Normalize { channels, eps: T::from_f64(1e-2), slope: T::from_f64(slope) };
                    let want: Vec<f64> = (0..n)
                        .map(|i| {
                            let at = |v: &[T]| v[i % channels].to_f64();
                            let invstd = 1.0 / (at(&var) + normalize.eps.to_f64()).sqrt();
                            let v = at(&gamma) * (x[i].to_f64() - at(&mean)) * invstd + at(&beta);
                            let v = v + residual.map_or(0.0, |r| r[i].to_f64());
                            if v > 0.0 { v } else { normalize.slope.to_f64() * v }
                        })
                        .collect();
                    let got = over_threads(|| {
                        let mut y = nan(n);
                        forward(&device, normalize, &x, [&mean, &var, &gamma, &beta], residual.map(View::from), &mut y);
                        y
                    });
                    assert_close("y", 8.0, &got, &want);
                }
            }
        }
    }

    both!(matches_the_reference, check);
}
