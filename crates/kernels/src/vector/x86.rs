//! The x86 registers. AVX-512 masks are bits, AVX2 masks are registers whose sign bits count.

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
