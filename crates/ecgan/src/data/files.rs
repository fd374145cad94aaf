//! Images without labels: any files, and what lies in any folders.

use super::folder::{EXTENSIONS, entries, is_named_as_any_image, stored};
use super::{DataError, Listing, Raw};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

/// The files named, and of the folders named every PNG and JPEG below them, by its name's end, in the order of the names.
/// Links to folders are followed, but not back to one that the search is in. Hidden files and what operating systems leave beside
/// images are passed over. What is not there, a folder
/// that cannot be read, one named that has no image below it, and an image of a format that is not read, are taken too: each fails
/// as one file, and the others are read.
pub fn image_files(paths: &[PathBuf]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for path in paths {
        let before = files.len();
        let searched = path.is_dir() && below(path, &mut Vec::new(), &mut files).is_ok();
        if !searched || files.len() == before {
            files.push(path.clone());
        }
    }
    files
}

/// The search of a folder that lies in these, by their real names.
fn below(folder: &Path, within: &mut Vec<PathBuf>, files: &mut Vec<PathBuf>) -> Result<(), DataError> {
    let real = folder.canonicalize().map_err(|e| DataError::io(folder, e))?;
    if within.contains(&real) {
        return Ok(());
    }
    let inside = entries(folder)?;
    within.push(real);
    for (_, path) in inside {
        if path.is_dir() {
            if below(&path, within, files).is_err() {
                files.push(path);
            }
        } else if is_named_as_any_image(&path) {
            files.push(path);
        }
    }
    within.pop();
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
        let path = &self.files[index];
        let image = if path.is_dir() {
            // Unless something keeps it from being searched.
            let expected = || format!("a file, or a folder with images: *.{}", EXTENSIONS.join(", *."));
            let empty = || DataError::unfit(path, "no image in this folder or below", expected());
            Err(entries(path).err().unwrap_or_else(empty))
        } else {
            stored(path)
        };
        Ok(image.unwrap_or_else(|error| {
            self.failures().insert(index, error);
            Raw::new(vec![0], 1, 1, 1)
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
        fs::create_dir(at("a/__MACOSX")).unwrap();
        fs::create_dir(at("none")).unwrap();
        let hidden = ["a/.hidden.png", "a/notes.txt", "a/__MACOSX/1.png"];
        let found = ["a/2.PNG", "a/b/1.jpeg", "a/1.jpg", "a/b/3.WebP", "odd.name"];
        hidden.iter().chain(&found).for_each(|name| fs::write(at(name), "x").unwrap());
        let found = image_files(&[at("odd.name"), at("a")]);
        assert_eq!(found, ["odd.name", "a/1.jpg", "a/2.PNG", "a/b/1.jpeg", "a/b/3.WebP"].map(at));
    }

    #[cfg(unix)]
    #[test]
    fn links_to_folders_are_followed_and_end() {
        use std::os::unix::fs::symlink;
        let here = tempfile::tempdir().unwrap();
        let at = |name: &str| here.path().join(name);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::create_dir(at("far")).unwrap();
        ["a/1.png", "a/b/2.png", "far/3.png"].iter().for_each(|name| fs::write(at(name), "x").unwrap());
        symlink(at("a"), at("a/b/round")).unwrap();
        symlink(at("far"), at("a/linked")).unwrap();
        symlink(at("a"), at("far/back")).unwrap();
        assert_eq!(image_files(&[at("a")]), ["a/1.png", "a/b/2.png", "a/linked/3.png"].map(at));
        assert_eq!(
            image_files(&[at("a/linked")]),
            ["a/linked/3.png", "a/linked/back/1.png", "a/linked/back/b/2.png"].map(at)
        );
    }

    #[test]
    fn what_has_no_image_fails_as_one_file() {
        let here = tempfile::tempdir().unwrap();
        let at = |name: &str| here.path().join(name);
        fs::create_dir(at("none")).unwrap();
        fs::write(at("z.png"), "x").unwrap();
        let mut odd = vec![
            ("none", "none: no image in this folder or below; expected a file, or a folder"),
            ("gone", "gone: cannot read"),
        ];
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink("round.png", at("round.png")).unwrap();
            odd.push(("round.png", "round.png: cannot read"));
        }
        let named: Vec<PathBuf> = odd.iter().map(|(name, _)| at(name)).chain([at("z.png")]).collect();
        let found = image_files(&named);
        assert_eq!(found, named);
        let files = Files::new(found);
        for (index, (_, problem)) in odd.iter().enumerate() {
            assert_eq!(files.stored(index).unwrap().pixels.len(), 1);
            let message = files.take_failure(index).unwrap().to_string();
            assert!(message.contains(problem), "{message}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_cannot_be_read_stops_no_other() {
        use std::os::unix::fs::PermissionsExt;
        let here = tempfile::tempdir().unwrap();
        let at = |name: &str| here.path().join(name);
        fs::create_dir(at("locked")).unwrap();
        fs::write(at("z.png"), "x").unwrap();
        fs::set_permissions(at("locked"), fs::Permissions::from_mode(0o000)).unwrap();
        if at("locked").read_dir().is_err() {
            let found = image_files(&[here.path().into()]);
            assert_eq!(found, [at("locked"), at("z.png")]);
            let files = Files::new(found);
            files.stored(0).unwrap();
            let message = files.take_failure(0).unwrap().to_string();
            assert!(message.contains("locked: cannot read: "), "{message}");
            assert_eq!(image_files(&[at("locked")]), [at("locked")], "named, too");
        } else {
            println!("skipped: nothing is locked to the superuser");
        }
        fs::set_permissions(at("locked"), fs::Permissions::from_mode(0o700)).unwrap();
    }
}
