//! What lies in a folder of class folders.

use super::{Raw, stored};
use crate::data::{DataError, Listing};
use std::path::{Path, PathBuf};

/// The files of one part with their labels, in order.
pub struct List {
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
}

/// The entries of a folder that are not hidden, sorted by name.
pub fn entries(path: &Path) -> Result<Vec<(String, PathBuf)>, DataError> {
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
pub fn class_folders(path: &Path, warnings: &mut Vec<String>) -> Result<Vec<(String, PathBuf)>, DataError> {
    let (folders, loose): (Vec<_>, Vec<_>) = entries(path)?.into_iter().partition(|(_, path)| path.is_dir());
    // Two names could become one, with characters in place of what is no text.
    if let Some((_, folder)) = folders.iter().find(|(_, path)| path.file_name().is_some_and(|n| n.to_str().is_none())) {
        return Err(DataError::layout(folder, "the name of a class is not UTF-8", "a name that is text"));
    }
    if let Some((name, _)) = loose.first() {
        let count = loose.len();
        warnings.push(format!("{}: ignored {count} file(s) outside the class folders (`{name}`)", path.display()));
    }
    Ok(folders)
}

/// The files of these class folders; what does not belong there is a refusal.
pub fn list(
    folders: &[(String, PathBuf)],
    classes: &[String],
    refusals: &mut Vec<DataError>,
) -> Result<List, DataError> {
    let mut list = List { files: Vec::new(), labels: Vec::new() };
    for (name, folder) in folders {
        let label = classes.iter().position(|class| class == name).expect("checked by the caller") as i32;
        let (nested, files): (Vec<_>, Vec<_>) = entries(folder)?.into_iter().partition(|(_, path)| path.is_dir());
        for (_, nested) in &nested {
            refusals.push(DataError::layout(nested, "a folder inside a class folder", "images only"));
        }
        if files.is_empty() && nested.is_empty() {
            refusals.push(DataError::layout(folder, "no images in this class", "at least one PNG or JPEG"));
        }
        list.labels.resize(list.labels.len() + files.len(), label);
        list.files.extend(files.into_iter().map(|(_, path)| path));
    }
    Ok(list)
}
