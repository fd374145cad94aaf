//! The features as a file, for other programs.

use super::{Features, Measured};
use crate::Error;
use crate::run_folder::write_atomically;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use std::io::{self, Write};
use std::path::Path;

impl Measured {
    /// Writes a safetensors file with `generated` `[n, d]` and `real` `[m, d]` in F64: the features in the order in which images
    /// are drawn, and in that of the data set.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write_features(&self, path: &Path) -> Result<(), Error> {
        let bytes = |features: &Features| features.values.iter().flat_map(|v| v.to_le_bytes()).collect::<Vec<u8>>();
        let (generated, real) = (bytes(&self.of_generated), bytes(&self.of_real));
        let view = |features: &Features, bytes| TensorView::new(Dtype::F64, vec![features.n(), features.d], bytes);
        write_atomically(path, |file| {
            let tensors = [("generated", view(&self.of_generated, &generated)), ("real", view(&self.of_real, &real))];
            let tensors = tensors.map(|(name, view)| (name, view.expect("as many bytes as the shape says")));
            file.write_all(&safetensors::serialize(tensors, None).map_err(io::Error::other)?)
        })
    }
}
