//! The same bits for any number of threads, and whatever memory held before.

use crate::{bits, settings};
use ecgan::methods::Noise;
use ecgan::models::{BuiltIn, ImageShape, noise};
use ecgan::networks::Networks;
use ecgan::settings::{Method, Partial, Preset};
use tensor::rng::Stream;
use tensor::{Device, Simd, Tensor};

const BATCH: usize = 8;
const IMAGE: ImageShape = ImageShape { channels: 3, size: 32 };

/// A few iterations of all three networks as published; the losses as text and the final bits.
fn short_training(device: &Device, method: Method, steps: usize) -> (String, Vec<u32>) {
    // Two steps of the classifier an iteration, and every fake kept: nothing is left out.
    let given =
        Partial { method: Some(method), preset: Some(Preset::Notebook), threshold: Some(0.0), ..Partial::default() };
    let settings = settings(given);
    let classifier = BuiltIn { width: 16, ..settings.classifier() };
    let mut networks = Networks::new(device, &settings, &classifier, IMAGE, 10);
    let mut random = Stream::Noise.start(1);
    let mut losses = String::new();
    for step in 0..steps {
        let mut x = Tensor::uninit(device, [BATCH, IMAGE.size, IMAGE.size, IMAGE.channels]);
        kernels::fill::uniform(device, &mut random, -1.0, 1.0, &mut x);
        let labels: Vec<i32> = (0..BATCH).map(|i| ((i + 3 * step) % 10) as i32).collect();
        let on_device = Tensor::from_slice(device, [BATCH], &labels).expect("one an image");
        let found =
            networks.step(&x, &on_device, || Noise::plain(noise(device, &mut random, BATCH))).expect("the shapes fit");
        let found = found.read(&on_device, 10).expect("on the host");
        losses += &format!("{:?} {:?} {:?}\n", found.gan, found.real, found.fake);
    }
    let bits = bits(&networks);
    assert!(bits.iter().all(|&v| f32::from_bits(v).is_finite()));
    (losses, bits)
}

/// Paths, methods and iterations: three, but one method for one iteration on the paths that are slow and share most of their
/// code with the widest.
fn cases() -> impl Iterator<Item = (Simd, Method, usize)> {
    Simd::available().into_iter().flat_map(|simd| {
        let all: &[Method] = &[Method::EcGan, Method::Conditional, Method::SharedDc, Method::SharedResnet];
        let (methods, steps) = if simd == Simd::detect() { (all, 3) } else { (&all[..1], 1) };
        methods.iter().map(move |&method| (simd, method, steps))
    })
}

fn with_threads<R: Send>(threads: usize, work: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads").install(work)
}

#[test]
fn training_has_the_same_bits_for_any_number_of_threads() {
    for (simd, method, steps) in cases() {
        let train = |threads| {
            with_threads(threads, || short_training(&Device::cpu_with(simd).expect("available"), method, steps))
        };
        let one = train(1);
        for threads in [2, 3] {
            assert!(train(threads) == one, "{method} {simd}: {threads} threads give other bits than one");
        }
    }
}

#[test]
fn training_does_not_depend_on_what_memory_held() {
    for (simd, method, steps) in cases() {
        let device = Device::cpu_with(simd).expect("available");
        let train = |device: &Device| short_training(device, method, steps);
        let plain = train(&device);
        assert!(train(&device.poisoned()) == plain, "{method} {simd}: memory full of NaN gives other bits");
        // The pool is full of what the first training left.
        assert!(train(&device) == plain, "{method} {simd}: used memory gives other bits");
    }
}
