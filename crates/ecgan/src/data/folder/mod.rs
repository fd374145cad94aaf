//! Folders of images, PNG and JPEG: `{train,val,test}/<class>/*`, or `<class>/*` alone.
//!
//! Class names are the folder names of `train`, sorted; images are in the order of their file names. Hidden files are
//! skipped, nothing below a class folder is entered, and anything that is not an image is an error. Alpha is dropped,
//! 16-bit values are rounded to 8. `valid` and `validation` are other names of `val`.

mod jpeg;
mod list;
mod png;
#[cfg(test)]
mod tests;
mod unsplit;

pub(super) use unsplit::{LOOKED_FOR as LOOKED_FOR_UNSPLIT, recognise as recognise_unsplit};

use super::fit::{Raw, fit};
use super::{DataError, Format, Found, Listing, Part, Reader};
use crate::regular_file;
use image::{DynamicImage, ImageFormat, ImageReader, Limits};
pub(super) use list::entries;
use list::{List, class_folders, list};
use std::cell::Cell;
use std::io::Cursor;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) const LOOKED_FOR: &str =
    "train/<class>/ and test/<class>/ with PNG or JPEG images (and val/<class>/, if you like)";

/// The largest side that is decoded, so that a lying header cannot make us allocate gigabytes.
const LARGEST_SIDE: u32 = 8192;

/// The folders of a part, the usual one first.
const FOLDERS: [(Part, &[&str]); 3] =
    [(Part::Train, &["train"]), (Part::Val, &["val", "valid", "validation"]), (Part::Test, &["test"])];

/// The largest file that is read, in bytes.
const LARGEST_FILE: u64 = 256 << 20;

struct ImageFolder {
    path: PathBuf,
    parts: Vec<(Part, Arc<List>)>,
}

impl Reader for ImageFolder {
    fn check(&self, part: Part) -> Result<(), DataError> {
        self.open(part).map(|_| ())
    }

    fn open(&self, part: Part) -> Result<Arc<dyn Listing>, DataError> {
        if let Some((_, list)) = self.parts.iter().find(|(found, _)| *found == part) {
            return Ok(list.clone());
        }
        let there: Vec<&str> = self.parts.iter().map(|(part, _)| part.name()).collect();
        let wrong = format!("no such folder, though there is {}/", there.join("/ and "));
        let alone = match part {
            Part::Test => "; or name train/ itself, and a fifth of it is kept for the test",
            Part::Train | Part::Val => "",
        };
        Err(DataError::layout(&self.path.join(part.name()), wrong, format!("{LOOKED_FOR}{alone}")))
    }
}

/// The part's folder, where there is one.
fn part_folder(path: &Path, part: Part) -> Option<PathBuf> {
    let (_, names) = FOLDERS.iter().find(|(found, _)| *found == part)?;
    names.iter().map(|name| path.join(name)).find(|folder| folder.is_dir())
}

/// Recognises a folder that has a `train` or a `test` folder.
pub(super) fn recognise(path: &Path) -> Result<Option<Found>, DataError> {
    let mut folders = Part::ALL.map(|part| part_folder(path, part));
    if folders[0].is_none() && folders[2].is_none() {
        return Ok(None);
    }
    let mut warnings = Vec::new();
    if let ([Some(_), Some(_), None], [_, val, test]) = (folders.each_ref(), Part::ALL) {
        let at = folders[1].as_ref().expect("matched").display().to_string();
        warnings.push(format!(
            "{at}: taken for the {test} images, as there is no {test}/ folder; the {val} part is drawn from train/",
            test = test.name(),
            val = val.name()
        ));
        folders.swap(1, 2);
    }
    let mut refusals = Vec::new();
    let mut classes: Vec<String> = Vec::new();
    let mut parts = Vec::new();
    for (part, folder) in Part::ALL.into_iter().zip(&folders) {
        let Some(folder) = folder else { continue };
        let inside = class_folders(folder, &mut warnings)?;
        if classes.is_empty() {
            classes = inside.iter().map(|(name, _)| name.clone()).collect();
            if classes.len() < 2 {
                let wrong = format!("{} class folders", classes.len());
                refusals.push(DataError::layout(folder, wrong, "at least 2, with images in each"));
            }
        } else {
            compare_classes(&mut classes, folder, part, &inside, &mut warnings, &mut refusals);
        }
        parts.push((part, Arc::new(list(&inside, &classes, &mut refusals)?)));
    }
    let reader = Box::new(ImageFolder { path: path.into(), parts });
    Ok(Some(Found { warnings, refusals, ..Found::new("image folders", classes, reader) }))
}

