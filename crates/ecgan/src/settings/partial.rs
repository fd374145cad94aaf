//! Settings as one source gives them: every value optional, and one source laid over another.

use super::expected::{Expected, Value};
use super::{
    Architecture, Augment, ClassCode, ClassThreshold, DeviceChoice, DiffAugment, FakeLabels, FakeMean, FakeStatistics,
    FakesFrom, GanLoss, Method, NormD, Precision, Preset, Sampling, Schedule, Subset, TimeLimit, nearest,
};
use crate::Error;
use crate::printable::Shown;
use crate::run_folder::names::CONFIG;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use toml::de::DeTable;

/// Bytes of the longest settings file that is read.
const LARGEST_FILE: u64 = 1 << 20;

/// Declares [`Partial`] with what must know every setting: the list of keys, and laying over field by field.
macro_rules! partial {
    ($($(#[$meta:meta])* $name:ident: $type:ty,)*) => {
        /// What one source (flags, variables, a file, a preset) says about the settings.
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Partial {
            $(
                $(#[$meta])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $name: Option<$type>,
            )*
        }

        impl Partial {
            /// Every key of a settings file, in the order in which `config.toml` has them.
            pub const KEYS: &'static [&'static str] = &[$(stringify!($name)),*];

            /// What is expected of a key's value; `None` for no key.
            pub(crate) fn expected(key: &str) -> Option<Expected> {
                $(if key == stringify!($name) {
                    return Some(<$type as Value>::expected());
                })*
                None
            }

            /// The keys that have a value.
            pub(crate) fn given(&self) -> impl Iterator<Item = &'static str> + use<> {
                [$((stringify!($name), self.$name.is_some())),*].into_iter().filter_map(|(key, given)| given.then_some(key))
            }

            /// These settings, key by key those of `other` where they are silent: two parts of one source.
            pub(crate) fn or(self, other: Self) -> Self {
                Self { $($name: self.$name.or(other.$name)),* }
            }
        }
    };
}

partial! {
    /// A data folder, or `synthetic`.
    data: String,
    /// What is trained.
    method: Method,
    /// Where values not given come from.
    preset: Preset,
    /// Labelled budget in images; at most one of this, `fraction` and `per_class`.
    samples: usize,
    /// Labelled budget as a part of all, in (0, 1].
    fraction: f64,
    /// Labelled budget in images of each class.
    per_class: usize,
    /// Which images the budget takes.
    subset: Subset,
    /// The part of the budget that validates, in [0, 1).
    val_fraction: f64,
    /// Which training images an epoch shows.
    sampling: Sampling,
    /// Augmentation of the reals.
    augment: Augment,
    /// Channels of the images: 1 or 3.
    channels: usize,
    /// Height and width of the images in pixels: 32 or 64.
    image_size: usize,
    /// The classifier's layers.
    architecture: Architecture,
    /// Channels of the classifier's first stage.
    width: usize,
    /// Passes over the training images.
    epochs: usize,
    /// Iterations of the whole run at most.
    max_steps: usize,
    /// Epochs without a better validation accuracy after which the run ends.
    patience: usize,
    /// Time after which the run ends, from when this process begins it.
    max_time: TimeLimit,
    /// Images in a batch.
    batch: usize,
    /// The seed of every random stream.
    seed: u64,
    /// Weight of the fakes in the classifier's loss.
    lambda: f64,
    /// Fakes count where the softmax at their label is above it.
    threshold: f64,
    /// Whether that is the same for every class.
    class_threshold: ClassThreshold,
    /// What batch norm does with fakes in the classifier.
    fake_statistics: FakeStatistics,
    /// What the classifier learns about a fake that counts.
    fake_labels: FakeLabels,
    /// What the sum of the losses of fakes that count is divided by.
    fake_mean: FakeMean,
    /// How a conditional GAN is told the class.
    class_code: ClassCode,
    /// The losses of generator and discriminator.
    gan_loss: GanLoss,
    /// What keeps the discriminator's activations in bounds.
    norm_d: NormD,
    /// What the discriminator's images go through.
    diff_augment: DiffAugment,
    /// What the generator's moving average keeps of itself each step, in [0, 1); 0 is no average.
    ema_g: f64,
    /// The same of the classifier's, which is then what is measured, saved and used.
    ema_c: f64,
    /// Which generator the classifier learns from.
    fakes_from: FakesFrom,
    /// Before this part of the run lambda is 0.
    lambda_start: f64,
    /// Over this part of the run after that, lambda grows to its value.
    lambda_ramp: f64,
    /// The part of a real label that is spread over all classes, in [0, 1).
    label_smoothing: f64,
    /// Adam's learning rate, all networks.
    lr: f64,
    /// Adam's learning rate in the classifier, where it differs.
    lr_c: f64,
    /// How the learning rates change over the run.
    schedule: Schedule,
    /// L2 weight decay in discriminator and classifier.
    weight_decay: f64,
    /// L2 weight decay in the classifier, where it differs.
    weight_decay_c: f64,
    /// The device asked for.
    device: DeviceChoice,
    /// What convolutions and matrix products multiply on a GPU.
    precision: Precision,
    /// Launch each kernel of an iteration, rather than a recording of all; for debugging.
    no_graph: bool,
    /// The processor's SIMD path, where one is forced.
    simd: SimdChoice,
    /// Threads, where not every core.
    threads: usize,
    /// Iterations between two checkpoints within an epoch.
    checkpoint_every: usize,
    /// Epochs between two checkpoints that are kept.
    save_every: usize,
    /// Write event files for TensorBoard.
    tensorboard: bool,
    /// Memory that decoded images may take, in MiB.
    memory_limit: usize,
    /// The run folder.
    out: PathBuf,
}

impl Partial {
    /// These settings, completed by `lower` where they are silent.
    ///
    /// Settings that speak about one thing yield together: a budget here hides every budget of `lower`, and
    /// `lr` (`weight_decay`) here, being for all networks, hides `lr_c` (`weight_decay_c`) of `lower`.
    pub fn over(self, mut lower: Self) -> Self {
        if !self.budgets().is_empty() {
            (lower.samples, lower.fraction, lower.per_class) = (None, None, None);
        }
        if self.lr.is_some() {
            lower.lr_c = None;
        }
        if self.weight_decay.is_some() {
            lower.weight_decay_c = None;
        }
        self.or(lower)
    }

    /// The names of the budgets given: at most one is allowed.
    pub(super) fn budgets(&self) -> Vec<&'static str> {
        self.given().filter(|key| ["samples", "fraction", "per_class"].contains(key)).collect()
    }

    /// Reads a settings file: one flat TOML table, keys named as the flags.
    ///
    /// # Errors
    /// [`Error::Io`] or [`Error::BadFile`] where it cannot be read or is no TOML, [`Error::UnknownKey`] and
    /// [`Error::ConfigValue`] for what it says; all name the file.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let text = read(path).map_err(Error::io(path, "read"))?;
        let table = DeTable::parse(&text).map_err(|error| Error::BadFile {
            path: path.to_path_buf(),
            problem: error.to_string().trim_end().to_owned(),
        })?;
        let mut keys = table.get_ref().keys().map(|key| &**key.get_ref());
        if let Some(key) = keys.find(|key| !Self::KEYS.contains(key)) {
            let nearest = nearest(key, Self::KEYS);
            return Err(Error::UnknownKey { path: path.to_path_buf(), key: key.to_owned(), nearest });
        }
        toml::from_str(&text).map_err(|error| Error::ConfigValue {
            path: path.to_path_buf(),
            problem: wrong_value(&text, table.get_ref(), &error),
        })
    }
}

