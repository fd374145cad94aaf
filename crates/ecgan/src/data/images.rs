//! Images of one shape with their labels, held in memory or decoded as they are used.

use super::read_ahead::ReadAhead;
use super::{DataError, Listing};
use rayon::prelude::*;
use std::fmt;
use std::slice::Chunks;
use std::sync::{Arc, Mutex};

/// The shape that every image of a run has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// Side in pixels, 32 or 64.
    pub size: usize,
    /// 1 (grey) or 3 (RGB).
    pub channels: usize,
}

impl Format {
    /// Bytes of one image.
    pub fn bytes(&self) -> usize {
        self.size * self.size * self.channels
    }

    pub(super) fn check(&self) -> Result<(), DataError> {
        match (self.size, self.channels) {
            (32 | 64, 1 | 3) => Ok(()),
            (size, channels) => Err(DataError::Format { size, channels }),
        }
    }
}

/// Labelled images, all of one shape: sRGB values as stored in the files.
pub struct Images {
    /// `[n]`, indices into the source's class names.
    pub labels: Vec<i32>,
    /// Side in pixels.
    pub size: usize,
    /// 1 (grey) or 3 (RGB).
    pub channels: usize,
    pixels: Pixels,
}

enum Pixels {
    /// `[n, size, size, channels]`, row-major (NHWC).
    Held(Vec<u8>),
    /// Decoded as they are used.
    Streamed { images: Arc<Chosen>, ahead: Mutex<Option<ReadAhead>> },
}

/// Images chosen out of parts of a data set.
pub(crate) struct Chosen {
    pub parts: Vec<Arc<dyn Listing>>,
    /// The part, and the index in it.
    pub order: Vec<(usize, usize)>,
}

impl Chosen {
    /// All images of one part.
    pub fn all(part: Arc<dyn Listing>) -> Self {
        let order = (0..part.labels().len()).map(|index| (0, index)).collect();
        Self { parts: vec![part], order }
    }

    /// Writes image `index` of these into `out`.
    pub fn decode(&self, index: usize, format: Format, out: &mut [u8]) -> Result<(), DataError> {
        let (part, index) = self.order[index];
        self.parts[part].decode(index, format, out)
    }

    fn name(&self, index: usize) -> String {
        let (part, index) = self.order[index];
        self.parts[part].name(index)
    }

    fn labels(&self) -> Vec<i32> {
        self.order.iter().map(|&(part, index)| self.parts[part].labels()[index]).collect()
    }

    /// Those at `indices`, decoded by all threads. The error is that of the first, whatever the threads do.
    fn decode_all(&self, indices: &[usize], format: Format) -> Result<Vec<u8>, DataError> {
        let mut pixels = vec![0; indices.len() * format.bytes()];
        let results: Vec<Result<(), DataError>> = indices
            .par_iter()
            .zip(pixels.par_chunks_mut(format.bytes()))
            .map(|(&index, out)| self.decode(index, format, out))
            .collect();
        results.into_iter().collect::<Result<(), DataError>>()?;
        Ok(pixels)
    }
}

impl Images {
    /// Images from `[n, size, size, channels]` values.
    ///
    /// # Panics
    /// If the number of values does not fit.
    pub fn held(pixels: Vec<u8>, labels: Vec<i32>, size: usize, channels: usize) -> Self {
        assert_eq!(pixels.len(), labels.len() * size * size * channels, "values of {} images", labels.len());
        Self { labels, size, channels, pixels: Pixels::Held(pixels) }
    }

    /// Decodes all of them if they take at most `limit` bytes; otherwise none, until they are used.
    pub(crate) fn read(images: Chosen, format: Format, limit: usize) -> Result<Self, DataError> {
        let Format { size, channels } = format;
        let labels = images.labels();
        if labels.len().saturating_mul(format.bytes()) <= limit {
            let all: Vec<usize> = (0..labels.len()).collect();
            return Ok(Self::held(images.decode_all(&all, format)?, labels, size, channels));
        }
        let pixels = Pixels::Streamed { images: Arc::new(images), ahead: Mutex::new(None) };
        Ok(Self { labels, size, channels, pixels })
    }

    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The name under which the owner of image `index` finds it; its number alone where images are held in memory.
    ///
    /// # Panics
    /// If there is no such image.
    pub fn name(&self, index: usize) -> String {
        match &self.pixels {
            Pixels::Held(_) => format!("image {index}"),
            Pixels::Streamed { images, .. } => images.name(index),
        }
    }

    fn format(&self) -> Format {
        Format { size: self.size, channels: self.channels }
    }

    /// The pixels of all images, `[n, size, size, channels]`, where they are held in memory.
    pub fn pixels(&self) -> Option<&[u8]> {
        match &self.pixels {
            Pixels::Held(pixels) => Some(pixels),
            Pixels::Streamed { .. } => None,
        }
    }

    /// Announces that [`Images::batch`] will be asked for these images in this order, `batch` at a time, so that they are
    /// decoded ahead of it. A hint: it replaces the one before, and changes no result. Does nothing where images are held.
    pub fn read_ahead(&self, order: &[usize], batch: usize) {
        if let Pixels::Streamed { images, ahead } = &self.pixels {
            let batches = order.chunks(batch).map(<[usize]>::to_vec).collect();
            let mut ahead = ahead.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            *ahead = None; // its threads end before others begin
            *ahead = Some(ReadAhead::start(images.clone(), self.format(), batches));
        }
    }

    /// The images of `order` in batches, which [`Images::read_ahead`] was told of: to be asked for one after the other.
    pub fn in_batches<'a>(&self, order: &'a [usize], batch: usize) -> Chunks<'a, usize> {
        self.read_ahead(order, batch);
        order.chunks(batch)
    }

    /// The pixels of the images at `indices`, `[indices, size, size, channels]`.
    ///
    /// # Errors
    /// What is wrong with the first file that cannot be decoded, where they are not held in memory.
    pub fn batch(&self, indices: &[usize]) -> Result<Vec<u8>, DataError> {
        match &self.pixels {
            Pixels::Held(pixels) => {
                let bytes = self.format().bytes();
                Ok(indices.iter().flat_map(|&i| &pixels[i * bytes..(i + 1) * bytes]).copied().collect())
            }
            Pixels::Streamed { images, ahead } => {
                let mut ahead = ahead.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
                let ready = ahead.as_mut().and_then(|ahead| ahead.take(indices));
                ready.unwrap_or_else(|| images.decode_all(indices, self.format()))
            }
        }
    }
}

/// The shape only: nobody reads the pixels of a failed assertion.
impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Images [{}, {}, {}, {}]", self.len(), self.size, self.size, self.channels)
    }
}

#[cfg(test)]
mod tests;
