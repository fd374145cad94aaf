//! The kernels of Winograd's algorithm: transforms of square tiles, and the products between them.
//!
//! Transformed tiles lie in groups of R, the rows of a product: `[group][plane][product][R tiles][lanes]`, a plane being as
//! many channels as a register has lanes. So rows, and a tile's products, are constant distances apart: their addresses
//! are one pointer and offsets known when compiling.

use super::transform::{Input, Map, Output, OutputGradient, Weight, WeightGradient};
use crate::vector::{Lanes, Vector};
use crate::{Real, Simd, Store};
use std::any::Any;
use std::marker::PhantomData;

/// Pixels of a square, transformed to a tile of a group, plane by plane.
pub(super) struct Gather<'a, T> {
    pub src: *const T,
    /// Elements from `src` to each pixel of the square.
    pub offsets: &'a [isize],
    /// The tile's place in the group's first plane.
    pub dst: *mut T,
    pub planes: usize,
}

/// A tile of a group, transformed to pixels of a square, plane by plane.
pub(super) struct Scatter<T> {
    /// The tile's place in the group's first plane.
    pub src: *const T,
    pub dst: *mut T,
    /// Elements from pixel to pixel, down and across.
    pub dst_steps: [usize; 2],
    pub planes: usize,
    /// How the pixels are written.
    pub store: Store,
}

/// A square of registers, mapped down and across: position `[i][j]` of plane `p` is at
/// `src + i * src_steps[0] + j * src_steps[1] + p * src_plane`, and so for the result.
pub(super) struct Square<T> {
    pub src: *const T,
    pub src_steps: [isize; 2],
    pub src_plane: usize,
    pub dst: *mut T,
    pub dst_steps: [isize; 2],
    pub dst_plane: usize,
    pub planes: usize,
    /// How the result is written.
    pub store: Store,
}

/// `c[m][n] = sum over planes p and lanes k of a[p][m][k] b[p * lanes + k][n]`: m rows, n registers across.
pub(super) struct Product<T> {
    /// The first row of the first plane.
    pub a: *const T,
    /// Elements from a plane of `a` to the next.
    pub a_plane: usize,
    pub planes: usize,
    /// A panel `[k][n registers]`.
    pub b: *const T,
    /// Lines to ask for, as many as k, that need not be valid.
    pub soon: *const T,
    pub c: *mut T,
    /// Elements from a plane of `c` to the next.
    pub c_plane: usize,
}

/// `c[m][n] (=|+=) sum over tiles t of a[t][m] b[n][t]`: m lanes of a plane of `a`, n planes of `b`, at one product of
/// the tiles of some groups.
pub(super) struct Outer<T> {
    pub a: *const T,
    /// Elements from a group of `a` to the next.
    pub a_group: usize,
    pub b: *const T,
    /// Elements from a plane of `b` to the next.
    pub b_plane: usize,
    /// Elements from a group of `b` to the next.
    pub b_group: usize,
    pub tiles: usize,
    pub c: *mut T,
    /// Elements from one row of `c` to the next.
    pub c_pitch: usize,
    pub store: Store,
}

/// Maps a square of I x I registers down and across, to O x O.
#[inline(always)]
unsafe fn both_ways<V: Vector, F: Map<I, O>, const I: usize, const O: usize>(
    load: impl Fn(usize, usize) -> V,
    mut store: impl FnMut(usize, usize, V),
) {
    // SAFETY: the caller's instruction set.
    unsafe {
        let mut down = [[V::zero(); O]; I];
        for (j, down) in down.iter_mut().enumerate() {
            let mut column = [V::zero(); I];
            for (i, x) in column.iter_mut().enumerate() {
                *x = load(i, j);
            }
            *down = F::map(column);
        }
        for i in 0..O {
            let mut line = [V::zero(); I];
            for (x, down) in line.iter_mut().zip(&down) {
                *x = down[i];
            }
            for (j, y) in F::map(line).into_iter().enumerate() {
                store(i, j, y);
            }
        }
    }
}

/// # Safety
/// Every element the square names must be valid; needs the instruction set of `V`.
#[inline(always)]
unsafe fn gather<V: Vector, F: Map<I, O>, const I: usize, const O: usize, const R: usize>(t: &Gather<V::Lane>) {
    let step = R * V::LANES;
    // SAFETY: the caller's.
    unsafe {
        let offsets: &[[isize; I]; I] = &*t.offsets[..I * I].as_ptr().cast();
        for plane in 0..t.planes {
            let (src, dst) = (t.src.wrapping_add(plane * V::LANES), t.dst.add(plane * O * O * step));
            both_ways::<V, F, I, O>(
                |i, j| V::load(src.wrapping_offset(offsets[i][j])),
                |i, j, y| y.store(dst.add((i * O + j) * step)),
            );
        }
    }
}

