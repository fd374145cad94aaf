//! A recorded iteration, replayed, gives the bits that launching gives; a checkpoint goes from either device to the other.

use crate::devices::{CLASSES, IMAGE, devices, images, networks, tensor_cores};
use ecgan::checkpoint::{self, Checkpoint, Meta, Position};
use ecgan::generate::draw;
use ecgan::methods::Thresholds;
use ecgan::models::noise;
use ecgan::settings::{Augment, ClassThreshold, DiffAugment, FakeStatistics, Method, NormD, Partial, Preset, Settings};
use ecgan::train::{Feed, Iterations, Totals};
use std::ops::Range;
use tensor::rng::Stream;
use tensor::{Device, Tensor};

const BATCH: usize = 2;

/// Everything that three iterations leave.
#[derive(PartialEq)]
struct Left {
    found: String,
    bits: Vec<u32>,
    counts: Vec<u64>,
}

fn begin(device: &Device, given: &Partial, record: bool, resident: Option<usize>) -> Iterations {
    let feed = Feed { batch: BATCH, augment: Augment::Paper, seed: 3, classes: CLASSES, record, resident };
    Iterations::new(device, networks(device, given), &images(10), feed).expect("room")
}

/// Runs these iterations; what they found.
fn iterate(iterations: &mut Iterations, given: &Partial, steps: Range<u64>) -> String {
    let mut found = String::new();
    for step in steps.clone() {
        let settings = Settings::resolve(given.clone()).expect("settings in their range");
        iterations.networks.set_learning_rates(&settings, 1.0 / (step + 1) as f64);
        iterations.networks.set_lambda(&settings, settings.lambda_factor(step, 5));
        let indices = [0, 1].map(|i| (2 * step + i) as usize);
        iterations.run(&images(10), &indices, 2 * step).expect("it runs");
        // On a GPU at the end alone.
        if step + 1 == steps.end || iterations.must_read() {
            iterations.read().expect("it ran").iter().for_each(|step| found += &format!("{step:?}\n"));
        }
    }
    found
}

fn left(iterations: &Iterations, found: String) -> Left {
    let (mut bits, mut counts) = (Vec::new(), vec![iterations.noise_position()]);
    for (_, network, adam) in iterations.networks.named() {
        for flat in [network.params().values().flat(), network.buffers().flat(), &adam.m, &adam.v] {
            bits.extend(flat.to_vec().expect("it ran").iter().map(|v| v.to_bits()));
        }
        counts.extend([network.batches_tracked(), adam.t().expect("it ran")]);
    }
    for (_, network) in iterations.networks.averages() {
        for flat in [network.params().values().flat(), network.buffers().flat()] {
            bits.extend(flat.to_vec().expect("it ran").iter().map(|v| v.to_bits()));
        }
        counts.push(network.batches_tracked());
    }
    if let Some(average) = iterations.networks.thresholds().and_then(Thresholds::average) {
        bits.extend(average.to_vec().expect("it ran").iter().map(|v| v.to_bits()));
    }
    Left { found, bits, counts }
}

fn train(device: &Device, given: &Partial, record: bool, resident: Option<usize>) -> (Left, Iterations) {
    let mut iterations = begin(device, given, record, resident);
    let found = iterate(&mut iterations, given, 0..3);
    (left(&iterations, found), iterations)
}

/// What keeps fakes out of the running statistics does so in a replay too.
#[test]
fn a_replay_treats_the_statistics_of_fakes_as_launching_does() {
    for device in devices() {
        let all = [FakeStatistics::Shared, FakeStatistics::Frozen, FakeStatistics::Running].map(|fake_statistics| {
            let given = Partial {
                preset: Some(Preset::Paper),
                threshold: Some(0.0),
                fake_statistics: Some(fake_statistics),
                ..Partial::default()
            };
            let (launched, _) = train(&device, &given, false, None);
            let (recorded, _) = train(&device.poisoned(), &given, true, None);
            assert_eq!((&launched.found, &launched.counts), (&recorded.found, &recorded.counts), "{device}");
            assert!(launched.bits == recorded.bits, "{device} {fake_statistics}: bits");
            recorded
        });
        let [shared, frozen, running] = &all;
        assert_eq!(shared.found, frozen.found, "{device}: the same is learned");
        assert!(shared.bits != frozen.bits && shared.counts != frozen.counts, "{device}: the same statistics");
        assert!(running.found != frozen.found, "{device}: the same is learned");
    }
}