/// Classes of another part that are not those of the first.
fn compare_classes(
    classes: &mut Vec<String>,
    folder: &Path,
    part: Part,
    inside: &[(String, PathBuf)],
    warnings: &mut Vec<String>,
    refusals: &mut Vec<DataError>,
) {
    if inside.is_empty() {
        refusals.push(DataError::layout(folder, "no class folders", LOOKED_FOR));
        return;
    }
    for name in classes.iter().filter(|class| !inside.iter().any(|(name, _)| name == *class)) {
        let never = if part == Part::Val { "validated" } else { "tested" };
        warnings.push(format!("{}: class `{name}` of train is missing, so it is never {never}", folder.display()));
    }
    let known = classes.join(", ");
    for (name, folder) in inside {
        if !classes.contains(name) {
            let wrong = format!("train has no class `{name}`");
            refusals.push(DataError::layout(folder, wrong, format!("one of {known}")));
            classes.push(name.clone());
        }
    }
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
    fit(&stored(path)?, format, out);
    Ok(())
}

/// A PNG's or JPEG's image as it is.
pub(crate) fn decoded(path: &Path) -> Result<DynamicImage, DataError> {
    let bytes = regular_file::read(path, LARGEST_FILE).map_err(|e| DataError::io(path, e))?;
    let kind = image::guess_format(&bytes).ok();
    let Some(kind @ (ImageFormat::Png | ImageFormat::Jpeg)) = kind else {
        return Err(DataError::file(path, "not an image by its first bytes", "a PNG or JPEG image"));
    };
    if kind == ImageFormat::Jpeg && !jpeg::is_whole(&bytes) {
        return Err(DataError::file(path, "the image ends early", "a whole PNG or JPEG image"));
    }
    if kind == ImageFormat::Png && !png::has_whole_palette(&bytes) {
        return Err(DataError::file(path, "a palette that ends within a colour", "a whole PNG or JPEG image"));
    }
    let mut reader = ImageReader::with_format(Cursor::new(&bytes), kind);
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    limits.max_alloc = Some(256 << 20);
    reader.limits(limits);
    let refused = |wrong: String| {
        let expected = format!("a whole PNG or JPEG image of at most {LARGEST_SIDE} pixels a side");
        DataError::file(path, wrong, expected)
    };
    // A decoder that panics has met damage that its authors did not think of: no less the file's.
    DECODING.set(true);
    let read = panic::catch_unwind(AssertUnwindSafe(|| reader.decode()));
    DECODING.set(false);
    read.map_err(|_| refused("damage that its decoder does not expect".into()))?.map_err(|e| refused(e.to_string()))
}

thread_local! {
    /// Whether this thread is in an image's decoder.
    static DECODING: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic on this thread is a decoder's on a damaged image, which becomes a refusal of the file: a panic hook should
/// leave it alone.
pub fn decoder_panics() -> bool {
    DECODING.get()
}

/// A file's image but for alpha and the bits beyond 8.
pub(super) fn stored(path: &Path) -> Result<Raw<'static>, DataError> {
    let decoded = decoded(path)?;
    let (width, height) = (decoded.width() as usize, decoded.height() as usize);
    let grey = !decoded.color().has_color();
    let (pixels, channels) = match decoded {
        DynamicImage::ImageLuma8(image) => (image.into_raw(), 1),
        other if grey => (other.into_luma8().into_raw(), 1),
        other => (other.into_rgb8().into_raw(), 3),
    };
    Ok(Raw { pixels: pixels.into(), width, height, channels })
}
