//! The micro-kernels: a tile of the output stays in registers while its whole sum is formed.
//!
//! * [`Rows`]: `c[m][n] = sum_k a[m][k] b[k][n]`. Each row of `a` is a pointer of its own and a list of evenly
//!   spaced runs, so the pixels of an image are rows as they lie in memory; `b` is packed in panels.
//! * [`Outer`]: `c[m][n] = sum_p a[p][m] b[p][n]`, a sum of outer products over points `p` of up to three nested
//!   loops, for weight gradients and transposed left operands.
//! * [`Dots`]: `c[m][n] = sum_k a[m][k] b[n][k]` for a few `n` only, lanes along `k`.
//!
//! In the first two lanes run along `n` and values of `a` are broadcast: every output is one sum in the order of
//! `k` (or `p`). In the third it is one such sum a lane. Neither depends on how rows are grouped into tiles.

use super::vector::{Lanes, Vector};
use crate::{Real, Simd, Store};
use std::any::Any;
use std::marker::PhantomData;

/// Most columns of a [`Dots`] tile.
pub(crate) const MAX_DOTS: usize = 4;

/// Most rows of any tile.
pub(crate) const MAX_ROWS: usize = 24;

/// One tile of `c[m][n] = sum_s sum_k a[m][s * a_pitch + k] b[s * b_pitch + k][n]`, k < run.
pub(crate) struct Rows<T> {
    /// A pointer to the first element of each row.
    pub a: *const *const T,
    /// Runs in a row.
    pub runs: usize,
    /// Elements of a run.
    pub run: usize,
    /// Elements from one run of `a` to the next.
    pub a_pitch: usize,
    /// A panel `[k][width]`, `width` the columns rounded up to whole registers.
    pub b: *const T,
    /// Rows of `b` from one run to the next.
    pub b_pitch: usize,
    /// A pointer to the first column of each output row.
    pub c: *const *mut T,
    /// Columns that exist.
    pub columns: usize,
    /// How `c` is written.
    pub store: Store,
}

/// One tile of `c[m][n] = sum_p a[p][m] b[p][n]`, p over three nested loops.
pub(crate) struct Outer<T> {
    /// Trip counts, outermost first.
    pub counts: [usize; 3],
    /// The first point's rows.
    pub a: *const T,
    /// Elements from one point of `a` to the next in each loop.
    pub a_steps: [usize; 3],
    /// The first point's columns.
    pub b: *const T,
    /// Elements from one point of `b` to the next in each loop.
    pub b_steps: [usize; 3],
    /// The tile, row-major.
    pub c: *mut T,
    /// Elements from one row of `c` to the next.
    pub c_pitch: usize,
    /// Columns that exist.
    pub columns: usize,
    /// How `c` is written.
    pub store: Store,
}

/// One tile of `c[m][n] = sum_s sum_k a[m][s * a_pitch + k] b[n][s * b_pitch + k]`, k < run.
pub(crate) struct Dots<T> {
    /// A pointer to the first element of each row.
    pub a: *const *const T,
    /// Runs in a row.
    pub runs: usize,
    /// Elements of a run.
    pub run: usize,
    /// Elements from one run of `a` to the next.
    pub a_pitch: usize,
    /// The first element of the first column of `b`.
    pub b: *const T,
    /// Elements from one column of `b` to the next.
    pub b_column: usize,
    /// Elements from one run of `b` to the next.
    pub b_pitch: usize,
    /// A pointer to the first column of each output row.
    pub c: *const *mut T,
    /// How `c` is written.
    pub store: Store,
}

/// Kernels by number of rows, from 1.
type Table<K> = &'static [unsafe fn(&K)];

/// The kernels of one element type and SIMD path.
pub(crate) struct Micro<T: 'static> {
    /// Numbers in a register.
    lanes: usize,
    /// [`Rows`] kernels by registers across, from 1.
    rows: &'static [Table<Rows<T>>],
    /// [`Outer`] kernels, likewise.
    outer: &'static [Table<Outer<T>>],
    /// [`Dots`] kernels by columns, from 1, then rows.
    dots: [Table<Dots<T>>; MAX_DOTS],
}

