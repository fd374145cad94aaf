//! Checkpoints: safetensors with PyTorch's names and layouts under `classifier.`, `generator.` and `discriminator.`.
//!
//! Adam's moments stand under `optimizer.<network>.{m,v}.<name>` with `optimizer.<network>.t`, the position of the
//! run under `state.*`, sums of an epoch under way among it, in F64. Settings and class names are JSON in the metadata. No time, path or thread count is in a
//! tensor, and the same run writes the same bytes, on any number of threads.

mod position;

pub use position::{Best, Position};

use crate::Error;
use crate::models::{Classifier, ImageShape, ResNet18};
use crate::networks::{Networks, new_classifier, new_generator};
use crate::regular_file;
use crate::run_folder::write_atomically;
use crate::settings::Settings;
use nn::{Builder, Network, StateDict, StateTensor};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::path::Path;
use tensor::Device;

/// The metadata key under which [`Meta`] is kept; one key only, so that the file's bytes have one order.
const KEY: &str = "ecgan";

/// The version of this layout.
const FORMAT: u32 = 1;

/// What a checkpoint says about itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// The version of the layout.
    pub format: u32,
    /// Channels of the classifier's first stage.
    pub width: usize,
    /// Height and width of the images.
    pub image_size: usize,
    /// Channels of the images.
    pub channels: usize,
    /// The class names; a label is an index into them.
    pub classes: Vec<String>,
    /// The resolved settings, as `config.toml` has them, but for what changes nothing in the numbers: threads, how a
    /// GPU's kernels are launched, what is written beside, and when a run that can go on stops or writes.
    pub config: String,
    /// Training images of each class before a budget is drawn; none where a version without `--resume` wrote it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub images: Vec<usize>,
}

/// Writes a checkpoint; it appears whole or not at all.
///
/// # Errors
/// [`Error::Io`], and what failed on a GPU.
pub fn save(path: &Path, networks: &Networks, position: Position, meta: &Meta) -> Result<(), Error> {
    let mut tensors: Vec<Stored> = Vec::new();
    for (name, network, adam) in networks.named() {
        store(&mut tensors, name, network.state_dict()?);
        for (moment, flat) in [("m", &adam.m), ("v", &adam.v)] {
            store(&mut tensors, &format!("optimizer.{name}.{moment}"), network.as_state_dict(flat)?);
        }
        tensors.push(Stored::count(format!("optimizer.{name}.t"), adam.t()?));
    }
    position.store(&mut tensors);
    let meta = serde_json::to_string(&meta).expect("numbers and words are JSON");
    let views = tensors.iter().map(|t| {
        let view = TensorView::new(t.dtype, t.shape.clone(), &t.bytes).expect("as many bytes as the shape says");
        (t.name.as_str(), view)
    });
    let bytes = safetensors::serialize(views, Some(HashMap::from([(KEY.to_owned(), meta)])))
        .map_err(|error| Error::BadFile { path: path.to_path_buf(), problem: error.to_string() })?;
    write_atomically(path, |file| file.write_all(&bytes))
}

/// A tensor as it is written.
struct Stored {
    name: String,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

impl Stored {
    fn count(name: String, value: u64) -> Self {
        Self { name, dtype: Dtype::I64, shape: Vec::new(), bytes: (value as i64).to_le_bytes().to_vec() }
    }

