//! Saved, loaded and evaluated, a network predicts as it did.

use crate::{Silent, run, settings, tensors};
use ecgan::checkpoint::{self, Checkpoint, Meta, Position};
use ecgan::evaluate::evaluate_read;
use ecgan::export::export;
use ecgan::methods::Noise;
use ecgan::models::{ImageShape, ResNet18, noise};
use ecgan::networks::Networks;
use ecgan::run_folder::RunFolder;
use ecgan::settings::{FakeStatistics, Method, NetworkName, NormD, Partial, Preset, Schedule, Settings, SplitName};
use ecgan::train::{resume, resume_with, train_with};
use half::{bf16, f16};
use nn::{Network, StateDict, StateTensor};
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use serde_json::{Value, json};
use std::fs::{self, File};
use std::path::Path;
use tensor::rng::Stream;
use tensor::{Device, Tensor};

const SMALL: ImageShape = ImageShape { channels: 3, size: 32 };

#[test]
fn an_evaluated_checkpoint_has_the_accuracies_of_its_run() {
    let settings = settings(Partial { epochs: Some(2), ..Partial::default() });
    let (_root, folder, result) = run(&settings, &mut Silent);
    let summary = result.expect("the run ends well");
    let accuracy = |checkpoint: &Path, split| {
        Checkpoint::read(checkpoint)
            .and_then(|read| evaluate_read(&read, Some("synthetic"), split, &Device::cpu(), &mut |_| ()))
            .expect("a checkpoint of ours")
            .0
            .accuracy
    };
    assert_eq!(summary.test_accuracy, Some(accuracy(&folder.last_checkpoint(), SplitName::Test)));
    assert_eq!(summary.best_val_accuracy, Some(accuracy(&folder.best_checkpoint(), SplitName::Val)));
    assert_eq!((summary.n_train, summary.n_val, summary.n_test), (30, 10, 2000));
}

/// A run may be shorter than an average's memory; what its networks were before training must not stay in it.
#[test]
fn a_moving_average_forgets_what_was_before_training() {
    let variances = |name: &str, given: Partial| {
        let (_root, folder, result) = run(&settings(Partial { epochs: Some(10), ..given }), &mut Silent);
        result.expect("the run ends well");
        let stored = tensors(&folder.last_checkpoint());
        let (_, _, bytes) = stored.iter().find(|(stored, ..)| stored == name).expect("statistics");
        bytes.as_chunks::<4>().0.iter().map(|&b| f32::from_le_bytes(b)).collect::<Vec<_>>()
    };
    let classifier = |ema_c| Partial { method: Some(Method::Classifier), ema_c: Some(ema_c), ..Partial::default() };
    // A generator that is trained in the last three iterations only.
    let generator = |ema_g| Partial {
        method: Some(Method::SharedDc),
        lambda_start: Some(0.9),
        ema_g: Some(ema_g),
        ..Partial::default()
    };
    let (bn1, main) = ("classifier.bn1.running_var", "generator.main.1.running_var");
    for (name, [last, average]) in [
        (bn1, [0.0, 0.9999].map(|decay| variances(bn1, classifier(decay)))),
        (main, [0.0, 0.9999].map(|decay| variances(main, generator(decay)))),
    ] {
        for (last, average) in last.iter().zip(&average) {
            // 1 at first.
            assert!((last - 1.0).abs() > 0.2, "{name}: {last} was always so");
            assert!((average - last).abs() < 0.5 * (last - 1.0).abs(), "{name}: {average} beside {last}");
        }
    }
}

/// Whatever the iteration's steps and batches are: here two steps, with every generated image kept and with none, and both
/// batches counted.
#[test]
fn a_classifiers_average_follows_once_an_iteration() {
    let device = Device::cpu();
    for threshold in [0.0, 1.0] {
        let settings = settings(Partial {
            preset: Some(Preset::Notebook),
            fake_statistics: Some(FakeStatistics::Shared),
            threshold: Some(threshold),
            lr_c: Some(0.01),
            ema_c: Some(0.99),
            ..Partial::default()
        });
        let mut networks = Networks::new(&device, &settings, &ResNet18 { width: settings.width }, SMALL, 10);
        let mut random = Stream::Noise.start(3);
        let mut x = Tensor::uninit(&device, [6, 32, 32, 3]);
        kernels::fill::uniform(&device, &mut random, -1.0, 1.0, &mut x);
        let labels = Tensor::from_slice(&device, [6], &[3, 1, 4, 1, 5, 9]).expect("one an image");
        let numbers = |network: &Network| network.params().values().flat().to_vec().expect("no GPU");
        let mut want = numbers(&networks.classifier().network);
        for (steps, decay) in (0..).zip([1.0 / 10.0, 2.0 / 11.0, 3.0 / 12.0]) {
            networks.set_decays(&settings, steps);
            networks.step(&x, &labels, || Noise::plain(noise(&device, &mut random, 6))).expect("the shapes fit");
            let classifier = networks.classifier();
            let now = numbers(&classifier.network);
            want.iter_mut().zip(&now).for_each(|(want, now)| *want = decay * *want + (1.0 - decay) * now);
            for (got, want) in numbers(classifier.product()).iter().zip(&want) {
                assert!((got - want).abs() < 1e-6, "threshold {threshold}, after {steps}: {got}, expected {want}");
            }
        }
    }
}

