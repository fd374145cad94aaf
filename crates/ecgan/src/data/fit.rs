//! Any image to the run's size and channels.
//!
//! Resizing is separable with the antialiased triangle filter: output x samples the input around
//! c = (x + 1/2) s with weights max(0, 1 - |u + 1/2 - c| / max(s, 1)), normalised, s = input / output size: bilinear
//! when enlarging, an average over 2 s pixels when reducing. Sums are f32 and rounded once, at the end. (Pillow's
//! BILINEAR is the same filter with a rounding to 8 bits between the two passes.)

use super::Format;
use std::borrow::Cow;

/// An image of any size, 1 or 3 channels, row-major.
pub(crate) struct Raw<'a> {
    pub pixels: Cow<'a, [u8]>,
    pub width: usize,
    pub height: usize,
    pub channels: usize,
    /// Whether it was transparent somewhere as it was stored.
    pub transparent: bool,
}

impl<'a> Raw<'a> {
    /// An image that nothing shines through.
    pub fn new(pixels: impl Into<Cow<'a, [u8]>>, width: usize, height: usize, channels: usize) -> Self {
        Self { pixels: pixels.into(), width, height, channels, transparent: false }
    }
}

/// Writes `image` into `out` (`[size, size, channels]`): RGB becomes grey by Rec. 601 luma before resizing, grey
/// becomes RGB by repetition after it.
pub(super) fn fit(image: &Raw, format: Format, out: &mut [u8]) {
    assert_eq!(image.pixels.len(), image.width * image.height * image.channels, "fit: pixels against shape");
    assert_eq!(out.len(), format.bytes(), "fit: output against format");
    match (image.channels, format.channels) {
        (3, 1) => {
            let grey: Vec<u8> = image.pixels.chunks_exact(3).map(|p| luma([p[0], p[1], p[2]])).collect();
            resize(&Raw { pixels: grey.into(), channels: 1, ..*image }, format.size, out);
        }
        (1, 3) => {
            let mut grey = vec![0; format.size * format.size];
            resize(image, format.size, &mut grey);
            for (rgb, &v) in out.chunks_exact_mut(3).zip(&grey) {
                rgb.fill(v);
            }
        }
        _ => resize(image, format.size, out),
    }
}

/// Rec. 601 luma, 0.299 R + 0.587 G + 0.114 B, in 16-bit fixed point, rounded.
pub(super) fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471 + 0x8000) >> 16) as u8
}

/// The inputs of one output position along an axis.
struct Taps {
    first: usize,
    weights: Vec<f32>,
}

fn taps(input: usize, output: usize) -> Vec<Taps> {
    let scale = input as f64 / output as f64;
    let support = scale.max(1.0);
    let tap = |x: usize| {
        let centre = (x as f64 + 0.5) * scale;
        let first = (centre - support + 0.5).floor().max(0.0) as usize;
        let end = ((centre + support + 0.5).floor() as usize).min(input);
        let weight = |u: usize| (1.0 - ((u as f64 + 0.5 - centre) / support).abs()).max(0.0);
        let total: f64 = (first..end).map(weight).sum();
        Taps { first, weights: (first..end).map(|u| (weight(u) / total) as f32).collect() }
    };
    (0..output).map(tap).collect()
}

/// Resizes to `size` x `size`, channels unchanged.
fn resize(image: &Raw, size: usize, out: &mut [u8]) {
    if (image.width, image.height) == (size, size) {
        out.copy_from_slice(&image.pixels);
        return;
    }
    let channels = image.channels;
    let row = size * channels;
    let across = taps(image.width, size);
    let mut narrow = vec![0.0f32; image.height * row]; // [height, size, channels]
    for (y, line) in image.pixels.chunks_exact(image.width * channels).enumerate() {
        for (tap, pixel) in across.iter().zip(narrow[y * row..].chunks_exact_mut(channels)) {
            for (&w, source) in tap.weights.iter().zip(line[tap.first * channels..].chunks_exact(channels)) {
                for (sum, &v) in pixel.iter_mut().zip(source) {
                    *sum += w * f32::from(v);
                }
            }
        }
    }
    let mut sums = vec![0.0f32; row];
    for (tap, line) in taps(image.height, size).iter().zip(out.chunks_exact_mut(row)) {
        sums.fill(0.0);
        for (&w, source) in tap.weights.iter().zip(narrow[tap.first * row..].chunks_exact(row)) {
            for (sum, &v) in sums.iter_mut().zip(source) {
                *sum += w * v;
            }
        }
        for (byte, &sum) in line.iter_mut().zip(&sums) {
            *byte = (sum + 0.5) as u8; // saturates
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fitted(image: &Raw, size: usize, channels: usize) -> Vec<u8> {
        let mut out = vec![7; size * size * channels];
        fit(image, Format { size, channels }, &mut out);
        out
    }

    #[test]
    fn luma_is_rec_601() {
        assert_eq!([[255, 0, 0], [0, 255, 0], [0, 0, 255], [255; 3], [0; 3]].map(luma), [76, 150, 29, 255, 0]);
    }

    #[test]
    fn the_same_size_is_copied_and_channels_convert() {
        let rgb = [255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9];
        let image = Raw::new(&rgb[..], 2, 2, 3);
        assert_eq!(fitted(&image, 2, 3), rgb);
        assert_eq!(fitted(&image, 2, 1), [76, 150, 29, 9]);
        let grey = Raw::new(&[1, 2, 3, 4][..], 2, 2, 1);
        assert_eq!(fitted(&grey, 2, 3), [1, 1, 1, 2, 2, 2, 3, 3, 3, 4, 4, 4]);
    }

    /// Enlarging 2 -> 4 is bilinear at a quarter and three quarters, clamped at the borders.
    #[test]
    fn enlarging_is_bilinear() {
        let image = Raw::new(&[0, 100, 0, 100][..], 2, 2, 1);
        assert_eq!(fitted(&image, 4, 1), [0, 25, 75, 100].repeat(4));
        let image = Raw::new(&[0, 0, 100, 100][..], 2, 2, 1);
        assert_eq!(fitted(&image, 4, 1)[..12], [0, 0, 0, 0, 25, 25, 25, 25, 75, 75, 75, 75]);
    }

    /// Reducing 4 -> 2: weights 3/8, 3/8, 1/8 and (outside) 1/8, so (3, 3, 1) / 7 at the border.
    #[test]
    fn reducing_averages() {
        let pixels: Vec<u8> = [0, 70, 140, 210].repeat(4);
        let image = Raw::new(pixels, 4, 4, 1);
        assert_eq!(fitted(&image, 2, 1), [50, 160, 50, 160]);
    }

    #[test]
    fn any_aspect_and_a_constant_stays_constant() {
        for (width, height) in [(1, 1), (1, 500), (500, 1), (33, 31), (31, 97)] {
            let pixels = vec![201; width * height * 3];
            let image = Raw::new(pixels, width, height, 3);
            assert!(fitted(&image, 32, 3).iter().all(|&v| v == 201), "{width}x{height}");
        }
    }
}