    fn numbers(name: String, shape: Vec<usize>, values: &[f64]) -> Self {
        Self { name, dtype: Dtype::F64, shape, bytes: values.iter().flat_map(|v| v.to_le_bytes()).collect() }
    }
}

fn store(tensors: &mut Vec<Stored>, prefix: &str, state: StateDict) {
    tensors.extend(state.into_iter().map(|(name, tensor)| {
        let name = format!("{prefix}.{name}");
        match tensor {
            StateTensor::Count(count) => Stored::count(name, count as u64),
            StateTensor::Real(shape, values) => {
                let bytes = values.iter().flat_map(|&v| (v as f32).to_le_bytes()).collect();
                Stored { name, dtype: Dtype::F32, shape, bytes }
            }
        }
    }));
}

/// A checkpoint read from a file, its tensors not yet given to networks.
pub struct Checkpoint {
    path: std::path::PathBuf,
    /// What it says about itself.
    pub meta: Meta,
    tensors: StateDict,
}

impl Checkpoint {
    /// Reads a checkpoint.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::BadFile`] naming what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let bytes = read(path).map_err(Error::io(path, "read"))?;
        let bad = |problem: String| Error::BadFile { path: path.to_path_buf(), problem };
        let expected = "expected a checkpoint written by `ecgan train`";
        let (_, header) = SafeTensors::read_metadata(&bytes)
            .map_err(|error| bad(format!("not a safetensors file ({error}); {expected}")))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| bad(format!("{error}; {expected}")))?;
        let meta = header.metadata().as_ref().and_then(|m| m.get(KEY));
        let meta = meta.ok_or_else(|| bad(format!("no `{KEY}` in the metadata; {expected}")))?;
        let meta: Meta =
            serde_json::from_str(meta).map_err(|error| bad(format!("`{KEY}` in the metadata: {error}; {expected}")))?;
        check(&meta).map_err(bad)?;
        let mut tensors = Vec::new();
        for (name, view) in file.iter() {
            tensors.push((name.to_owned(), read_tensor(name, &view).map_err(bad)?));
        }
        Ok(Self { path: path.to_path_buf(), meta, tensors })
    }

    /// The images its networks take and make.
    pub fn image(&self) -> ImageShape {
        ImageShape { channels: self.meta.channels, size: self.meta.image_size }
    }

    /// Its classifier, a [`ResNet18`].
    ///
    /// # Errors
    /// [`Error::BadFile`] where the tensors do not fit.
    pub fn classifier(&self, device: &Device) -> Result<Network, Error> {
        self.classifier_of(device, &ResNet18 { width: self.meta.width })
    }

    /// Its classifier, of an architecture of your own.
    ///
    /// # Errors
    /// [`Error::BadFile`] where the tensors do not fit.
    pub fn classifier_of(&self, device: &Device, architecture: &impl Classifier) -> Result<Network, Error> {
        self.check_size(architecture)?;
        self.fill("classifier", new_classifier(device, 0, architecture, self.image(), self.meta.classes.len()))
    }

    /// Its generator.
    ///
    /// # Errors
    /// [`Error::BadFile`] where there is none, or the tensors do not fit.
    pub fn generator(&self, device: &Device) -> Result<Network, Error> {
        if !self.tensors.iter().any(|(name, _)| name.starts_with("generator.")) {
            return Err(self.bad("no generator; expected a checkpoint of --method ec-gan".into()));
        }
        self.fill("generator", new_generator(device, 0, self.image()))
    }

    /// Refuses metadata that ask for far more memory than the file has numbers; what is nearer, loading names.
    fn check_size(&self, architecture: &impl Classifier) -> Result<(), Error> {
        let (width, classes) = (self.meta.width, self.meta.classes.len());
        let mut builder = Builder::default();
        architecture.build::<f32>(&mut builder, self.image(), classes);
        let tensors = self.tensors.iter().filter(|(name, _)| name.starts_with("classifier."));
        let got: usize =
            tensors.map(|(_, t)| if let StateTensor::Real(_, values) = t { values.len() } else { 0 }).sum();
        if builder.numel() <= 4 * got.max(1 << 20) {
            return Ok(());
        }
        let needed = builder.numel();
        Err(self.bad(format!(
            "metadata: width {width} and {classes} classes: {needed} numbers, the file has {got} of them"
        )))
    }

    /// An error about this file.
    pub(crate) fn bad(&self, problem: String) -> Error {
        Error::BadFile { path: self.path.clone(), problem }
    }

    /// The tensors whose names begin with `prefix` and a dot, without these.
    fn part(&self, prefix: &str) -> StateDict {
        let of_part = |name: &str| name.strip_prefix(prefix)?.strip_prefix('.').map(str::to_owned);
        self.tensors.iter().filter_map(|(name, t)| Some((of_part(name)?, t.clone()))).collect()
    }

    fn fill(&self, prefix: &str, mut network: Network) -> Result<Network, Error> {
        network.load_state_dict(&self.part(prefix)).map_err(|error| self.bad(format!("{prefix}: {error}")))?;
        Ok(network)
    }
}

/// The bytes of a file, or only its first eight where these, the length of a header, are more than the file has: that is
/// no checkpoint, however large it is.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let (file, length) = regular_file::open(path)?;
    let mut bytes = Vec::new();
    (&file).take(8).read_to_end(&mut bytes)?;
    let header = bytes.first_chunk().map_or(0, |&length| u64::from_le_bytes(length));
    if (1..length).contains(&header) {
        bytes.try_reserve_exact(length as usize)?;
        file.take(length - 8).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Refuses what would make networks of absurd size before any is allocated.
fn check(meta: &Meta) -> Result<(), String> {
    let Meta { format, width, image_size, channels, classes, .. } = meta;
    let fail =
        |what: &str, expected: &str, got: usize| Err(format!("metadata: {what}: expected {expected}, got {got}"));
    match () {
        () if *format != FORMAT => fail("format", "1", *format as usize),
        () if !(1..=1024).contains(width) => fail("width", "1 to 1024", *width),
        () if ![32, 64].contains(image_size) => fail("image_size", "32 or 64", *image_size),
        () if ![1, 3].contains(channels) => fail("channels", "1 or 3", *channels),
        () if !(1..=100_000).contains(&classes.len()) => fail("classes", "1 to 100000", classes.len()),
        () => Ok(()),
    }
}

fn read_tensor(name: &str, view: &TensorView<'_>) -> Result<StateTensor, String> {
    match (view.dtype(), view.data()) {
        (Dtype::F32, bytes) => {
            let values = bytes.as_chunks::<4>().0.iter().map(|&b| f64::from(f32::from_le_bytes(b))).collect();
            Ok(StateTensor::Real(view.shape().to_vec(), values))
        }
        (Dtype::F64, bytes) if name.starts_with("state.") => {
            let values = bytes.as_chunks::<8>().0.iter().map(|&b| f64::from_le_bytes(b)).collect();
            Ok(StateTensor::Real(view.shape().to_vec(), values))
        }
        (Dtype::I64, bytes) if view.shape().is_empty() && bytes.len() == 8 => {
            Ok(StateTensor::Count(i64::from_le_bytes(bytes.try_into().expect("eight bytes"))))
        }
        (dtype, _) => {
            Err(format!("`{name}`: expected F32, or I64 of shape [], got {dtype:?} of shape {:?}", view.shape()))
        }
    }
}

impl Meta {
    /// The metadata of a run.
    pub fn new(settings: &Settings, classes: &[String]) -> Self {
        Self {
            format: FORMAT,
            width: settings.width,
            image_size: settings.image_size,
            channels: settings.channels,
            classes: classes.to_vec(),
            config: Settings { patience: None, max_time: None, ..settings.numbers() }.to_toml(),
            images: Vec::new(),
        }
    }
}
