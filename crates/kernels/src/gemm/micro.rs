//! Which micro-kernels there are: [`Micro`] has those of one element type and SIMD path, compiled for that path.

use super::tiles::{self, Dots, Line, MAX_DOTS, Outer, Rows, Strip, UNROLL};
use crate::vector::{Lanes, Vector, micro_of};
use crate::{Real, Simd};
use std::marker::PhantomData;

/// Kernels by number of rows, from 1.
type Table<K> = &'static [unsafe fn(&K)];

/// The kernels of one element type and SIMD path.
pub(crate) struct Micro<T: 'static> {
    /// Numbers in a register.
    lanes: usize,
    /// [`Rows`] kernels by registers across, from 1.
    rows: &'static [Table<Rows<T>>],
    /// [`Line`] kernels, likewise.
    lines: &'static [Table<Line<T>>],
    /// [`Outer`] kernels, likewise.
    outer: &'static [Table<Outer<T>>],
    /// [`Dots`] kernels by columns, from 1, then rows.
    dots: [Table<Dots<T>>; MAX_DOTS],
    /// [`Strip`] kernels of two and of three taps.
    strips: [Table<Strip<T>>; 2],
}

impl<T: Real> Micro<T> {
    /// The kernels a SIMD path has for `T`.
    pub fn of(simd: Simd) -> &'static Self {
        micro_of!(simd, Portable::<T>::MICRO)
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

    /// Most rows of a [`Line`] tile of so many columns, if tiles of `rows` rows keep enough sums in flight: a product
    /// takes four cycles, and two start in each.
    pub fn max_line(&self, rows: usize, columns: usize) -> Option<usize> {
        const SUMS: usize = 10;
        let registers = columns.div_ceil(self.lanes);
        let most = self.lines[registers - 1].len();
        (rows / rows.div_ceil(most) * registers >= SUMS).then_some(most)
    }

