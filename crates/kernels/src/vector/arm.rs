//! Two NEON registers as one: as many numbers as AVX2's, of which there are as many too, so the kernels' tables are the same.

use super::Vector;
use crate::Store;
use std::arch::aarch64::*;

/// A register twice as wide.
#[derive(Clone, Copy)]
pub(crate) struct Pair<R>(R, R);

macro_rules! vector {
    ($half:ty, $lane:ty, $of_half:literal, $splat:ident, $load:ident, $store:ident, $fma:ident, $add:ident, $sub:ident, $mul:ident,
     $sum:ident, $load_first:ident, $store_first:ident) => {
        // SAFETY: NEON is in every AArch64; the pointers are the caller's, and of those the lanes that the contract names.
        unsafe impl Vector for Pair<$half> {
            type Lane = $lane;
            type Mask = usize;
            const LANES: usize = 2 * $of_half;

            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: as the impl's.
                unsafe { Self($splat(0.0), $splat(0.0)) }
            }
            #[inline(always)]
            unsafe fn splat(p: *const $lane) -> Self {
                // SAFETY: as the impl's.
                unsafe { Self($splat(*p), $splat(*p)) }
            }
            #[inline(always)]
            unsafe fn load(p: *const $lane) -> Self {
                // SAFETY: as the impl's.
                unsafe { Self($load(p), $load(p.add($of_half))) }
            }
            #[inline(always)]
            unsafe fn store(self, p: *mut $lane) {
                // SAFETY: as the impl's.
                unsafe {
                    $store(p, self.0);
                    $store(p.add($of_half), self.1);
                }
            }
            #[inline(always)]
            unsafe fn mul_add(self, b: Self, acc: Self) -> Self {
                // SAFETY: as the impl's.
                unsafe { Self($fma(acc.0, self.0, b.0), $fma(acc.1, self.1, b.1)) }
            }
            #[inline(always)]
            unsafe fn add(self, b: Self) -> Self {
                // SAFETY: as the impl's.
                unsafe { Self($add(self.0, b.0), $add(self.1, b.1)) }
            }
            #[inline(always)]
            unsafe fn sub(self, b: Self) -> Self {
                // SAFETY: as the impl's.
                unsafe { Self($sub(self.0, b.0), $sub(self.1, b.1)) }
            }
            #[inline(always)]
            unsafe fn mul(self, b: Self) -> Self {
                // SAFETY: as the impl's.
                unsafe { Self($mul(self.0, b.0), $mul(self.1, b.1)) }
            }
            #[inline(always)]
            unsafe fn sum(self) -> $lane {
                // SAFETY: as the impl's.
                unsafe { $sum($add(self.0, self.1)) }
            }
            #[inline(always)]
            unsafe fn mask(n: usize) -> usize {
                n
            }
            #[inline(always)]
            unsafe fn load_masked(p: *const $lane, n: usize) -> Self {
                // SAFETY: as the impl's; what lies beyond `n` lanes is not read.
                unsafe {
                    match n.checked_sub($of_half) {
                        Some(n) => Self($load(p), $load_first(p.add($of_half), n)),
                        None => Self($load_first(p, n), $splat(0.0)),
                    }
                }
            }
            #[inline(always)]
            unsafe fn store_masked(self, p: *mut $lane, n: usize) {
                // SAFETY: as the impl's; what lies beyond `n` lanes is not written.
                unsafe {
                    match n.checked_sub($of_half) {
                        Some(n) => {
                            $store(p, self.0);
                            $store_first(p.add($of_half), self.1, n);
                        }
                        None => $store_first(p, self.0, n),
                    }
                }
            }
            /// A call: as part of a kernel all its cases keep the compiler from unrolling what writes a tile, whose sums then
            /// lie in memory from the first step on.
            #[inline(never)]
            unsafe fn write_masked(self, p: *mut $lane, n: usize, store: Store) {
                // SAFETY: as the impl's.
                unsafe {
                    match store {
                        Store::Set => self.store_masked(p, n),
                        Store::Add => Self::load_masked(p, n).add(self).store_masked(p, n),
                    }
                }
            }
        }
    };
}

/// The first `n` of four, 0 to 4.
#[inline(always)]
unsafe fn load_first(p: *const f32, n: usize) -> float32x4_t {
    // SAFETY: the caller's pointer is valid for n numbers.
    unsafe {
        match n {
            0 => vdupq_n_f32(0.0),
            1 => vld1q_lane_f32::<0>(p, vdupq_n_f32(0.0)),
            2 => vcombine_f32(vld1_f32(p), vdup_n_f32(0.0)),
            3 => vld1q_lane_f32::<2>(p.add(2), vcombine_f32(vld1_f32(p), vdup_n_f32(0.0))),
            _ => vld1q_f32(p),
        }
    }
}

#[inline(always)]
unsafe fn store_first(p: *mut f32, x: float32x4_t, n: usize) {
    // SAFETY: the caller's pointer is valid for n numbers.
    unsafe {
        match n {
            0 => {}
            1 => vst1q_lane_f32::<0>(p, x),
            2 => vst1_f32(p, vget_low_f32(x)),
            3 => {
                vst1_f32(p, vget_low_f32(x));
                vst1q_lane_f32::<2>(p.add(2), x);
            }
            _ => vst1q_f32(p, x),
        }
    }
}

/// The first `n` of two, 0 to 2.
#[inline(always)]
unsafe fn load_first_f64(p: *const f64, n: usize) -> float64x2_t {
    // SAFETY: the caller's pointer is valid for n numbers.
    unsafe {
        match n {
            0 => vdupq_n_f64(0.0),
            1 => vld1q_lane_f64::<0>(p, vdupq_n_f64(0.0)),
            _ => vld1q_f64(p),
        }
    }
}

#[inline(always)]
unsafe fn store_first_f64(p: *mut f64, x: float64x2_t, n: usize) {
    // SAFETY: the caller's pointer is valid for n numbers.
    unsafe {
        match n {
            0 => {}
            1 => vst1q_lane_f64::<0>(p, x),
            _ => vst1q_f64(p, x),
        }
    }
}

vector!(
    float32x4_t,
    f32,
    4,
    vdupq_n_f32,
    vld1q_f32,
    vst1q_f32,
    vfmaq_f32,
    vaddq_f32,
    vsubq_f32,
    vmulq_f32,
    vaddvq_f32,
    load_first,
    store_first
);
vector!(
    float64x2_t,
    f64,
    2,
    vdupq_n_f64,
    vld1q_f64,
    vst1q_f64,
    vfmaq_f64,
    vaddq_f64,
    vsubq_f64,
    vmulq_f64,
    vaddvq_f64,
    load_first_f64,
    store_first_f64
);
