//! Decoded images with their labels.

use super::DataError;
use std::fmt;

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

/// Labelled images, all of one shape.
#[derive(Clone, PartialEq, Eq)]
pub struct Images {
    /// `[n, size, size, channels]`, row-major (NHWC), sRGB values as stored in the files.
    pub pixels: Vec<u8>,
    /// `[n]`, indices into the source's class names.
    pub labels: Vec<i32>,
    /// Side in pixels.
    pub size: usize,
    /// 1 (grey) or 3 (RGB).
    pub channels: usize,
}

impl Images {
    /// The number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// The pixels of image `i`, `[size, size, channels]`.
    pub fn image(&self, i: usize) -> &[u8] {
        let bytes = self.size * self.size * self.channels;
        &self.pixels[i * bytes..(i + 1) * bytes]
    }
}

/// The shape only: nobody reads the pixels of a failed assertion.
impl fmt::Debug for Images {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Images [{}, {}, {}, {}]", self.len(), self.size, self.size, self.channels)
    }
}