impl<T: Real> Micro<T> {
    /// The kernels a SIMD path has for `T`.
    pub fn of(simd: Simd) -> &'static Self {
        #[cfg(target_arch = "x86_64")]
        let special: [&'static dyn Any; 2] = match simd {
            Simd::Avx512 => [&avx512::MICRO, &avx512_f64::MICRO],
            Simd::Avx2 => [&avx2::MICRO, &avx2_f64::MICRO],
            Simd::Portable => [&(), &()],
        };
        #[cfg(not(target_arch = "x86_64"))]
        let special: [&'static dyn Any; 0] = [];
        special.into_iter().find_map(<dyn Any>::downcast_ref).unwrap_or(Portable::<T>::MICRO)
    }

    /// Columns of a full panel.
    pub fn width(&self) -> usize {
        self.rows.len() * self.lanes
    }

    /// `columns` rounded up to whole registers: how wide a packed panel is.
    pub fn padded(&self, columns: usize) -> usize {
        columns.next_multiple_of(self.lanes)
    }

    /// Most rows of a [`Rows`] tile of so many columns.
    pub fn max_rows(&self, columns: usize) -> usize {
        self.rows[(columns - 1) / self.lanes].len()
    }

    /// Most rows of an [`Outer`] tile of so many columns.
    pub fn max_outer_rows(&self, columns: usize) -> usize {
        self.outer[(columns - 1) / self.lanes].len()
    }

    /// Computes one tile of `rows` rows.
    ///
    /// # Safety
    /// Every element the tile names must be valid, and no one else may use its outputs meanwhile.
    #[inline]
    pub unsafe fn rows(&self, rows: usize, tile: &Rows<T>) {
        let kernel = self.rows[(tile.columns - 1) / self.lanes][rows - 1];
        // SAFETY: the caller's; the path was found on this machine.
        unsafe { kernel(tile) }
    }

    /// Numbers in a register.
    pub fn lanes(&self) -> usize {
        self.lanes
    }

    /// Most rows of a [`Dots`] tile of so many columns.
    pub fn max_dots_rows(&self, columns: usize) -> usize {
        self.dots[columns - 1].len()
    }

    /// Computes one tile of `rows` rows and `columns` columns.
    ///
    /// # Safety
    /// As for [`Micro::rows`].
    #[inline]
    pub unsafe fn dots(&self, rows: usize, columns: usize, tile: &Dots<T>) {
        // SAFETY: the caller's; the path was found on this machine.
        unsafe { self.dots[columns - 1][rows - 1](tile) }
    }

    /// Computes one tile of `rows` rows.
    ///
    /// # Safety
    /// As for [`Micro::rows`].
    #[inline]
    pub unsafe fn outer(&self, rows: usize, tile: &Outer<T>) {
        let kernel = self.outer[(tile.columns - 1) / self.lanes][rows - 1];
        // SAFETY: the caller's; the path was found on this machine.
        unsafe { kernel(tile) }
    }
}

/// Writes a tile row of N registers, the last one partly.
#[inline(always)]
unsafe fn write<V: Vector, const N: usize>(acc: [V; N], c: *mut V::Lane, mask: V::Mask, store: Store) {
    for (j, &value) in acc.iter().enumerate() {
        // SAFETY: the caller's; only existing columns are touched.
        unsafe {
            let c = c.add(j * V::LANES);
            match (store, j + 1 < N) {
                (Store::Set, true) => value.store(c),
                (Store::Add, true) => V::load(c).add(value).store(c),
                (Store::Set, false) => value.store_masked(c, mask),
                (Store::Add, false) => V::load_masked(c, mask).add(value).store_masked(c, mask),
            }
        }
    }
}

#[expect(clippy::needless_range_loop, reason = "one index runs through several arrays")]
#[inline(always)]
unsafe fn rows<V: Vector, const M: usize, const N: usize>(t: &Rows<V::Lane>) {
    // SAFETY: the caller's, see `Micro::rows`.
    unsafe {
        let mask = V::mask(t.columns - (N - 1) * V::LANES);
        let mut acc = [[V::zero(); N]; M];
        let a: [*const V::Lane; M] = *t.a.cast();
        // One loop over all runs, stepping over the gaps without a branch: nested loops make the compiler spill
        // the accumulators between them.
        let (mut b, mut k, mut left) = (t.b, 0, t.run);
        let (a_gap, b_gap) = (t.a_pitch.wrapping_sub(t.run), t.b_pitch.wrapping_sub(t.run).wrapping_mul(N * V::LANES));
        let mut steps = t.runs * t.run;
        if steps == 0 {
            for m in 0..M {
                write::<V, N>(acc[m], *t.c.add(m), mask, t.store);
            }
            return;
        }
        loop {
            let mut bs = [V::zero(); N];
            for j in 0..N {
                bs[j] = V::load(b.add(j * V::LANES));
            }
            for m in 0..M {
                let x = V::splat(a[m].add(k));
                for j in 0..N {
                    acc[m][j] = x.mul_add(bs[j], acc[m][j]);
                }
            }
            left -= 1;
            let end = left == 0;
            k = k.wrapping_add(1).wrapping_add(if end { a_gap } else { 0 });
            b = b.wrapping_add((N * V::LANES).wrapping_add(if end { b_gap } else { 0 }));
            left = if end { t.run } else { left };
            steps -= 1;
            if steps == 0 {
                break;
            }
        }
        for m in 0..M {
            write::<V, N>(acc[m], *t.c.add(m), mask, t.store);
        }
    }
}

