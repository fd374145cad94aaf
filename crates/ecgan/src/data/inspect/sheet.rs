//! A contact sheet: a row of images of each class, with its name.

use super::Inspection;
use crate::data::{DataError, Format};
use crate::grid;
use image::RgbImage;
use std::path::Path;

/// Images of a class: a row.
const COLUMNS: usize = 8;

/// Rows at most: a picture of 14,000 pixels is as much as most programs show.
const MOST_CLASSES: usize = 100;

const FORMAT: Format = Format { size: 64, channels: 3 };

impl Inspection {
    /// Images of each class (of the first 100), evenly out of the training part or else the first part that could be
    /// opened, as training at 64 pixels sees them. Those that cannot be read are left out.
    ///
    /// # Errors
    /// Data without a part that could be opened.
    pub fn sheet(&self) -> Result<RgbImage, DataError> {
        let Some(listing) = &self.first else {
            let expected = "a part to draw a contact sheet of";
            return Err(DataError::unfit(Path::new(&self.data), "no part can be opened", expected));
        };
        let (mut pixels, mut shown) = (Vec::new(), Vec::new());
        for label in 0..self.classes.len().min(MOST_CLASSES) {
            let members: Vec<usize> =
                (0..listing.labels().len()).filter(|&i| listing.labels()[i] == label as i32).collect();
            let mut row = Vec::new();
            for index in evenly(&members) {
                let mut image = vec![0; FORMAT.bytes()];
                if listing.decode(index, FORMAT, &mut image).is_ok() {
                    row.push(image);
                }
            }
            // A row has its place even where a class has fewer images, or none.
            for column in 0..COLUMNS {
                let image = row.get(column);
                shown.push((column == 0 || image.is_some()).then_some(label));
                match image {
                    Some(image) => pixels.extend_from_slice(image),
                    None => pixels.extend(std::iter::repeat_n(grid::BACKGROUND.0, FORMAT.bytes() / 3).flatten()),
                }
            }
        }
        let Format { size, channels } = FORMAT;
        let images = grid::Images::new(pixels, [shown.len(), size, size, channels]);
        let letters = grid::letters(&images);
        let caption = |label: Option<usize>| label.map(|label| grid::name(&self.classes, label, letters));
        let captions: Vec<String> = shown.into_iter().map(|label| caption(label).unwrap_or_default()).collect();
        Ok(grid::draw_in(&images, &captions, COLUMNS))
    }
}

/// At most a row of them, from all over.
fn evenly(members: &[usize]) -> impl Iterator<Item = usize> {
    let n = members.len().min(COLUMNS);
    (0..n).map(move |i| members[i * members.len() / n])
}
