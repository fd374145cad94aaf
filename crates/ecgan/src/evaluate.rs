//! How a classifier does on a set of images.

use crate::augment;
use crate::checkpoint::Checkpoint;
use crate::data::{Format, Images};
use crate::labelled::Labelled;
use crate::methods::argmax;
use crate::metrics::Evaluation;
use crate::settings::{Partial, Settings, SplitName};
use crate::{Error, data};
use nn::Network;
use std::path::Path;
use tensor::Device;

/// Images a pass.
const BATCH: usize = 100;

/// Logits of the images at `indices`, `[classes]` each, in [`BATCH`]es; running statistics, no augmentation.
fn for_each_prediction(
    network: &mut Network,
    images: &Images,
    indices: &[usize],
    device: &Device,
    mut each: impl FnMut(usize, usize),
) -> Result<(), Error> {
    for part in indices.chunks(BATCH) {
        let predicted = argmax(&network.evaluate(augment::plain(device, images, part))?).to_vec()?;
        for (&index, prediction) in part.iter().zip(predicted) {
            each(images.labels[index] as usize, prediction as usize);
        }
    }
    Ok(())
}

/// `confusion[actual][predicted]` over the images at `indices`.
pub fn confusion(
    network: &mut Network,
    images: &Images,
    indices: &[usize],
    classes: usize,
    device: &Device,
) -> Result<Vec<Vec<usize>>, Error> {
    let mut confusion = vec![vec![0; classes]; classes];
    for_each_prediction(network, images, indices, device, |actual, predicted| confusion[actual][predicted] += 1)?;
    Ok(confusion)
}

/// Measures a checkpoint's classifier on one split of `data`, resized and converted to what it was trained on.
///
/// The splits of the training images are those of the run that wrote the checkpoint.
///
/// # Errors
/// [`Error::Dataset`] and [`Error::BadFile`]; also where the classes are not those of the checkpoint.
/// [`Error::Setting`] for the validation part of a run that had none.
pub fn evaluate(checkpoint: &Path, data: &str, split: SplitName, device: &Device) -> Result<Evaluation, Error> {
    let read = Checkpoint::read(checkpoint)?;
    let bad = |problem: String| Error::BadFile { path: checkpoint.to_path_buf(), problem };
    let mut network = read.classifier(device)?;
    let config: Partial =
        toml::from_str(&read.meta.config).map_err(|error| bad(format!("metadata: config: {error}")))?;
    let settings = Settings::complete(Partial { data: Some(data.to_owned()), ..config })?;
    let source = data::Source::open(data, &settings.synthetic())?;
    if source.classes() != read.meta.classes {
        let names = |classes: &[String]| classes.join(", ");
        return Err(bad(format!(
            "trained on the classes {}; {data} has {}",
            names(&read.meta.classes),
            names(source.classes())
        )));
    }
    let format = Format { size: read.meta.image_size, channels: read.meta.channels };
    let (images, indices) = match split {
        SplitName::Test => {
            let images = source.read_test(format)?;
            let all = (0..images.len()).collect();
            (images, all)
        }
        SplitName::Train | SplitName::Val => {
            let labelled = Labelled::read(&source, &settings, format)?;
            let indices = if split == SplitName::Val { labelled.split.val } else { labelled.split.train };
            if indices.is_empty() {
                let expected = "test or train, as the run kept nothing for validation (val_fraction 0)".into();
                return Err(Error::Setting { name: "split", expected, got: split.to_string() });
            }
            (labelled.images, indices)
        }
    };
    let matrix = confusion(&mut network, &images, &indices, source.classes().len(), device)?;
    Ok(Evaluation::from_confusion(source.classes(), matrix))
}
