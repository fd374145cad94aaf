//! A `.tar.gz` into a folder: the files that are wanted, by their names, and no others.

use super::published::Archive;
use crate::data::DataError;
use crate::run_folder::sync_folder;
use flate2::bufread::GzDecoder;
use std::fs::{self, File};
use std::io::{self, BufReader, Read};
use std::path::{Component, Path, PathBuf};
use tar::EntryType;

/// Bytes that an archive may unpack to: CIFAR's are under 200 MB.
const LARGEST: u64 = 1 << 30;

/// Letters and digits at the end of a temporary folder's name.
const RANDOM: usize = 6;

/// Unpacks the archive's files into its folder in `parent`, which appears whole or not at all, and deletes the archive.
/// Nobody else may be unpacking it: what a killed process left of it is removed.
pub fn unpack(path: &Path, archive: &Archive, parent: &Path) -> Result<(), DataError> {
    let prefix = format!(".unpacking-{}-", archive.folder);
    remove_unfinished(parent, &prefix);
    let temporary = tempfile::Builder::new().prefix(&prefix).rand_bytes(RANDOM).tempdir_in(parent);
    let temporary = temporary.map_err(|e| DataError::write(parent, e))?;
    let file = File::open(path).map_err(|e| DataError::io(path, e))?;
    let damaged = |e: io::Error| DataError::unfit(path, format!("cannot be unpacked: {e}"), "a whole .tar.gz archive");
    let mut tar = tar::Archive::new(GzDecoder::new(BufReader::new(file)).take(LARGEST));
    let mut missing = archive.files.clone();
    for entry in tar.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let name = entry.path().map_err(damaged)?.into_owned();
        if name.components().any(|part| !matches!(part, Component::Normal(_) | Component::CurDir)) {
            let wrong = format!("holds `{}`, which leads out of the folder", name.display());
            return Err(DataError::unfit(path, wrong, "files in one folder"));
        }
        let name: PathBuf = name.components().filter(|part| *part != Component::CurDir).collect();
        let wanted = |file: &String| name == Path::new(&archive.folder).join(file);
        let Some(at) = missing.iter().position(wanted) else { continue };
        if entry.header().entry_type() != EntryType::Regular {
            return Err(DataError::unfit(path, format!("`{}` is no plain file", name.display()), "plain files"));
        }
        let target = temporary.path().join(missing.swap_remove(at));
        let mut out = File::create_new(&target).map_err(|e| DataError::write(&target, e))?;
        copy(&mut entry, &mut out).map_err(|failure| failure.of(damaged, &target))?;
        out.sync_all().map_err(|e| DataError::write(&target, e))?;
    }
    if let Some(name) = missing.first() {
        return Err(DataError::unfit(path, format!("holds no {}/{name}", archive.folder), archive.files.join(", ")));
    }
    let folder = parent.join(&archive.folder);
    let temporary = temporary.keep();
    let placed = open_to_others(&temporary)
        .and_then(|()| sync_folder(&temporary))
        .and_then(|()| fs::rename(&temporary, &folder));
    placed.map_err(|e| {
        let _ = fs::remove_dir_all(&temporary); // the archive is still there
        DataError::write(&folder, e)
    })?;
    // What was unpacked must last before the archive goes.
    sync_folder(parent).map_err(|e| DataError::write(parent, e))?;
    fs::remove_file(path).map_err(|e| DataError::write(path, e))
}

/// Removes temporary folders of this prefix.
fn remove_unfinished(parent: &Path, prefix: &str) {
    let Ok(entries) = fs::read_dir(parent) else { return }; // to unpack into it will say why
    for entry in entries.map_while(Result::ok) {
        let name = entry.file_name();
        let random = name.to_str().and_then(|name| name.strip_prefix(prefix)).unwrap_or_default();
        let is_ours = random.len() == RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric());
        // A link is not a folder here, wherever it leads.
        if is_ours && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let _ = fs::remove_dir_all(entry.path()); // it takes room at worst
        }
    }
}

