//! Image folders: `{train,test}/<class>/*`, PNG and JPEG.
//!
//! Class names are the folder names of `train`, sorted; images are in the order of their file names. Hidden files are
//! skipped, nothing below a class folder is entered, and anything that is not an image is an error. Alpha is dropped,
//! 16-bit values are rounded to 8.

mod jpeg;
#[cfg(test)]
mod tests;

use super::fit::{Raw, fit};
use super::{DataError, Format, Found, Images, Part, Reader};
use image::{DynamicImage, ImageFormat, ImageReader, Limits};
use rayon::prelude::*;
use std::io::Cursor;
use std::path::{Path, PathBuf};

pub(super) const LOOKED_FOR: &str = "train/<class>/ and test/<class>/ with PNG or JPEG images";

/// The largest side that is decoded, so that a lying header cannot make us allocate gigabytes.
const LARGEST_SIDE: u32 = 8192;

/// The files of one part with their labels, in order.
struct List {
    files: Vec<(PathBuf, i32)>,
}

struct ImageFolder {
    train: List,
    test: List,
}

impl Reader for ImageFolder {
    fn read(&self, part: Part, format: Format) -> Result<Images, DataError> {
        let list = match part {
            Part::Train => &self.train,
            Part::Test => &self.test,
        };
        let mut pixels = vec![0; list.files.len() * format.bytes()];
        let results: Vec<Result<(), DataError>> = list
            .files
            .par_iter()
            .zip(pixels.par_chunks_mut(format.bytes()))
            .map(|((path, _), out)| decode(path, format, out))
            .collect();
        // The first in file order, so that the message does not depend on the threads.
        results.into_iter().collect::<Result<(), DataError>>()?;
        let labels = list.files.iter().map(|(_, label)| *label).collect();
        Ok(Images { pixels, labels, size: format.size, channels: format.channels })
    }
}

/// Recognises a folder that has a `train` or a `test` folder; then it must have both, with images.
pub(super) fn recognise(path: &Path) -> Result<Option<Found>, DataError> {
    let parts = [Part::Train, Part::Test].map(|part| path.join(part.name()));
    let present = parts.each_ref().map(|part| part.is_dir());
    if !present[0] && !present[1] {
        return Ok(None);
    }
    if let Some(missing) = (0..2).find(|&i| !present[i]) {
        let other = parts[1 - missing].file_name().unwrap_or_default().to_string_lossy();
        return Err(DataError::layout(
            &parts[missing],
            format!("no such folder, though there is {other}/"),
            LOOKED_FOR,
        ));
    }
    let mut warnings = Vec::new();
    let [train, test] = [class_folders(&parts[0], &mut warnings)?, class_folders(&parts[1], &mut warnings)?];
    if train.len() < 2 {
        return Err(DataError::layout(&parts[0], format!("{} class folders", train.len()), "at least 2"));
    }
    let classes: Vec<String> = train.iter().map(|(name, _)| name.clone()).collect();
    if let Some((name, folder)) = test.iter().find(|(name, _)| !classes.contains(name)) {
        let known = classes.join(", ");
        return Err(DataError::layout(folder, format!("train has no class `{name}`"), format!("one of {known}")));
    }
    if test.is_empty() {
        return Err(DataError::layout(&parts[1], "no class folders", LOOKED_FOR));
    }
    for name in classes.iter().filter(|class| !test.iter().any(|(name, _)| name == *class)) {
        warnings.push(format!("{}: class `{name}` of train is missing, so it is never tested", parts[1].display()));
    }
    let reader = Box::new(ImageFolder { train: list(&train, &classes)?, test: list(&test, &classes)? });
    Ok(Some(Found { classes, warnings, reader }))
}

/// The entries of a folder that are not hidden, sorted by name.
fn entries(path: &Path) -> Result<Vec<(String, PathBuf)>, DataError> {
    let mut entries = Vec::new();
    for entry in path.read_dir().map_err(|e| DataError::io(path, e))? {
        let entry = entry.map_err(|e| DataError::io(path, e))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if !name.starts_with('.') {
            entries.push((name, entry.path()));
        }
    }
    entries.sort();
    Ok(entries)
}

/// The class folders of a part, sorted; loose files beside them are reported.
fn class_folders(path: &Path, warnings: &mut Vec<String>) -> Result<Vec<(String, PathBuf)>, DataError> {
    let (folders, loose): (Vec<_>, Vec<_>) = entries(path)?.into_iter().partition(|(_, path)| path.is_dir());
    if let Some((name, _)) = loose.first() {
        let count = loose.len();
        warnings.push(format!("{}: ignored {count} file(s) outside the class folders (`{name}`)", path.display()));
    }
    Ok(folders)
}

fn list(folders: &[(String, PathBuf)], classes: &[String]) -> Result<List, DataError> {
    let mut files = Vec::new();
    for (name, folder) in folders {
        let label = classes.iter().position(|class| class == name).expect("checked by the caller") as i32;
        let inside = entries(folder)?;
        if inside.is_empty() {
            return Err(DataError::layout(folder, "no images in this class", "at least one PNG or JPEG"));
        }
        if let Some((_, nested)) = inside.iter().find(|(_, path)| path.is_dir()) {
            return Err(DataError::layout(nested, "a folder inside a class folder", "images only"));
        }
        files.extend(inside.into_iter().map(|(_, path)| (path, label)));
    }
    Ok(List { files })
}

/// Reads one PNG or JPEG as `[size, size, channels]` bytes.
///
/// # Errors
/// A file that cannot be read, is no PNG or JPEG, is damaged, or is larger than 8192 pixels a side.
pub fn read_image(path: &Path, format: Format) -> Result<Vec<u8>, DataError> {
    format.check()?;
    let mut out = vec![0; format.bytes()];
    decode(path, format, &mut out)?;
    Ok(out)
}

fn decode(path: &Path, format: Format, out: &mut [u8]) -> Result<(), DataError> {
    let bytes = std::fs::read(path).map_err(|e| DataError::io(path, e))?;
    let kind = image::guess_format(&bytes).ok();
    let Some(kind @ (ImageFormat::Png | ImageFormat::Jpeg)) = kind else {
        return Err(DataError::file(path, "not an image by its first bytes", "a PNG or JPEG image"));
    };
    if kind == ImageFormat::Jpeg && !jpeg::is_whole(&bytes) {
        return Err(DataError::file(path, "the image ends early", "a whole PNG or JPEG image"));
    }
    let mut reader = ImageReader::with_format(Cursor::new(&bytes), kind);
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    limits.max_alloc = Some(256 << 20);
    reader.limits(limits);
    let decoded = reader.decode().map_err(|e| {
        let expected = format!("a whole PNG or JPEG image of at most {LARGEST_SIDE} pixels a side");
        DataError::file(path, e.to_string(), expected)
    })?;
    let (width, height) = (decoded.width() as usize, decoded.height() as usize);
    let grey = !decoded.color().has_color();
    let (pixels, channels) = match decoded {
        DynamicImage::ImageLuma8(image) => (image.into_raw(), 1),
        other if grey => (other.into_luma8().into_raw(), 1),
        other => (other.into_rgb8().into_raw(), 3),
    };
    fit(&Raw { pixels: &pixels, width, height, channels }, format, out);
    Ok(())
}
