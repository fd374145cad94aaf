//! Three iterations of each further method and option, in f64.

use crate::formula::Entry;
use crate::iterations::AdamSettings;
use crate::networks::fill;
use crate::results::{Digest, check_digest, digest, read};
use ecgan::methods::{Average, ClassifierTrainer, EcGan, EcGanConfig, Gan, GanConfig, Noise, Shared, Step, Thresholds};
use ecgan::models::{BuiltIn, Condition, ImageShape};
use ecgan::networks::{new_classifier, new_discriminator, new_generator, new_real_head};
use ecgan::settings::{
    Architecture, ClassCode, ClassThreshold, ClassifierUpdate, DiffAugment, FakeLabels, FakeMean, FakeStatistics,
    FakesFrom, GanLoss, Method, NormD,
};
use nn::Network;
use serde::Deserialize;
use std::collections::BTreeMap;
use tensor::{Device, Tensor};

/// Relative, over all iterations.
const TOLERANCE: f64 = 1e-10;

const IMAGE: ImageShape = ImageShape { channels: 3, size: 32 };
const CLASSES: usize = 10;

#[derive(Deserialize)]
struct File {
    adam: BTreeMap<String, AdamSettings>,
    lambda: f64,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    run: String,
    method: Method,
    fake_statistics: FakeStatistics,
    gan_loss: GanLoss,
    norm_d: NormD,
    class_threshold: ClassThreshold,
    diff_augment: DiffAugment,
    class_code: ClassCode,
    fake_labels: FakeLabels,
    fake_mean: FakeMean,
    fakes_from: FakesFrom,
    threshold: f64,
    label_smoothing: f64,
    ema_g: f64,
    ema_c: f64,
    state: BTreeMap<String, Vec<Entry>>,
    iterations: Vec<Iteration>,
}

#[derive(Deserialize)]
struct Iteration {
    x: Entry,
    y: Vec<i32>,
    z: Entry,
    u: Entry,
    loss_d_real: f64,
    loss_d_fake: f64,
    loss_g: f64,
    loss_c_real: f64,
    loss_c_fake: Option<f64>,
    kept: Option<u64>,
    class_average: Option<Vec<f64>>,
    networks: BTreeMap<String, Numbers>,
    averages: BTreeMap<String, Numbers>,
}

#[derive(Deserialize)]
struct Numbers {
    parameters: Digest,
    running: Option<Digest>,
}

enum Trained {
    EcGan(Box<EcGan<f64>>),
    Shared(Box<Shared<f64>>),
}

impl Trained {
    fn split(&self) -> (&Gan<f64>, &ClassifierTrainer<f64>) {
        match self {
            Self::EcGan(ec_gan) => (&ec_gan.gan, &ec_gan.classifier),
            Self::Shared(shared) => (&shared.gan, &shared.classifier),
        }
    }
}

#[test]
fn every_method_and_option_matches() {
    let file: File = read("methods.json");
    assert_eq!(file.runs.len(), 9);
    let device = Device::cpu().poisoned();
    // One batch after the other, and where a GPU has real and generated images as one.
    for (run, joint) in file.runs.iter().flat_map(|run| [(run, false), (run, true)]) {
        let mut trained = run.begin(&file, joint, &device);
        for (index, iteration) in run.iterations.iter().enumerate() {
            iteration.check(&format!("{}, joint {joint}, iteration {}", run.run, index + 1), &mut trained, &device);
        }
    }
}

