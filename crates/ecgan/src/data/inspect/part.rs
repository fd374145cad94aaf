//! One part of a data set: its images, one by one.

use crate::data::fit::Raw;
use crate::data::{DataError, Listing, Part};
use md5::{Digest, Md5};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::HashMap;

/// What a part has.
#[derive(Debug, Serialize)]
pub struct PartReport {
    /// `train`, `val` or `test`.
    pub part: &'static str,
    /// Images, unreadable ones included.
    pub images: usize,
    /// Those of each class.
    pub per_class: Vec<ClassCount>,
    /// Images of the largest class over those of the smallest; nothing where a class has none.
    pub imbalance: Option<f64>,
    /// Widths in pixels.
    pub width: Option<Range>,
    /// Heights in pixels.
    pub height: Option<Range>,
    /// Readable images with one channel.
    pub grey: usize,
    /// Readable images with three channels.
    pub colour: usize,
    /// Readable images that are transparent somewhere: there they are laid on white.
    pub transparent: usize,
    /// Images equal to an earlier one of this part, pixel by pixel.
    pub duplicates: usize,
    /// One of them, and the image that it equals.
    pub duplicate_example: Option<[String; 2]>,
    /// Images that cannot be read.
    pub unreadable: usize,
}

/// A class's share of a part.
#[derive(Debug, Serialize)]
pub struct ClassCount {
    /// The class's name.
    pub class: String,
    /// Its images.
    pub images: usize,
}

/// The smallest, the middle and the largest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Range {
    /// The smallest.
    pub min: usize,
    /// Half are smaller; of two in the middle, the upper.
    pub median: usize,
    /// The largest.
    pub max: usize,
}

/// A file, or an image in one, that cannot be read.
#[derive(Debug, Serialize)]
pub struct Unreadable {
    /// The part it belongs to.
    pub part: &'static str,
    /// The file, what is wrong with it, and what was expected.
    pub problem: String,
}

impl Unreadable {
    pub(super) fn new(part: Part, problem: &DataError) -> Self {
        Self { part: part.name(), problem: problem.to_string() }
    }
}

/// A part that was looked at.
pub struct Look {
    pub report: PartReport,
    pub unreadable: Vec<Unreadable>,
    /// Of each image: its contents' hash if it can be read, its label, its name.
    pub hashes: Vec<Option<[u8; 16]>>,
    pub labels: Vec<i32>,
    pub names: Vec<String>,
}

/// What is kept of an image.
struct Seen {
    width: usize,
    height: usize,
    channels: usize,
    transparent: bool,
    hash: [u8; 16],
}

/// Decodes every image, and keeps none.
pub fn look(part: Part, listing: &dyn Listing, classes: &[String]) -> Look {
    let labels = listing.labels().to_vec();
    let seen: Vec<_> = (0..labels.len()).into_par_iter().map(|i| listing.stored(i).map(|image| see(&image))).collect();
    let count = |label: usize| labels.iter().filter(|&&of| of == label as i32).count();
    let counts: Vec<usize> = (0..classes.len()).map(count).collect();
    let readable: Vec<&Seen> = seen.iter().flatten().collect();
    let mut first = HashMap::new();
    let mut equal = Vec::new();
    for (i, seen) in seen.iter().enumerate().filter_map(|(i, seen)| Some((i, seen.as_ref().ok()?))) {
        let of = *first.entry(seen.hash).or_insert(i);
        if of != i {
            equal.push([i, of]);
        }
    }
    let of = |value: fn(&Seen) -> usize| range(readable.iter().map(|seen| value(seen)).collect());
    let report = PartReport {
        part: part.name(),
        images: labels.len(),
        imbalance: imbalance(&counts),
        per_class: classes
            .iter()
            .zip(&counts)
            .map(|(class, &images)| ClassCount { class: class.clone(), images })
            .collect(),
        width: of(|seen| seen.width),
        height: of(|seen| seen.height),
        grey: readable.iter().filter(|seen| seen.channels == 1).count(),
        colour: readable.iter().filter(|seen| seen.channels == 3).count(),
        transparent: readable.iter().filter(|seen| seen.transparent).count(),
        duplicates: equal.len(),
        duplicate_example: equal.first().map(|pair| pair.map(|i| listing.name(i))),
        unreadable: seen.len() - readable.len(),
    };
    let names = (0..labels.len()).map(|i| listing.name(i)).collect();
    let hashes = seen.iter().map(|seen| seen.as_ref().ok().map(|seen| seen.hash)).collect();
    let unreadable =
        seen.iter().filter_map(|seen| seen.as_ref().err()).map(|error| Unreadable::new(part, error)).collect();
    Look { report, unreadable, hashes, labels, names }
}

fn see(image: &Raw) -> Seen {
    let mut md5 = Md5::new();
    for size in [image.width, image.height, image.channels] {
        md5.update((size as u64).to_le_bytes());
    }
    md5.update(&image.pixels);
    let Raw { width, height, channels, transparent, .. } = *image;
    Seen { width, height, channels, transparent, hash: md5.finalize().into() }
}

fn imbalance(counts: &[usize]) -> Option<f64> {
    let (least, most) = (counts.iter().min()?, counts.iter().max()?);
    (*least > 0).then(|| *most as f64 / *least as f64)
}

fn range(mut values: Vec<usize>) -> Option<Range> {
    values.sort_unstable();
    Some(Range { min: *values.first()?, median: values[values.len() / 2], max: *values.last()? })
}
