//! Grids of images side by side, each with a caption underneath: generated ones with predicted class and confidence, real ones with
//! their class, mistakes with both.

mod caption;
mod font;
mod reals;

pub use caption::{can_be_drawn, caption, name};
pub use reals::draw_reals;

use image::{Rgb, RgbImage};

/// What lies between tiles.
pub const BACKGROUND: Rgb<u8> = Rgb([24, 24, 24]);
const INK: Rgb<u8> = Rgb([235, 235, 235]);
/// Pixels between tiles, and around the grid.
const GAP: usize = 4;
/// The height of a caption's line with the space above it.
const CAPTION: usize = font::HEIGHT + 3;
/// Tiles are enlarged by a whole factor to at least this many pixels, which is 15 letters of caption.
const TILE: usize = 96;

/// A batch of images, `pixels` being `[n, height, width, channels]` in 0..=255.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// `n * height * width * channels` values, channels last.
    pub pixels: Vec<u8>,
    /// Rows of an image.
    pub height: usize,
    /// Columns of an image.
    pub width: usize,
    /// 1 (grey) or 3 (red, green, blue).
    pub channels: usize,
}

impl Images {
    /// Images from `[n, height, width, channels]` values.
    ///
    /// # Panics
    /// If the number of values does not fit, or an image is empty or has neither 1 nor 3 channels.
    pub fn new(pixels: Vec<u8>, [n, height, width, channels]: [usize; 4]) -> Self {
        assert!(height > 0 && width > 0 && [1, 3].contains(&channels), "images of {height}x{width}x{channels}");
        assert_eq!(pixels.len(), n * height * width * channels, "values of {n} images");
        Self { pixels, height, width, channels }
    }

    /// How many images.
    pub fn len(&self) -> usize {
        self.pixels.len() / (self.height * self.width * self.channels)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.pixels.is_empty()
    }

    /// Image `n` as RGB.
    ///
    /// # Panics
    /// If there is no image `n`.
    pub fn rgb(&self, n: usize) -> RgbImage {
        let size = self.height * self.width * self.channels;
        let pixels = &self.pixels[n * size..(n + 1) * size];
        RgbImage::from_fn(self.width as u32, self.height as u32, |x, y| {
            let first = (y as usize * self.width + x as usize) * self.channels;
            let of = |channel: usize| pixels[first + channel % self.channels];
            Rgb([of(0), of(1), of(2)])
        })
    }
}

/// Draws all images in rows, as square as can be, with `captions` under them (one an image, or none at all; of one line, or of several).
///
/// # Panics
/// If there are captions, but not one an image.
pub fn draw(images: &Images, captions: &[String]) -> RgbImage {
    let n = images.len();
    draw_in(images, captions, n.isqrt().max(1) + usize::from(n.isqrt().pow(2) < n))
}

/// The same in this many columns.
///
/// # Panics
/// If there are captions, but not one an image, or no column.
pub fn draw_in(images: &Images, captions: &[String], columns: usize) -> RgbImage {
    let n = images.len();
    assert!(captions.is_empty() || captions.len() == n, "{} captions for {n} images", captions.len());
    let scale = scale(images);
    let lines = captions.iter().map(|caption| caption.lines().count()).max().unwrap_or(0);
    let cell_width = images.width * scale + GAP;
    let cell_height = images.height * scale + GAP + lines * CAPTION;
    let size = |cells: usize, cell: usize| (cells * cell + GAP) as u32;
    let mut grid = RgbImage::from_pixel(size(columns, cell_width), size(n.div_ceil(columns), cell_height), BACKGROUND);
    for i in 0..n {
        let (x, y) = (GAP + i % columns * cell_width, GAP + i / columns * cell_height);
        paste(&mut grid, &images.rgb(i), x, y, scale);
        let under = y + images.height * scale + CAPTION - font::HEIGHT;
        for (line, text) in captions.get(i).into_iter().flat_map(|caption| caption.lines()).enumerate() {
            write(&mut grid, text, x, under + line * CAPTION, letters(images));
        }
    }
    grid
}

/// Letters of a caption that fit under one of these images, with a letter's space to the next caption.
pub fn letters(images: &Images) -> usize {
    images.width * scale(images) / font::ADVANCE - 1
}

/// Height of a row of a grid of images of `size` x `size` with captions; the grid is [`GAP`] higher than its rows.
pub(crate) fn row_height(size: usize) -> usize {
    size * TILE.div_ceil(size) + GAP + CAPTION
}

fn scale(images: &Images) -> usize {
    TILE.div_ceil(images.width)
}

fn paste(grid: &mut RgbImage, tile: &RgbImage, x: usize, y: usize, scale: usize) {
    for (column, row, pixel) in tile.enumerate_pixels() {
        for dy in 0..scale {
            for dx in 0..scale {
                let (left, top) = (x + column as usize * scale + dx, y + row as usize * scale + dy);
                grid.put_pixel(left as u32, top as u32, *pixel);
            }
        }
    }
}

fn write(grid: &mut RgbImage, text: &str, x: usize, y: usize, letters: usize) {
    for (i, letter) in text.chars().take(letters).enumerate() {
        for row in 0..font::HEIGHT {
            for column in 0..font::ADVANCE {
                if font::dot(letter, column, row) {
                    grid.put_pixel((x + i * font::ADVANCE + column) as u32, (y + row) as u32, INK);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Image `i` is filled with `10 i`; five of them make a grid of 3 by 2.
    fn five(channels: usize) -> Images {
        let pixels = (0..5).flat_map(|i| vec![10 * i; 48 * 48 * channels]).collect();
        Images::new(pixels, [5, 48, 48, channels])
    }

    #[test]
    fn tiles_are_where_they_belong() {
        for channels in [1, 3] {
            let grid = draw(&five(channels), &[]);
            assert_eq!(grid.dimensions(), (3 * 100 + 4, 2 * 100 + 4));
            assert_eq!(grid.get_pixel(3, 3), &BACKGROUND);
            assert_eq!(grid.get_pixel(4, 4).0, [0; 3]);
            assert_eq!(grid.get_pixel(204, 4).0, [20; 3]);
            assert_eq!(grid.get_pixel(199, 199).0, [40; 3]);
            assert_eq!(grid.get_pixel(204, 104), &BACKGROUND);
        }
    }

    #[test]
    fn channels_and_pixels_keep_their_order() {
        let rgb = Images::new((0..12).collect(), [1, 1, 4, 3]).rgb(0);
        assert_eq!(rgb.get_pixel(2, 0).0, [6, 7, 8]);
        let tall = Images::new((0..6).collect(), [1, 3, 2, 1]).rgb(0);
        assert_eq!(tall.get_pixel(1, 2).0, [5; 3]);
    }

    #[test]
    fn captions_stay_under_their_tile() {
        let captions: Vec<String> = (0..5).map(|_| "M".repeat(40)).collect();
        let grid = draw(&five(1), &captions);
        assert_eq!(grid.dimensions(), (3 * 100 + 4, 2 * 112 + 4));
        let ink = |x0: u32, x1: u32, y0: u32, y1: u32| (x0..x1).any(|x| (y0..y1).any(|y| grid.get_pixel(x, y) == &INK));
        assert!(ink(4, 100, 100, 112));
        assert!(!ink(0, 304, 0, 100) && !ink(100, 104, 0, 228), "ink outside the captions");
        assert_eq!(letters(&five(1)), 15);
    }

    #[test]
    fn an_empty_batch_is_an_empty_grid() {
        assert_eq!(draw(&Images::new(Vec::new(), [0, 32, 32, 3]), &[]).dimensions(), (104, 4));
    }
}
