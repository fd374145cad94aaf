//! What a file's pixels become, and what is said of one that is damaged.

use super::*;
use image::{ImageBuffer, LumaA, Rgb, RgbImage, Rgba, RgbaImage};
use std::io::Write;

#[test]
fn every_kind_of_image_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    RgbImage::from_pixel(64, 48, Rgb([250, 100, 10])).save(path("rgb.png")).unwrap();
    RgbImage::from_pixel(200, 20, Rgb([250, 100, 10])).save(path("rgb.jpg")).unwrap();
    ImageBuffer::from_pixel(9, 9, Rgba([250u8, 100, 10, 255])).save(path("rgba.png")).unwrap();
    ImageBuffer::from_pixel(9, 9, Rgb([250u16 * 257, 100 * 257, 10 * 257])).save(path("rgb16.png")).unwrap();
    for name in ["rgb.png", "rgb.jpg", "rgba.png", "rgb16.png"] {
        let pixels = read_image(&path(name), RGB).unwrap();
        assert_eq!(pixels.len(), 32 * 32 * 3);
        let close = |p: &[u8]| p.iter().zip([250u8, 100, 10]).all(|(&v, want)| v.abs_diff(want) <= 2);
        assert!(pixels.chunks(3).all(close), "{name}: {:?}", &pixels[..3]);
        let grey = read_image(&path(name), Format { size: 64, channels: 1 }).unwrap();
        assert!(grey.len() == 64 * 64 && grey.iter().all(|v| v.abs_diff(135) <= 2), "{name}: {}", grey[0]);
    }
    GrayImage::from_pixel(7, 7, Luma([77])).save(path("grey.jpg")).unwrap();
    ImageBuffer::from_pixel(7, 7, Luma([77u16 * 257])).save(path("grey16.png")).unwrap();
    for name in ["grey.jpg", "grey16.png"] {
        assert!(read_image(&path(name), RGB).unwrap().iter().all(|v| v.abs_diff(77) <= 1), "{name}");
    }
}

/// A PNG of two pixels of a palette: nothing, and a colour.
fn transparent_palette() -> Vec<u8> {
    let chunk = |kind: &[u8; 4], data: &[u8]| {
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(data);
        [&(data.len() as u32).to_be_bytes()[..], kind, data, &crc.sum().to_be_bytes()].concat()
    };
    let mut pixels = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    pixels.write_all(&[0, 0, 1]).unwrap(); // no filter, then the two
    let chunks = [
        chunk(b"IHDR", &[0, 0, 0, 2, 0, 0, 0, 1, 8, 3, 0, 0, 0]),
        chunk(b"PLTE", &[0, 0, 0, 30, 60, 90]),
        chunk(b"tRNS", &[0]),
        chunk(b"IDAT", &pixels.finish().unwrap()),
        chunk(b"IEND", &[]),
    ];
    [&b"\x89PNG\r\n\x1a\n"[..], &chunks.concat()].concat()
}

/// Drawings and cut-outs are often black on nothing, where the pixels of nothing are black too.
#[test]
fn what_is_transparent_is_laid_on_white() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let left = |x: u32| x == 0;
    let nothing = [0u8; 4];
    let rgba = |x, _| Rgba(if left(x) { nothing } else { [30, 60, 90, 255] });
    RgbaImage::from_fn(2, 1, rgba).save(path("rgba.png")).unwrap();
    let rgba16 = |x, _| Rgba(if left(x) { [0u16; 4] } else { [30 * 257, 60 * 257, 90 * 257, 65535] });
    ImageBuffer::from_fn(2, 1, rgba16).save(path("rgba16.png")).unwrap();
    fs::write(path("palette.png"), transparent_palette()).unwrap();
    for name in ["rgba.png", "rgba16.png", "palette.png"] {
        let image = stored(&path(name)).unwrap();
        assert_eq!((&image.pixels[..], image.channels), (&[255, 255, 255, 30, 60, 90][..], 3), "{name}");
        assert!(image.transparent, "{name}");
    }
    let grey = |x, _| LumaA(if left(x) { [0u8, 0] } else { [77, 255] });
    ImageBuffer::from_fn(2, 1, grey).save(path("grey.png")).unwrap();
    let grey16 = |x, _| LumaA(if left(x) { [0u16, 0] } else { [77 * 257, 65535] });
    ImageBuffer::from_fn(2, 1, grey16).save(path("grey16.png")).unwrap();
    for name in ["grey.png", "grey16.png"] {
        let image = stored(&path(name)).unwrap();
        assert_eq!((&image.pixels[..], image.channels, image.transparent), (&[255, 77][..], 1, true), "{name}");
    }
}

