//! Files that appear whole or not at all.

use crate::Error;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// How the name of a file or folder begins that is being written.
pub(super) const UNFINISHED: &str = ".writing-";

/// Writes a file under a temporary name in its own folder, syncs it, renames it to `path` and syncs the folder.
/// Whatever fails, and whenever the machine stops, `path` holds its old contents or all of the new ones. Folders
/// on the way are created. What is there and is no file stays: a rename would take the place of a device, pipe or link.
///
/// # Errors
/// [`Error::Io`] naming `path`.
pub fn write_atomically(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<(), Error> {
    replace(path, write).map_err(Error::io(path, "write"))
}

fn replace(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> io::Result<()> {
    let folder = beside(path);
    fs::create_dir_all(folder)?;
    if fs::symlink_metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(io::Error::other("there is something that is no regular file; choose another name"));
    }
    let (file, temporary) = temporary(0o666).tempfile_in(folder).map_err(reason)?.into_parts();
    let mut writer = BufWriter::new(file);
    write(&mut writer)?;
    let file = writer.into_inner().map_err(io::IntoInnerError::into_error)?;
    file.sync_all()?;
    temporary.persist(path).map_err(|error| error.error)?;
    sync_folder(folder)
}

/// Whether a file can be written there, as far as the folder tells, or the nearest one on the way to it that is there: asked before the
/// work whose outcome it is to hold. Leaves nothing.
///
/// # Errors
/// [`Error::Io`] naming `path`.
pub(crate) fn check_can_write(path: &Path) -> Result<(), Error> {
    let there = beside(path).ancestors().find(|folder| folder.as_os_str().is_empty() || folder.exists());
    let folder = there.filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    temporary(0o666).tempfile_in(folder).map_err(reason).map_err(Error::io(path, "write")).map(drop)
}

/// Writes a file of these bytes as [`write_atomically`] does.
///
/// # Errors
/// As there.
pub fn write_bytes(path: &Path, bytes: impl AsRef<[u8]>) -> Result<(), Error> {
    write_atomically(path, |file| file.write_all(bytes.as_ref()))
}

/// The folder that holds `path`, as a path that can be opened.
pub(super) fn beside(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// What makes a temporary file or folder. That is private by default; this one becomes an ordinary one of this `mode`, less the
/// user's own mask, where there are modes.
pub(super) fn temporary(mode: u32) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(UNFINISHED);
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(mode));
    #[cfg(not(unix))]
    let _ = mode;
    builder
}

/// The system's reason alone, without the temporary name.
pub(super) fn reason(error: io::Error) -> io::Error {
    match error.to_string().split_once(" at path ") {
        Some((reason, _)) => io::Error::new(error.kind(), reason),
        None => error,
    }
}

/// The rename itself lasts only once the folder is on disk; only Unix can sync a folder.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whether_a_file_can_be_written_is_known_beforehand() {
        let here = tempfile::tempdir().unwrap();
        fs::write(here.path().join("file"), "x").unwrap();
        for name in ["a", "new/a", "new/er/a"] {
            assert!(check_can_write(&here.path().join(name)).is_ok(), "{name}");
        }
        let below = here.path().join("file/a");
        let error = check_can_write(&below).unwrap_err().to_string();
        assert!(error.starts_with(&format!("{}: cannot write: ", below.display())), "{error}");
        assert!(check_can_write(Path::new("no-folder")).is_ok() && check_can_write(Path::new("no/folder")).is_ok());
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b.txt");
        write_atomically(&path, |file| file.write_all(b"old")).unwrap();
        let error = write_atomically(&path, |file| {
            file.write_all(&[0; 100_000])?;
            Err(io::Error::other("disk is full"))
        })
        .unwrap_err();
        assert_eq!(error.to_string(), format!("{}: cannot write: disk is full", path.display()));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(fs::read_dir(folder.path().join("a")).unwrap().count(), 1);
        write_atomically(&path, |file| file.write_all(b"new")).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
    }

    /// In a folder that takes no file from anybody.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_refusal_does_not_tell_of_the_temporary_name() {
        let message = write_atomically(Path::new("/proc/self/x.txt"), |_| Ok(())).unwrap_err().to_string();
        assert!(message.starts_with("/proc/self/x.txt: cannot write: ") && !message.contains(UNFINISHED), "{message}");
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_not_replaced() {
        let here = tempfile::tempdir().unwrap();
        let [link, folder, target] = ["link", "folder", "target"].map(|name| here.path().join(name));
        std::os::unix::fs::symlink(&target, &link).unwrap();
        fs::create_dir(&folder).unwrap();
        for path in [&link, &folder] {
            let error = write_atomically(path, |file| file.write_all(b"x")).unwrap_err().to_string();
            assert!(error.contains("no regular file"), "{error}");
        }
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink() && folder.is_dir() && !target.exists());
        assert_eq!(fs::read_dir(here.path()).unwrap().count(), 2, "no temporary file is left");
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_readable_as_any_other() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
        write_atomically(&ours, |_| Ok(())).unwrap();
        fs::write(&plain, "").unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }
}
