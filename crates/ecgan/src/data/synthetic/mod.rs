//! The built-in data set: drawn house-number digits, so that everything runs without a download.
//!
//! Image i of a part shows the digit i mod 10 and is a pure function of (seed, part, i): any budget, in any number of
//! threads, on any machine, has the same bits (only +, -, *, / and square roots, which are correctly rounded).
//! Each is a scene: a wall, a number of one to three digits in one of six faces seen at an angle, light, blur, noise.

mod canvas;
mod glyphs;
mod lettering;
mod scene;

use super::fit::{Raw, luma};
use super::{DataError, Format, Found, Listing, Part, Reader};
use kernels::philox::Philox;
use scene::Scene;
use std::sync::Arc;
use tensor::rng::Stream;

/// The format, for people.
pub(super) const FORMAT: &str = "built-in house-number digits";

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
    Ok(Found::new(FORMAT, super::digits(), Box::new(*options)))
}

impl Reader for SyntheticOptions {
    fn check(&self, part: Part) -> Result<(), DataError> {
        match part {
            Part::Train | Part::Test => Ok(()),
            Part::Val => Err(DataError::split("the built-in data set has no val part", "train or test")),
        }
    }

    fn open(&self, part: Part) -> Result<Arc<dyn Listing>, DataError> {
        let n = if part == Part::Train { self.train } else { self.test };
        let labels = (0..n).map(|i| digit(i) as i32).collect();
        Ok(Arc::new(Drawn { seed: self.seed, part, labels }))
    }
}

/// A part, drawn image by image.
struct Drawn {
    seed: u64,
    part: Part,
    labels: Vec<i32>,
}

impl Listing for Drawn {
    fn labels(&self) -> &[i32] {
        &self.labels
    }

    fn name(&self, index: usize) -> String {
        format!("{} image {index}", self.part.name())
    }

    /// At 32 pixels: nothing is stored, and a scene can be drawn at any size.
    fn stored(&self, index: usize) -> Result<Raw<'_>, DataError> {
        let format = Format { size: 32, channels: 3 };
        let mut pixels = vec![0; format.bytes()];
        self.decode(index, format, &mut pixels)?;
        Ok(Raw::new(pixels, format.size, format.size, format.channels))
    }

    fn decode(&self, index: usize, format: Format, out: &mut [u8]) -> Result<(), DataError> {
        draw(image_stream(self.seed, self.part, index), digit(index), format, out);
        Ok(())
    }
}

fn digit(i: usize) -> usize {
    i % 10
}

/// The random numbers of one image: 2^20 words of its part's stream.
fn image_stream(seed: u64, part: Part, i: usize) -> Philox {
    let number = if part == Part::Train { 0 } else { 1 };
    Stream::Synthetic.nth(seed, number).at((i as u64) << 20)
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
