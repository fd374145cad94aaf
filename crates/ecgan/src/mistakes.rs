//! The images that a classifier takes for another class than theirs, those it is surest of first: what to look at where an accuracy
//! is not what it should be. Among the surest are the labels that are wrong themselves.

use crate::data::{DataError, Images};
use crate::grid::{self, caption, draw_in, letters, name};
use crate::metrics::Guess;
use crate::metrics::csv::quoted;
use image::RgbImage;

/// The first line of the table.
pub(crate) const HEADER: &str = "image,actual,predicted,confidence\n";

/// Columns of the picture.
const COLUMNS: usize = 8;

/// Images of the picture at most.
const SHOWN: usize = 4 * COLUMNS;

/// One image that was taken for another class.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mistake {
    /// Which of the images.
    pub index: usize,
    /// What it was taken for.
    pub guess: Guess,
}

/// One of them by names.
#[derive(Clone, Debug, PartialEq)]
pub struct Named<'a> {
    /// The image, as its owner finds it.
    pub image: String,
    /// Its label.
    pub actual: &'a str,
    /// What it was taken for.
    pub predicted: &'a str,
    /// How sure the classifier was, in 0..1.
    pub confidence: f64,
}

/// All of a set of images, with what holds these.
#[derive(Debug)]
pub struct Mistakes {
    images: Images,
    classes: Vec<String>,
    found: Vec<Mistake>,
}

impl Mistakes {
    /// Those `found` among `images`, whose labels are indices into `classes`.
    pub fn new(images: Images, classes: &[String], mut found: Vec<Mistake>) -> Self {
        // Stable: of equally sure ones, as they were found.
        found.sort_by(|a, b| b.guess.confidence.total_cmp(&a.guess.confidence));
        Self { images, classes: classes.to_vec(), found }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// All by name, the surest first.
    pub fn named(&self) -> impl Iterator<Item = Named<'_>> {
        self.found.iter().map(|&Mistake { index, guess }| Named {
            image: self.images.name(index),
            actual: self.actual(index),
            predicted: &self.classes[guess.class],
            confidence: guess.confidence,
        })
    }

    fn actual(&self, index: usize) -> &str {
        &self.classes[self.label(index)]
    }

    fn label(&self, index: usize) -> usize {
        self.images.labels[index] as usize
    }

    /// A table for programs (RFC 4180), the surest first.
    pub fn csv(&self) -> String {
        let mut table = String::from(HEADER);
        for Named { image, actual, predicted, confidence } in self.named() {
            let [image, actual, predicted] = [&image, actual, predicted].map(quoted);
            table += &format!("{image},{actual},{predicted},{confidence}\n");
        }
        table
    }

    /// A picture of the surest, under each what it was taken for and how sure, and below that its label; `None` where there is none.
    ///
    /// # Errors
    /// An image that cannot be decoded.
    pub fn picture(&self) -> Result<Option<RgbImage>, DataError> {
        let shown = &self.found[..self.len().min(SHOWN)];
        if shown.is_empty() {
            return Ok(None);
        }
        let indices: Vec<usize> = shown.iter().map(|mistake| mistake.index).collect();
        let Images { size, channels, .. } = self.images;
        let tiles = grid::Images::new(self.images.batch(&indices)?, [shown.len(), size, size, channels]);
        let letters = letters(&tiles);
        let under = |&Mistake { index, guess }: &Mistake| {
            let taken_for = caption(&self.classes, guess.class, guess.confidence as f32, letters);
            let is = name(&self.classes, self.label(index), letters.saturating_sub(3));
            format!("{taken_for}\nis {is}")
        };
        let captions: Vec<String> = shown.iter().map(under).collect();
        Ok(Some(draw_in(&tiles, &captions, COLUMNS.min(shown.len()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(index: usize, class: usize, confidence: f64) -> Mistake {
        Mistake { index, guess: Guess { class, confidence } }
    }

    /// Image `i` is filled with `i`.
    fn of(found: Vec<Mistake>) -> Mistakes {
        let pixels = (0..50).flat_map(|i| [i; 32 * 32]).collect();
        let labels = (0..50).map(|i| i % 2).collect();
        Mistakes::new(Images::held(pixels, labels, 32, 1), &["cat".into(), "a,b".into()], found)
    }

    #[test]
    fn the_surest_come_first() {
        let mistakes = of(vec![mistake(1, 0, 0.5), mistake(4, 1, 0.9), mistake(7, 0, 0.5)]);
        let expected = "image,actual,predicted,confidence\nimage 4,cat,\"a,b\",0.9\nimage 1,\"a,b\",cat,0.5\nimage 7,\"a,b\",cat,0.5\n";
        assert_eq!(mistakes.csv(), expected);
        let picture = mistakes.picture().unwrap().unwrap();
        assert_eq!([4, 104, 204].map(|x| picture.get_pixel(x, 4).0[0]), [4, 1, 7]);
        assert_eq!(picture.width(), 3 * 100 + 4);
    }

    #[test]
    fn a_picture_ends_and_none_is_none() {
        assert!(of(Vec::new()).picture().unwrap().is_none());
        let picture = of((0..50).map(|i| mistake(i, 1 - i % 2, 0.75)).collect()).picture().unwrap().unwrap();
        assert_eq!((picture.width() - 4) / 100, 8);
        assert_eq!(picture.get_pixel(704, picture.height() - 5 - 30).0[0], 31, "the last of the last row");
    }
}
