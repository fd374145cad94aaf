//! How a classifier does on a set of images.

use crate::augment;
use crate::checkpoint::Checkpoint;
use crate::data::{Format, Images, Part};
use crate::labelled::Labelled;
use crate::metrics::{Evaluation, Tally};
use crate::mistakes::{Mistake, Mistakes};
use crate::settings::{Partial, Settings, SplitName};
use crate::train::{images_of_each_class, other_images};
use crate::{Error, data};
use nn::Network;
use std::path::Path;
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
    images.read_ahead(indices, BATCH);
    for part in indices.chunks(BATCH) {
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
///
/// The splits of the training images are those of the run that wrote the checkpoint. `warning` is given what is odd about
/// the data, a sentence each.
///
/// # Errors
/// [`Error::Dataset`] and [`Error::BadFile`]; also where the classes are not those of the checkpoint.
/// [`Error::Setting`] for the validation part of a run that had none.
pub fn evaluate(
    checkpoint: &Path,
    data: Option<&str>,
    split: SplitName,
    device: &Device,
    warning: &mut dyn FnMut(&str),
) -> Result<(Evaluation, Mistakes), Error> {
    evaluate_read(&Checkpoint::read(checkpoint)?, data, split, device, warning)
}

/// The same for a checkpoint that was read already. One without metadata has no class names: it takes those of `data`, without
/// which it cannot do.
///
/// # Errors
/// As [`evaluate`]; [`Error::Setting`] for a split of the training images where the checkpoint does not say which they were.
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
    if read.is_bare() && data.is_none() {
        let expected = "a folder or `synthetic`, as a state dict does not say what it was trained on".into();
        return Err(Error::Setting { name: "data", expected, got: "nothing".into() });
    }
    let mut network = read.classifier(device)?;
    let Split { images, indices, classes } = Split::read(read, data, split, warning)?;
    let (evaluation, found) = measure(&mut network, &images, &indices, &classes, device)?;
    Ok((evaluation, Mistakes::new(images, &classes, found)))
}

/// Images of one split as a checkpoint's networks take them, with its classes.
pub(crate) struct Split {
    /// What holds them, and perhaps others.
    pub images: Images,
    /// Which are of the split.
    pub indices: Vec<usize>,
    /// The class names of the data.
    pub classes: Vec<String>,
}

