//! The devices to run on, and what the tests train on them.

use ecgan::data::Images;
use ecgan::models::ImageShape;
use ecgan::networks::Networks;
use ecgan::settings::{Partial, Settings};
use kernels::cuda::{Cuda, Precision};
use kernels::philox::Philox;
use tensor::Device;

pub const IMAGE: ImageShape = ImageShape { channels: 3, size: 32 };
pub const CLASSES: usize = 10;

/// The stand-in in one order, and with `ECGAN_CUDA_TESTS=1` the first GPU; their memory is full of NaN.
pub fn devices() -> Vec<Device> {
    let mut devices = Vec::new();
    #[cfg(feature = "cuda-host")]
    devices.push(Cuda::host(kernels::cuda::Order::Ascending));
    devices.extend(gpu());
    if devices.is_empty() {
        println!("skipped: neither the feature cuda-host nor ECGAN_CUDA_TESTS=1");
    }
    let open = |cuda| Device::cuda(cuda, Precision::F32).expect("it has f32").poisoned();
    devices.into_iter().map(open).collect()
}

/// The same with tensor cores, whose kernels are others: of the stand-in in TF32, of a GPU in BF16 too.
pub fn tensor_cores() -> Vec<Device> {
    let mut devices = Vec::new();
    #[cfg(feature = "cuda-host")]
    devices.push((Cuda::host(kernels::cuda::Order::Ascending), Precision::Tf32));
    for precision in [Precision::Tf32, Precision::Bf16] {
        devices.extend(gpu().map(|cuda| (cuda, precision)));
    }
    if devices.is_empty() {
        println!("skipped: neither the feature cuda-host nor ECGAN_CUDA_TESTS=1");
    }
    let open = |(cuda, precision)| Device::cuda(cuda, precision).expect("8.0 or newer").poisoned();
    devices.into_iter().map(open).collect()
}

/// The first GPU, with `ECGAN_CUDA_TESTS=1`.
pub fn gpu() -> Option<Cuda> {
    let wanted = std::env::var_os("ECGAN_CUDA_TESTS").is_some_and(|value| value == "1");
    wanted.then(|| Cuda::open(0).unwrap_or_else(|error| panic!("ECGAN_CUDA_TESTS=1, but {error}")))
}

/// Networks by these settings, small where they do not say.
pub fn networks(device: &Device, given: &Partial) -> Networks {
    let settings = Settings::resolve(Partial { width: given.width.or(Some(4)), ..given.clone() })
        .expect("settings in their range");
    Networks::new(device, &settings, &settings.classifier(), IMAGE, CLASSES)
}

/// `n` images.
pub fn images(n: usize) -> Images {
    let mut random = Philox::new(5, 78);
    let ImageShape { size, channels } = IMAGE;
    let pixels = (0..n * size * size * channels).map(|_| random.next_u32() as u8).collect();
    Images::held(pixels, (0..n).map(|i| (i * 3 % CLASSES) as i32).collect(), size, channels)
}

/// `n` images and labels; others for each `step`.
pub fn batch(n: usize, step: u64) -> (Vec<f32>, Vec<i32>) {
    let mut random = Philox::new(step, 77);
    let x = (0..n * IMAGE.size * IMAGE.size * IMAGE.channels).map(|_| 2.0 * random.uniform() - 1.0).collect();
    (x, (0..n).map(|i| ((i as u64 + 3 * step) % CLASSES as u64) as i32).collect())
}
