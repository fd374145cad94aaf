//! Images of a folder: any bytes as a file.

use crate::svhn::format;
use ecgan::data::read_image;
use image::{DynamicImage, ImageFormat};
use std::io::Cursor;

pub fn read(data: &[u8]) {
    let Some((&shape, bytes)) = data.split_first() else { return };
    let format = format(shape);
    if let Ok(pixels) = read_image(&crate::file("image", bytes), format) {
        assert_eq!(pixels.len(), format.bytes());
    }
}

/// A picture of every kind of pixel.
fn pictures() -> Vec<DynamicImage> {
    let noise =
        image::RgbImage::from_fn(9, 17, |x, y| image::Rgb([(x * 37 + y * 91) as u8, (x * y) as u8, 5 * x as u8]));
    let rgb = DynamicImage::from(noise);
    let mut kinds = vec![rgb.to_luma8().into(), rgb.to_rgba8().into(), rgb.to_luma_alpha8().into()];
    kinds.extend([rgb.to_rgb16().into(), rgb.to_rgba16().into(), rgb.to_luma16().into()]);
    kinds.push(rgb);
    kinds
}

pub fn seeds() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (i, picture) in pictures().into_iter().enumerate() {
        for kind in [ImageFormat::Png, ImageFormat::Jpeg] {
            let mut bytes = Cursor::new(vec![i as u8]);
            bytes.set_position(1);
            // JPEG has no alpha and no 16 bits.
            if picture.write_to(&mut bytes, kind).is_ok() {
                seeds.push(bytes.into_inner());
            }
        }
    }
    seeds
}
