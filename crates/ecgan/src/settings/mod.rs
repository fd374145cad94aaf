//! Settings of a run: flags over `ECGAN_*` variables over a TOML file over a preset, resolved and checked once.

mod choice;
mod choices;
mod device;
mod expected;
mod flags;
mod lower;
mod nearest;
mod partial;
mod preset;
mod resumed;
#[cfg(test)]
mod tests;
mod time_limit;
mod validate;
mod written;

pub use crate::data::Budget;
pub use choice::Choice;
pub(crate) use choice::choice;
pub use choices::{
    Architecture, Augment, ClassCode, ClassThreshold, ClassifierUpdate, DiffAugment, FakeLabels, FakeMean,
    FakeStatistics, FakesFrom, GanLoss, Method, NetworkName, NormD, Precision, Preset, Sampling, Schedule, SplitName,
    Subset,
};
pub use device::DeviceChoice;
pub use expected::{COUNT, WHOLE_NUMBER};
pub use lower::Lower;
pub use nearest::nearest;
pub use partial::{Partial, SimdChoice};
pub use preset::SYNTHETIC;
pub(crate) use resumed::shown;
pub use time_limit::TimeLimit;

use crate::Error;
use crate::models::{BuiltIn, Condition};
use kernels::{Device, Simd};
use std::path::{Path, PathBuf};

/// The settings of a run, every value decided and within its range.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// A data folder, or [`SYNTHETIC`].
    pub data: String,
    /// What is trained.
    pub method: Method,
    /// Where values not given came from.
    pub preset: Preset,
    /// Labelled budget, validation part included.
    pub budget: Budget,
    /// Which images the budget takes.
    pub subset: Subset,
    /// The part of the budget that validates, in [0, 1).
    pub val_fraction: f64,
    /// Which training images an epoch shows.
    pub sampling: Sampling,
    /// Augmentation of the reals.
    pub augment: Augment,
    /// Channels of the images: 1 or 3.
    pub channels: usize,
    /// Height and width of the images in pixels: 32 or 64.
    pub image_size: usize,
    /// The classifier's layers; those of the methods with one trunk are in their names.
    pub architecture: Architecture,
    /// Channels of the classifier's first stage.
    pub width: usize,
    /// Passes over the training images.
    pub epochs: usize,
    /// Iterations of the whole run at most.
    pub max_steps: Option<usize>,
    /// Epochs without a better validation accuracy after which the run ends; the learning rates do not depend on it.
    pub patience: Option<usize>,
    /// Time after which the run ends, within an epoch too; each process that goes on with the run has as much. The
    /// learning rates do not depend on it.
    pub max_time: Option<TimeLimit>,
    /// Images in a batch.
    pub batch: usize,
    /// The seed of every random stream.
    pub seed: u64,
    /// Weight of the fakes in the classifier's loss.
    pub lambda: f64,
    /// Fakes count where the softmax at their label is above it.
    pub threshold: f64,
    /// Whether that is the same for every class.
    pub class_threshold: ClassThreshold,
    /// What batch norm does with fakes in the classifier.
    pub fake_statistics: FakeStatistics,
    /// What the classifier learns about a fake that counts.
    pub fake_labels: FakeLabels,
    /// What the sum of the losses of fakes that count is divided by.
    pub fake_mean: FakeMean,
    /// How a conditional GAN is told the class.
    pub class_code: ClassCode,
    /// The losses of generator and discriminator.
    pub gan_loss: GanLoss,
    /// What keeps the discriminator's activations in bounds.
    pub norm_d: NormD,
    /// What the discriminator's images go through.
    pub diff_augment: DiffAugment,
    /// What the generator's moving average keeps of itself each iteration, in [0, 1); 0 is no average.
    pub ema_g: f64,
    /// The same of the classifier's, which is then what is measured, saved and used.
    pub ema_c: f64,
    /// Which generator the classifier learns from.
    pub fakes_from: FakesFrom,
    /// Before this part of the run lambda is 0.
    pub lambda_start: f64,
    /// Over this part of the run after that, lambda grows to its value.
    pub lambda_ramp: f64,
    /// The part of a real label that is spread over all classes, in [0, 1).
    pub label_smoothing: f64,
    /// Adam's learning rate in generator and discriminator.
    pub lr: f64,
    /// Adam's learning rate in the classifier.
    pub lr_c: f64,
    /// How the learning rates change over the run.
    pub schedule: Schedule,
    /// L2 weight decay in the discriminator.
    pub weight_decay: f64,
    /// L2 weight decay in the classifier.
    pub weight_decay_c: f64,
    /// The device. Once resolved, `auto` is a GPU: `config.toml` then asks for one where there is one, and serves on
    /// other machines too.
    pub device: DeviceChoice,
    /// What the device was when the settings were resolved, where it is a GPU: a comment of `config.toml`.
    pub gpu: Option<String>,
    /// What convolutions and matrix products multiply on a GPU.
    pub precision: Precision,
    /// Whether each kernel of an iteration is launched, rather than a recording of all; for debugging.
    pub no_graph: bool,
    /// The processor's SIMD path.
    pub simd: Simd,
    /// Threads, where not every core.
    pub threads: Option<usize>,
    /// Iterations between two checkpoints within an epoch; without a number there is one at the end of each epoch, of very short ones not of each.
    pub checkpoint_every: Option<usize>,
    /// Every how many epochs a checkpoint is kept beside the last and the best.
    pub save_every: Option<usize>,
    /// Whether event files for TensorBoard are written.
    pub tensorboard: bool,
    /// Memory that decoded images may take, in MiB, where not a quarter of what is available; with 0 none is held.
    pub memory_limit: Option<usize>,
    /// The run folder, where one is asked for.
    pub out: Option<PathBuf>,
}

