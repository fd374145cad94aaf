//! The program's random streams: one a purpose, so that no use disturbs another.

use kernels::philox::Philox;

/// What a stream of random numbers is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u64)]
pub enum Stream {
    /// Initial parameters; the network's index is added in the upper bits.
    Init = 1,
    /// Which images are drawn into the labelled subset and its validation part.
    Split = 2,
    /// The order of the images in each epoch.
    Shuffle = 3,
    /// Random crops and rotations.
    Augmentation = 4,
    /// The generator's noise, and what DiffAugment draws between one batch's and the next's.
    Noise = 5,
    /// The fixed noise of sample grids.
    Samples = 6,
    /// The drawn digits of the built-in data set.
    Synthetic = 7,
    /// Which images are in the subsets of a kernel distance.
    Subsets = 8,
}

impl Stream {
    /// The start of this stream for a seed.
    pub fn start(self, seed: u64) -> Philox {
        Philox::new(seed, self as u64)
    }

    /// The start of the `index`-th independent stream of this purpose.
    pub fn nth(self, seed: u64, index: u32) -> Philox {
        Philox::new(seed, self as u64 | u64::from(index) << 32)
    }
}