#[test]
fn a_replay_gives_the_bits_of_launching() {
    for device in devices() {
        // Two steps of the classifier; at 1 nothing is kept and the second is left out, on the device.
        for threshold in [0.0, 1.0] {
            let given = Partial { preset: Some(Preset::Notebook), threshold: Some(threshold), ..Partial::default() };
            let (launched, _) = train(&device, &given, false, None);
            // And with the images of each batch copied to it.
            let (recorded, _) = train(&device.poisoned(), &given, true, Some(0));
            assert_eq!(launched.found, recorded.found, "{device}");
            assert_eq!(launched.counts, recorded.counts, "{device}");
            assert!(launched.bits == recorded.bits, "{device}: bits");
            assert_eq!(launched.counts[1..3], [6, if threshold == 0.0 { 6 } else { 3 }], "batches and steps");
            assert!(launched.bits.iter().all(|&v| f32::from_bits(v).is_finite()), "{device}");
        }
    }
}

/// Between lanes, with memory full of NaN, the kernels too that only tensor cores have, for 16 and 32 channels.
#[test]
fn a_replay_on_tensor_cores_gives_the_bits_of_launching() {
    for device in tensor_cores() {
        let given =
            Partial { preset: Some(Preset::Paper), threshold: Some(0.0), width: Some(16), ..Partial::default() };
        let (launched, _) = train(&device, &given, false, None);
        let (recorded, _) = train(&device.poisoned(), &given, true, None);
        assert_eq!((&launched.found, &launched.counts), (&recorded.found, &recorded.counts), "{device}");
        assert!(launched.bits == recorded.bits, "{device}: bits");
        assert!(launched.bits.iter().all(|&v| f32::from_bits(v).is_finite()), "{device}");
    }
}

/// The methods and options whose iterations are made of other parts; of five iterations the first two are without lambda
/// and the third with half of it, so that what was recorded is out of date twice.
#[test]
fn a_replay_of_every_method_gives_the_bits_of_launching() {
    for device in devices() {
        for method in [Method::Conditional, Method::SharedDc, Method::SharedResnet, Method::EcGan] {
            let given = Partial {
                method: Some(method),
                preset: Some(Preset::Paper),
                threshold: Some(0.0),
                lambda_start: Some(0.3),
                lambda_ramp: Some(0.2),
                ema_g: Some(0.9),
                ema_c: Some(0.9),
                diff_augment: (!method.is_shared()).then_some(DiffAugment::All),
                norm_d: (method == Method::EcGan).then_some(NormD::Spectral),
                class_threshold: Some(ClassThreshold::Balanced),
                ..Partial::default()
            };
            let five = |device: &Device, record| {
                let mut iterations = begin(device, &given, record, None);
                let found = iterate(&mut iterations, &given, 0..5);
                left(&iterations, found)
            };
            let (launched, recorded) = (five(&device, false), five(&device.poisoned(), true));
            let fakes = launched.found.lines().filter(|line| line.contains("fake: Some")).count();
            assert_eq!(fakes, if method.learns_from_fakes() { 3 } else { 0 }, "{method}: {}", launched.found);
            assert_eq!((&launched.found, &launched.counts), (&recorded.found, &recorded.counts), "{device} {method}");
            assert!(launched.bits == recorded.bits, "{device} {method}: bits");
            assert!(launched.bits.iter().all(|&v| f32::from_bits(v).is_finite()), "{device} {method}");
        }
    }
}

/// Lambda is 0 in the first iteration alone: the second one's parts have not run yet.
#[test]
fn what_is_recorded_was_launched_before() {
    for device in devices() {
        let ramp = Some(0.5);
        let given =
            Partial { preset: Some(Preset::Paper), threshold: Some(0.0), lambda_ramp: ramp, ..Partial::default() };
        let (launched, _) = train(&device, &given, false, None);
        let (recorded, _) = train(&device.poisoned(), &given, true, None);
        let fakes = launched.found.lines().filter(|line| line.contains("fake: Some")).count();
        assert_eq!((fakes, &launched.found), (2, &recorded.found), "{device}");
        assert!(launched.bits == recorded.bits, "{device}: bits");
    }
}

/// The classifier's lane and the others' do not depend on each other: the stand-in runs them in three orders.
#[cfg(feature = "cuda-host")]
#[test]
fn the_order_of_lanes_does_not_matter() {
    use kernels::cuda::{Cuda, Order, Precision};
    let given = Partial { preset: Some(Preset::Paper), threshold: Some(0.0), ..Partial::default() };
    let in_order = |order| {
        let device = Device::cuda(Cuda::host(order), Precision::F32).expect("it has f32").poisoned();
        train(&device, &given, true, None).0
    };
    let [first, others @ ..] = Order::ALL.map(in_order);
    for other in others {
        assert_eq!(first.found, other.found);
        assert!(first.bits == other.bits && first.counts == other.counts, "bits");
    }
}

