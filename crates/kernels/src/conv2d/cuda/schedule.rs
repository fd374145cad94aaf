//! In which tiles a pass is computed, and over how many blocks.

use super::super::{Conv2d, Pass};
use crate::cuda::Precision;
use crate::view::{DeviceSlice, DeviceSliceMut};

/// A block's tile of the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tile {
    /// 128 x 128 over 256 threads: the fewest loads a product.
    M128N128,
    /// 64 x 64 over 128 threads, or on tensor cores over 256.
    M64N64,
    /// 128 x 32 over 128 threads, for up to 32 channels.
    M128N32,
    /// 128 x 16 over 128 threads, for up to 16 channels.
    M128N16,
    /// On tensor cores, 3x3 of stride 1 between 16 channels: 16 x 16 pixels over 128 threads; see conv2d_halo.cuh.
    Halo16,
    /// The same between 32: 8 x 16 pixels.
    Halo32,
}

impl Tile {
    /// Those that every pass has in every precision.
    pub const ALL: [Self; 4] = [Self::M128N128, Self::M64N64, Self::M128N32, Self::M128N16];

    pub(super) fn size(self) -> [usize; 2] {
        match self {
            Self::M128N128 => [128, 128],
            Self::M64N64 => [64, 64],
            Self::M128N32 => [128, 32],
            Self::M128N16 => [128, 16],
            Self::Halo16 => [256, 16],
            Self::Halo32 => [128, 32],
        }
    }

    pub(super) fn is_halo(self) -> bool {
        matches!(self, Self::Halo16 | Self::Halo32)
    }

    /// The one for whole tiles of pixels with a margin, if a convolution is of that kind.
    pub fn halo(g: &Conv2d) -> Option<Self> {
        let (tile, down) = match g.c {
            16 => (Self::Halo16, 16),
            32 => (Self::Halo32, 8),
            _ => return None,
        };
        let near = g.kernel == [3, 3] && g.stride == [1, 1] && g.padding == [1, 1] && g.o == g.c;
        (near && g.h.is_multiple_of(down) && g.w.is_multiple_of(16)).then_some(tile)
    }

    /// Whether operands and result lie as it needs them: pixels with a margin are copied 16 bytes at a time.
    pub(super) fn takes(self, operands: &[DeviceSlice<f32>; 2], out: &DeviceSliceMut<f32>) -> bool {
        let addresses = [operands[0].address(), operands[1].address(), out.address()];
        !self.is_halo() || addresses.iter().all(|address| address.is_multiple_of(16))
    }

    /// Bytes of dynamic shared memory that a halo's pass takes; see conv2d_halo.cuh.
    pub(super) fn shared(self, pass: Pass, precision: Precision) -> usize {
        let ([pixels, channels], number) = (self.size(), if precision == Precision::Bf16 { 2 } else { 4 });
        let margined = (pixels / 16 + 2) * 18;
        match pass {
            _ if !self.is_halo() => 0,
            // Pixels lie eight numbers further apart.
            Pass::BackwardWeight => (margined + pixels) * (channels + 8) * 4,
            Pass::Forward | Pass::BackwardInput => margined * channels * 4 + 9 * channels * channels * number,
        }
    }

    pub(super) fn threads(self, precision: Precision) -> u32 {
        match self {
            Self::M128N128 => 256,
            // On tensor cores a warp has fewer sums, so that twice as many hide each other's latency.
            Self::M64N64 if precision != Precision::F32 => 256,
            _ => 128,
        }
    }
}

/// Blocks that keep the largest GPU in view (an H100 or H200, 132 multiprocessors) busy: two for each. Measured on an
/// H100 at batch 64: with one for each the iteration takes 7 % longer, although less is joined.
const BLOCKS: usize = 264;

/// Fewest multiplications along K that a split is worth its partial result.
const DEPTH: usize = 64;

/// How a pass is spread over a GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// The tile of a block.
    pub tile: Tile,
    /// Parts of K.
    pub splits: usize,
}

impl Schedule {
    /// The one that the passes take.
    pub fn of(pass: Pass, g: &Conv2d, precision: Precision) -> Self {
        match Tile::halo(g) {
            Some(tile) if precision != Precision::F32 => {
                // Of the weights, a block has all of them and as many of the tiles as every other, but for the last.
                let tiles = g.n * g.h * g.w / tile.size()[0];
                let each = tiles.div_ceil(BLOCKS * 3 / 2);
                Self { tile, splits: if pass == Pass::BackwardWeight { tiles.div_ceil(each) } else { 1 } }
            }
            _ => Self::implicit(pass, g),
        }
    }