#[test]
fn what_is_no_image_or_a_damaged_one_is_named() {
    let folder = small();
    let bad = folder.path().join("train/b/0.jpg");
    let refused = |bytes: &[u8], what: &str| {
        fs::write(&bad, bytes).unwrap();
        let message = open(&folder).unwrap().read_train(RGB).unwrap_err().to_string();
        assert!(message.contains("train/b/0.jpg: ") && message.contains(what), "{message}");
    };
    let where_to_look = format!("; `ecgan data inspect {}` lists all such files", folder.path().display());
    let wrong = "not an image by its first bytes; expected a PNG or JPEG image";
    refused(b"notes on this class", &format!("{wrong}{where_to_look}"));
    refused(b"", "an empty file; expected a PNG or JPEG image");
    for extension in ["jpg", "png"] {
        let whole = folder.path().join(format!("whole.{extension}"));
        let noise = |x: u32, y: u32| Rgb([(x * 37 + y * 91) as u8, (x * y) as u8, (x * 5) as u8]);
        RgbImage::from_fn(64, 64, noise).save(&whole).unwrap();
        let whole = fs::read(whole).unwrap();
        for length in [10, whole.len() / 2, whole.len() - 20] {
            refused(&whole[..length], "expected a whole PNG or JPEG image");
        }
    }
}

/// A header that claims 65,535 x 65,535 pixels must not make us allocate them.
#[test]
fn a_size_that_lies_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.jpg");
    RgbImage::new(16, 16).save(&path).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    let frame = bytes.windows(2).position(|w| w == [0xFF, 0xC0]).unwrap();
    bytes[frame + 5..frame + 9].fill(0xFF);
    fs::write(&path, &bytes).unwrap();
    let message = read_image(&path, RGB).unwrap_err().to_string();
    assert!(message.contains("large.jpg: 65535x65535 pixels; expected "), "{message}");

    // A PNG's size has a checksum, so it is made large for real: flat, it is a small file.
    let path = folder.path().join("large.png");
    GrayImage::new(LARGEST_SIDE + 1, 4).save(&path).unwrap();
    let message = read_image(&path, RGB).unwrap_err().to_string();
    assert!(message.contains("large.png: 8193x4 pixels; expected "), "{message}");

    // Of no side too long: 8192 x 8192 pixels of eight bytes.
    let path = folder.path().join("deep.png");
    let header = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\x20\0\0\0\x20\0\x10\x06\0\0\0\x22\x3a\x16\x1a";
    fs::write(&path, [&header[..], b"\0\0\0\x0dIDATx\xda\x63\0\0\0\x01\0\x01"].concat()).unwrap();
    let message = read_image(&path, RGB).unwrap_err().to_string();
    assert!(message.contains("of at most 8192 pixels a side and 256 MiB decoded"), "{message}");
    assert!(message.contains("deep.png: 8192x8192 pixels that take 512 MiB; expected "), "{message}");
}

#[test]
fn a_damaged_chunk_is_named() {
    let folder = folder(&["1.png"]);
    let path = folder.path().join("1.png");
    let mut bytes = fs::read(&path).unwrap();
    bytes[29] ^= 1; // the checksum of the header, 13 bytes from 16 on
    fs::write(&path, bytes).unwrap();
    let message = read_image(&path, RGB).unwrap_err().to_string();
    assert!(message.contains("while decoding the chunk IHDR; expected a whole PNG"), "{message}");
}

/// A JPEG of 16 x 8 pixels, black on the left and white on the right, with this EXIF orientation.
fn turned(orientation: u8) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    GrayImage::from_fn(16, 8, |x, _| Luma([if x < 8 { 0 } else { 255 }]))
        .write_to(&mut bytes, ImageFormat::Jpeg)
        .unwrap();
    let bytes = bytes.into_inner();
    // APP1: TIFF in little-endian order, with one entry: orientation (0x112), one short.
    let entry = [0x12, 1, 3, 0, 1, 0, 0, 0, orientation, 0, 0, 0];
    let segment = [b"\xFF\xE1\0\x22Exif\0\0II*\0\x08\0\0\0\x01\0", &entry[..], &[0; 4]].concat();
    [&bytes[..2], &segment, &bytes[2..]].concat()
}

#[test]
fn an_image_is_turned_as_its_exif_data_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("photo.jpg");
    // The size, and the pixels in the first and the last corner.
    for (orientation, size, first, last) in [
        (1, (16, 8), 0, 255),
        (2, (16, 8), 255, 0),
        (3, (16, 8), 255, 0),
        (6, (8, 16), 0, 255),
        (8, (8, 16), 255, 0),
        (9, (16, 8), 0, 255), // no orientation
    ] {
        fs::write(&path, turned(orientation)).unwrap();
        let image = stored(&path).unwrap();
        assert_eq!((image.width, image.height), size, "{orientation}");
        let near = |found: u8, wanted: u8| found.abs_diff(wanted) < 10;
        assert!(near(image.pixels[0], first) && near(image.pixels[127], last), "{orientation}: {:?}", image.pixels);
    }
}
