//! Where the data lies that settings name: whether it is there at all, and what may be written beside it.

use crate::Error;
use crate::checkpoint::Checkpoint;
use crate::data::{Layout, is_part_name, layout};
use crate::evaluate::settings;
use crate::settings::SYNTHETIC;
use std::path::{Path, PathBuf};

/// Checks that the data, which the file `whose` names, is there: a run notes it as it was seen from where the run was begun.
///
/// # Errors
/// [`Error::BadFile`] where it is not.
pub fn check_there(whose: &Path, data: &str) -> Result<(), Error> {
    if data == SYNTHETIC || Path::new(data).exists() {
        return Ok(());
    }
    let problem = format!("its data, {data}, is not there as seen from here; --data DIR says where the images are");
    Err(Error::BadFile { path: whose.into(), problem })
}

/// What is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// A picture or another file, by itself.
    File,
    /// A folder of files.
    Folder,
}

/// Checks, before anything is created, that the folder `out` would not lie where it would be taken for a class of `data`: the next look
/// at the images, the run's own among these, would find it. Beside train/ and test/ it may lie.
///
/// # Errors
/// [`Error::Setting`] where it would.
pub fn check_apart(out: &Path, data: &str) -> Result<(), Error> {
    if !is_seen_in(out, data, Written::Folder) {
        return Ok(());
    }
    let named = Path::new(data);
    // `.` has no name of its own until it is resolved.
    let full = named.file_name().is_none().then(|| named.canonicalize().ok()).flatten();
    let named = full.as_deref().unwrap_or(named).display();
    let advice = "give --out, or run from the folder above";
    let expected = format!("a folder outside {named}, where it would be taken for a class ({advice})");
    Err(Error::Setting { name: "out", expected, got: out.display().to_string() })
}

/// Checks that what is written to `path`, which the setting `name` gives, does not take the place of an image of `data`, and is taken for
/// none.
///
/// # Errors
/// [`Error::Setting`] where it could.
pub fn check_outside(name: &'static str, path: &Path, data: &str, written: Written) -> Result<(), Error> {
    if !is_seen_in(path, data, written) {
        return Ok(());
    }
    let expected = format!("a name outside {data}, whose images it could be taken for");
    Err(Error::Setting { name, expected, got: path.display().to_string() })
}

/// The same for the data of the run that wrote a checkpoint, as far as that says which they are.
///
/// # Errors
/// [`Error::Setting`] where it could.
pub fn check_outside_data_of(
    read: &Checkpoint,
    name: &'static str,
    path: &Path,
    written: Written,
) -> Result<(), Error> {
    // What needs no settings of the run does without those that cannot be read.
    settings(read, None).map_or(Ok(()), |settings| check_outside(name, path, &settings.data, written))
}

/// Whether something of this name lies where the images of `data` are looked for; folders on the way to it may be new.
fn is_seen_in(path: &Path, data: &str, written: Written) -> bool {
    if data == SYNTHETIC {
        return false;
    }
    let Ok(data) = Path::new(data).canonicalize() else { return false };
    // A link lies where its name does, and leads elsewhere.
    let by_name = path.file_name().and_then(|name| Some(full(path.parent()?)?.join(name)));
    let below = |place: &PathBuf| place.strip_prefix(&data).map(Path::to_path_buf).ok();
    let places: Vec<PathBuf> = full(path).iter().chain(&by_name).filter_map(below).collect();
    // The data is looked at only where that matters.
    !places.is_empty() && {
        let layout = layout(&data);
        places.iter().any(|below| is_looked_at(below, layout, written))
    }
}

/// Whether something of this place in a data set is looked at when images are read.
fn is_looked_at(below: &Path, layout: Layout, written: Written) -> bool {
    let names: Vec<_> = below.components().map(|part| part.as_os_str().to_string_lossy()).collect();
    if names.iter().any(|name| name.starts_with('.')) {
        return false;
    }
    match layout {
        Layout::Parts => names.first().is_some_and(|first| is_part_name(first)),
        // A file beside the class folders is none of their images.
        Layout::Classes => written == Written::Folder || names.len() > 1,
        Layout::Other => false,
    }
}

