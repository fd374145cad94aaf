//! What comes near to a data set in a folder that is none.

use super::folder::{entries, has_images, is_named_as_any_image, is_named_as_image, is_named_as_unread, misnamed};
use std::path::{Path, PathBuf};

/// Whether there are folders or images in a folder, so that it is no place for the files of a published data set.
pub fn has_folders_or_images(path: &Path) -> bool {
    entries(path).is_ok_and(|inside| inside.iter().any(|(_, path)| path.is_dir() || is_named_as_any_image(path)))
}

/// What to say of a folder that is no data set; `is_set` tells of another whether it is one.
pub fn near(path: &Path, is_set: impl Fn(&Path) -> bool) -> Option<String> {
    let (folders, files): (Vec<_>, Vec<_>) = entries(path).ok()?.into_iter().partition(|(_, path)| path.is_dir());
    // Before the next: each of them may be a data set by itself, too.
    if let Some(meant) = misnamed(path) {
        return Some(meant);
    }
    if let Some((name, _)) = folders.iter().find(|(name, _)| name.starts_with("cifar-10") && name.ends_with("-py")) {
        return Some(format!("`{name}` is the version for Python; the binary version is read"));
    }
    if let Some((name, folder)) = folders.iter().find(|(_, folder)| is_set(folder)) {
        return Some(format!("but `{name}` in it is one: did you mean {}?", folder.display()));
    }
    let unread = |(_, image): &(String, PathBuf)| {
        let such = format!("such as {}: convert them to PNG or JPEG", image.display());
        is_named_as_unread(image).then(|| format!("images of a format that is not read, {such}"))
    };
    // Before the next, too: one class may be of these, another not.
    if let Some(said) = folders.iter().filter_map(|(_, folder)| entries(folder).ok()?.iter().find_map(unread)).next() {
        return Some(said);
    }
    // With two of them it would be a data set.
    if let Some((class, _)) = folders.iter().find(|(_, folder)| has_images(folder)) {
        let has_folders =
            |folder: &Path| entries(folder).is_ok_and(|inside| inside.iter().any(|(_, path)| path.is_dir()));
        let nested = folders.iter().find(|(_, folder)| has_folders(folder) && !has_images(folder));
        let nested = nested.map_or_else(String::new, |(name, _)| format!(", and `{name}` holds folders but no images"));
        return Some(format!("one class folder with images, `{class}`; two or more are needed{nested}"));
    }
    if let Some((image, _)) = files.iter().find(|(_, path)| is_named_as_image(path)) {
        return Some(format!("images, such as `{image}`, but not in class folders"));
    }
    files.iter().find_map(unread)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Source, SyntheticOptions};
    use std::fs;

    /// What is said of the folder `set` beside these files, the path to it left out.
    fn said(files: &[&str]) -> String {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "never opened").unwrap();
        }
        let options = SyntheticOptions { seed: 0, train: 0, test: 0 };
        let message = Source::open(folder.path().join("set").to_str().unwrap(), &options).unwrap_err().to_string();
        message.replace(folder.path().to_str().unwrap(), "")
    }

    #[test]
    fn what_is_there_is_said_before_what_was_looked_for() {
        let none = |near: &str| format!("/set: no data set found{near}; looked for train/<class>/ and test/<class>/");
        for (files, near) in [
            (&["set/notes.txt"][..], ""),
            (&["set/a/b/1.png", "set/c/d/1.png"], ""),
            (
                &["set/cat/1.webp", "set/dog/2.png", "set/logo.gif"],
                " (images of a format that is not read, such as /set/cat/1.webp: convert them to PNG or JPEG)",
            ),
            (
                &["set/3.heic"],
                " (images of a format that is not read, such as /set/3.heic: convert them to PNG or JPEG)",
            ),
            (
                &["set/cifar-10-batches-py/data_batch_1"],
                " (`cifar-10-batches-py` is the version for Python; the binary version is read)",
            ),
            (&["set/1.png", "set/2.png"], " (images, such as `1.png`, but not in class folders)"),
            (&["set/cat/1.png", "set/dog/x.txt"], " (one class folder with images, `cat`; two or more are needed)"),
            (
                &["set/a/x/1.png", "set/b/1.png", "set/c/x.txt"],
                " (one class folder with images, `b`; two or more are needed, and `a` holds folders but no images)",
            ),
            (&["set/images/a/1.png", "set/images/b/1.png"], " (but `images` in it is one: did you mean /set/images?)"),
            (&["set/mnist/t10k-labels.idx1-ubyte"], " (but `mnist` in it is one: did you mean /set/mnist?)"),
            (
                &["set/TESTING/a/1.png", "set/TESTING/b/1.png", "set/training/a/1.png"],
                " (`TESTING`, `training`: did you mean `test`, `train`?)",
            ),
        ] {
            let message = said(files);
            assert!(message.starts_with(&none(near)), "{message}");
            let layouts =
                "with PNG or JPEG images (and val/<class>/, if you like); or <class>/ alone (two or more, to train)";
            assert_eq!(message.contains("SVHN"), files == ["set/notes.txt"], "{message}");
            assert!(message.contains("SVHN") || message.contains(layouts), "{message}");
        }
    }

    #[test]
    fn a_part_under_another_name_is_found_where_its_own_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("testing")).unwrap();
        fs::write(folder.path().join("training"), "a file").unwrap();
        assert_eq!(misnamed(folder.path()).unwrap(), "`testing`: did you mean `test`?");
        fs::create_dir(folder.path().join("test")).unwrap();
        assert_eq!(misnamed(folder.path()), None);
    }
}
