//! Sample grids over time as pictures within the page: real images first, then the same noise at epochs evenly chosen.

use super::html::Escaped;
use super::run::Run;
use crate::data::decoded;
use crate::grid::row_height;
use crate::run_folder::names::{MISTAKES_PICTURE, REAL_SAMPLES};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::RgbImage;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use std::path::{Path, PathBuf};

/// Epochs shown at most.
const EPOCHS: usize = 8;
/// Bytes of all pictures together, before base64 makes them a third larger.
const BUDGET: usize = 1_200_000;

/// The section's HTML; `None` where there are no pictures.
pub fn section(run: &Run) -> Option<String> {
    let mut pictures: Vec<(String, PathBuf)> = Vec::new();
    let real = run.path.join(REAL_SAMPLES);
    if real.is_file() {
        pictures.push(("Real training images".into(), real));
    }
    for (epoch, path) in evenly(&run.samples) {
        pictures.push((format!("Generated after epoch {epoch}"), path.clone()));
    }
    let rows = rows(run, &pictures)?;
    let mut html = String::from("<div class=\"grids\">");
    for (caption, path) in &pictures {
        match load(path).and_then(|grid| encoded(&first_rows(&grid, run, rows))) {
            Some(png) => {
                let also = if caption.starts_with("Gen") { " and confidence as the classifier has them" } else { "" };
                let image = image(&png, &format!("{caption}: a grid of small images, under each its class{also}"));
                html += &format!("<figure>{image}<figcaption>{caption}</figcaption></figure>");
            }
            None => {
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                html += &format!("<p>{} is no picture that can be read.</p>", Escaped(&name));
            }
        }
    }
    Some(html + "</div>")
}

/// The picture of what the test was wrong about; `None` where there is none, or none that can be read.
pub fn mistakes(run: &Run) -> Option<String> {
    let picture = load(&run.path.join(MISTAKES_PICTURE))?;
    let png = encoded(&picture)?;
    let alt = "Test images that the classifier is wrong about, under each what it takes it for and its label";
    Some(format!("<figure class=\"whole\" style=\"max-width:{}px\">{}</figure>", picture.width(), image(&png, alt)))
}

fn image(png: &[u8], alt: &str) -> String {
    format!("<img src=\"data:image/png;base64,{}\" alt=\"{alt}\">", STANDARD.encode(png))
}

/// At most [`EPOCHS`] of them, the first and the last among them.
fn evenly<T>(all: &[T]) -> Vec<&T> {
    match all.len() {
        n if n <= EPOCHS => all.iter().collect(),
        n => (0..EPOCHS).map(|i| &all[(i * (n - 1) + (EPOCHS - 1) / 2) / (EPOCHS - 1)]).collect(),
    }
}

/// Rows of each grid that all fit into the budget, by the size of the last one; `None` without pictures.
fn rows(run: &Run, pictures: &[(String, PathBuf)]) -> Option<u32> {
    let (_, last) = pictures.last()?;
    let Some(grid) = load(last) else { return Some(4) };
    let all = grid.height() / row_height(run.settings.image_size) as u32;
    let bytes = encoded(&grid).map_or(1, |png| png.len().max(1)) * pictures.len();
    Some((all as usize * BUDGET / bytes).clamp(1, all.max(1) as usize) as u32)
}

fn first_rows(grid: &RgbImage, run: &Run, rows: u32) -> RgbImage {
    let row = row_height(run.settings.image_size) as u32;
    // What is left of a whole number of rows is the edge.
    let height = (rows * row + grid.height() % row).min(grid.height());
    image::imageops::crop_imm(grid, 0, 0, grid.width(), height).to_image()
}

fn load(path: &Path) -> Option<RgbImage> {
    Some(decoded(path).ok()?.to_rgb8())
}

fn encoded(grid: &RgbImage) -> Option<Vec<u8>> {
    let mut png = Vec::new();
    // The best compression would take several times as long for pictures 2 % smaller.
    let encoder = PngEncoder::new_with_quality(&mut png, CompressionType::Default, FilterType::Adaptive);
    grid.write_with_encoder(encoder).ok()?;
    Some(png)
}

#[cfg(test)]
mod tests {
    use super::evenly;

    #[test]
    fn the_first_and_the_last_epoch_are_shown() {
        let shown = |n: usize| evenly(&(1..=n).collect::<Vec<_>>()).into_iter().copied().collect::<Vec<_>>();
        assert_eq!(shown(3), [1, 2, 3]);
        assert_eq!(shown(12), [1, 3, 4, 6, 7, 9, 10, 12]);
        let many = shown(1000);
        assert_eq!((many.len(), many[0], many[7]), (8, 1, 1000));
        assert!(shown(0).is_empty());
    }
}
