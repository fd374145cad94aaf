//! Mean and variance of every channel.
//!
//! A chunk that fits in L2 is read twice, first for its mean, then for its squared deviations from it; chunks
//! are joined in order in f64 (Chan, Golub, LeVeque 1979):
//! M2 = M2a + M2b + (mean_b - mean_a)^2 na nb / n. Memory is read once, and a mean far from 0 costs no accuracy.

use super::{chunk, cuda, fold, groups, period, shape, tile};
use crate::parallel::{self, Rows};
use crate::simd::vectorized;
use crate::view::{View, ViewMut};
use crate::{Device, Real, Simd, Work};

/// Running statistics, `[channels]` each, and how far a batch moves them: see [`update_running`].
#[derive(Debug)]
pub struct Running<'a, T> {
    /// Weight of the batch's.
    pub momentum: T,
    /// Means.
    pub mean: ViewMut<'a, T>,
    /// Unbiased variances.
    pub var: ViewMut<'a, T>,
    /// The first so many groups move them, one after the other; 1 without groups.
    pub groups: usize,
}

/// Mean and biased variance (M2 / rows) of each channel of each group of x `[rows, channels]`; mean and var are
/// `[groups, channels]`. The running statistics, if given, move towards them.
pub fn statistics<'a, T: Real>(
    device: &Device,
    channels: usize,
    x: impl Into<View<'a, T>>,
    mean: impl Into<ViewMut<'a, T>>,
    var: impl Into<ViewMut<'a, T>>,
    running: Option<Running<T>>,
) {
    let (x, mean, var) = (x.into(), mean.into(), var.into());
    let _span = device.span("batch_norm.statistics", || {
        Work::memory(shape(channels, x.len()), x.bytes() + mean.bytes() + var.bytes())
    });
    let groups = groups(channels, x.len(), mean.len());
    assert!(var.len() == mean.len(), "batch_norm: mean and var");
    if let Some(cuda) = device.gpu() {
        let mut workspace = device.workspace::<f32>(cuda::workspace(channels, x.len(), groups));
        let workspace = workspace.view_mut().device();
        return cuda::statistics(cuda, channels, x.on_gpu(), mean.on_gpu(), var.on_gpu(), running, workspace);
    }
    let (x, mean, var) = (x.host(), mean.host(), var.host());
    T::batch_norm_statistics(device, channels, x, mean, var);
    let len = x.len() / groups;
    if let Some(Running { momentum, mean: mut running_mean, var: mut running_var, groups: moving }) = running {
        let vectors = mean.chunks_exact(channels).zip(var.chunks_exact(channels));
        for (mean, var) in vectors.take(moving) {
            let (running_mean, running_var) = (running_mean.reborrow(), running_var.reborrow());
            update_running(device, len / channels, momentum, mean, var, running_mean, running_var);
        }
    }
}

/// [`statistics`] of x `[rows, channels]` from what [`conv2d::forward_with_parts`](crate::conv2d::forward_with_parts) found of its
/// parts, each of `rows_of_part` rows. On a GPU only, where such parts are.
pub fn statistics_of_parts<'a, T: Real>(
    device: &Device,
    channels: usize,
    rows: usize,
    parts: impl Into<View<'a, T>>,
    rows_of_part: usize,
    mean: impl Into<ViewMut<'a, T>>,
    var: impl Into<ViewMut<'a, T>>,
    running: Option<Running<T>>,
) {
    let (parts, mean, var) = (parts.into(), mean.into(), var.into());
    let _span = device.span("batch_norm.statistics_of_parts", || {
        Work::memory(shape(channels, rows * channels), parts.bytes() + mean.bytes() + var.bytes())
    });
    let groups = groups(channels, rows * channels, mean.len());
    let cuda = device.gpu().expect("parts are found on a GPU");
    let mut workspace = device.workspace::<f32>(cuda::parts_workspace(channels, rows, groups, rows_of_part));
    let workspace = workspace.view_mut().device();
    let (parts, mean, var) = (parts.on_gpu(), mean.on_gpu(), var.on_gpu());
    cuda::statistics_of_parts(cuda, channels, rows, parts, rows_of_part, mean, var, running, workspace);
}

/// Mean and biased variance on a CPU.
pub(crate) fn cpu<T: Real>(device: &Device, channels: usize, x: &[T], mean: &mut [T], var: &mut [T]) {
    let len = x.len() / (mean.len() / channels);
    let vectors = mean.chunks_exact_mut(channels).zip(var.chunks_exact_mut(channels));
    x.chunks_exact(len).zip(vectors).for_each(|(x, (mean, var))| of_group(device, channels, x, mean, var));
}

