//! Images as points: what a network makes of them before its last layer.

use crate::Error;
use crate::augment;
use crate::data::Images;
use crate::methods::argmax;
use nn::Network;
use tensor::{Device, Tensor};

/// Images a pass.
const BATCH: usize = 100;

/// One row of numbers an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// `[n, d]`, row-major.
    pub values: Vec<f64>,
    /// Numbers of an image, d; not 0.
    pub d: usize,
}

impl Features {
    /// Features from `[n, d]` values.
    ///
    /// # Panics
    /// If these are no whole rows.
    pub fn new(values: Vec<f64>, d: usize) -> Self {
        assert!(d > 0 && values.len().is_multiple_of(d), "{} values in rows of {d}", values.len());
        Self { values, d }
    }

    /// How many images.
    pub fn n(&self) -> usize {
        self.values.len() / self.d
    }

    /// The rows.
    pub fn rows(&self) -> impl Iterator<Item = &[f64]> {
        self.values.chunks_exact(self.d)
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.d..(i + 1) * self.d]
    }

    /// The rows at `indices`.
    pub fn chosen(&self, indices: &[usize]) -> Self {
        Self::new(indices.iter().flat_map(|&i| self.row(i)).copied().collect(), self.d)
    }
}

/// A classifier's features of the images at `indices`, averaged where they have an extent in space, and its most probable
/// class of each; running statistics.
///
/// # Errors
/// An image that cannot be decoded, a network that does not fit the images, and what failed on a GPU.
pub fn of_classifier(
    network: &mut Network,
    images: &Images,
    indices: &[usize],
    device: &Device,
) -> Result<(Features, Vec<usize>), Error> {
    let (mut values, mut d, mut labels) = (Vec::new(), 1, Vec::with_capacity(indices.len()));
    for part in images.in_batches(indices, BATCH) {
        let [features, logits] = network.evaluate_with_features(augment::plain(device, images, part)?)?;
        d = features.shape().last().copied().unwrap_or(1);
        averaged(&features, &mut values)?;
        labels.extend(argmax(&logits).to_vec()?.iter().map(|&label| label as usize));
    }
    Ok((Features::new(values, d), labels))
}

/// Appends features `[n, .., d]` averaged to `[n, d]`.
pub(super) fn averaged(features: &Tensor, values: &mut Vec<f64>) -> Result<(), Error> {
    let shape = features.shape();
    let (n, d) = (shape[0], shape[shape.len() - 1]);
    let places = shape.numel() / (n * d);
    for image in features.to_vec()?.chunks_exact(places * d) {
        let first = values.len();
        values.resize(first + d, 0.0);
        for place in image.chunks_exact(d) {
            values[first..].iter_mut().zip(place).for_each(|(sum, &v)| *sum += f64::from(v) / places as f64);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_an_extent_is_averaged_over_it() {
        let x: Vec<f32> = (0..24).map(|i| i as f32).collect();
        let mut values = Vec::new();
        averaged(&Tensor::from_slice(&Device::cpu(), [2, 2, 3, 2], &x).unwrap(), &mut values).unwrap();
        assert_eq!(values, [5.0, 6.0, 17.0, 18.0]);
        averaged(&Tensor::from_slice(&Device::cpu(), [4, 2], &x[..8]).unwrap(), &mut values).unwrap();
        assert_eq!(values[4..], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    }
}
