//! Checkpoints: safetensors with PyTorch's names and layouts under `classifier.`, `generator.` and `discriminator.`.
//!
//! Adam's moments stand under `optimizer.<network>.{m,v}.<name>` with `optimizer.<network>.t`, the position of the
//! run under `state.*`, sums of an epoch under way among it, in F64. Of a network with a moving average `<network>.` is the average, and
//! what is trained stands under `optimizer.<network>.weights`; thresholds by class have `state.class_average`. Settings and class names are JSON in the metadata. No time, path or thread count is in a
//! tensor, and the same run writes the same bytes, on any number of threads.
//!
//! A checkpoint may hold one network alone, as `ecgan export` leaves it: its tensors then have no prefix, which is the
//! state dict that PyTorch takes, and the metadata name the network. The state dict of a classifier without metadata is
//! read too (`bare.rs`).

mod bare;
mod meta;
mod position;
mod tensors;
mod write;

pub use meta::Meta;
pub use position::{Best, Position};
use write::without_right_directions;
pub use write::{save, save_one};

use crate::Error;
use crate::models::{BuiltIn, Classifier, ImageShape};
use crate::networks::{new_classifier, new_discriminator, new_generator, new_real_head};
use crate::printable::Shown;
use crate::run_folder::names::{LAST, LAST_CHECKPOINT};
use crate::settings::NetworkName;
use meta::{KEY, check};
use nn::{Builder, Network, StateDict, StateTensor};
use std::path::Path;
use tensor::Device;
use tensors::Tensors;

/// What is read, for messages.
const OURS: &str = "expected a checkpoint written by `ecgan train`";

/// A checkpoint: an open file of which the header is read, and the tensors as far as they are asked for.
pub struct Checkpoint {
    pub(crate) path: std::path::PathBuf,
    /// What it says about itself.
    pub meta: Meta,
    bare: bool,
    tensors: Tensors,
}

