//! Folders of images, PNG and JPEG: `{train,val,test}/<class>/*`, or `<class>/*` alone.
//!
//! Class names are the folder names of `train`, sorted (where there is no `train`, those of the other parts together);
//! images are in the order of their file names. Hidden files and what operating systems leave there (`Thumbs.db`) are
//! skipped, files whose names end in something that is no image (`.txt`) are passed over with a warning, nothing below a class folder is
//! entered, and whatever else cannot be read is an error. What is transparent is laid on white, 16-bit
//! values are rounded to 8, and an image is turned as its EXIF data says. `valid` and `validation` are other names of `val`.

mod alpha;
mod jpeg;
mod list;
mod png;
#[cfg(test)]
mod tests;
mod twins;
mod unread;
mod unsplit;

pub(super) use unsplit::{KEPT, LOOKED_FOR as LOOKED_FOR_UNSPLIT, UNSPLIT, recognise as recognise_unsplit};

use super::fit::{Raw, fit};
use super::{DataError, Format, Found, Listing, Part, Reader};
use crate::counts::many;
use crate::printable::{Shown, listed, printable};
use crate::regular_file;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};
use list::{Aside, List, class_folders, list};
pub(super) use list::{EXTENSIONS, entries, has_images, is_named_as_image};
use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::io::Cursor;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use twins::{alike, warn_of_twins};
pub(super) use unread::{is_named_as_any_image, is_named_as_unread};

pub(super) const LOOKED_FOR: &str =
    "train/<class>/ and test/<class>/ with PNG or JPEG images (and val/<class>/, if you like)";

/// The largest side that is decoded, so that a lying header cannot make us allocate gigabytes.
const LARGEST_SIDE: u32 = 8192;

/// Bytes that an image may take once it is decoded.
const LARGEST_DECODED: u64 = 256 << 20;

/// The folders of a part, the usual one first.
const FOLDERS: [(Part, &[&str]); 3] =
    [(Part::Train, &["train"]), (Part::Val, &["val", "valid", "validation"]), (Part::Test, &["test"])];

/// Names that a warning has of many.
const NAMED: usize = 8;

/// The largest file that is read, in bytes.
const LARGEST_FILE: u64 = 256 << 20;

struct ImageFolder {
    path: PathBuf,
    parts: Vec<(Part, Arc<List>)>,
}

impl ImageFolder {
    fn part(&self, part: Part) -> Result<&Arc<List>, DataError> {
        if let Some((_, list)) = self.parts.iter().find(|(found, _)| *found == part) {
            return Ok(list);
        }
        let there: Vec<&str> = self.parts.iter().map(|(part, _)| part.name()).collect();
        let meant = misnamed(&self.path).map_or_else(String::new, |meant| format!(" ({meant})"));
        let wrong = format!("no such folder, though there is {}/{meant}", there.join("/ and "));
        let alone = match part {
            Part::Test => "; or name train/ itself, and a fifth of it is kept for the test",
            Part::Train | Part::Val => "",
        };
        Err(DataError::unfit(&self.path.join(part.name()), wrong, format!("{LOOKED_FOR}{alone}")))
    }
}

impl Reader for ImageFolder {
    fn check(&self, part: Part) -> Result<(), DataError> {
        if self.part(part)?.files.is_empty() {
            let wrong = format!("no image for the {} part", part.name());
            let expected = "images in train/<class>/ and test/<class>/; or, of <class>/ alone, at least two in a class, \
                            one of which becomes a test image";
            return Err(DataError::unfit(&self.path, wrong, expected));
        }
        Ok(())
    }

    fn open(&self, part: Part) -> Result<Arc<dyn Listing>, DataError> {
        Ok(self.part(part)?.clone())
    }
}

/// The folder of a part that is there, and the class folders in it.
struct PartFolder {
    part: Part,
    path: PathBuf,
    classes: Vec<(String, PathBuf)>,
}

impl PartFolder {
    fn has(&self, class: &str) -> bool {
        self.classes.iter().any(|(name, _)| name == class)
    }

