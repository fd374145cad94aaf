//! The micro-kernels: a tile of the output stays in registers while its whole sum is formed.
//!
//! * [`Rows`]: `c[m][n] = sum_k a[m][k] b[k][n]`. Each row of `a` is a pointer of its own and a list of evenly
//!   spaced runs, so the pixels of an image are rows as they lie in memory; `b` is packed in panels. [`Line`]: they lie evenly.
//! * [`Outer`]: `c[m][n] = sum_p a[p][m] b[p][n]`, a sum of outer products over points `p` of up to three nested
//!   loops, for weight gradients and transposed left operands.
//! * [`Dots`]: `c[m][n] = sum_k a[m][k] b[n][k]` for a few `n` only, lanes along `k`.
//! * [`Strip`]: [`Rows`] for neighbouring pixels of a convolution of stride 1, where one pixel of the source serves
//!   two or three outputs: a third of the loads, which are the bottleneck of tiles one register wide.
//!
//! In the first two lanes run along `n` and values of `a` are broadcast: every output is one sum in the order of `k` (or
//! `p`). In the third it is one such sum a lane, in the fourth taps come after channels. None depends on how rows make tiles.

use crate::Store;
use crate::vector::{Vector, prefetch};

/// Most columns of a [`Dots`] tile.
pub(crate) const MAX_DOTS: usize = 4;

/// Steps of a [`Line`] between two that cost more than products.
pub(crate) const UNROLL: usize = 4;

/// Rows of a panel from the one in use to the one asked for, so that panels arrive from L2 in time.
const AHEAD: usize = 8;

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

/// Rows a constant distance apart: `c[m][n] = sum_s sum_k a[m * distance + s * a_pitch + k] b[s * b_pitch + k][n]`.
pub(crate) struct Line<T> {
    pub a: *const T,
    /// Elements from one row of `a` to the next.
    pub distance: usize,
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

/// Pixels `m` next to one another: `c[m][n] = sum_s sum_k sum_t a[s * a_pitch + (m + t) * channels + k]
/// b[s * b_pitch + t * channels + k][n]`, k < channels, t < 2 or 3.
pub(crate) struct Strip<T> {
    /// The first pixel's first element.
    pub a: *const T,
    /// Lines of taps.
    pub lines: usize,
    /// Elements of a pixel.
    pub channels: usize,
    /// Elements from one line of `a` to the next.
    pub a_pitch: usize,
    /// A panel one register wide.
    pub b: *const T,
    /// Rows of `b` from one line of taps to the next.
    pub b_pitch: usize,
    /// A pointer to the first column of each output pixel.
    pub c: *const *mut T,
    /// Columns that exist.
    pub columns: usize,
    /// How `c` is written.
    pub store: Store,
}

/// Writes a tile row of N registers, the last one as far as there are columns.
#[inline(always)]
unsafe fn write<V: Vector, const N: usize>(acc: [V; N], c: *mut V::Lane, columns: usize, store: Store) {
    for (j, &value) in acc.iter().enumerate() {
        // SAFETY: the caller's; only existing columns are touched.
        unsafe {
            let c = c.add(j * V::LANES);
            // Without AVX-512 a store under a mask may take tens of cycles.
            let whole = j + 1 < N || columns == N * V::LANES;
            match (store, whole) {
                (Store::Set, true) => value.store(c),
                (Store::Add, true) => V::load(c).add(value).store(c),
                (_, false) => value.write_masked(c, V::mask(columns - j * V::LANES), store),
            }
        }
    }
}

#[expect(clippy::needless_range_loop, reason = "one index runs through several arrays")]
#[inline(always)]
pub(super) unsafe fn rows<V: Vector, const M: usize, const N: usize>(t: &Rows<V::Lane>) {
    // SAFETY: the caller's, see `Micro::rows`.
    unsafe {
        let mut acc = [[V::zero(); N]; M];
        let a: [*const V::Lane; M] = *t.a.cast();
        // One loop over all runs, without branches at the gaps: nested loops make the compiler spill the sums.
        let (mut b, mut k, mut left) = (t.b, 0, t.run);
        let (a_gap, b_gap) = (t.a_pitch.wrapping_sub(t.run), t.b_pitch.wrapping_sub(t.run).wrapping_mul(N * V::LANES));
        let mut steps = t.runs * t.run;
        if steps == 0 {
            for m in 0..M {
                write::<V, N>(acc[m], *t.c.add(m), t.columns, t.store);
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
            write::<V, N>(acc[m], *t.c.add(m), t.columns, t.store);
        }
    }
}

#[expect(clippy::needless_range_loop, reason = "one index runs through several arrays")]
#[inline(always)]
pub(super) unsafe fn line<V: Vector, const M: usize, const N: usize>(t: &Line<V::Lane>) {
    // SAFETY: the caller's, see `Micro::line`.
    unsafe {
        let mut acc = [[V::zero(); N]; M];
        let d = t.distance;
        let mut a = [t.a; 4];
        for q in 0..M.div_ceil(4) {
            a[q] = t.a.wrapping_add(4 * q * d);
        }
        let (mut b, mut left) = (t.b, t.run);
        let (a_gap, b_gap) = (t.a_pitch.wrapping_sub(t.run), t.b_pitch.wrapping_sub(t.run).wrapping_mul(N * V::LANES));
        let mut steps = t.runs * (t.run / UNROLL);
        loop {
            for k in 0..UNROLL {
                let mut bs = [V::zero(); N];
                for n in 0..N {
                    if (k * N + n).is_multiple_of(V::OF_LINE) {
                        prefetch(b.wrapping_add(((AHEAD + k) * N + n) * V::LANES));
                    }
                    bs[n] = V::load(b.add((k * N + n) * V::LANES));
                }
                for m in 0..M {
                    let x = V::splat(a[m / 4].wrapping_add(m % 4 * d).wrapping_add(k));
                    for n in 0..N {
                        acc[m][n] = x.mul_add(bs[n], acc[m][n]);
                    }
                }
            }
            left -= UNROLL;
            let end = left == 0;
            for q in 0..M.div_ceil(4) {
                a[q] = a[q].wrapping_add(UNROLL).wrapping_add(if end { a_gap } else { 0 });
            }
            b = b.wrapping_add((UNROLL * N * V::LANES).wrapping_add(if end { b_gap } else { 0 }));
            left = if end { t.run } else { left };
            steps -= 1;
            if steps == 0 {
                break;
            }
        }
        for m in 0..M {
            write::<V, N>(acc[m], *t.c.add(m), t.columns, t.store);
        }
    }
}

#[expect(clippy::needless_range_loop, reason = "one index runs through several arrays")]
#[inline(always)]
pub(super) unsafe fn outer<V: Vector, const M: usize, const N: usize>(t: &Outer<V::Lane>) {
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
            write::<V, N>(acc[m], t.c.add(m * t.c_pitch), t.columns, t.store);
        }
    }
}

