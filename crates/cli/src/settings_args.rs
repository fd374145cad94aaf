//! The flags of a training run, and which source each value came from.

use crate::compute::simd_variable;
use crate::output::warn;
use crate::values::{choice, count, integer, named, number};
use clap::builder::{BoolValueParser, PathBufValueParser};
use clap::parser::ValueSource;
use clap::{ArgMatches, Args};
use ecgan::Error;
use ecgan::run_folder::names;
use ecgan::settings::{
    Architecture, Augment, ClassCode, ClassThreshold, DeviceChoice, DiffAugment, FakeLabels, FakeMean, FakeStatistics,
    FakesFrom, GanLoss, Lower, Method, NormD, Partial, Precision, Preset, Sampling, Schedule, Settings, SimdChoice,
    Subset, TimeLimit, nearest,
};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Values: a flag here, else the variable `ECGAN_<FLAG>`, else `--config`, else the preset.
#[derive(Args)]
pub struct SettingsArgs {
    /// A data folder (`ecgan train --help` says what is in one), or `synthetic`: built-in house-number digits [default:
    /// synthetic]
    #[arg(long, value_name = "DIR", env = "ECGAN_DATA", help_heading = "Data")]
    data: Option<String>,
    /// Labelled budget in images, validation part included [default: all; of synthetic, what the preset
    /// says]
    #[arg(long, value_name = "N", value_parser = count(), env = "ECGAN_SAMPLES", help_heading = "Data")]
    samples: Option<usize>,
    /// The same as a part of all training images, above 0 and at most 1
    #[arg(long, value_name = "F", value_parser = number(), env = "ECGAN_FRACTION", help_heading = "Data")]
    fraction: Option<f64>,
    /// The same in images of each class
    #[arg(long, value_name = "N", value_parser = count(), env = "ECGAN_PER_CLASS", help_heading = "Data")]
    per_class: Option<usize>,
    /// Which images the budget takes: drawn by --seed, or the first of each class in file order
    #[arg(long, value_parser = choice::<Subset>(), env = "ECGAN_SUBSET", help_heading = "Data")]
    subset: Option<Subset>,
    /// The part of the budget that is not trained on but chooses best.safetensors, from 0 (none) to below 1; where the
    /// data has a val/ folder, that is what chooses, unless this is 0
    #[arg(long, value_name = "F", value_parser = number(), env = "ECGAN_VAL_FRACTION", help_heading = "Data")]
    val_fraction: Option<f64>,
    /// Which training images an epoch shows: each once, or of each class equally many (balanced), as many in all: those of small classes
    /// several times each, of large ones a part
    #[arg(long, value_parser = choice::<Sampling>(), env = "ECGAN_SAMPLING", help_heading = "Data")]
    sampling: Option<Sampling>,
    /// Change real images each time they are trained on: not at all, or a random crop after padding by 4 and a rotation of up to 10
    /// degrees (paper), or that with left and right of every other image exchanged (flip), as photographs allow it and digits do not
    #[arg(long, value_parser = choice::<Augment>(), env = "ECGAN_AUGMENT", help_heading = "Data")]
    augment: Option<Augment>,
    /// Channels to train on: 1 (grey) or 3 (colour); images are converted
    #[arg(long, value_name = "1|3", value_parser = count(), env = "ECGAN_CHANNELS", help_heading = "Data")]
    channels: Option<usize>,
    /// Height and width to train on, in pixels; images are resized
    #[arg(long, value_name = "32|64", value_parser = count(), env = "ECGAN_IMAGE_SIZE", help_heading = "Data")]
    image_size: Option<usize>,

