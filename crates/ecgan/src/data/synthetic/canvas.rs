//! A picture in floats: fills, strokes by distance, blur, noise.

use super::glyphs::Segment;
use kernels::philox::Philox;

/// Grey levels 0..255 of red, green and blue.
pub type Colour = [f32; 3];

/// Three planes `[size, size]`.
pub struct Canvas {
    size: usize,
    planes: [Vec<f32>; 3],
}

impl Canvas {
    /// A picture of one colour.
    pub fn new(size: usize, colour: Colour) -> Self {
        Self { size, planes: colour.map(|value| vec![value; size * size]) }
    }

    /// Pixel `i` rounded to bytes.
    pub fn rgb(&self, i: usize) -> [u8; 3] {
        [0, 1, 2].map(|c| (self.planes[c][i] + 0.5) as u8) // saturates
    }

    /// Adds `light(x, y)` to all channels; x and y are pixel centres in 0..1.
    pub fn light(&mut self, light: impl Fn(f32, f32) -> f32) {
        let step = 1.0 / self.size as f32;
        for i in 0..self.size * self.size {
            let (x, y) = ((i % self.size) as f32 + 0.5, (i / self.size) as f32 + 0.5);
            let value = light(x * step, y * step);
            self.planes.iter_mut().for_each(|plane| plane[i] += value);
        }
    }

    /// Paints with the opacity that `mask` has times `opacity`.
    pub fn paint(&mut self, mask: &Mask, colour: Colour, opacity: f32) {
        for (plane, value) in self.planes.iter_mut().zip(colour) {
            for (pixel, &covered) in plane.iter_mut().zip(&mask.covered) {
                *pixel += (value - *pixel) * covered * opacity;
            }
        }
    }

    /// Blurs by about a Gaussian of this `variance` in pixels^2: repeated [a, 1 - 2a, a] with a <= 1/4, whose variance
    /// is 2a each; borders are repeated.
    pub fn blur(&mut self, variance: f32) {
        let passes = (variance * 2.0).ceil();
        let a = variance / (2.0 * passes.max(1.0));
        let mut row = vec![0.0; self.size];
        for plane in &mut self.planes {
            for _ in 0..passes as usize {
                for line in plane.chunks_exact_mut(self.size) {
                    row.copy_from_slice(line);
                    smooth(line, [&row[..1], &row[..self.size - 1]], &row, [&row[1..], &row[self.size - 1..]], a);
                }
                let mut above = plane[..self.size].to_vec();
                for y in 0..self.size {
                    let (upper, lower) = plane.split_at_mut((y + 1) * self.size);
                    let line = &mut upper[y * self.size..];
                    row.copy_from_slice(line);
                    let below = if lower.is_empty() { &row } else { &lower[..self.size] };
                    smooth(line, [&above, &[]], &row, [below, &[]], a);
                    above.copy_from_slice(&row);
                }
            }
        }
    }

    /// Adds noise of this standard deviation, equal in the three channels: sums of four random bytes, near a normal.
    pub fn noise(&mut self, random: &mut Philox, deviation: f32) {
        // The sum of four uniform bytes has mean 510 and variance 4 (256^2 - 1) / 12.
        let scale = deviation / 147.800_88;
        let first = random.take_blocks((self.size * self.size / 4) as u64);
        for block in 0..self.size * self.size / 4 {
            for (k, word) in random.block(first + block as u64).into_iter().enumerate() {
                let sum: u32 = word.to_le_bytes().into_iter().map(u32::from).sum();
                let value = (sum as f32 - 510.0) * scale;
                self.planes.iter_mut().for_each(|plane| plane[block * 4 + k] += value);
            }
        }
    }
}

/// line = a before + (1 - 2a) here + a after, where before and after each come in two consecutive parts.
fn smooth(line: &mut [f32], before: [&[f32]; 2], here: &[f32], after: [&[f32]; 2], a: f32) {
    let before = before[0].iter().chain(before[1]);
    let after = after[0].iter().chain(after[1]);
    for (((out, b), h), c) in line.iter_mut().zip(before).zip(here).zip(after) {
        *out = h + a * (b - h + (c - h));
    }
}

/// How far each pixel is covered, 0..1.
pub struct Mask {
    covered: Vec<f32>,
}