#[inline(always)]
pub(super) unsafe fn dots<V: Vector, const M: usize, const N: usize>(t: &Dots<V::Lane>) {
    // SAFETY: the caller's, see `Micro::dots`.
    unsafe {
        let mut acc = [[V::zero(); N]; M];
        let a: [*const V::Lane; M] = *t.a.cast();
        let b: [*const V::Lane; N] = std::array::from_fn(|n| t.b.add(n * t.b_column));
        // One loop over all runs, as in `rows`; the last step of a run is masked.
        let (mut i, mut j, mut left) = (0, 0, t.run);
        let (a_gap, b_gap) = (t.a_pitch.wrapping_sub(t.run), t.b_pitch.wrapping_sub(t.run));
        let mut steps = t.runs * t.run.div_ceil(V::LANES);
        if steps == 0 {
            return total(&acc, t.c, t.store);
        }
        loop {
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
            steps -= 1;
            if steps == 0 {
                break;
            }
        }
        total(&acc, t.c, t.store);
    }
}

/// Writes the sums of the lanes.
#[inline(always)]
unsafe fn total<V: Vector, const M: usize, const N: usize>(acc: &[[V; N]; M], c: *const *mut V::Lane, store: Store) {
    for (m, row) in acc.iter().enumerate() {
        for (n, &lanes) in row.iter().enumerate() {
            // SAFETY: the caller's: M rows of N outputs.
            unsafe { store.write(&mut *(*c.add(m)).add(n), lanes.sum()) };
        }
    }
}

/// The body once for each constant.
macro_rules! unroll {
    ($i:ident in [$($value:literal)*] $body:block) => {
        $({
            let $i = $value;
            $body
        })*
    };
}

#[expect(clippy::needless_range_loop, reason = "one index runs through several arrays")]
#[inline(always)]
pub(super) unsafe fn strip<V: Vector, const M: usize, const K: usize>(t: &Strip<V::Lane>) {
    // SAFETY: the caller's, see `Micro::strip`.
    unsafe {
        let mut acc = [V::zero(); M];
        let mut a = [t.a; MAX_ROWS + 2];
        for j in 0..M + K - 1 {
            a[j] = t.a.wrapping_add(j * t.channels);
        }
        // One loop over all lines and channels, as in `rows`.
        let (mut b, mut k, mut left) = (t.b, 0, t.channels);
        let a_gap = t.a_pitch.wrapping_sub(t.channels);
        let b_gap = t.b_pitch.wrapping_sub(t.channels).wrapping_mul(V::LANES);
        let mut steps = t.lines * t.channels;
        loop {
            let mut bs = [V::zero(); K];
            for i in 0..K {
                bs[i] = V::load(b.add(i * t.channels * V::LANES));
            }
            // Written out, as this is more than the compiler unrolls.
            unroll!(j in [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25] {
                if j < M + K - 1 {
                    let x = V::splat(a[j].add(k));
                    for i in 0..K {
                        if j >= i && j - i < M {
                            acc[j - i] = x.mul_add(bs[i], acc[j - i]);
                        }
                    }
                }
            });
            left -= 1;
            let end = left == 0;
            k = k.wrapping_add(1).wrapping_add(if end { a_gap } else { 0 });
            b = b.wrapping_add(V::LANES.wrapping_add(if end { b_gap } else { 0 }));
            left = if end { t.channels } else { left };
            steps -= 1;
            if steps == 0 {
                break;
            }
        }
        for m in 0..M {
            write::<V, 1>([acc[m]], *t.c.add(m), t.columns, t.store);
        }
    }
}
