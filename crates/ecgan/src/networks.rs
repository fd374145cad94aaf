//! The networks of a run, built from its settings: what is trained, saved and evaluated.

pub use crate::methods::Step;
use crate::methods::{
    Average, ClassifierTrainer, EcGan, EcGanConfig, Found, Gan, GanConfig, Noise, Shared, Thresholds, decay_after,
};
use crate::models::{Classifier, Condition, ImageShape, discriminator, generator};
use crate::settings::{FakesFrom, Method, NormD, Settings};
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
pub fn new_generator<T: Real>(
    device: &Device,
    seed: u64,
    image: ImageShape,
    condition: Option<Condition>,
) -> Network<T> {
    Network::new(device, Stream::Init.nth(seed, GENERATOR), |b| generator(b, image, condition))
}

/// A discriminator with its initial parameters.
pub fn new_discriminator<T: Real>(
    device: &Device,
    seed: u64,
    image: ImageShape,
    condition: Option<Condition>,
    norm: NormD,
) -> Network<T> {
    Network::new(device, Stream::Init.nth(seed, DISCRIMINATOR), |b| discriminator(b, image, condition, norm))
}

/// The head over a classifier's features that takes the discriminator's place where they share one trunk.
pub fn new_real_head<T: Real>(
    device: &Device,
    seed: u64,
    architecture: &impl Classifier,
    image: ImageShape,
    classes: usize,
) -> Network<T> {
    Network::new(device, Stream::Init.nth(seed, DISCRIMINATOR), |b| architecture.real_head(b, image, classes))
}

