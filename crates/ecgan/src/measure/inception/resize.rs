//! The input: images of any side as 299x299 in [-1, 1].

use rayon::prelude::*;

/// Side of the network's images in pixels.
pub const SIDE: usize = 299;

/// Where an output pixel lies between two of the input: the first, the second, and the weight of the second.
type Between = (usize, usize, f32);

/// Images `[n,size,size,channels]` in 0..=255 resized by bilinear interpolation, pixels being areas (corners are not aligned), and
/// scaled: `[n,299,299,3]`. Grey becomes three equal channels.
pub fn resized(bytes: &[u8], size: usize, channels: usize) -> Vec<f32> {
    let between: Vec<Between> = (0..SIDE).map(|to| between(to, size)).collect();
    let n = bytes.len() / (size * size * channels);
    let mut out = vec![0.0; n * SIDE * SIDE * 3];
    out.par_chunks_exact_mut(SIDE * 3).enumerate().for_each(|(row, out)| {
        let (image, (top, bottom, down)) = (row / SIDE, between[row % SIDE]);
        for (out, &(left, right, across)) in out.chunks_exact_mut(3).zip(&between) {
            for (channel, out) in out.iter_mut().enumerate() {
                let of = |y: usize, x: usize| {
                    f32::from(bytes[((image * size + y) * size + x) * channels + channel % channels])
                };
                let along = |y: usize| of(y, left) * (1.0 - across) + of(y, right) * across;
                *out = (along(top) * (1.0 - down) + along(bottom) * down) / 127.5 - 1.0;
            }
        }
    });
    out
}

/// The centre of pixel `to` of 299 lies at (to + 1/2) size / 299 - 1/2 of the input; beyond its first and last centre nothing changes.
fn between(to: usize, size: usize) -> Between {
    let at = ((to as f64 + 0.5) * size as f64 / SIDE as f64 - 0.5).max(0.0);
    let first = (at as usize).min(size - 1);
    (first, (first + 1).min(size - 1), (at - first as f64) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pixels_are_areas() {
        let y = resized(&[0, 255, 0, 255], 2, 1);
        assert_eq!(y.len(), SIDE * SIDE * 3);
        assert_eq!((y[0], y[3 * (SIDE - 1)]), (-1.0, 1.0), "nothing changes beyond the first centre and the last");
        assert_eq!(y[3 * 149..3 * 150], [0.0; 3], "half-way, in all three channels");
        // A quarter of the way from the first centre at 299/4 to the second at 3/4 of 299.
        let expected = 2.0 * ((112.5 * 2.0 / 299.0) - 0.5) - 1.0;
        assert!((y[3 * 112 + 1] - expected as f32).abs() < 1e-6, "{} {expected}", y[3 * 112 + 1]);
        let colour = resized(&[0, 51, 255, 0, 51, 255, 0, 51, 255, 0, 51, 255], 2, 3);
        let near = |pixel: &[f32]| pixel.iter().zip([-1.0, -0.6, 1.0]).all(|(v, expected)| (v - expected).abs() < 1e-6);
        let all = colour.chunks_exact(3).all(near);
        assert!(all, "one colour stays that colour");
    }
}