/// # Safety
/// Every element the square names must be valid; needs the instruction set of `V`.
#[inline(always)]
unsafe fn scatter<V: Vector, F: Map<I, O>, const I: usize, const O: usize, const R: usize>(t: &Scatter<V::Lane>) {
    let step = R * V::LANES;
    // SAFETY: the caller's.
    unsafe {
        for plane in 0..t.planes {
            let (src, dst) = (t.src.add(plane * I * I * step), t.dst.add(plane * V::LANES));
            both_ways::<V, F, I, O>(
                |i, j| V::load(src.add((i * I + j) * step)),
                |i, j, y| write(y, dst.add(i * t.dst_steps[0] + j * t.dst_steps[1]), t.store),
            );
        }
    }
}

/// # Safety
/// Every element the square names must be valid; needs the instruction set of `V`.
#[inline(always)]
unsafe fn square<V: Vector, F: Map<I, O>, const I: usize, const O: usize>(t: &Square<V::Lane>) {
    let at = |steps: [isize; 2], i: usize, j: usize| i as isize * steps[0] + j as isize * steps[1];
    // SAFETY: the caller's.
    unsafe {
        for plane in 0..t.planes {
            let (src, dst) = (t.src.add(plane * t.src_plane), t.dst.add(plane * t.dst_plane));
            both_ways::<V, F, I, O>(
                |i, j| V::load(src.offset(at(t.src_steps, i, j))),
                |i, j, y| write(y, dst.offset(at(t.dst_steps, i, j)), t.store),
            );
        }
    }
}

#[inline(always)]
unsafe fn write<V: Vector>(y: V, dst: *mut V::Lane, store: Store) {
    // SAFETY: the caller's.
    unsafe {
        match store {
            Store::Set => y.store(dst),
            Store::Add => V::load(dst).add(y).store(dst),
        }
    }
}

/// Rows of a panel from the one in use to the one asked for, so that panels arrive from L2 in time.
const AHEAD: usize = 8;

/// # Safety
/// Every element the product names must be valid; needs the instruction set of `V`.
#[expect(clippy::needless_range_loop, reason = "one index runs through several arrays")]
#[inline(always)]
unsafe fn product<V: Vector, const M: usize, const N: usize>(t: &Product<V::Lane>) {
    // SAFETY: the caller's.
    unsafe {
        let mut acc = [[V::zero(); N]; M];
        let mut b = t.b;
        for plane in 0..t.planes {
            let mut a = t.a.add(plane * t.a_plane);
            for k in 0..V::LANES {
                // The next plane's rows, one line at a time: too far apart for the hardware to foresee.
                V::prefetch(a.wrapping_add(t.a_plane).wrapping_add(k * (V::LANES - 1)));
                let mut bs = [V::zero(); N];
                V::prefetch_l2(t.soon.wrapping_add((plane * V::LANES + k) * V::LANES));
                for n in 0..N {
                    V::prefetch(b.wrapping_add((AHEAD * N + n) * V::LANES));
                    bs[n] = V::load(b.add(n * V::LANES));
                }
                for m in 0..M {
                    let x = V::splat(a.add(m * V::LANES));
                    for n in 0..N {
                        acc[m][n] = x.mul_add(bs[n], acc[m][n]);
                    }
                }
                a = a.add(1);
                b = b.add(N * V::LANES);
            }
        }
        for m in 0..M {
            for n in 0..N {
                acc[m][n].store(t.c.add(n * t.c_plane + m * V::LANES));
            }
        }
    }
}

