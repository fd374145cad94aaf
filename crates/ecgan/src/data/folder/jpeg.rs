//! Whether a JPEG is whole: decoders fill what is missing with grey and say nothing.
//!
//! A JPEG (ITU-T T.81, annex B) is markers FF xx: most are followed by a 16-bit length that counts itself, a scan (SOS)
//! also by coded data, in which FF is followed by 00 or a restart marker. EOI ends the image.

const SCAN: u8 = 0xDA;
const END: u8 = 0xD9;

/// Whether the markers lead from the start of the image, by a scan, to its end. Bytes after the end are allowed.
pub fn is_whole(bytes: &[u8]) -> bool {
    let mut at = 2; // after SOI
    let mut scanned = false;
    while let Some(marker) = next_marker(bytes, &mut at) {
        if marker == END {
            return scanned;
        }
        let Some(length) = bytes.get(at..at + 2) else { return false };
        at += usize::from(u16::from_be_bytes([length[0], length[1]]));
        scanned |= marker == SCAN;
    }
    false
}

/// The next marker that is not a restart (D0 to D7), skipping coded data and fill bytes; `at` moves behind it.
fn next_marker(bytes: &[u8], at: &mut usize) -> Option<u8> {
    let is_marker = |pair: &[u8]| pair[0] == 0xFF && !matches!(pair[1], 0 | 0xFF | 0xD0..=0xD7);
    *at += bytes.get(*at..)?.windows(2).position(is_marker)? + 2;
    Some(bytes[*at - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shorter_piece_of_a_jpeg_is_not_whole() {
        let mut bytes = Vec::new();
        let noise = |x: u32, y: u32| image::Rgb([(x * 37 + y * 91) as u8, (x * y) as u8, (x * 5) as u8]);
        let image = image::RgbImage::from_fn(40, 40, noise);
        image.write_to(&mut std::io::Cursor::new(&mut bytes), image::ImageFormat::Jpeg).unwrap();
        assert!(is_whole(&bytes));
        assert!((0..bytes.len()).all(|length| !is_whole(&bytes[..length])));
        assert!(is_whole(&[&bytes[..], b"appended"].concat()));
    }
}
