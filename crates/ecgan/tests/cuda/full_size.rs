//! What the preset's own sizes show and small ones do not: on a GPU alone, since the stand-in would take hours.

use crate::devices::{CLASSES, IMAGE, gpu, images};
use ecgan::augment;
use ecgan::networks::Networks;
use ecgan::settings::{Augment, FakeStatistics, Partial, Preset, Settings};
use ecgan::train::{Feed, Iterations};
use kernels::cuda::Precision;
use tensor::Device;

const BATCH: usize = 64;

/// Images that the classifier is measured on.
const OTHERS: usize = 100;

/// The classifier's running statistics after eight iterations, and its logits for other images.
fn trained(device: &Device, fake_statistics: FakeStatistics) -> [Vec<f32>; 2] {
    let given = Partial { preset: Some(Preset::Paper), fake_statistics: Some(fake_statistics), ..Partial::default() };
    let settings = Settings::resolve(given).expect("settings in their range");
    let networks = Networks::new(device, &settings, &settings.classifier(), IMAGE, CLASSES);
    let all = images(8 * BATCH + OTHERS);
    let feed = Feed { batch: BATCH, augment: Augment::None, seed: 1, classes: CLASSES, record: true, resident: None };
    let mut iterations = Iterations::new(device, networks, &all, feed).expect("room");
    for step in 0..8 {
        iterations.networks.set_learning_rates(&settings, 1.0);
        let indices: Vec<usize> = (step * BATCH..(step + 1) * BATCH).collect();
        iterations.run(&all, &indices, (step * BATCH) as u64).expect("it runs");
        if iterations.must_read() {
            iterations.read().expect("it ran");
        }
    }
    let classifier = iterations.networks.classifier().product();
    let statistics = classifier.buffers().flat().to_vec().expect("it ran");
    let others: Vec<usize> = (8 * BATCH..8 * BATCH + OTHERS).collect();
    let logits = classifier.evaluate(augment::plain(device, &all, &others).expect("held")).expect("the shapes fit");
    [statistics, logits.to_vec().expect("it ran")]
}

/// ||a - b|| / ||b||.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    let norm = |x: &mut dyn Iterator<Item = f64>| x.map(|x| x * x).sum::<f64>().sqrt();
    norm(&mut a.iter().zip(b).map(|(a, b)| f64::from(a - b))) / norm(&mut b.iter().map(|&b| f64::from(b)))
}

/// Kept out of the running statistics or not: fakes move them, and with them what the classifier says, as far as on the CPU.
#[test]
fn fakes_move_the_running_statistics_as_on_the_cpu() {
    let Some(cuda) = gpu() else { return println!("skipped: ECGAN_CUDA_TESTS=1 runs it on a GPU") };
    let device = Device::cuda(cuda, Precision::F32).expect("it has f32").poisoned();
    let moved = |device: &Device| {
        let [shared, frozen] = [FakeStatistics::Shared, FakeStatistics::Frozen].map(|how| trained(device, how));
        let moved = [0, 1].map(|i| distance(&shared[i], &frozen[i]));
        println!("{device}: statistics and logits are {moved:.4?} apart");
        (moved, frozen)
    };
    let ((here, frozen), (on_cpu, exact)) = (moved(&device), moved(&Device::cpu()));
    for (here, on_cpu) in here.into_iter().zip(on_cpu) {
        assert!(on_cpu > 0.1 && (here / on_cpu - 1.0).abs() < 0.2, "{here} apart, on the CPU {on_cpu}");
    }
    let drift = [0, 1].map(|i| distance(&frozen[i], &exact[i]));
    assert!(drift.iter().all(|&drift| drift < 0.2), "{drift:?} from the CPU's");
}
