//! Filling: a constant, and random numbers of a [`Philox`] stream.
//!
//! Element i comes from word i % 4 of block i / 4 past the stream's position, so any part can be filled anywhere
//! with the same bits. f64 gets the f32 numbers, so that it follows the same draws.

use crate::cuda::{Cuda, CudaError};
use crate::parallel::{self, CHUNK};
use crate::philox::{Philox, box_muller, to_unit};
use crate::pool::Buffer;
use crate::simd::vectorized;
use crate::view::{View, ViewMut};
use crate::{Device, Element, Real, Work};

/// out = value; on a GPU for elements of four bytes.
pub fn constant<'a, T: Element>(device: &Device, value: T, out: impl Into<ViewMut<'a, T>>) {
    let out = out.into();
    let _span = device.span("fill.constant", || Work::memory(out.len(), out.bytes()));
    if let Some(cuda) = device.gpu() {
        return cuda::constant(cuda, value, out.device());
    }
    let (n, out) = (out.len(), out.host());
    parallel::split(out, n, CHUNK, |_, out| out.fill(value));
}

/// y = x.
pub fn copy<'a, T: Element>(device: &Device, x: impl Into<View<'a, T>>, y: impl Into<ViewMut<'a, T>>) {
    let (x, y) = (x.into(), y.into());
    let _span = device.span("fill.copy", || Work::memory(y.len(), 2 * y.bytes()));
    assert_eq!(x.len(), y.len(), "copy: x and y");
    if let Some(cuda) = device.gpu() {
        return cuda.copy(x.device(), y.device());
    }
    y.host().copy_from_slice(x.host());
}

/// Copies from the host to where `out` lies; a failure on a GPU is reported by the next read-back.
pub fn from_host<T: Element>(device: &Device, values: &[T], out: ViewMut<T>) {
    assert_eq!(values.len(), out.len(), "from_host: lengths");
    match device.gpu() {
        Some(cuda) => cuda.set(values, out.device()),
        None => out.host().copy_from_slice(values),
    }
}

/// Copies to the host from where `x` lies, when all that was launched on a GPU has run.
///
/// # Errors
/// The first failure on the GPU since the last report.
pub fn to_host<T: Element>(device: &Device, x: View<T>) -> Result<Vec<T>, CudaError> {
    match device.gpu() {
        Some(cuda) => cuda.download(x.device()),
        None => Ok(x.host().to_vec()),
    }
}

/// out uniform in [low, high], high itself only where rounding gives it: low + (high - low) u with u a multiple of 2^-24.
pub fn uniform<'a, T: Real>(device: &Device, philox: &mut Philox, low: T, high: T, out: impl Into<ViewMut<'a, T>>) {
    let out = out.into();
    let _span = device.span("fill.uniform", || Work::memory(out.len(), out.bytes()));
    if let Some(cuda) = device.gpu() {
        let words = Draws::upload(device, cuda, philox);
        philox.take_blocks(out.len().div_ceil(4) as u64);
        let [low, high] = [low, high].map(|v| v.to_f64() as f32);
        return cuda::uniform(cuda, words.view().device(), low, high, out.on_gpu());
    }
    let out = out.host();
    from_blocks(philox, out, |philox, block, out| uniform_chunk(device.simd(), philox, block, low, high, out));
}

/// out normal: mean + std z, z by Box and Muller from the word pairs (0, 1) and (2, 3) of a block.
pub fn normal<'a, T: Real>(device: &Device, philox: &mut Philox, mean: T, std: T, out: impl Into<ViewMut<'a, T>>) {
    let out = out.into();
    let _span = device.span("fill.normal", || Work::memory(out.len(), out.bytes()));
    if let Some(cuda) = device.gpu() {
        let words = Draws::upload(device, cuda, philox);
        philox.take_blocks(out.len().div_ceil(4) as u64);
        let [mean, std] = [mean, std].map(|v| v.to_f64() as f32);
        return cuda::normal(cuda, words.view().device(), mean, std, out.on_gpu());
    }
    let out = out.host();
    from_blocks(philox, out, |philox, block, out| normal_chunk(device.simd(), philox, block, mean, std, out));
}

/// A stream that lies where it is drawn from, so that a recorded step draws on from where the last one ended.
pub struct Draws {
    philox: Philox,
    /// On a GPU, the stream as [`cuda::stream`] has it.
    words: Option<Buffer<i32>>,
}