    /// What to train: the classifier with a GAN beside it (ec-gan; conditional, where the GAN is told the class), alone
    /// (classifier), or as one with the discriminator (shared-dc and shared-resnet: the discriminator's or ResNet-18's layers
    /// with two heads)
    #[arg(long, value_parser = choice::<Method>(), env = "ECGAN_METHOD", help_heading = "Method")]
    method: Option<Method>,
    /// Where values not given come from: for minutes on a processor (quick), tuned on small sets (best), from the paper's
    /// text (paper), or from its published code (notebook). Beside --config it takes the place of the file's, with all that the file has
    /// from that one [default: quick]
    #[arg(long, value_parser = choice::<Preset>(), env = "ECGAN_PRESET", help_heading = "Method")]
    preset: Option<Preset>,
    /// Weight of the fakes (the generator's images) in the classifier's loss; 0 trains it on real images alone
    #[arg(long, value_name = "L", value_parser = number(), env = "ECGAN_LAMBDA", help_heading = "Method")]
    lambda: Option<f64>,
    /// Confidence of the classifier, from 0 to 1, above which a fake counts
    #[arg(long, value_name = "T", value_parser = number(), env = "ECGAN_THRESHOLD", help_heading = "Method")]
    threshold: Option<f64>,
    /// Whether that is the same for every class, or lower for those that the classifier sees less of among the fakes, so that
    /// more of them count (balanced)
    #[arg(long, value_name = "HOW", value_parser = choice::<ClassThreshold>(), env = "ECGAN_CLASS_THRESHOLD", help_heading = "Method")]
    class_threshold: Option<ClassThreshold>,
    /// Batch norm in the classifier on fakes: normalise by their own mean and variance and count these in the running
    /// ones (shared), the same but do not count them (frozen), or normalise by the running ones (running)
    #[arg(long, value_name = "HOW", value_parser = choice::<FakeStatistics>(), env = "ECGAN_FAKE_STATISTICS", help_heading = "Method")]
    fake_statistics: Option<FakeStatistics>,
    /// What the classifier learns about a fake that counts: its own most probable class (pseudo), the class that method
    /// conditional made it for (known, the default there; it counts where that class has more than the threshold), or its own
    /// probabilities, sharpened (soft)
    #[arg(long, value_parser = choice::<FakeLabels>(), env = "ECGAN_FAKE_LABELS", help_heading = "Method")]
    fake_labels: Option<FakeLabels>,
    /// What the losses of the fakes that count are divided by: their number (kept), or that of all in the batch (all)
    #[arg(long, value_parser = choice::<FakeMean>(), env = "ECGAN_FAKE_MEAN", help_heading = "Method")]
    fake_mean: Option<FakeMean>,
    /// How method conditional tells generator and discriminator the class: as one number, or as one a class
    #[arg(long, value_parser = choice::<ClassCode>(), env = "ECGAN_CLASS_CODE", help_heading = "Method")]
    class_code: Option<ClassCode>,
    /// The losses of generator and discriminator: binary cross-entropy, or hinge
    #[arg(long, value_parser = choice::<GanLoss>(), env = "ECGAN_GAN_LOSS", help_heading = "Method")]
    gan_loss: Option<GanLoss>,
    /// What keeps the discriminator in bounds: batch norm, or in its place weights divided by their largest singular value
    #[arg(long, value_name = "HOW", value_parser = choice::<NormD>(), env = "ECGAN_NORM_D", help_heading = "Method")]
    norm_d: Option<NormD>,
    /// What the discriminator's images go through, real and generated alike, so that few images last longer (DiffAugment)
    #[arg(long, value_parser = choice::<DiffAugment>(), env = "ECGAN_DIFF_AUGMENT", help_heading = "Method")]
    diff_augment: Option<DiffAugment>,
    /// Draw from a moving average of the generator, which keeps this part of itself each iteration (0.99 say), at first less; 0
    /// is none
    #[arg(long, value_name = "DECAY", value_parser = number(), env = "ECGAN_EMA_G", help_heading = "Method")]
    ema_g: Option<f64>,
    /// Measure, save and use a moving average of the classifier, likewise
    #[arg(long, value_name = "DECAY", value_parser = number(), env = "ECGAN_EMA_C", help_heading = "Method")]
    ema_c: Option<f64>,
    /// Which generator the classifier learns from: the one that trains, or its moving average
    #[arg(long, value_parser = choice::<FakesFrom>(), env = "ECGAN_FAKES_FROM", help_heading = "Method")]
    fakes_from: Option<FakesFrom>,
    /// Before this part of the run, from 0 to 1, lambda is 0: the generator learns first (with the shared methods, whose generator
    /// learns by lambda too, the classifier does, alone)
    #[arg(long, value_name = "PART", value_parser = number(), env = "ECGAN_LAMBDA_START", help_heading = "Method")]
    lambda_start: Option<f64>,
    /// Over this part of the run after that, lambda grows from 0 to its value. With preset notebook's two steps Adam makes little of
    /// how large it is, and the fakes' part in shared statistics does not grow with it: there it is of little use
    #[arg(long, value_name = "PART", value_parser = number(), env = "ECGAN_LAMBDA_RAMP", help_heading = "Method")]
    lambda_ramp: Option<f64>,
    /// The part of a real label that is spread over all classes
    #[arg(long, value_name = "PART", value_parser = number(), env = "ECGAN_LABEL_SMOOTHING", help_heading = "Method")]
    label_smoothing: Option<f64>,
    /// The classifier: ResNet-18, or the DCGAN discriminator's layers; the shared methods have their own
    #[arg(long, value_parser = choice::<Architecture>(), env = "ECGAN_ARCHITECTURE", help_heading = "Method")]
    architecture: Option<Architecture>,
    /// Channels of the classifier's first stage: how large ResNet-18 is (the classic one has 64)
    #[arg(long, value_name = "N", value_parser = count(), env = "ECGAN_WIDTH", help_heading = "Method")]
    width: Option<usize>,