impl Mask {
    /// What a round pen covers along `segments` (in pixels). The pen's half width is `pen`, times `flat` for the
    /// vertical direction. A pixel's coverage is 1/2 + (pen - distance), within 0..1.
    pub fn strokes(size: usize, segments: &[Segment], pen: f32, flat: f32) -> Self {
        // Heights are divided by `flat`, which makes the elliptic pen a round one.
        let squash = 1.0 / flat;
        let reach = pen + 1.0;
        let mut squared = vec![reach * reach; size * size];
        for &[x0, y0, x1, y1] in segments {
            let (y0, y1) = (y0 * squash, y1 * squash);
            let pixels = |low: f32, high: f32, scale: f32| {
                let first = ((low - reach) * scale).max(0.0) as usize;
                first..(((high + reach) * scale + 1.0).max(0.0) as usize).min(size)
            };
            let columns = pixels(x0.min(x1), x0.max(x1), 1.0);
            let (dx, dy) = (x1 - x0, y1 - y0);
            let inverse = 1.0 / (dx * dx + dy * dy).max(1e-12);
            for y in pixels(y0.min(y1), y0.max(y1), flat) {
                let py = (y as f32 + 0.5) * squash - y0;
                let first = columns.start.min(columns.end);
                for (k, best) in squared[y * size + first..y * size + columns.end].iter_mut().enumerate() {
                    let px = (first + k) as f32 + 0.5 - x0;
                    let t = ((px * dx + py * dy) * inverse).clamp(0.0, 1.0);
                    let (ex, ey) = (px - t * dx, py - t * dy);
                    *best = best.min(ex * ex + ey * ey);
                }
            }
        }
        let covered = squared.iter().map(|d| (0.5 + pen - d.sqrt()).clamp(0.0, 1.0)).collect();
        Self { covered }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stroke_covers_its_area() {
        for (pen, flat) in [(2.0, 1.0), (3.0, 0.5)] {
            let mask = Mask::strokes(32, &[[8.0, 16.0, 24.0, 16.0]], pen, flat);
            // A rectangle and the two half ellipses of a pen 2 pen wide and 2 pen flat high.
            let area = (16.0 * 2.0 + std::f32::consts::PI * pen) * pen * flat;
            let sum: f32 = mask.covered.iter().sum();
            assert!((sum - area).abs() < 0.06 * area, "pen {pen}, flat {flat}: {sum} against {area}");
        }
        assert!(Mask::strokes(32, &[[-99.0, -99.0, -80.0, 200.0]], 2.0, 1.0).covered.iter().all(|&c| c == 0.0));
    }

    #[test]
    fn blur_keeps_the_sum_and_has_its_variance() {
        let mut canvas = Canvas::new(33, [0.0; 3]);
        canvas.planes[1][16 * 33 + 16] = 100.0;
        canvas.blur(1.7);
        let moment = |f: fn(f32, f32) -> f32| -> f32 {
            (0..33 * 33).map(|i| canvas.planes[1][i] * f((i % 33) as f32 - 16.0, (i / 33) as f32 - 16.0)).sum()
        };
        for (name, value, want) in [
            ("sum", moment(|_, _| 1.0), 100.0),
            ("mean x", moment(|x, _| x), 0.0),
            ("mean y", moment(|_, y| y), 0.0),
            ("variance x", moment(|x, _| x * x), 170.0),
            ("variance y", moment(|_, y| y * y), 170.0),
        ] {
            assert!((value - want).abs() < 0.01, "{name}: {value} against {want}");
        }
        let mut flat = Canvas::new(16, [10.0, 20.0, 30.0]);
        flat.blur(3.0);
        assert!((0..256).all(|i| flat.rgb(i) == [10, 20, 30]));
    }

    #[test]
    fn noise_has_its_deviation() {
        let mut canvas = Canvas::new(64, [100.0; 3]);
        canvas.noise(&mut Philox::new(1, 2), 9.0);
        let n = 4096.0;
        let mean = canvas.planes[2].iter().sum::<f32>() / n;
        let deviation = (canvas.planes[2].iter().map(|v| (v - mean).powi(2)).sum::<f32>() / n).sqrt();
        assert!((mean - 100.0).abs() < 0.6 && (deviation - 9.0).abs() < 0.5, "{mean} +- {deviation}");
    }
}