    /// The folder's own name, which says what part it is.
    fn name(&self) -> Cow<'_, str> {
        self.path.file_name().unwrap_or_default().to_string_lossy()
    }

    /// The refusal of so few classes, where `least` are needed.
    fn too_few(&self, classes: usize, least: usize) -> DataError {
        let wrong = format!("{classes} class folder{}", if classes == 1 { "" } else { "s" });
        let expected = format!("at least {least}, with images in each");
        let part = match self.part {
            Part::Train => "training",
            Part::Val => "validation",
            Part::Test => "test",
        };
        let taken = if self.classes.is_empty() && has_images(&self.path) {
            format!(" (`{}` is taken for the {part} part; if it is a class, rename it)", self.name())
        } else {
            String::new()
        };
        DataError::unfit(&self.path, wrong, expected + &taken)
    }
}

/// The part's folder, where there is one.
fn part_folder(path: &Path, part: Part) -> Option<PathBuf> {
    let (_, names) = FOLDERS.iter().find(|(found, _)| *found == part)?;
    names.iter().map(|name| path.join(name)).find(|folder| folder.is_dir())
}

/// How images lie in a folder, as far as its own folders tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// In class folders of `train` or `test`.
    Parts,
    /// In class folders.
    Classes,
    /// In none: there is no image, or files of many.
    Other,
}

/// That of a folder; no more of it is looked at than that takes.
pub(crate) fn layout(path: &Path) -> Layout {
    if [Part::Train, Part::Test].iter().any(|part| part_folder(path, *part).is_some()) {
        return Layout::Parts;
    }
    let is_class = |folder: &Path| folder.is_dir() && has_images(folder);
    match entries(path) {
        Ok(inside) if inside.iter().any(|(_, folder)| is_class(folder)) => Layout::Classes,
        _ => Layout::Other,
    }
}

/// Whether a folder of this name beside others of its kind is a part.
pub(crate) fn is_part_name(name: &str) -> bool {
    FOLDERS.iter().any(|(_, names)| names.contains(&name))
}

/// The part that a folder of this name was meant for, perhaps, where no folder is taken for it.
fn meant(path: &Path, name: &str) -> Option<&'static str> {
    let known = match name.to_lowercase().as_str() {
        "training" => "train",
        "testing" => "test",
        "validate" => "val",
        name => FOLDERS.iter().flat_map(|(_, names)| *names).copied().find(|known| *known == name)?,
    };
    let (part, _) = FOLDERS.iter().find(|(_, names)| names.contains(&known))?;
    // That is there where the name is right, or where the file system takes one for the other.
    part_folder(path, *part).is_none().then_some(known)
}

/// What to say of folders that were meant for parts, perhaps, but have not the name for it.
pub(super) fn misnamed(path: &Path) -> Option<String> {
    let (mut found, mut names) = (Vec::new(), Vec::new());
    for (name, folder) in entries(path).ok()? {
        if let Some(known) = meant(path, &name)
            && folder.is_dir()
        {
            found.push(format!("`{name}`"));
            names.push(format!("`{known}`"));
        }
    }
    (!found.is_empty()).then(|| format!("{}: did you mean {}?", found.join(", "), names.join(", ")))
}

/// The first names of so many, and how many more there are.
fn named(names: &[&str]) -> String {
    let first: Vec<String> = names.iter().take(NAMED).map(|name| format!("`{}`", printable(name))).collect();
    let more = if names.len() > NAMED { format!(" and {} more", names.len() - NAMED) } else { String::new() };
    first.join(", ") + &more
}

/// Reports folders with images, or folders of images, beside those of the parts: nothing uses them.
fn warn_of_others(path: &Path, there: &[PartFolder], warnings: &mut Vec<String>) {
    // Where it may be entered but not listed, the parts are all that can be seen.
    let Ok(inside) = entries(path) else { return };
    // By another name, too: a link, or where the file system takes one for the other.
    let real = |folder: &Path| folder.canonicalize().unwrap_or_else(|_| folder.into());
    let parts: Vec<PathBuf> = there.iter().map(|part| real(&part.path)).collect();
    let has_any = |folder: &Path| {
        has_images(folder) || entries(folder).is_ok_and(|inside| inside.iter().any(|(_, folder)| has_images(folder)))
    };
    let others = inside.iter().filter(|(_, folder)| !parts.contains(&real(folder)) && has_any(folder));
    let others = others.map(|(name, _)| (name.as_str(), meant(path, name)));
    let (near, far): (Vec<_>, Vec<_>) = others.partition(|(_, meant)| meant.is_some());
    let beside = there.iter().map(|part| format!("{}/", part.name())).collect::<Vec<_>>().join(" and ");
    let at = Shown(path);
    for (name, known) in near {
        let (name, known) = (printable(name), known.expect("near"));
        warnings
            .push(format!("{at}: ignored 1 folder with images beside {beside} (`{name}`: did you mean `{known}`?)"));
    }
    if !far.is_empty() {
        let names: Vec<&str> = far.iter().map(|(name, _)| *name).collect();
        let folders = many(names.len(), "folder");
        warnings.push(format!("{at}: ignored {folders} with images beside {beside} ({})", named(&names)));
    }
}

