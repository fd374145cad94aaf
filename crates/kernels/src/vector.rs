//! A SIMD register: the operations the micro-kernels are made of, for each instruction set.

use crate::Real;

/// One register of `LANES` numbers.
///
/// # Safety
/// Every method needs the instruction set of its type, and pointers valid for the lanes it touches.
pub(crate) unsafe trait Vector: Copy {
    /// What a lane holds.
    type Lane: Real;
    /// Which leading lanes take part in a partial load or store.
    type Mask: Copy;
    /// Numbers in a register.
    const LANES: usize;
    /// Registers to a line of the cache, of 64 bytes.
    const OF_LINE: usize = {
        let registers = 64 / (Self::LANES * size_of::<Self::Lane>());
        if registers > 1 { registers } else { 1 }
    };

    unsafe fn zero() -> Self;
    unsafe fn splat(p: *const Self::Lane) -> Self;
    unsafe fn load(p: *const Self::Lane) -> Self;
    unsafe fn store(self, p: *mut Self::Lane);
    /// `self * b + acc`.
    unsafe fn mul_add(self, b: Self, acc: Self) -> Self;
    unsafe fn add(self, b: Self) -> Self;
    unsafe fn sub(self, b: Self) -> Self;
    unsafe fn mul(self, b: Self) -> Self;
    /// Asks for the line at `p`, which need not be valid, to be in L1 soon.
    #[inline(always)]
    unsafe fn prefetch(p: *const Self::Lane) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: SSE is in every x86-64; a prefetch never faults.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(p.cast())
        };
    }
    /// Asks for the line at `p`, which need not be valid, to be in L2 soon.
    #[inline(always)]
    unsafe fn prefetch_l2(p: *const Self::Lane) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: SSE is in every x86-64; a prefetch never faults.
        unsafe {
            std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(p.cast())
        };
    }
    /// The sum of the lanes, halves first.
    unsafe fn sum(self) -> Self::Lane;
    /// The first `n` lanes, 1 to `LANES`.
    unsafe fn mask(n: usize) -> Self::Mask;
    /// The masked lanes; the others are 0 and their memory is not touched.
    unsafe fn load_masked(p: *const Self::Lane, mask: Self::Mask) -> Self;
    /// Writes the masked lanes only.
    unsafe fn store_masked(self, p: *mut Self::Lane, mask: Self::Mask);
}

/// Eight numbers that the compiler keeps in whatever registers the target has.
#[derive(Clone, Copy)]
pub(crate) struct Lanes<T>([T; 8]);

