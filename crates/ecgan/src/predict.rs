//! What a checkpoint's classifier takes images for.

use crate::Error;
use crate::augment;
use crate::checkpoint::Checkpoint;
use crate::data::{Chosen, Files, Format, Images};
use crate::evaluate::check_finite;
use nn::Network;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tensor::Device;

/// Images a pass.
const BATCH: usize = 64;

/// A classifier, its classes, and what its images look like.
pub struct Predictor {
    network: Network,
    classes: Vec<String>,
    format: Format,
    device: Device,
}

/// What one image is taken for.
#[derive(Clone, Debug, PartialEq)]
pub struct Prediction {
    /// `[classes]`, the softmax of the logits; they sum to 1.
    pub probabilities: Vec<f64>,
    /// `[classes]`, all classes, the most probable first; of equals the first.
    pub ranking: Vec<usize>,
}

impl Prediction {
    fn new(logits: &[f32]) -> Self {
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let exponentials: Vec<f64> = logits.iter().map(|&v| f64::from(v - largest).exp()).collect();
        let sum: f64 = exponentials.iter().sum();
        let mut ranking: Vec<usize> = (0..logits.len()).collect();
        ranking.sort_by(|&a, &b| logits[b].total_cmp(&logits[a])); // stable
        Self { probabilities: exponentials.iter().map(|e| e / sum).collect(), ranking }
    }
}

impl Predictor {
    /// The classifier of a checkpoint, with its running statistics.
    ///
    /// # Errors
    /// [`Error::BadFile`].
    pub fn new(read: Checkpoint, device: &Device) -> Result<Self, Error> {
        let format = Format { size: read.meta.image_size, channels: read.meta.channels };
        let network = read.classifier(device)?;
        Ok(Self { network, classes: read.meta.classes, format, device: device.clone() })
    }

    /// The class names; a class is an index into them.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Gives `each` file's prediction, in order, or what is wrong with the file; the others go on. Files are decoded in
    /// parallel, ahead of the network, resized and converted as the images of a training; memory does not grow with their
    /// number.
    ///
    /// # Errors
    /// What `each` returns, which ends it; [`Error::NotFinite`]; what failed on a GPU.
    pub fn files<E: From<Error>>(
        &mut self,
        files: Vec<PathBuf>,
        mut each: impl FnMut(&Path, Result<Prediction, Error>) -> Result<(), E>,
    ) -> Result<(), E> {
        let files = Arc::new(Files::new(files));
        let images = Images::read(Chosen::all(files.clone()), self.format, 0).map_err(Error::from)?;
        let all: Vec<usize> = (0..images.len()).collect();
        for part in images.in_batches(&all, BATCH) {
            let logits = self.logits(&images, part)?;
            for (&index, row) in part.iter().zip(logits.chunks_exact(self.classes.len())) {
                let prediction = files.take_failure(index).map_or_else(|| Ok(Prediction::new(row)), |e| Err(e.into()));
                each(files.path(index), prediction)?;
            }
        }
        Ok(())
    }

    /// `[part, classes]`.
    fn logits(&mut self, images: &Images, part: &[usize]) -> Result<Vec<f32>, Error> {
        let logits = self.network.evaluate(augment::plain(&self.device, images, part)?)?.to_vec()?;
        check_finite(&logits)?;
        Ok(logits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_are_the_softmax_and_classes_are_ranked() {
        let odds = Prediction::new(&[0.0, 3f32.ln(), 0.0]);
        assert_eq!(odds.ranking, [1, 0, 2]);
        for (p, expected) in odds.probabilities.iter().zip([0.2, 0.6, 0.2]) {
            assert!((p - expected).abs() < 1e-7, "{p}, expected {expected}");
        }
        let large = Prediction::new(&[1e30, -1e30]);
        assert_eq!((large.ranking, large.probabilities), (vec![0, 1], vec![1.0, 0.0]));
    }
}
