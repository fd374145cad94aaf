//! Images of formats that are not read: they are told apart from what is no image, and not passed over.

use super::list::{has_extension, is_named_as_image};
use image::ImageFormat;
use std::path::Path;

const EXTENSIONS: [&str; 15] =
    ["webp", "gif", "bmp", "tif", "tiff", "avif", "heic", "heif", "jxl", "jp2", "ppm", "pgm", "pbm", "tga", "dcm"];

/// Whether a file is one of them by its name's end.
pub fn is_named_as_unread(path: &Path) -> bool {
    has_extension(path, &EXTENSIONS)
}

/// Whether a file is an image by its name's end, whether it is read or not; what is none is passed over, with people's images
/// never among it.
pub fn is_named_as_any_image(path: &Path) -> bool {
    is_named_as_image(path) || is_named_as_unread(path)
}

/// Which of them a file is by its first bytes.
pub fn format(bytes: &[u8]) -> Option<&'static str> {
    match image::guess_format(bytes) {
        Ok(ImageFormat::WebP) => Some("WebP"),
        Ok(ImageFormat::Gif) => Some("GIF"),
        Ok(ImageFormat::Bmp) => Some("BMP"),
        Ok(ImageFormat::Tiff) => Some("TIFF"),
        Ok(ImageFormat::Avif) => Some("AVIF"),
        Ok(ImageFormat::Pnm) => Some("PNM"),
        // A box of type `ftyp` with the brand of such a file (ISO/IEC 23008-12).
        _ => bytes.get(4..12).filter(|ftyp| matches!(*ftyp, b"ftypheic" | b"ftypheix" | b"ftypmif1")).map(|_| "HEIC"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_their_first_bytes() {
        for (bytes, known) in [
            (&b"RIFF\x24\0\0\0WEBPVP8 "[..], Some("WebP")),
            (b"GIF89a\x01\0\x01\0", Some("GIF")),
            (b"BM\x46\0\0\0", Some("BMP")),
            (b"II*\0\x08\0\0\0", Some("TIFF")),
            (b"MM\0*\0\0\0\x08", Some("TIFF")),
            (b"\0\0\0\x1cftypavif", Some("AVIF")),
            (b"P6 2 2 255 ", Some("PNM")),
            (b"\0\0\0\x18ftypheic\0\0\0\0", Some("HEIC")),
            (b"\x89PNG\r\n\x1a\n", None),
            (b"notes", None),
            (b"", None),
        ] {
            assert_eq!(format(bytes), known, "{bytes:?}");
        }
    }
}
