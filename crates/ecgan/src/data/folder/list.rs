//! What lies in a folder of class folders.

use super::{Raw, fit, named, stored};
use crate::counts::many;
use crate::data::{DataError, Format, Listing, Part};
use crate::printable::{Shown, printable};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// What an image in a folder is called at its end. The last two are JPEG's as well: browsers save photographs so.
pub const EXTENSIONS: [&str; 5] = ["png", "jpg", "jpeg", "jpe", "jfif"];

/// What operating systems leave in folders where it is not hidden: Windows' previews and folder settings, and attributes
/// of macOS that an archive carried elsewhere.
const LITTER: [&str; 3] = ["Thumbs.db", "desktop.ini", "__MACOSX"];

/// What the names of files end in that lie beside images and are none.
const NO_IMAGES: [&str; 41] = [
    "txt", "md", "rst", "log", "csv", "tsv", "json", "jsonl", "xml", "yaml", "yml", "toml", "ini", "cfg", "conf",
    "html", "htm", "css", "js", "py", "ipynb", "sh", "bat", "pdf", "doc", "docx", "xls", "xlsx", "ods", "odt", "db",
    "sqlite", "zip", "gz", "tar", "7z", "rar", "npy", "npz", "mat", "pkl",
];

/// Whether a file is an image by its name's end.
pub fn is_named_as_image(path: &Path) -> bool {
    has_extension(path, &EXTENSIONS)
}

/// Whether a file's name ends in one of these, in whatever case.
pub fn has_extension(path: &Path, extensions: &[&str]) -> bool {
    let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    extensions.iter().any(|known| known.eq_ignore_ascii_case(extension))
}

/// The files of one part with their labels, in order.
pub struct List {
    /// The folder that is the data set.
    pub data: PathBuf,
    pub files: Vec<PathBuf>,
    pub labels: Vec<i32>,
}

impl Listing for List {
    fn labels(&self) -> &[i32] {
        &self.labels
    }

    fn name(&self, index: usize) -> String {
        self.files[index].display().to_string()
    }

    fn file_name(&self, index: usize) -> Option<&OsStr> {
        self.files[index].file_name()
    }

    fn stored(&self, index: usize) -> Result<Raw<'_>, DataError> {
        stored(&self.files[index])
    }

    /// A run stops at the first file that cannot be read, so its error says where to find the others.
    fn decode(&self, index: usize, format: Format, out: &mut [u8]) -> Result<(), DataError> {
        let of_many = |problem| DataError::Image { problem: Box::new(problem), data: self.data.clone() };
        fit(&self.stored(index).map_err(of_many)?, format, out);
        Ok(())
    }
}

/// The entries of a folder that are neither hidden nor litter, sorted by name.
pub fn entries(path: &Path) -> Result<Vec<(String, PathBuf)>, DataError> {
    let mut entries = Vec::new();
    for entry in path.read_dir().map_err(|e| DataError::io(path, e))? {
        let entry = entry.map_err(|e| DataError::io(path, e))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if counts(&name) {
            entries.push((name, entry.path()));
        }
    }
    entries.sort();
    Ok(entries)
}

/// Whether an entry of a folder is looked at.
fn counts(name: &str) -> bool {
    !name.starts_with('.') && !LITTER.iter().any(|litter| litter.eq_ignore_ascii_case(name))
}

/// Whether a folder can be read and has images, which lie in no folder of it. The first one ends the search: there may be very many.
pub fn has_images(folder: &Path) -> bool {
    let is_image =
        |entry: fs::DirEntry| counts(&entry.file_name().to_string_lossy()) && is_named_as_image(&entry.path());
    folder.read_dir().is_ok_and(|inside| inside.flatten().any(is_image))
}