    /// Passes over the training images, in whole batches: what is left over sits out, other images each epoch
    #[arg(long, value_name = "E", value_parser = count(), env = "ECGAN_EPOCHS", help_heading = "Optimisation")]
    epochs: Option<usize>,
    /// Iterations of the whole run at most; the run ends there as it does after the last epoch, but best.safetensors is chosen among
    /// whole epochs, if there are any
    #[arg(long, value_name = "N", value_parser = count(), env = "ECGAN_MAX_STEPS", help_heading = "Optimisation")]
    max_steps: Option<usize>,
    /// End the run after this many epochs without a better validation accuracy; a cosine still spans all --epochs
    #[arg(long, value_name = "E", value_parser = count(), env = "ECGAN_PATIENCE", help_heading = "Optimisation")]
    patience: Option<usize>,
    /// End the run after this time (90s, 30m, 2h), within an epoch too; --resume goes on for as long again
    #[arg(long, value_name = "TIME", value_parser = named(TimeLimit::from_str), env = "ECGAN_MAX_TIME", help_heading = "Optimisation")]
    max_time: Option<TimeLimit>,
    /// Images in a batch; lowered where there are fewer
    #[arg(long, value_name = "B", value_parser = count(), env = "ECGAN_BATCH", help_heading = "Optimisation")]
    batch: Option<usize>,
    /// The seed of everything random
    #[arg(long, value_name = "S", value_parser = integer::<u64>(), env = "ECGAN_SEED", help_heading = "Optimisation")]
    seed: Option<u64>,
    /// Adam's learning rate, all three networks: also in place of a --lr-c that comes from further down, as a preset's
    #[arg(long, value_name = "R", value_parser = number(), env = "ECGAN_LR", help_heading = "Optimisation")]
    lr: Option<f64>,
    /// Adam's learning rate of the classifier, where it differs
    #[arg(long, value_name = "R", value_parser = number(), env = "ECGAN_LR_C", help_heading = "Optimisation")]
    lr_c: Option<f64>,
    /// How the learning rates change over the run: not at all, or down to 0 along half a cosine
    #[arg(long, value_parser = choice::<Schedule>(), env = "ECGAN_SCHEDULE", help_heading = "Optimisation")]
    schedule: Option<Schedule>,
    /// Weight decay of discriminator and classifier: also in place of a --weight-decay-c that comes from further down
    #[arg(long, value_name = "W", value_parser = number(), env = "ECGAN_WEIGHT_DECAY", help_heading = "Optimisation")]
    weight_decay: Option<f64>,
    /// Weight decay of the classifier, where it differs
    #[arg(long, value_name = "W", value_parser = number(), env = "ECGAN_WEIGHT_DECAY_C", help_heading = "Optimisation")]
    weight_decay_c: Option<f64>,