    /// An implicit product's.
    pub(super) fn implicit(pass: Pass, g: &Conv2d) -> Self {
        let sizes = Sizes::of(pass, &flat(g));
        let [m, n, k] = sizes.product;
        let tiles = |tile: Tile| m.div_ceil(tile.size()[0]) * n.div_ceil(tile.size()[1]) * sizes.phases;
        let tile = match n {
            ..=16 => Tile::M128N16,
            17..=32 => Tile::M128N32,
            // Half of a large tile empty, or half of the GPU idle, costs more than its fewer loads gain.
            _ if n > 64 && tiles(Tile::M128N128) >= BLOCKS / 2 => Tile::M128N128,
            _ => Tile::M64N64,
        };
        Self { tile, splits: (BLOCKS / tiles(tile)).min(k / DEPTH).max(1) }
    }

    /// Elements of workspace that it takes.
    pub fn workspace(&self, pass: Pass, g: &Conv2d) -> usize {
        if self.splits == 1 { 0 } else { self.splits * Sizes::of(pass, g).out }
    }
}

/// A kernel that covers the image makes the passes plain products: an image is one pixel of `h w c` channels then.
pub(super) fn flat(g: &Conv2d) -> Conv2d {
    if !g.is_dense() {
        return *g;
    }
    let ones = [1, 1];
    Conv2d { h: 1, w: 1, c: g.input().image(), kernel: ones, stride: ones, padding: [0, 0], oh: 1, ow: 1, ..*g }
}

/// The product that a pass is.
pub(super) struct Sizes {
    /// M, N and K; of the largest phase.
    pub(super) product: [usize; 3],
    /// How many such products.
    pub(super) phases: usize,
    /// Elements of the result.
    pub(super) out: usize,
}

impl Sizes {
    pub(super) fn of(pass: Pass, g: &Conv2d) -> Self {
        let taps = g.kernel[0] * g.kernel[1];
        match pass {
            Pass::Forward => Self { product: [g.n * g.oh * g.ow, g.o, taps * g.c], phases: 1, out: g.y_len() },
            Pass::BackwardInput => {
                let part = |d: usize, size: usize| size.div_ceil(g.stride[d]);
                let pixels = g.n * part(0, g.h) * part(1, g.w);
                let depth = part(0, g.kernel[0]) * part(1, g.kernel[1]) * g.o;
                Self { product: [pixels, g.c, depth], phases: g.stride[0] * g.stride[1], out: g.x_len() }
            }
            Pass::BackwardWeight => Self { product: [taps * g.c, g.o, g.n * g.oh * g.ow], phases: 1, out: g.w_len() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_networks_layers_fill_a_gpu_at_batch_64() {
        let conv = |h, c, o, k, s, p| Conv2d::new(64, h, h, c, o, [k, k], [s, s], [p, p]).unwrap();
        let layers = [
            conv(32, 3, 16, 3, 1, 1),
            conv(32, 16, 16, 3, 1, 1),
            conv(32, 16, 32, 3, 2, 1),
            conv(16, 32, 32, 3, 1, 1),
            conv(8, 64, 64, 3, 1, 1),
            conv(4, 128, 128, 3, 1, 1),
            conv(32, 3, 64, 4, 2, 1),
            conv(16, 64, 128, 4, 2, 1),
            conv(8, 128, 256, 4, 2, 1),
        ];
        let cases = layers.into_iter().flat_map(|g| Pass::ALL.map(|pass| (g, pass)));
        for ((g, pass), precision) in cases.flat_map(|case| [Precision::F32, Precision::Tf32].map(|p| (case, p))) {
            let (schedule, sizes) = (Schedule::of(pass, &g, precision), Sizes::of(pass, &g));
            let [m, n] = [0, 1].map(|d| sizes.product[d].div_ceil(schedule.tile.size()[d]));
            let blocks = m * n * schedule.splits * sizes.phases;
            assert!(blocks >= 100, "{pass:?} of {g:?}: {blocks} blocks by {schedule:?}");
            assert!(schedule.workspace(pass, &g) <= 8 << 20, "{pass:?} of {g:?}: workspace of {schedule:?}");
        }
    }
}
