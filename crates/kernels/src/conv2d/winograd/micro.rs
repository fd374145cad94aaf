//! Which kernels there are: [`Micro`] has those of one element type and SIMD path, compiled for that path.

use super::steps::{self, Gather, Outer, Product, Scatter, Square, gather, outer, product, scatter, square};
use super::transform::{Input, Map, Output, OutputGradient, Weight, WeightGradient};
use crate::vector::{Lanes, Vector, micro_of};
use crate::{Real, Simd};
use std::marker::PhantomData;

type Kernel<K> = unsafe fn(&K);

/// The transforms of one F(m, r).
pub(super) struct Transforms<T: 'static> {
    /// Outputs of a tile, along an axis.
    pub m: usize,
    /// Taps, along an axis.
    pub r: usize,
    pub input: unsafe fn(&Gather<T>),
    pub output: unsafe fn(&Scatter<T>),
    pub output_gradient: unsafe fn(&Gather<T>),
    pub weight: unsafe fn(&Square<T>),
    pub weight_gradient: unsafe fn(&Square<T>),
}

impl<T> Transforms<T> {
    /// Side of a tile of inputs, and of products.
    pub fn side(&self) -> usize {
        self.m + self.r - 1
    }

    /// Products of a tile.
    pub fn products(&self) -> usize {
        self.side() * self.side()
    }
}

/// The kernels of one element type and SIMD path.
pub(super) struct Micro<T: 'static> {
    /// Numbers in a register.
    pub lanes: usize,
    /// R: tiles of a group, and most rows of a product.
    pub rows: usize,
    pub f43: Transforms<T>,
    pub f42: Transforms<T>,
    pub f22: Transforms<T>,
    /// [`Product`]s by registers across, from 1, then rows, from 1.
    products: &'static [&'static [Kernel<Product<T>>]],
    /// [`Outer`]s by registers across, from 1, with their rows, which divide the lanes.
    outers: &'static [(usize, Kernel<Outer<T>>)],
}

impl<T: Real> Micro<T> {
    /// The kernels a SIMD path has for `T`.
    pub fn of(simd: Simd) -> &'static Self {
        micro_of!(simd, Portable::<T>::MICRO)
    }

    /// Most registers across of a product or an outer product.
    pub fn across(&self) -> usize {
        self.products.len()
    }

    /// Computes a product of `rows` rows, `registers` across.
    ///
    /// # Safety
    /// Every element it names must be valid, and its output unshared.
    #[inline]
    pub unsafe fn product(&self, rows: usize, registers: usize, product: &Product<T>) {
        // SAFETY: the caller's; the path was found on this machine.
        unsafe { self.products[registers - 1][rows - 1](product) }
    }

    /// Rows of an outer product `registers` across.
    pub fn outer_rows(&self, registers: usize) -> usize {
        self.outers[registers - 1].0
    }

    /// Computes an outer product, `registers` across.
    ///
    /// # Safety
    /// Every element it names must be valid, and its output unshared.
    #[inline]
    pub unsafe fn outer(&self, registers: usize, outer: &Outer<T>) {
        // SAFETY: the caller's; the path was found on this machine.
        unsafe { self.outers[registers - 1].1(outer) }
    }
}

/// The transforms of F(M, R).
macro_rules! transforms {
    ($first:ty, $m:literal, $r:literal, $side:literal, $rows:literal) => {
        Transforms {
            m: $m,
            r: $r,
            input: gather::<$first, Input, $side, $side, $rows>,
            output: scatter::<$first, Output, $side, $m, $rows>,
            output_gradient: gather::<$first, OutputGradient, $m, $side, $rows>,
            weight: square::<$first, Weight, $r, $side>,
            weight_gradient: square::<$first, WeightGradient, $side, $r>,
        }
    };
}

/// The table of one path: rows of a product with 1, 2, .. registers across, and of an outer product.
macro_rules! table {
    ($first:ty, $lanes:expr, $rows:literal, [$($across:literal: [$($row:literal)*] $outer:literal)*]) => {
        Micro {
            lanes: $lanes,
            rows: $rows,
            f43: transforms!($first, 4, 3, 6, $rows),
            f42: transforms!($first, 4, 2, 5, $rows),
            f22: transforms!($first, 2, 2, 3, $rows),
            products: &[$(&[$(product::<$first, $row, $across>),*]),*],
            outers: &[$(($outer, outer::<$first, $outer, $across, $rows>)),*],
        }
    };
}

/// The kernels in plain Rust.
struct Portable<T>(PhantomData<T>);

impl<T: Real> Portable<T> {
    const MICRO: &'static Micro<T> = &table!(Lanes<T>, 8, 6, [1: [1 2 3 4 5 6] 4]);
}

/// Modules of kernels, each compiled for one instruction set, which have one table: it depends on how many registers there are.
macro_rules! instances {
    ($lane:ty, $rows:literal, $products:tt, $($name:ident: $arch:literal, $features:literal, $vector:ty;)*) => {$(
        #[cfg(target_arch = $arch)]
        mod $name {
            use super::{Gather, Input, Map, Micro, Outer, Output, OutputGradient, Product, Scatter, Square};
            use super::{Transforms, Vector, Weight, WeightGradient, steps};

            crate::vector::with_features!($features, $lane, steps:
                gather(Gather) [I O R] F: Map<I, O>;
                scatter(Scatter) [I O R] F: Map<I, O>;
                square(Square) [I O] F: Map<I, O>;
                product(Product) [M N];
                outer(Outer) [M N R];
            );

            pub(super) static MICRO: Micro<$lane> = table!($vector, <$vector as Vector>::LANES, $rows, $products);
        }
    )*};
}

instances!(
    f32, 13, [1: [1 2 3 4 5 6 7 8 9 10 11 12 13] 16 2: [1 2 3 4 5 6 7 8 9 10 11 12 13] 8],
    avx512: "x86_64", "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma", std::arch::x86_64::__m512;
);
instances!(
    f64, 8, [1: [1 2 3 4 5 6 7 8] 8 2: [1 2 3 4 5 6 7 8] 8],
    avx512_f64: "x86_64", "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma", std::arch::x86_64::__m512d;
);
instances!(
    f32, 6, [1: [1 2 3 4 5 6] 8 2: [1 2 3 4 5 6] 4],
    avx2: "x86_64", "avx2,fma", std::arch::x86_64::__m256;
    neon: "aarch64", "neon", crate::vector::arm::Pair<std::arch::aarch64::float32x4_t>;
);
instances!(
    f64, 6, [1: [1 2 3 4 5 6] 4 2: [1 2 3 4 5 6] 4],
    avx2_f64: "x86_64", "avx2,fma", std::arch::x86_64::__m256d;
    neon_f64: "aarch64", "neon", crate::vector::arm::Pair<std::arch::aarch64::float64x2_t>;
);
