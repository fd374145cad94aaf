//! A look at a data set: what there is, how much of it, and what is odd about it. Every image is decoded once.

mod part;
mod sheet;
#[cfg(test)]
mod tests;

use super::source::Opened;
use super::split::{can_train, can_validate};
use super::{DataError, Listing, Part, Source, SyntheticOptions};
use crate::settings::Preset;
pub use part::{ClassCount, PartReport, Range, Unreadable};
use part::{Look, look};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What was found.
#[derive(Debug, Serialize)]
pub struct Inspection {
    /// The data, as it was named.
    pub data: String,
    /// What it was recognised as.
    pub format: &'static str,
    /// Class names; a label is an index into them.
    pub classes: Vec<String>,
    /// The parts that are there.
    pub parts: Vec<PartReport>,
    /// Images of one part that another part has too.
    pub shared: Vec<Shared>,
    /// Images that occur again under another class, in whatever part.
    pub conflicting_labels: usize,
    /// One of them, and the image that it equals.
    pub conflicting_example: Option<[String; 2]>,
    /// Every file that cannot be read, and every folder of a class.
    pub unreadable: Vec<Unreadable>,
    /// The parts without which no run can train, and where they were looked for.
    pub missing: Vec<String>,
    /// Why no run, or none with the default settings, can use the data as it is.
    pub refusals: Vec<String>,
    /// What is odd, but usable.
    pub warnings: Vec<String>,
    /// The first part that could be opened, for a contact sheet.
    #[serde(skip)]
    first: Option<Arc<dyn Listing>>,
}

/// Images of one part that another part has too.
#[derive(Debug, Serialize)]
pub struct Shared {
    /// One part.
    pub of: &'static str,
    /// The other.
    pub also_in: &'static str,
    /// How many of the images of the first occur in the second, pixel by pixel.
    pub images: usize,
    /// One of them.
    pub example: String,
}

/// Looks at every image of `data`, as [`Source::open`] understands it.
///
/// # Errors
/// Data that cannot be recognised at all. What is wrong with single files or folders is part of the result.
pub fn inspect(data: &str, synthetic: &SyntheticOptions) -> Result<Inspection, DataError> {
    let Opened { source, refusals, unread } = Source::look(data, synthetic)?;
    let mut inspection = Inspection {
        data: data.into(),
        format: source.format(),
        classes: source.classes().to_vec(),
        parts: Vec::new(),
        shared: Vec::new(),
        conflicting_labels: 0,
        conflicting_example: None,
        unreadable: unread.iter().map(|(part, error)| Unreadable::new(*part, error)).collect(),
        missing: Vec::new(),
        refusals: refusals.iter().map(ToString::to_string).collect(),
        warnings: source.warnings().to_vec(),
        first: None,
    };
    let mut looks = Vec::new();
    for part in Part::ALL {
        if let Err(error) = source.require(part) {
            match part {
                // A data set without a validation part is the usual one.
                Part::Val => {}
                // Nobody left it out: there are too few images to take one from.
                Part::Test if source.is_unsplit() => inspection.refusals.push(error.to_string()),
                _ => inspection.missing.push(error.to_string()),
            }
            continue;
        }
        match source.listing(part) {
            Ok(listing) => {
                looks.push(look(part, listing.as_ref(), &inspection.classes));
                inspection.first.get_or_insert(listing);
            }
            Err(error) => {
                let all = source.problems(part, error);
                inspection.unreadable.extend(all.iter().map(|error| Unreadable::new(part, error)));
            }
        }
    }
    inspection.compare(&looks);
    for look in looks {
        inspection.unreadable.extend(look.unreadable);
        inspection.parts.push(look.report);
    }
    // Of a folder that cannot be read nobody knows how many images the class has.
    if unread.is_empty() {
        inspection.check_classes();
    }
    Ok(inspection)
}

/// The part of the training images that validates where nothing else is asked for.
fn default_val_fraction() -> f64 {
    Preset::Quick.values().val_fraction.expect("a preset sets it")
}

impl Inspection {
    /// Refuses training images of too many classes, or of which a class has none, or too few for the usual validation part, unless
    /// something else is refused: of a folder of images, that is the class itself.
    fn check_classes(&mut self) {
        let Some(train) = self.parts.iter().find(|part| part.part == Part::Train.name()) else { return };
        let counts: Vec<usize> = train.per_class.iter().map(|class| class.images).collect();
        let validates = |()| {
            let own = self.parts.iter().any(|part| part.part == Part::Val.name());
            if own { Ok(()) } else { can_validate(&self.data, &counts, default_val_fraction()) }
        };
        if let Err(error) = can_train(&self.data, &counts, &self.classes).and_then(validates)
            && self.refusals.is_empty()
        {
            self.refusals.push(error.to_string());
        }
    }

    /// Duplicates between the parts, and images of which the class is in doubt.
    fn compare(&mut self, looks: &[Look]) {
        let mut first: HashMap<[u8; 16], (i32, &String)> = HashMap::new();
        for look in looks.iter() {
            for ((hash, &label), name) in look.hashes.iter().zip(&look.labels).zip(&look.names) {
                let Some(hash) = hash else { continue };
                let &mut (known, of) = first.entry(*hash).or_insert((label, name));
                if known != label {
                    self.conflicting_labels += 1;
                    self.conflicting_example.get_or_insert_with(|| [name.clone(), of.clone()]);
                }
            }
        }
        for (i, later) in looks.iter().enumerate() {
            for earlier in &looks[..i] {
                let known: HashSet<[u8; 16]> = earlier.hashes.iter().flatten().copied().collect();
                let is_shared = |hash: &Option<[u8; 16]>| hash.is_some_and(|hash| known.contains(&hash));
                let images = later.hashes.iter().filter(|hash| is_shared(hash)).count();
                if let Some(first) = later.hashes.iter().position(is_shared) {
                    let (of, also_in) = (later.report.part, earlier.report.part);
                    self.shared.push(Shared { of, also_in, images, example: later.names[first].clone() });
                }
            }
        }
    }
}
