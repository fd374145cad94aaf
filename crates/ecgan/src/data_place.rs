//! Where the data lies that settings name: whether it is there at all, and what may be written beside it.

use crate::Error;
use crate::data::{Source, SyntheticOptions};
use crate::settings::SYNTHETIC;
use std::path::{Component, Path, PathBuf};

/// Checks that the data, which the file `whose` names, is there: a run notes it as it was seen from where the run was begun.
///
/// # Errors
/// [`Error::BadFile`] where it is not.
pub fn check_there(whose: &Path, data: &str) -> Result<(), Error> {
    if data == SYNTHETIC || Path::new(data).exists() {
        return Ok(());
    }
    let problem =
        format!("the run's data, {data}, is not there as seen from here; --data DIR says where the images are");
    Err(Error::BadFile { path: whose.into(), problem })
}

/// Checks, before anything is created, that the folder `out` would not lie inside data of class folders alone: the next look at
/// them, the run's own among these, would find one class more. Beside train/ and test/ it may.
///
/// # Errors
/// [`Error::Setting`] where it would.
pub fn check_apart(out: &Path, data: &str) -> Result<(), Error> {
    if data == SYNTHETIC || !is_seen_in(out, Path::new(data)) || !is_of_class_folders(data) {
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

/// Whether a folder of this name lies below `data` where the images of it are looked for; folders on the way to it may be new.
fn is_seen_in(out: &Path, data: &Path) -> bool {
    let Ok(data) = data.canonicalize() else { return false };
    // A link lies where its name does, and leads elsewhere.
    let by_name = out.file_name().and_then(|name| Some(full(out.parent()?)?.join(name)));
    let is_hidden =
        |part: Component<'_>| matches!(part, Component::Normal(name) if name.to_string_lossy().starts_with('.'));
    let is_seen = |out: PathBuf| out.strip_prefix(&data).is_ok_and(|below| !below.components().any(is_hidden));
    full(out).into_iter().chain(by_name).any(is_seen)
}

/// The path from the root, links resolved as far as it is there.
fn full(path: &Path) -> Option<PathBuf> {
    path.ancestors().find_map(|there| {
        let named = if there.as_os_str().is_empty() { Path::new(".") } else { there };
        let new = path.strip_prefix(there).ok()?;
        named.canonicalize().ok().map(|there| there.join(new))
    })
}

/// Whether it is such a set, be it one that cannot be used, as it has such a folder already.
fn is_of_class_folders(data: &str) -> bool {
    let none = SyntheticOptions { seed: 0, train: 0, test: 0 };
    Source::look(data, &none).is_ok_and(|opened| opened.source.is_unsplit())
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
    fn beside_train_and_test_is_room_for_runs() {
        let here = tempfile::tempdir().unwrap();
        pets(here.path(), &["train/cat/1.png", "train/dog/1.png", "test/cat/1.png", "test/dog/1.png"]);
        assert_eq!(refused(here.path(), "pets/runs"), None);
    }

    #[test]
    fn data_that_is_gone_is_told_with_the_file_that_names_it() {
        let here = tempfile::tempdir().unwrap();
        let there = here.path().to_str().unwrap();
        assert!(check_there(Path::new("c.toml"), there).is_ok() && check_there(Path::new("c"), SYNTHETIC).is_ok());
        assert_eq!(
            check_there(Path::new("run/config.toml"), "no/pets").unwrap_err().to_string(),
            "run/config.toml: the run's data, no/pets, is not there as seen from here; --data DIR says where the images are"
        );
    }
}