/// The counts of noise and of Adam's steps lie on the device; what is recorded there goes on from those of the checkpoint.
#[test]
fn iterations_go_on_from_a_checkpoint_with_the_same_bits() {
    let given = Partial { threshold: Some(0.0), ..Partial::default() };
    let settings = Settings::resolve(Partial { width: Some(4), ..given.clone() }).expect("settings in their range");
    let classes: Vec<String> = (0..CLASSES).map(|digit| digit.to_string()).collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("c.safetensors");
    for device in devices() {
        let (whole, _) = train(&device, &given, true, None);
        let mut stopped = begin(&device, &given, true, None);
        let mut found = iterate(&mut stopped, &given, 0..1);
        let position = Position { noise: stopped.noise_position(), sums: Totals::new(CLASSES), ..Position::default() };
        checkpoint::save(&path, &stopped.networks, position, &Meta::new(&settings, &classes)).expect("saved");
        drop(stopped);

        // The first of these is launched, the second recorded.
        let read = Checkpoint::read(&path).expect("a checkpoint of ours");
        let mut again = begin(&device, &given, true, None);
        read.restore(&mut again.networks).expect("the same networks");
        again.set_noise_position(read.position().expect("it says").noise);
        found += &iterate(&mut again, &given, 1..3);
        let resumed = left(&again, found);
        assert_eq!((&resumed.found, &resumed.counts), (&whole.found, &whole.counts), "{device}");
        assert!(resumed.bits == whole.bits, "{device}: bits");
    }
}

#[test]
fn a_checkpoint_goes_from_either_device_to_the_other() {
    let given = Partial { threshold: Some(0.0), ..Partial::default() };
    let settings = Settings::resolve(Partial { width: Some(4), ..given.clone() }).expect("settings in their range");
    let classes: Vec<String> = (0..CLASSES).map(|digit| digit.to_string()).collect();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let save = |name: &str, iterations: &Iterations| {
        let path = folder.path().join(name);
        let meta = Meta::new(&settings, &classes);
        checkpoint::save(&path, &iterations.networks, Position::default(), &meta).expect("saved");
        Checkpoint::read(&path).expect("a checkpoint of ours")
    };
    for device in devices() {
        for (trained, other) in [(&device, &Device::cpu()), (&Device::cpu(), &device)] {
            let (_, mut iterations) = train(trained, &given, true, None);
            let read = save("c.safetensors", &iterations);
            let mut classifier = read.classifier(other).expect("it has one");
            let before = iterations.networks.classifier().network.state_dict().expect("it ran");
            assert!(classifier.state_dict().expect("it ran") == before, "the numbers are the same");
            let mut generator = read.generator(other).expect("it has one");
            let z = noise(other, &mut Stream::Noise.start(8), 3);
            let made = generator.evaluate(z).expect("the shapes fit").to_vec().expect("it ran");
            let z = noise(trained, &mut Stream::Noise.start(8), 3);
            let generator = iterations.networks.drawing().expect("it has one").0;
            let here = generator.evaluate(z).expect("the shapes fit").to_vec().expect("it ran");
            assert!(made.iter().zip(&here).all(|(a, b)| (a - b).abs() < 1e-4), "{trained} and {other}: images");
            let x = [&made[..]; 2].map(|x| x.to_vec());
            let logits = |network: &mut nn::Network, device: &Device, x: &[f32]| {
                let x = Tensor::from_slice(device, [3, IMAGE.size, IMAGE.size, IMAGE.channels], x).unwrap();
                network.evaluate(x).expect("the shapes fit").to_vec().expect("it ran")
            };
            let there = logits(&mut classifier, other, &x[0]);
            let here = logits(&mut iterations.networks.classifier().network, trained, &x[1]);
            assert!(there.iter().zip(&here).all(|(a, b)| (a - b).abs() < 1e-4), "{trained} and {other}: logits");
            let read = save("again.safetensors", &iterations);
            let (mut g, mut c) = (read.generator(other).unwrap(), read.classifier(other).unwrap());
            let drawn = draw(&mut g, &mut c, None, 3, 1, IMAGE, &classes, other, &mut |_| {}).expect("it ran");
            assert_eq!((drawn.labels.len(), drawn.confidences.len()), (3, 3));
        }
    }
}
