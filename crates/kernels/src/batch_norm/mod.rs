//! Batch normalisation over the rows of `[rows, channels]`, fused with the sum and the activation that follow it:
//! y = act(gamma (x - mean) / sqrt(var + eps) + beta [+ residual]) (Ioffe and Szegedy 2015).
//!
//! Every pass works on wide rows: as many whole rows as make about 256 elements, beside per-channel values that
//! are repeated to the same width. The inner loops are then long for 3 channels as for 512, and reductions run
//! in that many independent accumulators.
//!
//! Where mean and var are several rows of channels, the rows of x are as many groups, one after the other, each normalised
//! by statistics of its own: a batch of real and one of generated images in one pass.

pub(crate) mod backward;
pub mod cuda;
pub(crate) mod forward;
pub(crate) mod statistics;
#[cfg(test)]
mod tests;

pub use backward::{BatchStatistics, backward};
pub use forward::forward;
pub use statistics::{Running, statistics, statistics_of_parts, update_running};
pub(crate) use statistics::{join_parts, moments};

use crate::Real;
use crate::parallel::CHUNK;

/// What a normalisation is: its channels, the number under the root, and its activation.
#[derive(Clone, Copy, Debug)]
pub struct Normalize<T> {
    /// Channels, the innermost axis.
    pub channels: usize,
    /// Added to the variance.
    pub eps: T,
    /// act(v) = v where v > 0, else slope v: 1 for none, 0 for ReLU, 0.2 for leaky ReLU.
    pub slope: T,
}

impl<T: Real> Normalize<T> {
    /// The same in f32, as a GPU has it.
    fn narrow(&self) -> Normalize<f32> {
        let [eps, slope] = [self.eps, self.slope].map(|v| v.to_f64() as f32);
        Normalize { channels: self.channels, eps, slope }
    }
}

/// Elements of a wide row: the smallest multiple of `channels` from 256 up.
fn period(channels: usize) -> usize {
    channels * 256usize.div_ceil(channels)
}

/// Elements of one task: whole wide rows, about [`CHUNK`].
fn chunk(channels: usize) -> usize {
    let period = period(channels);
    period * (CHUNK / period).max(1)
}

/// Per-channel values, repeated over a wide row.
fn tile<T: Real>(channels: usize, value: impl Fn(usize) -> T) -> Vec<T> {
    let row: Vec<T> = (0..channels).map(value).collect();
    row.repeat(period(channels) / channels)
}

/// Sums over the repetitions in a wide row of accumulators: one f64 a channel.
fn fold<T: Real>(channels: usize, wide: &[T], sums: &mut [f64]) {
    sums.fill(0.0);
    for row in wide.chunks_exact(channels) {
        for (sum, &x) in sums.iter_mut().zip(row) {
            *sum += x.to_f64();
        }
    }
}

/// The geometry as a profile shows it, "rows x channels".
fn shape(channels: usize, len: usize) -> String {
    format!("{}x{channels}", len / channels.max(1))
}

/// Asserts that `len` elements are whole rows, and returns how many.
fn rows(channels: usize, len: usize) -> usize {
    assert!(channels > 0 && len > 0 && len.is_multiple_of(channels), "batch_norm: {len} elements, {channels} channels");
    len / channels
}

/// In how many groups `len` elements are normalised by `vector` means; asserts that they are of equally many rows.
fn groups(channels: usize, len: usize, vector: usize) -> usize {
    let groups = vector / channels.max(1);
    let fit = groups > 0 && vector == groups * channels && rows(channels, len).is_multiple_of(groups);
    assert!(fit, "batch_norm: {len} elements, {channels} channels, {vector} means");
    groups
}
