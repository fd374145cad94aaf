//! u8 images to f32 in [-1, 1], augmented as in the paper, and flipped where that is asked for.
//!
//! ```text
//! x = v / 127.5 - 1                                              (mean 0.5, deviation 0.5 of v / 255)
//! paper: random crop after padding by 4, then a rotation by up to 10 degrees about the centre, both black outside
//! flip:  one image in two has left and right exchanged before that
//! ```
//! The rotation takes the nearest pixel, as torchvision's default does. Four numbers an image: two of 9 offsets, an
//! angle and a bit, from block `sample` of a stream, so an image's fate depends on the seed and the sample's number in the
//! run alone: not on the batch, the threads, the device, or where a run was resumed. Crop and rotation are the same with flips
//! and without.

use crate::philox::{Philox, to_unit};
use crate::view::{View, ViewMut};
use crate::{Device, Work};
use rayon::prelude::*;

/// Black pixels around the image before it is cropped to its size again.
const PADDING: usize = 4;

/// The largest rotation, in radians: 10 degrees.
const LARGEST_ANGLE: f32 = 10.0 * std::f32::consts::PI / 180.0;

/// What images look like: square, NHWC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pixels {
    /// Height and width.
    pub size: usize,
    /// Channels.
    pub channels: usize,
}

impl Pixels {
    /// Bytes of an image.
    pub fn bytes(self) -> usize {
        self.size * self.size * self.channels
    }

    fn work(self, n: usize) -> Work {
        Work::memory(format!("{n}x{0}x{0}x{1}", self.size, self.channels), 5 * n * self.bytes())
    }

    fn check(self, images: usize, indices: usize, out: usize) {
        assert!(self.bytes() > 0 && images.is_multiple_of(self.bytes()), "augment: images of {self:?}");
        assert_eq!(out, indices * self.bytes(), "augment: out is [n, size, size, channels]");
    }
}

/// out\[k\] = images\[indices\[k\]\], normalised: images `[.., size, size, channels]`, out `[n, size, size, channels]`.
/// On a GPU the indices are not read back to be checked.
pub fn normalise<'a>(
    device: &Device,
    pixels: Pixels,
    images: impl Into<View<'a, u8>>,
    indices: impl Into<View<'a, i32>>,
    out: impl Into<ViewMut<'a, f32>>,
) {
    let (images, indices, out) = (images.into(), indices.into(), out.into());
    let _span = device.span("augment.normalise", || pixels.work(indices.len()));
    pixels.check(images.len(), indices.len(), out.len());
    if let Some(cuda) = device.gpu() {
        return cuda::normalise(cuda, pixels, images.device(), indices.device(), out.device());
    }
    each(pixels, images, indices, out, |_, image, out| {
        out.iter_mut().zip(image).for_each(|(x, &v)| *x = normalised(v));
    });
}

/// The same cropped and rotated, and one in two flipped if `flip`: row k as sample `first` + k of the stream `random`, whose
/// position does not matter.
/// `first` is a `u64` in two words, the lower one first: on a GPU a recorded step reads it there.
pub fn crop_and_rotate<'a>(
    device: &Device,
    pixels: Pixels,
    flip: bool,
    random: &Philox,
    first: impl Into<View<'a, i32>>,
    images: impl Into<View<'a, u8>>,
    indices: impl Into<View<'a, i32>>,
    out: impl Into<ViewMut<'a, f32>>,
) {
    let (first, images, indices, out) = (first.into(), images.into(), indices.into(), out.into());
    let _span = device.span("augment.crop_and_rotate", || pixels.work(indices.len()));
    pixels.check(images.len(), indices.len(), out.len());
    assert_eq!(first.len(), 2, "augment: the first sample is two words");
    if let Some(cuda) = device.gpu() {
        let (first, images, indices) = (first.device(), images.device(), indices.device());
        return cuda::crop_and_rotate(cuda, pixels, flip, random, first, images, indices, out.device());
    }
    let first = sample(first.host());
    each(pixels, images, indices, out, |k, image, out| {
        Warp::draw(random.block(first + k as u64), flip).apply(image, pixels, out);
    });
}

