//! Images without labels: any files, and what lies in any folders.

use super::folder::{entries, stored};
use super::{DataError, Listing, Raw};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

/// What an image in a folder is called at its end.
const EXTENSIONS: [&str; 3] = ["png", "jpg", "jpeg"];

/// The files named, and of the folders named every PNG and JPEG below them, by its name's end, in the order of the names.
/// Hidden files and links to folders are passed over.
///
/// # Errors
/// A path that is not there, a folder that cannot be read or has no image below it.
pub fn image_files(paths: &[PathBuf]) -> Result<Vec<PathBuf>, DataError> {
    let mut files = Vec::new();
    for path in paths {
        if !path.metadata().map_err(|e| DataError::io(path, e))?.is_dir() {
            files.push(path.clone());
            continue;
        }
        let before = files.len();
        below(path, &mut files)?;
        if files.len() == before {
            let expected = format!("a file, or a folder with images: *.{}", EXTENSIONS.join(", *."));
            return Err(DataError::layout(path, "no image in this folder or below", expected));
        }
    }
    Ok(files)
}

fn below(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), DataError> {
    let is_image = |path: &Path| {
        let extension = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
        EXTENSIONS.iter().any(|known| known.eq_ignore_ascii_case(extension))
    };
    for (_, path) in entries(folder)? {
        match path.symlink_metadata().map_err(|e| DataError::io(&path, e))?.is_dir() {
            true => below(&path, files)?,
            false if is_image(&path) && !path.is_dir() => files.push(path),
            false => {}
        }
    }
    Ok(())
}

/// Files as a part of a data set whose labels do not matter. A file that cannot be decoded is black, and remembered.
pub(crate) struct Files {
    files: Vec<PathBuf>,
    labels: Vec<i32>,
    failed: Mutex<BTreeMap<usize, DataError>>,
}

impl Files {
    pub fn new(files: Vec<PathBuf>) -> Self {
        Self { labels: vec![0; files.len()], files, failed: Mutex::default() }
    }

    pub fn path(&self, index: usize) -> &Path {
        &self.files[index]
    }

    /// What was wrong with this file when it was decoded; `None` where nothing was.
    pub fn take_failure(&self, index: usize) -> Option<DataError> {
        self.failures().remove(&index)
    }

    fn failures(&self) -> MutexGuard<'_, BTreeMap<usize, DataError>> {
        self.failed.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Listing for Files {
    fn labels(&self) -> &[i32] {
        &self.labels
    }

    fn name(&self, index: usize) -> String {
        self.files[index].display().to_string()
    }

    fn stored(&self, index: usize) -> Result<Raw<'_>, DataError> {
        Ok(stored(&self.files[index]).unwrap_or_else(|error| {
            self.failures().insert(index, error);
            Raw { pixels: vec![0].into(), width: 1, height: 1, channels: 1 }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn files_are_taken_as_named_and_folders_are_searched() {
        let here = tempfile::tempdir().unwrap();
        let at = |name: &str| here.path().join(name);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::create_dir(at("none")).unwrap();
        for name in ["a/2.PNG", "a/b/1.jpeg", "a/1.jpg", "a/.hidden.png", "a/notes.txt", "odd.name"] {
            fs::write(at(name), "x").unwrap();
        }
        #[cfg(unix)]
        std::os::unix::fs::symlink(at("a"), at("a/round")).unwrap();
        let found = image_files(&[at("odd.name"), at("a")]).unwrap();
        assert_eq!(found, ["odd.name", "a/1.jpg", "a/2.PNG", "a/b/1.jpeg"].map(at));
        let refused = |name: &str| image_files(&[at("a"), at(name)]).unwrap_err().to_string();
        assert!(refused("none").contains("none: no image in this folder or below; expected a file, or a folder"));
        assert!(refused("missing").contains("missing: cannot read"));
    }
}
