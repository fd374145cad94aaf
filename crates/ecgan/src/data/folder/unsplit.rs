//! `<class>/*` alone: a fifth of each class is kept for the test.
//!
//! Which fifth depends on the file names only (the least MD5 of the name), so every run and every seed has the same test
//! images, on every machine, and images added later leave most of them where they are.

use super::list::{Aside, List, class_folders, entries, is_named_as_image, list};
use super::twins::warn_of_twins;
use super::{DataError, Found, ImageFolder, Part, named};
use crate::printable::Shown;
use md5::{Digest, Md5};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// What such a folder is recognised as.
pub const UNSPLIT: &str = "image folders without a split";

/// How the warning begins that says what becomes of it.
pub const KEPT: &str = "no train/ and test/ folders, so";

pub const LOOKED_FOR: &str = "<class>/ alone (two or more, to train) with PNG or JPEG images";

/// One image in so many is a test image.
const TEST_PART: usize = 5;

/// Recognises a folder with images in `least` or more of its folders. One that cannot be read may have some.
pub fn recognise(path: &Path, least: usize) -> Result<Option<Found>, DataError> {
    let mut warnings = Vec::new();
    let folders = class_folders(path, &mut warnings)?;
    let (mut with_images, mut unread) = (0, Vec::new());
    for (_, folder) in &folders {
        match entries(folder) {
            Ok(inside) => with_images += usize::from(inside.iter().any(|(_, path)| is_named_as_image(path))),
            Err(error) => unread.push(error),
        }
    }
    if with_images + unread.len() < least {
        return Ok(None);
    }
    // Of nothing that can be read nobody knows whether it is a data set.
    if with_images == 0
        && let Some(error) = unread.into_iter().next()
    {
        return Err(error);
    }
    let classes: Vec<String> = folders.iter().map(|(name, _)| name.clone()).collect();
    warn_of_twins(path, &classes, &mut warnings);
    let mut aside = Aside::default();
    let all = list(path, Part::Train, &folders, &classes, &mut aside);
    warnings.extend(aside.warning(path));
    let total = all.files.len();
    let (train, test) = hold_out(all);
    // Without any, what needs a test refuses the data.
    if !test.files.is_empty() {
        warnings.push(format!(
            "{}: {KEPT} {} of its {total} images, about a fifth of each class but at least one, are kept for the test: \
             always the same ones, by their file names, whatever the seed{}",
            Shown(path),
            test.files.len(),
            untested(&classes, &train, &test),
        ));
    }
    let parts = vec![(Part::Train, Arc::new(train)), (Part::Test, Arc::new(test))];
    let reader = Box::new(ImageFolder { path: path.into(), parts });
    let Aside { refusals, unread, .. } = aside;
    Ok(Some(Found { warnings, refusals, unread, ..Found::new(UNSPLIT, classes, reader) }))
}

/// What to say of the classes whose only image trains.
fn untested(classes: &[String], train: &List, test: &List) -> String {
    let [trained, tested]: [BTreeSet<i32>; 2] = [train, test].map(|list| list.labels.iter().copied().collect());
    let names: Vec<&str> = trained.difference(&tested).map(|&label| classes[label as usize].as_str()).collect();
    match names.len() {
        0 => String::new(),
        1 => format!("; class {} has a single image, which trains, so it is never tested", named(&names)),
        count => {
            format!("; {count} classes have a single image, which trains, so they are never tested ({})", named(&names))
        }
    }
}

/// Training and test images; a class of one image trains.
fn hold_out(all: List) -> (List, List) {
    let mut classes: BTreeMap<i32, Vec<usize>> = BTreeMap::new();
    for (index, &label) in all.labels.iter().enumerate() {
        classes.entry(label).or_default().push(index);
    }
    let mut is_test = vec![false; all.files.len()];
    for mut members in classes.into_values() {
        let n = members.len();
        let held_out = ((n + TEST_PART / 2) / TEST_PART).max(1).min(n - 1);
        members.sort_by_cached_key(|&index| {
            let name = all.files[index].file_name().unwrap_or_default().to_string_lossy();
            (Md5::digest(name.as_bytes()), index)
        });
        members[..held_out].iter().for_each(|&index| is_test[index] = true);
    }
    let [mut train, mut test] =
        [(); 2].map(|()| List { data: all.data.clone(), files: Vec::new(), labels: Vec::new() });
    for ((file, label), is_test) in all.files.into_iter().zip(all.labels).zip(is_test) {
        let list = if is_test { &mut test } else { &mut train };
        list.files.push(file);
        list.labels.push(label);
    }
    (train, test)
}
