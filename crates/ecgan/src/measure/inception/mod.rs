//! Inception v3 (Szegedy et al. 2016, "Rethinking the Inception Architecture for Computer Vision") as the Frechet and kernel
//! inception distances have it, for evaluation on the processor: images to the 2048 numbers of its global average pool.
//!
//! The layers are torchvision's by name, without the auxiliary head, but for the pools of the mixed blocks: an average counts
//! only the pixels that are there, and the last block takes a maximum. Weights come from a file ([`Inception::read`]).

mod layers;
mod network;
mod pools;
mod resize;
mod weights;

use super::features::Features;
use crate::Error;
use crate::data::Images;
use layers::Step;
use resize::{SIDE, resized};
use std::path::Path;
use tensor::{Device, Tensor};
use weights::Weights;

/// Images a pass, whose widest activations take 50 MB.
const BATCH: usize = 8;

/// Numbers of an image.
pub const FEATURES: usize = 2048;

/// The network with its weights.
pub struct Inception {
    steps: Vec<Step>,
    device: Device,
}

impl Inception {
    /// Reads weights from a safetensors file with PyTorch's names and layouts, to compute on `device`, a processor. The classifying
    /// head `fc`, `AuxLogits` and `num_batches_tracked` may be in it or not.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::BadFile`] naming the first tensor that is missing or has another shape.
    pub fn read(path: &Path, device: &Device) -> Result<Self, Error> {
        Ok(Self { steps: network::steps(&Weights::read(path, device)?)?, device: device.clone() })
    }

    /// The features of the images at `indices`: `[indices, 2048]`. Grey ones are taken for colour with three equal channels.
    /// `done` is told how many of them it has after each pass.
    ///
    /// # Errors
    /// An image that cannot be decoded.
    pub fn features(&self, images: &Images, indices: &[usize], done: &mut dyn FnMut(usize)) -> Result<Features, Error> {
        let mut values = Vec::with_capacity(indices.len() * FEATURES);
        for part in images.in_batches(indices, BATCH) {
            let x = resized(&images.batch(part)?, images.size, images.channels);
            let x = Tensor::from_slice(&self.device, [part.len(), SIDE, SIDE, 3], &x)?;
            let y = layers::run(&self.steps, x)?; // [n,8,8,2048]
            super::features::averaged(&y, &mut values)?;
            done(values.len() / FEATURES);
        }
        Ok(Features::new(values, FEATURES))
    }
}
