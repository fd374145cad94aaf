//! One network of a checkpoint as a file of its own, for other programs; and under which names commands write files.

mod target;

pub use target::{FileKind, check_file};

use crate::checkpoint::{Checkpoint, save_one};
use crate::run_folder::write_bytes;
use crate::settings::NetworkName;
use crate::{Error, onnx};
use std::fs;
use std::path::Path;
use tensor::Device;

/// The largest message of protocol buffers, which an ONNX file is, less some room for all but the parameters.
const LARGEST_ONNX: usize = i32::MAX as usize - (1 << 24);

/// What kind of file is written; its name says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// A state dict as PyTorch takes it, described by metadata; our own commands read it as a checkpoint.
    Safetensors,
    /// A graph that computes the network in evaluation.
    Onnx,
}

impl Format {
    /// The format that the name ends in.
    ///
    /// # Errors
    /// [`Error::Setting`] for any other ending.
    pub fn of(path: &Path) -> Result<Self, Error> {
        match target::extension(path).as_deref() {
            Some("safetensors") => Ok(Self::Safetensors),
            Some("onnx") => Ok(Self::Onnx),
            _ => Err(setting("a name that ends in .safetensors or .onnx", path)),
        }
    }
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The kind of file.
    pub format: Format,
    /// The network's trainable parameters.
    pub parameters: usize,
    /// The length of the file.
    pub bytes: u64,
}

/// Writes one network of a checkpoint to `out`, which appears whole or not at all. A file that is there stays unless
/// `replace`.
///
/// # Errors
/// [`Error::Setting`] about `out`; [`Error::BadFile`] where the checkpoint does not hold the network; [`Error::Io`].
pub fn export(read: &Checkpoint, name: NetworkName, out: &Path, replace: bool) -> Result<Exported, Error> {
    let format = check_target(out, &read.path, replace)?;
    let network = read.network(&Device::cpu(), name)?;
    match format {
        // What a state dict without metadata left open is left open again.
        Format::Safetensors => save_one(out, name, &network, (!read.is_bare()).then_some(&read.meta))?,
        Format::Onnx if network.parameter_count() > LARGEST_ONNX / size_of::<f32>() => {
            return Err(setting("a .safetensors file, as this network is over the 2 GiB of an ONNX file", out));
        }
        Format::Onnx => {
            write_bytes(out, onnx::model(name, &network.state_dict()?, &read.meta))?;
        }
    }
    let bytes = fs::metadata(out).map_err(Error::io(out, "read"))?.len();
    Ok(Exported { format, parameters: network.parameter_count(), bytes })
}

/// Refuses a file that should not be written, before anything is read; else its format. The checkpoint itself is one: the export has
/// one of its networks.
///
/// # Errors
/// [`Error::Setting`].
pub fn check_target(out: &Path, checkpoint: &Path, replace: bool) -> Result<Format, Error> {
    let format = Format::of(out)?;
    if fs::canonicalize(out).is_ok_and(|out| fs::canonicalize(checkpoint).is_ok_and(|checkpoint| out == checkpoint)) {
        return Err(setting("another file than --checkpoint, of which it would keep one network", out));
    }
    if !replace && fs::symlink_metadata(out).is_ok() {
        return Err(setting("a file that is not there yet, or --force to replace it", out));
    }
    Ok(format)
}

fn setting(expected: &str, got: &Path) -> Error {
    Error::Setting { name: "out", expected: expected.into(), got: got.display().to_string() }
}
