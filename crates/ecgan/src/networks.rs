//! The networks of a run, built from its settings: what is trained, saved and evaluated.

pub use crate::methods::Step;
use crate::methods::{ClassifierTrainer, EcGan, EcGanConfig, Found};
use crate::models::{Classifier, ImageShape, discriminator, generator};
use crate::settings::{Method, Settings};
use nn::{AdamConfig, Network};
use tensor::rng::Stream;
use tensor::{Device, Real, Result, Tensor};

/// Numbers of the networks' initialisation streams: the classifier's does not depend on whether there is a GAN.
const CLASSIFIER: u32 = 0;
const GENERATOR: u32 = 1;
const DISCRIMINATOR: u32 = 2;

/// A classifier with its initial parameters.
pub fn new_classifier<T: Real>(
    device: &Device,
    seed: u64,
    architecture: &impl Classifier,
    image: ImageShape,
    classes: usize,
) -> Network<T> {
    Network::new(device, Stream::Init.nth(seed, CLASSIFIER), |b| architecture.build(b, image, classes))
}

/// A generator with its initial parameters.
pub fn new_generator<T: Real>(device: &Device, seed: u64, image: ImageShape) -> Network<T> {
    Network::new(device, Stream::Init.nth(seed, GENERATOR), |b| generator(b, image))
}

/// A discriminator with its initial parameters.
pub fn new_discriminator<T: Real>(device: &Device, seed: u64, image: ImageShape) -> Network<T> {
    Network::new(device, Stream::Init.nth(seed, DISCRIMINATOR), |b| discriminator(b, image))
}

/// The networks and optimizers of a method.
pub enum Networks {
    /// The external classifier alone.
    Classifier(Box<ClassifierTrainer>),
    /// Generator, discriminator and external classifier.
    EcGan(Box<EcGan>),
}

impl Networks {
    /// The networks of these settings before training.
    pub fn new(
        device: &Device,
        settings: &Settings,
        architecture: &impl Classifier,
        image: ImageShape,
        classes: usize,
    ) -> Self {
        let seed = settings.seed;
        let adam_c = AdamConfig::dcgan(settings.lr_c, settings.weight_decay_c);
        let classifier = ClassifierTrainer::new(new_classifier(device, seed, architecture, image, classes), adam_c);
        if settings.method == Method::Classifier {
            return Self::Classifier(Box::new(classifier));
        }
        let config = EcGanConfig {
            lambda: settings.lambda,
            threshold: settings.threshold,
            update: settings.classifier_update(),
            fake_statistics: settings.fake_statistics,
            joint: device.gpu().is_some(),
            adam_g: AdamConfig::dcgan(settings.lr, 0.0),
            adam_d: AdamConfig::dcgan(settings.lr, settings.weight_decay),
        };
        let (g, d) = (new_generator(device, seed, image), new_discriminator(device, seed, image));
        Self::EcGan(Box::new(EcGan::new(config, g, d, classifier)))
    }

    /// One iteration: images `[n,size,size,channels]` in [-1, 1], labels `[n]`; `noise` makes z `[n,1,1,100]` if needed.
    pub fn step(&mut self, x: &Tensor, labels: &Tensor<i32>, noise: impl FnOnce() -> Tensor) -> Result<Found> {
        match self {
            Self::Classifier(classifier) => classifier.step(x, labels),
            Self::EcGan(ec_gan) => ec_gan.step(x, labels, &noise()),
        }
    }

    /// Whether an iteration has a part of generator and discriminator, and one of the classifier on generated images.
    pub(crate) fn parts(&self) -> (bool, bool) {
        match self {
            Self::Classifier(_) => (false, false),
            Self::EcGan(ec_gan) => (true, ec_gan.config.lambda != 0.0),
        }
    }

    /// How many batches each network has seen in training.
    pub(crate) fn batches(&self) -> Vec<u64> {
        self.named().iter().map(|(_, network, _)| network.batches_tracked()).collect()
    }

    /// Counts on from these numbers, in the order of [`Networks::batches`].
    pub(crate) fn set_batches(&mut self, batches: &[u64]) {
        let networks = match self {
            Self::Classifier(c) => vec![&mut c.network],
            Self::EcGan(e) => vec![&mut e.classifier.network, &mut e.generator, &mut e.discriminator],
        };
        networks.into_iter().zip(batches).for_each(|(network, &batches)| network.set_batches_tracked(batches));
    }

    /// Sets the learning rates to those of the settings times `factor`.
    pub fn set_learning_rates(&mut self, settings: &Settings, factor: f64) {
        self.classifier().adam.set_lr(settings.lr_c * factor);
        if let Self::EcGan(ec_gan) = self {
            ec_gan.adam_g.set_lr(settings.lr * factor);
            ec_gan.adam_d.set_lr(settings.lr * factor);
        }
    }

    /// The classifier.
    pub fn classifier(&mut self) -> &mut ClassifierTrainer {
        match self {
            Self::Classifier(classifier) => classifier,
            Self::EcGan(ec_gan) => &mut ec_gan.classifier,
        }
    }

    /// The generator, where there is one.
    pub fn generator(&mut self) -> Option<&mut Network> {
        match self {
            Self::Classifier(_) => None,
            Self::EcGan(ec_gan) => Some(&mut ec_gan.generator),
        }
    }

    /// Every network with its optimizer, to restore, in the order of [`Networks::named`].
    pub fn named_mut(&mut self) -> Vec<(&'static str, &mut Network, &mut nn::Adam)> {
        match self {
            Self::Classifier(c) => vec![("classifier", &mut c.network, &mut c.adam)],
            Self::EcGan(e) => vec![
                ("classifier", &mut e.classifier.network, &mut e.classifier.adam),
                ("generator", &mut e.generator, &mut e.adam_g),
                ("discriminator", &mut e.discriminator, &mut e.adam_d),
            ],
        }
    }

    /// Every network with its optimizer, under the names of checkpoints.
    pub fn named(&self) -> Vec<(&'static str, &Network, &nn::Adam)> {
        match self {
            Self::Classifier(c) => vec![("classifier", &c.network, &c.adam)],
            Self::EcGan(e) => vec![
                ("classifier", &e.classifier.network, &e.classifier.adam),
                ("generator", &e.generator, &e.adam_g),
                ("discriminator", &e.discriminator, &e.adam_d),
            ],
        }
    }
}