impl Run {
    fn begin(&self, file: &File, joint: bool, device: &Device) -> Trained {
        let adam = |name: &str| file.adam[name].config();
        let filled = |name: &str, mut network: Network<f64>| {
            fill(&mut network, name, &self.state[name]);
            network
        };
        let shared = self.method.is_shared();
        let architecture = if self.method == Method::SharedDc { Architecture::Dcgan } else { Architecture::ResNet18 };
        let built_in = BuiltIn { architecture, width: 16 };
        let code = self.class_code;
        let condition = (self.method == Method::Conditional).then_some(Condition { classes: CLASSES, code });
        let classifier = || filled("classifier", new_classifier(device, 0, &built_in, IMAGE, CLASSES));
        let generator = || filled("generator", new_generator(device, 0, IMAGE, condition));
        let discriminator = if shared {
            new_real_head(device, 0, &built_in, IMAGE, CLASSES)
        } else {
            new_discriminator(device, 0, IMAGE, condition, self.norm_d)
        };
        let config = GanConfig {
            loss: self.gan_loss,
            diff_augment: self.diff_augment.policy(),
            ..GanConfig::plain(adam("generator"), adam("discriminator"))
        };
        let mut gan = Gan::new(config, generator(), filled("discriminator", discriminator));
        gan.average = (self.ema_g > 0.0).then(|| Average::new(generator(), self.ema_g));
        let mut trainer = ClassifierTrainer::new(classifier(), adam("classifier"));
        trainer.average = (self.ema_c > 0.0).then(|| Average::new(classifier(), self.ema_c));
        trainer.smoothing = self.label_smoothing;
        let (lambda, fake_statistics) = (file.lambda, self.fake_statistics);
        if shared {
            return Trained::Shared(Box::new(Shared::new(fake_statistics, lambda, gan, trainer)));
        }
        let config = EcGanConfig {
            fake_labels: self.fake_labels,
            fake_mean: self.fake_mean.into(),
            update: ClassifierUpdate::Summed,
            fake_statistics,
            fakes_from_average: self.fakes_from == FakesFrom::Average,
            conditional: condition.is_some(),
            joint,
        };
        let thresholds = Thresholds::new(device, CLASSES, self.threshold, self.class_threshold);
        Trained::EcGan(Box::new(EcGan::new(config, lambda, thresholds, gan, trainer)))
    }
}

impl Iteration {
    fn check(&self, what: &str, trained: &mut Trained, device: &Device) {
        let x = self.x.tensor(device);
        let labels = Tensor::from_slice(device, [self.y.len()], &self.y).expect("one a row");
        let noise = Noise { z: self.z.tensor(device), drawn: Some(self.u.tensor(device)) };
        let found = match trained {
            Trained::EcGan(ec_gan) => ec_gan.step(&x, &labels, &noise),
            Trained::Shared(shared) => shared.step(&x, &labels, || noise),
        };
        let Step { gan, real, fake } = found.and_then(|found| found.read(&labels, CLASSES)).expect("the shapes fit");
        let gan = gan.expect("there is one");
        let close = |name: &str, got: f64, want: f64| {
            assert!((got - want).abs() <= TOLERANCE * want.abs(), "{what}: {name}: {got:e}, expected {want:e}");
        };
        close("loss_d_real", gan.loss_d_real, self.loss_d_real);
        close("loss_d_fake", gan.loss_d_fake, self.loss_d_fake);
        close("loss_g", gan.loss_g, self.loss_g);
        close("loss_c_real", real.loss, self.loss_c_real);
        assert_eq!(fake.as_ref().map(|fake| fake.kept()), self.kept, "{what}: kept");
        if let (Some(fake), Some(want)) = (&fake, self.loss_c_fake) {
            close("loss_c_fake", fake.loss, want);
        }
        if let Some(want) = &self.class_average {
            let Trained::EcGan(ec_gan) = &trained else { panic!("{what}: a method with thresholds") };
            let got = ec_gan.thresholds.average().expect("they are balanced").as_slice();
            assert_eq!(got.len(), want.len(), "{what}");
            got.iter().zip(want).for_each(|(&got, &want)| close("class_average", got, want));
        }
        let (gan, classifier) = trained.split();
        let networks =
            [("generator", &gan.generator), ("discriminator", &gan.discriminator), ("classifier", &classifier.network)];
        let averages = [("generator", &gan.average), ("classifier", &classifier.average)];
        let averages: Vec<_> =
            averages.iter().filter_map(|(name, average)| Some((*name, &average.as_ref()?.network))).collect();
        assert_eq!((self.networks.len(), self.averages.len()), (3, averages.len()), "{what}");
        for (name, network) in networks {
            self.networks[name].check(&format!("{what}: {name}"), network);
        }
        for (name, network) in averages {
            self.averages[name].check(&format!("{what}: the average of {name}"), network);
        }
    }
}

impl Numbers {
    fn check(&self, what: &str, network: &Network<f64>) {
        let state = network.state_dict().expect("on the host");
        let all = |running: bool| {
            let buffer = |name: &str| name.contains(".running_") || name.ends_with(".weight_u");
            let of_kind = state.iter().filter(move |(name, _)| buffer(name) == running);
            let values = of_kind.filter_map(|(_, tensor)| match tensor {
                nn::StateTensor::Real(_, values) => Some(values.clone()),
                nn::StateTensor::Count(_) => None,
            });
            digest(values.flatten())
        };
        check_digest(&format!("{what}, parameters"), all(false), self.parameters, TOLERANCE);
        if let Some(running) = self.running {
            check_digest(&format!("{what}, running statistics"), all(true), running, TOLERANCE);
        }
    }
}