impl Settings {
    /// Completes `given` (all sources but the preset, already laid over each other) by its preset and checks it.
    ///
    /// Without a preset it is [`Preset::Quick`].
    ///
    /// # Errors
    /// Each names the setting, what is expected and what was given; [`Error::Device`] where the device is missing.
    pub fn resolve(given: Partial) -> Result<Self, Error> {
        let mut settings = Self::without_device(given)?;
        match settings.open_device()?.gpu() {
            None => settings.device = DeviceChoice::Cpu,
            Some(gpu) => settings.gpu = Some(gpu.name().to_owned()),
        }
        Ok(settings)
    }

    /// [`Settings::resolve`] without the device: for those of a run that another machine may have made.
    pub(crate) fn without_device(given: Partial) -> Result<Self, Error> {
        let settings = Self::complete(given)?;
        settings.validate()?;
        Ok(settings)
    }

    /// [`Settings::resolve`] without the device, and without the checks but for what stands in the way of completing: for settings that
    /// were checked before, that are only compared, or whose values are the program's own.
    pub(crate) fn complete(given: Partial) -> Result<Self, Error> {
        let preset = given.preset.unwrap_or(Preset::Quick);
        let mut defaults = preset.values();
        if given.data.as_deref().is_some_and(|data| data != SYNTHETIC) {
            defaults.samples = None;
        }
        if given.method.or(defaults.method).is_some_and(Method::is_shared) {
            // What a preset has for a discriminator of its own is nothing to one trunk with two heads.
            (defaults.diff_augment, defaults.norm_d) = (Some(DiffAugment::None), Some(NormD::Batch));
            // Nor does the generator learn before lambda counts.
            defaults.lambda_start = Some(0.0);
        }
        let all = given.over(defaults);
        let (lr, method) = (set(all.lr), set(all.method));
        let weight_decay = set(all.weight_decay);
        Ok(Self {
            budget: budget(&all)?,
            data: set(all.data),
            method,
            preset,
            subset: set(all.subset),
            val_fraction: set(all.val_fraction),
            sampling: set(all.sampling),
            augment: set(all.augment),
            channels: set(all.channels),
            image_size: set(all.image_size),
            architecture: architecture(method, all.architecture)?,
            width: set(all.width),
            epochs: set(all.epochs),
            max_steps: all.max_steps,
            patience: all.patience,
            max_time: all.max_time,
            batch: set(all.batch),
            seed: set(all.seed),
            lambda: set(all.lambda),
            threshold: set(all.threshold),
            class_threshold: set(all.class_threshold),
            fake_statistics: set(all.fake_statistics),
            fake_labels: fake_labels(method, all.fake_labels)?,
            fake_mean: set(all.fake_mean),
            class_code: set(all.class_code),
            gan_loss: set(all.gan_loss),
            norm_d: set(all.norm_d),
            diff_augment: set(all.diff_augment),
            ema_g: set(all.ema_g),
            ema_c: set(all.ema_c),
            fakes_from: set(all.fakes_from),
            lambda_start: set(all.lambda_start),
            lambda_ramp: set(all.lambda_ramp),
            label_smoothing: set(all.label_smoothing),
            lr,
            lr_c: all.lr_c.unwrap_or(lr),
            schedule: set(all.schedule),
            weight_decay,
            weight_decay_c: all.weight_decay_c.unwrap_or(weight_decay),
            device: set(all.device),
            gpu: None,
            precision: set(all.precision),
            no_graph: set(all.no_graph),
            simd: all.simd.map_or_else(Simd::detect, |SimdChoice(simd)| simd),
            threads: all.threads,
            checkpoint_every: all.checkpoint_every,
            save_every: all.save_every,
            tensorboard: set(all.tensorboard),
            memory_limit: all.memory_limit,
            out: all.out,
        })
    }