/// Line, key and value of what is of the wrong kind, and what is expected there.
fn wrong_value(text: &str, table: &DeTable<'_>, error: &toml::de::Error) -> String {
    let at = error.span().unwrap_or_default().start;
    let found = table.iter().find(|(_, value)| value.span().contains(&at));
    let expected = found.and_then(|(key, value)| Some((key.get_ref(), value, Partial::expected(key.get_ref())?)));
    let Some((key, value, Expected { words, quoted, names })) = expected else {
        return error.to_string().trim_end().to_owned();
    };
    let quotes = match (quoted, value.get_ref().is_str()) {
        (true, false) => ", in quotes",
        (false, true) => ", without quotes",
        _ => "",
    };
    let line = text.get(..at).map_or(1, |before| before.matches('\n').count() + 1);
    let got = text.get(value.span()).and_then(|got| got.lines().next()).unwrap_or_default();
    let near = value.get_ref().as_str().and_then(|value| nearest(value, names));
    let meant = near.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
    format!("line {line}: {key}: expected {words}{quotes}, got {got}{meant}")
}

/// Reads no more than [`LARGEST_FILE`], be it a pipe or a device.
fn read(path: &Path) -> io::Result<String> {
    if path.is_dir() {
        let own = path.join(CONFIG);
        let meant = if own.is_file() { format!(", did you mean {}?", Shown(&own)) } else { String::new() };
        return Err(io::Error::other(format!("a folder; expected a settings file{meant}")));
    }
    let mut text = String::new();
    let read = File::open(path)?.take(LARGEST_FILE + 1).read_to_string(&mut text)?;
    if read as u64 > LARGEST_FILE {
        return Err(io::Error::other(format!("longer than {LARGEST_FILE} bytes, which no settings file is")));
    }
    Ok(text)
}

