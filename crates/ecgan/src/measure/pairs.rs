//! The generated images that lie closest to real ones, each above the one it is close to.

use super::Measured;
use crate::Error;
use crate::grid::{self, Images};
use image::RgbImage;

/// Pairs of a picture at most.
const PAIRS: usize = 16;
const COLUMNS: usize = 8;

impl Measured {
    /// Draws the 16 closest pairs, the closest first: generated above real, under which the distance is.
    ///
    /// # Errors
    /// An image that cannot be decoded.
    pub fn closest_pairs(&self) -> Result<RgbImage, Error> {
        let mut order: Vec<usize> = (0..self.nearest.len()).collect();
        order.sort_by(|&a, &b| self.nearest[a].distance.total_cmp(&self.nearest[b].distance)); // stable
        order.truncate(PAIRS);
        // Whole rows, so that each stands above its own.
        let columns = if order.len() == PAIRS { COLUMNS } else { order.len() };
        let (mut pixels, mut captions) = (Vec::new(), Vec::new());
        for row in order.chunks(columns) {
            let real: Vec<usize> = row.iter().map(|&i| self.real_indices[self.nearest[i].index]).collect();
            pixels.extend(self.generated.batch(row)?);
            pixels.extend(self.reals.batch(&real)?);
            captions.extend(row.iter().map(|_| "generated".to_owned()));
            captions.extend(row.iter().map(|&i| format!("real {:.4}", self.nearest[i].distance)));
        }
        let images = Images::new(pixels, [captions.len(), self.reals.size, self.reals.size, self.reals.channels]);
        Ok(grid::draw_in(&images, &captions, columns))
    }
}