/// The two words of a sample's number.
pub fn words(sample: u64) -> [i32; 2] {
    [sample as u32 as i32, (sample >> 32) as u32 as i32]
}

fn sample(words: &[i32]) -> u64 {
    u64::from(words[0] as u32) | u64::from(words[1] as u32) << 32
}

/// Calls `image(k, image, out)` for each row.
fn each(
    pixels: Pixels,
    images: View<u8>,
    indices: View<i32>,
    out: ViewMut<f32>,
    image: impl Fn(usize, &[u8], &mut [f32]) + Sync,
) {
    let (images, bytes) = (images.host(), pixels.bytes());
    out.host().par_chunks_mut(bytes).zip(indices.host()).enumerate().for_each(|(k, (out, &index))| {
        image(k, &images[index as usize * bytes..][..bytes], out);
    });
}

fn normalised(v: u8) -> f32 {
    f32::from(v) / 127.5 - 1.0
}

/// A flip, a crop and a rotation.
struct Warp {
    /// Whether left and right are exchanged.
    flipped: bool,
    /// Where the crop begins in the padded image, x and y in 0..=2 * PADDING.
    crop: [usize; 2],
    cos: f32,
    sin: f32,
}

impl Warp {
    fn draw([x, y, angle, side]: [u32; 4], flip: bool) -> Self {
        // The upper half of word * 9 is uniform over 0..9 to within 2^-29.
        let offset = |word: u32| ((u64::from(word) * (2 * PADDING as u64 + 1)) >> 32) as usize;
        let angle = LARGEST_ANGLE * (2.0 * to_unit(angle) - 1.0);
        // Taylor series, within 1e-8 for |angle| <= 0.175; the same bits on every machine.
        let square = angle * angle;
        let cos = 1.0 - square * (0.5 - square * (1.0 / 24.0 - square / 720.0));
        let sin = angle * (1.0 - square * (1.0 / 6.0 - square * (1.0 / 120.0)));
        Self { flipped: flip && side >> 31 == 1, crop: [offset(x), offset(y)], cos, sin }
    }

    fn apply(&self, image: &[u8], Pixels { size, channels }: Pixels, out: &mut [f32]) {
        let centre = size as f32 / 2.0;
        for (i, pixel) in out.chunks_exact_mut(channels).enumerate() {
            let (x, y) = ((i % size) as f32 + 0.5 - centre, (i / size) as f32 + 0.5 - centre);
            let u = self.cos * x - self.sin * y + centre;
            let v = self.sin * x + self.cos * y + centre;
            match self.source(u, v, size) {
                Some(at) => {
                    let source = &image[at * channels..(at + 1) * channels];
                    pixel.iter_mut().zip(source).for_each(|(x, &v)| *x = normalised(v));
                }
                None => pixel.fill(normalised(0)),
            }
        }
    }

    /// The pixel of the image under (u, v) of the crop; `None` outside of the crop or in its padding.
    fn source(&self, u: f32, v: f32, size: usize) -> Option<usize> {
        let inside = 0.0..size as f32;
        if !inside.contains(&u) || !inside.contains(&v) {
            return None;
        }
        let x = (u as usize + self.crop[0]).checked_sub(PADDING).filter(|&x| x < size)?;
        let y = (v as usize + self.crop[1]).checked_sub(PADDING).filter(|&y| y < size)?;
        Some(y * size + if self.flipped { size - 1 - x } else { x })
    }
}

/// The same on a GPU, with the same bits.
mod cuda {
    use super::{LARGEST_ANGLE, PADDING, Pixels};
    use crate::cuda::{BLOCK, Cuda, Grid, Kernel, by_value};
    use crate::philox::Philox;
    use crate::view::{DeviceSlice, DeviceSliceMut};

    const NORMALISE: Kernel = Kernel { module: "augment", name: "augment_normalise" };
    const CROP_AND_ROTATE: Kernel = Kernel { module: "augment", name: "augment_crop_and_rotate" };