impl Draws {
    /// The stream from its position on.
    pub fn new(device: &Device, philox: Philox) -> Self {
        Self { philox, words: device.gpu().map(|cuda| Self::upload(device, cuda, &philox)) }
    }

    fn upload(device: &Device, cuda: &Cuda, philox: &Philox) -> Buffer<i32> {
        let mut words = device.buffer(cuda::STREAM);
        cuda.set(&cuda::stream(philox), words.view_mut().device());
        words
    }

    /// As [`normal`]; on a GPU nothing is uploaded.
    pub fn normal<'a, T: Real>(&mut self, device: &Device, mean: T, std: T, out: impl Into<ViewMut<'a, T>>) {
        let out = out.into();
        let (Some(cuda), Some(words)) = (device.gpu(), &mut self.words) else {
            return normal(device, &mut self.philox, mean, std, out);
        };
        let n = out.len();
        let _span = device.span("fill.normal", || Work::memory(n, out.bytes()));
        let [mean, std] = [mean, std].map(|v| v.to_f64() as f32);
        cuda::normal(cuda, words.view().device(), mean, std, out.on_gpu());
        cuda::advance(cuda, words.view_mut().device(), n);
        self.philox.take_blocks(n.div_ceil(4) as u64);
    }

    /// As [`uniform`]; on a GPU nothing is uploaded.
    pub fn uniform<'a, T: Real>(&mut self, device: &Device, low: T, high: T, out: impl Into<ViewMut<'a, T>>) {
        let out = out.into();
        let (Some(cuda), Some(words)) = (device.gpu(), &mut self.words) else {
            return uniform(device, &mut self.philox, low, high, out);
        };
        let n = out.len();
        let _span = device.span("fill.uniform", || Work::memory(n, out.bytes()));
        let [low, high] = [low, high].map(|v| v.to_f64() as f32);
        cuda::uniform(cuda, words.view().device(), low, high, out.on_gpu());
        cuda::advance(cuda, words.view_mut().device(), n);
        self.philox.take_blocks(n.div_ceil(4) as u64);
    }

    /// Where the stream is.
    pub fn position(&self) -> u64 {
        self.philox.position()
    }

    /// Counts on from `position`, where a recorded step drew.
    pub fn set_position(&mut self, position: u64) {
        self.philox = self.philox.at(position);
    }
}

/// Splits `out` at block boundaries and moves `philox` past the blocks that it takes.
fn from_blocks<T: Real>(philox: &mut Philox, out: &mut [T], chunk: impl Fn(&Philox, u64, &mut [T]) + Sync) {
    let n = out.len();
    let first = philox.take_blocks(n.div_ceil(4) as u64);
    let philox = &*philox;
    // Philox costs more than memory: smaller tasks than a copy's.
    parallel::split(out, n, CHUNK / 4, |start, out| chunk(philox, first + start as u64 / 4, out));
}

vectorized! {
    fn uniform_chunk<T: Real>(philox: &Philox, first: u64, low: T, high: T, out: &mut [T]) {
        for (i, out) in out.chunks_mut(4).enumerate() {
            let words = philox.block(first + i as u64);
            for (out, word) in out.iter_mut().zip(words) {
                *out = low + (high - low) * T::from_f64(f64::from(to_unit(word)));
            }
        }
    }

    fn normal_chunk<T: Real>(philox: &Philox, first: u64, mean: T, std: T, out: &mut [T]) {
        for (i, out) in out.chunks_mut(4).enumerate() {
            let words = philox.block(first + i as u64);
            let ((a, b), (c, d)) = (box_muller(words[0], words[1]), box_muller(words[2], words[3]));
            for (out, z) in out.iter_mut().zip([a, b, c, d]) {
                *out = mean + std * T::from_f64(f64::from(z));
            }
        }
    }
}

/// The same on a GPU, with the same bits. The stream's position lies there, so that a recorded step can be replayed:
/// the fills read it, [`advance`](cuda::advance) moves it.
pub mod cuda {
    use crate::Element;
    use crate::cuda::{Cuda, Grid, Kernel};
    use crate::philox::Philox;
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const CONSTANT: Kernel = Kernel { module: "fill", name: "fill_constant" };
    const UNIFORM: Kernel = Kernel { module: "fill", name: "fill_uniform" };
    const NORMAL: Kernel = Kernel { module: "fill", name: "fill_normal" };
    const ADVANCE: Kernel = Kernel { module: "fill", name: "fill_advance" };