    /// Opens the device and SIMD path of these settings.
    ///
    /// # Errors
    /// As [`DeviceChoice::open`].
    pub fn open_device(&self) -> Result<Device, Error> {
        let device = self.device.open(Some(self.simd), self.precision)?;
        Ok(if self.no_graph { device.in_turn() } else { device })
    }

    /// The classifier of these settings.
    pub fn classifier(&self) -> BuiltIn {
        BuiltIn { architecture: self.architecture, width: self.width }
    }

    /// What iteration `step` (from 0) of `steps` multiplies lambda by: 0 up to `lambda_start` of the run, from there on growing
    /// over `lambda_ramp` of it, then 1.
    pub fn lambda_factor(&self, step: u64, steps: u64) -> f64 {
        let since = step as f64 / steps as f64 - self.lambda_start;
        match () {
            () if since < 0.0 => 0.0,
            () if since < self.lambda_ramp => since / self.lambda_ramp,
            () => 1.0,
        }
    }

    /// What generator and discriminator are told of so many classes.
    pub fn condition(&self, classes: usize) -> Option<Condition> {
        (self.method == Method::Conditional).then_some(Condition { classes, code: self.class_code })
    }

    /// How the classifier learns from reals and fakes.
    pub fn classifier_update(&self) -> ClassifierUpdate {
        self.preset.classifier_update()
    }

    /// These settings without those that change nothing in a run's numbers.
    pub fn numbers(&self) -> Self {
        Self {
            threads: None,
            no_graph: false,
            checkpoint_every: None,
            save_every: None,
            tensorboard: false,
            memory_limit: None,
            ..self.clone()
        }
    }

    /// The data's short name, for the run folder: `synthetic`, or the folder's own name.
    pub fn data_name(&self) -> String {
        let path = Path::new(&self.data);
        // `data/..` and `.` have no name of their own until they are resolved.
        let name = path.canonicalize().ok().and_then(|path| path.file_name().map(ToOwned::to_owned));
        match name {
            Some(name) if self.data != SYNTHETIC => name.to_string_lossy().into_owned(),
            _ => path.file_name().map_or_else(|| "data".into(), |name| name.to_string_lossy().into_owned()),
        }
    }
}

fn set<T>(value: Option<T>) -> T {
    value.expect("a preset sets every value that has no unset state")
}

/// A method with one trunk says what the trunk is.
fn architecture(method: Method, given: Option<Architecture>) -> Result<Architecture, Error> {
    let own = match method {
        Method::SharedDc => Some(Architecture::Dcgan),
        Method::SharedResnet => Some(Architecture::ResNet18),
        Method::EcGan | Method::Classifier | Method::Conditional => None,
    };
    match (own, given) {
        (Some(own), Some(given)) if own != given => Err(Error::Setting {
            name: "architecture",
            expected: format!("{own}, which method {method} is about"),
            got: given.to_string(),
        }),
        _ => Ok(own.or(given).unwrap_or(Architecture::ResNet18)),
    }
}

/// Known where they are, unless something else is asked for.
fn fake_labels(method: Method, given: Option<FakeLabels>) -> Result<FakeLabels, Error> {
    match (method, given) {
        (Method::Conditional, given) => Ok(given.unwrap_or(FakeLabels::Known)),
        (Method::EcGan, Some(FakeLabels::Known)) => Err(Error::Setting {
            name: "fake_labels",
            expected: "pseudo or soft with method ec-gan, whose generator is not told a class".into(),
            got: FakeLabels::Known.to_string(),
        }),
        (_, given) => Ok(given.unwrap_or(FakeLabels::Pseudo)),
    }
}

fn budget(all: &Partial) -> Result<Budget, Error> {
    let given = all.budgets();
    if given.len() > 1 {
        return Err(Error::Exclusive { names: given.join(" and ") });
    }
    Ok(match (all.samples, all.fraction, all.per_class) {
        (Some(n), _, _) => Budget::Samples(n),
        (_, Some(part), _) => Budget::Fraction(part),
        (_, _, Some(n)) => Budget::PerClass(n),
        _ => Budget::All,
    })
}