    /// `Augment` of augment.cu.
    #[derive(Clone, Copy)]
    #[repr(C)]
    struct Geometry {
        size: i32,
        channels: i32,
        elements: i32,
        blocks: i32,
        padding: i32,
        flip: i32,
        largest_angle: f32,
    }
    by_value!(Geometry);

    /// And for each image blocks of its own, a thread for each four elements.
    fn geometry(pixels: Pixels, flip: bool, n: usize) -> (Geometry, Grid) {
        let quads = pixels.bytes().div_ceil(4);
        let threads = quads.next_multiple_of(32).min(BLOCK as usize);
        let blocks = quads.div_ceil(threads);
        let sizes = [pixels.size, pixels.channels, pixels.bytes(), blocks, PADDING];
        let [size, channels, elements, blocks_each, padding] =
            sizes.map(|size| i32::try_from(size).expect("an image below 2 GiB"));
        let (flip, largest_angle) = (i32::from(flip), LARGEST_ANGLE);
        let geometry = Geometry { size, channels, elements, blocks: blocks_each, padding, flip, largest_angle };
        (geometry, Grid::linear(n * blocks, threads as u32))
    }

    pub fn normalise(
        cuda: &Cuda,
        pixels: Pixels,
        images: DeviceSlice<u8>,
        indices: DeviceSlice<i32>,
        out: DeviceSliceMut<f32>,
    ) {
        let (geometry, grid) = geometry(pixels, false, indices.len());
        // SAFETY: the lengths were checked; the caller's indices are of images.
        unsafe { cuda.launch(NORMALISE, grid, &[&geometry, &images, &indices, &out]) }
    }

