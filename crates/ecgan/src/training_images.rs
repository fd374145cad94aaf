//! Which training images a run was begun with, so that others are not taken for them.

use crate::checkpoint::Meta;
use crate::data::Listing;
use crate::digest::Digest;

/// The training images of a data set, before a budget is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrainingImages {
    /// How many there are of each class.
    pub of_each_class: Vec<usize>,
    /// A digest of their files' names in the set's order, where they are files of their own: that order is by name, and what is drawn
    /// from it is drawn by place. Of other sets it is empty.
    pub names: String,
}

impl TrainingImages {
    /// Those of a listing whose labels are below `classes`.
    pub(crate) fn of(listing: &dyn Listing, classes: usize) -> Self {
        let mut of_each_class = vec![0; classes];
        let mut names = Some(Digest::new());
        for (index, &label) in listing.labels().iter().enumerate() {
            of_each_class[label as usize] += 1;
            names = names
                .zip(listing.file_name(index))
                .map(|(names, name)| names.with(&label.to_le_bytes()).with(name.as_encoded_bytes()).with(&[0]));
        }
        Self { of_each_class, names: names.map_or_else(String::new, |names| names.to_string()) }
    }

    /// Where these, of `data`, are not those that a checkpoint's run was begun with, what to say about it. Of a checkpoint that does not
    /// know which they were, nothing.
    pub(crate) fn differ_from(&self, begun: &Meta, data: &str) -> Option<String> {
        let mut counts = begun.images.iter().zip(&self.of_each_class).zip(&begun.classes);
        if let Some(((before, now), class)) = counts.find(|((before, now), _)| before != now) {
            return Some(format!("trained with {before} training images of class {class}; {data} has {now}"));
        }
        let known = !begun.names.is_empty() && !self.names.is_empty();
        let renamed = known && begun.names != self.names;
        renamed.then(|| {
            format!("{data} has as many training images of each class as it had in training, but some under other names: replaced, or renamed")
        })
    }
}
