//! State dicts without our metadata, as PyTorch saves them: what the tensors of a classifier say about it.

use super::meta::{FORMAT, MOST_CLASSES, Meta};
use crate::settings::{Architecture, NetworkName, NormD};
use safetensors::tensor::Metadata;

/// What is read beside checkpoints, for messages.
pub(super) const EXPECTED: &str = "or the state dict of its classifier (`conv1.weight`, .., `linear.bias`)";

/// The metadata of a classifier's state dict for images of `image_size`: `conv1.weight` is `[width, channels, 3, 3]`,
/// `linear.bias` `[classes]`. Neither class names nor settings are in it: classes are numbers from 0. `None` where
/// the file is something else.
pub(super) fn meta(header: &Metadata, image_size: usize) -> Option<Meta> {
    let [stem, bias] = ["conv1.weight", "linear.bias"].map(|name| Some(&header.info(name)?.shape[..]));
    let (&[width, channels, ..], &[classes]) = (stem?, bias?) else { return None };
    let classes =
        (1..=MOST_CLASSES).contains(&classes).then(|| (0..classes).map(|class| class.to_string()).collect())?;
    let (config, images, network) = (String::new(), Vec::new(), Some(NetworkName::Classifier));
    Some(Meta {
        format: FORMAT,
        width,
        architecture: Architecture::ResNet18,
        own_classifier: false,
        condition: None,
        norm_d: NormD::Batch,
        shared: false,
        image_size,
        channels,
        classes,
        config,
        images,
        names: String::new(),
        network,
    })
}

/// Says of bytes that are no safetensors file what they are instead, where that is known.
pub(super) fn not_safetensors(bytes: &[u8]) -> &'static str {
    if bytes.starts_with(b"PK\x03\x04") {
        "not a safetensors file but one of torch.save or another archive; \
         safetensors.torch.save_file(model.state_dict(), FILE) writes one"
    } else {
        "not a safetensors file"
    }
}
