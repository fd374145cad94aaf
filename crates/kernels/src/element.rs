//! The numbers a buffer can hold.

use crate::compiled::Compiled;
use std::fmt::{Debug, Display};
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

/// Plain data that lives in pooled buffers: `f32`, `f64`, `i32` (labels), `u8` (images).
pub trait Element: bytemuck::Pod + Send + Sync + Default + PartialEq + PartialOrd + Debug + Display {}

/// Bytes beyond which no buffer goes: with what an allocation adds to them they can still be counted.
pub(crate) const LARGEST: usize = isize::MAX as usize / 4;

/// The number of elements of a tensor of these extents, or `None` where no memory holds so many of 8 bytes.
pub fn length(extents: &[usize]) -> Option<usize> {
    let length = extents.iter().try_fold(1usize, |length, &extent| length.checked_mul(extent))?;
    (length <= LARGEST / 8).then_some(length)
}

impl Element for f32 {}
impl Element for f64 {}
impl Element for i32 {}
impl Element for u8 {}

/// Floating-point numbers the kernels compute with: `f32`, and `f64` for gradient checks and goldens.
pub trait Real:
    Element
    + Compiled
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// Minus infinity, the identity of `max`.
    const NEG_INFINITY: Self;

    /// Rounds to this type.
    fn from_f64(x: f64) -> Self;
    /// Exact.
    fn to_f64(self) -> f64;
    /// e^x.
    fn exp(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// ln(1 + x), accurate near 0.
    fn ln_1p(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// |x|.
    fn abs(self) -> Self;
    /// The larger of two.
    fn max(self, other: Self) -> Self;

    /// Rounds a count to this type.
    #[inline(always)]
    fn from_usize(n: usize) -> Self {
        Self::from_f64(n as f64)
    }
}

macro_rules! real {
    ($($t:ident),*) => {$(
        impl Real for $t {
            const ZERO: Self = 0.0;
            const ONE: Self = 1.0;
            const NEG_INFINITY: Self = $t::NEG_INFINITY;
            #[inline(always)]
            fn from_f64(x: f64) -> Self { x as $t }
            #[inline(always)]
            fn to_f64(self) -> f64 { f64::from(self) }
            #[inline(always)]
            fn exp(self) -> Self { $t::exp(self) }
            #[inline(always)]
            fn ln(self) -> Self { $t::ln(self) }
            #[inline(always)]
            fn ln_1p(self) -> Self { $t::ln_1p(self) }
            #[inline(always)]
            fn sqrt(self) -> Self { $t::sqrt(self) }
            #[inline(always)]
            fn abs(self) -> Self { $t::abs(self) }
            #[inline(always)]
            fn max(self, other: Self) -> Self { if self > other { self } else { other } }
        }
    )*};
}
real!(f32, f64);