#[expect(clippy::needless_range_loop, reason = "one index runs through several arrays")]
#[inline(always)]
unsafe fn outer<V: Vector, const M: usize, const N: usize>(t: &Outer<V::Lane>) {
    // SAFETY: the caller's, see `Micro::outer`.
    unsafe {
        let mask = V::mask(t.columns - (N - 1) * V::LANES);
        let mut acc = [[V::zero(); N]; M];
        for i in 0..t.counts[0] {
            for j in 0..t.counts[1] {
                let mut a = t.a.add(i * t.a_steps[0] + j * t.a_steps[1]);
                let mut b = t.b.add(i * t.b_steps[0] + j * t.b_steps[1]);
                for _ in 0..t.counts[2] {
                    let mut bs = [V::zero(); N];
                    for n in 0..N - 1 {
                        bs[n] = V::load(b.add(n * V::LANES));
                    }
                    bs[N - 1] = V::load_masked(b.add((N - 1) * V::LANES), mask);
                    for m in 0..M {
                        let x = V::splat(a.add(m));
                        for n in 0..N {
                            acc[m][n] = x.mul_add(bs[n], acc[m][n]);
                        }
                    }
                    a = a.wrapping_add(t.a_steps[2]);
                    b = b.wrapping_add(t.b_steps[2]);
                }
            }
        }
        for m in 0..M {
            write::<V, N>(acc[m], t.c.add(m * t.c_pitch), mask, t.store);
        }
    }
}

#[expect(clippy::needless_range_loop, reason = "one index runs through several arrays")]
#[inline(always)]
unsafe fn dots<V: Vector, const M: usize, const N: usize>(t: &Dots<V::Lane>) {
    // SAFETY: the caller's, see `Micro::dots`.
    unsafe {
        let mut acc = [[V::zero(); N]; M];
        let a: [*const V::Lane; M] = *t.a.cast();
        let b: [*const V::Lane; N] = {
            let mut b = [t.b; N];
            for n in 0..N {
                b[n] = t.b.add(n * t.b_column);
            }
            b
        };
        // One loop over all runs, as in `rows`; the last step of a run is masked.
        let (mut i, mut j, mut left) = (0, 0, t.run);
        let (a_gap, b_gap) = (t.a_pitch.wrapping_sub(t.run), t.b_pitch.wrapping_sub(t.run));
        for _ in 0..t.runs * t.run.div_ceil(V::LANES) {
            let step = left.min(V::LANES);
            let mask = V::mask(step);
            let mut bs = [V::zero(); N];
            for n in 0..N {
                bs[n] = V::load_masked(b[n].wrapping_add(j), mask);
            }
            for m in 0..M {
                let x = V::load_masked(a[m].wrapping_add(i), mask);
                for n in 0..N {
                    acc[m][n] = x.mul_add(bs[n], acc[m][n]);
                }
            }
            left -= step;
            let end = left == 0;
            i = i.wrapping_add(step).wrapping_add(if end { a_gap } else { 0 });
            j = j.wrapping_add(step).wrapping_add(if end { b_gap } else { 0 });
            left = if end { t.run } else { left };
        }
        for m in 0..M {
            let c = *t.c.add(m);
            for n in 0..N {
                t.store.write(&mut *c.add(n), acc[m][n].sum());
            }
        }
    }
}

/// The kernels in plain Rust.
struct Portable<T>(PhantomData<T>);

