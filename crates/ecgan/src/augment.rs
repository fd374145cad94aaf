//! Batches for the networks: u8 images to f32 in [-1, 1], augmented as in the paper.
//!
//! ```text
//! x = v / 127.5 - 1                                              (mean 0.5, deviation 0.5 of v / 255)
//! paper: random crop after padding by 4, then a rotation by up to 10 degrees about the centre, both black outside
//! ```
//! The rotation takes the nearest pixel, as torchvision's default does. Three numbers an image: two of 9 offsets and an
//! angle, from block `sample` of the augmentation stream, so an image's fate depends on the seed and the sample's
//! number in the run alone: not on the batch, the threads, or where a run was resumed.

use crate::data::Images;
use crate::settings::Augment;
use kernels::philox::to_unit;
use kernels::view::ViewMut;
use rayon::prelude::*;
use tensor::Tensor;
use tensor::rng::Stream;

/// Black pixels around the image before it is cropped to its size again.
const PADDING: usize = 4;
/// The largest rotation, in radians: 10 degrees.
const LARGEST_ANGLE: f32 = 10.0 * std::f32::consts::PI / 180.0;

/// Fills `out`, `[indices.len(), size, size, channels]`, with the images at `indices`, normalised to [-1, 1].
/// The image at `indices[k]` is augmented as sample `first_sample + k` of the run with this `seed`.
///
/// # Panics
/// If `out` has another length, or an index is out of range.
pub fn batch(images: &Images, indices: &[usize], augment: Augment, seed: u64, first_sample: u64, x: &mut Tensor) {
    if let ViewMut::Host(out) = x.view_mut() {
        return fill(images, indices, augment, seed, first_sample, out);
    }
    let mut out = vec![0.0; x.numel()];
    fill(images, indices, augment, seed, first_sample, &mut out);
    x.write(&out);
}

fn fill(images: &Images, indices: &[usize], augment: Augment, seed: u64, first_sample: u64, out: &mut [f32]) {
    let bytes = images.size * images.size * images.channels;
    assert_eq!(out.len(), indices.len() * bytes, "augment::batch: output against [n, size, size, channels]");
    let random = Stream::Augmentation.start(seed);
    out.par_chunks_mut(bytes).zip(indices).enumerate().for_each(|(k, (out, &index))| {
        let image = images.image(index);
        match augment {
            Augment::None => out.iter_mut().zip(image).for_each(|(x, &v)| *x = normalised(v)),
            Augment::Paper => {
                Warp::draw(random.block(first_sample + k as u64)).apply(image, images.size, images.channels, out);
            }
        }
    });
}

fn normalised(v: u8) -> f32 {
    f32::from(v) / 127.5 - 1.0
}

/// A crop and a rotation.
struct Warp {
    /// Where the crop begins in the padded image, x and y in 0..=2 * PADDING.
    crop: [usize; 2],
    cos: f32,
    sin: f32,
}

impl Warp {
    fn draw([x, y, angle, _]: [u32; 4]) -> Self {
        // The upper half of word * 9 is uniform over 0..9 to within 2^-29.
        let offset = |word: u32| ((u64::from(word) * (2 * PADDING as u64 + 1)) >> 32) as usize;
        let angle = LARGEST_ANGLE * (2.0 * to_unit(angle) - 1.0);
        // Taylor series, within 1e-8 for |angle| <= 0.175; the same bits on every machine.
        let square = angle * angle;
        let cos = 1.0 - square * (0.5 - square * (1.0 / 24.0 - square / 720.0));
        let sin = angle * (1.0 - square * (1.0 / 6.0 - square * (1.0 / 120.0)));
        Self { crop: [offset(x), offset(y)], cos, sin }
    }

