//! Winograd's algorithm for the convolutions that it makes cheaper: 3x3 of stride 1 by F(4, 3), and 4x4 of stride 2, which
//! falls apart into 2x2 convolutions of stride 1, by F(4, 2) or F(2, 2) (see [`transform`]).
//!
//! Tiles of inputs become vectors of products; at each of a tile's products, the channels of the tiles times the
//! transformed weights are one matrix product. F(4, 3) has 36 products where the definition has 144, F(4, 2) 25 where it has
//! 64, F(2, 2) 9 where it has 16.
//!
//! Rounding: |y - exact| <= c sum |x||w| with c = 5e-6 for F(4, 3) and F(4, 2) and 1e-6 for F(2, 2) in `f32`, and likewise
//! for the gradients (measured over 16 to 128 channels on every path; at most 2.9e-6, 2.2e-6 and 8.3e-7).

mod block;
mod correlate;
mod micro;
mod plan;
mod steps;
mod tile;
mod transform;
mod weight;

use super::Conv2d;
use crate::{Device, Real};
use micro::{Micro, Transforms};

pub(super) use correlate::{adjoint, forward};
pub(super) use weight::backward_weight;

/// Elements that keep lines a power of two apart from falling into the same sets of the cache.
const SKEW: usize = 16;

/// Tiles of F(4, 2) from which on the saved products outweigh the larger transformed weights: 25 for 4, where F(2, 2) has 9.
const TILES_OF_F42: usize = 100;

/// The kernels for this convolution, or `None` where the definition is the better algorithm.
pub(super) fn choose<T: Real>(device: &Device, g: &Conv2d) -> Option<Winograd<T>> {
    let micro = Micro::<T>::of(device.simd());
    let tiles = |m: usize| g.oh.div_ceil(m) * g.ow.div_ceil(m);
    let transforms = match (g.kernel, g.stride) {
        ([3, 3], [1, 1]) => &micro.f43,
        ([4, 4], [2, 2]) => {
            let few = g.n * tiles(4) < TILES_OF_F42;
            // Tiles that reach beyond the image compute what nobody reads.
            let wasteful = tiles(4) * micro.f42.products() >= tiles(2) * micro.f22.products();
            if few || wasteful { &micro.f22 } else { &micro.f42 }
        }
        _ => return None,
    };
    if !g.c.is_multiple_of(micro.lanes) || !g.o.is_multiple_of(micro.lanes) {
        return None;
    }
    let phases = g.stride[0] * g.stride[1];
    let products = tiles(transforms.m) * transforms.products() * phases;
    let definition = g.oh * g.ow * g.kernel[0] * g.kernel[1];
    (products * 3 <= definition * 2).then_some(Winograd { micro, transforms })
}

/// The same convolution of more channels, for operands with zeros behind their own: where the channels of x fill no registers, as those
/// of a discriminator that is given the class, and the algorithm is worth that.
pub(super) fn wider<T: Real>(device: &Device, g: &Conv2d) -> Option<Conv2d> {
    let c = g.c.next_multiple_of(Micro::<T>::of(device.simd()).lanes);
    let wider = Conv2d { c, ..*g };
    // A quarter more is well below what the algorithm saves, a third at least.
    (c > g.c && 4 * c <= 5 * g.c && choose::<T>(device, &wider).is_some()).then_some(wider)
}

/// The kernels of one algorithm on one SIMD path.
pub(super) struct Winograd<T: 'static> {
    micro: &'static Micro<T>,
    transforms: &'static Transforms<T>,
}

#[cfg(test)]
mod tests;
