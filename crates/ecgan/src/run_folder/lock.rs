//! One process at a time in a run folder.

use crate::Error;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// The file that is locked; it is there while a process is at work, and after one was killed.
pub const NAME: &str = ".lock";

/// The right to write into a folder, which ends with the process whatever ends it.
#[derive(Debug)]
pub struct Lock {
    path: PathBuf,
    file: Option<File>,
}

impl Lock {
    /// Takes the lock of `folder`, which exists.
    ///
    /// # Errors
    /// [`Error::Locked`] where another process has it; [`Error::Io`].
    pub fn take(folder: &Path) -> Result<Self, Error> {
        let path = folder.join(NAME);
        loop {
            let file = open(&path).map_err(Error::io(&path, "write"))?;
            match where_there_are_locks(file.try_lock()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Err(Error::Locked { path: folder.to_path_buf() });
                }
                locked => locked.map_err(Error::io(&path, "lock"))?,
            }
            // Whoever had the lock may have removed the file between our opening and locking it.
            if is_at(&file, &path) {
                return Ok(Self { path, file: Some(file) });
            }
        }
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Lock {
    /// Removes the file while it is still locked, so that nobody else's is removed.
    fn drop(&mut self) {
        if let Some(file) = self.file.take() {
            let _ = fs::remove_file(&self.path);
            drop(file);
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    File::options().read(true).write(true).create(true).truncate(false).open(path)
}

/// "No locks available": what NFS says where no daemon for them runs, and what has no [`io::ErrorKind`].
const NO_LOCKS: Option<i32> = if cfg!(target_os = "linux") {
    Some(37)
} else if cfg!(target_vendor = "apple") {
    Some(77)
} else {
    None
};

/// What came of asking for a file's lock. Where the file system has no locks it counts as had: the chance is taken that another
/// process is at it.
pub(crate) fn where_there_are_locks<E: Into<io::Error>>(asked: Result<(), E>) -> io::Result<()> {
    match asked.map_err(Into::into) {
        Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
        Err(error) if error.raw_os_error().is_some_and(|code| NO_LOCKS == Some(code)) => Ok(()),
        asked => asked,
    }
}

/// Whether `path` still names this very file.
#[cfg(unix)]
pub(crate) fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let number = |metadata: io::Result<fs::Metadata>| metadata.ok().map(|m| (m.dev(), m.ino()));
    number(file.metadata()) == number(fs::metadata(path))
}

/// Elsewhere a file that is open keeps its name.
#[cfg(not(unix))]
pub(crate) fn is_at(_: &File, path: &Path) -> bool {
    path.exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time_and_nothing_stays() {
        let folder = tempfile::tempdir().unwrap();
        let lock = Lock::take(folder.path()).unwrap();
        let message = Lock::take(folder.path()).unwrap_err().to_string();
        assert!(
            message.ends_with("another process trains in this folder; wait until it ends, or stop it"),
            "{message}"
        );
        drop(lock);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        // What a killed process leaves is no lock.
        fs::write(folder.path().join(NAME), "").unwrap();
        drop(Lock::take(folder.path()).unwrap());
        assert!(Lock::take(&folder.path().join("none")).unwrap_err().to_string().contains(".lock: cannot write: "));
    }

    #[test]
    fn a_file_system_without_locks_is_no_hindrance_and_another_refusal_is() {
        let asked = |error: io::Error| where_there_are_locks(Err(error)).map_err(|error| error.kind());
        for none in NO_LOCKS.map(io::Error::from_raw_os_error).into_iter().chain([io::ErrorKind::Unsupported.into()]) {
            assert_eq!(asked(none), Ok(()));
        }
        for kind in [io::ErrorKind::WouldBlock, io::ErrorKind::PermissionDenied, io::ErrorKind::Other] {
            assert_eq!(asked(kind.into()), Err(kind));
        }
        assert_eq!(
            where_there_are_locks(Err(fs::TryLockError::WouldBlock)).unwrap_err().kind(),
            io::ErrorKind::WouldBlock
        );
    }
}
