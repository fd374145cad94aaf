//! Pictures as PNG, which say that they are ours: so no command replaces somebody's photograph.

use super::write_atomically;
use crate::Error;
use image::RgbImage;
use image::codecs::png::PngEncoder;
use std::io::{self, Write};
use std::path::Path;

/// Where the first chunk, IHDR, ends: behind the signature of 8 bytes, a length, a type, 13 bytes and a checksum.
const HEADER: usize = 8 + 4 + 4 + 13 + 4;

/// A tEXt chunk (ISO/IEC 15948, 11.3.3): length, type, keyword and text, and the CRC of all but the length.
const MARK: &[u8] = b"\0\0\0\x0EtEXtSoftware\0ecgan\x4B\x67\x71\x4E";

/// Writes an image as PNG; it appears whole or not at all.
///
/// # Errors
/// [`Error::Io`].
pub fn write_png(path: &Path, image: &RgbImage) -> Result<(), Error> {
    write_atomically(path, |file| png(image, file))
}

/// An image as PNG.
///
/// # Errors
/// What the file does not take.
pub fn png(image: &RgbImage, file: &mut impl Write) -> io::Result<()> {
    let mut encoded = Vec::new();
    image.write_with_encoder(PngEncoder::new(&mut encoded)).map_err(io::Error::other)?;
    let (header, rest) = encoded.split_at(HEADER);
    [header, MARK, rest].iter().try_for_each(|part| file.write_all(part))
}

/// Whether this is the beginning of a picture of ours.
pub(crate) fn is_our_png(head: &[u8]) -> bool {
    head.get(HEADER..).is_some_and(|rest| rest.starts_with(MARK))
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::ImageFormat;

    /// The CRC of PNG (ISO/IEC 15948, annex D), bit by bit.
    fn crc(bytes: &[u8]) -> u32 {
        let bit = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 };
        !bytes.iter().fold(u32::MAX, |crc, &byte| (0..8).fold(crc ^ u32::from(byte), bit))
    }

    #[test]
    fn a_picture_is_read_back_and_known() {
        let image = RgbImage::from_fn(5, 3, |x, y| image::Rgb([x as u8, y as u8, 200]));
        let mut file = Vec::new();
        png(&image, &mut file).unwrap();
        assert_eq!(image::load_from_memory_with_format(&file, ImageFormat::Png).unwrap().to_rgb8(), image);
        assert!(is_our_png(&file) && !is_our_png(&file[..HEADER + 3]));
        let [length, chunk @ .., a, b, c, d] = &MARK[3..] else { panic!("{MARK:?}") };
        assert_eq!((usize::from(*length), crc(chunk)), (chunk.len() - 4, u32::from_be_bytes([*a, *b, *c, *d])));

        let mut other = Vec::new();
        image.write_with_encoder(PngEncoder::new(&mut other)).unwrap();
        assert!(!is_our_png(&other) && file.len() == other.len() + MARK.len());
    }
}