impl Split {
    /// Those of `data`, or else of the data that the run had; the splits of its training images are those of the run.
    ///
    /// # Errors
    /// As [`evaluate`].
    pub fn read(
        read: &Checkpoint,
        data: Option<&str>,
        split: SplitName,
        warning: &mut dyn FnMut(&str),
    ) -> Result<Self, Error> {
        let settings = settings(read, data)?;
        let data = &settings.data;
        let source = data::Source::open(data, &settings.synthetic())?;
        match split {
            SplitName::All => source.warnings_of_all().for_each(|message| warning(message)),
            _ => source.warnings().iter().for_each(|message| warning(message)),
        }
        let known = &read.meta.classes;
        let own_parts = matches!(split, SplitName::Train | SplitName::Val);
        let found = source.classes();
        // Of some of the classes a test may have no image; IDX files have as many classes as their largest label says.
        let some =
            !own_parts && !read.is_bare() && found.len() < known.len() && found.iter().all(|c| known.contains(c));
        let problem = if some {
            let missing: Vec<String> = known.iter().filter(|class| !found.contains(class)).cloned().collect();
            warning(&format!("{data}: no image of class {}, of which nothing is measured", names(&missing)));
            None
        } else if read.is_bare() {
            let has = known.len();
            (has != found.len()).then(|| format!("{has} classes; {data} has {}: {}", found.len(), names(found)))
        } else {
            let advice = "give --data a set with the classes of the training";
            difference(known, found, data, "the data", advice)
        };
        if let Some(problem) = problem {
            return Err(read.bad(problem));
        }
        let format = Format { size: read.meta.image_size, channels: read.meta.channels };
        let classes = if some { known } else { found }.to_vec();
        if !own_parts {
            let all = split == SplitName::All;
            if !all && source.is_unsplit() {
                warn_of_fifth(read, data, &source, warning)?;
            }
            let mut images = if all { source.read_all(format)? } else { source.read_test(format)? };
            if some {
                let place = |class: &String| known.iter().position(|known| known == class).expect("one of them") as i32;
                let places: Vec<i32> = found.iter().map(place).collect();
                images.labels.iter_mut().for_each(|label| *label = places[*label as usize]);
            }
            let indices = (0..images.len()).collect();
            return Ok(Self { images, indices, classes });
        }
        // The split is drawn from the training images: of others it would be another one.
        let drawn = split == SplitName::Train || !source.has(Part::Val) || settings.val_fraction == 0.0;
        let now = images_of_each_class(source.listing(Part::Train)?.labels(), classes.len());
        if drawn && let Some(problem) = other_images(&read.meta.images, &now, &classes, data) {
            let expected = "expected the images of its training, whose splits they are; --split test and all take any";
            return Err(read.bad(format!("{problem}; {expected}")));
        }
        // Used once: decoded as they are used, as those of the other splits.
        let labelled = Labelled::read(&source, &Settings { memory_limit: Some(0), ..settings }, format)?;
        let indices = if split == SplitName::Val { labelled.split.val } else { labelled.split.train };
        if indices.is_empty() {
            let expected = "test or train, as the run kept nothing for validation (val_fraction 0)".into();
            return Err(Error::Setting { name: "split", expected, got: split.to_string() });
        }
        Ok(Self { images: labelled.images, indices, classes })
    }
}

/// Warns where the fifth that `source`, which `data` named, keeps for the test is not the test of the run, as far as the place of the set
/// and its numbers of images tell.
fn warn_of_fifth(
    read: &Checkpoint,
    data: &str,
    source: &data::Source,
    warning: &mut dyn FnMut(&str),
) -> Result<(), Error> {
    let at = |data: &str| Path::new(data).canonicalize().ok();
    let own_place = !read.is_bare() && at(data) == at(&settings(read, None)?.data);
    let classes = source.classes();
    let now = images_of_each_class(source.listing(Part::Train)?.labels(), classes.len());
    if !own_place {
        warning(&format!(
            "{data}: only that fifth is measured; --split all measures every image of a set that the run was not trained on"
        ));
    } else if classes != read.meta.classes {
        warning(&format!("{data}: {CHANGED}"));
    } else if let Some(problem) = other_images(&read.meta.images, &now, classes, data) {
        warning(&format!("{problem}: {CHANGED}"));
    }
    Ok(())
}

/// What follows where images came or went.
const CHANGED: &str = "its images are not those that the run began with, so some of those measured may have been trained on; a test/ folder \
                       beside train/ keeps them apart";

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
    let first_not_in = |names: &[String], others: &[String]| names.iter().find(|name| !others.contains(name)).cloned();
    let detail = match (first_not_in(trained, found), first_not_in(found, trained)) {
        (Some(missing), Some(extra)) => format!("`{missing}` is not in {place}, and `{extra}` was not trained on"),
        (Some(missing), None) => format!("`{missing}` is not in {place}"),
        (None, Some(extra)) => format!("`{extra}` was not trained on"),
        (None, None) => "the order differs".to_owned(),
    };
    Some(format!("trained on the classes {}; {whose} has {}: {detail}; {advice}", names(trained), names(found)))
}

/// All names, or of many the first few and how many there are.
fn names(classes: &[String]) -> String {
    const SHOWN: usize = 12;
    match classes.len() {
        0..=SHOWN => classes.join(", "),
        n => format!("{}, ... ({n} in all)", classes[..SHOWN].join(", ")),
    }
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