    pub fn crop_and_rotate(
        cuda: &Cuda,
        pixels: Pixels,
        flip: bool,
        random: &Philox,
        first: DeviceSlice<i32>,
        images: DeviceSlice<u8>,
        indices: DeviceSlice<i32>,
        out: DeviceSliceMut<f32>,
    ) {
        let (geometry, grid) = geometry(pixels, flip, indices.len());
        let (seed, stream) = (random.seed(), random.stream());
        // SAFETY: as above.
        unsafe { cuda.launch(CROP_AND_ROTATE, grid, &[&geometry, &seed, &stream, &first, &images, &indices, &out]) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two images of 8x8, a number a pixel and never black.
    fn images(channels: usize) -> Vec<u8> {
        (0..2 * 64 * channels).map(|i| (i / channels % 64 * 3 + 10 + i / (64 * channels)) as u8).collect()
    }

    fn pixels(channels: usize) -> Pixels {
        Pixels { size: 8, channels }
    }

    fn augmented(channels: usize, indices: &[i32], seed: u64, first: u64) -> Vec<f32> {
        let mut out = vec![f32::NAN; indices.len() * 64 * channels];
        let (images, random) = (images(channels), Philox::new(seed, 4));
        crop_and_rotate(&Device::cpu(), pixels(channels), false, &random, &words(first), &images, indices, &mut out);
        out
    }

    #[test]
    fn without_augmentation_only_the_range_changes() {
        let mut images = images(3);
        images[..3].copy_from_slice(&[0, 255, 51]);
        let mut out = vec![f32::NAN; 192 * 3];
        normalise(&Device::cpu(), pixels(3), &images, &[1, 0, 1], &mut out);
        assert_eq!(out[192..195], [-1.0, 1.0, -0.6]);
        for (k, i) in [1, 0, 1].into_iter().enumerate() {
            let image = &images[i * 192..(i + 1) * 192];
            assert!(out[k * 192..(k + 1) * 192].iter().zip(image).all(|(x, &v)| *x == normalised(v)));
        }
    }

    #[test]
    fn a_sample_depends_on_seed_and_number_only() {
        let far = 5u64 << 32;
        for first in [100, far - 1] {
            let whole = augmented(3, &[0, 1, 1, 0, 1], 7, first);
            assert_eq!(augmented(3, &[1, 0], 7, first + 2), whole[2 * 192..4 * 192], "another batch");
            assert_ne!(augmented(3, &[1], 7, first + 3), whole[2 * 192..3 * 192]);
            assert_ne!(augmented(3, &[1], 8, first + 2), whole[2 * 192..3 * 192]);
            for threads in [1, 3] {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
                assert_eq!(pool.install(|| augmented(3, &[0, 1, 1, 0, 1], 7, first)), whole, "{threads} threads");
            }
            // The channels of a pixel move together.
            let grey = augmented(1, &[0, 1, 1, 0, 1], 7, first);
            assert!(whole.iter().enumerate().all(|(i, x)| *x == grey[i / 3]));
        }
    }

    #[test]
    fn a_crop_moves_and_fills_with_black() {
        let image = &images(1)[..64];
        let mut out = vec![f32::NAN; 64];
        for (cx, cy) in [(0, 0), (4, 4), (8, 5), (3, 7)] {
            Warp { flipped: false, crop: [cx, cy], cos: 1.0, sin: 0.0 }.apply(image, pixels(1), &mut out);
            for (i, x) in out.iter().enumerate() {
                let (sx, sy) = (i % 8 + cx, i / 8 + cy);
                let inside = (4..12).contains(&sx) && (4..12).contains(&sy);
                let want = if inside { normalised(image[(sy - 4) * 8 + sx - 4]) } else { -1.0 };
                assert_eq!(*x, want, "crop {cx},{cy} pixel {i}");
            }
        }
    }

    #[test]
    fn a_quarter_turn_is_a_transposition() {
        let image = &images(1)[..64];
        let mut out = vec![f32::NAN; 64];
        Warp { flipped: false, crop: [4, 4], cos: 0.0, sin: 1.0 }.apply(image, pixels(1), &mut out);
        for (i, x) in out.iter().enumerate() {
            let (column, row) = (i % 8, i / 8);
            assert_eq!(*x, normalised(image[column * 8 + 7 - row]), "pixel {i}");
        }
    }

    #[test]
    fn offsets_and_angles_have_their_ranges() {
        let random = Philox::new(5, 4);
        let mut seen = [[0; 9]; 2];
        let (mut least, mut most, mut flipped) = (0.0f32, 0.0f32, 0);
        for sample in 0..9000 {
            let warp = Warp::draw(random.block(sample), true);
            flipped += usize::from(warp.flipped);
            (0..2).for_each(|axis| seen[axis][warp.crop[axis]] += 1);
            let angle = warp.sin.atan2(warp.cos).to_degrees();
            assert!((warp.sin * warp.sin + warp.cos * warp.cos - 1.0).abs() < 1e-6 && angle.abs() < 10.001);
            (least, most) = (least.min(angle), most.max(angle));
        }
        assert!(seen.as_flattened().iter().all(|n| (850..1150).contains(n)), "{seen:?}");
        assert!(least < -9.9 && most > 9.9, "{least} to {most}");
        assert!((4350..4650).contains(&flipped), "{flipped} of 9000");
    }

    #[test]
    fn a_flip_exchanges_left_and_right_and_leaves_the_crop_and_the_rotation() {
        let image = &images(3)[..192];
        let exchanged: Vec<u8> =
            image.chunks_exact(24).flat_map(|row| row.chunks_exact(3).rev()).flatten().copied().collect();
        let of = |image: &[u8], flip| {
            let mut out = vec![f32::NAN; 32 * 192];
            let random = Philox::new(3, 4);
            crop_and_rotate(&Device::cpu(), pixels(3), flip, &random, &words(0), image, &[0; 32], &mut out);
            out
        };
        let (flips, as_it_is, other) = (of(image, true), of(image, false), of(&exchanged, false));
        let mut flipped = 0;
        for (k, x) in flips.chunks_exact(192).enumerate() {
            let [as_it_is, other] = [&as_it_is, &other].map(|all| &all[k * 192..][..192]);
            assert!(x == as_it_is || x == other, "sample {k}");
            flipped += usize::from(x == other);
        }
        assert!((8..=24).contains(&flipped), "{flipped} of 32");
    }
}
