//! The checkpoint of `eval`, `predict` and `export`, and the size of images, which a state dict of PyTorch leaves open.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use ecgan::Error;
use ecgan::checkpoint::Checkpoint;
use std::path::{Path, PathBuf};

/// Where the weights are.
#[derive(Args)]
pub struct CheckpointArgs {
    /// A checkpoint: RUN/checkpoints/last.safetensors or best.safetensors, a file of ecgan export, or a state dict of the
    /// classifier that PyTorch saved as safetensors
    #[arg(long, value_name = "FILE")]
    checkpoint: PathBuf,
    /// Height and width of the images, 32 or 64; only a state dict of PyTorch leaves it open [default: 32]
    #[arg(long, value_name = "N", value_parser = size(), hide_possible_values = true)]
    image_size: Option<usize>,
}

fn size() -> impl TypedValueParser<Value = usize> {
    PossibleValuesParser::new(["32", "64"]).map(|size| size.parse().expect("a number"))
}

impl CheckpointArgs {
    /// Reads it.
    pub fn read(&self) -> Result<Checkpoint, Error> {
        Checkpoint::read_for(&self.checkpoint, self.image_size)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.checkpoint
    }
}
