//! Transparency: what is behind an image is white, as most viewers show it. (What its pixels hold where nobody sees them is
//! anything: often black.)

/// Pixels of `channels` and alpha, laid on white, and whether anything of it is seen.
pub fn on_white(pixels: &[u8], channels: usize) -> (Vec<u8>, bool) {
    let mut out = Vec::with_capacity(pixels.len() / (channels + 1) * channels);
    let mut transparent = false;
    for pixel in pixels.chunks_exact(channels + 1) {
        let alpha = pixel[channels];
        transparent |= alpha < 255;
        out.extend(pixel[..channels].iter().map(|&value| over_white(value, alpha)));
    }
    (out, transparent)
}

/// (value alpha + 255 (255 - alpha)) / 255, rounded.
fn over_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_opaque_stays_and_what_is_transparent_is_white() {
        assert_eq!(on_white(&[0, 128, 255, 255, 7, 8, 9, 255], 3), (vec![0, 128, 255, 7, 8, 9], false));
        assert_eq!(on_white(&[0, 0, 0, 0, 0, 100, 255, 51], 3), (vec![255, 255, 255, 204, 224, 255], true));
        assert_eq!(on_white(&[10, 255, 10, 0], 1), (vec![10, 255], true));
    }
}
