//! Which augmentation a batch gets; the arithmetic is [`kernels::augment`].

use crate::data::{DataError, Images};
use crate::settings::Augment;
use kernels::augment::{Pixels, crop_and_rotate, normalise, words};
use kernels::view::View;
use tensor::rng::Stream;
use tensor::{Device, Tensor};

/// The indices of a batch, the number in the run of its first sample, and its labels, where they will be read.
///
/// They lie in one buffer, so that one copy brings them to a GPU.
pub struct Staged {
    words: Tensor<i32>,
    n: usize,
}

impl Staged {
    /// Room for batches of `n` images.
    pub fn new(device: &Device, n: usize) -> Self {
        Self { words: Tensor::uninit(device, [2 * n + 2]), n }
    }

    /// Takes the next batch: the images at `indices`, augmented as samples `first_sample` on.
    pub fn write(&mut self, indices: impl Iterator<Item = usize>, labels: &[i32], first_sample: u64) {
        let index = |index| i32::try_from(index).expect("fewer than 2^31 images");
        let words: Vec<i32> = indices.map(index).chain(labels.iter().copied()).chain(words(first_sample)).collect();
        self.words.write(&words);
    }

    /// The labels, `[n]`.
    pub fn labels(&self) -> Tensor<i32> {
        self.words.part(self.n, [self.n])
    }

    /// The images, normalised to [-1, 1] and augmented, `[n, size, size, channels]`; `all` are those of which `pixels`
    /// are the geometry.
    pub fn images(&self, pixels: Pixels, all: View<u8>, augment: Augment, seed: u64) -> Tensor {
        let (device, n) = (self.words.device(), self.n);
        let mut x = Tensor::uninit(device, [n, pixels.size, pixels.size, pixels.channels]);
        let words = self.words.view();
        let (indices, first) = (words.slice(..n), words.slice(2 * n..));
        match augment {
            Augment::None => normalise(device, pixels, all, indices, &mut x),
            Augment::Paper | Augment::Flip => {
                let (flip, random) = (augment == Augment::Flip, Stream::Augmentation.start(seed));
                crop_and_rotate(device, pixels, flip, &random, first, all, indices, &mut x);
            }
        }
        x
    }
}

/// The images at `indices` as they are, normalised to [-1, 1]: `[n, size, size, channels]`.
///
/// # Errors
/// An image that cannot be decoded.
pub fn plain(device: &Device, images: &Images, indices: &[usize]) -> Result<Tensor, DataError> {
    let pixels = Pixels { size: images.size, channels: images.channels };
    let bytes = images.batch(indices)?;
    let count: Vec<i32> = (0..indices.len() as i32).collect();
    let upload = |bytes: &[u8]| Tensor::from_slice(device, [bytes.len()], bytes).expect("as many as there are");
    let count = Tensor::from_slice(device, [count.len()], &count).expect("as many as there are");
    let mut x = Tensor::uninit(device, [indices.len(), images.size, images.size, images.channels]);
    normalise(device, pixels, &upload(&bytes), &count, &mut x);
    Ok(x)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_choice_is_what_its_name_says() {
        let device = Device::cpu();
        let pixels = Pixels { size: 8, channels: 1 };
        let image: Vec<u8> = (0..64).map(|i| 2 * i + 100).collect();
        let mut staged = Staged::new(&device, 16);
        staged.write([0; 16].into_iter(), &[0; 16], 0);
        let [none, paper, flip] = [Augment::None, Augment::Paper, Augment::Flip]
            .map(|augment| staged.images(pixels, View::from(&image), augment, 1).to_vec().unwrap());
        assert!(none.chunks_exact(64).all(|x| x[..2] == [100.0 / 127.5 - 1.0, 102.0 / 127.5 - 1.0]));
        // In an image from left to right numbers grow; where it is flipped they shrink.
        let shrink = |x: &[f32]| {
            x.chunks_exact(8).filter(|row| row.windows(2).any(|of| of[0] > of[1] && of[1] > -1.0)).count() > 4
        };
        let flipped = |x: &[f32]| x.chunks_exact(64).filter(|x| shrink(x)).count();
        assert_eq!((flipped(&none), flipped(&paper)), (0, 0));
        assert!((3..=13).contains(&flipped(&flip)), "{} of 16", flipped(&flip));
        let same = paper.chunks_exact(64).zip(flip.chunks_exact(64)).filter(|(paper, flip)| paper == flip).count();
        assert_eq!(same + flipped(&flip), 16);
    }
}