    /// `cpu`, `cuda[:N]`, or the first GPU where there is one and else the CPU (auto) [default: auto]
    #[arg(long, value_name = "DEVICE", value_parser = named(DeviceChoice::from_str), env = "ECGAN_DEVICE", help_heading = "Device")]
    device: Option<DeviceChoice>,
    /// What convolutions and matrix products multiply on a GPU: f32, or for speed f32 rounded to 11 (tf32) or 8 (bf16)
    /// bits; sums, weights and statistics are f32 in each [default: f32]
    #[arg(long, value_parser = choice::<Precision>(), env = "ECGAN_PRECISION", help_heading = "Device")]
    precision: Option<Precision>,
    /// On a GPU launch each kernel of an iteration, one after the other, rather than a recording of all in which some run beside others:
    /// slower, the same bits; for debugging
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = named(BoolValueParser::new()), env = "ECGAN_NO_GRAPH", help_heading = "Device")]
    no_graph: Option<bool>,
    /// Threads [default: one a core]
    #[arg(long, value_name = "N", value_parser = count(), env = "ECGAN_THREADS", help_heading = "Device")]
    threads: Option<usize>,
    /// Memory that decoded images may take, in MiB; what needs more, with 0 all, is decoded while it trains, with the same results
    /// [default: a quarter of what is available]
    #[arg(long, value_name = "MIB", value_parser = integer::<usize>(), env = "ECGAN_MEMORY_LIMIT", help_heading = "Device")]
    memory_limit: Option<usize>,

    /// The run folder, new or empty, and outside of data that is `<class>/` folders alone; without it `runs/NNNN-<method>-<data>`
    #[arg(long, value_name = "DIR", value_parser = named(PathBufValueParser::new()), env = "ECGAN_OUT", help_heading = "Run")]
    out: Option<PathBuf>,
    /// Also save last.safetensors every N iterations, for epochs too long to lose
    #[arg(long, value_name = "N", value_parser = count(), env = "ECGAN_CHECKPOINT_EVERY", help_heading = "Run")]
    checkpoint_every: Option<usize>,
    /// Also keep epoch-NNNN.safetensors of every E-th epoch
    #[arg(long, value_name = "E", value_parser = count(), env = "ECGAN_SAVE_EVERY", help_heading = "Run")]
    save_every: Option<usize>,
    /// Write event files for TensorBoard into the run folder: `tensorboard --logdir runs` shows them
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true", value_parser = named(BoolValueParser::new()), env = "ECGAN_TENSORBOARD", help_heading = "Run")]
    tensorboard: Option<bool>,
    /// A settings file (TOML); a run's config.toml is one, and repeats that run
    #[arg(long, value_name = "FILE", help_heading = "Run")]
    config: Option<PathBuf>,
}

/// Warns of flags and variables that none of these methods uses.
pub fn warn_of_unused(matches: &ArgMatches, methods: &[Method]) {
    let Some((first, others)) = methods.split_first() else { return };
    for key in first.unused().iter().filter(|key| others.iter().all(|other| other.unused().contains(key))) {
        let name = match matches.value_source(key) {
            Some(ValueSource::CommandLine) => format!("--{}", key.replace('_', "-")),
            Some(ValueSource::EnvVariable) => format!("ECGAN_{}", key.to_uppercase()),
            _ => continue,
        };
        let differ = others.iter().any(|other| other != first);
        let whose = if differ { "no method here uses it".into() } else { format!("method {first} does not use it") };
        warn(format!("{name}: not heeded; {whose}"));
    }
}

/// The settings of a run.
pub struct Resolved {
    /// Every value.
    pub settings: Settings,
    /// The file that names the data, where no flag and no variable does.
    pub names_data: Option<PathBuf>,
    /// What was given and is not heeded, a sentence each.
    pub warnings: Vec<String>,
}