// SAFETY: plain Rust; the pointers are the caller's.
unsafe impl<T: Real> Vector for Lanes<T> {
    type Lane = T;
    type Mask = usize;
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn zero() -> Self {
        Self([T::ZERO; 8])
    }
    #[inline(always)]
    unsafe fn splat(p: *const T) -> Self {
        // SAFETY: the caller's pointer.
        Self([unsafe { *p }; 8])
    }
    #[inline(always)]
    unsafe fn load(p: *const T) -> Self {
        // SAFETY: the caller's pointer.
        Self(unsafe { p.cast::<[T; 8]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut T) {
        // SAFETY: the caller's pointer.
        unsafe { p.cast::<[T; 8]>().write_unaligned(self.0) }
    }
    #[inline(always)]
    unsafe fn mul_add(self, b: Self, mut acc: Self) -> Self {
        for i in 0..8 {
            acc.0[i] += self.0[i] * b.0[i];
        }
        acc
    }
    #[inline(always)]
    unsafe fn add(mut self, b: Self) -> Self {
        for i in 0..8 {
            self.0[i] += b.0[i];
        }
        self
    }
    #[inline(always)]
    unsafe fn sub(mut self, b: Self) -> Self {
        for i in 0..8 {
            self.0[i] -= b.0[i];
        }
        self
    }
    #[inline(always)]
    unsafe fn mul(mut self, b: Self) -> Self {
        for i in 0..8 {
            self.0[i] *= b.0[i];
        }
        self
    }
    #[inline(always)]
    unsafe fn sum(self) -> T {
        let [a, b, c, d, e, f, g, h] = self.0;
        ((a + e) + (c + g)) + ((b + f) + (d + h))
    }
    #[inline(always)]
    unsafe fn mask(n: usize) -> usize {
        n
    }
    #[inline(always)]
    unsafe fn load_masked(p: *const T, mask: usize) -> Self {
        if mask == 8 {
            // SAFETY: the caller's pointer, all lanes.
            return unsafe { Self::load(p) };
        }
        let mut lanes = [T::ZERO; 8];
        for (i, lane) in lanes.iter_mut().enumerate().take(mask) {
            // SAFETY: the caller's pointer is valid for the masked lanes.
            *lane = unsafe { *p.add(i) };
        }
        Self(lanes)
    }
    #[inline(always)]
    unsafe fn store_masked(self, p: *mut T, mask: usize) {
        for (i, &lane) in self.0.iter().enumerate().take(mask) {
            // SAFETY: as in `load_masked`.
            unsafe { *p.add(i) = lane };
        }
    }
}

/// The x86 registers. AVX-512 masks are bits, AVX2 masks are registers whose sign bits count.
#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::Vector;
    use std::arch::x86_64::*;

    macro_rules! vector {
        ($type:ty, $lane:ty, $lanes:literal, $mask:ty, $make_mask:expr, $zero:ident, $splat:ident, $load:ident,
         $store:ident, $fma:ident, $add:ident, $sub:ident, $mul:ident, $sum:expr, $load_masked:expr, $store_masked:ident) => {
            // SAFETY: the intrinsics are those of the type's instruction set, which the caller vouches for,
            // and touch the lanes the contract names.
            unsafe impl Vector for $type {
                type Lane = $lane;
                type Mask = $mask;
                const LANES: usize = $lanes;

                #[inline(always)]
                unsafe fn zero() -> Self {
                    // SAFETY: as the impl's.
                    unsafe { $zero() }
                }
                #[inline(always)]
                unsafe fn splat(p: *const $lane) -> Self {
                    // SAFETY: as the impl's.
                    unsafe { $splat(*p) }
                }
                #[inline(always)]
                unsafe fn load(p: *const $lane) -> Self {
                    // SAFETY: as the impl's.
                    unsafe { $load(p) }
                }
                #[inline(always)]
                unsafe fn store(self, p: *mut $lane) {
                    // SAFETY: as the impl's.
                    unsafe { $store(p, self) }
                }
                #[inline(always)]
                unsafe fn mul_add(self, b: Self, acc: Self) -> Self {
                    // SAFETY: as the impl's.
                    unsafe { $fma(self, b, acc) }
                }
                #[inline(always)]
                unsafe fn add(self, b: Self) -> Self {
                    // SAFETY: as the impl's.
                    unsafe { $add(self, b) }
                }
                #[inline(always)]
                unsafe fn sub(self, b: Self) -> Self {
                    // SAFETY: as the impl's.
                    unsafe { $sub(self, b) }
                }
                #[inline(always)]
                unsafe fn mul(self, b: Self) -> Self {
                    // SAFETY: as the impl's.
                    unsafe { $mul(self, b) }
                }
                #[inline(always)]
                unsafe fn sum(self) -> $lane {
                    // SAFETY: as the impl's.
                    unsafe { $sum(self) }
                }
                #[inline(always)]
                unsafe fn mask(n: usize) -> $mask {
                    // SAFETY: as the impl's; n is at most LANES.
                    unsafe { $make_mask(n) }
                }
                #[inline(always)]
                unsafe fn load_masked(p: *const $lane, mask: $mask) -> Self {
                    // SAFETY: as the impl's.
                    unsafe { $load_masked(p, mask) }
                }
                #[inline(always)]
                unsafe fn store_masked(self, p: *mut $lane, mask: $mask) {
                    // SAFETY: as the impl's.
                    unsafe { $store_masked(p, mask, self) }
                }
            }
        };
    }

    static MASK32: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
    static MASK64: [i64; 8] = [-1, -1, -1, -1, 0, 0, 0, 0];

    /// AVX2 lane masks: a window into ones followed by zeros.
    #[inline(always)]
    unsafe fn mask32(n: usize) -> __m256i {
        // SAFETY: n <= 8, so the eight words lie within the table; the caller has AVX2.
        unsafe { _mm256_loadu_si256(MASK32.as_ptr().add(8 - n).cast()) }
    }

    #[inline(always)]
    unsafe fn mask64(n: usize) -> __m256i {
        // SAFETY: n <= 4, so the four words lie within the table; the caller has AVX2.
        unsafe { _mm256_loadu_si256(MASK64.as_ptr().add(4 - n).cast()) }
    }

    #[inline(always)]
    unsafe fn bits16(n: usize) -> __mmask16 {
        ((1u32 << n) - 1) as __mmask16
    }

    #[inline(always)]
    unsafe fn bits8(n: usize) -> __mmask8 {
        ((1u32 << n) - 1) as __mmask8
    }

    #[inline(always)]
    unsafe fn load512(p: *const f32, mask: __mmask16) -> __m512 {
        // SAFETY: the caller's.
        unsafe { _mm512_maskz_loadu_ps(mask, p) }
    }

    #[inline(always)]
    unsafe fn load512d(p: *const f64, mask: __mmask8) -> __m512d {
        // SAFETY: the caller's.
        unsafe { _mm512_maskz_loadu_pd(mask, p) }
    }

    #[inline(always)]
    unsafe fn sum256(x: __m256) -> f32 {
        // SAFETY: the caller's.
        unsafe {
            let x = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
            let x = _mm_add_ps(x, _mm_movehl_ps(x, x));
            _mm_cvtss_f32(_mm_add_ss(x, _mm_movehdup_ps(x)))
        }
    }

    #[inline(always)]
    unsafe fn sum256d(x: __m256d) -> f64 {
        // SAFETY: the caller's.
        unsafe {
            let x = _mm_add_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd(x, 1));
            _mm_cvtsd_f64(_mm_add_sd(x, _mm_unpackhi_pd(x, x)))
        }
    }