    fn apply(&self, image: &[u8], size: usize, channels: usize, out: &mut [f32]) {
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
        Some(y * size + x)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two images of 8x8, a number a pixel and never black.
    fn images(channels: usize) -> Images {
        let pixels = (0..2 * 64 * channels).map(|i| (i / channels % 64 * 3 + 10 + i / (64 * channels)) as u8).collect();
        Images { pixels, labels: vec![0, 1], size: 8, channels }
    }

    fn augmented(images: &Images, indices: &[usize], seed: u64, first: u64) -> Vec<f32> {
        let mut out = vec![f32::NAN; indices.len() * 64 * images.channels];
        fill(images, indices, Augment::Paper, seed, first, &mut out);
        out
    }

    #[test]
    fn without_augmentation_only_the_range_changes() {
        let mut images = images(3);
        images.pixels[..3].copy_from_slice(&[0, 255, 51]);
        let mut out = vec![f32::NAN; 192 * 3];
        fill(&images, &[1, 0, 1], Augment::None, 1, 2, &mut out);
        assert_eq!(out[192..195], [-1.0, 1.0, -0.6]);
        for (k, i) in [1, 0, 1].into_iter().enumerate() {
            assert!(out[k * 192..(k + 1) * 192].iter().zip(images.image(i)).all(|(x, &v)| *x == normalised(v)));
        }
    }

    #[test]
    fn a_sample_depends_on_seed_and_number_only() {
        let images = images(3);
        let whole = augmented(&images, &[0, 1, 1, 0, 1], 7, 100);
        assert_eq!(augmented(&images, &[1, 0], 7, 102), whole[2 * 192..4 * 192], "another batch");
        assert_ne!(augmented(&images, &[1], 7, 103), whole[2 * 192..3 * 192]);
        assert_ne!(augmented(&images, &[1], 8, 102), whole[2 * 192..3 * 192]);
        for threads in [1, 3] {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            assert_eq!(pool.install(|| augmented(&images, &[0, 1, 1, 0, 1], 7, 100)), whole, "{threads} threads");
        }
        // The channels of a pixel move together.
        let grey = augmented(&self::images(1), &[0, 1, 1, 0, 1], 7, 100);
        assert!(whole.iter().enumerate().all(|(i, x)| *x == grey[i / 3]));
    }

    #[test]
    fn a_crop_moves_and_fills_with_black() {
        let images = images(1);
        let mut out = vec![f32::NAN; 64];
        for (cx, cy) in [(0, 0), (4, 4), (8, 5), (3, 7)] {
            Warp { crop: [cx, cy], cos: 1.0, sin: 0.0 }.apply(images.image(0), 8, 1, &mut out);
            for (i, x) in out.iter().enumerate() {
                let (sx, sy) = (i % 8 + cx, i / 8 + cy);
                let inside = (4..12).contains(&sx) && (4..12).contains(&sy);
                let want = if inside { normalised(images.image(0)[(sy - 4) * 8 + sx - 4]) } else { -1.0 };
                assert_eq!(*x, want, "crop {cx},{cy} pixel {i}");
            }
        }
    }

    #[test]
    fn a_quarter_turn_is_a_transposition() {
        let images = images(1);
        let mut out = vec![f32::NAN; 64];
        Warp { crop: [4, 4], cos: 0.0, sin: 1.0 }.apply(images.image(0), 8, 1, &mut out);
        for (i, x) in out.iter().enumerate() {
            let (column, row) = (i % 8, i / 8);
            assert_eq!(*x, normalised(images.image(0)[column * 8 + 7 - row]), "pixel {i}");
        }
    }

    #[test]
    fn offsets_and_angles_have_their_ranges() {
        let random = Stream::Augmentation.start(5);
        let mut seen = [[0; 9]; 2];
        let (mut least, mut most) = (0.0f32, 0.0f32);
        for sample in 0..9000 {
            let warp = Warp::draw(random.block(sample));
            (0..2).for_each(|axis| seen[axis][warp.crop[axis]] += 1);
            let angle = warp.sin.atan2(warp.cos).to_degrees();
            assert!((warp.sin * warp.sin + warp.cos * warp.cos - 1.0).abs() < 1e-6 && angle.abs() < 10.001);
            (least, most) = (least.min(angle), most.max(angle));
        }
        assert!(seen.as_flattened().iter().all(|n| (850..1150).contains(n)), "{seen:?}");
        assert!(least < -9.9 && most > 9.9, "{least} to {most}");
    }
}