/// A tensor of a tebibyte that nobody asks for, a hole in the file, costs neither time nor memory.
#[test]
fn only_what_is_asked_for_is_read() {
    let settings = settings(Partial { method: Some(Method::Classifier), ..Partial::default() });
    let (_root, folder, result) = run(&settings, &mut Silent);
    let summary = result.expect("the run ends well");
    let path = folder.last_checkpoint();
    let bytes = fs::read(&path).expect("a checkpoint");
    let (length, rest) = bytes.split_first_chunk().expect("the header's length");
    let (header, elements) = rest.split_at(u64::from_le_bytes(*length) as usize);
    let mut header: Value = serde_json::from_slice(header).expect("JSON");
    let (end, hole) = (elements.len() as u64, 1u64 << 40);
    header["unused"] = json!({"dtype": "F32", "shape": [hole / 4], "data_offsets": [end, end + hole]});
    let header = header.to_string();
    let whole = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), elements].concat();
    fs::write(&path, &whole).expect("written");
    let set_len = |length| {
        let file = File::options().write(true).open(&path).expect("it is there");
        file.set_len(length).expect("holes are free");
    };
    set_len(whole.len() as u64 + hole);

    let read = Checkpoint::read(&path).expect("a checkpoint");
    assert_eq!(
        read.meta,
        Meta {
            images: read.meta.images.clone(),
            names: read.meta.names.clone(),
            ..Meta::new(&settings, &read.meta.classes)
        }
    );
    assert_eq!(read.position().expect("it says").step, summary.steps);
    read.classifier(&Device::cpu()).expect("it has one");

    // What is cut off after it was opened is missed when it is asked for.
    set_len(header.len() as u64);
    let error = read.position().expect_err("it is gone").to_string();
    assert!(error.starts_with(&format!("{}: cannot read: ", path.display())), "{error}");
}

#[test]
fn loaded_networks_compute_the_same_bits() {
    let device = Device::cpu();
    let settings = settings(Partial { threshold: Some(0.0), ..Partial::default() });
    let mut networks = Networks::new(&device, &settings, &ResNet18 { width: settings.width }, SMALL, 10);
    let mut random = Stream::Noise.start(2);
    let mut x = Tensor::uninit(&device, [6, 32, 32, 3]);
    kernels::fill::uniform(&device, &mut random, -1.0, 1.0, &mut x);
    let labels = Tensor::from_slice(&device, [6], &[3, 1, 4, 1, 5, 9]).expect("one an image");
    networks.step(&x, &labels, || Noise::plain(noise(&device, &mut random, 6))).expect("the shapes fit");

    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("c.safetensors");
    let classes: Vec<String> = (0..10).map(|digit| digit.to_string()).collect();
    checkpoint::save(&path, &networks, Position::default(), &Meta::new(&settings, &classes)).expect("saved");
    let read = Checkpoint::read(&path).expect("a checkpoint of ours");
    assert_eq!((&read.meta.classes, read.meta.width, read.image()), (&classes, 2, SMALL));

    let mut classifier = read.classifier(&device).expect("it has one");
    assert_eq!(classifier.state_dict(), networks.classifier().network.state_dict());
    assert_eq!(classifier.batches_tracked(), 1);
    let z = noise(&device, &mut random, 6);
    let mut generator = read.generator(&device).expect("it has one");
    let made = generator.evaluate(z.clone()).expect("the shapes fit");
    let before = networks.drawing().expect("ec-gan has one").0.evaluate(z).expect("the shapes fit");
    assert_eq!(made.as_slice(), before.as_slice());
    let logits = classifier.evaluate(made).expect("the shapes fit");
    let before = networks.classifier().network.evaluate(before).expect("the shapes fit");
    assert_eq!(logits.as_slice(), before.as_slice());
}

/// As `model.half()` or `model.bfloat16()` leaves it in PyTorch.
#[test]
fn a_state_dict_in_half_precision_is_read_exactly() {
    reads_exactly(Dtype::F16, |v| f16::from_f64(v).to_le_bytes(), |b| f16::from_le_bytes(b).to_f64());
    reads_exactly(Dtype::BF16, |v| bf16::from_f64(v).to_le_bytes(), |b| bf16::from_le_bytes(b).to_f64());
}

