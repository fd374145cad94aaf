//! The built-in data set: drawn house-number digits, so that everything runs without a download.
//!
//! Image i of a part shows the digit i mod 10 and is a pure function of (seed, part, i): any budget, in any number of
//! threads, on any machine, has the same bits (only +, -, *, / and square roots, which are correctly rounded).
//! Each is a scene: a wall, a number of one to three digits in one of six faces seen at an angle, light, blur, noise.

mod canvas;
mod glyphs;
mod lettering;
mod scene;

use super::fit::luma;
use super::{DataError, Format, Found, Images, Part, Reader};
use kernels::philox::Philox;
use rayon::prelude::*;
use scene::Scene;
use tensor::rng::Stream;

/// Which drawn images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyntheticOptions {
    /// Another seed, other images.
    pub seed: u64,
    /// Training images.
    pub train: usize,
    /// Test images.
    pub test: usize,
}

pub(super) fn found(options: &SyntheticOptions) -> Result<Found, DataError> {
    for (part, n) in [(Part::Train, options.train), (Part::Test, options.test)] {
        if !(10..=1_000_000).contains(&n) {
            let wrong = format!("{n} synthetic {} images", part.name());
            return Err(DataError::split(wrong, "10 (one of each digit) to 1,000,000"));
        }
    }
    let classes = (0..10).map(|digit| digit.to_string()).collect();
    Ok(Found { classes, warnings: Vec::new(), reader: Box::new(*options) })
}

impl Reader for SyntheticOptions {
    fn read(&self, part: Part, format: Format) -> Result<Images, DataError> {
        let n = match part {
            Part::Train => self.train,
            Part::Test => self.test,
        };
        let mut pixels = vec![0; n * format.bytes()];
        let digit = |i: usize| i % 10;
        pixels.par_chunks_mut(format.bytes()).enumerate().for_each(|(i, out)| {
            draw(image_stream(self.seed, part, i), digit(i), format, out);
        });
        let labels = (0..n).map(|i| digit(i) as i32).collect();
        Ok(Images { pixels, labels, size: format.size, channels: format.channels })
    }
}

/// The random numbers of one image: 2^20 words of its part's stream.
fn image_stream(seed: u64, part: Part, i: usize) -> Philox {
    Stream::Synthetic.nth(seed, part as u32).at((i as u64) << 20)
}

fn chance(random: &mut Philox, probability: f32) -> bool {
    random.uniform() < probability
}

fn draw(mut random: Philox, digit: usize, format: Format, out: &mut [u8]) {
    let canvas = Scene::draw(&mut random, digit).render(&mut random, format.size);
    for (i, pixel) in out.chunks_exact_mut(format.channels).enumerate() {
        let rgb = canvas.rgb(i);
        match pixel {
            [grey] => *grey = luma(rgb),
            _ => pixel.copy_from_slice(&rgb),
        }
    }
}

#[cfg(test)]
mod tests;