    vector!(
        __m256,
        f32,
        8,
        __m256i,
        mask32,
        _mm256_setzero_ps,
        _mm256_set1_ps,
        _mm256_loadu_ps,
        _mm256_storeu_ps,
        _mm256_fmadd_ps,
        _mm256_add_ps,
        _mm256_sub_ps,
        _mm256_mul_ps,
        sum256,
        _mm256_maskload_ps,
        _mm256_maskstore_ps
    );
    vector!(
        __m256d,
        f64,
        4,
        __m256i,
        mask64,
        _mm256_setzero_pd,
        _mm256_set1_pd,
        _mm256_loadu_pd,
        _mm256_storeu_pd,
        _mm256_fmadd_pd,
        _mm256_add_pd,
        _mm256_sub_pd,
        _mm256_mul_pd,
        sum256d,
        _mm256_maskload_pd,
        _mm256_maskstore_pd
    );
    vector!(
        __m512,
        f32,
        16,
        __mmask16,
        bits16,
        _mm512_setzero_ps,
        _mm512_set1_ps,
        _mm512_loadu_ps,
        _mm512_storeu_ps,
        _mm512_fmadd_ps,
        _mm512_add_ps,
        _mm512_sub_ps,
        _mm512_mul_ps,
        _mm512_reduce_add_ps,
        load512,
        _mm512_mask_storeu_ps
    );
    vector!(
        __m512d,
        f64,
        8,
        __mmask8,
        bits8,
        _mm512_setzero_pd,
        _mm512_set1_pd,
        _mm512_loadu_pd,
        _mm512_storeu_pd,
        _mm512_fmadd_pd,
        _mm512_add_pd,
        _mm512_sub_pd,
        _mm512_mul_pd,
        _mm512_reduce_add_pd,
        load512d,
        _mm512_mask_storeu_pd
    );
}

/// The tables of kernels that a SIMD path has for `T`: `MICRO` of the module named after the path, or the portable one.
macro_rules! micro_of {
    ($simd:expr, $portable:expr) => {{
        let special: [&'static dyn std::any::Any; 2] = match $simd {
            #[cfg(target_arch = "x86_64")]
            $crate::Simd::Avx512 => [&avx512::MICRO, &avx512_f64::MICRO],
            #[cfg(target_arch = "x86_64")]
            $crate::Simd::Avx2 => [&avx2::MICRO, &avx2_f64::MICRO],
            _ => [&(), &()],
        };
        special.into_iter().find_map(<dyn std::any::Any>::downcast_ref).unwrap_or($portable)
    }};
}
pub(crate) use micro_of;

/// Functions of a tile for one instruction set, from those of a module that are `inline(always)`:
/// `name(Tile) [constants] Map: its bound`.
macro_rules! with_features {
    ($features:literal, $lane:ty, $module:ident: $($name:ident($tile:ident) [$($n:ident)*] $($map:ident: $bound:path)?;)*) => {$(
        #[target_feature(enable = $features)]
        unsafe fn $name<V: Vector<Lane = $lane>, $($map: $bound,)? $(const $n: usize),*>(tile: &$tile<$lane>) {
            // SAFETY: the caller's.
            unsafe { $module::$name::<V, $($map,)? $($n),*>(tile) }
        }
    )*};
}
pub(crate) use with_features;