/// # Safety
/// Every element the product names must be valid; needs the instruction set of `V`.
#[expect(clippy::needless_range_loop, reason = "one index runs through several arrays")]
#[inline(always)]
unsafe fn outer<V: Vector, const M: usize, const N: usize, const R: usize>(t: &Outer<V::Lane>) {
    // SAFETY: the caller's.
    unsafe {
        let mut acc = [[V::zero(); N]; M];
        for group in 0..t.tiles.div_ceil(R) {
            let (mut a, mut b) = (t.a.add(group * t.a_group), t.b.add(group * t.b_group));
            for _ in 0..R.min(t.tiles - group * R) {
                let mut bs = [V::zero(); N];
                for n in 0..N {
                    bs[n] = V::load(b.add(n * t.b_plane));
                    V::prefetch(b.wrapping_add(n * t.b_plane + t.b_group));
                }
                V::prefetch(a.wrapping_add(t.a_group));
                for m in 0..M {
                    let x = V::splat(a.add(m));
                    for n in 0..N {
                        acc[m][n] = x.mul_add(bs[n], acc[m][n]);
                    }
                }
                a = a.add(V::LANES);
                b = b.add(V::LANES);
            }
        }
        for m in 0..M {
            for n in 0..N {
                write(acc[m][n], t.c.add(m * t.c_pitch + n * V::LANES), t.store);
            }
        }
    }
}

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
    pub f22: Transforms<T>,
    /// [`Product`]s by registers across, from 1, then rows, from 1.
    products: &'static [&'static [Kernel<Product<T>>]],
    /// [`Outer`]s by registers across, from 1, with their rows, which divide the lanes.
    outers: &'static [(usize, Kernel<Outer<T>>)],
}

impl<T: Real> Micro<T> {
    /// The kernels a SIMD path has for `T`.
    pub fn of(simd: Simd) -> &'static Self {
        let special: [&'static dyn Any; 2] = match simd {
            #[cfg(target_arch = "x86_64")]
            Simd::Avx512 => [&avx512::MICRO, &avx512_f64::MICRO],
            #[cfg(target_arch = "x86_64")]
            Simd::Avx2 => [&avx2::MICRO, &avx2_f64::MICRO],
            _ => [&(), &()],
        };
        special.into_iter().find_map(<dyn Any>::downcast_ref).unwrap_or(Portable::<T>::MICRO)
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

/// One module of kernels compiled for one instruction set.
macro_rules! instances {
    ($name:ident, $features:literal, $vector:ty, $lane:ty, $rows:literal, $products:tt) => {
        #[cfg(target_arch = "x86_64")]
        mod $name {
            use super::{Gather, Input, Map, Micro, Outer, Output, OutputGradient, Product, Scatter, Square};
            use super::{Transforms, Vector, Weight, WeightGradient};

            #[target_feature(enable = $features)]
            unsafe fn gather<V: Vector<Lane = $lane>, F: Map<I, O>, const I: usize, const O: usize, const R: usize>(
                t: &Gather<$lane>,
            ) {
                // SAFETY: the caller's.
                unsafe { super::gather::<V, F, I, O, R>(t) }
            }

            #[target_feature(enable = $features)]
            unsafe fn scatter<V: Vector<Lane = $lane>, F: Map<I, O>, const I: usize, const O: usize, const R: usize>(
                t: &Scatter<$lane>,
            ) {
                // SAFETY: the caller's.
                unsafe { super::scatter::<V, F, I, O, R>(t) }
            }

            #[target_feature(enable = $features)]
            unsafe fn square<V: Vector<Lane = $lane>, F: Map<I, O>, const I: usize, const O: usize>(t: &Square<$lane>) {
                // SAFETY: the caller's.
                unsafe { super::square::<V, F, I, O>(t) }
            }

            #[target_feature(enable = $features)]
            unsafe fn product<V: Vector<Lane = $lane>, const M: usize, const N: usize>(t: &Product<$lane>) {
                // SAFETY: the caller's.
                unsafe { super::product::<V, M, N>(t) }
            }

            #[target_feature(enable = $features)]
            unsafe fn outer<V: Vector<Lane = $lane>, const M: usize, const N: usize, const R: usize>(t: &Outer<$lane>) {
                // SAFETY: the caller's.
                unsafe { super::outer::<V, M, N, R>(t) }
            }

            pub(super) static MICRO: Micro<$lane> = table!($vector, <$vector as Vector>::LANES, $rows, $products);
        }
    };
}

instances!(
    avx512, "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma", std::arch::x86_64::__m512, f32, 13,
    [1: [1 2 3 4 5 6 7 8 9 10 11 12 13] 16 2: [1 2 3 4 5 6 7 8 9 10 11 12 13] 8]
);
instances!(
    avx512_f64, "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma", std::arch::x86_64::__m512d, f64, 8,
    [1: [1 2 3 4 5 6 7 8] 8 2: [1 2 3 4 5 6 7 8] 8]
);
instances!(
    avx2, "avx2,fma", std::arch::x86_64::__m256, f32, 6, [1: [1 2 3 4 5 6] 8 2: [1 2 3 4 5 6] 4]
);
instances!(
    avx2_f64, "avx2,fma", std::arch::x86_64::__m256d, f64, 6, [1: [1 2 3 4 5 6] 4 2: [1 2 3 4 5 6] 4]
);
