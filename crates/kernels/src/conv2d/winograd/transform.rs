//! The one-dimensional transforms of F(m, r): m outputs of r taps from m + r - 1 products
//! (Winograd 1980; Lavin and Gray 2016, "Fast algorithms for convolutional neural networks"):
//! `y = A' [(G w) * (B' x)]`. Each map is applied down and then across.
//!
//! * F(4, 3) interpolates at 0, +-a, +-2a and infinity with a = 1 / sqrt 2. With a (2a) = 1 the powers of the points stay
//!   near 1, which leaves a third of the rounding error of the usual points 0, +-1, +-2.
//! * F(4, 2) interpolates at +-1, +-1/2 and infinity.
//! * F(2, 2) interpolates at 0, 1 and infinity.
//!
//! The gradient of the weights is the same bilinear form read the other way: `dw = G' [(B' x) * (A dy)]`.

use crate::Real;
use crate::vector::Vector;
use std::f64::consts::{FRAC_1_SQRT_2, SQRT_2};

/// A linear map of I registers to O, lane by lane.
pub(super) trait Map<const I: usize, const O: usize> {
    /// The map.
    ///
    /// # Safety
    /// Needs the instruction set of `V`.
    unsafe fn map<V: Vector>(x: [V; I]) -> [V; O];
}

/// `B'`: inputs to products.
pub(super) struct Input;
/// `A'`: products to outputs.
pub(super) struct Output;
/// `G`: weights to products.
pub(super) struct Weight;
/// `A`: gradients of outputs to products.
pub(super) struct OutputGradient;
/// `G'`: products to gradients of weights.
pub(super) struct WeightGradient;

#[inline(always)]
unsafe fn constant<V: Vector>(x: f64) -> V {
    let x = V::Lane::from_f64(x);
    // SAFETY: the caller's instruction set.
    unsafe { V::splat(&x) }
}

/// x * c + acc.
#[inline(always)]
unsafe fn fma<V: Vector>(c: f64, x: V, acc: V) -> V {
    // SAFETY: the caller's instruction set.
    unsafe { constant::<V>(c).mul_add(x, acc) }
}

// F(4, 3)

impl Map<6, 6> for Input {
    #[inline(always)]
    unsafe fn map<V: Vector>(x: [V; 6]) -> [V; 6] {
        // SAFETY: the caller's instruction set.
        unsafe {
            let (even_a, odd_a) = (fma(-2.0, x[2], x[4]), fma(-2.0, x[1], x[3]));
            let (even_b, odd_b) = (fma(-0.5, x[2], x[4]), fma(-0.5, x[1], x[3]));
            [
                fma(-2.5, x[2], x[0].add(x[4])),
                fma(FRAC_1_SQRT_2, odd_a, even_a),
                fma(-FRAC_1_SQRT_2, odd_a, even_a),
                fma(SQRT_2, odd_b, even_b),
                fma(-SQRT_2, odd_b, even_b),
                fma(-2.5, x[3], x[1].add(x[5])),
            ]
        }
    }
}

impl Map<6, 4> for Output {
    #[inline(always)]
    unsafe fn map<V: Vector>(p: [V; 6]) -> [V; 4] {
        // SAFETY: the caller's instruction set.
        unsafe {
            let (even_a, odd_a) = (p[1].add(p[2]), p[1].sub(p[2]));
            let (even_b, odd_b) = (p[3].add(p[4]), p[3].sub(p[4]));
            [
                p[0].add(even_a).add(even_b),
                constant::<V>(FRAC_1_SQRT_2).mul(fma(2.0, odd_b, odd_a)),
                fma(0.5, even_a, constant::<V>(2.0).mul(even_b)),
                fma(2.0 * SQRT_2, odd_b, fma(0.5 * FRAC_1_SQRT_2, odd_a, p[5])),
            ]
        }
    }
}

impl Map<3, 6> for Weight {
    #[inline(always)]
    unsafe fn map<V: Vector>(w: [V; 3]) -> [V; 6] {
        // SAFETY: the caller's instruction set.
        unsafe {
            let even_a = constant::<V>(-2.0 / 3.0).mul(fma(0.5, w[2], w[0]));
            let even_b = constant::<V>(1.0 / 6.0).mul(fma(2.0, w[2], w[0]));
            [
                w[0],
                fma(-2.0 / 3.0 * FRAC_1_SQRT_2, w[1], even_a),
                fma(2.0 / 3.0 * FRAC_1_SQRT_2, w[1], even_a),
                fma(SQRT_2 / 6.0, w[1], even_b),
                fma(-SQRT_2 / 6.0, w[1], even_b),
                w[2],
            ]
        }
    }
}

impl Map<4, 6> for OutputGradient {
    #[inline(always)]
    unsafe fn map<V: Vector>(dy: [V; 4]) -> [V; 6] {
        // SAFETY: the caller's instruction set.
        unsafe {
            let (even_a, odd_a) = (fma(0.5, dy[2], dy[0]), fma(0.5, dy[3], dy[1]));
            let (even_b, odd_b) = (fma(2.0, dy[2], dy[0]), fma(2.0, dy[3], dy[1]));
            [
                dy[0],
                fma(FRAC_1_SQRT_2, odd_a, even_a),
                fma(-FRAC_1_SQRT_2, odd_a, even_a),
                fma(SQRT_2, odd_b, even_b),
                fma(-SQRT_2, odd_b, even_b),
                dy[3],
            ]
        }
    }
}