    /// A stream as it lies on the device: three `u64`, each as two words.
    pub const STREAM: usize = 6;

    /// What to upload for a stream.
    pub fn stream(philox: &Philox) -> [i32; STREAM] {
        let words = [philox.seed(), philox.stream(), philox.position()];
        std::array::from_fn(|i| (words[i / 2] >> (32 * (i % 2))) as u32 as i32)
    }

    /// See [`constant`](super::constant); for elements of four bytes.
    pub fn constant<T: Element>(cuda: &Cuda, value: T, out: DeviceSliceMut<T>) {
        // The kernel moves the bits as those of an f32, unchanged.
        let bits: f32 = bytemuck::cast(*bytemuck::from_bytes::<[u8; 4]>(bytemuck::bytes_of(&value)));
        let n = out.len() as u64;
        // SAFETY: out has n elements of four bytes.
        unsafe { cuda.launch(CONSTANT, Grid::elementwise(out.len()), &[&out, &n, &bits]) }
    }

    /// See [`uniform`](super::uniform).
    pub fn uniform(cuda: &Cuda, stream: DeviceSlice<i32>, low: f32, high: f32, out: DeviceSliceMut<f32>) {
        assert_eq!(stream.len(), STREAM, "fill: a stream");
        let n = out.len() as u64;
        // SAFETY: out has n elements, the stream is whole.
        unsafe { cuda.launch(UNIFORM, Grid::elementwise(out.len()), &[&stream, &low, &high, &out, &n]) }
    }

    /// See [`normal`](super::normal).
    pub fn normal(cuda: &Cuda, stream: DeviceSlice<i32>, mean: f32, std: f32, out: DeviceSliceMut<f32>) {
        assert_eq!(stream.len(), STREAM, "fill: a stream");
        let n = out.len() as u64;
        // SAFETY: out has n elements, the stream is whole.
        unsafe { cuda.launch(NORMAL, Grid::elementwise(out.len()), &[&stream, &mean, &std, &out, &n]) }
    }

    /// Moves the stream past a fill of `n` elements, to the next block boundary.
    pub fn advance(cuda: &Cuda, stream: DeviceSliceMut<i32>, n: usize) {
        assert_eq!(stream.len(), STREAM, "fill: a stream");
        // SAFETY: the stream is whole.
        unsafe { cuda.launch(ADVANCE, Grid::linear(1, 1), &[&stream, &(n as u64)]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{LENGTHS, both, devices, nan, over_threads};

    fn check<T: Real>() {
        let start = Philox::new(11, 4).at(6); // within block 1: the fill begins at block 2
        for (device, n) in devices().flat_map(|device| LENGTHS.map(|n| (device.clone(), n))) {
            let [low, high] = [-0.1, 1.7].map(T::from_f64);
            let got = over_threads(|| {
                let (mut philox, mut out) = (start, [nan::<T>(n), nan(n), nan(n)]);
                let [a, b, c] = &mut out;
                uniform(&device, &mut philox, low, high, a);
                normal(&device, &mut philox, low, high, b);
                constant(&device, high, c);
                assert_eq!(philox.position(), 4 * (2 + 2 * n.div_ceil(4) as u64));
                out.concat()
            });
            let real = |x: f32| T::from_f64(f64::from(x));
            let mut words = start.at(8);
            let uniforms: Vec<T> = (0..n).map(|_| low + (high - low) * real(words.uniform())).collect();
            assert_eq!(got[..n], uniforms);
            let mut words = start.at(8 + 4 * n.div_ceil(4) as u64);
            let pairs = (0..n.div_ceil(2)).flat_map(|_| {
                let (a, b) = box_muller(words.next_u32(), words.next_u32());
                [a, b]
            });
            let normals: Vec<T> = pairs.take(n).map(|z| low + high * real(z)).collect();
            assert_eq!(got[n..2 * n], normals, "the same bits on every path");
            assert_eq!(got[2 * n..], vec![high; n]);
        }
    }

    both!(elements_are_the_words_of_the_stream, check);
}