/// The statistics of one group.
fn of_group<T: Real>(device: &Device, channels: usize, x: &[T], mean: &mut [T], var: &mut [T]) {
    let rows = x.len() / channels;
    let chunk = chunk(channels);
    let chunks = x.len().div_ceil(chunk);
    // Of each chunk: the means, then the M2s.
    let mut partial = device.workspace::<f64>(chunks * 2 * channels);
    parallel::split((Rows(x, chunk), Rows(&mut partial[..], 2 * channels)), chunks, 1, |_, (x, partial)| {
        let (mean, m2) = partial.0.split_at_mut(channels);
        moments(device.simd(), channels, x.0, mean, m2);
    });
    let of_chunk = |i: usize| (chunk / channels).min(rows - i * (chunk / channels));
    join_parts(device.simd(), &mut partial, of_chunk, mean, var);
}

/// Mean and biased variance from the moments of consecutive parts of `rows(part)` rows: of each its means, then its M2s.
pub(crate) fn join_parts<T: Real>(
    simd: Simd,
    parts: &mut [f64],
    rows: impl Fn(usize) -> usize,
    mean: &mut [T],
    var: &mut [T],
) {
    let channels = mean.len();
    let (joined, rest) = parts.split_at_mut(2 * channels);
    let (joined_mean, joined_m2) = joined.split_at_mut(channels);
    let mut before = rows(0);
    for (i, part) in rest.chunks_exact(2 * channels).enumerate() {
        let (mean, m2) = part.split_at(channels);
        join(simd, before as f64, rows(i + 1) as f64, joined_mean, joined_m2, mean, m2);
        before += rows(i + 1);
    }
    for c in 0..channels {
        mean[c] = T::from_f64(joined_mean[c]);
        var[c] = T::from_f64(joined_m2[c] / before as f64);
    }
}

/// Moves the running statistics towards a batch's, as PyTorch does: running = (1 - momentum) running + momentum
/// batch, the variance unbiased: var rows / (rows - 1). On the CPU; elsewhere [`statistics`] does it on the way.
pub fn update_running<'a, T: Real>(
    device: &Device,
    rows: usize,
    momentum: T,
    mean: impl Into<View<'a, T>>,
    var: impl Into<View<'a, T>>,
    running_mean: impl Into<ViewMut<'a, T>>,
    running_var: impl Into<ViewMut<'a, T>>,
) {
    let (mean, var) = (mean.into().host(), var.into().host());
    let (running_mean, running_var) = (running_mean.into().host(), running_var.into().host());
    let _span = device.span("batch_norm.update_running", || Work::memory(mean.len(), 6 * size_of_val(mean)));
    assert!(rows > 1, "batch_norm: an unbiased variance takes two rows, got {rows}");
    assert!(mean.len() == running_mean.len() && var.len() == running_var.len(), "batch_norm: running statistics");
    blend(device.simd(), momentum, T::ONE, mean, running_mean);
    blend(device.simd(), momentum, T::from_f64(rows as f64 / (rows - 1) as f64), var, running_var);
}

/// Mean and M2 of each channel of one part, which had better lie in the cache.
pub(crate) fn moments<T: Real>(simd: Simd, channels: usize, x: &[T], mean: &mut [f64], m2: &mut [f64]) {
    let n = (x.len() / channels) as f64;
    let mut sums = vec![T::ZERO; period(channels)];
    // Sums of differences from the first row are small where the deviation is.
    let first = tile(channels, |c| x[c]);
    sum_differences(simd, x, &first, &mut sums);
    fold(channels, &sums, mean);
    for (mean, &first) in mean.iter_mut().zip(x) {
        *mean = first.to_f64() + *mean / n;
    }
    let rounded = tile(channels, |c| T::from_f64(mean[c]));
    sum_squared_differences(simd, x, &rounded, &mut sums);
    fold(channels, &sums, m2);
    for (m2, (mean, &rounded)) in m2.iter_mut().zip(mean.iter().zip(&rounded)) {
        // The deviations were from the rounded mean.
        let exact = *m2 - n * (mean - rounded.to_f64()).powi(2);
        // Not by `max`, which would make 0 of NaN.
        *m2 = if exact < 0.0 { 0.0 } else { exact };
    }
}

/// sums_j = the sum of f(x_j - from_j) over the wide rows of x, four rows for each visit of a sum.
#[inline(always)]
fn sum_over_rows<T: Real>(x: &[T], from: &[T], sums: &mut [T], f: impl Fn(T) -> T) {
    sums.fill(T::ZERO);
    let period = sums.len();
    let mut fours = x.chunks_exact(4 * period);
    for four in &mut fours {
        let ((a, b), (c, d)) = (four[..2 * period].split_at(period), four[2 * period..].split_at(period));
        let rows = a.iter().zip(b).zip(c.iter().zip(d));
        for ((sum, &from), ((&a, &b), (&c, &d))) in sums.iter_mut().zip(from).zip(rows) {
            *sum += (f(a - from) + f(b - from)) + (f(c - from) + f(d - from));
        }
    }
    for row in fours.remainder().chunks(period) {
        for ((sum, &x), &from) in sums.iter_mut().zip(row).zip(from) {
            *sum += f(x - from);
        }
    }
}

