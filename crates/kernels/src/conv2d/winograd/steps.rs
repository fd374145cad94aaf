//! The kernels of Winograd's algorithm: transforms of square tiles, and the products between them, each once for all
//! SIMD paths.
//!
//! Transformed tiles lie in groups of R, the rows of a product: `[group][plane][product][R tiles][lanes]`, a plane being as
//! many channels as a register has lanes. So rows, and a tile's products, are constant distances apart: their addresses
//! are one pointer and offsets known when compiling.

use super::transform::Map;
use crate::Store;
use crate::vector::{Vector, prefetch, prefetch_l2};
use std::sync::atomic::{Ordering, compiler_fence};

/// Pixels of a square, transformed to a tile of a group, plane by plane.
pub(super) struct Gather<'a, T> {
    pub src: *const T,
    /// Elements from `src` to each pixel of the square, which may be of another allocation: of both the addresses are exposed.
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
    /// Whether the sum goes on from what `c` holds.
    pub store: Store,
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
    /// m rows of a register each, for n = 0.
    pub c: *mut T,
    /// Elements to those of the next n.
    pub c_plane: usize,
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
pub(super) unsafe fn gather<V: Vector, F: Map<I, O>, const I: usize, const O: usize, const R: usize>(
    t: &Gather<V::Lane>,
) {
    let step = R * V::LANES;
    // SAFETY: the caller's.
    unsafe {
        let offsets: &[[isize; I]; I] = &*t.offsets[..I * I].as_ptr().cast();
        for plane in 0..t.planes {
            let (src, dst) = (t.src.wrapping_add(plane * V::LANES), t.dst.add(plane * O * O * step));
            both_ways::<V, F, I, O>(
                |i, j| V::load(std::ptr::with_exposed_provenance(src.wrapping_offset(offsets[i][j]).addr())),
                |i, j, y| y.store(dst.add((i * O + j) * step)),
            );
        }
    }
}

/// # Safety
/// Every element the square names must be valid; needs the instruction set of `V`.
#[inline(always)]
pub(super) unsafe fn scatter<V: Vector, F: Map<I, O>, const I: usize, const O: usize, const R: usize>(
    t: &Scatter<V::Lane>,
) {
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
pub(super) unsafe fn square<V: Vector, F: Map<I, O>, const I: usize, const O: usize>(t: &Square<V::Lane>) {
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
pub(super) unsafe fn product<V: Vector, const M: usize, const N: usize>(t: &Product<V::Lane>) {
    // SAFETY: the caller's.
    unsafe {
        let mut acc = [[V::zero(); N]; M];
        if t.store == Store::Add {
            for m in 0..M {
                for n in 0..N {
                    acc[m][n] = V::load(t.c.add(n * t.c_plane + m * V::LANES));
                }
            }
        }
        let mut b = t.b;
        for plane in 0..t.planes {
            let mut a = t.a.add(plane * t.a_plane);
            for k in 0..V::LANES {
                if k.is_multiple_of(V::OF_LINE) {
                    // The next plane's rows, one line at a time: too far apart for the hardware to foresee.
                    prefetch(a.wrapping_add(t.a_plane).wrapping_add(k * (V::LANES - 1)));
                    prefetch_l2(t.soon.wrapping_add((plane * V::LANES + k) * V::LANES));
                }
                let mut bs = [V::zero(); N];
                for n in 0..N {
                    if (k * N + n).is_multiple_of(V::OF_LINE) {
                        prefetch(b.wrapping_add((AHEAD * N + n) * V::LANES));
                    }
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
                // Without it the compiler loads for several steps ahead, and where registers are few spills sums for that.
                compiler_fence(Ordering::SeqCst);
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
pub(super) unsafe fn outer<V: Vector, const M: usize, const N: usize, const R: usize>(t: &Outer<V::Lane>) {
    // SAFETY: the caller's.
    unsafe {
        let mut acc = [[V::zero(); N]; M];
        for group in 0..t.tiles.div_ceil(R) {
            let (mut a, mut b) = (t.a.add(group * t.a_group), t.b.add(group * t.b_group));
            for tile in 0..R.min(t.tiles - group * R) {
                if tile.is_multiple_of(V::OF_LINE) {
                    for n in 0..N {
                        prefetch(b.wrapping_add(n * t.b_plane + t.b_group));
                    }
                    prefetch(a.wrapping_add(t.a_group));
                }
                let mut bs = [V::zero(); N];
                for n in 0..N {
                    bs[n] = V::load(b.add(n * t.b_plane));
                }
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
                write(acc[m][n], t.c.add(m * V::LANES + n * t.c_plane), t.store);
            }
        }
    }
}