/// A SIMD path in a settings file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SimdChoice(pub kernels::Simd);

impl Serialize for SimdChoice {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.0.name())
    }
}

impl<'de> Deserialize<'de> for SimdChoice {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map(SimdChoice).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Partial, Error> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.toml");
        std::fs::write(&path, text).unwrap();
        Partial::from_file(&path)
    }

    #[test]
    fn a_file_is_read_by_flag_names() {
        let partial = read("data = \"synthetic\"\nper_class = 5\nlambda = 0.3\nfake_statistics = \"running\"").unwrap();
        assert_eq!((partial.per_class, partial.lambda), (Some(5), Some(0.3)));
        assert_eq!(partial.fake_statistics, Some(FakeStatistics::Running));
        // An integer where a number is expected is a number.
        assert_eq!(read("lambda = 1").unwrap().lambda, Some(1.0));
    }

    #[test]
    fn an_unknown_key_names_file_key_and_nearest() {
        let message = read("epocs = 3").unwrap_err().to_string();
        assert!(message.ends_with("run.toml: unknown key `epocs`, did you mean `epochs`?"), "{message}");
        let message = read("zzzzzzzz = 3").unwrap_err().to_string();
        assert!(message.ends_with("run.toml: unknown key `zzzzzzzz`; `ecgan config` prints all keys"), "{message}");
    }

    #[test]
    fn a_wrong_value_names_file_and_line() {
        const WHOLE: &str = "a whole number from 0 to 9223372036854775807";
        for (text, expected) in [
            ("seed = 1\nepochs = \"x\"", format!("line 2: epochs: expected {WHOLE}, without quotes, got \"x\"")),
            ("epochs = -1", format!("line 1: epochs: expected {WHOLE}, got -1")),
            ("seed = 1.5", format!("seed: expected {WHOLE}, got 1.5")),
            ("epochs = 99999999999999999999", format!("epochs: expected {WHOLE}, got 99999999999999999999")),
            ("epochs = [1,\n2]", format!("epochs: expected {WHOLE}, got [1,")),
            ("lr = \"x\"", "lr: expected a number, without quotes, got \"x\"".into()),
            ("lr = 1999-01-01", "lr: expected a number, got 1999-01-01".into()),
            ("no_graph = 3", "no_graph: expected true or false, got 3".into()),
            ("method = 3", "method: expected one of ec-gan, classifier, shared-dc, ".into()),
            ("method = 3", "conditional, in quotes, got 3".into()),
            ("\n\nmethod = \"gan\"", "shared-resnet, conditional, got \"gan\"".into()),
            ("method = \"classifer\"", "conditional, got \"classifer\", did you mean `classifier`?".into()),
            ("class_code = \"one_hot\"", "got \"one_hot\", did you mean `one-hot`?".into()),
            ("out = 5", "line 1: out: expected a path, in quotes, got 5".into()),
            ("data = 5", "data: expected a folder or `synthetic`, in quotes, got 5".into()),
            ("max_time = 90", "max_time: expected a time such as 90s, 30m, 2h or 1h30m, in quotes, got 90".into()),
            ("device = \"gpu\"", "device: expected auto, cpu, cuda or cuda:N, got \"gpu\"".into()),
            ("simd = \"sse9\"", "simd: expected portable, neon, avx2 or avx512, got \"sse9\"".into()),
        ] {
            let error = read(text).unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Usage);
            let message = error.to_string();
            assert!(message.contains("run.toml: ") && message.contains(&expected), "{text}: {message}");
        }
        assert_eq!(read("epochs = = 1").unwrap_err().kind(), crate::ErrorKind::Data);
    }

    #[test]
    fn what_speaks_about_one_thing_yields_together() {
        let lower = Partial {
            fraction: Some(0.5),
            lr: Some(1.0),
            lr_c: Some(2.0),
            weight_decay_c: Some(3.0),
            batch: Some(8),
            ..Partial::default()
        };
        let upper =
            Partial { samples: Some(9), lr: Some(4.0), weight_decay: Some(5.0), batch: Some(4), ..Partial::default() };
        let both = upper.clone().over(lower.clone());
        assert_eq!((both.samples, both.fraction, both.batch), (Some(9), None, Some(4)));
        assert_eq!((both.lr, both.lr_c, both.weight_decay, both.weight_decay_c), (Some(4.0), None, Some(5.0), None));
        assert_eq!(Partial::default().over(lower.clone()), lower);
    }
}