/// The networks and optimizers of a method.
pub enum Networks {
    /// The external classifier alone.
    Classifier(Box<ClassifierTrainer>),
    /// Generator, discriminator and external classifier.
    EcGan(Box<EcGan>),
    /// Generator, and a classifier whose trunk is the discriminator's.
    Shared(Box<Shared>),
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
        let Settings { seed, lambda, fake_statistics, .. } = *settings;
        let adam_c = AdamConfig::dcgan(settings.lr_c, settings.weight_decay_c);
        let new_classifier = || new_classifier(device, seed, architecture, image, classes);
        let mut classifier = ClassifierTrainer::new(new_classifier(), adam_c);
        classifier.smoothing = settings.label_smoothing;
        classifier.average = (settings.ema_c > 0.0).then(|| Average::new(new_classifier(), settings.ema_c));
        let config = GanConfig {
            adam_g: AdamConfig::dcgan(settings.lr, 0.0),
            adam_d: AdamConfig::dcgan(settings.lr, settings.weight_decay),
            loss: settings.gan_loss,
            diff_augment: settings.diff_augment.policy(),
        };
        let gan = |discriminator, condition| {
            let new_generator = || new_generator(device, seed, image, condition);
            let mut gan = Gan::new(config, new_generator(), discriminator);
            gan.average = (settings.ema_g > 0.0).then(|| Average::new(new_generator(), settings.ema_g));
            gan
        };
        match settings.method {
            Method::Classifier => Self::Classifier(Box::new(classifier)),
            Method::EcGan | Method::Conditional => {
                let condition = settings.condition(classes);
                let config = EcGanConfig {
                    fake_labels: settings.fake_labels,
                    fake_mean: settings.fake_mean.into(),
                    update: settings.classifier_update(),
                    fake_statistics,
                    fakes_from_average: settings.fakes_from == FakesFrom::Average,
                    conditional: condition.is_some(),
                    joint: device.gpu().is_some(),
                };
                let gan = gan(new_discriminator(device, seed, image, condition, settings.norm_d), condition);
                let thresholds = Thresholds::new(device, classes, settings.threshold, settings.class_threshold);
                Self::EcGan(Box::new(EcGan::new(config, lambda, thresholds, gan, classifier)))
            }
            Method::SharedDc | Method::SharedResnet => {
                let gan = gan(new_real_head(device, seed, architecture, image, classes), None);
                Self::Shared(Box::new(Shared::new(fake_statistics, lambda, gan, classifier)))
            }
        }
    }

    /// One iteration: images `[n,size,size,channels]` in [-1, 1], labels `[n]`; `noise` draws if needed.
    pub fn step(&mut self, x: &Tensor, labels: &Tensor<i32>, noise: impl FnOnce() -> Noise) -> Result<Found> {
        let found = match self {
            Self::Classifier(classifier) => classifier.step(x, labels),
            Self::EcGan(ec_gan) => ec_gan.step(x, labels, &noise()),
            Self::Shared(shared) => shared.step(x, labels, noise),
        };
        self.count_averages();
        found
    }

    /// Whether an iteration has a part of generator and discriminator, and one of the classifier on generated images.
    pub(crate) fn parts(&self) -> (bool, bool) {
        match self {
            Self::Classifier(_) => (false, false),
            Self::EcGan(ec_gan) => (true, ec_gan.lambda.value() != 0.0),
            Self::Shared(shared) => (shared.lambda.value() != 0.0, false),
        }
    }

    /// Sets lambda to that of the settings times `factor`. Where that adds or takes away parts of an iteration, what was recorded is
    /// out of date.
    pub fn set_lambda(&mut self, settings: &Settings, factor: f64) {
        match self {
            Self::Classifier(_) => {}
            Self::EcGan(ec_gan) => ec_gan.lambda.set(settings.lambda * factor),
            Self::Shared(shared) => shared.lambda.set(settings.lambda * factor),
        }
    }

    /// The thresholds of generated images, where the classifier learns from them.
    pub fn thresholds(&self) -> Option<&Thresholds> {
        if let Self::EcGan(ec_gan) = self { Some(&ec_gan.thresholds) } else { None }
    }

    /// The same, to restore.
    pub(crate) fn thresholds_mut(&mut self) -> Option<&mut Thresholds> {
        if let Self::EcGan(ec_gan) = self { Some(&mut ec_gan.thresholds) } else { None }
    }

    /// Whether the discriminator's images are augmented, for which an iteration draws.
    pub(crate) fn augments(&self) -> bool {
        self.split().1.is_some_and(|gan| gan.diff_augment.is_some())
    }

    fn split(&self) -> (&ClassifierTrainer, Option<&Gan>) {
        match self {
            Self::Classifier(classifier) => (classifier, None),
            Self::EcGan(ec_gan) => (&ec_gan.classifier, Some(&ec_gan.gan)),
            Self::Shared(shared) => (&shared.classifier, Some(&shared.gan)),
        }
    }

    fn split_mut(&mut self) -> (&mut ClassifierTrainer, Option<&mut Gan>) {
        match self {
            Self::Classifier(classifier) => (classifier, None),
            Self::EcGan(ec_gan) => (&mut ec_gan.classifier, Some(&mut ec_gan.gan)),
            Self::Shared(shared) => (&mut shared.classifier, Some(&mut shared.gan)),
        }
    }

    /// How many batches each network has seen in training.
    pub(crate) fn batches(&self) -> Vec<u64> {
        self.named().iter().map(|(_, network, _)| network.batches_tracked()).collect()
    }

    /// Counts on from these numbers, in the order of [`Networks::batches`].
    pub(crate) fn set_batches(&mut self, batches: &[u64]) {
        let networks = self.named_mut().into_iter().map(|(_, network, _)| network);
        networks.zip(batches).for_each(|(network, &batches)| network.set_batches_tracked(batches));
        self.count_averages();
    }

    /// The moving averages, by the names of the networks that they follow, each after that network.
    fn followed(&mut self) -> impl Iterator<Item = (&'static str, &Network, &mut Average)> {
        let (c, gan) = self.split_mut();
        let classifier = c.average.as_mut().map(|average| ("classifier", &c.network, average));
        let generator = gan.and_then(|gan| Some(("generator", &gan.generator, gan.average.as_mut()?)));
        classifier.into_iter().chain(generator)
    }

    /// A moving average has seen as many batches as what it follows.
    fn count_averages(&mut self) {
        self.followed().for_each(|(_, network, average)| {
            average.network.set_batches_tracked(network.batches_tracked());
        });
    }

    /// Sets the learning rates to those of the settings times `factor`.
    pub fn set_learning_rates(&mut self, settings: &Settings, factor: f64) {
        let (classifier, gan) = self.split_mut();
        classifier.adam.set_lr(settings.lr_c * factor);
        if let Some(gan) = gan {
            gan.adam_g.set_lr(settings.lr * factor);
            gan.adam_d.set_lr(settings.lr * factor);
        }
    }

    /// Sets what the moving averages keep in the iteration after `steps` others. The classifier's has followed in each of
    /// them; the generator's for as many batches as that has seen, which are fewer where it is not trained from the
    /// beginning.
    pub fn set_decays(&mut self, settings: &Settings, steps: u64) {
        for (name, network, average) in self.followed() {
            average.set_decay(match name {
                "classifier" => decay_after(settings.ema_c, steps),
                _ => decay_after(settings.ema_g, network.batches_tracked()),
            });
        }
    }

    /// The moving averages, by the names of the networks that they follow.
    pub fn averages(&self) -> Vec<(&'static str, &Network)> {
        let (classifier, gan) = self.split();
        let classifier = classifier.average.as_ref().map(|average| ("classifier", &average.network));
        let generator = gan.and_then(|gan| gan.average.as_ref()).map(|average| ("generator", &average.network));
        classifier.into_iter().chain(generator).collect()
    }

    /// The moving average of the network of this name, where there is one.
    pub(crate) fn average_mut(&mut self, name: &str) -> Option<&mut Network> {
        self.followed().find(|(followed, ..)| *followed == name).map(|(.., average)| &mut average.network)
    }

    /// The classifier.
    pub fn classifier(&mut self) -> &mut ClassifierTrainer {
        self.split_mut().0
    }

    /// The generator to draw from, where there is one, and the classifier to use: the averages, where there are any.
    pub fn drawing(&mut self) -> Option<(&mut Network, &mut Network)> {
        let (classifier, gan) = self.split_mut();
        let Gan { generator, average, .. } = gan?;
        Some((average.as_mut().map_or(generator, |average| &mut average.network), classifier.product()))
    }

    /// Every network with its optimizer, to restore, in the order of [`Networks::named`].
    pub fn named_mut(&mut self) -> Vec<(&'static str, &mut Network, &mut nn::Adam)> {
        let (c, gan) = self.split_mut();
        let mut named = vec![("classifier", &mut c.network, &mut c.adam)];
        if let Some(Gan { generator, adam_g, discriminator, adam_d, .. }) = gan {
            named.extend([("generator", generator, adam_g), ("discriminator", discriminator, adam_d)]);
        }
        named
    }

    /// Every network with its optimizer, under the names of checkpoints.
    pub fn named(&self) -> Vec<(&'static str, &Network, &nn::Adam)> {
        let (c, gan) = self.split();
        let mut named = vec![("classifier", &c.network, &c.adam)];
        if let Some(Gan { generator, adam_g, discriminator, adam_d, .. }) = gan {
            named.extend([("generator", generator, adam_g), ("discriminator", discriminator, adam_d)]);
        }
        named
    }
}
