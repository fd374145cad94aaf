//! The file of weights: tensors by name, of a shape that is known.

use crate::floats::{EXPECTED, floats};
use crate::{Error, regular_file};
use nn::state_dict::to_internal;
use safetensors::SafeTensors;
use std::path::{Path, PathBuf};
use tensor::{Device, Shape, Tensor};

/// With the head and the auxiliary one it has some 110 MB.
const LARGEST_FILE: u64 = 1 << 30;

/// The bytes of a safetensors file.
pub struct Weights {
    path: PathBuf,
    bytes: Vec<u8>,
    device: Device,
}

impl Weights {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::BadFile`] where it is of another format.
    pub fn read(path: &Path, device: &Device) -> Result<Self, Error> {
        let bytes = regular_file::read(path, LARGEST_FILE).map_err(Error::io(path, "read"))?;
        let weights = Self { path: path.to_path_buf(), bytes, device: device.clone() };
        match SafeTensors::deserialize(&weights.bytes) {
            Ok(_) => Ok(weights),
            Err(error) => Err(weights.bad(format!(
                "not a safetensors file ({error}); expected the state dict of an Inception v3, as \
                 safetensors.torch.save_file writes it"
            ))),
        }
    }

    /// The tensor of this name, which has PyTorch's `shape`; a convolution's OIHW becomes `[o,kh,kw,i]`.
    ///
    /// # Errors
    /// [`Error::BadFile`] where it is missing or something else.
    pub fn tensor(&self, name: &str, shape: &[usize]) -> Result<Tensor, Error> {
        let file = SafeTensors::deserialize(&self.bytes).expect("was read before");
        let Ok(view) = file.tensor(name) else {
            return Err(self.bad(format!("`{name}`: missing; expected the state dict of an Inception v3")));
        };
        let Some(values) = floats(&view).filter(|_| view.shape() == shape) else {
            let (dtype, is) = (view.dtype(), view.shape());
            let problem = format!("`{name}`: expected {EXPECTED} of shape {shape:?}, got {dtype:?} of shape {is:?}");
            return Err(self.bad(problem));
        };
        let internal: Shape = match *shape {
            [o, i, h, w] => [o, h, w, i].into(),
            _ => shape.into(),
        };
        Ok(Tensor::from_slice(&self.device, internal, &to_internal(internal, &values))?)
    }

    fn bad(&self, problem: String) -> Error {
        Error::BadFile { path: self.path.clone(), problem }
    }
}
