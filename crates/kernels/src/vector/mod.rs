//! A SIMD register: the operations the micro-kernels are made of, for each instruction set.

#[cfg(target_arch = "aarch64")]
pub(crate) mod arm;
#[cfg(target_arch = "x86_64")]
mod x86;

use crate::{Real, Store};

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
    /// The sum of the lanes, halves first.
    unsafe fn sum(self) -> Self::Lane;
    /// The first `n` lanes, 1 to `LANES`.
    unsafe fn mask(n: usize) -> Self::Mask;
    /// The masked lanes; the others are 0 and their memory is not touched.
    unsafe fn load_masked(p: *const Self::Lane, mask: Self::Mask) -> Self;
    /// Writes the masked lanes only.
    unsafe fn store_masked(self, p: *mut Self::Lane, mask: Self::Mask);
    /// Writes the masked lanes as told.
    #[inline(always)]
    unsafe fn write_masked(self, p: *mut Self::Lane, mask: Self::Mask, store: Store) {
        // SAFETY: the caller's.
        unsafe {
            match store {
                Store::Set => self.store_masked(p, mask),
                Store::Add => Self::load_masked(p, mask).add(self).store_masked(p, mask),
            }
        }
    }
}

/// A function that asks for a line, by the hint of each instruction set.
macro_rules! prefetch {
    ($(#[$meta:meta])* $name:ident, $x86:ident, $arm:literal) => {
        $(#[$meta])*
        #[inline(always)]
        pub(crate) fn $name<T>(p: *const T) {
            #[cfg(target_arch = "x86_64")]
            // SAFETY: SSE is in every x86-64; a prefetch never faults.
            unsafe {
                std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::$x86 }>(p.cast())
            };
            #[cfg(target_arch = "aarch64")]
            // SAFETY: a prefetch never faults.
            unsafe {
                std::arch::asm!(concat!("prfm ", $arm, ", [{}]"), in(reg) p, options(readonly, nostack, preserves_flags))
            };
            #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
            let _ = p;
        }
    };
}

prefetch!(
    /// Asks for the line at `p`, which need not be valid, to be in L1 soon.
    prefetch, _MM_HINT_T0, "pldl1keep"
);
prefetch!(
    /// Asks for the line at `p`, which need not be valid, to be in L2 soon.
    prefetch_l2, _MM_HINT_T1, "pldl2keep"
);

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

/// The tables of kernels that a SIMD path has for `T`: `MICRO` of the module named after the path, or the portable one.
macro_rules! micro_of {
    ($simd:expr, $portable:expr) => {{
        let special: [&'static dyn std::any::Any; 2] = match $simd {
            #[cfg(target_arch = "x86_64")]
            $crate::Simd::Avx512 => [&avx512::MICRO, &avx512_f64::MICRO],
            #[cfg(target_arch = "x86_64")]
            $crate::Simd::Avx2 => [&avx2::MICRO, &avx2_f64::MICRO],
            #[cfg(target_arch = "aarch64")]
            $crate::Simd::Neon => [&neon::MICRO, &neon_f64::MICRO],
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
