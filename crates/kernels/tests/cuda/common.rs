//! What the tests share: the devices to run on, data, and comparison.

use kernels::cuda::{Cuda, Memory, Precision};
use kernels::philox::Philox;
use kernels::{Device, Element, Store};

/// Lengths around a thread's four elements and a block's 1,024.
pub const LENGTHS: [usize; 8] = [0, 1, 3, 4, 1023, 1024, 1025, 5003];

/// The stand-in in its orders (`ECGAN_HOST_ORDERS` limits them to the first so many), and with `ECGAN_CUDA_TESTS=1` the
/// first GPU.
pub fn devices() -> Vec<Cuda> {
    let mut devices = Vec::new();
    #[cfg(feature = "cuda-host")]
    {
        let orders = std::env::var("ECGAN_HOST_ORDERS").map_or(3, |n| n.parse().expect("a number of orders"));
        devices.extend(kernels::cuda::Order::ALL.into_iter().take(orders).map(Cuda::host));
    }
    if std::env::var_os("ECGAN_CUDA_TESTS").is_some_and(|value| value == "1") {
        devices.push(Cuda::open(0).unwrap_or_else(|error| panic!("ECGAN_CUDA_TESTS=1, but {error}")));
    }
    if devices.is_empty() {
        println!("skipped: neither the feature cuda-host nor ECGAN_CUDA_TESTS=1");
    }
    devices
}

/// The device of the kernels' public functions, in f32, its memory full of NaN.
pub fn device(cuda: &Cuda) -> Device {
    Device::cuda(cuda.clone(), Precision::F32).expect("every GPU has f32").poisoned()
}

/// `n` normal numbers; the same for the same stream.
pub fn normal(stream: u64, n: usize) -> Vec<f32> {
    let mut philox = Philox::new(1, stream);
    (0..n).map(|_| philox.normal()).collect()
}

/// The values as f64.
pub fn wide(x: &[f32]) -> Vec<f64> {
    x.iter().map(|&x| x.into()).collect()
}

/// The elements on a device.
pub fn up<T: Element>(cuda: &Cuda, x: &[T]) -> Memory {
    cuda.memory_of(x).expect("an upload")
}

/// The elements of a device's memory.
pub fn down<T: Element>(cuda: &Cuda, memory: &Memory) -> Vec<T> {
    cuda.download(memory.slice()).expect("a read-back")
}

/// Asserts |got - want| <= units * f32's epsilon * (1 + |want|) at every element.
#[track_caller]
pub fn assert_close(what: &str, units: f64, got: &[f32], want: &[f64]) {
    assert_eq!(got.len(), want.len(), "{what}");
    for (i, (&got, &want)) in got.iter().zip(want).enumerate() {
        let bound = units * f64::from(f32::EPSILON) * (1.0 + want.abs());
        assert!((f64::from(got) - want).abs() <= bound, "{what}[{i}]: {got}, reference {want}");
    }
}

/// Runs a kernel that writes f32 as `Store` says: Set over NaN, Add over numbers; both must give `want`, and twice the
/// same bits.
#[track_caller]
pub fn assert_stores(cuda: &Cuda, what: &str, units: f64, want: &[f64], kernel: impl Fn(&mut Memory, Store)) {
    for store in [Store::Set, Store::Add] {
        let before = if store == Store::Set { vec![f32::NAN; want.len()] } else { normal(99, want.len()) };
        let run = || {
            let mut out = up(cuda, &before);
            kernel(&mut out, store);
            down::<f32>(cuda, &out)
        };
        let got = run();
        let add = |(&want, &before): (&f64, &f32)| if store == Store::Set { want } else { want + f64::from(before) };
        let want: Vec<f64> = want.iter().zip(&before).map(add).collect();
        assert_close(&format!("{what} {store:?} on {cuda:?}"), units, &got, &want);
        assert!(got.iter().map(|x| x.to_bits()).eq(run().iter().map(|x| x.to_bits())), "{what}: two runs differ");
    }
}

/// Checks a map of one operand, y = f(x), over `LENGTHS`, and over memory that is not 16-byte aligned.
pub fn check_map(
    units: f64,
    kernel: impl Fn(&Cuda, kernels::view::DeviceSlice<f32>, kernels::view::DeviceSliceMut<f32>),
    reference: impl Fn(f64) -> f64,
) {
    for (cuda, n) in devices().into_iter().flat_map(|cuda| LENGTHS.map(|n| (cuda.clone(), n))) {
        for skip in [0, 1] {
            let mut x = normal(1, n + skip);
            x.iter_mut().for_each(|x| *x *= 2.0);
            x.iter_mut().skip(skip).zip([0.0, 1e-6, -1e-6, 30.0, -30.0]).for_each(|(x, edge)| *x = edge);
            let want: Vec<f64> = x[skip..].iter().map(|&x| reference(x.into())).collect();
            let (x, mut y) = (up(&cuda, &x), up(&cuda, &vec![f32::NAN; n + skip]));
            kernel(&cuda, x.slice().slice(skip..), y.slice_mut().slice(skip..));
            let got = down::<f32>(&cuda, &y);
            assert_close(&format!("y of {n} on {cuda:?}"), units, &got[skip..], &want);
            assert!(got[..skip].iter().all(|x| x.is_nan()), "written before the start");
        }
    }
}

/// Checks a map of two operands, z = f(x, y); x holds zeros and both signs.
pub fn check_map2(
    units: f64,
    kernel: impl Fn(
        &Cuda,
        kernels::view::DeviceSlice<f32>,
        kernels::view::DeviceSlice<f32>,
        kernels::view::DeviceSliceMut<f32>,
        Store,
    ),
    reference: impl Fn(f64, f64) -> f64,
) {
    for (cuda, n) in devices().into_iter().flat_map(|cuda| LENGTHS.map(|n| (cuda.clone(), n))) {
        let (mut x, y) = (normal(1, n), normal(2, n));
        x.iter_mut().step_by(5).for_each(|x| *x = 0.0);
        let want: Vec<f64> = x.iter().zip(&y).map(|(&x, &y)| reference(x.into(), y.into())).collect();
        let (x, y) = (up(&cuda, &x), up(&cuda, &y));
        assert_stores(&cuda, "z", units, &want, |z, store| {
            kernel(&cuda, x.slice(), y.slice(), z.slice_mut(), store);
        });
    }
}