impl SettingsArgs {
    /// The settings of these flags (as parsed into `matches`), the variables, the file and the preset. Warns of flags and
    /// variables that the method does not use; a file is for several methods.
    pub fn resolve(&self, matches: &ArgMatches) -> Result<Resolved, Error> {
        let (flags, lower) = self.sources(matches)?;
        let names_data = lower.file_of("data", &flags).map(Path::to_path_buf);
        let settings = lower.resolve(flags)?;
        warn_of_unused(matches, &[settings.method]);
        Ok(Resolved { settings, names_data, warnings: Vec::new() })
    }

    /// What the flags say, and what variables and file below them.
    pub fn sources(&self, matches: &ArgMatches) -> Result<(Partial, Lower), Error> {
        let flags = self.layer(matches, ValueSource::CommandLine);
        let variables = self.variables(matches)?;
        let file = self.config.as_deref().map(Partial::from_file).transpose()?.unwrap_or_default();
        Ok((flags, Lower { variables, file, path: self.config.clone() }))
    }

    /// The settings with which the run in the folder `run` goes on.
    pub fn resume(&self, matches: &ArgMatches, run: &Path) -> Result<Resolved, Error> {
        if let Some(config) = &self.config {
            let expected = "nothing beside --resume, which takes the settings from the run folder".to_owned();
            return Err(Error::Setting { name: "config", expected, got: config.display().to_string() });
        }
        let flags = self.layer(matches, ValueSource::CommandLine);
        let variables = self.variables(matches)?;
        let config = run.join(names::CONFIG);
        let names_data = flags.data.is_none().then(|| config.clone());
        let (file, warnings) = Partial::from_file(&config)?.resumed(flags.clone(), &variables)?;
        // The file is blamed for what no flag gave.
        let settings = Lower { file, path: Some(config), ..Lower::default() }.resolve(flags)?;
        Ok(Resolved { settings, names_data, warnings })
    }

    fn variables(&self, matches: &ArgMatches) -> Result<Partial, Error> {
        Ok(Partial { simd: simd_variable()?.map(SimdChoice), ..self.layer(matches, ValueSource::EnvVariable) })
    }

    /// The values that came from one source.
    fn layer(&self, matches: &ArgMatches, source: ValueSource) -> Partial {
        macro_rules! from_source {
            ($($name:ident),*) => {
                Partial {
                    $($name: self.$name.clone().filter(|_| matches.value_source(stringify!($name)) == Some(source)),)*
                    simd: None,
                }
            };
        }
        from_source!(
            data,
            method,
            preset,
            samples,
            fraction,
            per_class,
            subset,
            val_fraction,
            sampling,
            augment,
            channels,
            image_size,
            architecture,
            width,
            epochs,
            max_steps,
            patience,
            max_time,
            batch,
            seed,
            lambda,
            threshold,
            class_threshold,
            fake_statistics,
            fake_labels,
            fake_mean,
            class_code,
            gan_loss,
            norm_d,
            diff_augment,
            ema_g,
            ema_c,
            fakes_from,
            lambda_start,
            lambda_ramp,
            label_smoothing,
            schedule,
            lr,
            lr_c,
            weight_decay,
            weight_decay_c,
            device,
            precision,
            no_graph,
            threads,
            checkpoint_every,
            save_every,
            tensorboard,
            memory_limit,
            out
        )
    }
}

/// Warnings about variables that look like settings and are none.
pub fn unknown_variables() -> Vec<String> {
    let names = std::env::vars_os().filter_map(|(name, _)| name.into_string().ok());
    let warning = |name: String| {
        let key = name.strip_prefix("ECGAN_")?.to_lowercase();
        if Partial::KEYS.contains(&key.as_str()) {
            return None;
        }
        let meant = nearest(&key, Partial::KEYS)
            .map(|key| format!(", did you mean ECGAN_{}?", key.to_uppercase()))
            .unwrap_or_default();
        Some(format!("{name}: no setting has this name{meant}"))
    };
    names.filter_map(warning).collect()
}