/// Recognises a folder that has a `train` or a `test` folder; fewer than `least` classes are a refusal.
pub(super) fn recognise(path: &Path, least: usize) -> Result<Option<Found>, DataError> {
    let mut folders = Part::ALL.map(|part| part_folder(path, part));
    if folders[0].is_none() && folders[2].is_none() {
        return Ok(None);
    }
    let mut warnings = Vec::new();
    if let ([Some(_), Some(_), None], [_, val, test]) = (folders.each_ref(), Part::ALL) {
        let at = Shown(folders[1].as_ref().expect("matched")).to_string();
        warnings.push(format!(
            "{at}: taken for the {test} images, as there is no {test}/ folder; the {val} part is drawn from train/",
            test = test.name(),
            val = val.name()
        ));
        folders.swap(1, 2);
    }
    let mut there = Vec::new();
    for (part, path) in Part::ALL.into_iter().zip(folders) {
        if let Some(path) = path {
            there.push(PartFolder { part, classes: class_folders(&path, &mut warnings)?, path });
        }
    }
    warn_of_others(path, &there, &mut warnings);
    // What a run trains on says which classes there are; where that is not there, everything does.
    let known = if there[0].part == Part::Train { &there[..1] } else { &there[..] };
    let names: BTreeSet<&String> = known.iter().flat_map(|folder| &folder.classes).map(|(name, _)| name).collect();
    let mut classes: Vec<String> = names.into_iter().cloned().collect();
    warn_of_twins(&there[0].path, &classes, &mut warnings);
    let mut aside = Aside::default();
    if classes.len() < least {
        aside.refusals.push(there[0].too_few(classes.len(), least));
    }
    let mut parts = Vec::new();
    for folder in &there {
        if folder.part != Part::Train {
            compare_classes(&mut classes, folder, &there, &mut warnings, &mut aside.refusals);
        }
        parts.push((folder.part, Arc::new(list(path, folder.part, &folder.classes, &classes, &mut aside))));
    }
    warnings.extend(aside.warning(path));
    let reader = Box::new(ImageFolder { path: path.into(), parts });
    let Aside { refusals, unread, .. } = aside;
    Ok(Some(Found { warnings, refusals, unread, ..Found::new("image folders", classes, reader) }))
}

/// The classes of a part beside the known ones; those that train should have, and has not, become known too.
fn compare_classes(
    classes: &mut Vec<String>,
    folder: &PartFolder,
    there: &[PartFolder],
    warnings: &mut Vec<String>,
    refusals: &mut Vec<DataError>,
) {
    if folder.classes.is_empty() && !classes.is_empty() {
        refusals.push(DataError::unfit(&folder.path, "no class folders", LOOKED_FOR));
        return;
    }
    for name in classes.iter().filter(|name| !folder.has(name)) {
        let never = if folder.part == Part::Val { "validated" } else { "tested" };
        let of = there.iter().find(|other| other.has(name)).expect("known from one of them").part.name();
        let (at, name) = (Shown(&folder.path), printable(name));
        warnings.push(format!("{at}: class `{name}` of {of} is missing, so it is never {never}"));
    }
    let (count, known) = (classes.len(), listed(classes));
    for (name, path) in &folder.classes {
        if !classes.contains(name) {
            // A train without any class was refused for that.
            if !known.is_empty() {
                let wrong = format!("train has no class `{}`", printable(name));
                let twin = classes[..count].iter().find_map(|known| alike(name, known));
                let expected = format!("one of {known}") + &twin.map_or(String::new(), |how| format!(" ({how})"));
                refusals.push(DataError::unfit(path, wrong, expected));
            }
            classes.push(name.clone());
        }
    }
}