impl<T: Real> Portable<T> {
    const ROWS: Table<Rows<T>> = &[
        rows::<Lanes<T>, 1, 1>,
        rows::<Lanes<T>, 2, 1>,
        rows::<Lanes<T>, 3, 1>,
        rows::<Lanes<T>, 4, 1>,
        rows::<Lanes<T>, 5, 1>,
        rows::<Lanes<T>, 6, 1>,
    ];
    const OUTER: Table<Outer<T>> = &[
        outer::<Lanes<T>, 1, 1>,
        outer::<Lanes<T>, 2, 1>,
        outer::<Lanes<T>, 3, 1>,
        outer::<Lanes<T>, 4, 1>,
        outer::<Lanes<T>, 5, 1>,
        outer::<Lanes<T>, 6, 1>,
    ];
    const DOTS: [Table<Dots<T>>; MAX_DOTS] = [
        &[dots::<Lanes<T>, 1, 1>, dots::<Lanes<T>, 2, 1>, dots::<Lanes<T>, 3, 1>],
        &[dots::<Lanes<T>, 1, 2>, dots::<Lanes<T>, 2, 2>],
        &[dots::<Lanes<T>, 1, 3>],
        &[dots::<Lanes<T>, 1, 4>],
    ];
    const MICRO: &'static Micro<T> = &Micro { lanes: 8, rows: &[Self::ROWS], outer: &[Self::OUTER], dots: Self::DOTS };
}

/// One module of kernels compiled for one instruction set: rows with one register across, then with two.
macro_rules! instances {
    ($name:ident, $features:literal, $vector:ty, $lane:ty, [$($one:literal)*], [$($two:literal)*],
     [$($dot1:literal)*], [$($dot2:literal)*], [$($dot3:literal)*], [$($dot4:literal)*]) => {
        #[cfg(target_arch = "x86_64")]
        mod $name {
            use super::{Dots, Micro, Outer, Rows};

            #[target_feature(enable = $features)]
            unsafe fn rows<const M: usize, const N: usize>(tile: &Rows<$lane>) {
                // SAFETY: the caller's.
                unsafe { super::rows::<$vector, M, N>(tile) }
            }

            #[target_feature(enable = $features)]
            unsafe fn outer<const M: usize, const N: usize>(tile: &Outer<$lane>) {
                // SAFETY: the caller's.
                unsafe { super::outer::<$vector, M, N>(tile) }
            }

            #[target_feature(enable = $features)]
            unsafe fn dots<const M: usize, const N: usize>(tile: &Dots<$lane>) {
                // SAFETY: the caller's.
                unsafe { super::dots::<$vector, M, N>(tile) }
            }

            pub(super) static MICRO: Micro<$lane> = Micro {
                lanes: <$vector as super::Vector>::LANES,
                rows: &[&[$(rows::<$one, 1>),*], &[$(rows::<$two, 2>),*]],
                outer: &[&[$(outer::<$one, 1>),*], &[$(outer::<$two, 2>),*]],
                dots: [
                    &[$(dots::<$dot1, 1>),*],
                    &[$(dots::<$dot2, 2>),*],
                    &[$(dots::<$dot3, 3>),*],
                    &[$(dots::<$dot4, 4>),*],
                ],
            };
        }
    };
}

instances!(
    avx512, "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma", std::arch::x86_64::__m512, f32,
    [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24], [1 2 3 4 5 6 7 8 9 10 11 12 13 14],
    [1 2 3 4 5 6 7 8], [1 2 3 4 5 6 7 8], [1 2 3 4 5 6 7 8], [1 2 3 4 5 6]
);
instances!(
    avx512_f64, "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma", std::arch::x86_64::__m512d, f64,
    [1 2 3 4 5 6 7 8], [1 2 3 4 5 6 7 8], [1 2 3 4], [1 2 3 4], [1 2 3 4], [1 2 3 4]
);
instances!(
    avx2, "avx2,fma", std::arch::x86_64::__m256, f32,
    [1 2 3 4 5 6 7 8], [1 2 3 4 5 6], [1 2 3 4 5 6 7 8], [1 2 3 4 5 6], [1 2 3 4], [1 2 3]
);
instances!(
    avx2_f64, "avx2,fma", std::arch::x86_64::__m256d, f64,
    [1 2 3 4 5 6], [1 2 3 4 5 6], [1 2 3 4], [1 2 3 4], [1 2 3 4], [1 2 3]
);