fn reads_exactly(dtype: Dtype, rounded: fn(f64) -> [u8; 2], value: fn([u8; 2]) -> f64) {
    let device = Device::cpu();
    let mut networks = Networks::new(&device, &settings(Partial::default()), &ResNet18 { width: 2 }, SMALL, 10);
    let state = networks.classifier().network.state_dict().expect("no GPU");
    let bytes = state.iter().map(|(_, tensor)| match tensor {
        StateTensor::Real(_, values) => values.iter().flat_map(|&v| rounded(v)).collect(),
        StateTensor::Count(count) => count.to_le_bytes().to_vec(),
    });
    let bytes: Vec<Vec<u8>> = bytes.collect();
    let views = state.iter().zip(&bytes).map(|((name, tensor), bytes)| {
        let view = match tensor {
            StateTensor::Real(shape, _) => TensorView::new(dtype, shape.clone(), bytes),
            StateTensor::Count(_) => TensorView::new(Dtype::I64, Vec::new(), bytes),
        };
        (name, view.expect("as many bytes as the shape says"))
    });
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("half.safetensors");
    fs::write(&path, safetensors::serialize(views, None).expect("names differ")).expect("written");

    let read = Checkpoint::read(&path).expect("a state dict").classifier(&device).expect("it has one");
    let as_stored = |tensor: &StateTensor| match tensor {
        StateTensor::Real(shape, v) => StateTensor::Real(shape.clone(), v.iter().map(|&v| value(rounded(v))).collect()),
        count => count.clone(),
    };
    let want: StateDict = state.iter().map(|(name, tensor)| (name.clone(), as_stored(tensor))).collect();
    assert_ne!(want, state);
    assert_eq!(read.state_dict().expect("no GPU"), want, "{dtype:?}");
}

/// The settings say nothing of it: read as what they name, it would be another network, or none.
#[test]
fn a_classifier_of_ones_own_is_read_with_itself_alone() {
    let settings = settings(Partial { schedule: Some(Schedule::Constant), ..Partial::default() });
    let root = tempfile::tempdir().expect("a temporary folder");
    let folder = RunFolder::create(None, root.path(), settings.method, "synthetic").expect("a new folder");
    // Of the layers that the settings name, and wider than they say.
    let own = ResNet18 { width: 4 };
    let summary = train_with(&own, &settings, &folder, &mut Silent).expect("the run ends well");
    assert!(summary.test_accuracy.is_some());
    let checkpoint = Checkpoint::read(&folder.last_checkpoint()).expect("a checkpoint of ours");
    let (device, is_own) = (Device::cpu(), "its classifier is an architecture of the program that trained it");
    let refused = checkpoint.classifier(&device).err().expect("refused").to_string();
    assert!(refused.contains(is_own), "{refused}");
    checkpoint.classifier_of(&device, &own).expect("it is that");
    checkpoint.generator(&device).expect("this one is built in");
    let longer = Settings { epochs: 2, ..settings.clone() };
    let refused = resume(&longer, &folder, &mut Silent).expect_err("refused").to_string();
    assert!(refused.contains("its classifier is one of its program's own, not built in"), "{refused}");
    resume_with(&own, &longer, &folder, &mut Silent).expect("it goes on");
}

/// PyTorch's `spectral_norm` keeps both directions, and takes a state dict with both alone.
#[test]
fn an_exported_discriminator_has_both_directions_of_spectral_norm() {
    let settings = settings(Partial { norm_d: Some(NormD::Spectral), max_steps: Some(2), ..Partial::default() });
    let (_root, folder, result) = run(&settings, &mut Silent);
    result.expect("the run ends well");
    let checkpoint = Checkpoint::read(&folder.last_checkpoint()).expect("a checkpoint of ours");
    let out = folder.path().join("discriminator.safetensors");
    export(&checkpoint, NetworkName::Discriminator, &out, false).expect("written");
    let tensors = tensors(&out);
    let of = |name: String| {
        let (_, _, bytes) = tensors.iter().find(|(other, ..)| *other == name).expect("it is there");
        bytes.as_chunks().0.iter().map(|&bytes| f64::from(f32::from_le_bytes(bytes))).collect::<Vec<f64>>()
    };
    for layer in ["main.0", "main.2", "main.4", "main.6"] {
        let [w, u, v] = ["orig", "u", "v"].map(|end| of(format!("{layer}.weight_{end}")));
        let product =
            |v: &[f64], column: usize| w.iter().skip(column).step_by(v.len()).zip(&u).map(|(w, u)| w * u).sum::<f64>();
        let sigma = (0..v.len()).map(|column| product(&v, column) * v[column]).sum::<f64>();
        assert!((v.iter().map(|v| v * v).sum::<f64>() - 1.0).abs() < 1e-6, "{layer}");
        assert!((0..v.len()).all(|column| (product(&v, column) - sigma * v[column]).abs() < 1e-5), "{layer}");
    }
    let device = Device::cpu();
    let state =
        |network: Result<Network, ecgan::Error>| network.expect("a discriminator").state_dict().expect("its numbers");
    let exported = Checkpoint::read(&out).expect("a checkpoint of ours");
    assert_eq!(state(exported.discriminator(&device)), state(checkpoint.discriminator(&device)));
}