/// A temporary folder is private; what comes of it is an ordinary one.
fn open_to_others(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let parent = folder.parent().map(fs::metadata).transpose()?;
        let mode = parent.map_or(0o755, |parent| parent.permissions().mode() & 0o777);
        fs::set_permissions(folder, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// What ended a copy: the archive may be damaged, the disk full.
#[derive(Debug)]
enum Copy {
    Read(io::Error),
    Write(io::Error),
}

impl Copy {
    /// Tells which of the two it was.
    fn of(self, damaged: impl FnOnce(io::Error) -> DataError, target: &Path) -> DataError {
        match self {
            Self::Read(error) => damaged(error),
            Self::Write(error) => DataError::write(target, error),
        }
    }
}

fn copy(from: &mut impl Read, to: &mut impl io::Write) -> Result<(), Copy> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer).map_err(Copy::Read)? {
            0 => return Ok(()),
            n => to.write_all(&buffer[..n]).map_err(Copy::Write)?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;

    /// An archive with these entries, whose names are written as they are.
    fn packed(entries: &[(&str, EntryType, &[u8])]) -> Vec<u8> {
        let mut builder = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (name, kind, bytes) in entries {
            let mut header = tar::Header::new_gnu();
            header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(bytes.len() as u64);
            header.set_entry_type(*kind);
            header.set_mode(0o644);
            header.set_cksum();
            builder.append(&header, *bytes).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap()
    }

    fn wanted() -> Archive {
        Archive { folder: "set".into(), files: vec!["a.bin".into(), "b.bin".into()] }
    }

    const PLAIN: EntryType = EntryType::Regular;

    /// The result, and what is left in the parent folder, which has itself a folder around it.
    fn unpacked(bytes: &[u8]) -> (Result<(), DataError>, Vec<String>) {
        let around = tempfile::tempdir().unwrap();
        let parent = around.path().join("data");
        fs::create_dir(&parent).unwrap();
        let path = parent.join("set.tar.gz");
        fs::write(&path, bytes).unwrap();
        let result = unpack(&path, &wanted(), &parent);
        assert_eq!(fs::read_dir(around.path()).unwrap().count(), 1, "nothing outside");
        let mut left: Vec<String> = fs::read_dir(&parent)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        left.sort();
        if result.is_ok() {
            assert_eq!(fs::read(parent.join("set/a.bin")).unwrap(), b"AA");
            assert_eq!(fs::read_dir(parent.join("set")).unwrap().count(), 2);
        }
        (result, left)
    }

    #[test]
    fn the_wanted_files_are_taken_and_no_others() {
        let bytes = packed(&[
            ("set/", EntryType::Directory, b""),
            ("set/readme.html", PLAIN, b"hello"),
            ("set/b.bin", PLAIN, b""),
            ("./set/a.bin", PLAIN, b"AA"),
            ("other/a.bin", PLAIN, b"no"),
        ]);
        let (result, left) = unpacked(&bytes);
        result.unwrap();
        assert_eq!(left, ["set"], "the archive has done its duty");
    }

    /// Of this archive, and nothing that is only called alike.
    #[test]
    fn what_a_killed_process_left_is_removed() {
        let around = tempfile::tempdir().unwrap();
        let parent = around.path();
        for name in
            [".unpacking-set-aB3xY9", ".unpacking-set-aB3xY", ".unpacking-set-a-3xY9", ".unpacking-other-aB3xY9"]
        {
            fs::create_dir(parent.join(name)).unwrap();
            fs::write(parent.join(name).join("a.bin"), "half").unwrap();
        }
        fs::write(parent.join(".unpacking-set-abcdef"), "a file").unwrap();
        fs::write(parent.join("set.tar.gz"), packed(&[("set/a.bin", PLAIN, b"A"), ("set/b.bin", PLAIN, b"B")]))
            .unwrap();
        unpack(&parent.join("set.tar.gz"), &wanted(), parent).unwrap();
        let mut left: Vec<_> = fs::read_dir(parent).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        left.sort();
        let others =
            [".unpacking-other-aB3xY9", ".unpacking-set-a-3xY9", ".unpacking-set-aB3xY", ".unpacking-set-abcdef"];
        assert_eq!(left, [&others[..], &["set"]].concat());
    }

    #[test]
    fn a_full_disk_is_not_taken_for_a_damaged_archive() {
        let damaged = |error| DataError::unfit(Path::new("set.tar.gz"), format!("damaged: {error}"), "a whole one");
        let message = |failure: Copy| failure.of(damaged, Path::new("set/a.bin")).to_string();
        let full = copy(&mut &b"AA"[..], &mut &mut [0; 1][..]).unwrap_err();
        let full = message(full);
        assert!(full.starts_with("set/a.bin: ") && !full.contains("damaged"), "{full}");
        let broken = copy(&mut GzDecoder::new(&b"no archive"[..]), &mut io::sink()).unwrap_err();
        let broken = message(broken);
        assert!(broken.starts_with("set.tar.gz: damaged: "), "{broken}");
    }

    #[test]
    fn what_leads_out_or_is_no_file_is_refused_and_leaves_nothing() {
        let refused = |bytes: &[u8], what: &str| {
            let (result, left) = unpacked(bytes);
            let message = result.unwrap_err().to_string();
            assert!(message.contains("set.tar.gz: ") && message.contains(what), "{message}");
            assert_eq!(left, ["set.tar.gz"]);
        };
        let b = ("set/b.bin", PLAIN, &b"B"[..]);
        for name in ["../a.bin", "set/../../a.bin", "/a.bin", "/etc/a.bin"] {
            refused(&packed(&[b, (name, PLAIN, b"AA")]), "which leads out of the folder");
        }
        refused(&packed(&[b, ("set/a.bin", EntryType::Symlink, b"")]), "`set/a.bin` is no plain file");
        refused(&packed(&[b]), "holds no set/a.bin; expected a.bin, b.bin");
        let whole = packed(&[b, ("set/a.bin", PLAIN, b"AA")]);
        for length in [0, 1, 20, whole.len() / 2] {
            refused(&whole[..length], "");
        }
        refused(b"no archive at all", "cannot be unpacked");
    }
}
