//! What this machine can do at best: multiply-adds on registers, and copies.

use crate::{Bench, Work};
use kernels::Simd;
use kernels::parallel::{CHUNK, for_each, split};
use std::collections::BTreeSet;
use std::hint::black_box;

/// The arithmetic ceiling: acc = acc a + b on registers, on as many threads as rayon has.
pub const FMA: &str = "ceiling/fma";

/// The memory ceilings, one a size.
pub const COPY: &str = "ceiling/copy";

/// Bytes a copy moves that no cache holds.
pub const LARGE: usize = 1 << 29;

/// Independent sums: more than a fused multiply-add's latency times the units, fewer than the registers.
const CHAINS: usize = 12;

/// Steps of each chain in a task, about 0.1 ms, and tasks in a call: enough that waking the threads does not count,
/// and shared out as the kernels' are.
const STEPS: usize = 1 << 15;
const TASKS: usize = 32;

/// A contraction towards 1, so that no chain leaves the normal numbers.
const A: f32 = 0.5;
const B: f32 = 0.5;

/// The copy that kernels moving `bytes` bytes are held against: the power of two from `bytes` up.
pub fn copy_of(bytes: usize) -> usize {
    bytes.next_power_of_two()
}

/// The arithmetic ceiling; `when` tells its measurements in a run apart.
pub fn arithmetic(bench: &mut Bench, when: &str) {
    let simd = bench.device.simd();
    let flops = 2 * lanes(simd) * CHAINS * STEPS * TASKS;
    bench.time(FMA, when, Work::Flops(flops), || for_each(TASKS, |_| fma(simd)));
}

/// The memory ceilings that the run so far calls for.
pub fn copies(bench: &mut Bench) {
    let sizes: BTreeSet<usize> = bench.bytes.iter().copied().map(copy_of).chain([LARGE]).collect();
    for bytes in sizes {
        let (x, mut y) = (vec![1.0f32; bytes / 8], vec![0.0f32; bytes / 8]);
        bench.time(COPY, &bytes.to_string(), Work::Bytes(bytes), || {
            split((&x[..], &mut y[..]), x.len(), CHUNK, |_, (x, y)| y.copy_from_slice(x));
        });
    }
}

/// Numbers in a register of this path. Portable code is SSE2 or NEON on the targets there are.
fn lanes(simd: Simd) -> usize {
    match simd {
        Simd::Portable | Simd::Neon => 4,
        Simd::Avx2 => 8,
        Simd::Avx512 => 16,
    }
}

fn fma(simd: Simd) {
    match simd {
        // SAFETY: a `Device` holds only paths that this machine has.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx2 => unsafe { x86::avx2() },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Simd::Avx512 => unsafe { x86::avx512() },
        #[cfg(target_arch = "aarch64")]
        Simd::Neon => plain(f32::mul_add),
        // No path fuses on its own, so plain code multiplies, then adds.
        _ => plain(|y, a, b| y * a + b),
    }
}

/// The chains in plain Rust, whose step the caller says.
#[inline(always)]
fn plain(step: impl Fn(f32, f32, f32) -> f32) {
    let mut acc = [[0.0f32; 4]; CHAINS];
    let (a, b) = black_box((A, B));
    for _ in 0..STEPS {
        // Nested, not flattened: so the compiler makes registers of the chains.
        for chain in &mut acc {
            for lane in chain {
                *lane = step(*lane, a, b);
            }
        }
    }
    black_box(acc);
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::{A, B, CHAINS, STEPS, black_box};
    use std::arch::x86_64::*;

    macro_rules! chains {
        ($name:ident, $features:literal, $splat:ident, $fma:ident) => {
            #[target_feature(enable = $features)]
            pub fn $name() {
                let (a, b) = black_box(($splat(A), $splat(B)));
                let mut acc = [$splat(0.0); CHAINS];
                for _ in 0..STEPS {
                    for chain in &mut acc {
                        *chain = $fma(*chain, a, b);
                    }
                }
                black_box(acc);
            }
        };
    }
    chains!(avx2, "avx2,fma", _mm256_set1_ps, _mm256_fmadd_ps);
    chains!(avx512, "avx512f", _mm512_set1_ps, _mm512_fmadd_ps);
}
