//! `ecgan export`.

use crate::checkpoint_args::CheckpointArgs;
use crate::output::Output;
use clap::Args;
use ecgan::data_place::{Written, check_outside_data_of};
use ecgan::export::{Exported, Format, check_target, export};
use ecgan::settings::NetworkName;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Write one network for PyTorch (safetensors) or an ONNX runtime
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct ExportArgs {
    #[command(flatten)]
    checkpoint: CheckpointArgs,
    /// Which of the checkpoint's networks; a bare classifier's has no generator and no discriminator
    #[arg(long, value_parser = crate::values::choice::<NetworkName>())]
    net: NetworkName,
    /// The file: a state dict if it ends in .safetensors, a graph if it ends in .onnx
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Replace the file if it is there
    #[arg(long)]
    force: bool,
    /// Print one JSON object on stdout; everything else goes to stderr
    #[arg(long)]
    json: bool,
}

const EXAMPLES: &str = "\
Images go in and come out as [N,C,H,W] in [-1,1], noise as [N,100]; N is free. Batch norm uses the
running statistics. A classifier's ONNX file has logits and probabilities, its metadata the class names.
Of --method conditional, generator and discriminator have a second input, `class` as int64 [N]: the
classes' numbers, from 0 on.

Examples:
  ecgan export --checkpoint RUN/checkpoints/best.safetensors --net classifier \\
    --out classifier.onnx
  ecgan export --checkpoint RUN/checkpoints/last.safetensors --net generator \\
    --out g.safetensors

In Python, with the modules of golden/models.py or of the published notebook:
  generator.load_state_dict(safetensors.torch.load_file(\"g.safetensors\"), strict=True)
  onnxruntime.InferenceSession(\"classifier.onnx\").run([\"probabilities\"], {\"images\": images})

And the other way round:
  safetensors.torch.save_file(classifier.state_dict(), \"theirs.safetensors\")     in Python
  ecgan eval --checkpoint theirs.safetensors --data DIR";

/// The JSON object: what was written.
#[derive(Serialize)]
struct Report<'a> {
    path: &'a Path,
    format: Format,
    network: NetworkName,
    parameters: usize,
    bytes: u64,
    image_size: usize,
    channels: usize,
    classes: &'a [String],
}

/// Runs the command.
pub fn run(args: &ExportArgs) -> anyhow::Result<()> {
    let ExportArgs { net, out, .. } = args;
    check_target(out, args.checkpoint.path(), args.force)?;
    let read = args.checkpoint.read()?;
    check_outside_data_of(&read, "out", out, Written::File)?;
    let Exported { format, parameters, bytes } = export(&read, *net, out, args.force)?;
    let output = Output::new(args.json, false);
    let (image_size, channels, classes) = (read.meta.image_size, read.meta.channels, read.meta.classes.as_slice());
    output.result(&Report { path: out, format, network: *net, parameters, bytes, image_size, channels, classes })?;
    output.line(format!("{net} of {parameters} parameters in {} ({bytes} bytes)", out.display()))?;
    Ok(())
}
