//! A grid of real training images, to hold the generated ones against.

use super::{Images, draw, letters, name};
use crate::data::{self, DataError};
use image::RgbImage;

/// Images of the grid at most.
const REALS: usize = 64;

/// Draws some of the images at `indices` as the networks see them, resized but not augmented, each with its label: one
/// of each class in turn, until there are 64.
///
/// # Errors
/// An image that cannot be decoded.
pub fn draw_reals(images: &data::Images, indices: &[usize], classes: &[String]) -> Result<RgbImage, DataError> {
    let chosen = in_turn(&images.labels, indices, classes.len());
    let pixels = images.batch(&chosen)?;
    let tiles = Images::new(pixels, [chosen.len(), images.size, images.size, images.channels]);
    let letters = letters(&tiles);
    let label = |&i: &usize| name(classes, images.labels[i] as usize, letters);
    Ok(draw(&tiles, &chosen.iter().map(label).collect::<Vec<_>>()))
}

/// The first of each class, the second of each class, and so on.
fn in_turn(labels: &[i32], indices: &[usize], classes: usize) -> Vec<usize> {
    let mut of_class: Vec<Vec<usize>> = vec![Vec::new(); classes];
    indices.iter().for_each(|&i| of_class[labels[i] as usize].push(i));
    let rounds = of_class.iter().map(Vec::len).max().unwrap_or(0).min(REALS);
    let turn = |round: usize| of_class.iter().filter_map(move |of| of.get(round).copied());
    (0..rounds).flat_map(turn).take(REALS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_take_turns() {
        let labels = [0, 0, 0, 1, 2, 2];
        assert_eq!(in_turn(&labels, &[2, 1, 3, 5, 4, 0], 3), [2, 3, 5, 1, 4, 0]);
        assert_eq!(in_turn(&labels, &[], 3), [0usize; 0]);
        let many = vec![0; 100];
        assert_eq!(in_turn(&many, &(0..100).collect::<Vec<_>>(), 1).len(), REALS);
    }

    #[test]
    fn the_grid_has_the_pixels_of_the_images() {
        let pixels = [vec![9; 32 * 32], vec![200; 32 * 32]].concat();
        let images = data::Images::held(pixels, vec![1, 0], 32, 1);
        let grid = draw_reals(&images, &[0, 1], &["a".into(), "b".into()]).unwrap();
        assert_eq!((grid.get_pixel(4, 4).0, grid.get_pixel(104, 4).0), ([200; 3], [9; 3]), "class a comes first");
        assert_eq!(grid.height() as usize, super::super::row_height(32) + 4);
    }

    #[test]
    fn classes_that_cannot_be_written_are_told_apart() {
        let images = data::Images::held(vec![9; 2 * 32 * 32], vec![0, 1], 32, 1);
        let drawn = |classes: [&str; 2]| draw_reals(&images, &[0, 1], &classes.map(String::from)).unwrap();
        assert!(drawn(["猫", "狗"]) == drawn(["#0", "#1"]));
    }
}
