//! What the kernels' tests share: devices, data, and comparison with plain f64 references.

use crate::parallel::CHUNK;
use crate::philox::Philox;
use crate::{Device, Element, Real, Simd, Store};

/// Declares a test of both element types: `both!(name, check)` calls `check::<f32>()` and `check::<f64>()`.
macro_rules! both {
    ($name:ident, $check:ident) => {
        #[test]
        fn $name() {
            $check::<f32>();
            $check::<f64>();
        }
    };
}
pub(crate) use both;

/// Lengths around the borders of an elementwise kernel's chunks and of its vectors.
pub const LENGTHS: [usize; 9] = [0, 1, 15, 17, 255, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 5];

/// A device for every SIMD path of this machine; its fresh buffers are full of NaN.
pub fn devices() -> impl Iterator<Item = Device> {
    Simd::available().into_iter().map(|simd| Device::cpu_with(simd).expect("available").poisoned())
}

/// `n` normal numbers with the given mean and deviation; the same for the same stream.
pub fn normal<T: Real>(stream: u64, n: usize, mean: f64, std: f64) -> Vec<T> {
    let mut philox = Philox::new(1, stream);
    (0..n).map(|_| T::from_f64(mean + std * f64::from(philox.normal()))).collect()
}

/// `n` numbers from -1 to 1, uniform; the same for the same stream.
pub fn uniform<T: Real>(stream: u64, n: usize) -> Vec<T> {
    let mut philox = Philox::new(1, stream);
    (0..n).map(|_| T::from_f64(f64::from(philox.range(-1.0, 1.0)))).collect()
}

/// What `Store::Set` must overwrite and never read.
pub fn nan<T: Real>(n: usize) -> Vec<T> {
    vec![T::from_f64(f64::NAN); n]
}

/// The values as f64.
pub fn wide<T: Real>(x: &[T]) -> Vec<f64> {
    x.iter().map(|x| x.to_f64()).collect()
}

/// The sum, compensated (Neumaier 1974): a reference for long sums.
pub fn exact_sum(x: impl IntoIterator<Item = f64>) -> f64 {
    let (mut sum, mut lost) = (0.0f64, 0.0);
    for x in x {
        let next = sum + x;
        lost += if sum.abs() >= x.abs() { (sum - next) + x } else { (x - next) + sum };
        sum = next;
    }
    sum + lost
}

/// Unit roundoff times two: the distance from 1 to the next number.
pub fn epsilon<T: Real>() -> f64 {
    if size_of::<T>() == 4 { f64::from(f32::EPSILON) } else { f64::EPSILON }
}

/// Asserts |got - want| <= units * epsilon * (1 + |want|) at every element.
#[track_caller]
pub fn assert_close<T: Real>(what: &str, units: f64, got: &[T], want: &[f64]) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (got, &want)) in got.iter().zip(want).enumerate() {
        let bound = units * epsilon::<T>() * (1.0 + want.abs());
        assert!((got.to_f64() - want).abs() <= bound, "{what}[{i}]: {got}, reference {want}");
    }
}

/// Runs `kernel` over 1, 2 and 3 threads, asserts that the results have the same bits, and returns them.
#[track_caller]
pub fn over_threads<T: Element>(kernel: impl Fn() -> Vec<T> + Sync) -> Vec<T> {
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a thread pool");
        pool.install(&kernel)
    };
    let one = run(1);
    for threads in [2, 3] {
        let several = run(threads);
        assert!(
            bytemuck::cast_slice::<T, u8>(&one) == bytemuck::cast_slice::<T, u8>(&several),
            "the bits differ over {threads} threads"
        );
    }
    one
}

/// Runs a kernel that writes `n` elements as `Store` says: Set over NaN, and Add over numbers, both over several
/// thread counts; both must give `want`.
#[track_caller]
pub fn assert_stores<T: Real>(what: &str, units: f64, want: &[f64], kernel: impl Fn(&mut [T], Store) + Sync) {
    for store in [Store::Set, Store::Add] {
        let before: Vec<T> = if store == Store::Set { nan(want.len()) } else { normal(99, want.len(), 0.0, 1.0) };
        let got = over_threads(|| {
            let mut out = before.clone();
            kernel(&mut out, store);
            out
        });
        let add = |(&want, before): (&f64, &T)| if store == Store::Set { want } else { want + before.to_f64() };
        let want: Vec<f64> = want.iter().zip(&before).map(add).collect();
        assert_close(&format!("{what} {store:?}"), units, &got, &want);
    }
}

/// Checks a map of one operand, y = f(x), over every path and `LENGTHS`.
pub fn check_map<T: Real>(
    units: f64,
    kernel: impl Fn(&Device, &[T], &mut [T], Store) + Sync,
    reference: impl Fn(f64) -> f64,
) {
    for device in devices() {
        for n in LENGTHS {
            let mut x = normal::<T>(1, n, 0.0, 2.0);
            for (x, edge) in x.iter_mut().zip([0.0, 1e-6, -1e-6, 30.0, -30.0]) {
                *x = T::from_f64(edge);
            }
            let want: Vec<f64> = x.iter().map(|x| reference(x.to_f64())).collect();
            assert_stores("y", units, &want, |y, store| kernel(&device, &x, y, store));
        }
    }
}

/// Checks a map of two operands, z = f(x, y), over every path and `LENGTHS`; x holds zeros and both signs.
pub fn check_map2<T: Real>(
    units: f64,
    kernel: impl Fn(&Device, &[T], &[T], &mut [T], Store) + Sync,
    reference: impl Fn(f64, f64) -> f64,
) {
    for device in devices() {
        for n in LENGTHS {
            let (mut x, y) = (normal::<T>(1, n, 0.0, 1.0), normal::<T>(2, n, 0.0, 1.0));
            x.iter_mut().step_by(5).for_each(|x| *x = T::ZERO);
            let want: Vec<f64> = x.iter().zip(&y).map(|(x, y)| reference(x.to_f64(), y.to_f64())).collect();
            assert_stores("z", units, &want, |z, store| kernel(&device, &x, &y, z, store));
        }
    }
}

/// Asserts that `gradient` is d f / d x at `x`, by central differences of step 1e-5, to 1e-7 of its largest element.
#[track_caller]
pub fn assert_gradient(what: &str, x: &[f64], gradient: &[f64], f: impl Fn(&[f64]) -> f64) {
    let scale = gradient.iter().fold(1e-3, |a: f64, g| a.max(g.abs()));
    let mut at = x.to_vec();
    for i in 0..x.len() {
        let mut shifted = |step: f64| {
            at[i] = x[i] + step;
            let value = f(&at);
            at[i] = x[i];
            value
        };
        let difference = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
        let error = (difference - gradient[i]).abs();
        assert!(error <= 1e-7 * scale, "{what}[{i}]: {}, central difference {difference}", gradient[i]);
    }
}
