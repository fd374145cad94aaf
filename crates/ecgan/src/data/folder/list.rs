//! What lies in a folder of class folders.

use super::{Raw, fit, stored};
use crate::data::{DataError, Format, Listing};
use crate::printable::{Shown, printable};
use std::path::{Path, PathBuf};

/// What an image in a folder is called at its end.
pub const EXTENSIONS: [&str; 3] = ["png", "jpg", "jpeg"];

/// What operating systems leave in folders where it is not hidden: Windows' previews and folder settings, and attributes
/// of macOS that an archive carried elsewhere.
const LITTER: [&str; 3] = ["Thumbs.db", "desktop.ini", "__MACOSX"];

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
        if !name.starts_with('.') && !LITTER.iter().any(|litter| litter.eq_ignore_ascii_case(&name)) {
            entries.push((name, entry.path()));
        }
    }
    entries.sort();
    Ok(entries)
}

/// The class folders of a part, sorted; loose files beside them are reported.
pub fn class_folders(path: &Path, warnings: &mut Vec<String>) -> Result<Vec<(String, PathBuf)>, DataError> {
    let (folders, loose): (Vec<_>, Vec<_>) = entries(path)?.into_iter().partition(|(_, path)| path.is_dir());
    // Two names could become one, with characters in place of what is no text.
    if let Some((_, folder)) = folders.iter().find(|(_, path)| path.file_name().is_some_and(|n| n.to_str().is_none())) {
        return Err(DataError::unfit(folder, "the name of a class is not UTF-8", "a name that is text"));
    }
    if let Some((name, _)) = loose.first() {
        let (at, count, name) = (Shown(path), loose.len(), printable(name));
        warnings.push(format!("{at}: ignored {count} file(s) outside the class folders (`{name}`)"));
    }
    Ok(folders)
}

/// The files of these class folders of `data`; what does not belong there is a refusal.
pub fn list(
    data: &Path,
    folders: &[(String, PathBuf)],
    classes: &[String],
    refusals: &mut Vec<DataError>,
) -> Result<List, DataError> {
    let mut list = List { data: data.into(), files: Vec::new(), labels: Vec::new() };
    for (name, folder) in folders {
        let label = classes.iter().position(|class| class == name).expect("checked by the caller") as i32;
        let (nested, files): (Vec<_>, Vec<_>) = entries(folder)?.into_iter().partition(|(_, path)| path.is_dir());
        for (_, nested) in &nested {
            refusals.push(DataError::unfit(nested, "a folder inside a class folder", "images only"));
        }
        if files.is_empty() && nested.is_empty() {
            refusals.push(DataError::unfit(folder, "no images in this class", "at least one PNG or JPEG"));
        }
        list.labels.resize(list.labels.len() + files.len(), label);
        list.files.extend(files.into_iter().map(|(_, path)| path));
    }
    Ok(list)
}
