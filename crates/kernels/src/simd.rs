//! Which instructions the CPU kernels use, chosen at run time; tests force every path.

use std::fmt;
use std::str::FromStr;

/// An instruction-set path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Simd {
    /// What the compiler makes of plain Rust for the build target.
    Portable,
    /// AArch64 NEON, which each such processor has.
    Neon,
    /// x86-64 AVX2 and FMA.
    Avx2,
    /// x86-64 AVX-512 (F, VL, DQ, BW) and FMA.
    Avx512,
}

impl Simd {
    /// The names there are, to say what was expected.
    pub const NAMES: &'static str = "portable, neon, avx2 or avx512";

    /// The widest path this machine has.
    pub fn detect() -> Self {
        *Self::available().last().expect("portable is always there")
    }

    /// Every path this machine can run, narrowest first.
    pub fn available() -> Vec<Self> {
        #[cfg(not(target_arch = "x86_64"))]
        let paths = [Some(Simd::Portable), cfg!(target_arch = "aarch64").then_some(Simd::Neon)];
        #[cfg(target_arch = "x86_64")]
        let paths = {
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512bw");
            [Some(Simd::Portable), avx2.then_some(Simd::Avx2), (avx2 && avx512).then_some(Simd::Avx512)]
        };
        paths.into_iter().flatten().collect()
    }

    /// The name as written in `config.toml` and read from `ECGAN_SIMD`.
    pub fn name(self) -> &'static str {
        match self {
            Simd::Portable => "portable",
            Simd::Neon => "neon",
            Simd::Avx2 => "avx2",
            Simd::Avx512 => "avx512",
        }
    }
}

impl fmt::Display for Simd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Simd {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        [Simd::Portable, Simd::Neon, Simd::Avx2, Simd::Avx512]
            .into_iter()
            .find(|path| path.name() == name)
            .ok_or_else(|| format!("unknown SIMD path `{name}`: expected {}", Self::NAMES))
    }
}

/// Compiles a function once for each SIMD path and picks one by its first argument.
///
/// The body is plain Rust over slices, generic over `T: Real`, and the compiler vectorises it with the
/// instructions of each path. No path contracts `a * b + c` on its own.
///
/// ```text
/// vectorized! {
///     /// y = max(x, 0)
///     fn relu<T: Real>(x: &[T], y: &mut [T]) { for (y, &x) in y.iter_mut().zip(x) { *y = x.max(T::ZERO) } }
/// }
/// relu(device.simd(), x, y);
/// ```
macro_rules! vectorized {
    ($($(#[$meta:meta])* $vis:vis fn $name:ident<$T:ident: Real>($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block)*) => {$(
        $(#[$meta])*
        $vis fn $name<$T: $crate::Real>(simd: $crate::Simd, $($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body<$T: $crate::Real>($($arg: $ty),*) $(-> $ret)? $body

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            fn avx2<$T: $crate::Real>($($arg: $ty),*) $(-> $ret)? { body($($arg),*) }

            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")]
            fn avx512<$T: $crate::Real>($($arg: $ty),*) $(-> $ret)? { body($($arg),*) }

            match simd {
                // SAFETY: a `Device` holds only paths that `Simd::available` found on this machine.
                #[cfg(target_arch = "x86_64")]
                $crate::Simd::Avx2 => unsafe { avx2($($arg),*) },
                // SAFETY: as above.
                #[cfg(target_arch = "x86_64")]
                $crate::Simd::Avx512 => unsafe { avx512($($arg),*) },
                // Plain Rust is compiled for NEON where there is NEON.
                _ => body($($arg),*),
            }
        }
    )*};
}
pub(crate) use vectorized;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_portable_is_always_there() {
        assert_eq!(Simd::available()[0], Simd::Portable);
        for path in Simd::available() {
            assert_eq!(path.name().parse::<Simd>(), Ok(path));
            assert!(Simd::NAMES.contains(path.name()));
        }
        assert!("sse9".parse::<Simd>().unwrap_err().contains("sse9"));
    }
}
