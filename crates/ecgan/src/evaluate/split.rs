//! The images that a checkpoint's networks are measured on.

use super::{difference, settings};
use crate::Error;
use crate::checkpoint::Checkpoint;
use crate::data::{Format, Images, Part, Source};
use crate::labelled::Labelled;
use crate::printable::listed;
use crate::settings::{Settings, SplitName};
use crate::training_images::TrainingImages;
use std::path::Path;

/// What follows where images came or went.
const CHANGED: &str = "its images are not those that the run began with, so some of those measured may have been trained on; a test/ folder \
                       beside train/ keeps them apart";

/// Images of one split as a checkpoint's networks take them, with its classes.
pub(crate) struct Split {
    /// What holds them, and perhaps others.
    pub images: Images,
    /// Which are of the split.
    pub indices: Vec<usize>,
    /// The class names that the labels are indices into: the checkpoint's, or those of the data where it has none.
    pub classes: Vec<String>,
}

impl Split {
    /// Those of the data of these settings, which are the run's on whatever data; the splits of its training images are those of the run.
    ///
    /// # Errors
    /// As [`evaluate_read`](super::evaluate_read).
    pub fn read(
        read: &Checkpoint,
        settings: &Settings,
        split: SplitName,
        warning: &mut dyn FnMut(&str),
    ) -> Result<Self, Error> {
        let open = match split {
            SplitName::Test | SplitName::All => Source::open_to_measure,
            SplitName::Train | SplitName::Val => Source::open,
        };
        let source = open(&settings.data, &settings.synthetic())?;
        match split {
            SplitName::All => source.warnings_of_all().for_each(|message| warning(message)),
            _ => source.warnings().iter().for_each(|message| warning(message)),
        }
        match split {
            SplitName::Test | SplitName::All => Self::whole(read, &source, &settings.data, split, warning),
            SplitName::Train | SplitName::Val => Self::of_the_run(read, &source, settings, split),
        }
    }

    /// The test, or all images there are, of whatever data. Of some of the checkpoint's classes there may be none.
    fn whole(
        read: &Checkpoint,
        source: &Source,
        data: &str,
        split: SplitName,
        warning: &mut dyn FnMut(&str),
    ) -> Result<Self, Error> {
        let (known, found) = (&read.meta.classes, source.classes());
        let places: Option<Vec<i32>> =
            found.iter().map(|class| known.iter().position(|known| known == class).map(|place| place as i32)).collect();
        // The classes of a state dict are numbers, which name those of the data by their order alone.
        let named = !read.is_bare() || known.starts_with(found);
        let some = places.filter(|places| named && places.len() < known.len());
        if some.is_some() {
            let missing: Vec<String> = known.iter().filter(|class| !found.contains(class)).cloned().collect();
            warning(&format!("{data}: no image of class {}, of which nothing is measured", listed(&missing)));
        } else {
            check_classes(read, found, data)?;
        }
        if split == SplitName::Test && source.is_unsplit() {
            warn_of_fifth(read, data, source, warning)?;
        }
        let mut images =
            if split == SplitName::All { source.read_all(format(read))? } else { source.read_test(format(read))? };
        if let Some(places) = &some {
            images.labels.iter_mut().for_each(|label| *label = places[*label as usize]);
        }
        let classes = if some.is_some() { known } else { found }.to_vec();
        Ok(Self { indices: (0..images.len()).collect(), images, classes })
    }

    /// Those that the run trained or validated on.
    fn of_the_run(read: &Checkpoint, source: &Source, settings: &Settings, split: SplitName) -> Result<Self, Error> {
        let classes = source.classes().to_vec();
        check_classes(read, &classes, &settings.data)?;
        // The split is drawn from the training images: of others it would be another one.
        let drawn = split == SplitName::Train || !source.has(Part::Val) || settings.val_fraction == 0.0;
        let now = TrainingImages::of(&*source.listing(Part::Train)?, classes.len());
        if drawn && let Some(problem) = now.differ_from(&read.meta, &settings.data) {
            let expected = "expected the images of its training, whose splits they are; --split test and all take any";
            return Err(read.bad(format!("{problem}; {expected}")));
        }
        // Used once: decoded as they are used, as those of the other splits.
        let labelled = Labelled::read(source, &Settings { memory_limit: Some(0), ..settings.clone() }, format(read))?;
        let indices = if split == SplitName::Val { labelled.split.val } else { labelled.split.train };
        if indices.is_empty() {
            let expected = "test or train, as the run kept nothing for validation (val_fraction 0)".into();
            return Err(Error::Setting { name: "split", expected, got: split.to_string() });
        }
        Ok(Self { images: labelled.images, indices, classes })
    }
}

fn format(read: &Checkpoint) -> Format {
    Format { size: read.meta.image_size, channels: read.meta.channels }
}

/// Refuses classes `found` in `data` that are not the checkpoint's; of one without names, as many as it has are.
fn check_classes(read: &Checkpoint, found: &[String], data: &str) -> Result<(), Error> {
    let known = &read.meta.classes;
    let problem = if read.is_bare() {
        let has = known.len();
        (has != found.len()).then(|| format!("{has} classes; {data} has {}: {}", found.len(), listed(found)))
    } else {
        difference(known, found, data, "the data", "give --data a set with the classes of the training")
    };
    problem.map_or(Ok(()), |problem| Err(read.bad(problem)))
}

/// Warns where the fifth that `source`, which `data` named, keeps for the test is not the test of the run, as far as the place of the set
/// and its numbers of images tell.
fn warn_of_fifth(read: &Checkpoint, data: &str, source: &Source, warning: &mut dyn FnMut(&str)) -> Result<(), Error> {
    let at = |data: &str| Path::new(data).canonicalize().ok();
    let own_place = !read.is_bare() && at(data) == at(&settings(read, None)?.data);
    let classes = source.classes();
    let now = TrainingImages::of(&*source.listing(Part::Train)?, classes.len());
    if !own_place {
        warning(&format!(
            "{data}: only that fifth is measured; --split all measures every image of a set that the run was not trained on"
        ));
    } else if classes != read.meta.classes {
        warning(&format!("{data}: {CHANGED}"));
    } else if let Some(problem) = now.differ_from(&read.meta, data) {
        warning(&format!("{problem}: {CHANGED}"));
    }
    Ok(())
}