vectorized! {
    fn sum_differences<T: Real>(x: &[T], from: &[T], sums: &mut [T]) {
        sum_over_rows(x, from, sums, |difference| difference);
    }

    fn sum_squared_differences<T: Real>(x: &[T], from: &[T], sums: &mut [T]) {
        sum_over_rows(x, from, sums, |difference| difference * difference);
    }

    /// Joins the moments of `n_b` rows to those of `n_a`.
    fn join<T: Real>(n_a: T, n_b: T, mean_a: &mut [T], m2_a: &mut [T], mean_b: &[T], m2_b: &[T]) {
        let share = n_b / (n_a + n_b);
        let a = mean_a.iter_mut().zip(m2_a);
        for ((mean_a, m2_a), (&mean_b, &m2_b)) in a.zip(mean_b.iter().zip(m2_b)) {
            let delta = mean_b - *mean_a;
            *mean_a += delta * share;
            *m2_a += m2_b + delta * delta * (n_a * share);
        }
    }

    fn blend<T: Real>(momentum: T, scale: T, x: &[T], running: &mut [T]) {
        for (running, &x) in running.iter_mut().zip(x) {
            *running = (T::ONE - momentum) * *running + momentum * (x * scale);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{assert_close, both, devices, epsilon, exact_sum, nan, normal, over_threads};

    fn reference(channels: usize, x: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let n = (x.len() / channels) as f64;
        let column = |c: usize| x[c..].iter().step_by(channels);
        let mean: Vec<f64> = (0..channels).map(|c| exact_sum(column(c).copied()) / n).collect();
        let var = (0..channels).map(|c| exact_sum(column(c).map(|x| (x - mean[c]).powi(2))) / n).collect();
        (mean, var)
    }

    fn run<T: Real>(device: &Device, channels: usize, x: &[T]) -> (Vec<T>, Vec<T>) {
        let mut both = over_threads(|| {
            let (mut mean, mut var) = (nan(channels), nan(channels));
            statistics(device, channels, x, &mut mean, &mut var, None);
            [mean, var].concat()
        });
        let var = both.split_off(channels);
        (both, var)
    }

    fn check<T: Real>() {
        for device in devices() {
            for (channels, rows) in
                [(1, 1), (3, 7), (16, 1024), (16, 1023), (16, 4097), (10, 5000), (257, 130), (600, 90)]
            {
                for (mean, std) in [(0.0, 1.0), (1000.0, 0.5), (-3.0, 1e-3), (12345.0, 2e-3)] {
                    let x = normal::<T>(3, rows * channels, mean, std);
                    let wide: Vec<f64> = x.iter().map(|x| x.to_f64()).collect();
                    let (want_mean, want_var) = reference(channels, &wide);
                    let (got_mean, got_var) = run(&device, channels, &x);
                    assert_close("mean", 4.0, &got_mean, &want_mean);
                    for (got, want) in got_var.iter().zip(want_var) {
                        let error = (got.to_f64() - want).abs();
                        // Chunk means are kept in f64.
                        let relative = 40.0 * epsilon::<T>() + f64::EPSILON * (mean / std).abs();
                        assert!(error <= relative * want, "var {got}, reference {want}");
                    }
                }
            }
        }
    }

    both!(statistics_match_a_two_pass_reference_far_from_zero, check);

    #[test]
    fn a_constant_channel_has_no_variance() {
        let (mean, var) = run(&Device::cpu(), 2, &[12345.678f32, 0.1].repeat(40_000));
        assert_eq!((mean, var), (vec![12345.678, 0.1], vec![0.0, 0.0]));
    }

    #[test]
    fn a_nan_is_in_the_mean_and_the_variance_of_its_channel_alone() {
        for (device, rows) in devices().flat_map(|device| [5, 20_000].map(|rows| (device.clone(), rows))) {
            for row in [0, 3, rows - 1] {
                let mut x = normal::<f32>(1, 2 * rows, 0.0, 1.0);
                x[2 * row + 1] = f32::NAN;
                let (mean, var) = run(&device, 2, &x);
                assert_eq!(
                    [mean[0], var[0], mean[1], var[1]].map(f32::is_nan),
                    [false, false, true, true],
                    "row {row}"
                );
            }
        }
    }

    #[test]
    fn running_statistics_are_pytorchs() {
        for device in devices() {
            // torch.nn.BatchNorm1d(2), running (0.5, -1) and (2, 3), momentum 0.1, over [[1, 2], [3, 5], [8, 1]].
            let (mut mean, mut var) = (vec![0.0f64; 2], vec![0.0; 2]);
            statistics(&device, 2, &[1.0, 2.0, 3.0, 5.0, 8.0, 1.0], &mut mean, &mut var, None);
            let (mut running_mean, mut running_var) = (vec![0.5, -1.0], vec![2.0, 3.0]);
            update_running(&device, 3, 0.1, &mean, &var, &mut running_mean, &mut running_var);
            assert_close("running_mean", 4.0, &running_mean, &[0.85, -0.633_333_333_333_333_3]);
            assert_close("running_var", 4.0, &running_var, &[3.1, 3.133_333_333_333_333_3]);
        }
    }
}