/// Reads one PNG or JPEG as `[size, size, channels]` bytes, turned as its EXIF orientation says, and on white where it is
/// transparent. (PyTorch's ImageFolder leaves such an image as it is stored, and drops what says where it is transparent.)
///
/// # Errors
/// A file that cannot be read, is no PNG or JPEG, is damaged, or is larger than 8192 pixels a side or 256 MiB decoded.
pub fn read_image(path: &Path, format: Format) -> Result<Vec<u8>, DataError> {
    format.check()?;
    let mut out = vec![0; format.bytes()];
    fit(&stored(path)?, format, &mut out);
    Ok(out)
}

/// A PNG's or JPEG's image, upright.
pub(crate) fn decoded(path: &Path) -> Result<DynamicImage, DataError> {
    let bytes = regular_file::read(path, LARGEST_FILE).map_err(|e| DataError::io(path, e))?;
    let kind = image::guess_format(&bytes).ok();
    let Some(kind @ (ImageFormat::Png | ImageFormat::Jpeg)) = kind else {
        return Err(match unread::format(&bytes) {
            Some(format) => {
                DataError::unfit(path, format!("{format} is not read"), "PNG or JPEG: convert it to one of them")
            }
            None if bytes.is_empty() => DataError::unfit(path, "an empty file", "a PNG or JPEG image"),
            None => DataError::unfit(path, "not an image by its first bytes", "a PNG or JPEG image"),
        });
    };
    if kind == ImageFormat::Jpeg && !jpeg::is_whole(&bytes) {
        return Err(DataError::unfit(path, "the image ends early", "a whole PNG or JPEG image"));
    }
    if kind == ImageFormat::Png && !png::has_whole_palette(&bytes) {
        return Err(DataError::unfit(path, "a palette that ends within a colour", "a whole PNG or JPEG image"));
    }
    let refused = |wrong: String| {
        let most = format!("{LARGEST_SIDE} pixels a side and {} MiB decoded", LARGEST_DECODED >> 20);
        DataError::unfit(path, wrong, format!("a whole PNG or JPEG image of at most {most}"))
    };
    // A decoder that panics has met damage that its authors did not think of: no less the file's.
    DECODING.set(true);
    let read = panic::catch_unwind(AssertUnwindSafe(|| upright(&bytes, kind)));
    DECODING.set(false);
    read.map_err(|_| refused("damage that its decoder does not expect".into()))?.map_err(refused)
}

/// The image in `bytes`, turned as its EXIF orientation says: a camera that was held upright stores it lying. Or else what is
/// wrong with it.
fn upright(bytes: &[u8], kind: ImageFormat) -> Result<DynamicImage, String> {
    let said = |error: ImageError| png::in_brief(&error.to_string());
    // Without the largest side, of which the decoder's refusal would not say how large it is.
    let mut limits = Limits::default();
    limits.max_alloc = Some(LARGEST_DECODED);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), kind);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(said)?;
    let (width, height) = decoder.dimensions();
    if width.max(height) > LARGEST_SIDE {
        return Err(format!("{width}x{height} pixels"));
    }
    // `ImageReader::decode` does so, `into_decoder` does not.
    let needed = decoder.total_bytes();
    limits
        .reserve(needed)
        .map_err(|_| format!("{width}x{height} pixels that take {} MiB", needed.div_ceil(1 << 20)))?;
    decoder.set_limits(limits).map_err(said)?;
    // One that cannot be read is none.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(said)?;
    image.apply_orientation(orientation);
    Ok(image)
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

/// A file's image, upright, on white where it is transparent, without the bits beyond 8.
pub(super) fn stored(path: &Path) -> Result<Raw<'static>, DataError> {
    let decoded = decoded(path)?;
    let (width, height) = (decoded.width() as usize, decoded.height() as usize);
    let (in_colour, has_alpha) = (decoded.color().has_color(), decoded.color().has_alpha());
    let channels = if in_colour { 3 } else { 1 };
    let (pixels, transparent) = match (in_colour, has_alpha) {
        (true, false) => (decoded.into_rgb8().into_raw(), false),
        (false, false) => (decoded.into_luma8().into_raw(), false),
        (true, true) => alpha::on_white(&decoded.into_rgba8(), channels),
        (false, true) => alpha::on_white(&decoded.into_luma_alpha8(), channels),
    };
    Ok(Raw { transparent, ..Raw::new(pixels, width, height, channels) })
}