impl Checkpoint {
    /// Opens a checkpoint: what it says about itself and about its tensors is read and checked, their elements when a
    /// network or the position is asked for.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::BadFile`] naming what is wrong with it.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::read_for(path, None)
    }

    /// Opens a checkpoint for images of this height and width. Only a state dict without metadata leaves that open, and
    /// is then taken to be for 32.
    ///
    /// # Errors
    /// As [`Checkpoint::read`]; [`Error::Setting`] where the file says otherwise.
    pub fn read_for(path: &Path, image_size: Option<usize>) -> Result<Self, Error> {
        if path.is_dir() {
            let names = [LAST_CHECKPOINT, LAST].map(|name| path.join(name));
            let such = names.iter().find(|file| file.is_file()).map(|file| format!(", such as {}", Shown(file)));
            let problem = format!("a folder; expected a checkpoint{}", such.unwrap_or_default());
            return Err(Error::BadFile { path: path.to_path_buf(), problem });
        }
        let bad = |problem: String| Error::BadFile { path: path.to_path_buf(), problem };
        let (mut tensors, header) = Tensors::open(path)?;
        let described = header.metadata().as_ref().and_then(|m| m.get(KEY));
        let meta = match described {
            Some(meta) => {
                serde_json::from_str(meta).map_err(|error| bad(format!("`{KEY}` in the metadata: {error}; {OURS}")))?
            }
            None => bare::meta(&header, image_size.unwrap_or(32))
                .ok_or_else(|| bad(format!("no `{KEY}` in the metadata; {OURS}, {}", bare::EXPECTED)))?,
        };
        let bare = described.is_none();
        check(&meta).map_err(|problem| bad(format!("{}: {problem}", says(bare))))?;
        if let Some(got) = image_size.filter(|&size| size != meta.image_size) {
            let expected = format!("{}, which the checkpoint is for", meta.image_size);
            return Err(Error::Setting { name: "image_size", expected, got: got.to_string() });
        }
        tensors.check_types().map_err(bad)?;
        meta.network.iter().for_each(|network| tensors.prefix(network.name()));
        Ok(Self { path: path.to_path_buf(), meta, bare, tensors })
    }

    /// Whether it is a state dict without metadata: nothing is known of the run behind it, and its classes are numbers.
    pub fn is_bare(&self) -> bool {
        self.bare
    }

    /// The images its networks take and make.
    pub fn image(&self) -> ImageShape {
        ImageShape { channels: self.meta.channels, size: self.meta.image_size }
    }

    /// Its classifier, where that is one of ours.
    ///
    /// # Errors
    /// [`Error::BadFile`] where it is not, and where the tensors do not fit.
    pub fn classifier(&self, device: &Device) -> Result<Network, Error> {
        self.classifier_of(device, &self.built_in()?)
    }

    /// Its classifier, of an architecture of your own.
    ///
    /// # Errors
    /// [`Error::BadFile`] where the tensors do not fit.
    pub fn classifier_of(&self, device: &Device, architecture: &impl Classifier) -> Result<Network, Error> {
        self.check_holds(NetworkName::Classifier)?;
        self.check_size(architecture)?;
        self.fill("classifier", new_classifier(device, 0, architecture, self.image(), self.meta.classes.len()))
    }

    /// Its generator.
    ///
    /// # Errors
    /// [`Error::BadFile`] where there is none, or the tensors do not fit.
    pub fn generator(&self, device: &Device) -> Result<Network, Error> {
        self.check_holds(NetworkName::Generator)?;
        self.check_condition()?;
        self.fill("generator", new_generator(device, 0, self.image(), self.meta.condition))
    }

    /// Its discriminator.
    ///
    /// # Errors
    /// [`Error::BadFile`] where there is none, or the tensors do not fit.
    pub fn discriminator(&self, device: &Device) -> Result<Network, Error> {
        self.check_holds(NetworkName::Discriminator)?;
        let (image, classes) = (self.image(), self.meta.classes.len());
        let discriminator = if self.meta.shared {
            // A weight a feature, whatever the size of the trunk.
            new_real_head(device, 0, &self.built_in()?, image, classes)
        } else {
            self.check_condition()?;
            new_discriminator(device, 0, image, self.meta.condition, self.meta.norm_d)
        };
        self.fill("discriminator", discriminator)
    }

    fn built_in(&self) -> Result<BuiltIn, Error> {
        if self.meta.own_classifier {
            return Err(self.bad(
                "its classifier is an architecture of the program that trained it, which this program does not have; in that one \
                 `Checkpoint::classifier_of` reads it, and `resume_with` goes on with the run"
                    .into(),
            ));
        }
        Ok(BuiltIn { architecture: self.meta.architecture, width: self.meta.width })
    }

    /// Refuses a condition for which networks would take far more memory than the file has numbers.
    fn check_condition(&self) -> Result<(), Error> {
        let needed = self.meta.condition.map_or(0, |condition| condition.channels() * 4 * 4 * 1024);
        let got = self.tensors.numbers("");
        if needed <= 4 * got.max(1 << 20) {
            return Ok(());
        }
        let classes = self.meta.classes.len();
        Err(self.bad(format!("{}: condition: {classes} classes, the file has {got} numbers", says(self.bare))))
    }

    /// The network of this name.
    ///
    /// # Errors
    /// [`Error::BadFile`] where there is none, or the tensors do not fit.
    pub fn network(&self, device: &Device, name: NetworkName) -> Result<Network, Error> {
        match name {
            NetworkName::Classifier => self.classifier(device),
            NetworkName::Generator => self.generator(device),
            NetworkName::Discriminator => self.discriminator(device),
        }
    }

    /// Refuses to look for a network that is not here; of one that is, loading names what is missing.
    fn check_holds(&self, name: NetworkName) -> Result<(), Error> {
        match self.meta.network {
            Some(only) if only != name => Err(self.bad(format!("no {name}; the file holds a {only} alone"))),
            None if name != NetworkName::Classifier && !self.tensors.has(&format!("{name}.")) => {
                Err(self.bad(format!("no {name}; expected a checkpoint of a method with a GAN")))
            }
            _ => Ok(()),
        }
    }

    /// Refuses metadata that ask for far more memory than the file has numbers; what is nearer, loading names.
    fn check_size(&self, architecture: &impl Classifier) -> Result<(), Error> {
        let (width, classes) = (self.meta.width, self.meta.classes.len());
        let mut builder = Builder::default();
        architecture.build::<f32>(&mut builder, self.image(), classes);
        let got = self.tensors.numbers("classifier.");
        if builder.numel() <= 4 * got.max(1 << 20) {
            return Ok(());
        }
        let (says, needed) = (says(self.bare), builder.numel());
        Err(self
            .bad(format!("{says}: width {width} and {classes} classes: {needed} numbers, the file has {got} of them")))
    }

    /// The error of images that are not those behind this file.
    pub(crate) fn other_images(&self, problem: String) -> Error {
        Error::OtherImages { path: self.path.clone(), problem }
    }

    /// An error about this file.
    pub(crate) fn bad(&self, problem: String) -> Error {
        Error::BadFile { path: self.path.clone(), problem }
    }

    /// The tensors whose names begin with `prefix` and a dot, without these.
    fn part(&self, prefix: &str) -> Result<StateDict, Error> {
        self.tensors.part(prefix).map_err(Error::io(&self.path, "read"))
    }

    /// The tensor of this name, where there is one.
    fn tensor(&self, name: &str) -> Result<Option<StateTensor>, Error> {
        self.tensors.tensor(name).map_err(Error::io(&self.path, "read"))
    }

    fn fill(&self, prefix: &str, mut network: Network) -> Result<Network, Error> {
        let mut state = self.part(prefix)?;
        without_right_directions(&mut state);
        network.load_state_dict(&state).map_err(|error| self.bad(format!("{prefix}: {error}")))?;
        Ok(network)
    }
}

/// Where a file has what is known of its networks.
fn says(bare: bool) -> &'static str {
    if bare { "tensors" } else { "metadata" }
}