    /// Computes one tile of `rows` rows.
    ///
    /// # Safety
    /// As for [`Micro::rows`]; there are runs, of a multiple of `UNROLL` elements and not of 0.
    #[inline]
    pub unsafe fn line(&self, rows: usize, tile: &Line<T>) {
        debug_assert!(tile.runs > 0 && tile.run > 0 && tile.run.is_multiple_of(UNROLL));
        let kernel = self.lines[(tile.columns - 1) / self.lanes][rows - 1];
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

    /// Most pixels of a [`Strip`] of `taps` taps across and so many columns, if there are kernels for it.
    pub fn max_strip(&self, taps: usize, columns: usize) -> Option<usize> {
        (columns <= self.lanes && (2..=3).contains(&taps)).then(|| self.strips[taps - 2].len())
    }

    /// Computes one strip of `pixels` pixels and `taps` taps across.
    ///
    /// # Safety
    /// As for [`Micro::rows`]; there are lines and channels.
    #[inline]
    pub unsafe fn strip(&self, pixels: usize, taps: usize, tile: &Strip<T>) {
        debug_assert!(tile.lines > 0 && tile.channels > 0);
        // SAFETY: the caller's; the path was found on this machine.
        unsafe { self.strips[taps - 2][pixels - 1](tile) }
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

/// The table of one path. For each number of registers across: rows of a product over rows, of one over lines, and of an outer one as of
/// the first; for each number of columns, rows of inner products; pixels of a strip.
macro_rules! table {
    ($vector:ty, $lanes:expr, {rows [$($across:literal: [$($row:literal)*])*], lines [$($line_across:literal: [$($line:literal)*])*],
     dots [$($column:literal: [$($dot:literal)*])*], strips $strips:tt}) => {
        Micro {
            lanes: $lanes,
            rows: &[$(&[$(rows::<$vector, $row, $across>),*]),*],
            lines: &[$(&[$(line::<$vector, $line, $line_across>),*]),*],
            outer: &[$(&[$(outer::<$vector, $row, $across>),*]),*],
            dots: [$(&[$(dots::<$vector, $dot, $column>),*]),*],
            strips: [strips!($vector, 2, $strips), strips!($vector, 3, $strips)],
        }
    };
}

/// Strips of so many taps.
macro_rules! strips {
    ($vector:ty, $taps:literal, [$($pixels:literal)*]) => {
        &[$(strip::<$vector, $pixels, $taps>),*]
    };
}

/// The kernels in plain Rust.
struct Portable<T>(PhantomData<T>);

impl<T: Real> Portable<T> {
    const MICRO: &'static Micro<T> = {
        use tiles::{dots, line, outer, rows, strip};
        &table!(
            Lanes<T>,
            8,
            { rows [1: [1 2 3 4 5 6]], lines [1: [1 2 3 4 5 6]], dots [1: [1 2 3] 2: [1 2] 3: [1] 4: [1]], strips [1 2 3] }
        )
    };
}

/// Modules of kernels, each compiled for one instruction set, which have one table: it depends on how many registers there are.
macro_rules! instances {
    ($lane:ty, $table:tt, $($name:ident: $arch:literal, $features:literal, $vector:ty;)*) => {$(
        #[cfg(target_arch = $arch)]
        mod $name {
            use super::{Dots, Line, Micro, Outer, Rows, Strip, Vector, tiles};

            crate::vector::with_features!($features, $lane, tiles:
                rows(Rows) [M N];
                line(Line) [M N];
                outer(Outer) [M N];
                dots(Dots) [M N];
                strip(Strip) [M K];
            );

            pub(super) static MICRO: Micro<$lane> = table!($vector, <$vector as Vector>::LANES, $table);
        }
    )*};
}

instances!(
    f32,
    {
        rows [1: [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24] 2: [1 2 3 4 5 6 7 8 9 10 11 12 13 14]],
        lines [1: [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16] 2: [1 2 3 4 5 6 7 8 9 10 11 12 13]],
        dots [1: [1 2 3 4 5 6 7 8] 2: [1 2 3 4 5 6 7 8] 3: [1 2 3 4 5 6 7 8] 4: [1 2 3 4 5 6]],
        strips [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24]
    },
    avx512: "x86_64", "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma", std::arch::x86_64::__m512;
);
instances!(
    f64,
    {
        rows [1: [1 2 3 4 5 6 7 8] 2: [1 2 3 4 5 6 7 8]],
        lines [1: [1 2 3 4 5 6 7 8] 2: [1 2 3 4 5 6 7 8]],
        dots [1: [1 2 3 4] 2: [1 2 3 4] 3: [1 2 3 4] 4: [1 2 3 4]],
        strips [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24]
    },
    avx512_f64: "x86_64", "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma", std::arch::x86_64::__m512d;
);
instances!(
    f32,
    {
        rows [1: [1 2 3 4 5 6 7 8] 2: [1 2 3 4 5 6]],
        lines [1: [1 2 3 4 5 6 7 8] 2: [1 2 3 4 5 6]],
        dots [1: [1 2 3 4 5 6] 2: [1 2 3 4 5] 3: [1 2 3] 4: [1 2]],
        strips [1 2 3 4 5 6 7 8 9 10]
    },
    avx2: "x86_64", "avx2,fma", std::arch::x86_64::__m256;
    neon: "aarch64", "neon", crate::vector::arm::Pair<std::arch::aarch64::float32x4_t>;
);
instances!(
    f64,
    {
        rows [1: [1 2 3 4 5 6] 2: [1 2 3 4 5 6]],
        lines [1: [1 2 3 4 5 6 7 8] 2: [1 2 3 4 5 6]],
        dots [1: [1 2 3 4] 2: [1 2 3 4] 3: [1 2 3] 4: [1 2]],
        strips [1 2 3 4 5 6 7 8 9 10]
    },
    avx2_f64: "x86_64", "avx2,fma", std::arch::x86_64::__m256d;
    neon_f64: "aarch64", "neon", crate::vector::arm::Pair<std::arch::aarch64::float64x2_t>;
);
