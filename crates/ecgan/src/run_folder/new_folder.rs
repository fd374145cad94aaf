//! A folder of files that appear together.

use super::atomic::{beside, reason, sync_folder, temporary};
use super::{check_new_or_empty, missing, remove_if_empty};
use crate::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};
use std::thread;
use tempfile::TempDir;

/// Threads that sync files. They wait for the disk, which writes together what is asked for at once, and not for a processor.
const SYNCING: usize = 16;

/// A folder, new or empty, whose files appear under their names once all of them are written. Until then they are in a folder
/// of a temporary name: beside it, or, of one that is there already, within it, as that may be where a process works or a disk
/// is mounted. Dropped before its end it leaves nothing; a process that is killed leaves the temporary folder.
#[derive(Debug)]
pub struct NewFolder {
    path: PathBuf,
    /// Whether the folder was there before.
    there: bool,
    temporary: TempDir,
    files: Vec<PathBuf>,
    /// After the temporary folder, which lies in them.
    _made: Made,
}

/// Folders that were made on the way, innermost first: those that nothing came into go again.
#[derive(Debug)]
struct Made(Vec<PathBuf>);

impl Drop for Made {
    fn drop(&mut self) {
        remove_if_empty(&self.0);
    }
}

impl NewFolder {
    /// Begins to fill `path`, which the setting `name` gives. Folders on the way are created.
    ///
    /// # Errors
    /// [`Error::Occupied`] where it is neither new nor empty; [`Error::Io`].
    pub fn begin(name: &'static str, path: &Path) -> Result<Self, Error> {
        check_new_or_empty(name, path)?;
        let there = path.is_dir();
        let within = if there { path } else { beside(path) };
        let made = Made(missing(within));
        let temporary = fs::create_dir_all(within)
            .and_then(|()| temporary(0o777).tempdir_in(within).map_err(reason))
            .map_err(Error::io(path, "create"))?;
        Ok(Self { path: path.to_path_buf(), there, temporary, files: Vec::new(), _made: made })
    }