/// The class folders of a part, sorted; loose files beside them are reported.
pub fn class_folders(path: &Path, warnings: &mut Vec<String>) -> Result<Vec<(String, PathBuf)>, DataError> {
    let (folders, loose): (Vec<_>, Vec<_>) = entries(path)?.into_iter().partition(|(_, path)| path.is_dir());
    // Two names could become one, with characters in place of what is no text.
    if let Some((_, folder)) = folders.iter().find(|(_, path)| path.file_name().is_some_and(|n| n.to_str().is_none())) {
        return Err(DataError::unfit(folder, "the name of a class is not UTF-8", "a name that is text"));
    }
    let at = Shown(path);
    if let Some((name, _)) = loose.first() {
        let (files, name) = (many(loose.len(), "file"), printable(name));
        warnings.push(format!("{at}: ignored {files} outside the class folders (`{name}`)"));
    }
    let hidden = hidden_with_images(path);
    if !hidden.is_empty() {
        let names: Vec<&str> = hidden.iter().map(String::as_str).collect();
        let (folders, names) = (many(hidden.len(), "folder"), named(&names));
        warnings.push(format!("{at}: ignored {folders} with images and a dot at the beginning of the name ({names})"));
    }
    Ok(folders)
}

/// The names of hidden folders that have images, sorted: a class may have been meant.
fn hidden_with_images(path: &Path) -> Vec<String> {
    let Ok(inside) = path.read_dir() else { return Vec::new() };
    let hidden = inside.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with('.'));
    let with_images = hidden.filter(|entry| has_images(&entry.path()));
    let mut names: Vec<String> = with_images.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// What is in class folders and not among their images.
#[derive(Default)]
pub struct Aside {
    /// What does not belong there.
    pub refusals: Vec<DataError>,
    /// Class folders that cannot be read, and the part that each belongs to.
    pub unread: Vec<(Part, DataError)>,
    /// Files that are no images by their names.
    pub passed_over: Vec<PathBuf>,
}

impl Aside {
    /// What to say of the files that were passed over.
    pub fn warning(&self, data: &Path) -> Option<String> {
        let (first, files) = (self.passed_over.first()?, many(self.passed_over.len(), "file"));
        let (at, first) = (Shown(data), Shown(first.strip_prefix(data).unwrap_or(first)));
        Some(format!("{at}: ignored {files} in the class folders not named as images (`{first}`)"))
    }
}

/// The images of one part of `data`, which lie in these class folders; what else is there goes `aside`.
pub fn list(data: &Path, part: Part, folders: &[(String, PathBuf)], classes: &[String], aside: &mut Aside) -> List {
    let mut list = List { data: data.into(), files: Vec::new(), labels: Vec::new() };
    for (name, folder) in folders {
        let label = classes.iter().position(|class| class == name).expect("checked by the caller") as i32;
        let inside = match entries(folder) {
            Ok(inside) => inside,
            Err(error) => {
                aside.unread.push((part, error));
                continue;
            }
        };
        let paths = inside.into_iter().map(|(_, path)| path);
        let (nested, files): (Vec<_>, Vec<_>) = paths.partition(|path| path.is_dir());
        let (images, others): (Vec<_>, Vec<_>) = files.into_iter().partition(|path| may_be_image(path));
        for nested in &nested {
            aside.refusals.push(DataError::unfit(nested, "a folder inside a class folder", "images only"));
        }
        if images.is_empty() && nested.is_empty() {
            aside.refusals.push(without_images(folder, &others));
        }
        list.labels.resize(list.labels.len() + images.len(), label);
        list.files.extend(images);
        aside.passed_over.extend(others);
    }
    list
}

/// Whether a file in a class folder is taken for an image: whatever its name ends in, unless that is something else's. What it is,
/// its first bytes say then.
fn may_be_image(path: &Path) -> bool {
    !has_extension(path, &NO_IMAGES)
}

/// The refusal of a class folder in which there are no files but these.
fn without_images(folder: &Path, others: &[PathBuf]) -> DataError {
    let Some(name) = others.first().and_then(|path| path.file_name()) else {
        return DataError::unfit(folder, "no images in this class", "at least one PNG or JPEG");
    };
    let wrong = format!("{}, none named as an image (`{}`)", many(others.len(), "file"), name.to_string_lossy());
    DataError::unfit(folder, wrong, format!("at least one PNG or JPEG: *.{}", EXTENSIONS.join(", *.")))
}