/// The path from the root, links resolved as far as it is there.
fn full(path: &Path) -> Option<PathBuf> {
    path.ancestors().find_map(|there| {
        let named = if there.as_os_str().is_empty() { Path::new(".") } else { there };
        let new = path.strip_prefix(there).ok()?;
        named.canonicalize().ok().map(|there| there.join(new))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    /// Files of these names below `pets`, which is what is returned; none is opened.
    fn pets(folder: &Path, files: &[&str]) -> PathBuf {
        let pets = folder.join("pets");
        for file in files {
            let path = pets.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        pets
    }

    fn refused(folder: &Path, out: &str) -> Option<String> {
        check_apart(&folder.join(out), folder.join("pets").to_str().unwrap()).err().map(|error| error.to_string())
    }

    #[test]
    fn a_run_does_not_become_a_class() {
        let here = tempfile::tempdir().unwrap();
        let data = pets(here.path(), &["cat/1.png", "cat/2.png", "dog/1.png"]);
        for out in ["pets/runs", "pets/new/er/run", "pets/cat/run", "pets", "runs/../pets/runs"] {
            fs::create_dir_all(here.path().join("runs")).unwrap();
            let expected = format!(
                "out: expected a folder outside {}, where it would be taken for a class (give --out, or run from \
                 the folder above), got {}",
                data.display(),
                here.path().join(out).display()
            );
            assert_eq!(refused(here.path(), out), Some(expected), "{out}");
        }
        for out in ["runs", "pets2/runs", "new/runs", "pets/.runs/1", "."] {
            assert_eq!(refused(here.path(), out), None, "{out}");
        }
        assert!(check_apart(Path::new("runs"), SYNTHETIC).is_ok() && check_apart(Path::new("runs"), "none").is_ok());
        // What a run has left there already is the same.
        fs::create_dir_all(data.join("runs/0001/samples")).unwrap();
        assert!(refused(here.path(), "pets/runs").is_some());
    }

    #[cfg(unix)]
    #[test]
    fn a_link_lies_where_its_name_does_and_where_it_leads() {
        let here = tempfile::tempdir().unwrap();
        let data = pets(here.path(), &["cat/1.png", "dog/1.png"]);
        fs::create_dir(here.path().join("elsewhere")).unwrap();
        std::os::unix::fs::symlink(here.path().join("elsewhere"), data.join("runs")).unwrap();
        std::os::unix::fs::symlink(&data, here.path().join("link")).unwrap();
        assert!(refused(here.path(), "pets/runs").is_some() && refused(here.path(), "link/runs").is_some());
        assert!(refused(here.path(), "elsewhere").is_none());
    }

    #[test]
    fn files_take_no_images_place() {
        let here = tempfile::tempdir().unwrap();
        let data = pets(here.path(), &["cat/1.png", "dog/1.png"]);
        let refused = |name: &str, written| {
            check_outside("sheet", &here.path().join(name), data.to_str().unwrap(), written)
                .err()
                .map(|e| e.to_string())
        };
        for inside in ["pets/cat/0.png", "pets/new/er/sheet.png", "pets/../pets/cat/new.png"] {
            let error = refused(inside, Written::File).expect(inside);
            assert!(
                error.starts_with("sheet: expected a name outside ") && error.contains(", whose images it could be")
            );
        }
        assert!(refused("pets/new", Written::Folder).is_some());
        for outside in ["sheet.png", "new/sheet.png", "pets2/sheet.png", "pets/sheet.png", "pets/.new/sheet.png"] {
            assert_eq!(refused(outside, Written::File), None, "{outside}");
        }
        assert!(check_outside("sheet", Path::new("sheet.png"), "none", Written::File).is_ok());
        // Files of many images are no folder of images.
        let mnist = here.path().join("mnist");
        fs::create_dir(&mnist).unwrap();
        assert!(check_outside("out", &mnist.join("fakes/1"), mnist.to_str().unwrap(), Written::Folder).is_ok());
    }

    #[test]
    fn beside_train_and_test_is_room_for_runs() {
        let here = tempfile::tempdir().unwrap();
        pets(here.path(), &["train/cat/1.png", "train/dog/1.png", "test/cat/1.png", "test/dog/1.png"]);
        assert_eq!(refused(here.path(), "pets/runs"), None);
        assert!(
            refused(here.path(), "pets/train/runs").is_some() && refused(here.path(), "pets/val/cat/run").is_some()
        );
    }

    #[test]
    fn data_that_is_gone_is_told_with_the_file_that_names_it() {
        let here = tempfile::tempdir().unwrap();
        let there = here.path().to_str().unwrap();
        assert!(check_there(Path::new("c.toml"), there).is_ok() && check_there(Path::new("c"), SYNTHETIC).is_ok());
        assert_eq!(
            check_there(Path::new("run/config.toml"), "no/pets").unwrap_err().to_string(),
            "run/config.toml: its data, no/pets, is not there as seen from here; --data DIR says where the images are"
        );
    }
}