    /// Writes the file `name`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn write(
        &mut self,
        name: &str,
        write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
    ) -> Result<(), Error> {
        let write = |path: &Path| {
            let mut writer = BufWriter::new(File::create_new(path)?);
            write(&mut writer)?;
            writer.into_inner().map_err(io::IntoInnerError::into_error)
        };
        write(&self.temporary.path().join(name)).map_err(Error::io(&self.path.join(name), "write"))?;
        self.files.push(name.into());
        Ok(())
    }

    /// Syncs what was written and gives it its name. Of a new folder that is one step. In one that was there the files appear
    /// one by one, in the order they were written in: where the last of them is, all are.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn finish(self) -> Result<(), Error> {
        let error = Error::io(&self.path, "write");
        self.sync().and_then(|()| if self.there { self.fill() } else { self.rename() }).map_err(error)
    }

    fn sync(&self) -> io::Result<()> {
        let folder = self.temporary.path();
        // What is only read cannot be synced everywhere.
        let sync = |file: &PathBuf| OpenOptions::new().write(true).open(folder.join(file))?.sync_all();
        thread::scope(|scope| {
            let part = |files| move || <[PathBuf]>::iter(files).try_for_each(sync);
            let parts = self.files.chunks(self.files.len().div_ceil(SYNCING).max(1));
            let parts: Vec<_> = parts
                .map(|files| thread::Builder::new().spawn_scoped(scope, part(files)))
                .collect::<io::Result<_>>()?;
            parts.into_iter().try_for_each(|part| part.join().map_err(|_| io::Error::other("a thread panicked"))?)
        })?;
        sync_folder(folder)
    }

    fn rename(self) -> io::Result<()> {
        fs::rename(self.temporary.path(), &self.path)?;
        // The temporary name is gone, so that there is nothing to remove.
        let _ = self.temporary.keep();
        sync_folder(beside(&self.path))
    }

    fn fill(self) -> io::Result<()> {
        let temporary = self.temporary.path();
        self.files.iter().try_for_each(|file| fs::rename(temporary.join(file), self.path.join(file)))?;
        self.temporary.close()?;
        sync_folder(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::super::atomic::UNFINISHED;
    use super::*;
    use std::io::Write;

    fn entries(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    fn begun(path: &Path, files: usize) -> NewFolder {
        let mut folder = NewFolder::begin("dir", path).unwrap();
        (0..files).for_each(|i| folder.write(&format!("{i:03}"), |file| write!(file, "{i}")).unwrap());
        folder
    }

    #[test]
    fn files_appear_together_in_a_new_folder_and_in_an_empty_one() {
        let here = tempfile::tempdir().unwrap();
        let empty = here.path().join("empty");
        fs::create_dir(&empty).unwrap();
        for path in [here.path().join("on/the/way"), here.path().join("new"), empty] {
            for files in [0, 1, 40] {
                let there = path.exists();
                let folder = begun(&path, files);
                assert_eq!(path.exists(), there);
                assert!(!there || entries(&path).iter().all(|name| name.starts_with(UNFINISHED)), "too early");
                folder.finish().unwrap();
                assert_eq!(entries(&path), (0..files).map(|i| format!("{i:03}")).collect::<Vec<_>>());
                assert!((0..files).all(|i| fs::read_to_string(path.join(format!("{i:03}"))).unwrap() == i.to_string()));
                // Emptied, it is one that was there.
                entries(&path).iter().for_each(|name| fs::remove_file(path.join(name)).unwrap());
            }
        }
        assert_eq!(entries(here.path()), ["empty", "new", "on"]);
        assert_eq!(entries(&here.path().join("on/the")), ["way"]);
    }

    #[test]
    fn what_is_not_finished_leaves_nothing() {
        let here = tempfile::tempdir().unwrap();
        let (new, empty) = (here.path().join("new"), here.path().join("empty"));
        fs::create_dir(&empty).unwrap();
        for path in [&new, &empty, &here.path().join("on/the/way")] {
            let mut folder = begun(path, 3);
            let error = folder.write("x", |_| Err(io::Error::other("disk is full"))).unwrap_err();
            assert_eq!(error.to_string(), format!("{}: cannot write: disk is full", path.join("x").display()));
            drop(folder);
        }
        assert_eq!((entries(here.path()), entries(&empty)), (vec!["empty".into()], Vec::new()));
    }

    /// Of a process that was killed the temporary folder stays; the same can be done again.
    #[test]
    fn what_a_killed_process_left_is_not_in_the_way() {
        let here = tempfile::tempdir().unwrap();
        let (new, empty) = (here.path().join("new"), here.path().join("empty"));
        fs::create_dir(&empty).unwrap();
        for path in [&new, &empty] {
            std::mem::forget(begun(path, 3));
            begun(path, 2).finish().unwrap();
            assert_eq!(entries(path)[entries(path).len() - 2..], ["000", "001"]);
        }
    }

    #[test]
    fn what_came_meanwhile_is_not_replaced() {
        let here = tempfile::tempdir().unwrap();
        let path = here.path().join("new");
        let folder = begun(&path, 1);
        fs::create_dir(&path).unwrap();
        fs::write(path.join("000"), "mine").unwrap();
        let error = folder.finish().unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: cannot write: ", path.display())), "{error}");
        assert_eq!(fs::read_to_string(path.join("000")).unwrap(), "mine");
        assert_eq!(entries(here.path()), ["new"]);
        let error = NewFolder::begin("dir", &path).unwrap_err().to_string();
        assert!(error.starts_with("dir: expected a new or an empty folder, got "), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_is_open_as_any_other() {
        use std::os::unix::fs::PermissionsExt;
        let here = tempfile::tempdir().unwrap();
        let (ours, plain) = (here.path().join("ours"), here.path().join("plain"));
        begun(&ours, 1).finish().unwrap();
        fs::create_dir(&plain).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }
}
