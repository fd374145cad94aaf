//! Whole networks against PyTorch in f64: names, sizes, outputs, gradients, running statistics, evaluation.

use crate::formula::Entry;
use crate::results::{Ours, Stored, read};
use ecgan::models::{ImageShape, ResNet18};
use ecgan::networks::{new_classifier, new_discriminator, new_generator};
use ecgan::settings::NormD;
use nn::{Mode, Network, StateDict, StateTensor};
use serde::Deserialize;
use std::collections::BTreeMap;
use tensor::{Device, Real, Tape};

const TOLERANCE: f64 = 1e-10;

#[derive(Deserialize)]
struct File {
    networks: Vec<Golden>,
}

#[derive(Deserialize)]
struct Golden {
    golden: String,
    network: String,
    image_size: usize,
    channels: usize,
    settings: Settings,
    parameter_count: usize,
    state: Vec<Entry>,
    x: Entry,
    r: Option<Entry>,
    train: Train,
    eval: Output,
}

#[derive(Deserialize)]
struct Settings {
    width: Option<usize>,
    classes: Option<usize>,
}

#[derive(Deserialize)]
struct Train {
    y: Stored,
    dx: Option<Stored>,
    #[serde(default)]
    gradients: BTreeMap<String, Stored>,
    #[serde(default)]
    running: BTreeMap<String, Stored>,
}

#[derive(Deserialize)]
struct Output {
    y: Stored,
}

/// An untrained network by its name in the goldens.
pub fn network<T: Real>(
    device: &Device,
    name: &str,
    image: ImageShape,
    width: Option<usize>,
    classes: Option<usize>,
) -> Network<T> {
    match (name, width, classes) {
        ("generator", ..) => new_generator(device, 0, image, None),
        ("discriminator", ..) => new_discriminator(device, 0, image, None, NormD::Batch),
        ("classifier", Some(width), Some(classes)) => new_classifier(device, 0, &ResNet18 { width }, image, classes),
        _ => panic!("no network {name} with width {width:?} and classes {classes:?}"),
    }
}

/// Fills a network by the formula. Its names and their order must be PyTorch's, `entries` being named `<name>.<..>`.
pub fn fill<T: Real>(network: &mut Network<T>, name: &str, entries: &[Entry]) {
    let mut entries = entries.iter();
    let state: StateDict = network
        .state_dict()
        .expect("on the host")
        .into_iter()
        .map(|(ours, tensor)| match tensor {
            StateTensor::Count(_) => (ours, StateTensor::Count(0)),
            StateTensor::Real(..) => {
                let entry = entries.next().unwrap_or_else(|| panic!("{name}.{ours}: PyTorch has no more tensors"));
                assert_eq!(format!("{name}.{ours}"), entry.name);
                (ours, StateTensor::Real(entry.shape.clone(), entry.values()))
            }
        })
        .collect();
    assert_eq!(entries.next().map(|e| &e.name), None, "{name} lacks a tensor");
    network.load_state_dict(&state).expect("PyTorch's shapes");
}

#[test]
fn networks_match() {
    let File { networks } = read("networks.json");
    assert_eq!(networks.len(), 13);
    let device = Device::cpu().poisoned();
    for golden in &networks {
        golden.check(&device);
    }
    assert_eq!(networks.iter().filter(|golden| golden.r.is_some()).count(), 3);
}

impl Golden {
    fn check(&self, device: &Device) {
        let image = ImageShape { channels: self.channels, size: self.image_size };
        let Settings { width, classes } = self.settings;
        let mut network = network::<f64>(device, &self.network, image, width, classes);
        assert_eq!(network.parameter_count(), self.parameter_count, "{}", self.golden);
        fill(&mut network, &self.network, &self.state);
        match &self.r {
            Some(r) => self.check_gradients(&mut network, device, r),
            None => {
                let x = Tape::off(device).constant(self.x.tensor(device));
                let y = network.forward(&x, Mode::Train, false).expect("the shapes fit");
                self.train.y.check(&self.what("y"), &Ours::new(y.value()), TOLERANCE);
            }
        }
        let y = network.evaluate(self.x.tensor(device)).expect("the shapes fit");
        self.eval.y.check(&self.what("y in evaluation"), &Ours::new(&y), TOLERANCE);
    }

    fn what(&self, result: &str) -> String {
        format!("{}: {result}", self.golden)
    }

    fn check_gradients(&self, network: &mut Network<f64>, device: &Device, r: &Entry) {
        let tape = Tape::new(device);
        let x = tape.input(self.x.tensor(device));
        let y = network.forward(&x, Mode::Train, true).expect("the shapes fit");
        let gradients = tape.backward_from(vec![(&y, r.tensor(device))]).expect("r has y's shape");
        let Train { y: want_y, dx, gradients: want_gradients, running } = &self.train;
        want_y.check(&self.what("y"), &Ours::new(y.value()), TOLERANCE);
        let got = Ours::new(gradients.get(&x).expect("y depends on x"));
        dx.as_ref().expect("beside r").check(&self.what("dx"), &got, TOLERANCE);

        let flat = network.params_mut().with_gradients(|_, flat| flat.host().to_vec());
        let flat = tensor::Tensor::from_slice(device, [flat.len()], &flat).expect("its own length");
        let gradients = network.as_state_dict(&flat).expect("on the host");
        self.check_named("gradient of", gradients, want_gradients);
        let is_running = |name: &str| name.contains("running_");
        let statistics =
            network.state_dict().expect("on the host").into_iter().filter(|(name, _)| is_running(name)).collect();
        self.check_named("after one pass,", statistics, running);
    }

    fn check_named(&self, what: &str, ours: StateDict, theirs: &BTreeMap<String, Stored>) {
        assert_eq!(ours.len(), theirs.len(), "{what}");
        for (name, tensor) in ours {
            let name = format!("{}.{name}", self.network);
            let ours = Ours::of_state(tensor).expect("no count");
            theirs[&name].check(&self.what(&format!("{what} {name}")), &ours, TOLERANCE);
        }
    }
}

#[test]
fn parameter_counts_are_the_published_ones() {
    let (device, image) = (Device::cpu(), ImageShape { channels: 3, size: 32 });
    for (name, width, count) in [
        ("generator", None, 1_068_928),
        ("discriminator", None, 663_424),
        ("classifier", Some(16), 701_466),
        ("classifier", Some(64), 11_173_962),
    ] {
        assert_eq!(network::<f32>(&device, name, image, width, Some(10)).parameter_count(), count, "{name}");
    }
}
