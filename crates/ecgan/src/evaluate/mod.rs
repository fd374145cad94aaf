//! How a classifier does on a set of images.

mod split;

pub(crate) use split::Split;

use crate::Error;
use crate::augment;
use crate::checkpoint::Checkpoint;
use crate::data::Images;
use crate::data_place::check_there;
use crate::metrics::{Evaluation, Tally};
use crate::mistakes::{Mistake, Mistakes};
use crate::printable::{listed, printable};
use crate::settings::{Partial, Settings, SplitName};
use nn::Network;
use tensor::Device;

/// Images a pass.
const BATCH: usize = 100;

/// Measures a classifier on the images at `indices`; running statistics, no augmentation. Beside it what it was wrong about, in their order.
///
/// # Errors
/// A network that does not fit the images, and what failed on a GPU; [`Error::NotFinite`] for a logit.
pub fn measure(
    network: &mut Network,
    images: &Images,
    indices: &[usize],
    classes: &[String],
    device: &Device,
) -> Result<(Evaluation, Vec<Mistake>), Error> {
    let (mut tally, mut mistakes) = (Tally::new(classes.len()), Vec::new());
    for part in images.in_batches(indices, BATCH) {
        let logits = network.evaluate(augment::plain(device, images, part)?)?.to_vec()?; // [part, classes]
        check_finite(&logits)?;
        for (&index, row) in part.iter().zip(logits.chunks_exact(classes.len())) {
            let label = images.labels[index] as usize;
            let guess = tally.add(label, row);
            if guess.class != label {
                mistakes.push(Mistake { index, guess });
            }
        }
    }
    Ok((tally.evaluation(classes), mistakes))
}

/// What follows from logits that are not finite, a class above all, would mean nothing.
pub(crate) fn check_finite(logits: &[f32]) -> Result<(), Error> {
    let finite = logits.iter().all(|logit| logit.is_finite());
    if finite { Ok(()) } else { Err(Error::NotFinite { what: "a logit of the classifier" }) }
}

/// Measures a checkpoint's classifier on one split of `data`, or else of the run's own, resized and converted to what it was trained on.
/// A checkpoint without metadata has no class names: it takes those of `data`, without which it cannot do.
///
/// The splits of the training images are those of the run that wrote the checkpoint. `warning` is given what is odd about
/// the data, a sentence each.
///
/// # Errors
/// [`Error::Dataset`] and [`Error::BadFile`]; also where the classes are not those of the checkpoint.
/// [`Error::Setting`] for the validation part of a run that had none, and for a split of the training images where the checkpoint does
/// not say which they were.
pub fn evaluate_read(
    read: &Checkpoint,
    data: Option<&str>,
    split: SplitName,
    device: &Device,
    warning: &mut dyn FnMut(&str),
) -> Result<(Evaluation, Mistakes), Error> {
    if read.is_bare() && !matches!(split, SplitName::Test | SplitName::All) {
        let expected = "test or all, as a state dict does not say which images it was trained on".into();
        return Err(Error::Setting { name: "split", expected, got: split.to_string() });
    }
    check_named(read, data)?;
    let settings = on_data(read, data)?;
    let mut network = read.classifier(device)?;
    let Split { images, indices, classes } = Split::read(read, &settings, split, warning)?;
    let (evaluation, found) = measure(&mut network, &images, &indices, &classes, device)?;
    Ok((evaluation, Mistakes::new(images, &classes, found)))
}

/// The data that a checkpoint is measured on: those `given`, or else those of the run that wrote it.
///
/// # Errors
/// [`Error::Setting`] where nothing says which, [`Error::BadFile`] where the run's are not there.
pub fn data_of(read: &Checkpoint, given: Option<&str>) -> Result<String, Error> {
    check_named(read, given)?;
    Ok(on_data(read, given)?.data)
}

/// Refuses a checkpoint that does not say what it was trained on where nothing else says what to measure it on.
fn check_named(read: &Checkpoint, given: Option<&str>) -> Result<(), Error> {
    if read.is_bare() && given.is_none() {
        let expected = "a folder or `synthetic`, as a state dict does not say what it was trained on".into();
        return Err(Error::Setting { name: "data", expected, got: "nothing".into() });
    }
    Ok(())
}

/// The settings of the run that wrote a checkpoint, on the data `given`, or else on its own, which are there.
pub(crate) fn on_data(read: &Checkpoint, given: Option<&str>) -> Result<Settings, Error> {
    let settings = settings(read, given)?;
    if given.is_none() {
        check_there(&read.path, &settings.data)?;
    }
    Ok(settings)
}

/// The settings of the run that wrote a checkpoint, on `data` where that is given.
pub(crate) fn settings(read: &Checkpoint, data: Option<&str>) -> Result<Settings, Error> {
    let config: Partial =
        toml::from_str(&read.meta.config).map_err(|error| read.bad(format!("metadata: config: {error}")))?;
    let given = data.is_some();
    let data = data.map(str::to_owned).or_else(|| config.data.clone());
    let settings = Settings::without_device(Partial { data, ..config });
    settings.map_err(|error| match error {
        // That is not the file's.
        Error::Setting { name: "data", .. } if given => error,
        error => read.bad(format!("metadata: config: {error}")),
    })
}

/// Where the classes `found` in `place`, which `whose` names, are not those trained on, what to say about it.
pub(crate) fn difference(
    trained: &[String],
    found: &[String],
    whose: &str,
    place: &str,
    advice: &str,
) -> Option<String> {
    if trained == found {
        return None;
    }
    let first_not_in = |names: &[String], others: &[String]| {
        names.iter().find(|name| !others.contains(name)).map(|name| printable(name).into_owned())
    };
    let detail = match (first_not_in(trained, found), first_not_in(found, trained)) {
        (Some(missing), Some(extra)) => format!("`{missing}` is not in {place}, and `{extra}` was not trained on"),
        (Some(missing), None) => format!("`{missing}` is not in {place}"),
        (None, Some(extra)) => format!("`{extra}` was not trained on"),
        (None, None) => "the order differs".to_owned(),
    };
    Some(format!("trained on the classes {}; {whose} has {}: {detail}; {advice}", listed(trained), listed(found)))
}

#[cfg(test)]
mod tests {
    use super::difference;

    #[test]
    fn other_classes_are_named() {
        let names = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let said = |trained: &str, found: &str| {
            difference(&names(trained), &names(found), "DIR", "the data", "give --data another")
        };
        assert_eq!(said("a b", "a b"), None);
        assert_eq!(
            said("a b", "a c").unwrap(),
            "trained on the classes a, b; DIR has a, c: `b` is not in the data, and `c` was not trained on; \
             give --data another"
        );
        assert!(said("a b", "b a").unwrap().contains(": the order differs;"));
        assert!(said("a", "a b").unwrap().contains(": `b` was not trained on;"));
        let many = (0..40).map(|k| k.to_string()).collect::<Vec<_>>().join(" ");
        assert!(said(&many, "a").unwrap().contains("10, 11, ... (40 in all); DIR has a"));
    }
}
