//! The same bits for any number of threads, and whatever memory held before.

use crate::{bits, settings};
use ecgan::models::{ImageShape, ResNet18, noise};
use ecgan::networks::Networks;
use ecgan::settings::{Partial, Preset};
use tensor::rng::Stream;
use tensor::{Device, Simd, Tensor};

const BATCH: usize = 8;
const IMAGE: ImageShape = ImageShape { channels: 3, size: 32 };

/// A few iterations of all three networks as published; the losses as text and the final bits.
fn short_training(device: &Device, steps: usize) -> (String, Vec<u32>) {
    // Two steps of the classifier an iteration, and every fake kept: nothing is left out.
    let given = Partial { preset: Some(Preset::Notebook), threshold: Some(0.0), ..Partial::default() };
    let mut networks = Networks::new(device, &settings(given), &ResNet18 { width: 16 }, IMAGE, 10);
    let mut random = Stream::Noise.start(1);
    let mut losses = String::new();
    for step in 0..steps {
        let mut x = Tensor::uninit(device, [BATCH, IMAGE.size, IMAGE.size, IMAGE.channels]);
        kernels::fill::uniform(device, &mut random, -1.0, 1.0, &mut x);
        let labels: Vec<i32> = (0..BATCH).map(|i| ((i + 3 * step) % 10) as i32).collect();
        let on_device = Tensor::from_slice(device, [BATCH], &labels).expect("one an image");
        let found = networks.step(&x, &on_device, || noise(device, &mut random, BATCH)).expect("the shapes fit");
        let found = found.read(&labels).expect("on the host");
        losses += &format!("{:?} {:?} {:?}\n", found.gan, found.real, found.fake);
    }
    let bits = bits(&networks);
    assert!(bits.iter().all(|&v| f32::from_bits(v).is_finite()));
    (losses, bits)
}

/// Iterations: three, but one on the paths that are slow and share most of their code with the widest.
fn steps(simd: Simd) -> usize {
    if simd == Simd::detect() { 3 } else { 1 }
}

fn with_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads").install(work)
}

#[test]
fn training_has_the_same_bits_for_any_number_of_threads() {
    for simd in Simd::available() {
        let train = |threads| {
            with_threads(threads, || short_training(&Device::cpu_with(simd).expect("available"), steps(simd)))
        };
        let one = train(1);
        for threads in [2, 3] {
            assert!(train(threads) == one, "{simd}: {threads} threads give other bits than one");
        }
    }
}

#[test]
fn training_does_not_depend_on_what_memory_held() {
    for simd in Simd::available() {
        let (device, steps) = (Device::cpu_with(simd).expect("available"), steps(simd));
        let plain = short_training(&device, steps);
        assert!(short_training(&device.poisoned(), steps) == plain, "{simd}: memory full of NaN gives other bits");
        // The pool is full of what the first training left.
        assert!(short_training(&device, steps) == plain, "{simd}: used memory gives other bits");
    }
}