impl Map<6, 3> for WeightGradient {
    #[inline(always)]
    unsafe fn map<V: Vector>(p: [V; 6]) -> [V; 3] {
        // SAFETY: the caller's instruction set.
        unsafe {
            let (even_a, odd_a) = (p[1].add(p[2]), p[1].sub(p[2]));
            let (even_b, odd_b) = (p[3].add(p[4]), p[3].sub(p[4]));
            [
                fma(1.0 / 6.0, even_b, fma(-2.0 / 3.0, even_a, p[0])),
                fma(SQRT_2 / 6.0, odd_b, constant::<V>(-2.0 / 3.0 * FRAC_1_SQRT_2).mul(odd_a)),
                fma(1.0 / 3.0, even_b, fma(-1.0 / 3.0, even_a, p[5])),
            ]
        }
    }
}

// F(4, 2)

impl Map<5, 5> for Input {
    #[inline(always)]
    unsafe fn map<V: Vector>(x: [V; 5]) -> [V; 5] {
        // SAFETY: the caller's instruction set.
        unsafe {
            let (even_a, odd_a) = (fma(-0.25, x[0], x[2]), fma(-0.25, x[1], x[3]));
            let (even_b, odd_b) = (x[2].sub(x[0]), x[3].sub(x[1]));
            [
                odd_a.add(even_a),
                odd_a.sub(even_a),
                fma(0.5, even_b, odd_b),
                fma(-0.5, even_b, odd_b),
                fma(-1.25, x[2], fma(0.25, x[0], x[4])),
            ]
        }
    }
}

impl Map<5, 4> for Output {
    #[inline(always)]
    unsafe fn map<V: Vector>(p: [V; 5]) -> [V; 4] {
        // SAFETY: the caller's instruction set.
        unsafe {
            let (even_a, odd_a) = (p[0].add(p[1]), p[0].sub(p[1]));
            let (even_b, odd_b) = (p[2].add(p[3]), p[2].sub(p[3]));
            [even_a.add(even_b), fma(0.5, odd_b, odd_a), fma(0.25, even_b, even_a), fma(0.125, odd_b, odd_a.add(p[4]))]
        }
    }
}

impl Map<2, 5> for Weight {
    #[inline(always)]
    unsafe fn map<V: Vector>(w: [V; 2]) -> [V; 5] {
        // SAFETY: the caller's instruction set.
        unsafe {
            let a = constant::<V>(2.0 / 3.0);
            let half = constant::<V>(0.5).mul(w[1]);
            [
                a.mul(w[0].add(w[1])),
                a.mul(w[1].sub(w[0])),
                constant::<V>(-4.0 / 3.0).mul(w[0].add(half)),
                constant::<V>(4.0 / 3.0).mul(w[0].sub(half)),
                w[1],
            ]
        }
    }
}

impl Map<4, 5> for OutputGradient {
    #[inline(always)]
    unsafe fn map<V: Vector>(dy: [V; 4]) -> [V; 5] {
        // SAFETY: the caller's instruction set.
        unsafe {
            let (even_a, odd_a) = (dy[0].add(dy[2]), dy[1].add(dy[3]));
            let (even_b, odd_b) = (fma(0.25, dy[2], dy[0]), fma(0.25, dy[3], dy[1]));
            [even_a.add(odd_a), even_a.sub(odd_a), fma(0.5, odd_b, even_b), fma(-0.5, odd_b, even_b), dy[3]]
        }
    }
}

impl Map<5, 2> for WeightGradient {
    #[inline(always)]
    unsafe fn map<V: Vector>(p: [V; 5]) -> [V; 2] {
        // SAFETY: the caller's instruction set.
        unsafe {
            let odd = fma(4.0 / 3.0, p[3].sub(p[2]), constant::<V>(2.0 / 3.0).mul(p[0].sub(p[1])));
            let even = p[0].add(p[1]).sub(p[2].add(p[3]));
            [odd, fma(2.0 / 3.0, even, p[4])]
        }
    }
}

// F(2, 2)

impl Map<3, 3> for Input {
    #[inline(always)]
    unsafe fn map<V: Vector>(x: [V; 3]) -> [V; 3] {
        // SAFETY: the caller's instruction set.
        unsafe { [x[0].sub(x[1]), x[1], x[2].sub(x[1])] }
    }
}

impl Map<3, 2> for Output {
    #[inline(always)]
    unsafe fn map<V: Vector>(p: [V; 3]) -> [V; 2] {
        // SAFETY: the caller's instruction set.
        unsafe { [p[0].add(p[1]), p[1].add(p[2])] }
    }
}

impl Map<2, 3> for Weight {
    #[inline(always)]
    unsafe fn map<V: Vector>(w: [V; 2]) -> [V; 3] {
        // SAFETY: the caller's instruction set.
        unsafe { [w[0], w[0].add(w[1]), w[1]] }
    }
}

impl Map<2, 3> for OutputGradient {
    #[inline(always)]
    unsafe fn map<V: Vector>(dy: [V; 2]) -> [V; 3] {
        // SAFETY: the caller's instruction set.
        unsafe { [dy[0], dy[0].add(dy[1]), dy[1]] }
    }
}

impl Map<3, 2> for WeightGradient {
    #[inline(always)]
    unsafe fn map<V: Vector>(p: [V; 3]) -> [V; 2] {
        // SAFETY: the caller's instruction set.
        unsafe { [p[0].add(p[1]), p[1].add(p[2])] }
    }
}
